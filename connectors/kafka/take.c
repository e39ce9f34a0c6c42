/*
 * take.c - copies what librdkafka hands over, message by message, and notes ends and failures.
 *
 * librdkafka calls for each message while it has it in hand anyway: it is looked at once, while it
 * is in the cache, and goes without a lock of the queue. Per message there is one copy, and no
 * allocation unless it has headers (librdkafka parses those into a list of its own). A block is
 * made with the room that its partition needed the last time.
 */
#include "take.h"

#include "kafka/kept.h"

#include <endian.h>
#include <stdlib.h>

#define FRAME     24 /* of coding_framed, per row */
#define BLOCK_MIN 256
#define BLOCK_MAX (1u << 20) /* where no fetch has said how much it wants */

/* ---- whose is it */

static struct kafka_topic *find_topic(const struct kafka_fetcher *f, const rd_kafka_topic_t *rkt)
{
    for (uint32_t i = 0; i < f->topics_count; i++)
        if (f->topics[i]->rkt == rkt)
            return f->topics[i];
    for (uint32_t i = 0; i < f->topics_count; i++)
        if (strcmp(f->topics[i]->name, rd_kafka_topic_name(rkt)) == 0)
            return f->topics[i];
    return NULL;
}

static struct kafka_part *find_part(struct kafka_fetcher *f, const rd_kafka_message_t *m)
{
    struct kafka_part *recent = f->recent;

    if (recent && recent->topic->rkt == m->rkt && recent->number == m->partition)
        return recent;
    struct kafka_topic *t = m->rkt ? find_topic(f, m->rkt) : NULL;
    if (!t || m->partition < 0 || m->partition >= t->parts_count || !t->parts[m->partition])
        return NULL;
    f->recent = t->parts[m->partition];
    return f->recent;
}

/* ---- headers */

static bool make_room(struct kafka_fetcher *f, size_t need)
{
    if (need <= f->headers_room)
        return true;
    char *grown = leat_mem_alloc(need * 2);
    if (!grown)
        return false;
    memcpy(grown, f->headers, f->headers_room);
    leat_mem_free(f->headers);
    f->headers = grown;
    f->headers_room = need * 2;
    return true;
}

/* `bytes` NULL: a null value. */
static bool put(struct kafka_fetcher *f, size_t *at, const void *bytes, size_t len)
{
    uint32_t n = htole32(bytes ? (uint32_t)len : LEAT_NO_HEADER);

    if (!bytes)
        len = 0;
    if (!make_room(f, *at + sizeof n + len))
        return false;
    memcpy(f->headers + *at, &n, sizeof n);
    if (len)
        memcpy(f->headers + *at + sizeof n, bytes, len);
    *at += sizeof n + len;
    return true;
}

/* The first header of a row that was kept, if it is its time. */
static bool take_time(const char *name, const void *value, size_t len, int64_t *time_ms)
{
    char text[24];
    char *end;

    if (strcmp(name, LEAT_KAFKA_KEPT_TIME) != 0 || len >= sizeof text)
        return false;
    if (len)
        memcpy(text, value, len);
    text[len] = 0;
    int64_t ms = strtoll(text, &end, 10);
    if (*end)
        return false;
    if (len)
        *time_ms = ms;
    return true;
}

/* As in struct leat_row. False: out of memory. */
static bool encode_headers(struct kafka_fetcher *f, const rd_kafka_message_t *m, bool kept,
                           struct leat_row *row)
{
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t len, at = sizeof(uint32_t);
    uint32_t count = 0;

    if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return true; /* it has none */
    for (size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &len) == RD_KAFKA_RESP_ERR_NO_ERROR;
         i++) {
        if (kept && i == 0 && take_time(name, value, len, &row->time_ms))
            continue;
        if (!put(f, &at, name, strlen(name)) || !put(f, &at, value, len))
            return false;
        count++;
    }
    if (count == 0)
        return true;
    count = htole32(count);
    memcpy(f->headers, &count, sizeof count);
    row->headers = (struct leat_slice){f->headers, at};
    return true;
}

/* ---- into blocks */

void kafka_seal(struct kafka_part *p)
{
    struct leat_block *b = p->open;

    if (!b)
        return;
    p->open = NULL;
    if (!p->is_full)
        p->usual = p->got + p->got / 4;
    p->got = 0;
    b->at_end = p->at_end;
    leat_block_seal(b, p->next);
    b->msg.next = NULL;
    if (p->last)
        p->last->next = &b->msg;
    else
        p->ready = &b->msg;
    p->last = &b->msg;
    p->ready_bytes += b->room;
}

/* As much as is wanted goes into one block. `need`: of the row that comes next. */
static bool grow_block(struct kafka_part *p, size_t need, size_t most)
{
    struct leat_error err;
    size_t room = p->open->room * 2 < most ? p->open->room * 2 : most;

    return p->open->bytes.len + need <= room && leat_block_grow(&p->open, room, &err) == LEAT_OK;
}

/* The rows that a fetch wants at most. */
static bool has_enough(const struct kafka_part *p)
{
    uint32_t most = p->request.fetch.max_rows;

    return most && p->open->rows_hint >= most;
}

/* `need`: of the row that comes next. */
static bool open_block(struct kafka_fetcher *f, struct kafka_part *p, size_t need)
{
    struct leat_error err;
    size_t most = p->request.fetch.max_bytes ? p->request.fetch.max_bytes : BLOCK_MAX;
    size_t room = p->usual;

    if (p->open && !has_enough(p) && p->open->room < most && grow_block(p, need, most))
        return true;
    kafka_seal(p);
    if (room > most)
        room = most;
    if (room < BLOCK_MIN)
        room = BLOCK_MIN;
    if (room < need)
        room = need;
    p->usual = room / 2; /* the next time, if there is no memory now */
    if (leat_block_new(f->budget, &leat_coding_framed, room, &p->open, &err) != LEAT_OK)
        return false;
    p->open->part = p->id;
    p->open->from = p->next;
    return true;
}

/* False: no memory. */
static bool copy(struct kafka_fetcher *f, struct kafka_part *p, const rd_kafka_message_t *m)
{
    rd_kafka_timestamp_type_t type;
    int64_t time = rd_kafka_message_timestamp(m, &type);
    bool kept = p->request.fetch.kept, no_headers = p->request.fetch.no_headers && !kept;
    struct leat_row row = {
        .key = {m->key, m->key_len},
        .value = {m->payload, m->len},
        .time_ms = kept || type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? LEAT_NO_TIME : time,
        .position = m->offset,
    };

    /* Costly: librdkafka makes a buffer of its own even to find that there are none. */
    if (!no_headers && !encode_headers(f, m, kept, &row))
        return false;
    if (!p->open || has_enough(p) || !leat_block_append(p->open, &row)) {
        size_t need = FRAME + row.key.len + row.value.len + row.headers.len;
        if (!open_block(f, p, need) || !leat_block_append(p->open, &row))
            return false;
    }
    p->next = m->offset + 1;
    p->at_end = p->end_told = p->afresh = false;
    return true;
}

/* ---- one message */

/* An end, or a failure. Of a failure p's next answer tells. */
static void note(struct kafka_part *p, const rd_kafka_message_t *m)
{
    if (m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        p->failed = m->err;
        return;
    }
    if (p->afresh && m->offset < p->next)
        p->handed = p->next = m->offset;
    if (m->offset < p->next)
        return;
    p->afresh = false;
    p->at_end = true;
    p->end_told = p->end_told && m->offset == p->next;
    p->next = m->offset; /* over control records, which are never delivered */
}

void kafka_list(struct kafka_fetcher *f, struct kafka_part *p)
{
    if (p->is_listed)
        return;
    p->is_listed = true;
    p->next_listed = f->listed;
    f->listed = p;
}

void kafka_take(rd_kafka_message_t *m, void *fetcher)
{
    struct kafka_fetcher *f = fetcher;
    struct kafka_part *p = find_part(f, m);

    if (++f->taken == KAFKA_TAKE_MAX)
        rd_kafka_yield(f->client->rk);
    if (!p)
        return;
    kafka_list(f, p);
    if (!p->assigned || p->is_full)
        return; /* it comes again when p is fetched again */
    if (m->err) {
        /* Who lists partitions learns what is missing. 2.0.2 is about to remove it: to unassign it
         * now would lose a reference, and the handle would never end. */
        if (!leat_kafka_is_missing(m->err))
            note(p, m);
        return;
    }
    if (p->afresh && m->offset < p->next)
        p->next = m->offset; /* the topic was made again */
    if (m->offset < p->next)
        return;
    p->got += FRAME + m->key_len + m->len;
    p->is_full = !copy(f, p, m);
}
