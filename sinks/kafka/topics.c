#include "topics.h"

#include "kafka/marker.h"

#include <stdio.h>

#define LOOK_AGAIN_MS 50

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

static enum leat_status check_made(struct kafka_topics *all, const char *name,
                                   rd_kafka_event_t *event, struct leat_error *err)
{
    size_t count = 0;
    const rd_kafka_CreateTopics_result_t *result =
        event ? rd_kafka_event_CreateTopics_result(event) : NULL;
    const rd_kafka_topic_result_t **topics =
        result ? rd_kafka_CreateTopics_result_topics(result, &count) : NULL;

    if (!event)
        return leat_kafka_client_fail(all->client, RD_KAFKA_RESP_ERR__TIMED_OUT, name, err);
    if (rd_kafka_event_error(event))
        return leat_kafka_client_fail(all->client, rd_kafka_event_error(event), name, err);
    rd_kafka_resp_err_t code = count ? rd_kafka_topic_result_error(topics[0]) : 0;
    if (!code || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
        return LEAT_OK;
    const char *why = rd_kafka_topic_result_error_string(topics[0]);
    if (code == RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR ||
        code == RD_KAFKA_RESP_ERR_INVALID_PARTITIONS || code == RD_KAFKA_RESP_ERR_INVALID_CONFIG)
        return leat_fail(err, LEAT_E_CONFIG, "topic '%s' cannot be made as `%s` says: %s", name,
                         all->create_is ? all->create_is : "create", why);
    return leat_fail(err, LEAT_E_UNREACHABLE, "topic '%s' cannot be made: %s", name, why);
}

static enum leat_status make(struct kafka_topics *all, const char *name, struct leat_error *err)
{
    char text[160];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(name, (int)all->create->partitions,
                              (int)all->create->replication_factor, text, sizeof text);

    if (!topic)
        return leat_fail(err, LEAT_E_CONFIG, "create: %s", text);
    if (set_config(topic, &all->create->config, err) != LEAT_OK) {
        rd_kafka_NewTopic_destroy(topic);
        return err->status;
    }
    rd_kafka_queue_t *queue = rd_kafka_queue_new(all->client->rk);
    rd_kafka_CreateTopics(all->client->rk, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = admin_answer(queue);
    enum leat_status status = check_made(all, name, event, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy(topic);
    if (status == LEAT_OK)
        leat_info(all->client->env->log, "made topic '%s'", name);
    return status;
}

/* What the cluster says of the topic: 0 when it is there. */
static enum leat_status look(struct kafka_topics *all, const char *name, rd_kafka_resp_err_t *code,
                             struct leat_error *err)
{
    const struct rd_kafka_metadata *data;

    if (leat_kafka_metadata(all->client, name, &data, err) != LEAT_OK)
        return err->status;
    *code = data->topic_cnt ? data->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    rd_kafka_metadata_destroy(data);
    return LEAT_OK;
}

/* A topic that was just made needs a moment until every broker knows it. */
static enum leat_status wait_for(struct kafka_topics *all, const char *name, struct leat_error *err)
{
    bool made = false;
    rd_kafka_resp_err_t code = 0;

    for (int left = LEAT_KAFKA_WAIT_MS; left > 0; left -= LOOK_AGAIN_MS) {
        if (look(all, name, &code, err) != LEAT_OK)
            return err->status;
        if (!code)
            return LEAT_OK;
        bool missing = leat_kafka_is_missing(code);
        if (missing && !made && all->create->partitions) {
            if (make(all, name, err) != LEAT_OK)
                return err->status;
            made = true;
        } else if (missing && !all->create->partitions && left < LEAT_KAFKA_WAIT_MS / 2) {
            return leat_fail(err, LEAT_E_UNREACHABLE,
                             "there is no topic '%s' at '%s': waiting for it; `create: { "
                             "partitions: 4 }` would make it",
                             name, all->client->conf->brokers);
        } else if (!missing && code != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE) {
            break;
        }
        rd_kafka_poll(all->client->rk, LOOK_AGAIN_MS);
    }
    return leat_kafka_client_fail(all->client, code, name, err);
}

/* ---- the table */

static uint32_t slot_of(struct leat_slice name)
{
    uint32_t h = 2166136261u; /* FNV-1a */

    for (size_t i = 0; i < name.len; i++)
        h = (h ^ (unsigned char)name.ptr[i]) * 16777619u;
    return h % KAFKA_TOPIC_SLOTS;
}

struct kafka_out_topic *kafka_topic_find(const struct kafka_topics *all, struct leat_slice name)
{
    for (struct kafka_out_topic *t = all->slots[slot_of(name)]; t; t = t->next)
        if (leat_slice_eq(leat_slice_str(t->name), name))
            return t;
    return NULL;
}

static struct kafka_out_topic *add(struct kafka_topics *all, struct leat_slice name,
                                   struct leat_error *err)
{
    if (name.len == 0 || name.len > LEAT_KAFKA_TOPIC_MAX || memchr(name.ptr, 0, name.len)) {
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
    t->next = all->slots[slot];
    all->slots[slot] = t;
    return t;
}

/* The handle was made from another sink's options: those that are a topic's are put in place. */
static enum leat_status topic_conf(const struct kafka_topics *all, rd_kafka_topic_conf_t **made,
                                   struct leat_error *err)
{
    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(all->client->rk);
    char name[256], value[1024], why[160] = "";
    rd_kafka_conf_res_t res =
        rd_kafka_topic_conf_set(conf, "compression.codec", all->compression, why, sizeof why);

    for (size_t i = 0; i < all->properties->count; i++) {
        const struct leat_setting *s = &all->properties->list[i];
        snprintf(name, sizeof name, "%.*s", LEAT_FMT(s->name));
        snprintf(value, sizeof value, "%.*s", LEAT_FMT(s->value));
        if (res != RD_KAFKA_CONF_INVALID) /* not known: a property of the handle */
            res = rd_kafka_topic_conf_set(conf, name, value, why, sizeof why);
    }
    if (res == RD_KAFKA_CONF_INVALID) {
        rd_kafka_topic_conf_destroy(conf);
        return leat_fail(err, LEAT_E_CONFIG, "rdkafka: %s", why);
    }
    *made = conf;
    return LEAT_OK;
}

enum leat_status kafka_topic_get(struct kafka_topics *all, struct leat_slice name,
                                 struct kafka_out_topic **topic, struct leat_error *err)
{
    struct kafka_out_topic *t = all->recent;

    if (!t || !leat_slice_eq(leat_slice_str(t->name), name))
        t = kafka_topic_find(all, name);
    if (!t && !(t = add(all, name, err)))
        return err->status;
    all->recent = t;
    *topic = t;
    if (t->rkt)
        return LEAT_OK;
    rd_kafka_topic_conf_t *own = NULL;
    if (all->properties && topic_conf(all, &own, err) != LEAT_OK)
        return err->status;
    /* Before anybody asks for it by name: the first to make it decides how it is written. */
    t->rkt = rd_kafka_topic_new(all->client->rk, t->name, own);
    if (!t->rkt)
        return leat_kafka_client_fail(all->client, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, t->name, err);
    if (wait_for(all, t->name, err) != LEAT_OK)
        kafka_topic_forget(t);
    return t->rkt ? LEAT_OK : err->status;
}

void kafka_topic_forget(struct kafka_out_topic *t)
{
    if (t->rkt)
        rd_kafka_topic_destroy(t->rkt);
    t->rkt = NULL;
}

void kafka_topics_forget(struct kafka_topics *all)
{
    for (uint32_t i = 0; i < KAFKA_TOPIC_SLOTS; i++)
        for (struct kafka_out_topic *t = all->slots[i]; t; t = t->next)
            kafka_topic_forget(t);
}

void kafka_topics_free(struct kafka_topics *all)
{
    for (uint32_t i = 0; i < KAFKA_TOPIC_SLOTS; i++)
        while (all->slots[i]) {
            struct kafka_out_topic *t = all->slots[i];
            all->slots[i] = t->next;
            kafka_topic_forget(t);
            leat_mem_free(t);
        }
    all->recent = NULL;
}
