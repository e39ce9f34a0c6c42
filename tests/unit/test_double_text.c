/* Tests engine/data/double_text.c. */
#include "data/json.h"
#include "leat_test.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>

static bool gives(double d, const char *text)
{
    char into[32];
    size_t n = leat_double_text(d, into);

    if (n == strlen(text) && memcmp(into, text, n) == 0)
        return true;
    printf("    %.*s is not %s\n", (int)n, into, text);
    return false;
}

static void doubles_are_written_as_people_do(void)
{
    CU_ASSERT(gives(0, "0.0"));
    CU_ASSERT(gives(-0.0, "-0.0"));
    CU_ASSERT(gives(1, "1.0"));
    CU_ASSERT(gives(-1.5, "-1.5"));
    CU_ASSERT(gives(0.1, "0.1"));
    CU_ASSERT(gives(0.1 + 0.2, "0.30000000000000004"));
    CU_ASSERT(gives(12.50, "12.5"));
    CU_ASSERT(gives(60.0 / 7, "8.571428571428571"));
    CU_ASSERT(gives(123456789.123, "123456789.123"));
    CU_ASSERT(gives(1e15, "1000000000000000.0"));
    CU_ASSERT(gives(1e16, "1e16"));
    CU_ASSERT(gives(1.5e300, "1.5e300"));
    CU_ASSERT(gives(0.0001, "0.0001"));
    CU_ASSERT(gives(0.00001, "1e-5"));
    CU_ASSERT(gives(1.25e-7, "1.25e-7"));
    CU_ASSERT(gives(DBL_MAX, "1.7976931348623157e308"));
    CU_ASSERT(gives(DBL_MIN, "2.2250738585072014e-308"));
    CU_ASSERT(gives(5e-324, "5e-324"));
    CU_ASSERT(gives(9007199254740993.0, "9007199254740992.0"));
    CU_ASSERT(gives(1e23, "1e23"));
    CU_ASSERT(gives((double)NAN, "NaN"));
    CU_ASSERT(gives(-(double)INFINITY, "-Infinity"));
}

static double parse(const char *text)
{
    return leat_double_parse(leat_slice_str(text));
}

static void texts_give_the_nearest_double(void)
{
    CU_ASSERT_EQUAL(parse("1.7976931348623157e308"), DBL_MAX);
    CU_ASSERT(isinf(parse("1.7976931348623159e308")));
    CU_ASSERT(isinf(parse("-1e999999999999")));
    CU_ASSERT_EQUAL(parse("1e-999999999999"), 0);
    CU_ASSERT_EQUAL(parse("0e999999999999"), 0);
    CU_ASSERT_EQUAL(parse("4.9406564584124654e-324"), 5e-324);
    CU_ASSERT_EQUAL(parse("9007199254740993"), 9007199254740992.0); /* a tie, to even */
    CU_ASSERT_EQUAL(parse("9007199254740993.00000000000000000000000000000001"), 9007199254740994.0);
    CU_ASSERT_EQUAL(parse("0.000000000000000000000000000000000000000000012345"), 1.2345e-44);
    CU_ASSERT_EQUAL(parse("123456789012345678901234567890"), 123456789012345678901234567890.0);
    CU_ASSERT_EQUAL(parse("-12.50e-1"), -1.25);
}

/* A tie in its 17th digit, decided by one that stands a thousand digits behind. */
static void digits_far_behind_decide_a_tie(void)
{
    char text[1200] = "9007199254740993.";

    memset(text + 17, '0', 1100);
    CU_ASSERT_EQUAL(parse(text), 9007199254740992.0);
    text[1117] = '1';
    CU_ASSERT_EQUAL(parse(text), 9007199254740994.0);
}

static void every_double_reads_back_from_the_shortest_text(void)
{
    uint64_t x = 88172645463325252u;

    for (int i = 0; i < 200000; i++) {
        char text[40], libc[40];
        double d;
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        if (i % 2)
            memcpy(&d, &x, sizeof d);
        else
            d = (double)(int64_t)(x >> (x % 40)) / (i % 4 ? 1000.0 : 7.0);
        if (!isfinite(d))
            continue;
        size_t n = leat_double_text(d, text);
        CU_ASSERT(n < 32);
        text[n] = '\0';
        CU_ASSERT_EQUAL(leat_double_parse((struct leat_slice){text, n}), d);
        CU_ASSERT_EQUAL(strtod(text, NULL), d);
        uint64_t digits = 0;
        for (const char *p = text; *p && *p != 'e'; p++)
            digits = *p >= '0' && *p <= '9' ? digits * 10 + (uint64_t)(*p - '0') : digits;
        while (digits && digits % 10 == 0)
            digits /= 10;
        int count = snprintf(libc, sizeof libc, "%" PRIu64, digits);
        if (count > 1) { /* one digit less does not read back */
            snprintf(libc, sizeof libc, "%.*e", count - 2, d);
            CU_ASSERT(strtod(libc, NULL) != d);
        }
    }
}

static void a_locale_changes_nothing(void)
{
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "fr_FR.UTF-8"))
        LEAT_SKIP("no locale with a decimal comma is installed");
    CU_ASSERT(gives(60.0 / 7, "8.571428571428571"));
    CU_ASSERT_EQUAL(parse("8.5714285714285712"), 60.0 / 7);
    setlocale(LC_ALL, "C");
}

static void integers_are_written(void)
{
    char text[24];

    CU_ASSERT_EQUAL(leat_int_text(INT64_MIN, text), 20);
    CU_ASSERT(memcmp(text, "-9223372036854775808", 20) == 0);
    CU_ASSERT_EQUAL(leat_uint_text(UINT64_MAX, text), 20);
    CU_ASSERT(memcmp(text, "18446744073709551615", 20) == 0);
    CU_ASSERT_EQUAL(leat_int_text(-7, text), 2);
    CU_ASSERT_EQUAL(leat_uint_text(0, text), 1);
    CU_ASSERT_EQUAL(leat_uint_text(100, text), 3);
}

LEAT_TESTS("double_text", T(doubles_are_written_as_people_do), T(texts_give_the_nearest_double),
           T(digits_far_behind_decide_a_tie), T(every_double_reads_back_from_the_shortest_text),
           T(a_locale_changes_nothing), T(integers_are_written))
