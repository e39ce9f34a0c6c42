#!/usr/bin/env python3
"""`on_error: dlq`: what cannot be used goes to its own output, as it came, and says why."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import job, to_topic  # noqa: E402
from kafka_test import Broker  # noqa: E402
from leat_test import folder, leat, main, write  # noqa: E402

BROKER = Broker()


def headers_of(record):
    flat = record["headers"]
    return dict(zip(flat[::2], flat[1::2]))


def run(name, records, ops, partition=0, delivery="at_least_once"):
    BROKER.topic(name + ".in", 2)
    BROKER.topic(name + ".out")
    BROKER.topic(name + ".dead")
    BROKER.produce(name + ".in", records, partition)
    more = f"delivery: {delivery}\non_error: dlq\ndlq:\n  kafka: {{ use: main, topic: {name}.dead }}"
    with folder() as dir:
        file = job(dir, name, BROKER.address, f"topic: {name}.in, start: earliest",
                   to_topic(name + ".out"), ops, more=more)
        code, _, err = leat("run", file, "--until", "caught_up")
    assert code == 0, err
    return BROKER.records(name + ".out"), BROKER.records(name + ".dead"), err


def test_a_dead_letter_has_its_own_bytes_and_says_where_it_was_and_why():
    records = [("a", b'{"n":1}'), ("b", b'{"n": oops}', 1700000000000 + 10**11, [("trace", b"x")]),
               ("c", b'{"n":"text"}'), (None, b'{"m":1}'), ("e", b'{"n":2}')]
    out, dead, err = run("letters", records, "      - filter: n > 0\n", partition=1)
    assert [json.loads(r["payload"]) for r in out] == [{"n": 1}, {"n": 2}]
    assert [r["payload"] for r in dead] == ['{"n": oops}', '{"n":"text"}', '{"m":1}']
    assert [r.get("key") for r in dead] == ["b", "c", None]
    assert dead[0]["ts"] == 1700000000000 + 10**11
    first, second, third = map(headers_of, dead)
    assert first["trace"] == "x"
    assert first["leat-source"] == "in" and first["leat-topic"] == "letters.in", first
    assert first["leat-partition"] == "1" and first["leat-offset"] == "1", first
    assert first["leat-stage"] == "sources.in" and "decoding" in first["leat-error"], first
    assert second["leat-offset"] == "2" and second["leat-stage"] == "streams.s.ops[0].filter", second
    assert "n > 0" in second["leat-error"], second
    assert third["leat-offset"] == "3" and "'n'" in third["leat-error"], third
    assert "3 records of batch" in err and "became dead letters" in err, err


def test_elements_of_a_list_and_what_an_output_cannot_write_are_letters_too():
    records = [b'{"l":[1,"x",3]}', b'{"l":5}', b'{"l":[4]}']
    ops = ("      - flat_map: l\n      - map: |\n"
           "          this > 3 ? double('NaN') : this\n")
    out, dead, _ = run("elements", records, ops)
    assert [json.loads(r["payload"]) for r in out] == [1, 3], out
    values = [(r["payload"], headers_of(r)["leat-offset"]) for r in dead]
    assert sorted(values) == sorted([('{"l":[1,"x",3]}', "0"), ('{"l":5}', "1"),
                                     ('{"l":[4]}', "2")]), dead


def test_behind_an_exchange_the_row_is_written_as_it_stood():
    records = [("k", b'{"k":"a","n":1}'), ("k", b'{"k":"b","n":0}'), ("k", b'{"k":"b","n":0}')]
    ops = ("      - key_by: k\n      - aggregate:\n          total: sum(int(n))\n"
           "      - set: { part: 10 / total }\n")
    out, dead, _ = run("behind", records, ops)
    assert [json.loads(r["payload"]) for r in out] == [{"k": "a", "total": 1, "part": 10}], out
    assert [(r["key"], json.loads(r["payload"])) for r in dead] == [("b", {"k": "b", "total": 0})]
    assert headers_of(dead[0]) == {"leat-error": "10 / total: division by zero",
                                   "leat-stage": "streams.s.ops[2].set"}, dead


def test_of_a_record_that_has_come_to_its_state_the_key_and_the_named_fields_are_left():
    records = [("k", b'{"k":"a","n":1,"id":"x"}'), ("k", b'{"k":"a","id":"y","more":5}')]
    ops = ("      - key_by: k\n      - map_with_state:\n"
           "          init: { total: 0 }\n          update: { total: state.total + int(n) }\n"
           "          emit: { id: id, total: state.total }\n")
    out, dead, _ = run("stateful", records, ops)
    assert [json.loads(r["payload"]) for r in out] == [{"id": "x", "total": 1}], out
    assert [(r["key"], json.loads(r["payload"])) for r in dead] == [("a", {"id": "y"})], dead
    assert headers_of(dead[0])["leat-stage"] == "streams.s.ops[1].map_with_state", dead


def test_dead_letters_are_in_the_transaction_of_their_batch():
    records = [b'{"n":1}', b"nothing", b'{"n":2}']
    out, dead, _ = run("once", records, "      - filter: n > 0\n", delivery="exactly_once")
    assert [json.loads(r["payload"]) for r in out] == [{"n": 1}, {"n": 2}]
    assert [r["payload"] for r in dead] == ["nothing"]
    # The marker of the transaction stands behind each topic's records: one offset more than there are.
    for topic, count in (("once.out", 2), ("once.dead", 1)):
        end = BROKER.kcat("-Q", "-t", f"{topic}:0:-1").split()[-1]
        assert int(end) == count + 1, (topic, end)


def test_dead_letters_of_files_are_files():
    with folder() as dir:
        (pathlib.Path(dir) / "in").mkdir()
        write(dir, "in/a.jsonl", '{"n":1}\nnothing\n{"n":2}\n')
        file = write(dir, "job.yaml", f"""leat: 1
name: files-letters
on_error: dlq
dlq:
  files: {{ path: "{dir}/dead/{{file}}.txt" }}
checkpoint: {{ dir: {dir}/state }}
sources:
  in:
    files: {{ path: {dir}/in }}
    format: json
sinks:
  out:
    from: in
    files: {{ path: "{dir}/out/{{file}}.jsonl" }}
    format: json
""")
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        dead = "".join(p.read_text() for p in (pathlib.Path(dir) / "dead").iterdir())
        out = "".join(p.read_text() for p in (pathlib.Path(dir) / "out").iterdir())
    assert dead == "nothing\n" and out == '{"n":1}\n{"n":2}\n', (dead, out)


main(sys.modules[__name__])
