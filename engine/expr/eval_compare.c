/*
 * eval_compare.c - operations: equality, order, `in`.
 *
 * Text and ints, which filters are made of, come first; everything else goes through value_ops.h.
 * Thread: that of the eval.
 */
#include "data/value_ops.h"
#include "expr/program.h"

/* True when it was simple; *same says how it ended. */
static inline bool simple_equal(struct leat_value a, struct leat_value b, bool *same)
{
    if (a.tag != b.tag)
        return false;
    if (a.tag == LEAT_STRING)
        *same = a.len == b.len && (a.len == 0 || memcmp(a.as.text, b.as.text, a.len) == 0);
    else if (a.tag == LEAT_INT || a.tag == LEAT_UINT)
        *same = a.as.i == b.as.i;
    else if (a.tag == LEAT_DOUBLE)
        *same = a.as.d == b.as.d;
    else if (a.tag == LEAT_BOOL)
        *same = a.as.b == b.as.b;
    else
        return false;
    return true;
}

static bool equal_slow(struct leat_eval *ev, struct leat_value a, struct leat_value b)
{
    op_charge(ev, 1 + (a.tag >= LEAT_LIST ? a.len : a.len / 1024));
    return leat_value_equal(op_plain(a), op_plain(b), ev->arena);
}

static inline struct leat_value equality(struct leat_eval *ev, const struct op *op, bool wanted)
{
    struct leat_value a = op_value(ev, op->args[0]), b = op_value(ev, op->args[1]);
    bool same;

    if (simple_equal(a, b, &same))
        return leat_bool(same == wanted);
    if (a.tag == LEAT_ERROR)
        return a;
    if (b.tag == LEAT_ERROR)
        return b;
    return leat_bool(equal_slow(ev, a, b) == wanted);
}

struct leat_value op_equal(struct leat_eval *ev, const struct op *op)
{
    return equality(ev, op, true);
}

struct leat_value op_unequal(struct leat_eval *ev, const struct op *op)
{
    return equality(ev, op, false);
}

static bool is_number(struct leat_value v)
{
    return v.tag == LEAT_INT || v.tag == LEAT_UINT || v.tag == LEAT_DOUBLE;
}

static double as_double(struct leat_value v)
{
    if (v.tag == LEAT_DOUBLE)
        return v.as.d;
    return v.tag == LEAT_INT ? (double)v.as.i : (double)v.as.u;
}

/* -1, 0, 1, or 2 when they cannot be compared; NaN is 3: false whatever is asked. An int beside a
 * double is compared as a double, as CEL has it. */
static int compare_slow(struct leat_value a, struct leat_value b)
{
    if (a.tag == b.tag || !is_number(a) || !is_number(b) ||
        (a.tag != LEAT_DOUBLE && b.tag != LEAT_DOUBLE))
        return leat_value_compare(a, b);
    double x = as_double(a), y = as_double(b);
    if (x != x || y != y)
        return 3;
    return (x > y) - (x < y);
}

#define COMPARISON(name, sign, text)                                                               \
    struct leat_value name(struct leat_eval *ev, const struct op *op)                              \
    {                                                                                              \
        struct leat_value a = op_value(ev, op->args[0]), b = op_value(ev, op->args[1]);            \
                                                                                                   \
        if (a.tag == LEAT_INT && b.tag == LEAT_INT)                                                \
            return leat_bool(a.as.i sign b.as.i);                                                  \
        if (a.tag == LEAT_DOUBLE && b.tag == LEAT_DOUBLE)                                          \
            return leat_bool(a.as.d sign b.as.d);                                                  \
        if (a.tag == LEAT_DOUBLE && b.tag == LEAT_INT)                                             \
            return leat_bool(a.as.d sign(double) b.as.i);                                          \
        if (a.tag == LEAT_ERROR)                                                                   \
            return a;                                                                              \
        if (b.tag == LEAT_ERROR)                                                                   \
            return b;                                                                              \
        int order = compare_slow(a, b);                                                            \
        if (order == 2)                                                                            \
            return op_no_overload(ev, text, a, b);                                                 \
        return leat_bool(order != 3 && order sign 0);                                              \
    }

COMPARISON(op_less, <, "<")
COMPARISON(op_less_equal, <=, "<=")
COMPARISON(op_greater, >, ">")
COMPARISON(op_greater_equal, >=, ">=")

static bool in_list(struct leat_eval *ev, struct leat_value needle, struct leat_value list)
{
    bool same;

    for (uint32_t i = 0; i < list.len; i++) {
        if (!simple_equal(needle, list.as.items[i], &same))
            same = equal_slow(ev, needle, list.as.items[i]);
        if (same)
            return true;
    }
    return false;
}

/* The value under a key, or LEAT_V_ABSENT. */
struct leat_value op_map_find(struct leat_eval *ev, struct leat_value map, struct leat_value key)
{
    bool same;

    if (key.tag == LEAT_STRING && map.tag == LEAT_RECORD)
        return leat_value_field(map, leat_value_text(key), ev->arena);
    if (map.tag == LEAT_RECORD)
        map = leat_value_expand(map, ev->arena);
    if (map.tag == LEAT_ERROR)
        return map;
    if (!op_charge(ev, map.len / 16))
        return leat_call_exhausted();
    for (uint32_t i = 0; i < map.len; i++) {
        if (!simple_equal(key, map.as.items[2 * i], &same))
            same = equal_slow(ev, key, map.as.items[2 * i]);
        if (same)
            return map.as.items[2 * i + 1];
    }
    return leat_value_fail(LEAT_V_ABSENT, "no such key");
}

struct leat_value op_in(struct leat_eval *ev, const struct op *op)
{
    struct leat_value a = op_value(ev, op->args[0]), b = op_value(ev, op->args[1]);

    if (a.tag == LEAT_ERROR)
        return a;
    if (b.tag == LEAT_ERROR)
        return b;
    if (b.tag == LEAT_LIST) {
        if (!op_charge(ev, 1 + b.len / 16))
            return leat_call_exhausted();
        return leat_bool(in_list(ev, op_plain(a), b));
    }
    if (b.tag != LEAT_MAP && b.tag != LEAT_RECORD)
        return op_no_overload(ev, "in", a, b);
    struct leat_value found = op_map_find(ev, b, op_plain(a));
    if (found.tag == LEAT_ERROR && found.code != LEAT_V_ABSENT)
        return found;
    return leat_bool(found.tag != LEAT_ERROR);
}
