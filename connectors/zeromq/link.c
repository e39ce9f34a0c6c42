#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

#define KEY_TEXT      40 /* Z85 */
#define RECONNECT_MS  100
#define RECONNECT_MAX 10000
#define HEARTBEAT_MS  10000

/* clang-format off */
const struct leat_opt zeromq_curve_options[] = {
    LEAT_OPT(struct zeromq_curve, public_key, .optional = true,
             .help = "leat's own public key, 40 characters as zmq_curve_keypair() makes them; for `connect`."),
    LEAT_OPT(struct zeromq_curve, secret_key, .secret = true,
             .help = "leat's own secret key: \"${file:/run/secrets/zmq}\"."),
    LEAT_OPT(struct zeromq_curve, server_key, .optional = true,
             .help = "Public key of the other side; for `connect`."),
    LEAT_OPT(struct zeromq_curve, clients, .optional = true,
             .help = "For `bind`: public keys of those who may connect; without it everybody who knows "
                     "leat's public key."),
    {0},
};
/* clang-format on */

static bool is_key(const char *text)
{
    uint8_t key[32];

    return !text || (strlen(text) == KEY_TEXT && zmq_z85_decode(key, text) != NULL);
}

static enum leat_status check_curve(const struct zeromq_ends *ends, struct leat_error *err)
{
    const struct zeromq_curve *c = &ends->curve;
    const char *wrong = !is_key(c->public_key)   ? "public_key"
                        : !is_key(c->secret_key) ? "secret_key"
                        : !is_key(c->server_key) ? "server_key"
                                                 : NULL;

    for (size_t i = 0; i < c->clients.count; i++)
        wrong = wrong || is_key(c->clients.list[i]) ? wrong : "clients";
    if (wrong)
        return leat_fail(err, LEAT_E_CONFIG,
                         "curve.%s: a key has the 40 characters that zmq_curve_keypair() makes",
                         wrong);
    if (!c->secret_key)
        return LEAT_OK;
    if (ends->connect && (!c->public_key || !c->server_key || c->clients.count))
        return leat_fail(
            err, LEAT_E_CONFIG,
            "curve: `connect` needs public_key, secret_key and server_key, and no clients");
    if (ends->bind && (c->server_key || c->public_key))
        return leat_fail(err, LEAT_E_CONFIG, "curve: `bind` takes secret_key and clients only");
    return LEAT_OK;
}

/* libzmq says only at the start what is none, and without words. */
static bool is_address(const char *text)
{
    if (strncmp(text, "ipc://", 6) == 0)
        return text[6] != '\0';
    if (strncmp(text, "tcp://", 6) != 0)
        return false;
    const char *port = strrchr(text, ':') + 1;
    size_t digits = strspn(port, "0123456789");
    return port > text + 7 && port[digits] == '\0' && digits >= 1 && digits <= 5 &&
           atoi(port) >= 1 && atoi(port) <= 65535;
}

enum leat_status zeromq_check(const struct zeromq_ends *ends, struct leat_error *err)
{
    const char *end = ends->bind ? ends->bind : ends->connect;

    if (!ends->bind == !ends->connect)
        return leat_fail(err, LEAT_E_CONFIG, "give either `bind` or `connect`");
    if (!is_address(end))
        return leat_fail(err, LEAT_E_CONFIG,
                         "%s: '%.100s' is no address, such as tcp://127.0.0.1:5555 or "
                         "ipc:///run/x.sock",
                         ends->bind ? "bind" : "connect", end);
    return check_curve(ends, err);
}

bool zeromq_set_int(struct zeromq_link *link, int option, int value)
{
    return zmq_setsockopt(link->socket, option, &value, sizeof value) == 0;
}

static bool set_text(struct zeromq_link *link, int option, const char *text)
{
    return !text || zmq_setsockopt(link->socket, option, text, KEY_TEXT + 1) == 0;
}

/* ---- who may connect: RFC 27, on a thread of its own */

static bool is_client(const struct zeromq_link *link, const uint8_t *key, int len)
{
    bool found = false;

    for (size_t i = 0; i < link->clients_count && len == 32; i++)
        found = found || memcmp(link->clients[i], key, 32) == 0;
    return found;
}

static bool has_more(void *socket)
{
    int more = 0;
    size_t len = sizeof more;

    return zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &len) == 0 && more;
}

static void *answer_zap(void *arg)
{
    struct zeromq_link *link = arg;
    uint8_t frame[256], id[256];
    int len, id_len = 0;

    while ((len = zmq_recv(link->zap, frame, sizeof frame, 0)) >= 0 || errno == EINTR) {
        bool good = false;
        for (int at = 0; len >= 0;) { /* version, id, domain, address, identity, mechanism, key */
            len = len > (int)sizeof frame ? (int)sizeof frame : len;
            if (at == 1) {
                memcpy(id, frame, (size_t)len);
                id_len = len;
            }
            good = at == 6 && is_client(link, frame, len);
            if (!has_more(link->zap))
                break;
            len = zmq_recv(link->zap, frame, sizeof frame, 0);
            at++;
        }
        if (len < 0)
            continue;
        zmq_send(link->zap, "1.0", 3, ZMQ_SNDMORE);
        zmq_send(link->zap, id, (size_t)id_len, ZMQ_SNDMORE);
        zmq_send(link->zap, good ? "200" : "400", 3, ZMQ_SNDMORE);
        zmq_send(link->zap, "", 0, ZMQ_SNDMORE);
        zmq_send(link->zap, "", 0, ZMQ_SNDMORE);
        zmq_send(link->zap, "", 0, 0);
    }
    zmq_close(link->zap); /* the context ends */
    return NULL;
}

static enum leat_status start_zap(struct zeromq_link *link, const struct zeromq_curve *curve,
                                  struct leat_error *err)
{
    link->clients = leat_mem_alloc(curve->clients.count * sizeof *link->clients);
    if (!link->clients)
        return leat_fail(err, LEAT_E_NOMEM, "out of memory");
    for (size_t i = 0; i < curve->clients.count; i++)
        zmq_z85_decode(link->clients[i], curve->clients.list[i]);
    link->clients_count = curve->clients.count;
    void *zap = zmq_socket(link->context, ZMQ_REP);
    if (!zap || zmq_bind(zap, "inproc://zeromq.zap.01") != 0 ||
        zmq_setsockopt(link->socket, ZMQ_ZAP_DOMAIN, "leat", 4) != 0) {
        leat_fail(err, LEAT_E_IO, "zap: %s", zmq_strerror(errno));
        if (zap)
            zmq_close(zap);
        return err->status;
    }
    link->zap = zap;
    if (pthread_create(&link->zap_thread, NULL, answer_zap, link) == 0)
        return LEAT_OK;
    zmq_close(zap);
    link->zap = NULL;
    return leat_fail(err, LEAT_E_NOMEM, "no thread for those who connect");
}

static bool set_curve(struct zeromq_link *link, const struct zeromq_ends *ends)
{
    const struct zeromq_curve *c = &ends->curve;

    return (!ends->bind || zeromq_set_int(link, ZMQ_CURVE_SERVER, 1)) &&
           set_text(link, ZMQ_CURVE_SECRETKEY, c->secret_key) &&
           set_text(link, ZMQ_CURVE_PUBLICKEY, c->public_key) &&
           set_text(link, ZMQ_CURVE_SERVERKEY, c->server_key);
}

enum leat_status zeromq_open(struct zeromq_link *link, const struct zeromq_ends *ends, int type,
                             struct leat_error *err)
{
    *link = (struct zeromq_link){.context = zmq_ctx_new()};
    if (!link->context || !(link->socket = zmq_socket(link->context, type)))
        return leat_fail(err, LEAT_E_NOMEM, "no ZeroMQ socket: %s", zmq_strerror(errno));
    if (!zeromq_set_int(link, ZMQ_SNDHWM, (int)ends->hwm) ||
        !zeromq_set_int(link, ZMQ_RCVHWM, (int)ends->hwm) || !zeromq_set_int(link, ZMQ_IPV6, 1) ||
        !zeromq_set_int(link, ZMQ_RECONNECT_IVL, RECONNECT_MS) ||
        !zeromq_set_int(link, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX) ||
        !zeromq_set_int(link, ZMQ_HEARTBEAT_IVL, HEARTBEAT_MS))
        return leat_fail(err, LEAT_E_IO, "ZeroMQ: %s", zmq_strerror(errno));
    if (ends->curve.secret_key && !set_curve(link, ends))
        return leat_fail(err, LEAT_E_CONFIG, "curve: %s", zmq_strerror(errno));
    if (ends->bind && ends->curve.clients.count)
        return start_zap(link, &ends->curve, err);
    return LEAT_OK;
}

enum leat_status zeromq_start(struct zeromq_link *link, const struct zeromq_ends *ends,
                              struct leat_error *err)
{
    if (ends->bind && zmq_bind(link->socket, ends->bind) != 0)
        return leat_fail(err, LEAT_E_IO, "cannot bind '%s': %s", ends->bind, zmq_strerror(errno));
    if (ends->connect && zmq_connect(link->socket, ends->connect) != 0)
        return leat_fail(err, LEAT_E_CONFIG, "cannot connect to '%s': %s", ends->connect,
                         zmq_strerror(errno));
    return LEAT_OK;
}

void zeromq_close(struct zeromq_link *link, int linger_ms)
{
    if (link->socket) {
        zeromq_set_int(link, ZMQ_LINGER, linger_ms);
        zmq_close(link->socket);
    }
    if (link->zap) {
        zmq_ctx_shutdown(link->context);
        pthread_join(link->zap_thread, NULL);
    }
    if (link->context)
        zmq_ctx_term(link->context);
    leat_mem_free(link->clients);
    *link = (struct zeromq_link){0};
}
