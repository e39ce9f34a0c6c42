/*
 * json_scan.h - the steps that every walk over JSON text is made of; for json_*.c only.
 *
 * Each takes the place where something begins and gives the place behind it, or NULL after noting
 * what is wrong and where. Nothing is read at or behind `end`: text lies in blocks, without
 * padding. What a step let pass is RFC 8259 with checked UTF-8, so it may be passed on as it is.
 * Recursion is as deep as LEAT_JSON_DEPTH.
 */
#ifndef LEAT_DATA_JSON_SCAN_H
#define LEAT_DATA_JSON_SCAN_H

#include "data/json.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct leat_scan {
    const char *begin, *end;
    const char *at;  /* where it failed */
    const char *why; /* constant text; NULL: nothing has failed */
    bool no_memory;  /* that was the reason */
};

extern const double leat_scan_powers[23]; /* of ten: those that a double holds exactly */

/* Notes the failure; returns NULL. */
const char *leat_scan_fail(struct leat_scan *s, const char *at, const char *why);

/* Behind any one value that begins at p, at this depth (0: the text's own). */
const char *leat_scan_skip(struct leat_scan *s, const char *p, uint32_t depth);

/* Behind a number that begins at p (a digit or '-'). v: what it is; NULL: nobody asks. */
const char *leat_scan_number(struct leat_scan *s, const char *p, struct leat_value *v);

/* p is at 't', 'f' or 'n'. */
const char *leat_scan_word(struct leat_scan *s, const char *p, struct leat_value *v);

/* p is at a backslash; gives the place behind the escape. */
const char *leat_scan_escape(struct leat_scan *s, const char *p);

/* Text of a string with escapes that was scanned, as a string in arena; LEAT_V_BUDGET when that is
 * full. Lone surrogates become U+FFFD. */
struct leat_value leat_scan_unescape(struct leat_slice raw, struct leat_arena *arena);

/* As skip, and build the value: lists with their items, objects as LEAT_RECORD of raw text, or with
 * `maps` as LEAT_MAP all the way down (duplicate names: the first one's place, the last one's
 * value). */
const char *leat_scan_value(struct leat_scan *s, const char *p, uint32_t depth, bool maps,
                            struct leat_arena *arena, struct leat_value *v);

/* An object's checked text as a LEAT_RECORD without fields of its own. */
struct leat_value leat_scan_record(struct leat_slice object, struct leat_arena *arena);

/* "not JSON at byte 17: ..." (or that memory is out), text in arena. */
struct leat_value leat_scan_error(const struct leat_scan *s, struct leat_arena *arena);

static inline const char *leat_scan_blank(const struct leat_scan *s, const char *p)
{
    while (p < s->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* Which of 16 bytes end a run of plain string text (quote, backslash, control characters), and
 * which are beyond ASCII; bit 0 is the first byte. */
struct leat_scan_bits {
    uint32_t stop, high;
};

static inline struct leat_scan_bits leat_scan_16(const char *p)
{
#ifdef __SSE2__
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i slash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v);
    __m128i stop = _mm_or_si128(_mm_or_si128(quote, slash), control);
    return (struct leat_scan_bits){(uint32_t)_mm_movemask_epi8(stop),
                                   (uint32_t)_mm_movemask_epi8(v)};
#else
    struct leat_scan_bits bits = {0};
    for (uint32_t i = 0; i < 16; i++) {
        unsigned char c = (unsigned char)p[i];
        bits.stop |= (uint32_t)(c == '"' || c == '\\' || c < 0x20) << i;
        bits.high |= (uint32_t)(c >> 7) << i;
    }
    return bits;
#endif
}

/* The next byte at or behind p that ends a run of plain text, or `end`. Above 0 in *high: there
 * were bytes beyond ASCII. */
static inline const char *leat_scan_plain(const struct leat_scan *s, const char *p, uint32_t *high)
{
    struct leat_scan_bits bits;

    for (; s->end - p >= 16; p += 16) {
        bits = leat_scan_16(p);
        if (bits.stop) {
            uint32_t n = (uint32_t)__builtin_ctz(bits.stop);
            *high |= bits.high & ((1u << n) - 1);
            return p + n;
        }
        *high |= bits.high;
    }
    if (s->end - s->begin >= 16) { /* the last 16 bytes once more, without those before p */
        uint32_t seen = 16 - (uint32_t)(s->end - p);
        bits = leat_scan_16(s->end - 16);
        bits.stop >>= seen;
        bits.high >>= seen;
        uint32_t n = bits.stop ? (uint32_t)__builtin_ctz(bits.stop) : 16 - seen;
        *high |= bits.high & ((1u << n) - 1);
        return p + n;
    }
    for (; p < s->end; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\' || c < 0x20)
            break;
        *high |= c >> 7;
    }
    return p;
}

/* p is at the opening quote. Gives the place behind the closing one; *escaped is set when there are
 * escapes between them. */
static inline const char *leat_scan_string(struct leat_scan *s, const char *p, bool *escaped)
{
    const char *text = ++p;
    uint32_t high = 0;

    for (;;) {
        p = leat_scan_plain(s, p, &high);
        if (__builtin_expect(p == s->end, 0))
            return leat_scan_fail(s, p, "a string without an end");
        if (__builtin_expect(*p == '"', 1))
            break;
        if (*p != '\\')
            return leat_scan_fail(s, p, "a control character in a string");
        *escaped = true;
        p = leat_scan_escape(s, p);
        if (!p)
            return NULL;
    }
    if (__builtin_expect(high != 0, 0) && !leat_utf8_valid(text, p))
        return leat_scan_fail(s, text, "a string that is not UTF-8");
    return p + 1;
}

/* A string as a value: p and the place behind it from leat_scan_string(). */
static inline struct leat_value leat_scan_text(const char *p, const char *behind, bool escaped,
                                               struct leat_arena *arena)
{
    struct leat_slice raw = {p + 1, (size_t)(behind - p) - 2};

    return escaped ? leat_scan_unescape(raw, arena) : leat_string(raw);
}

/* p is behind '{' (first) or behind a value: gives the place of the next value, with its key's text
 * (between the quotes) in *key, or, behind the closing brace, sets key->ptr to NULL. */
static inline const char *leat_scan_key(struct leat_scan *s, const char *p, bool first,
                                        struct leat_slice *key, bool *escaped)
{
    key->ptr = NULL;
    *escaped = false;
    p = leat_scan_blank(s, p);
    if (p < s->end && *p == '}')
        return p + 1;
    if (!first) {
        if (p == s->end || *p != ',')
            return leat_scan_fail(s, p, "expected ',' or '}'");
        p = leat_scan_blank(s, p + 1);
    }
    if (p == s->end || *p != '"')
        return leat_scan_fail(s, p, "expected a name in double quotes");
    const char *behind = leat_scan_string(s, p, escaped);
    if (!behind)
        return NULL;
    *key = (struct leat_slice){p + 1, (size_t)(behind - p) - 2};
    p = leat_scan_blank(s, behind);
    if (p == s->end || *p != ':')
        return leat_scan_fail(s, p, "expected ':'");
    return leat_scan_blank(s, p + 1);
}

/* Is this key, as scanned, `name`? */
bool leat_scan_is(struct leat_slice key, bool escaped, struct leat_slice name);

#endif
