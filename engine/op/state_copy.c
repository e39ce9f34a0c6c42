/*
 * state_copy.c - the image of a state table is copied piece by piece, while the table goes on.
 *
 * Copy on write: what a batch is about to change, and is not copied yet, is copied first. So the
 * image is the table as it was when the copy began, and no batch waits for more than the segments
 * and pages that it touches. Timers, marks and lists of free blocks are not kept: who reads an
 * image makes them anew.
 */
#include "op/state_table_in.h"

static size_t segment_bytes(const struct leat_state_table *t, uint32_t i)
{
    return sizeof(uint64_t) << t->segments[i].bits;
}

bool state_copy_begin(struct leat_state_table *t, struct leat_arena *arena, char *slots)
{
    struct leat_state_copy *c = &t->copy;
    size_t at = 0, pieces = (size_t)t->segments_count + t->heap.pages_count;
    uint64_t *done = leat_arena_array(arena, pieces / 64 + 1, sizeof *done);
    size_t *slots_at = leat_arena_array(arena, (size_t)t->segments_count + 1, sizeof *slots_at);

    *c = (struct leat_state_copy){0};
    if (!done || !slots_at)
        return false;
    for (uint32_t i = 0; i < t->segments_count; i++) {
        slots_at[i] = at;
        at += segment_bytes(t, i);
    }
    *c = (struct leat_state_copy){.slots = slots,
                                  .slots_at = slots_at,
                                  .pages = slots + at,
                                  .done = done,
                                  .segments = t->segments_count,
                                  .pieces = (uint32_t)pieces};
    return true;
}

/* How much it was; nothing when it was done already. */
static size_t copy_piece(struct leat_state_table *t, uint32_t i)
{
    struct leat_state_copy *c = &t->copy;
    uint64_t bit = UINT64_C(1) << i % 64;

    if (c->done[i / 64] & bit)
        return 0;
    c->done[i / 64] |= bit;
    if (i < c->segments) {
        memcpy(c->slots + c->slots_at[i], t->segments[i].slots, segment_bytes(t, i));
        return segment_bytes(t, i);
    }
    i -= c->segments;
    memcpy(c->pages + i * LEAT_HEAP_PAGE, t->heap.pages[i], LEAT_HEAP_PAGE);
    return LEAT_HEAP_PAGE;
}

void state_copy_segment(struct leat_state_table *t, uint32_t i)
{
    if (i < t->copy.segments)
        copy_piece(t, i);
}

void state_copy_block(struct leat_state_table *t, uint32_t number, size_t size)
{
    uint32_t page = number / (uint32_t)LEAT_HEAP_PAGE_UNITS,
             last = page + (uint32_t)((number % LEAT_HEAP_PAGE_UNITS * LEAT_HEAP_UNIT + size - 1) /
                                      LEAT_HEAP_PAGE);

    for (; page <= last && page < t->copy.pieces - t->copy.segments; page++)
        copy_piece(t, t->copy.segments + page);
}

bool leat_state_snapshot_more(struct leat_state_table *t, size_t *most)
{
    struct leat_state_copy *c = &t->copy;

    while (most && c->done && c->next < c->pieces) {
        if (*most == 0)
            return false;
        size_t n = copy_piece(t, c->next++);
        *most -= n < *most ? n : *most;
    }
    *c = (struct leat_state_copy){0};
    return true;
}
