"""A real Kafka for end-to-end tests, and leat as a child process beside it.

    BROKER = Broker()              started by the first test that asks for its address, stopped at exit
    with Leat("run", file) as leat:
        leat.wait_log("waiting")

Where Kafka cannot be had tests are skipped, or fail when LEAT_REQUIRE_BROKERS is set.
"""
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
import time

from kafka_wire import COORDINATOR_COMES, KafkaError, Wire
from leat_test import LEAT, ROOT, wait_for
from service import Service

TOPIC_EXISTS, NO_LEADER, NOT_LEADER, NO_TOPIC = 36, 5, 6, 3
T0 = (int(time.time()) - 3600) * 1000  # of records: an older one would be past its retention


class Broker(Service):
    script = "kafka"

    def missing(self):
        for tool in ("kcat", "java"):
            if not shutil.which(tool):
                return f"{tool} is not installed"
        return None

    def wire(self, what):
        """One request on a connection of its own, again while the broker is getting ready."""
        self.up()

        def once():
            wire = None
            try:
                wire = Wire(self.address)
                return (what(wire),)
            except (OSError, KafkaError) as why:
                if isinstance(why, KafkaError) and why.code not in (
                        NO_LEADER, NOT_LEADER, NO_TOPIC, *COORDINATOR_COMES):
                    raise
                return None
            finally:
                if wire:
                    wire.close()
        return wait_for("an answer of the broker", once)[0]

    def topic(self, name, partitions=1, **config):
        self.wire(lambda w: w.create_topic(name, partitions, config))
        wait_for(f"topic {name}", lambda: f'"{name}" with {partitions}' in self.kcat("-L", "-t", name))
        return name

    def delete_topic(self, name):
        self.wire(lambda w: w.delete_topic(name))

    def delete_records(self, topic, partition, before):
        self.wire(lambda w: w.delete_records(topic, partition, before))

    def produce(self, topic, records, partition=0):
        """Records: values, (key, value), (key, value, time), (key, value, time, headers)."""
        full = []
        for r in records:
            r = r if isinstance(r, tuple) else (None, r)
            key, value, time_ms, headers = (*r, *(T0, [])[len(r) - 2:])
            full.append((key, value, time_ms, headers))
        for i in range(0, len(full), 5000):
            self.wire(lambda w: w.produce(topic, partition, full[i:i + 5000]))

    def produce_lines(self, topic, lines, *words):
        subprocess.run(["kcat", "-b", self.address, "-P", "-t", topic, *words], check=True,
                       input="".join(line + "\n" for line in lines), text=True, timeout=60)

    def kcat_bytes(self, *words):
        return subprocess.run(["kcat", "-b", self.address, *words], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=60, check=False).stdout

    def kcat(self, *words):
        return self.kcat_bytes(*words).decode()

    def raw_values(self, topic):
        """Of all records: bytes."""
        out, values = self.kcat_bytes("-C", "-q", "-e", "-o", "beginning", "-t", topic, "-f", "%R%s"), []
        while out:
            end = 4 + int.from_bytes(out[:4], "big", signed=True)
            values.append(out[4:end])
            out = out[end:]
        return values

    def records(self, topic):
        """All there is: dicts with partition, offset, ts, key, payload, headers (a flat list)."""
        out = self.kcat("-C", "-q", "-J", "-e", "-o", "beginning", "-t", topic,
                        "-X", "isolation.level=read_committed")
        return [json.loads(line) for line in out.splitlines()]

    def values(self, topic):
        return [r["payload"] for r in self.records(topic)]

    def committed(self, job, topic, partitions=1):
        return self.wire(lambda w: w.committed("leat-" + job, topic, partitions))

    def commit(self, job, topic, positions):
        self.wire(lambda w: w.commit("leat-" + job, topic, positions))


class Cluster(Broker):
    """Three of them; kcat and leat talk to all, and one can be killed."""
    script = "kafka_cluster"

    def node(self, verb, number):
        done = subprocess.run([ROOT / "tests/broker/kafka", verb, self.file(str(number))],
                              capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr

    def partition(self, topic):
        """Of its only one: (leader, copies, those in step), numbers of nodes; None while it has no leader."""
        told = json.loads(self.kcat("-L", "-J", "-t", topic) or "{}")
        found = [p for t in told.get("topics", []) if t["topic"] == topic for p in t["partitions"]]
        if not found or found[0]["leader"] < 1:
            return None
        ids = lambda name: {one["id"] for one in found[0][name]}  # noqa: E731
        return found[0]["leader"], ids("replicas"), ids("isrs")


class Leat:
    """A running leat. Leaving the block kills it if it still runs."""

    def __init__(self, *words, cwd=None, env=None, limit=None):
        self.folder = tempfile.mkdtemp(prefix="leat-run-")
        self.out_path = pathlib.Path(self.folder) / "out"
        self.log_path = pathlib.Path(self.folder) / "log"
        with open(self.out_path, "wb") as out, open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [LEAT, *map(str, words)], cwd=cwd or self.folder, stdout=out, stderr=log,
                stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})},
                preexec_fn=limit)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if kind:
            print(f"--- what leat wrote ({self.process.returncode}):\n{self.log[-4000:]}")
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    @property
    def out(self):
        return self.out_path.read_text(errors="replace")

    def wait_log(self, words, seconds=120, times=1):
        def there():
            ended = self.process.poll() is not None
            said = self.log.count(words) >= times
            assert said or not ended, \
                f"leat ended with {self.process.returncode} before it said '{words}'"
            return said
        wait_for(f"'{words}' in the log", there, seconds)

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, seconds=120):
        return self.process.wait(seconds)

    def stop(self, seconds=60):
        """SIGTERM, as docker does: the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def file_size_limit(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
