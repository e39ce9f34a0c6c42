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

/* What a group has committed, out of the answer. */
static enum leat_status read_group(struct leat_kafka_client *c, rd_kafka_event_t *event,
                                   void (*each)(void *arg, const struct leat_decided *d), void *arg,
                                   struct leat_error *err)
{
    size_t count = 0;

    if (!event)
        return leat_kafka_client_fail(c, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, err);
    if (rd_kafka_event_error(event))
        return leat_kafka_client_fail(c, rd_kafka_event_error(event), NULL, err);
    const rd_kafka_group_result_t **groups = rd_kafka_ListConsumerGroupOffsets_result_groups(
        rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
    const rd_kafka_error_t *error = count ? rd_kafka_group_result_error(groups[0]) : NULL;
    if (error)
        return leat_kafka_client_fail(c, rd_kafka_error_code(error), NULL, err);
    const rd_kafka_topic_partition_list_t *list =
        count ? rd_kafka_group_result_partitions(groups[0]) : NULL;
    if (list && check_each(c, list, err) != LEAT_OK)
        return err->status;
    for (int i = 0; list && i < list->cnt; i++)
        if (list->elems[i].offset >= 0)
            tell(&list->elems[i], each, arg);
    return LEAT_OK;
}

enum leat_status leat_kafka_offsets_all(struct leat_kafka_client *c, const char *group, bool stable,
                                        void (*each)(void *arg, const struct leat_decided *d),
                                        void *arg, struct leat_error *err)
{
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(c->rk, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
    rd_kafka_ListConsumerGroupOffsets_t *ask = rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
    rd_kafka_queue_t *answers = rd_kafka_queue_new(c->rk);

    rd_kafka_AdminOptions_set_request_timeout(options, LEAT_KAFKA_WAIT_MS, NULL, 0);
    rd_kafka_AdminOptions_set_require_stable_offsets(options, stable);
    rd_kafka_ListConsumerGroupOffsets(c->rk, &ask, 1, options, answers);
    rd_kafka_event_t *event = rd_kafka_queue_poll(answers, 2 * LEAT_KAFKA_WAIT_MS);
    rd_kafka_poll(c->rk, 0); /* what was told about brokers meanwhile */
    enum leat_status status = read_group(c, event, each, arg, err);
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(answers);
    rd_kafka_ListConsumerGroupOffsets_destroy(ask);
    rd_kafka_AdminOptions_destroy(options);
    return status == LEAT_OK ? status : leat_error_prefix(err, "cannot read committed positions");
}
