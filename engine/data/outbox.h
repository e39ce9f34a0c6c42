/*
 * outbox.h - what a sink has yet to send, and the same as bytes of the job log's record.
 *
 * For sinks whose other side takes part in no transaction: prepare() writes a batch's items into
 * its log record, commit() sends them, and after a crash recover() reads them back and sends them
 * again, byte for byte. What an item is, the sink says: its struct begins with a leat_outbox_item.
 *
 *     section: u8 version | u32 items | of each what the sink's `put` writes
 *
 * Thread: the sink's.
 */
#ifndef LEAT_DATA_OUTBOX_H
#define LEAT_DATA_OUTBOX_H

#include "base/bytes.h"

struct leat_outbox_item {
    void *next; /* NULL: this is the last one */
};

/* Zero, but for the arena's budget, is an empty one. */
struct leat_outbox {
    struct leat_arena arena; /* items live here, and what the sink puts beside them */
    void *first, *last;
    uint32_t count;
};

/* What writes one item, and what reads one: taken off *from, and added to the box. On failure of
 * `take` err says why. */
typedef void leat_outbox_put(const void *item, struct leat_bytes *section);
typedef enum leat_status leat_outbox_take(struct leat_outbox *box, struct leat_slice *from,
                                          struct leat_error *err);

/* A new last item of `bytes` bytes, zeroed. NULL: no memory, leat_arena_failed(&box->arena). */
LEAT_API void *leat_outbox_add(struct leat_outbox *box, size_t bytes);

/* section->failed says whether there was memory. */
LEAT_API void leat_outbox_write(const struct leat_outbox *box, leat_outbox_put *put,
                                struct leat_bytes *section);

/* The items of a section in place of those that are there; they may borrow from it. LEAT_E_CORRUPT:
 * it is damaged, or a later leat has written it; what `take` returns. */
LEAT_API LEAT_CHECKED enum leat_status leat_outbox_read(struct leat_outbox *box,
                                                        struct leat_slice section,
                                                        leat_outbox_take *take,
                                                        struct leat_error *err);

/* What `take` returns when bytes are not what they should be. */
LEAT_API enum leat_status leat_outbox_damaged(struct leat_error *err);

/* Forget all items; memory is kept for the next batch. */
LEAT_API void leat_outbox_clear(struct leat_outbox *box);
LEAT_API void leat_outbox_free(struct leat_outbox *box);

#endif
