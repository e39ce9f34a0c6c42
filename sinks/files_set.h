/*
 * files_set.h - the files that a sink is writing: found by route, bounded in number, buffered.
 *
 * A file is open while rows may come for it: until its batch is prepared, or, rolled, over several
 * batches. When more than max_open are needed, the one that was used longest ago is ended; rows
 * that come for its route later begin another. Ended files wait in `done` for the commit.
 *
 * Thread: the sink's.
 */
#ifndef LEAT_SINKS_FILES_SET_H
#define LEAT_SINKS_FILES_SET_H

#include "files_path.h"

struct out_file {
    struct out_file *chain;         /* the next one with this hash */
    struct out_file *older, *newer; /* by last use */
    struct out_file *next;          /* in `done` */
    struct leat_slice route;
    const char *final_path;
    char *path; /* where it stands now */
    uint64_t hash;
    uint64_t born, wrote;      /* the first and the last batch that wrote to it */
    int64_t first_ms, last_ms; /* times of these batches */
    int64_t length;            /* of the file */
    int64_t kept;              /* ... at the end of the last committed batch; 0: it had none */
    int fd;                    /* -1: closed */
    bool renamed;
    bool taken; /* somebody has removed it while it was written: said, and passed over */
    int compression;
    bool contained; /* its rows stand in blocks of a container */
    char *buffer;   /* whole rows, not written yet; NULL: ended */
    size_t used;
    uint32_t rows; /* in buffer */
};

struct files_set {
    const struct leat_env *env;
    const struct files_paths *paths;
    int compression; /* -1: by the extension */
    uint32_t max_open;

    struct out_file **table; /* table_size, a power of two */
    uint32_t table_size, count;
    struct out_file *newest, *oldest;
    struct out_file *done;
    struct leat_compressor *compressors[4];
    void *packer; /* of env->container, where there is one; NULL: not needed yet */
};

LEAT_CHECKED enum leat_status files_set_init(struct files_set *s, struct leat_error *err);
void files_set_fini(struct files_set *s); /* what is open is closed and stays as it is */

/* One row of batch n, which has this time. */
LEAT_CHECKED enum leat_status files_set_put(struct files_set *s, uint64_t n, int64_t time_ms,
                                            struct leat_slice route, struct leat_slice value,
                                            struct leat_error *err);

/* Write what is buffered and sync it; its name too, if batch n began it. */
LEAT_CHECKED enum leat_status files_set_sync(struct files_set *s, struct out_file *f, uint64_t n,
                                             struct leat_error *err);

/* No rows any more: from the open ones into `done`. It must have been synced. */
void files_set_end(struct files_set *s, struct out_file *f);

/* Undo what batch n wrote, in open and in ended files. */
LEAT_CHECKED enum leat_status files_set_undo(struct files_set *s, uint64_t n,
                                             struct leat_error *err);

/* Give every file in `done` its final name and sync the directories; then forget them. May be
 * called again after a failure. */
LEAT_CHECKED enum leat_status files_set_publish(struct files_set *s, struct leat_error *err);

/* What is open was committed: its names say so, for the case that nothing else remembers. */
LEAT_CHECKED enum leat_status files_set_keep(struct files_set *s, struct leat_error *err);

/* Sync the directory that path is in. */
LEAT_CHECKED enum leat_status files_sync_dir_of(const struct leat_fs *fs, const char *path,
                                                struct leat_error *err);

#endif
