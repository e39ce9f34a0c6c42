#!/usr/bin/env python3
"""A broker that is late, gone, full of refusals: what leat says, that it waits and loses nothing."""
import json
import os
import pathlib
import shutil
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import job, to_files, to_topic  # noqa: E402
from kafka_test import Broker, Leat  # noqa: E402
from leat_test import folder, leat, main, wait_for  # noqa: E402

# Quick to notice that an earlier life of the same broker is over.
BROKER = Broker("--memory", "256m", "broker.session.timeout.ms=1500", "broker.heartbeat.interval.ms=300")


def numbers(first, past):
    return [json.dumps({"n": n}) for n in range(first, past)]


def arrived(topic):
    return {json.loads(v)["n"] for v in BROKER.values(topic)}


def wait_arrived(topic, count, seconds=60):  # machines that tests run on may be busy
    wait_for(f"{count} records in {topic}", lambda: arrived(topic) >= set(range(count)), seconds)


def test_a_broker_that_comes_later_is_waited_for_without_burning_time():
    BROKER.topic("later.in")
    BROKER.topic("later.out")
    BROKER.produce("later.in", numbers(0, 100))
    with folder() as dir:
        file = job(dir, "later", BROKER.address, "topic: later.in, start: earliest",
                   to_topic("later.out"))
        BROKER.kill()
        with Leat("run", file) as run:
            run.wait_log("later in")
            assert BROKER.address in run.log, run.log
            assert "trying again" in run.log, run.log
            before = run.cpu_seconds()
            BROKER.restart()
            assert run.cpu_seconds() - before < 0.3, "waiting costs next to nothing"
            wait_arrived("later.out", 100)
            assert len(run.log.splitlines()) < 12, run.log
            assert run.stop() == 0, run.log


def test_a_broker_killed_and_back_while_it_runs_costs_no_record():
    BROKER.topic("back.in", 2)
    BROKER.topic("back.out", 2)
    BROKER.produce("back.in", numbers(0, 2000), 0)
    with folder() as dir:
        file = job(dir, "back", BROKER.address, "topic: back.in, start: earliest",
                   to_topic("back.out"))
        with Leat("run", file) as run:
            wait_arrived("back.out", 2000)
            BROKER.produce("back.in", numbers(2000, 4000), 1)
            BROKER.kill()
            run.wait_log("trying again")
            before = run.cpu_seconds()
            BROKER.restart()
            assert run.cpu_seconds() - before < 0.5, "waiting costs next to nothing"
            BROKER.produce("back.in", numbers(4000, 5000), 0)
            wait_arrived("back.out", 5000)
            assert len(run.log.splitlines()) < 20, run.log
            assert run.stop() == 0, run.log
    assert {p: c[0] for p, c in BROKER.committed("back", "back.in", 2).items()} == {
        0: 3000, 1: 2000}


def test_a_stop_while_the_broker_is_away_does_not_wait_for_positions_that_cannot_be_committed():
    BROKER.topic("away.in")
    BROKER.produce("away.in", numbers(0, 10))
    with folder() as dir:
        out = pathlib.Path(dir, "out")
        file = job(dir, "away", BROKER.address, "topic: away.in, start: earliest", to_files(out))
        with Leat("run", file) as run:
            wait_for("the first batch", lambda: list(out.glob("*.jsonl")))
            shutil.rmtree(out)
            out.write_text("")  # in the way of the second, so that it is under way when ...
            BROKER.produce("away.in", numbers(10, 20))
            run.wait_log("trying again")
            BROKER.kill()
            out.unlink()
            run.wait_log("it works again")
            assert run.stop() == 0, run.log  # within 10 s
            assert sum(f.read_text().count("\n") for f in out.glob("*.jsonl")) == 10, run.log
    BROKER.restart()


def test_a_stop_does_not_wait_for_a_broker_that_hangs_either():
    BROKER.topic("hangs.in")
    BROKER.produce("hangs.in", numbers(0, 10))
    broker = int(pathlib.Path(BROKER.folder, "pid").read_text())
    with folder() as dir:
        out = pathlib.Path(dir, "out")
        file = job(dir, "hangs", BROKER.address, "topic: hangs.in, start: earliest", to_files(out))
        with Leat("run", file) as run:
            wait_for("the first batch", lambda: list(out.glob("*.jsonl")))
            wait_for("its position", lambda: BROKER.committed("hangs", "hangs.in"))
            shutil.rmtree(out)
            out.write_text("")
            BROKER.produce("hangs.in", numbers(10, 20))
            run.wait_log("trying again")
            os.kill(broker, signal.SIGSTOP)
            try:
                out.unlink()
                wait_for("the second batch", lambda: list(out.glob("*.jsonl")))
                assert run.stop() == 0, run.log
            finally:
                os.kill(broker, signal.SIGCONT)


def test_a_source_topic_that_is_missing_is_waited_for():
    BROKER.topic("miss.out")
    with folder() as dir:
        file = job(dir, "miss", BROKER.address, "topic: miss.in", to_topic("miss.out"))
        with Leat("run", file) as run:
            run.wait_log("miss.in")
            BROKER.topic("miss.in", 2)
            BROKER.produce("miss.in", numbers(0, 10), 1)
            wait_arrived("miss.out", 10)  # from its beginning, whatever `start` says
            assert len(run.log.splitlines()) < 8, run.log
            assert run.stop() == 0


def test_a_sink_topic_that_is_missing_is_waited_for_and_the_option_named():
    BROKER.topic("into.in")
    BROKER.produce("into.in", numbers(0, 10))
    with folder() as dir:
        file = job(dir, "into", BROKER.address, "topic: into.in, start: earliest",
                   to_topic("into.out"))
        with Leat("run", file) as run:
            run.wait_log("into.out")
            assert "create" in run.log, run.log
            assert BROKER.committed("into", "into.in") == {}
            BROKER.topic("into.out")
            wait_arrived("into.out", 10)
            assert len(run.log.splitlines()) < 10, run.log
            assert run.stop() == 0


def test_a_topic_deleted_and_made_again_is_told():
    BROKER.topic("gone.in")
    BROKER.topic("gone.out")
    BROKER.produce("gone.in", numbers(0, 10))
    with folder() as dir:
        file = job(dir, "gone", BROKER.address, "topic: gone.in, start: earliest",
                   to_topic("gone.out"))
        with Leat("run", file) as run:
            wait_arrived("gone.out", 10)
            before = run.cpu_seconds()
            BROKER.delete_topic("gone.in")
            run.wait_log("gone.in")
            assert "trying again" in run.log, run.log
            BROKER.topic("gone.in")
            BROKER.produce("gone.in", numbers(10, 13))
            # Its positions are of another topic: what was to come cannot be known.
            assert run.wait() == 1
            assert "gone.in/0" in run.log and "10" in run.log, run.log
            assert "on_lost" in run.log, run.log


def test_partitions_that_are_added_are_read_from_their_beginning():
    BROKER.topic("grow.in")
    BROKER.topic("grow.out")
    with folder() as dir:
        file = job(dir, "grow", BROKER.address, "topic: grow.in, start: latest",
                   to_topic("grow.out"))
        with Leat("run", file) as run:
            wait_for("the start to be known", lambda: BROKER.committed("grow", "grow.in"))
            BROKER.produce("grow.in", numbers(0, 5))
            BROKER.wire(lambda w: w.add_partitions("grow.in", 3))
            wait_for("a third partition", lambda: "with 3" in BROKER.kcat("-L", "-t", "grow.in"))
            BROKER.produce("grow.in", numbers(5, 10), 1)
            BROKER.produce("grow.in", numbers(10, 15), 2)
            wait_arrived("grow.out", 15)
            assert run.stop() == 0


def test_a_record_too_large_for_the_broker_is_told_by_size_and_topic():
    BROKER.topic("large.in")
    BROKER.topic("large.out", **{"max.message.bytes": 2000})
    BROKER.produce("large.in", numbers(0, 3) + [json.dumps({"n": 3, "fat": "x" * 5000})] +
                   numbers(4, 6))
    with folder() as dir:
        file = job(dir, "large", BROKER.address, "topic: large.in, start: earliest",
                   to_topic("large.out"))
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 1, err
        assert "large.out" in err and "2000" in err and "too large" in err, err
        assert len(err.splitlines()) < 10, err


def test_batches_too_large_for_the_topic_are_made_smaller():
    BROKER.topic("many.in")
    BROKER.topic("many.out", **{"max.message.bytes": 3000})
    BROKER.produce("many.in", [json.dumps({"n": n, "pad": "y" * 500}) for n in range(500)])
    with folder() as dir:
        file = job(dir, "many", BROKER.address, "topic: many.in, start: earliest",
                   to_topic("many.out"))
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
    assert arrived("many.out") == set(range(500))


def test_positions_that_are_gone_stop_the_job_or_begin_at_the_earliest():
    BROKER.topic("lost.in")
    BROKER.topic("lost.out")
    BROKER.produce("lost.in", numbers(0, 10))
    with folder() as dir:
        file = job(dir, "lost", BROKER.address, "topic: lost.in, start: earliest",
                   to_topic("lost.out"))
        assert leat("run", file, "--until", "caught_up")[0] == 0
        BROKER.produce("lost.in", numbers(10, 30))
        BROKER.delete_records("lost.in", 0, 25)
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 1, err
        assert "positions 10 to 24 of 'lost.in/0'" in err and "25 to 29" in err, err
        assert "on_lost" in err, err
        file.write_text(
            file.read_text().replace("start: earliest", "start: earliest, on_lost: earliest"))
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        assert "earliest" in err and "25 to 29" in err, err
        assert BROKER.committed("lost", "lost.in")[0][0] == 30
    assert sorted(arrived("lost.out")) == list(range(10)) + list(range(25, 30))


def test_a_topic_made_again_is_read_from_its_beginning_with_on_lost_earliest():
    BROKER.topic("hole.in")
    BROKER.topic("hole.out")
    BROKER.produce("hole.in", numbers(0, 10))
    with folder() as dir:
        file = job(dir, "hole", BROKER.address,
                   "topic: hole.in, start: earliest, on_lost: earliest", to_topic("hole.out"))
        with Leat("run", file) as run:
            wait_arrived("hole.out", 10)
            BROKER.delete_topic("hole.in")
            run.wait_log("hole.in")
            BROKER.topic("hole.in")
            BROKER.produce("hole.in", numbers(100, 104))
            wait_for("the records of the new topic",
                     lambda: arrived("hole.out") >= set(range(100, 104)), 30)
            assert "it is not the one that was read" in run.log, run.log
            BROKER.produce("hole.in", numbers(104, 120))
            wait_for("what comes behind", lambda: 119 in arrived("hole.out"), 30)
            assert run.stop() == 0, run.log
        assert BROKER.committed("hole", "hole.in")[0][0] == 20


def test_a_position_behind_the_end_stops_the_job_or_begins_at_the_earliest():
    BROKER.topic("behind.in")
    BROKER.produce("behind.in", numbers(0, 10))
    with folder() as dir:
        file = job(dir, "behind", BROKER.address, "topic: behind.in, start: earliest",
                   to_files(f"{dir}/out"))
        assert leat("run", file, "--until", "caught_up")[0] == 0
        BROKER.commit("behind", "behind.in", {0: 1000})
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 1, err
        assert "behind.in/0" in err and "1000" in err and "0 to 9" in err, err
        file.write_text(
            file.read_text().replace("start: earliest", "start: earliest, on_lost: earliest"))
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        assert BROKER.committed("behind", "behind.in")[0][0] == 10


main(sys.modules[__name__])
