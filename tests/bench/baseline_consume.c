/*
 * baseline_consume.c - what librdkafka costs by itself: reads a topic and counts its messages.
 *
 *     baseline_consume BROKERS TOPIC
 */
#include "bench.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    static struct bench_consumer c;
    uint64_t records = 0;
    size_t n;

    if (argc != 3) {
        fprintf(stderr, "usage: baseline_consume BROKERS TOPIC\n");
        return 2;
    }
    bench_start();
    bench_open(&c, argv[1], argv[2]);
    while ((n = bench_next(&c)))
        for (size_t i = 0; i < n; i++) {
            records += !c.messages[i]->err;
            rd_kafka_message_destroy(c.messages[i]);
        }
    bench_close(&c);
    printf("{");
    bench_print_cost(records);
    printf(", \"settings\": \"%s\"}\n", bench_settings());
    return 0;
}
