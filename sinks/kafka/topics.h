/*
 * topics.h - the topics a sink writes to: found once, made if the pipeline says so.
 */
#ifndef LEAT_SINKS_KAFKA_TOPICS_H
#define LEAT_SINKS_KAFKA_TOPICS_H

#include "kafka/writing.h"

struct kafka_create {
    int64_t partitions, replication_factor; /* partitions 0: do not create */
    struct leat_pairs config;
};

struct kafka_out_topic {
    struct kafka_out_topic *next; /* in its slot */
    char *name;
    rd_kafka_topic_t *rkt; /* of the present handle; NULL: not yet looked for */
};

#define KAFKA_TOPIC_SLOTS 64

struct kafka_topics {
    struct leat_kafka_client *client;
    const struct kafka_create *create;
    const char *create_is; /* what it is called in the file; NULL: `create` */
    /* Where several sinks share a handle: what is the topics' own, else NULL. */
    const struct leat_pairs *properties;
    const char *compression;

    struct kafka_out_topic *slots[KAFKA_TOPIC_SLOTS];
    struct kafka_out_topic *recent;
};

/* The topic of this name, which exists; looked for, or made, at its first use. */
LEAT_CHECKED enum leat_status kafka_topic_get(struct kafka_topics *all, struct leat_slice name,
                                              struct kafka_out_topic **topic,
                                              struct leat_error *err);

/* One that was got before; NULL: it was not. */
struct kafka_out_topic *kafka_topic_find(const struct kafka_topics *all, struct leat_slice name);

/* Look for it again at its next use. */
void kafka_topic_forget(struct kafka_out_topic *t);

/* The handle is about to go: forget them all. */
void kafka_topics_forget(struct kafka_topics *all);
void kafka_topics_free(struct kafka_topics *all);

#endif
