/*
 * marker.h - what is written beside a committed position, and how a partition is called.
 *
 * The metadata of a position says which batch it is of: "leat/<epoch>/<slot>/<n>", where positions
 * go with the outputs, "leat/-/<slot>/<n>" where they follow them. There is one way to write each;
 * everything else was written by somebody else. Pure. Thread: any.
 */
#ifndef LEAT_KAFKA_MARKER_H
#define LEAT_KAFKA_MARKER_H

#include "leat.h"

#define LEAT_KAFKA_MARKER_ROOM 48
#define LEAT_KAFKA_TOPIC_MAX   249 /* bytes of a topic's name */

/* `text` has LEAT_KAFKA_MARKER_ROOM bytes. */
void leat_kafka_marker_text(char *text, uint32_t epoch, uint32_t slot, uint64_t n);
void leat_kafka_marker_text_at_least_once(char *text, uint32_t slot, uint64_t n);

/* Set by, epoch, slot and n of *d. */
void leat_kafka_marker_read(struct leat_slice text, struct leat_decided *d);

/* "orders/3": `topic` has LEAT_KAFKA_TOPIC_MAX + 1 bytes. False: it is no such name. */
bool leat_kafka_partition_read(struct leat_slice name, char *topic, int32_t *number);

#endif
