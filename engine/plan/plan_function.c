/*
 * plan_function.c - functions in the places of expressions: `{ lua: TEXT }`, `{ module: FILE#NAME
 * }`.
 *
 * The operator never hears of it: its argument is copied with a scalar in the place of that map,
 * which hands it the function (base/node.h).
 */
#include "expr/language.h"
#include "expr/user_load.h"
#include "plan/build.h"

#include <stdio.h>

struct place {
    const char *op, *option; /* option NULL: the whole argument */
    const char *const *names;
    uint32_t needed;
};

static const char *const element[] = {"this", "key", NULL};
static const char *const update[] = {"values", "state", "key", NULL};
static const char *const record[] = {"this", "state", "key", NULL};
static const char *const judged[] = {"this", "state", "prev", "key", NULL};
static const char *const told[] = {"state", "key", NULL};
static const char *const many[] = {"values", "keys", "time", NULL};

static const struct place places[] = {
    {"map", NULL, element, 1},
    {"map_values", NULL, element, 1},
    {"flat_map", NULL, element, 1},
    {"flat_map_values", NULL, element, 1},
    {"filter", NULL, element, 1},
    {"update_state_by_key", "update", update, 3},
    {"map_with_state", "init", element, 2},
    {"map_with_state", "update", record, 3},
    {"map_with_state", "emit", judged, 4},
    {"map_with_state", "when", judged, 4},
    {"map_with_state", "remove", judged, 4},
    {"map_with_state", "on_timeout", told, 2},
    {"map_partitions", NULL, many, 3},
    {"transform", NULL, many, 3},
};

struct replacing {
    struct planner *p;
    struct leat_slice op;
    const struct place *place; /* of what is looked at; NULL: no function can stand there */
    bool failed;
};

/* A field may be called `module`: its expression has no '#', for that begins nothing in one. */
static bool names_file(const struct leat_node *text)
{
    struct leat_slice s = text->text;

    return text->kind == LEAT_NODE_SCALAR &&
           (memchr(s.ptr ? s.ptr : "", '#', s.len) ||
            (s.len > 3 && memcmp(s.ptr + s.len - 3, ".so", 3) == 0));
}

static bool is_text_of_function(const struct leat_node *node)
{
    return leat_slice_eq(node->key, LEAT_LIT("lua")) ||
           (leat_slice_eq(node->key, LEAT_LIT("module")) && names_file(node));
}

/* One key that stands for the whole expression. */
static bool is_foreign(const struct leat_node *node)
{
    return node->kind == LEAT_NODE_MAP && node->count == 1 && is_text_of_function(node->first);
}

static bool has_foreign(const struct leat_node *node)
{
    if (is_foreign(node))
        return true;
    for (const struct leat_node *n = node->first; n; n = n->next)
        if (has_foreign(n))
            return true;
    return false;
}

static struct leat_node *copy_of(struct planner *p, const struct leat_node *node)
{
    struct leat_node *copy = plan_alloc(p, sizeof *copy);

    *copy = *node;
    return copy;
}

static bool is_first_of_op(const struct place *p)
{
    return p == places || strcmp(p->op, p[-1].op) != 0;
}

/* "a, b and c": the operators of the table. */
static void name_ops(char *text, size_t room)
{
    const struct place *end = places + sizeof places / sizeof *places, *last = end - 1;
    size_t used = 0;

    while (!is_first_of_op(last))
        last--;
    for (const struct place *p = places; p < end && used < room; p++)
        if (is_first_of_op(p))
            used += (size_t)snprintf(text + used, room - used, "%s%s",
                                     p == places ? ""
                                     : p == last ? " and "
                                                 : ", ",
                                     p->op);
}

static void refuse(struct replacing *r, const struct leat_node *text)
{
    char ops[300];

    name_ops(ops, sizeof ops);
    leat_diag_hint(
        r->p->diags,
        leat_diag_error_key(r->p->diags, text, "'%.*s' cannot stand here", LEAT_FMT(text->key)),
        "it can in %s", ops);
    r->failed = true;
}

static struct leat_slice named(struct planner *p, struct leat_slice language, struct leat_slice op)
{
    char text[128];
    int len = snprintf(text, sizeof text, "%.*s of %.*s", LEAT_FMT(language), LEAT_FMT(op));

    return leat_arena_copy(
        p->arena,
        (struct leat_slice){text, len < (int)sizeof text ? (size_t)len : sizeof text - 1});
}

static bool is_text(struct replacing *r, const struct leat_node *text)
{
    if (text->kind == LEAT_NODE_SCALAR && !text->is_null)
        return true;
    leat_diag_hint(r->p->diags,
                   leat_diag_error_key(r->p->diags, text, "'%.*s' takes the text of a function",
                                       LEAT_FMT(text->key)),
                   "lua: return this.amount * 2");
    return false;
}

/* NULL: there is none, which was said. */
static const struct leat_callable *callable_for(struct replacing *r, const struct leat_node *text)
{
    struct planner *p = r->p;
    const struct place *place = r->place;
    bool lua = leat_slice_eq(text->key, LEAT_LIT("lua"));

    if (!is_text(r, text))
        return NULL;
    if (!lua)
        return leat_user_function_load(text, place->names, place->needed, p->arena, p->diags);
    const struct leat_module *m =
        plan_find_module(p, &(struct leat_spec_module){.name = text->key, .node = text},
                         leat_module_find_language, "language");
    return m ? m->language->compile(text, place->names, place->needed, p->arena, p->diags) : NULL;
}

/* A scalar that hands over the function, where `node` stands. */
static const struct leat_node *function_for(struct replacing *r, const struct leat_node *node)
{
    const struct leat_node *text = node->first;

    if (!r->place) {
        refuse(r, text);
        return node;
    }
    const struct leat_callable *callable = callable_for(r, text);
    if (!callable) {
        r->failed = true;
        return node;
    }
    struct leat_node *function = copy_of(r->p, text);
    function->handed = callable;
    bool lua = leat_slice_eq(text->key, LEAT_LIT("lua"));
    function->text = named(r->p, lua ? text->key : text->text, r->op);
    function->key = node->key;
    function->key_style = node->key_style;
    function->key_mark = node->key_mark;
    function->path = node->path;
    function->next = node->next;
    return function;
}

/* A copy with other children. */
static const struct leat_node *
with_children(struct replacing *r, const struct leat_node *node,
              const struct leat_node *(*child)(struct replacing *r, const struct leat_node *node))
{
    struct leat_node *copy = copy_of(r->p, node), **end = &copy->first;

    for (const struct leat_node *n = node->first; n; n = n->next)
        leat_node_append(&end, copy_of(r->p, child(r, n)));
    return copy;
}

static const struct leat_node *replace(struct replacing *r, const struct leat_node *node)
{
    if (is_foreign(node))
        return function_for(r, node);
    return has_foreign(node) ? with_children(r, node, replace) : node;
}

static const struct place *place_of(struct leat_slice op, const struct leat_node *option)
{
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const struct place *p = &places[i];
        if (leat_slice_eq(op, leat_slice_str(p->op)) &&
            (!p->option || (option && leat_slice_eq(option->key, leat_slice_str(p->option)))))
            return p;
    }
    return NULL;
}

static const struct leat_node *replace_in_option(struct replacing *r, const struct leat_node *node)
{
    r->place = place_of(r->op, node);
    return replace(r, node);
}

/* Of `{ lua: TEXT, with: [stream] }`: what is a function becomes the option of that name. */
static const struct leat_node *name_function(struct replacing *r, const struct leat_node *node)
{
    if (!is_text_of_function(node))
        return node;
    struct leat_node map = *node;
    map.kind = LEAT_NODE_MAP;
    map.first = copy_of(r->p, node);
    struct leat_node *option = copy_of(r->p, function_for(r, &map));
    option->key = LEAT_LIT("function");
    return option;
}

static bool has_function_beside(const struct leat_spec_op *op)
{
    const struct leat_node *n = op->arg && op->arg->kind == LEAT_NODE_MAP ? op->arg->first : NULL;

    if (!leat_slice_eq(op->name, LEAT_LIT("transform")) || !n || !n->next)
        return false;
    while (n && !is_text_of_function(n))
        n = n->next;
    return n;
}

const struct leat_node *plan_functions(struct planner *p, const struct leat_spec_op *op,
                                       bool *failed)
{
    struct replacing r = {.p = p, .op = op->name, .place = place_of(op->name, NULL)};
    const struct leat_node *arg = op->arg;

    if (has_function_beside(op))
        arg = with_children(&r, arg, name_function);
    else if (!arg || !has_foreign(arg))
        return arg;
    else if (r.place || is_foreign(arg))
        arg = replace(&r, arg);
    else
        arg = with_children(&r, arg, replace_in_option);
    *failed = r.failed;
    return arg;
}
