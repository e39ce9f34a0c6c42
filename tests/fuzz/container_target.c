#include "container_target.h"

#include <assert.h>

#define ROWS_MAX 4096

struct seen {
    int64_t positions[ROWS_MAX];
    size_t lengths[ROWS_MAX];
    bool errors[ROWS_MAX];
    size_t count;
};

struct world {
    const struct leat_format *format;
    void *self;
    struct leat_arena *arena;
    struct leat_env env;
    struct leat_container_file file;
    struct leat_slice bytes;
    bool whole;
};

static unsigned countdown;

static bool gate(void)
{
    return countdown == 0 || --countdown != 0;
}

static enum leat_status read_bytes(void *arg, int64_t at, char *into, size_t room, size_t *n,
                                   struct leat_error *err)
{
    const struct leat_slice *b = arg;
    size_t left = at < (int64_t)b->len ? b->len - (size_t)at : 0;

    (void)err;
    *n = left < room ? left : room;
    if (*n)
        memcpy(into, b->ptr + at, *n);
    return LEAT_OK;
}

/* False: no memory, or enough was seen. */
static bool see_block(const struct world *w, const struct leat_block *b, struct seen *s)
{
    struct leat_cursor c = {0};
    struct leat_arena scratch = {.cap = 1 << 26};
    struct leat_chunk chunk;
    struct leat_error err;
    bool ok = true, done = false;

    while (ok && !done) {
        leat_arena_rewind(&scratch, (struct leat_arena_mark){0});
        ok = leat_chunk_init(&chunk, &scratch, LEAT_COL_PATHS + 1, &err) == LEAT_OK &&
             b->coding->next(&c, b, &chunk, &err) == LEAT_OK &&
             w->format->decode(w->self, &chunk, &err) == LEAT_OK;
        done = ok && chunk.rows == 0;
        for (uint32_t i = 0; ok && i < chunk.rows; i++) {
            assert(chunk.positions[i] >= b->from && chunk.positions[i] < b->to);
            assert(s->count == 0 || chunk.positions[i] > s->positions[s->count - 1]);
            s->positions[s->count] = chunk.positions[i];
            s->lengths[s->count] = chunk.values[i].len;
            s->errors[s->count] = chunk.columns[LEAT_COL_THIS][i].tag == LEAT_ERROR;
            ok = ++s->count < ROWS_MAX;
        }
    }
    leat_arena_reset(&scratch);
    return ok;
}

/* False: not to its end. */
static bool see_file(struct world *w, int64_t from, size_t max_bytes, struct seen *s)
{
    const struct leat_container *c = w->format->container;
    void *reader = c->open(w->self, &w->env);
    bool at_end = false, ok = reader != NULL;

    s->count = 0;
    for (int64_t at = from; ok && !at_end;) {
        struct leat_error err;
        struct leat_block *b = NULL;
        ok = c->fetch(reader, &w->file, at, max_bytes, 0, w->whole, &b, &err) == LEAT_OK;
        if (!ok)
            break;
        assert(b->from == at && (b->at_end || b->to > at));
        at_end = b->at_end;
        at = b->to;
        ok = see_block(w, b, s);
        leat_block_unref(b);
    }
    c->close(reader);
    return ok;
}

static void compare(const struct seen *all, size_t from, const struct seen *some)
{
    assert(some->count == all->count - from);
    for (size_t i = 0; i < some->count; i++)
        assert(some->positions[i] == all->positions[from + i] &&
               some->lengths[i] == all->lengths[from + i] &&
               some->errors[i] == all->errors[from + i]);
}

static void run(struct world *w)
{
    static struct seen all, again;
    bool complete = see_file(w, 0, (size_t)1 << 20, &all);

    countdown = 0;
    if (!complete)
        return;
    if (see_file(w, 0, 1, &again))
        compare(&all, 0, &again);
    if (all.count > 1 && see_file(w, all.positions[all.count / 2], 1, &again))
        compare(&all, all.count / 2, &again);
}

int fuzz_container(const char *module, const struct leat_setting *settings, uint32_t count,
                   const unsigned char *data, size_t size)
{
    static const struct leat_path all = {NULL, 0, LEAT_COL_PATHS};
    const struct leat_module *m = leat_module_find(module);
    struct leat_arena arena = {.cap = 1 << 27};
    struct leat_budget budget = {.cap = (size_t)256 << 20};
    struct leat_error err;

    if (size < 2 || size > 65536)
        return 0;
    struct world w = {.format = m->format,
                      .arena = &arena,
                      .env = {.budget = &budget},
                      .bytes = {(const char *)data + 2, size - 2},
                      .whole = data[1] & 1};
    w.file = (struct leat_container_file){"a file", read_bytes, &w.bytes};
    countdown = data[0];
    leat_mem_gate = gate;
    w.self = leat_arena_alloc(&arena, m->self_size);
    if (w.self && leat_opts_apply(m->opts, w.self, settings, count, &arena, &err) == LEAT_OK &&
        (!w.format->load || w.format->load(w.self, LEAT_FORMAT_READS, &arena, &err) == LEAT_OK) &&
        w.format->plan(w.self, &all, 1, &arena, &err) == LEAT_OK)
        run(&w);
    leat_mem_gate = NULL;
    leat_arena_reset(&arena);
    assert(budget.used == 0);
    return 0;
}
