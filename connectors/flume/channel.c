#include "channel.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define OUT_FIRST   ((size_t)1024)
#define OUT_MAX     ((size_t)64 * 1024 * 1024 + 65536) /* a client's largest call */
#define LAYER_BYTES ((size_t)64 * 1024)                /* what zlib or TLS take about */
#define ZLIB_BEGINS 0x78
#define TLS_BEGINS  0x16

struct flume_zlib {
    z_stream in, out;
    bool ended;
    char bytes[4096]; /* compressed, not yet inflated */
};

static ssize_t read_at(struct flume_channel *ch, int at, char *into, size_t room);
static bool write_at(struct flume_channel *ch, int at, const char *bytes, size_t len);

static bool failed(struct flume_channel *ch, const char *why)
{
    if (!ch->why[0])
        snprintf(ch->why, sizeof ch->why, "%s", why);
    return false;
}

static bool lost(struct flume_channel *ch, int error)
{
    ch->lost = true;
    return failed(ch, strerror(error));
}

static bool no_memory(struct flume_channel *ch)
{
    ch->no_memory = true;
    return failed(ch, "out of memory");
}

/* ---- the descriptor */

static ssize_t receive(struct flume_channel *ch, char *into, size_t room)
{
    if (ch->turn == 0) {
        ch->more = true;
        return FLUME_AGAIN;
    }
    ssize_t n = recv(ch->fd, into, room < ch->turn ? room : ch->turn, 0);
    if (n > 0)
        ch->turn -= (size_t)n;
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EINTR)
        return FLUME_AGAIN;
    lost(ch, errno);
    return FLUME_FAILED;
}

static ssize_t read_raw(struct flume_channel *ch, char *into, size_t room)
{
    if (ch->in_at == ch->in_used) {
        if (room >= sizeof ch->in)
            return receive(ch, into, room);
        ssize_t n = receive(ch, ch->in, sizeof ch->in);
        if (n <= 0)
            return n;
        ch->in_at = 0;
        ch->in_used = (size_t)n;
    }
    size_t len = ch->in_used - ch->in_at < room ? ch->in_used - ch->in_at : room;
    memcpy(into, ch->in + ch->in_at, len);
    ch->in_at += len;
    return (ssize_t)len;
}

static bool write_raw(struct flume_channel *ch, const char *bytes, size_t len)
{
    size_t used = flume_channel_unsent(ch), size = ch->out_size ? ch->out_size : OUT_FIRST;

    if (len > OUT_MAX - used)
        return failed(ch, "too much waits to be sent");
    while (size < used + len)
        size *= 2;
    if (size > ch->out_size) {
        char *larger = leat_mem_alloc_raw(size);
        if (!larger)
            return no_memory(ch);
        if (used)
            memcpy(larger, ch->out + ch->out_at, used);
        leat_mem_free(ch->out);
        ch->out = larger;
        ch->out_size = size;
    } else if (ch->out_at) {
        memmove(ch->out, ch->out + ch->out_at, used);
    }
    memcpy(ch->out + used, bytes, len);
    ch->out_at = 0;
    ch->out_used = used + len;
    return true;
}

bool flume_channel_flush(struct flume_channel *ch)
{
    while (flume_channel_unsent(ch)) {
        ssize_t n = send(ch->fd, ch->out + ch->out_at, flume_channel_unsent(ch), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || lost(ch, errno);
        ch->out_at += (size_t)n;
    }
    if (ch->out_size > OUT_FIRST) {
        leat_mem_free(ch->out);
        ch->out = NULL;
        ch->out_size = 0;
    }
    ch->out_at = ch->out_used = 0;
    return true;
}

/* ---- zlib */

static void *zlib_alloc(void *opaque, unsigned count, unsigned size)
{
    (void)opaque;
    return leat_mem_alloc((size_t)count * size);
}

static void zlib_free(void *opaque, void *p)
{
    (void)opaque;
    leat_mem_free(p);
}

/* A server's answers are short: it needs no window for them. */
static bool push_zlib(struct flume_channel *ch, bool server)
{
    struct flume_zlib *z = ch->zlib = leat_mem_alloc(sizeof *z);

    if (!z)
        return no_memory(ch);
    z->in.zalloc = z->out.zalloc = zlib_alloc;
    z->in.zfree = z->out.zfree = zlib_free;
    return (inflateInit(&z->in) == Z_OK &&
            deflateInit2(&z->out, 6, Z_DEFLATED, server ? 9 : 15, server ? 1 : 8,
                         Z_DEFAULT_STRATEGY) == Z_OK) ||
           no_memory(ch);
}

static ssize_t read_zlib(struct flume_channel *ch, int at, char *into, size_t room)
{
    struct flume_zlib *z = ch->zlib;

    z->in.next_out = (unsigned char *)into;
    z->in.avail_out = (unsigned)(room < FLUME_TURN_BYTES ? room : FLUME_TURN_BYTES);
    unsigned asked = z->in.avail_out;
    while (!z->ended) {
        int result = inflate(&z->in, Z_NO_FLUSH);
        z->ended = result == Z_STREAM_END;
        if (result == Z_MEM_ERROR)
            return no_memory(ch) ? 0 : FLUME_FAILED;
        if (result != Z_OK && result != Z_BUF_ERROR && !z->ended)
            return failed(ch, "what it sends is no zlib stream") ? 0 : FLUME_FAILED;
        if (z->in.avail_out < asked)
            return (ssize_t)(asked - z->in.avail_out);
        if (z->ended || z->in.avail_in)
            continue;
        ssize_t n = read_at(ch, at - 1, z->bytes, sizeof z->bytes);
        if (n <= 0)
            return n;
        z->in.next_in = (unsigned char *)z->bytes;
        z->in.avail_in = (unsigned)n;
    }
    return 0;
}

static bool write_zlib(struct flume_channel *ch, int at, const char *bytes, size_t len)
{
    struct flume_zlib *z = ch->zlib;
    char piece[4096];

    z->out.next_in = (unsigned char *)(uintptr_t)bytes;
    z->out.avail_in = (unsigned)len;
    do {
        z->out.next_out = (unsigned char *)piece;
        z->out.avail_out = sizeof piece;
        if (deflate(&z->out, Z_SYNC_FLUSH) == Z_STREAM_ERROR)
            return failed(ch, "cannot compress");
        if (!write_at(ch, at - 1, piece, sizeof piece - z->out.avail_out))
            return false;
    } while (z->out.avail_out == 0);
    return true;
}

/* ---- TLS */

static int below_tls(const struct flume_channel *ch)
{
    int at = 0;

    while (ch->layers[at] != FLUME_TLS)
        at++;
    return at - 1;
}

static int bio_read(BIO *bio, char *into, int room)
{
    struct flume_channel *ch = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    ssize_t n = read_at(ch, below_tls(ch), into, (size_t)room);
    if (n == FLUME_AGAIN)
        BIO_set_retry_read(bio);
    return n < 0 ? -1 : (int)n;
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
    struct flume_channel *ch = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    return write_at(ch, below_tls(ch), bytes, (size_t)len) ? len : -1;
}

static long bio_ctrl(BIO *bio, int what, long number, void *arg)
{
    (void)bio, (void)number, (void)arg;
    return what == BIO_CTRL_FLUSH;
}

static bool tls_failed(struct flume_channel *ch)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    long verify = SSL_get_verify_result(ch->ssl);
    char why[sizeof ch->why];

    if (verify != X509_V_OK)
        reason = X509_verify_cert_error_string(verify);
    snprintf(why, sizeof why, "TLS: %s", reason ? reason : "the connection was cut");
    ERR_clear_error();
    return failed(ch, why);
}

static bool push_tls(struct flume_channel *ch, const char *host)
{
    BIO *bio = BIO_new(ch->security->bio);

    ch->ssl = SSL_new(ch->security->tls);
    if (!bio || !ch->ssl) {
        BIO_free(bio);
        return no_memory(ch);
    }
    BIO_set_data(bio, ch);
    BIO_set_init(bio, 1);
    SSL_set_bio(ch->ssl, bio, bio);
    if (!host) {
        SSL_set_accept_state(ch->ssl);
        return true;
    }
    SSL_set_connect_state(ch->ssl);
    X509_VERIFY_PARAM *verify = SSL_get0_param(ch->ssl);
    bool is_ip = X509_VERIFY_PARAM_set1_ip_asc(verify, host) == 1;
    ERR_clear_error();
    return is_ip ||
           (SSL_set1_host(ch->ssl, host) == 1 && SSL_set_tlsext_host_name(ch->ssl, host) == 1) ||
           no_memory(ch);
}

int flume_channel_handshake(struct flume_channel *ch)
{
    int n = ch->ssl ? SSL_do_handshake(ch->ssl) : 1;

    if (n == 1)
        return 1;
    if (SSL_get_error(ch->ssl, n) == SSL_ERROR_WANT_READ && !ch->why[0])
        return FLUME_AGAIN;
    tls_failed(ch);
    return FLUME_FAILED;
}

static ssize_t read_tls(struct flume_channel *ch, char *into, size_t room)
{
    int n = SSL_read(ch->ssl, into, (int)(room < FLUME_TURN_BYTES ? room : FLUME_TURN_BYTES));

    if (n > 0)
        return n;
    int error = SSL_get_error(ch->ssl, n);
    if (error == SSL_ERROR_ZERO_RETURN)
        return 0;
    if (error == SSL_ERROR_WANT_READ && !ch->why[0])
        return FLUME_AGAIN;
    tls_failed(ch);
    return FLUME_FAILED;
}

static bool write_tls(struct flume_channel *ch, const char *bytes, size_t len)
{
    while (len > 0) {
        int piece = (int)(len < 16384 ? len : 16384);
        int n = SSL_write(ch->ssl, bytes, piece);
        if (n <= 0)
            return tls_failed(ch);
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool load(SSL_CTX *ctx, const struct flume_tls *tls, bool server, struct leat_error *err)
{
    ERR_clear_error();
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    const char *file = NULL;
    if (tls->cert && SSL_CTX_use_certificate_chain_file(ctx, tls->cert) != 1)
        file = tls->cert;
    else if (tls->key && (SSL_CTX_use_PrivateKey_file(ctx, tls->key, SSL_FILETYPE_PEM) != 1 ||
                          SSL_CTX_check_private_key(ctx) != 1))
        file = tls->key;
    else if (tls->ca && SSL_CTX_load_verify_locations(ctx, tls->ca, NULL) != 1)
        file = tls->ca;
    if (!server && !tls->ca)
        SSL_CTX_set_default_verify_paths(ctx);
    if (!server || tls->ca)
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    if (!file)
        return true;
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    leat_fail(err, LEAT_E_CONFIG, "tls: cannot use '%s': %s", file, reason ? reason : "no PEM");
    ERR_clear_error();
    return false;
}

enum leat_status flume_security_init(struct flume_security *security, const struct flume_tls *tls,
                                     bool server, struct leat_error *err)
{
    security->tls = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    security->bio = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "leat");
    if (!security->tls || !security->bio || BIO_meth_set_read(security->bio, bio_read) != 1 ||
        BIO_meth_set_write(security->bio, bio_write) != 1 ||
        BIO_meth_set_ctrl(security->bio, bio_ctrl) != 1)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for TLS");
    return load(security->tls, tls, server, err) ? LEAT_OK : err->status;
}

void flume_security_fini(struct flume_security *security)
{
    SSL_CTX_free(security->tls);
    BIO_meth_free(security->bio);
    security->tls = NULL;
    security->bio = NULL;
}

/* ---- the stack */

static ssize_t read_at(struct flume_channel *ch, int at, char *into, size_t room)
{
    if (ch->held >= 0 && at == ch->held_at) {
        *into = (char)ch->held;
        ch->held = -1;
        return 1;
    }
    switch (ch->layers[at]) {
    case FLUME_ZLIB:
        return read_zlib(ch, at, into, room);
    case FLUME_TLS:
        return read_tls(ch, into, room);
    case FLUME_RAW:
        break;
    }
    return read_raw(ch, into, room);
}

static bool write_at(struct flume_channel *ch, int at, const char *bytes, size_t len)
{
    switch (ch->layers[at]) {
    case FLUME_ZLIB:
        return write_zlib(ch, at, bytes, len);
    case FLUME_TLS:
        return write_tls(ch, bytes, len);
    case FLUME_RAW:
        break;
    }
    return write_raw(ch, bytes, len);
}

void flume_channel_init(struct flume_channel *ch, int fd, const struct flume_security *security)
{
    memset(ch, 0, sizeof *ch);
    ch->fd = fd;
    ch->security = security;
    ch->held = -1;
}

void flume_channel_fini(struct flume_channel *ch)
{
    SSL_free(ch->ssl);
    if (ch->zlib) {
        inflateEnd(&ch->zlib->in);
        deflateEnd(&ch->zlib->out);
    }
    leat_mem_free(ch->zlib);
    leat_mem_free(ch->out);
    leat_budget_give(ch->security->budget, (size_t)ch->top * LAYER_BYTES);
    close(ch->fd);
}

bool flume_channel_push(struct flume_channel *ch, enum flume_layer layer, const char *host)
{
    if (!leat_budget_take(ch->security->budget, LAYER_BYTES))
        return failed(ch, "'memory' is used up");
    ch->layers[++ch->top] = layer;
    ch->settled = host != NULL;
    return layer == FLUME_ZLIB ? push_zlib(ch, host == NULL) : push_tls(ch, host);
}

/* Look at the first byte of the top and put on what it asks for. */
static ssize_t settle(struct flume_channel *ch)
{
    char first;

    while (!ch->settled) {
        ssize_t n = read_at(ch, ch->top, &first, 1);
        if (n <= 0)
            return n;
        unsigned char byte = (unsigned char)first;
        ch->held_at = ch->top; /* whatever comes above reads it again */
        bool ok = true;
        if (byte == ZLIB_BEGINS && !ch->zlib)
            ok = flume_channel_push(ch, FLUME_ZLIB, NULL);
        else if (byte == TLS_BEGINS && !ch->ssl && ch->security->tls)
            ok = flume_channel_push(ch, FLUME_TLS, NULL);
        else if (byte == TLS_BEGINS && !ch->security->tls)
            ok = failed(ch, "it speaks TLS, and the source has no 'tls'");
        else if (ch->security->tls && !ch->ssl)
            ok = failed(ch, "it does not speak TLS");
        else
            ch->settled = true;
        if (!ok)
            return FLUME_FAILED;
        ch->held = byte;
    }
    return 1;
}

void flume_channel_turn(struct flume_channel *ch)
{
    ch->turn = FLUME_TURN_BYTES;
    ch->more = false;
}

ssize_t flume_channel_read(struct flume_channel *ch, char *into, size_t room)
{
    ssize_t n = settle(ch);

    return n <= 0 ? n : read_at(ch, ch->top, into, room);
}

bool flume_channel_write(struct flume_channel *ch, const char *bytes, size_t len)
{
    return write_at(ch, ch->top, bytes, len);
}
