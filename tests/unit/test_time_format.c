/* Tests engine/expr/time_format.c and time_scan.c. */
#include "expr/time_format.h"

#include "data/time_text.h"
#include "leat_test.h"

#include <stdio.h>

static struct leat_arena arena;
static const char *why;

static const char *formatted(const char *pattern, const char *time, const char *zone)
{
    struct leat_bytes b = {.arena = &arena};
    const struct leat_zone *z = leat_zone_open(leat_slice_str(zone), &arena, &why);

    if (!leat_time_format(leat_slice_str(pattern), leat_timestamp_parse(leat_slice_str(time)), z,
                          &b))
        return "wrong";
    leat_bytes_put(&b, "", 1);
    return b.ptr;
}

static const char *scanned(const char *pattern, const char *text, const char *zone)
{
    static char into[100];
    const struct leat_zone *z = leat_zone_open(leat_slice_str(zone), &arena, &why);
    struct leat_value v = leat_time_scan(leat_slice_str(pattern), leat_slice_str(text), z);

    if (v.tag == LEAT_TIMESTAMP)
        into[leat_timestamp_text(v, into)] = 0;
    else
        snprintf(into, sizeof into, "%.*s", LEAT_FMT(leat_value_text(v)));
    return into;
}

static void every_letter_is_written(void)
{
    const char *t = "2026-01-04T15:04:05.006007008Z";

    CU_ASSERT_STRING_EQUAL(formatted("%Y-%m-%d %H:%M:%S", t, "UTC"), "2026-01-04 15:04:05");
    CU_ASSERT_STRING_EQUAL(formatted("%F %T %R %D", t, "UTC"),
                           "2026-01-04 15:04:05 15:04 01/04/26");
    CU_ASSERT_STRING_EQUAL(formatted("%y %C %e|%j|%I %p", t, "UTC"), "26 20  4|004|03 PM");
    CU_ASSERT_STRING_EQUAL(formatted("%f %L %N %1f %3f %9f", t, "UTC"),
                           "006007 006 006007008 0 006 006007008");
    CU_ASSERT_STRING_EQUAL(formatted("%a %A %b %h %B", t, "UTC"), "Sun Sunday Jan Jan January");
    CU_ASSERT_STRING_EQUAL(formatted("%u %w %G-W%V", t, "UTC"), "7 0 2026-W01");
    CU_ASSERT_STRING_EQUAL(formatted("%z %:z %Z %s", t, "UTC"), "+0000 +00:00 UTC 1767539045");
    CU_ASSERT_STRING_EQUAL(formatted("%H %z %:z %Z", t, "-05:30"), "09 -0530 -05:30 -05:30");
    CU_ASSERT_STRING_EQUAL(formatted("a%%b%n%t\xc3\xa9", t, "UTC"), "a%b\n\t\xc3\xa9");
    CU_ASSERT_STRING_EQUAL(formatted("", t, "UTC"), "");
    leat_arena_reset(&arena);
}

static void unknown_letters_are_told(void)
{
    CU_ASSERT_PTR_NULL(leat_time_format_check(LEAT_LIT("%Y-%m-%d %3f %:z")));
    CU_ASSERT_PTR_NOT_NULL(leat_time_format_check(LEAT_LIT("%Q")));
    CU_ASSERT_PTR_NOT_NULL(leat_time_format_check(LEAT_LIT("50%")));
    CU_ASSERT_PTR_NOT_NULL(leat_time_format_check(LEAT_LIT("%3")));
    CU_ASSERT_PTR_NOT_NULL(leat_time_format_check(LEAT_LIT("%3d")));
    CU_ASSERT_PTR_NOT_NULL(leat_time_format_check(LEAT_LIT("%:")));
}

static void texts_are_read(void)
{
    static const char *const cases[][4] = {
        {"%d/%m/%Y", "13/02/2009", "UTC", "2009-02-13T00:00:00Z"},
        {"%d/%m/%Y", "1/2/2009", "UTC", "2009-02-01T00:00:00Z"},
        {"%d/%b/%Y:%H:%M:%S %z", "10/Oct/2000:13:55:36 -0700", "UTC", "2000-10-10T20:55:36Z"},
        {"%Y-%m-%d %H:%M:%S", "2026-01-01 12:00:00", "+02:00", "2026-01-01T10:00:00Z"},
        {"%Y-%m-%dT%H:%M:%S.%f%z", "2026-01-01T12:00:00.25Z", "+02:00", "2026-01-01T12:00:00.250Z"},
        {"%F %T.%L", "2026-01-01 12:00:00.007", "UTC", "2026-01-01T12:00:00.007Z"},
        {"%m/%d/%y %I:%M %p", "12/31/99 12:05 AM", "UTC", "1999-12-31T00:05:00Z"},
        {"%m/%d/%y %I:%M %p", "12/31/26 12:05 pm", "UTC", "2026-12-31T12:05:00Z"},
        {"%A, %e %B %Y", "Friday,  3 july 2026", "UTC", "2026-07-03T00:00:00Z"},
        {"%Y%m%d%H%M%S", "20260102030405", "UTC", "2026-01-02T03:04:05Z"},
        {"%Y-%j", "2024-366", "UTC", "2024-12-31T00:00:00Z"},
        {"%s", "-1", "UTC", "1969-12-31T23:59:59Z"},
        {"%s.%3f", "1234567890.123", "UTC", "2009-02-13T23:31:30.123Z"},
        {"%Y", "2026", "UTC", "2026-01-01T00:00:00Z"},
        {"%F %T %Z", "2026-01-01 00:00:00 GMT", "+09:00", "2026-01-01T00:00:00Z"},
        {"%F %T%:z", "2026-01-01 00:00:00+09:00", "UTC", "2025-12-31T15:00:00Z"},
        {"%d %% %Y", "1 % 2026", "UTC", "2026-01-01T00:00:00Z"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_STRING_EQUAL(scanned(cases[i][0], cases[i][1], cases[i][2]), cases[i][3]);
    leat_arena_reset(&arena);
}

static void texts_that_do_not_fit_are_refused(void)
{
    static const char *const bad[][2] = {
        {"%d/%m/%Y", "13/02/2009 "},
        {"%d/%m/%Y", "31/02/2009"},
        {"%d/%m/%Y", "13-02-2009"},
        {"%d/%m/%Y", "13/13/2009"},
        {"%H:%M", "12:00"},
        {"%Y %H", "2026 24"},
        {"%Y-%j", "2023-366"},
        {"%Y %p", "2026 XM"},
        {"%Y %b", "2026 Foo"},
        {"%Y%z", "2026+2"},
        {"%Y%Z", "2026 CET"},
        {"%Y%Q", "2026"},
        {"%Y%", "2026"},
        {"%Y", ""},
        {"%s", "99999999999999"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_EQUAL(
            leat_time_scan(leat_slice_str(bad[i][0]), leat_slice_str(bad[i][1]), &leat_zone_utc)
                .tag,
            LEAT_ERROR);
}

static void patterns_for_reading_are_checked(void)
{
    static const char *const good[] = {"%d/%m/%Y", "%F %T.%3f%:z", "%s", "%y%%", "%D"};
    static const char *const bad[] = {"%d/%m", "%Y %Q", "%Y%", "%Y %u", "%Y %3d", "%Y %:", ""};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CU_ASSERT_PTR_NULL(leat_time_scan_check(leat_slice_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_PTR_NOT_NULL(leat_time_scan_check(leat_slice_str(bad[i])));
}

LEAT_TESTS("time_format", T(every_letter_is_written), T(unknown_letters_are_told),
           T(texts_are_read), T(texts_that_do_not_fit_are_refused),
           T(patterns_for_reading_are_checked))
