/*
 * option_number.c - numbers with units, as people write them: 10s, 64MiB, 1000/s.
 *
 * A number is digits and a unit, nothing else: no blanks, no fraction, no exponent, no '+'. A rate
 * may have a fraction. Thread: any.
 */
#include "base/option.h"

#include <inttypes.h>
#include <stdlib.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first, as printing wants them; the decimal ones are read only. */
static const struct unit durations[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000},
                                        {"s", 1000},     {"ms", 1},      {0}};
static const struct unit sizes[] = {
    {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {0}};
static const struct unit decimal_sizes[] = {{"GB", 1000000000}, {"MB", 1000000}, {"kB", 1000}, {0}};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes [-]digits off the front of *text. False when there are none; *fits says whether they are
 * within 64 bits. */
static bool take_digits(struct leat_slice *text, int64_t *n, bool *fits)
{
    bool negative = text->len && text->ptr[0] == '-';
    size_t i = negative;
    int64_t sum = 0;

    *fits = true;
    for (; i < text->len && is_digit(text->ptr[i]); i++) {
        int digit = text->ptr[i] - '0';
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, negative ? -digit : digit, &sum))
            *fits = false;
    }
    if (i == (size_t)negative)
        return false;
    *text = (struct leat_slice){text->ptr + i, text->len - i};
    *n = sum;
    return true;
}

static const struct unit *find_unit(const struct unit *units, struct leat_slice name)
{
    for (; units->name; units++)
        if (leat_slice_eq(leat_slice_str(units->name), name))
            return units;
    return NULL;
}

bool leat_parse_int(struct leat_slice text, int64_t *n, const char **why)
{
    bool fits;
    int64_t number;

    if (!take_digits(&text, &number, &fits) || text.len) {
        *why = "is no integer, such as 12";
        return false;
    }
    *why = "is too large";
    if (fits)
        *n = number;
    return fits;
}

#define DURATIONS "500ms, 10s, 5m, 1h or 7d"
#define SIZES     "512KiB, 128MiB or 1GB"

bool leat_parse_duration(struct leat_slice text, struct leat_duration *d, const char **why)
{
    bool fits;
    int64_t n, ms;

    *why = "is no duration, such as " DURATIONS;
    if (!take_digits(&text, &n, &fits))
        return false;
    if (text.len == 0)
        *why = "needs a unit: " DURATIONS;
    const struct unit *unit = find_unit(durations, text);
    if (!unit)
        return false;
    *why = "is too large";
    if (!fits || __builtin_mul_overflow(n, unit->factor, &ms))
        return false;
    d->ms = ms;
    return true;
}

bool leat_parse_size(struct leat_slice text, struct leat_size *s, const char **why)
{
    bool fits;
    int64_t n, bytes;

    *why = "is no size, such as " SIZES;
    if (!take_digits(&text, &n, &fits))
        return false;
    if (text.len == 0)
        *why = "needs a unit: " SIZES;
    const struct unit *unit = find_unit(sizes, text);
    if (!unit)
        unit = find_unit(decimal_sizes, text);
    if (!unit)
        return false;
    *why = "is too large";
    if (!fits || __builtin_mul_overflow(n, unit->factor, &bytes))
        return false;
    s->bytes = bytes;
    return true;
}

/* Digits with at most one point between them; no library call, for those ask the locale. */
static bool take_decimal(struct leat_slice *text, double *n)
{
    double sum = 0, place = 1;
    bool seen_point = false;
    size_t i = 0;

    for (; i < text->len && i < 32 && (is_digit(text->ptr[i]) || text->ptr[i] == '.'); i++) {
        if (text->ptr[i] == '.' && (seen_point || i == 0))
            return false;
        seen_point |= text->ptr[i] == '.';
        if (!is_digit(text->ptr[i]))
            continue;
        sum = sum * 10 + (text->ptr[i] - '0');
        place *= seen_point ? 10 : 1;
    }
    *n = sum / place;
    bool good = i > 0 && is_digit(text->ptr[i - 1]);
    *text = (struct leat_slice){text->ptr + i, text->len - i};
    return good;
}

bool leat_parse_decimal(struct leat_slice text, double *n, const char **why)
{
    double number;

    *why = "is no number from 0 on, such as 0.2";
    if (!take_decimal(&text, &number) || text.len)
        return false;
    *n = number;
    return true;
}

bool leat_parse_rate(struct leat_slice text, struct leat_rate *r, const char **why)
{
    double n;

    *why = "is no rate, such as 1000/s";
    if (!take_decimal(&text, &n))
        return false;
    if (text.len == 0)
        *why = "needs a unit: 1000/s";
    if (leat_slice_eq(text, LEAT_LIT("/s")))
        r->per_second = n;
    else if (leat_slice_eq(text, LEAT_LIT("/m")))
        r->per_second = n / 60;
    else
        return false;
    return true;
}

struct leat_number_text leat_opt_print_number(enum leat_opt_kind kind, int64_t n)
{
    static const struct unit none[] = {{"", 1}, {0}};
    const struct unit *unit = none;
    struct leat_number_text out;

    if (kind == LEAT_OPT_DURATION)
        unit = durations;
    if (kind == LEAT_OPT_SIZE)
        unit = sizes;
    while (unit->factor > 1 && (n == 0 || n % unit->factor != 0))
        unit++;
    snprintf(out.text, sizeof out.text, "%" PRId64 "%s", n / unit->factor, unit->name);
    return out;
}
