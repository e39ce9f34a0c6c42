/*
 * receiver.h - what a custom receiver shares between the program's threads and its own.
 *
 * Programs' threads fill one of two piles with encoded values; the receiver's thread
 * (leat_push.run) takes the full one for the empty one and moves values into its inbox, without the
 * lock. There is one lock per receiver, no function of the user runs under it, and the context's
 * may be held when it is taken, never the other way round.
 */
#ifndef LEAT_STREAM_RECEIVER_H
#define LEAT_STREAM_RECEIVER_H

#include "stream.h"

#include "data/source.h"

#define RECEIVER_PILE_BYTES ((size_t)256 * 1024)  /* a pile of so many takes no more */
#define RECEIVER_MOST_BYTES ((size_t)1024 * 1024) /* a value */

enum receiver_phase {
    RECEIVER_OFF,
    RECEIVER_ON,       /* from in front of on_start: stores are taken */
    RECEIVER_STOPPING, /* new ones are refused, those that have begun go on */
    RECEIVER_ENDING,   /* in on_stop */
};

/* Values as u32 length and bytes. */
struct receiver_pile {
    struct leat_arena arena;
    struct leat_bytes bytes;
};

struct leat_receiver {
    /* Set once, before the start. */
    struct leat_receiver *next;
    struct leat_context *ctx;
    struct leat_receiver_functions functions;
    void *arg;
    bool pairs;
    bool reads;                /* an output needs it */
    const char *name, *source; /* of the stream, and of what the plan reads; from the start on */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* guarded by lock */
    enum receiver_phase phase;
    bool running; /* its thread is there, and takes what is stored */
    bool want_stop, want_restart;
    bool is_drained; /* to stop, nothing stored is unsafe, on_stop has returned */
    int64_t delay_ms, again_ms;
    unsigned within; /* threads that store */
    int wake;        /* an eventfd, while running */
    struct receiver_pile *filling;
    int64_t stored, safe;         /* numbers */
    int64_t told_base, committed; /* positions: of number 0, once something is safe; run/watch.h */
    char why[300];                /* it stops */
    const struct leat_env *env;   /* while it is open */

    /* Thread: the receiver's */
    struct receiver_pile piles[2];
    struct leat_slice rest; /* of the other pile: not yet moved */
    int64_t moved, base;    /* the position of number 0 */
    bool is_full;           /* there is no credit for another block */
};

/* Lock: held. */
void receiver_wake(struct leat_receiver *r);
bool receiver_is_worked_off(const struct leat_receiver *r); /* all that was stored is committed */

#endif
