/*
 * baseline_wordcount.c - the word count that one would write by hand: librdkafka, a loop over the
 * bytes, and a plain hash table of (second of record time, word).
 *
 *     baseline_wordcount BROKERS TOPIC
 */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    char *word; /* NULL: free */
    uint32_t len;
    uint32_t hash;
    int64_t second;
    uint64_t count;
};

static struct entry *table;
static size_t room, used;
static uint64_t words;

static struct entry *slot(struct entry *t, size_t size, const char *word, uint32_t len,
                          uint32_t hash, int64_t second)
{
    size_t at = hash & (size - 1);

    while (t[at].word && (t[at].hash != hash || t[at].second != second || t[at].len != len ||
                          memcmp(t[at].word, word, len) != 0))
        at = (at + 1) & (size - 1);
    return &t[at];
}

static void grow(void)
{
    size_t size = room ? room * 2 : 1 << 16;
    struct entry *grown = calloc(size, sizeof *grown);

    for (size_t i = 0; i < room; i++)
        if (table[i].word)
            *slot(grown, size, table[i].word, table[i].len, table[i].hash, table[i].second) =
                table[i];
    free(table);
    table = grown;
    room = size;
}

static void count(const char *word, uint32_t len, uint32_t hash, int64_t second)
{
    hash ^= (uint32_t)second * 2654435761u;
    struct entry *e = slot(table, room, word, len, hash, second);
    words++;
    e->count++;
    if (e->word)
        return;
    e->word = malloc(len);
    memcpy(e->word, word, len);
    e->len = len;
    e->hash = hash;
    e->second = second;
    if (++used * 2 > room)
        grow();
}

static void count_words(const char *text, size_t len, int64_t second)
{
    size_t start = 0;
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i <= len; i++) {
        if (i < len && text[i] != ' ') {
            hash = (hash ^ (unsigned char)text[i]) * 16777619u;
            continue;
        }
        if (i > start)
            count(text + start, (uint32_t)(i - start), hash, second);
        start = i + 1;
        hash = 2166136261u;
    }
}

int main(int argc, char **argv)
{
    static struct bench_consumer c;
    uint64_t records = 0;
    size_t n;

    if (argc != 3) {
        fprintf(stderr, "usage: baseline_wordcount BROKERS TOPIC\n");
        return 2;
    }
    bench_start();
    grow();
    bench_open(&c, argv[1], argv[2]);
    while ((n = bench_next(&c)))
        for (size_t i = 0; i < n; i++) {
            const rd_kafka_message_t *m = c.messages[i];
            rd_kafka_timestamp_type_t type;
            if (!m->err) {
                count_words(m->payload, m->len, rd_kafka_message_timestamp(m, &type) / 1000);
                records++;
            }
            rd_kafka_message_destroy(c.messages[i]);
        }
    bench_close(&c);
    printf("{");
    bench_print_cost(records);
    printf(", \"words\": %llu, \"pairs\": %zu}\n", (unsigned long long)words, used);
    return 0;
}
