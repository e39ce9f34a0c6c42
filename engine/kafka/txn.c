#include "kafka/txn.h"

#include "kafka/marker.h"
#include "kafka/offsets.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define API_END_TXN  26
#define SLICE_MS     500   /* of a wait in which a refused connection should be noticed */
#define PATIENCE_MS  30000 /* beyond transaction.timeout.ms */
#define BROKERS_MAX  64
#define USUAL_PORT   ":9092"
#define BROKER_BYTES 300

/* ---- what the options say */

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* "B:9092, a" is the same as "a:9092,b": lower case, with ports, each once, sorted. */
static struct leat_slice txn_cluster(const void *self, struct leat_arena *arena)
{
    const struct leat_kafka_conf *conf = self;
    struct leat_slice head, rest = leat_slice_str(conf->brokers);
    char(*list)[BROKER_BYTES] = leat_arena_array(arena, BROKERS_MAX, sizeof *list);
    char *text = list ? leat_arena_alloc(arena, BROKERS_MAX * sizeof *list) : NULL;
    size_t count = 0, len = 0;

    if (!text)
        return (struct leat_slice){0};
    while (rest.len && count < BROKERS_MAX) {
        leat_slice_cut(rest, ',', &head, &rest);
        const char *scheme = head.len ? memmem(head.ptr, head.len, "://", 3) : NULL;
        size_t skip = scheme ? (size_t)(scheme + 3 - head.ptr) : 0, n = 0;
        for (size_t i = skip; i < head.len && n + sizeof USUAL_PORT < BROKER_BYTES; i++)
            if (!isspace((unsigned char)head.ptr[i]))
                list[count][n++] = (char)tolower((unsigned char)head.ptr[i]);
        list[count][n] = 0;
        const char *colon = strrchr(list[count], ':'), *bracket = strrchr(list[count], ']');
        if (n && (!colon || (bracket && bracket > colon)))
            strcpy(list[count] + n, USUAL_PORT);
        count += n > 0;
    }
    qsort(list, count, sizeof *list, by_text);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || strcmp(list[i], list[i - 1]) != 0)
            len += (size_t)sprintf(text + len, "%s%s", len ? "," : "", list[i]);
    return (struct leat_slice){text, len};
}

/* In a template braces stand for themselves when they are doubled, which no topic's name has. */
static struct leat_slice txn_marker(const void *self, struct leat_arena *arena)
{
    const struct leat_kafka_target *target = self;
    struct leat_slice topic = target->topic.node->text;
    char name[LEAT_KAFKA_TOPIC_MAX + 4];

    if (topic.len == 0 || topic.len > LEAT_KAFKA_TOPIC_MAX || memchr(topic.ptr, '{', topic.len))
        return (struct leat_slice){0};
    snprintf(name, sizeof name, "%.*s/0", LEAT_FMT(topic));
    return leat_arena_copy(arena, leat_slice_str(name));
}

static bool is_same(const char *a, const char *b)
{
    return (!a && !b) || (a && b && strcmp(a, b) == 0);
}

static const struct leat_setting *find_pair(const struct leat_pairs *pairs, struct leat_slice name)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (leat_slice_eq(pairs->list[i].name, name))
            return &pairs->list[i];
    return NULL;
}

/* A property of topics is set for each topic; one of the handle has to be the decider's too. */
static bool is_of_topics(const struct leat_setting *pair)
{
    rd_kafka_topic_conf_t *conf = rd_kafka_topic_conf_new();
    char name[256], value[1024], why[160];

    snprintf(name, sizeof name, "%.*s", LEAT_FMT(pair->name));
    snprintf(value, sizeof value, "%.*s", LEAT_FMT(pair->value));
    bool known = rd_kafka_topic_conf_set(conf, name, value, why, sizeof why) == RD_KAFKA_CONF_OK;
    rd_kafka_topic_conf_destroy(conf);
    return known;
}

enum leat_status leat_kafka_txn_check(const void *decider, const struct leat_kafka_conf *conf,
                                      struct leat_error *err)
{
    const struct leat_kafka_txn *t = decider;
    const struct leat_kafka_conf *its = t->conf;
    const struct leat_kafka_tls *a = &conf->tls, *b = &its->tls;
    const char *differs = NULL;

    if (conf == its)
        return LEAT_OK;
    if (a->enable != b->enable || a->verify != b->verify || !is_same(a->ca, b->ca) ||
        !is_same(a->certificate, b->certificate) || !is_same(a->key, b->key))
        differs = "tls";
    if (conf->sasl.mechanism.index != its->sasl.mechanism.index ||
        !is_same(conf->sasl.username, its->sasl.username) ||
        !is_same(conf->sasl.password, its->sasl.password))
        differs = "sasl";
    if (differs)
        return leat_fail(err, LEAT_E_CONFIG,
                         "%s: not as for the first Kafka sink of the file: under exactly_once all "
                         "write through one connection, put it into `connections:`",
                         differs);
    for (size_t i = 0; i < conf->rdkafka.count; i++) {
        const struct leat_setting *mine = &conf->rdkafka.list[i],
                                  *theirs = find_pair(&its->rdkafka, mine->name);
        if (!is_of_topics(mine) && (!theirs || !leat_slice_eq(mine->value, theirs->value)))
            return leat_fail(err, LEAT_E_CONFIG,
                             "rdkafka: '%.*s' has to be the same for all Kafka sinks: under "
                             "exactly_once they write through one connection",
                             LEAT_FMT(mine->name));
    }
    return LEAT_OK;
}

/* ---- the handle */

static void note_bad(struct leat_kafka_txn *t, const rd_kafka_message_t *m, size_t bytes)
{
    struct leat_kafka_bad *bad = leat_mem_alloc(sizeof *bad);

    if (!bad) /* the next attempt finds it */
        return;
    bad->row = m->_private;
    bad->why = m->err;
    bad->bytes = bytes;
    bad->has_key = m->key;
    snprintf(bad->topic, sizeof bad->topic, "%s", rd_kafka_topic_name(m->rkt));
    bad->next = t->bad;
    t->bad = bad;
}

/* Thread: the decider's, from rd_kafka_poll() and what librdkafka waits in. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    struct leat_kafka_txn *t = opaque; /* the client is its first member */

    (void)rk;
    if (!m->err || m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
        m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
        return;
    size_t bytes = leat_kafka_message_bytes(m);
    bool first = !t->has_refused, bad = leat_kafka_is_bad_record(m->err);
    if (bad && bytes >= t->made_bytes)
        note_bad(t, m, bytes);
    if (!first && (!bad || bytes <= t->refused_bytes))
        return;
    t->has_refused = true;
    t->refused_why = m->err;
    t->refused_bytes = bytes;
    snprintf(t->refused_topic, sizeof t->refused_topic, "%s", rd_kafka_topic_name(m->rkt));
}

/* Thread: librdkafka's, right after a request has been written. */
static rd_kafka_resp_err_t on_sent(rd_kafka_t *rk, int fd, const char *broker, int32_t id,
                                   int16_t api, int16_t version, int32_t number, size_t bytes,
                                   void *opaque)
{
    struct leat_kafka_txn *t = opaque;

    (void)rk, (void)fd, (void)broker, (void)id, (void)version, (void)number, (void)bytes;
    if (api == API_END_TXN && atomic_load(&t->is_committing)) {
        atomic_fetch_add(&t->asked, 1);
        if (leat_failpoint("commit.sent"))
            atomic_store(&t->is_deaf, true);
    }
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque,
                                  char *text, size_t room)
{
    (void)conf, (void)text, (void)room;
    return rd_kafka_interceptor_add_on_request_sent(rk, "leat", on_sent, opaque);
}

static int64_t timeout_of(rd_kafka_t *rk)
{
    char text[32];
    size_t room = sizeof text;
    rd_kafka_conf_res_t res =
        rd_kafka_conf_get(rd_kafka_conf(rk), "transaction.timeout.ms", text, &room);

    assert(res == RD_KAFKA_CONF_OK);
    return strtoll(text, NULL, 10);
}

static enum leat_status open_handle(struct leat_kafka_txn *t, struct leat_error *err)
{
    char id[300];
    rd_kafka_conf_t *made;

    snprintf(id, sizeof id, "leat-%.250s-%u", t->env->job, t->env->slot);
    const struct leat_kafka_writing writing = {.batch_bytes = t->batches.bytes,
                                               .transactional_id = id};
    if (leat_kafka_writing_conf(t->conf, t->env, &writing, &made, err) != LEAT_OK)
        return err->status;
    rd_kafka_conf_set_dr_msg_cb(made, on_delivery);
    rd_kafka_conf_interceptor_add_on_new(made, "leat", on_new, t);
    if (leat_kafka_client_open(&t->client, RD_KAFKA_PRODUCER, made, t->conf, t->env, err) !=
        LEAT_OK)
        return err->status;
    t->timeout_ms = timeout_of(t->client.rk);
    t->made_bytes = t->batches.bytes;
    t->is_ready = t->is_spent = t->is_open = false;
    leat_kafka_txn_clear(t);
    return LEAT_OK;
}

static void close_handle(struct leat_kafka_txn *t)
{
    for (struct leat_kafka_txn_user *u = t->users; u; u = u->next)
        u->forget(u);
    if (t->client.rk)
        rd_kafka_purge(t->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    leat_kafka_client_close(&t->client);
}

static enum leat_status txn_open(void *memory, const void *self, const struct leat_env *env,
                                 struct leat_error *err)
{
    struct leat_kafka_txn *t = memory;

    t->conf = self;
    t->env = env;
    if (!t->batches.bytes)
        t->batches.bytes = t->batches.fit = LEAT_KAFKA_BATCH_BYTES;
    snprintf(t->group, sizeof t->group, "leat-%s", env->job);
    if (leat_kafka_conf_check(t->conf, err) != LEAT_OK)
        return err->status;
    return open_handle(t, err);
}

static void txn_close(void *memory)
{
    struct leat_kafka_txn *t = memory;

    if (t->is_open && !t->is_spent) /* else readers wait until the brokers end it */
        leat_kafka_txn_give_up(t);
    close_handle(t);
    while (t->users)
        leat_kafka_txn_leave(t->users);
    if (t->sent)
        rd_kafka_topic_partition_list_destroy(t->sent);
    t->sent = NULL;
    leat_kafka_txn_clear(t);
}

void leat_kafka_txn_join(void *decider, struct leat_kafka_txn_user *user)
{
    struct leat_kafka_txn *t = decider;

    if (user->txn == t)
        return;
    user->txn = t;
    user->next = t->users;
    t->users = user;
}

void leat_kafka_txn_leave(struct leat_kafka_txn_user *user)
{
    if (!user->txn)
        return;
    struct leat_kafka_txn_user **at = &user->txn->users;
    while (*at != user)
        at = &(*at)->next;
    *at = user->next;
    user->txn = NULL;
}

/* ---- recovery */

static enum leat_status init_failed(struct leat_kafka_txn *t, rd_kafka_error_t *error,
                                    struct leat_error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_error_code(error);

    if (!rd_kafka_error_is_retriable(error))
        t->is_spent = true;
    if (rd_kafka_error_is_fatal(error) && code == RD_KAFKA_RESP_ERR__FATAL)
        code = rd_kafka_fatal_error(t->client.rk, NULL, 0);
    if (code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT)
        leat_fail(err, LEAT_E_CONFIG,
                  "the brokers do not allow a transaction.timeout.ms of %lld "
                  "(transaction.max.timeout.ms)",
                  (long long)t->timeout_ms);
    else if (code == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE)
        leat_fail(err, LEAT_E_CONFIG, "the brokers at '%s' know no transactions", t->conf->brokers);
    else
        leat_kafka_client_fail(&t->client, code, NULL, err);
    rd_kafka_error_destroy(error);
    return leat_error_prefix(err, "cannot begin transactions");
}

static enum leat_status init(struct leat_kafka_txn *t, struct leat_error *err)
{
    if (t->is_spent || !t->client.rk) {
        close_handle(t);
        if (open_handle(t, err) != LEAT_OK)
            return err->status;
    }
    for (int left = 2 * LEAT_KAFKA_WAIT_MS; !t->is_ready; left -= SLICE_MS) {
        rd_kafka_error_t *error = rd_kafka_init_transactions(t->client.rk, SLICE_MS);
        rd_kafka_poll(t->client.rk, 0); /* what was told about brokers */
        bool again = error && rd_kafka_error_is_retriable(error) && left > 0 &&
                     !leat_kafka_client_has_trouble(&t->client);
        if (error && !again)
            return init_failed(t, error, err);
        if (error)
            rd_kafka_error_destroy(error);
        t->is_ready = !error;
    }
    leat_kafka_client_well(&t->client);
    return LEAT_OK;
}

static enum leat_status txn_recover(void *memory,
                                    void (*each)(void *arg, const struct leat_decided *d),
                                    void *arg, struct leat_error *err)
{
    struct leat_kafka_txn *t = memory;

    if (init(t, err) != LEAT_OK)
        return err->status;
    return leat_kafka_offsets_all(t->conf, t->env, t->group, true, each, arg, err);
}

enum leat_status leat_kafka_txn_renew(struct leat_kafka_txn *t, struct leat_error *err)
{
    t->is_spent = true;
    return init(t, err);
}

/* ---- a transaction */

static enum leat_status txn_begin(void *memory, uint64_t n, struct leat_error *err)
{
    struct leat_kafka_txn *t = memory;

    if (!t->is_ready || t->is_spent || t->is_open)
        return leat_fail(err, LEAT_E_UNCLEAR, "the producer cannot begin batch %llu",
                         (unsigned long long)n);
    if (t->n != n) { /* batches can be as large again as the topics take */
        t->n = n;
        t->rules.topic[0] = 0;
        t->batches.bytes = t->batches.fit;
        if (t->made_bytes != t->batches.bytes && leat_kafka_txn_resize(t, err) != LEAT_OK)
            return err->status;
    }
    leat_kafka_txn_clear(t);
    atomic_store(&t->asked, 0);
    if (t->sent)
        rd_kafka_topic_partition_list_destroy(t->sent);
    t->sent = NULL;
    t->began_ms = leat_clock_monotonic_ms(t->env->clock);
    rd_kafka_error_t *error = rd_kafka_begin_transaction(t->client.rk);
    if (error)
        return leat_kafka_txn_fail(t, error, err);
    t->is_open = true;
    return LEAT_OK;
}

static enum leat_status add_position(struct leat_kafka_txn *t, struct leat_slice name, int64_t next,
                                     const char *metadata, bool is_marker, struct leat_error *err)
{
    char topic[LEAT_KAFKA_TOPIC_MAX + 1];
    int32_t number;

    if (!leat_kafka_partition_read(name, topic, &number))
        return leat_fail(err, LEAT_E_CORRUPT, "'%.*s' is not the partition of a topic",
                         name.len < 80 ? (int)name.len : 80, name.ptr);
    if (is_marker && rd_kafka_topic_partition_list_find(t->sent, topic, number))
        return LEAT_OK;
    rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_add(t->sent, topic, number);
    p->offset = next;
    if (!leat_kafka_offsets_mark(p, metadata))
        return leat_fail(err, LEAT_E_NOMEM, "no memory to commit positions");
    return LEAT_OK;
}

static enum leat_status list_positions(struct leat_kafka_txn *t,
                                       const struct leat_positions *positions,
                                       struct leat_slice marker, int64_t marker_next,
                                       struct leat_error *err)
{
    char metadata[LEAT_KAFKA_MARKER_ROOM];
    enum leat_status status = LEAT_OK;

    leat_kafka_marker_text(metadata, t->env->epoch, t->env->slot, t->n);
    t->sent = rd_kafka_topic_partition_list_new((int)positions->count + 1);
    for (size_t i = 0; status == LEAT_OK && i < positions->count; i++)
        status = add_position(t, positions->list[i].partition, positions->list[i].next, metadata,
                              false, err);
    return status == LEAT_OK ? add_position(t, marker, marker_next, metadata, true, err) : status;
}

/* First everything has to have arrived: the other order costs a tenth of a second. */
static enum leat_status txn_prepare(void *memory, uint64_t n,
                                    const struct leat_positions *positions,
                                    struct leat_slice marker, int64_t marker_next,
                                    struct leat_error *err)
{
    struct leat_kafka_txn *t = memory;

    if (!t->is_open || t->is_spent || t->n != n)
        return leat_fail(err, LEAT_E_UNCLEAR, "batch %llu is in no transaction",
                         (unsigned long long)n);
    if (leat_kafka_drain(&t->client, &t->has_refused, err) != LEAT_OK)
        return err->status;
    if (t->has_refused || leat_kafka_is_dead(&t->client))
        return leat_kafka_txn_refused(t, err);
    if (list_positions(t, positions, marker, marker_next, err) != LEAT_OK)
        return err->status;
    rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(t->group);
    rd_kafka_error_t *error =
        rd_kafka_send_offsets_to_transaction(t->client.rk, t->sent, group, (int)t->timeout_ms);
    rd_kafka_consumer_group_metadata_destroy(group);
    if (error)
        return leat_kafka_txn_fail(t, error, err);
    if (leat_failpoint("prepare.offsets"))
        return leat_fail(err, LEAT_E_ABORTED, "the positions of batch %llu were refused",
                         (unsigned long long)n);
    return LEAT_OK;
}

static int64_t txn_patience_ms(const void *memory)
{
    const struct leat_kafka_txn *t = memory;

    return t->timeout_ms + PATIENCE_MS;
}

const struct leat_decider leat_kafka_decider = {
    .size = sizeof(struct leat_kafka_txn),
    .cluster = txn_cluster,
    .marker = txn_marker,
    .open = txn_open,
    .recover = txn_recover,
    .begin = txn_begin,
    .prepare = txn_prepare,
    .commit = leat_kafka_txn_commit,
    .abort = leat_kafka_txn_abort,
    .patience_ms = txn_patience_ms,
    .close = txn_close,
};
