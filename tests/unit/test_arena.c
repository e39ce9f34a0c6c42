/* Tests engine/base/arena.c: marks, rewinding, and memory that is used again. */
#include "base/arena.h"
#include "base/mem.h"
#include "leat_test.h"

#include <stdint.h>

static struct leat_error err;

static bool all_zero(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static void rewound_memory_is_used_again_and_is_zero(void)
{
    struct leat_arena a = {0};
    struct leat_arena_mark mark;
    size_t before = 0;

    CU_ASSERT_PTR_NOT_NULL(leat_arena_copy(&a, LEAT_LIT("kept")).ptr);
    mark = leat_arena_mark(&a);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 100; i++) {
            char *p = leat_arena_alloc(&a, 3000);
            CU_ASSERT_PTR_NOT_NULL_FATAL(p);
            CU_ASSERT(all_zero(p, 3000));
            memset(p, 0xff, 3000);
        }
        if (round == 0)
            before = a.bytes;
        CU_ASSERT_EQUAL(a.bytes, before);
        leat_arena_rewind(&a, mark);
    }
    leat_arena_reset(&a);
    CU_ASSERT_EQUAL(a.bytes, 0);
}

static void large_pieces_are_used_again_too(void)
{
    struct leat_arena a = {0};

    CU_ASSERT_PTR_NOT_NULL(leat_arena_alloc(&a, 1 << 20));
    size_t before = a.bytes;
    leat_arena_rewind(&a, (struct leat_arena_mark){0});
    CU_ASSERT_PTR_NOT_NULL(leat_arena_alloc(&a, 1 << 20));
    CU_ASSERT_EQUAL(a.bytes, before);
    leat_arena_reset(&a);
}

static void what_was_taken_last_grows_where_it_is_and_nothing_else_does(void)
{
    struct leat_arena a = {0};
    char *first = leat_arena_alloc(&a, 4000), *p;

    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    memset(first, 0xff, 4000);
    leat_arena_rewind(&a, (struct leat_arena_mark){0}); /* what grows is zero all the same */
    first = leat_arena_alloc(&a, 100);
    p = leat_arena_alloc(&a, 100);
    CU_ASSERT_FATAL(first && p);
    CU_ASSERT(!leat_arena_grow(&a, first, 100, 200));
    memset(p, 1, 100);
    CU_ASSERT(leat_arena_grow(&a, p, 100, 2000));
    CU_ASSERT(p[0] == 1 && p[99] == 1 && all_zero(p + 100, 1900));
    CU_ASSERT(!leat_arena_grow(&a, p, 2000, (size_t)1 << 20)); /* no room behind it */
    CU_ASSERT(!leat_arena_grow(&a, p, 2000, SIZE_MAX));
    char *next = leat_arena_alloc(&a, 16);
    CU_ASSERT(next >= p + 2000);
    CU_ASSERT(!leat_arena_grow(&a, p, 2000, 3000));
    leat_arena_reset(&a);
}

static void recycling_gives_back_what_is_above_the_limit(void)
{
    struct leat_budget budget = {.cap = 1 << 24};
    struct leat_arena a = {.budget = &budget};

    for (int i = 0; i < 100; i++)
        CU_ASSERT_PTR_NOT_NULL(leat_arena_alloc(&a, 60000));
    leat_arena_recycle(&a, 1 << 20);
    CU_ASSERT(a.bytes <= 1 << 20);
    CU_ASSERT(a.bytes > 0);
    CU_ASSERT_EQUAL(atomic_load(&budget.used), a.bytes);
    leat_arena_reset(&a);
    CU_ASSERT_EQUAL(atomic_load(&budget.used), 0);
}

static void a_full_budget_is_said_to_be_full(void)
{
    struct leat_budget budget = {.cap = 1 << 17};
    struct leat_arena a = {.budget = &budget};

    CU_ASSERT_PTR_NOT_NULL(leat_arena_alloc(&a, 1 << 16));
    CU_ASSERT_PTR_NULL(leat_arena_alloc(&a, 1 << 17));
    CU_ASSERT_EQUAL(leat_arena_failed(&a, &err), LEAT_E_FULL);
    leat_arena_reset(&a);
}

static void count_up(void *arg)
{
    ++*(int *)arg;
}

static void hooks_behind_the_mark_are_run_by_rewind(void)
{
    struct leat_arena a = {0};
    int before = 0, after = 0;

    CU_ASSERT(leat_arena_on_reset(&a, count_up, &before));
    struct leat_arena_mark mark = leat_arena_mark(&a);
    CU_ASSERT(leat_arena_on_reset(&a, count_up, &after));
    leat_arena_rewind(&a, mark);
    CU_ASSERT_EQUAL(after, 1);
    CU_ASSERT_EQUAL(before, 0);
    leat_arena_reset(&a);
    CU_ASSERT_EQUAL(after, 1);
    CU_ASSERT_EQUAL(before, 1);
}

LEAT_TESTS("arena", T(rewound_memory_is_used_again_and_is_zero), T(large_pieces_are_used_again_too),
           T(what_was_taken_last_grows_where_it_is_and_nothing_else_does),
           T(recycling_gives_back_what_is_above_the_limit), T(a_full_budget_is_said_to_be_full),
           T(hooks_behind_the_mark_are_run_by_rewind))
