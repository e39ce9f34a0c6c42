#!/usr/bin/env python3
"""/metrics, /healthz and /readyz: what they say is so, and no peer can harm the process."""
import contextlib
import http.client
import pathlib
import re
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, also for another python3
from leat_run import serving  # noqa: E402
from leat_test import Skip, folder, free_port, leat, main, wait_for, write  # noqa: E402

try:
    from prometheus_client.parser import text_string_to_metric_families
except ImportError:
    text_string_to_metric_families = None

# 1000 records in event time, one second apart; the 100 whose n ends in 7 cannot be evaluated.
COUNTED = """leat: 1
name: NAME
batch: { every: 20ms }
http: { listen: "127.0.0.1:PORT" }
on_error: drop
sources:
  in:
    generate: { count: 1000, value: { n: i, k: i % 10 }, time: "timestamp(1767261600 + i)" }
    time: { at: meta.time, lateness: 30s }
  endless:
    generate: { rate: 100/s, value: { n: i, k: i } }
    time: { at: "timestamp(1767261600)" }
streams:
  s:
    from: in
    ops:
      - filter: 'this.k != 7 || [1][n] == 1'
      - key_by: k
      - update_state_by_key: { update: "default(state, 0) + size(values)" }
sinks:
  out: { from: s, files: { path: "out/{file}.txt" }, format: text }
  rest: { from: endless, "null": {} }
"""
STEADY = """leat: 1
name: NAME
batch: { every: 20ms }
http: { listen: "127.0.0.1:PORT" }
sources:
  in: { generate: { rate: 100/s } }
sinks:
  out: { from: in, "null": {} }
"""


def said(d):
    return (pathlib.Path(d) / "stderr").read_text()


def get(port, path, host="127.0.0.1", method="GET"):
    c = http.client.HTTPConnection(host, port, timeout=30)
    try:
        c.request(method, path)
        answer = c.getresponse()
        return answer.status, answer.read().decode()
    finally:
        c.close()


def answers(port, path="/readyz", status=200):
    try:
        return get(port, path)[0] == status
    except OSError:
        return False


def families(port):
    if text_string_to_metric_families is None:
        raise Skip("python3-prometheus-client is not installed")
    status, text = get(port, "/metrics")
    assert status == 200, text
    return list(text_string_to_metric_families(text))


def samples(port):
    """By name and the values of all labels but the pipeline's."""
    found = {}
    for family in families(port):
        for s in family.samples:
            labels = tuple(v for k, v in s.labels.items() if k != "pipeline")
            key = (s.name, s.labels.get("pipeline", ""), *labels)
            assert key not in found, f"{key} twice"
            found[key] = s.value
    return found


def pipeline(text, name, port):
    return text.replace("NAME", name).replace("PORT", str(port))


def test_what_metrics_says_is_what_was_processed():
    port = free_port()
    with folder() as d:
        path = write(d, "f.yaml", pipeline(COUNTED, "counted", port))
        with serving(d, path) as job:
            wait_for("the endpoint", lambda: answers(port))
            def all_are_read():
                m = samples(port)
                done = m.get(("leat_partition_records_total", "counted", "in", "generate")) == 1000
                other = m.get(("leat_partition_records_total", "counted", "endless", "generate"))
                return done and other and m[("leat_batches_total", "counted")] and m
            m = wait_for("all records", all_are_read)
            job.send_signal(signal.SIGTERM)
            assert job.wait(20) == 0, said(d)

        def of(name, *labels):
            return m[(name, "counted", *labels)]

        part = ("in", "generate")
        assert of("leat_partition_position", *part) == 1000 and of("leat_partition_lag", *part) == 0
        assert of("leat_partition_finished", *part) == 1
        assert of("leat_partition_bytes_total", *part) > 1000 * len('{"n":1,"k":1}')
        others = of("leat_partition_records_total", "endless", "generate")
        assert of("leat_records_in_total") == 1000 + others
        # [1][n] is an error for every n but 0: of the 100 with k == 7 each
        assert of("leat_errors_total") == of("leat_partition_errors_total", *part) == 100
        lines = [line for p in pathlib.Path(d).glob("out/[!.]*.txt") for line in p.read_text().splitlines()]
        assert of("leat_records_out_total") == len(lines) + others
        assert of("leat_state_keys") == 9, "the keys 0 to 9 without 7"
        assert of("leat_state_bytes") > 0
        assert of("leat_partition_watermark_seconds", *part) == 1767261600 + 999 - 30
        assert of("leat_watermark_seconds") == 1767261600, "the least of both sources"
        assert of("leat_partitions") >= 1 and of("leat_waiting") == 0
        assert 0 < of("leat_memory_work_bytes") < 256 << 20
        assert 0 <= of("leat_memory_blocks_bytes") < 256 << 20
        assert 0 <= of("leat_scheduling_seconds") < 10 and 0 <= of("leat_batch_seconds") < 10
        assert 0 <= of("leat_commit_seconds") < 10 and 0 <= of("leat_delay_seconds") < 10
        code, out, err = leat("state", "ls", path, cwd=d)
        last = int(re.search(r"last batch (\d+)", out)[1])
        assert 1 <= of("leat_batches_total") <= last, out
        assert of("leat_pipeline_ready") == 1 and of("leat_pipeline_starts_total") == 1
        assert m[("leat_info", "", re.search(r"leat (\S+)", leat("version")[1])[1])] == 1


def test_every_name_and_type_is_in_the_reference_and_nothing_else():
    port = free_port()
    documented = dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", leat("docs", "metrics")[1], re.M))
    with folder() as d, serving(d, write(d, "f.yaml", pipeline(STEADY, "steady", port))):
        wait_for("the endpoint", lambda: answers(port))
        found = {f.name + ("_total" if f.type == "counter" else ""): f.type for f in families(port)}
    assert found == documented


def test_pipelines_share_an_address_and_readyz_names_the_one_that_failed():
    port = free_port()
    with folder() as d:
        (pathlib.Path(d) / "all").mkdir()
        write(d, "all/good.yaml", pipeline(STEADY, "good", port))
        write(d, "all/bad.yaml", pipeline(STEADY, "bad", port).replace("from: in,", "from: s,").replace(
            "sinks:", "streams:\n  s: { from: in, ops: [{ map: 10 % (this - 5) }] }\nsinks:"))
        with serving(d, "all"):
            wait_for("the failure", lambda: answers(port, status=503) and "bad: failed" in get(port, "/readyz")[1])
            assert "good: running\n" in get(port, "/readyz")[1]
            assert get(port, "/healthz") == (200, "ok\n"), "the process is well"
            m = samples(port)
            assert m[("leat_pipeline_failed", "bad")] == 1 and m[("leat_pipeline_ready", "bad")] == 0
            assert m[("leat_pipeline_failed", "good")] == 0 and m[("leat_pipeline_ready", "good")] == 1
            assert m[("leat_pipeline_failures_total", "bad")] == 1
            assert ("leat_lag", "bad") not in m and ("leat_lag", "good") in m


def test_a_pipeline_that_waits_for_its_broker_is_not_ready_and_the_process_is_well():
    port = free_port()
    text = pipeline(STEADY, "waits", port).replace(
        "generate: { rate: 100/s }", 'kafka: { brokers: "127.0.0.1:1", topic: t }')
    with folder() as d, serving(d, write(d, "f.yaml", text)):
        wait_for("the endpoint", lambda: answers(port, "/healthz"))
        assert get(port, "/readyz") == (503, "waits: starting\n")


def test_labels_are_read_back_as_the_names_that_they_are():
    port = free_port()
    name = 'a"b\\c {d}.txt'
    with folder() as d:
        (pathlib.Path(d) / "in").mkdir()
        write(d, "in/" + name, "1\n2\n3\n")
        text = pipeline(STEADY, "names", port).replace("generate: { rate: 100/s }",
                                                       'files: { path: "in/*.txt" }')
        with serving(d, write(d, "f.yaml", text)):
            wait_for("the endpoint", lambda: answers(port))
            wait_for("the file", lambda: any(
                k[0] == "leat_partition_records_total" and k[3].endswith(name) and v == 3
                for k, v in samples(port).items()))


def test_what_came_from_a_secret_is_not_shown():
    port = free_port()
    with folder() as d:
        write(d, "secret", "hushhush")
        (pathlib.Path(d) / "in").mkdir()
        write(d, "in/hushhush.txt", "1\n")
        text = pipeline(STEADY, "secret", port).replace("generate: { rate: 100/s }",
                                                        'files: { path: "in/${file:secret}.txt" }')
        with serving(d, write(d, "f.yaml", text)):
            wait_for("the endpoint", lambda: answers(port))
            wait_for("the file", lambda: "leat_partition_records_total{" in get(port, "/metrics")[1])
            shown = get(port, "/metrics")[1]
    assert "hushhush" not in shown and "***" in shown


def test_an_address_without_a_host_is_for_this_machine_only():
    port = free_port()
    for listen in (f'"{port}"', f'":{port}"', f'"localhost:{port}"'):
        with folder() as d:
            text = pipeline(STEADY, "local", port).replace(f'"127.0.0.1:{port}"', listen)
            with serving(d, write(d, "f.yaml", text)) as job:
                wait_for("the endpoint", lambda: answers(port))
                tcp = pathlib.Path(f"/proc/{job.pid}/net/tcp").read_text()
                at = [row.split()[1] for row in tcp.splitlines()[1:] if row.split()[3] == "0A"]
                assert f"0100007F:{port:04X}" in at and f"00000000:{port:04X}" not in at, at


def test_without_http_nobody_listens():
    with folder() as d:
        text = pipeline(STEADY, "quiet", 0).replace('http: { listen: "127.0.0.1:0" }\n', "http: off\n")
        with serving(d, write(d, "f.yaml", text)) as job:
            wait_for("the first batch", lambda: (pathlib.Path(d) / "state/quiet/log").exists())
            fds = [p.resolve().name for p in pathlib.Path(f"/proc/{job.pid}/fd").iterdir()]
            assert not [f for f in fds if f.startswith("socket:")], fds


def test_words_that_are_no_address_are_refused_with_those_that_are():
    with folder() as d:
        for listen in ("x", "example.org:80", "127.0.0.1", "127.0.0.1:99999", "::1:80", "127.0.0.1:http", ""):
            path = write(d, "f.yaml", pipeline(STEADY, "n", 1).replace("127.0.0.1:1", listen))
            code, _, err = leat("check", path)
            assert code == 78 and "f.yaml:4:" in err and "127.0.0.1:4190" in err, (listen, err)
        for listen in ("4190", "127.0.0.1:4190", "[::1]:4190", "0.0.0.0:4190"):
            path = write(d, "f.yaml", pipeline(STEADY, "n", 1).replace("127.0.0.1:1", listen))
            assert leat("check", path)[0] == 0, listen


def test_an_address_that_is_taken_ends_the_start_and_is_said_at_a_reload():
    port, other = free_port(), free_port()
    with folder() as d, socket.socket() as taken:
        taken.bind(("127.0.0.1", other))
        taken.listen()
        path = write(d, "f.yaml", pipeline(STEADY, "taken", other))
        code, _, err = leat("run", path, "--until", "1_batches", cwd=d)
        assert code == 1 and f"http: cannot listen on 127.0.0.1:{other}: Address already in use" in err, err
        write(d, "f.yaml", pipeline(STEADY, "taken", port))
        with serving(d, path) as job:
            wait_for("the endpoint", lambda: answers(port))
            write(d, "f.yaml", pipeline(STEADY, "taken", other))
            job.send_signal(signal.SIGHUP)
            wait_for("the warning", lambda: "the next reload tries again" in said(d))
            taken.close()
            job.send_signal(signal.SIGHUP)
            wait_for("the new address", lambda: answers(other))
            assert not answers(port), "nobody asks for the old one"
            assert samples(other)[("leat_reloads_total", "")] == 2
            assert samples(other)[("leat_pipeline_starts_total", "taken")] == 2


# ---- peers that mean harm

def talk(port, data, patience=30):
    """Send bytes, and read to the end of the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as s:
        with contextlib.suppress(OSError):
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while more := s.recv(65536):
                got += more
        return got


HOSTILE = {
    "nothing": b"",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "half a line": b"GET /metr",
    "no version": b"GET /metrics\r\n\r\n",
    "another version": b"GET /metrics HTTP/9.9\r\n\r\n",
    "a long path": b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long header": b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100000 + b"\r\n\r\n",
    "many headers": b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20000 + b"\r\n",
    "zeros": b"GET /met\0rics HTTP/1.1\r\nHost: x\r\n\r\n",
    "percent signs": b"GET /%00%n%s%%%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "a body": b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n" + b"x" * 100000,
    "a chunked body": b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
    "a negative length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "folded headers": b"GET /metrics HTTP/1.1\r\nHost: x\r\n folded\r\n\tmore\r\n\r\n",
    "bare line feeds": b"GET /metrics HTTP/1.1\nHost: x\n\n",
    "many requests": b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 1000,
    "a full URL": b"GET http://127.0.0.1/metrics HTTP/1.1\r\nHost: x\r\n\r\n",
}


def memory_kib(job):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{job.pid}/status").read_text())[1])


def test_no_request_of_any_form_harms_the_process():
    port = free_port()
    with folder() as d, serving(d, write(d, "f.yaml", pipeline(STEADY, "hard", port))) as job:
        wait_for("the endpoint", lambda: answers(port))
        before = memory_kib(job)
        for _ in range(3):
            for what, data in HOSTILE.items():
                got = talk(port, data)
                assert b" 200 " not in got or what in (
                    "many requests", "a full URL", "bare line feeds", "folded headers", "no version",
                    "another version", "a body"), (what, got[:200])
                assert b"passwd" not in got and b"root:" not in got, what
                assert answers(port), what
        assert memory_kib(job) < before + 32768
        job.send_signal(signal.SIGTERM)
        assert job.wait(20) == 0, said(d)


def test_idle_connections_are_cut_and_others_are_answered():
    port = free_port()
    with folder() as d, serving(d, write(d, "f.yaml", pipeline(STEADY, "idle", port))) as job:
        wait_for("the endpoint", lambda: answers(port))
        before = memory_kib(job)
        with contextlib.ExitStack() as all_of_them:
            idle = []
            for _ in range(300):
                s = all_of_them.enter_context(socket.socket())
                s.setblocking(False)
                s.connect_ex(("127.0.0.1", port))
                idle.append(s)
            fds = len(list(pathlib.Path(f"/proc/{job.pid}/fd").iterdir()))
            assert fds < 150, "not bounded"
            begun = time.monotonic()
            assert answers(port)
            assert time.monotonic() - begun < 4, "not before the idle ones had had their time"
        assert memory_kib(job) < before + 32768


def drip(port, closed):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as s:
        s.settimeout(0.2)  # a byte five times a second: never silent
        s.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        with contextlib.suppress(OSError):
            while True:
                with contextlib.suppress(TimeoutError):
                    if s.recv(100) == b"":
                        break
                s.sendall(b"a")
        closed.set()


def test_a_request_that_never_ends_is_cut():
    port = free_port()
    with folder() as d, serving(d, write(d, "f.yaml", pipeline(STEADY, "drip", port))):
        wait_for("the endpoint", lambda: answers(port))
        closed = threading.Event()
        peer = threading.Thread(target=drip, args=(port, closed), daemon=True)
        peer.start()
        assert closed.wait(30), "it goes on"
        assert answers(port)


def test_peers_that_leave_or_do_not_read_harm_nobody():
    port = free_port()
    with folder() as d:
        (pathlib.Path(d) / "in").mkdir()
        for i in range(300):  # a long answer
            write(d, f"in/{'x' * 100}{i}.txt", "1\n")
        text = pipeline(STEADY, "leavers", port).replace("generate: { rate: 100/s }",
                                                         'files: { path: "in/*.txt" }')
        with serving(d, write(d, "f.yaml", text)) as job:
            wait_for("the files", lambda: answers(port) and get(port, "/metrics")[1].count("x") > 200000)
            deaf = []
            for i in range(100):
                s = socket.create_connection(("127.0.0.1", port), timeout=30)
                s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                if i % 4:
                    s.close()  # with what it was sent unread
                else:
                    deaf.append(s)
            assert answers(port)
            for s in deaf:
                s.close()
            job.send_signal(signal.SIGTERM)
            assert job.wait(20) == 0, said(d)


main(sys.modules[__name__])
