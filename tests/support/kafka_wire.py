"""What tests ask of Kafka that kcat cannot: exact records, topics, committed positions.

One connection, one node, blocking; old versions of each request, which Kafka 3.9 and 4 both know.
"""
import socket
import struct

PRODUCE, METADATA, OFFSET_COMMIT, OFFSET_FETCH, COORDINATOR = 0, 3, 8, 9, 10
CREATE_TOPICS, DELETE_TOPICS, DELETE_RECORDS, CREATE_PARTITIONS = 19, 20, 21, 37
COORDINATOR_COMES = (14, 15, 16)  # errors of one that is not ready yet

CRC_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = (_byte >> 1) ^ (0x82F63B78 if _byte & 1 else 0)
    CRC_TABLE.append(_byte)


class KafkaError(Exception):
    def __init__(self, code):
        super().__init__(f"Kafka error {code}")
        self.code = code


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def varint(n):
    n = (n << 1) ^ (n >> 63)
    out = bytearray()
    while n & ~0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def text(s):
    return struct.pack(">h", len(s.encode())) + s.encode()


def nullable(data):
    return varint(-1) if data is None else varint(len(data)) + data


def as_bytes(x):
    return x.encode() if isinstance(x, str) else x


def record_batch(records):
    """Records are (key, value, time in ms, [(header, value)]); key and value may be None."""
    first = records[0][2]
    body = b""
    for i, (key, value, time_ms, headers) in enumerate(records):
        inner = b"\0" + varint(time_ms - first) + varint(i) + nullable(as_bytes(key))
        inner += nullable(as_bytes(value)) + varint(len(headers))
        for name, content in headers:
            inner += nullable(as_bytes(name)) + nullable(as_bytes(content))
        body += varint(len(inner)) + inner
    last = max(r[2] for r in records)
    after_crc = struct.pack(">hiqqqhii", 0, len(records) - 1, first, last, -1, -1, -1,
                            len(records)) + body
    head = struct.pack(">ibI", -1, 2, crc32c(after_crc))
    return struct.pack(">qi", 0, len(head) + len(after_crc)) + head + after_crc


class Wire:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=30)

    def close(self):
        self.socket.close()

    def ask(self, key, version, body):
        request = struct.pack(">hhi", key, version, 1) + text("leat-test") + body
        self.socket.sendall(struct.pack(">i", len(request)) + request)
        size, = struct.unpack(">i", self.read(4))
        return self.read(size)[4:]

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise ConnectionError("the broker closed the connection")
            data += piece
        return data

    def produce(self, topic, partition, records):
        batch = record_batch(records)
        body = struct.pack(">hhi", -1, -1, 20000) + struct.pack(">i", 1) + text(topic)
        body += struct.pack(">iii", 1, partition, len(batch)) + batch
        answer = self.ask(PRODUCE, 3, body)
        code, = struct.unpack_from(">h", answer, 4 + 2 + len(topic.encode()) + 4 + 4)
        if code:
            raise KafkaError(code)

    def create_topic(self, topic, partitions, config):
        body = struct.pack(">i", 1) + text(topic) + struct.pack(">ihi", partitions, 1, 0)
        body += struct.pack(">i", len(config))
        for name, value in config.items():
            body += text(name) + text(str(value))
        answer = self.ask(CREATE_TOPICS, 2, body + struct.pack(">ib", 20000, 0))
        self.check(answer, 8, topic)

    def delete_topic(self, topic):
        body = struct.pack(">i", 1) + text(topic) + struct.pack(">i", 20000)
        self.check(self.ask(DELETE_TOPICS, 1, body), 8, topic)

    def delete_records(self, topic, partition, before):
        """The partition then begins at `before`."""
        body = struct.pack(">i", 1) + text(topic) + struct.pack(">iiqi", 1, partition, before, 20000)
        answer = self.ask(DELETE_RECORDS, 0, body)
        self.check(answer, 8 + 4 + 4 + 8, topic)

    def add_partitions(self, topic, count):
        body = struct.pack(">i", 1) + text(topic) + struct.pack(">ii", count, -1)
        answer = self.ask(CREATE_PARTITIONS, 0, body + struct.pack(">ib", 20000, 0))
        self.check(answer, 8, topic)

    @staticmethod
    def check(answer, at, topic):
        code, = struct.unpack_from(">h", answer, at + 2 + len(topic.encode()))
        if code:
            raise KafkaError(code)

    def commit(self, group, topic, positions):
        """{partition: offset}, as a tool that moves positions by hand would do."""
        self.ask(COORDINATOR, 0, text(group))
        body = text(group) + struct.pack(">i", -1) + text("") + struct.pack(">qi", -1, 1)
        body += text(topic) + struct.pack(">i", len(positions))
        for partition, offset in positions.items():
            body += struct.pack(">iq", partition, offset) + text("")
        answer = self.ask(OFFSET_COMMIT, 2, body)
        code, = struct.unpack_from(">h", answer, 4 + 2 + len(topic.encode()) + 4 + 4)
        if code:
            raise KafkaError(code)

    def committed(self, group, topic, partitions):
        """{partition: (offset, metadata)}, without those that have none."""
        self.ask(COORDINATOR, 0, text(group))  # else a new group has no coordinator
        body = text(group) + struct.pack(">i", 1) + text(topic)
        body += struct.pack(">i", partitions) + b"".join(
            struct.pack(">i", p) for p in range(partitions))
        answer = self.ask(OFFSET_FETCH, 1, body)
        at = 4 + 2 + len(topic.encode()) + 4
        if len(answer) < at:  # the group is not loaded yet
            raise KafkaError(COORDINATOR_COMES[0])
        found = {}
        for _ in range(partitions):
            partition, offset, size = struct.unpack_from(">iqh", answer, at)
            metadata = answer[at + 14:at + 14 + max(size, 0)].decode()
            at += 14 + max(size, 0)
            code, = struct.unpack_from(">h", answer, at)
            at += 2
            if code:
                raise KafkaError(code)
            if offset >= 0:
                found[partition] = (offset, metadata)
        return found
