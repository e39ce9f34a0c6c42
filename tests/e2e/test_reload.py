#!/usr/bin/env python3
"""Exactly once over reloads, on a real Kafka: versions come and go while records flow, and every
record counts once; and the lag that /metrics names is the broker's."""
import contextlib
import json
import pathlib
import signal
import sys
import threading
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import job, to_topic  # noqa: E402
from kafka_test import Broker, Leat  # noqa: E402
from leat_test import folder, free_port, main, wait_for  # noqa: E402

BROKER = Broker()
RELOADS = 8
COUNTING = """      - key_by: k
      - map_with_state:
          init: { seen: 0 }
          update: { seen: state.seen + 1 }
          emit: { n: n, k: key, seen: state.seen, version: VERSION }
"""


def version(dir, number, more=""):
    return job(dir, "over", BROKER.address, "topic: over.in, start: earliest", to_topic("over.out"),
               COUNTING.replace("VERSION", str(number)), more="delivery: exactly_once\n" + more)


class Flow(threading.Thread):
    """Numbered records into both partitions until it is stopped."""

    def __init__(self):
        super().__init__(daemon=True)
        self.sent, self.stopping = 0, False
        self.start()

    def run(self):
        while not self.stopping:
            for part in (0, 1):
                BROKER.produce("over.in", [json.dumps({"n": n, "k": f"k{n % 5}"})
                                           for n in range(self.sent, self.sent + 50)], part)
                self.sent += 50

    def end(self):
        self.stopping = True
        self.join(60)
        assert not self.is_alive()
        return self.sent


def commits(count):
    """So many are seen; more than the version that is on its way out has under way."""
    seen = set()

    def enough():
        seen.add(tuple(c[0] for c in BROKER.committed("over", "over.in", 2).values()))
        return len(seen) > count
    wait_for(f"{count} commits", enough)


def outputs():
    return [json.loads(v) for v in BROKER.values("over.out")]


def test_reloads_while_records_flow_lose_none_double_none_and_keep_what_was_counted():
    BROKER.topic("over.in", 2)
    BROKER.topic("over.out", 2)
    with folder() as dir:
        file = version(dir, 0)
        with Leat("run", file, cwd=dir) as run:
            flow = Flow()
            for number in range(1, RELOADS + 1):
                commits(4)
                version(dir, number)
                run.signal(signal.SIGHUP)
                wait_for(f"reload {number}", lambda: run.log.count("reloaded: 0 new, 1 changed") == number)
            commits(4)
            sent = flow.end()
            wait_for("all records", lambda: sum(
                c[0] for c in BROKER.committed("over", "over.in", 2).values()) == sent, 60)
            assert run.stop() == 0, run.log
    found = outputs()
    assert sorted(v["n"] for v in found) == list(range(sent)), "every record once"
    assert {v["version"] for v in found} == set(range(RELOADS + 1)), "every version has run"
    for k in range(5):
        seen = sorted(v["seen"] for v in found if v["k"] == f"k{k}")
        assert seen == list(range(1, len(seen) + 1)), "the count goes on from version to version"


def of_partitions(port, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()
    return {line.split('partition="')[1].split('"')[0]: float(line.split()[-1])
            for line in lines if line.startswith(f"leat_partition_{name}{{")}


def test_metrics_names_the_lag_of_every_partition():
    BROKER.topic("lag.in", 2)
    BROKER.topic("lag.out")
    BROKER.produce("lag.in", [json.dumps({"n": n}) for n in range(300)], 0)
    BROKER.produce("lag.in", [json.dumps({"n": n}) for n in range(70)], 1)
    port = free_port()
    with folder() as dir:
        file = job(dir, "lag", BROKER.address, "topic: lag.in, start: earliest", to_topic("lag.out"),
                   more=f'http: {{ listen: "127.0.0.1:{port}" }}')

        def shows(name, first, second):
            return run.process.poll() is None and "listening" in run.log and of_partitions(port, name) == {
                "lag.in/0": first, "lag.in/1": second}
        # It is there for seconds, until the records are read: on a machine that lets nobody look then, once more.
        for last in [False] * 9 + [True]:
            with Leat("run", file, "--set", "batch.every=1h", cwd=dir) as run:
                with contextlib.nullcontext() if last else contextlib.suppress(AssertionError):
                    wait_for("the lag", lambda: shows("lag", 300, 70), 10)
                    break
        with Leat("run", file, cwd=dir) as run:
            wait_for("no lag", lambda: shows("lag", 0, 0) and shows("position", 300, 70))
            wait_for("the records", lambda: len(BROKER.records("lag.out")) == 370)
            assert run.stop() == 0, run.log


main(sys.modules[__name__])
