/* Tests sinks/print.c: the contract of volatile sinks, then Spark's form. */
#include "instance.h"
#include "leat_test.h"
#include "sink_contract.h"
#include "stdout_file.h"

static struct leat_error err;
static const char *const settings[] = {"num=3", NULL};
static const char *const all[] = {"num=100", NULL};

static int visible(void)
{
    int lines = 0;

    for (const char *at = stdout_text(); (at = strstr(at, "ten bytes!\n")); at++)
        lines++;
    return lines;
}

static const struct sink_case c = {
    .name = "print", .settings = all, .visible = visible, .clear = stdout_take};

LEAT_VOLATILE_SINK_CONTRACT(c)

#define RULE "-------------------------------------------\n"

static void put(struct instance *i, uint64_t n, int64_t time_ms, const struct leat_row *rows,
                int count)
{
    struct leat_arena arena = {0};
    struct leat_chunk chunk;

    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    for (int r = 0; r < count; r++)
        leat_chunk_add(&chunk, &rows[r]);
    OK(i->module->sink->begin(i->self, n, time_ms, &err));
    if (count)
        OK(i->module->sink->write(i->self, n, &chunk, &err));
    leat_arena_reset(&arena);
}

static void commit(struct instance *i, uint64_t n)
{
    const struct leat_positions none = {0};
    struct leat_bytes section = {0};

    OK(i->module->sink->prepare(i->self, n, &none, &section, &err));
    OK(i->module->sink->commit(i->self, n, &err));
}

static void blocks_look_as_spark_prints_them(void)
{
    const struct leat_row rows[] = {
        {.key = LEAT_LIT("the"), .value = LEAT_LIT("(the,4)")},
        {.key = LEAT_LIT(""), .value = LEAT_LIT("(,1)")},
        {.value = LEAT_LIT("no key")},
        {.value = LEAT_LIT("one too many")},
    };
    struct instance i;

    stdout_take();
    instance_init_sink(&i, "print", settings);
    OK(i.module->sink->open(i.self, &i.env, &err));
    put(&i, 1, 1414141414000, rows, 4);
    commit(&i, 1);
    put(&i, 2, 1414141415000, NULL, 0);
    commit(&i, 2);
    put(&i, 3, 1414141416000, rows + 2, 1); /* two batches with one commit */
    put(&i, 3, 1414141417000, NULL, 0);
    CU_ASSERT_PTR_NULL(strstr(stdout_text(), "1414141416000"));
    commit(&i, 3);
    CU_ASSERT_STRING_EQUAL(stdout_text(), RULE
                           "Time: 1414141414000 ms\n" RULE "(the,4)\n(,1)\nno key\n...\n\n" RULE
                           "Time: 1414141415000 ms\n" RULE "\n" RULE "Time: 1414141416000 ms\n" RULE
                           "no key\n\n" RULE "Time: 1414141417000 ms\n" RULE "\n");
    i.module->sink->close(i.self);
    instance_fini(&i);
    stdout_give_back();
}

LEAT_TESTS("print", LEAT_VOLATILE_SINK_CONTRACT_TESTS, T(blocks_look_as_spark_prints_them))
