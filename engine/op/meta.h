/*
 * meta.h - fills the columns that come from beside the value: time, topic, offset, window.
 *
 * The head of every segment does it, for the names that its expressions touch and no others.
 */
#ifndef LEAT_OP_META_H
#define LEAT_OP_META_H

#include "op/op.h"
#include "op/view.h"

/* What is the same for all rows of a task of a source. */
struct leat_origin {
    struct leat_slice source, topic;
    int64_t number; /* of the partition */
};

LEAT_CHECKED enum leat_status leat_meta_fill(const struct leat_segment *s,
                                             const struct leat_origin *origin,
                                             const struct leat_task *task, struct leat_chunk *chunk,
                                             struct leat_error *err);

/* meta.time again, when `time:` has changed it. */
void leat_meta_fill_times(const struct leat_segment *s, struct leat_chunk *chunk);

/* The operator that stands first in a segment that no source makes. Its plan is a
 * `const struct leat_segment *`. */
extern const struct leat_op leat_op_meta;

struct leat_value leat_time_value(int64_t ms); /* null for LEAT_NO_TIME */

#endif
