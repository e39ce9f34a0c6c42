/* Tests of engine/op/join*.c: joins and cogroup by batch, by window, behind windows and within. */
#include "leat_test.h"
#include "pipeline.h"

#include <stdio.h>

static char out[1 << 16];

/* Two topics of records with a key k and a value v. `time` is said of both. */
static void open_two(struct pipeline *p, const char *time, const char *right, const char *left)
{
    static char yaml[4096];

    snprintf(yaml, sizeof yaml,
             "leat: 1\nname: t\nsources:\n"
             "  a: { kafka: { brokers: b, topic: a }, format: json%s }\n"
             "  b: { kafka: { brokers: b, topic: b }, format: json%s }\n"
             "streams:\n  right:\n    from: b\n    ops:\n      - key_by: k\n%s"
             "  s:\n    from: a\n    ops:\n      - key_by: k\n%s"
             "sinks:\n  out: { from: s, memory: {}, format: json }\n",
             time, time, right, left);
    pipeline_open(p, yaml, 1);
}

#define EVENT ", time: fromMillis(ts)"
#define V     "      - map: v\n"

static void row(struct pipeline *p, const char *source, const char *k, int v, int64_t ts)
{
    char text[80];

    snprintf(text, sizeof text, "{\"k\":\"%s\",\"v\":%d,\"ts\":%lld}", k, v, (long long)ts);
    pipeline_row(p, source, source[0] == 'a' ? "a/0" : "b/0", NULL, text, 0);
}

static const char *batch(struct pipeline *p, int64_t time_ms, bool close)
{
    CU_ASSERT_TRUE_FATAL(pipeline_batch(p, time_ms, close));
    return pipeline_output(p, "out", PIPELINE_KEYS, out, sizeof out);
}

/* ---- by batch */

static const char *joined_by_batch(const char *op)
{
    struct pipeline p;

    open_two(&p, "", V, op);
    row(&p, "a", "x", 1, 0);
    row(&p, "a", "x", 2, 0);
    row(&p, "a", "y", 3, 0);
    row(&p, "b", "x", 4, 0);
    row(&p, "b", "x", 5, 0);
    row(&p, "b", "z", 6, 0);
    batch(&p, 1000, false);
    char *first = out + strlen(out);
    row(&p, "b", "y", 7, 0); /* the other batch */
    CU_ASSERT_TRUE(pipeline_batch(&p, 2000, false));
    pipeline_output(&p, "out", PIPELINE_KEYS, first, sizeof out - (size_t)(first - out));
    pipeline_close(&p);
    return out;
}

static void a_join_gives_all_pairs_of_a_batch(void)
{
    CU_ASSERT_STRING_EQUAL(joined_by_batch(V "      - join: { with: right }\n"),
                           "x|{\"left\":1,\"right\":4}\nx|{\"left\":1,\"right\":5}\n"
                           "x|{\"left\":2,\"right\":4}\nx|{\"left\":2,\"right\":5}\n");
}

static void outer_joins_give_rows_of_their_side_alone_with_null(void)
{
    CU_ASSERT_STRING_EQUAL(joined_by_batch(V "      - filter: this != 1\n      - left_outer_join: "
                                             "{ with: right, as: [l, r] }\n"),
                           "x|{\"l\":2,\"r\":4}\nx|{\"l\":2,\"r\":5}\ny|{\"l\":3,\"r\":null}\n");
    CU_ASSERT_STRING_EQUAL(joined_by_batch(V "      - filter: this != 1\n      - right_outer_join: "
                                             "{ with: right, as: [l, r] }\n"),
                           "x|{\"l\":2,\"r\":4}\nx|{\"l\":2,\"r\":5}\nz|{\"l\":null,\"r\":6}\n"
                           "y|{\"l\":null,\"r\":7}\n");
    CU_ASSERT_STRING_EQUAL(joined_by_batch(V "      - filter: this != 1\n      - full_outer_join: "
                                             "{ with: right, as: [l, r] }\n"),
                           "x|{\"l\":2,\"r\":4}\nx|{\"l\":2,\"r\":5}\nz|{\"l\":null,\"r\":6}\n"
                           "y|{\"l\":3,\"r\":null}\ny|{\"l\":null,\"r\":7}\n");
}

static void cogroup_gives_the_lists_of_each_stream(void)
{
    CU_ASSERT_STRING_EQUAL(
        joined_by_batch(V "      - cogroup: { with: [right, right], as: [a, b, c] }\n"),
        "x|{\"a\":[1,2],\"b\":[4,5],\"c\":[4,5]}\nz|{\"a\":[],\"b\":[6],\"c\":[6]}\n"
        "y|{\"a\":[3],\"b\":[],\"c\":[]}\ny|{\"a\":[],\"b\":[7],\"c\":[7]}\n");
}

static void what_follows_sees_both_sides(void)
{
    CU_ASSERT_STRING_EQUAL(
        joined_by_batch("      - map: { n: v }\n      - join: { with: right, as: [l, r] }\n"
                        "      - filter: l.n > 1\n      - map: l.n + r\n"),
        "x|6\nx|7\n");
}

/* ---- by window */

static void a_window_before_it_is_one_for_both_streams(void)
{
    struct pipeline p;

    open_two(&p, EVENT, V, "      - window: { size: 10s }\n" V "      - join: { with: right }\n");
    row(&p, "a", "x", 1, 1000);
    row(&p, "b", "x", 2, 9999);
    row(&p, "b", "x", 3, 10000);
    CU_ASSERT_STRING_EQUAL(batch(&p, 1000, false), "");
    row(&p, "a", "x", 4, 12000);
    CU_ASSERT_STRING_EQUAL(batch(&p, 2000, false), "x|{\"left\":1,\"right\":2}\n");
    CU_ASSERT_STRING_EQUAL(batch(&p, 3000, true), "x|{\"left\":4,\"right\":3}\n");
    pipeline_close(&p);
}

#define PER_WINDOW "      - window: { size: 10s, slide: 5s }\n      - aggregate: { n: sum(v) }\n"

static void windows_of_two_sources_wait_for_each_other(void)
{
    struct pipeline p;

    open_two(&p, EVENT, PER_WINDOW,
             PER_WINDOW "      - full_outer_join: { with: right }\n"
                        "      - map:\n          l: left.?n.orValue(0)\n"
                        "          r: right.?n.orValue(0)\n          s: window.start.millis()\n"
                        "          e: window.end.millis()\n");
    row(&p, "a", "x", 1, 1000);
    row(&p, "a", "x", 2, 21000);
    row(&p, "b", "x", 10, 2000);
    /* a's windows are final, b's are not */
    CU_ASSERT_STRING_EQUAL(batch(&p, 1000, false), "");
    row(&p, "b", "x", 20, 7000);
    CU_ASSERT_STRING_EQUAL(batch(&p, 2000, false), "x|{\"l\":1,\"r\":10,\"s\":-5000,\"e\":5000}\n");
    row(&p, "b", "x", 30, 16000);
    CU_ASSERT_STRING_EQUAL(batch(&p, 3000, false), "x|{\"l\":1,\"r\":30,\"s\":0,\"e\":10000}\n"
                                                   "x|{\"l\":0,\"r\":20,\"s\":5000,\"e\":15000}\n");
    pipeline_close(&p);
}

/* ---- within */

static void records_meet_whose_times_are_close(void)
{
    struct pipeline p;

    open_two(&p, EVENT, V,
             V "      - join: { with: right, within: 5s }\n"
               "      - map: { l: left, r: right, t: meta.time.millis() }\n");
    row(&p, "a", "x", 1, 10000);
    CU_ASSERT_STRING_EQUAL(batch(&p, 1000, false), "");
    row(&p, "b", "x", 2, 4999); /* a hair too early */
    row(&p, "b", "x", 3, 5000);
    row(&p, "b", "y", 4, 10000);
    row(&p, "b", "x", 5, 15000);
    row(&p, "b", "x", 6, 15001);
    CU_ASSERT_STRING_EQUAL(batch(&p, 2000, false), "x|{\"l\":1,\"r\":3,\"t\":10000}\n"
                                                   "x|{\"l\":1,\"r\":5,\"t\":15000}\n");
    pipeline_close(&p);
}

static void a_record_without_partner_comes_out_once_when_none_can_come_any_more(void)
{
    struct pipeline p;

    open_two(&p, EVENT, V,
             V "      - full_outer_join: { with: right, within: 5s }\n"
               "      - map: { l: left, r: right, t: meta.time.millis() }\n");
    row(&p, "a", "x", 1, 10000);
    row(&p, "a", "x", 2, 11000);
    row(&p, "b", "x", 3, 6000); /* meets both but the second is 5 s away, so does not end early */
    batch(&p, 1000, false);
    CU_ASSERT_STRING_EQUAL(out,
                           "x|{\"l\":1,\"r\":3,\"t\":10000}\nx|{\"l\":2,\"r\":3,\"t\":11000}\n");
    row(&p, "a", "y", 4, 16000);
    row(&p, "b", "z", 5, 16000);
    CU_ASSERT_STRING_EQUAL(batch(&p, 2000, false), "");
    row(&p, "a", "w", 6, 21000);
    row(&p, "b", "w", 7, 21000); /* the watermark is where y and z may still meet one */
    CU_ASSERT_STRING_EQUAL(batch(&p, 3000, false), "w|{\"l\":6,\"r\":7,\"t\":21000}\n");
    row(&p, "a", "w", 8, 21001);
    row(&p, "b", "w", 9, 30000);
    CU_ASSERT_STRING_EQUAL(batch(&p, 4000, false), "w|{\"l\":8,\"r\":7,\"t\":21001}\n"
                                                   "z|{\"l\":null,\"r\":5,\"t\":21000}\n"
                                                   "y|{\"l\":4,\"r\":null,\"t\":21000}\n");
    CU_ASSERT_STRING_EQUAL(batch(&p, 5000, true), "w|{\"l\":null,\"r\":9,\"t\":35000}\n");
    pipeline_close(&p);
}

static void a_record_that_nothing_can_meet_is_late(void)
{
    struct pipeline p;

    open_two(&p, EVENT, V, V "      - left_outer_join: { with: right, within: 5s }\n");
    row(&p, "a", "x", 1, 20000);
    row(&p, "b", "x", 2, 20000);
    batch(&p, 1000, false);
    row(&p, "a", "x", 3, 14999); /* late */
    row(&p, "a", "x", 4, 15000); /* meets */
    CU_ASSERT_STRING_EQUAL(batch(&p, 2000, false), "x|{\"left\":4,\"right\":2}\n");
    CU_ASSERT_EQUAL(leat_driver_counts(p.driver).late, 1);
    pipeline_close(&p);
}

static void what_nothing_can_meet_is_forgotten(void)
{
    struct pipeline p;

    open_two(&p, EVENT, V, V "      - join: { with: right, within: 5s }\n");
    for (int i = 0; i < 1000; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        row(&p, i % 2 ? "a" : "b", key, i, i * 1000);
        if (i % 10 == 9)
            batch(&p, i, false);
    }
    CU_ASSERT(leat_driver_counts(p.driver).state_keys < 60);
    pipeline_close(&p);
}

/* Batch time: the time of a record is that of its batch. */
static void without_event_time_batches_are_close(void)
{
    struct pipeline p;

    open_two(&p, "", V, V "      - left_outer_join: { with: right, within: 2s }\n");
    row(&p, "a", "x", 1, 0);
    row(&p, "a", "y", 2, 0);
    CU_ASSERT_STRING_EQUAL(batch(&p, 1000, false), "");
    CU_ASSERT_STRING_EQUAL(batch(&p, 2000, false), "");
    row(&p, "b", "x", 3, 0);
    CU_ASSERT_STRING_EQUAL(batch(&p, 3000, false),
                           "x|{\"left\":1,\"right\":3}\ny|{\"left\":2,\"right\":null}\n");
    row(&p, "b", "x", 4, 0);
    CU_ASSERT_STRING_EQUAL(batch(&p, 4000, false), "");
    pipeline_close(&p);
}

/* What the log gets of the last batch, all state partitions together. */
static size_t changed_bytes(struct pipeline *p)
{
    struct leat_arena arena = {0};
    struct leat_error err;
    size_t sum = 0;

    for (uint32_t stage = 0; stage < p->plan->stages_count; stage++) {
        const struct leat_plan_node *n = &p->plan->stages[stage].nodes[0];
        for (uint32_t q = 0; !p->plan->stages[stage].from_source && q < p->plan->partitions; q++) {
            struct leat_state_part *s = leat_flow_state_part(leat_driver_flow(p->driver), stage, q);
            struct leat_bytes bytes = {.arena = &arena};
            if (s->memory)
                OK(n->op->state->append(n->plan, s->memory[0], &bytes, &err));
            sum += bytes.len;
        }
    }
    leat_arena_reset(&arena);
    return sum;
}

static void the_log_gets_what_changed_and_not_what_there_is(void)
{
    struct pipeline p;
    char text[2048];

    open_two(&p, EVENT, V, "      - left_outer_join: { with: right, within: 1h }\n");
    int len = snprintf(text, sizeof text, "{\"k\":\"long\",\"ts\":1000,\"v\":\"");
    memset(text + len, 'x', 1000);
    snprintf(text + len + 1000, sizeof text - (size_t)len - 1000, "\"}");
    pipeline_row(&p, "a", "a/0", NULL, text, 0);
    for (int i = 0; i < 5000; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        row(&p, "a", key, i, 1000 + i);
    }
    batch(&p, 1000, false);
    CU_ASSERT(changed_bytes(&p) > 100000);
    CU_ASSERT_EQUAL(changed_bytes(&p), 0);
    row(&p, "b", "k17", 1, 6000);
    batch(&p, 2000, false);
    size_t one = changed_bytes(&p);
    CU_ASSERT(one > 0 && one < 200);
    /* That the long one has met a row is told without its text. */
    row(&p, "b", "long", 1, 6000);
    batch(&p, 3000, false);
    size_t met = changed_bytes(&p);
    CU_ASSERT(met > 0 && met < 200);
    pipeline_close(&p);
}

/* ---- memory */

static enum leat_status feed(struct leat_driver *d, uint32_t source, uint32_t part,
                             const char *text, struct leat_error *err)
{
    const struct leat_row row = {.value = leat_slice_str(text)};

    return leat_driver_row(d, source, part, &row, err);
}

/* A pair, one that comes out alone, and the state as bytes and back. */
static enum leat_status run_once(const struct leat_plan *plan, struct leat_error *err)
{
    struct leat_arena arena = {0};
    struct leat_driver *d;
    uint32_t a, b;
    bool ran;

    if (leat_driver_new(plan, 1, 64 << 20, &d, err) != LEAT_OK ||
        leat_driver_part(d, 0, LEAT_LIT("a/0"), 0, &a, err) != LEAT_OK ||
        leat_driver_part(d, 1, LEAT_LIT("b/0"), 0, &b, err) != LEAT_OK ||
        feed(d, 0, a, "{\"k\":\"x\",\"v\":\"some text\",\"ts\":1000}", err) != LEAT_OK ||
        feed(d, 1, b, "{\"k\":\"x\",\"v\":[1,2],\"ts\":2000}", err) != LEAT_OK ||
        feed(d, 1, b, "{\"k\":\"y\",\"v\":3,\"ts\":2000}", err) != LEAT_OK ||
        leat_driver_batch(d, 1000, 1000, false, &ran, err) != LEAT_OK)
        goto done;
    for (uint32_t stage = 0; stage < plan->stages_count; stage++) {
        const struct leat_plan_node *n = &plan->stages[stage].nodes[0];
        for (uint32_t q = 0; !plan->stages[stage].from_source && q < plan->partitions; q++) {
            struct leat_state_part *s = leat_flow_state_part(leat_driver_flow(d), stage, q);
            struct leat_bytes bytes = {.arena = &arena};
            if (s->memory &&
                (n->op->state->append(n->plan, s->memory[0], &bytes, err) != LEAT_OK ||
                 n->op->state->snapshot(n->plan, s->memory[0], &bytes, err) != LEAT_OK))
                goto done;
        }
    }
    if (leat_driver_batch(d, 2000, 2000, true, &ran, err) == LEAT_OK)
        err->status = LEAT_OK;
done:
    leat_arena_reset(&arena);
    leat_driver_free(d);
    return err->status;
}

static void lack_of_memory_is_reported(void)
{
    struct pipeline p;

    open_two(&p, EVENT, V, V "      - full_outer_join: { with: right, within: 5s }\n");
    LEAT_OOM_SWEEP {
        struct leat_error err = {.status = LEAT_OK};
        enum leat_status status = run_once(p.plan, &err);
        CU_ASSERT(leat_oom_hit() ? status == LEAT_E_NOMEM || status == LEAT_E_FULL
                                 : status == LEAT_OK);
    }
    pipeline_close(&p);
}

/* ---- beside the definition, tried on every pair */

struct one {
    char side;
    int k, v;
    int64_t ts;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static size_t expect_pairs(const struct one *rows, int count, int64_t within_ms, char (*lines)[64])
{
    size_t n = 0;

    for (int i = 0; i < count; i++) {
        bool met = false;
        for (int k = 0; k < count; k++) {
            int64_t apart_ms = rows[i].ts - rows[k].ts;
            if (rows[i].side == rows[k].side || rows[i].k != rows[k].k || apart_ms > within_ms ||
                apart_ms < -within_ms)
                continue;
            met = true;
            if (rows[i].side == 'a')
                snprintf(lines[n++], 64, "k%d|{\"left\":%d,\"right\":%d}", rows[i].k, rows[i].v,
                         rows[k].v);
        }
        if (!met && rows[i].side == 'a')
            snprintf(lines[n++], 64, "k%d|{\"left\":%d,\"right\":null}", rows[i].k, rows[i].v);
        else if (!met)
            snprintf(lines[n++], 64, "k%d|{\"left\":null,\"right\":%d}", rows[i].k, rows[i].v);
    }
    qsort(lines, n, 64, by_text);
    return n;
}

static size_t split_lines(const char *text, char (*lines)[64], size_t n)
{
    for (const char *end; (end = strchr(text, '\n')); text = end + 1)
        snprintf(lines[n++], 64, "%.*s", (int)(end - text), text);
    return n;
}

static void pairs_are_those_of_the_definition(void)
{
    static char expected[8192][64], got[8192][64];
    uint64_t state = 12345;

    for (int round = 0; round < 300; round++) {
        struct one rows[60];
        struct pipeline p;
        size_t n = 0;
        int64_t ts = 0, within_ms = 500 * (1 + round % 7);
        char op[80];
        snprintf(op, sizeof op, V "      - full_outer_join: { with: right, within: %dms }\n",
                 (int)within_ms);
        open_two(&p, EVENT, V, op);
        for (int i = 0; i < 60; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            ts += (int64_t)(state >> 40) % 700;
            char key[8];
            rows[i] = (struct one){state >> 33 & 1 ? 'a' : 'b', (int)(state >> 36 & 3), i, ts};
            snprintf(key, sizeof key, "k%d", rows[i].k);
            row(&p, rows[i].side == 'a' ? "a" : "b", key, i, ts);
            if ((state >> 60) == 0)
                n = split_lines(batch(&p, i + 1, false), got, n);
        }
        n = split_lines(batch(&p, 100, true), got, n);
        qsort(got, n, 64, by_text);
        CU_ASSERT_EQUAL_FATAL(n, expect_pairs(rows, 60, within_ms, expected));
        for (size_t i = 0; i < n; i++)
            CU_ASSERT_STRING_EQUAL_FATAL(got[i], expected[i]);
        pipeline_close(&p);
    }
}

/* ---- what cannot mean anything */

static bool refused(const char *b, const char *ops, const char *why)
{
    static char yaml[4096], said[8192];

    snprintf(yaml, sizeof yaml,
             "leat: 1\nname: t\nsources:\n"
             "  a: { kafka: { brokers: b, topic: a }, format: json" EVENT
             ", schema: { k: string, v: int, ts: int } }\n"
             "  b: { kafka: { brokers: b, topic: b }, format: json%s"
             ", schema: { k: string, v: int, ts: int } }\n"
             "streams:\n  right: { from: b, ops: [ { key_by: k } ] }\n"
             "  wide: { from: b, ops: [ { key_by: k }, { window: { size: 10s } } ] }\n"
             "  other:\n    from: b\n    ops:\n      - key_by: k\n"
             "      - window: { size: 20s }\n      - aggregate: { n: count() }\n"
             "  numbers: { from: b, ops: [ { key_by: v } ] }\n"
             "  records: { from: b, ops: [ { key_by: [k] } ] }\n"
             "  s:\n    from: a\n    ops:\n      - key_by: k\n%s"
             "sinks:\n  out: { from: [s, right, wide, other, numbers, records], memory: {}, "
             "format: json }\n",
             b, ops);
    pipeline_check(yaml, said, sizeof said);
    if (strstr(said, why))
        return true;
    printf("%s\n", said);
    return false;
}

static void joins_without_meaning_are_refused_with_the_reason(void)
{
    CU_ASSERT(refused(EVENT, "      - join: { with: right }\n",
                      "'join' of streams with 'time:' needs a window or 'within'"));
    CU_ASSERT(refused(EVENT, "      - cogroup: { with: right, as: [a, b] }\n",
                      "'cogroup' of streams with 'time:' needs a window\n"));
    CU_ASSERT(refused("", "      - join: { with: right, within: 5s }\n",
                      "'join' of streams with and without 'time:' means nothing"));
    CU_ASSERT(refused(EVENT,
                      "      - window: { size: 10s }\n      - join: { with: right, within: 5s }\n",
                      "'within' in a window"));
    CU_ASSERT(refused(EVENT, "      - join: { with: wide, within: 5s }\n",
                      "put the window before 'join': it is for all its streams"));
    CU_ASSERT(refused(EVENT, "      - window: { size: 20s }\n      - join: { with: wide }\n",
                      "the streams that come into 'join' have different windows"));
    CU_ASSERT(refused(EVENT,
                      "      - window: { size: 10s }\n      - aggregate: { n: count() }\n"
                      "      - join: { with: other }\n",
                      "come out of other windows, of which no two are the same"));
    CU_ASSERT(refused(EVENT, "      - join: { with: numbers, within: 5s }\n",
                      "the keys of the streams are never the same: one is string, the other int"));
    CU_ASSERT(refused(EVENT, "      - join: { with: records, within: 5s }\n",
                      "the keys of the streams have other fields, so none are the same"));
}

static void names_of_joins_are_checked(void)
{
    CU_ASSERT(refused(EVENT, "      - join: { with: rigth, within: 5s }\n",
                      "there is no source or stream 'rigth'"));
    CU_ASSERT(
        refused(EVENT, "      - join: { with: rigth, within: 5s }\n", "did you mean 'right'?"));
    CU_ASSERT(refused(EVENT, "      - join: { with: s, within: 5s }\n",
                      "streams read each other in a circle"));
    CU_ASSERT(refused(EVENT, "      - join: { with: [right, numbers], within: 5s }\n",
                      "'join' joins one other stream"));
    CU_ASSERT(refused(EVENT, "      - join: { with: right, within: 5s, as: [a, a] }\n",
                      "'a' is there twice"));
    CU_ASSERT(refused(EVENT, "      - join: { with: right, within: 5s, as: [a] }\n",
                      "'as' wants 2 names, here are 1"));
    CU_ASSERT(refused(EVENT, "      - join: { with: right, within: 5s, as: [a, b-c] }\n",
                      "'b-c' is no name for a field"));
    CU_ASSERT(refused(EVENT,
                      "      - join: { with: right, within: 5s }\n      - filter: right.w > 1\n",
                      "unknown field 'w'"));
    CU_ASSERT(refused(
        EVENT, "      - join: { with: right, within: 5s }\n      - filter: meta.offset > 1\n",
        "there is no single meta.offset after an aggregate, reduce or join"));
}

LEAT_TESTS("join", T(a_join_gives_all_pairs_of_a_batch),
           T(outer_joins_give_rows_of_their_side_alone_with_null),
           T(cogroup_gives_the_lists_of_each_stream), T(what_follows_sees_both_sides),
           T(a_window_before_it_is_one_for_both_streams),
           T(windows_of_two_sources_wait_for_each_other), T(records_meet_whose_times_are_close),
           T(a_record_without_partner_comes_out_once_when_none_can_come_any_more),
           T(a_record_that_nothing_can_meet_is_late), T(what_nothing_can_meet_is_forgotten),
           T(without_event_time_batches_are_close),
           T(the_log_gets_what_changed_and_not_what_there_is), T(lack_of_memory_is_reported),
           T(pairs_are_those_of_the_definition),
           T(joins_without_meaning_are_refused_with_the_reason), T(names_of_joins_are_checked))
