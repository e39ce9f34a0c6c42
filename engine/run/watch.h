/*
 * watch.h - what a job tells whoever watches it: per batch, per output and per receiver, never per
 * record. Times are the job's (milliseconds since 1970, never going back).
 */
#ifndef LEAT_RUN_WATCH_H
#define LEAT_RUN_WATCH_H

#include "base/error.h"

#include <stdint.h>

struct leat_job_watch_batch {
    int64_t time_ms, began_ms, ended_ms;
    uint64_t records;             /* that went in; of one that failed, or has just begun: 0 */
    int64_t known;                /* as many were known to be in it when it began; -1: unknown */
    const struct leat_error *why; /* it failed; NULL: it is committed */
};

struct leat_job_watch_output {
    uint32_t sink; /* in the plan */
    int64_t batch_ms;
    int64_t now_ms;
    bool is_over;
    const struct leat_error *why; /* over, and failed; NULL: no */
};

enum leat_job_watch_receiver { LEAT_WATCH_STARTED, LEAT_WATCH_FAILED, LEAT_WATCH_STOPPED };

/* They return at once, and call nothing of the job. Thread: job. */
struct leat_job_watch {
    /* It has recovered, and ticks from here on. */
    void (*started)(void *arg);
    /* What is in a batch is decided; then it begins to run. */
    void (*cut)(void *arg, int64_t batch_ms, int64_t now_ms);
    void (*begun)(void *arg, const struct leat_job_watch_batch *batch);
    /* It is committed everywhere, or the job has failed with it under way. Once per batch that was
     * cut; in order. */
    void (*batch)(void *arg, const struct leat_job_watch_batch *batch);
    /* An output, of the last batch of those that are committed together, begins or is over. Not of
     * those that are part of a decider's transaction. */
    void (*output)(void *arg, const struct leat_job_watch_output *output);
    /* Of a push source, by its name, which lasts as long as the job. */
    void (*receiver)(void *arg, const char *source, enum leat_job_watch_receiver what,
                     const struct leat_error *why);
    /* All of a source's partition below `next` is in committed batches. */
    void (*committed)(void *arg, const char *source, int64_t next);
    void *arg;
};

#endif
