/*
 * file_list.h - the files that a path means: itself, what is in a directory, or what a pattern
 * fits.
 *
 * A file keeps its number as long as the list lives. Hidden and unfinished names (a leading '.' or
 * '_', the end '.tmp') are passed over. Looking again costs one system call while the directory has
 * not changed, and nothing per file that is known except to see that it is.
 *
 * by_change: a file is its path and the time of its last change, so that one which takes the place
 * of another is a new one; looking asks every file for it when the directory has changed.
 *
 * Thread: job.
 */
#ifndef LEAT_CONNECTORS_FILE_LIST_H
#define LEAT_CONNECTORS_FILE_LIST_H

#include "leat.h"

#include <sys/stat.h>

struct listed_file {
    const char *path;
    const char *name;                /* by_change: of its partition, once it was selected */
    int64_t changed_ms, selected_ms; /* by_change: its time, and the tick whose batch has it; 0 */
    int64_t before_ms;               /* and that of an earlier file of this path; 0 */
    bool waits;                      /* by_change: for its tick */
    bool gone;    /* somebody removed it before it was read to its end, and the engine knows */
    int64_t most; /* bytes that it had, at most, while it was read */
};

enum file_list_kind { FILE_LIST_ONE, FILE_LIST_DIR, FILE_LIST_GLOB };

struct file_list {
    const struct leat_env *env;
    const char *path;
    bool by_change;
    enum file_list_kind kind;
    const char *dir;     /* FILE_LIST_DIR */
    const char *pattern; /* ... names in it must fit; NULL: all do */

    struct leat_arena arena;
    struct listed_file *files;
    uint32_t count, room;
    uint32_t *table; /* number + 1 by hash of path; 0: free */
    uint32_t table_size;
    size_t charged;

    const struct leat_fs_entry *listing; /* over a network: the one that is looked at */
    int64_t dir_changed_ns, listed_ms;   /* FILE_LIST_DIR: at the last look */
};

/* `path` outlives the list. A file or directory must be there; a pattern may fit nothing yet. */
LEAT_CHECKED enum leat_status file_list_init(struct file_list *l, const struct leat_env *env,
                                             const char *path, struct leat_error *err);
void file_list_fini(struct file_list *l);

/* Look again. New files have the numbers from *first_new to l->count, in order of path. */
LEAT_CHECKED enum leat_status file_list_refresh(struct file_list *l, uint32_t *first_new,
                                                struct leat_error *err);

/* The last one of this path; NULL: there is none. Until the list changes. */
struct listed_file *file_list_find(const struct file_list *l, const char *path);

/* by_change: one that need not be there any more; *number is its number. */
LEAT_CHECKED enum leat_status file_list_add(struct file_list *l, const char *path,
                                            int64_t changed_ms, uint32_t *number,
                                            struct leat_error *err);

/* Of its last change, in ms since 1970. */
int64_t file_changed_ms(const struct stat *st);

#endif
