"""The ledger: what goes in, and so what must come out.

P producers write into a partition each. Record `seq` of producer p is a pure function of the seed, so
whoever checks can compute it again: an account, an amount, a time that grows by STEP_MS per record.
"""
import json
import random
import threading
import time

from kafka_client import client

PARTITIONS = 4
ACCOUNTS = 40
STEP_MS = 10  # of event time, from one record of a producer to its next
START_MS = (int(time.time()) - 24 * 3600) * 1000 // 60_000 * 60_000  # a later one never is too old


class Entries:
    """The records of one producer, in order, for ever."""

    def __init__(self, seed, p, start_ms=START_MS):
        self.p, self.seq, self.start_ms = p, 0, start_ms
        self.chance = random.Random(f"{seed}/{p}")

    def next(self):
        """(seq, account, amount, time)"""
        chance = self.chance
        account = f"a{min(chance.randrange(ACCOUNTS), chance.randrange(ACCOUNTS)):02d}"
        entry = (self.seq, account, chance.randrange(-1000, 5000), self.start_ms + self.seq * STEP_MS)
        self.seq += 1
        return entry

    def next_line(self):
        seq, account, amount, time_ms = self.next()
        return account, json.dumps({"p": self.p, "seq": seq, "account": account, "amount": amount,
                                    "t": time_ms}, separators=(",", ":"))


class Ledger(threading.Thread):
    """Writes so many records a second, the same to every partition, until told to stop."""

    def __init__(self, seed, per_second, start_ms=START_MS):
        super().__init__(daemon=True)
        self.per_second = per_second
        self.entries = [Entries(seed, p, start_ms) for p in range(PARTITIONS)]
        self.told_to_stop = threading.Event()

    def write(self, count):
        raise NotImplementedError

    def flush(self):
        raise NotImplementedError

    def run(self):
        begun = time.monotonic()
        while not self.told_to_stop.wait(0.02):
            due = int((time.monotonic() - begun) * self.per_second / PARTITIONS)
            self.write(min(due - self.entries[0].seq, 10_000))

    def stop(self):
        """How many records each producer wrote."""
        if self.is_alive():
            self.told_to_stop.set()
            self.join()
        self.flush()
        return self.entries[0].seq


class TopicLedger(Ledger):
    """A partition per producer, or one for all."""

    def __init__(self, address, topic, one_partition, *more):
        super().__init__(*more)
        self.topic, self.one_partition, self.failed = topic, one_partition, None
        self.producer = client().Producer({
            "bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 5,
            "message.timeout.ms": 0, "compression.type": "lz4"})

    def delivered(self, error, _):
        if error:
            self.failed = str(error)

    def produce(self, key, value, partition):
        while True:
            try:
                return self.producer.produce(self.topic, value, key, partition,
                                             on_delivery=self.delivered)
            except BufferError:  # the broker is away
                self.producer.poll(0.1)

    def write(self, count):
        for _ in range(count):
            for entries in self.entries:
                account, line = entries.next_line()
                self.produce(account, line, 0 if self.one_partition else entries.p)
            self.producer.poll(0)

    def flush(self):
        self.producer.flush()
        assert not self.failed, f"the ledger could not be written: {self.failed}"


class FileLedger(Ledger):
    """A file that grows."""

    def __init__(self, folder, *more):
        super().__init__(*more)
        self.file = open(folder / "ledger.jsonl", "w")

    def write(self, count):
        for _ in range(count):
            for entries in self.entries:
                self.file.write(entries.next_line()[1] + "\n")
        self.file.flush()

    def flush(self):
        self.file.close()
