/*
 * memory_decider.h - a decider, a source and a sink of module `ledger`, whose other side is in the
 * memory of the test.
 *
 * The other side outlives jobs: it has the rows to read, what was committed, and the positions with
 * their batch. It fences as Kafka does, and a script says which calls it refuses, answers to nobody
 * or lets die. In a pipeline: `ledger: { at: here, topic: out }`. There are several by name (`at`),
 * made when they are first asked for.
 */
#ifndef LEAT_MEMORY_DECIDER_H
#define LEAT_MEMORY_DECIDER_H

#include "leat.h"

#include <pthread.h>

enum side_call { SIDE_RECOVER, SIDE_BEGIN, SIDE_PREPARE, SIDE_COMMIT, SIDE_ABORT, SIDE_CALLS };

enum side_fault {
    SIDE_OBEYS,
    SIDE_AWAY,       /* LEAT_E_UNREACHABLE, nothing happened */
    SIDE_ABORTS,     /* LEAT_E_ABORTED, and the transaction is gone */
    SIDE_LOSES_CALL, /* LEAT_E_UNCLEAR, nothing happened */
    SIDE_LOSES_WORD, /* LEAT_E_UNCLEAR, but it was done */
    SIDE_FENCES,     /* somebody else has taken over */
};

#define SIDE_KNOWN_MAX  32
#define SIDE_SCRIPT_MAX 64

struct side_position {
    char partition[80];
    int64_t next;
    enum leat_decided_by by;
    uint32_t epoch, slot;
    uint64_t n;
};

/* Rows as text: a line each. */
struct side_text {
    char *ptr;
    size_t len, room;
    int rows;
};

struct memory_side {
    char name[32];
    pthread_mutex_t lock; /* guards all below */

    struct side_position known[SIDE_KNOWN_MAX];
    int known_count;
    struct side_text committed;
    uint64_t generation; /* of the instance that has recovered last */

    bool is_open; /* a transaction is */
    uint64_t n;
    struct side_text pending;
    struct side_position moved[SIDE_KNOWN_MAX];
    int moved_count;

    uint64_t calls[SIDE_CALLS]; /* how often each was called */
    struct {
        enum side_call call;
        uint64_t at; /* the 1st, 2nd, ... call of this kind */
        enum side_fault fault;
    } script[SIDE_SCRIPT_MAX];
    int script_count;

    struct leat_arena arena; /* of what the source reads: one partition, "memory" */
    struct leat_memory_source source;
};

/* Found by name, or made. Thread: any, when no two ask at once for one that is not there yet. */
struct memory_side *memory_side(const char *at);

/* As new: nothing known, committed, scripted. No decider may be open on it. */
void memory_side_clear(struct memory_side *s);

/* The at-th call of this kind from now on (1: the next) ends so. */
void memory_side_script(struct memory_side *s, enum side_call call, uint64_t at,
                        enum side_fault fault);

/* An administrator's doing: sets, or with next -1 deletes, a position without its batch. */
void memory_side_move(struct memory_side *s, const char *partition, int64_t next);

/* How many rows are committed; their lines, until the next call. */
int memory_side_rows(struct memory_side *s, const char **text);

/* Of a partition; NULL: nothing. */
const struct side_position *memory_side_known(struct memory_side *s, const char *partition);

struct ledger {
    const char *at, *topic;
    struct memory_side *side;
    void *decider;
};

extern const struct leat_decider memory_decider;
extern const struct leat_module memory_ledger; /* named "ledger"; a source and a sink */

/* Hand a row to the transaction, as the sink does. */
void memory_decider_write(void *memory, struct leat_slice row);

#endif
