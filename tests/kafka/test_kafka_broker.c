/*
 * test_kafka_broker.c - the Kafka source and sink on a real Apache Kafka.
 */
#include "broker.h"
#include "kafka_mock.h"
#include "leat_test.h"
#include "pull_client.h"

#include <stdio.h>
#include <time.h>

#define err        pull_error /* whose text OK() shows */
#define WANT_BYTES 65536

static void open_source(struct pull_client *c, const char *const *settings)
{
    pull_init(c, "kafka", settings);
    pull_open(c);
}

/* Ask again until it works or 30 s have passed; the engine does the same with pauses. */
static enum leat_status ask_until_ok(struct pull_client *c)
{
    time_t start = time(NULL);
    enum leat_status status;

    do
        status = pull_partitions(c);
    while (status != LEAT_OK && leat_status_is_transient(status) && time(NULL) - start < 30);
    return status;
}

/* ---- where it begins */

static void a_time_finds_the_first_record_at_or_after_it(void)
{
    struct pull_client c;
    char start[64];
    struct tm tm;
    time_t hour_ago = time(NULL) - 3600; /* what is much older, retention takes away */

    BROKER_OR_SKIP(b, "");
    broker_topic(b, "times", 1, NULL);
    for (int64_t i = 0; i < 10; i++)
        plain_write(b->address, "times", 0, NULL, "x", (hour_ago + i) * 1000, NULL);
    hour_ago += 4;
    strftime(start, sizeof start, "start=%Y-%m-%dT%H:%M:%SZ", gmtime_r(&hour_ago, &tm));
    open_source(&c, (const char *const[]){b->setting, "topic=times", start, NULL});
    OK(ask_until_ok(&c));
    CU_ASSERT_EQUAL(c.parts[0].first, 4);
    CU_ASSERT_EQUAL(c.parts[0].end, 10);
    CU_ASSERT_EQUAL(pull_read(&c, 0, 4, WANT_BYTES, NULL, NULL, NULL), 6);
    pull_close(&c);
}

static void latest_is_kept_as_a_committed_position(void)
{
    struct pull_client c;
    char metadata[64];

    BROKER_OR_SKIP(b, "");
    broker_topic(b, "latest", 1, NULL);
    plain_write_many(b->address, "latest", 0, "x", 5);
    open_source(&c, (const char *const[]){b->setting, "topic=latest", NULL});
    OK(ask_until_ok(&c));
    CU_ASSERT_EQUAL(c.parts[0].first, 5);
    pull_close(&c);
    CU_ASSERT_EQUAL(broker_committed(b, "leat-test", "latest", 0, metadata, sizeof metadata), 5);
    plain_write_many(b->address, "latest", 0, "x", 2); /* while no leat runs */
    open_source(&c, (const char *const[]){b->setting, "topic=latest", NULL});
    OK(ask_until_ok(&c));
    CU_ASSERT(c.parts[0].committed && c.parts[0].first == 5);
    pull_close(&c);
}

static void committed_positions_carry_the_batch(void)
{
    struct pull_client c;
    char metadata[64];
    const struct leat_position at = {LEAT_LIT("commits/0"), 3};

    BROKER_OR_SKIP(b, "");
    broker_topic(b, "commits", 2, NULL);
    plain_write_many(b->address, "commits", 0, "x", 5);
    open_source(&c, (const char *const[]){b->setting, "topic=commits", "start=earliest", NULL});
    OK(ask_until_ok(&c));
    OK(c.i.module->pull->commit(c.i.self, 42, &(struct leat_positions){&at, 1}, &pull_error));
    CU_ASSERT_EQUAL(broker_committed(b, "leat-test", "commits", 0, metadata, sizeof metadata), 3);
    CU_ASSERT_STRING_EQUAL(metadata, "leat/-/0/42");
    CU_ASSERT_EQUAL(broker_committed(b, "leat-test", "commits", 1, metadata, sizeof metadata), 0);
    pull_close(&c);
}

/* ---- topics come and go */

static void partitions_that_were_added_are_read_from_their_beginning(void)
{
    struct pull_client c;

    BROKER_OR_SKIP(b, "");
    broker_topic(b, "grows", 1, NULL);
    plain_write_many(b->address, "grows", 0, "x", 5);
    open_source(&c, (const char *const[]){b->setting, "topic=grows", "start=latest", NULL});
    OK(ask_until_ok(&c));
    CU_ASSERT_EQUAL(c.parts[0].first, 5);
    broker_add_partitions(b, "grows", 2);
    plain_write_many(b->address, "grows", 1, "x", 3);
    OK(ask_until_ok(&c));
    CU_ASSERT_EQUAL_FATAL(c.parts_count, 2);
    CU_ASSERT_EQUAL(c.parts[1].first, 0);
    CU_ASSERT_EQUAL(pull_read(&c, 1, 0, WANT_BYTES, NULL, NULL, NULL), 3);
    pull_close(&c);
}

static void a_missing_topic_is_waited_for_and_read_from_its_beginning(void)
{
    struct pull_client c;

    BROKER_OR_SKIP(b, "");
    open_source(&c, (const char *const[]){b->setting, "topic=later", "start=latest", NULL});
    CU_ASSERT_EQUAL(pull_partitions(&c), LEAT_E_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(pull_error.text, "there is no topic 'later'"));
    broker_topic(b, "later", 1, NULL);
    plain_write_many(b->address, "later", 0, "x", 4);
    OK(ask_until_ok(&c));
    CU_ASSERT_EQUAL(c.parts[0].first, 0);
    CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, NULL, NULL, NULL), 4);
    pull_close(&c);
}

static void a_topic_that_is_deleted_is_said_and_one_made_anew_is_lost(void)
{
    struct pull_client c;
    struct leat_block *block;

    BROKER_OR_SKIP(b, "");
    broker_topic(b, "reborn", 1, NULL);
    plain_write_many(b->address, "reborn", 0, "x", 5);
    open_source(&c, (const char *const[]){b->setting, "topic=reborn", "start=earliest", NULL});
    OK(ask_until_ok(&c));
    CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, NULL, NULL, NULL), 5);
    broker_delete_topic(b, "reborn");
    CU_ASSERT_EQUAL(pull_partitions(&c), LEAT_E_UNREACHABLE);
    broker_topic(b, "reborn", 1, NULL);
    plain_write_many(b->address, "reborn", 0, "x", 2);
    time_t start = time(NULL);
    do {
        pull_partitions(&c);
        block = pull_fetch(&c, 0, 5, WANT_BYTES);
        leat_block_unref(block);
    } while ((block || leat_status_is_transient(pull_error.status)) && time(NULL) - start < 60);
    CU_ASSERT_EQUAL(pull_error.status, LEAT_E_LOST);
    CU_ASSERT_PTR_NOT_NULL(strstr(pull_error.text, "0 to 1"));
    pull_close(&c);
}

static void records_that_retention_took_are_lost_with_both_ranges(void)
{
    struct pull_client c;

    BROKER_OR_SKIP(b, "");
    broker_topic(b, "expires", 1, NULL);
    plain_write_many(b->address, "expires", 0, "x", 10);
    broker_delete_records(b, "expires", 0, 6);
    open_source(&c, (const char *const[]){b->setting, "topic=expires", "start=earliest", NULL});
    OK(ask_until_ok(&c));
    CU_ASSERT_EQUAL(c.parts[0].first, 6);
    CU_ASSERT_PTR_NULL(pull_fetch(&c, 0, 2, WANT_BYTES));
    CU_ASSERT_EQUAL(pull_error.status, LEAT_E_LOST);
    CU_ASSERT_PTR_NOT_NULL(strstr(pull_error.text, "positions 2 to 5 of 'expires/0'"));
    CU_ASSERT_PTR_NOT_NULL(strstr(pull_error.text, "6 to 9"));
    c.earliest = true;
    struct leat_block *block = pull_fetch(&c, 0, 2, WANT_BYTES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    CU_ASSERT(block->from == 2 && block->to == 10); /* with a gap */
    CU_ASSERT_EQUAL(block->rows_hint, 4);
    leat_block_unref(block);
    c.earliest = false;
    CU_ASSERT_EQUAL(pull_read(&c, 0, 6, WANT_BYTES, NULL, NULL, NULL), 4);
    pull_close(&c);
}

/* ---- transactions */

static void count_bad(const struct leat_row *row, void *arg)
{
    *(int *)arg += leat_slice_eq(row->value, LEAT_LIT("bad"));
}

static void aborted_records_are_passed_over_and_the_end_is_reached(void)
{
    struct pull_client c;
    int64_t next;
    int bad = 0;

    BROKER_OR_SKIP(b, "");
    broker_topic(b, "transactions", 1, NULL);
    broker_transaction(b, "transactions", 0, 5, true);
    broker_transaction(b, "transactions", 0, 4, false);
    open_source(&c,
                (const char *const[]){b->setting, "topic=transactions", "start=earliest", NULL});
    OK(ask_until_ok(&c));
    CU_ASSERT_EQUAL(c.parts[0].end, 11); /* five, a marker, four, a marker */
    CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, &next, count_bad, &bad), 5);
    CU_ASSERT_EQUAL(bad, 0);
    CU_ASSERT_EQUAL(next, 11);
    pull_close(&c);
}

/* ---- jumping about, on a broker that compresses and batches */

static void any_position_is_found_again(void)
{
    struct pull_client c;
    unsigned seed = 4711;

    BROKER_OR_SKIP(b, "");
    broker_topic(b, "jumps", 2, NULL);
    for (int p = 0; p < 2; p++)
        plain_write_many(b->address, "jumps", p, "a value of some thirty bytes, say", 50000);
    open_source(&c, (const char *const[]){b->setting, "topic=jumps", "start=earliest", NULL});
    OK(ask_until_ok(&c));
    for (int i = 0; i < 100; i++) {
        int64_t from = rand_r(&seed) % 49000;
        uint32_t part = (uint32_t)i % 2;
        for (int more = 0; more < 3; more++) {
            struct leat_block *block = pull_fetch(&c, part, from, 8192);
            CU_ASSERT_PTR_NOT_NULL_FATAL(block);
            CU_ASSERT_EQUAL(block->to - block->from, block->rows_hint);
            from = block->to;
            leat_block_unref(block);
        }
    }
    pull_close(&c);
}

/* ---- the broker goes away */

static void a_broker_that_was_killed_and_is_back_is_read_on(void)
{
    struct pull_client c;
    struct pull_answer a;

    BROKER_OR_SKIP(b, "");
    broker_topic(b, "outage", 1, NULL);
    plain_write_many(b->address, "outage", 0, "x", 5);
    open_source(&c, (const char *const[]){b->setting, "topic=outage", "start=earliest", NULL});
    OK(ask_until_ok(&c));
    CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, NULL, NULL, NULL), 5);
    pull_begin(&c, &a, 0, 5, WANT_BYTES);
    broker_do(b, "kill");
    pull_await(&a);
    CU_ASSERT_EQUAL(a.error.status, LEAT_E_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(a.error.text, b->address));
    broker_do(b, "restart");
    plain_write_many(b->address, "outage", 0, "x", 3);
    CU_ASSERT_EQUAL(pull_read(&c, 0, 5, WANT_BYTES, NULL, NULL, NULL), 3);
    pull_close(&c);
}

/* ---- the sink */

struct sink_rig {
    struct instance i;
    struct leat_arena arena;
    struct leat_chunk chunk;
    struct leat_bytes section;
};

static const struct leat_sink *vt(const struct sink_rig *r)
{
    return r->i.module->sink;
}

static void open_sink(struct sink_rig *r, const char *const *settings)
{
    *r = (struct sink_rig){0};
    instance_init_sink(&r->i, "kafka", settings);
    r->section.arena = &r->arena;
    OK(leat_chunk_init(&r->chunk, &r->arena, LEAT_COL_PATHS, &pull_error));
    OK(vt(r)->open(r->i.self, &r->i.env, &pull_error));
}

static void close_sink(struct sink_rig *r)
{
    vt(r)->close(r->i.self);
    instance_fini(&r->i);
    leat_arena_reset(&r->arena);
}

static void add_rows(struct sink_rig *r, int rows, size_t bytes)
{
    static const char filler[20000] = {'x'};

    for (int i = 0; i < rows; i++)
        leat_chunk_add(&r->chunk,
                       &(struct leat_row){.value = {filler, bytes}, .time_ms = LEAT_NO_TIME});
}

static enum leat_status write_batch(struct sink_rig *r, uint64_t n)
{
    const struct leat_positions none = {0};

    if (vt(r)->write(r->i.self, n, &r->chunk, &pull_error) != LEAT_OK)
        return pull_error.status;
    return vt(r)->prepare(r->i.self, n, &none, &r->section, &pull_error);
}

static void a_missing_topic_is_made_when_create_says_so(void)
{
    struct sink_rig r;

    BROKER_OR_SKIP(b, "");
    open_sink(&r, (const char *const[]){b->setting, "topic=unmade", NULL});
    add_rows(&r, 3, 10);
    CU_ASSERT_EQUAL(write_batch(&r, 1), LEAT_E_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(pull_error.text, "`create: {"));
    close_sink(&r);
    open_sink(&r, (const char *const[]){b->setting, "topic=made", "create.partitions=3",
                                        "create.replication_factor=1",
                                        "create.config.retention.ms=60000000", NULL});
    add_rows(&r, 3, 10);
    OK(write_batch(&r, 1));
    CU_ASSERT_EQUAL(plain_read(b->address, "made", NULL, 0), 3);
    close_sink(&r);
}

static void a_record_too_large_for_the_broker_is_a_data_error(void)
{
    struct sink_rig r;

    BROKER_OR_SKIP(b, "");
    broker_topic(b, "small", 1, "max.message.bytes=10000");
    open_sink(&r, (const char *const[]){b->setting, "topic=small", NULL});
    add_rows(&r, 5, 100);
    add_rows(&r, 1, 15000);
    CU_ASSERT_EQUAL(write_batch(&r, 1), LEAT_E_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(pull_error.text, "15000 bytes"));
    CU_ASSERT_PTR_NOT_NULL(strstr(pull_error.text, "'small'"));
    CU_ASSERT_PTR_NOT_NULL(strstr(pull_error.text, "10000"));
    close_sink(&r);
}

static void batches_too_large_for_the_broker_are_made_smaller(void)
{
    struct sink_rig r;

    BROKER_OR_SKIP(b, "");
    broker_topic(b, "narrow", 1, "max.message.bytes=20000");
    open_sink(&r, (const char *const[]){b->setting, "topic=narrow", NULL});
    add_rows(&r, 500, 1000);
    OK(write_batch(&r, 1));
    CU_ASSERT_EQUAL(plain_read(b->address, "narrow", NULL, 0), 500);
    close_sink(&r);
}

static void what_was_written_while_the_broker_was_away_arrives(void)
{
    struct sink_rig r;

    BROKER_OR_SKIP(b, "");
    broker_topic(b, "hardy", 1, NULL);
    open_sink(&r, (const char *const[]){b->setting, "topic=hardy", NULL});
    add_rows(&r, 10, 10);
    OK(write_batch(&r, 1));
    broker_do(b, "kill");
    CU_ASSERT_EQUAL(write_batch(&r, 2), LEAT_E_UNREACHABLE);
    broker_do(b, "restart");
    enum leat_status status = LEAT_E_UNREACHABLE;
    for (int i = 0; i < 10 && status != LEAT_OK; i++)
        status = vt(&r)->prepare(r.i.self, 2, &(struct leat_positions){0}, &r.section, &pull_error);
    CU_ASSERT_EQUAL(status, LEAT_OK);
    CU_ASSERT_EQUAL(plain_read(b->address, "hardy", NULL, 0), 20);
    close_sink(&r);
}

/* ---- TLS, SASL, access rules */

static void check_login(struct broker *b, const char *password, const char *ca, const char *expect)
{
    struct pull_client c;
    char brokers[80], given_ca[160], given[80];

    snprintf(brokers, sizeof brokers, "brokers=%s", b->secure_address);
    snprintf(given_ca, sizeof given_ca, "%s%s", ca ? "tls.ca=" : "tls.enable=", ca ? ca : "true");
    snprintf(given, sizeof given, "sasl.password=%s", password);
    open_source(&c, (const char *const[]){brokers, "topic=secret", "start=earliest", given_ca,
                                          "sasl.mechanism=SCRAM-SHA-512", "sasl.username=leat",
                                          given, NULL});
    enum leat_status status = pull_partitions(&c);
    if (!expect) {
        if (status != LEAT_OK)
            status = ask_until_ok(&c);
        CU_ASSERT_EQUAL(status, LEAT_OK);
        CU_ASSERT_EQUAL(pull_read(&c, 0, 0, WANT_BYTES, NULL, NULL, NULL), 3);
    } else {
        CU_ASSERT_EQUAL(status, LEAT_E_UNREACHABLE);
        CU_ASSERT_PTR_NOT_NULL(strstr(pull_error.text, expect));
        if (!strstr(pull_error.text, expect))
            printf("    %s\n", pull_error.text);
    }
    pull_close(&c);
}

static void logins_and_access_rules_are_said_in_words(void)
{
    BROKER_OR_SKIP(b, "--secure");
    broker_topic(b, "secret", 1, NULL);
    plain_write_many(b->address, "secret", 0, "x", 3);
    check_login(b, "geheim-1", b->ca, "does not allow leat");
    broker_do(b, "acl --add --allow-principal User:leat --operation All --topic '*' --group '*'");
    check_login(b, "geheim-1", b->ca, NULL);
    check_login(b, "wrong", b->ca, "sasl.password");
    check_login(b, "geheim-1", NULL, "tls.ca");
}

LEAT_TESTS("kafka_broker", T(a_time_finds_the_first_record_at_or_after_it),
           T(latest_is_kept_as_a_committed_position), T(committed_positions_carry_the_batch),
           T(partitions_that_were_added_are_read_from_their_beginning),
           T(a_missing_topic_is_waited_for_and_read_from_its_beginning),
           T(a_topic_that_is_deleted_is_said_and_one_made_anew_is_lost),
           T(records_that_retention_took_are_lost_with_both_ranges),
           T(aborted_records_are_passed_over_and_the_end_is_reached),
           T(any_position_is_found_again), T(a_broker_that_was_killed_and_is_back_is_read_on),
           T(a_missing_topic_is_made_when_create_says_so),
           T(a_record_too_large_for_the_broker_is_a_data_error),
           T(batches_too_large_for_the_broker_are_made_smaller),
           T(what_was_written_while_the_broker_was_away_arrives),
           T(logins_and_access_rules_are_said_in_words))
