#!/usr/bin/env python3
"""The source `http_stream`: feeds that end, fail, fall silent, ask for a pause, and never stop."""
import http.server
import json
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import Leat  # noqa: E402
from leat_test import folder, leat, main, wait_for, write  # noqa: E402


class Feed:
    """Each request is answered by the next of `script`, a function of the handler; the last stays."""

    def __init__(self, *script):
        self.script, self.requests, self.times, self.over = list(script), [], [], threading.Event()
        feed = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                feed.requests.append((self.path, dict(self.headers)))
                feed.times.append(time.monotonic())
                step = feed.script.pop(0) if len(feed.script) > 1 else feed.script[0]
                try:
                    step(self)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/feed"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def status(code, **headers):
    def step(h):
        h.send_response(code)
        for name, value in headers.items():
            h.send_header(name.replace("_", "-"), value)
        h.end_headers()
        h.wfile.write(b'{"n":-1}\n' * 3)
    return step


def sends(*pieces, stays=None, length=None):
    def step(h):
        h.send_response(200)
        if length:
            h.send_header("Content-Length", str(length))
        h.end_headers()
        for piece in pieces:
            h.wfile.write(piece)
        if stays:
            stays.over.wait(30)
    return step


def pipeline(dir, url, source="", delivery="at_least_once", every="50ms", sink=""):
    return write(dir, "feed.yaml", f"""leat: 1
name: feed
delivery: {delivery}
batch: {{ every: {every} }}
checkpoint: {{ dir: {dir}/state }}
sources:
  in:
    http_stream: {{ url: "{url}", retry: 20ms{source} }}
sinks:
  out:
    from: in
    files: {{ path: "{dir}/out/{{file}}.jsonl" }}
    format: json
""")


def numbers(dir):
    return [json.loads(line)["n"] for p in sorted(pathlib.Path(dir).glob("out/[!.]*.jsonl"))
            for line in p.read_text().splitlines()]


def test_lines_are_records_and_empty_ones_signs_of_life():
    with folder() as dir, Feed() as feed:
        feed.script = [sends(b'{"n":1}\r\n\r\n\r\n{"n"', b':2}\n\n', stays=feed)]
        with Leat("run", pipeline(dir, feed.url)) as run:
            wait_for("the records", lambda: numbers(dir) == [1, 2])
            assert run.stop() == 0, run.log
        assert len(feed.requests) == 1 and feed.requests[0][0] == "/feed"


def test_a_feed_that_ends_or_breaks_is_asked_for_again_and_half_a_line_is_no_record():
    with folder() as dir, Feed() as feed:
        feed.script = [sends(b'{"n":1}\n{"n":2}', length=15),  # whole: the last line is one
                       sends(b'{"n":3}\n{"n":', length=1000),  # cut
                       status(503), sends(b'{"n":4}\n', stays=feed)]
        with Leat("run", pipeline(dir, feed.url)) as run:
            wait_for("the records", lambda: numbers(dir) == [1, 2, 3, 4])
            assert "trying again until it works" in run.log and "sends again" in run.log, run.log
            assert run.stop() == 0, run.log


def test_a_silent_feed_is_asked_for_again():
    with folder() as dir, Feed() as feed:
        feed.script = [sends(b'{"n":1}\n', stays=feed), sends(b'{"n":2}\n', stays=feed)]
        with Leat("run", pipeline(dir, feed.url, ", idle: 300ms")) as run:
            wait_for("both", lambda: numbers(dir)[:2] == [1, 2])
            assert "the feed is silent" in run.log, run.log


def test_a_service_that_asks_for_a_pause_gets_it():
    with folder() as dir, Feed() as feed:
        feed.script = [status(429, Retry_After="1"), sends(b'{"n":1}\n', stays=feed)]
        with Leat("run", pipeline(dir, feed.url)) as run:
            wait_for("the record", lambda: numbers(dir) == [1])
            assert "the answer is 429" in run.log, run.log
            assert feed.times[1] - feed.times[0] >= 0.99, feed.times


def test_an_answer_that_will_not_change_stops_the_job_unless_the_feed_has_worked():
    with folder() as dir, Feed(status(404)) as feed:
        with Leat("run", pipeline(dir, feed.url)) as run:
            assert run.wait() == 78 and "answers 404" in run.log, run.log
    with folder() as dir, Feed() as feed:
        feed.script = [sends(b'{"n":1}\n'), status(404), sends(b'{"n":2}\n', stays=feed)]
        with Leat("run", pipeline(dir, feed.url)) as run:
            wait_for("both", lambda: numbers(dir) == [1, 2])
    with folder() as dir, Feed(status(302, Location="http://127.0.0.1:1/")) as feed:
        with Leat("run", pipeline(dir, feed.url)) as run:
            assert run.wait() == 78 and "answers 302" in run.log, run.log


def test_a_feed_that_is_faster_than_the_job_has_to_wait_and_nothing_is_lost():
    with folder() as dir, Feed() as feed:
        count = 200_000
        lines = [b"".join(b'{"n":%d,"pad":"%s"}\n' % (n, b"x" * 200) for n in range(first, first + 1000))
                 for first in range(0, count, 1000)]
        feed.script = [sends(*lines, stays=feed)]
        file = pipeline(dir, feed.url, ", store: commit", every="20ms")
        file.write_text("memory: 32MiB\n" + file.read_text())
        with Leat("run", file) as run:
            wait_for("all of them", lambda: len(numbers(dir)) == count, seconds=60)
            assert numbers(dir) == list(range(count))
            assert len(feed.requests) == 1


def test_a_line_without_end_is_bounded_and_an_error_of_that_record():
    with folder() as dir, Feed() as feed:
        feed.script = [sends(*[b"x" * 65536] * 400, b'\n{"n":1}\n', stays=feed)]
        file = pipeline(dir, feed.url)
        file.write_text(file.read_text().replace("name: feed", "name: feed\nmemory: 32MiB\non_error: drop"))
        with Leat("run", file) as run:
            wait_for("the next record", lambda: numbers(dir) == [1])
            assert len(feed.requests) == 1


def test_credentials_and_headers_are_sent_and_not_shown():
    with folder() as dir, Feed() as feed:
        feed.script = [sends(b'{"n":1}\n', stays=feed)]
        token = write(dir, "token", "open-sesame\n")
        more = f', auth: {{ bearer: "${{file:{token}}}" }}, headers: {{ X-Tenant: shop-secret }}'
        file = pipeline(dir, feed.url, more)
        code, _, err = leat("check", file)
        assert code == 78 and "in the clear" in err and "sesame" not in err, err
        file = pipeline(dir, feed.url, more + ", insecure: true")
        with Leat("run", file) as run:
            wait_for("the record", lambda: numbers(dir) == [1])
            assert "sesame" not in run.log and "shop-secret" not in run.log
        headers = feed.requests[0][1]
        assert headers["Authorization"] == "Bearer open-sesame" and headers["X-Tenant"] == "shop-secret"
        code, out, _ = leat("explain", file)
        assert code == 0 and "sesame" not in out and "shop-secret" not in out


def test_explain_says_that_the_service_is_not_told():
    with folder() as dir:
        code, out, err = leat("explain", pipeline(dir, "http://127.0.0.1:1/"))
        assert code == 0 and "at most once" in out, out + err
        code, _, err = leat("check", pipeline(dir, "http://127.0.0.1:1/", delivery="exactly_once"))
        assert code == 0, "from its store on: " + err
        code, _, err = leat("check", pipeline(dir, "http://127.0.0.1:1/", ", store: commit", delivery="exactly_once"))
        assert code == 78 and "exactly_once cannot be kept from 'http_stream'" in err, err



main(sys.modules[__name__])
