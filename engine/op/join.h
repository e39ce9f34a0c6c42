/*
 * join.h - what the parts of joins share: the plan, and rows that go out.
 */
#ifndef LEAT_OP_JOIN_H
#define LEAT_OP_JOIN_H

#include "op/group.h"
#include "op/kept.h"

#define LEAT_JOIN_SIDES 16

enum { LEAT_LEFT, LEAT_RIGHT };

/* The plan of a join or cogroup. A partial result is a list of kept rows for each side. */
struct leat_join {
    struct leat_group group; /* first */
    uint32_t sides;
    bool is_cogroup;
    bool outer[2]; /* join: rows of this side come out also without a partner */
    uint32_t columns[LEAT_JOIN_SIDES];
    /* The windows that rows came out of, when they wait here for each other: see join.c. */
    bool waits;
    struct leat_grid windows;

    struct leat_texts with, as;
    struct leat_duration within;
};

/* Of one input: which stream it is a branch of. */
struct leat_join_in {
    uint32_t side;
};

extern const struct leat_aggregator leat_join_lists;

static inline const struct leat_join *leat_join_of(const struct leat_group *g)
{
    return (const struct leat_join *)g;
}

/* One row of a join; NULL: that side is absent. */
LEAT_CHECKED enum leat_status leat_join_row(const struct leat_join *j, struct leat_work *w,
                                            const struct leat_result *r,
                                            const struct leat_held *left,
                                            const struct leat_held *right, struct leat_error *err);

/* The items of a side in their order: under event time by time, source and position, else as they
 * came. In w->scratch; NULL: that is full. */
const struct leat_kept **leat_join_sorted(struct leat_work *w, const struct leat_kept_list *l);

/* join_near.c: `within`. Called for each key with the rows of a batch. */
extern const struct leat_beyond leat_near;
LEAT_CHECKED enum leat_status leat_near_meet(const struct leat_join *j, struct leat_work *w,
                                             struct leat_slice key,
                                             const struct leat_kept_list *sides,
                                             struct leat_error *err);

#endif
