/*
 * macro.c - the calls that are no functions: they bind variables, or do not evaluate all arguments.
 *
 * One table has their names, shapes and documentation. Thread: any.
 */
#include "expr/check.h"

#include <stdio.h>

static const struct ast_macro macros[] = {
    {"has", MACRO_HAS, false, 1, 0, "has(field), has(a.b)",
     "Whether the field is there; true for null."},
    {"default", MACRO_DEFAULT, false, 2, 0, "default(x, y)", "x, or y when x is missing or null."},
    {"try", MACRO_TRY, false, 2, 0, "try(x, y)", "x, or y when x is an error of any kind."},
    {"cel.bind", MACRO_BIND, false, 3, 1, "cel.bind(name, value, expr)",
     "expr, in which name stands for value."},
    {"all", MACRO_ALL, true, 2, 1, "list.all(x, cond), map.all(key, cond)",
     "Whether the condition holds for all items."},
    {"all", MACRO_ALL, true, 3, 2, "list.all(i, x, cond), map.all(key, value, cond)",
     "The same with index and item, or key and value."},
    {"exists", MACRO_EXISTS, true, 2, 1, "list.exists(x, cond)",
     "Whether the condition holds for an item."},
    {"exists", MACRO_EXISTS, true, 3, 2, "list.exists(i, x, cond)",
     "The same with index and item, or key and value."},
    {"exists_one", MACRO_EXISTS_ONE, true, 2, 1, "list.exists_one(x, cond)",
     "Whether the condition holds for exactly one item."},
    {"existsOne", MACRO_EXISTS_ONE, true, 2, 1, "list.existsOne(x, cond)",
     "Whether the condition holds for exactly one item."},
    {"existsOne", MACRO_EXISTS_ONE, true, 3, 2, "list.existsOne(i, x, cond)",
     "The same with index and item, or key and value."},
    {"exists_one", MACRO_EXISTS_ONE, true, 3, 2, "list.exists_one(i, x, cond)",
     "The same with index and item, or key and value."},
    {"filter", MACRO_FILTER, true, 2, 1, "list.filter(x, cond)",
     "The items, or keys of a map, for which the condition holds."},
    {"map", MACRO_MAP, true, 2, 1, "list.map(x, expr)", "The expression for every item or key."},
    {"map", MACRO_MAP, true, 3, 1, "list.map(x, cond, expr)",
     "The expression for every item or key for which the condition holds."},
    {"transformList", MACRO_MAP, true, 3, 2, "list.transformList(i, x, expr)",
     "The expression for every index and item, or key and value, as a list."},
    {"transformList", MACRO_MAP, true, 4, 2, "list.transformList(i, x, cond, expr)",
     "The same where the condition holds."},
    {"transformMap", MACRO_TRANSFORM_MAP, true, 3, 2, "map.transformMap(key, value, expr)",
     "A map with the same keys (or indexes) and the expression as values."},
    {"transformMap", MACRO_TRANSFORM_MAP, true, 4, 2, "map.transformMap(key, value, cond, expr)",
     "The same where the condition holds."},
    {"transformMapEntry", MACRO_TRANSFORM_ENTRY, true, 3, 2,
     "map.transformMapEntry(key, value, {k: v})",
     "A map of the entries that the expression gives."},
    {"transformMapEntry", MACRO_TRANSFORM_ENTRY, true, 4, 2,
     "map.transformMapEntry(key, value, cond, {k: v})", "The same where the condition holds."},
    {"sortBy", MACRO_SORT_BY, true, 2, 1, "list.sortBy(x, key)",
     "The items in the order of their keys; equal ones stay in their order."},
    {"fold", MACRO_FOLD, true, 4, 2, "list.fold(acc, x, init, expr)",
     "acc is init at first, then what the expression gave for the item before."},
    {"optional.of", MACRO_OPTIONAL_OF, false, 1, 0, "optional.of(x)", "An optional that has x."},
    {"optional.ofNonZeroValue", MACRO_OPTIONAL_NON_ZERO, false, 1, 0, "optional.ofNonZeroValue(x)",
     "An optional, empty when x is zero, empty or null."},
    {"optional.none", MACRO_OPTIONAL_NONE, false, 0, 0, "optional.none()", "An empty optional."},
    {"optMap", MACRO_OPTIONAL_MAP, true, 2, 1, "optional.optMap(x, expr)",
     "The expression of its value, or empty."},
    {"optFlatMap", MACRO_OPTIONAL_FLAT_MAP, true, 2, 1, "optional.optFlatMap(x, expr)",
     "The optional that the expression makes of its value, or empty."},
    {"hasValue", MACRO_HAS_VALUE, true, 0, 0, "optional.hasValue()", "Whether it is not empty."},
    {"value", MACRO_VALUE, true, 0, 0, "optional.value()", "Its value; an error when empty."},
    {"or", MACRO_OR, true, 1, 0, "optional.or(other)", "Itself, or the other when empty."},
    {"orValue", MACRO_OR_VALUE, true, 1, 0, "optional.orValue(x)", "Its value, or x when empty."},
};

#define MACROS (sizeof macros / sizeof *macros)

const struct ast_macro *macro_find(struct leat_slice name, bool member, uint32_t args,
                                   bool any_count)
{
    for (size_t i = 0; i < MACROS; i++)
        if (macros[i].member == member && (any_count || macros[i].args == args) &&
            leat_slice_eq(name, leat_slice_str(macros[i].name)))
            return &macros[i];
    return NULL;
}

void macro_each(void (*fn)(const struct leat_function_doc *doc, void *arg), void *arg)
{
    for (size_t i = 0; i < MACROS; i++)
        fn(&(struct leat_function_doc){macros[i].name, macros[i].signature, macros[i].help}, arg);
}

static struct ast *argument(const struct ast *n, uint32_t i)
{
    struct ast *arg = n->first;

    while (i--)
        arg = arg->next;
    return arg;
}

/* Binds the variables that the macro's first arguments name. */
static bool bind(struct checker *ck, struct ast *n, const struct leat_type *const *types)
{
    n->slot = ck->locals_count;
    for (uint32_t i = 0; i < n->macro->vars; i++) {
        struct ast *name = argument(n, i + n->member);
        if (name->kind != AST_NAME || name->absolute) {
            struct leat_diag *d =
                check_wrong(ck, n, name->at, name->len, "this must be the name of a variable");
            if (d)
                leat_diag_hint(ck->source->diags, d, "it is %s", n->macro->signature);
            return false;
        }
        for (uint32_t j = n->slot; j < ck->locals_count; j++)
            if (leat_slice_eq(ck->locals[j].name, name->name)) {
                check_wrong(ck, n, name->at, name->len, "two variables named '%.*s'",
                            LEAT_FMT(name->name));
                return false;
            }
        if (ck->locals_count == AST_LOCALS_MAX) {
            check_wrong(ck, n, name->at, name->len, "more than %d variables at one place",
                        AST_LOCALS_MAX);
            return false;
        }
        ck->locals[ck->locals_count++] = (struct check_local){name->name, types[i]};
    }
    return true;
}

static const struct leat_type *check_has(struct checker *ck, struct ast *n)
{
    struct ast *of = n->first;
    bool text_index = of->kind == AST_INDEX && of->first->next->kind == AST_LITERAL;

    if (of->kind != AST_NAME && of->kind != AST_SELECT && !text_index)
        check_wrong(ck, n, of->at, of->len, "has() wants a field: has(a.b)");
    else
        check_node(ck, of);
    return type_kind(LEAT_T_BOOL);
}

static const struct leat_type *check_bind(struct checker *ck, struct ast *n)
{
    const struct leat_type *t = check_node(ck, argument(n, 1));
    uint32_t before = ck->locals_count;
    const struct leat_type *result = type_any();

    if (bind(ck, n, &t))
        result = check_node(ck, argument(n, 2));
    ck->locals_count = before;
    return result;
}

/* The optional's value is not known; what the expression makes of it is an optional. */
static const struct leat_type *check_optional_map(struct checker *ck, struct ast *n)
{
    const struct leat_type *any = type_any();
    uint32_t before = ck->locals_count;

    check_node(ck, n->first);
    if (bind(ck, n, &any))
        check_node(ck, argument(n, 2));
    ck->locals_count = before;
    return type_any();
}

/* Types of the variables of a loop over `range`. */
static void loop_types(const struct leat_type *range, uint32_t vars, const struct leat_type **types)
{
    bool map = range->kind == LEAT_T_MAP || range->kind == LEAT_T_RECORD;

    if (vars == 1) {
        types[0] = map ? type_key(range) : type_item(range);
        return;
    }
    types[0] = map                          ? type_key(range)
               : range->kind == LEAT_T_LIST ? type_kind(LEAT_T_INT)
                                            : type_any();
    types[1] = type_item(range);
}

static bool check_range(struct checker *ck, struct ast *n, const struct leat_type *t)
{
    if (t->kind == LEAT_T_ANY || t->kind == LEAT_T_LIST || t->kind == LEAT_T_MAP ||
        t->kind == LEAT_T_RECORD || ck->c->unchecked)
        return true;
    check_wrong(ck, n, n->name_at, n->name_len, "no such overload: %s.%.*s()", type_word(t),
                LEAT_FMT(n->name));
    return false;
}

static const struct leat_type *check_fold(struct checker *ck, struct ast *n)
{
    const struct leat_type *range = check_node(ck, n->first);
    struct ast *init = argument(n, 3), *body = argument(n, 4);
    const struct leat_type *first = check_node(ck, init);
    const struct leat_type *types[2] = {type_any(), NULL}; /* what goes round may change its type */
    const struct leat_type *result = type_any();
    uint32_t before = ck->locals_count;

    if (!check_range(ck, n, range))
        return type_any();
    loop_types(range, 1, &types[1]);
    if (bind(ck, n, types))
        result = type_join(ck->source->arena, first, check_node(ck, body));
    ck->locals_count = before;
    return result;
}

static const struct leat_type *check_loop(struct checker *ck, struct ast *n)
{
    const struct leat_type *range = check_node(ck, n->first), *types[2], *last = type_any();
    uint32_t before = ck->locals_count, vars = n->macro->vars;
    bool condition_only = n->macro->kind == MACRO_ALL || n->macro->kind == MACRO_EXISTS ||
                          n->macro->kind == MACRO_EXISTS_ONE || n->macro->kind == MACRO_FILTER;
    char where[40];

    if (!check_range(ck, n, range))
        return type_any();
    loop_types(range, vars, types);
    snprintf(where, sizeof where, "%s()", n->macro->name);
    if (bind(ck, n, types)) {
        struct ast *body = argument(n, 1 + vars);
        if (condition_only || body->next)
            check_want_bool(ck, body, where);
        if (!condition_only)
            last = check_node(ck, body->next ? body->next : body);
    }
    ck->locals_count = before;
    if (n->macro->kind == MACRO_FILTER)
        return type_list(ck->source->arena, types[0]);
    if (condition_only)
        return type_kind(LEAT_T_BOOL);
    if (n->macro->kind == MACRO_MAP)
        return type_list(ck->source->arena, last);
    if (n->macro->kind == MACRO_SORT_BY)
        return type_list(ck->source->arena, types[0]);
    if (n->macro->kind == MACRO_TRANSFORM_MAP)
        return type_map(ck->source->arena, types[0], last);
    return type_kind(LEAT_T_MAP);
}

static const struct leat_type *check_all(struct checker *ck, struct ast *n)
{
    const struct leat_type *t = type_any();

    for (struct ast *child = n->first; child; child = child->next)
        t = check_node(ck, child);
    return t;
}

const struct leat_type *macro_check(struct checker *ck, struct ast *n)
{
    n->meaning = AST_MEANS_MACRO;
    switch (n->macro->kind) {
    case MACRO_HAS:
        return check_has(ck, n);
    case MACRO_DEFAULT:
    case MACRO_TRY:
        check_all(ck, n);
        return type_join(ck->source->arena, n->first->type, n->last->type);
    case MACRO_BIND:
        return check_bind(ck, n);
    case MACRO_ALL:
    case MACRO_EXISTS:
    case MACRO_EXISTS_ONE:
    case MACRO_FILTER:
    case MACRO_MAP:
    case MACRO_TRANSFORM_MAP:
    case MACRO_TRANSFORM_ENTRY:
    case MACRO_SORT_BY:
        return check_loop(ck, n);
    case MACRO_FOLD:
        return check_fold(ck, n);
    case MACRO_OPTIONAL_MAP:
    case MACRO_OPTIONAL_FLAT_MAP:
        return check_optional_map(ck, n);
    case MACRO_HAS_VALUE:
        check_all(ck, n);
        return type_kind(LEAT_T_BOOL);
    case MACRO_OPTIONAL_OF:
    case MACRO_OPTIONAL_NON_ZERO:
    case MACRO_OPTIONAL_NONE:
    case MACRO_VALUE:
    case MACRO_OR:
    case MACRO_OR_VALUE:
        check_all(ck, n);
        break;
    }
    return type_any();
}
