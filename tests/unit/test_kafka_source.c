/*
 * test_kafka_source.c - connectors/kafka on librdkafka's mock cluster.
 *
 * What the mock cannot do (transactions, times, retention, access rules) is tested on a real
 * broker, in tests/kafka.
 */
#include "kafka_mock.h"
#include "leat_test.h"
#include "pull_client.h"
#include "source_contract.h"

#include <stdio.h>

#define TOPIC      "orders"
#define MOCK_WAIT  "rdkafka.fetch.wait.max.ms=10" /* the mock has no long poll */
#define WANT_BYTES 65536

#define err pull_error /* whose text OK() shows */

static struct kafka_mock mock;

/* ---- the contract */

static void fill_contract(void)
{
    static const char *const lines[SOURCE_LINES] = {"first", "second", "", "fourth line", "fifth"};

    kafka_mock_start(&mock, TOPIC, 1);
    for (int i = 0; i < SOURCE_LINES; i++)
        plain_write(mock.bootstrap, TOPIC, 0, NULL, lines[i], 0, NULL);
}

static struct source_case contract(void)
{
    static const char *good[8], *bad[8];

    memcpy(good, (const char *[]){mock.setting, "topic=" TOPIC, "start=earliest", MOCK_WAIT, NULL},
           5 * sizeof *good);
    memcpy(bad, (const char *[]){mock.setting, "topic=" TOPIC, "start=soon", NULL},
           4 * sizeof *bad);
    return (struct source_case){.name = "kafka", .good = good, .bad = bad};
}

static void run_contract(void (*test)(const struct source_case *c))
{
    fill_contract();
    struct source_case c = contract();
    test(&c);
    kafka_mock_stop(&mock);
}

static void close_after_failed_open(void)
{
    run_contract(contract_close_after_failed_open);
}

static void ranges_join_without_gap(void)
{
    run_contract(contract_ranges_join_without_gap);
}

static void any_position_can_be_read_again(void)
{
    run_contract(contract_any_position_can_be_read_again);
}

/* ---- */

static void start(struct pull_client *c, int partitions)
{
    kafka_mock_start(&mock, TOPIC, partitions);
    pull_init(
        c, "kafka",
        (const char *const[]){mock.setting, "topic=" TOPIC, "start=earliest", MOCK_WAIT, NULL});
    pull_open(c);
}

static void stop(struct pull_client *c)
{
    pull_close(c);
    kafka_mock_stop(&mock);
}

struct seen {
    struct plain_row rows[8];
    char headers[64];
    size_t headers_len;
    bool has_key[8], has_value[8];
    int count;
};

static void see(const struct leat_row *row, void *arg)
{
    struct seen *s = arg;
    struct plain_row *r = &s->rows[s->count];

    s->has_key[s->count] = row->key.ptr != NULL;
    s->has_value[s->count] = row->value.ptr != NULL;
    snprintf(r->key, sizeof r->key, "%.*s", LEAT_FMT(row->key));
    snprintf(r->value, sizeof r->value, "%.*s", LEAT_FMT(row->value));
    r->time_ms = row->time_ms;
    r->offset = row->position;
    if (row->headers.len && row->headers.len < sizeof s->headers) {
        memcpy(s->headers, row->headers.ptr, row->headers.len);
        s->headers_len = row->headers.len;
    }
    s->count++;
}

static void keys_times_headers_and_tombstones_come_through(void)
{
    struct pull_client c;
    struct seen seen = {0};
    rd_kafka_headers_t *headers = rd_kafka_headers_new(2);
    static const char encoded[] =
        "\3\0\0\0\4\0\0\0kind\3\0\0\0new\1\0\0\0x\0\0\0\0\1\0\0\0y\377\377\377\377";

    start(&c, 1);
    rd_kafka_header_add(headers, "kind", -1, "new", -1);
    rd_kafka_header_add(headers, "x", -1, "", 0);
    rd_kafka_header_add(headers, "y", -1, NULL, 0);
    plain_write(mock.bootstrap, TOPIC, 0, "k1", "v1", 1234567890123, headers);
    plain_write(mock.bootstrap, TOPIC, 0, "k2", NULL, 5, NULL);
    plain_write(mock.bootstrap, TOPIC, 0, NULL, "", 6, NULL);
    OK(pull_partitions(&c));
    CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, NULL, see, &seen), 3);
    CU_ASSERT_STRING_EQUAL(seen.rows[0].key, "k1");
    CU_ASSERT_STRING_EQUAL(seen.rows[0].value, "v1");
    CU_ASSERT_EQUAL(seen.rows[0].time_ms, 1234567890123);
    CU_ASSERT_EQUAL(seen.headers_len, sizeof encoded - 1);
    CU_ASSERT_EQUAL(memcmp(seen.headers, encoded, seen.headers_len), 0);
    CU_ASSERT(seen.has_key[1] && !seen.has_value[1]);
    CU_ASSERT(!seen.has_key[2] && seen.has_value[2]);
    stop(&c);
}

/* As a store's writer leaves it: the time that a row has of itself stands before its headers. */
static void a_row_of_a_store_is_as_it_was_received(void)
{
    struct pull_client c;
    struct seen seen = {0};
    int64_t next = 0;
    rd_kafka_headers_t *timed = rd_kafka_headers_new(2), *none = rd_kafka_headers_new(2),
                       *other = rd_kafka_headers_new(1);
    static const char one[] = "\1\0\0\0\4\0\0\0kind\3\0\0\0new",
                      named[] = "\1\0\0\0\11\0\0\0leat.time\1\0\0\0007";

    start(&c, 1);
    c.kept = c.no_headers = true;
    rd_kafka_header_add(timed, "leat.time", -1, "1234567890123", -1);
    rd_kafka_header_add(timed, "kind", -1, "new", -1);
    rd_kafka_header_add(none, "leat.time", -1, "", 0);
    rd_kafka_header_add(none, "leat.time", -1, "7", -1);
    rd_kafka_header_add(other, "kind", -1, "new", -1);
    plain_write(mock.bootstrap, TOPIC, 0, "k", "v", 99, timed);
    OK(pull_partitions(&c));
    CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, &next, see, &seen), 1);
    CU_ASSERT_EQUAL(seen.rows[0].time_ms, 1234567890123);
    CU_ASSERT_EQUAL(seen.headers_len, sizeof one - 1);
    CU_ASSERT_EQUAL(memcmp(seen.headers, one, seen.headers_len), 0);
    plain_write(mock.bootstrap, TOPIC, 0, NULL, "v", 99, other);
    plain_write(mock.bootstrap, TOPIC, 0, NULL, "v", 99, none);
    while (next < 3) /* a fetch that waited may end between the two */
        pull_read(&c, 0, next, WANT_BYTES, &next, see, &seen);
    CU_ASSERT_EQUAL(seen.rows[1].time_ms, LEAT_NO_TIME);
    CU_ASSERT_EQUAL(seen.rows[2].time_ms, LEAT_NO_TIME);
    CU_ASSERT_EQUAL(seen.headers_len, sizeof named - 1);
    CU_ASSERT_EQUAL(memcmp(seen.headers, named, seen.headers_len), 0);
    stop(&c);
}

static void headers_nobody_looks_at_are_left_out(void)
{
    struct pull_client c;
    struct seen seen = {0};
    rd_kafka_headers_t *headers = rd_kafka_headers_new(1);

    start(&c, 1);
    c.no_headers = true;
    rd_kafka_header_add(headers, "kind", -1, "new", -1);
    plain_write(mock.bootstrap, TOPIC, 0, "k1", "v1", 0, headers);
    OK(pull_partitions(&c));
    CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, NULL, see, &seen), 1);
    CU_ASSERT_EQUAL(seen.headers_len, 0);
    stop(&c);
}

static void the_end_is_told_once_and_then_waited_at(void)
{
    struct pull_client c;
    struct pull_answer a;

    start(&c, 1);
    plain_write(mock.bootstrap, TOPIC, 0, NULL, "one", 0, NULL);
    OK(pull_partitions(&c));
    CU_ASSERT_EQUAL(c.parts[0].end, 1);
    CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, NULL, NULL, NULL), 1);
    pull_begin(&c, &a, 0, 1, WANT_BYTES);
    plain_write(mock.bootstrap, TOPIC, 0, NULL, "two", 0, NULL);
    pull_await(&a);
    CU_ASSERT_PTR_NOT_NULL_FATAL(a.block);
    CU_ASSERT_EQUAL(a.block->rows_hint, 1);
    leat_block_unref(a.block);
    stop(&c);
}

static void what_comes_before_its_time_is_gathered_into_one_block(void)
{
    struct pull_client c;
    struct pull_answer a;

    start(&c, 1);
    OK(pull_partitions(&c));
    CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, NULL, NULL, NULL), 0);
    c.by_ms = leat_clock_monotonic_ms(&leat_clock_system) + 3600 * 1000;
    pull_begin(&c, &a, 0, 0, 256);
    for (int i = 0; i < 3; i++)
        plain_write(mock.bootstrap, TOPIC, 0, NULL, "thirty bytes, in each of those", 0, NULL);
    CU_ASSERT_FALSE(pull_has_answer(&a));
    plain_write_many(mock.bootstrap, TOPIC, 0, "thirty bytes, in each of those", 10);
    pull_await(&a); /* full, long before its time */
    CU_ASSERT_PTR_NOT_NULL_FATAL(a.block);
    CU_ASSERT_EQUAL(a.block->rows_hint, 256 / (LEAT_FRAME_BYTES + 30));
    leat_block_unref(a.block);
    stop(&c);
}

static void a_fetch_of_few_rows_gets_no_more(void)
{
    struct pull_client c;
    int64_t from = 0;

    start(&c, 1);
    plain_write_many(mock.bootstrap, TOPIC, 0, "ten bytes!", 100);
    OK(pull_partitions(&c));
    c.max_rows = 7;
    while (from < 100) {
        struct leat_block *b = pull_fetch(&c, 0, from, 65536);
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        CU_ASSERT(b->rows_hint <= 7 && b->to - b->from <= 7);
        from = b->to;
        leat_block_unref(b);
    }
    CU_ASSERT_EQUAL(from, 100);
    stop(&c);
}

static void an_empty_partition_is_at_its_end(void)
{
    struct pull_client c;

    start(&c, 2);
    OK(pull_partitions(&c));
    struct leat_block *b = pull_fetch(&c, 1, 0, WANT_BYTES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT(b->at_end && b->rows_hint == 0 && b->to == 0);
    leat_block_unref(b);
    stop(&c);
}

static void close_answers_what_waits(void)
{
    struct pull_client c;
    struct pull_answer a;

    start(&c, 1);
    OK(pull_partitions(&c));
    struct leat_block *b = pull_fetch(&c, 0, 0, WANT_BYTES);
    leat_block_unref(b);
    pull_begin(&c, &a, 0, 0, WANT_BYTES);
    CU_ASSERT(!pull_has_answer(&a));
    stop(&c);
    pull_await(&a);
    CU_ASSERT_EQUAL(a.error.status, LEAT_E_ABORTED);
}

static void a_partition_nobody_wants_is_answered_and_dropped(void)
{
    struct pull_client c;
    struct pull_answer a;

    start(&c, 1);
    OK(pull_partitions(&c));
    leat_block_unref(pull_fetch(&c, 0, 0, WANT_BYTES));
    pull_begin(&c, &a, 0, 0, WANT_BYTES);
    c.i.module->pull->lost(c.i.self, 0);
    pull_await(&a);
    CU_ASSERT_EQUAL(a.error.status, LEAT_E_ABORTED);
    plain_write(mock.bootstrap, TOPIC, 0, NULL, "later", 0, NULL);
    CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, NULL, NULL, NULL), 1);
    stop(&c);
}

#define MANY 20000

static void check_order(const struct leat_row *row, void *arg)
{
    int64_t *next = arg;

    CU_ASSERT_EQUAL(row->position, *next);
    *next = row->position + 1;
}

static void all_partitions_are_read_side_by_side_in_order(void)
{
    struct pull_client c;
    struct pull_answer a[4];
    int64_t next[4] = {0};

    start(&c, 4);
    for (int p = 0; p < 4; p++)
        plain_write_many(mock.bootstrap, TOPIC, p, "ten bytes!", MANY);
    OK(pull_partitions(&c));
    for (uint32_t p = 0; p < 4; p++)
        pull_begin(&c, &a[p], p, 0, WANT_BYTES);
    for (uint32_t p = 0; p < 4; p++) {
        pull_await(&a[p]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(a[p].block);
        next[p] = a[p].block->to;
        leat_block_unref(a[p].block);
        pull_read(&c, p, next[p], WANT_BYTES, NULL, check_order, &next[p]);
        CU_ASSERT_EQUAL(next[p], MANY);
    }
    stop(&c);
}

static void jumping_back_and_forth_never_skips_a_record(void)
{
    struct pull_client c;
    unsigned seed = 4711;

    start(&c, 1);
    plain_write_many(mock.bootstrap, TOPIC, 0, "ten bytes!", MANY);
    OK(pull_partitions(&c));
    for (int i = 0; i < 60; i++) {
        int64_t from = rand_r(&seed) % MANY, next = from;
        struct leat_block *b = pull_fetch(&c, 0, from, 4096);
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        CU_ASSERT_EQUAL(b->to - b->from, b->rows_hint);
        next = b->to;
        leat_block_unref(b);
        b = pull_fetch(&c, 0, next, 4096);
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        CU_ASSERT_EQUAL(b->to - b->from, b->rows_hint);
        leat_block_unref(b);
    }
    stop(&c);
}

static void the_budget_bounds_what_is_read_ahead(void)
{
    struct pull_client c;
    struct leat_block *held[64];
    int n = 0;

    kafka_mock_start(&mock, TOPIC, 1);
    pull_init(
        &c, "kafka",
        (const char *const[]){mock.setting, "topic=" TOPIC, "start=earliest", MOCK_WAIT, NULL});
    c.i.budget.cap = 300000;
    pull_open(&c);
    plain_write_many(mock.bootstrap, TOPIC, 0, "ten bytes!", MANY);
    OK(pull_partitions(&c));
    int64_t next = 0;
    while ((held[n] = pull_fetch(&c, 0, next, 32768)))
        next = held[n++]->to;
    CU_ASSERT_EQUAL(pull_error.status, LEAT_E_FULL);
    CU_ASSERT(atomic_load(&c.i.budget.peak) <= 300000);
    while (n > 0)
        leat_block_unref(held[--n]);
    pull_read(&c, 0, next, 32768, NULL, check_order, &next);
    CU_ASSERT_EQUAL(next, MANY);
    stop(&c);
}

static void a_broker_that_is_away_is_said_and_waited_for(void)
{
    struct pull_client c;

    pull_init(&c, "kafka", (const char *const[]){"brokers=127.0.0.1:1", "topic=" TOPIC, NULL});
    pull_open(&c);
    CU_ASSERT_EQUAL(pull_partitions(&c), LEAT_E_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(pull_error.text, "Connection refused"));
    pull_close(&c);
}

static void a_cluster_that_hangs_does_not_hold_up_the_job(void)
{
    struct pull_client c;
    struct timespec before, after;

    start(&c, 1);
    OK(pull_partitions(&c));
    rd_kafka_mock_broker_set_rtt(mock.broker.cluster, 1, 20000);
    clock_gettime(CLOCK_MONOTONIC, &before);
    CU_ASSERT(leat_status_is_transient(pull_partitions(&c)));
    clock_gettime(CLOCK_MONOTONIC, &after);
    CU_ASSERT(after.tv_sec - before.tv_sec < 3);
    CU_ASSERT_EQUAL(c.parts_count, 1);
    rd_kafka_mock_broker_set_rtt(mock.broker.cluster, 1, 0);
    stop(&c);
}

static void committed_positions_win_over_start(void)
{
    struct pull_client c;
    const struct leat_position at = {LEAT_LIT(TOPIC "/1"), 2};

    start(&c, 2);
    for (int p = 0; p < 2; p++)
        plain_write_many(mock.bootstrap, TOPIC, p, "x", 3);
    OK(pull_partitions(&c));
    CU_ASSERT(!c.parts[1].committed && c.parts[1].first == 0);
    OK(c.i.module->pull->commit(c.i.self, 7, &(struct leat_positions){&at, 1}, &pull_error));
    pull_close(&c);
    pull_init(&c, "kafka",
              (const char *const[]){mock.setting, "topic=" TOPIC, "start=latest", MOCK_WAIT, NULL});
    pull_open(&c);
    OK(pull_partitions(&c));
    CU_ASSERT(c.parts[1].committed && c.parts[1].first == 2);
    CU_ASSERT(c.parts[0].committed && c.parts[0].first == 0); /* the first commit has them all */
    stop(&c);
}

static void a_position_that_could_not_be_committed_goes_with_the_next_batch(void)
{
    struct pull_client c;
    const struct leat_position one = {LEAT_LIT(TOPIC "/1"), 2}, other = {LEAT_LIT(TOPIC "/0"), 3};

    start(&c, 2);
    for (int p = 0; p < 2; p++)
        plain_write_many(mock.bootstrap, TOPIC, p, "x", 3);
    OK(pull_partitions(&c));
    rd_kafka_mock_push_request_errors(mock.broker.cluster, 8 /* OffsetCommit */, 1,
                                      RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
    const struct leat_pull *pull = c.i.module->pull;
    CU_ASSERT_NOT_EQUAL(pull->commit(c.i.self, 1, &(struct leat_positions){&one, 1}, &pull_error),
                        LEAT_OK);
    OK(pull->commit(c.i.self, 2, &(struct leat_positions){&other, 1}, &pull_error));
    pull_close(&c);
    pull_init(&c, "kafka", (const char *const[]){mock.setting, "topic=" TOPIC, MOCK_WAIT, NULL});
    pull_open(&c);
    OK(pull_partitions(&c));
    CU_ASSERT(c.parts[1].committed && c.parts[1].first == 2);
    CU_ASSERT(c.parts[0].committed && c.parts[0].first == 3);
    stop(&c);
}

static void several_topics_and_a_pattern(void)
{
    struct pull_client c;

    kafka_mock_start(&mock, "orders.eu", 2);
    OK(leat_mock_broker_topic(&mock.broker, "orders.us", 1, &pull_error));
    OK(leat_mock_broker_topic(&mock.broker, "users", 1, &pull_error));
    pull_init(&c, "kafka",
              (const char *const[]){mock.setting, "topics=/^orders\\..*$/", MOCK_WAIT, NULL});
    pull_open(&c);
    OK(pull_partitions(&c));
    CU_ASSERT_EQUAL(c.parts_count, 3);
    CU_ASSERT_EQUAL(pull_part(&c, "orders.us/0")->number, 0);
    uint32_t id = pull_part(&c, "orders.eu/1")->id;
    OK(pull_partitions(&c));
    CU_ASSERT_EQUAL(c.parts_count, 3);
    CU_ASSERT_EQUAL(pull_part(&c, "orders.eu/1")->id, id);
    stop(&c);
}

static void a_position_that_is_gone_is_lost_with_both_ranges(void)
{
    struct pull_client c;

    start(&c, 1);
    plain_write(mock.bootstrap, TOPIC, 0, NULL, "one", 0, NULL);
    OK(pull_partitions(&c));
    CU_ASSERT_PTR_NULL(pull_fetch(&c, 0, 500, WANT_BYTES));
    CU_ASSERT_EQUAL(pull_error.status, LEAT_E_LOST);
    CU_ASSERT_PTR_NOT_NULL(strstr(pull_error.text, "position 500 of 'orders/0'"));
    CU_ASSERT_PTR_NOT_NULL(strstr(pull_error.text, "0 to 0"));
    CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, NULL, NULL, NULL), 1);
    stop(&c);
}

static void on_lost_earliest_begins_below_a_position_behind_the_end(void)
{
    struct pull_client c;

    start(&c, 2);
    plain_write_many(mock.bootstrap, TOPIC, 0, "ten bytes!", 3);
    OK(pull_partitions(&c));
    CU_ASSERT_PTR_NULL(pull_fetch(&c, 0, 500, WANT_BYTES));
    c.earliest = true;
    struct leat_block *b = pull_fetch(&c, 0, 500, WANT_BYTES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT_EQUAL(b->from, 0);
    int64_t to = b->to; /* a block need not hold all that there is */
    leat_block_unref(b);
    CU_ASSERT(to > 0);
    CU_ASSERT_EQUAL(to + pull_read(&c, 0, to, WANT_BYTES, NULL, NULL, NULL), 3);
    b = pull_fetch(&c, 1, 500, WANT_BYTES); /* a partition without a record */
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    CU_ASSERT(b->from == 0 && b->to == 0 && b->at_end);
    leat_block_unref(b);
    c.earliest = false;
    CU_ASSERT_EQUAL(pull_read(&c, 0, 1, WANT_BYTES, NULL, NULL, NULL), 2);
    stop(&c);
}

static void fetch_errors_of_the_broker_heal(void)
{
    struct pull_client c;

    start(&c, 1);
    plain_write(mock.bootstrap, TOPIC, 0, NULL, "one", 0, NULL);
    OK(pull_partitions(&c));
    rd_kafka_mock_push_request_errors(
        mock.broker.cluster, 1 /* Fetch */, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR);
    CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, NULL, NULL, NULL), 1);
    stop(&c);
}

/* Our own allocations: librdkafka ends the process when it has no memory. */
static enum leat_status open_and_read_one_block(struct pull_client *c)
{
    const struct leat_pull *pull = c->i.module->pull;
    struct leat_block *b = NULL;

    if (pull->open(c->i.self, &c->i.env, &pull_error) != LEAT_OK || pull_partitions(c) != LEAT_OK)
        return pull_error.status;
    while (!b && (b = pull_fetch(c, 0, 0, WANT_BYTES)) && b->from == b->to) {
        leat_block_unref(b); /* the end, before the records have come */
        b = NULL;
    }
    if (!b)
        return pull_error.status;
    CU_ASSERT(b->rows_hint > 0 && b->rows_hint <= 3);
    leat_block_unref(b);
    return LEAT_OK;
}

static void lack_of_memory_is_said_and_leaves_nothing_behind(void)
{
    int failures = 0;

    kafka_mock_start(&mock, TOPIC, 1);
    plain_write_many(mock.bootstrap, TOPIC, 0, "x", 3);
    LEAT_OOM_SWEEP {
        struct pull_client c;
        pull_init(
            &c, "kafka",
            (const char *const[]){mock.setting, "topic=" TOPIC, "start=earliest", MOCK_WAIT, NULL});
        enum leat_status status = open_and_read_one_block(&c);
        CU_ASSERT(status == LEAT_OK || leat_oom_hit());
        CU_ASSERT(status == LEAT_OK || status == LEAT_E_NOMEM || status == LEAT_E_FULL);
        failures += status != LEAT_OK;
        pull_close(&c);
    }
    CU_ASSERT(failures >= 5);
    kafka_mock_stop(&mock);
}

static void wrong_options_are_found_without_a_broker(void)
{
    static const char *const wrong[][4] = {
        {"brokers=a:1", NULL},
        {"brokers=a:1", "topic=a", "topics=b", NULL},
        {"brokers=a:1", "topics=/[/", NULL},
        {"brokers=a:1", "topic=a", "start=2026", NULL},
        {"brokers=a:1", "topic=a", "rdkafka.no.such=1", NULL},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct pull_client c;
        pull_init(&c, "kafka", wrong[i]);
        CU_ASSERT_EQUAL(c.i.module->check(c.i.self, &pull_error), LEAT_E_CONFIG);
        instance_fini(&c.i);
    }
}

LEAT_TESTS("kafka_source", T(close_after_failed_open), T(ranges_join_without_gap),
           T(any_position_can_be_read_again), T(keys_times_headers_and_tombstones_come_through),
           T(a_row_of_a_store_is_as_it_was_received), T(headers_nobody_looks_at_are_left_out),
           T(the_end_is_told_once_and_then_waited_at),
           T(what_comes_before_its_time_is_gathered_into_one_block),
           T(a_fetch_of_few_rows_gets_no_more), T(an_empty_partition_is_at_its_end),
           T(close_answers_what_waits), T(a_partition_nobody_wants_is_answered_and_dropped),
           T(all_partitions_are_read_side_by_side_in_order),
           T(jumping_back_and_forth_never_skips_a_record), T(the_budget_bounds_what_is_read_ahead),
           T(a_broker_that_is_away_is_said_and_waited_for), T(committed_positions_win_over_start),
           T(a_position_that_could_not_be_committed_goes_with_the_next_batch),
           T(several_topics_and_a_pattern), T(a_position_that_is_gone_is_lost_with_both_ranges),
           T(on_lost_earliest_begins_below_a_position_behind_the_end),
           T(a_cluster_that_hangs_does_not_hold_up_the_job), T(fetch_errors_of_the_broker_heal),
           T(lack_of_memory_is_said_and_leaves_nothing_behind),
           T(wrong_options_are_found_without_a_broker))
