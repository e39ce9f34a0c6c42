/* Tests engine/data/memory_sink.c and sinks/memory.c: the contract of volatile sinks. */
#include "instance.h"
#include "leat_test.h"
#include "sink_contract.h"

static struct leat_error err;
static struct leat_memory_sink sink;
static const char *const none[] = {NULL};

/* The sink under test is made by the contract; it shows itself here when it is opened. */
static struct leat_memory_sink *opened;

static enum leat_status open_and_show(void *self, const struct leat_env *env, struct leat_error *e)
{
    opened = self;
    return leat_memory_sink.open(self, env, e);
}

static void forget(void *self)
{
    leat_memory_sink.close(self);
    leat_memory_sink_fini(self);
    opened = NULL;
}

static int visible(void)
{
    int rows = 0;

    for (const struct leat_memory_row *r = opened ? opened->first : NULL; r; r = r->next)
        rows++;
    CU_ASSERT(!opened || (uint64_t)rows == opened->count);
    return rows;
}

static void clear(void)
{
}

static struct leat_sink shown;
static struct leat_module module;
static struct sink_case c = {
    .name = "memory", .settings = none, .visible = visible, .clear = clear, .module = &module};

LEAT_VOLATILE_SINK_CONTRACT(c)

static void rows_keep_what_they_had(void)
{
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    char text[] = "value";

    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    OK(leat_chunk_add_windows(&chunk, &err));
    leat_chunk_clear(&chunk, 3);
    leat_chunk_add(&chunk, &(struct leat_row){.key = LEAT_LIT("k"), .value = {text, 5}});
    leat_chunk_add(&chunk, &(struct leat_row){.key = LEAT_LIT("tombstone")});
    chunk.windows[0] = (struct leat_window){10, 20, true};
    OK(leat_memory_sink.begin(&sink, 5, 1234, &err));
    OK(leat_memory_sink.write(&sink, 5, &chunk, &err));
    OK(leat_memory_sink.commit(&sink, 5, &err));
    text[0] = 'X';
    const struct leat_memory_row *r = sink.first;
    CU_ASSERT_EQUAL_FATAL(sink.count, 2);
    CU_ASSERT(leat_slice_eq(r->row.key, LEAT_LIT("k")));
    CU_ASSERT(leat_slice_eq(r->row.value, LEAT_LIT("value")));
    CU_ASSERT(r->n == 5 && r->batch_time_ms == 1234 && r->part == 3 && r->window.end_ms == 20);
    CU_ASSERT(!r->next->row.value.ptr);
    leat_memory_sink_fini(&sink);
    leat_arena_reset(&arena);
}

int main(void)
{
    shown = leat_memory_sink;
    shown.open = open_and_show;
    shown.close = forget;
    module = leat_memory_sink_module;
    module.sink = &shown;
    return leat_test_main("memory_sink",
                          (CU_TestInfo[]){LEAT_VOLATILE_SINK_CONTRACT_TESTS,
                                          T(rows_keep_what_they_had), CU_TEST_INFO_NULL});
}
