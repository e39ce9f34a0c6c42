/*
 * output.h - the end of a branch: rows become the bytes that a sink writes.
 *
 * Keys, values, headers and routes of the selected rows are encoded into the chunk's scratch and
 * pushed to task->next, which keeps them in the task's arena until the batch is committed.
 */
#ifndef LEAT_OP_OUTPUT_H
#define LEAT_OP_OUTPUT_H

#include "base/module.h"
#include "op/build.h"
#include "op/head.h"

struct leat_output {
    const struct leat_assemble *value;
    const struct leat_module *format; /* NULL: as Spark prints, a pair as (k,v) */
    void *format_self;
    bool typed;   /* value and key as leat_value_encode() has them: for tests of a pipeline */
    bool discard; /* the null sink: rows are only counted */
    bool has_key;
    uint32_t key_column;
    struct leat_exprs key; /* overrides; count 0: the stream's */
    enum leat_key_format key_format;
    struct leat_exprs headers;           /* count 0: as they came */
    bool keeps_headers;                  /* behind an aggregate there are none */
    const struct leat_shape *pair_shape; /* of key and value: what the format gets; else NULL */
    uint32_t pair_column;
    struct leat_expr route; /* program NULL: the sink has one for all */
    uint32_t route_column, text_column;
};

extern const struct leat_op leat_op_output;

#endif
