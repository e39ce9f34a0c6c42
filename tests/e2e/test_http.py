#!/usr/bin/env python3
"""The sink `http`: requests to a web service of the test, which fails, refuses and is killed under."""
import base64
import http.server
import json
import pathlib
import signal
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import Leat  # noqa: E402
from leat_test import folder, leat, main, wait_for, write  # noqa: E402


class Service:
    """Answers with what `script` says, first to last, then 200; keeps what it took."""

    def __init__(self, script=(), headers=None):
        self.script, self.headers, self.requests = list(script), headers or {}, []
        self.lock = threading.Lock()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with service.lock:
                    status = service.script.pop(0) if service.script else 200
                    service.requests.append((status, self.command, dict(self.headers), body))
                self.send_response(status)
                for name, value in service.headers.items():
                    self.send_header(name, value)
                text = b"not with me" if status >= 400 else b""
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_PUT = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/in"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def taken(self):
        with self.lock:
            return [r for r in self.requests if r[0] < 300]


def pipeline(dir, service, sink="", name="web", source="", every="50ms"):
    source = source or f"files: {{ path: {dir}/in }}"
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
batch: {{ every: {every} }}
checkpoint: {{ dir: {dir}/state }}
sources:
  in:
    {source}
    format: json
sinks:
  out:
    from: in
    http: {{ url: "{service.url}"{sink} }}
    format: json
""")


def records(dir, count, first=0):
    (pathlib.Path(dir) / "in").mkdir(exist_ok=True)
    write(dir, f"in/{first}.jsonl", "".join(f'{{"n":{n}}}\n' for n in range(first, first + count)))


def numbers(requests):
    return [json.loads(line)["n"] for r in requests for line in r[3].splitlines()]


def test_records_arrive_in_order_several_in_a_request_each_with_an_id_of_its_own():
    with folder() as dir, Service() as web:
        records(dir, 2500)
        code, _, err = leat("run", pipeline(dir, web), "--until", "caught_up")
        assert code == 0, err
        assert numbers(web.requests) == list(range(2500))
        assert len(web.requests) < 10, len(web.requests)
        ids = [r[2]["Idempotency-Key"] for r in web.requests]
        assert len(set(ids)) == len(ids) and all(i.startswith("web-") for i in ids), ids
        assert web.requests[0][2]["Content-Type"] == "application/x-ndjson"


def test_a_clean_stop_leaves_nothing_to_be_sent_again():
    with folder() as dir, Service() as web:
        records(dir, 5)
        file = pipeline(dir, web)
        for _ in range(3):
            code, _, err = leat("run", file, "--until", "caught_up")
            assert code == 0, err
        assert numbers(web.requests) == list(range(5)), web.requests


def test_a_body_can_be_an_array_or_one_record():
    with folder() as dir, Service() as web:
        records(dir, 5)
        code, _, err = leat("run", pipeline(dir, web, ", body: array, batch: { records: 2 }"),
                            "--until", "caught_up")
        assert code == 0, err
        assert [json.loads(r[3]) for r in web.requests] == [
            [{"n": 0}, {"n": 1}], [{"n": 2}, {"n": 3}], [{"n": 4}]]
    with folder() as dir, Service() as web:
        records(dir, 2)
        code, _, err = leat("run", pipeline(dir, web, ", body: each, method: PUT"),
                            "--until", "caught_up")
        assert code == 0, err
        assert [(r[1], r[3]) for r in web.requests] == [("PUT", b'{"n":0}'), ("PUT", b'{"n":1}')]


def test_what_can_pass_is_sent_again_with_the_same_id_and_bytes():
    with folder() as dir, Service([503, 429, 500]) as web:
        records(dir, 10)
        code, _, err = leat("run", pipeline(dir, web), "--until", "caught_up")
        assert code == 0, err
        assert "answers 503" in err and "trying again" in err, err
        assert numbers(web.taken()) == list(range(10))
        assert len({(r[2]["Idempotency-Key"], r[3]) for r in web.requests}) == 1
        assert len(web.requests) == 4


def test_a_refused_request_stops_the_job_and_says_what_the_service_said():
    with folder() as dir, Service([400] * 9) as web:
        records(dir, 3)
        file = pipeline(dir, web)
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 1 and "answers 400" in err and "not with me" in err, err
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 1 and "answers 400" in err, "it is not forgotten: " + err
        web.script.clear()
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        assert numbers(web.taken())[:3] == [0, 1, 2]
    with folder() as dir, Service([413]) as web:
        records(dir, 3)
        code, _, err = leat("run", pipeline(dir, web, ", batch: { records: 1 }, refused: drop"),
                            "--until", "caught_up")
        assert code == 0 and "is dropped" in err, err
        assert numbers(web.taken()) == [1, 2]


def test_a_service_that_is_away_is_waited_for():
    web = Service()
    with folder() as dir:
        records(dir, 3)
        web.server.server_close()
        with Leat("run", pipeline(dir, web)) as run:
            run.wait_log("trying again until it works")
            port = int(web.url.rsplit(":", 1)[1].split("/")[0])
            web.server = http.server.ThreadingHTTPServer(
                ("127.0.0.1", port), web.server.RequestHandlerClass)
            with web:
                wait_for("the records", lambda: len(numbers(web.taken())) == 3)
                run.process.send_signal(signal.SIGTERM)
                assert run.process.wait(timeout=60) == 0, run.log


def test_killed_at_any_moment_every_record_arrives_and_repeats_are_repeats():
    with folder() as dir, Service() as web:
        for n in range(0, 3000, 100):
            records(dir, 100, n)
        file = pipeline(dir, web, ", batch: { records: 10 }", every="20ms, max_records: 500")
        for _ in range(5):
            with Leat("run", file) as run:
                had = len(web.requests)
                wait_for("requests", lambda: len(web.requests) > had + 3 or run.process.poll() is not None)
                run.process.kill()
                run.process.wait()
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        bodies = {}
        for _, _, headers, body in web.requests:
            assert bodies.setdefault(headers["Idempotency-Key"], body) == body
        found = sorted(n for body in bodies.values() for n in numbers([(0, 0, 0, body)]))
        assert sorted(set(found)) == list(range(3000)), (len(found), len(set(found)))


def test_credentials_do_not_go_in_the_clear_unless_told_so():
    with folder() as dir, Service() as web:
        records(dir, 1)
        auth = ", auth: { user: me, password: secret }"
        code, _, err = leat("check", pipeline(dir, web, auth))
        assert code == 78 and "in the clear" in err and "secret" not in err, err
        code, _, err = leat("run", pipeline(dir, web, auth + ", insecure: true"),
                            "--until", "caught_up")
        assert code == 0, err
        assert web.requests[0][2]["Authorization"] == (
            "Basic " + base64.b64encode(b"me:secret").decode())


def test_exactly_once_is_not_promised_to_a_service():
    with folder() as dir, Service() as web:
        file = pipeline(dir, web)
        file.write_text(file.read_text().replace("name: web", "name: web\ndelivery: exactly_once"))
        code, _, err = leat("check", file)
        assert code == 78 and "exactly_once cannot be kept to 'http'" in err, err


def test_wrong_settings_are_told_by_check():
    with folder() as dir, Service() as web:
        for sink, says in ((", headers: { \"a b\": c }", "no header"), (", body: rows", "body"),
                           (", auth: { user: me }", "belong together"), (", timeout: 5", "unit")):
            code, _, err = leat("check", pipeline(dir, web, sink))
            assert code == 78 and says in err, err
        web.url = "ftp://x"
        code, _, err = leat("check", pipeline(dir, web))
        assert code == 78 and "http://" in err, err


main(sys.modules[__name__])
