#ifndef LEAT_OP_LOOKUP_TABLE_H
#define LEAT_OP_LOOKUP_TABLE_H

#include "data/key.h"
#include "op/lookup.h"

/* The row under these key bytes, or NULL. Thread: any. */
const struct leat_value *leat_lookup_find(const struct leat_lookup_table *t, struct leat_slice key);

#endif
