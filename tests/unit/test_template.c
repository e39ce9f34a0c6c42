/* Tests engine/expr/template.c: paths, topics and text with expressions in them. */
#include "expression.h"
#include "leat_test.h"

#include <stdio.h>

static struct expression e;

static void begin(void)
{
    expression_init(&e);
    expression_add(&e, "city", LEAT_T_ANY, leat_string(LEAT_LIT("Paris")));
    expression_add(&e, "n", LEAT_T_INT, leat_int(7));
    expression_add(&e, "up", LEAT_T_ANY, leat_string(LEAT_LIT("..")));
    expression_add(&e, "slash", LEAT_T_ANY, leat_string(LEAT_LIT("a/b")));
    expression_add(&e, "empty", LEAT_T_ANY, leat_string(LEAT_LIT("")));
    expression_add(&e, "mark", LEAT_T_ANY,
                   leat_string(LEAT_LIT("\x01"
                                        "f")));
    expression_add(&e, "gone", LEAT_T_ANY, leat_value_fail(LEAT_V_ABSENT, "no such field 'gone'"));
    expression_add(&e, "items", LEAT_T_LIST, (struct leat_value){.tag = LEAT_LIST});
}

static struct leat_value value_of(const char *text, enum leat_template_rules rules)
{
    struct leat_node node = {.text = leat_slice_str(text), .mark = {1, 1, 1}};
    struct leat_compile c = {.names = &e.names, .arena = &e.arena, .diags = &e.diags};

    e.diags = (struct leat_diags){.arena = &e.arena};
    const struct leat_program *p = leat_compile_template(&c, &node, rules);
    if (!p)
        return leat_value_fail(LEAT_V_SYNTAX, e.diags.first ? e.diags.first->text.ptr : "?");
    CU_ASSERT_EQUAL(leat_program_type(p)->kind, LEAT_T_STRING);
    for (uint32_t i = 0; i < e.count; i++)
        e.chunk.columns[LEAT_COL_PATHS + i][0] = e.columns[i].value;
    return leat_eval_row(p, e.ev, &e.chunk, 0);
}

#define IS(text, rules, expected) is(__LINE__, text, LEAT_TEMPLATE_##rules, expected)
static void is(int line, const char *text, enum leat_template_rules rules, const char *expected)
{
    struct leat_slice got = leat_value_text(value_of(text, rules));

    if (!leat_slice_eq(got, leat_slice_str(expected)))
        printf("line %d: %s: %.*s\n", line, text, LEAT_FMT(got));
    CU_ASSERT(leat_slice_eq(got, leat_slice_str(expected)));
}

static void expressions_stand_in_braces(void)
{
    begin();
    IS("", TEXT, "");
    IS("plain", TEXT, "plain");
    IS("{city}", TEXT, "Paris");
    IS("a{city}b{n + 1}c", TEXT, "aParisb8c");
    IS("{{n}} {n}", TEXT, "{n}} 7");
    IS("{{'a}': n}['a}']}!", TEXT, "{'a}': n}['a}']}!");
    IS("{ {'a}': n}['a}'] }!", TEXT, "7!");
    IS("{n > 5 ? 'x:%Y}' : 'y'}", TEXT, "x:%Y}");
    IS("{gone}", TEXT, "no such field 'gone'");
    IS("{default(gone, 'x')}", TEXT, "x");
    expression_fini(&e);
}

static void a_path_keeps_its_shape_whatever_the_data_says(void)
{
    begin();
    IS("out/{city}/{file}.txt", PATH,
       "out/Paris/\x01"
       "f.txt");
    IS("out/{up}/{file}", PATH, "'..' cannot be part of a path");
    IS("out/{slash}/{file}", PATH, "'a/b' cannot be part of a path");
    IS("out/{empty}/{file}", PATH, "'' cannot be part of a path");
    IS("out/{mark}/{file}", PATH,
       "'\x01"
       "f' cannot be part of a path");
    IS("{city}/{file}", PATH, "a path must start with a literal");
    IS("{file}", PATH, "a path must start with a literal");
    IS("out/{city}", PATH, "a path without {file}");
    expression_fini(&e);
}

static void a_topic_is_a_topic(void)
{
    begin();
    IS("orders.{city}", TOPIC, "orders.Paris");
    IS("orders.{slash}", TOPIC, "'a/b' cannot be part of a topic's name");
    IS("orders.{empty}", TOPIC, "'' cannot be part of a topic's name");
    IS("or ders", TOPIC, "a topic's name cannot contain this");
    IS("{city}", TOPIC, "a topic must start with a literal");
    expression_fini(&e);
}

static void mistakes_have_their_place(void)
{
    begin();
    value_of("abc {city", LEAT_TEMPLATE_TEXT);
    CU_ASSERT(leat_slice_eq(e.diags.first->text, LEAT_LIT("'{' without '}'")));
    value_of("abc {n + ctiy}", LEAT_TEMPLATE_TEXT);
    CU_ASSERT(leat_slice_eq(e.diags.first->text, LEAT_LIT("unknown name 'ctiy'")));
    CU_ASSERT_EQUAL(e.diags.first->mark.column, 10);
    CU_ASSERT_EQUAL(e.diags.first->mark.len, 4);
    value_of("{n +} {nn}", LEAT_TEMPLATE_TEXT);
    CU_ASSERT_EQUAL(e.diags.errors, 2);
    value_of("{items}", LEAT_TEMPLATE_TEXT);
    CU_ASSERT(leat_slice_eq(e.diags.first->text, LEAT_LIT("no such overload: string(list)")));
    expression_fini(&e);
}

LEAT_TESTS("template", T(expressions_stand_in_braces),
           T(a_path_keeps_its_shape_whatever_the_data_says), T(a_topic_is_a_topic),
           T(mistakes_have_their_place))
