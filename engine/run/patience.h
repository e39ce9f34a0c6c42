/*
 * patience.h - how the threads of sinks and of the decider wait for what may heal: with longer and
 * longer pauses, said once when it begins and once when it is over.
 *
 * Thread: the one that waits.
 */
#ifndef LEAT_RUN_PATIENCE_H
#define LEAT_RUN_PATIENCE_H

#include "base/log.h"
#include "base/queue.h"

#include <stdatomic.h>

#define LEAT_PATIENCE_MAX_MS 3000

/* One wait; the first members are set, the others zero. */
struct leat_patience {
    const struct leat_log *log;
    struct leat_queue *in;    /* of the thread: a message ends a pause early */
    const atomic_bool *hurry; /* give up: the job ends */
    atomic_bool *waits;       /* true meanwhile, for the status line */
    int64_t first_ms;         /* of the first pause; each is twice the one before */

    int64_t pause_ms;
    bool said;
};

/* `text` says what is wrong. True: the pause is over, try again. False: the job ends, give up. */
bool leat_patience_wait(struct leat_patience *p, const char *text);

/* It worked, also where nothing had to be waited for. */
void leat_patience_over(const struct leat_patience *p);

#endif
