#!/usr/bin/env python3
"""The sink `flume`, against Flume's own Avro source; killed, and with the other side away."""
import os
import pathlib
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from flume_test import Peer, certificates, fetched  # noqa: E402
from kafka_test import Leat  # noqa: E402
from leat_test import folder, free_port, leat, main, wait_for, write  # noqa: E402


def pipeline(dir, port, sink="", every="50ms"):
    return write(dir, "out.yaml", f"""leat: 1
name: to-flume
batch: {{ every: {every} }}
checkpoint: {{ dir: {dir}/state }}
sources:
  in:
    files: {{ path: {dir}/in }}
    format: json
sinks:
  out:
    from: in
    flume: {{ connect: "localhost:{port}"{sink} }}
    format: json
""")


def records(dir, count, first=0):
    (pathlib.Path(dir) / "in").mkdir(exist_ok=True)
    write(dir, f"in/{first:08}.jsonl", "".join(f'{{"n":{n}}}\n' for n in range(first, first + count)))


def events(server):
    """(leat-id, body) of what Flume's source printed."""
    lines = [line.split(" ", 2) for line in server.lines if line != "ready"]
    return [(id, body) for id, _, body in lines]


def bodies(count):
    return [f'{{"n":{n}}}' for n in range(count)]


def test_flumes_source_gets_every_record_once_in_order_and_with_an_id():
    fetched()
    with folder() as dir:
        certificates(dir)
        subprocess.run(["openssl", "pkcs12", "-export", "-in", f"{dir}/srv.crt", "-inkey", f"{dir}/srv.key",
                        "-out", f"{dir}/srv.p12", "-passout", "pass:geheim-1"], check=True,
                       capture_output=True)
        deflate = ["compression-type=deflate"]
        ssl = ["ssl=true", f"keystore={dir}/srv.p12", "keystore-password=geheim-1",
               "keystore-type=PKCS12"]
        trust = f", tls: {{ ca: {dir}/ca.crt }}"
        records(dir, 2500)
        for server_words, sink in (([], ""), (deflate, ", compression: zlib"), (ssl, trust),
                                   (deflate + ssl, trust + ", compression: zlib")):
            port = free_port()
            with Peer("server", port, *server_words) as server:
                wait_for("Flume", lambda: "ready" in server.lines)
                subprocess.run(["rm", "-rf", f"{dir}/state"], check=True)
                code, _, err = leat("run", pipeline(dir, port, sink), "--until", "caught_up")
                assert code == 0, (sink, err)
                wait_for("2500 events", lambda: len(events(server)) >= 2500, 20)
                found = events(server)
                assert [body for _, body in found] == bodies(2500), sink
                assert len({id for id, _ in found}) == 2500
                assert all(id.startswith("to-flume-") for id, _ in found)


def test_killed_at_any_moment_every_record_arrives_and_repeats_have_the_same_id():
    fetched()
    with folder() as dir:
        for n in range(0, 3000, 100):
            records(dir, 100, n)
        port = free_port()
        file = pipeline(dir, port, ", batch: { records: 10 }", every="20ms, max_records: 200")
        with Peer("server", port) as server:
            wait_for("Flume", lambda: "ready" in server.lines)
            for _ in range(20 if os.environ.get("LEAT_FULL") else 3):
                with Leat("run", file) as run:
                    had = len(events(server))
                    wait_for("events", lambda: len(events(server)) > had or
                             len(set(events(server))) == 3000)
                    run.kill()
            code, _, err = leat("run", file, "--until", "caught_up")
            assert code == 0, err
            wait_for("all", lambda: len(set(events(server))) == 3000, 20)
            ids = {}
            for id, body in events(server):
                assert ids.setdefault(id, body) == body
            assert sorted(set(ids.values())) == sorted(bodies(3000))


def test_a_source_that_is_away_is_waited_for():
    fetched()
    with folder() as dir:
        records(dir, 3)
        port = free_port()
        with Leat("run", pipeline(dir, port)) as run:
            run.wait_log("trying again until it works")
            with Peer("server", port) as server:
                wait_for("the records", lambda: len(events(server)) == 3, 40)
                assert run.stop() == 0, run.log


class Wrong:
    """Answers each call with these bytes as one frame, then as a Flume source that knows us."""

    def __init__(self, answers):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.answers, self.calls = list(answers), 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
                with connection, connection.makefile("rb") as file:
                    first = True
                    while True:
                        serial, parts = struct.unpack(">ii", file.read(8))
                        for _ in range(parts):
                            file.read(struct.unpack(">i", file.read(4))[0])
                        self.calls += 1
                        answer = (self.answers.pop(0) if self.answers
                                  else b"\0\0\0\0" * first + b"\0\0\0")
                        connection.sendall(struct.pack(">iii", serial, 1, len(answer)) + answer)
                        first = False
            except struct.error:
                continue
            except OSError:
                return

    def close(self):
        self.listener.close()


def test_answers_that_are_wrong_or_failed_are_tried_again():
    answers = [b"", b"\0\0\0\0\0\0\2", b"\0\0\0\0\0\1\0\x0cbroken", b"\7", b"\4\0\0\0", b"\xff" * 40,
               b"\4\2\xfe\xff\xff\xff\x0f", b"\0\0\0\0\0\1\0\xfe\xff\xff\xff\x0f"]
    with folder() as dir:
        records(dir, 3)
        server = Wrong(answers)
        with Leat("run", pipeline(dir, server.port)) as run:
            wait_for("the call that is answered", lambda: server.calls == len(answers) + 1, 60)
            assert run.stop() == 0, run.log
        assert server.calls == len(answers) + 1
        server.close()


def test_wrong_settings_are_told_by_check():
    with folder() as dir:
        for sink, says in ((", compression: gzip", "zlib"), (", tls: { cert: a }", "belong together"),
                           (", timeout: 5", "unit"), (", port: 1", "unknown")):
            code, _, err = leat("check", pipeline(dir, 4141, sink))
            assert code == 78 and says in err, err


main(sys.modules[__name__])
