/*
 * interpolate.h - ${env:NAME} and ${file:/path} in the scalars of a tree.
 *
 * Done after parsing, so that what comes from outside can never be structure; the result is not
 * looked at again. `$${` is a literal `${`. A tree does not know which scalars are expressions,
 * where
 * `${` means nothing; so every scalar keeps its text, and what interpolation made of it, or why it
 * could not, is in node->filled. Who reads a scalar as something else than an expression says what
 * went wrong (base/node.h, base/diag.h: leat_diag_filled).
 */
#ifndef LEAT_CONFIG_INTERPOLATE_H
#define LEAT_CONFIG_INTERPOLATE_H

#include "base/diag.h"

enum {
    CONFIG_SECRET_MAX = 1 << 16,       /* bytes of one ${file:} */
    CONFIG_INTERPOLATED_MAX = 1 << 20, /* bytes of all interpolated scalars together */
};

struct config_outside {
    /* Value of an environment variable or NULL; borrowed. NULL: getenv. */
    const char *(*env)(void *arg, const char *name);
    void *arg;
    bool files_may_miss; /* check and test: a ${file:} that is not here is a warning */
};

void config_interpolate(struct leat_node *root, const struct config_outside *outside,
                        struct leat_arena *arena, struct leat_diags *diags);

#endif
