/*
 * outputs.c - print, and a function of the program per batch.
 *
 * The function's sink collects what a batch gave and calls it in prepare: before the batch counts,
 * so that a failure keeps it from counting. Thread: the sink's.
 */
#include "stream.h"

#include "data/sink.h"
#include "data/value_ops.h"

struct foreach {
    struct leat_expression of; /* a node that hands a struct stream_output */

    struct leat_arena arena; /* of what has not been prepared */
    struct batch *first, *last;
};

/* `commit.every` may make several batches one. */
struct batch {
    struct batch *next;
    int64_t time_ms;
    struct leat_pair *rows;
    size_t count, room;
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct foreach, of, .optional = true, .help = "The function that is called."),
    {0},
};

static void drop(struct foreach *f)
{
    leat_arena_reset(&f->arena);
    f->first = f->last = NULL;
}

static enum leat_status foreach_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    (void)env, (void)err;
    drop(self);
    return LEAT_OK;
}

static enum leat_status foreach_recover(void *self, uint64_t n, struct leat_slice section,
                                        struct leat_error *err)
{
    (void)self, (void)n, (void)section, (void)err;
    return LEAT_OK;
}

static enum leat_status foreach_begin(void *self, uint64_t n, int64_t batch_time_ms,
                                      struct leat_error *err)
{
    struct foreach *f = self;
    struct batch *b = leat_arena_alloc(&f->arena, sizeof *b);

    (void)n;
    if (!b)
        return leat_arena_failed(&f->arena, err);
    b->time_ms = batch_time_ms;
    *(f->last ? &f->last->next : &f->first) = b;
    f->last = b;
    return LEAT_OK;
}

static bool grow(struct foreach *f, struct batch *b, size_t more)
{
    if (b->count + more <= b->room)
        return true;
    size_t room = 2 * b->room + more;
    struct leat_pair *rows = leat_arena_array(&f->arena, room, sizeof *rows);
    if (!rows)
        return false;
    if (b->count)
        memcpy(rows, b->rows, b->count * sizeof *rows);
    b->rows = rows;
    b->room = room;
    return true;
}

/* Rows are a value and a key, encoded; their text stays where it is until the commit. */
static enum leat_status foreach_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                      struct leat_error *err)
{
    struct foreach *f = self;
    struct batch *b = f->last;

    (void)n;
    if (!grow(f, b, chunk->selected))
        return leat_arena_failed(&f->arena, err);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_slice bytes = chunk->values[chunk->selection[i]];
        struct leat_pair *p = &b->rows[b->count];
        if (leat_value_decode(&bytes, &f->arena, &p->value, err) != LEAT_OK ||
            leat_value_decode(&bytes, &f->arena, &p->key, err) != LEAT_OK)
            return err->status;
        b->count++;
    }
    return LEAT_OK;
}

static enum leat_status foreach_prepare(void *self, uint64_t n,
                                        const struct leat_positions *positions,
                                        struct leat_bytes *section, struct leat_error *err)
{
    struct foreach *f = self;
    const struct stream_output *o = f->of.node->handed;

    (void)n, (void)positions, (void)section;
    for (const struct batch *b = f->first; b; b = b->next) {
        const struct leat_rdd rdd = {b->time_ms, b->rows, b->count};
        struct leat_error why = {.text = "the function failed"};
        stream_enter();
        enum leat_status status = o->fn(&rdd, o->arg, &why);
        stream_leave();
        if (status != LEAT_OK)
            return leat_fail(err, status, "leat_foreach_rdd: %.400s", why.text);
    }
    return LEAT_OK;
}

static enum leat_status foreach_commit(void *self, uint64_t n, struct leat_error *err)
{
    (void)n, (void)err;
    drop(self);
    return LEAT_OK;
}

static enum leat_status foreach_abort(void *self, uint64_t n, struct leat_error *err)
{
    (void)n, (void)err;
    drop(self);
    return LEAT_OK;
}

static void foreach_close(void *self)
{
    drop(self);
}

static enum leat_status foreach_check(const void *self, struct leat_error *err)
{
    const struct foreach *s = self;

    return s->of.node && s->of.node->handed
               ? LEAT_OK
               : leat_fail(err, LEAT_E_CONFIG,
                           "cannot be asked for by its name; leat_foreach_rdd() makes it");
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "foreach_rdd",
    .summary = "calls a function of the program with every batch",
    .self_size = sizeof(struct foreach),
    .opts = options,
    .check = foreach_check,
    .sink =
        &(const struct leat_sink){
            .as_spark = true,
            .promise = LEAT_SINK_REPEATS,
            .open = foreach_open,
            .recover = foreach_recover,
            .begin = foreach_begin,
            .write = foreach_write,
            .prepare = foreach_prepare,
            .commit = foreach_commit,
            .abort = foreach_abort,
            .close = foreach_close,
        },
};

LEAT_MODULE(module);

/* ---- builders */

struct stream_output *stream_add_output(struct leat_stream *s, const char *where, const char *sink,
                                        struct leat_node *given)
{
    struct leat_context *ctx = s->ctx;
    struct stream_output *o = stream_alloc(ctx, sizeof *o);
    struct leat_node *part = stream_map(ctx, where), *from = stream_text(ctx, where, "");

    if (!o || !part || !from || !given)
        return NULL;
    *o = (struct stream_output){.of = s, .sink = part, .from = from};
    stream_put(part, "from", from);
    stream_put(part, sink, given);
    *ctx->outputs_end = o;
    ctx->outputs_end = &o->next;
    return o;
}

void leat_print_at(struct leat_stream *s, int num, const char *where)
{
    if (!s || !stream_begin(s, where, "leat_print"))
        return;
    struct leat_node *given = stream_map(s->ctx, where);
    stream_put(given, "num", stream_number(s->ctx, where, num, ""));
    (void)stream_add_output(s, where, "print", given);
    pthread_mutex_unlock(&s->ctx->lock);
}

struct stream_output *stream_foreach(struct leat_stream *s, const char *where,
                                     leat_rdd_function *fn, void *arg)
{
    struct leat_node *given = stream_map(s->ctx, where),
                     *of = stream_text(s->ctx, where, "function");

    stream_put(given, "of", of);
    struct stream_output *o = of ? stream_add_output(s, where, "foreach_rdd", given) : NULL;
    if (o) {
        o->fn = fn;
        o->arg = arg;
        of->handed = o;
    }
    return o;
}

void leat_foreach_rdd_at(struct leat_stream *s, leat_rdd_function *fn, void *arg, const char *where)
{
    if (!s || !stream_begin(s, where, "leat_foreach_rdd"))
        return;
    if (!fn)
        stream_mistake(s->ctx, where, LEAT_E_MISUSE, "leat_foreach_rdd: without a function");
    (void)stream_foreach(s, where, fn, arg);
    pthread_mutex_unlock(&s->ctx->lock);
}
