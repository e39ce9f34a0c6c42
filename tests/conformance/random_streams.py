#!/usr/bin/env python3
"""Random pipelines of DStream operators: what the C library gives is what a few lines of Python say.

random_streams.py [SEED [CASES]], with the build folder in LEAT_BUILD. The model knows nothing of panes, state or
partitions: a stream is the list of its batches, a window the concatenation of the last ones.
"""
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

BATCHES = 7
FILLED = BATCHES - 2  # the last ones are empty, so that windows run out
ROWS_MOST = 1500
JOINS = {"join": (False, False), "leftOuterJoin": (True, False), "rightOuterJoin": (False, True),
         "fullOuterJoin": (True, True)}
OF_VALUES = {
    "plus2": ("map", lambda v: [v + 2]), "isEven": ("filter", lambda v: [v] if v % 2 == 0 else []),
    "xAnd2x": ("flatMap", lambda v: [v, 2 * v]), "pairWithOne": ("map", lambda v: [(v, 1)])}
OF_PAIRS = {
    "plus10": ("mapValues", lambda p: [(p[0], p[1] + 10)]),
    "vAndVplus10": ("flatMapValues", lambda p: [(p[0], p[1]), (p[0], p[1] + 10)]),
    "second": ("map", lambda p: [p[1]])}


def sums(pairs):
    """Per key, in a list of pairs."""
    by_key = collections.Counter()
    for key, value in pairs:
        by_key[key] += value
    return by_key


def window(batches, length):
    """What the window of so many batches holds that ends with each batch."""
    return [sum(batches[max(0, t - length + 1):t + 1], []) for t in range(BATCHES)]


def seen_until(batches):
    """Of each batch the elements that were there so far."""
    return [sum(batches[:t + 1], []) for t in range(BATCHES)]


class Stream:
    """Batches, and the stages that make them of a source."""

    def __init__(self, rng, sources, may_meet=True):
        self.rng, self.sources, self.may_meet = rng, sources, may_meet
        self.source = rng.choice(sorted(sources))
        self.batches = [list(batch) for batch in sources[self.source]]
        self.stages = []
        self.pairs = self.joined = False

    def put(self, op, batches, pairs, **more):
        self.stages.append({"op": op, **more})
        self.batches, self.pairs = batches, pairs

    def other(self):
        return Stream(self.rng, self.sources, False).grow(3)

    def element_by_element(self):
        functions = OF_PAIRS if self.pairs else OF_VALUES
        fn = self.rng.choice(sorted(functions))
        op, call = functions[fn]
        made = [sum((call(e) for e in batch), []) for batch in self.batches]
        self.put(op, made, fn == "pairWithOne" or (self.pairs and fn != "second"), fn=fn)

    def whole_batches(self):
        op = self.rng.choice(["count", "repartition"] + (["reduceByKey"] if self.pairs
                                                         else ["reduce", "countByValue"]))
        if op == "count":
            self.put(op, [[len(batch)] for batch in self.batches], False)
        elif op == "repartition":
            self.put(op, self.batches, self.pairs, n=self.rng.randint(1, 5))
        elif op == "reduceByKey":
            self.put(op, [list(sums(b).items()) for b in self.batches], True, fn="add")
        elif op == "reduce":
            self.put(op, [[sum(b)] if b else [] for b in self.batches], False, fn="add")
        else:
            self.put(op, [list(collections.Counter(b).items()) for b in self.batches], True)

    def windows(self):
        length = self.rng.randint(1, 4)
        size = {"window_ms": 1000 * length, "slide_ms": 1000}
        held, seen = window(self.batches, length), seen_until(self.batches)
        op = self.rng.choice(["window", "countByWindow", "by value or key", "reduce"])
        if op == "window":
            self.put(op, held, self.pairs, **size)
        elif op == "countByWindow":
            self.put(op, [[len(h)] if s else [] for h, s in zip(held, seen)], False, **size)
        elif self.pairs:
            self.reduce_by_key_and_window(held, seen, size)
        elif op == "reduce" and self.rng.random() < 0.5:
            made = [[sum(h)] if s else [] for h, s in zip(held, seen)]
            self.put("reduceByWindow", made, False, fn="add", inv="sub", **size)
        elif op == "reduce":
            self.put("reduceByWindow", [[sum(h)] if h else [] for h in held], False, fn="add", **size)
        else:
            made = [list(collections.Counter(h).items()) for h in held]
            self.put("countByValueAndWindow", made, True, **size)

    def reduce_by_key_and_window(self, held, seen, size):
        how = self.rng.choice([{}, {"inv": "sub"}, {"inv": "sub", "filter": "valueNonZero"}])
        made = [list(sums(h).items()) for h in held]
        if how:
            made = [[(k, sums(h)[k]) for k in sums(s)] for h, s in zip(held, seen)]
        if "filter" in how:
            made = [[(k, v) for k, v in batch if v != 0] for batch in made]
        self.put("reduceByKeyAndWindow", made, True, fn="add", **how, **size)

    def last_window(self):
        """A window that slides by several batches, also by more than its length."""
        length, slide = self.rng.randint(1, 4), self.rng.randint(2, 3)
        size = {"window_ms": 1000 * length, "slide_ms": 1000 * slide}
        ends = range(slide - 1, BATCHES, slide)
        held = [window(self.batches, length)[t] for t in ends]
        seen = [sum(held[:i + 1], []) for i in range(len(held))]
        if self.pairs:
            self.reduce_by_key_and_window(held, seen, size)
        elif self.rng.random() < 0.5:
            self.put("countByWindow", [[len(h)] if s else [] for h, s in zip(held, seen)], False, **size)
        else:
            self.put("window", held, False, **size)
        return [1000 * (t + 1) for t in ends]

    def state(self):
        made = [list(sums(seen).items()) for seen in seen_until(self.batches)]
        self.put("updateStateByKey", made, True, fn="runningSum")

    def meet(self):
        other = self.other()
        where = {"source": other.source, "stages": other.stages}
        if other.pairs == self.pairs and self.rng.random() < 0.5:
            self.put("union", [a + b for a, b in zip(self.batches, other.batches)], self.pairs, other=where)
        elif other.pairs and self.pairs:
            op = self.rng.choice(sorted(JOINS))
            made = [join(a, b, *JOINS[op]) for a, b in zip(self.batches, other.batches)]
            self.put(op, made, True, other=where)
            self.joined = True

    def grow(self, most):
        for _ in range(self.rng.randint(0, most)):
            if self.joined or sum(map(len, self.batches)) > ROWS_MOST:
                break  # what a join gives is looked at as it is: its values are lists
            steps = [self.element_by_element, self.element_by_element, self.whole_batches, self.windows]
            steps += [self.state] if self.pairs else []
            steps += [self.meet, self.meet] if self.may_meet else []
            self.rng.choice(steps)()
        return self


def join(left, right, keeps_left, keeps_right):
    """Pairs of the values of each key; an outer join has null where there is none."""
    sides = collections.defaultdict(lambda: ([], []))
    for side, pairs in enumerate((left, right)):
        for key, value in pairs:
            sides[key][side].append(value)
    return [(key, [a, b]) for key, (x, y) in sides.items()
            for a in (x or ([None] if keeps_right else [])) for b in (y or ([None] if keeps_left else []))]


def sources_of(rng):
    def batch():
        return [rng.randint(-2, 4) for _ in range(rng.choice([0, 0, 1, 2, 4]))]
    return {name: [batch() for _ in range(FILLED)] + [[], []] for name in ("in", "in2")}


def case(rng, number):
    sources = sources_of(rng)
    stream = Stream(rng, sources).grow(6)
    times = [1000 * (t + 1) for t in range(BATCHES)]
    if not stream.joined and rng.random() < 0.3:
        times = stream.last_window()
    stages = json.dumps(stream.stages)
    first, second = "in", "in2"
    if stream.source == "in2":  # a case begins with "in"
        first, second = second, first
        swapped = {'"in"': '"in2"', '"in2"': '"in"'}
        stages = '"source": '.join(
            part if i == 0 else swapped[part.split(",")[0]] + part[len(part.split(",")[0]):]
            for i, part in enumerate(stages.split('"source": ')))
    params = {"batch_ms": 1000, "inputPartitions": rng.randint(1, 4)}
    return {"id": f"{number}: {stages}", "kind": "dstream", "params": params,
            "pipeline": json.loads(stages), "input": sources[first], "input2": sources[second],
            "expected": stream.batches, "outputTimes_ms": times, "compareSorted": True}


def main():
    runner = pathlib.Path(os.environ["LEAT_BUILD"]) / "tests" / "conformance_streaming"
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else random.randrange(2**31)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    rng = random.Random(seed)
    print(f"seed {seed}, {count} cases", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "cases.json"
        file.write_text(json.dumps({"cases": [case(rng, number) for number in range(count)]}))
        sys.exit(subprocess.run([str(runner), str(file)], stderr=subprocess.DEVNULL).returncode)


main()
