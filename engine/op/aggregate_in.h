/*
 * aggregate_in.h - the plan of `aggregate`: what aggregate_build.c makes and aggregate.c runs.
 */
#ifndef LEAT_OP_AGGREGATE_IN_H
#define LEAT_OP_AGGREGATE_IN_H

#include "op/aggregate.h"

#define LEAT_AGGREGATE_CALLS 64

struct leat_aggregate {
    struct leat_group group; /* first */
    struct leat_agg_call calls[LEAT_AGGREGATE_CALLS];
    uint32_t count;
    uint32_t own[LEAT_AGGREGATE_CALLS]; /* numbers of the calls that have a piece of their own */
    uint32_t own_count;
    struct leat_exprs exprs;

    /* Columns that emit() fills; LEAT_NO_COLUMN: nobody asked. */
    uint32_t *key_columns; /* fields of a record key */
    uint32_t start_column, end_column, final_column, window_column;
    const struct leat_shape *window_shape;
};

/* What the calls evaluate over the rows of one input. */
struct leat_aggregate_args {
    const struct leat_assemble *assemble;
    const struct leat_program *programs[LEAT_AGGREGATE_CALLS][LEAT_AGGREGATE_ARGS];
    uint32_t columns[LEAT_AGGREGATE_CALLS][LEAT_AGGREGATE_ARGS];
};

/* By how windows are kept. */
extern const struct leat_aggregator leat_aggregate_merged, leat_aggregate_running,
    leat_aggregate_by_panes;

static inline const struct leat_agg_call *leat_aggregate_own(const struct leat_aggregate *a,
                                                             uint32_t i)
{
    return &a->calls[a->own[i]];
}

#endif
