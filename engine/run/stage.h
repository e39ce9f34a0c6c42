/*
 * stage.h - runs the tasks of a stage: blocks in, through the tree of operators, rows and outputs
 * out.
 *
 * A *lane* is a stage as one worker runs it: chunks, wiring and scratch memory, made once and used
 * for every task. A *task* is one source partition of a batch, or one state partition behind an
 * exchange. Its blocks are walked in order, each chunk is pushed through the tree to its end, then
 * every operator's finish() is called, parents first. Rows for other stages are frames per state
 * partition in the task's arena; rows for sinks are sealed in chunks of their own, which stay until
 * the batch is committed.
 *
 * Thread: the worker that owns the lane, which is also that of the task's state partition.
 */
#ifndef LEAT_RUN_STAGE_H
#define LEAT_RUN_STAGE_H

#include "data/source.h"
#include "plan/plan.h"
#include "run/watermark.h"

/* Encoded rows for a sink, selected all. Everything is in the group's arena. */
struct leat_sealed {
    struct leat_sealed *next;
    struct leat_chunk chunk;
    uint32_t branch; /* of the plan's output */
};

struct leat_sealed_list {
    struct leat_sealed *first, *last;
    uint64_t rows, bytes;
    uint32_t tasks; /* that made something, or all parts; of a whole batch only */
};

/* Frames for one state partition: blocks in the task's arena, linked by msg.next. */
struct leat_frames {
    struct leat_block *first, *last;
    int64_t rows;
};

/* What a stage remembers in one state partition. Thread: worker q mod W, the job's between. */
struct leat_state_part {
    struct leat_arena arena; /* as long as the job */
    void **memory;           /* per node of the stage; NULL: not opened yet */
    int64_t due_ms; /* as of the last task: a watermark that makes it fire; or LEAT_NO_TIME */
    uint64_t keys, bytes;
    bool touched; /* a task ran on it since its changes were taken */
};

struct leat_stage_task {
    uint32_t stage;
    uint32_t part; /* of the source, or state partition */
    const struct leat_batch *batch;
    const struct leat_watermark *watermarks; /* of all sources; read-only while tasks run */

    /* Stage 1: the partition and its blocks in order of offset, linked by msg.next. */
    const struct leat_part *origin;
    struct leat_block *blocks;

    /* Behind an exchange: the tasks before this one, of which those that feed it are read. */
    struct leat_stage_task *const *feeders;
    uint32_t feeders_count;
    struct leat_state_part *state;

    /* What comes out. */
    struct leat_arena *arena; /* of the worker, until the next batch; set when the task begins */
    struct leat_arena *kept;  /* of the worker and the group: outputs */
    struct leat_frames *
        *frames; /* per exchange, then per state partition; NULL: no row went there */
    struct leat_sealed_list *outputs; /* per sink */
    uint64_t rows;                    /* that came in */
    struct leat_task_counts counts;
    struct leat_error error; /* status LEAT_OK: none */
};

struct leat_lane;

/* NULL: out of memory or over the budget. eval is the worker's; it and the plan outlive the lane.
 */
struct leat_lane *leat_lane_new(const struct leat_plan *plan, uint32_t stage,
                                struct leat_eval *eval, struct leat_budget *budget);
void leat_lane_free(struct leat_lane *lane);

/* Run it to its end; t->error says how it went. */
void leat_lane_run(struct leat_lane *lane, struct leat_stage_task *t, struct leat_arena *arena,
                   struct leat_arena *kept);

/* LEAT_OK, or "stream 'x' ...": the state partition's memory for all nodes of the stage. */
LEAT_CHECKED enum leat_status leat_state_part_open(struct leat_state_part *s,
                                                   const struct leat_plan_stage *stage,
                                                   struct leat_error *err);

/* Count its keys and bytes and find out when it is due: behind each task, and when state was read.
 * It is open. */
void leat_state_part_measure(struct leat_state_part *s, const struct leat_plan_stage *stage);

/* How many rows wait for state partition q of `exchange` in these tasks. */
int64_t leat_frames_waiting(struct leat_stage_task *const *tasks, uint32_t count, uint32_t exchange,
                            uint32_t q);

#endif
