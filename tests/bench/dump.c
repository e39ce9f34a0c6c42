/*
 * dump.c - prints the values of a topic, one a line, for the check of answers.
 *
 *     dump BROKERS TOPIC
 */
#include "bench.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    static struct bench_consumer c;
    size_t n;

    if (argc != 3) {
        fprintf(stderr, "usage: dump BROKERS TOPIC\n");
        return 2;
    }
    bench_open(&c, argv[1], argv[2]);
    while ((n = bench_next(&c)))
        for (size_t i = 0; i < n; i++) {
            const rd_kafka_message_t *m = c.messages[i];
            if (!m->err)
                printf("%.*s\n", (int)m->len, (const char *)m->payload);
            rd_kafka_message_destroy(c.messages[i]);
        }
    bench_close(&c);
    return 0;
}
