#!/usr/bin/env python3
"""`leat run --from T --to T`: what was written between two times, and nothing else."""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import ALL, job, to_topic  # noqa: E402
from kafka_test import T0, Broker  # noqa: E402
from leat_test import folder, leat, main, write  # noqa: E402

BROKER = Broker()


def at(seconds):
    import datetime
    t = datetime.datetime.fromtimestamp(T0 / 1000 + seconds, datetime.timezone.utc)
    return t.strftime("%Y-%m-%dT%H:%M:%S.") + f"{t.microsecond // 1000:03}Z"


def fill(name):
    BROKER.topic(name + ".in", 2)
    BROKER.topic(name + ".out")
    for partition in range(2):
        BROKER.produce(name + ".in", [(None, json.dumps({"n": n}).encode(), T0 + n * 1000)
                                      for n in range(partition, 100, 2)], partition)


def numbers(topic):
    return sorted(json.loads(v)["n"] for v in BROKER.values(topic))


def test_a_run_between_two_times_has_their_records_exactly():
    fill("between")
    with folder() as dir:
        file = job(dir, "between", BROKER.address, "topic: between.in", to_topic("between.out"))
        code, _, err = leat("run", file, "--from", at(20), "--to", at(60))
        assert code == 0, err
        assert numbers("between.out") == list(range(20, 60))
        # And it goes on from there.
        code, _, err = leat("run", file, "--to", at(70))
        assert code == 0, err
        assert numbers("between.out") == list(range(20, 70))
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        assert numbers("between.out") == list(range(20, 100))


def test_from_passes_over_what_the_group_has_read_but_not_over_state():
    fill("again")
    with folder() as dir:
        file = job(dir, "again", BROKER.address, "topic: again.in, start: earliest",
                   to_topic("again.out"))
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        code, _, err = leat("run", file, "--from", "earliest", "--to", at(10))
        assert code == 1 and "leat state reset" in err, err
        assert len(numbers("again.out")) == 100
    with folder() as dir:  # nothing is remembered there
        file = job(dir, "again", BROKER.address, "topic: again.in", to_topic("again.out"))
        code, _, err = leat("run", file, "--from", "earliest", "--to", at(10))
        assert code == 0, err
        assert numbers("again.out") == sorted([*range(100), *range(10)])


def test_files_are_taken_by_the_time_of_their_last_change():
    with folder() as dir:
        (pathlib.Path(dir) / "in").mkdir()
        for n in range(5):
            os.utime(write(dir, f"in/{n}.txt", f"{n}\n"), (T0 / 1000 + n, T0 / 1000 + n))
        file = write(dir, "job.yaml", f"""leat: 1
name: by-time
checkpoint: {{ dir: {dir}/state }}
sources: {{ in: {{ files: {{ path: {dir}/in }}, format: text }} }}
sinks: {{ out: {{ from: in, console: {{}}, format: text }} }}
""")
        code, out, err = leat("run", file, "--from", at(1), "--to", at(3))
        assert code == 0 and out.split() == ["1", "2"], (out, err)


def test_what_makes_no_sense_is_told():
    with folder() as dir:
        file = job(dir, "wrong", "localhost:1", "topic: t", to_topic("o"), ALL)
        for words, says in ((["--from", "yesterday"], "2026-01-01T10:00:00Z"),
                            (["--to", "earliest"], "--to wants a time"),
                            (["--from", at(2), "--to", at(1)], "before --from")):
            code, _, err = leat("run", file, *words)
            assert code == 2 and says in err, (words, err)
        made = write(dir, "made.yaml", f"""leat: 1
name: made
checkpoint: {{ dir: {dir}/state }}
sources: {{ in: {{ generate: {{ count: 3, value: i }} }} }}
sinks: {{ out: {{ from: in, console: {{}} }} }}
""")
        code, _, err = leat("run", made, "--from", at(1))
        assert code == 78 and "'generate' cannot" in err, err


main(sys.modules[__name__])
