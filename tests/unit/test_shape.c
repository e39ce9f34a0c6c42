/* Tests of engine/op/shape.c and the shapes of operators: which changes of a file keep state. */
#include "leat_test.h"
#include "op/shape.h"
#include "pipeline.h"

#include <stdio.h>

/* The name and the shape of each operator with state, a line each. */
static const char *shapes(const char *time, const char *ops, char *into, size_t room)
{
    static struct pipeline p;
    struct leat_arena arena = {0};
    char yaml[2048];
    size_t at = 0;

    snprintf(yaml, sizeof yaml,
             "leat: 1\nname: x\nsources:\n  in:\n    kafka: { brokers: b, topic: t }\n"
             "    format: json\n%s"
             "streams:\n  s:\n    from: in\n    ops:\n%s"
             "sinks:\n  out: { from: s, memory: {}, format: json }\n",
             time, ops);
    pipeline_open(&p, yaml, 1);
    into[0] = '\0';
    for (uint32_t i = 0; i < p.plan->stages_count; i++) {
        const struct leat_plan_node *n = &p.plan->stages[i].nodes[0];
        struct leat_bytes text = {.arena = &arena};
        bool failed;
        if (p.plan->stages[i].from_source || !n->op->state)
            continue;
        n->op->state->shape(n->plan, &text);
        CU_ASSERT_EQUAL(leat_shape_hash(n->op, n->plan, &arena, &failed) == 0, text.len == 0);
        CU_ASSERT_FALSE(failed);
        at += (size_t)snprintf(into + at, room - at, "%.*s = %.*s\n", LEAT_FMT(n->state_name),
                               (int)text.len, text.ptr ? text.ptr : "");
    }
    leat_arena_reset(&arena);
    pipeline_close(&p);
    return into;
}

#define EVENT        "    time: fromMillis(ts)\n"
#define WINDOW(text) "      - key_by: k\n      - window: " text "\n"
#define SUM          "      - aggregate: { total: sum(n) }\n"

static bool same(const char *a, const char *b)
{
    char one[2048], other[2048];

    return strcmp(shapes(EVENT, a, one, sizeof one), shapes(EVENT, b, other, sizeof other)) == 0;
}

static void a_shape_names_key_window_and_aggregates(void)
{
    char text[2048];

    CU_ASSERT_STRING_EQUAL(shapes(EVENT, WINDOW("{ size: 10s, slide: 5s }") SUM, text, sizeof text),
                           "s.aggregate.0 = aggregate 2; key k; event time; windows of 10000 ms "
                           "each 5000 ms, one ends at 0 ms in UTC; sum(n); \n");
}

static void what_does_not_touch_stored_bytes_keeps_the_shape(void)
{
    const char *plain = WINDOW("{ size: 10s }") SUM;

    CU_ASSERT_TRUE(same(plain, WINDOW("{ size: 10s, slide: 10s }") SUM));
    CU_ASSERT_TRUE(same(plain, WINDOW("{ size: 10s, emit: { every: 2s } }") SUM));
    CU_ASSERT_TRUE(same(plain, "      - filter: n > 3\n" WINDOW("{ size: 10s }") SUM));
    CU_ASSERT_TRUE(same(plain, WINDOW("{ size: 10s }") "      - aggregate: { sum: sum(n) }\n"));
    /* A sum and a mean of the same keep the same. */
    CU_ASSERT_TRUE(
        same(plain, WINDOW("{ size: 10s }") "      - aggregate: { sum: sum(n), mean: avg(n) }\n"));
    CU_ASSERT_FALSE(
        same(plain, WINDOW("{ size: 10s }") "      - aggregate: { sum: sum(n), mean: avg(m) }\n"));
    CU_ASSERT_TRUE(same("      - key_by: [k]\n      - window: { session: 5s }\n" SUM,
                        "      - key_by: { k: k }\n      - window: { session: 5s }\n" SUM));
}

static void what_changes_the_meaning_of_stored_bytes_changes_the_shape(void)
{
    const char *plain = WINDOW("{ size: 10s }") SUM;

    CU_ASSERT_FALSE(same(plain, WINDOW("{ size: 20s }") SUM));
    CU_ASSERT_FALSE(same(plain, WINDOW("{ size: 10s, slide: 5s }") SUM));
    CU_ASSERT_FALSE(same(plain, WINDOW("{ size: 10s, offset: 1s }") SUM));
    CU_ASSERT_FALSE(same(plain, WINDOW("{ session: 10s }") SUM));
    CU_ASSERT_FALSE(same(plain, WINDOW("{ size: 10s }") "      - aggregate: { total: sum(m) }\n"));
    CU_ASSERT_FALSE(
        same(plain, WINDOW("{ size: 10s }") "      - aggregate: { total: sum(n) + max(n) }\n"));
    CU_ASSERT_FALSE(same(plain, "      - key_by: other\n      - window: { size: 10s }\n" SUM));
    CU_ASSERT_FALSE(same(WINDOW("{ size: 1d }") SUM, WINDOW("{ size: 1d, zone: Asia/Tokyo }") SUM));
    CU_ASSERT_FALSE(same(WINDOW("{ size: 1d }") "      - reduce_by_key: a + b\n",
                         WINDOW("{ size: 1d }") "      - reduce_by_key: \"a > b ? a : b\"\n"));
    CU_ASSERT_FALSE(same(WINDOW("{ size: 1d }") "      - group_by_key\n",
                         WINDOW("{ size: 1d }") "      - group_by_key: { max: 3 }\n"));
    CU_ASSERT_FALSE(same(
        "      - map: { a: k, b: n }\n      - window: { size: 1d }\n      - count_by_value\n",
        "      - map: { a: k, c: n }\n      - window: { size: 1d }\n      - count_by_value\n"));
    CU_ASSERT_FALSE(same("      - distinct: { by: k, within: 5s }\n",
                         "      - distinct: { by: k, within: 6s }\n"));
}

static void names_count_an_operator_in_its_stream(void)
{
    char text[2048];

    CU_ASSERT_PTR_NOT_NULL(
        strstr(shapes(EVENT,
                      "      - distinct: { by: k, within: 5s }\n" WINDOW("{ size: 10s }") SUM
                      "      - window: { size: 1m }\n      - aggregate: { total: sum(total) }\n",
                      text, sizeof text),
               "\ns.aggregate.1 = "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "s.distinct.0 = "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "s.aggregate.0 = "));
}

static void what_works_within_a_batch_keeps_nothing(void)
{
    char text[2048];

    CU_ASSERT_STRING_EQUAL(
        shapes("", "      - key_by: k\n      - aggregate: { total: sum(n) }\n", text, sizeof text),
        "s.aggregate.0 = \n");
}

LEAT_TESTS("shape", T(a_shape_names_key_window_and_aggregates),
           T(what_does_not_touch_stored_bytes_keeps_the_shape),
           T(what_changes_the_meaning_of_stored_bytes_changes_the_shape),
           T(names_count_an_operator_in_its_stream), T(what_works_within_a_batch_keeps_nothing))
