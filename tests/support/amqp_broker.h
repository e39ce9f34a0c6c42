/*
 * amqp_broker.h - a broker of the test's own: logs clients in, then says what the test wants.
 *
 * It speaks AMQP 0-9-1 over TCP on 127.0.0.1 and shares no code with what is tested. The first
 * connection gets `first`, every later one is served well.
 */
#ifndef LEAT_AMQP_BROKER_H
#define LEAT_AMQP_BROKER_H

#include "id_set.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct amqp_bytes {
    uint8_t *at;
    size_t len, room;
};

void amqp_put(struct amqp_bytes *b, const void *bytes, size_t len);
void amqp_put_number(struct amqp_bytes *b, uint64_t n, int bytes); /* big endian */
void amqp_put_short(struct amqp_bytes *b, const char *text);       /* with a length of one byte */

/* A frame: between begin and end its payload is put. */
size_t amqp_begin(struct amqp_bytes *b, int type, int channel);
void amqp_end(struct amqp_bytes *b, size_t begun);

/* The frames of a message: basic.deliver, a header with these properties, the body if any. */
void amqp_deliver(struct amqp_bytes *b, uint64_t tag, const char *key);
void amqp_header(struct amqp_bytes *b, uint64_t body_size, unsigned flags, const void *properties,
                 size_t len);
void amqp_body(struct amqp_bytes *b, const char *text, size_t len);

enum amqp_stage { AMQP_AT_START, AMQP_AT_TUNE, AMQP_AT_CONSUME };

struct amqp_broker {
    enum amqp_stage stage;   /* where `first` is said, in place of what is due there */
    struct amqp_bytes first; /* len 0: the first connection is served well, too */
    struct id_set *ids;      /* NULL, or where the ids of what is published go */

    int listener, port;
    pthread_t thread;
    atomic_bool stopping;
    atomic_int connections;
    atomic_ullong acked; /* the greatest tag acknowledged */
};

/* Served well: after basic.consume messages "m" without end, whatever is acknowledged. */
void amqp_broker_start(struct amqp_broker *b);
void amqp_broker_stop(struct amqp_broker *b);

#endif
