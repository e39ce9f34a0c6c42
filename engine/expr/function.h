/*
 * function.h - one table says everything about every function of the expression language.
 *
 * From it come the checker's overloads, the evaluator's calls, error texts, "did you mean" and
 * `leat docs functions`. functions_*.c each hold a table; function.c lists the tables. Macros (has,
 * all, map, cel.bind, ...) and operators are the compiler's own.
 */
#ifndef LEAT_EXPR_FUNCTION_H
#define LEAT_EXPR_FUNCTION_H

#include "expr/expr.h"

/* What a function may use while it runs. */
struct leat_call {
    struct leat_arena *arena; /* for what it makes; NULL from it: return leat_value_fail(BUDGET) */
    struct leat_eval *ev;
    const void *prepared; /* what prepare() made of constant arguments; NULL: nothing */
    int64_t time_ms;      /* of the batch, where a callable was given it */
};

enum leat_function_form { LEAT_FN_GLOBAL = 1, LEAT_FN_MEMBER = 2 }; /* f(x), x.f(): bits */

#define LEAT_FN_ARGS_MAX 8

struct leat_function {
    const char *name; /* "math.greatest", "split", "base64.encode" */
    unsigned form;
    /* Overloads that the checker accepts, separated by blanks, one letter per argument, the
     * receiver first: A any, B bool, I int, U uint, D double, N number, S string, Y bytes, T
     * timestamp, P duration, L list, M map, Z null; a last '*' repeats the letter before it once or
     * more. "S SI": (string) and (string, int). Behind '>' the kind of what comes out, 'A' when it
     * is not known: "S>I Y>I L>I M>I". At run time call() still checks tags: arguments may be
     * `any`. */
    const char *overloads;
    struct leat_value (*call)(struct leat_call *call, const struct leat_value *args, uint32_t n);
    /* Called once at compile time when argument `constant_arg` is a constant: a compiled regular
     * expression, a zone. What it returns lives in arena (tie a destructor to it with
     * leat_arena_on_reset). NULL after *why: a mistake in the file, told at once. */
    const void *(*prepare)(struct leat_value constant, struct leat_arena *arena, const char **why);
    uint32_t constant_arg;
    /* Called at compile time for each argument that is a constant beside others that are not: what
     * is wrong with it, or NULL. For mistakes that would be errors of every record. */
    const char *(*check)(uint32_t arg, struct leat_value constant);
    const char *signature, *help;
};

/* Charge steps against the row's budget: for functions whose work grows with the data (one per
 * element, one per KiB). False: used up, return leat_call_exhausted(). */
bool leat_call_charge(struct leat_call *call, uint64_t steps);
struct leat_value leat_call_exhausted(void);

/* The error of a function of the user's, with a copy of its words: at most 300 bytes, one line, and
 * UTF-8, whatever it put into them of a record. */
LEAT_API struct leat_value leat_call_error(struct leat_arena *arena, enum leat_value_error code,
                                           struct leat_slice text);

/* Per worker, made on first use and kept: leat_regex_scratch_new() of regex.h. */
struct leat_regex_scratch;
struct leat_regex_scratch *leat_eval_regex(struct leat_eval *ev); /* NULL: out of memory */
/* The same for zones that only data names: leat_zones_new() of zone.h. */
struct leat_zones;
struct leat_zones *leat_eval_zones(struct leat_eval *ev); /* NULL: out of memory */

/* The same for anything else, by whose it is: a place for a pointer, which is NULL at first. What
 * is there when ev goes is given to `drop`. NULL: out of memory. */
LEAT_API void **leat_eval_kept(struct leat_eval *ev, const void *owner, void (*drop)(void *kept));

/* NULL when there is none of that name with this form. */
const struct leat_function *leat_function_find(struct leat_slice name,
                                               enum leat_function_form form);
void leat_function_each(void (*fn)(const struct leat_function *f, void *arg), void *arg);

/* The tables, each ends with {0}. */
extern const struct leat_function leat_functions_core[]; /* size, conversions, type, contains ... */
extern const struct leat_function leat_functions_text[]; /* split, lpad, format, quote ... */
extern const struct leat_function leat_functions_regex[]; /* matches, extract ... */
extern const struct leat_function leat_functions_math[];  /* math.*, round, parseInt ... */
extern const struct leat_function leat_functions_time[];  /* timestamp, duration, getHours ... */
extern const struct leat_function leat_functions_list[];  /* sum, sort, slice, keys, merge ... */
extern const struct leat_function leat_functions_codec[]; /* base64, hash, parseJson, uuid ... */

#endif
