/*
 * snapshot_thread.h - writes snapshots of state partitions while the job goes on.
 *
 * A snapshot is bytes by the time it comes here. It is written and synced at once, but counts only
 * when the group that it is of is committed: then the job says so. One is under way at most. What
 * fails is said, and the log is kept for longer; the next snapshot may work.
 */
#ifndef LEAT_RUN_SNAPSHOT_THREAD_H
#define LEAT_RUN_SNAPSHOT_THREAD_H

#include "base/queue.h"
#include "store/state_log.h"

struct leat_snapshot_work {
    struct leat_msg msg;
    struct leat_snapshot snapshot;
    struct leat_error error; /* status LEAT_OK: none */
};

struct leat_snapshot_thread {
    struct leat_state_log *state;
    struct leat_queue in, *job;
    pthread_t thread;
    bool running;
};

LEAT_CHECKED enum leat_status leat_snapshot_thread_start(struct leat_snapshot_thread *t,
                                                         struct leat_error *err);
void leat_snapshot_thread_stop(struct leat_snapshot_thread *t); /* nothing if not started */

#endif
