/*
 * state_table.h - what a stateful operator remembers in one state partition: key bytes to value
 * bytes, millions of them.
 *
 * Entries are blocks of a heap (state_heap.h); slots hold 32 bits of the key's hash and the number
 * of the entry, so that a walk past other keys and a growing table never look at entries. Slots are
 * in segments that grow one by one (linear hashing): one more segment for so many keys, whose keys
 * come from one other segment. So no batch pays for the growth of the whole table, and the space
 * per key is the same at every size. Slots and pages are the image that goes to a disk and comes
 * back without a single insertion.
 *
 * With `timed` each entry has a time at which it is due, in a wheel (timer_wheel.h).
 *
 * What is changed is listed until it is written to the state log, or, when nobody writes one, until
 * the end of the batch. A removed entry stays, dead, until then, so that its removal can be
 * written.
 *
 * Per key: 8 bytes of slot at a load of 0.44, 3 bytes of entry (18 when timed), and what rounding
 * to 4 bytes costs.
 */
#ifndef LEAT_OP_STATE_TABLE_H
#define LEAT_OP_STATE_TABLE_H

#include "base/bytes.h"
#include "op/state_heap.h"
#include "op/timer_wheel.h"

#define LEAT_SEGMENT_BITS     11 /* slots of a segment as it begins; one page of the heap */
#define LEAT_SEGMENT_BITS_MAX 24

struct leat_segment_slots {
    uint64_t *slots; /* upper half: hash; lower: number of the entry; 0: free */
    uint32_t count;
    uint32_t bits;
};

struct leat_state_changes;

/* An image that is being copied: state_copy.c. Pieces are first its segments, then its pages. */
struct leat_state_copy {
    char *slots, *pages; /* where they go, the caller's */
    size_t *slots_at;    /* of each segment, from `slots` */
    uint64_t *done;      /* a bit per piece; NULL: no copy is under way */
    uint32_t segments, pieces;
    uint32_t next; /* all before are done */
};

struct leat_state_table {
    struct leat_heap heap;
    bool timed;
    bool logged; /* somebody takes the changes: they are kept until then */
    struct leat_segment_slots *segments;
    uint32_t segments_count, segments_room;
    void *spare[LEAT_SEGMENT_BITS_MAX + 1]; /* slots that are free again, by their bits */
    uint64_t entries;                       /* in slots, dead ones too */
    uint64_t keys;                          /* alive */
    struct leat_wheel wheel;
    struct leat_state_changes *changes, *changes_last;
    struct leat_state_copy copy;
};

/* `arena` lives as long as the table. t is zeroed. */
void leat_state_table_init(struct leat_state_table *t, struct leat_arena *arena, bool timed);

static inline uint32_t leat_state_hash(uint64_t key_hash)
{
    return (uint32_t)(key_hash >> 32); /* all keys of a state partition share the lower bits */
}

/* The number of the entry that is alive; 0: there is none. Numbers are valid until the entry is put
 * again or removed. */
uint32_t leat_state_find(const struct leat_state_table *t, struct leat_slice key, uint32_t hash);

/* A key with this hash will be asked for soon: its slot comes into the cache, then (`entry`) what
 * the slot leads to. In a large table nearly all the time goes into waiting for the two. */
void leat_state_look_ahead(const struct leat_state_table *t, uint32_t hash, bool entry);
#define LEAT_LOOK_AHEAD 16 /* keys before; 8 before for its entry */

/* Borrowed until the table changes. */
struct leat_slice leat_state_key(const struct leat_state_table *t, uint32_t number);
struct leat_slice leat_state_value(const struct leat_state_table *t, uint32_t number);
int64_t leat_state_due_ms(const struct leat_state_table *t, uint32_t number); /* timed only */

/* Key and value are copied in, and neither lies in the table; *number is its entry afterwards.
 * LEAT_E_FULL, LEAT_E_NOMEM; LEAT_E_DATA: longer than an entry can be. */
LEAT_CHECKED enum leat_status leat_state_put(struct leat_state_table *t, struct leat_slice key,
                                             uint32_t hash, struct leat_slice value, int64_t due_ms,
                                             uint32_t *number, struct leat_error *err);

/* Gone for whoever asks from now on. LEAT_E_FULL, LEAT_E_NOMEM: it could not be noted. */
LEAT_CHECKED enum leat_status leat_state_remove(struct leat_state_table *t, uint32_t number,
                                                struct leat_error *err);

/* One that is due at `to_ms` or before, the earliest first; 0: none. It is there until it is
 * removed, but is not given a second time. */
uint32_t leat_state_take_due(struct leat_state_table *t, int64_t to_ms);

/* All entries that are alive, in an order that depends on the history of the table only. Entries
 * may be put and removed meanwhile, but no new key. Begins with a zeroed walk; 0: that was all. */
struct leat_state_walk {
    uint32_t segment, slot;
};
uint32_t leat_state_next(const struct leat_state_table *t, struct leat_state_walk *walk);

/* A mark of the owner's, for as long as the entry is. */
bool leat_state_is_marked(const struct leat_state_table *t, uint32_t number);
void leat_state_mark(struct leat_state_table *t, uint32_t number, bool on);

/* The end of a batch: when nobody logs changes they are forgotten here. O(changed). */
void leat_state_batch_ends(struct leat_state_table *t);

/* ---- as bytes: state_image.c. What they do is said at struct leat_state in op.h. */

LEAT_CHECKED enum leat_status leat_state_append(struct leat_state_table *t,
                                                struct leat_bytes *delta, struct leat_error *err);
LEAT_CHECKED enum leat_status leat_state_snapshot(struct leat_state_table *t,
                                                  struct leat_bytes *all, struct leat_error *err);
bool leat_state_snapshot_more(struct leat_state_table *t, size_t *most);
LEAT_CHECKED enum leat_status leat_state_read(struct leat_state_table *t, struct leat_slice bytes,
                                              struct leat_error *err);

#endif
