/*
 * take.h - from librdkafka's messages to framed blocks: the path that every record takes.
 */
#ifndef LEAT_CONNECTORS_KAFKA_TAKE_H
#define LEAT_CONNECTORS_KAFKA_TAKE_H

#include "fetcher.h"

#define KAFKA_TAKE_MAX 10000 /* messages, until their blocks are handed on */

/* For rd_kafka_consume_callback_queue(): copy a message into the open block of its partition. What
 * there is no memory for is passed over, and all behind it: the partition is then full and has to
 * be fetched again from p->next. Thread: the fetcher's. */
void kafka_take(rd_kafka_message_t *m, void *fetcher);

/* Seal what was filled since the last call. Returns the partitions that something came for, linked
 * by next_touched. Thread: the fetcher's. */
struct kafka_part *kafka_taken(struct kafka_fetcher *f);

#endif
