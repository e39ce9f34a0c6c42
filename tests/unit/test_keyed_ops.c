/* Tests count.c, reduce.c, aggregate*.c, window.c: whole pipelines, batch by batch. */
#include "pipeline.h"

#include "leat_test.h"

#include <stdio.h>

static char out[16384];

/* A stream of `ops` over source `in`; with `time` its event time is the field t, in ms. */
static void begin_with(struct pipeline *p, const char *ops, const char *time)
{
    static char yaml[4096];

    snprintf(yaml, sizeof yaml,
             "leat: 1\nname: t\nbatch: { every: 1s }\nsources:\n  in:\n"
             "    kafka: { brokers: b, topic: t }\n    format: json\n%s"
             "streams:\n  s:\n    from: in\n    ops:\n%s"
             "sinks:\n  out:\n    from: s\n    memory: {}\n    format: json\n",
             time, ops);
    pipeline_open(p, yaml, 1);
}

static void begin(struct pipeline *p, const char *ops, bool time)
{
    begin_with(p, ops, time ? "    time: fromMillis(t)\n" : "");
}

/* Rows, then a batch of this time; "-" stands before what came out of it. */
static void batch(struct pipeline *p, int64_t time_ms, const char *const *rows)
{
    size_t len = strlen(out);

    for (; *rows; rows++)
        pipeline_row(p, "in", "t/0", "k", *rows, 1000);
    len += (size_t)snprintf(out + len, sizeof out - len, "-\n");
    if (pipeline_batch(p, time_ms, false))
        pipeline_output(p, "out", PIPELINE_KEYS, out + len, sizeof out - len);
    else
        snprintf(out + len, sizeof out - len, "failed: %s\n", p->error.text);
}

#define ROWS(...)         ((const char *const[]){__VA_ARGS__, NULL})
#define SAME(got, wanted) same(__LINE__, got, wanted)
#define NOTHING           ((const char *const[]){NULL})

static void same(int line, const char *got, const char *wanted)
{
    if (strcmp(got, wanted) != 0)
        printf("line %d:\n%s  wanted:\n%s", line, got, wanted);
    CU_ASSERT_STRING_EQUAL(got, wanted);
}

static const char *one(const char *ops, const char *const *rows)
{
    struct pipeline p;

    out[0] = 0;
    begin(&p, ops, false);
    batch(&p, 2000, rows);
    pipeline_close(&p);
    return out + 2;
}

static void count_is_one_number_also_for_an_empty_batch(void)
{
    struct pipeline p;

    out[0] = 0;
    begin(&p, "      - count\n", false);
    batch(&p, 2000, ROWS("{\"a\":1}", "{\"a\":2}"));
    batch(&p, 3000, NOTHING);
    pipeline_close(&p);
    SAME(out, "-\n|2\n-\n|0\n");
}

static void count_by_value_makes_the_value_the_key(void)
{
    SAME(one("      - flat_map: w.split(\" \")\n      - count_by_value\n",
             ROWS("{\"w\":\"to be or\"}", "{\"w\":\"not to be\"}")),
         "or|1\nto|2\nbe|2\nnot|1\n"); /* by state partition, there as they came */
}

static void reduce_by_key_adds_up(void)
{
    SAME(one("      - map_to_pair: { key: k, value: v }\n      - reduce_by_key: a + b\n",
             ROWS("{\"k\":\"x\",\"v\":1}", "{\"k\":\"x\",\"v\":2}")),
         "x|3\n");
    SAME(one("      - map: v\n      - reduce: 'a > b ? a : b'\n",
             ROWS("{\"v\":\"n\"}", "{\"v\":\"z\"}", "{\"v\":\"b\"}")),
         "|\"z\"\n");
}

static void aggregate_makes_a_record_of_key_and_results(void)
{
    SAME(one("      - key_by: city\n      - aggregate:\n          n: count()\n"
             "          total: sum(x)\n          mean: sum(x) / count()\n          least: min(x)\n"
             "          most: max(x)\n          one: first(x)\n          end: last(x)\n"
             "          big: count_if(x == 2 || x == 3)\n          some: any(x == 3)\n"
             "          every: all(x != 0)\n"
             "          by: { top: \"max_by(city, x)\" }\n          var: variance(x)\n",
             ROWS("{\"city\":\"p\",\"x\":2}", "{\"city\":\"p\",\"x\":null}",
                  "{\"city\":\"p\",\"x\":1}", "{\"city\":\"p\",\"x\":3}")),
         "p|{\"city\":\"p\",\"n\":4,\"total\":6,\"mean\":1.5,\"least\":1,\"most\":3,\"one\":2,"
         "\"end\":3,\"big\":2,\"some\":true,\"every\":true,\"by\":{\"top\":\"p\"},\"var\":1.0}\n");
}

static void aggregates_that_keep_the_same_share_it_and_only_those(void)
{
    SAME(one("      - aggregate:\n          s: sum(x)\n          m: avg(x)\n          t: avg(y)\n"
             "          u: sum(y)\n          again: sum(x) + sum(y)\n          n: count(x)\n"
             "          k: count(y)\n          any: any(x == 1)\n          all: all(x == 1)\n"
             "          none: all(y == 9)\n",
             ROWS("{\"x\":1,\"y\":10}", "{\"x\":3,\"y\":null}", "{\"x\":5,\"y\":20}")),
         "k|{\"key\":\"k\",\"s\":9,\"m\":3.0,\"t\":15.0,\"u\":30,\"again\":39,\"n\":3,\"k\":2,"
         "\"any\":true,"
         "\"all\":false,\"none\":false}\n");
}

static void aggregate_in_event_time_windows_fires_once_when_time_has_passed(void)
{
    struct pipeline p;

    out[0] = 0;
    begin(&p,
          "      - key_by: k\n      - window: { size: 10s, slide: 5s }\n"
          "      - aggregate:\n          n: count()\n          s: sum(x)\n",
          true);
    batch(&p, 1000, ROWS("{\"k\":1,\"x\":1,\"t\":1000}", "{\"k\":1,\"x\":2,\"t\":6000}"));
    batch(&p, 2000, ROWS("{\"k\":1,\"x\":4,\"t\":12000}"));
    batch(&p, 3000, ROWS("{\"k\":1,\"x\":8,\"t\":4000}", "{\"k\":1,\"x\":16,\"t\":30000}"));
    pipeline_close(&p);
    SAME(out,
         "-\n1|{\"k\":1,\"window_start\":\"1969-12-31T23:59:55Z\",\"window_end\":\"1970-01-01T00:"
         "00:05Z\",\"n\":1,\"s\":1}\n-\n1|{\"k\":1,\"window_start\":\"1970-01-01T00:00:00Z\","
         "\"window_end\":\"1970-01-01T00:00:10Z\",\"n\":2,\"s\":3}\n-\n1|{\"k\":1,\"window_"
         "start\":\"1970-01-01T00:00:05Z\",\"window_end\":\"1970-01-01T00:00:15Z\",\"n\":2,"
         "\"s\":6}\n1|{\"k\":1,\"window_start\":\"1970-01-01T00:00:10Z\",\"window_end\":\"1970-"
         "01-01T00:00:20Z\",\"n\":1,\"s\":4}\n");
}

static void an_inverse_window_keeps_speaking_as_in_spark(void)
{
    struct pipeline p;

    out[0] = 0;
    begin(&p,
          "      - map_to_pair: { key: k, value: v }\n      - reduce_by_key_and_window:\n"
          "          size: 2s\n          slide: 1s\n          reduce: a + b\n"
          "          inverse: a - b\n",
          false);
    batch(&p, 1000, ROWS("{\"k\":\"x\",\"v\":1}"));
    batch(&p, 2000, ROWS("{\"k\":\"x\",\"v\":2}"));
    batch(&p, 3000, NOTHING);
    batch(&p, 4000, NOTHING);
    batch(&p, 5000, NOTHING);
    pipeline_close(&p);
    SAME(out, "-\nx|1\n-\nx|3\n-\nx|2\n-\nx|0\n-\nx|0\n");
}

static void count_by_window_goes_on_with_zero(void)
{
    struct pipeline p;

    out[0] = 0;
    begin(&p, "      - count_by_window: { size: 2s, slide: 1s }\n", false);
    batch(&p, 1000, NOTHING);
    batch(&p, 2000, ROWS("{}", "{}"));
    batch(&p, 3000, ROWS("{}"));
    batch(&p, 4000, NOTHING);
    batch(&p, 5000, NOTHING);
    pipeline_close(&p);
    SAME(out, "-\n-\n|2\n-\n|3\n-\n|1\n-\n|0\n");
}

static void windows_cascade(void)
{
    struct pipeline p;

    out[0] = 0;
    begin(&p,
          "      - key_by: k\n      - window: { size: 10s }\n      - aggregate:\n"
          "          n: count()\n      - window: { size: 20s }\n      - aggregate:\n"
          "          most: max(n)\n          windows: count()\n",
          true);
    batch(&p, 1000, ROWS("{\"k\":1,\"t\":1000}", "{\"k\":1,\"t\":2000}", "{\"k\":1,\"t\":11000}"));
    batch(&p, 2000, ROWS("{\"k\":1,\"t\":40000}"));
    pipeline_close(&p);
    SAME(out, "-\n-\n1|{\"k\":1,\"window_start\":\"1970-01-01T00:00:00Z\",\"window_end\":"
              "\"1970-01-01T00:00:20Z\",\"most\":2,\"windows\":2}\n");
}

static void group_by_key_lists_the_values(void)
{
    SAME(one("      - map_to_pair: { key: k, value: v }\n      - group_by_key\n",
             ROWS("{\"k\":\"x\",\"v\":2}", "{\"k\":\"x\",\"v\":\"z\"}")),
         "x|[2,\"z\"]\n");
    SAME(one("      - map_to_pair: { key: k, value: v }\n      - group_by_key: { max: 1 }\n",
             ROWS("{\"k\":\"x\",\"v\":2}", "{\"k\":\"x\",\"v\":\"z\"}")),
         "x|[2]\n");
}

static void sort_by_orders_and_cuts_the_batch(void)
{
    SAME(one("      - sort_by: { by: a, order: desc, limit: 2 }\n",
             ROWS("{\"a\":1}", "{\"a\":3,\"b\":1}", "{\"a\":2}", "{\"a\":3,\"b\":2}")),
         "k|{\"a\":3,\"b\":1}\nk|{\"a\":3,\"b\":2}\n");
}

static void distinct_keeps_the_first_of_equal_values(void)
{
    SAME(one("      - map: a\n      - distinct\n", ROWS("{\"a\":1}", "{\"a\":1.0}", "{\"a\":1}")),
         "k|1\n");
    SAME(one("      - distinct: { by: a }\n", ROWS("{\"a\":1,\"n\":1}", "{\"a\":1,\"n\":2}")),
         "k|{\"a\":1,\"n\":1}\n");
}

static void rows_keep_a_key_of_several_fields(void)
{
    SAME(one("      - key_by: [a, b]\n      - distinct: { by: a }\n      - aggregate: { n: count() "
             "}\n",
             ROWS("{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":3}")),
         "{\"a\":1,\"b\":2}|{\"a\":1,\"b\":2,\"n\":1}\n");
}

static void distinct_within_lets_a_value_pass_once_in_a_while(void)
{
    struct pipeline p;

    out[0] = 0;
    begin(&p, "      - distinct: { by: id, within: 10s }\n", true);
    batch(&p, 1000,
          ROWS("{\"id\":1,\"t\":1000}", "{\"id\":1,\"t\":2000}", "{\"id\":2,\"t\":2000}"));
    batch(&p, 2000,
          ROWS("{\"id\":1,\"t\":10000}", "{\"id\":2,\"t\":12000}", "{\"id\":1,\"t\":500}"));
    pipeline_close(&p);
    SAME(out, "-\nk|{\"id\":2,\"t\":2000}\nk|{\"id\":1,\"t\":1000}\n-\nk|{\"id\":2,\"t\":12000}\n");
}

/* Rows of one value, in any order and each delivered twice: none passes twice, and of those that
 * pass no two are nearer than `within`. */
static void distinct_within_remembers_rows_out_of_order(void)
{
    struct pipeline p;

    out[0] = 0;
    begin_with(&p, "      - distinct: { by: id, within: 10s }\n",
               "    time: { at: fromMillis(t), lateness: 20s }\n");
    batch(&p, 1000, ROWS("{\"id\":1,\"t\":61000}", "{\"id\":1,\"t\":40000}"));
    batch(&p, 2000,
          ROWS("{\"id\":1,\"t\":40000}", "{\"id\":1,\"t\":61000}", "{\"id\":1,\"t\":51000}"));
    batch(&p, 3000,
          ROWS("{\"id\":1,\"t\":51000}", "{\"id\":1,\"t\":50500}", "{\"id\":1,\"t\":70999}",
               "{\"id\":1,\"t\":71000}"));
    pipeline_close(&p);
    SAME(out, "-\nk|{\"id\":1,\"t\":40000}\nk|{\"id\":1,\"t\":61000}\n-\n"
              "k|{\"id\":1,\"t\":51000}\n-\nk|{\"id\":1,\"t\":71000}\n");
}

static void repartition_changes_nothing_but_the_place(void)
{
    SAME(one("      - repartition: 1\n      - filter: a > 1\n", ROWS("{\"a\":1}", "{\"a\":2}")),
         "k|{\"a\":2}\n");
}

static void combine_by_key_does_as_described(void)
{
    SAME(one("      - combine_by_key:\n          create: '[a, 1]'\n"
             "          merge_value: '[acc[0] + a, acc[1] + 1]'\n"
             "          merge: '[a[0] + b[0], a[1] + b[1]]'\n"
             "          result: double(acc[0]) / double(acc[1])\n",
             ROWS("{\"a\":1}", "{\"a\":2}", "{\"a\":6}")),
         "k|3.0\n");
}

static void aggregates_of_many_values(void)
{
    SAME(one("      - aggregate:\n          all: collect(x)\n          two: collect(x, 2)\n"
             "          top: top(x, 2)\n          n: count_distinct(x)\n"
             "          about: count_distinct(x, \"approx\")\n          half: quantile(x, 0.5)\n",
             ROWS("{\"x\":0}", "{\"x\":5}", "{\"x\":0}", "{\"x\":-1}")),
         "k|{\"key\":\"k\",\"all\":[0,5,0,-1],\"two\":[0,5],\"top\":[5,0],\"n\":3,\"about\":3,"
         "\"half\":0.0}\n");
}

static void a_window_of_batches_goes_to_a_sink_row_by_row(void)
{
    struct pipeline p;

    out[0] = 0;
    begin(&p, "      - window: { size: 2s, slide: 1s }\n", false);
    batch(&p, 1000, ROWS("{\"a\":1}"));
    batch(&p, 2000, ROWS("{\"a\":2}"));
    batch(&p, 3000, NOTHING);
    batch(&p, 4000, NOTHING);
    pipeline_close(&p);
    SAME(out, "-\nk|{\"a\":1}\n-\nk|{\"a\":1}\nk|{\"a\":2}\n-\nk|{\"a\":2}\n-\n");
}

static void sessions_end_after_a_gap(void)
{
    struct pipeline p;

    out[0] = 0;
    begin(&p,
          "      - key_by: k\n      - window: { session: 5s }\n      - aggregate:\n"
          "          n: count()\n          path: collect(p)\n",
          true);
    batch(&p, 1000, ROWS("{\"k\":1,\"p\":\"b\",\"t\":3000}", "{\"k\":1,\"p\":\"a\",\"t\":1000}"));
    batch(&p, 2000, ROWS("{\"k\":1,\"p\":\"c\",\"t\":20000}"));
    pipeline_close(&p);
    SAME(out, "-\n-\n1|{\"k\":1,\"window_start\":\"1970-01-01T00:00:01Z\",\"window_end\":\"1970-01-"
              "01T00:00:08Z\",\"n\":2,\"path\":[\"a\",\"b\"]}\n");
}

static void early_results_are_told_apart(void)
{
    struct pipeline p;

    out[0] = 0;
    begin(&p,
          "      - window: { size: 10s, emit: { every: 1s } }\n      - aggregate:\n"
          "          n: count()\n          open: 'window.final == false'\n",
          true);
    batch(&p, 1000, ROWS("{\"t\":1000}"));
    batch(&p, 2000, ROWS("{\"t\":11000}"));
    pipeline_close(&p);
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "\"window_final\":false,\"n\":1,\"open\":true"));
    CU_ASSERT_PTR_NOT_NULL(strstr(out, "\"window_final\":true,\"n\":1,\"open\":false"));
}

/* Several windows fire in one batch, and what one that ended gave back is used again meanwhile. */
static void keys_that_have_ended_are_still_there_when_their_results_go_out(void)
{
    struct pipeline p;

    begin_with(&p,
               "      - key_by: this.k\n      - map: s\n      - window: { size: 4s, slide: 1s }\n"
               "      - reduce_by_key: \"a > b ? a : b\"\n      - map: size(this)\n",
               "    time: fromMillis(t)\npartitions: 1\n");
    for (int n = 0; n < 80; n++) {
        int i = n / 2;
        char row[512], text[320];
        memset(text, 'a' + i % 26, sizeof text);
        snprintf(row, sizeof row, "{\"k\":\"key number %d\",\"s\":\"%.*s\",\"t\":%d}", i,
                 20 + i * 7, text, i * 700 + n % 2 * 900);
        pipeline_row(&p, "in", "t/0", "k", row, 0);
    }
    CU_ASSERT_TRUE_FATAL(pipeline_batch(&p, 1000, true));
    pipeline_output(&p, "out", PIPELINE_KEYS, out, sizeof out);
    for (const char *line = out, *end; (end = strchr(line, '\n')); line = end + 1) {
        int i = -1, size = -1;
        CU_ASSERT_EQUAL_FATAL(sscanf(line, "key number %d|%d", &i, &size), 2);
        CU_ASSERT_EQUAL(size, 20 + i * 7);
    }
    pipeline_close(&p);
}

LEAT_TESTS("keyed_ops", T(count_is_one_number_also_for_an_empty_batch),
           T(count_by_value_makes_the_value_the_key), T(reduce_by_key_adds_up),
           T(aggregate_makes_a_record_of_key_and_results),
           T(aggregates_that_keep_the_same_share_it_and_only_those),
           T(aggregate_in_event_time_windows_fires_once_when_time_has_passed),
           T(an_inverse_window_keeps_speaking_as_in_spark), T(count_by_window_goes_on_with_zero),
           T(windows_cascade), T(group_by_key_lists_the_values),
           T(sort_by_orders_and_cuts_the_batch), T(distinct_keeps_the_first_of_equal_values),
           T(rows_keep_a_key_of_several_fields),
           T(distinct_within_lets_a_value_pass_once_in_a_while),
           T(distinct_within_remembers_rows_out_of_order),
           T(repartition_changes_nothing_but_the_place), T(combine_by_key_does_as_described),
           T(aggregates_of_many_values), T(a_window_of_batches_goes_to_a_sink_row_by_row),
           T(sessions_end_after_a_gap),
           T(keys_that_have_ended_are_still_there_when_their_results_go_out),
           T(early_results_are_told_apart))
