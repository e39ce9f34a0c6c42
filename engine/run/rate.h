/*
 * rate.h - how many records a second batches take: a bound that was set, and an estimate of what
 * can be worked off, made anew behind every batch.
 *
 * Pure: the times are given. Thread: any, one at a time.
 */
#ifndef LEAT_RUN_RATE_H
#define LEAT_RUN_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* What a committed batch was. Times in ms. */
struct leat_rate_batch {
    int64_t ended_ms; /* since any moment; only differences matter */
    int64_t records;
    int64_t processing_ms; /* that working it off took */
    int64_t scheduling_ms; /* that it had to wait before */
};

struct leat_rate_estimator {
    double proportional, integral, derived; /* gains */
    double min_rate;                        /* records a second, above 0 */
    int64_t every_ms;                       /* between batches */

    /* zero at first; behind the last batch that told something: */
    bool begun;
    int64_t ended_ms;
    double rate, error;
};

/* False: it tells nothing, and what was estimated before stays: the first, one without records or
 * without a duration, or one that did not end behind the last. */
bool leat_rate_estimate(struct leat_rate_estimator *e, const struct leat_rate_batch *b,
                        double *rate);

/* Records a second from here on, when `rate` is what is wanted and `max` what is allowed. 0: no
 * limit; `rate` 0 or below: it is not known. */
double leat_rate_limit(double rate, double max);

#endif
