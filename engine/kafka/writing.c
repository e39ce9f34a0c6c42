#include "kafka/writing.h"

#include <stdio.h>
#include <stdlib.h>

#define QUEUE_ROOM   512 /* bytes that librdkafka needs per record beside the value, about */
#define OVERHEAD_MAX 100 /* of a batch with one record */

enum leat_status leat_kafka_writing_conf(const struct leat_kafka_conf *conf,
                                         const struct leat_env *env,
                                         const struct leat_kafka_writing *writing,
                                         rd_kafka_conf_t **made, struct leat_error *err)
{
    int64_t tenth = (int64_t)(env->budget->cap / 10);
    char id[80], kbytes[24], messages[24], batch[24];
    bool transactional = writing->transactional_id != NULL;

    int64_t count = tenth / QUEUE_ROOM > 10000 ? tenth / QUEUE_ROOM : 10000;
    snprintf(id, sizeof id, "leat-%.40s", env->job);
    snprintf(kbytes, sizeof kbytes, "%lld", (long long)(tenth / 1024 > 1024 ? tenth / 1024 : 1024));
    snprintf(messages, sizeof messages, "%lld", (long long)(count < 1000000 ? count : 1000000));
    snprintf(batch, sizeof batch, "%zu", writing->batch_bytes);
    const struct leat_kafka_property ours[] = {
        {"client.id", id},
        {"partitioner", "murmur2_random"}, /* as Java's, so that topics can be joined */
        {"compression.codec", writing->compression},
        {"linger.ms", "1"},
        {"batch.num.messages", "100000"},
        {"message.max.bytes", "104857600"}, /* the broker decides */
        {"queue.buffering.max.messages", messages},
        {"queue.buffering.max.kbytes", kbytes},
        {"reconnect.backoff.ms", "50"},
        {"reconnect.backoff.max.ms", "3000"},
        {"socket.nagle.disable", "true"},
        /* In a transaction a record has as long as that has: librdkafka sees to it. */
        {"message.timeout.ms", transactional ? NULL : "0"}, /* what can heal is waited for */
        {"transaction.timeout.ms", transactional ? "30000" : NULL},
        {"retry.backoff.ms", transactional ? "5" : NULL}, /* between two transactions it waits so */
        {0},
    };
    const struct leat_kafka_property fixed[] = {
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {"delivery.report.only.error", "true"},
        {"batch.size", batch},
        {"transactional.id", writing->transactional_id},
        {0},
    };

    return leat_kafka_conf_new(conf, ours, fixed, made, err);
}

bool leat_kafka_is_dead(const struct leat_kafka_client *c)
{
    return rd_kafka_fatal_error(c->rk, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* What the broker says is the largest batch it takes for the topic; 0: it did not say. */
static int64_t limit_of(struct leat_kafka_client *c, const char *topic)
{
    rd_kafka_ConfigResource_t *ask = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
    int64_t limit = 0;
    size_t count = 0;

    rd_kafka_DescribeConfigs(c->rk, &ask, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, LEAT_KAFKA_WAIT_MS);
    rd_kafka_queue_destroy(queue);
    const rd_kafka_DescribeConfigs_result_t *result =
        event && !rd_kafka_event_error(event) ? rd_kafka_event_DescribeConfigs_result(event) : NULL;
    const rd_kafka_ConfigResource_t **all =
        result ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    const rd_kafka_ConfigEntry_t **entries =
        count ? rd_kafka_ConfigResource_configs(all[0], &count) : NULL;
    for (size_t i = 0; entries && i < count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "max.message.bytes") == 0 &&
            rd_kafka_ConfigEntry_value(entries[i]))
            limit = strtoll(rd_kafka_ConfigEntry_value(entries[i]), NULL, 10);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(ask);
    return limit;
}

static enum leat_status too_large(size_t bytes, const char *topic, int64_t limit,
                                  struct leat_error *err)
{
    if (limit)
        return leat_fail(err, LEAT_E_DATA,
                         "a record of %zu bytes is too large for topic '%s', which takes %lld "
                         "(max.message.bytes)",
                         bytes, topic, (long long)limit);
    return leat_fail(err, LEAT_E_DATA, "a record of %zu bytes is too large for topic '%s'", bytes,
                     topic);
}

enum leat_status leat_kafka_batches_smaller(struct leat_kafka_client *c, const char *topic,
                                            size_t bytes, size_t *batch_bytes,
                                            struct leat_error *err)
{
    int64_t limit = limit_of(c, topic);

    if (limit ? bytes + OVERHEAD_MAX > (size_t)limit : *batch_bytes == 1)
        return too_large(bytes, topic, limit, err);
    *batch_bytes = *batch_bytes / 4 ? *batch_bytes / 4 : 1;
    leat_warn(c->env->log,
              "topic '%s' does not take batches this large: writing with batches of %zu KiB", topic,
              *batch_bytes / 1024);
    return LEAT_OK;
}

/* A queue that is full empties itself; what stands still for seconds is trouble. */
enum leat_status leat_kafka_wait_for_room(struct leat_kafka_client *c, int *waited_ms, int *left,
                                          struct leat_error *err)
{
    int now = rd_kafka_outq_len(c->rk);

    rd_kafka_poll(c->rk, 1);
    *waited_ms = now < *left ? 0 : *waited_ms + 1;
    *left = now;
    if (*waited_ms < LEAT_KAFKA_STALLED_MS)
        return LEAT_OK;
    return leat_kafka_client_fail(c, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, err);
}

/* Everything goes by itself after linger.ms. rd_kafka_flush() would not save time worth its price:
 * until it returns, librdkafka's thread does not sleep. */
enum leat_status leat_kafka_drain(struct leat_kafka_client *c, const bool *stop,
                                  struct leat_error *err)
{
    int waited_ms = 0, left = INT32_MAX;

    for (;;) {
        rd_kafka_poll(c->rk, LEAT_KAFKA_LOOK_MS);
        int now = rd_kafka_outq_len(c->rk);
        if (now == 0 || (stop && *stop) || leat_kafka_is_dead(c))
            return LEAT_OK;
        waited_ms = now < left ? 0 : waited_ms + LEAT_KAFKA_LOOK_MS;
        left = now;
        if (waited_ms >= LEAT_KAFKA_STALLED_MS)
            return leat_kafka_client_fail(c, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, err);
    }
}
