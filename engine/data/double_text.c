/* double_text.c - doubles to their shortest text, as JSON and expressions write them. */
#include "data/json_scan.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define DIGITS_MAX  800 /* no double needs more than 767 to be told from its neighbours */
#define EXACT_POWER 22  /* 10^22 is the greatest power of ten that a double holds exactly */
#define TWO_53      9007199254740992.0

const double leat_scan_powers[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                     1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* --- text to double --- */

/* A decimal number: 0.d1d2d3... * 10^point has the digits of `text` from the first that is not 0.
 */
struct decimal {
    char digits[DIGITS_MAX + 1]; /* the last one stands for all that were cut off */
    uint32_t count;
    int64_t point;
    bool negative;
};

static int64_t parse_exponent(const char *p, const char *end)
{
    bool negative = *p == '-';
    int64_t e = 0;

    for (p += *p == '-' || *p == '+'; p < end; p++)
        if (e < 1000000000)
            e = e * 10 + (*p - '0');
    return negative ? -e : e;
}

static void parse_decimal(struct leat_slice number, struct decimal *d)
{
    const char *p = number.ptr, *end = number.ptr + number.len;
    bool behind_point = false;

    d->count = 0;
    d->point = 0;
    d->negative = p < end && *p == '-';
    for (p += d->negative; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            behind_point = true;
            continue;
        }
        if (d->count || *p != '0') {
            if (d->count < DIGITS_MAX)
                d->digits[d->count++] = *p;
            else if (*p != '0')
                d->digits[DIGITS_MAX - 1] |= 1; /* above a tie, if it was one */
            d->point += !behind_point;
        } else {
            d->point -= behind_point;
        }
    }
    if (p + 1 < end)
        d->point += parse_exponent(p + 1, end);
}

/* By libc, with a text that no locale reads differently: digits and an exponent, no point. */
static double parse_slowly(struct leat_slice number)
{
    struct decimal d;
    char text[DIGITS_MAX + 32];
    int64_t exponent;

    parse_decimal(number, &d);
    exponent = d.point - (int64_t)d.count;
    if (d.count == 0 || d.point < -400)
        return d.negative ? -0.0 : 0.0;
    if (d.point > 400)
        return d.negative ? -(double)INFINITY : (double)INFINITY;
    snprintf(text, sizeof text, "%.*se%" PRId64, (int)d.count, d.digits, exponent);
    double value = strtod(text, NULL);
    return d.negative ? -value : value;
}

double leat_double_parse(struct leat_slice number)
{
    const char *p = number.ptr, *end = number.ptr + number.len;
    bool negative = p < end && *p == '-';
    uint64_t mantissa = 0;
    int64_t exponent = 0;

    for (p += negative; p < end && (unsigned char)(*p - '0') < 10; p++) {
        if (mantissa > (uint64_t)TWO_53)
            return parse_slowly(number);
        mantissa = mantissa * 10 + (uint64_t)(*p - '0');
    }
    if (p < end && *p == '.') {
        for (p++; p < end && (unsigned char)(*p - '0') < 10; p++) {
            if (mantissa > (uint64_t)TWO_53)
                return parse_slowly(number);
            mantissa = mantissa * 10 + (uint64_t)(*p - '0');
            exponent--;
        }
    }
    if (p + 1 < end && (*p == 'e' || *p == 'E'))
        exponent += parse_exponent(p + 1, end);

    /* Both are exact, so there is one rounding only (W. D. Clinger, "How to read floating point
     * numbers accurately", 1990). */
    if (mantissa > (uint64_t)TWO_53 || exponent < -EXACT_POWER || exponent > EXACT_POWER)
        return parse_slowly(number);
    double value = exponent < 0 ? (double)mantissa / leat_scan_powers[-exponent]
                                : (double)mantissa * leat_scan_powers[exponent];
    return negative ? -value : value;
}

/* --- numbers to text --- */

size_t leat_uint_text(uint64_t u, char *into)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char text[20];
    size_t at = sizeof text;

    while (u >= 100) {
        at -= 2;
        memcpy(text + at, pairs + u % 100 * 2, 2);
        u /= 100;
    }
    if (u >= 10) {
        at -= 2;
        memcpy(text + at, pairs + u * 2, 2);
    } else {
        text[--at] = (char)('0' + u);
    }
    memcpy(into, text + at, sizeof text - at);
    return sizeof text - at;
}

size_t leat_int_text(int64_t i, char *into)
{
    if (i >= 0)
        return leat_uint_text((uint64_t)i, into);
    *into = '-';
    return 1 + leat_uint_text(0 - (uint64_t)i, into + 1);
}

/* d as digits * 10^exponent with at most 15 digits, where it is such a number between 1e-7 and
 * 1e15. Any decimal with 15 digits survives a double, so if the nearest one with that many gives d
 * back, it is the shortest, once its final zeros are gone. */
static bool short_decimal(double d, uint64_t *digits, int *exponent)
{
    int places = 0; /* behind the point, so that 15 digits are used */

    if (!(d >= 1e-7 && d < 1e15))
        return false;
    if (d >= 1)
        while (places < 14 && d < leat_scan_powers[14 - places])
            places++;
    else
        for (places = 15; places < 21 && d * leat_scan_powers[places + 1] < 1e15;)
            places++;
    uint64_t m = (uint64_t)(d * leat_scan_powers[places] + 0.5);
    if ((double)m / leat_scan_powers[places] != d)
        return false;
    while (places > 0 && m % 10 == 0) {
        bool four = places >= 4 && m % 10000 == 0;
        m /= four ? 10000 : 10;
        places -= four ? 4 : 1;
    }
    *digits = m;
    *exponent = -places;
    return true;
}

/* m * 10^places / 2^shift, rounded to even as libc does. True: read back it is m / 2^shift again,
 * for it is nearer to it than half of the distance between two doubles there. */
static bool scale(uint64_t m, int places, int shift, uint64_t *digits)
{
    int low = places < 19 ? places : 19;
    __uint128_t power =
        (__uint128_t)(uint64_t)leat_scan_powers[low] * (uint64_t)leat_scan_powers[places - low];
    __uint128_t exact = m * power, whole = exact >> shift, rest = exact - (whole << shift),
                half = (__uint128_t)1 << (shift - 1);

    if (rest > half || (rest == half && whole % 2)) {
        whole++;
        rest = (half << 1) - rest;
    }
    *digits = (uint64_t)whole;
    return rest * 2 < power || (rest * 2 == power && m % 2 == 0);
}

/* The same as long_decimal() in whole numbers of 128 bits, where they are enough. */
static bool middle_decimal(double d, uint64_t *digits, int *exponent)
{
    uint64_t bits;
    int before_point = 0, shift, want = 15;

    if (!(d >= 1e-5 && d < 1e15))
        return false;
    memcpy(&bits, &d, sizeof bits);
    shift = 1075 - (int)(bits >> 52);
    uint64_t m = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(1) << 52;
    if (m == UINT64_C(1) << 52 || shift < 1) /* its neighbours are not equally far */
        return false;
    while (before_point < 16 && d >= leat_scan_powers[before_point])
        before_point++;
    while (before_point <= 0 && d * leat_scan_powers[1 - before_point] < 1)
        before_point--;
    while (!scale(m, want - before_point, shift, digits))
        if (++want > 17)
            return false;
    *exponent = before_point - want;
    for (; *digits % 10 == 0; ++*exponent)
        *digits /= 10;
    return true;
}

/* By libc: the least of 15, 16 or 17 digits that read back; the least doubles have fewer. */
static void long_decimal(double d, uint64_t *digits, int *exponent)
{
    for (int precision = d < 1e-307 ? 0 : 14; precision <= 16; precision++) {
        char text[64];
        struct leat_slice whole = {text, (size_t)snprintf(text, sizeof text, "%.*e", precision, d)};
        const char *p = text;
        uint64_t m = 0;
        for (; *p != 'e'; p++) /* a locale's point is passed over */
            if (*p >= '0' && *p <= '9')
                m = m * 10 + (uint64_t)(*p - '0');
        int e = (int)parse_exponent(p + 1, text + whole.len) - precision;
        char plain[48];
        whole = (struct leat_slice){plain,
                                    (size_t)snprintf(plain, sizeof plain, "%" PRIu64 "e%d", m, e)};
        if (precision < 16 && leat_double_parse(whole) != d)
            continue;
        while (m % 10 == 0) {
            m /= 10;
            e++;
        }
        *digits = m;
        *exponent = e;
        return;
    }
}

/* Between 1e-4 and 1e16 as people write it, else with an exponent. */
static size_t layout(uint64_t digits, int exponent, char *into)
{
    char text[20];
    int count = (int)leat_uint_text(digits, text), point = count + exponent;
    char *to = into;

    if (point < -3 || point > 16) {
        *to++ = text[0];
        if (count > 1) {
            *to++ = '.';
            memcpy(to, text + 1, (size_t)count - 1);
            to += count - 1;
        }
        *to++ = 'e';
        return (size_t)(to - into) + leat_int_text(point - 1, to);
    }
    if (point <= 0) {
        memcpy(to, "0.000", 5);
        to += 2 - point;
        memcpy(to, text, (size_t)count);
        return (size_t)(to - into) + (size_t)count;
    }
    int whole = point < count ? point : count;
    memcpy(to, text, (size_t)whole);
    to += whole;
    memset(to, '0', (size_t)(point - whole));
    to += point - whole;
    *to++ = '.';
    if (whole == count) {
        *to++ = '0';
    } else {
        memcpy(to, text + whole, (size_t)(count - whole));
        to += count - whole;
    }
    return (size_t)(to - into);
}

size_t leat_double_text(double d, char *into)
{
    size_t sign = signbit(d) ? 1 : 0;
    uint64_t digits;
    int exponent = 0;

    if (isnan(d)) {
        memcpy(into, "NaN", 3);
        return 3;
    }
    if (sign) {
        *into++ = '-';
        d = -d;
    }
    if (isinf(d)) {
        memcpy(into, "Infinity", 8);
        return sign + 8;
    }
    if (d < TWO_53 && d == (double)(uint64_t)d)
        digits = (uint64_t)d;
    else if (!short_decimal(d, &digits, &exponent) && !middle_decimal(d, &digits, &exponent))
        long_decimal(d, &digits, &exponent);
    return sign + layout(digits, exponent, into);
}
