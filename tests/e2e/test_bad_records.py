#!/usr/bin/env python3
"""Records that are no JSON, too deep, too large, wrong in their fields, beside good ones."""
import json
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import ALL, job, to_topic  # noqa: E402
from kafka_test import Broker  # noqa: E402
from leat_test import folder, leat, main  # noqa: E402

BROKER = Broker()
DEEP = "[" * 65 + "]" * 65
BAD = {
    "cut": b'{"n":1,"a":"x',
    "nothing": b"",
    "spaces": b"  ",
    "two": b'{"n":1} {"n":2}',
    "trailing comma": b'{"n":1,}',
    "nan": b'{"n":NaN}',
    "infinity": b'{"n":-Infinity}',
    "single quotes": b"{'n':1}",
    "leading zero": b'{"n":01}',
    "not utf-8": b'{"n":1,"a":"\xff\xfe"}',
    "overlong utf-8": b'{"n":1,"a":"\xc0\xaf"}',
    "control character": b'{"n":1,"a":"\x01"}',
    "lone surrogate half": b'{"n":1,"a":"\\ud800x',
    "deep": b'{"n":1,"a":' + DEEP.encode() + b"}",
    "deep and cut": b"[" * 100_000,
    "binary": bytes(range(256)),
    "large": b'{"n":1,"a":"' + b"x" * 1_100_000 + b'"}',
}


def numbered(first, count):
    return [json.dumps({"n": n}).encode() for n in range(first, first + count)]


def run(name, records, on_error, ops=ALL, more="", **words):
    """Returns exit code, stderr and the values that came out."""
    BROKER.topic(name + ".in", **{"max.message.bytes": 5_000_000})
    BROKER.topic(name + ".out")
    for r in records:
        BROKER.produce(name + ".in", [r])
    with folder() as dir:
        file = job(dir, name, BROKER.address, f"topic: {name}.in, start: earliest",
                   to_topic(name + ".out"), ops, more=f"on_error: {on_error}\n{more}", **words)
        code, _, err = leat("run", file, "--until", "caught_up")
    return code, err, BROKER.values(name + ".out")


def test_a_dropped_record_is_counted_and_its_neighbours_arrive():
    records = []
    for i, bad in enumerate(BAD.values()):
        records += numbered(100 * i, 3) + [bad]
    code, err, out = run("drop", records, "drop", "      - filter: n >= 0\n")
    assert code == 0, err
    wanted = [100 * i + k for i in range(len(BAD)) for k in range(3)]
    found = [json.loads(v)["n"] for v in out]
    assert found == wanted, (set(found) ^ set(wanted), err)
    dropped = sum(map(int, re.findall(r"(\d+) records of batch", err)))  # of one batch or some
    assert dropped == len(BAD), err
    assert "drop.in/0, position 3" in err, err
    assert len(err.splitlines()) < 6, err


def test_each_kind_of_bad_record_stops_the_job_with_its_place():
    for i, (what, bad) in enumerate(BAD.items()):
        name = f"fail{i}"
        code, err, out = run(name, numbered(0, 2) + [bad] + numbered(2, 1), "fail",
                             "      - filter: n >= 0\n")
        assert code == 1, f"{what}: {code}\n{err}"
        assert f"{name}.in/0, position 2" in err, f"{what}: {err}"
        assert len(err) < 2000, f"{what}: {len(err)} bytes of message"
        # What came before it may have been a batch of its own; nothing goes on behind it.
        assert len(out) in (0, 2), what
        committed = BROKER.committed(name, name + ".in")
        assert committed.get(0, (0,))[0] in (0, 2), f"{what}: {committed}"


def test_an_expression_that_fails_is_named_with_the_value():
    for name, op, value, words in (
            ("missing", "      - filter: amount > 3\n", '{"n":1}', ["amount > 3", "amount"]),
            ("kind", "      - map: { x: n + 1 }\n", '{"n":"seven"}', ["n + 1", "seven"]),
            ("overflow", "      - map: { x: n * 2 }\n", '{"n":9223372036854775807}', ["n * 2"]),
            ("zero", "      - map: { x: int(n) / int(0 * n) }\n", '{"n":1}', ["int(n) / int(0 * n)"]),
            ("time", "      - map: { x: timestamp(t) }\n", '{"n":1,"t":"yesterday"}',
             ["timestamp(t)", "yesterday"])):
        code, err, out = run(name, numbered(0, 0) + [value.encode()], "fail", op)
        assert code == 1, f"{name}: {err}"
        for word in [f"{name}.in/0, position 0", *words]:
            assert word in err, f"{name}: no '{word}' in {err}"
        assert out == []


def test_numbers_beyond_64_bits_and_odd_but_good_json_arrive():
    good = ['{"n":-9223372036854775808}', '{"n":18446744073709551615}', '{"n":1.5e-320}', '{"n":-0.0}',
            '{"n":1,"n":2}', '{"n":1,"":{"\\u0000":"\\ud83d\\ude00"}}', ' \t\r\n{ "n" : 1 } ',
            '{"n":1,"a":' + "[" * 60 + "]" * 60 + "}"]
    code, err, out = run("odd", [g.encode() for g in good], "fail", "      - set: { m: n }\n")
    assert code == 0, err
    found = [json.loads(v) for v in out]
    assert [v["m"] for v in found] == [-9223372036854775808, 18446744073709551615, 1.5e-320, 0, 2,
                                       1, 1, 1]
    assert found[5][""] == {"\0": "😀"}


def test_numbers_beyond_64_bits_pass_unless_they_are_asked_for():
    beyond = ['{"n":123456789012345678901234567890}', '{"n":-9223372036854775809}']
    code, err, out = run("beyond", [b.encode() for b in beyond], "fail")
    assert (code, out) == (0, beyond), err
    code, err, out = run("beyond-field", [b.encode() for b in beyond] + numbered(1, 1), "drop",
                         "      - filter: n > 0\n")
    assert (code, out) == (0, ['{"n": 1}']), err
    assert "2 records" in err and "beyond 64 bits" in err, err


def test_values_that_are_no_objects_pass_where_nothing_asks_for_fields():
    values = ["1", '"text"', "[1,2]", "true", "2.50", "{}"]
    code, err, out = run("plain", [v.encode() for v in values], "fail")
    assert code == 0, err
    assert [json.loads(v) for v in out] == [json.loads(v) for v in values]
    code, err, out = run("plain-field", [v.encode() for v in values] + numbered(5, 1), "drop",
                         "      - filter: n == 5\n")
    assert code == 0, err
    assert [json.loads(v)["n"] for v in out] == [5]
    assert "6 records" in err, err


def test_what_a_schema_promises_is_checked_record_by_record():
    schema = """format: json
    schema: { n: int, city: string, amount: "double?" }"""
    rows = [{"n": 1, "city": "a", "amount": 1}, {"n": "1", "city": "a"}, {"city": "a"},
            {"n": 1.0, "city": "b"}, {"n": 1.5, "city": "b"}, {"n": 2, "city": None},
            {"n": 3, "city": "c", "amount": None, "more": [1]}]
    code, err, out = run("schema", [json.dumps(r).encode() for r in rows], "drop",
                         "      - set: { m: n + 1, c: city, a: amount }\n", source_more=schema)
    assert code == 0, err
    found = [json.loads(v) for v in out]
    assert [(v["m"], v["c"], v["a"]) for v in found] == [
        (2, "a", 1.0), (2, "b", None), (4, "c", None)], found
    assert found[2]["more"] == [1]
    assert "4 records" in err, err


main(sys.modules[__name__])
