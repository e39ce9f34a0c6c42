/* json_write.c - values to JSON text. */
#include "data/json_scan.h"
#include "data/time_text.h"

/* Writes straight into the free room of `into`, whose length is set where it grows and at the end.
 */
struct writer {
    struct leat_bytes *into;
    char *at, *end;
    struct leat_value *why;
};

static bool refuse(const struct writer *w, enum leat_value_error code, const char *why)
{
    *w->why = leat_value_fail(code, why);
    return false;
}

static void begin(struct writer *w)
{
    if (!w->into->ptr)
        return;
    w->at = w->into->ptr + w->into->len;
    w->end = w->into->ptr + w->into->room;
}

static void finish(struct writer *w)
{
    if (w->at)
        w->into->len = (size_t)(w->at - w->into->ptr);
}

static __attribute__((noinline)) bool grow(struct writer *w, size_t len)
{
    if (w->into->failed)
        return false;
    finish(w);
    if (!leat_bytes_reserve(w->into, len))
        return false;
    begin(w);
    return true;
}

/* Is there room for len bytes? When there is not, into->failed says so in the end. */
static inline bool has_room(struct writer *w, size_t len)
{
    return __builtin_expect((size_t)(w->end - w->at) >= len, 1) || grow(w, len);
}

static inline void put_char(struct writer *w, char c)
{
    if (has_room(w, 1))
        *w->at++ = c;
}

static inline void put(struct writer *w, const char *text, size_t len)
{
    if (len && has_room(w, len)) {
        memcpy(w->at, text, len);
        w->at += len;
    }
}

static void put_slice(struct writer *w, struct leat_slice s)
{
    put(w, s.ptr, s.len);
}

static void put_escape(struct writer *w, unsigned char c)
{
    static const char hex[] = "0123456789abcdef", meant[] = "\"\\\b\f\n\r\t", name[] = "\"\\bfnrt";
    const char *found = c ? strchr(meant, c) : NULL;

    if (!has_room(w, 6))
        return;
    *w->at++ = '\\';
    if (found) {
        *w->at++ = name[found - meant];
        return;
    }
    memcpy(w->at, "u00", 3);
    w->at[3] = hex[c >> 4];
    w->at[4] = hex[c & 15];
    w->at += 5;
}

/* Above 0: among 8 bytes is one that is not plain ASCII, or a quote or backslash. (A. Mycroft's
 * test for a zero byte, 1987; a wrong positive only costs time.) */
static inline uint64_t is_special(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones * 0x80;
    uint64_t quote = word ^ ones * '"', slash = word ^ ones * '\\';

    return (word | (word - ones * 0x20) | (quote - ones) | (slash - ones)) & tops;
}

/* The first and the last 8 (4) of up to 16 (8) bytes, which may overlap. False: look closer. */
static inline bool put_short(struct writer *w, const char *text, size_t len)
{
    uint64_t first = 0, last = 0;

    if (len >= 8) {
        memcpy(&first, text, 8);
        memcpy(&last, text + len - 8, 8);
        if (is_special(first) | is_special(last))
            return false;
        memcpy(w->at, &first, 8);
        memcpy(w->at + len - 8, &last, 8);
    } else if (len >= 4) {
        memcpy(&first, text, 4);
        memcpy(&last, text + len - 4, 4);
        if (is_special(first | last << 32))
            return false;
        memcpy(w->at, &first, 4);
        memcpy(w->at + len - 4, &last, 4);
    } else {
        for (size_t i = 0; i < len; i++) {
            unsigned char c = (unsigned char)text[i];
            if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
                return false;
            w->at[i] = (char)c;
        }
    }
    w->at += len;
    return true;
}

static bool write_string(struct writer *w, struct leat_slice text)
{
    struct leat_scan s = {.begin = text.ptr, .end = text.ptr + text.len};
    const char *p = text.ptr;
    uint32_t high = 0;

    if (!has_room(w, text.len + 2))
        return true; /* into->failed */
    *w->at++ = '"';
    if (text.len <= 16 && put_short(w, p, text.len)) {
        *w->at++ = '"';
        return true;
    }
    for (;;) {
        const char *stop = leat_scan_plain(&s, p, &high);
        put(w, p, (size_t)(stop - p));
        if (stop == s.end)
            break;
        put_escape(w, (unsigned char)*stop);
        p = stop + 1;
    }
    put_char(w, '"');
    if (high && !leat_utf8_valid(text.ptr, s.end))
        return refuse(w, LEAT_V_SYNTAX, "a string that is not UTF-8 cannot be written as JSON");
    return true;
}

static void write_base64(struct writer *w, struct leat_slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)bytes.ptr;

    put_char(w, '"');
    for (size_t left = bytes.len; left; left -= left < 3 ? left : 3, p += 3) {
        uint32_t three = (uint32_t)p[0] << 16 | (left > 1 ? (uint32_t)p[1] << 8 : 0) |
                         (left > 2 ? (uint32_t)p[2] : 0);
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63],
                        left > 1 ? digits[three >> 6 & 63] : '=',
                        left > 2 ? digits[three & 63] : '='};
        put(w, four, sizeof four);
        if (left <= 3)
            break;
    }
    put_char(w, '"');
}

static bool write_double(struct writer *w, double d)
{
    if (d - d != 0)
        return refuse(w, LEAT_V_ARGUMENT,
                      d != d ? "JSON has no NaN" : "JSON has no infinite numbers");
    if (has_room(w, 32))
        w->at += leat_double_text(d, w->at);
    return true;
}

static void write_time(struct writer *w, struct leat_value v)
{
    char text[LEAT_TIME_TEXT_BYTES + 2];
    size_t n = v.tag == LEAT_TIMESTAMP ? leat_timestamp_text(v, text + 1)
                                       : leat_duration_text(v, text + 1);

    text[0] = text[n + 1] = '"';
    put(w, text, n + 2);
}

static void write_number(struct writer *w, struct leat_value v)
{
    if (has_room(w, 24))
        w->at += v.tag == LEAT_INT ? leat_int_text(v.as.i, w->at) : leat_uint_text(v.as.u, w->at);
}

/* Checked text on one line: blanks outside of strings go where it has line breaks. */
static void write_raw(struct writer *w, struct leat_slice raw)
{
    const char *p = raw.ptr, *end = raw.ptr + raw.len;
    bool in_string = false;

    if (!memchr(p, '\n', raw.len) && !memchr(p, '\r', raw.len)) {
        put_slice(w, raw);
        return;
    }
    for (const char *from = p; p < end;) {
        bool blank = !in_string && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t');
        if (*p == '"')
            in_string = !in_string;
        p += *p == '\\' ? 2 : 1; /* in strings only, and never at their end */
        if (blank || p >= end) {
            put(w, from, (size_t)(p - from) - blank);
            from = p;
        }
    }
}

static bool write_value(struct writer *w, struct leat_value v, uint32_t depth);

static bool is_absent(struct leat_value v)
{
    return v.tag == LEAT_ERROR && v.code == LEAT_V_ABSENT;
}

/* A comma unless it is the first, the name, the value; nothing at all for an absent one. */
static bool write_field(struct writer *w, struct leat_slice name, struct leat_value v, bool *first,
                        uint32_t depth)
{
    if (is_absent(v))
        return true;
    if (!*first)
        put_char(w, ',');
    *first = false;
    if (!write_string(w, name))
        return false;
    put_char(w, ':');
    return write_value(w, v, depth);
}

/* The raw text's fields, each replaced by the shape's where that has one; `done` marks those. */
static bool write_overlaid(struct writer *w, const struct leat_record *r, bool *done, bool *first,
                           uint32_t depth)
{
    struct leat_scan s = {.begin = r->raw.ptr, .end = r->raw.ptr + r->raw.len};
    const char *p = leat_scan_blank(&s, s.begin);

    p = p < s.end && *p == '{' ? p + 1 : leat_scan_fail(&s, p, "expected '{'");
    for (bool first_key = true; p; first_key = false) {
        struct leat_slice key;
        bool escaped;
        p = leat_scan_key(&s, p, first_key, &key, &escaped);
        if (!p || !key.ptr)
            break;
        p = leat_scan_skip(&s, p, depth);
        if (!p)
            break;
        uint32_t i = 0;
        while (i < r->shape->count && !leat_scan_is(key, escaped, r->shape->names[i]))
            i++;
        if (i < r->shape->count) {
            if (!done[i] && !write_field(w, r->shape->names[i], r->fields[i], first, depth))
                return false;
            done[i] = true;
            continue;
        }
        if (!*first)
            put_char(w, ',');
        *first = false;
        write_raw(w, (struct leat_slice){key.ptr - 1, (size_t)(p - key.ptr) + 1});
    }
    return p ? true : refuse(w, LEAT_V_SYNTAX, "a record whose text is not JSON");
}

static bool write_record(struct writer *w, const struct leat_record *r, uint32_t depth)
{
    uint32_t n = r->shape->count;
    bool some[64] = {false}, *done = some, first = true;

    if (r->raw.ptr && n == 0) {
        write_raw(w, r->raw);
        return true;
    }
    if (n > 64)
        done = leat_arena_alloc(w->into->arena, n);
    if (!done)
        return refuse(w, LEAT_V_BUDGET, "out of memory");
    put_char(w, '{');
    if (r->raw.ptr && !write_overlaid(w, r, done, &first, depth))
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (!done[i] && !write_field(w, r->shape->names[i], r->fields[i], &first, depth))
            return false;
    put_char(w, '}');
    return true;
}

static bool write_list(struct writer *w, struct leat_value v, uint32_t depth)
{
    put_char(w, '[');
    for (uint32_t i = 0; i < v.len; i++) {
        if (i)
            put_char(w, ',');
        if (!write_value(w, v.as.items[i], depth))
            return false;
    }
    put_char(w, ']');
    return true;
}

static bool write_name(struct writer *w, struct leat_value key)
{
    bool quoted = key.tag == LEAT_STRING || key.tag == LEAT_TIMESTAMP || key.tag == LEAT_DURATION;
    bool plain = key.tag == LEAT_BOOL || key.tag == LEAT_INT || key.tag == LEAT_UINT ||
                 key.tag == LEAT_DOUBLE || key.tag == LEAT_NULL;

    if (!quoted && !plain)
        return refuse(w, LEAT_V_TYPE, "a map key that is no text cannot be written as JSON");
    if (plain)
        put_char(w, '"');
    if (!write_value(w, key, LEAT_JSON_DEPTH))
        return false;
    if (plain)
        put_char(w, '"');
    return true;
}

static bool write_map(struct writer *w, struct leat_value v, uint32_t depth)
{
    bool first = true;

    put_char(w, '{');
    for (uint32_t i = 0; i < v.len; i++) {
        struct leat_value value = v.as.items[2 * i + 1];
        if (is_absent(value))
            continue;
        if (!first)
            put_char(w, ',');
        first = false;
        if (!write_name(w, v.as.items[2 * i]))
            return false;
        put_char(w, ':');
        if (!write_value(w, value, depth))
            return false;
    }
    put_char(w, '}');
    return true;
}

static bool write_value(struct writer *w, struct leat_value v, uint32_t depth)
{
    bool nested = v.tag == LEAT_LIST || v.tag == LEAT_MAP || v.tag == LEAT_RECORD;

    if (nested && depth >= LEAT_JSON_DEPTH)
        return refuse(w, LEAT_V_BUDGET, "nested too deeply for JSON");
    switch ((enum leat_tag)v.tag) {
    case LEAT_NULL:
        put_slice(w, LEAT_LIT("null"));
        return true;
    case LEAT_BOOL:
        put_slice(w, v.as.b ? LEAT_LIT("true") : LEAT_LIT("false"));
        return true;
    case LEAT_INT:
    case LEAT_UINT:
        write_number(w, v);
        return true;
    case LEAT_DOUBLE:
        return write_double(w, v.as.d);
    case LEAT_STRING:
    case LEAT_TYPE:
        return write_string(w, leat_value_text(v));
    case LEAT_BYTES:
        write_base64(w, leat_value_text(v));
        return true;
    case LEAT_TIMESTAMP:
    case LEAT_DURATION:
        write_time(w, v);
        return true;
    case LEAT_LIST:
        return write_list(w, v, depth + 1);
    case LEAT_MAP:
        return write_map(w, v, depth + 1);
    case LEAT_RECORD:
        return write_record(w, v.as.record, depth + 1);
    case LEAT_ERROR:
        break;
    }
    *w->why = v;
    return false;
}

bool leat_json_write(struct leat_value v, struct leat_bytes *into, struct leat_value *why)
{
    struct writer w = {.into = into, .why = why};

    begin(&w);
    if (!has_room(&w, 64)) /* also where there is nothing yet */
        return refuse(&w, LEAT_V_BUDGET, "out of memory");
    bool ok = write_value(&w, v, 0);
    if (into->failed)
        return refuse(&w, LEAT_V_BUDGET, "out of memory");
    finish(&w);
    return ok;
}
