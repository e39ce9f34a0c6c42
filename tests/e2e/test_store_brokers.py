#!/usr/bin/env python3
"""`store: kafka` at three brokers, one of which is killed under load: what was acknowledged is in the outputs."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import Cluster, Leat  # noqa: E402
from kills import FULL  # noqa: E402
from kept_job import by_http, kept_job, lines_of, nothing_came_twice, out_is_the_topic, topic_of  # noqa: E402
from leat_test import folder, free_port, main, wait_for  # noqa: E402
from line_sender import Senders  # noqa: E402

CLUSTER = Cluster()
KILLS = 5 if FULL else 1


def in_step(topic, count):
    """All copies are again what the leader has: its number."""
    def look():
        found = CLUSTER.partition(topic)
        return found and len(found[2]) == count and found[0]
    return wait_for(f"{count} copies in step", look, 90)


def other_leads_alone(topic, than):
    def look():
        found = CLUSTER.partition(topic)
        return found and found[0] != than and len(found[2]) == 1
    wait_for("the other to lead", look, 60)


def settle(run, dir, name, senders):
    """The senders end; all that they were told of arrives."""
    senders.stop()
    wanted = set(senders.acknowledged)
    wait_for("all that was acknowledged", lambda: wanted <= set(lines_of(dir)), 90)
    assert run.stop(30) == 0, run.log
    out_is_the_topic(dir, CLUSTER, name, wanted)
    nothing_came_twice(dir)


def test_of_three_copies_the_leader_is_killed_and_senders_go_on_being_told():
    with folder() as dir:
        port, topic = free_port(), topic_of("three")
        file = kept_job(dir, "three", CLUSTER.address, by_http(port), "replication_factor: 3")
        with Leat("run", file) as run, Senders(port) as senders:
            for _ in range(KILLS):
                senders.wait_more(200)
                leader = in_step(topic, 3)
                CLUSTER.node("kill", leader)
                senders.wait_more(200, 90)  # while it is away
                CLUSTER.node("restart", leader)
            senders.wait_more(200)
            settle(run, dir, "three", senders)


def test_of_two_copies_one_is_killed_and_senders_are_held_back_until_it_is_there_again():
    with folder() as dir:
        port, topic = free_port(), topic_of("two")
        file = kept_job(dir, "two", CLUSTER.address, by_http(port), "partitions: 1")
        with Leat("run", file) as run, Senders(port) as senders:
            for _ in range(KILLS):
                senders.wait_more(200)
                leader = in_step(topic, 2)
                CLUSTER.node("kill", leader)
                run.wait_log("its sender is held back", 60)
                at = len(senders.acknowledged)
                other_leads_alone(topic, leader)
                assert len(senders.acknowledged) == at, "one copy was enough"
                CLUSTER.node("restart", leader)
                senders.wait_more(200, 90)
            assert "it works again" in run.log, run.log
            settle(run, dir, "two", senders)


main(sys.modules[__name__])
