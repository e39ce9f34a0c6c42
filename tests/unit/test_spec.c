/* Tests engine/plan/spec.c, spec_module.c and spec_names.c, over the files that they judge. */
#include "leat_test.h"
#include "pipeline_text.h"

/* clang-format off */
static const struct {
    const char *text, *says;
} broken[] = {
    {"name: x\n",
     "f.yaml: error: 'leat' is missing\n"
     "      = the first line says the version of the language: `leat: 1`\n"
     "f.yaml: error: a pipeline needs 'sources'\n"
     "f.yaml: error: a pipeline needs 'sinks'\n"
     "3 errors\n"},
    {"leat: 2\n"
     "name: p\n"
     "sources: { in: { memory: {} } }\n"
     "sinks: { out: { from: in, null: } }\n",
     "f.yaml:1:7: error: this version of leat reads files with 'leat: 1'\n"
     "    1 | leat: 2\n"
     "      |       ^\n"
     "      = leat\n"
     "1 error\n"},
    {"leat: 1\n"
     "name: Orders_1\n"
     "delivry: x\n"
     "sources: { in: { memory: {} } }\n"
     "sinks: { out: { from: in, null: } }\n",
     "f.yaml:2:7: error: a pipeline's name has small letters, digits and '-' only, at most 100\n"
     "    2 | name: Orders_1\n"
     "      |       ^~~~~~~~\n"
     "      = name\n"
     "f.yaml:3:1: error: unknown key 'delivry'\n"
     "    3 | delivry: x\n"
     "      | ^~~~~~~ did you mean 'delivery'?\n"
     "      = delivry\n"
     "2 errors\n"},
    {PIPELINE_HEAD
     "memory: 128\n"
     "batch: { every: 500, max_record: 2 }\n"
     "commit: { every: 1y }\n"
     "partitions: 0\n",
     "f.yaml:7:9: error: '128' needs a unit: 512KiB, 128MiB or 1GB\n"
     "    7 | memory: 128\n"
     "      |         ^~~\n"
     "      = memory\n"
     "f.yaml:8:17: error: '500' needs a unit: 500ms, 10s, 5m, 1h or 7d\n"
     "    8 | batch: { every: 500, max_record: 2 }\n"
     "      |                 ^~~\n"
     "      = batch.every\n"
     "f.yaml:8:22: error: unknown key 'max_record'\n"
     "    8 | batch: { every: 500, max_record: 2 }\n"
     "      |                      ^~~~~~~~~~ did you mean 'max_records'?\n"
     "      = batch.max_record\n"
     "f.yaml:9:18: error: '1y' is no duration, such as 500ms, 10s, 5m, 1h or 7d\n"
     "    9 | commit: { every: 1y }\n"
     "      |                  ^~\n"
     "      = commit.every\n"
     "f.yaml:10:13: error: 0 is outside 1 to 4096\n"
     "   10 | partitions: 0\n"
     "      |             ^\n"
     "      = partitions\n"
     "5 errors\n"},
    {PIPELINE_HEAD
     "delivery: exactly_once\n"
     "on_error: dlq\n"
     "http: { listen: x }\n"
     "dlq: { kafka: {} }\n",
     "f.yaml:7:11: error: exactly_once is not in this version; at_least_once is\n"
     "    7 | delivery: exactly_once\n"
     "      |           ^~~~~~~~~~~~\n"
     "      = delivery\n"
     "f.yaml:8:11: error: 'dlq' is not in this version\n"
     "    8 | on_error: dlq\n"
     "      |           ^~~\n"
     "      = on_error\n"
     "f.yaml:9:1: error: 'http' is not in this version\n"
     "    9 | http: { listen: x }\n"
     "      | ^~~~\n"
     "      = http\n"
     "f.yaml:10:1: error: 'dlq' is not in this version\n"
     "   10 | dlq: { kafka: {} }\n"
     "      | ^~~\n"
     "      = dlq\n"
     "4 errors\n"},
    {PIPELINE_HEAD
     "http: off\n"
     "x-anything: { whatever: 1 }\n"
     "batch:\n"
     "checkpoint: { dir: /tmp/x }\n",
     ""},
    {PIPELINE_HEAD
     "delivery: [a]\n"
     "on_error: {a: b}\n"
     "batch: fast\n",
     "f.yaml:7:11: error: 'delivery' takes one word, not a list\n"
     "    7 | delivery: [a]\n"
     "      |           ^\n"
     "      = delivery\n"
     "f.yaml:8:11: error: 'on_error' takes one word, not a map\n"
     "    8 | on_error: {a: b}\n"
     "      |           ^\n"
     "      = on_error\n"
     "f.yaml:9:8: error: expected a map of settings\n"
     "    9 | batch: fast\n"
     "      |        ^~~~\n"
     "      = batch\n"
     "3 errors\n"},
    {PIPELINE_HEAD
     "connections:\n"
     "  main: { kafka: { brokers: x } }\n"
     "  rab: kafka\n"
     "streams:\n"
     "  a: { from: in }\n",
     "f.yaml:9:3: error: a connection is one connector with its settings: { kafka: { ... } }\n"
     "    9 |   rab: kafka\n"
     "      |   ^~~\n"
     "      = connections.rab\n"
     "f.yaml:11:3: warning: nobody reads stream 'a'\n"
     "   11 |   a: { from: in }\n"
     "      |   ^\n"
     "      = streams.a\n"
     "1 error, 1 warning\n"},
    {"leat: 1\n"
     "name: p\n"
     "connections: { main: { kafka: { brokers: b } }, r: { rabbitmq: { host: h } } }\n"
     "sources:\n"
     "  a: { kafka: { use: mian, topic: t } }\n"
     "  b: { kafka: { use: r, topic: t } }\n"
     "  c: { kafka: { use: [main], topic: t } }\n"
     "  d: { kafka: { use: main, topic: t, on_lost: earlist }, max_record: 5 }\n"
     "sinks:\n"
     "  out: { from: [a, b, c, d], null: }\n",
     "f.yaml:5:22: error: there is no connection 'mian'\n"
     "    5 |   a: { kafka: { use: mian, topic: t } }\n"
     "      |                      ^~~~ did you mean 'main'?\n"
     "      = sources.a.kafka.use\n"
     "f.yaml:6:22: error: connection 'r' is for rabbitmq, not for kafka\n"
     "    6 |   b: { kafka: { use: r, topic: t } }\n"
     "      |                      ^\n"
     "      = sources.b.kafka.use\n"
     "f.yaml:7:22: error: 'use' takes the name of a connection\n"
     "    7 |   c: { kafka: { use: [main], topic: t } }\n"
     "      |                      ^\n"
     "      = sources.c.kafka.use\n"
     "f.yaml:8:47: error: 'earlist' is none of fail, earliest\n"
     "    8 |   d: { kafka: { use: main, topic: t, on_lost: earlist }, max_record: 5 }\n"
     "      |                                               ^~~~~~~ did you mean 'earliest'?\n"
     "      = sources.d.kafka.on_lost\n"
     "f.yaml:8:70: error: '5' needs a unit: 512KiB, 128MiB or 1GB\n"
     "    8 |   d: { kafka: { use: main, topic: t, on_lost: earlist }, max_record: 5 }\n"
     "      |                                                                      ^\n"
     "      = sources.d.max_record\n"
     "5 errors\n"},
    {"leat: 1\n"
     "name: p\n"
     "sources:\n"
     "  a: { kafka: {}, formt: json }\n"
     "  b: { rabbitmq: {}, store: disk }\n"
     "  c: { format: avro }\n"
     "  d: { kafka: {}, files: {}, format: { csv: { header: true }, json: } }\n"
     "  e: { kafka: {}, time: { lateness: 5 } }\n"
     "  f: { files: 5 }\n"
     "  g: text\n"
     "sinks:\n"
     "  out: { from: [a, b, c, d, e, f, g], null: }\n",
     "f.yaml:4:19: error: unknown key 'formt'\n"
     "    4 |   a: { kafka: {}, formt: json }\n"
     "      |                   ^~~~~ did you mean 'format'?\n"
     "      = sources.a.formt\n"
     "f.yaml:5:8: error: 'rabbitmq' is not in this version\n"
     "    5 |   b: { rabbitmq: {}, store: disk }\n"
     "      |        ^~~~~~~~\n"
     "      = sources.b.rabbitmq\n"
     "f.yaml:5:22: error: 'store' is not in this version\n"
     "    5 |   b: { rabbitmq: {}, store: disk }\n"
     "      |                      ^~~~~\n"
     "      = sources.b.store\n"
     "f.yaml:6:3: error: this source has no connector\n"
     "    6 |   c: { format: avro }\n"
     "      |   ^ such as `kafka: { brokers: ..., topic: ... }`\n"
     "      = sources.c\n"
     "f.yaml:6:16: error: 'avro' is not in this version\n"
     "    6 |   c: { format: avro }\n"
     "      |                ^~~~\n"
     "      = sources.c.format\n"
     "f.yaml:7:19: error: a source has one connector: 'kafka' is there already\n"
     "    7 |   d: { kafka: {}, files: {}, format: { csv: { header: true }, json: } }\n"
     "      |                   ^~~~~\n"
     "      = sources.d.files\n"
     "f.yaml:7:38: error: a format is a name, or a name with options: { csv: { header: true } }\n"
     "    7 |   d: { kafka: {}, files: {}, format: { csv: { header: true }, json: } }\n"
     "      |                                      ^\n"
     "      = sources.d.format\n"
     "f.yaml:8:19: error: 'at' is missing\n"
     "    8 |   e: { kafka: {}, time: { lateness: 5 } }\n"
     "      |                   ^~~~\n"
     "      = sources.e.time\n"
     "f.yaml:8:37: error: '5' needs a unit: 500ms, 10s, 5m, 1h or 7d\n"
     "    8 |   e: { kafka: {}, time: { lateness: 5 } }\n"
     "      |                                     ^\n"
     "      = sources.e.time.lateness\n"
     "f.yaml:9:15: error: 'files' takes a map of settings\n"
     "    9 |   f: { files: 5 }\n"
     "      |               ^\n"
     "      = sources.f.files\n"
     "f.yaml:10:3: error: 'g' takes a map of settings\n"
     "   10 |   g: text\n"
     "      |   ^\n"
     "      = sources.g\n"
     "11 errors\n"},
    {PIPELINE_HEAD
     "tables:\n"
     "  t: { kafka: { topic: x }, key: key }\n"
     "  u: { file: { path: x } }\n"
     "  v: { files: { path: x }, key: a }\n",
     "f.yaml:8:8: error: kafka tables are not in this version\n"
     "    8 |   t: { kafka: { topic: x }, key: key }\n"
     "      |        ^~~~~\n"
     "      = tables.t.kafka\n"
     "f.yaml:9:3: error: 'key' is missing\n"
     "    9 |   u: { file: { path: x } }\n"
     "      |   ^\n"
     "      = tables.u\n"
     "f.yaml:10:8: error: a table comes from a 'file', not from 'files'\n"
     "   10 |   v: { files: { path: x }, key: a }\n"
     "      |        ^~~~~ did you mean 'file'?\n"
     "      = tables.v.files\n"
     "3 errors\n"},
    {PIPELINE_HEAD
     "streams:\n"
     "  a:\n"
     "    from: ni\n"
     "    ops:\n"
     "      - filter: a\n"
     "        map: b\n"
     "      -\n"
     "      - []\n",
     "f.yaml:9:11: error: there is no source or stream 'ni'\n"
     "    9 |     from: ni\n"
     "      |           ^~\n"
     "      = streams.a.from\n"
     "f.yaml:12:9: error: one entry of 'ops' is one operator\n"
     "   12 |         map: b\n"
     "      |         ^~~ a `- ` is missing in front of it\n"
     "      = streams.a.ops[0].map\n"
     "f.yaml:12:15: error: an operator is due here: `- count`, or `- filter: EXPR`\n"
     "   12 |         map: b\n"
     "      |               ^\n"
     "      = streams.a.ops[1]\n"
     "f.yaml:14:9: error: an operator is due here: `- count`, or `- filter: EXPR`\n"
     "   14 |       - []\n"
     "      |         ^\n"
     "      = streams.a.ops[2]\n"
     "4 errors\n"},
    {PIPELINE_HEAD
     "streams:\n"
     "  a: { from: [b2, out] }\n"
     "  b2: { from: c2 }\n"
     "  c2: { from: a }\n"
     "  d: { from: d }\n",
     "f.yaml:8:15: error: streams read each other in a circle\n"
     "    8 |   a: { from: [b2, out] }\n"
     "      |               ^~\n"
     "      = streams.a.from[0]; 'a' reads 'b2' reads 'c2' reads 'a'\n"
     "f.yaml:8:19: error: 'out' is a sink; only sources and streams can be read\n"
     "    8 |   a: { from: [b2, out] }\n"
     "      |                   ^~~\n"
     "      = streams.a.from[1]\n"
     "f.yaml:11:14: error: streams read each other in a circle\n"
     "   11 |   d: { from: d }\n"
     "      |              ^\n"
     "      = streams.d.from; 'd' reads 'd'\n"
     "3 errors\n"},
    {PIPELINE_HEAD
     "streams:\n"
     "  a:\n"
     "    from: in\n"
     "    ops:\n"
     "      - window: { size: 1m, late: gone }\n"
     "      - count\n"
     "  b: { from: in, ops: [ { union: [ gone, a ] } ] }\n",
     "f.yaml:13:3: warning: nobody reads stream 'b'\n"
     "   13 |   b: { from: in, ops: [ { union: [ gone, a ] } ] }\n"
     "      |   ^\n"
     "      = streams.b\n"
     "1 warning\n"},
    {PIPELINE_HEAD
     "streams:\n"
     "  a:\n"
     "    from: in\n"
     "    ops:\n"
     "      - window: { size: 1m, late: b }\n"
     "      - count\n"
     "  b: { from: a }\n"
     "  in: { from: out }\n",
     "f.yaml:13:3: error: 'b' is the name of a late stream already\n"
     "   13 |   b: { from: a }\n"
     "      |   ^\n"
     "      = streams.b; sources, streams, late streams, tables and sinks share their names; the other is in line 11\n"
     "f.yaml:14:3: error: 'in' is the name of a source already\n"
     "   14 |   in: { from: out }\n"
     "      |   ^~\n"
     "      = streams.in; sources, streams, late streams, tables and sinks share their names; the other is in line 4\n"
     "f.yaml:14:15: error: 'out' is a sink; only sources and streams can be read\n"
     "   14 |   in: { from: out }\n"
     "      |               ^~~\n"
     "      = streams.in.from\n"
     "3 errors\n"},
    {PIPELINE_HEAD
     "streams:\n"
     "  a: { ops: { filter: x } }\n"
     "  b: { from: [], opss: [] }\n"
     "  c: { from: { x: y } }\n"
     "  d: 5\n",
     "f.yaml:8:3: error: 'from' is missing: which stream does this stream read?\n"
     "    8 |   a: { ops: { filter: x } }\n"
     "      |   ^\n"
     "      = streams.a\n"
     "f.yaml:8:3: warning: nobody reads stream 'a'\n"
     "    8 |   a: { ops: { filter: x } }\n"
     "      |   ^\n"
     "      = streams.a\n"
     "f.yaml:8:8: error: 'ops' takes a list\n"
     "    8 |   a: { ops: { filter: x } }\n"
     "      |        ^~~ put `- ` in front of each operator\n"
     "      = streams.a.ops\n"
     "f.yaml:9:3: warning: nobody reads stream 'b'\n"
     "    9 |   b: { from: [], opss: [] }\n"
     "      |   ^\n"
     "      = streams.b\n"
     "f.yaml:9:14: error: 'from' is an empty list\n"
     "    9 |   b: { from: [], opss: [] }\n"
     "      |              ^\n"
     "      = streams.b.from\n"
     "f.yaml:9:18: error: unknown key 'opss'\n"
     "    9 |   b: { from: [], opss: [] }\n"
     "      |                  ^~~~ did you mean 'ops'?\n"
     "      = streams.b.opss\n"
     "f.yaml:10:3: warning: nobody reads stream 'c'\n"
     "   10 |   c: { from: { x: y } }\n"
     "      |   ^\n"
     "      = streams.c\n"
     "f.yaml:10:14: error: 'from' takes a name or a list of names\n"
     "   10 |   c: { from: { x: y } }\n"
     "      |              ^\n"
     "      = streams.c.from\n"
     "f.yaml:11:3: error: 'd' takes a map of settings\n"
     "   11 |   d: 5\n"
     "      |   ^\n"
     "      = streams.d\n"
     "f.yaml:11:3: warning: nobody reads stream 'd'\n"
     "   11 |   d: 5\n"
     "      |   ^\n"
     "      = streams.d\n"
     "6 errors, 4 warnings\n"},
    {PIPELINE_HEAD
     "streams:\n"
     "  a:\n"
     "    from: in\n"
     "    ops:\n"
     "      - map_with_state: { init: x }\n"
     "      - join: { with: b }\n"
     "      - map: { lua: \"return x\" }\n"
     "      - filter: { module: \"a.so#b\" }\n"
     "      - transform: x\n",
     "f.yaml:8:3: warning: nobody reads stream 'a'\n"
     "    8 |   a:\n"
     "      |   ^\n"
     "      = streams.a\n"
     "f.yaml:11:9: error: 'map_with_state' is not in this version\n"
     "   11 |       - map_with_state: { init: x }\n"
     "      |         ^~~~~~~~~~~~~~\n"
     "      = streams.a.ops[0].map_with_state\n"
     "f.yaml:12:9: error: 'join' is not in this version\n"
     "   12 |       - join: { with: b }\n"
     "      |         ^~~~\n"
     "      = streams.a.ops[1].join\n"
     "f.yaml:13:16: error: 'lua' is not in this version\n"
     "   13 |       - map: { lua: \"return x\" }\n"
     "      |                ^~~\n"
     "      = streams.a.ops[2].map.lua\n"
     "f.yaml:14:19: error: 'module' is not in this version\n"
     "   14 |       - filter: { module: \"a.so#b\" }\n"
     "      |                   ^~~~~~\n"
     "      = streams.a.ops[3].filter.module\n"
     "f.yaml:15:9: error: 'transform' is not in this version\n"
     "   15 |       - transform: x\n"
     "      |         ^~~~~~~~~\n"
     "      = streams.a.ops[4].transform\n"
     "5 errors, 1 warning\n"},
    {"leat: 1\n"
     "name: p\n"
     "sources:\n"
     "  a: { mqtt: {} }\n"
     "  b: { zeromq: {} }\n"
     "  c: { flume: {} }\n"
     "sinks:\n"
     "  d: { from: [a, b, c], save_as_hadoop_files: {} }\n"
     "  e: { from: a, null: , format: { avro: { schema: x } } }\n"
     "  f: { null: }\n"
     "  g: { from: a }\n"
     "  h: { from: a, null: , key: x }\n",
     "f.yaml:4:8: error: 'mqtt' is not in this version\n"
     "    4 |   a: { mqtt: {} }\n"
     "      |        ^~~~\n"
     "      = sources.a.mqtt\n"
     "f.yaml:5:8: error: 'zeromq' is not in this version\n"
     "    5 |   b: { zeromq: {} }\n"
     "      |        ^~~~~~\n"
     "      = sources.b.zeromq\n"
     "f.yaml:6:8: error: 'flume' is not in this version\n"
     "    6 |   c: { flume: {} }\n"
     "      |        ^~~~~\n"
     "      = sources.c.flume\n"
     "f.yaml:8:25: error: 'save_as_hadoop_files' is not in this version\n"
     "    8 |   d: { from: [a, b, c], save_as_hadoop_files: {} }\n"
     "      |                         ^~~~~~~~~~~~~~~~~~~~\n"
     "      = sinks.d.save_as_hadoop_files\n"
     "f.yaml:9:35: error: 'avro' is not in this version\n"
     "    9 |   e: { from: a, null: , format: { avro: { schema: x } } }\n"
     "      |                                   ^~~~\n"
     "      = sinks.e.format.avro\n"
     "f.yaml:10:3: error: 'from' is missing: which stream does this sink read?\n"
     "   10 |   f: { null: }\n"
     "      |   ^\n"
     "      = sinks.f\n"
     "f.yaml:11:3: error: this sink has no connector\n"
     "   11 |   g: { from: a }\n"
     "      |   ^ such as `kafka: { brokers: ..., topic: ... }`\n"
     "      = sinks.g\n"
     "f.yaml:12:25: error: unknown key 'key'\n"
     "   12 |   h: { from: a, null: , key: x }\n"
     "      |                         ^~~\n"
     "      = sinks.h.key\n"
     "8 errors\n"},
    {"leat: 1\n"
     "name: p\n"
     "sources: [a]\n"
     "sinks:\n",
     "f.yaml: error: a pipeline needs 'sinks'\n"
     "f.yaml:3:10: error: 'sources' takes a map of names\n"
     "    3 | sources: [a]\n"
     "      |          ^\n"
     "      = sources\n"
     "2 errors\n"},
    {PIPELINE_HEAD
     "tests:\n"
     "  - name: t\n"
     "    clock: noon\n"
     "    batches:\n"
     "      - inn: []\n"
     "      - in: 5\n"
     "      - advance: 5\n"
     "      - { advance: 1s, in: [] }\n"
     "    tables: { none: [] }\n"
     "    expect:\n"
     "      ot: []\n"
     "      out: { contians: [] }\n",
     "f.yaml:9:12: error: a time is due here, such as 2026-01-01T10:00:00Z\n"
     "    9 |     clock: noon\n"
     "      |            ^~~~\n"
     "      = tests[0].clock\n"
     "f.yaml:11:9: error: there is no source 'inn'\n"
     "   11 |       - inn: []\n"
     "      |         ^~~ did you mean 'in'?\n"
     "      = tests[0].batches[0].inn\n"
     "f.yaml:12:13: error: a list of records is due here\n"
     "   12 |       - in: 5\n"
     "      |             ^\n"
     "      = tests[0].batches[1].in\n"
     "f.yaml:13:18: error: '5' needs a unit: 500ms, 10s, 5m, 1h or 7d\n"
     "   13 |       - advance: 5\n"
     "      |                  ^\n"
     "      = tests[0].batches[2].advance\n"
     "f.yaml:14:9: error: 'advance' stands alone: what comes then is the next batch\n"
     "   14 |       - { advance: 1s, in: [] }\n"
     "      |         ^\n"
     "      = tests[0].batches[3]\n"
     "f.yaml:15:15: error: there is no table 'none'\n"
     "   15 |     tables: { none: [] }\n"
     "      |               ^~~~\n"
     "      = tests[0].tables.none\n"
     "f.yaml:17:7: error: there is no sink or stream 'ot'\n"
     "   17 |       ot: []\n"
     "      |       ^~ did you mean 'out'?\n"
     "      = tests[0].expect.ot\n"
     "f.yaml:18:7: error: this expects nothing\n"
     "   18 |       out: { contians: [] }\n"
     "      |       ^~~ list, unordered, contains, count or errors\n"
     "      = tests[0].expect.out\n"
     "f.yaml:18:14: error: unknown key 'contians'\n"
     "   18 |       out: { contians: [] }\n"
     "      |              ^~~~~~~~ did you mean 'contains'?\n"
     "      = tests[0].expect.out.contians\n"
     "9 errors\n"},
    {PIPELINE_HEAD
     "tests:\n"
     "  - clock: 2026-01-01T10:00:00Z\n"
     "  - 5\n"
     "  - name: n\n"
     "    expect: { out: { count: -1, exact: maybe, list: [], contains: [] } }\n",
     "f.yaml:8:5: error: a test needs a name\n"
     "    8 |   - clock: 2026-01-01T10:00:00Z\n"
     "      |     ^~~~~\n"
     "      = tests[0]\n"
     "f.yaml:8:5: error: this test expects nothing: 'expect' is missing\n"
     "    8 |   - clock: 2026-01-01T10:00:00Z\n"
     "      |     ^~~~~\n"
     "      = tests[0]\n"
     "f.yaml:9:5: error: a test is a map: name, clock, batches, expect\n"
     "    9 |   - 5\n"
     "      |     ^\n"
     "      = tests[1]\n"
     "f.yaml:11:29: error: 'count' takes a number of records\n"
     "   11 |     expect: { out: { count: -1, exact: maybe, list: [], contains: [] } }\n"
     "      |                             ^~\n"
     "      = tests[2].expect.out.count\n"
     "f.yaml:11:40: error: 'exact' takes true or false\n"
     "   11 |     expect: { out: { count: -1, exact: maybe, list: [], contains: [] } }\n"
     "      |                                        ^~~~~\n"
     "      = tests[2].expect.out.exact\n"
     "f.yaml:11:57: error: one of list, unordered and contains is enough\n"
     "   11 |     expect: { out: { count: -1, exact: maybe, list: [], contains: [] } }\n"
     "      |                                                         ^~~~~~~~\n"
     "      = tests[2].expect.out.contains\n"
     "6 errors\n"},
    {PIPELINE_HEAD
     "description: \"${env:NOPE} ${file:/x}\"\n"
     "memory: \"${env:EMPTY:-5}\"\n"
     "partitions: \"${env:NOPE:?set it}\"\n"
     "commit: { every: \"${x}\" }\n"
     "checkpoint: { dir: \"${env:USER_NAME\" }\n",
     "f.yaml:7:15: error: environment variable 'NOPE' is not set\n"
     "    7 | description: \"${env:NOPE} ${file:/x}\"\n"
     "      |               ^~~~~~~~~~~~~~~~~~~~~~\n"
     "      = description\n"
     "f.yaml:8:10: error: '5' needs a unit: 512KiB, 128MiB or 1GB\n"
     "    8 | memory: \"${env:EMPTY:-5}\"\n"
     "      |          ^~~~~~~~~~~~~~~\n"
     "      = memory\n"
     "f.yaml:9:14: error: NOPE: set it\n"
     "    9 | partitions: \"${env:NOPE:?set it}\"\n"
     "      |              ^~~~~~~~~~~~~~~~~~~\n"
     "      = partitions\n"
     "f.yaml:10:19: error: '${x}' is neither ${env:NAME} nor ${file:/path}; a literal '${' is written '$${'\n"
     "   10 | commit: { every: \"${x}\" }\n"
     "      |                   ^~~~\n"
     "      = commit.every\n"
     "f.yaml:11:21: error: '${' without '}'; a literal '${' is written '$${'\n"
     "   11 | checkpoint: { dir: \"${env:USER_NAME\" }\n"
     "      |                     ^~~~~~~~~~~~~~~\n"
     "      = checkpoint.dir\n"
     "5 errors\n"},
    {PIPELINE_HEAD
     "x-c: &c { every: 5 }\n"
     "batch: *c\n"
     "commit: { <<: *c, evry: 1s }\n",
     "f.yaml:7:18: error: '5' needs a unit: 500ms, 10s, 5m, 1h or 7d\n"
     "    7 | x-c: &c { every: 5 }\n"
     "      |                  ^\n"
     "      = x-c.every\n"
     "f.yaml:9:19: error: unknown key 'evry'\n"
     "    9 | commit: { <<: *c, evry: 1s }\n"
     "      |                   ^~~~ did you mean 'every'?\n"
     "      = commit.evry\n"
     "2 errors\n"},
    {PIPELINE_HEAD
     "batch: { every: !duration 5s, max_records: '5', max_bytes: 5MB, trigger: onse }\n",
     "f.yaml:7:17: error: '!duration' is a YAML tag and means nothing here\n"
     "    7 | batch: { every: !duration 5s, max_records: '5', max_bytes: 5MB, trigger: onse }\n"
     "      |                 ^~~~~~~~~\n"
     "      = batch.every\n"
     "f.yaml:7:74: error: 'onse' is none of interval, caught_up, once\n"
     "    7 | batch: { every: !duration 5s, max_records: '5', max_bytes: 5MB, trigger: onse }\n"
     "      |                                                                          ^~~~ did you mean 'once'?\n"
     "      = batch.trigger\n"
     "2 errors\n"},
    {PIPELINE_HEAD "commit: { every: 1s }\n",
     "f.yaml:7:11: error: 'commit.every' is not in this version\n"
     "    7 | commit: { every: 1s }\n"
     "      |           ^~~~~ leave it out: every batch is committed by itself\n"
     "      = commit.every\n"
     "1 error\n"},
};
/* clang-format on */

static void check(const char *text, const char *says)
{
    struct pipeline_text p;

    pipeline_text_read(&p, text, strlen(text));
    if (strcmp(p.messages, says) != 0)
        printf("    expected:\n%s    got:\n%s", says, p.messages);
    CU_ASSERT_STRING_EQUAL(p.messages, says);
    pipeline_text_fini(&p);
}

static void all_mistakes_of_a_file_are_said_at_their_places(void)
{
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        check(broken[i].text, broken[i].says);
}

static void defaults_are_those_of_the_language(void)
{
    struct pipeline_text p;

    pipeline_text_read(&p, PIPELINE_HEAD, strlen(PIPELINE_HEAD));
    CU_ASSERT_STRING_EQUAL(p.messages, "");
    CU_ASSERT_EQUAL(p.spec.memory.bytes, 256 << 20);
    CU_ASSERT_EQUAL(p.spec.partitions, 16);
    CU_ASSERT_EQUAL(p.spec.batch.every.ms, 1000);
    CU_ASSERT_EQUAL(p.spec.commit.every.ms, 0);
    CU_ASSERT_EQUAL(p.spec.checkpoint.snapshot_every.ms, 60000);
    CU_ASSERT_PTR_NULL(p.spec.checkpoint.dir);
    CU_ASSERT_EQUAL(p.spec.sources->max_record.bytes, 1 << 20);
    CU_ASSERT_EQUAL(p.spec.sources->on_lost.index, 0);
    CU_ASSERT_PTR_NULL(p.spec.sources->format.name.ptr);
    CU_ASSERT_PTR_NULL(p.spec.sources->time.at);
    pipeline_text_fini(&p);
}

static void a_connection_is_merged_under_what_is_given(void)
{
    static const char text[] =
        "leat: 1\nname: p\n"
        "connections: { main: { kafka: { brokers: b, topic: of_all } } }\n"
        "sources: { in: { kafka: { use: main, topic: t, max_record: 2MiB } } }\n"
        "sinks: { out: { from: in, kafka: { use: main } } }\n";
    struct pipeline_text p;

    pipeline_text_read(&p, text, sizeof text - 1);
    CU_ASSERT_STRING_EQUAL(p.messages, "");
    const struct leat_node *in = p.spec.sources->connector.given;
    CU_ASSERT_EQUAL_FATAL(in->count, 2);
    CU_ASSERT(leat_slice_eq(leat_node_find(in, "topic")->text, LEAT_LIT("t")));
    CU_ASSERT(leat_slice_eq(leat_node_find(in, "brokers")->text, LEAT_LIT("b")));
    CU_ASSERT_EQUAL(p.spec.sources->max_record.bytes, 2 << 20);
    const struct leat_node *out = p.spec.sinks->connector.given;
    CU_ASSERT_EQUAL_FATAL(out->count, 2);
    CU_ASSERT(leat_slice_eq(leat_node_find(out, "topic")->text, LEAT_LIT("of_all")));
    pipeline_text_fini(&p);
}

static void a_stream_with_a_refused_operator_has_no_name_for_readers(void)
{
    static const char text[] =
        PIPELINE_HEAD "streams:\n"
                      "  a: { from: in, ops: [ count, { join: x }, count ] }\n"
                      "  b: { from: a, ops: [ { map: { lua: x } } ] }\n"
                      "  c: { from: in, ops: [ { map: { lua: x, y: z } } ] }\n";
    struct pipeline_text p;

    pipeline_text_read(&p, text, sizeof text - 1);
    CU_ASSERT_EQUAL(p.diags.errors, 2);
    const struct leat_spec_stream *a = p.spec.streams;
    CU_ASSERT_EQUAL(a->name.len, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a->ops);
    CU_ASSERT_PTR_NULL(a->ops->next);
    CU_ASSERT_EQUAL(a->next->name.len, 0);
    CU_ASSERT_EQUAL(a->next->next->name.len, 1);
    pipeline_text_fini(&p);
}

/* Memory and time stay small whatever the names do to each other. */
static void many_names_in_a_tangle_are_no_trouble(void)
{
    static char text[CONFIG_FILE_MAX];
    struct pipeline_text p;
    size_t n = (size_t)snprintf(text, sizeof text, PIPELINE_HEAD "streams:\n");

    for (int i = 0; i < 20000; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "  s%d: { from: s%d }\n", i,
                              (i * 7919 + 1) % 20000);
    pipeline_text_read(&p, text, n);
    CU_ASSERT(p.diags.errors > 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.messages, "streams read each other in a circle"));
    pipeline_text_fini(&p);
}

static void reading_survives_lack_of_memory(void)
{
    static const char text[] =
        PIPELINE_HEAD "connections: { m: { kafka: { brokers: b } } }\n"
                      "streams: { a: { from: in, ops: [ count ] } }\n"
                      "tests: [ { name: n, expect: { out: [ 1, { a: b } ] } } ]\n";

    LEAT_OOM_SWEEP {
        struct pipeline_text p;
        pipeline_text_read(&p, text, sizeof text - 1);
        CU_ASSERT_EQUAL(p.diags.errors > 0 || p.diags.no_memory, leat_oom_hit());
        pipeline_text_fini(&p);
    }
}

LEAT_TESTS("spec", T(all_mistakes_of_a_file_are_said_at_their_places),
           T(defaults_are_those_of_the_language), T(a_connection_is_merged_under_what_is_given),
           T(a_stream_with_a_refused_operator_has_no_name_for_readers),
           T(many_names_in_a_tangle_are_no_trouble), T(reading_survives_lack_of_memory))
