/*
 * pane_merged.c - what all panes of a key inside the window give together, without an inverse.
 *
 * DABA, the de-amortized bankers' aggregator (Tangwongsan, Hirzel, Schneider: "Low-latency
 * sliding-window aggregation in worst-case constant time", DEBS 2017; "In-order sliding-window
 * aggregation in worst-case constant time", VLDB Journal 2021): at most four merges for a pane that
 * enters, three for one that leaves, one for a result, whatever the length of the window. Panes
 * keep their own partial result beside the merged one, so that late rows and state need no undoing.
 *
 * The list of panes, from the oldest, is cut by five marks: first <= l <= r <= a <= b <= end. With
 * v(x) for a pane's own result, each pane x holds the merged result of
 *     [first, l)  x .. b-1         [r, a)  r .. x          [b, end)  b .. x
 *     [l, r)      x .. r-1         [a, b)  x .. b-1
 * and |[first, b)| - |[b, end)| = |[l, r)| + |[r, a)| + |[a, b)| + 1, |[l, r)| = |[r, a)|, or the
 * list is empty. So first holds all up to b, and the last one all from b on.
 */
#include "op/pane.h"

#include "op/group_in.h"

static void *own(const struct leat_pane *p)
{
    return (void *)(uintptr_t)p->partials;
}

static void *merged(const struct leat_group *g, const struct leat_pane *p)
{
    return (char *)own(p) + g->partial_size;
}

/* The pane before mark x. */
static struct leat_pane *before(const struct leat_inside *in, const struct leat_pane *x)
{
    return x ? x->prev : in->last;
}

static enum leat_status add(const struct leat_group *g, struct leat_work *w, void *into,
                            const void *from, struct leat_error *err)
{
    return g->agg->merge(g, w, into, from, err);
}

/* merged(p) = left, then right; either may be NULL. It aliases neither. */
static enum leat_status set(const struct leat_group *g, struct leat_work *w, struct leat_pane *p,
                            const void *left, const void *right, struct leat_error *err)
{
    void *into = merged(g, p);

    leat_group_release(g, w, into);
    memset(into, 0, g->partial_size);
    if (left && add(g, w, into, left, err) != LEAT_OK)
        return err->status;
    return right ? add(g, w, into, right, err) : LEAT_OK;
}

/* One step of the work that makes [l, b) into what [first, l) is. */
static enum leat_status shrink(const struct leat_group *g, struct leat_work *w,
                               struct leat_inside *in, struct leat_error *err)
{
    struct leat_pane *l = in->l, *before_a = before(in, in->a);
    const void *of_a = in->a == in->b ? NULL : merged(g, in->a);

    if (in->r != in->a && add(g, w, merged(g, l), merged(g, before_a), err) != LEAT_OK)
        return err->status;
    if (of_a && add(g, w, merged(g, l), of_a, err) != LEAT_OK)
        return err->status;
    in->l = l->next;
    if (set(g, w, before_a, own(before_a), of_a, err) != LEAT_OK)
        return err->status;
    in->a = before_a;
    return LEAT_OK;
}

static enum leat_status fix(const struct leat_group *g, struct leat_work *w, struct leat_inside *in,
                            struct leat_error *err)
{
    if (in->first == in->b) {
        in->l = in->r = in->a = in->b = NULL;
        return LEAT_OK;
    }
    if (in->l == in->b) { /* all of the front is done: what came since becomes the front */
        in->l = in->first;
        in->a = in->b = NULL;
    }
    if (in->l != in->r)
        return shrink(g, w, in, err);
    in->l = in->r = in->a = in->a->next;
    return LEAT_OK;
}

enum leat_status leat_merged_push(const struct leat_group *g, struct leat_work *w,
                                  struct leat_inside *in, struct leat_pane *pane,
                                  struct leat_error *err)
{
    const void *back = in->b ? merged(g, pane->prev) : NULL;

    in->l = in->l ? in->l : pane;
    in->r = in->r ? in->r : pane;
    in->a = in->a ? in->a : pane;
    in->b = in->b ? in->b : pane;
    if (set(g, w, pane, back, own(pane), err) != LEAT_OK)
        return err->status;
    return fix(g, w, in, err);
}

enum leat_status leat_merged_pop(const struct leat_group *g, struct leat_work *w,
                                 struct leat_inside *in, struct leat_error *err)
{
    return fix(g, w, in, err);
}

enum leat_status leat_merged_anew(const struct leat_group *g, struct leat_work *w,
                                  struct leat_inside *in, struct leat_error *err)
{
    for (struct leat_pane *p = in->last; p; p = p->prev)
        if (set(g, w, p, own(p), p->next ? merged(g, p->next) : NULL, err) != LEAT_OK)
            return err->status;
    in->l = in->r = in->a = in->first ? in->first->next : NULL;
    in->b = NULL;
    return LEAT_OK;
}

enum leat_status leat_merged_all(const struct leat_group *g, struct leat_work *w,
                                 const struct leat_inside *in, void *into, struct leat_error *err)
{
    if (in->first && in->first != in->b && add(g, w, into, merged(g, in->first), err) != LEAT_OK)
        return err->status;
    return in->b ? add(g, w, into, merged(g, in->last), err) : LEAT_OK;
}
