/*
 * test_kafka_txn.c - the decider of Kafka jobs and the sink in its transactions, on a real broker.
 */
#include "broker.h"
#include "decider_contract.h"
#include "instance.h"
#include "kafka/txn.h"
#include "kafka_mock.h"
#include "leat_test.h"

#include <stdio.h>
#include <time.h>

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

LEAT_TESTS("kafka_txn", LEAT_DECIDER_CONTRACT_TESTS)
