/*
 * headers.h - the headers of an AMQP message as the headers of a row, and back.
 *
 * A message's own headers keep their names. Numbers, booleans and times become text; a table or a
 * list becomes JSON. What is beyond the bounds below is left out and counted in the row header
 * `amqp-headers-left-out`; the message itself always goes on. What AMQP knows about the message
 * comes first: amqp-exchange, amqp-routing-key, amqp-redelivered, amqp-message-id,
 * amqp-content-type, amqp-content-encoding, amqp-correlation-id, amqp-reply-to, amqp-type,
 * amqp-app-id, each where the message has it.
 *
 * Thread: any, one per message.
 */
#ifndef LEAT_CONNECTORS_RABBITMQ_HEADERS_H
#define LEAT_CONNECTORS_RABBITMQ_HEADERS_H

#include "leat.h"

#include <amqp.h>
#include <amqp_framing.h>

#define RABBIT_HEADERS_MAX   128                /* of a message's own */
#define RABBIT_HEADER_DEPTH  16                 /* tables in tables */
#define RABBIT_HEADERS_BYTES ((size_t)64 << 10) /* as a row has them */

struct rabbit_headers {
    char *bytes; /* RABBIT_HEADERS_BYTES, the owner's */
    size_t len;
    uint32_t count, left_out;
};

/* An empty list. */
void rabbit_headers_begin(struct rabbit_headers *h);

/* Append one; value.ptr NULL is null. False: it does not fit, and is counted as left out. */
bool rabbit_headers_put(struct rabbit_headers *h, struct leat_slice name, struct leat_slice value);

/* Those that AMQP has a place for. */
void rabbit_headers_put_properties(struct rabbit_headers *h, const amqp_basic_properties_t *p);

/* The message's own, decoded by librabbitmq. */
void rabbit_headers_put_table(struct rabbit_headers *h, const amqp_table_t *t);

/* All of it, in the form that a row has; borrowed until the next begin. */
struct leat_slice rabbit_headers_end(struct rabbit_headers *h);

#endif
