/*
 * saves.c - the outputs that are files: a directory per batch of text, objects, or Hadoop's pairs.
 */
#include "stream.h"

static struct stream_output *save(struct leat_stream *s, const char *sink, const char *prefix,
                                  const char *suffix, const char *where)
{
    struct leat_node *given = stream_map(s->ctx, where);

    stream_put(given, "prefix", stream_text(s->ctx, where, prefix ? prefix : ""));
    stream_put(given, "suffix", stream_text(s->ctx, where, suffix ? suffix : ""));
    return stream_add_output(s, where, sink, given);
}

void leat_save_as_text_files_at(struct leat_stream *s, const char *prefix, const char *suffix,
                                const char *where)
{
    if (!s || !stream_begin(s, where, "leat_save_as_text_files"))
        return;
    (void)save(s, "save_as_text_files", prefix, suffix, where);
    pthread_mutex_unlock(&s->ctx->lock);
}

void leat_save_as_object_files_at(struct leat_stream *s, const char *prefix, const char *suffix,
                                  const char *where)
{
    if (!s || !stream_begin(s, where, "leat_save_as_object_files"))
        return;
    (void)save(s, "save_as_object_files", prefix, suffix, where);
    pthread_mutex_unlock(&s->ctx->lock);
}

void leat_save_as_hadoop_files_at(struct leat_stream *s, const char *prefix, const char *suffix,
                                  const struct leat_option *options, size_t count,
                                  const char *where)
{
    static const char what[] = "leat_save_as_hadoop_files";

    if (!s || !stream_begin(s, where, what))
        return;
    struct leat_context *ctx = s->ctx;
    struct leat_node *format = stream_map(ctx, where), *given = stream_map(ctx, where);
    struct stream_output *o = save(s, "save_as_hadoop_files", prefix, suffix, where);
    stream_put_options(ctx, where, what, NULL, given, NULL, options, count);
    stream_put(format, "sequence_file", given);
    if (o)
        stream_put(o->sink, "format", format);
    pthread_mutex_unlock(&ctx->lock);
}
