/*
 * lex.c - splits an expression into tokens.
 *
 * No token is longer than the source and none is copied, except strings with escapes. Thread: any,
 * a lexer belongs to one.
 */
#include "expr/lex.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool starts_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static void skip_blanks(struct lexer *l)
{
    struct leat_slice text = l->source->text;

    for (;; l->at++) {
        while (l->at < text.len && is_blank(text.ptr[l->at]))
            l->at++;
        if (l->at + 1 >= text.len || text.ptr[l->at] != '/' || text.ptr[l->at + 1] != '/')
            return;
        while (l->at < text.len && text.ptr[l->at] != '\n')
            l->at++;
        if (l->at == text.len)
            return;
    }
}

/* A quote, or letters that say how the string is meant and a quote: r b br, in any case. */
static bool starts_string(const char *p, size_t left)
{
    size_t i = 0;

    if (i < left && (p[i] == 'b' || p[i] == 'B'))
        i++;
    if (i < left && (p[i] == 'r' || p[i] == 'R'))
        i++;
    return i < left && (p[i] == '"' || p[i] == '\'');
}

static size_t mark_length(const char *p, size_t left)
{
    static const char *const two[] = {"<=", ">=", "==", "!=", "&&", "||"};

    for (size_t i = 0; i < sizeof two / sizeof *two; i++)
        if (left >= 2 && memcmp(p, two[i], 2) == 0)
            return 2;
    return memchr("()[]{}.,:?+-*/%!<>", *p, 18) ? 1 : 0;
}

static struct token wrong(struct lexer *l, struct token t)
{
    l->failed = true;
    t.kind = TOKEN_WRONG;
    return t;
}

static struct token unknown_mark(struct lexer *l, struct token t)
{
    char c = l->source->text.ptr[t.at];
    struct leat_diag *d;

    if ((unsigned char)c >= 0x80) {
        d = ast_error(l->source, t.at, 1, "a character that means nothing here");
        leat_diag_hint(l->source->diags, d, "text stands in quotes: \"...\"");
    } else if (c == '=' || c == '&' || c == '|') {
        d = ast_error(l->source, t.at, 1, "'%c' is no operator", c);
        leat_diag_hint(l->source->diags, d, "did you mean '%c%c'?", c, c);
    } else if ((unsigned char)c < ' ') {
        ast_error(l->source, t.at, 1, "a control character (%d)", c);
    } else {
        d = ast_error(l->source, t.at, 1, "unexpected '%c'", c);
        if (c == '$')
            leat_diag_hint(l->source->diags, d, "${...} is not filled in within expressions");
    }
    return wrong(l, t);
}

static struct token quoted(struct lexer *l, struct token t)
{
    struct leat_slice text = l->source->text;
    const char *from = text.ptr + t.at + 1;
    const char *end = memchr(from, '`', text.len - t.at - 1);

    if (!end || end == from || memchr(from, '\n', (size_t)(end - from))) {
        ast_error(l->source, t.at, 1, "a name in backquotes has no end");
        return wrong(l, t);
    }
    t.kind = TOKEN_QUOTED;
    t.text = (struct leat_slice){from, (size_t)(end - from)};
    t.len = (uint32_t)t.text.len + 2;
    l->at = t.at + t.len;
    return t;
}

static struct token literal(struct lexer *l, struct token t, size_t length, bool is_string)
{
    if (length == 0) {
        ast_error(l->source, t.at, 1, "text without a closing quote");
        return wrong(l, t);
    }
    t.kind = TOKEN_LITERAL;
    t.len = (uint32_t)length;
    t.text = (struct leat_slice){l->source->text.ptr + t.at, length};
    l->at = t.at + length;
    if (!(is_string ? lex_string : lex_number)(l->source, &t))
        return wrong(l, t);
    return t;
}

struct token lex_next(struct lexer *l)
{
    struct leat_slice text = l->source->text;

    skip_blanks(l);
    const char *p = text.ptr + l->at;
    size_t left = text.len - l->at, n = 0;
    struct token t = {.at = (uint32_t)l->at};

    if (l->failed)
        return wrong(l, t);
    if (left == 0)
        return t;
    if (starts_string(p, left))
        return literal(l, t, lex_string_length(text, t.at), true);
    if (is_digit(*p) || (*p == '.' && left > 1 && is_digit(p[1])))
        return literal(l, t, lex_number_length(text, t.at), false);
    if (*p == '`')
        return quoted(l, t);
    if (starts_name(*p)) {
        while (n < left && (starts_name(p[n]) || is_digit(p[n])))
            n++;
        t.kind = TOKEN_NAME;
    } else {
        n = mark_length(p, left);
        t.kind = TOKEN_MARK;
    }
    if (n == 0)
        return unknown_mark(l, t);
    t.len = (uint32_t)n;
    t.text = (struct leat_slice){p, n};
    l->at += n;
    return t;
}
