#ifndef LEAT_OP_LOOKUP_TABLE_H
#define LEAT_OP_LOOKUP_TABLE_H

#include "data/key.h"
#include "op/lookup.h"

/* The row under these key bytes, or NULL. Thread: any. */
const struct leat_value *leat_lookup_find(const struct leat_lookup_table *t, struct leat_slice key);

/* Both are copied. LEAT_E_DATA: the key is there, and the row was not to be replaced. LEAT_E_FULL,
 * LEAT_E_NOMEM: the table is not to be used any more. Thread: who fills it, while nobody looks. */
LEAT_CHECKED enum leat_status leat_lookup_put(struct leat_lookup_table *t, struct leat_slice key,
                                              struct leat_value row, bool replace,
                                              struct leat_error *err);
void leat_lookup_remove(struct leat_lookup_table *t, struct leat_slice key);

#endif
