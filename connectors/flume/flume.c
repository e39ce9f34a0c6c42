/*
 * flume.c - push source that Flume's agents and clients send to: an Avro RPC server.
 *
 * Flume's Avro sink and RPC client connect, call `append` or `appendBatch`, and wait for the
 * answer. It comes when all events of the call are as safe as `store:` asks, so a client that saw
 * it need not keep them; one that did not, because leat died or the connection was cut, sends them
 * again: at least once. An event is a record: its body the value, its headers meta.headers. zlib
 * and TLS are found out from the first bytes of a connection (channel.h).
 *
 * Without a credit nobody is read, and clients wait. What a peer can make leat hold is bounded: the
 * bytes of unfinished calls of all peers together, the length of a call, headers of an event, calls
 * that wait for an answer, connections, and the time in which a call that has begun must end. A
 * peer that breaks the rules is closed, and others go on.
 *
 * Thread: run's. It sleeps in epoll_wait(), or, when the inbox is full, in poll() for the inbox.
 */
#include "../socket_address.h"
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define FULL_MS         250 /* the inbox wakes us for a credit, nobody does for memory */
#define ACCEPT_AGAIN_MS 1000
#define SAY_AGAIN_MS    1000 /* peers that are closed are named so often at most */
#define EVENTS          64

struct source {
    const char *listen;
    int64_t max_connections;
    struct leat_size max_frame, buffers;
    int64_t max_headers;
    struct leat_duration idle, timeout;
    struct flume_tls tls;

    struct flume_shared shared;
    int listener, epoll;
    struct flume_peer **peers;
    uint32_t peers_count;
    bool any_more;           /* somebody's `more` is set and it can be read */
    bool any_starved;        /* somebody waits for room */
    bool accepting;          /* the listener is in the epoll set's eyes */
    int64_t accept_again_ms; /* 0: now */
    int64_t look_at_ms;      /* when the next peer may be overdue; 0: there is none */
    int64_t say_again_ms;
    uint32_t unsaid;
    bool said_many; /* that there are too many connections */
};

/* clang-format off */
static const struct leat_opt tls_options[] = {
    LEAT_OPT(struct flume_tls, cert, .help = "File with leat's certificate (PEM, chain included)."),
    LEAT_OPT(struct flume_tls, key, .help = "File with its key (PEM)."),
    LEAT_OPT(struct flume_tls, ca, .optional = true,
             .help = "File with certificates: clients must show one that these have signed."),
    {0},
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct source, listen,
             .help = "address:port where Flume connects to, such as 127.0.0.1:4141 or *:4141."),
    LEAT_OPT(struct source, max_connections, .def = "2000", .min = 1, .max = 10000,
             .help = "How many may be connected at once; further ones wait."),
    LEAT_OPT(struct source, max_frame, .def = "16MiB", .min = 1024, .max = 64 << 20,
             .help = "Longest call; a connection that sends a longer one is closed."),
    LEAT_OPT(struct source, max_headers, .def = "256", .min = 0, .max = 100000,
             .help = "Headers of one event at most; a call with more is refused."),
    LEAT_OPT(struct source, buffers, .def = "32MiB", .min = 1024, .max = INT64_C(1) << 34,
             .help = "Bytes of calls that all connections may have under way, together; it must hold "
                     "a max_frame. Beyond it connections wait."),
    LEAT_OPT(struct source, idle, .def = "10m", .min = 100, .max = 86400000,
             .help = "A connection without a call for so long is closed; Flume opens another."),
    LEAT_OPT(struct source, timeout, .def = "30s", .min = 100, .max = 3600000,
             .help = "How long a call may take to arrive, and its answer to be taken."),
    LEAT_OPT_GROUPED(struct source, tls, tls_options, .optional = true,
             .help = "Certificates: only connections with TLS are served then."),
    {0},
};
/* clang-format on */

static enum leat_status flume_check(const void *self, struct leat_error *err)
{
    const struct source *s = self;

    if (s->buffers.bytes < s->max_frame.bytes)
        return leat_fail(err, LEAT_E_CONFIG, "buffers: must be at least max_frame");
    return socket_check_host_port(s->listen, true, err);
}

static int64_t now_ms(const struct source *s)
{
    return leat_clock_monotonic_ms(s->shared.env->clock);
}

static enum leat_status flume_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct source *s = self;

    s->shared = (struct flume_shared){
        .env = env,
        .security.budget = env->budget,
        .room = {.max = (size_t)s->buffers.bytes, .budget = env->budget},
        .max_frame = (size_t)s->max_frame.bytes,
        .max_headers = (uint32_t)s->max_headers,
    };
    s->listener = s->epoll = -1;
    s->accept_again_ms = s->look_at_ms = s->say_again_ms = 0;
    s->any_more = s->any_starved = s->said_many = false;
    if (flume_check(s, err) != LEAT_OK)
        return err->status;
    if (s->tls.cert && flume_security_init(&s->shared.security, &s->tls, true, err) != LEAT_OK)
        return err->status;
    s->listener = socket_listen(s->listen, err);
    if (s->listener < 0)
        return err->status;
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    return s->epoll >= 0 ? LEAT_OK : leat_fail(err, LEAT_E_IO, "epoll: %s", strerror(errno));
}

/* ---- peers */

static enum leat_status watch(struct source *s, int how, int fd, uint32_t events, void *who,
                              struct leat_error *err)
{
    struct epoll_event e = {.events = events, .data.ptr = who};

    return epoll_ctl(s->epoll, how, fd, &e) == 0
               ? LEAT_OK
               : leat_fail(err, LEAT_E_IO, "epoll: %s", strerror(errno));
}

static void say_closed(struct source *s, const struct flume_peer *p, const char *why)
{
    int64_t now = now_ms(s);

    if (now < s->say_again_ms) {
        s->unsaid++;
        return;
    }
    if (s->unsaid)
        leat_warn(s->shared.env->log, "connection from %s closed: %s (and %u others)", p->name, why,
                  s->unsaid);
    else
        leat_warn(s->shared.env->log, "connection from %s closed: %s", p->name, why);
    s->unsaid = 0;
    s->say_again_ms = now + SAY_AGAIN_MS;
}

static void drop(struct source *s, struct flume_peer *p)
{
    uint32_t slot = p->slot;

    flume_peer_fini(p);
    leat_mem_free(p);
    leat_budget_give(s->shared.env->budget, sizeof *p);
    struct flume_peer *last = s->peers[--s->peers_count];
    if (slot < s->peers_count) {
        s->peers[slot] = last;
        last->slot = slot;
    }
}

/* When it is closed unless something happens. */
static void set_due(struct source *s, struct flume_peer *p)
{
    int64_t now = now_ms(s);

    if (!flume_peer_is_busy(p)) {
        p->began_ms = 0;
        p->due_ms = now + s->idle.ms;
    } else {
        p->began_ms = p->began_ms ? p->began_ms : now;
        p->due_ms = p->began_ms + s->timeout.ms;
    }
    if (!s->look_at_ms || p->due_ms < s->look_at_ms)
        s->look_at_ms = p->due_ms;
}

static enum leat_status set_events(struct source *s, struct flume_peer *p, struct leat_error *err)
{
    uint32_t events = flume_channel_unsent(&p->channel) ? EPOLLOUT : 0;

    if (flume_peer_readable(p) && !p->starved)
        events |= EPOLLIN;
    if (events == p->events_set)
        return LEAT_OK;
    p->events_set = events;
    return watch(s, EPOLL_CTL_MOD, p->channel.fd, events, p, err);
}

/* A peer was served: who speaks for it next, the descriptor or nobody, and until when. */
static enum leat_status after(struct source *s, struct flume_peer *p, struct leat_error *err)
{
    if (p->starved)
        s->any_starved = true;
    else if (p->more && flume_peer_readable(p))
        s->any_more = true;
    set_due(s, p);
    return set_events(s, p, err);
}

static enum leat_status serve(struct source *s, struct flume_peer *p, struct leat_error *err)
{
    switch (flume_peer_serve(p, &s->shared, err)) {
    case FLUME_PEER_WRONG:
        if (!p->channel.lost)
            leat_bad_input(s->shared.env);
        say_closed(s, p, p->why);
        drop(s, p);
        return LEAT_OK;
    case FLUME_PEER_ENDED:
        if (flume_frames_begun(&p->frames))
            leat_bad_input(s->shared.env); /* in the middle of a call */
        drop(s, p);
        return LEAT_OK;
    case FLUME_PEER_ERROR:
        return err->status;
    case FLUME_PEER_OPEN:
        break;
    }
    return after(s, p, err);
}

static enum leat_status serve_one_more(struct source *s, struct flume_peer *p,
                                       struct leat_error *err)
{
    return p->more && flume_peer_readable(p) ? serve(s, p, err) : LEAT_OK;
}

/* Those for whom no descriptor will speak; first the one that waited for credit in a call. */
static enum leat_status serve_more(struct source *s, struct leat_error *err)
{
    if (!s->any_more && !s->any_starved)
        return LEAT_OK;
    s->any_more = s->any_starved = false;
    for (uint32_t i = s->peers_count; i-- > 0;)
        if (s->peers[i]->appending) {
            if (serve(s, s->peers[i], err) != LEAT_OK)
                return err->status;
            break;
        }
    for (uint32_t i = s->peers_count; i-- > 0;) {
        if (s->shared.full)
            s->any_more = true;
        else if (serve_one_more(s, s->peers[i], err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static void close_overdue(struct source *s)
{
    int64_t now = now_ms(s);

    if (!s->look_at_ms || now < s->look_at_ms)
        return;
    s->look_at_ms = 0;
    for (uint32_t i = s->peers_count; i-- > 0;) {
        struct flume_peer *p = s->peers[i];
        if (p->waiting_count || p->appending) { /* it waits for us */
            p->began_ms = 0;
            set_due(s, p);
        }
        if (now >= p->due_ms) {
            if (p->began_ms) {
                leat_bad_input(s->shared.env);
                say_closed(s, p, "it did not go on with a call, or did not take its answers");
            }
            drop(s, p);
        } else if (!s->look_at_ms || p->due_ms < s->look_at_ms) {
            s->look_at_ms = p->due_ms;
        }
    }
}

/* ---- new ones */

static void name_peer(struct flume_peer *p, const struct sockaddr_storage *at)
{
    char host[INET6_ADDRSTRLEN] = "?";
    bool six = at->ss_family == AF_INET6;
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)at;

    inet_ntop(at->ss_family, six ? (const void *)&v6->sin6_addr : (const void *)&v4->sin_addr, host,
              sizeof host);
    snprintf(p->name, sizeof p->name, "%s:%d", host, ntohs(six ? v6->sin6_port : v4->sin_port));
}

static enum leat_status add_peer(struct source *s, int fd, const struct sockaddr_storage *at,
                                 struct leat_error *err)
{
    if (!leat_budget_take(s->shared.env->budget, sizeof(struct flume_peer))) {
        close(fd); /* the client tries again */
        return LEAT_OK;
    }
    struct flume_peer *p = leat_mem_alloc(sizeof *p);
    if (!p) {
        close(fd);
        leat_budget_give(s->shared.env->budget, sizeof *p);
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    }
    flume_peer_init(p, &s->shared, fd);
    name_peer(p, at);
    p->slot = s->peers_count;
    s->peers[s->peers_count++] = p;
    p->events_set = EPOLLIN;
    set_due(s, p);
    return watch(s, EPOLL_CTL_ADD, fd, EPOLLIN, p, err);
}

static enum leat_status accept_some(struct source *s, struct leat_error *err)
{
    while (s->peers_count < s->max_connections) {
        struct sockaddr_storage at = {0};
        socklen_t len = sizeof at;
        int fd = accept4(s->listener, (struct sockaddr *)&at, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
            leat_warn(s->shared.env->log, "cannot accept a connection: %s; trying again in %d ms",
                      strerror(errno), ACCEPT_AGAIN_MS);
            s->accept_again_ms = now_ms(s) + ACCEPT_AGAIN_MS;
        }
        if (fd < 0)
            return LEAT_OK; /* nobody waits any more, or this one went away */
        if (add_peer(s, fd, &at, err) != LEAT_OK)
            return err->status;
    }
    if (!s->said_many)
        leat_info(s->shared.env->log, "'%s' has %u connections; further ones wait", s->listen,
                  s->peers_count);
    s->said_many = true;
    return LEAT_OK;
}

static enum leat_status set_accepting(struct source *s, struct leat_error *err)
{
    if (s->accept_again_ms && now_ms(s) >= s->accept_again_ms)
        s->accept_again_ms = 0;
    bool accepting = s->peers_count < s->max_connections && !s->accept_again_ms;
    if (accepting == s->accepting)
        return LEAT_OK;
    s->accepting = accepting;
    return watch(s, EPOLL_CTL_MOD, s->listener, accepting ? EPOLLIN : 0, &s->listener, err);
}

/* ---- the loop */

static int sleep_ms(const struct source *s)
{
    int64_t until = s->look_at_ms;

    if (s->any_more)
        return 0;
    if (s->accept_again_ms && (!until || s->accept_again_ms < until))
        until = s->accept_again_ms;
    int64_t left = until ? until - now_ms(s) : -1;
    if (until && left < 0)
        left = 0;
    return s->any_starved && (left < 0 || left > FULL_MS) ? FULL_MS : (int)left;
}

/* No credit: nobody is read, and nobody's time runs. */
static void wait_for_credit(struct source *s, int inbox)
{
    struct pollfd p = {.fd = inbox, .events = POLLIN};

    poll(&p, 1, FULL_MS);
    s->look_at_ms = 0;
    for (uint32_t i = 0; i < s->peers_count; i++) {
        s->peers[i]->began_ms = 0;
        set_due(s, s->peers[i]);
    }
}

static enum leat_status turn(struct source *s, int inbox, struct leat_error *err)
{
    struct epoll_event events[EVENTS];

    if (s->shared.full)
        wait_for_credit(s, inbox);
    s->shared.full = false; /* the first append tells */
    if (serve_more(s, err) != LEAT_OK || s->shared.full)
        return s->shared.full ? LEAT_OK : err->status;
    if (set_accepting(s, err) != LEAT_OK)
        return err->status;
    int n = epoll_wait(s->epoll, events, EVENTS, sleep_ms(s));
    if (n < 0 && errno != EINTR)
        return leat_fail(err, LEAT_E_IO, "epoll: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        void *who = events[i].data.ptr;
        if (who == &s->epoll)
            continue; /* the inbox: its turn is next */
        if (who == &s->listener) {
            if (accept_some(s, err) != LEAT_OK)
                return err->status;
        } else if (events[i].events & (EPOLLHUP | EPOLLERR)) {
            drop(s, who); /* nobody is there to be answered */
        } else if (!s->shared.full && serve(s, who, err) != LEAT_OK) {
            return err->status;
        }
    }
    close_overdue(s);
    return LEAT_OK;
}

static void end_run(struct source *s)
{
    while (s->peers_count)
        drop(s, s->peers[s->peers_count - 1]);
    leat_mem_free(s->peers);
    leat_mem_free(s->shared.headers);
    s->peers = NULL;
    s->shared.headers = NULL;
    s->shared.headers_room = 0;
}

static enum leat_status begin_run(struct source *s, struct leat_error *err)
{
    s->peers = leat_mem_alloc((size_t)s->max_connections * sizeof *s->peers);
    if (!s->peers)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    s->accepting = true;
    if (watch(s, EPOLL_CTL_ADD, s->listener, EPOLLIN, &s->listener, err) != LEAT_OK)
        return err->status;
    return watch(s, EPOLL_CTL_ADD, leat_inbox_fd(s->shared.inbox), EPOLLIN, &s->epoll, err);
}

static enum leat_status flume_run(void *self, struct leat_inbox *inbox, struct leat_error *err)
{
    struct source *s = self;

    s->shared.inbox = inbox;
    s->shared.full = false;
    enum leat_status status = begin_run(s, err);
    while (status == LEAT_OK && leat_inbox_turn(inbox))
        status = turn(s, leat_inbox_fd(inbox), err);
    end_run(s);
    return status;
}

static enum leat_status flume_acked(void *self, uint32_t part, int64_t upto, struct leat_error *err)
{
    struct source *s = self;

    (void)part;
    for (uint32_t i = s->peers_count; i-- > 0;) {
        struct flume_peer *p = s->peers[i];
        if (!p->waiting_count)
            continue;
        if (!flume_peer_acked(p, upto)) {
            say_closed(s, p, p->why);
            drop(s, p);
            continue;
        }
        if (after(s, p, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static void flume_close(void *self)
{
    struct source *s = self;

    if (!s->shared.env)
        return;
    if (s->listener >= 0)
        close(s->listener);
    if (s->epoll >= 0)
        close(s->epoll);
    s->listener = s->epoll = -1;
    flume_security_fini(&s->shared.security);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "flume",
    .summary = "receives events from Flume's Avro sinks and RPC clients",
    .usual_format = "text",
    .self_size = sizeof(struct source),
    .opts = options,
    .check = flume_check,
    .push = &(const struct leat_push){.store = LEAT_STORE_COMMIT,
                                      .open = flume_open,
                                      .run = flume_run,
                                      .acked = flume_acked,
                                      .close = flume_close},
};

LEAT_MODULE(module);
