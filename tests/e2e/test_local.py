#!/usr/bin/env python3
"""Pipelines without a broker: directories, sockets, tables that change, Spark's outputs."""
import gzip
import json
import pathlib
import signal
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import Leat  # noqa: E402
from leat_test import folder, free_port, leat, main, wait_for, write  # noqa: E402


def local(dir, name, body):
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
batch: {{ every: 100ms }}
checkpoint: {{ dir: {dir}/state-{name} }}
{body}
""")


def drop_file(folder, name, data):
    """As it should be done: written elsewhere, then renamed into the directory."""
    hidden = folder.parent / ("." + name)
    hidden.write_bytes(data)
    hidden.rename(folder / name)


def lines_of(dir, pattern="out/*.jsonl"):
    """Of final files in their order; one that is being written has a name with a dot."""
    return [line for p in sorted(pathlib.Path(dir).glob(pattern)) if p.name[0] != "."
            for line in p.read_text().splitlines()]


def test_new_files_of_a_directory_are_picked_up_compressed_ones_too():
    with folder() as dir:
        inbox = pathlib.Path(dir, "inbox")
        inbox.mkdir()
        drop_file(inbox, "a.jsonl", b'{"n":1}\n{"n":2}\n')
        file = local(dir, "pick", f"""sources:
  in:
    files: {{ path: {inbox} }}
    format: json
sinks:
  out:
    from: in
    files: {{ path: "{dir}/out/{{file}}.jsonl" }}
    format: json
""")
        with Leat("run", file) as run:
            wait_for("the first file", lambda: len(lines_of(dir)) == 2)
            drop_file(inbox, "b.jsonl.gz", gzip.compress(b'{"n":3}\n{"n":4}\n'))
            wait_for("the compressed one", lambda: len(lines_of(dir)) == 4)
            drop_file(inbox, "c.jsonl", b'{"n":5}\n{"n":6}')  # no newline at its end
            wait_for("the third", lambda: len(lines_of(dir)) == 6)
            assert run.stop() == 0, run.log
        drop_file(inbox, "d.jsonl", b'{"n":7}\n')
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        assert sorted(json.loads(x)["n"] for x in lines_of(dir)) == [1, 2, 3, 4, 5, 6, 7]


def test_a_peer_that_goes_away_is_connected_to_again():
    with folder() as dir:
        port = free_port()
        file = local(dir, "peer", f"""sources:
  in:
    socket: {{ connect: "127.0.0.1:{port}" }}
    format: text
sinks:
  out:
    from: in
    console: {{}}
    format: text
""")
        with Leat("run", file) as run:
            run.wait_log("127.0.0.1")  # nobody listens yet
            for round in ("one", "two"):
                with socket.create_server(("127.0.0.1", port)) as server:
                    server.settimeout(20)
                    peer, _ = server.accept()
                    peer.sendall(f"{round}\nagain {round}\n".encode())
                    wait_for(round, lambda: f"again {round}" in run.out)
                    peer.close()
            assert run.out.split("\n")[:4] == ["one", "again one", "two", "again two"]
            assert len(run.log.splitlines()) < 12, run.log
            assert run.stop() == 0, run.log


def test_many_peers_may_send_to_one_that_listens():
    with folder() as dir:
        port = free_port()
        file = local(dir, "listen", f"""sources:
  in:
    socket: {{ listen: "127.0.0.1:{port}" }}
    format: text
sinks:
  out:
    from: in
    console: {{}}
    format: text
""")

        def connected():
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=5)
            except ConnectionRefusedError:
                return None

        with Leat("run", file) as run:
            peers = [wait_for("a listener", connected) for _ in range(5)]
            for n, peer in enumerate(peers):
                peer.sendall("".join(f"{n}-{i}\n" for i in range(100)).encode())
                peer.close()
            wait_for("all lines", lambda: run.out.count("\n") == 500)
            for n in range(5):
                mine = [x for x in run.out.splitlines() if x.startswith(f"{n}-")]
                assert mine == [f"{n}-{i}" for i in range(100)], "in order, none twice"
            assert run.stop() == 0, run.log


def test_one_leat_sends_over_a_unix_socket_what_another_receives():
    with folder() as dir:
        path = f"{dir}/s.sock"
        inbox = pathlib.Path(dir, "inbox")
        inbox.mkdir()
        drop_file(inbox, "a.jsonl", b"".join(b'{"n":%d}\n' % n for n in range(3000)))
        receiver = local(dir, "receiver", f"""sources:
  in:
    socket: {{ listen: "unix:{path}", framing: length }}
    format: json
sinks:
  out:
    from: in
    files: {{ path: "{dir}/out/{{file}}.jsonl" }}
    format: json
""")
        sender = local(dir, "sender", f"""sources:
  in:
    files: {{ path: {inbox} }}
    format: json
sinks:
  out:
    from: in
    socket: {{ connect: "unix:{path}", framing: length }}
    format: json
""")
        with Leat("run", sender) as sends:
            sends.wait_log("trying again")  # nobody is there yet
            with Leat("run", receiver) as receives:
                wait_for("all", lambda: len(lines_of(dir)) == 3000)
                assert [json.loads(x)["n"] for x in lines_of(dir)] == list(range(3000))
                receives.kill()  # its socket stays, and is taken over
            with Leat("run", receiver) as receives:
                drop_file(inbox, "b.jsonl", b'{"n":3000}\n')
                wait_for("what came later", lambda: len(lines_of(dir)) >= 3001)
                assert sends.stop() == 0, sends.log
                assert receives.stop() == 0, receives.log


def test_a_thousand_connections_that_say_nothing_do_not_hurt_others():
    with folder() as dir:
        port = free_port()
        file = local(dir, "many", f"""sources:
  in:
    socket: {{ listen: "127.0.0.1:{port}", max_connections: 200, idle: 1s }}
    format: json
sinks:
  out:
    from: in
    files: {{ path: "{dir}/out/{{file}}.jsonl" }}
    format: json
""")
        with Leat("run", file) as run:
            def dial():
                try:
                    return socket.create_connection(("127.0.0.1", port), timeout=20)
                except ConnectionRefusedError:
                    return None
            first = wait_for("the listener", dial)
            first.sendall(b'{"n":1}\n')
            wait_for("the first", lambda: len(lines_of(dir)) == 1)
            # 200 have a place, some wait in the system's queue, the others get no connection at all
            idle = []
            for _ in range(1000):
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex(("127.0.0.1", port))
                idle.append(s)
            late = socket.socket()
            late.settimeout(60)
            late.connect(("127.0.0.1", port))
            late.sendall(b'{"n":2}\n')
            wait_for("one that came behind them", lambda: len(lines_of(dir)) == 2, seconds=60)
            for s in (first, late, *idle):
                s.close()
            assert run.stop() == 0, run.log


def test_a_table_that_changes_is_read_again_and_a_broken_one_is_not_taken():
    with folder() as dir:
        table = write(dir, "regions.csv", "city,region\nParis,Ile\n")
        inbox = pathlib.Path(dir, "inbox")
        inbox.mkdir()
        file = local(dir, "table", f"""sources:
  in:
    files: {{ path: {inbox} }}
    format: json
tables:
  regions:
    file: {{ path: {table}, reload: 100ms }}
    format: {{ csv: {{ header: true }} }}
    schema: {{ city: string, region: string }}
    key: city
streams:
  s:
    from: in
    ops:
      - lookup: {{ table: regions, key: city, as: r }}
      - map: {{ n: n, region: "r == null ? 'none' : r.region" }}
sinks:
  out:
    from: s
    files: {{ path: "{dir}/out/{{file}}.jsonl" }}
    format: json
""")
        asked = []

        def region_now():
            """One more record through the job: what it says now."""
            n = len(asked)
            asked.append(n)
            drop_file(inbox, f"{n}.jsonl", json.dumps({"n": n, "city": "Paris"}).encode() + b"\n")
            wait_for("an answer", lambda: len(lines_of(dir)) > n)
            return {r["n"]: r["region"] for r in map(json.loads, lines_of(dir))}[n]

        with Leat("run", file) as run:
            assert region_now() == "Ile"
            write(dir, "new.csv", "city,region\nParis,France\n").rename(table)
            wait_for("the new table", lambda: region_now() == "France")
            write(dir, "new.csv", "city,region\nParis,A\nParis,B\n").rename(table)
            run.wait_log("regions")
            assert region_now() == "France", "a table with a key twice is not taken"
            assert run.stop() == 0, run.log


def test_text_files_and_print_look_as_sparks_do():
    with folder() as dir:
        inbox = pathlib.Path(dir, "inbox")
        inbox.mkdir()
        drop_file(inbox, "a.txt", b"to be or not\nto be\n")
        file = local(dir, "spark", f"""sources:
  in:
    files: {{ path: {inbox} }}
    format: text
streams:
  counts:
    from: in
    ops:
      - flat_map: this.split(" ")
      - count_by_value
sinks:
  screen:
    from: counts
    print: {{}}
  saved:
    from: counts
    save_as_text_files: {{ prefix: "{dir}/out/counts", suffix: txt }}
""")
        code, out, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        lines = out.splitlines()
        assert lines[0] == "-" * 43 and lines[2] == "-" * 43, out
        assert lines[1].startswith("Time: ") and lines[1].endswith(" ms"), out
        assert {x for x in lines if x.startswith("(")} == {"(to,2)", "(be,2)", "(or,1)", "(not,1)"}, out
        folders = [p for p in pathlib.Path(dir, "out").iterdir() if any(
            q.stat().st_size for q in p.glob("part-*"))]
        assert len(folders) == 1, folders
        time_ms = lines[1].split()[1]
        assert folders[0].name == f"counts-{time_ms}.txt", folders
        assert (folders[0] / "_SUCCESS").exists()
        assert len({p.name for p in folders[0].glob("part-*")}) == 16, list(folders[0].iterdir())
        saved = [x for p in sorted(folders[0].glob("part-0*")) for x in p.read_text().splitlines()]
        assert set(saved) == {"(to,2)", "(be,2)", "(or,1)", "(not,1)"}


def test_each_partition_has_its_part_also_an_empty_one():
    with folder() as dir:
        file = local(dir, "parts", f"""partitions: 3
sources:
  a: {{ generate: {{ count: 5, key: i % 2, value: i }}, format: json }}
  b: {{ generate: {{ count: 1, key: i, value: "-1" }}, format: json }}
streams:
  rows: {{ from: [a, b], ops: [ filter: this >= 0 ] }}
  sums: {{ from: a, ops: [ reduce_by_key: a + b ] }}
sinks:
  rows_out: {{ from: rows, save_as_text_files: {{ prefix: "{dir}/rows" }} }}
  sums_out: {{ from: sums, save_as_text_files: {{ prefix: "{dir}/sums" }} }}
""")
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        for name, parts, rows in (("rows", 2, 5), ("sums", 3, 2)):
            folders = list(pathlib.Path(dir).glob(name + "-*"))
            assert len(folders) >= 1, list(pathlib.Path(dir).iterdir())
            for f in folders:
                names = sorted(p.name for p in f.iterdir())
                assert names == ["_SUCCESS"] + [f"part-{i:05}" for i in range(parts)], names
            texts = [p.read_text() for f in folders for p in f.glob("part-*")]
            assert sum(t.count("\n") for t in texts) == rows and "" in texts, texts


def test_repartition_deals_rows_out_in_turn_also_over_small_batches():
    with folder() as dir:
        for rows, max_records, parts in ((100, 1000, 7), (42, 1, 3)):
            file = local(dir, f"even{parts}", f"""sources:
  g: {{ generate: {{ count: {rows}, rate: 1000/s }} }}
streams:
  s: {{ from: g, ops: [ repartition: {parts} ] }}
sinks:
  out: {{ from: s, save_as_text_files: {{ prefix: "{dir}/even{parts}" }} }}
""")
            code, _, err = leat("run", file, "--until", "caught_up", "--set", "batch.every=10ms",
                                "--set", f"batch.max_records={max_records}")
            assert code == 0, err
            counts = [0] * parts
            for part in pathlib.Path(dir).glob(f"even{parts}-*/part-*"):
                counts[int(part.name[5:])] += part.read_text().count("\n")
            batches = len(list(pathlib.Path(dir).glob(f"even{parts}-*")))
            assert sum(counts) == rows, counts
            # Each batch begins one partition further than the one before: no more than one a batch.
            assert max(counts) - min(counts) <= batches, (counts, batches)
            assert max(counts) <= 2 * rows / parts, counts


def test_a_file_stream_has_each_file_once_in_the_batch_of_its_time_over_kills():
    """Files that come while it is down belong to the first tick behind their last change."""
    with folder() as dir:
        inbox = pathlib.Path(dir, "inbox")
        inbox.mkdir()
        drop_file(inbox, "before.txt", b"before\n")
        file = local(dir, "stream", f"""sources:
  in:
    files: {{ path: {inbox}, select: new }}
streams:
  timed:
    from: in
    ops:
      - map: {{ text: this, at: meta.batch_time.millis() }}
sinks:
  out:
    from: timed
    files: {{ path: "{dir}/out/{{file}}.jsonl" }}
    format: json
""")
        names, missed = [], {}

        def drop(kind, life):
            for i in range(20):
                names.append(f"{kind}-{life}-{i}")
                drop_file(inbox, names[-1], names[-1].encode() + b"\n")
                if kind == "missed":
                    missed[names[-1]] = (inbox / names[-1]).stat().st_mtime_ns // 1000000

        def probed():
            """The first life has begun when a file that came meanwhile is read."""
            drop_file(inbox, f"probe-{len(list(inbox.iterdir()))}", b"probe\n")
            return lines_of(dir)

        def read():
            return [row for row in map(json.loads, lines_of(dir)) if row["text"] != "probe"]

        for life in range(4):
            with Leat("run", file) as run:
                if life == 0:
                    wait_for("a file", probed)
                drop("live", life)
                wait_for("what was dropped", lambda: len(read()) >= len(names) - 10)
                run.signal(signal.SIGKILL)
                run.wait()
            drop("missed", life)
        with Leat("run", file) as run:
            wait_for("the rest", lambda: len(read()) >= len(names))
            run.signal(signal.SIGTERM)
            assert run.wait() == 0, run.log
        assert sorted(row["text"] for row in read()) == sorted(names)
        for row in read():
            if row["text"] in missed:  # the clock of a file may be some ms behind that of the last batch
                late_ms = row["at"] - missed[row["text"]]
                assert 0 <= late_ms < 200, (row, late_ms)


main(sys.modules[__name__])
