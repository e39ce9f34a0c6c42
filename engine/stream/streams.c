/*
 * streams.c - builders: a stream with one more operator, in the words of a pipeline file.
 */
#include "stream.h"

#include <inttypes.h>
#include <stdio.h>

struct leat_stream *stream_add(struct leat_context *ctx, const char *where, const char *what)
{
    char name[80];

    if (!stream_open(ctx, where, what))
        return &ctx->broken;
    snprintf(name, sizeof name, "%s-%" PRIu32, what, ++ctx->count);
    struct leat_stream *s = stream_alloc(ctx, sizeof *s);
    struct leat_slice copy = leat_arena_copy(&ctx->arena, leat_slice_str(name));
    if (!s || !copy.ptr) {
        stream_mistake(ctx, where, LEAT_E_NOMEM, "out of memory");
        return &ctx->broken;
    }
    *s = (struct leat_stream){.ctx = ctx, .where = where, .name = copy};
    *ctx->streams_end = s;
    ctx->streams_end = &s->next;
    return s;
}

bool stream_begin(struct leat_stream *s, const char *where, const char *what)
{
    pthread_mutex_lock(&s->ctx->lock);
    if (s != &s->ctx->broken && stream_open(s->ctx, where, what))
        return true;
    pthread_mutex_unlock(&s->ctx->lock);
    return false;
}

/* What is NULL was noted. */
struct leat_stream *stream_end_beside(struct leat_stream *from, struct stream_with *with,
                                      const char *where, const char *what, const char *op,
                                      struct leat_node *arg, struct leat_node *more)
{
    struct leat_context *ctx = from->ctx;
    struct leat_stream *s = stream_add(ctx, where, what);
    struct leat_node *one = stream_map(ctx, where), *ops = stream_list(ctx, where);

    if (s != &ctx->broken) {
        stream_put(one, op, arg);
        stream_put(ops, NULL, one);
        stream_put(ops, NULL, more);
        s->from[0] = from;
        s->with = with;
        s->ops = ops;
    }
    pthread_mutex_unlock(&ctx->lock);
    return s;
}

struct leat_stream *stream_end_with(struct leat_stream *from, const char *where, const char *what,
                                    const char *op, struct leat_node *arg, struct leat_node *more)
{
    return stream_end_beside(from, NULL, where, what, op, arg, more);
}

static struct leat_stream *end_with(struct leat_stream *from, const char *where, const char *what,
                                    const char *op, struct leat_node *arg)
{
    return stream_end_with(from, where, what, op, arg, NULL);
}

static struct leat_node *nothing(struct leat_context *ctx, const char *where)
{
    struct leat_node *n = stream_text(ctx, where, "");

    if (n)
        n->is_null = true;
    return n;
}

/* ---- windows
 *
 * What comes out of a window is a stream like any other: its elements are of the batch with which
 * the window ends. While a window may still be reduced or counted pane by pane, it is kept as one;
 * what else takes the stream gets it closed. A window that ends more rarely than batches, a slow
 * one, stays one but for another window, since batches between its ends are none of it. */

/* { NAME: - }, of the engine's own operators. */
static struct leat_node *own_op(struct leat_context *ctx, const char *where, const char *name)
{
    struct leat_node *map = stream_map(ctx, where), *arg = nothing(ctx, where);

    if (arg)
        arg->handed = ctx;
    stream_put(map, name, arg);
    return map;
}

/* Its elements, out of the window. */
static struct leat_stream *close_window(struct leat_stream *s, const char *where)
{
    if (s->closed)
        return s->closed;
    struct leat_stream *c = stream_add(s->ctx, where, "window");
    if (c == &s->ctx->broken)
        return c;
    c->from[0] = s;
    c->ops = stream_list(s->ctx, where);
    stream_put(c->ops, NULL, own_op(s->ctx, where, "rows"));
    if (s->windowed)
        stream_put(c->ops, NULL, own_op(s->ctx, where, "of_batch"));
    s->closed = c;
    return c;
}

struct leat_stream *stream_closed(struct leat_stream *s, const char *where)
{
    return s->windowed ? close_window(s, where) : s;
}

/* For a window, which takes elements of a slow one with the times at which that ends. */
static struct leat_stream *closed_for_window(struct leat_stream *s, const char *where)
{
    return s->windowed || s->slow ? close_window(s, where) : s;
}

static bool is_every_batch(const struct leat_context *ctx, int64_t slide_ms)
{
    const struct leat_node *every = leat_node_find(leat_node_find(ctx->root, "batch"), "every");
    char text[40];

    snprintf(text, sizeof text, "%" PRId64 "ms", slide_ms);
    return slide_ms == 0 || (every && leat_slice_eq(every->text, leat_slice_str(text)));
}

/* NULL, or what makes the results of a window those of their batch. Lock: held. */
static struct leat_node *end_of_window(struct leat_context *ctx, const char *where, bool windowed)
{
    return windowed ? own_op(ctx, where, "of_batch") : NULL;
}

static struct leat_stream *mark_windowed(struct leat_stream *s, bool windowed, bool slow)
{
    pthread_mutex_lock(&s->ctx->lock);
    if (s != &s->ctx->broken) {
        s->windowed = windowed;
        s->slow = slow;
    }
    pthread_mutex_unlock(&s->ctx->lock);
    return s;
}

/* { key: this[0], value: this[1] } */
struct leat_node *stream_take_apart(struct leat_context *ctx, const char *where)
{
    struct leat_node *map = stream_map(ctx, where), *arg = stream_map(ctx, where);

    stream_put(arg, "key", stream_text(ctx, where, "this[0]"));
    stream_put(arg, "value", stream_text(ctx, where, "this[1]"));
    stream_put(map, "map_to_pair", arg);
    return map;
}

struct leat_stream *leat_named_at(struct leat_stream *s, const char *name, const char *where)
{
    struct leat_slice copy = {0}, given = leat_slice_str(name ? name : "");

    if (!s || !stream_begin(s, where, "leat_named"))
        return s;
    struct leat_context *ctx = s->ctx;
    for (const struct leat_stream *o = ctx->streams; o; o = o->next)
        if (o != s && leat_slice_eq(o->name, given))
            stream_mistake(ctx, where, LEAT_E_CONFIG, "leat_named: there is another stream '%s'",
                           name);
    if (given.len == 0 || given.len > 64 || strpbrk(name, "./ \t\n"))
        stream_mistake(ctx, where, LEAT_E_CONFIG,
                       "leat_named: a name has 1 to 64 characters, no '.', '/' or blank");
    else if (!(copy = leat_arena_copy(&ctx->arena, given)).ptr)
        stream_mistake(ctx, where, LEAT_E_NOMEM, "out of memory");
    else
        s->name = copy;
    pthread_mutex_unlock(&ctx->lock);
    return s;
}

/* ---- element by element */

static struct leat_stream *with_function(struct leat_stream *s, const char *where, const char *what,
                                         enum stream_form form, void (*fn)(void), void *arg)
{
    if (!s)
        return NULL;
    if (!stream_begin(s, where, what))
        return &s->ctx->broken;
    bool ends = form == STREAM_REDUCE, windowed = s->windowed, slow = s->slow;
    struct leat_stream *made = stream_end_with(s, where, what, what + sizeof "leat_" - 1,
                                               stream_function(s->ctx, where, form, fn, arg, what),
                                               end_of_window(s->ctx, where, windowed && ends));
    return mark_windowed(made, windowed && !ends, slow && !ends);
}

struct leat_stream *leat_map_at(struct leat_stream *s, leat_function *fn, void *arg,
                                const char *where)
{
    return with_function(s, where, "leat_map", STREAM_MAP, (void (*)(void))fn, arg);
}

struct leat_stream *leat_flat_map_at(struct leat_stream *s, leat_function *fn, void *arg,
                                     const char *where)
{
    return with_function(s, where, "leat_flat_map", STREAM_MAP, (void (*)(void))fn, arg);
}

struct leat_stream *leat_filter_at(struct leat_stream *s, leat_function *fn, void *arg,
                                   const char *where)
{
    return with_function(s, where, "leat_filter", STREAM_MAP_VALUES, (void (*)(void))fn, arg);
}

struct leat_stream *leat_map_values_at(struct leat_stream *s, leat_function *fn, void *arg,
                                       const char *where)
{
    return with_function(s, where, "leat_map_values", STREAM_MAP_VALUES, (void (*)(void))fn, arg);
}

struct leat_stream *leat_flat_map_values_at(struct leat_stream *s, leat_function *fn, void *arg,
                                            const char *where)
{
    return with_function(s, where, "leat_flat_map_values", STREAM_MAP_VALUES, (void (*)(void))fn,
                         arg);
}

struct leat_stream *leat_reduce_at(struct leat_stream *s, leat_reduce_function *fn, void *arg,
                                   const char *where)
{
    return with_function(s, where, "leat_reduce", STREAM_REDUCE, (void (*)(void))fn, arg);
}

struct leat_stream *leat_reduce_by_key_at(struct leat_stream *s, leat_reduce_function *fn,
                                          void *arg, const char *where)
{
    return with_function(s, where, "leat_reduce_by_key", STREAM_REDUCE, (void (*)(void))fn, arg);
}

struct leat_stream *leat_combine_by_key_at(struct leat_stream *s, leat_function *create,
                                           leat_reduce_function *merge_value,
                                           leat_reduce_function *merge, void *arg,
                                           const char *where)
{
    static const char what[] = "leat_combine_by_key";

    if (!s)
        return NULL;
    if (!stream_begin(s, where, what))
        return &s->ctx->broken;
    struct leat_context *ctx = s->ctx;
    struct leat_node *map = stream_map(ctx, where);
    stream_put(map, "create",
               stream_function(ctx, where, STREAM_MAP_VALUES, (void (*)(void))create, arg, what));
    stream_put(
        map, "merge_value",
        stream_function(ctx, where, STREAM_MERGE_VALUE, (void (*)(void))merge_value, arg, what));
    stream_put(map, "merge",
               stream_function(ctx, where, STREAM_REDUCE, (void (*)(void))merge, arg, what));
    return stream_end_with(s, where, what, "combine_by_key", map,
                           end_of_window(ctx, where, s->windowed));
}

struct leat_stream *leat_map_to_pair_at(struct leat_stream *s, leat_pair_function *fn, void *arg,
                                        const char *where)
{
    return with_function(s, where, "leat_map_to_pair", STREAM_PAIR, (void (*)(void))fn, arg);
}

/* ---- all elements of a batch or window */

static struct leat_stream *without_argument(struct leat_stream *s, const char *where,
                                            const char *what)
{
    if (!s)
        return NULL;
    if (!stream_begin(s, where, what))
        return &s->ctx->broken;
    return stream_end_with(s, where, what, what + sizeof "leat_" - 1, nothing(s->ctx, where),
                           end_of_window(s->ctx, where, s->windowed));
}

struct leat_stream *leat_count_at(struct leat_stream *s, const char *where)
{
    return without_argument(s, where, "leat_count");
}

struct leat_stream *leat_count_by_value_at(struct leat_stream *s, const char *where)
{
    return without_argument(s, where, "leat_count_by_value");
}

struct leat_stream *leat_group_by_key_at(struct leat_stream *s, const char *where)
{
    return without_argument(s, where, "leat_group_by_key");
}

struct leat_stream *leat_repartition_at(struct leat_stream *s, int partitions, const char *where)
{
    if (!s)
        return NULL;
    if (!stream_begin(s, where, "leat_repartition"))
        return &s->ctx->broken;
    bool windowed = s->windowed, slow = s->slow;
    return mark_windowed(end_with(s, where, "leat_repartition", "repartition",
                                  stream_number(s->ctx, where, partitions, "")),
                         windowed, slow);
}

/* { size, slide } */
static struct leat_node *window_of(struct leat_context *ctx, const char *where, int64_t size_ms,
                                   int64_t slide_ms)
{
    struct leat_node *map = stream_map(ctx, where);
    const struct leat_node *every = leat_node_find(leat_node_find(ctx->root, "batch"), "every");

    stream_put(map, "size", stream_number(ctx, where, size_ms, "ms"));
    if (slide_ms || !every)
        stream_put(map, "slide", stream_number(ctx, where, slide_ms, "ms"));
    else
        stream_put(map, "slide", stream_text(ctx, where, every->text.ptr));
    return map;
}

/* A slide of 0 is that of the stream: of the window that it came out of, else a batch, 0. Lock:
 * held.
 */
static int64_t slide_of(const struct leat_stream *s, int64_t slide_ms)
{
    while (s && !slide_ms) {
        slide_ms = s->slide_ms;
        s = s->from[0];
    }
    return slide_ms;
}

/* An operator with a window of its own, whose results are of their batch. */
static struct leat_stream *with_window(struct leat_stream *s, const char *where, const char *what,
                                       int64_t size_ms, int64_t slide_ms)
{
    if (!s)
        return NULL;
    if (!stream_begin(s, where, what))
        return &s->ctx->broken;
    slide_ms = slide_of(s, slide_ms);
    struct leat_stream *made =
        stream_end_with(closed_for_window(s, where), where, what, what + sizeof "leat_" - 1,
                        window_of(s->ctx, where, size_ms, slide_ms),
                        end_of_window(s->ctx, where, is_every_batch(s->ctx, slide_ms)));
    return stream_has_window(made, size_ms, slide_ms);
}

/* Counts go on from window to window. */
static struct leat_stream *with_counts(struct leat_stream *s, const char *where, const char *what,
                                       int64_t size_ms, int64_t slide_ms)
{
    struct leat_stream *made = with_window(s, where, what, size_ms, slide_ms);

    return made ? stream_remembers(made, STREAM_REMEMBERS_STATE) : NULL;
}

struct leat_stream *leat_window_at(struct leat_stream *s, int64_t size_ms, int64_t slide_ms,
                                   const char *where)
{
    if (!s)
        return NULL;
    if (!stream_begin(s, where, "leat_window"))
        return &s->ctx->broken;
    slide_ms = slide_of(s, slide_ms);
    bool windowed = is_every_batch(s->ctx, slide_ms);
    struct leat_stream *made = end_with(closed_for_window(s, where), where, "leat_window", "window",
                                        window_of(s->ctx, where, size_ms, slide_ms));
    return stream_has_window(mark_windowed(made, windowed, !windowed), size_ms, slide_ms);
}

struct leat_stream *leat_count_by_window_at(struct leat_stream *s, int64_t size_ms,
                                            int64_t slide_ms, const char *where)
{
    return with_counts(s, where, "leat_count_by_window", size_ms, slide_ms);
}

struct leat_stream *leat_count_by_value_and_window_at(struct leat_stream *s, int64_t size_ms,
                                                      int64_t slide_ms, const char *where)
{
    return with_counts(s, where, "leat_count_by_value_and_window", size_ms, slide_ms);
}

struct leat_stream *leat_group_by_key_and_window_at(struct leat_stream *s, int64_t size_ms,
                                                    int64_t slide_ms, const char *where)
{
    return with_window(s, where, "leat_group_by_key_and_window", size_ms, slide_ms);
}

static struct leat_stream *reduce_window(struct leat_stream *s, const char *where, const char *what,
                                         leat_reduce_function *fn, leat_reduce_function *inverse,
                                         leat_function *filter, void *arg, int64_t size_ms,
                                         int64_t slide_ms)
{
    if (!s)
        return NULL;
    if (!stream_begin(s, where, what))
        return &s->ctx->broken;
    struct leat_context *ctx = s->ctx;
    slide_ms = slide_of(s, slide_ms);
    struct leat_node *map = window_of(ctx, where, size_ms, slide_ms);
    stream_put(map, "reduce",
               stream_function(ctx, where, STREAM_REDUCE, (void (*)(void))fn, arg, what));
    if (inverse)
        stream_put(map, "inverse",
                   stream_function(ctx, where, STREAM_REDUCE, (void (*)(void))inverse, arg, what));
    if (filter)
        stream_put(map, "filter",
                   stream_function(ctx, where, STREAM_KEEP, (void (*)(void))filter, arg, what));
    struct leat_stream *made =
        stream_end_with(closed_for_window(s, where), where, what, what + sizeof "leat_" - 1, map,
                        end_of_window(ctx, where, is_every_batch(ctx, slide_ms)));
    if (inverse)
        stream_remembers(made, STREAM_REMEMBERS_STATE);
    return stream_has_window(made, size_ms, slide_ms);
}

struct leat_stream *leat_reduce_by_window_at(struct leat_stream *s, leat_reduce_function *fn,
                                             leat_reduce_function *inverse, void *arg,
                                             int64_t size_ms, int64_t slide_ms, const char *where)
{
    return reduce_window(s, where, "leat_reduce_by_window", fn, inverse, NULL, arg, size_ms,
                         slide_ms);
}

struct leat_stream *
leat_reduce_by_key_and_window_at(struct leat_stream *s, leat_reduce_function *fn,
                                 leat_reduce_function *inverse, leat_function *filter, void *arg,
                                 int64_t size_ms, int64_t slide_ms, const char *where)
{
    return reduce_window(s, where, "leat_reduce_by_key_and_window", fn, inverse, filter, arg,
                         size_ms, slide_ms);
}

struct leat_stream *leat_update_state_by_key_at(struct leat_stream *s, leat_update_function *fn,
                                                void *arg, const char *where)
{
    static const char what[] = "leat_update_state_by_key";

    if (!s)
        return NULL;
    if (!stream_begin(s, where, what))
        return &s->ctx->broken;
    struct leat_node *map = stream_map(s->ctx, where);
    stream_put(map, "update",
               stream_function(s->ctx, where, STREAM_UPDATE, (void (*)(void))fn, arg, what));
    stream_put(map, "keys", stream_text(s->ctx, where, "all"));
    return stream_remembers(
        end_with(stream_closed(s, where), where, what, "update_state_by_key", map),
        STREAM_REMEMBERS_STATE);
}

/* ---- two streams */

/* Lock: taken, if so. Are both there, and of one context? */
static bool begin_two(struct leat_stream *a, struct leat_stream *b, const char *where,
                      const char *what)
{
    struct leat_stream *one = a ? a : b;

    if (!stream_begin(one, where, what))
        return false;
    if (a && b && a->ctx == b->ctx && b != &b->ctx->broken)
        return true;
    stream_mistake(one->ctx, where, LEAT_E_MISUSE, "%s: %s", what,
                   a && b ? "the streams are of different contexts" : "without a second stream");
    pthread_mutex_unlock(&one->ctx->lock);
    return false;
}

struct leat_stream *leat_union_at(struct leat_stream *a, struct leat_stream *b, const char *where)
{
    if (!a && !b)
        return NULL;
    if (!begin_two(a, b, where, "leat_union"))
        return a ? &a->ctx->broken : &b->ctx->broken;
    struct leat_stream *s = stream_add(a->ctx, where, "leat_union");
    if (s != &a->ctx->broken) {
        s->from[0] = stream_closed(a, where);
        s->from[1] = stream_closed(b, where);
        s->slow = a->slow && b->slow;
    }
    pthread_mutex_unlock(&a->ctx->lock);
    return s;
}

/* Behind it the two sides are a list. */
static struct leat_stream *join(struct leat_stream *a, struct leat_stream *b, const char *where,
                                const char *what)
{
    if (!a && !b)
        return NULL;
    if (!begin_two(a, b, where, what))
        return a ? &a->ctx->broken : &b->ctx->broken;
    struct leat_context *ctx = a->ctx;
    struct leat_node *map = stream_map(ctx, where), *with = stream_text(ctx, where, ""),
                     *as = stream_list(ctx, where), *sides = stream_map(ctx, where);
    stream_put(map, "with", with);
    stream_put(as, NULL, stream_text(ctx, where, "left"));
    stream_put(as, NULL, stream_text(ctx, where, "right"));
    stream_put(map, "as", as);
    stream_put(sides, "map", stream_text(ctx, where, "[left, right]"));
    struct stream_with *other = stream_alloc(ctx, sizeof *other);
    if (other)
        *other = (struct stream_with){.of = stream_closed(b, where), .node = with};
    return stream_end_beside(stream_closed(a, where), other, where, what, what + sizeof "leat_" - 1,
                             map, sides);
}

struct leat_stream *leat_join_at(struct leat_stream *a, struct leat_stream *b, const char *where)
{
    return join(a, b, where, "leat_join");
}

struct leat_stream *leat_left_outer_join_at(struct leat_stream *a, struct leat_stream *b,
                                            const char *where)
{
    return join(a, b, where, "leat_left_outer_join");
}

struct leat_stream *leat_right_outer_join_at(struct leat_stream *a, struct leat_stream *b,
                                             const char *where)
{
    return join(a, b, where, "leat_right_outer_join");
}

struct leat_stream *leat_full_outer_join_at(struct leat_stream *a, struct leat_stream *b,
                                            const char *where)
{
    return join(a, b, where, "leat_full_outer_join");
}

struct leat_stream *leat_cogroup_at(struct leat_stream *a, struct leat_stream *b, const char *where)
{
    return join(a, b, where, "leat_cogroup");
}
