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
#include "expr/watch.h"

#define LEAT_CALLABLE_NAMES 5

struct leat_many;

/* Lives as long as the plan. */
struct leat_callable {
    const char *const *names; /* "this", "key", "meta.batch_time": what it gets; NULL at the end */
    uint32_t needed;          /* so many of them have to be there; for others it gets null */
    bool drops_key;           /* of map and flat_map: what comes out has no key */
    bool gives_pair;          /* of map_to_pair: it has `rows`, which gives keys, too */

    /* What it makes is in call->arena, or borrowed from args. Thread: a worker; several at once. It
     * waits for nothing. */
    struct leat_value (*call)(const struct leat_callable *self, struct leat_call *call,
                              const struct leat_value *args, uint32_t count);

    /* The same for the rows of a chunk, which costs less than many times `call`. NULL: `call` it
     * is. */
    void (*rows)(const struct leat_callable *self, struct leat_many *many);
};

/* Of a list or map that leat_list_add() makes: it has room behind it. Only while the call lasts,
 * since whoever has a copy later must not write there, too: what leaves a function is sealed. */
#define LEAT_GROWS 1u
static inline struct leat_value leat_value_sealed(struct leat_value v)
{
    v.flags = 0;
    return v;
}

/* Calls of one function by one worker, one behind the other. It stays where it is. */
struct leat_calls {
    const struct leat_callable *callable;
    const struct leat_watched *watched;
    struct leat_call call;
    struct leat_watch_run run;
};

static inline struct leat_value leat_calls_one(struct leat_calls *c, const struct leat_value *args,
                                               uint32_t count)
{
    leat_watch_enter(&c->run, c->watched);
    struct leat_value v = c->callable->call(c->callable, &c->call, args, count);
    leat_watch_leave(&c->run);
    return leat_value_sealed(v);
}

/* Rows, and where what a function gives for them goes. Before each call: leat_watch_enter(), behind
 * it: leat_watch_leave(). */
struct leat_many {
    struct leat_calls calls;
    const struct leat_value *args[LEAT_CALLABLE_NAMES]; /* by row; NULL: all are null */
    const uint16_t *rows;
    uint32_t count;
    struct leat_value *values, *keys; /* by row; keys: of one that gives pairs */
};

/* Is the program a function that gets the first values in the order of its names, all of them? Then
 * leat_calls_one() may be used with them instead of evaluating it, until the arena is rewound. None
 * of the values may be an LEAT_ERROR. */
bool leat_calls_begin(struct leat_calls *c, const struct leat_program *p, struct leat_eval *ev,
                      struct leat_arena *arena);

/* leat_eval_chunk() of a function; with one that gives pairs, `keys` is the column of those. A row
 * for which it failed has the error as its value. */
void leat_eval_many(const struct leat_program *p, struct leat_eval *ev, struct leat_chunk *chunk,
                    uint32_t values, uint32_t keys);

/* leat_compile() of a node with `handed`; its text stands for the function in messages. */
const struct leat_program *leat_compile_callable(const struct leat_compile *c,
                                                 const struct leat_node *node);

#endif
