/*
 * functions_core.c - functions of the language itself: size, conversions, parts of text.
 *
 * As the CEL specification has them. Thread: that of the eval.
 */
#include "data/json.h"
#include "data/time_text.h"
#include "data/value_ops.h"
#include "expr/function.h"
#include "expr/lex.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

#define TWO_63 9223372036854775808.0
#define TWO_64 18446744073709551616.0

static struct leat_value refuse(const char *why)
{
    return leat_value_fail(LEAT_V_TYPE, why);
}

static struct leat_value out_of_range(void)
{
    return leat_value_fail(LEAT_V_OVERFLOW, "the number is out of range");
}

static struct leat_value from_uint(uint64_t u)
{
    return (struct leat_value){.tag = LEAT_UINT, .as.u = u};
}

static int64_t code_points(struct leat_value text)
{
    int64_t n = 0;

    for (uint32_t i = 0; i < text.len; i++)
        n += ((unsigned char)text.as.text[i] & 0xc0) != 0x80;
    return n;
}

static struct leat_value call_size(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    struct leat_value v = args[0];

    (void)n;
    if (v.tag == LEAT_STRING)
        return leat_call_charge(call, v.len / 1024) ? leat_int(code_points(v))
                                                    : leat_call_exhausted();
    if (v.tag == LEAT_RECORD)
        v = leat_value_expand(v, call->arena);
    if (v.tag == LEAT_BYTES || v.tag == LEAT_LIST || v.tag == LEAT_MAP)
        return leat_int(v.len);
    return v.tag == LEAT_ERROR ? v : refuse("no such overload: size() of what has no size");
}

/* Decimal digits with an optional sign; false when there is anything else or it does not fit. */
static bool read_whole(struct leat_slice s, bool *minus, uint64_t *u)
{
    *minus = s.len && *s.ptr == '-';
    *u = 0;
    if (s.len && (*s.ptr == '-' || *s.ptr == '+'))
        s = (struct leat_slice){s.ptr + 1, s.len - 1};
    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || __builtin_mul_overflow(*u, 10u, u) ||
            __builtin_add_overflow(*u, (uint64_t)(s.ptr[i] - '0'), u))
            return false;
    return true;
}

static struct leat_value text_to_int(struct leat_slice s)
{
    bool minus;
    uint64_t u;

    if (!read_whole(s, &minus, &u) || u > (uint64_t)INT64_MAX + minus)
        return leat_value_fail(LEAT_V_SYNTAX, "the text is no int");
    return leat_int((int64_t)(minus ? -u : u));
}

static struct leat_value call_int(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct leat_value v = args[0];

    (void)call, (void)n;
    switch ((enum leat_tag)v.tag) {
    case LEAT_INT:
        return v;
    case LEAT_UINT:
        return v.as.u <= INT64_MAX ? leat_int((int64_t)v.as.u) : out_of_range();
    case LEAT_DOUBLE: /* -2^63 itself is out, as CEL has it */
        return v.as.d > -TWO_63 && v.as.d < TWO_63 ? leat_int((int64_t)v.as.d) : out_of_range();
    case LEAT_STRING:
        return text_to_int(leat_value_text(v));
    case LEAT_TIMESTAMP:
    case LEAT_DURATION:
        return leat_int(v.as.i);
    case LEAT_NULL:
    case LEAT_BOOL:
    case LEAT_BYTES:
    case LEAT_LIST:
    case LEAT_MAP:
    case LEAT_RECORD:
    case LEAT_ERROR:
    case LEAT_TYPE:
        break;
    }
    return refuse("no such overload: int() takes a number, text or a timestamp");
}

static struct leat_value call_uint(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    struct leat_value v = args[0];
    bool minus;
    uint64_t u;

    (void)call, (void)n;
    if (v.tag == LEAT_UINT)
        return v;
    if (v.tag == LEAT_INT)
        return v.as.i >= 0 ? from_uint((uint64_t)v.as.i) : out_of_range();
    if (v.tag == LEAT_DOUBLE)
        return v.as.d >= 0 && v.as.d < TWO_64 ? from_uint((uint64_t)v.as.d) : out_of_range();
    if (v.tag != LEAT_STRING)
        return refuse("no such overload: uint() takes a number or text");
    if (!read_whole(leat_value_text(v), &minus, &u) || minus)
        return leat_value_fail(LEAT_V_SYNTAX, "the text is no uint");
    return from_uint(u);
}

/* The grammar of a double in text: sign, digits, point, digits, exponent; digits somewhere. */
static bool looks_like_double(struct leat_slice s)
{
    size_t i = 0, digits = 0;

    for (; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
        digits++;
    if (i < s.len && s.ptr[i] == '.')
        for (i++; i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9'; i++)
            digits++;
    if (digits && i < s.len && (s.ptr[i] | 32) == 'e') {
        i++;
        i += i < s.len && (s.ptr[i] == '-' || s.ptr[i] == '+');
        size_t from = i;
        while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
            i++;
        digits = i - from;
    }
    return digits && i == s.len;
}

static bool same_word(struct leat_slice s, const char *word)
{
    return s.len == strlen(word) && strncasecmp(s.ptr, word, s.len) == 0;
}

static struct leat_value text_to_double(struct leat_slice s)
{
    double sign = s.len && *s.ptr == '-' ? -1 : 1;

    if (s.len && (*s.ptr == '-' || *s.ptr == '+'))
        s = (struct leat_slice){s.ptr + 1, s.len - 1};
    if (same_word(s, "inf") || same_word(s, "infinity"))
        return leat_double(sign * (double)INFINITY);
    if (same_word(s, "nan"))
        return leat_double((double)NAN);
    if (!looks_like_double(s))
        return leat_value_fail(LEAT_V_SYNTAX, "the text is no double");
    return leat_double(sign * lex_read_double(s));
}

static struct leat_value call_double(struct leat_call *call, const struct leat_value *args,
                                     uint32_t n)
{
    struct leat_value v = args[0];

    (void)call, (void)n;
    if (v.tag == LEAT_DOUBLE)
        return v;
    if (v.tag == LEAT_INT)
        return leat_double((double)v.as.i);
    if (v.tag == LEAT_UINT)
        return leat_double((double)v.as.u);
    if (v.tag == LEAT_STRING)
        return text_to_double(leat_value_text(v));
    return refuse("no such overload: double() takes a number or text");
}

static struct leat_value made(struct leat_call *call, const char *text, size_t len)
{
    struct leat_slice copy = leat_arena_copy(call->arena, (struct leat_slice){text, len});

    return copy.ptr ? leat_string(copy)
                    : leat_value_fail(LEAT_V_BUDGET, "the expression takes too much memory");
}

static struct leat_value number_text(struct leat_call *call, struct leat_value v)
{
    char text[64];
    size_t len;

    if (v.tag == LEAT_INT)
        len = (size_t)snprintf(text, sizeof text, "%lld", (long long)v.as.i);
    else if (v.tag == LEAT_UINT)
        len = (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)v.as.u);
    else if (isnan(v.as.d))
        return leat_string(LEAT_LIT("NaN"));
    else if (isinf(v.as.d))
        return leat_string(v.as.d < 0 ? LEAT_LIT("-Infinity") : LEAT_LIT("Infinity"));
    else {
        len = leat_double_text(v.as.d, text);
        if (len > 2 && memcmp(text + len - 2, ".0", 2) == 0)
            len -= 2; /* CEL: string(1.0) is "1" */
    }
    return made(call, text, len);
}

static struct leat_value call_string(struct leat_call *call, const struct leat_value *args,
                                     uint32_t n)
{
    struct leat_value v = args[0];
    char text[LEAT_TIME_TEXT_BYTES];
    size_t bad;

    (void)n;
    switch ((enum leat_tag)v.tag) {
    case LEAT_STRING:
        return v;
    case LEAT_BOOL:
        return leat_string(v.as.b ? LEAT_LIT("true") : LEAT_LIT("false"));
    case LEAT_INT:
    case LEAT_UINT:
    case LEAT_DOUBLE:
        return number_text(call, v);
    case LEAT_BYTES:
        if (!leat_call_charge(call, v.len / 1024))
            return leat_call_exhausted();
        v.tag = LEAT_STRING;
        return lex_is_utf8(leat_value_text(v), &bad)
                   ? v
                   : leat_value_fail(LEAT_V_SYNTAX, "the bytes are no UTF-8");
    case LEAT_TIMESTAMP:
        return made(call, text, leat_timestamp_text(v, text));
    case LEAT_DURATION:
        return made(call, text, leat_duration_text(v, text));
    case LEAT_TYPE:
        v.tag = LEAT_STRING;
        return v;
    case LEAT_NULL:
    case LEAT_LIST:
    case LEAT_MAP:
    case LEAT_RECORD:
    case LEAT_ERROR:
        break;
    }
    return refuse("no such overload: string() of null, a list or a map; see toJson()");
}

static struct leat_value call_bool(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    static const char *const words[] = {"1", "t", "true",  "TRUE",  "True",
                                        "0", "f", "false", "FALSE", "False"};

    (void)call, (void)n;
    if (args[0].tag == LEAT_BOOL)
        return args[0];
    if (args[0].tag != LEAT_STRING)
        return refuse("no such overload: bool() takes a bool or text");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (leat_slice_eq(leat_value_text(args[0]), leat_slice_str(words[i])))
            return leat_bool(i < 5);
    return leat_value_fail(LEAT_V_SYNTAX, "the text is no bool");
}

static struct leat_value call_bytes(struct leat_call *call, const struct leat_value *args,
                                    uint32_t n)
{
    struct leat_value v = args[0];

    (void)call, (void)n;
    if (v.tag != LEAT_STRING && v.tag != LEAT_BYTES)
        return refuse("no such overload: bytes() takes text or bytes");
    v.tag = LEAT_BYTES;
    return v;
}

static struct leat_value call_dyn(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    (void)call, (void)n;
    return args[0];
}

static struct leat_value call_type(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    static const char *const names[] = {
        [LEAT_NULL] = "null_type",
        [LEAT_BOOL] = "bool",
        [LEAT_INT] = "int",
        [LEAT_UINT] = "uint",
        [LEAT_DOUBLE] = "double",
        [LEAT_STRING] = "string",
        [LEAT_BYTES] = "bytes",
        [LEAT_TIMESTAMP] = "google.protobuf.Timestamp",
        [LEAT_DURATION] = "google.protobuf.Duration",
        [LEAT_LIST] = "list",
        [LEAT_MAP] = "map",
        [LEAT_RECORD] = "map",
        [LEAT_ERROR] = "error",
        [LEAT_TYPE] = "type",
    };

    (void)call, (void)n;
    struct leat_value v = leat_string(leat_slice_str(names[args[0].tag]));
    v.tag = LEAT_TYPE;
    return v;
}

static bool two_texts(const struct leat_value *args)
{
    return args[0].tag == LEAT_STRING && args[1].tag == LEAT_STRING;
}

static struct leat_value call_contains(struct leat_call *call, const struct leat_value *args,
                                       uint32_t n)
{
    (void)n;
    if (!two_texts(args))
        return refuse("no such overload: contains() is for text; for lists there is `x in list`");
    if (!leat_call_charge(call, args[0].len / 1024))
        return leat_call_exhausted();
    if (args[1].len == 0)
        return leat_bool(true);
    return leat_bool(args[0].len &&
                     memmem(args[0].as.text, args[0].len, args[1].as.text, args[1].len) != NULL);
}

static struct leat_value call_starts(struct leat_call *call, const struct leat_value *args,
                                     uint32_t n)
{
    (void)call, (void)n;
    if (!two_texts(args))
        return refuse("no such overload: startsWith() is for text");
    struct leat_slice head = {args[0].as.text, args[1].len};
    return leat_bool(args[1].len <= args[0].len && leat_slice_eq(head, leat_value_text(args[1])));
}

static struct leat_value call_ends(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    (void)call, (void)n;
    if (!two_texts(args))
        return refuse("no such overload: endsWith() is for text");
    if (args[1].len > args[0].len)
        return leat_bool(false);
    struct leat_slice tail = {args[0].as.text + (args[0].len - args[1].len), args[1].len};
    return leat_bool(leat_slice_eq(tail, leat_value_text(args[1])));
}

#define BOTH (LEAT_FN_GLOBAL | LEAT_FN_MEMBER)

const struct leat_function leat_functions_core[] = {
    {.name = "size",
     .form = BOTH,
     .overloads = "S>I Y>I L>I M>I",
     .call = call_size,
     .signature = "size(x), x.size()",
     .help = "Characters of text, bytes, items of a list, entries of a map."},
    {.name = "int",
     .form = LEAT_FN_GLOBAL,
     .overloads = "N>I S>I T>I P>I",
     .call = call_int,
     .signature = "int(x)",
     .help = "As an int; a fraction is cut off, text is decimal, a timestamp gives seconds."},
    {.name = "uint",
     .form = LEAT_FN_GLOBAL,
     .overloads = "N>U S>U",
     .call = call_uint,
     .signature = "uint(x)",
     .help = "As a uint; a fraction is cut off."},
    {.name = "double",
     .form = LEAT_FN_GLOBAL,
     .overloads = "N>D S>D",
     .call = call_double,
     .signature = "double(x)",
     .help = "As a double; text may also be NaN, Infinity, -Infinity."},
    {.name = "string",
     .form = LEAT_FN_GLOBAL,
     .overloads = "S>S B>S N>S Y>S T>S P>S",
     .call = call_string,
     .signature = "string(x)",
     .help = "As text; bytes must be UTF-8, times are RFC 3339."},
    {.name = "bool",
     .form = LEAT_FN_GLOBAL,
     .overloads = "B>B S>B",
     .call = call_bool,
     .signature = "bool(x)",
     .help = "As a bool: true, True, TRUE, t, 1 and their opposites."},
    {.name = "bytes",
     .form = LEAT_FN_GLOBAL,
     .overloads = "S>Y Y>Y",
     .call = call_bytes,
     .signature = "bytes(x)",
     .help = "The bytes of text in UTF-8."},
    {.name = "dyn",
     .form = LEAT_FN_GLOBAL,
     .overloads = "A>A",
     .call = call_dyn,
     .signature = "dyn(x)",
     .help = "x itself, with nothing known about its type beforehand."},
    {.name = "type",
     .form = LEAT_FN_GLOBAL,
     .overloads = "A>A",
     .call = call_type,
     .signature = "type(x)",
     .help = "The type of x: type(x) == int."},
    {.name = "contains",
     .form = LEAT_FN_MEMBER,
     .overloads = "SS>B",
     .call = call_contains,
     .signature = "text.contains(part)",
     .help = "Whether the part is anywhere in the text."},
    {.name = "startsWith",
     .form = LEAT_FN_MEMBER,
     .overloads = "SS>B",
     .call = call_starts,
     .signature = "text.startsWith(part)",
     .help = "Whether the text begins with the part."},
    {.name = "endsWith",
     .form = LEAT_FN_MEMBER,
     .overloads = "SS>B",
     .call = call_ends,
     .signature = "text.endsWith(part)",
     .help = "Whether the text ends with the part."},
    {0},
};
