/*
 * retry.h - the other side is away: it is tried again and again, with longer and longer pauses.
 * That it is waited for is said once, and that it is over too. Thread: the owner's.
 */
#ifndef LEAT_RUN_RETRY_H
#define LEAT_RUN_RETRY_H

#include "base/log.h"

#include <stdint.h>

struct leat_retry {
    bool said;
    int64_t again_ms; /* by the owner's clock: when to try; it may also be set to anything else */
    int64_t pause_ms;
};

/* False: that cannot heal. Else again_ms is set. That there is no memory is said when it stays so.
 */
LEAT_CHECKED bool leat_retry_wait(struct leat_retry *r, const struct leat_log *log,
                                  const struct leat_error *why, int64_t now_ms);

/* Say it, unless it was said; for what has a time of its own to try again. */
void leat_retry_say(struct leat_retry *r, const struct leat_log *log, const struct leat_error *why);

/* It works. */
void leat_retry_over(struct leat_retry *r, const struct leat_log *log);

#endif
