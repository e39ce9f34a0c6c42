/*
 * group_batch.c - stage 2 of a grouping over one batch: everything comes out at its end.
 *
 * Behind a window the key of a partial result is its key and its window. Nothing is remembered from
 * batch to batch but memory that is used again, and what group->beyond asks for.
 */
#include "op/group_in.h"

void leat_window_put(struct leat_bytes *into, const struct leat_window *window)
{
    uint8_t final = window->final;

    leat_bytes_put_u64(into, (uint64_t)window->start_ms);
    leat_bytes_put_u64(into, (uint64_t)window->end_ms);
    leat_bytes_put(into, &final, 1);
}

bool leat_window_take(struct leat_slice *from, struct leat_window *window)
{
    uint64_t start, end;
    uint8_t final;

    if (!leat_take_u64(from, &start) || !leat_take_u64(from, &end) || !leat_take(from, &final, 1))
        return false;
    *window = (struct leat_window){(int64_t)start, (int64_t)end, final != 0};
    return true;
}

void leat_windows_init(struct leat_windows *ws, struct leat_pool *pool)
{
    ws->table.pool = pool;
    ws->table.value_size = sizeof(struct leat_window);
    ws->last = NULL;
}

static bool same_window(const struct leat_window *a, const struct leat_window *b)
{
    return a->start_ms == b->start_ms && a->end_ms == b->end_ms && a->final == b->final;
}

struct leat_window *leat_windows_at(struct leat_windows *ws, const struct leat_window *window)
{
    bool made;

    if (ws->last && same_window(ws->last, window))
        return ws->last;
    int64_t times[2] = {window->start_ms, window->end_ms};
    struct leat_slice key = {(const char *)times, sizeof times};
    uint64_t hash = leat_table_hash(leat_key_hash(key), window->final);
    struct leat_entry *e = leat_table_at(&ws->table, hash, window->final, key, &made);
    if (!e)
        return NULL;
    ws->last = (struct leat_window *)e->memory;
    *ws->last = *window;
    return ws->last;
}

/* In front of the partial result: the greatest time of its rows, for those that follow. */
static int64_t *time_of(struct leat_entry *e)
{
    return (int64_t *)e->memory;
}

static void *partial_of(struct leat_entry *e)
{
    return e->memory + 1;
}

void leat_batch_init(const struct leat_group *g, struct leat_batches *b, struct leat_pool *pool)
{
    b->table.pool = pool;
    b->table.value_size = sizeof(int64_t) + g->partial_size;
    leat_windows_init(&b->windows, pool);
}

enum leat_status leat_batch_process(const struct leat_group *g, struct leat_batches *b,
                                    struct leat_work *w, void *spare, struct leat_chunk *chunk,
                                    struct leat_error *err)
{
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_slice bytes = chunk->values[row], key = chunk->keys[row];
        struct leat_window window;
        int64_t tag = 0;
        bool made;
        if (g->windowed_in) {
            if (!leat_window_take(&bytes, &window))
                return leat_fail(err, LEAT_E_CORRUPT, "a partial result without its window");
            const struct leat_window *of = leat_windows_at(&b->windows, &window);
            if (!of)
                return leat_arena_failed(w->pool->arena, err);
            tag = leat_window_tag(of);
        }
        uint64_t hash = leat_table_hash(leat_key_hash(key), tag);
        struct leat_entry *e = leat_table_at(&b->table, hash, tag, key, &made);
        if (!e)
            return leat_arena_failed(w->pool->arena, err);
        if (made || *time_of(e) < chunk->times_ms[row])
            *time_of(e) = chunk->times_ms[row];
        if (leat_group_absorb(g, w, spare, partial_of(e), bytes, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static void forget_all(const struct leat_group *g, struct leat_batches *b, struct leat_work *w)
{
    if (g->agg->release)
        for (struct leat_entry *e = b->table.first; e; e = e->next)
            g->agg->release(g, w, partial_of(e));
    leat_table_clear(&b->table);
    leat_table_clear(&b->windows.table);
    b->windows.last = NULL;
}

static enum leat_status emit_all(const struct leat_group *g, struct leat_batches *b,
                                 struct leat_work *w, struct leat_error *err)
{
    for (struct leat_entry *e = b->table.first; e; e = e->next) {
        struct leat_result r = {.key = e->key, .time_ms = *time_of(e)};
        if (g->windowed_in) {
            r.window = *(const struct leat_window *)(intptr_t)e->tag;
            r.time_ms = r.window.end_ms - 1;
        } else if (!g->event_time) {
            r.time_ms = w->task->batch->time_ms - 1;
        }
        if (g->agg->emit(g, w, &r, partial_of(e), err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static bool add_nothing(struct leat_batches *b)
{
    uint64_t hash = leat_table_hash(leat_key_hash(LEAT_NO_KEY), 0);
    bool made;

    return leat_table_at(&b->table, hash, 0, LEAT_NO_KEY, &made) != NULL;
}

enum leat_status leat_batch_finish(const struct leat_group *g, struct leat_batches *b,
                                   struct leat_work *w, struct leat_error *err)
{
    if (g->always && !g->windowed_in && w->task->part == 0 && b->table.count == 0) {
        if (!add_nothing(b))
            return leat_arena_failed(w->pool->arena, err);
        *time_of(b->table.first) = w->task->batch->time_ms - 1;
    }
    enum leat_status status = LEAT_OK;
    if (g->beyond && g->beyond->begin)
        status = g->beyond->begin(g, w, err);
    if (status == LEAT_OK)
        status = emit_all(g, b, w, err);
    if (status == LEAT_OK && g->beyond && g->beyond->end)
        status = g->beyond->end(g, w, err);
    if (status == LEAT_OK)
        status = leat_group_flush(g, w, err);
    forget_all(g, b, w);
    return status;
}
