/*
 * job_set.h - pipelines that run side by side in one process, and may come, change and go.
 *
 * Each is a job with a thread of its own, known by its pipeline's name; they share nothing but the
 * process. One that fails leaves the others alone: what may heal is tried again after a pause that
 * doubles, anything else stays failed until it is put again. A new version of one that runs takes
 * its place at the end of a batch, and goes on from its log and its state; if it fails before it
 * is ready, the version before goes on.
 *
 * The set waits for all of that in leat_job_set_run(), and for signals: SIGINT and SIGTERM let
 * every job finish its batch and commit, a second one ends the process at once; SIGHUP reloads.
 *
 * Thread: all of it the main one.
 */
#ifndef LEAT_RUN_JOB_SET_H
#define LEAT_RUN_JOB_SET_H

#include "run/job.h"

struct leat_job_set;

struct leat_job_set_hooks {
    void *arg;
    /* SIGHUP: put and drop. NULL: the signal means what it always means. */
    void (*reload)(void *arg);
    /* Nobody looks at this plan any more; it may be freed. NULL: the plans outlive the set. */
    void (*unused)(void *arg, const struct leat_plan *plan);
};

/* `options` and what they point to outlive the set. */
LEAT_CHECKED enum leat_status leat_job_set_new(const struct leat_job_options *options,
                                               const struct leat_job_set_hooks *hooks,
                                               struct leat_job_set **set, struct leat_error *err);
/* After leat_job_set_run(), or before anything was put; NULL is fine. */
void leat_job_set_free(struct leat_job_set *set);

/* A new pipeline begins (in leat_job_set_run()); one of a name that the set has follows that one.
 * LEAT_E_NOMEM: the plan is still the caller's. */
LEAT_CHECKED enum leat_status
leat_job_set_put(struct leat_job_set *set, const struct leat_plan *plan, struct leat_error *err);
/* The pipeline of this name ends behind the batch that is under way, and is forgotten. */
void leat_job_set_drop(struct leat_job_set *set, struct leat_slice name);

/* Something else that the thread of leat_job_set_run() waits for. It gets a turn whenever there may
 * be something to do, and must not wait. */
struct leat_turn {
    struct leat_turn *next; /* the set's */
    int fd;                 /* readable: a turn */
    void *arg;
    int64_t (*wait_ms)(const void *arg); /* until a turn is due anyway; -1: none is */
    void (*turn)(void *arg);
};

/* Borrowed until detach, which comes before leat_job_set_free(). Neither is called in a turn.
 * LEAT_E_FULL: there are too many. */
LEAT_CHECKED enum leat_status leat_job_set_attach(struct leat_job_set *set, struct leat_turn *turn,
                                                  struct leat_error *err);
void leat_job_set_detach(struct leat_job_set *set, struct leat_turn *turn);

/* Have hooks.reload called soon, as SIGHUP does; also in a turn. */
void leat_job_set_reload(struct leat_job_set *set);

/* Returns when none runs and none is going to: LEAT_OK, or the failure of the first of those that
 * have failed. `stays`: only a signal ends it. */
LEAT_CHECKED enum leat_status leat_job_set_run(struct leat_job_set *set, bool stays,
                                               struct leat_error *err);

/* ---- to look at */

enum leat_member_state {
    LEAT_MEMBER_STARTING, /* not ready yet: recovers, waits for the other side */
    LEAT_MEMBER_RUNNING,
    LEAT_MEMBER_STOPPING,
    LEAT_MEMBER_WAITING, /* has failed, and is tried again */
    LEAT_MEMBER_FAILED,  /* and stays so */
    LEAT_MEMBER_DONE,
};

struct leat_member {
    struct leat_slice name;
    enum leat_member_state state;
    uint64_t failures;           /* since it was first put */
    uint64_t starts;             /* of jobs, the first included */
    const char *why;             /* the last failure; "" */
    struct leat_job_thread *job; /* NULL: none runs */
};

/* Calls fn for each, in the order in which they came. Borrowed for the call. */
void leat_job_set_each(const struct leat_job_set *set,
                       void (*fn)(void *arg, const struct leat_member *m), void *arg);

/* It has failed, and waits or stays so. */
bool leat_job_set_has_failed(const struct leat_job_set *set, struct leat_slice name);

#endif
