/*
 * check.h - finds out what the parts of a tree mean, and of which type they are.
 *
 * Private to engine/expr. check.c walks the tree; check_name.c resolves paths, check_call.c
 * functions and aggregates, macro.c macros, static_type.c knows types. Mistakes go to the source's
 * diags; a part that is wrong is of type any, so that one mistake is told once.
 */
#ifndef LEAT_EXPR_CHECK_H
#define LEAT_EXPR_CHECK_H

#include "expr/ast.h"

struct check_local {
    struct leat_slice name;
    const struct leat_type *type;
};

struct checker {
    const struct leat_compile *c;
    struct leat_names *names; /* c's, or those of rows within an aggregate */
    const struct ast_source *source;
    uint32_t locals_count;
    uint32_t mistakes;
    bool failed;
    struct check_local locals[AST_LOCALS_MAX];
};

/* Fills in the tree below n. Returns n's type, never NULL. */
const struct leat_type *check_node(struct checker *ck, struct ast *n);
#define CHECK_MISTAKES_MAX 20 /* of one expression; further ones are not told */

/* Say that n is wrong: an error in the file, or with `unchecked` an error value. The diagnostic is
 * NULL then, and when there were too many. */
LEAT_PRINTF(5, 6)
struct leat_diag *check_wrong(struct checker *ck, struct ast *n, uint32_t at, uint32_t len,
                              const char *fmt, ...);
const struct leat_type *check_want_bool(struct checker *ck, struct ast *n, const char *where);

/* check_name.c: NAME, SELECT and INDEX. */
const struct leat_type *check_path(struct checker *ck, struct ast *n);
int check_find_local(const struct checker *ck, const struct ast *name);
/* "math.greatest" for the path before a call, when it is a path of plain names; else empty. */
struct leat_slice check_dotted(struct checker *ck, const struct ast *target,
                               struct leat_slice name);

/* check_call.c */
const struct leat_type *check_call(struct checker *ck, struct ast *n);
const struct leat_function *function_find_next(struct leat_slice name, enum leat_function_form form,
                                               const struct leat_function *after);

/* compile.c: a program of its own from a tree that has been checked; NULL: said. */
const struct leat_program *compile_tree(const struct leat_compile *c,
                                        const struct ast_source *source, struct ast *n);

/* macro.c */
enum macro_kind {
    MACRO_HAS,
    MACRO_DEFAULT,
    MACRO_TRY,
    MACRO_BIND,
    MACRO_ALL,
    MACRO_EXISTS,
    MACRO_EXISTS_ONE,
    MACRO_FILTER,
    MACRO_MAP,
    MACRO_TRANSFORM_MAP,
    MACRO_TRANSFORM_ENTRY,
    MACRO_SORT_BY,
    MACRO_FOLD,
    MACRO_OPTIONAL_OF,
    MACRO_OPTIONAL_NON_ZERO,
    MACRO_OPTIONAL_NONE,
    MACRO_OPTIONAL_MAP,
    MACRO_OPTIONAL_FLAT_MAP,
    MACRO_HAS_VALUE,
    MACRO_VALUE,
    MACRO_OR,
    MACRO_OR_VALUE,
};

struct ast_macro {
    const char *name;
    enum macro_kind kind;
    bool member;
    uint32_t args; /* without what stands before the point */
    uint32_t vars; /* the first ones: names of variables */
    const char *signature, *help;
};

/* The macro that a call means, or NULL. `any_count`: whatever its number of arguments. */
const struct ast_macro *macro_find(struct leat_slice name, bool member, uint32_t args,
                                   bool any_count);
const struct leat_type *macro_check(struct checker *ck, struct ast *n);
void macro_each(void (*fn)(const struct leat_function_doc *doc, void *arg), void *arg);

/* static_type.c */
const struct leat_type *type_any(void);
const struct leat_type *type_kind(enum leat_type_kind kind);
const struct leat_type *type_of_value(struct leat_value v);
const struct leat_type *type_list(struct leat_arena *arena, const struct leat_type *item);
const struct leat_type *type_map(struct leat_arena *arena, const struct leat_type *key,
                                 const struct leat_type *item);
bool type_is_lost(const struct leat_type *t); /* what the two above give without memory */
/* What both fit into. */
const struct leat_type *type_join(struct leat_arena *arena, const struct leat_type *a,
                                  const struct leat_type *b);
const struct leat_type *type_item(const struct leat_type *of); /* of LIST, MAP; else any */
const struct leat_type *type_key(const struct leat_type *of);
bool type_is_number(const struct leat_type *t);
bool type_may_equal(const struct leat_type *a, const struct leat_type *b);
bool type_may_order(const struct leat_type *a, const struct leat_type *b);
/* Of `a operator b`; NULL: there is none. */
const struct leat_type *type_arithmetic(struct leat_arena *arena, enum ast_operator operator,
                                        const struct leat_type * a, const struct leat_type *b);
bool type_fits_letter(const struct leat_type *t, char letter);
const struct leat_type *type_of_letter(char letter);
const char *type_word(const struct leat_type *t); /* "string", for error texts */

#endif
