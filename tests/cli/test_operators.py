#!/usr/bin/env python3
"""What an operator cannot mean is refused by `leat check`, at its place and with the reason."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import folder, leat, main, write  # noqa: E402

FILE = """leat: 1
name: operators
sources:
  in:
    kafka: {{ brokers: "localhost:1", topic: t }}
    format: json
    schema: {{ a: int, b: string, t: string }}
{source}
streams:
  s:
    from: in
    ops:
{ops}
sinks:
  out: {{ from: s, console: {{}} }}
"""
TIME = "    time: timestamp(t)"


def check(*ops, source=""):
    text = FILE.format(source=source, ops="\n".join("      - " + op for op in ops))
    with folder() as d:
        code, out, err = leat("check", write(d, "f.yaml", text))
        return code, err.replace(d + "/", "")


def refused(*ops, source="", text, line=None):
    code, err = check(*ops, source=source)
    assert code == 78 and text in err, (ops, code, err)
    assert err.startswith("f.yaml:%d:" % (line or 12 + len(ops))), err
    return err


def test_operators_of_the_library_are_refused_by_name():
    for name in ("persist", "cache", "glom", "slice", "foreach_rdd", "checkpoint: 10s"):
        refused(name, text="'%s' is for programs, not for a pipeline file" % name.split(":")[0])


def test_what_takes_a_function_takes_no_expression_and_no_window():
    for name in ("transform", "map_partitions"):
        err = refused(name + ": a", text="'%s' wants a function, this is an expression" % name)
        assert "write { lua: " in err, err
        refused(name, text="'%s' needs a function" % name)
    refused("transform: {}", text="function")


def test_an_unknown_field_is_called_so_and_the_schema_is_named():
    err = refused("filter: aa > 1", text="unknown field 'aa'")
    assert "fields are given by sources.in.schema (line 7)" in err, err


def test_a_key_without_fields_is_refused():
    refused("key_by: []", text="a key needs at least one field")
    refused("key_by: {}", text="a key needs at least one field")


def test_what_is_no_map_of_settings_is_told_once():
    err = refused("sort_by: a", text="expected a map of settings")
    assert "missing" not in err, err


def test_names_that_hide_fields_are_warned_of():
    code, err = check("map: this", "key_by: b", "reduce_by_key: a")
    assert code == 0 and "warning: the field 'a' cannot be seen here" in err, err
    assert "warning: the field 'b' cannot be seen here" in err, err


def test_a_window_needs_something_between_it_and_the_next():
    for op in ("window: { size: 1m }", "count_by_window: { size: 1m }",
               "reduce_by_window: { size: 1m, reduce: a + b }"):
        refused("window: { size: 1m }", op, "count", source=TIME, line=14,
                text="a window straight behind a window")


def test_windows_of_batches_are_multiples_of_the_batch_and_nothing_is_late():
    err = refused("window: { size: 1500ms }", "count", line=13,
                  text="size must be a multiple of 'batch.every'")
    assert "slide" not in err.split("hint")[0].replace("window: ", "").splitlines()[0], err
    refused("window: { size: 2s, slide: 1500ms }", "count", line=13,
            text="slide must be a multiple of 'batch.every'")
    refused("window: { size: 2s, offset: 1ms }", "count", line=13,
            text="offset must be a multiple of 'batch.every'")
    refused("window: { size: 2s, late: x }", "count", line=13,
            text="without 'time:' nothing is late")


def test_windows_of_windows_are_multiples_of_their_slide():
    first = "count_by_window: { size: 4s, slide: 2s }"
    refused(first, "count_by_window: { size: 3s }", line=14,
            text="size must be a multiple of the slide of the windows before it, 2000 ms")
    refused(first, "window: { size: 4s, slide: 3s }", "count", line=14,
            text="slide must be a multiple of the slide of the windows before it, 2000 ms")
    code, err = check(first, "window: { size: 6s, slide: 4s }", "count")
    assert code == 0, err
    code, err = check(first, "count_by_window: { size: 3s }", source=TIME)
    assert code == 0, err  # results have the times of their windows


def test_a_record_is_in_a_million_windows_at_most():
    refused("window: { size: 100d, slide: 1ms }", "count", source=TIME, line=13,
            text="a record would be in 8640000000 windows")


def of_state(**slots):
    """map_with_state with these slots changed; None takes one away."""
    slots = {"init": "{ n: 0 }", "update": "{ n: state.n + 1 }", "emit": "state.n", **slots}
    return "map_with_state: { %s }" % ", ".join(f"{k}: {v}" for k, v in slots.items() if v)


def test_state_needs_a_key_and_takes_no_window():
    for op in ("update_state_by_key: { update: state }", of_state()):
        err = refused("count", op, text="needs a stream with a key")
        assert "put key_by or map_to_pair before it" in err, err
        refused("key_by: b", "window: { size: 1m }", op, source=TIME, line=15,
                text="remembers from batch to batch and takes no window")


def test_what_update_state_by_key_cannot_see_is_told():
    err = refused("key_by: b", "update_state_by_key: { update: a + state }",
                  text="'update' sees key, values and state")
    assert "values.map(v, v.amount)" in err, err
    refused("key_by: b", "update_state_by_key: { updat: state }", text="unknown key 'updat'")
    refused("key_by: b", "update_state_by_key: { update: state, keys: some }", 
            text="'some' is none of touched, all")
    refused("key_by: b", "update_state_by_key: { update: state, ttl: 5 }", text="needs a unit")


def test_names_in_map_with_state_are_checked_where_they_stand():
    err = refused("key_by: b", of_state(emit="aa"), text="unknown field 'aa'")
    assert "fields are given by sources.in.schema (line 7)" in err, err
    err = refused("key_by: b", of_state(emit="stat"), text="unknown field 'stat'")
    assert "did you mean 'state'?" in err, err
    refused("key_by: b", of_state(emit="state.m"), text="the state has no field 'm'")
    refused("key_by: b", of_state(init="{ n: state.n }"), text="'init' makes the state")
    refused("key_by: b", of_state(update="{ n: prev.n }"), text="there is no 'prev' here")
    refused("key_by: b", of_state(timeout="1m", on_timeout="a"),
            text="'on_timeout' sees key and state")
    refused("key_by: b", of_state(timeout="1m", on_timeout="prev.n"),
            text="'on_timeout' sees key and state")


def test_types_of_the_state_are_known_where_init_and_update_agree():
    refused("key_by: b", of_state(when="state.n"), text="'when' wants a bool, this is int")
    refused("key_by: b", of_state(remove="state.n"), text="'remove' wants a bool, this is int")
    refused("key_by: b", of_state(emit="state.n + b"), text="no such overload")
    refused("key_by: b", of_state(emit="{ m: state.n }"), "filter: m", text="this is int")
    refused("key_by: b", of_state(emit="{ m: state.n }"), "filter: n > 1", text="unknown")
    code, err = check("key_by: b", of_state(init="{ n: a }", update="{ n: b }", when="state.n"))
    assert code == 0, err


def test_slots_of_map_with_state_that_make_no_sense_alone_are_refused():
    err = refused("key_by: b", of_state(emit=None), text="nothing comes out of 'map_with_state'")
    assert "give emit, or on_timeout with a timeout" in err, err
    refused("key_by: b", of_state(on_timeout="state.n"),
            text="'on_timeout' without a timeout is never asked")
    refused("key_by: b", of_state(emit=None, when="true", timeout="1m", on_timeout="key"),
            text="'when' belongs to 'emit'")
    refused("key_by: b", of_state(init="1"), text="'init' wants { field: EXPR, ... }")
    refused("key_by: b", of_state(update="state"), text="'update' wants { field: EXPR, ... }")
    refused("key_by: b", of_state(init=None), text="'init' is missing")


if __name__ == "__main__":
    main(sys.modules[__name__])
