/*
 * keeper.h - a place outside where rows of push sources are kept before their senders are told
 * (`store: NAME`), and from which a pull source of the same name reads them back.
 *
 *     open  ( write* flush )*  close
 *
 * The engine goes on with an acknowledgement when flush has said LEAT_OK. What was written twice,
 * because nobody knew, is there twice.
 */
#ifndef LEAT_DATA_KEEPER_H
#define LEAT_DATA_KEEPER_H

#include "base/module.h"
#include "data/chunk.h"

struct leat_keeper {
    const char *summary; /* one line for `leat docs` */
    size_t self_size;
    const struct leat_opt *opts;
    enum leat_status (*check)(const void *self, struct leat_error *err); /* as leat_module.check */
    /* The option that names the place, a text; where the file does not give it, the planner makes
     * one of the names of pipeline and source. */
    const char *place;
    /* The reader gets the same settings, without those of `own` (NULL at the end) and with those of
     * `reads` (name NULL at the end). Its fetches have `kept` set. */
    const char *const *own;
    const struct leat_keeper_setting {
        const char *name, *value;
    } * reads;
    int64_t max_record; /* bytes: no longer record can be kept */

    /* Where it goes and what that survives, for `leat explain`: "topic 'x' at ..., on 2 brokers".
     */
    void (*print)(const void *self, FILE *out);

    /* Connect; make the place, or see that it is fit to hold what it is to hold. `self` has its
     * options, all else is zero; `env` outlives it. May block for seconds. Transient: call it
     * again. */
    enum leat_status (*open)(void *self, const struct leat_env *env, struct leat_error *err);

    /* `row` is borrowed until flush has said LEAT_OK, or drop has returned. Transient: it was not
     * taken, the same row again later. */
    enum leat_status (*write)(void *self, const struct leat_row *row, struct leat_error *err);

    /* All that was written is safe. Transient: nobody knows yet, call it again, also with more
     * written. May block for seconds. */
    enum leat_status (*flush)(void *self, struct leat_error *err);

    /* Let go of what was written and is not known to be safe. May block for seconds. */
    void (*drop)(void *self);

    /* Nothing has been written for a while: take what a client library has to say. */
    void (*tick)(void *self);

    void (*close)(void *self); /* also an open that failed. Never fails */
    /* Thread: one of its own. */
};

#endif
