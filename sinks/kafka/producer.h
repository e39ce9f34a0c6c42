/*
 * producer.h - what a Kafka sink writes with: one librdkafka producer, the topics it has seen, and
 * the records that were refused and have to be sent again.
 *
 * Values are borrowed until the broker has acknowledged them (librdkafka copies keys and headers).
 * Only failures are reported back; that nothing is in flight any more means that all the rest has
 * been acknowledged by every replica.
 *
 * Thread: the sink's.
 */
#ifndef LEAT_SINKS_KAFKA_PRODUCER_H
#define LEAT_SINKS_KAFKA_PRODUCER_H

#include "kafka/refusal.h"
#include "topics.h"

/* A record that did not arrive. The value is borrowed, all else is a copy. */
struct kafka_failed {
    struct kafka_failed *next;
    struct kafka_out_topic *topic;
    const int64_t *row; /* its mark */
    rd_kafka_resp_err_t why;
    size_t bytes; /* with headers */
    struct leat_slice value;
    rd_kafka_headers_t *headers; /* NULL: none */
    int64_t time_ms;
    bool has_key;
    size_t key_len;
    char key[];
};

struct kafka_producer {
    struct leat_kafka_client client;
    const struct leat_kafka_conf *conf;
    const struct kafka_create *create;
    const char *compression;
    const struct leat_env *env;
    size_t largest; /* record that is sure to come; 0: not known */

    struct leat_kafka_batches batches; /* smaller after a broker refused one */
    struct leat_kafka_rules rules;     /* of a topic that refused one of the records at hand */
    struct kafka_topics topics;
    struct kafka_failed *failed, **failed_end; /* in the order of their refusal */
    bool lost_some;                            /* no memory to remember one */
};

/* A zeroed producer whose first members are set. No network yet. */
LEAT_CHECKED enum leat_status kafka_producer_open(struct kafka_producer *p, struct leat_error *err);

/* Forget everything that is in flight or failed, without waiting for a broker. */
void kafka_producer_drop(struct kafka_producer *p);

/* Also one that was never opened. */
void kafka_producer_close(struct kafka_producer *p);

/* Hand a row to librdkafka; waits while its queue is full. */
LEAT_CHECKED enum leat_status kafka_producer_send(struct kafka_producer *p, struct leat_slice topic,
                                                  const struct leat_row *row, const int64_t *mark,
                                                  struct leat_error *err);

/* The same through any handle, for a topic that is known. `headers`, as decoded, may be NULL and is
 * librdkafka's afterwards. `mark` goes with the record (data/refuse.h). LEAT_E_DATA: the client's
 * own message.max.bytes is less. */
LEAT_CHECKED enum leat_status kafka_send_row(struct leat_kafka_client *c, struct kafka_out_topic *t,
                                             const struct leat_row *row, const int64_t *mark,
                                             rd_kafka_headers_t *headers, struct leat_error *err);

/* NULL: there are none. */
rd_kafka_headers_t *kafka_headers_decode(struct leat_slice encoded);

/* Wait until every record has been acknowledged, sending again what was refused. Those that the
 * broker will never take are told through env->refusals; without that they are LEAT_E_DATA. A
 * transient failure (no progress for seconds): call again, or drop and send all again. */
LEAT_CHECKED enum leat_status kafka_producer_flush(struct kafka_producer *p,
                                                   struct leat_error *err);

#endif
