/*
 * group_in.h - what the parts of the grouping engine share among themselves.
 */
#ifndef LEAT_OP_GROUP_IN_H
#define LEAT_OP_GROUP_IN_H

#include "op/group.h"
#include "op/table.h"

/* Key bytes of what has no key: those of null. */
#define LEAT_NO_KEY ((struct leat_slice){"\0", 1})

/* Push what is in task->out. Rows there may borrow from state: before any of that is given back. */
LEAT_CHECKED enum leat_status leat_group_flush(const struct leat_group *g, struct leat_work *w,
                                               struct leat_error *err);

/* The bytes of a partial result into one that is empty. */
LEAT_CHECKED enum leat_status leat_group_decode(const struct leat_group *g, struct leat_work *w,
                                                void *partial, struct leat_slice bytes,
                                                struct leat_error *err);

/* Merge the bytes of a partial result into one that may be empty. */
LEAT_CHECKED enum leat_status leat_group_absorb(const struct leat_group *g, struct leat_work *w,
                                                void *spare, void *partial, struct leat_slice bytes,
                                                struct leat_error *err);

static inline void leat_group_release(const struct leat_group *g, struct leat_work *w,
                                      void *partial)
{
    if (g->agg->release)
        g->agg->release(g, w, partial);
}

/* The windows that rows came out of, one of each; keys within one are tagged with its address. */
struct leat_windows {
    struct leat_table table; /* struct leat_window */
    struct leat_window *last;
};
void leat_windows_init(struct leat_windows *ws, struct leat_pool *pool);
struct leat_window *leat_windows_at(struct leat_windows *ws, const struct leat_window *window);
static inline int64_t leat_window_tag(const struct leat_window *window)
{
    return (int64_t)(intptr_t)window;
}

struct leat_batches { /* group_batch.c */
    struct leat_table table;
    struct leat_windows windows; /* of this batch */
};
void leat_batch_init(const struct leat_group *g, struct leat_batches *b, struct leat_pool *pool);

enum leat_status leat_batch_process(const struct leat_group *g, struct leat_batches *b,
                                    struct leat_work *w, void *spare, struct leat_chunk *chunk,
                                    struct leat_error *err);
enum leat_status leat_batch_finish(const struct leat_group *g, struct leat_batches *b,
                                   struct leat_work *w, struct leat_error *err);

/* The window of a partial result, before it. */
#define LEAT_WINDOW_BYTES 17
void leat_window_put(struct leat_bytes *into, const struct leat_window *window);
bool leat_window_take(struct leat_slice *from, struct leat_window *window);

/* group_seen.c: may a row of this time pass? Then it is remembered. */
LEAT_CHECKED enum leat_status leat_seen_pass(const struct leat_group *g, void *memory,
                                             struct leat_slice key, int64_t time_ms, bool *pass,
                                             struct leat_error *err);

#endif
