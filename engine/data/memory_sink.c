/* memory_sink.c - module `memory` of sinks: keeps rows for the program around it. */
#include "data/memory.h"

static enum leat_status sink_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    (void)self, (void)env, (void)err;
    return LEAT_OK;
}

/* What an earlier process was given is gone with it. */
static enum leat_status sink_recover(void *self, uint64_t n, struct leat_slice section,
                                     struct leat_error *err)
{
    (void)self, (void)n, (void)section, (void)err;
    return LEAT_OK;
}

static enum leat_status sink_begin(void *self, uint64_t n, int64_t batch_time_ms,
                                   struct leat_error *err)
{
    struct leat_memory_sink *s = self;

    (void)n, (void)err;
    s->batch_time_ms = batch_time_ms;
    return LEAT_OK;
}

static bool copy(struct leat_arena *arena, struct leat_slice *to, struct leat_slice from)
{
    *to = from.ptr ? leat_arena_copy(arena, from) : from;
    return !from.ptr || to->ptr;
}

static struct leat_memory_row *copy_row(struct leat_arena *arena, const struct leat_chunk *c,
                                        uint16_t row)
{
    struct leat_memory_row *r = leat_arena_alloc(arena, sizeof *r);

    if (!r || !copy(arena, &r->row.key, c->keys[row]) ||
        !copy(arena, &r->row.value, c->values[row]) ||
        !copy(arena, &r->row.headers, c->headers[row]) ||
        (c->routes && !copy(arena, &r->route, c->routes[row])))
        return NULL;
    r->part = c->part;
    r->row.time_ms = c->times_ms[row];
    r->row.position = c->positions[row];
    if (c->windows)
        r->window = c->windows[row];
    return r;
}

static enum leat_status sink_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                   struct leat_error *err)
{
    struct leat_memory_sink *s = self;

    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_memory_row *r = copy_row(&s->arena, chunk, chunk->selection[i]);
        if (!r)
            return leat_arena_failed(&s->arena, err);
        r->n = n;
        r->batch_time_ms = s->batch_time_ms;
        if (s->pending_last)
            s->pending_last->next = r;
        else
            s->pending = r;
        s->pending_last = r;
        s->pending_count++;
    }
    s->pending_n = n;
    return LEAT_OK;
}

static enum leat_status sink_prepare(void *self, uint64_t n, const struct leat_positions *positions,
                                     struct leat_bytes *section, struct leat_error *err)
{
    (void)self, (void)n, (void)positions, (void)section, (void)err;
    return LEAT_OK;
}

static void drop_pending(struct leat_memory_sink *s)
{
    s->pending = s->pending_last = NULL;
    s->pending_count = 0;
}

static enum leat_status sink_commit(void *self, uint64_t n, struct leat_error *err)
{
    struct leat_memory_sink *s = self;

    (void)err;
    if (!s->pending || s->pending_n != n)
        return LEAT_OK;
    if (s->last)
        s->last->next = s->pending;
    else
        s->first = s->pending;
    s->last = s->pending_last;
    s->count += s->pending_count;
    drop_pending(s);
    return LEAT_OK;
}

static enum leat_status sink_abort(void *self, uint64_t n, struct leat_error *err)
{
    (void)n, (void)err;
    drop_pending(self);
    return LEAT_OK;
}

static void sink_close(void *self)
{
    drop_pending(self);
}

void leat_memory_sink_fini(struct leat_memory_sink *s)
{
    leat_arena_reset(&s->arena);
    *s = (struct leat_memory_sink){0};
}

const struct leat_sink leat_memory_sink = {
    .promise = LEAT_SINK_SHOWS,
    .open = sink_open,
    .recover = sink_recover,
    .begin = sink_begin,
    .write = sink_write,
    .prepare = sink_prepare,
    .commit = sink_commit,
    .abort = sink_abort,
    .close = sink_close,
};

static const struct leat_opt no_options[] = {{0}};

const struct leat_module leat_memory_sink_module = {
    .abi = LEAT_MODULE_ABI,
    .name = "memory",
    .summary = "keeps the rows of committed batches for the program",
    .self_size = sizeof(struct leat_memory_sink),
    .opts = no_options,
    .sink = &leat_memory_sink,
};
