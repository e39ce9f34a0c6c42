/* time_names.h - what writing and reading of times by a pattern share. Private to these two. */
#ifndef LEAT_EXPR_TIME_NAMES_H
#define LEAT_EXPR_TIME_NAMES_H

extern const char *const time_weekdays[7]; /* from Sunday */
extern const char *const time_months[12];

/* What %F, %T, %R and %D stand for; NULL for other letters. */
const char *time_pattern_of(char letter);

#endif
