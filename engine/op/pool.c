#include "op/pool.h"

#include <assert.h>
#include <stdint.h>

struct leat_pool_free {
    struct leat_pool_free *next;
};

/* Steps of 16 up to 64, from there four to each power of two. */
static unsigned class_of(size_t size, size_t *rounded)
{
    size_t last = size < 16 ? 15 : size - 1;

    if (last < 64) {
        *rounded = (last | 15) + 1;
        return (unsigned)(last / 16);
    }
    unsigned top = 63 - (unsigned)__builtin_clzll(last);
    size_t step = (size_t)1 << (top - 2);
    *rounded = (last | (step - 1)) + 1;
    return 4 + (top - 6) * 4 + (unsigned)(last >> (top - 2) & 3);
}

void *leat_pool_alloc(struct leat_pool *p, size_t size)
{
    size_t rounded;

    if (size > SIZE_MAX / 4)
        return NULL;
    unsigned number = class_of(size, &rounded);
    assert(number < LEAT_POOL_CLASSES);
    struct leat_pool_free *piece = p->free[number];
    if (piece) {
        p->free[number] = piece->next;
        memset(piece, 0, size);
    } else {
        piece = leat_arena_alloc(p->arena, rounded);
    }
    p->used += piece ? rounded : 0;
    return piece;
}

void leat_pool_free(struct leat_pool *p, void *ptr, size_t size)
{
    struct leat_pool_free *piece = ptr;
    size_t rounded;

    if (!ptr)
        return;
    unsigned number = class_of(size, &rounded);
    piece->next = p->free[number];
    p->free[number] = piece;
    p->used -= rounded;
}
