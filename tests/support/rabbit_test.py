"""A real RabbitMQ for end-to-end tests, with pika as a client that shares no code with leat.

    BROKER = Rabbit()              started by the first test that asks for it, stopped at exit
    with BROKER.channel() as ch:   pika's channel, with publisher confirms

Where RabbitMQ or pika cannot be had tests are skipped, or fail when LEAT_REQUIRE_BROKERS is set.
"""
import contextlib
import pathlib
import sys
import threading

from leat_test import wait_for
from service import Service

DEBIAN = "/usr/lib/python3/dist-packages"  # where python3-pika is, for a Python that is not Debian's

try:
    import pika
except ImportError:
    sys.path.append(DEBIAN)
    try:
        import pika
    except ImportError:
        pika = None


FRAME_MAX = 1 << 20  # the broker may say less
if pika:
    pika.spec.FRAME_MAX_SIZE = FRAME_MAX  # which would be 128 KiB, also where a broker takes more


class Rabbit(Service):
    script = "rabbitmq"

    def missing(self):
        return None if pika else "no pika: apt-get install python3-pika"

    @property
    def tls_address(self):
        return pathlib.Path(self.file("tls_address")).read_text().strip()

    @contextlib.contextmanager
    def channel(self, confirm=True, address=None):
        """At an address of one's own also while the broker is down."""
        host, port = (address or self.up().address).split(":")
        parameters = pika.ConnectionParameters(host, int(port), connection_attempts=20,
                                               retry_delay=0.2, heartbeat=600,
                                               frame_max=FRAME_MAX)
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


class Publisher(threading.Thread):
    """Publishes numbered messages, 50 in a transaction, until it is stopped, and keeps the numbers of
    those that were committed."""

    def __init__(self, broker, queue):
        super().__init__(daemon=True)
        self.broker, self.queue, self.address = broker, queue, broker.address
        self.confirmed, self.tried, self.stopping = [], 0, False
        self.start()

    def run(self):
        while not self.stopping:
            try:
                with self.broker.channel(confirm=False, address=self.address) as ch:
                    ch.tx_select()
                    while not self.stopping:
                        first, self.tried = self.tried, self.tried + 50
                        for number in range(first, self.tried):
                            ch.basic_publish("", self.queue, b'{"n":%d}' % number,
                                             pika.BasicProperties(delivery_mode=2))
                        ch.tx_commit()
                        self.confirmed.extend(range(first, self.tried))
            except (pika.exceptions.AMQPError, OSError):
                continue  # what it was at is not confirmed; the next numbers follow

    def wait_for(self, more):
        wanted = len(self.confirmed) + more
        wait_for(f"{more} more messages confirmed", lambda: len(self.confirmed) >= wanted, 60)

    def end(self):
        self.stopping = True
        self.join(60)
        assert not self.is_alive()
        return set(self.confirmed)
