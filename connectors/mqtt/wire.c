#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define IN_BYTES ((size_t)64 * 1024)

/* ---- where */

static bool split(const char *rest, struct mqtt_address *a)
{
    bool brackets = rest[0] == '[';
    const char *end = brackets ? strchr(rest, ']') : rest + strcspn(rest, ":/?#@");
    const char *host = rest + brackets;

    if (!end || end == host || (size_t)(end - host) >= sizeof a->host)
        return false;
    snprintf(a->host, sizeof a->host, "%.*s", (int)(end - host), host);
    end += brackets;
    if (*end == '\0')
        return true;
    long number = *end == ':' ? strtol(end + 1, (char **)&end, 10) : 0;
    snprintf(a->port, sizeof a->port, "%ld", number);
    return number >= 1 && number <= 65535 && *end == '\0';
}

enum leat_status mqtt_parse_url(const char *url, struct mqtt_address *a, struct leat_error *err)
{
    *a = (struct mqtt_address){.secure = strncmp(url, "mqtts://", 8) == 0};
    snprintf(a->port, sizeof a->port, "%s", a->secure ? "8883" : "1883");
    if ((a->secure || strncmp(url, "mqtt://", 7) == 0) && split(url + 7 + a->secure, a))
        return LEAT_OK;
    return leat_fail(err, LEAT_E_CONFIG,
                     "url: '%.100s' is no address such as mqtt://host:1883 or mqtts://host:8883 "
                     "(user and password go into `auth`)",
                     url);
}

/* ---- TLS */

static const char *tls_text(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;

    return text ? text : "TLS failed";
}

static enum leat_status make_context(struct mqtt_wire *w, const struct mqtt_tls *tls,
                                     struct leat_error *err)
{
    ERR_clear_error();
    SSL_CTX *c = w->tls = SSL_CTX_new(TLS_client_method());
    if (!c)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for TLS");
    SSL_CTX_set_min_proto_version(c, TLS1_2_VERSION);
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    int ok = tls->ca ? SSL_CTX_load_verify_file(c, tls->ca) : SSL_CTX_set_default_verify_paths(c);
    if (ok != 1)
        return leat_fail(err, LEAT_E_CONFIG, "tls: ca: '%s': %s", tls->ca ? tls->ca : "system",
                         tls_text());
    if (tls->cert && SSL_CTX_use_certificate_chain_file(c, tls->cert) != 1)
        return leat_fail(err, LEAT_E_CONFIG, "tls: cert: '%s': %s", tls->cert, tls_text());
    if (tls->key && SSL_CTX_use_PrivateKey_file(c, tls->key, SSL_FILETYPE_PEM) != 1)
        return leat_fail(err, LEAT_E_CONFIG, "tls: key: '%s': %s", tls->key, tls_text());
    return LEAT_OK;
}

/* The certificate must be for this host, or for this address. */
static bool begin_tls(struct mqtt_wire *w)
{
    struct in6_addr ignored;
    const char *host = w->address.host;
    bool is_ip =
        inet_pton(AF_INET, host, &ignored) == 1 || inet_pton(AF_INET6, host, &ignored) == 1;

    w->ssl = SSL_new(w->tls);
    if (!w->ssl || SSL_set_fd(w->ssl, w->fd) != 1)
        return false;
    SSL_set_connect_state(w->ssl);
    if (is_ip)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(w->ssl), host) == 1;
    return SSL_set1_host(w->ssl, host) == 1 && SSL_set_tlsext_host_name(w->ssl, host) == 1;
}

static enum leat_status tls_failed(struct mqtt_wire *w, struct leat_error *err)
{
    long verify = SSL_get_verify_result(w->ssl);
    const char *why = verify == X509_V_OK ? tls_text() : X509_verify_cert_error_string(verify);

    return leat_fail(err, LEAT_E_UNREACHABLE, "%s", why);
}

/* What a call of SSL gave: bytes, 0 for "not now", -1 for "over", with the reason in err. */
static ssize_t tls_result(struct mqtt_wire *w, int n, struct leat_error *err)
{
    if (n > 0)
        return n;
    int saved = errno, what = SSL_get_error(w->ssl, n);
    if (what == SSL_ERROR_WANT_READ)
        return 0;
    if (what == SSL_ERROR_WANT_WRITE) {
        w->wants_write = true;
        return 0;
    }
    if (what == SSL_ERROR_SYSCALL && saved)
        leat_fail(err, LEAT_E_UNREACHABLE, "%s", strerror(saved));
    else if (what == SSL_ERROR_ZERO_RETURN || what == SSL_ERROR_SYSCALL)
        leat_fail(err, LEAT_E_UNREACHABLE, "it closed the connection");
    else
        (void)tls_failed(w, err);
    return -1;
}

/* ---- life */

enum leat_status mqtt_wire_init(struct mqtt_wire *w, const struct mqtt_address *a,
                                const struct mqtt_tls *tls, struct leat_error *err)
{
    *w = (struct mqtt_wire){.address = *a, .fd = -1};
    return a->secure ? make_context(w, tls, err) : LEAT_OK;
}

enum leat_status mqtt_wire_alloc(struct mqtt_wire *w, struct leat_budget *budget,
                                 struct leat_error *err)
{
    if (w->budget)
        return LEAT_OK;
    if (!leat_budget_take(budget, MQTT_OUT_BYTES))
        return leat_fail(err, LEAT_E_FULL, "no room in `memory` for a connection");
    w->budget = budget;
    w->out = leat_mem_alloc_raw(MQTT_OUT_BYTES);
    if (!w->out)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    return mqtt_wire_make_room(w, IN_BYTES, err);
}

static void forget_addresses(struct mqtt_wire *w)
{
    if (w->found)
        freeaddrinfo(w->found);
    w->found = w->next = NULL;
}

void mqtt_wire_close(struct mqtt_wire *w)
{
    if (w->state == WIRE_CLOSED)
        return;
    if (w->ssl && w->state == WIRE_OPEN)
        SSL_shutdown(w->ssl);
    SSL_free(w->ssl);
    close(w->fd);
    w->ssl = NULL;
    w->fd = -1;
    w->state = WIRE_CLOSED;
    w->in_len = w->out_len = 0;
    w->wants_write = false;
}

void mqtt_wire_fini(struct mqtt_wire *w)
{
    mqtt_wire_close(w);
    forget_addresses(w);
    SSL_CTX_free(w->tls);
    leat_mem_free(w->in);
    leat_mem_free(w->out);
    if (w->budget)
        leat_budget_give(w->budget, MQTT_OUT_BYTES + w->in_room);
    *w = (struct mqtt_wire){.fd = -1};
}

/* ---- connecting */

static enum leat_status look_up(struct mqtt_wire *w, struct leat_error *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};

    forget_addresses(w);
    int result = getaddrinfo(w->address.host, w->address.port, &hints, &w->found);
    if (result == EAI_MEMORY)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    if (result != 0) {
        w->found = NULL;
        return leat_fail(err, LEAT_E_UNREACHABLE, "%s", gai_strerror(result));
    }
    w->next = w->found;
    return LEAT_OK;
}

enum leat_status mqtt_wire_connect(struct mqtt_wire *w, struct leat_error *err)
{
    const int one = 1;

    if (!w->next && look_up(w, err) != LEAT_OK)
        return err->status;
    leat_fail(err, LEAT_E_UNREACHABLE, "it has no address");
    while (w->next) {
        const struct addrinfo *to = w->next;
        w->next = to->ai_next;
        int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (fd >= 0 && (connect(fd, to->ai_addr, to->ai_addrlen) == 0 || errno == EINPROGRESS)) {
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            w->fd = fd;
            w->state = WIRE_CONNECTING;
            return LEAT_OK;
        }
        leat_fail(err, LEAT_E_UNREACHABLE, "%s", strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    return err->status;
}

static enum leat_status connected(struct mqtt_wire *w, struct leat_error *err)
{
    struct pollfd p = {.fd = w->fd, .events = POLLOUT};
    int error = 0;
    socklen_t len = sizeof error;

    if (poll(&p, 1, 0) <= 0)
        return LEAT_OK;
    if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error)
        return leat_fail(err, LEAT_E_UNREACHABLE, "%s", strerror(error ? error : errno));
    if (w->tls && !begin_tls(w))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for TLS");
    w->state = w->tls ? WIRE_SHAKING : WIRE_OPEN;
    return LEAT_OK;
}

enum leat_status mqtt_wire_step(struct mqtt_wire *w, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    if (w->state == WIRE_CONNECTING)
        status = connected(w, err);
    if (status == LEAT_OK && w->state == WIRE_SHAKING) {
        ERR_clear_error();
        w->wants_write = false;
        ssize_t n = tls_result(w, SSL_do_handshake(w->ssl), err);
        if (n > 0)
            w->state = WIRE_OPEN;
        status = n < 0 ? err->status : LEAT_OK;
    }
    if (status != LEAT_OK)
        mqtt_wire_close(w);
    return status;
}

short mqtt_wire_events(const struct mqtt_wire *w, bool reads)
{
    bool writes = w->state == WIRE_CONNECTING || w->wants_write || w->out_len;

    return (short)((reads && w->state != WIRE_CONNECTING ? POLLIN : 0) | (writes ? POLLOUT : 0));
}

/* ---- bytes */

enum leat_status mqtt_wire_make_room(struct mqtt_wire *w, size_t bytes, struct leat_error *err)
{
    if (bytes <= w->in_room)
        return LEAT_OK;
    if (!leat_budget_take(w->budget, bytes))
        return leat_fail(err, LEAT_E_FULL, "no room in `memory` for a packet of %zu KiB",
                         bytes >> 10);
    char *in = leat_mem_alloc_raw(bytes);
    if (!in) {
        leat_budget_give(w->budget, bytes);
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    }
    if (w->in_len)
        memcpy(in, w->in, w->in_len);
    leat_mem_free(w->in);
    leat_budget_give(w->budget, w->in_room);
    w->in = in;
    w->in_room = bytes;
    return LEAT_OK;
}

static ssize_t read_some(struct mqtt_wire *w, char *to, size_t room, struct leat_error *err)
{
    if (w->ssl) {
        ERR_clear_error();
        errno = 0;
        return tls_result(w, SSL_read(w->ssl, to, (int)(room < INT32_MAX ? room : INT32_MAX)), err);
    }
    ssize_t n = recv(w->fd, to, room, 0);
    if (n > 0)
        return n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    leat_fail(err, LEAT_E_UNREACHABLE, "%s", n ? strerror(errno) : "it closed the connection");
    return -1;
}

enum leat_status mqtt_wire_read(struct mqtt_wire *w, struct leat_error *err)
{
    w->wants_write = false;
    while (w->in_len < w->in_room) {
        ssize_t n = read_some(w, w->in + w->in_len, w->in_room - w->in_len, err);
        if (n <= 0)
            return n < 0 ? err->status : LEAT_OK;
        w->in_len += (size_t)n;
    }
    return LEAT_OK;
}

bool mqtt_wire_has_more(const struct mqtt_wire *w)
{
    return w->ssl && w->state == WIRE_OPEN && SSL_pending(w->ssl) > 0;
}

char *mqtt_wire_reserve(struct mqtt_wire *w, size_t len)
{
    return MQTT_OUT_BYTES - w->out_len >= len ? w->out + w->out_len : NULL;
}

static ssize_t write_some(struct mqtt_wire *w, struct leat_error *err)
{
    if (w->ssl) {
        ERR_clear_error();
        errno = 0;
        return tls_result(w, SSL_write(w->ssl, w->out, (int)w->out_len), err);
    }
    ssize_t n = send(w->fd, w->out, w->out_len, MSG_NOSIGNAL);
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    leat_fail(err, LEAT_E_UNREACHABLE, "%s", strerror(errno));
    return -1;
}

enum leat_status mqtt_wire_flush(struct mqtt_wire *w, struct leat_error *err)
{
    while (w->out_len) {
        ssize_t n = write_some(w, err);
        if (n <= 0)
            return n < 0 ? err->status : LEAT_OK;
        w->out_len -= (size_t)n;
        memmove(w->out, w->out + n, w->out_len);
    }
    return LEAT_OK;
}
