/*
 * kafka.c - sink that writes to topics.
 *
 * Every record is written idempotently and acknowledged by all replicas before prepare() returns:
 * a batch is committed, and the positions behind it, only when all of it has arrived. What was
 * refused for a reason that can pass is sent again; a producer that librdkafka gives up is replaced
 * and the same records go through the new one. A record that the broker can never take (too large)
 * is told through env->refusals, and all others go on. After an abort records may be there twice:
 * at least once.
 *
 * Under exactly_once the records go through the decider's producer (kafka/txn.h) into the job's
 * transaction. The decider waits for their arrival; here nothing is sent again, and there is
 * nothing to recover.
 *
 * Thread: the sink's own, or the decider's.
 */
#include "kafka/txn.h"
#include "keep.h"
#include "producer.h"

#include <assert.h>

struct kafka_sink {
    struct leat_kafka_conf conf; /* these two as in leat_kafka_target */
    struct leat_template topic;
    struct kafka_create create;
    struct leat_choice compression;
    struct leat_expression_or_record key; /* these three are the planner's: rows come encoded */
    struct leat_expression_or_record headers;
    struct leat_choice key_format;

    void *decider; /* NULL: the producer is the sink's own */
    struct leat_kafka_txn_user user;
    struct kafka_producer producer;
    bool compresses;            /* then nobody knows how large a record will be */
    struct leat_slice constant; /* the topic, where it is the same for all rows */
};

static_assert(offsetof(struct kafka_sink, conf) == offsetof(struct leat_kafka_target, conf) &&
                  offsetof(struct kafka_sink, topic) == offsetof(struct leat_kafka_target, topic),
              "the decider reads a sink's options as a leat_kafka_target");

static const char *const compressions[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};

static const char *const key_formats[] = {"text", "json", "raw", NULL};

static const struct leat_opt create_options[] = {
    LEAT_OPT(struct kafka_create, partitions, .def = "-1", .min = -1, .max = 100000,
             .help = "How many partitions; -1: as the broker is set."),
    LEAT_OPT(struct kafka_create, replication_factor, .def = "-1", .min = -1, .max = 1000,
             .help = "On how many brokers each record is kept; -1: as the broker is set."),
    LEAT_OPT(struct kafka_create, config, .optional = true,
             .help = "Settings of the topic: { retention.ms: 86400000 }."),
    {0},
};

static const struct leat_opt options[] = {
    LEAT_KAFKA_OPTIONS(struct kafka_sink),
    LEAT_OPT(struct kafka_sink, topic, .rules = LEAT_TEMPLATE_TOPIC,
             .help = "Topic to write to; may be a template."),
    LEAT_OPT_GROUPED(struct kafka_sink, create, create_options, .optional = true,
                     .help = "Make a topic that is missing; without it the sink waits for it."),
    LEAT_OPT(struct kafka_sink, compression, .def = "none", .choices = compressions,
             .help = "How batches are compressed."),
    LEAT_OPT(struct kafka_sink, key, .optional = true,
             .help = "Key of the records, in place of the stream's."),
    LEAT_OPT(struct kafka_sink, headers, .optional = true,
             .help = "Headers to add or replace: { name: EXPR }."),
    LEAT_OPT(struct kafka_sink, key_format, .def = "text", .choices = key_formats,
             .help = "text: text for a scalar, JSON for a record; json: JSON always; raw: bytes."),
    {0},
};

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct kafka_sink *k = self;

    if (k->topic.node->text.len == 0 || k->topic.node->text.ptr[0] == '{')
        return leat_fail(err, LEAT_E_CONFIG, "topic: a name, or a template that starts with text");
    return leat_kafka_conf_check(&k->conf, err);
}

static bool compresses(const struct kafka_sink *k)
{
    static const char prefix[] = "compression.";

    for (size_t i = 0; i < k->conf.rdkafka.count; i++) {
        struct leat_slice name = k->conf.rdkafka.list[i].name;
        if (name.len > strlen(prefix) && memcmp(name.ptr, prefix, strlen(prefix)) == 0)
            return true;
    }
    return k->compression.index != 0;
}

static enum leat_status kafka_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct kafka_sink *k = self;

    if (check(self, err) != LEAT_OK)
        return err->status;
    k->constant = k->topic.node->text;
    k->compresses = compresses(k);
    k->producer = (struct kafka_producer){.conf = &k->conf,
                                          .create = &k->create,
                                          .compression = compressions[k->compression.index],
                                          .env = env};
    k->decider = env->decider;
    if (!k->decider)
        return kafka_producer_open(&k->producer, err);
    k->producer.topics.create = &k->create;
    k->producer.topics.properties = &k->conf.rdkafka;
    k->producer.topics.compression = k->producer.compression;
    return LEAT_OK;
}

static enum leat_status kafka_recover(void *self, uint64_t n, struct leat_slice section,
                                      struct leat_error *err)
{
    (void)self, (void)n, (void)section, (void)err; /* what prepare saw is in the topic */
    return LEAT_OK;
}

static void forget(struct leat_kafka_txn_user *user)
{
    struct kafka_sink *k =
        (struct kafka_sink *)(void *)((char *)user - offsetof(struct kafka_sink, user));

    kafka_topics_forget(&k->producer.topics);
}

static enum leat_status kafka_begin(void *self, uint64_t n, int64_t batch_time_ms,
                                    struct leat_error *err)
{
    struct kafka_sink *k = self;

    (void)n, (void)batch_time_ms;
    if (!k->decider || k->user.txn)
        return LEAT_OK;
    if (leat_kafka_txn_check(k->decider, &k->conf, err) != LEAT_OK)
        return err->status;
    k->user.forget = forget;
    leat_kafka_txn_join(k->decider, &k->user);
    k->producer.topics.client = &k->user.txn->client;
    return LEAT_OK;
}

/* In the job's transaction. A record that would make it fail is better not sent. */
static enum leat_status send_decided(struct kafka_sink *k, struct leat_slice topic,
                                     const struct leat_row *row, const int64_t *mark,
                                     struct leat_error *err)
{
    struct leat_kafka_client *client = k->producer.topics.client;
    struct kafka_out_topic *t;

    if (kafka_topic_get(&k->producer.topics, topic, &t, err) != LEAT_OK)
        return err->status;
    if (!k->compresses && leat_kafka_txn_expects(k->decider, t->name, row, err) != LEAT_OK)
        return err->status;
    if (kafka_send_row(client, t, row, mark, kafka_headers_decode(row->headers), err) == LEAT_OK ||
        err->status == LEAT_E_DATA)
        return err->status;
    return leat_kafka_txn_sent_badly(k->decider, err);
}

/* LEAT_E_DATA becomes LEAT_OK where somebody wants to know which row it is. */
static enum leat_status send_row(struct kafka_sink *k, const struct leat_chunk *chunk, uint16_t row,
                                 struct leat_error *err)
{
    struct leat_slice topic = chunk->routes[row].ptr ? chunk->routes[row] : k->constant;
    struct leat_refusals *refusals = k->producer.env->refusals;
    const int64_t *mark = leat_row_mark(chunk, row);
    const struct leat_row r = {.key = chunk->keys[row],
                               .value = chunk->values[row],
                               .headers = chunk->headers[row],
                               .time_ms = chunk->times_ms[row]};

    err->status = LEAT_OK;
    enum leat_status status = k->decider ? send_decided(k, topic, &r, mark, err)
                                         : kafka_producer_send(&k->producer, topic, &r, mark, err);
    if (status != LEAT_E_DATA || !refusals || leat_kafka_txn_told(k->decider))
        return status;
    struct leat_error why = *err;
    return leat_refuse(refusals, mark, topic, leat_slice_str(why.text), err);
}

static enum leat_status kafka_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                    struct leat_error *err)
{
    (void)n;
    for (uint32_t i = 0; i < chunk->selected; i++)
        if (send_row(self, chunk, chunk->selection[i], err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status kafka_prepare(void *self, uint64_t n,
                                      const struct leat_positions *positions,
                                      struct leat_bytes *section, struct leat_error *err)
{
    struct kafka_sink *k = self;

    (void)n, (void)positions, (void)section; /* it has nothing to recover */
    return k->decider ? LEAT_OK : kafka_producer_flush(&k->producer, err);
}

static enum leat_status kafka_commit(void *self, uint64_t n, struct leat_error *err)
{
    (void)self, (void)n, (void)err; /* prepare waited for all, or the decider did it */
    return LEAT_OK;
}

static enum leat_status kafka_abort(void *self, uint64_t n, struct leat_error *err)
{
    struct kafka_sink *k = self;

    (void)n, (void)err;
    if (k->decider) /* one that has failed is looked at again */
        kafka_topics_forget(&k->producer.topics);
    else
        kafka_producer_drop(&k->producer);
    return LEAT_OK;
}

/* Takes what librdkafka has to say while nothing is written. */
static enum leat_status kafka_tick(void *self, int64_t now_ms, struct leat_error *err)
{
    struct kafka_sink *k = self;

    struct leat_kafka_client *client = k->producer.topics.client;

    (void)now_ms, (void)err;
    if (client && client->rk)
        rd_kafka_poll(client->rk, 0);
    return LEAT_OK;
}

static void kafka_close(void *self)
{
    struct kafka_sink *k = self;

    leat_kafka_txn_leave(&k->user);
    k->producer.topics.client = NULL;
    kafka_producer_close(&k->producer);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "kafka",
    .summary = "writes to topics of Apache Kafka",
    .self_size = sizeof(struct kafka_sink),
    .opts = options,
    .check = check,
    .sink =
        &(const struct leat_sink){
            .writes_headers = true,
            .promise = LEAT_SINK_REPEATS,
            .refuses = true,
            .open = kafka_open,
            .recover = kafka_recover,
            .begin = kafka_begin,
            .write = kafka_write,
            .prepare = kafka_prepare,
            .commit = kafka_commit,
            .abort = kafka_abort,
            .tick = kafka_tick,
            .close = kafka_close,
        },
    .decider = &leat_kafka_decider,
    .keep = &kafka_keep,
};

LEAT_MODULE(module);
