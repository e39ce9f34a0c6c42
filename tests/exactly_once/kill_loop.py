#!/usr/bin/env python3
"""kill -9, over and over, while a ledger is written; then the output is checked by other means.

    tests/exactly_once/kill_loop.py --kills 1000 --seed 7      Kafka to Kafka
        --from topic|files   where the ledger is read from
        --to topics|files|both
        --copies jsonl|avro   as what copies are in files: lines or Avro's containers
        --delivery at_least_once      to see the checker find what is doubled
        --commit 200ms                several batches share a transaction
        --rate 4000                   records per second
        --restart-broker 50           also kill -9 the broker every so many kills

Prints the seed, in which phases the kills fell, and what was found: nothing, or exit code 1.
"""
import argparse
import json
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import job  # noqa: E402
from checker import Checker  # noqa: E402
from kafka_test import Broker  # noqa: E402
from kills import Killer  # noqa: E402
from leat_test import folder, leat  # noqa: E402
from ledger import PARTITIONS, START_MS, FileLedger, TopicLedger  # noqa: E402
from reader import Follower, Topics, contents, final_files, hidden_files  # noqa: E402

BRANCHES = ["copies", "balances", "windows"]


def options(words):
    parser = argparse.ArgumentParser(description="Kills leat and checks what it wrote.")
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--from", dest="source", choices=["topic", "files"], default="topic")
    parser.add_argument("--to", choices=["topics", "files", "both"], default="topics")
    parser.add_argument("--copies", choices=["jsonl", "avro"], default="jsonl")
    parser.add_argument("--delivery", default="exactly_once")
    parser.add_argument("--commit", default="")
    parser.add_argument("--rate", type=int, default=3000)
    parser.add_argument("--restart-broker", type=int, default=0)
    parser.add_argument("--branches", nargs="+", choices=BRANCHES, default=BRANCHES)
    return parser.parse_args(words)


class Loop:
    """`config` are settings of the topics."""

    def __init__(self, broker, dir, name, options, config=None):
        self.broker, self.name, self.options, self.config = broker, name, options, config or {}
        self.dir = pathlib.Path(dir)
        self.address = broker.address if broker else ""
        # Into files alone goes what does not depend on how batches are cut, so that bytes compare.
        self.compares = options.to == "files"
        self.ledger = self.follower = None
        self.aborted = 0

    def topic(self, branch):
        return f"{self.name}.{branch}"

    def folder(self, branch, run="out"):
        return self.dir / run / branch

    def places(self, run="out"):
        o = self.options
        places = {branch: [] for branch in o.branches}
        for branch in o.branches:
            if o.to in ("topics", "both"):
                places[branch].append(job.kafka(self.topic(branch)))
            if o.to in ("files", "both"):
                rolled = "every: 400ms, size: 64KiB" if branch == "copies" else ""
                extension = "jsonl.gz" if branch == "balances" else "jsonl"
                place = job.files(self.folder(branch, run), rolled, extension)
                if branch == "copies" and o.copies == "avro":
                    place = job.avro_files(self.folder(branch, run), rolled)
                places[branch].append(place)
        return places

    def write_job(self, name, places):
        o = self.options
        source = job.kafka_source(self.topic("ledger")) if o.source == "topic" else \
            job.files_source(self.dir)
        more = f"commit: {{ every: {o.commit} }}\n" if o.commit else ""
        more += "partitions: 1\n" if self.compares else ""
        return job.write_job(self.dir, name, source, places, self.address, o.delivery,
                             "every: 50ms, max_records: 2000", more, "", not self.compares)

    def begin(self):
        o = self.options
        if o.source == "topic":
            self.broker.topic(self.topic("ledger"), 1 if self.compares else PARTITIONS,
                              **self.config)
            self.ledger = TopicLedger(self.address, self.topic("ledger"), self.compares, o.seed, o.rate)
        else:
            self.ledger = FileLedger(self.dir, o.seed, o.rate)
        if o.to != "files":
            self.topics = {b: self.broker.topic(self.topic(b), 2, **self.config) for b in o.branches}
            self.follower = Follower(self.address, self.topics)
        self.file = self.write_job(self.name, self.places())
        self.killer = Killer(self.file, o.seed, self.dir)
        self.ledger.start()

    def look_at_files(self, seen):
        """What is final is whole and never changes."""
        for path in final_files(self.dir / "out"):
            if path not in seen:
                seen[path] = path.stat()
                if path.suffix == ".jsonl":
                    text = path.read_bytes()
                    assert not text or text.endswith(b"\n"), f"{path} is cut"
                elif path.suffix == ".avro":
                    assert contents(path), f"{path} has no records"
            was, now = seen[path], path.stat()
            assert (was.st_size, was.st_mtime_ns) == (now.st_size, now.st_mtime_ns), f"{path} changed"

    def kill(self):
        o, seen = self.options, {}
        for i in range(o.kills):
            self.killer.kill_once()
            if o.to != "topics":
                self.look_at_files(seen)
            if o.restart_broker and i % o.restart_broker == o.restart_broker - 1:
                self.broker.restart()
            if i % 50 == 49:
                print(f"{i + 1} kills: {self.killer.summary()}", flush=True)

    def end(self):
        """The findings."""
        o = self.options
        written = self.ledger.stop()
        code, _, err = leat("run", self.file, "--until", "caught_up", timeout=600)
        assert code == 0, f"the last run ended with {code}:\n{err[-4000:]}"
        told = o.seed, written, START_MS
        print(f"seed {o.seed}: {o.kills} kills: {self.killer.summary()}; "
              f"{written * PARTITIONS} records", flush=True)
        if o.to != "files":
            self.check_topics(told)
        if o.to != "topics":
            self.check_files(told)

    def close(self):
        if self.ledger:
            self.ledger.told_to_stop.set()
        if self.follower:
            self.follower.stop()

    def check_topics(self, told):
        count, digest, findings = self.follower.finish(*told)
        assert not findings.count, f"the reader beside it found {findings}"
        last = Topics(self.address, self.topics, "read_committed", Checker(self.topics))
        last.read_to_end()
        findings = last.checker.finish(*told)
        assert not findings.count, f"the reader afterwards found {findings}"
        assert (last.count, last.digest()) == (count, digest), "two readers read different things"
        last.close()
        everything = Topics(self.address, self.topics, "read_uncommitted")
        everything.read_to_end()
        self.aborted = sum(everything.count.values()) - sum(count.values())
        everything.close()
        assert self.aborted >= 0
        print(f"topics: {dict(count)}; {self.aborted} more are of aborted transactions and stay "
              "invisible", flush=True)

    def read_files(self, run):
        """The lines of each branch, in order."""
        text = {}
        for branch in self.options.branches:
            files = final_files(self.folder(branch, run))
            text[branch] = b"".join(contents(path) for path in files)
        return text

    def check_files(self, told):
        left = hidden_files(self.dir / "out")
        assert not left, f"temporary files are left: {left}"
        checker = Checker(self.options.branches, not self.compares)
        found = self.read_files("out")
        for branch, text in found.items():
            for line in text.splitlines():
                checker.add(branch, json.loads(line))
        findings = checker.finish(*told)
        assert not findings.count, f"in files: {findings}"
        print(f"files: {dict(checker.records)} in {len(final_files(self.dir / 'out'))} files", flush=True)
        if self.compares:
            clean = self.write_job(self.name + "-clean", self.places("clean"))
            code, _, err = leat("run", clean, "--until", "caught_up", timeout=600)
            assert code == 0, err
            for branch, text in self.read_files("clean").items():
                if branch == "windows":  # in which order accounts come is up to the batch that ends them
                    text, found[branch] = sorted(text.splitlines()), sorted(found[branch].splitlines())
                assert text == found[branch], f"{branch}: other bytes than those of a run without kills"


def run(broker, name, words):
    """Raises AssertionError with what is wrong. The loop, for who wants to know more."""
    with folder() as dir:
        loop = Loop(broker, dir, name, options(words))
        try:
            loop.begin()
            loop.kill()
            loop.end()
        except AssertionError as why:
            raise AssertionError(f"seed {loop.options.seed}: {why}") from None
        finally:
            loop.close()
        return loop


def main(words):
    o = options(words)
    broker = None if (o.source, o.to) == ("files", "files") else Broker().start()
    loop = run(broker, "ledger", words)
    empty = loop.killer.empty_phases()
    print(f"nothing is lost, nothing doubled; never killed while: {', '.join(empty) or '-'}")


if __name__ == "__main__":
    main(sys.argv[1:])
