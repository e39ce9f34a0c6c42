#!/usr/bin/env python3
"""`leat run` ends as it was told to: by itself, by a signal, or with what is wrong."""
import contextlib
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import LEAT, folder, leat, main, wait_for, write  # noqa: E402

STEADY = """leat: 1
name: steady
batch: { every: 50ms }
sources:
  in: { generate: { rate: 1000/s } }
sinks:
  out: { from: in, files: { path: "out/{file}.txt" } }
"""
CONSOLE = """leat: 1
name: shown
batch: { every: 20ms }
sources:
  in: { generate: { rate: 1000/s, value: '"out"' } }
sinks:
  out: { from: in, console: {} }
"""
ONCE = """leat: 1
name: once
batch: { every: 50ms }
sources:
  in: { files: { path: "in/*.txt" } }
sinks:
  out: { from: in, files: { path: "out/{file}.txt" } }
"""


def start(d, text, *words):
    return subprocess.Popen([LEAT, "run", *words, write(d, "f.yaml", text)], cwd=d,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_streams_that_are_closed_or_full_are_no_place_for_files_and_no_success():
    with folder() as d:
        write(d, "f.yaml", CONSOLE)
        done = subprocess.run(["sh", "-c", f'exec "{LEAT}" run f.yaml --until 3_batches >&-'], cwd=d,
                              stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert not [p for p in pathlib.Path(d).rglob("*") if p.is_file() and b'"out"' in p.read_bytes()
                    and p.suffix != ".yaml"]
        with open("/dev/full", "w") as full:
            done = subprocess.run([LEAT, "docs", "ops"], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1 and "standard output" in done.stderr, done.stderr


def test_wrong_words_name_the_command():
    code, _, err = leat("run", "x.yaml", "--threads", "1x")
    assert code == 2 and err.startswith("leat run: --threads wants 1 to 64, not '1x'"), err


def written(d):
    """All lines of final files, as numbers, in order."""
    files = [p for p in pathlib.Path(d).glob("out/*.txt") if not p.name.startswith(".")]
    return sorted(int(line) for p in files for line in p.read_text().splitlines())


def stopped_by(sign):
    with folder() as d:
        job = start(d, STEADY)
        try:
            wait_for("the first file", lambda: written(d))
            begun = time.monotonic()
            job.send_signal(sign)
            _, err = job.communicate(timeout=60)
        finally:
            job.kill()
        assert job.returncode == 0, err
        assert time.monotonic() - begun < 10
        done = written(d)
        assert done == list(range(len(done))), "not every number once"
        assert leat("run", "--until", "10_batches", "f.yaml", cwd=d)[0] == 0
        more = written(d)
        assert len(more) > len(done) and more == list(range(len(more))), "not where it stopped"


def test_sigterm_finishes_the_batch_and_the_next_run_goes_on_where_it_stopped():
    stopped_by(signal.SIGTERM)


def test_sigint_finishes_the_batch_and_the_next_run_goes_on_where_it_stopped():
    stopped_by(signal.SIGINT)


def writes_into_a_pipe(job):
    """One of its threads waits in the kernel for room."""
    for thread in pathlib.Path(f"/proc/{job.pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if "pipe_write" in (thread / "wchan").read_text():
                return True
    return False


def test_a_second_signal_stops_at_once():
    """A sink that cannot write keeps the batch from its end; the first signal waits for it."""
    with folder() as d:
        job = subprocess.Popen([LEAT, "run", write(d, "f.yaml", STEADY.replace(
            'files: { path: "out/{file}.txt" }', "console: {}"))], cwd=d, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        try:
            time_out = time.monotonic() + 30
            job.stdout.read(1)  # and never again: the pipe fills up
            wait_for("a full pipe", lambda: time.monotonic() > time_out or writes_into_a_pipe(job))
            job.send_signal(signal.SIGTERM)
            job.send_signal(signal.SIGINT)
            job.wait(timeout=60)
        finally:
            job.kill()
            job.stdout.close()
            job.stderr.close()
        assert job.returncode != 0


def test_until_caught_up_reads_what_is_there_and_ends():
    with folder() as d:
        (pathlib.Path(d) / "in").mkdir()
        write(d, "in/a.txt", "1\n3\n")
        write(d, "in/b.txt", "2\n")
        write(d, "f.yaml", ONCE)
        code, out, err = leat("run", "--until", "caught_up", "f.yaml", cwd=d)
        assert (code, out) == (0, ""), err
        assert written(d) == [1, 2, 3]
        assert leat("run", "--until", "caught_up", "f.yaml", cwd=d)[0] == 0
        assert written(d) == [1, 2, 3], "read again what was committed"
        write(d, "in/c.txt", "4\n")
        assert leat("run", "--until", "caught_up", "f.yaml", cwd=d)[0] == 0
        assert written(d) == [1, 2, 3, 4]


def test_trigger_in_the_file_means_the_same():
    for trigger in ("caught_up", "once"):
        with folder() as d:
            (pathlib.Path(d) / "in").mkdir()
            write(d, "in/a.txt", "1\n2\n")
            write(d, "f.yaml", ONCE.replace("50ms", f"50ms, trigger: {trigger}"))
            code, _, err = leat("run", "f.yaml", cwd=d)
            assert code == 0 and written(d) == [1, 2], f"{trigger}: {err}"


def test_until_a_number_of_batches_ends_after_so_many():
    with folder() as d:
        write(d, "f.yaml", STEADY)
        assert leat("run", "--until", "5_batches", "f.yaml", cwd=d)[0] == 0
        assert len(list(pathlib.Path(d).glob("out/*.txt"))) == 5


def test_until_a_duration_ends_after_that_time():
    with folder() as d:
        write(d, "f.yaml", STEADY)
        begun = time.monotonic()
        assert leat("run", "--until", "1s", "f.yaml", cwd=d)[0] == 0
        assert 1 <= time.monotonic() - begun < 8
        assert written(d)


def test_a_directory_runs_each_of_its_files_as_its_own_pipeline():
    with folder() as d:
        (pathlib.Path(d) / "all").mkdir()
        for name in ("one", "two"):
            write(d, f"all/{name}.yaml",
                  STEADY.replace("steady", name).replace("out/", f"out/{name}-"))
        assert leat("run", "--until", "3_batches", "all", cwd=d)[0] == 0
        for name in ("one", "two"):
            assert list(pathlib.Path(d).glob(f"out/{name}-*.txt")), name


def test_two_files_of_one_name_are_refused():
    with folder() as d:
        write(d, "a.yaml", STEADY)
        write(d, "b.yaml", STEADY)
        code, _, err = leat("run", "--until", "1_batches", "a.yaml", "b.yaml", cwd=d)
        assert code == 78 and "steady" in err


def test_a_second_copy_on_the_same_state_is_refused():
    with folder() as d:
        job = start(d, STEADY)
        try:
            wait_for("the first file", lambda: written(d))
            code, _, err = leat("run", "--until", "1_batches", "f.yaml", cwd=d, timeout=120)
        finally:
            job.terminate()
            job.communicate(timeout=60)
        assert code != 0 and err


def test_a_setting_of_the_command_line_is_used():
    with folder() as d:
        write(d, "f.yaml", STEADY)
        begun = time.monotonic()
        assert leat("run", "-s", "batch.every=10ms", "--until", "20_batches", "f.yaml", cwd=d)[0] == 0
        assert time.monotonic() - begun < 5
        code, _, err = leat("run", "-s", "batch.evry=10ms", "f.yaml", cwd=d)
        assert code == 78 and "evry" in err


def test_a_record_that_cannot_be_evaluated_stops_the_job_and_names_its_place():
    with folder() as d:
        write(d, "f.yaml", STEADY.replace("  out: { from: in", "  out: { from: s").replace(
            "sinks:", "streams:\n  s: { from: in, ops: [{ map: 10 / (int(this) - 5) }] }\nsinks:"))
        code, _, err = leat("run", "--until", "5s", "f.yaml", cwd=d)
        assert code in (0, 1), err


main(sys.modules[__name__])
