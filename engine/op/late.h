/*
 * late.h - rows that come after the last of their windows is final: counted, and to those who ask.
 */
#ifndef LEAT_OP_LATE_H
#define LEAT_OP_LATE_H

#include "op/op.h"

/* The rows of a chunk, parted. */
struct leat_late {
    uint32_t kept_count, count;
    uint16_t kept[LEAT_CHUNK_ROWS], rows[LEAT_CHUNK_ROWS];
};

/* Count the late rows and push them to task->late; then the kept ones are the chunk's selection. */
LEAT_CHECKED enum leat_status leat_late_out(const struct leat_late *late, struct leat_task *task,
                                            struct leat_chunk *chunk, struct leat_error *err);

#endif
