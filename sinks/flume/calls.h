/*
 * calls.h - the rows of a batch as calls of Flume's appendBatch, and as bytes of the job log's
 * record.
 *
 * Which rows share a call depends on the rows and the options alone, and the bytes are in the
 * record: after a crash the same events are sent, with the same ids.
 *
 *     section: an outbox (data/outbox.h), of each call: u32 events, u32 length, events as Avro has
 *              them
 *
 * Thread: the sink's.
 */
#ifndef LEAT_SINKS_FLUME_CALLS_H
#define LEAT_SINKS_FLUME_CALLS_H

#include "../../connectors/flume/avro.h"

struct flume_call {
    struct leat_outbox_item item;
    struct leat_bytes events;
    uint32_t count;
};

struct flume_calls {
    int64_t max_records, max_bytes; /* of one call; a larger record goes alone */

    struct leat_outbox box;
    uint64_t events; /* in all calls */
};

/* Add row `row` of a chunk; the headers `leat-id` and, where there is a key, `key` are added to its
 * own. LEAT_E_NOMEM, LEAT_E_FULL. */
LEAT_CHECKED enum leat_status flume_calls_add(struct flume_calls *c, const struct leat_chunk *chunk,
                                              uint32_t row, struct leat_slice id,
                                              struct leat_error *err);

void flume_calls_write(const struct flume_calls *c, struct leat_bytes *section);

/* Events are borrowed from the section. LEAT_E_CORRUPT. */
LEAT_CHECKED enum leat_status flume_calls_read(struct flume_calls *c, struct leat_slice section,
                                               struct leat_error *err);

/* Forget all of them; memory is kept for the next batch. */
void flume_calls_clear(struct flume_calls *c);

#endif
