/* type_convert.c - values to the types of a schema. */
#include "data/json.h"
#include "data/time_text.h"
#include "data/type.h"
#include "data/value_ops.h"

#include <math.h>
#include <stdio.h>

#define TWO_63 9223372036854775808.0
#define TWO_64 18446744073709551616.0

static struct leat_value no_memory(void)
{
    return leat_value_fail(LEAT_V_BUDGET, "out of memory");
}

/* "expected int, got string 'abc'" */
static struct leat_value mismatch(const struct leat_type *t, struct leat_value v,
                                  struct leat_arena *arena)
{
    char name[64], text[160];
    struct leat_slice shown = {v.as.text, v.len < 40 ? v.len : 40};
    int n;

    leat_type_name(t, name, sizeof name);
    if (v.tag == LEAT_STRING)
        n = snprintf(text, sizeof text, "expected %s, got the text '%.*s'%s", name, LEAT_FMT(shown),
                     v.len > shown.len ? "..." : "");
    else
        n = snprintf(text, sizeof text, "expected %s, got %s", name, leat_tag_name(v.tag));
    struct leat_slice copy = leat_arena_copy(arena, (struct leat_slice){text, (size_t)n});
    return leat_value_fail(LEAT_V_TYPE, copy.ptr ? copy.ptr : "a value of another type");
}

/* --- numbers --- */

static struct leat_value to_int(const struct leat_type *t, struct leat_value v,
                                struct leat_arena *arena)
{
    if (v.tag == LEAT_INT)
        return v;
    if (v.tag == LEAT_UINT)
        return v.as.u <= INT64_MAX ? leat_int((int64_t)v.as.u)
                                   : leat_value_fail(LEAT_V_OVERFLOW, "beyond the range of int");
    if (v.tag != LEAT_DOUBLE || v.as.d != floor(v.as.d))
        return mismatch(t, v, arena);
    return v.as.d >= -TWO_63 && v.as.d < TWO_63
               ? leat_int((int64_t)v.as.d)
               : leat_value_fail(LEAT_V_OVERFLOW, "beyond the range of int");
}

static struct leat_value to_uint(const struct leat_type *t, struct leat_value v,
                                 struct leat_arena *arena)
{
    bool fits = v.tag == LEAT_INT ? v.as.i >= 0 : v.as.d >= 0 && v.as.d < TWO_64;

    if (v.tag == LEAT_UINT)
        return v;
    if (v.tag != LEAT_INT && (v.tag != LEAT_DOUBLE || v.as.d != floor(v.as.d)))
        return mismatch(t, v, arena);
    if (!fits)
        return leat_value_fail(LEAT_V_OVERFLOW, "beyond the range of uint");
    return (struct leat_value){.tag = LEAT_UINT,
                               .as.u = v.tag == LEAT_INT ? v.as.u : (uint64_t)v.as.d};
}

static struct leat_value to_double(const struct leat_type *t, struct leat_value v,
                                   struct leat_arena *arena)
{
    switch ((int)v.tag) {
    case LEAT_DOUBLE:
        return v;
    case LEAT_INT:
        return leat_double((double)v.as.i);
    case LEAT_UINT:
        return leat_double((double)v.as.u);
    default:
        return mismatch(t, v, arena);
    }
}

/* --- text --- */

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* As the writer gives bytes: base64, both alphabets, padding may be missing. */
static struct leat_value to_bytes(const struct leat_type *t, struct leat_value v,
                                  struct leat_arena *arena)
{
    struct leat_slice text = leat_value_text(v);
    uint32_t bits = 0, held = 0, made = 0;

    if (v.tag == LEAT_BYTES)
        return v;
    if (v.tag != LEAT_STRING)
        return mismatch(t, v, arena);
    while (text.len && text.ptr[text.len - 1] == '=' && v.len - text.len < 2)
        text.len--;
    char *bytes = leat_arena_alloc(arena, text.len + 1);
    if (!bytes)
        return no_memory();
    for (size_t i = 0; i < text.len; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0)
            return leat_value_fail(LEAT_V_SYNTAX, "expected bytes as base64 text");
        bits = bits << 6 | (uint32_t)digit;
        held += 6;
        if (held >= 8) {
            held -= 8;
            bytes[made++] = (char)(bits >> held);
        }
    }
    if (held == 6)
        return leat_value_fail(LEAT_V_SYNTAX, "expected bytes as base64 text");
    return (struct leat_value){.tag = LEAT_BYTES, .len = made, .as.text = bytes};
}

/* A number as JSON writes it; blanks around it are passed over. */
static struct leat_value number_from_text(const struct leat_type *t, struct leat_value v,
                                          struct leat_arena *arena)
{
    struct leat_value n = leat_json_parse(leat_value_text(v), arena);

    if (n.tag == LEAT_INT || n.tag == LEAT_UINT || n.tag == LEAT_DOUBLE ||
        (n.tag == LEAT_ERROR && n.code == LEAT_V_OVERFLOW))
        return n;
    return mismatch(t, v, arena);
}

static struct leat_value bool_from_text(const struct leat_type *t, struct leat_value v,
                                        struct leat_arena *arena)
{
    struct leat_slice text = leat_value_text(v);

    if (leat_slice_eq(text, LEAT_LIT("true")))
        return leat_bool(true);
    if (leat_slice_eq(text, LEAT_LIT("false")))
        return leat_bool(false);
    return mismatch(t, v, arena);
}

/* --- what has parts --- */

static bool says_nothing(const struct leat_type *t)
{
    return !t || (t->kind == LEAT_T_ANY && !t->optional);
}

static bool is_same(struct leat_value a, struct leat_value b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

/* Convert every step-th item from `first` on; the array is copied when one of them changes. False:
 * *v is the error. */
static bool convert_items(const struct leat_type *item, struct leat_value *v, size_t first,
                          size_t step, size_t total, struct leat_arena *arena)
{
    struct leat_value *copy = NULL;

    for (size_t i = first; i < total; i += step) {
        struct leat_value made = leat_type_convert(item, v->as.items[i], false, arena);
        if (made.tag == LEAT_ERROR) {
            *v = made;
            return false;
        }
        if (!copy && !is_same(made, v->as.items[i])) {
            copy = leat_arena_array(arena, total, sizeof *copy);
            if (!copy) {
                *v = no_memory();
                return false;
            }
            memcpy(copy, v->as.items, total * sizeof *copy);
            v->as.items = copy;
        }
        if (copy)
            copy[i] = made;
    }
    return true;
}

static struct leat_value to_list(const struct leat_type *t, struct leat_value v,
                                 struct leat_arena *arena)
{
    if (v.tag != LEAT_LIST)
        return mismatch(t, v, arena);
    if (!says_nothing(t->item))
        convert_items(t->item, &v, 0, 1, v.len, arena);
    return v;
}

static struct leat_value to_map(const struct leat_type *t, struct leat_value v,
                                struct leat_arena *arena)
{
    if (v.tag != LEAT_MAP && v.tag != LEAT_RECORD)
        return mismatch(t, v, arena);
    if (says_nothing(t->item))
        return v;
    v = leat_value_expand(v, arena);
    if (v.tag == LEAT_MAP)
        convert_items(t->item, &v, 1, 2, 2 * (size_t)v.len, arena);
    return v;
}

/* "in field 'amount': expected double, got string" */
static struct leat_value in_field(struct leat_slice name, struct leat_value v,
                                  struct leat_arena *arena)
{
    char text[240];
    int n = snprintf(text, sizeof text, "field '%.*s': %.*s", name.len < 60 ? (int)name.len : 60,
                     name.ptr, v.len ? (int)v.len : 7, v.len ? v.as.text : "missing");
    size_t len = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
    struct leat_slice copy = leat_arena_copy(arena, (struct leat_slice){text, len});

    if (copy.ptr) {
        v.as.text = copy.ptr;
        v.len = (uint32_t)copy.len;
    }
    if (v.code == LEAT_V_ABSENT)
        v.code = LEAT_V_TYPE; /* the record is there, it is not as it should be */
    return v;
}

/* A copy with the fields that the schema has converted, and optional ones that are missing as null;
 * v itself when nothing changes. */
static struct leat_value to_record(const struct leat_type *t, struct leat_value v, bool from_text,
                                   struct leat_arena *arena)
{
    if (v.tag != LEAT_MAP && v.tag != LEAT_RECORD)
        return mismatch(t, v, arena);
    if (t->count == 0)
        return v;

    struct leat_value map = leat_value_expand(v, arena);
    if (map.tag != LEAT_MAP)
        return map;
    struct leat_value *pairs =
        leat_arena_array(arena, 2 * ((size_t)map.len + t->count), sizeof *pairs);
    if (!pairs)
        return no_memory();
    if (map.len)
        memcpy(pairs, map.as.items, 2 * (size_t)map.len * sizeof *pairs);
    map.as.items = pairs;
    bool changed = false;
    for (uint32_t i = 0; i < t->count; i++) {
        const struct leat_type_field *field = &t->fields[i];
        uint32_t at = 0;
        while (at < map.len && !(pairs[2 * at].tag == LEAT_STRING &&
                                 leat_slice_eq(leat_value_text(pairs[2 * at]), field->name)))
            at++;
        struct leat_value old =
            at < map.len ? pairs[2 * at + 1] : leat_value_fail(LEAT_V_ABSENT, "");
        struct leat_value made = leat_type_convert(field->type, old, from_text, arena);
        if (made.tag == LEAT_ERROR) {
            if (field->type->kind == LEAT_T_ANY && at == map.len)
                continue;
            return in_field(field->name, made, arena);
        }
        changed = changed || !is_same(made, old);
        pairs[2 * at] = leat_string(field->name);
        pairs[2 * at + 1] = made;
        map.len += at == map.len;
    }
    return changed ? map : v;
}

/* --- all of them --- */

static struct leat_value from_scalar_text(const struct leat_type *t, struct leat_value v,
                                          struct leat_arena *arena)
{
    switch (t->kind) {
    case LEAT_T_BOOL:
        return bool_from_text(t, v, arena);
    case LEAT_T_INT:
    case LEAT_T_UINT:
    case LEAT_T_DOUBLE:
        return number_from_text(t, v, arena);
    case LEAT_T_ANY:
    case LEAT_T_NULL:
    case LEAT_T_STRING:
    case LEAT_T_BYTES:
    case LEAT_T_TIMESTAMP:
    case LEAT_T_DURATION:
    case LEAT_T_LIST:
    case LEAT_T_MAP:
    case LEAT_T_RECORD:
    case LEAT_T_TYPE:
        break;
    }
    return v;
}

struct leat_value leat_type_convert(const struct leat_type *t, struct leat_value v, bool from_text,
                                    struct leat_arena *arena)
{
    bool is_empty_text = from_text && v.tag == LEAT_STRING && v.len == 0;

    if (t->optional &&
        (v.tag == LEAT_NULL || is_empty_text || (v.tag == LEAT_ERROR && v.code == LEAT_V_ABSENT)))
        return (struct leat_value){0};
    if (v.tag == LEAT_ERROR)
        return v;
    if (from_text && v.tag == LEAT_STRING)
        v = from_scalar_text(t, v, arena);
    if (v.tag == LEAT_ERROR)
        return v;
    switch (t->kind) {
    case LEAT_T_ANY:
        return v;
    case LEAT_T_INT:
        return to_int(t, v, arena);
    case LEAT_T_UINT:
        return to_uint(t, v, arena);
    case LEAT_T_DOUBLE:
        return to_double(t, v, arena);
    case LEAT_T_BYTES:
        return to_bytes(t, v, arena);
    case LEAT_T_TIMESTAMP:
        if (v.tag == LEAT_STRING)
            return leat_timestamp_parse(leat_value_text(v));
        return v.tag == LEAT_TIMESTAMP ? v : mismatch(t, v, arena);
    case LEAT_T_DURATION:
        if (v.tag == LEAT_STRING)
            return leat_duration_parse(leat_value_text(v));
        return v.tag == LEAT_DURATION ? v : mismatch(t, v, arena);
    case LEAT_T_LIST:
        return to_list(t, v, arena);
    case LEAT_T_MAP:
        return to_map(t, v, arena);
    case LEAT_T_RECORD:
        return to_record(t, v, from_text, arena);
    case LEAT_T_NULL:
        return v.tag == LEAT_NULL ? v : mismatch(t, v, arena);
    case LEAT_T_BOOL:
        return v.tag == LEAT_BOOL ? v : mismatch(t, v, arena);
    case LEAT_T_STRING:
        return v.tag == LEAT_STRING ? v : mismatch(t, v, arena);
    case LEAT_T_TYPE:
        return v.tag == LEAT_TYPE ? v : mismatch(t, v, arena);
    }
    return v;
}
