/*
 * bench.h - what the programs of the benchmark share: a consumer with the settings that the
 * comparison is about, and what a run cost.
 */
#ifndef LEAT_BENCH_H
#define LEAT_BENCH_H

#include <librdkafka/rdkafka.h>
#include <stdint.h>

#define BENCH_PARTITIONS 4
#define BENCH_BATCH      10000

struct bench_consumer {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
    rd_kafka_message_t *messages[BENCH_BATCH];
    int ends; /* partitions that were read to their end */
};

/* All partitions of the topic from their beginning. Exits with a text when that fails. */
void bench_open(struct bench_consumer *c, const char *brokers, const char *topic);

/* The next batch, 0 at the end of all partitions. Messages with an error are ends and are to be
 * passed over. The caller destroys every message. */
size_t bench_next(struct bench_consumer *c);
void bench_close(struct bench_consumer *c);

/* A producer that sends within a millisecond and waits for all replicas. Exits with a text when
 * that fails. */
rd_kafka_t *bench_producer(const char *brokers);

/* The settings, for the head of the report. */
const char *bench_settings(void);

/* "records":...,"cpu_seconds":...,"wall_seconds":... as JSON members. */
void bench_start(void);
void bench_print_cost(uint64_t records);

#endif
