/*
 * link.h - a ZeroMQ socket with its options, for the source and the sink.
 *
 * Bound or connected, limits on what may wait, and CURVE: who binds has a pair of keys and, if it
 * names any, takes only clients whose public keys it names; who connects has a pair and the other
 * side's public key. libzmq connects again by itself, with growing pauses.
 *
 * Thread: one at a time; link_open and link_close may be on another than the one in between.
 */
#ifndef LEAT_CONNECTORS_ZEROMQ_LINK_H
#define LEAT_CONNECTORS_ZEROMQ_LINK_H

#include "leat.h"

#include <pthread.h>

struct zeromq_curve {
    const char *public_key, *secret_key, *server_key;
    struct leat_texts clients;
};

/* What source and sink have in common; a source's or sink's struct begins with it. */
struct zeromq_ends {
    const char *bind;
    const char *connect;
    int64_t hwm;
    struct zeromq_curve curve;
};

struct zeromq_link {
    void *context, *socket;
    void *zap; /* answers who may connect; NULL: nobody asks */
    pthread_t zap_thread;
    uint8_t (*clients)[32];
    size_t clients_count;
};

extern const struct leat_opt zeromq_curve_options[];

/* LEAT_E_CONFIG. */
LEAT_CHECKED enum leat_status zeromq_check(const struct zeromq_ends *ends, struct leat_error *err);

/* A socket of this type (ZMQ_PULL ...), not yet bound or connected: set what is special about it,
 * then start. LEAT_E_NOMEM, LEAT_E_CONFIG. `link` is zero; call close in any case. */
LEAT_CHECKED enum leat_status zeromq_open(struct zeromq_link *link, const struct zeromq_ends *ends,
                                          int type, struct leat_error *err);
LEAT_CHECKED enum leat_status zeromq_start(struct zeromq_link *link, const struct zeromq_ends *ends,
                                           struct leat_error *err);
/* What is still to be sent is waited for, linger_ms at most. */
void zeromq_close(struct zeromq_link *link, int linger_ms);

bool zeromq_set_int(struct zeromq_link *link, int option, int value);

#endif
