#!/usr/bin/env python3
"""Paths that are made of records: whatever stands in them, nothing is written outside."""
import json
import os
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import folder, leat, main, write  # noqa: E402

SEED = int(os.environ.get("LEAT_SEED", "1"))
PIECES = ["..", "../..", "/", "//", ".", "...", "\0", "\n", "a", "b/c", "link", "link/x", "inner", "inner/y", "loop",
          "/etc", "/tmp/x", "~", "$HOME", "%2e%2e", "\u202e", "\u2024\u2024", "é", "\\..\\", ".leat-tmp-1", ".leat-", "\1f",
          "*", "?", "x" * 129, "y" * 300, "dir/" * 40, " ", "", "-rf", "0", "plain", "\x7f"]


def hostile(rng):
    return "".join(rng.choice(PIECES) + rng.choice(["", "", "/"]) for _ in range(rng.randint(1, 4)))


def job(dir, on_error):
    return write(dir, "job.yaml", f"""leat: 1
name: paths
on_error: {on_error}
checkpoint: {{ dir: {dir}/state }}
batch: {{ every: 50ms, max_records: 2000 }}
sources: {{ in: {{ files: {{ path: {dir}/in.jsonl }}, format: json }} }}
sinks:
  out:
    from: in
    files: {{ path: "{dir}/base/{{name}}/{{file}}.txt" }}
    format: json
{f'dlq: {{ files: {{ path: "{dir}/letters/{{file}}.jsonl" }} }}' if on_error == "dlq" else ""}
""")


def everything(top):
    """All paths below, no link followed."""
    return {os.path.join(d, name) for d, dirs, files in os.walk(top) for name in dirs + files}


def test_ten_thousand_hostile_names_never_leave_the_directory():
    rng = random.Random(SEED)
    names = [hostile(rng) for _ in range(10000)]
    with folder() as dir:
        top = pathlib.Path(dir)
        for name in ("outside", "base", "base/real"):
            (top / name).mkdir()
        (top / "base/link").symlink_to(top / "outside")
        (top / "base/inner").symlink_to("real")
        (top / "base/loop").symlink_to("loop")
        (top / "base/plain").write_text("a file")
        write(dir, "in.jsonl", "".join(json.dumps({"name": n, "i": i}) + "\n" for i, n in enumerate(names)))
        code, _, err = leat("run", job(dir, "dlq"), "--until", "caught_up")
        assert code == 0, err
        assert everything(top / "outside") == set() and everything(top / "base/real") == set()
        known = {"base", "state", "letters", "outside", "in.jsonl", "job.yaml"}
        assert {p.name for p in top.iterdir()} == known, sorted(top.iterdir())
        written = [json.loads(line) for p in everything(top / "base") if p.endswith(".txt") for line in open(p)]
        letters = sum(len(p.read_text().splitlines()) for p in (top / "letters").iterdir())
        assert len({r["i"] for r in written}) == len(written), "none twice"
        assert len(written) + letters == len(names), (len(written), letters)
        assert written and letters
        assert (top / "base/plain").read_text() == "a file"


def test_a_name_that_leads_over_a_link_ends_the_job_with_what_to_write():
    with folder() as dir:
        (pathlib.Path(dir) / "base").mkdir()
        (pathlib.Path(dir) / "base/link").symlink_to("/tmp")
        write(dir, "in.jsonl", '{"name":"link"}\n')
        code, _, err = leat("run", job(dir, "fail"), "--until", "caught_up")
        assert code not in (0, 78) and "leads over a link" in err and "`on_error: drop`" in err, err


def test_a_name_that_is_none_ends_the_job_with_it_under_fail():
    with folder() as dir:
        write(dir, "in.jsonl", '{"name":"fine"}\n{"name":"../up"}\n')
        code, _, err = leat("run", job(dir, "fail"), "--until", "caught_up")
        assert code not in (0, 78) and "position 16" in err and "'../up' cannot be part of a path" in err, err
        assert not (pathlib.Path(dir) / "base/fine").exists() or not list((pathlib.Path(dir) / "base/fine").glob("*.txt"))


main(sys.modules[__name__])
