/* Tests engine/expr/functions_format.c. */
#include "leat_test.h"

#include "function_test.h"

static void every_letter_formats(void)
{
    begin();
    IS("'%s|%s|%s'.format(['a', 1, 2.5])", "\"a|1|2.5\"");
    IS("'%d %d %d'.format([-1, 18446744073709551615u, 2.0])", "\"-1 18446744073709551615 2\"");
    IS("'%f %.2f %.0f'.format([1.5, 2, 2.5])", "\"1.500000 2.00 2\"");
    IS("'%e %.1e'.format([1052.032911275, 0])", "\"1.052033e+03 0.0e+00\"");
    IS("'%b %b %b %b'.format([5, -5, 3u, true])", "\"101 -101 11 1\"");
    IS("'%o %x %X %x'.format([11, 30, 30, -30])", "\"13 1e 1E -1e\"");
    IS("'%x %X'.format(['hello', b'\\xff'])", "\"68656c6c6f FF\"");
    IS("'100%% %s'.format([b'ab'])", "\"100% ab\"");
    IS("'%b'.format([-9223372036854775808])",
       "\"-1000000000000000000000000000000000000000000000000000000000000000\"");
    end();
}

static void doubles_are_written_without_exponent(void)
{
    begin();
    IS("'%s %s %s'.format([0.0, -0.0, 1.0])", "\"0 -0 1\"");
    IS("'%s %s'.format([1e21, 123456789012345680.0])",
       "\"1000000000000000000000 123456789012345680\"");
    IS("'%s %s %s'.format([1e-7, -4.5e-3, 123.456])", "\"0.0000001 -0.0045 123.456\"");
    IS("size('%s'.format([2.2250738585072014e-308]))", "326");
    IS("size('%s'.format([1.7976931348623157e308]))", "309");
    IS("'%s %d %f %e'.format([0.0/0.0, 1.0/0.0, -1.0/0.0, 1.0/0.0])",
       "\"NaN Infinity -Infinity Infinity\"");
    end();
}

static void lists_maps_and_times_are_printed(void)
{
    begin();
    IS("'%s'.format([['a', 1.5, null, [2u], timestamp('2023-02-03T23:31:20Z')]])",
       "\"[a, 1.5, null, [2], 2023-02-03T23:31:20Z]\"");
    IS("'%s'.format([{'b': duration('90s'), 'a': true, 1: [1]}])", "\"{1: [1], a: true, b: 90s}\"");
    IS("'%s'.format([[] ])", "\"[]\"");
    IS("'%s'.format([{}])", "\"{}\"");
    IS("'%s'.format([type(1)])", "\"int\"");
    IS("'%s'.format([b'a\\xff\\xfe\\xc3\\xa9'])", "\"a\xef\xbf\xbd\xc3\xa9\"");
    end();
}

static void what_does_not_fit_is_refused(void)
{
    begin();
    BEGINS("'%d'.format(['a'])", "error: %d in format()");
    BEGINS("'%d %d'.format([1])", "error: format() has more %");
    BEGINS("'%f'.format(['a'])", "error: %f and %e");
    BEGINS("'%b'.format(['a'])", "error: %b in format()");
    BEGINS("'%o'.format([1.5])", "error: %o in format()");
    BEGINS("'%x'.format([null])", "error: %x in format()");
    BEGINS("'%z'.format([1])", "error: format() knows");
    BEGINS("'%'.format([1])", "error: format() wants a letter");
    BEGINS("'%.'.format([1])", "error: format() wants a letter");
    BEGINS("'%.f'.format([1.0])", "error: format() wants a letter");
    BEGINS("'%.101f'.format([1.0])", "error: format() wants a letter");
    BEGINS("'%.99999999999f'.format([1.0])", "error: format() wants a letter");
    end();
}

static void times_are_formatted_by_a_pattern(void)
{
    begin();
    IS("timestamp('2026-01-02T03:04:05.006Z').format('%d/%m/%Y %H:%M:%S.%3f')",
       "\"02/01/2026 03:04:05.006\"");
    IS("timestamp('2026-01-02T03:04:05Z').format('%F %T %z', '+05:30')",
       "\"2026-01-02 08:34:05 +0530\"");
    IS("timestamp('2026-01-02T03:04:05Z').format()", "\"2026-01-02T03:04:05Z\"");
    IS("['+01:00', '+02:00'].map(z, timestamp(0).format('%H', z))", "[\"01\",\"02\"]");
    BEGINS("timestamp(0).format('%Q')", "error: unknown % in the pattern");
    BEGINS("timestamp(0).format('%Y', 'Nowhere/X')", "refused: unknown time zone");
    BEGINS("timestamp(0).format('%Y', dyn('No where'))", "refused: no time zone");
    BEGINS("['a b'].map(z, timestamp(0).format('%Y', z))", "error: no time zone");
    end();
}

LEAT_TESTS("functions_format", T(every_letter_formats), T(doubles_are_written_without_exponent),
           T(lists_maps_and_times_are_printed), T(what_does_not_fit_is_refused),
           T(times_are_formatted_by_a_pattern))
