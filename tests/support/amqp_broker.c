#include "amqp_broker.h"

#include "peer_server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_HEAD 7
#define FRAME_MAX  131072

void amqp_put(struct amqp_bytes *b, const void *bytes, size_t len)
{
    if (b->len + len > b->room) {
        b->room = 2 * (b->len + len);
        b->at = realloc(b->at, b->room);
    }
    if (len)
        memcpy(b->at + b->len, bytes, len);
    b->len += len;
}

void amqp_put_number(struct amqp_bytes *b, uint64_t n, int bytes)
{
    uint8_t raw[8];

    for (int i = 0; i < bytes; i++)
        raw[i] = (uint8_t)(n >> (8 * (bytes - 1 - i)));
    amqp_put(b, raw, (size_t)bytes);
}

void amqp_put_short(struct amqp_bytes *b, const char *text)
{
    amqp_put_number(b, strlen(text), 1);
    amqp_put(b, text, strlen(text));
}

size_t amqp_begin(struct amqp_bytes *b, int type, int channel)
{
    amqp_put_number(b, (uint64_t)type, 1);
    amqp_put_number(b, (uint64_t)channel, 2);
    amqp_put_number(b, 0, 4);
    return b->len;
}

void amqp_end(struct amqp_bytes *b, size_t begun)
{
    size_t end = b->len;

    b->len = begun - 4;
    amqp_put_number(b, end - begun, 4);
    b->len = end;
    amqp_put_number(b, 0xce, 1);
}

static size_t begin_method(struct amqp_bytes *b, int channel, uint32_t id)
{
    size_t begun = amqp_begin(b, 1, channel);

    amqp_put_number(b, id, 4);
    return begun;
}

void amqp_deliver(struct amqp_bytes *b, uint64_t tag, const char *key)
{
    size_t begun = begin_method(b, 1, 0x3c003c);

    amqp_put_short(b, "tag");
    amqp_put_number(b, tag, 8);
    amqp_put_number(b, 0, 1);
    amqp_put_short(b, "exchange");
    amqp_put_short(b, key);
    amqp_end(b, begun);
}

void amqp_header(struct amqp_bytes *b, uint64_t body_size, unsigned flags, const void *properties,
                 size_t len)
{
    size_t begun = amqp_begin(b, 2, 1);

    amqp_put_number(b, 60, 2);
    amqp_put_number(b, 0, 2);
    amqp_put_number(b, body_size, 8);
    amqp_put_number(b, flags, 2);
    amqp_put(b, properties, len);
    amqp_end(b, begun);
}

void amqp_body(struct amqp_bytes *b, const char *text, size_t len)
{
    size_t begun = amqp_begin(b, 3, 1);

    amqp_put(b, text, len);
    amqp_end(b, begun);
}

/* ---- the conversation */

struct talk {
    struct amqp_broker *broker;
    int fd;
    bool first, consumes, over;
    uint64_t tag, got_tag, body_left;
    struct amqp_bytes out, in;
};

static void say(struct talk *t)
{
    for (size_t at = 0; at < t->out.len && !t->over;) {
        struct pollfd p = {.fd = t->fd, .events = POLLOUT};
        ssize_t n = send(t->fd, t->out.at + at, t->out.len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0)
            at += (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            poll(&p, 1, 20);
        t->over = t->over || (n < 0 && errno != EAGAIN) || atomic_load(&t->broker->stopping);
    }
    t->out.len = 0;
}

/* True: the test's words take the place of ours. */
static bool says_first(struct talk *t, enum amqp_stage stage)
{
    if (!t->first || !t->broker->first.len || t->broker->stage != stage)
        return false;
    amqp_put(&t->out, t->broker->first.at, t->broker->first.len);
    t->first = false;
    return true;
}

static void say_start(struct talk *t)
{
    if (says_first(t, AMQP_AT_START))
        return;
    size_t begun = begin_method(&t->out, 0, 0x0a000a);
    amqp_put_number(&t->out, 0x0009, 2); /* version 0-9 */
    amqp_put_number(&t->out, 0, 4);
    amqp_put_number(&t->out, 5, 4);
    amqp_put(&t->out, "PLAIN", 5);
    amqp_put_number(&t->out, 5, 4);
    amqp_put(&t->out, "en_US", 5);
    amqp_end(&t->out, begun);
}

static void say_tune(struct talk *t)
{
    if (says_first(t, AMQP_AT_TUNE))
        return;
    size_t begun = begin_method(&t->out, 0, 0x0a001e);
    amqp_put_number(&t->out, 0, 2);
    amqp_put_number(&t->out, FRAME_MAX, 4);
    amqp_put_number(&t->out, 0, 2);
    amqp_end(&t->out, begun);
}

/* Answers that are a method id and zeros. */
static void answer(struct talk *t, int channel, uint32_t id, int zeros)
{
    size_t begun = begin_method(&t->out, channel, id);

    for (int i = 0; i < zeros; i++)
        amqp_put_number(&t->out, 0, 1);
    amqp_end(&t->out, begun);
}

static void confirm(struct talk *t)
{
    size_t begun = begin_method(&t->out, 1, 0x3c0050);

    amqp_put_number(&t->out, ++t->got_tag, 8);
    amqp_put_number(&t->out, 0, 1);
    amqp_end(&t->out, begun);
}

static uint64_t number(const uint8_t *at, int bytes)
{
    uint64_t n = 0;

    for (int i = 0; i < bytes; i++)
        n = n << 8 | at[i];
    return n;
}

static void hear_method(struct talk *t, uint32_t id, const uint8_t *more)
{
    static const struct {
        uint32_t heard, said;
        int channel, zeros;
    } table[] = {
        {0x0a0028, 0x0a0029, 0, 1}, {0x14000a, 0x14000b, 1, 4}, {0x32000a, 0x32000b, 1, 9},
        {0x3c000a, 0x3c000b, 1, 0}, {0x3c0014, 0x3c0015, 1, 1}, {0x55000a, 0x55000b, 1, 0},
        {0x0a0032, 0x0a0033, 0, 0},
    };

    if (id == 0x0a000b)
        say_tune(t);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].heard == id)
            answer(t, table[i].channel, table[i].said, table[i].zeros);
    if (id == 0x3c0014)
        t->consumes = !says_first(t, AMQP_AT_CONSUME);
    if (id == 0x3c0050)
        atomic_store(&t->broker->acked, number(more, 8));
    t->over = t->over || id == 0x0a0033;
}

/* The message id in a header: flags, then those properties that are there. */
static void note_id(struct talk *t, const uint8_t *at)
{
    uint64_t flags = number(at, 2);

    at += 2;
    if (flags & 0x8000) /* content type */
        at += 1 + at[0];
    if (flags & 0x2000) /* headers */
        at += 4 + number(at, 4);
    if (flags & 0x1000) /* delivery mode */
        at++;
    if (flags & 0x4f00 || !(flags & 0x0080))
        abort(); /* what no message of ours has, or one without an id */
    if (t->broker->ids)
        id_set_add(t->broker->ids, at + 1, at[0]);
}

static void hear_frame(struct talk *t, const uint8_t *frame, size_t len)
{
    const uint8_t *payload = frame + FRAME_HEAD;

    if (frame[0] == 1) {
        hear_method(t, (uint32_t)number(payload, 4), payload + 4);
    } else if (frame[0] == 2) {
        t->body_left = number(payload + 4, 8);
        note_id(t, payload + 12);
        if (t->body_left == 0)
            confirm(t);
    } else if (frame[0] == 3) {
        t->body_left -= len - FRAME_HEAD - 1;
        if (t->body_left == 0)
            confirm(t);
    }
}

static void hear(struct talk *t, bool *greeted)
{
    uint8_t buffer[65536];
    ssize_t n = recv(t->fd, buffer, sizeof buffer, MSG_DONTWAIT);

    t->over = n == 0 || (n < 0 && errno != EAGAIN);
    amqp_put(&t->in, buffer, n > 0 ? (size_t)n : 0);
    size_t at = 0;
    if (!*greeted && t->in.len >= 8) {
        *greeted = true;
        at = 8;
        say_start(t);
    }
    while (*greeted && t->in.len - at >= FRAME_HEAD) {
        size_t len = FRAME_HEAD + (size_t)number(t->in.at + at + 3, 4) + 1;
        if (t->in.len - at < len)
            break;
        hear_frame(t, t->in.at + at, len);
        at += len;
    }
    memmove(t->in.at, t->in.at + at, t->in.len - at);
    t->in.len -= at;
}

static void serve(struct amqp_broker *b, int fd, bool first)
{
    struct talk t = {.broker = b, .fd = fd, .first = first};
    bool greeted = false;

    while (!t.over && !atomic_load(&b->stopping)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (t.consumes)
            p.events |= POLLOUT;
        if (poll(&p, 1, 20) < 0)
            break;
        if (p.revents & ~POLLOUT)
            hear(&t, &greeted);
        if (t.consumes && p.revents & POLLOUT) {
            amqp_deliver(&t.out, ++t.tag, "key");
            amqp_header(&t.out, 1, 0, "", 0);
            amqp_body(&t.out, "m", 1);
        }
        say(&t);
    }
    free(t.in.at);
    free(t.out.at);
    close(fd);
}

static void *run(void *arg)
{
    struct amqp_broker *b = arg;
    struct pollfd p = {.fd = b->listener, .events = POLLIN};

    while (!atomic_load(&b->stopping)) {
        int fd = poll(&p, 1, 20) == 1 ? accept(b->listener, NULL, NULL) : -1;
        if (fd >= 0)
            serve(b, fd, atomic_fetch_add(&b->connections, 1) == 0);
    }
    return NULL;
}

void amqp_broker_start(struct amqp_broker *b)
{
    b->listener = peer_listen(&b->port);
    if (pthread_create(&b->thread, NULL, run, b) != 0)
        abort();
}

void amqp_broker_stop(struct amqp_broker *b)
{
    atomic_store(&b->stopping, true);
    pthread_join(b->thread, NULL);
    close(b->listener);
    free(b->first.at);
}
