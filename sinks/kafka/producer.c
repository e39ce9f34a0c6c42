#include "producer.h"

#include <stdio.h>

#define ROUNDS_MAX 64 /* of sending again; each makes progress or gives up */

/* ---- failures */

/* Called for records that did not arrive, from rd_kafka_poll() and _flush(). */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct leat_kafka_client *client = opaque;
    struct kafka_producer *p = (struct kafka_producer *)client; /* its first member */
    rd_kafka_headers_t *headers = NULL;
    rd_kafka_timestamp_type_t type;

    (void)rk;
    if (!m->err)
        return;
    struct kafka_failed *f = leat_mem_alloc(sizeof *f + m->key_len);
    if (!f) {
        p->lost_some = true;
        return;
    }
    f->topic = kafka_topic_find(&p->topics, leat_slice_str(rd_kafka_topic_name(m->rkt)));
    f->row = m->_private;
    f->why = m->err;
    f->bytes = leat_kafka_message_bytes(m);
    f->value = (struct leat_slice){m->payload, m->len};
    f->time_ms = rd_kafka_message_timestamp(m, &type);
    f->has_key = m->key != NULL;
    f->key_len = m->key_len;
    if (m->key_len)
        memcpy(f->key, m->key, m->key_len);
    if (!rd_kafka_message_headers(m, &headers))
        f->headers = rd_kafka_headers_copy(headers);
    *p->failed_end = f;
    p->failed_end = &f->next;
}

static struct kafka_failed *take_failed(struct kafka_producer *p)
{
    struct kafka_failed *list = p->failed;

    p->failed = NULL;
    p->failed_end = &p->failed;
    return list;
}

static void free_failed(struct kafka_failed *list)
{
    while (list) {
        struct kafka_failed *f = list;
        list = f->next;
        if (f->headers)
            rd_kafka_headers_destroy(f->headers);
        leat_mem_free(f);
    }
}

/* ---- the handle */

enum leat_status kafka_producer_open(struct kafka_producer *p, struct leat_error *err)
{
    rd_kafka_conf_t *made;

    if (!p->batches.bytes)
        p->batches.bytes = p->batches.fit = LEAT_KAFKA_BATCH_BYTES;
    p->topics.client = &p->client;
    p->topics.create = p->create;
    const struct leat_kafka_writing writing = {
        .compression = p->compression, .batch_bytes = p->batches.bytes, .largest = p->largest};
    p->failed_end = &p->failed;
    if (leat_kafka_writing_conf(p->conf, p->env, &writing, &made, err) != LEAT_OK)
        return err->status;
    rd_kafka_conf_set_dr_msg_cb(made, on_delivery);
    return leat_kafka_client_open(&p->client, RD_KAFKA_PRODUCER, made, p->conf, p->env, err);
}

/* Only one that is in doubt is thrown away: a new one has to learn everything again. */
void kafka_producer_drop(struct kafka_producer *p)
{
    if (p->client.rk && (rd_kafka_outq_len(p->client.rk) > 0 || leat_kafka_is_dead(&p->client))) {
        rd_kafka_purge(p->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_flush(p->client.rk,
                       LEAT_KAFKA_STALLED_MS); /* reports what was purged: no broker needed */
        kafka_topics_forget(&p->topics);
        leat_kafka_client_close(&p->client);
    }
    free_failed(take_failed(p));
    p->lost_some = false;
}

void kafka_producer_close(struct kafka_producer *p)
{
    kafka_producer_drop(p);
    kafka_topics_free(&p->topics);
    leat_kafka_client_close(&p->client);
}

/* A new handle, with what the old one had not delivered in `failed`. */
static enum leat_status renew(struct kafka_producer *p, struct leat_error *err)
{
    rd_kafka_purge(p->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_flush(p->client.rk, LEAT_KAFKA_STALLED_MS);
    kafka_topics_forget(&p->topics);
    leat_kafka_client_close(&p->client);
    struct kafka_failed *list = p->failed, **end = p->failed_end;
    enum leat_status status = kafka_producer_open(p, err);
    p->failed = list;
    p->failed_end = list ? end : &p->failed;
    return status;
}

/* ---- sending */

/* One record; `headers` is librdkafka's when this succeeds. */
static rd_kafka_resp_err_t produce(struct leat_kafka_client *c, struct kafka_out_topic *t,
                                   const struct leat_row *row, const int64_t *mark,
                                   rd_kafka_headers_t *headers)
{
    rd_kafka_vu_t vus[6]; /* 72 bytes each: what is not used is not cleared */
    size_t n = 4;

    vus[0].vtype = RD_KAFKA_VTYPE_RKT;
    vus[0].u.rkt = t->rkt;
    vus[1].vtype = RD_KAFKA_VTYPE_VALUE;
    vus[1].u.mem.ptr = (void *)row->value.ptr;
    vus[1].u.mem.size = row->value.len;
    vus[2].vtype = RD_KAFKA_VTYPE_KEY;
    vus[2].u.mem.ptr = (void *)row->key.ptr;
    vus[2].u.mem.size = row->key.len;
    vus[3].vtype = RD_KAFKA_VTYPE_OPAQUE;
    vus[3].u.ptr = (void *)(uintptr_t)mark;
    if (row->time_ms != LEAT_NO_TIME) {
        vus[n].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
        vus[n++].u.i64 = row->time_ms;
    }
    if (headers) {
        vus[n].vtype = RD_KAFKA_VTYPE_HEADERS;
        vus[n++].u.headers = headers;
    }
    rd_kafka_error_t *error = rd_kafka_produceva(c->rk, vus, n);
    if (!error)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);
    rd_kafka_error_destroy(error);
    return code;
}

enum leat_status kafka_send_row(struct leat_kafka_client *c, struct kafka_out_topic *t,
                                const struct leat_row *row, const int64_t *mark,
                                rd_kafka_headers_t *headers, struct leat_error *err)
{
    int waited_ms = 0, left = INT32_MAX;
    rd_kafka_resp_err_t code;
    char limit[24] = "?";
    size_t room = sizeof limit;

    while ((code = produce(c, t, row, mark, headers)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        if (leat_kafka_wait_for_room(c, &waited_ms, &left, err) != LEAT_OK)
            break;
    if (!code)
        return LEAT_OK;
    if (headers)
        rd_kafka_headers_destroy(headers);
    if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return err->status;
    if (code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        (void)rd_kafka_conf_get(rd_kafka_conf(c->rk), "message.max.bytes", limit, &room);
        return leat_fail(err, LEAT_E_DATA,
                         "a record of %zu bytes for topic '%s' is too large for its writer, which "
                         "takes %s (`rdkafka: { message.max.bytes: ... }`)",
                         row->key.len + row->value.len, t->name, limit);
    }
    return leat_kafka_client_fail(c, code, t->name, err);
}

rd_kafka_headers_t *kafka_headers_decode(struct leat_slice encoded)
{
    struct leat_slice name, value;
    uint32_t count;

    if (!leat_take_u32(&encoded, &count) || count == 0)
        return NULL;
    rd_kafka_headers_t *headers = rd_kafka_headers_new(count < 64 ? count : 64);
    while (count-- && leat_take_header(&encoded, &name, &value))
        rd_kafka_header_add(headers, name.ptr, (ssize_t)name.len, value.ptr, (ssize_t)value.len);
    return headers;
}

enum leat_status kafka_producer_send(struct kafka_producer *p, struct leat_slice topic,
                                     const struct leat_row *row, const int64_t *mark,
                                     struct leat_error *err)
{
    struct kafka_out_topic *t;

    if (!p->client.rk && kafka_producer_open(p, err) != LEAT_OK)
        return err->status;
    if (kafka_topic_get(&p->topics, topic, &t, err) != LEAT_OK)
        return err->status;
    rd_kafka_headers_t *headers = kafka_headers_decode(row->headers);
    if (kafka_send_row(&p->client, t, row, mark, headers, err) == LEAT_OK)
        return LEAT_OK;
    if (!leat_kafka_is_dead(&p->client))
        return err->status;
    if (renew(p, err) != LEAT_OK || kafka_topic_get(&p->topics, topic, &t, err) != LEAT_OK)
        return err->status;
    return kafka_send_row(&p->client, t, row, mark, kafka_headers_decode(row->headers), err);
}

/* ---- waiting for acknowledgements */

/* A record that was refused though it was alone in its batch: it is told, and not sent again. */
static enum leat_status give_up(struct kafka_producer *p, const struct kafka_failed *f,
                                struct leat_error *err)
{
    struct leat_error why;

    leat_kafka_rules_ask(&p->client, f->topic->name, &p->rules);
    leat_kafka_record_refused(f->why, &p->rules, f->bytes, f->has_key, &why);
    if (!p->env->refusals) {
        *err = why;
        return err->status;
    }
    return leat_refuse(p->env->refusals, f->row, leat_slice_str(f->topic->name),
                       leat_slice_str(why.text), err);
}

/* The broker refuses whole batches for the sake of a record. *found: those that are at fault are
 * out of the list; else smaller batches are needed. */
static enum leat_status take_out_bad(struct kafka_producer *p, bool *found, struct leat_error *err)
{
    struct kafka_failed **at = &p->failed, *f;

    *found = false;
    while ((f = *at)) {
        if (!leat_kafka_is_bad_record(f->why) || f->bytes < p->batches.bytes) {
            at = &f->next;
            continue;
        }
        if (give_up(p, f, err) != LEAT_OK)
            return err->status;
        *found = true;
        *at = f->next;
        f->next = NULL;
        free_failed(f);
    }
    p->failed_end = at;
    return LEAT_OK;
}

static enum leat_status heal_bad(struct kafka_producer *p, struct leat_error *err)
{
    const struct kafka_failed *largest = NULL;
    bool found;

    if (take_out_bad(p, &found, err) != LEAT_OK || found)
        return found ? LEAT_OK : err->status;
    for (const struct kafka_failed *f = p->failed; f; f = f->next)
        if (leat_kafka_is_bad_record(f->why) && (!largest || f->bytes > largest->bytes))
            largest = f;
    leat_kafka_rules_ask(&p->client, largest->topic->name, &p->rules);
    leat_kafka_batches_shrink(&p->batches, &p->client, largest->why, &p->rules, largest->bytes);
    return renew(p, err);
}

/* What stands behind the refusals, dealt with before they are sent again. */
static enum leat_status heal(struct kafka_producer *p, struct leat_error *err)
{
    rd_kafka_resp_err_t why = p->failed->why;

    for (const struct kafka_failed *f = p->failed; f; f = f->next)
        if (leat_kafka_is_bad_record(f->why))
            return heal_bad(p, err);
    if (why == RD_KAFKA_RESP_ERR__PURGE_QUEUE || why == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        return LEAT_OK;
    /* librdkafka fails all that is sent to a topic with an error until it has asked again. */
    for (struct kafka_failed *f = p->failed; f; f = f->next)
        kafka_topic_forget(f->topic);
    if (leat_kafka_is_missing(why))
        return LEAT_OK;
    return leat_kafka_client_fail(&p->client, why, p->failed->topic->name, err);
}

/* What could not be sent goes before what has failed meanwhile. */
static void put_back(struct kafka_producer *p, struct kafka_failed *list)
{
    struct kafka_failed **end = &list;

    if (!list)
        return;
    while (*end)
        end = &(*end)->next;
    *end = p->failed;
    if (!p->failed)
        p->failed_end = end;
    p->failed = list;
}

static enum leat_status send_again(struct kafka_producer *p, struct leat_error *err)
{
    struct kafka_failed *list = take_failed(p);
    enum leat_status status = LEAT_OK;

    while (list && status == LEAT_OK) {
        struct kafka_failed *f = list;
        struct leat_slice name = leat_slice_str(f->topic->name);
        struct leat_row row = {.key = {f->has_key ? f->key : NULL, f->key_len},
                               .value = f->value,
                               .time_ms = f->time_ms >= 0 ? f->time_ms : LEAT_NO_TIME};
        struct kafka_out_topic *t;
        status = kafka_topic_get(&p->topics, name, &t, err);
        if (status == LEAT_OK)
            status = kafka_send_row(&p->client, t, &row, f->row,
                                    f->headers ? rd_kafka_headers_copy(f->headers) : NULL, err);
        if (status != LEAT_OK)
            break;
        list = f->next;
        f->next = NULL;
        free_failed(f);
    }
    put_back(p, list);
    return status;
}

/* Batches can be as large again as the topics take. */
static enum leat_status hunt_is_over(struct kafka_producer *p, struct leat_error *err)
{
    p->rules.topic[0] = 0; /* they may be others next time */
    if (p->batches.bytes == p->batches.fit)
        return LEAT_OK;
    p->batches.bytes = p->batches.fit;
    return renew(p, err);
}

enum leat_status kafka_producer_flush(struct kafka_producer *p, struct leat_error *err)
{
    if (!p->client.rk)
        return LEAT_OK; /* nothing was sent */
    for (int round = 0; round < ROUNDS_MAX; round++) {
        /* What an earlier call left is only sent again: what stood behind it may be over. */
        enum leat_status status = LEAT_OK;
        if (leat_kafka_is_dead(&p->client))
            status = renew(p, err);
        else if (round > 0 && p->failed)
            status = heal(p, err);
        if (status != LEAT_OK)
            return status;
        if (p->failed && send_again(p, err) != LEAT_OK)
            return err->status;
        if (leat_kafka_drain(&p->client, NULL, err) != LEAT_OK)
            return err->status;
        if (p->lost_some)
            return leat_fail(err, LEAT_E_NOMEM, "no memory to send records again");
        if (!p->failed && !leat_kafka_is_dead(&p->client)) {
            leat_kafka_client_well(&p->client);
            return hunt_is_over(p, err);
        }
    }
    return leat_kafka_client_fail(&p->client, RD_KAFKA_RESP_ERR__TIMED_OUT, NULL, err);
}
