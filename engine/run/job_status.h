/*
 * job_status.h - one line on a terminal that says how the jobs are doing.
 *
 *     orders-per-city  batch 812  41,203/s  lag 0  watermark 10:04:30  1,204 keys  14 MiB
 *
 * Where there is no terminal it is a log line now and then.
 *
 * Thread: main.
 */
#ifndef LEAT_RUN_JOB_STATUS_H
#define LEAT_RUN_JOB_STATUS_H

#include "run/job.h"

struct leat_job_status {
    int64_t shown_ms; /* monotonic; 0: never */
    int64_t records;  /* then */
    int width;        /* of what stands on the line */
};

/* Write the line anew if a second has passed; out NULL: a log line every half minute with records.
 * Several jobs are added up. */
void leat_job_status_show(struct leat_job_status *s, FILE *out, struct leat_job_thread *const *jobs,
                          size_t count, int64_t now_ms);
void leat_job_status_end(struct leat_job_status *s, FILE *out); /* leaves the line */

#endif
