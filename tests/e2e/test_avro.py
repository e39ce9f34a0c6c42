#!/usr/bin/env python3
"""Avro on real topics, beside another implementation: fastavro writes what leat reads and reads what it writes."""
import datetime
import decimal
import io
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import ALL, job  # noqa: E402
from kafka_test import T0, Broker  # noqa: E402
from leat_test import folder, leat, main, write  # noqa: E402
from pypi import fastavro, package  # noqa: E402

BROKER = Broker()
UTC = datetime.timezone.utc
ORDER = {
    "type": "record", "name": "shop.Order", "fields": [
        {"name": "id", "type": "long"},
        {"name": "city", "type": "string"},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["NEW", "PAID"]}},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "attrs", "type": {"type": "map", "values": "double"}},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 4}},
        {"name": "parent", "type": ["null", "Order"], "default": None},
    ]}


def order(n, deep=True):
    return {"id": n, "city": f"Städtchen {n % 3}", "amount": decimal.Decimal(n * 7 - 100) / 100,
            "at": datetime.datetime(2026, 1, 1, 0, 0, n % 60, 250000, UTC),
            "day": datetime.date(2026, 1, 1 + n % 28), "status": ("NEW", "PAID")[n % 2],
            "note": None if n % 4 else f"note {n}", "tags": [f"t{i}" for i in range(n % 5)],
            "attrs": {"w": n / 2, "h": 1.0}, "hash": n.to_bytes(4, "big"),
            "parent": order(n + 1000, False) if deep and n % 3 == 0 else None}


def as_bytes(schema, record):
    out = io.BytesIO()
    fastavro().schemaless_writer(out, fastavro().parse_schema(schema), record)
    return out.getvalue()


def as_json(record):
    """What leat makes of it, written as JSON."""
    import base64
    return dict(record, amount=float(record["amount"]),
                at=record["at"].strftime("%Y-%m-%dT%H:%M:%S.") + f"{record['at'].microsecond // 1000:03}Z",
                day=record["day"].isoformat() + "T00:00:00Z",
                hash=base64.b64encode(record["hash"]).decode(),
                parent=record["parent"] and as_json(record["parent"]))


def produce(topic, values):
    BROKER.topic(topic)
    BROKER.produce(topic, [(None, v, T0 + n) for n, v in enumerate(values)])


def run(file):
    code, out, err = leat("run", file, "--until", "caught_up")
    assert code == 0, err
    return out, err


def test_what_fastavro_wrote_is_read_with_every_field_and_written_so_that_it_reads_the_same():
    records = [order(n) for n in range(500)]
    produce("avro.in", [as_bytes(ORDER, r) for r in records])
    BROKER.topic("avro.json")
    BROKER.topic("avro.out")
    with folder() as dir:
        schema = write(dir, "order.avsc", json.dumps(ORDER))
        source = f"format: {{ avro: {{ schema: {schema} }} }}"
        for topic, form in ("avro.json", "json"), ("avro.out", f"{{ avro: {{ schema: {schema} }} }}"):
            run(job(dir, topic.replace(".", "-"), BROKER.address, "topic: avro.in, start: earliest",
                    f"    kafka: {{ use: main, topic: {topic} }}\n    format: {form}\n", source_more=source))
    assert [json.loads(v) for v in BROKER.values("avro.json")] == [as_json(r) for r in records]
    parsed = fastavro().parse_schema(ORDER)
    assert [fastavro().schemaless_reader(io.BytesIO(v), parsed, None) for v in BROKER.raw_values("avro.out")] == records


def test_an_older_writer_is_read_with_todays_schema():
    old = {"type": "record", "name": "Point", "fields": [
        {"name": "gone", "type": {"type": "array", "items": "string"}},
        {"name": "x", "type": "int"}, {"name": "label", "type": "string"}]}
    new = {"type": "record", "name": "Point", "fields": [
        {"name": "x", "type": "double"}, {"name": "name", "aliases": ["label"], "type": ["null", "string"]},
        {"name": "z", "type": "long", "default": 7}]}
    records = [{"gone": ["a"] * (n % 3), "x": n, "label": f"p{n}"} for n in range(100)]
    values = [as_bytes(old, r) for r in records]
    produce("avro.old", values)
    BROKER.topic("avro.new")
    with folder() as dir:
        was, now = write(dir, "old.avsc", json.dumps(old)), write(dir, "new.avsc", json.dumps(new))
        run(job(dir, "resolve", BROKER.address, "topic: avro.old, start: earliest",
                "    kafka: { use: main, topic: avro.new }\n    format: json\n",
                source_more=f"format: {{ avro: {{ schema: {now}, writer_schema: {was} }} }}"))
    fa = fastavro()
    expected = [fa.schemaless_reader(io.BytesIO(v), fa.parse_schema(old), fa.parse_schema(new)) for v in values]
    assert [json.loads(v) for v in BROKER.values("avro.new")] == expected


def test_fingerprints_and_single_objects_are_those_of_another_implementation():
    fa = fastavro()
    package("fastavro", "1.9.7", "fastavro.schema")
    values = []
    for n in range(10):
        value = as_bytes(ORDER, order(n))
        mark = bytes.fromhex(fa.schema.fingerprint(fa.schema.to_parsing_canonical_form(ORDER), "CRC-64-AVRO"))
        values.append(b"\xc3\x01" + mark + value)
    produce("avro.single", values)
    BROKER.topic("avro.single.out")
    with folder() as dir:
        schema = write(dir, "order.avsc", json.dumps(ORDER))
        form = f"{{ avro: {{ schema: {schema}, framing: single_object }} }}"
        run(job(dir, "single", BROKER.address, "topic: avro.single, start: earliest",
                f"    kafka: {{ use: main, topic: avro.single.out }}\n    format: {form}\n",
                source_more=f"format: {form}"))
    assert BROKER.raw_values("avro.single.out") == values


def test_a_damaged_record_goes_to_the_dlq_as_it_came_and_its_neighbours_are_read():
    good = as_bytes(ORDER, order(1))
    produce("avro.bad", [good, good[:-3], good + b"x", b"\xff" * 40, good])
    BROKER.topic("avro.good")
    BROKER.topic("avro.dlq")
    with folder() as dir:
        schema = write(dir, "order.avsc", json.dumps(ORDER))
        run(job(dir, "bad", BROKER.address, "topic: avro.bad, start: earliest",
                "    kafka: { use: main, topic: avro.good }\n    format: json\n", ops=ALL,
                source_more=f"format: {{ avro: {{ schema: {schema} }} }}",
                more="on_error: dlq\ndlq: { kafka: { use: main, topic: avro.dlq } }\n"))
    assert len(BROKER.values("avro.good")) == 2
    assert BROKER.raw_values("avro.dlq") == [good[:-3], good + b"x", b"\xff" * 40]


main(sys.modules[__name__])
