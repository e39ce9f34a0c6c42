/* Tests engine/expr/functions_time.c and functions_zone.c. */
#include "leat_test.h"

#include "function_test.h"

#include <unistd.h>

static void times_come_from_many_numbers(void)
{
    begin();
    IS("timestamp('2009-02-13T23:31:30Z')", "\"2009-02-13T23:31:30Z\"");
    IS("timestamp(1234567890)", "\"2009-02-13T23:31:30Z\"");
    IS("timestamp(1234567890.25)", "\"2009-02-13T23:31:30.250Z\"");
    IS("timestamp(-0.5)", "\"1969-12-31T23:59:59.500Z\"");
    IS("fromMillis(1234567890123)", "\"2009-02-13T23:31:30.123Z\"");
    IS("fromMillis('1234567890123')", "\"2009-02-13T23:31:30.123Z\"");
    IS("fromMillis(1234567890123.0)", "\"2009-02-13T23:31:30.123Z\"");
    IS("fromMillis(-1)", "\"1969-12-31T23:59:59.999Z\"");
    IS("fromMicros(1234567890123456)", "\"2009-02-13T23:31:30.123456Z\"");
    IS("fromNanos(1234567890123456789)", "\"2009-02-13T23:31:30.123456789Z\"");
    BEGINS("fromMillis('1.5')", "error: the text is no int");
    BEGINS("fromMillis('')", "error: the text is no int");
    BEGINS("fromMillis('-')", "error: the text is no int");
    BEGINS("fromMillis('9223372036854775808')", "error: the text is no int");
    IS("fromNanos('-9223372036854775808')", "\"1677-09-21T00:12:43.145224192Z\"");
    BEGINS("fromMillis(1.5)", "error: no such overload");
    BEGINS("timestamp('yesterday')", "error: not an RFC 3339 time");
    BEGINS("timestamp(-62135596801)", "error: a time outside");
    BEGINS("timestamp(0.0 / 0.0)", "error: a time outside");
    end();
}

static void too_large_seconds_are_recognized(void)
{
    begin();
    BEGINS("timestamp(1234567890123)", "error: timestamp() of so many seconds is beyond the year "
                                       "9999: milliseconds? use fromMillis");
    BEGINS("timestamp(1234567890123.0)", "error: timestamp() of so many seconds is beyond the year "
                                         "9999: milliseconds? use fromMillis");
    BEGINS("timestamp(1234567890123456)", "error: timestamp() of so many seconds is beyond the "
                                          "year 9999: microseconds? use fromMicros");
    BEGINS("timestamp(1234567890123456789)", "error: timestamp() of so many seconds is beyond the "
                                             "year 9999: nanoseconds? use fromNanos");
    end();
}

static void times_are_numbers_again(void)
{
    begin();
    IS("timestamp('2009-02-13T23:31:30.123456789Z').millis()", "1234567890123");
    IS("timestamp('2009-02-13T23:31:30.123456789Z').micros()", "1234567890123456");
    IS("timestamp('2009-02-13T23:31:30.123456789Z').nanos()", "1234567890123456789");
    IS("fromMillis(-1).millis()", "-1");
    IS("fromNanos(-9223372036854775808).nanos()", "-9223372036854775808");
    BEGINS("timestamp('2900-01-01T00:00:00Z').nanos()", "error: the number is out of range");
    IS("duration('-1.5s').millis()", "-1500");
    end();
}

static void parts_of_times(void)
{
    begin();
    IS("[timestamp('2009-02-13T23:31:20.123456789Z')].map(t, [t.getFullYear(), t.getMonth(), "
       "t.getDate(), t.getDayOfMonth(), t.getDayOfWeek(), t.getDayOfYear(), t.getHours(), "
       "t.getMinutes(), t.getSeconds(), t.getMilliseconds()])",
       "[[2009,1,13,12,5,43,23,31,20,123]]");
    IS("timestamp('2009-02-13T23:31:30Z').getHours('02:00')", "1");
    IS("timestamp('2009-02-13T23:31:30Z').getDate('+00:30')", "14");
    IS("timestamp('2009-02-13T23:31:30Z').getMinutes('-01:30')", "1");
    IS("duration('10000s').getHours()", "2");
    IS("duration('-10000s').getHours()", "-2");
    IS("duration('-1.5s').getSeconds()", "-1");
    IS("duration('3730s').getMinutes()", "62");
    IS("duration('123.321456789s').getMilliseconds()", "321");
    IS("duration('-1.25s').getMilliseconds()", "-250");
    BEGINS("timestamp(0).getHours('Mars/Crater')", "refused: unknown time zone");
    BEGINS("dyn(1).getHours()", "error: no such overload");
    BEGINS("dyn(duration('1s')).getDate()", "error: no such overload");
    end();
}

static void texts_are_read_by_a_pattern(void)
{
    begin();
    IS("parseTime('13/02/2009', '%d/%m/%Y')", "\"2009-02-13T00:00:00Z\"");
    IS("parseTime('13/02/2009 01:00', '%d/%m/%Y %H:%M', '+02:00')", "\"2009-02-12T23:00:00Z\"");
    IS("'2009'.parseTime('%Y')", "\"2009-01-01T00:00:00Z\"");
    BEGINS("parseTime('x', '%d')", "error: the text does not fit");
    end();
}

static void times_are_truncated(void)
{
    begin();
    expression_add(&bench, "t", LEAT_T_ANY,
                   (struct leat_value){.tag = LEAT_TIMESTAMP,
                                       .as.i = 1234567890, /* Friday 2009-02-13T23:31:30 */
                                       .len = 123});
    IS("t.truncate('second')", "\"2009-02-13T23:31:30Z\"");
    IS("t.truncate('minute')", "\"2009-02-13T23:31:00Z\"");
    IS("t.truncate('hour')", "\"2009-02-13T23:00:00Z\"");
    IS("t.truncate('day')", "\"2009-02-13T00:00:00Z\"");
    IS("t.truncate('week')", "\"2009-02-09T00:00:00Z\"");
    IS("t.truncate('month')", "\"2009-02-01T00:00:00Z\"");
    IS("t.truncate('quarter')", "\"2009-01-01T00:00:00Z\"");
    IS("t.truncate('year')", "\"2009-01-01T00:00:00Z\"");
    IS("t.truncate(duration('10m'))", "\"2009-02-13T23:30:00Z\"");
    IS("t.truncate(duration('1ns')) == t", "true");
    IS("t.truncate('day', '+01:00')", "\"2009-02-13T23:00:00Z\"");
    IS("t.truncate('hour', '+05:30')", "\"2009-02-13T23:30:00Z\"");
    IS("fromMillis(-1).truncate(duration('1s'))", "\"1969-12-31T23:59:59Z\"");
    BEGINS("t.truncate('fortnight')", "error: truncate() knows");
    BEGINS("t.truncate(duration('0s'))", "error: truncate() to a duration");
    BEGINS("timestamp('0001-01-01T00:00:00Z').truncate('week', '-01:00')", "error: a time outside");
    end();
}

static void wrong_patterns_and_units_are_told_at_once(void)
{
    begin();
    BEGINS("timestamp(one).format('%Q')", "refused: unknown % in the pattern");
    BEGINS("timestamp(one).format(x == 'y' ? '%Y' : '%Q')", "error: unknown % in the pattern");
    BEGINS("parseTime(x, '%d.%m')", "refused: the pattern of a time needs a year");
    BEGINS("parseTime(x, '%Y', 'Nowhere/X')", "refused: unknown time zone");
    BEGINS("timestamp(one).truncate('fortnight')", "refused: truncate() knows");
    BEGINS("timestamp(one).truncate(duration('0s'))", "refused: truncate() to a duration");
    IS("timestamp(one).truncate('week')", "\"1969-12-29T00:00:00Z\"");
    end();
}

static void summer_time_is_heeded(void)
{
    if (access("/usr/share/zoneinfo/Europe/Paris", R_OK) != 0)
        LEAT_SKIP("no tz database");
    begin();
    IS("timestamp('2026-07-01T00:00:00Z').getHours('Europe/Paris')", "2");
    IS("timestamp('2026-07-01T12:00:00Z').truncate('day', 'Europe/Paris')",
       "\"2026-06-30T22:00:00Z\"");
    IS("timestamp('2026-03-29T12:00:00Z').truncate('day', 'Europe/Paris')",
       "\"2026-03-28T23:00:00Z\"");
    /* 02:00 to 03:00 is shown twice: each stays in its own */
    IS("timestamp('2026-10-25T00:30:00Z').truncate('hour', 'Europe/Paris')",
       "\"2026-10-25T00:00:00Z\"");
    IS("timestamp('2026-10-25T01:30:00Z').truncate('hour', 'Europe/Paris')",
       "\"2026-10-25T01:00:00Z\"");
    IS("timestamp('2026-10-25T12:00:00Z').truncate(duration('12h'), 'Europe/Paris')",
       "\"2026-10-25T11:00:00Z\"");
    IS("timestamp('2026-03-29T04:00:00Z').truncate(duration('6h'), 'Europe/Paris')",
       "\"2026-03-29T04:00:00Z\"");
    IS("timestamp('2026-03-29T03:00:00Z').truncate(duration('6h'), 'Europe/Paris')",
       "\"2026-03-28T23:00:00Z\"");
    end();
}

LEAT_TESTS("functions_time", T(times_come_from_many_numbers), T(too_large_seconds_are_recognized),
           T(times_are_numbers_again), T(parts_of_times), T(texts_are_read_by_a_pattern),
           T(times_are_truncated), T(wrong_patterns_and_units_are_told_at_once),
           T(summer_time_is_heeded))
