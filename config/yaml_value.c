/*
 * yaml_value.c - YAML's core schema: what a plain scalar means where data and no setting is due.
 *
 * Only true and false are booleans. An int beyond 64 bits is a double, as in JSON.
 */
#include "pipeline_test.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { NUMBER_MAX_LEN = 400 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* [-+]? ( digits [. digits?] | . digits ) ( [eE] [-+]? digits )? */
static bool is_decimal(struct leat_slice s, bool *is_int)
{
    size_t i = s.len && (s.ptr[0] == '-' || s.ptr[0] == '+'), start = i, digits;

    while (i < s.len && is_digit(s.ptr[i]))
        i++;
    digits = i - start;
    *is_int = i == s.len && digits;
    if (i < s.len && s.ptr[i] == '.') {
        start = ++i;
        while (i < s.len && is_digit(s.ptr[i]))
            i++;
        digits += i - start;
    }
    if (digits && i < s.len && (s.ptr[i] == 'e' || s.ptr[i] == 'E')) {
        i++;
        i += i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+');
        start = i;
        while (i < s.len && is_digit(s.ptr[i]))
            i++;
        digits = i - start;
    }
    return digits && i == s.len;
}

static struct leat_value decimal(struct leat_slice s, bool is_int)
{
    char text[NUMBER_MAX_LEN + 1];

    memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    errno = 0;
    if (is_int) {
        long long i = strtoll(text, NULL, 10);
        if (errno == 0)
            return leat_int(i);
        errno = 0;
        unsigned long long u = text[0] == '-' ? 0 : strtoull(text, NULL, 10);
        if (errno == 0 && u)
            return (struct leat_value){.tag = LEAT_UINT, .as.u = u};
    }
    return leat_double(strtod(text, NULL));
}

/* 0x1f, 0o17 */
static bool is_based(struct leat_slice s, struct leat_value *v)
{
    int base = s.len > 2 && s.ptr[0] == '0' ? (s.ptr[1] == 'x' ? 16 : s.ptr[1] == 'o' ? 8 : 0) : 0;
    char text[24], *end;

    if (!base || s.len - 2 >= sizeof text || s.ptr[2] == '-' || s.ptr[2] == '+' || s.ptr[2] == ' ')
        return false;
    memcpy(text, s.ptr + 2, s.len - 2);
    text[s.len - 2] = 0;
    errno = 0;
    unsigned long long u = strtoull(text, &end, base);
    if (*end || errno || strchr(text, 'x'))
        return false;
    *v = u <= INT64_MAX ? leat_int((int64_t)u) : (struct leat_value){.tag = LEAT_UINT, .as.u = u};
    return true;
}

static bool is_word(struct leat_slice s, const char *a, const char *b, const char *c)
{
    return leat_slice_eq(s, leat_slice_str(a)) || leat_slice_eq(s, leat_slice_str(b)) ||
           leat_slice_eq(s, leat_slice_str(c));
}

static struct leat_value scalar(const struct leat_node *node)
{
    struct leat_slice s = leat_node_value(node), magnitude = s;
    struct leat_value v;
    bool is_int;

    if (node->style != LEAT_STYLE_PLAIN || node->filled || node->tag.ptr)
        return leat_string(s.ptr ? s : LEAT_LIT(""));
    if (node->is_null || s.len == 0)
        return (struct leat_value){0};
    if (leat_slice_eq(s, LEAT_LIT("true")) || leat_slice_eq(s, LEAT_LIT("false")))
        return leat_bool(s.ptr[0] == 't');
    if (s.len <= NUMBER_MAX_LEN && is_decimal(s, &is_int))
        return decimal(s, is_int);
    if (is_based(s, &v))
        return v;
    if (s.ptr[0] == '-' || s.ptr[0] == '+')
        magnitude = (struct leat_slice){s.ptr + 1, s.len - 1};
    if (is_word(magnitude, ".inf", ".Inf", ".INF"))
        return leat_double(s.ptr[0] == '-' ? -INFINITY : INFINITY);
    return is_word(s, ".nan", ".NaN", ".NAN") ? leat_double(NAN) : leat_string(s);
}

struct leat_value config_node_value(const struct leat_node *node, struct leat_arena *arena,
                                    struct leat_diags *diags)
{
    bool is_map = node->kind == LEAT_NODE_MAP;
    struct leat_value *items;
    size_t i = 0;

    if (node->kind == LEAT_NODE_SCALAR) {
        leat_diag_filled(diags, node);
        return scalar(node);
    }
    items = leat_arena_array(arena, (is_map ? 2 : 1) * (size_t)node->count + 1, sizeof *items);
    if (!items) {
        leat_diag_error(diags, node, "there is not enough memory for the tests");
        return (struct leat_value){0};
    }
    for (const struct leat_node *c = node->first; c; c = c->next) {
        if (is_map)
            items[i++] = leat_string(c->key.ptr ? c->key : LEAT_LIT(""));
        items[i++] = config_node_value(c, arena, diags);
    }
    return (struct leat_value){
        .tag = is_map ? LEAT_MAP : LEAT_LIST, .len = node->count, .as.items = items};
}
