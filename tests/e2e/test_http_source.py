#!/usr/bin/env python3
"""The source `http`: what senders are told, kill -9 under load, and clients that mean no good."""
import http.client
import http.server
import itertools
import json
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import Leat  # noqa: E402
from leat_test import Skip, folder, free_port, leat, main, wait_for, write  # noqa: E402

KILLS = 20 if os.environ.get("LEAT_FULL") else 3
NDJSON = "application/x-ndjson"


def pipeline(dir, port, source="", sink="", every="50ms", more="", options="format: json"):
    sink = sink or f'files: {{ path: "{dir}/out/{{file}}.jsonl" }}'
    return write(dir, "web.yaml", f"""leat: 1
name: web
batch: {{ every: {every} }}
checkpoint: {{ dir: {dir}/state }}
{more}
sources:
  in:
    http: {{ listen: "127.0.0.1:{port}", path: /in{source} }}
    {options}
sinks:
  out:
    from: in
    {sink}
    format: json
""")


def connect(port, seconds=30):
    s = socket.create_connection(("127.0.0.1", port), timeout=seconds)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def is_up(port):
    try:
        connect(port).close()
        return True
    except OSError:
        return False


def started(run, port):
    wait_for("the server", lambda: is_up(port) or run.process.poll() is not None)
    assert run.process.poll() is None, run.log
    return run


def post(port, body, type=None, path="/in", method="POST", **headers):
    """(status, text, headers) of one request."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        c.request(method, path, body, {**({"Content-Type": type} if type else {}), **headers})
        r = c.getresponse()
        return r.status, r.read().decode(), r.headers
    finally:
        c.close()


def records(dir):
    return [json.loads(line) for p in sorted(pathlib.Path(dir).glob("out/[!.]*.jsonl"))
            for line in p.read_text().splitlines()]


def bad_input(watch):
    """What /metrics says of it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{watch}/metrics", timeout=30) as answer:
        said = answer.read().decode()
    return int(re.search(r'^leat_bad_input_total\{pipeline="web"\} (\d+)$', said, re.M)[1])


def numbers(dir):
    return [r["n"] for r in records(dir)]


def test_a_2xx_means_that_the_records_are_in_the_output():
    with folder() as dir:
        port = free_port()
        with Leat("run", pipeline(dir, port)) as run:
            started(run, port)
            assert post(port, '{"n": 1}')[0] == 204
            assert numbers(dir) == [1]
            assert post(port, '[{"n": 2}, {"n":\n3}]', "application/json")[0] == 204
            assert numbers(dir) == [1, 2, 3]
            assert post(port, '{"n": 4}\n\n{"n": 5}\r\n', NDJSON + "; charset=utf-8")[0] == 204
            assert numbers(dir) == [1, 2, 3, 4, 5]
            assert post(port, "[]")[0] == 204
            assert run.stop() == 0, run.log


def test_curl_and_a_connection_that_is_kept():
    curl = shutil.which("curl")
    if not curl:
        raise Skip("curl is not installed")
    with folder() as dir:
        port = free_port()
        url = f"http://127.0.0.1:{port}/in"
        body = write(dir, "body", json.dumps([{"n": n, "pad": "x" * 100} for n in range(20000)]))
        with Leat("run", pipeline(dir, port)) as run:
            started(run, port)
            # more than a mebibyte: curl asks first, with Expect: 100-continue
            done = subprocess.run([curl, "-sS", "-w", "%{http_code} %{num_connects}\n", "--data-binary",
                                   f"@{body}", url, "--next", "-sS", "-w", "%{http_code} %{num_connects}\n",
                                   "-d", '{"n": 20000}', url], capture_output=True, text=True, timeout=60)
            assert done.stdout.split("\n")[:2] == ["204 1", "204 0"], done
            assert numbers(dir) == list(range(20001))


def test_of_a_body_with_a_mistake_nothing_is_taken_and_the_sender_reads_why():
    with folder() as dir:
        port = free_port()
        with Leat("run", pipeline(dir, port, ", max_body: 64KiB", options="format: json\n    max_record: 100B")) as run:
            started(run, port)
            for body, type, status, text in (
                    ('[{"n":1},{"n":]', None, 400, "the array has no end"),
                    ('[{"n":1},{"n":}]', None, 400, "record 2: not JSON at byte 5"),
                    ('[{"n":1},]', None, 400, "record 2"),
                    ('{"n":1}\n{"n":2}', None, 400, "something behind the value"),
                    ('{"n":1}\nhello', NDJSON, 400, "record 2: not JSON"),
                    ("", None, 400, "the body is empty"),
                    ('[{"n":1},"' + "x" * 200 + '"]', None, 413, "record 2: 202 bytes"),
                    ("[" + "1," * 40000 + "1]", None, 413, "the most that is taken is 65536")):
                got = post(port, body, type)
                assert got[0] == status and text in got[1], (body[:40], got)
            assert post(port, "{}", path="/other")[0] == 404
            got = post(port, None, method="GET")
            assert got[0] == 405 and got[2]["Allow"] == "POST", got
            assert post(port, b"\x1f\x8b", Content_Encoding="gzip")[0] == 415
            assert post(port, '{"n": 9}')[0] == 204
            assert numbers(dir) == [9]
            assert "requests were refused" in run.log, run.log


def test_bodies_of_anything_are_taken_as_lines_or_whole():
    with folder() as dir:
        port = free_port()
        with Leat("run", pipeline(dir, port, ", body: lines", options="format: text")) as run:
            started(run, port)
            assert post(port, "one\n[two\r\nthree", "text/plain")[0] == 204
            assert records(dir) == ["one", "[two", "three"]
    with folder() as dir:
        port = free_port()
        with Leat("run", pipeline(dir, port, ", body: one", options="format: text")) as run:
            started(run, port)
            assert post(port, "one\n[two", NDJSON)[0] == 204
            assert records(dir) == ["one\n[two"]


def test_only_who_shows_the_token_may_send():
    with folder() as dir:
        port = free_port()
        secret = write(dir, "token", "open sesame\n")
        file = pipeline(dir, port, f', auth: {{ bearer: "${{file:{secret}}}" }}')
        with Leat("run", file) as run:
            started(run, port)
            for given in (None, "Bearer open", "Bearer open sesamE", "Basic open sesame", "Bearer "):
                headers = {"Authorization": given} if given else {}
                got = post(port, '{"n": 1}', **headers)
                assert got[0] == 401 and got[2]["WWW-Authenticate"] == "Bearer", got
            assert post(port, '{"n": 2}', Authorization="Bearer open sesame")[0] == 204
            assert numbers(dir) == [2]
            assert "sesame" not in run.log
        code, out, _ = leat("explain", file)
        assert code == 0 and "sesame" not in out, out
        file.write_text(file.read_text().replace("127.0.0.1", "*"))
        code, _, err = leat("check", file)
        assert code == 78 and "in the clear" in err and "sesame" not in err, err


def test_it_speaks_tls():
    with folder() as dir:
        port = free_port()
        cert, key = f"{dir}/cert.pem", f"{dir}/key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", key, "-out", cert], check=True, capture_output=True, timeout=60)
        with Leat("run", pipeline(dir, port, f", tls: {{ cert: {cert}, key: {key} }}")) as run:
            started(run, port)
            context = ssl.create_default_context(cafile=cert)
            for n in range(3):
                c = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
                c.request("POST", "/in", json.dumps({"n": n}))
                assert c.getresponse().status == 204
                c.close()
            s = connect(port)  # who speaks plain HTTP there is not heard
            s.sendall(b"POST /in HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{\"n\":9}")
            while s.recv(1000):
                pass
            s.close()
            assert numbers(dir) == [0, 1, 2]
            assert run.stop() == 0, run.log
        write(dir, "key.pem", "no key")
        with Leat("run", pipeline(dir, port, f", tls: {{ cert: {cert}, key: {key} }}")) as run:
            assert run.wait() == 78 and f"'{cert}' or its key '{key}' cannot be used" in run.log, run.log


def signed(dir, name, subject, purpose=None):
    """A key, and a certificate of the authority in `dir`; purpose: serverAuth, clientAuth."""
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={subject}", "-keyout", f"{dir}/{name}.key",
            "-out", f"{dir}/{name}.csr")
    write(dir, "names", f"subjectAltName=DNS:{subject}\n" + (f"extendedKeyUsage={purpose}\n" if purpose else ""))
    openssl("x509", "-req", "-in", f"{dir}/{name}.csr", "-CA", f"{dir}/ca.pem", "-CAkey", f"{dir}/ca.key",
            "-CAcreateserial", "-days", "30", "-extfile", f"{dir}/names", "-out", f"{dir}/{name}.pem")
    return f"{dir}/{name}.pem", f"{dir}/{name}.key"


def authority(dir):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=ours",
                    "-keyout", f"{dir}/ca.key", "-out", f"{dir}/ca.pem"], check=True, capture_output=True, timeout=60)


def test_with_an_authority_only_senders_with_its_certificate_are_taken():
    with folder() as dir, folder() as elsewhere:
        port = free_port()
        authority(dir)
        authority(elsewhere)
        cert, key = signed(dir, "leat", "localhost")
        tls = f", tls: {{ cert: {cert}, key: {key}, ca: {dir}/ca.pem }}"
        watch = free_port()
        with Leat("run", pipeline(dir, port, tls, more=f'http: {{ listen: "127.0.0.1:{watch}" }}')) as run:
            started(run, port)

            def status(n, *shows):
                context = ssl.create_default_context(cafile=f"{dir}/ca.pem")
                if shows:
                    context.load_cert_chain(*shows)
                c = http.client.HTTPSConnection("localhost", port, context=context, timeout=30)
                answers = []
                for _ in range(2):  # the second one on the same connection
                    c.request("POST", "/in", json.dumps({"n": n}))
                    answer = c.getresponse()
                    answers.append((answer.status, answer.read()))
                c.close()
                assert answers[0] == answers[1], answers
                return answers[0][0]
            assert status(1) == 403
            assert status(2, *signed(elsewhere, "stranger", "localhost")) == 403
            assert status(3, *signed(dir, "server", "sender", "serverAuth")) == 403
            assert bad_input(watch) == 6
            assert status(4, *signed(dir, "sender", "sender")) == 204
            assert status(5, *signed(dir, "client", "sender", "clientAuth")) == 204
            assert numbers(dir) == [4, 4, 5, 5]
            assert bad_input(watch) == 6
            assert run.stop() == 0, run.log
        code, _, err = leat("check", pipeline(dir, port, f", tls: {{ ca: {dir}/ca.pem }}"))
        assert code == 78 and "leat needs its own" in err, err
        write(dir, "ca.pem", "no certificate")
        with Leat("run", pipeline(dir, port, tls)) as run:
            assert run.wait() == 78 and "there is no certificate in" in run.log, run.log


class Stuck:
    """A web service that answers 503 until it is let go."""

    def __init__(self):
        self.status, self.bodies = 503, []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if service.status == 200:
                    service.bodies.append(body)
                self.send_response(service.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def numbers(self):
        return [json.loads(line)["n"] for b in self.bodies for line in b.splitlines()]


def test_without_room_the_answer_is_429_and_what_was_taken_is_answered_when_it_is_safe():
    with folder() as dir:
        port, web = free_port(), Stuck()
        sink = f'http: {{ url: "http://127.0.0.1:{web.server.server_port}/" }}'
        with Leat("run", pipeline(dir, port, sink=sink)) as run:
            started(run, port)
            statuses, lock = {}, threading.Lock()

            def send(n):
                body = json.dumps([{"n": n * 100 + i, "pad": "x" * 9000} for i in range(100)])
                got = post(port, body)
                with lock:
                    statuses[n] = got
            threads = []
            for n in itertools.count():
                threads.append(threading.Thread(target=send, args=(n,)))
                threads[-1].start()
                if n >= 5:
                    wait_for("an answer or a place", lambda: statuses or len(threads) < 200)
                if statuses or n > 200:
                    break
            wait_for("a 429", lambda: statuses)
            assert all(s[0] == 429 and s[2]["Retry-After"] == "1" for s in statuses.values()), statuses
            web.status = 200
            for t in threads:
                t.join()
            taken = sorted(n for n, s in statuses.items() if s[0] == 204)
            assert taken and {s[0] for s in statuses.values()} == {204, 429}, statuses
            found = sorted(set(web.numbers()))
            assert found == [n * 100 + i for n in taken for i in range(100)], (taken, len(found))
            wait_for("room again", lambda: post(port, '{"n": -1}')[0] == 204)


def load(port, ids, acked, over):
    """One sender: ids in requests of all three shapes, each noted when there was a 2xx."""
    shapes = itertools.cycle(("one", "array", "lines"))
    while not over.is_set():
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            for shape in shapes:
                mine = list(itertools.islice(ids, 1 if shape == "one" else 50))
                rows = [json.dumps({"n": n}) for n in mine]
                body = "[" + ",".join(rows) + "]" if shape == "array" else "\n".join(rows)
                c.request("POST", "/in", body, {"Content-Type": NDJSON if shape == "lines" else "application/json"})
                r = c.getresponse()
                r.read()
                if r.status == 204:
                    acked.extend(mine)
                if over.is_set():
                    break
        except (OSError, http.client.HTTPException):
            wait_for("leat", lambda: over.is_set() or is_up(port))
        finally:
            c.close()


def kill_under_load(store, every):
    """What got a 2xx is in the output, whatever the level that the answer waits for."""
    with folder() as dir:
        port, over = free_port(), threading.Event()
        file = pipeline(dir, port, f", store: {store}", every=every)
        acked = [[] for _ in range(4)]
        threads = [threading.Thread(target=load, args=(port, itertools.count(k, len(acked)), acked[k], over))
                   for k in range(len(acked))]
        try:
            for kill in range(KILLS):
                with Leat("run", file) as run:
                    started(run, port)
                    if kill == 0:
                        for t in threads:
                            t.start()
                    had = [len(a) for a in acked]
                    wait_for("acknowledgements of each sender",
                             lambda: all(len(a) > h + 40 * (kill + 1) for a, h in zip(acked, had)))
                    run.kill()
            over.set()
        finally:
            over.set()
            for t in threads:
                if t.ident:
                    t.join()
        told = {n for a in acked for n in a}
        assert len(told) > 100 * KILLS
        with Leat("run", file) as run:
            started(run, port)
            if store == "disk":
                wait_for("what is in the store", lambda: not told - set(numbers(dir)))
            assert run.stop() == 0, run.log
        found = set(numbers(dir))
        print(f"{len(told)} told, {len(numbers(dir)) - len(found)} twice, store: {store}")
        assert not told - found, sorted(told - found)[:20]


def test_killed_under_load_every_id_that_got_a_2xx_is_in_the_output():
    kill_under_load("commit", "20ms")


def test_killed_under_load_with_a_store_every_id_that_got_a_2xx_is_in_the_output():
    kill_under_load("disk", "300ms")


def test_stopped_under_load_who_gets_no_2xx_is_told_or_cut_off():
    with folder() as dir:
        port, over = free_port(), threading.Event()
        acked = []
        with Leat("run", pipeline(dir, port)) as run:
            started(run, port)
            t = threading.Thread(target=load, args=(port, itertools.count(), acked, over))
            t.start()
            wait_for("acknowledgements", lambda: len(acked) > 200)
            assert run.stop() == 0, run.log
            over.set()
            t.join()
        assert not set(acked) - set(numbers(dir))


def test_a_thousand_idle_connections_do_not_hurt_others():
    with folder() as dir:
        port = free_port()
        with Leat("run", pipeline(dir, port, ", max_connections: 300")) as run:
            started(run, port)
            idle = []
            try:
                for _ in range(1000):
                    idle.append(connect(port))
                before = run.cpu_seconds()
                for n in range(20):
                    assert post(port, json.dumps({"n": n}))[0] == 204
                assert run.cpu_seconds() - before < 5
                assert numbers(dir) == list(range(20))
            finally:
                for s in idle:
                    s.close()


def closed(s):
    """The other side has closed, perhaps after an answer, which is returned."""
    got = b""
    try:
        while more := s.recv(4096):
            got += more
    except ConnectionError:
        pass
    s.close()
    return got


def test_slow_and_never_ending_senders_are_cut_off():
    with folder() as dir:
        port = free_port()
        with Leat("run", pipeline(dir, port, ", idle: 2s, receive: 2s, max_body: 64KiB")) as run:
            started(run, port)
            head = b"POST /in HTTP/1.1\r\nHost: x\r\n"
            slow = [connect(port) for _ in range(5)]
            slow[1].sendall(head)
            slow[2].sendall(head + b"Content-Length: 100\r\n\r\n{")
            slow[3].sendall(head + b"Transfer-Encoding: chunked\r\n\r\n4\r\n")
            slow[4].sendall(b"P")

            stop = threading.Event()

            def trickle():  # a byte now and then does not help
                while not stop.wait(0.3):
                    for s, byte in ((slow[1], b"X: y\r\n"), (slow[2], b" ")):
                        try:
                            s.sendall(byte)
                        except OSError:
                            pass
            t = threading.Thread(target=trickle)
            t.start()
            assert post(port, '{"n": 1}')[0] == 204
            for s in slow:
                assert b" 204 " not in closed(s)
            stop.set()
            t.join()

            endless = connect(port)  # headers without end
            endless.sendall(head)
            try:
                for _ in range(1000):
                    endless.sendall(b"X-A: " + b"y" * 1000 + b"\r\n")
            except ConnectionError:
                pass
            assert b" 204 " not in closed(endless)
            chunks = connect(port)  # a body without end
            chunks.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
            try:
                while True:
                    chunks.sendall(b"1000\r\n" + b"1" * 4096 + b"\r\n")
            except ConnectionError:
                pass
            assert b" 204 " not in closed(chunks)
            assert post(port, '{"n": 2}')[0] == 204
            assert numbers(dir) == [1, 2]


def test_malformed_requests_harm_nobody_else():
    head = b"POST /in HTTP/1.1\r\nHost: x\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    wrong = [b"\0" * 1000, b"GET\r\n\r\n", b"POST /in HTTP/9.9\r\n\r\n", b"\r\n" * 5000,
             head + b"Content-Length: -1\r\n\r\n{}", head + b"Content-Length: 99999999999999999999999\r\n\r\n{}",
             head + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
             head + b"Content-Length: 10\r\n\r\n{\"n\":", chunked + b"zz\r\n{}\r\n0\r\n\r\n",
             chunked + b"-2\r\n{}\r\n0\r\n\r\n", chunked + b"ffffffffffffffffff\r\n{}",
             chunked + b"2\r\n{}xx0\r\n\r\n", chunked + b"7\r\n{\"n\":", chunked + b"2;" + b"e" * 100000,
             b"POST /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", head + b"A" * 100000,
             b"POST /in HTTP/1.1\r\n: x\r\n\r\n", b"POST  HTTP/1.1\r\n\r\n",
             head + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{\r\n0\r\n\r\n"]
    with folder() as dir:
        port = free_port()
        watch = free_port()
        more = f'http: {{ listen: "127.0.0.1:{watch}" }}'
        with Leat("run", pipeline(dir, port, ", idle: 1s, receive: 1s", more=more)) as run:
            started(run, port)
            for n, bytes in enumerate(wrong):
                s = connect(port)
                try:
                    s.sendall(bytes)
                    s.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                assert b" 204 " not in closed(s), bytes[:80]
                assert post(port, json.dumps({"n": n}))[0] == 204, bytes[:80]
            assert numbers(dir) == list(range(len(wrong)))
            assert bad_input(watch) >= 10  # some of them just end, and the server waits for more of others
            assert run.stop() == 0, run.log


def test_explain_says_when_the_sender_is_told_and_exactly_once_is_refused():
    with folder() as dir:
        file = pipeline(dir, 1)
        code, out, err = leat("explain", file)
        assert code == 0 and "the sender is told when the batch is committed" in out, out + err
        file = pipeline(dir, 1, more="delivery: exactly_once")
        code, _, err = leat("check", file)
        assert code == 78 and "exactly_once cannot be kept from 'http'" in err, err


def test_an_address_that_is_taken_is_waited_for():
    with folder() as dir:
        port = free_port()
        other = socket.create_server(("127.0.0.1", port))
        with Leat("run", pipeline(dir, port)) as run:
            run.wait_log("cannot listen")
            other.close()
            wait_for("leat", lambda: is_up(port))
            assert post(port, '{"n": 1}')[0] == 204


main(sys.modules[__name__])
