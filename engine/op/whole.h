/*
 * whole.h - operators that give one function many rows at once: transform and map_partitions.
 *
 * The function gets the values, their keys (null: the stream has none) and the batch's time, and
 * gives the list of what comes out. It is handed over (expr/callable.h): no expression says that
 * much. Rows are collected in the task's memory, which the budget bounds.
 */
#ifndef LEAT_OP_WHOLE_H
#define LEAT_OP_WHOLE_H

#include "op/group_build.h"

struct leat_whole {
    struct leat_small_expr function;
    const struct leat_assemble *value; /* map_partitions: of its input */
    uint32_t key_column;
};

/* Rows in the order in which they came; grows in the arena that it is given. */
struct leat_whole_rows {
    struct leat_value *keys, *values;
    uint32_t count, room;
};

/* `node` is the function. What comes out is of the batch and has no key. False: told in diags. */
bool leat_whole_build(struct leat_whole *w, struct leat_build *b, const struct leat_node *node);

/* What they have is borrowed. */
LEAT_CHECKED enum leat_status leat_whole_add(struct leat_whole_rows *rows, struct leat_arena *arena,
                                             struct leat_value key, struct leat_value value,
                                             struct leat_error *err);
/* As lists; items are borrowed. */
struct leat_value leat_whole_list(const struct leat_value *items, uint32_t count);
struct leat_value leat_whole_values(const struct leat_whole_rows *rows);
struct leat_value leat_whole_keys(const struct leat_whole_rows *rows, bool has_key);

/* Call the function and push what it gives. What it cannot do fails the batch, whatever on_error
 * says: no single row is to blame. */
LEAT_CHECKED enum leat_status leat_whole_call(const struct leat_whole *w, struct leat_task *task,
                                              struct leat_value values, struct leat_value keys,
                                              struct leat_error *err);

#endif
