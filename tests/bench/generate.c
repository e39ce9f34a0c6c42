/*
 * generate.c - writes the workloads of the benchmark into a topic, and says what the answers are.
 *
 *     generate BROKERS wc|sensors|ysb RECORDS SEED     fills the topic bench.<workload>
 *     generate ads SEED                                the table of ads, as CSV
 *
 * Every record is a function of seed and number, so the same arguments give the same topic. The
 * last line of output is a JSON object with the totals. Record times are RATE a second from
 * 2026-01-01; record i goes to partition i mod 4.
 */
#include "bench.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS    INT64_C(1767225600000)
#define VOCABULARY  5000
#define LINE_BYTES  100
#define SENSORS     100000
#define EVENT_BYTES 200
#define CAMPAIGNS   100
#define ADS         1000 /* ten per campaign */
#define PANE_MS     10000
#define PANES_MAX   4096

static uint64_t seed;

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

struct random {
    uint64_t state;
};

static uint64_t next(struct random *r)
{
    return mix(r->state++);
}

static struct random random_of(uint64_t i)
{
    return (struct random){mix(seed ^ mix(i))};
}

/* ---- the answers */

static uint64_t records, words, views, kept, cents;
static uint64_t *seen; /* a bit per (pane or second, key) */
static int64_t rate;

static bool see(uint64_t pane, uint64_t keys, uint64_t key)
{
    uint64_t bit = pane * keys + key;
    bool was = seen[bit / 64] >> (bit % 64) & 1;

    seen[bit / 64] |= UINT64_C(1) << (bit % 64);
    return !was;
}

static bool was_seen(int64_t pane, uint64_t keys, uint64_t key)
{
    uint64_t bit = (uint64_t)pane * keys + key;

    return pane >= 0 && pane < PANES_MAX && (seen[bit / 64] >> (bit % 64) & 1);
}

static uint64_t pairs;

/* ---- a: word count */

static char vocabulary[VOCABULARY][12];

static void make_vocabulary(void)
{
    for (uint64_t w = 0; w < VOCABULARY; w++) {
        struct random r = {mix(w + 77)};
        size_t len = 3 + next(&r) % 6, at = 0;
        while (at < len)
            vocabulary[w][at++] = (char)('a' + next(&r) % 26);
        /* Two letters that no other word has, so that all are different. */
        vocabulary[w][at++] = (char)('a' + w / 26 % 26);
        vocabulary[w][at++] = (char)('a' + w % 26);
        vocabulary[w][at] = 0;
        vocabulary[w][0] = (char)('a' + w / 676);
    }
}

/* Zipf-like: the rank is geometric in the logarithm. */
static uint64_t rank(struct random *r)
{
    double u = (double)(next(r) >> 11) / 9007199254740992.0, x = 1;

    for (int i = 0; i < 8; i++) /* VOCABULARY^u without libm */
        x = u < 0.125 * i ? x : x * (u >= 0.125 * (i + 1) ? 2.9 : 1 + (u - 0.125 * i) * 15.2);
    return (uint64_t)(x - 1) % VOCABULARY;
}

static size_t make_line(uint64_t i, int64_t ms, char *into)
{
    struct random r = random_of(i);
    size_t at = 0;

    memset(into, ' ', LINE_BYTES);
    for (;;) {
        uint64_t w = rank(&r);
        size_t len = strlen(vocabulary[w]);
        if (at + len > LINE_BYTES)
            break;
        memcpy(into + at, vocabulary[w], len);
        at += len + 1;
        words++;
        pairs += see((uint64_t)(ms - START_MS) / 1000, VOCABULARY, w);
        if (at >= LINE_BYTES)
            break;
    }
    return LINE_BYTES;
}

/* ---- b: sensors */

static size_t make_event(uint64_t i, int64_t ms, char *into)
{
    struct random r = random_of(i);
    uint64_t sensor = next(&r) % SENSORS, type = next(&r) % 4, value = next(&r) % 100000;
    int n = snprintf(into, EVENT_BYTES + 1,
                     "{\"ts\":%" PRId64 ",\"sensor\":\"s%" PRIu64
                     "\",\"type\":\"%c\",\"value\":%" PRIu64 ".%02" PRIu64 ",\"pad\":\"",
                     ms, sensor, "ABCD"[type], value / 100, value % 100);

    memset(into + n, 'x', (size_t)(EVENT_BYTES - n));
    memcpy(into + EVENT_BYTES - 2, "\"}", 2);
    if (type == 0) {
        kept++;
        cents += value;
        see((uint64_t)(ms - START_MS) / PANE_MS, SENSORS, sensor);
    }
    return EVENT_BYTES;
}

/* Windows of 30 s every 10 s: one for each key and three panes in a row that have any. */
static uint64_t sliding_windows(void)
{
    uint64_t n = 0;
    int64_t panes = (int64_t)(records / (uint64_t)rate) * 1000 / PANE_MS + 1;

    for (int64_t w = -2; w < panes; w++)
        for (uint64_t s = 0; s < SENSORS; s++)
            n += was_seen(w, SENSORS, s) || was_seen(w + 1, SENSORS, s) ||
                 was_seen(w + 2, SENSORS, s);
    return n;
}

/* ---- c: Yahoo's streaming benchmark */

static void uuid(uint64_t a, char *into)
{
    uint64_t x = mix(a * 2 + 1), y = mix(a * 2 + 2);

    sprintf(into, "%08x-%04x-%04x-%04x-%012" PRIx64, (unsigned)(x >> 32),
            (unsigned)(x >> 16 & 0xffff), (unsigned)(x & 0xffff), (unsigned)(y >> 48),
            y & UINT64_C(0xffffffffffff));
}

static size_t make_ad_event(uint64_t i, int64_t ms, char *into)
{
    static const char *const ad_types[] = {"banner", "modal", "sponsored-search", "mail", "mobile"};
    static const char *const types[] = {"view", "click", "purchase"};
    struct random r = random_of(i);
    char user[40], page[40], ad[40];
    uint64_t number = next(&r) % ADS, type = next(&r) % 3;

    uuid(1000000 + next(&r) % 100, user);
    uuid(2000000 + next(&r) % 100, page);
    uuid(3000000 + number, ad);
    if (type == 0) {
        views++;
        pairs += see((uint64_t)(ms - START_MS) / PANE_MS, CAMPAIGNS, number / (ADS / CAMPAIGNS));
    }
    return (size_t)sprintf(into,
                           "{\"user_id\": \"%s\", \"page_id\": \"%s\", \"ad_id\": \"%s\", "
                           "\"ad_type\": \"%s\", \"event_type\": \"%s\", \"event_time\": "
                           "\"%" PRId64 "\", \"ip_address\": \"1.2.3.4\"}",
                           user, page, ad, ad_types[next(&r) % 5], types[type], ms);
}

static int print_ads(void)
{
    puts("ad_id,campaign_id");
    for (uint64_t a = 0; a < ADS; a++) {
        char ad[40], campaign[40];
        uuid(3000000 + a, ad);
        uuid(4000000 + a / (ADS / CAMPAIGNS), campaign);
        printf("%s,%s\n", ad, campaign);
    }
    return 0;
}

/* ---- writing */

static const struct workload {
    const char *name, *topic;
    int64_t rate;  /* records per second of record time */
    uint64_t keys; /* for `seen` */
    size_t (*make)(uint64_t i, int64_t ms, char *into);
} workloads[] = {
    {"wc", "bench.wc", 200000, VOCABULARY, make_line},
    {"sensors", "bench.sensors", 50000, SENSORS, make_event},
    {"ysb", "bench.ysb", 50000, CAMPAIGNS, make_ad_event},
};

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk, (void)opaque;
    if (!m->err)
        return;
    fprintf(stderr, "cannot write: %s\n", rd_kafka_err2str(m->err));
    exit(1);
}

static rd_kafka_t *open_producer(const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[200];

    rd_kafka_conf_set(conf, "bootstrap.servers", brokers, NULL, 0);
    rd_kafka_conf_set(conf, "linger.ms", "50", NULL, 0);
    rd_kafka_conf_set(conf, "queue.buffering.max.messages", "200000", NULL, 0);
    rd_kafka_conf_set(conf, "enable.idempotence", "true", NULL, 0);
    rd_kafka_conf_set(conf, "delivery.report.only.error", "true", NULL, 0);
    rd_kafka_conf_set_dr_msg_cb(conf, on_report);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    if (!rk) {
        fprintf(stderr, "%s\n", text);
        exit(1);
    }
    return rk;
}

static void make_topic(rd_kafka_t *rk, const char *name)
{
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(name, BENCH_PARTITIONS, 1, NULL, 0);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);

    rd_kafka_NewTopic_set_config(t, "retention.ms", "-1");
    rd_kafka_CreateTopics(rk, &t, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 30000);
    if (!event || rd_kafka_event_error(event)) {
        fprintf(stderr, "cannot make topic '%s'\n", name);
        exit(1);
    }
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(t);
}

static void write_one(rd_kafka_t *rk, rd_kafka_topic_t *topic, int32_t partition, char *value,
                      size_t len, int64_t ms)
{
    rd_kafka_vu_t vus[] = {
        {.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = topic},
        {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
        {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
        {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value, len}},
        {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = ms},
    };
    rd_kafka_error_t *error;

    while ((error = rd_kafka_produceva(rk, vus, 5))) {
        if (rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
            fprintf(stderr, "cannot write: %s\n", rd_kafka_error_string(error));
            exit(1);
        }
        rd_kafka_error_destroy(error);
        rd_kafka_poll(rk, 1);
    }
}

static void fill(const struct workload *w, const char *brokers)
{
    rd_kafka_t *rk = open_producer(brokers);
    char value[512];

    make_topic(rk, w->topic);
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, w->topic, NULL);
    for (uint64_t i = 0; i < records; i++) {
        int64_t ms = START_MS + (int64_t)i * 1000 / w->rate;
        size_t len = w->make(i, ms, value);
        write_one(rk, topic, (int32_t)(i % BENCH_PARTITIONS), value, len, ms);
    }
    if (rd_kafka_flush(rk, 120000) != 0) {
        fprintf(stderr, "the broker does not take the records\n");
        exit(1);
    }
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(rk);
}

static void print_totals(const struct workload *w)
{
    printf("{\"records\": %" PRIu64, records);
    if (w->make == make_line)
        printf(", \"words\": %" PRIu64 ", \"pairs\": %" PRIu64, words, pairs);
    else if (w->make == make_event)
        printf(", \"count\": %" PRIu64 ", \"cents\": %" PRIu64 ", \"pairs\": %" PRIu64, kept * 3,
               cents * 3, sliding_windows());
    else
        printf(", \"views\": %" PRIu64 ", \"pairs\": %" PRIu64, views, pairs);
    printf("}\n");
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "ads") == 0)
        return print_ads();
    for (size_t i = 0; argc == 5 && i < sizeof workloads / sizeof *workloads; i++) {
        const struct workload *w = &workloads[i];
        if (strcmp(argv[2], w->name) != 0)
            continue;
        records = strtoull(argv[3], NULL, 10);
        seed = strtoull(argv[4], NULL, 10);
        rate = w->rate;
        if (records / (uint64_t)w->rate >= PANES_MAX) {
            fprintf(stderr, "at most %" PRIu64 " records\n", PANES_MAX * (uint64_t)w->rate - 1);
            return 2;
        }
        seen = calloc(PANES_MAX * w->keys / 64 + 1, sizeof *seen);
        make_vocabulary();
        fill(w, argv[1]);
        print_totals(w);
        return 0;
    }
    fprintf(stderr, "usage: generate BROKERS wc|sensors|ysb RECORDS SEED | generate ads SEED\n");
    return 2;
}
