/* Tests connectors/flume: the contract of all push sources, then Flume's calls byte by byte, and
 * peers that break every rule. */
#include "../../connectors/flume/protocol.h"
#include "instance.h"
#include "leat_test.h"
#include "run/inbox.h"
#include "run/message.h"
#include "source_contract.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define WAIT_MS    10000 /* for an event that has to come */
#define CALL_BYTES 8192

static struct leat_error err;

/* ---- what a client sends */

struct call {
    char bytes[CALL_BYTES];
    size_t len;
};

static void put(struct call *c, const void *bytes, size_t len)
{
    memcpy(c->bytes + c->len, bytes, len);
    c->len += len;
}

static void put_text(struct call *c, struct leat_slice text)
{
    c->len += avro_put_long(c->bytes + c->len, (int64_t)text.len);
    put(c, text.ptr, text.len);
}

static void put_u32(struct call *c, uint32_t v)
{
    v = htonl(v);
    put(c, &v, sizeof v);
}

static void put_hello(struct call *c, const char *client, const char *server,
                      struct leat_slice protocol)
{
    put(c, client, FLUME_HASH_BYTES);
    put(c, protocol.ptr ? "\2" : "\0", 1);
    if (protocol.ptr)
        put_text(c, protocol);
    put(c, server, FLUME_HASH_BYTES);
    put(c, "\2\0", 2);
}

/* name and value of one header, or none; then the body */
static void put_event(struct call *c, const char *name, const char *value, const char *body)
{
    if (name) {
        put(c, "\2", 1);
        put_text(c, leat_slice_str(name));
        put_text(c, leat_slice_str(value));
    }
    put(c, "\0", 1);
    put_text(c, leat_slice_str(body));
}

static void put_name(struct call *c, const char *name)
{
    put(c, "\0", 1);
    put_text(c, leat_slice_str(name));
}

/* The call as a frame of two buffers, as Flume sends it. */
static struct call frame(int serial, const struct call *c)
{
    struct call f = {.len = 0};
    uint32_t first = (uint32_t)c->len / 2;

    put_u32(&f, (uint32_t)serial);
    put_u32(&f, 2);
    put_u32(&f, first);
    put(&f, c->bytes, first);
    put_u32(&f, (uint32_t)c->len - first);
    put(&f, c->bytes + first, c->len - first);
    return f;
}

/* A first call: `append` of one event. */
static struct call first_append(int serial, const char *body)
{
    struct call c = {.len = 0};

    put_hello(&c, flume_protocol_hash, flume_protocol_hash, (struct leat_slice){0});
    put_name(&c, "append");
    put_event(&c, "host", "n1", body);
    return frame(serial, &c);
}

static struct call next_append(int serial, const char *body)
{
    struct call c = {.len = 0};

    put_name(&c, "append");
    put_event(&c, NULL, NULL, body);
    return frame(serial, &c);
}

static int listen_on(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 8) != 0)
        abort();
    return fd;
}

/* Where nobody listens. */
static int free_port(void)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    int fd = listen_on(0);

    getsockname(fd, (struct sockaddr *)&at, &len);
    close(fd);
    return ntohs(at.sin_port);
}

static int dial(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

static void say(int fd, const void *bytes, size_t len)
{
    CU_ASSERT_EQUAL(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void say_call(int fd, struct call c)
{
    say(fd, c.bytes, c.len);
}

/* Exactly these bytes come. */
static void expect(int fd, const void *bytes, size_t len)
{
    char got[CALL_BYTES];

    for (size_t at = 0; at < len;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        CU_ASSERT_EQUAL_FATAL(poll(&p, 1, WAIT_MS), 1);
        ssize_t n = recv(fd, got + at, len - at, 0);
        CU_ASSERT_FATAL(n > 0);
        at += (size_t)n;
    }
    CU_ASSERT_EQUAL(memcmp(got, bytes, len), 0);
}

static bool is_silent(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 0;
}

static void expect_end(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;

    CU_ASSERT_EQUAL_FATAL(poll(&p, 1, WAIT_MS), 1);
    CU_ASSERT(recv(fd, &byte, 1, 0) <= 0);
}

#define OK_FIRST(serial) "\0\0\0" serial "\0\0\0\1\0\0\0\7\0\0\0\0\0\0\0", 19
#define OK_NEXT(serial)  "\0\0\0" serial "\0\0\0\1\0\0\0\3\0\0\0", 15

/* ---- the contract, against a client that sends without end */

static int contract_port;

static void *send_for_ever(void *arg)
{
    const bool *ended = arg;
    char got[4096];

    while (!__atomic_load_n(ended, __ATOMIC_ACQUIRE)) {
        int fd = dial(contract_port);
        struct call first = {.len = 0};
        put_hello(&first, flume_protocol_hash, flume_protocol_hash, (struct leat_slice){0});
        struct call c = {.len = 0};
        put_name(&c, "appendBatch");
        put(&c, "\x0a", 1); /* 5 */
        for (const char *line = "first\0second\0\0fourth line\0fifth\0\0", *at = line;
             at - line < 32; at += strlen(at) + 1)
            put_event(&c, NULL, NULL, at);
        put(&c, "\0", 1);
        put(&first, c.bytes, c.len);
        struct call frames[2] = {frame(1, &first), frame(2, &c)};
        ssize_t n = fd < 0 ? -1 : 1;
        for (int i = 0; n > 0; i = 1) {
            n = send(fd, frames[i].bytes, frames[i].len, MSG_NOSIGNAL);
            while (recv(fd, got, sizeof got, MSG_DONTWAIT) > 0)
                ;
        }
        if (fd >= 0)
            close(fd);
        poll(NULL, 0, 1);
    }
    return NULL;
}

static char contract_setting[64];
static const char *const contract_settings[] = {contract_setting, NULL};
static const struct source_case source = {.name = "flume", .good = contract_settings};

LEAT_PUSH_CONTRACT(source)

/* ---- a source by itself */

struct rig {
    struct instance i;
    struct leat_queue job;
    struct leat_inbox inbox;
    enum leat_status status;
    struct leat_error error;
    pthread_t thread;
    int port;
};

static void *run_source(void *arg)
{
    struct rig *r = arg;

    r->status = r->i.module->push->run(r->i.self, &r->inbox, &r->error);
    return NULL;
}

static void rig_start(struct rig *r, const char *one, const char *two, int credits)
{
    char listen[64];
    const char *const settings[] = {listen, one, one ? two : NULL, NULL};

    r->port = free_port();
    snprintf(listen, sizeof listen, "listen=127.0.0.1:%d", r->port);
    instance_init(&r->i, "flume", settings);
    r->i.env.max_record_bytes = 32;
    leat_queue_init(&r->job);
    OK(leat_queue_open_fd(&r->job, &err));
    OK(leat_inbox_init(&r->inbox, r->i.module->push, r->i.self, &r->i.env, &r->job, credits, 4096,
                       &err));
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
    instance_fini(&r->i);
}

/* The next block with rows; its rows as "|value" or "|name=value;value". */
static struct leat_block *take(struct rig *r, char *text, size_t room)
{
    struct pollfd p = {.fd = r->job.wake_fd, .events = POLLIN};
    struct leat_block *b = NULL;
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    struct leat_cursor cursor = {0};
    uint64_t ignored;

    for (int left = WAIT_MS / 10; !b && left > 0; left--) {
        leat_inbox_ask_seal(&r->inbox);
        if (poll(&p, 1, 10) == 1)
            CU_ASSERT_EQUAL(read(p.fd, &ignored, sizeof ignored), (ssize_t)sizeof ignored);
        b = (struct leat_block *)leat_queue_try(&r->job);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(b);
    text[0] = '\0';
    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    do {
        OK(b->coding->next(&cursor, b, &chunk, &err));
        for (uint32_t i = 0; i < chunk.rows; i++) {
            size_t len = strlen(text);
            uint32_t count = 0;
            struct leat_slice headers = chunk.headers[i], name, value;
            len += (size_t)snprintf(text + len, room - len, "|");
            if (headers.len)
                CU_ASSERT(leat_take_u32(&headers, &count));
            while (count-- > 0 && leat_take_header(&headers, &name, &value))
                len += (size_t)snprintf(text + len, room - len, "%.*s=%.*s;", LEAT_FMT(name),
                                        LEAT_FMT(value));
            snprintf(text + len, room - len, "%.*s", LEAT_FMT(chunk.values[i]));
        }
    } while (chunk.rows);
    leat_arena_reset(&arena);
    return b;
}

static void take_and_ack(struct rig *r, const char *rows)
{
    char text[4096];
    struct leat_block *b = take(r, text, sizeof text);

    CU_ASSERT_STRING_EQUAL(text, rows);
    leat_inbox_ack(&r->inbox, b);
}

static void a_call_is_answered_when_it_is_safe_and_not_before(void)
{
    struct rig r;
    char text[256];

    rig_start(&r, NULL, NULL, 4);
    int fd = dial(r.port);
    say_call(fd, first_append(1, "hello"));
    struct leat_block *b = take(&r, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "|host=n1;hello");
    say_call(fd, next_append(2, "again"));
    struct leat_block *second = take(&r, text, sizeof text);
    CU_ASSERT_STRING_EQUAL(text, "|again");
    CU_ASSERT(is_silent(fd));
    leat_inbox_ack(&r.inbox, b);
    expect(fd, OK_FIRST("\1"));
    CU_ASSERT(is_silent(fd));
    leat_inbox_ack(&r.inbox, second);
    expect(fd, OK_NEXT("\2"));
    close(fd);
    rig_stop(&r);
}

static void the_sum_of_our_protocol_is_right(void)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    CU_ASSERT_EQUAL(EVP_Digest(flume_protocol.ptr, flume_protocol.len, sum, &len, EVP_md5(), NULL),
                    1);
    CU_ASSERT_EQUAL(len, FLUME_HASH_BYTES);
    CU_ASSERT_EQUAL(memcmp(sum, flume_protocol_hash, FLUME_HASH_BYTES), 0);
}

/* NONE with our text; the call again with its text; BOTH. From then on its sum is known: CLIENT. */
static void a_client_of_another_release_is_asked_for_its_protocol(void)
{
    static const char theirs[] = "0123456789abcdef";
    struct call c = {.len = 0}, none = {.len = 0};
    struct rig r;

    rig_start(&r, NULL, NULL, 4);
    int fd = dial(r.port);
    put_hello(&c, theirs, theirs, (struct leat_slice){0});
    size_t hello = c.len;
    put_name(&c, "append");
    put_event(&c, NULL, NULL, "one");
    say_call(fd, frame(1, &c));
    put(&none, "\0\0\0\1\0\0\0\1\0\0\2\x2b\4\2", 14); /* 555 bytes */
    put_text(&none, flume_protocol);
    put(&none, "\2", 1);
    put(&none, flume_protocol_hash, FLUME_HASH_BYTES);
    put(&none, "\0", 1);
    none.bytes[10] = (char)((none.len - 12) >> 8);
    none.bytes[11] = (char)(none.len - 12);
    expect(fd, none.bytes, none.len);

    struct call again = {.len = 0};
    put_hello(&again, theirs, flume_protocol_hash, flume_protocol);
    put(&again, c.bytes + hello, c.len - hello);
    say_call(fd, frame(2, &again));
    take_and_ack(&r, "|one");
    expect(fd, OK_FIRST("\2"));
    close(fd);

    fd = dial(r.port);
    say_call(fd, frame(1, &c));
    take_and_ack(&r, "|one");
    none.bytes[12] = 2; /* CLIENT, and the answer behind it */
    put(&none, "\0\0\0", 3);
    none.bytes[10] = (char)((none.len - 12) >> 8);
    none.bytes[11] = (char)(none.len - 12);
    expect(fd, none.bytes, none.len);
    close(fd);
    rig_stop(&r);
}

static void many_in_one_call_are_answered_once(void)
{
    struct call c = {.len = 0};
    struct rig r;

    rig_start(&r, NULL, NULL, 4);
    int fd = dial(r.port);
    put_hello(&c, flume_protocol_hash, flume_protocol_hash, (struct leat_slice){0});
    put_name(&c, "appendBatch");
    put(&c, "\3\x7e", 2); /* a block of -2, with its length */
    c.len--;
    size_t length_at = c.len++;
    put_event(&c, NULL, NULL, "a");
    put_event(&c, NULL, NULL, "b");
    c.bytes[length_at] = (char)((c.len - length_at - 1) * 2);
    put(&c, "\2", 1);
    put_event(&c, NULL, NULL, "0123456789012345678901234567890123456789");
    put(&c, "\0", 1);
    say_call(fd, frame(1, &c));
    take_and_ack(&r, "|a|b|012345678901234567890123456789012"); /* cut behind max_record */
    expect(fd, OK_FIRST("\1"));
    CU_ASSERT(is_silent(fd));
    close(fd);
    rig_stop(&r);
}

static void an_empty_batch_is_answered_at_once(void)
{
    struct call c = {.len = 0};
    struct rig r;

    rig_start(&r, NULL, NULL, 4);
    int fd = dial(r.port);
    put_hello(&c, flume_protocol_hash, flume_protocol_hash, (struct leat_slice){0});
    put_name(&c, "appendBatch");
    put(&c, "\0", 1);
    say_call(fd, frame(1, &c));
    expect(fd, OK_FIRST("\1"));
    close(fd);
    rig_stop(&r);
}

/* A call that is damaged in its middle stores nothing, is answered with an error, and the next one
 * is served. */
static void of_a_damaged_batch_nothing_is_stored(void)
{
    struct call c = {.len = 0};
    struct rig r;
    char answer[15];

    rig_start(&r, "max_headers=1", NULL, 4);
    int fd = dial(r.port);
    say_call(fd, first_append(1, "x"));
    take_and_ack(&r, "|host=n1;x");
    expect(fd, OK_FIRST("\1"));
    put_name(&c, "appendBatch");
    put(&c, "\4", 1);
    put_event(&c, NULL, NULL, "good");
    put(&c, "\4", 1); /* two headers; one is allowed */
    put_text(&c, LEAT_LIT("a"));
    put_text(&c, LEAT_LIT("b"));
    put_text(&c, LEAT_LIT("c"));
    put_text(&c, LEAT_LIT("d"));
    put(&c, "\0\0\0", 3);
    say_call(fd, frame(7, &c));
    CU_ASSERT_EQUAL(recv(fd, answer, sizeof answer, MSG_WAITALL), (ssize_t)sizeof answer);
    CU_ASSERT_EQUAL(memcmp(answer + 12, "\0\1\0", 3), 0);
    CU_ASSERT_EQUAL(answer[3], 7);
    struct call unknown = {.len = 0};
    put_name(&unknown, "delete");
    say_call(fd, frame(8, &unknown));
    say_call(fd, next_append(9, "y"));
    take_and_ack(&r, "|y"); /* and not "good" */
    close(fd);
    rig_stop(&r);
}

static void without_a_credit_a_call_waits_half_way_and_nothing_is_lost(void)
{
    struct call c = {.len = 0};
    struct rig r;
    int rows = 0;

    rig_start(&r, NULL, NULL, 2);
    int fd = dial(r.port), other = dial(r.port);
    put_hello(&c, flume_protocol_hash, flume_protocol_hash, (struct leat_slice){0});
    put_name(&c, "appendBatch");
    c.len += avro_put_long(c.bytes + c.len, 1000);
    for (int i = 0; i < 1000; i++)
        put_event(&c, NULL, NULL, "12345");
    put(&c, "\0", 1);
    say_call(fd, frame(1, &c));
    say_call(other, first_append(1, "last"));
    while (rows < 1001) { /* blocks have room for about 140 */
        char text[8192];
        struct leat_block *b = take(&r, text, sizeof text);
        CU_ASSERT_EQUAL(b->from, rows);
        rows += (int)b->rows_hint;
        if (rows < 1000)
            CU_ASSERT(is_silent(fd));
        leat_inbox_ack(&r.inbox, b);
    }
    expect(fd, OK_FIRST("\1"));
    expect(other, OK_FIRST("\1"));
    close(fd);
    close(other);
    rig_stop(&r);
}

static void thousand_idle_connections_hold_up_nobody(void)
{
    struct rlimit files;
    struct rig r;
    int idle[1000];

    getrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_max < 2200)
        LEAT_SKIP("this host allows too few open files");
    files.rlim_cur = files.rlim_cur < 2200 ? 2200 : files.rlim_cur;
    setrlimit(RLIMIT_NOFILE, &files);
    rig_start(&r, NULL, NULL, 4);
    for (int i = 0; i < 1000; i++) {
        idle[i] = dial(r.port);
        CU_ASSERT_FATAL(idle[i] >= 0);
        if (i % 2)
            say(idle[i], "\0\0\0\1\0", 5); /* half of a head */
    }
    int fd = dial(r.port);
    say_call(fd, first_append(1, "hello"));
    take_and_ack(&r, "|host=n1;hello");
    expect(fd, OK_FIRST("\1"));
    CU_ASSERT(atomic_load(&r.i.budget.peak) < (size_t)10 << 20);
    for (int i = 0; i < 1000; i++)
        close(idle[i]);
    close(fd);
    rig_stop(&r);
}

static void who_does_not_go_on_with_a_call_is_closed(void)
{
    struct rig r;

    rig_start(&r, "timeout=100ms", "idle=200ms", 4);
    int half = dial(r.port), idle = dial(r.port);
    say(half, "\0\0\0\1\0\0\0\1\0\0\0\x40", 12);
    expect_end(half);
    expect_end(idle);
    int fd = dial(r.port);
    say_call(fd, first_append(1, "hello"));
    char text[64];
    struct leat_block *b = take(&r, text, sizeof text);
    poll(NULL, 0, 300); /* what waits for us is not idle: as long as that ... */
    leat_inbox_ack(&r.inbox, b);
    expect(fd, OK_FIRST("\1"));
    expect_end(fd); /* ... and is, when it has its answer */
    close(fd);
    close(half);
    close(idle);
    rig_stop(&r);
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
    struct rig r;

    rig_start(&r, "max_frame=4KiB", NULL, 4);
    int good = dial(r.port);
    say_call(good, first_append(1, "a"));
    take_and_ack(&r, "|host=n1;a");
    expect(good, OK_FIRST("\1"));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int fd = dial(r.port);
        say(fd, bad[i].ptr, bad[i].len);
        if (i == 6) {
            char part[4095] = "";
            say(fd, part, sizeof part);
            say(fd, "\0\0\0\2", 4);
        }
        expect_end(fd);
        close(fd);
    }
    say_call(good, next_append(2, "b"));
    take_and_ack(&r, "|b");
    expect(good, OK_NEXT("\2"));
    close(good);
    rig_stop(&r);
}

/* A client that holds all the room with half a call is closed in time; the one that waits for room
 * goes on then. */
static void who_finds_no_room_waits_for_it(void)
{
    struct rig r;
    char part[3000] = "";

    rig_start(&r, "max_frame=4KiB", "buffers=4KiB", 4);
    int greedy = dial(r.port);
    say(greedy, "\0\0\0\1\0\0\0\1\0\0\x0f\xff", 12);
    say(greedy, part, sizeof part);
    int fd = dial(r.port);
    say_call(fd, first_append(1, "patient"));
    CU_ASSERT(is_silent(greedy));
    close(greedy);
    take_and_ack(&r, "|host=n1;patient");
    expect(fd, OK_FIRST("\1"));
    close(fd);
    rig_stop(&r);
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
    struct rig r;
    char bytes[4096], plain[64], got[64];

    rig_start(&r, NULL, NULL, 4);
    CU_ASSERT_EQUAL(deflateInit(&out, 6), Z_OK);
    CU_ASSERT_EQUAL(inflateInit(&in), Z_OK);
    int fd = dial(r.port);
    for (int i = 1; i < 4; i++) {
        struct call c = i == 1 ? first_append(i, "small") : next_append(i, "small");
        size_t len = deflate_some(&out, c.bytes, c.len, bytes, sizeof bytes);
        for (size_t at = 0; at < len; at++)
            say(fd, bytes + at, 1);
        take_and_ack(&r, i == 1 ? "|host=n1;small" : "|small");
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
    rig_stop(&r);
}

/* 64 MiB of zeros in 64 KiB: calls of no bytes without end, or one call that is too large. */
static void a_bomb_takes_no_memory(void)
{
    static char zeros[1 << 20], bomb[1 << 20];
    static const char head[] = "\0\0\0\1\0\0\0\1\0\xff\xff\xff";
    struct rig r;

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
        int fd = dial(r.port);
        for (size_t at = 0; at < len;) {
            ssize_t n = send(fd, bomb + at, len - at, MSG_NOSIGNAL);
            if (n <= 0)
                break;
            at += (size_t)n;
        }
        expect_end(fd);
        CU_ASSERT(atomic_load(&r.i.budget.peak) < (size_t)1 << 20);
        close(fd);
        rig_stop(&r);
    }
}

/* ---- protocols of clients */

static void protocols_that_are_not_flumes_are_told_from_those_that_are(void)
{
    static const struct {
        const char *from, *to;
        bool good;
    } cases[] = {
        {"\"values\":\"string\"",
         "\"values\":{\"type\":\"string\",\"avro.java.string\":\"String\"}", true},
        {"\"name\":\"body\"", "\"doc\":\"text\",\"name\":\"body\"", true},
        {"\"items\":\"AvroFlumeEvent\"",
         "\"items\":\"org.apache.flume.source.avro.AvroFlumeEvent\"", true},
        {"\"type\":\"bytes\"", "\"type\":\"string\"", false},
        {"\"values\":\"string\"", "\"values\":\"bytes\"", false},
        {"\"type\":\"array\"", "\"type\":\"map\"", false},
        {"\"symbols\":[\"OK\"", "\"symbols\":[\"NO\"", false},
        {"\"messages\"", "\"other\"", false},
        {"{\"name\":\"body\"", "{\"name\":\"x\",\"type\":\"int\"},{\"name\":\"body\"", false},
        {"{\"protocol\"", "[\"protocol\"", false},
    };

    OK(flume_protocol_check(flume_protocol, &err));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        const char *at = strstr(flume_protocol.ptr, cases[i].from);
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - flume_protocol.ptr), flume_protocol.ptr,
                 cases[i].to, at + strlen(cases[i].from));
        enum leat_status status = flume_protocol_check(leat_slice_str(text), &err);
        CU_ASSERT_EQUAL(status, cases[i].good ? LEAT_OK : LEAT_E_DATA);
    }
    LEAT_OOM_SWEEP {
        enum leat_status status = flume_protocol_check(flume_protocol, &err);
        CU_ASSERT_EQUAL(status, leat_oom_hit() ? LEAT_E_NOMEM : LEAT_OK);
    }
}

static void wrong_settings_are_refused(void)
{
    static const char *const bad[][4] = {
        {"listen=nocolon", NULL},
        {"listen=127.0.0.1:0", NULL},
        {"listen=127.0.0.1:9999", "buffers=1MiB", "max_frame=2MiB", NULL},
        {"listen=127.0.0.1:9999", "tls.cert=/nowhere/a.pem", "tls.key=/nowhere/b.pem", NULL},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct instance in;
        instance_init(&in, "flume", bad[i]);
        CU_ASSERT_EQUAL(in.module->push->open(in.self, &in.env, &err), LEAT_E_CONFIG);
        in.module->push->close(in.self);
        instance_fini(&in);
    }
}

int main(void)
{
    pthread_t client;
    bool ended = false;

    contract_port = free_port();
    snprintf(contract_setting, sizeof contract_setting, "listen=127.0.0.1:%d", contract_port);
    pthread_create(&client, NULL, send_for_ever, &ended);
    int result = leat_test_main(
        "flume",
        (CU_TestInfo[]){
            LEAT_PUSH_CONTRACT_TESTS, T(a_call_is_answered_when_it_is_safe_and_not_before),
            T(the_sum_of_our_protocol_is_right),
            T(a_client_of_another_release_is_asked_for_its_protocol),
            T(many_in_one_call_are_answered_once), T(an_empty_batch_is_answered_at_once),
            T(of_a_damaged_batch_nothing_is_stored),
            T(without_a_credit_a_call_waits_half_way_and_nothing_is_lost),
            T(thousand_idle_connections_hold_up_nobody),
            T(who_does_not_go_on_with_a_call_is_closed),
            T(what_is_no_call_is_closed_and_others_are_served), T(who_finds_no_room_waits_for_it),
            T(a_compressed_connection_is_served), T(a_bomb_takes_no_memory),
            T(protocols_that_are_not_flumes_are_told_from_those_that_are),
            T(wrong_settings_are_refused), CU_TEST_INFO_NULL});
    __atomic_store_n(&ended, true, __ATOMIC_RELEASE);
    pthread_join(client, NULL);
    return result;
}
