/*
 * seal.h - the two ends of a stage: rows for other stages, and rows for sinks.
 *
 * Both are copied into the task's arena, because the chunk they come in is used again at once.
 */
#ifndef LEAT_RUN_SEAL_H
#define LEAT_RUN_SEAL_H

#include "run/stage.h"

/* Copy the selected rows as frames for the state partitions of `exchange`. */
LEAT_CHECKED enum leat_status leat_seal_frames(struct leat_stage_task *t,
                                               const struct leat_plan *plan, uint32_t exchange,
                                               const struct leat_chunk *chunk,
                                               struct leat_error *err);

/* The last blocks are complete: nobody writes to them any more. */
void leat_seal_end(struct leat_stage_task *t, const struct leat_plan *plan);

/* Copy the selected rows, encoded, into a chunk for `sink`, of this branch of it. */
LEAT_CHECKED enum leat_status leat_seal_output(struct leat_stage_task *t, uint32_t sink,
                                               uint32_t branch, const struct leat_chunk *chunk,
                                               struct leat_error *err);

#endif
