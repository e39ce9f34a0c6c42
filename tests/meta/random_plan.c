#include "random_plan.h"

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Pairs of rows that a join may have in all: they are in memory at once when windows end together.
 */
#define PAIRS_MAX 50000

#define REC        "k: k, s: s, m: m, x: x, l: l, ts: ts"
#define ELEMENT(n) "{'k': k, 's': s, 'n': " n ", 'm': m, 'x': x, 'l': l, 'ts': ts}"

const char random_plan_table[] = "k,w\nk0,1\nk1,2\nk2,3\nk4,5\nk7,8\nk9,10\n";

static const char *one_of(struct dice *d, const char *const *list, size_t count)
{
    return list[dice_below(d, (uint32_t)count)];
}

#define ONE_OF(d, list) one_of(d, list, sizeof(list) / sizeof *(list))

LEAT_PRINTF(3, 4) static void add(struct plan_stream *s, bool cut, const char *fmt, ...)
{
    struct plan_op *op = &s->ops[s->count++];
    va_list args;

    va_start(args, fmt);
    vsnprintf(op->text, sizeof op->text, fmt, args);
    va_end(args);
    op->cut = cut;
}

/* ---- row by row: fields k s (text), n m (int), x (double), l (list of int), ts stay */

static void flat_op(struct dice *d, struct random_plan *plan, struct plan_stream *s)
{
    static const struct {
        const char *text;
        uint32_t copies;
    } several[] = {
        {"flat_map: \"l.map(v, " ELEMENT("n + v") ")\"", 3},
        {"flat_map: \"[this, " ELEMENT("n * 2") "]\"", 2},
    };

    if (dice_percent(d, 50)) {
        add(s, true, "flat_map: \"n %% 4 != 2 ? [this] : []\"");
        return;
    }
    uint32_t which = dice_below(d, 2);
    add(s, true, "%s", several[which].text);
    s->copies *= several[which].copies;
    plan->ties = true;
}

static void lookup_op(struct dice *d, struct plan_stream *s)
{
    bool drop = dice_percent(d, 50);

    add(s, true, "lookup: { table: regions, key: k, as: region, missing: %s }",
        drop ? "drop" : "keep");
    if (drop)
        add(s, true, "set: { n: \"n + region.w\" }");
    else
        add(s, true, "filter: \"region == null || region.w > 2\"");
    add(s, true, "unset: [region]");
}

static void row_op(struct dice *d, struct random_plan *plan, struct plan_stream *s)
{
    static const char *const ops[] = {
        "filter: n % 3 != 1",
        "filter: x > 10.0 || k == \"k1\"",
        "set: { m: n * 2 + 1 }",
        "set: { n: n + size(l), s: s + k }",
        "map: { n: n + 1, " REC " }",
        "set: { x: x + double(n) }",
        "set: { s: '\"a\" + string(n % 4)' }",
        "repartition: 3",
        "repartition: 7",
    };

    switch (dice_below(d, 5)) {
    case 0:
        flat_op(d, plan, s);
        return;
    case 1:
        lookup_op(d, s);
        return;
    default:
        add(s, true, "%s", ONE_OF(d, ops));
    }
}

static void key_ops(struct dice *d, struct random_plan *plan, struct plan_stream *s,
                    const char *key)
{
    static const char *const more[] = {
        "map_values: { n: n * 3, " REC " }",
        "flat_map_values: \"n % 5 == 0 ? [] : [this]\"",
        "filter: n != 7",
        "repartition: 2",
    };

    if (dice_percent(d, 30))
        add(s, true, "map_to_pair: { key: %s, value: { n: n, " REC " } }", key);
    else
        add(s, true, "key_by: %s", key);
    if (dice_percent(d, 30))
        add(s, true, "%s", ONE_OF(d, more));
    if (dice_percent(d, 8)) {
        add(s, true, "flat_map_values: \"[this, this]\"");
        s->copies *= 2;
        plan->ties = true;
    }
}

/* ---- per batch or window */

static void aggregate(struct dice *d, const struct random_plan *plan, struct plan_stream *s,
                      bool cut)
{
    static const char *const plain[] = {
        "count()",         "count_if(n > 3)",  "sum(n)",
        "sum(x)",          "avg(x)",           "min(n)",
        "max(x)",          "min(s)",           "stddev(x)",
        "variance(x)",     "any(n > 30)",      "all(n > 1)",
        "top(n, 3)",       "sum(n) / count()", "count_distinct(s)",
        "max(n) - min(n)", "quantile(x, 0.5)", "count_distinct(n, 'approx')",
    };
    static const char *const ordered[] = {"first(n)",   "last(s)",      "collect(n, 5)",
                                          "collect(s)", "min_by(s, n)", "max_by(n, x)"};
    char text[420] = "aggregate: { ";
    uint32_t count = 1 + dice_below(d, 4);

    for (uint32_t i = 0; i < count; i++) {
        size_t at = strlen(text);
        bool may = plan->rows.event_time && !plan->ties && dice_percent(d, 35);
        snprintf(text + at, sizeof text - at, "%sr%u: \"%s\"", i ? ", " : "", i,
                 may ? ONE_OF(d, ordered) : ONE_OF(d, plain));
    }
    add(s, cut, "%s }", text);
}

static void reduce_op(struct dice *d, const struct random_plan *plan, struct plan_stream *s,
                      bool keyed, bool cut)
{
    if (keyed && dice_percent(d, 30)) {
        add(s, cut, "map: n");
        add(s, cut, "reduce_by_key: a + b");
    } else if (keyed && dice_percent(d, 30)) {
        add(s, cut, "map: n");
        add(s, cut,
            "combine_by_key: { create: \"[this, 1]\", merge_value: \"[acc[0] + this, acc[1] "
            "+ 1]\", merge: \"[a[0] + b[0], a[1] + b[1]]\", result: \"acc\" }");
    } else if (keyed && plan->rows.event_time && !plan->ties && dice_percent(d, 50)) {
        add(s, cut, "map: n");
        add(s, cut, "group_by_key");
    } else if (dice_percent(d, 25)) {
        add(s, cut, "map: s");
        add(s, cut, "count_by_value");
    } else if (dice_percent(d, 25)) {
        add(s, cut, "map: n");
        add(s, cut, "reduce: a + b");
    } else if (!plan->ties && plan->rows.event_time && dice_percent(d, 25)) {
        add(s, cut, "distinct: { by: s }");
    } else if (!plan->ties && dice_percent(d, 25)) {
        add(s, cut, "sort_by: { by: ts, limit: 4, order: desc }");
    } else {
        add(s, cut, "count");
    }
}

static void whole_op(struct dice *d, const struct random_plan *plan, struct plan_stream *s,
                     bool keyed, bool cut)
{
    if (dice_percent(d, 50))
        aggregate(d, plan, s, cut);
    else
        reduce_op(d, plan, s, keyed, cut);
}

struct window_choice {
    const char *text;
    uint32_t overlap; /* windows that a time is in */
};

static const struct window_choice *window_size(struct dice *d, const struct random_plan *plan,
                                               bool sessions)
{
    static const struct window_choice event[] = {
        {"size: 10s", 1},
        {"size: 10s, slide: 5s", 2},
        {"size: 7s, slide: 3s", 3},
        {"size: 1m, slide: 2s", 30},
        {"size: 1h, offset: 7m", 1},
        {"size: 3s, slide: 10s", 1},
        {"size: 1d, zone: Europe/Paris", 1},
        {"session: 2s", 1},
        {"session: 5s", 1},
    };
    static const struct window_choice batch[] = {
        {"size: 3s", 1},
        {"size: 3s, slide: 1s", 3},
        {"size: 4s, slide: 2s", 2},
    };

    return plan->rows.event_time ? &event[dice_below(d, sessions ? 9 : 7)]
                                 : &batch[dice_below(d, 3)];
}

/* Operators with a window of their own. */
static void window_op(struct dice *d, struct plan_stream *s, bool keyed)
{
    static const char *const by_key[] = {
        "reduce: a + b",
        "reduce: a + b, inverse: a - b",
        "reduce: a + b, inverse: a - b, filter: value > 0",
        "reduce: \"a > b ? a : b\"",
    };
    static const char *const sizes[] = {"size: 10s, slide: 2s", "size: 4s", "size: 5s, slide: 1s"};
    const char *size = ONE_OF(d, sizes), *how;

    switch (dice_below(d, keyed ? 6 : 3)) {
    case 0:
        add(s, true, "count_by_window: { %s }", size);
        return;
    case 1:
        add(s, true, "map: s");
        add(s, true, "count_by_value_and_window: { %s }", size);
        return;
    case 2:
        add(s, true, "map: n");
        add(s, true, "reduce_by_window: { %s, %s }", size, one_of(d, by_key, 2));
        return;
    case 3:
        add(s, true, "map: s");
        add(s, true, "group_by_key_and_window: { %s }", size);
        add(s, true, "map: size(this)");
        return;
    default:
        add(s, true, "map: n");
        how = ONE_OF(d, by_key);
        add(s, true, "reduce_by_key_and_window: { %s, %s }", size, how);
    }
}

/* ---- state */

static void state_op(struct dice *d, struct random_plan *plan, struct plan_stream *s,
                     const struct plan_limits *limits)
{
    static const char *const any_order[] = {
        "update_state_by_key: { update: \"values.map(v, v.n).sum() + default(state, 0)\" }",
        "update_state_by_key: { update: \"values.size() + default(state, 0) > 9 ? null : "
        "values.size() + default(state, 0)\" }",
        "update_state_by_key: { keys: all, update: \"values.map(v, v.n).sum() + default(state, "
        "0)\" }",
        "update_state_by_key: { keys: all, ttl: 3s, update: \"values.map(v, v.x).sum() + "
        "double(default(state, 0))\" }",
    };
    static const char *const in_order[] = {
        "update_state_by_key: { update: \"default(state, []) + values.map(v, v.s)\", ttl: 5s }",
        "map_with_state: { init: { n: 0, all: \"''\" }, update: { n: state.n + n, all: state.all + "
        "s }, emit: { n: state.n, before: prev.n, all: state.all, s: s, k: k } }",
        "map_with_state: { init: { first: n, c: 0 }, update: { c: state.c + 1, last: x }, emit: "
        "state, when: state.c % 2 == 1, remove: state.c > 6 || n % 11 == 0 }",
        "map_with_state: { init: { list: '[n]' }, update: { list: 'n > 35 ? [n] : state.list + "
        "[n]' }, emit: \"[size(state.list), n]\", timeout: 3s, on_timeout: state.list }",
    };

    plan->one_batch = true;
    if (plan->rows.event_time && !plan->ties && dice_percent(d, 60))
        add(s, true, "%s", ONE_OF(d, in_order));
    else
        add(s, true, "%s", one_of(d, any_order, limits->sees_no_tick ? 2 : 4));
}

/* ---- two streams */

static void join_op(struct dice *d, struct random_plan *plan, struct plan_stream *s)
{
    static const char *const ops[] = {"join", "left_outer_join", "right_outer_join",
                                      "full_outer_join"};
    static const char *const near[] = {", within: 500ms", ", within: 2s", ", within: 7s"};
    bool within = dice_percent(d, 50), pending = !within && plan->rows.event_time;

    if (!within && !pending && dice_percent(d, 50))
        pending = true;
    plan->overlap = 1;
    if (pending) {
        const struct window_choice *window = window_size(d, plan, false);
        add(s, true, "window: { %s }", window->text);
        plan->overlap = window->overlap;
    }
    if (!within && !plan->ties && plan->rows.event_time && dice_percent(d, 30))
        add(s, false, "cogroup: { with: right, as: [a, b] }");
    else
        add(s, !pending, "%s: { with: right, as: [a, b]%s }", ONE_OF(d, ops),
            within ? ONE_OF(d, near) : "");
    if (dice_percent(d, 40))
        add(s, true, "map: { b: b, a: a }");
    else if (within && plan->rows.event_time && dice_percent(d, 50)) {
        add(s, true, "window: { size: 10s }");
        add(s, false, "aggregate: { again: count() }");
    }
    if (!plan->rows.event_time)
        plan->one_batch = true;
}

static void right_stream(struct dice *d, struct random_plan *plan, const char *key)
{
    struct plan_stream *s = &plan->streams[0];

    s->name = "right";
    s->copies = 1;
    s->from = plan->rows.sources == 2 ? "in2" : "in";
    for (uint32_t i = dice_below(d, 3); i > 0; i--)
        row_op(d, plan, s);
    add(s, true, "key_by: %s", key);
    plan->has_right = true;
}

/* ---- the whole */

static void behind(struct dice *d, const struct random_plan *plan, struct plan_stream *s)
{
    static const char *const ops[] = {"count", "aggregate: { again: count() }", "repartition: 3"};

    if (dice_percent(d, 20))
        add(s, true, "%s", ONE_OF(d, ops));
    else if (plan->rows.event_time && !plan->one_batch && dice_percent(d, 20)) {
        add(s, true, "window: { size: 20s }");
        add(s, false, "aggregate: { again: count() }");
    }
}

static void out_stream(struct dice *d, struct random_plan *plan, const struct plan_limits *limits)
{
    static const char *const keys[] = {"k", "\"string(n % 5)\"", "[k, s]",
                                       "{ a: k, b: n % 2 == 0 }", "s"};
    struct plan_stream *s = &plan->streams[1];
    const char *key = ONE_OF(d, keys);
    bool keyed = dice_percent(d, 80), join = keyed && dice_percent(d, 35);
    uint32_t kind = dice_below(d, 100);

    s->name = "out";
    s->copies = 1;
    s->from = plan->rows.sources == 2 && !join ? "[in, in2]" : "in";
    if (join)
        right_stream(d, plan, key);
    for (uint32_t i = dice_below(d, 4); i > 0; i--)
        row_op(d, plan, s);
    if (keyed)
        key_ops(d, plan, s, key);
    if (join && dice_percent(d, 15)) {
        add(s, true, "union: [right]");
        plan->ties = true;
        join = false;
    }
    if (!plan->ties && plan->rows.event_time && dice_percent(d, 15)) {
        add(s, true, "distinct: { by: s, within: 2s }");
        plan->one_batch = true;
    }
    if (join) {
        join_op(d, plan, s);
        return;
    }
    if (keyed && kind < 25) {
        state_op(d, plan, s, limits);
        return;
    }
    if (kind < 50) {
        window_op(d, s, keyed);
    } else if (plan->rows.event_time || dice_percent(d, 50)) {
        add(s, true, "window: { %s }", window_size(d, plan, true)->text);
        whole_op(d, plan, s, keyed, false);
    } else {
        whole_op(d, plan, s, keyed, true);
        return;
    }
    behind(d, plan, s);
}

/* So many that no join has more than PAIRS_MAX pairs, if all rows have one key and one window. */
static uint32_t most_rows(const struct random_plan *plan)
{
    uint64_t of_two = (uint64_t)plan->streams[0].copies * plan->streams[1].copies * plan->overlap;
    uint32_t most = 1;

    while ((most + 1) * (most + 1) * of_two <= PAIRS_MAX)
        most++;
    return most;
}

/* Times grow by a millisecond at least, then rows that are near each other change places. */
static void make_rows(struct dice *d, struct random_plan *plan)
{
    struct random_pipeline *p = &plan->rows;
    uint32_t keys = 1 + dice_below(d, 12), mixed = dice_percent(d, 50) ? 1 + dice_below(d, 8) : 0;
    uint64_t ts = 1700000000000u + dice_below(d, 100000), at[RANDOM_ROWS_MAX], greatest = 0;

    p->parts = 1 + dice_below(d, 4);
    p->rows_count = dice_percent(d, 3) && !plan->has_right ? 2500 : 1 + dice_below(d, 250);
    if (plan->overlap && p->rows_count > most_rows(plan))
        p->rows_count = most_rows(plan);
    for (uint32_t i = 0; i < p->rows_count; i++)
        at[i] = ts += 1 + (dice_percent(d, 3) ? dice_below(d, 20000) : dice_below(d, 400));
    for (uint32_t i = 0; mixed && i + mixed < p->rows_count; i++) {
        uint32_t other = i + dice_below(d, mixed + 1);
        uint64_t one = at[i];
        at[i] = at[other];
        at[other] = one;
    }
    plan->lateness_ms = 0;
    for (uint32_t i = 0; i < p->rows_count; i++) {
        if (at[i] > greatest)
            greatest = at[i];
        else if (greatest - at[i] > plan->lateness_ms)
            plan->lateness_ms = (uint32_t)(greatest - at[i]);
        random_row(d, p, keys, at[i], &p->rows[i]);
    }
}

void random_plan(struct dice *d, const struct plan_limits *limits, struct random_plan *plan)
{
    struct random_row *rows = plan->rows.rows;

    memset(plan, 0, sizeof *plan);
    plan->rows.rows = rows;
    plan->rows.event_time = limits->event_time || dice_percent(d, 75);
    plan->rows.sources = 1 + dice_below(d, 2);
    out_stream(d, plan, limits);
    make_rows(d, plan);
}

/* ---- as a file */

LEAT_PRINTF(2, 3) static void say(struct random_pipeline *p, const char *fmt, ...)
{
    size_t len = strlen(p->yaml);
    va_list args;

    va_start(args, fmt);
    vsnprintf(p->yaml + len, sizeof p->yaml - len, fmt, args);
    va_end(args);
}

static void render_source(struct random_plan *plan, const char *source, const char *name)
{
    struct random_pipeline *p = &plan->rows;

    say(p, "  %s:\n    ", name);
    for (const char *at = source; *at; at++)
        if (at[0] == '%' && at[1] == 's')
            say(p, "%s", name), at++;
        else
            say(p, "%c", *at);
    say(p, "\n    format: json\n");
    if (p->event_time)
        say(p, "    time: { at: fromMillis(ts), lateness: %ums }\n", plan->lateness_ms);
}

/* Where a stream may end, it does, and a sink may read it there, too. */
static void render_apart(struct dice *d, struct random_plan *plan, const struct plan_stream *s,
                         char *taps, size_t room)
{
    struct random_pipeline *p = &plan->rows;
    uint32_t part = 0, parts = 1;

    for (uint32_t i = 1; i < s->count; i++)
        parts += s->ops[i].cut;
    for (uint32_t i = 0; i < s->count; i++) {
        if (i == 0 || s->ops[i].cut) {
            char name[32] = "", from[32] = "";
            size_t at = strlen(taps);
            snprintf(from, sizeof from, "%s_%u", s->name, part++);
            snprintf(name, sizeof name, "%s_%u", s->name, part);
            say(p, "  %s:\n    from: %s\n    ops:\n", part == parts ? s->name : name,
                i ? from : s->from);
            if (part < parts && dice_percent(d, 60))
                snprintf(taps + at, room - at, "  tap_%s: { from: %s, null: {} }\n", name, name);
        }
        say(p, "      - %s\n", s->ops[i].text);
    }
}

static void render_stream(struct dice *d, struct random_plan *plan, const struct plan_stream *s,
                          enum plan_form form, char *taps, size_t room)
{
    struct random_pipeline *p = &plan->rows;

    if (form == PLAN_APART) {
        render_apart(d, plan, s, taps, room);
        return;
    }
    say(p, "  %s:\n    from: %s\n    ops:\n", s->name, s->from);
    for (uint32_t i = 0; i < s->count; i++) {
        if (form == PLAN_SPREAD && s->ops[i].cut && dice_percent(d, 50))
            say(p, "      - repartition: %u\n", 1 + dice_below(d, 9));
        say(p, "      - %s\n", s->ops[i].text);
    }
}

void random_plan_render(struct dice *d, struct random_plan *plan, enum plan_form form,
                        uint32_t partitions, const struct plan_ends *ends)
{
    char taps[1500] = "";
    struct random_pipeline *p = &plan->rows;

    p->yaml[0] = '\0';
    say(p, "leat: 1\nname: random\npartitions: %u\n%ssources:\n", partitions, ends->head);
    render_source(plan, ends->source, "in");
    if (p->sources == 2)
        render_source(plan, ends->source, "in2");
    say(p,
        "tables:\n  regions:\n    file: { path: %s }\n    format: { csv: { header: true } }\n"
        "    schema: { k: string, w: int }\n    key: k\n",
        ends->table);
    say(p, "streams:\n");
    if (plan->has_right)
        render_stream(d, plan, &plan->streams[0], form, taps, sizeof taps);
    render_stream(d, plan, &plan->streams[1], form, taps, sizeof taps);
    if (ends->keys_in_values)
        say(p, "  last:\n    from: out\n    ops:\n"
               "      - map_to_pair: { key: \"''\", value: { key: key, value: this } }\n");
    say(p, "sinks:\n  sink: { from: %s, %s, format: json }\n%s",
        ends->keys_in_values ? "last" : "out", ends->sink, taps);
}
