/* Tests connectors/zeromq: the contract of all push sources against a sender that never ends, then
 * what becomes of a message's parts, and settings that are refused. */
#include "instance.h"
#include "leat_test.h"
#include "push_rig.h"
#include "run/inbox.h"
#include "run/message.h"
#include "source_contract.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

#define WAIT_MS 10000 /* for an event that has to come */

static struct leat_error err;
static char endless[64], setting[80];
static const char *const contract_settings[] = {setting, NULL};
static const struct source_case source = {.name = "zeromq", .good = contract_settings};

LEAT_PUSH_CONTRACT(source)

/* ---- the other side */

/* Bound; the caller closes it. A send waits for a receiver for 10 ms. */
static void *sender_new(void *context, const char *address)
{
    void *socket = zmq_socket(context, ZMQ_PUSH);
    const int wait_ms = 10, linger_ms = 0;

    if (!socket || zmq_setsockopt(socket, ZMQ_SNDTIMEO, &wait_ms, sizeof wait_ms) != 0 ||
        zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms) != 0 ||
        zmq_bind(socket, address) != 0)
        abort();
    return socket;
}

static void *send_for_ever(void *arg)
{
    const bool *ended = arg;
    void *context = zmq_ctx_new(), *socket = sender_new(context, endless);

    while (!__atomic_load_n(ended, __ATOMIC_ACQUIRE))
        if (zmq_send(socket, "key", 3, ZMQ_SNDMORE) == 3) {
            zmq_send(socket, "header", 6, ZMQ_SNDMORE);
            zmq_send(socket, "value", 5, 0);
        }
    zmq_close(socket);
    zmq_ctx_term(context);
    return NULL;
}

/* ---- a source by itself */

struct rig {
    struct push_rig source;
    void *context, *sender;
};

static void rig_start(struct rig *r, const char *more)
{
    static int count;
    char address[64], connect[80];
    const char *const settings[] = {connect, more, NULL};

    snprintf(address, sizeof address, "ipc://@leat-test-zeromq-%d-%d", (int)getpid(), count++);
    snprintf(connect, sizeof connect, "connect=%s", address);
    r->context = zmq_ctx_new();
    r->sender = sender_new(r->context, address);
    push_rig_start(&r->source, "zeromq", settings, 8, 4, false);
}

static void rig_stop(struct rig *r)
{
    push_rig_stop(&r->source);
    zmq_close(r->sender);
    zmq_ctx_term(r->context);
}

static void say(struct rig *r, const char *part, bool more)
{
    int sent = -1;

    for (int left = WAIT_MS / 10; sent < 0 && left > 0; left--)
        sent = zmq_send(r->sender, part, strlen(part), more ? ZMQ_SNDMORE : 0);
    CU_ASSERT_EQUAL_FATAL(sent, (int)strlen(part));
}

/* "key|name=header;value", or "-|value" without a key. */
static void put_row(const struct leat_chunk *chunk, uint32_t row, char *text, size_t room)
{
    struct leat_slice key = chunk->keys[row], headers = chunk->headers[row], name, value;
    uint32_t count = 0;
    size_t len = (size_t)snprintf(text, room, "%.*s|", LEAT_FMT(key.ptr ? key : LEAT_LIT("-")));

    if (headers.len)
        CU_ASSERT(leat_take_u32(&headers, &count));
    while (count-- > 0 && leat_take_header(&headers, &name, &value))
        len +=
            (size_t)snprintf(text + len, room - len, "%.*s=%.*s;", LEAT_FMT(name), LEAT_FMT(value));
    snprintf(text + len, room - len, "%.*s\n", LEAT_FMT(chunk->values[row]));
}

/* Takes blocks until so many rows have come, and says that they are safe. */
static void take(struct rig *r, uint32_t rows, char *text, size_t room)
{
    struct pollfd p = {.fd = r->source.job.wake_fd, .events = POLLIN};
    uint64_t ignored;

    text[0] = '\0';
    for (int left = WAIT_MS / 10; rows > 0 && left > 0; left--) {
        struct leat_arena arena = {0};
        struct leat_chunk chunk;
        struct leat_cursor cursor = {0};
        leat_inbox_ask_seal(&r->source.inbox);
        if (poll(&p, 1, 10) == 1)
            CU_ASSERT_EQUAL(read(p.fd, &ignored, sizeof ignored), (ssize_t)sizeof ignored);
        struct leat_block *b = (struct leat_block *)leat_queue_try(&r->source.job);
        if (!b)
            continue;
        OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
        OK(b->coding->next(&cursor, b, &chunk, &err));
        for (uint32_t i = 0; i < chunk.rows; i++, rows--) {
            size_t len = strlen(text);
            put_row(&chunk, i, text + len, room - len);
        }
        leat_arena_reset(&arena);
        leat_inbox_ack(&r->source.inbox, b);
    }
    CU_ASSERT_EQUAL(rows, 0);
}

static void of_several_parts_the_first_is_the_key_and_the_last_the_value(void)
{
    char text[1024];
    struct rig r;

    rig_start(&r, NULL);
    say(&r, "alone", false);
    say(&r, "topic", true);
    say(&r, "two", false);
    say(&r, "topic", true);
    say(&r, "a", true);
    say(&r, "", true);
    say(&r, "four", false);
    say(&r, "", true);
    say(&r, "", false);
    say(&r, "longer than allowed", false); /* cut behind max_record */
    take(&r, 5, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "-|alone\ntopic|two\ntopic|part1=a;part2=;four\n|\n-|longer th\n");
    rig_stop(&r);
}

static void a_message_of_too_many_parts_is_dropped_and_the_next_one_taken(void)
{
    char text[1024];
    struct rig r;

    rig_start(&r, NULL);
    for (int i = 0; i < 200; i++)
        say(&r, "part", true);
    say(&r, "last", false);
    say(&r, "next", false);
    take(&r, 1, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "-|next\n");
    CU_ASSERT_EQUAL(atomic_load(&r.source.bad_input), 1);
    rig_stop(&r);
}

static void a_message_of_too_many_bytes_in_all_is_dropped_and_the_next_one_taken(void)
{
    char part[401], text[2048];
    struct rig r;

    memset(part, 'x', sizeof part - 1);
    part[sizeof part - 1] = '\0';
    rig_start(&r, "max_message=1KiB");
    for (int parts = 3; parts > 0; parts--) { /* the first message is the one that is too long */
        for (int i = 0; i < parts; i++)
            say(&r, part, true);
        say(&r, "end", false);
    }
    take(&r, 2, text, sizeof text);
    CU_ASSERT_EQUAL(strlen(text), strlen("|part1=;end\n|end\n") + 3 * strlen(part));
    CU_ASSERT_EQUAL(atomic_load(&r.source.bad_input), 1);
    rig_stop(&r);
}

static void wrong_settings_are_refused(void)
{
    static const char key[] = "curve.secret_key=D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
    static const char *const bad[][4] = {
        {"type=pull", NULL},
        {"bind=tcp://*:1", "connect=tcp://a:1", NULL},
        {"bind=localhost:1", NULL},
        {"connect=inproc://x", NULL},
        {"bind=tcp://*:x", NULL},
        {"bind=tcp://*:70000", NULL},
        {"connect=tcp://:5555", NULL},
        {"bind=ipc://", NULL},
        {"connect=tcp://a:1", "topics=t", NULL},
        {"bind=tcp://*:1", "curve.secret_key=short", NULL},
        {"connect=tcp://a:1", key, NULL},
        {"bind=tcp://*:1", key, "curve.server_key=x", NULL},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct instance in;
        instance_init(&in, "zeromq", bad[i]);
        CU_ASSERT_EQUAL(in.module->check(in.self, &err), LEAT_E_CONFIG);
        CU_ASSERT_EQUAL(in.module->push->open(in.self, &in.env, &err), LEAT_E_CONFIG);
        in.module->push->close(in.self);
        instance_fini(&in);
    }
}

int main(void)
{
    pthread_t sender;
    bool ended = false;

    snprintf(endless, sizeof endless, "ipc://@leat-test-zeromq-%d", (int)getpid());
    snprintf(setting, sizeof setting, "connect=%s", endless);
    pthread_create(&sender, NULL, send_for_ever, &ended);
    int result = leat_test_main(
        "zeromq",
        (CU_TestInfo[]){LEAT_PUSH_CONTRACT_TESTS,
                        T(of_several_parts_the_first_is_the_key_and_the_last_the_value),
                        T(a_message_of_too_many_parts_is_dropped_and_the_next_one_taken),
                        T(a_message_of_too_many_bytes_in_all_is_dropped_and_the_next_one_taken),
                        T(wrong_settings_are_refused), CU_TEST_INFO_NULL});
    __atomic_store_n(&ended, true, __ATOMIC_RELEASE);
    pthread_join(sender, NULL);
    return result;
}
