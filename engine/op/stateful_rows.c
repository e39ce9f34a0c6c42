/*
 * stateful_rows.c - stage 2 of stateful operators: the rows of a batch in order, cells, and what
 * the state log sees.
 *
 * Thread: the worker of the state partition.
 */
#include "data/json.h"
#include "data/key.h"
#include "op/group.h"
#include "op/meta.h"
#include "op/shape.h"
#include "op/stateful.h"

#include <inttypes.h>
#include <stdlib.h>

#define SCRATCH_KEPT ((size_t)256 * 1024)
#define ROWS_MIN     64

static void reset_scratch(void *arg)
{
    leat_arena_reset(arg);
}

enum leat_status leat_stateful_open(const void *plan, void *memory, struct leat_arena *arena,
                                    struct leat_error *err)
{
    const struct leat_stateful *p = plan;
    struct leat_stateful_memory *m = memory;

    leat_state_table_init(&m->table, arena, p->timed);
    m->scratch.cap = arena->cap;
    m->scratch.budget = arena->budget;
    m->encoded.arena = &m->scratch;
    m->cell = leat_arena_array(arena, p->cells, sizeof *m->cell);
    m->cells.columns = leat_arena_array(arena, p->cells, sizeof *m->cells.columns);
    m->cells.selection = leat_arena_alloc(arena, sizeof *m->cells.selection);
    if (!m->cell || !m->cells.columns || !m->cells.selection ||
        !leat_arena_on_reset(arena, reset_scratch, &m->scratch))
        return leat_arena_failed(arena, err);
    for (uint32_t i = 0; i < p->cells; i++)
        m->cells.columns[i] = &m->cell[i];
    m->cells.columns_count = p->cells;
    m->cells.rows = m->cells.selected = 1;
    return LEAT_OK;
}

/* ---- rows of the batch */

static bool make_room(struct leat_stateful_memory *m, struct leat_arena *arena, uint32_t more)
{
    uint32_t room = m->rows_room ? m->rows_room : ROWS_MIN;

    while (room - m->rows_count < more)
        room *= 2;
    if (room == m->rows_room)
        return true;
    struct leat_stateful_row *rows = leat_arena_array(arena, room, sizeof *rows);
    if (!rows)
        return false;
    if (m->rows_count)
        memcpy(rows, m->rows, m->rows_count * sizeof *rows);
    m->rows = rows;
    m->rows_room = room;
    return true;
}

enum leat_status leat_stateful_process(const void *plan, void *memory, struct leat_task *task,
                                       struct leat_chunk *chunk, struct leat_error *err)
{
    const struct leat_stateful *p = plan;
    struct leat_stateful_memory *m = memory;

    if (!make_room(m, task->arena, chunk->selected))
        return leat_arena_failed(task->arena, err);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t at = chunk->selection[i];
        struct leat_stateful_row *row = &m->rows[m->rows_count];
        uint64_t position;
        *row = (struct leat_stateful_row){.key = chunk->keys[at],
                                          .values = chunk->values[at],
                                          .time_ms = chunk->times_ms[at],
                                          .came = m->rows_count};
        row->hash = leat_state_hash(leat_key_hash(row->key));
        if (p->event_time) {
            if (!leat_take_u64(&row->values, &position) ||
                !leat_take_slice(&row->values, &row->order.source))
                return leat_fail(err, LEAT_E_CORRUPT, "a row without its place");
            row->order.position = (int64_t)position;
            row->order.time_ms = row->time_ms;
        }
        m->rows_count++;
    }
    return LEAT_OK;
}

static int compare(const void *a, const void *b)
{
    const struct leat_stateful_row *x = a, *y = b;
    int order = leat_order_compare(&x->order, &y->order);

    return order ? order : (x->came > y->came) - (x->came < y->came);
}

static bool is_sorted(const struct leat_stateful_memory *m)
{
    for (uint32_t i = 1; i < m->rows_count; i++)
        if (compare(&m->rows[i - 1], &m->rows[i]) > 0)
            return false;
    return true;
}

void leat_stateful_begin(const struct leat_stateful *plan, struct leat_stateful_memory *m,
                         struct leat_task *task)
{
    leat_out_clear(task);
    m->cells.arena = task->out->arena;
    if (plan->batch_cell != LEAT_NO_COLUMN)
        m->cell[plan->batch_cell] = leat_int((int64_t)task->batch->n);
    if (plan->batch_time_cell != LEAT_NO_COLUMN)
        m->cell[plan->batch_time_cell] = leat_time_value(task->batch->time_ms);
    if (plan->event_time && !is_sorted(m))
        qsort(m->rows, m->rows_count, sizeof *m->rows, compare);
    leat_wheel_stand(&m->table.wheel, plan->event_time
                                          ? task->watermark_before_ms
                                          : task->batch->time_ms - task->batch->interval_ms);
}

enum leat_status leat_stateful_end(struct leat_stateful_memory *m, struct leat_task *task,
                                   struct leat_error *err)
{
    m->rows = NULL; /* they lie in the task's arena */
    m->rows_count = m->rows_room = 0;
    leat_state_batch_ends(&m->table);
    if (m->scratch.bytes > SCRATCH_KEPT) {
        leat_arena_reset(&m->scratch);
        m->encoded = (struct leat_bytes){.arena = &m->scratch};
    }
    return leat_out_flush(task, err);
}

/* ---- cells */

enum leat_status leat_stateful_set_key(const struct leat_stateful *plan,
                                       struct leat_stateful_memory *m, struct leat_slice key,
                                       struct leat_error *err)
{
    return leat_key_decode(key, plan->key_shape, m->cells.arena, &m->cell[LEAT_COL_KEY], err);
}

enum leat_status leat_stateful_set_row(const struct leat_stateful *plan,
                                       struct leat_stateful_memory *m,
                                       const struct leat_stateful_row *row, struct leat_error *err)
{
    struct leat_slice values = row->values;

    for (uint32_t i = 0; i < plan->cross_count; i++)
        if (leat_value_decode(&values, m->cells.arena, &m->cell[plan->cross[i].cell], err))
            return err->status;
    return LEAT_OK;
}

struct leat_value leat_cell_eval(const struct leat_program *p, struct leat_stateful_memory *m,
                                 struct leat_task *task, struct leat_slice *what)
{
    struct leat_value v = leat_eval_row(p, task->eval, &m->cells, 0);

    if (v.tag == LEAT_ERROR)
        *what = leat_program_source(p);
    return v;
}

static struct leat_value eval_one(const struct leat_cell_expr *e, struct leat_stateful_memory *m,
                                  struct leat_task *task, struct leat_slice *what)
{
    return e->nested ? leat_cell_exprs_eval(e->nested, m, task, what)
                     : leat_cell_eval(e->program, m, task, what);
}

struct leat_value leat_cell_exprs_eval(const struct leat_cell_exprs *e,
                                       struct leat_stateful_memory *m, struct leat_task *task,
                                       struct leat_slice *what)
{
    if (!e->is_record)
        return eval_one(&e->list[0], m, task, what);
    struct leat_record *r = leat_record_new(m->cells.arena, e->shape);
    if (!r)
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    for (uint32_t i = 0; i < e->count; i++) {
        r->fields[i] = eval_one(&e->list[i], m, task, what);
        if (r->fields[i].tag == LEAT_ERROR)
            return r->fields[i];
    }
    return (struct leat_value){.tag = LEAT_RECORD, .as.record = r};
}

struct leat_value leat_cell_bool(const struct leat_program *p, struct leat_stateful_memory *m,
                                 struct leat_task *task, struct leat_slice *what)
{
    struct leat_value v = leat_cell_eval(p, m, task, what);

    if (v.tag == LEAT_BOOL || v.tag == LEAT_ERROR)
        return v;
    *what = leat_program_source(p);
    return leat_value_fail(LEAT_V_TYPE, "the expression gives no bool");
}

/* False: it cannot be written, and nothing of it was. */
static bool put_json(struct leat_value v, struct leat_bytes *text)
{
    size_t len = text->len;
    struct leat_value why;

    if (v.tag != LEAT_ERROR && leat_json_write(v, text, &why))
        return true;
    text->len = len;
    return false;
}

/* The values that crossed, as a JSON object; or all of the row, where that did. */
static struct leat_slice left_of_row(const struct leat_stateful *plan,
                                     struct leat_stateful_memory *m)
{
    struct leat_bytes text = {.arena = m->cells.arena};

    for (uint32_t i = 0; i < plan->cross_count; i++) {
        const struct leat_cross *c = &plan->cross[i];
        struct leat_value v = m->cell[c->cell];
        size_t len = text.len;
        if (c->count != 1)
            continue;
        if (leat_slice_eq(c->path[0], LEAT_LIT("this"))) {
            struct leat_bytes whole = {.arena = m->cells.arena};
            if (put_json(v, &whole))
                return leat_bytes_slice(&whole);
            continue;
        }
        leat_bytes_put(&text, len ? "," : "{", 1);
        (void)put_json(leat_string(c->path[0]), &text);
        leat_bytes_put(&text, ":", 1);
        if (!put_json(v, &text))
            text.len = len;
    }
    if (text.len)
        leat_bytes_put(&text, "}", 1);
    return text.len ? leat_bytes_slice(&text) : (struct leat_slice){0};
}

enum leat_status leat_stateful_bad(const struct leat_stateful *plan, struct leat_stateful_memory *m,
                                   struct leat_task *task, const struct leat_stateful_row *row,
                                   struct leat_value why, struct leat_slice what,
                                   struct leat_error *err)
{
    struct leat_work w = {.task = task};
    struct leat_value key = m->cell[LEAT_COL_KEY];
    struct leat_bytes text = {.arena = m->cells.arena};

    if (task->on_error == LEAT_ON_ERROR_DLQ) {
        if (key.tag == LEAT_STRING)
            w.key = leat_value_text(key);
        else if (key.tag != LEAT_NULL && put_json(key, &text))
            w.key = leat_bytes_slice(&text);
        if (row)
            w.value = left_of_row(plan, m);
    }
    return leat_group_bad(&w, why, what, err);
}

enum leat_status leat_stateful_mark(struct leat_task *task, uint32_t rows,
                                    struct leat_stateful_mark *mark, struct leat_error *err)
{
    if (task->out->rows + rows > LEAT_CHUNK_ROWS && leat_out_flush(task, err) != LEAT_OK)
        return err->status;
    mark->arena = leat_arena_mark(task->out->arena);
    mark->rows = task->out->rows;
    return LEAT_OK;
}

void leat_stateful_tidy(struct leat_task *task, const struct leat_stateful_mark *mark)
{
    if (task->out->rows == mark->rows)
        leat_arena_rewind(task->out->arena, mark->arena);
}

void leat_stateful_row(struct leat_stateful_memory *m, struct leat_task *task, int64_t time_ms,
                       uint32_t *row)
{
    *row = task->out->rows;
    leat_chunk_add(task->out, &(struct leat_row){.time_ms = time_ms});
    task->out->columns[LEAT_COL_KEY][*row] = m->cell[LEAT_COL_KEY];
}

/* ---- state */

enum leat_status leat_stateful_store(const struct leat_stateful *plan,
                                     struct leat_stateful_memory *m, uint32_t number,
                                     struct leat_slice key, uint32_t hash, int64_t due_ms,
                                     uint32_t *now, struct leat_error *err)
{
    struct leat_slice value = leat_bytes_slice(&m->encoded);

    if (m->encoded.failed)
        return leat_arena_failed(&m->scratch, err);
    *now = number;
    if (number && leat_slice_eq(leat_state_value(&m->table, number), value) &&
        (!plan->timed || leat_state_due_ms(&m->table, number) == due_ms))
        return LEAT_OK;
    return leat_state_put(&m->table, key, hash, value, due_ms, now, err);
}

int64_t leat_stateful_due_ms(const struct leat_stateful *plan, const struct leat_task *task,
                             int64_t row_ms, int64_t old_ms)
{
    int64_t due_ms, from_ms = plan->event_time ? row_ms : task->batch->time_ms;

    if (!plan->timed)
        return 0;
    if (__builtin_add_overflow(from_ms, plan->timeout_ms, &due_ms))
        due_ms = INT64_MAX;
    due_ms = due_ms > LEAT_TIMER_MAX_MS ? LEAT_TIMER_MAX_MS : due_ms;
    return old_ms != LEAT_NO_TIME && old_ms > due_ms ? old_ms : due_ms;
}

bool leat_stateful_is_over(const struct leat_stateful *plan, const struct leat_task *task,
                           int64_t due_ms, int64_t row_ms)
{
    if (!plan->event_time)
        row_ms = task->batch->time_ms - task->batch->interval_ms;
    return due_ms <= row_ms;
}

enum leat_status leat_stateful_store_fresh(const struct leat_stateful *plan,
                                           struct leat_stateful_memory *m,
                                           const struct leat_task *task, uint32_t number,
                                           const struct leat_stateful_row *row,
                                           struct leat_error *err)
{
    int64_t old_ms = LEAT_NO_TIME;
    uint32_t now;

    if (number && plan->timed)
        old_ms = leat_state_due_ms(&m->table, number);
    return leat_stateful_store(plan, m, number, row->key, row->hash,
                               leat_stateful_due_ms(plan, task, row->time_ms, old_ms), &now, err);
}

enum leat_status leat_stateful_take_state(struct leat_stateful_memory *m, uint32_t number,
                                          uint32_t cell, struct leat_error *err)
{
    m->cell[cell] = (struct leat_value){0};
    if (!number)
        return LEAT_OK;
    struct leat_slice bytes = leat_arena_copy(m->cells.arena, leat_state_value(&m->table, number));
    if (!bytes.ptr)
        return leat_arena_failed(m->cells.arena, err);
    return leat_value_decode(&bytes, m->cells.arena, &m->cell[cell], err);
}

/* ---- row by row, key by key */

/* Before row i is dealt with: those behind it come into the cache. */
static void look_ahead(const struct leat_stateful_memory *m, uint32_t i)
{
    if (i + LEAT_LOOK_AHEAD < m->rows_count)
        leat_state_look_ahead(&m->table, m->rows[i + LEAT_LOOK_AHEAD].hash, false);
    if (i + LEAT_LOOK_AHEAD / 2 < m->rows_count)
        leat_state_look_ahead(&m->table, m->rows[i + LEAT_LOOK_AHEAD / 2].hash, true);
}

static enum leat_status one_row(const void *plan, const struct leat_stateful_calls *calls,
                                struct leat_stateful_memory *m, struct leat_task *task,
                                const struct leat_stateful_row *row, struct leat_error *err)
{
    const struct leat_stateful *p = plan;
    uint32_t number = leat_state_find(&m->table, row->key, row->hash);

    if (number && p->timed &&
        leat_stateful_is_over(p, task, leat_state_due_ms(&m->table, number), row->time_ms)) {
        if (calls->over(plan, m, task, number, err) != LEAT_OK)
            return err->status;
        number = 0;
    }
    if (leat_stateful_set_key(p, m, row->key, err) != LEAT_OK ||
        leat_stateful_set_row(p, m, row, err) != LEAT_OK)
        return err->status;
    return calls->row(plan, m, task, number, row, err);
}

enum leat_status leat_stateful_each_row(const void *plan, const struct leat_stateful_calls *calls,
                                        struct leat_stateful_memory *m, struct leat_task *task,
                                        struct leat_error *err)
{
    struct leat_stateful_mark at = {0};
    uint32_t number;

    for (uint32_t i = 0; i < m->rows_count; i++) {
        look_ahead(m, i);
        if (leat_stateful_mark(task, 2, &at, err) != LEAT_OK ||
            one_row(plan, calls, m, task, &m->rows[i], err) != LEAT_OK)
            return err->status;
        leat_stateful_tidy(task, &at);
    }
    if (!m->table.timed || task->watermark_ms == LEAT_NO_TIME)
        return LEAT_OK;
    while ((number = leat_state_take_due(&m->table, task->watermark_ms))) {
        if (leat_stateful_mark(task, 1, &at, err) != LEAT_OK ||
            calls->over(plan, m, task, number, err) != LEAT_OK)
            return err->status;
        leat_stateful_tidy(task, &at);
    }
    return LEAT_OK;
}

enum leat_status leat_stateful_each_key(const void *plan, leat_stateful_key_call *call,
                                        struct leat_stateful_memory *m, struct leat_task *task,
                                        struct leat_error *err)
{
    struct leat_state_walk walk = {0};
    struct leat_stateful_mark at = {0};
    uint32_t number;

    while ((number = leat_state_next(&m->table, &walk))) {
        if (leat_stateful_mark(task, 1, &at, err) != LEAT_OK ||
            call(plan, m, task, number, err) != LEAT_OK)
            return err->status;
        leat_stateful_tidy(task, &at);
    }
    return LEAT_OK;
}

/* ---- the log */

enum leat_status leat_stateful_append(const void *plan, void *memory, struct leat_bytes *delta,
                                      struct leat_error *err)
{
    struct leat_stateful_memory *m = memory;

    (void)plan;
    return leat_state_append(&m->table, delta, err);
}

enum leat_status leat_stateful_snapshot(const void *plan, void *memory, struct leat_bytes *all,
                                        struct leat_error *err)
{
    struct leat_stateful_memory *m = memory;

    (void)plan;
    return leat_state_snapshot(&m->table, all, err);
}

bool leat_stateful_snapshot_more(const void *plan, void *memory, size_t *most)
{
    struct leat_stateful_memory *m = memory;

    (void)plan;
    return leat_state_snapshot_more(&m->table, most);
}

enum leat_status leat_stateful_read(const void *plan, void *memory, struct leat_slice bytes,
                                    struct leat_error *err)
{
    struct leat_stateful_memory *m = memory;

    (void)plan;
    return leat_state_read(&m->table, bytes, err);
}

void leat_stateful_measure(const void *plan, const void *memory, uint64_t *keys, uint64_t *bytes)
{
    const struct leat_stateful_memory *m = memory;

    (void)plan;
    *keys = m->table.keys;
    *bytes = m->table.heap.used;
}

int64_t leat_stateful_due(const void *plan, const void *memory)
{
    const struct leat_stateful_memory *m = memory;

    (void)plan;
    return leat_wheel_next_ms(&m->table.wheel); /* LEAT_NO_TIME: nothing */
}

void leat_stateful_shape(const struct leat_stateful *plan, const char *op, struct leat_bytes *text)
{
    leat_shape_say(text, "%s 1; key ", op);
    leat_bytes_put(text, plan->key_text.ptr, plan->key_text.len);
    leat_shape_say(text, "; %s; ",
                   !plan->timed       ? "kept for ever"
                   : plan->event_time ? "due in event time"
                                      : "due in batch time");
}
