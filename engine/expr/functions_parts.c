/*
 * functions_parts.c - functions that take text apart and put it together: split, join, replace,
 * reverse.
 *
 * Thread: that of the eval.
 */
#include "expr/call.h"
#include "expr/utf8.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static bool is_text_and_text(const struct leat_value *args)
{
    return args[0].tag == LEAT_STRING && args[1].tag == LEAT_STRING;
}

/* The next separator at or behind p; an empty one is behind each character. NULL: no more. */
static const char *next_separator(const char *p, const char *end, struct leat_slice separator)
{
    if (separator.len)
        return memmem(p, (size_t)(end - p), separator.ptr, separator.len);
    const char *next = p < end ? utf8_next(p, end) : end;
    return next < end ? next : NULL;
}

static uint64_t count_parts(struct leat_slice s, struct leat_slice separator, uint64_t most)
{
    const char *p = s.ptr, *end = p + s.len, *hit;
    uint64_t n = 1;

    while (n < most && (hit = next_separator(p, end, separator)) != NULL) {
        p = hit + separator.len;
        n++;
    }
    return n;
}

/* A bit for each of the next `n` (1 to 64) bytes that is c, the first one lowest. */
static inline uint64_t find_byte(const char *p, size_t n, char c)
{
    uint64_t found = 0;
    size_t i = 0;

#ifdef __SSE2__
    const __m128i wanted = _mm_set1_epi8(c);
    for (; n - i >= 16; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        found |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted)) << i;
    }
#endif
    for (; i < n; i++)
        found |= (uint64_t)(p[i] == c) << i;
    return found;
}

static uint64_t count_byte(struct leat_slice s, char c)
{
    uint64_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += s.ptr[i] == c;
    return n;
}

/* One item more than there are bytes that are c. */
static void split_at_byte(struct leat_slice s, char c, struct leat_value *items)
{
    const char *from = s.ptr;

    for (size_t at = 0; at < s.len; at += 64) {
        size_t n = s.len - at < 64 ? s.len - at : 64;
        for (uint64_t found = find_byte(s.ptr + at, n, c); found; found &= found - 1) {
            const char *hit = s.ptr + at + __builtin_ctzll(found);
            *items++ = leat_string((struct leat_slice){from, (size_t)(hit - from)});
            from = hit + 1;
        }
    }
    *items = leat_string((struct leat_slice){from, (size_t)(s.ptr + s.len - from)});
}

struct leat_value fn_split(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct leat_value why;

    if (!is_text_and_text(args) || (n > 2 && args[2].tag != LEAT_INT))
        return call_refuse("no such overload: split() takes text, text and an int");
    if (!leat_call_charge(call, args[0].len / 512))
        return leat_call_exhausted();
    struct leat_slice s = leat_value_text(args[0]), separator = leat_value_text(args[1]);
    uint64_t most = n > 2 && args[2].as.i >= 0 ? (uint64_t)args[2].as.i : UINT64_MAX;
    if (most == 0 || (!s.len && !separator.len))
        return call_list(NULL, 0);
    bool by_byte = separator.len == 1 && most == UINT64_MAX;
    uint64_t count = by_byte ? count_byte(s, *separator.ptr) + 1 : count_parts(s, separator, most);
    struct leat_value *items = call_items(call, count, &why);
    if (!items)
        return why;
    if (by_byte && s.len) {
        split_at_byte(s, *separator.ptr, items);
        return call_list(items, (uint32_t)count);
    }
    const char *p = s.ptr, *end = p + s.len;
    for (uint64_t i = 0; i + 1 < count; i++) {
        const char *hit = next_separator(p, end, separator);
        items[i] = call_text((struct leat_slice){p, (size_t)(hit - p)});
        p = hit + separator.len;
    }
    items[count - 1] = call_text((struct leat_slice){p, (size_t)(end - p)});
    return call_list(items, (uint32_t)count);
}

struct leat_value fn_join(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct call_out out;

    if (args[0].tag != LEAT_LIST || (n > 1 && args[1].tag != LEAT_STRING))
        return call_refuse("no such overload: join() takes a list and text");
    if (!leat_call_charge(call, args[0].len))
        return leat_call_exhausted();
    call_out_start(&out, call);
    for (uint32_t i = 0; i < args[0].len; i++) {
        struct leat_value item = args[0].as.items[i];
        if (item.tag != LEAT_STRING)
            return call_refuse("no such overload: join() takes a list of text");
        if (i && n > 1)
            call_out_slice(&out, leat_value_text(args[1]));
        call_out_slice(&out, leat_value_text(item));
    }
    return call_out_text(&out);
}

/* `to` before each character and at the end: what an empty `old` stands for. */
static void put_between(struct call_out *out, struct leat_slice s, struct leat_slice to,
                        uint64_t most)
{
    const char *p = s.ptr, *end = p + s.len;

    for (uint64_t done = 0; done < most && !out->too_large && !out->exhausted; done++) {
        call_out_slice(out, to);
        if (p == end)
            return;
        const char *next = utf8_next(p, end);
        call_out_put(out, p, (size_t)(next - p));
        p = next;
    }
    call_out_put(out, p, (size_t)(end - p));
}

struct leat_value fn_replace(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct call_out out;

    if (!is_text_and_text(args) || args[2].tag != LEAT_STRING || (n > 3 && args[3].tag != LEAT_INT))
        return call_refuse("no such overload: replace() takes text, text, text and an int");
    if (!leat_call_charge(call, args[0].len / 1024))
        return leat_call_exhausted();
    struct leat_slice s = leat_value_text(args[0]), old = leat_value_text(args[1]);
    struct leat_slice to = leat_value_text(args[2]);
    uint64_t most = n > 3 && args[3].as.i >= 0 ? (uint64_t)args[3].as.i : UINT64_MAX;
    if (most == 0)
        return args[0];
    call_out_start(&out, call);
    if (!old.len) {
        put_between(&out, s, to, most);
        return call_out_text(&out);
    }
    const char *p = s.ptr, *end = p + s.len, *hit;
    for (; most && (hit = memmem(p, (size_t)(end - p), old.ptr, old.len)) != NULL; most--) {
        call_out_put(&out, p, (size_t)(hit - p));
        call_out_slice(&out, to);
        p = hit + old.len;
        if (out.too_large || out.exhausted)
            break;
    }
    if (p == s.ptr)
        return args[0];
    call_out_put(&out, p, (size_t)(end - p));
    return call_out_text(&out);
}

static struct leat_value reverse_text(struct leat_call *call, struct leat_value text)
{
    const char *p = text.as.text, *end = p + text.len;

    if (!leat_call_charge(call, text.len / 1024))
        return leat_call_exhausted();
    char *into = leat_arena_alloc(call->arena, text.len + 1);
    if (!into)
        return call_full();
    for (char *to = into + text.len; p < end;) {
        const char *next = utf8_next(p, end);
        to -= next - p;
        memcpy(to, p, (size_t)(next - p));
        p = next;
    }
    return call_text((struct leat_slice){into, text.len});
}

struct leat_value fn_reverse(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct leat_value why;

    (void)n;
    if (args[0].tag == LEAT_STRING)
        return reverse_text(call, args[0]);
    if (args[0].tag != LEAT_LIST)
        return call_refuse("no such overload: reverse() takes text or a list");
    struct leat_value *items = call_items(call, args[0].len, &why);
    if (!items)
        return why;
    for (uint32_t i = 0; i < args[0].len; i++)
        items[i] = args[0].as.items[args[0].len - 1 - i];
    return call_list(items, args[0].len);
}
