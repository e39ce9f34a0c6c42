/*
 * heap.h - what is to happen at some time, the earliest first: ends of sessions, rows of joins.
 *
 * A binary heap of items that stand in what they belong to and know their place, so that one can be
 * moved or taken out. Equal times come in the order of their numbers. Adding, moving and taking out
 * cost O(log n), looking at the first nothing.
 */
#ifndef LEAT_OP_HEAP_H
#define LEAT_OP_HEAP_H

#include "op/pool.h"

#include <stdint.h>

struct leat_heap_item {
    int64_t at_ms;
    uint64_t number;
    uint32_t place; /* from 1; 0: in no heap */
};

struct leat_heap {
    struct leat_heap_item **list; /* [0] is not used */
    uint32_t count, room;
};

static inline struct leat_heap_item *leat_heap_first(const struct leat_heap *h)
{
    return h->count ? h->list[1] : NULL;
}

/* False: the pool is full. */
LEAT_CHECKED bool leat_heap_add(struct leat_heap *h, struct leat_pool *pool,
                                struct leat_heap_item *item);
void leat_heap_remove(struct leat_heap *h, struct leat_heap_item *item);

/* item->at_ms has become later. */
void leat_heap_later(struct leat_heap *h, struct leat_heap_item *item);

#endif
