#!/usr/bin/env python3
"""The source `mqtt` with a real mosquitto: what is received, and that nothing is lost when leat or
the broker is killed."""
import collections
import json
import os
import pathlib
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import Leat  # noqa: E402
from leat_test import folder, main, wait_for, write  # noqa: E402
from mqtt_test import Cutter, Mosquitto, Publisher, publish  # noqa: E402

BROKER = Mosquitto("--secure")
FULL = bool(os.environ.get("LEAT_FULL"))


def pipeline(dir, options, name="in-mqtt", format="text", map='{"v": this}', every="50ms", head=""):
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
batch: {{ every: {every} }}
checkpoint: {{ dir: {dir}/state }}
{head}
sources:
  in:
    mqtt: {{ {options} }}
    format: {format}
streams:
  s:
    from: in
    ops:
      - map: '{map}'
sinks:
  out:
    from: s
    files: {{ path: "{dir}/out/{{file}}.jsonl" }}
""")


READ = {}  # files are whole when they have their name, and never change


def output(dir):
    records = []
    for path in sorted(pathlib.Path(dir).glob("out/[!.]*.jsonl")):
        if path not in READ:
            READ[path] = [json.loads(line) for line in path.read_text().splitlines()]
        records += READ[path]
    return [r["v"] if len(r) == 1 else r for r in records]


def expect(dir, wanted):
    wait_for(f"{len(wanted)} records", lambda: len(output(dir)) >= len(wanted))
    assert sorted(map(json.dumps, output(dir))) == sorted(map(json.dumps, wanted)), output(dir)


def test_messages_of_every_qos_and_version_arrive_with_topic_and_user_properties():
    for version in ("3.1.1", "5"):
        for qos in (0, 1, 2):
            name = f"v{version.replace('.', '')}-q{qos}"
            with folder() as dir:
                file = pipeline(dir, f'url: "{BROKER.url}", topics: ["{name}/#", other/{name}], '
                                f'version: "{version}", qos: {qos}', name,
                                map='{"t": key, "v": this, "h": default(meta.headers["k"], "-")}')
                with Leat("run", file) as leat:
                    leat.wait_log("receives from")
                    publish(BROKER.address, [(f"{name}/a/b", "one"), (f"other/{name}", "two"),
                                             (f"else/{name}", "not this")], qos=2)
                    subprocess.run(
                        ["mosquitto_pub", "-V", "5", "-p", BROKER.address.split(":")[1], "-t",
                         f"{name}/p", "-q", str(qos), "-m", "three", "-D", "publish",
                         "user-property", "k", "x"], check=True, timeout=20)
                    expect(dir, [{"t": f"{name}/a/b", "v": "one", "h": "-"},
                                 {"t": f"other/{name}", "v": "two", "h": "-"},
                                 {"t": f"{name}/p", "v": "three",
                                  "h": "x" if version == "5" else "-"}])
                    assert leat.stop() == 0


def test_what_is_sent_while_leat_is_away_comes_when_it_is_back():
    with folder() as dir:
        file = pipeline(dir, f'url: "{BROKER.url}", topics: away/#, qos: 2', "away")
        with Leat("run", file) as leat:
            leat.wait_log("receives from")
            publish(BROKER.address, [("away/1", "before")])
            expect(dir, ["before"])
            assert leat.stop() == 0
        publish(BROKER.address, [("away/1", f"meanwhile {i}") for i in range(500)], qos=2)
        with Leat("run", file) as leat:
            expect(dir, ["before"] + [f"meanwhile {i}" for i in range(500)])
            assert leat.stop() == 0


def kill_under_load(name, options, kills, qos):
    """Kills leat `kills` times while messages come; the output at the end."""
    with folder() as dir:
        file = pipeline(dir, f'url: "{BROKER.url}", topics: {name}/#, qos: {qos}, {options}', name)
        sent, stop = [], threading.Event()

        def load():
            i = 0
            with Publisher(BROKER.address, "load-" + name) as publisher:
                while not stop.is_set():
                    batch = [(f"{name}/t", f"m{i + k}") for k in range(100)]
                    publisher.publish(batch, qos, sent.append)
                    i += 100

        thread = threading.Thread(target=load)
        try:
            for i in range(kills):
                with Leat("run", file) as leat:
                    leat.wait_log("receives from")
                    if i == 0:
                        thread.start()
                    before = len(set(output(dir)))
                    wait_for("more output", lambda: len(set(output(dir))) > before + 300)
                    leat.kill()
        finally:
            stop.set()
            if thread.ident:
                thread.join()
        with Leat("run", file) as leat:
            wait_for("the rest", lambda: set(output(dir)) >= set(sent), 60)
            assert leat.stop() == 0
        return sent, output(dir)


def check_killed(name, options, qos):
    kills = 20 if FULL else 3
    sent, got = kill_under_load(name, options, kills, qos)
    assert len(sent) > 300 * kills, len(sent)
    assert set(got) == set(sent), (sorted(set(got) - set(sent))[:5], sorted(set(sent) - set(got))[:5])
    times = collections.Counter(got).values()
    assert max(times) <= kills + 1, "no life of leat takes a message twice"
    twice = sum(n - 1 for n in times)
    print(f"{name}: {len(sent)} messages, {kills} kills, {twice} came twice")


def test_nothing_of_qos_1_is_lost_when_leat_is_killed_under_load():
    check_killed("kill-1", 'version: "3.1.1"', 1)


def test_nothing_of_qos_2_is_lost_when_leat_is_killed_under_load():
    check_killed("kill-2", "version: 5", 2)


def test_nothing_acknowledged_is_lost_when_the_broker_is_killed():
    broker = Mosquitto()
    kills = 5 if FULL else 1
    with folder() as dir:
        file = pipeline(dir, f'url: "{broker.url}", topics: b/#, qos: 2, retry: 10ms', "broker")
        sent = []
        with Leat("run", file) as leat:
            leat.wait_log("receives from")
            for round in range(kills):
                with Publisher(broker.address) as publisher:
                    publisher.publish([("b/t", f"{round}-{i}") for i in range(2000)], 1 + round % 2,
                                      sent.append)
                broker.verb("save")  # it acknowledges before it saves: not leat's to mend
                saved = pathlib.Path(broker.file("data/mosquitto.db"))
                wait_for("its file", saved.exists)
                broker.kill()
                leat.wait_log("trying again until it works")
                broker.restart()
                wait_for("what was acknowledged", lambda: set(output(dir)) >= set(sent))
            assert leat.stop() == 0
        assert set(output(dir)) == set(sent) and len(sent) == 2000 * kills
    broker.end()


def test_a_connection_that_is_cut_costs_neither_a_message_nor_a_second_copy():
    with folder() as dir, Cutter(BROKER.address) as cutter:
        file = pipeline(dir, f'url: "mqtt://{cutter.address}", topics: cut/#, qos: 2, retry: 1ms',
                        "cut", every="500ms")
        with Leat("run", file) as leat:
            leat.wait_log("receives from")
            wanted = []
            for round in range(5):
                batch = [f"{round}-{i}" for i in range(400)]
                publish(BROKER.address, [("cut/t", text) for text in batch], qos=2)
                wanted += batch
                cutter.cut()
            wait_for("all", lambda: len(output(dir)) >= len(wanted))
            assert leat.stop() == 0
        assert sorted(output(dir)) == sorted(wanted)


def secure(dir, name, options):
    return pipeline(dir, f'topics: {name}/#, {options}', name)


def receives(file, name, dir):
    with Leat("run", file) as leat:
        leat.wait_log("receives from")
        publish(BROKER.address, [(f"{name}/t", "hello")])
        expect(dir, ["hello"])
        assert leat.stop() == 0
        return leat.log


def test_tls_with_a_password_or_a_certificate_and_nothing_secret_is_shown():
    at = pathlib.Path(BROKER.file("secure_address")).read_text().strip()
    mutual = pathlib.Path(BROKER.file("certificate_address")).read_text().strip()
    with folder() as dir:
        write(dir, "password", "geheim-1\n")
        log = receives(secure(dir, "tls", f'url: "mqtts://{at}", tls: {{ ca: {BROKER.file("ca.crt")} }}, '
                              f'auth: {{ user: leat, password: "${{file:{dir}/password}}" }}'), "tls", dir)
        assert "geheim" not in log
    with folder() as dir:
        receives(secure(dir, "mutual", f'url: "mqtts://{mutual}", tls: {{ ca: {BROKER.file("ca.crt")}, '
                        f'cert: {BROKER.file("client.crt")}, key: {BROKER.file("client.key")} }}'),
                 "mutual", dir)


def test_who_is_not_trusted_and_who_is_not_let_in_is_said():
    at = pathlib.Path(BROKER.file("secure_address")).read_text().strip()
    ca = f'tls: {{ ca: {BROKER.file("ca.crt")} }}'
    with folder() as dir:
        for url, more, words, ends in (
                (f"mqtts://{at}", "", "certificate", False),
                (f"mqtts://127.0.0.2:{at.split(':')[1]}", ca, "refused", False),
                (f"mqtts://{at}", f"{ca}, auth: {{ user: leat, password: falsch }}",
                 "not authorized", True)):
            with Leat("run", secure(dir, "no", f'url: "{url}", {more}')) as leat:
                leat.wait_log(words)
                assert "falsch" not in leat.log
                if ends:
                    assert leat.wait() == 1


def test_a_shared_subscription_divides_the_messages():
    with folder() as one, folder() as two:
        options = f'url: "{BROKER.url}", topics: $share/g/shared/#'
        with Leat("run", pipeline(one, options, "shared-one")) as a, \
                Leat("run", pipeline(two, options, "shared-two")) as b:
            a.wait_log("receives from")
            b.wait_log("receives from")
            publish(BROKER.address, [("shared/t", str(i)) for i in range(200)])
            wait_for("both", lambda: len(output(one)) + len(output(two)) >= 200)
            assert sorted(output(one) + output(two)) == sorted(map(str, range(200)))
            assert output(one) and output(two)


if __name__ == "__main__":
    main(sys.modules[__name__])
