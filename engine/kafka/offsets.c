#include "kafka/offsets.h"

#include "kafka/marker.h"

#include <stdio.h>

/* The first partition that failed, if one did. */
static enum leat_status check_each(struct leat_kafka_client *c,
                                   const rd_kafka_topic_partition_list_t *list,
                                   struct leat_error *err)
{
    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].err)
            return leat_kafka_client_fail(c, list->elems[i].err, list->elems[i].topic, err);
    return LEAT_OK;
}

static const char *first_topic(const rd_kafka_topic_partition_list_t *list)
{
    return list->cnt ? list->elems[0].topic : NULL;
}

static enum leat_status ask(struct leat_kafka_client *c, int64_t time_ms,
                            rd_kafka_topic_partition_list_t *list, struct leat_error *err)
{
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = time_ms;
    rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(c->rk, list, c->wait_ms);
    if (code)
        return leat_kafka_client_fail(c, code, first_topic(list), err);
    return check_each(c, list, err);
}

/* Behind the last record: ask again, for the ends of those partitions. */
static enum leat_status fill_with_ends(struct leat_kafka_client *c,
                                       rd_kafka_topic_partition_list_t *list,
                                       struct leat_error *err)
{
    rd_kafka_topic_partition_list_t *rest = rd_kafka_topic_partition_list_new(1);

    for (int i = 0; i < list->cnt; i++)
        if (list->elems[i].offset < 0)
            rd_kafka_topic_partition_list_add(rest, list->elems[i].topic, list->elems[i].partition);
    enum leat_status status = rest->cnt ? ask(c, LEAT_KAFKA_LATEST, rest, err) : LEAT_OK;
    for (int i = 0; status == LEAT_OK && i < rest->cnt; i++)
        rd_kafka_topic_partition_list_set_offset(list, rest->elems[i].topic,
                                                 rest->elems[i].partition, rest->elems[i].offset);
    rd_kafka_topic_partition_list_destroy(rest);
    return status;
}

enum leat_status leat_kafka_offsets_at(struct leat_kafka_client *c, int64_t time_ms,
                                       rd_kafka_topic_partition_list_t *list,
                                       struct leat_error *err)
{
    if (ask(c, time_ms, list, err) != LEAT_OK)
        return err->status;
    return time_ms < 0 ? LEAT_OK : fill_with_ends(c, list, err);
}

enum leat_status leat_kafka_offsets_committed(struct leat_kafka_client *c,
                                              rd_kafka_topic_partition_list_t *list,
                                              struct leat_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_committed(c->rk, list, c->wait_ms);

    if (code)
        return leat_kafka_client_fail(c, code, first_topic(list), err);
    return check_each(c, list, err);
}

bool leat_kafka_offsets_mark(rd_kafka_topic_partition_t *p, const char *text)
{
    p->metadata = rd_kafka_mem_malloc(NULL, strlen(text) + 1); /* librdkafka frees it */
    if (!p->metadata)
        return false;
    memcpy(p->metadata, text, strlen(text) + 1);
    p->metadata_size = strlen(text);
    return true;
}

/* rd_kafka_commit() has no time limit of its own, so the answer comes to a queue. */
static enum leat_status commit(struct leat_kafka_client *c,
                               const rd_kafka_topic_partition_list_t *list, struct leat_error *err)
{
    rd_kafka_queue_t *answers = rd_kafka_queue_new(c->rk);
    rd_kafka_resp_err_t code = rd_kafka_commit_queue(c->rk, list, answers, NULL, NULL);
    rd_kafka_event_t *event = code ? NULL : rd_kafka_queue_poll(answers, LEAT_KAFKA_WAIT_MS);
    enum leat_status status = LEAT_OK;

    if (!code && !event)
        code = RD_KAFKA_RESP_ERR__TIMED_OUT;
    else if (event)
        code = rd_kafka_event_error(event);
    if (code)
        status = leat_kafka_client_fail(c, code, first_topic(list), err);
    if (event && status == LEAT_OK)
        status = check_each(c, rd_kafka_event_topic_partition_list(event), err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(answers);
    return status;
}

enum leat_status leat_kafka_offsets_commit(struct leat_kafka_client *c, uint64_t n,
                                           rd_kafka_topic_partition_list_t *list,
                                           struct leat_error *err)
{
    char text[LEAT_KAFKA_MARKER_ROOM];

    leat_kafka_marker_text_at_least_once(text, c->env->slot, n);
    for (int i = 0; i < list->cnt; i++)
        if (!leat_kafka_offsets_mark(&list->elems[i], text))
            return leat_fail(err, LEAT_E_NOMEM, "no memory to commit %d positions", list->cnt);
    if (list->cnt == 0)
        return LEAT_OK;
    enum leat_status status = commit(c, list, err);
    return status == LEAT_OK ? status : leat_error_prefix(err, "cannot commit positions");
}

static void tell(const rd_kafka_topic_partition_t *p,
                 void (*each)(void *arg, const struct leat_decided *d), void *arg)
{
    char name[LEAT_KAFKA_TOPIC_MAX + 16];
    struct leat_decided d = {.next = p->offset};

    snprintf(name, sizeof name, "%s/%d", p->topic, (int)p->partition);
    d.partition = leat_slice_str(name);
    leat_kafka_marker_read((struct leat_slice){p->metadata, p->metadata_size}, &d);
    each(arg, &d);
}

static bool is_kafkas_own(const char *topic)
{
    return strcmp(topic, "__consumer_offsets") == 0 || strcmp(topic, "__transaction_state") == 0;
}

/* Every partition of the cluster: whatever the group may have a position of. */
static rd_kafka_topic_partition_list_t *all_partitions(struct leat_kafka_client *c,
                                                       struct leat_error *err)
{
    const struct rd_kafka_metadata *data;

    if (leat_kafka_metadata(c, NULL, &data, err) != LEAT_OK)
        return NULL;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(64);
    for (int i = 0; i < data->topic_cnt; i++)
        for (int k = 0; k < data->topics[i].partition_cnt; k++)
            if (!is_kafkas_own(data->topics[i].topic))
                rd_kafka_topic_partition_list_add(list, data->topics[i].topic,
                                                  data->topics[i].partitions[k].id);
    rd_kafka_metadata_destroy(data);
    return list;
}

/* A topic that this user may not see, or that is going, has no position of ours. */
static bool is_passed_over(rd_kafka_resp_err_t code)
{
    return leat_kafka_is_missing(code) || code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED;
}

static enum leat_status tell_all(struct leat_kafka_client *c,
                                 void (*each)(void *arg, const struct leat_decided *d), void *arg,
                                 struct leat_error *err)
{
    rd_kafka_topic_partition_list_t *list = all_partitions(c, err);

    if (!list)
        return err->status;
    for (int i = 0; i < list->cnt; i++)
        list->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
    rd_kafka_resp_err_t code = list->cnt ? rd_kafka_committed(c->rk, list, LEAT_KAFKA_WAIT_MS)
                                         : RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; !code && i < list->cnt; i++)
        if (!is_passed_over(list->elems[i].err))
            code = list->elems[i].err;
    for (int i = 0; !code && i < list->cnt; i++)
        if (!list->elems[i].err && list->elems[i].offset >= 0)
            tell(&list->elems[i], each, arg);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_poll(c->rk, 0); /* what was told about brokers meanwhile */
    return code ? leat_kafka_client_fail(c, code, NULL, err) : LEAT_OK;
}

/* librdkafka's own listing (ListConsumerGroupOffsets) now and then fails an assertion in 2.0.2,
 * when the connection to the coordinator comes up at the wrong moment. A consumer may only ask for
 * partitions that it names: so it names them all. */
enum leat_status leat_kafka_offsets_all(const struct leat_kafka_conf *conf,
                                        const struct leat_env *env, const char *group, bool stable,
                                        void (*each)(void *arg, const struct leat_decided *d),
                                        void *arg, struct leat_error *err)
{
    const struct leat_kafka_property ours[] = {{"client.id", "leat-positions"},
                                               {"reconnect.backoff.ms", "50"},
                                               {"reconnect.backoff.max.ms", "1000"},
                                               {0}};
    const struct leat_kafka_property fixed[] = {
        {"group.id", group},
        {"enable.auto.commit", "false"},
        {"isolation.level", stable ? "read_committed" : "read_uncommitted"},
        {0}};
    struct leat_kafka_client c = {0};
    rd_kafka_conf_t *made;

    if (leat_kafka_conf_new(conf, ours, fixed, &made, err) != LEAT_OK ||
        leat_kafka_client_open(&c, RD_KAFKA_CONSUMER, made, conf, env, err) != LEAT_OK)
        return err->status;
    enum leat_status status = tell_all(&c, each, arg, err);
    leat_kafka_client_close(&c);
    return status == LEAT_OK ? status : leat_error_prefix(err, "cannot read committed positions");
}
