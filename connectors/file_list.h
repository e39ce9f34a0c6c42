/*
 * file_list.h - the files that a path means: itself, what is in a directory, or what a pattern
 * fits.
 *
 * A file keeps its number as long as the list lives. Hidden and unfinished names (a leading '.' or
 * '_', the end '.tmp') are passed over. Looking again costs one system call while the directory has
 * not changed, and nothing per file that is known except to see that it is.
 *
 * Thread: job.
 */
#ifndef LEAT_CONNECTORS_FILE_LIST_H
#define LEAT_CONNECTORS_FILE_LIST_H

#include "leat.h"

struct listed_file {
    const char *path;
    bool gone;    /* somebody removed it before it was read to its end, and the engine knows */
    int64_t most; /* bytes that it had, at most, while it was read */
};

enum file_list_kind { FILE_LIST_ONE, FILE_LIST_DIR, FILE_LIST_GLOB };

struct file_list {
    const struct leat_env *env;
    const char *path;
    enum file_list_kind kind;
    const char *dir;     /* FILE_LIST_DIR */
    const char *pattern; /* ... names in it must fit; NULL: all do */

    struct leat_arena arena;
    struct listed_file *files;
    uint32_t count, room;
    uint32_t *table; /* number + 1 by hash of path; 0: free */
    uint32_t table_size;
    size_t charged;

    int64_t dir_changed_ns, listed_ms; /* FILE_LIST_DIR: at the last look */
};

/* `path` outlives the list. A file or directory must be there; a pattern may fit nothing yet. */
LEAT_CHECKED enum leat_status file_list_init(struct file_list *l, const struct leat_env *env,
                                             const char *path, struct leat_error *err);
void file_list_fini(struct file_list *l);

/* Look again. New files have the numbers from *first_new to l->count, in order of path. */
LEAT_CHECKED enum leat_status file_list_refresh(struct file_list *l, uint32_t *first_new,
                                                struct leat_error *err);

#endif
