/*
 * event_time.c - inputs whose elements have times of their own, and joins of what is near in time.
 */
#include "receiver.h"
#include "stream.h"

#include <inttypes.h>

struct leat_stream *leat_event_time_at(struct leat_stream *s, leat_function *fn, void *arg,
                                       int64_t lateness_ms, int64_t idle_ms, const char *where)
{
    static const char what[] = "leat_event_time";

    if (!s)
        return NULL;
    if (!stream_begin(s, where, what))
        return s;
    struct leat_context *ctx = s->ctx;
    const bool packed = s->queue || s->receiver;
    const bool pairs = s->queue ? s->queue->pairs : s->receiver && s->receiver->pairs;
    struct leat_stream *in = packed && s->from[0] ? s->from[0] : s;
    enum stream_form form = !packed ? STREAM_TIME
                            : pairs ? STREAM_PACKED_PAIR_TIME
                                    : STREAM_PACKED_TIME;
    if (!in->source)
        stream_mistake(ctx, where, LEAT_E_MISUSE,
                       "%s: this stream is no input; say it of the one "
                       "that it is made of",
                       what);
    else if (leat_node_find(in->source, "time"))
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: the input has a time already", what);
    else if (lateness_ms < 0 || idle_ms < 0)
        stream_mistake(ctx, where, LEAT_E_CONFIG, "%s: lateness and idle cannot be negative", what);
    else {
        struct leat_node *time = stream_map(ctx, where);
        stream_put(time, "at", stream_function(ctx, where, form, (void (*)(void))fn, arg, what));
        stream_put(time, "lateness", stream_number(ctx, where, lateness_ms, "ms"));
        stream_put(time, "idle", stream_number(ctx, where, idle_ms, "ms"));
        stream_put(in->source, "time", time);
    }
    pthread_mutex_unlock(&ctx->lock);
    return s;
}

/* ---- joins */

/* The join says one thing more. */
static struct leat_stream *within(struct leat_stream *join, int64_t within_ms, const char *where,
                                  const char *what)
{
    if (!join || !stream_begin(join, where, what))
        return join;
    struct leat_context *ctx = join->ctx;
    if (within_ms < 1)
        stream_mistake(ctx, where, LEAT_E_CONFIG,
                       "%s: %" PRId64 " ms: it takes a time of 1 ms or more", what, within_ms);
    else
        stream_put(join->ops->first->first, "within", stream_number(ctx, where, within_ms, "ms"));
    pthread_mutex_unlock(&ctx->lock);
    return join;
}

struct leat_stream *leat_join_within_at(struct leat_stream *a, struct leat_stream *b,
                                        int64_t within_ms, const char *where)
{
    return within(leat_join_at(a, b, where), within_ms, where, "leat_join_within");
}

struct leat_stream *leat_left_outer_join_within_at(struct leat_stream *a, struct leat_stream *b,
                                                   int64_t within_ms, const char *where)
{
    return within(leat_left_outer_join_at(a, b, where), within_ms, where,
                  "leat_left_outer_join_within");
}

struct leat_stream *leat_right_outer_join_within_at(struct leat_stream *a, struct leat_stream *b,
                                                    int64_t within_ms, const char *where)
{
    return within(leat_right_outer_join_at(a, b, where), within_ms, where,
                  "leat_right_outer_join_within");
}

struct leat_stream *leat_full_outer_join_within_at(struct leat_stream *a, struct leat_stream *b,
                                                   int64_t within_ms, const char *where)
{
    return within(leat_full_outer_join_at(a, b, where), within_ms, where,
                  "leat_full_outer_join_within");
}
