/*
 * test_kafka_sink.c - sinks/kafka on librdkafka's mock cluster.
 *
 * The sink contract asks that nothing is visible before commit; at least once this sink makes a
 * batch visible in prepare. What of the contract applies is tested here by its own sentences.
 */
#include "instance.h"
#include "kafka_mock.h"
#include "leat_test.h"

#include <stdio.h>

#define TOPIC       "out"
#define PRODUCE_API 0

static struct leat_error err;
static struct kafka_mock mock;

struct rig {
    struct instance i;
    struct leat_arena arena;
    struct leat_chunk chunk;
    struct leat_bytes section;
};

static const struct leat_sink *vt(const struct rig *r)
{
    return r->i.module->sink;
}

static void start_with(struct rig *r, const char *extra)
{
    *r = (struct rig){0};
    kafka_mock_start(&mock, TOPIC, 2);
    instance_init_sink(&r->i, "kafka",
                       (const char *const[]){mock.setting, "topic=" TOPIC, extra, NULL});
    r->section.arena = &r->arena;
    OK(leat_chunk_init(&r->chunk, &r->arena, LEAT_COL_PATHS, &err));
    OK(vt(r)->open(r->i.self, &r->i.env, &err));
}

static void start(struct rig *r)
{
    start_with(r, NULL);
}

static void stop(struct rig *r)
{
    vt(r)->close(r->i.self);
    instance_fini(&r->i);
    leat_arena_reset(&r->arena);
    kafka_mock_stop(&mock);
}

static void add(struct rig *r, const char *key, const char *value)
{
    leat_chunk_add(&r->chunk, &(struct leat_row){.key = leat_slice_str(key),
                                                 .value = leat_slice_str(value),
                                                 .time_ms = LEAT_NO_TIME});
}

static enum leat_status prepare(struct rig *r, uint64_t n)
{
    return vt(r)->prepare(r->i.self, n, &(struct leat_positions){0}, &r->section, &err);
}

static void write_and_prepare(struct rig *r, uint64_t n)
{
    OK(vt(r)->write(r->i.self, n, &r->chunk, &err));
    OK(prepare(r, n));
    OK(vt(r)->commit(r->i.self, n, &err));
}

static void what_was_prepared_has_arrived(void)
{
    struct rig r;

    start(&r);
    for (int i = 0; i < 500; i++)
        add(&r, NULL, "ten bytes!");
    for (uint64_t n = 1; n <= 4; n++)
        write_and_prepare(&r, n);
    CU_ASSERT_EQUAL(plain_read(mock.bootstrap, TOPIC, NULL, 0), 2000);
    stop(&r);
}

static void a_batch_without_rows_is_fine(void)
{
    struct rig r;

    start(&r);
    OK(prepare(&r, 1));
    OK(vt(&r)->commit(r.i.self, 1, &err));
    OK(vt(&r)->abort(r.i.self, 2, &err));
    stop(&r);
}

static void keys_times_headers_and_tombstones_go_out(void)
{
    static const char encoded[] = "\2\0\0\0\4\0\0\0kind\3\0\0\0new\1\0\0\0x\377\377\377\377";
    struct plain_row rows[2];
    struct rig r;

    start(&r);
    leat_chunk_add(&r.chunk, &(struct leat_row){.key = LEAT_LIT("k"),
                                                .value = LEAT_LIT("v"),
                                                .headers = {encoded, sizeof encoded - 1},
                                                .time_ms = 1234567890123});
    leat_chunk_add(&r.chunk, &(struct leat_row){.key = LEAT_LIT("k"), .time_ms = 5});
    write_and_prepare(&r, 1);
    CU_ASSERT_EQUAL_FATAL(plain_read(mock.bootstrap, TOPIC, rows, 2), 2);
    CU_ASSERT_STRING_EQUAL(rows[0].key, "k");
    CU_ASSERT_STRING_EQUAL(rows[0].value, "v");
    CU_ASSERT_STRING_EQUAL(rows[0].headers, "kind=new;x=<none>;");
    CU_ASSERT_EQUAL(rows[0].time_ms, 1234567890123);
    CU_ASSERT_STRING_EQUAL(rows[1].value, "<none>");
    CU_ASSERT_EQUAL(rows[0].partition, rows[1].partition); /* one key, one partition */
    stop(&r);
}

static void rows_go_to_the_topics_they_are_routed_to(void)
{
    struct rig r;

    start(&r);
    OK(leat_mock_broker_topic(&mock.broker, "out.eu", 1, &err));
    for (int i = 0; i < 6; i++) {
        add(&r, NULL, "x");
        r.chunk.routes[i] = i % 3 == 0 ? LEAT_LIT("out.eu") : (struct leat_slice){0};
    }
    write_and_prepare(&r, 1);
    CU_ASSERT_EQUAL(plain_read(mock.bootstrap, "out.eu", NULL, 0), 2);
    CU_ASSERT_EQUAL(plain_read(mock.bootstrap, TOPIC, NULL, 0), 4);
    stop(&r);
}

static void errors_that_pass_lose_nothing(void)
{
    struct rig r;

    start(&r);
    for (int i = 0; i < 100; i++)
        add(&r, "key", "ten bytes!");
    rd_kafka_mock_push_request_errors(
        mock.broker.cluster, PRODUCE_API, 4, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT);
    write_and_prepare(&r, 1);
    CU_ASSERT(plain_read(mock.bootstrap, TOPIC, NULL, 0) >= 100);
    stop(&r);
}

static void a_producer_that_is_given_up_is_replaced(void)
{
    struct rig r;

    start(&r);
    add(&r, "key", "first");
    write_and_prepare(&r, 1);
    for (int i = 0; i < 50; i++)
        add(&r, "key", "again");
    rd_kafka_mock_push_request_errors(mock.broker.cluster, PRODUCE_API, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    write_and_prepare(&r, 2);
    CU_ASSERT(plain_read(mock.bootstrap, TOPIC, NULL, 0) >= 52);
    stop(&r);
}

static void a_refusal_is_told_and_healed_by_the_next_try(void)
{
    struct rig r;

    start(&r);
    add(&r, NULL, "x");
    rd_kafka_mock_push_request_errors(mock.broker.cluster, PRODUCE_API, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    OK(vt(&r)->write(r.i.self, 1, &r.chunk, &err));
    CU_ASSERT_EQUAL(prepare(&r, 1), LEAT_E_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "write to topic 'out'"));
    OK(prepare(&r, 1));
    CU_ASSERT_EQUAL(plain_read(mock.bootstrap, TOPIC, NULL, 0), 1);
    stop(&r);
}

static void batches_that_are_too_large_are_made_smaller(void)
{
    struct rig r;

    start(&r);
    for (int i = 0; i < 100; i++)
        add(&r, "key", "ten bytes!");
    rd_kafka_mock_push_request_errors(mock.broker.cluster, PRODUCE_API, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    OK(vt(&r)->write(r.i.self, 1, &r.chunk, &err));
    OK(prepare(&r, 1));
    CU_ASSERT_EQUAL(plain_read(mock.bootstrap, TOPIC, NULL, 0), 100);
    stop(&r);
}

/* The mock refuses so many requests, whatever is in them. The first of the rows that are told. */
static const struct leat_refused *refuse(struct rig *r, struct leat_refusals *told, int requests,
                                         rd_kafka_resp_err_t why)
{
    r->i.env.refusals = told;
    for (int i = 0; i < requests; i++)
        rd_kafka_mock_push_request_errors(mock.broker.cluster, PRODUCE_API, 1, why);
    OK(vt(r)->write(r->i.self, 1, &r->chunk, &err));
    OK(prepare(r, 1));
    return told->first;
}

static void a_record_that_is_refused_alone_is_told_and_the_others_arrive(void)
{
    struct leat_refusals told = {0};
    struct rig r;
    char large[2000];

    memset(large, 'x', sizeof large);
    large[sizeof large - 1] = 0;
    start_with(&r, "rdkafka.message.max.bytes=1500");
    add(&r, "key", "before");
    add(&r, "key", large);
    add(&r, "key", "behind");
    const struct leat_refused *first = refuse(&r, &told, 0, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_EQUAL(first->row, leat_row_mark(&r.chunk, 1));
    CU_ASSERT(leat_slice_eq(first->to, LEAT_LIT(TOPIC)));
    CU_ASSERT_PTR_NOT_NULL(strstr(first->why.ptr, "2002 bytes"));
    CU_ASSERT_PTR_NULL(first->next);
    CU_ASSERT_EQUAL(plain_read(mock.bootstrap, TOPIC, NULL, 0), 2);
    leat_refusals_clear(&told);
    leat_arena_reset(&told.arena);
    stop(&r);
}

static void a_broker_that_refuses_a_record_is_asked_with_smaller_batches_until_it_stands_alone(void)
{
    struct leat_refusals told = {0};
    struct rig r;

    start(&r);
    add(&r, "key", "twelve bytes");
    const struct leat_refused *first = refuse(&r, &told, 20, RD_KAFKA_RESP_ERR_INVALID_RECORD);
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_EQUAL(first->row, leat_row_mark(&r.chunk, 0));
    CU_ASSERT_PTR_NULL(first->next);
    leat_arena_reset(&told.arena);
    r.i.env.refusals = NULL;
    rd_kafka_mock_clear_request_errors(mock.broker.cluster, PRODUCE_API);
    write_and_prepare(&r, 2);
    CU_ASSERT_EQUAL(plain_read(mock.bootstrap, TOPIC, NULL, 0), 1);
    stop(&r);
}

static void without_anybody_to_tell_a_refused_record_is_a_data_error(void)
{
    struct rig r;

    start(&r);
    add(&r, "key", "value");
    for (int i = 0; i < 20; i++)
        rd_kafka_mock_push_request_errors(mock.broker.cluster, PRODUCE_API, 1,
                                          RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    OK(vt(&r)->write(r.i.self, 1, &r.chunk, &err));
    CU_ASSERT_EQUAL(prepare(&r, 1), LEAT_E_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "too large for topic 'out'"));
    stop(&r);
}

static void an_abort_takes_back_what_is_in_flight(void)
{
    struct rig r;

    start(&r);
    add(&r, NULL, "x");
    write_and_prepare(&r, 1);
    CU_ASSERT_EQUAL(rd_kafka_mock_broker_set_down(mock.broker.cluster, 1), 0);
    OK(vt(&r)->write(r.i.self, 2, &r.chunk, &err));
    OK(vt(&r)->abort(r.i.self, 2, &err));
    OK(vt(&r)->abort(r.i.self, 2, &err));
    CU_ASSERT_EQUAL(rd_kafka_mock_broker_set_up(mock.broker.cluster, 1), 0);
    write_and_prepare(&r, 2);
    CU_ASSERT_EQUAL(plain_read(mock.bootstrap, TOPIC, NULL, 0), 2);
    stop(&r);
}

static void a_broker_that_is_away_is_a_transient_failure(void)
{
    struct rig r;

    start(&r);
    add(&r, NULL, "x");
    write_and_prepare(&r, 1);
    CU_ASSERT_EQUAL(rd_kafka_mock_broker_set_down(mock.broker.cluster, 1), 0);
    OK(vt(&r)->write(r.i.self, 2, &r.chunk, &err));
    CU_ASSERT_EQUAL(prepare(&r, 2), LEAT_E_UNREACHABLE);
    CU_ASSERT_EQUAL(rd_kafka_mock_broker_set_up(mock.broker.cluster, 1), 0);
    OK(prepare(&r, 2));
    CU_ASSERT_EQUAL(plain_read(mock.bootstrap, TOPIC, NULL, 0), 2);
    stop(&r);
}

/* Our own allocations: librdkafka ends the process when it has no memory. What failed can be
 * written again when there is memory. */
static void lack_of_memory_is_said_and_loses_nothing(void)
{
    static const char encoded[] = "\1\0\0\0\4\0\0\0kind\3\0\0\0new";
    struct rig r = {0};
    int batches = 0, failures = 0;

    kafka_mock_start(&mock, TOPIC, 2);
    OK(leat_mock_broker_topic(&mock.broker, "out.eu", 1, &err));
    OK(leat_chunk_init(&r.chunk, &r.arena, LEAT_COL_PATHS, &err));
    leat_chunk_add(&r.chunk, &(struct leat_row){.key = LEAT_LIT("k"),
                                                .value = LEAT_LIT("v"),
                                                .headers = {encoded, sizeof encoded - 1},
                                                .time_ms = 5});
    add(&r, "k", "routed");
    r.chunk.routes[1] = LEAT_LIT("out.eu");
    LEAT_OOM_SWEEP {
        instance_init_sink(&r.i, "kafka",
                           (const char *const[]){mock.setting, "topic=" TOPIC, NULL});
        r.section = (struct leat_bytes){.arena = &r.arena};
        enum leat_status status = vt(&r)->open(r.i.self, &r.i.env, &err);
        bool is_open = status == LEAT_OK;
        if (status == LEAT_OK)
            status = vt(&r)->write(r.i.self, 1, &r.chunk, &err);
        if (status == LEAT_OK)
            status = prepare(&r, 1);
        CU_ASSERT(status == LEAT_OK || leat_oom_hit());
        CU_ASSERT(status == LEAT_OK || status == LEAT_E_NOMEM || status == LEAT_E_FULL);
        failures += status != LEAT_OK;
        if (is_open && status != LEAT_OK) {
            OK(vt(&r)->abort(r.i.self, 1, &err));
            OK(vt(&r)->write(r.i.self, 1, &r.chunk, &err));
            OK(prepare(&r, 1));
        }
        batches += is_open;
        vt(&r)->close(r.i.self);
        instance_fini(&r.i);
    }
    CU_ASSERT(failures >= 1);
    CU_ASSERT(plain_read(mock.bootstrap, TOPIC, NULL, 0) >= batches);
    CU_ASSERT(plain_read(mock.bootstrap, "out.eu", NULL, 0) >= batches);
    leat_arena_reset(&r.arena);
    kafka_mock_stop(&mock);
}

static void every_compression_is_readable(void)
{
    static const char *const how[] = {"compression=gzip", "compression=snappy", "compression=lz4",
                                      "compression=zstd"};

    for (size_t i = 0; i < sizeof how / sizeof *how; i++) {
        struct rig r;
        start_with(&r, how[i]);
        for (int n = 0; n < 300; n++)
            add(&r, NULL, "ten bytes!");
        write_and_prepare(&r, 1);
        CU_ASSERT_EQUAL(plain_read(mock.bootstrap, TOPIC, NULL, 0), 300);
        stop(&r);
    }
}

LEAT_TESTS("kafka_sink", T(a_record_that_is_refused_alone_is_told_and_the_others_arrive),
           T(a_broker_that_refuses_a_record_is_asked_with_smaller_batches_until_it_stands_alone),
           T(without_anybody_to_tell_a_refused_record_is_a_data_error),
           T(what_was_prepared_has_arrived), T(a_batch_without_rows_is_fine),
           T(keys_times_headers_and_tombstones_go_out), T(rows_go_to_the_topics_they_are_routed_to),
           T(errors_that_pass_lose_nothing), T(a_producer_that_is_given_up_is_replaced),
           T(a_refusal_is_told_and_healed_by_the_next_try),
           T(batches_that_are_too_large_are_made_smaller), T(an_abort_takes_back_what_is_in_flight),
           T(a_broker_that_is_away_is_a_transient_failure), T(every_compression_is_readable),
           T(lack_of_memory_is_said_and_loses_nothing))
