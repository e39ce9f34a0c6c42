/*
 * pane_early.c - results of windows that have not ended yet (`emit: { every }`).
 *
 * Every so often, by the time of batches, each open window speaks for the keys that got rows since
 * it last did; what it says is made anew from the panes, so the final results cost what they always
 * do.
 */
#include "op/group_in.h"
#include "op/pane.h"

static const void *own(const struct leat_pane *pane)
{
    return pane->partials;
}

/* Is one of the key's panes of this window not yet told? */
static bool has_news(const struct leat_pane *pane, const struct leat_window *window,
                     int64_t said_ms)
{
    for (; pane && pane->bucket->start_ms < window->end_ms; pane = pane->next)
        if (pane->touched_ms > said_ms && pane->bucket->start_ms >= window->start_ms)
            return true;
    return false;
}

static enum leat_status merge_list(const struct leat_group *g, struct leat_work *w,
                                   const struct leat_pane *pane, const struct leat_window *window,
                                   void *into, struct leat_error *err)
{
    for (; pane && pane->bucket->start_ms < window->end_ms; pane = pane->next)
        if (pane->bucket->start_ms >= window->start_ms &&
            g->agg->merge(g, w, into, own(pane), err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status speak(const struct leat_group *g, struct leat_work *w,
                              const struct leat_entry *e, const struct leat_window *window,
                              int64_t said_ms, void *spare, struct leat_error *err)
{
    const struct leat_pane_key *k = leat_pane_key_of(e);
    struct leat_result r = {.key = e->key, .window = *window, .time_ms = window->end_ms - 1};

    if (!has_news(k->inside.first, window, said_ms) && !has_news(k->wait_first, window, said_ms))
        return LEAT_OK;
    enum leat_status status = merge_list(g, w, k->inside.first, window, spare, err);
    if (status == LEAT_OK)
        status = merge_list(g, w, k->wait_first, window, spare, err);
    if (status == LEAT_OK)
        status = g->agg->emit(g, w, &r, spare, err);
    leat_group_release(g, w, spare);
    memset(spare, 0, g->partial_size);
    return status;
}

enum leat_status leat_panes_early(const struct leat_group *g, struct leat_panes *p,
                                  struct leat_work *w, void *spare, struct leat_error *err)
{
    int64_t now_ms = w->task->batch->time_ms, said_ms = p->early_ms, end_ms, last_ms;

    if (p->early_ms != LEAT_NO_TIME && now_ms - p->early_ms < g->emit_every_ms)
        return LEAT_OK;
    p->early_ms = now_ms;
    if (!p->first)
        return LEAT_OK;
    end_ms = leat_grid_first_end(&g->grid, p->first->start_ms);
    if (p->fired_ms != LEAT_NO_TIME && end_ms <= p->fired_ms)
        end_ms = leat_grid_next_end(&g->grid, p->fired_ms);
    last_ms = leat_grid_last_end(&g->grid, p->last->start_ms);
    for (; end_ms <= last_ms; end_ms = leat_grid_next_end(&g->grid, end_ms)) {
        struct leat_window window = {leat_grid_start(&g->grid, end_ms), end_ms, false};
        for (struct leat_entry *e = p->keys.first; e; e = e->next) {
            if (speak(g, w, e, &window, said_ms, spare, err) != LEAT_OK)
                return err->status;
            leat_work_tidy(w);
        }
    }
    return LEAT_OK;
}
