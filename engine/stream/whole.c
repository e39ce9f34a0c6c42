/*
 * whole.c - functions that get many elements at once: of a partition, of a batch, of several.
 */
#include "stream.h"

static const struct stream_user_function *user(const struct leat_callable *self)
{
    return (const struct stream_user_function *)(const void *)self;
}

/* Elements as a program sees them. False: out of memory. */
static bool make_rdd(struct leat_call *call, struct leat_value values, struct leat_value keys,
                     struct leat_value time, struct leat_rdd *rdd)
{
    struct leat_pair *rows = leat_arena_array(call->arena, values.len + (size_t)1, sizeof *rows);

    if (!rows)
        return false;
    for (uint32_t i = 0; i < values.len; i++) {
        rows[i].value = values.as.items[i];
        if (keys.tag == LEAT_LIST)
            rows[i].key = keys.as.items[i];
    }
    *rdd = (struct leat_rdd){
        .time_ms = time.as.i * 1000 + time.len / 1000000, .rows = rows, .count = values.len};
    return true;
}

struct leat_value stream_call_partition(const struct leat_callable *self, struct leat_call *call,
                                        const struct leat_value *args, uint32_t count)
{
    struct leat_rdd rdd;

    (void)count;
    if (!make_rdd(call, args[0], args[1], args[2], &rdd))
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    call->time_ms = rdd.time_ms;
    return ((leat_partition_function *)user(self)->fn)(call, &rdd, user(self)->arg);
}

static struct leat_value call_with(const struct leat_callable *self, struct leat_call *call,
                                   const struct leat_rdd *rdds, uint32_t n)
{
    call->time_ms = rdds[0].time_ms;
    return ((leat_transform_function *)user(self)->fn)(call, rdds, n, user(self)->arg);
}

struct leat_value stream_call_transform(const struct leat_callable *self, struct leat_call *call,
                                        const struct leat_value *args, uint32_t count)
{
    struct leat_rdd rdd;

    (void)count;
    if (!make_rdd(call, args[0], args[1], args[2], &rdd))
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    return call_with(self, call, &rdd, 1);
}

/* Lists of lists: one per stream. */
struct leat_value stream_call_transform_all(const struct leat_callable *self,
                                            struct leat_call *call, const struct leat_value *args,
                                            uint32_t count)
{
    uint32_t n = args[0].len;
    struct leat_rdd *rdds = leat_arena_array(call->arena, n, sizeof *rdds);

    (void)count;
    for (uint32_t i = 0; i < n; i++)
        if (!rdds || !make_rdd(call, args[0].as.items[i], args[1].as.items[i], args[2], &rdds[i]))
            return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    return call_with(self, call, rdds, n);
}

/* One element: the list of all. */
static struct leat_value all_in_one(struct leat_call *call, const struct leat_rdd *in, void *arg)
{
    struct leat_value list = leat_list(), all = leat_list();

    (void)arg;
    for (size_t i = 0; i < in->count; i++) {
        struct leat_value v = in->rows[i].value;
        if (in->rows[i].key.tag != LEAT_NULL) {
            v = leat_list();
            leat_list_add(call, &v, in->rows[i].key);
            leat_list_add(call, &v, in->rows[i].value);
        }
        leat_list_add(call, &all, v);
    }
    leat_list_add(call, &list, all);
    return list;
}

/* ---- builders */

static struct leat_stream *map_partitions(struct leat_stream *s, leat_partition_function *fn,
                                          void *arg, bool to_pair, const char *where,
                                          const char *what)
{
    if (!s)
        return NULL;
    if (!stream_begin(s, where, what))
        return &s->ctx->broken;
    return stream_end_with(
        stream_closed(s, where), where, what, "map_partitions",
        stream_function(s->ctx, where, STREAM_PARTITION, (void (*)(void))fn, arg, what),
        to_pair ? stream_take_apart(s->ctx, where) : NULL);
}

struct leat_stream *leat_map_partitions_at(struct leat_stream *s, leat_partition_function *fn,
                                           void *arg, const char *where)
{
    return map_partitions(s, fn, arg, false, where, "leat_map_partitions");
}

struct leat_stream *leat_map_partitions_to_pair_at(struct leat_stream *s,
                                                   leat_partition_function *fn, void *arg,
                                                   const char *where)
{
    return map_partitions(s, fn, arg, true, where, "leat_map_partitions_to_pair");
}

struct leat_stream *leat_glom_at(struct leat_stream *s, const char *where)
{
    return map_partitions(s, all_in_one, NULL, false, where, "leat_glom");
}

/* Are all there, and of this context? Lock: held. */
static bool are_of_one(struct leat_context *ctx, struct leat_stream *const *streams, size_t count,
                       const char *where, const char *what)
{
    for (size_t i = 0; i < count; i++) {
        if (streams[i] == &ctx->broken)
            return false;
        if (streams[i] && streams[i]->ctx == ctx)
            continue;
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: %s", what,
                       streams[i] ? "the streams are of different contexts"
                                  : "one of the streams is missing");
        return false;
    }
    return true;
}

/* Lock: held, and given back. */
static struct leat_stream *build(struct leat_stream *const *streams, size_t count,
                                 struct leat_node *fn, bool to_pair, const char *where,
                                 const char *what)
{
    struct leat_context *ctx = streams[0]->ctx;
    struct leat_node *map = stream_map(ctx, where), *with = stream_list(ctx, where),
                     *more = to_pair ? stream_take_apart(ctx, where) : NULL;
    struct stream_with *others = NULL, **end = &others;

    for (size_t i = 1; i < count; i++) {
        struct stream_with *w = stream_alloc(ctx, sizeof *w);
        if (!w)
            break;
        *w = (struct stream_with){.of = stream_closed(streams[i], where),
                                  .node = stream_text(ctx, where, "")};
        stream_put(with, NULL, w->node);
        *end = w;
        end = &w->next;
    }
    stream_put(map, "function", fn);
    if (count > 1)
        stream_put(map, "with", with);
    return stream_end_beside(stream_closed(streams[0], where), others, where, what, "transform",
                             map, more);
}

static struct leat_stream *transform(struct leat_stream *const *streams, size_t count,
                                     leat_transform_function *fn, void *arg, bool to_pair,
                                     const char *where, const char *what)
{
    struct leat_stream *first = NULL;

    for (size_t i = 0; streams && i < count && !first; i++)
        first = streams[i];
    if (!first)
        return NULL;
    if (!stream_begin(first, where, what))
        return &first->ctx->broken;
    if (!are_of_one(first->ctx, streams, count, where, what)) {
        pthread_mutex_unlock(&first->ctx->lock);
        return &first->ctx->broken;
    }
    return build(streams, count,
                 stream_function(first->ctx, where,
                                 count == 1 ? STREAM_TRANSFORM : STREAM_TRANSFORM_ALL,
                                 (void (*)(void))fn, arg, what),
                 to_pair, where, what);
}

struct leat_stream *leat_transform_at(struct leat_stream *s, leat_transform_function *fn, void *arg,
                                      const char *where)
{
    return transform(&s, 1, fn, arg, false, where, "leat_transform");
}

struct leat_stream *leat_transform_to_pair_at(struct leat_stream *s, leat_transform_function *fn,
                                              void *arg, const char *where)
{
    return transform(&s, 1, fn, arg, true, where, "leat_transform_to_pair");
}

struct leat_stream *leat_transform_all_at(struct leat_stream *const *streams, size_t count,
                                          leat_transform_function *fn, void *arg, const char *where)
{
    return transform(streams, count, fn, arg, false, where, "leat_transform_all");
}

struct leat_stream *leat_transform_all_to_pair_at(struct leat_stream *const *streams, size_t count,
                                                  leat_transform_function *fn, void *arg,
                                                  const char *where)
{
    return transform(streams, count, fn, arg, true, where, "leat_transform_all_to_pair");
}

static struct leat_stream *transform_with(struct leat_stream *a, struct leat_stream *b,
                                          leat_transform_function *fn, void *arg, bool to_pair,
                                          const char *where, const char *what)
{
    struct leat_stream *const both[] = {a, b};

    return transform(both, 2, fn, arg, to_pair, where, what);
}

struct leat_stream *leat_transform_with_at(struct leat_stream *a, struct leat_stream *b,
                                           leat_transform_function *fn, void *arg,
                                           const char *where)
{
    return transform_with(a, b, fn, arg, false, where, "leat_transform_with");
}

struct leat_stream *leat_transform_with_to_pair_at(struct leat_stream *a, struct leat_stream *b,
                                                   leat_transform_function *fn, void *arg,
                                                   const char *where)
{
    return transform_with(a, b, fn, arg, true, where, "leat_transform_with_to_pair");
}
