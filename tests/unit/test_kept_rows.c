/* Tests what is known of rows behind an exchange: their keys, their fields, their windows. */
#include "leat_test.h"
#include "pipeline.h"

#include <stdio.h>

static char out[4096];

static void open_one(struct pipeline *p, const char *source, const char *ops, const char *more)
{
    static char yaml[2048];

    snprintf(yaml, sizeof yaml,
             "leat: 1\nname: t\nsources:\n"
             "  a: { kafka: { brokers: b, topic: a }, format: json%s }\n"
             "  b: { kafka: { brokers: b, topic: b }, format: json%s }\n"
             "streams:\n%s  s:\n%s"
             "sinks:\n  out: { from: s, memory: {}, format: json }\n",
             source, source, more, ops);
    pipeline_open(p, yaml, 1);
}

/* What comes out of a batch with these rows of a. */
static const char *gives(struct pipeline *p, const char *const *rows)
{
    for (; *rows; rows++)
        pipeline_row(p, "a", "a/0", NULL, *rows, 0);
    CU_ASSERT_TRUE(pipeline_batch(p, 1000, true));
    if (p->error.status != LEAT_OK)
        printf("    %s\n", p->error.text);
    pipeline_output(p, "out", PIPELINE_KEYS, out, sizeof out);
    pipeline_close(p);
    return out;
}

#define GIVES(p, expected, ...)                                                                    \
    CU_ASSERT_STRING_EQUAL(gives(p, (const char *const[]){__VA_ARGS__, NULL}), expected)

static void a_record_key_is_one_behind_repartition(void)
{
    struct pipeline p;

    open_one(&p, "",
             "    from: a\n    ops:\n      - key_by: [k, n]\n      - repartition: 3\n"
             "      - filter: key.n < 3\n      - map: 1\n      - reduce_by_key: a + b\n"
             "      - filter: key.k == \"x\"\n",
             "");
    GIVES(&p, "{\"k\":\"x\",\"n\":1}|2\n", "{\"k\":\"x\",\"n\":1}", "{\"k\":\"y\",\"n\":1}",
          "{\"k\":\"x\",\"n\":1}", "{\"k\":\"x\",\"n\":4}");
}

static void fields_that_were_set_are_known_behind_repartition(void)
{
    struct pipeline p;

    open_one(&p, "",
             "    from: a\n    ops:\n      - map: { k: k, n: n }\n      - set: { m: n + 1, n: 7 }\n"
             "      - unset: [n]\n      - repartition: 3\n      - map: \"k + string(m)\"\n",
             "");
    GIVES(&p, "|\"x2\"\n", "{\"k\":\"x\",\"n\":1}");
}

static void fields_that_were_set_over_a_schema_are_known_behind_repartition(void)
{
    struct pipeline p;

    open_one(&p, ", schema: { k: string, n: int }",
             "    from: a\n    ops:\n      - set: { m: n + 1 }\n      - repartition: 3\n"
             "      - map: \"k + string(m)\"\n",
             "");
    GIVES(&p, "|\"x2\"\n", "{\"k\":\"x\",\"n\":1}");
}

static void rows_are_as_they_were_read_behind_repartition(void)
{
    struct pipeline p;

    open_one(&p, ", schema: { at: timestamp }",
             "    from: a\n    ops:\n      - repartition: 3\n      - filter: "
             "at.startsWith(\"2026\")\n",
             "");
    GIVES(&p, "|{\"at\":\"2026-01-01T00:00:00Z\"}\n", "{\"at\":\"2026-01-01T00:00:00Z\"}",
          "{\"at\":\"2025-01-01T00:00:00Z\"}");
}

static void fields_that_were_set_are_known_behind_a_join(void)
{
    struct pipeline p;

    open_one(&p, "",
             "    from: a\n    ops:\n      - key_by: k\n"
             "      - join: { with: right, as: [l, r] }\n      - map: \"l.n + r.m\"\n",
             "  right:\n    from: a\n    ops:\n      - key_by: k\n      - map: { n: n }\n"
             "      - set: { m: n + 40 }\n");
    GIVES(&p, "x|42\n", "{\"k\":\"x\",\"n\":1}");
}

static void fields_that_were_set_are_known_in_the_values_of_a_state(void)
{
    struct pipeline p;

    open_one(&p, "",
             "    from: a\n    ops:\n      - key_by: k\n      - map: { n: n }\n"
             "      - set: { m: n + 40 }\n"
             "      - update_state_by_key: { update: \"values.map(v, v.m).sum()\" }\n",
             "");
    GIVES(&p, "x|83\n", "{\"k\":\"x\",\"n\":1}", "{\"k\":\"x\",\"n\":2}");
}

static void windows_of_a_zone_are_the_same_for_streams_that_are_united(void)
{
    struct pipeline p;

    open_one(&p, ", time: fromMillis(ts)",
             "    from: [a, b]\n    ops:\n      - window: { size: 1d, zone: Europe/Paris }\n"
             "      - count\n",
             "");
    pipeline_row(&p, "b", "b/0", NULL, "{\"ts\":1000}", 0);
    GIVES(&p, "|2\n", "{\"ts\":2000}");
}

LEAT_TESTS("kept_rows", T(a_record_key_is_one_behind_repartition),
           T(fields_that_were_set_are_known_behind_repartition),
           T(fields_that_were_set_over_a_schema_are_known_behind_repartition),
           T(rows_are_as_they_were_read_behind_repartition),
           T(fields_that_were_set_are_known_behind_a_join),
           T(fields_that_were_set_are_known_in_the_values_of_a_state),
           T(windows_of_a_zone_are_the_same_for_streams_that_are_united))
