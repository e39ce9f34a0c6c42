/*
 * dead_letter.h - records that could not be decoded or evaluated, on their way to the output that
 * `dlq:` names (`on_error: dlq`).
 *
 * A dead letter is the record as it came: key, value and headers are the bytes of the source, and
 * headers `leat-error leat-stage leat-source leat-topic leat-partition leat-offset` say what is
 * wrong with it and where it was. Behind an exchange no single record is left: there the row is
 * written as JSON, and only `leat-error` and `leat-stage` are known. Letters are sealed and
 * committed with the outputs of their batch.
 *
 * Thread: the lane's worker.
 */
#ifndef LEAT_OP_DEAD_LETTER_H
#define LEAT_OP_DEAD_LETTER_H

#include "op/op.h"
#include "op/view.h"

/* How a row behind an exchange is written. */
struct leat_letter_plan {
    const struct leat_assemble *value;
    uint32_t key_column; /* LEAT_NO_COLUMN: it has none */
};

/* What a node needs to send some: one per node and lane. */
struct leat_letters {
    struct leat_next *next;   /* rows whose key, value, headers and route are bytes */
    struct leat_chunk *chunk; /* the lane's, for all its nodes; its arena is scratch */
    struct leat_slice stage;  /* "streams.paid.ops[0]" */
    struct leat_slice route;  /* where the output has a template; ptr NULL: it has none */
    const struct leat_letter_plan *plan; /* NULL: rows are what a source gave */

    /* While a task of stage 1 runs; else empty. */
    struct leat_slice source, topic, partition;
    char number[12]; /* of the partition, as text */

    /* Bytes of the chunk's rows, where an output has written over them; NULL: they stand. */
    const struct leat_slice *keys, *values, *headers;
};

/* A letter for every selected row with an error in `column`. `what`: as for leat_sweep_errors().
 * LEAT_E_FULL. */
LEAT_CHECKED enum leat_status leat_letters_send(struct leat_task *task, struct leat_chunk *chunk,
                                                uint32_t column, struct leat_slice what,
                                                struct leat_error *err);

/* One behind an exchange: key and value are what is left of the row, ptr NULL where nothing is, as
 * of something that could not be computed from many. Both are copied. */
LEAT_CHECKED enum leat_status leat_letters_send_left(struct leat_task *task, struct leat_value why,
                                                     struct leat_slice what, struct leat_slice key,
                                                     struct leat_slice value,
                                                     struct leat_error *err);

/* Headers of a letter that was an output, and that the other side of its sink refused: those that
 * it has, then `leat-error`, `leat-stage` and `leat-destination`. ptr NULL: the arena is full. */
struct leat_slice leat_letter_headers(struct leat_slice had, struct leat_slice why,
                                      struct leat_slice stage, struct leat_slice destination,
                                      struct leat_arena *arena);

#endif
