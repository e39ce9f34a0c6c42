/*
 * state_table_in.h - what the parts of the state table share among themselves: entries as bytes.
 *
 *     not timed: u8 flags | key length, value length as varints | key | value
 *     timed:     u64 flags and due time | u32 next | u32 prev | the same
 */
#ifndef LEAT_OP_STATE_TABLE_IN_H
#define LEAT_OP_STATE_TABLE_IN_H

#include "op/state_table.h"

enum {
    ENTRY_USED = 1,
    ENTRY_DEAD = 2,    /* removed, and the removal is not written yet */
    ENTRY_CHANGED = 4, /* in the list of changes */
    ENTRY_LINKED = 8,  /* in the wheel */
    ENTRY_MARKED = 16, /* the owner's */
};

struct entry {
    uint8_t *at;
    struct leat_slice key, value;
    size_t size;
};

#define CHANGES_ROOM 4092
struct leat_state_changes {
    struct leat_state_changes *next;
    uint32_t count;
    uint32_t numbers[CHANGES_ROOM];
};
_Static_assert(sizeof(struct leat_state_changes) <= LEAT_HEAP_PAGE, "lies in a spare segment");

static inline size_t entry_head(const struct leat_state_table *t)
{
    return t->timed ? sizeof(struct leat_timer) : 1;
}

/* False: it goes beyond `rest` bytes. */
bool entry_parse(const struct leat_state_table *t, uint8_t *at, size_t rest, struct entry *e);
struct entry entry_at(const struct leat_state_table *t, uint32_t number);

/* Note it. False: no memory. */
LEAT_CHECKED bool entry_changed(struct leat_state_table *t, uint32_t number);
/* Out of its slot, its block is free. */
void entry_purge(struct leat_state_table *t, uint32_t number);
/* The list of changes is empty afterwards, the numbers are for fn, once each. */
void entry_take_changes(struct leat_state_table *t,
                        void (*fn)(struct leat_state_table *t, uint32_t number, void *arg),
                        void *arg);

/* For it: the change needs not be written; what is dead is gone. */
void entry_forget_change(struct leat_state_table *t, uint32_t number, void *arg);

/* The whole image is to go to `slots`, and pages behind them. Lists that are needed until then come
 * from `arena`. False: no memory. */
LEAT_CHECKED bool state_copy_begin(struct leat_state_table *t, struct leat_arena *arena,
                                   char *slots);
void state_copy_segment(struct leat_state_table *t, uint32_t i);
void state_copy_block(struct leat_state_table *t, uint32_t number, size_t size);

/* Before slots are changed, or a block for `size` bytes: a copy that is under way wants them as
 * they are. */
static inline void keep_segment(struct leat_state_table *t, const struct leat_segment_slots *s)
{
    if (t->copy.done)
        state_copy_segment(t, (uint32_t)(s - t->segments));
}

static inline void keep_block(struct leat_state_table *t, uint32_t number, size_t size)
{
    if (t->copy.done)
        state_copy_block(t, number, size);
}

/* Zeroed slots. NULL: no memory. */
uint64_t *segment_slots(struct leat_state_table *t, uint32_t bits);
bool segments_make_room(struct leat_state_table *t, uint32_t count);
/* A segment is never fuller than this. */
static inline uint32_t segment_most(uint32_t bits)
{
    return (UINT32_C(1) << bits) / 16 * 15;
}

#endif
