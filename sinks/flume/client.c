#include "client.h"

#include "../../connectors/socket_address.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)1 << 20)

void flume_client_init(struct flume_client *c)
{
    c->connected = c->established = false;
    c->room = (struct flume_room){.max = ANSWER_MAX, .budget = c->env->budget};
    c->serial = 0;
    memcpy(c->server_hash, flume_protocol_hash, FLUME_HASH_BYTES);
}

void flume_client_close(struct flume_client *c)
{
    if (!c->connected)
        return;
    flume_channel_fini(&c->channel);
    flume_frames_fini(&c->frames);
    c->connected = c->established = false;
}

static int64_t left_ms(const struct flume_client *c)
{
    int64_t left = c->deadline_ms - leat_clock_monotonic_ms(c->env->clock);

    return left > 0 ? left : 0;
}

static enum leat_status away(struct flume_client *c, const char *why, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_UNREACHABLE, "'%s': %s", c->address, why);
}

static enum leat_status channel_failed(struct flume_client *c, struct leat_error *err)
{
    if (c->channel.no_memory)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    return away(c, c->channel.why, err);
}

/* False: the time is over. */
static bool wait_for(struct flume_client *c, int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    int n;

    do
        n = poll(&p, 1, (int)left_ms(c));
    while (n < 0 && errno == EINTR);
    return n > 0;
}

/* ---- connecting */

static int dial(struct flume_client *c, const struct addrinfo *at)
{
    int fd = socket_connect(at);

    if (fd < 0)
        return fd;
    int error = wait_for(c, fd, POLLOUT) ? socket_error(fd) : ETIMEDOUT;
    if (!error)
        return fd;
    close(fd);
    return -error;
}

static enum leat_status wait_or_give_up(struct flume_client *c, struct leat_error *err)
{
    if (!flume_channel_flush(&c->channel))
        return channel_failed(c, err);
    short events = flume_channel_unsent(&c->channel) ? POLLIN | POLLOUT : POLLIN;
    return wait_for(c, c->channel.fd, events) ? LEAT_OK : away(c, "no answer in time", err);
}

static enum leat_status put_layers(struct flume_client *c, struct leat_error *err)
{
    char host[256];
    const char *colon = strrchr(c->address, ':');
    bool brackets = c->address[0] == '[';

    snprintf(host, sizeof host, "%.*s", (int)(colon - c->address) - 2 * brackets,
             c->address + brackets);
    bool ok = (!c->zlib || flume_channel_push(&c->channel, FLUME_ZLIB, host)) &&
              (!c->security.tls || flume_channel_push(&c->channel, FLUME_TLS, host));
    c->channel.settled = true;
    while (ok) {
        flume_channel_turn(&c->channel);
        ssize_t n = flume_channel_handshake(&c->channel);
        if (n > 0)
            return LEAT_OK;
        ok = n == FLUME_AGAIN;
        if (ok && wait_or_give_up(c, err) != LEAT_OK)
            return err->status;
    }
    return channel_failed(c, err);
}

static enum leat_status connect_it(struct flume_client *c, struct leat_error *err)
{
    struct addrinfo *found;
    int fd = -EADDRNOTAVAIL;

    if (c->connected)
        return LEAT_OK;
    if (socket_resolve(c->address, false, &found, err) != LEAT_OK)
        return err->status;
    for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next)
        fd = dial(c, at);
    freeaddrinfo(found);
    if (fd < 0)
        return away(c, strerror(-fd), err);
    flume_channel_init(&c->channel, fd, &c->security);
    c->frames = (struct flume_frames){.max_bytes = ANSWER_MAX, .room = &c->room};
    c->connected = true;
    return put_layers(c, err);
}

/* ---- one call */

static bool put_call(struct flume_client *c, const struct flume_call *call, bool with_text,
                     struct leat_bytes *b)
{
    char number[AVRO_LONG_BYTES];

    leat_bytes_put(b, "\0\0\0\0\0\0\0\0\0\0\0", FLUME_FRAME_HEAD);
    if (!c->established) {
        leat_bytes_put(b, flume_protocol_hash, FLUME_HASH_BYTES);
        leat_bytes_put(b, with_text ? "\2" : "\0", 1);
        if (with_text) {
            leat_bytes_put(b, number, avro_put_long(number, (int64_t)flume_protocol.len));
            leat_bytes_put(b, flume_protocol.ptr, flume_protocol.len);
        }
        leat_bytes_put(b, c->server_hash, FLUME_HASH_BYTES);
        leat_bytes_put(b, "\0", 1);
    }
    leat_bytes_put(b,
                   "\0\x16"
                   "appendBatch",
                   13);
    leat_bytes_put(b, number, avro_put_long(number, call->count));
    leat_bytes_put(b, call->events.ptr, call->events.len);
    leat_bytes_put(b, "\0", 1);
    if (!b->failed)
        flume_frame_head(b->ptr, ++c->serial, b->len - FLUME_FRAME_HEAD);
    return !b->failed;
}

static enum leat_status no_source(struct flume_client *c, struct leat_error *err)
{
    return away(c, "it does not answer as a Flume source does", err);
}

static enum leat_status no_room(struct flume_client *c, struct leat_error *err)
{
    return err->status == LEAT_E_FULL ? away(c, "no memory for its answer", err) : err->status;
}

/* Until a whole answer is there. */
static enum leat_status read_answer(struct flume_client *c, struct leat_error *err)
{
    char *into;
    size_t len;

    while (!flume_frames_whole(&c->frames)) {
        if (flume_frames_want(&c->frames, &into, &len, err) != LEAT_OK)
            return no_room(c, err);
        flume_channel_turn(&c->channel);
        ssize_t n = flume_channel_read(&c->channel, into, len);
        if (n == 0)
            return away(c, "the connection was closed", err);
        if (n == FLUME_FAILED)
            return channel_failed(c, err);
        if (n == FLUME_AGAIN && wait_or_give_up(c, err) != LEAT_OK)
            return err->status;
        if (n > 0 && flume_frames_took(&c->frames, (size_t)n, err) != LEAT_OK)
            return no_source(c, err);
    }
    return LEAT_OK;
}

/* What the hello is answered with. *again: it wants to see our protocol. */
static enum leat_status take_match(struct flume_client *c, struct leat_slice *from, bool *again,
                                   struct leat_error *err)
{
    struct flume_match match;

    if (!flume_take_match(from, &match))
        return no_source(c, err);
    if (match.text.ptr && flume_protocol_check(match.text, err) != LEAT_OK)
        return leat_error_prefix(err, "'%s'", c->address);
    if (match.hash.ptr)
        memcpy(c->server_hash, match.hash.ptr, FLUME_HASH_BYTES);
    *again = match.match == FLUME_NONE;
    c->established = !*again;
    return *again && !match.hash.ptr ? no_source(c, err) : LEAT_OK;
}

static enum leat_status take_status(struct flume_client *c, struct leat_slice from,
                                    struct leat_error *err)
{
    struct leat_slice text;
    int64_t status;
    bool failed;

    if (!flume_take_status(&from, &status, &failed, &text))
        return no_source(c, err);
    if (failed)
        return leat_fail(err, LEAT_E_UNREACHABLE, "'%s' says: %.*s", c->address,
                         (int)(text.len < 100 ? text.len : 100), text.ptr);
    return status == 0 ? LEAT_OK : away(c, "it answers FAILED", err);
}

static enum leat_status call_once(struct flume_client *c, const struct flume_call *call,
                                  bool with_text, bool *again, struct leat_error *err)
{
    struct leat_arena arena = {.budget = c->env->budget};
    struct leat_bytes b = {.arena = &arena};
    bool hello = !c->established;

    *again = false;
    flume_frames_next(&c->frames);
    if (flume_frames_reserve(&c->frames, err) != LEAT_OK) /* or it would be sent again and again */
        return no_room(c, err);
    enum leat_status status = LEAT_OK;
    if (!put_call(c, call, with_text, &b))
        status = leat_arena_failed(&arena, err);
    else if (!flume_channel_write(&c->channel, b.ptr, b.len))
        status = channel_failed(c, err);
    leat_arena_reset(&arena);
    if (status != LEAT_OK)
        return status;
    if (!flume_channel_flush(&c->channel))
        return channel_failed(c, err);
    if (read_answer(c, err) != LEAT_OK)
        return err->status;
    struct leat_slice answer = {c->frames.payload, c->frames.used};
    if (c->frames.serial != c->serial)
        return away(c, "it answers another call", err);
    if (hello && take_match(c, &answer, again, err) != LEAT_OK)
        return err->status;
    return *again ? LEAT_OK : take_status(c, answer, err);
}

enum leat_status flume_client_send(struct flume_client *c, const struct flume_call *call,
                                   struct leat_error *err)
{
    bool again = false;

    c->deadline_ms = leat_clock_monotonic_ms(c->env->clock) + c->timeout_ms;
    enum leat_status status = connect_it(c, err);
    if (status == LEAT_OK)
        status = call_once(c, call, false, &again, err);
    if (status == LEAT_OK && again)
        status = call_once(c, call, true, &again, err);
    if (status == LEAT_OK && again)
        status = leat_fail(err, LEAT_E_DATA, "'%s' does not accept Flume's protocol", c->address);
    if (status != LEAT_OK)
        flume_client_close(c);
    return status;
}
