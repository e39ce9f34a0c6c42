"""The pipeline that is killed: three branches of one ledger, with windows, with state, with neither."""
import json
import pathlib

from checker import SLIDE_MS, WINDOW_MS

STREAMS = {
    "copies": """
  copies:
    from: ledger
    ops:
      - set: { batch: BATCH }
""",
    "balances": """
  balances:
    from: ledger
    ops:
      - set: { batch: BATCH }
      - key_by: account
      - map_with_state:
          init: { n: 0, total: 0 }
          update: { n: state.n + 1, total: state.total + amount }
          emit: { account: account, p: p, seq: seq, amount: amount, batch: batch, n: state.n, total: state.total }
""",
    "windows": f"""
  windows:
    from: ledger
    ops:
      - key_by: account
      - window: {{ size: {WINDOW_MS // 1000}s, slide: {SLIDE_MS // 1000}s }}
      - aggregate:
          n: count()
          total: sum(amount)
""",
}


def kafka(topic):
    return f"kafka: {{ use: main, topic: {topic} }}"


def kafka_source(topic):
    return f"kafka: {{ use: main, topic: {topic}, start: earliest }}"


def files_source(folder):
    return f'files: {{ path: "{folder}/ledger.jsonl", follow: true }}'


def files(folder, roll="", extension="jsonl"):
    roll = f", roll: {{ {roll} }}" if roll else ""
    return f'files: {{ path: "{folder}/{{file}}.{extension}"{roll} }}'


RECORD = {"type": "record", "name": "Copy", "fields": [
    *({"name": name, "type": "long"} for name in ("p", "seq", "amount", "t", "batch")),
    {"name": "account", "type": "string"}]}


def avro_files(folder, roll):
    """Container files of `copies`."""
    return files(folder, roll, "avro") + "\n    format: { avro: { framing: container, codec: deflate, " + \
        f"schema: '{json.dumps(RECORD)}' }} }}"


def write_job(folder, name, source, sinks, address="", delivery="exactly_once", batch="every: 50ms",
              more="", rdkafka="", names_batch=True):
    """`sinks` maps copies, balances and windows to the places they go to. `more` is YAML at the top,
    `rdkafka` settings of the connection. Without `names_batch` the output says nothing of batches,
    and so is the same however they were cut. The path of the file."""
    streams = "".join(STREAMS[branch] for branch in sinks)
    streams = streams.replace("BATCH", "meta.batch" if names_batch else "0")
    folder = pathlib.Path(folder)
    sink_text = ""
    for branch, places in sinks.items():
        for i, place in enumerate(places):
            form = "" if "format:" in place else "    format: json\n"
            sink_text += f"  {branch}_{i}:\n    from: {branch}\n    {place}\n{form}"
    connection = ""
    if address:
        connection = f'connections:\n  main:\n    kafka:\n      brokers: "{address}"\n'
        connection += f"      rdkafka: {{ {rdkafka} }}\n" if rdkafka else ""
    path = folder / f"{name}.yaml"
    path.write_text(f"""leat: 1
name: {name}
delivery: {delivery}
batch: {{ {batch} }}
checkpoint: {{ dir: {folder}/state-{name}, snapshot_every: 1s, keep: 10s }}
{more}
{connection}
sources:
  ledger:
    {source}
    format: json
    time: fromMillis(t)
    schema: {{ p: int, seq: int, account: string, amount: int, t: int }}
streams:{streams}
sinks:
{sink_text}""")
    return path
