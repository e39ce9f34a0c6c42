/*
 * keep_thread.h - the thread between a push source and a place outside where its blocks are kept
 * (data/keeper.h).
 *
 * Blocks that the inbox seals come here and are written; when the place says that it has them they
 * go back to the inbox as acknowledged. What comes meanwhile shares the next turn. While the place
 * takes nothing blocks wait here, so the source runs out of credits: its sender is held back. That
 * is said once, and that it is over too. What cannot heal ends the job.
 */
#ifndef LEAT_RUN_KEEP_THREAD_H
#define LEAT_RUN_KEEP_THREAD_H

#include "data/keeper.h"
#include "run/inbox.h"
#include "run/retry.h"

#define LEAT_KEEP_BLOCKS 16 /* at least the credits of the source */

struct leat_keep_thread {
    struct leat_inbox *inbox; /* these six are set by the owner */
    struct leat_queue *job;
    const struct leat_log *lines;
    const struct leat_env *env;
    const struct leat_keeper *keep;
    void *self;           /* of keep */
    struct leat_msg news; /* what the job gets: LEAT_MSG_KEEP_NEWS */

    pthread_t thread;
    bool running;
    struct leat_queue in;
    struct leat_msg turn;
    atomic_bool turn_sent, news_sent;
    atomic_uint asked;
    atomic_bool is_open;     /* the place is there and fit: the source may begin */
    struct leat_error error; /* set before `failed` */
    atomic_bool failed;

    /* Thread: its own */
    struct leat_block *blocks[LEAT_KEEP_BLOCKS]; /* not yet safe */
    uint32_t blocks_count, written;              /* so many of them are */
    size_t written_rows;                         /* bytes of the next one that are */
    struct leat_retry retry;
};

LEAT_CHECKED enum leat_status leat_keep_thread_start(struct leat_keep_thread *t,
                                                     struct leat_error *err);

/* Thread: job. What is not safe soon is given up: its sender was not told. */
void leat_keep_thread_hurry(struct leat_keep_thread *t);

/* Thread: job. The source's thread has ended. Tries once to keep what is there, and ends the
 * thread. It may never have been started. */
void leat_keep_thread_stop(struct leat_keep_thread *t);

#endif
