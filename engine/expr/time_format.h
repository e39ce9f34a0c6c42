/*
 * time_format.h - times by a pattern: what t.format(), parseTime() and templates speak.
 *
 * Patterns are strftime's, in English whatever the locale:
 *
 *     %Y year 2026     %m month 01-12   %d day 01-31     %e day, blank-padded  %j day of year
 * 001-366 %H hour 00-23    %I hour 01-12    %p AM PM         %M minute   %S second  %y year of
 * century %f microseconds  %L milliseconds  %N nanoseconds   %3f %6f %9f that many digits %a Mon %A
 * Monday  %b %h Jan  %B January  %u weekday 1-7 (Monday 1)  %w weekday 0-6 (Sunday 0) %G year and
 * %V week 01-53 of ISO 8601     %z +0200  %:z +02:00  %Z CEST  %s seconds since 1970 %F %Y-%m-%d %T
 * %H:%M:%S      %R %H:%M         %D %m/%d/%y     %n %t %%
 *
 * Reading knows all but %u %w %G %V; %Z reads UTC, GMT or Z only; %f reads 1 to 9 digits; a blank
 * in the pattern stands for any run of white space. What the pattern leaves out is 00:00:00,
 * January, the 1st; the year has to be there (or %s).
 *
 * No locale, no globals. Thread: any.
 */
#ifndef LEAT_EXPR_TIME_FORMAT_H
#define LEAT_EXPR_TIME_FORMAT_H

#include "base/bytes.h"
#include "data/value.h"
#include "expr/zone.h"

/* NULL: the pattern is good for formatting. Else why not (constant text). */
const char *leat_time_format_check(struct leat_slice pattern);

/* Append timestamp t as it is in zone z. False: the pattern is wrong (out of memory is
 * into->failed). */
bool leat_time_format(struct leat_slice pattern, struct leat_value t, const struct leat_zone *z,
                      struct leat_bytes *into);

/* The same for reading. */
const char *leat_time_scan_check(struct leat_slice pattern);

/* The time that text stands for; z counts where the text names no offset. An error value else. */
struct leat_value leat_time_scan(struct leat_slice pattern, struct leat_slice text,
                                 const struct leat_zone *z);

#endif
