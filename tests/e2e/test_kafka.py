#!/usr/bin/env python3
"""Topics in, topics out, on a real Kafka: what is kept, where reading begins, when it ends."""
import json
import pathlib
import re
import sys
from datetime import datetime, timezone

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import ALL, job, to_files, to_topic  # noqa: E402
from kafka_test import T0, Broker, Leat  # noqa: E402
from leat_test import folder, free_port, leat, main, wait_for  # noqa: E402

BROKER = Broker("log.cleaner.backoff.ms=200")


def pipeline(dir, name, source, sink, ops=ALL, **more):
    return job(dir, name, BROKER.address, source, sink, ops, **more)


def run_until_caught_up(file):
    code, out, err = leat("run", file, "--until", "caught_up")
    assert code == 0, err
    return out, err


def test_records_keep_key_headers_time_and_order_from_topic_to_topic():
    BROKER.topic("keep.in")
    BROKER.topic("keep.out")
    BROKER.produce("keep.in", [
        ("k1", '{"a":1}', T0 + 1, [("h", "x"), ("h", "y"), ("empty", ""), ("none", None)]),
        (None, '{"a":2}', T0 + 2),
        ("", '{"a":3}', T0 + 3),
        ("k1", None, T0 + 4, [("why", "gone")]),
        ("k ü", '{"a":"ü","deep":{"n":[1,2.5,1e300,null,true]}}', T0 + 5)])
    with folder() as dir:
        run_until_caught_up(pipeline(dir, "keep", "topic: keep.in, start: earliest",
                                     to_topic("keep.out")))
    before, after = BROKER.records("keep.in"), BROKER.records("keep.out")
    assert len(after) == 5
    for b, a in zip(before, after):
        assert (a["key"], a["ts"]) == (b["key"], b["ts"]), (b, a)
        assert a.get("headers") == b.get("headers"), (b, a)
        assert (a["payload"] and json.loads(a["payload"])) == (
            b["payload"] and json.loads(b["payload"])), (b, a)


def test_filter_map_and_key_by_do_what_they_say_with_every_record():
    BROKER.topic("ops.in", 4)
    BROKER.topic("ops.out", 4)
    for p in range(4):
        BROKER.produce("ops.in", [json.dumps({"n": n, "city": f"c{n % 7}"})
                                  for n in range(p, 8000, 4)], p)
    ops = """
      - filter: n % 3 != 0
      - map: { n: n, twice: n * 2, city: upper(city) }
      - key_by: city
"""
    with folder() as dir:
        run_until_caught_up(pipeline(dir, "ops", "topic: ops.in, start: earliest",
                                     to_topic("ops.out"), ops))
    found = BROKER.records("ops.out")
    assert sorted(json.loads(r["payload"])["n"] for r in found) == [
        n for n in range(8000) if n % 3]
    where = {}
    for r in found:
        value = json.loads(r["payload"])
        assert value == {"n": value["n"], "twice": 2 * value["n"], "city": f"C{value['n'] % 7}"}
        assert r["key"] == value["city"]
        assert where.setdefault(r["key"], r["partition"]) == r["partition"], "a key has one place"
    assert len({r["partition"] for r in found}) > 1


def test_bytes_of_any_kind_pass_through_the_raw_format():
    BROKER.topic("raw.in")
    BROKER.topic("raw.out")
    odd = [(b"\xff\x00k", bytes(range(256)), T0), (b"k", b"", T0 + 1), (None, b"\x00", T0 + 2)]
    BROKER.produce("raw.in", odd)
    with folder() as dir:
        run_until_caught_up(pipeline(dir, "raw", "topic: raw.in, start: earliest",
                                     to_topic("raw.out", "raw"), source_more="format: raw"))
    # kcat's JSON cannot carry these bytes; %K and %S are lengths.
    form = ("-C", "-q", "-e", "-o", "beginning", "-f", "%K %S %T %k %s\n", "-t")
    assert len(BROKER.kcat_bytes(*form, "raw.in")) > 256
    assert BROKER.kcat_bytes(*form, "raw.out") == BROKER.kcat_bytes(*form, "raw.in")


def started_at(start, name, topic, parts=1):
    """What a job that starts there and catches up hands on."""
    with folder() as dir:
        run_until_caught_up(pipeline(dir, name, f"topic: {topic}, start: {start}", to_files(f"{dir}/out")))
        return sorted(json.loads(line)["n"] for f in pathlib.Path(dir, "out").glob("*.jsonl")
                      for line in f.read_text().splitlines())


def test_start_is_the_earliest_the_latest_or_a_time():
    BROKER.topic("start.in", 2)
    for p in (0, 1):
        BROKER.produce("start.in", [(None, json.dumps({"n": n}), T0 + 1000 * n)
                                    for n in range(p, 100, 2)], p)
    assert started_at("earliest", "start-e", "start.in") == list(range(100))
    assert started_at("latest", "start-l", "start.in") == []
    minute = datetime.fromtimestamp(T0 / 1000 + 60, timezone.utc).strftime('"%Y-%m-%dT%H:%M:%SZ"')
    assert started_at(minute, "start-t", "start.in") == list(range(60, 100))


def test_a_committed_position_wins_over_start_and_carries_our_mark():
    BROKER.topic("again.in", 2)
    BROKER.produce("again.in", [json.dumps({"n": n}) for n in range(50)], 0)
    assert started_at("earliest", "again", "again.in") == list(range(50))
    committed = BROKER.committed("again", "again.in", 2)
    assert committed[0][0] == 50, committed
    assert committed[0][1].startswith("leat/-/0/"), committed
    assert committed[0][1].split("/")[3].isdigit(), committed
    BROKER.produce("again.in", [json.dumps({"n": n}) for n in range(50, 60)], 0)
    BROKER.produce("again.in", [json.dumps({"n": n}) for n in range(60, 70)], 1)
    # Another state directory: only the group knows where we were.
    assert started_at("earliest", "again", "again.in") == list(range(50, 70))
    BROKER.commit("again", "again.in", {0: 57})
    assert started_at("latest", "again", "again.in") == list(range(57, 60))


def test_several_topics_and_all_that_match_a_pattern_are_read():
    for name in ("multi.a", "multi.b", "multi.c"):
        BROKER.topic(name, 2)
        BROKER.produce(name, [json.dumps({"t": name, "n": n}) for n in range(10)], 1)
    BROKER.topic("multi.out")
    ops = "      - set: { from: meta.topic, at: meta.offset, part: meta.partition }\n"
    with folder() as dir:
        run_until_caught_up(pipeline(dir, "multi-list", "topics: [multi.a, multi.c], start: earliest",
                                     to_topic("multi.out"), ops))
        found = [json.loads(v) for v in BROKER.values("multi.out")]
        assert sorted((v["from"], v["n"]) for v in found) == [
            (t, n) for t in ("multi.a", "multi.c") for n in range(10)]
        assert all(v["from"] == v["t"] and v["at"] == v["n"] and v["part"] == 1 for v in found)
        run_until_caught_up(pipeline(dir, "multi-all", "topics: '/^multi[.][ab]$/', start: earliest",
                                     to_files(f"{dir}/out"), ops))
        lines = [json.loads(line) for f in pathlib.Path(dir, "out").glob("*.jsonl")
                 for line in f.read_text().splitlines()]
        assert sorted((v["from"], v["n"]) for v in lines) == [
            (t, n) for t in ("multi.a", "multi.b") for n in range(10)]


def test_topics_and_partitions_that_come_while_it_runs_are_read_from_their_beginning():
    BROKER.topic("grow.a")
    BROKER.topic("all.out")

    def send(topic, first, partition=0):
        BROKER.produce(topic, [json.dumps({"n": n}) for n in range(first, first + 10)], partition)

    def found():
        return sorted(json.loads(v)["n"] for v in BROKER.values("all.out"))
    send("grow.a", 1000)
    with folder() as dir:
        file, port = pipeline(dir, "grow", "topics: '/^grow[.]/'", to_topic("all.out")), free_port()
        with Leat("run", file, "--set", f"http.listen={port}") as run:
            wait_for("the place to begin at", lambda: leat("health", f"http://127.0.0.1:{port}")[0] == 0)
            send("grow.a", 0)
            BROKER.topic("grow.b")  # what is written before leat knows of it counts, too
            send("grow.b", 10)
            wait_for("records of both", lambda: len(found()) == 20, 90)
            BROKER.wire(lambda w: w.add_partitions("grow.b", 2))
            send("grow.b", 20, 1)
            wait_for("records of the new partition", lambda: len(found()) == 30, 90)
            assert run.stop() == 0, run.log
        send("grow.b", 30, 1)
        run_until_caught_up(file)
    assert found() == list(range(40))


def test_a_topic_template_spreads_records_and_create_makes_the_topics():
    BROKER.topic("spread.in")
    BROKER.produce("spread.in", [json.dumps({"n": n, "kind": "abc"[n % 3]}) for n in range(30)])
    sink = """    kafka:
      use: main
      topic: "spread.out.{kind}"
      create: { partitions: 3, replication_factor: 1, config: { retention.ms: 86400000 } }
    format: json
"""
    with folder() as dir:
        run_until_caught_up(pipeline(dir, "spread", "topic: spread.in, start: earliest", sink))
    for i, kind in enumerate("abc"):
        assert sorted(json.loads(v)["n"] for v in BROKER.values("spread.out." + kind)) == list(
            range(i, 30, 3))
        assert "with 3 partitions" in BROKER.kcat("-L", "-t", "spread.out." + kind)


def test_one_batch_is_what_trigger_once_takes():
    BROKER.topic("once.in")
    BROKER.topic("once.out")
    BROKER.produce("once.in", [json.dumps({"n": n}) for n in range(100)])
    with folder() as dir:
        file = pipeline(dir, "once", "topic: once.in, start: earliest", to_topic("once.out"))
        file.write_text(file.read_text().replace("every: 100ms", "every: 100ms, trigger: once"))
        code, _, err = leat("run", file)
        assert code == 0, err
        assert len(BROKER.values("once.out")) == 100
        assert leat("run", file)[0] == 0
        assert len(BROKER.values("once.out")) == 100, "nothing new, nothing written"
        file.write_text(file.read_text().replace("trigger: once", "trigger: caught_up"))
        BROKER.produce("once.in", [json.dumps({"n": 100})])
        code, _, err = leat("run", file)
        assert code == 0, err
        assert len(BROKER.values("once.out")) == 101


def test_caught_up_ends_where_the_topic_ended_when_it_began():
    BROKER.topic("end.in", 4)
    BROKER.topic("end.out", 1)
    for p in (0, 2):
        BROKER.produce("end.in", [json.dumps({"n": n}) for n in range(10)], p)
    with folder() as dir:
        file = pipeline(dir, "end", "topic: end.in, start: earliest", to_topic("end.out"))
        _, err = run_until_caught_up(file)
        assert len(BROKER.values("end.out")) == 20, err
        _, err = run_until_caught_up(file)  # everything is read: ends at once
        assert len(BROKER.values("end.out")) == 20, err


def test_new_records_arrive_while_it_runs():
    BROKER.topic("live.in", 2)
    BROKER.topic("live.out", 2)
    with folder() as dir:
        file = pipeline(dir, "live", "topic: live.in, start: earliest", to_topic("live.out"))
        with Leat("run", file) as job:
            for n in range(5):
                BROKER.produce("live.in", [json.dumps({"n": n})], n % 2)
                wait_for(f"record {n}", lambda: len(BROKER.values("live.out")) == n + 1)
            assert job.stop() == 0
            assert len(job.log.splitlines()) < 10, job.log
    assert {p: c[0] for p, c in BROKER.committed("live", "live.in", 2).items()} == {0: 3, 1: 2}


# ---- what Spark's own tests of its Kafka streams ask

WHERE = "      - map: { topic: meta.topic, at: meta.offset }\n"


def places(dir):
    """Of what came out: {topic: its offsets, in their order}."""
    found = {}
    for file in pathlib.Path(dir, "out").glob("[!.]*.jsonl"):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            found.setdefault(row["topic"], []).append(row["at"])
    return {topic: sorted(offsets) for topic, offsets in found.items()}


def test_positions_of_single_partitions_win_over_the_start_of_the_rest():
    topics = ["basic1", "basic2", "basic3"]
    for topic in topics:
        BROKER.topic(topic)
        BROKER.produce(topic, [json.dumps({"n": n}) for n in range(16)])
    BROKER.commit("basic", "basic1", {0: 2})
    with folder() as dir:
        run_until_caught_up(pipeline(dir, "basic", "topics: [basic1, basic2, basic3], start: earliest",
                                     to_files(f"{dir}/out"), WHERE))
        found = places(dir)
    assert found == {"basic1": list(range(2, 16)), "basic2": list(range(16)), "basic3": list(range(16))}
    assert sum(map(len, found.values())) == 46
    for topic in topics:
        assert BROKER.committed("basic", topic)[0][0] == 16


def test_positions_win_over_the_start_for_topics_of_a_pattern_too_and_others_are_not_read():
    for topic in ("pat1", "pat2", "pat3", "advanced3"):
        BROKER.topic(topic)
        BROKER.produce(topic, [json.dumps({"n": n}) for n in range(16)])
    BROKER.commit("pattern", "pat2", {0: 3})
    BROKER.commit("pattern", "pat3", {0: 4})
    with folder() as dir:
        run_until_caught_up(pipeline(dir, "pattern", "topics: '/^pat[0-9]$/', start: earliest",
                                     to_files(f"{dir}/out"), WHERE))
        found = places(dir)
    assert found == {"pat1": list(range(16)), "pat2": list(range(3, 16)), "pat3": list(range(4, 16))}
    assert sum(map(len, found.values())) == 41


def test_a_stream_that_begins_at_a_position_has_nothing_of_before():
    BROKER.topic("offset.in")
    BROKER.topic("offset.out")
    BROKER.produce("offset.in", ['"a"'] * 10)
    BROKER.commit("offset", "offset.in", {0: 10})
    with folder() as dir:
        file = pipeline(dir, "offset", "topic: offset.in, start: earliest", to_topic("offset.out"))
        with Leat("run", file) as run:
            BROKER.produce("offset.in", ['"b"'] * 10)
            wait_for("what came later", lambda: len(BROKER.values("offset.out")) >= 10)
            assert run.stop() == 0, run.log
    assert BROKER.values("offset.out") == ['"b"'] * 10


def test_sums_over_a_restart_have_every_record_once():
    BROKER.topic("sums.in")
    BROKER.topic("sums.out")
    ops = """      - map_to_pair: { key: "'sum'", value: this }
      - update_state_by_key: { update: 'default(state, 0) + values.sum()' }
"""

    def last():
        return max(map(int, BROKER.values("sums.out")), default=0)

    def ranges(file):
        return re.findall(r"read in  \S+  from (\d+) to (\d+)", leat("state", "show", file)[1])
    with folder() as dir:
        file = pipeline(dir, "sums", "topic: sums.in, start: earliest", to_topic("sums.out"), ops)
        before = []
        for first, total in ((1, 55), (11, 210)):
            with Leat("run", file) as run:
                for n in range(first, first + 10, 4):
                    BROKER.produce("sums.in", [str(v) for v in range(n, min(n + 4, first + 10))])
                wait_for(f"a sum of {total}", lambda: last() >= total)
                assert last() == total
                assert run.stop() == 0, run.log
            assert BROKER.committed("sums", "sums.in")[0][0] == first + 9
            now = ranges(file)
            assert now[:len(before)] == before, (before, now)
            before = now
    assert before[0][0] == "0" and before[-1][1] == "20", before
    assert all(a[1] == b[0] for a, b in zip(before, before[1:])), before


def test_a_compacted_topic_is_read_over_the_records_that_are_gone():
    BROKER.topic("compact.in", 1, **{"cleanup.policy": "compact", "segment.bytes": 100,
                                     "min.cleanable.dirty.ratio": 0.01, "delete.retention.ms": 0})
    for key, value in ("a1", "a2", "b1", "c1", "c2", "b2", "b3", "z0"):  # the last segment is not compacted
        BROKER.produce("compact.in", [(key, value)])
    wait_for("the broker to compact", lambda: [r["offset"] for r in BROKER.records("compact.in")] == [1, 4, 6, 7],
             180)
    BROKER.commit("compact-0", "compact.in", {0: 0})
    BROKER.commit("compact-2", "compact.in", {0: 2})
    with folder() as dir:
        for name, wanted in (("compact-e", ["a2", "c2", "b3"]), ("compact-0", ["a2", "c2", "b3"]),
                             ("compact-2", ["c2", "b3"])):
            BROKER.topic(f"{name}.out")
            run_until_caught_up(pipeline(dir, name, "topic: compact.in, start: earliest",
                                         to_topic(f"{name}.out"), "      - map: key + string(this)\n"))
            assert BROKER.values(f"{name}.out") == [f'"{v}"' for v in (*wanted, "z0")]
            assert BROKER.committed(name, "compact.in")[0][0] == 8


def test_a_batch_that_is_run_again_has_its_range_whatever_came_behind_it():
    BROKER.topic("cut.in")
    BROKER.produce("cut.in", [json.dumps({"n": n}) for n in range(18)])
    with folder() as dir:
        file = pipeline(dir, "cut", "topic: cut.in, start: earliest", to_files(f"{dir}/out"), WHERE)
        file.write_text(file.read_text().replace("every: 100ms", "every: 100ms, trigger: once"))

        def once():
            code, _, err = leat("run", file)
            assert code == 0, err
            return places(dir)["cut.in"]

        def again(batch):
            code, out, err = leat("replay", file, "--batch", batch)
            assert code == 0, err
            return [json.loads(line.split("\t")[-1])["at"] for line in out.splitlines() if "\t" in line]
        assert once() == list(range(18))
        assert once() == list(range(18)), "an empty range has nothing"
        BROKER.produce("cut.in", ['"d"'])
        assert once() == list(range(19))
        BROKER.produce("cut.in", ['"e"'] * 22)
        assert again(2) == [18], "the one record of its range"
        assert again(1) == list(range(18))
        assert BROKER.committed("cut", "cut.in")[0][0] == 19


def test_of_several_topics_each_position_is_committed_behind_its_last_record():
    topics = ["each1", "each2", "each3"]
    for topic in topics:
        BROKER.topic(topic)
        BROKER.produce(topic, [json.dumps({"n": n}) for n in range(30)])
    with folder() as dir:
        run_until_caught_up(pipeline(dir, "each", "topics: [each1, each2, each3], start: earliest",
                                     to_files(f"{dir}/out"), WHERE))
        assert places(dir) == {topic: list(range(30)) for topic in topics}
    assert [BROKER.committed("each", topic)[0][0] for topic in topics] == [30, 30, 30]


main(sys.modules[__name__])
