/*
 * batch.h - a plan in motion: lanes and state partitions, and the life of a batch over its stages.
 *
 *     begin -> add blocks per source partition -> run -> outputs per sink -> release
 *
 * Run: stage-1 tasks, then the barrier at which the watermarks move, then each exchange stage in
 * plan order, with one task per state partition that got rows, is due, or speaks on an empty batch.
 * Tasks of stage 1 go to whoever is free, state partition q to worker q mod W; the caller is worker
 * 0. A small batch runs in the caller alone. Results do not depend on the number of workers: each
 * task reads what others made in the order of their numbers.
 *
 * Thread: the job's (or the caller's of a driver), except where stage.h says otherwise.
 */
#ifndef LEAT_RUN_BATCH_H
#define LEAT_RUN_BATCH_H

#include "run/stage.h"
#include "run/worker.h"
#include "store/state_log.h"

struct leat_flow_group;

struct leat_flow_batch {
    struct leat_flow_batch *next; /* in the group */
    struct leat_flow_group *group;
    struct leat_batch info;
    bool close;                     /* a bounded run ends here: all windows close */
    struct leat_stage_task **tasks; /* in order of number: stages in plan order; until the next
                                       batch begins */
    uint32_t tasks_count, tasks_room;
    struct leat_sealed_list *outputs; /* per sink, after run; in order of task */
    uint64_t bytes, rows_hint;
    uint64_t missing;               /* sources without a dataset for it */
    bool rows_guessed;              /* rows_hint is not what will be read */
    struct leat_task_counts counts; /* of all tasks */
};

/* Fill batch->outputs from what its tasks made. parts.c */
LEAT_CHECKED enum leat_status leat_flow_collect_outputs(const struct leat_plan *plan,
                                                        const struct leat_watermark *marks,
                                                        struct leat_flow_batch *batch,
                                                        struct leat_error *err);

/* Batches that are committed at once, and what of them must be kept until then. */
struct leat_flow_group {
    struct leat_flow_group *next;
    struct leat_flow_batch *first, *last;
    uint32_t count;
    struct leat_msg *pushed, **pushed_end; /* blocks of push sources, in order, by msg.next */
    struct leat_arena *arenas;             /* one per worker; [0] also has what is here */
};

struct leat_flow;

/* The plan outlives the flow. LEAT_E_NOMEM, LEAT_E_FULL. */
LEAT_CHECKED enum leat_status leat_flow_new(const struct leat_plan *plan, uint32_t workers,
                                            struct leat_budget *budget, struct leat_flow **flow,
                                            struct leat_error *err);
void leat_flow_free(struct leat_flow *flow); /* groups too, also those that were not released */

/* A source partition exists. `part` lives as long as the flow. */
/* time_max_ms: the greatest event time seen there in an earlier life, or LEAT_NO_TIME. */
LEAT_CHECKED enum leat_status leat_flow_part(struct leat_flow *flow, uint32_t source, uint32_t part,
                                             int64_t clock_ms, int64_t time_max_ms,
                                             struct leat_error *err);

/* How far time had come in an earlier life. Before the first batch. */
void leat_flow_restore_time(struct leat_flow *flow, uint32_t source, int64_t now_ms,
                            int64_t max_ms);

/* A group without batches. NULL: no memory. */
struct leat_flow_group *leat_flow_group(struct leat_flow *flow);

/* An empty batch with this number and these times, behind those of the group; all others have run.
 * NULL: no memory. */
struct leat_flow_batch *leat_flow_begin(struct leat_flow *flow, struct leat_flow_group *group,
                                        const struct leat_batch *info);

/* A stage-1 task over these blocks, linked by msg.next in order of offset. They belong to the batch
 * until it has run, which drops one reference each; those of push sources then are in
 * group->pushed. Called in the order of (source, partition). */
LEAT_CHECKED enum leat_status leat_flow_add(struct leat_flow *flow, struct leat_flow_batch *batch,
                                            uint32_t source, const struct leat_part *part,
                                            struct leat_block *blocks, struct leat_error *err);

/* Run it. On failure the flow can only be freed. */
LEAT_CHECKED enum leat_status leat_flow_run(struct leat_flow *flow, struct leat_flow_batch *batch,
                                            struct leat_error *err);

/* One source task of the batch that ran last, in the order of add; NULL: no such task. */
struct leat_stage_task *leat_flow_source_task(struct leat_flow_batch *batch, uint32_t i);

/* What the outputs of the group take. */
size_t leat_flow_group_bytes(const struct leat_flow *flow, const struct leat_flow_group *group);

void leat_flow_release(struct leat_flow *flow, struct leat_flow_group *group);

/* Would a batch of this time, without records, do anything? O(stages + sources). */
bool leat_flow_is_due(const struct leat_flow *flow, int64_t batch_time_ms, int64_t clock_ms,
                      bool close);

/* As leat_watermark_at_end(). */
void leat_flow_at_end(struct leat_flow *flow, uint32_t source, uint32_t part, bool at_end,
                      bool finished);

/* Tables for the batches from now on, by number in the plan; borrowed. */
void leat_flow_set_tables(struct leat_flow *flow, const struct leat_lookup_table *const *tables);

/* State partition q of a stage behind an exchange. Between batches: it is the worker's while one
 * runs. Who has read state into some of them (leat_state_part_open() first) says so when all are
 * done. */
struct leat_state_part *leat_flow_state_part(struct leat_flow *flow, uint32_t stage, uint32_t q);
void leat_flow_state_read(struct leat_flow *flow);

/* What the group changed in the state, as bytes in its memory: behind its last batch, before
 * another one begins. Entries of one state partition are one behind the other. */
LEAT_CHECKED enum leat_status leat_flow_capture(struct leat_flow *flow,
                                                struct leat_flow_group *group,
                                                struct leat_log_state **list, uint32_t *count,
                                                struct leat_error *err);

/* All of state partition q, in `arena`, as it is now; its bytes are there when `more` has returned
 * true, which copies about `most` of them. Both between batches; no batch runs after the arena was
 * reset before that. */
LEAT_CHECKED enum leat_status leat_flow_snapshot(struct leat_flow *flow, uint32_t q,
                                                 struct leat_arena *arena,
                                                 struct leat_log_state **list, uint32_t *count,
                                                 struct leat_error *err);
bool leat_flow_snapshot_more(struct leat_flow *flow, uint32_t q, size_t most);

/* State that was left out: no operator has its name; or, `other`, one has, and cannot read it. */
typedef void leat_dropped_fn(void *arg, struct leat_slice name, bool other);

/* Read what group n left behind, all state partitions at once, each on the worker that it belongs
 * to. dropped() is told what nobody could read, perhaps more than once. */
LEAT_CHECKED enum leat_status leat_flow_restore(struct leat_flow *flow, struct leat_state_log *from,
                                                uint64_t n, leat_dropped_fn *dropped, void *arg,
                                                struct leat_error *err);

struct leat_flow_state {
    uint64_t keys, bytes;
};
struct leat_flow_state leat_flow_state(const struct leat_flow *flow);
const struct leat_watermark *leat_flow_watermarks(const struct leat_flow *flow); /* per source */

#endif
