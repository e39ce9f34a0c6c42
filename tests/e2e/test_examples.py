#!/usr/bin/env python3
"""Every environment of config/examples/ as its file has it, between the real services it is for."""
import contextlib
import http.client
import json
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from flume_test import Peer, fetched, free_port  # noqa: E402
from kafka_test import Broker, Leat  # noqa: E402
from leat_test import ROOT, folder, leat, main, wait_for  # noqa: E402
from mqtt_test import Mosquitto, publish  # noqa: E402
from rabbit_test import Rabbit  # noqa: E402

KAFKA = Broker()


def example(name):
    return ROOT / "config/examples" / f"{name}.yaml"


@contextlib.contextmanager
def running(dir, name, *words, **env):
    """The example, listening for `leat health`; with its state, and what it writes, in `dir`."""
    port = free_port()
    with Leat("run", example(name), "--set", f"http.listen={port}", *words, cwd=dir, env=env) as run:
        def is_ready():
            assert run.process.poll() is None, f"{name} ended with {run.process.returncode}"
            return leat("health", f"http://127.0.0.1:{port}/readyz")[0] == 0
        wait_for(f"{name} to be ready", is_ready)
        yield run
        assert run.stop() == 0, run.log


def payloads(topic):
    return [json.loads(v) for v in KAFKA.values(topic)]


def lines(dir, pattern):
    """By final file, below `dir`; what is being written has a name with a dot."""
    return {p.relative_to(dir).parent.as_posix(): [json.loads(line) for line in p.read_text().splitlines()]
            for p in sorted(pathlib.Path(dir).glob(pattern)) if p.name[0] != "."}


def test_kafka_and_leat_as_docker_compose_has_them_show_orders_per_city():
    KAFKA.topic("orders", 4)
    with folder() as dir, \
            running(dir, "generate-orders", BROKERS=KAFKA.address), \
            running(dir, "orders-per-city", BROKERS=KAFKA.address) as run:
        wait_for("windows of every city", lambda: all(
            city in run.out for city in ("Paris", "Lyon", "Marseille", "Lille", "Nantes", "Nice")), 60)


def test_readings_go_from_mqtt_to_kafka_also_those_of_the_time_leat_was_away():
    broker = Mosquitto()
    where = {"MQTT_URL": broker.url, "KAFKA": KAFKA.address}

    def send(first, sensors):
        publish(broker.address, [(f"plant/north/s{n}/temperature", json.dumps({"celsius": first + n}))
                                 for n in range(sensors)] + [("plant/north/s0/humidity", '{"celsius":1}'),
                                                             ("plant/north/s1/temperature", "{}")])
    with folder() as dir:
        with running(dir, "mqtt-to-kafka", **where):
            send(20, 5)
            wait_for("5 readings", lambda: len(KAFKA.records("readings")) >= 5)
        send(100, 3)
        with running(dir, "mqtt-to-kafka", **where):
            wait_for("3 more", lambda: len(KAFKA.records("readings")) >= 8)
    found = {(r["key"], r["payload"]) for r in KAFKA.records("readings")}
    assert {(key, tuple(sorted(json.loads(p).items()))) for key, p in found} == {
        (f"s{n}", (("celsius", first + n), ("hall", "north"), ("sensor", f"s{n}")))
        for first, count in ((20, 5), (100, 3)) for n in range(count)}
    assert "with 4 partitions" in KAFKA.kcat("-L", "-t", "readings")
    broker.end()


def test_orders_go_from_rabbitmq_to_files_by_the_hour_in_which_they_were_made():
    broker = Rabbit()
    orders = [{"id": n, "city": "Paris", "amount": n / 2, "created_at": f"2026-01-01T{hour:02}:59:59Z"}
              for n, hour in enumerate((9, 10, 10, 23))]
    with folder() as dir:
        with running(dir, "rabbitmq-to-hourly-files", RABBITMQ=broker.address) as run:
            run.wait_log("consumes queue 'orders'")
            broker.publish("orders", map(json.dumps, orders))
            wait_for("all to be delivered", lambda: broker.ready("orders") == 0)
            # Files get their names when they roll or leat ends.
            wait_for("batches", lambda: [*pathlib.Path(dir).glob("hourly/2026-01-01/23/.*")])
        found = lines(dir, "hourly/*/*/*.jsonl")
        assert broker.ready("orders") == 0, "with its consumer gone, nothing is given back"
    assert found == {f"hourly/2026-01-01/{hour:02}": [
        {**o, "again": False} for o in orders if f"T{hour:02}" in o["created_at"]] for hour in (9, 10, 23)}
    broker.end()


def test_events_go_from_flume_to_a_topic_per_level():
    fetched()
    port = free_port()
    KAFKA.topic("events.info")
    with folder() as dir, running(dir, "flume-to-kafka", "--set",
                                  f"sources.events.flume.listen=127.0.0.1:{port}", BROKERS=KAFKA.address):
        with Peer("client", "127.0.0.1", port, 0, 250, 100) as client:
            assert client.wait() == 0 and client.acked == 249, client.lines
        assert len(payloads("events.info")) == 250, "who is answered finds its events in Kafka"
        with Peer("agent", "127.0.0.1", port, 100):
            wait_for("the agent's events", lambda: len(payloads("events.info")) >= 350, 60)
    found = payloads("events.info")
    assert sorted((e["host"], e["id"]) for e in found) == sorted(
        [("n1", n) for n in range(250)] + [("a1", n) for n in range(100)])
    assert all(e["level"] == "info" for e in found)


def test_clicks_go_from_http_to_kafka_and_bad_ones_to_a_topic_of_their_own():
    port = free_port()
    KAFKA.topic("clicks")
    KAFKA.topic("clicks.dlq")
    sent = [{"page": "/cart", "user": "eva", "ms": 2500}, {"page": "/", "ms": 80},
            {"page": "/", "ms": "fast"}, {"page": "javascript:void(0)", "ms": 1}]
    with folder() as dir, running(dir, "http-to-kafka", LISTEN=f"127.0.0.1:{port}", BROKERS=KAFKA.address):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        c.request("POST", "/clicks", json.dumps(sent), {"Content-Type": "application/json"})
        answer = c.getresponse()
        assert 200 <= answer.status < 300, (answer.status, answer.read())
        c.close()
        found = [(r["key"], json.loads(r["payload"])) for r in KAFKA.records("clicks")]
        assert sorted(key for key, _ in found) == ["eva", "nobody"], "who has a 2xx finds them in Kafka"
        assert {key: (v["page"], v["slow"]) for key, v in found} == {
            "eva": ("/cart", True), "nobody": ("/", False)}
        assert [json.loads(r["payload"]) for r in KAFKA.records("clicks.dlq")] == [sent[2]]


def test_words_of_a_socket_are_counted():
    with folder() as dir, socket.create_server(("127.0.0.1", 0)) as server:
        with running(dir, "wordcount", "--set",
                     f"sources.lines.socket.connect=127.0.0.1:{server.getsockname()[1]}") as run:
            peer = server.accept()[0]
            peer.sendall(b"to be or not\nto be\n")
            wait_for("the words", lambda: all(w in run.out for w in ("to", "be", "or", "not")))
            peer.close()


main(sys.modules[__name__])
