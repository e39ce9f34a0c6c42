/*
 * http.c - push source of records that others POST to leat.
 *
 * A request is answered with 204 when all of its records are as safe as the source promises, and
 * with anything else when none of them may be relied upon: whoever gets no 2xx sends it again. So a
 * record comes at least once. A request waits for that without a thread of its own: its connection
 * is laid aside and taken up again when `acked` names its last record.
 *
 * Without a credit the answer is 429 with Retry-After. Bodies, connections, and the time that both
 * may take are bounded; who has been idle for longest goes when all connections are taken. Left
 * out: compressed bodies, pipelining of answers, HTTP/2.
 *
 * Thread: run's; it sleeps in poll() for the inbox and the server's own descriptors.
 */
#include "http.h"
#include "../socket_address.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONN_MEMORY   ((size_t)16 * 1024) /* of the server, for a request's headers */
#define CONN_EXTRA    16                  /* connections that are told that there is no room */
#define FULL_MS       250 /* the inbox wakes us for a credit, nobody does for memory */
#define LAST_ROUNDS   8   /* of the server, to send its last answers */
#define PEM_BYTES_MAX ((size_t)256 * 1024)

static const char *const forms[] = {"json", "lines", "one", NULL};

/* clang-format off */
static const struct leat_opt auth_options[] = {
    LEAT_OPT(struct http_auth, bearer, .optional = true, .secret = true,
             .help = "Token that senders show with `Authorization: Bearer`; without it anybody may "
                     "send."),
    {0},
};

static const struct leat_opt tls_options[] = {
    LEAT_OPT(struct http_tls, cert, .optional = true,
             .help = "File with leat's certificate and those it needs (PEM)."),
    LEAT_OPT(struct http_tls, key, .optional = true, .help = "File with its key (PEM)."),
    LEAT_OPT(struct http_tls, ca, .optional = true,
             .help = "File with certificates: senders must show one that these have signed, and "
                     "that is for clients where it says what it is for."),
    {0},
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct http, listen, .def = "127.0.0.1:8080",
             .help = "address:port to listen at; *:8080 for every address of this host."),
    LEAT_OPT(struct http, path, .def = "/", .help = "Where records are taken: /orders."),
    LEAT_OPT(struct http, body, .def = "json", .choices = forms,
             .help = "json: a record, an array of records, or records by lines where Content-Type "
                     "is application/x-ndjson, all of them checked; lines: a record per line, of "
                     "anything; one: the body is the record, whatever it is."),
    LEAT_OPT(struct http, max_body, .def = "8MiB", .min = 1024, .max = 1 << 30,
             .help = "Largest body of a request; a larger one is answered with 413."),
    LEAT_OPT(struct http, max_connections, .def = "512", .min = 1, .max = 100000,
             .help = "How many may be connected at once; the one that has been idle for longest "
                     "goes when another comes."),
    LEAT_OPT(struct http, idle, .def = "1m", .min = 100, .max = 3600000,
             .help = "How long a connection may be without a request."),
    LEAT_OPT(struct http, receive, .def = "30s", .min = 100, .max = 3600000,
             .help = "How long a request may take to arrive, from its headers to its end."),
    LEAT_OPT_GROUPED(struct http, auth, auth_options, .optional = true, .help = "Who may send."),
    LEAT_OPT_GROUPED(struct http, tls, tls_options, .optional = true,
             .help = "Speak HTTPS, with this certificate."),
    LEAT_OPT(struct http, insecure, .def = "false",
             .help = "Take tokens over http:// from other hosts, where everybody on the way can "
                     "read them."),
    {0},
};
/* clang-format on */

static bool is_loopback(const char *listen)
{
    return strncmp(listen, "127.", 4) == 0 || strncmp(listen, "localhost:", 10) == 0 ||
           strncmp(listen, "[::1]:", 6) == 0;
}

static enum leat_status check(const void *self, struct leat_error *err)
{
    const struct http *h = self;

    if (h->listen[0] == ':')
        return leat_fail(err, LEAT_E_CONFIG,
                         "listen: '%s' has no address: 127.0.0.1%s, or *%s for all of this host",
                         h->listen, h->listen, h->listen);
    if (socket_check_host_port(h->listen, true, err) != LEAT_OK)
        return err->status;
    if (h->path[0] != '/' || strpbrk(h->path, "?# \t\r\n"))
        return leat_fail(err, LEAT_E_CONFIG, "path: '%s' is no path, such as /orders", h->path);
    if (!h->tls.cert != !h->tls.key)
        return leat_fail(err, LEAT_E_CONFIG, "tls: 'cert' and 'key' belong together");
    if (h->tls.ca && !h->tls.cert)
        return leat_fail(err, LEAT_E_CONFIG,
                         "tls: with 'ca' senders show a certificate, and leat needs its own: give "
                         "'cert' and 'key'");
    if (h->auth.bearer && !h->auth.bearer[0])
        return leat_fail(err, LEAT_E_CONFIG, "auth: the token is empty");
    if (h->auth.bearer && !h->tls.cert && !h->insecure && !is_loopback(h->listen))
        return leat_fail(err, LEAT_E_CONFIG,
                         "auth: tokens would come over http:// in the clear: give 'tls', or say "
                         "'insecure: true'");
    return LEAT_OK;
}

/* ---- open */

/* A file's text, to be freed; NULL: err says why. */
static char *read_pem(const char *path, struct leat_error *err)
{
    FILE *file = fopen(path, "rbe");
    char *text = file ? leat_mem_alloc(PEM_BYTES_MAX + 1) : NULL;

    if (!file) {
        leat_fail(err, LEAT_E_IO, "cannot open '%s': %s", path, strerror(errno));
        return NULL;
    }
    if (!text)
        leat_fail(err, LEAT_E_NOMEM, "out of memory");
    else if (fread(text, 1, PEM_BYTES_MAX + 1, file) > PEM_BYTES_MAX || ferror(file)) {
        leat_fail(err, LEAT_E_IO, "'%s' cannot be read, or is longer than %zu bytes", path,
                  PEM_BYTES_MAX);
        leat_mem_free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

/* What the files of `tls` hold, to be freed; NULL: nothing is asked for. */
struct pems {
    char *cert, *key, *ca;
};

static enum leat_status start(struct http *h, int fd, const struct pems *pems,
                              struct leat_error *err)
{
    const bool tls = pems->cert;
    unsigned flags =
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (tls ? MHD_USE_TLS : 0);
    struct MHD_OptionItem secure[] = {{MHD_OPTION_HTTPS_MEM_CERT, 0, pems->cert},
                                      {MHD_OPTION_HTTPS_MEM_KEY, 0, pems->key},
                                      {MHD_OPTION_END, 0, NULL},
                                      {MHD_OPTION_END, 0, NULL}};

    if (pems->ca)
        secure[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_TRUST, 0, pems->ca};

    h->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, http_on_request, h, MHD_OPTION_EXTERNAL_LOGGER, http_on_log, h,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)h->max_connections + CONN_EXTRA, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONN_MEMORY,
        MHD_OPTION_NOTIFY_COMPLETED, http_on_completed, h, MHD_OPTION_NOTIFY_CONNECTION,
        http_on_connection, h, MHD_OPTION_ARRAY, tls ? secure : secure + 3, MHD_OPTION_END);
    if (!h->daemon && tls)
        return leat_fail(err, LEAT_E_CONFIG,
                         "tls: the certificate '%s' or its key '%s' cannot be used", h->tls.cert,
                         h->tls.key);
    if (!h->daemon)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for an HTTP server");
    h->epoll_fd = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return LEAT_OK;
}

/* The server does not say what is wrong with an authority, and starts without any. */
static enum leat_status check_ca(const struct http *h, const char *pem, struct leat_error *err)
{
    const gnutls_datum_t bytes = {(unsigned char *)(uintptr_t)pem, (unsigned)strlen(pem)};
    gnutls_certificate_credentials_t list;
    int found = 0;

    if (gnutls_certificate_allocate_credentials(&list) < 0)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    found = gnutls_certificate_set_x509_trust_mem(list, &bytes, GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(list);
    return found > 0
               ? LEAT_OK
               : leat_fail(err, LEAT_E_CONFIG, "tls: there is no certificate in '%s'", h->tls.ca);
}

static enum leat_status listen_at(struct http *h, const struct pems *pems, struct leat_error *err)
{
    int fd = socket_listen(h->listen, err);

    if (fd < 0)
        return err->status;
    if (start(h, fd, pems, err) != LEAT_OK)
        close(fd);
    return h->daemon ? LEAT_OK : err->status;
}

static enum leat_status http_open(void *self, const struct leat_env *env, struct leat_error *err)
{
    struct http *h = self;
    struct pems pems = {0};

    if (check(h, err) != LEAT_OK)
        return err->status;
    h->env = env;
    h->error.status = LEAT_OK;
    h->stopping = false;
    bool read = (!h->tls.cert || ((pems.cert = read_pem(h->tls.cert, err)) != NULL &&
                                  (pems.key = read_pem(h->tls.key, err)) != NULL)) &&
                (!h->tls.ca || ((pems.ca = read_pem(h->tls.ca, err)) != NULL &&
                                check_ca(h, pems.ca, err) == LEAT_OK));
    enum leat_status status = read ? listen_at(h, &pems, err) : err->status;
    leat_mem_free(pems.cert);
    leat_mem_free(pems.key);
    leat_mem_free(pems.ca);
    return status;
}

/* ---- run */

static int wait_ms(struct http *h, int slow_ms)
{
    MHD_UNSIGNED_LONG_LONG due;
    int wait = slow_ms;

    if (h->half && (wait < 0 || wait > FULL_MS))
        wait = FULL_MS;
    if (MHD_get_timeout(h->daemon, &due) == MHD_YES && (wait < 0 || due < (unsigned)wait))
        wait = (int)due;
    return wait;
}

static enum leat_status turn(struct http *h, struct leat_error *err)
{
    struct pollfd p[] = {{.fd = leat_inbox_fd(h->inbox), .events = POLLIN},
                         {.fd = h->epoll_fd, .events = POLLIN}};

    http_go_on(h);
    if (MHD_run(h->daemon) != MHD_YES)
        return leat_fail(err, LEAT_E_IO, "the HTTP server has failed");
    int slow_ms = http_cut_slow(h);
    if (h->error.status == LEAT_OK && poll(p, 2, wait_ms(h, slow_ms)) < 0 && errno != EINTR)
        return leat_fail(err, LEAT_E_IO, "poll: %s", strerror(errno));
    if (h->error.status != LEAT_OK)
        *err = h->error;
    return h->error.status;
}

static enum leat_status http_run(void *self, struct leat_inbox *inbox, struct leat_error *err)
{
    struct http *h = self;
    enum leat_status status = LEAT_OK;

    h->inbox = inbox;
    h->arena = (struct leat_arena){.budget = h->env->budget};
    h->plan = leat_json_plan_new(NULL, 0, &h->arena);
    if (!h->plan)
        status = leat_arena_failed(&h->arena, err);
    while (status == LEAT_OK && leat_inbox_turn(inbox))
        status = turn(h, err);
    h->stopping = true;
    http_dismiss(h);
    for (int i = 0; i < LAST_ROUNDS; i++)
        MHD_run(h->daemon);
    leat_arena_reset(&h->arena);
    h->inbox = NULL;
    return status;
}

static enum leat_status http_acked(void *self, uint32_t part, int64_t upto, struct leat_error *err)
{
    (void)part, (void)err;
    http_safe(self, upto);
    return LEAT_OK;
}

static void http_close(void *self)
{
    struct http *h = self;

    if (h->daemon)
        MHD_stop_daemon(h->daemon);
    h->daemon = NULL;
}

static bool by_text(const void *self)
{
    return ((const struct http *)self)->body.index != HTTP_ONE;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "http",
    .summary = "takes records that others send with POST",
    .by_text = by_text,
    .any_bytes = "body: one",
    .self_size = sizeof(struct http),
    .opts = options,
    .check = check,
    .push =
        &(const struct leat_push){
            .open = http_open, .run = http_run, .acked = http_acked, .close = http_close},
};

LEAT_MODULE(module);
