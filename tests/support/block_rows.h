/*
 * block_rows.h - blocks whose rows are told by their numbers, for tests of the block store.
 */
#ifndef LEAT_BLOCK_ROWS_H
#define LEAT_BLOCK_ROWS_H

#include "data/source.h"

/* Rows [from, to) of `part`, sealed; each has a key, a value, headers and a time of its own, and no
 * byte of these is zero. */
struct leat_block *block_rows_new(struct leat_budget *budget, uint32_t part, int64_t from,
                                  int64_t to);

/* Are the rows of the block what block_rows_new() makes, from `from` on without a gap? Returns the
 * number behind the last; -1: they are not. */
int64_t block_rows_check(const struct leat_block *b, int64_t from);

#endif
