#include "kafka/settings.h"

static rd_kafka_event_t *ask(struct leat_kafka_client *c, const char *topic)
{
    rd_kafka_ConfigResource_t *about = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);

    rd_kafka_DescribeConfigs(c->rk, &about, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, LEAT_KAFKA_WAIT_MS);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(about);
    return event;
}

enum leat_status leat_kafka_settings(struct leat_kafka_client *c, const char *topic,
                                     void (*each)(void *arg, const char *name, const char *value),
                                     void *arg, struct leat_error *err)
{
    rd_kafka_event_t *event = ask(c, topic);
    rd_kafka_resp_err_t code = event ? rd_kafka_event_error(event) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    const rd_kafka_DescribeConfigs_result_t *result =
        code ? NULL : rd_kafka_event_DescribeConfigs_result(event);
    size_t count = 0;
    const rd_kafka_ConfigResource_t **all =
        result ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;

    if (!code)
        code = count ? rd_kafka_ConfigResource_error(all[0]) : RD_KAFKA_RESP_ERR__FAIL;
    const rd_kafka_ConfigEntry_t **entries =
        code ? NULL : rd_kafka_ConfigResource_configs(all[0], &count);
    for (size_t i = 0; entries && i < count; i++)
        if (rd_kafka_ConfigEntry_value(entries[i]))
            each(arg, rd_kafka_ConfigEntry_name(entries[i]),
                 rd_kafka_ConfigEntry_value(entries[i]));
    if (event)
        rd_kafka_event_destroy(event);
    return code ? leat_kafka_client_fail(c, code, topic, err) : LEAT_OK;
}
