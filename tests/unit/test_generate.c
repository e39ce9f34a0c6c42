/* Tests connectors/generate.c: the contract of all pull sources, then its pace. */
#include "instance.h"
#include "leat_test.h"
#include "source_contract.h"

static struct leat_error err;
static const char *const good[] = {"count=5", NULL};
static const struct source_case source = {.name = "generate", .good = good};

LEAT_PULL_CONTRACT(source)

static struct leat_block *answer;

static void keep(void *arg, const struct leat_fetch *fetch, struct leat_block *block,
                 const struct leat_error *error)
{
    (void)arg, (void)fetch, (void)error;
    answer = block;
}

static int64_t test_ms;

static int64_t test_now(const struct leat_clock *c)
{
    (void)c;
    return test_ms;
}

static const struct leat_clock test_clock = {.now_ms = test_now, .monotonic_ms = test_now};

static void start(struct instance *i, const char *const *settings)
{
    instance_init(i, "generate", settings);
    i->env.clock = &test_clock;
    test_ms = 1000000;
    OK(i->module->pull->open(i->self, &i->env, &err));
}

/* How many rows there are at `now_ms` from `from` on. */
static int64_t rows_at(struct instance *i, int64_t now_ms, int64_t from)
{
    struct leat_fetch fetch = {.from = from, .max_bytes = 1 << 20};

    test_ms = now_ms;
    i->module->pull->fetch(i->self, &fetch, keep, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    int64_t rows = answer->to - answer->from;
    CU_ASSERT_EQUAL(answer->rows_hint, rows);
    leat_block_unref(answer);
    return rows;
}

static void records_come_at_their_rate(void)
{
    static const char *const settings[] = {"rate=100/s", "count=1000", NULL};
    struct instance i;

    start(&i, settings);
    CU_ASSERT_EQUAL(rows_at(&i, 1000000, 0), 0);
    CU_ASSERT_EQUAL(rows_at(&i, 1000005, 0), 0);
    CU_ASSERT_EQUAL(rows_at(&i, 1000010, 0), 1);
    CU_ASSERT_EQUAL(rows_at(&i, 1001000, 1), 99);
    CU_ASSERT_EQUAL(rows_at(&i, 1005000, 100), 400); /* it makes up for a pause */
    CU_ASSERT_EQUAL(rows_at(&i, 2000000, 500), 500); /* and ends */
    CU_ASSERT_EQUAL(rows_at(&i, 2000000, 1000), 0);
    i.module->pull->close(i.self);
    instance_fini(&i);
}

static void without_catch_up_a_pause_is_over(void)
{
    static const char *const settings[] = {"rate=100/s", "catch_up=false", NULL};
    struct instance i;

    start(&i, settings);
    CU_ASSERT_EQUAL(rows_at(&i, 1000000, 0), 0);
    CU_ASSERT_EQUAL(rows_at(&i, 1500000, 0), 100);
    CU_ASSERT_EQUAL(rows_at(&i, 1500100, 100), 10);
    i.module->pull->close(i.self);
    instance_fini(&i);
}

static void a_value_is_its_number(void)
{
    static const char *const settings[] = {NULL};
    struct leat_fetch fetch = {.from = 99, .max_bytes = 200};
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    struct leat_cursor cursor = {0};
    struct instance i;

    start(&i, settings);
    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    i.module->pull->fetch(i.self, &fetch, keep, NULL);
    OK(answer->coding->next(&cursor, answer, &chunk, &err));
    CU_ASSERT(chunk.rows == 4 && chunk.positions[1] == 100);
    CU_ASSERT(leat_slice_eq(chunk.values[0], LEAT_LIT("99")));
    CU_ASSERT(leat_slice_eq(chunk.values[1], LEAT_LIT("100")));
    CU_ASSERT(!answer->at_end && !answer->finished);
    leat_block_unref(answer);
    i.module->pull->close(i.self);
    leat_arena_reset(&arena);
    instance_fini(&i);
}

static void a_fetch_of_few_rows_gets_no_more(void)
{
    static const char *const settings[] = {"count=1000", NULL};
    struct instance i;

    start(&i, settings);
    struct leat_fetch fetch = {.from = 10, .max_bytes = 1 << 20, .max_rows = 7};
    i.module->pull->fetch(i.self, &fetch, keep, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
    CU_ASSERT(answer->to == 17 && answer->rows_hint == 7 && !answer->at_end);
    leat_block_unref(answer);
    i.module->pull->close(i.self);
    instance_fini(&i);
}

LEAT_TESTS("generate", LEAT_PULL_CONTRACT_TESTS, T(records_come_at_their_rate),
           T(without_catch_up_a_pause_is_over), T(a_value_is_its_number),
           T(a_fetch_of_few_rows_gets_no_more))
