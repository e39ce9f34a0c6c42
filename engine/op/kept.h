/*
 * kept.h - a list of rows or values that a partial result owns: group_by_key, sort_by, collect,
 * top.
 *
 * Items stand in the order in which they came; who wants another order sorts when results go out.
 */
#ifndef LEAT_OP_KEPT_H
#define LEAT_OP_KEPT_H

#include "op/held.h"

struct leat_kept {
    struct leat_held value, key, by;
    struct leat_order order;
    int64_t time_ms;
};

struct leat_kept_list {
    struct leat_kept *items;
    uint32_t count, room;
};

/* A row to be added; everything is borrowed. */
struct leat_kept_row {
    struct leat_value value;
    const struct leat_value *key, *by; /* NULL: none is kept */
    struct leat_order order;
    int64_t time_ms;
};

/* False: the pool is full. */
LEAT_CHECKED bool leat_kept_add(struct leat_kept_list *l, struct leat_work *w,
                                const struct leat_kept_row *row);
LEAT_CHECKED bool leat_kept_append(struct leat_kept_list *l, struct leat_work *w,
                                   const struct leat_kept_list *from);
void leat_kept_release(struct leat_kept_list *l, struct leat_work *w);
void leat_kept_encode(const struct leat_kept_list *l, struct leat_bytes *into);
LEAT_CHECKED enum leat_status leat_kept_decode(struct leat_kept_list *l, struct leat_work *w,
                                               struct leat_slice *from, struct leat_error *err);

typedef int leat_kept_compare(const struct leat_kept *a, const struct leat_kept *b, void *arg);
/* The items in order, equal ones as they came; in arena. NULL: it is full. */
const struct leat_kept **leat_kept_sorted(const struct leat_kept_list *l, struct leat_arena *arena,
                                          leat_kept_compare *compare, void *arg);
int leat_kept_by_order(const struct leat_kept *a, const struct leat_kept *b, void *arg);

/* Keep the first `most` in that order, once there are twice as many: a bounded list. */
LEAT_CHECKED bool leat_kept_trim(struct leat_kept_list *l, struct leat_work *w, uint32_t most,
                                 leat_kept_compare *compare, void *arg);

#endif
