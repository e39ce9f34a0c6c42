/*
 * head.h - what every row of a source goes through first: decoded, converted, timed.
 *
 * The planner makes it before the operators behind it are built, and finishes it when all of them
 * have said which paths and meta data they touch: only those are decoded.
 */
#ifndef LEAT_OP_HEAD_H
#define LEAT_OP_HEAD_H

#include "base/module.h"
#include "op/build.h"
#include "op/meta.h"

enum leat_key_format { LEAT_KEY_TEXT, LEAT_KEY_JSON, LEAT_KEY_RAW };

struct leat_head {
    const struct leat_segment *segment;
    struct leat_slice source;
    const struct leat_module *format;
    void *format_self;
    bool from_text; /* CSV: the schema converts */
    enum leat_key_format key_format;

    /* `generate`: made from the row's number before anything else; lists may be empty. */
    struct leat_exprs value, key;
    bool has_generated_time;
    struct leat_expr generated_time;
    uint32_t generated_time_column;

    bool has_time; /* event time */
    struct leat_expr time;
    uint32_t time_column;
    int64_t max_future_ms; /* 0: off */
    int64_t max_record_bytes;
};

/* All touched paths are known: tell the format. */
LEAT_CHECKED enum leat_status leat_head_finish(struct leat_head *head, struct leat_arena *arena,
                                               struct leat_error *err);

/* nodes[0] of a source's stage. Its plan is a struct leat_head; its task's `source` is the name of
 * the partition ("orders/3"), split at the last slash for meta.topic and meta.partition. */
extern const struct leat_op leat_op_head;

#endif
