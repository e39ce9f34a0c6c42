/*
 * files_path.h - names of the files sink: final ones, temporary ones, and what may be one at all.
 *
 * A temporary file stands in the directory of its final one, under the name
 *
 *     .leat-tmp-<tag>-<slot>-<epoch>.<final name>      nothing in it was committed yet
 *     .leat-roll-<tag>-<slot>-<epoch>.<final name>     rolled: some of it was, more may come
 *
 * where the tag is made of job and template, so that two sinks in one directory leave each other
 * alone. All that a data-derived path can do is name a file below the template's literal beginning.
 */
#ifndef LEAT_SINKS_FILES_PATH_H
#define LEAT_SINKS_FILES_PATH_H

#include "leat.h"

#include <limits.h>

#define FILES_PATH_BYTES PATH_MAX

struct files_paths {
    struct leat_arena arena;
    const struct leat_env *env;
    struct leat_slice literal; /* every path starts with it */
    struct leat_slice own;     /* of rows without a route; ptr NULL: the template has expressions */
    const char *root;          /* the directory that is above all of them */
    int depth;                 /* how many levels of directories they have below it */
    uint32_t tag;
};

LEAT_CHECKED enum leat_status files_paths_init(struct files_paths *p, const struct leat_env *env,
                                               struct leat_slice path, struct leat_error *err);
void files_paths_fini(struct files_paths *p);

/* May a file be made there? LEAT_E_DATA says why not. */
LEAT_CHECKED enum leat_status files_paths_check(const struct files_paths *p,
                                                struct leat_slice route, struct leat_error *err);

/* The final path of a file of batch n; seq tells files of one route and batch apart. The route has
 * been checked. Buffers of FILES_PATH_BYTES. */
void files_paths_final(const struct files_paths *p, struct leat_slice route, uint64_t n,
                       uint32_t seq, char *path);
void files_paths_temporary(const struct files_paths *p, const char *final_path, bool rolled,
                           char *path);

/* The final name that is in a temporary one of this sink and slot; NULL: it is none. */
const char *files_paths_parse(const struct files_paths *p, const char *name, bool *rolled);

#endif
