/*
 * thread.h - threads with a name that a debugger shows.
 */
#ifndef LEAT_BASE_THREAD_H
#define LEAT_BASE_THREAD_H

#include "base/error.h"

#include <pthread.h>

/* All signals but those of a crash are blocked in it; name: 15 bytes at most. LEAT_E_NOMEM. */
LEAT_CHECKED enum leat_status leat_thread_start(pthread_t *thread, const char *name,
                                                void *(*fn)(void *arg), void *arg,
                                                struct leat_error *err);

#endif
