/*
 * inputs.c - sources that are connectors of a pipeline file.
 */
#include "stream.h"

#include <stdio.h>

/* Of every source, and not of the connector. */
static bool is_of_source(const char *option)
{
    return strcmp(option, "format") == 0 || strncmp(option, "format.", 7) == 0 ||
           strncmp(option, "time.", 5) == 0;
}

struct leat_stream *leat_source_stream_at(struct leat_context *ctx, const char *connector,
                                          const struct leat_option *options, size_t count,
                                          const char *where)
{
    static const char what[] = "leat_source_stream";

    if (!ctx)
        return NULL;
    pthread_mutex_lock(&ctx->lock);
    struct leat_stream *s = stream_add(ctx, where, what);
    struct leat_node *part = stream_map(ctx, where), *given = stream_map(ctx, where),
                     *name = stream_text(ctx, where, connector ? connector : "");
    if (!connector)
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: without a connector", what);
    stream_put_options(ctx, where, what, part, given, is_of_source, options, count);
    if (s != &ctx->broken && name) {
        stream_put(part, name->text.ptr, given);
        s->source = part;
    }
    pthread_mutex_unlock(&ctx->lock);
    return s;
}

struct leat_stream *leat_socket_text_stream_at(struct leat_context *ctx, const char *host, int port,
                                               const char *where)
{
    char peer[300];

    if (!ctx)
        return NULL;
    if (!host || strlen(host) > 255 || port < 1 || port > 65535) {
        pthread_mutex_lock(&ctx->lock);
        stream_mistake(ctx, where, LEAT_E_CONFIG,
                       "leat_socket_text_stream: a host and a port from 1 to 65535 are due");
        pthread_mutex_unlock(&ctx->lock);
        return &ctx->broken;
    }
    snprintf(peer, sizeof peer, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
    const struct leat_option options[] = {{"connect", peer}};
    return leat_source_stream_at(ctx, "socket", options, 1, where);
}
