/*
 * run_paths.h - which pipeline files `leat run FILE|DIR...` is about, now.
 *
 * Thread: main.
 */
#ifndef LEAT_CLI_RUN_PATHS_H
#define LEAT_CLI_RUN_PATHS_H

#include "base/error.h"

#include <stddef.h>

#define CLI_PIPELINES_MAX 256

/* As it was named. What was a directory at the start is one for good: while it is away, its files
 * are not known to be. */
struct cli_path {
    const char *path;
    bool is_dir;
};

struct cli_files {
    char *list[CLI_PIPELINES_MAX]; /* ours */
    size_t count;
};

/* A pipeline's file in a directory: *.yaml, *.yml, and not hidden. */
bool cli_is_pipeline(const char *name);
bool cli_is_dir(const char *path);

/* The files as they are named, and of each directory its pipelines by name. LEAT_E_IO: a directory
 * cannot be read; LEAT_E_FULL: there are too many. `files` is to be freed in any case. */
LEAT_CHECKED enum leat_status cli_files_list(const struct cli_path *paths, size_t count,
                                             struct cli_files *files, struct leat_error *err);
void cli_files_free(struct cli_files *files);

#endif
