/*
 * store_reset.h - everything that a job remembers goes: the next start begins anew.
 *
 * Thread: whoever has the job's directory.
 */
#ifndef LEAT_STORE_STORE_RESET_H
#define LEAT_STORE_STORE_RESET_H

#include "base/fs.h"

struct leat_store_removed {
    uint64_t log_files, state_files;
    int64_t log_bytes, state_bytes;
};

/* Log and state in `dir`; what else is there stays. State goes first: state that no log belongs to
 * is never found. Also what was counted before a failure is in *removed. */
LEAT_CHECKED enum leat_status leat_store_reset(const struct leat_fs *fs, const char *dir,
                                               struct leat_store_removed *removed,
                                               struct leat_error *err);

/* The same files, counted and left. */
LEAT_CHECKED enum leat_status leat_store_count(const struct leat_fs *fs, const char *dir,
                                               struct leat_store_removed *there,
                                               struct leat_error *err);

#endif
