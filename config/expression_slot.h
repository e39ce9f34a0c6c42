/*
 * expression_slot.h - advice for a line that is no YAML because of an expression in it.
 *
 * `filter: x > 0 ? a : b` and `when: s == "a: b"` are YAML errors whose texts speak of mappings.
 * When quoting what is behind the key would make the line good, that is what the user is told. What
 * YAML understands, but differently, is found by base/expression_slot.h when the slot is read.
 */
#ifndef LEAT_CONFIG_EXPRESSION_SLOT_H
#define LEAT_CONFIG_EXPRESSION_SLOT_H

#include "yaml_bounds.h"

/* True: d is a syntax error of such a line, and has its hint now. */
bool config_syntax_hint(const struct config_lines *lines, struct leat_diag *d,
                        struct leat_diags *diags);

#endif
