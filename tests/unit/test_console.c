/* Tests sinks/console.c: the contract of volatile sinks, then its lines. */
#include "fault_fs.h"
#include "instance.h"
#include "leat_test.h"
#include "sink_contract.h"
#include "stdout_file.h"

static struct leat_error err;
static const char *const plain[] = {NULL};
static const char *const with_key[] = {"key=true", NULL};

static int visible(void)
{
    int lines = 0;

    for (const char *at = stdout_text(); (at = strstr(at, "ten bytes!\n")); at++)
        lines++;
    return lines;
}

static const struct sink_case c = {
    .name = "console", .settings = plain, .visible = visible, .clear = stdout_take};

LEAT_VOLATILE_SINK_CONTRACT(c)

static void a_line_is_key_and_value(void)
{
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    struct instance i;

    stdout_take();
    instance_init_sink(&i, "console", with_key);
    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    leat_chunk_add(&chunk, &(struct leat_row){.key = LEAT_LIT("a"), .value = LEAT_LIT("{}")});
    leat_chunk_add(&chunk, &(struct leat_row){.key = LEAT_LIT("gone")});
    OK(i.module->sink->open(i.self, &i.env, &err));
    OK(i.module->sink->write(i.self, 1, &chunk, &err));
    OK(i.module->sink->commit(i.self, 1, &err));
    CU_ASSERT_STRING_EQUAL(stdout_text(), "a\t{}\ngone\tnull\n");
    i.module->sink->close(i.self);
    leat_arena_reset(&arena);
    instance_fini(&i);
    stdout_give_back();
}

static void text_that_finds_no_room_is_kept_and_written_by_the_next_try(void)
{
    struct leat_arena arena = {0};
    struct fault_fs faults;
    struct leat_chunk chunk;
    struct instance i;

    stdout_take();
    fault_fs_init(&faults);
    instance_init_sink(&i, "console", plain);
    i.env.fs = &faults.fs;
    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    leat_chunk_add(&chunk, &(struct leat_row){.value = LEAT_LIT("{}")});
    OK(i.module->sink->open(i.self, &i.env, &err));
    OK(i.module->sink->write(i.self, 1, &chunk, &err));
    faults.full = true;
    CU_ASSERT_TRUE(leat_status_is_transient(i.module->sink->commit(i.self, 1, &err)));
    CU_ASSERT_EQUAL(strncmp(stdout_text(), "{}\n", 3) == 0, false);
    faults.full = false;
    OK(i.module->sink->commit(i.self, 1, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(stdout_text(), "{}\n"));
    i.module->sink->close(i.self);
    leat_arena_reset(&arena);
    instance_fini(&i);
    stdout_give_back();
}

LEAT_TESTS("console", LEAT_VOLATILE_SINK_CONTRACT_TESTS, T(a_line_is_key_and_value),
           T(text_that_finds_no_room_is_kept_and_written_by_the_next_try))
