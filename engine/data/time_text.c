/*
 * time_text.c - dates, times and durations to text and back.
 *
 * The calendar arithmetic is Howard Hinnant's ("chrono-compatible low-level date algorithms"):
 * years begin in March, so that the leap day is the last of a year, and 400 years are one era of
 * 146097 days.
 *
 * Thread: any.
 */
#include "data/time_text.h"

#define DAY_SECONDS  86400
#define NANOS        1000000000
#define ERA_DAYS     146097
#define DAYS_TO_1970 719468 /* from 0000-03-01 */

__extension__ typedef __int128 wide; /* sums of nanoseconds cannot overflow in it */

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t floor_rest(int64_t a, int64_t b)
{
    int64_t rest = a % b;

    return rest < 0 ? rest + b : rest;
}

int64_t leat_civil_days(int64_t year, uint32_t month, int64_t day)
{
    int64_t y = year - (month <= 2);
    int64_t era = floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * ERA_DAYS + day_of_era - DAYS_TO_1970;
}

int64_t leat_civil_seconds(const struct leat_civil *c)
{
    return leat_civil_days(c->year, c->month, c->day) * DAY_SECONDS +
           (int64_t)(c->hour * 3600 + c->minute * 60 + c->second);
}

struct leat_civil leat_civil_from_seconds(int64_t seconds, uint32_t nanos)
{
    int64_t days = floor_div(seconds, DAY_SECONDS);
    uint32_t rest = (uint32_t)floor_rest(seconds, DAY_SECONDS);
    int64_t z = days + DAYS_TO_1970;
    int64_t era = floor_div(z, ERA_DAYS);
    int64_t doe = z - era * ERA_DAYS;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    uint32_t month = (uint32_t)(mp < 10 ? mp + 3 : mp - 9);

    return (struct leat_civil){
        .year = (int32_t)(yoe + era * 400 + (month <= 2)),
        .month = month,
        .day = (uint32_t)(doy - (153 * mp + 2) / 5 + 1),
        .hour = rest / 3600,
        .minute = rest / 60 % 60,
        .second = rest % 60,
        .nanos = nanos,
    };
}

uint32_t leat_civil_weekday(int64_t days)
{
    return (uint32_t)floor_rest(days + 4, 7); /* 1970-01-01 was a Thursday */
}

uint32_t leat_civil_yearday(const struct leat_civil *c)
{
    return (uint32_t)(leat_civil_days(c->year, c->month, c->day) - leat_civil_days(c->year, 1, 1));
}

uint32_t leat_civil_month_days(int64_t year, uint32_t month)
{
    int64_t next =
        month == 12 ? leat_civil_days(year + 1, 1, 1) : leat_civil_days(year, month + 1, 1);

    return (uint32_t)(next - leat_civil_days(year, month, 1));
}

uint32_t leat_civil_iso_week(const struct leat_civil *c, int32_t *year)
{
    int64_t days = leat_civil_days(c->year, c->month, c->day);
    uint32_t from_monday = (leat_civil_weekday(days) + 6) % 7;
    int64_t thursday = days - from_monday + 3; /* the year of its Thursday is the year of a week */

    *year = leat_civil_from_seconds(thursday * DAY_SECONDS, 0).year;
    return (uint32_t)((thursday - leat_civil_days(*year, 1, 1)) / 7 + 1);
}

struct leat_value leat_timestamp(int64_t seconds, int64_t nanos)
{
    int64_t carry = floor_div(nanos, NANOS);

    if (__builtin_add_overflow(seconds, carry, &seconds) || seconds < LEAT_TIME_MIN ||
        seconds > LEAT_TIME_MAX)
        return leat_value_fail(LEAT_V_OVERFLOW, "a time outside the years 1 to 9999");
    return (struct leat_value){
        .tag = LEAT_TIMESTAMP, .len = (uint32_t)floor_rest(nanos, NANOS), .as.i = seconds};
}

static struct leat_value duration_of_nanos(wide total)
{
    if (total > INT64_MAX || total < INT64_MIN)
        return leat_value_fail(LEAT_V_OVERFLOW, "a duration of more than 292 years");
    int64_t seconds = floor_div((int64_t)total, NANOS);
    uint32_t nanos = (uint32_t)floor_rest((int64_t)total, NANOS);
    return (struct leat_value){.tag = LEAT_DURATION, .len = nanos, .as.i = seconds};
}

static wide nanos_of(struct leat_value v)
{
    return (wide)v.as.i * NANOS + v.len;
}

struct leat_value leat_duration(int64_t seconds, int64_t nanos)
{
    return duration_of_nanos((wide)seconds * NANOS + nanos);
}

struct leat_value leat_timestamp_add(struct leat_value t, struct leat_value d)
{
    return leat_timestamp(t.as.i + d.as.i, (int64_t)t.len + d.len);
}

struct leat_value leat_timestamp_diff(struct leat_value t1, struct leat_value t2)
{
    return duration_of_nanos(nanos_of(t1) - nanos_of(t2));
}

struct leat_value leat_duration_add(struct leat_value d1, struct leat_value d2)
{
    return duration_of_nanos(nanos_of(d1) + nanos_of(d2));
}

struct leat_value leat_duration_negate(struct leat_value d)
{
    return duration_of_nanos(-nanos_of(d));
}

int64_t leat_timestamp_millis(struct leat_value t)
{
    return t.as.i * 1000 + t.len / 1000000;
}

struct leat_value leat_timestamp_from_millis(int64_t millis)
{
    return leat_timestamp(floor_div(millis, 1000), floor_rest(millis, 1000) * 1000000);
}

/* Exactly `digits` digits from the front of *from. */
static bool take_number(struct leat_slice *from, size_t digits, uint32_t *number)
{
    uint32_t n = 0;

    if (from->len < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (from->ptr[i] < '0' || from->ptr[i] > '9')
            return false;
        n = n * 10 + (uint32_t)(from->ptr[i] - '0');
    }
    *from = (struct leat_slice){from->ptr + digits, from->len - digits};
    *number = n;
    return true;
}

/* One byte out of `any`. */
static bool take_byte(struct leat_slice *from, const char *any)
{
    if (!from->len || !from->ptr[0] || !strchr(any, from->ptr[0]))
        return false;
    *from = (struct leat_slice){from->ptr + 1, from->len - 1};
    return true;
}

/* The digits behind a point as nanoseconds; those behind the ninth are passed over. */
static bool take_fraction(struct leat_slice *from, uint32_t *nanos)
{
    uint32_t unit = NANOS / 10, digit, n = 0;

    for (*nanos = 0; take_number(from, 1, &digit); n++) {
        *nanos += digit * unit;
        unit /= 10;
    }
    return n > 0;
}

bool leat_offset_parse(struct leat_slice text, int32_t *seconds)
{
    bool west = text.len && text.ptr[0] == '-';
    uint32_t hours, minutes = 0;

    (void)take_byte(&text, "+-");
    if (!take_number(&text, 2, &hours))
        return false;
    if (text.len) {
        (void)take_byte(&text, ":");
        if (!take_number(&text, 2, &minutes))
            return false;
    }
    if (text.len || hours > 23 || minutes > 59)
        return false;
    *seconds = (int32_t)(hours * 3600 + minutes * 60);
    if (west)
        *seconds = -*seconds;
    return true;
}

static bool take_civil(struct leat_slice *s, struct leat_civil *c)
{
    uint32_t year;
    bool ok = take_number(s, 4, &year) && take_byte(s, "-") && take_number(s, 2, &c->month) &&
              take_byte(s, "-") && take_number(s, 2, &c->day) && take_byte(s, "Tt ") &&
              take_number(s, 2, &c->hour) && take_byte(s, ":") && take_number(s, 2, &c->minute) &&
              take_byte(s, ":") && take_number(s, 2, &c->second);

    if (!ok)
        return false;
    c->year = (int32_t)year;
    if (take_byte(s, ".") && !take_fraction(s, &c->nanos))
        return false;
    return c->month >= 1 && c->month <= 12 && c->day >= 1 &&
           c->day <= leat_civil_month_days(year, c->month) && c->hour < 24 && c->minute < 60 &&
           c->second < 60;
}

struct leat_value leat_timestamp_parse(struct leat_slice text)
{
    struct leat_civil c = {0};
    int32_t offset = 0;

    if (!take_civil(&text, &c))
        return leat_value_fail(LEAT_V_SYNTAX, "not an RFC 3339 time");
    if (take_byte(&text, "Zz")) {
        if (text.len)
            return leat_value_fail(LEAT_V_SYNTAX, "text behind an RFC 3339 time");
    } else if (text.len != 6 || text.ptr[3] != ':' || (text.ptr[0] != '+' && text.ptr[0] != '-') ||
               !leat_offset_parse(text, &offset)) {
        return leat_value_fail(LEAT_V_SYNTAX, "an RFC 3339 time ends with Z or an offset (+02:00)");
    }
    return leat_timestamp(leat_civil_seconds(&c) - offset, c.nanos);
}

static char *put_number(char *to, uint32_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        to[i] = (char)('0' + number % 10);
        number /= 10;
    }
    return to + digits;
}

static char *put_fraction(char *to, uint32_t nanos, int digits)
{
    static const uint32_t unit[] = {[3] = 1000000, [6] = 1000, [9] = 1};

    *to++ = '.';
    return put_number(to, nanos / unit[digits], digits);
}

static char *put_offset(char *to, int32_t offset_seconds)
{
    uint32_t minutes = (uint32_t)(offset_seconds < 0 ? -offset_seconds : offset_seconds) / 60;

    *to++ = offset_seconds < 0 ? '-' : '+';
    to = put_number(to, minutes / 60, 2);
    *to++ = ':';
    return put_number(to, minutes % 60, 2);
}

static size_t put_time(struct leat_value t, int32_t offset, bool zulu, char *into)
{
    struct leat_civil c = leat_civil_from_seconds(t.as.i + offset, t.len);
    uint32_t year = c.year < 0 ? 0 : c.year > 99999 ? 99999 : (uint32_t)c.year;
    char *to = into;

    if (year > 9999) /* the end of the last windows; ISO 8601's form for such */
        *to++ = '+';
    to = put_number(to, year, year > 9999 ? 5 : 4);
    *to++ = '-';
    to = put_number(to, c.month, 2);
    *to++ = '-';
    to = put_number(to, c.day, 2);
    *to++ = 'T';
    to = put_number(to, c.hour, 2);
    *to++ = ':';
    to = put_number(to, c.minute, 2);
    *to++ = ':';
    to = put_number(to, c.second, 2);
    if (c.nanos)
        to = put_fraction(to, c.nanos, c.nanos % 1000000 == 0 ? 3 : c.nanos % 1000 == 0 ? 6 : 9);
    if (zulu)
        *to++ = 'Z';
    else
        to = put_offset(to, offset);
    return (size_t)(to - into);
}

size_t leat_timestamp_text(struct leat_value t, char into[LEAT_TIME_TEXT_BYTES])
{
    return put_time(t, 0, true, into);
}

size_t leat_timestamp_text_at(struct leat_value t, int32_t offset_seconds,
                              char into[LEAT_TIME_TEXT_BYTES])
{
    return put_time(t, offset_seconds, false, into);
}

/* Nanoseconds of the unit at the front of *s; 0: none. The micro sign comes as either of two. */
static int64_t take_unit(struct leat_slice *s)
{
    static const struct {
        struct leat_slice name;
        int64_t nanos;
    } units[] = {
        {{"ns", 2}, 1},
        {{"us", 2}, 1000},
        {{"\xc2\xb5s", 3}, 1000},
        {{"\xce\xbcs", 3}, 1000},
        {{"ms", 2}, 1000000},
        {{"s", 1}, NANOS},
        {{"m", 1}, INT64_C(60) * NANOS},
        {{"h", 1}, INT64_C(3600) * NANOS},
    };

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        struct leat_slice name = units[i].name;
        if (s->len >= name.len && memcmp(s->ptr, name.ptr, name.len) == 0) {
            *s = (struct leat_slice){s->ptr + name.len, s->len - name.len};
            return units[i].nanos;
        }
    }
    return 0;
}

/* A number with its unit: "1h", "1.5s", ".5s", "1.s". False: none, or far too large. */
static bool take_term(struct leat_slice *s, wide *nanos)
{
    const wide far = (wide)INT64_MAX * 2;
    wide whole = 0, fraction = 0, scale = 1;
    uint32_t digit, digits = 0;

    for (; take_number(s, 1, &digit); digits++) {
        whole = whole * 10 + digit;
        if (whole > far)
            whole = far;
    }
    if (take_byte(s, ".")) {
        for (; take_number(s, 1, &digit); digits++) {
            if (scale < INT64_C(10000000000000000)) { /* an hour has 3.6e12 ns */
                fraction = fraction * 10 + digit;
                scale *= 10;
            }
        }
    }
    int64_t unit = digits ? take_unit(s) : 0;
    if (!unit)
        return false;
    *nanos = whole * unit + fraction * unit / scale;
    return true;
}

struct leat_value leat_duration_parse(struct leat_slice text)
{
    const wide far = (wide)INT64_MAX * 2;
    bool negative = text.len && text.ptr[0] == '-';
    wide total = 0, term;

    (void)take_byte(&text, "+-");
    if (leat_slice_eq(text, LEAT_LIT("0")))
        return leat_duration(0, 0);
    if (!text.len)
        return leat_value_fail(LEAT_V_SYNTAX, "an empty duration");
    while (text.len) {
        if (!take_term(&text, &term))
            return leat_value_fail(LEAT_V_SYNTAX,
                                   "a duration is written 1h30m, 1.5s or 250ms (a day is 24h)");
        total += term;
        if (total > far)
            total = far;
    }
    return duration_of_nanos(negative ? -total : total);
}

size_t leat_duration_text(struct leat_value d, char into[LEAT_TIME_TEXT_BYTES])
{
    bool negative = d.as.i < 0;
    uint64_t seconds = negative ? (uint64_t) - (d.as.i + (d.len > 0)) : (uint64_t)d.as.i;
    uint32_t nanos = negative && d.len ? NANOS - d.len : d.len;
    char digits[20], *at = digits + sizeof digits, *to = into;

    do {
        *--at = (char)('0' + seconds % 10);
        seconds /= 10;
    } while (seconds);
    if (negative)
        *to++ = '-';
    size_t n = (size_t)(digits + sizeof digits - at);
    memcpy(to, at, n);
    to += n;
    if (nanos) {
        to = put_fraction(to, nanos, 9);
        while (to[-1] == '0')
            to--;
    }
    *to++ = 's';
    return (size_t)(to - into);
}
