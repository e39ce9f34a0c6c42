/*
 * plan_missing.c - what comes of a batch for which a source has no dataset (op.h: leat_missing).
 *
 * A branch is without one where its source is, up to a window or to what has a state. A stream that
 * needs one, or unites several, is the reason why such a batch fails; so behind it nothing is ever
 * missing.
 */
#include "plan/build.h"

static void needs(struct planner *p, uint64_t missing, struct leat_slice stream)
{
    for (uint32_t i = 0; i < p->plan->sources_count; i++)
        if ((missing >> i & 1) && !p->plan->sources[i].needed_by.ptr)
            p->plan->sources[i].needed_by = stream;
}

static bool has_window(const struct leat_view *view)
{
    return view->windowed || view->window.kind != LEAT_WINDOW_NONE;
}

void plan_missing_row(const struct leat_op *op, struct plan_branch *b)
{
    if (op->missing != LEAT_MISSING_PASSES || has_window(&b->view))
        b->missing = 0;
}

void plan_missing_keyed(struct planner *p, const struct leat_op *op, struct leat_slice stream,
                        const struct plan_branch *list, struct plan_branch *out)
{
    uint64_t missing = 0;

    for (; list; list = list->next)
        missing |= list->missing;
    if (op->missing == LEAT_MISSING_FAILS)
        needs(p, missing, stream);
    out->missing = op->missing == LEAT_MISSING_PASSES && !has_window(&out->view) ? missing : 0;
}

void plan_missing_union(struct planner *p, struct leat_slice stream, struct plan_branch *list)
{
    for (struct plan_branch *b = list && list->next ? list : NULL; b; b = b->next) {
        needs(p, b->missing, stream);
        b->missing = 0;
    }
}
