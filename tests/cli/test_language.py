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


main(sys.modules[__name__])
