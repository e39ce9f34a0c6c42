#include "pipeline.h"

#include "leat_test.h"

static char out[4096];

#define TWO_TOPICS                                                                                 \
    "leat: 1\nname: t\nsources:\n"                                                                 \
    "  a: { kafka: { brokers: b, topic: a }, time: { at: fromMillis(ts), idle: 5s } }\n"           \
    "  b: { kafka: { brokers: b, topic: b }, time: { at: fromMillis(ts), idle: 5s } }\n"           \
    "streams:\n  s:\n    from: [a, b]\n    ops:\n      - window: { size: 10s }\n      - count\n"   \
    "sinks:\n  out: { from: s, memory: {}, format: json }\n"

static void silent_source_of_a_union_does_not_hold_the_other_back(void)
{
    struct pipeline p;

    pipeline_open(&p, TWO_TOPICS, 1);
    pipeline_row(&p, "a", "a/0", NULL, "{\"ts\":1000}", 0);
    pipeline_row(&p, "b", "b/0", NULL, "{\"ts\":2000}", 0);
    pipeline_at_end(&p, "b", "b/0");
    CU_ASSERT(pipeline_batch(&p, 1000, false));
    CU_ASSERT_STRING_EQUAL(pipeline_output(&p, "out", 0, out, sizeof out), "");
    /* b stays silent beyond its `idle`, a goes on far past b's last window */
    pipeline_row(&p, "a", "a/0", NULL, "{\"ts\":15000}", 0);
    pipeline_row(&p, "a", "a/0", NULL, "{\"ts\":31000}", 0);
    CU_ASSERT(pipeline_batch(&p, 9000, false));
    CU_ASSERT_STRING_EQUAL(pipeline_output(&p, "out", 0, out, sizeof out), "2\n1\n");
    pipeline_close(&p);
}

static void source_that_is_not_yet_idle_holds_the_other_back(void)
{
    struct pipeline p;

    pipeline_open(&p, TWO_TOPICS, 1);
    pipeline_row(&p, "a", "a/0", NULL, "{\"ts\":31000}", 0);
    pipeline_row(&p, "b", "b/0", NULL, "{\"ts\":2000}", 0);
    pipeline_at_end(&p, "b", "b/0");
    CU_ASSERT(pipeline_batch(&p, 1000, false));
    CU_ASSERT_STRING_EQUAL(pipeline_output(&p, "out", 0, out, sizeof out), "");
    pipeline_close(&p);
}

LEAT_TESTS("union_time", T(silent_source_of_a_union_does_not_hold_the_other_back),
           T(source_that_is_not_yet_idle_holds_the_other_back))
