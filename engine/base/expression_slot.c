#include "base/expression_slot.h"

#include <ctype.h>

/* The corrected line is shown whole up to this length; beyond it the advice stands alone. */
enum { SHOWN_MAX = 200 };

static bool has_any(struct leat_slice text, const char *bytes)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] && strchr(bytes, text.ptr[i]))
            return true;
    return false;
}

static struct leat_slice trim(struct leat_slice s)
{
    while (s.len && isspace((unsigned char)s.ptr[0]))
        s = (struct leat_slice){s.ptr + 1, s.len - 1};
    while (s.len && isspace((unsigned char)s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* "quote the expression: `filter: '!deleted'`", with `key` where there is one. */
static void hint_quoted(struct leat_diags *diags, struct leat_diag *d, const struct leat_node *node,
                        struct leat_slice expression)
{
    char quoted[2 * SHOWN_MAX + 3];
    size_t n = 0;

    expression = trim(expression);
    if (expression.len == 0 || expression.len > SHOWN_MAX || node->key.len > SHOWN_MAX ||
        memchr(expression.ptr, '\n', expression.len)) {
        leat_diag_hint(diags, d, "put the expression into quotes");
        return;
    }
    quoted[n++] = '\'';
    for (size_t i = 0; i < expression.len; i++) {
        if (expression.ptr[i] == '\'')
            quoted[n++] = '\'';
        quoted[n++] = expression.ptr[i];
    }
    quoted[n++] = '\'';
    if (node->key.len)
        leat_diag_hint(diags, d, "quote the expression: `%.*s: %.*s`", LEAT_FMT(node->key), (int)n,
                       quoted);
    else
        leat_diag_hint(diags, d, "quote the expression: `%.*s`", (int)n, quoted);
}

/* From a scalar's beginning to the end of its line, or in flow style to the bracket that closes
 * around it. */
static struct leat_slice whole_of(const struct leat_node *node)
{
    struct leat_slice rest = node->rest;
    int depth = 0;

    if (!node->in_flow)
        return trim(rest);
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];
        depth += c == '(' || c == '[' || c == '{';
        depth -= c == ')' || c == ']' || c == '}';
        if (depth < 0 || (depth == 0 && c == ','))
            return trim((struct leat_slice){rest.ptr, i});
    }
    return trim(rest);
}

static int open_brackets(struct leat_slice text)
{
    int depth = 0;

    for (size_t i = 0; i < text.len; i++)
        depth += (text.ptr[i] == '(') - (text.ptr[i] == ')');
    return depth;
}

/* A plain key that can only be the rest of an expression which a comma has cut. */
static bool is_cut_rest(const struct leat_node *node)
{
    return node && node->in_flow && node->key_style == LEAT_STYLE_PLAIN &&
           has_any(node->key, "()\"");
}

static bool is_cut_by_comma(const struct leat_node *node)
{
    return node->in_flow && node->style == LEAT_STYLE_PLAIN && node->rest.ptr && node->next &&
           open_brackets(node->text) > 0;
}

static bool refuse_shape(const struct leat_node *node, struct leat_diags *diags)
{
    if (node->kind == LEAT_NODE_SCALAR)
        return false;
    struct leat_diag *d =
        leat_diag_error(diags, node, "an expression is needed here, not a YAML %s",
                        node->kind == LEAT_NODE_LIST ? "list" : "map");
    if (node->kind == LEAT_NODE_LIST)
        leat_diag_hint(diags, d, "for a list as a value, quote it: '[a, b]'");
    return true;
}

static bool refuse_yaml(const struct leat_node *node, struct leat_diags *diags)
{
    struct leat_diag *d;

    if (node->alias.ptr && node->is_null && node->text.len == 0)
        return true; /* of nothing, which was said when the file was read */
    if (node->alias.ptr) {
        d = leat_diag_error(diags, node, "YAML takes '*%.*s' for an alias", LEAT_FMT(node->alias));
        hint_quoted(diags, d, node, whole_of(node));
    } else if (node->tag.ptr) {
        d = leat_diag_error(diags, node, "YAML takes '%.*s' for a tag", LEAT_FMT(node->tag));
        hint_quoted(diags, d, node, whole_of(node));
    } else if (is_cut_by_comma(node)) {
        d = leat_diag_error(diags, node, "YAML ends this expression at the comma");
        hint_quoted(diags, d, node, whole_of(node));
    } else if (is_cut_rest(node)) {
        d = leat_diag_error_key(diags, node, "YAML takes '%.*s' for a key of its own",
                                LEAT_FMT(node->key));
        leat_diag_hint(diags, d, "an expression with a comma in { } needs quotes");
    } else if (node->comment_behind) {
        d = leat_diag_error(diags, node, "YAML takes what is behind '%.*s' for a comment",
                            LEAT_FMT(node->text));
        hint_quoted(diags, d, node, whole_of(node));
        leat_diag_note(diags, d,
                       "a comment stands two blanks behind an expression, or on its own line");
    } else {
        return false;
    }
    return true;
}

static bool refuse_nothing(const struct leat_node *node, struct leat_diags *diags)
{
    bool is_tilde = node->style == LEAT_STYLE_PLAIN && leat_slice_eq(node->text, LEAT_LIT("~"));

    if (!is_tilde && (!node->is_null || node->text.len))
        return false; /* an empty text is seen by the compiler */
    leat_diag_error(diags, node, "an expression is needed here");
    return true;
}

static bool is_word(struct leat_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!isalpha((unsigned char)c) && c != '_' && (i == 0 || !isdigit((unsigned char)c)))
            return false;
    }
    return text.len > 0;
}

static bool is_cel_constant(struct leat_slice word)
{
    return leat_slice_eq(word, LEAT_LIT("true")) || leat_slice_eq(word, LEAT_LIT("false")) ||
           leat_slice_eq(word, LEAT_LIT("null"));
}

static void warn_of_quoted_word(const struct leat_node *node, struct leat_diags *diags)
{
    bool quoted = node->style == LEAT_STYLE_SINGLE || node->style == LEAT_STYLE_DOUBLE;

    if (!quoted || !is_word(node->text) || is_cel_constant(node->text))
        return;
    struct leat_diag *d = leat_diag_warn(diags, node, "the field `%.*s`, or the text \"%.*s\"?",
                                         LEAT_FMT(node->text), LEAT_FMT(node->text));
    leat_diag_hint(diags, d, "it is the field; write %.*s, or '\"%.*s\"' for the text",
                   LEAT_FMT(node->text), LEAT_FMT(node->text));
}

bool leat_expression_slot_check(const struct leat_node *node, struct leat_diags *diags)
{
    if (refuse_shape(node, diags) || refuse_yaml(node, diags) || refuse_nothing(node, diags))
        return false;
    warn_of_quoted_word(node, diags);
    return true;
}
