/*
 * parse.c - an expression's text becomes a tree.
 *
 * Recursive descent over the grammar of the CEL specification; it stops at the first mistake. What
 * is nested in brackets recurses and is counted (AST_NESTED_MAX); chains (a.b.c, 1 + 2 + 3, !!x)
 * are loops, but make high trees and are bounded by AST_HEIGHT_MAX. Thread: any.
 */
#include "expr/lex.h"

#include <stdarg.h>
#include <stdio.h>

struct parser {
    const struct ast_source *source;
    struct lexer lexer;
    struct token token;
    uint32_t end;    /* behind the last token that was taken */
    uint32_t nested; /* brackets around here */
    bool failed;
};

struct leat_diag *ast_error(const struct ast_source *s, size_t at, size_t len, const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return leat_diag_error_at(s->diags, s->node, s->shift + at, len, "%s", text);
}

struct ast *ast_no_memory(const struct ast_source *s)
{
    leat_diag_error(s->diags, s->node, "out of memory while the expression is read");
    return NULL;
}

static void advance(struct parser *p)
{
    p->end = p->token.at + p->token.len;
    p->token = lex_next(&p->lexer);
}

static bool at_mark(const struct parser *p, const char *mark)
{
    return p->token.kind == TOKEN_MARK && leat_slice_eq(p->token.text, leat_slice_str(mark));
}

static bool take_mark(struct parser *p, const char *mark)
{
    if (!at_mark(p, mark))
        return false;
    advance(p);
    return true;
}

/* What other languages write as words. */
static void hint_words(struct parser *p, struct leat_diag *d)
{
    struct leat_slice word = {p->source->text.ptr + p->token.at, p->token.len};

    if (!d)
        return;
    if (leat_slice_eq(word, LEAT_LIT("and")) || leat_slice_eq(word, LEAT_LIT("AND")))
        leat_diag_hint(p->source->diags, d, "did you mean '&&'?");
    else if (leat_slice_eq(word, LEAT_LIT("or")) || leat_slice_eq(word, LEAT_LIT("OR")))
        leat_diag_hint(p->source->diags, d, "did you mean '||'?");
}

static struct ast *unexpected(struct parser *p, const char *wanted)
{
    const struct token *t = &p->token;

    if (!p->failed && t->kind == TOKEN_END)
        ast_error(p->source, t->at ? t->at - 1 : 0, 1, "the expression ends where %s should be",
                  wanted);
    else if (!p->failed && t->kind != TOKEN_WRONG)
        hint_words(p, ast_error(p->source, t->at, t->len, "'%.*s' where %s should be", (int)t->len,
                                p->source->text.ptr + t->at, wanted));
    p->failed = true;
    return NULL;
}

static bool expect(struct parser *p, const char *mark, const char *wanted)
{
    return take_mark(p, mark) || unexpected(p, wanted) != NULL;
}

static struct ast *node_new(struct parser *p, enum ast_kind kind, uint32_t at)
{
    struct ast *n = leat_arena_alloc(p->source->arena, sizeof *n);

    if (!n) {
        p->failed = true;
        return ast_no_memory(p->source);
    }
    n->kind = kind;
    n->at = n->name_at = at;
    n->height = 1;
    return n;
}

static bool add(struct parser *p, struct ast *parent, struct ast *child)
{
    if (!child)
        return false;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
    if (parent->height <= child->height)
        parent->height = child->height + 1;
    if (parent->height > AST_HEIGHT_MAX && !p->failed) {
        struct leat_diag *d =
            ast_error(p->source, parent->name_at, 1, "a chain of more than %d parts",
                      AST_HEIGHT_MAX - AST_NESTED_MAX);
        leat_diag_hint(p->source->diags, d, "split it with brackets");
        p->failed = true;
    }
    return !p->failed;
}

static struct ast *done(struct parser *p, struct ast *n)
{
    if (n)
        n->len = p->end - n->at;
    return p->failed ? NULL : n;
}

static struct ast *parse_expression(struct parser *p);

/* What stands between brackets; the opening one has been taken. */
static struct ast *parse_nested(struct parser *p)
{
    if (p->nested == AST_NESTED_MAX) {
        if (!p->failed)
            ast_error(p->source, p->token.at, 1, "nested more than %d deep", AST_NESTED_MAX);
        p->failed = true;
        return NULL;
    }
    p->nested++;
    struct ast *n = parse_expression(p);
    p->nested--;
    return n;
}

/* Expressions up to `close`, with commas between them; `trailing`: one may stand behind the last.
 */
static bool parse_items(struct parser *p, struct ast *parent, const char *close, bool trailing)
{
    const char *wanted = *close == ')' ? "',' or ')'" : "',' or ']'";

    while (!take_mark(p, close)) {
        bool optional = trailing && take_mark(p, "?");
        struct ast *item = parse_nested(p);
        if (!add(p, parent, item))
            return false;
        item->optional = optional;
        if (take_mark(p, close))
            return true;
        if (!expect(p, ",", wanted))
            return false;
        if (!trailing && at_mark(p, close))
            return unexpected(p, "an argument") != NULL;
    }
    return true;
}

static struct ast *parse_list(struct parser *p)
{
    struct ast *n = node_new(p, AST_LIST, p->token.at);

    advance(p);
    return n && parse_items(p, n, "]", true) ? done(p, n) : NULL;
}

static struct ast *parse_map(struct parser *p)
{
    struct ast *n = node_new(p, AST_MAP, p->token.at);

    advance(p);
    while (n && !take_mark(p, "}")) {
        bool optional = take_mark(p, "?");
        struct ast *key = parse_nested(p);
        if (!add(p, n, key) || !expect(p, ":", "':' and a value") || !add(p, n, parse_nested(p)))
            return NULL;
        key->optional = optional;
        if (!at_mark(p, "}") && !expect(p, ",", "',' or '}'"))
            return NULL;
    }
    return done(p, n);
}

static bool is_word(struct leat_slice name, const char *const *words)
{
    for (; *words; words++)
        if (leat_slice_eq(name, leat_slice_str(*words)))
            return true;
    return false;
}

static bool is_keyword(struct leat_slice name)
{
    static const char *const words[] = {"true", "false", "null", "in", NULL};

    return is_word(name, words);
}

static bool is_reserved(struct leat_slice name)
{
    static const char *const words[] = {
        "as",  "break", "const",   "continue",  "else",   "for", "function", "if",    "import",
        "let", "loop",  "package", "namespace", "return", "var", "void",     "while", NULL};

    return is_word(name, words);
}

static struct ast *parse_constant(struct parser *p, struct leat_value v)
{
    struct ast *n = node_new(p, AST_LITERAL, p->token.at);

    advance(p);
    if (n)
        n->value = v;
    return done(p, n);
}

/* A name, or a call when a bracket follows. */
static struct ast *parse_name(struct parser *p, uint32_t at, bool absolute)
{
    struct token t = p->token;

    if (t.kind != TOKEN_NAME || is_keyword(t.text))
        return unexpected(p, "a name");
    advance(p);
    bool is_call = at_mark(p, "(");
    if (is_reserved(t.text) && !p->failed) {
        struct leat_diag *d =
            ast_error(p->source, t.at, t.len,
                      "'%.*s' is a reserved word of the expression language", LEAT_FMT(t.text));
        leat_diag_hint(p->source->diags, d, "a field of that name is this.%.*s", LEAT_FMT(t.text));
        p->failed = true;
        return NULL;
    }
    struct ast *n = node_new(p, is_call ? AST_CALL : AST_NAME, at);
    if (!n)
        return NULL;
    n->name = t.text;
    n->name_at = t.at;
    n->name_len = t.len;
    n->absolute = absolute;
    if (is_call) {
        advance(p);
        if (!parse_items(p, n, ")", false))
            return NULL;
    }
    return done(p, n);
}

static struct ast *parse_primary(struct parser *p)
{
    struct token t = p->token;

    if (t.kind == TOKEN_LITERAL) {
        if (t.lowest) {
            ast_error(p->source, t.at, t.len, "%.*s does not fit into 64 bits", LEAT_FMT(t.text));
            p->failed = true;
            return NULL;
        }
        return parse_constant(p, t.value);
    }
    if (t.kind == TOKEN_NAME && leat_slice_eq(t.text, LEAT_LIT("true")))
        return parse_constant(p, leat_bool(true));
    if (t.kind == TOKEN_NAME && leat_slice_eq(t.text, LEAT_LIT("false")))
        return parse_constant(p, leat_bool(false));
    if (t.kind == TOKEN_NAME && leat_slice_eq(t.text, LEAT_LIT("null")))
        return parse_constant(p, (struct leat_value){0});
    if (t.kind == TOKEN_NAME)
        return parse_name(p, t.at, false);
    if (take_mark(p, "."))
        return parse_name(p, t.at, true);
    if (at_mark(p, "["))
        return parse_list(p);
    if (at_mark(p, "{"))
        return parse_map(p);
    if (!take_mark(p, "("))
        return unexpected(p, "a value");
    struct ast *n = parse_nested(p);
    if (!n || !expect(p, ")", "')'"))
        return NULL;
    return n;
}

/* .name, .?name, .`name`, .name(...) behind `of`. */
static struct ast *parse_select(struct parser *p, struct ast *of)
{
    bool optional = take_mark(p, "?");
    struct token t = p->token;

    if ((t.kind != TOKEN_NAME && t.kind != TOKEN_QUOTED) ||
        (t.kind == TOKEN_NAME && is_keyword(t.text)))
        return unexpected(p, "the name of a field or function");
    advance(p);
    bool is_call = t.kind == TOKEN_NAME && !optional && take_mark(p, "(");
    struct ast *n = node_new(p, is_call ? AST_CALL : AST_SELECT, of->at);
    if (!n || !add(p, n, of))
        return NULL;
    n->name = t.text;
    n->name_at = t.at;
    n->name_len = t.len;
    n->quoted = t.kind == TOKEN_QUOTED;
    n->optional = optional;
    n->member = is_call;
    if (is_call && !parse_items(p, n, ")", false))
        return NULL;
    return done(p, n);
}

static struct ast *parse_index(struct parser *p, struct ast *of)
{
    struct ast *n = node_new(p, AST_INDEX, of->at);

    if (!n)
        return NULL;
    n->optional = take_mark(p, "?");
    n->name_at = p->token.at;
    if (!add(p, n, of) || !add(p, n, parse_nested(p)) || !expect(p, "]", "']'"))
        return NULL;
    n->name_len = n->first->next->len;
    return done(p, n);
}

static struct ast *parse_member(struct parser *p)
{
    struct ast *n = parse_primary(p);

    while (n && !p->failed) {
        if (take_mark(p, "."))
            n = parse_select(p, n);
        else if (take_mark(p, "["))
            n = parse_index(p, n);
        else if (at_mark(p, "{") && (n->kind == AST_NAME || n->kind == AST_SELECT))
            return unexpected(p, "an operator");
        else
            break;
    }
    return p->failed ? NULL : n;
}

/* A minus before a number belongs to it: -9223372036854775808 is an int, -1.abs() is 1. */
static bool negate_token(struct parser *p, uint32_t at)
{
    struct token *t = &p->token;

    if (t->kind != TOKEN_LITERAL || (t->value.tag != LEAT_INT && t->value.tag != LEAT_DOUBLE))
        return false;
    if (t->value.tag == LEAT_DOUBLE)
        t->value.as.d = -t->value.as.d;
    else
        t->value.as.i = t->lowest ? INT64_MIN : -t->value.as.i;
    t->lowest = false;
    t->len += t->at - at;
    t->at = at;
    return true;
}

static struct ast *parse_unary(struct parser *p)
{
    struct ast *pending = NULL; /* the innermost first, linked by next */
    uint32_t count = 0;

    while (at_mark(p, "-") || at_mark(p, "!")) {
        bool minus = at_mark(p, "-");
        uint32_t at = p->token.at;
        advance(p);
        if (minus && negate_token(p, at))
            break;
        struct ast *n = node_new(p, minus ? AST_NEGATE : AST_NOT, at);
        if (!n || ++count > AST_HEIGHT_MAX)
            return unexpected(p, "an end of that");
        n->name_len = 1;
        n->next = pending;
        pending = n;
    }
    struct ast *n = parse_member(p);
    while (n && pending) {
        struct ast *outer = pending;
        pending = outer->next;
        outer->next = NULL;
        n = add(p, outer, n) ? done(p, outer) : NULL;
    }
    return n;
}

static const struct {
    const char *text;
    enum ast_operator operator;
    int level; /* binds the tighter the higher */
} operators[] = {
    {"<", AST_LESS, 1},     {"<=", AST_LESS_EQUAL, 1},
    {">", AST_GREATER, 1},  {">=", AST_GREATER_EQUAL, 1},
    {"==", AST_EQUAL, 1},   {"!=", AST_UNEQUAL, 1},
    {"in", AST_IN, 1},      {"+", AST_ADD, 2},
    {"-", AST_SUBTRACT, 2}, {"*", AST_MULTIPLY, 3},
    {"/", AST_DIVIDE, 3},   {"%", AST_REMAINDER, 3},
};

static int find_operator(const struct parser *p)
{
    if (p->token.kind == TOKEN_MARK || p->token.kind == TOKEN_NAME)
        for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
            if (leat_slice_eq(p->token.text, leat_slice_str(operators[i].text)))
                return (int)i;
    return -1;
}

static struct ast *parse_binary(struct parser *p, int level)
{
    struct ast *left = parse_unary(p);

    for (int i; left && (i = find_operator(p)) >= 0 && operators[i].level >= level;) {
        struct ast *n = node_new(p, AST_BINARY, left->at);
        if (!n)
            return NULL;
        n->operator= operators[i].operator;
        n->name_at = p->token.at;
        n->name_len = p->token.len;
        n->name = p->token.text;
        advance(p);
        if (!add(p, n, left) || !add(p, n, parse_binary(p, operators[i].level + 1)))
            return NULL;
        left = done(p, n);
    }
    return left;
}

/* a && b && c is one node. */
static struct ast *parse_logic(struct parser *p, enum ast_kind kind)
{
    const char *mark = kind == AST_OR ? "||" : "&&";
    struct ast *first = kind == AST_OR ? parse_logic(p, AST_AND) : parse_binary(p, 1);

    if (!first || !at_mark(p, mark))
        return first;
    struct ast *n = node_new(p, kind, first->at);
    if (!n || !add(p, n, first))
        return NULL;
    n->name_at = p->token.at;
    n->name_len = 2;
    while (take_mark(p, mark))
        if (!add(p, n, kind == AST_OR ? parse_logic(p, AST_AND) : parse_binary(p, 1)))
            return NULL;
    return done(p, n);
}

/* a ? b : c ? d : e: the conditions one after the other, put together from the last one. */
static struct ast *parse_expression(struct parser *p)
{
    struct ast *pending = NULL;
    struct ast *n = parse_logic(p, AST_OR);

    for (uint32_t count = 0; n && at_mark(p, "?"); count++) {
        struct ast *outer = node_new(p, AST_CONDITION, n->at);
        if (!outer || !add(p, outer, n))
            return NULL;
        outer->name_at = p->token.at;
        outer->name_len = 1;
        advance(p);
        if (count > AST_HEIGHT_MAX / 2 || !add(p, outer, parse_nested(p)) ||
            !expect(p, ":", "':' and what holds else"))
            return unexpected(p, "fewer conditions");
        outer->next = pending;
        pending = outer;
        n = parse_logic(p, AST_OR);
    }
    while (n && pending) {
        struct ast *outer = pending;
        pending = outer->next;
        outer->next = NULL;
        n = add(p, outer, n) ? done(p, outer) : NULL;
    }
    return n;
}

struct ast *ast_parse(const struct ast_source *s)
{
    struct parser p = {.source = s, .lexer = {.source = s}};
    size_t bad;

    if (s->text.len > AST_SOURCE_MAX) {
        leat_diag_error(s->diags, s->node, "an expression of %zu bytes; the limit is %zu",
                        s->text.len, AST_SOURCE_MAX);
        return NULL;
    }
    if (!lex_is_utf8(s->text, &bad)) {
        ast_error(s, bad, 1, "bytes that are no UTF-8");
        return NULL;
    }
    advance(&p);
    if (p.token.kind == TOKEN_END) {
        ast_error(s, 0, s->text.len, "an expression is needed here");
        return NULL;
    }
    struct ast *n = parse_expression(&p);
    if (n && p.token.kind != TOKEN_END)
        return unexpected(&p, "an operator or the end");
    return p.failed ? NULL : n;
}
