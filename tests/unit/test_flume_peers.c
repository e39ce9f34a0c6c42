/* Tests connectors/flume: many peers, peers that break every rule, and compressed ones. */
#include "flume_agent.h"
#include "leat_test.h"

#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

static void thousand_idle_connections_hold_up_nobody(void)
{
    struct rlimit files;
    struct push_rig r;
    int idle[1000];

    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < 2200)
        LEAT_SKIP("this host allows too few open files");
    files.rlim_cur = files.rlim_cur < 2200 ? 2200 : files.rlim_cur;
    setrlimit(RLIMIT_NOFILE, &files);
    rig_start(&r, NULL, NULL, 4);
    for (int i = 0; i < 1000; i++) {
        idle[i] = agent_dial(r.port);
        CU_ASSERT_FATAL(idle[i] >= 0);
        if (i % 2)
            agent_say(idle[i], "\0\0\0\1\0", 5); /* half of a head */
    }
    int fd = agent_dial(r.port);
    agent_say_call(fd, agent_first_append(1, "hello"));
    rig_take_and_ack(&r, "|host=n1;hello");
    agent_expect(fd, OK_FIRST("\1"));
    CU_ASSERT(atomic_load(&r.i.budget.peak) < (size_t)10 << 20);
    for (int i = 0; i < 1000; i++)
        close(idle[i]);
    close(fd);
    push_rig_stop(&r);
}

static void who_does_not_go_on_with_a_call_is_closed(void)
{
    struct push_rig r;

    rig_start(&r, "timeout=100ms", "idle=200ms", 4);
    int half = agent_dial(r.port), idle = agent_dial(r.port);
    agent_say(half, "\0\0\0\1\0\0\0\1\0\0\0\x40", 12);
    agent_expect_end(half);
    agent_expect_end(idle);
    int fd = agent_dial(r.port);
    agent_say_call(fd, agent_first_append(1, "hello"));
    char text[64];
    struct leat_block *b = rig_take(&r, text, sizeof text);
    poll(NULL, 0, 300); /* what waits for us is not idle: as long as that ... */
    leat_inbox_ack(&r.inbox, b);
    agent_expect(fd, OK_FIRST("\1"));
    agent_expect_end(fd); /* ... and is, when it has its answer */
    close(fd);
    close(half);
    close(idle);
    push_rig_stop(&r);
}

static void what_is_no_call_is_closed_and_others_are_served(void)
{
    const struct leat_slice bad[] = {
        LEAT_LIT("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
        LEAT_LIT("\0\0\0\1\0\0\0\0"),                                 /* of no bytes */
        LEAT_LIT("\0\0\0\1\xff\xff\xff\xff\0\0\0\0"),                 /* -1 buffers */
        LEAT_LIT("\0\0\0\1\0\0\4\1"),                                 /* 1,025 buffers */
        LEAT_LIT("\0\0\0\1\0\0\0\1\x7f\xff\xff\xff"),                 /* of 2 GiB */
        LEAT_LIT("\0\0\0\1\0\0\0\1\xff\xff\xff\xff"),                 /* of -1 bytes */
        LEAT_LIT("\0\0\0\1\0\0\0\2\0\0\x0f\xff"),                     /* half, then too much */
        LEAT_LIT("\0\0\0\1\0\0\0\1\0\0\0\4abcd"),                     /* no hello */
        LEAT_LIT("\x16\3\1\0\xa5\1\0\0\xa1\3\3"),                     /* TLS */
        LEAT_LIT("\x78\x9c\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), /* no zlib */
    };
    struct push_rig r;

    rig_start(&r, "max_frame=4KiB", NULL, 4);
    int good = agent_dial(r.port);
    agent_say_call(good, agent_first_append(1, "a"));
    rig_take_and_ack(&r, "|host=n1;a");
    agent_expect(good, OK_FIRST("\1"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int fd = agent_dial(r.port);
        agent_say(fd, bad[i].ptr, bad[i].len);
        if (i == 6) {
            char part[4095] = "";
            agent_say(fd, part, sizeof part);
            agent_say(fd, "\0\0\0\2", 4);
        }
        agent_expect_end(fd);
        close(fd);
    }
    agent_say_call(good, agent_next_append(2, "b"));
    rig_take_and_ack(&r, "|b");
    agent_expect(good, OK_NEXT("\2"));
    close(good);
    push_rig_stop(&r);
    CU_ASSERT_EQUAL(atomic_load(&r.bad_input), (int64_t)(sizeof bad / sizeof *bad));
}

/* A client that holds all the room with half a call is closed in time; the one that waits for room
 * goes on then. */
static void who_finds_no_room_waits_for_it(void)
{
    struct push_rig r;
    char part[3000] = "";

    rig_start(&r, "max_frame=4KiB", "buffers=4KiB", 4);
    int greedy = agent_dial(r.port);
    agent_say(greedy, "\0\0\0\1\0\0\0\1\0\0\x0f\xff", 12);
    agent_say(greedy, part, sizeof part);
    int fd = agent_dial(r.port);
    agent_say_call(fd, agent_first_append(1, "patient"));
    CU_ASSERT(agent_is_silent(greedy));
    close(greedy);
    rig_take_and_ack(&r, "|host=n1;patient");
    agent_expect(fd, OK_FIRST("\1"));
    close(fd);
    push_rig_stop(&r);
}

static void one_call_may_be_as_large_as_all_the_room(void)
{
    struct push_rig r;
    char body[6001];

    memset(body, 'x', sizeof body - 1);
    body[sizeof body - 1] = '\0';
    rig_start(&r, "max_frame=6100B", "buffers=6100B", 4);
    int fd = agent_dial(r.port);
    agent_say_call(fd, agent_first_append(1, body));
    rig_take_and_ack(&r, "|host=n1;xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"); /* cut behind max_record */
    agent_expect(fd, OK_FIRST("\1"));
    close(fd);
    push_rig_stop(&r);
}

/* ---- zlib */

static size_t deflate_some(z_stream *z, const void *bytes, size_t len, char *into, size_t room)
{
    z->next_in = (unsigned char *)(uintptr_t)bytes;
    z->avail_in = (unsigned)len;
    z->next_out = (unsigned char *)into;
    z->avail_out = (unsigned)room;
    CU_ASSERT_EQUAL(deflate(z, Z_SYNC_FLUSH), Z_OK);
    return room - z->avail_out;
}

static void a_compressed_connection_is_served(void)
{
    z_stream out = {0}, in = {0};
    struct push_rig r;
    char bytes[4096], plain[64], got[64];

    rig_start(&r, NULL, NULL, 4);
    CU_ASSERT_EQUAL(deflateInit(&out, 6), Z_OK);
    CU_ASSERT_EQUAL(inflateInit(&in), Z_OK);
    int fd = agent_dial(r.port);
    for (int i = 1; i < 4; i++) {
        struct agent_call c =
            i == 1 ? agent_first_append(i, "small") : agent_next_append(i, "small");
        size_t len = deflate_some(&out, c.bytes, c.len, bytes, sizeof bytes);
        for (size_t at = 0; at < len; at++)
            agent_say(fd, bytes + at, 1);
        rig_take_and_ack(&r, i == 1 ? "|host=n1;small" : "|small");
        in.next_out = (unsigned char *)plain;
        in.avail_out = i == 1 ? 19 : 15;
        while (in.avail_out) {
            ssize_t n = recv(fd, got, 1, 0);
            CU_ASSERT_FATAL(n == 1);
            in.next_in = (unsigned char *)got;
            in.avail_in = 1;
            int result = inflate(&in, Z_NO_FLUSH);
            CU_ASSERT_FATAL(result == Z_OK || result == Z_BUF_ERROR);
        }
        CU_ASSERT_EQUAL(plain[3], i);
        while (recv(fd, got, 1, MSG_DONTWAIT) == 1) { /* the end of the flush */
            in.next_in = (unsigned char *)got;
            in.avail_in = 1;
            in.next_out = (unsigned char *)plain;
            in.avail_out = 1;
            inflate(&in, Z_NO_FLUSH);
        }
    }
    deflateEnd(&out);
    inflateEnd(&in);
    close(fd);
    push_rig_stop(&r);
}

/* 64 MiB of zeros in 64 KiB: calls of no bytes without end, or one call that is too large. */
static void a_bomb_takes_no_memory(void)
{
    static char zeros[1 << 20], bomb[1 << 20];
    static const char head[] = "\0\0\0\1\0\0\0\1\0\xff\xff\xff";
    struct push_rig r;

    for (int large = 0; large < 2; large++) {
        z_stream out = {0};
        size_t len = 0;
        rig_start(&r, "max_frame=1MiB", NULL, 4);
        CU_ASSERT_EQUAL(deflateInit(&out, 9), Z_OK);
        if (large)
            len = deflate_some(&out, head, sizeof head - 1, bomb, sizeof bomb);
        for (int i = 0; i < 64; i++)
            len += deflate_some(&out, zeros, sizeof zeros, bomb + len, sizeof bomb - len);
        deflateEnd(&out);
        int fd = agent_dial(r.port);
        for (size_t at = 0; at < len;) {
            ssize_t n = send(fd, bomb + at, len - at, MSG_NOSIGNAL);
            if (n <= 0)
                break;
            at += (size_t)n;
        }
        agent_expect_end(fd);
        CU_ASSERT(atomic_load(&r.i.budget.peak) < (size_t)1 << 20);
        close(fd);
        push_rig_stop(&r);
    }
}

LEAT_TESTS("flume_peers", T(thousand_idle_connections_hold_up_nobody),
           T(who_does_not_go_on_with_a_call_is_closed),
           T(what_is_no_call_is_closed_and_others_are_served), T(who_finds_no_room_waits_for_it),
           T(one_call_may_be_as_large_as_all_the_room), T(a_compressed_connection_is_served),
           T(a_bomb_takes_no_memory))
