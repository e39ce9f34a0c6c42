/*
 * queue.c - the source of queue streams: gives what a program pushed, push by push.
 *
 * One partition, whose positions count values. What was pushed stays until its batch is committed,
 * so any position that still may be asked for can be read again. A batch has one block, and so a
 * push, or all that were made since the last, is a batch.
 *
 * Thread: job, and any for pushing; the context's lock is held for the moment of a copy.
 */
#include "stream.h"

#include "data/source.h"
#include "data/value_ops.h"

struct queue_source {
    struct leat_expression of; /* a node that hands a struct stream_queue */

    const struct leat_env *env;
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct queue_source, of, .help = "What the program pushes into."),
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

static enum leat_status queue_partitions(void *self,
                                         void (*each)(void *arg, const struct leat_part *p),
                                         void *arg, struct leat_error *err)
{
    (void)err;
    each(arg, &(struct leat_part){.name = queue_of(self)->name, .end = -1, .endless = true});
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

static size_t bytes_of(const struct stream_rdd *r, int64_t from)
{
    size_t bytes = 0;

    for (int64_t i = from > r->from ? from : r->from; i < r->to; i++)
        bytes += r->values[i - r->from].len + LEAT_FRAME_BYTES;
    return bytes;
}

static bool append(struct leat_block *b, const struct stream_rdd *r, int64_t from, int64_t now_ms)
{
    for (int64_t i = from > r->from ? from : r->from; i < r->to; i++) {
        const struct leat_row row = {
            .value = r->values[i - r->from], .position = i, .time_ms = now_ms};
        if (!leat_block_append(b, &row))
            return false;
    }
    return true;
}

/* One push, or all from there on. */
static enum leat_status fill(struct queue_source *s, const struct leat_fetch *fetch,
                             struct leat_block **block, struct leat_error *err)
{
    struct stream_queue *q = queue_of(s);
    struct stream_rdd *before = q->unread, *first = rdd_at(q, fetch->from);
    if (q->fixed && fetch->from > q->committed)
        q->committed = fetch->from; /* in an earlier life */
    int64_t now_ms = leat_clock_now_ms(s->env->clock), to = fetch->from;
    size_t bytes = 0;

    for (struct stream_rdd *r = first; r; r = q->one ? NULL : r->next) {
        bytes += bytes_of(r, fetch->from);
        to = r->to;
    }
    if (leat_block_new(s->env->budget, &leat_coding_framed, bytes, block, err) != LEAT_OK) {
        q->unread = before;
        return err->status;
    }
    if (!q->one)
        q->unread = NULL;
    (*block)->from = fetch->from;
    for (struct stream_rdd *r = first; r; r = q->one ? NULL : r->next)
        if (!append(*block, r, fetch->from, now_ms)) {
            leat_block_unref(*block);
            *block = NULL;
            return leat_fail(err, LEAT_E_DATA, "a value is too large");
        }
    (*block)->at_end = true;
    leat_block_seal(*block, to);
    return LEAT_OK;
}

static void queue_fetch(void *self, const struct leat_fetch *fetch, leat_fetch_done *done,
                        void *arg)
{
    struct stream_queue *q = queue_of(self);
    struct leat_error err = {0};
    struct leat_block *b = NULL;

    pthread_mutex_lock(&q->ctx->lock);
    (void)!fill(self, fetch, &b, &err);
    pthread_cond_broadcast(&q->ctx->changed); /* of an empty push nothing will be committed */
    pthread_mutex_unlock(&q->ctx->lock);
    done(arg, fetch, b, &err);
}

static void queue_lost(void *self, uint32_t part)
{
    (void)self, (void)part; /* nothing is read ahead */
}

static void drop_first(struct stream_queue *q)
{
    struct stream_rdd *r = q->first;

    q->first = r->next;
    if (!q->first)
        q->last = NULL;
    leat_mem_free(r);
}

static enum leat_status queue_commit(void *self, uint64_t n, const struct leat_positions *positions,
                                     struct leat_error *err)
{
    struct stream_queue *q = queue_of(self);

    (void)n, (void)err;
    pthread_mutex_lock(&q->ctx->lock);
    for (size_t i = 0; i < positions->count; i++)
        if (leat_slice_eq(positions->list[i].partition, q->name) &&
            positions->list[i].next > q->committed)
            q->committed = positions->list[i].next;
    while (q->first && q->first != q->unread && q->first->to <= q->committed)
        drop_first(q);
    pthread_cond_broadcast(&q->ctx->changed);
    pthread_mutex_unlock(&q->ctx->lock);
    return LEAT_OK;
}

static void queue_close(void *self)
{
    (void)self;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "queue",
    .summary = "gives what a program pushes",
    .usual_format = "raw",
    .self_size = sizeof(struct queue_source),
    .opts = options,
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

/* ---- the program's side */

static struct leat_stream *queue_stream(struct leat_context *ctx, bool pairs, bool one,
                                        const char *where, const char *what)
{
    if (!ctx)
        return NULL;
    pthread_mutex_lock(&ctx->lock);
    struct leat_stream *in = stream_add(ctx, where, what), *s = stream_add(ctx, where, what);
    struct stream_queue *q = stream_alloc(ctx, sizeof *q);
    struct leat_node *module_node = stream_map(ctx, where), *of = stream_text(ctx, where, "queue"),
                     *map = stream_map(ctx, where);
    if (in != &ctx->broken && s != &ctx->broken && q && module_node && of && map) {
        *q = (struct stream_queue){.next = ctx->queues, .ctx = ctx, .pairs = pairs, .one = one};
        ctx->queues = q;
        of->handed = q;
        stream_put(module_node, "of", of);
        in->source = stream_map(ctx, where);
        stream_put(in->source, "queue", module_node);
        in->queue = s->queue = q;
        s->from[0] = in;
        s->ops = stream_list(ctx, where);
        stream_put(map, "map", stream_unpack(ctx, where));
        stream_put(s->ops, NULL, map);
        if (pairs)
            stream_put(s->ops, NULL, stream_take_apart(ctx, where));
    }
    pthread_mutex_unlock(&ctx->lock);
    return s;
}

struct leat_stream *leat_queue_stream_at(struct leat_context *ctx, bool one_at_a_time,
                                         const char *where)
{
    return queue_stream(ctx, false, one_at_a_time, where, "leat_queue_stream");
}

struct leat_stream *leat_queue_pair_stream_at(struct leat_context *ctx, bool one_at_a_time,
                                              const char *where)
{
    return queue_stream(ctx, true, one_at_a_time, where, "leat_queue_pair_stream");
}

static void encode(const struct leat_value *values, const struct leat_pair *pairs, size_t i,
                   struct leat_bytes *into)
{
    if (values) {
        leat_value_encode(values[i], into);
        return;
    }
    const struct leat_value two[2] = {pairs[i].key, pairs[i].value};
    leat_value_encode((struct leat_value){.tag = LEAT_LIST, .len = 2, .as.items = two}, into);
}

/* One piece of memory: the rdd, its slices, their bytes. */
static struct stream_rdd *pack(const struct leat_value *values, const struct leat_pair *pairs,
                               size_t count)
{
    struct leat_arena arena = {0};
    struct leat_bytes bytes = {.arena = &arena};
    size_t *ends = leat_arena_array(&arena, count + 1, sizeof *ends);
    struct stream_rdd *r = NULL;

    for (size_t i = 0; ends && i < count; i++) {
        encode(values, pairs, i, &bytes);
        ends[i] = bytes.len;
    }
    if (ends && !bytes.failed)
        r = leat_mem_alloc(sizeof *r + count * sizeof *r->values + bytes.len);
    if (r) {
        r->values = (struct leat_slice *)(void *)(r + 1);
        char *at = (char *)(r->values + count);
        if (bytes.len)
            memcpy(at, bytes.ptr, bytes.len);
        for (size_t i = 0; i < count; i++) {
            size_t begin = i ? ends[i - 1] : 0;
            r->values[i] = (struct leat_slice){at + begin, ends[i] - begin};
        }
    }
    leat_arena_reset(&arena);
    return r;
}

static enum leat_status push(struct leat_stream *s, const struct leat_value *values,
                             const struct leat_pair *pairs, size_t count, struct leat_error *err)
{
    struct stream_queue *q = s ? s->queue : NULL;
    enum leat_status status = LEAT_OK;

    if (!q || q->pairs == !pairs)
        return leat_fail(err, LEAT_E_MISUSE, "this stream is no queue %s",
                         pairs ? "of pairs" : "of values");
    struct stream_rdd *r = pack(values, pairs, count);
    if (!r)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    pthread_mutex_lock(&q->ctx->lock);
    if (q->ctx->state == LEAT_STOPPED || q->ctx->ended) {
        status = leat_fail(err, LEAT_E_MISUSE, "the context has stopped");
        leat_mem_free(r);
    } else {
        r->from = q->pushed;
        r->to = q->pushed += (int64_t)count;
        if (q->last)
            q->last->next = r;
        else
            q->first = r;
        q->last = r;
        if (!q->unread)
            q->unread = r;
    }
    pthread_mutex_unlock(&q->ctx->lock);
    return status;
}

enum leat_status leat_queue_push(struct leat_stream *queue, const struct leat_value *values,
                                 size_t count, struct leat_error *err)
{
    static const struct leat_value none;

    if (!values && count)
        return leat_fail(err, LEAT_E_MISUSE, "%zu values, but none are given", count);
    return push(queue, values ? values : &none, NULL, count, err);
}

enum leat_status leat_queue_push_pairs(struct leat_stream *queue, const struct leat_pair *pairs,
                                       size_t count, struct leat_error *err)
{
    static const struct leat_pair none;

    if (!pairs && count)
        return leat_fail(err, LEAT_E_MISUSE, "%zu pairs, but none are given", count);
    return push(queue, NULL, pairs ? pairs : &none, count, err);
}

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
