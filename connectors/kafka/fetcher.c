#include "fetcher.h"

#include "take.h"

#include <stdio.h>

#define LINGER_MS 4    /* where the fetch does not say: a block is worth a wake */
#define REST_MS   8    /* librdkafka may gather for so long before it is looked at again ... */
#define REST_MAX  1000 /* ... when it had not more messages than this */
#define LOOK_MS   1000

enum { ASK, DROP, STOP };

struct drop {
    struct leat_msg msg;
    struct kafka_part *part;
};

/* ---- answers */

static void answer(struct kafka_fetcher *f, struct kafka_part *p, struct leat_block *b,
                   const struct leat_error *err)
{
    p->asked = false;
    f->asked--;
    if (b) {
        p->handed = b->to;
        p->end_told = b->at_end;
    }
    /* The engine may ask again from within: the request is free before it is answered. */
    struct kafka_request request = p->request;
    request.done(request.arg, &request.fetch, b, err);
}

static void answer_error(struct kafka_fetcher *f, struct kafka_part *p,
                         const struct leat_error *err)
{
    answer(f, p, NULL, err);
}

static struct leat_block *pop_ready(struct kafka_part *p)
{
    struct leat_block *b = (struct leat_block *)p->ready;

    p->ready = b->msg.next;
    b->msg.next = NULL;
    if (!p->ready)
        p->last = NULL;
    p->ready_bytes -= b->room;
    return b;
}

static void drop_ready(struct kafka_part *p)
{
    kafka_seal(p);
    while (p->ready)
        leat_block_unref(pop_ready(p));
}

/* librdkafka stops to fetch p; what it has for it is passed over. */
static void park(struct kafka_fetcher *f, struct kafka_part *p)
{
    if (!p->assigned)
        return;
    p->assigned = false;
    f->assigned--;
    if (!rd_kafka_topic_partition_list_del(f->add, p->topic->name, p->number))
        rd_kafka_topic_partition_list_add(f->remove, p->topic->name, p->number);
}

static void unpark(struct kafka_fetcher *f, struct kafka_part *p)
{
    if (p->assigned)
        return;
    p->assigned = true;
    p->at_end = p->end_told = false;
    f->assigned++;
    rd_kafka_topic_partition_list_add(f->add, p->topic->name, p->number)->offset =
        p->afresh ? RD_KAFKA_OFFSET_BEGINNING : p->next;
}

/* Removals first, so that a partition can be in both lists: that is how a position is changed. */
static void apply_assignment(struct kafka_fetcher *f)
{
    rd_kafka_error_t *e = NULL;

    if (f->remove->cnt == 0 && f->add->cnt == 0)
        return;
    if (f->remove->cnt)
        e = rd_kafka_incremental_unassign(f->client->rk, f->remove);
    if (e)
        rd_kafka_error_destroy(e); /* only while the handle is being destroyed */
    e = f->add->cnt ? rd_kafka_incremental_assign(f->client->rk, f->add) : NULL;
    if (e)
        rd_kafka_error_destroy(e);
    rd_kafka_topic_partition_list_destroy(f->remove);
    rd_kafka_topic_partition_list_destroy(f->add);
    f->remove = rd_kafka_topic_partition_list_new(4);
    f->add = rd_kafka_topic_partition_list_new(4);
}

/* What is gone and what is left, for whoever reads that a position is gone. */
static void tell_lost(struct kafka_fetcher *f, const struct kafka_part *p, struct leat_error *err)
{
    int64_t low = -1, high = -1;
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(f->client->rk, p->topic->name,
                                                                p->number, &low, &high, LOOK_MS);

    if (code)
        leat_fail(err, LEAT_E_LOST, "position %lld of '%.*s' is no longer there",
                  (long long)p->next, LEAT_FMT(p->name));
    else if (low == high)
        leat_fail(err, LEAT_E_LOST,
                  "position %lld of '%.*s' is no longer there: the topic now holds nothing and "
                  "goes on at %lld",
                  (long long)p->next, LEAT_FMT(p->name), (long long)high);
    else if (p->next < low)
        leat_fail(err, LEAT_E_LOST,
                  "positions %lld to %lld of '%.*s' were not read and are no longer there: the "
                  "topic now holds %lld to %lld",
                  (long long)p->next, (long long)low - 1, LEAT_FMT(p->name), (long long)low,
                  (long long)high - 1);
    else
        leat_fail(err, LEAT_E_LOST,
                  "position %lld of '%.*s' is not there: the topic now holds %lld to %lld, so it "
                  "is not the one that was read",
                  (long long)p->next, LEAT_FMT(p->name), (long long)low, (long long)high - 1);
}

static void answer_failed(struct kafka_fetcher *f, struct kafka_part *p)
{
    struct leat_error err;

    leat_kafka_client_fail(f->client, p->failed, p->topic->name, &err);
    if (err.status == LEAT_E_LOST && p->afresh)
        leat_fail(&err, LEAT_E_UNREACHABLE, "the beginning of '%.*s' moves faster than it is read",
                  LEAT_FMT(p->name));
    else if (err.status == LEAT_E_LOST)
        tell_lost(f, p, &err);
    p->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
    park(f, p); /* the next fetch begins afresh */
    answer_error(f, p, &err);
}

/* Nothing but the end to tell: an empty block that carries the position over what has no rows. */
static void answer_end(struct kafka_fetcher *f, struct kafka_part *p)
{
    struct leat_error err = {0};
    struct leat_block *b;

    if (leat_block_new(f->budget, &leat_coding_framed, 0, &b, &err) != LEAT_OK) {
        answer_error(f, p, &err);
        return;
    }
    b->part = p->id;
    b->from = p->handed;
    b->at_end = true;
    leat_block_seal(b, p->next);
    answer(f, p, b, &err);
}

static void answer_full(struct kafka_fetcher *f, struct kafka_part *p)
{
    struct leat_error err;

    leat_fail(&err, LEAT_E_FULL, "no memory for records of '%.*s'", LEAT_FMT(p->name));
    answer_error(f, p, &err);
}

/* May the fetch of p be answered with what there is? With the end at once: it is told once. */
static bool is_ripe(const struct kafka_part *p, int64_t now_ms)
{
    return p->ready || p->failed || p->is_full || !p->assigned || now_ms >= p->due_ms ||
           (!p->open && p->at_end && !p->end_told);
}

/* Answer the fetch of p if there is anything to answer it with. */
static void serve(struct kafka_fetcher *f, struct kafka_part *p)
{
    static const struct leat_error none;

    if (!p->ready)
        kafka_seal(p);
    if (p->ready)
        answer(f, p, pop_ready(p), &none);
    else if (p->failed)
        answer_failed(f, p);
    else if (p->is_full)
        answer_full(f, p);
    else if (p->assigned && p->at_end && (p->next > p->handed || !p->end_told))
        answer_end(f, p);
}

/* Those that were listed: answer what is ripe, keep what will be. The engine is behind with one
 * that has much and no fetch: others go first. */
static void serve_listed(struct kafka_fetcher *f)
{
    struct kafka_part *p = f->listed;
    int64_t now_ms = leat_clock_monotonic_ms(&leat_clock_system);

    f->listed = NULL;
    f->due_ms = INT64_MAX;
    for (struct kafka_part *next; p; p = next) {
        size_t bytes = p->ready_bytes + (p->open ? p->open->room : 0);
        next = p->next_listed;
        p->is_listed = false;
        if (p->is_full || (!p->asked && bytes > f->budget->cap / 32))
            park(f, p);
        if (!p->asked)
            continue; /* its next fetch lists it again */
        if (p->due_ms == 0 && p->next > p->handed)
            p->due_ms = p->request.fetch.by_ms ? p->request.fetch.by_ms : now_ms + LINGER_MS;
        if (is_ripe(p, now_ms)) {
            serve(f, p); /* also one that nothing has come for */
        } else {
            kafka_list(f, p);
            f->due_ms = p->due_ms < f->due_ms ? p->due_ms : f->due_ms;
        }
    }
}

/* ---- what the job asks for */

static bool know_topic(struct kafka_fetcher *f, struct kafka_topic *t)
{
    for (uint32_t i = 0; i < f->topics_count; i++)
        if (f->topics[i] == t)
            return true;
    if (f->topics_count == f->topics_room) {
        uint32_t room = f->topics_room * 2 + 4;
        struct kafka_topic **grown = leat_mem_alloc(room * sizeof *grown);
        if (!grown)
            return false;
        if (f->topics_count)
            memcpy(grown, f->topics, f->topics_count * sizeof *grown);
        leat_mem_free(f->topics);
        f->topics = grown;
        f->topics_room = room;
    }
    f->topics[f->topics_count++] = t;
    return true;
}

static bool know_part(struct kafka_fetcher *f, struct kafka_part *p)
{
    struct kafka_topic *t = p->topic;

    if (p->number < t->parts_count && t->parts[p->number])
        return true;
    if (!know_topic(f, t))
        return false;
    if (p->number >= t->parts_count) {
        int32_t room = p->number * 2 + 4;
        struct kafka_part **grown = leat_mem_alloc((size_t)room * sizeof *grown);
        if (!grown)
            return false;
        if (t->parts_count)
            memcpy(grown, t->parts, (size_t)t->parts_count * sizeof *grown);
        leat_mem_free(t->parts);
        t->parts = grown;
        t->parts_count = room;
    }
    t->parts[p->number] = p;
    p->handed = p->next = -1;
    return true;
}

static void on_ask(struct kafka_fetcher *f, struct kafka_part *p)
{
    struct leat_error err;
    bool known = know_part(f, p);

    p->asked = true;
    f->asked++;
    p->is_full = false;
    if (!known) {
        leat_fail(&err, LEAT_E_NOMEM, "no memory to read '%.*s'", LEAT_FMT(p->name));
        answer_error(f, p, &err);
        return;
    }
    if (p->handed != p->request.fetch.from) {
        drop_ready(p);
        park(f, p);
        p->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
        p->handed = p->next = p->request.fetch.from;
    }
    p->due_ms = 0;
    if (!p->assigned && !p->ready && !p->open) {
        p->afresh = p->request.fetch.earliest;
        unpark(f, p);
    }
    kafka_list(f, p);
}

static void on_drop(struct kafka_fetcher *f, struct kafka_part *p)
{
    struct leat_error err;

    drop_ready(p);
    park(f, p);
    p->handed = p->next = -1;
    p->failed = RD_KAFKA_RESP_ERR_NO_ERROR;
    leat_fail(&err, LEAT_E_ABORTED, "'%.*s' is no longer wanted", LEAT_FMT(p->name));
    if (p->asked)
        answer_error(f, p, &err);
}

/* False: stop. */
static bool on_message(struct kafka_fetcher *f, struct leat_msg *m)
{
    if (m->kind == STOP)
        return false;
    if (m->kind == ASK) {
        on_ask(f, ((struct kafka_request *)m)->part);
    } else {
        on_drop(f, ((struct drop *)m)->part);
        leat_mem_free(m);
    }
    return true;
}

/* How long to wait for a fetch: for ever while there is nothing to take from librdkafka. */
static int64_t rest_ms(const struct kafka_fetcher *f)
{
    int64_t left_ms;

    if (f->asked == 0 && f->assigned)
        return -1;
    if (f->due_ms == INT64_MAX || f->taken > REST_MAX)
        return 0;
    left_ms = f->due_ms - leat_clock_monotonic_ms(&leat_clock_system);
    return left_ms < 0 ? 0 : left_ms < REST_MS ? left_ms : REST_MS;
}

/* All messages there are. */
static bool take_messages(struct kafka_fetcher *f)
{
    int64_t wait_ms = rest_ms(f);
    struct leat_msg *m =
        wait_ms ? leat_queue_take_for(&f->requests, wait_ms) : leat_queue_try(&f->requests);

    for (; m; m = leat_queue_try(&f->requests))
        if (!on_message(f, m))
            return false;
    apply_assignment(f);
    return true;
}

/* ---- messages from librdkafka */

/* Thread: one of librdkafka's, with the queue of events locked. */
static void on_event(rd_kafka_t *rk, void *messages)
{
    (void)rk;
    rd_kafka_queue_yield(messages);
}

/* What librdkafka has; with nothing to answer meanwhile, wait for it. */
static void take(struct kafka_fetcher *f)
{
    int64_t wait_ms = -1;

    if (f->due_ms != INT64_MAX) {
        wait_ms = f->due_ms - leat_clock_monotonic_ms(&leat_clock_system);
        wait_ms = wait_ms < 0 ? 0 : wait_ms < INT32_MAX ? wait_ms : INT32_MAX;
    }
    f->taken = 0;
    rd_kafka_consume_callback_queue(f->messages, (int)wait_ms, kafka_take, f);
    if (f->taken)
        leat_kafka_client_well(f->client);
}

static void fail_all(struct kafka_fetcher *f, const struct leat_error *err)
{
    for (uint32_t t = 0; t < f->topics_count; t++)
        for (int32_t i = 0; i < f->topics[t]->parts_count; i++) {
            struct kafka_part *p = f->topics[t]->parts[i];
            if (p && p->asked)
                answer_error(f, p, err);
        }
}

static void receive(struct kafka_fetcher *f)
{
    struct leat_error err;

    while (rd_kafka_poll(f->client->rk, 0) > 0)
        continue;
    serve_listed(f);
    apply_assignment(f);
    if (f->asked || f->assigned == 0) {
        take(f);
        serve_listed(f);
    }
    if (leat_kafka_client_news(f->client, &err))
        fail_all(f, &err);
}

static void *run(void *arg)
{
    struct kafka_fetcher *f = arg;
    struct leat_error err;

    while (take_messages(f))
        if (f->asked || f->assigned == 0)
            receive(f);
    leat_fail(&err, LEAT_E_ABORTED, "the source is being closed");
    fail_all(f, &err);
    for (uint32_t t = 0; t < f->topics_count; t++) {
        for (int32_t i = 0; i < f->topics[t]->parts_count; i++)
            if (f->topics[t]->parts[i])
                drop_ready(f->topics[t]->parts[i]);
        leat_mem_free(f->topics[t]->parts);
        f->topics[t]->parts = NULL;
        f->topics[t]->parts_count = 0;
    }
    return NULL;
}

/* ---- the job's side */

static void wake(struct kafka_fetcher *f, struct leat_msg *m, int kind)
{
    m->kind = kind;
    leat_queue_put(&f->requests, m);
    rd_kafka_queue_yield(f->messages); /* it may wait for a message */
}

void kafka_fetcher_ask(struct kafka_fetcher *f, struct kafka_part *p)
{
    p->request.part = p;
    wake(f, &p->request.msg, ASK);
}

void kafka_fetcher_drop(struct kafka_fetcher *f, struct kafka_part *p)
{
    struct drop *d = leat_mem_alloc(sizeof *d);

    if (!d)
        return;
    d->part = p;
    wake(f, &d->msg, DROP);
}

static void release(struct kafka_fetcher *f)
{
    if (f->events) {
        rd_kafka_queue_cb_event_enable(f->events, NULL, NULL);
        rd_kafka_queue_destroy(f->events);
        /* Only one queue is emptied when the handle is destroyed, and until it is messages keep
         * connections from ending: join them. */
        rd_kafka_poll_set_consumer(f->client->rk);
    }
    if (f->messages)
        rd_kafka_queue_destroy(f->messages);
    if (f->add)
        rd_kafka_topic_partition_list_destroy(f->add);
    if (f->remove)
        rd_kafka_topic_partition_list_destroy(f->remove);
    leat_mem_free(f->headers);
    leat_mem_free(f->topics);
    leat_queue_fini(&f->requests);
    *f = (struct kafka_fetcher){0};
}

enum leat_status kafka_fetcher_start(struct kafka_fetcher *f, struct leat_kafka_client *client,
                                     const struct leat_env *env, const char *name,
                                     struct leat_error *err)
{
    *f = (struct kafka_fetcher){.client = client, .budget = env->budget};
    leat_queue_init(&f->requests);
    f->headers = leat_mem_alloc(256);
    if (!f->headers) {
        release(f);
        return leat_fail(err, LEAT_E_NOMEM, "no memory for a Kafka source");
    }
    f->headers_room = 256;
    f->messages = rd_kafka_queue_get_consumer(client->rk);
    f->events = rd_kafka_queue_get_main(client->rk);
    rd_kafka_queue_cb_event_enable(f->events, on_event, f->messages);
    f->add = rd_kafka_topic_partition_list_new(4);
    f->remove = rd_kafka_topic_partition_list_new(4);
    if (pthread_create(&f->thread, NULL, run, f) != 0) {
        release(f);
        return leat_fail(err, LEAT_E_NOMEM, "cannot start a thread for a Kafka source");
    }
    f->is_running = true;
    pthread_setname_np(f->thread, name);
    return LEAT_OK;
}

void kafka_fetcher_stop(struct kafka_fetcher *f)
{
    struct leat_msg stop;

    if (!f->is_running)
        return;
    wake(f, &stop, STOP);
    pthread_join(f->thread, NULL);
    release(f);
}
