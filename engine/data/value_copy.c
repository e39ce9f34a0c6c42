/* value_copy.c - values with all they point to into an arena. */
#include "data/value_ops.h"

#define DEPTH_MAX 64

static struct leat_value copy(struct leat_value v, uint32_t depth, struct leat_arena *arena);

static struct leat_value no_memory(void)
{
    return leat_value_fail(LEAT_V_BUDGET, "out of memory");
}

static struct leat_value copy_text(struct leat_value v, struct leat_arena *arena)
{
    struct leat_slice text = leat_arena_copy(arena, leat_value_text(v));

    if (!text.ptr)
        return no_memory();
    v.as.text = text.ptr;
    return v;
}

/* What goes wrong deep inside becomes the whole value: half a copy is of no use. */
static bool copy_items(const struct leat_value *from, struct leat_value *to, size_t n,
                       uint32_t depth, struct leat_arena *arena, struct leat_value *failed)
{
    for (size_t i = 0; i < n; i++) {
        to[i] = copy(from[i], depth, arena);
        if (to[i].tag == LEAT_ERROR && to[i].code == LEAT_V_BUDGET) {
            *failed = to[i];
            return false;
        }
    }
    return true;
}

static struct leat_value copy_container(struct leat_value v, uint32_t depth,
                                        struct leat_arena *arena)
{
    size_t n = v.tag == LEAT_MAP ? 2 * (size_t)v.len : v.len;
    struct leat_value *items = leat_arena_array(arena, n ? n : 1, sizeof *items);
    struct leat_value failed;

    if (!items)
        return no_memory();
    if (!copy_items(v.as.items, items, n, depth, arena, &failed))
        return failed;
    v.as.items = items;
    return v;
}

/* A shape of the plan stays where it is: the plan outlives all values. */
static const struct leat_shape *copy_shape(const struct leat_shape *from, struct leat_arena *arena)
{
    if (from->interned)
        return from;

    struct leat_shape *to = leat_arena_alloc(arena, sizeof *to + from->count * sizeof to->names[0]);
    if (!to)
        return NULL;
    for (uint32_t i = 0; i < from->count; i++) {
        to->names[i] = leat_arena_copy(arena, from->names[i]);
        if (!to->names[i].ptr)
            return NULL;
    }
    to->count = from->count;
    return to;
}

static struct leat_value copy_record(struct leat_value v, uint32_t depth, struct leat_arena *arena)
{
    const struct leat_record *from = v.as.record;
    const struct leat_shape *shape = copy_shape(from->shape, arena);
    struct leat_record *to = shape ? leat_record_new(arena, shape) : NULL;
    struct leat_value failed;

    if (!to)
        return no_memory();
    if (from->raw.ptr) {
        to->raw = leat_arena_copy(arena, from->raw);
        if (!to->raw.ptr)
            return no_memory();
    }
    if (!copy_items(from->fields, to->fields, shape->count, depth, arena, &failed))
        return failed;
    v.as.record = to;
    return v;
}

static struct leat_value copy(struct leat_value v, uint32_t depth, struct leat_arena *arena)
{
    switch ((enum leat_tag)v.tag) {
    case LEAT_STRING:
    case LEAT_BYTES:
    case LEAT_TYPE:
        return copy_text(v, arena);
    case LEAT_ERROR:
        return v.len ? copy_text(v, arena) : v;
    case LEAT_LIST:
    case LEAT_MAP:
    case LEAT_RECORD:
        if (depth == DEPTH_MAX)
            return leat_value_fail(LEAT_V_BUDGET, "nested too deeply");
        return v.tag == LEAT_RECORD ? copy_record(v, depth + 1, arena)
                                    : copy_container(v, depth + 1, arena);
    case LEAT_NULL:
    case LEAT_BOOL:
    case LEAT_INT:
    case LEAT_UINT:
    case LEAT_DOUBLE:
    case LEAT_TIMESTAMP:
    case LEAT_DURATION:
        break;
    }
    return v;
}

struct leat_value leat_value_copy(struct leat_value v, struct leat_arena *arena)
{
    return copy(v, 0, arena);
}
