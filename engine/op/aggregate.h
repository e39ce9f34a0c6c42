/*
 * aggregate.h - functions over many records: sum(amount), count(), top(x, n).
 *
 * Each has a piece of the partial result of its operator. Nulls are skipped. A piece that is all
 * zero is empty, as everywhere in group.h.
 */
#ifndef LEAT_OP_AGGREGATE_H
#define LEAT_OP_AGGREGATE_H

#include "op/group.h"
#include "op/held.h"

#define LEAT_AGGREGATE_ARGS 2

enum leat_wants { LEAT_WANTS_ANY, LEAT_WANTS_NUMBER, LEAT_WANTS_BOOL };

/* One call in an expression, as planned. */
struct leat_agg_call {
    const struct leat_agg_fn *fn;
    struct leat_slice source; /* "sum(amount)" */
    uint32_t args;            /* how many are evaluated per record */
    const struct leat_type *arg_types[LEAT_AGGREGATE_ARGS];
    int64_t n;       /* a constant: top(x, n) */
    double q;        /* a constant: quantile(x, q) */
    bool approx;     /* a constant: count_distinct(x, "approx") */
    size_t offset;   /* of its piece, which it may share */
    uint32_t column; /* of what comes out */
};

struct leat_agg_fn {
    const char *name;
    uint32_t args_min, args_max; /* constants included */
    uint32_t evaluated;          /* of them; those behind are constants */
    enum leat_wants wants;       /* of the first */
    enum leat_keep keep;         /* RUNNING: there is an inverse */
    size_t size;
    enum leat_type_kind type; /* ANY: that of the first argument */
    const char *signature, *help;

    /* Read the constants; false: *why says what is wrong. NULL: there are none. */
    bool (*plan)(struct leat_agg_call *c, const struct leat_value *constants, uint32_t count,
                 const char **why);
    /* One row; args are not null. NULL: there is add_run. */
    enum leat_status (*add)(const struct leat_agg_call *c, struct leat_work *w, void *piece,
                            const struct leat_value *args, const struct leat_order *order,
                            struct leat_error *err);
    enum leat_status (*merge)(const struct leat_agg_call *c, struct leat_work *w, void *into,
                              const void *from, struct leat_error *err);
    void (*inverse)(const struct leat_agg_call *c, void *into, const void *from);
    void (*release)(const struct leat_agg_call *c, struct leat_work *w, void *piece);
    void (*encode)(const struct leat_agg_call *c, const void *piece, struct leat_bytes *into);
    enum leat_status (*decode)(const struct leat_agg_call *c, struct leat_work *w,
                               struct leat_slice *from, void *piece, struct leat_error *err);
    /* Nothing in it is borrowed from the piece. */
    struct leat_value (*result)(const struct leat_agg_call *c, const void *piece,
                                struct leat_arena *arena);

    /* All rows of a run at once, instead of add(): for what must be fast. May be NULL. `values` is
     * the column of the argument; nulls are in it. */
    void (*add_run)(const struct leat_agg_call *c, const struct leat_value *values,
                    const uint16_t *rows, void *const *partials, uint32_t count);
    bool ordered; /* add() wants to know where the row stood */
};

/* Tables, each ends with {0}. */
extern const struct leat_agg_fn leat_agg_plain[];  /* aggregate_functions.c */
extern const struct leat_agg_fn leat_agg_values[]; /* aggregate_values.c: those that keep values */
extern const struct leat_agg_fn leat_agg_lists[];  /* aggregate_lists.c: that keep many */
extern const struct leat_agg_fn leat_agg_sketch[]; /* aggregate_sketch.c: in bounded memory */

const struct leat_agg_fn *leat_agg_find(struct leat_slice name);
void leat_agg_each(void (*fn)(const struct leat_agg_fn *f, void *arg), void *arg);

/* For pieces that own nothing and are the same everywhere as bytes. */
void leat_agg_encode_plain(const struct leat_agg_call *c, const void *piece,
                           struct leat_bytes *into);
enum leat_status leat_agg_decode_plain(const struct leat_agg_call *c, struct leat_work *w,
                                       struct leat_slice *from, void *piece,
                                       struct leat_error *err);

#endif
