/*
 * refuse.h - rows that the other side will never take, however often they are sent.
 *
 * A sink, or the decider it writes through, says which ones: then they are left out of the batch,
 * or become dead letters, and the batch is committed without them. A row is named by a mark, which
 * is an address in the chunk that was given to write: librdkafka carries it with the record.
 *
 * Thread: that of the sink, or the decider's.
 */
#ifndef LEAT_DATA_REFUSE_H
#define LEAT_DATA_REFUSE_H

#include "base/arena.h"
#include "data/chunk.h"

struct leat_refused {
    struct leat_refused *next;
    const int64_t *row;        /* its mark */
    struct leat_slice to, why; /* where it was to go; what is wrong with it */
};

/* Those of one attempt, in the order in which they were told. */
struct leat_refusals {
    struct leat_arena arena;
    struct leat_refused *first, *last;
};

static inline const int64_t *leat_row_mark(const struct leat_chunk *c, uint16_t row)
{
    return &c->times_ms[row];
}

/* `to` and `why` are copied. LEAT_E_FULL, LEAT_E_NOMEM. */
LEAT_API LEAT_CHECKED enum leat_status leat_refuse(struct leat_refusals *all, const int64_t *row,
                                                   struct leat_slice to, struct leat_slice why,
                                                   struct leat_error *err);

/* All have been dealt with. */
void leat_refusals_clear(struct leat_refusals *all);

#endif
