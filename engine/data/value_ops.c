#include "data/value_ops.h"

#include "data/json.h"

static bool is_absent(struct leat_value v)
{
    return v.tag == LEAT_ERROR && v.code == LEAT_V_ABSENT;
}

/* Pair of `name` among the first n; n: there is none. */
static uint32_t find_pair(const struct leat_value *pairs, uint32_t n, struct leat_slice name)
{
    uint32_t i = 0;

    while (i < n &&
           !(pairs[2 * i].tag == LEAT_STRING && leat_slice_eq(leat_value_text(pairs[2 * i]), name)))
        i++;
    return i;
}

static uint32_t drop_absent(struct leat_value *pairs, uint32_t n)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (is_absent(pairs[2 * i + 1]))
            continue;
        pairs[2 * kept] = pairs[2 * i];
        pairs[2 * kept + 1] = pairs[2 * i + 1];
        kept++;
    }
    return kept;
}

struct leat_value leat_value_expand(struct leat_value v, struct leat_arena *scratch)
{
    if (v.tag != LEAT_RECORD)
        return v;

    const struct leat_record *r = v.as.record;
    struct leat_value below = {.tag = LEAT_MAP};
    if (r->raw.ptr)
        below = leat_json_parse(r->raw, scratch);
    if (below.tag != LEAT_MAP || r->shape->count == 0)
        return below;

    uint32_t n = below.len;
    size_t room = 2 * ((size_t)n + r->shape->count);
    struct leat_value *pairs = leat_arena_array(scratch, room, sizeof *pairs);
    if (!pairs)
        return leat_value_fail(LEAT_V_BUDGET, "out of memory");
    if (n)
        memcpy(pairs, below.as.items, 2 * (size_t)n * sizeof *pairs);
    for (uint32_t i = 0; i < r->shape->count; i++) {
        uint32_t at = find_pair(pairs, below.len, r->shape->names[i]);
        if (at == below.len)
            at = n++;
        pairs[2 * at] = leat_string(r->shape->names[i]);
        pairs[2 * at + 1] = r->fields[i];
    }
    return (struct leat_value){.tag = LEAT_MAP, .len = drop_absent(pairs, n), .as.items = pairs};
}

struct leat_value leat_value_field(struct leat_value v, struct leat_slice name,
                                   struct leat_arena *scratch)
{
    if (v.tag == LEAT_MAP) {
        uint32_t i = find_pair(v.as.items, v.len, name);
        return i < v.len ? v.as.items[2 * i + 1] : leat_value_fail(LEAT_V_ABSENT, "");
    }
    if (v.tag == LEAT_RECORD) {
        const struct leat_record *r = v.as.record;
        int i = leat_shape_find(r->shape, name);
        if (i >= 0)
            return r->fields[i];
        return r->raw.ptr ? leat_json_field(r->raw, name, scratch)
                          : leat_value_fail(LEAT_V_ABSENT, "");
    }
    if (v.tag == LEAT_ERROR)
        return v;
    return v.tag == LEAT_NULL ? leat_value_fail(LEAT_V_ABSENT, "")
                              : leat_value_fail(LEAT_V_TYPE, "only an object has fields");
}
