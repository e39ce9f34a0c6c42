/* Tests engine/data/memory_source.c: the contract of all pull sources, then what is special. */
#include "data/memory.h"

#include "instance.h"
#include "leat_test.h"
#include "source_contract.h"

static struct leat_error err;
static struct leat_arena arena;
static const char *const none[] = {NULL};

static void fill(void *self)
{
    bool (*gate)(void) = leat_mem_gate;
    struct leat_slice line, rest = LEAT_LIT(SOURCE_TEXT);

    leat_mem_gate = NULL;
    leat_memory_source_init(self, &arena);
    while (rest.len) {
        leat_slice_cut(rest, '\n', &line, &rest);
        OK(leat_memory_source_add(self, &(struct leat_row){.value = line}, 1, &err));
    }
    leat_mem_gate = gate;
}

static const struct source_case source = {
    .name = "memory", .good = none, .prepare = fill, .module = &leat_memory_source_module};

LEAT_PULL_CONTRACT(source)

static struct leat_block *answer;
static struct leat_error answer_error;

static void keep(void *arg, const struct leat_fetch *fetch, struct leat_block *block,
                 const struct leat_error *error)
{
    (void)arg, (void)fetch;
    answer = block;
    answer_error = *error;
}

static void rows_added_later_are_read_on_and_the_end_finishes_it(void)
{
    struct instance i;
    struct leat_fetch fetch = {.from = SOURCE_LINES, .max_bytes = 1000};
    const struct leat_row rows[] = {{.value = LEAT_LIT("six")}, {.value = LEAT_LIT("seven")}};

    instance_init_module(&i, &leat_memory_source_module, none);
    fill(i.self);
    OK(i.module->pull->open(i.self, &i.env, &err));
    i.module->pull->fetch(i.self, &fetch, keep, NULL);
    CU_ASSERT(answer && answer->to == SOURCE_LINES && answer->at_end && !answer->finished);
    leat_block_unref(answer);
    OK(leat_memory_source_add(i.self, rows, 2, &err));
    leat_memory_source_end(i.self);
    i.module->pull->fetch(i.self, &fetch, keep, NULL);
    CU_ASSERT(answer && answer->to == SOURCE_LINES + 2 && answer->rows_hint == 2);
    CU_ASSERT(answer->at_end && answer->finished);
    leat_block_unref(answer);
    fetch.from = 100;
    i.module->pull->fetch(i.self, &fetch, keep, NULL);
    CU_ASSERT_EQUAL(answer_error.status, LEAT_E_LOST);
    i.module->pull->close(i.self);
    instance_fini(&i);
    leat_arena_reset(&arena);
}

static void a_fetch_of_few_rows_gets_no_more(void)
{
    struct instance i;
    struct leat_fetch fetch = {.max_bytes = 1000, .max_rows = 2};

    instance_init_module(&i, &leat_memory_source_module, none);
    fill(i.self);
    OK(i.module->pull->open(i.self, &i.env, &err));
    i.module->pull->fetch(i.self, &fetch, keep, NULL);
    CU_ASSERT(answer && answer->to == 2 && answer->rows_hint == 2 && !answer->at_end);
    leat_block_unref(answer);
    i.module->pull->close(i.self);
    instance_fini(&i);
    leat_arena_reset(&arena);
}

static void adding_reports_lack_of_memory(void)
{
    const struct leat_row row = {.key = LEAT_LIT("k"), .value = LEAT_LIT("v")};

    LEAT_OOM_SWEEP {
        struct leat_arena own = {0};
        struct leat_memory_source s;
        leat_memory_source_init(&s, &own);
        enum leat_status status = leat_memory_source_add(&s, &row, 1, &err);
        CU_ASSERT_EQUAL(status, leat_oom_hit() ? LEAT_E_NOMEM : LEAT_OK);
        leat_arena_reset(&own);
    }
}

LEAT_TESTS("memory_source", LEAT_PULL_CONTRACT_TESTS,
           T(rows_added_later_are_read_on_and_the_end_finishes_it),
           T(a_fetch_of_few_rows_gets_no_more), T(adding_reports_lack_of_memory))
