#!/usr/bin/env python3
"""Hadoop's file system as the place of batches: a real NameNode and DataNode, killed and back; leat killed, too."""
import gzip
import pathlib
import random
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from hdfs_test import Hdfs  # noqa: E402
from kafka_test import Leat  # noqa: E402
from leat_test import folder, leat, main, wait_for, write  # noqa: E402

HDFS = Hdfs()
COUNT = 60


def pipeline(dir, name, prefix, source=f"generate: {{ value: 'string(i)', rate: 40/s, count: {COUNT} }}",
             ops="", more=""):
    streams = f"streams:\n  s:\n    from: in\n    ops:\n{ops}" if ops else ""
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
batch: {{ every: 100ms }}
checkpoint: {{ dir: {dir}/state-{name} }}
sources:
  in:
    {source}
{streams}
sinks:
  out:
    from: {'s' if ops else 'in'}
    save_as_text_files: {{ prefix: "{prefix}"{more} }}
""")


def hidden(parent):
    return [name for name in HDFS.list(parent) if name.startswith(".")]


def numbers(lines):
    return sorted(int(line) for line in lines)


def test_every_batch_becomes_a_directory_in_hdfs_with_a_part_per_partition():
    with folder() as dir:
        write(dir, "in.txt", "".join(f"{n}\n" for n in range(20000)))
        file = pipeline(dir, "once", HDFS.at("/once/a b/counts", user="carol"), f"files: {{ path: {dir}/in.txt }}",
                        "      - repartition: 3\n", ", suffix: txt")
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
    found = HDFS.batches("/once/a b", "counts")
    assert all(name.endswith(".txt") for name in found)
    full = [parts for parts in found.values() if any(parts.values())]
    assert full and all(sorted(parts) == ["part-00000", "part-00001", "part-00002"] for parts in full), found.keys()
    assert all(data for parts in full for data in parts.values())
    assert numbers(HDFS.lines("/once/a b", "counts")) == list(range(20000))
    assert {f["owner"] for f in HDFS.list("/once").values()} == {"carol"}
    assert hidden("/once/a b") == []


def test_a_part_of_many_mebibytes_is_appended_to_until_it_is_whole():
    with folder() as dir:
        value = f"'string(i) + \" {'x' * 1000}\"'"
        file = pipeline(dir, "large", HDFS.at("/large/part"), f"generate: {{ value: {value}, rate: 20000/s, count: 11000 }}")
        with Leat("run", file, "--set", "memory=512MiB", "--set", "batch.every=2s") as job:
            HDFS.wait_lines("/large", "part", 11000)
            assert job.stop(60) == 0
    parts = [data for parts in HDFS.batches("/large", "part").values() for data in parts.values()]
    assert max(map(len, parts)) > 5 << 20
    assert numbers(line.split()[0] for line in HDFS.lines("/large", "part")) == list(range(11000))


def test_a_job_that_is_killed_while_it_writes_loses_and_doubles_nothing():
    random.seed(7)
    with folder() as dir:
        file = pipeline(dir, "killed", HDFS.at("/killed/n"))
        for n in range(6):
            with Leat("run", file) as job:
                wanted = n * COUNT // 8
                wait_for("some batches", lambda: len(HDFS.list("/killed")) > n * 2 or
                         len(HDFS.lines("/killed", "n")) > wanted)
                for _ in range(random.randrange(4)):
                    HDFS.list("/killed")  # a moment, of another length each time
                job.kill()
        with Leat("run", file) as job:
            HDFS.wait_lines("/killed", "n", COUNT)
            assert job.stop(60) == 0
    assert numbers(HDFS.lines("/killed", "n")) == list(range(COUNT))
    assert hidden("/killed") == []


def test_a_data_node_and_a_name_node_that_die_and_come_back_hold_the_job_up_and_no_more():
    with folder() as dir:
        file = pipeline(dir, "nodes", HDFS.at("/nodes/n"),
                        "generate: { value: 'string(i)', rate: 20/s, count: 400 }")
        with Leat("run", file) as job:
            HDFS.wait_lines("/nodes", "n", 5)
            HDFS.node("kill", "data")
            job.wait_log("CREATE of", 120)
            HDFS.node("restart", "data")
            HDFS.wait_lines("/nodes", "n", len(HDFS.lines("/nodes", "n")) + 10)
            waits = job.log.count("trying again until it works")
            HDFS.node("kill", "name")
            job.wait_log("trying again until it works", 120, times=waits + 1)
            HDFS.node("restart", "name")
            HDFS.wait_lines("/nodes", "n", 400)
            assert job.stop(60) == 0
    assert numbers(HDFS.lines("/nodes", "n")) == list(range(400))
    assert hidden("/nodes") == []


def test_files_that_come_into_a_directory_of_hdfs_are_read_once_whoever_dies():
    for n in range(3):
        HDFS.put(f"/in/day {n}.log", "".join(f"{n * 1000 + i}\n" for i in range(1000)).encode())
    HDFS.put("/in/packed.log.gz", gzip.compress("".join(f"{3000 + i}\n" for i in range(1000)).encode()))
    for name in ("half.log._COPYING_", ".hidden.log", "_logs.log", "other.txt"):
        HDFS.request("PUT", f"/in/{name}", "CREATE", b"not yet\n", overwrite="true")
    HDFS.request("PUT", "/in/dir.log", "MKDIRS")
    with folder() as dir:
        file = pipeline(dir, "read", HDFS.at("/read/n"), f"files: {{ path: \"{HDFS.at('/in/*.log*')}\" }}")
        with Leat("run", file) as job:
            HDFS.wait_lines("/read", "n", 4000)
            HDFS.put("/in/more.log", b"4000\n4001\n4002")
            HDFS.wait_lines("/read", "n", 4003)
            HDFS.put("/in/large.log", "".join(f"{i} {'y' * 90}\n" for i in range(5000, 45000)).encode())
            HDFS.wait_lines("/read", "n", 4004)
            job.kill()
        HDFS.put("/in/last.log", b"4003\n")
        with Leat("run", file) as job:
            HDFS.wait_lines("/read", "n", 44004)
            HDFS.kill()
            job.wait_log("Couldn't connect", 120)
            HDFS.restart()
            HDFS.put("/in/very last.log", b"4004\n")
            HDFS.wait_lines("/read", "n", 44005)
            assert job.stop(60) == 0
    assert numbers(line.split()[0] for line in HDFS.lines("/read", "n")) == [*range(4005), *range(5000, 45000)]


def test_only_files_that_were_changed_in_time_are_read_from_hdfs():
    for n in range(3):
        HDFS.put(f"/timed/{n}", f"{n}\n".encode())
        HDFS.request("PUT", f"/timed/{n}", "SETTIMES", modificationtime=str(1_700_000_000_000 + n * 1000))
    with folder() as dir:
        file = pipeline(dir, "timed", f"{dir}/out", f"files: {{ path: \"{HDFS.at('/timed')}\" }}")
        code, _, err = leat("run", file, "--from", "2023-11-14T22:13:21Z", "--to", "2023-11-14T22:13:22Z")
        assert code == 0, err
        assert "".join(p.read_text() for p in pathlib.Path(dir).glob("out-*/part-*")) == "1\n"


def test_a_file_stream_over_hdfs_has_each_file_in_one_batch_of_its_time():
    HDFS.put("/stream/old", b"0\n")
    HDFS.request("PUT", "/stream/old", "SETTIMES", modificationtime="1700000000000")
    with folder() as dir:
        file = pipeline(dir, "stream", HDFS.at("/streamed/n"),
                        f"files: {{ path: \"{HDFS.at('/stream')}\", select: recent, remember: 5m }}")
        for n in (1, 2):
            with Leat("run", file, "--set", "batch.every=500ms") as job:
                HDFS.put(f"/stream/{n}", "".join(f"{n * 100 + i}\n" for i in range(100)).encode())
                HDFS.wait_lines("/streamed", "n", n * 100)
                job.kill()
        with Leat("run", file, "--set", "batch.every=500ms") as job:
            HDFS.put("/stream/3", b"300\n")
            HDFS.wait_lines("/streamed", "n", 201)
            assert job.stop(60) == 0
    assert numbers(HDFS.lines("/streamed", "n")) == list(range(100, 301))
    full = [data for parts in HDFS.batches("/streamed", "n").values() for data in parts.values() if data]
    assert len(full) == 3, full


class Silent:
    """Takes requests and answers none with this in its first line; others as a NameNode that has no files."""

    def __init__(self, what):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.what, self.unanswered, self.peers = what.encode(), 0, []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.peers.append(peer)
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def talk(self, peer):
        try:
            while line := peer.recv(4096).partition(b"\r\n")[0]:
                if self.what in line:
                    self.unanswered += 1
                    continue
                code, body = ("404 Not Found", '{"RemoteException":{"exception":"FileNotFoundException"}}') \
                    if line.startswith(b"GET") else ("200 OK", '{"boolean":true}')
                peer.sendall(f"HTTP/1.1 {code}\r\nContent-Type: application/json\r\n"
                             f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        except OSError:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for peer in self.peers:
            peer.close()


def test_a_stop_does_not_wait_for_a_server_that_never_answers():
    for silent, writes, left_with, words in (
            ("HTTP", False, 0, "Operation canceled"), ("HTTP", True, 0, ""),
            ("op=CREATE", True, 1, "could not be finished in time; it comes again")):
        with folder() as dir, Silent(silent) as server:
            place = f"hdfs://{server.address}/x"
            file = pipeline(dir, "silent", place) if writes else \
                pipeline(dir, "silent", f"{dir}/out/n", f"files: {{ path: \"{place}\" }}")
            with Leat("run", file) as job:
                wait_for("a request", lambda: server.unanswered)
                code = job.stop(120)
                assert code == left_with and words in job.log, (silent, writes, code, job.log)
                assert "Timeout was reached" not in job.log, (silent, writes, job.log)


def test_what_cannot_be_a_place_in_hdfs_is_told_before_anything_runs():
    wrong = {
        "hdfs://namenode/out": "write host and port of the NameNode's web server, such as hdfs://namenode:9870/dir",
        "hdfs://namenode:123456/out": "write host and port",
        "hdfs://a b@namenode:9870/out": "before the '@' stands the name of a user",
        "hdfs://namenode:9870/out/../x": "no empty part, no '.' and no '..'",
        "hdfs://namenode:9870//out": "no empty part",
        "s3://bucket/out": "unknown file system 's3'",
        "hdf://namenode:9870/out": "did you mean 'hdfs'?",
    }
    with folder() as dir:
        for prefix, said in wrong.items():
            code, out, err = leat("check", pipeline(dir, "wrong", prefix))
            assert code == 78 and said in out + err, out + err
        file = write(dir, "files.yaml", """leat: 1
name: f
sources:
  in: { generate: { count: 1 } }
sinks:
  out: { from: in, files: { path: "hdfs://namenode:9870/out/{file}.txt" }, format: text }
""")
        code, out, err = leat("check", file)
        assert code == 78 and "the 'path' of 'files' cannot be in the file system 'hdfs'" in out + err, out + err
        assert "name a path of this host" in out + err, out + err


main(sys.modules[__name__])
