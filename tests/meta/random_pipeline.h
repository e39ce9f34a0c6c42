/*
 * random_pipeline.h - pipelines and inputs from a seed, for tests that compare results.
 *
 * Every pipeline is good and deterministic: its results must not depend on threads, on how blocks
 * are cut and, with event time and no late records, not on how batches are cut.
 */
#ifndef LEAT_TEST_RANDOM_PIPELINE_H
#define LEAT_TEST_RANDOM_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

uint64_t dice_next(struct dice *d);
uint32_t dice_below(struct dice *d, uint32_t n); /* 0..n-1 */
bool dice_percent(struct dice *d, uint32_t percent);

#define RANDOM_ROWS_MAX 6000

struct random_row {
    uint32_t source, part; /* source 0 is 'in', 1 is 'in2' */
    char key[8];
    char value[200];
};

struct random_pipeline {
    /* Said by the caller: also late records, early results, inverses, cascades of windows, whose
     * results depend on how batches are cut. */
    bool rough;
    char yaml[8192];
    bool event_time, has_late, joins;
    bool in_order;                       /* rows are in the order of their times */
    bool by_batch;                       /* state per key: results depend on how batches are cut */
    uint32_t sources, parts, rows_count; /* parts: of each source */
    struct random_row *rows;             /* RANDOM_ROWS_MAX */
};

void random_pipeline(struct dice *d, struct random_pipeline *p);

/* A row of one of the sources and parts of p: k s (text; k one of so many), n m (int), x (double),
 * l (list of int), ts. */
void random_row(struct dice *d, const struct random_pipeline *p, uint32_t keys, uint64_t ts,
                struct random_row *r);

static inline const char *random_source(uint32_t number)
{
    return number ? "in2" : "in";
}

#endif
