/*
 * zone_rule.h - the rule at the foot of a zone file, for the time after its last entry.
 *
 * A POSIX TZ text: "CET-1CEST,M3.5.0,M10.5.0/3". Private to zone.c.
 */
#ifndef LEAT_EXPR_ZONE_RULE_H
#define LEAT_EXPR_ZONE_RULE_H

#include "base/slice.h"

#include <stdint.h>

struct zone_day {
    char kind; /* 'M' month, week, weekday; 'J' day 1..365 without leap days; 'D' day 0..365 */
    uint32_t month, week, day;
    int32_t seconds; /* local time of day; may lie outside of it */
};

struct zone_rule {
    int32_t offset, summer_offset; /* seconds east of Greenwich */
    bool has_summer;
    struct zone_day from, to; /* when summer time begins (by winter's clock) and ends (summer's) */
    char name[16], summer_name[16];
};

/* False: not such a text. */
bool zone_rule_parse(struct leat_slice text, struct zone_rule *rule);
int32_t zone_rule_offset(const struct zone_rule *rule, int64_t seconds, const char **name);

#endif
