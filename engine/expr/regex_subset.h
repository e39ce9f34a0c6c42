/* regex_subset.h - which patterns are RE2's. Private to regex.c. */
#ifndef LEAT_EXPR_REGEX_SUBSET_H
#define LEAT_EXPR_REGEX_SUBSET_H

#include "base/slice.h"

#include <stdint.h>

/* NULL: the pattern is within the subset, and `into` (room for 4 bytes per byte of the pattern) has
 * it in PCRE2's spelling. Else why not (constant text), and *at says where. */
const char *regex_subset(struct leat_slice pattern, char *into, size_t *len, size_t *at);

#endif
