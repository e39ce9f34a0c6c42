/*
 * intervals.c - what follows from the lengths of batches and windows: how often a stream comes, how
 * often what it remembers is written as a whole, how long its batches are kept; and what of that
 * does not fit together. The rules are Spark's.
 *
 * Lock: the context's held, for all but the builder.
 */
#include "stream.h"

#include <inttypes.h>

/* A stream that has to be checkpointed is, in Spark, if nobody says how often: */
#define STATE_MS       10000 /* in its first multiple from there on */
#define MAPPED_BATCHES 10

#define LONGEST_MS (INT64_MAX / 32) /* of what is multiplied here */

struct leat_stream *leat_checkpoint_every_at(struct leat_stream *s, int64_t interval_ms,
                                             const char *where)
{
    static const char what[] = "leat_checkpoint_every";

    if (!s || !stream_begin(s, where, what))
        return s;
    struct leat_context *ctx = s->ctx;
    struct leat_stream *keeps = s->keeps_options ? s->from[0] : s;
    if (interval_ms <= 0)
        stream_mistake(ctx, where, LEAT_E_CONFIG, "%s: %" PRId64 " ms is no interval", what,
                       interval_ms);
    keeps->checkpoint_ms = interval_ms;
    keeps->checkpoint_where = where;
    pthread_mutex_unlock(&ctx->lock);
    return s;
}

struct leat_stream *stream_has_window(struct leat_stream *s, int64_t size_ms, int64_t slide_ms)
{
    pthread_mutex_lock(&s->ctx->lock);
    if (s != &s->ctx->broken) {
        s->window_ms = size_ms > 0 ? size_ms : 0;
        s->slide_ms = slide_ms > LONGEST_MS ? LONGEST_MS : slide_ms > 0 ? slide_ms : 0;
    }
    pthread_mutex_unlock(&s->ctx->lock);
    return s;
}

struct leat_stream *stream_remembers(struct leat_stream *s, enum stream_memory memory)
{
    pthread_mutex_lock(&s->ctx->lock);
    if (s != &s->ctx->broken)
        s->memory = memory;
    pthread_mutex_unlock(&s->ctx->lock);
    return s;
}

/* ---- how often it comes */

static enum leat_status tell_apart(const struct leat_stream *s, const struct leat_stream *a,
                                   const struct leat_stream *b, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CONFIG,
                     "%s: streams that come at different times: '%.*s' every %" PRId64
                     " ms, '%.*s' every %" PRId64 " ms; windows with the same slide go together",
                     s->where, LEAT_FMT(a->name), a->every_ms, LEAT_FMT(b->name), b->every_ms);
}

/* After those that it is made of. */
static void find_every(struct leat_stream *s)
{
    const struct leat_stream *first = s->from[0];

    if (s->every_ms)
        return;
    for (int i = 0; i < 2; i++)
        if (s->from[i])
            find_every(s->from[i]);
    for (const struct stream_with *w = s->with; w; w = w->next)
        find_every(w->of);
    s->every_ms = s->slide_ms ? s->slide_ms : first ? first->every_ms : s->ctx->spec.batch.every.ms;
    s->timed = first ? first->timed : s->source && leat_node_find(s->source, "time");
}

/* With times of their own windows come when time has come that far, whatever batch that is in. */
static enum leat_status check_every(const struct leat_stream *s, struct leat_error *err)
{
    const struct leat_stream *first = s->from[0], *second = s->from[1];

    if (second && !s->timed && second->every_ms != first->every_ms)
        return tell_apart(s, first, second, err);
    for (const struct stream_with *w = s->with; w && !s->timed; w = w->next)
        if (w->of->every_ms != first->every_ms)
            return tell_apart(s, first, w->of, err);
    return LEAT_OK;
}

/* ---- how often all of it is written */

static enum leat_status find_checkpoint(struct leat_stream *s, struct leat_error *err)
{
    int64_t ms = s->checkpoint_ms, remember_ms = s->ctx->remember_ms;

    if (!ms && s->memory == STREAM_REMEMBERS_STATE)
        s->checkpoint_ms = (STATE_MS + s->every_ms - 1) / s->every_ms * s->every_ms;
    if (!ms && s->memory == STREAM_REMEMBERS_MAPPED)
        s->checkpoint_ms = MAPPED_BATCHES * s->every_ms;
    if (!ms)
        return LEAT_OK;
    if (!s->ctx->keeps)
        return leat_fail(err, LEAT_E_CONFIG,
                         "%s: leat_checkpoint_every: the checkpoint directory has not been set; "
                         "leat_checkpoint() sets it",
                         s->checkpoint_where);
    if (ms % s->every_ms)
        return leat_fail(err, LEAT_E_CONFIG,
                         "%s: leat_checkpoint_every: %" PRId64 " ms are %s the %" PRId64
                         " ms that '%.*s' comes every; take a multiple of those",
                         s->checkpoint_where, ms, ms < s->every_ms ? "less than" : "no multiple of",
                         s->every_ms, LEAT_FMT(s->name));
    if (remember_ms && remember_ms <= ms)
        return leat_fail(err, LEAT_E_CONFIG,
                         "%s: leat_checkpoint_every: %" PRId64
                         " ms, but leat_remember() says %" PRId64
                         " ms: batches are remembered for longer than from one checkpoint to the "
                         "next",
                         s->checkpoint_where, ms, remember_ms);
    return LEAT_OK;
}

/* The job writes all states in turn: as often as the stream that wants it most often. */
static void set_snapshots(struct leat_context *ctx, const struct leat_stream *s)
{
    const struct leat_node *checkpoint = leat_node_find(ctx->root, "checkpoint");
    int64_t *every_ms = &ctx->spec.checkpoint.snapshot_every.ms;

    if (!s->wanted || !s->checkpoint_where)
        return;
    if (!ctx->snapshots_set && !leat_node_find(checkpoint, "snapshot_every"))
        *every_ms = s->checkpoint_ms;
    ctx->snapshots_set = true;
    *every_ms = s->checkpoint_ms < *every_ms ? s->checkpoint_ms : *every_ms;
}

/* ---- how long it is kept */

static int64_t sum_of(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

/* What a batch is made of is there as long as the batch: with a window, all that is in it. */
static void remember(struct leat_stream *s, int64_t ms)
{
    if (!s || ms <= s->remember_ms)
        return;
    s->remember_ms = ms;
    ms = sum_of(ms, s->window_ms);
    remember(s->from[0], ms);
    remember(s->from[1], ms);
    for (const struct stream_with *w = s->with; w; w = w->next)
        remember(w->of, ms);
}

static void remember_by_itself(struct leat_stream *s)
{
    bool is_long = s->checkpoint_ms >= s->every_ms;

    if (s->wanted)
        remember(s, is_long ? sum_of(s->checkpoint_ms, s->checkpoint_ms) : s->every_ms);
}

enum leat_status stream_find_intervals(struct leat_context *ctx, struct leat_error *err)
{
    for (struct leat_stream *s = ctx->streams; s; s = s->next) {
        find_every(s);
        if (check_every(s, err) != LEAT_OK || find_checkpoint(s, err) != LEAT_OK)
            return err->status;
        set_snapshots(ctx, s);
    }
    for (struct leat_stream *s = ctx->streams; s; s = s->next)
        remember_by_itself(s);
    for (const struct stream_output *o = ctx->outputs; o; o = o->next)
        remember(o->of, ctx->remember_ms);
    return LEAT_OK;
}
