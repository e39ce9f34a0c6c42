/* Tests engine/expr/functions_list.c, functions_map.c and the sort of call.c. */
#include "leat_test.h"

#include "function_test.h"

static void numbers_of_a_list_are_added(void)
{
    begin();
    IS("[1, 2, null, 3].sum()", "6");
    IS("[1, 2.5].sum()", "3.5");
    IS("[1u, 2u].sum()", "3");
    IS("type([1u, 2u].sum()) == uint", "true");
    IS("[1, 2u].sum()", "3");
    IS("sum([])", "0");
    BEGINS("[9223372036854775807, 1].sum()", "error: the sum is beyond");
    BEGINS("[18446744073709551615u, 1].sum()", "error: the sum is beyond");
    BEGINS("['a'].sum()", "error: no such overload");
    IS("[1, 2, null].avg()", "1.5");
    IS("[9223372036854775807, 9223372036854775807].avg()", "9.223372036854776e18");
    IS("[].avg()", "null");
    end();
}

static void extremes_and_ends(void)
{
    begin();
    IS("[3, 1.5, null, 2u].min()", "1.5");
    IS("['b', 'a'].max()", "\"b\"");
    IS("[].max()", "null");
    BEGINS("[1, 'a'].max()", "error: no such overload");
    IS("[[1, 2].first(), [1, 2].last(), [].first(), [].last()]", "[1,2,null,null]");
    end();
}

static void lists_are_sorted_and_made_distinct(void)
{
    begin();
    IS("[3, 1.5, 2u, 1].sort()", "[1,1.5,2,3]");
    IS("['b', 'B', 'a'].sort()", "[\"B\",\"a\",\"b\"]");
    IS("[].sort()", "[]");
    IS("range(1000).reverse().sort() == range(1000)", "true");
    IS("[1, 'a', 1.0, 'a', 2].distinct()", "[1,\"a\",2]");
    IS("range(1000).map(i, i % 7).distinct()", "[0,1,2,3,4,5,6]");
    end();
}

static void lists_are_cut_and_made(void)
{
    begin();
    IS("[1, 2, 3].slice(1)", "[2,3]");
    IS("[1, 2, 3].slice(1, 2)", "[2]");
    IS("[1].slice(1, 1)", "[]");
    BEGINS("[1].slice(0, 2)", "error: index out of range");
    BEGINS("[1].slice(-1, 1)", "error: index out of range");
    BEGINS("[1].slice(1, 0)", "error: index out of range");
    IS("[1, [2, [3]], []].flatten()", "[1,2,[3]]");
    IS("[1, [2, [3]]].flatten(2)", "[1,2,3]");
    IS("[[1]].flatten(0)", "[[1]]");
    BEGINS("[1].flatten(-1)", "error: flatten() to a negative");
    IS("range(3)", "[0,1,2]");
    IS("range(2, 4)", "[2,3]");
    IS("range(0)", "[]");
    IS("range(-3)", "[]");
    IS("lists.range(2)", "[0,1]");
    BEGINS("range(one * 9223372036854775807)", "error: the result would be larger");
    BEGINS("range(one * -9223372036854775807, 9223372036854775807)",
           "error: the result would be larger");
    BEGINS("range(one * 600000).size() + range(one * 600000).size()",
           "error: the expression takes too many steps");
    end();
}

static void maps_give_their_parts(void)
{
    begin();
    IS("{'b': 1, 'a': 2}.keys()", "[\"b\",\"a\"]");
    IS("{'b': 1, 'a': 2}.values()", "[1,2]");
    IS("{'a': 1, 'b': 2}.merge({'b': 3, 'c': 4})", "{\"a\":1,\"b\":3,\"c\":4}");
    IS("merge({'a': 1}, {}, {'a': 2}, {'b': 3})", "{\"a\":2,\"b\":3}");
    IS("{'a': 1}.get('a')", "1");
    IS("{'a': 1}.get('b')", "null");
    IS("{'a': 1}.get('b', 7)", "7");
    IS("{1: 'x'}.get(1.0)", "\"x\"");
    IS("[5, 6].get(1)", "6");
    IS("[5, 6].get(2, 0)", "0");
    IS("[5, 6].get(-1, 0)", "0");
    BEGINS("dyn(1).keys()", "error: no such overload");
    IS("parseJson('{\"a\": {\"b\": [1]}}').a.get('b')", "[1]");
    end();
}

static void lack_of_memory_is_an_error_of_the_row(void)
{
    static const char *const exprs[] = {
        "range(one * 50000)", "range(one * 3000).sort()", "range(one * 3000).distinct()",
        "x.lpad(300000)",     "x.lpad(100000).upper()",   "x.lpad(100000).split('')",
    };

    for (size_t i = 0; i < sizeof exprs / sizeof *exprs; i++) {
        begin();
        bench.arena.cap = bench.arena.bytes + 200000;
        struct leat_value v = expression_value(&bench, exprs[i]);
        CU_ASSERT_EQUAL(v.tag, LEAT_ERROR);
        CU_ASSERT_EQUAL(v.code, LEAT_V_BUDGET);
        end();
    }
}

LEAT_TESTS("functions_list", T(numbers_of_a_list_are_added), T(extremes_and_ends),
           T(lists_are_sorted_and_made_distinct), T(lists_are_cut_and_made),
           T(maps_give_their_parts), T(lack_of_memory_is_an_error_of_the_row))
