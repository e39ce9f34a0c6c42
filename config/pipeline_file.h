/*
 * pipeline_file.h - the text of a pipeline file as a tree of settings with places.
 *
 * YAML 1.2, core schema: only true and false are booleans, duplicate keys are errors, anchors and
 * merge keys are resolved. The bytes come from outside, so everything has a bound: 1 MiB of text,
 * 64 KiB a line, 40,000 brackets, 1,000 empty
 * lines in a row, 64 levels, 100,000 nodes after aliases, 40 MiB of memory. Text that breaks one of
 * these, or is no UTF-8, or no YAML, gives diagnostics with its place and no tree.
 *
 * Thread: any; nothing is kept between calls.
 */
#ifndef LEAT_CONFIG_PIPELINE_FILE_H
#define LEAT_CONFIG_PIPELINE_FILE_H

#include "base/diag.h"

enum {
    CONFIG_FILE_MAX = 1 << 20,
    CONFIG_LINE_MAX = 1 << 16,
    CONFIG_DEPTH_MAX = 64,
    CONFIG_NODES_MAX = 100000,
    CONFIG_ANCHORS_MAX = 1000,
    CONFIG_MEMORY_MAX = 40 << 20, /* cap of the arena that the owner hands in */
};

struct config_file {
    const char *name;       /* as given on the command line */
    struct leat_slice text; /* without a byte order mark; lines of messages come from here */
    struct leat_node *root; /* NULL: could not be read, see the diagnostics */
};

/* Read the file into `arena` (name is copied, too). A file that cannot be read or is too large is a
 * failure, what is wrong inside of it is not: that goes to diags. */
LEAT_CHECKED enum leat_status config_file_load(const char *path, struct config_file *file,
                                               struct leat_arena *arena, struct leat_diags *diags,
                                               struct leat_error *err);

/* The same from text, which must stay as long as the arena. */
void config_file_parse(const char *name, struct leat_slice text, struct config_file *file,
                       struct leat_arena *arena, struct leat_diags *diags);

/* Replace or create the scalar at "batch.every": what `--set batch.every=1s` does. Maps on the way
 * are created. LEAT_E_CONFIG: the path is empty, or goes through something that is no map. */
LEAT_CHECKED enum leat_status config_set(struct leat_node *root, struct leat_slice path,
                                         struct leat_slice value, struct leat_arena *arena,
                                         struct leat_error *err);

#endif
