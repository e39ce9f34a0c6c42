/* Tests base/hidden.c. */
#include "base/hidden.h"
#include "leat_test.h"

static void check(const char *text, const char *shown)
{
    char *got = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&got, &len);

    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    leat_hidden_write(leat_slice_str(text), out);
    fclose(out);
    if (strcmp(got, shown) != 0)
        printf("    got: %s\n", got);
    CU_ASSERT_STRING_EQUAL(got, shown);
    free(got);
}

static void what_is_hidden_is_replaced_wherever_it_stands(void)
{
    CU_ASSERT(leat_hide(LEAT_LIT("s3cr3t")));
    CU_ASSERT(leat_hide(LEAT_LIT("s3cr3t-and-more")));
    CU_ASSERT(leat_hide(LEAT_LIT("")));
    check("topic 's3cr3t' is not there", "topic '***' is not there");
    check("as3cr3tb", "a***b");
    check("s3cr3t-and-more/0", "***/0");
    check("s3cr3t-and", "***");
    check("nothing here", "nothing here");
    leat_hide_nothing();
    check("s3cr3t", "s3cr3t");
}

static void parts_of_a_list_are_hidden_as_well(void)
{
    CU_ASSERT(leat_hide(LEAT_LIT("one.example:9092, two.example:9092\nlast line\n")));
    check("two.example:9092/bootstrap: gone", "***/bootstrap: gone");
    check("line 1", "*** 1");
    leat_hide_nothing();
}

static void a_text_that_was_cut_off_does_not_show_its_beginning(void)
{
    CU_ASSERT(leat_hide(LEAT_LIT("abcdefghij")));
    check("cut: abcdef", "cut: ***");
    check("cut: abc", "cut: abc");
    leat_hide_nothing();
}

static void a_short_one_is_hidden_where_it_is_a_word(void)
{
    CU_ASSERT(leat_hide(LEAT_LIT("16")));
    check("16 is outside 1 to 160", "*** is outside 1 to 160");
    check("2016-16", "2016-***");
    leat_hide_nothing();
}

static void lack_of_memory_is_said(void)
{
    LEAT_OOM_SWEEP {
        bool hidden = leat_hide(LEAT_LIT("first,second"));
        CU_ASSERT_EQUAL(hidden, !leat_oom_hit());
        leat_hide_nothing();
    }
}

LEAT_TESTS("hidden", T(what_is_hidden_is_replaced_wherever_it_stands),
           T(parts_of_a_list_are_hidden_as_well),
           T(a_text_that_was_cut_off_does_not_show_its_beginning),
           T(a_short_one_is_hidden_where_it_is_a_word), T(lack_of_memory_is_said))
