/*
 * replay.h - one commit group run again, from the ranges that its log record has: `leat replay`.
 *
 * Nothing is committed and nothing written: outputs stay in memory, the caller shows them. State is
 * what the group before left behind, as far as the log and a snapshot still go. The group's time is
 * taken from its record: batch times, clock, watermark. Tables and the programs behind `lua:` are
 * as they are today.
 *
 * Thread: one.
 */
#ifndef LEAT_RUN_REPLAY_H
#define LEAT_RUN_REPLAY_H

#include "plan/plan.h"
#include "run/batch.h"
#include "store/job_log.h"

struct leat_replay_options {
    uint64_t batch;
    const char *dir; /* of the log */
    const char *job; /* its name */
    const struct leat_fs *fs;
    const struct leat_log *lines;
};

struct leat_replay;

/* Reads record N, the state before it, and the ranges of its batches; runs nothing yet.
 * LEAT_E_LOST: the record, the state or the records of a source are not there any more; the text
 * says which. */
LEAT_CHECKED enum leat_status leat_replay_open(const struct leat_plan *plan,
                                               const struct leat_replay_options *options,
                                               struct leat_replay **replay, struct leat_error *err);
void leat_replay_close(struct leat_replay *r); /* NULL is fine */

/* The record, borrowed. */
const struct leat_log_record *leat_replay_record(const struct leat_replay *r);

/* False: the group before it left state that this plan uses. */
bool leat_replay_is_alone(const struct leat_replay *r);

/* Called with the rows of a range before they are run: blocks linked by msg.next. */
typedef enum leat_status leat_replay_rows(void *arg, uint32_t source, const struct leat_part *part,
                                          const struct leat_block *blocks, struct leat_error *err);

/* Run the batch (cut) of that number; *batch has the outputs until the next call. rows may be NULL.
 */
LEAT_CHECKED enum leat_status leat_replay_run(struct leat_replay *r, uint32_t cut,
                                              leat_replay_rows *rows, void *arg,
                                              const struct leat_flow_batch **batch,
                                              struct leat_error *err);

#endif
