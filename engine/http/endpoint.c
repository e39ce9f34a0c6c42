/*
 * endpoint.c - answers HTTP requests about the process: GET of a few paths, and nothing else.
 *
 * Without a thread: libmicrohttpd's epoll descriptor is waited for by whoever opened it. A
 * connection is for one request. Bounds: 64 connections (one more costs the oldest its place, for
 * who means well is gone by then), 8 KiB for a request, 5 s of silence, 10 s in all. An address
 * without a host is this machine's own.
 */
#include "base/module.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNS_MAX     64
#define CONNS_ROOM    80 /* with those that are cut and not closed yet */
#define REQUEST_BYTES 8192
#define SILENT_S      5
#define LIFE_MS       10000

struct conn {
    int fd; /* -1: free */
    int64_t end_ms;
    bool cut; /* the library has not noticed yet */
};

struct endpoint {
    const char *listen;

    const struct leat_env *env;
    leat_answer_fn *answer;
    void *arg;
    bool is_open;
    int listen_fd, epoll_fd;
    struct MHD_Daemon *daemon;
    struct conn conns[CONNS_ROOM];
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct endpoint, listen,
             .help = "Where to listen: a port of this machine, or HOST:PORT with a numeric host."),
    {0},
};

/* ---- the address */

static enum leat_status wrong(const struct endpoint *e, struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CONFIG,
                     "'%.60s' is no address to listen on: 4190 and 127.0.0.1:4190 are for this "
                     "machine only, 0.0.0.0:4190 and [::]:4190 for all",
                     e->listen);
}

/* PORT, :PORT, HOST:PORT, [HOST]:PORT */
static enum leat_status find(const struct endpoint *e, struct addrinfo **found,
                             struct leat_error *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    const char *colon = strrchr(e->listen, ':'), *port = colon ? colon + 1 : e->listen;
    size_t len = colon ? (size_t)(colon - e->listen) : 0, digits = strspn(port, "0123456789");
    char host[64] = "127.0.0.1";

    if (len >= sizeof host || digits == 0 || digits > 5 || port[digits] || atoi(port) > 65535)
        return wrong(e, err);
    bool bracketed = len > 2 && e->listen[0] == '[' && e->listen[len - 1] == ']';
    bool is_local = len == 0 || (len == 9 && memcmp(e->listen, "localhost", 9) == 0);
    if (bracketed)
        snprintf(host, sizeof host, "%.*s", (int)len - 2, e->listen + 1);
    else if (!is_local)
        snprintf(host, sizeof host, "%.*s", (int)len, e->listen);
    if ((!bracketed && strchr(host, ':')) || getaddrinfo(host, port, &hints, found) != 0)
        return wrong(e, err);
    return LEAT_OK;
}

static enum leat_status check(const void *self, struct leat_error *err)
{
    struct addrinfo *found;

    if (find(self, &found, err) != LEAT_OK)
        return err->status;
    freeaddrinfo(found);
    return LEAT_OK;
}

static int listen_at(const struct addrinfo *at)
{
    int yes = 1, fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

/* ---- requests */

static enum MHD_Result send_answer(struct MHD_Connection *c, unsigned status, const char *type,
                                   struct leat_slice body)
{
    struct MHD_Response *r = MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr,
                                                             MHD_RESPMEM_MUST_COPY);

    if (!r)
        return MHD_NO;
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result sent = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return sent;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **request)
{
    struct endpoint *e = cls;
    struct leat_arena arena = {0};
    struct leat_answer a = {.bytes.arena = &arena};

    (void)version, (void)upload, (void)upload_len, (void)request;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return send_answer(c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", LEAT_LIT("GET or HEAD\n"));
    e->answer(e->arg, url, &a);
    enum MHD_Result sent = a.bytes.failed
                               ? send_answer(c, MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain",
                                             LEAT_LIT("out of memory\n"))
                               : send_answer(c, a.status, a.type, leat_bytes_slice(&a.bytes));
    leat_arena_reset(&arena);
    return sent;
}

/* ---- connections */

static void cut(struct conn *c)
{
    c->cut = true;
    shutdown(c->fd, SHUT_RDWR);
}

static void make_room(struct endpoint *e)
{
    struct conn *oldest = NULL;
    unsigned count = 0;

    for (size_t i = 0; i < CONNS_ROOM; i++) {
        struct conn *c = &e->conns[i];
        if (c->fd < 0 || c->cut)
            continue;
        count++;
        if (!oldest || c->end_ms < oldest->end_ms)
            oldest = c;
    }
    if (count >= CONNS_MAX)
        cut(oldest);
}

static void on_connection(void *cls, struct MHD_Connection *c, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct endpoint *e = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (*context)
            ((struct conn *)*context)->fd = -1;
        *context = NULL;
        return;
    }
    make_room(e);
    for (size_t i = 0; i < CONNS_ROOM && info && !*context; i++)
        if (e->conns[i].fd < 0) {
            e->conns[i] = (struct conn){info->connect_fd,
                                        leat_clock_monotonic_ms(e->env->clock) + LIFE_MS, false};
            *context = &e->conns[i];
        }
}

static void cut_old(struct endpoint *e)
{
    int64_t now_ms = leat_clock_monotonic_ms(e->env->clock);

    for (size_t i = 0; i < CONNS_ROOM; i++) {
        struct conn *c = &e->conns[i];
        if (c->fd < 0 || c->cut || now_ms < c->end_ms)
            continue;
        cut(c);
    }
}

static int64_t endpoint_wait_ms(const void *self)
{
    const struct endpoint *e = self;
    int64_t now_ms = leat_clock_monotonic_ms(e->env->clock), wait_ms = -1;
    MHD_UNSIGNED_LONG_LONG due;

    if (MHD_get_timeout(e->daemon, &due) == MHD_YES)
        wait_ms = (int64_t)due;
    for (size_t i = 0; i < CONNS_ROOM; i++) {
        const struct conn *c = &e->conns[i];
        int64_t left_ms = c->end_ms > now_ms ? c->end_ms - now_ms : 0;
        if (c->fd >= 0 && !c->cut && (wait_ms < 0 || left_ms < wait_ms))
            wait_ms = left_ms;
    }
    return wait_ms;
}

static void endpoint_turn(void *self)
{
    struct endpoint *e = self;

    cut_old(e);
    MHD_run(e->daemon);
}

static int endpoint_fd(const void *self)
{
    return ((const struct endpoint *)self)->epoll_fd;
}

/* ---- open and close */

static enum leat_status start(struct endpoint *e, struct leat_error *err)
{
    e->daemon = MHD_start_daemon(
        MHD_USE_EPOLL, 0, NULL, NULL, on_request, e, MHD_OPTION_LISTEN_SOCKET,
        (MHD_socket)e->listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNS_ROOM,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)REQUEST_BYTES, MHD_OPTION_NOTIFY_CONNECTION, on_connection, e, MHD_OPTION_END);
    if (!e->daemon)
        return leat_fail(err, LEAT_E_IO, "cannot serve %.60s: %s", e->listen, strerror(errno));
    e->listen_fd = -1; /* the library's */
    e->epoll_fd = MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return LEAT_OK;
}

static enum leat_status endpoint_open(void *self, const struct leat_env *env,
                                      leat_answer_fn *answer, void *arg, struct leat_error *err)
{
    struct endpoint *e = self;
    struct addrinfo *at;

    e->env = env;
    e->answer = answer;
    e->arg = arg;
    e->is_open = true;
    e->listen_fd = -1;
    for (size_t i = 0; i < CONNS_ROOM; i++)
        e->conns[i].fd = -1;
    if (find(e, &at, err) != LEAT_OK)
        return err->status;
    e->listen_fd = listen_at(at);
    int why = errno;
    freeaddrinfo(at);
    if (e->listen_fd < 0)
        return leat_fail(err, LEAT_E_IO, "cannot listen on %.60s: %s", e->listen, strerror(why));
    return start(e, err);
}

static void endpoint_close(void *self)
{
    struct endpoint *e = self;

    if (e->daemon)
        MHD_stop_daemon(e->daemon);
    if (e->is_open && e->listen_fd >= 0)
        close(e->listen_fd);
    e->daemon = NULL;
    e->is_open = false;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "endpoint",
    .summary = "answers about the process over HTTP: metrics and health",
    .self_size = sizeof(struct endpoint),
    .opts = options,
    .check = check,
    .serve =
        &(const struct leat_serve){
            .open = endpoint_open,
            .fd = endpoint_fd,
            .wait_ms = endpoint_wait_ms,
            .turn = endpoint_turn,
            .close = endpoint_close,
        },
};

LEAT_MODULE(module);
