/*
 * offsets.h - asking a cluster for positions: the ends of partitions, times, and what was committed
 * for the job's consumer group.
 *
 * All take a librdkafka list with the partitions in question and wait at
 * most c->wait_ms, the commit LEAT_KAFKA_WAIT_MS.
 * Thread: any, not that of the client's queue.
 */
#ifndef LEAT_KAFKA_OFFSETS_H
#define LEAT_KAFKA_OFFSETS_H

#include "kafka/client.h"

/* What to ask for instead of a time. */
#define LEAT_KAFKA_LATEST   (-1)
#define LEAT_KAFKA_EARLIEST (-2)

/* Set each offset to that of the first record at or after time_ms, or to one of the ends. Behind
 * the last record there is none: then the end. */
LEAT_CHECKED enum leat_status leat_kafka_offsets_at(struct leat_kafka_client *c, int64_t time_ms,
                                                    rd_kafka_topic_partition_list_t *list,
                                                    struct leat_error *err);

/* Set each offset to what the group committed; RD_KAFKA_OFFSET_INVALID: nothing. */
LEAT_CHECKED enum leat_status leat_kafka_offsets_committed(struct leat_kafka_client *c,
                                                           rd_kafka_topic_partition_list_t *list,
                                                           struct leat_error *err);

/* Commit the offsets of the list with metadata "leat/-/<slot>/<n>" each. */
LEAT_CHECKED enum leat_status leat_kafka_offsets_commit(struct leat_kafka_client *c, uint64_t n,
                                                        rd_kafka_topic_partition_list_t *list,
                                                        struct leat_error *err);

/* Call each() for every position that `group` has, with what its metadata says, through a client of
 * its own. `stable`: wait for transactions that are about to end, and fail while one is open. Waits
 * up to two times LEAT_KAFKA_WAIT_MS. */
LEAT_CHECKED enum leat_status leat_kafka_offsets_all(
    const struct leat_kafka_conf *conf, const struct leat_env *env, const char *group, bool stable,
    void (*each)(void *arg, const struct leat_decided *d), void *arg, struct leat_error *err);

/* Metadata for a position of a list; false: no memory. */
bool leat_kafka_offsets_mark(rd_kafka_topic_partition_t *p, const char *text);

#endif
