/*
 * group.h - one engine for everything that works per key: batches, windows, sessions.
 *
 * A keyed operator is an *aggregator* (what a partial result is, how rows and partial results are
 * added to it, what comes out) and a description of how to group: by which key, and over what:
 *   BATCH    what one batch holds (and, behind a window, what each window holds)
 *   PANES    sliding and tumbling windows over time
 *   SESSION  runs of rows with less than a gap between them
 * Stage 1 (group_combine.c) makes one partial result per key and pane and sends it as bytes; stage
 * 2 (group_batch.c, pane.c, session.c) merges them in the order in which they come and gives
 * results.
 *
 * Batch time is an event time with a perfect watermark: a row's time is the start of its batch, the
 * watermark the batch's end.
 *
 * A partial result that is all zero is *empty*: adding or merging into it gives what was added.
 * Merging leaves `from` as it is. What partial results own is in the pool of their stage and is
 * given back by release().
 */
#ifndef LEAT_OP_GROUP_H
#define LEAT_OP_GROUP_H

#include "data/key.h"
#include "op/build.h"
#include "op/grid.h"
#include "op/pool.h"

struct leat_group;
struct leat_group_in;

/* What an aggregator may use while it works. One per task or state partition. */
struct leat_work {
    struct leat_task *task;
    struct leat_pool *pool;     /* where partial results own memory */
    struct leat_arena *scratch; /* for what lives no longer than one call of an aggregator */
    uint64_t order;             /* rows that came so far: a position for those that have none */
    uint32_t columns[128];      /* prepare() to add(): where arguments stand */
    uint32_t columns_used;
    void *beyond;                 /* memory of group->beyond */
    struct leat_slice key, value; /* what is left of a bad row, for its dead letter; ptr NULL: no */
};

/* A result on its way out. */
struct leat_result {
    struct leat_slice key;
    struct leat_window window; /* where group->windows_out */
    int64_t time_ms;
};

/* How overlapping windows are kept; see pane.c. */
enum leat_keep {
    LEAT_KEEP_MERGED,  /* merged bit by bit; for partial results of bounded size */
    LEAT_KEEP_RUNNING, /* one result, to which is added and from which is taken away: inverse() */
    LEAT_KEEP_PANES,   /* merged anew for each result, which is as long as its parts: lists */
};

struct leat_aggregator {
    enum leat_keep keep;
    bool drifts; /* inverse() is not exact: no result goes through more than a window of them */

    /* Evaluate the arguments for all selected rows; rows with errors leave the selection. NULL:
     * there are none. */
    enum leat_status (*prepare)(const struct leat_group_in *in, struct leat_work *w,
                                struct leat_chunk *chunk, struct leat_error *err);

    /* Add rows[i] to partials[i], in this order; a partial may come several times. */
    enum leat_status (*add)(const struct leat_group_in *in, struct leat_work *w,
                            const struct leat_chunk *chunk, const uint16_t *rows,
                            void *const *partials, uint32_t count, struct leat_error *err);

    enum leat_status (*merge)(const struct leat_group *g, struct leat_work *w, void *into,
                              const void *from, struct leat_error *err);

    /* The opposite of merge. KEEP_RUNNING only. */
    enum leat_status (*inverse)(const struct leat_group *g, struct leat_work *w, void *into,
                                const void *from, struct leat_error *err);

    /* Give back what it owns; then it is empty. NULL: it owns nothing. */
    void (*release)(const struct leat_group *g, struct leat_work *w, void *partial);

    /* As bytes, and back into an empty one: for the exchange and for state. Bytes may come from a
     * disk: every length is checked, LEAT_E_CORRUPT. */
    void (*encode)(const struct leat_group *g, const void *partial, struct leat_bytes *into);
    enum leat_status (*decode)(const struct leat_group *g, struct leat_work *w,
                               struct leat_slice *from, void *partial, struct leat_error *err);

    /* Make rows of a result: for each call leat_group_row() and fill the columns of that row. */
    enum leat_status (*emit)(const struct leat_group *g, struct leat_work *w,
                             const struct leat_result *r, const void *partial,
                             struct leat_error *err);

    /* Append to the text of a shape (op.h) what partial results are made of. NULL: there is nothing
     * to say. */
    void (*shape)(const struct leat_group *g, struct leat_bytes *text);

    /* Called before a full chunk goes out: what is computed from columns of results. May be NULL.
     */
    enum leat_status (*seal)(const struct leat_group *g, struct leat_work *w,
                             struct leat_chunk *out, struct leat_error *err);

    /* A key whose last pane has left the window: does it go on to speak, with what `partial` is
     * then (KEEP_RUNNING: what inverse() left; else empty)? NULL: it is forgotten. */
    bool (*stays)(const struct leat_group *g, struct leat_work *w, struct leat_slice key,
                  const void *partial);
};

/* What a grouping over batches remembers beyond them, in a piece of memory of its own that is
 * zeroed before open. The rest is as in struct leat_state. */
struct leat_beyond {
    bool late; /* rows that are more than within_ms behind the watermark are late */
    size_t size;
    void (*open)(void *memory, struct leat_pool *pool);

    /* Before and behind the results of a batch. NULL: nothing to do. */
    enum leat_status (*begin)(const struct leat_group *g, struct leat_work *w,
                              struct leat_error *err);
    enum leat_status (*end)(const struct leat_group *g, struct leat_work *w,
                            struct leat_error *err);

    void (*append)(const struct leat_group *g, void *memory, struct leat_bytes *delta);
    void (*snapshot)(const struct leat_group *g, void *memory, struct leat_bytes *all);
    enum leat_status (*read)(const struct leat_group *g, struct leat_work *w,
                             struct leat_slice bytes, struct leat_error *err);
    void (*shape)(const struct leat_group *g, struct leat_bytes *text);
    uint64_t (*keys)(const void *memory);
    int64_t (*due)(const struct leat_group *g, const void *memory); /* NULL: never */
};

/* group_seen.c: keys that passed a short while ago, for `distinct: { within }`. */
extern const struct leat_beyond leat_seen;

enum leat_over { LEAT_OVER_BATCH, LEAT_OVER_PANES, LEAT_OVER_SESSION };

/* The plan of a keyed operator; operators embed it first. Read-only once built. */
struct leat_group {
    const struct leat_aggregator *agg;
    size_t partial_size;
    enum leat_over over;
    bool event_time;  /* of what comes in */
    bool windowed_in; /* BATCH: rows carry windows, and a result is of one of them */
    bool windows_out; /* results carry a window */
    bool keyed;       /* false: one result for all, and no key comes out */
    bool always;      /* speaks without any row: `count` */
    struct leat_grid grid;
    struct leat_slice zone_name; /* of the grid; empty: UTC */
    int64_t gap_ms;              /* SESSION */
    int64_t emit_every_ms;       /* early results; 0: none */
    int64_t within_ms; /* BATCH: what is at most so far apart has to do with each other; 0: off */
    const struct leat_beyond *beyond; /* BATCH; NULL: nothing is remembered */
    const struct leat_shape *key_shape;
    struct leat_slice op; /* its name: what stored partial results are those of */
    struct leat_slice
        key_text; /* what the key is, as written: part of the shape of what is stored */
};

/* The plan of its combiner, one per input. */
struct leat_group_in {
    const struct leat_group *group;
    uint32_t key_column;                   /* keyed; LEAT_NO_COLUMN: see key_expr */
    struct leat_expr key_expr;             /* `by`; program NULL: none */
    const struct leat_assemble *key_value; /* the value is the key: count_by_value, distinct */
    const struct leat_assemble *value;     /* what the aggregator keeps of a row; NULL: nothing */
    uint32_t eval_column;                  /* where key_expr goes */
    bool own_time;                         /* event time, or behind a window; else the batch's */
    const void *args;                      /* the aggregator's, compiled for this input */
    struct leat_slice key_text;            /* for messages */
};

/* Both halves of an operator: .combiner and .process, .finish, .state of a keyed one. */
extern const struct leat_op leat_group_combiner;
extern const struct leat_state leat_group_state;
enum leat_status leat_group_process(const void *plan, void *memory, struct leat_task *task,
                                    struct leat_chunk *chunk, struct leat_error *err);
enum leat_status leat_group_finish(const void *plan, void *memory, struct leat_task *task,
                                   struct leat_error *err);
int64_t leat_group_close_time(const void *plan, int64_t time_ms);

/* Everything but name, argument and build of an operator whose plan begins with a leat_group. */
/* clang-format off */
#define LEAT_GROUP_OP(scope_is, ...) \
    {.scope = (scope_is), .state = &leat_group_state, .combiner = &leat_group_combiner, \
     .combiner_size = sizeof(struct leat_group_in), .makes_rows = true, \
     .process = leat_group_process, .finish = leat_group_finish, \
     .close_time = leat_group_close_time, __VA_ARGS__}
/* clang-format on */

/* For emit(): the number of a new row in task->out, with key, time and window of the result. */
LEAT_CHECKED enum leat_status leat_group_row(const struct leat_group *g, struct leat_work *w,
                                             const struct leat_result *r, uint32_t *row,
                                             struct leat_error *err);

/* With leat_seen: may a row of this key and time pass? It is then remembered. Else always. */
LEAT_CHECKED enum leat_status leat_group_passes(const struct leat_group *g, struct leat_work *w,
                                                struct leat_slice key, int64_t time_ms, bool *pass,
                                                struct leat_error *err);

/* Something could not be computed while partial results were merged, where no row is to blame: the
 * task fails, or it is counted and the caller goes on without. */
LEAT_CHECKED enum leat_status leat_group_bad(struct leat_work *w, struct leat_value why,
                                             struct leat_slice what, struct leat_error *err);

/* Give w->scratch back when it has grown. Where nothing in it is needed any more. */
void leat_work_tidy(struct leat_work *w);

#endif
