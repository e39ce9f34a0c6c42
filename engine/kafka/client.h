/*
 * client.h - one connection to a Kafka cluster: librdkafka's handle, and the last trouble it told.
 *
 * librdkafka reports trouble with brokers apart from the call that suffers from it: a request only
 * times out, while "connection refused" comes as an event. The client keeps the last such text, so
 * that the error which the user reads has the reason in it.
 */
#ifndef LEAT_KAFKA_CLIENT_H
#define LEAT_KAFKA_CLIENT_H

#include "kafka/conf.h"
#include "kafka/error.h"

#include <pthread.h>

/* How long a call on the job's thread may wait for a broker. */
#define LEAT_KAFKA_WAIT_MS 3000

struct leat_kafka_client {
    rd_kafka_t *rk; /* NULL: not open */
    const struct leat_kafka_conf *conf;
    const struct leat_env *env;
    bool writes;
    int wait_ms; /* how long a question may take; open sets LEAT_KAFKA_WAIT_MS */

    pthread_mutex_t lock;
    rd_kafka_resp_err_t trouble; /* guarded by lock; 0: none since a broker answered */
    char trouble_text[160];      /* guarded by lock */
    bool has_news;               /* guarded by lock: trouble came and nobody has taken it */
};

/* Takes `made` over, also on failure. The opaque of the handle is the client. No network yet.
 * Thread: any; the client must stay where it is. */
LEAT_CHECKED enum leat_status leat_kafka_client_open(struct leat_kafka_client *c,
                                                     rd_kafka_type_t type, rd_kafka_conf_t *made,
                                                     const struct leat_kafka_conf *conf,
                                                     const struct leat_env *env,
                                                     struct leat_error *err);

/* Waits for librdkafka's threads; for a consumer LEAT_KAFKA_WAIT_MS at most, then they end by
 * themselves. A client that was never opened is fine. */
void leat_kafka_client_close(struct leat_kafka_client *c);

/* leat_kafka_fail() with what the client knows. topic may be NULL. Thread: any. */
enum leat_status leat_kafka_client_fail(struct leat_kafka_client *c, rd_kafka_resp_err_t code,
                                        const char *topic, struct leat_error *err);

/* True once after trouble came: *err says what. Thread: any. */
bool leat_kafka_client_news(struct leat_kafka_client *c, struct leat_error *err);

/* Trouble has come since a broker last answered. Thread: any. */
bool leat_kafka_client_has_trouble(struct leat_kafka_client *c);

/* A broker answered: what was wrong is over. Thread: any. */
void leat_kafka_client_well(struct leat_kafka_client *c);

/* The topics that match: `pattern` NULL: exactly `topic`; else all topics of the cluster, for the
 * caller to look through. *data is for rd_kafka_metadata_destroy(). Waits c->wait_ms, and no longer
 * than half a second once it is known that there is trouble. */
LEAT_CHECKED enum leat_status leat_kafka_metadata(struct leat_kafka_client *c, const char *topic,
                                                  const struct rd_kafka_metadata **data,
                                                  struct leat_error *err);

#endif
