#include "data/json_scan.h"

#include <inttypes.h>
#include <stdio.h>

const char *leat_scan_fail(struct leat_scan *s, const char *at, const char *why)
{
    if (!s->why) {
        s->at = at;
        s->why = why;
    }
    return NULL;
}

/* --- UTF-8 --- */

/* Length of the sequence at p, 0 when there is none: RFC 3629, so no surrogates, nothing overlong.
 */
static uint32_t utf8_length(const unsigned char *p, size_t left)
{
    unsigned char c = p[0];

    if (c < 0x80)
        return 1;
    if (left < 2 || (p[1] & 0xc0) != 0x80 || c < 0xc2)
        return 0;
    if (c < 0xe0)
        return 2;
    if (left < 3 || (p[2] & 0xc0) != 0x80)
        return 0;
    if (c < 0xf0)
        return (c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) ? 0 : 3;
    if (left < 4 || (p[3] & 0xc0) != 0x80 || c > 0xf4)
        return 0;
    return (c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f) ? 0 : 4;
}

bool leat_utf8_valid(const char *p, const char *end)
{
    while (p < end) {
        uint64_t word;
        if (end - p >= 8) {
            memcpy(&word, p, 8);
            if (!(word & UINT64_C(0x8080808080808080))) {
                p += 8;
                continue;
            }
        }
        uint32_t n = utf8_length((const unsigned char *)p, (size_t)(end - p));
        if (n == 0)
            return false;
        p += n;
    }
    return true;
}

static char *utf8_put(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

/* --- escapes --- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *leat_scan_escape(struct leat_scan *s, const char *p)
{
    if (s->end - p < 2)
        return leat_scan_fail(s, p, "a string without an end");
    switch (p[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return p + 2;
    case 'u':
        for (int i = 2; i < 6; i++)
            if (p + i == s->end || hex_digit(p[i]) < 0)
                return leat_scan_fail(s, p, "\\u without four hexadecimal digits");
        return p + 6;
    default:
        return leat_scan_fail(s, p, "a backslash before a character that needs none");
    }
}

static uint32_t hex4(const char *p)
{
    uint32_t c = 0;

    for (int i = 0; i < 4; i++)
        c = c << 4 | (uint32_t)hex_digit(p[i]);
    return c;
}

/* The character of \uXXXX at p (at the 'u'), with the second half of a pair if it is there. */
static const char *unescape_u(const char *p, const char *end, uint32_t *c)
{
    *c = hex4(p + 1);
    p += 5;
    if (*c < 0xd800 || *c > 0xdfff)
        return p;
    if (*c < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        uint32_t low = hex4(p + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *c = 0x10000 + ((*c - 0xd800) << 10) + (low - 0xdc00);
            return p + 6;
        }
    }
    *c = 0xfffd;
    return p;
}

/* Into `to`, which has room for raw.len bytes: no escape is shorter than what it stands for. */
static size_t unescape(struct leat_slice raw, char *to)
{
    static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *p = raw.ptr, *end = raw.ptr + raw.len;
    char *begin = to;

    while (p < end) {
        if (*p != '\\') {
            *to++ = *p++;
            continue;
        }
        p++;
        if (*p == 'u') {
            uint32_t c;
            p = unescape_u(p, end, &c);
            to = utf8_put(to, c);
        } else {
            *to++ = meant[strchr(plain, *p++) - plain];
        }
    }
    return (size_t)(to - begin);
}

struct leat_value leat_scan_unescape(struct leat_slice raw, struct leat_arena *arena)
{
    char *to = leat_arena_alloc(arena, raw.len + 1);

    if (!to)
        return leat_value_fail(LEAT_V_BUDGET, "out of memory");
    return leat_string((struct leat_slice){to, unescape(raw, to)});
}

bool leat_scan_is(struct leat_slice key, bool escaped, struct leat_slice name)
{
    char text[256];

    if (!escaped)
        return leat_slice_eq(key, name);
    if (key.len <= sizeof text)
        return leat_slice_eq((struct leat_slice){text, unescape(key, text)}, name);

    /* Rare and long: piece by piece, an escape at a time. */
    const char *p = key.ptr, *end = key.ptr + key.len;
    while (p < end) {
        size_t piece = *p != '\\' ? 1 : p[1] != 'u' ? 2 : 6;
        if (piece == 6 && end - p >= 12 && p[6] == '\\' && p[7] == 'u')
            piece = 12;
        size_t n = unescape((struct leat_slice){p, piece}, text);
        if (n > name.len || memcmp(text, name.ptr, n) != 0)
            return false;
        name = (struct leat_slice){name.ptr + n, name.len - n};
        p += piece;
    }
    return name.len == 0;
}

/* --- numbers and words --- */

static inline bool is_digit(const struct leat_scan *s, const char *p)
{
    return p < s->end && (unsigned char)(*p - '0') < 10;
}

static struct leat_value integer(uint64_t u, bool negative, bool too_big)
{
    if (too_big || (negative && u > UINT64_C(1) << 63))
        return leat_value_fail(LEAT_V_OVERFLOW, "an integer beyond 64 bits");
    if (negative)
        return leat_int((int64_t)(0 - u));
    if (u > INT64_MAX)
        return (struct leat_value){.tag = LEAT_UINT, .as.u = u};
    return leat_int((int64_t)u);
}

static struct leat_value real(struct leat_slice number)
{
    double d = leat_double_parse(number);

    if (d - d != 0)
        return leat_value_fail(LEAT_V_OVERFLOW, "a number beyond the range of a double");
    return leat_double(d);
}

/* Behind the digits of an exponent, p is at its 'e'. */
static const char *scan_exponent(struct leat_scan *s, const char *p)
{
    p++;
    if (p < s->end && (*p == '+' || *p == '-'))
        p++;
    if (!is_digit(s, p))
        return leat_scan_fail(s, p, "a number without digits in its exponent");
    while (is_digit(s, p))
        p++;
    return p;
}

/* p is at the point or the exponent of a number that begins at `begin`; `u` are the digits before.
 */
static const char *scan_real(struct leat_scan *s, const char *begin, const char *p, uint64_t u,
                             struct leat_value *v)
{
    const char *fraction = p;

    if (*p == '.') {
        for (fraction = ++p; is_digit(s, p); p++)
            u = u * 10 + (uint64_t)(*p - '0');
        if (p == fraction)
            return leat_scan_fail(s, p, "a number without digits behind the point");
    }
    bool is_short = p - begin <= 16; /* so at most 15 digits, which is exact: one rounding only */
    size_t places = (size_t)(p - fraction);
    if (p < s->end && (*p == 'e' || *p == 'E')) {
        is_short = false;
        p = scan_exponent(s, p);
        if (!p)
            return NULL;
    }
    if (!v)
        return p;
    if (is_short) {
        double d = (double)u / leat_scan_powers[places];
        *v = leat_double(*begin == '-' ? -d : d);
    } else {
        *v = real((struct leat_slice){begin, (size_t)(p - begin)});
    }
    return p;
}

const char *leat_scan_number(struct leat_scan *s, const char *p, struct leat_value *v)
{
    const char *begin = p;
    bool negative = *p == '-', too_big = false;
    uint64_t u = 0;

    p += negative;
    const char *digits = p;
    for (; is_digit(s, p); p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (__builtin_expect(p - digits >= 19, 0) &&
            (u > UINT64_MAX / 10 || u * 10 > UINT64_MAX - digit))
            too_big = true;
        u = u * 10 + digit;
    }
    if (p == digits)
        return leat_scan_fail(s, p, "a number without digits");
    if (*digits == '0' && p - digits > 1)
        return leat_scan_fail(s, digits, "a number that begins with 0");
    if (p < s->end && (*p == '.' || *p == 'e' || *p == 'E'))
        return scan_real(s, begin, p, u, v);
    if (v)
        *v = integer(u, negative, too_big);
    return p;
}

static bool begins(const struct leat_scan *s, const char *p, struct leat_slice word)
{
    return (size_t)(s->end - p) >= word.len && memcmp(p, word.ptr, word.len) == 0;
}

const char *leat_scan_word(struct leat_scan *s, const char *p, struct leat_value *v)
{
    if (begins(s, p, LEAT_LIT("true"))) {
        *v = leat_bool(true);
        return p + 4;
    }
    if (begins(s, p, LEAT_LIT("false"))) {
        *v = leat_bool(false);
        return p + 5;
    }
    if (begins(s, p, LEAT_LIT("null"))) {
        *v = (struct leat_value){0};
        return p + 4;
    }
    return leat_scan_fail(s, p, p == s->end ? "the text ends too early" : "expected a value");
}

/* --- any value --- */

static const char *skip_object(struct leat_scan *s, const char *p, uint32_t depth)
{
    for (bool first = true;; first = false) {
        struct leat_slice key;
        bool escaped;
        p = leat_scan_key(s, p, first, &key, &escaped);
        if (!p || !key.ptr)
            return p;
        p = leat_scan_skip(s, p, depth);
        if (!p)
            return NULL;
    }
}

static const char *skip_list(struct leat_scan *s, const char *p, uint32_t depth)
{
    p = leat_scan_blank(s, p);
    if (p < s->end && *p == ']')
        return p + 1;
    for (;;) {
        p = leat_scan_skip(s, p, depth);
        if (!p)
            return NULL;
        p = leat_scan_blank(s, p);
        if (p < s->end && *p == ']')
            return p + 1;
        if (p == s->end || *p != ',')
            return leat_scan_fail(s, p, "expected ',' or ']'");
        p = leat_scan_blank(s, p + 1);
    }
}

const char *leat_scan_skip(struct leat_scan *s, const char *p, uint32_t depth)
{
    struct leat_value ignored;
    bool escaped;

    if (p == s->end)
        return leat_scan_fail(s, p, "the text ends too early");
    if (*p == '"')
        return leat_scan_string(s, p, &escaped);
    if (*p == '-' || is_digit(s, p))
        return leat_scan_number(s, p, NULL);
    if (*p != '{' && *p != '[')
        return leat_scan_word(s, p, &ignored);
    if (depth == LEAT_JSON_DEPTH)
        return leat_scan_fail(s, p, "nested too deeply");
    return *p == '{' ? skip_object(s, p + 1, depth + 1) : skip_list(s, p + 1, depth + 1);
}

struct leat_value leat_scan_error(const struct leat_scan *s, struct leat_arena *arena)
{
    char text[160];

    if (s->no_memory)
        return leat_value_fail(LEAT_V_BUDGET, "out of memory");
    int n = snprintf(text, sizeof text, "not JSON at byte %" PRIu64 ": %s",
                     (uint64_t)(s->at - s->begin), s->why);
    struct leat_slice copy = leat_arena_copy(arena, (struct leat_slice){text, (size_t)n});
    struct leat_value v = leat_value_fail(LEAT_V_SYNTAX, copy.ptr ? copy.ptr : "not JSON");
    return v;
}
