/* Tests engine/format/raw.c. */
#include "format_contract.h"
#include "instance.h"
#include "leat_test.h"

#include <stdio.h>

static const char *const none[] = {NULL};
static const char *const good[] = {"bytes", "", "\xff\xfe\x01", NULL};
static const struct format_case raw = {"raw", none, NULL, good, none};

static struct leat_error err;

static void only_bytes_and_text_can_be_written(void)
{
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    struct instance i;

    instance_init(&i, "raw", none);
    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    leat_chunk_add(&chunk, &(struct leat_row){0});
    leat_chunk_add(&chunk, &(struct leat_row){0});
    chunk.columns[LEAT_COL_THIS][0] = leat_int(1);
    chunk.columns[LEAT_COL_THIS][1] = leat_string(LEAT_LIT("x"));
    OK(i.module->format->encode(i.self, &chunk, LEAT_COL_THIS, &err));
    CU_ASSERT_EQUAL(chunk.columns[LEAT_COL_THIS][0].code, LEAT_V_TYPE);
    CU_ASSERT_PTR_NULL(chunk.values[0].ptr);
    CU_ASSERT(leat_slice_eq(chunk.values[1], LEAT_LIT("x")));
    leat_arena_reset(&arena);
    instance_fini(&i);
}

LEAT_FORMAT_CONTRACT(raw)
LEAT_TESTS("format_raw", LEAT_FORMAT_CONTRACT_TESTS, T(only_bytes_and_text_can_be_written))
