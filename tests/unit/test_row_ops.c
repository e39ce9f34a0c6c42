#include "pipeline.h"

#include "leat_test.h"

#include <stdio.h>

static char out[8192];

/* Rows through `ops` of one stream over source `in`, JSON to a JSON sink; keys shown if wanted. */
static const char *run(const char *ops, unsigned show, const char *const *rows)
{
    struct pipeline p;
    char yaml[4096];

    snprintf(yaml, sizeof yaml,
             "leat: 1\nname: t\nsources:\n  in:\n    kafka: { brokers: b, topic: t }\n"
             "    format: json\nstreams:\n  s:\n    from: in\n    ops:\n%s"
             "sinks:\n  out:\n    from: s\n    memory: {}\n    format: json\n",
             ops);
    pipeline_open(&p, yaml, 1);
    for (; *rows; rows++)
        pipeline_row(&p, "in", "t/0", "k", *rows, 1000);
    if (pipeline_batch(&p, 2000, false))
        pipeline_output(&p, "out", show, out, sizeof out);
    else
        snprintf(out, sizeof out, "failed: %s", p.error.text);
    pipeline_close(&p);
    return out;
}

#define ROWS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void filter_keeps_what_is_true(void)
{
    CU_ASSERT_STRING_EQUAL(
        run("      - filter: a > 1\n", 0, ROWS("{\"a\":1}", "{\"a\":2,\"b\":[1]}")),
        "{\"a\":2,\"b\":[1]}\n");
}

static void an_error_in_a_filter_names_partition_offset_expression_and_value(void)
{
    const char *text = run("      - filter: a > 1\n", 0, ROWS("{\"b\":1}"));

    CU_ASSERT_PTR_NOT_NULL(strstr(text, "t/0"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "position 0"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "a > 1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "{\"b\":1}"));
}

static void map_builds_records_in_the_order_of_the_file(void)
{
    CU_ASSERT_STRING_EQUAL(
        run("      - map: { y: a + 1, x: { n: a, t: key } }\n", PIPELINE_KEYS, ROWS("{\"a\":1}")),
        "k|{\"y\":2,\"x\":{\"n\":1,\"t\":\"k\"}}\n");
}

static void map_of_an_expression_replaces_the_value_and_later_fields_are_looked_up_in_it(void)
{
    CU_ASSERT_STRING_EQUAL(
        run("      - map: user\n      - map: name\n", 0, ROWS("{\"user\":{\"name\":\"x\"}}")),
        "\"x\"\n");
}

static void set_sees_the_fields_before_it_and_replaces_in_place(void)
{
    CU_ASSERT_STRING_EQUAL(
        run("      - set: { c: a + 1, d: c * 2, a: 9 }\n", 0, ROWS("{\"a\":1,\"b\":2}")),
        "{\"a\":9,\"b\":2,\"c\":2,\"d\":4}\n");
}

static void set_lays_fields_over_a_value_that_was_looked_up(void)
{
    CU_ASSERT_STRING_EQUAL(run("      - map: user\n      - set: { n: 1, name: name + \"!\" }\n", 0,
                               ROWS("{\"user\":{\"name\":\"x\",\"z\":0}}")),
                           "{\"name\":\"x!\",\"z\":0,\"n\":1}\n");
}

static void unset_takes_fields_away(void)
{
    CU_ASSERT_STRING_EQUAL(run("      - unset: [a, c]\n", 0, ROWS("{\"a\":1,\"b\":2,\"c\":3}")),
                           "{\"b\":2}\n");
    CU_ASSERT_STRING_EQUAL(
        run("      - map: { x: a, y: b }\n      - unset: [x]\n", 0, ROWS("{\"a\":1,\"b\":2}")),
        "{\"y\":2}\n");
}

static void key_by_several_fields_makes_a_record_key(void)
{
    CU_ASSERT_STRING_EQUAL(run("      - key_by: [a, u.b]\n      - map: key.b\n", PIPELINE_KEYS,
                               ROWS("{\"a\":1,\"u\":{\"b\":\"x\"}}")),
                           "{\"a\":1,\"b\":\"x\"}|\"x\"\n");
}

static void map_to_pair_sets_both_from_what_came_in(void)
{
    CU_ASSERT_STRING_EQUAL(run("      - map_to_pair: { key: a, value: b }\n", PIPELINE_KEYS,
                               ROWS("{\"a\":1,\"b\":2}")),
                           "1|2\n");
}

static void flat_map_gives_a_row_per_element_and_keeps_the_key(void)
{
    CU_ASSERT_STRING_EQUAL(
        run("      - flat_map: l\n      - map: { v: this, k: key }\n", PIPELINE_KEYS,
            ROWS("{\"l\":[1,2]}", "{\"l\":[]}", "{\"l\":[3]}")),
        "k|{\"v\":1,\"k\":\"k\"}\nk|{\"v\":2,\"k\":\"k\"}\nk|{\"v\":3,\"k\":\"k\"}\n");
}

static void flat_map_of_more_elements_than_a_chunk_has_rows_loses_none(void)
{
    static char big[8 << 10];
    size_t n = 0;

    n += (size_t)snprintf(big, sizeof big, "{\"l\":[0");
    for (int i = 1; i < 3000; i++)
        n += (size_t)snprintf(big + n, sizeof big - n, ",1");
    snprintf(big + n, sizeof big - n, "]}");
    run("      - flat_map: l\n      - filter: this == 1\n", 0, ROWS(big));
    CU_ASSERT_EQUAL(strlen(out), 2999 * 2);
}

static void meta_says_where_a_row_came_from(void)
{
    CU_ASSERT_STRING_EQUAL(run("      - map: { t: meta.topic, p: meta.partition, o: meta.offset, "
                               "b: meta.batch_time }\n",
                               0, ROWS("{}", "{}")),
                           "{\"t\":\"t\",\"p\":0,\"o\":0,\"b\":\"1970-01-01T00:00:02Z\"}\n"
                           "{\"t\":\"t\",\"p\":0,\"o\":1,\"b\":\"1970-01-01T00:00:02Z\"}\n");
}

static void this_is_the_whole_value_with_what_was_laid_over_it(void)
{
    CU_ASSERT_STRING_EQUAL(run("      - set: { c: 3 }\n      - map: { all: this, n: size(this) }\n",
                               0, ROWS("{\"a\":1}")),
                           "{\"all\":{\"a\":1,\"c\":3},\"n\":2}\n");
}

static void two_readers_of_a_stream_do_not_disturb_each_other(void)
{
    struct pipeline p;

    pipeline_open(&p,
                  "leat: 1\nname: t\nsources:\n  in:\n    kafka: { brokers: b, topic: t }\n"
                  "    format: json\nstreams:\n"
                  "  a:\n    from: in\n    ops: [{ filter: n > 1 }, { set: { m: n } }]\n"
                  "  b:\n    from: in\n    ops: [{ filter: n < 2 }]\n"
                  "sinks:\n  x: { from: a, memory: {} }\n  y: { from: b, memory: {} }\n"
                  "  z: { from: [a, b], memory: {} }\n",
                  1);
    for (int i = 0; i < 4; i++)
        pipeline_row(&p, "in", "t/0", NULL, i % 2 ? "{\"n\":1}" : "{\"n\":2}", 0);
    CU_ASSERT(pipeline_batch(&p, 1000, false));
    CU_ASSERT_STRING_EQUAL(pipeline_output(&p, "x", 0, out, sizeof out),
                           "{\"n\":2,\"m\":2}\n{\"n\":2,\"m\":2}\n");
    CU_ASSERT_STRING_EQUAL(pipeline_output(&p, "y", 0, out, sizeof out), "{\"n\":1}\n{\"n\":1}\n");
    CU_ASSERT_EQUAL(strlen(pipeline_output(&p, "z", 0, out, sizeof out)), 2 * 14 + 2 * 8);
    pipeline_close(&p);
}

static void mistakes_of_several_operators_are_told_at_once(void)
{
    char text[4096] = "";

    pipeline_check("leat: 1\nname: t\nsources:\n  in:\n    kafka: { brokers: b, topic: t }\n"
                   "    schema: { amount: double }\nstreams:\n  s:\n    from: in\n    ops:\n"
                   "      - filter: ammount > 1\n      - mapp: this\n"
                   "  r:\n    from: in\n    ops:\n      - filter: amount\n"
                   "sinks:\n  out: { from: [s, r], console: {} }\n",
                   text, sizeof text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "test.yaml:11:17: error: unknown field 'ammount'"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "did you mean 'amount'?"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "unknown operator 'mapp'"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "did you mean 'map'?"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "'filter' wants a bool, this is double"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "3 errors"));
}

LEAT_TESTS("row_ops", T(filter_keeps_what_is_true),
           T(an_error_in_a_filter_names_partition_offset_expression_and_value),
           T(map_builds_records_in_the_order_of_the_file),
           T(map_of_an_expression_replaces_the_value_and_later_fields_are_looked_up_in_it),
           T(set_sees_the_fields_before_it_and_replaces_in_place),
           T(set_lays_fields_over_a_value_that_was_looked_up), T(unset_takes_fields_away),
           T(key_by_several_fields_makes_a_record_key), T(map_to_pair_sets_both_from_what_came_in),
           T(flat_map_gives_a_row_per_element_and_keeps_the_key),
           T(flat_map_of_more_elements_than_a_chunk_has_rows_loses_none),
           T(meta_says_where_a_row_came_from),
           T(this_is_the_whole_value_with_what_was_laid_over_it),
           T(two_readers_of_a_stream_do_not_disturb_each_other),
           T(mistakes_of_several_operators_are_told_at_once))
