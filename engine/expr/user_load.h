/* user_load.h - `module: path#name`: functions of loaded files in the places of expressions. */
#ifndef LEAT_EXPR_USER_LOAD_H
#define LEAT_EXPR_USER_LOAD_H

#include "expr/callable.h"

/* The function that a scalar names, as in struct leat_language: it gets values for `names`. NULL:
 * what is wrong is in diags. Thread: main. */
const struct leat_callable *leat_user_function_load(const struct leat_node *node,
                                                    const char *const *names, uint32_t needed,
                                                    struct leat_arena *arena,
                                                    struct leat_diags *diags);

#endif
