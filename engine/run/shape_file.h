/*
 * shape_file.h - DIR/state/shapes: in words, what the state of a job means.
 *
 * The log only has a hash for each operator. This file lets `leat check --against-state` say what
 * was there when it is no longer; it is not needed for anything else, and what it says counts only
 * where it has the hash.
 *
 *     a line per operator: name, tab, 16 hex digits, tab, text of its shape
 *
 * Thread: job, or the command's.
 */
#ifndef LEAT_RUN_SHAPE_FILE_H
#define LEAT_RUN_SHAPE_FILE_H

#include "base/fs.h"
#include "plan/plan.h"

/* Walk over the operators that keep state. `text` is in arena. False from fn ends the walk. */
typedef bool leat_shape_fn(void *arg, const struct leat_plan_node *node, uint64_t shape,
                           struct leat_slice text);
LEAT_CHECKED enum leat_status leat_shapes_each(const struct leat_plan *plan,
                                               struct leat_arena *arena, leat_shape_fn *fn,
                                               void *arg, struct leat_error *err);

/* Write the shapes of a plan that begins to run. DIR/state is there. */
LEAT_CHECKED enum leat_status leat_shape_file_write(const struct leat_fs *fs, const char *dir,
                                                    const struct leat_plan *plan,
                                                    struct leat_error *err);

/* All of the file, in arena; empty when there is none or it cannot be read. */
struct leat_slice leat_shape_file_read(const struct leat_fs *fs, const char *dir,
                                       struct leat_arena *arena);

/* What the file says of this operator with this shape; ptr NULL: nothing. Borrowed. */
struct leat_slice leat_shape_file_find(struct leat_slice file, struct leat_slice name,
                                       uint64_t shape);

#endif
