/* Tests connectors/rabbitmq: the contract of push sources, then brokers that mean harm. */
#include "amqp_broker.h"
#include "instance.h"
#include "leat_test.h"
#include "run/inbox.h"
#include "run/message.h"
#include "source_contract.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define WAIT_MS     10000  /* for an event that has to come */
#define HEADERS     0x2000 /* flag of the property */
#define FRAME_ROOM  (131072 - 8 - 14)
#define LEVEL_BYTES 7

static struct leat_error err;

/* ---- the contract */

static struct amqp_broker endless;
static char endless_at[64];
static const char *const endless_settings[] = {endless_at, "queue=q", NULL};
static const struct source_case source = {.name = "rabbitmq", .good = endless_settings};

LEAT_PUSH_CONTRACT(source)

/* ---- a source and a broker of its own */

struct rig {
    struct amqp_broker broker;
    const char *heartbeat; /* a setting; NULL: as it is */
    struct instance i;
    struct leat_queue job;
    struct leat_inbox inbox;
    enum leat_status status;
    struct leat_error error;
    pthread_t thread;
    char at[64];
    _Atomic int64_t bad_input;
};

static void *run_source(void *arg)
{
    struct rig *r = arg;

    r->status = r->i.module->push->run(r->i.self, &r->inbox, &r->error);
    return NULL;
}

static void rig_start(struct rig *r)
{
    amqp_broker_start(&r->broker);
    snprintf(r->at, sizeof r->at, "brokers=127.0.0.1:%d", r->broker.port);
    const char *const settings[] = {r->at,        "queue=q",    "retry=1ms",
                                    "timeout=2s", r->heartbeat, NULL};
    instance_init(&r->i, "rabbitmq", settings);
    r->i.env.max_record_bytes = 1000;
    r->i.env.bad_input = &r->bad_input;
    leat_queue_init(&r->job);
    OK(leat_queue_open_fd(&r->job, &err));
    OK(leat_inbox_init(&r->inbox, r->i.module->push, r->i.self, &r->i.env, &r->job, 4, 4096, &err));
    OK(r->i.module->push->open(r->i.self, &r->i.env, &err));
    CU_ASSERT_EQUAL_FATAL(pthread_create(&r->thread, NULL, run_source, r), 0);
}

static void rig_stop(struct rig *r)
{
    leat_inbox_ask_stop(&r->inbox);
    pthread_join(r->thread, NULL);
    CU_ASSERT_EQUAL(r->status, LEAT_OK);
    r->i.module->push->close(r->i.self);
    for (struct leat_msg *m; (m = leat_queue_try(&r->job));)
        leat_block_unref((struct leat_block *)m);
    leat_inbox_fini(&r->inbox);
    leat_queue_fini(&r->job);
    CU_ASSERT_EQUAL(atomic_load(&r->i.budget.used), 0);
    instance_fini(&r->i);
    amqp_broker_stop(&r->broker);
}

/* The next block; the caller acknowledges it. */
static struct leat_block *take(struct rig *r)
{
    struct pollfd p = {.fd = r->job.wake_fd, .events = POLLIN};
    struct leat_msg *m = NULL;
    uint64_t ignored;

    for (int left = WAIT_MS / 10; left > 0 && !(m = leat_queue_try(&r->job)); left--) {
        leat_inbox_ask_seal(&r->inbox);
        if (poll(&p, 1, 10) == 1)
            CU_ASSERT_EQUAL(read(p.fd, &ignored, sizeof ignored), (ssize_t)sizeof ignored);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    return (struct leat_block *)m;
}

struct first_row {
    char value[2048], left_out[32];
    size_t value_len;
};

static void read_row(const struct leat_block *b, struct first_row *row)
{
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    struct leat_cursor cursor = {0};
    struct leat_slice from, name, value;
    uint32_t count = 0;

    memset(row, 0, sizeof *row);
    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    OK(b->coding->next(&cursor, b, &chunk, &err));
    CU_ASSERT_FATAL(chunk.rows > 0);
    row->value_len = chunk.values[0].len;
    snprintf(row->value, sizeof row->value, "%.*s", LEAT_FMT(chunk.values[0]));
    from = chunk.headers[0];
    CU_ASSERT(leat_take_u32(&from, &count));
    while (count-- > 0 && leat_take_header(&from, &name, &value))
        if (leat_slice_eq(name, LEAT_LIT("amqp-headers-left-out")))
            snprintf(row->left_out, sizeof row->left_out, "%.*s", LEAT_FMT(value));
    CU_ASSERT_EQUAL(from.len, 0);
    leat_arena_reset(&arena);
}

/* Of a block; acknowledged. */
static void take_row(struct rig *r, struct first_row *row)
{
    struct leat_block *b = take(r);

    read_row(b, row);
    leat_inbox_ack(&r->inbox, b);
}

/* ---- what brokers may say */

static void put_garbage(struct amqp_bytes *b)
{
    for (int i = 0; i < 5000; i++)
        amqp_put_number(b, (uint64_t)i * 7919, 1);
}

static void put_huge_frame(struct amqp_bytes *b)
{
    amqp_put_number(b, 3, 1);
    amqp_put_number(b, 1, 2);
    amqp_put_number(b, 0xffffffff, 4);
}

static void put_frame_beyond_what_was_agreed(struct amqp_bytes *b)
{
    size_t begun = amqp_begin(b, 3, 1);

    for (int i = 0; i < 200000; i++)
        amqp_put_number(b, 0, 1);
    amqp_end(b, begun);
}

static void put_frame_without_end(struct amqp_bytes *b)
{
    amqp_body(b, "x", 1);
    b->at[b->len - 1] = 0;
}

static void put_content_of_nothing(struct amqp_bytes *b)
{
    amqp_header(b, 1, 0, "", 0);
}

static void put_method_of_nobody(struct amqp_bytes *b)
{
    size_t begun = amqp_begin(b, 1, 1);

    amqp_put_number(b, 0x7f007f, 4);
    amqp_end(b, begun);
}

static void put_two_messages_in_one(struct amqp_bytes *b)
{
    amqp_deliver(b, 1, "k");
    amqp_deliver(b, 2, "k");
}

static void put_tag_zero(struct amqp_bytes *b)
{
    amqp_deliver(b, 0, "k");
}

static void put_more_than_was_announced(struct amqp_bytes *b)
{
    amqp_deliver(b, 1, "k");
    amqp_header(b, 1, 0, "", 0);
    amqp_body(b, "xyz", 3);
}

static void put_other_channel(struct amqp_bytes *b)
{
    size_t begun = amqp_begin(b, 3, 7);

    amqp_put(b, "x", 1);
    amqp_end(b, begun);
}

static void put_channel_closed(struct amqp_bytes *b)
{
    size_t begun = amqp_begin(b, 1, 1);

    amqp_put_number(b, 0x140028, 4);
    amqp_put_number(b, 406, 2);
    amqp_put_short(b, "PRECONDITION_FAILED - delivery acknowledgement timed out\n\033[31m");
    amqp_put_number(b, 0, 4);
    amqp_end(b, begun);
}

static void put_consumer_cancelled(struct amqp_bytes *b)
{
    size_t begun = amqp_begin(b, 1, 1);

    amqp_put_number(b, 0x3c001e, 4);
    amqp_put_short(b, "tag");
    amqp_put_number(b, 1, 1);
    amqp_end(b, begun);
}

static void put_another_version(struct amqp_bytes *b)
{
    amqp_put(b, "AMQP\0\0\1\0", 8);
}

static void put_tiny_frames(struct amqp_bytes *b)
{
    size_t begun = amqp_begin(b, 1, 0);

    amqp_put_number(b, 0x0a001e, 4);
    amqp_put_number(b, 0, 2);
    amqp_put_number(b, 1, 4); /* frame_max */
    amqp_put_number(b, 0, 2);
    amqp_end(b, begun);
}

static const struct {
    enum amqp_stage stage;
    void (*put)(struct amqp_bytes *b);
    int bad; /* input, as it is counted; it might be a long frame yet, or is allowed: 0 */
} harms[] = {
    {AMQP_AT_START, put_garbage, 1},
    {AMQP_AT_START, put_huge_frame, 0},
    {AMQP_AT_START, put_another_version, 1},
    {AMQP_AT_START, put_channel_closed, 0},
    {AMQP_AT_TUNE, put_tiny_frames, 1},
    {AMQP_AT_TUNE, put_garbage, 1},
    {AMQP_AT_CONSUME, put_garbage, 1},
    {AMQP_AT_CONSUME, put_huge_frame, 1},
    {AMQP_AT_CONSUME, put_frame_beyond_what_was_agreed, 1},
    {AMQP_AT_CONSUME, put_frame_without_end, 1},
    {AMQP_AT_CONSUME, put_content_of_nothing, 1},
    {AMQP_AT_CONSUME, put_method_of_nobody, 1},
    {AMQP_AT_CONSUME, put_two_messages_in_one, 1},
    {AMQP_AT_CONSUME, put_tag_zero, 1},
    {AMQP_AT_CONSUME, put_more_than_was_announced, 1},
    {AMQP_AT_CONSUME, put_other_channel, 1},
    {AMQP_AT_CONSUME, put_channel_closed, 0},
    {AMQP_AT_CONSUME, put_consumer_cancelled, 0},
};

static void whatever_a_broker_says_ends_its_connection_only(void)
{
    for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
        struct rig r = {.broker.stage = harms[i].stage};
        struct first_row row;
        harms[i].put(&r.broker.first);
        rig_start(&r);
        take_row(&r, &row);
        CU_ASSERT_STRING_EQUAL(row.value, "m");
        CU_ASSERT(atomic_load(&r.broker.connections) >= 2);
        rig_stop(&r);
        CU_ASSERT_EQUAL(atomic_load(&r.bad_input), harms[i].bad);
    }
}

static void put_table_cut_short(struct amqp_bytes *b)
{
    amqp_deliver(b, 1, "k");
    amqp_header(b, 1, HEADERS,
                "\0\0\0\x09\x01"
                "aF\xff\xff\xff",
                10);
}

static void put_header_longer_than_a_frame(struct amqp_bytes *b)
{
    struct amqp_bytes table = {0};
    static char text[200000];

    amqp_put_number(&table, 2 + 1 + 4 + sizeof text, 4);
    amqp_put_short(&table, "a");
    amqp_put(&table, "S", 1);
    amqp_put_number(&table, sizeof text, 4);
    amqp_put(&table, text, sizeof text);
    amqp_deliver(b, 1, "k");
    amqp_header(b, 3, HEADERS, table.at, table.len);
    amqp_body(b, "bad", 3);
    free(table.at);
}

/* The broker's kernel goes on to answer, the broker does not. */
static void a_frame_that_does_not_go_on_is_given_up_after_two_heartbeats(void)
{
    struct rig r = {.broker.stage = AMQP_AT_CONSUME, .heartbeat = "heartbeat=1s"};
    struct first_row row;

    amqp_deliver(&r.broker.first, 1, "k");
    r.broker.first.len -= 5;
    rig_start(&r);
    take_row(&r, &row);
    CU_ASSERT_STRING_EQUAL(row.value, "m");
    CU_ASSERT_EQUAL(atomic_load(&r.broker.connections), 2);
    rig_stop(&r);
}

/* Else it would come again and again, and what is behind it never. */
static void a_message_whose_header_cannot_be_read_is_a_row_that_is_too_long(void)
{
    void (*const puts[])(struct amqp_bytes *) = {put_table_cut_short,
                                                 put_header_longer_than_a_frame};

    for (size_t i = 0; i < sizeof puts / sizeof *puts; i++) {
        struct rig r = {.broker.stage = AMQP_AT_CONSUME};
        struct first_row row;
        puts[i](&r.broker.first);
        rig_start(&r);
        struct leat_block *bad = take(&r);
        CU_ASSERT_EQUAL(atomic_load(&r.broker.connections), 1);
        CU_ASSERT_EQUAL(atomic_load(&r.broker.acked), 0);
        read_row(bad, &row);
        CU_ASSERT_EQUAL(row.value_len, 1001);
        CU_ASSERT_PTR_NOT_NULL(strstr(row.value, "cannot be read"));
        leat_inbox_ack(&r.inbox, bad);
        struct leat_block *good = take(&r);
        read_row(good, &row);
        CU_ASSERT_STRING_EQUAL(row.value, "m");
        CU_ASSERT_EQUAL(atomic_load(&r.broker.connections), 2);
        CU_ASSERT_EQUAL(atomic_load(&r.broker.acked), 1);
        leat_block_unref(good);
        CU_ASSERT_EQUAL(atomic_load(&r.bad_input), 1);
        rig_stop(&r);
    }
}

/* As deep as a frame can hold: tables in tables, and lists in lists. */
static void put_nested(struct amqp_bytes *b, bool lists)
{
    struct amqp_bytes table = {0};
    size_t level = lists ? 5 : LEVEL_BYTES, depth = (FRAME_ROOM - 100) / level;
    size_t left = depth * level;

    amqp_put_number(&table, 2 + 1 + 4 + left, 4);
    amqp_put_short(&table, "a");
    amqp_put(&table, lists ? "A" : "F", 1);
    amqp_put_number(&table, left, 4);
    for (size_t i = 0; i < depth; i++) {
        left -= level;
        if (!lists)
            amqp_put_short(&table, "a");
        amqp_put(&table, lists ? "A" : "F", 1);
        amqp_put_number(&table, left, 4);
    }
    amqp_deliver(b, 1, "k");
    amqp_header(b, 4, HEADERS, table.at, table.len);
    amqp_body(b, "deep", 4);
    free(table.at);
}

static void the_deepest_headers_are_left_out_and_the_message_arrives(void)
{
    for (int lists = 0; lists < 2; lists++) {
        struct rig r = {.broker.stage = AMQP_AT_CONSUME};
        struct first_row row;
        put_nested(&r.broker.first, lists);
        rig_start(&r);
        take_row(&r, &row);
        CU_ASSERT_STRING_EQUAL(row.value, "deep");
        CU_ASSERT_STRING_EQUAL(row.left_out, "1");
        CU_ASSERT_EQUAL(atomic_load(&r.broker.connections), 1);
        rig_stop(&r);
    }
}

static void a_long_body_is_cut_and_room_is_taken_for_what_comes_not_for_what_is_announced(void)
{
    struct rig r = {.broker.stage = AMQP_AT_CONSUME};
    struct first_row row;
    char text[4000];

    memset(text, 'x', sizeof text);
    amqp_deliver(&r.broker.first, 1, "k");
    amqp_header(&r.broker.first, sizeof text, 0, "", 0);
    amqp_body(&r.broker.first, text, sizeof text);
    amqp_deliver(&r.broker.first, 2, "k");
    amqp_header(&r.broker.first, UINT64_C(1) << 62, 0, "", 0);
    amqp_body(&r.broker.first, text, sizeof text);
    rig_start(&r);
    take_row(&r, &row);
    CU_ASSERT_EQUAL(row.value_len, 1001);
    CU_ASSERT(atomic_load(&r.i.budget.peak) < 200000);
    rig_stop(&r);
}

/* The broker is told what acked() names: the last row of the block, and no row of the next. */
static void what_is_acknowledged_is_what_was_named_and_no_more(void)
{
    struct rig r = {0};

    rig_start(&r);
    struct leat_block *first = take(&r), *second = take(&r);
    uint64_t upto = (uint64_t)first->to;
    CU_ASSERT_EQUAL(second->from, first->to);
    CU_ASSERT_EQUAL(atomic_load(&r.broker.acked), 0);
    leat_inbox_ack(&r.inbox, first);
    struct leat_block *third = take(&r), *fourth = take(&r);
    for (int left = WAIT_MS; left > 0 && atomic_load(&r.broker.acked) == 0; left--)
        poll(NULL, 0, 1);
    CU_ASSERT_EQUAL(atomic_load(&r.broker.acked), upto);
    leat_block_unref(second);
    leat_block_unref(third);
    leat_block_unref(fourth);
    rig_stop(&r);
    CU_ASSERT_EQUAL(atomic_load(&r.broker.acked), upto);
}

static int run_all(CU_TestInfo *tests)
{
    amqp_broker_start(&endless);
    snprintf(endless_at, sizeof endless_at, "brokers=127.0.0.1:%d", endless.port);
    int code = leat_test_main("rabbitmq", tests);
    amqp_broker_stop(&endless);
    return code;
}

int main(void)
{
    return run_all((CU_TestInfo[]){
        LEAT_PUSH_CONTRACT_TESTS, T(whatever_a_broker_says_ends_its_connection_only),
        T(a_frame_that_does_not_go_on_is_given_up_after_two_heartbeats),
        T(a_message_whose_header_cannot_be_read_is_a_row_that_is_too_long),
        T(the_deepest_headers_are_left_out_and_the_message_arrives),
        T(a_long_body_is_cut_and_room_is_taken_for_what_comes_not_for_what_is_announced),
        T(what_is_acknowledged_is_what_was_named_and_no_more), CU_TEST_INFO_NULL});
}
