/* stateful_names.c - what the expressions of stateful operators see, and what has to cross for it.
 */
#include "op/stateful.h"

#include <stdio.h>

static struct leat_stateful_names *of(struct leat_names *names)
{
    return (struct leat_stateful_names *)names;
}

static bool is(struct leat_slice s, const char *text)
{
    return leat_slice_eq(s, leat_slice_str(text));
}

static enum leat_found wrong(struct leat_stateful_names *n, const char *why, const char *instead)
{
    n->names.why = why;
    n->names.instead = instead;
    return LEAT_FOUND_ERROR;
}

static enum leat_found found(struct leat_ref *ref, uint32_t cell, size_t used,
                             const struct leat_type *type)
{
    *ref = (struct leat_ref){cell, (uint32_t)used, type ? type : leat_type_of_kind(LEAT_T_ANY)};
    return LEAT_FOUND;
}

static enum leat_found one_cell(struct leat_stateful *plan, uint32_t *cell, struct leat_ref *ref,
                                size_t used, enum leat_type_kind kind)
{
    if (*cell == LEAT_NO_COLUMN)
        *cell = plan->cells++;
    return found(ref, *cell, used, leat_type_of_kind(kind));
}

/* ---- what crosses */

const struct leat_type *leat_type_of_both(const struct leat_type *a, const struct leat_type *b)
{
    bool nested = a->kind == LEAT_T_LIST || a->kind == LEAT_T_MAP || a->kind == LEAT_T_RECORD;

    if (a == b || (a->kind == b->kind && !nested && a->optional == b->optional))
        return a;
    return leat_type_of_kind(a->kind == b->kind ? a->kind : LEAT_T_ANY);
}

static bool same_path(const struct leat_cross *c, const struct leat_slice *path, size_t count)
{
    bool same = c->count == count;

    for (size_t i = 0; same && i < count; i++)
        same = leat_slice_eq(c->path[i], path[i]);
    return same;
}

/* Where this path is in one input. `count` names are to be used up. */
static enum leat_found find_in(struct leat_view_names *in, const struct leat_slice *path,
                               size_t count, struct leat_cross_from *from,
                               const struct leat_type **type)
{
    struct leat_ref ref;
    enum leat_found result = in->names.resolve(&in->names, path, count, &ref);

    if (result != LEAT_FOUND)
        return result;
    *from = (struct leat_cross_from){.column = ref.column};
    *type = ref.type ? ref.type : leat_type_of_kind(LEAT_T_ANY);
    if (ref.used >= count)
        return LEAT_FOUND;
    from->field = leat_arena_copy(in->arena, path[count - 1]);
    const struct leat_type_field *field =
        (*type)->kind == LEAT_T_RECORD ? leat_type_find(*type, path[count - 1]) : NULL;
    *type = field ? field->type : leat_type_of_kind(LEAT_T_ANY);
    return LEAT_FOUND;
}

static struct leat_stateful_in *input_of(struct leat_build *b, uint32_t i)
{
    return b->combiner_plans[i];
}

static enum leat_found add_cross(struct leat_stateful_names *n, const struct leat_slice *path,
                                 size_t count, struct leat_ref *ref)
{
    struct leat_stateful *plan = n->plan;
    struct leat_cross *c = &plan->cross[plan->cross_count];
    const struct leat_type *type = NULL, *of_input;

    if (plan->cross_count == LEAT_CROSS_MAX)
        return wrong(n, "the expressions name more than 256 fields", "name 'this' once");
    for (uint32_t i = 0; i < n->b->in_count; i++) {
        struct leat_cross_from *from = &input_of(n->b, i)->from[plan->cross_count];
        enum leat_found result = find_in(&n->in[i], path, count, from, &of_input);
        if (result == LEAT_FOUND_ERROR)
            return wrong(n, n->in[i].names.why, n->in[i].names.instead);
        if (result != LEAT_FOUND)
            return result;
        type = type ? leat_type_of_both(type, of_input) : of_input;
    }
    *c = (struct leat_cross){.count = count, .cell = plan->cells++, .type = type};
    for (size_t i = 0; i < count; i++)
        c->path[i] = leat_arena_copy(n->b->arena, path[i]);
    plan->cross_count++;
    return found(ref, c->cell, count, type);
}

static enum leat_found cross(struct leat_stateful_names *n, const struct leat_slice *path,
                             size_t count, struct leat_ref *ref)
{
    for (uint32_t i = 0; i < n->plan->cross_count; i++)
        if (same_path(&n->plan->cross[i], path, count))
            return found(ref, n->plan->cross[i].cell, count, n->plan->cross[i].type);
    return add_cross(n, path, count, ref);
}

/* ---- names */

static enum leat_found resolve_record(struct leat_stateful_names *n, struct leat_stateful_record *r,
                                      const struct leat_slice *path, size_t count,
                                      struct leat_ref *ref)
{
    if (r->refuse)
        return wrong(n, r->refuse, "a field of that name is this.state or this.prev");
    if (count == 1) {
        if (r->whole == LEAT_NO_COLUMN)
            r->whole = n->plan->cells++;
        return found(ref, r->whole, 1, leat_type_of_kind(LEAT_T_RECORD));
    }
    int field = leat_shape_find(r->shape, path[1]);
    if (field < 0) {
        snprintf(n->why, sizeof n->why, "the state has no field '%.*s'",
                 path[1].len < 60 ? (int)path[1].len : 60, path[1].ptr);
        return wrong(n, n->why, "its fields are those that 'init' and 'update' give");
    }
    return found(ref, r->first + (uint32_t)field, 2, r->types[field]);
}

static bool is_type_name(struct leat_slice s)
{
    static const char *const names[] = {"int",   "uint", "double", "bool",      "string",
                                        "bytes", "list", "map",    "null_type", "google"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (is(s, names[i]))
            return true;
    return false;
}

static enum leat_found resolve(struct leat_names *names, const struct leat_slice *path,
                               size_t count, struct leat_ref *ref)
{
    struct leat_stateful_names *n = of(names);
    struct leat_stateful *plan = n->plan;

    for (size_t i = 0; i < n->locals_count; i++)
        if (leat_slice_eq(path[0], n->locals[i].name))
            return found(ref, n->locals[i].column, 1, n->locals[i].type);
    for (size_t i = 0; i < n->records_count; i++)
        if (leat_slice_eq(path[0], n->records[i].name))
            return resolve_record(n, &n->records[i], path, count, ref);
    if (is(path[0], "key"))
        return found(ref, LEAT_COL_KEY, 1, n->b->in[0].key_type);
    if (is(path[0], "meta") && count > 1 && is(path[1], "batch"))
        return one_cell(plan, &plan->batch_cell, ref, 2, LEAT_T_INT);
    if (is(path[0], "meta") && count > 1 && is(path[1], "batch_time"))
        return one_cell(plan, &plan->batch_time_cell, ref, 2, LEAT_T_TIMESTAMP);
    if (path[0].len == 0 || is_type_name(path[0]))
        return LEAT_FOUND_NOTHING;
    if (n->only)
        return wrong(n, n->only, n->instead);
    if (is(path[0], "meta") || is(path[0], "window")) {
        size_t most = count > 1 && is(path[1], "headers") ? 3 : 2;
        return cross(n, path, count < most ? count : most, ref);
    }
    size_t most = is(path[0], "this") ? 2 : 1;
    return cross(n, path, count < most ? count : most, ref);
}

static void each(struct leat_names *names, const struct leat_slice *parent, size_t count,
                 void (*fn)(struct leat_slice name, void *arg), void *arg)
{
    struct leat_stateful_names *n = of(names);

    for (size_t i = 0; count == 0 && i < n->locals_count; i++)
        fn(n->locals[i].name, arg);
    for (size_t i = 0; count == 0 && i < n->records_count; i++)
        fn(n->records[i].name, arg);
    if (!n->only)
        n->in[0].names.each(&n->in[0].names, parent, count, fn, arg);
}

void leat_stateful_names_init(struct leat_stateful_names *n, struct leat_stateful *plan,
                              struct leat_build *b)
{
    *n = (struct leat_stateful_names){
        .names = {.resolve = resolve, .each = each}, .plan = plan, .b = b};
    n->in = leat_arena_array(b->arena, b->in_count + 1, sizeof *n->in);
    plan->cross = leat_arena_array(b->arena, LEAT_CROSS_MAX, sizeof *plan->cross);
    plan->cells = LEAT_COL_PATHS;
    plan->batch_cell = plan->batch_time_cell = LEAT_NO_COLUMN;
    for (uint32_t i = 0; n->in && i < b->in_count; i++) {
        leat_view_names_init(&n->in[i], &b->in[i], b->shapes, b->arena);
        input_of(b, i)->from =
            leat_arena_array(b->arena, LEAT_CROSS_MAX, sizeof(struct leat_cross_from));
        if (!input_of(b, i)->from)
            b->diags->no_memory = true;
    }
    if (!n->in || !plan->cross)
        b->diags->no_memory = true;
    else
        n->names.given_by = n->in[0].names.given_by;
}

void leat_stateful_built(struct leat_stateful_names *n)
{
    for (uint32_t i = 0; i < n->b->in_count; i++)
        input_of(n->b, i)->assemble = n->in[i].assemble;
}

uint32_t leat_stateful_whole_value(struct leat_stateful_names *n)
{
    const struct leat_slice path = LEAT_LIT("this");
    struct leat_ref ref = {.column = LEAT_COL_THIS};

    if (cross(n, &path, 1, &ref) == LEAT_FOUND)
        for (uint32_t i = 0; i < n->b->in_count; i++)
            input_of(n->b, i)->whole = input_of(n->b, i)->from[0].column;
    return ref.column;
}

/* ---- expressions */

const struct leat_program *leat_cell_program(struct leat_stateful_names *n,
                                             const struct leat_node *node, bool wants_bool,
                                             struct leat_diags *diags)
{
    const struct leat_program *p = leat_compile(
        &(struct leat_compile){.names = &n->names, .arena = n->b->arena, .diags = diags}, node);
    char name[80];

    if (!p || !wants_bool)
        return p;
    const struct leat_type *type = leat_program_type(p);
    if (type->kind != LEAT_T_ANY && type->kind != LEAT_T_BOOL)
        leat_diag_hint(diags,
                       leat_diag_error(diags, node, "'%.*s' wants a bool, this is %s",
                                       LEAT_FMT(node->key),
                                       leat_type_name(type, name, sizeof name)),
                       "compare it with something");
    return p;
}

static void build_one(struct leat_stateful_names *n, struct leat_cell_expr *e,
                      const struct leat_node *node, struct leat_diags *diags)
{
    e->node = node;
    e->name = node->key;
    e->type = leat_type_of_kind(LEAT_T_ANY);
    if (node->kind == LEAT_NODE_MAP) {
        e->nested = leat_arena_alloc(n->b->arena, sizeof *e->nested);
        e->type = leat_type_of_kind(LEAT_T_RECORD);
        if (e->nested)
            *e->nested = leat_cell_exprs_build(n, node, diags);
        return;
    }
    e->program = leat_cell_program(n, node, false, diags);
    if (e->program)
        e->type = leat_program_type(e->program);
}

struct leat_cell_exprs leat_cell_exprs_build(struct leat_stateful_names *n,
                                             const struct leat_node *node, struct leat_diags *diags)
{
    struct leat_cell_exprs e = {.is_record = node && node->kind == LEAT_NODE_MAP};
    struct leat_arena *arena = n->b->arena;

    e.list = leat_arena_array(arena, e.is_record ? node->count + 1 : 1, sizeof *e.list);
    if (!node || !e.list)
        return e;
    if (!e.is_record) {
        build_one(n, &e.list[e.count++], node, diags);
        e.list[0].name = (struct leat_slice){0};
        return e;
    }
    struct leat_slice *names = leat_arena_array(arena, node->count + 1, sizeof *names);
    for (const struct leat_node *at = node->first; at && names; at = at->next) {
        names[e.count] = at->key;
        build_one(n, &e.list[e.count++], at, diags);
    }
    if (names)
        e.shape = leat_shape_intern(n->b->shapes, names, e.count);
    return e;
}

/* ---- the plan */

static struct leat_slice key_text(const struct leat_build *b)
{
    return b->in[0].key_text.len ? b->in[0].key_text : LEAT_LIT("key");
}

bool leat_stateful_build(struct leat_stateful *plan, struct leat_build *b, int64_t timeout_ms)
{
    struct leat_view *out = b->out;

    plan->event_time = b->in[0].event_time;
    plan->timeout_ms = timeout_ms;
    plan->timed = timeout_ms > 0;
    plan->key_shape = b->in[0].key_shape;
    plan->key_text = key_text(b);
    for (uint32_t i = 0; i < b->in_count; i++) {
        if (!b->in[i].has_key) {
            leat_diag_hint(
                b->diags,
                leat_build_error(b, "'%.*s' needs a stream with a key", LEAT_FMT(b->name)),
                "put key_by or map_to_pair before it");
            return false;
        }
        if (b->in[i].window.kind != LEAT_WINDOW_NONE) {
            leat_diag_hint(b->diags,
                           leat_build_error(b,
                                            "'%.*s' remembers from batch to batch and takes no "
                                            "window",
                                            LEAT_FMT(b->name)),
                           "put an aggregate between, or the window behind it");
            out->window = (struct leat_window_spec){0};
            return false;
        }
        *input_of(b, i) = (struct leat_stateful_in){
            .plan = plan, .key_column = b->in[i].key_column, .whole = LEAT_NO_COLUMN};
    }
    leat_build_new_segment(b, out);
    out->has_origin = false;
    out->windowed = false;
    return true;
}
