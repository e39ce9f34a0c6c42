/*
 * literal.c - numbers and text of an expression become values.
 *
 * As the CEL specification has them: decimal and hexadecimal ints, a `u` behind for uint, doubles;
 * text in one or three quotes of either kind, raw with r, bytes with b. Thread: any.
 */
#include "expr/lex.h"

#include "data/json.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static size_t digits(struct leat_slice text, size_t at)
{
    size_t n = 0;

    while (at + n < text.len && is_digit(text.ptr[at + n]))
        n++;
    return n;
}

static char byte_at(struct leat_slice text, size_t at)
{
    return at < text.len ? text.ptr[at] : '\0';
}

size_t lex_number_length(struct leat_slice text, size_t from)
{
    size_t at = from, n;

    if (byte_at(text, at) == '0' && (byte_at(text, at + 1) | 32) == 'x' &&
        hex_digit(byte_at(text, at + 2)) >= 0) {
        for (at += 2; at < text.len && hex_digit(text.ptr[at]) >= 0;)
            at++;
        return at - from + ((byte_at(text, at) | 32) == 'u');
    }
    at += digits(text, at);
    bool whole = true;
    if (byte_at(text, at) == '.' && (n = digits(text, at + 1)) > 0) {
        at += n + 1;
        whole = false;
    }
    if ((byte_at(text, at) | 32) == 'e') {
        size_t sign = byte_at(text, at + 1) == '+' || byte_at(text, at + 1) == '-';
        if ((n = digits(text, at + 1 + sign)) > 0) {
            at += 1 + sign + n;
            whole = false;
        }
    }
    return at - from + (whole && (byte_at(text, at) | 32) == 'u');
}

static bool too_big(const struct ast_source *s, const struct token *t)
{
    ast_error(s, t->at, t->len, "%.*s does not fit into 64 bits", LEAT_FMT(t->text));
    return false;
}

/* The number's digits in `base`; a token is never longer than the source, overflow is caught. */
static bool read_digits(struct leat_slice digits, unsigned base, uint64_t *u)
{
    *u = 0;
    for (size_t i = 0; i < digits.len; i++)
        if (__builtin_mul_overflow(*u, base, u) ||
            __builtin_add_overflow(*u, (uint64_t)hex_digit(digits.ptr[i]), u))
            return false;
    return true;
}

/* CEL allows "007.5", ".5" and "5.", JSON none of them. */
double lex_read_double(struct leat_slice text)
{
    char copy[64];
    size_t n = 0;

    while (text.len > 1 && text.ptr[0] == '0' && is_digit(text.ptr[1]))
        text = (struct leat_slice){text.ptr + 1, text.len - 1};
    const char *point = memchr(text.ptr, '.', text.len);
    bool bare =
        point && (point == text.ptr || point + 1 == text.ptr + text.len || !is_digit(point[1]));
    if (!bare || text.len > sizeof copy - 2)
        return leat_double_parse(text);
    if (point == text.ptr)
        copy[n++] = '0';
    for (size_t i = 0; i < text.len; i++) {
        bool lone = text.ptr[i] == '.' && (i + 1 == text.len || !is_digit(text.ptr[i + 1]));
        if (!lone)
            copy[n++] = text.ptr[i];
    }
    return leat_double_parse((struct leat_slice){copy, n});
}

bool lex_number(const struct ast_source *s, struct token *t)
{
    struct leat_slice text = t->text;
    bool hex = text.len > 1 && (text.ptr[1] | 32) == 'x';
    bool is_uint = (text.ptr[text.len - 1] | 32) == 'u';
    uint64_t u;

    text.len -= is_uint;
    if (!hex && (memchr(text.ptr, '.', text.len) || memchr(text.ptr, 'e', text.len) ||
                 memchr(text.ptr, 'E', text.len))) {
        t->value = leat_double(lex_read_double(text));
        return true;
    }
    if (hex)
        text = (struct leat_slice){text.ptr + 2, text.len - 2};
    if (!read_digits(text, hex ? 16 : 10, &u))
        return too_big(s, t);
    if (is_uint) {
        t->value = (struct leat_value){.tag = LEAT_UINT, .as.u = u};
        return true;
    }
    t->lowest = u == (uint64_t)INT64_MAX + 1;
    if (u > INT64_MAX && !t->lowest)
        return too_big(s, t);
    t->value = leat_int((int64_t)u);
    return true;
}

/* The letters before the quote; *raw, *bytes. */
static size_t prefix(struct leat_slice text, size_t at, bool *raw, bool *bytes)
{
    size_t n = 0;

    *bytes = (byte_at(text, at) | 32) == 'b';
    n += *bytes;
    *raw = (byte_at(text, at + n) | 32) == 'r';
    return n + *raw;
}

static size_t quote_length(struct leat_slice text, size_t at)
{
    char q = text.ptr[at];

    return byte_at(text, at + 1) == q && byte_at(text, at + 2) == q ? 3 : 1;
}

static bool closes(struct leat_slice text, size_t at, char quote, size_t n)
{
    if (text.len - at < n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (text.ptr[at + i] != quote)
            return false;
    return true;
}

size_t lex_string_length(struct leat_slice text, size_t from)
{
    bool raw, bytes;
    size_t at = from + prefix(text, from, &raw, &bytes);
    size_t n = quote_length(text, at);
    char quote = text.ptr[at];

    for (at += n; at < text.len; at++) {
        char c = text.ptr[at];
        if (closes(text, at, quote, n))
            return at + n - from;
        if (n == 1 && (c == '\n' || c == '\r'))
            return 0;
        at += c == '\\' && !raw;
    }
    return 0;
}

static size_t put_utf8(char *into, uint32_t c)
{
    if (c < 0x80) {
        into[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        into[0] = (char)(0xc0 | c >> 6);
        into[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        into[0] = (char)(0xe0 | c >> 12);
        into[1] = (char)(0x80 | (c >> 6 & 63));
        into[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    into[0] = (char)(0xf0 | c >> 18);
    into[1] = (char)(0x80 | (c >> 12 & 63));
    into[2] = (char)(0x80 | (c >> 6 & 63));
    into[3] = (char)(0x80 | (c & 63));
    return 4;
}

/* How many digits follow the letter of a numeric escape, and in which base. 0: no such escape. */
static size_t escape_digits(char letter, bool bytes, unsigned *base)
{
    *base = 16;
    if (letter == 'x' || letter == 'X')
        return 2;
    if ((letter == 'u' || letter == 'U') && !bytes)
        return letter == 'u' ? 4 : 8;
    *base = 8;
    return letter >= '0' && letter <= '3' ? 3 : 0;
}

/* in: behind the backslash. Writes what it stands for; returns how much of `in` was read, 0: wrong.
 */
static size_t unescape(struct leat_slice in, bool bytes, char *out, size_t *written)
{
    static const char letters[] = "abfnrtv\\?\"'`";
    static const char meanings[] = "\a\b\f\n\r\t\v\\?\"'`";
    const char *simple = in.len && *in.ptr ? strchr(letters, *in.ptr) : NULL;
    unsigned base = 0;
    uint32_t code = 0;

    *written = 1;
    if (simple) {
        *out = meanings[simple - letters];
        return 1;
    }
    size_t n = in.len ? escape_digits(*in.ptr, bytes, &base) : 0;
    size_t skip = base == 16;
    if (n == 0 || in.len < n + skip)
        return 0;
    for (size_t i = 0; i < n; i++) {
        int digit = hex_digit(in.ptr[skip + i]);
        if (digit < 0 || (unsigned)digit >= base)
            return 0;
        code = code * base + (unsigned)digit;
    }
    if (bytes)
        *out = (char)code;
    else if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    else
        *written = put_utf8(out, code);
    return n + skip;
}

bool lex_string(const struct ast_source *s, struct token *t)
{
    bool raw, bytes;
    size_t begin = prefix(t->text, 0, &raw, &bytes);
    size_t n = quote_length(t->text, begin);
    size_t at = begin + n, end = t->text.len - n, used = 0;
    struct leat_slice body = {t->text.ptr + at, end - at};

    t->value = leat_string(body);
    t->value.tag = bytes ? LEAT_BYTES : LEAT_STRING;
    if (raw || !memchr(body.ptr, '\\', body.len))
        return true;
    /* What an escape stands for is never longer than the escape. */
    char *out = leat_arena_alloc(s->arena, body.len + 4);
    if (!out)
        return ast_no_memory(s) != NULL;
    while (at < end) {
        size_t written;
        if (t->text.ptr[at] != '\\') {
            out[used++] = t->text.ptr[at++];
            continue;
        }
        struct leat_slice rest = {t->text.ptr + at + 1, end - at - 1};
        size_t read = unescape(rest, bytes, out + used, &written);
        if (read == 0) {
            struct leat_diag *d = ast_error(s, t->at + at, rest.len ? 2 : 1, "unknown escape");
            leat_diag_hint(s->diags, d, "a backslash is written \\\\, or r'...' around the text");
            return false;
        }
        used += written;
        at += 1 + read;
    }
    t->value.as.text = out;
    t->value.len = (uint32_t)used;
    return true;
}

static size_t sequence_length(const unsigned char *p, size_t left)
{
    unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : *p >= 0xe0 && *p < 0xf0 ? 3 : 0;
    unsigned code;

    if (*p >= 0xf0 && *p < 0xf5)
        n = 4;
    if (n < 2 || n > left)
        return n > left ? 0 : n;
    code = *p & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 63);
    }
    return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

bool lex_is_utf8(struct leat_slice text, size_t *bad)
{
    for (size_t at = 0, n; at < text.len; at += n) {
        n = sequence_length((const unsigned char *)text.ptr + at, text.len - at);
        if (n == 0) {
            *bad = at;
            return false;
        }
    }
    return true;
}
