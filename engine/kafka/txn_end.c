#include "kafka/txn.h"

#include "kafka/marker.h"
#include "kafka/offsets.h"

#include <stdio.h>

#define SLICE_MS   1000
#define LOOK_TIMES 3

static unsigned long long number(const struct leat_kafka_txn *t)
{
    return (unsigned long long)t->n;
}

/* ---- is there a newer instance? */

struct looking {
    const struct leat_kafka_txn *t;
    bool found;
    uint32_t epoch;
    uint64_t n;
};

/* A position that this process has not committed: of another life of the job, of a later batch, or
 * of the batch in question. That one can be our own where the brokers were asked twice: the answer
 * to the first was lost, and then the positions are those that stand here. */
static void look_at(void *arg, const struct leat_decided *d)
{
    struct looking *l = arg;
    const struct leat_kafka_txn *t = l->t;
    char topic[LEAT_KAFKA_TOPIC_MAX + 1];
    int32_t part;

    if (d->by != LEAT_DECIDED_OURS || d->slot != t->env->slot ||
        (d->epoch == t->env->epoch && d->n < t->n))
        return;
    if (d->epoch == t->env->epoch && d->n == t->n && atomic_load(&t->asked) > 1 && t->sent &&
        leat_kafka_partition_read(d->partition, topic, &part)) {
        const rd_kafka_topic_partition_t *p =
            rd_kafka_topic_partition_list_find(t->sent, topic, part);
        if (p && p->offset == d->next)
            return;
    }
    l->found = true;
    l->epoch = d->epoch;
    l->n = d->n;
}

/* LEAT_E_FENCED: somebody else has committed n or what comes after it. */
static enum leat_status look(struct leat_kafka_txn *t, bool stable, struct leat_error *err)
{
    struct looking l = {.t = t};

    if (leat_kafka_offsets_all(t->conf, t->env, t->group, stable, look_at, &l, err) != LEAT_OK)
        return err->status;
    if (!l.found)
        return LEAT_OK;
    return leat_fail(err, LEAT_E_FENCED,
                     "fenced by a newer instance of job '%s': it has committed batch %llu%s",
                     t->env->job, (unsigned long long)l.n,
                     l.epoch == t->env->epoch ? "" : " of another life of its state");
}

/* It asks through a client of its own, which takes the transactional.id from nobody. */
static enum leat_status look_from_aside(struct leat_kafka_txn *t, struct leat_error *err)
{
    enum leat_status status = LEAT_E_UNREACHABLE;

    for (int i = 0; i < LOOK_TIMES && leat_status_is_transient(status); i++)
        status = look(t, false, err);
    return status;
}

/* A transaction that took longer than the broker allows ends the same way as one whose producer has
 * a successor. Only when it did take that long, and nobody has gone on where this process stands,
 * was it our own doing. */
static enum leat_status fenced(struct leat_kafka_txn *t, struct leat_error *err)
{
    int64_t took_ms = leat_clock_monotonic_ms(t->env->clock) - t->began_ms;

    t->is_spent = true;
    if (!t->is_open || took_ms < t->timeout_ms)
        return leat_fail(err, LEAT_E_FENCED, "fenced by a newer instance of job '%s'", t->env->job);
    if (look_from_aside(t, err) == LEAT_E_FENCED)
        return err->status;
    return leat_fail(err, LEAT_E_UNCLEAR,
                     "the transaction of batch %llu was open for %lld s, and the brokers end one "
                     "after %lld s: `rdkafka: { transaction.timeout.ms: ... }` allows more",
                     number(t), (long long)took_ms / 1000, (long long)t->timeout_ms / 1000);
}

/* ---- what failures mean */

static bool is_fence(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
           code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* librdkafka has given up. */
static enum leat_status dead(struct leat_kafka_txn *t, struct leat_error *err)
{
    char text[160] = "";
    rd_kafka_resp_err_t code = rd_kafka_fatal_error(t->client.rk, text, sizeof text);

    t->is_spent = true;
    if (is_fence(code))
        return fenced(t, err);
    return leat_fail(err, LEAT_E_UNCLEAR, "the producer of batch %llu has failed: %s", number(t),
                     text);
}

void leat_kafka_txn_clear(struct leat_kafka_txn *t)
{
    t->has_refused = t->is_told = false;
    while (t->bad) {
        struct leat_kafka_bad *bad = t->bad;
        t->bad = bad->next;
        leat_mem_free(bad);
    }
}

/* LEAT_E_DATA, and whoever wants to know which records those are is told. */
static enum leat_status tell_bad(struct leat_kafka_txn *t, struct leat_error *err)
{
    struct leat_refusals *refusals = t->env->refusals;
    struct leat_error why = {.status = LEAT_E_DATA};

    for (const struct leat_kafka_bad *b = t->bad; b && !t->is_told; b = b->next) {
        leat_kafka_rules_ask(&t->client, b->topic, &t->rules);
        leat_kafka_record_refused(b->why, &t->rules, b->bytes, b->has_key, &why);
        if (refusals && leat_refuse(refusals, b->row, leat_slice_str(b->topic),
                                    leat_slice_str(why.text), err) != LEAT_OK)
            return err->status;
    }
    t->is_told = refusals;
    *err = why;
    return LEAT_E_DATA;
}

enum leat_status leat_kafka_txn_refused(struct leat_kafka_txn *t, struct leat_error *err)
{
    if (leat_kafka_is_dead(&t->client))
        return dead(t, err);
    if (is_fence(t->refused_why))
        return fenced(t, err);
    if (t->bad)
        return tell_bad(t, err);
    if (!leat_kafka_is_bad_record(t->refused_why))
        return leat_kafka_client_fail(&t->client, t->refused_why, t->refused_topic, err);
    leat_kafka_rules_ask(&t->client, t->refused_topic, &t->rules);
    leat_kafka_batches_shrink(&t->batches, &t->client, t->refused_why, &t->rules, t->refused_bytes);
    return leat_fail(err, LEAT_E_ABORTED, "topic '%s' does not take a batch: %s", t->refused_topic,
                     rd_kafka_err2str(t->refused_why));
}

enum leat_status leat_kafka_txn_expects(void *decider, const char *topic,
                                        const struct leat_row *row, struct leat_error *err)
{
    const struct leat_kafka_txn *t = decider;
    rd_kafka_resp_err_t code = leat_kafka_rules_break(&t->rules, topic, row);

    if (!code)
        return LEAT_OK;
    return leat_kafka_record_refused(code, &t->rules, row->key.len + row->value.len, row->key.ptr,
                                     err);
}

bool leat_kafka_txn_told(const void *decider)
{
    const struct leat_kafka_txn *t = decider;

    return t && t->is_told;
}

enum leat_status leat_kafka_txn_sent_badly(void *decider, struct leat_error *err)
{
    struct leat_kafka_txn *t = decider;

    rd_kafka_poll(t->client.rk, 0); /* why: a record before this one */
    if (t->has_refused || leat_kafka_is_dead(&t->client))
        return leat_kafka_txn_refused(t, err);
    return err->status;
}

enum leat_status leat_kafka_txn_fail(struct leat_kafka_txn *t, rd_kafka_error_t *error,
                                     struct leat_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    bool aborts = rd_kafka_error_txn_requires_abort(error);
    bool again = rd_kafka_error_is_retriable(error);
    char text[160];

    snprintf(text, sizeof text, "%s", rd_kafka_error_string(error));
    rd_kafka_error_destroy(error);
    rd_kafka_poll(t->client.rk, 0); /* what was told about brokers and records */
    if (leat_kafka_is_dead(&t->client))
        return dead(t, err);
    if (is_fence(code))
        return fenced(t, err);
    if (t->has_refused)
        return leat_kafka_txn_refused(t, err);
    if (aborts && leat_kafka_is_refused(code))
        return leat_kafka_client_fail(&t->client, code, NULL, err);
    if (aborts)
        return leat_fail(err, LEAT_E_ABORTED, "the transaction of batch %llu was refused: %s",
                         number(t), text);
    if (again)
        return leat_kafka_client_fail(&t->client, code, NULL, err);
    t->is_spent = true;
    return leat_fail(err, LEAT_E_UNCLEAR, "the transaction of batch %llu has failed: %s", number(t),
                     text);
}

/* ---- the end */

/* A call that ran out of time goes on behind the scenes; the same call again waits for its end. */
static rd_kafka_error_t *end(struct leat_kafka_txn *t, bool commit, int64_t wait_ms)
{
    int64_t begin_ms = leat_clock_monotonic_ms(t->env->clock);

    for (;;) {
        rd_kafka_error_t *error = commit ? rd_kafka_commit_transaction(t->client.rk, SLICE_MS)
                                         : rd_kafka_abort_transaction(t->client.rk, SLICE_MS);
        if (!error || !rd_kafka_error_is_retriable(error) ||
            leat_clock_monotonic_ms(t->env->clock) - begin_ms >= wait_ms)
            return error;
        rd_kafka_error_destroy(error);
    }
}

static enum leat_status unclear(struct leat_kafka_txn *t, struct leat_error *err)
{
    struct leat_error why = *err;

    t->is_spent = true;
    return leat_fail(err, LEAT_E_UNCLEAR, "nobody knows how batch %llu ended: %s", number(t),
                     why.text);
}

enum leat_status leat_kafka_txn_commit(void *memory, uint64_t n, struct leat_error *err)
{
    struct leat_kafka_txn *t = memory;

    if (!t->is_open || t->is_spent || t->n != n || !t->sent)
        return leat_fail(err, LEAT_E_UNCLEAR, "batch %llu is in no transaction",
                         (unsigned long long)n);
    if (leat_failpoint("commit.before"))
        return leat_fail(err, LEAT_E_ABORTED, "the commit of batch %llu was refused", number(t));
    atomic_store(&t->is_committing, true);
    rd_kafka_error_t *error = end(t, true, t->timeout_ms);
    atomic_store(&t->is_committing, false);
    enum leat_status status = error ? leat_kafka_txn_fail(t, error, err) : LEAT_OK;
    if (atomic_exchange(&t->is_deaf, false) || leat_failpoint("commit.after"))
        status = leat_fail(err, LEAT_E_UNREACHABLE, "the answer was lost");
    if (status == LEAT_E_ABORTED || status == LEAT_E_DATA || status == LEAT_E_FENCED ||
        status == LEAT_E_UNCLEAR)
        return status;
    if (status != LEAT_OK)
        return unclear(t, err);
    t->is_open = false;
    leat_kafka_client_well(&t->client);
    return LEAT_OK;
}

enum leat_status leat_kafka_txn_resize(struct leat_kafka_txn *t, struct leat_error *err)
{
    atomic_store(&t->asked, 0);
    if (look(t, true, err) == LEAT_E_FENCED)
        return err->status;
    if (leat_kafka_txn_renew(t, err) != LEAT_OK || look(t, true, err) != LEAT_OK)
        return err->status == LEAT_E_FENCED ? err->status : unclear(t, err);
    return LEAT_OK;
}

enum leat_status leat_kafka_txn_abort(void *memory, uint64_t n, struct leat_error *err)
{
    struct leat_kafka_txn *t = memory;

    if (t->is_spent)
        return leat_fail(err, LEAT_E_UNCLEAR, "the producer of batch %llu is in doubt",
                         (unsigned long long)n);
    if (!t->is_open)
        return LEAT_OK;
    rd_kafka_error_t *error = end(t, false, LEAT_KAFKA_STALLED_MS);
    leat_kafka_txn_clear(t);
    if (error && leat_kafka_txn_fail(t, error, err) != LEAT_OK)
        return err->status == LEAT_E_FENCED || err->status == LEAT_E_UNCLEAR ? err->status
                                                                             : unclear(t, err);
    t->is_open = false;
    return t->made_bytes == t->batches.bytes ? LEAT_OK : leat_kafka_txn_resize(t, err);
}

void leat_kafka_txn_give_up(struct leat_kafka_txn *t)
{
    rd_kafka_error_t *error = rd_kafka_abort_transaction(t->client.rk, SLICE_MS);

    if (error)
        rd_kafka_error_destroy(error);
    t->is_open = false;
}
