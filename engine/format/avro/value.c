/* value.c - values that do not stand in the bytes as they are: times, decimals, defaults. */
#include "plan.h"

#define DECIMAL_BYTES 16 /* of the longest that is read: 38 digits */
#define DOUBLE_DIGITS 15 /* so many digits are the same after a way through a double */
#define INT_DIGITS    18

__extension__ typedef unsigned __int128 u128;

struct leat_value avro_time(enum avro_logical logical, int64_t n)
{
    switch (logical) {
    case AVRO_DATE:
        return leat_timestamp(n * 86400, 0);
    case AVRO_TIME_MILLIS:
        return leat_duration(n / 1000, n % 1000 * 1000000);
    case AVRO_TIME_MICROS:
        return leat_duration(n / 1000000, n % 1000000 * 1000);
    case AVRO_TIMESTAMP_MILLIS:
        return leat_timestamp(n / 1000, n % 1000 * 1000000);
    case AVRO_TIMESTAMP_MICROS:
        return leat_timestamp(n / 1000000, n % 1000000 * 1000);
    case AVRO_TIMESTAMP_NANOS:
        return leat_timestamp(n / 1000000000, n % 1000000000);
    case AVRO_PLAIN:
    case AVRO_DECIMAL:
        break;
    }
    return leat_int(n);
}

/* ---- decimals */

/* Decimal digits of n with a point before the last `scale` of them. */
static struct leat_value decimal_text(bool negative, u128 n, uint32_t scale,
                                      struct leat_arena *arena)
{
    char *text = leat_arena_alloc(arena, 48 + (size_t)scale), *end = text + 46 + scale, *p = end;

    if (!text)
        return leat_value_fail(LEAT_V_BUDGET, "out of memory");
    for (uint32_t i = 0; n || i <= scale; i++) {
        if (scale && i == scale)
            *--p = '.';
        *--p = (char)('0' + (int)(n % 10));
        n /= 10;
    }
    if (negative)
        *--p = '-';
    return leat_string((struct leat_slice){p, (size_t)(end - p)});
}

static double power_of_ten(uint32_t n)
{
    double power = 1;

    while (n-- > 0)
        power *= 10;
    return power;
}

static uint32_t digits_of(u128 n)
{
    uint32_t digits = 0;

    for (; n; n /= 10)
        digits++;
    return digits;
}

struct leat_value avro_decimal(struct leat_slice bytes, uint32_t precision, uint32_t scale,
                               struct leat_arena *arena)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr;
    bool negative = bytes.len && p[0] >= 0x80;
    u128 n = negative ? ~(u128)0 : 0;
    size_t i = 0;

    while (bytes.len - i > DECIMAL_BYTES && p[i] == (negative ? 0xff : 0))
        i++;
    if (bytes.len - i > DECIMAL_BYTES || (i && negative != (p[i] >= 0x80)))
        return leat_value_fail(LEAT_V_OVERFLOW, "a decimal of more than 38 digits");
    for (; i < bytes.len; i++)
        n = n << 8 | p[i];
    if (negative)
        n = -n;
    if (digits_of(n) > precision)
        return leat_value_fail(LEAT_V_OVERFLOW, "a decimal of more digits than its precision");
    if (scale == 0 && precision <= INT_DIGITS)
        return leat_int(negative ? -(int64_t)n : (int64_t)n);
    if (precision > DOUBLE_DIGITS)
        return decimal_text(negative, n, scale, arena);
    double d = (double)(int64_t)n / power_of_ten(scale);
    return leat_double(negative ? -d : d);
}

/* ---- defaults */

static struct leat_value unfit(void)
{
    return leat_value_fail(LEAT_V_TYPE, "it does not fit the type");
}

static struct leat_value out_of_memory(void)
{
    return leat_value_fail(LEAT_V_BUDGET, "out of memory");
}

/* Bytes are written as text whose characters are the bytes. */
static struct leat_value standard_bytes(const struct avro_type *t, struct leat_value json,
                                        struct leat_arena *arena)
{
    struct leat_slice text = leat_value_text(json);

    if (json.tag != LEAT_STRING)
        return unfit();
    char *bytes = leat_arena_alloc(arena, text.len + 1);
    size_t n = 0;
    if (!bytes)
        return out_of_memory();
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x80) {
            if (c > 0xc3 || i + 1 == text.len)
                return unfit();
            c = (unsigned char)(c << 6 | (text.ptr[++i] & 0x3f));
        }
        bytes[n++] = (char)c;
    }
    if (t->kind == AVRO_FIXED && n != t->count)
        return unfit();
    if (t->logical == AVRO_DECIMAL)
        return avro_decimal((struct leat_slice){bytes, n}, t->precision, t->scale, arena);
    return (struct leat_value){.tag = LEAT_BYTES, .len = (uint32_t)n, .as.text = bytes};
}

static struct leat_value standard_items(const struct avro_type *t, struct leat_value json,
                                        struct leat_shapes *shapes, struct leat_arena *arena,
                                        uint32_t depth)
{
    bool map = t->kind == AVRO_MAP;
    size_t n = map ? 2 * (size_t)json.len : json.len;

    if (json.tag != (map ? LEAT_MAP : LEAT_LIST))
        return unfit();
    struct leat_value *items = leat_arena_array(arena, n + 1, sizeof *items);
    if (!items)
        return out_of_memory();
    for (size_t i = 0; i < n; i++) {
        items[i] = map && i % 2 == 0
                       ? json.as.items[i]
                       : avro_standard(t->item, json.as.items[i], shapes, arena, depth + 1);
        if (items[i].tag == LEAT_ERROR)
            return items[i];
    }
    json.as.items = items;
    return json;
}

static struct leat_value standard_record(const struct avro_type *t, struct leat_value json,
                                         struct leat_shapes *shapes, struct leat_arena *arena,
                                         uint32_t depth)
{
    const struct leat_shape *shape = avro_shape(t, shapes, arena);
    struct leat_record *r = shape ? leat_record_new(arena, shape) : NULL;

    if (json.tag != LEAT_MAP)
        return unfit();
    if (!r)
        return out_of_memory();
    for (uint32_t i = 0; i < t->count; i++) {
        const struct avro_field *f = &t->fields[i];
        struct leat_value v = leat_value_field(json, f->name, arena);
        if (v.tag == LEAT_ERROR && f->has_standard)
            v = f->standard;
        r->fields[i] =
            v.tag == LEAT_ERROR ? unfit() : avro_standard(f->type, v, shapes, arena, depth + 1);
        if (r->fields[i].tag == LEAT_ERROR)
            return r->fields[i];
    }
    return (struct leat_value){.tag = LEAT_RECORD, .as.record = r};
}

static struct leat_value standard_symbol(const struct avro_type *t, struct leat_value json)
{
    for (uint32_t i = 0; json.tag == LEAT_STRING && i < t->count; i++)
        if (leat_slice_eq(t->symbols[i], leat_value_text(json)))
            return leat_string(t->symbols[i]);
    return unfit();
}

static struct leat_value standard_number(const struct avro_type *t, struct leat_value json)
{
    bool whole = t->kind == AVRO_INT || t->kind == AVRO_LONG;

    if (json.tag == LEAT_INT && whole && t->kind == AVRO_INT && json.as.i != (int32_t)json.as.i)
        return unfit();
    if (json.tag == LEAT_INT)
        return whole ? avro_time(t->logical, json.as.i) : leat_double((double)json.as.i);
    return json.tag == LEAT_DOUBLE && !whole ? json : unfit();
}

struct leat_value avro_standard(const struct avro_type *t, struct leat_value json,
                                struct leat_shapes *shapes, struct leat_arena *arena,
                                uint32_t depth)
{
    struct leat_value v;

    if (depth > AVRO_DEPTH)
        return leat_value_fail(LEAT_V_TYPE, "it is nested too deeply");
    switch (t->kind) {
    case AVRO_NULL:
        return json.tag == LEAT_NULL ? json : unfit();
    case AVRO_BOOLEAN:
        return json.tag == LEAT_BOOL ? json : unfit();
    case AVRO_INT:
    case AVRO_LONG:
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        return standard_number(t, json);
    case AVRO_BYTES:
    case AVRO_FIXED:
        return standard_bytes(t, json, arena);
    case AVRO_STRING:
        return json.tag == LEAT_STRING ? json : unfit();
    case AVRO_ENUM:
        return standard_symbol(t, json);
    case AVRO_ARRAY:
    case AVRO_MAP:
        return standard_items(t, json, shapes, arena, depth);
    case AVRO_RECORD:
        return standard_record(t, json, shapes, arena, depth);
    case AVRO_UNION:
        v = unfit();
        for (uint32_t i = 0; i < t->count && v.tag == LEAT_ERROR && v.code == LEAT_V_TYPE; i++)
            v = avro_standard(t->branches[i], json, shapes, arena, depth + 1);
        return v;
    }
    return unfit();
}
