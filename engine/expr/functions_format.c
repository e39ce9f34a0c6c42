/*
 * functions_format.c - text.format([...]) by the rules of CEL's strings extension, and
 * time.format().
 *
 *     %s anything   %d whole numbers, doubles as they are   %f %e numbers with a fraction (%.3f)
 *     %b whole numbers and bools in binary   %o octal   %x %X whole numbers, bytes of text   %% %
 *
 * Not a number and infinities are NaN, Infinity, -Infinity everywhere. Maps are sorted by their
 * keys' text, so that the same map gives the same text.
 *
 * Thread: that of the eval.
 */
#include "data/json.h"
#include "data/time_text.h"
#include "expr/call.h"
#include "expr/time_format.h"
#include "expr/utf8.h"

#include <math.h>
#include <stdio.h>

#define PRECISION_MAX     100
#define PRECISION_DEFAULT 6

struct format {
    struct call_out out;
    struct leat_value error; /* its tag says whether there is one */
};

static bool fail(struct format *f, struct leat_value error)
{
    f->error = error;
    return false;
}

static bool put(struct format *f, const char *text, size_t len)
{
    call_out_put(&f->out, text, len);
    return true;
}

static bool put_special_double(struct format *f, double d)
{
    if (isnan(d))
        return put(f, "NaN", 3);
    return d < 0 ? put(f, "-Infinity", 9) : put(f, "Infinity", 8);
}

/* Digits of d that read back, without zeros at either end, and where the point stands in them. */
static int shortest_digits(double d, char digits[40], int *point)
{
    char text[40];
    size_t len = leat_double_text(d, text), i = 0;
    int n = 0, exponent = 0;
    bool behind = false;

    *point = 0;
    for (; i < len && text[i] != 'e' && text[i] != 'E'; i++) {
        if (text[i] == '.') {
            behind = true;
        } else if (text[i] >= '0' && text[i] <= '9' && (n || text[i] != '0')) {
            digits[n++] = text[i];
            *point += !behind;
        } else if (text[i] == '0') {
            *point -= behind;
        }
    }
    if (i < len) {
        bool minus = text[i + 1] == '-';
        for (i++; i < len; i++)
            if (text[i] >= '0' && text[i] <= '9')
                exponent = exponent * 10 + (text[i] - '0');
        *point += minus ? -exponent : exponent;
    }
    while (n && digits[n - 1] == '0')
        n--;
    return n;
}

/* Shortest digits that read back, never with an exponent: 1e21 has 22 digits. */
static bool put_plain_double(struct format *f, double d)
{
    static const char zeros[] = "0000000000000000";
    char digits[40];
    int point, n = shortest_digits(d, digits, &point);

    if (signbit(d))
        (void)put(f, "-", 1);
    if (point <= 0)
        (void)put(f, n ? "0." : "0", n ? 2 : 1);
    for (int missing = n ? -point : 0; missing > 0; missing -= 16)
        (void)put(f, zeros, missing < 16 ? (size_t)missing : 16);
    if (point <= 0)
        return put(f, digits, (size_t)n);
    (void)put(f, digits, (size_t)(n < point ? n : point));
    for (int missing = point - n; missing > 0; missing -= 16)
        (void)put(f, zeros, missing < 16 ? (size_t)missing : 16);
    if (n > point) {
        (void)put(f, ".", 1);
        (void)put(f, digits + point, (size_t)(n - point));
    }
    return true;
}

static bool put_double(struct format *f, double d)
{
    return isfinite(d) ? put_plain_double(f, d) : put_special_double(f, d);
}

static bool put_whole(struct format *f, bool negative, uint64_t u, unsigned base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[66], *at = text + sizeof text;

    do {
        *--at = digits[u % base];
        u /= base;
    } while (u);
    if (negative)
        *--at = '-';
    return put(f, at, (size_t)(text + sizeof text - at));
}

/* Ints and uints in any base. False: another kind. */
static bool is_whole(struct leat_value v, bool *negative, uint64_t *u)
{
    *negative = v.tag == LEAT_INT && v.as.i < 0;
    *u = *negative ? -v.as.u : v.as.u;
    return v.tag == LEAT_INT || v.tag == LEAT_UINT;
}

/* Bytes as text; runs of what is no UTF-8 become one U+FFFD. */
static bool put_bytes(struct format *f, struct leat_value v)
{
    const char *p = v.as.text, *end = p + v.len;
    bool bad_before = false;

    while (p < end) {
        uint32_t len, c = utf8_get(p, end, &len);
        if (c != UTF8_BAD)
            (void)put(f, p, len);
        else if (!bad_before)
            (void)put(f, "\xef\xbf\xbd", 3);
        bad_before = c == UTF8_BAD;
        p += len;
    }
    return true;
}

static bool put_any(struct format *f, struct leat_value v, int depth);

static bool put_list(struct format *f, struct leat_value v, int depth)
{
    (void)put(f, "[", 1);
    for (uint32_t i = 0; i < v.len; i++) {
        if (i)
            (void)put(f, ", ", 2);
        if (!put_any(f, v.as.items[i], depth + 1))
            return false;
    }
    return put(f, "]", 1);
}

static int text_order(struct leat_value a, struct leat_value b, struct leat_arena *scratch)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n ? memcmp(a.as.text, b.as.text, n) : 0;

    (void)scratch;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static bool put_map(struct format *f, struct leat_value v, int depth)
{
    struct leat_call *call = f->out.call;
    struct call_pair *pairs = leat_arena_array(call->arena, (size_t)v.len + 1, sizeof *pairs);
    struct leat_value why;

    if (!pairs)
        return fail(f, call_full());
    for (uint32_t i = 0; i < v.len; i++) {
        struct format key = {0};
        call_out_start(&key.out, call);
        if (!put_any(&key, v.as.items[2 * i], depth + 1))
            return fail(f, key.error);
        pairs[i] = (struct call_pair){call_out_text(&key.out), v.as.items[2 * i + 1]};
        if (pairs[i].key.tag != LEAT_STRING)
            return fail(f, pairs[i].key);
    }
    if (!call_sort(call, pairs, v.len, text_order, &why))
        return fail(f, why);
    (void)put(f, "{", 1);
    for (uint32_t i = 0; i < v.len; i++) {
        if (i)
            (void)put(f, ", ", 2);
        call_out_slice(&f->out, leat_value_text(pairs[i].key));
        (void)put(f, ": ", 2);
        if (!put_any(f, pairs[i].value, depth + 1))
            return false;
    }
    return put(f, "}", 1);
}

/* %s */
static bool put_any(struct format *f, struct leat_value v, int depth)
{
    char text[LEAT_TIME_TEXT_BYTES];
    bool negative;
    uint64_t u;

    if (depth > CALL_DEPTH_MAX || !leat_call_charge(f->out.call, 1))
        return fail(f, leat_call_exhausted());
    v = call_expand(f->out.call, v);
    if (is_whole(v, &negative, &u))
        return put_whole(f, negative, u, 10, false);
    switch ((enum leat_tag)v.tag) {
    case LEAT_NULL:
        return put(f, "null", 4);
    case LEAT_BOOL:
        return v.as.b ? put(f, "true", 4) : put(f, "false", 5);
    case LEAT_DOUBLE:
        return put_double(f, v.as.d);
    case LEAT_STRING:
    case LEAT_TYPE:
        return put(f, v.as.text, v.len);
    case LEAT_BYTES:
        return put_bytes(f, v);
    case LEAT_TIMESTAMP:
        return put(f, text, leat_timestamp_text(v, text));
    case LEAT_DURATION:
        return put(f, text, leat_duration_text(v, text));
    case LEAT_LIST:
        return put_list(f, v, depth);
    case LEAT_MAP:
        return put_map(f, v, depth);
    case LEAT_INT:
    case LEAT_UINT:
    case LEAT_RECORD:
    case LEAT_ERROR:
        break;
    }
    return fail(f, v.tag == LEAT_ERROR ? v : call_refuse("a value that format() cannot print"));
}

static bool put_decimal(struct format *f, struct leat_value v)
{
    bool negative;
    uint64_t u;

    if (is_whole(v, &negative, &u))
        return put_whole(f, negative, u, 10, false);
    if (v.tag == LEAT_DOUBLE)
        return put_double(f, v.as.d);
    return fail(f, call_refuse("%d in format() takes a number"));
}

static bool put_based(struct format *f, struct leat_value v, char letter)
{
    bool negative;
    uint64_t u;

    if (is_whole(v, &negative, &u))
        return put_whole(f, negative, u, letter == 'b' ? 2 : 8, false);
    if (letter == 'b' && v.tag == LEAT_BOOL)
        return put(f, v.as.b ? "1" : "0", 1);
    return fail(f, call_refuse(letter == 'b' ? "%b in format() takes an int, a uint or a bool"
                                             : "%o in format() takes an int or a uint"));
}

static bool put_hex(struct format *f, struct leat_value v, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    bool negative;
    uint64_t u;

    if (is_whole(v, &negative, &u))
        return put_whole(f, negative, u, 16, upper);
    if (v.tag != LEAT_STRING && v.tag != LEAT_BYTES)
        return fail(f, call_refuse("%x in format() takes an int, a uint, text or bytes"));
    for (uint32_t i = 0; i < v.len && !f->out.too_large && !f->out.exhausted; i++) {
        unsigned char c = (unsigned char)v.as.text[i];
        (void)put(f, (char[]){digits[c >> 4], digits[c & 15]}, 2);
    }
    return true;
}

/* %f and %e; printf rounds exactly, halves to even, and has a point in the C locale only: a comma
 * of another one is put right. */
static bool put_fraction(struct format *f, struct leat_value v, char letter, int precision)
{
    char text[512];

    if (!call_is_number(v))
        return fail(f, call_refuse("%f and %e in format() take a number"));
    double d = call_as_double(v);
    if (!isfinite(d))
        return put_special_double(f, d);
    int n = letter == 'f' ? snprintf(text, sizeof text, "%.*f", precision, d)
                          : snprintf(text, sizeof text, "%.*e", precision, d);
    char *comma = memchr(text, ',', (size_t)n);
    if (comma)
        *comma = '.';
    return put(f, text, (size_t)n);
}

static bool put_clause(struct format *f, char letter, int precision, struct leat_value v)
{
    switch (letter) {
    case 's':
        return put_any(f, v, 0);
    case 'd':
        return put_decimal(f, v);
    case 'f':
    case 'e':
        return put_fraction(f, v, letter, precision);
    case 'b':
    case 'o':
        return put_based(f, v, letter);
    case 'x':
    case 'X':
        return put_hex(f, v, letter == 'X');
    default:
        return fail(f, call_wrong("format() knows %s %d %f %e %b %o %x %X and %%"));
    }
}

/* Behind the '%': an optional precision, then a letter. */
static bool take_clause(const char **p, const char *end, char *letter, int *precision)
{
    *precision = PRECISION_DEFAULT;
    if (*p < end && **p == '.') {
        const char *digits = ++*p;
        for (*precision = 0; *p < end && **p >= '0' && **p <= '9'; ++*p)
            *precision = *precision > PRECISION_MAX ? *precision : *precision * 10 + (**p - '0');
        if (*p == digits || *precision > PRECISION_MAX)
            return false;
    }
    if (*p == end)
        return false;
    *letter = *(*p)++;
    return true;
}

static struct leat_value format_text(struct leat_call *call, struct leat_slice text,
                                     struct leat_value list)
{
    struct format f = {0};
    const char *p = text.ptr, *end = p + text.len;
    uint32_t next = 0;

    call_out_start(&f.out, call);
    while (p < end) {
        const char *percent = memchr(p, '%', (size_t)(end - p));
        const char *plain_end = percent ? percent : end;
        char letter = 0;
        int precision;
        (void)put(&f, p, (size_t)(plain_end - p));
        p = percent ? percent + 1 : end;
        if (!percent)
            break;
        if (p < end && *p == '%') {
            (void)put(&f, p++, 1);
            continue;
        }
        if (!take_clause(&p, end, &letter, &precision))
            return call_wrong(
                "format() wants a letter behind %, a precision of at most 100 between");
        if (next == list.len)
            return call_wrong("format() has more % than there are items");
        if (!put_clause(&f, letter, precision, list.as.items[next++]))
            return f.error;
    }
    return call_out_text(&f.out);
}

static struct leat_value format_time(struct leat_call *call, const struct leat_value *args,
                                     uint32_t n)
{
    struct leat_bytes into = {.arena = call->arena};
    struct leat_value why;
    char text[LEAT_TIME_TEXT_BYTES];

    if (n == 1) {
        struct leat_slice copy = leat_arena_copy(
            call->arena, (struct leat_slice){text, leat_timestamp_text(args[0], text)});
        return copy.ptr ? call_text(copy) : call_full();
    }
    if (args[1].tag != LEAT_STRING)
        return call_refuse("no such overload: time.format() takes a pattern and a zone");
    if (args[1].len > 1024)
        return call_wrong("the pattern of a time is longer than 1024 bytes");
    const struct leat_zone *z = call_zone(call, args, n, 2, &why);
    if (!z)
        return why;
    if (!leat_time_format(leat_value_text(args[1]), args[0], z, &into))
        return call_wrong("unknown % in the pattern of a time (%Y %m %d %H ...)");
    return into.failed ? call_full() : call_text(leat_bytes_slice(&into));
}

/* Of a time: of text the argument is a list. */
const char *fn_check_format(uint32_t arg, struct leat_value constant)
{
    return arg == 1 && constant.tag == LEAT_STRING
               ? leat_time_format_check(leat_value_text(constant))
               : NULL;
}

struct leat_value fn_format(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    if (args[0].tag == LEAT_TIMESTAMP)
        return format_time(call, args, n);
    if (n != 2 || args[0].tag != LEAT_STRING || args[1].tag != LEAT_LIST)
        return call_refuse("no such overload: text.format(list) or time.format(pattern, zone)");
    return format_text(call, leat_value_text(args[0]), args[1]);
}
