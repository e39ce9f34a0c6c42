"""Starts leat and kills it with SIGKILL, over and over, and knows in which phase it was.

The first byte of the file that LEAT_TRACE_PHASE names is the phase of the job thread. Most moments are
random; for some the killer watches that byte and strikes while it names the phase that was hit least so
far, so that short phases have their share.
"""
import collections
import mmap
import pathlib
import random
import time

from kafka_test import Leat

PHASES = {"r": "running", "p": "preparing", "l": "logging", "c": "committing", "f": "finishing",
          "i": "waiting for input", "\0": "starting"}
MUST_BE_HIT = "rplcf"
AIM_SECONDS = 1.5
WORK_SECONDS = 60


class Killer:
    def __init__(self, file, seed, folder):
        self.file, self.chance = file, random.Random(seed)
        self.trace_path = pathlib.Path(folder) / "phase"
        self.trace_path.write_bytes(bytes(4096))
        with open(self.trace_path, "r+b") as trace:
            self.trace = mmap.mmap(trace.fileno(), 4096)
        self.hits = collections.Counter()

    def phase(self):
        return chr(self.trace[0])

    def check_alive(self, run):
        assert run.process.poll() is None, f"leat ended with {run.process.returncode}:\n{run.log}"

    def wait(self, run, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.check_alive(run)
            time.sleep(0.001)

    def wait_for_work(self, run):
        end = time.monotonic() + WORK_SECONDS
        while self.phase() not in MUST_BE_HIT:
            self.check_alive(run)
            assert time.monotonic() < end, f"leat does nothing for {WORK_SECONDS} s:\n{run.log}"
            time.sleep(0.001)

    def aim(self, run, phase):
        """Until the phase is the chosen one, watching closely: some take half a millisecond."""
        end = time.monotonic() + AIM_SECONDS
        trace, wanted = self.trace, ord(phase)
        while time.monotonic() < end:
            for _ in range(2000):
                if trace[0] == wanted:
                    return
            self.check_alive(run)

    def kill_once(self):
        chance = self.chance
        self.trace[0] = 0
        with Leat("run", self.file, env={"LEAT_TRACE_PHASE": str(self.trace_path)}) as run:
            if chance.random() < 0.3:
                # From the start, whatever it does by then: also while it recovers.
                self.wait(run, chance.uniform(0.05, 2))
            else:
                self.wait_for_work(run)
                self.wait(run, chance.uniform(0, 1) ** 2)
                if chance.random() < 0.7:
                    self.aim(run, min(MUST_BE_HIT, key=lambda c: (self.hits[c], chance.random())))
            run.process.kill()
            run.process.wait()
            self.hits[self.phase()] += 1

    def summary(self):
        return ", ".join(f"{self.hits[c]} while {words}" for c, words in PHASES.items()) + \
            "".join(f", {n} in phase {c!r}" for c, n in self.hits.items() if c not in PHASES)

    def empty_phases(self):
        return [PHASES[c] for c in MUST_BE_HIT if not self.hits[c]]
