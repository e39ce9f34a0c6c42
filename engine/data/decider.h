/*
 * decider.h - what decides whether batch N counts: a transaction on the other side.
 *
 * A job has at most one. The outputs of its sinks, the positions of its sources and the marker go
 * into one transaction; when that is committed, N counts. Sources and sinks that can take part name
 * the same decider in their module; the planner picks the one instance whose options it is opened
 * with, and sinks that take part get its memory in env->decider.
 *
 *     open  recover  ( begin  (the sinks write)  prepare  ( commit | abort ) )*  close
 *
 * Positions are told with metadata that says which batch they are of: leat/<epoch>/<slot>/<n>.
 * The *marker* is a partition that is part of every transaction, moved or not, so its metadata
 * tells which batch was the last.
 *
 * Thread: all on the decider's own. A call may take as long as a transaction may; whoever waits
 * needs a watchdog.
 */
#ifndef LEAT_DATA_DECIDER_H
#define LEAT_DATA_DECIDER_H

#include "base/module.h"
#include "data/source.h"

/* What metadata of a committed position says. */
enum leat_decided_by {
    LEAT_DECIDED_OURS,          /* leat/<epoch>/<slot>/<n> */
    LEAT_DECIDED_AT_LEAST_ONCE, /* leat/-/<slot>/<n> */
    LEAT_DECIDED_FOREIGN,       /* anything else: somebody moved it */
};

/* One position as the other side knows it for this job. */
struct leat_decided {
    struct leat_slice partition; /* "orders/3" */
    int64_t next;
    enum leat_decided_by by;
    uint32_t epoch, slot; /* OURS; slot of AT_LEAST_ONCE too */
    uint64_t n;
};

struct leat_decider {
    size_t
        size; /* of memory, which is zeroed before the first open, and left alone after a close */

    /* Which other side the options of a source or sink name: those with equal text can share a
     * transaction. In arena; ptr NULL: out of memory. Pure. Thread: any. */
    struct leat_slice (*cluster)(const void *self, struct leat_arena *arena);

    /* A partition that can be the marker of a job which reads nothing from here ("counts/0"), of a
     * sink's options; ptr NULL: this sink has none, its topic differs from row to row. In arena.
     * Pure. Thread: any. */
    struct leat_slice (*marker)(const void *self, struct leat_arena *arena);

    /* `self`: options of a source or a sink of this cluster. No wait for the other side. */
    enum leat_status (*open)(void *memory, const void *self, const struct leat_env *env,
                             struct leat_error *err);

    /* End what a predecessor left open, and fence it; then call each() for every position that the
     * other side knows for the job. `d` is valid during the call. Transient: try again.
     * LEAT_E_FENCED: a successor has taken over. */
    enum leat_status (*recover)(void *memory, void (*each)(void *arg, const struct leat_decided *d),
                                void *arg, struct leat_error *err);

    /* What sinks write from now on belongs to the transaction of n. */
    enum leat_status (*begin)(void *memory, uint64_t n, struct leat_error *err);

    /* Everything that the sinks wrote has arrived, and the positions with it; the marker stands at
     * `marker_next`, and may be one of the positions too. LEAT_E_ABORTED and transient failures:
     * abort, begin, all of n again. LEAT_E_UNCLEAR: close, open, recover, then the same.
     * LEAT_E_DATA after rows were told through env->refusals: abort, and all of n without those. */
    enum leat_status (*prepare)(void *memory, uint64_t n, const struct leat_positions *positions,
                                struct leat_slice marker, int64_t marker_next,
                                struct leat_error *err);

    /* LEAT_E_ABORTED: n does not count, begin again. LEAT_E_UNCLEAR: nobody knows: close, open,
     * recover tells. LEAT_E_FENCED. */
    enum leat_status (*commit)(void *memory, uint64_t n, struct leat_error *err);

    /* Undo begin and what followed. Idempotent. LEAT_E_UNCLEAR: close, open, recover. */
    enum leat_status (*abort)(void *memory, uint64_t n, struct leat_error *err);

    /* How long one call may take at most, in ms: what the watchdog goes by. */
    int64_t (*patience_ms)(const void *memory);

    /* Also one that was opened half way. Never fails; may be slow: librdkafka's threads end. */
    void (*close)(void *memory);
};

#endif
