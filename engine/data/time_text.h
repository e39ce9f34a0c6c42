/*
 * time_text.h - times and durations as text and as calendar dates, without libc's time zones.
 *
 * A LEAT_TIMESTAMP lies in the years 1 to 9999; a LEAT_DURATION is what 64 bits of nanoseconds hold
 * (292 years either way). Both count seconds rounded down plus 0..999999999 nanoseconds. Nothing
 * here knows a zone except as an offset from UTC that is handed in; engine/expr/zone.h knows zones.
 *
 * No globals, no allocation. Thread: any.
 */
#ifndef LEAT_DATA_TIME_TEXT_H
#define LEAT_DATA_TIME_TEXT_H

#include "data/value.h"

#define LEAT_TIME_MIN        INT64_C(-62135596800) /* 0001-01-01T00:00:00Z, in seconds since 1970 */
#define LEAT_TIME_MAX        INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define LEAT_TIME_TEXT_BYTES 40                    /* room for the texts below */

/* A date and time of day in the proleptic Gregorian calendar. */
struct leat_civil {
    int32_t year;
    uint32_t month, day;           /* 1..12, 1..31 */
    uint32_t hour, minute, second; /* 0..23, 0..59, 0..59 */
    uint32_t nanos;
};

/* Days since 1970-01-01. month 1..12; day may lie outside its month and carries over. */
LEAT_API int64_t leat_civil_days(int64_t year, uint32_t month, int64_t day);
/* Seconds since 1970 of c, taken as UTC. */
LEAT_API int64_t leat_civil_seconds(const struct leat_civil *c);
LEAT_API struct leat_civil leat_civil_from_seconds(int64_t seconds, uint32_t nanos);
LEAT_API uint32_t leat_civil_weekday(int64_t days);               /* 0: Sunday */
LEAT_API uint32_t leat_civil_yearday(const struct leat_civil *c); /* 0: January 1st */
LEAT_API uint32_t leat_civil_month_days(int64_t year, uint32_t month);
/* Week of ISO 8601, 1..53, and the year that it belongs to. */
LEAT_API uint32_t leat_civil_iso_week(const struct leat_civil *c, int32_t *year);

/* A time, or LEAT_V_OVERFLOW outside the years 1 to 9999. nanos may be any number and carries. */
LEAT_API struct leat_value leat_timestamp(int64_t seconds, int64_t nanos);
/* A duration, or LEAT_V_OVERFLOW beyond 64 bits of nanoseconds. nanos may be any number. */
LEAT_API struct leat_value leat_duration(int64_t seconds, int64_t nanos);
/* t + d, t1 - t2, d1 + d2, -d: arguments must have these tags; LEAT_V_OVERFLOW out of range. */
LEAT_API struct leat_value leat_timestamp_add(struct leat_value t, struct leat_value d);
LEAT_API struct leat_value leat_timestamp_diff(struct leat_value t1, struct leat_value t2);
LEAT_API struct leat_value leat_duration_add(struct leat_value d1, struct leat_value d2);
LEAT_API struct leat_value leat_duration_negate(struct leat_value d);
/* Milliseconds since 1970, rounded down; and back. */
LEAT_API int64_t leat_timestamp_millis(struct leat_value t);
LEAT_API struct leat_value leat_timestamp_from_millis(int64_t millis);

/* RFC 3339: date, 'T' (or 't', or a blank), time, a fraction of any length (what is below a
 * nanosecond is cut off), 'Z', 'z' or an offset. Else an error value: LEAT_V_SYNTAX,
 * LEAT_V_OVERFLOW. */
LEAT_API struct leat_value leat_timestamp_parse(struct leat_slice text);
/* "2026-01-01T10:00:00.250Z" with 0, 3, 6 or 9 digits; the length is returned, no NUL is written.
 * Behind the year 9999, where windows may end that began in it: "+10000-01-01T00:00:00Z". */
LEAT_API size_t leat_timestamp_text(struct leat_value t, char into[LEAT_TIME_TEXT_BYTES]);
/* The same for a place that is offset_seconds east of Greenwich: "...T12:00:00+02:00". */
LEAT_API size_t leat_timestamp_text_at(struct leat_value t, int32_t offset_seconds,
                                       char into[LEAT_TIME_TEXT_BYTES]);

/* CEL's text, which is Go's: "1h30m", "1.5s", "-3ms", "0"; units h m s ms us ns. */
LEAT_API struct leat_value leat_duration_parse(struct leat_slice text);
/* What string() gives: seconds with as many digits as it takes: "5400s", "-0.003s". */
LEAT_API size_t leat_duration_text(struct leat_value d, char into[LEAT_TIME_TEXT_BYTES]);

/* "+02:00", "-0530", "+02", "02:00": seconds east of Greenwich, below 24 h. False: none of these.
 */
LEAT_API bool leat_offset_parse(struct leat_slice text, int32_t *seconds);

#endif
