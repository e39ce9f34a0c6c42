/*
 * settings.h - asking brokers how a topic is set.
 */
#ifndef LEAT_KAFKA_SETTINGS_H
#define LEAT_KAFKA_SETTINGS_H

#include "kafka/client.h"

/* Call each() for every setting of the topic that has a value, defaults among them. Waits up to
 * LEAT_KAFKA_WAIT_MS. Thread: any, not that of the client's queue. */
LEAT_CHECKED enum leat_status leat_kafka_settings(struct leat_kafka_client *c, const char *topic,
                                                  void (*each)(void *arg, const char *name,
                                                               const char *value),
                                                  void *arg, struct leat_error *err);

#endif
