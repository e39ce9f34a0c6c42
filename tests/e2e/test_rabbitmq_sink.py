#!/usr/bin/env python3
"""The sink `rabbitmq`, and TLS of sink and source, against a real RabbitMQ."""
import json
import os
import pathlib
import socket
import ssl
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cutter import Cutter  # noqa: E402
from kafka_test import Leat  # noqa: E402
from kills import Kills  # noqa: E402
from leat_test import folder, leat, main, wait_for, write  # noqa: E402
from rabbit_test import Rabbit  # noqa: E402

BROKER = Rabbit()
SECURE = Rabbit("--tls")
FULL_BROKER = Rabbit("vm_memory_high_watermark.absolute=1MB")
FULL = bool(os.environ.get("LEAT_FULL"))


def pipeline(dir, sink, name="out", brokers=None, source=None, settings="", more=""):
    source = source or f"files: {{ path: {dir}/in }}"
    brokers = brokers or BROKER.address
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
batch: {{ every: 50ms }}
checkpoint: {{ dir: {dir}/state-{name} }}
{more}
sources:
  in:
    {source}
    format: json
sinks:
  out:
    from: in
    rabbitmq: {{ brokers: "{brokers}"{sink} }}
    format: json
""")


def records(dir, count, first=0):
    (pathlib.Path(dir) / "in").mkdir(exist_ok=True)
    hidden = write(dir, "new", "".join(f'{{"n":{n}}}\n' for n in range(first, first + count)))
    hidden.rename(pathlib.Path(dir) / f"in/{first:06}.jsonl")


def numbers(taken):
    return [json.loads(body)["n"] for _, _, body in taken]


def test_messages_arrive_in_order_by_a_template_each_with_an_id_of_its_own():
    with folder() as dir:
        with BROKER.channel() as ch:
            ch.exchange_declare("results", "topic")
            ch.queue_declare("even")
            ch.queue_bind("even", "results", "parity.0")
            ch.queue_declare("odd")
            ch.queue_bind("odd", "results", "parity.1")
        records(dir, 3000)
        file = pipeline(dir, ', exchange: results, routing_key: "parity.{n % 2}", '
                             'headers: { from: "\\"leat\\"" }, content_type: application/json')
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        even, odd = BROKER.take("even"), BROKER.take("odd")
        assert numbers(even) == list(range(0, 3000, 2)), numbers(even)[:10]
        assert numbers(odd) == list(range(1, 3000, 2))
        ids = [p.message_id for _, p, _ in even + odd]
        assert len(set(ids)) == 3000 and all(i.startswith("out-") for i in ids), ids[:3]
        p = even[0][1]
        assert p.delivery_mode == 2 and p.content_type == "application/json", p
        assert p.headers == {"from": "leat"}, p.headers


def test_a_clean_stop_leaves_nothing_to_be_sent_again():
    with folder() as dir:
        BROKER.queue("clean")
        records(dir, 5)
        file = pipeline(dir, ", routing_key: clean")
        for _ in range(3):
            code, _, err = leat("run", file, "--until", "caught_up")
            assert code == 0, err
        assert numbers(BROKER.take("clean")) == list(range(5))


def test_kills_of_leat_lose_nothing_and_what_comes_twice_has_the_same_id():
    kills = 20 if FULL else 3
    with folder() as dir:
        BROKER.queue("killed")
        file = pipeline(dir, ", routing_key: killed", name="killed")
        for n in range(kills):
            records(dir, 20000, n * 20000)
            with Leat("run", file) as run:
                wait_for("messages of this life", lambda: BROKER.ready("killed") > n * 10000 + 500)
                run.kill()
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        by_id = {}
        for _, p, body in BROKER.take("killed"):
            assert by_id.setdefault(p.message_id, body) == body
        assert sorted({json.loads(b)["n"] for b in by_id.values()}) == list(range(kills * 20000))


def test_kills_of_the_broker_lose_nothing():
    kills = 5 if FULL else 1
    with folder() as dir:
        BROKER.queue("survives")
        with Leat("run", pipeline(dir, ", routing_key: survives", brokers=BROKER.address)) as run:
            for n in range(kills):
                for k in range(10):
                    records(dir, 2000, n * 20000 + k * 2000)
                wait_for("some", lambda: BROKER.ready("survives") > n * 20000 + 100)
                BROKER.kill()
                run.wait_log("trying again")
                BROKER.restart()
                wait_for("all", lambda: BROKER.ready("survives") >= (n + 1) * 20000, 60)
            assert run.stop() == 0, run.log
        assert sorted(set(numbers(BROKER.take("survives")))) == list(range(kills * 20000))


def test_a_connection_that_is_cut_within_a_frame_loses_nothing():
    chance = Kills("cut-out", 5, 5).chance
    with folder() as dir, Cutter(BROKER.address) as cutter:
        BROKER.queue("cut-out")
        with Leat("run", pipeline(dir, ", routing_key: cut-out", brokers=cutter.address)) as run:
            for round in range(5):
                cutter.cut_after(chance.randrange(100, 50000))
                records(dir, 1000, round * 1000)
                wait_for("the cut", lambda: cutter.cuts > round)
            wait_for("all", lambda: BROKER.ready("cut-out") >= 5000, 60)
            assert run.stop() == 0, run.log
        by_id = {}
        for _, p, body in BROKER.take("cut-out"):
            assert by_id.setdefault(p.message_id, body) == body
        assert sorted(json.loads(b)["n"] for b in by_id.values()) == list(range(5000))


def test_a_message_that_reaches_no_queue_stops_leat_or_is_said():
    with folder() as dir:
        records(dir, 5)
        file = pipeline(dir, ", routing_key: nowhere")
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 1 and "reaches no queue" in err and "NO_ROUTE" in err, (code, err)
        BROKER.queue("nowhere")  # what was in the log goes there now
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        assert numbers(BROKER.take("nowhere")) == list(range(5))
        file = pipeline(dir, ", routing_key: nowhere.else, unroutable: drop", name="drops")
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0 and "5 messages to exchange '' reach no queue and are dropped" in err, err


def test_a_queue_that_takes_no_more_holds_leat_back():
    with folder() as dir:
        BROKER.queue("short", arguments={"x-max-length": 10, "x-overflow": "reject-publish"})
        records(dir, 15)
        taken = []
        with Leat("run", pipeline(dir, ", routing_key: short")) as run:
            run.wait_log("does not take a message")

            def all_there():
                taken.extend(BROKER.take("short"))
                return set(numbers(taken)) == set(range(15))
            wait_for("all of them", all_there, 30)
            assert run.stop() == 0, run.log


def test_a_broker_without_room_is_waited_for_and_leat_can_be_stopped():
    with folder() as dir:
        with FULL_BROKER.channel(confirm=False) as ch:
            ch.queue_declare("q")
        records(dir, 5000)
        file = pipeline(dir, ", routing_key: q, timeout: 1s", brokers=FULL_BROKER.address)
        with Leat("run", file) as run:
            run.wait_log("takes no messages")
            assert run.stop(10) in (0, 1), run.log
    FULL_BROKER.end()


def test_an_exchange_that_is_missing_is_waited_for():
    with folder() as dir:
        records(dir, 5)
        with Leat("run", pipeline(dir, ", exchange: later, routing_key: k")) as run:
            run.wait_log("no exchange 'later'")
            with BROKER.channel() as ch:
                ch.queue_declare("later")
                ch.exchange_declare("later", "fanout")
                ch.queue_bind("later", "later")
            wait_for("all of them", lambda: BROKER.ready("later") >= 5)
            assert run.stop() == 0, run.log
        assert set(numbers(BROKER.take("later"))) == set(range(5))


def tls(ca="ca.crt", certificate="client"):
    at = pathlib.Path(SECURE.folder)
    return (f", tls: {{ ca: {at}/{ca}, certificate: {at}/{certificate}.crt, "
            f"key: {at}/{certificate}.key }}")


def test_source_and_sink_speak_tls_with_a_password_from_a_file_that_nobody_sees():
    with folder() as dir:
        word = write(dir, "word", "guest\n")
        address = SECURE.tls_address
        for queue in ("tls-in", "tls-out"):
            SECURE.queue(queue)
        SECURE.publish("tls-in", [f'{{"n":{n}}}' for n in range(500)])
        secret = f', user: guest, password: "${{file:{word}}}"'
        for host in (address, address.replace("localhost", "127.0.0.1")):
            source = f'rabbitmq: {{ brokers: "{host}", queue: tls-in{tls()}{secret} }}'
            file = pipeline(dir, f", routing_key: tls-out{tls()}{secret}", brokers=host,
                            source=source)
            code, out, _ = leat("explain", file)
            assert code == 0 and "guest" not in out, out
            with Leat("run", file) as run:
                run.wait_log("consumes queue 'tls-in'")
                wait_for("all messages", lambda: SECURE.ready("tls-out") >= 500)
                assert run.stop() == 0, run.log
                assert "guest" not in run.log, run.log
        assert set(numbers(SECURE.take("tls-out"))) == set(range(500))


def test_a_broker_that_cannot_prove_who_it_is_gets_no_password():
    with folder() as dir:
        records(dir, 5)
        address = SECURE.tls_address
        cases = ((address, tls(ca="client.crt"), "certificate is not trusted|TLS handshake failed"),
                 (address, f", tls: {{ ca: {SECURE.folder}/ca.crt }}", "handshake|closed|socket"),
                 (SECURE.address, tls(), "handshake"),
                 (address, "", "TLS"))
        for brokers, how, says in cases:
            with Leat("run", pipeline(dir, f", routing_key: q{how}, timeout: 2s, insecure: true",
                                      brokers=brokers)) as run:
                run.wait_log("trying again")
                assert any(s in run.log for s in says.split("|")), (says, run.log)
                run.kill()


def test_a_certificate_of_another_host_is_not_taken():
    SECURE.start()
    at = pathlib.Path(SECURE.folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(at / "srv.crt", at / "srv.key")  # for localhost and 127.0.0.1
    heard = []

    def serve(listener):
        while True:
            try:
                with context.wrap_socket(listener.accept()[0], server_side=True) as peer:
                    heard.append(peer.recv(100))
            except OSError as why:
                heard.append(str(why).encode())

    with folder() as dir, socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        threading.Thread(target=serve, args=[listener], daemon=True).start()
        records(dir, 5)
        with Leat("run", pipeline(dir, f", routing_key: q{tls()}, timeout: 2s",
                                  brokers=f"[::1]:{listener.getsockname()[1]}")) as run:
            run.wait_log("trying again")
            assert "certificate is not trusted" in run.log or "handshake" in run.log, run.log
            run.kill()
        assert heard and not any(h.startswith(b"AMQP") for h in heard), heard


def test_a_wrong_password_is_waited_for_and_said():
    with folder() as dir:
        records(dir, 5)
        file = pipeline(dir, ", routing_key: q, user: nobody, password: geheim-7")
        with Leat("run", file) as run:
            run.wait_log("ACCESS_REFUSED")
            assert "geheim-7" not in run.log, run.log
            run.kill()


main(sys.modules[__name__])
