/*
 * The bytes of a value: a kind, then what it needs. Numbers are varints, 7 bits a byte, low ones
 * first; signed ones are zigzag. Part of the state format: only ever add kinds at the end.
 *
 *     null 0 | false 1 | true 2 | int 3 zigzag | uint 4 varint | double 5 bits, 8 bytes, low first
 *     string 6 length text | bytes 7 length text | timestamp 8 zigzag varint | duration 9 the same
 *     list 10 count items | map 11 count pairs | text with fields 12 length text count pairs
 *     error 13 code length text | type 14 length text
 */
#include "data/value_ops.h"

#define DEPTH_MAX 64

enum kind {
    KIND_NULL,
    KIND_FALSE,
    KIND_TRUE,
    KIND_INT,
    KIND_UINT,
    KIND_DOUBLE,
    KIND_STRING,
    KIND_BYTES,
    KIND_TIMESTAMP,
    KIND_DURATION,
    KIND_LIST,
    KIND_MAP,
    KIND_TEXT,
    KIND_ERROR,
    KIND_TYPE,
};

/* --- writing --- */

static void put_kind(struct leat_bytes *into, enum kind kind)
{
    uint8_t byte = (uint8_t)kind;

    leat_bytes_put(into, &byte, 1);
}

static void put_varint(struct leat_bytes *into, uint64_t u)
{
    uint8_t bytes[10];
    size_t n = 0;

    for (; u >= 0x80; u >>= 7)
        bytes[n++] = (uint8_t)(u | 0x80);
    bytes[n++] = (uint8_t)u;
    leat_bytes_put(into, bytes, n);
}

static void put_zigzag(struct leat_bytes *into, int64_t i)
{
    put_varint(into, (uint64_t)i << 1 ^ (i < 0 ? UINT64_MAX : 0));
}

static void put_text(struct leat_bytes *into, struct leat_slice text)
{
    put_varint(into, text.len);
    leat_bytes_put(into, text.ptr, text.len);
}

static void encode(struct leat_value v, uint32_t depth, struct leat_bytes *into);

static void encode_time(struct leat_value v, enum kind kind, struct leat_bytes *into)
{
    put_kind(into, kind);
    put_zigzag(into, v.as.i);
    put_varint(into, v.len);
}

static void encode_items(const struct leat_value *items, size_t n, uint32_t depth,
                         struct leat_bytes *into)
{
    for (size_t i = 0; i < n; i++)
        encode(items[i], depth, into);
}

static bool is_absent(struct leat_value v)
{
    return v.tag == LEAT_ERROR && v.code == LEAT_V_ABSENT;
}

/* Fields that are absent say something only where there is text below them. */
static void encode_record(const struct leat_record *r, uint32_t depth, struct leat_bytes *into)
{
    uint32_t n = r->shape->count;

    if (r->raw.ptr) {
        put_kind(into, KIND_TEXT);
        put_text(into, r->raw);
    } else {
        put_kind(into, KIND_MAP);
        for (uint32_t i = 0; i < r->shape->count; i++)
            n -= is_absent(r->fields[i]);
    }
    put_varint(into, n);
    for (uint32_t i = 0; i < r->shape->count; i++) {
        if (!r->raw.ptr && is_absent(r->fields[i]))
            continue;
        put_kind(into, KIND_STRING);
        put_text(into, r->shape->names[i]);
        encode(r->fields[i], depth, into);
    }
}

static void encode_error(enum leat_value_error code, struct leat_slice text,
                         struct leat_bytes *into)
{
    put_kind(into, KIND_ERROR);
    put_varint(into, code);
    put_text(into, text);
}

static void encode(struct leat_value v, uint32_t depth, struct leat_bytes *into)
{
    bool nested = v.tag == LEAT_LIST || v.tag == LEAT_MAP || v.tag == LEAT_RECORD;

    if (nested && depth == DEPTH_MAX) {
        encode_error(LEAT_V_BUDGET, LEAT_LIT("nested too deeply"), into);
        return;
    }
    switch ((enum leat_tag)v.tag) {
    case LEAT_NULL:
        put_kind(into, KIND_NULL);
        return;
    case LEAT_BOOL:
        put_kind(into, v.as.b ? KIND_TRUE : KIND_FALSE);
        return;
    case LEAT_INT:
        put_kind(into, KIND_INT);
        put_zigzag(into, v.as.i);
        return;
    case LEAT_UINT:
        put_kind(into, KIND_UINT);
        put_varint(into, v.as.u);
        return;
    case LEAT_DOUBLE:
        put_kind(into, KIND_DOUBLE);
        leat_bytes_put_u64(into, v.as.u);
        return;
    case LEAT_STRING:
    case LEAT_BYTES:
        put_kind(into, v.tag == LEAT_STRING ? KIND_STRING : KIND_BYTES);
        put_text(into, leat_value_text(v));
        return;
    case LEAT_TIMESTAMP:
        encode_time(v, KIND_TIMESTAMP, into);
        return;
    case LEAT_DURATION:
        encode_time(v, KIND_DURATION, into);
        return;
    case LEAT_LIST:
        put_kind(into, KIND_LIST);
        put_varint(into, v.len);
        encode_items(v.as.items, v.len, depth + 1, into);
        return;
    case LEAT_MAP:
        put_kind(into, KIND_MAP);
        put_varint(into, v.len);
        encode_items(v.as.items, 2 * (size_t)v.len, depth + 1, into);
        return;
    case LEAT_RECORD:
        encode_record(v.as.record, depth + 1, into);
        return;
    case LEAT_ERROR:
        encode_error(v.code, leat_value_text(v), into);
        return;
    case LEAT_TYPE:
        put_kind(into, KIND_TYPE);
        put_text(into, leat_value_text(v));
        return;
    }
}

void leat_value_encode(struct leat_value v, struct leat_bytes *into)
{
    encode(v, 0, into);
}

/* --- reading --- */

struct decoder {
    struct leat_slice rest;
    struct leat_arena *arena;
    struct leat_error *err;
};

static enum leat_status damaged(struct decoder *d)
{
    return leat_fail(d->err, LEAT_E_CORRUPT, "damaged bytes of a value");
}

static bool take_varint(struct decoder *d, uint64_t *u)
{
    uint8_t byte = 0x80;

    *u = 0;
    for (uint32_t shift = 0; byte & 0x80; shift += 7) {
        if (shift > 63 || !leat_take(&d->rest, &byte, 1) || (shift == 63 && byte > 1))
            return false;
        *u |= (uint64_t)(byte & 0x7f) << shift;
    }
    return true;
}

static bool take_zigzag(struct decoder *d, int64_t *i)
{
    uint64_t u;

    if (!take_varint(d, &u))
        return false;
    *i = (int64_t)(u >> 1 ^ (0 - (u & 1)));
    return true;
}

static bool take_text(struct decoder *d, struct leat_slice *text)
{
    uint64_t len;

    if (!take_varint(d, &len) || len > d->rest.len || len > UINT32_MAX)
        return false;
    *text = (struct leat_slice){d->rest.ptr ? d->rest.ptr : "", (size_t)len};
    d->rest = (struct leat_slice){d->rest.ptr + len, d->rest.len - (size_t)len};
    return true;
}

/* How many things of at least `least` bytes each follow: never more than there are bytes for. */
static bool take_count(struct decoder *d, uint32_t least, uint32_t *count)
{
    uint64_t n;

    if (!take_varint(d, &n) || n > d->rest.len / least || n > UINT32_MAX)
        return false;
    *count = (uint32_t)n;
    return true;
}

static enum leat_status decode(struct decoder *d, struct leat_value *v, uint32_t depth);

static bool decode_text(struct decoder *d, enum leat_tag tag, struct leat_value *v)
{
    struct leat_slice text;

    if (!take_text(d, &text))
        return false;
    *v = (struct leat_value){.tag = (uint8_t)tag, .len = (uint32_t)text.len, .as.text = text.ptr};
    return true;
}

static bool decode_error(struct decoder *d, struct leat_value *v)
{
    uint64_t code;

    if (!take_varint(d, &code) || code < LEAT_V_ABSENT || code > LEAT_V_BUDGET ||
        !decode_text(d, LEAT_ERROR, v))
        return false;
    v->code = (uint16_t)code;
    return true;
}

static bool decode_time(struct decoder *d, enum leat_tag tag, struct leat_value *v)
{
    uint64_t nanos;

    v->tag = (uint8_t)tag;
    if (!take_zigzag(d, &v->as.i) || !take_varint(d, &nanos) || nanos > 999999999)
        return false;
    v->len = (uint32_t)nanos;
    return true;
}

static bool decode_scalar(struct decoder *d, enum kind kind, struct leat_value *v)
{
    switch (kind) {
    case KIND_NULL:
        return true;
    case KIND_FALSE:
    case KIND_TRUE:
        *v = leat_bool(kind == KIND_TRUE);
        return true;
    case KIND_INT:
        v->tag = LEAT_INT;
        return take_zigzag(d, &v->as.i);
    case KIND_UINT:
        v->tag = LEAT_UINT;
        return take_varint(d, &v->as.u);
    case KIND_DOUBLE:
        v->tag = LEAT_DOUBLE;
        return leat_take_u64(&d->rest, &v->as.u);
    case KIND_STRING:
        return decode_text(d, LEAT_STRING, v);
    case KIND_BYTES:
        return decode_text(d, LEAT_BYTES, v);
    case KIND_TIMESTAMP:
        return decode_time(d, LEAT_TIMESTAMP, v);
    case KIND_DURATION:
        return decode_time(d, LEAT_DURATION, v);
    case KIND_ERROR:
        return decode_error(d, v);
    case KIND_TYPE:
        return decode_text(d, LEAT_TYPE, v);
    case KIND_LIST:
    case KIND_MAP:
    case KIND_TEXT:
    default:
        return false;
    }
}

static enum leat_status decode_items(struct decoder *d, enum leat_tag tag, struct leat_value *v,
                                     uint32_t depth)
{
    uint32_t each = tag == LEAT_MAP ? 2 : 1, count;
    struct leat_value *items;

    if (!take_count(d, each, &count))
        return damaged(d);
    size_t n = (size_t)each * count;
    items = leat_arena_array(d->arena, n ? n : 1, sizeof *items);
    if (!items)
        return leat_arena_failed(d->arena, d->err);
    for (size_t i = 0; i < n; i++)
        if (decode(d, &items[i], depth) != LEAT_OK)
            return d->err->status;
    *v = (struct leat_value){.tag = (uint8_t)tag, .len = count, .as.items = items};
    return LEAT_OK;
}

static enum leat_status decode_record(struct decoder *d, struct leat_value *v, uint32_t depth)
{
    struct leat_slice raw;
    uint32_t count;

    if (!take_text(d, &raw) || !take_count(d, 3, &count))
        return damaged(d);
    struct leat_shape *shape =
        leat_arena_alloc(d->arena, sizeof *shape + count * sizeof shape->names[0]);
    if (!shape)
        return leat_arena_failed(d->arena, d->err);
    shape->count = count;
    struct leat_record *record = leat_record_new(d->arena, shape);
    if (!record)
        return leat_arena_failed(d->arena, d->err);
    record->raw = raw;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t kind;
        if (!leat_take(&d->rest, &kind, 1) || kind != KIND_STRING ||
            !take_text(d, &shape->names[i]))
            return damaged(d);
        if (decode(d, &record->fields[i], depth) != LEAT_OK)
            return d->err->status;
    }
    *v = (struct leat_value){.tag = LEAT_RECORD, .as.record = record};
    return LEAT_OK;
}

static enum leat_status decode(struct decoder *d, struct leat_value *v, uint32_t depth)
{
    uint8_t kind;

    *v = (struct leat_value){0};
    if (!leat_take(&d->rest, &kind, 1))
        return damaged(d);
    if (kind != KIND_LIST && kind != KIND_MAP && kind != KIND_TEXT)
        return decode_scalar(d, kind, v) ? LEAT_OK : damaged(d);
    if (depth == DEPTH_MAX)
        return damaged(d);
    if (kind == KIND_TEXT)
        return decode_record(d, v, depth + 1);
    return decode_items(d, kind == KIND_LIST ? LEAT_LIST : LEAT_MAP, v, depth + 1);
}

enum leat_status leat_value_decode(struct leat_slice *from, struct leat_arena *arena,
                                   struct leat_value *v, struct leat_error *err)
{
    struct decoder d = {*from, arena, err};
    enum leat_status status = decode(&d, v, 0);

    if (status == LEAT_OK)
        *from = d.rest;
    return status;
}
