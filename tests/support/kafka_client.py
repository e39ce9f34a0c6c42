"""A Kafka client that has nothing in common with leat: confluent-kafka from PyPI, whose wheel brings
a librdkafka of its own, newer than the one leat is linked with.

    from kafka_client import client
    kafka = client()            the module; made once, into ${LEAT_CACHE:-~/.cache/leat}

Where it cannot be had tests are skipped, or fail when LEAT_REQUIRE_BROKERS is set.
"""
import importlib

from pypi import package

VERSION = "2.16.1"


def client():
    package("confluent-kafka", VERSION, "confluent_kafka.admin")
    return importlib.import_module("confluent_kafka")
