/* Tests how near aggregate_sketch.c, and the moments of aggregate_functions.c, come to the truth.
 */
#include "pipeline.h"

#include "leat_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS       100000
#define PARTITIONS 4

static double values[ROWS], sorted[ROWS];
static char out[16384];

/* A number of [0, 1) from a fixed seed: a failure is there again in the next run. */
static double next_random(void)
{
    static uint64_t state = 0x9e3779b97f4a7c15;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (double)(state >> 11) / 9007199254740992.0;
}

/* One batch of `values` in several partitions, so that partial results are merged, too. */
static void aggregate(const char *functions)
{
    static char yaml[4096];
    struct pipeline p;

    snprintf(yaml, sizeof yaml,
             "leat: 1\nname: t\nbatch: { every: 1s }\nsources:\n  in:\n"
             "    kafka: { brokers: b, topic: t }\n    format: json\n"
             "streams:\n  s:\n    from: in\n    ops:\n      - aggregate:\n%s"
             "sinks:\n  out:\n    from: s\n    memory: {}\n    format: json\n",
             functions);
    pipeline_open(&p, yaml, 1);
    for (int i = 0; i < ROWS; i++) {
        char value[64], partition[16];
        snprintf(value, sizeof value, "{\"x\":%.17g}", values[i]);
        snprintf(partition, sizeof partition, "t/%d", i % PARTITIONS);
        pipeline_row(&p, "in", partition, "k", value, 1000);
    }
    CU_ASSERT_TRUE(pipeline_batch(&p, 1000, false));
    pipeline_output(&p, "out", 0, out, sizeof out);
    pipeline_close(&p);
}

static double result(const char *name)
{
    char wanted[32];

    snprintf(wanted, sizeof wanted, "\"%s\":", name);
    const char *at = strstr(out, wanted);
    CU_ASSERT_PTR_NOT_NULL(at);
    return at ? strtod(at + strlen(wanted), NULL) : (double)NAN;
}

static bool near(double got, double truth, double share)
{
    bool is_near = fabs(got - truth) <= share * fabs(truth);

    if (!is_near)
        printf("%.17g instead of %.17g\n", got, truth);
    return is_near;
}

static void different_values_are_counted_within_two_percent(void)
{
    static const int different[] = {100, 513, 5000, 40000, ROWS};

    for (size_t k = 0; k < sizeof different / sizeof *different; k++) {
        for (int i = 0; i < ROWS; i++)
            values[i] = i % different[k];
        aggregate("          n: count_distinct(x, \"approx\")\n");
        CU_ASSERT_TRUE(near(result("n"), different[k], 0.02));
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The result is near one of the values that stand at this place, whatever rounds the place. */
static bool quantile_is_near(const char *name, double q)
{
    double got = result(name);
    int at = (int)(q * (ROWS - 1));

    for (int i = at - 1; i <= at + 1; i++)
        if (i >= 0 && i < ROWS && fabs(got - sorted[i]) <= 0.01 * fabs(sorted[i]) + 1e-12)
            return true;
    printf("%s: %.17g instead of %.17g\n", name, got, sorted[at]);
    return false;
}

static void quantiles_are_within_one_percent_of_a_true_one(void)
{
    for (int i = 0; i < ROWS; i++) /* sizes over ten powers of ten, of both signs */
        values[i] = (i % 3 ? 1 : -1) * pow(10, 10 * next_random() - 5);
    memcpy(sorted, values, sizeof sorted);
    qsort(sorted, ROWS, sizeof *sorted, by_size);
    aggregate("          q01: quantile(x, 0.01)\n          q25: quantile(x, 0.25)\n"
              "          q50: quantile(x, 0.5)\n          q95: quantile(x, 0.95)\n"
              "          q99: quantile(x, 0.99)\n");
    CU_ASSERT_TRUE(quantile_is_near("q01", 0.01));
    CU_ASSERT_TRUE(quantile_is_near("q25", 0.25));
    CU_ASSERT_TRUE(quantile_is_near("q50", 0.5));
    CU_ASSERT_TRUE(quantile_is_near("q95", 0.95));
    CU_ASSERT_TRUE(quantile_is_near("q99", 0.99));
}

/* Squares of these lose all that tells them apart when they are only added up. */
static void deviations_of_great_numbers_that_differ_little_are_right(void)
{
    double mean = 0, squares = 0;

    for (int i = 0; i < ROWS; i++) {
        values[i] = 1e9 + next_random();
        mean += (values[i] - 1e9) / ROWS;
    }
    for (int i = 0; i < ROWS; i++)
        squares += pow(values[i] - 1e9 - mean, 2);
    aggregate("          dev: stddev(x)\n          mean: avg(x)\n");
    double of_all = sqrt(squares / ROWS), of_sample = sqrt(squares / (ROWS - 1));
    CU_ASSERT_TRUE(near(result("dev"), of_all, 1e-4) || near(result("dev"), of_sample, 1e-4));
    CU_ASSERT_TRUE(near(result("mean"), 1e9 + mean, 1e-12));
}

LEAT_TESTS("aggregate_sketch", T(different_values_are_counted_within_two_percent),
           T(quantiles_are_within_one_percent_of_a_true_one),
           T(deviations_of_great_numbers_that_differ_little_are_right))
