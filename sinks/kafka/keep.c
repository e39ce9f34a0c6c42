/*
 * keep.c - the topic of a store: made, held against what it has to promise, written to.
 *
 * What is acknowledged has to survive the loss of a broker. So the topic takes nothing that is not
 * on two brokers (min.insync.replicas), unless one is all that was asked for, never elects a leader
 * that lacks something, and removes by age only. One that is there already is looked at once and
 * refused where it promises less.
 *
 * Thread: the keeper's (run/keep_thread.h).
 */
#include "keep.h"

#include "kafka/kept.h"
#include "kafka/marker.h"
#include "kafka/settings.h"
#include "producer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MAX_RECORD   ((int64_t)64 << 20)
#define BESIDE_BYTES ((int64_t)1 << 20) /* for key and headers of the longest record */
#define SETTINGS     7

#define LOOK_AGAIN_MS 50

struct kafka_keep {
    struct leat_kafka_conf conf;
    const char *topic;
    int64_t partitions, replication_factor;
    struct leat_duration retention;

    struct kafka_create create;
    struct leat_setting settings[SETTINGS];
    char insync[8], retention_ms[24], largest[24];
    struct kafka_producer producer;
    struct leat_arena arena; /* of the row at hand: its headers */
    bool is_checked;
};

static const struct leat_opt options[] = {
    LEAT_KAFKA_OPTIONS(struct kafka_keep),
    LEAT_OPT(struct kafka_keep, topic, .optional = true,
             .help = "Topic to keep records in; else leat-store-PIPELINE-SOURCE. It is made if it "
                     "is missing, and nobody else may write to it."),
    LEAT_OPT(struct kafka_keep, partitions, .def = "1", .min = 1, .max = 10000,
             .help = "Partitions of the topic. One keeps the order in which records came; with "
                     "several only records with the same key stay in order."),
    LEAT_OPT(struct kafka_keep, replication_factor, .def = "2", .min = 1, .max = 1000,
             .help = "On how many brokers each record is kept. From 2 on nothing is acknowledged "
                     "before two brokers have it."),
    LEAT_OPT(struct kafka_keep, retention, .def = "7d", .min = 60000, .max = LEAT_OPT_NO_MAX,
             .help = "How long records stay in the topic, whether they were read or not."),
    {0},
};

static int64_t insync(const struct kafka_keep *k)
{
    return k->replication_factor > 1 ? 2 : 1;
}

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct kafka_keep *k = self;
    size_t len = strlen(k->topic);
    bool good = len > 0 && len <= LEAT_KAFKA_TOPIC_MAX;

    for (const char *c = k->topic; *c; c++)
        good &= (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
                *c == '-' || *c == '_' || *c == '.';
    if (!good)
        return leat_fail(err, LEAT_E_CONFIG,
                         "'%.80s' cannot be the name of a topic, give another one: topic: ...",
                         k->topic);
    return leat_kafka_conf_check(&k->conf, err);
}

static void print(const void *self, FILE *out)
{
    const struct kafka_keep *k = self;
    struct leat_number_text keeps = leat_opt_print_number(LEAT_OPT_DURATION, k->retention.ms);

    fprintf(out, "topic '%s' at %s, each record on %" PRId64 " broker%s for %s", k->topic,
            k->conf.brokers, k->replication_factor, k->replication_factor == 1 ? "" : "s",
            keeps.text);
}

/* ---- the topic */

static void fill_create(struct kafka_keep *k, int64_t max_record)
{
    const char *const list[SETTINGS][2] = {
        {"cleanup.policy", "delete"},
        {"min.insync.replicas", k->insync},
        {"unclean.leader.election.enable", "false"},
        {"retention.ms", k->retention_ms},
        {"retention.bytes", "-1"},
        {"message.timestamp.type", "CreateTime"},
        {"max.message.bytes", k->largest},
    };

    snprintf(k->insync, sizeof k->insync, "%" PRId64, insync(k));
    snprintf(k->retention_ms, sizeof k->retention_ms, "%" PRId64, k->retention.ms);
    snprintf(k->largest, sizeof k->largest, "%" PRId64, max_record + BESIDE_BYTES);
    for (size_t i = 0; i < SETTINGS; i++)
        k->settings[i] = (struct leat_setting){.name = leat_slice_str(list[i][0]),
                                               .value = leat_slice_str(list[i][1])};
    k->create = (struct kafka_create){.partitions = k->partitions,
                                      .replication_factor = k->replication_factor,
                                      .config = {k->settings, SETTINGS}};
}

struct looked {
    const struct kafka_keep *k;
    int64_t max_bytes;
    char wrong[300]; /* empty: nothing is */
};

static void is_wrong(struct looked *l, const char *name, const char *value, const char *wants)
{
    size_t len = strlen(l->wrong);

    snprintf(l->wrong + len, sizeof l->wrong - len, "%s%s is %s, and has to be %s", len ? "; " : "",
             name, value, wants);
}

static void look_at_setting(void *arg, const char *name, const char *value)
{
    struct looked *l = arg;
    const struct kafka_keep *k = l->k;
    int64_t n = strtoll(value, NULL, 10);
    char wants[64];

    if (strcmp(name, "cleanup.policy") == 0 && strcmp(value, "delete") != 0)
        is_wrong(l, name, value, "delete");
    if (strcmp(name, "unclean.leader.election.enable") == 0 && strcmp(value, "false") != 0)
        is_wrong(l, name, value, "false");
    snprintf(wants, sizeof wants, "%s at least", k->insync);
    if (strcmp(name, "min.insync.replicas") == 0 && n < insync(k))
        is_wrong(l, name, value, wants);
    snprintf(wants, sizeof wants, "%s at least, as `retention` says", k->retention_ms);
    if (strcmp(name, "retention.ms") == 0 && n >= 0 && n < k->retention.ms)
        is_wrong(l, name, value, wants);
    snprintf(wants, sizeof wants, "%" PRId64 " at least, as `max_record` says", l->max_bytes);
    if (strcmp(name, "max.message.bytes") == 0 && n < l->max_bytes)
        is_wrong(l, name, value, wants);
}

static enum leat_status look_at_replicas(const struct kafka_keep *k,
                                         const struct rd_kafka_metadata_topic *t,
                                         struct leat_error *err)
{
    if (t->err || t->partition_cnt == 0) /* this broker does not know it yet */
        return leat_fail(err, LEAT_E_UNREACHABLE, "topic '%s' is not known everywhere", k->topic);
    if (t->partition_cnt < k->partitions)
        return leat_fail(err, LEAT_E_CONFIG,
                         "topic '%s' has %d partition%s, and `partitions` asks for %" PRId64
                         " (kafka-topics --alter adds them)",
                         k->topic, t->partition_cnt, t->partition_cnt == 1 ? "" : "s",
                         k->partitions);
    for (int i = 0; i < t->partition_cnt; i++)
        if (t->partitions[i].replica_cnt < k->replication_factor)
            return leat_fail(err, LEAT_E_CONFIG,
                             "topic '%s' cannot hold it: a record of its partition %d is on %d "
                             "broker%s, and `replication_factor` asks for %" PRId64
                             " (kafka-reassign-partitions adds replicas), or give another topic",
                             k->topic, (int)t->partitions[i].id, t->partitions[i].replica_cnt,
                             t->partitions[i].replica_cnt == 1 ? "" : "s", k->replication_factor);
    return LEAT_OK;
}

static enum leat_status look_once(struct kafka_keep *k, int64_t max_record, struct leat_error *err)
{
    struct looked l = {.k = k, .max_bytes = max_record + BESIDE_BYTES};
    const struct rd_kafka_metadata *data;

    if (leat_kafka_metadata(&k->producer.client, k->topic, &data, err) != LEAT_OK)
        return err->status;
    enum leat_status status = look_at_replicas(k, &data->topics[0], err);
    rd_kafka_metadata_destroy(data);
    if (status != LEAT_OK ||
        leat_kafka_settings(&k->producer.client, k->topic, look_at_setting, &l, err) != LEAT_OK)
        return err->status;
    if (!l.wrong[0])
        return LEAT_OK;
    return leat_fail(err, LEAT_E_CONFIG,
                     "topic '%s' cannot hold it: %s (kafka-configs --alter), or give another topic",
                     k->topic, l.wrong);
}

/* The topic is there: does it promise what it has to? Of one that was just made not every broker
 * knows at once. */
static enum leat_status look(struct kafka_keep *k, int64_t max_record, struct leat_error *err)
{
    const struct leat_clock *clock = k->producer.env->clock;
    int64_t until_ms = leat_clock_monotonic_ms(clock) + LEAT_KAFKA_WAIT_MS;
    enum leat_status status;

    while ((status = look_once(k, max_record, err)) == LEAT_E_UNREACHABLE &&
           leat_clock_monotonic_ms(clock) < until_ms)
        rd_kafka_poll(k->producer.client.rk, LOOK_AGAIN_MS);
    return status;
}

static enum leat_status keep_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct kafka_keep *k = self;
    struct kafka_producer *p = &k->producer;
    int64_t max_record = env->max_record_bytes + 1; /* one that is too long is cut to that */
    struct kafka_out_topic *t;

    if (!p->client.rk) {
        fill_create(k, max_record);
        *p = (struct kafka_producer){.conf = &k->conf,
                                     .create = &k->create,
                                     .compression = "none",
                                     .env = env,
                                     .largest = (size_t)(max_record + BESIDE_BYTES)};
        p->topics.create_is = "store";
        if (kafka_producer_open(p, err) != LEAT_OK)
            return err->status;
    }
    if (kafka_topic_get(&p->topics, leat_slice_str(k->topic), &t, err) != LEAT_OK)
        return err->status;
    if (!k->is_checked && look(k, max_record, err) != LEAT_OK)
        return err->status;
    k->is_checked = true;
    return LEAT_OK;
}

/* ---- rows */

static bool begins_as_ours(const struct leat_row *row)
{
    struct leat_slice rest = row->headers, name, value;
    uint32_t count;

    return leat_take_u32(&rest, &count) && count && leat_take_header(&rest, &name, &value) &&
           leat_slice_eq(name, LEAT_LIT(LEAT_KAFKA_KEPT_TIME));
}

/* The row's headers with its time in front. */
static enum leat_status with_time(struct kafka_keep *k, struct leat_row *row,
                                  struct leat_error *err)
{
    struct leat_slice rest = row->headers;
    uint32_t count = 0;
    char text[24] = "";

    if (row->time_ms != LEAT_NO_TIME)
        snprintf(text, sizeof text, "%" PRId64, row->time_ms);
    else if (!begins_as_ours(row))
        return LEAT_OK;
    if (rest.len && !leat_take_u32(&rest, &count))
        return leat_fail(err, LEAT_E_CORRUPT, "headers of a record are cut short");
    leat_arena_rewind(&k->arena, (struct leat_arena_mark){0});
    struct leat_bytes all = {.arena = &k->arena};
    leat_bytes_put_u32(&all, count + 1);
    leat_bytes_put_slice(&all, LEAT_LIT(LEAT_KAFKA_KEPT_TIME));
    leat_bytes_put_slice(&all, leat_slice_str(text));
    leat_bytes_put(&all, rest.ptr, rest.len);
    if (all.failed)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for the headers of a record");
    row->headers = leat_bytes_slice(&all);
    return LEAT_OK;
}

static enum leat_status keep_write(void *self, const struct leat_row *row, struct leat_error *err)
{
    struct kafka_keep *k = self;
    struct leat_row kept = *row;

    if (with_time(k, &kept, err) != LEAT_OK)
        return err->status;
    kept.time_ms = LEAT_NO_TIME; /* that of storing it */
    return kafka_producer_send(&k->producer, leat_slice_str(k->topic), &kept, NULL, err);
}

/* If some brokers answer, it is mostly that too few of them do. */
static void tell_missing(struct kafka_keep *k, struct leat_error *err)
{
    const struct rd_kafka_metadata *data;
    struct leat_error ignored;

    if (leat_kafka_metadata(&k->producer.client, k->topic, &data, &ignored) != LEAT_OK)
        return;
    const struct rd_kafka_metadata_topic *t = data->topics;
    for (int i = 0; data->topic_cnt && i < t->partition_cnt; i++)
        if (t->partitions[i].isr_cnt < insync(k)) {
            leat_fail(err, LEAT_E_UNREACHABLE,
                      "topic '%s' takes nothing: %d of the %d brokers that keep its partition %d "
                      "%s in step, and it needs %" PRId64,
                      k->topic, t->partitions[i].isr_cnt, t->partitions[i].replica_cnt,
                      (int)t->partitions[i].id, t->partitions[i].isr_cnt == 1 ? "is" : "are",
                      insync(k));
            break;
        }
    rd_kafka_metadata_destroy(data);
}

static enum leat_status keep_flush(void *self, struct leat_error *err)
{
    struct kafka_keep *k = self;

    enum leat_status status = kafka_producer_flush(&k->producer, err);
    if (status == LEAT_E_UNREACHABLE)
        tell_missing(k, err);
    return status;
}

static void keep_drop(void *self)
{
    struct kafka_keep *k = self;

    kafka_producer_drop(&k->producer);
}

/* After a drop there is no client until the next row. */
static void keep_tick(void *self)
{
    struct kafka_keep *k = self;

    if (k->producer.client.rk)
        rd_kafka_poll(k->producer.client.rk, 0);
}

static void keep_close(void *self)
{
    struct kafka_keep *k = self;

    kafka_producer_close(&k->producer);
    leat_arena_reset(&k->arena);
    k->is_checked = false;
}

static const char *const own[] = {"partitions", "replication_factor", "retention", NULL};
static const struct leat_keeper_setting reads[] = {{"start", "earliest"}, {0}};

const struct leat_keeper kafka_keep = {
    .summary = "keeps records in a topic that survives the loss of a broker; the pipeline reads "
               "them from there",
    .self_size = sizeof(struct kafka_keep),
    .opts = options,
    .check = check,
    .place = "topic",
    .own = own,
    .reads = reads,
    .max_record = MAX_RECORD,
    .print = print,
    .open = keep_open,
    .write = keep_write,
    .flush = keep_flush,
    .drop = keep_drop,
    .tick = keep_tick,
    .close = keep_close,
};
