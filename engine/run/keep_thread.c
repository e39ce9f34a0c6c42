#include "run/keep_thread.h"

#include "base/thread.h"
#include "run/message.h"

#include <assert.h>

#define PAUSE_MS 500   /* between attempts */
#define TICK_MS  10000 /* while there is nothing to do */

enum { ASK_HURRY = 1, ASK_STOP = 2 };

/* ---- from the job */

static void ask(struct leat_keep_thread *t, unsigned what)
{
    atomic_fetch_or(&t->asked, what);
    if (!t->running || atomic_exchange(&t->turn_sent, true))
        return;
    t->turn.kind = LEAT_MSG_STORE_TURN;
    leat_queue_put(&t->in, &t->turn);
}

void leat_keep_thread_hurry(struct leat_keep_thread *t)
{
    ask(t, ASK_HURRY);
}

/* ---- to the job */

static void tell(struct leat_keep_thread *t)
{
    if (atomic_exchange(&t->news_sent, true))
        return;
    t->news.kind = LEAT_MSG_KEEP_NEWS;
    leat_queue_put(t->job, &t->news);
}

static void fail(struct leat_keep_thread *t, const struct leat_error *why)
{
    t->error = *why;
    atomic_store(&t->failed, true);
    tell(t);
}

/* ---- blocks */

/* Nobody may look at their bytes any more, also not the place. */
static void give_up(struct leat_keep_thread *t)
{
    if (t->blocks_count && atomic_load(&t->is_open))
        t->keep->drop(t->self);
    for (uint32_t i = 0; i < t->blocks_count; i++)
        leat_inbox_refuse(t->inbox, t->blocks[i]);
    t->blocks_count = t->written = 0;
    t->written_rows = 0;
}

static void acknowledge(struct leat_keep_thread *t)
{
    for (uint32_t i = 0; i < t->blocks_count; i++)
        leat_inbox_ack(t->inbox, t->blocks[i]);
    t->blocks_count = t->written = 0;
}

static enum leat_status write_block(struct leat_keep_thread *t, const struct leat_block *b,
                                    struct leat_error *err)
{
    struct leat_slice rest = {b->bytes.ptr + t->written_rows, b->bytes.len - t->written_rows};
    struct leat_row row;

    while (rest.len) {
        if (!leat_framed_take(&rest, b->from, &row))
            return leat_fail(err, LEAT_E_CORRUPT, "a block of the source is damaged");
        if (t->keep->write(t->self, &row, err) != LEAT_OK)
            return err->status;
        t->written_rows = b->bytes.len - rest.len;
    }
    t->written++;
    t->written_rows = 0;
    return LEAT_OK;
}

static enum leat_status keep_all(struct leat_keep_thread *t, struct leat_error *err)
{
    while (t->written < t->blocks_count)
        if (write_block(t, t->blocks[t->written], err) != LEAT_OK)
            return err->status;
    return t->keep->flush(t->self, err);
}

/* What may heal is tried again with the next turn. */
static void failed_to(struct leat_keep_thread *t, const char *what, struct leat_error *why)
{
    leat_error_prefix(why, "%s", what);
    if (leat_status_is_transient(why->status))
        leat_retry_say(&t->retry, t->lines, why);
    else
        fail(t, why);
}

static void keep(struct leat_keep_thread *t)
{
    struct leat_error err;

    if (t->blocks_count == 0)
        return;
    if (!atomic_load(&t->failed) && atomic_load(&t->is_open)) {
        if (keep_all(t, &err) == LEAT_OK) {
            acknowledge(t);
            leat_retry_over(&t->retry, t->lines);
            return;
        }
        failed_to(t, "its sender is held back, for the store takes nothing", &err);
    }
    if (atomic_load(&t->failed) || atomic_load(&t->asked))
        give_up(t);
}

/* ---- the thread */

static void open_place(struct leat_keep_thread *t)
{
    struct leat_error err;

    if (atomic_load(&t->is_open) || atomic_load(&t->failed) || atomic_load(&t->asked))
        return;
    if (t->keep->open(t->self, t->env, &err) != LEAT_OK) {
        failed_to(t, "its store", &err);
        return;
    }
    leat_retry_over(&t->retry, t->lines);
    atomic_store(&t->is_open, true);
    tell(t);
}

static void take(struct leat_keep_thread *t, struct leat_msg *m)
{
    if (m->kind == LEAT_MSG_BLOCK) {
        assert(t->blocks_count < LEAT_KEEP_BLOCKS);
        t->blocks[t->blocks_count++] = (struct leat_block *)m;
    } else {
        atomic_store(&t->turn_sent, false);
    }
}

static bool has_to_try_again(const struct leat_keep_thread *t)
{
    return t->blocks_count || (!atomic_load(&t->is_open) && !atomic_load(&t->failed));
}

static void *keep_main(void *arg)
{
    struct leat_keep_thread *t = arg;
    struct leat_msg *m = NULL;

    for (;;) {
        for (; m; m = leat_queue_try(&t->in))
            take(t, m);
        open_place(t);
        keep(t);
        if (atomic_load(&t->asked) & ASK_STOP && t->blocks_count == 0) {
            m = leat_queue_try(&t->in); /* what the source has put before it ended */
            if (!m)
                break;
            continue;
        }
        bool idle = !has_to_try_again(t);
        m = leat_queue_take_for(&t->in, idle ? TICK_MS : PAUSE_MS);
        if (!m && idle)
            t->keep->tick(t->self);
    }
    t->keep->close(t->self);
    return NULL;
}

enum leat_status leat_keep_thread_start(struct leat_keep_thread *t, struct leat_error *err)
{
    leat_queue_init(&t->in);
    t->inbox->job = &t->in;
    t->inbox->stored = true;
    if (leat_thread_start(&t->thread, "leat-keep", keep_main, t, err) != LEAT_OK) {
        leat_queue_fini(&t->in);
        return err->status;
    }
    t->running = true;
    return LEAT_OK;
}

void leat_keep_thread_stop(struct leat_keep_thread *t)
{
    if (!t->running)
        return;
    ask(t, ASK_STOP);
    pthread_join(t->thread, NULL);
    for (struct leat_msg *m; (m = leat_queue_try(&t->in));) /* a turn */
        take(t, m);
    leat_queue_fini(&t->in);
    t->running = false;
}
