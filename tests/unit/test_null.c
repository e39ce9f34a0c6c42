/* Tests sinks/null.c: it takes every step of a batch and asks for nothing. */
#include "instance.h"
#include "leat_test.h"

static struct leat_error err;

static void every_step_is_taken(void)
{
    static const char *const none[] = {NULL};
    const struct leat_positions positions = {0};
    struct leat_arena arena = {0};
    struct leat_bytes section = {.arena = &arena};
    struct leat_chunk chunk;
    struct instance i;
    uint64_t n = 7;

    instance_init_sink(&i, "null", none);
    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    OK(i.module->sink->open(i.self, &i.env, &err));
    OK(i.module->sink->recover(i.self, n, (struct leat_slice){0}, &err));
    OK(i.module->sink->write(i.self, 8, &chunk, &err));
    OK(i.module->sink->prepare(i.self, 8, &positions, &section, &err));
    OK(i.module->sink->abort(i.self, 8, &err));
    OK(i.module->sink->commit(i.self, 8, &err));
    CU_ASSERT(n == 7 && section.len == 0);
    i.module->sink->close(i.self);
    leat_arena_reset(&arena);
    instance_fini(&i);
}

LEAT_TESTS("null", T(every_step_is_taken))
