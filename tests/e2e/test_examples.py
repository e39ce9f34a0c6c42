#!/usr/bin/env python3
"""Every pipeline of config/examples/ as its file has it, between the real services it is for."""
import collections
import contextlib
import datetime
import decimal
import http.client
import json
import pathlib
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from flume_test import Peer, fetched  # noqa: E402
from kafka_test import Broker, Leat  # noqa: E402
from leat_test import ROOT, folder, free_port, leat, main, wait_for, write  # noqa: E402
from mqtt_test import Mosquitto, publish  # noqa: E402
from pypi import fastavro  # noqa: E402
from rabbit_test import Rabbit  # noqa: E402
from registry_test import Registry, framed  # noqa: E402
from zeromq_test import PEER, needs_peer  # noqa: E402

KAFKA = Broker()
KEPT = {"retention.ms": "-1"}  # also records whose event time is long ago


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
        with running(dir, "mqtt-to-kafka", **where) as run:
            run.wait_log("receives from")  # before, the broker knows of no session
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


def test_alarms_of_readings_that_are_kept_in_kafka_come_once_also_when_leat_was_killed():
    broker = Mosquitto()
    where = {"MQTT_URL": broker.url, "KAFKA": KAFKA.address, "COPIES": "1"}

    def send(sensors, celsius=99):
        publish(broker.address, [(f"plant/north/{s}/temperature", json.dumps({"celsius": celsius}))
                                 for s in sensors])

    def alarms():
        return collections.Counter(a["sensor"] for a in payloads("alarms"))
    with folder() as dir:
        with Leat("run", example("mqtt-kept-in-kafka"), cwd=dir, env=where) as run:
            tries = []

            def first():  # what comes before the session is there goes to nobody
                tries.append(f"first{len(tries)}")
                send(tries[-1:])
                return alarms()
            wait_for("the first alarm", first)
            send(["cold"], 20)
            send([f"s{n}" for n in range(300)])
            run.kill()
        with running(dir, "mqtt-kept-in-kafka", **where):
            send(["last"])
            wait_for("the last alarm", lambda: "last" in alarms(), 60)
        stored = collections.Counter(
            r["key"].split("/")[2] for r in KAFKA.records("leat-store-mqtt-kept-in-kafka-readings"))
    assert stored.pop("cold") >= 1
    assert alarms() == stored and {f"s{n}" for n in range(300)} < set(stored)


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
    with folder() as dir, running(dir, "flume-to-kafka", LISTEN=f"127.0.0.1:{port}", BROKERS=KAFKA.address):
        with Peer("client", "127.0.0.1", port, 0, 250, 100) as client:
            assert client.wait() == 0 and client.acked == 249, client.lines
        assert len(payloads("events.info")) == 250, "who is answered finds its events in Kafka"
        with Peer("agent", "127.0.0.1", port, 100):
            wait_for("the agent's events", lambda: len(payloads("events.info")) >= 350, 60)
    found = payloads("events.info")
    assert sorted((e["host"], e["id"]) for e in found) == sorted(
        [("n1", n) for n in range(250)] + [("a1", n) for n in range(100)])
    assert all(e["level"] == "info" for e in found)


def test_lines_go_through_the_agent_of_docker_compose_to_a_topic_per_level():
    fetched()
    port, lines_port = free_port(), free_port()
    KAFKA.topic("events.warn")
    with folder() as dir, running(dir, "flume-to-kafka", LISTEN=f"127.0.0.1:{port}", BROKERS=KAFKA.address):
        conf = (ROOT / "config/docker/flume.conf").read_text()
        for here, there in (("44444", lines_port), ("0.0.0.0", "127.0.0.1"), ("flume-to-kafka", "127.0.0.1"),
                            ("4141", port), ("/var/lib/flume", dir + "/flume")):
            assert here in conf, here
            conf = conf.replace(f"= {here}", f"= {there}")
        with Peer("node", write(dir, "flume.conf", conf)):
            def connected():
                with contextlib.suppress(OSError):
                    return socket.create_connection(("127.0.0.1", lines_port))
            with wait_for("the agent", connected, 60) as s:
                s.sendall(b"".join(b'{"id":%d,"level":"WARN"}\n' % n for n in range(200)))
                wait_for("the lines", lambda: len(payloads("events.warn")) >= 200, 60)
    found = payloads("events.warn")
    assert sorted(e["id"] for e in found) == list(range(200)), "once each, as nothing broke"
    assert all(e["host"] != "unknown" for e in found), "the agent's interceptor says where they come from"


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


def test_what_instruments_publish_is_in_a_file_per_instrument_and_day():
    needs_peer()
    address = f"tcp://127.0.0.1:{free_port()}"
    sent = [("scale-1", {"at": "2026-01-01T09:00:00Z", "value": 71.5, "unit": "kg"}),
            ("oven-7", {"at": "2026-01-02T09:00:00Z", "value": 230.0, "unit": None}),
            ("oven-7", {"at": "2026-01-02T09:00:01Z", "value": 0.0, "unit": "test"}),
            ("door", {"at": "2026-01-02T09:00:02Z", "value": 1.0, "unit": None}),
            ("scale-1", {"at": "2026-01-02T09:00:03Z", "value": 72.0, "unit": "kg"})]
    with folder() as dir:
        with running(dir, "zeromq-to-files", INSTRUMENTS=address):
            subprocess.run([*PEER, "pub", "bind", address], check=True, timeout=60, text=True,
                           input="".join(f"{name}\t{json.dumps(v)}\n" for name, v in sent))
            wait_for("the last of them", lambda: [*pathlib.Path(dir).glob("readings/scale-1/2026-01-02/.*")])
        found = lines(dir, "readings/*/*/*.jsonl")
    assert found == {f"readings/{name}/{v['at'][:10]}": [
        {**v, "instrument": name}] for name, v in (sent[0], sent[1], sent[4])}, found


def orders(**more):
    return [{"city": city, "amount": amount, **more} for city, amount in (("Paris", 61), ("Rome", 70), ("Nice", 50))]


def test_orders_get_the_region_of_their_city():
    KAFKA.topic("orders.plain")
    KAFKA.topic("orders.enriched")
    KAFKA.produce("orders.plain", map(json.dumps, orders()))
    with folder() as dir, running(dir, "enrich", "--set", "sources.orders.kafka.topic=orders.plain", "--set",
                                  f"tables.regions.file.path={ROOT}/config/examples/regions.csv",
                                  BROKERS=KAFKA.address):
        wait_for("3 orders", lambda: len(payloads("orders.enriched")) == 3)
    assert [(o["region"] and o["region"]["region"], o["above_target"]) for o in payloads("orders.enriched")] == [
        ("Ile-de-France", True), (None, False), ("Provence-Alpes-Cote d'Azur", False)]


def test_paid_orders_in_avro_are_summed_per_city_in_avro():
    KAFKA.topic("orders.avro")
    KAFKA.topic("orders.per_city", **KEPT)
    schema = json.loads((ROOT / "config/examples/order.avsc").read_text())
    with folder() as dir, Registry() as registry:
        number = registry.add(json.dumps(schema))

        def produce(minute, records):
            KAFKA.produce("orders.avro", [framed(number, schema, {
                "created_at": datetime.datetime(2026, 1, 1, 10, minute, tzinfo=datetime.timezone.utc),
                "note": None, **o, "amount": decimal.Decimal(o["amount"])}) for o in records])
        produce(0, orders(status="paid") + orders(status="new"))
        produce(5, orders(status="paid")[:1])
        with running(dir, "avro-orders", "--set", "sources.orders.kafka.topic=orders.avro", "--set",
                     f"sources.orders.format.avro.schema={ROOT}/config/examples/order.avsc",
                     BROKERS=KAFKA.address, REGISTRY=registry.url):
            wait_for("the sums of a minute", lambda: len(KAFKA.raw_values("orders.per_city")) == 3)
        out = registry.subjects["orders.per_city-value"]
        per_city = json.loads(registry.schemas[out])
        assert sorted(KAFKA.raw_values("orders.per_city")) == sorted(
            framed(out, per_city, {"city": o["city"], "orders": 1, "revenue": o["amount"]}) for o in orders())


def test_orders_are_in_avro_files_by_the_hour_that_another_implementation_reads():
    KAFKA.topic("orders.to_files")
    sent = [dict(o, created_at=f"2026-01-01T{hour:02}:59:59Z")
            for hour in (9, 10) for o in orders(status="paid")]
    KAFKA.produce("orders.to_files", [json.dumps(o).encode() for o in sent])
    with folder() as dir:
        with running(dir, "kafka-to-avro-files", "--set", "sources.orders.kafka.topic=orders.to_files", "--set",
                     f"sinks.hourly.format.avro.schema={ROOT}/config/examples/order.avsc", BROKERS=KAFKA.address):
            wait_for("a file of each hour", lambda: len([*pathlib.Path(dir).glob("orders/*/*/.leat-roll-*")]) == 2)
        found = []
        for path in sorted(pathlib.Path(dir).glob("orders/*/*/*.avro")):
            with open(path, "rb") as f:
                found += [(path.parent.name, r["city"], float(r["amount"]), r["created_at"].hour, r["note"])
                          for r in fastavro().reader(f)]
    assert sorted(found) == sorted((o["created_at"][11:13], o["city"], o["amount"], int(o["created_at"][11:13]), None)
                                   for o in sent)


def test_balances_are_right_after_every_payment_also_of_a_second_run():
    KAFKA.topic("payments.made", 4)

    def payments(numbers):
        KAFKA.produce("payments.made", [json.dumps({"id": f"p{n}", "account": f"a{n % 3}", "amount": n})
                                        for n in numbers] + ['{"id":"bad","account":"a0","amount":"much"}'])

    def found():
        return {b["after"]: b["balance"] for b in payloads("balances")} if KAFKA.records("balances") else {}
    with folder() as dir:
        for numbers in (range(30), range(30, 50)):
            payments(numbers)
            with running(dir, "exactly-once", "--set", "sources.payments.kafka.topic=payments.made",
                         BROKERS=KAFKA.address):
                wait_for("balances", lambda: len(found()) == numbers.stop)
    assert len(KAFKA.records("balances")) == 50
    assert found() == {f"p{n}": sum(range(n % 3, n + 1, 3)) for n in range(50)}
    assert len(KAFKA.records("payments.dead")) == 2


def test_a_card_over_its_limit_is_told():
    KAFKA.topic("payments", 2)
    KAFKA.topic("card-warnings", **KEPT)

    def pay(*times):
        for part, card in enumerate(("a", "b")):
            KAFKA.produce("payments", [json.dumps({"card": card, "shop": "books", "amount": 400 + 200 * part,
                                                   "paid_at": f"2026-01-01T{time}:00Z"}) for time in times], part)
    pay("10:00", "10:10", "10:20")
    with folder() as dir, running(dir, "card-limits", BROKERS=KAFKA.address):
        wait_for("warnings", lambda: len(payloads("card-warnings")) == 2)
        pay("12:00")
        wait_for("what was spent", lambda: len(payloads("card-warnings")) == 4)
    assert sorted((w["card"], w["what"], w["payments"], w["total"]) for w in payloads("card-warnings")) == [
        ("a", "limit", 3, 1200), ("a", "over", 3, 1200), ("b", "limit", 2, 1200), ("b", "over", 3, 1800)]


def test_a_click_meets_its_view():
    for topic in ("clicks.new", "views", "clicks.priced", "ads.missed"):
        KAFKA.topic(topic, **KEPT)
    with folder() as dir, running(dir, "clicks-and-views", "--set", "sources.clicks.kafka.topic=clicks.new",
                                  BROKERS=KAFKA.address):
        KAFKA.produce("clicks.new", [json.dumps({"view": "v1", "user": 7, "at": "2026-01-01T10:00:05Z"}),
                                     json.dumps({"view": "v9", "user": 8, "at": "2026-01-01T14:00:00Z"})])
        KAFKA.produce("views", [json.dumps({"view": view, "ad": ad, "price": 0.5, "at": f"2026-01-01T{at}Z"})
                                for view, ad, at in (("v1", "shoes", "10:00:00"), ("v2", "shoes", "10:00:01"),
                                                     ("v3", "hats", "14:00:00"))])
        wait_for("what was clicked and what was missed", lambda: payloads("clicks.priced") and
                 payloads("ads.missed"))
    assert payloads("clicks.priced") == [{"ad": "shoes", "user": 7, "price": 0.5}]
    assert [m["missed"] for m in payloads("ads.missed")] == [1]


def test_the_path_of_a_visitor_is_kept_by_a_script_also_over_a_restart():
    KAFKA.topic("access-log")

    def visits(*lines):
        KAFKA.produce("access-log", list(lines), 0)

    def last(who):
        of = [v for v in payloads("visitors") if v["who"] == who]
        return of[-1] if of else {}
    with folder() as dir:
        with running(dir, "lua-sessions", BROKERS=KAFKA.address):
            visits("ann /", "ann /cart?item=7&n=2", "not a line of ours", "bob /tea")
            wait_for("both visitors", lambda: last("bob") and last("ann").get("visits") == 2)
        visits("ann /cart?item=8&n=1", "ann /pay", "bob /bye", "bob /tea")
        with running(dir, "lua-sessions", BROKERS=KAFKA.address):
            wait_for("what came meanwhile", lambda: last("ann").get("visits") == 4)
    assert last("ann") == {"who": "ann", "visits": 4, "items": 3, "path": ["/cart", "/cart", "/pay"]}


def test_every_example_has_a_test_here():
    there = {path.stem for path in example("x").parent.glob("*.yaml")}
    text = pathlib.Path(__file__).read_text()
    missing = {name for name in there if f'running(dir, "{name}"' not in text}
    assert not missing, missing


main(sys.modules[__name__])
