/*
 * functions_time.c - functions that make times and durations, and take them apart.
 *
 * As CEL has them, with fromMillis and the like for the numbers that systems really send.
 * Truncation and reading by a pattern are in functions_zone.c, time.format() in functions_format.c.
 *
 * Thread: that of the eval.
 */
#include "data/time_text.h"
#include "expr/call.h"

#include <math.h>

#define MILLIS_OF_SECOND INT64_C(1000)
#define MICROS_OF_SECOND INT64_C(1000000)
#define NANOS_OF_SECOND  INT64_C(1000000000)

/* Seconds as an int: one that is too large for the year 9999 is a smaller unit. */
static struct leat_value from_seconds(int64_t seconds)
{
    if (seconds <= LEAT_TIME_MAX)
        return leat_timestamp(seconds, 0);
    if (seconds / MILLIS_OF_SECOND <= LEAT_TIME_MAX)
        return leat_value_fail(LEAT_V_OVERFLOW, "timestamp() of so many seconds is beyond the year "
                                                "9999: milliseconds? use fromMillis");
    if (seconds / MICROS_OF_SECOND <= LEAT_TIME_MAX)
        return leat_value_fail(LEAT_V_OVERFLOW, "timestamp() of so many seconds is beyond the year "
                                                "9999: microseconds? use fromMicros");
    return leat_value_fail(LEAT_V_OVERFLOW, "timestamp() of so many seconds is beyond the year "
                                            "9999: nanoseconds? use fromNanos");
}

static struct leat_value from_fraction(double seconds)
{
    double whole = floor(seconds);

    if (!(whole >= (double)LEAT_TIME_MIN && whole <= (double)LEAT_TIME_MAX))
        return whole > (double)LEAT_TIME_MAX && whole < 9e18
                   ? from_seconds((int64_t)whole)
                   : leat_value_fail(LEAT_V_OVERFLOW, "a time outside the years 1 to 9999");
    /* a double of today has no more than microseconds */
    return leat_timestamp((int64_t)whole, (int64_t)llround((seconds - whole) * 1e6) * 1000);
}

static struct leat_value call_timestamp(struct leat_call *call, const struct leat_value *args,
                                        uint32_t n)
{
    struct leat_value v = args[0];

    (void)call, (void)n;
    if (v.tag == LEAT_TIMESTAMP)
        return v;
    if (v.tag == LEAT_STRING)
        return leat_timestamp_parse(leat_value_text(v));
    if (v.tag == LEAT_INT)
        return from_seconds(v.as.i);
    if (v.tag == LEAT_UINT)
        return from_seconds(v.as.u > INT64_MAX ? INT64_MAX : (int64_t)v.as.u);
    if (v.tag == LEAT_DOUBLE)
        return from_fraction(v.as.d);
    return call_refuse("no such overload: timestamp() takes RFC 3339 text or seconds since 1970");
}

static struct leat_value call_duration(struct leat_call *call, const struct leat_value *args,
                                       uint32_t n)
{
    (void)call, (void)n;
    if (args[0].tag == LEAT_DURATION)
        return args[0];
    if (args[0].tag != LEAT_STRING)
        return call_refuse("no such overload: duration() takes text like \"1h30m\"");
    return leat_duration_parse(leat_value_text(args[0]));
}

/* Decimal digits with an optional minus. */
static bool text_to_int(struct leat_slice s, int64_t *i)
{
    bool minus = s.len && *s.ptr == '-';

    *i = 0;
    if (s.len == minus)
        return false;
    for (size_t at = minus; at < s.len; at++) {
        int digit = s.ptr[at] - '0';
        if (digit < 0 || digit > 9 || __builtin_mul_overflow(*i, 10, i) ||
            __builtin_sub_overflow(*i, digit, i))
            return false;
    }
    return minus || !__builtin_sub_overflow(0, *i, i);
}

static struct leat_value from_unit(struct leat_value v, int64_t units_of_second)
{
    int64_t i;

    if (v.tag == LEAT_STRING ? !text_to_int(leat_value_text(v), &i) : !call_whole(v, &i))
        return v.tag == LEAT_STRING
                   ? leat_value_fail(LEAT_V_SYNTAX, "the text is no int")
                   : call_refuse("no such overload: fromMillis(), fromMicros(), fromNanos() take "
                                 "an int, or text of one");
    int64_t rest = i % units_of_second;
    int64_t seconds = i / units_of_second - (rest < 0);
    if (rest < 0)
        rest += units_of_second;
    return leat_timestamp(seconds, rest * (NANOS_OF_SECOND / units_of_second));
}

static struct leat_value call_from_millis(struct leat_call *call, const struct leat_value *args,
                                          uint32_t n)
{
    (void)call, (void)n;
    return from_unit(args[0], MILLIS_OF_SECOND);
}

static struct leat_value call_from_micros(struct leat_call *call, const struct leat_value *args,
                                          uint32_t n)
{
    (void)call, (void)n;
    return from_unit(args[0], MICROS_OF_SECOND);
}

static struct leat_value call_from_nanos(struct leat_call *call, const struct leat_value *args,
                                         uint32_t n)
{
    (void)call, (void)n;
    return from_unit(args[0], NANOS_OF_SECOND);
}

/* Of a time since 1970, of a duration all of it; rounded down. */
static struct leat_value in_units(struct leat_value v, int64_t units_of_second)
{
    int64_t i, rest = v.len / (NANOS_OF_SECOND / units_of_second);

    if (v.tag != LEAT_TIMESTAMP && v.tag != LEAT_DURATION)
        return call_refuse("no such overload: millis(), micros(), nanos() are of a timestamp or a "
                           "duration");
    if (__builtin_mul_overflow(v.as.i + (v.as.i < 0), units_of_second, &i) ||
        __builtin_add_overflow(i, v.as.i < 0 ? rest - units_of_second : rest, &i))
        return leat_value_fail(LEAT_V_OVERFLOW, "the number is out of range");
    return leat_int(i);
}

static struct leat_value call_millis(struct leat_call *call, const struct leat_value *args,
                                     uint32_t n)
{
    (void)call, (void)n;
    return in_units(args[0], MILLIS_OF_SECOND);
}

static struct leat_value call_micros(struct leat_call *call, const struct leat_value *args,
                                     uint32_t n)
{
    (void)call, (void)n;
    return in_units(args[0], MICROS_OF_SECOND);
}

static struct leat_value call_nanos(struct leat_call *call, const struct leat_value *args,
                                    uint32_t n)
{
    (void)call, (void)n;
    return in_units(args[0], NANOS_OF_SECOND);
}

static bool civil_of(struct leat_call *call, const struct leat_value *args, uint32_t n,
                     struct leat_civil *c, struct leat_value *why)
{
    const struct leat_zone *z;

    *why = call_refuse("no such overload: getHours() and the like take a timestamp and a zone");
    if (args[0].tag != LEAT_TIMESTAMP || !(z = call_zone(call, args, n, 1, why)))
        return false;
    int64_t seconds = args[0].as.i;
    *c = leat_civil_from_seconds(seconds + leat_zone_offset(z, seconds, NULL), args[0].len);
    return true;
}

static uint32_t weekday_of(const struct leat_civil *c)
{
    return leat_civil_weekday(leat_civil_days(c->year, c->month, c->day));
}

#define PART_OF_TIME(name, part)                                                                   \
    static struct leat_value name(struct leat_call *call, const struct leat_value *args,           \
                                  uint32_t n)                                                      \
    {                                                                                              \
        struct leat_civil c;                                                                       \
        struct leat_value why;                                                                     \
        return civil_of(call, args, n, &c, &why) ? leat_int((int64_t)(part)) : why;                \
    }

PART_OF_TIME(call_year, c.year)
PART_OF_TIME(call_month, c.month - 1)
PART_OF_TIME(call_date, c.day)
PART_OF_TIME(call_day_of_month, c.day - 1)
PART_OF_TIME(call_day_of_week, weekday_of(&c))
PART_OF_TIME(call_day_of_year, leat_civil_yearday(&c))
PART_OF_TIME(time_hours, c.hour)
PART_OF_TIME(time_minutes, c.minute)
PART_OF_TIME(time_seconds, c.second)
PART_OF_TIME(time_milliseconds, c.nanos / 1000000)

/* Whole seconds of a duration, cut off towards zero. */
static int64_t whole_seconds(struct leat_value d)
{
    return d.as.i + (d.as.i < 0 && d.len > 0);
}

/* The millisecond part, as CEL has it: that of -1.25s is -250. */
static int64_t part_of_second(struct leat_value d)
{
    bool below = d.as.i < 0 && d.len > 0;

    return below ? -(int64_t)((NANOS_OF_SECOND - d.len) / 1000000) : d.len / 1000000;
}

/* A part of a time, or all of a duration in that unit. */
#define PART_OR_WHOLE(name, of_time, of_duration)                                                  \
    static struct leat_value name(struct leat_call *call, const struct leat_value *args,           \
                                  uint32_t n)                                                      \
    {                                                                                              \
        if (args[0].tag == LEAT_DURATION && n == 1)                                                \
            return leat_int(of_duration);                                                          \
        return of_time(call, args, n);                                                             \
    }

PART_OR_WHOLE(call_hours, time_hours, whole_seconds(args[0]) / 3600)
PART_OR_WHOLE(call_minutes, time_minutes, whole_seconds(args[0]) / 60)
PART_OR_WHOLE(call_seconds, time_seconds, whole_seconds(args[0]))
PART_OR_WHOLE(call_milliseconds, time_milliseconds, part_of_second(args[0]))

/* clang-format off */
#define PART(of) .form = LEAT_FN_MEMBER, .overloads = "T>I TS>I", .call = (of), \
                 .prepare = call_prepare_zone, .constant_arg = 1
#define PART_OR_ALL(of) .form = LEAT_FN_MEMBER, .overloads = "T>I TS>I P>I", .call = (of), \
                        .prepare = call_prepare_zone, .constant_arg = 1

const struct leat_function leat_functions_time[] = {
    {.name = "timestamp", .form = LEAT_FN_GLOBAL, .overloads = "S>T N>T T>T",
     .call = call_timestamp, .signature = "timestamp(text), timestamp(seconds)",
     .help = "The time that RFC 3339 text or a number of seconds since 1970 stands for. "
             "Milliseconds are refused: use fromMillis."},
    {.name = "duration", .form = LEAT_FN_GLOBAL, .overloads = "S>P P>P", .call = call_duration,
     .signature = "duration(text)", .help = "\"1h30m\", \"1.5s\", \"-3ms\": units h m s ms us ns."},
    {.name = "fromMillis", .form = LEAT_FN_GLOBAL, .overloads = "N>T S>T",
     .call = call_from_millis, .signature = "fromMillis(x)",
     .help = "The time so many milliseconds after 1970 began; an int, or text of one."},
    {.name = "fromMicros", .form = LEAT_FN_GLOBAL, .overloads = "N>T S>T",
     .call = call_from_micros, .signature = "fromMicros(x)",
     .help = "The time so many microseconds after 1970 began; an int, or text of one."},
    {.name = "fromNanos", .form = LEAT_FN_GLOBAL, .overloads = "N>T S>T",
     .call = call_from_nanos, .signature = "fromNanos(x)",
     .help = "The time so many nanoseconds after 1970 began; an int, or text of one."},
    {.name = "millis", .form = LEAT_FN_MEMBER, .overloads = "T>I P>I", .call = call_millis,
     .signature = "time.millis(), duration.millis()",
     .help = "Milliseconds since 1970, or of the duration, rounded down."},
    {.name = "micros", .form = LEAT_FN_MEMBER, .overloads = "T>I P>I", .call = call_micros,
     .signature = "time.micros(), duration.micros()",
     .help = "Microseconds since 1970, or of the duration, rounded down."},
    {.name = "nanos", .form = LEAT_FN_MEMBER, .overloads = "T>I P>I", .call = call_nanos,
     .signature = "time.nanos(), duration.nanos()",
     .help = "Nanoseconds since 1970, or of the duration."},
    {.name = "parseTime", .form = CALL_BOTH, .overloads = "SS>T SSS>T",
     .call = fn_parse_time, .check = fn_check_parse_time, .prepare = call_prepare_zone, .constant_arg = 2,
     .signature = "parseTime(text, pattern), parseTime(text, pattern, zone)",
     .help = "The time that the text is by a pattern (%d/%m/%Y %H:%M), in UTC or the zone where "
             "it names no offset."},
    {.name = "truncate", .form = LEAT_FN_MEMBER, .overloads = "TS>T TSS>T TP>T TPS>T",
     .call = fn_truncate, .check = fn_check_truncate, .prepare = call_prepare_zone, .constant_arg = 2,
     .signature = "time.truncate(unit), time.truncate(unit, zone)",
     .help = "The beginning of its second, minute, hour, day, week (Monday), month, quarter or "
             "year, or of its multiple of a duration since 1970, in UTC or the zone."},
    {.name = "getFullYear", PART(call_year),
     .signature = "time.getFullYear(), time.getFullYear(zone)", .help = "The year."},
    {.name = "getMonth", PART(call_month),
     .signature = "time.getMonth(), time.getMonth(zone)", .help = "The month, from 0: January."},
    {.name = "getDate", PART(call_date),
     .signature = "time.getDate(), time.getDate(zone)", .help = "The day of the month, from 1."},
    {.name = "getDayOfMonth", PART(call_day_of_month),
     .signature = "time.getDayOfMonth(), time.getDayOfMonth(zone)",
     .help = "The day of the month, from 0."},
    {.name = "getDayOfWeek", PART(call_day_of_week),
     .signature = "time.getDayOfWeek(), time.getDayOfWeek(zone)",
     .help = "The day of the week, from 0: Sunday."},
    {.name = "getDayOfYear", PART(call_day_of_year),
     .signature = "time.getDayOfYear(), time.getDayOfYear(zone)",
     .help = "The day of the year, from 0."},
    {.name = "getHours", PART_OR_ALL(call_hours),
     .signature = "time.getHours(), time.getHours(zone), duration.getHours()",
     .help = "The hour of the day; of a duration all of its hours."},
    {.name = "getMinutes", PART_OR_ALL(call_minutes),
     .signature = "time.getMinutes(), time.getMinutes(zone), duration.getMinutes()",
     .help = "The minute of the hour; of a duration all of its minutes."},
    {.name = "getSeconds", PART_OR_ALL(call_seconds),
     .signature = "time.getSeconds(), time.getSeconds(zone), duration.getSeconds()",
     .help = "The second of the minute; of a duration all of its seconds."},
    {.name = "getMilliseconds", PART_OR_ALL(call_milliseconds),
     .signature = "time.getMilliseconds(), time.getMilliseconds(zone), duration.getMilliseconds()",
     .help = "The milliseconds behind the second, 0 to 999, of a time or a duration; all of them "
             "are x.millis()."},
    {0},
};
/* clang-format on */
