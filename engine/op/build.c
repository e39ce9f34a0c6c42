#include "op/build.h"

#include "expr/callable.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- while the plan is built */

struct leat_expr leat_build_expr(struct leat_build *b, struct leat_view *view,
                                 const struct leat_node *node, const struct leat_local_name *locals,
                                 size_t locals_count)
{
    struct leat_view_names names;
    struct leat_expr e = {0};

    leat_view_names_init(&names, view, b->shapes, b->arena);
    names.locals = locals;
    names.locals_count = locals_count;
    e.program = leat_compile(
        &(struct leat_compile){.names = &names.names, .arena = b->arena, .diags = b->diags}, node);
    e.assemble = names.assemble;
    return e;
}

/* What is only a column is looked at in place; else the result gets a column of its own. */
static uint32_t result_column(struct leat_view *view, const struct leat_expr *e)
{
    uint32_t column;

    if (e->program && leat_program_is_column(e->program, &column))
        return column;
    return leat_view_column(view);
}

static void build_named(struct leat_build *b, struct leat_view *view, struct leat_named_expr *out,
                        const struct leat_node *node, const struct leat_local_name *locals,
                        size_t locals_count)
{
    out->node = node;
    out->name = node->key;
    out->type = leat_type_of_kind(LEAT_T_ANY);
    if (node->kind == LEAT_NODE_MAP) {
        out->nested = leat_arena_alloc(b->arena, sizeof *out->nested);
        out->column = leat_view_column(view);
        out->type = leat_type_of_kind(LEAT_T_RECORD);
        if (out->nested)
            *out->nested = leat_build_exprs(b, view, node, locals, locals_count);
        return;
    }
    out->expr = leat_build_expr(b, view, node, locals, locals_count);
    out->column = result_column(view, &out->expr);
    if (out->expr.program)
        out->type = leat_program_type(out->expr.program);
}

struct leat_exprs leat_build_exprs(struct leat_build *b, struct leat_view *view,
                                   const struct leat_node *node,
                                   const struct leat_local_name *locals, size_t locals_count)
{
    struct leat_exprs e = {0};

    e.is_record = node && node->kind == LEAT_NODE_MAP;
    e.list = leat_arena_array(b->arena, e.is_record ? node->count + 1 : 1, sizeof *e.list);
    if (!node || !e.list)
        return e;
    if (!e.is_record) {
        build_named(b, view, &e.list[e.count++], node, locals, locals_count);
        e.list[0].name = (struct leat_slice){0};
        return e;
    }
    struct leat_slice *names = leat_arena_array(b->arena, node->count + 1, sizeof *names);
    for (const struct leat_node *n = node->first; n && names; n = n->next) {
        names[e.count] = n->key;
        build_named(b, view, &e.list[e.count++], n, locals, locals_count);
    }
    if (names)
        e.shape = leat_shape_intern(b->shapes, names, e.count);
    return e;
}

static const struct leat_type *record_type(struct leat_build *b, const struct leat_exprs *e)
{
    struct leat_type *t = leat_arena_alloc(b->arena, sizeof *t);
    struct leat_type_field *fields = leat_arena_array(b->arena, e->count + 1, sizeof *fields);

    if (!t || !fields)
        return leat_type_of_kind(LEAT_T_ANY);
    for (uint32_t i = 0; i < e->count; i++)
        fields[i] =
            (struct leat_type_field){e->list[i].name, e->list[i].type, e->list[i].node->key_mark};
    *t = (struct leat_type){.kind = LEAT_T_RECORD, .fields = fields, .count = e->count};
    return t;
}

void leat_build_set_value(struct leat_build *b, struct leat_view *out, const struct leat_exprs *e)
{
    out->fields = NULL;
    out->fields_count = 0;
    if (!e->is_record) {
        out->kind = LEAT_VIEW_VALUE;
        out->column = e->count ? e->list[0].column : LEAT_COL_THIS;
        out->type = e->count ? e->list[0].type : leat_type_of_kind(LEAT_T_ANY);
        return;
    }
    out->kind = LEAT_VIEW_FIELDS;
    out->type = record_type(b, e);
    out->fields = leat_arena_array(b->arena, e->count + 1, sizeof *out->fields);
    for (uint32_t i = 0; out->fields && i < e->count; i++)
        out->fields[out->fields_count++] =
            (struct leat_field){e->list[i].name, e->list[i].column, e->list[i].type};
}

void leat_build_options(struct leat_build *b, const struct leat_opt *opts, void *self)
{
    leat_opts_read(opts, self, b->arg, NULL, b->arena, b->diags);
}

struct leat_slice leat_build_last_name(const struct leat_node *node)
{
    struct leat_slice s = node->text;
    size_t at = s.len;

    while (at > 0 && (s.ptr[at - 1] == '_' || (s.ptr[at - 1] >= '0' && s.ptr[at - 1] <= '9') ||
                      (s.ptr[at - 1] >= 'a' && s.ptr[at - 1] <= 'z') ||
                      (s.ptr[at - 1] >= 'A' && s.ptr[at - 1] <= 'Z')))
        at--;
    return (struct leat_slice){s.ptr + at, s.len - at};
}

struct leat_node *leat_build_fields(struct leat_build *b, const struct leat_node *list)
{
    struct leat_node *map = leat_arena_alloc(b->arena, sizeof *map), **end;

    if (!map)
        return NULL;
    *map = *list;
    map->kind = LEAT_NODE_MAP;
    map->first = NULL;
    end = &map->first;
    for (const struct leat_node *n = list->first; n; n = n->next) {
        struct leat_node *field = leat_arena_alloc(b->arena, sizeof *field);
        if (!field)
            return NULL;
        *field = *n;
        field->key = leat_build_last_name(n);
        field->key_mark = n->mark;
        leat_node_append(&end, field);
    }
    return map;
}

struct leat_diag *leat_build_error(struct leat_build *b, const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return b->node->key.ptr ? leat_diag_error_key(b->diags, b->node, "%s", text)
                            : leat_diag_error(b->diags, b->node, "%s", text);
}

bool leat_build_refuse_arg(struct leat_build *b)
{
    if (!b->arg || b->arg->is_null)
        return false;
    struct leat_diag *d = leat_build_error(b, "'%.*s' takes no argument", LEAT_FMT(b->name));
    leat_diag_hint(b->diags, d, "write '- %.*s'", LEAT_FMT(b->name));
    return true;
}

bool leat_build_need_arg(struct leat_build *b, const char *what)
{
    if (b->arg && (!b->arg->is_null || b->arg->tag.ptr))
        return false; /* a tag is a YAML trap, which compiling tells */
    leat_build_error(b, "'%.*s' needs %s", LEAT_FMT(b->name), what);
    return true;
}

bool leat_build_drops_key(const struct leat_build *b)
{
    const struct leat_callable *c = b->arg ? b->arg->handed : NULL;

    return c && c->drops_key;
}

bool leat_build_gives_pair(const struct leat_build *b)
{
    const struct leat_callable *c = b->arg ? b->arg->handed : NULL;

    return c && c->gives_pair;
}

void leat_build_new_segment(struct leat_build *b, struct leat_view *out)
{
    struct leat_segment *s = leat_arena_alloc(b->arena, sizeof *s);

    if (!s)
        return;
    s->columns = LEAT_COL_PATHS;
    out->segment = s;
    out->kind = LEAT_VIEW_VALUE;
    out->column = LEAT_COL_THIS;
    out->type = leat_type_of_kind(LEAT_T_ANY);
    out->fields = NULL;
    out->fields_count = 0;
    out->key_column = LEAT_COL_KEY;
}

/* ---- while it runs */

static void fill_full(struct leat_chunk *chunk, uint32_t out)
{
    for (uint32_t i = 0; i < chunk->selected; i++)
        chunk->columns[out][chunk->selection[i]] =
            leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
}

uint32_t leat_expr_eval(const struct leat_expr *e, struct leat_task *task, struct leat_chunk *chunk,
                        uint32_t out)
{
    uint32_t column;

    if (e->assemble && leat_assemble(e->assemble, chunk) == LEAT_NO_COLUMN) {
        fill_full(chunk, out);
        return out;
    }
    if (leat_program_is_column(e->program, &column))
        return column;
    leat_eval_chunk(e->program, task->eval, chunk, out);
    return out;
}

void leat_expr_eval_pair(const struct leat_expr *e, struct leat_task *task,
                         struct leat_chunk *chunk, uint32_t key, uint32_t value)
{
    if (e->assemble && leat_assemble(e->assemble, chunk) == LEAT_NO_COLUMN)
        fill_full(chunk, value);
    else
        leat_eval_many(e->program, task->eval, chunk, value, key);
}

static enum leat_status build_nested(const struct leat_named_expr *n, struct leat_task *task,
                                     struct leat_chunk *chunk, struct leat_error *err)
{
    const struct leat_exprs *e = n->nested;

    if (leat_exprs_eval(e, task, chunk, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_record *r = leat_record_new(chunk->arena, e->shape);
        if (!r)
            return leat_arena_failed(chunk->arena, err);
        for (uint32_t f = 0; f < e->count; f++)
            r->fields[f] = chunk->columns[e->list[f].column][row];
        chunk->columns[n->column][row] = (struct leat_value){.tag = LEAT_RECORD, .as.record = r};
    }
    return LEAT_OK;
}

enum leat_status leat_exprs_eval(const struct leat_exprs *e, struct leat_task *task,
                                 struct leat_chunk *chunk, struct leat_error *err)
{
    for (uint32_t i = 0; i < e->count && chunk->selected > 0; i++) {
        const struct leat_named_expr *n = &e->list[i];
        if (n->nested) {
            if (build_nested(n, task, chunk, err) != LEAT_OK)
                return err->status;
            continue;
        }
        uint32_t column = leat_expr_eval(&n->expr, task, chunk, n->column);
        if (leat_sweep_errors(task, chunk, column, leat_program_source(n->expr.program), err) !=
            LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}
