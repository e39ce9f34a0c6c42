#include "broker.h"

#include "leat_test.h"

#include <dirent.h>
#include <librdkafka/rdkafka.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define BROKERS_MAX 4
#define WAIT_MS     20000
#define SKIP_CODE   77

#ifndef BROKER_SCRIPT
#error "BROKER_SCRIPT is the path of tests/broker/kafka"
#endif

static struct broker all[BROKERS_MAX];
static char started_with[BROKERS_MAX][128];
static int count;

/* ---- the process */

/* Run the script; what it says on stdout goes to `said`. Its exit code. */
static int script(const char *verb, const struct broker *b, const char *arguments, char *said,
                  size_t room)
{
    char command[512];

    snprintf(command, sizeof command, "timeout 400 '%s' %s '%s' %s 2>'%s.err'", BROKER_SCRIPT, verb,
             b->dir, arguments, b->dir);
    FILE *out = popen(command, "r");
    said[0] = 0;
    if (!out)
        return -1;
    if (fgets(said, (int)room, out))
        said[strcspn(said, "\n")] = 0;
    int status = pclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void stop_all(void)
{
    char said[80], command[256];

    for (int i = 0; i < count; i++) {
        if (!all[i].is_running)
            continue;
        script("kill", &all[i], "", said, sizeof said);
        snprintf(command, sizeof command, "rm -rf '%.95s' '%.95s.err'", all[i].dir, all[i].dir);
        if (system(command) != 0)
            printf("cannot remove %s\n", all[i].dir);
    }
}

static void read_line(const struct broker *b, const char *file, char *into, size_t room)
{
    char path[192];

    snprintf(path, sizeof path, "%s/%s", b->dir, file);
    FILE *f = fopen(path, "r");
    if (f && fgets(into, (int)room, f))
        into[strcspn(into, "\n")] = 0;
    if (f)
        fclose(f);
}

static void read_reason(const struct broker *b, char *reason, size_t room)
{
    char path[128];

    snprintf(path, sizeof path, "%s.err", b->dir);
    FILE *f = fopen(path, "r");
    snprintf(reason, room, "no broker");
    if (f && fgets(reason, (int)room, f))
        reason[strcspn(reason, "\n")] = 0;
    if (f)
        fclose(f);
}

struct broker *broker_get(const char *arguments, const char **why)
{
    static char reason[200];

    *why = reason;
    for (int i = 0; i < count; i++)
        if (strcmp(started_with[i], arguments) == 0)
            return all[i].is_running ? &all[i] : NULL;
    CU_ASSERT_FATAL(count < BROKERS_MAX);
    if (count == 0)
        atexit(stop_all);
    struct broker *b = &all[count];
    snprintf(started_with[count++], sizeof started_with[0], "%s", arguments);
    const char *base = getenv("TMPDIR");
    snprintf(b->dir, sizeof b->dir, "%.40s/leat-kafka-%d-%d", base ? base : "/tmp", (int)getpid(),
             count);
    int code = script("start", b, arguments, b->address, sizeof b->address);
    if (code != 0) {
        read_reason(b, reason, sizeof reason);
        CU_ASSERT_FATAL(code == SKIP_CODE && !getenv("LEAT_REQUIRE_BROKERS"));
        return NULL;
    }
    b->is_running = true;
    read_line(b, "secure_address", b->secure_address, sizeof b->secure_address);
    strcat(strcpy(b->ca, b->dir), "/ca.crt");
    strcat(strcpy(b->setting, "brokers="), b->address);
    return b;
}

void broker_do(struct broker *b, const char *verb)
{
    char said[160], word[16];
    int n = 0;

    sscanf(verb, "%15s %n", word, &n);
    CU_ASSERT_EQUAL_FATAL(script(word, b, verb + n, said, sizeof said), 0);
}

static int pid_of(const struct broker *b)
{
    char pid[32] = "";

    read_line(b, "pid", pid, sizeof pid);
    CU_ASSERT_FATAL(atoi(pid) > 1);
    return atoi(pid);
}

/* A stop reaches one thread first, and through it the others. */
static bool all_stand_still(int pid)
{
    char path[300], state = 'T';
    bool still = true;

    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(threads);
    for (struct dirent *e; still && (e = readdir(threads));) {
        snprintf(path, sizeof path, "/proc/%d/task/%.200s/stat", pid, e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (f && fscanf(f, "%*d %*[^)]) %c", &state) == 1)
            still = state == 'T';
        if (f)
            fclose(f);
    }
    closedir(threads);
    return still;
}

void broker_pause(struct broker *b)
{
    int pid = pid_of(b);

    CU_ASSERT_EQUAL_FATAL(kill(pid, SIGSTOP), 0);
    while (!all_stand_still(pid))
        sched_yield();
}

void broker_resume(struct broker *b)
{
    CU_ASSERT_EQUAL_FATAL(kill(pid_of(b), SIGCONT), 0);
}

/* ---- administration */

static void no_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

static rd_kafka_t *client_new(rd_kafka_type_t type, const struct broker *b, const char *name,
                              const char *value)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    rd_kafka_conf_set(conf, "bootstrap.servers", b->address, NULL, 0);
    CU_ASSERT_EQUAL_FATAL(rd_kafka_conf_set(conf, name, value, NULL, 0), RD_KAFKA_CONF_OK);
    rd_kafka_conf_set_log_cb(conf, no_log);
    rd_kafka_t *rk = rd_kafka_new(type, conf, NULL, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(rk);
    return rk;
}

struct admin {
    rd_kafka_t *rk;
    rd_kafka_queue_t *queue;
};

static struct admin admin_begin(const struct broker *b)
{
    struct admin a = {.rk = client_new(RD_KAFKA_PRODUCER, b, "client.id", "admin")};

    a.queue = rd_kafka_queue_new(a.rk);
    return a;
}

static void admin_end(struct admin *a)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(a->queue, WAIT_MS);

    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL(rd_kafka_event_error(event), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(a->queue);
    rd_kafka_destroy(a->rk);
}

/* A topic that was made or changed is known a moment later. */
static void wait_for_partitions(const struct broker *b, const char *topic, int want)
{
    rd_kafka_t *rk = client_new(RD_KAFKA_CONSUMER, b, "client.id", "look");
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    int have = -1;

    for (int i = 0; i < 200 && have != want; i++) {
        const struct rd_kafka_metadata *data;
        rd_kafka_poll(rk, 50);
        if (rd_kafka_metadata(rk, 0, rkt, &data, WAIT_MS) != 0)
            continue;
        have = data->topics[0].err ? 0 : data->topics[0].partition_cnt;
        for (int p = 0; p < data->topics[0].partition_cnt; p++)
            have = data->topics[0].partitions[p].leader < 0 ? -1 : have;
        rd_kafka_metadata_destroy(data);
    }
    CU_ASSERT_EQUAL_FATAL(have, want);
    rd_kafka_topic_destroy(rkt);
    rd_kafka_destroy(rk);
}

void broker_topic(struct broker *b, const char *topic, int partitions, const char *config)
{
    struct admin a = admin_begin(b);
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(topic, partitions, 1, NULL, 0);
    char name[80];

    if (config) {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(config, "="), config);
        rd_kafka_NewTopic_set_config(t, name, strchr(config, '=') + 1);
    }
    rd_kafka_CreateTopics(a.rk, &t, 1, NULL, a.queue);
    admin_end(&a);
    rd_kafka_NewTopic_destroy(t);
    wait_for_partitions(b, topic, partitions);
}

void broker_delete_topic(struct broker *b, const char *topic)
{
    struct admin a = admin_begin(b);
    rd_kafka_DeleteTopic_t *t = rd_kafka_DeleteTopic_new(topic);

    rd_kafka_DeleteTopics(a.rk, &t, 1, NULL, a.queue);
    admin_end(&a);
    rd_kafka_DeleteTopic_destroy(t);
    wait_for_partitions(b, topic, 0);
}

void broker_add_partitions(struct broker *b, const char *topic, int total)
{
    struct admin a = admin_begin(b);
    rd_kafka_NewPartitions_t *n = rd_kafka_NewPartitions_new(topic, (size_t)total, NULL, 0);

    rd_kafka_CreatePartitions(a.rk, &n, 1, NULL, a.queue);
    admin_end(&a);
    rd_kafka_NewPartitions_destroy(n);
    wait_for_partitions(b, topic, total);
}

void broker_delete_records(struct broker *b, const char *topic, int32_t partition, int64_t before)
{
    struct admin a = admin_begin(b);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = before;
    rd_kafka_DeleteRecords_t *d = rd_kafka_DeleteRecords_new(list);
    rd_kafka_DeleteRecords(a.rk, &d, 1, NULL, a.queue);
    admin_end(&a);
    rd_kafka_DeleteRecords_destroy(d);
    rd_kafka_topic_partition_list_destroy(list);
}

void broker_transaction(struct broker *b, const char *topic, int32_t partition, int rows,
                        bool commit)
{
    rd_kafka_t *rk = client_new(RD_KAFKA_PRODUCER, b, "transactional.id", "test");
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);

    CU_ASSERT_PTR_NULL_FATAL(rd_kafka_init_transactions(rk, WAIT_MS));
    CU_ASSERT_PTR_NULL_FATAL(rd_kafka_begin_transaction(rk));
    for (int i = 0; i < rows; i++)
        rd_kafka_produce(rkt, partition, RD_KAFKA_MSG_F_COPY, (void *)(commit ? "good" : "bad"),
                         commit ? 4 : 3, NULL, 0, NULL);
    rd_kafka_flush(rk, WAIT_MS);
    rd_kafka_error_t *e =
        commit ? rd_kafka_commit_transaction(rk, -1) : rd_kafka_abort_transaction(rk, -1);
    CU_ASSERT_PTR_NULL(e);
    rd_kafka_topic_destroy(rkt);
    rd_kafka_destroy(rk);
}

int64_t broker_committed(struct broker *b, const char *group, const char *topic, int32_t partition,
                         char *metadata, int room)
{
    rd_kafka_t *rk = client_new(RD_KAFKA_CONSUMER, b, "group.id", group);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    rd_kafka_topic_partition_list_add(list, topic, partition);
    CU_ASSERT_EQUAL(rd_kafka_committed(rk, list, WAIT_MS), 0);
    int64_t offset = list->elems[0].offset < 0 ? -1 : list->elems[0].offset;
    snprintf(metadata, (size_t)room, "%.*s", (int)list->elems[0].metadata_size,
             list->elems[0].metadata ? (const char *)list->elems[0].metadata : "");
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    return offset;
}
