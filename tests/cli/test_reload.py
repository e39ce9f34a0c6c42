#!/usr/bin/env python3
"""Pipelines of one process: one that fails leaves the others alone, SIGHUP takes over what changed."""
import json
import os
import pathlib
import re
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_run import grows, make, once_each, replace, running, steady, written  # noqa: E402
from leat_test import folder, leat, main, wait_for, write  # noqa: E402

# Counts what it has seen since it was first started, and says so after each batch.
COUNTING = """leat: 1
name: counting
batch: { every: 20ms }
sources:
  in: { generate: { rate: 1000/s, value: { k: '"all"' } } }
streams:
  s:
    from: in
    ops:
      - key_by: k
      - update_state_by_key: { update: "default(state, 0) + size(values)" }
sinks:
  out: { from: s, files: { path: "out/{file}.txt" }, format: text }
"""


def test_a_broken_file_of_a_directory_is_said_as_check_would_and_the_others_run():
    with folder() as d:
        make(d, "one", "two")
        write(d, "all/broken.yaml", steady("broken").replace("from: in,", "from: inn,"))
        _, _, check = leat("check", "all/broken.yaml", cwd=d)
        with running(d, "all") as run:
            grows(d, "one")
            grows(d, "two")
            assert check.strip() in run.said(), run.said()
            assert "'all/broken.yaml' is refused and does not run" in run.said()
            assert run.stop() == 78, "one of the files is wrong"
        assert not written(d, "broken")


def test_files_that_are_named_one_by_one_are_all_good_or_none_runs():
    with folder() as d:
        make(d, "one")
        write(d, "all/broken.yaml", "leat: 1\n")
        code, _, err = leat("run", "all/one.yaml", "all/broken.yaml", cwd=d)
        assert code == 78 and "broken.yaml" in err and not written(d, "one"), err


def test_an_empty_directory_is_wrong_words():
    with folder() as d:
        (pathlib.Path(d) / "all").mkdir()
        code, _, err = leat("run", "all", cwd=d)
        assert code == 2 and "no *.yaml in directory 'all'" in err, err


def test_a_pipeline_that_fails_leaves_the_others_alone_and_is_the_exit_code_in_the_end():
    with folder() as d:
        make(d, "good")
        write(d, "all/bad.yaml", steady("bad").replace("from: in,", "from: s,").replace(
            "sinks:", "streams:\n  s: { from: in, ops: [{ map: 10 % (this - 5) }] }\nsinks:"))
        with running(d, "all") as run:
            run.wait("error bad job: .*it has failed and stays so until its file changes or SIGHUP comes")
            grows(d, "good")
            grows(d, "good")
            assert run.stop() == 1
            assert run.said().splitlines()[-1].startswith("leat: job 'bad': "), run.said()
        once_each(d, "good")


def test_a_failure_that_may_heal_is_tried_again_while_others_run():
    with folder() as d:
        make(d, "good")
        write(d, "blocked", "no directory")
        write(d, "all/later.yaml", steady("later") + "checkpoint: { dir: blocked/later }\n")
        with running(d, "all") as run:
            run.wait("error later job: .*it is tried again in 2 s")
            grows(d, "good")
            (pathlib.Path(d) / "blocked").unlink()
            grows(d, "later")
            assert run.stop() == 0, run.said()


def test_the_only_pipeline_that_fails_ends_the_process():
    with folder() as d:
        (pathlib.Path(d) / "all").mkdir()
        write(d, "blocked", "no directory")
        write(d, "all/only.yaml", steady("only") + "checkpoint: { dir: blocked/only }\n")
        code, _, err = leat("run", "all", cwd=d)
        assert code == 1 and err.splitlines()[-1].startswith("leat: job 'only': "), err


def test_a_reload_starts_new_files_restarts_changed_ones_and_stops_removed_ones():
    with folder() as d:
        make(d, "stays", "changes", "goes")
        with running(d, "all") as run:
            for name in ("stays", "changes", "goes"):
                grows(d, name)
            make(d, "new")
            write(d, "all/changes.yaml", steady("changes").replace("20ms", "30ms"))
            (pathlib.Path(d) / "all/goes.yaml").unlink()
            run.reload("reloaded: 1 new, 1 changed, 1 removed, 0 refused, 1 as they were")
            for name in ("stays", "changes", "new"):
                grows(d, name)
            # Who has stopped has given its directory back.
            wait_for("the removed one to stop", lambda: leat(
                "state", "reset", write(d, "goes.yaml", steady("goes")), cwd=d)[0] == 0)
            assert run.stop() == 0, run.said()
        for name in ("stays", "changes", "new", "goes"):
            once_each(d, name)


def test_a_comment_a_description_or_a_test_restarts_nothing():
    with folder() as d:
        make(d, "one")
        with running(d, "all") as run:
            grows(d, "one")
            write(d, "all/one.yaml", "# a comment\n" + steady("one") + "description: other words\n")
            run.reload("0 new, 0 changed, 0 removed, 0 refused, 1 as they were")
            assert run.stop() == 0


def counts(d):
    files = sorted(pathlib.Path(d).glob("out/*.txt"))
    return sorted(json.loads(line) for p in files if not p.name.startswith(".")
                  for line in p.read_text().splitlines())


def test_a_changed_pipeline_goes_on_with_its_state():
    with folder() as d:
        write(d, "f.yaml", COUNTING)
        with running(d, "f.yaml") as run:
            wait_for("a count", lambda: counts(d))
            for i in range(3):
                write(d, "f.yaml", COUNTING.replace("20ms", f"{30 + i}ms"))
                run.reload("1 changed")
                before = counts(d)[-1]
                wait_for("more", lambda: counts(d)[-1] > before)
            assert run.stop() == 0, run.said()
        code, _, err = leat("run", "--until", "1_batches", "f.yaml", cwd=d)
        assert code == 0, err
        # Every batch adds its own to what was counted: the last is the number of all records.
        code, out, err = leat("state", "ls", "f.yaml", cwd=d)
        position = int(re.search(r"in  generate  (\d+)", out)[1])
        assert counts(d)[-1] == position, out


def test_a_broken_new_version_is_refused_as_check_would_and_the_old_one_goes_on():
    with folder() as d:
        make(d, "one", "two")
        with running(d, "all") as run:
            grows(d, "one")
            write(d, "all/one.yaml", steady("one").replace("rate: 1000/s", "rat: 1000/s"))
            _, _, check = leat("check", "all/one.yaml", cwd=d)
            run.reload("0 new, 0 changed, 0 removed, 1 refused, 1 as they were")
            assert "did you mean 'rate'?" in check and check.strip() in run.said(), run.said()
            assert "'all/one.yaml' is refused; the version before goes on" in run.said()
            grows(d, "one")
            write(d, "all/one.yaml", steady("one").replace("20ms", "25ms"))
            run.reload("1 changed, 0 removed, 0 refused, 1 as they were")
            grows(d, "one")
            assert run.stop() == 0, run.said()
        once_each(d, "one")


def test_a_new_version_that_would_lose_state_is_refused_while_the_old_one_runs():
    with folder() as d:
        write(d, "f.yaml", COUNTING)
        with running(d, "f.yaml") as run:
            wait_for("a count", lambda: counts(d))
            write(d, "f.yaml", COUNTING.replace("  s:", "  other:").replace("from: s,", "from: other,"))
            run.reload("1 refused")
            assert "leat: f.yaml: state would be lost" in run.said(), run.said()
            before = counts(d)[-1]
            wait_for("more", lambda: counts(d)[-1] > before)
            write(d, "f.yaml", COUNTING)
            run.reload("0 refused, 1 as they were")
            assert run.stop() == 0


def test_a_new_version_that_cannot_begin_gives_way_to_the_one_before():
    with folder() as d:
        make(d, "one")
        write(d, "blocked", "no directory")
        with running(d, "all") as run:
            grows(d, "one")
            write(d, "all/one.yaml", steady("one") + "checkpoint: { dir: blocked/one }\n")
            run.reload("1 changed")
            run.wait("the new version could not begin: .*; the version before goes on")
            grows(d, "one")
            assert run.stop() == 0, run.said()
        once_each(d, "one")


def test_a_failed_pipeline_begins_again_when_its_file_is_mended():
    with folder() as d:
        make(d, "good")
        bad = steady("bad").replace("from: in,", "from: s,").replace(
            "sinks:", "streams:\n  s: { from: in, ops: [{ map: 10 % (this - 500) }] }\nsinks:")
        write(d, "all/bad.yaml", bad)
        with running(d, "all") as run:
            run.wait("it has failed and stays so")
            run.reload("1 changed")  # asked for: once more, with the same end
            run.wait("it has failed and stays so", 2)
            write(d, "all/bad.yaml", bad.replace("10 % (this - 500)", "this"))
            run.reload("1 changed")
            wait_for("the record it had failed on", lambda: 500 in written(d, "bad"))
            assert run.stop() == 0, run.said()


def test_a_file_with_the_name_of_another_is_refused_and_that_one_goes_on():
    with folder() as d:
        make(d, "two")
        with running(d, "all") as run:
            grows(d, "two")
            write(d, "all/one.yaml", steady("two"))
            run.reload("0 new, 0 changed, 0 removed, 1 refused, 1 as they were")
            assert "both called 'two'" in run.said()
            grows(d, "two")
            assert run.stop() == 78
        once_each(d, "two")


def test_a_file_that_is_renamed_keeps_its_pipeline():
    with folder() as d:
        make(d, "one")
        with running(d, "all") as run:
            grows(d, "one")
            (pathlib.Path(d) / "all/one.yaml").rename(pathlib.Path(d) / "all/other.yml")
            run.reload("0 new, 1 changed, 0 removed, 0 refused")
            grows(d, "one")
            assert run.stop() == 0
        once_each(d, "one")


def test_a_directory_that_cannot_be_read_changes_nothing():
    with folder() as d:
        make(d, "one")
        with running(d, "all") as run:
            grows(d, "one")
            (pathlib.Path(d) / "all").rename(pathlib.Path(d) / "away")
            run.job.send_signal(signal.SIGHUP)
            run.wait("nothing is changed: cannot read the directory 'all'")
            grows(d, "one")
            (pathlib.Path(d) / "away").rename(pathlib.Path(d) / "all")
            run.reload("1 as they were")
            assert run.stop() == 0, run.said()


def test_secrets_from_files_are_read_again_and_never_shown():
    with folder() as d:
        secret = write(d, "secret", "first-secret-value\n")
        text = steady("one").replace('path: "out/NAME', 'path: "out/one').replace(
            "leat: 1\n", "leat: 1\nmemory: ${file:secret}\n")
        (pathlib.Path(d) / "all").mkdir()
        secret.write_text("64MiB\n")
        write(d, "all/one.yaml", text)
        with running(d, "all") as run:
            grows(d, "one")
            run.reload("1 as they were")
            secret.write_text("96MiB\n")
            run.reload("1 changed")
            grows(d, "one")
            secret.write_text("new-secret-value\n")
            run.reload("1 refused")
            assert "secret-value" not in run.said(), run.said()
            grows(d, "one")
            assert run.stop() == 78


def test_sigterm_while_reloads_come_ends_with_everything_committed():
    for wait in range(6):
        with folder() as d:
            make(d, "one", "two")
            with running(d, "all") as run:
                grows(d, "one")
                for i in range(10):
                    replace(d, "all/one.yaml", steady("one").replace("20ms", f"{30 + i}ms"))
                    replace(d, f"all/new{i}.yaml", steady(f"new{i}"))
                    run.job.send_signal(signal.SIGHUP)
                    if i == wait:
                        run.wait("reloaded: ")
                assert run.stop() == 0, run.said()
            once_each(d, "one")
            once_each(d, "two")
            code, _, err = leat("run", "--until", "2_batches", "all/one.yaml", cwd=d)
            assert code == 0, err
            once_each(d, "one")


def test_a_hundred_reloads_under_load_leave_no_file_open_and_lose_nothing():
    with folder() as d:
        make(d, "one", "two")
        with running(d, "all") as run:
            grows(d, "one")
            fds = f"/proc/{run.job.pid}/fd"
            for i in range(100):
                write(d, "all/one.yaml", steady("one").replace("20ms", f"{30 + i % 2}ms"))
                run.reload("1 changed")
                if i == 10:
                    grows(d, "one")
                    before = len(os.listdir(fds))
            grows(d, "one")
            wait_for("files to be closed", lambda: len(os.listdir(fds)) <= before + 4)
            assert run.stop() == 0, run.said()
        once_each(d, "one")
        once_each(d, "two")


main(sys.modules[__name__])
