/* columns.c - the bytes of one record to the touched columns, in one pass. */
#include "reader.h"

#include <stdio.h>

#define VALUES_MAX (UINT64_C(1) << 20)

static const char *read_pick(struct avro_reader *r, const struct avro_pick *pick, const char *p);

static inline void put(const struct avro_reader *r, uint32_t column, struct leat_value v)
{
    r->columns[column][r->row] = v;
}

/* Where a number ends that is as short as most are: the bits of its last byte's top; 0: it is
 * longer, or near the end of the record. */
static inline uint64_t find_stop(const char *p, const char *end, uint64_t *word)
{
    if (end - p < 8)
        return 0;
    memcpy(word, p, sizeof *word);
    *word = le64toh(*word);
    return ~*word & UINT64_C(0x8080808080808080);
}

static inline uint32_t bytes_to(uint64_t stop)
{
    return (uint32_t)__builtin_ctzll(stop) / 8 + 1;
}

/* All seven-bit pieces at once. */
static inline const char *take_number(struct avro_reader *r, const char *p, int64_t *n)
{
    uint64_t word = 0, stop = find_stop(p, r->end, &word);

    if (__builtin_expect(stop == 0, 0))
        return avro_take_long(r, p, n);
    word &= stop ^ (stop - 1);
    word = (word & UINT64_C(0x007f007f007f007f)) | (word & UINT64_C(0x7f007f007f007f00)) >> 1;
    word = (word & UINT64_C(0x00003fff00003fff)) | (word & UINT64_C(0x3fff00003fff0000)) >> 2;
    word = (word & UINT64_C(0x0fffffff)) | (word & UINT64_C(0x0fffffff00000000)) >> 4;
    *n = (int64_t)(word >> 1) ^ -(int64_t)(word & 1);
    return p + bytes_to(stop);
}

static inline const char *skip_number(struct avro_reader *r, const char *p)
{
    uint64_t word = 0, stop = find_stop(p, r->end, &word);
    int64_t n;

    return __builtin_expect(stop == 0, 0) ? avro_take_long(r, p, &n) : p + bytes_to(stop);
}

/* Is there a text at p whose length is one byte, and all of it? Its length, or -1. */
static inline int64_t short_text(const char *p, const char *end)
{
    unsigned char c = p < end ? (unsigned char)*p : 1;

    return c & 0x81 || end - p <= c >> 1 ? -1 : c >> 1;
}

static inline bool is_ascii(const char *p, size_t len)
{
    uint64_t all = 0, word;
    uint32_t first, last;

    if (len >= 8) { /* the last eight overlap with those before */
        for (size_t i = 0; i < len - 8; i += 8) {
            memcpy(&word, p + i, 8);
            all |= word;
        }
        memcpy(&word, p + len - 8, 8);
        all |= word;
    } else if (len >= 4) {
        memcpy(&first, p, 4);
        memcpy(&last, p + len - 4, 4);
        all = first | last;
    } else if (len) {
        all = (unsigned char)(p[0] | p[len / 2] | p[len - 1]);
    }
    return !(all & UINT64_C(0x8080808080808080));
}

static inline const char *put_string(struct avro_reader *r, const char *p, struct leat_value *to)
{
    int64_t len = short_text(p, r->end);

    if (len < 0 || !is_ascii(p + 1, (size_t)len))
        return avro_take_string(r, p, to);
    *to = (struct leat_value){.tag = LEAT_STRING, .len = (uint32_t)len, .as.text = p + 1};
    return p + 1 + len;
}

static inline const char *skip_text(struct avro_reader *r, const char *p)
{
    int64_t len = short_text(p, r->end);
    struct leat_slice text;

    return len < 0 ? avro_take_text(r, p, &text) : p + 1 + len;
}

/* Of a union mostly null or a text is passed over. */
static inline const char *skip_union(struct avro_reader *r, const struct avro_type *t,
                                     const char *p)
{
    uint32_t branch = 0;

    p = avro_take_choice(r, p, t->count, &branch);
    if (!p)
        return NULL;
    t = t->branches[branch];
    return t->kind == AVRO_NULL ? p : t->kind == AVRO_STRING ? skip_text(r, p) : avro_skip(r, t, p);
}

static const char *read_fields(struct avro_reader *r, const struct avro_pick *pick, const char *p)
{
    struct leat_value **const columns = r->columns;
    const uint32_t row = r->row;
    const char *behind;
    int64_t n;

    for (uint32_t i = 0; i < pick->sets_count; i++)
        put(r, pick->sets[i].column, pick->sets[i].value);
    for (const struct avro_step *s = pick->steps;; s++) {
        switch (s->kind) {
        case AVRO_END:
            return p;
        case AVRO_SKIP_NUMBER:
            p = skip_number(r, p);
            break;
        case AVRO_SKIP_INT:
            behind = avro_take_long(r, p, &n);
            if (behind && n != (int32_t)n)
                return avro_skip(r, s->type, p); /* which says why not */
            p = behind;
            break;
        case AVRO_SKIP_TEXT:
            p = skip_text(r, p);
            break;
        case AVRO_SKIP_UNION:
            p = skip_union(r, s->type, p);
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
            p = take_number(r, p, &n);
            if (p)
                columns[s->column][row] = leat_int(n);
            break;
        case AVRO_TAKE_DOUBLE:
            if (r->end - p < 8)
                return avro_cut_short(r, p);
            columns[s->column][row] = leat_double(avro_take_double(p));
            p += 8;
            break;
        case AVRO_TAKE_STRING:
            p = put_string(r, p, &columns[s->column][row]);
            break;
        case AVRO_TAKE:
            columns[s->column][row] = (struct leat_value){0};
            p = avro_build(r, s->node, p, &columns[s->column][row]);
            break;
        case AVRO_PICK:
            p = read_pick(r, s->pick, p);
            break;
        default: /* spares a comparison of each step */
            __builtin_unreachable();
        }
        if (!p)
            return NULL;
    }
}

static const char *read_keys(struct avro_reader *r, const struct avro_pick *pick, const char *p)
{
    const struct avro_type *t = pick->node->type;
    uint64_t count;
    int64_t bytes;

    for (;;) {
        p = avro_next_block(r, t, p, &count, &bytes);
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
        if (record ? !avro_enter_record(r, pick->node->type, p) : !avro_enter(r, p))
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
                            .passes = AVRO_VALUES_FREE + 64 * (uint64_t)text.len};
    const char *p = text.ptr;

    r.values = r.passes < VALUES_MAX ? r.passes : VALUES_MAX;
    for (uint32_t i = 0; i < plan->absent_count; i++)
        columns[plan->absent[i].column][row] = plan->absent[i].value;
    p = text.len > UINT32_MAX ? avro_fail(&r, p, "longer than 4 GiB")
        : plan->root->steps && plan->root->columns_count == 0 ? read_fields(&r, plan->root, p)
                                                              : read_pick(&r, plan->root, p);
    if (p && p < r.end)
        avro_fail(&r, p, "something behind the record");
    if (!r.why)
        return true;
    *why = failure(&r);
    return false;
}
