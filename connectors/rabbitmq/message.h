/*
 * message.h - a message of a queue while it comes in, frame by frame, and the row that it is.
 *
 * The value of the row is the message's body, the key its routing key, the time its timestamp, the
 * headers are as headers.h says. A body longer than the source's max_record is cut to one byte
 * more, so that it is an error of that record only; and so is a message whose header cannot be
 * read. Room for a body is taken from the budget as it comes, not as it was announced.
 *
 * Thread: run's.
 */
#ifndef LEAT_CONNECTORS_RABBITMQ_MESSAGE_H
#define LEAT_CONNECTORS_RABBITMQ_MESSAGE_H

#include "headers.h"

#define RABBIT_NAME_BYTES 256

enum rabbit_reading { RABBIT_BETWEEN, RABBIT_HEADER, RABBIT_BODY, RABBIT_WHOLE };

struct rabbit_message {
    struct leat_budget *budget;
    size_t body_most; /* of a body that is kept */

    enum rabbit_reading reading; /* what comes next; WHOLE: it is there, and nobody has taken it */
    uint64_t body_left;          /* still to come, kept or not */
    struct rabbit_headers headers;
    struct leat_slice row_headers; /* those, in the form of a row */
    char *body;
    size_t body_len, body_room;
    char key[RABBIT_NAME_BYTES];
    size_t key_len;
    int64_t time_ms;
};

/* `budget` and `body_most` are set, all else is zero. LEAT_E_FULL, LEAT_E_NOMEM; free takes a
 * zeroed one and what init has left. */
LEAT_CHECKED enum leat_status rabbit_message_init(struct rabbit_message *m, struct leat_error *err);
void rabbit_message_free(struct rabbit_message *m);

/* basic.deliver has come. */
void rabbit_message_begin(struct rabbit_message *m, const amqp_basic_deliver_t *d);

/* Its header has come. */
void rabbit_message_header(struct rabbit_message *m, const amqp_basic_properties_t *p,
                           uint64_t body_size);

/* A piece of its body has come, no longer than body_left. LEAT_E_FULL, LEAT_E_NOMEM. */
LEAT_CHECKED enum leat_status rabbit_message_body(struct rabbit_message *m, amqp_bytes_t piece,
                                                  struct leat_error *err);

/* Its header cannot be read, nor what is behind it: `why` is all there is of its body, made longer
 * than any record may be. LEAT_E_FULL, LEAT_E_NOMEM. */
LEAT_CHECKED enum leat_status rabbit_message_unreadable(struct rabbit_message *m, const char *why,
                                                        struct leat_error *err);

/* Of a whole one; borrowed until the next begins. */
struct leat_row rabbit_message_row(const struct rabbit_message *m);

#endif
