/*
 * remote.h - file systems that are reached over a network, by the scheme of a path.
 *
 * A module with a `struct leat_remote` serves the paths that begin with its name and `://`, such as
 * `hdfs://host:9870/out`. The plan finds it, for the options that say they may name such a place
 * (`place` in base/option.h); whoever opens the source or sink puts the file system into its
 * env->fs. Paths are given to it as they were written.
 *
 * It differs from a local one in this: what failed for want of the other side has a negative errno
 * that may pass, also from sync(); nobody knows then what arrived, and a file that was being
 * written is not to be gone on with: a new one is, under a name that was never used.
 */
#ifndef LEAT_BASE_REMOTE_H
#define LEAT_BASE_REMOTE_H

#include "base/fs.h"

struct leat_env;

struct leat_remote {
    /* Could it be a path there? Reaches nobody. LEAT_E_CONFIG says what is wrong. Thread: any. */
    enum leat_status (*check)(const char *path, struct leat_error *err);
    /* Reaches nobody yet. *fs is the caller's until close; one thread uses it at a time. It copies
     * from env what it needs; what env points to must outlive it. LEAT_E_NOMEM. */
    enum leat_status (*open)(const struct leat_env *env, const struct leat_fs **fs,
                             struct leat_error *err);
    void (*close)(const struct leat_fs *fs);
};

#endif
