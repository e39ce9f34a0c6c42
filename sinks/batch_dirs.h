/*
 * batch_dirs.h - a directory of files per batch, laid out as Spark does it.
 *
 *     <prefix>-<batch time in ms>[.<suffix>]/part-00000, part-00001, ..., _SUCCESS
 *
 * Without a prefix, there is no dash, and the directories are in the working directory.
 * There is a part for each partition of the stream, also for those that gave nothing. Every batch
 * has its directory, also an empty one. It is written under a hidden name beside its place, synced,
 * and renamed when the batch is committed; a directory that is there already is replaced, as it is
 * when Spark runs a batch again. All of it goes through env->fs. The hidden name is another one at
 * each attempt: over a network a request of an earlier one may be carried out late (base/remote.h).
 *
 * What stands in a part is the caller's lines, or, where the format frames files itself
 * (data/container.h), its blocks: each begins at most 64 KiB of rows, and a part ends with a whole
 * one. Thread: the sink's.
 */
#ifndef LEAT_SINKS_BATCH_DIRS_H
#define LEAT_SINKS_BATCH_DIRS_H

#include "leat.h"

#define BATCH_DIRS_PATH 1024

struct batch_dir; /* one that is being written */

struct batch_dirs {
    const char *prefix, *suffix; /* options of the sink */

    const struct leat_env *env;
    char parent[BATCH_DIRS_PATH / 2 + 2];
    char hidden[80];  /* how the names of our hidden directories start */
    uint64_t attempt; /* in the hidden name: never the same again */
    uint64_t writing;
    bool undoing;            /* an abort has failed half way: first of all it goes on */
    struct batch_dir *saved; /* the newest first: what is written goes there */
    int fd;                  /* of the part that is written; -1: none */
    uint32_t part;
    bool has_bytes; /* an empty part is only a name: its directory's sync is enough */
    char *buffer;   /* rows that are not written yet */
    size_t used;
    uint32_t rows; /* in buffer */
    void *packer;  /* of env->container, where there is one; NULL: not needed yet */
};

/* Where the directory of a batch is; both may be empty. */
void batch_dirs_path(const char *prefix, const char *suffix, int64_t time_ms,
                     char into[BATCH_DIRS_PATH]);

/* What leat_sink asks for, with a struct batch_dirs as the first member of self. */
enum leat_status batch_dirs_open(void *self, const struct leat_env *env, struct leat_error *err);
enum leat_status batch_dirs_recover(void *self, uint64_t n, struct leat_slice section,
                                    struct leat_error *err);
enum leat_status batch_dirs_begin(void *self, uint64_t n, int64_t batch_time_ms,
                                  struct leat_error *err);
enum leat_status batch_dirs_prepare(void *self, uint64_t n, const struct leat_positions *positions,
                                    struct leat_bytes *section, struct leat_error *err);
enum leat_status batch_dirs_commit(void *self, uint64_t n, struct leat_error *err);
enum leat_status batch_dirs_abort(void *self, uint64_t n, struct leat_error *err);
void batch_dirs_close(void *self);

/* For write(): make this part the one that is written, whether rows come or not; then its rows,
 * each with `end` behind it. LEAT_E_DATA: the container cannot hold such a row. */
LEAT_CHECKED enum leat_status batch_dirs_part(struct batch_dirs *d, uint32_t part,
                                              struct leat_error *err);
LEAT_CHECKED enum leat_status batch_dirs_put(struct batch_dirs *d, struct leat_slice row,
                                             struct leat_slice end, struct leat_error *err);

#endif
