#!/usr/bin/env python3
"""delivery: exactly_once on a real broker: killed, started again, nothing lost and nothing twice."""
import gzip
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_client import client  # noqa: E402
from kafka_test import T0, Broker, Leat  # noqa: E402
from leat_test import folder, leat, main, wait_for  # noqa: E402

BROKER = Broker()
KILLS = 5
SEED = int(os.environ.get("LEAT_SEED", time.time_ns() % 1_000_000))
RECORDS = 20_000

HEAD = """leat: 1
name: {name}
delivery: exactly_once
batch: {{ every: 40ms, max_records: 1500 }}
{more}
checkpoint: {{ dir: {dir}/state }}
"""
FROM_TOPIC = """sources:
  in:
    kafka: {{ brokers: "{broker}", topic: {name}.in, start: earliest }}
    format: json
    time: {{ at: fromMillis(at) }}
"""
WINDOW = """streams:
  sums:
    from: in
    ops:
      - key_by: k
      - window: { size: 1s }
      - aggregate: { n: count(), total: sum(n) }
"""


def fill(topic, parts=2):
    BROKER.topic(topic, parts)
    for p in range(parts):
        lines = [json.dumps({"n": n, "k": n % 7, "at": T0 + n})
                 for n in range(p, RECORDS, parts)]
        BROKER.produce_lines(topic, lines, "-p", str(p))


def write(dir, name, rest, more=""):
    file = pathlib.Path(dir, "job.yaml")
    file.write_text(HEAD.format(name=name, dir=dir, more=more) + rest)
    return file


def kill_often(file, env=None):
    """Each time a little after it has begun to work."""
    chance = random.Random(SEED)
    for _ in range(KILLS):
        with Leat("run", file, env=env) as run:
            try:
                run.wait(chance.uniform(0.3, 1.0))
                raise AssertionError(f"it ended: {run.log}")
            except subprocess.TimeoutExpired:
                pass
            run.kill()


def finish(file, *words):
    code, _, err = leat("run", file, "--until", "caught_up", *words)
    assert code == 0, f"seed {SEED}: {code} {err}"
    return err


def committed_values(topic, broker=BROKER):
    """To the end, with a client of its own: the broker may still be writing its commit markers."""
    kafka = client()
    reader = kafka.Consumer({"bootstrap.servers": broker.address, "group.id": "reader",
                             "isolation.level": "read_committed", "enable.partition.eof": True,
                             "enable.auto.commit": False})
    parts = [kafka.TopicPartition(topic, p, 0)
             for p in reader.list_topics(timeout=30).topics[topic].partitions]
    reader.assign(parts)
    ends = {t.partition: reader.get_watermark_offsets(t, timeout=30)[1] for t in parts}
    values, at = [], {}
    while any(at.get(p, 0) < end for p, end in ends.items()):
        for m in reader.consume(1000, 0.2):
            if not m.error():
                values.append(m.value().decode())
            elif m.error().code() == kafka.KafkaError._PARTITION_EOF:
                at[m.partition()] = m.offset()
    reader.close()
    return values


def expected_windows():
    sums = {}
    for n in range(RECORDS):
        key = (n % 7, (T0 + n) // 1000)
        count, total = sums.get(key, (0, 0))
        sums[key] = (count + 1, total + n)
    return sorted(sums.values())


def windows_of(values):
    return sorted((v["n"], v["total"]) for v in map(json.loads, values))


def check(found):
    assert len(found) == RECORDS, f"seed {SEED}: {len(found)} records, {len(set(found))} different"
    assert set(found) == set(range(RECORDS)), f"seed {SEED}"


def test_from_topic_to_topics_with_windows_nothing_is_lost_or_doubled():
    print(f"seed {SEED}")
    name = "once"
    fill(f"{name}.in")
    BROKER.topic(f"{name}.copy", 2)
    BROKER.topic(f"{name}.sums", 1)
    with folder() as dir:
        file = write(dir, name, FROM_TOPIC.format(broker=BROKER.address, name=name) + WINDOW + f"""
sinks:
  copy: {{ from: in, kafka: {{ brokers: "{BROKER.address}", topic: {name}.copy }} }}
  windows: {{ from: sums, kafka: {{ brokers: "{BROKER.address}", topic: {name}.sums }} }}
""")
        kill_often(file)
        finish(file)
    check([json.loads(v)["n"] for v in committed_values(f"{name}.copy")])
    assert windows_of(committed_values(f"{name}.sums")) == expected_windows(), f"seed {SEED}"


def test_batches_that_share_a_transaction_are_there_once():
    name = "shared"
    fill(f"{name}.in")
    BROKER.topic(f"{name}.copy", 2)
    with folder() as dir:
        file = write(dir, name, FROM_TOPIC.format(broker=BROKER.address, name=name) + f"""
sinks:
  copy: {{ from: in, kafka: {{ brokers: "{BROKER.address}", topic: {name}.copy }} }}
""", "commit: { every: 300ms }")
        kill_often(file)
        finish(file)
    check([json.loads(v)["n"] for v in committed_values(f"{name}.copy")])


def finals(dir):
    return [p for p in pathlib.Path(dir, "out").rglob("*.jsonl") if not p.name.startswith(".")]


def numbers_of(dir):
    left = [p for p in pathlib.Path(dir, "out").rglob("*") if p.is_file() and p not in finals(dir)]
    assert not left, f"temporary files are left: {left}, seed {SEED}"
    return [json.loads(line)["n"] for p in finals(dir) for line in p.read_text().splitlines()]


def test_from_a_topic_to_files_nothing_is_lost_or_doubled():
    name = "once-files"
    fill(f"{name}.in")
    with folder() as dir:
        file = write(dir, name, FROM_TOPIC.format(broker=BROKER.address, name=name) + f"""
sinks:
  out: {{ from: in, files: {{ path: "{dir}/out/{{file}}.jsonl" }}, format: json }}
""")
        kill_often(file)
        finish(file)
        check(numbers_of(dir))


def test_rolled_and_compressed_files_span_batches_and_have_each_record_once():
    name = "rolled"
    fill(f"{name}.in")
    with folder() as dir:
        file = write(dir, name, FROM_TOPIC.format(broker=BROKER.address, name=name) + f"""
sinks:
  out:
    from: in
    files: {{ path: "{dir}/out/{{file}}.jsonl.gz", roll: {{ size: 12KiB, idle: 500ms }} }}
    format: json
""")
        kill_often(file)
        finish(file)
        out = pathlib.Path(dir, "out")
        while any(p.name.startswith(".") for p in out.iterdir()):  # the last ones, when they are idle
            with Leat("run", file) as run:
                wait_for("the last files", lambda: not any(
                    p.name.startswith(".") for p in out.iterdir()))
                run.process.terminate()
                assert run.process.wait(10) == 0, run.log
        lines = [line for p in out.iterdir() for line in gzip.open(p, "rt")]
        assert len(list(out.iterdir())) < 60, "a file for each batch: nothing was rolled"
    check([json.loads(line)["n"] for line in lines])


def test_read_from_one_cluster_and_written_to_another():
    name = "across"
    other = Broker()
    fill(f"{name}.in")
    other.topic(f"{name}.out", 1)
    with folder() as dir:
        file = write(dir, name, FROM_TOPIC.format(broker=BROKER.address, name=name) + f"""
sinks:
  out: {{ from: in, kafka: {{ brokers: "{other.address}", topic: {name}.out }} }}
""")
        kill_often(file)
        finish(file)
    check([json.loads(v)["n"] for v in committed_values(f"{name}.out", other)])
    other.end()


def lines_in(dir):
    """Files of lines, as a source."""
    pathlib.Path(dir, "in").mkdir()
    for part in range(10):
        path = pathlib.Path(dir, "in", f"{part}.txt")
        path.write_text("".join(json.dumps({"n": n}) + "\n"
                                for n in range(part, RECORDS, 10)))
    return f"""sources:
  in: {{ files: {{ path: {dir}/in }}, format: json }}
"""


def test_from_files_to_files_the_log_decides():
    with folder() as dir:
        file = write(dir, "from-files", lines_in(dir) + f"""
sinks:
  out: {{ from: in, files: {{ path: "{dir}/out/{{file}}.jsonl" }}, format: json }}
""")
        kill_often(file)
        finish(file)
        check(numbers_of(dir))


def test_from_files_to_a_topic_and_files_at_once():
    BROKER.topic("both.out", 1)
    with folder() as dir:
        file = write(dir, "both", lines_in(dir) + f"""
sinks:
  out: {{ from: in, files: {{ path: "{dir}/out/{{file}}.jsonl" }}, format: json }}
  topic: {{ from: in, kafka: {{ brokers: "{BROKER.address}", topic: both.out }} }}
""")
        kill_often(file)
        finish(file)
        check(numbers_of(dir))
    check([json.loads(v)["n"] for v in committed_values("both.out")])


def test_a_log_that_is_gone_is_refused_with_both_ways_out():
    name = "gone"
    fill(f"{name}.in")
    BROKER.topic(f"{name}.copy", 1)
    with folder() as dir:
        file = write(dir, name, FROM_TOPIC.format(broker=BROKER.address, name=name) + f"""
sinks:
  copy: {{ from: in, kafka: {{ brokers: "{BROKER.address}", topic: {name}.copy }} }}
""")
        finish(file)
        shutil.rmtree(pathlib.Path(dir, "state"))
        for _ in range(2):
            code, _, err = leat("run", file, "--until", "caught_up")
            assert code == 1 and "are gone" in err and "--accept-offsets" in err, err
        assert "begin anew" in finish(file, "--accept-offsets")
        finish(file)
    check([json.loads(v)["n"] for v in committed_values(f"{name}.copy")])


def test_after_a_clean_stop_a_group_that_the_broker_has_forgotten_is_made_again_from_the_log():
    name = "forgotten"
    fill(f"{name}.in")
    BROKER.topic(f"{name}.copy", 1)
    client()
    from confluent_kafka.admin import AdminClient
    admin = AdminClient({"bootstrap.servers": BROKER.address})
    with folder() as dir:
        file = write(dir, name, FROM_TOPIC.format(broker=BROKER.address, name=name) + f"""
sinks:
  copy: {{ from: in, kafka: {{ brokers: "{BROKER.address}", topic: {name}.copy }} }}
""")
        assert "forgotten" not in finish(file)
        for future in admin.delete_consumer_groups([f"leat-{name}"]).values():
            future.result(20)
        assert f"forgotten the position of '{name}.in/0'" in finish(file)
    check([json.loads(v)["n"] for v in committed_values(f"{name}.copy")])


def test_an_at_least_once_job_becomes_exactly_once_and_back():
    name = "change"
    fill(f"{name}.in")
    BROKER.topic(f"{name}.copy", 1)
    with folder() as dir:
        file = write(dir, name, FROM_TOPIC.format(broker=BROKER.address, name=name) + f"""
sinks:
  copy: {{ from: in, kafka: {{ brokers: "{BROKER.address}", topic: {name}.copy }} }}
""")
        text = file.read_text()
        for delivery in ("at_least_once", "exactly_once", "at_least_once", "exactly_once"):
            file.write_text(text.replace("exactly_once", delivery))
            code, _, err = leat("run", file, "--until", "1s")
            assert code == 0, err
        file.write_text(text)
        finish(file)
    check([json.loads(v)["n"] for v in committed_values(f"{name}.copy")])


main(sys.modules[__name__])
