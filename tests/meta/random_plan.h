/*
 * random_plan.h - plans of all operators from a seed, each written down in several ways.
 *
 * A plan is a few streams of operators that is kept in pieces, so that the same meaning can be
 * written as a file in which operators run fused or not: whole streams, a stream for each operator
 * with somebody else who reads it, or with exchanges in between. Times of records are all
 * different, so what order records have is always said.
 */
#ifndef LEAT_TEST_RANDOM_PLAN_H
#define LEAT_TEST_RANDOM_PLAN_H

#include "random_pipeline.h"

#define PLAN_OPS 24

struct plan_op {
    char text[420];
    bool cut; /* a stream may end before it: no window is pending there */
};

struct plan_stream {
    const char *name, *from;
    struct plan_op ops[PLAN_OPS];
    uint32_t count;
    uint32_t copies; /* what one row of its source becomes, at most */
};

struct random_plan {
    struct random_pipeline rows; /* its rows and sources; its yaml is what was rendered last */
    uint32_t lateness_ms;
    struct plan_stream streams[2]; /* "right" if it is wanted, then "out" */
    bool has_right;
    uint32_t overlap; /* windows of the join that a row is in; 0: there is none */
    bool ties;        /* rows may have the same time, so their order is not said */
    bool one_batch;   /* results depend on how batches are cut */
};

/* What the caller wants none of. */
struct plan_limits {
    bool event_time;   /* only plans that have it */
    bool sees_no_tick; /* none that has something to say in an empty batch */
};

void random_plan(struct dice *d, const struct plan_limits *limits, struct random_plan *plan);

enum plan_form {
    PLAN_WHOLE,
    PLAN_APART, /* a stream for each operator, most of them with a sink named tapN, too */
    PLAN_SPREAD /* exchanges between operators, where rows are spread anew */
};

/* What stands at the ends of a file. */
struct plan_ends {
    const char *head;    /* lines of settings; "" */
    const char *source;  /* connector of a source, with %s for its name */
    const char *sink;    /* of the sink */
    const char *table;   /* a file with random_plan_table */
    bool keys_in_values; /* what comes out is { key, value } without a key */
};

/* Into plan->rows.yaml. */
void random_plan_render(struct dice *d, struct random_plan *plan, enum plan_form form,
                        uint32_t partitions, const struct plan_ends *ends);

/* The rows of the table that plans look up. */
extern const char random_plan_table[];

#endif
