#!/usr/bin/env python3
"""`leat test`: what is wrong with tests, what a failure says, and which tests are run."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import folder, leat, main, write  # noqa: E402

FILE = """leat: 1
name: tests
sources:
  in: { kafka: { brokers: "localhost:1", topic: t }, format: json }
sinks:
  out: { from: in, console: {} }
tests:
"""
GOOD = """  - name: one record
    batches: [ { in: [ { key: k, value: { a: 1 }, time: "2026-01-01T10:00:00Z" } ] } ]
    expect:
      out: %s
"""


def run(body, *words, command="test"):
    with folder() as d:
        code, out, err = leat(command, write(d, "f.yaml", FILE + body), *words)
        return code, out.replace(d + "/", ""), err.replace(d + "/", "")


def test_check_and_test_refuse_what_is_wrong_in_tests():
    for expect, text in (("[{ a: 1 }]\n    bathes: []", "unknown key 'bathes'"),
                         ("{ contain: [] }", "unknown key 'contain'"),
                         ("{ where: 'a >', count: 1 }", "error"),
                         ("{ unordered: [], contains: [] }", "is enough")):
        for command in ("check", "test"):
            code, _, err = run(GOOD % expect, command=command)
            assert code == 78 and text in err and "f.yaml:" in err, (command, expect, code, err)


def test_a_failure_shows_key_and_time_where_they_were_given():
    code, out, _ = run(GOOD % '[ { key: k, value: { a: 1 }, time: "2026-01-01T10:00:01Z" } ]')
    assert code == 65, out
    assert 'expected time "2026-01-01T10:00:01Z", key "k": {"a":1}   (line 11)' in out, out
    assert 'got      time "2026-01-01T10:00:00Z", key "k": {"a":1}' in out, out


def test_a_name_that_no_test_has_is_wrong_usage():
    assert run(GOOD % "[ { a: 1 } ]", "one")[0] == 0
    code, _, err = run(GOOD % "[ { a: 1 } ]", "two")
    assert code == 2 and "no test has 'two' in its name" in err, err


def test_rows_are_in_the_format_that_is_usual_for_the_connector():
    for connector, row, expect in (("kafka: { brokers: h, topic: t }", "{ a: 1 }", "{ a: 1 }"),
                                   ("mqtt: { url: mqtt://h, topics: t }", "{ a: 1 }", "{ a: 1 }"),
                                   ("http: { listen: \"localhost:4195\" }", "{ a: 1 }", "{ a: 1 }"),
                                   ("socket: { connect: h:1 }", "a line", "a line"),
                                   ("generate: { value: { a: i } }", "{ a: 1 }", "{ a: 1 }")):
        body = FILE.replace('kafka: { brokers: "localhost:1", topic: t }, format: json', connector)
        with folder() as d:
            path = write(d, "f.yaml", body + f"""  - name: one
    batches: [ {{ in: [ {row} ] }} ]
    expect: {{ out: [ {expect} ] }}
""")
            code, out, err = leat("test", path)
            assert code == 0, (connector, out, err)


if __name__ == "__main__":
    main(sys.modules[__name__])
