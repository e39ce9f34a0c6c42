/*
 * socket.c - sink that sends records over a stream: TCP, or a Unix socket.
 *
 * leat connects, waits for a receiver that is not there, and connects again when it goes. A batch
 * is sent in its commit. The receiver cannot say what it got, so this is at most once: of a
 * connection that breaks, a record that was not handed over whole is sent again on the next one,
 * those before it are not, and after a crash nothing is. What the receiver sends is thrown away.
 *
 * Thread: the sink's. A commit waits for a receiver that does not read, for `timeout`; then the
 * engine tries again, and it goes on where it stood.
 */
#include "../connectors/socket_address.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define ARENA_KEEP  ((size_t)4 * 1024 * 1024)
#define IGNORED_MAX 64 /* reads of what the receiver sends, per commit */

enum { LINES, LENGTH };

struct socket_sink {
    const char *connect;
    struct leat_choice framing;
    struct leat_duration timeout;

    const struct leat_env *env;
    int fd; /* -1: not connected */
    struct leat_arena arena;
    struct leat_bytes bytes; /* of batch n: frames, each behind its length */
    uint64_t n;              /* 0: none */
    size_t at;               /* of the record that is being sent */
    size_t sent;             /* of its bytes, on this connection */
};

static const char *const framings[] = {"lines", "length", NULL};

static const struct leat_opt options[] = {
    LEAT_OPT(struct socket_sink, connect, .help = "host:port or unix:/path to connect to."),
    LEAT_OPT(struct socket_sink, framing, .def = "lines", .choices = framings,
             .help =
                 "lines: LF behind each record; length: the number of its bytes before it, as 4 "
                 "bytes, the highest first."),
    LEAT_OPT(struct socket_sink, timeout, .def = "5s", .min = 100, .max = 300000,
             .help =
                 "How long it is waited for a connection, or for a receiver that does not read, "
                 "before that is said; then again. A stop may have to wait for it."),
    {0},
};

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct socket_sink *s = self;

    return socket_check_address(s->connect, false, err);
}

static void forget(struct socket_sink *s)
{
    leat_arena_recycle(&s->arena, ARENA_KEEP);
    s->bytes = (struct leat_bytes){.arena = &s->arena};
    s->n = 0;
    s->at = s->sent = 0;
}

static void disconnect(struct socket_sink *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->sent = 0; /* what was not sent whole begins anew */
}

static enum leat_status sink_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct socket_sink *s = self;

    s->fd = -1;
    s->env = env;
    s->arena = (struct leat_arena){.budget = env->budget};
    forget(s);
    return check(s, err);
}

static enum leat_status sink_recover(void *self, uint64_t n, struct leat_slice section,
                                     struct leat_error *err)
{
    (void)self, (void)n, (void)section, (void)err; /* what was lost is lost */
    return LEAT_OK;
}

/* ---- the records */

static enum leat_status sink_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                   struct leat_error *err)
{
    struct socket_sink *s = self;
    bool lines = s->framing.index == LINES;

    if (s->n != n)
        forget(s);
    s->n = n;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_slice value = chunk->values[chunk->selection[i]];
        value = value.ptr ? value : LEAT_LIT("null");
        if (value.len > UINT32_MAX - 1)
            return leat_fail(err, LEAT_E_DATA, "a record of %zu bytes cannot be sent", value.len);
        leat_bytes_put_u32(&s->bytes, (uint32_t)(value.len + lines));
        leat_bytes_put(&s->bytes, value.ptr, value.len);
        leat_bytes_put(&s->bytes, "\n", lines);
    }
    return s->bytes.failed ? leat_arena_failed(&s->arena, err) : LEAT_OK;
}

static enum leat_status sink_prepare(void *self, uint64_t n, const struct leat_positions *positions,
                                     struct leat_bytes *section, struct leat_error *err)
{
    struct socket_sink *s = self;

    (void)n, (void)positions, (void)section;
    return s->bytes.failed ? leat_arena_failed(&s->arena, err) : LEAT_OK;
}

/* ---- the connection */

static enum leat_status away(struct socket_sink *s, const char *why, struct leat_error *err)
{
    disconnect(s);
    return leat_fail(err, LEAT_E_UNREACHABLE, "'%s': %s", s->connect, why);
}

/* False: not within the time. */
static bool wait_for(const struct socket_sink *s, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int64_t until = leat_clock_monotonic_ms(s->env->clock) + s->timeout.ms, left;

    while ((left = until - leat_clock_monotonic_ms(s->env->clock)) > 0)
        if (poll(&p, 1, (int)left) > 0)
            return true;
    return false;
}

/* Takes over fd, whose connect has begun; negative: -errno. */
static bool finish_connect(struct socket_sink *s, int fd, int *error)
{
    if (fd < 0) {
        *error = -fd;
        return false;
    }
    *error = wait_for(s, fd) ? socket_error(fd) : ETIMEDOUT;
    if (*error)
        close(fd);
    else
        s->fd = fd;
    return *error == 0;
}

static enum leat_status reconnect(struct socket_sink *s, struct leat_error *err)
{
    struct addrinfo *found = NULL;
    int error = EADDRNOTAVAIL;

    if (socket_is_unix(s->connect)) {
        finish_connect(s, socket_connect_unix(s->connect), &error);
    } else {
        if (socket_resolve(s->connect, false, &found, err) != LEAT_OK)
            return err->status;
        for (struct addrinfo *a = found; a && s->fd < 0; a = a->ai_next)
            finish_connect(s, socket_connect(a), &error);
        freeaddrinfo(found);
    }
    return s->fd >= 0 ? LEAT_OK : away(s, strerror(error), err);
}

/* Whether the receiver is still there; what it has sent is thrown away, some of it at a time if it
 * sends without end. */
static bool is_there(const struct socket_sink *s)
{
    char ignored[4096];

    for (int i = 0; i < IGNORED_MAX; i++) {
        ssize_t n = recv(s->fd, ignored, sizeof ignored, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EINTR))
            return n < 0 && errno == EAGAIN;
    }
    return true;
}

static uint32_t length_at(const struct socket_sink *s)
{
    struct leat_slice rest = {s->bytes.ptr + s->at, s->bytes.len - s->at};
    uint32_t len = 0;

    return leat_take_u32(&rest, &len) ? len : 0;
}

/* The next bytes of the record at `at`: of its head, where there is one, or behind it. */
static struct leat_slice next_bytes(const struct socket_sink *s, unsigned char head[4])
{
    uint32_t len = length_at(s);
    size_t head_len = s->framing.index == LENGTH ? 4 : 0;

    for (int i = 0; i < 4; i++)
        head[i] = (unsigned char)(len >> (24 - 8 * i));
    if (s->sent < head_len)
        return (struct leat_slice){(char *)head + s->sent, head_len - s->sent};
    size_t behind = s->sent - head_len;
    return (struct leat_slice){s->bytes.ptr + s->at + 4 + behind, len - behind};
}

static void note_sent(struct socket_sink *s, size_t more)
{
    size_t whole = length_at(s) + (s->framing.index == LENGTH ? 4u : 0u);

    s->sent += more;
    if (s->sent < whole)
        return;
    s->at += 4 + (size_t)length_at(s);
    s->sent = 0;
}

static enum leat_status send_records(struct socket_sink *s, struct leat_error *err)
{
    unsigned char head[4];

    while (s->at < s->bytes.len) {
        struct leat_slice next = next_bytes(s, head);
        ssize_t n = next.len ? send(s->fd, next.ptr, next.len, MSG_NOSIGNAL | MSG_DONTWAIT) : 0;
        if (n >= 0) {
            note_sent(s, (size_t)n);
        } else if (errno == EAGAIN) {
            if (!wait_for(s, s->fd))
                return leat_fail(err, LEAT_E_UNREACHABLE, "'%s' does not read", s->connect);
        } else if (errno != EINTR) {
            return away(s, strerror(errno), err);
        }
    }
    return LEAT_OK;
}

static enum leat_status sink_commit(void *self, uint64_t n, struct leat_error *err)
{
    struct socket_sink *s = self;

    if (s->n != n)
        return LEAT_OK;
    if (s->fd >= 0 && !is_there(s))
        disconnect(s);
    if (s->at < s->bytes.len && s->fd < 0 && reconnect(s, err) != LEAT_OK)
        return err->status;
    if (send_records(s, err) != LEAT_OK)
        return err->status;
    forget(s);
    return LEAT_OK;
}

static enum leat_status sink_abort(void *self, uint64_t n, struct leat_error *err)
{
    (void)n, (void)err;
    forget(self);
    return LEAT_OK;
}

static void sink_close(void *self)
{
    struct socket_sink *s = self;

    if (!s->env)
        return;
    disconnect(s);
    leat_arena_reset(&s->arena);
}

static bool by_text(const void *self)
{
    return ((const struct socket_sink *)self)->framing.index == LINES;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "socket",
    .summary = "sends lines or frames over TCP or a Unix socket",
    .by_text = by_text,
    .any_bytes = "framing: length",
    .self_size = sizeof(struct socket_sink),
    .opts = options,
    .check = check,
    .sink =
        &(const struct leat_sink){
            .promise = LEAT_SINK_FORGETS,
            .open = sink_open,
            .recover = sink_recover,
            .write = sink_write,
            .prepare = sink_prepare,
            .commit = sink_commit,
            .abort = sink_abort,
            .close = sink_close,
        },
};

LEAT_MODULE(module);
