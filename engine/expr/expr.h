/*
 * expr.h - CEL expressions: compiled once, evaluated over a chunk.
 *
 * Parse, check (names, types), compile to a typed program, evaluate the selected rows of a chunk
 * into a column. Language: github.com/google/cel-spec without protobuf messages, with the additions
 * that docs/expressions.md lists. An expression has no side effect, sees no clock and always ends:
 * a step budget bounds each row. What goes wrong with a row is an error *value* in that row.
 *
 * Which names exist is the caller's business (struct leat_names). It hears every path that an
 * expression names, so "which fields does this pipeline touch?" is answered by compiling it.
 */
#ifndef LEAT_EXPR_EXPR_H
#define LEAT_EXPR_EXPR_H

#include "base/diag.h"
#include "base/option.h"
#include "data/chunk.h"
#include "data/type.h"

/* Where the value of a path is found. `used` is how many of the path's names the column stands for;
 * the rest is looked up in its value at run time. 0: all of them are, also the first. */
struct leat_ref {
    uint32_t column;
    uint32_t used;
    const struct leat_type *type;
};

enum leat_found {
    LEAT_FOUND,
    LEAT_FOUND_NOTHING, /* no such name: it may still be a type (`int`) or a namespace (`math`) */
    LEAT_FOUND_ERROR,   /* known, but wrong here: names->why says what, names->instead what to do */
};

/* An aggregate function call inside an expression: `sum(amount)`. */
struct leat_aggregate_call {
    struct leat_slice name;
    const struct leat_program *const *args; /* over one record, compiled with names->row */
    size_t count;
    struct leat_slice source; /* "sum(amount)" */
};

struct leat_names {
    /* `path` is a chain of plain names from its root: `meta.headers.x` has 3, `city` 1, `this.a.b`
     * 3; constant string indexes count (`this["user-id"]`, `meta.headers["x"]`). Variables that the
     * expression binds itself (macros, cel.bind) are never asked for. An absolute name (`.city`) is
     * asked for with an empty name in front of it, and when that finds nothing, without. */
    enum leat_found (*resolve)(struct leat_names *self, const struct leat_slice *path, size_t count,
                               struct leat_ref *ref);
    /* Call fn for every name that `parent` (NULL, 0: the roots) has, for "did you mean". NULL: none
     * can be listed. */
    void (*each)(struct leat_names *self, const struct leat_slice *parent, size_t count,
                 void (*fn)(struct leat_slice name, void *arg), void *arg);

    /* Where aggregates may stand: the names that their arguments see, and what a call becomes.
     * Returns LEAT_FOUND_NOTHING for a name that is no aggregate. NULL elsewhere. */
    struct leat_names *row;
    enum leat_found (*aggregate)(struct leat_names *self, const struct leat_aggregate_call *call,
                                 struct leat_ref *ref);

    const char *given_by;      /* "fields are given by ...": behind an unknown field; may be NULL */
    const char *why, *instead; /* set with LEAT_FOUND_ERROR; static or as long as the names */
};

struct leat_program; /* immutable; lives in the arena given to compile; shared by all threads */

struct leat_compile {
    struct leat_names *names;
    struct leat_arena *arena; /* of the plan */
    struct leat_diags *diags;
    bool unchecked; /* conformance only: unknown names and functions become error values */
};

/* Compile the expression that stands in a scalar (its text; never YAML's type). NULL: what is wrong
 * is in diags, with its place inside the scalar. A list or map node is an error here. */
LEAT_API const struct leat_program *leat_compile(const struct leat_compile *c,
                                                 const struct leat_node *node);

/* A template: text with {expr} and {timestamp:%Y-%m-%d}; gives a string. `rules` adds what a path
 * or a topic must obey; `files`: {file} is allowed, and becomes the given text at run time by the
 * sink (the two bytes \x01f mark its place). */
LEAT_API const struct leat_program *leat_compile_template(const struct leat_compile *c,
                                                          const struct leat_node *node,
                                                          enum leat_template_rules rules);

LEAT_API const struct leat_type *leat_program_type(const struct leat_program *p);
LEAT_API struct leat_slice leat_program_source(const struct leat_program *p);
/* Nothing but a column: it can be used in place, without evaluating. */
LEAT_API bool leat_program_is_column(const struct leat_program *p, uint32_t *column);
LEAT_API bool leat_program_is_constant(const struct leat_program *p, struct leat_value *v);
LEAT_API void leat_program_columns(const struct leat_program *p,
                                   void (*fn)(uint32_t column, void *arg), void *arg);

/* What evaluation needs beside the chunk: stack, match data, zones, budget. One per worker; no
 * lock. NULL: out of memory. */
struct leat_eval *leat_eval_new(void);
void leat_eval_free(struct leat_eval *ev);
/* A call of a user's function that takes longer ends the process, saying so (expr/watch.h). `job`
 * lives as long as ev. Without it there is no limit. */
void leat_eval_limit_calls(struct leat_eval *ev, struct leat_slice job, unsigned limit_s);

#define LEAT_EVAL_STEPS                                                                            \
    1000000 /* per row; every call, element and byte-wise kilobyte is a step                       \
             */

/* Fill column `out` of the selected rows. Made text and lists are in chunk->arena; when that is
 * full the row gets LEAT_V_BUDGET. Thread: the worker that owns ev. */
LEAT_API void leat_eval_chunk(const struct leat_program *p, struct leat_eval *ev,
                              struct leat_chunk *chunk, uint32_t out);
LEAT_API struct leat_value leat_eval_row(const struct leat_program *p, struct leat_eval *ev,
                                         const struct leat_chunk *chunk, uint32_t row);

/* Every function, macro and operator, for `leat docs functions`: from the table that the checker
 * reads. */
struct leat_function_doc {
    const char *name, *signature, *help;
};
void leat_functions_each(void (*fn)(const struct leat_function_doc *doc, void *arg), void *arg);

#endif
