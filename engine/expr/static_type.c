/*
 * static_type.c - what the checker knows about types before there is data.
 *
 * `any` agrees with everything. Thread: any.
 */
#include "expr/check.h"

const struct leat_type *type_kind(enum leat_type_kind kind)
{
    return leat_type_of_kind(kind);
}

const struct leat_type *type_any(void)
{
    return type_kind(LEAT_T_ANY);
}

const struct leat_type *type_of_value(struct leat_value v)
{
    static const enum leat_type_kind kinds[] = {
        [LEAT_NULL] = LEAT_T_NULL,         [LEAT_BOOL] = LEAT_T_BOOL,
        [LEAT_INT] = LEAT_T_INT,           [LEAT_UINT] = LEAT_T_UINT,
        [LEAT_DOUBLE] = LEAT_T_DOUBLE,     [LEAT_STRING] = LEAT_T_STRING,
        [LEAT_BYTES] = LEAT_T_BYTES,       [LEAT_TIMESTAMP] = LEAT_T_TIMESTAMP,
        [LEAT_DURATION] = LEAT_T_DURATION, [LEAT_LIST] = LEAT_T_LIST,
        [LEAT_MAP] = LEAT_T_MAP,           [LEAT_RECORD] = LEAT_T_MAP,
        [LEAT_ERROR] = LEAT_T_ANY,         [LEAT_TYPE] = LEAT_T_TYPE,
    };

    return type_kind(kinds[v.tag]);
}

const struct leat_type *type_list(struct leat_arena *arena, const struct leat_type *item)
{
    return type_map(arena, NULL, item);
}

/* Stands for "there was no memory for this type"; check_node ends the checking. */
static const struct leat_type lost = {.kind = LEAT_T_ANY};

bool type_is_lost(const struct leat_type *t)
{
    return t == &lost;
}

/* A list when key is NULL. */
const struct leat_type *type_map(struct leat_arena *arena, const struct leat_type *key,
                                 const struct leat_type *item)
{
    enum leat_type_kind kind = key ? LEAT_T_MAP : LEAT_T_LIST;
    struct leat_type *t = leat_arena_alloc(arena, sizeof *t);

    if (!t || key == &lost || item == &lost)
        return &lost;
    t->kind = kind;
    t->key = key;
    t->item = item;
    return t;
}

const struct leat_type *type_item(const struct leat_type *of)
{
    bool has = of->kind == LEAT_T_LIST || of->kind == LEAT_T_MAP;

    return has && of->item ? of->item : type_any();
}

const struct leat_type *type_key(const struct leat_type *of)
{
    if (of->kind == LEAT_T_RECORD)
        return type_kind(LEAT_T_STRING);
    return of->kind == LEAT_T_MAP && of->key ? of->key : type_any();
}

static const struct leat_type *join(struct leat_arena *arena, const struct leat_type *a,
                                    const struct leat_type *b, int depth)
{
    if (a == b)
        return a;
    if (a == &lost || b == &lost)
        return &lost;
    if (a->kind != b->kind || depth == 8)
        return type_any();
    if (a->kind == LEAT_T_LIST)
        return type_list(arena, join(arena, type_item(a), type_item(b), depth + 1));
    if (a->kind == LEAT_T_MAP)
        return type_map(arena, join(arena, type_key(a), type_key(b), depth + 1),
                        join(arena, type_item(a), type_item(b), depth + 1));
    return a->kind == LEAT_T_RECORD ? type_kind(LEAT_T_MAP) : type_kind(a->kind);
}

const struct leat_type *type_join(struct leat_arena *arena, const struct leat_type *a,
                                  const struct leat_type *b)
{
    return join(arena, a, b, 0);
}

bool type_is_number(const struct leat_type *t)
{
    return t->kind == LEAT_T_INT || t->kind == LEAT_T_UINT || t->kind == LEAT_T_DOUBLE;
}

static bool is_map(const struct leat_type *t)
{
    return t->kind == LEAT_T_MAP || t->kind == LEAT_T_RECORD;
}

bool type_may_equal(const struct leat_type *a, const struct leat_type *b)
{
    if (a->kind == LEAT_T_ANY || b->kind == LEAT_T_ANY || a->kind == LEAT_T_NULL ||
        b->kind == LEAT_T_NULL || a->kind == b->kind)
        return true;
    return (type_is_number(a) && type_is_number(b)) || (is_map(a) && is_map(b));
}

static bool has_order(const struct leat_type *t)
{
    switch (t->kind) {
    case LEAT_T_ANY:
    case LEAT_T_BOOL:
    case LEAT_T_INT:
    case LEAT_T_UINT:
    case LEAT_T_DOUBLE:
    case LEAT_T_STRING:
    case LEAT_T_BYTES:
    case LEAT_T_TIMESTAMP:
    case LEAT_T_DURATION:
        return true;
    case LEAT_T_NULL:
    case LEAT_T_LIST:
    case LEAT_T_MAP:
    case LEAT_T_RECORD:
    case LEAT_T_TYPE:
        break;
    }
    return false;
}

bool type_may_order(const struct leat_type *a, const struct leat_type *b)
{
    return has_order(a) && has_order(b) && type_may_equal(a, b);
}

static const struct leat_type *of_numbers(enum ast_operator operator, const struct leat_type * a,
                                          const struct leat_type *b)
{
    if (operator== AST_REMAINDER &&(a->kind == LEAT_T_DOUBLE || b->kind == LEAT_T_DOUBLE))
        return NULL;
    if (a->kind == b->kind)
        return type_kind(a->kind);
    if (operator== AST_DIVIDE || a->kind == LEAT_T_DOUBLE || b->kind == LEAT_T_DOUBLE)
        return type_kind(LEAT_T_DOUBLE);
    return type_any(); /* int with uint: which of them depends on how great it is */
}

static const struct leat_type *of_times(enum ast_operator operator, enum leat_type_kind a,
                                        enum leat_type_kind b)
{
    bool ta = a == LEAT_T_TIMESTAMP, tb = b == LEAT_T_TIMESTAMP;

    if ((!ta && a != LEAT_T_DURATION) || (!tb && b != LEAT_T_DURATION))
        return NULL;
    if (operator== AST_ADD)
        return ta && tb ? NULL : type_kind(ta || tb ? LEAT_T_TIMESTAMP : LEAT_T_DURATION);
    if (operator!= AST_SUBTRACT ||(!ta && tb))
        return NULL;
    return type_kind(ta && !tb ? LEAT_T_TIMESTAMP : LEAT_T_DURATION);
}

const struct leat_type *type_arithmetic(struct leat_arena *arena, enum ast_operator operator,
                                        const struct leat_type * a, const struct leat_type *b)
{
    bool any_a = a->kind == LEAT_T_ANY, any_b = b->kind == LEAT_T_ANY;

    if (type_is_number(a) && type_is_number(b))
        return of_numbers(operator, a, b);
    if (any_a || any_b) {
        const struct leat_type *known = any_a ? b : a;
        bool number_only = operator!= AST_ADD && operator!= AST_SUBTRACT;
        if (known->kind == LEAT_T_NULL || known->kind == LEAT_T_BOOL || is_map(known) ||
            (number_only && known->kind != LEAT_T_ANY && !type_is_number(known)))
            return NULL;
        return operator== AST_DIVIDE ? type_kind(LEAT_T_DOUBLE) : type_any();
    }
    if (operator== AST_ADD && a->kind == b->kind) {
        if (a->kind == LEAT_T_STRING || a->kind == LEAT_T_BYTES)
            return type_kind(a->kind);
        if (a->kind == LEAT_T_LIST)
            return type_join(arena, a, b);
    }
    return of_times(operator, a->kind, b->kind);
}

static const struct {
    char letter;
    enum leat_type_kind kind;
} letters[] = {
    {'B', LEAT_T_BOOL},      {'I', LEAT_T_INT},      {'U', LEAT_T_UINT}, {'D', LEAT_T_DOUBLE},
    {'S', LEAT_T_STRING},    {'Y', LEAT_T_BYTES},    {'L', LEAT_T_LIST}, {'M', LEAT_T_MAP},
    {'T', LEAT_T_TIMESTAMP}, {'P', LEAT_T_DURATION}, {'Z', LEAT_T_NULL},
};

bool type_fits_letter(const struct leat_type *t, char letter)
{
    if (letter == 'A' || t->kind == LEAT_T_ANY)
        return true;
    if (letter == 'N')
        return type_is_number(t);
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (letters[i].letter == letter)
            return letters[i].kind == t->kind || (letter == 'M' && t->kind == LEAT_T_RECORD);
    return false;
}

const struct leat_type *type_of_letter(char letter)
{
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (letters[i].letter == letter)
            return type_kind(letters[i].kind);
    return type_any();
}

const char *type_word(const struct leat_type *t)
{
    static const char *const words[] = {
        [LEAT_T_ANY] = "any",           [LEAT_T_NULL] = "null",   [LEAT_T_BOOL] = "bool",
        [LEAT_T_INT] = "int",           [LEAT_T_UINT] = "uint",   [LEAT_T_DOUBLE] = "double",
        [LEAT_T_STRING] = "string",     [LEAT_T_BYTES] = "bytes", [LEAT_T_TIMESTAMP] = "timestamp",
        [LEAT_T_DURATION] = "duration", [LEAT_T_LIST] = "list",   [LEAT_T_MAP] = "map",
        [LEAT_T_RECORD] = "record",     [LEAT_T_TYPE] = "type",
    };

    return words[t->kind];
}
