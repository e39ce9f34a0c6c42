/*
 * socket.c - push source of records from a stream: leat connects, or others connect to it, over TCP
 * or a Unix socket.
 *
 * Records are lines, or frames that begin with their length (framing.h). A peer is not told what
 * became of its records, so those that are not stored yet are lost with the process; that is the
 * nature of the protocol. Without a credit nothing is read, and the peer's own buffers fill up.
 *
 * Connecting: a peer that is not there, or goes away, is tried again, at first soon, then every
 * RETRY_MAX_MS; it is said once, and once more when it is back. Listening: connections beyond
 * max_connections wait in the system's queue. Who is silent for `idle` is cut off. All records are
 * one partition.
 *
 * Thread: run's. It sleeps in poll(); only looking up a host name may take longer.
 */
#include "framing.h"
#include "socket_address.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#define CONNECT_MS      10000
#define RETRY_MAX_MS    10000
#define FULL_MS         250  /* the inbox wakes us for a credit, nobody does for memory */
#define ACCEPT_AGAIN_MS 1000 /* after the system had no descriptor left */

enum { LAST_LINE_KEEP, LAST_LINE_DROP };

struct conn {
    int fd;
    struct framing bytes;
    int64_t heard_ms; /* when it last sent something, or was not listened to */
    bool alive;       /* it has sent something */
    bool ended;       /* nothing comes any more; the buffer may still hold records */
};

struct source {
    const char *connect;
    const char *listen;
    int64_t max_connections;
    struct leat_choice framing, last_line;
    struct leat_duration idle, retry;

    const struct leat_env *env;
    struct framing_rules rules;
    int listener;         /* -1: this one connects */
    struct conn *conns;   /* max_connections, or 1; the first conns_count are open */
    struct pollfd *polls; /* the inbox, the listener or connecting socket, the connections */
    uint32_t conns_count, conns_room;
    bool full;               /* no credit */
    bool starved;            /* no memory for what a connection sends; tried again */
    bool said;               /* what is wrong with the peer, or with the number of connections */
    int64_t accept_again_ms; /* 0: now */
    struct addrinfo *found, *next; /* of the round of attempts; next is tried next */
    int connecting;                /* -1: none */
    int64_t wait_ms, until_ms;     /* between rounds; of the pause or the attempt */
};

static const char *const framings[] = {"lines", "length", NULL};
static const char *const last_lines[] = {"keep", "drop", NULL};

static const struct leat_opt options[] = {
    LEAT_OPT(struct source, connect, .optional = true,
             .help = "host:port or unix:/path to connect to; either this or `listen`."),
    LEAT_OPT(struct source, listen, .optional = true,
             .help = "address:port where others connect to, such as 127.0.0.1:9999 or *:9999; or "
                     "unix:/path."),
    LEAT_OPT(struct source, max_connections, .def = "64", .min = 1, .max = 10000,
             .help = "How many may be connected at once; further ones wait."),
    LEAT_OPT(struct source, framing, .def = "lines", .choices = framings,
             .help = "lines: a record ends with LF or CR LF; length: it begins with the number of "
                     "its bytes, as 4 bytes, the highest first."),
    LEAT_OPT(struct source, idle, .def = "0s", .max = 86400000,
             .help = "A connection that is silent for so long is closed; 0s: it may stay."),
    LEAT_OPT(struct source, last_line, .def = "keep", .choices = last_lines,
             .help = "What becomes of a last line without an end when its sender goes."),
    LEAT_OPT(struct source, retry, .def = "100ms", .min = 1, .max = RETRY_MAX_MS,
             .help = "First pause before connecting again; it doubles up to 10 s."),
    {0},
};

static enum leat_status socket_check(const void *self, struct leat_error *err)
{
    const struct source *s = self;

    if (!s->connect == !s->listen)
        return leat_fail(err, LEAT_E_CONFIG, "give either `connect` or `listen`");
    return socket_check_address(s->listen ? s->listen : s->connect, s->listen != NULL, err);
}

static enum leat_status socket_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct source *s = self;

    s->env = env;
    s->listener = s->connecting = -1;
    s->wait_ms = s->retry.ms;
    s->until_ms = s->accept_again_ms = 0;
    s->said = s->full = s->starved = false;
    if (socket_check(s, err) != LEAT_OK)
        return err->status;
    s->rules = (struct framing_rules){.kind = (enum framing_kind)s->framing.index,
                                      .max_record = framing_max_record(env),
                                      .drop_last = s->last_line.index == LAST_LINE_DROP,
                                      .budget = env->budget};
    s->conns_room = s->listen ? (uint32_t)s->max_connections : 1;
    if (!s->listen)
        return LEAT_OK;
    s->listener = socket_listen(s->listen, err);
    return s->listener < 0 ? err->status : LEAT_OK;
}

static const char *peer(const struct source *s)
{
    return s->connect ? s->connect : s->listen;
}

static int64_t now_ms(const struct source *s)
{
    return leat_clock_monotonic_ms(s->env->clock);
}

/* ---- connections */

static void drop_conn(struct source *s, uint32_t i)
{
    struct conn *c = &s->conns[i];

    close(c->fd);
    if (c->bytes.broken) {
        leat_bad_input(s->env);
        leat_warn(s->env->log, "a connection of '%s' ended in the middle of a record", peer(s));
    }
    framing_fini(&c->bytes, &s->rules);
    *c = s->conns[--s->conns_count];
}

/* The descriptor is taken over. */
static void add_conn(struct source *s, int fd)
{
    s->conns[s->conns_count++] = (struct conn){.fd = fd, .heard_ms = now_ms(s)};
}

/* All whole records of the buffer, until there is no credit. */
static enum leat_status take_records(struct source *s, struct leat_inbox *inbox, struct conn *c,
                                     struct leat_error *err)
{
    enum leat_status status = framing_take(&c->bytes, &s->rules, c->ended, inbox, err);

    s->full = status == LEAT_E_FULL;
    return s->full ? LEAT_OK : status;
}

static void say_once(struct source *s, const char *what, const char *why)
{
    if (!s->said)
        leat_warn(s->env->log, "%s '%s'%s%s; trying again until it works", what, peer(s),
                  why ? ": " : "", why ? why : "");
    s->said = true;
}

static enum leat_status read_conn(struct source *s, struct conn *c, struct leat_error *err)
{
    char *into;
    size_t len;

    if (framing_room(&c->bytes, &s->rules, &into, &len, err) != LEAT_OK) {
        s->starved = err->status == LEAT_E_FULL;
        return s->starved ? LEAT_OK : err->status;
    }
    if (len == 0)
        return LEAT_OK;
    ssize_t n = recv(c->fd, into, len, 0);
    if (n > 0) {
        c->bytes.used += (size_t)n;
        c->alive = true;
        c->heard_ms = now_ms(s);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        c->ended = true;
    }
    return LEAT_OK;
}

static enum leat_status serve(struct source *s, struct leat_inbox *inbox, struct conn *c,
                              bool readable, struct leat_error *err)
{
    if (readable && !c->ended && read_conn(s, c, err) != LEAT_OK)
        return err->status;
    return take_records(s, inbox, c, err);
}

/* ---- connecting */

static void pause_round(struct source *s, const char *why)
{
    say_once(s, "cannot connect to", why);
    s->until_ms = now_ms(s) + s->wait_ms;
    s->wait_ms = s->wait_ms < RETRY_MAX_MS / 2 ? 2 * s->wait_ms : RETRY_MAX_MS;
}

/* The next address of this round; when there is none left, a pause. */
static enum leat_status attempt(struct source *s, struct leat_error *err)
{
    int fd = -EADDRNOTAVAIL;
    bool local = socket_is_unix(s->connect);

    if (!s->next && !local) {
        if (s->found)
            freeaddrinfo(s->found);
        s->found = NULL;
        if (socket_resolve(s->connect, false, &s->found, err) != LEAT_OK) {
            if (err->status != LEAT_E_UNREACHABLE)
                return err->status;
            pause_round(s, err->text);
            return LEAT_OK;
        }
        s->next = s->found;
    }
    if (local)
        fd = socket_connect_unix(s->connect);
    while (s->next && fd < 0) {
        fd = socket_connect(s->next);
        s->next = s->next->ai_next;
    }
    if (fd < 0) {
        pause_round(s, strerror(-fd));
        return LEAT_OK;
    }
    s->connecting = fd;
    s->until_ms = now_ms(s) + CONNECT_MS;
    return LEAT_OK;
}

static void end_attempt(struct source *s, int error)
{
    int fd = s->connecting;

    s->connecting = -1;
    if (error) {
        close(fd);
        s->until_ms = 0;
        if (!s->next)
            pause_round(s, strerror(error));
        return;
    }
    if (s->said)
        leat_info(s->env->log, "connected to '%s'", peer(s));
    s->until_ms = 0;
    s->next = NULL;
    add_conn(s, fd);
}

/* The peer went: the first attempt is soon, unless it never sent anything. */
static void peer_gone(struct source *s, bool was_alive)
{
    if (was_alive) {
        s->said = false;
        s->wait_ms = s->retry.ms;
    }
    say_once(s, "connection closed by", NULL);
    s->until_ms = now_ms(s) + s->wait_ms;
    s->wait_ms = s->wait_ms < RETRY_MAX_MS / 2 ? 2 * s->wait_ms : RETRY_MAX_MS;
}

static enum leat_status connect_some(struct source *s, short ready, struct leat_error *err)
{
    if (s->conns_count)
        return LEAT_OK;
    if (s->connecting >= 0 && ready)
        end_attempt(s, socket_error(s->connecting));
    else if (now_ms(s) < s->until_ms)
        return LEAT_OK;
    else if (s->connecting < 0)
        return attempt(s, err);
    else
        end_attempt(s, ETIMEDOUT);
    return LEAT_OK;
}

/* ---- listening */

static void accept_some(struct source *s, short ready)
{
    if (s->accept_again_ms && now_ms(s) >= s->accept_again_ms)
        s->accept_again_ms = 0;
    while (ready && s->conns_count < s->conns_room) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            leat_warn(s->env->log, "cannot accept a connection: %s; trying again in %d ms",
                      strerror(errno), ACCEPT_AGAIN_MS);
            s->accept_again_ms = now_ms(s) + ACCEPT_AGAIN_MS;
        }
        if (fd < 0)
            return; /* nobody waits any more, or this one went away */
        add_conn(s, fd);
    }
    if (s->conns_count == s->conns_room && !s->said) {
        leat_info(s->env->log, "'%s' has %u connections; further ones wait", peer(s),
                  s->conns_count);
        s->said = true;
    }
}

/* ---- the loop */

/* Connections that have been silent for too long have ended; when the next will have been, -1:
 * none. Who is not listened to is not silent. */
static int64_t end_idle(struct source *s)
{
    int64_t now = now_ms(s), next = -1;

    for (uint32_t i = 0; s->idle.ms && i < s->conns_count; i++) {
        struct conn *c = &s->conns[i];
        if (s->full || s->starved)
            c->heard_ms = now;
        int64_t left = c->heard_ms + s->idle.ms - now;
        c->ended = c->ended || left <= 0;
        if (next < 0 || left < next)
            next = left > 0 ? left : 0;
    }
    return next;
}

/* What to wait for; a connection that is not to be read is not looked at, or its end would wake us
 * again and again. */
static int set_polls(struct source *s)
{
    struct pollfd *p = s->polls;
    bool accepts = s->conns_count < s->conns_room && !s->accept_again_ms;
    bool reads = !s->full && !s->starved;

    p[0].events = POLLIN;
    if (s->listen)
        p[1] = (struct pollfd){.fd = accepts ? s->listener : -1, .events = POLLIN};
    else
        p[1] = (struct pollfd){.fd = s->connecting, .events = POLLOUT};
    for (uint32_t i = 0; i < s->conns_count; i++)
        p[2 + i] = (struct pollfd){.fd = reads ? s->conns[i].fd : -1, .events = POLLIN};
    int64_t until = s->listen ? s->accept_again_ms : s->conns_count ? 0 : s->until_ms;
    int64_t left = until ? until - now_ms(s) : -1, idle = end_idle(s);
    if (!reads)
        return FULL_MS;
    bool at_once = !s->listen && !s->conns_count && s->connecting < 0 && !s->until_ms;
    if (at_once || (until && left <= 0))
        return 0;
    return (int)(idle >= 0 && (left < 0 || idle < left) ? idle : left);
}

static enum leat_status serve_all(struct source *s, struct leat_inbox *inbox,
                                  struct leat_error *err)
{
    s->full = false; /* the first append of this round tells */
    for (uint32_t i = s->conns_count; i-- > 0 && !s->full;) {
        struct conn *c = &s->conns[i];
        if (serve(s, inbox, c, s->polls[2 + i].revents != 0, err) != LEAT_OK)
            return err->status;
        if (!c->ended || c->bytes.used)
            continue;
        bool was_alive = c->alive;
        drop_conn(s, i);
        if (s->connect)
            peer_gone(s, was_alive);
    }
    return LEAT_OK;
}

static enum leat_status turn(struct source *s, struct leat_inbox *inbox, struct leat_error *err)
{
    if (s->full) { /* the inbox has turned: there may be a credit now */
        for (uint32_t i = 0; i < s->conns_count; i++)
            s->polls[2 + i].revents = 0;
        if (serve_all(s, inbox, err) != LEAT_OK)
            return err->status;
    }
    int timeout = set_polls(s);
    if (poll(s->polls, 2 + s->conns_count, timeout) < 0) {
        if (errno != EINTR)
            return leat_fail(err, LEAT_E_IO, "poll: %s", strerror(errno));
        return LEAT_OK;
    }
    s->starved = false; /* the first one that is read tells */
    if (serve_all(s, inbox, err) != LEAT_OK)
        return err->status;
    short ready = s->polls[1].revents;
    if (!s->listen)
        return connect_some(s, ready, err);
    accept_some(s, ready);
    return LEAT_OK;
}

static void end_run(struct source *s)
{
    while (s->conns_count)
        drop_conn(s, s->conns_count - 1);
    leat_mem_free(s->conns);
    leat_mem_free(s->polls);
    s->conns = NULL;
    s->polls = NULL;
}

static enum leat_status socket_run(void *self, struct leat_inbox *inbox, struct leat_error *err)
{
    struct source *s = self;
    enum leat_status status = LEAT_OK;

    s->conns = leat_mem_alloc(s->conns_room * sizeof *s->conns);
    s->polls = leat_mem_alloc((2 + s->conns_room) * sizeof *s->polls);
    if (!s->conns || !s->polls)
        status = leat_fail(err, LEAT_E_NOMEM, "out of memory");
    else
        s->polls[0].fd = leat_inbox_fd(inbox);
    while (status == LEAT_OK && leat_inbox_turn(inbox))
        status = turn(s, inbox, err);
    end_run(s);
    return status;
}

static enum leat_status socket_acked(void *self, uint32_t part, int64_t upto,
                                     struct leat_error *err)
{
    (void)self, (void)part, (void)upto, (void)err; /* the peer is not told */
    return LEAT_OK;
}

static void socket_close(void *self)
{
    struct source *s = self;

    if (!s->env)
        return;
    if (s->listener >= 0)
        socket_end_listen(s->listener, s->listen);
    if (s->connecting >= 0)
        close(s->connecting);
    if (s->found)
        freeaddrinfo(s->found);
    s->listener = s->connecting = -1;
    s->found = s->next = NULL;
}

static bool by_text(const void *self)
{
    return ((const struct source *)self)->framing.index == FRAMING_LINES;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "socket",
    .summary = "receives lines or frames over TCP or a Unix socket",
    .usual_format = "text",
    .by_text = by_text,
    .any_bytes = "framing: length",
    .self_size = sizeof(struct source),
    .opts = options,
    .check = socket_check,
    .push =
        &(const struct leat_push){
            .store = LEAT_STORE_DISK,
            .untold = true,
            .open = socket_open,
            .run = socket_run,
            .acked = socket_acked,
            .close = socket_close,
        },
};

LEAT_MODULE(module);
