/*
 * job_set_in.h - the inside of a set of jobs: its members (job_set.c) and what it waits for
 * (job_set_loop.c). Thread: main.
 */
#ifndef LEAT_RUN_JOB_SET_IN_H
#define LEAT_RUN_JOB_SET_IN_H

#include "run/job_set.h"
#include "run/job_status.h"

#include <signal.h>
#include <stdatomic.h>

struct member {
    struct member *next;
    struct leat_job_set *set;
    const struct leat_plan *plan;   /* that runs, or ran last */
    const struct leat_plan *after;  /* begins when that one has ended; NULL: none */
    const struct leat_plan *before; /* goes on if `plan` fails before it is ready; NULL: none */
    struct leat_job_thread *job;    /* NULL: none runs */
    atomic_bool ended;
    bool stopping;                        /* the job was asked to */
    bool gone;                            /* dropped */
    bool has_run;                         /* one of its jobs was ready */
    bool due;                             /* is to be started */
    enum leat_member_state idle;          /* why there is no job: waiting, failed, done */
    int64_t begun_ms, again_ms, pause_ms; /* monotonic */
    uint64_t failures, starts;
    uint64_t failed_as; /* how many failures there were before, in all of the set */
    struct leat_error error;
};

struct leat_job_set {
    const struct leat_job_options *options;
    struct leat_job_set_hooks hooks;
    struct member *members;
    struct leat_job_thread **shown; /* room for all of them */
    size_t count, room;
    uint64_t failures;
    int64_t until_ms; /* monotonic; 0: no end */
    int signal_fd, ended_fd;
    sigset_t signals_before;
    bool signals_taken, stopping, stays, reload;
    struct leat_turn *turns;
    size_t turns_count;
    struct leat_job_status status;
};

/* job_set.c */
int64_t leat_set_now_ms(const struct leat_job_set *set);
/* One runs or is going to, `but` left out; or the set stays. */
bool leat_set_any_alive(const struct leat_job_set *set, const struct member *but);
void leat_set_stop_all(struct leat_job_set *set);
void leat_set_start_due(struct leat_job_set *set);
void leat_set_reap(struct leat_job_set *set); /* those that have ended */

/* job_set_loop.c */
LEAT_CHECKED enum leat_status leat_set_open_fds(struct leat_job_set *set, struct leat_error *err);
void leat_set_loop(struct leat_job_set *set);

#endif
