/*
 * txn.h - the decider of jobs that touch Kafka: one transactional producer, shared by all sinks
 * that write to the cluster.
 *
 * Outputs, positions of the sources and the marker go into one transaction, so that they count
 * together or not at all. The transactional.id (leat-<job>-<slot>) fences a predecessor; the
 * positions are those of group leat-<job>.
 *
 * The life of one handle: made in open, ready after recover. What ends in doubt leaves it spent,
 * and then only close, open and recover help: nothing is ever begun on such a handle.
 *
 * Thread: the decider's. A call may take as long as patience_ms() says; librdkafka may exceed that
 * (positions of a topic that is gone, brokers that hang), so whoever waits needs a watchdog.
 */
#ifndef LEAT_KAFKA_TXN_H
#define LEAT_KAFKA_TXN_H

#include "kafka/refusal.h"

#include <stdatomic.h>

/* How the struct of a sink that takes part begins. */
struct leat_kafka_target {
    struct leat_kafka_conf conf;
    struct leat_template topic;
};

/* A sink that holds things of the handle: `forget` lets go of them, for the handle ends. */
struct leat_kafka_txn_user {
    struct leat_kafka_txn_user *next;
    struct leat_kafka_txn *txn; /* NULL: not joined */
    void (*forget)(struct leat_kafka_txn_user *user);
};

/* A record that was refused and is at fault: it was alone in its batch. */
struct leat_kafka_bad {
    struct leat_kafka_bad *next;
    const int64_t *row; /* its mark */
    rd_kafka_resp_err_t why;
    size_t bytes;
    bool has_key;
    char topic[256];
};

struct leat_kafka_txn {
    struct leat_kafka_client client; /* first: the handle's opaque */
    const struct leat_kafka_conf *conf;
    const struct leat_env *env;
    char group[260];
    int64_t timeout_ms; /* transaction.timeout.ms */
    struct leat_kafka_batches batches;

    bool is_ready; /* init_transactions is done */
    bool is_spent; /* the handle is in doubt or dead */
    bool is_open;  /* a transaction is */
    uint64_t n;    /* the batch that is or was last in a transaction */
    int64_t began_ms;
    rd_kafka_topic_partition_list_t *sent; /* positions of n; NULL: not yet */
    atomic_bool is_committing;
    atomic_bool is_deaf; /* a test wants the answer to be lost */
    atomic_int asked; /* how often the brokers were, to commit n: twice when an answer was lost */

    /* The first record of n that was refused; and the largest of those that were too large. */
    bool has_refused;
    rd_kafka_resp_err_t refused_why;
    char refused_topic[256];
    size_t refused_bytes;
    struct leat_kafka_bad *bad;
    struct leat_kafka_rules rules; /* of a topic that refused a record of n */
    bool is_told;                  /* env->refusals knows of all there was */
    size_t made_bytes; /* batch.size of this handle: another one than wanted is replaced in abort,
                          or before the next batch */

    struct leat_kafka_txn_user *users;
};

extern const struct leat_decider leat_kafka_decider;

/* ---- for sinks; `decider` is env->decider */

/* Whether a sink with these options can write through the decider's producer: there is one, made
 * from the options of one of them. LEAT_E_CONFIG says what differs. Thread: any. */
LEAT_CHECKED enum leat_status leat_kafka_txn_check(const void *decider,
                                                   const struct leat_kafka_conf *conf,
                                                   struct leat_error *err);

/* In every begin: user->forget is set. */
void leat_kafka_txn_join(void *decider, struct leat_kafka_txn_user *user);
void leat_kafka_txn_leave(struct leat_kafka_txn_user *user); /* also one that never joined */

/* LEAT_E_DATA: a record of n that was like this one was refused. It will not be compressed. */
enum leat_status leat_kafka_txn_expects(void *decider, const char *topic,
                                        const struct leat_row *row, struct leat_error *err);

/* LEAT_E_DATA was about records that env->refusals knows of by now. `decider` may be NULL. */
bool leat_kafka_txn_told(const void *decider);

/* Sending failed, *err says why. There may be more to it: an earlier record was refused, the
 * producer is fenced. Then *err becomes that. */
enum leat_status leat_kafka_txn_sent_badly(void *decider, struct leat_error *err);

/* ---- between txn.c and txn_end.c */

/* What a call of librdkafka's said; takes `error` over. */
enum leat_status leat_kafka_txn_fail(struct leat_kafka_txn *t, rd_kafka_error_t *error,
                                     struct leat_error *err);

/* Records were refused: LEAT_E_DATA for one that the topic never takes, else what can heal. */
enum leat_status leat_kafka_txn_refused(struct leat_kafka_txn *t, struct leat_error *err);

/* A new handle in place of the old one, and ready. */
LEAT_CHECKED enum leat_status leat_kafka_txn_renew(struct leat_kafka_txn *t,
                                                   struct leat_error *err);

/* Abort what is open, without insisting. */
void leat_kafka_txn_give_up(struct leat_kafka_txn *t);

/* A new handle, because another size of batches is wanted. Whoever has taken over meanwhile is left
 * alone, unless that was this very moment: then one of the two finds itself fenced. */
LEAT_CHECKED enum leat_status leat_kafka_txn_resize(struct leat_kafka_txn *t,
                                                    struct leat_error *err);

/* Forget what was refused. */
void leat_kafka_txn_clear(struct leat_kafka_txn *t);

enum leat_status leat_kafka_txn_commit(void *memory, uint64_t n, struct leat_error *err);
enum leat_status leat_kafka_txn_abort(void *memory, uint64_t n, struct leat_error *err);

#endif
