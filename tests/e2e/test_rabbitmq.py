#!/usr/bin/env python3
"""The source `rabbitmq`, against a real RabbitMQ: what arrives, and what is acknowledged when."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cutter import Cutter  # noqa: E402
from kafka_test import Leat  # noqa: E402
from kills import Kills  # noqa: E402
from leat_test import folder, leat, main, wait_for, write  # noqa: E402
from rabbit_test import Publisher, Rabbit  # noqa: E402
from small_disk import SmallDisk  # noqa: E402

BROKER = Rabbit("frame_max=1048576")


def pipeline(dir, queue, source="", name="rabbit", ops="", sink="", brokers=None, more="",
             store="commit", every="50ms", state=None):
    brokers = brokers or BROKER.address
    sink = sink or f'files: {{ path: "{dir}/out/{{file}}.jsonl" }}'
    stream = f"streams:\n  made:\n    from: in\n    ops:\n{ops}" if ops else ""
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
batch: {{ every: {every} }}
checkpoint: {{ dir: {state or f"{dir}/state-{name}"} }}
{more}
sources:
  in:
    rabbitmq: {{ brokers: "{brokers}", queue: {queue}{source} }}
    format: json
    store: {store}
{stream}
sinks:
  out:
    from: {"made" if ops else "in"}
    {sink}
    format: json
""")


def files(dir):
    return [p for p in sorted(pathlib.Path(dir).glob("out/*.jsonl")) if p.name[0] != "."]


def rows(dir):
    return [json.loads(line) for p in files(dir) for line in p.read_text().splitlines()]


def numbers(dir):
    return [r["n"] for r in rows(dir)]


def all_acknowledged(queue):
    """As the broker sees it: with its consumer gone, nothing is given back."""
    return BROKER.ready(queue) == 0


def test_messages_arrive_with_key_time_and_headers_and_are_acknowledged():
    ops = """      - map:
          n: n
          key: key
          at: meta.timestamp
          headers: meta.headers
"""
    with folder() as dir:
        queue = BROKER.queue("arrive")
        BROKER.publish(queue, [f'{{"n":{n}}}' for n in range(3)], message_id="id-1",
                       content_type="application/json", timestamp=1700000000,
                       headers={"who": "me", "n": 5, "none": None, "yes": True,
                                "deep": {"list": [1, "two", {"three": 3}], "text": "a\"b"}})
        with Leat("run", pipeline(dir, queue, ops=ops)) as run:
            wait_for("three rows", lambda: len(rows(dir)) == 3)
            assert run.stop() == 0, run.log
        assert all_acknowledged(queue)
        for n, row in enumerate(rows(dir)):
            assert row["n"] == n and row["key"] == queue, row
            assert row["at"] == "2023-11-14T22:13:20Z", row
            h = row["headers"]
            assert json.loads(h.pop("deep")) == {"list": [1, "two", {"three": 3}], "text": "a\"b"}
            assert h == {"amqp-exchange": "", "amqp-routing-key": queue, "amqp-redelivered": "false",
                         "amqp-message-id": "id-1", "amqp-content-type": "application/json",
                         "who": "me", "n": "5", "none": None, "yes": "true"}, h


def test_a_queue_is_declared_and_bound_and_takes_what_is_published_to_the_exchange():
    with folder() as dir:
        with BROKER.channel() as ch:
            ch.exchange_declare("orders", "topic")
        source = (', declare: { arguments: { x-max-length: 1000 } }'
                  ', bind: { exchange: orders, routing_keys: [paid.*, open.*] }')
        with Leat("run", pipeline(dir, "bound", source)) as run:
            run.wait_log("consumes queue 'bound'")
            with BROKER.channel() as ch:
                for n, key in enumerate(("paid.eu", "lost.eu", "open.us")):
                    ch.basic_publish("orders", key, b'{"n":%d}' % n)
            wait_for("two rows", lambda: numbers(dir) == [0, 2])
            assert run.stop() == 0, run.log
        assert all_acknowledged("bound")


def test_a_queue_that_is_there_and_differs_stops_leat():
    with folder() as dir:
        queue = BROKER.queue("differs")
        code, _, err = leat("run", pipeline(dir, queue, ", declare: { durable: false }"))
        assert code == 78 and "PRECONDITION_FAILED" in err and "durable" in err, (code, err)


def test_a_queue_that_is_missing_is_waited_for_and_said_once():
    with folder() as dir:
        with Leat("run", pipeline(dir, "later")) as run:
            run.wait_log("`declare: {}` would make queue 'later'")
            BROKER.queue("later")
            BROKER.publish("later", ['{"n":1}'])
            wait_for("the row", lambda: numbers(dir) == [1])
            assert run.log.count("would make") == 1, run.log
            assert run.stop() == 0, run.log


def test_nothing_is_acknowledged_before_its_batch_is_committed():
    with folder() as dir:
        queue = BROKER.queue("held")
        BROKER.publish(queue, [f'{{"n":{n}}}' for n in range(50)])
        nobody = 'http: { url: "http://127.0.0.1:1/in" }'
        with Leat("run", pipeline(dir, queue, sink=nobody)) as run:
            run.wait_log("127.0.0.1:1")
            wait_for("all to be delivered", lambda: BROKER.ready(queue) == 0)
            run.kill()
        wait_for("all to be given back", lambda: BROKER.ready(queue) == 50)
        ops = ('      - map:\n          n: n\n'
               '          again: meta.headers["amqp-redelivered"]\n')
        with Leat("run", pipeline(dir, queue, ops=ops, name="other"), cwd=dir) as run:
            wait_for("all of them", lambda: len(rows(dir)) >= 50)
            assert run.stop() == 0, run.log
        assert sorted(set(numbers(dir))) == list(range(50))
        assert all(r["again"] == "true" for r in rows(dir))


def test_a_small_prefetch_moves_on_with_the_acknowledgements():
    with folder() as dir:
        queue = BROKER.queue("window")
        BROKER.publish(queue, [f'{{"n":{n}}}' for n in range(100)])
        with Leat("run", pipeline(dir, queue, ", prefetch: 10")) as run:
            wait_for("all rows", lambda: len(rows(dir)) == 100)
            assert run.stop() == 0, run.log
        assert numbers(dir) == list(range(100)) and all_acknowledged(queue)


def test_a_message_beyond_max_record_is_an_error_of_that_message_only():
    with folder() as dir:
        queue = BROKER.queue("large")
        BROKER.publish(queue, ['{"n":1}', b"x" * 3_000_000, '{"n":2}'])
        file = pipeline(dir, queue, more="on_error: drop")
        with Leat("run", file) as run:
            wait_for("the others", lambda: numbers(dir) == [1, 2])
            assert run.stop() == 0, run.log
        assert all_acknowledged(queue)


def test_a_message_whose_headers_fit_no_frame_is_an_error_of_that_message_only():
    with folder() as dir:
        queue = BROKER.queue("headers")
        BROKER.publish(queue, ['{"n":1}'])
        BROKER.publish(queue, ['{"n":2}'], headers={"long": "x" * 200_000})
        BROKER.publish(queue, ['{"n":3}'])
        file = pipeline(dir, queue)
        with Leat("run", file) as run:
            assert run.wait() == 1
            assert "longer than max_record" in run.log and "header is longer than" in run.log, run.log
        assert BROKER.ready(queue) >= 2, "the message, and what is behind it"
        file = pipeline(dir, queue, more=f"""on_error: dlq
dlq:
  files: {{ path: "{dir}/bad/{{file}}.jsonl" }}
""")
        with Leat("run", file) as run:
            wait_for("the others", lambda: set(numbers(dir)) == {1, 3})
            assert run.stop() == 0, run.log
        assert all_acknowledged(queue)
        (path,) = pathlib.Path(dir).glob("bad/*.jsonl")
        assert "header of this message of RabbitMQ cannot be read" in path.read_text()


def test_the_broker_may_be_started_later():
    with folder() as dir:
        queue = BROKER.queue("early")
        BROKER.publish(queue, ['{"n":1}'])
        BROKER.kill()
        with Leat("run", pipeline(dir, queue, brokers=BROKER.address)) as run:
            run.wait_log("trying again until it works")
            BROKER.restart()
            wait_for("the row", lambda: numbers(dir) == [1], 60)
            assert run.stop() == 0, run.log


def test_with_the_level_disk_a_message_is_acknowledged_before_its_batch_and_comes_from_the_store():
    with folder() as dir:
        queue = BROKER.queue("stored")
        BROKER.publish(queue, [f'{{"n":{n}}}' for n in range(50)])
        file = pipeline(dir, queue, ", prefetch: 10", store="disk", every="1h")
        with Leat("run", file) as run:
            wait_for("all to be delivered, ten at a time", lambda: BROKER.ready(queue) == 0)
            run.kill()
        assert files(dir) == [] and BROKER.ready(queue) <= 10
        BROKER.take(queue)  # what was not acknowledged yet
        file = pipeline(dir, queue, ", prefetch: 10", store="disk")
        with Leat("run", file) as run:
            wait_for("what was acknowledged", lambda: set(range(40)) <= set(numbers(dir)))
            assert run.stop() == 0, run.log


def check_kills_of_leat(queue, store):
    kills = Kills(queue, 3, 20)
    with folder() as dir:
        publisher = Publisher(BROKER, BROKER.queue(queue))
        file = pipeline(dir, queue, store=store)
        for _ in range(kills.count):
            with Leat("run", file) as run:
                run.wait_log("consumes queue")
                before, more = len(files(dir)), kills.chance.randrange(5)
                publisher.wait_for(kills.chance.randrange(1000))
                wait_for("files of this life", lambda: len(files(dir)) > before + more)
                run.kill()
        confirmed = publisher.end()
        with Leat("run", file) as run:
            wait_for("every confirmed message", lambda: confirmed <= set(numbers(dir)), 60)
            assert run.stop() == 0, run.log
        kills.judge(confirmed, numbers(dir))
        assert all_acknowledged(queue)


def test_every_confirmed_message_survives_kills_of_leat():
    check_kills_of_leat("kills", "commit")


def test_every_confirmed_message_survives_kills_of_leat_at_level_disk():
    check_kills_of_leat("kills-disk", "disk")


def test_every_confirmed_message_survives_kills_of_the_broker():
    kills = Kills("broker-kills", 1, 5)
    with folder() as dir:
        publisher = Publisher(BROKER, BROKER.queue("broker-kills"))
        with Leat("run", pipeline(dir, "broker-kills")) as run:
            for kill in range(1, kills.count + 1):
                publisher.wait_for(kills.chance.randrange(100, 1000))
                wait_for("rows", lambda: len(rows(dir)) > 0)
                BROKER.kill()
                run.wait_log("trying again until it works", 60, times=kill)
                BROKER.restart()
                run.wait_log("consumes queue", 60, times=kill + 1)
                publisher.wait_for(200)
            confirmed = publisher.end()
            wait_for("every confirmed message", lambda: confirmed <= set(numbers(dir)), 60)
            assert run.stop() == 0, run.log
        kills.judge(confirmed, numbers(dir))
        assert all_acknowledged("broker-kills")


def test_a_connection_that_is_cut_within_a_frame_loses_nothing():
    chance = Kills("cut", 5, 5).chance
    with folder() as dir, Cutter(BROKER.address) as cutter:
        queue = BROKER.queue("cut")
        with Leat("run", pipeline(dir, queue, ", prefetch: 100, retry: 1ms", brokers=cutter.address)) as run:
            run.wait_log("consumes queue")
            for round in range(5):
                cutter.cut_after(chance.randrange(100, 20000))
                BROKER.publish(queue, [f'{{"n":{round * 400 + n}}}' for n in range(400)])
                wait_for("the cut", lambda: cutter.cuts > round)
            wait_for("all", lambda: set(range(2000)) <= set(numbers(dir)), 60)
            assert run.stop() == 0, run.log
        assert set(numbers(dir)) == set(range(2000)) and all_acknowledged(queue)


def test_a_full_disk_holds_the_queue_back_and_a_kill_then_loses_nothing():
    with folder() as dir, SmallDisk(dir) as disk:
        (disk / "ballast").write_bytes(b"\0" * 600_000)
        queue, pad = BROKER.queue("full"), "x" * 500
        BROKER.publish(queue, [f'{{"n":{n},"pad":"{pad}"}}' for n in range(2000)])
        with Leat("run", pipeline(dir, queue, store="disk", every="1h", state=disk)) as run:
            run.wait_log("its sender is held back")
            run.kill()
        (disk / "ballast").unlink()
        with Leat("run", pipeline(dir, queue, store="disk", state=disk)) as run:
            wait_for("all", lambda: set(range(2000)) <= set(numbers(dir)), 60)
            assert run.stop() == 0, run.log
        assert all_acknowledged(queue)


def test_settings_that_cannot_be_are_told_before_anything_runs():
    cases = ((", user: me", "needs `password`"),
             (", prefetch: 0", "prefetch"),
             (", heartbeat: 5", "needs a unit"),
             (", declare: { type: fast }", "neither classic nor quorum"),
             (", declare: { type: quorum, exclusive: true }", "a quorum queue is"),
             (", bind: { routing_keys: [a] }", "`exchange` is missing"),
             (", tls: { key: k }", "belong together"),
             (", qeue: x", "did you mean 'queue'"))
    with folder() as dir:
        for source, says in cases:
            code, _, err = leat("check", pipeline(dir, "q", source, brokers="localhost"))
            assert code == 78 and says in err, (source, err)
        for brokers, says in (("far.example", "in the clear"), ("a:b", "'a:b' is not host:port"),
                              ("[::1", "is not host:port"), ("localhost:70000", "is not host:port"),
                              ("localhost,,x", "is not host:port")):
            code, _, err = leat("check", pipeline(dir, "q", brokers=brokers))
            assert code == 78 and says in err, (brokers, err)
        for brokers in ("localhost", "127.0.0.1:5672, [::1]:5673", "::1"):
            code, _, err = leat("check", pipeline(dir, "q", brokers=brokers))
            assert code == (78 if brokers == "::1" else 0), (brokers, err)


main(sys.modules[__name__])
