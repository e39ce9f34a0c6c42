/*
 * language.h - a language in which a function can be written in the place of an expression.
 *
 * A module says that it is one (base/module.h): `lua: TEXT` in a pipeline file is compiled by the
 * module `lua` into a struct leat_callable, and from there on it is an expression like any other.
 */
#ifndef LEAT_EXPR_LANGUAGE_H
#define LEAT_EXPR_LANGUAGE_H

#include "expr/callable.h"

struct leat_language {
    /* The function whose text stands in `node`, a scalar. It gets values for `names` (NULL at the
     * end, static), of which `needed` have to be there, and lives in `arena`. NULL: what is wrong
     * is in diags, with its place. Thread: main. */
    const struct leat_callable *(*compile)(const struct leat_node *node, const char *const *names,
                                           uint32_t needed, struct leat_arena *arena,
                                           struct leat_diags *diags);
};

#endif
