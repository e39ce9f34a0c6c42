/*
 * utf8.h - walks over text by code points.
 *
 * Text may hold bytes that are no UTF-8 (a line of a file): each of them counts as one character,
 * so every walk ends and none leaves the text.
 */
#ifndef LEAT_EXPR_UTF8_H
#define LEAT_EXPR_UTF8_H

#include "base/slice.h"

#include <stdint.h>

#define UTF8_BAD UINT32_MAX /* a byte that is no UTF-8 */

/* The code point at p < end, and its length in bytes (1 for UTF8_BAD). */
static inline uint32_t utf8_get(const char *p, const char *end, uint32_t *len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *b = (const unsigned char *)p;
    uint32_t n, c = b[0];

    *len = 1;
    if (c < 0x80)
        return c;
    n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (c < 0xc2 || c > 0xf4 || end - p < (ptrdiff_t)n)
        return UTF8_BAD;
    c &= 0x7fU >> n;
    for (uint32_t i = 1; i < n; i++) {
        if ((b[i] & 0xc0) != 0x80)
            return UTF8_BAD;
        c = c << 6 | (b[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return UTF8_BAD;
    *len = n;
    return c;
}

static inline const char *utf8_next(const char *p, const char *end)
{
    uint32_t len;

    (void)utf8_get(p, end, &len);
    return p + len;
}

/* The start of the character that ends at p > start. */
static inline const char *utf8_before(const char *start, const char *p)
{
    for (int back = 1; back <= 4 && p - back >= start; back++)
        if (utf8_next(p - back, p) == p && (back > 1 || (p[-1] & 0xc0) != 0x80))
            return p - back;
    return p - 1;
}

static inline uint64_t utf8_count(struct leat_slice s)
{
    const char *end = s.ptr + s.len;
    uint64_t n = 0;

    for (const char *p = s.ptr; p < end; p = utf8_next(p, end))
        n++;
    return n;
}

/* Where character `index` begins; the end for the one behind the last; NULL beyond. */
static inline const char *utf8_at(struct leat_slice s, int64_t index)
{
    const char *p = s.ptr, *end = s.ptr + s.len;

    if (index < 0)
        return NULL;
    for (; index > 0 && p < end; index--)
        p = utf8_next(p, end);
    return index ? NULL : p;
}

static inline uint32_t utf8_put(uint32_t c, char into[4])
{
    if (c < 0x80) {
        into[0] = (char)c;
        return 1;
    }
    uint32_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (uint32_t i = n - 1; i > 0; i--) {
        into[i] = (char)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    into[0] = (char)(lead[n] | c);
    return n;
}

#endif
