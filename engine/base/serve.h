/*
 * serve.h - the contract of a module that answers questions about the process over the network.
 *
 * It has no thread: whoever opened it waits for its file descriptor, or for the time that it names,
 * and gives it a turn. So what it answers with is asked for on that thread, and nothing is locked.
 * Its peers are strangers: it bounds how many there are, what they send and how long they take.
 */
#ifndef LEAT_BASE_SERVE_H
#define LEAT_BASE_SERVE_H

#include "base/bytes.h"

struct leat_env;

struct leat_answer {
    unsigned status;         /* as in HTTP: 200, 404, 503 */
    const char *type;        /* "text/plain; charset=utf-8" */
    struct leat_bytes bytes; /* room for the body; `failed`: there was no memory for it */
};

/* Fill in the answer to a question for `path` ("/metrics"), bytes from outside that end with a NUL.
 * Thread: that of turn(). */
typedef void leat_answer_fn(void *arg, const char *path, struct leat_answer *answer);

/* Thread of all of them: the one that opened it. */
struct leat_serve {
    /* Listen. From here on `answer` may be called, in turn(). LEAT_E_CONFIG: an option says no
     * address; LEAT_E_IO: it cannot listen there. After a failure close() is called, too. */
    enum leat_status (*open)(void *self, const struct leat_env *env, leat_answer_fn *answer,
                             void *arg, struct leat_error *err);
    int (*fd)(const void *self);          /* readable: give it a turn */
    int64_t (*wait_ms)(const void *self); /* until it wants a turn by itself; -1: it does not */
    void (*turn)(void *self);             /* does what can be done, never waits */
    void (*close)(void *self);            /* zeroed memory is fine */
};

#endif
