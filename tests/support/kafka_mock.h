/*
 * kafka_mock.h - a broker inside the test, and a plain client that writes and reads beside leat.
 *
 * The mock is librdkafka's; the plain client works with a real broker as well. Failures are fatal
 * for the test.
 */
#ifndef LEAT_KAFKA_MOCK_TEST_H
#define LEAT_KAFKA_MOCK_TEST_H

#include "kafka/mock.h"

struct kafka_mock {
    struct leat_mock_broker broker;
    const char *bootstrap;
    char setting[128]; /* "brokers=127.0.0.1:40123" */
};

void kafka_mock_start(struct kafka_mock *m, const char *topic, int partitions);
void kafka_mock_stop(struct kafka_mock *m);

/* Write one record and wait until it is there. key, value NULL: none. time_ms 0: now. headers may
 * be NULL; they are the client's afterwards. Returns its offset. */
int64_t plain_write(const char *brokers, const char *topic, int32_t partition, const char *key,
                    const char *value, int64_t time_ms, rd_kafka_headers_t *headers);

/* The same value `count` times, in one go. */
void plain_write_many(const char *brokers, const char *topic, int32_t partition, const char *value,
                      int count);

struct plain_row {
    char key[64], value[64]; /* "<none>" for none */
    char headers[64];        /* "name=value;" */
    int64_t time_ms, offset;
    int32_t partition;
};

/* All committed records that the topic has now; at most `room` of them are kept. Returns how many
 * there are. */
int plain_read(const char *brokers, const char *topic, struct plain_row *rows, int room);

#endif
