/* Tests engine/expr/lex.c, literal.c and parse.c: what is an expression and where it is not. */
#include "expression.h"
#include "leat_test.h"

#include <stdio.h>

static struct expression e;

#define IS(expr, expected) is(__LINE__, expr, expected)
static void is(int line, const char *expr, const char *expected)
{
    const char *got = expression_text(&e, expr);

    if (strcmp(got, expected) != 0)
        printf("line %d: %s\n    expected %s\n    got      %s\n", line, expr, expected, got);
    CU_ASSERT_STRING_EQUAL(got, expected);
}

/* The first mistake, and the bytes it underlines. */
#define WRONG(expr, text, at, len) wrong(__LINE__, expr, text, at, len)
static void wrong(int line, const char *expr, const char *text, uint32_t at, uint32_t len)
{
    CU_ASSERT_PTR_NULL(expression_compile(&e, expr));
    struct leat_diag *d = e.diags.first;
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    if (!leat_slice_eq(d->text, leat_slice_str(text)) || d->mark.column != at + 1 ||
        d->mark.len != len)
        printf("line %d: %s\n    %u+%u: %.*s\n", line, expr, d->mark.column - 1, d->mark.len,
               LEAT_FMT(d->text));
    CU_ASSERT(leat_slice_eq(d->text, leat_slice_str(text)));
    CU_ASSERT_EQUAL(d->mark.column, at + 1);
    CU_ASSERT_EQUAL(d->mark.len, len);
}

static void operators_bind_as_in_the_specification(void)
{
    expression_init(&e);
    IS("1 + 2 * 3 - 4", "3");
    IS("(1 + 2) * 3", "9");
    IS("10 - 3 - 2", "5");
    IS("1 + 1 == 2 && 2 < 3 || false", "true");
    IS("true ? 1 : false ? 2 : 3", "1");
    IS("false ? 1 : false ? 2 : 3", "3");
    IS("!!true && !false", "true");
    IS("--5", "5");
    IS("- 5 + 6", "1");
    IS("2 in [1, 2] == true", "true");
    IS("-1 .size()", "refused: no such overload: size(int)");
    IS("{'a': [1, {'b': 2}]}.a[1].b", "2");
    IS("[1, 2,][1] // a comment", "2");
    IS("{'a': 1,}.a", "1");
    expression_fini(&e);
}

static void literals_are_those_of_the_specification(void)
{
    expression_init(&e);
    IS("-9223372036854775808", "-9223372036854775808");
    IS("0xFF + 0x10u", "271");
    IS(".5 + 1e3 + 1.5e-1 + 007.5", "1008.15");
    IS("'a\\tb\\u00e9\\U0001F600\\x41\\101'", "\"a\\tb\xc3\xa9\xf0\x9f\x98\x80"
                                              "AA\"");
    IS("r'\\n' + R\"\\t\"", "\"\\\\n\\\\t\"");
    IS("'''it's\n''' + \"\"\"a\"b\"\"\"", "\"it's\\na\\\"b\"");
    IS("b'\\xff\\377' == bR'x'", "false");
    IS("size(b'\xc3\xa9') == 2 && size('\xc3\xa9') == 1", "true");
    expression_fini(&e);
}

static void mistakes_are_underlined(void)
{
    expression_init(&e);
    WRONG("", "an expression is needed here", 0, 0);
    WRONG("1 +", "the expression ends where a value should be", 2, 1);
    WRONG("(1", "the expression ends where ')' should be", 1, 1);
    WRONG("1 2", "'2' where an operator or the end should be", 2, 1);
    WRONG("[1, 2", "the expression ends where ',' or ']' should be", 4, 1);
    WRONG("f(1,)", "')' where an argument should be", 4, 1);
    WRONG("a = 1", "'=' is no operator", 2, 1);
    WRONG("a & b", "'&' is no operator", 2, 1);
    WRONG("a # b", "unexpected '#'", 2, 1);
    WRONG("'abc", "text without a closing quote", 0, 1);
    WRONG("'a\\qb'", "unknown escape", 2, 2);
    WRONG("9223372036854775808", "9223372036854775808 does not fit into 64 bits", 0, 19);
    WRONG("99999999999999999999u", "99999999999999999999u does not fit into 64 bits", 0, 21);
    WRONG("package.x", "'package' is a reserved word of the expression language", 0, 7);
    WRONG("a.in", "'in' where the name of a field or function should be", 2, 2);
    WRONG("Msg{a: 1}", "'{' where an operator should be", 3, 1);
    WRONG("a ? b", "the expression ends where ':' and what holds else should be", 4, 1);
    WRONG("1 + 'a\xff'", "bytes that are no UTF-8", 6, 1);
    expression_fini(&e);
}

static char *repeated(const char *head, const char *part, size_t n, const char *tail)
{
    size_t len = strlen(part);
    char *text = leat_arena_alloc(&e.arena, strlen(head) + n * len + strlen(tail) + 1);

    strcpy(text, head);
    for (size_t i = 0, at = strlen(head); i < n; i++, at += len)
        memcpy(text + at, part, len + 1);
    strcat(text, tail);
    return text;
}

static void no_text_is_too_much_for_the_stack(void)
{
    static const char *const parts[] = {"(",  "[",    "{1:", "!",  "-",    "a.",  "a[", "1+",
                                        "1<", "1?1:", "1?",  "f(", "a.f(", "a&&", "[[", "{{"};

    expression_init(&e);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *text = repeated("", parts[i], 65000 / strlen(parts[i]), "1");
        CU_ASSERT_PTR_NULL(expression_compile(&e, text));
        CU_ASSERT(e.diags.errors >= 1);
    }
    IS(repeated("", "(", 90, repeated("7", ")", 90, "")), "7");
    IS(repeated("", "true && ", 5000, "false"), "false");
    IS(repeated("", "1 + ", 250, "0"), "250");
    IS(repeated("", "false ? 1 : ", 150, "2"), "2");
    CU_ASSERT_PTR_NULL(expression_compile(&e, repeated("", " ", 70000, "1")));
    expression_fini(&e);
}

static void lack_of_memory_is_said(void)
{
    static const char *const texts[] = {
        "'a\\n' + string(1 + 2) == 'x' && [1, 2].map(x, x + 1)[0] > 1",
        "{'a': 1.5}.?a.orValue(2) > 1.0 && has({'b': 1}.b)"};

    for (size_t i = 0; i < 2; i++)
        LEAT_OOM_SWEEP {
            struct leat_arena arena = {0};
            struct leat_diags diags = {.arena = &arena};
            struct leat_node node = {.text = leat_slice_str(texts[i])};
            struct leat_names names = {0};
            struct leat_compile c = {.names = &names, .arena = &arena, .diags = &diags};
            const struct leat_program *p = leat_compile(&c, &node);
            CU_ASSERT_EQUAL(p == NULL, leat_oom_hit());
            CU_ASSERT_EQUAL(p == NULL, diags.errors > 0);
            leat_arena_reset(&arena);
        }
}

LEAT_TESTS("parse", T(operators_bind_as_in_the_specification),
           T(literals_are_those_of_the_specification), T(mistakes_are_underlined),
           T(no_text_is_too_much_for_the_stack), T(lack_of_memory_is_said))
