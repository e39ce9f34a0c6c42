/* Tests engine/base/expression_slot.c: what YAML does to expressions. */
#include "base/expression_slot.h"
#include "config/message.h"
#include "leat_test.h"

/* What is said about every entry of the map at the end of the file. */
static void says(const char *text, const char *expected)
{
    struct leat_arena arena = {0};
    struct leat_diags diags = {.arena = &arena};
    struct config_file file;
    char *out;
    size_t size;

    config_file_parse("f.yaml", leat_slice_str(text), &file, &arena, &diags);
    CU_ASSERT_PTR_NOT_NULL_FATAL(file.root);
    const struct leat_node *c = file.root->first;
    while (c->next)
        c = c->next;
    for (c = c->kind == LEAT_NODE_MAP ? c->first : c; c; c = c->next)
        leat_expression_slot_check(c, &diags);
    FILE *f = open_memstream(&out, &size);
    config_message_print(&file, &diags, f);
    fclose(f);
    char *line = strstr(out, "      | "), *end = line ? strchr(line, '\n') : NULL;
    if (end)
        *end = 0;
    if (!strstr(out, expected) && !(line && strstr(line, expected)))
        printf("    expected: %s\n    got:      %s\n", expected, out);
    CU_ASSERT(strstr(out, expected) || (line && strstr(line, expected)));
    CU_ASSERT(expected[0] || !out[0]);
    free(out);
    leat_arena_reset(&arena);
}

static void the_corrected_line_is_shown(void)
{
    says("filter: !deleted\n", "^~~~~~~~ quote the expression: `filter: '!deleted'`");
    says("filter: !x && y\n", "quote the expression: `filter: '!x && y'`");
    says("filter: x # > 3\n", "quote the expression: `filter: 'x # > 3'`");
    says("filter: s == 'a' # it\n", "quote the expression: `filter: 's == ''a'' # it'`");
    says("a: &x 5\nfilter: *x\n", "quote the expression: `filter: '*x'`");
    says("aggregate: { p95: quantile(x, 0.95), m: avg(x) }\n",
         "quote the expression: `p95: 'quantile(x, 0.95)'`");
    says("set: { a: \"f(x, 1)\", b: f(g(x), 1) }\n", "quote the expression: `b: 'f(g(x), 1)'`");
}

static void what_is_no_expression_is_refused(void)
{
    says("filter: [a, b]\n", "for a list as a value, quote it: '[a, b]'");
    says("map: { filter: { a: b } }\n", "an expression is needed here, not a YAML map");
    says("filter:\n", "an expression is needed here");
    says("filter: ~\n", "an expression is needed here");
    says("set: { a: f(x), 0.95): 1 }\n", "YAML takes '0.95)' for a key of its own");
}

static void a_single_word_in_quotes_is_a_warning(void)
{
    says("name: 'x'\n", "warning: the field `x`, or the text \"x\"?");
    says("name: \"city\"\n", "it is the field; write city, or '\"city\"' for the text");
    says("name: 'true'\n", "");
    says("name: 'x > 3'\n", "");
}

static void good_expressions_are_left_alone(void)
{
    says("filter: null\n", "");
    says("filter: x  # set off by two blanks\n", "");
    says("filter: x > 0 && y == \"a\"\n", "");
    says("filter: 'x'' > 3' # why\n", "");
    says("filter: |\n  x > 3 &&\n  y # no comment\n", "");
}

LEAT_TESTS("expression_slot", T(the_corrected_line_is_shown), T(what_is_no_expression_is_refused),
           T(a_single_word_in_quotes_is_a_warning), T(good_expressions_are_left_alone))
