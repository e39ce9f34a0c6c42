#!/usr/bin/env python3
"""The source `mqtt` with brokers that break the protocol, lie about lengths, dribble and forget."""
import json
import pathlib
import socket
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import Leat  # noqa: E402
from leat_test import BUILD, Skip, folder, free_port, main, wait_for, write  # noqa: E402
from mqtt_test import (CONNACK, CONNECT, DISCONNECT, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK,  # noqa: E402
                       FalseBroker, packet, publish_packet)


def pipeline(dir, broker, options="", head=""):
    return write(dir, "hostile.yaml", f"""leat: 1
name: hostile
batch: {{ every: 50ms }}
checkpoint: {{ dir: {dir}/state }}
{head}
sources:
  in:
    mqtt: {{ url: "{broker.url}", topics: t/#, retry: 10ms, {options} }}
    format: text
    max_record: 64KiB
streams:
  s:
    from: in
    ops:
      - map: '{{"v": size(this)}}'
sinks:
  out: {{ from: s, console: {{}}, format: json }}
""")


def message(size, id=1, qos=1, **more):
    return publish_packet("t/x", b"x" * size, qos, id, version=5, **more)


def sizes(leat):
    return [json.loads(line)["v"] for line in leat.out.splitlines()]


def memory_kib(leat):
    for line in pathlib.Path(f"/proc/{leat.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    return 0


BAD = [b"\x30\xff\xff\xff\xff\xff", b"\x36\x07\0\1a\0\1\0x", b"\x00\x00", b"\xf0\x00",
       b"\x20\x03\0\0\0", b"\x90\x04\0\7\0\1", b"\x30\x05\0\1a\x05x", b"\x40\x02\0\1",
       b"\x30\x07\0\1a\3\x23\0\1", b"\x60\x02\0\1", b"\xd0\x01x", b"\x20\xff\xff\x7f"]


def test_what_is_malformed_ends_the_connection_is_counted_and_the_next_one_is_served():
    if not (BUILD / "engine/modules/endpoint.so").exists():
        raise Skip("leat was built without libmicrohttpd")
    for bad in BAD[:4], BAD[4:8], BAD[8:]:  # pauses grow from one to the next
        check_malformed(bad)


def check_malformed(bad):
    def script(peer):
        n = broker.count
        peer.greet()
        peer.accept_subscription()
        if n <= len(bad):
            peer.send(bad[n - 1])
            assert peer.expect(DISCONNECT) == b"\x81"
            return
        peer.send(message(5))
        peer.expect(PUBACK)
        peer.expect(DISCONNECT)

    port = free_port()
    with FalseBroker(script) as broker, folder() as dir:
        with Leat("run", pipeline(dir, broker, head=f'http: {{ listen: "127.0.0.1:{port}" }}')) as leat:
            wait_for("the good one", lambda: sizes(leat) == [5], 60)
            assert broker.count == len(bad) + 1 and "the broker sent" in leat.log
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                said = answer.read().decode()
            assert f'leat_bad_input_total{{pipeline="hostile"}} {len(bad)}\n' in said, said
            assert leat.stop() == 0


def test_a_message_that_comes_byte_by_byte_is_taken():
    def script(peer):
        peer.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.greet()
        peer.accept_subscription()
        for byte in message(300, 1) + message(20, 2):
            peer.send(bytes([byte]))
        peer.expect(PUBACK)
        peer.expect(PUBACK)
        peer.expect(DISCONNECT)

    with FalseBroker(script) as broker, folder() as dir:
        with Leat("run", pipeline(dir, broker)) as leat:
            wait_for("both", lambda: sizes(leat) == [300, 20])
            assert broker.count == 1
            assert leat.stop() == 0


def test_broken_greetings_are_survived():
    bad = [b"", b"\x20", b"\x20\x02\0", b"HTTP/1.1 400 Bad Request\r\n\r\n", message(3),
           packet(CONNACK << 4, b"\x02\0\0"), packet(CONNACK << 4, b"\0\x88\0")]

    def script(peer):
        n = broker.count
        if n <= len(bad):
            peer.expect(CONNECT)
            peer.send(bad[n - 1])
            return
        peer.greet()
        peer.accept_subscription()
        peer.send(message(4))
        peer.expect(DISCONNECT)

    with FalseBroker(script) as broker, folder() as dir:
        with Leat("run", pipeline(dir, broker)) as leat:
            wait_for("the good one", lambda: sizes(leat) == [4])
            assert leat.stop() == 0


def test_a_payload_of_200_mib_is_an_error_of_that_record_and_takes_no_memory():
    size = 200 << 20

    def script(peer):
        peer.greet()
        peer.accept_subscription()
        n, length = size + 8, b""
        while n:
            length += bytes([n & 127 | (128 if n > 127 else 0)])
            n >>= 7
        peer.send(b"\x32" + length + b"\0\3t/x\0\1\0")
        for _ in range(size >> 20):
            peer.send(b"y" * (1 << 20))
        peer.send(message(7, 2))
        peer.expect(DISCONNECT)

    with FalseBroker(script) as broker, folder() as dir:
        file = pipeline(dir, broker, head="on_error: drop")
        with Leat("run", file) as leat:
            wait_for("the one behind it", lambda: sizes(leat) == [7], 60)
            assert broker.count == 1 and memory_kib(leat) < 100 << 10, memory_kib(leat)
            assert leat.stop() == 0


def test_a_frame_that_never_ends_is_given_up():
    def script(peer):
        peer.greet()
        peer.accept_subscription()
        if broker.count == 1:
            peer.send(b"\x32\xff\xff\x03\0\3t/x\0\1\0")
            while True:  # a byte for each ping, for ever
                peer.stream.read(1)
                peer.send(b"z")
        peer.send(message(6))
        peer.expect(DISCONNECT)

    with FalseBroker(script) as broker, folder() as dir:
        with Leat("run", pipeline(dir, broker, "keep_alive: 1s")) as leat:
            leat.wait_log("says nothing any more")
            wait_for("the next", lambda: sizes(leat) == [6])
            assert leat.stop() == 0


def test_a_broker_that_accepts_and_is_silent_does_not_hold_up_a_stop():
    with FalseBroker(lambda peer: peer.stream.read()) as broker, folder() as dir:
        with Leat("run", pipeline(dir, broker)) as leat:
            wait_for("a connection", lambda: broker.count)
            assert leat.stop() == 0


def test_a_broker_that_takes_nothing_is_not_buffered_for():
    """PUBRELs without end, whose answers it does not read: leat stops reading."""
    def script(peer):
        peer.greet()
        peer.accept_subscription()
        peer.connection.settimeout(2)
        try:
            while True:
                peer.send(packet(PUBREL << 4 | 2, b"\0\1") * 10000)
        except TimeoutError:
            stuck.append(1)
        peer.connection.settimeout(None)
        peer.expect(DISCONNECT)

    stuck = []
    with FalseBroker(script) as broker, folder() as dir:
        with Leat("run", pipeline(dir, broker)) as leat:
            wait_for("back pressure", lambda: stuck)
            assert memory_kib(leat) < 100 << 10, memory_kib(leat)
            assert leat.stop() == 0


def test_acknowledgements_follow_the_protocol_of_both_levels():
    seen = []

    def script(peer):
        if broker.count == 1:
            peer.greet()
            peer.accept_subscription()
            peer.send(message(1, 1), message(2, 2, 2), message(3, 3, 2))
            seen.append((PUBACK, peer.expect(PUBACK)))
            seen.append((PUBREC, peer.expect(PUBREC)))
            seen.append((PUBREC, peer.expect(PUBREC)))
            peer.send(packet(PUBREL << 4 | 2, b"\0\2"))
            seen.append((PUBCOMP, peer.expect(PUBCOMP)))
            peer.send(packet(PUBREL << 4 | 2, b"\0\x09"))
            seen.append((PUBCOMP, peer.expect(PUBCOMP)))
            return  # and gone, with 3 not released
        peer.greet(present=True)
        peer.send(message(3, 3, 2))  # again: it has it, and says so at once
        seen.append((PUBREC, peer.expect(PUBREC)))
        peer.send(packet(PUBREL << 4 | 2, b"\0\3"))
        seen.append((PUBCOMP, peer.expect(PUBCOMP)))
        peer.send(message(4, 3, 2))  # the id is free: a new message
        seen.append((PUBREC, peer.expect(PUBREC)))
        peer.expect(DISCONNECT)

    with FalseBroker(script) as broker, folder() as dir:
        with Leat("run", pipeline(dir, broker)) as leat:
            wait_for("four", lambda: len(sizes(leat)) == 4 and len(seen) == 8)
            assert sizes(leat) == [1, 2, 3, 4]
            assert seen == [(PUBACK, b"\0\1"), (PUBREC, b"\0\2"), (PUBREC, b"\0\3"),
                            (PUBCOMP, b"\0\2"), (PUBCOMP, b"\0\x09\x92"), (PUBREC, b"\0\3"),
                            (PUBCOMP, b"\0\3"), (PUBREC, b"\0\3")], seen
            assert leat.stop() == 0


def test_a_refusal_for_good_ends_the_job_with_the_broker_s_own_words():
    reason = b"\x1f\0\x04no!!"
    answers = [lambda p: (p.expect(CONNECT), p.send(packet(CONNACK << 4, b"\0\x87" + bytes([7]) + reason))),
               lambda p: (p.greet(), p.send(packet(SUBACK << 4, p.expect(8)[:2] + bytes([7]) + reason + b"\x8f"))),
               lambda p: (p.greet(), p.accept_subscription(),
                          p.send(packet(DISCONNECT << 4, b"\x8e" + bytes([7]) + reason)))]
    for answer, words in zip(answers, ("not authorized", "filter is not valid", "same client id")):
        def script(peer):
            answer(peer)
            peer.stream.read()

        with FalseBroker(script) as broker, folder() as dir:
            with Leat("run", pipeline(dir, broker)) as leat:
                assert leat.wait() == 1 and words in leat.log and "no!!" in leat.log, leat.log


if __name__ == "__main__":
    main(sys.modules[__name__])
