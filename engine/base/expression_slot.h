/*
 * expression_slot.h - what YAML does to an expression that was not quoted.
 *
 * In a slot for an expression the scalar's text is the expression. YAML takes some of it away
 * before we see it: `filter: !deleted` is a tag and nothing, `x # > 3` is x, and in flow style
 * `{ p95: quantile(x, 0.95) }` is two entries. Each of these is an error, with the corrected line.
 */
#ifndef LEAT_BASE_EXPRESSION_SLOT_H
#define LEAT_BASE_EXPRESSION_SLOT_H

#include "base/diag.h"

/* Look at a node that stands where an expression is due, before it is compiled. False after an
 * error: it is then no use to compile it. A single word in quotes is a warning only. */
bool leat_expression_slot_check(const struct leat_node *node, struct leat_diags *diags);

#endif
