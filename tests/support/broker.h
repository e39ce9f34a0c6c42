/*
 * broker.h - a real Kafka for C tests, through tests/broker/kafka, and what an administrator does.
 *
 * Where the broker cannot be had (no Java, no Maven Central) broker_start() says why and returns
 * false, and the test skips; with LEAT_REQUIRE_BROKERS=1 that is a failure instead. A broker that
 * was started is stopped when the program ends.
 */
#ifndef LEAT_BROKER_H
#define LEAT_BROKER_H

#include <stdbool.h>
#include <stdint.h>

struct broker {
    char dir[96];
    char address[64];        /* "127.0.0.1:25782" */
    char secure_address[64]; /* with --secure; user "leat", password "geheim-1" */
    char ca[128];            /* file */
    char setting[96];        /* "brokers=127.0.0.1:25782" */
    bool is_running;
};

/* The one broker of the program: the first call with some arguments starts it, others find it.
 * `arguments` as for `tests/broker/kafka start`, may be "". NULL: not to be had, *why says why. */
struct broker *broker_get(const char *arguments, const char **why);

/* "stop", "kill", "restart", or "acl ..." */
void broker_do(struct broker *b, const char *verb);

/* It stands still, its connections stay open: what is asked is not answered. */
void broker_pause(struct broker *b);
void broker_resume(struct broker *b);

/* Fatal for the test when they fail. `config` is "name=value" or NULL. */
void broker_topic(struct broker *b, const char *topic, int partitions, const char *config);
void broker_delete_topic(struct broker *b, const char *topic);
void broker_add_partitions(struct broker *b, const char *topic, int total);
void broker_delete_records(struct broker *b, const char *topic, int32_t partition, int64_t before);

/* Write `count` records in one transaction and commit or abort it. */
void broker_transaction(struct broker *b, const char *topic, int32_t partition, int count,
                        bool commit);

/* What `group` committed: the offset (-1: nothing) and its metadata. */
int64_t broker_committed(struct broker *b, const char *group, const char *topic, int32_t partition,
                         char *metadata, int room);

/* In a test: a broker, or the test is skipped. */
#define BROKER_OR_SKIP(b, arguments)                                                               \
    const char *b##_why;                                                                           \
    struct broker *b = broker_get(arguments, &b##_why);                                            \
    if (!b)                                                                                        \
    LEAT_SKIP(b##_why)

#endif
