/*
 * streaming_json.c - values of elements from JSON and back, and lists of them compared.
 */
#include "streaming.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool differs(struct failure *why, const char *fmt, ...)
{
    va_list args;

    if (why->text[0])
        return false;
    va_start(args, fmt);
    vsnprintf(why->text, sizeof why->text, fmt, args);
    va_end(args);
    return false;
}

const char *text_at(json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

int64_t number_at(json_t *object, const char *key, int64_t none)
{
    json_t *j = json_object_get(object, key);

    return json_is_integer(j) ? json_integer_value(j) : none;
}

struct leat_value value_of_json(json_t *j, struct leat_arena *arena)
{
    if (json_is_integer(j))
        return leat_int(json_integer_value(j));
    if (json_is_real(j))
        return leat_double(json_real_value(j));
    if (json_is_boolean(j))
        return leat_bool(json_is_true(j));
    if (json_is_string(j)) {
        struct leat_slice text = {json_string_value(j), json_string_length(j)};
        return leat_string(leat_arena_copy(arena, text));
    }
    if (!json_is_array(j))
        return (struct leat_value){0};
    size_t n = json_array_size(j);
    struct leat_value *items = leat_arena_array(arena, n ? n : 1, sizeof *items);
    if (!items)
        abort();
    for (size_t i = 0; i < n; i++)
        items[i] = value_of_json(json_array_get(j, i), arena);
    return (struct leat_value){.tag = LEAT_LIST, .len = (uint32_t)n, .as.items = items};
}

json_t *json_of_value(struct leat_value v)
{
    json_t *list;

    switch (v.tag) {
    case LEAT_NULL:
        return json_null();
    case LEAT_BOOL:
        return json_boolean(v.as.b);
    case LEAT_INT:
        return json_integer(v.as.i);
    case LEAT_DOUBLE:
        return json_real(v.as.d);
    case LEAT_STRING:
        return json_stringn(v.as.text, v.len);
    case LEAT_BYTES:
        list = json_array();
        for (uint32_t i = 0; i < v.len; i++)
            json_array_append_new(list, json_integer((unsigned char)v.as.text[i]));
        return list;
    case LEAT_LIST:
        list = json_array();
        for (uint32_t i = 0; i < v.len; i++)
            json_array_append_new(list, json_of_value(v.as.items[i]));
        return list;
    default:
        return json_sprintf("a value of the type %s", leat_tag_name(v.tag));
    }
}

json_t *json_of_row(const struct leat_pair *row, bool pairs)
{
    if (!pairs)
        return json_of_value(row->value);
    return json_pack("[o, o]", json_of_value(row->key), json_of_value(row->value));
}

/* Doubles to 1e-9 of their size; an integer is the double that it equals. */
static bool same(json_t *a, json_t *b)
{
    if (json_is_number(a) && json_is_number(b) && (json_is_real(a) || json_is_real(b))) {
        double x = json_number_value(a), y = json_number_value(b);
        return fabs(x - y) <= 1e-9 * fmax(fabs(x), fabs(y));
    }
    if (!json_is_array(a) || !json_is_array(b))
        return json_equal(a, b);
    bool equal = json_array_size(a) == json_array_size(b);
    for (size_t i = 0; equal && i < json_array_size(a); i++)
        equal = same(json_array_get(a, i), json_array_get(b, i));
    return equal;
}

/* In any order of them. */
static bool matched(json_t *a, json_t *b, bool (*are_same)(json_t *, json_t *))
{
    size_t n = json_array_size(a);

    if (n != json_array_size(b))
        return false;
    bool *used = calloc(n + 1, sizeof *used), all = true;
    if (!used)
        abort();
    for (size_t i = 0; all && i < n; i++) {
        size_t j = 0;
        while (j < n && (used[j] || !are_same(json_array_get(a, i), json_array_get(b, j))))
            j++;
        all = j < n;
        used[j] = true;
    }
    free(used);
    return all;
}

bool same_rows(json_t *a, json_t *b, bool sorted)
{
    return sorted ? matched(a, b, same) : same(a, b);
}

static bool same_group(json_t *a, json_t *b)
{
    return same(json_array_get(a, 0), json_array_get(b, 0)) &&
           matched(json_array_get(a, 1), json_array_get(b, 1), same);
}

static bool same_cogroup(json_t *a, json_t *b)
{
    json_t *x = json_array_get(a, 1), *y = json_array_get(b, 1);

    return same(json_array_get(a, 0), json_array_get(b, 0)) &&
           matched(json_array_get(x, 0), json_array_get(y, 0), same) &&
           matched(json_array_get(x, 1), json_array_get(y, 1), same);
}

bool same_groups(json_t *a, json_t *b, bool cogroup)
{
    return matched(a, b, cogroup ? same_cogroup : same_group);
}

void json_text(json_t *j, char *into, size_t room)
{
    char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);

    snprintf(into, room, "%s", text ? text : "nothing");
    free(text);
}
