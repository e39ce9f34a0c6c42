#include "kafka/writing.h"

#include <stdio.h>

#define QUEUE_ROOM 512 /* bytes that librdkafka needs per record beside the value, about */

enum leat_status leat_kafka_writing_conf(const struct leat_kafka_conf *conf,
                                         const struct leat_env *env,
                                         const struct leat_kafka_writing *writing,
                                         rd_kafka_conf_t **made, struct leat_error *err)
{
    int64_t tenth = (int64_t)(env->budget->cap / 10), largest = (int64_t)writing->largest;
    int64_t room = tenth > largest ? tenth : largest;
    char id[80], kbytes[24], messages[24], batch[24];
    bool transactional = writing->transactional_id != NULL;

    int64_t count = tenth / QUEUE_ROOM > 10000 ? tenth / QUEUE_ROOM : 10000;
    snprintf(id, sizeof id, "leat-%.40s", env->job);
    snprintf(kbytes, sizeof kbytes, "%lld",
             (long long)(room / 1024 > 1024 ? room / 1024 + 1 : 1024));
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
