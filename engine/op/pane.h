/*
 * pane.h - stage 2 of sliding and tumbling windows: a key's partial results by pane.
 *
 * A *bucket* is a pane of time and holds all keys that have rows in it. As windows fire in order,
 * buckets enter the window and leave it; a key is looked at when it enters, leaves or speaks, never
 * otherwise: a slide costs O(new + expired + emitted), whatever the window's length.
 *
 * What a key's panes inside the window give together is kept as its aggregator says: merged bit by
 * bit (pane_merged.c), as one running result, or not at all. A row that comes late but not too late
 * for some window changes a pane that is inside already; its key is then *dirty* and made anew from
 * its panes the next time it speaks.
 */
#ifndef LEAT_OP_PANE_H
#define LEAT_OP_PANE_H

#include "op/changes.h"
#include "op/group.h"
#include "op/table.h"

struct leat_pane;

/* All keys with rows in one pane of time. */
struct leat_bucket {
    struct leat_bucket *prev, *next; /* by time */
    int64_t start_ms, end_ms;
    bool entered; /* the window has reached it */
    struct leat_pane *first, *last;
};

/* One key in one bucket. */
struct leat_pane {
    struct leat_change change;     /* first */
    struct leat_pane *prev, *next; /* of the key, by time: those inside, or those that wait */
    struct leat_pane *beside;      /* in the bucket */
    struct leat_bucket *bucket;
    struct leat_entry *entry;
    int64_t touched_ms;  /* time of the batch that changed it last: is there news to tell early? */
    uint64_t partials[]; /* its own; KEEP_MERGED: another one, of several panes */
};

/* The panes inside the window, with the marks of pane_merged.c; NULL: behind the last. */
struct leat_inside {
    struct leat_pane *first, *last;
    struct leat_pane *l, *r, *a, *b;
    uint32_t count;
};

/* The memory of a key. */
struct leat_pane_key {
    struct leat_change change; /* first; that it stays without panes, or no longer, is new */
    struct leat_entry *active_next, *active_prev;
    struct leat_inside inside;
    struct leat_pane *wait_first, *wait_last, *recent; /* panes that no window has reached */
    bool active, dirty, stays;
    bool told; /* the log has it as one that stays: it is kept until its end is told too */
    struct leat_pane *fresh_from;
    /* KEEP_RUNNING. Of what drifts two: the second has only what entered from fresh_from on; when
     * all before that has left it is the window's result, untouched by any inverse, and takes over.
     */
    uint64_t running[];
};

struct leat_panes {
    struct leat_pool *pool;
    enum leat_keep keep;
    struct leat_table keys, buckets;
    struct leat_bucket *first, *last, *waiting, *recent;
    struct leat_entry *active_first, *active_last; /* keys that speak when a window fires */
    int64_t fired_ms;                              /* the last window's end; or LEAT_NO_TIME */
    int64_t early_ms;                              /* batch time of the last early results */
    int64_t told_fired_ms, told_early_ms;          /* what the log has of these */
    struct leat_changes changes, stays;
};

static inline struct leat_pane_key *leat_pane_key_of(const struct leat_entry *e)
{
    return (struct leat_pane_key *)(uintptr_t)e->memory;
}

/* Keys are walked in orders that no cache foresees: ask for one (NULL is fine) before it is its
 * turn. */
static inline void leat_pane_key_prefetch(const struct leat_entry *e)
{
    uintptr_t from = (uintptr_t)e; /* a number: e may be NULL, which is no place to count from */

    for (size_t at = 0; at < sizeof *e + sizeof(struct leat_pane_key); at += 64)
        __builtin_prefetch((const void *)(from + at));
}

/* KEEP_RUNNING of what drifts: the second result. */
static inline void *leat_pane_fresh(const struct leat_group *g, struct leat_pane_key *k)
{
    return (char *)k->running + g->partial_size;
}

void leat_panes_init(const struct leat_group *g, struct leat_panes *p, struct leat_pool *pool);
enum leat_status leat_panes_finish(const struct leat_group *g, struct leat_panes *p,
                                   struct leat_work *w, void *spare, struct leat_error *err);
int64_t leat_panes_due(const struct leat_group *g, const struct leat_panes *p);

/* The pane of a key, made if need be; one that windows have reached is inside at once, and its key
 * dirty. NULL: the pool is full. */
struct leat_bucket *leat_panes_bucket(const struct leat_group *g, struct leat_panes *p,
                                      int64_t start_ms);
struct leat_pane *leat_panes_at(const struct leat_group *g, struct leat_panes *p,
                                struct leat_bucket *bucket, struct leat_entry *e, bool *made);
/* Of all panes that no window behind fired_ms needs; nothing is taken from running results, keys
 * that lose panes are dirty. For state that is read. */
void leat_panes_cut(const struct leat_group *g, struct leat_panes *p, struct leat_work *w);
/* Windows up to this end are past, fired or not. */
void leat_panes_pass(struct leat_panes *p, int64_t end_ms);
/* Windows up to W(N-1) have spoken, in this process or the one before; late rows do not reopen
 * them. */
void leat_panes_pass_before(const struct leat_group *g, struct leat_panes *p,
                            const struct leat_task *task);
void leat_panes_activate(struct leat_panes *p, struct leat_entry *e);
/* The key has no pane inside and does not stay: it is silent, and gone if no pane waits. */
void leat_panes_forget(const struct leat_group *g, struct leat_panes *p, struct leat_work *w,
                       struct leat_entry *e);

/* pane_rows.c */
enum leat_status leat_panes_process(const struct leat_group *g, struct leat_panes *p,
                                    struct leat_work *w, void *spare, struct leat_chunk *chunk,
                                    struct leat_error *err);

/* pane_state.c */
void leat_panes_append(const struct leat_group *g, struct leat_panes *p, struct leat_bytes *delta);
void leat_panes_snapshot(const struct leat_group *g, struct leat_panes *p, struct leat_bytes *all);
enum leat_status leat_panes_read(const struct leat_group *g, struct leat_panes *p,
                                 struct leat_work *w, struct leat_slice bytes,
                                 struct leat_error *err);

/* pane_early.c: results of windows that have not ended, for keys that changed. */
enum leat_status leat_panes_early(const struct leat_group *g, struct leat_panes *p,
                                  struct leat_work *w, void *spare, struct leat_error *err);

/* ---- pane_merged.c: all panes inside as one, in constant time */

/* A pane that is younger than all inside has been put behind them. */
enum leat_status leat_merged_push(const struct leat_group *g, struct leat_work *w,
                                  struct leat_inside *in, struct leat_pane *pane,
                                  struct leat_error *err);
/* The oldest is taken off; the caller frees it. */
enum leat_status leat_merged_pop(const struct leat_group *g, struct leat_work *w,
                                 struct leat_inside *in, struct leat_error *err);
/* Of one that is inside something has changed, or one came in between. */
enum leat_status leat_merged_anew(const struct leat_group *g, struct leat_work *w,
                                  struct leat_inside *in, struct leat_error *err);
/* Merge them all into an empty partial result. */
enum leat_status leat_merged_all(const struct leat_group *g, struct leat_work *w,
                                 const struct leat_inside *in, void *into, struct leat_error *err);

#endif
