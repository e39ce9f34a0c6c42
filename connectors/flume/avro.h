/*
 * avro.h - what of Avro's binary form Flume's calls need: a bounded reader, and a writer.
 *
 * The bytes come from a network: every length and count is held against what is left before it is
 * used, nothing is allocated, nothing recurses, and slices are borrowed from the call. Readers take
 * from the front of *from and return false when the bytes are not what they should be; *from is
 * then anywhere.
 *
 *     call    [hello] meta, name, parameters        hello: on a connection's first call
 *     event   map of text (headers), bytes (body)
 *
 * Thread: any.
 */
#ifndef LEAT_CONNECTORS_FLUME_AVRO_H
#define LEAT_CONNECTORS_FLUME_AVRO_H

#include "leat.h"

#define FLUME_HASH_BYTES 16
#define AVRO_LONG_BYTES  10 /* a number has no more */

bool avro_take_long(struct leat_slice *from, int64_t *v);
bool avro_take_bytes(struct leat_slice *from, struct leat_slice *bytes);

/* The head of the next block of a list or map whose items have at least `least` bytes; *count 0:
 * that was the end. */
bool avro_take_block(struct leat_slice *from, size_t least, int64_t *count);

/* Into at least AVRO_LONG_BYTES; how many it took. */
size_t avro_put_long(char *into, int64_t v);

/* ---- calls */

struct flume_hello {
    struct leat_slice client_hash, server_hash; /* FLUME_HASH_BYTES each */
    struct leat_slice protocol;                 /* ptr NULL: not sent */
};

bool flume_take_hello(struct leat_slice *from, struct flume_hello *hello);

/* Behind the hello: pass over meta, take the name of the message. */
bool flume_take_name(struct leat_slice *from, struct leat_slice *name);

/* ---- answers */

enum { FLUME_BOTH, FLUME_CLIENT, FLUME_NONE };

struct flume_match {
    int64_t match;                /* one of these */
    struct leat_slice text, hash; /* of the other side's protocol; ptr NULL: not sent */
};

/* What a hello is answered with. */
bool flume_take_match(struct leat_slice *from, struct flume_match *match);

/* What a call is answered with: *status 0 is OK. *failed: there was an error, *text says what. */
bool flume_take_status(struct leat_slice *from, int64_t *status, bool *failed,
                       struct leat_slice *text);

/* ---- events */

struct flume_event {
    struct leat_slice map; /* the headers as they came */
    uint32_t headers;      /* how many */
    size_t header_bytes;   /* of their names and values */
    struct leat_slice body;
};

/* The parameter of `append` (one) or `appendBatch` (a list): a walk over its events. */
struct flume_events {
    struct leat_slice rest;
    uint32_t max_headers;
    int64_t left; /* of this block */
    bool list;    /* further blocks follow */
};

struct flume_events flume_events_of(struct leat_slice parameter, bool list, uint32_t max_headers);

enum flume_step { FLUME_STEP_EVENT, FLUME_STEP_END, FLUME_STEP_WRONG };

/* END: nothing is behind it. WRONG: *why says what, a constant text. */
enum flume_step flume_events_next(struct flume_events *events, struct flume_event *event,
                                  const char **why);

/* The headers as a row has them, into flume_headers_size() bytes. */
size_t flume_headers_size(const struct flume_event *event);
void flume_put_headers(const struct flume_event *event, char *into);

#endif
