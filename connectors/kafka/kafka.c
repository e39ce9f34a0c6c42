/*
 * kafka.c - pull source that reads topics: one, several, or all that match a pattern.
 *
 * Partitions are named "topic/number", their positions are Kafka's offsets. leat assigns them
 * itself: there is no consumer group to join or to lose partitions to, only its committed positions
 * (group leat-<job>), which win over `start`. What was not there when the source first looked (a
 * partition that was added, a topic that was missing) is read from its beginning, whatever `start`
 * says. Only committed transactions are read. Broker away, topic missing, access refused: said, and
 * waited for.
 *
 * Thread: job, except the fetches, which a thread of the source's own answers (fetcher.h).
 */
#include "fetcher.h"
#include "kafka/marker.h"
#include "kafka/offsets.h"
#include "kafka/txn.h"

#include <regex.h>
#include <stdio.h>

#define LOOK_AGAIN_MS 500 /* longest wait for one answer, once the source has started */

#define FOUND_LATER (-3) /* beside LEAT_KAFKA_LATEST and _EARLIEST: start not yet read */

struct kafka_source {
    struct leat_kafka_conf conf;
    const char *topic;
    struct leat_texts topics;
    const char *start;

    const struct leat_env *env;
    struct leat_kafka_client client;
    struct kafka_fetcher fetcher;
    struct leat_arena arena; /* topics and partitions, until close */
    int64_t start_ms;
    regex_t pattern;
    bool has_pattern;
    bool has_looked; /* at the cluster, at least once */
    struct kafka_topic **all;
    uint32_t all_count, all_room;
    struct kafka_part **parts; /* by id */
    uint32_t parts_count, parts_room;
    uint32_t near; /* where commit found the last partition */
};

static const struct leat_opt options[] = {
    LEAT_KAFKA_OPTIONS(struct kafka_source),
    LEAT_OPT(struct kafka_source, topic, .optional = true, .help = "Topic to read."),
    LEAT_OPT(struct kafka_source, topics, .optional = true,
             .help = "Topics to read: a list of names, or /regex/ for all that match."),
    LEAT_OPT(struct kafka_source, start, .def = "latest",
             .help = "Where to begin without a committed position: earliest, latest or a time as "
                     "RFC 3339."),
    {0},
};

/* ---- options */

static enum leat_status read_start(const char *text, int64_t *ms, struct leat_error *err)
{
    struct leat_value t = leat_timestamp_parse(leat_slice_str(text));

    if (strcmp(text, "earliest") == 0)
        *ms = LEAT_KAFKA_EARLIEST;
    else if (strcmp(text, "latest") == 0)
        *ms = LEAT_KAFKA_LATEST;
    else if (t.tag != LEAT_TIMESTAMP || leat_timestamp_millis(t) < 0)
        return leat_fail(err, LEAT_E_CONFIG,
                         "start: '%s' is neither earliest nor latest nor a time such as "
                         "2026-01-01T00:00:00Z",
                         text);
    else
        *ms = leat_timestamp_millis(t);
    return LEAT_OK;
}

static bool is_pattern(const char *text)
{
    size_t len = strlen(text);

    return len > 2 && text[0] == '/' && text[len - 1] == '/';
}

static enum leat_status read_pattern(regex_t *pattern, const char *text, struct leat_error *err)
{
    char inner[256], why[120];
    size_t len = strlen(text) - 2;

    if (len >= sizeof inner)
        return leat_fail(err, LEAT_E_CONFIG, "topics: the pattern is longer than 255 bytes");
    memcpy(inner, text + 1, len);
    inner[len] = 0;
    int code = regcomp(pattern, inner, REG_EXTENDED | REG_NOSUB);
    if (code == 0)
        return LEAT_OK;
    regerror(code, pattern, why, sizeof why);
    return leat_fail(err, LEAT_E_CONFIG, "topics: '%s' is no regular expression: %s", text, why);
}

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct kafka_source *k = self;
    int64_t start_ms;

    if ((k->topic != NULL) == (k->topics.count != 0))
        return leat_fail(err, LEAT_E_CONFIG, "give either `topic` or `topics`");
    if (k->topics.count == 1 && is_pattern(k->topics.list[0])) {
        regex_t pattern;
        if (read_pattern(&pattern, k->topics.list[0], err) != LEAT_OK)
            return err->status;
        regfree(&pattern);
    }
    if (read_start(k->start, &start_ms, err) != LEAT_OK)
        return err->status;
    return leat_kafka_conf_check(&k->conf, err);
}

/* ---- open */

static enum leat_status open_client(struct kafka_source *k, struct leat_error *err)
{
    char id[80], group[260], queued[24], fetch_max[24];
    int64_t tenth = (int64_t)(k->env->budget->cap / 10);
    int64_t fetch_bytes = tenth / 2 < 50000000 ? tenth / 2 : 50000000;
    rd_kafka_conf_t *made;

    snprintf(id, sizeof id, "leat-%.40s", k->env->job); /* long ones crash 2.0.2 */
    snprintf(group, sizeof group, "leat-%s", k->env->job);
    snprintf(queued, sizeof queued, "%lld", (long long)(tenth / 1024 > 64 ? tenth / 1024 : 64));
    snprintf(fetch_max, sizeof fetch_max, "%lld",
             (long long)(fetch_bytes > 1000000 ? fetch_bytes : 1000000));
    const struct leat_kafka_property ours[] = {
        {"client.id", id},
        {"isolation.level", "read_committed"},
        {"queued.min.messages", "1000000"}, /* a full queue costs 2.0.2 a second */
        {"queued.max.messages.kbytes", queued},
        {"fetch.max.bytes", fetch_max},
        {"fetch.error.backoff.ms", "100"},
        {"reconnect.backoff.ms", "50"},
        {"reconnect.backoff.max.ms", "3000"},
        {"socket.nagle.disable", "true"},
        /* So long 2.0.2 holds back a commit for a coordinator that is away, and so long destroying
         * the handle then takes; there is no group that it would be the session of. */
        {"session.timeout.ms", "3000"},
        {"heartbeat.interval.ms", "1000"},
        {0},
    };
    const struct leat_kafka_property fixed[] = {
        {"group.id", group},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "true"},
        {0},
    };

    if (leat_kafka_conf_new(&k->conf, ours, fixed, &made, err) != LEAT_OK)
        return err->status;
    return leat_kafka_client_open(&k->client, RD_KAFKA_CONSUMER, made, &k->conf, k->env, err);
}

static struct kafka_topic *add_topic(struct kafka_source *k, const char *name,
                                     struct leat_error *err)
{
    struct kafka_topic *t = leat_arena_alloc(&k->arena, sizeof *t);
    struct leat_slice copy = leat_arena_copy(&k->arena, leat_slice_str(name));

    if (k->all_count == k->all_room) {
        uint32_t room = k->all_room * 2 + 4;
        struct kafka_topic **grown = leat_arena_array(&k->arena, room, sizeof *grown);
        if (grown && k->all_count)
            memcpy(grown, k->all, k->all_count * sizeof *grown);
        k->all = grown;
        k->all_room = grown ? room : 0;
    }
    if (!t || !copy.ptr || !k->all) {
        leat_arena_failed(&k->arena, err);
        return NULL;
    }
    t->name = copy.ptr;
    t->rkt = rd_kafka_topic_new(k->client.rk, t->name, NULL);
    t->late = k->has_looked;
    if (!t->rkt) {
        leat_kafka_client_fail(&k->client, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, t->name, err);
        return NULL;
    }
    k->all[k->all_count++] = t;
    return t;
}

static enum leat_status open_topics(struct kafka_source *k, struct leat_error *err)
{
    if (k->topic)
        return add_topic(k, k->topic, err) ? LEAT_OK : err->status;
    if (k->topics.count == 1 && is_pattern(k->topics.list[0])) {
        enum leat_status status = read_pattern(&k->pattern, k->topics.list[0], err);
        k->has_pattern = status == LEAT_OK;
        return status;
    }
    for (size_t i = 0; i < k->topics.count; i++)
        if (!add_topic(k, k->topics.list[i], err))
            return err->status;
    return LEAT_OK;
}

/* "kafka-orders": the log knows what the source is called. */
static void thread_name(const struct leat_env *env, char name[16])
{
    const char *part = env->log->part ? strrchr(env->log->part, ' ') : NULL;

    snprintf(name, 16, "kafka-%.9s", part ? part + 1 : "source");
}

static enum leat_status kafka_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct kafka_source *k = self;
    char name[16];

    k->env = env;
    k->has_looked = false;
    thread_name(env, name);
    if (check(k, err) != LEAT_OK || read_start(k->start, &k->start_ms, err) != LEAT_OK)
        return err->status;
    if (env->from_ms)
        k->start_ms = env->from_ms == INT64_MIN ? LEAT_KAFKA_EARLIEST : env->from_ms;
    if (open_client(k, err) != LEAT_OK || open_topics(k, err) != LEAT_OK)
        return err->status;
    return kafka_fetcher_start(&k->fetcher, &k->client, env, name, err);
}

/* ---- partitions */

static struct kafka_topic *find_topic(const struct kafka_source *k, const char *name)
{
    for (uint32_t i = 0; i < k->all_count; i++)
        if (strcmp(k->all[i]->name, name) == 0)
            return k->all[i];
    return NULL;
}

/* Ask about every topic we know, or look through all there are. */
static enum leat_status add_part(struct kafka_source *k, struct kafka_topic *t, int32_t number,
                                 struct leat_error *err)
{
    char name[300];

    for (uint32_t i = 0; i < k->parts_count; i++)
        if (k->parts[i]->topic == t && k->parts[i]->number == number)
            return LEAT_OK;
    snprintf(name, sizeof name, "%s/%d", t->name, (int)number);
    struct kafka_part *p = leat_arena_alloc(&k->arena, sizeof *p);
    struct leat_slice copy = leat_arena_copy(&k->arena, leat_slice_str(name));
    if (k->parts_count == k->parts_room) {
        uint32_t room = k->parts_room * 2 + 8;
        struct kafka_part **grown = leat_arena_array(&k->arena, room, sizeof *grown);
        if (grown && k->parts_count)
            memcpy(grown, k->parts, k->parts_count * sizeof *grown);
        if (!grown)
            return leat_arena_failed(&k->arena, err);
        k->parts = grown;
        k->parts_room = room;
    }
    if (!p || !copy.ptr)
        return leat_arena_failed(&k->arena, err);
    *p = (struct kafka_part){.id = k->parts_count, .topic = t, .number = number, .name = copy};
    p->first = p->stands = FOUND_LATER;
    p->end = -1;
    k->parts[k->parts_count++] = p;
    return LEAT_OK;
}

static enum leat_status add_parts(struct kafka_source *k, const struct rd_kafka_metadata_topic *m,
                                  struct leat_error *err)
{
    struct kafka_topic *t = find_topic(k, m->topic);

    if (!t && (!k->has_pattern || strncmp(m->topic, "__", 2) == 0 ||
               regexec(&k->pattern, m->topic, 0, NULL, 0) != 0))
        return LEAT_OK;
    if (!t && !(t = add_topic(k, m->topic, err)))
        return err->status;
    if (m->err) {
        t->late = t->late || leat_kafka_is_missing(m->err);
        return leat_kafka_client_fail(&k->client, m->err, m->topic, err);
    }
    for (int i = 0; i < m->partition_cnt; i++)
        if (add_part(k, t, m->partitions[i].id, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

/* One topic that fails does not hide the others: the first failure is returned at the end.
 * *answered: a broker did. */
static enum leat_status look(struct kafka_source *k, const char *topic, bool *answered,
                             struct leat_error *err)
{
    const struct rd_kafka_metadata *data;
    struct leat_error first = {.status = LEAT_OK};

    *answered = leat_kafka_metadata(&k->client, topic, &data, err) == LEAT_OK;
    if (!*answered)
        return err->status;
    for (int i = 0; i < data->topic_cnt; i++)
        if (add_parts(k, &data->topics[i], err) != LEAT_OK && first.status == LEAT_OK)
            first = *err;
    rd_kafka_metadata_destroy(data);
    if (topic && k->parts_count && first.status == LEAT_OK)
        return LEAT_OK;
    *err = first;
    return first.status;
}

static enum leat_status look_for_all(struct kafka_source *k, struct leat_error *err)
{
    struct leat_error first = {.status = LEAT_OK};
    bool answered = true;

    if (k->has_pattern) {
        if (look(k, NULL, &answered, &first) == LEAT_OK && k->parts_count == 0)
            leat_fail(&first, LEAT_E_UNREACHABLE, "no topic at '%s' matches %s: waiting for one",
                      k->conf.brokers, k->topics.list[0]);
    } else {
        for (uint32_t i = 0; i < k->all_count && answered; i++)
            if (look(k, k->all[i]->name, &answered, err) != LEAT_OK && first.status == LEAT_OK)
                first = *err;
    }
    if (first.status == LEAT_OK)
        return LEAT_OK;
    *err = first;
    return first.status;
}

/* Those whose start is not known yet. */
static rd_kafka_topic_partition_list_t *list_new(const struct kafka_source *k, uint32_t *from)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);

    *from = k->parts_count;
    for (uint32_t i = k->parts_count; i-- > 0 && k->parts[i]->first == FOUND_LATER;)
        *from = i;
    for (uint32_t i = *from; i < k->parts_count; i++)
        rd_kafka_topic_partition_list_add(list, k->parts[i]->topic->name, k->parts[i]->number);
    return list;
}

/* A topic of which the group knows some partitions: the others were added since. */
static void mark_added(struct kafka_source *k, uint32_t from,
                       const rd_kafka_topic_partition_list_t *committed)
{
    for (int i = 0; i < committed->cnt; i++)
        if (committed->elems[i].offset >= 0)
            k->parts[from + (uint32_t)i]->topic->late = true;
}

/* Where partitions without a committed position begin: the three lists are parallel. */
static int64_t begin_at(const struct kafka_source *k, const struct kafka_part *p, int64_t committed,
                        int64_t earliest, int64_t at)
{
    if (committed >= 0)
        return committed;
    if (p->topic->late || k->start_ms == LEAT_KAFKA_EARLIEST)
        return earliest;
    return at;
}

/* `start: latest` is a place in time: it is committed at once, so that what comes before the first
 * batch is committed is not passed over by the next start. */
static void commit_start(struct kafka_source *k, uint32_t from)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    struct leat_error err;

    for (uint32_t i = from; i < k->parts_count; i++)
        if (!k->parts[i]->was_committed)
            rd_kafka_topic_partition_list_add(list, k->parts[i]->topic->name, k->parts[i]->number)
                ->offset = k->parts[i]->first;
    if (list->cnt && leat_kafka_offsets_commit(&k->client, 0, list, &err) == LEAT_OK)
        for (uint32_t i = from; i < k->parts_count; i++)
            k->parts[i]->is_committed = true; /* else the first commit does it */
    rd_kafka_topic_partition_list_destroy(list);
}

/* Set by hand, or by another program. */
static bool is_foreign(const rd_kafka_topic_partition_t *at)
{
    struct leat_decided d;

    leat_kafka_marker_read((struct leat_slice){at->metadata, at->metadata_size}, &d);
    return d.by == LEAT_DECIDED_FOREIGN;
}

static enum leat_status find_starts(struct kafka_source *k, struct leat_error *err)
{
    uint32_t from;
    rd_kafka_topic_partition_list_t *committed = list_new(k, &from);
    rd_kafka_topic_partition_list_t *earliest = rd_kafka_topic_partition_list_copy(committed);
    rd_kafka_topic_partition_list_t *at = rd_kafka_topic_partition_list_copy(committed);
    enum leat_status status = LEAT_OK;
    bool is_new = false, from_earliest = k->start_ms == LEAT_KAFKA_EARLIEST;
    int usual_wait_ms = k->client.wait_ms;

    if (committed->cnt) /* seldom, and librdkafka has to find the leaders of new partitions first */
        k->client.wait_ms = LEAT_KAFKA_WAIT_MS;
    if (committed->cnt && !k->env->from_ms)
        status = leat_kafka_offsets_committed(&k->client, committed, err);
    if (status == LEAT_OK)
        mark_added(k, from, committed);
    for (int i = 0; i < committed->cnt; i++)
        if (committed->elems[i].offset < 0) {
            is_new = true;
            from_earliest = from_earliest || k->parts[from + (uint32_t)i]->topic->late;
        }
    if (status == LEAT_OK && is_new && from_earliest)
        status = leat_kafka_offsets_at(&k->client, LEAT_KAFKA_EARLIEST, earliest, err);
    if (status == LEAT_OK && is_new && k->start_ms != LEAT_KAFKA_EARLIEST)
        status = leat_kafka_offsets_at(&k->client, k->start_ms, at, err);
    for (uint32_t i = from; status == LEAT_OK && i < k->parts_count; i++) {
        struct kafka_part *p = k->parts[i];
        int64_t position = committed->elems[i - from].offset;
        p->was_committed = p->is_committed = position >= 0;
        p->is_foreign = position >= 0 && is_foreign(&committed->elems[i - from]);
        p->first = p->stands =
            begin_at(k, p, position, earliest->elems[i - from].offset, at->elems[i - from].offset);
    }
    if (status == LEAT_OK && k->start_ms != LEAT_KAFKA_EARLIEST && !k->env->from_ms &&
        !k->env->exactly_once)
        commit_start(k, from);
    k->client.wait_ms = usual_wait_ms;
    rd_kafka_topic_partition_list_destroy(committed);
    rd_kafka_topic_partition_list_destroy(earliest);
    rd_kafka_topic_partition_list_destroy(at);
    return status;
}

/* The ends there are now, or those of `--to`: not to know them is a failure only there. */
static enum leat_status find_ends(struct kafka_source *k, struct leat_error *err)
{
    int64_t at_ms = k->env->to_ms ? k->env->to_ms : LEAT_KAFKA_LATEST;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);

    for (uint32_t i = 0; i < k->parts_count; i++)
        rd_kafka_topic_partition_list_add(list, k->parts[i]->topic->name, k->parts[i]->number);
    bool known = leat_kafka_offsets_at(&k->client, at_ms, list, err) == LEAT_OK;
    for (uint32_t i = 0; i < k->parts_count; i++)
        k->parts[i]->end = known ? list->elems[i].offset : -1;
    rd_kafka_topic_partition_list_destroy(list);
    return known || !k->env->to_ms ? LEAT_OK : err->status;
}

static enum leat_status kafka_partitions(void *self,
                                         void (*each)(void *arg, const struct leat_part *p),
                                         void *arg, struct leat_error *err)
{
    struct kafka_source *k = self;
    enum leat_status status = look_for_all(k, err);

    if (k->parts_count == 0)
        return status;
    struct leat_error why = *err;
    if (find_starts(k, err) != LEAT_OK)
        return err->status;
    k->has_looked = true;
    k->client.wait_ms = LOOK_AGAIN_MS;
    for (uint32_t i = 0; i < k->all_count; i++)
        k->all[i]->late = true; /* for what is found from now on */
    /* Without an answer no broker may be there to ask, and the job has waited for one once. */
    if (status == LEAT_OK ? find_ends(k, err) != LEAT_OK : k->env->to_ms != 0)
        return err->status;
    for (uint32_t i = 0; i < k->parts_count; i++) {
        const struct kafka_part *p = k->parts[i];
        each(arg, &(struct leat_part){.id = p->id,
                                      .name = p->name,
                                      .first = p->first,
                                      .committed = p->was_committed,
                                      .foreign = p->is_foreign,
                                      .end = p->end,
                                      .topic = leat_slice_str(p->topic->name),
                                      .number = p->number});
    }
    if (status != LEAT_OK)
        *err = why;
    return status;
}

/* ---- the rest */

static void kafka_fetch(void *self, const struct leat_fetch *fetch, leat_fetch_done *done,
                        void *arg)
{
    struct kafka_source *k = self;
    struct kafka_part *p = k->parts[fetch->part];

    p->request.fetch = *fetch;
    p->request.done = done;
    p->request.arg = arg;
    kafka_fetcher_ask(&k->fetcher, p);
}

static void kafka_lost(void *self, uint32_t part)
{
    struct kafka_source *k = self;

    kafka_fetcher_drop(&k->fetcher, k->parts[part]);
}

/* Positions mostly come in the order in which partitions were listed. */
static struct kafka_part *find_named(struct kafka_source *k, struct leat_slice name)
{
    for (uint32_t i = 0; i < k->parts_count; i++) {
        uint32_t at = (k->near + i) % k->parts_count;
        if (leat_slice_eq(k->parts[at]->name, name)) {
            k->near = at + 1;
            return k->parts[at];
        }
    }
    return NULL;
}

/* What could not be committed goes with the next batch, also where that moved nothing. */
static enum leat_status kafka_commit(void *self, uint64_t n, const struct leat_positions *positions,
                                     struct leat_error *err)
{
    struct kafka_source *k = self;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);

    for (size_t i = 0; i < positions->count; i++) {
        struct kafka_part *p = find_named(k, positions->list[i].partition);
        if (p) {
            p->stands = positions->list[i].next;
            p->is_committed = false;
        }
    }
    for (uint32_t i = 0; i < k->parts_count; i++) {
        const struct kafka_part *p = k->parts[i];
        if (!p->is_committed && p->stands >= 0)
            rd_kafka_topic_partition_list_add(list, p->topic->name, p->number)->offset = p->stands;
    }
    enum leat_status status = leat_kafka_offsets_commit(&k->client, n, list, err);
    for (uint32_t i = 0; status == LEAT_OK && i < k->parts_count; i++)
        k->parts[i]->is_committed = true;
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

static void kafka_close(void *self)
{
    struct kafka_source *k = self;

    kafka_fetcher_stop(&k->fetcher);
    for (uint32_t i = 0; i < k->all_count; i++)
        rd_kafka_topic_destroy(k->all[i]->rkt);
    leat_kafka_client_close(&k->client);
    if (k->has_pattern)
        regfree(&k->pattern);
    k->has_pattern = false;
    leat_arena_reset(&k->arena);
    k->all = NULL;
    k->parts = NULL;
    k->all_count = k->all_room = k->parts_count = k->parts_room = k->near = 0;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "kafka",
    .summary = "reads topics of Apache Kafka",
    .keyed = true,
    .self_size = sizeof(struct kafka_source),
    .opts = options,
    .check = check,
    .pull =
        &(const struct leat_pull){
            .waits = true,
            .by_time = true,
            .open = kafka_open,
            .partitions = kafka_partitions,
            .fetch = kafka_fetch,
            .lost = kafka_lost,
            .commit = kafka_commit,
            .close = kafka_close,
        },
    .decider = &leat_kafka_decider,
};

LEAT_MODULE(module);
