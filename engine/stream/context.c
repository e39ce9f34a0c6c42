/*
 * context.c - the life of a context: settings, start, stop, waiting for the end.
 *
 * One lock per context; no function of the user runs under it. The job tells its end through
 * job_ended(), on its own thread; it is joined once, by whoever waits first.
 */
#include "stream.h"

#include "base/mem.h"
#include "base/module.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* How many functions of users the thread is in, beside those of operators (expr/watch.h). */
static _Thread_local unsigned inside;

void stream_enter(void)
{
    inside++;
}

void stream_leave(void)
{
    inside--;
}

bool stream_is_within(void)
{
    return inside > 0 || leat_watch_is_inside();
}

void stream_mistake(struct leat_context *ctx, const char *where, enum leat_status status,
                    const char *fmt, ...)
{
    char text[400];
    va_list args;

    if (ctx->error.status != LEAT_OK)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)leat_fail(&ctx->error, status, "%s: %s", where ? where : "?", text);
}

void *stream_alloc(struct leat_context *ctx, size_t size)
{
    void *p = leat_arena_alloc(&ctx->arena, size);

    if (!p)
        stream_mistake(ctx, "", LEAT_E_NOMEM, "out of memory");
    return p;
}

bool stream_open(struct leat_context *ctx, const char *where, const char *what)
{
    if (ctx->state == LEAT_INITIALIZED)
        return true;
    stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: the context has %s", what,
                   ctx->state == LEAT_ACTIVE ? "been started" : "stopped");
    return false;
}

static bool init_sync(struct leat_context *ctx)
{
    pthread_condattr_t attr;

    if (pthread_condattr_init(&attr) != 0)
        return false;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    bool ok = pthread_cond_init(&ctx->changed, &attr) == 0;
    pthread_condattr_destroy(&attr);
    if (ok && pthread_mutex_init(&ctx->lock, NULL) != 0) {
        pthread_cond_destroy(&ctx->changed);
        ok = false;
    }
    return ok;
}

struct leat_context *leat_context_new_at(const char *name, int64_t batch_ms, const char *where)
{
    struct leat_context *ctx = leat_mem_alloc(sizeof *ctx);
    char every[40];

    if (!ctx)
        return NULL;
    if (!init_sync(ctx)) {
        leat_mem_free(ctx);
        return NULL;
    }
    ctx->streams_end = &ctx->streams;
    ctx->outputs_end = &ctx->outputs;
    ctx->broken = (struct leat_stream){.ctx = ctx, .where = where, .name = LEAT_LIT("?")};
    ctx->diags.arena = &ctx->arena;
    ctx->root = stream_map(ctx, where);
    snprintf(every, sizeof every, "%" PRId64 "ms", batch_ms);
    stream_put(ctx->root, "leat", stream_text(ctx, where, "1"));
    stream_put(ctx->root, "name", stream_text(ctx, where, name ? name : ""));
    stream_put_path(ctx, where, ctx->root, "batch.every", every);
    return ctx;
}

static bool is_setting(const char *path)
{
    static const char *const first[] = {"description", "delivery",   "memory", "partitions",
                                        "batch",       "checkpoint", "commit", "on_error"};
    struct leat_slice head, rest;

    leat_slice_cut(leat_slice_str(path), '.', &head, &rest);
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        if (leat_slice_eq(head, leat_slice_str(first[i])))
            return true;
    return false;
}

static void set_threads(struct leat_context *ctx, const char *value, const char *where)
{
    const char *why = "";

    if (!leat_parse_int(leat_slice_str(value), &ctx->threads, &why) || ctx->threads < 0 ||
        ctx->threads > 1024)
        stream_mistake(ctx, where, LEAT_E_CONFIG, "threads: '%s' is no number from 0 to 1024",
                       value);
}

static void set_modules(struct leat_context *ctx, const char *folder, const char *where)
{
    struct leat_slice copy = {0};

    if (!folder[0] || strlen(folder) >= PATH_MAX)
        stream_mistake(ctx, where, LEAT_E_CONFIG, "modules: the path of a folder is due");
    else if (!(copy = leat_arena_copy(&ctx->arena, leat_slice_str(folder))).ptr)
        stream_mistake(ctx, where, LEAT_E_NOMEM, "out of memory");
    else
        ctx->modules = copy.ptr;
}

void leat_set_at(struct leat_context *ctx, const char *path, const char *value, const char *where)
{
    if (!ctx)
        return;
    pthread_mutex_lock(&ctx->lock);
    if (!path || !value)
        stream_mistake(ctx, where, LEAT_E_MISUSE, "leat_set: without a path or a value");
    else if (!stream_open(ctx, where, "leat_set"))
        ; /* said */
    else if (strcmp(path, "threads") == 0)
        set_threads(ctx, value, where);
    else if (strcmp(path, "modules") == 0)
        set_modules(ctx, value, where);
    else if (!is_setting(path))
        stream_mistake(ctx, where, LEAT_E_CONFIG, "leat_set: unknown setting '%s'", path);
    else
        stream_put_path(ctx, where, ctx->root, path, value);
    if (path && value && strcmp(path, "checkpoint.dir") == 0)
        ctx->keeps = true;
    pthread_mutex_unlock(&ctx->lock);
}

enum leat_status leat_context_error(struct leat_context *ctx, struct leat_error *err)
{
    if (!ctx)
        return leat_fail(err, LEAT_E_MISUSE, "there is no context");
    pthread_mutex_lock(&ctx->lock);
    *err = ctx->error;
    pthread_mutex_unlock(&ctx->lock);
    return err->status;
}

enum leat_context_state leat_get_state(struct leat_context *ctx)
{
    enum leat_context_state state = LEAT_STOPPED;

    if (!ctx)
        return state;
    pthread_mutex_lock(&ctx->lock);
    state = ctx->ended ? LEAT_STOPPED : ctx->state;
    pthread_mutex_unlock(&ctx->lock);
    return state;
}

/* ---- start */

static void ended(struct leat_context *ctx)
{
    pthread_mutex_lock(&ctx->lock);
    ctx->ended = true;
    pthread_cond_broadcast(&ctx->changed);
    pthread_mutex_unlock(&ctx->lock);
}

/* Listeners hear the rest first. */
static void job_ended(void *arg)
{
    if (!stream_listeners_over(arg))
        ended(arg);
}

/* What the planner found first. */
static enum leat_status first_diag(const struct leat_diags *diags, struct leat_error *err)
{
    const struct leat_diag *d = diags->first;

    if (diags->no_memory)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    while (d && d->severity != LEAT_SEVERITY_ERROR)
        d = d->next;
    if (!d)
        return leat_fail(err, LEAT_E_CONFIG, "the graph is wrong");
    return leat_fail(err, LEAT_E_CONFIG, "%.*s%s%.*s%s%.*s%s%.*s", LEAT_FMT(d->path),
                     d->path.len ? ": " : "", LEAT_FMT(d->option), d->option.len ? ": " : "",
                     LEAT_FMT(d->text), d->hint.len ? "; " : "", LEAT_FMT(d->hint));
}

static enum leat_status make_plan_with_modules(struct leat_context *ctx, struct leat_error *err)
{
    ctx->spec.file = "program";
    leat_spec_read(ctx->root, &ctx->spec, &ctx->arena, &ctx->diags);
    for (struct leat_spec_sink *s = ctx->spec.sinks; s; s = s->next)
        if (leat_slice_eq(s->connector.name, LEAT_LIT("foreach_rdd")))
            s->format.name = LEAT_LIT("_values");
    if (ctx->diags.errors || ctx->diags.no_memory)
        return first_diag(&ctx->diags, err);
    if (stream_find_intervals(ctx, err) != LEAT_OK)
        return err->status;
    ctx->plan = leat_plan_build(&ctx->spec, &ctx->diags);
    if (!ctx->plan)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    if (ctx->diags.errors || ctx->diags.no_memory)
        return first_diag(&ctx->diags, err);
    return LEAT_OK;
}

static enum leat_status make_plan(struct leat_context *ctx, struct leat_error *err)
{
    char modules[PATH_MAX];

    stream_kept_outputs(ctx);
    stream_assemble(ctx);
    if (ctx->error.status != LEAT_OK) {
        *err = ctx->error;
        return err->status;
    }
    stream_find_modules(ctx, modules);
    enum leat_status status = make_plan_with_modules(ctx, err);
    leat_modules_from(NULL);
    return status;
}

static enum leat_status make_dir(struct leat_context *ctx, struct leat_error *err)
{
    const char *tmp = getenv("TMPDIR");

    if (ctx->keeps)
        return LEAT_OK;
    int n = snprintf(ctx->dir, sizeof ctx->dir, "%s/leat-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (n >= (int)sizeof ctx->dir)
        snprintf(ctx->dir, sizeof ctx->dir, "/tmp/leat-XXXXXX");
    if (mkdtemp(ctx->dir))
        return LEAT_OK;
    enum leat_status status =
        leat_fail(err, LEAT_E_IO, "cannot make the directory '%s': %s", ctx->dir, strerror(errno));
    ctx->dir[0] = '\0';
    return status;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static void remove_dir(struct leat_context *ctx)
{
    if (ctx->dir[0])
        nftw(ctx->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    ctx->dir[0] = '\0';
}

/* Those whose contents end with the program. */
static bool has_queues(const struct leat_context *ctx)
{
    const struct stream_queue *q = ctx->queues;

    while (q && q->fixed)
        q = q->next;
    return q;
}

static enum leat_status start(struct leat_context *ctx, struct leat_error *err)
{
    struct leat_job_options options = {.threads = (uint32_t)ctx->threads, .clock = ctx->clock};

    if (ctx->error.status != LEAT_OK) {
        *err = ctx->error;
        return err->status;
    }
    if (!ctx->outputs)
        return leat_fail(err, LEAT_E_CONFIG,
                         "no output: nothing would be done; add leat_print() or another");
    if (ctx->keeps && has_queues(ctx) && !ctx->queues_last)
        return leat_fail(err, LEAT_E_CONFIG,
                         "a queue stream cannot be made again from a checkpoint");
    const struct leat_node *delivery = leat_node_find(ctx->root, "delivery");
    if (has_queues(ctx) && delivery && leat_slice_eq(delivery->text, LEAT_LIT("exactly_once")))
        return leat_fail(err, LEAT_E_CONFIG,
                         "a queue stream cannot be part of 'delivery: exactly_once'");
    if (stream_receivers_check(ctx, err) != LEAT_OK || make_plan(ctx, err) != LEAT_OK ||
        make_dir(ctx, err) != LEAT_OK)
        return err->status;
    if (stream_listeners_start(ctx, ended, err) != LEAT_OK)
        return err->status;
    options.watch = &ctx->watch;
    options.state_dir = ctx->keeps ? NULL : ctx->dir;
    return leat_job_start(ctx->plan, &options, job_ended, ctx, &ctx->job, err);
}

enum leat_status leat_start(struct leat_context *ctx, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    if (!ctx)
        return leat_fail(err, LEAT_E_MISUSE, "there is no context");
    pthread_mutex_lock(&ctx->lock);
    if (ctx->state == LEAT_STOPPED) {
        status = leat_fail(err, LEAT_E_MISUSE, "the context has stopped; make a new one");
    } else if (ctx->state == LEAT_INITIALIZED) {
        status = start(ctx, err);
        ctx->state = status == LEAT_OK ? LEAT_ACTIVE : LEAT_STOPPED;
        ctx->ended = ctx->joined = status != LEAT_OK;
        if (status != LEAT_OK) {
            ctx->result = *err;
            stream_listeners_join(ctx, true);
            remove_dir(ctx);
        }
    }
    pthread_mutex_unlock(&ctx->lock);
    return status;
}

/* ---- the end */

/* Lock: held. Until *until (NULL: for ever) or `done` says so. */
static bool wait_until(struct leat_context *ctx, bool (*done)(const struct leat_context *ctx),
                       const struct timespec *until)
{
    while (!ctx->ended && !done(ctx)) {
        if (!until)
            pthread_cond_wait(&ctx->changed, &ctx->lock);
        else if (pthread_cond_timedwait(&ctx->changed, &ctx->lock, until) == ETIMEDOUT)
            return ctx->ended || done(ctx);
    }
    return true;
}

static bool never(const struct leat_context *ctx)
{
    (void)ctx;
    return false;
}

static bool is_worked_off(const struct leat_context *ctx)
{
    return stream_receivers_are_drained(ctx) && stream_queues_are_empty(ctx);
}

/* Lock: held; it has ended. */
static enum leat_status result(struct leat_context *ctx, struct leat_error *err)
{
    if (!ctx->joined) {
        ctx->joined = true;
        if (leat_job_join(ctx->job, &ctx->result) == LEAT_OK)
            ctx->result.status = LEAT_OK;
        stream_listeners_join(ctx, false);
        ctx->state = LEAT_STOPPED;
        remove_dir(ctx);
    }
    *err = ctx->result;
    return err->status;
}

enum leat_status leat_stop(struct leat_context *ctx, bool graceful, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    if (!ctx)
        return leat_fail(err, LEAT_E_MISUSE, "there is no context");
    pthread_mutex_lock(&ctx->lock);
    if (ctx->state == LEAT_INITIALIZED) {
        ctx->state = LEAT_STOPPED;
        ctx->ended = ctx->joined = true;
    } else if (stream_is_within()) {
        if (ctx->job && !ctx->ended)
            leat_job_ask_stop(ctx->job);
    } else {
        if (graceful && !ctx->ended) {
            stream_receivers_end(ctx);
            wait_until(ctx, is_worked_off, NULL);
        }
        if (!ctx->ended)
            leat_job_ask_stop(ctx->job);
        wait_until(ctx, never, NULL);
        status = result(ctx, err);
    }
    pthread_mutex_unlock(&ctx->lock);
    return status;
}

enum leat_status leat_await_termination_or_timeout(struct leat_context *ctx, int64_t timeout_ms,
                                                   bool *ended, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;
    struct timespec until;
    bool unused;

    ended = ended ? ended : &unused;
    *ended = false;
    if (!ctx)
        return leat_fail(err, LEAT_E_MISUSE, "there is no context");
    if (stream_is_within())
        return leat_fail(err, LEAT_E_MISUSE, "a function of the context cannot wait for its end");
    clock_gettime(CLOCK_MONOTONIC, &until);
    if (timeout_ms > INT32_MAX)
        timeout_ms = INT32_MAX;
    timeout_ms = timeout_ms > 0 ? timeout_ms : 0;
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&ctx->lock);
    if (ctx->state == LEAT_INITIALIZED)
        status = leat_fail(err, LEAT_E_MISUSE, "the context has not been started");
    else if (wait_until(ctx, never, &until)) {
        *ended = true;
        status = result(ctx, err);
    }
    pthread_mutex_unlock(&ctx->lock);
    return status;
}

enum leat_status leat_await_termination(struct leat_context *ctx, struct leat_error *err)
{
    bool ended = false;

    while (!ended) {
        enum leat_status status = leat_await_termination_or_timeout(ctx, INT32_MAX, &ended, err);
        if (status != LEAT_OK)
            return status;
    }
    return LEAT_OK;
}

void leat_context_free(struct leat_context *ctx)
{
    struct leat_error err;

    if (!ctx || stream_is_within())
        return;
    (void)!leat_stop(ctx, false, &err);
    leat_job_free(ctx->job);
    leat_plan_free(ctx->plan);
    stream_queues_free(ctx);
    stream_receivers_free(ctx);
    stream_listeners_free(ctx);
    stream_progress_free(ctx);
    stream_kept_free(ctx);
    leat_arena_reset(&ctx->arena);
    pthread_cond_destroy(&ctx->changed);
    pthread_mutex_destroy(&ctx->lock);
    leat_mem_free(ctx);
}
