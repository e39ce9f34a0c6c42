/*
 * group.c - stage 2 of keyed operators: to the kind of grouping that the plan has; rows of results.
 *
 * Thread: the worker of the state partition.
 */
#include "op/group.h"

#include "op/dead_letter.h"
#include "op/group_in.h"
#include "op/pane.h"
#include "op/session.h"
#include "op/shape.h"

#include <inttypes.h>

#define SCRATCH_KEPT ((size_t)256 * 1024)

/* The memory of a state partition. */
struct group_memory {
    struct leat_pool pool;
    struct leat_arena scratch;
    struct leat_work work;
    void *spare; /* an empty partial result, to decode into */
    union {
        struct leat_batches batches;
        struct leat_panes panes;
        struct leat_sessions sessions;
    } as;
};

static void reset_scratch(void *arg)
{
    leat_arena_reset(arg);
}

static enum leat_status open_beyond(const struct leat_group *g, struct group_memory *m,
                                    struct leat_error *err)
{
    m->work.beyond = leat_arena_alloc(m->pool.arena, g->beyond->size);
    if (!m->work.beyond)
        return leat_arena_failed(m->pool.arena, err);
    g->beyond->open(m->work.beyond, &m->pool);
    return LEAT_OK;
}

static enum leat_status group_open(const void *plan, void *memory, struct leat_arena *arena,
                                   struct leat_error *err)
{
    const struct leat_group *g = plan;
    struct group_memory *m = memory;

    m->pool.arena = arena;
    m->scratch.cap = arena->cap;
    m->work = (struct leat_work){.pool = &m->pool, .scratch = &m->scratch};
    m->spare = leat_arena_alloc(arena, g->partial_size);
    if (!m->spare || !leat_arena_on_reset(arena, reset_scratch, &m->scratch))
        return leat_arena_failed(arena, err);
    switch (g->over) {
    case LEAT_OVER_BATCH:
        leat_batch_init(g, &m->as.batches, &m->pool);
        return g->beyond ? open_beyond(g, m, err) : LEAT_OK;
    case LEAT_OVER_PANES:
        leat_panes_init(g, &m->as.panes, &m->pool);
        return LEAT_OK;
    case LEAT_OVER_SESSION:
        leat_sessions_init(g, &m->as.sessions, &m->pool);
        return LEAT_OK;
    }
    return LEAT_OK;
}

enum leat_status leat_group_process(const void *plan, void *memory, struct leat_task *task,
                                    struct leat_chunk *chunk, struct leat_error *err)
{
    const struct leat_group *g = plan;
    struct group_memory *m = memory;
    enum leat_status status = LEAT_OK;

    m->work.task = task;
    switch (g->over) {
    case LEAT_OVER_BATCH:
        status = leat_batch_process(g, &m->as.batches, &m->work, m->spare, chunk, err);
        break;
    case LEAT_OVER_PANES:
        status = leat_panes_process(g, &m->as.panes, &m->work, m->spare, chunk, err);
        break;
    case LEAT_OVER_SESSION:
        status = leat_sessions_process(g, &m->as.sessions, &m->work, m->spare, chunk, err);
        break;
    }
    leat_work_tidy(&m->work);
    return status;
}

enum leat_status leat_group_finish(const void *plan, void *memory, struct leat_task *task,
                                   struct leat_error *err)
{
    const struct leat_group *g = plan;
    struct group_memory *m = memory;
    enum leat_status status = LEAT_OK;

    m->work.task = task;
    leat_out_clear(task);
    switch (g->over) {
    case LEAT_OVER_BATCH:
        status = leat_batch_finish(g, &m->as.batches, &m->work, err);
        break;
    case LEAT_OVER_PANES:
        status = leat_panes_finish(g, &m->as.panes, &m->work, m->spare, err);
        break;
    case LEAT_OVER_SESSION:
        status = leat_sessions_finish(g, &m->as.sessions, &m->work, err);
        break;
    }
    leat_work_tidy(&m->work);
    return status;
}

int64_t leat_group_close_time(const void *plan, int64_t time_ms)
{
    const struct leat_group *g = plan;
    int64_t start_ms, end_ms;

    if (g->over == LEAT_OVER_SESSION)
        return time_ms + g->gap_ms;
    if (g->beyond && g->beyond->due)
        return time_ms + g->within_ms + 1;
    if (g->over != LEAT_OVER_PANES)
        return LEAT_NO_TIME;
    bool inside = leat_grid_pane(&g->grid, time_ms, &start_ms, &end_ms);
    return inside ? leat_grid_last_end(&g->grid, start_ms) : LEAT_NO_TIME;
}

/* ---- rows */

enum leat_status leat_group_flush(const struct leat_group *g, struct leat_work *w,
                                  struct leat_error *err)
{
    struct leat_chunk *out = w->task->out;

    if (out->selected && g->agg->seal && g->agg->seal(g, w, out, err) != LEAT_OK)
        return err->status;
    return leat_out_flush(w->task, err);
}

enum leat_status leat_group_row(const struct leat_group *g, struct leat_work *w,
                                const struct leat_result *r, uint32_t *row, struct leat_error *err)
{
    struct leat_chunk *out = w->task->out;

    if (out->rows == LEAT_CHUNK_ROWS && leat_group_flush(g, w, err) != LEAT_OK)
        return err->status;
    *row = out->rows;
    leat_chunk_add(out, &(struct leat_row){.time_ms = r->time_ms});
    if (g->windows_out)
        out->windows[*row] = r->window;
    out->columns[LEAT_COL_KEY][*row] = (struct leat_value){0};
    if (!g->keyed)
        return LEAT_OK;
    /* The state that it stands in may be given back before the row is gone. */
    struct leat_slice key = leat_arena_copy(out->arena, r->key);
    if (!key.ptr)
        return leat_arena_failed(out->arena, err);
    return leat_key_decode(key, g->key_shape, out->arena, &out->columns[LEAT_COL_KEY][*row], err);
}

enum leat_status leat_group_passes(const struct leat_group *g, struct leat_work *w,
                                   struct leat_slice key, int64_t time_ms, bool *pass,
                                   struct leat_error *err)
{
    *pass = true;
    return g->beyond == &leat_seen ? leat_seen_pass(g, w->beyond, key, time_ms, pass, err)
                                   : LEAT_OK;
}

enum leat_status leat_group_decode(const struct leat_group *g, struct leat_work *w, void *partial,
                                   struct leat_slice bytes, struct leat_error *err)
{
    enum leat_status status = g->agg->decode(g, w, &bytes, partial, err);

    if (status == LEAT_OK && bytes.len)
        status = leat_fail(err, LEAT_E_CORRUPT, "%zu bytes behind a partial result", bytes.len);
    return status;
}

enum leat_status leat_group_absorb(const struct leat_group *g, struct leat_work *w, void *spare,
                                   void *partial, struct leat_slice bytes, struct leat_error *err)
{
    enum leat_status status = leat_group_decode(g, w, spare, bytes, err);

    if (status == LEAT_OK)
        status = g->agg->merge(g, w, partial, spare, err);
    leat_group_release(g, w, spare);
    memset(spare, 0, g->partial_size);
    return status;
}

enum leat_status leat_group_bad(struct leat_work *w, struct leat_value why, struct leat_slice what,
                                struct leat_error *err)
{
    struct leat_task *task = w->task;
    struct leat_slice text = leat_value_text(why);

    if (task->on_error == LEAT_ON_ERROR_FAIL)
        return leat_fail(err, LEAT_E_DATA, "%.*s: %.*s", LEAT_FMT(what), LEAT_FMT(text));
    if (task->counts->errors++ == 0) {
        text = leat_arena_copy(task->arena, text);
        why.as.text = text.ptr ? text.ptr : "";
        why.len = (uint32_t)text.len;
        task->counts->first_error = why;
    }
    if (task->on_error == LEAT_ON_ERROR_DLQ)
        return leat_letters_send_left(task, why, what, w->key, w->value, err);
    return LEAT_OK;
}

void leat_work_tidy(struct leat_work *w)
{
    if (w->scratch->bytes > SCRATCH_KEPT)
        leat_arena_reset(w->scratch);
}

/* ---- state */

static enum leat_status group_append(const void *plan, void *memory, struct leat_bytes *delta,
                                     struct leat_error *err)
{
    const struct leat_group *g = plan;
    struct group_memory *m = memory;

    if (g->beyond)
        g->beyond->append(g, m->work.beyond, delta);
    else if (g->over == LEAT_OVER_PANES)
        leat_panes_append(g, &m->as.panes, delta);
    else if (g->over == LEAT_OVER_SESSION)
        leat_sessions_append(g, &m->as.sessions, delta);
    return delta->failed ? leat_arena_failed(delta->arena, err) : LEAT_OK;
}

static enum leat_status group_snapshot(const void *plan, void *memory, struct leat_bytes *all,
                                       struct leat_error *err)
{
    const struct leat_group *g = plan;
    struct group_memory *m = memory;

    if (g->beyond)
        g->beyond->snapshot(g, m->work.beyond, all);
    else if (g->over == LEAT_OVER_PANES)
        leat_panes_snapshot(g, &m->as.panes, all);
    else if (g->over == LEAT_OVER_SESSION)
        leat_sessions_snapshot(g, &m->as.sessions, all);
    return all->failed ? leat_arena_failed(all->arena, err) : LEAT_OK;
}

static enum leat_status group_read(const void *plan, void *memory, struct leat_slice bytes,
                                   struct leat_error *err)
{
    const struct leat_group *g = plan;
    struct group_memory *m = memory;

    if (bytes.len == 0)
        return LEAT_OK;
    if (g->beyond)
        return g->beyond->read(g, &m->work, bytes, err);
    if (g->over == LEAT_OVER_PANES)
        return leat_panes_read(g, &m->as.panes, &m->work, bytes, err);
    if (g->over == LEAT_OVER_SESSION)
        return leat_sessions_read(g, &m->as.sessions, &m->work, bytes, err);
    return leat_fail(err, LEAT_E_CORRUPT, "state for an operator that keeps none");
}

static void group_measure(const void *plan, const void *memory, uint64_t *keys, uint64_t *bytes)
{
    const struct leat_group *g = plan;
    const struct group_memory *m = memory;

    *keys = g->beyond ? g->beyond->keys(m->work.beyond) : 0;
    if (g->over == LEAT_OVER_PANES)
        *keys = m->as.panes.keys.count;
    else if (g->over == LEAT_OVER_SESSION)
        *keys = m->as.sessions.keys.count;
    *bytes = m->pool.used;
}

static int64_t group_due(const void *plan, const void *memory)
{
    const struct leat_group *g = plan;
    const struct group_memory *m = memory;

    if (g->over == LEAT_OVER_PANES)
        return leat_panes_due(g, &m->as.panes);
    if (g->over == LEAT_OVER_SESSION)
        return leat_sessions_due(g, &m->as.sessions);
    if (g->beyond && g->beyond->due)
        return g->beyond->due(g, m->work.beyond);
    return LEAT_NO_TIME;
}

/* The names of formats are part of it: another way to write panes is another text. */
static void group_shape(const void *plan, struct leat_bytes *text)
{
    const struct leat_group *g = plan;
    const struct leat_grid *grid = &g->grid;

    if (g->over == LEAT_OVER_BATCH && !g->beyond)
        return;
    leat_shape_say(text, "%.*s 2; ", LEAT_FMT(g->op));
    if (g->keyed) {
        leat_bytes_put(text, "key ", 4);
        leat_bytes_put(text, g->key_text.ptr, g->key_text.len);
        /* Key bytes of a record have no names: a whole value's fields are told. */
        bool whole = leat_slice_eq(g->key_text, LEAT_LIT("this"));
        for (uint32_t i = 0; whole && g->key_shape && i < g->key_shape->count; i++)
            leat_shape_say(text, " .%.*s", LEAT_FMT(g->key_shape->names[i]));
        leat_bytes_put(text, "; ", 2);
    }
    leat_shape_say(text, g->event_time ? "event time; " : "batch time; ");
    if (g->beyond)
        leat_shape_say(text, "within %" PRId64 " ms; ", g->within_ms);
    else if (g->over == LEAT_OVER_SESSION)
        leat_shape_say(text, "sessions %" PRId64 " ms apart; ", g->gap_ms);
    else
        leat_shape_say(text,
                       "windows of %" PRId64 " ms each %" PRId64 " ms, one ends at %" PRId64
                       " ms in %.*s; ",
                       grid->size_ms, grid->slide_ms, grid->end_ms,
                       g->zone_name.len ? (int)g->zone_name.len : 3,
                       g->zone_name.len ? g->zone_name.ptr : "UTC");
    if (g->beyond && g->beyond->shape)
        g->beyond->shape(g, text);
    else if (g->agg->shape && !g->beyond)
        g->agg->shape(g, text);
}

const struct leat_state leat_group_state = {
    .size = sizeof(struct group_memory),
    .open = group_open,
    .append = group_append,
    .snapshot = group_snapshot,
    .read = group_read,
    .shape = group_shape,
    .measure = group_measure,
    .due = group_due,
};
