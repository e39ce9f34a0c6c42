/*
 * framing.h - bytes of a stream as records: lines, or frames that begin with their length.
 *
 * A record that is longer than max_record is delivered cut to one byte more, so that it is an error
 * of that record only; the rest of it is passed over. Memory is a buffer that grows to the longest
 * record there is, charged to the budget.
 *
 * Thread: the one that reads the stream.
 */
#ifndef LEAT_CONNECTORS_FRAMING_H
#define LEAT_CONNECTORS_FRAMING_H

#include "leat.h"

enum framing_kind {
    FRAMING_LINES,  /* ended by LF or CR LF */
    FRAMING_LENGTH, /* u32, big endian, and so many bytes */
};

struct framing_rules {
    enum framing_kind kind;
    size_t max_record;
    bool skip_empty; /* lines without anything in them are no records */
    bool drop_last;  /* a last line that has no end is no record */
    struct leat_budget *budget;
};

/* One stream. A zeroed one is at its start. */
struct framing {
    char *buffer;
    size_t used, room;
    bool skipping;   /* lines: up to the next end */
    size_t skip;     /* frames: so many bytes */
    uint64_t broken; /* records that ended in their middle */
};

/* max_record of a source, or what is usual. */
size_t framing_max_record(const struct leat_env *env);

/* Where the next bytes of the stream go, and how many may; who writes there adds what it wrote to
 * f->used. *len is 0 when the buffer is full of what could not be taken yet. LEAT_E_FULL,
 * LEAT_E_NOMEM: there is no memory. */
LEAT_CHECKED enum leat_status framing_room(struct framing *f, const struct framing_rules *rules,
                                           char **into, size_t *len, struct leat_error *err);

/* Append all records that are whole to part 0 of the inbox. `ended`: nothing comes behind what is
 * there. LEAT_E_FULL: no credit, the rest stays for the next call. */
LEAT_CHECKED enum leat_status framing_take(struct framing *f, const struct framing_rules *rules,
                                           bool ended, struct leat_inbox *inbox,
                                           struct leat_error *err);

/* The next record, borrowed from the buffer at *at, and *at behind it. False: there is none; *at is
 * behind what was passed over. For tests, which have no inbox; framing_take() calls it. */
bool framing_next(struct framing *f, const struct framing_rules *rules, bool ended, size_t *at,
                  struct leat_slice *record);

/* Forget the stream, and give the memory back. */
void framing_fini(struct framing *f, const struct framing_rules *rules);

#endif
