#!/usr/bin/env python3
"""Loadable modules in programs of the C library, as it is installed: found, used, or told why not."""
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from installed import PLACE, TO_MODULES, Running, built, environment, installed  # noqa: E402
from leat_test import ROOT, Skip, folder, main  # noqa: E402

SOURCE = ROOT / "tests/support/named_stages.c"
LUA = ["+apply", "map", "lua=return this * 2"]
NUMBERS = ["+source", "generate", "value=i", "count=5", "rate=1000/s"]


def modules():
    return installed() / "leat"


def need(module):
    if not (modules() / f"{module}.so").exists():
        raise Skip(f"this build has no module '{module}'")


def refused(program, *words):
    with folder() as d:
        done = subprocess.run([program, *map(str, words)], env=environment(d), capture_output=True, text=True,
                              timeout=120, cwd=d)
    assert done.returncode == 1, (done.returncode, done.stderr)
    return done.stderr


def doubled_by_lua(program, *settings):
    """What a script of the module `lua` makes of five numbers, in files."""
    with folder() as d:
        def lines():
            return [int(line) for f in pathlib.Path(d).glob("out/[!.]*.jsonl") for line in f.read_text().split()]
        words = [*settings, *NUMBERS, *LUA, "+write", "files", f"path={d}/out/{{file}}.jsonl"]
        with Running(program, d, *words) as running:
            running.wait("five numbers", lambda: len(lines()) >= 5)
            running.stop()
        return sorted(lines())


def test_a_program_finds_modules_beside_the_library():
    need("lua")
    assert doubled_by_lua(built(SOURCE)) == [0, 2, 4, 6, 8]


def test_a_program_that_holds_the_library_finds_modules_from_where_it_is_installed_itself():
    need("lua")
    # PREFIX/lib/TRIPLET/leat is ../lib/TRIPLET/leat of PREFIX/bin.
    prefix = next(p for p in installed().parents if p.name == "lib").parent
    (prefix / "bin").mkdir(exist_ok=True)
    program = shutil.copy(built(SOURCE, static=True), prefix / "bin" / "holder")
    assert doubled_by_lua(program) == [0, 2, 4, 6, 8]


def test_a_program_says_where_its_modules_are():
    need("lua")
    with folder() as d:
        shutil.copy(modules() / "lua.so", d)
        for static in (False, True):
            assert doubled_by_lua(built(SOURCE, static), "+set", f"modules={d}") == [0, 2, 4, 6, 8]


def test_a_module_that_is_not_there_is_told_with_where_it_was_looked_for():
    need("lua")
    with folder() as d:
        err = refused(built(SOURCE), "+set", f"modules={d}", *NUMBERS, *LUA, "+write", "null")
        assert f"the language 'lua' is not installed: there is no 'lua.so' in '{d}'" in err, err
        err = refused(built(SOURCE), "+set", f"modules={d}/none", "+source", "mqtt", "+write", "null")
        assert f"the source 'mqtt' is not installed: there is no folder '{d}/none' with 'mqtt.so'" in err, err
        assert 'leat_set() of "modules" names another folder' in err, err
        program = shutil.copy(built(SOURCE, static=True), pathlib.Path(d) / "alone")
        usual = pathlib.Path("/") / modules().relative_to(PLACE)
        if not usual.exists():
            err = refused(program, *NUMBERS, "+write", "rabbitmq")
            assert f"the sink 'rabbitmq' is not installed: there is no folder '{usual}' with 'sink-" in err, err
    assert "modules: the path of a folder is due" in refused(built(SOURCE), "+set", "modules=", *NUMBERS, "+count",
                                                              "+write", "null")


def test_what_cannot_be_used_is_told_with_what_is_wrong_with_it():
    need("lua")
    hider = built(SOURCE, static=True, name="hider", without=[TO_MODULES])
    err = refused(hider, "+set", f"modules={modules()}", *NUMBERS, *LUA, "+write", "null")
    assert "undefined symbol: leat_" in err and "pkg-config --libs --static leat" in err, err
    with folder() as d:
        (pathlib.Path(d) / "lua.so").write_text("no library")
        err = refused(built(SOURCE), "+set", f"modules={d}", *NUMBERS, *LUA, "+write", "null")
        assert "the language 'lua' cannot be used: cannot load module" in err and f"{d}/lua.so" in err, err


def test_every_connector_and_sink_of_the_build_is_found_by_a_program():
    """Each gets so far that it looks at its options."""
    for static in (False, True):
        program = built(SOURCE, static)
        for file in sorted(modules().glob("*.so")):
            name = file.stem.removeprefix("sink-")
            if name in ("avro", "endpoint", "hdfs", "lua"):
                continue
            stages = [*NUMBERS, "+write", name, "odd=1"] if name != file.stem else \
                ["+source", name, "odd=1", "+write", "null"]
            err = refused(program, "+set", f"modules={modules()}", *stages)
            assert "unknown key 'odd'" in err or "is missing" in err, (file, err)


SEEN_BY_NOBODY = """
import ctypes, sys
class Option(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("value", ctypes.c_char_p)]
lib = ctypes.CDLL(sys.argv[1])
for f in ("leat_context_new_at", "leat_source_stream_at", "leat_apply_at"):
    getattr(lib, f).restype = ctypes.c_void_p
ctx = ctypes.c_void_p(lib.leat_context_new_at(b"python", ctypes.c_int64(100), b"here"))
options = (Option * 3)((b"value", b"i"), (b"count", b"5"), (b"rate", b"1000/s"))
s = ctypes.c_void_p(lib.leat_source_stream_at(ctx, b"generate", options, ctypes.c_size_t(3), b"here"))
lua = Option(b"lua", b"return this")
s = ctypes.c_void_p(lib.leat_apply_at(s, b"map", ctypes.byref(lua), ctypes.c_size_t(1), b"here"))
lib.leat_print_at(s, 1, b"here")
err = ctypes.create_string_buffer(4096)
status = lib.leat_start(ctx, err)
print(status, err.raw[4:].split(b"\\0")[0], file=sys.stderr)
lib.leat_context_free(ctx)
sys.exit(status)
"""


def test_a_library_that_was_loaded_at_run_time_has_modules_too():
    need("lua")
    with folder() as d:
        done = subprocess.run([sys.executable, "-c", SEEN_BY_NOBODY, installed() / "libleat.so"], cwd=d,
                              env=environment(d), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


if __name__ == "__main__":
    main(sys.modules[__name__])
