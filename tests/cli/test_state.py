#!/usr/bin/env python3
"""`leat state`: what a pipeline remembers is shown in words, and forgotten when asked to."""
import pathlib
import re
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import LEAT, folder, leat, main, wait_for, write  # noqa: E402

FILE = """leat: 1
name: counted
checkpoint: { snapshot_every: 1s }
batch: { every: 50ms }
sources:
  g: { generate: { COUNT rate: 1000/s, value: { n: "i % 10" } } }
streams:
  s:
    from: g
    ops:
      - key_by: n
      - update_state_by_key: { update: "state == null ? values.size() : state + values.size()" }
sinks:
  out: { from: s, null: {} }
"""


def counted(d, count=300):
    path = write(d, "f.yaml", FILE.replace("COUNT", f"count: {count},"))
    code, _, err = leat("run", path, "--until", "caught_up", cwd=d)
    assert code == 0, err
    return path


def state(d, action, path, expected=0):
    code, out, err = leat("state", action, path, cwd=d)
    assert code == expected, (code, out, err)
    return out + err


def test_what_is_remembered_is_listed():
    with folder() as d:
        out = state(d, "ls", counted(d, 2500))
        for piece in ("job counted", "./state/counted", "log of batches 1 to ", "watermarks",
                      "snapshots of state partitions", "s.update_state_by_key.0", "generate  2500"):
            assert piece in out, f"{piece!r} is not in:\n{out}"


def test_every_batch_of_the_log_is_shown_with_what_it_read():
    with folder() as d:
        out = state(d, "show", counted(d))
        ranges = re.findall(r"read g  generate  from (\d+) to (\d+)", out)
        assert ranges[0][0] == "0" and ranges[-1][1] == "300", out
        assert all(a[1] == b[0] for a, b in zip(ranges, ranges[1:])), out
        assert "state s.update_state_by_key.0: " in out, out


def test_after_a_reset_the_pipeline_begins_anew():
    with folder() as d:
        path = counted(d)
        life = re.search("life ([0-9a-f]{8})", state(d, "ls", path))[1]
        out = state(d, "reset", path)
        assert "removed from './state/counted'" in out, out
        assert sorted(p.name for p in pathlib.Path(d, "state/counted").iterdir()) == ["lock"]
        assert "there is no state" in state(d, "reset", path)
        assert "there is no log" in state(d, "ls", path, expected=1)
        counted(d)
        out = state(d, "ls", path)
        assert "generate  300" in out and life not in out, out


def test_a_pipeline_that_runs_is_looked_at_and_not_reset():
    with folder() as d:
        path = write(d, "f.yaml", FILE.replace("COUNT", ""))
        job = subprocess.Popen([LEAT, "run", path], cwd=d, stderr=subprocess.DEVNULL)
        try:
            wait_for("a log", lambda: leat("state", "ls", path, cwd=d)[0] == 0)
            wait_for("batch 3", lambda: "batch 3 of" in state(d, "show", path))
            assert "another process runs this pipeline" in state(d, "reset", path, expected=75)
        finally:
            job.send_signal(signal.SIGTERM)
            assert job.wait(30) == 0
        assert "generate" in state(d, "ls", path)


def test_a_damaged_log_is_refused_with_its_place_and_can_be_reset():
    with folder() as d:
        path = counted(d)
        log = next(pathlib.Path(d, "state/counted/log").iterdir())
        data = bytearray(log.read_bytes())
        data[len(data) // 2] ^= 16
        log.write_bytes(data)
        for action in ("ls", "show"):
            assert "is damaged at byte" in state(d, action, path, expected=1)
        code, _, err = leat("run", path, "--until", "caught_up", cwd=d)
        assert code == 1 and "is damaged at byte" in err, err
        state(d, "reset", path)
        counted(d)


def test_the_log_of_an_older_version_is_refused_with_the_way_out():
    with folder() as d:
        path = write(d, "f.yaml", FILE.replace("COUNT", "count: 300,"))
        old = pathlib.Path(d, "state/counted/job.log")
        old.parent.mkdir(parents=True)
        old.write_bytes(b"leatlog1")
        code, _, err = leat("run", path, "--until", "caught_up", cwd=d)
        assert code != 0 and "leat state reset" in err, err
        state(d, "reset", path)
        assert not old.exists()
        counted(d)


def test_words_that_make_no_sense_are_refused():
    for words in (["state"], ["state", "ls"], ["state", "drop", "f.yaml"],
                  ["state", "ls", "a.yaml", "b.yaml"]):
        code, _, err = leat(*words)
        assert code == 2, (words, err)


main(sys.modules[__name__])
