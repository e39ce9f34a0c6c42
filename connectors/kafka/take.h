/*
 * take.h - from librdkafka's messages to framed blocks: the path that every record takes.
 */
#ifndef LEAT_CONNECTORS_KAFKA_TAKE_H
#define LEAT_CONNECTORS_KAFKA_TAKE_H

#include "fetcher.h"

#define KAFKA_TAKE_MAX 10000 /* messages in one call */

/* For rd_kafka_consume_callback_queue(): copy a message into the open block of its partition. What
 * there is no memory for is passed over, and all behind it: the partition is then full and has to
 * be fetched again from p->next. Thread: the fetcher's. */
void kafka_take(rd_kafka_message_t *m, void *fetcher);

/* p has something to answer with, or may soon: list it. Thread: the fetcher's. */
void kafka_list(struct kafka_fetcher *f, struct kafka_part *p);

/* The open block of p, if it has one, is ready. Thread: the fetcher's. */
void kafka_seal(struct kafka_part *p);

#endif
