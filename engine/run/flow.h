/*
 * flow.h - the inside of a flow, shared by the files that make it.
 *
 *     batch.c       batches: tasks, stages, the barrier, outputs
 *     flow_state.c  what is remembered: its changes and snapshots as bytes, and back
 */
#ifndef LEAT_RUN_FLOW_H
#define LEAT_RUN_FLOW_H

#include "run/batch.h"

/* What a worker is told to do: take tasks of the current stage until there are none. */
struct leat_crew {
    struct leat_work work; /* first */
    struct leat_flow *flow;
    uint32_t number;
    struct leat_eval *eval;
    struct leat_lane **lanes; /* per stage, made when first needed */
};

struct leat_flow {
    const struct leat_plan *plan;
    struct leat_budget *budget;
    struct leat_arena arena; /* as long as the flow */
    uint32_t workers;
    struct leat_crew *crews;
    struct leat_queue done;
    struct leat_pool pool;
    bool has_pool;

    struct leat_state_part **states; /* per stage, per state partition; NULL for source stages */
    uint64_t **shapes;               /* per stage, per node; 0: it keeps nothing */
    int64_t *due_ms;                 /* per stage: least of its partitions */
    struct leat_watermark *watermarks;
    const struct leat_lookup_table *const *tables;
    struct leat_arena *scratch; /* per worker: of the batch that runs or ran last */
    struct leat_flow_group *all, *unused;
    struct leat_flow_batch *last; /* whose tasks are in the scratch memory */

    /* While a stage runs: tasks [first, count) of the batch. */
    struct leat_flow_batch *batch;
    uint32_t first;
    atomic_uint claimed;

    struct leat_flow_capture *capture; /* while changes are taken */
    struct leat_flow_restore *restore; /* while state is read */
};

/* Tell everybody to run `run` on what is theirs; the caller is worker 0. Returns when all have. */
void leat_flow_together(struct leat_flow *flow,
                        enum leat_status (*run)(struct leat_work *w, struct leat_error *err));

/* How many state partitions the stage has; 0: it reads a source. */
uint32_t leat_flow_partitions(const struct leat_flow *flow, uint32_t stage);

/* What operators call the state they keep: leat_flow.shapes. */
LEAT_CHECKED enum leat_status leat_flow_init_shapes(struct leat_flow *flow, struct leat_error *err);

/* Stage `stage`: the least time at which one of its state partitions is due. */
void leat_flow_note_due(struct leat_flow *flow, uint32_t stage);

#endif
