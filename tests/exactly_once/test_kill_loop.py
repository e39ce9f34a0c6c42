#!/usr/bin/env python3
"""Killed at random moments, over and over: a checker from outside finds nothing lost and nothing doubled.

25 kills each (12 where no broker is), 100 with --full; LEAT_SEED gives the seed, which is printed.
"""
import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "support")]
import kill_loop  # noqa: E402
from kafka_test import Broker  # noqa: E402
from leat_test import main  # noqa: E402

BROKER = Broker("--memory", "256m")
FULL = bool(os.environ.get("LEAT_FULL"))


def words(kills, *more):
    seed = ["--seed", os.environ["LEAT_SEED"]] if os.environ.get("LEAT_SEED") else []
    return ["--kills", str(kills), *seed, *more]


def loop(name, kills, *more):
    run = kill_loop.run(BROKER, name, words(100 if FULL else kills, *more))
    empty = run.killer.empty_phases()
    assert not FULL or not empty, f"no kill while {empty}"
    return run


def test_from_topic_to_topics_nothing_is_lost_or_doubled():
    loop("loop-topics", 25)


def test_from_topic_to_files_of_lines_and_of_avro_all_is_as_in_a_run_without_kills():
    loop("loop-files", 25, "--to", "files", "--copies", "avro")


def test_to_topics_and_files_at_once_with_transactions_of_several_batches():
    loop("loop-both", 25, "--to", "both", "--commit", "150ms")


def test_from_files_to_files_the_bytes_are_those_of_a_run_without_kills():
    loop("loop-file-file", 12, "--from", "files", "--to", "files")


main(sys.modules[__name__])
