#!/usr/bin/env python3
"""Avro on every source and sink: what a plan takes and refuses, and records through those that need no service."""
import http.client
import http.server
import io
import json
import pathlib
import socket
import struct
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_run import running  # noqa: E402
from leat_test import folder, free_port, leat, main, wait_for, write  # noqa: E402
from pypi import fastavro, package  # noqa: E402
from registry_test import Registry, framed  # noqa: E402
from zeromq_test import PEER, needs_peer  # noqa: E402

POINT = {"type": "record", "name": "Point", "fields": [{"name": "x", "type": "long"}, {"name": "label", "type": "string"}]}
SCHEMA = f"schema: '{json.dumps(POINT)}'"
FRAMINGS = {"raw": SCHEMA, "single_object": f"framing: single_object, {SCHEMA}",
            "registry": 'registry: "http://localhost:9"', "container": f"framing: container, {SCHEMA}"}
WHOLE = ("raw", "single_object", "registry")
TEXT = "may hold any bytes"
# By their options: which framings they take, and what they say to the others.
SOURCES = {
    'kafka: { brokers: "localhost:9", topic: a }': (WHOLE, ""),
    'files: { path: "x*" }': (("container",), "framing: container"),
    'http: { listen: "127.0.0.1:9", body: one }': (WHOLE[:2], ""),
    'http: { listen: "127.0.0.1:9" }': ((), "body: one"),
    'mqtt: { url: "mqtt://localhost:9", topics: [a] }': (WHOLE[:2], ""),
    'rabbitmq: { brokers: "localhost:9", queue: a }': (WHOLE[:2], ""),
    'zeromq: { connect: "tcp://localhost:9" }': (WHOLE[:2], ""),
    'flume: { listen: "127.0.0.1:9" }': (WHOLE[:2], ""),
    'socket: { listen: "127.0.0.1:9", framing: length }': (WHOLE[:2], ""),
    'socket: { listen: "127.0.0.1:9" }': ((), "framing: length"),
    'http_stream: { url: "http://localhost:9/" }': ((), TEXT),
}
SINKS = {
    'kafka: { brokers: "localhost:9", topic: b }': (WHOLE, ""),
    'files: { path: "out/{file}" }': (("container",), "framing: container"),
    'http: { url: "http://localhost:9/", body: each }': (WHOLE, ""),
    'http: { url: "http://localhost:9/" }': ((), "body: each"),
    'mqtt: { url: "mqtt://localhost:9", topic: b }': (WHOLE, ""),
    'rabbitmq: { brokers: "localhost:9", routing_key: b }': (WHOLE, ""),
    'zeromq: { bind: "tcp://127.0.0.1:9" }': (WHOLE, ""),
    'flume: { connect: "localhost:9" }': (WHOLE, ""),
    'socket: { connect: "localhost:9", framing: length }': (WHOLE, ""),
    'socket: { connect: "localhost:9" }': ((), "framing: length"),
    "print: {}": ((), TEXT),
    "save_as_text_files: { prefix: out }": ((), TEXT),
}


def refusal(framing, taken, words):
    if framing == "container":
        return "a container is a file of its own"
    return "a registry may have to be waited for" if framing == "registry" and "raw" in taken else words


def check(dir, text, is_taken, words):
    code, out, err = leat("check", write(dir, "check.yaml", f"leat: 1\nname: check\n{text}"), cwd=dir)
    assert code == (0 if is_taken else 78) and (is_taken or words in out + err), (text, code, out, err)


def test_every_source_takes_what_keeps_records_whole_and_names_the_option_that_does():
    with folder() as dir:
        for source, (taken, words) in SOURCES.items():
            for framing, options in FRAMINGS.items():
                check(dir, f"sources:\n  in:\n    {source}\n    format: {{ avro: {{ {options} }} }}\n"
                      "sinks:\n  out: { from: in, null: {} }\n", framing in taken, refusal(framing, taken, words))


def test_every_sink_takes_what_keeps_records_whole_and_names_the_option_that_does():
    with folder() as dir:
        for sink, (taken, words) in SINKS.items():
            for framing, options in FRAMINGS.items():
                options += f", subject: b-value, {SCHEMA}" if framing == "registry" else ""
                check(dir, "sources:\n  in: { generate: { rate: 1/s } }\nsinks:\n  out:\n    from: in\n"
                      f"    {sink}\n    format: {{ avro: {{ {options} }} }}\n", framing in taken,
                      refusal(framing, taken, words))


def test_what_any_source_receives_may_be_of_a_registry_where_it_goes_through_kafka_first():
    with folder() as dir:
        check(dir, 'connections:\n  main:\n    kafka: { brokers: "localhost:9" }\nsources:\n  in:\n'
              '    mqtt: { url: "mqtt://localhost:9", topics: [a] }\n    store: kafka\n'
              '    format: { avro: { registry: "http://localhost:9" } }\nsinks:\n  out: { from: in, null: {} }\n', True, "")


def points(first, count=20):
    return [{"x": 5 * n, "label": f"line\n{n}\r\n"} for n in range(first, first + count)]


def single(record):
    fa = fastavro()
    package("fastavro", "1.9.7", "fastavro.schema")
    out = io.BytesIO()
    fa.schemaless_writer(out, fa.parse_schema(POINT), record)
    print_ = fa.schema.fingerprint(fa.schema.to_parsing_canonical_form(POINT), "CRC-64-AVRO")
    return b"\xc3\x01" + bytes.fromhex(print_) + out.getvalue()


class Frames:
    """Listens for one peer; what it sends in frames with a length."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.server.getsockname()[1]}"
        self.found = []
        threading.Thread(target=self.receive, daemon=True).start()

    def receive(self):
        file = self.server.accept()[0].makefile("rb")
        while len(head := file.read(4)) == 4:
            self.found.append(file.read(struct.unpack(">I", head)[0]))


class Posts:
    def __init__(self):
        posts = self
        self.found = []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                posts.found.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_records_that_hold_ends_of_lines_go_from_sockets_and_http_to_sockets_http_and_files():
    port, frames, posts = free_port(), Frames(), Posts()
    with folder() as dir, Registry() as registry, socket.create_server(("127.0.0.1", 0)) as feed:
        file = write(dir, "all.yaml", f"""leat: 1
name: all
batch: {{ every: 20ms }}
checkpoint: {{ dir: {dir}/state }}
sources:
  framed:
    socket: {{ connect: "127.0.0.1:{feed.getsockname()[1]}", framing: length }}
    format: {{ avro: {{ {FRAMINGS["single_object"]} }} }}
  posted:
    http: {{ listen: "127.0.0.1:{port}", body: one }}
    format: {{ avro: {{ {FRAMINGS["raw"]} }} }}
streams:
  both:
    from: [framed, posted]
    ops: [ filter: true ]
sinks:
  sent:
    from: both
    socket: {{ connect: "{frames.address}", framing: length }}
    format: {{ avro: {{ {FRAMINGS["single_object"]} }} }}
  told:
    from: both
    http: {{ url: "{posts.url}", body: each }}
    format: {{ avro: {{ registry: "{registry.url}", subject: both-value, {SCHEMA} }} }}
  kept:
    from: both
    files: {{ path: "{dir}/out/{{file}}.avro" }}
    format: {{ avro: {{ {FRAMINGS["container"]}, codec: snappy }} }}
""")
        records = points(0) + points(20)
        with running(dir, file) as run:
            peer = feed.accept()[0]
            for r in points(0):
                peer.sendall(struct.pack(">I", len(single(r))) + single(r))
            for r in points(20):
                c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                c.request("POST", "/", single(r)[10:])
                assert c.getresponse().status == 204, run.said()
                c.close()
            wait_for("all of them everywhere", lambda: len(frames.found) >= 40 and len(posts.found) >= 40)
            assert run.stop() == 0, run.said()
        number = registry.subjects["both-value"]
        kept = []
        for path in pathlib.Path(dir, "out").glob("*.avro"):
            with open(path, "rb") as f:
                kept += list(fastavro().reader(f))
    assert sorted(frames.found) == sorted(map(single, records))
    assert sorted(posts.found) == sorted(framed(number, POINT, r) for r in records)
    assert sorted(kept, key=lambda r: r["x"]) == records


def test_single_objects_go_through_zeromq():
    needs_peer()
    records = [{"x": n, "label": f"p{n}"} for n in range(10, 40)]
    sent = [single(r) for r in records]
    assert not any(c in b"\t\n" for value in sent for c in value), "what the peer takes for ends"
    there, here = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
    with folder() as dir, open(pathlib.Path(dir, "got"), "wb") as got:
        avro = f"format: {{ avro: {{ {FRAMINGS['single_object']} }} }}"
        file = write(dir, "zmq.yaml", f"leat: 1\nname: zmq\nbatch: {{ every: 20ms }}\ncheckpoint: {{ dir: {dir}/state }}\n"
                     f"sources:\n  in:\n    zeromq: {{ bind: \"{there}\" }}\n    {avro}\n"
                     f"sinks:\n  out:\n    from: in\n    zeromq: {{ connect: \"{here}\" }}\n    {avro}\n")
        pull = subprocess.Popen([*PEER, "pull", "bind", here], stdin=subprocess.PIPE, stdout=got)
        try:
            with running(dir, file) as run:
                subprocess.run([*PEER, "push", "connect", there], input=b"".join(v + b"\n" for v in sent), check=True,
                               timeout=60)
                wait_for("the records", lambda: pathlib.Path(got.name).read_bytes() ==
                         b"ready\n" + b"".join(v + b"\n" for v in sent))
                assert run.stop() == 0, run.said()
        finally:
            pull.kill()
            pull.wait()


main(sys.modules[__name__])
