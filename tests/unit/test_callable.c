/* Tests engine/expr/callable.c: functions in the place of expressions, call by call. */
#include "expr/callable.h"

#include "expr/program.h"
#include "expression.h"
#include "leat_test.h"

#define ROWS 5

static struct expression bench;

/* What calls saw, one behind the other. */
static struct {
    int64_t args[16];
    unsigned numbers[16]; /* of the calls, as who watches counts them */
    uint32_t count;
    bool all_inside, all_marked;
} seen;

static struct leat_value twice(const struct leat_callable *self, struct leat_call *call,
                               const struct leat_value *args, uint32_t count)
{
    const struct leat_watch *w = call->ev->watch;

    (void)self, (void)count;
    seen.all_inside &= leat_watch_is_inside();
    seen.all_marked &= w && atomic_load(&w->mark.running);
    seen.numbers[seen.count] = w ? atomic_load(&w->mark.calls) : 0;
    seen.args[seen.count++] = args[0].as.i;
    return leat_int(2 * args[0].as.i);
}

static void twice_of_rows(const struct leat_callable *self, struct leat_many *m)
{
    for (uint32_t i = 0; i < m->count; i++)
        m->values[m->rows[i]] = leat_calls_one(&m->calls, &m->args[0][m->rows[i]], 1);
    (void)self;
}

static const char *const names[] = {"x", "y", NULL};
static const struct leat_callable one_by_one = {.names = names, .needed = 1, .call = twice},
                                  many = {.names = names,
                                          .needed = 1,
                                          .call = twice,
                                          .rows = twice_of_rows};

static const struct leat_program *begin(const struct leat_callable *callable, unsigned limit_s)
{
    struct leat_compile c = {.names = &bench.names, .arena = &bench.arena, .diags = &bench.diags};

    memset(&seen, 0, sizeof seen);
    seen.all_inside = seen.all_marked = true;
    expression_init(&bench);
    expression_add(&bench, "x", LEAT_T_INT, leat_int(0));
    leat_eval_limit_calls(bench.ev, LEAT_LIT("job"), limit_s);
    for (int64_t i = 1; i < ROWS; i++)
        leat_chunk_add(&bench.chunk, &(struct leat_row){.time_ms = LEAT_NO_TIME});
    for (int64_t i = 0; i < ROWS; i++)
        bench.chunk.columns[LEAT_COL_PATHS][i] = leat_int(i + 1);
    struct leat_node *node = leat_arena_alloc(&bench.arena, sizeof *node);
    CU_ASSERT_PTR_NOT_NULL_FATAL(node);
    node->text = LEAT_LIT("twice");
    node->handed = callable;
    const struct leat_program *p = leat_compile(&c, node);
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    return p;
}

static int64_t result(uint32_t row)
{
    return bench.chunk.columns[LEAT_COL_PATHS + 2][row].as.i;
}

static void check_rows(const struct leat_callable *callable, unsigned limit_s)
{
    const struct leat_program *p = begin(callable, limit_s);

    leat_eval_chunk(p, bench.ev, &bench.chunk, LEAT_COL_PATHS + 2);
    CU_ASSERT_EQUAL(seen.count, ROWS);
    for (uint32_t i = 0; i < ROWS; i++) {
        CU_ASSERT_EQUAL(seen.args[i], i + 1);
        CU_ASSERT_EQUAL(result(i), 2 * (i + 1));
        CU_ASSERT_EQUAL(seen.numbers[i], limit_s ? i + 1 : 0);
    }
    CU_ASSERT(seen.all_inside && seen.all_marked == (limit_s > 0));
    CU_ASSERT(!leat_watch_is_inside());
    CU_ASSERT(!bench.ev->watch || !atomic_load(&bench.ev->watch->mark.running));
    expression_fini(&bench);
}

static void each_row_is_a_call_that_is_watched_by_itself(void)
{
    check_rows(&one_by_one, 3600);
    check_rows(&many, 3600);
}

static void without_a_limit_nobody_watches(void)
{
    check_rows(&one_by_one, 0);
    check_rows(&many, 0);
}

static void a_row_whose_argument_is_an_error_is_that_error_and_no_call(void)
{
    const struct leat_program *p = begin(&one_by_one, 0);

    bench.chunk.columns[LEAT_COL_PATHS][2] = leat_value_fail(LEAT_V_ABSENT, "no such field");
    leat_eval_chunk(p, bench.ev, &bench.chunk, LEAT_COL_PATHS + 2);
    CU_ASSERT_EQUAL(seen.count, ROWS - 1);
    CU_ASSERT_EQUAL(bench.chunk.columns[LEAT_COL_PATHS + 2][2].tag, LEAT_ERROR);
    CU_ASSERT_EQUAL(bench.chunk.columns[LEAT_COL_PATHS + 2][2].code, LEAT_V_ABSENT);
    CU_ASSERT_EQUAL(result(3), 8);
    expression_fini(&bench);
}

static void without_memory_for_who_watches_functions_are_called_all_the_same(void)
{
    const struct leat_program *p = begin(&one_by_one, 3600);

    LEAT_OOM_SWEEP {
        seen.count = 0;
        leat_eval_limit_calls(bench.ev, LEAT_LIT("job"), 3600);
        leat_eval_chunk(p, bench.ev, &bench.chunk, LEAT_COL_PATHS + 2);
        CU_ASSERT_EQUAL(seen.count, ROWS);
        CU_ASSERT(bench.ev->watch || leat_oom_hit());
        if (bench.ev->watch)
            leat_watch_free(bench.ev->watch);
        bench.ev->watch = NULL;
    }
    expression_fini(&bench);
}

LEAT_TESTS("callable", T(each_row_is_a_call_that_is_watched_by_itself),
           T(without_a_limit_nobody_watches),
           T(a_row_whose_argument_is_an_error_is_that_error_and_no_call),
           T(without_memory_for_who_watches_functions_are_called_all_the_same))
