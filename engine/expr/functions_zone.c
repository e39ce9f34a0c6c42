/*
 * functions_zone.c - truncate() and parseTime(): functions of time that go from local time to UTC.
 *
 * Thread: that of the eval.
 */
#include "data/time_text.h"
#include "expr/call.h"
#include "expr/time_format.h"

#define DAY_SECONDS INT64_C(86400)

static const char no_such_unit[] =
    "truncate() knows second, minute, hour, day, week, month, quarter, year";
static const char not_above_zero[] = "truncate() to a duration that is not above zero";

struct leat_value fn_parse_time(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct leat_value why;

    if (args[0].tag != LEAT_STRING || args[1].tag != LEAT_STRING)
        return call_refuse("no such overload: parseTime() takes text, a pattern and a zone");
    const struct leat_zone *z = call_zone(call, args, n, 2, &why);
    if (!z)
        return why;
    if (!leat_call_charge(call, (args[0].len + args[1].len) / 1024))
        return leat_call_exhausted();
    return leat_time_scan(leat_value_text(args[1]), leat_value_text(args[0]), z);
}

const char *fn_check_parse_time(uint32_t arg, struct leat_value constant)
{
    return arg == 1 && constant.tag == LEAT_STRING ? leat_time_scan_check(leat_value_text(constant))
                                                   : NULL;
}

/* Local seconds at which the day begins that `unit` begins with; false: no such unit. */
static bool unit_start(struct leat_slice unit, int64_t local, int64_t *start)
{
    struct leat_civil c = leat_civil_from_seconds(local, 0);
    int64_t days = leat_civil_days(c.year, c.month, c.day);

    if (leat_slice_eq(unit, LEAT_LIT("day")))
        *start = days;
    else if (leat_slice_eq(unit, LEAT_LIT("week")))
        *start = days - (leat_civil_weekday(days) + 6) % 7;
    else if (leat_slice_eq(unit, LEAT_LIT("month")))
        *start = leat_civil_days(c.year, c.month, 1);
    else if (leat_slice_eq(unit, LEAT_LIT("quarter")))
        *start = leat_civil_days(c.year, (c.month - 1) / 3 * 3 + 1, 1);
    else if (leat_slice_eq(unit, LEAT_LIT("year")))
        *start = leat_civil_days(c.year, 1, 1);
    else
        return false;
    *start *= DAY_SECONDS;
    return true;
}

static int64_t short_unit_nanos(struct leat_slice unit)
{
    static const struct {
        const char *name;
        int64_t seconds;
    } units[] = {{"second", 1}, {"minute", 60}, {"hour", 3600}};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (leat_slice_eq(unit, leat_slice_str(units[i].name)))
            return units[i].seconds * 1000000000;
    return 0;
}

/* Back to the last multiple of `step` on the clocks of the zone. Within an hour that clocks show
 * twice, the answer stays in the same one of the two. */
static struct leat_value truncate_step(struct leat_value t, int64_t step_nanos,
                                       const struct leat_zone *z)
{
    __extension__ typedef __int128 wide;
    int32_t offset = leat_zone_offset(z, t.as.i, NULL);
    wide local = (wide)(t.as.i + offset) * 1000000000 + t.len;
    wide over = local % step_nanos;

    if (over < 0)
        over += step_nanos;
    struct leat_value start = leat_timestamp(t.as.i - (int64_t)(over / 1000000000),
                                             (int64_t)t.len - (int64_t)(over % 1000000000));
    if (start.tag == LEAT_ERROR || leat_zone_offset(z, start.as.i, NULL) == offset)
        return start;
    return leat_timestamp(leat_zone_to_utc(z, start.as.i + offset), start.len);
}

struct leat_value fn_truncate(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct leat_value why;
    int64_t step, start;

    if (args[0].tag != LEAT_TIMESTAMP ||
        (args[1].tag != LEAT_STRING && args[1].tag != LEAT_DURATION))
        return call_refuse("no such overload: truncate() takes a timestamp, a unit and a zone");
    const struct leat_zone *z = call_zone(call, args, n, 2, &why);
    if (!z)
        return why;
    if (args[1].tag == LEAT_DURATION) {
        step = args[1].as.i * 1000000000 + args[1].len; /* a duration fits 64 bits of nanoseconds */
        return step > 0 ? truncate_step(args[0], step, z) : call_wrong(not_above_zero);
    }
    struct leat_slice unit = leat_value_text(args[1]);
    step = short_unit_nanos(unit);
    if (step)
        return truncate_step(args[0], step, z);
    if (!unit_start(unit, args[0].as.i + leat_zone_offset(z, args[0].as.i, NULL), &start))
        return call_wrong(no_such_unit);
    return leat_timestamp(leat_zone_to_utc(z, start), 0);
}

const char *fn_check_truncate(uint32_t arg, struct leat_value constant)
{
    struct leat_slice unit = leat_value_text(constant);
    int64_t ignored;

    if (arg != 1)
        return NULL;
    if (constant.tag == LEAT_DURATION)
        return constant.as.i > 0 || (constant.as.i == 0 && constant.len > 0) ? NULL
                                                                             : not_above_zero;
    if (constant.tag != LEAT_STRING || short_unit_nanos(unit) || unit_start(unit, 0, &ignored))
        return NULL;
    return no_such_unit;
}
