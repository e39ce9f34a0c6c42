/* columns.c - the bytes of one record to the touched columns, in one pass. */
#include "reader.h"

#include <stdio.h>

#define VALUES_MAX  (UINT64_C(1) << 20)
#define VALUES_FREE 65536 /* that any record may make, however short it is */

static const char *read_pick(struct avro_reader *r, const struct avro_pick *pick, const char *p);

static inline void put(const struct avro_reader *r, uint32_t column, struct leat_value v)
{
    r->columns[column][r->row] = v;
}

static const char *read_fields(struct avro_reader *r, const struct avro_pick *pick, const char *p)
{
    const struct avro_step *end = pick->steps + pick->node->type->count;
    struct leat_value v = {0};
    struct leat_slice text;
    int64_t n;

    for (uint32_t i = 0; i < pick->sets_count; i++)
        put(r, pick->sets[i].column, pick->sets[i].value);
    for (const struct avro_step *s = pick->steps; s < end && p; s++) {
        switch (s->kind) {
        case AVRO_SKIP_NUMBER:
            p = avro_take_long(r, p, &n);
            break;
        case AVRO_SKIP_TEXT:
            p = avro_take_text(r, p, &text);
            break;
        case AVRO_SKIP_BYTES:
            p = avro_pass(r, p, s->bytes);
            break;
        case AVRO_SKIP_BOOL:
            p = avro_pass_bool(r, p);
            break;
        case AVRO_SKIP:
            p = avro_skip(r, s->type, p);
            break;
        case AVRO_TAKE_LONG:
            p = avro_take_long(r, p, &n);
            if (p)
                put(r, s->column, leat_int(n));
            break;
        case AVRO_TAKE_DOUBLE:
            if (r->end - p < 8)
                return avro_cut_short(r, p);
            put(r, s->column, leat_double(avro_take_double(p)));
            p += 8;
            break;
        case AVRO_TAKE_STRING:
            p = avro_take_string(r, p, &v);
            put(r, s->column, v);
            break;
        case AVRO_TAKE:
            p = avro_build(r, s->node, p, &v);
            put(r, s->column, v);
            break;
        case AVRO_PICK:
            p = read_pick(r, s->pick, p);
            break;
        }
    }
    return p;
}

static const char *read_keys(struct avro_reader *r, const struct avro_pick *pick, const char *p)
{
    const struct avro_type *t = pick->node->type;
    uint64_t count;
    int64_t bytes;

    for (;;) {
        p = avro_take_block(r, t, p, &count, &bytes);
        if (!p || count == 0)
            return p;
        for (; p && count > 0; count--) {
            struct leat_slice key = {0};
            uint32_t k = 0;
            p = avro_take_text(r, p, &key);
            while (p && k < pick->keys_count && !leat_slice_eq(pick->keys[k].key, key))
                k++;
            if (p && k < pick->keys_count)
                p = read_pick(r, pick->keys[k].pick, p);
            else if (p)
                p = avro_skip(r, t->item, p);
        }
    }
}

static const char *read_below(struct avro_reader *r, const struct avro_pick *pick, const char *p)
{
    bool record = pick->node->op == AVRO_OP_RECORD;

    if (record || pick->node->op == AVRO_OP_MAP) {
        if (!avro_enter(r, p))
            return NULL;
        p = record ? read_fields(r, pick, p) : read_keys(r, pick, p);
        r->depth--;
        return p;
    }
    for (uint32_t i = 0; pick->node->op != AVRO_OP_NULL && i < pick->below_count; i++)
        put(r, pick->below[i], leat_value_fail(LEAT_V_TYPE, "only an object has fields"));
    return pick->columns_count ? p : avro_skip(r, pick->node->type, p);
}

static const char *read_pick(struct avro_reader *r, const struct avro_pick *pick, const char *p)
{
    struct leat_value v = {0};
    const char *behind = p;
    uint32_t branch;

    if (pick->node->op == AVRO_OP_UNION) {
        p = avro_take_choice(r, p, pick->node->type->count, &branch);
        return p ? read_pick(r, pick->parts[branch], p) : NULL;
    }
    if (pick->node->op == AVRO_OP_WRONG)
        return avro_fail(r, p, pick->node->why);
    if (pick->columns_count == 0)
        return read_below(r, pick, p);
    behind = avro_build(r, pick->node, p, &v);
    for (uint32_t i = 0; behind && i < pick->columns_count; i++)
        put(r, pick->columns[i], v);
    if (behind && pick->below_count && !read_below(r, pick, p))
        return NULL;
    return behind;
}

/* ---- */

static struct leat_value failure(const struct avro_reader *r)
{
    char text[200];

    if (r->no_memory)
        return leat_value_fail(LEAT_V_BUDGET, "out of memory");
    int n = snprintf(text, sizeof text, "not Avro of this schema, at byte %zu: %s",
                     (size_t)(r->at - r->begin), r->why);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    struct leat_slice copy = leat_arena_copy(r->arena, (struct leat_slice){text, len});
    return copy.ptr ? leat_value_fail(LEAT_V_SYNTAX, copy.ptr)
                    : leat_value_fail(LEAT_V_BUDGET, "out of memory");
}

bool avro_read(const struct avro_plan *plan, struct leat_slice text, struct leat_arena *arena,
               struct leat_value **columns, uint32_t row, struct leat_value *why)
{
    struct avro_reader r = {.begin = text.ptr,
                            .end = text.ptr + text.len,
                            .arena = arena,
                            .columns = columns,
                            .row = row,
                            .values = VALUES_FREE + 64 * (uint64_t)text.len};
    const char *p = text.ptr;

    if (r.values > VALUES_MAX)
        r.values = VALUES_MAX;
    for (uint32_t i = 0; i < plan->absent_count; i++)
        columns[plan->absent[i].column][row] = plan->absent[i].value;
    p = text.len > UINT32_MAX ? avro_fail(&r, p, "longer than 4 GiB")
                              : read_pick(&r, plan->root, p);
    if (p && p < r.end)
        avro_fail(&r, p, "something behind the record");
    if (!r.why)
        return true;
    *why = failure(&r);
    return false;
}
