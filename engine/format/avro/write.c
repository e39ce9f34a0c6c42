/*
 * write.c - values to bytes of a schema.
 *
 * Fields are found by name. One that is not there gets its default, else null where null is
 * allowed. A whole number fits a double, and a double without a fraction an int; a time fits a
 * string, as its text. Nothing else is converted: what does not fit is an error of that record.
 */
#include "write.h"

#include <endian.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

__extension__ typedef __int128 i128;

struct writer {
    struct leat_arena *arena;
    struct leat_bytes *into;
    struct leat_value why;
    uint32_t depth;
};

static bool put(struct writer *w, const struct avro_type *t, struct leat_value v);

/* ---- what is wrong */

static bool fail_text(struct writer *w, const char *text)
{
    struct leat_slice copy = leat_arena_copy(w->arena, leat_slice_str(text));

    w->why = copy.ptr ? leat_value_fail(LEAT_V_TYPE, copy.ptr)
                      : leat_value_fail(LEAT_V_BUDGET, "out of memory");
    return false;
}

static bool unfit(struct writer *w, const struct avro_type *t, struct leat_value v)
{
    static const char *const wanted[] = {
        [AVRO_DATE] = "a timestamp at midnight UTC (date)",
        [AVRO_TIME_MILLIS] = "a duration below a day, in milliseconds (time-millis)",
        [AVRO_TIME_MICROS] = "a duration below a day, in microseconds (time-micros)",
        [AVRO_TIMESTAMP_MILLIS] = "a timestamp (timestamp-millis)",
        [AVRO_TIMESTAMP_MICROS] = "a timestamp (timestamp-micros)",
        [AVRO_TIMESTAMP_NANOS] = "a timestamp between 1677 and 2262 (timestamp-nanos)",
        [AVRO_DECIMAL] = "a number, or its text, of this many digits (decimal)",
    };
    char text[300], type[120];

    snprintf(text, sizeof text, "%s is wanted, this is %s",
             t->logical != AVRO_PLAIN ? wanted[t->logical] : avro_type_text(t, type, sizeof type),
             v.tag == LEAT_ERROR ? "not there" : leat_tag_name((enum leat_tag)v.tag));
    return fail_text(w, text);
}

/* Puts the field in front of what is wrong inside it. */
static bool in_field(struct writer *w, struct leat_slice name)
{
    char text[400];

    if (w->why.code == LEAT_V_BUDGET)
        return false;
    snprintf(text, sizeof text, "%.*s: %.*s", name.len < 80 ? (int)name.len : 80, name.ptr,
             w->why.len < 300 ? (int)w->why.len : 300, w->why.as.text);
    return fail_text(w, text);
}

/* ---- scalars */

static bool put_long(struct writer *w, int64_t n)
{
    uint64_t u = (uint64_t)n << 1 ^ (uint64_t)(n >> 63);
    char bytes[10];
    size_t len = 0;

    for (; u >= 0x80; u >>= 7)
        bytes[len++] = (char)(u | 0x80);
    bytes[len++] = (char)u;
    leat_bytes_put(w->into, bytes, len);
    return !w->into->failed;
}

static bool put_text(struct writer *w, struct leat_slice text)
{
    put_long(w, (int64_t)text.len);
    leat_bytes_put(w->into, text.ptr, text.len);
    return !w->into->failed;
}

/* The whole number that v is. */
static bool whole(struct leat_value v, int64_t *n)
{
    if (v.tag == LEAT_INT || (v.tag == LEAT_UINT && v.as.u <= INT64_MAX)) {
        *n = v.as.i;
        return true;
    }
    if (v.tag != LEAT_DOUBLE || !(v.as.d >= -0x1p63 && v.as.d < 0x1p63) || v.as.d != trunc(v.as.d))
        return false;
    *n = (int64_t)v.as.d;
    return true;
}

static bool real(struct leat_value v, double *d)
{
    if (v.tag == LEAT_DOUBLE)
        *d = v.as.d;
    else if (v.tag == LEAT_INT)
        *d = (double)v.as.i;
    else if (v.tag == LEAT_UINT)
        *d = (double)v.as.u;
    else
        return false;
    return true;
}

/* A time as a number of units; what is finer than the unit is cut off. */
static bool units(struct leat_value v, int64_t per_second, int64_t *n)
{
    i128 all = (i128)v.as.i * per_second + v.len / (1000000000 / per_second);

    *n = (int64_t)all;
    return all == *n;
}

static bool time_number(const struct avro_type *t, struct leat_value v, int64_t *n)
{
    int64_t per_second = t->logical == AVRO_TIME_MILLIS || t->logical == AVRO_TIMESTAMP_MILLIS
                             ? 1000
                         : t->logical == AVRO_TIMESTAMP_NANOS ? 1000000000
                                                              : 1000000;

    if (t->logical == AVRO_DATE) {
        *n = v.as.i / 86400;
        return v.tag == LEAT_TIMESTAMP && v.as.i % 86400 == 0 && v.len == 0;
    }
    if (t->logical == AVRO_TIME_MILLIS || t->logical == AVRO_TIME_MICROS)
        return v.tag == LEAT_DURATION && v.as.i >= 0 && v.as.i < 86400 && units(v, per_second, n);
    return v.tag == LEAT_TIMESTAMP && units(v, per_second, n);
}

static bool long_number(const struct avro_type *t, struct leat_value v, int64_t *n)
{
    bool ok = t->logical != AVRO_PLAIN ? time_number(t, v, n) : whole(v, n);

    return ok && (t->kind == AVRO_LONG || *n == (int32_t)*n);
}

static bool put_real(struct writer *w, const struct avro_type *t, struct leat_value v)
{
    double d;

    if (!real(v, &d))
        return unfit(w, t, v);
    if (t->kind == AVRO_FLOAT) {
        float f = (float)d;
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        bits = htole32(bits);
        leat_bytes_put(w->into, &bits, sizeof bits);
    } else {
        uint64_t bits;
        memcpy(&bits, &d, sizeof bits);
        bits = htole64(bits);
        leat_bytes_put(w->into, &bits, sizeof bits);
    }
    return !w->into->failed;
}

/* ---- decimals */

/* The digits of a decimal text without its point: "-12.5" with scale 2 is -1250. */
static bool scaled_text(struct leat_slice s, uint32_t scale, i128 *n)
{
    bool negative = s.len && s.ptr[0] == '-', point = false, any = false;
    uint32_t digits = 0, behind = 0;

    *n = 0;
    for (size_t i = negative; i < s.len; i++) {
        if (s.ptr[i] == '.' && !point && any) {
            point = true;
            continue;
        }
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        if (point && behind++ >= scale) {
            if (s.ptr[i] != '0')
                return false;
            continue;
        }
        digits += digits || s.ptr[i] != '0';
        any = true;
        if (digits > 38)
            return false;
        *n = *n * 10 + (s.ptr[i] - '0');
    }
    for (behind = behind < scale ? behind : scale; behind < scale; behind++) {
        digits += digits > 0;
        if (digits > 38)
            return false;
        *n *= 10;
    }
    *n = negative ? -*n : *n;
    return any;
}

/* The 15 digits of a double that mean something: what is beyond them is the noise of binary. */
static bool scaled_double(double d, uint32_t scale, i128 *n)
{
    char text[40], *e;
    int exponent;

    if (!(fabs(d) < 1e16))
        return false;
    snprintf(text, sizeof text, "%.14e", d);
    e = strchr(text, 'e');
    if (!e)
        return false;
    exponent = atoi(e + 1) - 14 + (int)scale;
    char *point = strchr(text, '.');
    memmove(point, point + 1, (size_t)(e - point - 1));
    if (!scaled_text((struct leat_slice){text, (size_t)(e - text - 1)}, 0, n))
        return false;
    for (; exponent > 0 && *n; exponent--) {
        if (*n > (i128)1e36 || *n < -(i128)1e36)
            return false;
        *n *= 10;
    }
    for (; exponent < 0 && *n; exponent++) {
        if (*n % 10 != 0)
            return false;
        *n /= 10;
    }
    return true;
}

static bool scaled(const struct avro_type *t, struct leat_value v, i128 *n)
{
    char text[40];
    i128 most = 1;
    bool ok = false;

    if (v.tag == LEAT_STRING)
        ok = scaled_text(leat_value_text(v), t->scale, n);
    else if (v.tag == LEAT_INT)
        ok = scaled_text((struct leat_slice){text, leat_int_text(v.as.i, text)}, t->scale, n);
    else if (v.tag == LEAT_DOUBLE)
        ok = scaled_double(v.as.d, t->scale, n);
    for (uint32_t i = 0; i < t->precision && i < 38; i++)
        most *= 10;
    return ok && *n > -most && *n < most;
}

/* Two's complement, high byte first; as few bytes as it takes, or all of a fixed. */
static bool put_decimal(struct writer *w, const struct avro_type *t, struct leat_value v)
{
    unsigned char bytes[16];
    size_t from = 0;
    i128 n;

    if (!scaled(t, v, &n))
        return unfit(w, t, v);
    for (int i = 15; i >= 0; i--) {
        bytes[i] = (unsigned char)n;
        n >>= 8;
    }
    unsigned char sign = bytes[0] >= 0x80 ? 0xff : 0;
    while (from < 15 && bytes[from] == sign && (bytes[from + 1] >= 0x80) == (sign != 0))
        from++;
    size_t len = 16 - from;
    if (t->kind == AVRO_BYTES)
        return put_text(w, (struct leat_slice){(char *)bytes + from, len});
    if (len > t->count)
        return unfit(w, t, v);
    for (size_t i = len; i < t->count; i++)
        leat_bytes_put(w->into, &sign, 1);
    leat_bytes_put(w->into, bytes + from, len);
    return !w->into->failed;
}

/* ---- lists, maps, records */

static bool put_list(struct writer *w, const struct avro_type *t, struct leat_value v)
{
    if (v.tag != LEAT_LIST)
        return unfit(w, t, v);
    if (v.len)
        put_long(w, v.len);
    for (uint32_t i = 0; i < v.len; i++)
        if (!put(w, t->item, v.as.items[i]))
            return in_field(w, LEAT_LIT("[]"));
    return put_long(w, 0);
}

static bool put_map(struct writer *w, const struct avro_type *t, struct leat_value v)
{
    v = leat_value_expand(v, w->arena);
    if (v.tag != LEAT_MAP)
        return unfit(w, t, v);
    uint32_t count = 0;
    for (uint32_t i = 0; i < v.len; i++)
        count +=
            v.as.items[2 * i + 1].tag != LEAT_ERROR || v.as.items[2 * i + 1].code != LEAT_V_ABSENT;
    if (count)
        put_long(w, count);
    for (uint32_t i = 0; i < v.len; i++) {
        struct leat_value key = v.as.items[2 * i], item = v.as.items[2 * i + 1];
        if (item.tag == LEAT_ERROR && item.code == LEAT_V_ABSENT)
            continue;
        if (key.tag != LEAT_STRING)
            return fail_text(w, "keys of an Avro map are strings");
        put_text(w, leat_value_text(key));
        if (!put(w, t->item, item))
            return in_field(w, leat_value_text(key));
    }
    return put_long(w, 0);
}

/* Field i of the schema in a map or record; a guess is that names stand in the same order. */
static struct leat_value field_of(const struct writer *w, struct leat_value v,
                                  struct leat_slice name, uint32_t i)
{
    if (v.tag == LEAT_MAP) {
        const struct leat_value *pair = &v.as.items[2 * (size_t)i];
        if (i < v.len && pair->tag == LEAT_STRING && leat_slice_eq(leat_value_text(*pair), name))
            return pair[1];
    } else if (v.as.record->shape && i < v.as.record->shape->count &&
               leat_slice_eq(v.as.record->shape->names[i], name)) {
        return v.as.record->fields[i];
    }
    return leat_value_field(v, name, w->arena);
}

static bool allows_null(const struct avro_type *t)
{
    bool found = t->kind == AVRO_NULL;

    for (uint32_t i = 0; t->kind == AVRO_UNION && i < t->count; i++)
        found |= t->branches[i]->kind == AVRO_NULL;
    return found;
}

static bool is_absent(struct leat_value v)
{
    return v.tag == LEAT_ERROR && v.code == LEAT_V_ABSENT;
}

static bool put_field(struct writer *w, const struct avro_field *f, struct leat_value v)
{
    if (is_absent(v) && f->has_standard) {
        struct leat_shapes shapes = {.arena = w->arena};
        v = avro_standard(f->type, f->standard, &shapes, w->arena, 0);
    } else if (is_absent(v) && allows_null(f->type)) {
        v = (struct leat_value){0};
    }
    return put(w, f->type, v) || in_field(w, f->name);
}

static bool put_record(struct writer *w, const struct avro_type *t, struct leat_value v)
{
    if (v.tag == LEAT_RECORD && v.as.record->raw.ptr)
        v = leat_value_expand(v, w->arena);
    if (v.tag == LEAT_ERROR || (v.tag != LEAT_MAP && v.tag != LEAT_RECORD))
        return unfit(w, t, v);
    for (uint32_t i = 0; i < t->count; i++)
        if (!put_field(w, &t->fields[i], field_of(w, v, t->fields[i].name, i)))
            return false;
    return true;
}

/* ---- unions */

static bool has_symbol(const struct avro_type *t, struct leat_slice text, uint32_t *n)
{
    for (*n = 0; *n < t->count; ++*n)
        if (leat_slice_eq(t->symbols[*n], text))
            return true;
    return false;
}

static uint32_t fields_of(struct leat_value v)
{
    return v.tag == LEAT_MAP ? v.len : v.as.record->shape ? v.as.record->shape->count : 0;
}

/* All fields are there that this record needs: 2; and there are no others: 3. */
static int fits_record(const struct writer *w, const struct avro_type *t, struct leat_value v)
{
    uint32_t used = 0;

    if (v.tag == LEAT_RECORD && v.as.record->raw.ptr)
        v = leat_value_expand(v, w->arena);
    if (v.tag == LEAT_ERROR)
        return 0;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct avro_field *f = &t->fields[i];
        bool absent = is_absent(field_of(w, v, f->name, i));
        if (absent && !f->has_standard && !allows_null(f->type))
            return 0;
        used += !absent;
    }
    return used < fields_of(v) ? 2 : 3;
}

static bool is_time(struct leat_value v)
{
    return v.tag == LEAT_TIMESTAMP || v.tag == LEAT_DURATION;
}

/* 0: it cannot be this branch, 3: it is just that. */
static int fits(const struct writer *w, const struct avro_type *t, struct leat_value v)
{
    bool object = v.tag == LEAT_MAP || v.tag == LEAT_RECORD;
    uint32_t symbol;
    int64_t n;
    double d;
    i128 big;

    switch (t->kind) {
    case AVRO_NULL:
        return v.tag == LEAT_NULL ? 3 : 0;
    case AVRO_BOOLEAN:
        return v.tag == LEAT_BOOL ? 3 : 0;
    case AVRO_INT:
    case AVRO_LONG:
        return !long_number(t, v, &n) ? 0 : v.tag == LEAT_DOUBLE ? 1 : 3;
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        return !real(v, &d) ? 0 : v.tag != LEAT_DOUBLE ? 1 : t->kind == AVRO_DOUBLE ? 3 : 2;
    case AVRO_BYTES:
    case AVRO_FIXED:
        if (t->logical == AVRO_DECIMAL)
            return scaled(t, v, &big) ? 2 : 0;
        return v.tag == LEAT_BYTES && (t->kind == AVRO_BYTES || v.len == t->count) ? 3 : 0;
    case AVRO_STRING:
        return v.tag == LEAT_STRING ? 2 : is_time(v) ? 1 : 0;
    case AVRO_ENUM:
        return v.tag == LEAT_STRING && has_symbol(t, leat_value_text(v), &symbol) ? 3 : 0;
    case AVRO_ARRAY:
        return v.tag == LEAT_LIST ? 3 : 0;
    case AVRO_MAP:
        return object ? 1 : 0;
    case AVRO_RECORD:
        return object ? fits_record(w, t, v) : 0;
    case AVRO_UNION:
        break;
    }
    return 0;
}

static bool put_union(struct writer *w, const struct avro_type *t, struct leat_value v)
{
    uint32_t best = 0;
    int how = 0;

    for (uint32_t i = 0; i < t->count && how < 3; i++) {
        int now = fits(w, t->branches[i], v);
        if (now > how) {
            how = now;
            best = i;
        }
    }
    if (how == 0 && t->count == 2 && allows_null(t)) /* so that the message is about the other */
        return put(w, t->branches[t->branches[0]->kind == AVRO_NULL], v);
    if (how == 0)
        return unfit(w, t, v);
    put_long(w, best);
    return put(w, t->branches[best], v);
}

/* ---- */

static bool put_string(struct writer *w, const struct avro_type *t, struct leat_value v)
{
    uint32_t symbol;

    if (t->kind == AVRO_STRING && is_time(v)) {
        struct leat_bytes text = {.arena = w->arena};
        leat_value_print(v, &text);
        return text.failed ? fail_text(w, "out of memory") : put_text(w, leat_bytes_slice(&text));
    }
    if (v.tag != LEAT_STRING)
        return unfit(w, t, v);
    if (t->kind == AVRO_STRING)
        return put_text(w, leat_value_text(v));
    if (!has_symbol(t, leat_value_text(v), &symbol))
        return fail_text(w, "the enum has no such symbol");
    return put_long(w, symbol);
}

static bool put_bytes(struct writer *w, const struct avro_type *t, struct leat_value v)
{
    if (t->logical == AVRO_DECIMAL)
        return put_decimal(w, t, v);
    if (v.tag != LEAT_BYTES || (t->kind == AVRO_FIXED && v.len != t->count))
        return unfit(w, t, v);
    if (t->kind == AVRO_BYTES)
        return put_text(w, leat_value_text(v));
    leat_bytes_put(w->into, v.as.text, v.len);
    return !w->into->failed;
}

static bool put_as(struct writer *w, const struct avro_type *t, struct leat_value v)
{
    char b = (char)(v.tag == LEAT_BOOL && v.as.b);
    int64_t n;

    switch (t->kind) {
    case AVRO_NULL:
        return v.tag == LEAT_NULL || unfit(w, t, v);
    case AVRO_BOOLEAN:
        if (v.tag != LEAT_BOOL)
            return unfit(w, t, v);
        leat_bytes_put(w->into, &b, 1);
        return !w->into->failed;
    case AVRO_INT:
    case AVRO_LONG:
        return long_number(t, v, &n) ? put_long(w, n) : unfit(w, t, v);
    case AVRO_FLOAT:
    case AVRO_DOUBLE:
        return put_real(w, t, v);
    case AVRO_BYTES:
    case AVRO_FIXED:
        return put_bytes(w, t, v);
    case AVRO_STRING:
    case AVRO_ENUM:
        return put_string(w, t, v);
    case AVRO_ARRAY:
        return put_list(w, t, v);
    case AVRO_MAP:
        return put_map(w, t, v);
    case AVRO_RECORD:
        return put_record(w, t, v);
    case AVRO_UNION:
        return put_union(w, t, v);
    }
    return false;
}

static bool put(struct writer *w, const struct avro_type *t, struct leat_value v)
{
    if (w->depth > 3 * AVRO_DEPTH)
        return fail_text(w, "nested too deeply");
    if (v.tag == LEAT_ERROR && v.code != LEAT_V_ABSENT) {
        w->why = v;
        return false;
    }
    w->depth++;
    bool ok = put_as(w, t, v);
    w->depth--;
    return ok;
}

bool avro_write(const struct avro_schema *schema, struct leat_value v, struct leat_arena *scratch,
                struct leat_bytes *into, struct leat_value *why)
{
    struct writer w = {.arena = scratch, .into = into};

    if (put(&w, schema->root, v))
        return true;
    *why = into->failed ? leat_value_fail(LEAT_V_BUDGET, "out of memory") : w.why;
    return false;
}
