#!/usr/bin/env python3
"""Files for conformance_streaming that are no cases, or wrong ones: it says what is wrong, and does not pass them."""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import folder, main, write  # noqa: E402

RUNNER = pathlib.Path(os.environ["LEAT_BUILD"]) / "tests" / "conformance_streaming"
GOOD = {"kind": "dstream", "params": {"batch_ms": 1000}, "pipeline": [{"op": "map", "fn": "plus2"}],
        "input": [[1], [2]], "expected": [[3], [4]]}
BARE = dict.fromkeys(GOOD)
# Fields that are other than in GOOD (None: not there), and what is said of the case.
WRONG = [
    ({"kind": "nonsense"}, "nothing of the kind 'nonsense'"),
    ({"pipeline": None}, "has no pipeline"),
    ({"pipeline": [7]}, "a stage without 'op'"),
    ({"pipeline": [{"op": "mapp"}]}, "has no mapp"),
    ({"pipeline": [{"op": "map", "fn": "plus3"}]}, "no function 'plus3' for 'map'"),
    ({"pipeline": [{"op": "combineByKey", "create": "str"}]}, "combineByKey: "),
    ({"pipeline": [{"op": "join"}]}, "names no second source"),
    ({"pipeline": [{"op": "union", "other": {"source": "in9"}}]}, "no input 'in9'"),
    ({"pipeline": [{"op": "repartition", "n": 0}]}, "from 1 to 1024"),
    ({"pipeline": [{"op": "transform", "fn": "rddJoin"}]}, "'rddJoin' is of 2 streams, not of 1"),
    ({"pipeline": [{"op": "mapPartitions", "fn": "zzz"}]}, "no function 'zzz' for 'mapPartitions'"),
    ({"pipeline": [{"op": "mapWithState", "fn": "zzz"}]}, "no function 'zzz' for 'mapWithState'"),
    ({"pipeline": [{"op": "updateStateByKey"}]}, "no function '' for 'updateStateByKey'"),
    ({"input": None}, "no input 'in'"),
    ({"input": [["text"]]}, "leat_map: "),
    ({"expected": None}, "does not say what is expected"),
    ({"expected": [[3], [5]]}, "at 2000 ms came [4], expected [5]"),
    ({"expected": [[3]] * 20000}, "no more than 10000 batches"),
    ({"kind": "recovery"}, None),
    ({"kind": "recovery", "batchesBeforeRestart": 0}, "dies in one of the batches"),
    ({"kind": "recovery", "batchesBeforeRestart": 3}, "dies in one of the batches"),
    ({"kind": "error", "failsAtBatch": 1}, "did not fail"),
    ({**BARE, "kind": "dstream-multi"}, "has no inputs"),
    ({"kind": "dstream-multi", "inputs": {"a": [[1]]}, "fn": "unionSelfPairJoin"}, "is of 3 streams"),
    ({"kind": "filestream", "expected": [["a"]]}, "{TIME: [names]}"),
    ({**BARE, "kind": "statemap"}, "no steps"),
    ({"kind": "statemap", "steps": [["put", "a"]]}, "step 1 is not [what, arguments"),
    ({"kind": "statemap", "steps": [["zap", 1, 2]]}, "no 'zap'"),
    ({"kind": "vector", "function": "fileName", "vectors": []}, "no vectors"),
    ({"kind": "vector", "function": "zzz", "vectors": [{}]}, "has no zzz"),
]


def run(text):
    with folder() as d:
        return subprocess.run([str(RUNNER), write(d, "cases.json", text), "2"], capture_output=True, text=True,
                              timeout=300, check=False)


def case(number, fields):
    return {k: v for k, v in {**GOOD, "id": f"case {number}", **fields}.items() if v is not None}


def test_what_is_no_file_of_cases_is_refused_in_one_line():
    for text in ("", "hello", "[]", "{}", '{"cases": "x"}', '{"cases": [{"id":', "[" * 100000):
        done = run(text)
        assert done.returncode == 2, (text[:20], done)
        assert len((done.stdout + done.stderr).splitlines()) == 1, (text[:20], done)


def test_each_wrong_case_fails_with_what_is_wrong():
    done = run(json.dumps({"cases": [case(n, fields) for n, (fields, _) in enumerate(WRONG)]}))
    lines = done.stdout.splitlines()
    said = {line.split(": ")[0]: line for line in lines}
    bad = [words for _, words in WRONG if words]
    for n, (fields, words) in enumerate(WRONG):
        line = said.get(f"case {n}")
        assert line is None if words is None else line and words in line, (fields, line)
    assert lines[-1] == f"{len(WRONG) - len(bad)} passed, {len(bad)} failed, 0 skipped", lines[-1]
    assert len(lines) == len(bad) + 1 and done.returncode == 1, done.stdout


def test_fields_may_come_in_any_order_and_unknown_ones_do_not_matter():
    fields = dict(reversed(case(1, {"color": "red", "note": [1], "pipeline": [
        {"why": None, "fn": "plus2", "op": "map"}]}).items()))
    done = run(json.dumps({"more": 1, "cases": [fields, case(2, {"params": None, "id": None})]}))
    assert done.stdout == "2 passed, 0 failed, 0 skipped\n" and done.returncode == 0, done.stdout


if __name__ == "__main__":
    main(sys.modules[__name__])
