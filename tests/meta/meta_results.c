/*
 * meta_results.c - results are the same for any number of threads, any cutting of blocks and, with
 * event time and no late records, any cutting of batches.
 *
 * From a seed: 2,000 pipelines with inputs, each run once plainly and then in other ways; outputs
 * are compared as multisets of rows, doubles within 1e-9. LEAT_SEED and LEAT_CASES repeat or
 * prolong a run; a failure prints the seed of its case and the pipeline.
 */
#include "lines.h"
#include "random_pipeline.h"
#include "seed.h"

#include "leat_test.h"

#include <stdio.h>

/* ---- ways to run */

struct way {
    uint32_t threads;
    uint32_t batches; /* how many; 0: cut anywhere */
    bool cut_blocks;
};

/* Rows go into blocks of a few each, so that chunks and tasks begin and end elsewhere. */
static void feed(struct pipeline *p, const struct random_row *r, struct dice *d, bool cut)
{
    char partition[16];

    snprintf(partition, sizeof partition, "t/%u", r->part);
    pipeline_row(p, random_source(r->source), partition, r->key, r->value, 1000);
    if (cut && dice_percent(d, 10))
        pipeline_cut(p, random_source(r->source), partition);
}

static bool run(const struct random_pipeline *rp, struct way way, struct dice *d,
                struct lines *into)
{
    static struct pipeline p;
    uint32_t size = way.batches ? rp->rows_count / way.batches + 1 : 0;
    int64_t now_ms = 10000;
    bool ok = true;

    pipeline_open(&p, rp->yaml, way.threads);
    for (uint32_t i = 0; i < rp->parts * rp->sources; i++) {
        char partition[16];
        snprintf(partition, sizeof partition, "t/%u", i / rp->sources);
        pipeline_part(&p, random_source(i % rp->sources), partition);
    }
    for (uint32_t i = 0; i < rp->rows_count && ok; i++) {
        feed(&p, &rp->rows[i], d, way.cut_blocks);
        if (size ? (i + 1) % size == 0 : dice_percent(d, 3)) {
            ok = pipeline_batch(&p, now_ms += 1000, false);
            if (ok)
                lines_collect(into, &p);
        }
    }
    ok = ok && pipeline_batch(&p, now_ms += 1000, true);
    if (ok)
        lines_collect(into, &p);
    else
        printf("failed: %s\n", p.error.text);
    pipeline_close(&p);
    lines_sort(into);
    return ok;
}

static bool check_case(uint64_t seed)
{
    static struct random_row rows[RANDOM_ROWS_MAX];
    static const struct way ways[] = {{2, 4, true}, {8, 4, true}, {1, 4, true}};
    struct dice d = {seed};
    struct random_pipeline rp = {.rows = rows};
    struct lines plain = {0};
    bool ok;

    random_pipeline(&d, &rp);
    ok = run(&rp, (struct way){1, 4, false}, &d, &plain);
    for (size_t w = 0; ok && w < sizeof ways / sizeof *ways + (rp.event_time && !rp.by_batch);
         w++) {
        struct lines other = {0};
        struct way way = w < sizeof ways / sizeof *ways ? ways[w] : (struct way){1, 0, true};
        ok = run(&rp, way, &d, &other) && lines_same(&plain, &other);
        if (!ok)
            printf("threads %u, %s\n", way.threads, way.batches ? "same batches" : "other batches");
        lines_free(&other);
    }
    lines_free(&plain);
    if (!ok)
        printf("seed %llu, %u rows in %u partitions:\n%s\n", (unsigned long long)seed,
               rp.rows_count, rp.parts, rp.yaml);
    return ok;
}

static void results_do_not_depend_on_threads_blocks_and_batches(void)
{
    uint64_t seed = seed_first();
    unsigned long cases = seed_cases(2000);
    unsigned failed = 0;

    printf("seed %llu, %lu cases\n", (unsigned long long)seed, cases);
    for (unsigned long i = 0; i < cases && failed < 5; i++)
        failed += !check_case(seed + i * 1000003);
    CU_ASSERT_EQUAL(failed, 0);
}

LEAT_TESTS("meta_results", T(results_do_not_depend_on_threads_blocks_and_batches))
