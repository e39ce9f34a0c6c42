/* Tests engine/base/diag.c. */
#include "base/diag.h"
#include "leat_test.h"

#include <stdio.h>

static const struct leat_node node = {
    .text = {"abc def", 7}, .mark = {3, 5, 7}, .key_mark = {3, 1, 3}, .path = {"a.b", 3}};

#define ALL "known here: amount, city, user_id, a, topics" /* none is near */

static bool suggests(const char *name, const char *expected)
{
    const struct leat_slice known[] = {LEAT_LIT("amount"), LEAT_LIT("city"), LEAT_LIT("user_id"),
                                       LEAT_LIT("a"), LEAT_LIT("topics")};
    struct leat_arena arena = {0};
    struct leat_diags all = {.arena = &arena};
    struct leat_diag *d = leat_diag_error(&all, &node, "unknown");
    char hint[100];

    leat_diag_nearest(&all, d, leat_slice_str(name), known, 5);
    snprintf(hint, sizeof hint, "did you mean '%s'?", expected);
    bool same = leat_slice_eq(d->hint, leat_slice_str(expected[0] ? hint : ALL));
    leat_arena_reset(&arena);
    return same;
}

static void the_nearest_name_is_suggested_and_all_where_none_is_near(void)
{
    CU_ASSERT(suggests("ammount", "amount"));
    CU_ASSERT(suggests("amuont", "amount"));
    CU_ASSERT(suggests("CITY", "city"));
    CU_ASSERT(suggests("userid", "user_id"));
    CU_ASSERT(suggests("topic", "topics"));
    CU_ASSERT(suggests("country", ""));
    CU_ASSERT(suggests("b", ""));
    CU_ASSERT(suggests("", ""));
}

static void a_page_of_names_is_no_hint(void)
{
    struct leat_slice many[40], internal[] = {LEAT_LIT("(aggregate)"), LEAT_LIT("price")};
    struct leat_arena arena = {0};
    struct leat_diags all = {.arena = &arena};
    struct leat_diag *d = leat_diag_error(&all, &node, "unknown");

    for (int i = 0; i < 40; i++)
        many[i] = LEAT_LIT("function");
    leat_diag_nearest(&all, d, LEAT_LIT("x"), many, 40);
    leat_diag_nearest(&all, d, LEAT_LIT("x"), many, 0);
    CU_ASSERT_EQUAL(d->hint.len, 0);
    leat_diag_nearest(&all, d, LEAT_LIT("x"), internal, 2);
    CU_ASSERT(leat_slice_eq(d->hint, LEAT_LIT("known here: price")));
    leat_arena_reset(&arena);
}

static void places_and_counts_are_kept(void)
{
    struct leat_arena arena = {0};
    struct leat_diags all = {.arena = &arena};

    struct leat_diag *d = leat_diag_error_at(&all, &node, 4, 3, "wrong %d", 7);
    leat_diag_hint(&all, d, "hint");
    leat_diag_note(&all, d, "note");
    CU_ASSERT(d->mark.line == 3 && d->mark.column == 9 && d->mark.len == 3);
    CU_ASSERT(leat_slice_eq(d->text, LEAT_LIT("wrong 7")));
    CU_ASSERT(leat_slice_eq(d->path, LEAT_LIT("a.b")));
    CU_ASSERT(leat_slice_eq(d->note, LEAT_LIT("note")));
    CU_ASSERT_EQUAL(leat_diag_error_key(&all, &node, "k")->mark.column, 1);
    CU_ASSERT_EQUAL(leat_diag_warn(&all, NULL, "w")->mark.line, 0);
    CU_ASSERT_EQUAL(all.errors, 2);
    CU_ASSERT_EQUAL(all.warnings, 1);
    for (int i = 0; i < 300; i++)
        leat_diag_hint(&all, leat_diag_error(&all, &node, "more"), "hint");
    CU_ASSERT_EQUAL(all.errors, 302);
    CU_ASSERT_EQUAL(all.kept, LEAT_DIAGS_MAX);
    leat_arena_reset(&arena);
}

static void lack_of_memory_is_noted(void)
{
    LEAT_OOM_SWEEP {
        struct leat_arena arena = {0};
        struct leat_diags all = {.arena = &arena};
        leat_diag_hint(&all, leat_diag_error(&all, &node, "wrong"), "hint");
        leat_diag_hide(&all, &node);
        CU_ASSERT_EQUAL(all.errors, 1);
        CU_ASSERT_EQUAL(all.no_memory, leat_oom_hit());
        leat_arena_reset(&arena);
    }
}

LEAT_TESTS("diag", T(the_nearest_name_is_suggested_and_all_where_none_is_near),
           T(a_page_of_names_is_no_hint), T(places_and_counts_are_kept), T(lack_of_memory_is_noted))
