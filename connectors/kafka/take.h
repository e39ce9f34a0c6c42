/*
 * take.h - from librdkafka's messages to framed blocks: the path that every record takes.
 */
#ifndef LEAT_CONNECTORS_KAFKA_TAKE_H
#define LEAT_CONNECTORS_KAFKA_TAKE_H

#include "fetcher.h"

/* Copy the messages in hand into blocks of their partitions and give them back to librdkafka. Stops
 * early when there is no memory for a partition whose fetch waits: the rest stays in hand. Returns
 * the partitions that something came for, linked by next_touched. Thread: the fetcher's. */
struct kafka_part *kafka_take(struct kafka_fetcher *f);

/* Take the messages of p out of the hand. Thread: the fetcher's. */
void kafka_take_away(struct kafka_fetcher *f, const struct kafka_part *p);

#endif
