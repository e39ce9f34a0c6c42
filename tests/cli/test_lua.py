#!/usr/bin/env python3
"""Scripts in a pipeline file, from outside: what is told before anything runs, and what happens when it does."""
import json
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import LEAT, ROOT, Skip, folder, leat, main, write  # noqa: E402

HEAD = """leat: 1
name: scripts
on_error: %s
batch: { every: 100ms }
sources:
  in: { generate: { count: 20, key: i %% 2, value: { n: i } } }
streams:
  s:
    from: in
    ops:
"""
FOOT = """sinks:
  out: { from: s, console: {} }
"""


def need_lua():
    with folder() as d:
        path = write(d, "f.yaml", HEAD % "fail" + "      - map: { lua: return 1 }\n" + FOOT)
        code, _, err = leat("check", path)
        if "built without lua5.4" in err:
            raise Skip("leat was built without Lua")
        assert code == 0, err


def check(ops):
    with folder() as d:
        code, _, err = leat("check", write(d, "f.yaml", HEAD % "fail" + ops + FOOT))
        return code, err.replace(d + "/", "")


def run(ops, on_error="fail"):
    with folder() as d:
        path = write(d, "f.yaml", HEAD % on_error + ops + FOOT)
        code, out, err = leat("run", path, "--until", "caught_up", cwd=d)
        return code, [json.loads(line) for line in out.splitlines()], err


def test_a_script_computes_what_an_expression_cannot():
    need_lua()
    code, rows, err = run("""      - flat_map:
          lua: |
            local out = {}
            local a, b = 0, 1
            while b < this.n do
              a, b = b, a + b
            end
            if b == this.n then out[1] = { n = b } end
            return out
""")
    assert code == 0, err
    assert sorted(r["n"] for r in rows) == [1, 2, 3, 5, 8, 13], rows


WHOLE = """leat: 1
name: scripts
batch: { every: 1s }
sources:
  in: { files: { path: in }, format: json }
  blocked: { files: { path: blocked }, format: json }
streams:
  barred: { from: blocked, ops: [ { key_by: who } ] }
  clean:
    from: in
    ops:
      - key_by: who
      - transform:
          lua: |
            local bad, out = map{}, {}
            for _, who in ipairs(keys[2]) do bad[who] = true end
            for _, row in ipairs(values[1]) do
              if not bad[row.who] then out[#out + 1] = row end
            end
            table.sort(out, function(a, b) return a.n > b.n end)
            return out
          with: [barred]
  sums:
    from: in
    ops:
      - map_partitions:
          lua: |
            local sum = 0
            for _, row in ipairs(values) do sum = sum + row.n end
            return { { sum = sum, at = time:millis() % 1000 } }
  firsts:
    from: in
    ops:
      - transform: { lua: "return #values > 0 and { values[1].n } or {}" }
sinks:
  a: { from: [clean, sums, firsts], null: {} }
tests:
  - name: whole batches
    batches:
      - in: [{ who: ann, n: 1 }, { who: bob, n: 2 }, { who: cid, n: 3 }]
        blocked: [{ who: bob }]
      - in: [{ who: bob, n: 4 }]
    expect:
      clean: { list: [ { who: cid, n: 3 }, { who: ann, n: 1 }, { who: bob, n: 4 } ] }
      sums: { unordered: [ { sum: 6, at: 0 }, { sum: 4, at: 0 } ] }
      firsts: { unordered: [ 1, 4 ] }
"""


def test_a_script_gets_a_whole_batch_with_others_and_a_partition():
    need_lua()
    with folder() as d:
        code, out, err = leat("test", write(d, "f.yaml", WHOLE))
        assert code == 0, out + err


def test_the_state_of_a_script_survives_a_restart():
    need_lua()
    ops = """      - update_state_by_key:
          update:
            lua: |
              local s = default(state, map{ n = 0 })
              s.n = s.n + #values
              return s
"""
    with folder() as d:
        for name in ("a", "b"):
            (pathlib.Path(d) / "in").mkdir(exist_ok=True)
            write(d, f"in/{name}.json", '{"k":1}\n{"k":1}\n{"k":2}\n')
            path = write(d, "f.yaml", HEAD.replace("generate: { count: 20, key: i %% 2, value: { n: i } }",
                                                   "files: { path: in }, format: json") % "fail"
                         + "      - key_by: k\n" + ops + FOOT)
            code, out, err = leat("run", path, "--until", "caught_up", cwd=d)
            assert code == 0, err
        assert sorted(json.loads(line)["n"] for line in out.splitlines()) == [2, 4], out


def test_every_mistake_of_every_script_is_told_at_its_line():
    need_lua()
    code, err = check("""      - map:
          lua: |
            local x = this.n
            if x then
              return = x
            end
            return 1
      - filter: { lua: }
""")
    assert code == 78, err
    assert "f.yaml:15:15: error: Lua: unexpected symbol near '='" in err, err
    assert "   15 |               return = x\n" in err, err
    code, err = check("      - filter: { lua: }\n")
    assert code == 78 and "f.yaml:11:19: error: 'lua' takes the text of a function" in err, err


def test_a_script_cannot_stand_where_it_would_mean_nothing():
    need_lua()
    for op in ("key_by: { lua: return 1 }", "set: { a: { lua: return 1 } }",
               "aggregate: { a: { lua: return 1 } }", "sort_by: { by: { lua: return 1 } }"):
        code, err = check(f"      - {op}\n")
        assert code == 78 and "'lua' cannot stand here" in err, (op, err)
        assert "it can in map, map_values, flat_map, flat_map_values, filter, update_state_by_key, " \
            "map_with_state, map_partitions and transform" in err, (op, err)


def test_a_record_with_a_field_called_lua_is_written_as_an_expression():
    need_lua()
    code, rows, err = run("      - map: '{\"lua\": n}'\n      - filter: this.lua == 7\n")
    assert code == 0 and rows == [{"lua": 7}], (rows, err)


def test_a_script_that_never_ends_fails_the_job_and_names_operator_and_line():
    need_lua()
    code, rows, err = run("""      - map:
          lua: |
            if this.n == 3 then
              while true do end
            end
            return this
""")
    assert code == 1 and not rows, (rows, err)
    assert "streams.s.ops[0].map" in err and "line 14: the script takes too many steps" in err, err


def test_records_that_a_script_cannot_take_are_dropped_and_the_rest_goes_on():
    need_lua()
    code, rows, err = run("""      - map:
          lua: |
            if this.n == 3 then
              while true do end
            elseif this.n == 4 then
              return
            elseif this.n == 5 then
              return this.n.x.y
            end
            return this.n
""", "drop")
    assert code == 0, err
    assert sorted(rows) == [n for n in range(20) if n not in (3, 4, 5)], rows


def test_a_program_without_the_module_says_so():
    need_lua()
    with folder() as d:
        shutil.copy(LEAT, pathlib.Path(d) / "leat")
        path = write(d, "f.yaml", HEAD % "fail" + "      - map: { lua: return 1 }\n" + FOOT)
        done = subprocess.run([pathlib.Path(d) / "leat", "check", path], capture_output=True, text=True,
                              cwd=ROOT, timeout=60)
        assert done.returncode == 78, done.stderr
        assert "the language 'lua' is not installed: there is no" in done.stderr, done.stderr
        assert "lua.so" in done.stderr, done.stderr


if __name__ == "__main__":
    main(sys.modules[__name__])
