/*
 * job_cut.h - what becomes batch N, and when: the part of job_step.c that looks at partitions.
 *
 * Pure, as all of job_step.
 */
#ifndef LEAT_RUN_JOB_CUT_H
#define LEAT_RUN_JOB_CUT_H

#include "run/job_step.h"

/* A block of the part was received. */
void leat_job_keep(struct leat_job *job, struct leat_job_part *p, const struct leat_event *ev);

/* Choose what batch N takes: everything, or up to the limits with the least event time first, so
 * that no partition runs ahead of another, and those that tell no time in turn; by_tick: of no
 * other partitions. Sets `take` and moves what was taken to held[n % 2]. */
void leat_job_take(struct leat_job *job, uint64_t n, bool by_tick);

/* Partitions that belong to ticks: is an answer awaited, or received what a batch has room for?
 * Have they anything for a batch? */
bool leat_job_reads_chosen(const struct leat_job *job);
bool leat_job_has_chosen(const struct leat_job *job);

/* So many ticks have come: what they may take. */
void leat_job_refill(struct leat_job *job, int64_t ticks);

/* There is something, and the rate lets a batch have it. */
bool leat_job_may_take(const struct leat_job *job);

/* What there is, is more than one batch takes. */
bool leat_job_has_more(const struct leat_job *job);

/* Received as much as one batch takes, or as much as there is room for. */
bool leat_job_is_full(const struct leat_job *job);

/* Asked for when a tick has come, which waits for the answer: what is there by then is in its
 * batch. Only where a tick is a batch anyway; else there must be something first. */
bool leat_job_at_ticks(const struct leat_job *job, const struct leat_job_part *p);
bool leat_job_waits_for_answer(const struct leat_job *job);

/* May it be fetched now? If it has to wait its turn and there is one, it has it from here on. */
bool leat_job_has_turn(struct leat_job *job, struct leat_job_part *p);
/* It is finished, or cannot be read now: the part whose turn is next; UINT32_MAX: none waits. */
uint32_t leat_job_end_turn(struct leat_job *job, struct leat_job_part *p);

/* A bounded run has received all that it will. */
bool leat_job_is_read(const struct leat_job *job);

/* Part of a bounded run that needs no further fetch. */
bool leat_job_part_is_read(const struct leat_job *job, const struct leat_job_part *p);

/* Take parts that are finished and empty off the active list. */
void leat_job_forget(struct leat_job *job, uint32_t part);

#endif
