#!/usr/bin/env python3
"""A changed file beside the state that is there: `leat check --against-state`, `leat run`."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import folder, leat, main, write  # noqa: E402

FILE = """\
leat: 1
name: changing
partitions: 4
batch: { trigger: once }
checkpoint: { dir: %(dir)s/state }
sources:
  in:
    files: { path: %(dir)s/in }
    format: json
    time: fromMillis(ts)
streams:
  sums:
    from: in
    ops:
      - key_by: k
      - window: { size: 1h }
      - aggregate: { total: sum(v) }
  first:
    from: in
    ops:
      - distinct: { by: k, within: 1h }
sinks:
  out: { from: sums, console: {} }
  once: { from: first, "null": {} }
"""


def pipeline(dir, *changes):
    text = FILE % {"dir": dir}
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return write(dir, "p.yaml", text)


def records(dir):
    folder = pathlib.Path(dir) / "in"
    folder.mkdir()
    rows = [{"k": f"k{i % 5}", "v": i, "ts": 1000 * i} for i in range(50)]
    (folder / "a.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))


def begun(dir):
    """A job that has read its records, and whose windows are open."""
    records(dir)
    code, out, err = leat("run", pipeline(dir))
    assert code == 0 and out == "", out + err


def check(path, *words):
    code, out, err = leat("check", "--against-state", path, *words)
    assert not err, err
    return code, out


def totals(out):
    return sorted(json.loads(line)["total"] for line in out.splitlines())


TOTALS = [225, 235, 245, 255, 265]


def test_a_job_that_never_ran_has_no_state():
    with folder() as dir:
        code, out = check(pipeline(dir))
        assert code == 0 and "the job begins with nothing" in out, out
        assert not (pathlib.Path(dir) / "state").exists(), "looking makes nothing"


def test_an_unchanged_file_keeps_all_and_goes_on_with_it():
    with folder() as dir:
        begun(dir)
        code, out = check(pipeline(dir))
        assert code == 0, out
        assert "kept     sums.aggregate.0" in out and "kept     first.distinct.0" in out, out
        code, out, err = leat("run", pipeline(dir), "--until", "caught_up")
        assert code == 0 and totals(out) == TOTALS, out + err


def test_what_only_changes_the_output_keeps_the_state():
    with folder() as dir:
        begun(dir)
        path = pipeline(dir, ("aggregate: { total: sum(v) }", "aggregate: { total: sum(v) * 2 }"))
        code, out = check(path)
        assert code == 0 and "kept     sums.aggregate.0" in out, out
        code, out, err = leat("run", path, "--until", "caught_up")
        assert code == 0 and totals(out) == [2 * t for t in TOTALS], out + err


def test_another_operator_of_that_name_is_told_with_both_shapes_and_refused():
    with folder() as dir:
        begun(dir)
        path = pipeline(dir, ("size: 1h", "size: 2h"))
        code, out = check(path)
        assert code == 1, out
        assert "DROPPED  sums.aggregate.0" in out and "another one now" in out, out
        assert "was: aggregate 2; key k; event time; windows of 3600000 ms" in out, out
        assert "is:  aggregate 2; key k; event time; windows of 7200000 ms" in out, out
        assert "kept     first.distinct.0" in out and "--drop-state" in out, out
        code, out, err = leat("run", path)
        assert code == 78 and "the state of 'sums.aggregate.0' would be lost" in err, err
        assert "leat run --drop-state" in err, err
        code, out, err = leat("run", pipeline(dir), "--until", "caught_up")
        assert code == 0 and totals(out) == TOTALS, "a refusal leaves all as it was: " + out + err


def test_a_stream_of_another_name_loses_its_state_only_when_told_so():
    with folder() as dir:
        begun(dir)
        path = pipeline(dir, ("  sums:", "  renamed:"), ("from: sums", "from: renamed"))
        code, out = check(path)
        assert code == 1 and "DROPPED  sums.aggregate.0" in out, out
        assert "the file has no such operator" in out and "new      renamed.aggregate.0" in out, out
        code, out, err = leat("run", path)
        assert code == 78 and "no such operator any more" in err, err
        code, out, err = leat("run", path, "--drop-state")
        assert code == 0 and "the state of 'sums.aggregate.0' is dropped" in err, err
        code, out = check(path)
        assert code == 0 and "DROPPED" not in out, out
        code, out, err = leat("run", path, "--until", "caught_up")
        assert code == 0 and out == "", "nothing was there to close: " + out + err


def test_an_operator_before_it_changes_no_names():
    with folder() as dir:
        begun(dir)
        path = pipeline(dir, ("      - key_by: k\n",
                              "      - filter: v >= 0\n      - distinct: { by: ts, within: 1m }\n"
                              "      - key_by: k\n"))
        code, out = check(path)
        assert code == 0, out
        assert "kept     sums.aggregate.0" in out and "new      sums.distinct.0" in out, out
        code, out, err = leat("run", path, "--until", "caught_up")
        assert code == 0 and totals(out) == TOTALS, out + err


def test_another_number_of_partitions_is_told():
    with folder() as dir:
        begun(dir)
        path = pipeline(dir, ("partitions: 4", "partitions: 8"))
        code, out = check(path)
        assert code == 1 and "split into 4 partitions, the file says 8" in out, out
        code, out, err = leat("run", path)
        assert code == 78 and "split into 4 partitions" in err, err


main(sys.modules[__name__])
