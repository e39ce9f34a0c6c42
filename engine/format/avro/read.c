/* read.c - values of a record: passed over, or made. */
#include "reader.h"

#define SMALL_MAP 16 /* pairs: up to here equal keys are looked for one by one */

const char *avro_fail(struct avro_reader *r, const char *at, const char *why)
{
    if (!r->why) {
        r->at = at;
        r->why = why;
    }
    return NULL;
}

const char *avro_cut_short(struct avro_reader *r, const char *at)
{
    return avro_fail(r, at, "the record ends here, in the middle of a value");
}

static const char *no_memory(struct avro_reader *r, const char *at)
{
    r->no_memory = true;
    return avro_fail(r, at, "out of memory");
}

/* ---- numbers and lengths */

const char *avro_take_varint(struct avro_reader *r, const char *p, uint64_t *u)
{
    uint64_t n = 0;

    for (uint32_t shift = 0; p < r->end; shift += 7) {
        unsigned char c = (unsigned char)*p;
        if (shift == 63 && c > 1)
            return avro_fail(r, p, "a number of more than 64 bits");
        p++;
        n |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            *u = n;
            return p;
        }
    }
    return avro_cut_short(r, p);
}

static const char *take_int(struct avro_reader *r, const char *p, int64_t *v)
{
    const char *behind = avro_take_long(r, p, v);

    if (behind && *v != (int32_t)*v)
        return avro_fail(r, p, "an int of more than 32 bits");
    return behind;
}

static uint32_t item_bytes(const struct avro_type *t)
{
    return t->item->min_bytes + (t->kind == AVRO_MAP);
}

const char *avro_next_block(struct avro_reader *r, const struct avro_type *t, const char *p,
                            uint64_t *count, int64_t *bytes)
{
    uint32_t min_bytes = item_bytes(t);
    const char *from = p;
    int64_t n;

    *bytes = -1;
    p = avro_take_long(r, p, &n);
    if (p && n < 0) {
        if (n == INT64_MIN)
            return avro_fail(r, from, "a count of items below all there are");
        n = -n;
        p = avro_take_long(r, p, bytes);
        if (p && (*bytes < 0 || *bytes > r->end - p))
            return avro_fail(r, from, "a block beyond the end of the record");
    }
    if (!p)
        return NULL;
    uint64_t room = min_bytes ? (uint64_t)(r->end - p) / min_bytes : r->values;
    if ((uint64_t)n > room)
        return avro_fail(r, from, "more items than its bytes can hold");
    *count = (uint64_t)n;
    return p;
}

bool avro_enter(struct avro_reader *r, const char *p)
{
    if (r->depth == AVRO_DEPTH) {
        avro_fail(r, p, "nested too deeply");
        return false;
    }
    r->depth++;
    return true;
}

bool avro_enter_record(struct avro_reader *r, const struct avro_type *t, const char *p)
{
    if (t->count >= r->passes) {
        avro_fail(r, p, "too many fields for its length");
        return false;
    }
    r->passes -= t->count + 1;
    return avro_enter(r, p);
}

/* ---- what nobody wants */

static const char *skip_items(struct avro_reader *r, const struct avro_type *t, const char *p)
{
    struct leat_slice key;
    uint64_t count;
    int64_t bytes;

    if (!avro_enter(r, p))
        return NULL;
    for (;;) {
        p = avro_next_block(r, t, p, &count, &bytes);
        if (!p || count == 0)
            break;
        if (bytes >= 0) {
            p += bytes;
            continue;
        }
        if (item_bytes(t) == 0) { /* nothing stands there, but nobody may count for ever */
            r->values -= count;
            continue;
        }
        for (; p && count > 0; count--) {
            if (t->kind == AVRO_MAP)
                p = avro_take_text(r, p, &key);
            p = p ? avro_skip(r, t->item, p) : NULL;
        }
        if (!p)
            break;
    }
    r->depth--;
    return p;
}

static const char *skip_record(struct avro_reader *r, const struct avro_type *t, const char *p)
{
    if (!avro_enter_record(r, t, p))
        return NULL;
    for (uint32_t i = 0; i < t->count && p; i++)
        p = avro_skip(r, t->fields[i].type, p);
    r->depth--;
    return p;
}

const char *avro_skip(struct avro_reader *r, const struct avro_type *t, const char *p)
{
    struct leat_slice text;
    uint32_t branch;
    int64_t n;

    switch (t->kind) {
    case AVRO_NULL:
        return p;
    case AVRO_BOOLEAN:
        return avro_pass_bool(r, p);
    case AVRO_INT:
        return take_int(r, p, &n);
    case AVRO_LONG:
        return avro_take_long(r, p, &n);
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
    case AVRO_FIXED:
        return avro_pass(r, p, t->min_bytes);
    case AVRO_BYTES:
    case AVRO_STRING:
        return avro_take_text(r, p, &text);
    case AVRO_ENUM:
        return avro_take_choice(r, p, t->count, &branch);
    case AVRO_UNION:
        p = avro_take_choice(r, p, t->count, &branch);
        return p ? avro_skip(r, t->branches[branch], p) : NULL;
    case AVRO_RECORD:
        return skip_record(r, t, p);
    case AVRO_ARRAY:
    case AVRO_MAP:
        return skip_items(r, t, p);
    }
    return NULL;
}

/* ---- values */

static bool charge(struct avro_reader *r, uint64_t values, const char *p)
{
    if (values > r->values) {
        avro_fail(r, p, "too many values for its length");
        return false;
    }
    r->values -= values;
    return true;
}

static inline double take_float(const char *p)
{
    uint32_t bits;
    float f;

    memcpy(&bits, p, sizeof bits);
    bits = le32toh(bits);
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

static const char *build_record(struct avro_reader *r, const struct avro_node *n, const char *p,
                                struct leat_value *v)
{
    uint32_t count = n->shape->count;

    if (!avro_enter(r, p) || !charge(r, count + (uint64_t)1, p))
        return NULL;
    struct leat_record *record = leat_record_new(r->arena, n->shape);
    if (!record)
        return no_memory(r, p);
    if (n->unwritten && count)
        memcpy(record->fields, n->values, count * sizeof *n->values);
    for (uint32_t i = 0; i < n->type->count && p; i++)
        p = n->parts[i] ? avro_build(r, n->parts[i], p, &record->fields[n->places[i]])
                        : avro_skip(r, n->type->fields[i].type, p);
    *v = (struct leat_value){.tag = LEAT_RECORD, .as.record = record};
    r->depth--;
    return p;
}

/* Of equal keys the first stays, with the value of the last. */
static bool drop_duplicates(struct avro_reader *r, struct leat_value *pairs, size_t *count)
{
    size_t kept = 0, size = 4;
    uint32_t *table = NULL;

    while (size < 2 * *count)
        size *= 2;
    if (*count > SMALL_MAP && !(table = leat_arena_array(r->arena, size, sizeof *table)))
        return false;
    for (size_t i = 0; i < *count; i++) {
        struct leat_slice key = leat_value_text(pairs[2 * i]);
        size_t k = 0, slot = 0;
        if (table) {
            for (slot = leat_key_hash(key) & (size - 1); table[slot];
                 slot = (slot + 1) & (size - 1))
                if (leat_slice_eq(leat_value_text(pairs[2 * (table[slot] - 1)]), key))
                    break;
            k = table[slot] ? table[slot] - 1 : kept;
        } else {
            while (k < kept && !leat_slice_eq(leat_value_text(pairs[2 * k]), key))
                k++;
        }
        if (table)
            table[slot] = (uint32_t)k + 1;
        pairs[2 * k] = k == kept ? pairs[2 * i] : pairs[2 * k];
        pairs[2 * k + 1] = pairs[2 * i + 1];
        kept += k == kept;
    }
    *count = kept;
    return true;
}

/* Items of a list, or keys and values of a map. `room` grows with what came, not with what is said
 * to come. */
struct items {
    struct leat_value *list;
    size_t count, room;
};

static struct leat_value *next_item(struct avro_reader *r, struct items *items, uint64_t hint)
{
    if (items->count == items->room) {
        size_t room = items->room ? items->room * 2 : hint < 1024 ? (size_t)hint : 1024;
        struct leat_value *more = leat_arena_array(r->arena, room, sizeof *more);
        if (!more)
            return NULL;
        if (items->count)
            memcpy(more, items->list, items->count * sizeof *more);
        items->list = more;
        items->room = room;
    }
    return &items->list[items->count++];
}

static const char *build_item(struct avro_reader *r, const struct avro_node *n, const char *p,
                              struct items *items, uint64_t left)
{
    bool map = n->op == AVRO_OP_MAP;
    struct leat_value *v;

    if (!charge(r, map ? 2 : 1, p))
        return NULL;
    if (map) {
        v = next_item(r, items, 2 * left);
        if (!v)
            return no_memory(r, p);
        p = avro_take_string(r, p, v);
        if (!p)
            return NULL;
    }
    v = next_item(r, items, left);
    if (!v)
        return no_memory(r, p);
    size_t at = items->count - 1;
    struct leat_value item = {0};
    p = avro_build(r, n->parts[0], p, &item);
    items->list[at] = item;
    return p;
}

static const char *build_items(struct avro_reader *r, const struct avro_node *n, const char *p,
                               struct leat_value *v)
{
    bool map = n->op == AVRO_OP_MAP;
    struct items items = {0};
    const char *from = p;
    uint64_t count;
    int64_t bytes;

    if (!avro_enter(r, p))
        return NULL;
    for (;;) {
        p = avro_next_block(r, n->type, p, &count, &bytes);
        if (!p || count == 0)
            break;
        for (; p && count > 0; count--)
            p = build_item(r, n, p, &items, count);
        if (!p)
            return NULL;
    }
    if (!p)
        return NULL;
    size_t len = map ? items.count / 2 : items.count;
    if (map && len > 1 && !drop_duplicates(r, items.list, &len))
        return no_memory(r, from);
    if (!items.list && !(items.list = leat_arena_array(r->arena, 1, sizeof *items.list)))
        return no_memory(r, from);
    r->depth--;
    *v = (struct leat_value){
        .tag = map ? LEAT_MAP : LEAT_LIST, .len = (uint32_t)len, .as.items = items.list};
    return p;
}

static const char *build_decimal(struct avro_reader *r, const struct avro_node *n, const char *p,
                                 struct leat_value *v)
{
    struct leat_slice bytes = {p, n->type->count};

    if (n->op == AVRO_OP_DECIMAL)
        p = avro_take_text(r, p, &bytes);
    else
        p = avro_pass(r, p, n->type->count);
    if (!p || !charge(r, 4 + n->scale / 16, p))
        return NULL;
    *v = avro_decimal(bytes, n->precision, n->scale, r->arena);
    return v->tag == LEAT_ERROR && v->code == LEAT_V_BUDGET ? no_memory(r, p) : p;
}

static const char *build_symbol(struct avro_reader *r, const struct avro_node *n, const char *p,
                                struct leat_value *v)
{
    uint32_t symbol;
    const char *behind = avro_take_choice(r, p, n->type->count, &symbol);

    if (!behind)
        return NULL;
    *v = n->values[symbol];
    return v->tag == LEAT_ERROR ? avro_fail(r, p, v->as.text) : behind;
}

static const char *build_bytes(struct avro_reader *r, const struct avro_node *n, const char *p,
                               struct leat_value *v)
{
    struct leat_slice bytes = {p, n->type->count};

    p = n->op == AVRO_OP_FIXED ? avro_pass(r, p, n->type->count) : avro_take_text(r, p, &bytes);
    *v = (struct leat_value){.tag = LEAT_BYTES, .len = (uint32_t)bytes.len, .as.text = bytes.ptr};
    return p;
}

static const char *build_number(struct avro_reader *r, const struct avro_node *n, const char *p,
                                struct leat_value *v)
{
    bool is_int = n->op == AVRO_OP_INT || n->op == AVRO_OP_INT_DOUBLE || n->op == AVRO_OP_TIME_INT;
    int64_t i = 0;

    p = is_int ? take_int(r, p, &i) : avro_take_long(r, p, &i);
    if (n->op == AVRO_OP_INT_DOUBLE || n->op == AVRO_OP_LONG_DOUBLE)
        *v = leat_double((double)i);
    else
        *v = n->logical == AVRO_PLAIN ? leat_int(i) : avro_time(n->logical, i);
    return p;
}

const char *avro_build(struct avro_reader *r, const struct avro_node *n, const char *p,
                       struct leat_value *v)
{
    const char *behind;
    uint32_t branch;

    switch (n->op) {
    case AVRO_OP_NULL:
        *v = (struct leat_value){0};
        return p;
    case AVRO_OP_BOOL:
        behind = avro_pass_bool(r, p);
        *v = leat_bool(behind && *p);
        return behind;
    case AVRO_OP_INT:
    case AVRO_OP_LONG:
    case AVRO_OP_INT_DOUBLE:
    case AVRO_OP_LONG_DOUBLE:
    case AVRO_OP_TIME_INT:
    case AVRO_OP_TIME_LONG:
        return build_number(r, n, p, v);
    case AVRO_OP_FLOAT:
        behind = avro_pass(r, p, 4);
        *v = leat_double(behind ? take_float(p) : 0);
        return behind;
    case AVRO_OP_DOUBLE:
        behind = avro_pass(r, p, 8);
        *v = leat_double(behind ? avro_take_double(p) : 0);
        return behind;
    case AVRO_OP_STRING:
        return avro_take_string(r, p, v);
    case AVRO_OP_BYTES:
    case AVRO_OP_FIXED:
        return build_bytes(r, n, p, v);
    case AVRO_OP_DECIMAL:
    case AVRO_OP_DECIMAL_FIXED:
        return build_decimal(r, n, p, v);
    case AVRO_OP_ENUM:
        return build_symbol(r, n, p, v);
    case AVRO_OP_RECORD:
        return build_record(r, n, p, v);
    case AVRO_OP_ARRAY:
    case AVRO_OP_MAP:
        return build_items(r, n, p, v);
    case AVRO_OP_UNION:
        behind = avro_take_choice(r, p, n->type->count, &branch);
        return behind ? avro_build(r, n->parts[branch], behind, v) : NULL;
    case AVRO_OP_WRONG:
        return avro_fail(r, p, n->why);
    }
    return NULL;
}
