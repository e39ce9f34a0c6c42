/* Tests engine/expr/eval*.c: what expressions give. */
#include "expression.h"
#include "leat_test.h"

#include <stdio.h>

static struct expression e;

static struct leat_value text(const char *s)
{
    return leat_string(leat_slice_str(s));
}

static void begin(void)
{
    expression_init(&e);
    expression_add(&e, "amount", LEAT_T_ANY, leat_int(10));
    expression_add(&e, "price", LEAT_T_DOUBLE, leat_double(2.5));
    expression_add(&e, "n", LEAT_T_INT, leat_int(7));
    expression_add(&e, "status", LEAT_T_STRING, text("paid"));
    expression_add(&e, "coupon", LEAT_T_ANY,
                   leat_value_fail(LEAT_V_ABSENT, "no such field 'coupon'"));
    expression_add(&e, "nothing", LEAT_T_ANY, (struct leat_value){0});
    expression_add(&e, "broken", LEAT_T_ANY, leat_value_fail(LEAT_V_SYNTAX, "not a number"));
    expression_add(&e, "big", LEAT_T_ANY,
                   (struct leat_value){.tag = LEAT_UINT, .as.u = UINT64_MAX});
}

static void end(void)
{
    expression_fini(&e);
}

#define IS(expr, expected) is(__LINE__, expr, expected)
static void is(int line, const char *expr, const char *expected)
{
    const char *got = expression_text(&e, expr);

    if (strcmp(got, expected) != 0)
        printf("line %d: %s\n    expected %s\n    got      %s\n", line, expr, expected, got);
    CU_ASSERT_STRING_EQUAL(got, expected);
}

static void numbers_mix_and_division_is_true_unless_both_are_known_ints(void)
{
    begin();
    IS("amount + 1", "11");
    IS("amount + price", "12.5");
    IS("amount / 4", "2.5");
    IS("amount / 5", "2.0");
    IS("n / 2", "3");
    IS("7 / 2", "3");
    IS("7u / 2u", "3");
    IS("7 / 2u", "3.5");
    IS("int(amount) / 4", "2");
    IS("n / size([1, 2])", "3");
    IS("[7, 8].map(x, x / 2)", "[3,4]");
    IS("[7, 8.0].map(x, x / 2)", "[3.5,4.0]");
    IS("{'a': 7}.a / 2", "3");
    IS("cel.bind(x, 7, x / 2)", "3");
    IS("amount % 3", "1");
    IS("-amount", "-10");
    IS("big - 1", "18446744073709551614");
    IS("big - big", "0");
    IS("big > amount", "true");
    IS("1 == 1.0 && 1u == 1 && 1 < 1.5", "true");
    end();
}

static void what_cannot_be_computed_says_why(void)
{
    begin();
    IS("9223372036854775807 + n", "error: integer overflow");
    IS("-9223372036854775807 - n", "error: integer overflow");
    IS("big * 2u", "error: integer overflow");
    IS("n / 0", "error: division by zero");
    IS("amount / 0", "error: division by zero");
    IS("n % 0", "error: remainder of a division by zero");
    IS("amount + dyn('x')", "error: no such overload: int + string");
    IS("coupon", "error: no such field 'coupon'");
    IS("{'a': 1}.b", "refused: no such field 'b'");
    IS("{'a': 1}['b']", "refused: no such key: 'b'");
    IS("[1][n]", "error: index 7 is outside a list of 1");
    IS("amount.x", "error: a value of type int has no field 'x'");
    IS("!amount", "error: no such overload: ! with int");
    IS("-dyn(status)", "error: no such overload: -string");
    IS("{status: 1, 'paid': 2}", "error: a key stands twice in a map");
    IS("amount.map(x, x)", "error: no such overload: int.map()");
    end();
}

static void logic_absorbs_errors(void)
{
    begin();
    IS("broken || true", "true");
    IS("true || broken", "true");
    IS("broken && false", "false");
    IS("broken || false", "error: not a number");
    IS("broken && coupon", "error: not a number");
    IS("coupon && false", "false");
    IS("amount || true", "true");
    IS("status == 'paid' ? 1 : broken", "1");
    IS("broken ? 1 : 2", "error: not a number");
    IS("[1, 0, 2].exists(x, 4 / x == 2)", "true");
    IS("[1, 0].exists(x, 4 / x == 2)", "error: division by zero");
    IS("[1, 0].all(x, 4 / x == 2)", "false");
    IS("[2, 0].all(x, 4 / x == 2)", "error: division by zero");
    end();
}

static void absent_is_not_null_and_not_any_error(void)
{
    begin();
    IS("default(coupon, 'none')", "\"none\"");
    IS("default(nothing, 1)", "1");
    IS("default(amount, 1)", "10");
    IS("default(broken, 1)", "error: not a number");
    IS("default({'a': 1}.b, 2)", "2");
    IS("default(nothing.b, 2)", "2");
    IS("has(nothing.b.c) || has(amount.b)", "false");
    IS("try(broken, 1)", "1");
    IS("try(coupon, 2)", "2");
    IS("try(1 / (n - 7), -1)", "-1");
    IS("has(coupon)", "false");
    IS("has(nothing)", "true");
    IS("has(amount)", "true");
    IS("has(broken)", "error: not a number");
    IS("has({'a': {}}.a.b)", "false");
    IS("has({'a': 1}.a)", "true");
    IS("coupon == 'x'", "error: no such field 'coupon'");
    end();
}

static void optionals_carry_what_may_be_absent(void)
{
    begin();
    IS("{'a': 1}.?a", "1");
    IS("{'a': 1}.?b", "null");
    IS("{'a': 1}.?b.orValue(5)", "5");
    IS("{'a': 1}.?a.orValue(5)", "1");
    IS("{'a': {'b': 2}}.?a.b.orValue(0)", "2");
    IS("{'a': {'b': 2}}.?x.b.orValue(0)", "0");
    IS("{'a': null}.?a.hasValue()", "true");
    IS("{'a': null}.?b.hasValue()", "false");
    IS("[1, 2][?5].orValue(9)", "9");
    IS("[1, 2][?1].value()", "2");
    IS("[][?0].value()", "refused: the optional is empty");
    IS("optional.none().or(optional.of(3)).value()", "3");
    IS("optional.ofNonZeroValue('').hasValue()", "false");
    IS("optional.of(4).optMap(x, x * 2).orValue(0)", "8");
    IS("optional.none().optMap(x, x * 2).orValue(0)", "0");
    IS("optional.of(4).optFlatMap(x, optional.none()).hasValue()", "false");
    IS("[?optional.none(), ?optional.of(1), 2]", "[1,2]");
    IS("{?'a': optional.none(), ?'b': optional.of(1)}", "{\"b\":1}");
    end();
}

static void macros_go_through_lists_and_maps(void)
{
    begin();
    IS("[1, 2, 3].filter(x, x > 1).map(y, y * n)", "[14,21]");
    IS("[1, 2, 3].map(x, x > 1, x * 10)", "[20,30]");
    IS("[3, 4].transformList(i, x, i * 100 + x)", "[3,104]");
    IS("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v + 1)", "{\"b\":3}");
    IS("{'a': 1}.transformMapEntry(k, v, {string(v): k})", "{\"1\":\"a\"}");
    IS("['a', 'b'].transformMapEntry(i, v, {'k': i})", "error: a key stands twice in a map");
    IS("[1, 2, 3, 4].fold(acc, x, 0, acc + x)", "10");
    IS("[1, 2.5].fold(acc, x, 0, acc + x)", "3.5");
    IS("[3].fold(acc, x, 4, (acc + x) / 2)", "3.5");
    IS("['c', 'a'].fold(acc, x, '', acc + x)", "\"ca\"");
    IS("[3, 1, 2].sortBy(x, -x)", "[3,2,1]");
    IS("['bb', 'a', 'cc'].sortBy(x, size(x))", "[\"a\",\"bb\",\"cc\"]");
    IS("[1, 1, 2].exists_one(x, x == 2)", "true");
    IS("[[1, 2], [3]].map(l, l.map(x, x + size(l)))", "[[3,4],[4]]");
    IS("cel.bind(a, 1, cel.bind(b, 2, a + b))", "3");
    IS("2 in [1, 2] && !('x' in {'y': 1}) && 'y' in {'y': 1}", "true");
    end();
}

static void every_row_has_a_budget(void)
{
    begin();
    IS("size([n,1,1,1,1,1,1,1,1,1].map(a, [1,1,1,1,1,1,1,1,1,1].map(b, "
       "[1,1,1,1,1,1,1,1,1,1].map(c, "
       "[1,1,1,1,1,1,1,1,1,1].map(d, [1,1,1,1,1,1,1,1,1,1].map(f, [1,1,1,1,1,1,1,1,1,1].map(g, "
       "[1,2,3].map(h, h))))))))",
       "error: the expression takes too many steps");
    e.arena.cap = e.arena.bytes + (1 << 20);
    IS("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1].fold(a, x, status, a + a)",
       "error: the expression takes too much memory");
    e.arena.cap = 0;
    IS("status + '!'", "\"paid!\"");
    end();
}

static void every_selected_row_is_evaluated_and_no_other(void)
{
    begin();
    const struct leat_program *p = expression_compile(&e, "n * 2");
    uint32_t out = LEAT_COL_PATHS + EXPRESSION_COLUMNS;

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    for (uint32_t i = 1; i < 10; i++)
        leat_chunk_add(&e.chunk, &(struct leat_row){.time_ms = LEAT_NO_TIME});
    for (uint32_t i = 0; i < 10; i++) {
        e.chunk.columns[LEAT_COL_PATHS + 2][i] = leat_int(i);
        e.chunk.columns[out][i] = leat_int(-1);
    }
    e.chunk.selected = 0;
    for (uint16_t i = 0; i < 10; i += 3)
        e.chunk.selection[e.chunk.selected++] = i;
    leat_eval_chunk(p, e.ev, &e.chunk, out);
    for (uint32_t i = 0; i < 10; i++)
        CU_ASSERT_EQUAL(e.chunk.columns[out][i].as.i, i % 3 ? -1 : 2 * (int)i);
    CU_ASSERT_EQUAL(leat_eval_row(p, e.ev, &e.chunk, 4).as.i, 8);
    end();
}

static void text_functions_of_the_language_work(void)
{
    begin();
    IS("status.contains('ai') && status.startsWith('pa') && status.endsWith('id')", "true");
    IS("size('πέντε') + size(b'abc') + size({}) + [1].size()", "9");
    IS("string(1.5) + string(2.0) + string(7u) + string(true) + string(b'x')", "\"1.527truex\"");
    IS("int('-9223372036854775808')", "-9223372036854775808");
    IS("int('9223372036854775808')", "refused: the text is no int");
    IS("int(1e19)", "refused: the number is out of range");
    IS("uint(-1)", "refused: the number is out of range");
    IS("double('-12.5e1')", "-125.0");
    IS("double('x')", "refused: the text is no double");
    IS("bool('False')", "false");
    IS("string(b'\\xff')", "refused: the bytes are no UTF-8");
    IS("type(n) == int && type(type(1)) == type && type(nothing) == null_type", "true");
    end();
}

LEAT_TESTS("eval", T(numbers_mix_and_division_is_true_unless_both_are_known_ints),
           T(what_cannot_be_computed_says_why), T(logic_absorbs_errors),
           T(absent_is_not_null_and_not_any_error), T(optionals_carry_what_may_be_absent),
           T(macros_go_through_lists_and_maps), T(every_row_has_a_budget),
           T(every_selected_row_is_evaluated_and_no_other), T(text_functions_of_the_language_work))
