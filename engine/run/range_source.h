/*
 * range_source.h - reads ranges of a source again, one after the other, and waits for them.
 *
 * For replay: nothing is committed, nothing is decided; whoever calls is the only thread. What can
 * heal is tried again for half a minute.
 */
#ifndef LEAT_RUN_RANGE_SOURCE_H
#define LEAT_RUN_RANGE_SOURCE_H

#include "base/queue.h"
#include "data/source.h"
#include "plan/plan.h"

struct leat_range_source {
    const struct leat_plan_source *plan;
    struct leat_env env;
    struct leat_log log;
    struct leat_arena *arena;
    void *self;
    bool is_open;
    struct leat_queue answers;
    struct leat_part *parts; /* as the source named them; names are copies */
    uint32_t parts_count, parts_room;
};

/* Open the source and list its partitions. `env` is the job's; the arena outlives it.
 * LEAT_E_CONFIG: this source cannot be read again. */
LEAT_CHECKED enum leat_status leat_range_source_open(struct leat_range_source *s,
                                                     const struct leat_plan_source *plan,
                                                     const struct leat_env *env,
                                                     struct leat_arena *arena,
                                                     struct leat_error *err);

/* A partition that its source would not name again, as it is none of the ticks to come
 * (data/source.h: leat_by_tick); nothing for other sources. */
LEAT_CHECKED enum leat_status leat_range_source_know(struct leat_range_source *s,
                                                     struct leat_slice name, int64_t from,
                                                     struct leat_error *err);

/* NULL: the source has no partition of that name any more. */
const struct leat_part *leat_range_source_find(const struct leat_range_source *s,
                                               struct leat_slice name);

/* The rows of [from, to), as blocks linked by msg.next; *blocks may be NULL: there are none. They
 * are the caller's. LEAT_E_LOST: not all of it is there any more. */
LEAT_CHECKED enum leat_status leat_range_source_read(struct leat_range_source *s,
                                                     const struct leat_part *part, int64_t from,
                                                     int64_t to, struct leat_block **blocks,
                                                     struct leat_error *err);

void leat_range_source_close(struct leat_range_source *s); /* also one that was never opened */

#endif
