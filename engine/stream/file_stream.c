/*
 * file_stream.c - file streams: lines of files, each file in the batch of the time of its last
 * change. The rule is the connector's (`files` with `select`); here is only the program's filter.
 */
#include "stream.h"

#include "base/module.h"

#include <stdio.h>

struct stream_paths {
    struct leat_path_filter filter; /* first */
    leat_path_function *fn;
    void *arg;
};

/* Thread: job */
static bool wants(const struct leat_path_filter *self, const char *path)
{
    const struct stream_paths *p = (const struct stream_paths *)(const void *)self;

    stream_enter();
    bool result = p->fn(path, p->arg);
    stream_leave();
    return result;
}

/* Of a pattern of directories, all that is in those. */
static bool path_of(const char *directory, char *into, size_t room)
{
    size_t len = strlen(directory);

    while (len > 1 && directory[len - 1] == '/')
        len--;
    int n = snprintf(into, room, "%.*s%s", (int)(len < room ? len : room), directory,
                     strpbrk(directory, "*?[") ? "/*" : "");
    return n > 0 && (size_t)n < room;
}

static void mistake(struct leat_context *ctx, const char *where, const char *what, const char *why)
{
    pthread_mutex_lock(&ctx->lock);
    stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: %s", what, why);
    pthread_mutex_unlock(&ctx->lock);
}

static struct leat_stream *file_stream(struct leat_context *ctx, const char *directory,
                                       leat_path_function *filter, void *arg, bool new_files_only,
                                       const char *where, const char *what)
{
    char path[4096];

    if (!ctx)
        return NULL;
    if (!directory || !directory[0] || !path_of(directory, path, sizeof path)) {
        mistake(ctx, where, what,
                directory && directory[0] ? "the path is too long" : "without a directory");
        return &ctx->broken;
    }
    const struct leat_option options[] = {{"path", path},
                                          {"select", new_files_only ? "new" : "recent"}};
    struct leat_stream *s = leat_source_stream_at(ctx, "files", options, 2, where);
    pthread_mutex_lock(&ctx->lock);
    struct stream_paths *paths = filter && s->source ? stream_alloc(ctx, sizeof *paths) : NULL;
    if (paths) {
        *paths = (struct stream_paths){{wants}, filter, arg};
        s->source->handed = &paths->filter;
    }
    pthread_mutex_unlock(&ctx->lock);
    return s;
}

struct leat_stream *leat_file_stream_at(struct leat_context *ctx, const char *directory,
                                        leat_path_function *filter, void *arg, bool new_files_only,
                                        const char *where)
{
    return file_stream(ctx, directory, filter, arg, new_files_only, where, "leat_file_stream");
}

struct leat_stream *leat_text_file_stream_at(struct leat_context *ctx, const char *directory,
                                             const char *where)
{
    return file_stream(ctx, directory, NULL, NULL, true, where, "leat_text_file_stream");
}
