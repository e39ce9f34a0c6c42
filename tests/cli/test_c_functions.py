#!/usr/bin/env python3
"""`module: FILE#NAME`: functions in C in the places of expressions."""
import json
import pathlib
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import ROOT, folder, leat, main, write  # noqa: E402

HEAD = """leat: 1
name: functions
on_error: %s
batch: { every: 100ms }
sources:
  in: { files: { path: in }, format: json }
streams:
  s:
    from: in
    ops:
"""
FOOT = """sinks:
  out: { from: s, console: {} }
"""


def build(d, source=ROOT / "docs/examples/functions.c", name="functions.so"):
    done = subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-I",
                           ROOT / "engine", source, "-o", pathlib.Path(d) / name],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def run(ops, rows, on_error="fail"):
    with folder() as d:
        build(d)
        (pathlib.Path(d) / "in").mkdir()
        write(d, "in/a.json", "".join(json.dumps(row) + "\n" for row in rows))
        path = write(d, "f.yaml", HEAD % on_error + ops + FOOT)
        code, out, err = leat("run", path, "--until", "caught_up", cwd=d)
        return code, [json.loads(line) for line in out.splitlines()], err


def check(ops, make=build):
    with folder() as d:
        make(d)
        code, _, err = leat("check", write(d, "f.yaml", HEAD % "fail" + ops + FOOT), cwd=d)
        return code, err.replace(d + "/", "")


def test_the_functions_of_the_example_map_filter_split_and_keep_state():
    code, rows, err = run('      - map: { module: "./functions.so#in_euro" }\n'
                          '      - filter: { module: functions.so#is_large }\n',
                          [{"amount": 10.5, "rate": 2}, {"amount": 1.5, "rate": 2}])
    assert code == 0 and rows == [{"euro": 21.0}], (rows, err)
    code, rows, err = run('      - flat_map: { module: "./functions.so#words" }\n',
                          [{"text": " to be  or not"}, {"text": ""}])
    assert code == 0 and rows == ["to", "be", "or", "not"], (rows, err)
    code, rows, err = run('      - key_by: k\n      - map_values: n\n'
                          '      - update_state_by_key: { update: { module: "./functions.so#sum" } }\n',
                          [{"k": 1, "n": 5}, {"k": 1, "n": 6}, {"k": 2, "n": -1}])
    assert code == 0 and rows == [11], (rows, err)


def test_a_function_that_fails_ends_the_batch_with_the_operators_name_and_its_words():
    op = '      - map: { module: "./functions.so#in_euro" }\n'
    code, rows, err = run(op, [{"amount": 10.5, "rate": 2}, {"amount": 1, "rate": 2}])
    assert code == 1 and not rows, (rows, err)
    assert "streams.s.ops[0].map" in err and "functions.so#in_euro of map: amount is a double and rate an int, not int " \
        "and int" in err, err
    code, rows, err = run(op, [{"amount": 10.5, "rate": 2}, {"amount": 1, "rate": 2}], "drop")
    assert code == 0 and rows == [{"euro": 21.0}], (rows, err)


def test_what_cannot_be_loaded_or_found_is_told_at_its_place():
    code, err = check('      - map: { module: "./nothing.so#x" }\n')
    assert code == 78 and "f.yaml:11:25: error: cannot load module: " in err and "nothing.so" in err, err
    code, err = check('      - map: { module: "./functions.so#in_eur" }\n')
    assert code == 78 and "the module has no function 'in_eur'" in err, err
    assert "did you mean 'in_euro'?" in err, err
    for wrong in ("./functions.so", "'#x'", "./functions.so#"):
        code, err = check(f"      - map: {{ module: {wrong} }}\n")
        assert code == 78 and "'module' takes a file and a function" in err, (wrong, err)
    code, err = check('      - key_by: { module: "./functions.so#in_euro" }\n')
    assert code == 78 and "'module' cannot stand here" in err, err


def test_a_field_may_be_called_module():
    code, rows, err = run("      - map: { module: n + 1, info: { module: n } }\n      - map: { module: info.module }\n",
                          [{"n": 1}])
    assert code == 0 and rows == [{"module": 1}], (rows, err)


def test_a_file_of_another_kind_or_interface_is_refused():
    def other(text):
        def make(d):
            build(d, write(d, "other.c", text), "other.so")
        return make

    op = '      - map: { module: "./other.so#x" }\n'
    code, err = check(op, other("int x(void); int x(void) { return 1; }\n"))
    assert code == 78 and "'./other.so' has no functions for leat" in err, err
    code, err = check(op, other('#include "expr/user_function.h"\n'
                                "LEAT_API extern const struct leat_functions leat_functions;\n"
                                "const struct leat_functions leat_functions = {99, NULL};\n"))
    assert code == 78 and "was built for interface 99, this leat has 1" in err, err
    assert "compile it again" in err, err


def test_a_function_gets_all_of_a_batch_or_of_a_partition():
    rows = [{"n": n} for n in (4, 9, 2)]
    code, out, err = run('      - map: n\n      - transform: { module: "./functions.so#largest" }\n', rows)
    assert code == 0 and out == [9], (out, err)
    code, out, err = run('      - map: n\n      - map_partitions: { module: "./functions.so#largest" }\n', rows)
    assert code == 0 and out == [9], (out, err)


BAD = """#include "expr/user_function.h"

#include <stdlib.h>
#include <unistd.h>

static struct leat_value crash(struct leat_call *call, const struct leat_value *args, uint32_t count)
{
    int *volatile nowhere = NULL;

    (void)call, (void)count;
    if (args[0].tag == LEAT_INT && args[0].as.i == 3)
        *nowhere = 1;
    return args[0];
}

static struct leat_value abandon(struct leat_call *call, const struct leat_value *args, uint32_t count)
{
    (void)call, (void)args, (void)count;
    abort();
}

static struct leat_value hang(struct leat_call *call, const struct leat_value *args, uint32_t count)
{
    (void)call, (void)count;
    while (args[0].tag == LEAT_INT && args[0].as.i == 3)
        pause();
    return args[0];
}

LEAT_FUNCTIONS({"crash", crash}, {"abandon", abandon}, {"hang", hang});
"""


def run_bad(function, number=3, batch="every: 100ms, call_timeout: 1s"):
    """Its code, what it wrote to a file and what it said."""
    with folder() as d:
        build(d, write(d, "bad.c", BAD), "bad.so")
        (pathlib.Path(d) / "in").mkdir()
        write(d, "in/a.json", "".join(f"{n}\n" for n in range(number)) + f"{number}\n")
        path = write(d, "f.yaml", HEAD.replace("every: 100ms", batch) % "drop"
                     + f'      - map: {{ module: "./bad.so#{function}" }}\n'
                     + FOOT.replace("console: {}", "files: { path: 'out/{file}.jsonl' }, format: json"))
        code, _, err = leat("run", path, "--until", "caught_up", cwd=d, timeout=120)
        written = sorted((pathlib.Path(d) / "out").rglob("*.jsonl"))
        return code, written, err


def test_a_function_that_crashes_is_named_before_the_process_ends():
    code, written, err = run_bad("crash")
    assert code == -signal.SIGSEGV and not written, (code, written, err)
    assert "streams.s.ops[0].map" in err and "./bad.so#crash of map crashed: SIGSEGV" in err, err
    code, written, err = run_bad("abandon")
    assert code == -signal.SIGABRT and not written, (code, written, err)
    assert "./bad.so#abandon of map crashed: SIGABRT" in err, err


def test_a_function_that_does_not_come_back_ends_the_process_by_its_name():
    code, written, err = run_bad("hang")
    assert code == 1 and not written, (code, written, err)
    assert "streams.s.ops[0].map" in err and "./bad.so#hang of map does not come back" in err, err
    assert "longer than 1s (batch.call_timeout)" in err, err
    code, written, err = run_bad("hang", 2, "every: 100ms")
    assert code == 0 and written, (code, written, err)


if __name__ == "__main__":
    main(sys.modules[__name__])
