/*
 * functions_math.c - CEL's "math" extension, version 2, and ceil, floor, round, trunc of any
 * number, parseInt.
 *
 * Thread: that of the eval.
 */
#include "data/json.h"
#include "data/value_ops.h"
#include "expr/call.h"

#include <math.h>
#include <stdio.h>

static struct leat_value need(const char *what)
{
    return call_refuse(what);
}

/* The greatest (sign 1) or least (-1); of equal ones the first. */
static struct leat_value extreme(struct leat_call *call, const struct leat_value *args, uint32_t n,
                                 int sign)
{
    if (n == 1 && args[0].tag == LEAT_LIST) {
        n = args[0].len;
        args = args[0].as.items;
        if (n == 0)
            return call_wrong("math.greatest() and math.least() of an empty list");
    }
    if (!leat_call_charge(call, n))
        return leat_call_exhausted();
    struct leat_value best = args[0];
    for (uint32_t i = 0; i < n; i++) {
        if (!call_is_number(args[i]))
            return need("no such overload: math.greatest() and math.least() take numbers");
        if (leat_value_compare(args[i], best) == sign)
            best = args[i];
    }
    return best;
}

static struct leat_value call_greatest(struct leat_call *call, const struct leat_value *args,
                                       uint32_t n)
{
    return extreme(call, args, n, 1);
}

static struct leat_value call_least(struct leat_call *call, const struct leat_value *args,
                                    uint32_t n)
{
    return extreme(call, args, n, -1);
}

static const char doubles_only[] =
    "no such overload: math.ceil, floor, round, trunc, isNaN, isInf, isFinite take a double; "
    "ceil(), floor(), round(), trunc() take any number";

#define DOUBLE_TO_DOUBLE(name, function)                                                           \
    static struct leat_value name(struct leat_call *call, const struct leat_value *args,           \
                                  uint32_t n)                                                      \
    {                                                                                              \
        (void)call, (void)n;                                                                       \
        return args[0].tag == LEAT_DOUBLE ? leat_double(function(args[0].as.d))                    \
                                          : need(doubles_only);                                    \
    }                                                                                              \
    static struct leat_value any_##name(struct leat_call *call, const struct leat_value *args,     \
                                        uint32_t n)                                                \
    {                                                                                              \
        if (args[0].tag == LEAT_INT || args[0].tag == LEAT_UINT)                                   \
            return args[0];                                                                        \
        return args[0].tag == LEAT_DOUBLE                                                          \
                   ? name(call, args, n)                                                           \
                   : need("no such overload: ceil(), floor(), trunc() take a number");             \
    }

DOUBLE_TO_DOUBLE(call_ceil, ceil)
DOUBLE_TO_DOUBLE(call_floor, floor)
DOUBLE_TO_DOUBLE(call_trunc, trunc)

static struct leat_value call_math_round(struct leat_call *call, const struct leat_value *args,
                                         uint32_t n)
{
    (void)call, (void)n;
    return args[0].tag == LEAT_DOUBLE ? leat_double(round(args[0].as.d)) : need(doubles_only);
}

#define DOUBLE_TO_BOOL(name, function)                                                             \
    static struct leat_value name(struct leat_call *call, const struct leat_value *args,           \
                                  uint32_t n)                                                      \
    {                                                                                              \
        (void)call, (void)n;                                                                       \
        return args[0].tag == LEAT_DOUBLE ? leat_bool(function(args[0].as.d))                      \
                                          : need(doubles_only);                                    \
    }

DOUBLE_TO_BOOL(call_is_nan, isnan)
DOUBLE_TO_BOOL(call_is_inf, isinf)
DOUBLE_TO_BOOL(call_is_finite, isfinite)

static struct leat_value call_abs(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    (void)call, (void)n;
    if (args[0].tag == LEAT_UINT)
        return args[0];
    if (args[0].tag == LEAT_DOUBLE)
        return leat_double(fabs(args[0].as.d));
    if (args[0].tag != LEAT_INT)
        return need("no such overload: math.abs() takes a number");
    if (args[0].as.i == INT64_MIN)
        return leat_value_fail(LEAT_V_OVERFLOW, "the least int has no absolute value");
    return leat_int(args[0].as.i < 0 ? -args[0].as.i : args[0].as.i);
}

static struct leat_value call_sign(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    double d = args[0].as.d;

    (void)call, (void)n;
    if (args[0].tag == LEAT_UINT)
        return call_uint_value(args[0].as.u > 0);
    if (args[0].tag == LEAT_DOUBLE)
        return leat_double(isnan(d) ? d : (double)((d > 0) - (d < 0)));
    return args[0].tag == LEAT_INT ? leat_int((args[0].as.i > 0) - (args[0].as.i < 0))
                                   : need("no such overload: math.sign() takes a number");
}

static struct leat_value call_sqrt(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    (void)call, (void)n;
    return call_is_number(args[0]) ? leat_double(sqrt(call_as_double(args[0])))
                                   : need("no such overload: math.sqrt() takes a number");
}

/* Both int or both uint: the bits of the union are the same. */
static bool two_of_a_kind(const struct leat_value *args)
{
    return args[0].tag == args[1].tag && (args[0].tag == LEAT_INT || args[0].tag == LEAT_UINT);
}

#define BITS_OF_TWO(name, operator)                                                                \
    static struct leat_value name(struct leat_call *call, const struct leat_value *args,           \
                                  uint32_t n)                                                      \
    {                                                                                              \
        (void)call, (void)n;                                                                       \
        if (!two_of_a_kind(args))                                                                  \
            return need("no such overload: math.bitAnd, bitOr, bitXor take two ints or uints");    \
        return (struct leat_value){.tag = args[0].tag,                                             \
                                   .as.u = args[0].as.u operator args[1].as.u };                   \
    }

BITS_OF_TWO(call_bit_and, &)
BITS_OF_TWO(call_bit_or, |)
BITS_OF_TWO(call_bit_xor, ^)

static struct leat_value call_bit_not(struct leat_call *call, const struct leat_value *args,
                                      uint32_t n)
{
    (void)call, (void)n;
    if (args[0].tag != LEAT_INT && args[0].tag != LEAT_UINT)
        return need("no such overload: math.bitNot() takes an int or a uint");
    return (struct leat_value){.tag = args[0].tag, .as.u = ~args[0].as.u};
}

/* Logical in both directions: what is shifted in is 0, also for a negative int. */
static struct leat_value shift(const struct leat_value *args, bool left)
{
    if ((args[0].tag != LEAT_INT && args[0].tag != LEAT_UINT) || args[1].tag != LEAT_INT)
        return need("no such overload: math.bitShiftLeft, bitShiftRight take an int or a uint, "
                    "and an int");
    int64_t by = args[1].as.i;
    uint64_t u = args[0].as.u;
    if (by < 0)
        return call_wrong("a shift by a negative number of bits");
    u = by > 63 ? 0 : left ? u << by : u >> by;
    return (struct leat_value){.tag = args[0].tag, .as.u = u};
}

static struct leat_value call_shift_left(struct leat_call *call, const struct leat_value *args,
                                         uint32_t n)
{
    (void)call, (void)n;
    return shift(args, true);
}

static struct leat_value call_shift_right(struct leat_call *call, const struct leat_value *args,
                                          uint32_t n)
{
    (void)call, (void)n;
    return shift(args, false);
}

/* An int to tens, hundreds, ...; away from zero at half. */
static struct leat_value round_whole(struct leat_value v, int64_t digits)
{
    bool negative = v.tag == LEAT_INT && v.as.i < 0;
    uint64_t u = negative ? -v.as.u : v.as.u, unit = 1;

    if (digits >= 0)
        return v;
    for (; digits < 0 && unit <= UINT64_MAX / 10; digits++)
        unit *= 10;
    uint64_t rest = u % unit;
    u -= rest;
    if (digits < 0) {
        u = 0;
    } else if (rest >= unit - rest && __builtin_add_overflow(u, unit, &u)) {
        return leat_value_fail(LEAT_V_OVERFLOW, "the rounded number is out of range");
    }
    if (v.tag == LEAT_INT && u > (uint64_t)INT64_MAX + negative)
        return leat_value_fail(LEAT_V_OVERFLOW, "the rounded number is out of range");
    return (struct leat_value){.tag = v.tag, .as.u = negative ? -u : u};
}

/* What a person sees is rounded: the shortest digits of d, so 2.675 to two digits is 2.68, though
 * the double is a little less. One more digit than asked for is taken over, the rest cut off. */
static double round_digits(double d, int digits)
{
    char text[64], cut[64];
    int exponent = 0, point = 0, n = 0;
    bool behind = false;

    size_t len = leat_double_text(fabs(d), text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == 'e') {
            bool minus = text[i + 1] == '-';
            for (i += 1; i < len; i++)
                if (text[i] >= '0' && text[i] <= '9')
                    exponent = exponent * 10 + (text[i] - '0');
            exponent = minus ? -exponent : exponent;
        } else if (text[i] == '.') {
            behind = true;
        } else {
            cut[n++] = text[i];
            point += !behind;
        }
    }
    int keep = point + exponent + digits; /* how many of the digits stay */
    if (keep >= n)
        return d;
    if (keep < 0)
        return copysign(0.0, d);
    bool up = cut[keep] >= '5';
    snprintf(text, sizeof text, "%.*s%se%d", keep, cut, keep ? "" : "0", -digits);
    double down = leat_double_parse(leat_slice_str(text));
    if (!up)
        return copysign(down, d);
    for (int i = keep - 1; i >= 0 && ++cut[i] > '9'; i--)
        cut[i] = '0';
    bool carry = keep == 0 || cut[0] == '0';
    for (int i = 0; carry && i < keep; i++)
        carry = cut[i] == '0';
    snprintf(text, sizeof text, "%s%.*se%d", carry ? "1" : "", keep, cut, -digits);
    return copysign(leat_double_parse(leat_slice_str(text)), d);
}

static struct leat_value call_round(struct leat_call *call, const struct leat_value *args,
                                    uint32_t n)
{
    int64_t digits = 0;

    (void)call;
    if (!call_is_number(args[0]) || (n > 1 && args[1].tag != LEAT_INT))
        return need("no such overload: round() takes a number and an int");
    if (n > 1)
        digits = args[1].as.i;
    if (digits < -400 || digits > 400)
        digits = digits < 0 ? -400 : 400;
    if (args[0].tag != LEAT_DOUBLE)
        return round_whole(args[0], digits);
    if (!isfinite(args[0].as.d) || args[0].as.d == 0)
        return args[0];
    if (digits == 0)
        return leat_double(round(args[0].as.d));
    return leat_double(round_digits(args[0].as.d, (int)digits));
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

static struct leat_value call_parse_int(struct leat_call *call, const struct leat_value *args,
                                        uint32_t n)
{
    (void)call;
    if (args[0].tag != LEAT_STRING || (n > 1 && args[1].tag != LEAT_INT))
        return need("no such overload: parseInt() takes text and an int");
    struct leat_slice s = leat_value_text(args[0]);
    int64_t base = n > 1 ? args[1].as.i : 10;
    if (base < 2 || base > 36)
        return call_wrong("parseInt() knows bases from 2 to 36");
    bool minus = s.len && *s.ptr == '-';
    size_t i = s.len && (*s.ptr == '-' || *s.ptr == '+');
    if (base == 16 && s.len - i > 2 && s.ptr[i] == '0' && (s.ptr[i + 1] | 32) == 'x')
        i += 2;
    if (i == s.len)
        return leat_value_fail(LEAT_V_SYNTAX, "the text is no int");
    uint64_t u = 0;
    for (; i < s.len; i++) {
        int digit = digit_value(s.ptr[i]);
        if (digit >= base)
            return leat_value_fail(LEAT_V_SYNTAX, "the text is no int");
        if (__builtin_mul_overflow(u, (uint64_t)base, &u) ||
            __builtin_add_overflow(u, (uint64_t)digit, &u) || u > (uint64_t)INT64_MAX + minus)
            return leat_value_fail(LEAT_V_OVERFLOW, "the text is beyond the range of an int");
    }
    return leat_int((int64_t)(minus ? -u : u));
}

/* clang-format off */
#define G LEAT_FN_GLOBAL
const struct leat_function leat_functions_math[] = {
    {.name = "math.greatest", .form = G, .overloads = "I*>I U*>U D*>D N*>A L>A",
     .call = call_greatest, .signature = "math.greatest(x, y, ...), math.greatest(list)",
     .help = "The greatest of the numbers."},
    {.name = "math.least", .form = G, .overloads = "I*>I U*>U D*>D N*>A L>A",
     .call = call_least, .signature = "math.least(x, y, ...), math.least(list)",
     .help = "The least of the numbers."},
    {.name = "math.ceil", .form = G, .overloads = "D>D", .call = call_ceil,
     .signature = "math.ceil(double)", .help = "The next whole number above, as a double."},
    {.name = "math.floor", .form = G, .overloads = "D>D", .call = call_floor,
     .signature = "math.floor(double)", .help = "The next whole number below, as a double."},
    {.name = "math.round", .form = G, .overloads = "D>D", .call = call_math_round,
     .signature = "math.round(double)",
     .help = "The nearest whole number, as a double; halves away from zero."},
    {.name = "math.trunc", .form = G, .overloads = "D>D", .call = call_trunc,
     .signature = "math.trunc(double)", .help = "Without its fraction, as a double."},
    {.name = "math.abs", .form = G, .overloads = "I>I U>U D>D", .call = call_abs,
     .signature = "math.abs(x)", .help = "Without its sign."},
    {.name = "math.sign", .form = G, .overloads = "I>I U>U D>D", .call = call_sign,
     .signature = "math.sign(x)", .help = "-1, 0 or 1."},
    {.name = "math.sqrt", .form = G, .overloads = "N>D", .call = call_sqrt,
     .signature = "math.sqrt(x)", .help = "Square root; NaN of a negative number."},
    {.name = "math.isNaN", .form = G, .overloads = "D>B", .call = call_is_nan,
     .signature = "math.isNaN(double)", .help = "Whether it is \"not a number\" (0.0/0.0)."},
    {.name = "math.isInf", .form = G, .overloads = "D>B", .call = call_is_inf,
     .signature = "math.isInf(double)", .help = "Whether it is infinite (1.0/0.0)."},
    {.name = "math.isFinite", .form = G, .overloads = "D>B", .call = call_is_finite,
     .signature = "math.isFinite(double)", .help = "Whether it is neither NaN nor infinite."},
    {.name = "math.bitAnd", .form = G, .overloads = "II>I UU>U", .call = call_bit_and,
     .signature = "math.bitAnd(x, y)", .help = "The bits that both have."},
    {.name = "math.bitOr", .form = G, .overloads = "II>I UU>U", .call = call_bit_or,
     .signature = "math.bitOr(x, y)", .help = "The bits that one of them has."},
    {.name = "math.bitXor", .form = G, .overloads = "II>I UU>U", .call = call_bit_xor,
     .signature = "math.bitXor(x, y)", .help = "The bits that only one of them has."},
    {.name = "math.bitNot", .form = G, .overloads = "I>I U>U", .call = call_bit_not,
     .signature = "math.bitNot(x)", .help = "All 64 bits turned over."},
    {.name = "math.bitShiftLeft", .form = G, .overloads = "II>I UI>U", .call = call_shift_left,
     .signature = "math.bitShiftLeft(x, n)", .help = "The bits moved n places up, zeros below."},
    {.name = "math.bitShiftRight", .form = G, .overloads = "II>I UI>U", .call = call_shift_right,
     .signature = "math.bitShiftRight(x, n)",
     .help = "The bits moved n places down, zeros above (also for a negative int)."},
    {.name = "ceil", .form = CALL_BOTH, .overloads = "I>I U>U D>D", .call = any_call_ceil,
     .signature = "ceil(x)", .help = "The next whole number above; an int stays an int."},
    {.name = "floor", .form = CALL_BOTH, .overloads = "I>I U>U D>D", .call = any_call_floor,
     .signature = "floor(x)", .help = "The next whole number below; an int stays an int."},
    {.name = "trunc", .form = CALL_BOTH, .overloads = "I>I U>U D>D", .call = any_call_trunc,
     .signature = "trunc(x)", .help = "Without its fraction; an int stays an int."},
    {.name = "round", .form = CALL_BOTH, .overloads = "I>I U>U D>D II>I UI>U DI>D",
     .call = call_round, .signature = "round(x), round(x, digits)",
     .help = "To so many digits behind the point (0; negative: to tens, hundreds), halves away "
             "from zero as the number is written: round(2.675, 2) is 2.68."},
    {.name = "parseInt", .form = CALL_BOTH, .overloads = "S>I SI>I", .call = call_parse_int,
     .signature = "parseInt(text), parseInt(text, base)",
     .help = "The int that the text is, in base 10 or 2 to 36; base 16 may begin with 0x."},
    {0},
};
#undef G
/* clang-format on */
