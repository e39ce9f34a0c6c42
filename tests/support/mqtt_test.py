"""A real mosquitto for end-to-end tests, and the protocol's bytes for publishers and false brokers.

    BROKER = Mosquitto()           started by the first test that asks for its address, stopped at exit
    publish(BROKER.address, [("a/b", "text"), ...], qos=1)

Where mosquitto is not installed tests are skipped, or fail when LEAT_REQUIRE_BROKERS is set.
"""
import socket
import struct
import threading
import time

from leat_test import wait_for
from service import Service

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = range(1, 8)
SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 8, 9, 12, 13, 14


class Mosquitto(Service):
    script = "mosquitto"

    @property
    def url(self):
        return "mqtt://" + self.address


def text(s):
    b = s if isinstance(s, bytes) else s.encode()
    return struct.pack(">H", len(b)) + b


def packet(first, body=b""):
    n, length = len(body), b""
    while True:
        n, low = n >> 7, n & 127
        length += bytes([low | (128 if n else 0)])
        if not n:
            return bytes([first]) + length + body


def read_packet(stream):
    """(type, flags, body); None at the end."""
    first = stream.read(1)
    n = shift = 0
    while first:
        b = stream.read(1)
        if not b:
            return None
        n |= (b[0] & 127) << shift
        shift += 7
        if b[0] < 128:
            body = stream.read(n)
            return (first[0] >> 4, first[0] & 15, body) if len(body) == n else None
    return None


def publish_packet(topic, payload, qos=0, id=0, dup=False, version=4, properties=b""):
    body = text(topic) + (struct.pack(">H", id) if qos else b"")
    if version == 5:
        body += bytes([len(properties)]) + properties
    body += payload if isinstance(payload, bytes) else payload.encode()
    return packet(PUBLISH << 4 | qos << 1 | (8 if dup else 0), body)


class Publisher:
    """Version 3.1.1, one message after the other, or `window` of them under way."""

    def __init__(self, address, client_id="test-publisher", window=200):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb")
        self.window, self.next, self.waiting = window, 1, {}
        self.socket.sendall(packet(CONNECT << 4, text("MQTT") + b"\x04\x02\0\0" + text(client_id)))
        if read_packet(self.stream) != (CONNACK, 0, b"\0\0"):
            raise ConnectionError("no connection")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def publish(self, messages, qos=1, on_ack=lambda payload: None):
        """on_ack(payload) when its handshake is complete."""
        for topic, payload in messages:
            while len(self.waiting) >= self.window:
                self.take(on_ack)
            id, self.next = self.next, self.next % 65535 + 1
            if qos:
                self.waiting[id] = payload
            self.socket.sendall(publish_packet(topic, payload, qos, id))
        while self.waiting:
            self.take(on_ack)

    def take(self, on_ack):
        got = read_packet(self.stream)
        if not got:
            raise ConnectionError("the broker is gone")
        kind, _, body = got
        id = struct.unpack(">H", body[:2])[0]
        if kind in (PUBACK, PUBCOMP):
            on_ack(self.waiting.pop(id))
        if kind == PUBREC:
            self.socket.sendall(packet(PUBREL << 4 | 2, body[:2]))


def publish(address, messages, qos=1):
    with Publisher(address) as publisher:
        publisher.publish(messages, qos)


class Load(threading.Thread):
    """Publishes numbered messages, 100 at once, on and on, over lost connections too; `acknowledged`
    are those whose handshake was complete."""

    def __init__(self, address, topic, qos):
        super().__init__(daemon=True)
        self.address, self.topic, self.qos = address, topic, qos
        self.acknowledged, self.tried, self.over = [], 0, False

    def run(self):
        while not self.over:
            try:
                with Publisher(self.address, "load-" + self.topic) as publisher:
                    while not self.over:
                        first, self.tried = self.tried, self.tried + 100
                        publisher.publish(((self.topic, f"m{first + k}") for k in range(100)), self.qos,
                                          self.acknowledged.append)
            except OSError:
                time.sleep(0.02)  # what it was at is not acknowledged; the next numbers follow

    def wait_for(self, more):
        wanted = len(self.acknowledged) + more
        wait_for(f"{more} more messages acknowledged", lambda: len(self.acknowledged) >= wanted, 60)

    def end(self):
        self.over = True
        self.join(60)
        assert not self.is_alive()
        return set(self.acknowledged)


class FalseBroker:
    """Answers each connection with `script(connection)`, called with a Peer; counts connections."""

    def __init__(self, script):
        self.script, self.count = script, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "mqtt://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()

    def serve(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

    def talk(self, connection):
        try:
            self.script(Peer(connection))
        except (OSError, AssertionError):
            pass
        connection.close()


class Peer:
    """One connection of a false broker, version 5."""

    def __init__(self, connection):
        self.connection, self.stream = connection, connection.makefile("rb")

    def send(self, *packets):
        self.connection.sendall(b"".join(packets))

    def expect(self, kind):
        while True:
            got = read_packet(self.stream)
            assert got, "the client is gone"
            if got[0] == kind:
                return got[2]
            if got[0] == PINGREQ:
                self.send(packet(PINGRESP << 4))

    def greet(self, present=False):
        self.expect(CONNECT)
        self.send(packet(CONNACK << 4, bytes([present, 0, 0])))

    def accept_subscription(self):
        id = self.expect(SUBSCRIBE)[:2]
        self.send(packet(SUBACK << 4, id + b"\0\1"))
