/*
 * refused.h - what becomes of rows that a sink's other side will never take.
 *
 * They leave the sealed outputs of their group, so that it is written without them from then on,
 * also after an abort. Under `on_error: dlq` each becomes a dead letter of the same group; under
 * `drop` it is counted; under `fail` it ends the job.
 *
 * Thread: that of the sink, or the decider's.
 */
#ifndef LEAT_RUN_REFUSED_H
#define LEAT_RUN_REFUSED_H

#include "data/refuse.h"
#include "run/stage.h"

struct leat_sink_batch {
    int64_t time_ms;
    const struct leat_sealed *rows;
};

/* Of one group: rows that one sink, or the sinks of the decider, had to leave out. */
struct leat_left_out {
    struct leat_arena arena; /* of the letters; until the next group */
    struct leat_sealed *letters, *last;
    uint64_t count;  /* that the job thread has not been told yet */
    char first[400]; /* of those, what was wrong with it */
};

/* What a sink was given. */
struct leat_given {
    uint32_t sink; /* of the plan */
    const struct leat_sink_batch *batches;
    uint32_t count;
    const struct leat_sealed *letters; /* beside them; NULL: none */
};

/* Take the rows that `told` names out of what was given, as on_error says, and clear `told`.
 * LEAT_E_DATA: on_error is fail, or a dead letter itself was refused. LEAT_E_FULL, LEAT_E_NOMEM. */
LEAT_CHECKED enum leat_status leat_leave_out(struct leat_left_out *l, const struct leat_plan *plan,
                                             struct leat_refusals *told,
                                             const struct leat_given *given, uint32_t given_count,
                                             struct leat_error *err);

/* For a new group. */
void leat_left_out_clear(struct leat_left_out *l);

#endif
