#!/usr/bin/env python3
"""Two of the same job: one of them ends with 75, and nothing that it had under way is ever seen."""
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from case import Case, copy_state  # noqa: E402
from kafka_client import client  # noqa: E402
from kafka_test import Broker  # noqa: E402
from leat_test import leat, main, wait_for  # noqa: E402

# The broker looks for transactions that took too long twice a second, not every ten seconds.
BROKER = Broker("transaction.abort.timed.out.transaction.cleanup.interval.ms=500")
SHORT = '"transaction.timeout.ms": 3000'
FENCED = 75


def open_transactions(case):
    """Whether somebody who reads committed records only is held up."""
    kafka, ends = client(), []
    for isolation in ("read_committed", "read_uncommitted"):
        consumer = kafka.Consumer({"bootstrap.servers": BROKER.address, "group.id": "look",
                                   "isolation.level": isolation})
        ends.append([consumer.get_watermark_offsets(kafka.TopicPartition(topic, p), timeout=30)[1]
                     for topic in case.topics.values() for p in (0, 1)])
        consumer.close()
    return ends[0] != ends[1]


def successor(case):
    """The same job on another host, which has the state directory as it is now."""
    copy_state(case, "copy")
    return case.write_job("copy")


def test_a_second_copy_on_the_same_host_is_refused():
    with Case(BROKER, "second") as case:
        with case.start() as first:
            wait_for("its first commit", case.committed)
            code, _, err = leat("run", case.file, "--until", "caught_up")
            assert code == FENCED, f"{code}: {err}"
            assert str(case.dir / "state") in err, err
            assert first.stop() == 0, first.log
        case.finish()
        case.check()


def test_the_older_of_two_on_different_hosts_is_fenced():
    with Case(BROKER, "hosts") as case:
        with case.freeze("run.ran@3") as older:
            case.file = successor(case)
            case.work()
            case.write_records(20)
            older.signal(signal.SIGCONT)
            assert older.wait(60) == FENCED, older.log
            assert "newer instance" in older.log, older.log
        case.finish()
        case.check()


def test_a_host_without_the_state_is_refused_and_who_has_it_goes_on():
    with Case(BROKER, "no-state") as case:
        with case.start() as run:
            wait_for("its first commit", case.committed)
            other = case.write_job("elsewhere")
            code, _, err = leat("run", other, "--until", "caught_up")
            assert code == 1 and "elsewhere" in err, f"{code}: {err}"
            case.write_records(20)
            wait_for("it to end, or to go on", lambda: run.process.poll() == FENCED or
                     sum(offset for offset, _ in case.offsets().values()) == 4 * case.written, 60)
        case.finish()
        case.check()


def zombie(name, place, rdkafka=SHORT):
    with Case(BROKER, name, rdkafka=rdkafka) as case:
        with case.freeze(place) as dead:
            wait_for("its transaction to time out", lambda: not open_transactions(case), 60)
            case.file = successor(case)
            case.finish()
            seen = case.visible()
            dead.signal(signal.SIGCONT)
            assert dead.wait(60) == FENCED, dead.log
            assert "newer instance" in dead.log, dead.log
            assert case.visible() == seen, "something of the zombie is visible"
        case.finish()  # takes away what the zombie had under hidden names
        case.check()


def test_nothing_is_seen_of_a_zombie_whose_transaction_was_open():
    zombie("zombie-open", "prepare.offsets@3")


def test_nothing_is_seen_of_a_zombie_that_was_about_to_commit():
    zombie("zombie-commit", "commit.before@3")


def test_a_zombie_that_wakes_between_commit_and_rename_does_no_harm():
    zombie("zombie-rename", "finish.before@3")
    zombie("zombie-between", "finish.renamed@3")


def test_a_pause_that_is_longer_than_the_transaction_may_be_is_survived_alone():
    with Case(BROKER, "pause", rdkafka=SHORT) as case:
        with case.freeze("prepare.offsets@3") as paused:
            wait_for("its transaction to time out", lambda: not open_transactions(case), 60)
            paused.signal(signal.SIGCONT)
            wait_for("it to go on", case.is_done, 60)
            assert paused.stop() == 0, paused.log
        case.finish()
        case.check()


main(sys.modules[__name__])
