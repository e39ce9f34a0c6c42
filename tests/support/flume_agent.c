#include "flume_agent.h"

#include "../../connectors/flume/protocol.h"
#include "leat_test.h"
#include "run/message.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static struct leat_error err;

void agent_put(struct agent_call *c, const void *bytes, size_t len)
{
    memcpy(c->bytes + c->len, bytes, len);
    c->len += len;
}

void agent_put_text(struct agent_call *c, struct leat_slice text)
{
    c->len += avro_put_long(c->bytes + c->len, (int64_t)text.len);
    agent_put(c, text.ptr, text.len);
}

static void agent_put_u32(struct agent_call *c, uint32_t v)
{
    v = htonl(v);
    agent_put(c, &v, sizeof v);
}

void agent_put_hello(struct agent_call *c, const char *client, const char *server,
                     struct leat_slice protocol)
{
    agent_put(c, client, FLUME_HASH_BYTES);
    agent_put(c, protocol.ptr ? "\2" : "\0", 1);
    if (protocol.ptr)
        agent_put_text(c, protocol);
    agent_put(c, server, FLUME_HASH_BYTES);
    agent_put(c, "\2\0", 2);
}

/* name and value of one header, or none; then the body */
void agent_put_event(struct agent_call *c, const char *name, const char *value, const char *body)
{
    if (name) {
        agent_put(c, "\2", 1);
        agent_put_text(c, leat_slice_str(name));
        agent_put_text(c, leat_slice_str(value));
    }
    agent_put(c, "\0", 1);
    agent_put_text(c, leat_slice_str(body));
}

void agent_put_name(struct agent_call *c, const char *name)
{
    agent_put(c, "\0", 1);
    agent_put_text(c, leat_slice_str(name));
}

/* The call as a frame of two buffers, as Flume sends it. */
struct agent_call agent_frame(int serial, const struct agent_call *c)
{
    struct agent_call f = {.len = 0};
    uint32_t first = (uint32_t)c->len / 2;

    agent_put_u32(&f, (uint32_t)serial);
    agent_put_u32(&f, 2);
    agent_put_u32(&f, first);
    agent_put(&f, c->bytes, first);
    agent_put_u32(&f, (uint32_t)c->len - first);
    agent_put(&f, c->bytes + first, c->len - first);
    return f;
}

/* A first call: `append` of one event. */
struct agent_call agent_first_append(int serial, const char *body)
{
    struct agent_call c = {.len = 0};

    agent_put_hello(&c, flume_protocol_hash, flume_protocol_hash, (struct leat_slice){0});
    agent_put_name(&c, "append");
    agent_put_event(&c, "host", "n1", body);
    return agent_frame(serial, &c);
}

struct agent_call agent_next_append(int serial, const char *body)
{
    struct agent_call c = {.len = 0};

    agent_put_name(&c, "append");
    agent_put_event(&c, NULL, NULL, body);
    return agent_frame(serial, &c);
}

static int agent_listen_on(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 8) != 0)
        abort();
    return fd;
}

/* Where nobody listens. */
int agent_free_port(void)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    int fd = agent_listen_on(0);

    getsockname(fd, (struct sockaddr *)&at, &len);
    close(fd);
    return ntohs(at.sin_port);
}

int agent_dial(int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

void agent_say(int fd, const void *bytes, size_t len)
{
    CU_ASSERT_EQUAL(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

void agent_say_call(int fd, struct agent_call c)
{
    agent_say(fd, c.bytes, c.len);
}

/* Exactly these bytes come. */
void agent_expect(int fd, const void *bytes, size_t len)
{
    char got[AGENT_CALL_BYTES];

    for (size_t at = 0; at < len;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        CU_ASSERT_EQUAL_FATAL(poll(&p, 1, AGENT_WAIT_MS), 1);
        ssize_t n = recv(fd, got + at, len - at, 0);
        CU_ASSERT_FATAL(n > 0);
        at += (size_t)n;
    }
    CU_ASSERT_EQUAL(memcmp(got, bytes, len), 0);
}

bool agent_is_silent(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 0;
}

void agent_expect_end(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char byte;

    CU_ASSERT_EQUAL_FATAL(poll(&p, 1, AGENT_WAIT_MS), 1);
    CU_ASSERT(recv(fd, &byte, 1, 0) <= 0);
}

/* ---- a source by itself */

static void start(struct push_rig *r, const char *one, const char *two, int credits, bool stored)
{
    char listen[64];
    const char *const settings[] = {listen, one, one ? two : NULL, NULL};

    r->port = agent_free_port();
    snprintf(listen, sizeof listen, "listen=127.0.0.1:%d", r->port);
    push_rig_start(r, "flume", settings, 32, credits, stored);
}

void rig_start(struct push_rig *r, const char *one, const char *two, int credits)
{
    start(r, one, two, credits, false);
}

void rig_start_stored(struct push_rig *r, int credits)
{
    start(r, NULL, NULL, credits, true);
}

/* The next block with rows; its rows as "|value" or "|name=value;value". */
struct leat_block *rig_take(struct push_rig *r, char *text, size_t room)
{
    struct pollfd p = {.fd = r->job.wake_fd, .events = POLLIN};
    struct leat_block *b = NULL;
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    struct leat_cursor cursor = {0};
    uint64_t ignored;

    for (int left = AGENT_WAIT_MS / 10; !b && left > 0; left--) {
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

void rig_take_and_ack(struct push_rig *r, const char *rows)
{
    char text[4096];
    struct leat_block *b = rig_take(r, text, sizeof text);

    CU_ASSERT_STRING_EQUAL(text, rows);
    leat_inbox_ack(&r->inbox, b);
}
