/*
 * map.c - row by row: map, map_values, map_to_pair, set, unset, key_by.
 *
 * They evaluate expressions into columns and say in the view what these columns mean from now on;
 * no row is built before somebody needs it whole. All of them run the same two lists: one for the
 * value, one for the key. `set` evaluates its fields in the order of the file, each seeing the ones
 * before it.
 */
#include "base/module.h"
#include "op/build.h"
#include "op/shape.h"

struct map {
    struct leat_exprs *lists; /* evaluated one after the other */
    uint32_t count;
    struct leat_exprs key; /* a record key is built into a column of its own */
    uint32_t key_column;
    bool sets_key;

    struct leat_expr pair; /* of a function instead of all this: gives key and value */
    uint32_t value_column;
};

static void add_list(struct map *m, struct leat_build *b, struct leat_exprs list, uint32_t room)
{
    if (!m->lists)
        m->lists = leat_arena_array(b->arena, room, sizeof *m->lists);
    if (m->lists)
        m->lists[m->count++] = list;
}

/* From `view` (what the expressions see) to the value of b->out. */
static void set_value(struct map *m, struct leat_build *b, struct leat_view *view,
                      const struct leat_node *node)
{
    struct leat_exprs e = leat_build_exprs(b, view, node, NULL, 0);

    add_list(m, b, e, 1);
    leat_build_set_value(b, b->out, &e);
}

/* ---- keys */

static void check_key_type(struct leat_build *b, const struct leat_named_expr *n)
{
    if (n->type->kind == LEAT_T_MAP)
        leat_diag_error(b->diags, n->node, "a map cannot be a key; name its fields");
}

/* `view.ad`, of a value that is there as a whole. */
static bool is_path(struct leat_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], before = i ? text.ptr[i - 1] : '.';
        bool letter = c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (before == '.' || (c != '.' && !(c >= '0' && c <= '9'))))
            return false;
    }
    return text.len && text.ptr[text.len - 1] != '.';
}

static struct leat_slice key_text(struct leat_build *b, const struct leat_node *node)
{
    struct leat_bytes text = {.arena = b->arena};

    leat_shape_node(&text, node);
    return leat_bytes_slice(&text);
}

/* From `view` (what the expressions see) to the key of b->out. */
static void set_key(struct map *m, struct leat_build *b, struct leat_view *view,
                    const struct leat_node *node)
{
    uint32_t program_column;

    if (node->kind == LEAT_NODE_LIST && !(node = leat_build_fields(b, node)))
        return;
    if (node->kind == LEAT_NODE_MAP && node->count == 0) {
        leat_diag_error(b->diags, node, "a key needs at least one field");
        return;
    }
    m->key = leat_build_exprs(b, view, node, NULL, 0);
    m->sets_key = true;
    b->out->has_key = true;
    b->out->key_shape = NULL;
    b->out->key_name = (struct leat_slice){0};
    b->out->key_text = key_text(b, node);
    for (uint32_t i = 0; i < m->key.count; i++)
        check_key_type(b, &m->key.list[i]);
    if (m->key.is_record) {
        m->key_column = leat_view_column(b->out);
        b->out->key_shape = m->key.shape;
        b->out->key_type = leat_type_of_kind(LEAT_T_RECORD);
    } else if (m->key.count) {
        m->key_column = m->key.list[0].column;
        b->out->key_type = m->key.list[0].type;
        const struct leat_program *program = m->key.list[0].expr.program;
        if (program && (leat_program_is_column(program, &program_column) || is_path(node->text)))
            b->out->key_name = leat_build_last_name(node);
    }
    b->out->key_column = m->key_column;
}

/* Put key records together from the columns of their fields. */
static enum leat_status build_keys(const struct map *m, struct leat_chunk *chunk,
                                   struct leat_error *err)
{
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_record *r = leat_record_new(chunk->arena, m->key.shape);
        if (!r)
            return leat_arena_failed(chunk->arena, err);
        for (uint32_t f = 0; f < m->key.count; f++)
            r->fields[f] = chunk->columns[m->key.list[f].column][row];
        chunk->columns[m->key_column][row] =
            (struct leat_value){.tag = LEAT_RECORD, .as.record = r};
    }
    return LEAT_OK;
}

static enum leat_status map_process(const void *plan, void *memory, struct leat_task *task,
                                    struct leat_chunk *chunk, struct leat_error *err)
{
    const struct map *m = plan;

    (void)memory;
    if (m->pair.program) {
        leat_expr_eval_pair(&m->pair, task, chunk, m->key_column, m->value_column);
        if (leat_sweep_errors(task, chunk, m->value_column, leat_program_source(m->pair.program),
                              err) != LEAT_OK)
            return err->status;
    }
    for (uint32_t i = 0; i < m->count; i++)
        if (leat_exprs_eval(&m->lists[i], task, chunk, err) != LEAT_OK)
            return err->status;
    if (m->sets_key && leat_exprs_eval(&m->key, task, chunk, err) != LEAT_OK)
        return err->status;
    if (m->sets_key && m->key.is_record && build_keys(m, chunk, err) != LEAT_OK)
        return err->status;
    return chunk->selected ? task->next->push(task->next, chunk, err) : LEAT_OK;
}

/* ---- what each is asked for */

static void map_build(void *plan, struct leat_build *b)
{
    if (leat_build_need_arg(b, "an expression, or a record of expressions"))
        return;
    set_value(plan, b, b->out, b->arg);
    if (leat_build_drops_key(b))
        b->out->has_key = false;
}

static void map_values_build(void *plan, struct leat_build *b)
{
    if (!b->in[0].has_key)
        leat_diag_hint(b->diags,
                       leat_build_error(b, "'%.*s' needs a stream with a key", LEAT_FMT(b->name)),
                       "use map, or key_by before it");
    map_build(plan, b);
}

/* Both from one function. */
static void set_pair(struct map *m, struct leat_build *b)
{
    struct leat_view *out = b->out;

    m->pair = leat_build_expr(b, out, b->arg, NULL, 0);
    m->key_column = leat_view_column(out);
    m->value_column = leat_view_column(out);
    out->has_key = true;
    out->key_column = m->key_column;
    out->key_type = out->type = leat_type_of_kind(LEAT_T_ANY);
    out->key_shape = NULL;
    out->key_name = (struct leat_slice){0};
    out->key_text = key_text(b, b->arg);
    out->kind = LEAT_VIEW_VALUE;
    out->column = m->value_column;
    out->fields = NULL;
    out->fields_count = 0;
}

static void map_to_pair_build(void *plan, struct leat_build *b)
{
    struct map *m = plan;
    struct leat_view before = *b->out; /* both see the record as it was: a pair can be swapped */
    const struct leat_node *key = leat_node_find(b->arg, "key"),
                           *value = leat_node_find(b->arg, "value");

    if (leat_build_need_arg(b, "{ key: EXPR, value: EXPR }"))
        return;
    if (leat_build_gives_pair(b)) {
        set_pair(m, b);
        return;
    }
    if (!key || !value || b->arg->count != 2) {
        leat_build_error(b, "'map_to_pair' wants exactly 'key' and 'value'");
        return;
    }
    set_key(m, b, &before, key);
    set_value(m, b, &before, value);
}

static void set_build(void *plan, struct leat_build *b)
{
    struct map *m = plan;
    struct leat_view *out = b->out;

    if (leat_build_need_arg(b, "fields: - set: { total: price * quantity }"))
        return;
    if (b->arg->kind != LEAT_NODE_MAP) {
        leat_diag_error(b->diags, b->arg, "'set' wants { field: EXPR, ... }");
        return;
    }
    if ((out->kind == LEAT_VIEW_RAW && !out->format_has_fields) ||
        (out->type->kind != LEAT_T_ANY && out->type->kind != LEAT_T_RECORD &&
         out->type->kind != LEAT_T_MAP))
        leat_diag_hint(b->diags,
                       leat_build_error(b, "'%.*s' needs a value with fields", LEAT_FMT(b->name)),
                       "make one with map: { line: this }");
    struct leat_field *fields =
        leat_arena_array(b->arena, out->fields_count + b->arg->count + 1, sizeof *fields);
    if (!fields)
        return;
    if (out->fields_count)
        memcpy(fields, out->fields, out->fields_count * sizeof *fields);
    out->fields = fields;
    for (const struct leat_node *n = b->arg->first; n; n = n->next) {
        struct leat_node *one = leat_arena_alloc(b->arena, sizeof *one);
        if (!one)
            return;
        *one = *b->arg;
        one->first = leat_arena_alloc(b->arena, sizeof *n);
        if (!one->first)
            return;
        *one->first = *n;
        one->first->next = NULL;
        one->count = 1;
        struct leat_exprs e = leat_build_exprs(b, out, one, NULL, 0);
        add_list(m, b, e, b->arg->count);
        out->fields[out->fields_count++] =
            (struct leat_field){n->key, e.list[0].column, e.list[0].type};
    }
    if (out->kind == LEAT_VIEW_FIELDS)
        out->type = leat_type_of_kind(LEAT_T_RECORD);
}

static void unset_build(void *plan, struct leat_build *b)
{
    struct leat_view *out = b->out;

    (void)plan;
    if (leat_build_need_arg(b, "a list of fields: - unset: [coupon]"))
        return;
    if (b->arg->kind == LEAT_NODE_MAP) {
        leat_diag_error(b->diags, b->arg, "'unset' wants a list of fields");
        return;
    }
    const struct leat_node *n = b->arg->kind == LEAT_NODE_LIST ? b->arg->first : b->arg;
    struct leat_field *fields =
        leat_arena_array(b->arena, out->fields_count + b->arg->count + 2, sizeof *fields);
    if (!fields)
        return;
    if (out->fields_count)
        memcpy(fields, out->fields, out->fields_count * sizeof *fields);
    out->fields = fields;
    for (; n; n = b->arg->kind == LEAT_NODE_LIST ? n->next : NULL)
        if (!leat_view_remove(out, n->text))
            leat_diag_error(b->diags, n, "unknown field '%.*s'", LEAT_FMT(n->text));
}

static void key_by_build(void *plan, struct leat_build *b)
{
    struct leat_view before = *b->out;

    if (leat_build_need_arg(b, "an expression, a list of fields or a record"))
        return;
    set_key(plan, b, &before, b->arg);
}

#define MAP_MODULE(id, text, what, builder)                                                        \
    static const struct leat_module id##_module = {                                                \
        .abi = LEAT_MODULE_ABI,                                                                    \
        .name = #id,                                                                               \
        .summary = text,                                                                           \
        .self_size = sizeof(struct map),                                                           \
        .op = &(const struct leat_op){.scope = LEAT_SCOPE_ROW,                                     \
                                      .argument = what,                                            \
                                      .build = builder,                                            \
                                      .process = map_process},                                     \
    };                                                                                             \
    LEAT_MODULE_AS(id, id##_module)

MAP_MODULE(map, "value replaced; key, time and window kept", "EXPR|record", map_build);
MAP_MODULE(map_values, "as map; error when the stream has no key", "EXPR|record", map_values_build);
MAP_MODULE(map_to_pair, "key and value replaced", "{ key: EXPR|record, value: EXPR|record }",
           map_to_pair_build);
MAP_MODULE(set, "record with these fields added or replaced, in order", "{ field: EXPR, ... }",
           set_build);
MAP_MODULE(unset, "record without these fields", "[field, ...]", unset_build);
MAP_MODULE(key_by, "key replaced; several fields make a record key", "EXPR, [field, ...] or record",
           key_by_build);
