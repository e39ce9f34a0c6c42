#include "kafka_mock.h"

#include "leat_test.h"

#include <stdio.h>

#define WAIT_MS 15000

static struct leat_error err;

void kafka_mock_start(struct kafka_mock *m, const char *topic, int partitions)
{
    OK(leat_mock_broker_start(&m->broker, &m->bootstrap, &err));
    OK(leat_mock_broker_topic(&m->broker, topic, partitions, &err));
    snprintf(m->setting, sizeof m->setting, "brokers=%s", m->bootstrap);
}

void kafka_mock_stop(struct kafka_mock *m)
{
    leat_mock_broker_stop(&m->broker);
}

/* ---- writing */

struct report {
    rd_kafka_resp_err_t code;
    int64_t offset;
};

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct report *r = opaque;

    (void)rk;
    r->code = m->err ? m->err : r->code;
    r->offset = m->offset;
}

static void no_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    CU_ASSERT_EQUAL_FATAL(rd_kafka_conf_set(conf, name, value, NULL, 0), RD_KAFKA_CONF_OK);
}

static rd_kafka_t *writer_new(const char *brokers, struct report *r)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    set(conf, "bootstrap.servers", brokers);
    set(conf, "linger.ms", "0");
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_conf_set_opaque(conf, r);
    rd_kafka_conf_set_log_cb(conf, no_log);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rk);
    return rk;
}

static void writer_free(rd_kafka_t *rk, const struct report *r)
{
    CU_ASSERT_EQUAL(rd_kafka_flush(rk, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
    CU_ASSERT_EQUAL(r->code, RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_destroy(rk);
}

int64_t plain_write(const char *brokers, const char *topic, int32_t partition, const char *key,
                    const char *value, int64_t time_ms, rd_kafka_headers_t *headers)
{
    struct report r = {.offset = -1};
    rd_kafka_t *rk = writer_new(brokers, &r);
    rd_kafka_vu_t vus[] = {
        {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)key, key ? strlen(key) : 0}},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)value, value ? strlen(value) : 0}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = time_ms},
        {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
    };

    CU_ASSERT_PTR_NULL(rd_kafka_produceva(rk, vus, headers ? 7 : 6));
    writer_free(rk, &r);
    return r.offset;
}

void plain_write_many(const char *brokers, const char *topic, int32_t partition, const char *value,
                      int count)
{
    struct report r = {.offset = -1};
    rd_kafka_t *rk = writer_new(brokers, &r);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);

    for (int i = 0; i < count; i++)
        while (rd_kafka_produce(rkt, partition, RD_KAFKA_MSG_F_COPY, (void *)value, strlen(value),
                                NULL, 0, NULL) != 0)
            rd_kafka_poll(rk, 10);
    rd_kafka_topic_destroy(rkt);
    writer_free(rk, &r);
}

/* ---- reading */

static rd_kafka_t *reader_new(const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    set(conf, "bootstrap.servers", brokers);
    set(conf, "group.id", "plain-reader");
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.partition.eof", "true");
    set(conf, "auto.offset.reset", "earliest");
    set(conf, "isolation.level", "read_committed");
    set(conf, "fetch.wait.max.ms", "10");
    rd_kafka_conf_set_log_cb(conf, no_log);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rk);
    rd_kafka_poll_set_consumer(rk);
    return rk;
}

/* How many partitions are read: all of the topic. */
static int assign_all(rd_kafka_t *rk, const char *topic)
{
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    const struct rd_kafka_metadata *data = NULL;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(4);

    CU_ASSERT_EQUAL_FATAL(rd_kafka_metadata(rk, 0, rkt, &data, WAIT_MS), 0);
    int count = data->topic_cnt ? data->topics[0].partition_cnt : 0;
    for (int i = 0; i < count; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    CU_ASSERT_EQUAL_FATAL(rd_kafka_assign(rk, list), 0);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_metadata_destroy(data);
    rd_kafka_topic_destroy(rkt);
    return count;
}

static void copy_text(char *into, size_t room, const void *bytes, size_t len)
{
    if (!bytes)
        snprintf(into, room, "<none>");
    else
        snprintf(into, room, "%.*s", (int)(len < room ? len : room - 1), (const char *)bytes);
}

static void copy_row(const rd_kafka_message_t *m, struct plain_row *row)
{
    rd_kafka_headers_t *headers;
    rd_kafka_timestamp_type_t type;
    const char *name;
    const void *value;
    size_t len, at = 0;

    *row = (struct plain_row){.offset = m->offset, .partition = m->partition};
    copy_text(row->key, sizeof row->key, m->key, m->key_len);
    copy_text(row->value, sizeof row->value, m->payload, m->len);
    row->time_ms = rd_kafka_message_timestamp(m, &type);
    if (rd_kafka_message_headers(m, &headers) != 0)
        return;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &len) == 0; i++)
        at += (size_t)snprintf(row->headers + at, sizeof row->headers - at, "%s=%.*s;", name,
                               value ? (int)len : 6, value ? (const char *)value : "<none>");
}

int plain_read(const char *brokers, const char *topic, struct plain_row *rows, int room)
{
    rd_kafka_t *rk = reader_new(brokers);
    int ends = 0, count = 0, parts = assign_all(rk, topic);

    while (ends < parts) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, WAIT_MS);
        CU_ASSERT_PTR_NOT_NULL_FATAL(m);
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            ends++;
        else if (!m->err && count < room)
            copy_row(m, &rows[count]);
        count += !m->err;
        rd_kafka_message_destroy(m);
    }
    rd_kafka_destroy(rk);
    return count;
}
