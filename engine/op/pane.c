#include "op/pane.h"

#include "op/group_in.h"

#define FEW_PANES 4 /* in a window */

static void *own(const struct leat_pane *pane)
{
    return (void *)(uintptr_t)pane->partials;
}

static size_t pane_size(const struct leat_group *g, const struct leat_panes *p)
{
    return sizeof(struct leat_pane) + g->partial_size * (p->keep == LEAT_KEEP_MERGED ? 2 : 1);
}

void leat_panes_init(const struct leat_group *g, struct leat_panes *p, struct leat_pool *pool)
{
    size_t running;

    p->pool = pool;
    p->keep = g->agg->keep;
    /* A window that is one pane has nothing to merge, unless what is left speaks on. A few panes
     * are merged anew with less work than it takes to carry them on. */
    if ((leat_grid_is_tumbling(&g->grid) && !g->agg->stays) ||
        (p->keep == LEAT_KEEP_MERGED && leat_grid_panes(&g->grid) <= FEW_PANES))
        p->keep = LEAT_KEEP_PANES;
    running = p->keep == LEAT_KEEP_RUNNING ? g->partial_size * (g->agg->drifts ? 2 : 1) : 0;
    p->keys =
        (struct leat_table){.pool = pool, .value_size = sizeof(struct leat_pane_key) + running};
    p->buckets = (struct leat_table){.pool = pool, .value_size = sizeof(struct leat_bucket)};
    p->fired_ms = p->early_ms = p->told_fired_ms = p->told_early_ms = LEAT_NO_TIME;
}

/* ---- results that are carried on */

static void drop_fresh(const struct leat_group *g, struct leat_work *w, struct leat_pane_key *k)
{
    if (!k->fresh_from)
        return;
    k->fresh_from = NULL;
    leat_group_release(g, w, leat_pane_fresh(g, k));
    memset(leat_pane_fresh(g, k), 0, g->partial_size);
}

static enum leat_status run_on(const struct leat_group *g, struct leat_work *w,
                               struct leat_pane_key *k, struct leat_pane *pane,
                               struct leat_error *err)
{
    if (g->agg->merge(g, w, k->running, own(pane), err) != LEAT_OK)
        return err->status;
    if (!g->agg->drifts)
        return LEAT_OK;
    if (!k->fresh_from)
        k->fresh_from = pane;
    return g->agg->merge(g, w, leat_pane_fresh(g, k), own(pane), err);
}

/* `pane` is no longer inside. */
static enum leat_status run_without(const struct leat_group *g, struct leat_work *w,
                                    struct leat_pane_key *k, const struct leat_pane *pane,
                                    struct leat_error *err)
{
    if (pane == k->fresh_from)
        drop_fresh(g, w, k);
    if (!k->fresh_from || k->inside.first != k->fresh_from)
        return g->agg->inverse(g, w, k->running, own(pane), err);
    leat_group_release(g, w, k->running);
    memcpy(k->running, leat_pane_fresh(g, k), g->partial_size);
    memset(leat_pane_fresh(g, k), 0, g->partial_size);
    k->fresh_from = NULL;
    return LEAT_OK;
}

/* ---- where a row belongs */

static void link_bucket(struct leat_panes *p, struct leat_bucket *b)
{
    struct leat_bucket *at = p->recent ? p->recent : p->last;

    while (at && at->start_ms > b->start_ms)
        at = at->prev;
    while (at && at->next && at->next->start_ms < b->start_ms)
        at = at->next;
    b->prev = at;
    b->next = at ? at->next : p->first;
    *(b->prev ? &b->prev->next : &p->first) = b;
    *(b->next ? &b->next->prev : &p->last) = b;
}

struct leat_bucket *leat_panes_bucket(const struct leat_group *g, struct leat_panes *p,
                                      int64_t start_ms)
{
    uint64_t hash = leat_table_hash(leat_key_hash(LEAT_NO_KEY), start_ms);
    bool made;

    if (p->recent && p->recent->start_ms == start_ms)
        return p->recent;
    struct leat_entry *e = leat_table_at(&p->buckets, hash, start_ms, LEAT_NO_KEY, &made);
    if (!e)
        return NULL;
    struct leat_bucket *b = (struct leat_bucket *)e->memory;
    if (made) {
        leat_grid_pane(&g->grid, start_ms, &b->start_ms, &b->end_ms);
        b->start_ms = start_ms;
        link_bucket(p, b);
        b->entered = p->fired_ms != LEAT_NO_TIME && b->end_ms <= p->fired_ms;
        if (!b->entered && (!p->waiting || start_ms < p->waiting->start_ms))
            p->waiting = b;
    }
    p->recent = b;
    return b;
}

/* The youngest pane of the key that is not younger than start_ms, in the list that the bucket says.
 */
static struct leat_pane *not_after(const struct leat_pane_key *k, const struct leat_bucket *b)
{
    struct leat_pane *at = b->entered ? k->inside.last : k->recent ? k->recent : k->wait_last;

    while (at && at->bucket->start_ms > b->start_ms)
        at = at->prev;
    if (!b->entered)
        while (at && at->next && at->next->bucket->start_ms <= b->start_ms)
            at = at->next;
    return at;
}

static void link_pane(struct leat_pane **first, struct leat_pane **last, struct leat_pane *after,
                      struct leat_pane *pane)
{
    pane->prev = after;
    pane->next = after ? after->next : *first;
    *(pane->prev ? &pane->prev->next : first) = pane;
    *(pane->next ? &pane->next->prev : last) = pane;
}

static void unlink_pane(struct leat_pane **first, struct leat_pane **last, struct leat_pane *pane)
{
    *(pane->prev ? &pane->prev->next : first) = pane->next;
    *(pane->next ? &pane->next->prev : last) = pane->prev;
}

struct leat_pane *leat_panes_at(const struct leat_group *g, struct leat_panes *p,
                                struct leat_bucket *b, struct leat_entry *e, bool *made)
{
    struct leat_pane_key *k = leat_pane_key_of(e);
    struct leat_pane *at = not_after(k, b);

    *made = !at || at->bucket != b;
    if (!*made)
        return at;
    struct leat_pane *pane = leat_pool_alloc(p->pool, pane_size(g, p));
    if (!pane)
        return NULL;
    pane->bucket = b;
    pane->entry = e;
    *(b->last ? &b->last->beside : &b->first) = pane;
    b->last = pane;
    if (!b->entered) {
        link_pane(&k->wait_first, &k->wait_last, at, pane);
        k->recent = pane;
        return pane;
    }
    link_pane(&k->inside.first, &k->inside.last, at, pane);
    k->inside.count++;
    k->dirty = true;
    leat_panes_activate(p, e);
    return pane;
}

/* ---- keys that speak */

void leat_panes_activate(struct leat_panes *p, struct leat_entry *e)
{
    struct leat_pane_key *k = leat_pane_key_of(e);

    if (k->active)
        return;
    k->active = true;
    k->active_next = NULL;
    k->active_prev = p->active_last;
    *(p->active_last ? &leat_pane_key_of(p->active_last)->active_next : &p->active_first) = e;
    p->active_last = e;
}

static void deactivate(struct leat_panes *p, struct leat_entry *e)
{
    struct leat_pane_key *k = leat_pane_key_of(e);

    if (!k->active)
        return;
    k->active = false;
    *(k->active_prev ? &leat_pane_key_of(k->active_prev)->active_next : &p->active_first) =
        k->active_next;
    *(k->active_next ? &leat_pane_key_of(k->active_next)->active_prev : &p->active_last) =
        k->active_prev;
}

void leat_panes_forget(const struct leat_group *g, struct leat_panes *p, struct leat_work *w,
                       struct leat_entry *e)
{
    struct leat_pane_key *k = leat_pane_key_of(e);

    deactivate(p, e);
    drop_fresh(g, w, k);
    if (p->keep == LEAT_KEEP_RUNNING) {
        leat_group_release(g, w, k->running);
        memset(k->running, 0, g->partial_size);
    }
    if (k->told)
        return; /* in p->stays, for the log */
    leat_changes_drop(&p->stays, &k->change);
    if (!k->wait_first)
        leat_table_remove(&p->keys, e);
}

/* The last pane has left: silent from now on, or it speaks of what is left: in batch time with
 * every window, in event time once more. */
static enum leat_status end_key(const struct leat_group *g, struct leat_panes *p,
                                struct leat_work *w, void *spare, struct leat_entry *e,
                                struct leat_error *err)
{
    struct leat_pane_key *k = leat_pane_key_of(e);
    const void *left = p->keep == LEAT_KEEP_RUNNING ? k->running : spare;

    k->stays = g->agg->stays && g->agg->stays(g, w, e->key, left);
    if ((k->stays || k->told) && !leat_changes_add(&p->stays, p->pool, &k->change))
        return leat_arena_failed(p->pool->arena, err);
    if (!k->stays)
        leat_panes_forget(g, p, w, e);
    return LEAT_OK;
}

/* It has spoken of what is left. In event time that was all: windows in which nothing is are not
 * fired one by one, and which ones are must not depend on the other keys or on batches. */
static enum leat_status end_word(const struct leat_group *g, struct leat_panes *p,
                                 struct leat_work *w, struct leat_entry *e, struct leat_error *err)
{
    struct leat_pane_key *k = leat_pane_key_of(e);

    if (!g->event_time || !k->stays)
        return LEAT_OK;
    k->stays = false;
    if (k->told && !leat_changes_add(&p->stays, p->pool, &k->change))
        return leat_arena_failed(p->pool->arena, err);
    leat_panes_forget(g, p, w, e);
    return LEAT_OK;
}

/* ---- panes that enter and leave */

static enum leat_status anew(const struct leat_group *g, struct leat_panes *p, struct leat_work *w,
                             struct leat_pane_key *k, struct leat_error *err)
{
    k->dirty = false;
    if (p->keep == LEAT_KEEP_MERGED)
        return leat_merged_anew(g, w, &k->inside, err);
    if (p->keep != LEAT_KEEP_RUNNING)
        return LEAT_OK;
    drop_fresh(g, w, k);
    leat_group_release(g, w, k->running);
    memset(k->running, 0, g->partial_size);
    for (struct leat_pane *pane = k->inside.first; pane; pane = pane->next)
        if (g->agg->merge(g, w, k->running, own(pane), err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static void move_inside(struct leat_panes *p, struct leat_pane *pane)
{
    struct leat_pane_key *k = leat_pane_key_of(pane->entry);

    unlink_pane(&k->wait_first, &k->wait_last, pane);
    if (k->recent == pane)
        k->recent = NULL;
    link_pane(&k->inside.first, &k->inside.last, k->inside.last, pane);
    k->inside.count++;
    if (k->stays) {
        k->stays = false;
        leat_changes_drop(&p->stays, &k->change);
    }
    leat_panes_activate(p, pane->entry);
}

void leat_panes_pass(struct leat_panes *p, int64_t end_ms)
{
    if (p->fired_ms != LEAT_NO_TIME && p->fired_ms >= end_ms)
        return;
    p->fired_ms = end_ms;
    for (; p->waiting && p->waiting->end_ms <= end_ms; p->waiting = p->waiting->next) {
        p->waiting->entered = true;
        for (struct leat_pane *pane = p->waiting->first; pane; pane = pane->beside) {
            leat_pane_key_of(pane->entry)->dirty = true;
            move_inside(p, pane);
        }
    }
}

void leat_panes_pass_before(const struct leat_group *g, struct leat_panes *p,
                            const struct leat_task *task)
{
    int64_t before_ms = task->watermark_before_ms;

    if (g->event_time && before_ms != LEAT_NO_TIME && (p->fired_ms < before_ms))
        leat_panes_pass(p, leat_grid_end_before(&g->grid, before_ms));
}

static enum leat_status enter(const struct leat_group *g, struct leat_panes *p, struct leat_work *w,
                              struct leat_pane *pane, struct leat_error *err)
{
    struct leat_pane_key *k = leat_pane_key_of(pane->entry);

    move_inside(p, pane);
    if (k->dirty) {
        drop_fresh(g, w, k);
        return LEAT_OK;
    }
    if (p->keep == LEAT_KEEP_MERGED)
        return leat_merged_push(g, w, &k->inside, pane, err);
    return p->keep == LEAT_KEEP_RUNNING ? run_on(g, w, k, pane, err) : LEAT_OK;
}

static void free_pane(const struct leat_group *g, struct leat_panes *p, struct leat_work *w,
                      struct leat_pane *pane)
{
    leat_group_release(g, w, own(pane));
    if (p->keep == LEAT_KEEP_MERGED)
        leat_group_release(g, w, (char *)own(pane) + g->partial_size);
    leat_changes_drop(&p->changes, &pane->change);
    leat_pool_free(p->pool, pane, pane_size(g, p));
}

static enum leat_status leave(const struct leat_group *g, struct leat_panes *p, struct leat_work *w,
                              void *spare, struct leat_pane *pane, struct leat_error *err)
{
    struct leat_entry *e = pane->entry;
    struct leat_pane_key *k = leat_pane_key_of(e);
    enum leat_status status = LEAT_OK;

    unlink_pane(&k->inside.first, &k->inside.last, pane);
    k->inside.count--;
    if (!k->dirty && p->keep == LEAT_KEEP_MERGED)
        status = leat_merged_pop(g, w, &k->inside, err);
    else if (!k->dirty && p->keep == LEAT_KEEP_RUNNING)
        status = run_without(g, w, k, pane, err);
    if (pane == k->fresh_from)
        drop_fresh(g, w, k);
    free_pane(g, p, w, pane);
    if (status != LEAT_OK || k->inside.count > 0)
        return status;
    k->dirty = false;
    return end_key(g, p, w, spare, e, err);
}

static enum leat_status enter_until(const struct leat_group *g, struct leat_panes *p,
                                    struct leat_work *w, int64_t end_ms, struct leat_error *err)
{
    for (; p->waiting && p->waiting->end_ms <= end_ms; p->waiting = p->waiting->next) {
        p->waiting->entered = true;
        for (struct leat_pane *pane = p->waiting->first; pane; pane = pane->beside) {
            if (pane->beside)
                leat_pane_key_prefetch(pane->beside->entry);
            if (enter(g, p, w, pane, err) != LEAT_OK)
                return err->status;
        }
        leat_work_tidy(w);
    }
    return LEAT_OK;
}

static void remove_first_bucket(struct leat_panes *p)
{
    struct leat_bucket *b = p->first;
    struct leat_entry *e =
        (struct leat_entry *)(void *)((char *)b - offsetof(struct leat_entry, memory));

    p->first = b->next;
    *(b->next ? &b->next->prev : &p->last) = NULL;
    if (p->recent == b)
        p->recent = NULL;
    leat_table_remove(&p->buckets, e);
}

static enum leat_status leave_before(const struct leat_group *g, struct leat_panes *p,
                                     struct leat_work *w, void *spare, int64_t start_ms,
                                     struct leat_error *err)
{
    while (p->first && p->first->entered && p->first->start_ms < start_ms) {
        for (struct leat_pane *pane = p->first->first, *next; pane; pane = next) {
            next = pane->beside;
            if (next)
                leat_pane_key_prefetch(next->entry);
            if (leave(g, p, w, spare, pane, err) != LEAT_OK)
                return err->status;
        }
        remove_first_bucket(p);
        leat_work_tidy(w);
    }
    return LEAT_OK;
}

void leat_panes_cut(const struct leat_group *g, struct leat_panes *p, struct leat_work *w)
{
    int64_t start_ms;

    if (p->fired_ms == LEAT_NO_TIME)
        return;
    start_ms = leat_grid_start(&g->grid, leat_grid_next_end(&g->grid, p->fired_ms));
    while (p->first && p->first->start_ms < start_ms) {
        for (struct leat_pane *pane = p->first->first, *next; pane; pane = next) {
            struct leat_pane_key *k = leat_pane_key_of(pane->entry);
            next = pane->beside;
            unlink_pane(&k->inside.first, &k->inside.last, pane);
            k->inside.count--;
            k->dirty = k->inside.count > 0;
            drop_fresh(g, w, k);
            if (k->inside.count == 0 && !k->stays) {
                k->told = false; /* the log says so as well */
                leat_panes_forget(g, p, w, pane->entry);
            }
            free_pane(g, p, w, pane);
        }
        remove_first_bucket(p);
    }
}

/* ---- windows that fire */

static enum leat_status emit_key(const struct leat_group *g, struct leat_panes *p,
                                 struct leat_work *w, void *spare, struct leat_entry *e,
                                 struct leat_result *r, struct leat_error *err)
{
    struct leat_pane_key *k = leat_pane_key_of(e);
    const void *result = spare;
    enum leat_status status = LEAT_OK;

    if (k->dirty && anew(g, p, w, k, err) != LEAT_OK)
        return err->status;
    r->key = e->key;
    if (p->keep == LEAT_KEEP_RUNNING)
        result = k->running;
    else if (k->inside.count == 1)
        result = own(k->inside.first);
    else if (p->keep == LEAT_KEEP_MERGED)
        status = leat_merged_all(g, w, &k->inside, spare, err);
    else
        for (struct leat_pane *pane = k->inside.first; pane && status == LEAT_OK; pane = pane->next)
            status = g->agg->merge(g, w, spare, own(pane), err);
    if (status == LEAT_OK)
        status = g->agg->emit(g, w, r, result, err);
    if (result == spare) {
        leat_group_release(g, w, spare);
        memset(spare, 0, g->partial_size);
    }
    leat_work_tidy(w);
    return status;
}

/* The next key has been asked for by the one before this: its first pane, and the key behind it. */
static void look_on(const struct leat_entry *e)
{
    const struct leat_entry *next = leat_pane_key_of(e)->active_next;

    if (!next)
        return;
    uintptr_t pane = (uintptr_t)leat_pane_key_of(next)->inside.first; /* or NULL */
    __builtin_prefetch((const void *)pane);
    __builtin_prefetch((const void *)(pane + 64));
    leat_pane_key_prefetch(leat_pane_key_of(next)->active_next);
}

static enum leat_status fire(const struct leat_group *g, struct leat_panes *p, struct leat_work *w,
                             void *spare, int64_t end_ms, struct leat_error *err)
{
    int64_t start_ms = leat_grid_start(&g->grid, end_ms);
    int64_t next_ms = leat_grid_next_end(&g->grid, end_ms);
    struct leat_result r = {.window = {start_ms, end_ms, true}, .time_ms = end_ms - 1};

    if (enter_until(g, p, w, end_ms, err) != LEAT_OK ||
        leave_before(g, p, w, spare, start_ms, err) != LEAT_OK)
        return err->status;
    for (struct leat_entry *e = p->active_first, *next; e; e = next) {
        next = leat_pane_key_of(e)->active_next;
        look_on(e);
        if (emit_key(g, p, w, spare, e, &r, err) != LEAT_OK || end_word(g, p, w, e, err) != LEAT_OK)
            return err->status;
    }
    p->fired_ms = end_ms;
    return leave_before(g, p, w, spare, leat_grid_start(&g->grid, next_ms), err);
}

static int64_t watermark(const struct leat_group *g, const struct leat_task *task)
{
    return g->event_time ? task->watermark_ms : task->batch->time_ms;
}

/* The end of the next window that has something to say, at or before until_ms. While panes are
 * inside it is the next one; across a stretch without any, the first that holds the next pane. Keys
 * that stay speak before that: in event time with the first window that has nothing of them, in
 * batch time, where batches were missed, with the last one. */
static bool next_window(const struct leat_group *g, const struct leat_panes *p, int64_t until_ms,
                        int64_t *end_ms)
{
    int64_t next_ms = LEAT_NO_TIME, data_ms = INT64_MAX;

    if (p->fired_ms != LEAT_NO_TIME)
        next_ms = leat_grid_next_end(&g->grid, p->fired_ms);
    if (p->first && p->first->entered) {
        *end_ms = next_ms;
        return next_ms <= until_ms;
    }
    if (p->waiting)
        data_ms = leat_grid_first_end(&g->grid, p->waiting->start_ms);
    if (data_ms < next_ms)
        data_ms = next_ms;
    if (p->active_first && next_ms != LEAT_NO_TIME && next_ms < data_ms && next_ms <= until_ms) {
        int64_t last_ms = data_ms <= until_ms ? data_ms - 1 : until_ms;
        *end_ms = g->event_time ? next_ms : leat_grid_end_before(&g->grid, last_ms);
        return true;
    }
    *end_ms = data_ms;
    return data_ms <= until_ms && p->waiting;
}

/* `count` speaks from the first batch on. */
static bool begin_always(const struct leat_group *g, struct leat_panes *p, struct leat_task *task)
{
    uint64_t hash = leat_table_hash(leat_key_hash(LEAT_NO_KEY), 0);
    bool made;

    if (!g->always || g->event_time || task->part != 0 || p->fired_ms != LEAT_NO_TIME)
        return true;
    struct leat_entry *e = leat_table_at(&p->keys, hash, 0, LEAT_NO_KEY, &made);
    if (!e)
        return false;
    leat_pane_key_of(e)->stays = true;
    leat_panes_activate(p, e);
    if (!leat_changes_add(&p->stays, p->pool, &leat_pane_key_of(e)->change))
        return false;
    p->fired_ms = leat_grid_end_before(&g->grid, task->batch->time_ms - task->batch->interval_ms);
    return true;
}

enum leat_status leat_panes_finish(const struct leat_group *g, struct leat_panes *p,
                                   struct leat_work *w, void *spare, struct leat_error *err)
{
    int64_t until_ms = watermark(g, w->task), end_ms;

    if (!begin_always(g, p, w->task))
        return leat_arena_failed(p->pool->arena, err);
    leat_panes_pass_before(g, p, w->task);
    while (until_ms != LEAT_NO_TIME && next_window(g, p, until_ms, &end_ms))
        if (fire(g, p, w, spare, end_ms, err) != LEAT_OK)
            return err->status;
    if (g->emit_every_ms && leat_panes_early(g, p, w, spare, err) != LEAT_OK)
        return err->status;
    return leat_group_flush(g, w, err);
}

int64_t leat_panes_due(const struct leat_group *g, const struct leat_panes *p)
{
    int64_t next_ms = LEAT_NO_TIME, data_ms;

    if (p->fired_ms != LEAT_NO_TIME)
        next_ms = leat_grid_next_end(&g->grid, p->fired_ms);
    if (p->active_first)
        return next_ms;
    if (!p->waiting)
        return LEAT_NO_TIME;
    data_ms = leat_grid_first_end(&g->grid, p->waiting->start_ms);
    return data_ms > next_ms ? data_ms : next_ms;
}
