/*
 * callable.h - a function in the place of an expression.
 *
 * Wherever an operator takes an expression, a node may hand it one of these instead of text
 * (node->handed): it gets the values of the names it asks for and gives a value, or an LEAT_ERROR
 * that on_error deals with as with any other. To the operator it is a program like those that are
 * compiled, so operators know nothing of who wrote the function, or in which language.
 */
#ifndef LEAT_EXPR_CALLABLE_H
#define LEAT_EXPR_CALLABLE_H

#include "expr/function.h"

#define LEAT_CALLABLE_NAMES 5

/* Lives as long as the plan. */
struct leat_callable {
    const char *const *names; /* "this", "key", "meta.batch_time": what it gets; NULL at the end */
    uint32_t needed;          /* so many of them have to be there; for others it gets null */
    bool drops_key;           /* of map and flat_map: what comes out has no key */

    /* What it makes is in call->arena, or borrowed from args. Thread: a worker; several at once. It
     * waits for nothing. */
    struct leat_value (*call)(const struct leat_callable *self, struct leat_call *call,
                              const struct leat_value *args, uint32_t count);
};

/* Of a list or map that leat_list_add() makes: it has room behind it. Only while the call lasts,
 * since whoever has a copy later must not write there, too: what leaves a function is sealed. */
#define LEAT_GROWS 1u
static inline struct leat_value leat_value_sealed(struct leat_value v)
{
    if (v.tag == LEAT_LIST || v.tag == LEAT_MAP)
        v.flags = 0;
    return v;
}

/* leat_compile() of a node with `handed`; its text stands for the function in messages. */
const struct leat_program *leat_compile_callable(const struct leat_compile *c,
                                                 const struct leat_node *node);

#endif
