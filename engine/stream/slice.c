/*
 * slice.c - batches of a stream that are kept for a while, and looked at from outside.
 *
 * A stream that is kept has an output of its own behind those of the program, which copies what a
 * batch gave. Lock: the context's, for the list; who looks at a batch holds a reference.
 */
#include "stream.h"

#include "base/mem.h"
#include "data/value_ops.h"

#include <inttypes.h>
#include <string.h>

struct kept_batch {
    struct kept_batch *next;
    unsigned refs;
    int64_t time_ms;
    size_t count, len;
    char bytes[]; /* pairs, encoded as lists of two */
};

struct stream_kept {
    struct stream_kept *next;
    struct leat_stream *of;
    const char *where;
    struct kept_batch *first, *last;
    int64_t began_ms; /* the time of the first batch; -1: there was none */
    int64_t gone_ms;  /* batches up to here are; -1: none is */
};

/* ---- builders */

static bool is_level(const char *level)
{
    return strcmp(level, "MEMORY_ONLY") == 0 || strcmp(level, "MEMORY_ONLY_SER") == 0;
}

struct leat_stream *leat_persist_at(struct leat_stream *s, const char *level, const char *where)
{
    static const char what[] = "leat_persist";

    if (!s || !stream_begin(s, where, what))
        return s;
    struct leat_context *ctx = s->ctx;
    struct stream_kept *k = ctx->kept;
    if (level && !is_level(level))
        stream_mistake(ctx, where, LEAT_E_CONFIG,
                       "%s: '%.40s' is not MEMORY_ONLY or MEMORY_ONLY_SER; what has to outlast the "
                       "process is written by an output",
                       what, level);
    while (k && k->of != s)
        k = k->next;
    if (!k && (k = stream_alloc(ctx, sizeof *k))) {
        *k = (struct stream_kept){
            .next = ctx->kept, .of = s, .where = where, .began_ms = -1, .gone_ms = -1};
        ctx->kept = k;
    }
    pthread_mutex_unlock(&ctx->lock);
    return s;
}

void leat_remember_at(struct leat_context *ctx, int64_t duration_ms, const char *where)
{
    static const char what[] = "leat_remember";

    if (!ctx)
        return;
    pthread_mutex_lock(&ctx->lock);
    if (duration_ms <= 0)
        stream_mistake(ctx, where, LEAT_E_CONFIG, "%s: %" PRId64 " ms is no duration", what,
                       duration_ms);
    else if (ctx->remember_ms && stream_open(ctx, where, what))
        stream_mistake(ctx, where, LEAT_E_MISUSE, "%s: %" PRId64 " ms have been set already", what,
                       ctx->remember_ms);
    else if (stream_open(ctx, where, what))
        ctx->remember_ms = duration_ms;
    pthread_mutex_unlock(&ctx->lock);
}

/* ---- keeping */

/* Lock: held, for all of these. */
static void unref(struct kept_batch *b)
{
    if (--b->refs == 0)
        leat_mem_free(b);
}

static void drop_first(struct stream_kept *k)
{
    struct kept_batch *b = k->first;

    k->gone_ms = b->time_ms;
    k->first = b->next;
    if (!k->first)
        k->last = NULL;
    unref(b);
}

static void append(struct stream_kept *k, struct kept_batch *b)
{
    int64_t remember_ms = k->of->remember_ms;

    if (k->began_ms < 0)
        k->began_ms = b->time_ms;
    *(k->last ? &k->last->next : &k->first) = b;
    k->last = b;
    while (k->first != b && k->first->time_ms <= b->time_ms - remember_ms)
        drop_first(k);
}

static struct kept_batch *copy_of(const struct leat_rdd *rdd)
{
    struct leat_arena arena = {0};
    struct leat_bytes bytes = {.arena = &arena};
    struct kept_batch *b = NULL;

    for (size_t i = 0; i < rdd->count; i++) {
        const struct leat_value two[2] = {rdd->rows[i].key, rdd->rows[i].value};
        leat_value_encode((struct leat_value){.tag = LEAT_LIST, .len = 2, .as.items = two}, &bytes);
    }
    if (!bytes.failed)
        b = leat_mem_alloc(sizeof *b + bytes.len);
    if (b) {
        b->refs = 1;
        b->time_ms = rdd->time_ms;
        b->count = rdd->count;
        b->len = bytes.len;
        if (bytes.len)
            memcpy(b->bytes, bytes.ptr, bytes.len);
    }
    leat_arena_reset(&arena);
    return b;
}

/* Thread: the output's. A batch whose other outputs are tried again comes again. */
static enum leat_status keep(const struct leat_rdd *rdd, void *arg, struct leat_error *err)
{
    struct stream_kept *k = arg;

    pthread_mutex_lock(&k->of->ctx->lock);
    bool known = k->last && k->last->time_ms >= rdd->time_ms;
    pthread_mutex_unlock(&k->of->ctx->lock);
    if (known)
        return LEAT_OK;
    struct kept_batch *b = copy_of(rdd);
    if (!b)
        return leat_fail(err, LEAT_E_NOMEM, "no memory to keep a batch");
    pthread_mutex_lock(&k->of->ctx->lock);
    append(k, b);
    pthread_mutex_unlock(&k->of->ctx->lock);
    return LEAT_OK;
}

void stream_kept_outputs(struct leat_context *ctx)
{
    for (struct stream_kept *k = ctx->kept; k; k = k->next) {
        struct stream_output *o = stream_foreach(k->of, k->where, keep, k);
        if (o)
            o->is_kept = true;
    }
}

void stream_kept_free(struct leat_context *ctx)
{
    for (struct stream_kept *k = ctx->kept; k; k = k->next)
        while (k->first)
            drop_first(k);
}

/* ---- looking */

static enum leat_status show(const struct kept_batch *b, leat_rdd_function *fn, void *arg,
                             struct leat_error *err)
{
    struct leat_arena arena = {0};
    struct leat_slice rest = {b->bytes, b->len};
    struct leat_pair *rows = leat_arena_array(&arena, b->count ? b->count : 1, sizeof *rows);
    enum leat_status status = rows ? LEAT_OK : leat_fail(err, LEAT_E_NOMEM, "out of memory");

    for (size_t i = 0; i < b->count && status == LEAT_OK; i++) {
        struct leat_value two;
        status = leat_value_decode(&rest, &arena, &two, err);
        if (status == LEAT_OK)
            rows[i] = (struct leat_pair){two.as.items[0], two.as.items[1]};
    }
    if (status == LEAT_OK) {
        const struct leat_rdd rdd = {b->time_ms, rows, b->count};
        status = fn(&rdd, arg, err);
    }
    leat_arena_reset(&arena);
    return status;
}

/* Time goes by batches: one between two of a stream's means the first of them. Lock: held. */
static int64_t begin_of(const struct leat_stream *s, int64_t time_ms)
{
    return time_ms > 0 && s->every_ms > 0 ? time_ms - time_ms % s->every_ms : time_ms;
}

/* Lock: held. */
static enum leat_status find(const struct leat_stream *s, int64_t from_ms, int64_t to_ms,
                             const struct stream_kept **kept, struct leat_error *err)
{
    const struct stream_kept *k = s->ctx->kept;

    if (s->ctx->state == LEAT_INITIALIZED)
        return leat_fail(err, LEAT_E_MISUSE,
                         "the stream '%.*s' has not been initialized: leat_start() comes first",
                         LEAT_FMT(s->name));
    while (k && k->of != s)
        k = k->next;
    if (!k)
        return leat_fail(err, LEAT_E_MISUSE, "batches of this stream are not kept: leat_persist()");
    if (k->gone_ms >= 0 && from_ms <= k->gone_ms && to_ms >= k->began_ms)
        return leat_fail(err, LEAT_E_LOST,
                         "batches up to %" PRId64 " are not kept any more: leat_remember()",
                         k->gone_ms);
    *kept = k;
    return LEAT_OK;
}

/* A list of those in [from, to], each with a reference. Lock: held. */
static struct kept_batch **collect(const struct stream_kept *k, int64_t from_ms, int64_t to_ms,
                                   size_t *count)
{
    const struct kept_batch *first = k->first, *end;
    struct kept_batch **list;
    size_t n = 0;

    while (first && first->time_ms < from_ms)
        first = first->next;
    for (end = first; end && end->time_ms <= to_ms; end = end->next)
        n++;
    *count = n;
    list = leat_mem_alloc((n + 1) * sizeof *list);
    n = 0;
    for (struct kept_batch *b = k->first; list && n < *count; b = b->next)
        if (b->time_ms >= from_ms) {
            b->refs++;
            list[n++] = b;
        }
    return list;
}

enum leat_status leat_slice_batches(struct leat_stream *s, int64_t from_ms, int64_t to_ms,
                                    leat_rdd_function *fn, void *arg, struct leat_error *err)
{
    const struct stream_kept *k = NULL;
    struct kept_batch **list = NULL;
    size_t count = 0;

    if (!s || !fn || from_ms > to_ms)
        return leat_fail(err, LEAT_E_MISUSE, "without a stream, a function, or a time in between");
    pthread_mutex_lock(&s->ctx->lock);
    from_ms = begin_of(s, from_ms);
    enum leat_status status = find(s, from_ms, to_ms, &k, err);
    if (status == LEAT_OK && !(list = collect(k, from_ms, to_ms, &count)))
        status = leat_fail(err, LEAT_E_NOMEM, "out of memory");
    pthread_mutex_unlock(&s->ctx->lock);
    for (size_t i = 0; list && i < count; i++) {
        if (status == LEAT_OK)
            status = show(list[i], fn, arg, err);
        pthread_mutex_lock(&s->ctx->lock);
        unref(list[i]);
        pthread_mutex_unlock(&s->ctx->lock);
    }
    leat_mem_free(list);
    return status;
}
