#!/usr/bin/env python3
"""A C program with loadable modules between real brokers: from mosquitto, through Lua, to RabbitMQ."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from installed import Running, built, installed  # noqa: E402
from leat_test import ROOT, Skip, folder, main  # noqa: E402
from mqtt_test import Mosquitto, publish  # noqa: E402
from rabbit_test import Rabbit  # noqa: E402

MOSQUITTO, RABBIT = Mosquitto(), Rabbit()


def need(*modules):
    for name in modules:
        if not (installed() / "leat" / f"{name}.so").exists():
            raise Skip(f"this build has no module '{name}'")


def goes_through(static):
    need("mqtt", "lua", "sink-rabbitmq")
    name = "static" if static else "shared"
    with folder() as dir:
        RABBIT.queue(name)
        words = ["+set", f"modules={installed()}/leat", f"checkpoint.dir={dir}/state",
                 "+source", "mqtt", f"url={MOSQUITTO.url}", f"topics={name}/a", f"topics={name}/b/#", "qos=1",
                 f"client_id={name}", "format=json",
                 "+apply", "map", "lua=return { n = this.n * 2, topic = key }",
                 "+write", "rabbitmq", f"brokers={RABBIT.address}", f"routing_key={name}", "format=json"]
        with Running(built(ROOT / "tests/support/named_stages.c", static), dir, *words) as program:
            program.wait("the subscription", lambda: "receives from" in program.said())
            publish(MOSQUITTO.address, [(f"{name}/{t}", f'{{"n":{n}}}') for n in range(200) for t in ("a", "b/c")])
            program.wait("400 messages in the queue", lambda: RABBIT.ready(name) >= 400)
            program.stop()
        taken = [json.loads(body) for _, _, body in RABBIT.take(name)]
    assert {(m["topic"], m["n"]) for m in taken} == \
        {(f"{name}/{t}", 2 * n) for n in range(200) for t in ("a", "b/c")}, taken[:5]


def test_messages_go_from_mqtt_through_lua_to_rabbitmq():
    goes_through(static=False)


def test_they_do_in_a_program_that_holds_the_library():
    goes_through(static=True)


if __name__ == "__main__":
    main(sys.modules[__name__])
