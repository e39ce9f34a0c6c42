/*
 * user_function.h - functions in C: what they may use, and how a loaded file shows them.
 *
 * A program with the C library hands its functions to leat_map() and others (leat_stream.h). A
 * pipeline file names one of a shared object, in the place of an expression:
 *
 *     - map: { module: "./prices.so#in_euro" }
 *
 * The object is made from a file that includes this header and ends with LEAT_FUNCTIONS:
 *
 *     cc -std=c11 -shared -fPIC $(pkg-config --cflags leat) prices.c -o prices.so
 *
 * It is code of the process: when it crashes leat does, and when a call takes longer than
 * `batch.call_timeout` the process ends. docs/examples/functions.c is one to begin with.
 */
#ifndef LEAT_EXPR_USER_FUNCTION_H
#define LEAT_EXPR_USER_FUNCTION_H

#include "base/error.h"
#include "data/value.h"

#ifdef __cplusplus
extern "C" {
#endif

struct leat_call; /* where a function gets memory, while it runs */

/* Zeroed, aligned for anything, until the engine has taken over what the function gives. NULL: the
 * batch's memory is used up; return leat_call_fail(). */
LEAT_API void *leat_call_alloc(struct leat_call *call, size_t size);
/* A copy of bytes as a string, which must be UTF-8. An error value when memory is used up, ready to
 * be returned. */
LEAT_API struct leat_value leat_call_text(struct leat_call *call, const char *ptr, size_t len);
/* In functions of a C program that get a state or a leat_rdd: the batch's time, in milliseconds
 * since 1970; elsewhere 0. */
LEAT_API int64_t leat_call_time_ms(const struct leat_call *call);
/* The error to return, with why. */
LEAT_API LEAT_PRINTF(2, 3) struct leat_value
    leat_call_fail(struct leat_call *call, const char *fmt, ...);

/* A field of a record or map, borrowed from it. Null where there is none, or it is no record. */
LEAT_API struct leat_value leat_call_field(struct leat_call *call, struct leat_value v,
                                           const char *name);
/* A record as a map, one level deep: as.items has `len` pairs of a key and a value. Other values as
 * they are. */
LEAT_API struct leat_value leat_call_expand(struct leat_call *call, struct leat_value v);

/* Put v behind the others in a list, which begins as leat_list(), or is one that the function was
 * given: of that it becomes a copy. What goes wrong becomes the list, which is then returned as it
 * is. A copy of the struct is the same list: put more into one of the two only. */
LEAT_API void leat_list_add(struct leat_call *call, struct leat_value *list, struct leat_value v);
/* The same for a field of a map, which begins as leat_map_new(), or was given; `name` is borrowed
 * as v is. No name may come twice. */
LEAT_API void leat_map_add(struct leat_call *call, struct leat_value *map, const char *name,
                           struct leat_value v);

static inline struct leat_value leat_list(void)
{
    return leat_value_empty(LEAT_LIST);
}

static inline struct leat_value leat_map_new(void)
{
    return leat_value_empty(LEAT_MAP);
}

/* ---- for pipeline files */

/* Called on any worker, several at once. `args` are borrowed for the call, and what it gives may
 * point into them, into static memory, or into what leat_call_alloc() gave. They are, by place:
 *
 *     map, map_values, flat_map, flat_map_values, filter   this, key
 *     update_state_by_key: update                          values, state, key
 *     map_with_state: init                                 this, key
 *                     update                               this, state, key
 *                     emit, when, remove                   this, state, prev, key
 *                     on_timeout                           state, key
 *     map_partitions, transform                            values, keys, time
 *
 * and what it gives is what a Lua function in that place would return (docs/lua.md). */
typedef struct leat_value leat_user_function(struct leat_call *call, const struct leat_value *args,
                                             uint32_t count);

struct leat_named_function {
    const char *name;
    leat_user_function *call;
};

#define LEAT_FUNCTIONS_ABI 1

struct leat_functions {
    unsigned abi;                           /* LEAT_FUNCTIONS_ABI this was compiled with */
    const struct leat_named_function *list; /* a NULL name at the end */
};

/* Last line of the file: LEAT_FUNCTIONS({"in_euro", in_euro}, {"is_late", is_late}). */
#define LEAT_FUNCTIONS(...)                                                                        \
    LEAT_API extern const struct leat_functions leat_functions;                                    \
    static const struct leat_named_function leat_named_functions_[] = {__VA_ARGS__, {NULL, NULL}}; \
    const struct leat_functions leat_functions = {LEAT_FUNCTIONS_ABI, leat_named_functions_}

#ifdef __cplusplus
}
#endif

#endif
