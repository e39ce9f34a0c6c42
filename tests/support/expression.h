/*
 * expression.h - for tests: compile and evaluate expressions over a few named columns.
 */
#ifndef EXPRESSION_H
#define EXPRESSION_H

#include "expr/expr.h"

#define EXPRESSION_COLUMNS 16

struct expression_column {
    const char *path; /* "amount", "user.name" */
    const struct leat_type *type;
    struct leat_value value;
};

/* A bench: names, a chunk of one row, diagnostics. Zeroed is ready; fini gives everything back. */
struct expression {
    struct leat_names names; /* first; each and resolve are set by expression_init */
    struct expression_column columns[EXPRESSION_COLUMNS];
    uint32_t count;
    bool open; /* a name that is no column is absent, not unknown */
    struct leat_arena arena;
    struct leat_diags diags;
    struct leat_chunk chunk;
    struct leat_eval *ev;
};

void expression_init(struct expression *e);
void expression_fini(struct expression *e);
void expression_add(struct expression *e, const char *path, enum leat_type_kind kind,
                    struct leat_value v);

const struct leat_program *expression_compile(struct expression *e, const char *text);
/* The value of the one row; what does not compile is an error value with the first mistake. */
struct leat_value expression_value(struct expression *e, const char *text);
/* The same as text: `3`, `"a"`, `[1, 2]`, `error: division by zero`, `refused: unknown name 'x'`.
 * Valid until fini. */
const char *expression_text(struct expression *e, const char *text);

#endif
