/*
 * writing.h - how every producer of leat is set, whether it writes in transactions or not.
 */
#ifndef LEAT_KAFKA_WRITING_H
#define LEAT_KAFKA_WRITING_H

#include "kafka/client.h"

#define LEAT_KAFKA_BATCH_BYTES 1000000 /* librdkafka's batch.size to begin with */

/* How often an acknowledgement is looked for while nothing else is to be done, and for how long
 * none may come before the broker is said to be away. */
#define LEAT_KAFKA_LOOK_MS    2
#define LEAT_KAFKA_STALLED_MS 5000

struct leat_kafka_writing {
    const char *compression; /* NULL: left to the topics */
    size_t batch_bytes;
    const char *transactional_id; /* NULL: at least once, what can heal is waited for */
    size_t largest; /* record: the queue has room for it whatever the budget is; 0: not known */
};

/* The configuration of a producer: the budget gives the size of its queue, which waits for all
 * replicas and reports failures only. *made as from leat_kafka_conf_new(). Thread: any. */
LEAT_CHECKED enum leat_status leat_kafka_writing_conf(const struct leat_kafka_conf *conf,
                                                      const struct leat_env *env,
                                                      const struct leat_kafka_writing *writing,
                                                      rd_kafka_conf_t **made,
                                                      struct leat_error *err);

/* librdkafka has given the handle up. */
bool leat_kafka_is_dead(const struct leat_kafka_client *c);

/* Wait until nothing is in flight, or librdkafka has given the handle up, or *stop. Only LOOK_MS
 * pass before *stop is looked at; NULL: nothing stops it. LEAT_E_UNREACHABLE: no progress for
 * STALLED_MS. */
LEAT_CHECKED enum leat_status leat_kafka_drain(struct leat_kafka_client *c, const bool *stop,
                                               struct leat_error *err);

/* librdkafka's queue is full: wait a millisecond. To begin with *waited_ms is 0, *left INT32_MAX.
 * LEAT_E_UNREACHABLE as above. */
LEAT_CHECKED enum leat_status leat_kafka_wait_for_room(struct leat_kafka_client *c, int *waited_ms,
                                                       int *left, struct leat_error *err);

#endif
