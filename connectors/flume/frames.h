/*
 * frames.h - calls out of the bytes of a connection: number, count, and that many buffers.
 *
 *     i32 serial | i32 count | of each: i32 length, bytes          (big endian)
 *
 * The buffers are joined; where they were split has no meaning. Memory grows with what has arrived,
 * never with what is announced, and is charged to the source's room. Thread: run's.
 */
#ifndef LEAT_CONNECTORS_FLUME_FRAMES_H
#define LEAT_CONNECTORS_FLUME_FRAMES_H

#include "leat.h"

#define FLUME_FRAME_HEAD 12 /* of a frame with one buffer */

/* What all connections of a source may hold of unfinished calls. */
struct flume_room {
    size_t max, used;
    struct leat_budget *budget;
};

struct flume_frames {
    size_t max_bytes; /* of one call */
    struct flume_room *room;

    char head[8];
    size_t head_used;
    uint32_t parts; /* buffers still to come */
    size_t left;    /* of the one that is coming */
    char *payload;
    size_t used, size;
    int32_t serial;
    enum { FRAMES_HEAD, FRAMES_LENGTH, FRAMES_DATA, FRAMES_WHOLE } at;
};

/* Where the next bytes go, at most *len. LEAT_E_FULL: no room now, try later. LEAT_E_NOMEM. Not
 * when a call is whole. */
LEAT_CHECKED enum leat_status flume_frames_want(struct flume_frames *f, char **into, size_t *len,
                                                struct leat_error *err);

/* So many bytes have been put there. LEAT_E_DATA: this is no call of Avro's, or one that is too
 * large. */
LEAT_CHECKED enum leat_status flume_frames_took(struct flume_frames *f, size_t len,
                                                struct leat_error *err);

/* Have room for what comes next, if it is small, so that nothing is lacking then. LEAT_E_FULL,
 * LEAT_E_NOMEM. */
LEAT_CHECKED enum leat_status flume_frames_reserve(struct flume_frames *f, struct leat_error *err);

static inline bool flume_frames_whole(const struct flume_frames *f)
{
    return f->at == FRAMES_WHOLE;
}

/* Part of a call is there. */
static inline bool flume_frames_begun(const struct flume_frames *f)
{
    return f->at != FRAMES_HEAD || f->head_used > 0;
}

/* Done with the call; a large buffer is given back, any when room is scarce. */
void flume_frames_next(struct flume_frames *f);
void flume_frames_fini(struct flume_frames *f);

/* The head of a frame with one buffer of `len` bytes. */
void flume_frame_head(char into[FLUME_FRAME_HEAD], int32_t serial, size_t len);

#endif
