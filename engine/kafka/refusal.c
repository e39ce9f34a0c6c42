#include "kafka/refusal.h"

#include "kafka/settings.h"

#include <stdio.h>
#include <stdlib.h>

size_t leat_kafka_message_bytes(const rd_kafka_message_t *m)
{
    size_t bytes = m->key_len + m->len;
    rd_kafka_headers_t *headers;
    const void *value;
    const char *name;
    size_t len;

    if (rd_kafka_message_headers(m, &headers))
        return bytes;
    for (size_t i = 0; !rd_kafka_header_get_all(headers, i, &name, &value, &len); i++)
        bytes += strlen(name) + len;
    return bytes;
}

static void note(void *arg, const char *name, const char *value)
{
    struct leat_kafka_rules *rules = arg;

    if (strcmp(name, "max.message.bytes") == 0)
        rules->max_bytes = strtoll(value, NULL, 10);
    else if (strcmp(name, "segment.bytes") == 0)
        rules->segment_bytes = strtoll(value, NULL, 10);
    else if (strcmp(name, "cleanup.policy") == 0)
        rules->wants_keys = strstr(value, "compact");
}

/* What cannot be had is not known: the texts do without. */
void leat_kafka_rules_ask(struct leat_kafka_client *c, const char *topic,
                          struct leat_kafka_rules *rules)
{
    struct leat_error err;

    if (strcmp(topic, rules->topic) == 0)
        return;
    *rules = (struct leat_kafka_rules){0};
    snprintf(rules->topic, sizeof rules->topic, "%s", topic);
    if (leat_kafka_settings(c, topic, note, rules, &err) != LEAT_OK)
        leat_log_write(c->env->log, LEAT_LOG_DEBUG, "%s", err.text);
}

rd_kafka_resp_err_t leat_kafka_rules_break(const struct leat_kafka_rules *rules, const char *topic,
                                           const struct leat_row *row)
{
    if (strcmp(topic, rules->topic) != 0)
        return RD_KAFKA_RESP_ERR_NO_ERROR;
    if (rules->max_bytes && row->key.len + row->value.len > (size_t)rules->max_bytes)
        return RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    if (rules->wants_keys && !row->key.ptr)
        return RD_KAFKA_RESP_ERR_INVALID_RECORD;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool is_size(rd_kafka_resp_err_t code)
{
    return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ||
           code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE;
}

static int64_t limit_of(rd_kafka_resp_err_t code, const struct leat_kafka_rules *rules)
{
    return code == RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE ? rules->segment_bytes
                                                           : rules->max_bytes;
}

void leat_kafka_batches_shrink(struct leat_kafka_batches *b, struct leat_kafka_client *c,
                               rd_kafka_resp_err_t code, const struct leat_kafka_rules *rules,
                               size_t bytes)
{
    int64_t limit = is_size(code) ? limit_of(code, rules) : 0;
    size_t fits = (size_t)(limit - limit / 8), before = b->bytes;

    if (!is_size(code) && b->bytes == b->fit)
        leat_warn(c->env->log, "topic '%s' refuses a record (%s): looking for it", rules->topic,
                  rd_kafka_err2str(code));
    b->bytes = fits && fits < before ? fits : before / 4;
    if (bytes < b->bytes && !fits)
        b->bytes = bytes;
    if (b->bytes == 0)
        b->bytes = 1;
    if (!is_size(code) || b->bytes >= b->fit)
        return;
    b->fit = b->bytes;
    leat_warn(c->env->log,
              "topic '%s' does not take batches this large: writing with batches of %zu bytes",
              rules->topic, b->bytes);
}

enum leat_status leat_kafka_record_refused(rd_kafka_resp_err_t code,
                                           const struct leat_kafka_rules *rules, size_t bytes,
                                           bool has_key, struct leat_error *err)
{
    int64_t limit = limit_of(code, rules);

    if (is_size(code) && limit)
        return leat_fail(err, LEAT_E_DATA,
                         "a record of %zu bytes is too large for topic '%s', which takes %lld (%s)",
                         bytes, rules->topic, (long long)limit,
                         code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? "max.message.bytes"
                                                                      : "segment.bytes");
    if (is_size(code))
        return leat_fail(err, LEAT_E_DATA, "a record of %zu bytes is too large for topic '%s'",
                         bytes, rules->topic);
    if (code == RD_KAFKA_RESP_ERR_INVALID_RECORD && rules->wants_keys && !has_key)
        return leat_fail(err, LEAT_E_DATA,
                         "topic '%s' is compacted and takes no record without a key, such as this "
                         "one of %zu bytes",
                         rules->topic, bytes);
    return leat_fail(err, LEAT_E_DATA, "topic '%s' does not take a record of %zu bytes (%s)",
                     rules->topic, bytes, rd_kafka_err2str(code));
}
