/*
 * regex.h - regular expressions: RE2's language, run by PCRE2.
 *
 * RE2's subset has no backreference, look-around, atomic group, possessive quantifier, recursion or
 * condition; such patterns are refused with the reason, because patterns are data to us and must
 * not run for ever. For the same end a match has a step limit. Text is UTF-8; \d \s \w are ASCII;
 * `.` stops at a newline, `$` is the end of the text, both as in RE2.
 *
 * A compiled expression is immutable and shared by threads; a scratch belongs to one worker.
 */
#ifndef LEAT_EXPR_REGEX_H
#define LEAT_EXPR_REGEX_H

#include "base/arena.h"

#include <stdint.h>

#define LEAT_REGEX_PATTERN_MAX 4096 /* bytes */
#define LEAT_REGEX_GROUPS_MAX  64
#define LEAT_REGEX_WHY_BYTES   160

struct leat_regex;
struct leat_regex_scratch;

/* NULL: `why` says what is wrong with the pattern; empty: out of memory. */
struct leat_regex *leat_regex_new(struct leat_slice pattern, char why[LEAT_REGEX_WHY_BYTES]);
void leat_regex_free(struct leat_regex *re);
uint32_t leat_regex_groups(const struct leat_regex *re); /* without the whole match, which is 0 */
int leat_regex_group(const struct leat_regex *re, struct leat_slice name); /* -1: none */

struct leat_regex_scratch *leat_regex_scratch_new(void); /* NULL: out of memory */
void leat_regex_scratch_free(struct leat_regex_scratch *s);

/* Patterns that only a record's data names: a few dozen are kept, mistakes too. NULL: *why says
 * what is wrong, until the next call; empty: out of memory. The expression is valid until as many
 * others were asked for as are kept (16 at least). */
const struct leat_regex *leat_regex_find(struct leat_regex_scratch *s, struct leat_slice pattern,
                                         const char **why);

enum leat_regex_result {
    LEAT_REGEX_NO,
    LEAT_REGEX_YES,
    LEAT_REGEX_LIMIT, /* gave up: too many steps or too much memory */
};

/* Look for the first match at or after byte `start`. On YES spans[0] is the match, spans[n] group
 * n; a group that took no part has ptr NULL. `count` spans are filled, absent groups included. */
enum leat_regex_result leat_regex_match(const struct leat_regex *re, struct leat_regex_scratch *s,
                                        struct leat_slice subject, size_t start,
                                        struct leat_slice *spans, uint32_t count);

#endif
