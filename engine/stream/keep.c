/*
 * keep.c - contexts that go on from a directory.
 */
#include "stream.h"

#include "run/job_lock.h"

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
    return leat_job_dir_has_log(&leat_fs_posix, dir, has_log, err);
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
