/*
 * push_rig.h - a push source by itself, on a thread, with the test in the place of the job.
 */
#ifndef LEAT_PUSH_RIG_H
#define LEAT_PUSH_RIG_H

#include "instance.h"
#include "run/inbox.h"

#include <pthread.h>

struct push_rig {
    struct instance i;
    struct leat_queue job; /* its blocks; wake_fd tells of them */
    struct leat_inbox inbox;
    enum leat_status status;
    struct leat_error error;
    pthread_t thread;
    _Atomic int64_t bad_input;
    int port; /* the test's own: where the source listens */
};

/* With these settings, so many credits, and blocks of 4 KiB. `stored`: as at level `disk`, the test
 * is the store. It runs until push_rig_stop(), and has to end well. */
void push_rig_start(struct push_rig *r, const char *name, const char *const *settings,
                    int64_t max_record_bytes, int credits, bool stored);
void push_rig_stop(struct push_rig *r);

#endif
