/*
 * channel.h - the bytes of one connection, through TLS and zlib where the peer uses them.
 *
 * Flume compresses a whole connection: one zlib stream in each direction, flushed behind each call.
 * Its releases from 1.10 on put TLS inside of that, older ones outside; so what is there is a stack
 * of layers over the descriptor, each reading from the one below. A server finds them out from the
 * first byte of each: 0x16 begins TLS, 0x78 zlib, anything else Avro itself. A client is told.
 *
 * Nothing blocks. What inflates without end costs its own connection's turn and no memory: a layer
 * makes no more than was asked for, and a turn reads no more than FLUME_TURN_BYTES.
 *
 * Thread: the one that has the connection.
 */
#ifndef LEAT_CONNECTORS_FLUME_CHANNEL_H
#define LEAT_CONNECTORS_FLUME_CHANNEL_H

#include "leat.h"

#include <openssl/ssl.h>
#include <sys/types.h>

#define FLUME_TURN_BYTES ((size_t)256 * 1024)

enum { FLUME_AGAIN = -1, FLUME_FAILED = -2 };
enum flume_layer { FLUME_RAW, FLUME_ZLIB, FLUME_TLS };

struct flume_zlib;

/* What channels share; zero and `budget` will do for plain ones. */
struct flume_security {
    SSL_CTX *tls; /* NULL: none */
    BIO_METHOD *bio;
    struct leat_budget *budget;
};

struct flume_tls {
    const char *ca, *cert, *key;
};

struct flume_channel {
    int fd;
    const struct flume_security *security;
    enum flume_layer layers[3];
    int top;       /* the last of them */
    bool settled;  /* no further layer is looked for */
    int held;      /* a layer's first byte, which told what is above it; -1: none */
    int held_at;   /* the layer */
    size_t turn;   /* bytes that may still be read from the descriptor */
    bool more;     /* a read ended for that reason */
    char in[4096]; /* read from the descriptor and not yet asked for */
    size_t in_at, in_used;
    char *out; /* to be sent */
    size_t out_at, out_used, out_size;
    struct flume_zlib *zlib;
    SSL *ssl;
    bool no_memory; /* why it failed, where that is why */
    bool lost;      /* the connection broke, by nothing that the peer has said */
    char why[160];  /* why it failed */
};

/* LEAT_E_CONFIG: a file that cannot be used. `server`: with cert and key, and a ca asks for
 * clients' certificates; else a client, that trusts ca or the system's. `security` is zero but for
 * budget; call fini in any case. */
LEAT_CHECKED enum leat_status flume_security_init(struct flume_security *security,
                                                  const struct flume_tls *tls, bool server,
                                                  struct leat_error *err);
void flume_security_fini(struct flume_security *security);

/* Takes the descriptor, which does not block. */
void flume_channel_init(struct flume_channel *ch, int fd, const struct flume_security *security);
void flume_channel_fini(struct flume_channel *ch);

/* A client's layers, from the bottom; `host` is whom the certificate has to name. False: `why`. */
bool flume_channel_push(struct flume_channel *ch, enum flume_layer layer, const char *host);

/* A client's TLS has to be made before the first write; flush, wait and call again on FLUME_AGAIN.
 * 1: done. FLUME_FAILED: ch->why. */
int flume_channel_handshake(struct flume_channel *ch);

/* A new turn: as much may be read again. */
void flume_channel_turn(struct flume_channel *ch);

/* Up to `room` bytes of calls. 0: the peer has ended; FLUME_AGAIN; FLUME_FAILED: ch->why. */
ssize_t flume_channel_read(struct flume_channel *ch, char *into, size_t room);

/* To be sent by flush. False: it failed. */
bool flume_channel_write(struct flume_channel *ch, const char *bytes, size_t len);

/* Send what there is, as far as that does not block. False: the peer is gone. */
bool flume_channel_flush(struct flume_channel *ch);

static inline size_t flume_channel_unsent(const struct flume_channel *ch)
{
    return ch->out_used - ch->out_at;
}

#endif
