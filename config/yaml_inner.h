/*
 * yaml_inner.h - what the files of the YAML reader share: a tree while it is being built.
 */
#ifndef LEAT_CONFIG_YAML_INNER_H
#define LEAT_CONFIG_YAML_INNER_H

#include "pipeline_file.h"
#include "yaml_bounds.h"

struct fy_parser;
struct fy_diag;

struct config_anchor {
    struct leat_slice name;
    const struct leat_node *node; /* NULL while it is being read */
};

struct config_tree {
    struct fy_parser *parser;
    struct config_lines *lines;
    struct leat_arena *arena;
    struct leat_diags *diags;
    struct config_anchor *anchors;
    uint32_t anchor_count;
    uint32_t nodes;
    size_t last; /* behind the last token: where a value that is not there would be */
    struct leat_mark open_flow; /* the innermost '{' or '[' that is not closed yet */
    bool failed;                /* and said why, unless syntax is to blame */
};

/* An error at `mark`; nothing more is read. */
void config_tree_fail(struct config_tree *t, const struct leat_mark *mark, const char *text);

/* Zeroed, in the arena. NULL after a failure, this one included. */
void *config_tree_take(struct config_tree *t, size_t size);

/* "streams.paid" and "ops" give "streams.paid.ops", and an item "streams.paid[3]". A path that gets
 * too long ends with the part above. */
struct leat_slice config_tree_path(struct config_tree *t, const struct leat_node *parent,
                                   struct leat_slice key, bool is_item);

/* Charge for showing `node` once more at this depth. False: too large or too deep, and said so. */
bool config_tree_charge(struct config_tree *t, const struct leat_node *node, unsigned depth,
                        const struct leat_mark *mark);

void config_tree_append(struct leat_node *parent, struct leat_node **last, struct leat_node *child);

/* Merge keys replaced by what they bring, duplicates refused: what is written in the map wins over
 * what is merged, and what is merged first over what comes later. */
void config_tree_finish_map(struct config_tree *t, struct leat_node *map, unsigned depth);

/* A parser that collects its errors in diag. NULL when there is no memory. */
struct fy_diag *config_yaml_diag_new(void);
struct fy_parser *config_yaml_parser_new(struct fy_diag *diag, struct leat_slice text);

#endif
