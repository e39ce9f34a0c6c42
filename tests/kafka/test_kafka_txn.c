/*
 * test_kafka_txn.c - the decider of Kafka jobs and the sink in its transactions, on a real broker.
 */
#include "broker.h"
#include "decider_contract.h"
#include "instance.h"
#include "kafka/txn.h"
#include "kafka_mock.h"
#include "leat_test.h"
#include "pull_client.h"

#include <pthread.h>
#include <stdio.h>

static struct leat_error err;

/* ---- a job of its own for every test: names that no other has */

static struct job {
    int number;
    char name[32], in[32], out[32], setting[64], topic[40], partitions[2][40];
    struct broker *broker;
    struct leat_env env;
} job;

static void job_new(struct broker *b)
{
    int number = job.number + 1;

    job = (struct job){.number = number, .broker = b};
    snprintf(job.name, sizeof job.name, "txn-%d", number);
    snprintf(job.in, sizeof job.in, "in-%d", number);
    snprintf(job.out, sizeof job.out, "out-%d", number);
    snprintf(job.topic, sizeof job.topic, "topic=%s", job.out);
    for (int i = 0; i < 2; i++)
        snprintf(job.partitions[i], sizeof job.partitions[i], "%s/%d", job.in, i);
    broker_topic(b, job.in, 2, NULL);
    broker_topic(b, job.out, 2, NULL);
}

/* ---- a sink in a decider's transaction */

struct sink {
    struct instance i;
    struct leat_arena arena;
    struct leat_chunk chunk;
};

static const struct leat_sink *vt(const struct sink *s)
{
    return s->i.module->sink;
}

static void sink_open(struct sink *s, void *decider, const char *const *settings)
{
    *s = (struct sink){0};
    instance_init_sink(&s->i, "kafka", settings);
    s->i.env.job = job.name;
    s->i.env.decider = decider;
    OK(leat_chunk_init(&s->chunk, &s->arena, LEAT_COL_PATHS, &err));
    OK(vt(s)->open(s->i.self, &s->i.env, &err));
}

static void sink_close(struct sink *s)
{
    vt(s)->close(s->i.self);
    instance_fini(&s->i);
    leat_arena_reset(&s->arena);
}

static void add(struct sink *s, int rows, size_t bytes)
{
    static const char filler[20000] = {'x'};

    for (int i = 0; i < rows; i++)
        leat_chunk_add(&s->chunk,
                       &(struct leat_row){.value = {filler, bytes}, .time_ms = LEAT_NO_TIME});
}

static enum leat_status sink_write(struct sink *s, uint64_t n)
{
    struct leat_bytes section = {.arena = &s->arena};

    if (vt(s)->begin(s->i.self, n, 0, &err) != LEAT_OK ||
        vt(s)->write(s->i.self, n, &s->chunk, &err) != LEAT_OK)
        return err.status;
    return vt(s)->prepare(s->i.self, n, &(struct leat_positions){0}, &section, &err);
}

/* ---- the contract */

static struct sink contract_sink; /* stays open from one test to the next */
static bool has_contract_sink;

static void drop_contract_sink(void)
{
    if (has_contract_sink)
        sink_close(&contract_sink);
    has_contract_sink = false;
}

static bool kafka_clear(const void **self, const struct leat_env **env)
{
    const char *why;
    struct broker *b = broker_get("", &why);

    if (!b) {
        leat_test_skip(why);
        return false;
    }
    drop_contract_sink();
    job_new(b);
    sink_open(&contract_sink, NULL, (const char *const[]){b->setting, job.topic, NULL});
    has_contract_sink = true;
    *self = contract_sink.i.self;
    *env = &contract_sink.i.env;
    return true;
}

/* Through a sink that lives as long as the rows are under way. */
static void kafka_write(void *memory, uint64_t n, int rows)
{
    static struct sink s;
    static void *of;

    if (of)
        sink_close(&s);
    sink_open(&s, memory, (const char *const[]){job.broker->setting, job.topic, NULL});
    of = memory;
    add(&s, rows, 10);
    OK(sink_write(&s, n));
}

static int kafka_visible(void)
{
    return plain_read(job.broker->address, job.out, NULL, 0);
}

static const struct decider_case kafka = {
    .decider = &leat_kafka_decider,
    .clear = kafka_clear,
    .write = kafka_write,
    .visible = kafka_visible,
    .partitions = {job.partitions[0], job.partitions[1]},
};

LEAT_DECIDER_CONTRACT(kafka)

/* ---- a decider by hand */

struct txn {
    struct instance i; /* the options it is opened with */
    void *memory;
    int known;      /* positions that recover told */
    uint64_t n;     /* of the marker; 0: none */
    int64_t marker; /* where it stands */
};

static const struct leat_decider *const decider = &leat_kafka_decider;

static void note(void *arg, const struct leat_decided *d)
{
    struct txn *t = arg;

    t->known++;
    if (leat_slice_eq(d->partition, leat_slice_str(job.partitions[0]))) {
        t->n = d->n;
        t->marker = d->next;
    }
}

static enum leat_status recover(struct txn *t)
{
    enum leat_status status = LEAT_E_UNREACHABLE;

    for (int i = 0; i < 60 && leat_status_is_transient(status); i++) {
        t->known = 0;
        t->n = 0;
        status = decider->recover(t->memory, note, t, &err);
    }
    return status;
}

/* `extra` may be NULL. */
static void txn_open(struct txn *t, const char *extra)
{
    *t = (struct txn){0};
    instance_init_sink(&t->i, "kafka",
                       (const char *const[]){job.broker->setting, job.topic, extra, NULL});
    t->i.env.job = job.name;
    t->memory = leat_mem_alloc(decider->size);
    OK(decider->open(t->memory, t->i.self, &t->i.env, &err));
    OK(recover(t));
}

static void txn_close(struct txn *t)
{
    decider->close(t->memory);
    leat_mem_free(t->memory);
    instance_fini(&t->i);
}

static void txn_reopen(struct txn *t)
{
    decider->close(t->memory);
    OK(decider->open(t->memory, t->i.self, &t->i.env, &err));
    OK(recover(t));
}

static enum leat_status txn_prepare(struct txn *t, uint64_t n, int64_t next)
{
    return decider->prepare(t->memory, n, &(struct leat_positions){0},
                            leat_slice_str(job.partitions[0]), next, &err);
}

/* Begin, ten rows of `s`, prepare. */
static void txn_write(struct txn *t, struct sink *s, uint64_t n)
{
    OK(decider->begin(t->memory, n, &err));
    OK(sink_write(s, n));
    OK(txn_prepare(t, n, (int64_t)n * 10));
}

/* ---- sinks */

static void several_sinks_share_a_transaction(void)
{
    struct plain_row rows[4];
    struct sink a, b_zstd;
    struct txn t;

    BROKER_OR_SKIP(b, "");
    job_new(b);
    txn_open(&t, NULL);
    sink_open(&a, t.memory, (const char *const[]){b->setting, job.topic, NULL});
    sink_open(&b_zstd, t.memory,
              (const char *const[]){b->setting, "topic=shared", "compression=zstd",
                                    "create.partitions=1", "create.replication_factor=1", NULL});
    for (int i = 0; i < 3; i++) {
        const struct leat_row row = {.key = LEAT_LIT("k"), .value = LEAT_LIT("v"), .time_ms = 5};
        leat_chunk_add(&a.chunk, &row);
        leat_chunk_add(&b_zstd.chunk, &row);
    }
    for (uint64_t n = 1; n <= 2; n++) {
        OK(decider->begin(t.memory, n, &err));
        OK(sink_write(&a, n));
        OK(sink_write(&b_zstd, n));
        OK(txn_prepare(&t, n, 1));
        if (n == 1)
            OK(decider->abort(t.memory, n, &err));
        else
            OK(decider->commit(t.memory, n, &err));
    }
    for (int i = 0; i < 30 && plain_read(b->address, job.out, rows, 4) < 3;)
        i++;
    CU_ASSERT_EQUAL(plain_read(b->address, job.out, rows, 4), 3);
    CU_ASSERT_EQUAL(plain_read(b->address, "shared", NULL, 0), 3);
    CU_ASSERT_STRING_EQUAL(rows[0].key, "k");
    CU_ASSERT(rows[0].time_ms == 5 && rows[0].partition == rows[2].partition);
    sink_close(&b_zstd);
    txn_close(&t); /* before a sink that has joined it */
    sink_close(&a);
}

static void sinks_that_need_another_connection_are_refused(void)
{
    struct sink s;
    struct txn t;

    BROKER_OR_SKIP(b, "");
    job_new(b);
    txn_open(&t, NULL);
    OK(decider->begin(t.memory, 1, &err));
    sink_open(&s, t.memory,
              (const char *const[]){b->setting, job.topic, "rdkafka.linger.ms=50", NULL});
    CU_ASSERT_EQUAL(sink_write(&s, 1), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "'linger.ms' has to be the same"));
    sink_close(&s);
    sink_open(&s, t.memory,
              (const char *const[]){b->setting, job.topic, "rdkafka.partitioner=random", NULL});
    OK(sink_write(&s, 1)); /* a topic's own */
    sink_close(&s);
    txn_close(&t);
}

/* Batch 1 again and again while it is aborted, as the engine does it. */
static enum leat_status until_taken(struct txn *t, struct sink *s)
{
    enum leat_status status = LEAT_E_ABORTED;

    for (int i = 0; i < 10 && status == LEAT_E_ABORTED; i++) {
        OK(decider->begin(t->memory, 1, &err));
        status = sink_write(s, 1);
        if (status == LEAT_OK)
            status = txn_prepare(t, 1, 1);
        if (status == LEAT_E_ABORTED)
            OK(decider->abort(t->memory, 1, &err));
    }
    return status;
}

static void a_record_that_is_too_large_is_a_data_error(void)
{
    struct sink s;
    struct txn t;

    BROKER_OR_SKIP(b, "");
    job_new(b);
    broker_topic(b, "txn-small", 1, "max.message.bytes=10000");
    txn_open(&t, NULL);
    sink_open(&s, t.memory, (const char *const[]){b->setting, "topic=txn-small", NULL});
    add(&s, 5, 100);
    add(&s, 1, 15000);
    CU_ASSERT_EQUAL(until_taken(&t, &s), LEAT_E_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "15000 bytes"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "'txn-small'"));
    OK(decider->abort(t.memory, 1, &err));
    OK(vt(&s)->abort(s.i.self, 1, &err));
    s.chunk.selected = 5;
    OK(until_taken(&t, &s));
    OK(decider->commit(t.memory, 1, &err));
    for (int i = 0; i < 30 && plain_read(b->address, "txn-small", NULL, 0) < 5;)
        i++;
    CU_ASSERT_EQUAL(plain_read(b->address, "txn-small", NULL, 0), 5);
    sink_close(&s);
    txn_close(&t);
}

static void batches_too_large_for_the_broker_are_made_smaller(void)
{
    struct sink s;
    struct txn t;

    BROKER_OR_SKIP(b, "");
    job_new(b);
    broker_topic(b, "txn-narrow", 1, "max.message.bytes=20000");
    txn_open(&t, NULL);
    sink_open(&s, t.memory, (const char *const[]){b->setting, "topic=txn-narrow", NULL});
    add(&s, 500, 1000);
    OK(until_taken(&t, &s));
    OK(decider->commit(t.memory, 1, &err));
    for (int i = 0; i < 30 && plain_read(b->address, "txn-narrow", NULL, 0) < 500;)
        i++;
    CU_ASSERT_EQUAL(plain_read(b->address, "txn-narrow", NULL, 0), 500);
    sink_close(&s);
    txn_close(&t);
}

static void a_missing_topic_is_waited_for_between_two_attempts(void)
{
    struct sink s;
    struct txn t;

    BROKER_OR_SKIP(b, "");
    job_new(b);
    txn_open(&t, NULL);
    sink_open(&s, t.memory, (const char *const[]){b->setting, "topic=txn-later", NULL});
    add(&s, 10, 10);
    OK(decider->begin(t.memory, 1, &err));
    CU_ASSERT_EQUAL(sink_write(&s, 1), LEAT_E_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no topic 'txn-later'"));
    OK(decider->abort(t.memory, 1, &err));
    broker_topic(b, "txn-later", 1, NULL);
    txn_write(&t, &s, 1);
    OK(decider->commit(t.memory, 1, &err));
    sink_close(&s);
    txn_close(&t);
}

/* ---- faults; the short transactions are ended by the broker soon after their time */

#define HASTY "transaction.abort.timed.out.transaction.cleanup.interval.ms=200"

static void fault_begin(struct broker *b, struct txn *t, struct sink *s, const char *extra)
{
    job_new(b);
    txn_open(t, extra);
    sink_open(s, t->memory, (const char *const[]){b->setting, job.topic, extra, NULL});
    add(s, 10, 10);
}

static void fault_end(struct txn *t, struct sink *s)
{
    sink_close(s);
    txn_close(t);
}

static int visible_rows(int want)
{
    int rows = -1;

    for (int i = 0; i < 30 && rows < want; i++)
        rows = kafka_visible();
    return rows;
}

static void *restart_broker(void *arg)
{
    broker_do(arg, "restart");
    return NULL;
}

static void a_broker_that_died_in_a_transaction_commits_it_when_it_is_back(void)
{
    pthread_t thread;
    struct sink s;
    struct txn t;

    BROKER_OR_SKIP(b, HASTY);
    fault_begin(b, &t, &s, NULL);
    txn_write(&t, &s, 1);
    broker_do(b, "kill");
    pthread_create(&thread, NULL, restart_broker, b);
    OK(decider->commit(t.memory, 1, &err));
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(visible_rows(10), 10);
    txn_write(&t, &s, 2); /* and goes on */
    OK(decider->commit(t.memory, 2, &err));
    CU_ASSERT_EQUAL(visible_rows(20), 20);
    fault_end(&t, &s);
}

/* Whether the broker still carried it out or not: position and rows say the same. */
static void a_commit_without_an_answer_is_unclear_and_recover_tells(void)
{
    struct sink s;
    struct txn t;

    BROKER_OR_SKIP(b, HASTY);
    fault_begin(b, &t, &s, "rdkafka.transaction.timeout.ms=3000");
    CU_ASSERT_EQUAL(decider->patience_ms(t.memory), 33000);
    for (int died = 0; died < 2; died++) {
        uint64_t n = t.n + 1;
        txn_write(&t, &s, n);
        broker_pause(b);
        CU_ASSERT_EQUAL(decider->commit(t.memory, n, &err), LEAT_E_UNCLEAR);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "nobody knows"));
        CU_ASSERT_EQUAL(decider->begin(t.memory, n, &err), LEAT_E_UNCLEAR);
        CU_ASSERT_EQUAL(decider->abort(t.memory, n, &err), LEAT_E_UNCLEAR);
        if (died)
            broker_do(b, "kill");
        if (died)
            broker_do(b, "restart");
        else
            broker_resume(b);
        txn_reopen(&t);
        CU_ASSERT(t.n == n || t.n == n - 1);
        CU_ASSERT_EQUAL(visible_rows((int)t.n * 10), (int)t.n * 10);
    }
    uint64_t n = t.n + 1;
    txn_write(&t, &s, n);
    OK(decider->commit(t.memory, n, &err));
    CU_ASSERT_EQUAL(visible_rows((int)n * 10), (int)n * 10);
    fault_end(&t, &s);
}

static void a_broker_that_is_away_is_said_by_recover_and_prepare(void)
{
    struct sink s;
    struct txn t;

    BROKER_OR_SKIP(b, HASTY);
    fault_begin(b, &t, &s, NULL);
    OK(decider->begin(t.memory, 1, &err));
    OK(sink_write(&s, 1));
    OK(txn_prepare(&t, 1, 10));
    OK(decider->commit(t.memory, 1, &err));
    broker_do(b, "kill");
    OK(decider->begin(t.memory, 2, &err));
    enum leat_status status = sink_write(&s, 2);
    if (status == LEAT_OK)
        status = txn_prepare(&t, 2, 20);
    CU_ASSERT_EQUAL(status, LEAT_E_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, b->address));
    status = decider->abort(t.memory, 2, &err);
    CU_ASSERT(status == LEAT_OK || status == LEAT_E_UNCLEAR);
    decider->close(t.memory);
    OK(decider->open(t.memory, t.i.self, &t.i.env, &err));
    CU_ASSERT_EQUAL(decider->recover(t.memory, note, &t, &err), LEAT_E_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "Connection refused"));
    broker_do(b, "restart");
    OK(recover(&t));
    CU_ASSERT_EQUAL(t.n, 1);
    txn_write(&t, &s, 2);
    OK(decider->commit(t.memory, 2, &err));
    CU_ASSERT_EQUAL(visible_rows(20), 20);
    fault_end(&t, &s);
}

/* Positions are stable again: the broker has ended the transaction. */
static void wait_for_end(struct broker *b)
{
    char group[64], metadata[64];

    snprintf(group, sizeof group, "leat-%s", job.name);
    broker_committed(b, group, job.in, 0, metadata, sizeof metadata);
}

static void our_own_timeout_is_no_newer_instance(void)
{
    struct sink s;
    struct txn t;

    BROKER_OR_SKIP(b, HASTY);
    fault_begin(b, &t, &s, "rdkafka.transaction.timeout.ms=1500");
    txn_write(&t, &s, 1);
    wait_for_end(b);
    CU_ASSERT_EQUAL(decider->commit(t.memory, 1, &err), LEAT_E_UNCLEAR);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "transaction.timeout.ms"));
    txn_reopen(&t);
    CU_ASSERT_EQUAL(t.n, 0);
    CU_ASSERT_EQUAL(kafka_visible(), 0);
    txn_write(&t, &s, 1);
    OK(decider->commit(t.memory, 1, &err));
    CU_ASSERT_EQUAL(visible_rows(10), 10);
    fault_end(&t, &s);
}

/* It sleeps in its transaction for longer than that may take, and a successor does the same. */
static void a_sleeper_finds_its_successor(void)
{
    struct sink s, s2;
    struct txn t, newer;

    BROKER_OR_SKIP(b, HASTY);
    for (int further = 0; further < 2; further++) {
        fault_begin(b, &t, &s, "rdkafka.transaction.timeout.ms=1500");
        txn_write(&t, &s, 1);
        wait_for_end(b);
        txn_open(&newer, NULL);
        sink_open(&s2, newer.memory, (const char *const[]){b->setting, job.topic, NULL});
        add(&s2, 10, 10);
        for (uint64_t n = 1; n <= 1 + (uint64_t)further; n++) {
            txn_write(&newer, &s2, n);
            OK(decider->commit(newer.memory, n, &err));
        }
        CU_ASSERT_EQUAL(decider->commit(t.memory, 1, &err), LEAT_E_FENCED);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "newer instance"));
        CU_ASSERT_EQUAL(visible_rows(10 + further * 10), 10 + further * 10);
        txn_write(&newer, &s2, 5); /* it was left alone */
        OK(decider->commit(newer.memory, 5, &err));
        fault_end(&t, &s);
        fault_end(&newer, &s2);
    }
}

static void positions_of_a_topic_that_is_gone_abort(void)
{
    struct sink s;
    struct txn t;

    BROKER_OR_SKIP(b, HASTY);
    fault_begin(b, &t, &s, "rdkafka.transaction.timeout.ms=3000");
    OK(decider->begin(t.memory, 1, &err));
    enum leat_status status = decider->prepare(t.memory, 1, &(struct leat_positions){0},
                                               LEAT_LIT("never-made/0"), 5, &err);
    CU_ASSERT(status == LEAT_E_ABORTED || status == LEAT_E_UNCLEAR);
    txn_reopen(&t);
    txn_write(&t, &s, 1);
    OK(decider->commit(t.memory, 1, &err));
    fault_end(&t, &s);
}

/* ---- the source */

static void a_source_of_an_exactly_once_job_commits_nothing(void)
{
    struct pull_client c;
    char metadata[64], topic[48];

    BROKER_OR_SKIP(b, "");
    job_new(b);
    snprintf(topic, sizeof topic, "topic=%s", job.in);
    pull_init(&c, "kafka", (const char *const[]){b->setting, topic, "start=latest", NULL});
    c.i.env.job = job.name;
    c.i.env.exactly_once = true;
    pull_open(&c);
    OK(pull_partitions(&c));
    char group[64];
    snprintf(group, sizeof group, "leat-%s", job.name);
    CU_ASSERT_EQUAL(broker_committed(b, group, job.in, 0, metadata, sizeof metadata), -1);
    pull_close(&c);
}

LEAT_TESTS("kafka_txn", LEAT_DECIDER_CONTRACT_TESTS, T(several_sinks_share_a_transaction),
           T(sinks_that_need_another_connection_are_refused),
           T(a_record_that_is_too_large_is_a_data_error),
           T(batches_too_large_for_the_broker_are_made_smaller),
           T(a_missing_topic_is_waited_for_between_two_attempts),
           T(a_source_of_an_exactly_once_job_commits_nothing),
           T(a_broker_that_died_in_a_transaction_commits_it_when_it_is_back),
           T(a_commit_without_an_answer_is_unclear_and_recover_tells),
           T(a_broker_that_is_away_is_said_by_recover_and_prepare),
           T(our_own_timeout_is_no_newer_instance), T(a_sleeper_finds_its_successor),
           T(positions_of_a_topic_that_is_gone_abort))
