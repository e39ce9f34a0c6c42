/*
 * queue.c - the source of queue streams: gives what a program pushed, push by push.
 *
 * Positions count values, in all partitions alike. What was pushed stays until its batch is
 * committed, so any position that still may be asked for can be read again. A batch has one block
 * of each partition, and so a push, or all that were made since the last, is a batch. What it has
 * is decided when the first partition is asked, for all of them: a push that comes while they are
 * being asked is for the next batch.
 *
 * Thread: job, and any for pushing; the context's lock is held for the moment of a copy.
 */
#include "stream.h"

#include "data/source.h"

#include <inttypes.h>
#include <stdio.h>

struct queue_source {
    struct leat_expression of; /* a node that hands a struct stream_queue */

    const struct leat_env *env;
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct queue_source, of, .optional = true, .help = "What the program pushes into."),
    {0},
};

static struct stream_queue *queue_of(const struct queue_source *s)
{
    return (struct stream_queue *)(uintptr_t)s->of.node->handed;
}

static enum leat_status queue_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct queue_source *s = self;

    (void)err;
    s->env = env;
    return LEAT_OK;
}

/* "queue", or "queue/0", "queue/1", ... Lock: held. False: no memory. */
static bool name_parts(struct stream_queue *q)
{
    char number[16];

    if (q->parts_count == 1)
        q->parts[0].name = q->name;
    for (uint32_t i = 0; i < q->parts_count; i++) {
        struct stream_queue_part *p = &q->parts[i];
        size_t digits = (size_t)snprintf(number, sizeof number, "/%" PRIu32, i);
        char *text = p->name.ptr ? NULL : leat_arena_alloc(&q->ctx->arena, q->name.len + digits);
        if (!p->name.ptr && !text)
            return false;
        if (!text)
            continue;
        memcpy(text, q->name.ptr, q->name.len);
        memcpy(text + q->name.len, number, digits);
        p->name = (struct leat_slice){text, q->name.len + digits};
    }
    return true;
}

static enum leat_status queue_partitions(void *self,
                                         void (*each)(void *arg, const struct leat_part *p),
                                         void *arg, struct leat_error *err)
{
    struct stream_queue *q = queue_of(self);

    pthread_mutex_lock(&q->ctx->lock);
    bool named = name_parts(q), ends = q->fixed;
    int64_t end = ends ? q->pushed : -1;
    pthread_mutex_unlock(&q->ctx->lock);
    if (!named)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    for (uint32_t i = 0; i < q->parts_count; i++)
        each(arg, &(struct leat_part){.id = i,
                                      .number = (int32_t)i,
                                      .name = q->parts[i].name,
                                      .end = end,
                                      .endless = !ends});
    return LEAT_OK;
}

/* What stands at `from`; NULL: nothing yet, or an empty batch is due. Lock: held. */
static struct stream_rdd *rdd_at(struct stream_queue *q, int64_t from)
{
    struct stream_rdd *r = q->first;

    while (r && (r != q->unread || !q->one) && r->to <= from)
        r = r->next;
    if (r && r == q->unread)
        q->unread = r->next;
    return r && r->to > from ? r : NULL;
}

/* All that a round would have now are pushes that are no dataset, and there are some. Lock: held.
 */
static bool is_missing(const struct stream_queue *q)
{
    bool missing = q->unread;

    for (const struct stream_rdd *r = q->unread; r && missing; r = q->one ? NULL : r->next)
        missing = r->missing;
    return missing;
}

/* Both look at the values from there on and below `to`. */
static size_t bytes_of(const struct stream_rdd *r, int64_t from, int64_t to)
{
    size_t bytes = 0;

    for (int64_t i = from > r->from ? from : r->from; i < r->to && i < to; i++)
        bytes += r->values[i - r->from].len + LEAT_FRAME_BYTES;
    return bytes;
}

static bool append(struct leat_block *b, const struct stream_rdd *r, int64_t from, int64_t to,
                   int64_t now_ms)
{
    for (int64_t i = from > r->from ? from : r->from; i < r->to && i < to; i++) {
        const struct leat_row row = {
            .value = r->values[i - r->from], .position = i, .time_ms = now_ms};
        if (!leat_block_append(b, &row))
            return false;
    }
    return true;
}

/* What a round has: pushes from `first` on, with positions [from, to). */
struct round {
    const struct stream_rdd *first;
    bool one, missing; /* missing: these pushes are no dataset, none of them */
    int64_t from, to, now_ms;
};

/* The piece of it that partition `part` gets. */
static enum leat_status fill(const struct queue_source *s, const struct round *round, uint32_t part,
                             struct leat_error *err)
{
    struct stream_queue *q = queue_of(s);
    int64_t len = round->to - round->from, n = q->parts_count;
    int64_t from = round->from + part * len / n, to = round->from + (part + 1) * len / n;
    struct leat_block **block = &q->parts[part].block;
    size_t bytes = 0;

    for (const struct stream_rdd *r = round->first; r; r = round->one ? NULL : r->next)
        bytes += bytes_of(r, from, to);
    if (leat_block_new(s->env->budget, &leat_coding_framed, bytes, block, err) != LEAT_OK)
        return err->status;
    (*block)->from = round->from;
    (*block)->at_end = true;
    (*block)->missing = round->missing;
    for (const struct stream_rdd *r = round->first; r; r = round->one ? NULL : r->next)
        if (!append(*block, r, from, to, round->now_ms))
            return leat_fail(err, LEAT_E_DATA, "a value is too large");
    leat_block_seal(*block, round->to);
    return LEAT_OK;
}

static void drop_blocks(struct stream_queue *q)
{
    for (uint32_t i = 0; i < q->parts_count; i++) {
        leat_block_unref(q->parts[i].block);
        q->parts[i].block = NULL;
    }
}

/* What is given next, for all partitions at once: one push, or all from there on. Without memory
 * for all of it nobody gets anything. Lock: held. */
static enum leat_status begin_round(struct queue_source *s, int64_t from, struct leat_error *err)
{
    struct stream_queue *q = queue_of(s);
    struct stream_rdd *before = q->unread;
    struct round round = {
        .one = q->one, .from = from, .to = from, .now_ms = leat_clock_now_ms(s->env->clock)};
    enum leat_status status = LEAT_OK;

    round.missing = is_missing(q);
    round.first = rdd_at(q, from);
    for (const struct stream_rdd *r = round.first; r; r = q->one ? NULL : r->next)
        round.to = r->to;
    for (uint32_t i = 0; i < q->parts_count && status == LEAT_OK; i++)
        status = fill(s, &round, i, err);
    if (status != LEAT_OK) {
        drop_blocks(q);
        q->unread = before;
        return status;
    }
    if (!q->one)
        q->unread = NULL;
    q->told = 0;
    return LEAT_OK;
}

/* Lock: held. */
static void commit(struct stream_queue *q, uint32_t part, int64_t next)
{
    int64_t all = next;

    if (next <= q->parts[part].committed)
        return;
    q->parts[part].committed = next;
    for (uint32_t i = 0; i < q->parts_count; i++)
        all = q->parts[i].committed < all ? q->parts[i].committed : all;
    if (all > q->committed)
        q->committed = all;
}

/* The engine asks all partitions before it asks one again (leat_pull.single), but for those that
 * got no memory: then there is nothing for the others until these have theirs. Lock: held. */
static enum leat_status give(struct queue_source *s, const struct leat_fetch *fetch,
                             struct leat_block **block, struct leat_error *err)
{
    struct stream_queue *q = queue_of(s);
    struct stream_queue_part *p = &q->parts[fetch->part];

    if (q->fixed)
        commit(q, fetch->part, fetch->from); /* in an earlier life */
    if (q->told == q->parts_count && begin_round(s, fetch->from, err) != LEAT_OK)
        return err->status;
    if (!p->block) {
        if (leat_block_new(s->env->budget, &leat_coding_framed, 0, block, err) != LEAT_OK)
            return err->status;
        (*block)->from = fetch->from;
        (*block)->at_end = true;
        leat_block_seal(*block, fetch->from);
        return LEAT_OK;
    }
    *block = p->block;
    p->block = NULL;
    q->told++;
    return LEAT_OK;
}

static void queue_fetch(void *self, const struct leat_fetch *fetch, leat_fetch_done *done,
                        void *arg)
{
    struct stream_queue *q = queue_of(self);
    struct leat_error err = {0};
    struct leat_block *b = NULL;

    pthread_mutex_lock(&q->ctx->lock);
    (void)!give(self, fetch, &b, &err);
    pthread_cond_broadcast(&q->ctx->changed); /* of an empty push nothing will be committed */
    pthread_mutex_unlock(&q->ctx->lock);
    done(arg, fetch, b, &err);
}

static void queue_lost(void *self, uint32_t part)
{
    (void)self, (void)part; /* no partition of a queue is ever lost */
}

static void drop_first(struct stream_queue *q)
{
    struct stream_rdd *r = q->first;

    q->first = r->next;
    if (!q->first)
        q->last = NULL;
    leat_mem_free(r);
}

/* UINT32_MAX: it is another source's. */
static uint32_t part_of(const struct stream_queue *q, struct leat_slice name)
{
    uint32_t part = 0;

    if (q->parts_count == 1)
        return leat_slice_eq(name, q->name) ? 0 : UINT32_MAX;
    if (name.len < q->name.len + 2 || memcmp(name.ptr, q->name.ptr, q->name.len) != 0 ||
        name.ptr[q->name.len] != '/')
        return UINT32_MAX;
    for (size_t i = q->name.len + 1; i < name.len; i++) {
        if (name.ptr[i] < '0' || name.ptr[i] > '9' || part >= q->parts_count)
            return UINT32_MAX;
        part = 10 * part + (uint32_t)(name.ptr[i] - '0');
    }
    return part;
}

static enum leat_status queue_commit(void *self, uint64_t n, const struct leat_positions *positions,
                                     struct leat_error *err)
{
    struct stream_queue *q = queue_of(self);

    (void)n, (void)err;
    pthread_mutex_lock(&q->ctx->lock);
    for (size_t i = 0; i < positions->count; i++) {
        uint32_t part = part_of(q, positions->list[i].partition);
        if (part < q->parts_count)
            commit(q, part, positions->list[i].next);
    }
    while (q->first && q->first != q->unread && q->first->to <= q->committed)
        drop_first(q);
    pthread_cond_broadcast(&q->ctx->changed);
    pthread_mutex_unlock(&q->ctx->lock);
    return LEAT_OK;
}

static void queue_close(void *self)
{
    struct stream_queue *q = queue_of(self);

    pthread_mutex_lock(&q->ctx->lock);
    drop_blocks(q);
    pthread_mutex_unlock(&q->ctx->lock);
}

static enum leat_status queue_check(const void *self, struct leat_error *err)
{
    const struct queue_source *s = self;

    return s->of.node && s->of.node->handed
               ? LEAT_OK
               : leat_fail(err, LEAT_E_CONFIG,
                           "cannot be asked for by its name; leat_queue_stream() makes it");
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "queue",
    .summary = "gives what a program pushes",
    .usual_format = "raw",
    .encoded = true,
    .self_size = sizeof(struct queue_source),
    .opts = options,
    .check = queue_check,
    .pull =
        &(const struct leat_pull){
            .single = true,
            .open = queue_open,
            .partitions = queue_partitions,
            .fetch = queue_fetch,
            .lost = queue_lost,
            .commit = queue_commit,
            .close = queue_close,
        },
};

LEAT_MODULE(module);

bool stream_queues_are_empty(const struct leat_context *ctx)
{
    for (const struct stream_queue *q = ctx->queues; q; q = q->next)
        if (q->reads && (q->committed < q->pushed || q->unread))
            return false;
    return true;
}

void stream_queues_free(struct leat_context *ctx)
{
    for (struct stream_queue *q = ctx->queues; q; q = q->next)
        while (q->first)
            drop_first(q);
}
