/*
 * file_stream.c - file streams: lines of files, each file in the batch of the time of its last
 * change. The rule is the connector's (`files` with `select`); here is only the program's filter.
 */
#include "stream.h"

#include "base/module.h"

#include <inttypes.h>
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

/* `length`: of the records that a file consists of; 0: these are lines. */
static struct leat_stream *file_stream(struct leat_context *ctx, const char *directory,
                                       leat_path_function *filter, void *arg, bool new_files_only,
                                       int64_t length, const char *where, const char *what)
{
    char path[4096], bytes[24], longest[24];

    if (!ctx)
        return NULL;
    if (!directory || !directory[0] || !path_of(directory, path, sizeof path)) {
        mistake(ctx, where, what,
                directory && directory[0] ? "the path is too long" : "without a directory");
        return &ctx->broken;
    }
    snprintf(bytes, sizeof bytes, "%" PRId64, length);
    snprintf(longest, sizeof longest, "%" PRId64 "KiB", length / 1024 + 1);
    const struct leat_option options[] = {{"path", path},
                                          {"select", new_files_only ? "new" : "recent"},
                                          {"format.raw.length", bytes}};
    struct leat_stream *s = leat_source_stream_at(ctx, "files", options, length ? 3 : 2, where);
    pthread_mutex_lock(&ctx->lock);
    if (length && s->source)
        stream_put_path(ctx, where, s->source, "max_record", longest);
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
    return file_stream(ctx, directory, filter, arg, new_files_only, 0, where, "leat_file_stream");
}

struct leat_stream *leat_text_file_stream_at(struct leat_context *ctx, const char *directory,
                                             const char *where)
{
    return file_stream(ctx, directory, NULL, NULL, true, 0, where, "leat_text_file_stream");
}

struct leat_stream *leat_binary_records_stream_at(struct leat_context *ctx, const char *directory,
                                                  int64_t record_length, const char *where)
{
    static const char what[] = "leat_binary_records_stream";

    if (!ctx)
        return NULL;
    if (record_length < 1 || record_length > LEAT_RECORD_LENGTH_MAX) {
        mistake(ctx, where, what, "a record has 1 to 268435456 bytes");
        return &ctx->broken;
    }
    return file_stream(ctx, directory, NULL, NULL, true, record_length, where, what);
}
