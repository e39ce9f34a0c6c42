#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define WAIT_MS 1000

static const char *const settings[][2] = {
    {"queued.min.messages", "1000000"}, {"queued.max.messages.kbytes", "1048576"},
    {"enable.partition.eof", "true"},   {"enable.auto.commit", "false"},
    {"auto.offset.reset", "error"},     {"isolation.level", "read_committed"},
};

static struct timespec started;

const char *bench_settings(void)
{
    static char text[400];
    size_t at = 0;

    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        at +=
            (size_t)snprintf(text + at, sizeof text - at, "%s=%s ", settings[i][0], settings[i][1]);
    snprintf(text + at, sizeof text - at, "rd_kafka_consume_batch_queue(%d)", BENCH_BATCH);
    return text;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[200];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return;
    fprintf(stderr, "%s\n", text);
    exit(1);
}

void bench_open(struct bench_consumer *c, const char *brokers, const char *topic)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[200];

    set(conf, "bootstrap.servers", brokers);
    set(conf, "group.id", "bench");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        set(conf, settings[i][0], settings[i][1]);
    c->ends = 0;
    c->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (!c->rk) {
        fprintf(stderr, "%s\n", text);
        exit(1);
    }
    rd_kafka_poll_set_consumer(c->rk);
    c->queue = rd_kafka_queue_get_consumer(c->rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(BENCH_PARTITIONS);
    for (int p = 0; p < BENCH_PARTITIONS; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_assign(c->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
}

rd_kafka_t *bench_producer(const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[200];

    set(conf, "bootstrap.servers", brokers);
    set(conf, "linger.ms", "1");
    set(conf, "acks", "all");
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!rk) {
        fprintf(stderr, "%s\n", text);
        exit(1);
    }
    return rk;
}

size_t bench_next(struct bench_consumer *c)
{
    for (;;) {
        if (c->ends == BENCH_PARTITIONS)
            return 0;
        /* Near the end a batch is not filled; what is there is taken at once. */
        ssize_t n =
            rd_kafka_consume_batch_queue(c->queue, c->ends ? 5 : WAIT_MS, c->messages, BENCH_BATCH);
        for (ssize_t i = 0; i < n; i++)
            c->ends += c->messages[i]->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (n > 0)
            return (size_t)n;
    }
}

void bench_close(struct bench_consumer *c)
{
    rd_kafka_queue_destroy(c->queue);
    rd_kafka_destroy_flags(c->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

void bench_start(void)
{
    clock_gettime(CLOCK_MONOTONIC, &started);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

void bench_print_cost(uint64_t records)
{
    struct rusage used;
    struct timespec now;

    getrusage(RUSAGE_SELF, &used);
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("\"records\": %llu, \"cpu_seconds\": %.3f, \"wall_seconds\": %.3f",
           (unsigned long long)records, seconds(used.ru_utime) + seconds(used.ru_stime),
           (double)(now.tv_sec - started.tv_sec) + (double)(now.tv_nsec - started.tv_nsec) / 1e9);
}
