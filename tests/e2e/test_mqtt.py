#!/usr/bin/env python3
"""The source `mqtt` with a real mosquitto: what is received, and that nothing is lost when leat or
the broker is killed."""
import collections
import json
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from cutter import Cutter  # noqa: E402
from kafka_test import Leat  # noqa: E402
from kills import Kills  # noqa: E402
from leat_test import folder, main, wait_for, write  # noqa: E402
from mqtt_test import (PUBACK, FalseBroker, Load, Mosquitto, publish,  # noqa: E402
                       publish_packet)
from small_disk import SmallDisk  # noqa: E402
from traced import traced  # noqa: E402

BROKER = Mosquitto("--secure", "autosave_on_changes false", "autosave_interval 0")


def pipeline(dir, options, name="in-mqtt", format="text", map='{"v": this}', every="50ms", head="",
             state=None):
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
batch: {{ every: {every} }}
checkpoint: {{ dir: {state or f"{dir}/state"} }}
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


class Output:
    """What came how often, read once."""

    def __init__(self, dir):
        self.dir, self.seen, self.times = dir, set(), collections.Counter()

    def read(self):
        for path in set(pathlib.Path(self.dir).glob("out/[!.]*.jsonl")) - self.seen:
            self.seen.add(path)
            self.times.update(json.loads(line)["v"] for line in path.read_text().splitlines())
        return self.times


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
                         "user-property", "k", "x"], check=True, timeout=120)
                    expect(dir, [{"t": f"{name}/a/b", "v": "one", "h": "-"},
                                 {"t": f"other/{name}", "v": "two", "h": "-"},
                                 {"t": f"{name}/p", "v": "three",
                                  "h": "x" if version == "5" else "-"}])
                    assert leat.stop() == 0


def test_a_topic_by_its_name_and_two_as_pairs_of_topic_and_payload_as_text_or_bytes():
    one, first, second = (f"MQTT demo for spark streaming{n}" for n in ("", 1, 2))
    for name, topics, form, map, sent, wanted in (
            ("named-1", "def", "text", '{"v": this}', {"defx": "no", "def/x": "no", "def": one}, [one]),
            ("named-2", "[def1, def2]", "text", '{"t": key, "v": this}', {"def1": first, "def2": second},
             [{"t": "def1", "v": first}, {"t": "def2", "v": second}]),
            ("named-3", "[def1, def2]", "raw", '{"t": key, "v": hex(this)}',
             {"def1": first, "def2": second},
             [{"t": "def1", "v": first.encode().hex()}, {"t": "def2", "v": second.encode().hex()}])):
        with folder() as dir:
            file = pipeline(dir, f'url: "{BROKER.url}", topics: {topics}, qos: 1', name, form, map)
            with Leat("run", file) as leat:
                leat.wait_log("receives from")
                publish(BROKER.address, list(sent.items()), qos=1)
                expect(dir, wanted)
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


def check_kills_of_leat(name, options, qos):
    kills = Kills(name, 3, 20)
    load = Load(BROKER.address, f"{name}/t", qos)
    with folder() as dir:
        file = pipeline(dir, f'url: "{BROKER.url}", topics: {name}/#, qos: {qos}, {options}', name)
        out = Output(dir)
        try:
            for i in range(kills.count):
                with Leat("run", file) as leat:
                    leat.wait_log("receives from")
                    if i == 0:
                        load.start()
                    wanted = len(out.read()) + kills.chance.randrange(2000)
                    wait_for("more output", lambda: len(out.read()) > wanted, 60)
                    leat.kill()
        finally:
            load.over = True
        acknowledged = load.end()
        with Leat("run", file) as leat:
            wait_for("the rest", lambda: acknowledged <= out.read().keys(), 60)
            assert leat.stop() == 0
        times = kills.judge(acknowledged, out.read().elements())
        assert times.keys() == acknowledged, "a message that nobody sent"
        assert max(times.values()) <= kills.count + 1, "no life of leat takes a message twice"


def test_nothing_of_qos_1_is_lost_when_leat_is_killed_under_load():
    check_kills_of_leat("kill-1", 'version: "3.1.1"', 1)


def test_nothing_of_qos_2_is_lost_when_leat_is_killed_under_load():
    check_kills_of_leat("kill-2", "version: 5", 2)


def wait_for_save(broker):
    """mosquitto acknowledges before it saves, which is not leat's to mend."""
    database = pathlib.Path(broker.file("data/mosquitto.db"))

    def state():
        try:
            found = database.stat()
            return found.st_ino, found.st_mtime_ns
        except FileNotFoundError:
            return None

    for _ in range(2):  # the first may have been under way
        before = state()
        broker.verb("save")
        wait_for("its file", lambda: state() not in (before, None))


def check_kills_of_broker(name, qos):
    kills = Kills(name, 1, 5)
    broker = Mosquitto()
    load = Load(broker.address, f"{name}/t", qos)
    with folder() as dir:
        file = pipeline(dir, f'url: "{broker.url}", topics: {name}/#, qos: {qos}, retry: 10ms', name)
        out, safe = Output(dir), set()
        try:
            with Leat("run", file) as leat:
                leat.wait_log("receives from")
                load.start()
                for kill in range(1, kills.count + 1):
                    load.wait_for(kills.chance.randrange(200, 1000))
                    safe |= set(load.acknowledged)
                    wait_for_save(broker)
                    broker.kill()
                    leat.wait_log("trying again until it works", 60, times=kill)
                    broker.restart()
                    leat.wait_log("receives from", 60, times=kill + 1)
                    wait_for("what is safe", lambda: safe <= out.read().keys(), 60)
                load.over = True
                last = load.end() - safe
                wait_for("it to go on", lambda: last & out.read().keys())
                assert leat.stop() == 0
        finally:
            load.over = True
        times = kills.judge(safe, out.read().elements())
        assert times.keys() <= {f"m{n}" for n in range(load.tried)}, "a message that nobody sent"
    broker.end()


def test_nothing_of_qos_1_is_lost_when_the_broker_is_killed_under_load():
    check_kills_of_broker("broker-1", 1)


def test_nothing_of_qos_2_is_lost_when_the_broker_is_killed_under_load():
    check_kills_of_broker("broker-2", 2)


def test_a_connection_that_is_cut_within_a_frame_costs_neither_a_message_nor_a_second_copy():
    chance = Kills("cut", 5, 5).chance
    with folder() as dir, Cutter(BROKER.address) as cutter:
        file = pipeline(dir, f'url: "mqtt://{cutter.address}", topics: cut/#, qos: 2, retry: 1ms',
                        "cut", every="500ms")
        with Leat("run", file) as leat:
            leat.wait_log("receives from")
            wanted = []
            for round in range(5):
                batch = [f"{round}-{i:0100}" for i in range(400)]
                cutter.cut_after(chance.randrange(100, 40000))
                publish(BROKER.address, [("cut/t", text) for text in batch], qos=2)
                wanted += batch
                wait_for("the cut", lambda: cutter.cuts > round)
            wait_for("all", lambda: len(output(dir)) >= len(wanted))
            assert leat.stop() == 0
        assert sorted(output(dir)) == sorted(wanted)


def test_a_full_disk_holds_the_broker_back_and_a_kill_then_loses_nothing():
    with folder() as dir, SmallDisk(dir) as disk:
        (disk / "ballast").write_bytes(b"\0" * 600_000)
        options = f'url: "{BROKER.url}", topics: full/#'
        file = pipeline(dir, options, "full", every="1h", state=disk)
        wanted = {f"{i:0500}" for i in range(2000)}
        with Leat("run", file) as leat:
            leat.wait_log("receives from")
            publish(BROKER.address, [("full/t", text) for text in sorted(wanted)])
            leat.wait_log("its sender is held back")
            leat.kill()
        (disk / "ballast").unlink()
        with Leat("run", pipeline(dir, options, "full", state=disk)) as leat:
            wait_for("all", lambda: wanted <= set(output(dir)), 60)
            assert leat.stop() == 0


def test_at_level_disk_messages_share_a_sync_and_system_calls():
    """A broker that sends as much as leat takes, so that the count depends on nobody's pace."""
    count = 20_000

    def script(peer):
        peer.greet()
        peer.accept_subscription()
        peer.send(b"".join(publish_packet("t/x", b"x" * 100, 1, i + 1, version=5)
                           for i in range(count)))
        for _ in range(count):
            peer.expect(PUBACK)
        acknowledged.append(count)
        peer.stream.read()

    acknowledged = []
    with FalseBroker(script) as broker, folder() as dir:
        told = pathlib.Path(dir, "calls")
        with traced(["-c", "-o", told], pipeline(dir, f'url: "{broker.url}", topics: t/#', "law")):
            wait_for("all acknowledgements", lambda: acknowledged, 60)
        calls = {line.split()[-1]: int(line.split()[3]) for line in told.read_text().splitlines()
                 if re.match(r"^ *[\d.]+ ", line)}
    syncs = calls.get("fsync", 0) + calls.get("fdatasync", 0)
    print(f"{syncs / count:.4f} syncs and {calls['total'] / count:.4f} system calls per message")
    assert 0 < syncs < count / 100 and calls["total"] < count / 10, calls


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
