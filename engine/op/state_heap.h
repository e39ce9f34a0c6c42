/*
 * state_heap.h - blocks of any size in pages, named by 32-bit numbers instead of addresses.
 *
 * What a table of millions of keys remembers lives here: a number is half as long as an address,
 * means the same after the pages were written to a disk and read back, and the pages can be walked
 * block by block without an index. A block begins with a byte that is not zero while it is in use;
 * a free one begins with its length. Blocks keep their bounds for ever: one that is given back is
 * used again for its own size class, so a number once given stays the start of a block.
 *
 * Numbers count units of 4 bytes: up to 8 GiB. 0 is no block. Memory comes from an arena.
 */
#ifndef LEAT_OP_STATE_HEAP_H
#define LEAT_OP_STATE_HEAP_H

#include "base/arena.h"

#include <stdint.h>

#define LEAT_HEAP_UNIT       ((size_t)4)
#define LEAT_HEAP_PAGE       ((size_t)16384)
#define LEAT_HEAP_PAGE_UNITS (LEAT_HEAP_PAGE / LEAT_HEAP_UNIT)
#define LEAT_HEAP_PAGES_MAX  (UINT32_C(1) << 19)
#define LEAT_HEAP_BLOCK_MAX  ((size_t)16 << 20)
#define LEAT_HEAP_CLASSES    224

struct leat_heap {
    struct leat_arena *arena; /* set by the owner */
    char **pages;
    uint32_t pages_count, pages_room;
    uint32_t page_used; /* units of the last page that were given out */
    uint32_t free[LEAT_HEAP_CLASSES];
    size_t used; /* bytes in blocks that are out */
};

static inline char *leat_heap_at(const struct leat_heap *h, uint32_t number)
{
    return h->pages[number / LEAT_HEAP_PAGE_UNITS] +
           (number % LEAT_HEAP_PAGE_UNITS) * LEAT_HEAP_UNIT;
}

/* How many bytes a block for `size` bytes has; size <= LEAT_HEAP_BLOCK_MAX. */
size_t leat_heap_room(size_t size);

/* A block for `size` bytes, not zeroed: the caller writes its first byte at once. 0: the arena is
 * full (return leat_arena_failed()), or there are more than 8 GiB. */
uint32_t leat_heap_alloc(struct leat_heap *h, size_t size);

/* `size` as it was asked for. */
void leat_heap_free(struct leat_heap *h, uint32_t number, size_t size);

/* Make the pages walkable to their ends: before they are copied out. */
void leat_heap_close_page(struct leat_heap *h);

/* Take over `count` pages of bytes: a heap that was closed and copied page by page. The heap is
 * empty. False: the arena is full. Nothing is checked yet: walk it. */
LEAT_CHECKED bool leat_heap_load(struct leat_heap *h, struct leat_slice bytes, uint32_t count);

/* The block at `number` of pages that were read from a disk, or the end of them: a free block goes
 * back to its list. *size is what the block takes, in bytes; for one in use the caller gives it by
 * `used_size` (0: its bytes make no sense). False: the pages are damaged here. */
LEAT_CHECKED bool leat_heap_walk(struct leat_heap *h, uint32_t number, size_t used_size,
                                 size_t *size);

/* Bytes from block `number` to where its run of pages ends, as far as is known: a bound for what a
 * damaged block may claim. */
size_t leat_heap_rest(const struct leat_heap *h, uint32_t number);

#endif
