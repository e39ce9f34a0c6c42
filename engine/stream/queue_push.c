/*
 * queue_push.c - queue streams as the program sees them: what makes one, and what is pushed.
 */
#include "stream.h"

#include "data/value_ops.h"

#define PARTS_MAX 1024

/* Lock: held. False: no memory, which was noted. */
static bool set_parts(struct leat_context *ctx, struct stream_queue *q, uint32_t count)
{
    struct stream_queue_part *parts = stream_alloc(ctx, count * sizeof *parts);

    if (!parts)
        return false;
    q->parts = parts;
    q->parts_count = q->told = count;
    return true;
}

static struct leat_stream *queue_stream(struct leat_context *ctx, bool pairs, bool one,
                                        const char *where, const char *what)
{
    if (!ctx)
        return NULL;
    pthread_mutex_lock(&ctx->lock);
    struct leat_stream *in = stream_add(ctx, where, what), *s = stream_add(ctx, where, what);
    struct stream_queue *q = stream_alloc(ctx, sizeof *q);
    struct leat_node *module_node = stream_map(ctx, where), *of = stream_text(ctx, where, "queue");
    if (in != &ctx->broken && s != &ctx->broken && q && module_node && of && set_parts(ctx, q, 1)) {
        q->next = ctx->queues;
        q->ctx = ctx;
        q->pairs = pairs;
        q->one = one;
        ctx->queues = q;
        of->handed = q;
        stream_put(module_node, "of", of);
        in->source = stream_map(ctx, where);
        stream_put(in->source, "queue", module_node);
        in->queue = s->queue = q;
        stream_unpack(s, in, pairs, where);
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

struct leat_stream *leat_queue_partitions_at(struct leat_stream *s, int count, const char *where)
{
    static const char what[] = "leat_queue_partitions";

    if (!s || !stream_begin(s, where, what))
        return s;
    if (!s->queue)
        stream_mistake(s->ctx, where, LEAT_E_MISUSE, "%s: this stream is no queue", what);
    else if (count < 1 || count > PARTS_MAX)
        stream_mistake(s->ctx, where, LEAT_E_CONFIG, "%s: %d: a queue has 1 to %d partitions", what,
                       count, PARTS_MAX);
    else
        (void)set_parts(s->ctx, s->queue, (uint32_t)count);
    pthread_mutex_unlock(&s->ctx->lock);
    return s;
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

/* Behind the others; r is the queue's then, or freed. */
static enum leat_status put(struct stream_queue *q, struct stream_rdd *r, size_t count,
                            struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

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

static enum leat_status push(struct leat_stream *s, const struct leat_value *values,
                             const struct leat_pair *pairs, size_t count, struct leat_error *err)
{
    struct stream_queue *q = s ? s->queue : NULL;

    if (!q || q->pairs == !pairs)
        return leat_fail(err, LEAT_E_MISUSE, "this stream is no queue %s",
                         pairs ? "of pairs" : "of values");
    if (stream_check_elements(values, pairs, count, err) != LEAT_OK)
        return err->status;
    return put(q, pack(values, pairs, count), count, err);
}

enum leat_status leat_queue_push_none(struct leat_stream *queue, struct leat_error *err)
{
    static const struct leat_value none;

    if (!queue || !queue->queue)
        return leat_fail(err, LEAT_E_MISUSE, "this stream is no queue");
    struct stream_rdd *r = pack(&none, NULL, 0);
    if (r)
        r->missing = true;
    return put(queue->queue, r, 0, err);
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
