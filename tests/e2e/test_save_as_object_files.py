#!/usr/bin/env python3
"""save_as_object_files: what it writes another implementation of Avro reads, and leat itself."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import folder, leat, main, write  # noqa: E402
from pypi import fastavro  # noqa: E402


def pipeline(dir, name, source, ops, sink):
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
on_error: drop
checkpoint: {{ dir: {dir}/state-{name} }}
partitions: 2
sources:
  in: {source}
streams:
  s: {{ from: in, ops: {ops} }}
sinks:
  out: {{ from: s, {sink} }}
""")


def run(file):
    got, _, err = leat("run", file, "--until", "caught_up")
    assert got == 0, err
    return err


def read(path):
    with open(path, "rb") as f:
        return list(fastavro().reader(f))


def parts(dir, pattern):
    return sorted(pathlib.Path(dir).glob(pattern + "/part-*"))


def test_pairs_become_records_of_key_and_value_in_a_directory_per_batch():
    with folder() as dir:
        write(dir, "in.txt", "to be or not\nto be\n")
        run(pipeline(dir, "words", f"{{ files: {{ path: {dir}/in.txt }}, format: text }}",
                     "[ flat_map: 'this.split(\" \")', count_by_value ]",
                     f'save_as_object_files: {{ prefix: "{dir}/out/counts", suffix: avro }}'))
        batches = sorted(pathlib.Path(dir, "out").glob("counts-*"))
        assert batches and all(b.name.endswith(".avro") and (b / "_SUCCESS").exists() for b in batches), batches
        assert all([p.name for p in sorted(b.glob("part-*"))] == ["part-00000", "part-00001"] for b in batches)
        found = [(r["key"], r["value"]) for p in parts(dir, "out/counts-*") for r in read(p)]
        assert sorted(found) == [("be", 2), ("not", 1), ("or", 1), ("to", 2)], found


VALUES = [None, True, -7, 2.5, "Städtchen\n", [], [1, 2.5, "x", None], {"a": 1, "b": ["y", {"c": False}]},
          {"deep": [[["end"]]]}, 9007199254740993]


def test_elements_of_every_kind_are_the_same_for_another_reader_and_for_leat():
    with folder() as dir:
        write(dir, "in.jsonl", "".join(json.dumps(v) + "\n" for v in VALUES))
        run(pipeline(dir, "all", f"{{ files: {{ path: {dir}/in.jsonl }}, format: json }}", "[ filter: true ]",
                     f'save_as_object_files: {{ prefix: "{dir}/all" }}'))
        found = [r for p in parts(dir, "all-*") for r in read(p)]
        assert [r["value"] for r in found] == VALUES and all(r["key"] is None for r in found), found
        run(pipeline(dir, "again", f'{{ files: {{ path: "{dir}/all-*/part-*" }}, format: {{ avro: {{ framing: container }} }} }}',
                     "[ map: '{ \"v\": value }' ]", f'files: {{ path: "{dir}/lines/{{file}}" }}, format: json'))
        lines = [json.loads(x) for p in pathlib.Path(dir, "lines").iterdir() for x in p.read_text().splitlines()]
        assert [x["v"] for x in lines] == VALUES, lines


def test_times_and_bytes_are_written_and_what_nests_too_deep_is_an_error_of_its_record():
    with folder() as dir:
        write(dir, "in.jsonl", '{"n": 1, "d": [[[1]]]}\n{"n": 2, "d": [[[[1]]]]}\n')
        err = run(pipeline(dir, "times", f"{{ files: {{ path: {dir}/in.jsonl }}, format: json }}",
                           "[ key_by: 'fromMillis(n * 1000)', map: '{ \"b\": bytes(\"ab\"), \"t\": duration(\"90s\"), \"d\": d }' ]",
                           f'save_as_object_files: {{ prefix: "{dir}/times" }}'))
        assert "position 23: writing the value: value: d: []: []: []: union is wanted, this is list" in err, err
        [found] = [r for p in parts(dir, "times-*") for r in read(p)]
        assert found == {"key": "1970-01-01T00:00:01Z", "value": {"b": b"ab", "t": "90s", "d": [[[1]]]}}, found


def test_a_schema_of_ones_own_and_a_codec_are_taken():
    schema = {"type": "record", "name": "Count", "fields": [
        {"name": "key", "type": "string"}, {"name": "value", "type": "long"}]}
    with folder() as dir:
        write(dir, "in.txt", "a\nb\na\n")
        file = write(dir, "count.avsc", json.dumps(schema))
        run(pipeline(dir, "own", f"{{ files: {{ path: {dir}/in.txt }}, format: text }}", "[ count_by_value ]",
                     f'save_as_object_files: {{ prefix: "{dir}/own" }}, '
                     f"format: {{ avro: {{ framing: container, schema: {file}, codec: deflate }} }}"))
        found = []
        for p in parts(dir, "own-*"):
            with open(p, "rb") as f:
                reader = fastavro().reader(f)
                found += list(reader)
                assert reader.metadata["avro.codec"] == "deflate" and json.loads(reader.metadata["avro.schema"]) == schema
        assert sorted((r["key"], r["value"]) for r in found) == [("a", 2), ("b", 1)], found


def test_what_is_no_container_is_refused_and_two_sinks_in_one_place():
    with folder() as dir:
        source = f"{{ files: {{ path: {dir}/in.txt }}, format: text }}"
        sink = f'save_as_object_files: {{ prefix: "{dir}/out" }}'
        code, _, err = leat("check", pipeline(dir, "bad", source, "[ filter: true ]", sink + ", format: json"))
        assert code == 78 and "'save_as_object_files' writes files that frame themselves, 'json' does not" in err, err
        assert "leave it out, then it is avro" in err, err
        two = pipeline(dir, "two", source, "[ filter: true ]", sink)
        with open(two, "a") as f:
            f.write(f'  more: {{ from: s, save_as_text_files: {{ prefix: "{dir}/out" }} }}\n')
        code, _, err = leat("check", two)
        assert code == 78 and "sink 'out' writes there too" in err, err


main(sys.modules[__name__])
