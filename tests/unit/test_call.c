/* Tests engine/expr/call.c, and what all functions have in common. */
#include "expr/call.h"

#include "data/value_ops.h"
#include "leat_test.h"

#include "function_test.h"

/* One of each family, over a column, so that nothing is computed while compiling. */
static const char *const expressions[] = {
    "x.upper() + x.lowerAscii() + x.lpad(3000) + strings.quote(x)",
    "x.lpad(9, 'ab').split('a').join('-').replace('b', 'cc').reverse()",
    "'%s %d %.2f %x'.format([{x: [one, null]}, one, 2.5, x])",
    "timestamp(one).format('%F %T %Z', '+02:00')",
    "timestamp(one).getHours(x == 'x' ? '+02:00' : 'UTC')",
    "x.matches('x|y') && x.matches('[' + x + ']')",
    "(x + '1').extractAll('.').map(s, s.regexReplace('(.)', '<$1>'))",
    "parseTime('13/02/2009', '%d/%m/%Y').truncate('day', x == 'x' ? '-01:00' : 'UTC')",
    "[one, 3, 2, 2].sort().distinct().flatten().slice(0, 2).reverse() + range(one)",
    "{x: one}.merge({'a': 2}).keys() + {x: one}.values().map(v, string(v))",
    "base64.encode(x) + string(base64.decode('YQ==')) + hex(x) + sha256(x) + uuid([x, one])",
    "hash([x, one]) + size(toJson({x: [one]})) + size(parseJson('[1, {\"a\": 2}]'))",
    "parseUrl('http://h/p?q=1#f').host + parseQuery('a=b%20c&d').a",
    "round(one * 2.675, 2) + math.greatest(one, 2.5) + parseInt('ff', 16)",
};

static void lack_of_memory_is_an_error_of_the_row(void)
{
    begin();
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        const struct leat_program *p = expression_compile(&bench, expressions[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(p);
        for (uint32_t c = 0; c < bench.count; c++)
            bench.chunk.columns[LEAT_COL_PATHS + c][0] = bench.columns[c].value;
        LEAT_OOM_SWEEP {
            struct leat_arena arena = {0}, *own = bench.chunk.arena;
            struct leat_eval *ev = leat_eval_new();
            bench.chunk.arena = &arena;
            struct leat_value v = {0};
            if (ev)
                v = leat_eval_row(p, ev, &bench.chunk, 0);
            CU_ASSERT(v.tag != LEAT_ERROR || (leat_oom_hit() && v.code == LEAT_V_BUDGET));
            bench.chunk.arena = own;
            leat_eval_free(ev);
            leat_arena_reset(&arena);
        }
    }
    end();
}

static void check_overload(const char *name, const char *overload, size_t len)
{
    const char *arrow = memchr(overload, '>', len);
    const char *star = memchr(overload, '*', len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(arrow);
    CU_ASSERT(arrow - overload >= 1 && arrow - overload <= LEAT_FN_ARGS_MAX);
    CU_ASSERT(!star || star + 1 == arrow);
    for (size_t i = 0; i < len; i++)
        if (!strchr("ABIUDNSYTPLMZ>*", overload[i])) {
            printf("    %s: %s\n", name, overload);
            CU_FAIL("an overload with an unknown letter");
        }
}

static void check_function(const struct leat_function *f, void *arg)
{
    const char *p = f->overloads;

    ++*(int *)arg;
    CU_ASSERT(f->form && f->call && f->signature && f->help);
    CU_ASSERT(strstr(f->signature, f->name) != NULL);
    CU_ASSERT(f->help[strlen(f->help) - 1] == '.');
    while (*p) {
        size_t len = strcspn(p, " ");
        check_overload(f->name, p, len);
        p += len + (p[len] == ' ');
    }
    for (unsigned form = LEAT_FN_GLOBAL; form <= LEAT_FN_MEMBER; form <<= 1)
        if (f->form & form)
            CU_ASSERT_PTR_EQUAL(leat_function_find(leat_slice_str(f->name), form), f);
}

static void every_function_is_documented_and_named_once(void)
{
    int count = 0;

    leat_function_each(check_function, &count);
    CU_ASSERT(count > 90);
}

static void sorting_is_stable_and_charged(void)
{
    struct leat_arena arena = {0};
    struct leat_call call = {.arena = &arena};
    static struct call_pair pairs[1000];
    struct leat_value why;

    begin();
    call.ev = bench.ev;
    (void)expression_value(&bench, "one"); /* gives the steps of a row */
    for (int i = 0; i < 1000; i++)
        pairs[i] = (struct call_pair){leat_int(i * 7919 % 10), leat_int(i)};
    CU_ASSERT(call_sort(&call, pairs, 1000, leat_value_order, &why));
    for (int i = 1; i < 1000; i++)
        CU_ASSERT(pairs[i - 1].key.as.i < pairs[i].key.as.i ||
                  (pairs[i - 1].key.as.i == pairs[i].key.as.i &&
                   pairs[i - 1].value.as.i < pairs[i].value.as.i));
    while (leat_call_charge(&call, 1000))
        ;
    CU_ASSERT_FALSE(call_sort(&call, pairs, 1000, leat_value_order, &why));
    CU_ASSERT_EQUAL(why.code, LEAT_V_BUDGET);
    leat_arena_reset(&arena);
    end();
}

static void whole_numbers_are_recognized(void)
{
    int64_t i;

    CU_ASSERT(call_whole(leat_double(-3.0), &i) && i == -3);
    CU_ASSERT(call_whole(call_uint_value(3), &i) && i == 3);
    CU_ASSERT_FALSE(call_whole(leat_double(0.5), &i));
    CU_ASSERT_FALSE(call_whole(leat_double(9223372036854775808.0), &i));
    CU_ASSERT_FALSE(call_whole(call_uint_value(UINT64_MAX), &i));
    CU_ASSERT_FALSE(call_whole(leat_bool(true), &i));
}

LEAT_TESTS("call", T(lack_of_memory_is_an_error_of_the_row),
           T(every_function_is_documented_and_named_once), T(sorting_is_stable_and_charged),
           T(whole_numbers_are_recognized))
