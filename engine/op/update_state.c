/*
 * update_state.c - update_state_by_key: per key an expression makes the new state from the old one
 * and the values of the batch.
 *
 * A key is called once per batch in which it has rows, with all its values; with `keys: all`, as in
 * Spark, every key that has state is called in every batch. What the expression gives is the state
 * from then on, and what comes out; null removes it. With `ttl` a key that has had no row for so
 * long is removed and says nothing.
 */
#include "base/module.h"
#include "op/group_build.h"
#include "op/shape.h"
#include "op/stateful.h"
#include "op/table.h"

struct update_state {
    struct leat_stateful stateful; /* first */
    const struct leat_program *update;
    uint32_t values_cell, state_cell, row_cell;
    bool all;

    struct leat_expression update_expr;
    struct leat_choice keys;
    struct leat_duration ttl;
};

/* The rows of one key in a batch. */
struct run {
    uint32_t first, last; /* + 1 */
    uint32_t count;
    int64_t least_ms, most_ms;
};

static struct run *run_of(struct leat_entry *e)
{
    return (struct run *)e->memory;
}

/* ---- one key */

static enum leat_status take_values(const struct update_state *p, struct leat_stateful_memory *m,
                                    const struct run *run, struct leat_error *err)
{
    struct leat_value *items = leat_arena_array(m->cells.arena, run->count + 1, sizeof *items);
    uint32_t count = 0;

    if (!items)
        return leat_arena_failed(m->cells.arena, err);
    for (uint32_t i = run->first; i; i = m->rows[i - 1].next) {
        if (leat_stateful_set_row(&p->stateful, m, &m->rows[i - 1], err) != LEAT_OK)
            return err->status;
        items[count++] = m->cell[p->row_cell];
    }
    m->cell[p->values_cell] =
        (struct leat_value){.tag = LEAT_LIST, .len = count, .as.items = items};
    return LEAT_OK;
}

/* A key that is asked for its state. */
struct call {
    uint32_t number, hash;
    struct leat_slice key;
    int64_t due_ms, time_ms;
    bool mark; /* it has spoken in this batch */
};

static enum leat_status store_and_emit(const struct update_state *p, struct leat_stateful_memory *m,
                                       struct leat_task *task, const struct call *c,
                                       struct leat_value state, struct leat_error *err)
{
    uint32_t row, now;

    if (state.tag == LEAT_NULL)
        return c->number ? leat_state_remove(&m->table, c->number, err) : LEAT_OK;
    m->encoded.len = 0;
    leat_value_encode(state, &m->encoded);
    if (leat_stateful_store(&p->stateful, m, c->number, c->key, c->hash, c->due_ms, &now, err))
        return err->status;
    leat_stateful_row(m, task, c->time_ms, &row);
    task->out->columns[LEAT_COL_THIS][row] = state;
    if (c->mark)
        leat_state_mark(&m->table, now, true);
    return LEAT_OK;
}

static enum leat_status update(const struct update_state *p, struct leat_stateful_memory *m,
                               struct leat_task *task, const struct call *c, struct leat_error *err)
{
    struct leat_slice what = {0};

    if (leat_stateful_set_key(&p->stateful, m, c->key, err) != LEAT_OK ||
        leat_stateful_take_state(m, c->number, p->state_cell, err) != LEAT_OK)
        return err->status;
    struct leat_value state = leat_cell_eval(p->update, m, task, &what);
    if (state.tag == LEAT_ERROR)
        return leat_stateful_bad(&p->stateful, m, task, NULL, state, what, err);
    return store_and_emit(p, m, task, c, state, err);
}

static enum leat_status update_touched(const struct update_state *p, struct leat_stateful_memory *m,
                                       struct leat_task *task, const struct run *run,
                                       struct leat_error *err)
{
    const struct leat_stateful *s = &p->stateful;
    const struct leat_stateful_row *first = &m->rows[run->first - 1];
    int64_t old_ms = LEAT_NO_TIME;
    struct call c = {.number = leat_state_find(&m->table, first->key, first->hash),
                     .hash = first->hash,
                     .key = first->key,
                     .time_ms = s->event_time ? run->most_ms : task->batch->time_ms - 1,
                     .mark = p->all};

    if (c.number && s->timed)
        old_ms = leat_state_due_ms(&m->table, c.number);
    if (old_ms != LEAT_NO_TIME && leat_stateful_is_over(s, task, old_ms, run->least_ms)) {
        if (leat_state_remove(&m->table, c.number, err) != LEAT_OK)
            return err->status;
        c.number = 0;
        old_ms = LEAT_NO_TIME;
    }
    c.due_ms = leat_stateful_due_ms(s, task, run->most_ms, old_ms);
    if (take_values(p, m, run, err) != LEAT_OK)
        return err->status;
    return update(p, m, task, &c, err);
}

/* ---- a batch */

static enum leat_status group_rows(struct leat_stateful_memory *m, struct leat_table *runs,
                                   struct leat_error *err)
{
    for (uint32_t i = 0; i < m->rows_count; i++) {
        struct leat_stateful_row *row = &m->rows[i];
        uint64_t hash = (uint64_t)row->hash << 32 | row->hash;
        bool made;
        struct leat_entry *e = leat_table_at(runs, hash, 0, row->key, &made);
        if (!e)
            return leat_arena_failed(runs->pool->arena, err);
        struct run *run = run_of(e);
        if (made)
            *run = (struct run){.first = i + 1, .least_ms = row->time_ms, .most_ms = row->time_ms};
        else
            m->rows[run->last - 1].next = i + 1;
        run->last = i + 1;
        if (made)
            leat_state_look_ahead(&m->table, row->hash, false);
        run->count++;
        run->least_ms = row->time_ms < run->least_ms ? row->time_ms : run->least_ms;
        run->most_ms = row->time_ms > run->most_ms ? row->time_ms : run->most_ms;
    }
    return LEAT_OK;
}

static enum leat_status touched(const struct update_state *p, struct leat_stateful_memory *m,
                                struct leat_task *task, struct leat_error *err)
{
    struct leat_pool pool = {.arena = task->arena};
    struct leat_table runs = {.pool = &pool, .value_size = sizeof(struct run)};

    if (group_rows(m, &runs, err) != LEAT_OK)
        return err->status;
    const struct leat_entry *ahead = runs.first;
    for (uint32_t i = 0; ahead && i < LEAT_LOOK_AHEAD / 2; i++)
        ahead = ahead->next;
    for (struct leat_entry *e = runs.first; e; e = e->next) {
        struct leat_stateful_mark at;
        if (ahead) {
            leat_state_look_ahead(&m->table, (uint32_t)ahead->hash, true);
            ahead = ahead->next;
        }
        if (leat_stateful_mark(task, 1, &at, err) != LEAT_OK ||
            update_touched(p, m, task, run_of(e), err) != LEAT_OK)
            return err->status;
        leat_stateful_tidy(task, &at);
    }
    return LEAT_OK;
}

static enum leat_status expire(struct leat_stateful_memory *m, const struct leat_task *task,
                               struct leat_error *err)
{
    uint32_t number;

    if (!m->table.timed || task->watermark_ms == LEAT_NO_TIME)
        return LEAT_OK;
    while ((number = leat_state_take_due(&m->table, task->watermark_ms)))
        if (leat_state_remove(&m->table, number, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

/* Those that had rows have spoken already: they are marked. A key without rows keeps the time at
 * which it is due. */
static enum leat_status update_other(const void *plan, struct leat_stateful_memory *m,
                                     struct leat_task *task, uint32_t number,
                                     struct leat_error *err)
{
    const struct update_state *p = plan;

    if (leat_state_is_marked(&m->table, number)) {
        leat_state_mark(&m->table, number, false);
        return LEAT_OK;
    }
    struct call c = {.number = number,
                     .key = leat_arena_copy(m->cells.arena, leat_state_key(&m->table, number)),
                     .time_ms = task->batch->time_ms - 1};

    if (!c.key.ptr)
        return leat_arena_failed(m->cells.arena, err);
    c.hash = leat_state_hash(leat_key_hash(c.key));
    if (p->stateful.timed)
        c.due_ms = leat_state_due_ms(&m->table, number);
    if (p->stateful.event_time && task->watermark_ms != LEAT_NO_TIME)
        c.time_ms = task->watermark_ms;
    m->cell[p->values_cell] = (struct leat_value){.tag = LEAT_LIST};
    return update(p, m, task, &c, err);
}

static enum leat_status finish(const void *plan, void *memory, struct leat_task *task,
                               struct leat_error *err)
{
    const struct update_state *p = plan;
    struct leat_stateful_memory *m = memory;

    leat_stateful_begin(&p->stateful, m, task);
    if (touched(p, m, task, err) != LEAT_OK || expire(m, task, err) != LEAT_OK ||
        (p->all && leat_stateful_each_key(p, update_other, m, task, err) != LEAT_OK))
        return err->status;
    return leat_stateful_end(m, task, err);
}

static void shape(const void *plan, struct leat_bytes *text)
{
    const struct update_state *p = plan;

    leat_stateful_shape(&p->stateful, "update_state_by_key", text);
}

/* ---- build */

static const char *const key_words[] = {"touched", "all", NULL};

static const struct leat_opt options[] = {
    {.name = "update",
     .kind = LEAT_OPT_EXPR,
     .offset = offsetof(struct update_state, update_expr),
     .help = "The new state; sees key, values and state (null: there is none yet)."},
    LEAT_OPT(struct update_state, keys, .def = "touched", .choices = key_words,
             .help = "touched: keys with records are called; all: every key, every batch."),
    LEAT_OPT(struct update_state, ttl, .def = "0ms", .max = LEAT_OPT_NO_MAX,
             .help = "A key without a record for so long is forgotten; 0ms: none is."),
    {0},
};

static const struct leat_type *type_of_values(struct leat_build *b)
{
    struct leat_type *list = leat_arena_alloc(b->arena, sizeof *list);

    if (!list)
        return leat_type_of_kind(LEAT_T_LIST);
    *list = (struct leat_type){.kind = LEAT_T_LIST,
                               .item = b->in_count == 1 ? leat_view_kept_type(&b->in[0], b->arena)
                                                        : NULL};
    return list;
}

static void build_update(struct update_state *p, struct leat_build *b)
{
    struct leat_stateful_names names;
    struct leat_local_name locals[2];

    leat_stateful_names_init(&names, &p->stateful, b);
    if (b->diags->no_memory)
        return;
    p->row_cell = leat_stateful_whole_value(&names);
    p->values_cell = p->stateful.cells++;
    p->state_cell = p->stateful.cells++;
    locals[0] = (struct leat_local_name){LEAT_LIT("values"), p->values_cell, type_of_values(b)};
    locals[1] =
        (struct leat_local_name){LEAT_LIT("state"), p->state_cell, leat_type_of_kind(LEAT_T_ANY)};
    names.locals = locals;
    names.locals_count = 2;
    names.only = "'update' sees key, values and state";
    names.instead = "the fields are those of the values: values.map(v, v.amount).sum()";
    names.names.given_by = NULL;
    p->update = leat_cell_program(&names, p->update_expr.node, false, b->diags);
    leat_stateful_built(&names);
    leat_group_out_value(b, p->update ? leat_program_type(p->update) : NULL);
}

static void build(void *plan, struct leat_build *b)
{
    struct update_state *p = plan;

    if (leat_build_need_arg(b, "an update: { update: size(values) + default(state, 0) }"))
        return;
    leat_build_options(b, options, p);
    p->all = p->keys.index == 1;
    b->on_empty = p->all;
    if (leat_stateful_build(&p->stateful, b, p->ttl.ms) && p->update_expr.node)
        build_update(p, b);
}

static const struct leat_state state = LEAT_STATEFUL_STATE(shape);

static const struct leat_op update_state_op = LEAT_STATEFUL_OP(
    &state, .finish = finish, .build = build,
    .argument = "{ update: EXPR over key, values, state; keys: touched|all; ttl }");

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "update_state_by_key",
    .summary = "per key its state, made anew from the values of the batch; null removes it",
    .self_size = sizeof(struct update_state),
    .opts = options,
    .op = &update_state_op,
};

LEAT_MODULE(module);
