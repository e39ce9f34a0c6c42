/*
 * group_build.h - what build() of keyed operators shares: key, window, output, small expressions.
 */
#ifndef LEAT_OP_GROUP_BUILD_H
#define LEAT_OP_GROUP_BUILD_H

#include "op/group.h"

enum leat_group_key {
    LEAT_KEY_NONE,   /* one result for all */
    LEAT_KEY_STREAM, /* the stream's key; an error when it has none */
    LEAT_KEY_IF_ANY, /* the stream's key, or one result for all */
    LEAT_KEY_VALUE,  /* the whole value */
};

/* Fill g but for its aggregator, and the combiner's plans: takes the window that is pending in the
 * first input, or `window` when not NULL. The output starts a new segment with the key. False after
 * an error in diags; what could be made is there all the same. */
bool leat_group_build(struct leat_group *g, struct leat_build *b, enum leat_group_key key,
                      const struct leat_window_spec *window);

static inline struct leat_group_in *leat_group_input(struct leat_build *b, uint32_t i)
{
    return b->combiner_plans[i];
}

/* The aggregator keeps the whole value of its rows. */
void leat_group_keep_value(struct leat_build *b);

/* The value of what comes out: one column, of this type. */
void leat_group_out_value(struct leat_build *b, const struct leat_type *type);

/* An expression over a few values with names, and nothing else: `a + b`. */
struct leat_small_expr {
    const struct leat_program *program; /* NULL: none, or an error in diags */
    bool is_sum;                        /* it is `a + b` */
};
/* Warns at `node` where the schema has fields of these names, which the operator's own hide. */
void leat_warn_hidden(struct leat_build *b, const struct leat_node *node, const char *const *names,
                      uint32_t count);
struct leat_small_expr leat_small_expr_build(struct leat_build *b, const struct leat_node *node,
                                             const char *const *names, uint32_t count);
/* Made text is in arena. */
struct leat_value leat_small_expr_eval(const struct leat_small_expr *e, struct leat_work *w,
                                       struct leat_arena *arena, const struct leat_value *values,
                                       uint32_t count);

#endif
