/*
 * wire.h - the connection to a broker: TCP, TLS when asked for, bytes in and bytes out.
 *
 * Nothing waits except looking up a host name. What is to be sent goes into a buffer of fixed size,
 * whose owner asks for room first; what comes in goes into one that grows to what the longest
 * packet needs, charged to the budget.
 *
 * Thread: run's.
 */
#ifndef LEAT_CONNECTORS_MQTT_WIRE_H
#define LEAT_CONNECTORS_MQTT_WIRE_H

#include "leat.h"

#include <netdb.h>
#include <openssl/ssl.h>

#define MQTT_OUT_BYTES ((size_t)128 * 1024)

struct mqtt_tls {
    const char *ca, *cert, *key;
};

struct mqtt_address {
    char host[256], port[8];
    bool secure;
};

enum mqtt_wire_state { WIRE_CLOSED, WIRE_CONNECTING, WIRE_SHAKING, WIRE_OPEN };

struct mqtt_wire {
    struct leat_budget *budget;
    struct mqtt_address address;
    SSL_CTX *tls; /* NULL: not secure */
    struct addrinfo *found, *next;
    enum mqtt_wire_state state;
    int fd;
    SSL *ssl;
    bool wants_write; /* nothing can go on until the other side takes something */
    char *in, *out;
    size_t in_len, in_room, out_len;
};

/* "mqtt://host", "mqtts://host:8883", "mqtt://[::1]:1883". LEAT_E_CONFIG. */
LEAT_CHECKED enum leat_status mqtt_parse_url(const char *url, struct mqtt_address *a,
                                             struct leat_error *err);

/* Reads the files of `tls`: LEAT_E_CONFIG when they cannot be used. LEAT_E_NOMEM. */
LEAT_CHECKED enum leat_status mqtt_wire_init(struct mqtt_wire *w, const struct mqtt_address *a,
                                             const struct mqtt_tls *tls, struct leat_error *err);
void mqtt_wire_fini(struct mqtt_wire *w); /* takes a zeroed one */

/* Take the buffers, before the first connection. LEAT_E_NOMEM, LEAT_E_FULL. */
LEAT_CHECKED enum leat_status mqtt_wire_alloc(struct mqtt_wire *w, struct leat_budget *budget,
                                              struct leat_error *err);

/* Begin to connect to the next of the host's addresses, which are looked up at the start of each
 * round. LEAT_E_UNREACHABLE: that was the last, or there is none. */
LEAT_CHECKED enum leat_status mqtt_wire_connect(struct mqtt_wire *w, struct leat_error *err);

/* Go on connecting; w->state is WIRE_OPEN when that is done. LEAT_E_UNREACHABLE: it failed, and is
 * closed. */
LEAT_CHECKED enum leat_status mqtt_wire_step(struct mqtt_wire *w, struct leat_error *err);

short mqtt_wire_events(const struct mqtt_wire *w, bool reads);

/* Read what is there, as far as there is room. LEAT_E_UNREACHABLE: the other side is gone; what
 * came before that is in `in`. */
LEAT_CHECKED enum leat_status mqtt_wire_read(struct mqtt_wire *w, struct leat_error *err);

/* Has the TLS layer bytes that poll() does not know of? */
bool mqtt_wire_has_more(const struct mqtt_wire *w);

/* So that `bytes` fit in. LEAT_E_FULL, LEAT_E_NOMEM. */
LEAT_CHECKED enum leat_status mqtt_wire_make_room(struct mqtt_wire *w, size_t bytes,
                                                  struct leat_error *err);

/* Where the next `len` bytes to send go; w->out_len is then raised by the writer. */
char *mqtt_wire_reserve(struct mqtt_wire *w, size_t len); /* NULL: no room now */
LEAT_CHECKED enum leat_status mqtt_wire_flush(struct mqtt_wire *w, struct leat_error *err);

void mqtt_wire_close(struct mqtt_wire *w);

#endif
