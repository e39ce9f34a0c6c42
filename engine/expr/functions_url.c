/*
 * functions_url.c - parseUrl (RFC 3986, appendix B) and parseQuery (as HTML forms write it).
 *
 * Thread: that of the eval.
 */
#include "expr/call.h"
#include "expr/utf8.h"

static struct leat_value text_or_null(struct leat_slice s)
{
    return s.ptr ? call_text(s) : (struct leat_value){0};
}

/* Cut s at the first byte out of `any`; *tail begins with that byte, ptr NULL: there is none. */
static struct leat_slice until(struct leat_slice s, const char *any, struct leat_slice *tail)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] && strchr(any, s.ptr[i])) {
            *tail = (struct leat_slice){s.ptr + i, s.len - i};
            return (struct leat_slice){s.ptr, i};
        }
    *tail = (struct leat_slice){0};
    return s;
}

static struct leat_slice without_first(struct leat_slice s)
{
    return s.ptr ? (struct leat_slice){s.ptr + 1, s.len - 1} : s;
}

struct url {
    struct leat_slice scheme, user, host, port, path, query, fragment;
};

static bool is_scheme(struct leat_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.')))
            return false;
    }
    return s.len > 0;
}

/* user@host:port, where the host may be [::1] */
static void take_authority(struct leat_slice s, struct url *u)
{
    const char *at = s.len ? memrchr(s.ptr, '@', s.len) : NULL;
    struct leat_slice tail;

    if (at) {
        u->user = (struct leat_slice){s.ptr, (size_t)(at - s.ptr)};
        s = (struct leat_slice){at + 1, s.len - u->user.len - 1};
    }
    if (s.len && *s.ptr == '[') {
        (void)until(s, "]", &tail);
        size_t n = tail.ptr ? (size_t)(tail.ptr - s.ptr) + 1 : s.len;
        u->host = (struct leat_slice){s.ptr, n};
        s = (struct leat_slice){s.ptr + n, s.len - n};
        (void)until(s, ":", &tail);
    } else {
        u->host = until(s, ":", &tail);
    }
    u->port = without_first(tail);
}

static struct url split_url(struct leat_slice s)
{
    struct url u = {0};
    struct leat_slice tail;

    struct leat_slice head = until(s, ":/?#", &tail);
    if (tail.ptr && *tail.ptr == ':' && is_scheme(head)) {
        u.scheme = head;
        s = without_first(tail);
    }
    s = until(s, "#", &tail);
    u.fragment = without_first(tail);
    s = until(s, "?", &tail);
    u.query = without_first(tail);
    if (s.len >= 2 && s.ptr[0] == '/' && s.ptr[1] == '/') {
        s = (struct leat_slice){s.ptr + 2, s.len - 2};
        take_authority(until(s, "/", &tail), &u);
        s = tail.ptr ? tail : LEAT_LIT("");
    }
    u.path = s;
    return u;
}

/* Digits up to 65535. */
static bool port_number(struct leat_slice s, struct leat_value *port)
{
    int64_t n = 0;

    *port = (struct leat_value){0};
    if (!s.len)
        return true;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9' || n > 65535)
            return false;
        n = n * 10 + (s.ptr[i] - '0');
    }
    *port = leat_int(n);
    return n <= 65535;
}

struct leat_value fn_parse_url(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct leat_value why, port;

    (void)n;
    if (args[0].tag != LEAT_STRING)
        return call_refuse("no such overload: parseUrl() takes text");
    if (!leat_call_charge(call, args[0].len / 256))
        return leat_call_exhausted();
    struct url u = split_url(leat_value_text(args[0]));
    if (!port_number(u.port, &port))
        return leat_value_fail(LEAT_V_SYNTAX, "the port of the URL is no number up to 65535");
    const struct {
        const char *name;
        struct leat_value value;
    } parts[] = {
        {"scheme", text_or_null(u.scheme)},     {"user", text_or_null(u.user)},
        {"host", text_or_null(u.host)},         {"port", port},
        {"path", text_or_null(u.path)},         {"query", text_or_null(u.query)},
        {"fragment", text_or_null(u.fragment)},
    };
    uint32_t count = sizeof parts / sizeof *parts;
    struct leat_value *entries = call_items(call, (uint64_t)2 * count, &why);
    if (!entries)
        return why;
    for (uint32_t i = 0; i < count; i++) {
        entries[2 * i] = leat_string(leat_slice_str(parts[i].name));
        entries[2 * i + 1] = parts[i].value;
    }
    return (struct leat_value){.tag = LEAT_MAP, .len = count, .as.items = entries};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_utf8(struct leat_slice s)
{
    const char *p = s.ptr, *end = p + s.len;
    uint32_t len;

    for (; p < end; p += len)
        if (utf8_get(p, end, &len) == UTF8_BAD)
            return false;
    return true;
}

/* '+' is a blank, %41 is A; a '%' without two digits is itself. What would be no UTF-8 stays as it
 * is written. */
static struct leat_slice decode(struct leat_slice s, char *into)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        int high = s.len - i > 2 ? hex_digit(s.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s.ptr[i + 2]) : -1;
        char c = s.ptr[i];
        if (c == '%' && low >= 0) {
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        into[n++] = c;
    }
    struct leat_slice decoded = {into, n};
    return is_utf8(decoded) ? decoded : s;
}

/* Put one entry, over the one of the same name where there is one. */
static uint32_t put_entry(struct leat_value *entries, uint32_t count, struct leat_slice name,
                          struct leat_slice value)
{
    uint32_t at = 0;

    while (at < count && !leat_slice_eq(leat_value_text(entries[2 * at]), name))
        at++;
    entries[2 * at] = call_text(name);
    entries[2 * at + 1] = call_text(value);
    return at == count ? count + 1 : count;
}

struct leat_value fn_parse_query(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct leat_slice s = leat_value_text(args[0]), part, name, value;
    struct leat_value why;
    uint64_t parts = 1;
    uint32_t count = 0;

    (void)n;
    if (args[0].tag != LEAT_STRING)
        return call_refuse("no such overload: parseQuery() takes text");
    if (s.len && *s.ptr == '?')
        s = without_first(s);
    for (size_t i = 0; i < s.len; i++)
        parts += s.ptr[i] == '&';
    if (!leat_call_charge(call, s.len / 256 + parts * parts / 16))
        return leat_call_exhausted();
    struct leat_value *entries = call_items(call, 2 * parts, &why);
    char *into = leat_arena_alloc(call->arena, s.len + 1);
    if (!entries || !into)
        return entries ? call_full() : why;
    while (s.len) {
        (void)leat_slice_cut(s, '&', &part, &s);
        if (!part.len)
            continue;
        (void)leat_slice_cut(part, '=', &name, &value);
        char *behind = into + name.len;
        name = decode(name, into);
        into = behind + value.len;
        value = decode(value, behind);
        count = put_entry(entries, count, name, value);
    }
    return (struct leat_value){.tag = LEAT_MAP, .len = count, .as.items = entries};
}
