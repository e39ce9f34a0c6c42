#!/usr/bin/env python3
"""TLS, passwords and access rules of a real Kafka: told, waited for, never printed."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import Broker, Leat  # noqa: E402
from leat_test import folder, leat, main, wait_for, write  # noqa: E402

BROKER = Broker("--secure", "--memory", "256m")
PASSWORD = "geheim-1"


def file_of(dir, name, password="${file:%s/password}", mechanism="SCRAM-SHA-512", tls=True):
    BROKER.start()
    write(dir, "password", PASSWORD + "\n")
    if "%s" in password:
        password %= dir
    ca = f"tls: {{ ca: {BROKER.folder}/ca.crt }}" if tls else "tls: { enable: true }"
    address = pathlib.Path(BROKER.folder, "secure_address").read_text().strip()
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
batch: {{ every: 100ms }}
checkpoint: {{ dir: {dir}/state }}
connections:
  main:
    kafka:
      brokers: "{address}"
      {ca}
      sasl: {{ mechanism: {mechanism}, username: leat, password: "{password}" }}
sources:
  in:
    kafka: {{ use: main, topic: {name}.in, start: earliest }}
    format: json
sinks:
  out:
    from: in
    kafka: {{ use: main, topic: {name}.out }}
    format: json
""")


def topics(name):
    BROKER.topic(name + ".in")
    BROKER.topic(name + ".out")
    BROKER.produce(name + ".in", [json.dumps({"n": n}) for n in range(10)])


def allow(*words):
    BROKER.verb("acl", "--add", "--allow-principal", "User:leat", *words)


def test_it_reads_and_writes_with_a_password_over_tls():
    topics("good")
    allow("--operation", "All", "--topic", "good", "--resource-pattern-type", "prefixed")
    allow("--operation", "All", "--group", "leat-", "--resource-pattern-type", "prefixed")
    allow("--operation", "IdempotentWrite", "--cluster")
    with folder() as dir:
        for mechanism in ("SCRAM-SHA-512", "PLAIN"):
            code, _, err = leat("run", file_of(dir, "good", mechanism=mechanism), "--until",
                                "caught_up")
            assert code == 0, err
            assert len(BROKER.values("good.out")) == 10


def test_a_topic_that_may_not_be_read_or_written_is_waited_for():
    topics("rule")
    with folder() as dir, Leat("run", file_of(dir, "rule")) as run:
        run.wait_log("read from topic 'rule.in'")
        assert "leat" in run.log and "does not allow" in run.log, run.log
        allow("--operation", "Read", "--operation", "Describe", "--topic", "rule.in")
        run.wait_log("write to topic 'rule.out'", 30)
        assert BROKER.values("rule.out") == []
        before = run.cpu_seconds()
        allow("--operation", "Write", "--operation", "Describe", "--topic", "rule.out")
        assert run.cpu_seconds() - before < 0.3
        wait_for("records", lambda: len(BROKER.values("rule.out")) == 10)
        assert len(run.log.splitlines()) < 12, run.log
        assert run.stop() == 0, run.log


def test_a_wrong_password_is_told_without_showing_it():
    topics("wrong")
    with folder() as dir, Leat("run", file_of(dir, "wrong", "kein-geheimnis")) as run:
        run.wait_log("uthentication")
        assert "sasl.password" in run.log and "kein-geheimnis" not in run.log, run.log
        assert len(run.log.splitlines()) < 8, run.log
        assert run.stop() in (0, 1), run.log


def test_an_unknown_authority_is_told_with_the_option_that_names_it():
    topics("ca")
    with folder() as dir, Leat("run", file_of(dir, "ca", tls=False)) as run:
        run.wait_log("certificate")
        assert "tls" in run.log, run.log
        assert run.stop() in (0, 1), run.log


main(sys.modules[__name__])
