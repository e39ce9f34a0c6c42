#include "link.h"

#include "conf.h"

#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define FRAME_MAX       131072 /* as the broker has it, who does not take longer ones */
#define FRAME_MIN       4096
#define STACK_PER_BYTE  48 /* of a frame: a level of tables is 5 bytes there and 116 here */
#define CHANNEL_MAX     RABBIT_CHANNEL
#define ASK_MS          500
#define CLOSE_MS        1000
#define PRECONDITION    406
#define ACCESS_REFUSED  403
#define PROTOCOL_HEADER 'A' /* how librabbitmq gives one */

/* ---- failures */

static int64_t now_ms(const struct rabbit_link *l)
{
    return leat_clock_monotonic_ms(l->env->clock);
}

static enum leat_status unreachable(const struct rabbit_link *l, struct leat_error *err,
                                    const char *why)
{
    return leat_fail(err, LEAT_E_UNREACHABLE, "RabbitMQ at '%s': %s", l->peer, why);
}

enum leat_status rabbit_link_broken(const struct rabbit_link *l, struct leat_error *err,
                                    const char *what)
{
    leat_bad_input(l->env);
    return unreachable(l, err, what);
}

enum leat_status rabbit_link_failed(const struct rabbit_link *l, int code, struct leat_error *err)
{
    switch (code) {
    case AMQP_STATUS_NO_MEMORY:
        return leat_fail(err, LEAT_E_NOMEM, "no memory for the connection to RabbitMQ");
    case AMQP_STATUS_BAD_AMQP_DATA:
        return rabbit_link_broken(
            l, err,
            "it sent what is not AMQP 0-9-1, or a frame longer than was agreed "
            "(does this port speak TLS?)");
    case AMQP_STATUS_UNKNOWN_CLASS:
    case AMQP_STATUS_UNKNOWN_METHOD:
        return rabbit_link_broken(l, err, amqp_error_string2(code));
    case AMQP_STATUS_HEARTBEAT_TIMEOUT:
        return unreachable(l, err, "nothing was heard of it for two heartbeats");
    case AMQP_STATUS_CONNECTION_CLOSED:
    case AMQP_STATUS_SOCKET_CLOSED:
    case AMQP_STATUS_SOCKET_ERROR:
        return unreachable(l, err,
                           l->frame_max || rabbit_has_tls(&l->conf->tls)
                               ? "it closed the connection"
                               : "it closed the connection before the login (does this port "
                                 "speak TLS?)");
    case AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED:
    case AMQP_STATUS_SSL_PEER_VERIFY_FAILED:
        return unreachable(l, err,
                           "its certificate is not trusted, or is for another host (tls.ca must "
                           "name the file of the authority that signed it)");
    case AMQP_STATUS_SSL_CONNECTION_FAILED:
    case AMQP_STATUS_SSL_ERROR:
        return unreachable(l, err,
                           "the TLS handshake failed (does this port speak TLS? does tls.ca name "
                           "the authority that signed its certificate? does it want ours?)");
    default:
        return unreachable(l, err, amqp_error_string2(code));
    }
}

static enum leat_status refused(struct rabbit_link *l, unsigned code, amqp_bytes_t text,
                                struct leat_error *err)
{
    char why[200];
    size_t n = text.len < sizeof why - 1 ? text.len : sizeof why - 1;

    for (size_t i = 0; i < n; i++) {
        char c = ((const char *)text.bytes)[i];
        why[i] = c >= ' ' && c < 0x7f ? c : '?';
    }
    why[n] = '\0';
    l->refused = code;
    return leat_fail(err, code == PRECONDITION && l->frame_max ? LEAT_E_CONFIG : LEAT_E_UNREACHABLE,
                     "RabbitMQ at '%s' says %u: %s%s", l->peer, code, why,
                     code == ACCESS_REFUSED ? " (user, password, vhost or the user's rights)" : "");
}

/* A method that may come at any time. LEAT_OK: it was none of these. */
static enum leat_status look_at(struct rabbit_link *l, const amqp_frame_t *f,
                                struct leat_error *err)
{
    if (f->frame_type == PROTOCOL_HEADER)
        return rabbit_link_broken(l, err, "it speaks another version of AMQP, not 0-9-1");
    if (f->frame_type != AMQP_FRAME_METHOD)
        return f->channel == RABBIT_CHANNEL
                   ? LEAT_OK
                   : rabbit_link_broken(l, err, "it sent content on no channel");
    if (f->payload.method.id == AMQP_CONNECTION_CLOSE_METHOD && f->channel == 0) {
        const amqp_connection_close_t *c = f->payload.method.decoded;
        amqp_connection_close_ok_t ok = {0};
        amqp_send_method(l->state, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &ok);
        return refused(l, c->reply_code, c->reply_text, err);
    }
    if (f->payload.method.id == AMQP_CHANNEL_CLOSE_METHOD && f->channel == RABBIT_CHANNEL) {
        const amqp_channel_close_t *c = f->payload.method.decoded;
        amqp_channel_close_ok_t ok = {0};
        amqp_send_method(l->state, RABBIT_CHANNEL, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok);
        return refused(l, c->reply_code, c->reply_text, err);
    }
    if (f->channel > RABBIT_CHANNEL)
        return rabbit_link_broken(l, err, "it uses a channel that was never opened");
    return LEAT_OK;
}

/* ---- frames */

/* Any frame, also of channel 0. */
static enum leat_status next_frame(struct rabbit_link *l, int64_t wait_ms, amqp_frame_t *frame,
                                   bool *got, struct leat_error *err)
{
    struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
    int code = amqp_simple_wait_frame_noblock(l->state, frame, &wait);

    *got = code == AMQP_STATUS_OK;
    l->unreadable = code == AMQP_STATUS_BAD_AMQP_DATA;
    if (code == AMQP_STATUS_TIMEOUT)
        return LEAT_OK;
    return *got ? look_at(l, frame, err) : rabbit_link_failed(l, code, err);
}

static void note_blocked(struct rabbit_link *l, bool blocked)
{
    if (blocked != l->blocked && l->writes)
        leat_warn(l->env->log,
                  blocked ? "RabbitMQ at '%s' takes no messages at the moment (its "
                            "memory or disk is full); waiting"
                          : "RabbitMQ at '%s' takes messages again",
                  l->peer);
    l->blocked = blocked;
}

enum leat_status rabbit_link_next(struct rabbit_link *l, int64_t wait_ms, amqp_frame_t *frame,
                                  bool *got, struct leat_error *err)
{
    if (next_frame(l, wait_ms, frame, got, err) != LEAT_OK) {
        err->status = err->status == LEAT_E_NOMEM ? LEAT_E_NOMEM : LEAT_E_UNREACHABLE;
        return err->status;
    }
    if (!*got || frame->channel == RABBIT_CHANNEL)
        return LEAT_OK;
    if (frame->frame_type == AMQP_FRAME_METHOD &&
        (frame->payload.method.id == AMQP_CONNECTION_BLOCKED_METHOD ||
         frame->payload.method.id == AMQP_CONNECTION_UNBLOCKED_METHOD))
        note_blocked(l, frame->payload.method.id == AMQP_CONNECTION_BLOCKED_METHOD);
    amqp_maybe_release_buffers_on_channel(l->state, 0);
    *got = false;
    return LEAT_OK;
}

void rabbit_link_release(struct rabbit_link *l)
{
    amqp_maybe_release_buffers_on_channel(l->state, RABBIT_CHANNEL);
}

enum leat_status rabbit_link_beat(struct rabbit_link *l, struct leat_error *err)
{
    const amqp_frame_t beat = {.frame_type = AMQP_FRAME_HEARTBEAT};

    if (now_ms(l) < l->next_beat_ms)
        return LEAT_OK;
    l->next_beat_ms = now_ms(l) + l->beat_ms / 2;
    int code = amqp_send_frame(l->state, &beat);
    return code == AMQP_STATUS_OK ? LEAT_OK : rabbit_link_failed(l, code, err);
}

/* Until the one method that can come now has come. */
static enum leat_status await(struct rabbit_link *l, amqp_channel_t channel,
                              amqp_method_number_t wanted, void **answer, struct leat_error *err)
{
    int64_t until_ms = now_ms(l) + l->conf->timeout.ms;
    amqp_frame_t frame;
    bool got = false;

    for (;;) {
        if (next_frame(l, 0, &frame, &got, err) != LEAT_OK)
            return err->status;
        if (got)
            break;
        int64_t left = until_ms - now_ms(l);
        if (left <= 0)
            return unreachable(l, err, "it does not answer");
        struct pollfd fds[] = {{.fd = l->fd, .events = POLLIN},
                               {.fd = l->wake_fd, .events = POLLIN}};
        poll(fds, 2, (int)(left < ASK_MS ? left : ASK_MS));
        if (l->keep_on && !l->keep_on(l->arg))
            return leat_fail(err, LEAT_E_ABORTED, "stopped");
    }
    if (frame.frame_type != AMQP_FRAME_METHOD || frame.channel != channel ||
        frame.payload.method.id != wanted)
        return rabbit_link_broken(l, err, "it answers what was not asked");
    if (answer)
        *answer = frame.payload.method.decoded;
    return LEAT_OK;
}

static enum leat_status call(struct rabbit_link *l, amqp_channel_t channel, amqp_method_number_t id,
                             void *method, amqp_method_number_t wanted, void **answer,
                             struct leat_error *err)
{
    int code = amqp_send_method(l->state, channel, id, method);

    if (code != AMQP_STATUS_OK)
        return rabbit_link_failed(l, code, err);
    return await(l, channel, wanted, answer, err);
}

enum leat_status rabbit_link_call(struct rabbit_link *l, amqp_method_number_t id, void *method,
                                  amqp_method_number_t wanted, void **answer,
                                  struct leat_error *err)
{
    return call(l, RABBIT_CHANNEL, id, method, wanted, answer, err);
}

/* ---- the login */

static enum leat_status start(struct rabbit_link *l, struct leat_error *err)
{
    char name[128], response[RABBIT_SASL_BYTES];
    const char *word = rabbit_password(l->conf);
    size_t user_len = strlen(l->conf->user), word_len = strlen(word);
    void *offered;

    int code = amqp_send_header(l->state);
    if (code != AMQP_STATUS_OK)
        return rabbit_link_failed(l, code, err);
    if (await(l, 0, AMQP_CONNECTION_START_METHOD, &offered, err) != LEAT_OK)
        return err->status;
    const amqp_connection_start_t *s = offered;
    if (!memmem(s->mechanisms.bytes ? s->mechanisms.bytes : "", s->mechanisms.len, "PLAIN", 5))
        return unreachable(l, err, "it does not take a login by password (PLAIN)");
    memset(response, 0, sizeof response);
    memcpy(response + 1, l->conf->user, user_len);
    memcpy(response + 2 + user_len, word, word_len);
    snprintf(name, sizeof name, "leat %s", l->job);
    amqp_table_entry_t can[] = {
        {amqp_cstring_bytes("consumer_cancel_notify"),
         {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}},
        {amqp_cstring_bytes("connection.blocked"),
         {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}},
        {amqp_cstring_bytes("authentication_failure_close"),
         {.kind = AMQP_FIELD_KIND_BOOLEAN, .value.boolean = 1}},
    };
    amqp_table_entry_t ours[] = {
        {amqp_cstring_bytes("product"),
         {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes("leat")}},
        {amqp_cstring_bytes("connection_name"),
         {.kind = AMQP_FIELD_KIND_UTF8, .value.bytes = amqp_cstring_bytes(name)}},
        {amqp_cstring_bytes("capabilities"),
         {.kind = AMQP_FIELD_KIND_TABLE, .value.table = {3, can}}},
    };
    amqp_connection_start_ok_t ok = {
        .client_properties = {3, ours},
        .mechanism = amqp_cstring_bytes("PLAIN"),
        .response = {.len = user_len + word_len + 2, .bytes = response},
        .locale = amqp_cstring_bytes("en_US"),
    };
    code = amqp_send_method(l->state, 0, AMQP_CONNECTION_START_OK_METHOD, &ok);
    memset(response, 0, sizeof response);
    return code == AMQP_STATUS_OK ? LEAT_OK : rabbit_link_failed(l, code, err);
}

/* How long a frame may be so that the deepest tables in it fit the stack of this thread. */
static uint32_t frame_max(void)
{
    pthread_attr_t attr;
    size_t stack = 0;

    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return FRAME_MIN;
    pthread_attr_getstacksize(&attr, &stack);
    pthread_attr_destroy(&attr);
    size_t most = stack / STACK_PER_BYTE;
    return most < FRAME_MIN ? FRAME_MIN : most > FRAME_MAX ? FRAME_MAX : (uint32_t)most;
}

static enum leat_status tune(struct rabbit_link *l, struct leat_error *err)
{
    void *offered;

    if (await(l, 0, AMQP_CONNECTION_TUNE_METHOD, &offered, err) != LEAT_OK)
        return err->status;
    const amqp_connection_tune_t *t = offered;
    uint32_t frames = frame_max();
    int64_t beat_s = (l->conf->heartbeat.ms + 999) / 1000;
    if (t->frame_max && t->frame_max < frames)
        frames = t->frame_max;
    if (frames < FRAME_MIN)
        return rabbit_link_broken(l, err,
                                  "it wants frames of less than 4096 bytes, which AMQP forbids");
    if (t->heartbeat && t->heartbeat < beat_s)
        beat_s = t->heartbeat;
    l->frame_max = frames;
    l->beat_ms = beat_s * 1000;
    l->next_beat_ms = now_ms(l) + l->beat_ms / 2;
    int code = amqp_tune_connection(l->state, CHANNEL_MAX, (int)frames, (int)beat_s);
    amqp_connection_tune_ok_t ok = {
        .channel_max = CHANNEL_MAX, .frame_max = frames, .heartbeat = (uint16_t)beat_s};
    if (code == AMQP_STATUS_OK)
        code = amqp_send_method(l->state, 0, AMQP_CONNECTION_TUNE_OK_METHOD, &ok);
    return code == AMQP_STATUS_OK ? LEAT_OK : rabbit_link_failed(l, code, err);
}

static enum leat_status log_in(struct rabbit_link *l, struct leat_error *err)
{
    amqp_connection_open_t open = {.virtual_host = amqp_cstring_bytes(l->conf->vhost)};
    amqp_channel_open_t channel = {0};

    if (start(l, err) != LEAT_OK || tune(l, err) != LEAT_OK ||
        call(l, 0, AMQP_CONNECTION_OPEN_METHOD, &open, AMQP_CONNECTION_OPEN_OK_METHOD, NULL, err) !=
            LEAT_OK)
        return err->status;
    amqp_maybe_release_buffers_on_channel(l->state, 0);
    return call(l, RABBIT_CHANNEL, AMQP_CHANNEL_OPEN_METHOD, &channel, AMQP_CHANNEL_OPEN_OK_METHOD,
                NULL, err);
}

/* ---- the socket */

/* The host is checked by OpenSSL itself: librabbitmq 0.11 gets addresses wrong. */
static bool check_host(amqp_socket_t *socket, const char *host)
{
    SSL_CTX *ctx = amqp_ssl_socket_get_context(socket);
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
    unsigned char address[16];
    bool is_address =
        inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;

    amqp_ssl_socket_set_verify_hostname(socket, 0);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return is_address ? X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1
                      : X509_VERIFY_PARAM_set1_host(param, host, 0) == 1;
}

static enum leat_status set_tls(struct rabbit_link *l, amqp_socket_t *socket, const char *host,
                                struct leat_error *err)
{
    const struct rabbit_tls *tls = &l->conf->tls;
    SSL_CTX *ctx = amqp_ssl_socket_get_context(socket);

    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    if (tls->ca && amqp_ssl_socket_set_cacert(socket, tls->ca) != AMQP_STATUS_OK)
        return leat_fail(err, LEAT_E_CONFIG, "tls.ca: '%s' cannot be read as certificates",
                         tls->ca);
    if (!tls->ca)
        SSL_CTX_set_default_verify_paths(ctx);
    if (tls->key_password)
        amqp_ssl_socket_set_key_passwd(socket, tls->key_password);
    if (tls->key && amqp_ssl_socket_set_key(socket, tls->certificate, tls->key) != AMQP_STATUS_OK)
        return leat_fail(err, LEAT_E_CONFIG,
                         "tls: certificate '%s' and key '%s' cannot be read, or do not belong "
                         "together",
                         tls->certificate, tls->key);
    amqp_ssl_socket_set_verify_peer(socket, tls->verify);
    if (!tls->verify)
        amqp_ssl_socket_set_verify_hostname(socket, 0);
    else if (!check_host(socket, host))
        return leat_fail(err, LEAT_E_NOMEM, "no memory for TLS");
    return LEAT_OK;
}

/* A broker that takes nothing for so long has gone, whatever its kernel says. */
static void limit_writing(const struct rabbit_link *l)
{
    unsigned ms = (unsigned)(2 * l->conf->heartbeat.ms + l->conf->timeout.ms);

    setsockopt(l->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
}

static enum leat_status connect_to(struct rabbit_link *l, const struct rabbit_broker *b,
                                   struct leat_error *err)
{
    struct timeval wait = {.tv_sec = l->conf->timeout.ms / 1000,
                           .tv_usec = l->conf->timeout.ms % 1000 * 1000};
    bool tls = rabbit_has_tls(&l->conf->tls);

    l->state = amqp_new_connection();
    amqp_socket_t *socket = !l->state ? NULL
                            : tls     ? amqp_ssl_socket_new(l->state)
                                      : amqp_tcp_socket_new(l->state);
    if (!socket)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for the connection to RabbitMQ");
    if (tls && set_tls(l, socket, b->host, err) != LEAT_OK)
        return err->status;
    int code = amqp_socket_open_noblock(socket, b->host, b->port, &wait);
    if (code != AMQP_STATUS_OK)
        return code == AMQP_STATUS_SOCKET_ERROR ? unreachable(l, err, "nobody listens there")
                                                : rabbit_link_failed(l, code, err);
    l->fd = amqp_get_sockfd(l->state);
    limit_writing(l);
    return LEAT_OK;
}

enum leat_status rabbit_link_open(struct rabbit_link *l, struct leat_error *err)
{
    struct rabbit_broker b;
    struct leat_slice text;
    uint32_t count;

    if (!rabbit_find_broker(l->conf, l->turn++, &b, &text, &count))
        return leat_fail(err, LEAT_E_CONFIG, "brokers: '%.*s' is not host:port", LEAT_FMT(text));
    snprintf(l->peer, sizeof l->peer, "%s:%d", b.host, b.port);
    l->blocked = false;
    l->refused = l->frame_max = 0;
    if (connect_to(l, &b, err) == LEAT_OK && log_in(l, err) == LEAT_OK)
        return LEAT_OK;
    rabbit_link_close(l, false);
    return err->status;
}

void rabbit_link_close(struct rabbit_link *l, bool in_order)
{
    amqp_connection_close_t bye = {.reply_code = AMQP_REPLY_SUCCESS};
    struct leat_error err;
    amqp_frame_t frame;

    if (!l->state)
        return;
    in_order = in_order &&
               amqp_send_method(l->state, 0, AMQP_CONNECTION_CLOSE_METHOD, &bye) == AMQP_STATUS_OK;
    for (int64_t until_ms = now_ms(l) + CLOSE_MS; in_order && now_ms(l) < until_ms;) {
        bool got;
        if (next_frame(l, 100, &frame, &got, &err) != LEAT_OK ||
            (got && frame.channel == 0 && frame.frame_type == AMQP_FRAME_METHOD &&
             frame.payload.method.id == AMQP_CONNECTION_CLOSE_OK_METHOD))
            break;
        amqp_maybe_release_buffers(l->state);
    }
    amqp_destroy_connection(l->state);
    l->state = NULL;
    l->fd = -1;
}

bool rabbit_link_pass_over(struct rabbit_link *l, struct leat_error *err)
{
    char bytes[65536];

    ssize_t n = recv(l->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
        return true;
    unreachable(l, err, "it closed the connection");
    return false;
}

void rabbit_link_leave(struct rabbit_link *l)
{
    amqp_connection_close_t bye = {.reply_code = AMQP_REPLY_SUCCESS};
    struct pollfd p = {.fd = l->fd, .events = POLLIN};
    struct leat_error err;

    if (amqp_send_method(l->state, 0, AMQP_CONNECTION_CLOSE_METHOD, &bye) == AMQP_STATUS_OK &&
        shutdown(l->fd, SHUT_WR) == 0)
        for (int64_t until_ms = now_ms(l) + CLOSE_MS;
             now_ms(l) < until_ms && rabbit_link_pass_over(l, &err);)
            poll(&p, 1, 100);
    rabbit_link_close(l, false);
}
