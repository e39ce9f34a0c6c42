/* Tests engine/expr/regex.c and regex_subset.c. */
#include "expr/regex.h"

#include "leat_test.h"

#include <stdio.h>

static char why[LEAT_REGEX_WHY_BYTES];

static struct leat_regex *compiled(const char *pattern)
{
    return leat_regex_new(leat_slice_str(pattern), why);
}

/* What the pattern finds in text, as text; "-" for nothing. */
static const char *found(const char *pattern, const char *text, uint32_t group)
{
    static char into[200];
    struct leat_regex_scratch *s = leat_regex_scratch_new();
    struct leat_regex *re = compiled(pattern);
    struct leat_slice spans[10] = {0};

    snprintf(into, sizeof into, "-");
    if (!re)
        snprintf(into, sizeof into, "%s", why);
    else if (leat_regex_match(re, s, leat_slice_str(text), 0, spans, 10) == LEAT_REGEX_YES &&
             spans[group].ptr)
        snprintf(into, sizeof into, "%.*s", LEAT_FMT(spans[group]));
    leat_regex_free(re);
    leat_regex_scratch_free(s);
    return into;
}

static void patterns_find_what_re2_finds(void)
{
    CU_ASSERT_STRING_EQUAL(found("b(an)+", "a banana", 0), "banan");
    CU_ASSERT_STRING_EQUAL(found("(\\d+)-(?P<x>\\d+)", "a 12-34", 2), "34");
    CU_ASSERT_STRING_EQUAL(found("(a)|(b)", "b", 1), "-");
    CU_ASSERT_STRING_EQUAL(found("a.c", "a\nc", 0), "-");
    CU_ASSERT_STRING_EQUAL(found("(?s)a.c", "a\nc", 0), "a\nc");
    CU_ASSERT_STRING_EQUAL(found("a$", "a\n", 0), "-");
    CU_ASSERT_STRING_EQUAL(found("(?m)a$", "a\nb", 0), "a");
    CU_ASSERT_STRING_EQUAL(found("(?i)MA\xc3\x91"
                                 "ana",
                                 "ma\xc3\xb1"
                                 "ana",
                                 0),
                           "ma\xc3\xb1"
                           "ana");
    CU_ASSERT_STRING_EQUAL(found("\\d", "\xd9\xa3", 0), "-"); /* an Arabic digit */
    CU_ASSERT_STRING_EQUAL(found("\\p{Greek}+", "ab \xce\xb1\xce\xb2", 0), "\xce\xb1\xce\xb2");
    CU_ASSERT_STRING_EQUAL(found("a\\vb",
                                 "a\nb a\x0b"
                                 "b",
                                 0),
                           "a\x0b"
                           "b");
    CU_ASSERT_STRING_EQUAL(found("\\Q(?=\\1\\E", "(?=\\1", 0), "(?=\\1");
    CU_ASSERT_STRING_EQUAL(found("[]^(?=)]+", "x(?=)", 0), "(?=)");
    CU_ASSERT_STRING_EQUAL(found("[[:alpha:]]+", "12ab", 0), "ab");
    CU_ASSERT_STRING_EQUAL(found("a{2}b{,3}", "aab{,3}", 0), "aab{,3}");
    CU_ASSERT_STRING_EQUAL(found("a+?", "aaa", 0), "a");
    CU_ASSERT_STRING_EQUAL(found("", "abc", 0), "");
}

static void what_re2_has_not_is_refused_by_name(void)
{
    static const char *const bad[][2] = {
        {"(a)\\1", "backreferences"},
        {"(?P<n>a)(?P=n)", "backreferences"},
        {"(?<n>a)\\k<n>", "backreferences"},
        {"a(?=b)", "look-ahead"},
        {"a(?!b)", "look-ahead"},
        {"(?<=a)b", "look-behind"},
        {"(?<!a)b", "look-behind"},
        {"(?>a)", "atomic"},
        {"a*+", "possessive"},
        {"a++", "possessive"},
        {"a?+", "possessive"},
        {"a{2}+", "possessive"},
        {"a**", "quantifier behind"},
        {"(?R)", "recursion"},
        {"(a)(?1)", "recursion"},
        {"(a)(?-1)", "recursion"},
        {"(?+1)(a)", "recursion"},
        {"(?&n)", "recursion"},
        {"(a)?(?(1)b)", "conditions"},
        {"(*UCP)a", "verbs"},
        {"(?#x)a", "comments"},
        {"(?x)a", "does not know"},
        {"\\Ka", "does not know"},
        {"\\R", "does not know"},
        {"\\C", "does not know"},
        {"a{1001}", "1000"},
        {"a\\", "backslash"},
        {"(a", "parenthesis"},
        {"[a", "character class"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct leat_regex *re = compiled(bad[i][0]);
        CU_ASSERT_PTR_NULL(re);
        if (re || !strstr(why, bad[i][1])) {
            printf("    %s: %s\n", bad[i][0], why);
            CU_FAIL("another reason than expected");
        }
        leat_regex_free(re);
    }
}

static void sizes_are_bounded(void)
{
    static char pattern[LEAT_REGEX_PATTERN_MAX + 2];

    memset(pattern, 'a', LEAT_REGEX_PATTERN_MAX + 1);
    CU_ASSERT_PTR_NULL(compiled(pattern));
    memset(pattern, '(', 300);
    memset(pattern + 300, ')', 300);
    pattern[600] = 0;
    CU_ASSERT_PTR_NULL(compiled(pattern));
    CU_ASSERT_PTR_NULL(compiled("(((a{1000}){1000}){1000})"));
    pattern[0] = 0;
    for (int i = 0; i <= LEAT_REGEX_GROUPS_MAX; i++)
        strcat(pattern, "(a)");
    CU_ASSERT_PTR_NULL(compiled(pattern));
}

static void endless_searches_are_given_up(void)
{
    struct leat_regex_scratch *s = leat_regex_scratch_new();
    struct leat_regex *re = compiled("(a|aa|a*)*b|(x+x+)+y");
    struct leat_slice text = LEAT_LIT("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                      "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");

    CU_ASSERT_PTR_NOT_NULL_FATAL(re);
    CU_ASSERT_EQUAL(leat_regex_match(re, s, text, 0, NULL, 0), LEAT_REGEX_LIMIT);
    leat_regex_free(re);
    leat_regex_scratch_free(s);
}

static void bytes_that_are_no_utf8_match_nothing(void)
{
    struct leat_regex_scratch *s = leat_regex_scratch_new();
    struct leat_regex *re = compiled("a.b");

    CU_ASSERT_EQUAL(leat_regex_match(re, s,
                                     LEAT_LIT("a\xff"
                                              "b"),
                                     0, NULL, 0),
                    LEAT_REGEX_NO);
    CU_ASSERT_EQUAL(leat_regex_match(re, s, LEAT_LIT("\xff axb"), 0, NULL, 0), LEAT_REGEX_YES);
    leat_regex_free(re);
    leat_regex_scratch_free(s);
}

static void patterns_in_data_are_kept(void)
{
    struct leat_regex_scratch *s = leat_regex_scratch_new();
    const char *reason;
    char pattern[20];

    const struct leat_regex *re = leat_regex_find(s, LEAT_LIT("a(b)"), &reason);
    CU_ASSERT_PTR_NOT_NULL_FATAL(re);
    CU_ASSERT_EQUAL(leat_regex_groups(re), 1);
    CU_ASSERT_PTR_EQUAL(leat_regex_find(s, LEAT_LIT("a(b)"), &reason), re);
    CU_ASSERT_PTR_NULL(leat_regex_find(s, LEAT_LIT("(?=a)"), &reason));
    CU_ASSERT_PTR_NOT_NULL(strstr(reason, "look-ahead"));
    CU_ASSERT_PTR_NULL(leat_regex_find(s, LEAT_LIT("(?=a)"), &reason));
    for (int i = 0; i < 100; i++) {
        snprintf(pattern, sizeof pattern, "x%d", i);
        CU_ASSERT_PTR_NOT_NULL(leat_regex_find(s, leat_slice_str(pattern), &reason));
    }
    leat_regex_scratch_free(s);
    leat_regex_scratch_free(NULL);
    leat_regex_free(NULL);
}

static void groups_have_names(void)
{
    struct leat_regex *re = compiled("(?P<year>\\d+)-(?<month>\\d+)");

    CU_ASSERT_EQUAL(leat_regex_group(re, LEAT_LIT("year")), 1);
    CU_ASSERT_EQUAL(leat_regex_group(re, LEAT_LIT("month")), 2);
    CU_ASSERT_EQUAL(leat_regex_group(re, LEAT_LIT("day")), -1);
    leat_regex_free(re);
}

static void lack_of_memory_is_told(void)
{
    LEAT_OOM_SWEEP {
        struct leat_regex_scratch *s = leat_regex_scratch_new();
        const char *reason;
        const struct leat_regex *re = s ? leat_regex_find(s, LEAT_LIT("a(b)"), &reason) : NULL;
        CU_ASSERT(re || leat_oom_hit());
        leat_regex_scratch_free(s);
    }
}

LEAT_TESTS("regex", T(patterns_find_what_re2_finds), T(what_re2_has_not_is_refused_by_name),
           T(sizes_are_bounded), T(endless_searches_are_given_up),
           T(bytes_that_are_no_utf8_match_nothing), T(patterns_in_data_are_kept),
           T(groups_have_names), T(lack_of_memory_is_told))
