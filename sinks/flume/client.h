/*
 * client.h - a connection to a Flume source: one call at a time, each until it is answered.
 *
 * It connects when it is needed, and again after any failure. Thread: the sink's; it blocks for
 * `timeout_ms` at most.
 */
#ifndef LEAT_SINKS_FLUME_CLIENT_H
#define LEAT_SINKS_FLUME_CLIENT_H

#include "../../connectors/flume/channel.h"
#include "../../connectors/flume/frames.h"
#include "../../connectors/flume/protocol.h"
#include "calls.h"

struct flume_client {
    const char *address; /* host:port */
    const struct leat_env *env;
    struct flume_security security; /* tls: NULL: none */
    bool zlib;
    int64_t timeout_ms;

    bool connected, established;
    struct flume_channel channel;
    struct flume_room room;
    struct flume_frames frames;
    int32_t serial;
    int64_t deadline_ms;
    char server_hash[FLUME_HASH_BYTES]; /* what the other side called its own; ours at first */
};

/* `address` and what is above `connected` are set. */
void flume_client_init(struct flume_client *c);
void flume_client_close(struct flume_client *c);

/* appendBatch of these events. LEAT_E_UNREACHABLE: not answered, or answered that it failed: send
 * it again. LEAT_E_DATA: the other side is no Flume source. LEAT_E_NOMEM. */
LEAT_CHECKED enum leat_status
flume_client_send(struct flume_client *c, const struct flume_call *call, struct leat_error *err);

#endif
