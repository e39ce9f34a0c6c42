/*
 * check.c - walks a tree and finds the type of every part.
 *
 * Thread: any; a checker belongs to one. The tree's height is bounded, so it recurses.
 */
#include "expr/check.h"

#include <stdarg.h>
#include <stdio.h>

struct leat_diag *check_wrong(struct checker *ck, struct ast *n, uint32_t at, uint32_t len,
                              const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    n->type = type_any();
    if (!ck->c->unchecked) {
        ck->failed = true;
        return ck->mistakes++ < CHECK_MISTAKES_MAX ? ast_error(ck->source, at, len, "%s", text)
                                                   : NULL;
    }
    struct leat_slice copy = leat_arena_copy(ck->source->arena, leat_slice_str(text));
    n->meaning = AST_MEANS_ERROR;
    n->value = leat_value_fail(LEAT_V_TYPE, copy.ptr ? copy.ptr : "");
    return NULL;
}

const struct leat_type *check_want_bool(struct checker *ck, struct ast *n, const char *where)
{
    const struct leat_type *t = check_node(ck, n);

    if (t->kind != LEAT_T_BOOL && t->kind != LEAT_T_ANY && !ck->c->unchecked) {
        struct leat_diag *d =
            check_wrong(ck, n, n->at, n->len, "%s wants a bool, this is %s", where, type_word(t));
        if (d && (t->kind == LEAT_T_STRING || type_is_number(t)))
            leat_diag_hint(ck->source->diags, d, "compare it with something");
    }
    return type_kind(LEAT_T_BOOL);
}

static const struct leat_type *check_list(struct checker *ck, struct ast *n)
{
    const struct leat_type *item = NULL;

    for (struct ast *child = n->first; child; child = child->next) {
        const struct leat_type *t = check_node(ck, child);
        item = item ? type_join(ck->source->arena, item, t) : t;
        if (child->optional)
            item = type_any();
    }
    return type_list(ck->source->arena, item ? item : type_any());
}

static void check_key(struct checker *ck, struct ast *key)
{
    enum leat_type_kind kind = key->type->kind;

    if (kind != LEAT_T_ANY && kind != LEAT_T_STRING && kind != LEAT_T_INT && kind != LEAT_T_UINT &&
        kind != LEAT_T_BOOL && !ck->c->unchecked)
        check_wrong(ck, key, key->at, key->len, "a map's key cannot be of type %s",
                    type_word(key->type));
}

static const struct leat_type *check_map(struct checker *ck, struct ast *n)
{
    struct leat_arena *arena = ck->source->arena;
    const struct leat_type *key = NULL, *item = NULL;

    for (struct ast *child = n->first; child; child = child->next->next) {
        const struct leat_type *k = check_node(ck, child), *v = check_node(ck, child->next);
        check_key(ck, child);
        key = key ? type_join(arena, key, k) : k;
        item = item ? type_join(arena, item, v) : v;
        if (child->optional)
            item = type_any();
    }
    return type_map(arena, key ? key : type_any(), item ? item : type_any());
}

static const struct leat_type *no_overload(struct checker *ck, struct ast *n,
                                           const struct leat_type *a, const struct leat_type *b)
{
    if (ck->c->unchecked)
        return type_any();
    struct leat_diag *d =
        check_wrong(ck, n, n->name_at, n->name_len, "no such overload: %s %.*s %s", type_word(a),
                    LEAT_FMT(n->name), type_word(b));
    bool text = d && (a->kind == LEAT_T_STRING || b->kind == LEAT_T_STRING);
    if (n->operator== AST_ADD && text)
        leat_diag_hint(ck->source->diags, d, "string(x) makes text of a value");
    else if (n->operator!= AST_IN && text &&(type_is_number(a) || type_is_number(b)))
        leat_diag_hint(ck->source->diags, d, "double(x) or int(x) reads a number from text");
    return type_any();
}

static const struct leat_type *check_binary(struct checker *ck, struct ast *n)
{
    const struct leat_type *a = check_node(ck, n->first), *b = check_node(ck, n->first->next);
    const struct leat_type *result = type_kind(LEAT_T_BOOL);
    bool ok = true;

    switch (n->operator) {
    case AST_EQUAL:
    case AST_UNEQUAL:
        ok = type_may_equal(a, b);
        break;
    case AST_LESS:
    case AST_LESS_EQUAL:
    case AST_GREATER:
    case AST_GREATER_EQUAL:
        ok = type_may_order(a, b);
        break;
    case AST_IN:
        ok = b->kind == LEAT_T_ANY || b->kind == LEAT_T_LIST || b->kind == LEAT_T_MAP ||
             b->kind == LEAT_T_RECORD;
        break;
    case AST_ADD:
    case AST_SUBTRACT:
    case AST_MULTIPLY:
    case AST_DIVIDE:
    case AST_REMAINDER:
        n->whole = a->kind == b->kind && (a->kind == LEAT_T_INT || a->kind == LEAT_T_UINT);
        result = type_arithmetic(ck->source->arena, n->operator, a, b);
        ok = result != NULL;
        break;
    }
    return ok ? result : no_overload(ck, n, a, b);
}

static const struct leat_type *check_negate(struct checker *ck, struct ast *n)
{
    const struct leat_type *t = check_node(ck, n->first);

    if (t->kind != LEAT_T_ANY && t->kind != LEAT_T_INT && t->kind != LEAT_T_DOUBLE &&
        !ck->c->unchecked)
        check_wrong(ck, n, n->name_at, 1, "no such overload: -%s", type_word(t));
    return t;
}

static const struct leat_type *check_condition(struct checker *ck, struct ast *n)
{
    struct ast *yes = n->first->next;

    check_want_bool(ck, n->first, "the condition before '?'");
    const struct leat_type *a = check_node(ck, yes), *b = check_node(ck, yes->next);
    return type_join(ck->source->arena, a, b);
}

static const struct leat_type *check_logic(struct checker *ck, struct ast *n)
{
    const char *where = n->kind == AST_AND ? "&&" : n->kind == AST_OR ? "||" : "!";

    for (struct ast *child = n->first; child; child = child->next)
        check_want_bool(ck, child, where);
    return type_kind(LEAT_T_BOOL);
}

static const struct leat_type *check_kind(struct checker *ck, struct ast *n)
{
    switch (n->kind) {
    case AST_LITERAL:
        return type_of_value(n->value);
    case AST_NAME:
    case AST_SELECT:
    case AST_INDEX:
        return check_path(ck, n);
    case AST_CALL:
        return check_call(ck, n);
    case AST_LIST:
        return check_list(ck, n);
    case AST_MAP:
        return check_map(ck, n);
    case AST_NEGATE:
        return check_negate(ck, n);
    case AST_NOT:
    case AST_AND:
    case AST_OR:
        return check_logic(ck, n);
    case AST_BINARY:
        return check_binary(ck, n);
    case AST_CONDITION:
        return check_condition(ck, n);
    }
    return type_any();
}

const struct leat_type *check_node(struct checker *ck, struct ast *n)
{
    const struct leat_type *t = check_kind(ck, n);

    n->type = t ? t : type_any();
    if (type_is_lost(t) && !ck->failed) {
        ck->failed = true;
        ast_no_memory(ck->source);
    }
    return n->type;
}
