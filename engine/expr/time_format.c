/* time_format.c - writes times by a pattern; time_scan.c reads them. Thread: any. */
#include "expr/time_format.h"

#include "data/time_text.h"
#include "expr/time_names.h"

#include <stdio.h>

const char *const time_weekdays[7] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};
const char *const time_months[12] = {"January",   "February", "March",    "April",
                                     "May",       "June",     "July",     "August",
                                     "September", "October",  "November", "December"};

struct moment {
    struct leat_civil c;
    int64_t seconds;
    int32_t offset;
    const char *abbreviation;
};

static bool put(struct leat_bytes *into, const char *text, size_t len)
{
    leat_bytes_put(into, text, len);
    return true;
}

static bool put_number(struct leat_bytes *into, const char *form, int64_t number)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)number);
    int width = form[0] - '0';

    for (; width > n; width--)
        leat_bytes_put(into, form + 1, 1);
    return put(into, text, (size_t)n);
}

static bool put_fraction(struct leat_bytes *into, uint32_t nanos, uint32_t digits)
{
    char text[16];

    snprintf(text, sizeof text, "%09u", nanos);
    return put(into, text, digits);
}

static bool put_offset(struct leat_bytes *into, int32_t offset, bool colon)
{
    char text[16];
    int minutes = (offset < 0 ? -offset : offset) / 60;
    int n = snprintf(text, sizeof text, "%c%02d%s%02d", offset < 0 ? '-' : '+', minutes / 60,
                     colon ? ":" : "", minutes % 60);

    return put(into, text, (size_t)n);
}

/* "CEST"; "+02:00" where the zone has no letters. */
static bool put_zone(struct leat_bytes *into, const struct moment *m)
{
    if (m->abbreviation[0])
        return put(into, m->abbreviation, strlen(m->abbreviation));
    return put_offset(into, m->offset, true);
}

static bool put_week(struct leat_bytes *into, const struct moment *m, char letter)
{
    int32_t year;
    uint32_t week = leat_civil_iso_week(&m->c, &year);

    return letter == 'G' ? put_number(into, "40", year) : put_number(into, "20", week);
}

static bool put_name(struct leat_bytes *into, const char *name, bool is_short)
{
    return put(into, name, is_short ? 3 : strlen(name));
}

static bool put_date_part(struct leat_bytes *into, const struct moment *m, char letter)
{
    const struct leat_civil *c = &m->c;
    uint32_t weekday = leat_civil_weekday(leat_civil_days(c->year, c->month, c->day));

    switch (letter) {
    case 'Y':
        return put_number(into, "40", c->year);
    case 'y':
        return put_number(into, "20", c->year % 100);
    case 'C':
        return put_number(into, "20", c->year / 100);
    case 'm':
        return put_number(into, "20", c->month);
    case 'd':
        return put_number(into, "20", c->day);
    case 'e':
        return put_number(into, "2 ", c->day);
    case 'j':
        return put_number(into, "30", leat_civil_yearday(c) + 1);
    case 'a':
    case 'A':
        return put_name(into, time_weekdays[weekday], letter == 'a');
    case 'b':
    case 'h':
    case 'B':
        return put_name(into, time_months[c->month - 1], letter != 'B');
    case 'u':
        return put_number(into, "10", weekday ? weekday : 7);
    case 'w':
        return put_number(into, "10", weekday);
    case 'G':
    case 'V':
        return put_week(into, m, letter);
    default:
        return false;
    }
}

static bool put_time_part(struct leat_bytes *into, const struct moment *m, char letter)
{
    const struct leat_civil *c = &m->c;

    switch (letter) {
    case 'H':
        return put_number(into, "20", c->hour);
    case 'I':
        return put_number(into, "20", c->hour % 12 ? c->hour % 12 : 12);
    case 'p':
        return put(into, c->hour < 12 ? "AM" : "PM", 2);
    case 'M':
        return put_number(into, "20", c->minute);
    case 'S':
        return put_number(into, "20", c->second);
    case 'L':
        return put_fraction(into, c->nanos, 3);
    case 'f':
        return put_fraction(into, c->nanos, 6);
    case 'N':
        return put_fraction(into, c->nanos, 9);
    case 'z':
        return put_offset(into, m->offset, false);
    case 'Z':
        return put_zone(into, m);
    case 's':
        return put_number(into, "10", m->seconds);
    case 'n':
        return put(into, "\n", 1);
    case 't':
        return put(into, "\t", 1);
    case '%':
        return put(into, "%", 1);
    default:
        return put_date_part(into, m, letter);
    }
}

const char *time_pattern_of(char letter)
{
    switch (letter) {
    case 'F':
        return "%Y-%m-%d";
    case 'T':
        return "%H:%M:%S";
    case 'R':
        return "%H:%M";
    case 'D':
        return "%m/%d/%y";
    default:
        return NULL;
    }
}

static bool put_all(struct leat_slice pattern, const struct moment *m, struct leat_bytes *into)
{
    const char *p = pattern.ptr, *end = p + pattern.len;

    while (p < end) {
        const char *percent = memchr(p, '%', (size_t)(end - p));
        const char *plain_end = percent ? percent : end;
        leat_bytes_put(into, p, (size_t)(plain_end - p));
        if (!percent)
            return true;
        if (end - percent < 2)
            return false;
        char letter = percent[1];
        p = percent + 2;
        const char *longer = time_pattern_of(letter);
        if (longer) {
            (void)put_all(leat_slice_str(longer), m, into);
        } else if (p < end && (letter == ':' || (letter >= '1' && letter <= '9'))) {
            if (*p != (letter == ':' ? 'z' : 'f'))
                return false;
            p++;
            (void)(letter == ':' ? put_offset(into, m->offset, true)
                                 : put_fraction(into, m->c.nanos, (uint32_t)(letter - '0')));
        } else if (!put_time_part(into, m, letter)) {
            return false;
        }
    }
    return true;
}

bool leat_time_format(struct leat_slice pattern, struct leat_value t, const struct leat_zone *z,
                      struct leat_bytes *into)
{
    struct moment m = {.seconds = t.as.i};

    m.offset = leat_zone_offset(z, t.as.i, &m.abbreviation);
    m.c = leat_civil_from_seconds(t.as.i + m.offset, t.len);
    return put_all(pattern, &m, into);
}

const char *leat_time_format_check(struct leat_slice pattern)
{
    const struct moment m = {.c = {.year = 1970, .month = 1, .day = 1}, .abbreviation = ""};
    struct leat_bytes nowhere = {.failed = true}; /* puts do nothing */

    return put_all(pattern, &m, &nowhere) ? NULL
                                          : "unknown % in the pattern of a time (%Y %m %d %H ...)";
}
