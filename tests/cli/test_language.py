#!/usr/bin/env python3
"""What a pipeline file means, statement by statement, as its users see it."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import folder, leat, main, write  # noqa: E402


def run(expression, record, **more):
    """`map:` this expression over one JSON record: (exit code, what came out, messages)."""
    schema = f"    schema: {more['schema']}\n" if "schema" in more else ""
    text = ("leat: 1\nname: p\nsources:\n  s:\n    files: { path: in.jsonl }\n    format: json\n"
            + schema + "streams:\n  x:\n    from: s\n    ops:\n      - map: |-\n          "
            + expression + "\nsinks:\n  o: { from: x, console: {}, format: json }\n")
    with folder() as d:
        write(d, "in.jsonl", record + "\n")
        write(d, "p.yaml", text)
        code, out, err = leat("run", "p.yaml", "--until", "caught_up", cwd=d)
        return code, out.strip(), err


def fails(expression, record, *expected, code=1, **more):
    got, _, err = run(expression, record, **more)
    assert got == code, (got, err)
    for piece in expected:
        assert piece in err, f"{piece!r} is not in:\n{err}"


def test_a_missing_field_is_named_with_its_path():
    fails("nosuch + 1", '{"a": 1}', "nosuch + 1: there is no field 'nosuch'")
    fails("default(nosuch, m.zz)", '{"m": {"a": 1}}', "there is no field 'zz'")
    fails("m.zz", '{"m": null}', "there is no field 'zz'")
    fails('this["user-id"]', '{"m": null}', "user-id")
    fails("a", "{}", "there is no field 'a'", schema="{ a: int }")


def test_what_meta_and_window_do_not_have_is_told_with_what_they_have():
    fails("meta.ofset", "{}", "'meta' has no 'ofset'", "offset", "batch_time", code=78)
    fails("meta", "{}", "'meta' is no value by itself", code=78)


def check(text, *expected, code=78):
    with folder() as d:
        got, out, err = leat("check", write(d, "f.yaml", text))
    assert got == code, (got, out, err)
    for piece in expected:
        assert piece in err, f"{piece!r} is not in:\n{err}"
    return err


GROUPS = """leat: 1
name: p
sources:
  s:
    files: { path: in }
    format: json
    schema: { city: string, n: "int?", b: bool }
streams:
  x:
    from: s
    ops:
      - key_by: city
      - aggregate:
          z: EXPRESSION
sinks:
  o: { from: x, console: {}, format: json }
"""


def group(expression, *expected, code=78):
    return check(GROUPS.replace("EXPRESSION", expression), *expected, code=code)


def test_aggregates_of_the_wrong_type_are_refused_before_anything_runs():
    group("sum(city)", "sum() wants a number, this is string")
    group("all(n)", "all() wants a bool, this is int?")
    group("avg(n) + sum(n)", code=0)
    group("quantile(city, 0.5)", "wants a number")
    group("min(city)", code=0)


def test_beside_aggregates_only_key_and_window_are_known():
    group("n", "beside aggregates", "first(x)")
    group("sum(n) + n", "beside aggregates")
    group("key + string(count())", code=0)


def test_a_misspelt_aggregate_gets_the_nearest_name_and_no_further_mistake():
    err = group("quantil(n, 0.5)", "unknown function 'quantil'", "did you mean 'quantile'?")
    assert "1 error" in err, err


def test_what_other_languages_write_gets_a_hint():
    with_filter = GROUPS.replace("- key_by: city", "- filter: WHAT").replace("EXPRESSION", "count()")
    check(with_filter.replace("WHAT", "n > 1 and b"), "did you mean '&&'?")
    check(with_filter.replace("WHAT", "n > 1 OR b"), "did you mean '||'?")
    check(with_filter.replace("WHAT", "n > ${env:X}"), "not filled in within expressions")


def test_an_unknown_field_is_told_as_the_specification_shows_it():
    err = group("sum(m)", "f.yaml:14:18: error: unknown field 'm'\n   14 |           z: sum(m)\n"
                "      |                  ^")
    assert "= streams.x.ops[1].aggregate.z; fields are given by sources.s.schema (line 7)" in err, err


def test_an_integer_beyond_64_bits_is_an_error_of_that_record_where_it_is_asked_for():
    assert run("a", '{"a": 18446744073709551615}')[1] == "18446744073709551615"
    assert "64 bits" in str(run("a", '{"a": 18446744073709551616}'))
    assert "64 bits" in str(run("a / 2", '{"a": -9223372036854775809}'))


def test_a_secret_file_that_is_not_here_is_a_warning_unless_it_runs():
    text = GROUPS.replace("EXPRESSION", "count()").replace(
        "files: { path: in }", "kafka: { brokers: \"localhost:1\", topic: t, sasl: { mechanism: PLAIN, "
        "insecure: true, username: u, password: \"${file:/nonexistent/secret}\" } }")
    err = check(text, "warning: cannot read '/nonexistent/secret'", "1 warning", code=0)
    assert "error" not in err, err
    with folder() as d:
        code, _, err = leat("test", write(d, "f.yaml", text))
        assert code == 0 and "error" not in err, err
        code, _, err = leat("run", write(d, "f.yaml", text))
        assert code == 78 and "error: cannot read '/nonexistent/secret'" in err, err


def test_a_secret_under_a_misspelt_name_is_not_shown():
    text = GROUPS.replace("EXPRESSION", "count()").replace(
        "files: { path: in }", "kafka: { brokers: b, topic: t, sasl: { pasword: hunter2 } }")
    err = check(text, "unknown key 'pasword'", "did you mean 'password'?")
    assert "hunter2" not in err, err


def test_a_schema_makes_numbers_of_the_cells_of_a_csv_table():
    text = ("leat: 1\nname: p\nsources:\n  s:\n    generate: { count: 3, value: { id: i } }\n"
            "tables:\n  t:\n    file: { path: t.csv }\n    format: { csv: { header: true } }\n"
            "    schema: { id: int, x: double, y: 'int?', z: string }\n    key: id\nstreams:\n  a:\n"
            "    from: s\n    ops:\n      - lookup: { table: t, key: id, as: r, missing: drop }\n"
            "      - map: { x: r.x + 1, y: 'default(r.y, -1)', z: r.z }\n"
            "sinks:\n  o: { from: a, console: {}, format: json }\n")
    with folder() as d:
        write(d, "t.csv", "id,x,y,z\n1,2.5,,7\n2,7,3,a b\n")
        code, out, err = leat("run", write(d, "p.yaml", text), "--until", "caught_up", cwd=d)
        assert code == 0, err
        assert out.splitlines() == ['{"x":3.5,"y":-1,"z":"7"}', '{"x":8.0,"y":3,"z":"a b"}'], out
        write(d, "t.csv", "id,x,y,z\n1,2.5,,7\none,7,3,a b\n")
        code, _, err = leat("run", write(d, "p.yaml", text), "--until", "caught_up", cwd=d)
        assert code == 1 and "table 't': t, position 3: id: expected int, got the text 'one'" in err, err


SECRETS = """leat: 1
name: "${file:name}"
description: "for ${file:who}"
sources:
  s:
    kafka: { brokers: "${file:brokers}", topic: "${file:topic}" }
    format: json
tables:
  t:
    file: { path: "${file:table}" }
    format: { csv: { header: true } }
    schema: { id: int }
    key: id
sinks:
  o:
    from: s
    files: { path: "${file:dir}/{file}.jsonl" }
checkpoint: { dir: "${file:dir}" }
"""


def secrets_of(d):
    """The files of SECRETS, each with a content that must not be seen anywhere."""
    texts = {"name": "hidden-name", "who": "hidden-customer", "topic": "hidden.topic",
             "brokers": "hidden-one.invalid:1,hidden-two.invalid:2", "table": "hidden/table.csv",
             "dir": "hidden/dir"}
    for name, text in texts.items():
        write(d, name, text + "\n")
    return write(d, "f.yaml", SECRETS)


def test_what_came_from_a_file_is_neither_explained_nor_logged_nor_in_an_error():
    with folder() as d:
        path = secrets_of(d)
        code, out, err = leat("explain", path, cwd=d)
        assert code == 0 and "pipeline ***" in out and "for ***" in out, (out, err)
        assert "hidden" not in out + err, (out, err)
        code, out, err = leat("run", path, cwd=d)
        assert code == 1 and "***" in err and "hidden" not in out + err, (out, err)
        pathlib.Path(d, "hidden").mkdir(exist_ok=True)
        write(d, "hidden/table.csv", "id\n1\n")
        for form in ("text", "json"):
            code, out, err = leat("run", path, "--until", "2s", "--log-format", form, cwd=d)
            assert code == 0 and "***" in err and "hidden" not in out + err, (out, err)


def test_a_value_from_a_file_is_not_quoted_when_it_is_wrong():
    for content, wrong in (("hidden", "memory"), ("7171717", "partitions"), ("hidden", "on_error"),
                           ("hidden", "sources.s.kafka.start"), ("hidden name", "name"),
                           ("hidden", "sinks.o.from"), ("hidden", "sources.s.format"),
                           ("hidden", "batch.trigger"), ("hidden", "sinks.o.compress"),
                           ("hidden", "sources.s.time"), ("hidden", "tables.t.key")):
        with folder() as d:
            path = secrets_of(d)
            write(d, "wrong", content)
            _, out, err = leat("check", path, "--set", wrong + "=${file:wrong}", cwd=d)
            assert content not in out + err, (wrong, out, err)


def test_a_wrong_set_does_not_repeat_its_value():
    with folder() as d:
        code, _, err = leat("check", secrets_of(d), "--set", "name.password=hunter2", cwd=d)
        assert code == 2 and "name.password" in err and "hunter2" not in err, err


def test_the_hint_for_a_broken_line_does_not_repeat_a_secret_of_it():
    err = check("leat: 1\nname: p\nx-k: { a: 1, password: hunter2 # }\nx-b: &b\n", "not YAML")
    assert "hunter2" not in err, err


def test_a_limit_without_end_is_not_shown_as_a_number():
    text = GROUPS.replace("EXPRESSION", "count()").replace("    ops:\n", "    ops:\n      - window: { session: 0s }\n")
    err = check(text, "0s is below 1ms")
    assert "35184372088832" not in err, err


def test_an_optional_list_in_a_schema_says_how_it_is_written():
    text = GROUPS.replace("EXPRESSION", "count()")
    check(text.replace("b: bool", 'b: "[int]?"'), "unknown type '[int]'", '"name?": [int]')
    check(text.replace("b: bool", '"b?": [int], "c?": { d: int }'), code=0)


main(sys.modules[__name__])
