/*
 * heap.c - how the C library keeps the memory of `leat run`.
 *
 * Blocks and librdkafka's messages are taken by one thread and given back by another, all the time.
 * So there is one heap, which keeps what it was given: a heap per thread grows by a system call per
 * page, and memory that goes back to the kernel comes back as page faults. Nothing in leat
 * allocates per record, so threads do not wait for each other in it.
 */
#include "cli/cli.h"

#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>

#define LARGE_PAGE ((size_t)2 << 20)
#define IDLE_BYTES (2 * LARGE_PAGE)  /* an idle job needs no more: they stay small pages */
#define MOST_BYTES ((size_t)1 << 30) /* below INT_MAX: mallopt() takes ints */

void cli_heap_start(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TOP_PAD, 4 << 20);
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 32 << 20);
}

/* The heap grows to its full length once, so that there is something to give advice about, and
 * keeps it: no page of it is touched. */
void cli_heap_large_pages(size_t bytes)
{
    char *room;

    if (bytes > MOST_BYTES)
        bytes = MOST_BYTES;
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_MMAP_MAX, 0);
    room = malloc(IDLE_BYTES + bytes);
    mallopt(M_MMAP_MAX, 65536); /* its default */
    if (!room)
        return;
    uintptr_t from = ((uintptr_t)room + IDLE_BYTES) & ~(uintptr_t)(LARGE_PAGE - 1);
    size_t ahead = from - (uintptr_t)room;
    (void)madvise(room + ahead, (IDLE_BYTES + bytes - ahead) & ~(LARGE_PAGE - 1), MADV_HUGEPAGE);
    free(room);
}
