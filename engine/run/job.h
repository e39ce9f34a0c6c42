/*
 * job.h - one pipeline that runs: a job with a thread of its own. Several in one process, with
 * signals: job_set.h.
 */
#ifndef LEAT_RUN_JOB_H
#define LEAT_RUN_JOB_H

#include "base/metric.h"
#include "plan/plan.h"
#include "run/job_step.h"
#include "run/watch.h"

#include <stdio.h>

struct leat_job_options {
    uint32_t threads; /* per job; 0: as many as there are cores */

    /* `--until`, over what the file says in batch.trigger. */
    bool until_caught_up;
    int64_t until_ms;       /* stop after so long; 0: never */
    uint64_t until_batches; /* stop behind so many; 0: never */

    /* `--from`, `--to`: as in struct leat_env. to_ms ends the run as until_caught_up does. */
    int64_t from_ms, to_ms;

    bool drop_state; /* state that the plan cannot go on with is dropped, not a reason to stop */
    bool accept_offsets; /* positions that do not fit the log win; log and state begin anew */
    bool again; /* this process has run it before: from_ms counts only while nothing is committed */

    FILE *status;                       /* a status line goes there; NULL: log lines */
    const struct leat_fs *fs;           /* NULL: the real one */
    const struct leat_clock *clock;     /* NULL: the system's */
    const struct leat_job_watch *watch; /* lasts until leat_job_free(); NULL: nobody */
    const char *state_dir;              /* NULL: checkpoint.dir of the file, else ./state/NAME */
};

struct leat_job_thread;

/* *job even after a failure may be freed. ended(arg) is called once, from the job's thread, when it
 * has ended; NULL: nobody is told. */
LEAT_CHECKED enum leat_status leat_job_start(const struct leat_plan *plan,
                                             const struct leat_job_options *options,
                                             void (*ended)(void *arg), void *arg,
                                             struct leat_job_thread **job, struct leat_error *err);

/* Finish the batch that is under way, commit, end. May be called again. Thread: any */
void leat_job_ask_stop(struct leat_job_thread *job);

/* The clock that was handed in has moved on: look at it now, not when the wait of the old time
 * ends. Between start and join. Thread: any */
void leat_job_look_at_clock(struct leat_job_thread *job);

/* Wait for its end; how it went. Once. */
LEAT_CHECKED enum leat_status leat_job_join(struct leat_job_thread *job, struct leat_error *err);
void leat_job_free(struct leat_job_thread *job); /* after join; NULL is fine */

/* It has ended, or is about to, with a failure. Thread: any */
bool leat_job_has_failed(const struct leat_job_thread *job);

/* It has found out where to go on, and its sinks and pull sources answer: it cuts batches, or did.
 * Push sources may still be connecting. Thread: any */
bool leat_job_is_ready(const struct leat_job_thread *job);

/* Borrowed, until leat_job_free(). Thread: any */
const struct leat_metrics *leat_job_metrics_of(const struct leat_job_thread *job);
const struct leat_part_metrics_list *leat_job_part_metrics_of(const struct leat_job_thread *job);

#endif
