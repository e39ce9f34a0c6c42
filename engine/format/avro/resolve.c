/* resolve.c - two schemas to nodes: promotion, defaults, aliases, branches of unions. */
#include "plan.h"

#include <stdio.h>

#define NOT_THERE UINT32_MAX

struct pair {
    const struct avro_type *written, *wanted;
    struct avro_node *node;
    struct pair *next;
};

#define BUCKETS 256

struct resolver {
    struct leat_arena *arena;
    struct leat_shapes shapes;
    struct leat_error *err;
    struct pair *pairs[BUCKETS]; /* known already: types may contain themselves */
    uint32_t unions;             /* above 0: inside one, where what does not fit may never come */
    uint32_t nodes, depth;
};

static enum leat_status resolve(struct resolver *r, const struct avro_type *written,
                                const struct avro_type *wanted, struct avro_node **node);

static enum leat_status no_memory(const struct resolver *r)
{
    return leat_arena_failed(r->arena, r->err);
}

/* ---- does it fit? */

static bool is_called(const struct avro_type *wanted, struct leat_slice name)
{
    if (leat_slice_eq(avro_short_name(wanted->name), avro_short_name(name)))
        return true;
    for (uint32_t i = 0; i < wanted->aliases.count; i++)
        if (leat_slice_eq(wanted->aliases.list[i], name))
            return true;
    return false;
}

static bool is_promoted(enum avro_kind from, enum avro_kind to)
{
    switch (from) {
    case AVRO_INT:
        return to == AVRO_LONG || to == AVRO_FLOAT || to == AVRO_DOUBLE;
    case AVRO_LONG:
        return to == AVRO_FLOAT || to == AVRO_DOUBLE;
    case AVRO_FLOAT:
        return to == AVRO_DOUBLE;
    case AVRO_STRING:
        return to == AVRO_BYTES;
    case AVRO_BYTES:
        return to == AVRO_STRING;
    case AVRO_NULL:
    case AVRO_BOOLEAN:
    case AVRO_DOUBLE:
    case AVRO_RECORD:
    case AVRO_ENUM:
    case AVRO_FIXED:
    case AVRO_ARRAY:
    case AVRO_MAP:
    case AVRO_UNION:
        break;
    }
    return false;
}

/* The branch of a wanted union that a written type is read as: the same, else one that it can be
 * promoted to. NULL: none. */
static const struct avro_type *find_branch(const struct avro_type *written,
                                           const struct avro_type *wanted)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct avro_type *b = wanted->branches[i];
        if (b->kind == written->kind && (!b->name.ptr || is_called(b, written->name)))
            return b;
    }
    for (uint32_t i = 0; i < wanted->count; i++)
        if (is_promoted(written->kind, wanted->branches[i]->kind))
            return wanted->branches[i];
    return NULL;
}

/* Inside a union a failure is a node, outside it ends the matter. */
static enum leat_status wrong(struct resolver *r, struct avro_node *n,
                              const struct avro_type *written, const struct avro_type *wanted)
{
    char text[300], a[120], b[120];

    int len = snprintf(text, sizeof text, "%s is written where %s is wanted",
                       avro_type_text(written, a, sizeof a), avro_type_text(wanted, b, sizeof b));
    if (r->unions == 0)
        return leat_fail(r->err, LEAT_E_CONFIG, "%s", text);
    struct leat_slice copy = leat_arena_copy(r->arena, (struct leat_slice){text, (size_t)len});
    if (!copy.ptr)
        return no_memory(r);
    n->op = AVRO_OP_WRONG;
    n->why = copy.ptr;
    return LEAT_OK;
}

/* ---- parts */

static enum leat_status resolve_union(struct resolver *r, const struct avro_type *written,
                                      const struct avro_type *wanted, struct avro_node *n)
{
    n->op = AVRO_OP_UNION;
    n->parts = leat_arena_array(r->arena, written->count, sizeof(struct avro_node *));
    if (!n->parts)
        return no_memory(r);
    r->unions++;
    for (uint32_t i = 0; i < written->count; i++) {
        const struct avro_type *as = written == wanted ? written->branches[i] : wanted;
        if (resolve(r, written->branches[i], as, &n->parts[i]) != LEAT_OK)
            return r->err->status;
    }
    r->unions--;
    return LEAT_OK;
}

static enum leat_status resolve_item(struct resolver *r, const struct avro_type *written,
                                     const struct avro_type *wanted, struct avro_node *n)
{
    n->op = written->kind == AVRO_ARRAY ? AVRO_OP_ARRAY : AVRO_OP_MAP;
    n->parts = leat_arena_array(r->arena, 1, sizeof(struct avro_node *));
    if (!n->parts)
        return no_memory(r);
    return resolve(r, written->item, wanted->item, &n->parts[0]);
}

static enum leat_status resolve_enum(struct resolver *r, const struct avro_type *written,
                                     const struct avro_type *wanted, struct avro_node *n)
{
    struct leat_value *values = leat_arena_array(r->arena, written->count + 1, sizeof *values);

    if (!values)
        return no_memory(r);
    n->op = AVRO_OP_ENUM;
    n->values = values;
    for (uint32_t i = 0; i < written->count; i++) {
        values[i] = leat_string(written->symbols[i]);
        if (written == wanted)
            continue;
        uint32_t k = 0;
        while (k < wanted->count && !leat_slice_eq(wanted->symbols[k], written->symbols[i]))
            k++;
        if (k == wanted->count)
            values[i] = wanted->standard.ptr
                            ? leat_string(wanted->standard)
                            : leat_value_fail(LEAT_V_ARGUMENT, "a symbol that the schema does not "
                                                               "have and no default for it");
    }
    return LEAT_OK;
}

static uint32_t find_field(const struct avro_type *written, const struct avro_field *wanted)
{
    for (uint32_t i = 0; i < written->count; i++)
        if (leat_slice_eq(written->fields[i].name, wanted->name))
            return i;
    for (uint32_t k = 0; k < wanted->aliases.count; k++)
        for (uint32_t i = 0; i < written->count; i++)
            if (leat_slice_eq(written->fields[i].name, wanted->aliases.list[k]))
                return i;
    return NOT_THERE;
}

static enum leat_status unwritten(struct resolver *r, const struct avro_field *f,
                                  struct leat_value *value)
{
    if (!f->has_standard)
        return leat_fail(r->err, LEAT_E_CONFIG,
                         "field '%.*s' is not written and has no default: give it one, or take it "
                         "out of the schema",
                         LEAT_FMT(f->name));
    *value = avro_standard(f->type, f->standard, &r->shapes, r->arena, 0);
    if (value->tag != LEAT_ERROR)
        return LEAT_OK;
    if (value->code == LEAT_V_BUDGET)
        return no_memory(r);
    return leat_fail(r->err, LEAT_E_CONFIG, "the default of field '%.*s': %.*s", LEAT_FMT(f->name),
                     LEAT_FMT(leat_value_text(*value)));
}

static enum leat_status resolve_fields(struct resolver *r, const struct avro_type *written,
                                       const struct avro_type *wanted, struct avro_node *n,
                                       struct leat_value *values)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        const struct avro_field *f = &wanted->fields[i];
        uint32_t at = find_field(written, f);
        if (at == NOT_THERE) {
            if (unwritten(r, f, &values[i]) != LEAT_OK)
                return r->err->status;
            n->unwritten++;
            continue;
        }
        if (n->parts[at])
            return leat_fail(r->err, LEAT_E_CONFIG,
                             "two fields of the schema are written as '%.*s', by name or alias",
                             LEAT_FMT(written->fields[at].name));
        n->places[at] = i;
        if (resolve(r, written->fields[at].type, f->type, &n->parts[at]) != LEAT_OK)
            return leat_error_prefix(r->err, "field '%.*s'", LEAT_FMT(f->name));
    }
    return LEAT_OK;
}

const struct leat_shape *avro_shape(const struct avro_type *t, struct leat_shapes *shapes,
                                    struct leat_arena *arena)
{
    struct leat_slice *names = leat_arena_array(arena, t->count + 1, sizeof *names);

    for (uint32_t i = 0; names && i < t->count; i++)
        names[i] = t->fields[i].name;
    return names ? leat_shape_intern(shapes, names, t->count) : NULL;
}

static enum leat_status resolve_record(struct resolver *r, const struct avro_type *written,
                                       const struct avro_type *wanted, struct avro_node *n)
{
    struct leat_value *values = leat_arena_array(r->arena, wanted->count + 1, sizeof *values);

    n->op = AVRO_OP_RECORD;
    n->parts = leat_arena_array(r->arena, written->count + 1, sizeof(struct avro_node *));
    n->places = leat_arena_array(r->arena, written->count + 1, sizeof *n->places);
    n->shape = avro_shape(wanted, &r->shapes, r->arena);
    n->values = values;
    if (!values || !n->parts || !n->places || !n->shape)
        return no_memory(r);
    uint32_t unions = r->unions, depth = r->depth;
    if (resolve_fields(r, written, wanted, n, values) == LEAT_OK)
        return LEAT_OK;
    if (unions == 0 || r->err->status != LEAT_E_CONFIG)
        return r->err->status;
    struct leat_slice copy = leat_arena_copy(r->arena, leat_slice_str(r->err->text));
    if (!copy.ptr)
        return no_memory(r);
    r->unions = unions;
    r->depth = depth;
    n->op = AVRO_OP_WRONG;
    n->why = copy.ptr;
    return LEAT_OK;
}

/* ---- scalars */

static enum avro_op op_of(const struct avro_type *written, enum avro_logical logical)
{
    switch (written->kind) {
    case AVRO_INT:
        return logical == AVRO_PLAIN ? AVRO_OP_INT : AVRO_OP_TIME_INT;
    case AVRO_LONG:
        return logical == AVRO_PLAIN ? AVRO_OP_LONG : AVRO_OP_TIME_LONG;
    case AVRO_BYTES:
        return logical == AVRO_DECIMAL ? AVRO_OP_DECIMAL : AVRO_OP_BYTES;
    case AVRO_FIXED:
        return logical == AVRO_DECIMAL ? AVRO_OP_DECIMAL_FIXED : AVRO_OP_FIXED;
    case AVRO_BOOLEAN:
        return AVRO_OP_BOOL;
    case AVRO_FLOAT:
        return AVRO_OP_FLOAT;
    case AVRO_DOUBLE:
        return AVRO_OP_DOUBLE;
    case AVRO_STRING:
        return AVRO_OP_STRING;
    case AVRO_NULL:
    case AVRO_RECORD:
    case AVRO_ENUM:
    case AVRO_ARRAY:
    case AVRO_MAP:
    case AVRO_UNION:
        break;
    }
    return AVRO_OP_NULL;
}

/* What was written in milliseconds is read as such, also where microseconds are wanted. */
static void scalar(const struct avro_type *written, const struct avro_type *wanted,
                   struct avro_node *n)
{
    const struct avro_type *meant =
        written->logical != AVRO_PLAIN && wanted->logical != AVRO_PLAIN ? written : wanted;
    bool is_double = wanted->kind == AVRO_FLOAT || wanted->kind == AVRO_DOUBLE;

    n->logical = meant->logical;
    n->precision = meant->precision;
    n->scale = meant->scale;
    n->op = op_of(written, n->logical);
    if (is_double && written->kind == AVRO_INT)
        n->op = AVRO_OP_INT_DOUBLE;
    else if (is_double && written->kind == AVRO_LONG)
        n->op = AVRO_OP_LONG_DOUBLE;
    else if (written->kind == AVRO_BYTES && wanted->kind == AVRO_STRING)
        n->op = AVRO_OP_STRING;
    else if (written->kind == AVRO_STRING)
        n->op = wanted->kind == AVRO_BYTES ? AVRO_OP_BYTES : AVRO_OP_STRING;
}

static enum leat_status resolve_as(struct resolver *r, const struct avro_type *written,
                                   const struct avro_type *wanted, struct avro_node *n)
{
    if (written->kind == AVRO_UNION)
        return resolve_union(r, written, wanted, n);
    if (wanted->kind == AVRO_UNION) {
        const struct avro_type *branch = find_branch(written, wanted);
        if (!branch)
            return wrong(r, n, written, wanted);
        wanted = branch;
    }
    if (written->kind != wanted->kind) {
        if (!is_promoted(written->kind, wanted->kind))
            return wrong(r, n, written, wanted);
        scalar(written, wanted, n);
        return LEAT_OK;
    }
    switch (written->kind) {
    case AVRO_RECORD:
        return resolve_record(r, written, wanted, n);
    case AVRO_ARRAY:
    case AVRO_MAP:
        return resolve_item(r, written, wanted, n);
    case AVRO_ENUM:
        return resolve_enum(r, written, wanted, n);
    case AVRO_FIXED:
        if (written->count != wanted->count)
            return wrong(r, n, written, wanted);
        break;
    case AVRO_NULL:
    case AVRO_BOOLEAN:
    case AVRO_INT:
    case AVRO_LONG:
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
    case AVRO_BYTES:
    case AVRO_STRING:
    case AVRO_UNION:
        break;
    }
    scalar(written, wanted, n);
    return LEAT_OK;
}

static enum leat_status resolve(struct resolver *r, const struct avro_type *written,
                                const struct avro_type *wanted, struct avro_node **node)
{
    struct pair **bucket = &r->pairs[(written->number * 31 + wanted->number) % BUCKETS];

    for (struct pair *p = *bucket; p; p = p->next)
        if (p->written == written && p->wanted == wanted) {
            *node = p->node;
            return LEAT_OK;
        }
    if (r->nodes++ == 4 * AVRO_TYPES_MAX)
        return leat_fail(r->err, LEAT_E_CONFIG, "the schemas are too large to be brought together");
    struct pair *p = leat_arena_alloc(r->arena, sizeof *p);
    struct avro_node *n = leat_arena_alloc(r->arena, sizeof *n);
    if (!p || !n)
        return no_memory(r);
    if (r->depth == 8 * AVRO_DEPTH)
        return leat_fail(r->err, LEAT_E_CONFIG, "types are nested more than %d deep",
                         8 * AVRO_DEPTH);
    r->depth++;
    *p = (struct pair){written, wanted, n, *bucket};
    *bucket = p;
    n->type = written;
    *node = n;
    enum leat_status status = resolve_as(r, written, wanted, n);
    r->depth--;
    if (status != LEAT_OK) { /* a record of a union may go on with this, and others meet it again */
        n->op = AVRO_OP_WRONG;
        n->why = "types are nested too deeply, or are too many";
    }
    return status;
}

enum leat_status avro_resolve(const struct avro_schema *written, const struct avro_schema *wanted,
                              struct leat_arena *arena, const struct avro_node **node,
                              struct leat_error *err)
{
    struct resolver r = {.arena = arena, .shapes.arena = arena, .err = err};
    struct avro_node *root;

    if (resolve(&r, written->root, wanted->root, &root) != LEAT_OK)
        return leat_error_prefix(err, "Avro schema");
    *node = root;
    return LEAT_OK;
}
