/*
 * pool.h - memory of an arena that can be given back piece by piece and is used again.
 *
 * What a state partition remembers comes and goes with every window, for as long as the job runs.
 * A pool takes from the partition's arena, rounds sizes up to classes (four per power of two, so at
 * most a quarter is lost) and keeps what is given back in a list per class: once the greatest need
 * was met, the arena grows no further. Nothing is written beside the pieces; who gives one back
 * says how long it was.
 *
 * Thread: one at a time, that of the arena.
 */
#ifndef LEAT_OP_POOL_H
#define LEAT_OP_POOL_H

#include "base/arena.h"

#define LEAT_POOL_CLASSES 160

struct leat_pool {
    struct leat_arena *arena; /* set by the owner */
    size_t used;              /* bytes that are out, rounded */
    struct leat_pool_free *free[LEAT_POOL_CLASSES];
};

/* Zeroed, aligned for any type. NULL: the arena is full; return leat_arena_failed(). */
void *leat_pool_alloc(struct leat_pool *p, size_t size);

/* `size` as it was asked for. NULL is fine. */
void leat_pool_free(struct leat_pool *p, void *ptr, size_t size);

#endif
