/*
 * template.c - text with expressions in it: "late/{city}/{meta.batch_time:%Y-%m-%d}/{file}.jsonl".
 *
 * Every {expr} becomes string(expr), every {expr:%Y} expr.format("%Y"), and one operation joins
 * them with the text around. What stands in a path or a topic is checked: what is written when the
 * file is read, what an expression gives row by row. Thread: any to compile, that of the eval to
 * run.
 */
#include "base/bytes.h"
#include "expr/check.h"
#include "expr/compile.h"
#include "expr/lex.h"

#define PARTS_MAX 64 /* expressions of one template */
#define TOPIC_MAX 249

struct template
{
    const struct leat_compile *c;
    const struct leat_node *node;
    enum leat_template_rules rules;
    struct ast *exprs[PARTS_MAX];
    struct leat_slice texts[PARTS_MAX + 1]; /* texts[i] stands before exprs[i] */
    uint32_t count;
    struct leat_bytes text; /* since the last expression */
    size_t text_at;
    bool has_file, failed;
};

static struct leat_diag *wrong(struct template *t, size_t at, size_t len, const char *what)
{
    t->failed = true;
    return leat_diag_error_at(t->c->diags, t->node, at, len, "%s", what);
}

static bool is_topic_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static void put_text(struct template *t, size_t at, struct leat_slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (t->rules == LEAT_TEMPLATE_TOPIC && !is_topic_byte(s.ptr[i])) {
            struct leat_diag *d = wrong(t, at + i, 1, "a topic's name cannot contain this");
            leat_diag_hint(t->c->diags, d, "letters, digits, '.', '_' and '-' only");
            return;
        }
        if (t->rules == LEAT_TEMPLATE_PATH && (unsigned char)s.ptr[i] < ' ') {
            wrong(t, at + i, 1, "a path cannot contain control characters");
            return;
        }
    }
    leat_bytes_put(&t->text, s.ptr, s.len);
}

static struct ast *synthetic(struct template *t, enum ast_kind kind, const struct ast *like)
{
    struct ast *n = leat_arena_alloc(t->c->arena, sizeof *n);

    if (!n)
        return NULL;
    *n = (struct ast){.kind = kind,
                      .at = like->at,
                      .len = like->len,
                      .name_at = like->at,
                      .name_len = like->len,
                      .height = like->height + 1};
    return n;
}

/* string(expr), or expr.format(format). */
static struct ast *as_text(struct template *t, struct ast *expr, struct leat_slice format)
{
    struct ast *call = synthetic(t, AST_CALL, expr);
    struct ast *literal = synthetic(t, AST_LITERAL, expr);

    if (!call || !literal)
        return NULL;
    call->first = call->last = expr;
    call->count = 1;
    call->name = LEAT_LIT("string");
    if (format.ptr) {
        literal->value = leat_string(format);
        expr->next = call->last = literal;
        call->count = 2;
        call->member = true;
        call->name = LEAT_LIT("format");
    }
    return call;
}

static void put_expression(struct template *t, size_t from, size_t to, struct leat_slice format)
{
    struct ast_source source = {.text = {t->node->text.ptr + from, to - from},
                                .node = t->node,
                                .shift = from,
                                .arena = t->c->arena,
                                .diags = t->c->diags};
    struct ast *n = ast_parse(&source);

    if (!n) {
        t->failed = true;
        return;
    }
    if (t->count == PARTS_MAX) {
        wrong(t, from, to - from, "more than 64 expressions in one template");
        return;
    }
    n = as_text(t, n, format);
    if (!n || t->text.failed) {
        t->failed = true;
        ast_no_memory(&source);
        return;
    }
    struct checker ck = {.c = t->c, .names = t->c->names, .source = &source};
    check_node(&ck, n);
    t->failed = t->failed || ck.failed;
    t->texts[t->count] = leat_bytes_slice(&t->text);
    t->exprs[t->count++] = n;
    t->text = (struct leat_bytes){.arena = t->c->arena};
}

/* Where the expression that begins at `from` ends: at ':%' or '}' outside brackets and quotes. 0:
 * it does not, and that has been said. */
static size_t expression_end(struct template *t, size_t from)
{
    struct ast_source source = {
        .text = t->node->text, .node = t->node, .arena = t->c->arena, .diags = t->c->diags};
    struct lexer lexer = {.source = &source, .at = from};
    uint32_t depth = 0;

    for (;;) {
        struct token token = lex_next(&lexer);
        char c = token.kind == TOKEN_MARK ? *token.text.ptr : '\0';
        if (token.kind == TOKEN_WRONG) {
            t->failed = true;
            return 0;
        }
        if (token.kind == TOKEN_END) {
            struct leat_diag *d = wrong(t, from - 1, 1, "'{' without '}'");
            leat_diag_hint(t->c->diags, d, "a '{' that is meant is written '{{'");
            return 0;
        }
        if (depth == 0 && (c == '}' || (c == ':' && lexer.at < source.text.len &&
                                        source.text.ptr[lexer.at] == '%')))
            return token.at;
        if (c == '(' || c == '[' || c == '{')
            depth++;
        else if (depth && (c == ')' || c == ']' || c == '}'))
            depth--;
    }
}

/* One {...}; `at` is behind the brace. Returns where the text goes on; 0: give up. */
static size_t read_expression(struct template *t, size_t at)
{
    struct leat_slice text = t->node->text, format = {0};
    size_t end = expression_end(t, at), close = end;

    if (end == 0)
        return 0;
    if (text.ptr[end] == ':') {
        const char *brace = memchr(text.ptr + end, '}', text.len - end);
        if (!brace) {
            wrong(t, at - 1, 1, "'{' without '}'");
            return 0;
        }
        close = (size_t)(brace - text.ptr);
        format = (struct leat_slice){text.ptr + end + 1, close - end - 1};
    }
    struct leat_slice body = {text.ptr + at, end - at};
    if (t->rules == LEAT_TEMPLATE_PATH && leat_slice_eq(body, LEAT_LIT("file")) && !format.ptr) {
        leat_bytes_put(&t->text,
                       "\x01"
                       "f",
                       2);
        t->has_file = true;
    } else {
        put_expression(t, at, end, format);
    }
    return close + 1;
}

static void read_template(struct template *t)
{
    struct leat_slice text = t->node->text;

    for (size_t at = 0; at < text.len;) {
        size_t from = at;
        while (at < text.len && text.ptr[at] != '{')
            at++;
        put_text(t, from, (struct leat_slice){text.ptr + from, at - from});
        if (at == text.len)
            return;
        if (at + 1 < text.len && text.ptr[at + 1] == '{') {
            put_text(t, at, LEAT_LIT("{"));
            at += 2;
        } else if ((at = read_expression(t, at + 1)) == 0) {
            return;
        }
    }
}

static void check_rules(struct template *t)
{
    struct leat_slice first = t->count ? t->texts[0] : leat_bytes_slice(&t->text);
    struct leat_slice text = t->node->text;
    const char *what = t->rules == LEAT_TEMPLATE_PATH ? "path" : "topic";
    struct leat_diag *d;

    if (t->failed || t->rules == LEAT_TEMPLATE_TEXT)
        return;
    if (first.len == 0 || first.ptr[0] == '\x01') {
        t->failed = true;
        leat_diag_error_at(t->c->diags, t->node, 0, text.len < 1 ? 0 : 1,
                           "a %s must start with a literal", what);
    }
    if (t->rules == LEAT_TEMPLATE_PATH && !t->has_file && !t->failed) {
        d = wrong(t, 0, text.len, "a path without {file}");
        leat_diag_hint(t->c->diags, d,
                       "{file} is a name that is unique to batch and task: data/{file}.jsonl");
    }
}

static const struct leat_program *build(struct template *t)
{
    struct leat_arena *arena = t->c->arena;
    struct ast_source source = {
        .text = t->node->text, .node = t->node, .arena = arena, .diags = t->c->diags};
    struct op *op = leat_arena_alloc(arena, sizeof *op);
    const struct op **args = leat_arena_array(arena, t->count + 1, sizeof *args);
    struct leat_slice *parts = leat_arena_array(arena, t->count + 1, sizeof *parts);
    struct compiler cc;

    if (!op || !args || !parts || t->text.failed) {
        ast_no_memory(&source);
        return NULL;
    }
    if (!compiler_begin(&cc, t->c, &source))
        return NULL;
    *op = (struct op){.run = op_template,
                      .args = args,
                      .count = t->count,
                      .parts = parts,
                      .rules = t->rules,
                      .constant = true};
    for (uint32_t i = 0; i < t->count; i++) {
        args[i] = compiler_build(&cc, t->exprs[i]);
        parts[i] = t->texts[i];
        cc.failed = cc.failed || !args[i];
        op->constant = op->constant && args[i] && args[i]->constant;
    }
    parts[t->count] = leat_bytes_slice(&t->text);
    const struct op *root = cc.failed ? NULL : compiler_fold(&cc, op, NULL);
    return compiler_end(&cc, root, type_kind(LEAT_T_STRING), t->node->text);
}

const struct leat_program *leat_compile_template(const struct leat_compile *c,
                                                 const struct leat_node *node,
                                                 enum leat_template_rules rules)
{
    struct template t = {.c = c, .node = node, .rules = rules, .text = {.arena = c->arena}};

    if (node->kind != LEAT_NODE_SCALAR || node->text.len > AST_SOURCE_MAX) {
        leat_diag_error(c->diags, node,
                        node->kind == LEAT_NODE_SCALAR
                            ? "a template longer than 64 KiB"
                            : "text is needed here, with {expressions} in it");
        return NULL;
    }
    read_template(&t);
    check_rules(&t);
    return t.failed ? NULL : build(&t);
}

static struct leat_value refuse(struct leat_eval *ev, const char *what, struct leat_value v)
{
    return op_fail(ev, LEAT_V_ARGUMENT, "'%.*s' cannot be part of a %s",
                   (int)(v.len < 60 ? v.len : 60), v.as.text, what);
}

static bool fits_path(struct leat_slice s)
{
    if (s.len == 0 || leat_slice_eq(s, LEAT_LIT(".")) || leat_slice_eq(s, LEAT_LIT("..")))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '/' || (unsigned char)s.ptr[i] < ' ')
            return false;
    return true;
}

static bool fits_topic(struct leat_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_topic_byte(s.ptr[i]))
            return false;
    return s.len > 0;
}

struct leat_value op_template(struct leat_eval *ev, const struct op *op)
{
    struct leat_value values[PARTS_MAX];
    uint64_t len = op->parts[op->count].len;
    size_t at = 0;

    for (uint32_t i = 0; i < op->count; i++) {
        struct leat_value v = op_value(ev, op->args[i]);
        if (v.tag == LEAT_ERROR)
            return v;
        if (op->rules == LEAT_TEMPLATE_PATH && !fits_path(leat_value_text(v)))
            return refuse(ev, "path", v);
        if (op->rules == LEAT_TEMPLATE_TOPIC && !fits_topic(leat_value_text(v)))
            return refuse(ev, "topic's name", v);
        values[i] = v;
        len += op->parts[i].len + v.len;
    }
    if (op->rules == LEAT_TEMPLATE_TOPIC && len > TOPIC_MAX)
        return leat_value_fail(LEAT_V_ARGUMENT, "a topic's name of more than 249 characters");
    if (!op_charge(ev, 1 + len / 1024))
        return leat_call_exhausted();
    char *text = len > UINT32_MAX ? NULL : leat_arena_alloc(ev->arena, len + 1);
    if (!text)
        return op_full();
    for (uint32_t i = 0; i <= op->count; i++) {
        if (op->parts[i].len)
            memcpy(text + at, op->parts[i].ptr, op->parts[i].len);
        at += op->parts[i].len;
        if (i < op->count && values[i].len)
            memcpy(text + at, values[i].as.text, values[i].len);
        at += i < op->count ? values[i].len : 0;
    }
    return leat_string((struct leat_slice){text, (size_t)len});
}
