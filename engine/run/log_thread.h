/*
 * log_thread.h - appends and syncs records of the job log, so that the job thread never waits for a
 * disk.
 *
 * A full disk is waited for and said once; any other failure ends the job.
 */
#ifndef LEAT_RUN_LOG_THREAD_H
#define LEAT_RUN_LOG_THREAD_H

#include "base/log.h"
#include "base/queue.h"
#include "store/state_log.h"

#include <stdatomic.h>

struct leat_log_work {
    struct leat_msg msg;
    struct leat_log_record record;
    int64_t keep_since_ms;   /* older records may go, where no snapshot needs them */
    struct leat_error error; /* status LEAT_OK: none */
};

struct leat_log_thread {
    struct leat_job_log *log; /* between start and stop the thread's */
    struct leat_state_log *state;
    const struct leat_log *lines;
    struct leat_queue in, *job;
    pthread_t thread;
    bool running;
    atomic_bool hurry;
    bool said; /* that old parts cannot be removed */
};

LEAT_CHECKED enum leat_status leat_log_thread_start(struct leat_log_thread *t,
                                                    struct leat_error *err);
void leat_log_thread_stop(struct leat_log_thread *t, bool hurry); /* nothing if not started */

#endif
