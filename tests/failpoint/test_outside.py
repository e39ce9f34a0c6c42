#!/usr/bin/env python3
"""What happens around a commit: the broker dies in it, refuses it, changes topics; the disk is full."""
import pathlib
import signal
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "failpoint"), str(TESTS / "support")]
from case import PARTITIONS, RECORDS, Case  # noqa: E402
from kafka_client import client  # noqa: E402
from kafka_test import Broker  # noqa: E402
from leat_test import leat, main, wait_for  # noqa: E402
from ledger import START_MS  # noqa: E402
from small_disk import SmallDisk  # noqa: E402

BROKER = Broker("--memory", "256m", "broker.session.timeout.ms=1500", "broker.heartbeat.interval.ms=300")


def broker_dies_at(name, place):
    with Case(BROKER, name) as case:
        with case.freeze(place) as run:
            BROKER.kill()
            run.signal(signal.SIGCONT)
            BROKER.restart()
            wait_for("it to go on", case.is_done, 60)
            assert run.stop(60) == 0, run.log
        case.finish()
        case.check()


def test_the_broker_is_killed_with_a_transaction_open():
    broker_dies_at("broker-open", "prepare.written@3")


def test_the_broker_is_killed_before_the_end_of_a_transaction_is_sent():
    broker_dies_at("broker-before", "commit.before@3")


def test_the_answer_to_the_end_of_a_transaction_is_lost_with_the_broker():
    broker_dies_at("broker-sent", "commit.sent@3")


def failed_at(name, place):
    """An error in place of what would be done there; the same outputs go out once more."""
    with Case(BROKER, name) as case:
        with case.start(f"{place}@3:error") as run:
            wait_for("it to go on", case.is_done, 60)
            assert f"failpoint {place} reached" in run.log, run.log
            assert run.stop(60) == 0, run.log
        case.finish()
        case.check()


def test_an_aborted_transaction_is_written_again():
    failed_at("abort-written", "prepare.written")
    failed_at("abort-prepared", "prepare.done")
    failed_at("abort-commit", "commit.before")


def test_an_unclear_end_of_a_transaction_is_asked_for():
    failed_at("unclear", "commit.sent")


def test_new_partitions_are_read_from_their_beginning():
    with Case(BROKER, "more-parts") as case:
        text = case.file.read_text().replace("start: earliest", "start: latest")
        assert "start: latest" in text
        case.finish()
        case.file.write_text(text)
        BROKER.wire(lambda w: w.add_partitions(case.source, PARTITIONS + 1))
        wait_for("the new partition", lambda: f'with {PARTITIONS + 1}' in BROKER.kcat(
            "-L", "-t", case.source))
        seen = case.visible()
        line = '{"p":0,"seq":999999,"account":"new","amount":1,"t":%d}'
        BROKER.produce(case.source, [("new", line % START_MS)], PARTITIONS)
        case.finish()
        assert case.visible() >= seen + 2, "the record in the new partition was not read"


def test_a_topic_that_was_made_again_is_refused_with_both_positions():
    with Case(BROKER, "again") as case:
        case.finish()
        BROKER.delete_topic(case.source)
        wait_for("the topic to be gone", lambda: case.source not in BROKER.kcat("-L"))
        BROKER.topic(case.source, PARTITIONS)
        code, _, err = leat("run", case.file, "--until", "caught_up", timeout=120)
        assert code == 1, f"{code}: {err}"
        assert case.source in err and str(RECORDS) in err and "on_lost" in err, err


def test_aborted_and_control_records_of_the_input_are_passed_over():
    with Case(BROKER, "control") as case:
        kafka = client()
        producer = kafka.Producer({"bootstrap.servers": BROKER.address,
                                   "transactional.id": "writer-of-control"})
        producer.init_transactions(30)
        for _ in range(3):  # the partitions end in records that count for nobody
            producer.begin_transaction()
            for p in range(PARTITIONS):
                producer.produce(case.source, b'{"p":0,"seq":-1,"account":"x","amount":1,"t":1}', b"x", p)
            producer.flush(30)
            producer.abort_transaction(30)
        case.work()
        case.write_records(30)
        case.crash("commit.before")
        case.finish()
        case.finish()  # there is nothing to do, and it sees that
        ends = {p: offset for p, (offset, _) in case.offsets().items()}
        assert ends == {p: case.written + 3 * 2 for p in range(PARTITIONS)}, ends
        case.check(ends=False)


def test_a_full_disk_under_the_log_is_waited_out():
    with Case(BROKER, "full") as case, SmallDisk(case.dir) as disk:
        ballast = disk / "ballast"
        case.file.write_text(case.file.read_text().replace(f"dir: {case.dir}/state", f"dir: {disk}/state"))
        case.work()
        with open(ballast, "wb", buffering=0) as filler:
            try:
                while filler.write(bytes(4096)):
                    pass
            except OSError:
                pass
        before = case.marker()
        case.write_records(300)
        with case.start() as run:
            run.wait_log("No space left", 60)
            assert case.marker() == before, "it went on without its log"
            ballast.unlink()
            wait_for("it to go on", lambda: case.marker() != before, 60)
            assert run.stop() == 0, run.log
        case.finish()
        case.check()


main(sys.modules[__name__])
