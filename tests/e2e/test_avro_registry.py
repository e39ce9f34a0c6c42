#!/usr/bin/env python3
"""Avro with a schema registry: one of the test that counts, fails and comes back, and a real one where it can be had."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import job  # noqa: E402
from kafka_test import T0, Broker, Leat  # noqa: E402
from leat_test import folder, leat, main, wait_for, write  # noqa: E402
from registry_test import Apicurio, Registry, framed  # noqa: E402

BROKER = Broker()
REAL = Apicurio()
POINT = {"type": "record", "name": "Point", "fields": [{"name": "x", "type": "int"}, {"name": "label", "type": "string"}]}
NEWER = {"type": "record", "name": "Point", "fields": [{"name": "x", "type": "long"}, {"name": "label", "type": "string"},
                                                       {"name": "z", "type": "double", "default": 0.5}]}


def produce(topic, values):
    BROKER.produce(topic, [(None, v, T0 + n) for n, v in enumerate(values)])


def reading(dir, name, registry, source, sink, more="", options=""):
    return job(dir, name, BROKER.address, f"topic: {source}, start: earliest",
               f"    kafka: {{ use: main, topic: {sink} }}\n    format: json\n",
               source_more=f'format: {{ avro: {{ registry: "{registry.url}"{options} }} }}', more=more)


def run(file):
    code, _, err = leat("run", file, "--until", "caught_up")
    assert code == 0, err
    return err


def test_records_of_several_schemas_are_read_and_each_schema_is_asked_for_once():
    for topic in ("reg.in", "reg.out", "reg.new"):
        BROKER.topic(topic)
    with folder() as dir, Registry() as registry:
        one, two = registry.add(json.dumps(POINT)), registry.add(json.dumps(NEWER))
        records = [({"x": n, "label": f"p{n}"} if n % 2 else {"x": n, "label": "new", "z": n / 2}) for n in range(3000)]
        produce("reg.in", [framed(one if n % 2 else two, POINT if n % 2 else NEWER, r) for n, r in enumerate(records)])
        run(reading(dir, "reg", registry, "reg.in", "reg.out"))
        assert [json.loads(v) for v in BROKER.values("reg.out")] == records
        assert sorted(registry.asked) == [f"/apis/ccompat/v7/schemas/ids/{n}" for n in (one, two)]
        schema = write(dir, "newer.avsc", json.dumps(NEWER))
        run(reading(dir, "reg-new", registry, "reg.in", "reg.new", options=f", schema: {schema}"))
        assert [json.loads(v) for v in BROKER.values("reg.new")] == [dict({"z": 0.5}, **r) for r in records]


def test_a_registry_that_is_away_holds_the_source_back_and_no_record_fails():
    BROKER.topic("away.in")
    BROKER.topic("away.out")
    with folder() as dir, Registry() as registry:
        number = registry.add(json.dumps(POINT))
        produce("away.in", [framed(number, POINT, {"x": n, "label": ""}) for n in range(100)])
        registry.fails = True
        with Leat("run", reading(dir, "away", registry, "away.in", "away.out", more="on_error: drop")) as job_:
            job_.wait_log("answers 503")
            wait_for("several questions", lambda: len(registry.asked) >= 3)
            assert BROKER.values("away.out") == []
            registry.fails = False
            wait_for("the records", lambda: len(BROKER.values("away.out")) == 100)
            assert job_.stop() == 0
    port_of_nobody = Registry()
    port_of_nobody.__exit__()
    BROKER.topic("away.none")
    with folder() as dir:
        with Leat("run", reading(dir, "none", port_of_nobody, "away.in", "away.none")) as job_:
            job_.wait_log("schema registry 'http://127.0.0.1")
            assert job_.stop() == 0
    assert BROKER.values("away.none") == []


def test_a_number_that_the_registry_fails_at_does_not_keep_others_from_being_asked():
    BROKER.topic("broken.in", partitions=2)
    BROKER.topic("broken.out")
    with folder() as dir, Registry() as registry:
        numbers = [registry.add(json.dumps(dict(POINT, doc=str(n)))) for n in range(20)]
        registry.broken = {numbers[0]}
        BROKER.produce("broken.in", [framed(numbers[0], POINT, {"x": -1, "label": "late"})], partition=0)
        BROKER.produce("broken.in", [framed(n, POINT, {"x": n, "label": ""}) for n in numbers[1:]], partition=1)
        with Leat("run", reading(dir, "broken", registry, "broken.in", "broken.out")) as job_:
            job_.wait_log("answers 500")
            wait_for("the others", lambda: len(BROKER.values("broken.out")) == 19)
            registry.broken = set()
            wait_for("the last one", lambda: len(BROKER.values("broken.out")) == 20)
            assert job_.stop() == 0
        assert sorted(json.loads(v)["x"] for v in BROKER.values("broken.out")) == [-1, *numbers[1:]]


def test_an_unknown_number_and_a_wrong_mark_are_errors_of_their_records():
    for topic in ("odd.in", "odd.out", "odd.dlq"):
        BROKER.topic(topic)
    with folder() as dir, Registry() as registry:
        number = registry.add(json.dumps(POINT))
        other = registry.add('{"type":"nonsense"}')
        good = framed(number, POINT, {"x": 1, "label": "a"})
        bad = [framed(99, POINT, {"x": 1, "label": "a"}), b"\x01" + good[1:], b"\0\0", framed(other, POINT, {"x": 1, "label": "a"})]
        produce("odd.in", [good, *bad, good])
        run(reading(dir, "odd", registry, "odd.in", "odd.out",
                    more="on_error: dlq\ndlq: { kafka: { use: main, topic: odd.dlq } }\n"))
        assert [json.loads(v)["x"] for v in BROKER.values("odd.out")] == [1, 1]
        assert BROKER.raw_values("odd.dlq") == bad


def writing(dir, name, registry, source, sink, options=""):
    schema = write(dir, "point.avsc", json.dumps(POINT))
    return job(dir, name, BROKER.address, f"topic: {source}, start: earliest",
               f"    kafka: {{ use: main, topic: {sink} }}\n    format: {{ avro: {{ registry: \"{registry.url}\","
               f" schema: {schema}, subject: {sink}-value{options} }} }}\n")


def test_a_sink_registers_its_schema_before_it_reads_a_record_and_writes_its_number():
    BROKER.topic("enroll.in")
    BROKER.topic("enroll.out")
    BROKER.produce("enroll.in", [json.dumps({"x": n, "label": f"é{n}"}) for n in range(10)])
    with folder() as dir, Registry(user="me:very-secret") as registry:
        registry.add('"string"')
        registry.fails = True
        auth = ", auth: { user: me, password: very-secret }, insecure: true"
        file = writing(dir, "enroll", registry, "enroll.in", "enroll.out", auth)
        with Leat("run", file) as job_:
            job_.wait_log("answers 503")
            registry.fails = False
            wait_for("the records", lambda: len(BROKER.values("enroll.out")) == 10)
            assert job_.stop() == 0
            assert "very-secret" not in job_.log
        assert registry.subjects == {"enroll.out-value": 2}
        assert json.loads(registry.schemas[2]) == POINT
        assert BROKER.raw_values("enroll.out") == [framed(2, POINT, {"x": n, "label": f"é{n}"}) for n in range(10)]


def test_a_schema_that_the_registry_refuses_ends_the_job_with_its_words():
    BROKER.topic("refuse.in")
    BROKER.topic("refuse.out")
    with folder() as dir, Registry() as registry:
        registry.refuses = True
        code, _, err = leat("run", writing(dir, "refuse", registry, "refuse.in", "refuse.out"), "--until", "caught_up")
        assert code == 78 and "answers 409" in err and "incompatible" in err and "refuse.out-value" in err, (code, err)


def test_a_real_registry_gives_the_schemas_of_several_versions_and_says_which_numbers_it_does_not_have():
    one, two = REAL.add("real.in-value", POINT), REAL.add("real.in-value", NEWER)
    assert one != two
    for topic in ("real.in", "real.read", "real.newer", "real.dlq"):
        BROKER.topic(topic)
    records = [({"x": n, "label": f"p{n}"} if n % 2 else {"x": n, "label": "new", "z": n / 2}) for n in range(200)]
    values = [framed(one if n % 2 else two, POINT if n % 2 else NEWER, r) for n, r in enumerate(records)]
    unknown = framed(two + 1000, POINT, {"x": 0, "label": ""})
    produce("real.in", [*values[:100], unknown, *values[100:]])
    with folder() as dir:
        schema = write(dir, "newer.avsc", json.dumps(NEWER))
        letters = "on_error: dlq\ndlq: { kafka: { use: main, topic: real.dlq } }\n"
        run(reading(dir, "real", REAL, "real.in", "real.read", more=letters))
        run(reading(dir, "real-newer", REAL, "real.in", "real.newer", more="on_error: drop", options=f", schema: {schema}"))
    assert [json.loads(v) for v in BROKER.values("real.read")] == records
    assert [json.loads(v) for v in BROKER.values("real.newer")] == [dict({"z": 0.5}, **r) for r in records]
    assert BROKER.raw_values("real.dlq") == [unknown]


def test_a_real_registry_takes_the_schema_of_a_sink_and_refuses_one_that_is_incompatible():
    for topic in ("real.json", "real.out"):
        BROKER.topic(topic)
    produce("real.json", [json.dumps({"x": n, "label": f"é{n}"}).encode() for n in range(10)])
    with folder() as dir:
        for again in range(2):
            run(writing(dir, f"real-out-{again}", REAL, "real.json", "real.out"))
        [version] = REAL.ask("/subjects/real.out-value/versions")
        number = REAL.ask(f"/subjects/real.out-value/versions/{version}")["id"]
        assert BROKER.raw_values("real.out") == 2 * [
            framed(number, POINT, {"x": n, "label": f"é{n}"}) for n in range(10)]
        REAL.ask("/config/real.bad-value", {"compatibility": "BACKWARD"}, "PUT")
        REAL.add("real.bad-value", dict(POINT, fields=[{"name": "x", "type": "string"}]))
        BROKER.topic("real.bad")
        code, _, err = leat("run", writing(dir, "real-bad", REAL, "real.json", "real.bad"), "--until", "caught_up")
        assert code == 78 and "answers 409" in err and "real.bad-value" in err, (code, err)
    assert BROKER.raw_values("real.bad") == []


def test_what_a_registry_needs_and_where_avro_cannot_be_is_said_by_check():
    with folder() as dir, Registry() as registry:
        def says(options, words, source="kafka: { brokers: localhost, topic: a }"):
            file = write(dir, "check.yaml", f"leat: 1\nname: check\ncheckpoint: {{ dir: {dir}/state }}\nsources:\n  in:\n    {source}\n"
                         f"    format: {{ avro: {{ {options} }} }}\nsinks:\n  out: {{ from: in, null: {{}} }}\n")
            code, out, err = leat("check", file)
            assert code != 0 and words in out + err, (code, out, err)
        url = f'registry: "{registry.url}"'
        says("framing: raw", "`schema` is missing")
        says("registry: nowhere", "is no URL such as")
        says(url + ", framing: single_object", "take out framing")
        says(url + ", auth: { user: a, password: b }", "can be read by everybody")
        says(url, "can be read again", "socket: { connect: localhost:9, framing: length }")
        says(url + f", subject: {'a' * 300}", "1 to 255 bytes")
        says("schema: '\"string\"', insecure: true", "are for a `registry`")
        says("schema: '\"string\"'", "'files' works by lines", "files: { path: x }")
        assert registry.asked == []


main(sys.modules[__name__])
