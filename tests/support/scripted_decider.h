/*
 * scripted_decider.h - a decider whose other side is a struct in memory, and a sink that takes
 * part.
 *
 * For tests of whatever drives a decider: what is committed is text and positions in the `side`,
 * which survives the job. It fences as Kafka does. Any call can be told to fail, before or after it
 * did its work; the failpoints of deciders are there too.
 */
#ifndef SCRIPTED_DECIDER_H
#define SCRIPTED_DECIDER_H

#include "data/decider.h"
#include "data/sink.h"

#include <stdatomic.h>

#define SCRIPTED_DECIDER_PARTS 16

enum scripted_call {
    SCRIPTED_OPEN,
    SCRIPTED_RECOVER,
    SCRIPTED_BEGIN,
    SCRIPTED_WRITE,
    SCRIPTED_PREPARE,
    SCRIPTED_COMMIT,
    SCRIPTED_ABORT,
    SCRIPTED_CALLS
};

struct scripted_side {
    /* What the other side has. */
    char text[1 << 15];
    struct {
        char partition[40];
        int64_t next;
        enum leat_decided_by by;
        uint32_t epoch, slot;
        uint64_t n;
    } parts[SCRIPTED_DECIDER_PARTS];
    uint32_t parts_count;
    uint32_t generation; /* of who may write: who recovered last */

    /* Open transaction. */
    char pending[1 << 15];
    uint64_t pending_n;
    bool is_open;

    /* The `at`-th call of this kind from now on answers `status`; `done`: after it was done all the
     * same. */
    struct {
        int at;
        enum leat_status status;
        bool done;
    } fail[SCRIPTED_CALLS];
    int calls[SCRIPTED_CALLS];
    int64_t patience_ms;   /* 0: a minute */
    bool hangs;            /* commit never comes back */
    int64_t elsewhere;     /* a commit that fails and is done has positions so much further: it was
                              a successor's */
    atomic_ullong commits; /* transactions that were committed */
};

/* The one that modules below talk to. */
extern struct scripted_side scripted_side;

/* As new: nothing known, committed, or told to fail. No decider may be open on it. */
void scripted_side_clear(void);

/* Hand a row to the transaction of the decider that lives in `memory`, as the sink does. */
void scripted_decider_write(void *memory, struct leat_slice row);

/* What is committed for a partition; -1: nothing. */
int64_t scripted_side_position(const char *partition);
void scripted_side_move(const char *partition, int64_t next, enum leat_decided_by by);

extern const struct leat_decider scripted_decider;

/* Writes values as lines into the decider's transaction. */
extern const struct leat_module scripted_decider_sink;

#endif
