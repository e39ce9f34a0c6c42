/*
 * tree.c - nodes by hand: what a program asked for, in the shape of a pipeline file.
 *
 * Lock: the context's held. All of it lives in the context's arena.
 */
#include "stream.h"

#include <inttypes.h>
#include <stdio.h>

static struct leat_node *node_of(struct leat_context *ctx, const char *where,
                                 enum leat_node_kind kind)
{
    struct leat_node *n = stream_alloc(ctx, sizeof *n);

    if (n) {
        n->kind = kind;
        n->path = leat_slice_str(where);
    }
    return n;
}

struct leat_node *stream_map(struct leat_context *ctx, const char *where)
{
    return node_of(ctx, where, LEAT_NODE_MAP);
}

struct leat_node *stream_list(struct leat_context *ctx, const char *where)
{
    return node_of(ctx, where, LEAT_NODE_LIST);
}

struct leat_node *stream_text(struct leat_context *ctx, const char *where, const char *text)
{
    struct leat_node *n = node_of(ctx, where, LEAT_NODE_SCALAR);

    if (!n)
        return NULL;
    n->text = leat_arena_copy(&ctx->arena, leat_slice_str(text));
    if (n->text.ptr)
        return n;
    stream_mistake(ctx, where, LEAT_E_NOMEM, "out of memory");
    return NULL;
}

struct leat_node *stream_number(struct leat_context *ctx, const char *where, int64_t n,
                                const char *unit)
{
    char text[40];

    snprintf(text, sizeof text, "%" PRId64 "%s", n, unit);
    return stream_text(ctx, where, text);
}

void stream_put(struct leat_node *into, const char *key, struct leat_node *child)
{
    struct leat_node **end;

    if (!into || !child)
        return;
    for (end = &into->first; *end;)
        end = &(*end)->next;
    if (key)
        child->key = leat_slice_str(key);
    *end = child;
    into->count++;
}

static struct leat_node *child_of(struct leat_node *map, struct leat_slice key)
{
    struct leat_node *n = map->first;

    while (n && !leat_slice_eq(n->key, key))
        n = n->next;
    return n;
}

/* The map in which the last name of a path stands, which is *key; maps on the way are made. NULL:
 * out of memory, which was noted. */
static struct leat_node *walk(struct leat_context *ctx, const char *where, struct leat_node *root,
                              const char *path, struct leat_slice *key)
{
    struct leat_slice rest = leat_arena_copy(&ctx->arena, leat_slice_str(path));

    if (!rest.ptr) {
        stream_mistake(ctx, where, LEAT_E_NOMEM, "out of memory");
        return NULL;
    }
    while (root && leat_slice_cut(rest, '.', key, &rest)) {
        struct leat_node *below = child_of(root, *key);
        if (!below && (below = stream_map(ctx, where))) {
            stream_put(root, "", below);
            below->key = *key;
        }
        if (below && below->kind != LEAT_NODE_MAP) { /* what is set last counts */
            below->kind = LEAT_NODE_MAP;
            below->text = (struct leat_slice){0};
            below->first = NULL;
            below->count = 0;
        }
        root = below;
    }
    return root;
}

void stream_put_path(struct leat_context *ctx, const char *where, struct leat_node *root,
                     const char *path, const char *text)
{
    struct leat_slice key;
    struct leat_node *map = walk(ctx, where, root, path, &key);
    struct leat_node *n = map ? child_of(map, key) : NULL, *made = stream_text(ctx, where, text);

    if (!map || !made)
        return;
    if (n) {
        n->kind = LEAT_NODE_SCALAR;
        n->first = NULL;
        n->count = 0;
        n->text = made->text;
        n->path = made->path;
        return;
    }
    stream_put(map, "", made);
    made->key = key;
}

/* What is given again is a list of all that was given. */
static void put_option(struct leat_context *ctx, const char *where, const char *what,
                       struct leat_node *root, const struct leat_option *o)
{
    struct leat_slice key;
    struct leat_node *map = walk(ctx, where, root, o->name, &key);
    struct leat_node *n = map ? child_of(map, key) : NULL,
                     *made = stream_text(ctx, where, o->value);

    if (!map || !made)
        return;
    if (n && n->kind == LEAT_NODE_MAP) {
        stream_mistake(ctx, where, LEAT_E_CONFIG,
                       "%s: '%.80s' comes behind its own options; give it before them", what,
                       o->name);
        return;
    }
    if (n && n->kind == LEAT_NODE_SCALAR) {
        struct leat_node *first = stream_text(ctx, where, n->text.ptr);
        n->kind = LEAT_NODE_LIST;
        stream_put(n, NULL, first);
    }
    stream_put(n ? n : map, NULL, made);
    if (!n)
        made->key = key;
}

void stream_put_options(struct leat_context *ctx, const char *where, const char *what,
                        struct leat_node *part, struct leat_node *given,
                        bool (*is_of_part)(const char *option), const struct leat_option *options,
                        size_t count)
{
    if (!options && count)
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: without its options", what);
    for (size_t i = 0; options && i < count; i++) {
        const struct leat_option *o = &options[i];
        if (!o->name || !o->value)
            stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: an option without a name or a value",
                           what);
        else
            put_option(ctx, where, what, is_of_part && is_of_part(o->name) ? part : given, o);
    }
}

/* ---- the whole */

static void want(struct leat_stream *s)
{
    if (!s || s->wanted)
        return;
    s->wanted = true;
    if (s->queue)
        s->queue->reads = true;
    if (s->receiver)
        stream_receiver_wanted(s->receiver);
    want(s->from[0]);
    want(s->from[1]);
    for (const struct stream_with *w = s->with; w; w = w->next)
        want(w->of);
}

static struct leat_node *name_of(const struct leat_stream *s)
{
    return stream_text(s->ctx, s->where, s->name.ptr);
}

static void put_stream(struct leat_context *ctx, struct leat_stream *s, struct leat_node *sources,
                       struct leat_node *streams)
{
    if (s->queue)
        s->queue->name = s->name;
    if (s->source) {
        stream_put(sources, s->name.ptr, s->source);
        return;
    }
    struct leat_node *part = stream_map(ctx, s->where), *from = stream_list(ctx, s->where);
    for (int i = 0; i < 2; i++)
        if (s->from[i])
            stream_put(from, NULL, name_of(s->from[i]));
    for (const struct stream_with *w = s->with; w; w = w->next)
        if (w->node)
            w->node->text = w->of->name;
    stream_put(part, "from", from);
    if (s->ops)
        stream_put(part, "ops", s->ops);
    stream_put(streams, s->name.ptr, part);
}

/* The elements of a window that was closed are kept under the window's name. */
static void name_closed(const struct leat_stream *s)
{
    char name[80];

    if (!s->closed || s->name.len > 50)
        return;
    snprintf(name, sizeof name, "%.*s-elements", LEAT_FMT(s->name));
    struct leat_slice copy = leat_arena_copy(&s->ctx->arena, leat_slice_str(name));
    if (copy.ptr)
        s->closed->name = copy;
    else
        stream_mistake(s->ctx, s->where, LEAT_E_NOMEM, "out of memory");
}

static void name_after(struct leat_stream *s)
{
    char name[96];

    if (!s->named_after || s->named_after->name.len > 50)
        return;
    snprintf(name, sizeof name, "%.*s%s", LEAT_FMT(s->named_after->name), s->name_end);
    struct leat_slice copy = leat_arena_copy(&s->ctx->arena, leat_slice_str(name));
    if (copy.ptr)
        s->name = copy;
    else
        stream_mistake(s->ctx, s->where, LEAT_E_NOMEM, "out of memory");
}

static bool is_fixed(const struct leat_stream *s)
{
    return s->source && s->queue && s->queue->fixed;
}

/* What a receiver stores is found again under its stream's name. */
static void name_receiver(const struct leat_stream *s)
{
    char name[96];

    if (!s->receiver || s->source)
        return;
    snprintf(name, sizeof name, "%.*s-received", LEAT_FMT(s->name));
    struct leat_slice copy = leat_arena_copy(&s->ctx->arena, leat_slice_str(name));
    if (copy.ptr)
        s->from[0]->name = copy;
    else
        stream_mistake(s->ctx, s->where, LEAT_E_NOMEM, "out of memory");
    stream_receiver_named(s->receiver, s->name.ptr, copy.ptr);
}

void stream_assemble(struct leat_context *ctx)
{
    struct leat_node *sources = stream_map(ctx, ""), *streams = stream_map(ctx, ""),
                     *sinks = stream_map(ctx, "");
    uint32_t number = 0;
    char name[32];

    for (struct stream_output *o = ctx->outputs; o; o = o->next) {
        want(o->of);
        snprintf(name, sizeof name, STREAM_OUTPUT_NAME, number++);
        struct leat_node *key = stream_text(ctx, "", name);
        o->from->text = o->of->name;
        if (key)
            stream_put(sinks, key->text.ptr, o->sink);
    }
    for (struct leat_stream *s = ctx->streams; s; s = s->next)
        name_closed(s);
    for (struct leat_stream *s = ctx->streams; s; s = s->next)
        name_receiver(s);
    for (struct leat_stream *s = ctx->streams; s; s = s->next)
        name_after(s);
    stream_time_first_states(ctx);
    for (struct leat_stream *s = ctx->streams; s; s = s->next) /* before what comes to it */
        if (s->wanted && is_fixed(s))
            put_stream(ctx, s, sources, streams);
    for (struct leat_stream *s = ctx->streams; s; s = s->next)
        if (s->wanted && !is_fixed(s))
            put_stream(ctx, s, sources, streams);
    stream_put(ctx->root, "sources", sources);
    stream_put(ctx->root, "streams", streams);
    stream_put(ctx->root, "sinks", sinks);
}
