/*
 * map_with_state.c - map_with_state: each record changes the state of its key and may say
 * something.
 *
 * The state is a record whose fields are those of `init` and `update`: they are cells, and what is
 * stored has no names. For a record `update` is evaluated over the state as it was, and merged into
 * it; then `when`, `emit` and `remove` see both. All of them come first and the state is changed
 * last, so a record that fails changes nothing.
 *
 * With `timeout` a key that has had no record for so long is told to `on_timeout` and removed. When
 * a record comes so long after the last one of its key, the time-out is first: so what comes out
 * does not depend on where batches end.
 */
#include "base/module.h"
#include "data/key.h"
#include "data/value_ops.h"
#include "op/group_build.h"
#include "op/shape.h"
#include "op/stateful.h"

struct map_with_state {
    struct leat_stateful stateful;  /* first */
    const struct leat_shape *shape; /* of the state */
    uint32_t state_first, prev_first, state_whole, prev_whole;
    struct leat_cell_exprs init, update, emit, on_timeout;
    uint32_t *init_at, *update_at; /* the fields of the state that they give */
    const struct leat_program *when, *remove;
    bool emits, tells; /* there is `emit`, `on_timeout` */
    bool as_fields;    /* what comes out is a record with these columns: */
    uint32_t *emit_columns, *told_columns;

    struct leat_expression_or_record init_of, update_of, emit_of, on_timeout_of;
    struct leat_expression when_of, remove_of;
    struct leat_duration timeout;
};

/* ---- cells of the state */

static enum leat_status set_whole(const struct map_with_state *p, struct leat_stateful_memory *m,
                                  uint32_t whole, uint32_t first, struct leat_error *err)
{
    if (whole == LEAT_NO_COLUMN)
        return LEAT_OK;
    struct leat_record *r = leat_record_new(m->cells.arena, p->shape);
    if (!r)
        return leat_arena_failed(m->cells.arena, err);
    memcpy(r->fields, &m->cell[first], p->shape->count * sizeof *r->fields);
    m->cell[whole] = (struct leat_value){.tag = LEAT_RECORD, .as.record = r};
    return LEAT_OK;
}

/* The state as it is stored, into `state`. It is copied first: it may move. */
static enum leat_status read_state(const struct map_with_state *p, struct leat_stateful_memory *m,
                                   uint32_t number, struct leat_error *err)
{
    struct leat_slice bytes = leat_arena_copy(m->cells.arena, leat_state_value(&m->table, number));

    if (!bytes.ptr)
        return leat_arena_failed(m->cells.arena, err);
    for (uint32_t i = 0; i < p->shape->count; i++)
        if (leat_value_decode(&bytes, m->cells.arena, &m->cell[p->state_first + i], err))
            return err->status;
    return LEAT_OK;
}

/* What a function gave for all of `update`: a map with fields of the state. */
static struct leat_value merge(const struct map_with_state *p, struct leat_stateful_memory *m,
                               struct leat_value v)
{
    v = leat_value_expand(v, m->cells.arena);
    if (v.tag != LEAT_MAP)
        return v.tag == LEAT_ERROR
                   ? v
                   : leat_value_fail(LEAT_V_TYPE, "the function gives no fields of the state");
    for (uint32_t i = 0; i < v.len; i++)
        if (v.as.items[2 * i].tag != LEAT_STRING ||
            leat_shape_find(p->shape, leat_value_text(v.as.items[2 * i])) < 0)
            return leat_value_fail(LEAT_V_ARGUMENT,
                                   "the function gives a field that the state has not: 'init' has "
                                   "all of them");
    for (uint32_t i = 0; i < v.len; i++)
        m->cell[p->state_first +
                (uint32_t)leat_shape_find(p->shape, leat_value_text(v.as.items[2 * i]))] =
            v.as.items[2 * i + 1];
    return v;
}

/* Evaluate the fields and put them there when all of them are good. */
static struct leat_value set_fields(const struct map_with_state *p, struct leat_stateful_memory *m,
                                    struct leat_task *task, const struct leat_cell_exprs *e,
                                    const uint32_t *at, struct leat_slice *what)
{
    struct leat_value v = leat_cell_exprs_eval(e, m, task, what);

    if (!e->is_record) {
        *what = leat_program_source(e->list[0].program);
        return merge(p, m, v);
    }
    for (uint32_t i = 0; v.tag == LEAT_RECORD && i < e->count; i++)
        m->cell[p->state_first + at[i]] = v.as.record->fields[i];
    return v;
}

static struct leat_value init_state(const struct map_with_state *p, struct leat_stateful_memory *m,
                                    struct leat_task *task, struct leat_slice *what)
{
    for (uint32_t i = 0; i < p->shape->count; i++)
        m->cell[p->state_first + i] =
            leat_value_fail(LEAT_V_ABSENT, "'update' has not given this field yet");
    return set_fields(p, m, task, &p->init, p->init_at, what);
}

/* ---- what comes out */

static void emit(const struct map_with_state *p, struct leat_stateful_memory *m,
                 struct leat_task *task, const struct leat_cell_exprs *e, const uint32_t *columns,
                 struct leat_value v, int64_t time_ms)
{
    uint32_t row;

    leat_stateful_row(m, task, time_ms, &row);
    if (!p->as_fields) {
        task->out->columns[LEAT_COL_THIS][row] = v;
        return;
    }
    for (uint32_t i = 0; i < e->count; i++)
        task->out->columns[columns[i]][row] = v.as.record->fields[i];
}

/* The key is due: it says so and is gone. What its expression cannot say is an error, and the key
 * is gone all the same. */
static enum leat_status time_out(const void *plan, struct leat_stateful_memory *m,
                                 struct leat_task *task, uint32_t number, struct leat_error *err)
{
    const struct map_with_state *p = plan;
    int64_t due_ms = leat_state_due_ms(&m->table, number);
    struct leat_slice key = {0}, what = {0};

    if (p->tells) {
        key = leat_arena_copy(m->cells.arena, leat_state_key(&m->table, number));
        if (!key.ptr)
            return leat_arena_failed(m->cells.arena, err);
        if (leat_stateful_set_key(&p->stateful, m, key, err) != LEAT_OK ||
            read_state(p, m, number, err) != LEAT_OK ||
            set_whole(p, m, p->state_whole, p->state_first, err) != LEAT_OK)
            return err->status;
    }
    if (leat_state_remove(&m->table, number, err) != LEAT_OK)
        return err->status;
    if (!p->tells)
        return LEAT_OK;
    struct leat_value v = leat_cell_exprs_eval(&p->on_timeout, m, task, &what);
    if (v.tag == LEAT_ERROR)
        return leat_stateful_bad(&p->stateful, m, task, NULL, v, what, err);
    emit(p, m, task, &p->on_timeout, p->told_columns, v,
         p->stateful.event_time ? due_ms : task->batch->time_ms - 1);
    return LEAT_OK;
}

/* ---- a record */

/* What the expressions said about a record. */
struct said {
    struct leat_value bad, value; /* bad: an error, and `what` failed */
    struct leat_slice what;
    bool speaks, removes;
};

static bool fails(struct said *s, struct leat_value v)
{
    if (v.tag == LEAT_ERROR)
        s->bad = v;
    return v.tag == LEAT_ERROR;
}

/* The cells have the new state and the old one. */
static void judge(const struct map_with_state *p, struct leat_stateful_memory *m,
                  struct leat_task *task, struct said *s)
{
    struct leat_value yes = leat_bool(p->emits), removes = leat_bool(false);

    if (p->when)
        yes = leat_cell_bool(p->when, m, task, &s->what);
    if (fails(s, yes))
        return;
    s->speaks = yes.as.b;
    if (s->speaks) {
        s->value = leat_cell_exprs_eval(&p->emit, m, task, &s->what);
        if (fails(s, s->value))
            return;
    }
    if (p->remove)
        removes = leat_cell_bool(p->remove, m, task, &s->what);
    if (!fails(s, removes))
        s->removes = removes.as.b;
}

/* From the old state, or none, to the new one in its cells; nothing is stored. */
static enum leat_status evaluate(const struct map_with_state *p, struct leat_stateful_memory *m,
                                 struct leat_task *task, uint32_t number, struct said *s,
                                 struct leat_error *err)
{
    struct leat_value *state = &m->cell[p->state_first];

    if (number && read_state(p, m, number, err) != LEAT_OK)
        return err->status;
    if (!number && fails(s, init_state(p, m, task, &s->what)))
        return LEAT_OK;
    memcpy(&m->cell[p->prev_first], state, p->shape->count * sizeof *state);
    if (set_whole(p, m, p->state_whole, p->state_first, err) != LEAT_OK ||
        set_whole(p, m, p->prev_whole, p->prev_first, err) != LEAT_OK)
        return err->status;
    if (fails(s, set_fields(p, m, task, &p->update, p->update_at, &s->what)))
        return LEAT_OK;
    if (set_whole(p, m, p->state_whole, p->state_first, err) != LEAT_OK)
        return err->status;
    judge(p, m, task, s);
    return LEAT_OK;
}

static enum leat_status take_row(const void *plan, struct leat_stateful_memory *m,
                                 struct leat_task *task, uint32_t number,
                                 const struct leat_stateful_row *row, struct leat_error *err)
{
    const struct map_with_state *p = plan;
    struct said s = {0};

    if (evaluate(p, m, task, number, &s, err) != LEAT_OK)
        return err->status;
    if (s.bad.tag == LEAT_ERROR)
        return leat_stateful_bad(&p->stateful, m, task, row, s.bad, s.what, err);
    if (s.speaks)
        emit(p, m, task, &p->emit, p->emit_columns, s.value, row->time_ms);
    if (s.removes)
        return number ? leat_state_remove(&m->table, number, err) : LEAT_OK;
    m->encoded.len = 0;
    for (uint32_t i = 0; i < p->shape->count; i++)
        leat_value_encode(m->cell[p->state_first + i], &m->encoded);
    return leat_stateful_store_fresh(&p->stateful, m, task, number, row, err);
}

static enum leat_status finish(const void *plan, void *memory, struct leat_task *task,
                               struct leat_error *err)
{
    static const struct leat_stateful_calls calls = {take_row, time_out};
    const struct map_with_state *p = plan;

    leat_stateful_begin(&p->stateful, memory, task);
    if (leat_stateful_each_row(p, &calls, memory, task, err) != LEAT_OK)
        return err->status;
    return leat_stateful_end(memory, task, err);
}

static void shape(const void *plan, struct leat_bytes *text)
{
    const struct map_with_state *p = plan;

    leat_stateful_shape(&p->stateful, "map_with_state", text);
    leat_shape_say(text, "fields");
    for (uint32_t i = 0; p->shape && i < p->shape->count; i++) {
        leat_bytes_put(text, " ", 1);
        leat_bytes_put(text, p->shape->names[i].ptr, p->shape->names[i].len);
    }
    leat_bytes_put(text, "; ", 2);
}

/* ---- build */

#define SLOT(which, of_kind, is_optional, text)                                                    \
    {                                                                                              \
        .name = #which, .kind = (of_kind), .offset = offsetof(struct map_with_state, which##_of),  \
        .optional = (is_optional), .help = text                                                    \
    }

static const struct leat_opt options[] = {
    SLOT(init, LEAT_OPT_RECORD, false, "The state of a new key; sees key and the record."),
    SLOT(update, LEAT_OPT_RECORD, false,
         "Fields of the state that a record changes; sees key, the record and state."),
    SLOT(emit, LEAT_OPT_RECORD, true,
         "What comes out for a record; sees key, the record, state and, before the update, prev."),
    SLOT(when, LEAT_OPT_EXPR, true, "Whether it comes out; default: always."),
    LEAT_OPT(struct map_with_state, timeout, .def = "0ms", .max = LEAT_OPT_NO_MAX,
             .help = "A key without a record for so long is removed; 0ms: none is."),
    SLOT(on_timeout, LEAT_OPT_RECORD, true,
         "What comes out when a key is removed by timeout; sees key and state."),
    SLOT(remove, LEAT_OPT_EXPR, true, "Whether the state is removed after this record."),
    {0},
};

struct building {
    struct map_with_state *p;
    struct leat_build *b;
    struct leat_stateful_names names;
    struct leat_stateful_record records[2]; /* state, prev */
    const struct leat_type **types;         /* of the state's fields */
};

static bool check_arguments(const struct map_with_state *p, struct leat_build *b)
{
    uint32_t errors = b->diags->errors;
    const struct leat_node *init = p->init_of.node, *update = p->update_of.node;

    if (init && (init->kind != LEAT_NODE_MAP || init->count == 0))
        leat_diag_error(b->diags, init, "'init' wants { field: EXPR, ... }");
    if (update && !update->handed && (update->kind != LEAT_NODE_MAP || update->count == 0))
        leat_diag_error(b->diags, update, "'update' wants { field: EXPR, ... }");
    if (!p->emit_of.node && !p->on_timeout_of.node)
        leat_diag_hint(b->diags, leat_build_error(b, "nothing comes out of 'map_with_state'"),
                       "give emit, or on_timeout with a timeout");
    if (p->when_of.node && !p->emit_of.node)
        leat_diag_error(b->diags, p->when_of.node, "'when' belongs to 'emit', which is missing");
    if (p->on_timeout_of.node && !p->timeout.ms)
        leat_diag_hint(b->diags,
                       leat_diag_error(b->diags, p->on_timeout_of.node,
                                       "'on_timeout' without a timeout is never asked"),
                       "give timeout: 30m");
    return init && update && b->diags->errors == errors;
}

/* The fields of `init`, then those that only `update` gives; where each one gives which. */
static bool find_shape(struct map_with_state *p, struct leat_build *b)
{
    const struct leat_node *init = p->init_of.node, *update = p->update_of.node;
    struct leat_slice *names =
        leat_arena_array(b->arena, init->count + update->count, sizeof *names);
    uint32_t count = 0;

    p->init_at = leat_arena_array(b->arena, init->count, sizeof *p->init_at);
    p->update_at = leat_arena_array(b->arena, update->count + 1, sizeof *p->update_at);
    if (!names || !p->init_at || !p->update_at)
        return false;
    for (const struct leat_node *n = init->first; n; n = n->next) {
        p->init_at[count] = count;
        names[count++] = n->key;
    }
    uint32_t i = 0;
    for (const struct leat_node *n = update->first; n; n = n->next, i++) {
        uint32_t at = 0;
        while (at < count && !leat_slice_eq(names[at], n->key))
            at++;
        if (at == count)
            names[count++] = n->key;
        p->update_at[i] = at;
    }
    p->shape = leat_shape_intern(b->shapes, names, count);
    return p->shape;
}

static void begin_names(struct building *g)
{
    struct map_with_state *p = g->p;
    uint32_t count = p->shape->count;

    p->state_first = p->stateful.cells;
    p->prev_first = p->state_first + count;
    p->stateful.cells += 2 * count;
    g->records[0] = (struct leat_stateful_record){.name = LEAT_LIT("state"),
                                                  .shape = p->shape,
                                                  .first = p->state_first,
                                                  .whole = LEAT_NO_COLUMN,
                                                  .types = g->types};
    g->records[1] = g->records[0];
    g->records[1].name = LEAT_LIT("prev");
    g->records[1].first = p->prev_first;
    g->names.records = g->records;
    g->names.records_count = 2;
}

/* What is known of the state's fields depends on `update`, and that on them: they begin as what
 * `init` gives, and become more general until both agree. */
static void find_types(struct building *g)
{
    struct map_with_state *p = g->p;
    bool changed = true;

    for (uint32_t i = 0; i < p->shape->count; i++)
        g->types[i] = leat_type_of_kind(LEAT_T_ANY);
    for (uint32_t i = 0; i < p->init.count && !p->update_of.node->handed; i++)
        g->types[p->init_at[i]] = p->init.list[i].type;
    while (changed) {
        struct leat_diags unheard = {.arena = g->b->arena};
        struct leat_cell_exprs update =
            leat_cell_exprs_build(&g->names, p->update_of.node, &unheard);
        changed = false;
        for (uint32_t i = 0; update.is_record && i < update.count; i++) {
            const struct leat_type **type = &g->types[p->update_at[i]], *was = *type;
            *type = leat_type_of_both(was, update.list[i].type);
            changed = changed || *type != was;
        }
    }
}

static void compile_all(struct building *g)
{
    struct map_with_state *p = g->p;
    struct leat_diags *diags = g->b->diags;

    g->records[0].refuse = "'init' makes the state: there is none yet";
    g->records[1].refuse = "there is no 'prev' here: 'emit', 'when' and 'remove' see it";
    p->init = leat_cell_exprs_build(&g->names, p->init_of.node, diags);
    g->records[0].refuse = NULL;
    find_types(g);
    p->update = leat_cell_exprs_build(&g->names, p->update_of.node, diags);
    g->records[1].refuse = NULL;
    if (p->emits)
        p->emit = leat_cell_exprs_build(&g->names, p->emit_of.node, diags);
    if (p->when_of.node)
        p->when = leat_cell_program(&g->names, p->when_of.node, true, diags);
    if (p->remove_of.node)
        p->remove = leat_cell_program(&g->names, p->remove_of.node, true, diags);
    g->records[1].refuse = "'on_timeout' sees key and state";
    g->names.only = "'on_timeout' sees key and state: there is no record";
    g->names.instead = "keep what it needs in the state";
    if (p->tells)
        p->on_timeout = leat_cell_exprs_build(&g->names, p->on_timeout_of.node, diags);
    p->state_whole = g->records[0].whole;
    p->prev_whole = g->records[1].whole;
}

/* Both give the same fields, or only one is there. */
static bool gives_fields(const struct map_with_state *p)
{
    if (!p->emits || !p->tells)
        return p->emits ? p->emit.is_record : p->on_timeout.is_record;
    if (!p->emit.shape || !p->on_timeout.shape || p->emit.count != p->on_timeout.count)
        return false;
    for (uint32_t i = 0; i < p->emit.count; i++)
        if (leat_shape_find(p->emit.shape, p->on_timeout.list[i].name) < 0)
            return false;
    return true;
}

static void set_fields_out(struct building *g)
{
    struct map_with_state *p = g->p;
    struct leat_build *b = g->b;
    const struct leat_cell_exprs *e = p->emits ? &p->emit : &p->on_timeout;
    struct leat_named_expr *list = leat_arena_array(b->arena, e->count + 1, sizeof *list);
    uint32_t *columns = leat_arena_array(b->arena, e->count + 1, sizeof *columns);
    uint32_t *told = leat_arena_array(b->arena, e->count + 1, sizeof *told);

    if (!list || !columns || !told) {
        b->diags->no_memory = true;
        return;
    }
    for (uint32_t i = 0; i < e->count; i++) {
        columns[i] = leat_view_column(b->out);
        list[i] = (struct leat_named_expr){.name = e->list[i].name,
                                           .column = columns[i],
                                           .type = e->list[i].type,
                                           .node = e->list[i].node};
    }
    for (uint32_t i = 0; p->tells && i < p->on_timeout.count; i++) {
        int at = leat_shape_find(e->shape, p->on_timeout.list[i].name);
        told[i] = columns[at];
        list[at].type = leat_type_of_both(list[at].type, p->on_timeout.list[i].type);
    }
    p->emit_columns = columns;
    p->told_columns = told;
    leat_build_set_value(
        b, b->out,
        &(struct leat_exprs){
            .list = list, .count = e->count, .is_record = true, .shape = e->shape});
}

static void set_out(struct building *g)
{
    struct map_with_state *p = g->p;
    const struct leat_type *type = NULL;

    p->as_fields = gives_fields(p);
    if (p->as_fields) {
        set_fields_out(g);
        return;
    }
    if (p->emits && !p->emit.is_record && p->emit.count)
        type = p->emit.list[0].type;
    if (p->tells && (!p->emits || type))
        type = p->on_timeout.is_record ? NULL
               : type                  ? leat_type_of_both(type, p->on_timeout.list[0].type)
                                       : p->on_timeout.list[0].type;
    leat_group_out_value(g->b, type);
}

static void build(void *plan, struct leat_build *b)
{
    static const char *const hidden[] = {"state", "prev"};
    struct map_with_state *p = plan;
    struct building g = {.p = p, .b = b};

    if (leat_build_need_arg(b, "{ init: { n: 0 }, update: { n: state.n + 1 }, emit: state.n }"))
        return;
    leat_build_options(b, options, p);
    p->emits = p->emit_of.node;
    p->tells = p->on_timeout_of.node;
    if (!check_arguments(p, b) || !leat_stateful_build(&p->stateful, b, p->timeout.ms))
        return;
    if (!find_shape(p, b))
        return;
    leat_warn_hidden(b, p->update_of.node, hidden, 2);
    leat_stateful_names_init(&g.names, &p->stateful, b);
    g.types = leat_arena_array(b->arena, p->shape->count, sizeof *g.types);
    if (b->diags->no_memory || !g.types)
        return;
    begin_names(&g);
    compile_all(&g);
    leat_stateful_built(&g.names);
    set_out(&g);
}

static const struct leat_state state = LEAT_STATEFUL_STATE(shape);

static const struct leat_op map_with_state_op = LEAT_STATEFUL_OP(
    &state, .finish = finish, .build = build,
    .argument = "{ init: record, update: record, emit: EXPR|record, when: EXPR, timeout, "
                "on_timeout: EXPR|record, remove: EXPR }");

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "map_with_state",
    .summary = "each record changes the state of its key and may say something",
    .self_size = sizeof(struct map_with_state),
    .opts = options,
    .op = &map_with_state_op,
};

LEAT_MODULE(module);
