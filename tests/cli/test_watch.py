#!/usr/bin/env python3
"""`leat run --watch`: what changes in files and folders is taken over, as SIGHUP would have it."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_run import grows, make, once_each, replace, running, steady, watching, written  # noqa: E402
from leat_test import LEAT, Skip, folder, leat, main, wait_for, write  # noqa: E402

CALM_S = 0.3  # a file that stays the same for so long is read


def reloads(run):
    return re.findall("reloaded: .*", run.said())


def expect(run, what):
    """A reload that found this comes by itself."""
    run.wait("reloaded: .*" + what)


def renamed(name):
    """Another version, whose output has other names."""
    return steady(name).replace(f"out/{name}-", f"out/other-{name}-")


def wakes(run):
    """How often the main thread has waited so far."""
    status = pathlib.Path(f"/proc/{run.job.pid}/task/{run.job.pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status, re.M)[1])


def inotify_lines(run):
    """What the kernel says of leat's watches; files that leat closes meanwhile have none."""
    lines = []
    for fd in pathlib.Path(f"/proc/{run.job.pid}/fdinfo").iterdir():
        with contextlib.suppress(FileNotFoundError):
            lines += [line for line in fd.read_text().splitlines() if line.startswith("inotify ")]
    return lines


def is_watched(run, path):
    """The kernel tells leat about this folder."""
    return any(f" ino:{os.stat(path).st_ino:x} " in line for line in inotify_lines(run))


def watches(run):
    return len(inotify_lines(run))


def test_a_file_that_another_is_renamed_to_is_read_and_the_others_are_left_alone():
    with watching("one", "two", once=["two"]) as (d, run):
        replace(d, "all/one.yaml", renamed("one"))
        expect(run, "0 new, 1 changed, 0 removed, 0 refused, 1 as they were")
        grows(d, "other-one")


def test_a_file_that_is_changed_in_place_is_read():
    with watching("one", "two") as (d, run):
        write(d, "all/one.yaml", renamed("one"))
        expect(run, "0 new, 1 changed, 0 removed, 0 refused, 1 as they were")
        grows(d, "other-one")


def test_a_file_that_was_named_alone_is_read_when_it_changes_and_its_neighbours_are_not():
    with watching("one", path="all/one.yaml") as (d, run):
        write(d, "all/neighbour.yaml", steady("neighbour"))
        replace(d, "all/one.yaml", renamed("one"))
        expect(run, "0 new, 1 changed, 0 removed, 0 refused, 0 as they were")
        grows(d, "other-one")
        assert not written(d, "neighbour")


def test_a_new_file_begins_and_one_that_is_removed_ends():
    with watching("one", once=["one", "two"]) as (d, run):
        write(d, "all/two.yaml", steady("two"))
        expect(run, "1 new, 0 changed, 0 removed, 0 refused, 1 as they were")
        grows(d, "two")
        (pathlib.Path(d) / "all/one.yaml").unlink()
        expect(run, "0 new, 0 changed, 1 removed, 0 refused, 1 as they were")
        # Who has stopped has given its directory back.
        wait_for("the removed one to stop", lambda: leat(
            "state", "reset", write(d, "one.yaml", steady("one")), cwd=d)[0] == 0)


def test_when_the_last_file_is_removed_leat_waits_for_the_next():
    with watching("one") as (d, run):
        (pathlib.Path(d) / "all/one.yaml").unlink()
        expect(run, "1 removed")
        make(d, "two")
        expect(run, "1 new")
        grows(d, "two")


def test_the_only_pipeline_that_fails_begins_again_when_its_file_is_mended():
    with folder() as d:
        bad = steady("bad").replace("from: in,", "from: s,").replace(
            "sinks:", "streams:\n  s: { from: in, ops: [{ map: 10 % (this - 5) }] }\nsinks:")
        write(d, "bad.yaml", bad)
        with running(d, "--watch", "bad.yaml") as run:
            run.wait("it has failed and stays so until its file changes")
            write(d, "bad.yaml", bad.replace("10 % (this - 5)", "this"))
            expect(run, "1 changed")
            wait_for("the record it had failed on", lambda: 5 in written(d, "bad"))
            assert run.stop() == 0, run.said()


def test_a_broken_new_version_is_refused_and_the_old_one_goes_on_until_it_is_mended():
    with watching("one") as (d, run):
        write(d, "all/one.yaml", steady("one").replace("rate: 1000/s", "rat: 1000/s"))
        expect(run, "0 new, 0 changed, 0 removed, 1 refused")
        assert "did you mean 'rate'?" in run.said(), run.said()
        assert "'all/one.yaml' is refused; the version before goes on" in run.said()
        grows(d, "one")
        write(d, "all/one.yaml", renamed("one"))
        expect(run, "1 changed, 0 removed, 0 refused")
        grows(d, "other-one")


def test_a_folder_that_is_removed_stops_nothing_and_is_watched_when_it_is_made_again():
    with watching("one", once=["one"]) as (d, run):
        for i in range(2):
            shutil.copytree(f"{d}/all", f"{d}/away")
            shutil.move(f"{d}/all", f"{d}/gone{i}")
            shutil.rmtree(f"{d}/gone{i}")
            run.wait("nothing is changed: cannot read the directory 'all'", i + 1)
            grows(d, "one")
            os.rename(f"{d}/away", f"{d}/all")
            run.wait("reloaded: 0 new, 0 changed, 0 removed, 0 refused, 1 as they were", i + 1)
            assert is_watched(run, f"{d}/all") and is_watched(run, d) and watches(run) == 2
        replace(d, "all/two.yaml", steady("two"))
        expect(run, "1 new")
        grows(d, "two")


def test_a_folder_whose_own_folder_was_away_is_found_again():
    with folder() as d:
        os.makedirs(f"{d}/above/all")
        write(d, "above/all/one.yaml", steady("one"))
        with running(d, "--watch", "above/all/") as run:
            grows(d, "one")
            os.rename(f"{d}/above", f"{d}/away")
            run.wait("nothing is changed: cannot read the directory")
            os.rename(f"{d}/away", f"{d}/above")
            expect(run, "1 as they were")
            write(d, "above/all/two.yaml", steady("two"))
            expect(run, "1 new")
            assert run.stop() == 0, run.said()


def test_a_link_further_up_that_is_switched_to_another_release_is_noticed_though_nobody_tells():
    with folder() as d:
        for version, text in (("1", steady("one")), ("2", renamed("one"))):
            os.makedirs(f"{d}/releases/{version}/conf/all")
            write(d, f"releases/{version}/conf/all/one.yaml", text)
        os.symlink("releases/1", f"{d}/current")
        with running(d, "--watch", "current/conf/all") as run:
            grows(d, "one")
            os.symlink("releases/2", f"{d}/next")
            os.rename(f"{d}/next", f"{d}/current")
            expect(run, "0 new, 1 changed")
            # From now on the folder of the new release is watched, and nothing else.
            assert is_watched(run, f"{d}/releases/2/conf/all") and watches(run) == 2
            replace(d, "releases/2/conf/all/two.yaml", steady("two"))
            expect(run, "1 new")
            assert run.stop() == 0, run.said()


def test_links_that_are_switched_over_as_kubernetes_does_it_are_a_change():
    with folder() as d:
        for version, text in (("v1", steady("one")), ("v2", renamed("one"))):
            (pathlib.Path(d) / "all" / version).mkdir(parents=True)
            write(d, f"all/{version}/one.yaml", text)
        os.symlink("v1", f"{d}/all/..data")
        os.symlink("..data/one.yaml", f"{d}/all/one.yaml")
        with running(d, "--watch", "all") as run:
            grows(d, "one")
            os.symlink("v2", f"{d}/all/..next")
            os.rename(f"{d}/all/..next", f"{d}/all/..data")
            expect(run, "0 new, 1 changed")
            grows(d, "other-one")
            assert run.stop() == 0, run.said()


def test_a_burst_of_a_thousand_writes_leads_to_few_reloads_and_the_last_one_counts():
    with watching("one") as (d, run):
        before, begun = wakes(run), time.monotonic()
        i, last, longest = 0, begun, 0
        while i < 1000 or last < begun + 4 * CALM_S:
            i += 1
            write(d, "all/one.yaml", steady("one").replace("20ms", f"{30 + i}ms"))
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        # It is waited until they are over, unless we were not let run meanwhile.
        assert not reloads(run) or longest > CALM_S / 2, run.said()
        write(d, "all/one.yaml", renamed("one"))
        looks = (time.monotonic() - begun) / CALM_S
        grows(d, "other-one")
        assert len(reloads(run)) <= 2 + looks, run.said()
        assert wakes(run) - before < 100 + 10 * looks, (before, wakes(run))


def test_a_file_that_never_comes_to_rest_is_read_all_the_same_but_seldom():
    with watching("one", "two") as (d, run):
        done = threading.Event()

        def write_on():
            i = 0
            while not done.wait(0.02):
                i += 1
                replace(d, "all/two.yaml", steady("two").replace("20ms", f"{30 + i % 50}ms"))

        writer = threading.Thread(target=write_on)
        begun = time.monotonic()
        writer.start()
        try:
            write(d, "all/one.yaml", renamed("one"))
            grows(d, "other-one")
        finally:
            done.set()
            writer.join()
        assert len(reloads(run)) <= 2 + (time.monotonic() - begun) / 2, run.said()


def test_ten_thousand_other_files_in_the_folder_cause_no_reload_and_keep_nobody_busy():
    with watching("one") as (d, run):
        before, begun = wakes(run), time.monotonic()
        for i in range(10000):
            write(d, f"all/{i}.txt", "x")
        for i in range(10000):
            os.unlink(f"{d}/all/{i}.txt")
        looks = (time.monotonic() - begun) / CALM_S
        assert wakes(run) - before < 500 + 10 * looks, (before, wakes(run), looks)
        assert not reloads(run), run.said()
        write(d, "all/two.yaml", steady("two"))
        expect(run, "1 new, 0 changed")
        assert len(reloads(run)) == 1, run.said()


def test_sighup_reloads_beside_it():
    with watching("one") as (d, run):
        run.reload("1 as they were")


def run_with_limit(d, name):
    """`leat run --watch` where the user may have none of these."""
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", f'echo 0 > /proc/sys/user/{name} || exit 99; exec "$@"', "sh",
         LEAT, "run", "--watch", "all"], cwd=d, capture_output=True, text=True, timeout=60)
    if done.returncode == 99 or "unshare" in done.stderr:
        raise Skip("no user namespace to be had: " + done.stderr.strip())
    return done


def test_a_limit_that_is_reached_is_said_with_the_setting_that_raises_it():
    with folder() as d:
        make(d, "one")
        done = run_with_limit(d, "max_inotify_watches")
        assert done.returncode != 0, done.stderr
        assert done.stderr.startswith("leat: --watch: cannot watch the directory '"), done.stderr
        assert "fs.inotify.max_user_watches" in done.stderr, done.stderr
        done = run_with_limit(d, "max_inotify_instances")
        assert done.returncode != 0 and "fs.inotify.max_user_instances" in done.stderr, done.stderr
        assert not written(d, "one")


def test_watching_and_ending_by_itself_exclude_each_other():
    for words in (("--until", "caught_up"), ("--to", "2026-01-01")):
        code, _, err = leat("run", "--watch", *words, "x.yaml")
        assert code == 2 and "--watch waits for changes until a signal comes" in err, err


def test_sigterm_while_files_change_ends_with_everything_committed():
    with folder() as d:
        make(d, "one", "two")
        with running(d, "--watch", "all") as run:
            grows(d, "one")
            replace(d, "all/one.yaml", steady("one").replace("20ms", "30ms"))
            run.job.send_signal(signal.SIGTERM)
            assert run.job.wait(timeout=120) == 0, run.said()
        once_each(d, "one")
        once_each(d, "two")


main(sys.modules[__name__])
