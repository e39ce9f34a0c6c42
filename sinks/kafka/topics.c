#include "topics.h"

#include <stdio.h>
#include <stdlib.h>

#define TOPIC_NAME_MAX 249
#define LOOK_AGAIN_MS  50

/* ---- asking and making */

static rd_kafka_event_t *admin_answer(rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, LEAT_KAFKA_WAIT_MS);

    rd_kafka_queue_destroy(queue);
    return event;
}

static enum leat_status set_config(rd_kafka_NewTopic_t *topic, const struct leat_pairs *config,
                                   struct leat_error *err)
{
    for (size_t i = 0; i < config->count; i++) {
        char name[128], value[256];
        const struct leat_setting *s = &config->list[i];
        snprintf(name, sizeof name, "%.*s", LEAT_FMT(s->name));
        snprintf(value, sizeof value, "%.*s", LEAT_FMT(s->value));
        if (rd_kafka_NewTopic_set_config(topic, name, value))
            return leat_fail(err, LEAT_E_CONFIG, "create.config: '%s' is not usable", name);
    }
    return LEAT_OK;
}

static enum leat_status check_made(struct kafka_producer *p, const char *name,
                                   rd_kafka_event_t *event, struct leat_error *err)
{
    size_t count = 0;
    const rd_kafka_CreateTopics_result_t *result =
        event ? rd_kafka_event_CreateTopics_result(event) : NULL;
    const rd_kafka_topic_result_t **topics =
        result ? rd_kafka_CreateTopics_result_topics(result, &count) : NULL;

    if (!event)
        return leat_kafka_client_fail(&p->client, RD_KAFKA_RESP_ERR__TIMED_OUT, name, err);
    if (rd_kafka_event_error(event))
        return leat_kafka_client_fail(&p->client, rd_kafka_event_error(event), name, err);
    rd_kafka_resp_err_t code = count ? rd_kafka_topic_result_error(topics[0]) : 0;
    if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return LEAT_OK;
    const char *why = rd_kafka_topic_result_error_string(topics[0]);
    if (code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR ||
        code == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS || code == RD_KAFKA_RESP_ERR_INVALID_CONFIG)
        return leat_fail(err, LEAT_E_CONFIG, "topic '%s' cannot be made as `create` says: %s", name,
                         why);
    return leat_fail(err, LEAT_E_UNREACHABLE, "topic '%s' cannot be made: %s", name, why);
}

static enum leat_status make(struct kafka_producer *p, const char *name, struct leat_error *err)
{
    char text[160];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(
        name, (int)p->create->partitions, (int)p->create->replication_factor, text, sizeof text);

    if (!topic)
        return leat_fail(err, LEAT_E_CONFIG, "create: %s", text);
    if (set_config(topic, &p->create->config, err) != LEAT_OK) {
        rd_kafka_NewTopic_destroy(topic);
        return err->status;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(p->client.rk);
    rd_kafka_CreateTopics(p->client.rk, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = admin_answer(queue);
    enum leat_status status = check_made(p, name, event, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(topic);
    if (status == LEAT_OK)
        leat_info(p->env->log, "made topic '%s'", name);
    return status;
}

int64_t kafka_topic_limit(struct kafka_producer *p, const char *topic)
{
    rd_kafka_ConfigResource_t *ask = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(p->client.rk);
    int64_t limit = 0;
    size_t count = 0;

    rd_kafka_DescribeConfigs(p->client.rk, &ask, 1, NULL, queue);
    rd_kafka_event_t *event = admin_answer(queue);
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

/* What the cluster says of the topic: 0 when it is there. */
static enum leat_status look(struct kafka_producer *p, const char *name, rd_kafka_resp_err_t *code,
                             struct leat_error *err)
{
    const struct rd_kafka_metadata *data;

    if (leat_kafka_metadata(&p->client, name, &data, err) != LEAT_OK)
        return err->status;
    *code = data->topic_cnt ? data->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    rd_kafka_metadata_destroy(data);
    return LEAT_OK;
}

/* A topic that was just made needs a moment until every broker knows it. */
static enum leat_status wait_for(struct kafka_producer *p, const char *name, struct leat_error *err)
{
    bool made = false;
    rd_kafka_resp_err_t code = 0;

    for (int left = LEAT_KAFKA_WAIT_MS; left > 0; left -= LOOK_AGAIN_MS) {
        if (look(p, name, &code, err) != LEAT_OK)
            return err->status;
        if (!code)
            return LEAT_OK;
        bool missing = leat_kafka_is_missing(code);
        if (missing && !made && p->create->partitions) {
            if (make(p, name, err) != LEAT_OK)
                return err->status;
            made = true;
        } else if (missing && !p->create->partitions && left < LEAT_KAFKA_WAIT_MS / 2) {
            return leat_fail(err, LEAT_E_UNREACHABLE,
                             "there is no topic '%s' at '%s': waiting for it; `create: { "
                             "partitions: 4 }` would make it",
                             name, p->conf->brokers);
        } else if (!missing && code != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
            break;
        }
        rd_kafka_poll(p->client.rk, LOOK_AGAIN_MS);
    }
    return leat_kafka_client_fail(&p->client, code, name, err);
}

/* ---- the table */

static uint32_t slot_of(struct leat_slice name)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)name.ptr[i]) * 16777619u;
    return h % KAFKA_TOPIC_SLOTS;
}

static struct kafka_out_topic *find(const struct kafka_producer *p, struct leat_slice name)
{
    for (struct kafka_out_topic *t = p->slots[slot_of(name)]; t; t = t->next)
        if (leat_slice_eq(leat_slice_str(t->name), name))
            return t;
    return NULL;
}

static struct kafka_out_topic *add(struct kafka_producer *p, struct leat_slice name,
                                   struct leat_error *err)
{
    if (name.len == 0 || name.len > TOPIC_NAME_MAX || memchr(name.ptr, 0, name.len)) {
        leat_fail(err, LEAT_E_DATA, "'%.*s' cannot be the name of a topic",
                  name.len < 80 ? (int)name.len : 80, name.ptr);
        return NULL;
    }
    struct kafka_out_topic *t = leat_mem_alloc(sizeof *t + name.len + 1);
    if (!t) {
        leat_fail(err, LEAT_E_NOMEM, "no memory for a topic");
        return NULL;
    }
    t->name = (char *)(t + 1);
    memcpy(t->name, name.ptr, name.len);
    uint32_t slot = slot_of(name);
    t->next = p->slots[slot];
    p->slots[slot] = t;
    return t;
}

enum leat_status kafka_topic_get(struct kafka_producer *p, struct leat_slice name,
                                 struct kafka_out_topic **topic, struct leat_error *err)
{
    struct kafka_out_topic *t = p->recent;

    if (!t || !leat_slice_eq(leat_slice_str(t->name), name))
        t = find(p, name);
    if (!t && !(t = add(p, name, err)))
        return err->status;
    p->recent = t;
    *topic = t;
    if (t->rkt)
        return LEAT_OK;
    if (wait_for(p, t->name, err) != LEAT_OK)
        return err->status;
    t->rkt = rd_kafka_topic_new(p->client.rk, t->name, NULL);
    if (!t->rkt)
        return leat_kafka_client_fail(&p->client, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, t->name, err);
    return LEAT_OK;
}

void kafka_topic_forget(struct kafka_out_topic *t)
{
    if (t->rkt)
        rd_kafka_topic_destroy(t->rkt);
    t->rkt = NULL;
}

void kafka_topics_forget(struct kafka_producer *p)
{
    for (uint32_t i = 0; i < KAFKA_TOPIC_SLOTS; i++)
        for (struct kafka_out_topic *t = p->slots[i]; t; t = t->next)
            kafka_topic_forget(t);
}

void kafka_topics_free(struct kafka_producer *p)
{
    for (uint32_t i = 0; i < KAFKA_TOPIC_SLOTS; i++)
        while (p->slots[i]) {
            struct kafka_out_topic *t = p->slots[i];
            p->slots[i] = t->next;
            kafka_topic_forget(t);
            leat_mem_free(t);
        }
    p->recent = NULL;
}
