"""Pipelines that end-to-end tests run: one Kafka source, some operators, one sink."""
from leat_test import write

ALL = "      - filter: true\n"


def job(dir, name, brokers, source, sink, ops=ALL, source_more="format: json", more=""):
    """`source` is settings of the Kafka source; `sink`, `source_more` and `more` are YAML."""
    return write(dir, name + ".yaml", f"""leat: 1
name: {name}
batch: {{ every: 100ms }}
checkpoint: {{ dir: {dir}/state-{name} }}
connections:
  main:
    kafka: {{ brokers: "{brokers}" }}
{more}
sources:
  in:
    kafka: {{ use: main, {source} }}
    {source_more}
streams:
  s:
    from: in
    ops:
{ops}
sinks:
  out:
    from: s
{sink}
""")


def to_topic(topic, form="json"):
    return f"    kafka: {{ use: main, topic: {topic} }}\n    format: {form}\n"


def to_files(dir, roll=""):
    roll = f", roll: {{ {roll} }}" if roll else ""
    return f"    files: {{ path: \"{dir}/{{file}}.jsonl\"{roll} }}\n    format: json\n"
