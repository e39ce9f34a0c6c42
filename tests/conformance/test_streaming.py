#!/usr/bin/env python3
"""Cases of a file of streaming semantics, turned into pipelines with tests and run by `leat test`.

LEAT_STREAMING_CASES is the path of the file: JSON, {"cases": [...]}, each with input per batch,
operators by Spark's names and what comes out per batch. Without it, and for operators that this
version has not, cases are skipped by name. A case of n batches becomes n tests: the first k
batches, and all that must be out by then; so every batch is compared without a word about which
batch a row belongs to.
"""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import folder, leat, main, Skip, write  # noqa: E402

OF_VALUE = {"str": "string(this)", "strLen": "size(this)", "plus2": "this + 2",
            "plus4": "this + 4", "plus8": "this + 8", "plus10": "this + 10", "upper": "this.upper()",
            "identity": "this", "vAndVplus10": "[this, this + 10]", "xAnd2x": "[this, 2 * this]",
            "suffix1and2": "[this + '1', this + '2']", "chars": "this.split('')",
            "isEven": "this % 2 == 0", "containsA": "this.contains('a')",
            "keyContainsA": "key.contains('a')", "valuePositive": "this > 0",
            "failOn1": "this == 1 ? int('x') : this", "second": "this", "counterOf": "this.counter"}
TO_PAIR = {"pairWithOne": ("this", "1"), "pairWithX": ("this", "'x'"),
           "pairWithLen": ("this", "size(this)"), "swap": ("this", "key")}
TO_PAIRS = {"lenAndChars": "this.split('').map(c, [size(this), c])",
            "valueAndKeyChars": "key.split('').map(c, [this, c])"}
OF_TWO = {"add": "a + b", "sub": "a - b", "appendStr": "a + string(b)"}
KEYED = {"reduceByKey": "reduce_by_key", "groupByKey": "group_by_key"}
UNKEYED = {"reduce": "reduce"}
JOINS = {"join": "join", "leftOuterJoin": "left_outer_join", "rightOuterJoin": "right_outer_join",
         "fullOuterJoin": "full_outer_join", "cogroup": "cogroup"}
WINDOWS = {"window": "window", "countByWindow": "count_by_window", "reduceByWindow": "reduce_by_window",
           "reduceByKeyAndWindow": "reduce_by_key_and_window",
           "groupByKeyAndWindow": "group_by_key_and_window",
           "countByValueAndWindow": "count_by_value_and_window"}
MAKE_PAIRS = {"reduceByKeyAndWindow", "groupByKeyAndWindow", "countByValueAndWindow", "reduceByKey",
              "groupByKey", "countByValue"}
# VALUES and STATE are what came in the batch and what was there before it.
UPDATES = {
    "runningSum": "VALUES.sum() + default(STATE, 0)",
    "appendList": "default(STATE, []) + VALUES",
    "addBatchTimeIfValues": "default(STATE, 0) + (VALUES.size() > 0 ? meta.batch_time.millis() : 0)",
    "counterExpireAfter2Idle":
        "VALUES.size() > 0 ? {'counter': (STATE == null ? 0 : STATE.counter) + VALUES.sum(), 'idle': 0}"
        " : STATE.idle == 1 ? null : {'counter': STATE.counter, 'idle': STATE.idle + 1}"}
SUM = "init: { n: 0 }, update: { n: state.n + this }"
WITH_STATE = {
    "mwsSum": SUM + ", emit: state.n", "mwsSumKeyTwice": SUM + ", emit: key + key",
    "mwsSumNothing": SUM + ", emit: key, when: 'false'",
    "mwsToggleRemove": "init: { there: 'false', value: this }, update: { there: 'true' }, emit: key, "
                       "when: prev.there, remove: prev.there"}
FILTERS = {"valueNonZero": "value != 0", "valuePositive": "value > 0"}


class NotHere(Exception):
    """The case has something that this version has not."""


def quoted(text):
    return json.dumps(text)


def known(table, name):
    if name not in table:
        raise NotHere(f"function {name}")
    return table[name]


class Stream:
    """Operators of a stream, and whether its records are pairs."""

    def __init__(self, pairs):
        self.pairs = pairs
        self.ops = ["map_to_pair: { key: 'this[0]', value: 'this[1]' }"] if pairs else []

    def window(self, op):
        name = WINDOWS[op["op"]]
        words = [f"size: {op['window_ms']}ms", f"slide: {op['slide_ms']}ms"]
        if "fn" in op:
            words.append("reduce: " + quoted(known(OF_TWO, op["fn"])))
        if "inv" in op:
            words.append("inverse: " + quoted(known(OF_TWO, op["inv"])))
        if "filter" in op:
            words.append("filter: " + quoted(known(FILTERS, op["filter"])))
        self.ops.append(f"{name}: {{ {', '.join(words)} }}")

    def with_first(self, pairs, file):
        """State to begin with comes from a source of its own: {'state': x} beside {'value': y}."""
        file.sources["first"] = [pairs]
        file.streams["begin"] = ("first", [
            "map_to_pair: { key: 'this[0]', value: \"{'state': this[1]}\" }"])
        self.ops += ["map_values: \"{'value': this}\"", "union: [begin]"]

    def update_state(self, op, file):
        update = known(UPDATES, op["fn"])
        values, state = "values", "state"
        if "initial" in op:
            self.with_first(op["initial"], file)
            values = "values.filter(v, has(v.value)).map(v, v.value)"
            state = "(values + [{'state': state}]).filter(v, has(v.state))[0].state"
        update = update.replace("VALUES", values).replace("STATE", state)
        self.ops.append(f"update_state_by_key: {{ update: {quoted(update)}, keys: all }}")
        self.pairs = True

    def with_state(self, op, file):
        if "initial" in op:
            self.with_first(op["initial"], file)
            self.ops.append("map_values: \"default(this.state, 0) + default(this.value, 0)\"")
        self.ops.append(f"map_with_state: {{ {known(WITH_STATE, op['fn'])} }}")
        self.pairs = False

    def map(self, fn):
        if fn in TO_PAIR:
            key, value = TO_PAIR[fn]
            self.ops.append(f"map_to_pair: {{ key: {quoted(key)}, value: {quoted(value)} }}")
            self.pairs = True
            return
        self.ops.append("map: " + quoted(known(OF_VALUE, fn)))
        self.pairs = self.pairs and fn != "second"

    def flat_map(self, fn):
        if fn in TO_PAIRS:
            self.ops.append("flat_map: " + quoted(TO_PAIRS[fn]))
            self.ops.append("map_to_pair: { key: 'this[0]', value: 'this[1]' }")
            self.pairs = True
        else:
            self.ops.append("flat_map: " + quoted(known(OF_VALUE, fn)))

    def add(self, op, file):
        name, fn = op["op"], op.get("fn")
        if name == "map":
            self.map(fn)
        elif name == "flatMap":
            self.flat_map(fn)
        elif name == "mapValues":
            self.ops.append("map_values: " + quoted(known(OF_VALUE, fn)))
        elif name == "flatMapValues":
            self.ops.append("flat_map_values: " + quoted(known(OF_VALUE, fn)))
        elif name == "filter":
            self.ops.append("filter: " + quoted(known(OF_VALUE, fn)))
        elif name == "repartition":
            self.ops.append(f"repartition: {op.get('n', op.get('numPartitions', 2))}")
        elif name in ("union", "contextUnion"):
            others = op["others"] if "others" in op else [op["other"]]
            self.ops.append("union: [" + ", ".join(file.other(o) for o in others) + "]")
        elif name in JOINS or (name == "transformWith" and fn == "rddJoin"):
            self.ops.append(f"{JOINS.get(name, 'join')}: {{ with: {file.other(op['other'])}, "
                            "as: [left, right] }")
            self.ops.append("map: '[left, right]'")
            self.pairs = True
        elif name in WINDOWS:
            self.window(op)
        elif name == "updateStateByKey":
            self.update_state(op, file)
        elif name == "mapWithState":
            self.with_state(op, file)
        elif name == "count":
            self.ops.append("count")
        elif name == "countByValue":
            self.ops.append("count_by_value")
        elif name in KEYED or name in UNKEYED:
            word = {**KEYED, **UNKEYED}[name]
            self.ops.append(word + (": " + quoted(known(OF_TWO, fn)) if fn else ""))
        else:
            raise NotHere(f"operator {name}")
        if name in ("count", "countByWindow", "reduceByWindow", "reduce"):
            self.pairs = False
        self.pairs = self.pairs or name in MAKE_PAIRS


def is_pairs(ops, batches):
    """Do the operators take the elements, which are lists of two, as pairs?"""
    rows = [row for batch in batches or [] for row in batch or []]
    return bool(rows) and all(isinstance(r, list) and len(r) == 2 for r in rows)


class File:
    def __init__(self, case):
        self.case, self.streams, self.sources = case, {}, {"in": case["input"]}
        if "input2" in case:
            self.sources["in2"] = case["input2"]
        self.main = self.stream("result", "in", case["pipeline"])

    def stream(self, name, source, ops):
        s = Stream(is_pairs(ops, self.sources[source]))
        for op in ops:
            s.add(op, self)
        self.streams[name] = (source, s.ops)
        return s

    def other(self, other):
        name = f"other{len(self.streams)}"
        self.stream(name, other["source"], other["stages"])
        return name

    def row(self, row):
        if self.main.pairs:
            return "{ key: %s, value: %s }" % (quoted(row[0]), quoted(row[1]))
        return quoted(row)

    def head(self):
        every = self.case["params"]["batch_ms"]
        lines = ["leat: 1", "name: case", f"batch: {{ every: {every}ms }}", "sources:"]
        for name in self.sources:
            lines += [f"  {name}:", "    kafka: { brokers: 'localhost:1', topic: t }",
                      "    format: json"]
        lines.append("streams:")
        for name, (source, ops) in self.streams.items():
            lines += [f"  {name}:", f"    from: {source}"]
            lines += ["    ops:"] * bool(ops) + [f"      - {op}" for op in ops]
        lines += ["sinks:", "  out: { from: result, console: {} }", "tests:"]
        return lines

    def text(self, expected):
        every = self.case["params"]["batch_ms"]
        times = self.case["outputTimes_ms"]
        lines, clock = self.head(), f"1970-01-01T00:00:{every / 1000:06.3f}Z"
        for k in range(1, max(len(self.case["input"]), times[-1] // every) + 1):
            lines += [f"  - name: {k} batches", f"    clock: {clock}", "    batches:"]
            for i in range(k):
                lines.append("      - " + ("" if self.sources else "{}"))
                for name, batches in self.sources.items():
                    rows = (batches[i] if i < len(batches) else []) or []
                    lines += [f"        {name}:"] + [f"          - {self.datum(r)}" for r in rows]
                    if not rows:
                        lines[-1] += " []"
            lines += ["    expect:", "      result:", "        unordered:"]
            rows = [r for t, batch in zip(times, expected) if t <= k * every for r in batch]
            lines += [f"          - {self.row(r)}" for r in rows]
            if not rows:
                lines[-1] += " []"
        return "\n".join(lines) + "\n"

    @staticmethod
    def datum(row):
        return quoted(row)


def run(case):
    expected = case.get("expected", case.get("windowTruth"))
    file = File(case)
    if "outputTimes_ms" not in case:
        step = case["params"].get("slide_ms", case["params"]["batch_ms"])
        case["outputTimes_ms"] = [(i + 1) * step for i in range(len(expected))]
    text = file.text(expected)
    with folder() as d:
        code, out, err = leat("test", write(d, "case.yaml", text))
    assert code == 0, text + out + err


def add_tests(module):
    path = os.environ.get("LEAT_STREAMING_CASES")
    if not path:
        def missing():
            raise Skip("LEAT_STREAMING_CASES does not name a file of cases")
        module.test_cases_of_streaming_semantics = missing
        return
    for case in json.loads(pathlib.Path(path).read_text())["cases"]:
        if case["kind"] not in ("dstream", "hazard", "dstream-partitions", "recovery"):
            continue
        if "pipeline" not in case or not isinstance(case.get("input"), list):
            continue

        def test(case=case):
            try:
                run(case)
            except NotHere as why:
                raise Skip(f"{why} is not in this version") from None
        setattr(module, "test_" + case["id"].replace(" ", "_"), test)


if __name__ == "__main__":
    add_tests(sys.modules[__name__])
    main(sys.modules[__name__])
