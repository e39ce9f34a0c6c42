#!/usr/bin/env python3
"""kill -9 at any moment, SIGTERM, a second signal: nothing is lost, no file is ever partial."""
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import job, to_files, to_topic  # noqa: E402
from kafka_test import T0, Broker, Leat  # noqa: E402
from leat_test import folder, leat, main, wait_for  # noqa: E402

BROKER = Broker()
KILLS = 60 if os.environ.get("LEAT_FULL") else 8
SEED = int(os.environ.get("LEAT_SEED", time.time_ns() % 1_000_000))
RECORDS = 40_000


def fill(topic, parts=4):
    BROKER.topic(topic, parts)
    for p in range(parts):
        BROKER.produce_lines(topic, [json.dumps({"n": n}) for n in range(p, RECORDS, parts)],
                             "-p", str(p))


def kill_at_random(file, moments, each=lambda: None):
    """Starts leat and kills it, over and over, a little after it has begun to work."""
    chance = random.Random(SEED)
    for _ in range(moments):
        with Leat("run", file) as run:
            try:
                run.wait(chance.uniform(0.05, 0.6))
                raise AssertionError(f"it ended: {run.log}")
            except subprocess.TimeoutExpired:
                pass
            run.kill()
        each()


def numbers_of(paths):
    """Every line must be a whole record."""
    return [json.loads(line)["n"] for p in paths for line in p.read_text().splitlines()]


def test_killed_at_random_from_topic_to_topic_nothing_is_lost():
    print(f"seed {SEED}")
    fill("crash.in")
    BROKER.topic("crash.out", 4)
    with folder() as dir:
        file = job(dir, "crash", BROKER.address, "topic: crash.in, start: earliest",
                   to_topic("crash.out"))
        file.write_text(file.read_text().replace("every: 100ms", "every: 50ms, max_records: 1500"))
        kill_at_random(file, KILLS)
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
    found = [json.loads(v)["n"] for v in BROKER.values("crash.out")]
    assert set(found) == set(range(RECORDS)), f"seed {SEED}"
    assert {p: c[0] for p, c in BROKER.committed("crash", "crash.in", 4).items()} == {
        p: RECORDS // 4 for p in range(4)}


def finals(dir):
    return [p for p in pathlib.Path(dir, "out").rglob("*.jsonl") if not p.name.startswith(".")]


def kill_into_files(name, roll, may_repeat):
    fill(name)
    with folder() as dir:
        file = job(dir, name.replace(".", "-"), BROKER.address, f"topic: {name}, start: earliest",
                   to_files(f"{dir}/out", roll))
        file.write_text(file.read_text().replace("every: 100ms", "every: 50ms, max_records: 1500"))
        seen = {}

        def look():
            for p in finals(dir):
                text = p.read_bytes()
                assert text == b"" or text.endswith(b"\n"), f"{p} is cut, seed {SEED}"
                assert seen.setdefault(p, text) == text, f"{p} changed, seed {SEED}"

        kill_at_random(file, KILLS, look)
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        look()
        found = numbers_of(finals(dir))
        assert set(found) == set(range(RECORDS)), f"seed {SEED}"
        assert may_repeat or len(found) == RECORDS, f"seed {SEED}: duplicates"
        left = [p for p in pathlib.Path(dir, "out").rglob("*") if p.is_file() and p not in finals(dir)]
        assert not left, f"temporary files are left: {left}, seed {SEED}"


def test_killed_at_random_files_of_a_batch_are_whole():
    kill_into_files("files.in", "", True)


def test_killed_at_random_files_that_roll_are_whole():
    kill_into_files("roll.in", "every: 400ms, size: 64KiB", True)


def test_sigterm_finishes_the_batch_commits_and_ends_with_0():
    fill("term.in")
    with folder() as dir:
        file = job(dir, "term", BROKER.address, "topic: term.in, start: earliest",
                   to_files(f"{dir}/out"))
        file.write_text(file.read_text().replace("every: 100ms", "every: 50ms, max_records: 500"))
        with Leat("run", file) as run:
            wait_for("a first file", lambda: finals(dir))
            begun = time.monotonic()
            assert run.stop() == 0, run.log
            assert time.monotonic() - begun < 10
        found = numbers_of(finals(dir))
        assert len(found) == len(set(found))
        # What is in files is committed, and nothing else.
        committed = BROKER.committed("term", "term.in", 4)
        assert sum(offset for offset, _ in committed.values()) == len(found), committed
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        assert sorted(numbers_of(finals(dir))) == list(range(RECORDS))


def test_a_second_signal_ends_it_at_once():
    BROKER.topic("two.in")
    BROKER.produce("two.in", ['{"n":1}'])
    with folder() as dir:
        file = job(dir, "two", BROKER.address, "topic: two.in, start: earliest",
                   to_topic("two.missing"))  # the batch waits for its topic
        with Leat("run", file) as run:
            run.wait_log("two.missing")
            run.signal(signal.SIGTERM)
            run.signal(signal.SIGINT)
            begun = time.monotonic()
            assert run.wait() != 0
            assert time.monotonic() - begun < 2


def test_a_stop_while_the_sink_waits_ends_in_time_and_the_batch_comes_again():
    BROKER.topic("stuck.in")
    BROKER.produce("stuck.in", ['{"n":1}'])
    with folder() as dir:
        file = job(dir, "stuck", BROKER.address, "topic: stuck.in, start: earliest",
                   to_topic("stuck.out"))
        with Leat("run", file) as run:
            run.wait_log("stuck.out")
            begun = time.monotonic()
            assert run.stop() == 1, run.log
            assert time.monotonic() - begun < 10
            assert "comes again" in run.log, run.log
        BROKER.topic("stuck.out")
        assert leat("run", file, "--until", "caught_up")[0] == 0
    assert BROKER.values("stuck.out") == ['{"n":1}']


def test_what_was_logged_and_not_committed_is_committed_at_the_next_start():
    BROKER.topic("behind.log")
    BROKER.topic("behind.out")
    BROKER.produce("behind.log", [json.dumps({"n": n}) for n in range(10)])
    with folder() as dir:
        file = job(dir, "behind", BROKER.address, "topic: behind.log, start: earliest",
                   to_topic("behind.out"))
        for point, committed in (("run.ran", 10), ("finish.after", 20)):
            with Leat("run", file, env={"LEAT_FAILPOINT": point}) as run:
                run.wait()
                assert f"failpoint {point} reached" in run.log, run.log
            code, _, err = leat("run", file, "--until", "caught_up")
            assert code == 0, err
            assert BROKER.committed("behind", "behind.log")[0][0] == committed
            BROKER.produce("behind.log", [json.dumps({"n": n}) for n in range(10, 20)])
    assert [json.loads(v)["n"] for v in BROKER.values("behind.out")] == list(range(20))


def test_what_windows_hold_survives_a_kill():
    BROKER.topic("held.in")
    BROKER.topic("held.out")
    with folder() as dir:
        ops = """      - key_by: k
      - window: { size: 1h }
      - aggregate:
          many: count()
"""
        file = job(dir, "held", BROKER.address, "topic: held.in, start: earliest",
                   to_topic("held.out"), ops, "format: json\n    time: fromMillis(n)")
        for n in range(3):
            BROKER.produce("held.in", [json.dumps({"k": "a", "n": T0})])
            with Leat("run", file) as run:
                wait_for("its commit", lambda: BROKER.committed("held", "held.in", 1).get(
                    0, (0, ""))[0] == n + 1)
                run.kill()
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        found = [json.loads(v) for v in BROKER.values("held.out")]
        assert [v["many"] for v in found] == [3], found


main(sys.modules[__name__])
