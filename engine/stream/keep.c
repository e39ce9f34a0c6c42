/*
 * keep.c - contexts that go on from a directory.
 */
#include "stream.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define SEGMENT ".leatlog"

/* Has a job written there? */
static enum leat_status look_into(const char *dir, bool *has_log, struct leat_error *err)
{
    char path[PATH_MAX];

    *has_log = false;
    if (snprintf(path, sizeof path, "%s/log", dir) >= (int)sizeof path)
        return leat_fail(err, LEAT_E_CONFIG, "the name of the directory is too long");
    DIR *d = opendir(path);
    if (!d)
        return errno == ENOENT ? LEAT_OK
                               : leat_fail(err, LEAT_E_IO, "'%.300s': %s", path, strerror(errno));
    for (const struct dirent *e; (e = readdir(d));) {
        size_t len = strlen(e->d_name), end = sizeof SEGMENT - 1;
        *has_log = *has_log || (len > end && strcmp(e->d_name + len - end, SEGMENT) == 0);
    }
    closedir(d);
    return LEAT_OK;
}

/* Lock: held. */
static enum leat_status take_dir(struct leat_context *ctx, const char *dir, const char *what,
                                 struct leat_error *err)
{
    const struct leat_node *set = leat_node_find(leat_node_find(ctx->root, "checkpoint"), "dir");

    if (ctx->state != LEAT_INITIALIZED)
        return leat_fail(err, LEAT_E_MISUSE,
                         "the context was started by the function that makes it");
    if (set && !leat_slice_eq(set->text, leat_slice_str(dir)))
        return leat_fail(err, LEAT_E_CONFIG,
                         "the function that makes the context has set another directory, '%.*s'",
                         LEAT_FMT(set->text));
    stream_put_path(ctx, what, ctx->root, "checkpoint.dir", dir);
    ctx->keeps = true;
    return LEAT_OK;
}

static enum leat_status check(const char *dir, leat_create_function *create,
                              struct leat_context **ctx, bool *has_log, struct leat_error *err)
{
    if (!ctx)
        return leat_fail(err, LEAT_E_MISUSE, "there is no place for the context");
    *ctx = NULL;
    if (!dir || !*dir || !create)
        return leat_fail(err, LEAT_E_MISUSE, "without a directory or a function");
    return look_into(dir, has_log, err);
}

static enum leat_status make(const char *dir, leat_create_function *create, void *arg,
                             const char *what, struct leat_context **ctx, struct leat_error *err)
{
    *ctx = create(arg);
    if (!*ctx)
        return leat_fail(err, LEAT_E_MISUSE, "the function that makes the context gave none");
    pthread_mutex_lock(&(*ctx)->lock);
    enum leat_status status = take_dir(*ctx, dir, what, err);
    pthread_mutex_unlock(&(*ctx)->lock);
    return status;
}

enum leat_status leat_context_get_or_create(const char *dir, leat_create_function *create,
                                            void *arg, struct leat_context **ctx, bool *goes_on,
                                            struct leat_error *err)
{
    bool has_log = false;

    if (check(dir, create, ctx, &has_log, err) != LEAT_OK)
        return err->status;
    if (goes_on)
        *goes_on = has_log;
    return make(dir, create, arg, "leat_context_get_or_create", ctx, err);
}

enum leat_status leat_context_go_on(const char *dir, leat_create_function *create, void *arg,
                                    struct leat_context **ctx, struct leat_error *err)
{
    bool has_log = false;

    if (check(dir, create, ctx, &has_log, err) != LEAT_OK)
        return err->status;
    if (!has_log)
        return leat_fail(err, LEAT_E_LOST,
                         "nothing to go on from is in '%.300s'; leat_context_get_or_create() may "
                         "begin anew",
                         dir);
    return make(dir, create, arg, "leat_context_go_on", ctx, err);
}
