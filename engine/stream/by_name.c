/*
 * by_name.c - operators and sinks of a pipeline file, by the name that they have there. What is
 * here and what its options are is known by the planner, who loads modules that are not built in.
 */
#include "stream.h"

struct leat_stream *leat_apply_at(struct leat_stream *s, const char *op,
                                  const struct leat_option *options, size_t count,
                                  const char *where)
{
    static const char what[] = "leat_apply";

    if (!s)
        return NULL;
    if (!stream_begin(s, where, what))
        return &s->ctx->broken;
    struct leat_context *ctx = s->ctx;
    struct leat_node *name = stream_text(ctx, where, op ? op : ""), *arg = stream_map(ctx, where);
    if (!op)
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: without an operator", what);
    stream_put_options(ctx, where, what, NULL, arg, NULL, options, count);
    if (arg && arg->count == 1 && arg->first->key.len == 0)
        arg = arg->first;
    if (arg && count == 0) { /* as `- count` in a file */
        arg->kind = LEAT_NODE_SCALAR;
        arg->is_null = true;
    }
    return stream_end_with(stream_closed(s, where), where, what, name ? name->text.ptr : "", arg,
                           NULL);
}

static bool is_of_sink(const char *option)
{
    return strcmp(option, "format") == 0 || strncmp(option, "format.", 7) == 0;
}

void leat_write_to_at(struct leat_stream *s, const char *sink, const struct leat_option *options,
                      size_t count, const char *where)
{
    static const char what[] = "leat_write_to";

    if (!s || !stream_begin(s, where, what))
        return;
    struct leat_context *ctx = s->ctx;
    struct leat_node *name = stream_text(ctx, where, sink ? sink : ""),
                     *given = stream_map(ctx, where);
    struct stream_output *o = name ? stream_add_output(s, where, name->text.ptr, given) : NULL;
    if (!sink)
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: without a sink", what);
    if (o)
        stream_put_options(ctx, where, what, o->sink, given, is_of_sink, options, count);
    pthread_mutex_unlock(&ctx->lock);
}
