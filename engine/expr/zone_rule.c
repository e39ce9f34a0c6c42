/*
 * zone_rule.c - reads POSIX TZ texts (with RFC 8536's hours from -167 to 167) and applies them.
 *
 * Thread: any.
 */
#include "expr/zone_rule.h"

#include "data/time_text.h"

#define DAY_SECONDS INT64_C(86400)

static bool take(struct leat_slice *s, char c)
{
    if (!s->len || *s->ptr != c)
        return false;
    *s = (struct leat_slice){s->ptr + 1, s->len - 1};
    return true;
}

static bool take_number(struct leat_slice *s, uint32_t least, uint32_t most, uint32_t *number)
{
    uint32_t n = 0, digits = 0;

    for (; s->len && *s->ptr >= '0' && *s->ptr <= '9' && digits < 4; digits++) {
        n = n * 10 + (uint32_t)(*s->ptr - '0');
        *s = (struct leat_slice){s->ptr + 1, s->len - 1};
    }
    *number = n;
    return digits && n >= least && n <= most;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "CET", or "<+03>" with anything but '>' between. */
static bool take_name(struct leat_slice *s, char name[16])
{
    bool quoted = take(s, '<');
    size_t n = 0;

    while (n < s->len && (quoted ? s->ptr[n] != '>' : is_letter(s->ptr[n])))
        n++;
    if (n < 1 || n > 15 || (quoted && n == s->len))
        return false;
    memcpy(name, s->ptr, n);
    name[n] = 0;
    n += quoted;
    *s = (struct leat_slice){s->ptr + n, s->len - n};
    return true;
}

/* [+-]hh[:mm[:ss]] as seconds. */
static bool take_clock(struct leat_slice *s, uint32_t hours_max, int32_t *seconds)
{
    uint32_t hours, minutes = 0, rest = 0;
    bool negative = take(s, '-');

    if (!negative)
        (void)take(s, '+');
    if (!take_number(s, 0, hours_max, &hours))
        return false;
    if (take(s, ':')) {
        if (!take_number(s, 0, 59, &minutes))
            return false;
        if (take(s, ':') && !take_number(s, 0, 59, &rest))
            return false;
    }
    int32_t n = (int32_t)(hours * 3600 + minutes * 60 + rest);
    *seconds = negative ? -n : n;
    return true;
}

static bool take_day(struct leat_slice *s, struct zone_day *day)
{
    bool ok;

    day->seconds = 2 * 3600;
    if (take(s, 'M')) {
        day->kind = 'M';
        ok = take_number(s, 1, 12, &day->month) && take(s, '.') &&
             take_number(s, 1, 5, &day->week) && take(s, '.') && take_number(s, 0, 6, &day->day);
    } else if (take(s, 'J')) {
        day->kind = 'J';
        ok = take_number(s, 1, 365, &day->day);
    } else {
        day->kind = 'D';
        ok = take_number(s, 0, 365, &day->day);
    }
    return ok && (!take(s, '/') || take_clock(s, 167, &day->seconds));
}

bool zone_rule_parse(struct leat_slice text, struct zone_rule *rule)
{
    int32_t west, summer_west;

    *rule = (struct zone_rule){0};
    if (!take_name(&text, rule->name) || !take_clock(&text, 24, &west))
        return false;
    rule->offset = -west;
    if (!text.len)
        return true;
    summer_west = west - 3600;
    if (!take_name(&text, rule->summer_name))
        return false;
    if (text.len && *text.ptr != ',' && !take_clock(&text, 24, &summer_west))
        return false;
    rule->summer_offset = -summer_west;
    rule->has_summer = true;
    return take(&text, ',') && take_day(&text, &rule->from) && take(&text, ',') &&
           take_day(&text, &rule->to) && !text.len;
}

/* When this day begins in `year`, with its time of day, in local seconds since 1970. */
static int64_t day_start(const struct zone_day *day, int64_t year)
{
    int64_t days = leat_civil_days(year, 1, 1);

    if (day->kind == 'D') {
        days += day->day;
    } else if (day->kind == 'J') {
        bool leap = leat_civil_month_days(year, 2) == 29;
        days += day->day - 1 + (leap && day->day >= 60);
    } else {
        uint32_t length = leat_civil_month_days(year, day->month);
        days = leat_civil_days(year, day->month, 1);
        uint32_t in_month = (day->day + 7 - leat_civil_weekday(days)) % 7 + (day->week - 1) * 7;
        days += in_month >= length ? in_month - 7 : in_month;
    }
    return days * DAY_SECONDS + day->seconds;
}

int32_t zone_rule_offset(const struct zone_rule *rule, int64_t seconds, const char **name)
{
    bool summer = false;

    if (rule->has_summer) {
        int64_t year = leat_civil_from_seconds(seconds + rule->offset, 0).year;
        int64_t from = day_start(&rule->from, year) - rule->offset;
        int64_t to = day_start(&rule->to, year) - rule->summer_offset;
        summer = from < to ? seconds >= from && seconds < to : seconds >= from || seconds < to;
    }
    *name = summer ? rule->summer_name : rule->name;
    return summer ? rule->summer_offset : rule->offset;
}
