/*
 * fetcher.h - the thread of a Kafka source: serves the fetches of all its partitions.
 *
 * It owns the consumer's queues. While some fetch waits, it takes what librdkafka has for any
 * partition in one call and copies each message into the open block of its partition. That answers
 * the fetch when it is full or when its time has come (leat_fetch.by_ms), and else gathers on: few
 * large blocks, and few wakes, for however many small answers of the broker. With nothing to wait
 * for it sleeps. Fetches reach it as messages; answers go out through leat_fetch_done.
 *
 * Messages and what librdkafka has to say otherwise (trouble with brokers, tokens that expire) are
 * kept in two queues: the call that takes messages ends the program over anything else.
 */
#ifndef LEAT_CONNECTORS_KAFKA_FETCHER_H
#define LEAT_CONNECTORS_KAFKA_FETCHER_H

#include "kafka/client.h"

struct kafka_topic {
    const char *name;
    rd_kafka_topic_t *rkt; /* ours: messages of the topic carry the same pointer */
    bool late;             /* was not there when the source started: is read from its beginning */
    /* The fetcher's: partitions it was asked for, by number. */
    struct kafka_part **parts;
    int32_t parts_count;
};

struct kafka_request {
    struct leat_msg msg;
    struct kafka_part *part;
    struct leat_fetch fetch;
    leat_fetch_done *done;
    void *arg;
};

struct kafka_part {
    /* The job thread's. */
    uint32_t id;
    struct kafka_topic *topic;
    int32_t number;
    struct leat_slice name; /* "orders/3" */
    int64_t first, end;     /* as in leat_part */
    bool was_committed;     /* `first` is a committed position ... */
    bool is_foreign;        /* ... of somebody else's */
    bool is_committed;      /* the group has `stands` */
    int64_t stands;         /* where the job is with it */
    struct kafka_request
        request; /* in the fetcher's queue, or the fetcher's until it is answered */

    /* The fetcher's. */
    bool asked;                    /* request waits for an answer */
    bool assigned;                 /* librdkafka fetches it */
    bool at_end;                   /* `next` is the end, as far as the broker said */
    bool end_told;                 /* an answer said so */
    bool afresh;                   /* the first message says where it goes on (on_lost: earliest) */
    bool is_listed;                /* in the fetcher's list */
    bool is_full;                  /* no memory for a block: what came behind `next` is gone */
    rd_kafka_resp_err_t failed;    /* to be told with the next answer */
    int64_t next;                  /* first position not taken from librdkafka */
    int64_t handed;                /* first position not handed to the engine */
    int64_t due_ms;                /* monotonic: the fetch is answered with what there is then */
    struct leat_block *open;       /* being filled */
    struct leat_msg *ready, *last; /* sealed blocks, in order, linked by their messages */
    size_t ready_bytes;
    size_t got;   /* bytes since a block was sealed the last time */
    size_t usual; /* so many to expect */
    struct kafka_part *next_listed;
};

struct kafka_fetcher {
    struct leat_kafka_client *client;
    struct leat_budget *budget;
    rd_kafka_queue_t *messages;
    rd_kafka_queue_t *events;
    struct leat_queue requests;
    pthread_t thread;
    bool is_running;

    /* The thread's own. */
    struct kafka_topic **topics;
    uint32_t topics_count, topics_room;
    struct kafka_part *recent; /* of the last message */
    struct kafka_part *listed; /* those that may have something to answer with */
    uint32_t taken;            /* messages in the last call */
    uint32_t asked, assigned;  /* partitions */
    int64_t due_ms;            /* the earliest of those listed; INT64_MAX: none */
    rd_kafka_topic_partition_list_t *add, *remove;
    char *headers; /* of one message, encoded */
    size_t headers_room;
};

/* The client must be open. `name`: of the thread. Thread: job. */
LEAT_CHECKED enum leat_status kafka_fetcher_start(struct kafka_fetcher *f,
                                                  struct leat_kafka_client *client,
                                                  const struct leat_env *env, const char *name,
                                                  struct leat_error *err);

/* Answers what waits with LEAT_E_ABORTED. One that never ran is fine. Thread: job. */
void kafka_fetcher_stop(struct kafka_fetcher *f);

/* p->request is filled; at most one per partition. Thread: job. */
void kafka_fetcher_ask(struct kafka_fetcher *f, struct kafka_part *p);

/* Forget what was read ahead for p, and answer its fetch if one waits. Without memory nothing is
 * dropped. Thread: job. */
void kafka_fetcher_drop(struct kafka_fetcher *f, struct kafka_part *p);

#endif
