"""A real mosquitto for end-to-end tests, and the protocol's bytes for publishers and false brokers.

    BROKER = Mosquitto()           started by the first test that asks for its address, stopped at exit
    publish(BROKER.address, [("a/b", "text"), ...], qos=1)

Where mosquitto is not installed tests are skipped, or fail when LEAT_REQUIRE_BROKERS is set.
"""
import socket
import struct
import threading

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
        assert read_packet(self.stream) == (CONNACK, 0, b"\0\0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def publish(self, messages, qos=1, on_ack=lambda payload: None):
        """on_ack(payload) once the broker has taken responsibility for it."""
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
        if kind in (PUBACK, PUBREC):
            on_ack(self.waiting[id])
        if kind in (PUBACK, PUBCOMP):
            del self.waiting[id]
        if kind == PUBREC:
            self.socket.sendall(packet(PUBREL << 4 | 2, body[:2]))


def publish(address, messages, qos=1):
    with Publisher(address) as publisher:
        publisher.publish(messages, qos)


class Cutter:
    """Stands between a client and the broker, and cuts when it is told to, in the middle of a frame."""

    def __init__(self, address):
        self.to = address.rsplit(":", 1)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.pairs = []
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.cut()

    def serve(self):
        try:
            while True:
                client = self.listener.accept()[0]
                broker = socket.create_connection((self.to[0], int(self.to[1])))
                self.pairs.append((client, broker))
                for a, b in ((client, broker), (broker, client)):
                    threading.Thread(target=self.copy, args=(a, b), daemon=True).start()
        except OSError:
            pass

    @staticmethod
    def copy(a, b):
        try:
            while data := a.recv(777):
                b.sendall(data)
        except OSError:
            pass
        for s in (a, b):
            s.close()

    def cut(self):
        while self.pairs:
            for s in self.pairs.pop():
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


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
