#!/usr/bin/env python3
"""`leat check` says everything that is wrong, with its place, and never falls over."""
import pathlib
import re
import resource
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import LEAT, ROOT, folder, leat, main, write  # noqa: E402

GOOD = """leat: 1
name: orders
sources:
  orders:
    kafka: { brokers: "localhost:9092", topic: orders }
    format: json
    time: { at: timestamp(created_at), lateness: 30s }
    schema: { city: string, amount: double, created_at: string }
streams:
  per_city:
    from: orders
    ops:
      - filter: amount > 0.0
      - key_by: city
      - window: { size: 10m, slide: 1m }
      - aggregate:
          revenue: sum(amount)
sinks:
  out: { from: per_city, console: {} }
"""


def check(text):
    with folder() as d:
        code, out, err = leat("check", write(d, "f.yaml", text))
        return code, out, err.replace(d + "/", "")


def wrong(change, *expected):
    """GOOD with (old, new) replaced is refused, and the message has every piece of text."""
    old, new = change
    assert old in GOOD
    code, _, err = check(GOOD.replace(old, new))
    assert code == 78, f"exit {code}: {err}"
    for piece in expected:
        assert piece in err, f"{piece!r} is not in:\n{err}"


def test_a_good_file_is_ok():
    code, out, err = check(GOOD)
    assert (code, err) == (0, ""), err
    assert out.endswith("f.yaml: ok\n")


def test_a_misspelt_field_is_told_with_line_column_caret_path_and_nearest_name():
    wrong(("sum(amount)", "sum(ammount)"), "f.yaml:17:24: error:", "'ammount'",
          "   17 |           revenue: sum(ammount)", "^~~~~~~", "did you mean 'amount'?",
          "streams.per_city.ops[3].aggregate.revenue")


def test_a_misspelt_operator_option_section_and_function_get_the_nearest_name():
    wrong(("- filter:", "- fliter:"), "'fliter'", "did you mean 'filter'?")
    wrong(("slide: 1m", "slid: 1m"), "'slid'", "did you mean 'slide'?")
    wrong(("streams:", "strems:"), "'strems'", "did you mean 'streams'?")
    wrong(("timestamp(created_at)", "timestmap(created_at)"), "'timestmap'",
          "did you mean 'timestamp'?")
    wrong(("topic: orders", "topc: orders"), "'topc'", "did you mean 'topic'?")
    wrong(("from: per_city", "from: per_citty"), "'per_citty'", "did you mean 'per_city'?")
    wrong(("kafka:", "kafak:"), "'kafak'", "did you mean 'kafka'?")


def test_all_mistakes_are_told_at_once():
    text = GOOD.replace("sum(amount)", "sum(ammount)").replace("key_by: city", "key_by: citty")
    code, _, err = check(text.replace("lateness: 30s", "lateness: 30"))
    assert code == 78
    assert err.count("error:") == 3 and "3 errors" in err, err


def test_a_bare_number_where_a_unit_is_due_is_an_error():
    wrong(("size: 10m", "size: 10"), "needs a unit")


def test_yaml_traps_in_expressions_are_told_with_the_corrected_line():
    wrong(("filter: amount > 0.0", "filter: !deleted"), "'!deleted'")
    wrong(("filter: amount > 0.0", "filter: amount # > 0"), "#")
    wrong(("filter: amount > 0.0", "filter: [amount]"), "list")
    wrong(("filter: amount > 0.0", "filter:"), "filter")
    wrong(("filter: amount > 0.0", "filter: amount > 0.0 ? true : false"), "quote")


def test_a_dead_letter_output_is_one_place_for_all():
    dlq = "name: orders\non_error: dlq\n"
    wrong(("name: orders", dlq + "dlq: { files: { path: dead.jsonl } }"), "{file}")
    wrong(("name: orders", dlq + "dlq: { files: { path: 'dead/{city}/{file}' } }"),
          "no other expression")
    kafka = "dlq: { kafka: { brokers: b, topic: 'dead{city}' } }"
    wrong(("name: orders", dlq + kafka), "one topic")
    wrong(("name: orders", dlq + "dlq: { kafka: { brokers: b, topic: t, key: city } }"),
          "leave 'key' out")
    wrong(("name: orders", dlq + "dlq: { kafka: { topic: t }, files: { path: p } }"),
          "a dead-letter output has one connector: 'kafka' is there already")
    wrong(("name: orders", dlq + "dlq: { kaffka: { brokers: b, topic: t } }"), "did you mean")
    unused = "name: orders\ndlq: { kafka: { brokers: b, topic: t } }"
    code, _, err = check(GOOD.replace("name: orders", unused, 1))
    assert code == 0 and "'dlq' gets nothing: 'on_error: dlq' is missing" in err, err


def test_an_event_time_window_straight_into_a_sink_is_refused_with_the_reason():
    wrong(("      - aggregate:\n          revenue: sum(amount)\n", ""), "window")


def test_a_cycle_of_streams_is_told():
    wrong(("from: orders\n    ops", "from: per_city\n    ops"), "per_city")


def test_a_file_without_a_source_or_sink_is_refused():
    code, _, err = check("leat: 1\nname: x\n")
    assert code == 78 and "source" in err and "sink" in err, err


def test_exit_codes_of_wrong_words_are_2():
    assert leat("chek")[0] == 2
    assert leat("check")[0] == 2
    assert leat("run", "--until", "never", "x.yaml")[0] == 2
    assert leat("docs", "nothing-of-that-name")[0] == 2
    assert leat()[0] == 2


def test_settings_of_a_module_that_are_no_map_are_one_mistake():
    tables = "tables:\n  t: { file: nope.csv, format: csv, key: id }\nsinks:"
    code, _, err = check(GOOD.replace("sinks:", tables))
    assert code == 78 and "takes a map of settings" in err and err.endswith("1 error\n"), err
    code, _, err = check(GOOD.replace("sinks:", "tables:\n  t:\n    file:\n    key: id\nsinks:"))
    assert code == 78 and "f.yaml:20:5: error: 'path' is missing" in err, err


def refused_at(options, word, message):
    """Source or sink: refused at this word of its options, for that reason."""
    sink = options.startswith("sink ")
    options = options.removeprefix("sink ")
    text = f"leat: 1\nname: t\nsources:\n  in: {{ generate: {{}} }}\nsinks:\n  out: {{ from: in, {options} }}\n" \
        if sink else f"leat: 1\nname: t\nsources:\n  in: {{ {options} }}\nsinks:\n  out: {{ from: in, console: {{}} }}\n"
    code, _, err = check(text)
    line = text.splitlines()[5 if sink else 3]
    place = f"f.yaml:{6 if sink else 4}:{line.index(word) + 1}: error: "
    assert code == 78 and place in err and message in err and err.endswith("1 error\n"), (options, err)


def test_what_a_module_says_of_its_options_is_told_at_the_one_that_is_wrong():
    for options, word, message in (
            ("mqtt: { topics: a, url: mqtt://h:99999 }", "mqtt://h:99999", "'mqtt://h:99999' is no address such as"),
            ("mqtt: { url: mqtt://h, topics: a#b }", "a#b", "'#' at the end only"),
            ("mqtt: { url: mqtt://h, topics: a, auth: { user: u, password: p } }", "{ user", "insecure: true"),
            ("rabbitmq: { queue: q, brokers: h:x }", "h:x", "'h:x' is not host:port"),
            ("rabbitmq: { brokers: localhost, queue: q, declare: { type: quorm } }", "quorm", "neither classic nor"),
            ("zeromq: { type: pull, bind: \"tcp://*:x\" }", "tcp://*:x", "is no address, such as tcp://"),
            ("zeromq: { bind: ipc:///x, curve: { secret_key: short } }", "short", "a key has the 40 characters"),
            ("flume: { listen: nowhere }", "nowhere", "'nowhere' is no address"),
            ("socket: { connect: \"*:1\" }", '*:1"', "has no host to connect to"),
            ("http: { path: clicks }", "clicks", "'clicks' is no path, such as /orders"),
            ("sink mqtt: { url: mqtt://h, topic: a/#/b }", "a/#/b", "is no topic to publish to"),
            ("sink mqtt: { url: localhost, topic: a }", "localhost", "is no address such as mqtt://"),
            ("sink flume: { connect: agent }", "agent }", "'agent' is no address"),
            ("zeromq: {}", "{} }", "give either `bind` or `connect`")):
        refused_at(options, word, message)


def test_the_words_of_a_choice_are_listed_once():
    code, _, err = check(GOOD.replace("topic: orders", "topic: orders, on_lost: perhaps"))
    assert code == 78 and err.count("fail, earliest") == 1, err


def test_a_file_that_is_not_there_is_78_and_named():
    code, _, err = leat("check", "/nonexistent/x.yaml")
    assert code == 78 and "/nonexistent/x.yaml" in err


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))


def peak_kib(path):
    code = ("import resource,subprocess,sys;"
            "p=subprocess.run(sys.argv[1:],capture_output=True,timeout=20);"
            "print(p.returncode,resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    out = subprocess.run([sys.executable, "-c", code, LEAT, "check", str(path)], check=True,
                         capture_output=True, text=True, timeout=30).stdout.split()
    return int(out[0]), int(out[1])


def test_no_content_makes_it_crash_hang_or_use_more_than_64_mib():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefg", "bcdefgh"))
    contents = {
        "brackets": b"[" * (1 << 20), "braces": b"{a: " * 200000, "bomb": bomb.encode(),
        "nul": b"leat: 1\n\0\0", "latin1": b"leat: \xe9\xff\n", "percent": b"%\xff\n" * 1000,
        "bom16": "leat: 1".encode("utf-16"), "dashes": b"- " * 300000, "quotes": b'"' * 65537,
        "long": b"x" * (1 << 20), "huge": b"a: b\n" * (1 << 19), "empty": b"",
        "keys": b"".join(b"k%d: {a: [1,2]}\n" % i for i in range(40000)),
        "expression": GOOD.replace("amount > 0.0", "(" * 20000 + "1").encode(),
        "plus": GOOD.replace("amount > 0.0", "1" + "+1" * 20000 + " > 0").encode(),
        "unions": ("leat: 1\nname: x\nsources: { s: { generate: {} } }\nstreams:\n  a0: { from: s }\n"
                   + "".join(f"  a{i}: {{ from: [a{i - 1}, a{i - 1}], ops: [{{ filter: this > 1 }}] }}\n"
                             for i in range(1, 40))
                   + "sinks: { o: { from: a39, console: {} } }\n").encode(),
    }
    with folder() as d:
        for name, text in contents.items():
            path = pathlib.Path(d) / f"{name}.yaml"
            path.write_bytes(text)
            code, kib = peak_kib(path)
            assert code == 78, f"{name}: exit {code}"
            assert kib < 64 * 1024, f"{name}: {kib} KiB"


def test_a_misspelt_module_gets_the_nearest_name_also_of_a_loadable_one():
    code, _, err = check(GOOD.replace("kafka: {", "mqqt: {"))
    assert code == 78 and "unknown source 'mqqt'" in err and "did you mean 'mqtt'?" in err, err


def test_the_file_systems_that_are_known_are_named_where_a_path_is_in_none_of_them():
    known = (pathlib.Path(LEAT).parent / "engine/modules/hdfs.so").exists()
    for scheme, instead in (("s3", "known here: hdfs"), ("hdf", "did you mean 'hdfs'?")):
        with folder() as d:
            code, _, err = leat("check", write(d, "f.yaml", f"""leat: 1
name: f
sources:
  in: {{ generate: {{ count: 1 }} }}
sinks:
  out: {{ from: in, save_as_text_files: {{ prefix: "{scheme}://bucket/out" }} }}
"""))
        assert code == 78 and f"f.yaml:6:51: error: unknown file system '{scheme}'" in err, err
        assert instead in err or not known, err


def test_a_module_that_is_not_installed_is_told_from_one_that_does_not_exist():
    with folder() as d:
        program = pathlib.Path(d) / "leat"
        shutil.copy(LEAT, program)
        path = write(d, "f.yaml", """leat: 1
name: f
sources:
  a: { mqtt: { url: "mqtt://h", topics: a }, format: json }
sinks:
  b: { from: a, zeromq: { bind: "tcp://*:1" } }
  c: { from: a, mqqt: {} }
  d: { from: a, kafka: { brokers: "h:1", topic: t }, format: avro }
""")
        done = subprocess.run([program, "check", path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 78, done
        for what, file in (("source 'mqtt'", "mqtt.so"), ("sink 'zeromq'", "sink-zeromq.so"),
                           ("format 'avro'", "avro.so")):
            words = re.search(f"error: the {what} (is not [^\n]*)", done.stderr)
            assert words, done.stderr
            assert "is not built in: leat was built without" in words[1] or (
                "is not installed: there is no" in words[1] and file in words[1]), words[1]
        assert "unknown sink 'mqqt'" in done.stderr, done.stderr
        # a folder of modules that lacks this one
        (pathlib.Path(d) / "engine/modules").mkdir(parents=True)
        done = subprocess.run([program, "check", path], capture_output=True, text=True, timeout=60)
        assert f"there is no 'mqtt.so' in '{d}/engine/modules'" in done.stderr or (
            "the source 'mqtt' is not built in" in done.stderr), done.stderr


def test_relative_paths_begin_where_leat_runs_and_a_missing_schema_says_so():
    example = ROOT / "config/examples/kafka-to-avro-files.yaml"
    with folder() as d:
        done = subprocess.run([LEAT, "check", example], capture_output=True, text=True, timeout=60, cwd=d)
        assert done.returncode == 78, done
        assert "cannot open 'config/examples/order.avsc'" in done.stderr, done.stderr
        assert f"in '{pathlib.Path(d).resolve()}', where leat runs" in done.stderr, done.stderr
        schema = pathlib.Path(d) / "config/examples/order.avsc"
        schema.parent.mkdir(parents=True)
        shutil.copy(ROOT / "config/examples/order.avsc", schema)
        done = subprocess.run([LEAT, "check", example], capture_output=True, text=True, timeout=60, cwd=d)
        assert done.returncode == 0, done.stderr


def test_examples_are_good_and_their_tests_pass():
    examples = sorted((ROOT / "config/examples").glob("*.yaml"))
    assert examples
    for path in examples:
        code, _, err = leat("check", path)
        assert code == 0, err
        code, out, err = leat("test", path)
        assert code == 0, out + err


main(sys.modules[__name__])
