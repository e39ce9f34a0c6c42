/*
 * mock.h - librdkafka's own mock cluster inside the process: a broker for `leat demo` and for unit
 * tests. It keeps 5 MiB a partition, knows no transactions, and any process of this host may talk
 * to it while it lives.
 */
#ifndef LEAT_KAFKA_MOCK_H
#define LEAT_KAFKA_MOCK_H

#include "leat.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

struct leat_mock_broker {
    rd_kafka_t *rk;
    rd_kafka_mock_cluster_t *cluster;
};

/* *bootstrap: "127.0.0.1:40123", valid until stop. Thread: any. */
LEAT_CHECKED enum leat_status
leat_mock_broker_start(struct leat_mock_broker *m, const char **bootstrap, struct leat_error *err);
LEAT_CHECKED enum leat_status leat_mock_broker_topic(struct leat_mock_broker *m, const char *name,
                                                     int partitions, struct leat_error *err);
void leat_mock_broker_stop(struct leat_mock_broker *m); /* one that was never started is fine */

#endif
