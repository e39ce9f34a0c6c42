/*
 * latency.c - how long a record takes from the moment it is due to the moment it can be read behind
 * a pipeline: an open loop, so that a stall counts for all that were due in it.
 *
 *     latency BROKERS IN OUT RATE SECONDS
 *
 * Writes RATE records a second to IN each with the time at which it is due, for
 * SECONDS; reads OUT as committed. Both have four partitions and are empty. The first two seconds
 * do not count. Ends when all have come back, or ten seconds without one.
 */
#include "bench.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define VALUE_BYTES 100
#define WARM_UP_S   2
#define QUIET_MS    10000

static rd_kafka_t *producer;
static const char *topic_in;
static int64_t rate, seconds;
static atomic_llong written;

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void sleep_until_us(int64_t at_us)
{
    struct timespec t = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};

    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static void write_one(int64_t due_us)
{
    char value[VALUE_BYTES + 1];
    const rd_kafka_vu_t vus[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic_in},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value, VALUE_BYTES}},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
    };
    rd_kafka_error_t *error;

    snprintf(value, sizeof value, "%020lld%080d", (long long)due_us, 0);
    while ((error = rd_kafka_produceva(producer, vus, 3))) {
        rd_kafka_error_destroy(error);
        rd_kafka_poll(producer, 1);
    }
    written++;
}

/* Some are due at every millisecond. */
static void *write_all(void *arg)
{
    int64_t start_us = now_us(), count = rate * seconds;

    (void)arg;
    for (int64_t i = 0; i < count; i++) {
        int64_t due_us = start_us + i * 1000000 / rate;
        if (due_us > now_us())
            sleep_until_us(due_us);
        write_one(due_us);
        rd_kafka_poll(producer, 0);
    }
    rd_kafka_flush(producer, QUIET_MS);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static double at_part(const int64_t *list, int64_t count, double part)
{
    return count ? (double)list[(int64_t)((double)(count - 1) * part)] / 1000 : 0;
}

static void report(int64_t *list, int64_t count, int64_t lost)
{
    qsort(list, (size_t)count, sizeof *list, by_size);
    printf("{\"records\": %lld, \"lost\": %lld, \"p50_ms\": %.2f, \"p99_ms\": %.2f, "
           "\"p999_ms\": %.2f, \"max_ms\": %.2f}\n",
           (long long)count, (long long)lost, at_part(list, count, 0.5), at_part(list, count, 0.99),
           at_part(list, count, 0.999), at_part(list, count, 1));
}

int main(int argc, char **argv)
{
    static struct bench_consumer c;
    pthread_t writer;
    int64_t read = 0, kept = 0;

    if (argc != 6) {
        fprintf(stderr, "usage: latency BROKERS IN OUT RATE SECONDS\n");
        return 2;
    }
    topic_in = argv[2];
    rate = atoll(argv[4]);
    seconds = atoll(argv[5]);
    int64_t *list = malloc(sizeof *list * (size_t)(rate * seconds + 1));
    producer = bench_producer(argv[1]);
    bench_open(&c, argv[1], argv[3]);
    int64_t start_us = now_us(), last_us = start_us;
    if (!list || pthread_create(&writer, NULL, write_all, NULL) != 0)
        return 1;
    while (read < rate * seconds && now_us() - last_us < QUIET_MS * INT64_C(1000)) {
        rd_kafka_message_t *m = rd_kafka_consume_queue(c.queue, 100);
        int64_t at_us = now_us();
        if (m && !m->err && m->len == VALUE_BYTES) {
            char text[21] = {0};
            memcpy(text, m->payload, 20);
            int64_t due_us = strtoll(text, NULL, 10);
            if (due_us >= start_us + WARM_UP_S * INT64_C(1000000))
                list[kept++] = at_us - due_us;
            last_us = at_us;
            read++;
        }
        if (m)
            rd_kafka_message_destroy(m);
    }
    pthread_join(writer, NULL);
    report(list, kept, written - read);
    free(list);
    rd_kafka_destroy(producer);
    bench_close(&c);
    return written == read ? 0 : 1;
}
