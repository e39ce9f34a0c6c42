/*
 * outbox.h - the messages of a batch that wait for its commit, and as bytes of the job log's
 * record.
 *
 * The bytes are in the record: after a crash the same messages are sent, with the same ids.
 *
 *     section: an outbox (data/outbox.h), of each message: routing key, value, headers (u32 and
 *              bytes), u64 time in ms
 *
 * Thread: the sink's.
 */
#ifndef LEAT_SINKS_RABBITMQ_OUTBOX_H
#define LEAT_SINKS_RABBITMQ_OUTBOX_H

#include "leat.h"

struct rabbit_out {
    struct leat_outbox_item item;
    struct leat_slice routing_key, value, headers; /* borrowed */
    int64_t time_ms;                               /* LEAT_NO_TIME: none */
};

struct rabbit_outbox {
    struct leat_outbox box;
    struct rabbit_out **all; /* by number, once it is complete */
};

/* Add a message; its bytes are borrowed until the next clear. LEAT_E_NOMEM, LEAT_E_FULL. */
LEAT_CHECKED enum leat_status rabbit_outbox_add(struct rabbit_outbox *out,
                                                const struct rabbit_out *message,
                                                struct leat_error *err);

/* No more messages: out->all is there. LEAT_E_NOMEM, LEAT_E_FULL. */
LEAT_CHECKED enum leat_status rabbit_outbox_end(struct rabbit_outbox *out, struct leat_error *err);

void rabbit_outbox_write(const struct rabbit_outbox *out, struct leat_bytes *section);

/* Complete; messages are borrowed from the section. LEAT_E_CORRUPT. */
LEAT_CHECKED enum leat_status rabbit_outbox_read(struct rabbit_outbox *out,
                                                 struct leat_slice section, struct leat_error *err);

#endif
