/* Tests sinks/zeromq: the contract of volatile sinks, against a receiver of the test's own.
 *
 * What libzmq was given arrives some time later, on a thread of its own. So commits are counted on
 * their way to the sink, and the receiver waits until all that was committed is there. */
#include "instance.h"
#include "leat_test.h"
#include "sink_contract.h"

#include <stdio.h>
#include <unistd.h>
#include <zmq.h>

#define WAIT_MS 10000 /* for a message that has to come */

static struct leat_error err;
static char address[64], setting[80];
static const char *const settings[] = {setting, "timeout=10s", NULL};
static void *receiver; /* PULL */
static const struct leat_module *real;
static int written, committed, received;

/* ---- counting */

static enum leat_status count_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                    struct leat_error *e)
{
    written += (int)chunk->selected;
    return real->sink->write(self, n, chunk, e);
}

static enum leat_status count_commit(void *self, uint64_t n, struct leat_error *e)
{
    enum leat_status status = real->sink->commit(self, n, e);

    if (status == LEAT_OK) {
        committed += written;
        written = 0;
    }
    return status;
}

static enum leat_status count_abort(void *self, uint64_t n, struct leat_error *e)
{
    written = 0;
    return real->sink->abort(self, n, e);
}

/* The next message is a whole one with this value. */
static bool receive(int wait_ms)
{
    char bytes[16];

    zmq_setsockopt(receiver, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    int len = zmq_recv(receiver, bytes, sizeof bytes, 0);
    if (len < 0)
        return false;
    CU_ASSERT_EQUAL(len, 10);
    CU_ASSERT_EQUAL(memcmp(bytes, "ten bytes!", 10), 0);
    received++;
    return true;
}

static int visible(void)
{
    while (received < committed && receive(WAIT_MS))
        ;
    while (receive(0)) /* more than there should be */
        ;
    return received;
}

static void clear(void)
{
    CU_ASSERT_EQUAL(visible(), committed);
    written = committed = received = 0;
}

static struct leat_sink counted_sink;
static struct leat_module counted;
static const struct sink_case c = {
    .name = "zeromq", .settings = settings, .visible = visible, .clear = clear, .module = &counted};

LEAT_VOLATILE_SINK_CONTRACT(c)

/* ---- a sink by itself */

static void without_a_receiver_a_commit_says_so_and_a_later_one_goes_on(void)
{
    char alone[64], bind[80];
    const char *const lonely[] = {bind, "timeout=100ms", NULL};
    struct instance i;
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    struct leat_bytes section = {.arena = &arena};
    char bytes[16];
    const int wait_ms = WAIT_MS;

    snprintf(alone, sizeof alone, "ipc://@leat-test-zeromq-alone-%d", (int)getpid());
    snprintf(bind, sizeof bind, "bind=%s", alone);
    instance_init_sink(&i, "zeromq", lonely);
    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    leat_chunk_add(&chunk, &(struct leat_row){.value = LEAT_LIT("one")});
    leat_chunk_add(&chunk, &(struct leat_row){.value = LEAT_LIT("")});
    OK(real->sink->open(i.self, &i.env, &err));
    OK(real->sink->write(i.self, 1, &chunk, &err));
    OK(real->sink->prepare(i.self, 1, &(struct leat_positions){0}, &section, &err));
    CU_ASSERT_EQUAL(section.len, 0);
    CU_ASSERT_EQUAL(real->sink->commit(i.self, 1, &err), LEAT_E_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "nobody takes messages at 'ipc://@leat-test-zeromq"));
    void *context = zmq_ctx_new(), *pull = zmq_socket(context, ZMQ_PULL);
    zmq_setsockopt(pull, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    CU_ASSERT_EQUAL(zmq_connect(pull, alone), 0);
    enum leat_status status = LEAT_E_UNREACHABLE;
    for (int left = WAIT_MS / 100; status == LEAT_E_UNREACHABLE && left > 0; left--)
        status = real->sink->commit(i.self, 1, &err);
    OK(status);
    CU_ASSERT_EQUAL(zmq_recv(pull, bytes, sizeof bytes, 0), 3);
    CU_ASSERT_EQUAL(memcmp(bytes, "one", 3), 0);
    CU_ASSERT_EQUAL(zmq_recv(pull, bytes, sizeof bytes, 0), 0);
    zmq_close(pull);
    zmq_ctx_term(context);
    real->sink->close(i.self);
    leat_arena_reset(&arena);
    instance_fini(&i);
}

static void of_what_was_committed_nothing_came_twice(void)
{
    CU_ASSERT_EQUAL(visible(), committed);
}

int main(void)
{
    void *context = zmq_ctx_new();

    receiver = zmq_socket(context, ZMQ_PULL);
    snprintf(address, sizeof address, "ipc://@leat-test-zeromq-sink-%d", (int)getpid());
    snprintf(setting, sizeof setting, "connect=%s", address);
    real = leat_module_find_sink("zeromq");
    if (!receiver || !real || zmq_bind(receiver, address) != 0)
        return 1;
    counted_sink = *real->sink;
    counted_sink.write = count_write;
    counted_sink.commit = count_commit;
    counted_sink.abort = count_abort;
    counted = *real;
    counted.sink = &counted_sink;
    int result = leat_test_main(
        "zeromq_sink",
        (CU_TestInfo[]){LEAT_VOLATILE_SINK_CONTRACT_TESTS,
                        T(without_a_receiver_a_commit_says_so_and_a_later_one_goes_on),
                        T(of_what_was_committed_nothing_came_twice), CU_TEST_INFO_NULL});
    zmq_close(receiver);
    zmq_ctx_term(context);
    return result;
}
