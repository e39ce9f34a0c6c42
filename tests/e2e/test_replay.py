#!/usr/bin/env python3
"""`leat replay`: a batch made again from what the log says it read, and as a test case."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import job, to_topic  # noqa: E402
from kafka_test import T0, Broker, Leat  # noqa: E402
from leat_test import folder, leat, main, wait_for, write  # noqa: E402

BROKER = Broker()
SUM = ("      - key_by: k\n      - map_values: n\n"
       "      - update_state_by_key: { update: 'default(state, 0) + values.sum()' }\n")


def files_job(dir, delivery="exactly_once", more="", ops=SUM):
    (pathlib.Path(dir) / "in").mkdir(exist_ok=True)
    return write(dir, "job.yaml", f"""leat: 1
name: again
delivery: {delivery}
batch: {{ every: 50ms }}
checkpoint: {{ dir: {dir}/state }}
{more}
sources: {{ in: {{ files: {{ path: {dir}/in }}, format: json }} }}
streams:
  s:
    from: in
    ops:
{ops}
sinks: {{ out: {{ from: s, files: {{ path: "{dir}/out/{{file}}.jsonl" }}, format: json }} }}
""")


def batch(dir, file, name, *rows):
    write(dir, f"in/{name}.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
    code, _, err = leat("run", file, "--until", "caught_up")
    assert code == 0, err


def replay(file, n, *words):
    code, out, err = leat("replay", file, "--batch", n, *words)
    assert code == 0, err
    return out, err


def test_each_batch_gives_again_what_it_gave_with_the_state_it_had():
    with folder() as dir:
        file = files_job(dir)
        batch(dir, file, "1", {"k": "a", "n": 1}, {"k": "b", "n": 10})
        batch(dir, file, "2", {"k": "a", "n": 2})
        batch(dir, file, "3", {"k": "a", "n": 4}, {"k": "b", "n": 20})
        before = sorted(p.read_text() for p in (pathlib.Path(dir) / "out").iterdir())
        assert "\ta\t1\n" in replay(file, 1)[0] and "\tb\t10\n" in replay(file, 1)[0]
        out, err = replay(file, 2)
        assert out == f"== out: 1 records\n{dir}/out/{{file}}.jsonl\ta\t3\n", out
        assert "2.jsonl from 0 to" in err, err
        out, _ = replay(file, 3)
        assert "\ta\t7\n" in out and "\tb\t30\n" in out, out
        assert sorted(p.read_text() for p in (pathlib.Path(dir) / "out").iterdir()) == before
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err


def test_what_is_not_there_is_named():
    with folder() as dir:
        file = files_job(dir)
        code, _, err = leat("replay", file, "--batch", "1")
        assert code == 1 and "never ran" in err, err
        batch(dir, file, "1", {"k": "a", "n": 1})
        code, _, err = leat("replay", file, "--batch", "5")
        assert code == 1 and "the last is 1" in err, err
        (pathlib.Path(dir) / "in/1.jsonl").unlink()
        code, _, err = leat("replay", file, "--batch", "1")
        assert code == 1 and "1.jsonl" in err and "not there" in err, err
        for words in ([file], [file, "--batch", "0"], ["--batch", "1"]):
            assert leat("replay", *words)[0] == 2


def test_a_batch_becomes_a_test_case_that_passes():
    with folder() as dir:
        file = files_job(dir)
        batch(dir, file, "1", {"k": "a", "n": 1}, {"k": "b", "n": 10}, {"k": "a", "n": 5})
        out, _ = replay(file, 1, "--as-test")
        tested = write(dir, "tested.yaml", file.read_text() + out)
        code, shown, err = leat("test", tested)
        assert code == 0, (out, shown, err)
        tested.write_text(tested.read_text().replace("value: 6", "value: 7"))
        assert leat("test", tested)[0] == 65
        batch(dir, file, "2", {"k": "a", "n": 1})
        _, err = replay(file, 2, "--as-test")
        assert "state before it is not part of the test" in err, err


def test_windows_of_a_topic_close_in_a_replay_as_they_did():
    BROKER.topic("replay.in", 2)
    BROKER.topic("replay.out")
    base = T0 // 10000 * 10000  # a window of 1970 would be past its retention in the topic
    ops = ("      - key_by: k\n      - window: { size: 10s }\n"
           "      - aggregate: { n: count() }\n")
    with folder() as dir:
        file = job(dir, "replay", BROKER.address, "topic: replay.in, start: earliest",
                   to_topic("replay.out"), ops, "format: json\n    time: fromMillis(t)",
                   more="delivery: exactly_once")
        with Leat("run", file) as run:
            for second in (1, 12, 25):
                BROKER.produce("replay.in", [json.dumps({"k": k, "t": base + second * 1000}).encode()
                                             for k in ("a", "b")], second % 2)
                if second > 1:
                    BROKER.produce("replay.in", [json.dumps({"k": "c", "t": base + second * 1000}).encode()],
                                   1 - second % 2)
                    wait_for("a window", lambda s=second: len(BROKER.values("replay.out")) >=
                             {12: 2, 25: 5}[s])
            code, _, err = leat("replay", file, "--batch", "1")
            assert code == 75 and "checkpoint.dir=COPY" in err, err
            run.process.terminate()
            assert run.process.wait(10) == 0, run.log
        given, n = [], 1
        while (done := leat("replay", file, "--batch", n))[0] == 0:
            given += [line.rsplit("\t", 1)[1] for line in done[1].splitlines() if "\t" in line]
            n += 1
        assert "the last is" in done[2], done
        assert sorted(map(str, map(json.loads, given))) == sorted(
            map(str, map(json.loads, BROKER.values("replay.out")))), given


main(sys.modules[__name__])
