/*
 * changes.h - what a batch has changed and the state log has not yet heard of.
 *
 * A list in which each item knows its place, so that one that dies before anybody asks is taken out
 * at once: the list is never longer than what is alive, also when nobody ever asks.
 */
#ifndef LEAT_OP_CHANGES_H
#define LEAT_OP_CHANGES_H

#include "op/pool.h"

#include <stdint.h>

struct leat_change {
    uint32_t place; /* from 1; 0: not in the list */
};

struct leat_changes {
    struct leat_change **list;
    uint32_t count, room;
};

/* False: the pool is full. */
LEAT_CHECKED static inline bool leat_changes_add(struct leat_changes *c, struct leat_pool *pool,
                                                 struct leat_change *item)
{
    if (item->place)
        return true;
    if (c->count == c->room) {
        uint32_t room = c->room ? c->room * 2 : 16;
        struct leat_change **list = leat_pool_alloc(pool, room * sizeof(struct leat_change *));
        if (!list)
            return false;
        if (c->count)
            memcpy(list, c->list, c->count * sizeof(struct leat_change *));
        leat_pool_free(pool, c->list, c->room * sizeof(struct leat_change *));
        c->list = list;
        c->room = room;
    }
    c->list[c->count++] = item;
    item->place = c->count;
    return true;
}

static inline void leat_changes_drop(struct leat_changes *c, struct leat_change *item)
{
    if (!item->place)
        return;
    struct leat_change *last = c->list[--c->count];
    c->list[item->place - 1] = last;
    last->place = item->place;
    item->place = 0;
}

static inline void leat_changes_clear(struct leat_changes *c)
{
    for (uint32_t i = 0; i < c->count; i++)
        c->list[i]->place = 0;
    c->count = 0;
}

#endif
