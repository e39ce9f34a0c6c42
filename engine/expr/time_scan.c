/* time_scan.c - reads times by a pattern; see time_format.h. Thread: any. */
#include "data/time_text.h"
#include "expr/time_format.h"
#include "expr/time_names.h"

#include <strings.h>

enum part {
    HAS_YEAR = 1,
    HAS_SECONDS = 2,
    HAS_OFFSET = 4,
    HAS_YEARDAY = 8,
    IS_PM = 16,
    IS_AM = 32
};

static const char needs_year[] = "the pattern of a time needs a year (%Y) or %s";

struct scan {
    struct leat_slice text;
    struct leat_civil c;
    uint32_t yearday; /* 1..366 */
    int64_t seconds;
    int32_t offset;
    unsigned has;
};

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip(struct scan *s, size_t n)
{
    s->text = (struct leat_slice){s->text.ptr + n, s->text.len - n};
}

static bool is_digit_next(const struct scan *s)
{
    return s->text.len && *s->text.ptr >= '0' && *s->text.ptr <= '9';
}

/* 1 to `digits` digits, as strptime has it: "1/2/2026" fits %d/%m/%Y. */
static bool take_number(struct scan *s, uint32_t digits, uint32_t least, uint32_t most,
                        uint32_t *number)
{
    uint32_t n = 0, taken = 0;

    for (; taken < digits && is_digit_next(s); taken++) {
        n = n * 10 + (uint32_t)(*s->text.ptr - '0');
        skip(s, 1);
    }
    *number = n;
    return taken && n >= least && n <= most;
}

static bool take_year(struct scan *s)
{
    uint32_t year;

    if (!take_number(s, 4, 1, 9999, &year))
        return false;
    s->c.year = (int32_t)year;
    s->has |= HAS_YEAR;
    return true;
}

/* 69..99 are of the last century, as POSIX has it. */
static bool take_short_year(struct scan *s)
{
    uint32_t year;

    if (!take_number(s, 2, 0, 99, &year))
        return false;
    s->c.year = (int32_t)(year < 69 ? 2000 + year : 1900 + year);
    s->has |= HAS_YEAR;
    return true;
}

static bool take_fraction(struct scan *s, uint32_t digits)
{
    uint32_t unit = 100000000, taken = 0;

    for (s->c.nanos = 0; taken < digits && is_digit_next(s); taken++) {
        s->c.nanos += (uint32_t)(*s->text.ptr - '0') * unit;
        unit /= 10;
        skip(s, 1);
    }
    return taken > 0;
}

/* One of the names, whole or its first three letters, in any case. */
static bool take_name(struct scan *s, const char *const *names, uint32_t count, uint32_t *index)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t whole = strlen(names[i]);
        if (s->text.len >= whole && strncasecmp(s->text.ptr, names[i], whole) == 0) {
            skip(s, whole);
            *index = i;
            return true;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        if (s->text.len >= 3 && strncasecmp(s->text.ptr, names[i], 3) == 0) {
            skip(s, 3);
            *index = i;
            return true;
        }
    }
    return false;
}

static bool take_month_name(struct scan *s)
{
    uint32_t i;

    if (!take_name(s, time_months, 12, &i))
        return false;
    s->c.month = i + 1;
    return true;
}

static bool take_am_pm(struct scan *s)
{
    if (s->text.len < 2 || (s->text.ptr[1] != 'M' && s->text.ptr[1] != 'm'))
        return false;
    char first = *s->text.ptr;
    skip(s, 2);
    s->has |= first == 'P' || first == 'p' ? IS_PM : IS_AM;
    return first && strchr("AaPp", first);
}

/* "Z", "+02", "+0200", "+02:00". */
static bool take_offset(struct scan *s)
{
    size_t n = 1;

    s->has |= HAS_OFFSET;
    if (s->text.len && (*s->text.ptr == 'Z' || *s->text.ptr == 'z')) {
        skip(s, 1);
        return true;
    }
    if (!s->text.len || (*s->text.ptr != '+' && *s->text.ptr != '-'))
        return false;
    while (n < s->text.len && n < 6 &&
           ((s->text.ptr[n] >= '0' && s->text.ptr[n] <= '9' && n < 6) ||
            (s->text.ptr[n] == ':' && n == 3)))
        n++;
    if (n == 6 && s->text.ptr[3] != ':')
        n = 5;
    struct leat_slice offset = {s->text.ptr, n};
    skip(s, n);
    return leat_offset_parse(offset, &s->offset);
}

static bool take_zone_name(struct scan *s)
{
    size_t n = 0;

    while (n < s->text.len && n < 3 &&
           ((s->text.ptr[n] | 32) >= 'a' && (s->text.ptr[n] | 32) <= 'z'))
        n++;
    struct leat_slice name = {s->text.ptr, n};
    skip(s, n);
    s->has |= HAS_OFFSET;
    return leat_slice_eq(name, LEAT_LIT("UTC")) || leat_slice_eq(name, LEAT_LIT("GMT")) ||
           leat_slice_eq(name, LEAT_LIT("Z"));
}

static bool take_seconds(struct scan *s)
{
    bool negative = s->text.len && *s->text.ptr == '-';
    uint32_t digits = 0;

    if (negative)
        skip(s, 1);
    for (s->seconds = 0; is_digit_next(s) && digits < 15; digits++) {
        s->seconds = s->seconds * 10 + (*s->text.ptr - '0');
        skip(s, 1);
    }
    if (negative)
        s->seconds = -s->seconds;
    s->has |= HAS_SECONDS;
    return digits > 0;
}

static bool take_blanks(struct scan *s)
{
    while (s->text.len && is_blank(*s->text.ptr))
        skip(s, 1);
    return true;
}

static bool take_char(struct scan *s, char c)
{
    if (!s->text.len || *s->text.ptr != c)
        return false;
    skip(s, 1);
    return true;
}

static bool take_part(struct scan *s, char letter)
{
    uint32_t ignored;

    switch (letter) {
    case 'Y':
        return take_year(s);
    case 'y':
        return take_short_year(s);
    case 'm':
        return take_number(s, 2, 1, 12, &s->c.month);
    case 'e':
        (void)take_blanks(s);
        return take_number(s, 2, 1, 31, &s->c.day);
    case 'd':
        return take_number(s, 2, 1, 31, &s->c.day);
    case 'j':
        s->has |= HAS_YEARDAY;
        return take_number(s, 3, 1, 366, &s->yearday);
    case 'H':
        return take_number(s, 2, 0, 23, &s->c.hour);
    case 'I':
        return take_number(s, 2, 1, 12, &s->c.hour);
    case 'p':
        return take_am_pm(s);
    case 'M':
        return take_number(s, 2, 0, 59, &s->c.minute);
    case 'S':
        return take_number(s, 2, 0, 59, &s->c.second);
    case 'f':
    case 'N':
        return take_fraction(s, 9);
    case 'L':
        return take_fraction(s, 3);
    case 'a':
    case 'A':
        return take_name(s, time_weekdays, 7, &ignored);
    case 'b':
    case 'h':
    case 'B':
        return take_month_name(s);
    case 'z':
        return take_offset(s);
    case 'Z':
        return take_zone_name(s);
    case 's':
        return take_seconds(s);
    case 'n':
    case 't':
        return take_blanks(s);
    case '%':
        return take_char(s, '%');
    default:
        return false;
    }
}

static bool take_all(struct scan *s, struct leat_slice pattern)
{
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.ptr[i];
        bool ok;
        if (is_blank(c)) {
            ok = take_blanks(s);
        } else if (c != '%') {
            ok = take_char(s, c);
        } else {
            char letter = ++i < pattern.len ? pattern.ptr[i] : 0;
            bool digit = letter >= '1' && letter <= '9';
            char next = i + 1 < pattern.len ? pattern.ptr[i + 1] : 0;
            const char *longer = time_pattern_of(letter);
            i += (letter == ':' && next == 'z') || (digit && next == 'f');
            if (longer)
                ok = take_all(s, leat_slice_str(longer));
            else if (digit)
                ok = next == 'f' && take_fraction(s, (uint32_t)(letter - '0'));
            else
                ok = take_part(s, letter == ':' ? next : letter);
        }
        if (!ok)
            return false;
    }
    return true;
}

static struct leat_value time_of(struct scan *s, const struct leat_zone *z)
{
    struct leat_civil *c = &s->c;

    if (s->has & HAS_SECONDS)
        return leat_timestamp(s->seconds, c->nanos);
    if (!(s->has & HAS_YEAR))
        return leat_value_fail(LEAT_V_ARGUMENT, needs_year);
    if (s->has & (IS_PM | IS_AM))
        c->hour = c->hour % 12 + (s->has & IS_PM ? 12 : 0);
    if (c->day > leat_civil_month_days(c->year, c->month))
        return leat_value_fail(LEAT_V_SYNTAX, "a day that this month does not have");
    int64_t local = leat_civil_seconds(c);
    if (s->has & HAS_YEARDAY) {
        int64_t days = leat_civil_days(c->year, 1, s->yearday);
        if (days >= leat_civil_days(c->year + 1, 1, 1))
            return leat_value_fail(LEAT_V_SYNTAX, "a day that this year does not have");
        local += (days - leat_civil_days(c->year, c->month, c->day)) * 86400;
    }
    int64_t seconds = s->has & HAS_OFFSET ? local - s->offset : leat_zone_to_utc(z, local);
    return leat_timestamp(seconds, c->nanos);
}

struct leat_value leat_time_scan(struct leat_slice pattern, struct leat_slice text,
                                 const struct leat_zone *z)
{
    struct scan s = {.text = text, .c = {.month = 1, .day = 1}};

    if (!take_all(&s, pattern) || s.text.len)
        return leat_value_fail(LEAT_V_SYNTAX, "the text does not fit the pattern of the time");
    return time_of(&s, z);
}

const char *leat_time_scan_check(struct leat_slice pattern)
{
    bool has_year = false;

    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.ptr[i] != '%')
            continue;
        char letter = ++i < pattern.len ? pattern.ptr[i] : 0;
        char next = i + 1 < pattern.len ? pattern.ptr[i + 1] : 0;
        bool longer =
            (letter == ':' && next == 'z') || (letter >= '1' && letter <= '9' && next == 'f');
        if (!letter || (!longer && !strchr("YymedjHIpMSfNLaAbhBzZsnt%FTRD", letter)))
            return "unknown % in the pattern of a time to read (%Y %m %d %H ...)";
        i += longer;
        has_year |= strchr("YysFD", letter) != NULL;
    }
    return has_year ? NULL : needs_year;
}
