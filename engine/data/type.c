#include "data/type.h"

#include "data/json.h"

#include <stdio.h>

/* --- what there is --- */

static const char *const kind_names[] = {
    [LEAT_T_ANY] = "any",           [LEAT_T_NULL] = "null",   [LEAT_T_BOOL] = "bool",
    [LEAT_T_INT] = "int",           [LEAT_T_UINT] = "uint",   [LEAT_T_DOUBLE] = "double",
    [LEAT_T_STRING] = "string",     [LEAT_T_BYTES] = "bytes", [LEAT_T_TIMESTAMP] = "timestamp",
    [LEAT_T_DURATION] = "duration", [LEAT_T_LIST] = "list",   [LEAT_T_MAP] = "map",
    [LEAT_T_RECORD] = "record",     [LEAT_T_TYPE] = "type",
};

/* clang-format off */
#define KIND(optional) \
    {{LEAT_T_ANY, optional, NULL, NULL, 0, NULL}, {LEAT_T_NULL, optional, NULL, NULL, 0, NULL}, \
     {LEAT_T_BOOL, optional, NULL, NULL, 0, NULL}, {LEAT_T_INT, optional, NULL, NULL, 0, NULL}, \
     {LEAT_T_UINT, optional, NULL, NULL, 0, NULL}, {LEAT_T_DOUBLE, optional, NULL, NULL, 0, NULL}, \
     {LEAT_T_STRING, optional, NULL, NULL, 0, NULL}, {LEAT_T_BYTES, optional, NULL, NULL, 0, NULL}, \
     {LEAT_T_TIMESTAMP, optional, NULL, NULL, 0, NULL}, {LEAT_T_DURATION, optional, NULL, NULL, 0, NULL}, \
     {LEAT_T_LIST, optional, NULL, NULL, 0, NULL}, {LEAT_T_MAP, optional, NULL, NULL, 0, NULL}, \
     {LEAT_T_RECORD, optional, NULL, NULL, 0, NULL}, {LEAT_T_TYPE, optional, NULL, NULL, 0, NULL}}
/* clang-format on */

static const struct leat_type required_types[] = KIND(false), optional_types[] = KIND(true);

const struct leat_type *leat_type_of_kind(enum leat_type_kind kind)
{
    return &required_types[kind];
}

const struct leat_type_field *leat_type_find(const struct leat_type *record, struct leat_slice name)
{
    for (uint32_t i = 0; i < record->count; i++)
        if (leat_slice_eq(record->fields[i].name, name))
            return &record->fields[i];
    return NULL;
}

const char *leat_type_name(const struct leat_type *t, char *into, size_t room)
{
    size_t used = 0;

    if (room)
        *into = '\0';
    for (; t && used < room; t = t->item) {
        const char *of = !t->item ? "" : t->kind == LEAT_T_MAP ? " to " : " of ";
        int n = snprintf(into + used, room - used, "%s%s%s", kind_names[t->kind],
                         t->optional && !t->item ? "?" : "", of);
        used += n > 0 ? (size_t)n : 0;
    }
    return into;
}

/* --- schemas --- */

struct reading {
    struct leat_arena *arena;
    struct leat_diags *diags;
    uint32_t depth;
};

static const struct leat_type *read(struct reading *r, const struct leat_node *node);

static const struct leat_type *no_memory(struct reading *r, const struct leat_node *node)
{
    leat_diag_error(r->diags, node, "out of memory");
    return NULL;
}

/* Types that a schema may name; the last of the enum are not among them. */
static bool is_nameable(size_t kind)
{
    return kind != LEAT_T_NULL && kind != LEAT_T_RECORD && kind != LEAT_T_TYPE;
}

static const struct leat_type *unknown(struct reading *r, const struct leat_node *node,
                                       struct leat_slice word)
{
    struct leat_slice names[LEAT_T_TYPE + 1];
    size_t count = 0;

    for (size_t kind = 0; kind <= LEAT_T_TYPE; kind++)
        if (is_nameable(kind))
            names[count++] = leat_slice_str(kind_names[kind]);
    struct leat_diag *d = leat_diag_error(r->diags, node, "unknown type '%.*s'", LEAT_FMT(word));
    if (word.len && (word.ptr[0] == '[' || word.ptr[0] == '{'))
        leat_diag_hint(r->diags, d, "write it without quotes; optional: \"name?\": [int]");
    else
        leat_diag_nearest(r->diags, d, word, names, count);
    leat_diag_note(r->diags, d,
                   "types are bool int uint double string bytes timestamp duration list map any, "
                   "[type] and { field: type }, each with ? for optional");
    return NULL;
}

static const struct leat_type *read_word(struct reading *r, const struct leat_node *node)
{
    struct leat_slice word = leat_node_value(node);

    if (!word.ptr) {
        leat_diag_error(r->diags, node, "a type is expected here");
        return NULL;
    }
    bool optional = word.len && word.ptr[word.len - 1] == '?';
    word.len -= optional;
    for (size_t kind = 0; kind <= LEAT_T_TYPE; kind++)
        if (is_nameable(kind) && leat_slice_eq(word, leat_slice_str(kind_names[kind])))
            return optional ? &optional_types[kind] : &required_types[kind];
    return unknown(r, node, word);
}

static const struct leat_type *read_list(struct reading *r, const struct leat_node *node)
{
    if (node->count != 1) {
        leat_diag_error(r->diags, node, "a list type has one type in it: [int]");
        return NULL;
    }
    const struct leat_type *item = read(r, node->first);
    if (!item)
        return NULL;
    struct leat_type *t = leat_arena_alloc(r->arena, sizeof *t);
    if (!t)
        return no_memory(r, node);
    t->kind = LEAT_T_LIST;
    t->item = item;
    return t;
}

/* "name?" makes the field optional, for types that have no word to carry the mark: [int], {...}. */
static const struct leat_type *make_optional(struct reading *r, const struct leat_node *node,
                                             const struct leat_type *type)
{
    if (!type || type->optional)
        return type;
    struct leat_type *t = leat_arena_alloc(r->arena, sizeof *t);
    if (!t)
        return no_memory(r, node);
    *t = *type;
    t->optional = true;
    return t;
}

static const struct leat_type *read_record(struct reading *r, const struct leat_node *node)
{
    struct leat_type *t = leat_arena_alloc(r->arena, sizeof *t);
    struct leat_type_field *fields = leat_arena_array(r->arena, node->count + 1, sizeof *fields);
    bool ok = true;

    if (!t || !fields)
        return no_memory(r, node);
    t->kind = LEAT_T_RECORD;
    t->fields = fields;
    for (const struct leat_node *child = node->first; child; child = child->next) {
        struct leat_slice name = child->key;
        bool optional =
            child->kind != LEAT_NODE_SCALAR && name.len > 1 && name.ptr[name.len - 1] == '?';
        name.len -= optional;
        const struct leat_type *type = read(r, child);
        if (optional)
            type = make_optional(r, child, type);
        struct leat_slice copy = leat_arena_copy(r->arena, name);
        if (!copy.ptr)
            return no_memory(r, child);
        fields[t->count++] = (struct leat_type_field){copy, type, child->key_mark};
        ok = ok && type;
    }
    return ok ? t : NULL;
}

static const struct leat_type *read(struct reading *r, const struct leat_node *node)
{
    const struct leat_type *t;

    if (node->kind == LEAT_NODE_SCALAR)
        return read_word(r, node);
    if (r->depth == LEAT_JSON_DEPTH) {
        leat_diag_error(r->diags, node, "a schema is nested more than %d deep", LEAT_JSON_DEPTH);
        return NULL;
    }
    r->depth++;
    t = node->kind == LEAT_NODE_LIST ? read_list(r, node) : read_record(r, node);
    r->depth--;
    return t;
}

const struct leat_type *leat_type_read(const struct leat_node *node, struct leat_arena *arena,
                                       struct leat_diags *diags)
{
    struct reading r = {arena, diags, 0};

    return read(&r, node);
}
