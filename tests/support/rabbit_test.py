"""A real RabbitMQ for end-to-end tests, with pika as a client that shares no code with leat.

    BROKER = Rabbit()              started by the first test that asks for it, stopped at exit
    with BROKER.channel() as ch:   pika's channel, with publisher confirms

Where RabbitMQ or pika cannot be had tests are skipped, or fail when LEAT_REQUIRE_BROKERS is set.
"""
import atexit
import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

from leat_test import ROOT, Skip, wait_for

SCRIPT = str(ROOT / "tests/broker/rabbitmq")
DEBIAN = "/usr/lib/python3/dist-packages"  # where python3-pika is, for a Python that is not Debian's

try:
    import pika
except ImportError:
    sys.path.append(DEBIAN)
    try:
        import pika
    except ImportError:
        pika = None


class Rabbit:
    def __init__(self, *words):
        self.words = words
        self.folder = None
        self.is_up = False

    def start(self):
        if self.folder:
            if not self.is_up:
                self.run()  # an earlier test failed while it was down
            return self
        self.folder = tempfile.mkdtemp(prefix="leat-rabbitmq-")
        atexit.register(self.end)
        if pika is None:
            self.skip("no pika: apt-get install python3-pika")
        done = self.call("start", *self.words)
        if done.returncode == 77:
            self.skip(done.stderr.strip())
        assert done.returncode == 0, done.stderr
        self.is_up = True
        return self

    def skip(self, why):
        self.end()
        if os.environ.get("LEAT_REQUIRE_BROKERS"):
            raise AssertionError(f"RabbitMQ is required here: {why}")
        raise Skip(why)

    def end(self):
        if self.folder:
            self.call("kill")
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def call(self, verb, *words):
        return subprocess.run([SCRIPT, verb, self.folder, *words], text=True, timeout=120,
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              stdout=subprocess.PIPE)

    def verb(self, verb):
        done = self.call(verb)
        assert done.returncode == 0, done.stderr

    def kill(self):
        self.verb("kill")
        self.is_up = False

    def run(self):
        self.verb("run")
        self.is_up = True

    @property
    def address(self):
        self.start()
        return (pathlib.Path(self.folder) / "address").read_text().strip()

    @property
    def tls_address(self):
        self.start()
        return (pathlib.Path(self.folder) / "tls_address").read_text().strip()

    @contextlib.contextmanager
    def channel(self, confirm=True, address=None):
        host, port = (address or self.address).split(":")
        parameters = pika.ConnectionParameters(host, int(port), connection_attempts=20,
                                               retry_delay=0.2, heartbeat=600)
        connection = pika.BlockingConnection(parameters)
        channel = connection.channel()
        if confirm:
            channel.confirm_delivery()
        try:
            yield channel
        finally:
            with contextlib.suppress(pika.exceptions.AMQPError):
                connection.close()

    def queue(self, name, **how):
        with self.channel() as ch:
            ch.queue_declare(name, durable=True, **how)
        return name

    def publish(self, queue, bodies, **properties):
        """Returns when the broker has confirmed all of them."""
        with self.channel() as ch:
            for body in bodies:
                ch.basic_publish("", queue, body.encode() if isinstance(body, str) else body,
                                 pika.BasicProperties(delivery_mode=2, **properties))

    def ready(self, queue):
        """Messages that wait for a consumer: neither delivered nor acknowledged."""
        with self.channel() as ch:
            return ch.queue_declare(queue, passive=True).method.message_count

    def take(self, queue):
        """All that is there, and acknowledged: (method, properties, body) each."""
        taken = []
        with self.channel() as ch:
            count = ch.queue_declare(queue, passive=True).method.message_count
            while len(taken) < count:
                taken.append(next(ch.consume(queue)))
            if taken:
                ch.basic_ack(taken[-1][0].delivery_tag, multiple=True)
            ch.cancel()
        return taken

    def log(self):
        return (pathlib.Path(self.folder) / "log").read_text(errors="replace")


class Publisher(threading.Thread):
    """Publishes numbered messages until it is stopped, and keeps the numbers that were confirmed."""

    def __init__(self, broker, queue):
        super().__init__(daemon=True)
        self.broker, self.queue, self.address = broker, queue, broker.address
        self.confirmed, self.tried, self.stopping = [], 0, False
        self.start()

    def run(self):
        while not self.stopping:
            try:
                with self.broker.channel(address=self.address) as ch:
                    while not self.stopping:
                        number = self.tried
                        self.tried += 1
                        ch.basic_publish("", self.queue, b'{"n":%d}' % number,
                                         pika.BasicProperties(delivery_mode=2))
                        self.confirmed.append(number)
            except (pika.exceptions.AMQPError, OSError):
                continue  # what it was at is not confirmed; the next number follows

    def wait_for(self, more):
        wanted = len(self.confirmed) + more
        wait_for(f"{more} more messages confirmed", lambda: len(self.confirmed) >= wanted, 60)

    def end(self):
        self.stopping = True
        self.join(60)
        assert not self.is_alive()
        return set(self.confirmed)
