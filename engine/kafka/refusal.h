/*
 * refusal.h - batches and records that a broker refuses for what they are.
 *
 * It refuses whole batches and does not say which record it meant. A record is known to be at fault
 * when it was alone in its batch, which every record is that has at least batch.size bytes. So what
 * was refused is sent again in smaller and smaller batches until that is so.
 */
#ifndef LEAT_KAFKA_REFUSAL_H
#define LEAT_KAFKA_REFUSAL_H

#include "kafka/writing.h"

/* What brokers say of a topic; topic[0] 0: nobody has asked. */
struct leat_kafka_rules {
    char topic[256];
    int64_t max_bytes;     /* of a batch; 0: they do not say */
    int64_t segment_bytes; /* the same */
    bool wants_keys;
};

/* librdkafka's batch.size. */
struct leat_kafka_batches {
    size_t bytes; /* of the next handle */
    size_t fit;   /* as far as is known: what it can be again when the bad record is found */
};

/* Key, value and headers: no more than it has on the wire. */
size_t leat_kafka_message_bytes(const rd_kafka_message_t *m);

/* Asks the broker, unless `rules` are of this topic already. */
void leat_kafka_rules_ask(struct leat_kafka_client *c, const char *topic,
                          struct leat_kafka_rules *rules);

/* A record of this topic, which will not be compressed, is sure to be refused: 0: no. */
rd_kafka_resp_err_t leat_kafka_rules_break(const struct leat_kafka_rules *rules, const char *topic,
                                           const struct leat_row *row);

/* A batch was refused whose largest record has `bytes`, less than a batch may have. Logged. */
void leat_kafka_batches_shrink(struct leat_kafka_batches *b, struct leat_kafka_client *c,
                               rd_kafka_resp_err_t code, const struct leat_kafka_rules *rules,
                               size_t bytes);

/* LEAT_E_DATA: a record alone was refused, and why. */
enum leat_status leat_kafka_record_refused(rd_kafka_resp_err_t code,
                                           const struct leat_kafka_rules *rules, size_t bytes,
                                           bool has_key, struct leat_error *err);

#endif
