/*
 * meta_plans.c - plans of all operators give the same for any number of threads and partitions, any
 * cutting of blocks and, where their meaning allows, of batches, and however they are written down.
 *
 * From a seed: 1,000 plans with inputs, each run once plainly and then in other ways; outputs are
 * compared as multisets of rows, doubles within 1e-9. LEAT_SEED and LEAT_CASES repeat or prolong a
 * run; a failure prints the seed of its case and both files.
 */
#include "lines.h"
#include "random_plan.h"
#include "seed.h"

#include "leat_test.h"

#include <stdio.h>
#include <unistd.h>

#define CASES 1000

static char table[64];
static unsigned long spoke; /* cases in which something came out */

struct way {
    enum plan_form form;
    uint32_t threads;
    bool cut_blocks, cut_batches; /* anywhere; batches else in four */
};

static const char *part_name(uint32_t part)
{
    static char name[16];

    snprintf(name, sizeof name, "t/%u", part);
    return name;
}

static bool batch(struct pipeline *p, int64_t *now_ms, bool close, struct lines *into)
{
    if (!pipeline_batch(p, *now_ms += 1000, close)) {
        printf("failed: %s\n", p->error.text);
        return false;
    }
    lines_collect(into, p);
    return true;
}

static bool run(const struct random_pipeline *rp, struct way way, struct dice *d,
                struct lines *into)
{
    static struct pipeline p;
    uint32_t size = rp->rows_count / 4 + 1;
    int64_t now_ms = 10000;
    bool ok = true;

    pipeline_open(&p, rp->yaml, way.threads);
    for (uint32_t i = 0; i < rp->parts * rp->sources; i++)
        pipeline_part(&p, random_source(i % rp->sources), part_name(i / rp->sources));
    for (uint32_t i = 0; i < rp->rows_count && ok; i++) {
        const struct random_row *r = &rp->rows[i];
        pipeline_row(&p, random_source(r->source), part_name(r->part), r->key, r->value, 1000);
        if (way.cut_blocks && dice_percent(d, 10))
            pipeline_cut(&p, random_source(r->source), part_name(r->part));
        if (way.cut_batches ? dice_percent(d, 3) : (i + 1) % size == 0)
            ok = batch(&p, &now_ms, false, into);
    }
    ok = ok && batch(&p, &now_ms, true, into);
    pipeline_close(&p);
    lines_sort(into);
    return ok;
}

static bool check_case(uint64_t seed)
{
    static const struct plan_limits limits;
    static struct random_row rows[RANDOM_ROWS_MAX];
    static const struct way ways[] = {
        {PLAN_WHOLE, 8, true, false},
        {PLAN_APART, 2, false, false},
        {PLAN_SPREAD, 2, true, false},
        {PLAN_APART, 1, true, true},
    };
    const struct plan_ends ends = {.head = "",
                                   .source = "kafka: { brokers: b, topic: t }",
                                   .sink = "memory: {}",
                                   .table = table};
    static struct random_plan plan;
    static char first[sizeof plan.rows.yaml];
    struct dice d = {seed};
    struct lines plain = {0};

    plan.rows.rows = rows;
    random_plan(&d, &limits, &plan);
    const bool any_batches = plan.rows.event_time && !plan.one_batch;
    uint32_t partitions = 1 + dice_below(&d, 20);
    random_plan_render(&d, &plan, PLAN_WHOLE, partitions, &ends);
    snprintf(first, sizeof first, "%s", plan.rows.yaml);
    bool ok = run(&plan.rows, (struct way){PLAN_WHOLE, 1, false, false}, &d, &plain);
    for (size_t w = 0; ok && w < sizeof ways / sizeof *ways; w++) {
        struct lines other = {0};
        if (ways[w].cut_batches && !any_batches)
            continue;
        partitions = 1 + dice_below(&d, 20);
        random_plan_render(&d, &plan, ways[w].form, partitions, &ends);
        ok = run(&plan.rows, ways[w], &d, &other) && lines_same(&plain, &other);
        if (!ok)
            printf("threads %u%s\n", ways[w].threads, ways[w].cut_batches ? ", other batches" : "");
        lines_free(&other);
    }
    spoke += plain.count > 0;
    lines_free(&plain);
    if (!ok)
        printf("seed %llu, %u rows in %u partitions:\n%s\nand\n%s\n", (unsigned long long)seed,
               plan.rows.rows_count, plan.rows.parts, first, plan.rows.yaml);
    return ok;
}

static void write_table(void)
{
    snprintf(table, sizeof table, "/tmp/leat-meta-XXXXXX");
    int fd = mkstemp(table);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(write(fd, random_plan_table, strlen(random_plan_table)),
                    (ssize_t)strlen(random_plan_table));
    close(fd);
}

static void plans_of_all_operators_mean_the_same_in_whatever_way_they_run(void)
{
    uint64_t seed = seed_first();
    unsigned long cases = seed_cases(CASES);
    unsigned failed = 0;

    write_table();
    printf("seed %llu, %lu cases\n", (unsigned long long)seed, cases);
    for (unsigned long i = 0; i < cases && failed < 5; i++)
        failed += !check_case(seed + i * 1000003);
    CU_ASSERT_EQUAL(failed, 0);
    printf("something came out of %lu\n", spoke);
    CU_ASSERT(cases < 100 || spoke > cases * 3 / 4);
    unlink(table);
}

LEAT_TESTS("meta_plans", T(plans_of_all_operators_mean_the_same_in_whatever_way_they_run))
