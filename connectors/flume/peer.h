/*
 * peer.h - one connection of a Flume client to the source: its calls, and its answers.
 *
 * A call is checked as a whole before its first event is taken, so a damaged one stores nothing.
 * Its events go to the inbox one by one; where that has no credit the call waits half way. It is
 * answered when acked() names the position of its last event; several calls may wait, and are
 * answered in order.
 *
 * Thread: run's.
 */
#ifndef LEAT_CONNECTORS_FLUME_PEER_H
#define LEAT_CONNECTORS_FLUME_PEER_H

#include "channel.h"
#include "frames.h"
#include "protocol.h"

#define FLUME_CALLS_MAX 16 /* of one connection, not yet answered */
#define FLUME_HASHES    16

/* What peers share. */
struct flume_shared {
    const struct leat_env *env;
    struct leat_inbox *inbox;
    struct flume_security security;
    struct flume_room room;
    uint32_t max_headers;
    size_t max_frame;
    char known[FLUME_HASHES][FLUME_HASH_BYTES]; /* clients' protocols; the latest first */
    uint32_t known_count;
    char *headers; /* of the row that is appended */
    size_t headers_room;
    bool full; /* no credit: nobody is read */
};

enum flume_hello_answer {
    FLUME_MATCH_NONE_SENT,
    FLUME_MATCH_BOTH,
    FLUME_MATCH_CLIENT,
    FLUME_MATCH_NONE
};

struct flume_answer {
    int32_t serial;
    enum flume_hello_answer match; /* goes before the answer */
    int64_t end;                   /* position behind the last event */
};

struct flume_peer {
    struct flume_channel channel;
    struct flume_frames frames;
    bool established; /* hellos are over */
    bool appending;   /* `events` go on */
    bool starved;     /* no room for what it sends; tried again */
    bool more;        /* there may be something to read that no descriptor tells of */
    struct flume_events events;
    struct flume_answer call; /* the one whose events are appended */
    struct flume_answer waiting[FLUME_CALLS_MAX];
    uint32_t waiting_count;
    int64_t due_ms;   /* monotonic: it is closed then; 0: as the source sets it */
    int64_t began_ms; /* an unfinished call or unsent answer since then; 0: none */
    uint32_t slot;    /* in the source's list */
    uint32_t events_set;
    char name[64]; /* who it is */
    char why[200]; /* why it was closed */
};

/* Takes the descriptor. */
void flume_peer_init(struct flume_peer *p, struct flume_shared *s, int fd);
void flume_peer_fini(struct flume_peer *p);

enum flume_peer_state { FLUME_PEER_OPEN, FLUME_PEER_ENDED, FLUME_PEER_WRONG, FLUME_PEER_ERROR };

/* Read and do what there is, until nothing is left, its turn is over or the inbox is full. WRONG:
 * to be closed, p->why. ERROR: out of memory, or the inbox failed. */
enum flume_peer_state flume_peer_serve(struct flume_peer *p, struct flume_shared *s,
                                       struct leat_error *err);

/* Answer what lies below `upto`. False: the peer is to be closed. */
bool flume_peer_acked(struct flume_peer *p, int64_t upto);

/* May it be read? Not while it does not take its answers, or too many calls wait. */
bool flume_peer_readable(const struct flume_peer *p);

/* Something of it is unfinished that it ought to finish soon. */
static inline bool flume_peer_is_busy(const struct flume_peer *p)
{
    return (flume_frames_begun(&p->frames) && !p->appending) ||
           flume_channel_unsent(&p->channel) > 0;
}

#endif
