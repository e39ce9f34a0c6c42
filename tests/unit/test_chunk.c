/* Tests engine/data/chunk.c. */
#include "base/mem.h"
#include "data/chunk.h"
#include "leat_test.h"

#include <stdio.h>

static struct leat_error err;
static struct leat_arena arena;

static void rows_are_added_and_selected(void)
{
    struct leat_row row = {.value = LEAT_LIT("v"), .time_ms = 5, .position = 7};
    struct leat_chunk c;

    OK(leat_chunk_init(&c, &arena, LEAT_COL_PATHS, &err));
    for (int i = 0; i < LEAT_CHUNK_ROWS; i++)
        leat_chunk_add(&c, &row);
    CU_ASSERT_EQUAL(c.rows, LEAT_CHUNK_ROWS);
    CU_ASSERT_EQUAL(c.selected, LEAT_CHUNK_ROWS);
    CU_ASSERT_EQUAL(c.selection[LEAT_CHUNK_ROWS - 1], LEAT_CHUNK_ROWS - 1);
    CU_ASSERT(c.times_ms[3] == 5 && c.positions[3] == 7);
    CU_ASSERT_PTR_NULL(c.keys[3].ptr);
    leat_arena_reset(&arena);
}

static void a_row_has_no_route_of_the_one_before_it(void)
{
    struct leat_chunk c;

    OK(leat_chunk_init(&c, &arena, LEAT_COL_PATHS, &err));
    leat_chunk_add(&c, &(struct leat_row){0});
    c.routes[0] = LEAT_LIT("topic");
    leat_chunk_clear(&c, 3);
    CU_ASSERT(c.rows == 0 && c.selected == 0 && c.part == 3);
    leat_chunk_add(&c, &(struct leat_row){0});
    CU_ASSERT_PTR_NULL(c.routes[0].ptr);
    leat_arena_reset(&arena);
}

static void windows_are_there_where_they_were_asked_for(void)
{
    struct leat_chunk c;

    OK(leat_chunk_init(&c, &arena, LEAT_COL_PATHS, &err));
    CU_ASSERT_PTR_NULL(c.windows);
    OK(leat_chunk_add_windows(&c, &err));
    struct leat_window *windows = c.windows;
    OK(leat_chunk_add_windows(&c, &err));
    CU_ASSERT_PTR_EQUAL(c.windows, windows);
    leat_arena_reset(&arena);
}

static void a_header_has_a_value_an_empty_one_or_null(void)
{
    static const char bytes[] = "\1\0\0\0a\1\0\0\0x\1\0\0\0b\0\0\0\0\1\0\0\0c\377\377\377\377";
    struct leat_slice all = {bytes, sizeof bytes - 1}, name, value;

    CU_ASSERT(leat_take_header(&all, &name, &value) && leat_slice_eq(value, LEAT_LIT("x")));
    CU_ASSERT(leat_take_header(&all, &name, &value) && value.ptr && value.len == 0);
    CU_ASSERT(leat_take_header(&all, &name, &value) && !value.ptr &&
              leat_slice_eq(name, LEAT_LIT("c")));
    CU_ASSERT(!leat_take_header(&all, &name, &value));
    for (size_t len = 0; len < 10; len++) {
        struct leat_slice cut = {bytes, len};
        CU_ASSERT(!leat_take_header(&cut, &name, &value) && cut.len == len);
    }
}

static void making_one_reports_lack_of_memory(void)
{
    LEAT_OOM_SWEEP {
        struct leat_chunk c;
        enum leat_status status = leat_chunk_init(&c, &arena, 20, &err);
        if (status == LEAT_OK)
            status = leat_chunk_add_windows(&c, &err);
        CU_ASSERT_EQUAL(status, leat_oom_hit() ? LEAT_E_NOMEM : LEAT_OK);
        leat_arena_reset(&arena);
    }
}

LEAT_TESTS("chunk", T(rows_are_added_and_selected), T(a_row_has_no_route_of_the_one_before_it),
           T(windows_are_there_where_they_were_asked_for),
           T(a_header_has_a_value_an_empty_one_or_null), T(making_one_reports_lack_of_memory))
