/*
 * join_near.h - rows of two streams that may still meet a row of the other one. Private to joins.
 */
#ifndef LEAT_OP_JOIN_NEAR_H
#define LEAT_OP_JOIN_NEAR_H

#include "op/changes.h"
#include "op/heap.h"
#include "op/join.h"
#include "op/table.h"

struct leat_near_row {
    struct leat_change change;         /* first: new, or it has met its first one */
    struct leat_heap_item end;         /* its time + within: nothing meets it behind that */
    struct leat_near_row *prev, *next; /* of the key and side, by time */
    struct leat_entry *entry;
    int64_t time_ms;
    struct leat_held value;
    uint8_t side;
    bool met;  /* a row of the other side; kept only where its own may come out alone */
    bool told; /* the log has its value */
};

/* near: of all that was looked for or put here last, from where the next search begins, as rows of
 * a batch come in the order of their times. */
struct leat_near_key {
    struct {
        struct leat_near_row *first, *last, *near;
    } sides[2];
};

struct leat_near {
    struct leat_pool *pool;
    struct leat_table keys;
    struct leat_heap silent, alone; /* rows that just end; rows that come out alone when they do */
    uint64_t made;
    int64_t ended_ms, told_ended_ms; /* rows that ended before are gone */
    uint64_t told_made;
    struct leat_changes changes;
};

static inline struct leat_near_key *leat_near_key_of(const struct leat_entry *e)
{
    return (struct leat_near_key *)(uintptr_t)e->memory;
}
static inline struct leat_near_row *leat_near_ending(struct leat_heap_item *item)
{
    return item ? (struct leat_near_row *)(void *)((char *)item -
                                                   offsetof(struct leat_near_row, end))
                : NULL;
}

/* The last row of this side that is at or before (time, number). NULL: none is. Costs the distance
 * from what was looked for before. */
struct leat_near_row *leat_near_seek(struct leat_near_key *k, uint32_t side, int64_t time_ms,
                                     uint64_t number);
/* A row of a key, in its place; its value is empty. NULL: the pool is full. */
struct leat_near_row *leat_near_add(const struct leat_join *j, struct leat_near *n,
                                    struct leat_entry *e, uint32_t side, int64_t time_ms,
                                    uint64_t number, bool met);
/* It has met one: it does not come out alone. False: the pool is full. */
LEAT_CHECKED bool leat_near_met(const struct leat_join *j, struct leat_near *n,
                                struct leat_near_row *row);
/* Its key goes with the last one. */
void leat_near_remove(struct leat_near *n, struct leat_near_row *row);
struct leat_entry *leat_near_key_at(struct leat_near *n, struct leat_slice key);

/* join_near_state.c */
void leat_near_append(const struct leat_group *g, void *memory, struct leat_bytes *delta);
void leat_near_snapshot(const struct leat_group *g, void *memory, struct leat_bytes *all);
enum leat_status leat_near_read(const struct leat_group *g, struct leat_work *w,
                                struct leat_slice bytes, struct leat_error *err);

#endif
