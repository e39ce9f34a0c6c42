#!/usr/bin/env python3
"""Killed at every named place of a commit, and again while it recovers: the output is as if nothing had been."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from case import Case  # noqa: E402
from kafka_test import Broker  # noqa: E402
from leat_test import main, wait_for  # noqa: E402

BROKER = Broker()


def crash_and_finish(name, failpoint, marker=None, aborted=None):
    """`marker`: the number that the other side has when leat is dead; `aborted`: something was written
    that nobody may see."""
    with Case(BROKER, name) as case:
        case.crash(failpoint)
        if marker is not None:
            # The coordinator answers before it has told the group.
            wait_for(f"the marker to be {marker}", lambda: case.committed() == marker)
        case.finish()
        case.check()
        assert not aborted or case.aborted() > 0


def test_before_record_n_is_whole_its_torn_tail_is_cut():
    crash_and_finish("torn", "log.torn@2")


def test_before_the_log_is_written():
    crash_and_finish("log-before", "log.before@2")


def test_record_n_synced_and_its_transaction_anywhere():
    crash_and_finish("log-synced", "log.synced@2")


def test_outputs_are_sealed_and_nothing_has_begun():
    crash_and_finish("ran", "run.ran@2")


def test_the_transaction_is_not_begun():
    crash_and_finish("not-begun", "prepare.begin@3")


def test_the_transaction_is_open_with_the_outputs_in_it():
    # Of one sink: which of them gets there third is up to their threads, the first two have written.
    crash_and_finish("written", "prepare.written@3")


def test_the_transaction_is_open_with_outputs_and_positions_in_it():
    # The first transaction of all sets the marker to 0, before there is a batch.
    crash_and_finish("offsets", "prepare.offsets@3", marker=1, aborted=True)


def test_the_transaction_is_prepared():
    crash_and_finish("prepared", "prepare.done@3")


def test_record_n_is_synced_and_its_transaction_open():
    crash_and_finish("open", "commit.before@3", marker=1, aborted=True)


def test_the_end_of_the_transaction_may_be_on_its_way():
    crash_and_finish("sent", "commit.sent@3")


def test_the_transaction_is_committed_and_no_file_renamed():
    crash_and_finish("committed", "commit.after@3", marker=2)


def test_before_the_first_file_gets_its_name():
    crash_and_finish("no-name", "finish.before@2", marker=2)


def test_between_the_names_of_two_files():
    crash_and_finish("one-name", "finish.renamed@2")


def test_files_have_their_names_and_sources_are_not_told():
    crash_and_finish("not-told", "finish.after@2", marker=2)


def crash_while_writing(name, failpoint):
    """Snapshots are made a second apart, so there must be something to do for so long."""
    with Case(BROKER, name) as case:
        with case.start(failpoint) as run:
            while run.process.poll() is None:
                case.write_records(5)
                time.sleep(0.05)
            assert f"failpoint {failpoint.split('@')[0]} reached" in run.log, run.log
        case.work()
        case.write_records(20)
        case.finish()  # with the state that was written since
        case.check()


def test_a_snapshot_is_written_and_has_no_name():
    crash_while_writing("snap-written", "snapshot.written@2")


def test_a_snapshot_has_its_name_and_nobody_knows():
    crash_while_writing("snap-renamed", "snapshot.renamed@2")


def test_killed_once_more_while_it_recovers():
    with Case(BROKER, "again") as case:
        case.crash("finish.renamed@2")
        for place in ("recover.begin", "recover.decided", "recover.loaded"):
            case.crash(place)
        case.crash("commit.before@2")
        for place in ("recover.decided", "recover.loaded", "commit.sent", "recover.begin"):
            case.crash(place)
        case.finish()
        case.check()


def test_killed_at_the_first_batch_of_all():
    for place in ("log.torn", "log.synced", "commit.before", "commit.sent", "commit.after"):
        with Case(BROKER, "first-" + place.replace(".", "-")) as case:
            case.crash(place)
            case.finish()
            case.check()


def test_at_least_once_the_checker_finds_what_is_doubled():
    """What it is worth: the same job without the promise, killed when outputs are there and no record is."""
    with Case(BROKER, "at-least", to=("topics",)) as case:
        case.file = case.write_job("state", delivery="at_least_once")
        case.crash("log.before@2")
        case.finish()
        try:
            case.check()
        except AssertionError as why:
            assert "doubled" in str(why), why
        else:
            raise AssertionError("it finds nothing")


main(sys.modules[__name__])
