/*
 * ast.h - an expression on its way from text to program.
 *
 * parse.c makes the tree, check.c and its companions write into it what each part means (meaning,
 * type, reference), compile.c reads that. A tree and everything in it live in the arena given to
 * the parser. Its height is bounded (AST_HEIGHT_MAX), so walking it by recursion is safe; && and ||
 * are one node with many operands for that reason.
 *
 * Private to engine/expr.
 */
#ifndef LEAT_EXPR_AST_H
#define LEAT_EXPR_AST_H

#include "expr/function.h"

#define AST_SOURCE_MAX ((size_t)64 * 1024) /* bytes of an expression */
#define AST_NESTED_MAX 100                 /* brackets within brackets */
#define AST_HEIGHT_MAX 400                 /* a.b.c... or 1+1+1... */
#define AST_LOCALS_MAX 64                  /* variables that are bound at one place */
#define AST_PATH_MAX   64                  /* names of one path */

enum ast_kind {
    AST_LITERAL,
    AST_NAME,
    AST_SELECT, /* first.name */
    AST_INDEX,  /* first[second] */
    AST_CALL,   /* name(children), or with `member` first.name(the other children) */
    AST_LIST,
    AST_MAP, /* children: key, value, key, value */
    AST_NEGATE,
    AST_NOT,
    AST_BINARY,
    AST_AND, /* two or more children */
    AST_OR,
    AST_CONDITION,
};

enum ast_operator {
    AST_ADD,
    AST_SUBTRACT,
    AST_MULTIPLY,
    AST_DIVIDE,
    AST_REMAINDER,
    AST_EQUAL,
    AST_UNEQUAL,
    AST_LESS,
    AST_LESS_EQUAL,
    AST_GREATER,
    AST_GREATER_EQUAL,
    AST_IN,
};

/* What the checker found out. */
enum ast_meaning {
    AST_MEANS_ITSELF, /* what the kind says */
    AST_MEANS_COLUMN, /* ref.column; `maybe`: absent is an empty optional */
    AST_MEANS_LOCAL,  /* slot */
    AST_MEANS_VALUE,  /* value: a type's name */
    AST_MEANS_FUNCTION,
    AST_MEANS_MACRO,
    AST_MEANS_ERROR, /* value: found to be wrong, but `unchecked` */
};

struct ast_macro;

struct ast {
    enum ast_kind kind;
    enum ast_operator operator;
    enum ast_meaning meaning;
    bool absolute;              /* NAME: .name */
    bool member;                /* CALL */
    bool optional;              /* SELECT .?f, INDEX [?i]; element or key of a LIST or MAP: ?x */
    bool maybe;                 /* COLUMN, LOCAL chain: an optional on the way */
    bool quoted;                /* SELECT .`name` */
    uint32_t at, len;           /* bytes of the source */
    uint32_t name_at, name_len; /* of the name or operator in it */
    uint32_t count, height;
    struct leat_slice name;
    struct leat_value value; /* LITERAL */
    struct ast *first, *last, *next;

    const struct leat_type *type; /* never NULL behind the checker */
    struct leat_ref ref;
    uint32_t slot; /* LOCAL, and the first variable of a MACRO */
    const struct leat_function *function;
    const struct ast_macro *macro;
    bool whole; /* DIVIDE: both are int, or both uint */
};

/* Where text comes from and mistakes go to. `shift` is added to places: the expression stands there
 * inside the scalar (templates). */
struct ast_source {
    struct leat_slice text;
    const struct leat_node *node;
    size_t shift;
    struct leat_arena *arena;
    struct leat_diags *diags;
};

LEAT_PRINTF(4, 5)
struct leat_diag *ast_error(const struct ast_source *s, size_t at, size_t len, const char *fmt,
                            ...);

/* NULL after the first mistake. */
struct ast *ast_parse(const struct ast_source *s);

/* The node tree is out of memory. Says so once; returns NULL. */
struct ast *ast_no_memory(const struct ast_source *s);

#endif
