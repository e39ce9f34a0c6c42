/*
 * aggregate_build.c - reads `aggregate` from the file: which calls there are, what each keeps, and
 * the fields that come out.
 */
#include "op/aggregate_in.h"

#include "base/module.h"
#include "op/group_build.h"

#include <stdio.h>

struct agg_names {
    struct leat_view_names out; /* first: names of expressions around aggregates */
    struct leat_view_names row; /* of their arguments */
    struct leat_build *b;
    struct leat_aggregate *a;
    struct leat_aggregate_args *args;
    uint32_t count; /* calls met in this input */
    bool first;     /* input: calls are planned; for the others they are only compiled */
    char why[160];
};

static enum leat_found refuse(struct agg_names *n, const char *why, const char *instead)
{
    snprintf(n->why, sizeof n->why, "%s", why);
    struct leat_slice copy = leat_arena_copy(n->b->arena, leat_slice_str(n->why));
    n->out.names.why = copy.ptr ? copy.ptr : "out of memory";
    n->out.names.instead = instead;
    return LEAT_FOUND_ERROR;
}

/* What the schema knows to be no number (or no bool) is told before there are records. */
static bool may_fit(enum leat_wants wants, const struct leat_type *t)
{
    enum leat_type_kind kind = t ? t->kind : LEAT_T_ANY;

    if (kind == LEAT_T_ANY || kind == LEAT_T_NULL || wants == LEAT_WANTS_ANY)
        return true;
    if (wants == LEAT_WANTS_BOOL)
        return kind == LEAT_T_BOOL;
    return kind == LEAT_T_INT || kind == LEAT_T_UINT || kind == LEAT_T_DOUBLE;
}

/* Do both keep the same? sum(x) and avg(x) do, and what is written twice. */
static bool are_alike(const struct leat_agg_call *a, const struct leat_agg_call *b)
{
    const char *of_a = memchr(a->source.ptr, '(', a->source.len);
    const char *of_b = memchr(b->source.ptr, '(', b->source.len);

    if (leat_slice_eq(a->source, b->source))
        return true;
    if (!of_a || !of_b || !a->fn->add_run || a->fn->add_run != b->fn->add_run ||
        a->fn->merge != b->fn->merge)
        return false;
    return leat_slice_eq((struct leat_slice){of_a, a->source.len - (size_t)(of_a - a->source.ptr)},
                         (struct leat_slice){of_b, b->source.len - (size_t)(of_b - b->source.ptr)});
}

static void give_piece(struct leat_aggregate *a, struct leat_agg_call *c)
{
    for (uint32_t i = 0; i < a->own_count; i++)
        if (are_alike(leat_aggregate_own(a, i), c)) {
            c->offset = leat_aggregate_own(a, i)->offset;
            return;
        }
    a->own[a->own_count++] = (uint32_t)(c - a->calls);
    c->offset = a->group.partial_size;
    a->group.partial_size += (c->fn->size + 7) & ~(size_t)7;
}

static enum leat_found plan_call(struct agg_names *n, const struct leat_aggregate_call *call,
                                 const struct leat_agg_fn *fn, struct leat_agg_call *c)
{
    struct leat_value constants[LEAT_AGGREGATE_ARGS] = {0};
    const char *why;
    char text[120], type[40];

    if (call->count < fn->args_min || call->count > fn->args_max) {
        snprintf(text, sizeof text, "%s() has other arguments", fn->name);
        return refuse(n, text, fn->signature);
    }
    for (uint32_t i = fn->evaluated; i < call->count; i++)
        if (!leat_program_is_constant(call->args[i], &constants[i - fn->evaluated])) {
            snprintf(text, sizeof text, "argument %u of %s() must be a constant", i + 1, fn->name);
            return refuse(n, text, fn->signature);
        }
    c->fn = fn;
    c->source = leat_arena_copy(n->b->arena, call->source);
    c->args = call->count < fn->evaluated ? (uint32_t)call->count : fn->evaluated;
    for (uint32_t i = 0; i < c->args; i++)
        c->arg_types[i] = leat_program_type(call->args[i]);
    if (c->args && !may_fit(fn->wants, c->arg_types[0])) {
        snprintf(text, sizeof text, "%s() wants a %s, this is %s", fn->name,
                 fn->wants == LEAT_WANTS_BOOL ? "bool" : "number",
                 leat_type_name(c->arg_types[0], type, sizeof type));
        return refuse(n, text, fn->signature);
    }
    uint32_t constants_count = (uint32_t)call->count - c->args;
    if (fn->plan && !fn->plan(c, constants, constants_count, &why))
        return refuse(n, why, fn->signature);
    give_piece(n->a, c);
    c->column = leat_view_column(n->b->out);
    return LEAT_FOUND;
}

static enum leat_found aggregate_call(struct leat_names *self,
                                      const struct leat_aggregate_call *call, struct leat_ref *ref)
{
    struct agg_names *n = (struct agg_names *)self;
    const struct leat_agg_fn *fn = leat_agg_find(call->name);

    if (!fn)
        return LEAT_FOUND_NOTHING;
    if (n->count == LEAT_AGGREGATE_CALLS)
        return refuse(n, "too many aggregates in one operator", "64 at most");
    struct leat_agg_call *c = &n->a->calls[n->count];
    if (n->first) {
        enum leat_found found = plan_call(n, call, fn, c);
        if (found != LEAT_FOUND)
            return found;
        n->a->count = n->count + 1;
    }
    for (uint32_t i = 0; i < c->args && i < call->count; i++) {
        n->args->programs[n->count][i] = call->args[i];
        n->args->columns[n->count][i] = leat_view_column(n->row.view);
    }
    n->count++;
    const struct leat_type *type = leat_type_of_kind(c->fn->type);
    if (c->fn->type == LEAT_T_ANY && c->args)
        type = c->arg_types[0];
    *ref = (struct leat_ref){c->column, 1, type};
    return LEAT_FOUND;
}

static void build_list(struct agg_names *n, const struct leat_node *node, struct leat_exprs *e)
{
    struct leat_arena *arena = n->b->arena;
    struct leat_slice *names = leat_arena_array(arena, node->count + 1, sizeof *names);

    *e = (struct leat_exprs){.is_record = true};
    e->list = leat_arena_array(arena, node->count + 1, sizeof *e->list);
    for (const struct leat_node *c = node->first; c && e->list && names; c = c->next) {
        struct leat_named_expr *x = &e->list[e->count];
        names[e->count++] = c->key;
        *x = (struct leat_named_expr){
            .name = c->key, .node = c, .type = leat_type_of_kind(LEAT_T_ANY)};
        if (c->kind == LEAT_NODE_MAP) {
            x->nested = leat_arena_alloc(arena, sizeof *x->nested);
            x->type = leat_type_of_kind(LEAT_T_RECORD);
            x->column = n->first ? leat_view_column(n->b->out) : 0;
            if (x->nested)
                build_list(n, c, x->nested);
            continue;
        }
        x->expr.program = leat_compile(
            &(struct leat_compile){.names = &n->out.names, .arena = arena, .diags = n->b->diags},
            c);
        if (!x->expr.program)
            continue;
        x->type = leat_program_type(x->expr.program);
        if (!leat_program_is_column(x->expr.program, &x->column) && n->first)
            x->column = leat_view_column(n->b->out);
    }
    e->shape = names ? leat_shape_intern(n->b->shapes, names, e->count) : NULL;
}

static bool build_input(struct leat_aggregate *a, struct leat_build *b, uint32_t i)
{
    static const char window[] = "window";
    struct leat_group_in *in = leat_group_input(b, i);
    struct agg_names *n = leat_arena_alloc(b->arena, sizeof *n);
    struct leat_aggregate_args *args = leat_arena_alloc(b->arena, sizeof *args);
    struct leat_local_name *local = leat_arena_alloc(b->arena, sizeof *local);
    struct leat_exprs again;

    if (!n || !args || !local)
        return false;
    *n = (struct agg_names){.b = b, .a = a, .args = args, .first = i == 0};
    leat_view_names_init(&n->out, b->out, b->shapes, b->arena);
    leat_view_names_init(&n->row, &b->in[i], b->shapes, b->arena);
    *local = (struct leat_local_name){leat_slice_str(window), a->window_column,
                                      leat_type_of_kind(LEAT_T_ANY)};
    n->out.locals = local;
    n->out.locals_count = a->group.windows_out;
    n->out.keyed_only = true;
    n->out.names.row = &n->row.names;
    n->out.names.aggregate = aggregate_call;
    build_list(n, b->arg, i == 0 ? &a->exprs : &again);
    args->assemble = n->row.assemble;
    in->args = args;
    return true;
}

static bool is_named(const struct leat_exprs *e, struct leat_slice name)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (leat_slice_eq(e->list[i].name, name))
            return true;
    return false;
}

/* A field that comes by itself, unless the user has given that name. Its column, which may be there
 * already. */
static uint32_t add_field(struct leat_aggregate *a, struct leat_build *b, struct leat_slice name,
                          uint32_t column, const struct leat_type *type)
{
    struct leat_view *out = b->out;

    if (is_named(&a->exprs, name))
        return LEAT_NO_COLUMN;
    if (column == LEAT_NO_COLUMN)
        column = leat_view_column(out);
    out->fields[out->fields_count++] =
        (struct leat_field){name, column, type ? type : leat_type_of_kind(LEAT_T_ANY)};
    return column;
}

static void add_key_fields(struct leat_aggregate *a, struct leat_build *b)
{
    const struct leat_shape *shape = a->group.key_shape;
    struct leat_view *out = b->out;

    if (!a->group.keyed)
        return;
    if (!shape) {
        struct leat_slice name = out->key_name.len ? out->key_name : LEAT_LIT("key");
        add_field(a, b, name, LEAT_COL_KEY, out->key_type);
        return;
    }
    a->key_columns = leat_arena_array(b->arena, shape->count + 1, sizeof *a->key_columns);
    for (uint32_t i = 0; a->key_columns && i < shape->count; i++) {
        const struct leat_type_field *field = out->key_type && out->key_type->kind == LEAT_T_RECORD
                                                  ? leat_type_find(out->key_type, shape->names[i])
                                                  : NULL;
        a->key_columns[i] =
            add_field(a, b, shape->names[i], LEAT_NO_COLUMN, field ? field->type : NULL);
    }
}

static const struct leat_type *record_type(struct leat_build *b, const struct leat_view *out)
{
    struct leat_type *t = leat_arena_alloc(b->arena, sizeof *t);
    struct leat_type_field *fields =
        leat_arena_array(b->arena, out->fields_count + 1, sizeof *fields);

    if (!t || !fields)
        return leat_type_of_kind(LEAT_T_ANY);
    for (uint32_t i = 0; i < out->fields_count; i++)
        fields[i] =
            (struct leat_type_field){out->fields[i].name, out->fields[i].type, b->node->mark};
    *t = (struct leat_type){.kind = LEAT_T_RECORD, .fields = fields, .count = out->fields_count};
    return t;
}

static void build_fields(struct leat_aggregate *a, struct leat_build *b, bool early)
{
    const struct leat_type *time = leat_type_of_kind(LEAT_T_TIMESTAMP);
    struct leat_view *out = b->out;
    uint32_t most = a->exprs.count + 4 + (a->group.key_shape ? a->group.key_shape->count : 0);

    out->kind = LEAT_VIEW_FIELDS;
    out->fields_count = 0;
    out->fields = leat_arena_array(b->arena, most, sizeof *out->fields);
    if (!out->fields)
        return;
    add_key_fields(a, b);
    if (a->group.windows_out) {
        a->start_column = add_field(a, b, LEAT_LIT("window_start"), LEAT_NO_COLUMN, time);
        a->end_column = add_field(a, b, LEAT_LIT("window_end"), LEAT_NO_COLUMN, time);
    }
    if (early)
        a->final_column = add_field(a, b, LEAT_LIT("window_final"), LEAT_NO_COLUMN,
                                    leat_type_of_kind(LEAT_T_BOOL));
    for (uint32_t i = 0; i < a->exprs.count; i++)
        out->fields[out->fields_count++] = (struct leat_field){
            a->exprs.list[i].name, a->exprs.list[i].column, a->exprs.list[i].type};
    out->type = record_type(b, out);
}

static const struct leat_aggregator *kind_of(const struct leat_aggregate *a)
{
    bool all_running = true, any_panes = false;

    for (uint32_t i = 0; i < a->count; i++) {
        all_running = all_running && a->calls[i].fn->keep == LEAT_KEEP_RUNNING;
        any_panes = any_panes || a->calls[i].fn->keep == LEAT_KEEP_PANES;
    }
    return all_running ? &leat_aggregate_running
           : any_panes ? &leat_aggregate_by_panes
                       : &leat_aggregate_merged;
}

static void aggregate_build(void *plan, struct leat_build *b)
{
    static const struct leat_slice window_names[] = {{"start", 5}, {"end", 3}, {"final", 5}};
    struct leat_aggregate *a = plan;

    a->start_column = a->end_column = a->final_column = a->window_column = LEAT_NO_COLUMN;
    if (leat_build_need_arg(b, "named aggregates: { total: sum(amount) }"))
        return;
    bool early = b->in[0].window.emit_every_ms > 0;
    leat_group_build(&a->group, b, LEAT_KEY_IF_ANY, NULL);
    a->group.agg = &leat_aggregate_merged;
    if (b->arg->kind != LEAT_NODE_MAP) {
        leat_diag_hint(b->diags,
                       leat_diag_error(b->diags, b->arg, "'aggregate' wants named expressions"),
                       "- aggregate: { total: sum(amount) }");
        return;
    }
    if (a->group.windows_out) {
        a->window_column = leat_view_column(b->out);
        a->window_shape = leat_shape_intern(b->shapes, window_names, 3);
    }
    for (uint32_t i = 0; i < b->in_count; i++)
        if (!build_input(a, b, i))
            return;
    build_fields(a, b, early);
    a->group.agg = kind_of(a);
    if (a->group.partial_size == 0)
        a->group.partial_size = 8;
}

static const struct leat_op op = LEAT_GROUP_OP(
    LEAT_SCOPE_KEY, .argument = "record of expressions with aggregates", .build = aggregate_build);

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "aggregate",
    .summary = "per key one record: counts, sums, extremes, quantiles and more",
    .self_size = sizeof(struct leat_aggregate),
    .op = &op,
};

LEAT_MODULE(module);
