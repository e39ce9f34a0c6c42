#include "kafka/offsets.h"

#include <inttypes.h>
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

static bool add_metadata(rd_kafka_topic_partition_t *p, const char *text)
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
    char text[64];

    snprintf(text, sizeof text, "leat/-/%" PRIu32 "/%" PRIu64, c->env->slot, n);
    for (int i = 0; i < list->cnt; i++)
        if (!add_metadata(&list->elems[i], text))
            return leat_fail(err, LEAT_E_NOMEM, "no memory to commit %d positions", list->cnt);
    if (list->cnt == 0)
        return LEAT_OK;
    enum leat_status status = commit(c, list, err);
    return status == LEAT_OK ? status : leat_error_prefix(err, "cannot commit positions");
}
