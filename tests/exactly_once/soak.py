#!/usr/bin/env python3
"""For as long as you like: leat at a steady rate with a kill -9 now and then. Memory, descriptors, threads
and the state directory must stay flat, and the checker that reads along must find nothing.

    tests/exactly_once/soak.py --minutes 60 --kill-every 60 --rate 4000 --seed 7

A line per life of leat, a summary at the end; exit code 1 when something is not flat or not right.
"""
import argparse
import os
import pathlib
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import kill_loop  # noqa: E402
from kafka_test import Broker, Leat  # noqa: E402
from leat_test import folder, leat  # noqa: E402
from ledger import START_MS  # noqa: E402

# What the broker keeps is not what is measured, and the reader beside the loop has seen it.
KEPT = {"retention.bytes": 128 << 20, "segment.bytes": 32 << 20}
WARM_SECONDS = 15  # of a life: recovery, first batches


def options(words):
    parser = argparse.ArgumentParser(description="Runs leat for long and looks at what it takes.")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--kill-every", type=float, default=60, help="seconds")
    parser.add_argument("--rate", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    return parser.parse_args(words)


def folder_bytes(path):
    total = 0
    for place, _, names in os.walk(path):
        for name in names:
            try:
                total += os.stat(os.path.join(place, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def look(run, state):
    """(resident KiB, descriptors, threads, KiB of state)"""
    process = pathlib.Path(f"/proc/{run.process.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    return (int(status["VmRSS"].split()[0]), len(os.listdir(process / "fd")),
            int(status["Threads"]), folder_bytes(state) // 1024)


NAMES = ["resident KiB", "descriptors", "threads", "KiB of state"]
SLACK = [4096, 2, 1, 20480]  # by which the last quarter may be above the second
# The log grows to 16 MiB before its older part can go: of it peaks are compared.
MIDDLE = [statistics.median, statistics.median, statistics.median, max]


class Soak:
    def __init__(self, loop, o):
        self.loop, self.o = loop, o
        self.state = loop.dir / f"state-{loop.name}"
        self.samples = []
        self.lives = 0

    def life(self, end):
        """One life of leat; samples once it is warm."""
        begun, last = time.monotonic(), None
        with Leat("run", self.loop.file) as run:
            while time.monotonic() < min(end, begun + self.o.kill_every):
                time.sleep(1)
                assert run.process.poll() is None, f"leat ended with {run.process.returncode}:\n{run.log}"
                last = look(run, self.state)
                if time.monotonic() - begun > min(WARM_SECONDS, self.o.kill_every / 2):
                    self.samples.append(last)
            run.process.kill()
            run.process.wait()
        self.lives += 1
        print(f"life {self.lives}: " + ", ".join(f"{v} {n}" for v, n in zip(last, NAMES)), flush=True)

    def not_flat(self):
        quarter = len(self.samples) // 4
        wrong = []
        for i, name in enumerate(NAMES):
            early = MIDDLE[i](s[i] for s in self.samples[quarter:2 * quarter])
            late = MIDDLE[i](s[i] for s in self.samples[-quarter:])
            most = max(s[i] for s in self.samples)
            print(f"{name}: {early:.0f} in the second quarter, {late:.0f} in the last, {most} at most")
            if late > early + SLACK[i] + early * 0.05:
                wrong.append(name)
        return wrong


def main(words):
    o = options(words)
    broker = Broker("--memory", "256m", "log.retention.check.interval.ms=10000").start()
    with folder() as dir:
        loop = kill_loop.Loop(broker, dir, "soak", kill_loop.options(
            ["--seed", str(o.seed), "--rate", str(o.rate), "--kills", "0"]), KEPT)
        soak = Soak(loop, o)
        loop.begin()
        try:
            end = time.monotonic() + o.minutes * 60
            while time.monotonic() < end:
                soak.life(end)
            written = loop.ledger.stop()
            code, _, err = leat("run", loop.file, "--until", "caught_up", timeout=600)
            assert code == 0, err
            count, _, findings = loop.follower.finish(o.seed, written, START_MS)
        finally:
            loop.close()
    wrong = soak.not_flat()
    print(f"seed {o.seed}, {o.minutes:g} minutes, {o.rate} records a second, {soak.lives} lives, "
          f"records: {dict(count)}; found: {findings}; not flat: {', '.join(wrong) or '-'}")
    sys.exit(1 if findings.count or wrong else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
