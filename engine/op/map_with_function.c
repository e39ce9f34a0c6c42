/*
 * map_with_function.c - `map_with_function`: the C library's map_with_state. A function is called
 * with each element of a key and with the key's state, which is one value.
 *
 * The function gives a list of what becomes of the state (enum leat_becomes), the new state, and
 * what comes out; null: nothing does. A key without an element for `timeout` is told to it and
 * removed. With `initial` values are lists of two: 1 and what a key's state is to begin with, or 0
 * and an element; the first stand before the others. With `snapshots` what comes out is a list of
 * two: 0 and a result, or 1 and a list of key and state, for all keys behind every batch.
 */
#include "op/map_with_function.h"
#include "base/module.h"
#include "op/group_build.h"
#include "op/shape.h"
#include "op/stateful.h"

struct map_with_function {
    struct leat_stateful stateful; /* first */
    const struct leat_program *call;
    uint32_t value_cell, state_cell, over_cell;

    struct leat_expression function;
    struct leat_duration timeout;
    bool initial, snapshots;
};

/* Null: out of memory. */
static struct leat_value tagged(struct leat_arena *arena, int64_t tag, struct leat_value v)
{
    struct leat_value *two = leat_arena_array(arena, 2, sizeof *two);

    if (!two)
        return (struct leat_value){0};
    two[0] = leat_int(tag);
    two[1] = v;
    return (struct leat_value){.tag = LEAT_LIST, .len = 2, .as.items = two};
}

static enum leat_status emit(const struct map_with_function *p, struct leat_stateful_memory *m,
                             struct leat_task *task, int64_t tag, struct leat_value v,
                             int64_t time_ms, struct leat_error *err)
{
    uint32_t row;

    if (p->snapshots) {
        v = tagged(m->cells.arena, tag, v);
        if (v.tag == LEAT_NULL)
            return leat_arena_failed(m->cells.arena, err);
    }
    leat_stateful_row(m, task, time_ms, &row);
    task->out->columns[LEAT_COL_THIS][row] = v;
    return LEAT_OK;
}

/* Key and state are in their cells. */
static struct leat_value ask(const struct map_with_function *p, struct leat_stateful_memory *m,
                             struct leat_task *task, bool over, struct leat_slice *what)
{
    m->cell[p->over_cell] = leat_bool(over);
    if (over)
        m->cell[p->value_cell] = (struct leat_value){0};
    struct leat_value v = leat_cell_eval(p->call, m, task, what);
    if (v.tag == LEAT_ERROR || (v.tag == LEAT_LIST && v.len == 3))
        return v;
    *what = leat_program_source(p->call);
    return leat_value_fail(LEAT_V_TYPE, "the function says nothing of the state");
}

/* Both into their cells, and copied: they may move. */
static enum leat_status take_key(const struct map_with_function *p, struct leat_stateful_memory *m,
                                 uint32_t number, struct leat_error *err)
{
    struct leat_slice key = leat_arena_copy(m->cells.arena, leat_state_key(&m->table, number));

    if (!key.ptr)
        return leat_arena_failed(m->cells.arena, err);
    if (leat_stateful_set_key(&p->stateful, m, key, err) != LEAT_OK)
        return err->status;
    return leat_stateful_take_state(m, number, p->state_cell, err);
}

static enum leat_status time_out(const void *plan, struct leat_stateful_memory *m,
                                 struct leat_task *task, uint32_t number, struct leat_error *err)
{
    const struct map_with_function *p = plan;
    int64_t due_ms = leat_state_due_ms(&m->table, number);
    struct leat_slice what = {0};

    if (take_key(p, m, number, err) != LEAT_OK ||
        leat_state_remove(&m->table, number, err) != LEAT_OK)
        return err->status;
    struct leat_value v = ask(p, m, task, true, &what);
    if (v.tag == LEAT_ERROR)
        return leat_stateful_bad(&p->stateful, m, task, NULL, v, what, err);
    if (v.as.items[2].tag == LEAT_NULL)
        return LEAT_OK;
    return emit(p, m, task, 0, v.as.items[2],
                p->stateful.event_time ? due_ms : task->batch->time_ms - 1, err);
}

/* A key that had an element is fresh again, whether its state changed or not. */
static enum leat_status store(const struct map_with_function *p, struct leat_stateful_memory *m,
                              const struct leat_task *task, uint32_t number,
                              const struct leat_stateful_row *row, struct leat_value state,
                              struct leat_error *err)
{
    m->encoded.len = 0;
    leat_value_encode(state, &m->encoded);
    return leat_stateful_store_fresh(&p->stateful, m, task, number, row, err);
}

static enum leat_status take_over(const struct map_with_function *p, struct leat_stateful_memory *m,
                                  struct leat_task *task, uint32_t number,
                                  const struct leat_stateful_row *row, struct leat_value v,
                                  struct leat_error *err)
{
    int64_t becomes = v.as.items[0].as.i;
    struct leat_value state = becomes == LEAT_BECOMES_NEW ? v.as.items[1] : m->cell[p->state_cell];

    if (v.as.items[2].tag != LEAT_NULL &&
        emit(p, m, task, 0, v.as.items[2], row->time_ms, err) != LEAT_OK)
        return err->status;
    if (becomes == LEAT_BECOMES_NOTHING)
        return number ? leat_state_remove(&m->table, number, err) : LEAT_OK;
    if (becomes == LEAT_BECOMES_NEW || (number && p->stateful.timed))
        return store(p, m, task, number, row, state, err);
    return LEAT_OK;
}

/* Into its cell; *first: what a state begins with. */
static struct leat_value take_value(const struct map_with_function *p,
                                    struct leat_stateful_memory *m, bool *first)
{
    struct leat_value v = m->cell[p->value_cell];

    *first = false;
    if (!p->initial)
        return v;
    if (v.tag != LEAT_LIST || v.len != 2)
        return leat_value_fail(LEAT_V_TYPE, "a value without its tag");
    *first = v.as.items[0].as.i == 1;
    return m->cell[p->value_cell] = v.as.items[1];
}

static enum leat_status take_row(const void *plan, struct leat_stateful_memory *m,
                                 struct leat_task *task, uint32_t number,
                                 const struct leat_stateful_row *row, struct leat_error *err)
{
    const struct map_with_function *p = plan;
    struct leat_slice what = leat_program_source(p->call);
    bool first;

    if (leat_stateful_take_state(m, number, p->state_cell, err) != LEAT_OK)
        return err->status;
    struct leat_value v = take_value(p, m, &first);
    if (first) {
        struct leat_stateful_row now = *row; /* where rows have times, its own only puts it first */
        now.time_ms = task->batch->time_ms;
        return store(p, m, task, number, &now, v, err);
    }
    if (v.tag != LEAT_ERROR)
        v = ask(p, m, task, false, &what);
    if (v.tag == LEAT_ERROR)
        return leat_stateful_bad(&p->stateful, m, task, row, v, what, err);
    return take_over(p, m, task, number, row, v, err);
}

static enum leat_status tell(const void *plan, struct leat_stateful_memory *m,
                             struct leat_task *task, uint32_t number, struct leat_error *err)
{
    const struct map_with_function *p = plan;
    struct leat_value *two = leat_arena_array(m->cells.arena, 2, sizeof *two);

    if (!two)
        return leat_arena_failed(m->cells.arena, err);
    if (take_key(p, m, number, err) != LEAT_OK)
        return err->status;
    two[0] = m->cell[LEAT_COL_KEY];
    two[1] = m->cell[p->state_cell];
    return emit(p, m, task, 1, (struct leat_value){.tag = LEAT_LIST, .len = 2, .as.items = two},
                task->batch->time_ms - 1, err);
}

static enum leat_status finish(const void *plan, void *memory, struct leat_task *task,
                               struct leat_error *err)
{
    static const struct leat_stateful_calls calls = {take_row, time_out};
    const struct map_with_function *p = plan;

    leat_stateful_begin(&p->stateful, memory, task);
    if (leat_stateful_each_row(p, &calls, memory, task, err) != LEAT_OK ||
        (p->snapshots && leat_stateful_each_key(p, tell, memory, task, err) != LEAT_OK))
        return err->status;
    return leat_stateful_end(memory, task, err);
}

static void shape(const void *plan, struct leat_bytes *text)
{
    const struct map_with_function *p = plan;

    leat_stateful_shape(&p->stateful, "map_with_function", text);
}

/* ---- build */

static const struct leat_opt options[] = {
    LEAT_OPT(struct map_with_function, function, .help = "What is called."),
    LEAT_OPT(struct map_with_function, timeout, .def = "0ms", .max = LEAT_OPT_NO_MAX,
             .help = "A key without an element for so long is removed; 0ms: none is."),
    LEAT_OPT(struct map_with_function, initial, .def = "false",
             .help = "Values say whether they are a state to begin with."),
    LEAT_OPT(struct map_with_function, snapshots, .def = "false",
             .help = "All keys and their states come out, too."),
    {0},
};

static void build_call(struct map_with_function *p, struct leat_build *b)
{
    const struct leat_type *any = leat_type_of_kind(LEAT_T_ANY);
    struct leat_stateful_names names;
    struct leat_local_name locals[3];

    leat_stateful_names_init(&names, &p->stateful, b);
    if (b->diags->no_memory)
        return;
    p->value_cell = leat_stateful_whole_value(&names);
    p->state_cell = p->stateful.cells++;
    p->over_cell = p->stateful.cells++;
    locals[0] = (struct leat_local_name){LEAT_LIT("value"), p->value_cell, any};
    locals[1] = (struct leat_local_name){LEAT_LIT("state"), p->state_cell, any};
    locals[2] = (struct leat_local_name){LEAT_LIT("over"), p->over_cell, any};
    names.locals = locals;
    names.locals_count = 3;
    names.only = "the function sees key, value and state";
    names.names.given_by = NULL;
    p->call = leat_cell_program(&names, p->function.node, false, b->diags);
    leat_stateful_built(&names);
    leat_group_out_value(b, NULL);
    b->out->has_key = false;
}

static void build(void *plan, struct leat_build *b)
{
    struct map_with_function *p = plan;

    if (leat_build_need_arg(b, "a function"))
        return;
    leat_build_options(b, options, p);
    b->on_empty = p->snapshots;
    if (leat_stateful_build(&p->stateful, b, p->timeout.ms) && p->function.node)
        build_call(p, b);
}

static const struct leat_state state = LEAT_STATEFUL_STATE(shape);

static const struct leat_op op = LEAT_STATEFUL_OP(
    &state, .internal = true, .known_as = "map_with_state", .finish = finish, .build = build);

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "map_with_function",
    .summary = "a function is called with each element of a key, and its state",
    .self_size = sizeof(struct map_with_function),
    .opts = options,
    .op = &op,
};

LEAT_MODULE(module);
