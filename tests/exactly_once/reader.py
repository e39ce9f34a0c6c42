"""Readers of what leat wrote: of topics, in a process of their own, and of final files."""
import collections
import gzip
import hashlib
import json
import pathlib
import pickle
import re
import select
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from checker import Checker  # noqa: E402
from kafka_client import client  # noqa: E402
from pypi import fastavro  # noqa: E402


class Topics:
    """Reads topics from their beginning. `topics` maps the sink's name to its topic."""

    def __init__(self, address, topics, isolation, checker=None):
        kafka = client()
        self.sinks = {topic: sink for sink, topic in topics.items()}
        self.checker = checker
        self.end_of_partition = kafka.KafkaError._PARTITION_EOF
        self.consumer = kafka.Consumer({
            "bootstrap.servers": address, "group.id": "checker", "enable.auto.commit": False,
            "auto.offset.reset": "error", "isolation.level": isolation,
            "enable.partition.eof": True, "fetch.wait.max.ms": 50, "check.crcs": True})
        known = self.consumer.list_topics(timeout=30).topics
        self.partitions = [kafka.TopicPartition(topic, p, 0) for topic in self.sinks
                           for p in known[topic].partitions]
        self.consumer.assign(self.partitions)
        self.digests = {(t.topic, t.partition): hashlib.blake2b() for t in self.partitions}
        self.count = collections.Counter()
        self.ended_at = {}

    def read(self, seconds):
        for message in self.consumer.consume(2000, seconds):
            where = message.topic(), message.partition()
            error = message.error()
            if error and error.code() == self.end_of_partition:
                self.ended_at[where] = message.offset()
            elif error:
                # A broker that is being killed is not what is judged here.
                assert error.retriable() or not error.fatal(), str(error)
            else:
                self.take(where, message)

    def take(self, where, message):
        sink, value = self.sinks[where[0]], message.value()
        self.count[sink] += 1
        self.digests[where].update(struct.pack(">qi", message.offset(), len(value)) + value)
        if self.checker:
            self.checker.add(sink, json.loads(value))

    def read_to_end(self):
        """To what is the end now; for read_committed that is where the first open transaction begins."""
        for t in self.partitions:
            end = self.consumer.get_watermark_offsets(t, timeout=30)[1]
            while end and self.ended_at.get((t.topic, t.partition), -1) < end:
                self.read(0.2)

    def digest(self):
        return {where: digest.hexdigest() for where, digest in sorted(self.digests.items())}

    def close(self):
        self.consumer.close()


def follow(address, isolation, batches, *topics):
    """A process: reads on and on; once standard input says up to where (seed, written, start_ms), it
    reads to the end and tells what it saw, pickled."""
    reader = Topics(address, dict(t.split("=") for t in topics), isolation)
    reader.checker = Checker(list(reader.sinks.values()), batches == "batches")
    while not select.select([sys.stdin], [], [], 0)[0]:
        reader.read(0.2)
    told = json.loads(sys.stdin.readline())
    reader.read_to_end()
    findings = reader.checker.finish(*told)
    sys.stdout.buffer.write(pickle.dumps((reader.count, reader.digest(), findings)))
    reader.close()


class Follower:
    """follow() as a child. finish() gives (records per sink, digest per partition, findings)."""

    def __init__(self, address, topics, batches=True):
        self.process = subprocess.Popen(
            [sys.executable, __file__, address, "read_committed", "batches" if batches else "-",
             *(f"{sink}={topic}" for sink, topic in topics.items())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def finish(self, seed, written, start_ms, seconds=600):
        told = json.dumps([seed, written, start_ms]) + "\n"
        answer, _ = self.process.communicate(told.encode(), seconds)
        assert self.process.returncode == 0, "the checker failed"
        return pickle.loads(answer)

    def stop(self):
        self.process.kill()
        self.process.wait()


def batch_of(path):
    """Their names end in <slot>-<epoch>-<batch>-<count>: those of a batch come behind earlier ones'."""
    _, _, batch, count = re.search(r"(\d+)-(\d+)-(\d{12})-(\d+)", path.name).groups()
    return int(batch), int(count)


def final_files(folder):
    """In the order in which they were written; hidden ones are not final."""
    return sorted((p for p in pathlib.Path(folder).rglob("*")
                   if p.is_file() and not p.name.startswith(".")), key=batch_of)


def hidden_files(folder):
    return [p for p in pathlib.Path(folder).rglob("*") if p.is_file() and p.name.startswith(".")]


def contents(path):
    """Lines, of records in Avro as well."""
    if path.suffix == ".avro":
        with open(path, "rb") as f:
            return b"".join(json.dumps(record).encode() + b"\n" for record in fastavro().reader(f))
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


if __name__ == "__main__":
    follow(*sys.argv[1:])
