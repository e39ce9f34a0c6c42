#!/usr/bin/env python3
"""Source and sink `zeromq`, with peers in another language."""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import Leat  # noqa: E402
from leat_test import folder, free_port, leat, main, wait_for, write  # noqa: E402
from zeromq_test import PEER, needs_peer  # noqa: E402


def keys():
    return subprocess.run([*PEER, "keys"], capture_output=True, text=True, check=True).stdout.split()


def send(kind, how, address, lines, *more):
    done = subprocess.run([*PEER, kind, how, address, *more], input="".join(f"{x}\n" for x in lines),
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


class Sender:
    """Goes on while leat is away; libzmq connects again."""

    def __init__(self, *words):
        self.process = subprocess.Popen([*PEER, *words], stdin=subprocess.PIPE)

    def send(self, lines):
        self.process.stdin.write("".join(f"{x}\n" for x in lines).encode())
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()


class Receiver:
    def __init__(self, *words):
        self.file = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([*PEER, *words], stdin=subprocess.PIPE, stdout=self.file)
        wait_for("the receiver", lambda: "ready" in self.all())

    def all(self):
        size = os.fstat(self.file.fileno()).st_size
        return os.pread(self.file.fileno(), size, 0).decode().splitlines()

    @property
    def lines(self):
        return self.all()[1:]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.file.close()


def into_files(dir, source, every="50ms", delivery="at_least_once"):
    return write(dir, "zmq.yaml", f"""leat: 1
name: zmq
batch: {{ every: {every} }}
delivery: {delivery}
checkpoint: {{ dir: {dir}/state }}
sources:
  in:
    zeromq: {{ {source} }}
    format: text
streams:
  seen:
    from: in
    ops:
      - map: {{ v: this, k: key, p: 'try(meta.headers["part1"], null)' }}
sinks:
  out:
    from: seen
    files: {{ path: "{dir}/out/{{file}}.jsonl" }}
    format: json
""")


def from_files(dir, sink, count):
    (pathlib.Path(dir) / "in").mkdir()
    write(dir, "in/a.jsonl", "".join(f'{{"n":{n}}}\n' for n in range(count)))
    return write(dir, "out.yaml", f"""leat: 1
name: zmq-out
batch: {{ every: 50ms }}
checkpoint: {{ dir: {dir}/state }}
sources:
  in:
    files: {{ path: {dir}/in }}
    format: json
sinks:
  out:
    from: in
    zeromq: {{ {sink} }}
    format: json
""")


def rows(dir):
    """Of final files, in the order of batches; what is being written has a name with a dot."""
    files = [f for f in (pathlib.Path(dir) / "out").glob("*.jsonl") if f.name[0] != "."]
    files.sort(key=lambda f: [int(x, 16) for x in f.stem.split("-")])
    return [json.loads(line) for file in files
            for line in file.read_text().splitlines()]


def test_pull_takes_what_push_sends_more_than_queues_hold_and_in_order():
    needs_peer()
    for leat_end, peer_end in (("bind", "connect"), ("connect", "bind")):
        with folder() as dir:
            address = f"tcp://127.0.0.1:{free_port()}"
            with Leat("run", into_files(dir, f'{leat_end}: "{address}", hwm: 10')) as run:
                send("push", peer_end, address, [f"m{n}" for n in range(20000)])
                wait_for("20000 messages", lambda: len(rows(dir)) >= 20000)
                assert [r["v"] for r in rows(dir)] == [f"m{n}" for n in range(20000)]
                assert run.stop() == 0, run.log


def test_sub_takes_its_topics_and_the_first_part_is_the_key():
    needs_peer()
    with folder() as dir:
        address = f"tcp://127.0.0.1:{free_port()}"
        source = f'type: sub, connect: "{address}", topics: [a, b]'
        with Leat("run", into_files(dir, source)) as run:
            send("pub", "bind", address, ["a\t1", "c\t2", "b\tmiddle\t3", "alone", "b\t\t"])
            wait_for("four messages", lambda: len(rows(dir)) >= 4)
            assert rows(dir) == [{"v": "1", "k": "a", "p": None}, {"v": "3", "k": "b", "p": "middle"},
                                 {"v": "alone", "k": None, "p": None}, {"v": "", "k": "b", "p": ""}]
            assert run.stop() == 0, run.log


def test_sub_without_topics_takes_all_and_two_parts_are_topic_and_text():
    needs_peer()
    with folder() as dir:
        address = f"tcp://127.0.0.1:{free_port()}"
        with Leat("run", into_files(dir, f'type: sub, connect: "{address}"')) as run:
            send("pub", "bind", address, ["Hello, World!", "Hello, ZeroMQ!", "def\tHello"])
            wait_for("three messages", lambda: len(rows(dir)) >= 3)
            assert rows(dir) == [{"v": "Hello, World!", "k": None, "p": None},
                                 {"v": "Hello, ZeroMQ!", "k": None, "p": None},
                                 {"v": "Hello", "k": "def", "p": None}]
            assert run.stop() == 0, run.log


def test_only_clients_whose_keys_are_named_may_send():
    needs_peer()
    with folder() as dir:
        address = f"tcp://127.0.0.1:{free_port()}"
        server, client, stranger = keys(), keys(), keys()
        write(dir, "secret", server[1] + "\n")
        source = (f'bind: "{address}", curve: {{ secret_key: "${{file:{dir}/secret}}", '
                  f"clients: ['{client[0]}'] }}")
        with Leat("run", into_files(dir, source)) as run:
            other = subprocess.Popen([*PEER, "push", "connect", address, "curve", server[0], *stranger],
                                     stdin=subprocess.PIPE)
            plain = subprocess.Popen([*PEER, "push", "connect", address], stdin=subprocess.PIPE)
            for process, text in ((other, b"stranger\n"), (plain, b"plain\n")):
                process.stdin.write(text)
                process.stdin.close()
            send("push", "connect", address, ["friend"], "curve", server[0], *client)
            wait_for("the friend", lambda: rows(dir))
            other.wait(timeout=120)
            plain.wait(timeout=120)
            assert run.stop() == 0, run.log
            assert server[1] not in run.log
        assert [r["v"] for r in rows(dir)] == ["friend"]


def test_push_hands_over_every_record_and_waits_for_a_receiver():
    needs_peer()
    with folder() as dir:
        address = f"tcp://127.0.0.1:{free_port()}"
        file = from_files(dir, f'connect: "{address}", hwm: 10, timeout: 200ms', 20000)
        with Leat("run", file) as run:
            run.wait_log("nobody takes messages")
            with Receiver("pull", "bind", address) as receiver:
                wait_for("20000 messages", lambda: len(receiver.lines) >= 20000)
                assert receiver.lines == [f'{{"n":{n}}}' for n in range(20000)]
                assert run.stop() == 0, run.log


def test_pub_sends_the_topic_first_and_drops_nothing_for_a_slow_receiver():
    needs_peer()
    with folder() as dir:
        address = f"tcp://127.0.0.1:{free_port()}"
        file = from_files(dir, f'type: pub, connect: "{address}", hwm: 10, topic: "t{{n % 2}}"', 20000)
        with Receiver("sub", "bind", address) as receiver, Leat("run", file) as run:
            wait_for("messages", lambda: receiver.lines and receiver.lines[-1].endswith('{"n":19999}'))
            first = int(json.loads(receiver.lines[0].split("\t")[1])["n"])
            assert receiver.lines == [f't{n % 2}\t{{"n":{n}}}' for n in range(first, 20000)], \
                "from where it had subscribed, without a gap"
            assert run.stop() == 0, run.log


def numbers(dir):
    return {int(r["v"][1:]) for r in rows(dir)}


def stored(dir):
    """All bytes of the store's files."""
    found = b""
    for file in pathlib.Path(dir, "state/store/in").glob("*.leatblk"):
        with contextlib.suppress(FileNotFoundError):  # it is removed when all of it is committed
            found += file.read_bytes()
    return found


def test_killed_under_load_what_was_in_the_store_is_in_the_output_and_nothing_twice():
    needs_peer()
    kills = 20 if os.environ.get("LEAT_FULL") else 3
    address = f"tcp://127.0.0.1:{free_port()}"
    safe, sent = set(), 0
    with folder() as dir, Sender("push", "connect", address) as sender:
        def feed(count):
            nonlocal sent
            sender.send(f"m{n:07d}" for n in range(sent, sent + count))
            sent += count
            return range(sent - count, sent)

        def kept():
            return numbers(dir) | {int(m) for m in re.findall(rb"m(\d{7})", stored(dir))}
        file = into_files(dir, f'bind: "{address}"', "200ms", "exactly_once")
        for kill in range(kills):
            with Leat("run", file) as run:
                first = sent
                wait_for("libzmq to connect again", lambda: feed(1) and max(kept(), default=-1) >= first, 60)
                these = feed(500 + 100 * kill)
                wait_for("all to be in the store", lambda: these[-1] in kept(), 60)
                later = feed(1)[0]  # when it is there, the group of the others is whole
                wait_for("a later group", lambda: later in kept(), 60)
                safe |= set(these)
                feed(3000)  # of these some are lost
                run.kill()
        with Leat("run", file) as run:
            wait_for("what is in the store", lambda: not safe - numbers(dir), 60)
            assert run.stop() == 0, run.log
        found = [int(r["v"][1:]) for r in rows(dir)]
        assert found == sorted(set(found)), "none twice, and in order"
        print(f"{kills} kills, {len(safe)} known to be in the store, {sent - len(found)} of {sent} lost before it")
        assert not safe - set(found)


def test_wrong_settings_are_told_by_check():
    with folder() as dir:
        good = 'bind: "tcp://127.0.0.1:5555"'
        for source, says in (("hwm: 1", "either"), ('bind: "127.0.0.1:5555"', "no address"),
                             (good + ", topics: [a]", "type: sub"), (good + ", type: push", "pull"),
                             (good + ", curve: { secret_key: short }", "40 characters"),
                             (good + ", hwm: 0", "hwm")):
            code, _, err = leat("check", into_files(dir, source))
            assert code == 78 and says in err, err


main(sys.modules[__name__])
