#!/usr/bin/env python3
"""Records that the broker refuses for what they are, under each `on_error` and each promise.

Nothing else of their batch is lost or doubled: what the readers of a job see is compared with all
that went in, and dead letters with what was refused.
"""
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import job, to_topic  # noqa: E402
from kafka_test import Broker  # noqa: E402
from leat_test import folder, leat, main  # noqa: E402

BROKER = Broker()
PROMISES = ("at_least_once", "exactly_once")
TIME_MS = 1700000000000 + 10**11  # not so old that a broker deletes it
FAT = {3, 40, 41, 77}


def record(n):
    return (f"k{n}", json.dumps({"n": n, "fat": "x" * (5000 if n in FAT else 50)}), TIME_MS + n,
            [("trace", b"t%d" % n)])


def headers_of(record):
    flat = record["headers"]
    return dict(zip(flat[::2], flat[1::2]))


def numbers(records):
    return sorted(json.loads(r["payload"])["n"] for r in records)


def told(err):
    """Over all batches."""
    return sum(int(n) for n in re.findall(r"(\d+) outputs? of batch \d+", err))


def run(name, on_error, delivery, dlq="", sink=None, limits=None, records=None, pieces=None):
    BROKER.topic(name + ".in", 2)
    BROKER.topic(name + ".out", 2, **(limits or {"max.message.bytes": 2000}))
    BROKER.produce(name + ".in", records or [record(n) for n in range(100)])
    more = f"delivery: {delivery}\non_error: {on_error}\n" + dlq
    with folder() as dir:
        file = job(dir, name, BROKER.address, f"topic: {name}.in, start: earliest",
                   sink or to_topic(name + ".out"), more=more.replace("DIR", dir))
        code, _, err = leat("run", file, "--until", "caught_up")
        dead = pathlib.Path(dir) / "dead"
        files = "".join(p.read_text() for p in sorted(dead.iterdir())) if dead.is_dir() else ""
        again = leat("run", file, "--until", "caught_up") if code == 0 else None
    assert again is None or again[0] == 0, again
    return code, err, files


def test_what_is_too_large_becomes_a_dead_letter_of_the_same_batch_and_nothing_else_is_touched():
    for delivery in PROMISES:
        name = "dead-" + delivery.replace("_", "-")
        BROKER.topic(name + ".dead")
        code, err, _ = run(name, "dlq", delivery,
                           f"dlq:\n  kafka: {{ use: main, topic: {name}.dead }}")
        assert code == 0, err
        assert numbers(BROKER.records(name + ".out")) == [n for n in range(100) if n not in FAT]
        dead = sorted(BROKER.records(name + ".dead"), key=lambda r: json.loads(r["payload"])["n"])
        assert numbers(dead) == sorted(FAT), (delivery, numbers(dead))
        for n, letter in zip(sorted(FAT), dead):
            assert letter["key"] == f"k{n}" and letter["ts"] == TIME_MS + n, letter["key"]
            assert letter["payload"] == record(n)[1]
            headers = headers_of(letter)
            assert headers["trace"] == f"t{n}" and headers["leat-stage"] == "sinks.out", headers
            assert headers["leat-destination"] == name + ".out", headers
            assert "too large" in headers["leat-error"] and "2000" in headers["leat-error"], headers
        assert told(err) == 4 and "became" in err and "sink 'out'" in err, err


def test_dead_letters_in_files_are_committed_with_the_transaction_that_refused_them():
    for delivery in PROMISES:
        name = "filed-" + delivery.replace("_", "-")
        code, err, files = run(name, "dlq", delivery,
                               'dlq:\n  files: { path: "DIR/dead/{file}.jsonl" }')
        assert code == 0, err
        assert numbers(BROKER.records(name + ".out")) == [n for n in range(100) if n not in FAT]
        assert sorted(json.loads(line)["n"] for line in files.splitlines()) == sorted(FAT), delivery


def test_what_is_too_large_is_left_out_and_counted_under_drop():
    for delivery in PROMISES:
        name = "left-" + delivery.replace("_", "-")
        code, err, _ = run(name, "drop", delivery)
        assert code == 0, err
        assert numbers(BROKER.records(name + ".out")) == [n for n in range(100) if n not in FAT]
        assert told(err) == 4 and "dropped" in err and "too large" in err, err


def test_under_fail_the_error_names_sink_topic_size_limit_and_the_ways_out():
    for delivery in PROMISES:
        name = "ends-" + delivery.replace("_", "-")
        code, err, _ = run(name, "fail", delivery)
        assert code == 1, (code, err)
        last = err.strip().splitlines()[-1]
        for word in ("sink 'out'", f"'{name}.out'", "takes 2000", "max.message.bytes", "on_error: drop",
                     "on_error: dlq"):
            assert word in last, (word, err)
        if delivery == "exactly_once":
            assert BROKER.records(name + ".out") == []


def test_what_only_the_writer_does_not_take_is_refused_in_the_same_way():
    for delivery in PROMISES:
        name = "writer-" + delivery.replace("_", "-")
        BROKER.topic(name + ".dead")
        sink = (f"    kafka: {{ use: main, topic: {name}.out, rdkafka: {{ message.max.bytes: 3000 }} }}\n"
                "    format: json\n")
        dlq = f"dlq:\n  files: {{ path: \"DIR/dead/{{file}}.jsonl\" }}"
        code, err, files = run(name, "dlq", delivery, dlq, sink, {"max.message.bytes": 100000})
        assert code == 0, err
        assert numbers(BROKER.records(name + ".out")) == [n for n in range(100) if n not in FAT]
        assert sorted(json.loads(line)["n"] for line in files.splitlines()) == sorted(FAT), delivery
        assert "3000" in err and "message.max.bytes" in err, err


def test_a_compacted_topic_refuses_records_without_a_key_and_takes_those_beside_them():
    records = [(None if n % 3 == 0 else f"k{n}", json.dumps({"n": n})) for n in range(60)]
    for delivery in PROMISES:
        name = "keyless-" + delivery.replace("_", "-")
        BROKER.topic(name + ".dead")
        code, err, _ = run(name, "dlq", delivery, f"dlq:\n  kafka: {{ use: main, topic: {name}.dead }}",
                           limits={"cleanup.policy": "compact"}, records=records)
        assert code == 0, err
        assert numbers(BROKER.records(name + ".out")) == [n for n in range(60) if n % 3]
        dead = BROKER.records(name + ".dead")
        assert numbers(dead) == list(range(0, 60, 3))
        assert "compacted" in headers_of(dead[0])["leat-error"], headers_of(dead[0])


def test_what_fits_once_it_is_compressed_is_not_refused():
    for delivery in PROMISES:
        name = "packed-" + delivery.replace("_", "-")
        sink = (f"    kafka: {{ use: main, topic: {name}.out, compression: zstd }}\n    format: json\n")
        code, err, _ = run(name, "drop", delivery, sink=sink)
        assert code == 0, err
        assert numbers(BROKER.records(name + ".out")) == list(range(100)), (delivery, err)


def test_a_dead_letter_that_is_refused_ends_the_job_and_says_so():
    for delivery in PROMISES:
        name = "nowhere-" + delivery.replace("_", "-")
        BROKER.topic(name + ".dead", **{"max.message.bytes": 2000})
        code, err, _ = run(name, "dlq", delivery, f"dlq:\n  kafka: {{ use: main, topic: {name}.dead }}")
        assert code == 1, (code, err)
        assert "sink 'dlq'" in err and "nowhere else to go" in err and "takes 2000" in err, err


main(sys.modules[__name__])
