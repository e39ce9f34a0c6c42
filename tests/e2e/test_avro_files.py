#!/usr/bin/env python3
"""Avro's container files beside another implementation: fastavro writes what leat reads and reads what leat writes."""
import datetime
import decimal
import io
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from leat_run import running  # noqa: E402
from leat_test import LEAT, folder, leat, main, wait_for, write  # noqa: E402
from pypi import fastavro  # noqa: E402

UTC = datetime.timezone.utc
SEED = int(os.environ.get("LEAT_SEED", random.randrange(1 << 30)))
# As leat and as fastavro names them.
CODECS = {"none": "null", "deflate": "deflate", "snappy": "snappy", "zstandard": "zstandard"}
SYNC = b"0123456789abcdef"
EVENT = {
    "type": "record", "name": "shop.Event", "fields": [
        {"name": "id", "type": "long"}, {"name": "ok", "type": "boolean"}, {"name": "small", "type": "int"},
        {"name": "ratio", "type": "float"}, {"name": "share", "type": "double"},
        {"name": "raw", "type": "bytes"}, {"name": "city", "type": "string"},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 4}},
        {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["NEW", "PAID"]}},
        {"name": "tags", "type": {"type": "array", "items": "string"}},
        {"name": "attrs", "type": {"type": "map", "values": ["null", "long", "string"]}},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "since", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "nothing", "type": "null"},
        {"name": "parent", "type": ["null", "Event"], "default": None},
    ]}
COUNTED = {"type": "record", "name": "N", "fields": [{"name": "file", "type": "string"}, {"name": "n", "type": "long"}]}


def event(n, deep=2):
    return {"id": n * 10**12, "ok": n % 2 == 0, "small": -n, "ratio": n / 4, "share": n / 3,
            "raw": bytes([n % 256, 10, 0]), "city": f"Städtchen\n{n % 3}", "hash": n.to_bytes(4, "big"),
            "status": ("NEW", "PAID")[n % 2], "tags": [f"t{i}" for i in range(n % 5)],
            "attrs": {"a": n, "b": f"b{n}", "c": None}, "price": decimal.Decimal(n * 7 - 100) / 100,
            "day": datetime.date(2026, 1, 1 + n % 28),
            "at": datetime.datetime(2026, 1, 1, 0, 0, n % 60, 250001, UTC),
            "since": datetime.time(1, n % 60, 3, 4000), "note": None if n % 4 else f"note {n}", "nothing": None,
            "parent": event(n + 1000, deep - 1) if deep and n % 3 == 0 else None}


def write_avro(path, schema, records, codec="null", interval=2000):
    with open(path, "wb") as f:
        fastavro().writer(f, schema, records, codec=codec, sync_interval=interval, sync_marker=SYNC)


def read_avro(path):
    with open(path, "rb") as f:
        reader = fastavro().reader(f)
        return list(reader), reader.metadata


def finals(dir, pattern="out/*"):
    return sorted(p for p in pathlib.Path(dir).glob(pattern) if p.is_file() and p.name[0] != ".")


def job(dir, name, source, sink, source_format="framing: container", sink_format="", ops="[ filter: true ]",
        more="", source_more=""):
    sink_format = f"{{ avro: {{ framing: container, {sink_format} }} }}" if sink_format else "json"
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
checkpoint: {{ dir: {dir}/state-{name} }}
{more}
sources:
  in:
    files: {{ {source} }}
    format: {{ avro: {{ {source_format} }} }}
    {source_more}
streams:
  s: {{ from: in, ops: {ops} }}
sinks:
  out:
    from: s
    files: {{ {sink} }}
    format: {sink_format}
""")


def run(file, code=0):
    got, _, err = leat("run", file, "--until", "caught_up")
    assert got == code, err
    return err


def test_every_type_in_every_codec_is_read_and_written_so_that_another_implementation_reads_the_same():
    records = [event(n) for n in range(300)]
    for ours, theirs in CODECS.items():
        with folder() as dir:
            schema = write(dir, "event.avsc", json.dumps(EVENT))
            write_avro(f"{dir}/in.avro", EVENT, records, theirs)
            run(job(dir, "all", f"path: {dir}/in.avro", f'path: "{dir}/out/{{file}}.avro"',
                    sink_format=f"codec: {ours}, schema: {schema}"))
            [out] = finals(dir)
            found, metadata = read_avro(out)
            assert found == read_avro(f"{dir}/in.avro")[0] and metadata["avro.codec"] == theirs
            assert json.loads(metadata["avro.schema"]) == EVENT
            # leat reads its own, and the fields one by one
            run(job(dir, "own", f"path: {out}", f'path: "{dir}/lines/{{file}}"',
                    ops="[ map: { id: id, up: 'parent != null && parent.parent != null ? parent.parent.city : note' } ]"))
            [lines] = finals(dir, "lines/*")
            assert [json.loads(line) for line in lines.read_text().splitlines()] == [
                {"id": r["id"], "up": r["parent"]["parent"]["city"] if r["parent"] and r["parent"]["parent"] else r["note"]}
                for r in records]


def test_files_of_several_writers_are_read_as_one_schema_wants_them():
    versions = [
        ({"type": "record", "name": "P", "fields": [{"name": "x", "type": "int"}]}, lambda n: {"x": n}),
        ({"type": "record", "name": "P", "fields": [{"name": "gone", "type": "string"}, {"name": "x", "type": "long"}]},
         lambda n: {"gone": "g" * (n % 90), "x": n}),
        ({"type": "record", "name": "P", "fields": [{"name": "x", "type": "double"}, {"name": "z", "type": "string"}]},
         lambda n: {"x": n + 0.5, "z": f"z{n}"})]
    wanted = {"type": "record", "name": "P", "fields": [
        {"name": "x", "type": "double"}, {"name": "z", "type": "string", "default": "none"}]}
    with folder() as dir:
        schema = write(dir, "p.avsc", json.dumps(wanted))
        expected = []
        for i, (written, record) in enumerate(versions):
            write_avro(f"{dir}/in-{i}.avro", written, [record(n) for n in range(200)], "deflate")
            with open(f"{dir}/in-{i}.avro", "rb") as f:
                expected += list(fastavro().reader(f, wanted))
        run(job(dir, "versions", f'path: "{dir}/in-*.avro"', f'path: "{dir}/out/{{file}}"',
                source_format=f"framing: container, schema: {schema}"))
        found = [json.loads(line) for p in finals(dir) for line in p.read_text().splitlines()]
        key = lambda r: (r["x"], r["z"])  # noqa: E731
        assert sorted(found, key=key) == sorted(expected, key=key)


def test_a_second_run_writes_the_same_bytes():
    with folder() as dir:
        write_avro(f"{dir}/in.avro", COUNTED, [{"file": "a", "n": n} for n in range(20000)])
        schema = write(dir, "n.avsc", json.dumps(COUNTED))
        for codec in CODECS:
            written = []
            for i in range(2):
                run(job(dir, f"{codec}{i}", f"path: {dir}/in.avro", f'path: "{dir}/{codec}{i}/{{file}}.avro"',
                        sink_format=f"codec: {codec}, schema: {schema}", more="batch: { every: 20s }"))
                written.append([p.read_bytes() for p in finals(dir, f"{codec}{i}/*")])
            assert len(written[0]) == 1 and written[0] == written[1]


def test_a_block_that_no_memory_can_hold_ends_the_run_and_says_what_to_change():
    with folder() as dir:
        schema = {"type": "record", "name": "R", "fields": [{"name": "text", "type": "string"}]}
        with open(f"{dir}/in.avro", "wb") as f:
            fastavro().writer(f, schema, ({"text": "x" * 1000} for _ in range(40000)), sync_interval=1 << 30)
        said = run(job(dir, "large", f"path: {dir}/in.avro", f'path: "{dir}/out/{{file}}"', more="memory: 64MiB"), code=1)
        assert "source 'in': no room for a block of" in said, said
        assert "in the 24 MiB of memory; give the pipeline more `memory`" in said, said


def kill_over_and_over(file, kills):
    chance = random.Random(SEED)
    for _ in range(kills):
        process = subprocess.Popen([LEAT, "run", file], stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.05, 0.6))  # a moment to be killed at, not something to wait for
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_killed_over_and_over_every_record_is_in_the_files_once_and_each_file_is_whole():
    with folder() as dir:
        for i in range(4):
            write_avro(f"{dir}/in-{i}.avro", COUNTED, [{"file": f"f{i}", "n": n} for n in range(30000)], "snappy")
        schema = write(dir, "n.avsc", json.dumps(COUNTED))
        file = job(dir, "kills", f'path: "{dir}/in-*.avro"',
                   f'path: "{dir}/out/{{file}}.avro", roll: {{ size: 100KiB, every: 300ms }}',
                   sink_format=f"codec: deflate, schema: {schema}",
                   more="delivery: exactly_once\nbatch: { every: 20ms, max_records: 1000 }")
        seen = {}
        for _ in range(4):
            kill_over_and_over(file, 3)
            for p in finals(dir):
                assert seen.setdefault(p, p.read_bytes()) == p.read_bytes(), f"{p} changed, seed {SEED}"
        run(file)
        found = [(r["file"], r["n"]) for p in finals(dir) for r in read_avro(p)[0]]
        assert len(found) == 120000 and set(found) == {(f"f{i}", n) for i in range(4) for n in range(30000)}, \
            f"seed {SEED}"
        assert not [p for p in pathlib.Path(dir, "out").iterdir() if p.name[0] == "."], f"seed {SEED}"


def test_a_file_whose_state_is_lost_is_kept_to_its_last_whole_block():
    with folder() as dir:
        write_avro(f"{dir}/in.avro", COUNTED, [{"file": "a", "n": n} for n in range(5000)])
        schema = write(dir, "n.avsc", json.dumps(COUNTED))
        file = job(dir, "lost", f"path: {dir}/in.avro", f'path: "{dir}/out/{{file}}.avro", roll: {{ every: 1h }}',
                   sink_format=f"codec: zstandard, schema: {schema}",
                   more="batch: { every: 20ms, max_records: 1000 }")
        with running(dir, file):
            wait_for("all to be written", lambda: any(
                p.name.startswith(".leat-roll-") and len(read_avro(p)[0]) == 5000
                for p in pathlib.Path(dir).glob("out/.*")))
        [rolled] = pathlib.Path(dir).glob("out/.*")
        with open(rolled, "ab") as f:  # what a crash leaves behind
            f.write(b"\x02\x80\x01half a block")
        shutil.rmtree(f"{dir}/state-lost")
        run(file)
        assert sorted(len(read_avro(p)[0]) for p in finals(dir)) == [5000, 5000]


def damaged(dir):
    """Of ten blocks the third has a wrong byte inside, behind the sixth there is no marker, and the last is cut."""
    out = io.BytesIO()
    fastavro().writer(out, fastavro().parse_schema(COUNTED), [{"file": "a" * 80, "n": n} for n in range(100)],
                      codec="snappy", sync_interval=830, sync_marker=SYNC)
    parts = out.getvalue().split(SYNC)
    assert len(parts) == 12
    at = [sum(len(p) + 16 for p in parts[:i]) for i in range(12)]
    parts[3] = parts[3][:-6] + b"!" + parts[3][-5:]
    data = SYNC.join(parts)
    data = data[:at[7] - 8] + b"!" + data[at[7] - 7:-30]
    path = pathlib.Path(dir, "bad.avro")
    path.write_bytes(data)
    return path, at, data


def test_damage_is_an_error_that_names_file_and_byte_and_the_other_blocks_are_read():
    with folder() as dir:
        path, at, data = damaged(dir)
        for policy in ("fail", "drop", "dlq"):
            dlq = f'dlq: {{ files: {{ path: "{dir}/dlq/{{file}}" }} }}' if policy == "dlq" else ""
            err = run(job(dir, policy, f"path: {path}", f'path: "{dir}/{policy}-out/{{file}}"',
                          more=f"on_error: {policy}\n{dlq}"), 1 if policy == "fail" else 0)
            if policy == "fail":
                assert f"'{path}', byte {at[3]}: " in err, err
                continue
            numbers = [json.loads(line)["n"] for p in finals(dir, f"{policy}-out/*") for line in
                       p.read_text().splitlines()]
            assert numbers == [n for n in range(100) if n // 10 not in (2, 5, 6, 9)], numbers
        letters = b"\n".join(p.read_bytes() for p in finals(dir, "dlq/*"))
        for i in (3, 6, 10):
            assert data[at[i]:at[i] + 20] in letters, f"block {i}"


def test_codecs_that_are_not_read_are_refused_by_name():
    with folder() as dir:
        for codec in ("bzip2", "xz"):
            write_avro(f"{dir}/{codec}.avro", COUNTED, [{"file": "a", "n": 1}], codec)
            err = run(job(dir, codec, f"path: {dir}/{codec}.avro", f'path: "{dir}/out/{{file}}"'), 1)
            assert f"codec '{codec}' is not one of those that are read: null, deflate, snappy, zstandard" in err, err


def test_a_file_that_is_still_written_is_read_block_by_block():
    with folder() as dir:
        out = io.BytesIO()
        fastavro().writer(out, COUNTED, [{"file": "a", "n": n} for n in range(3000)], sync_interval=1000)
        data = out.getvalue()
        path = pathlib.Path(dir, "in.avro")
        path.write_bytes(b"")
        file = job(dir, "follow", f"path: {path}, follow: true", f'path: "{dir}/out/{{file}}"',
                   more="batch: { every: 20ms }")

        def numbers():
            return [json.loads(line)["n"] for p in finals(dir) for line in p.read_text().splitlines()]
        with running(dir, file) as job_run:
            for share in (10, 50, len(data) // 2, len(data) - 5, len(data)):
                with open(path, "ab") as f:
                    f.write(data[path.stat().st_size:share])
                if share > 2000:
                    wait_for("whole blocks", numbers)
            wait_for("all", lambda: len(numbers()) == 3000)
            assert job_run.stop() == 0, job_run.said()
        assert sorted(numbers()) == list(range(3000))


def test_a_plan_that_cannot_be_is_refused_and_says_what_to_write():
    cases = [
        ('path: in.avro', 'path: "out/{file}"', "schema: '\"int\"'", "", "framing: container"),
        ('path: in.avro', 'path: "out/{file}.gz"', "framing: container", "schema: '\"int\"'", "give the format a `codec`"),
        ('path: in.avro', 'path: "out/{file}"', "framing: container", "codec: lzma, schema: '\"int\"'", "lzma"),
        ('path: in.avro', 'path: "out/{file}"', "framing: container", "codec: snappy", "`schema` is missing"),
    ]
    for source, sink, source_format, sink_format, words in cases:
        with folder() as dir:
            write_avro(f"{dir}/in.avro", "int", [1])
            file = job(dir, "wrong", source.replace("in.avro", f"{dir}/in.avro"), sink, source_format, sink_format)
            code, _, err = leat("run", file, "--until", "caught_up", cwd=dir)
            assert code == 78 and words in err, (code, err)


main(sys.modules[__name__])
