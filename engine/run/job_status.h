/*
 * job_status.h - one line on a terminal that says how the jobs are doing.
 *
 *     batch 812  41203 records/s  lag 70 (60 in orders/3)  watermark 2026-01-01T10:04:30Z  1204
 * keys
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
