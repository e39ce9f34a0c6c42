/* Tests sinks/socket.c: the contract of volatile sinks, then receivers that are slow, go and come.
 */
#include "instance.h"
#include "leat_test.h"
#include "sink_contract.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define TEXT_BYTES ((size_t)1 << 20)

static struct leat_error err;
static char path[64], setting[80];
static const char *const settings[] = {setting, "timeout=100ms", NULL};
static const char *const frames[] = {setting, "framing=length", NULL};

/* ---- the receiver: without a thread, for what is sent over a Unix socket is there at once */

static int listener = -1, receiver = -1;
static char text[TEXT_BYTES + 1];
static size_t text_len;

static void receiver_listen(void)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    unlink(path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 8) != 0)
        abort();
}

static void receiver_hang_up(void)
{
    if (receiver >= 0)
        close(receiver);
    receiver = -1;
}

static void receiver_end(void)
{
    receiver_hang_up();
    close(listener);
    unlink(path);
}

/* What has come, over all connections that there were. */
static const char *received(void)
{
    for (;;) {
        if (receiver < 0)
            receiver = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        ssize_t n = receiver < 0 ? -1 : recv(receiver, text + text_len, TEXT_BYTES - text_len, 0);
        if (n > 0)
            text_len += (size_t)n;
        else if (n == 0)
            receiver_hang_up();
        else
            break;
    }
    text[text_len] = '\0';
    return text;
}

static int visible(void)
{
    int lines = 0;

    for (const char *at = received(); (at = strstr(at, "ten bytes!\n")); at++)
        lines++;
    return lines;
}

static void clear(void)
{
    received();
    receiver_hang_up();
    text_len = 0;
}

static const struct sink_case c = {
    .name = "socket", .settings = settings, .visible = visible, .clear = clear};

LEAT_VOLATILE_SINK_CONTRACT(c)

/* ---- a sink by itself */

struct rig {
    struct instance i;
    struct leat_arena arena;
    struct leat_chunk chunk;
};

static void rig_init(struct rig *r, const char *const *with)
{
    *r = (struct rig){0};
    clear();
    instance_init_sink(&r->i, "socket", with);
    OK(leat_chunk_init(&r->chunk, &r->arena, LEAT_COL_PATHS, &err));
    OK(r->i.module->sink->open(r->i.self, &r->i.env, &err));
}

static void rig_fini(struct rig *r)
{
    r->i.module->sink->close(r->i.self);
    leat_arena_reset(&r->arena);
    instance_fini(&r->i);
}

static void add(struct rig *r, struct leat_slice value)
{
    leat_chunk_add(&r->chunk, &(struct leat_row){.value = value});
}

static void write_batch(struct rig *r, uint64_t n)
{
    struct leat_bytes section = {.arena = &r->arena};

    OK(r->i.module->sink->write(r->i.self, n, &r->chunk, &err));
    OK(r->i.module->sink->prepare(r->i.self, n, &(struct leat_positions){0}, &section, &err));
    CU_ASSERT_EQUAL(section.len, 0);
}

static enum leat_status commit(struct rig *r, uint64_t n)
{
    return r->i.module->sink->commit(r->i.self, n, &err);
}

static void lines_and_frames_are_what_the_format_made(void)
{
    struct rig r;

    rig_init(&r, settings);
    add(&r, LEAT_LIT("{}"));
    add(&r, (struct leat_slice){0}); /* a tombstone */
    add(&r, LEAT_LIT(""));
    write_batch(&r, 1);
    OK(commit(&r, 1));
    CU_ASSERT_STRING_EQUAL(received(), "{}\nnull\n\n");
    rig_fini(&r);
    rig_init(&r, frames);
    add(&r, LEAT_LIT("a\nb"));
    add(&r, LEAT_LIT(""));
    write_batch(&r, 1);
    OK(commit(&r, 1));
    received();
    CU_ASSERT_EQUAL_FATAL(text_len, 11);
    CU_ASSERT_EQUAL(memcmp(text, "\0\0\0\3a\nb\0\0\0\0", 11), 0);
    rig_fini(&r);
}

static void a_receiver_that_is_not_there_is_waited_for(void)
{
    struct rig r;

    rig_init(&r, settings);
    receiver_end();
    add(&r, LEAT_LIT("one"));
    write_batch(&r, 1);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(commit(&r, 1), LEAT_E_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
    receiver_listen();
    OK(commit(&r, 1));
    CU_ASSERT_STRING_EQUAL(received(), "one\n");
    rig_fini(&r);
}

static void a_receiver_that_went_gets_the_next_batch_on_a_new_connection(void)
{
    struct rig r;

    rig_init(&r, settings);
    add(&r, LEAT_LIT("one"));
    write_batch(&r, 1);
    OK(commit(&r, 1));
    CU_ASSERT_STRING_EQUAL(received(), "one\n");
    CU_ASSERT_EQUAL(send(receiver, "chatter", 7, MSG_NOSIGNAL), 7); /* is thrown away */
    write_batch(&r, 2);
    OK(commit(&r, 2));
    received();
    receiver_hang_up();
    write_batch(&r, 3);
    OK(commit(&r, 3));
    CU_ASSERT_STRING_EQUAL(received(), "one\none\none\n");
    rig_fini(&r);
}

/* It is told apart from one that is away, and nothing is sent twice when it reads again. */
static void a_receiver_that_does_not_read_is_waited_for_and_gets_each_record_once(void)
{
    static char large[3000];
    struct rig r;
    int rows = 200;

    rig_init(&r, settings);
    memset(large, 'x', sizeof large);
    for (int i = 0; i < rows; i++) {
        memcpy(
            large,
            &(char[4]){(char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10), ' '},
            4);
        add(&r, leat_arena_copy(&r.arena, (struct leat_slice){large, sizeof large}));
    }
    write_batch(&r, 1);
    CU_ASSERT_EQUAL(commit(&r, 1), LEAT_E_UNREACHABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "does not read"));
    for (int i = 0; i < 100 && commit(&r, 1) != LEAT_OK; i++)
        received();
    received();
    CU_ASSERT_EQUAL_FATAL(text_len, (size_t)rows * (sizeof large + 1));
    for (int i = 0; i < rows; i++)
        CU_ASSERT_EQUAL(atoi(text + (size_t)i * (sizeof large + 1)), i);
    rig_fini(&r);
}

/* A record that the old connection had half of comes whole on the new one. */
static void a_record_that_was_cut_off_begins_anew(void)
{
    static char large[400000];
    struct rig r;

    rig_init(&r, settings);
    memset(large, 'y', sizeof large);
    add(&r, LEAT_LIT("first"));
    add(&r, (struct leat_slice){large, sizeof large});
    write_batch(&r, 1);
    CU_ASSERT_EQUAL(commit(&r, 1), LEAT_E_UNREACHABLE); /* the buffers are full */
    receiver = accept(listener, NULL, NULL);
    CU_ASSERT_EQUAL(recv(receiver, text, 6, MSG_WAITALL), 6);
    receiver_hang_up();
    text_len = 0;
    for (int i = 0; i < 100 && commit(&r, 1) != LEAT_OK; i++)
        received();
    received();
    CU_ASSERT_EQUAL(text_len, sizeof large + 1);
    CU_ASSERT_EQUAL(text[0], 'y');
    rig_fini(&r);
}

static void wrong_addresses_are_refused(void)
{
    static const char *const bad[][2] = {
        {"connect=nocolon", NULL}, {"connect=*:80", NULL}, {"connect=unix:", NULL}};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct instance in;
        instance_init_sink(&in, "socket", bad[i]);
        CU_ASSERT_EQUAL(in.module->check(in.self, &err), LEAT_E_CONFIG);
        instance_fini(&in);
    }
}

int main(void)
{
    snprintf(path, sizeof path, "/tmp/leat-test-sink-%d.sock", getpid());
    snprintf(setting, sizeof setting, "connect=unix:%s", path);
    receiver_listen();
    int result = leat_test_main(
        "socket_sink",
        (CU_TestInfo[]){LEAT_VOLATILE_SINK_CONTRACT_TESTS,
                        T(lines_and_frames_are_what_the_format_made),
                        T(a_receiver_that_is_not_there_is_waited_for),
                        T(a_receiver_that_went_gets_the_next_batch_on_a_new_connection),
                        T(a_receiver_that_does_not_read_is_waited_for_and_gets_each_record_once),
                        T(a_record_that_was_cut_off_begins_anew), T(wrong_addresses_are_refused),
                        CU_TEST_INFO_NULL});
    receiver_end();
    return result;
}
