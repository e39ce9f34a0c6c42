/*
 * command_health.c - `leat health`: asks a running leat, for whoever watches a container.
 *
 * The other side may be anything: what it sends is bounded in size and in time, and shown without
 * what a terminal would obey.
 */
#include "base/clock.h"
#include "cli/cli.h"

#include <argp.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STANDARD_URL "http://127.0.0.1:4190/readyz"
#define TIME_MS      5000
#define ANSWER_BYTES 16384

struct target {
    char host[256], port[6], path[512];
};

/* http://HOST[:PORT][/PATH], [HOST] for IPv6. */
static bool read_url(const char *url, struct target *t)
{
    static const char scheme[] = "http://";
    size_t prefix = sizeof scheme - 1;

    if (strncmp(url, scheme, prefix) != 0)
        return false;
    const char *host = url + prefix, *end = host + strcspn(host, "/");
    const char *colon = memrchr(host, ':', (size_t)(end - host));
    bool bracketed = host[0] == '[';
    const char *bracket = bracketed ? memchr(host, ']', (size_t)(end - host)) : NULL;
    if (bracketed && !bracket)
        return false;
    if (bracketed && colon && colon < bracket)
        colon = NULL;
    const char *host_end = bracketed ? bracket : colon ? colon : end;
    host += bracketed;
    if (bracketed && bracket + 1 != (colon ? colon : end))
        return false;
    const char *port = colon ? colon + 1 : "80";
    size_t port_len = colon ? (size_t)(end - port) : 2;
    size_t digits = strspn(port, "0123456789");
    if (host_end == host || (size_t)(host_end - host) >= sizeof t->host || port_len == 0 ||
        port_len >= sizeof t->port || digits < port_len || strlen(end) >= sizeof t->path)
        return false;
    for (const char *c = url; *c; c++)
        if (*c <= ' ' || *c == 0x7f)
            return false; /* it would end the request's line */
    snprintf(t->host, sizeof t->host, "%.*s", (int)(host_end - host), host);
    snprintf(t->port, sizeof t->port, "%.*s", (int)port_len, port);
    snprintf(t->path, sizeof t->path, "%s", *end ? end : "/readyz");
    return true;
}

/* ---- talking, until `by_ms` */

static enum leat_status await(int fd, short events, int64_t by_ms, struct leat_error *err)
{
    struct pollfd p = {.fd = fd, .events = events};
    int64_t left_ms = by_ms - leat_clock_monotonic_ms(NULL);
    int n = left_ms > 0 ? poll(&p, 1, (int)left_ms) : 0;

    if (n > 0)
        return LEAT_OK;
    return leat_fail(err, LEAT_E_UNREACHABLE, "%s", n < 0 ? strerror(errno) : "no answer in 5 s");
}

static int connect_one(const struct addrinfo *at, int64_t by_ms, struct leat_error *err)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), why = 0;
    socklen_t len = sizeof why;

    if (fd < 0) {
        leat_fail(err, LEAT_E_UNREACHABLE, "%s", strerror(errno));
        return -1;
    }
    if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
        return fd;
    if (errno != EINPROGRESS)
        leat_fail(err, LEAT_E_UNREACHABLE, "%s", strerror(errno));
    else if (await(fd, POLLOUT, by_ms, err) == LEAT_OK) {
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &why, &len);
        if (why == 0)
            return fd;
        leat_fail(err, LEAT_E_UNREACHABLE, "%s", strerror(why));
    }
    close(fd);
    return -1;
}

static int connect_to(const struct target *t, int64_t by_ms, struct leat_error *err)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *all;
    int fd = -1, why = getaddrinfo(t->host, t->port, &hints, &all);

    if (why != 0) {
        leat_fail(err, LEAT_E_UNREACHABLE, "%s", gai_strerror(why));
        return -1;
    }
    for (const struct addrinfo *at = all; at && fd < 0; at = at->ai_next)
        fd = connect_one(at, by_ms, err);
    freeaddrinfo(all);
    return fd;
}

static enum leat_status send_all(int fd, struct leat_slice text, int64_t by_ms,
                                 struct leat_error *err)
{
    while (text.len) {
        if (await(fd, POLLOUT, by_ms, err) != LEAT_OK)
            return err->status;
        ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return leat_fail(err, LEAT_E_UNREACHABLE, "%s", strerror(errno));
        text = (struct leat_slice){text.ptr + (n > 0 ? n : 0), text.len - (size_t)(n > 0 ? n : 0)};
    }
    return LEAT_OK;
}

/* To the end of the connection, or as much as there is room for. */
static enum leat_status receive(int fd, char *into, size_t *len, int64_t by_ms,
                                struct leat_error *err)
{
    ssize_t n = 1;

    for (*len = 0; n != 0 && *len<ANSWER_BYTES; *len += n> 0 ? (size_t)n : 0) {
        if (await(fd, POLLIN, by_ms, err) != LEAT_OK)
            return err->status;
        n = recv(fd, into + *len, ANSWER_BYTES - *len, 0);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return leat_fail(err, LEAT_E_UNREACHABLE, "%s", strerror(errno));
    }
    return LEAT_OK;
}

static enum leat_status ask(const struct target *t, char *answer, size_t *len,
                            struct leat_error *err)
{
    int64_t by_ms = leat_clock_monotonic_ms(NULL) + TIME_MS;
    char request[1024];
    int fd = connect_to(t, by_ms, err);

    if (fd < 0)
        return err->status;
    int n = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", t->path, t->host);
    enum leat_status status = send_all(fd, (struct leat_slice){request, (size_t)n}, by_ms, err);
    if (status == LEAT_OK)
        status = receive(fd, answer, len, by_ms, err);
    close(fd);
    return status;
}

/* ---- the answer */

/* 0: it is none of HTTP. */
static int status_of(struct leat_slice answer)
{
    const char *p = answer.ptr;

    if (answer.len < 12 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ')
        return 0;
    for (int i = 9; i < 12; i++)
        if (p[i] < '0' || p[i] > '9')
            return 0;
    return (p[9] - '0') * 100 + (p[10] - '0') * 10 + p[11] - '0';
}

static void show_body(struct leat_slice answer, FILE *out)
{
    const char *body = memmem(answer.ptr, answer.len, "\r\n\r\n", 4);

    for (const char *c = body ? body + 4 : answer.ptr + answer.len; c < answer.ptr + answer.len;
         c++)
        fputc((*c < ' ' && *c != '\n') || *c == 0x7f ? '?' : *c, out);
}

static int check_health(const char *url)
{
    struct target target;
    struct leat_error err;
    char answer[ANSWER_BYTES];
    size_t len = 0;

    if (!read_url(url, &target)) {
        cli_say(stderr, "leat health: '%s' is no address such as %s\n", url, STANDARD_URL);
        return CLI_USAGE;
    }
    if (ask(&target, answer, &len, &err) != LEAT_OK) {
        cli_say(stderr, "leat health: %s: %s\n", url, err.text);
        return CLI_UNREACHABLE;
    }
    int status = status_of((struct leat_slice){answer, len});
    if (status == 0) {
        cli_say(stderr, "leat health: %s: what answers there does not speak HTTP\n", url);
        return CLI_UNREACHABLE;
    }
    show_body((struct leat_slice){answer, len}, status == 200 ? stdout : stderr);
    if (status == 200)
        return CLI_OK;
    cli_say(stderr, "leat health: %s answers %d\n", url, status);
    return CLI_FAILED;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    const char **url = state->input;

    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (state->arg_num > 0)
        argp_error(state, "one address, not '%s' as well", arg);
    *url = arg;
    return 0;
}

int cli_health(int argc, char **argv)
{
    const struct argp argp = {
        NULL,
        parse,
        "[URL]",
        "Ask a leat that runs with `http: { listen }` whether all its pipelines do. Without "
        "URL: " STANDARD_URL
        ". Exits with 0: they do; 1: they do not, or not yet; 69: nobody answers.",
        NULL,
        NULL,
        NULL};
    const char *url = STANDARD_URL;

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &url);
    return check_health(url);
}
