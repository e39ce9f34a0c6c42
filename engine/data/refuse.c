#include "data/refuse.h"

#define KEEP_BYTES ((size_t)65536)

enum leat_status leat_refuse(struct leat_refusals *all, const int64_t *row, struct leat_slice to,
                             struct leat_slice why, struct leat_error *err)
{
    struct leat_refused *r = leat_arena_alloc(&all->arena, sizeof *r);

    if (!r)
        return leat_arena_failed(&all->arena, err);
    r->row = row;
    r->to = leat_arena_copy(&all->arena, to);
    r->why = leat_arena_copy(&all->arena, why);
    if (!r->to.ptr || !r->why.ptr)
        return leat_arena_failed(&all->arena, err);
    if (all->last)
        all->last->next = r;
    else
        all->first = r;
    all->last = r;
    return LEAT_OK;
}

void leat_refusals_clear(struct leat_refusals *all)
{
    all->first = all->last = NULL;
    leat_arena_recycle(&all->arena, KEEP_BYTES);
}
