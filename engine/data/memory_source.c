/* memory_source.c - module `memory` of sources: rows from its options or its program. */
#include "data/memory.h"

/* Rows that were added together. */
struct leat_memory_rows {
    struct leat_memory_rows *next;
    int64_t from; /* position of rows[0] */
    size_t count;
    struct leat_row rows[];
};

void leat_memory_source_init(struct leat_memory_source *s, struct leat_arena *arena)
{
    *s = (struct leat_memory_source){.arena = arena};
}

static bool copy(struct leat_arena *arena, struct leat_slice *to, struct leat_slice from)
{
    *to = from.ptr ? leat_arena_copy(arena, from) : from;
    return !from.ptr || to->ptr;
}

enum leat_status leat_memory_source_add(struct leat_memory_source *s, const struct leat_row *rows,
                                        size_t count, struct leat_error *err)
{
    struct leat_memory_rows *more =
        leat_arena_alloc(s->arena, sizeof *more + count * sizeof more->rows[0]);

    if (!more)
        return leat_arena_failed(s->arena, err);
    more->from = s->count;
    more->count = count;
    for (size_t i = 0; i < count; i++) {
        struct leat_row *r = &more->rows[i];
        r->time_ms = rows[i].time_ms;
        r->position = s->count + (int64_t)i;
        if (!copy(s->arena, &r->key, rows[i].key) || !copy(s->arena, &r->value, rows[i].value) ||
            !copy(s->arena, &r->headers, rows[i].headers))
            return leat_arena_failed(s->arena, err);
    }
    *(s->last ? &s->last->next : &s->first) = more;
    s->last = more;
    s->count += (int64_t)count;
    return LEAT_OK;
}

void leat_memory_source_end(struct leat_memory_source *s)
{
    s->ended = true;
}

static enum leat_status memory_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct leat_memory_source *s = self;

    (void)err;
    s->env = env;
    return LEAT_OK;
}

static enum leat_status memory_partitions(void *self,
                                          void (*each)(void *arg, const struct leat_part *p),
                                          void *arg, struct leat_error *err)
{
    struct leat_memory_source *s = self;

    (void)err;
    each(arg,
         &(struct leat_part){.name = LEAT_LIT("memory"), .end = s->count, .finished = s->ended});
    return LEAT_OK;
}

/* The rows that hold `position`, or NULL at the end. */
static struct leat_memory_rows *find(struct leat_memory_source *s, int64_t position)
{
    struct leat_memory_rows *r = s->at && s->at->from <= position ? s->at : s->first;

    while (r && position >= r->from + (int64_t)r->count)
        r = r->next;
    return r;
}

static size_t size_of(const struct leat_row *r)
{
    return r->key.len + r->value.len + r->headers.len + LEAT_FRAME_BYTES;
}

static bool is_enough(const struct leat_fetch *fetch, int64_t to)
{
    return fetch->max_rows && to - fetch->from >= fetch->max_rows;
}

/* Rows from `from` on that are below max_bytes together, and no more than max_rows; at least one,
 * if there is one. */
static size_t measure(struct leat_memory_source *s, const struct leat_fetch *fetch, int64_t *to)
{
    size_t bytes = 0;

    *to = fetch->from;
    for (struct leat_memory_rows *r = find(s, fetch->from); r; r = r->next)
        for (size_t i = (size_t)(*to - r->from); i < r->count; i++) {
            size_t need = size_of(&r->rows[i]);
            if (bytes && (bytes + need > fetch->max_bytes || is_enough(fetch, *to)))
                return bytes;
            bytes += need;
            ++*to;
        }
    return bytes;
}

static enum leat_status fill(struct leat_memory_source *s, const struct leat_fetch *fetch,
                             struct leat_block **block, struct leat_error *err)
{
    int64_t at = fetch->from, to;
    size_t bytes = measure(s, fetch, &to);

    if (fetch->from > s->count)
        return leat_fail(err, LEAT_E_LOST, "there are %lld rows, none at %lld", (long long)s->count,
                         (long long)fetch->from);
    if (leat_block_new(s->env->budget, &leat_coding_framed, bytes, block, err) != LEAT_OK)
        return err->status;
    struct leat_block *b = *block;
    b->from = fetch->from;
    struct leat_memory_rows *r = find(s, at);
    for (; r && at < to; r = at < to ? r->next : r) {
        s->at = r;
        for (size_t i = (size_t)(at - r->from); i < r->count && at < to; i++, at++)
            if (!leat_block_append(b, &r->rows[i])) {
                leat_block_unref(b);
                *block = NULL;
                return leat_fail(err, LEAT_E_DATA, "row %lld is too large", (long long)at);
            }
    }
    b->at_end = to == s->count;
    b->finished = b->at_end && s->ended;
    leat_block_seal(b, to);
    return LEAT_OK;
}

static void memory_fetch(void *self, const struct leat_fetch *fetch, leat_fetch_done *done,
                         void *arg)
{
    struct leat_error err = {0};
    struct leat_block *b = NULL;

    fill(self, fetch, &b, &err);
    done(arg, fetch, b, &err);
}

static void memory_lost(void *self, uint32_t part)
{
    (void)self, (void)part; /* nothing is read ahead */
}

static void memory_close(void *self)
{
    (void)self;
}

static const struct leat_opt no_options[] = {{0}};

const struct leat_module leat_memory_source_module = {
    .abi = LEAT_MODULE_ABI,
    .name = "memory",
    .keyed = true,
    .summary = "gives rows that a program handed in",
    .self_size = sizeof(struct leat_memory_source),
    .opts = no_options,
    .pull =
        &(const struct leat_pull){
            .open = memory_open,
            .partitions = memory_partitions,
            .fetch = memory_fetch,
            .lost = memory_lost,
            .close = memory_close,
        },
};
