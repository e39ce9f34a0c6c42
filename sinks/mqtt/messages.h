/*
 * messages.h - the rows of a batch as messages to publish, and as bytes of the job log's record.
 *
 * What is in the record is what is published, after a crash too, in the same order and with the
 * same numbers.
 *
 *     section: an outbox (data/outbox.h), of each message: u32 length, topic | u32 length, payload
 *
 * Thread: the sink's, except `state`.
 */
#ifndef LEAT_SINKS_MQTT_MESSAGES_H
#define LEAT_SINKS_MQTT_MESSAGES_H

#include "leat.h"

enum mqtt_message_state { MQTT_UNSENT, MQTT_DONE, MQTT_REFUSED };

struct mqtt_message {
    struct leat_outbox_item item;
    void *owner;
    struct leat_slice topic; /* a NUL is behind it */
    struct leat_slice payload;
    uint32_t number;
    atomic_int state;  /* set by the client library's thread */
    atomic_int reason; /* of a refusal */
};

struct mqtt_messages {
    struct leat_outbox box; /* first */
    void *owner;
};

/* Of a name or a template, what is known before there are records. LEAT_E_CONFIG: it begins with no
 * text, or as a subscriber's filter. */
LEAT_CHECKED enum leat_status mqtt_check_topic(struct leat_slice topic, struct leat_error *err);

/* The topic is copied, the payload borrowed. LEAT_E_DATA: this is no topic to publish to.
 * LEAT_E_NOMEM, LEAT_E_FULL. */
LEAT_CHECKED enum leat_status mqtt_messages_add(struct mqtt_messages *m, struct leat_slice topic,
                                                struct leat_slice payload, struct leat_error *err);

void mqtt_messages_write(const struct mqtt_messages *m, struct leat_bytes *section);

/* Payloads are borrowed from the section. LEAT_E_CORRUPT. */
LEAT_CHECKED enum leat_status mqtt_messages_read(struct mqtt_messages *m, struct leat_slice section,
                                                 struct leat_error *err);

#endif
