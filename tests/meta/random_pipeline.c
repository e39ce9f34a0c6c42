#include "random_pipeline.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* splitmix64 (Steele, Lea, Flood, 2014) */
uint64_t dice_next(struct dice *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t dice_below(struct dice *d, uint32_t n)
{
    return (uint32_t)(dice_next(d) % n);
}

bool dice_percent(struct dice *d, uint32_t percent)
{
    return dice_below(d, 100) < percent;
}

LEAT_PRINTF(2, 3) static void say(struct random_pipeline *p, const char *fmt, ...)
{
    size_t len = strlen(p->yaml);
    va_list args;

    va_start(args, fmt);
    vsnprintf(p->yaml + len, sizeof p->yaml - len, fmt, args);
    va_end(args);
}

static const char *one_of(struct dice *d, const char *const *list, uint32_t count)
{
    return list[dice_below(d, count)];
}

/* Fields k s (text), n m (int), x (double), l (list of int), ts stay what they are. */
static void row_op(struct dice *d, struct random_pipeline *p)
{
    static const char *const ops[] = {
        "filter: n % 3 != 1",
        "filter: x > 10.0 || k == \"k1\"",
        "filter: this.s.startsWith(\"a\") || n > 20",
        "set: { m: n * 2 + 1 }",
        "set: { n: n + size(l), s: s + k }",
        "map: { k: k, s: s, n: n + 1, m: m, x: x * 0.5, l: l, ts: ts }",
        "set: { x: x + double(n) }",
        "set: { z: n }\n      - unset: [z]",
        "set: { s: '\"a\" + string(n % 4)' }",
    };

    say(p, "      - %s\n", one_of(d, ops, sizeof ops / sizeof *ops));
}

static void key_op(struct dice *d, struct random_pipeline *p)
{
    static const char *const ops[] = {"key_by: k", "key_by: n % 5", "key_by: [k, s]",
                                      "key_by: { a: k, b: n % 2 == 0 }", "key_by: s"};

    say(p, "      - %s\n", one_of(d, ops, sizeof ops / sizeof *ops));
}

static void window(struct dice *d, struct random_pipeline *p)
{
    static const char *const event[] = {
        "{ size: 10s }",
        "{ size: 10s, slide: 5s }",
        "{ size: 7s, slide: 3s }",
        "{ size: 1m, slide: 2s }",
        "{ session: 2s }",
        "{ session: 5s }",
        "{ size: 1h, offset: 7m }",
        "{ size: 3s, slide: 10s }",
        "{ size: 1d, zone: Europe/Paris }",
    };
    static const char *const batch[] = {"{ size: 3s }", "{ size: 3s, slide: 1s }",
                                        "{ size: 4s, slide: 2s }"};

    say(p, "      - window: %s\n",
        p->event_time ? one_of(d, event, sizeof event / sizeof *event)
                      : one_of(d, batch, sizeof batch / sizeof *batch));
}

static void aggregate(struct dice *d, struct random_pipeline *p)
{
    static const char *const functions[] = {
        "count()",          "count_if(n > 3)",
        "sum(n)",           "sum(x)",
        "avg(x)",           "min(n)",
        "max(x)",           "min(s)",
        "stddev(x)",        "variance(x)",
        "any(n > 30)",      "all(n > 1)",
        "first(n)",         "last(s)",
        "sum(n) / count()", "count_distinct(s)",
        "top(n, 3)",        "collect(n, 5)",
        "min_by(s, n)",     "max_by(n, x)",
        "quantile(x, 0.5)", "count_distinct(n, \"approx\")",
        "max(n) - min(n)",
    };
    uint32_t count = 1 + dice_below(d, 4);

    say(p, "      - aggregate:\n");
    for (uint32_t i = 0; i < count; i++)
        say(p, "          r%u: %s\n", i,
            one_of(d, functions, sizeof functions / sizeof *functions));
}

/* What order rows of a key come in is defined only where there is event time. */
static void keyed_op(struct dice *d, struct random_pipeline *p, bool has_key)
{
    static const char *const plain[] = {"count", "map: s\n      - count_by_value",
                                        "distinct: { by: s }", "map: n\n      - reduce: a + b",
                                        "map: k\n      - count_by_value"};
    static const char *const keyed[] = {
        "map: n\n      - reduce_by_key: a + b",
        "map: s\n      - reduce_by_key: \"a < b ? a : b\"",
        "map: n\n      - combine_by_key: { create: \"[this, 1]\", merge_value: \"[acc[0] + this, "
        "acc[1] "
        "+ 1]\", merge: \"[a[0] + b[0], a[1] + b[1]]\", result: \"acc[0]\" }",
    };

    if (dice_percent(d, 55))
        aggregate(d, p);
    else if (has_key && dice_percent(d, 60))
        say(p, "      - %s\n", one_of(d, keyed, sizeof keyed / sizeof *keyed));
    else if (has_key && p->event_time && dice_percent(d, 40))
        say(p, "      - map: n\n      - group_by_key\n");
    else
        say(p, "      - %s\n", one_of(d, plain, sizeof plain / sizeof *plain));
}

static void second_op(struct dice *d, struct random_pipeline *p)
{
    static const char *const ops[] = {"count", "aggregate:\n          again: count()",
                                      "map: 1\n      - count_by_value", "repartition: 3"};

    say(p, "      - %s\n", one_of(d, ops, sizeof ops / sizeof *ops));
}

/* ---- state per key */

/* What is left of a key is told when it times out: the same wherever batches end, if records come
 * in the order of their times. */
static void visits(struct dice *d, struct random_pipeline *p)
{
    say(p,
        "      - map_with_state: { init: { n: 0, sum: 0, last: ts }, update: { n: state.n + 1, "
        "sum: state.sum + n, last: ts }, timeout: %us, on_timeout: { s: string(state.n), k: "
        "'state.n > 3 ? \"k1\" : \"\"', n: state.sum, x: 0.5, m: state.n, l: '[1]', ts: state.last "
        "} }\n",
        1 + dice_below(d, 20));
}

static void state_op(struct dice *d, struct random_pipeline *p)
{
    static const char *const ops[] = {
        "update_state_by_key: { update: \"values.map(v, v.n).sum() + default(state, 0)\" }",
        "update_state_by_key: { update: \"default(state, []) + values.map(v, v.s)\", ttl: 5s }",
        "update_state_by_key: { update: \"values.size() + default(state, 0) > 9 ? null : "
        "values.size() + default(state, 0)\" }",
        "update_state_by_key: { keys: all, update: \"values.size() == 0 && state.idle == 2 ? null "
        ": "
        "{ 'n': values.map(v, v.n).sum() + (state == null ? 0 : state.n), 'idle': values.size() == "
        "0 ? state.idle + 1 : 0 }\" }",
        "update_state_by_key: { keys: all, ttl: 3s, update: \"values.map(v, v.x).sum() + "
        "double(default(state, 0))\" }",
        "map_with_state: { init: { n: 0, all: \"''\" }, update: { n: state.n + n, all: state.all + "
        "s }, emit: { n: state.n, before: prev.n, all: state.all, s: s, k: k } }",
        "map_with_state: { init: { first: n, c: 0 }, update: { c: state.c + 1, last: x }, emit: "
        "state, when: state.c % 2 == 1, remove: state.c > 6 || n % 11 == 0 }",
        "map_with_state: { init: { list: '[n]' }, update: { list: 'n > 35 ? [n] : state.list + "
        "[n]' }, "
        "emit: \"[size(state.list), n]\", timeout: 3s, on_timeout: state.list }",
        "map_with_state: { init: { n: 0 }, update: { n: state.n + 1 }, timeout: 2s, emit: '{ "
        "\"k\": "
        "key, \"n\": state.n, \"b\": meta.batch_time }', on_timeout: { k: key, gone: state } }",
    };

    p->by_batch = true;
    say(p, "      - %s\n", one_of(d, ops, sizeof ops / sizeof *ops));
    if (dice_percent(d, 30))
        say(p, "      - window: { size: 4s }\n      - aggregate:\n          again: count()\n");
}

/* ---- rough ones: late records, early results, inverses, cascades */

static void rough_window(struct dice *d, struct random_pipeline *p)
{
    static const char *const event[] = {
        "size: 10s",   "size: 10s, slide: 5s", "size: 7s, slide: 3s", "size: 1m, slide: 2s",
        "session: 2s", "session: 5s",          "size: 3s, slide: 10s"};
    static const char *const batch[] = {"size: 3s", "size: 3s, slide: 1s", "size: 4s, slide: 2s",
                                        "session: 2s"};
    bool early = dice_percent(d, 40);

    p->has_late = p->event_time && dice_percent(d, 50);
    say(p, "      - window: { %s%s%s }\n",
        p->event_time ? one_of(d, event, sizeof event / sizeof *event)
                      : one_of(d, batch, sizeof batch / sizeof *batch),
        p->has_late ? ", late: too_late" : "",
        !early                ? ""
        : dice_percent(d, 50) ? ", emit: { every: 1s }"
                              : ", emit: { every: 3s }");
}

static void inverse_op(struct dice *d, struct random_pipeline *p, bool has_key)
{
    static const char *const keyed[] = {
        "map: n\n      - reduce_by_key_and_window: { size: 10s, slide: 2s, reduce: a + b, "
        "inverse: a - b }",
        "map: n\n      - reduce_by_key_and_window: { size: 4s, slide: 4s, reduce: a + b, "
        "inverse: a - b, filter: value > 0 }",
        "map: n\n      - reduce_by_key_and_window: { size: 5s, slide: 1s, reduce: a + b, "
        "inverse: a - b, filter: value > 20 }",
        "map: double(n) * 0.25\n      - reduce_by_key_and_window: { size: 6s, slide: 2s, reduce: a "
        "+ b, "
        "inverse: a - b }",
        "map: n\n      - group_by_key_and_window: { size: 4s, slide: 2s, max: 3 }\n"
        "      - map: size(this)",
    };
    static const char *const plain[] = {
        "count_by_window: { size: 5s, slide: 1s }",
        "count_by_window: { size: 4s }",
        "map: s\n      - count_by_value_and_window: { size: 8s, slide: 2s }",
        "map: n\n      - reduce_by_window: { size: 3s, slide: 1s, reduce: a + b, inverse: a - b }",
        "map: n\n      - reduce_by_window: { size: 3s, slide: 1s, reduce: \"a > b ? a : b\" }",
    };

    if (has_key && dice_percent(d, 60))
        say(p, "      - %s\n", one_of(d, keyed, sizeof keyed / sizeof *keyed));
    else
        say(p, "      - %s\n", one_of(d, plain, sizeof plain / sizeof *plain));
}

static void distinct_op(struct dice *d, struct random_pipeline *p)
{
    static const char *const ops[] = {"distinct: { by: s, within: 2s }",
                                      "distinct: { by: k, within: 5s }",
                                      "distinct: { by: n, within: 30s }"};

    say(p, "      - %s\n", one_of(d, ops, sizeof ops / sizeof *ops));
}

static void rough_ops(struct dice *d, struct random_pipeline *p, bool has_key)
{
    uint32_t kind = dice_below(d, 100);
    bool windowed = false;

    if (has_key && dice_percent(d, 30)) {
        state_op(d, p);
        return;
    }
    if (kind < 20) {
        distinct_op(d, p);
        kind = dice_below(d, 100);
    }
    if (kind < 60) {
        rough_window(d, p);
        keyed_op(d, p, has_key);
        windowed = true;
    } else if (kind < 85) {
        inverse_op(d, p, has_key);
        windowed = true;
    } else if (!p->event_time) {
        keyed_op(d, p, has_key);
    }
    /* Batches' windows are multiples of the slide of those before them, which is up to 4 s. */
    if (windowed && dice_percent(d, 40))
        say(p, "      - window: { size: %s }\n      - aggregate:\n          again: count()\n",
            p->event_time         ? dice_percent(d, 50) ? "20s" : "6s, slide: 3s"
            : dice_percent(d, 50) ? "12s"
                                  : "24s, slide: 12s");
    else if (windowed && dice_percent(d, 25))
        second_op(d, p);
}

/* ---- joins */

static const char *join_window(struct dice *d, const struct random_pipeline *p, bool waits)
{
    static const char *const event[] = {"size: 10s", "size: 10s, slide: 5s", "size: 7s, slide: 3s",
                                        "size: 3s, slide: 10s", "session: 2s"};
    static const char *const batch[] = {"size: 3s", "size: 3s, slide: 1s", "size: 4s, slide: 2s"};

    return p->event_time ? one_of(d, event, waits ? 4 : 5) : one_of(d, batch, 3);
}

static void join_op(struct dice *d, struct random_pipeline *p, bool may_group, const char *more)
{
    static const char *const ops[] = {"join", "left_outer_join", "right_outer_join",
                                      "full_outer_join"};

    if (may_group && dice_percent(d, 25))
        say(p, "      - cogroup: { with: other, as: [a, b] }\n");
    else
        say(p, "      - %s: { with: other, as: [a, b]%s }\n", one_of(d, ops, 4), more);
}

/* Two streams of one source or of two, in a batch or window, behind windows, or near each other. */
static void join_streams(struct dice *d, struct random_pipeline *p)
{
    static const char *const keys[] = {"n", "[k, s]", "\"string(n % 10)\"", "{ a: k, b: n % 7 }"};
    static const char *const values[] = {"n", "{ n: n, s: s }", "s", "x"};
    static const char *const nears[] = {", within: 500ms", ", within: 2s", ", within: 7s"};
    const char *from = p->sources == 2 ? "in2" : "in", *key = one_of(d, keys, 4);
    uint32_t kind = dice_below(d, 3);
    bool behind = kind == 1, near = kind == 2,
         pending = kind == 0 && (p->event_time || dice_percent(d, 50));
    const char *window = join_window(d, p, behind && p->sources == 2);

    say(p, "  other:\n    from: %s\n    ops:\n", from);
    if (dice_percent(d, 30))
        row_op(d, p);
    say(p, "      - key_by: %s\n", key);
    if (behind)
        say(p, "      - window: { %s }\n      - aggregate: { c: count(), m: max(n) }\n", window);
    else
        say(p, "      - map: %s\n", one_of(d, values, 4));
    say(p, "  out:\n    from: in\n    ops:\n");
    if (dice_percent(d, 50))
        say(p, "      - filter: n %% 3 != 1\n");
    say(p, "      - key_by: %s\n", key);
    if (behind || pending)
        say(p, "      - window: { %s%s }\n", window,
            p->rough && pending && dice_percent(d, 30) ? ", emit: { every: 2s }" : "");
    if (behind)
        say(p, "      - aggregate: { r: sum(n) }\n");
    else
        say(p, "      - map: %s\n", one_of(d, values, 4));
    join_op(d, p, !near && p->event_time, near ? one_of(d, nears, 3) : "");
    if (p->event_time && near && dice_percent(d, 30))
        say(p, "      - window: { size: 10s }\n      - aggregate: { again: count() }\n");
    else if (dice_percent(d, 30))
        say(p, "      - map: { b: b, a: a }\n");
}

/* A call of the dice for each statement: arguments are worked out in an order of the compiler's. */
void random_row(struct dice *d, const struct random_pipeline *p, uint32_t keys, uint64_t ts,
                struct random_row *r)
{
    uint32_t n = dice_below(d, 40);
    uint32_t items = dice_below(d, 4);
    char list[32] = "";

    for (uint32_t i = 0; i < items; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%u", i ? "," : "",
                 dice_below(d, 9));
    r->part = dice_below(d, p->parts);
    r->source = p->sources == 2 ? dice_below(d, 2) : 0;
    snprintf(r->key, sizeof r->key, "p%u", n % 3);
    uint32_t hundredths = dice_below(d, 100);
    uint32_t x = dice_below(d, 100);
    int m = (int)dice_below(d, 100) - 50;
    uint32_t digit = dice_below(d, 5);
    char letter = "abc"[dice_below(d, 3)];
    uint32_t key = dice_below(d, keys);
    snprintf(r->value, sizeof r->value,
             "{\"k\":\"k%u\",\"s\":\"%c%u\",\"n\":%u,\"m\":%d,\"x\":%u.%02u,\"l\":[%s],"
             "\"ts\":%llu,\"extra\":null}",
             key, letter, digit, n, m, x, hundredths, list, (unsigned long long)ts);
}

static void rows(struct dice *d, struct random_pipeline *p, uint32_t disorder_ms)
{
    uint32_t keys = 1 + dice_below(d, 12);
    uint64_t ts = 1700000000000u + dice_below(d, 100000);

    p->parts = 1 + dice_below(d, 4);
    p->rows_count = p->joins             ? 1 + dice_below(d, 200)
                    : dice_percent(d, 4) ? 3000 + dice_below(d, 2500)
                                         : 1 + dice_below(d, 300);
    for (uint32_t i = 0; i < p->rows_count; i++) {
        ts += dice_percent(d, 3) ? dice_below(d, 20000) : dice_below(d, 400);
        random_row(d, p, keys, ts - (disorder_ms ? dice_below(d, disorder_ms) : 0), &p->rows[i]);
    }
}

static void source(struct dice *d, struct random_pipeline *p, const char *name,
                   uint32_t disorder_ms)
{
    say(p, "  %s:\n    kafka: { brokers: b, topic: t }\n    format: json\n", name);
    if (p->event_time)
        say(p, "    time: { at: fromMillis(ts), lateness: %ums }\n",
            p->rough ? dice_below(d, disorder_ms + 1) : disorder_ms);
    if (dice_percent(d, 50))
        say(p,
            "    schema: { k: string, s: string, n: int, m: int, x: double, l: [int], ts: int }\n");
}

static void keyed_stream(struct dice *d, struct random_pipeline *p)
{
    bool has_key = dice_percent(d, 75), windowed = p->event_time || dice_percent(d, 50);

    say(p, "  out:\n    from: in\n    ops:\n");
    for (uint32_t i = dice_below(d, 3); i > 0; i--)
        row_op(d, p);
    if (has_key)
        key_op(d, p);
    if (p->rough) {
        rough_ops(d, p, has_key);
        return;
    }
    if (has_key && dice_percent(d, 15)) {
        state_op(d, p);
        return;
    }
    if (has_key && p->event_time && p->in_order && dice_percent(d, 20))
        visits(d, p);
    if (windowed)
        window(d, p);
    if (dice_percent(d, 30))
        row_op(d, p);
    keyed_op(d, p, has_key);
    if (dice_percent(d, 25))
        second_op(d, p);
}

void random_pipeline(struct dice *d, struct random_pipeline *p)
{
    uint32_t disorder_ms = dice_percent(d, 50) ? dice_below(d, 4000) : 0;

    p->yaml[0] = '\0';
    p->has_late = p->by_batch = false;
    p->in_order = disorder_ms == 0;
    p->event_time = dice_percent(d, 70);
    p->joins = dice_percent(d, 25);
    p->sources = p->joins ? 1 + dice_below(d, 2) : 1;
    say(p, "leat: 1\nname: random\npartitions: %u\nsources:\n", 1 + dice_below(d, 20));
    source(d, p, "in", disorder_ms);
    if (p->sources == 2)
        source(d, p, "in2", disorder_ms);
    say(p, "streams:\n");
    if (p->joins)
        join_streams(d, p);
    else
        keyed_stream(d, p);
    say(p, "sinks:\n  sink: { from: out, memory: {}, format: json }\n");
    if (p->has_late)
        say(p, "  late: { from: too_late, memory: {}, format: json }\n");
    rows(d, p, disorder_ms);
}
