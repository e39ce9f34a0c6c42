/* Tests engine/format/text.c. */
#include "format_contract.h"
#include "instance.h"
#include "leat_test.h"

#include <stdio.h>

static const char *const none[] = {NULL};
static const char *const good[] = {"a line", "", "{\"no\": json}", "\xc3\xa9t\xc3\xa9", NULL};
static const char *const bad[] = {"\xff", "abc\xc3", "\xed\xa0\x80",
                                  "beyond the first eight \xc0\xaf", NULL};
static const struct format_case text = {"text", none, NULL, good, bad};

static struct leat_error err;

/* What `v` is written as. */
static bool writes(struct leat_value v, const char *expected)
{
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    struct instance i;

    instance_init(&i, "text", none);
    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    leat_chunk_add(&chunk, &(struct leat_row){0});
    chunk.columns[LEAT_COL_THIS][0] = v;
    OK(i.module->format->encode(i.self, &chunk, LEAT_COL_THIS, &err));
    bool same = leat_slice_eq(chunk.values[0], leat_slice_str(expected));
    leat_arena_reset(&arena);
    instance_fini(&i);
    return same;
}

static void scalars_are_written_as_people_read_them(void)
{
    struct leat_value two[] = {leat_int(1), leat_string(LEAT_LIT("x"))};

    CU_ASSERT(writes(leat_int(-7), "-7"));
    CU_ASSERT(writes(leat_double(1), "1.0"));
    CU_ASSERT(writes(leat_bool(false), "false"));
    CU_ASSERT(writes((struct leat_value){.tag = LEAT_TIMESTAMP}, "1970-01-01T00:00:00Z"));
    CU_ASSERT(
        writes((struct leat_value){.tag = LEAT_LIST, .len = 2, .as.items = two}, "[1,\"x\"]"));
}

LEAT_FORMAT_CONTRACT(text)
LEAT_TESTS("format_text", LEAT_FORMAT_CONTRACT_TESTS, T(scalars_are_written_as_people_read_them))
