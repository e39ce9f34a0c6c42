#!/usr/bin/env python3
"""Windowed aggregates over a real topic, beside the same sums made in Python."""
import json
import os
import pathlib
import random
import sys
import time
from collections import defaultdict
from datetime import datetime, timedelta, timezone

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from copy_job import job, to_topic  # noqa: E402
from kafka_test import T0, Broker, Leat  # noqa: E402
from leat_test import ROOT, Skip, folder, free_port, leat, main, wait_for, write  # noqa: E402

try:
    import yaml
except ImportError:
    yaml = None

BROKER = Broker()
SEED = int(os.environ.get("LEAT_SEED", time.time_ns() % 1_000_000))
CITIES = ["Paris", "Lyon", "Lille", "Nice", "München"]
START = datetime.fromtimestamp(T0 // 1000 // 60 * 60, timezone.utc)


def rfc(t):
    return t.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def made_orders(count, chance):
    """In time order, 20 ms apart."""
    return [{"order_id": n, "user_id": chance.randrange(200), "city": chance.choice(CITIES),
             "status": chance.choice(["paid", "paid", "paid", "cancelled"]),
             "amount": chance.randrange(100, 10000) / 100,
             "created_at": rfc(START + timedelta(milliseconds=20 * n))} for n in range(count)]


def expected(orders, size, slide):
    """(city, window start) -> totals, as orders-per-city.yaml makes them."""
    windows = defaultdict(list)
    for o in orders:
        at = datetime.fromisoformat(o["created_at"].replace("Z", "+00:00")).timestamp()
        first = int(at // slide) * slide
        for start in range(first, first - size, -slide):
            if o["status"] == "paid" and start <= at < start + size:
                windows[o["city"], start].append(o)
    return {k: (len(w), round(sum(o["amount"] for o in w), 2), max(o["amount"] for o in w),
                len({o["user_id"] for o in w})) for k, w in windows.items()}


def start_of(row):
    return int(datetime.fromisoformat(row["window_start"].replace("Z", "+00:00")).timestamp())


def totals(rows):
    found = {}
    for r in rows:
        where = (r["city"], start_of(r))
        assert where not in found, f"{where} came twice"
        found[where] = (r["orders"], r["revenue"], r["biggest"], r["buyers"])
    return found


def spread(topic, orders, parts):
    for p in range(parts):
        mine = [json.dumps(o) for o in orders if hash_of(o["city"]) % parts == p]
        if mine:
            BROKER.produce(topic, mine, p)


def hash_of(city):
    return sum(city.encode())


def example(dir, topic, sink):
    """config/examples/orders-per-city.yaml on another topic, with another sink."""
    text = (ROOT / "config/examples/orders-per-city.yaml").read_text()
    text = text.replace("topic: orders", f"topic: {topic}")
    text = text.replace("    console: {}\n", sink)
    assert topic in text and sink in text
    return write(dir, "orders.yaml", text + f"\ncheckpoint: {{ dir: {dir}/state }}\n")


def test_the_example_has_the_totals_that_python_has():
    chance = random.Random(SEED)
    orders = made_orders(6000, chance)  # two minutes
    BROKER.topic("orders.a", 4)
    BROKER.topic("per_city.a", 4)
    spread("orders.a", orders, 4)
    with folder() as dir:
        file = example(dir, "orders.a", to_topic("per_city.a"))
        code, _, err = leat("run", file, "--until", "caught_up", env={"BROKERS": BROKER.address})
        assert code == 0, err
    rows = BROKER.records("per_city.a")
    assert totals(json.loads(r["payload"]) for r in rows) == expected(orders, 10, 2), f"seed {SEED}"
    for r in rows:
        value = json.loads(r["payload"])
        assert r["key"] == value["city"]
        assert r["ts"] == (start_of(value) + 10) * 1000 - 1, "an aggregate is of its window's end"


def test_windows_come_as_time_goes_on_and_close_when_all_is_idle():
    chance = random.Random(SEED)
    orders = made_orders(1500, chance)  # half a minute
    BROKER.topic("orders.b", 4)
    BROKER.topic("per_city.b")
    with folder() as dir:
        file = example(dir, "orders.b", to_topic("per_city.b"))
        file.write_text(file.read_text().replace("idle: 5s", "idle: 1s"))
        wanted = expected(orders, 10, 2)
        with Leat("run", file, env={"BROKERS": BROKER.address}) as run:
            spread("orders.b", orders[:750], 4)
            wait_for("first windows", lambda: BROKER.values("per_city.b"))
            spread("orders.b", orders[750:], 4)
            wait_for("all windows", lambda: len(BROKER.values("per_city.b")) >= len(wanted))
            assert run.stop() == 0, run.log
    late_free = totals(json.loads(v) for v in BROKER.values("per_city.b"))
    assert set(late_free) == set(wanted)


def test_late_records_go_to_their_own_stream_and_are_not_lost():
    BROKER.topic("late.in")
    BROKER.topic("late.out")
    ops = """      - key_by: city
      - window: { size: 10s, late: too_late }
      - aggregate:
          orders: count()
"""
    with folder() as dir:
        file = job(dir, "late", BROKER.address, "topic: late.in, start: earliest",
                   to_topic("late.out") + f"""  late:
    from: too_late
    files: {{ path: "{dir}/late/{{file}}.jsonl" }}
    format: json
""", ops, "format: json\n    time: timestamp(at)")

        def send(*seconds):
            BROKER.produce("late.in", [json.dumps(
                {"city": "Paris", "s": s, "at": rfc(START + timedelta(seconds=s))}) for s in seconds])

        def counts():
            return [json.loads(v)["orders"] for v in BROKER.values("late.out")]

        with Leat("run", file) as run:
            send(1, 2, 15)
            wait_for("the first window", lambda: counts() == [2])
            send(3, 16, 4, 27)
            wait_for("the second window", lambda: counts() == [2, 2])
            wait_for("late records", lambda: len(list(pathlib.Path(dir).glob("late/*.jsonl"))))
            assert run.stop() == 0
        late = [json.loads(line)["s"] for p in pathlib.Path(dir).glob("late/*.jsonl")
                for line in p.read_text().splitlines()]
        assert late == [3, 4], late


def test_the_services_of_docker_compose_fill_and_aggregate_on_a_real_broker():
    if yaml is None:
        raise Skip("python3-yaml is not installed")
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    BROKER.topic("orders", 4)
    with folder() as dir:
        jobs = []
        try:
            for name in ("orders", "leat"):
                # Both listen at the same port, each in a container of its own.
                words = [w.replace("listen=4190", f"listen=127.0.0.1:{free_port()}")
                         .replace("/etc/leat", str(ROOT / "config")) for w in services[name]["command"]]
                own = pathlib.Path(dir, name)
                own.mkdir()
                env = {**services[name]["environment"], "BROKERS": BROKER.address}
                jobs.append(Leat(*words, cwd=own, env=env))
            wait_for("results", lambda: jobs[1].out.count("\n") >= 6, 25)
            row = json.loads(jobs[1].out.splitlines()[0])
            assert {"city", "window_start", "window_end", "orders", "revenue"} <= set(row), row
            assert [j.stop() for j in jobs] == [0, 0], jobs[0].log + jobs[1].log
        finally:
            for j in jobs:
                j.__exit__(sys.exc_info()[0], None, None)


main(sys.modules[__name__])
