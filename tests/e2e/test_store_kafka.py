#!/usr/bin/env python3
"""`store: kafka`: what was acknowledged is in the topic before, and from there in the outputs once."""
import contextlib
import http.client
import json
import os
import pathlib
import signal
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import T0, Broker, Leat  # noqa: E402
from kills import FULL  # noqa: E402
from kept_job import by_http, by_socket, kept_job, lines_of  # noqa: E402
from kept_job import nothing_came_twice, out_is_the_topic, topic_of  # noqa: E402
from leat_test import folder, free_port, leat, main, wait_for  # noqa: E402
from line_sender import Senders, can_connect, send_lines  # noqa: E402
from mqtt_test import Mosquitto, publish  # noqa: E402
from rabbit_test import Rabbit  # noqa: E402

BROKER, MOSQUITTO = Broker(), Mosquitto()
LEAT_KILLS, BROKER_KILLS = (20, 5) if FULL else (3, 1)


def job(dir, name, source, *more, **settings):
    return kept_job(dir, name, BROKER.address, source, *more, **settings)


class Post(threading.Thread):
    """One line, whose answer may be long in coming."""

    def __init__(self, port, line):
        super().__init__(daemon=True)
        self.port, self.line, self.status = port, line, None
        self.start()

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("POST", "/", self.line)
            self.status = connection.getresponse().status
        connection.close()

    def wait(self):
        self.join(60)
        return self.status


def stop_is_clean(run):
    assert run.stop(20) == 0, run.log


def test_a_record_is_in_the_topic_when_its_sender_is_told_and_it_is_not_told_before():
    with folder() as dir:
        port = free_port()
        file = job(dir, "told", by_http(port))
        with Leat("run", file) as run:
            wait_for("the port", lambda: can_connect(port))
            for i in range(5):
                assert Post(port, f"line {i}").wait() == 204, run.log
                assert BROKER.values(topic_of("told"))[i] == f"line {i}", "told, and nobody can see it"
            broker = int(pathlib.Path(BROKER.file("pid")).read_text())
            os.kill(broker, signal.SIGSTOP)
            try:
                held = Post(port, "held back")
                run.wait_log("its sender is held back", 60)
                assert held.status is None, "told while the broker stood still"
            finally:
                os.kill(broker, signal.SIGCONT)
            assert held.wait() == 204, run.log
            run.wait_log("it works again")
            assert BROKER.values(topic_of("told"))[5:] == ["held back"]
            wait_for("all lines", lambda: len(lines_of(dir)) == 6)
            stop_is_clean(run)
        out_is_the_topic(dir, BROKER, "told", {"held back"})


def test_what_was_acknowledged_is_in_the_outputs_once_however_often_leat_is_killed():
    with folder() as dir:
        port = free_port()
        file = job(dir, "killed", by_http(port))
        with Senders(port) as senders:
            for kill in range(LEAT_KILLS):
                with Leat("run", file) as run:
                    senders.wait_more(40 + kill * 37 % 50)
                    run.kill()
        with Leat("run", file) as run:
            senders.stop()
            wanted = set(senders.acknowledged)
            wait_for("all that was acknowledged", lambda: wanted <= set(lines_of(dir)), 60)
            stop_is_clean(run)
        out_is_the_topic(dir, BROKER, "killed", wanted)


def test_what_was_acknowledged_is_there_when_the_broker_was_killed():
    with folder() as dir:
        port = free_port()
        file = job(dir, "broken", by_http(port))
        with Leat("run", file) as run, Senders(port) as senders:
            for _ in range(BROKER_KILLS):
                senders.wait_more(100)
                BROKER.kill()
                BROKER.restart()
            senders.wait_more(100)
            senders.stop()
            wanted = set(senders.acknowledged)
            wait_for("all that was acknowledged", lambda: wanted <= set(lines_of(dir)), 60)
            stop_is_clean(run)
        out_is_the_topic(dir, BROKER, "broken", wanted)
        nothing_came_twice(dir)


def test_leat_ends_while_the_broker_is_away_and_what_it_held_back_was_not_told():
    with folder() as dir:
        port = free_port()
        file = job(dir, "ends", by_http(port), delivery="at_least_once")
        with Leat("run", file) as run:
            wait_for("the port", lambda: can_connect(port))
            assert Post(port, "one").wait() == 204, run.log
            wait_for("its line", lambda: lines_of(dir) == ["one"])
            BROKER.kill()
            held = Post(port, "held back")
            run.wait_log("its sender is held back", 60)
            run.stop(60)
            assert held.wait() != 204, run.log
        BROKER.restart()
        with Leat("run", file) as run:
            wait_for("the port", lambda: can_connect(port))
            assert Post(port, "two").wait() == 204, run.log
            wait_for("its line", lambda: "two" in lines_of(dir))
            stop_is_clean(run)


def test_lines_of_a_socket_are_held_back_and_all_come_through():
    with folder() as dir:
        port = free_port()
        file = job(dir, "lines", by_socket(port), delivery="at_least_once")
        lines = [b"%d-%s" % (i, b"x" * 100) for i in range(50_000)]
        with Leat("run", file) as run:
            send_lines(port, lines)
            wait_for("all lines", lambda: len(lines_of(dir)) == len(lines), 90)
            stop_is_clean(run)
        assert sorted(lines_of(dir)) == sorted(line.decode() for line in lines)
        assert BROKER.values(topic_of("lines")) == [line.decode() for line in lines], "another order"


def test_a_message_of_mqtt_is_acknowledged_when_it_is_in_the_topic():
    with folder() as dir:
        file = job(dir, "mqtt", f"mqtt: {{ url: \"{MOSQUITTO.url}\", topics: [\"a/#\"], "
                                f"client_id: leat-kept, qos: 1 }}")
        with Leat("run", file) as run:
            wait_for("the topic", lambda: topic_of("mqtt") in BROKER.kcat("-L"))
            run.wait_log("made topic")
            sent = []

            def arrives():  # what is published before the session is there goes to nobody
                sent.append(f"first {len(sent)}")
                publish(MOSQUITTO.address, [("a/b", sent[-1])])
                return lines_of(dir)
            wait_for("the first message", arrives)
            publish(MOSQUITTO.address, [("a/c", f"message {i}") for i in range(1000)])
            wait_for("all messages", lambda: "message 999" in lines_of(dir), 60)
            stop_is_clean(run)
        records = BROKER.records(topic_of("mqtt"))
        assert records[-1]["key"] == "a/c", "its topic is its key"
        out_is_the_topic(dir, BROKER, "mqtt", {f"message {i}" for i in range(1000)})


def test_a_message_of_rabbitmq_has_its_own_time_and_its_headers_behind_the_topic():
    rabbit = Rabbit()
    with folder() as dir:
        rabbit.queue("orders")
        file = job(dir, "rabbit", f'rabbitmq: {{ brokers: "{rabbit.address}", queue: orders }}')
        text = file.read_text().replace("format: text", "format: json").replace("from: in", "from: seen")
        file.write_text(text.replace("sinks:", """streams:
  seen:
    from: in
    ops:
      - map: { n: n, at: meta.timestamp, kind: 'meta.headers["kind"]' }
sinks:"""))
        with Leat("run", file) as run:
            # So old that a topic which went by it would throw it away.
            rabbit.publish("orders", ['{"n": 1}'], timestamp=1700000000, headers={"kind": "new"})
            wait_for("the message", lambda: lines_of(dir), 60)
            stop_is_clean(run)
        assert json.loads(lines_of(dir)[0]) == {"n": 1, "at": "2023-11-14T22:13:20Z", "kind": "new"}
        stored, = BROKER.records(topic_of("rabbit"))
        assert stored["ts"] > T0 and stored["payload"] == '{"n": 1}', stored
    rabbit.end()


def test_a_bounded_run_reads_what_the_topic_has_and_receives_nothing():
    with folder() as dir:
        port = free_port()
        file = job(dir, "bounded", by_http(port))
        with Leat("run", file, env={"LEAT_FAILPOINT": "log.before"}) as run:
            wait_for("the port", lambda: can_connect(port))
            assert Post(port, "one").wait() == 204
            run.wait()
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        assert lines_of(dir) == ["one"]


def test_a_topic_that_promises_less_is_refused_with_what_to_do():
    cases = [("compacted", {"cleanup.policy": "compact"}, "", "cleanup.policy is compact, and has to be delete"),
             ("short", {"retention.ms": 1000}, "", "retention.ms is 1000, and has to be 604800000 at least"),
             ("small", {"max.message.bytes": 1000}, "", "max.message.bytes is 1000"),
             ("unclean", {"unclean.leader.election.enable": "true"}, "", "has to be false"),
             ("single", {}, "replication_factor: 2, ", "is on 1 broker, and `replication_factor` asks for 2"),
             ("narrow", {}, "partitions: 3, ", "has 1 partition, and `partitions` asks for 3")]
    for name, config, more, message in cases:
        with folder() as dir:
            BROKER.topic("poor-" + name, **config)
            factor = "" if "replication" in more else "replication_factor: 1, "
            file = job(dir, name, by_http(free_port()), f"{factor}{more}topic: poor-{name}")
            code, _, err = leat("run", file, "--until", "20s")
            assert code == 78 and message in err and f"poor-{name}" in err, (code, err)


def test_two_copies_cannot_be_made_on_one_broker():
    with folder() as dir:
        file = job(dir, "alone", by_http(free_port()), "partitions: 1")
        code, _, err = leat("run", file, "--until", "20s")
        assert code == 78 and "only 1 broker(s) are registered" in err, (code, err)


def test_explain_prints_both_halves():
    with folder() as dir:
        code, out, err = leat("explain", job(dir, "both", by_http(1)))
        assert code == 0, err
        for words in ("receiver in (http)\n  -> topic 'leat-store-both-in' at ",
                      "each record on 1 broker for 7d", "in (its store in kafka), one task per partition",
                      "in -> its store in kafka: at least once, the sender is told when it is there",
                      "in, from the store on -> out: exactly once"):
            assert words in out, out


main(sys.modules[__name__])
