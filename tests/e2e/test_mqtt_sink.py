#!/usr/bin/env python3
"""The sink `mqtt` with a real mosquitto, which is killed, and under a leat that is killed."""
import os
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cutter import Cutter  # noqa: E402
from kafka_test import Leat  # noqa: E402
from kills import Kills  # noqa: E402
from leat_test import folder, main, wait_for, write  # noqa: E402
from mqtt_test import (PUBACK, PUBLISH, SUBSCRIBE, FalseBroker, Mosquitto, Peer, packet,  # noqa: E402
                       text)

BROKER = Mosquitto("--secure", "autosave_on_changes false", "autosave_interval 0")
FULL = bool(os.environ.get("LEAT_FULL"))


def pipeline(dir, name, options, topic="", every="50ms"):
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
batch: {{ every: {every} }}
checkpoint: {{ dir: {dir}/state }}
sources:
  in:
    files: {{ path: {dir}/in }}
    format: json
sinks:
  out:
    from: in
    mqtt: {{ {options}, topic: "{topic or name + '/t'}" }}
    format: json
""")


def records(dir, numbers):
    pathlib.Path(dir, "in").mkdir(exist_ok=True)
    first = numbers[0]
    write(dir, f"part.{first}", "".join(f'{{"n":{i}}}\n' for i in numbers))
    os.rename(pathlib.Path(dir, f"part.{first}"), pathlib.Path(dir, "in", f"{first:08d}.json"))


class Subscriber:
    """A lasting session of version 5 with QoS 1; what came, as (topic, payload, id)."""

    def __init__(self, broker, filter):
        self.broker, self.filter = broker, filter
        self.got, self.numbers = [], set()
        self.connect()

    def connect(self):
        host, port = self.broker.address.split(":")
        connection = socket.create_connection((host, int(port)), timeout=20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer = Peer(connection)
        expiry = b"\x05\x11\0\0\xff\xff"
        self.peer.send(packet(0x10, text("MQTT") + b"\x05\0\0\0" + expiry + text("sub-" + self.filter)))
        self.peer.expect(2)
        self.peer.send(packet(SUBSCRIBE << 4 | 2, b"\0\1\0" + text(self.filter) + b"\1"))

    def take(self, until, seconds=30):
        """Messages until until(them) is true; `numbers` are those in their payloads."""
        self.peer.connection.settimeout(seconds)
        while not until(self.got):
            body = self.peer.expect(PUBLISH)
            size = int.from_bytes(body[:2], "big")
            topic, rest = body[2:2 + size].decode(), body[2 + size:]
            id, properties, payload = rest[:2], rest[3:3 + rest[2]], rest[3 + rest[2]:]
            self.peer.send(packet(PUBACK << 4, id))
            mark = properties.split(b"leat-id", 1)[1][2:].decode() if b"leat-id" in properties else None
            self.got.append((topic, payload.decode(), mark))
            self.numbers.add(payload.decode().split(":")[1].rstrip("}"))
        return self.got


def test_records_are_published_to_the_topic_of_a_template_with_an_id_that_lasts():
    sub = Subscriber(BROKER, "plain/#")
    with folder() as dir:
        records(dir, range(1200))
        file = pipeline(dir, "plain", f'url: "{BROKER.url}"', topic="plain/{n % 3}")
        with Leat("run", file) as leat:
            got = sub.take(lambda p: len(p) >= 1200)
            assert leat.stop() == 0
    assert [m[1] for m in got] == [f'{{"n":{i}}}' for i in range(1200)]
    assert all(topic == f"plain/{i % 3}" for i, (topic, _, _) in enumerate(got))
    ids = [m[2] for m in got]
    assert len(set(ids)) == 1200 and ids[0].startswith("plain-"), ids[:3]


def test_version_3_1_1_and_retained_messages():
    with folder() as dir:
        records(dir, range(5))
        file = pipeline(dir, "kept", f'url: "{BROKER.url}", version: "3.1.1", retain: true', topic="kept/{n}")
        with Leat("run", file, "--until", "caught_up") as leat:
            assert leat.wait() == 0
    late = Subscriber(BROKER, "kept/#")
    got = late.take(lambda p: len(p) >= 5)
    assert sorted(m[1] for m in got) == [f'{{"n":{i}}}' for i in range(5)]


def test_nothing_is_lost_when_leat_is_killed_while_it_publishes():
    kills = 20 if FULL else 3
    sub = Subscriber(BROKER, "killed/#")
    with folder() as dir:
        file = pipeline(dir, "killed", f'url: "{BROKER.url}"')
        for round in range(kills):
            records(dir, range(3000 * round, 3000 * (round + 1)))
            with Leat("run", file) as leat:
                sub.take(lambda p: len(p) > 3000 * round + 500)
                leat.kill()
        with Leat("run", file) as leat:
            got = sub.take(lambda _: len(sub.numbers) == 3000 * kills)
            assert leat.stop() == 0
    seen = {}
    for topic, payload, mark in got:  # a copy has the id of the first
        assert seen.setdefault(mark, payload) == payload
    assert len(seen) == 3000 * kills
    print(f"{kills} kills: {len(got) - len(seen)} of {len(seen)} messages twice")


def test_a_broker_that_is_away_is_waited_for_and_nothing_is_lost_when_it_is_killed():
    broker = Mosquitto()
    sub = Subscriber(broker, "away/#")
    with folder() as dir:
        records(dir, range(2000))
        file = pipeline(dir, "away", f'url: "{broker.url}", timeout: 1s')
        with Leat("run", file) as leat:
            sub.take(lambda p: len(p) > 100)
            broker.kill()
            leat.wait_log("trying again")
            broker.restart()
            sub.connect()
            records(dir, range(2000, 4000))
            later = set(map(str, range(2000, 4000)))
            sub.take(lambda _: later <= sub.numbers)
            assert leat.stop() == 0
    broker.end()


def test_a_connection_that_is_cut_within_a_frame_loses_nothing():
    chance = Kills("cut-out", 3, 3).chance
    sub = Subscriber(BROKER, "cut-out/#")
    with folder() as dir, Cutter(BROKER.address) as cutter:
        with Leat("run", pipeline(dir, "cut-out", f'url: "mqtt://{cutter.address}"')) as leat:
            for round in range(3):
                cutter.cut_after(chance.randrange(100, 30000))
                records(dir, range(1000 * round, 1000 * (round + 1)))
                wait_for("the cut", lambda: cutter.cuts > round)
            sub.take(lambda _: len(sub.numbers) == 3000)
            assert leat.stop() == 0
    assert len({mark for _, _, mark in sub.got}) == 3000


def test_tls_and_a_password_and_what_is_wrong_with_them_is_said():
    at = pathlib.Path(BROKER.file("secure_address")).read_text().strip()
    sub = Subscriber(BROKER, "tls/#")
    ca = f'tls: {{ ca: {BROKER.file("ca.crt")} }}'
    with folder() as dir:
        records(dir, range(3))
        for options, words in ((f'{ca}, auth: {{ user: leat, password: falsch }}', "ot authori"),
                               ('auth: { user: leat, password: geheim-1 }', "trying again")):
            with Leat("run", pipeline(dir, "tls", f'url: "mqtts://{at}", {options}')) as leat:
                leat.wait_log(words)
                assert "falsch" not in leat.log and "geheim" not in leat.log
                leat.kill()
        with Leat("run", pipeline(dir, "tls", f'url: "mqtts://{at}", {ca}, '
                                  'auth: { user: leat, password: geheim-1 }')) as leat:
            sub.take(lambda _: len(sub.numbers) == 3)
            assert leat.stop() == 0


def refusing(reason):
    def script(peer):
        peer.greet()
        while True:
            body = peer.expect(PUBLISH)
            size = int.from_bytes(body[:2], "big")
            seen.append(body[2:2 + size])
            bad = b"bad" in body[2:2 + size]
            peer.send(packet(PUBACK << 4, body[2 + size:4 + size] + (bytes([reason, 0]) if bad else b"")))

    seen = []
    return script, seen


def test_a_message_that_is_refused_stops_the_job_or_is_dropped():
    for option, code in (("refused: fail", 1), ("refused: drop", 0)):
        script, seen = refusing(0x87)
        with FalseBroker(script) as broker, folder() as dir:
            records(dir, range(4))
            file = pipeline(dir, "refuse", f'url: "{broker.url}", {option}',
                            topic="x/{n == 2 ? 'bad' : 'good'}")
            with Leat("run", file, "--until", "caught_up") as leat:
                assert leat.wait() == code and "uthori" in leat.log, leat.log
            assert len(seen) == 4


def test_a_message_beyond_the_limit_that_the_broker_names_is_refused_and_one_at_the_limit_is_taken():
    mark = "limit-00000001-1-0"  # all ids have this length
    limit = 500
    text_bytes = limit - (1 + 2) - (2 + len("limit/t")) - 2 - (1 + 1 + 2 + len("leat-id") + 2 + len(mark))
    broker = Mosquitto(f"max_packet_size {limit}")
    sub = Subscriber(broker, "limit/#")
    for times, (option, code) in enumerate((("refused: fail", 1), ("refused: drop", 0)), 1):
        with folder() as dir:
            pathlib.Path(dir, "in").mkdir()
            sizes = [text_bytes, text_bytes + 1, 20]
            write(dir, "in/a.json", "".join('{"n":"%s"}\n' % ("x" * (n - 8)) for n in sizes))
            file = pipeline(dir, "limit", f'url: "{broker.url}", {option}')
            with Leat("run", file, "--until", "caught_up") as leat:
                assert leat.wait() == code and "acket too large" in leat.log, leat.log
                assert leat.log.count("'limit/t'") == 1, leat.log
        got = sub.take(lambda p: len(p) >= 2 * times)
        assert len(got[0][2]) == len(mark), got[0][2]
        assert [len(m[1]) for m in got] == [text_bytes, 20] * times, (option, got)
    broker.end()


def test_a_topic_with_a_wildcard_is_never_published_to():
    with folder() as dir:
        records(dir, range(2))
        file = pipeline(dir, "wild", f'url: "{BROKER.url}"', topic="x/{n == 1 ? '+' : 'a'}")
        with Leat("run", file, "--until", "caught_up") as leat:
            assert leat.wait() == 1 and "is no topic to publish to" in leat.log, leat.log


if __name__ == "__main__":
    main(sys.modules[__name__])
