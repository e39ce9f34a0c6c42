#!/usr/bin/env python3
"""`leat run` from outside, with sources and sinks that need nothing else."""
import json
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import LEAT, folder, leat, main, wait_for, write  # noqa: E402


def test_generated_times_can_be_those_of_events():
    with folder() as d:
        path = write(d, "f.yaml", """leat: 1
name: generated
sources:
  g:
    generate: { count: 25, value: { n: i }, time: "timestamp(1767261600 + i)" }
    time: meta.time
streams:
  s: { from: g, ops: [ window: { size: 10s }, aggregate: { n: count(), least: min(n) } ] }
sinks:
  out: { from: s, console: {} }
""")
        code, out, err = leat("run", path, "--until", "caught_up", cwd=d)
        assert code == 0, err
        rows = [json.loads(line) for line in out.splitlines()]
        got = sorted((r["window_start"], r["n"], r["least"]) for r in rows)
        assert got == [("2026-01-01T10:00:00Z", 10, 0), ("2026-01-01T10:00:10Z", 10, 10),
                       ("2026-01-01T10:00:20Z", 5, 20)], out


def test_output_that_was_taken_away_with_its_directory_stops_nothing():
    with folder() as d:
        path = write(d, "f.yaml", """leat: 1
name: taken
sources:
  g: { generate: { count: 5 } }
sinks:
  out: { from: g, files: { path: "out/a/{file}.txt" }, format: text }
""")
        for _ in range(2):
            code, _, err = leat("run", path, "--until", "caught_up", cwd=d)
            assert code == 0, err
            shutil.rmtree(pathlib.Path(d) / "out", ignore_errors=True)


def test_many_short_lines_fit_into_little_memory():
    with folder() as d:
        write(d, "in.jsonl", "".join(f'{{"i":{i}}}\n' for i in range(600000)))
        for memory in ("16MiB", "48MiB"):
            path = write(d, "f.yaml", f"""leat: 1
name: little-{memory.lower()}
memory: {memory}
sources:
  in: {{ files: {{ path: in.jsonl }}, format: json }}
sinks:
  out: {{ from: in, files: {{ path: "out-{memory}/{{file}}.jsonl" }}, format: json }}
""")
            code, _, err = leat("run", path, "--until", "caught_up", cwd=d)
            assert code == 0, err
            found = pathlib.Path(d, f"out-{memory}").iterdir()
            assert sum(p.read_text().count("\n") for p in found) == 600000


def test_a_batch_has_no_more_records_or_bytes_than_it_may_take():
    with folder() as d:
        write(d, "in.txt", "".join(f"{i:9}\n" for i in range(20050)))
        for source, limit, most in (("files: { path: in.txt }", "max_records: 1000", 1000),
                                    ("generate: { count: 20050 }", "max_records: 1000", 1000),
                                    ("files: { path: in.txt }", "max_bytes: 10KiB", 1024)):
            path = write(d, "f.yaml", f"""leat: 1
name: limited
batch: {{ every: 10s, {limit} }}
sources:
  in: {{ {source} }}
streams:
  n: {{ from: in, ops: [ count ] }}
sinks:
  out: {{ from: n, console: {{}} }}
""")
            shutil.rmtree(pathlib.Path(d) / "state", ignore_errors=True)
            code, out, err = leat("run", path, "--until", "caught_up", cwd=d)
            counts = [int(n) for n in out.split()]
            assert code == 0 and sum(counts) == 20050, (limit, err, out)
            assert max(counts) <= most, (source, limit, counts)


def test_the_status_line_names_the_partition_that_is_furthest_behind():
    with folder() as d:
        path = write(d, "f.yaml", """leat: 1
name: behind
batch: { every: 100ms }
sources:
  slow: { generate: { rate: 10/s, count: 5000 } }
  fast: { generate: { rate: 100/s, count: 300 } }
streams:
  all: { from: [slow, fast], ops: [ filter: "true" ] }
sinks:
  out: { from: all, "null": {} }
""")
        ours, theirs = pty.openpty()
        job = subprocess.Popen([LEAT, "run", path], cwd=d, stderr=theirs, stdout=subprocess.DEVNULL)
        os.close(theirs)
        shown = b""
        try:
            while not re.search(rb"lag \d+ \(4\d\d\d in slow generate\)", shown):
                ready, _, _ = select.select([ours], [], [], 20)
                assert ready, shown
                shown += os.read(ours, 4096)
        finally:
            job.terminate()
            assert job.wait(20) == 0
            os.close(ours)


def test_a_damaged_log_is_refused_with_its_place_and_the_ways_out():
    text = """leat: 1
name: hurt
checkpoint: { dir: state }
sources: { g: { generate: { count: 5 } } }
sinks: { out: { from: g, "null": {} } }
"""
    with folder() as d:
        file = write(d, "hurt.yaml", text)
        for _ in range(2):
            assert leat("run", file, "--until", "caught_up", cwd=d)[0] == 0
        log = next((pathlib.Path(d) / "state/log").iterdir())
        bytes_ = bytearray(log.read_bytes())
        bytes_[12] ^= 1
        log.write_bytes(bytes_)
        code, _, err = leat("run", file, "--until", "caught_up", cwd=d)
        assert code == 1 and log.name in err and "damaged" in err, err
        assert "leat state reset" in err and "put back a copy" in err, err


def test_two_pipelines_cannot_share_a_directory():
    text = """leat: 1
name: NAME
checkpoint: { dir: state }
sources: { g: { generate: { count: 5 } } }
sinks: { out: { from: g, console: {} } }
"""
    with folder() as d:
        a, b = (write(d, n + ".yaml", text.replace("NAME", n)) for n in ("one", "two"))
        code, _, err = leat("run", a, b, "--until", "caught_up", cwd=d)
        assert code == 78 and "both have the checkpoint.dir 'state'" in err, err
        code, out, err = leat("run", a, "--until", "caught_up", cwd=d)
        assert code == 0 and out == "0\n1\n2\n3\n4\n", (out, err)
        code, out, err = leat("run", b, "--until", "caught_up", cwd=d)
        assert code == 78 and not out and "is the log of job 'one', not of 'two'" in err, (out, err)


def test_a_bounded_run_has_all_that_is_generated_also_at_a_rate():
    text = """leat: 1
name: paced
batch: { every: 50ms }
sources: { g: { generate: { rate: 200/s, count: 100 } } }
sinks: { out: { from: g, console: {} } }
"""
    with folder() as d:
        path = write(d, "f.yaml", text)
        code, out, err = leat("run", path, "--until", "caught_up", cwd=d)
        assert code == 0 and out.split() == [str(i) for i in range(100)], (out, err)
        for endless in ("rate: 200/s", ""):
            path = write(d, "g.yaml", text.replace("rate: 200/s, count: 100", endless).replace("paced", "endless"))
            code, out, err = leat("run", path, "--until", "caught_up", cwd=d)
            assert code == 78 and "source 'g': it has no end" in err and not out, (out, err)
            code, _, err = leat("run", path, "--until", "2_batches", cwd=d)
            assert code == 0, err


def test_output_that_is_removed_while_it_is_written_is_said_and_does_not_hold_up_the_rest():
    with folder() as d:
        path = write(d, "f.yaml", """leat: 1
name: removed
batch: { every: 50ms }
sources:
  g: { generate: { count: 400, rate: 200/s } }
sinks:
  out: { from: g, files: { path: "out/{file}.txt", roll: { every: 1s } }, format: text }
""")
        job = subprocess.Popen([LEAT, "run", path, "--until", "caught_up"], cwd=d, text=True,
                               stderr=subprocess.PIPE)
        out = pathlib.Path(d) / "out"
        wait_for("a committed batch", lambda: list(out.glob(".leat-roll-*")))
        shutil.rmtree(out, ignore_errors=True)
        _, err = job.communicate(timeout=120)
        # Just then the next file may have been begun; its directory is made again.
        told = "was removed while it was written" in err or "it works again" in err
        assert job.returncode == 0 and told, err
        rows = [int(x) for p in out.glob("*.txt") for x in p.read_text().split()]
        assert rows and max(rows) == 399 and len(set(rows)) == len(rows), rows


def test_words_of_other_versions_are_refused_by_name():
    for word in ("--dry-run", "--limit"):
        code, _, err = leat("run", "x.yaml", word + "=1" if word == "--limit" else word)
        assert code == 2 and err.startswith(f"leat run: '{word}") and "not in this version" in err, err
    for word in ("--sample=5",):
        code, _, err = leat("check", word, "x.yaml")
        assert code == 2 and "is not in this version" in err, err


def test_what_a_socket_missed_is_not_sent_again_and_explain_says_so():
    with folder() as d:
        text = """leat: 1
name: sinks
sources:
  in: { files: { path: in } }
sinks:
  out: { from: in, socket: { connect: "localhost:1" } }
"""
        code, out, err = leat("explain", write(d, "f.yaml", text))
        assert code == 0 and "in -> out: at most once" in out, out + err
        code, _, err = leat("check", write(d, "g.yaml", "delivery: exactly_once\n" + text))
        assert code == 78 and "exactly_once cannot be kept to 'socket': it may miss a record" in err, err


def test_state_that_is_full_is_told_with_its_stream_and_its_keys():
    with folder() as d:
        path = write(d, "f.yaml", """leat: 1
name: full
memory: 64MiB
batch: { every: 1s, max_records: 5000 }
sources:
  g: { generate: { count: 5000000, value: { k: i } } }
streams:
  per_key:
    from: g
    ops:
      - key_by: k
      - map_with_state: { init: { n: 0 }, update: { n: state.n + 1 }, emit: state.n, when: "false" }
sinks:
  out: { from: per_key, console: {} }
""")
        code, out, err = leat("run", path, "--until", "caught_up", cwd=d)
        told = re.search(r"streams\.per_key\.ops\[1\]\.map_with_state: (\d+) keys in state partition \d+: "
                         r"the \d+ MiB of memory are used up", err)
        assert code == 1 and told and int(told[1]) > 10000, err


def test_state_per_key_and_its_time_outs_go_on_after_a_stop():
    with folder() as d:
        path = write(d, "f.yaml", """leat: 1
name: kept
sources:
  in: { files: { path: "in/*.jsonl" }, format: json, time: fromMillis(t) }
streams:
  visits:
    from: in
    ops:
      - key_by: k
      - map_with_state:
          init: { n: 0, pages: '[]' }
          update: { n: state.n + 1, pages: "state.pages + [page]" }
          emit: { k: key, n: state.n, left: "false" }
          timeout: 10s
          on_timeout: { k: key, n: state.n, pages: state.pages, left: "true" }
  sums:
    from: in
    ops: [ key_by: k, update_state_by_key: { update: "default(state, 0) + values.size()" } ]
sinks:
  out: { from: visits, console: {} }
  counts: { from: sums, console: {} }
""")

        def run(name, *rows):
            pathlib.Path(d, "in").mkdir(exist_ok=True)
            pathlib.Path(d, "in", name).write_text(
                "".join(json.dumps({"k": r[0], "page": r[1], "t": r[2]}) + "\n" for r in rows))
            code, out, err = leat("run", path, "--until", "caught_up", cwd=d)
            assert code == 0, err
            return sorted(out.splitlines())

        assert run("1.jsonl", ("a", "x", 1000), ("b", "y", 2000), ("a", "z", 3000)) == [
            "1", "2", '{"k":"a","n":1,"left":false}', '{"k":"a","n":2,"left":false}',
            '{"k":"b","n":1,"left":false}']
        assert run("2.jsonl", ("b", "w", 9000)) == ["2", '{"k":"b","n":2,"left":false}']
        assert run("3.jsonl", ("c", "v", 15000)) == [
            "1", '{"k":"a","n":2,"pages":["x","z"],"left":true}', '{"k":"c","n":1,"left":false}']


def test_a_join_goes_on_after_a_stop():
    with folder() as d:
        lines = ["leat: 1\nname: joined\npartitions: 4", f"checkpoint: {{ dir: {d}/state }}",
                 "sources:"]
        for name in ("views", "clicks"):
            (pathlib.Path(d) / name).mkdir()
            lines += [f"  {name}:", f"    files: {{ path: {d}/{name} }}", "    format: json",
                      "    time: fromMillis(ts)"]
        lines += ["streams:", "  v: { from: views, ops: [ { key_by: id }, { map: n } ] }",
                  "  s:\n    from: clicks\n    ops:\n      - key_by: id\n      - map: n",
                  "      - full_outer_join: { with: v, as: [c, v], within: 10s }",
                  "sinks:\n  out: { from: s, console: {} }\n"]
        file = write(d, "p.yaml", "\n".join(lines))

        def put(source, name, *rows):
            text = "".join(json.dumps({"id": i, "n": n, "ts": ts}) + "\n" for i, n, ts in rows)
            (pathlib.Path(d) / source / name).write_text(text)

        def run(*words):
            code, out, err = leat("run", file, *words)
            assert code == 0, err
            return [(row["c"], row["v"]) for row in map(json.loads, out.splitlines())]

        once = ("--set", "batch.trigger=once")
        put("views", "1", ("x", 1, 1000), ("y", 2, 2000), ("z", 3, 3000))
        assert run(*once) == []
        put("clicks", "1", ("x", 10, 11000))
        assert run(*once) == [(10, 1)], "what was kept over a stop meets its click"
        put("clicks", "2", ("z", 30, 12999))
        assert run(*once) == [(30, 3)]
        assert run("--until", "caught_up") == [(None, 2)], "what met nothing comes out alone"
        assert run("--until", "caught_up") == [], "and once"


if __name__ == "__main__":
    main(sys.modules[__name__])
