/*
 * watch.h - calls of functions that are not ours: one that crashes, or never comes back, is named.
 *
 * Nobody can take a thread out of a function. So a call that takes longer than it may ends the
 * process with one line that names it, and the next run goes on where the last committed batch
 * ended. Who is in a call is written where the watching thread reads it; no clock is looked at.
 */
#ifndef LEAT_EXPR_WATCH_H
#define LEAT_EXPR_WATCH_H

#include "base/log.h"
#include "base/slice.h"

#include <stdatomic.h>

/* What is called. Lives as long as the plan. */
struct leat_watched {
    struct leat_slice where, what; /* "streams.s.ops[0].map", "module of map" */
};

/* Of one worker. */
struct leat_watch {
    _Atomic(const struct leat_watched *) running; /* NULL: in no call */
    atomic_uint calls;                            /* goes up with each */

    /* Of the watching thread. */
    struct leat_watch *next;
    unsigned seen, seconds;
    unsigned limit_s;
    char job[64];
};

/* The first one starts the thread that watches; `job` is for the log. NULL: out of memory. Thread:
 * any. */
struct leat_watch *leat_watch_new(struct leat_slice job, unsigned limit_s);
/* The last one ends it. Before the plan goes. */
void leat_watch_free(void *watch);

/* w may be NULL. Thread: the worker. */
void leat_watch_enter(struct leat_watch *w, const struct leat_watched *watched);
void leat_watch_leave(struct leat_watch *w);

/* From now on a crash within a call says so on stderr, and goes on as it would have. */
void leat_watch_crashes(void);

#endif
