/*
 * compile.h - building programs, for expressions and templates. Private to engine/expr.
 */
#ifndef LEAT_EXPR_COMPILE_H
#define LEAT_EXPR_COMPILE_H

#include "expr/program.h"

struct compiler {
    const struct leat_compile *c;
    const struct ast_source *source;
    struct leat_eval *eval;    /* for constants */
    struct leat_arena scratch; /* of constants */
    uint32_t *columns, columns_count, columns_room;
    uint32_t guarded; /* here an error may be absorbed, or never looked at */
    bool failed;
};

/* False: out of memory, said. Else compiler_end must follow. */
bool compiler_begin(struct compiler *cc, const struct leat_compile *c,
                    const struct ast_source *source);
/* The operation for a checked tree; NULL: said. */
const struct op *compiler_build(struct compiler *cc, const struct ast *n);
/* The operation, or its value when it depends on no row. `n` is where it stands. */
const struct op *compiler_fold(struct compiler *cc, const struct op *op, const struct ast *n);
/* The program; NULL when root is or anything failed. */
struct leat_program *compiler_end(struct compiler *cc, const struct op *root,
                                  const struct leat_type *type, struct leat_slice text);

#endif
