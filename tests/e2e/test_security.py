#!/usr/bin/env python3
"""TLS, passwords and access rules of a real Kafka: told, waited for, never printed."""
import functools
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import Broker, Leat  # noqa: E402
from leat_test import folder, leat, main, wait_for, write  # noqa: E402

BROKER = Broker("--secure", "--memory", "256m")
PASSWORD = "geheim-1"


def file_of(dir, name, password="${file:%s/password}", mechanism="SCRAM-SHA-512", tls=True):
    write(dir, "password", PASSWORD + "\n")
    if "%s" in password:
        password %= dir
    return copying(dir, name, f"sasl: {{ mechanism: {mechanism}, username: leat, password: \"{password}\" }}", tls)


def copying(dir, name, login, tls=True, broker=BROKER, address="secure_address"):
    """From topic NAME.in to NAME.out; `login` is settings of the connection."""
    broker.start()
    ca = f"tls: {{ ca: {broker.folder}/ca.crt }}" if tls is True else tls or "tls: { enable: true }"
    address = pathlib.Path(broker.folder, address).read_text().strip()
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
batch: {{ every: 100ms }}
checkpoint: {{ dir: {dir}/state }}
connections:
  main:
    kafka:
      brokers: "{address}"
      {ca}
      {login}
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


def topics(name, broker=BROKER):
    broker.topic(name + ".in")
    broker.topic(name + ".out")
    if name.startswith("good"):
        allow_good(broker)
    broker.produce(name + ".in", [json.dumps({"n": n}) for n in range(10)])


def allow(*words, broker=BROKER):
    broker.verb("acl", "--add", "--allow-principal", "User:leat", *words)


@functools.cache
def allow_good(broker):
    """All that it takes, with topics whose name begins so."""
    allow("--operation", "All", "--topic", "good", "--resource-pattern-type", "prefixed", "--group", "leat-",
          broker=broker)
    allow("--operation", "IdempotentWrite", "--cluster", broker=broker)


def copies(name, file, broker=BROKER, **env):
    code, _, err = leat("run", file, "--until", "caught_up", env=env)
    assert code == 0, err
    assert len(broker.values(name + ".out")) == 10


def test_it_reads_and_writes_with_a_password_over_tls():
    topics("good")
    with folder() as dir:
        for mechanism in ("SCRAM-SHA-512", "PLAIN"):
            copies("good", file_of(dir, "good", mechanism=mechanism))


def test_it_reads_and_writes_with_a_certificate_of_its_own():
    topics("good-mutual")
    with folder() as dir:
        keys = f"ca: {BROKER.folder}/ca.crt, certificate: {BROKER.folder}/client.crt, key: {BROKER.folder}/client.key"
        copies("good-mutual", copying(dir, "good-mutual", "", f"tls: {{ {keys} }}", address="mutual_address"))
    with folder() as dir:
        with Leat("run", copying(dir, "good-mutual", "", address="mutual_address")) as run:
            run.wait_log("cannot be used")
            assert "certificate" in run.log, run.log
            assert run.stop() in (0, 1), run.log


def test_it_reads_and_writes_with_a_token():
    topics("good-token")
    with folder() as dir:
        login = """sasl: { mechanism: OAUTHBEARER }
      rdkafka: { enable.sasl.oauthbearer.unsecure.jwt: true, sasl.oauthbearer.config: "principal=%s" }"""
        copies("good-token", copying(dir, "good-token", login % "leat"))
        with Leat("run", copying(dir, "good-token", login % "somebody")) as run:
            run.wait_log("does not allow")
            assert run.stop() in (0, 1), run.log


def test_it_reads_and_writes_with_a_key_of_kerberos():
    broker = Broker("--kerberos", "--memory", "256m")
    topics("good-realm", broker)
    with folder() as dir:
        login = f"""sasl: {{ mechanism: GSSAPI }}
      rdkafka:
        sasl.kerberos.keytab: {broker.folder}/leat.keytab
        sasl.kerberos.principal: leat@LEAT.TEST"""
        copies("good-realm", copying(dir, "good-realm", login, broker=broker), broker,
               KRB5_CONFIG=broker.folder + "/krb5.conf", KRB5CCNAME=f"FILE:{dir}/tickets")
    broker.end()


def test_what_this_librdkafka_cannot_do_or_is_not_told_check_says():
    with folder() as dir:
        for login, words in (("sasl: { mechanism: GSSAPI }", "sasl.kerberos.keytab: FILE"),
                             ("sasl: { mechanism: OAUTHBEARER }", "sasl.oauthbearer"),
                             ("sasl: { mechanism: OAUTHBEARER }\n      rdkafka: { sasl.oauthbearer.method: oidc }",
                              "sasl.oauthbearer.method")):
            code, _, err = leat("check", copying(dir, "told", login))
            assert (code == 78 and words in err) or "method: oidc" in login, (login, err)
            if code != 0 and "method: oidc" in login:
                assert words in err and "not supported in this build" in err, err


def test_a_topic_that_may_not_be_read_or_written_is_waited_for():
    topics("rule")
    with folder() as dir, Leat("run", file_of(dir, "rule")) as run:
        run.wait_log("read from topic 'rule.in'")
        assert "leat" in run.log and "does not allow" in run.log, run.log
        allow("--operation", "Read", "--operation", "Describe", "--topic", "rule.in")
        run.wait_log("write to topic 'rule.out'")
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
