/*
 * store_thread.h - the thread between a push source and the job that makes blocks safe at once.
 *
 * Blocks that the inbox seals come here, are appended to the source's block store and synced, as
 * many at a time as there are; then they go back to the inbox as acknowledged. The job fetches rows
 * from the store by position, as from any source that can be read again, and tells it what is in
 * committed batches. A fetch is answered when there is much to give (LEAT_STORE_MUCH), or when the
 * job says that a batch is near.
 *
 * A full disk or quota: blocks wait here, so the source runs out of credits; that is said once.
 * Any other failure ends the job.
 */
#ifndef LEAT_RUN_STORE_THREAD_H
#define LEAT_RUN_STORE_THREAD_H

#include "run/inbox.h"
#include "store/block_log.h"

#define LEAT_STORE_MUCH ((size_t)64 * 1024)

struct leat_store_fetch {
    struct leat_msg msg;
    const struct leat_fetch *fetch;
    leat_fetch_done *done;
    void *arg;
};

struct leat_store_thread {
    struct leat_inbox *inbox; /* these four are set by the owner */
    struct leat_queue *job;
    struct leat_budget *budget;
    const struct leat_log *lines;
    struct leat_block_log *log; /* open; the thread's own while it runs */
    struct leat_msg news;       /* the first of what the job gets */

    pthread_t thread;
    bool running;
    struct leat_queue in;
    struct leat_msg turn;
    atomic_bool turn_sent, news_sent;
    atomic_bool holds; /* rows that wait for a batch to be near */
    atomic_uint asked;
    _Atomic int64_t done[LEAT_BLOCK_PARTS]; /* what the job has committed */
    atomic_ullong known;                    /* partitions that have rows, a bit each */
    struct leat_error error;                /* set before `failed` */
    atomic_bool failed;
    struct leat_store_fetch slots[LEAT_BLOCK_PARTS];

    /* Thread: its own */
    struct leat_block *blocks[LEAT_BLOCK_GROUP]; /* to be stored */
    uint32_t blocks_count;
    struct leat_store_fetch *fetches[LEAT_BLOCK_PARTS]; /* not answered; by part */
    unsigned long long near; /* of which partitions all is to be given; a bit each */
    bool ended, said, said_trim;
};

LEAT_CHECKED enum leat_status leat_store_thread_start(struct leat_store_thread *t,
                                                      struct leat_error *err);

/* As leat_pull.fetch. Thread: job */
void leat_store_thread_fetch(struct leat_store_thread *t, const struct leat_fetch *fetch,
                             leat_fetch_done *done, void *arg);

/* Thread: job. A batch is near: give what there is. */
void leat_store_thread_near(struct leat_store_thread *t);
/* Thread: job. Rows of `part` below `upto` are in committed batches. */
void leat_store_thread_done(struct leat_store_thread *t, uint32_t part, int64_t upto);
/* Thread: job. The source will never send again: fetches at the end are answered as such. */
void leat_store_thread_end(struct leat_store_thread *t);
/* Thread: job. What cannot be stored now is given up: its sender was not told. */
void leat_store_thread_hurry(struct leat_store_thread *t);
/* Thread: job. The source's thread has ended. Stores what is there, answers fetches with
 * LEAT_E_ABORTED, ends the thread and closes the log. It may never have been started. */
void leat_store_thread_stop(struct leat_store_thread *t);

#endif
