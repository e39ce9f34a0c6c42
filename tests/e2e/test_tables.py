#!/usr/bin/env python3
"""Tables that follow a topic, on a real Kafka: what a key's last record says is what is looked up."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from kafka_test import Broker, Leat  # noqa: E402
from leat_test import folder, leat, main, wait_for, write  # noqa: E402

BROKER = Broker()


def job(dir, name, more="", at="."):
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
batch: {{ every: 50ms }}
checkpoint: {{ dir: {dir}/state-{name} }}
{more}
connections:
  main: {{ kafka: {{ brokers: "{BROKER.address}" }} }}
sources:
  orders:
    kafka: {{ use: main, topic: {name}.orders, start: earliest }}
    format: json
tables:
  users:
    kafka: {{ use: main, topic: {name}.users }}
    format: json
    key: key
streams:
  named:
    from: orders
    ops:
      - lookup: {{ table: users, key: user, as: found }}
      - map: {{ n: n, name: "found == null ? 'nobody' : found.name" }}
sinks:
  out: {{ from: named, kafka: {{ use: main, topic: {name}.out }}, format: json }}
""")


def topics(name, users=1, policy="compact"):
    BROKER.topic(name + ".orders")
    BROKER.topic(name + ".users", users, **{"cleanup.policy": policy})
    BROKER.topic(name + ".out")


def user(key, name):
    return (key, None if name is None else json.dumps({"name": name}))


def order(name, n, who):
    BROKER.produce(name + ".orders", [json.dumps({"n": n, "user": who})])


def results(name):
    return [json.loads(v) for v in BROKER.values(name + ".out")]


def test_the_topic_is_read_to_its_end_before_the_first_batch():
    topics("whole", 3)
    for p in range(3):
        BROKER.produce("whole.users", [user(f"u{i}", f"old {i}") for i in range(p, 3000, 3)], p)
        BROKER.produce("whole.users", [user(f"u{i}", f"new {i}") for i in range(p, 3000, 3) if i % 2], p)
        BROKER.produce("whole.users", [user(f"u{i}", None) for i in range(p, 3000, 3) if i % 5 == 0], p)
    BROKER.produce("whole.orders", [json.dumps({"n": i, "user": f"u{i}"}) for i in range(3000)])
    with folder() as dir:
        file = job(dir, "whole")
        code, _, err = leat("run", file, "--until", "caught_up")
        assert code == 0, err
        for r in results("whole"):
            i = r["n"]
            assert r["name"] == ("nobody" if i % 5 == 0 else f"new {i}" if i % 2 else f"old {i}"), r
        assert len(results("whole")) == 3000
        code, out, err = leat("state", "show", file)
        assert code == 0 and "table read from whole.users/0 up to " in out, out + err
        code, out, err = leat("replay", file, "--batch", "1")
        assert code == 0 and '"name":"new 7"' in out, out[:500] + err


def test_what_changes_in_the_topic_is_seen_by_later_batches():
    topics("follow")
    BROKER.produce("follow.users", [user("a", "Ada"), user("b", "Bob")])
    with folder() as dir, Leat("run", job(dir, "follow", "delivery: exactly_once")) as run:
        asked = 0

        def answers(who, name):
            nonlocal asked
            order("follow", asked, who)
            asked += 1
            wait_for("an answer", lambda: len(results("follow")) == asked)
            return results("follow")[-1]["name"] == name

        assert answers("a", "Ada"), run.log
        BROKER.produce("follow.users", [user("a", "Anne"), user("b", None)])
        wait_for("the new name", lambda: answers("a", "Anne"))
        assert answers("b", "nobody"), run.log  # it was written behind the other
        assert run.stop() == 0, run.log


def test_a_record_that_cannot_be_read_is_said_with_its_place():
    topics("bad", policy="delete")  # a compacted one refuses records without a key
    BROKER.produce("bad.users", [user("a", "Ada"), ("b", "{broken"), (None, '{"name":"x"}'), user("c", "Cy")])
    order("bad", 1, "c")
    with folder() as dir:
        code, _, err = leat("run", job(dir, "bad"), "--until", "caught_up")
        assert code not in (0, 78) and "table 'users'" in err and "'bad.users/0'" in err, err
        code, _, err = leat("run", job(dir, "bad", "on_error: drop"), "--until", "caught_up")
        assert code == 0 and "a record that cannot be read is passed over" in err, err
    assert results("bad") == [{"n": 1, "name": "Cy"}]


def test_a_topic_that_is_not_there_is_waited_for():
    BROKER.topic("late.orders")
    BROKER.topic("late.out")
    order("late", 1, "a")
    with folder() as dir, Leat("run", job(dir, "late")) as run:
        run.wait_log("late.users")
        assert results("late") == []
        BROKER.topic("late.users")
        BROKER.produce("late.users", [user("a", "Ada")])
        wait_for("the answer", lambda: results("late"), 30)
        assert run.stop() == 0, run.log


def test_what_a_topic_cannot_be_is_an_error_of_the_file():
    with folder() as dir:
        file = job(dir, "wrong")
        text = pathlib.Path(file).read_text()
        pathlib.Path(file).write_text(text.replace("key: key", "key: name"))
        code, _, err = leat("check", file)
        assert code == 78 and "a topic's rows are found by the record's key" in err and "key: key" in err, err
        pathlib.Path(file).write_text(text.replace("topic: wrong.users", "topic: wrong.users, start: latest"))
        code, _, err = leat("check", file)
        assert code == 78 and "a table is read from the beginning of its topic" in err, err


def test_tests_of_a_pipeline_give_such_a_table_its_records():
    with folder() as dir:
        file = job(dir, "tested")
        with open(file, "a", encoding="utf-8") as f:
            f.write("""tests:
  - name: the last record of a key counts
    tables:
      users:
        - { key: a, value: { name: Ada } }
        - { key: b, value: { name: Bob } }
        - { key: a, value: { name: Anne } }
        - { key: b, value: null }
    batches:
      - orders: [{ n: 1, user: a }, { n: 2, user: b }]
    expect:
      out: [{ n: 1, name: Anne }, { n: 2, name: nobody }]
""")
        code, out, err = leat("test", file)
        assert code == 0, out + err


main(sys.modules[__name__])
