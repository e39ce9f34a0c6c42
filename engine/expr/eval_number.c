/*
 * eval_number.c - operations: arithmetic, also of times, text and lists.
 *
 * Ints stay ints while both are; a mix with a double is a double. `/` is a true division unless the
 * checker saw that both are int, or both uint. Overflow is an error. Thread: that of the eval.
 */
#include "data/time_text.h"
#include "data/value_ops.h"
#include "expr/program.h"

static struct leat_value overflow(void)
{
    return leat_value_fail(LEAT_V_OVERFLOW, "integer overflow");
}

static struct leat_value by_zero(void)
{
    return leat_value_fail(LEAT_V_DIVIDE, "division by zero");
}

static struct leat_value from_uint(uint64_t u)
{
    return (struct leat_value){.tag = LEAT_UINT, .as.u = u};
}

static bool is_whole(struct leat_value v)
{
    return v.tag == LEAT_INT || v.tag == LEAT_UINT;
}

static bool is_number(struct leat_value v)
{
    return is_whole(v) || v.tag == LEAT_DOUBLE;
}

static double as_double(struct leat_value v)
{
    if (v.tag == LEAT_DOUBLE)
        return v.as.d;
    return v.tag == LEAT_INT ? (double)v.as.i : (double)v.as.u;
}

/* An int with a uint, either way round: an int where the result fits, else a uint. The builtins
 * compute without bounds and say whether it fits. */
#define MIXED(name, builtin)                                                                       \
    static struct leat_value name(struct leat_value a, struct leat_value b)                        \
    {                                                                                              \
        int64_t i;                                                                                 \
        uint64_t u;                                                                                \
                                                                                                   \
        if (a.tag == LEAT_INT) {                                                                   \
            if (!builtin(a.as.i, b.as.u, &i))                                                      \
                return leat_int(i);                                                                \
            return builtin(a.as.i, b.as.u, &u) ? overflow() : from_uint(u);                        \
        }                                                                                          \
        if (!builtin(a.as.u, b.as.i, &i))                                                          \
            return leat_int(i);                                                                    \
        return builtin(a.as.u, b.as.i, &u) ? overflow() : from_uint(u);                            \
    }

MIXED(add_mixed, __builtin_add_overflow)
MIXED(subtract_mixed, __builtin_sub_overflow)
MIXED(multiply_mixed, __builtin_mul_overflow)

static uint64_t magnitude(struct leat_value v)
{
    return v.tag == LEAT_INT && v.as.i < 0 ? -v.as.u : v.as.u;
}

static struct leat_value remainder_mixed(struct leat_value a, struct leat_value b)
{
    uint64_t rest = magnitude(a) % magnitude(b);

    if (a.tag == LEAT_INT && a.as.i < 0)
        return leat_int((int64_t)-rest);
    return rest <= INT64_MAX ? leat_int((int64_t)rest) : from_uint(rest);
}

/* The error of two operands, when one is an error. */
static bool failed(struct leat_value a, struct leat_value b, struct leat_value *error)
{
    *error = a.tag == LEAT_ERROR ? a : b;
    return error->tag == LEAT_ERROR;
}

static struct leat_value join_text(struct leat_eval *ev, struct leat_value a, struct leat_value b)
{
    uint64_t len = (uint64_t)a.len + b.len;

    if (len > UINT32_MAX)
        return op_full();
    if (!op_charge(ev, len / 1024))
        return leat_call_exhausted();
    char *text = leat_arena_alloc(ev->arena, len + 1);
    if (!text)
        return op_full();
    if (a.len)
        memcpy(text, a.as.text, a.len);
    if (b.len)
        memcpy(text + a.len, b.as.text, b.len);
    a.len = (uint32_t)len;
    a.as.text = text;
    return op_plain(a);
}

static struct leat_value join_lists(struct leat_eval *ev, struct leat_value a, struct leat_value b)
{
    uint64_t len = (uint64_t)a.len + b.len;

    if (len > UINT32_MAX)
        return op_full();
    if (!op_charge(ev, len / 64))
        return leat_call_exhausted();
    struct leat_value *items = leat_arena_array(ev->arena, len, sizeof *items);
    if (!items)
        return op_full();
    if (a.len)
        memcpy(items, a.as.items, a.len * sizeof *items);
    if (b.len)
        memcpy(items + a.len, b.as.items, b.len * sizeof *items);
    return (struct leat_value){.tag = LEAT_LIST, .len = (uint32_t)len, .as.items = items};
}

static struct leat_value add_slow(struct leat_eval *ev, struct leat_value a, struct leat_value b)
{
    struct leat_value error;
    uint64_t u;

    if (failed(a, b, &error))
        return error;
    if (a.tag == LEAT_UINT && b.tag == LEAT_UINT)
        return __builtin_add_overflow(a.as.u, b.as.u, &u) ? overflow() : from_uint(u);
    if (is_whole(a) && is_whole(b))
        return add_mixed(a, b);
    if (is_number(a) && is_number(b))
        return leat_double(as_double(a) + as_double(b));
    if (a.tag == b.tag && (a.tag == LEAT_STRING || a.tag == LEAT_BYTES))
        return join_text(ev, a, b);
    if (a.tag == LEAT_LIST && b.tag == LEAT_LIST)
        return join_lists(ev, a, b);
    if (a.tag == LEAT_TIMESTAMP && b.tag == LEAT_DURATION)
        return leat_timestamp_add(a, b);
    if (a.tag == LEAT_DURATION && b.tag == LEAT_TIMESTAMP)
        return leat_timestamp_add(b, a);
    if (a.tag == LEAT_DURATION && b.tag == LEAT_DURATION)
        return leat_duration_add(a, b);
    return op_no_overload(ev, "+", a, b);
}

struct leat_value op_add(struct leat_eval *ev, const struct op *op)
{
    struct leat_value a = op_value(ev, op->args[0]), b = op_value(ev, op->args[1]);
    int64_t i;

    if (a.tag == LEAT_INT && b.tag == LEAT_INT)
        return __builtin_add_overflow(a.as.i, b.as.i, &i) ? overflow() : leat_int(i);
    if (a.tag == LEAT_DOUBLE && b.tag == LEAT_DOUBLE)
        return leat_double(a.as.d + b.as.d);
    return add_slow(ev, a, b);
}

static struct leat_value subtract_slow(struct leat_eval *ev, struct leat_value a,
                                       struct leat_value b)
{
    struct leat_value error;
    uint64_t u;

    if (failed(a, b, &error))
        return error;
    if (a.tag == LEAT_UINT && b.tag == LEAT_UINT)
        return __builtin_sub_overflow(a.as.u, b.as.u, &u) ? overflow() : from_uint(u);
    if (is_whole(a) && is_whole(b))
        return subtract_mixed(a, b);
    if (is_number(a) && is_number(b))
        return leat_double(as_double(a) - as_double(b));
    if (a.tag == LEAT_TIMESTAMP && b.tag == LEAT_TIMESTAMP)
        return leat_timestamp_diff(a, b);
    if (b.tag == LEAT_DURATION && (a.tag == LEAT_TIMESTAMP || a.tag == LEAT_DURATION)) {
        struct leat_value minus = leat_duration_negate(b);
        if (minus.tag == LEAT_ERROR)
            return minus;
        return a.tag == LEAT_TIMESTAMP ? leat_timestamp_add(a, minus) : leat_duration_add(a, minus);
    }
    return op_no_overload(ev, "-", a, b);
}

struct leat_value op_subtract(struct leat_eval *ev, const struct op *op)
{
    struct leat_value a = op_value(ev, op->args[0]), b = op_value(ev, op->args[1]);
    int64_t i;

    if (a.tag == LEAT_INT && b.tag == LEAT_INT)
        return __builtin_sub_overflow(a.as.i, b.as.i, &i) ? overflow() : leat_int(i);
    if (a.tag == LEAT_DOUBLE && b.tag == LEAT_DOUBLE)
        return leat_double(a.as.d - b.as.d);
    return subtract_slow(ev, a, b);
}

static struct leat_value multiply_slow(struct leat_eval *ev, struct leat_value a,
                                       struct leat_value b)
{
    struct leat_value error;
    uint64_t u;

    if (failed(a, b, &error))
        return error;
    if (a.tag == LEAT_UINT && b.tag == LEAT_UINT)
        return __builtin_mul_overflow(a.as.u, b.as.u, &u) ? overflow() : from_uint(u);
    if (is_whole(a) && is_whole(b))
        return multiply_mixed(a, b);
    if (is_number(a) && is_number(b))
        return leat_double(as_double(a) * as_double(b));
    return op_no_overload(ev, "*", a, b);
}

struct leat_value op_multiply(struct leat_eval *ev, const struct op *op)
{
    struct leat_value a = op_value(ev, op->args[0]), b = op_value(ev, op->args[1]);
    int64_t i;

    if (a.tag == LEAT_INT && b.tag == LEAT_INT)
        return __builtin_mul_overflow(a.as.i, b.as.i, &i) ? overflow() : leat_int(i);
    if (a.tag == LEAT_DOUBLE && b.tag == LEAT_DOUBLE)
        return leat_double(a.as.d * b.as.d);
    return multiply_slow(ev, a, b);
}

static struct leat_value divide_whole(struct leat_value a, struct leat_value b)
{
    if (b.as.u == 0)
        return by_zero();
    if (a.tag == LEAT_UINT)
        return from_uint(a.as.u / b.as.u);
    return a.as.i == INT64_MIN && b.as.i == -1 ? overflow() : leat_int(a.as.i / b.as.i);
}

/* Also of ints that only turn out to be ints in the data: then a double, as if they had a point. */
struct leat_value op_divide(struct leat_eval *ev, const struct op *op)
{
    struct leat_value a = op_value(ev, op->args[0]), b = op_value(ev, op->args[1]), error;

    if (a.tag == LEAT_DOUBLE && b.tag == LEAT_DOUBLE)
        return leat_double(a.as.d / b.as.d);
    if (op->whole && a.tag == b.tag && is_whole(a))
        return divide_whole(a, b);
    if (failed(a, b, &error))
        return error;
    if (!is_number(a) || !is_number(b))
        return op_no_overload(ev, "/", a, b);
    if (is_whole(a) && is_whole(b) && b.as.u == 0)
        return by_zero();
    return leat_double(as_double(a) / as_double(b));
}

struct leat_value op_remainder(struct leat_eval *ev, const struct op *op)
{
    struct leat_value a = op_value(ev, op->args[0]), b = op_value(ev, op->args[1]), error;

    if (failed(a, b, &error))
        return error;
    if (!is_whole(a) || !is_whole(b))
        return op_no_overload(ev, "%", a, b);
    if (b.as.u == 0)
        return leat_value_fail(LEAT_V_DIVIDE, "remainder of a division by zero");
    if (a.tag == LEAT_UINT && b.tag == LEAT_UINT)
        return from_uint(a.as.u % b.as.u);
    if (a.tag == LEAT_INT && b.tag == LEAT_INT && a.as.i == INT64_MIN && b.as.i == -1)
        return overflow(); /* as CEL has it */
    return remainder_mixed(a, b);
}

struct leat_value op_negate(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    if (v.tag == LEAT_DOUBLE)
        return leat_double(-v.as.d);
    if (v.tag == LEAT_INT)
        return v.as.i == INT64_MIN ? overflow() : leat_int(-v.as.i);
    if (v.tag == LEAT_ERROR)
        return v;
    return op_fail(ev, LEAT_V_TYPE, "no such overload: -%s", op_type_name(v));
}
