"""Jobs whose source has a store and whose lines end in files; one that keeps them in Kafka, and whether all of it is right."""
import collections
import pathlib

from leat_test import write


def kept_job(dir, name, brokers, source, store="replication_factor: 1", delivery="exactly_once"):
    return write(dir, "job.yaml", f"""leat: 1
name: {name}
delivery: {delivery}
batch: {{ every: 100ms }}
checkpoint: {{ dir: {dir}/state }}
connections:
  main: {{ kafka: {{ brokers: "{brokers}" }} }}
sources:
  in:
    {source}
    format: text
    store: {{ kafka: {{ use: main, {store} }} }}
sinks:
  out:
    from: in
    files: {{ path: "{dir}/out/{{file}}.txt" }}
    format: text
""")


def by_http(port):
    return f'http: {{ listen: "127.0.0.1:{port}", body: lines }}'


def by_socket(port):
    return f'socket: {{ listen: "127.0.0.1:{port}" }}'


def topic_of(name):
    return f"leat-store-{name}-in"


def lines_of(dir):
    """Of files that have their final names."""
    return [line for p in pathlib.Path(dir, "out").glob("[!.]*.txt")
            for line in p.read_text().splitlines()]


def out_is_the_topic(dir, broker, name, acknowledged):
    """All that was acknowledged is in the topic, and all that is there is in the outputs once."""
    stored = collections.Counter(broker.values(topic_of(name)))
    assert acknowledged <= set(stored), sorted(acknowledged - set(stored))[:9]
    assert collections.Counter(lines_of(dir)) == stored


def nothing_came_twice(dir):
    lines = lines_of(dir)
    assert len(lines) == len(set(lines)), "written twice, though leat had not been killed"
