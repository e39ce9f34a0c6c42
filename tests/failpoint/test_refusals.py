#!/usr/bin/env python3
"""State and positions that do not belong together: leat refuses, says both, the reason and the ways out."""
import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from case import PARTITIONS, RECORDS, Case, copy_state, put_back  # noqa: E402
from kafka_test import Broker  # noqa: E402
from kafka_client import client  # noqa: E402
from leat_test import leat, main, wait_for  # noqa: E402

BROKER = Broker()


def forget_group(case):
    """As the broker does after a week without a commit."""
    admin = client().admin.AdminClient({"bootstrap.servers": BROKER.address})
    group = "leat-" + case.name
    admin.delete_consumer_groups([group])[group].result(30)
    wait_for("the group to be gone", lambda: case.offsets() == {})


def must_say(text, *words):
    for word in words:
        assert word in text, f"does not say '{word}':\n{text}"


def test_a_log_that_is_gone_is_refused_unless_it_may_begin_anew():
    with Case(BROKER, "log-gone") as case:
        case.finish()
        n = case.marker()[1]
        seen = case.visible()
        shutil.rmtree(case.dir / "state")  # a container without a volume
        for _ in range(2):  # refusing leaves no log behind that would be trusted the next time
            said = case.refuse()
            must_say(said, "log-gone", str(n), str(RECORDS), str(case.dir / "state"), "--accept-offsets")
        case.write_records(1)
        case.finish("--accept-offsets")
        # Positions are the group's, state is new: of each producer the new record, and its windows.
        assert {p: offset for p, (offset, _) in case.offsets().items()} == {
            p: RECORDS + 1 for p in range(PARTITIONS)}
        assert seen + 2 * PARTITIONS < case.visible() < seen + 10 * PARTITIONS
        case.write_records(1)
        case.finish()  # and from here on as ever


def test_a_log_that_is_older_than_the_broker_is_refused():
    with Case(BROKER, "old-log") as case:
        case.work()
        before = case.marker()[1]
        copy_state(case, "backup")
        case.write_records(50)
        case.work()
        after = case.marker()[1]
        put_back(case, "backup")
        said = case.refuse()
        must_say(said, f"batch {before}", f"batch {after}", "--accept-offsets")


def test_a_log_of_another_epoch_is_refused():
    with Case(BROKER, "epoch") as case:
        case.finish()
        first = case.marker()[0]
        copy_state(case, "backup")
        shutil.rmtree(case.dir / "state")
        case.write_records(1)
        case.finish("--accept-offsets")
        second = case.marker()[0]
        assert first != second
        put_back(case, "backup")
        said = case.refuse()
        must_say(said, first, second, "--accept-offsets")


def test_a_log_of_another_pipeline_is_refused():
    with Case(BROKER, "mine") as case, Case(BROKER, "other") as other:
        case.finish()
        text = other.file.read_text().replace(f"{other.dir}/state", f"{case.dir}/state")
        other.file.write_text(text)
        code, _, err = leat("run", other.file, "--until", "caught_up")
        assert code not in (0, -6, -11), code
        must_say(err, "mine", "other")


def test_a_group_that_was_forgotten_after_a_clean_stop_is_no_harm():
    with Case(BROKER, "forgotten") as case:
        case.work()
        forget_group(case)
        case.write_records(50)
        case.finish()
        case.check()


def test_a_group_that_was_forgotten_is_written_again_from_the_log():
    with Case(BROKER, "forgotten-idle") as case:
        case.work()
        there = {p: offset for p, (offset, _) in case.offsets().items()}
        forget_group(case)
        with case.start() as run:  # there is nothing new
            wait_for("the marker to be back", case.marker)
            assert run.stop() == 0, run.log
        case.write_records(1)
        case.finish()
        case.check()
        assert {p: offset for p, (offset, _) in case.offsets().items()} == {
            p: offset + 1 for p, offset in there.items()}


def test_a_group_that_was_deleted_while_the_last_commit_is_in_doubt_is_refused():
    with Case(BROKER, "doubt") as case:
        case.crash("commit.sent@3")  # the first one was the marker's own
        wait_for("the coordinator to let go", lambda: try_to_forget(case))
        said = case.refuse()
        must_say(said, "batch 2", "--accept-offsets")


def try_to_forget(case):
    """A group with a transaction pending cannot be deleted: who recovers ends it first."""
    try:
        forget_group(case)
        return True
    except client().KafkaException:
        return False


def test_positions_that_were_moved_by_hand_are_refused_and_can_be_accepted():
    with Case(BROKER, "by-hand") as case:
        case.finish()
        BROKER.commit(case.name, case.source, {1: 7})
        said = case.refuse()
        must_say(said, f"{case.source}/1", "7", str(RECORDS), "--accept-offsets")
        seen = case.visible()
        said = case.finish("--accept-offsets")
        assert re.search(r"state", said), said
        # From position 7 on, once more, with new state.
        assert case.offsets()[1][0] == RECORDS
        assert case.visible() > seen + 2 * (RECORDS - 7) - 1
        case.write_records(1)
        case.finish()  # and from here on as ever


def test_a_group_that_ran_at_least_once_is_taken_over():
    with Case(BROKER, "take-over") as case:
        file = case.file
        case.file = case.write_job("state", delivery="at_least_once")
        case.work()
        assert {m.split("/")[1] for _, m in case.offsets().values()} == {"-"}
        case.file = file = case.write_job("state", delivery="exactly_once")
        case.write_records(50)
        case.finish()
        case.check()
        assert case.marker()[0] != "-", file


def test_a_damaged_log_is_refused_with_its_place():
    with Case(BROKER, "damaged") as case:
        case.finish()
        logs = sorted((case.dir / "state").rglob("*.leatlog"))
        assert logs, list((case.dir / "state").rglob("*"))
        data = bytearray(logs[0].read_bytes())
        data[len(data) // 2] ^= 0x40
        logs[0].write_bytes(data)
        said = case.refuse()
        must_say(said, str(logs[0]), "damaged at byte")


main(sys.modules[__name__])
