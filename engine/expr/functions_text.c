/*
 * functions_text.c - functions of text: CEL's "strings" extension, version 4, and lower, upper,
 * lpad, rpad.
 *
 * Positions and lengths count code points. split, join, replace and reverse are in
 * functions_parts.c, format in functions_format.c.
 *
 * Thread: that of the eval.
 */
#include "expr/call.h"
#include "expr/case_map.h"
#include "expr/utf8.h"

static bool charge_text(struct leat_call *call, struct leat_value text)
{
    return leat_call_charge(call, text.len / 1024);
}

static struct leat_value out_of_range(void)
{
    return call_wrong("index out of range");
}

static struct leat_value call_char_at(struct leat_call *call, const struct leat_value *args,
                                      uint32_t n)
{
    (void)n;
    if (args[0].tag != LEAT_STRING || args[1].tag != LEAT_INT)
        return call_refuse("no such overload: charAt() takes text and an int");
    if (!charge_text(call, args[0]))
        return leat_call_exhausted();
    struct leat_slice s = leat_value_text(args[0]);
    const char *at = utf8_at(s, args[1].as.i);
    if (!at)
        return out_of_range();
    const char *end = s.ptr + s.len;
    return call_text((struct leat_slice){at, at < end ? (size_t)(utf8_next(at, end) - at) : 0});
}

static struct leat_value call_index_of(struct leat_call *call, const struct leat_value *args,
                                       uint32_t n)
{
    if (args[0].tag != LEAT_STRING || args[1].tag != LEAT_STRING ||
        (n > 2 && args[2].tag != LEAT_INT))
        return call_refuse("no such overload: indexOf() takes text, text and an int");
    if (!charge_text(call, args[0]))
        return leat_call_exhausted();
    struct leat_slice s = leat_value_text(args[0]), part = leat_value_text(args[1]);
    int64_t offset = n > 2 ? args[2].as.i : 0;
    const char *from = utf8_at(s, offset);
    if (!from)
        return out_of_range();
    if (!part.len)
        return leat_int(offset);
    const char *hit = memmem(from, (size_t)(s.ptr + s.len - from), part.ptr, part.len);
    if (!hit)
        return leat_int(-1);
    return leat_int(offset + (int64_t)utf8_count((struct leat_slice){from, (size_t)(hit - from)}));
}

/* The last match that begins at character `last` or before it. */
static int64_t last_match(struct leat_slice s, struct leat_slice part, int64_t last)
{
    const char *end = s.ptr + s.len;
    int64_t index = 0, found = -1;

    for (const char *p = s.ptr; index <= last && (size_t)(end - p) >= part.len; index++) {
        if (memcmp(p, part.ptr, part.len) == 0)
            found = index;
        if (p == end)
            break;
        p = utf8_next(p, end);
    }
    return found;
}

static struct leat_value call_last_index_of(struct leat_call *call, const struct leat_value *args,
                                            uint32_t n)
{
    if (args[0].tag != LEAT_STRING || args[1].tag != LEAT_STRING ||
        (n > 2 && args[2].tag != LEAT_INT))
        return call_refuse("no such overload: lastIndexOf() takes text, text and an int");
    if (!charge_text(call, args[0]))
        return leat_call_exhausted();
    struct leat_slice s = leat_value_text(args[0]), part = leat_value_text(args[1]);
    if (n > 2 && !utf8_at(s, args[2].as.i))
        return out_of_range();
    int64_t last = n > 2 ? args[2].as.i : INT64_MAX;
    if (!part.len)
        return leat_int(n > 2 ? last : (int64_t)utf8_count(s));
    return leat_int(last_match(s, part, last));
}

static struct leat_value call_substring(struct leat_call *call, const struct leat_value *args,
                                        uint32_t n)
{
    if (args[0].tag != LEAT_STRING || args[1].tag != LEAT_INT || (n > 2 && args[2].tag != LEAT_INT))
        return call_refuse("no such overload: substring() takes text and one or two ints");
    if (!charge_text(call, args[0]))
        return leat_call_exhausted();
    struct leat_slice s = leat_value_text(args[0]);
    const char *from = utf8_at(s, args[1].as.i);
    const char *to = n > 2 ? utf8_at(s, args[2].as.i) : s.ptr + s.len;
    if (!from || !to || from > to)
        return out_of_range();
    return call_text((struct leat_slice){from, (size_t)(to - from)});
}

static struct leat_value ascii_case(struct leat_call *call, struct leat_value v, char first)
{
    if (v.tag != LEAT_STRING)
        return call_refuse("no such overload: lowerAscii() and upperAscii() take text");
    if (!charge_text(call, v))
        return leat_call_exhausted();
    char *to = leat_arena_alloc(call->arena, v.len + 1);
    if (!to)
        return call_full();
    for (uint32_t i = 0; i < v.len; i++) {
        char c = v.as.text[i];
        to[i] = c >= first && c < first + 26 ? (char)(c ^ 32) : c;
    }
    return call_text((struct leat_slice){to, v.len});
}

static struct leat_value call_lower_ascii(struct leat_call *call, const struct leat_value *args,
                                          uint32_t n)
{
    (void)n;
    return ascii_case(call, args[0], 'A');
}

static struct leat_value call_upper_ascii(struct leat_call *call, const struct leat_value *args,
                                          uint32_t n)
{
    (void)n;
    return ascii_case(call, args[0], 'a');
}

static struct leat_value mapped_case(struct leat_call *call, struct leat_value v,
                                     uint32_t (*map)(uint32_t c))
{
    if (v.tag != LEAT_STRING)
        return call_refuse("no such overload: lower() and upper() take text");
    if (!charge_text(call, v))
        return leat_call_exhausted();
    char *to = leat_arena_alloc(call->arena, v.len + v.len / 2 + 4); /* at most 3 bytes for 2 */
    if (!to)
        return call_full();
    const char *p = v.as.text, *end = p + v.len;
    char *at = to;
    while (p < end) {
        uint32_t len, c = utf8_get(p, end, &len);
        if (c == UTF8_BAD)
            *at++ = *p;
        else
            at += utf8_put(map(c), at);
        p += len;
    }
    return call_text((struct leat_slice){to, (size_t)(at - to)});
}

static struct leat_value call_lower(struct leat_call *call, const struct leat_value *args,
                                    uint32_t n)
{
    (void)n;
    return mapped_case(call, args[0], case_lower);
}

static struct leat_value call_upper(struct leat_call *call, const struct leat_value *args,
                                    uint32_t n)
{
    (void)n;
    return mapped_case(call, args[0], case_upper);
}

/* Unicode's White_Space. */
static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* ASCII, and no white space: what most texts begin and end with. */
static bool is_plain(char c)
{
    return (unsigned char)c > ' ' && (unsigned char)c < 0x80;
}

static struct leat_value call_trim(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    const char *p = args[0].as.text, *end = p + args[0].len;
    uint32_t len;

    (void)n;
    if (args[0].tag != LEAT_STRING)
        return call_refuse("no such overload: trim() takes text");
    if (!charge_text(call, args[0]))
        return leat_call_exhausted();
    while (p < end && !is_plain(*p) && is_space(utf8_get(p, end, &len)))
        p += len;
    while (p < end && !is_plain(end[-1])) {
        const char *last = utf8_before(p, end);
        if (!is_space(utf8_get(last, end, &len)))
            break;
        end = last;
    }
    return call_text((struct leat_slice){p, (size_t)(end - p)});
}

/* `count` characters of fill, over and over. */
static void put_fill(struct call_out *out, struct leat_slice fill, uint64_t count)
{
    uint64_t chars = utf8_count(fill);

    for (; count >= chars && !out->too_large && !out->exhausted; count -= chars)
        call_out_slice(out, fill);
    if (count < chars)
        call_out_put(out, fill.ptr, (size_t)(utf8_at(fill, (int64_t)count) - fill.ptr));
}

static struct leat_value pad(struct leat_call *call, const struct leat_value *args, uint32_t n,
                             bool left)
{
    struct call_out out;

    if (args[0].tag != LEAT_STRING || args[1].tag != LEAT_INT ||
        (n > 2 && args[2].tag != LEAT_STRING))
        return call_refuse("no such overload: lpad() and rpad() take text, an int and text");
    struct leat_slice s = leat_value_text(args[0]);
    struct leat_slice fill = n > 2 ? leat_value_text(args[2]) : LEAT_LIT(" ");
    if (!fill.len)
        return call_wrong("cannot fill up with empty text");
    if (!charge_text(call, args[0]))
        return leat_call_exhausted();
    uint64_t chars = utf8_count(s);
    if (args[1].as.i <= 0 || chars >= (uint64_t)args[1].as.i)
        return args[0];
    uint64_t missing = (uint64_t)args[1].as.i - chars;
    if (missing > CALL_OUT_MAX)
        return call_too_large();
    call_out_start(&out, call);
    if (!left)
        call_out_slice(&out, s);
    put_fill(&out, fill, missing);
    if (left)
        call_out_slice(&out, s);
    return call_out_text(&out);
}

static struct leat_value call_lpad(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    return pad(call, args, n, true);
}

static struct leat_value call_rpad(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    return pad(call, args, n, false);
}

static struct leat_value call_quote(struct leat_call *call, const struct leat_value *args,
                                    uint32_t n)
{
    static const char plain[] = "\a\b\f\n\r\t\v\\\"", escaped[] = "abfnrtv\\\"";
    struct call_out out;

    (void)n;
    if (args[0].tag != LEAT_STRING)
        return call_refuse("no such overload: strings.quote() takes text");
    call_out_start(&out, call);
    call_out_put(&out, "\"", 1);
    const char *p = args[0].as.text, *end = p + args[0].len;
    while (p < end) {
        uint32_t len, c = utf8_get(p, end, &len);
        const char *special = *p ? strchr(plain, *p) : NULL;
        if (special)
            call_out_put(&out, (char[]){'\\', escaped[special - plain]}, 2);
        else if (c == UTF8_BAD)
            call_out_put(&out, "\xef\xbf\xbd", 3);
        else
            call_out_put(&out, p, len);
        p += len;
    }
    call_out_put(&out, "\"", 1);
    return call_out_text(&out);
}

/* clang-format off */
const struct leat_function leat_functions_text[] = {
    {.name = "charAt", .form = CALL_BOTH, .overloads = "SI>S", .call = call_char_at,
     .signature = "text.charAt(i)",
     .help = "Character i of the text, from 0; behind the last one the empty text."},
    {.name = "indexOf", .form = CALL_BOTH, .overloads = "SS>I SSI>I", .call = call_index_of,
     .signature = "text.indexOf(part), text.indexOf(part, from)",
     .help = "Where the part begins, at or behind character `from`; -1 when it is not there."},
    {.name = "lastIndexOf", .form = CALL_BOTH, .overloads = "SS>I SSI>I",
     .call = call_last_index_of,
     .signature = "text.lastIndexOf(part), text.lastIndexOf(part, from)",
     .help = "Where the part begins for the last time, at or before character `from`; or -1."},
    {.name = "substring", .form = CALL_BOTH, .overloads = "SI>S SII>S", .call = call_substring,
     .signature = "text.substring(from), text.substring(from, to)",
     .help = "The characters from `from` on, up to but without `to`."},
    {.name = "lowerAscii", .form = CALL_BOTH, .overloads = "S>S", .call = call_lower_ascii,
     .signature = "text.lowerAscii()", .help = "A-Z become a-z, all else stays."},
    {.name = "upperAscii", .form = CALL_BOTH, .overloads = "S>S", .call = call_upper_ascii,
     .signature = "text.upperAscii()", .help = "a-z become A-Z, all else stays."},
    {.name = "lower", .form = CALL_BOTH, .overloads = "S>S", .call = call_lower,
     .signature = "text.lower()",
     .help = "Lower case of Latin, Greek and Cyrillic letters, one character for one (Unicode's "
             "simple mapping, the same in every language); other scripts stay."},
    {.name = "upper", .form = CALL_BOTH, .overloads = "S>S", .call = call_upper,
     .signature = "text.upper()",
     .help = "Upper case of Latin, Greek and Cyrillic letters, one character for one (Unicode's "
             "simple mapping, so \xc3\x9f stays); other scripts stay."},
    {.name = "trim", .form = CALL_BOTH, .overloads = "S>S", .call = call_trim,
     .signature = "text.trim()", .help = "Without white space (Unicode's) at both ends."},
    {.name = "lpad", .form = CALL_BOTH, .overloads = "SI>S SIS>S", .call = call_lpad,
     .signature = "text.lpad(n), text.lpad(n, fill)",
     .help = "Filled up on the left to n characters, with blanks or `fill`; longer text stays."},
    {.name = "rpad", .form = CALL_BOTH, .overloads = "SI>S SIS>S", .call = call_rpad,
     .signature = "text.rpad(n), text.rpad(n, fill)",
     .help = "Filled up on the right to n characters, with blanks or `fill`; longer text stays."},
    {.name = "split", .form = CALL_BOTH, .overloads = "SS>L SSI>L", .call = fn_split,
     .signature = "text.split(separator), text.split(separator, limit)",
     .help = "The parts between separators; at most `limit` of them, the last one with the rest. "
             "An empty separator splits into characters."},
    {.name = "join", .form = CALL_BOTH, .overloads = "L>S LS>S", .call = fn_join,
     .signature = "list.join(), list.join(separator)",
     .help = "The texts of the list, one behind the other, the separator between them."},
    {.name = "replace", .form = CALL_BOTH, .overloads = "SSS>S SSSI>S", .call = fn_replace,
     .signature = "text.replace(old, new), text.replace(old, new, limit)",
     .help = "With `new` in place of every `old`, or of the first `limit`."},
    {.name = "reverse", .form = CALL_BOTH, .overloads = "S>S L>L", .call = fn_reverse,
     .signature = "text.reverse(), list.reverse()",
     .help = "The characters or the items from the last to the first."},
    {.name = "strings.quote", .form = LEAT_FN_GLOBAL, .overloads = "S>S", .call = call_quote,
     .signature = "strings.quote(text)",
     .help = "In double quotes, special characters escaped, safe to print."},
    {.name = "format", .form = LEAT_FN_MEMBER, .overloads = "SL>S T>S TS>S TSS>S",
     .call = fn_format, .check = fn_check_format, .prepare = call_prepare_zone, .constant_arg = 2,
     .signature = "text.format(list), time.format(pattern), time.format(pattern, zone)",
     .help = "Text with %s %d %f %e %b %o %x %X (%.2f: with precision) replaced by the list's items; or a "
             "time by a pattern: %Y %m %d %H %M %S %f %j %a %b %p %z %Z %s %F %T, in UTC or a zone; "
             "without a pattern RFC 3339."},
    {0},
};
/* clang-format on */
