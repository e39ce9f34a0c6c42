#include "run/store_thread.h"

#include "base/thread.h"
#include "run/message.h"

#include <assert.h>

#define PAUSE_MS 500 /* between attempts, while there is no room */

enum { ASK_NEAR = 1, ASK_END = 2, ASK_HURRY = 4, ASK_STOP = 8 };

/* ---- from the job */

static void wake(struct leat_store_thread *t)
{
    if (!t->running || atomic_exchange(&t->turn_sent, true))
        return;
    t->turn.kind = LEAT_MSG_STORE_TURN;
    leat_queue_put(&t->in, &t->turn);
}

static void ask(struct leat_store_thread *t, unsigned what)
{
    atomic_fetch_or(&t->asked, what);
    wake(t);
}

/* Without anything to give it is noted only: an idle tick wakes nobody. What is stored next finds
 * the note. */
void leat_store_thread_near(struct leat_store_thread *t)
{
    atomic_fetch_or(&t->asked, ASK_NEAR);
    if (atomic_load(&t->holds))
        wake(t);
}

void leat_store_thread_end(struct leat_store_thread *t)
{
    ask(t, ASK_END);
}

void leat_store_thread_hurry(struct leat_store_thread *t)
{
    ask(t, ASK_HURRY);
}

void leat_store_thread_done(struct leat_store_thread *t, uint32_t part, int64_t upto)
{
    atomic_store(&t->done[part], upto);
    wake(t);
}

void leat_store_thread_fetch(struct leat_store_thread *t, const struct leat_fetch *fetch,
                             leat_fetch_done *done, void *arg)
{
    struct leat_store_fetch *f = &t->slots[fetch->part];

    *f = (struct leat_store_fetch){.fetch = fetch, .done = done, .arg = arg};
    f->msg.kind = LEAT_MSG_STORE_FETCH;
    leat_queue_put(&t->in, &f->msg);
}

/* ---- to the job */

static void tell(struct leat_store_thread *t)
{
    if (atomic_exchange(&t->news_sent, true))
        return;
    t->news.kind = LEAT_MSG_STORE_NEWS;
    leat_queue_put(t->job, &t->news);
}

static void fail(struct leat_store_thread *t, const struct leat_error *why)
{
    if (atomic_load(&t->failed))
        return;
    t->error = *why;
    atomic_store(&t->failed, true);
    tell(t);
}

static void note_known(struct leat_store_thread *t, uint32_t part)
{
    unsigned long long bit = 1ull << part;

    if (!(atomic_fetch_or(&t->known, bit) & bit))
        tell(t);
}

/* ---- blocks */

static void give_up(struct leat_store_thread *t)
{
    for (uint32_t i = 0; i < t->blocks_count; i++)
        leat_inbox_refuse(t->inbox, t->blocks[i]);
    t->blocks_count = 0;
}

static void acknowledge(struct leat_store_thread *t)
{
    for (uint32_t i = 0; i < t->blocks_count; i++) {
        note_known(t, t->blocks[i]->part);
        leat_inbox_ack(t->inbox, t->blocks[i]);
    }
    t->blocks_count = 0;
    if (t->said)
        leat_info(t->lines, "the store has room again");
    t->said = false;
}

static void store(struct leat_store_thread *t)
{
    struct leat_error err;

    if (t->blocks_count == 0)
        return;
    if (atomic_load(&t->failed)) {
        give_up(t);
        return;
    }
    enum leat_status status = leat_block_log_append(t->log, t->blocks, t->blocks_count, &err);
    if (status == LEAT_OK) {
        acknowledge(t);
        return;
    }
    if (status != LEAT_E_FULL)
        fail(t, &err);
    else if (!t->said)
        leat_warn(t->lines, "%s; waiting for room", err.text);
    t->said = true;
    if (status != LEAT_E_FULL || atomic_load(&t->asked) & (ASK_HURRY | ASK_STOP))
        give_up(t);
}

static void note_done(struct leat_store_thread *t)
{
    struct leat_error err;

    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++)
        leat_block_log_done(t->log, p, atomic_load(&t->done[p]));
    if (leat_block_log_trim(t->log, &err) == LEAT_OK)
        return;
    if (!t->said_trim)
        leat_warn(t->lines, "%s; it is tried again", err.text);
    t->said_trim = true;
}

/* ---- fetches */

/* The source has ended and all was read: one answer says so. */
static void answer_ended(struct leat_store_thread *t, struct leat_store_fetch *f)
{
    struct leat_block *b = NULL;
    struct leat_error err;

    if (leat_block_new(t->budget, &leat_coding_framed, 0, &b, &err) == LEAT_OK) {
        b->part = f->fetch->part;
        b->from = f->fetch->from;
        b->at_end = b->finished = true;
        leat_block_seal(b, b->from);
    }
    f->done(f->arg, f->fetch, b, &err);
}

/* False: there is nothing to give yet. The slot may be the next fetch's when done has returned. */
static bool answer(struct leat_store_thread *t, struct leat_store_fetch *f)
{
    struct leat_block_part part = leat_block_log_part(t->log, f->fetch->part);
    unsigned long long bit = 1ull << f->fetch->part;
    struct leat_block *b = NULL;
    struct leat_error err = {.status = LEAT_OK};

    if (part.next <= f->fetch->from) {
        if (t->ended && t->blocks_count == 0)
            answer_ended(t, f);
        return t->ended && t->blocks_count == 0;
    }
    if (part.unread < LEAT_STORE_MUCH && !(t->near & bit) && !t->ended)
        return false;
    if (leat_block_log_read(t->log, f->fetch, t->budget, &b, &err) == LEAT_OK && !b)
        leat_fail(&err, LEAT_E_CORRUPT, "the store has no rows from %lld on, though it should",
                  (long long)f->fetch->from);
    if (b) {
        b->at_end = b->at_end && t->near & bit; /* else more is asked for at once */
        t->near = b->at_end ? t->near & ~bit : t->near;
    }
    f->done(f->arg, f->fetch, b, &err);
    return true;
}

static void answer_all(struct leat_store_thread *t)
{
    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++) {
        struct leat_store_fetch *f = t->fetches[p];
        t->fetches[p] = NULL;
        if (f && !answer(t, f))
            t->fetches[p] = f;
    }
}

static void abort_all(struct leat_store_thread *t)
{
    struct leat_error err;

    leat_fail(&err, LEAT_E_ABORTED, "the store is being closed");
    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++) {
        if (t->fetches[p])
            t->fetches[p]->done(t->fetches[p]->arg, t->fetches[p]->fetch, NULL, &err);
        t->fetches[p] = NULL;
    }
}

/* ---- the thread */

static void take(struct leat_store_thread *t, struct leat_msg *m)
{
    if (m->kind == LEAT_MSG_BLOCK) {
        assert(t->blocks_count < LEAT_BLOCK_GROUP);
        t->blocks[t->blocks_count++] = (struct leat_block *)m;
    } else if (m->kind == LEAT_MSG_STORE_FETCH) {
        struct leat_store_fetch *f = (struct leat_store_fetch *)m;
        t->fetches[f->fetch->part] = f;
    } else {
        atomic_store(&t->turn_sent, false);
    }
}

static void note_asked(struct leat_store_thread *t)
{
    unsigned asked = atomic_fetch_and(&t->asked, (unsigned)~ASK_NEAR);

    t->near = asked & ASK_NEAR ? ~0ull : t->near;
    t->ended = t->ended || asked & ASK_END;
}

/* Has a fetch something to be answered with when a batch is near? */
static bool holds_some(const struct leat_store_thread *t)
{
    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++)
        if (t->fetches[p] && leat_block_log_part(t->log, p).next > t->fetches[p]->fetch->from)
            return true;
    return false;
}

static void *store_main(void *arg)
{
    struct leat_store_thread *t = arg;
    struct leat_msg *m = NULL;

    for (;;) {
        if (!m)
            m = t->blocks_count ? leat_queue_take_for(&t->in, PAUSE_MS) : leat_queue_take(&t->in);
        for (; m; m = leat_queue_try(&t->in))
            take(t, m);
        note_asked(t);
        note_done(t);
        store(t);
        answer_all(t);
        atomic_store(&t->holds, holds_some(t));
        if (atomic_load(&t->holds) && atomic_load(&t->asked) & ASK_NEAR) { /* it was not woken */
            note_asked(t);
            answer_all(t);
        }
        /* What the source has put before the stop was asked for may not have been seen yet. */
        if (atomic_load(&t->asked) & ASK_STOP && t->blocks_count == 0 &&
            !(m = leat_queue_try(&t->in)))
            return NULL;
    }
}

enum leat_status leat_store_thread_start(struct leat_store_thread *t, struct leat_error *err)
{
    leat_queue_init(&t->in);
    for (uint32_t p = 0; p < LEAT_BLOCK_PARTS; p++)
        if (leat_block_log_part(t->log, p).known)
            atomic_fetch_or(&t->known, 1ull << p);
    t->inbox->job = &t->in;
    t->inbox->stored = true;
    if (leat_thread_start(&t->thread, "leat-store", store_main, t, err) != LEAT_OK) {
        leat_queue_fini(&t->in);
        return err->status;
    }
    t->running = true;
    return LEAT_OK;
}

void leat_store_thread_stop(struct leat_store_thread *t)
{
    struct leat_error err;

    if (t->running) {
        ask(t, ASK_STOP);
        pthread_join(t->thread, NULL);
        for (struct leat_msg *m; (m = leat_queue_try(&t->in));) /* a turn, or a last fetch */
            take(t, m);
        abort_all(t);
        leat_queue_fini(&t->in);
        t->running = false;
        if (leat_block_log_settle(t->log, &err) != LEAT_OK && err.status != LEAT_E_FULL)
            leat_warn(t->lines, "%s", err.text);
    }
    leat_block_log_close(t->log);
    t->log = NULL;
}
