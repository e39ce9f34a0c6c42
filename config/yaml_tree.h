/*
 * yaml_tree.h - builds the node tree from libfyaml's events.
 *
 * Events and not libfyaml's own document, because a document takes hundreds of bytes per character,
 * expands nothing with a bound, and forgets how things were written.
 */
#ifndef LEAT_CONFIG_YAML_TREE_H
#define LEAT_CONFIG_YAML_TREE_H

#include "yaml_bounds.h"

/* NULL after an error in diags, which is then the only one or one of several. */
struct leat_node *config_yaml_tree(struct config_lines *lines, struct leat_arena *arena,
                                   struct leat_diags *diags);

/* Does this text parse as YAML at all? For hints about a line that does not. */
bool config_yaml_is_valid(struct leat_slice text);

#endif
