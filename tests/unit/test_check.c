/* Tests engine/expr/check*.c, macro.c, static_type.c and compile.c: meanings, types, mistakes. */
#include "expression.h"
#include "leat_test.h"

#include <stdio.h>

static struct expression e;

static void begin(void)
{
    static const struct leat_type text = {.kind = LEAT_T_STRING}, number = {.kind = LEAT_T_INT};
    static const struct leat_type_field fields[] = {
        {.name = {"name", 4}, .type = &text},
        {.name = {"age", 3}, .type = &number},
    };
    static const struct leat_type user = {.kind = LEAT_T_RECORD, .fields = fields, .count = 2};

    expression_init(&e);
    expression_add(&e, "amount", LEAT_T_DOUBLE, leat_double(1));
    expression_add(&e, "status", LEAT_T_STRING, leat_string(LEAT_LIT("x")));
    expression_add(&e, "n", LEAT_T_INT, leat_int(1));
    expression_add(&e, "at", LEAT_T_TIMESTAMP, (struct leat_value){.tag = LEAT_TIMESTAMP});
    expression_add(&e, "anything", LEAT_T_ANY, leat_int(1));
    expression_add(&e, "user", LEAT_T_ANY, leat_int(1));
    expression_add(&e, "this.user-id", LEAT_T_INT, leat_int(5));
    expression_add(&e, "type", LEAT_T_INT, leat_int(6));
    e.columns[5].type = &user;
}

#define WRONG(expr, text, hint) wrong(__LINE__, expr, text, hint)
static void wrong(int line, const char *expr, const char *text, const char *hint)
{
    CU_ASSERT_PTR_NULL(expression_compile(&e, expr));
    struct leat_diag *d = e.diags.first;
    CU_ASSERT_PTR_NOT_NULL_FATAL(d);
    if (!leat_slice_eq(d->text, leat_slice_str(text)) ||
        !leat_slice_eq(d->hint, leat_slice_str(hint)))
        printf("line %d: %s\n    %.*s (%.*s)\n", line, expr, LEAT_FMT(d->text), LEAT_FMT(d->hint));
    CU_ASSERT(leat_slice_eq(d->text, leat_slice_str(text)));
    CU_ASSERT(leat_slice_eq(d->hint, leat_slice_str(hint)));
}

static enum leat_type_kind kind_of(const char *expr)
{
    const struct leat_program *p = expression_compile(&e, expr);

    if (!p)
        printf("%s: %.*s\n", expr, LEAT_FMT(e.diags.first->text));
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    return leat_program_type(p)->kind;
}

static void unknown_names_are_told_with_the_nearest(void)
{
    begin();
    WRONG("ammount > 1", "unknown name 'ammount'", "did you mean 'amount'?");
    WRONG("[1].map(item, itme)", "unknown name 'itme'", "did you mean 'item'?");
    WRONG("user.nmae", "unknown field 'nmae'", "did you mean 'name'?");
    WRONG("user['agee']", "unknown field 'agee'", "did you mean 'age'?");
    WRONG("status.startWith('a')", "unknown function 'startWith'", "did you mean 'startsWith'?");
    WRONG("contains(status, 'a')", "unknown function 'contains'",
          "it is written text.contains(part)");
    WRONG("status.int()", "unknown function 'int'", "it is written int(x)");
    WRONG("math.foo(1)", "unknown function 'math.foo'", "did you mean 'math.floor'?");
    WRONG("now()", "unknown function 'now'", "there is no clock; meta.batch_time is the batch's");
    WRONG("stddev(amount)", "stddev() is an aggregate: it belongs into `aggregate`", "");
    WRONG("[1].fold(a, b)", "fold() with 2 arguments", "it is list.fold(acc, x, init, expr)");
    expression_fini(&e);
}

static void types_that_do_not_fit_are_told(void)
{
    begin();
    WRONG("status + n", "no such overload: string + int", "string(x) makes text of a value");
    WRONG("status > n", "no such overload: string > int",
          "double(x) or int(x) reads a number from text");
    WRONG("status == 5", "no such overload: string == int",
          "double(x) or int(x) reads a number from text");
    WRONG("at + 1", "no such overload: timestamp + int", "");
    WRONG("at + at", "no such overload: timestamp + timestamp", "");
    WRONG("n && true", "&& wants a bool, this is int", "compare it with something");
    WRONG("n ? 1 : 2", "the condition before '?' wants a bool, this is int",
          "compare it with something");
    WRONG("-status", "no such overload: -string", "");
    WRONG("status.name", "a value of type string has no field 'name'", "");
    WRONG("status[0]", "no such overload: string[int]", "x.charAt(i) is a character of text");
    WRONG("n.map(x, x)", "no such overload: int.map()", "");
    WRONG("[1].all(x, x + 1)", "all() wants a bool, this is int", "compare it with something");
    WRONG("[1].map(1, 2)", "this must be the name of a variable", "it is list.map(x, expr)");
    WRONG("[1].exists(x, x, true)", "two variables named 'x'", "");
    WRONG("size(n)", "no such overload: size(int)", "it is size(x), x.size()");
    WRONG("{1.5: 1}", "a map's key cannot be of type double", "");
    WRONG("has(1 + 1)", "has() wants a field: has(a.b)", "");
    WRONG("1 in status", "no such overload: int in string", "");
    WRONG("amount % 2", "no such overload: double % int", "");
    expression_fini(&e);
}

static void constants_that_always_fail_are_told(void)
{
    begin();
    WRONG("amount > double('x')", "the text is no double", "");
    WRONG("n + 1 / 0", "division by zero", "");
    WRONG("[1, 2][5] + n", "index 5 is outside a list of 2", "");
    CU_ASSERT_STRING_EQUAL(expression_text(&e, "try(double('x'), 1.0)"), "1.0");
    CU_ASSERT_STRING_EQUAL(expression_text(&e, "n == 1 || 1 / 0 == 1"), "true");
    CU_ASSERT_STRING_EQUAL(expression_text(&e, "n == 1 ? 2 : 1 / 0"), "2");
    CU_ASSERT_STRING_EQUAL(expression_text(&e, "[].map(x, 1 / 0)"), "[]");
    CU_ASSERT_STRING_EQUAL(expression_text(&e, "cel.bind(x, 1 / 0, n)"), "1");
    expression_fini(&e);
}

static void several_mistakes_are_told_at_once(void)
{
    begin();
    CU_ASSERT_PTR_NULL(expression_compile(&e, "foo + bar > 1 && status + 1 == 'x' || baz()"));
    CU_ASSERT_EQUAL(e.diags.errors, 4);
    expression_fini(&e);
}

static void types_are_inferred(void)
{
    begin();
    CU_ASSERT_EQUAL(kind_of("n + 1"), LEAT_T_INT);
    CU_ASSERT_EQUAL(kind_of("n + amount"), LEAT_T_DOUBLE);
    CU_ASSERT_EQUAL(kind_of("anything / 2"), LEAT_T_DOUBLE);
    CU_ASSERT_EQUAL(kind_of("anything + 2"), LEAT_T_ANY);
    CU_ASSERT_EQUAL(kind_of("n > 1 ? 'a' : 'b'"), LEAT_T_STRING);
    CU_ASSERT_EQUAL(kind_of("n > 1 ? 'a' : 2"), LEAT_T_ANY);
    CU_ASSERT_EQUAL(kind_of("[1, 2].map(x, string(x))[0]"), LEAT_T_STRING);
    CU_ASSERT_EQUAL(kind_of("{'a': 1}.a"), LEAT_T_INT);
    CU_ASSERT_EQUAL(kind_of("{1: 'a'}.map(k, k)[0]"), LEAT_T_INT);
    CU_ASSERT_EQUAL(kind_of("user.age"), LEAT_T_INT);
    CU_ASSERT_EQUAL(kind_of("at - at"), LEAT_T_DURATION);
    CU_ASSERT_EQUAL(kind_of("default(n, 0)"), LEAT_T_INT);
    CU_ASSERT_EQUAL(kind_of("[1, 2].filter(x, x > 1)"), LEAT_T_LIST);
    CU_ASSERT_EQUAL(kind_of("size(status) in [1]"), LEAT_T_BOOL);
    CU_ASSERT_EQUAL(kind_of("type"), LEAT_T_INT);
    CU_ASSERT_EQUAL(kind_of("int"), LEAT_T_TYPE);
    expression_fini(&e);
}

static void names_that_are_no_identifiers_are_indexes(void)
{
    begin();
    CU_ASSERT_STRING_EQUAL(expression_text(&e, "this['user-id'] + 1"), "6");
    CU_ASSERT_STRING_EQUAL(expression_text(&e, "this.`user-id`"), "5");
    CU_ASSERT_STRING_EQUAL(expression_text(&e, "has(this['user-id'])"), "true");
    CU_ASSERT_STRING_EQUAL(expression_text(&e, "this.?`user-id`.orValue(1)"), "5");
    CU_ASSERT_STRING_EQUAL(expression_text(&e, "type + 1"), "7");
    CU_ASSERT_STRING_EQUAL(expression_text(&e, ".n"), "1");
    CU_ASSERT_STRING_EQUAL(expression_text(&e, "[5].map(n, n + .n)"), "[6]");
    expression_fini(&e);
}

static void count_column(uint32_t column, void *arg)
{
    (void)column;
    ++*(int *)arg;
}

static void a_program_says_what_it_is(void)
{
    begin();
    struct leat_value v;
    uint32_t column;
    int columns = 0;
    const struct leat_program *p = expression_compile(&e, " amount ");

    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT(leat_program_is_column(p, &column));
    CU_ASSERT_EQUAL(column, LEAT_COL_PATHS);
    CU_ASSERT_FALSE(leat_program_is_constant(p, &v));
    CU_ASSERT(leat_slice_eq(leat_program_source(p), LEAT_LIT("amount")));
    p = expression_compile(&e, "size([1, 2] + [3]) * 2 == 6 ? 'a' + 'b' : 'c'");
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT(leat_program_is_constant(p, &v));
    CU_ASSERT(leat_slice_eq(leat_value_text(v), LEAT_LIT("ab")));
    p = expression_compile(&e, "n + n > amount || status == 'y'");
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    leat_program_columns(p, count_column, &columns);
    CU_ASSERT_EQUAL(columns, 3);
    expression_fini(&e);
}

/* Aggregates: every call becomes the next free column. */
static enum leat_found aggregate(struct leat_names *self, const struct leat_aggregate_call *call,
                                 struct leat_ref *ref)
{
    struct expression *x = (struct expression *)self;
    uint32_t column;

    if (leat_slice_eq(call->name, LEAT_LIT("top"))) {
        self->why = "top() is not today";
        self->instead = "use max()";
        return LEAT_FOUND_ERROR;
    }
    CU_ASSERT_EQUAL(call->count, leat_slice_eq(call->name, LEAT_LIT("count")) ? 0 : 1);
    if (call->count)
        CU_ASSERT(leat_program_is_column(call->args[0], &column));
    CU_ASSERT_EQUAL(call->source.ptr[call->source.len - 1], ')');
    expression_add(x, "(aggregate)", LEAT_T_INT, leat_int(6));
    *ref = (struct leat_ref){LEAT_COL_PATHS + x->count - 1, 1, leat_type_of_kind(LEAT_T_INT)};
    return LEAT_FOUND;
}

static void aggregates_are_handed_over_with_their_arguments(void)
{
    struct expression row;

    begin();
    expression_init(&row);
    expression_add(&row, "price", LEAT_T_INT, leat_int(1));
    e.names.row = &row.names;
    e.names.aggregate = aggregate;
    CU_ASSERT_STRING_EQUAL(expression_text(&e, "sum(price) / count() + n"), "2");
    WRONG("sum(amount)", "unknown name 'amount'", "known here: price");
    WRONG("sum(max(price))", "max() is an aggregate: it belongs into `aggregate`",
          "of a list it is list.max()");
    WRONG("price", "unknown name 'price'",
          "known here: amount, status, n, at, anything, user, this.user-id, type");
    WRONG("top(price, 2)", "top() is not today", "use max()");
    expression_fini(&row);
    expression_fini(&e);
}

static bool seen_size, seen_has, seen_plus;

static void see(const struct leat_function_doc *doc, void *arg)
{
    (void)arg;
    CU_ASSERT(doc->signature[0] && doc->help[0]);
    seen_size = seen_size || strcmp(doc->name, "size") == 0;
    seen_has = seen_has || strcmp(doc->name, "has") == 0;
    seen_plus = seen_plus || strcmp(doc->name, "+") == 0;
}

static void functions_macros_and_operators_are_documented(void)
{
    leat_functions_each(see, NULL);
    CU_ASSERT(seen_size && seen_has && seen_plus);
}

static void a_list_is_no_expression(void)
{
    begin();
    struct leat_node node = {.kind = LEAT_NODE_LIST};
    struct leat_compile c = {.names = &e.names, .arena = &e.arena, .diags = &e.diags};

    CU_ASSERT_PTR_NULL(leat_compile(&c, &node));
    CU_ASSERT_EQUAL(e.diags.errors, 1);
    expression_fini(&e);
}

LEAT_TESTS("check", T(unknown_names_are_told_with_the_nearest), T(types_that_do_not_fit_are_told),
           T(constants_that_always_fail_are_told), T(several_mistakes_are_told_at_once),
           T(types_are_inferred), T(names_that_are_no_identifiers_are_indexes),
           T(a_program_says_what_it_is), T(aggregates_are_handed_over_with_their_arguments),
           T(functions_macros_and_operators_are_documented), T(a_list_is_no_expression))
