#include "message.h"

#define BODY_BYTES ((size_t)64 * 1024) /* grows to the longest message */

static enum leat_status grow(struct rabbit_message *m, size_t room, struct leat_error *err)
{
    if (!leat_budget_take(m->budget, room))
        return leat_fail(err, LEAT_E_FULL, "no room in `memory` for a message");
    char *body = leat_mem_alloc_raw(room);
    if (!body) {
        leat_budget_give(m->budget, room);
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    }
    if (m->body_len)
        memcpy(body, m->body, m->body_len);
    leat_mem_free(m->body);
    leat_budget_give(m->budget, m->body_room);
    m->body = body;
    m->body_room = room;
    return LEAT_OK;
}

enum leat_status rabbit_message_init(struct rabbit_message *m, struct leat_error *err)
{
    if (!leat_budget_take(m->budget, RABBIT_HEADERS_BYTES))
        return leat_fail(err, LEAT_E_FULL, "no room in `memory` for headers of messages");
    m->headers.bytes = leat_mem_alloc_raw(RABBIT_HEADERS_BYTES);
    if (!m->headers.bytes) {
        leat_budget_give(m->budget, RABBIT_HEADERS_BYTES);
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    }
    return grow(m, BODY_BYTES < m->body_most ? BODY_BYTES : m->body_most, err);
}

void rabbit_message_free(struct rabbit_message *m)
{
    if (m->headers.bytes)
        leat_budget_give(m->budget, RABBIT_HEADERS_BYTES);
    leat_budget_give(m->budget, m->body_room);
    leat_mem_free(m->headers.bytes);
    leat_mem_free(m->body);
    m->headers.bytes = m->body = NULL;
    m->body_room = m->body_len = 0;
}

void rabbit_message_begin(struct rabbit_message *m, const amqp_basic_deliver_t *d)
{
    m->key_len = d->routing_key.len < sizeof m->key ? d->routing_key.len : sizeof m->key;
    if (m->key_len)
        memcpy(m->key, d->routing_key.bytes, m->key_len);
    m->body_len = 0;
    m->time_ms = LEAT_NO_TIME;
    rabbit_headers_begin(&m->headers);
    rabbit_headers_put(
        &m->headers, LEAT_LIT("amqp-exchange"),
        (struct leat_slice){d->exchange.bytes ? d->exchange.bytes : "", d->exchange.len});
    rabbit_headers_put(&m->headers, LEAT_LIT("amqp-routing-key"),
                       (struct leat_slice){m->key, m->key_len});
    rabbit_headers_put(&m->headers, LEAT_LIT("amqp-redelivered"),
                       d->redelivered ? LEAT_LIT("true") : LEAT_LIT("false"));
    m->reading = RABBIT_HEADER;
}

void rabbit_message_header(struct rabbit_message *m, const amqp_basic_properties_t *p,
                           uint64_t body_size)
{
    rabbit_headers_put_properties(&m->headers, p);
    if (p->_flags & AMQP_BASIC_HEADERS_FLAG)
        rabbit_headers_put_table(&m->headers, &p->headers);
    if (p->_flags & AMQP_BASIC_TIMESTAMP_FLAG && p->timestamp < INT64_MAX / 1000)
        m->time_ms = (int64_t)p->timestamp * 1000;
    m->row_headers = rabbit_headers_end(&m->headers);
    m->body_left = body_size;
    m->reading = m->body_left ? RABBIT_BODY : RABBIT_WHOLE;
}

/* Keep what fits below body_most; the room follows what has come, not what was announced. */
static enum leat_status keep(struct rabbit_message *m, amqp_bytes_t piece, struct leat_error *err)
{
    size_t left = m->body_most - m->body_len, len = piece.len < left ? piece.len : left;
    size_t need = m->body_len + len;

    if (need > m->body_room) {
        size_t room = 2 * m->body_room > need ? 2 * m->body_room : need;
        if (grow(m, room < m->body_most ? room : m->body_most, err) != LEAT_OK)
            return err->status;
    }
    if (len)
        memcpy(m->body + m->body_len, piece.bytes, len);
    m->body_len += len;
    return LEAT_OK;
}

enum leat_status rabbit_message_body(struct rabbit_message *m, amqp_bytes_t piece,
                                     struct leat_error *err)
{
    if (keep(m, piece, err) != LEAT_OK)
        return err->status;
    m->body_left -= piece.len;
    m->reading = m->body_left ? RABBIT_BODY : RABBIT_WHOLE;
    return LEAT_OK;
}

enum leat_status rabbit_message_unreadable(struct rabbit_message *m, const char *why,
                                           struct leat_error *err)
{
    size_t len = strlen(why);

    m->body_len = 0;
    if (m->body_room < m->body_most && grow(m, m->body_most, err) != LEAT_OK)
        return err->status;
    memset(m->body, ' ', m->body_most);
    memcpy(m->body, why, len < m->body_most ? len : m->body_most);
    m->body_len = m->body_most;
    m->row_headers = rabbit_headers_end(&m->headers);
    m->reading = RABBIT_WHOLE;
    return LEAT_OK;
}

struct leat_row rabbit_message_row(const struct rabbit_message *m)
{
    return (struct leat_row){.key = {m->key, m->key_len},
                             .value = {m->body, m->body_len},
                             .headers = m->row_headers,
                             .time_ms = m->time_ms};
}
