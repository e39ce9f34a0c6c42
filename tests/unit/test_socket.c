/* Tests connectors/socket.c: the contract of all push sources, then peers that come and go. */
#include "leat_test.h"
#include "push_rig.h"
#include "run/inbox.h"
#include "run/message.h"
#include "source_contract.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 10000 /* for an event that has to come */

static struct leat_error err;

/* ---- the other side */

static int listen_on(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 8) != 0)
        abort();
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;

    getsockname(fd, (struct sockaddr *)&at, &len);
    return ntohs(at.sin_port);
}

/* A port where nobody listens. */
static int free_port(void)
{
    int fd = listen_on(0), port = port_of(fd);

    close(fd);
    return port;
}

static int accept_one(int listener)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};

    CU_ASSERT_EQUAL_FATAL(poll(&p, 1, WAIT_MS), 1);
    return accept(listener, NULL, NULL);
}

static int dial(int family, int port)
{
    struct sockaddr_in6 six = {
        .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = in6addr_loopback};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int result = family == AF_INET6 ? connect(fd, (struct sockaddr *)&six, sizeof six)
                                    : connect(fd, (struct sockaddr *)&four, sizeof four);
    if (result == 0)
        return fd;
    close(fd);
    return -1;
}

static void say(int fd, const char *text)
{
    CU_ASSERT_EQUAL(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* ---- the contract, against a server that sends without end */

static void *serve_for_ever(void *arg)
{
    int listener = *(int *)arg;

    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        while (send(fd, SOURCE_TEXT, strlen(SOURCE_TEXT), MSG_NOSIGNAL) > 0)
            ;
        close(fd);
    }
}

static char contract_setting[64];
static const char *const contract_settings[] = {contract_setting, NULL};
static const struct source_case source = {.name = "socket", .good = contract_settings};

LEAT_PUSH_CONTRACT(source)

/* ---- a source by itself */

static void rig_start(struct push_rig *r, const char *const *settings)
{
    push_rig_start(r, "socket", settings, 32, 4, false);
}

/* Rows of a block, each behind a '|', onto text. */
static int put_rows(struct leat_block *b, char *text, size_t room)
{
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    struct leat_cursor cursor = {0};
    int rows = 0;

    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    do {
        OK(b->coding->next(&cursor, b, &chunk, &err));
        for (uint32_t i = 0; i < chunk.rows; i++, rows++) {
            size_t len = strlen(text);
            snprintf(text + len, room - len, "|%.*s", LEAT_FMT(chunk.values[i]));
        }
    } while (chunk.rows);
    leat_arena_reset(&arena);
    return rows;
}

/* The next `rows` rows. */
static const char *take(struct push_rig *r, int rows)
{
    static char text[4096];
    struct pollfd p = {.fd = r->job.wake_fd, .events = POLLIN};
    uint64_t ignored;

    text[0] = 0;
    for (int left = WAIT_MS / 10; rows > 0 && left > 0; left--) {
        leat_inbox_ask_seal(&r->inbox);
        if (poll(&p, 1, 10) == 1)
            CU_ASSERT_EQUAL(read(p.fd, &ignored, sizeof ignored), (ssize_t)sizeof ignored);
        for (struct leat_msg *m; (m = leat_queue_try(&r->job));) {
            rows -= put_rows((struct leat_block *)m, text, sizeof text);
            leat_inbox_ack(&r->inbox, (struct leat_block *)m);
        }
    }
    CU_ASSERT_EQUAL(rows, 0);
    return text;
}

static char address[64];

static const char *local(const char *option, int port)
{
    snprintf(address, sizeof address, "%s=127.0.0.1:%d", option, port);
    return address;
}

static int64_t cpu_ms(pthread_t thread)
{
    struct timespec t = {0};
    clockid_t id;

    if (pthread_getcpuclockid(thread, &id) == 0)
        clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void a_peer_that_goes_is_connected_again(void)
{
    int listener = listen_on(0);
    const char *const settings[] = {local("connect", port_of(listener)), "retry=300ms", NULL};
    struct push_rig r;

    rig_start(&r, settings);
    int fd = accept_one(listener);
    say(fd, "one\r\ntwo\nthe last has no end");
    close(fd);
    CU_ASSERT_STRING_EQUAL(take(&r, 3), "|one|two|the last has no end");
    int64_t before = cpu_ms(r.thread);
    fd = accept_one(listener);
    CU_ASSERT(cpu_ms(r.thread) - before < 100); /* it slept */
    say(fd, "three\n");
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|three");
    close(fd);
    close(listener);
    push_rig_stop(&r);
}

static void a_peer_that_is_not_there_yet_is_waited_for(void)
{
    int port = free_port();
    const char *const settings[] = {local("connect", port), "retry=10ms", NULL};
    struct push_rig r;

    rig_start(&r, settings);
    int listener = listen_on(port);
    int fd = accept_one(listener);
    say(fd, "hello\n");
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|hello");
    push_rig_stop(&r); /* while the peer is there */
    close(fd);
    close(listener);
}

static void others_connect_and_lines_are_cut(void)
{
    int port = free_port();
    const char *const settings[] = {local("listen", port), "last_line=drop", NULL};
    struct push_rig r;
    char text[100000];

    rig_start(&r, settings);
    int a = dial(AF_INET, port), b = dial(AF_INET, port);
    CU_ASSERT_FATAL(a >= 0 && b >= 0);
    say(a, "from");
    say(b, "b\r\n\r\n");
    CU_ASSERT_STRING_EQUAL(take(&r, 2), "|b|");
    say(a, " a\n");
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|from a");
    memset(text, 'x', sizeof text);
    strcpy(text + sizeof text - 20, "\ngood\nno end");
    say(a, text); /* 32 bytes are the limit: one more is delivered */
    CU_ASSERT_STRING_EQUAL(take(&r, 2), "|xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|good");
    close(a);
    say(b, "b is last\n");
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|b is last");
    close(b);
    push_rig_stop(&r);
}

static void further_connections_wait_for_a_place(void)
{
    int port = free_port();
    const char *const settings[] = {local("listen", port), "max_connections=1", NULL};
    struct push_rig r;

    rig_start(&r, settings);
    int a = dial(AF_INET, port);
    say(a, "first\n");
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|first");
    int b = dial(AF_INET, port);
    say(b, "second\n");
    say(a, "first again\n");
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|first again");
    close(a);
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|second");
    close(b);
    push_rig_stop(&r);
}

/* The memory is enough for one connection's bytes and a block or two. */
static void who_finds_no_memory_waits_for_it_and_nobody_is_cut_off(void)
{
    int port = free_port();
    const char *const settings[] = {local("listen", port), NULL};
    struct push_rig r;

    rig_start(&r, settings);
    CU_ASSERT_FATAL(leat_budget_take(&r.i.budget, r.i.budget.cap - 26000));
    int a = dial(AF_INET, port);
    say(a, "a\n");
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|a");
    int b = dial(AF_INET, port);
    say(b, "b\n");
    for (int i = 0; i < 2; i++) {
        say(a, "more\n");
        CU_ASSERT_STRING_EQUAL(take(&r, 1), "|more");
    }
    close(a);
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|b");
    close(b);
    leat_budget_give(&r.i.budget, r.i.budget.cap - 26000);
    push_rig_stop(&r);
}

static void both_families_reach_every_address(void)
{
    int port = free_port();
    char setting[32];
    const char *const settings[] = {setting, NULL};
    struct push_rig r;

    snprintf(setting, sizeof setting, "listen=*:%d", port);
    rig_start(&r, settings);
    int four = dial(AF_INET, port), six = dial(AF_INET6, port);
    CU_ASSERT_FATAL(four >= 0);
    say(four, "four\n");
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|four");
    close(four);
    if (six >= 0) {
        say(six, "six\n");
        CU_ASSERT_STRING_EQUAL(take(&r, 1), "|six");
        close(six);
    }
    push_rig_stop(&r);
    if (six < 0)
        LEAT_SKIP("this host has no IPv6");
}

/* No credit: what was sent waits, and what is left when the peer has gone comes all the same. */
static void without_a_credit_nothing_is_lost(void)
{
    int port = free_port();
    const char *const settings[] = {local("listen", port), NULL};
    struct push_rig r;
    char line[32];

    rig_start(&r, settings);
    int a = dial(AF_INET, port);
    for (int i = 0; i < 2000; i++) {
        snprintf(line, sizeof line, "line %d, and a little more\n", i);
        say(a, line);
    }
    close(a);
    int rows = 0;
    while (rows < 2000) {
        char text[16384] = "";
        struct leat_block *b = (struct leat_block *)leat_queue_take(&r.job);
        int64_t first = b->from;
        CU_ASSERT_EQUAL_FATAL(first, rows);
        rows += put_rows(b, text, sizeof text);
        snprintf(line, sizeof line, "|line %d,", rows - 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, line));
        leat_inbox_ack(&r.inbox, b);
        leat_inbox_ask_seal(&r.inbox);
        if (rows >= 1900) { /* the last block is sealed when we ask for it */
            take(&r, 2000 - rows);
            rows = 2000;
        }
    }
    push_rig_stop(&r);
}

static void say_bytes(int fd, const char *bytes, size_t len)
{
    CU_ASSERT_EQUAL(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void frames_begin_with_their_length(void)
{
    int port = free_port();
    const char *const settings[] = {local("listen", port), "framing=length", NULL};
    static const char frames[] = "\0\0\0\3one\0\0\0\0\0\0\0\5a\nb\r\n\0\0", rest[] = "\0\4four";
    char large[104] = {0, 0, 0, 100};
    struct push_rig r;

    rig_start(&r, settings);
    int a = dial(AF_INET, port);
    say_bytes(a, frames, sizeof frames - 1);
    CU_ASSERT_STRING_EQUAL(take(&r, 3), "|one||a\nb\r\n");
    say_bytes(a, rest, sizeof rest - 1);
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|four");
    memset(large + 4, 'x', 100); /* 32 bytes are the limit: one more is delivered */
    say_bytes(a, large, sizeof large);
    say_bytes(a, frames, 7);
    CU_ASSERT_STRING_EQUAL(take(&r, 2), "|xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|one");
    say_bytes(a, "\0\0\0\11half", 8); /* what is cut is no record */
    close(a);
    a = dial(AF_INET, port);
    say_bytes(a, frames, 7);
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|one");
    close(a);
    push_rig_stop(&r);
    CU_ASSERT_EQUAL(atomic_load(&r.bad_input), 1);
}

/* An announced length of 4 GiB takes neither memory nor the others' turn. */
static void a_huge_length_is_one_record_that_is_too_long(void)
{
    int port = free_port();
    const char *const settings[] = {local("listen", port), "framing=length", NULL};
    char junk[8192];
    struct push_rig r;

    rig_start(&r, settings);
    int a = dial(AF_INET, port), b = dial(AF_INET, port);
    memset(junk, 0xff, sizeof junk);
    for (int i = 0; i < 64; i++)
        say_bytes(a, junk, sizeof junk);
    CU_ASSERT_EQUAL(strlen(take(&r, 1)), 1 + 33);
    say_bytes(b, "\0\0\0\3one", 7);
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|one");
    CU_ASSERT(atomic_load(&r.i.budget.peak) < 100000);
    close(a);
    close(b);
    push_rig_stop(&r);
}

static void a_thousand_idle_connections_hold_up_nobody(void)
{
    int port = free_port(), idle[1000];
    const char *const settings[] = {local("listen", port), "max_connections=1001", NULL};
    struct push_rig r;

    rig_start(&r, settings);
    for (int i = 0; i < 1000; i++)
        idle[i] = dial(AF_INET, port);
    int a = dial(AF_INET, port);
    say(a, "one\n");
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|one");
    CU_ASSERT(atomic_load(&r.i.budget.peak) < 100000);
    for (int i = 0; i < 1000; i++)
        close(idle[i]);
    close(a);
    push_rig_stop(&r);
}

static void who_is_silent_is_cut_off(void)
{
    int port = free_port();
    const char *const settings[] = {local("listen", port), "idle=100ms", NULL};
    struct push_rig r;
    char byte;

    rig_start(&r, settings);
    int a = dial(AF_INET, port), b = dial(AF_INET, port);
    say(a, "hello\nand no more");
    CU_ASSERT_STRING_EQUAL(take(&r, 2), "|hello|and no more"); /* its end is the stream's */
    CU_ASSERT_EQUAL(recv(a, &byte, 1, 0), 0);
    CU_ASSERT_EQUAL(recv(b, &byte, 1, 0), 0);
    close(a);
    close(b);
    push_rig_stop(&r);
}

static int dial_unix(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void a_unix_socket_is_taken_over_from_a_process_that_ended(void)
{
    char path[64], setting[80];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const char *const settings[] = {setting, NULL};
    struct push_rig r;

    snprintf(path, sizeof path, "/tmp/leat-test-%d.sock", getpid());
    snprintf(setting, sizeof setting, "listen=unix:%s", path);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    int left = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(left, (struct sockaddr *)&at, sizeof at), 0);
    close(left); /* the path stays */
    rig_start(&r, settings);
    int a = dial_unix(path);
    say(a, "hello\n");
    CU_ASSERT_STRING_EQUAL(take(&r, 1), "|hello");
    struct instance second; /* of one that answers it is not taken */
    instance_init(&second, "socket", settings);
    CU_ASSERT_EQUAL(second.module->push->open(second.self, &second.env, &err), LEAT_E_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "in use"));
    second.module->push->close(second.self);
    instance_fini(&second);
    close(a);
    push_rig_stop(&r);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
}

static void a_unix_socket_is_connected_to_and_again(void)
{
    char path[64], setting[80];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    const char *const settings[] = {setting, "retry=10ms", NULL};
    struct push_rig r;

    snprintf(path, sizeof path, "/tmp/leat-test-%d.sock", getpid());
    snprintf(setting, sizeof setting, "connect=unix:%s", path);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    rig_start(&r, settings); /* nobody is there yet */
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 8), 0);
    for (int i = 0; i < 2; i++) {
        int fd = accept_one(listener);
        say(fd, "hello\n");
        CU_ASSERT_STRING_EQUAL(take(&r, 1), "|hello");
        close(fd);
    }
    push_rig_stop(&r);
    close(listener);
    unlink(path);
}

static void wrong_addresses_are_refused(void)
{
    static const char *const bad[][3] = {
        {NULL},
        {"connect=a:1", "listen=b:1", NULL},
        {"listen=nocolon", NULL},
        {"listen=127.0.0.1:0", NULL},
        {"listen=127.0.0.1:70000", NULL},
        {"listen=::1:90", NULL},
        {"listen=localhost:http", NULL},
        {"listen=unix:", NULL},
        {"connect=unix:/"
         "a-path-that-is-longer-than-the-hundred-and-seven-bytes-which-the-system-has-"
         "for-the-path-of-a-unix-socket-and-so-is-refused",
         NULL},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct instance in;
        instance_init(&in, "socket", bad[i]);
        CU_ASSERT_EQUAL(in.module->check(in.self, &err), LEAT_E_CONFIG);
        CU_ASSERT_EQUAL(in.module->push->open(in.self, &in.env, &err), LEAT_E_CONFIG);
        in.module->push->close(in.self);
        instance_fini(&in);
    }
}

static void an_address_in_use_is_said(void)
{
    int listener = listen_on(0);
    const char *const settings[] = {local("listen", port_of(listener)), NULL};
    struct instance i;

    instance_init(&i, "socket", settings);
    CU_ASSERT_EQUAL(i.module->push->open(i.self, &i.env, &err), LEAT_E_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "in use"));
    i.module->push->close(i.self);
    instance_fini(&i);
    close(listener);
}

int main(void)
{
    int listener = listen_on(0);
    pthread_t server;

    snprintf(contract_setting, sizeof contract_setting, "connect=127.0.0.1:%d", port_of(listener));
    pthread_create(&server, NULL, serve_for_ever, &listener);
    int result = leat_test_main(
        "socket",
        (CU_TestInfo[]){
            LEAT_PUSH_CONTRACT_TESTS, T(a_peer_that_goes_is_connected_again),
            T(a_peer_that_is_not_there_yet_is_waited_for), T(others_connect_and_lines_are_cut),
            T(further_connections_wait_for_a_place),
            T(who_finds_no_memory_waits_for_it_and_nobody_is_cut_off),
            T(both_families_reach_every_address), T(without_a_credit_nothing_is_lost),
            T(frames_begin_with_their_length), T(a_huge_length_is_one_record_that_is_too_long),
            T(a_thousand_idle_connections_hold_up_nobody), T(who_is_silent_is_cut_off),
            T(a_unix_socket_is_taken_over_from_a_process_that_ended),
            T(a_unix_socket_is_connected_to_and_again), T(wrong_addresses_are_refused),
            T(an_address_in_use_is_said), CU_TEST_INFO_NULL});
    shutdown(listener, SHUT_RDWR);
    pthread_join(server, NULL);
    close(listener);
    return result;
}
