#!/usr/bin/env python3
"""SequenceFiles: what leat writes Hadoop's own reader reads, and what Hadoop writes leat reads."""
import base64
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from hadoop_test import HADOOP, read  # noqa: E402
from leat_test import folder, leat, main, write  # noqa: E402

PACKINGS = [("none", "deflate", "NONE", "none"), ("record", "deflate", "RECORD", "DefaultCodec"),
            ("block", "deflate", "BLOCK", "DefaultCodec"), ("record", "gzip", "RECORD", "GzipCodec"),
            ("block", "gzip", "BLOCK", "GzipCodec")]


def pipeline(dir, name, source, ops, sink, more=""):
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
on_error: drop
checkpoint: {{ dir: {dir}/state-{name} }}
partitions: 2
{more}
sources:
  in: {source}
streams:
  s: {{ from: in, ops: {ops} }}
sinks:
  out: {{ from: s, {sink} }}
""")


def run(file, *words):
    got, _, err = leat("run", file, "--until", "caught_up", *words)
    assert got == 0, err
    return err


def lines(dir, pattern="lines/*"):
    return [json.loads(x) for p in sorted(pathlib.Path(dir).glob(pattern)) for x in p.read_text().splitlines()]


def test_pairs_are_read_by_hadoop_in_every_way_of_compressing():
    with folder() as dir:
        write(dir, "in.txt", "to be or not\nto be ä\n")
        for compress, codec, kind, theirs in PACKINGS:
            name = f"{compress}-{codec}"
            run(pipeline(dir, name, f"{{ files: {{ path: {dir}/in.txt }}, format: text }}",
                         "[ flat_map: 'this.split(\" \")', count_by_value ]",
                         f'save_as_hadoop_files: {{ prefix: "{dir}/{name}/counts", suffix: seq }}, '
                         f"format: {{ sequence_file: {{ compress: {compress}, codec: {codec} }} }}"))
            batches = sorted(pathlib.Path(dir, name).glob("counts-*"))
            assert batches and all(b.name.endswith(".seq") and (b / "_SUCCESS").exists() for b in batches), batches
            assert all([p.name for p in sorted(b.glob("part-*"))] == ["part-00000", "part-00001"] for b in batches)
            found = []
            for part in pathlib.Path(dir, name).glob("counts-*/part-*"):
                rows, head = read(part)
                found += rows
                assert head == ["Text", "Text", kind, theirs], head
            assert sorted(found) == [("be", "2"), ("not", "1"), ("or", "1"), ("to", "2"), ("ä", "1")], found


def test_bytes_and_many_records_are_read_by_hadoop_from_any_marker_on():
    with folder() as dir:
        for compress, codec, kind, _ in PACKINGS[:3]:
            name = f"many-{compress}"
            run(pipeline(dir, name, "{ generate: { count: 20000 }, format: json }",
                         "[ key_by: string(this % 7), map: '\"value \" + string(this)' ]",
                         f'save_as_hadoop_files: {{ prefix: "{dir}/{name}/x" }}, '
                         f"format: {{ sequence_file: {{ compress: {compress}, codec: {codec}, value: bytes }} }}"))
            found = []
            for part in pathlib.Path(dir, name).glob("x-*/part-*"):
                rows, head = read(part)
                found += rows
                assert head[:3] == ["Text", "BytesWritable", kind], head
            assert sorted(found) == sorted((str(n % 7), f"value {n}".encode()) for n in range(20000)), found[:5]


def test_a_split_of_a_file_begins_at_the_next_marker():
    with folder() as dir:
        for compress in ("none", "block"):
            run(pipeline(dir, compress, "{ generate: { count: 30000 }, format: json }",
                         "[ map: '{ \"key\": string(this), \"value\": \"a value of some length\" }' ]",
                         f'files: {{ path: "{dir}/{compress}/{{file}}.seq" }}, '
                         f"format: {{ sequence_file: {{ compress: {compress} }} }}"))
            [*files] = pathlib.Path(dir, compress).iterdir()
            large = max(files, key=lambda p: p.stat().st_size)
            every = len(read(large)[0])
            half = int(HADOOP.ask("sync", large, large.stat().st_size // 2)[0].split()[1])
            assert 0 < half < every, (half, every)


CLASSES = {
    "Text": lambda n: f"text ä {n}" + "x" * (n % 7 * 50),
    "BytesWritable": lambda n: None,
    "NullWritable": lambda n: None,
    "BooleanWritable": lambda n: n % 2 == 0,
    "IntWritable": lambda n: -n,
    "LongWritable": lambda n: n * 10000000000,
    "FloatWritable": lambda n: n / 4,
    "DoubleWritable": lambda n: n / 8,
}


def test_what_hadoop_writes_is_read_whatever_its_classes_and_compression():
    ways = [("NONE", "none"), ("RECORD", "DefaultCodec"), ("BLOCK", "DefaultCodec"), ("BLOCK", "DeflateCodec")]
    with folder() as dir:
        for i, (key, make) in enumerate(CLASSES.items()):
            value = list(CLASSES)[(i + 1) % len(CLASSES)]
            for kind, codec in ways:
                file = f"{dir}/{key}-{kind}-{codec}.seq"
                HADOOP.ask("write", file, 500, key, value, kind, codec)
                code, out, err = leat("run", pipeline(
                    dir, f"r-{key}-{kind}-{codec}".lower(), f"{{ files: {{ path: {file} }}, format: sequence_file }}",
                    "[ map: '{ \"k\": type(this.key) == bytes ? null : this.key, \"v\": type(value) == bytes ? null : value, "
                    "\"b\": type(this.key) == bytes ? this.key : type(value) == bytes ? value : null }' ]",
                    "console: {}, format: json"), "--until", "caught_up")
                assert code == 0, err
                found = [json.loads(x) for x in out.splitlines()]
                some = "BytesWritable" in (key, value)
                wanted = [{"k": make(n), "v": CLASSES[value](n), "b": base64.b64encode(
                    bytes([n % 256, 10, 0, 255])).decode() if some else None} for n in range(500)]
                assert found == wanted, (found[:3], wanted[:3])


def test_what_is_saved_is_read_in_again_also_from_the_middle_on():
    with folder() as dir:
        for compress, codec, _, _ in PACKINGS:
            name = f"{compress}-{codec}"
            run(pipeline(dir, name, "{ generate: { count: 5000 }, format: json }",
                         "[ key_by: string(this), map: '[this, this + 1]' ]",
                         f'save_as_hadoop_files: {{ prefix: "{dir}/{name}/x" }}, '
                         f"format: {{ sequence_file: {{ compress: {compress}, codec: {codec} }} }}"))
            again = pipeline(dir, name + "-again", f'{{ files: {{ path: "{dir}/{name}/x-*/part-*" }}, format: sequence_file }}',
                             "[ key_by: this.key, map: this.value ]",
                             f'save_as_text_files: {{ prefix: "{dir}/{name}-again/t" }}',
                             "batch: { every: 5ms, max_records: 700 }")
            run(again)
            found = [x for p in pathlib.Path(dir).glob(f"{name}-again/t-*/part-*") for x in p.read_text().splitlines()]
            assert sorted(found) == sorted(f"({n},[{n},{n + 1}])" for n in range(5000)), (len(found), found[:3])


def test_null_and_bytes_that_are_no_text_are_errors_of_their_records():
    with folder() as dir:
        write(dir, "in.jsonl", '{"k": "a", "v": "b"}\n{"k": null, "v": "b"}\n{"k": "c", "v": null}\n')
        err = run(pipeline(dir, "nulls", f"{{ files: {{ path: {dir}/in.jsonl }}, format: json }}", "[ key_by: k, map: v ]",
                           f'save_as_hadoop_files: {{ prefix: "{dir}/nulls" }}'))
        assert "the key is null, and no Text is" in err, err
        found = [r for p in pathlib.Path(dir).glob("nulls-*/part-*") for r in read(p)[0]]
        assert found == [("a", "b")], found


def test_a_stream_without_a_key_and_a_format_of_lines_are_refused():
    with folder() as dir:
        source = f"{{ files: {{ path: {dir}/in.txt }}, format: text }}"
        sink = f'save_as_hadoop_files: {{ prefix: "{dir}/out" }}'
        code, _, err = leat("check", pipeline(dir, "plain", source, "[ filter: true ]", sink))
        assert code == 78 and "'save_as_hadoop_files' needs a stream with a key" in err, err
        code, _, err = leat("check", pipeline(dir, "json", source, "[ count_by_value ]", sink + ", format: json"))
        assert code == 78 and "writes files that frame themselves, 'json' does not" in err, err
        assert "leave it out, then it is sequence_file" in err, err
        code, _, err = leat("check", pipeline(dir, "codec", source, "[ count_by_value ]",
                                              sink + ", format: { sequence_file: { codec: gzip } }"))
        assert code == 78 and "codec is for compress: record or block" in err, err


def test_it_can_be_read_by_what_has_no_container_only_with_a_message():
    with folder() as dir:
        code, _, err = leat("check", pipeline(dir, "bad", "{ generate: { count: 1 }, format: sequence_file }",
                                              "[ filter: true ]", "console: {}"))
        assert code == 78 and "a container is a file of its own, 'generate' has none" in err, err


main(sys.modules[__name__])
