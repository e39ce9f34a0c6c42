#!/usr/bin/env python3
"""The source `flume`, with Flume's own RPC client and a whole agent; and killed under load."""
import json
import os
import pathlib
import random
import signal
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from flume_test import Peer, certificates, fetched  # noqa: E402
from kafka_test import Leat  # noqa: E402
from leat_test import folder, free_port, leat, main, wait_for, write  # noqa: E402

DEFLATE = "compression-type=deflate"


def pipeline(dir, port, more="", batch="100ms", store="commit"):
    return write(dir, "flume.yaml", f"""leat: 1
name: flume
batch: {{ every: {batch} }}
checkpoint: {{ dir: {dir}/state }}
sources:
  in:
    flume: {{ listen: "127.0.0.1:{port}"{more} }}
    store: {store}
    format: json
streams:
  seen:
    from: in
    ops:
      - set: {{ host: 'meta.headers["host"]', header: 'meta.headers["id"]' }}
sinks:
  out:
    from: seen
    files: {{ path: "{dir}/out/{{file}}.jsonl" }}
    format: json
""")


def records(dir):
    """Of final files, in the order of batches; what is being written has a name with a dot."""
    files = [f for f in (pathlib.Path(dir) / "out").glob("*.jsonl") if f.name[0] != "."]
    files.sort(key=lambda f: [int(x, 16) for x in f.stem.split("-")])
    return [json.loads(line) for file in files
            for line in file.read_text().splitlines()]


def ids(dir):
    return sorted(r["id"] for r in records(dir))


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def run_client(port, *words):
    with Peer("client", "127.0.0.1", port, *words) as client:
        assert client.wait() == 0
        assert not [line for line in client.lines if line.startswith("failed")], client.lines
        return client.acked


def test_what_flumes_client_saw_acknowledged_is_in_the_output():
    fetched()
    with folder() as dir:
        port = free_port()
        with Leat("run", pipeline(dir, port)) as run:
            assert run_client(port, 0, 250, 100) == 249
            assert ids(dir) == list(range(250)), "each acknowledged one is visible at once"
            assert run_client(port, 250, 5, 1) == 254
            assert run_client(port, 255, 1000, 500, DEFLATE) == 1254
            assert [r["id"] for r in records(dir)] == list(range(1255)), "in their order, each once"
            assert all(r["host"] == "n1" and r["header"] == str(r["id"]) for r in records(dir))
            assert run.stop() == 0, run.log


def test_an_agents_events_arrive():
    fetched()
    for more in ((), (DEFLATE,)):
        with folder() as dir:
            port = free_port()
            with Leat("run", pipeline(dir, port)) as run, \
                    Peer("agent", "127.0.0.1", port, 1000, *more):
                wait_for("1000 events", lambda: len(set(ids(dir))) == 1000, 60)
                assert all(r["host"] == "a1" for r in records(dir))
                assert run.stop() == 0, run.log


def test_flumes_client_speaks_tls_with_and_without_compression():
    fetched()
    with folder() as dir:
        port = free_port()
        certificates(dir)
        tls = f", tls: {{ cert: {dir}/srv.crt, key: {dir}/srv.key }}"
        trust = ["ssl=true", f"truststore={dir}/trust.p12", "truststore-password=geheim-1",
                 "truststore-type=PKCS12"]
        with Leat("run", pipeline(dir, port, tls)) as run:
            assert run_client(port, 0, 250, 100, *trust) == 249
            assert run_client(port, 250, 250, 100, *trust, DEFLATE) == 499
            assert ids(dir) == list(range(500))
            with Peer("client", "127.0.0.1", port, 500, 10, 10):
                run.wait_log("it does not speak TLS")
            assert run.stop() == 0, run.log
        assert len(ids(dir)) == 500


def kill_under_load(store, batch):
    fetched()
    kills = 20 if os.environ.get("LEAT_FULL") else 3
    seed = int(os.environ.get("LEAT_SEED", random.randrange(1 << 30)))
    print(f"seed {seed}, {kills} kills")
    chance = random.Random(seed)
    with folder() as dir:
        port = free_port()
        file = pipeline(dir, port, batch=batch, store=store)
        count = 1_000_000  # more than there is time for
        with Peer("client", "127.0.0.1", port, 0, count, 50) as one, \
                Peer("client", "127.0.0.1", port, count, count, 1, DEFLATE) as two:
            for _ in range(kills):
                with Leat("run", file) as run:
                    before = one.acked, two.acked
                    more = chance.randrange(200, 3000)
                    wait_for("acknowledgements", lambda: one.acked > before[0] + more
                             and two.acked > before[1], 60)
                    run.kill()
            seen = one.acked, two.acked
            one.process.send_signal(signal.SIGKILL)
            two.process.send_signal(signal.SIGKILL)
        wanted = set(range(seen[0] + 1)) | set(range(count, seen[1] + 1))
        with Leat("run", file) as run:  # finishes what was committed and not yet shown
            wait_for("leat", lambda: listens(port))
            if store == "disk":
                wait_for("what is in the store", lambda: not wanted - set(ids(dir)), 60)
            assert run.stop() == 0, run.log
        found = set(ids(dir))
        print(f"{len(wanted)} acknowledged, {len(records(dir)) - len(found)} twice, store: {store}")
        assert len(wanted) > 200 * kills
        assert not wanted - found, f"seed {seed}: lost {sorted(wanted - found)[:20]}"


def test_killed_under_load_every_acknowledged_event_is_in_the_output():
    kill_under_load("commit", "20ms")


def test_killed_under_load_with_a_store_every_acknowledged_event_is_in_the_output():
    kill_under_load("disk", "300ms")


def test_wrong_settings_are_told_by_check():
    with folder() as dir:
        for more, says in ((", max_frame: 1MiB, buffers: 1KiB", "at least max_frame"),
                           (", idle: 5", "unit"), (", tls: { cert: a }", "key"),
                           (", port: 1", "unknown")):
            code, _, err = leat("check", pipeline(dir, 4141, more))
            assert code == 78 and says in err, err


main(sys.modules[__name__])
