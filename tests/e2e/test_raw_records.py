#!/usr/bin/env python3
"""Files of records of one length: what one pipeline writes another one reads, and what is left over is an error."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_test import folder, leat, main, write  # noqa: E402


def run(dir, name, source, ops, sink, more=""):
    file = write(dir, f"{name}.yaml", f"""leat: 1
name: {name}
batch: {{ trigger: caught_up }}
checkpoint: {{ dir: "{dir}/state-{name}" }}
{more}
sources:
  in: {source}
streams:
  records: {{ from: in, ops: {ops} }}
sinks:
  out: {{ from: records, {sink} }}
""")
    return leat("run", file)


def test_records_with_any_bytes_are_written_and_read_again():
    records = [bytes([n % 256, 10, 0, 255 - n % 256, 13, n // 256]) for n in range(3000)]
    with folder() as dir:
        pathlib.Path(dir, "in").mkdir()
        for i in range(3):
            pathlib.Path(dir, "in", f"{i}.bin").write_bytes(b"".join(records[i::3]))
        code, _, err = run(dir, "copy", f'{{ files: {{ path: "{dir}/in" }}, format: {{ raw: {{ length: 6 }} }} }}',
                           "[ filter: size(this) == 6 ]",
                           f'files: {{ path: "{dir}/out/{{file}}" }}, format: {{ raw: {{ length: 6 }} }}')
        assert code == 0, err
        out = b"".join(p.read_bytes() for p in pathlib.Path(dir, "out").iterdir())
        assert sorted(out[i:i + 6] for i in range(0, len(out), 6)) == sorted(records)


def test_a_rest_is_a_dead_letter_and_a_record_of_another_length_is_not_written():
    with folder() as dir:
        pathlib.Path(dir, "in.bin").write_bytes(b"abcdefgh")
        source = f'{{ files: {{ path: "{dir}/in.bin" }}, format: {{ raw: {{ length: 3 }} }} }}'
        letters = f'on_error: dlq\ndlq: {{ files: {{ path: "{dir}/dlq/{{file}}" }} }}'
        code, _, err = run(dir, "rest", source, "[ map: string(this) ]",
                           f'files: {{ path: "{dir}/out/{{file}}" }}, format: text', letters)
        assert code == 0, (code, err)
        lines = [x for p in pathlib.Path(dir, "out").iterdir() for x in p.read_text().splitlines()]
        assert lines == ["abc", "def"], lines
        [letter] = [x for p in pathlib.Path(dir, "dlq").iterdir() for x in p.read_text().splitlines()]
        assert letter == "gh", letter
        pathlib.Path(dir, "in.bin").write_bytes(b"abcdef")
        code, _, err = run(dir, "longer", source, "[ map: \"string(this) + '!'\" ]",
                           f'files: {{ path: "{dir}/out/{{file}}" }}, format: {{ raw: {{ length: 3 }} }}')
        assert code != 0 and "writes only records of the `length`" in err, err


def test_what_has_no_files_is_refused():
    with folder() as dir:
        file = write(dir, "p.yaml", """leat: 1
name: p
sources:
  in: { generate: { rate: 1 }, format: { raw: { length: 3 } } }
sinks:
  out: { from: in, console: {} }
""")
        code, _, err = leat("check", file)
        assert code == 78 and "'generate' has none" in err and "for `files`" in err, err


main(sys.modules[__name__])
