"""Tests that kill: how often, at moments drawn from a seed, and what was found, in one line."""
import collections
import os
import random
import time

FULL = bool(os.environ.get("LEAT_FULL"))


class Kills:
    """`few` of them, `many` with --full; LEAT_SEED gives the seed, which is printed."""

    def __init__(self, name, few, many):
        self.name, self.count = name, many if FULL else few
        self.seed = int(os.environ.get("LEAT_SEED") or time.time_ns() % 1_000_000)
        self.chance = random.Random(f"{self.seed}/{name}")
        print(f"{name}: seed {self.seed}, {self.count} kills", flush=True)

    def judge(self, acknowledged, got):
        """Nothing acknowledged may be missing in what was got; how often each of that came."""
        times = collections.Counter(got)
        lost = set(acknowledged) - set(times)
        again = sum(times.values()) - len(times)
        print(f"{self.name}: {len(set(acknowledged))} messages, {len(lost)} lost, {again} came again",
              flush=True)
        assert not lost, sorted(lost)[:5]
        return times
