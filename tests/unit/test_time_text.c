/* Tests engine/data/time_text.c. */
#include "data/time_text.h"
#include "leat_test.h"

#include <stdio.h>

static struct leat_value ts(const char *text)
{
    return leat_timestamp_parse(leat_slice_str(text));
}

static struct leat_value dur(const char *text)
{
    return leat_duration_parse(leat_slice_str(text));
}

static const char *show(struct leat_value v)
{
    static char into[LEAT_TIME_TEXT_BYTES + 1];
    size_t n = 0;

    if (v.tag == LEAT_TIMESTAMP)
        n = leat_timestamp_text(v, into);
    else if (v.tag == LEAT_DURATION)
        n = leat_duration_text(v, into);
    into[n] = 0;
    return into;
}

static bool failed(struct leat_value v, enum leat_value_error code)
{
    return v.tag == LEAT_ERROR && v.code == code;
}

static void every_day_of_ten_thousand_years_comes_back(void)
{
    int64_t days = leat_civil_days(1, 1, 1);

    CU_ASSERT_EQUAL(days * 86400, LEAT_TIME_MIN);
    for (int32_t year = 1; year <= 9999; year++) {
        for (uint32_t month = 1; month <= 12; month++) {
            uint32_t n = leat_civil_month_days(year, month);
            for (uint32_t day = 1; day <= n; day++, days++) {
                struct leat_civil c = leat_civil_from_seconds(days * 86400 + 86399, 0);
                if (c.year != year || c.month != month || c.day != day || c.hour != 23)
                    CU_FAIL_FATAL("a day that does not come back");
                if (leat_civil_days(year, month, day) != days)
                    CU_FAIL_FATAL("a day with a wrong number");
            }
        }
    }
    CU_ASSERT_EQUAL(days * 86400 - 1, LEAT_TIME_MAX);
}

static void weekday_yearday_and_iso_week(void)
{
    struct leat_civil c = {.year = 2009, .month = 2, .day = 13};
    struct leat_civil new_year = {.year = 2027, .month = 1, .day = 1};
    struct leat_civil leap = {.year = 2024, .month = 12, .day = 31};
    int32_t year;

    CU_ASSERT_EQUAL(leat_civil_weekday(leat_civil_days(2009, 2, 13)), 5);
    CU_ASSERT_EQUAL(leat_civil_weekday(0), 4);
    CU_ASSERT_EQUAL(leat_civil_weekday(-4), 0);
    CU_ASSERT_EQUAL(leat_civil_weekday(-5), 6);
    CU_ASSERT_EQUAL(leat_civil_yearday(&c), 43);
    CU_ASSERT_EQUAL(leat_civil_yearday(&leap), 365);
    CU_ASSERT_EQUAL(leat_civil_iso_week(&new_year, &year), 53);
    CU_ASSERT_EQUAL(year, 2026);
    CU_ASSERT_EQUAL(leat_civil_iso_week(&leap, &year), 1);
    CU_ASSERT_EQUAL(year, 2025);
}

static void times_are_read_and_written(void)
{
    static const char *const cases[][2] = {
        {"2009-02-13T23:31:30Z", "2009-02-13T23:31:30Z"},
        {"2009-02-13t23:31:30z", "2009-02-13T23:31:30Z"},
        {"2009-02-13 23:31:30Z", "2009-02-13T23:31:30Z"},
        {"2026-01-01T01:00:00+02:00", "2025-12-31T23:00:00Z"},
        {"2026-01-01T01:00:00.5-05:30", "2026-01-01T06:30:00.500Z"},
        {"2026-01-01T00:00:00.000250Z", "2026-01-01T00:00:00.000250Z"},
        {"1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"},
        {"2026-01-01T00:00:00.1234567899Z", "2026-01-01T00:00:00.123456789Z"},
        {"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
        {"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_STRING_EQUAL(show(ts(cases[i][0])), cases[i][1]);
}

static void what_is_no_time_is_refused(void)
{
    static const char *const bad[] = {
        "",
        "2009-02-13",
        "2009-02-13T23:31:30",
        "2009-02-13T23:31Z",
        "2009-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2009-13-01T00:00:00Z",
        "2009-00-01T00:00:00Z",
        "2009-01-00T00:00:00Z",
        "2009-01-01T24:00:00Z",
        "2009-01-01T00:60:00Z",
        "2009-01-01T00:00:60Z",
        "2009-01-01T00:00:00.Z",
        "2009-01-01T00:00:00+0200",
        "2009-01-01T00:00:00+24:00",
        "2009-01-01T00:00:00 02:00",
        "2009-01-01T00:00:00Z ",
        "10000-01-01T00:00:00Z",
        "-001-01-01T00:00:00Z",
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT(failed(ts(bad[i]), LEAT_V_SYNTAX));
    CU_ASSERT(failed(ts("0000-01-01T00:00:00Z"), LEAT_V_OVERFLOW));
    CU_ASSERT(failed(ts("9999-12-31T23:59:59-00:01"), LEAT_V_OVERFLOW));
}

static void durations_are_read_and_written(void)
{
    static const char *const cases[][2] = {
        {"1h30m", "5400s"},
        {"1.5s", "1.5s"},
        {"-3ms", "-0.003s"},
        {"0", "0s"},
        {"-0", "0s"},
        {"+5s", "5s"},
        {".5s", "0.5s"},
        {"1.s", "1s"},
        {"1h45m47s", "6347s"},
        {"1us1ns", "0.000001001s"},
        {"2\xc2\xb5s", "0.000002s"},
        {"2\xce\xbcs", "0.000002s"},
        {"-1.5h", "-5400s"},
        {"1000000s", "1000000s"},
        {"-999999999ns", "-0.999999999s"},
        {"9223372036854775807ns", "9223372036.854775807s"},
        {"-9223372036854775808ns", "-9223372036.854775808s"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CU_ASSERT_STRING_EQUAL(show(dur(cases[i][0])), cases[i][1]);
}

static void what_is_no_duration_is_refused(void)
{
    static const char *const bad[] = {"",   "-",      "5",   "1d",   "s",
                                      ".s", "1h 30m", "1hm", "1e3s", "--1s"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT(failed(dur(bad[i]), LEAT_V_SYNTAX));
    CU_ASSERT(failed(dur("-320000000000s"), LEAT_V_OVERFLOW));
    CU_ASSERT(failed(dur("9223372036854775808ns"), LEAT_V_OVERFLOW));
    CU_ASSERT(failed(dur("99999999999999999999999999999999999999999999999999h"), LEAT_V_OVERFLOW));
}

static void sums_keep_their_ranges(void)
{
    struct leat_value last = ts("9999-12-31T23:59:59.999999999Z");
    struct leat_value first = ts("0001-01-01T00:00:00.000000001Z");

    CU_ASSERT(failed(leat_timestamp_add(last, dur("1ns")), LEAT_V_OVERFLOW));
    CU_ASSERT_STRING_EQUAL(show(leat_timestamp_add(last, dur("-1ns"))),
                           "9999-12-31T23:59:59.999999998Z");
    CU_ASSERT(failed(leat_timestamp_add(first, dur("-2ns")), LEAT_V_OVERFLOW));
    CU_ASSERT(failed(leat_timestamp_diff(last, first), LEAT_V_OVERFLOW));
    CU_ASSERT_STRING_EQUAL(
        show(leat_timestamp_diff(ts("2009-02-13T23:29:00Z"), ts("2009-02-13T23:31:00.5Z"))),
        "-120.5s");
    CU_ASSERT_STRING_EQUAL(show(leat_duration_add(dur("600s"), dur("-0.5s"))), "599.5s");
    CU_ASSERT_STRING_EQUAL(show(leat_duration_negate(dur("1ms"))), "-0.001s");
    CU_ASSERT(failed(leat_duration_negate(dur("-9223372036854775808ns")), LEAT_V_OVERFLOW));
}

static void milliseconds_round_down(void)
{
    CU_ASSERT_EQUAL(leat_timestamp_millis(ts("1969-12-31T23:59:59.999999Z")), -1);
    CU_ASSERT_STRING_EQUAL(show(leat_timestamp_from_millis(-1)), "1969-12-31T23:59:59.999Z");
    CU_ASSERT_EQUAL(leat_timestamp_millis(leat_timestamp_from_millis(1234567890123)),
                    1234567890123);
    CU_ASSERT(failed(leat_timestamp_from_millis(INT64_MAX), LEAT_V_OVERFLOW));
    CU_ASSERT(failed(leat_timestamp_from_millis(INT64_MIN), LEAT_V_OVERFLOW));
    CU_ASSERT(failed(leat_timestamp(INT64_MIN, INT64_MIN), LEAT_V_OVERFLOW));
}

static void offsets_are_read_and_written(void)
{
    char into[LEAT_TIME_TEXT_BYTES];
    int32_t s;

    CU_ASSERT(leat_offset_parse(LEAT_LIT("+02:00"), &s) && s == 7200);
    CU_ASSERT(leat_offset_parse(LEAT_LIT("02:00"), &s) && s == 7200);
    CU_ASSERT(leat_offset_parse(LEAT_LIT("-0530"), &s) && s == -19800);
    CU_ASSERT(leat_offset_parse(LEAT_LIT("+02"), &s) && s == 7200);
    CU_ASSERT_FALSE(leat_offset_parse(LEAT_LIT("+24:00"), &s));
    CU_ASSERT_FALSE(leat_offset_parse(LEAT_LIT("+2:00"), &s));
    CU_ASSERT_FALSE(leat_offset_parse(LEAT_LIT(""), &s));
    size_t n = leat_timestamp_text_at(ts("2026-01-01T00:00:00Z"), -19800, into);
    CU_ASSERT(leat_slice_eq((struct leat_slice){into, n}, LEAT_LIT("2025-12-31T18:30:00-05:30")));
}

static void the_end_of_the_last_window_has_a_year_of_five_digits(void)
{
    struct leat_value end = {.tag = LEAT_TIMESTAMP, .as.i = 253402300800};
    char text[LEAT_TIME_TEXT_BYTES];
    size_t len = leat_timestamp_text(end, text);

    CU_ASSERT_TRUE(
        leat_slice_eq((struct leat_slice){text, len}, LEAT_LIT("+10000-01-01T00:00:00Z")));
}

LEAT_TESTS("time_text", T(every_day_of_ten_thousand_years_comes_back),
           T(weekday_yearday_and_iso_week), T(times_are_read_and_written),
           T(what_is_no_time_is_refused), T(durations_are_read_and_written),
           T(what_is_no_duration_is_refused), T(sums_keep_their_ranges), T(milliseconds_round_down),
           T(offsets_are_read_and_written), T(the_end_of_the_last_window_has_a_year_of_five_digits))
