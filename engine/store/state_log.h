/*
 * state_log.h - where the memory of stateful operators survives: deltas, and from time to time a
 * snapshot of one state partition.
 *
 * An interface. The backend that there is keeps deltas in the records of the job log and snapshots
 * in files beside it (state_log_file.c): DIR/state/<q>-<n>.snap, the newest two per partition. What
 * is restored is the newest snapshot that is whole, then the deltas behind it.
 * The bytes of the file are in snapshot.h.
 */
#ifndef LEAT_STORE_STATE_LOG_H
#define LEAT_STORE_STATE_LOG_H

#include "base/log.h"
#include "store/job_log.h"

/* All of state partition q as group n left it. */
struct leat_snapshot {
    uint32_t q;
    uint64_t n;
    const struct leat_log_state *entries; /* one per operator; their q is not looked at */
    uint32_t entries_count;
};

struct leat_state_log;

/* One snapshot or delta of an operator. entry->bytes are gone when it returns; those of a snapshot
 * begin at a multiple of 4 KiB in memory. A status that is not LEAT_OK ends the reading. */
typedef enum leat_status leat_state_fn(void *arg, uint64_t n, bool is_snapshot,
                                       const struct leat_log_state *entry, struct leat_error *err);

struct leat_state_backend {
    /* What group record->n changed goes with it. `states` are borrowed until the record is logged;
     * entries of one q are one behind the other. Thread: job. */
    enum leat_status (*append)(struct leat_state_log *s, struct leat_log_record *record,
                               struct leat_log_state *states, uint32_t count,
                               struct leat_error *err);

    /* Write a snapshot and sync it; nobody sees it before publish. LEAT_E_FULL, LEAT_E_IO: it may
     * be tried again, and the job can go on without. Thread: snapshot; takes as long as disks do.
     */
    enum leat_status (*write)(struct leat_state_log *s, const struct leat_snapshot *snapshot,
                              struct leat_error *err);

    /* Group n is committed: what was written of q counts from now on, the third newest goes.
     * Thread: snapshot. */
    enum leat_status (*publish)(struct leat_state_log *s, uint32_t q, uint64_t n,
                                struct leat_error *err);

    /* Whose turn it is: the partition whose newest snapshot is the oldest. A job that starts often
     * comes round all the same. Thread: job, before the first write. */
    uint32_t (*next)(struct leat_state_log *s);

    /* Deltas go that no snapshot needs (not even the older of two) and whose group is older than
     * keep_since_ms by the clock of the job. Cheap when there is nothing to do. Thread: log. */
    enum leat_status (*truncate)(struct leat_state_log *s, int64_t keep_since_ms,
                                 struct leat_error *err);

    /* Everything of q up to group upto_n: the newest snapshot that is whole, then deltas in order.
     * A damaged snapshot is said in a log line. LEAT_E_CORRUPT: none is whole and the deltas do not
     * go back to the beginning. Thread: any, several at once for different q; before the first
     * append. */
    enum leat_status (*read)(struct leat_state_log *s, uint32_t q, uint64_t upto_n,
                             leat_state_fn *fn, void *arg, struct leat_error *err);
    void (*close)(struct leat_state_log *s);
};

/* Backends embed it as their first member. */
struct leat_state_log {
    const struct leat_state_backend *backend;
};

/* Beside the job log in `dir`, which outlives it; so do fs and lines. What an earlier run wrote and
 * did not publish is removed. Deltas can only go when every q below `partitions` has two snapshots:
 * also those that hold nothing get theirs. */
LEAT_CHECKED enum leat_status
leat_state_log_file_open(const struct leat_fs *fs, const char *dir, struct leat_job_log *log,
                         uint32_t partitions, const struct leat_log *lines,
                         struct leat_state_log **state, struct leat_error *err);

/* Only to look at it, also while the job runs: nothing is made or removed, and of the backend only
 * read and close may be called. */
LEAT_CHECKED enum leat_status
leat_state_log_file_view(const struct leat_fs *fs, const char *dir, struct leat_job_log *log,
                         uint32_t partitions, const struct leat_log *lines,
                         struct leat_state_log **state, struct leat_error *err);

/* The snapshots in `dir`, in no order; none when there is no such directory. */
typedef void leat_snapshot_fn(void *arg, uint32_t q, uint64_t n, const char *path);
LEAT_CHECKED enum leat_status leat_state_log_file_each(const struct leat_fs *fs, const char *dir,
                                                       leat_snapshot_fn *fn, void *arg,
                                                       struct leat_error *err);

#endif
