#include "op/session.h"

#include "op/group_in.h"

void leat_sessions_init(const struct leat_group *g, struct leat_sessions *s, struct leat_pool *pool)
{
    (void)g;
    s->pool = pool;
    s->keys = (struct leat_table){.pool = pool, .value_size = sizeof(struct leat_session_key)};
    s->fired_ms = s->early_ms = s->told_fired_ms = s->told_early_ms = LEAT_NO_TIME;
}

static size_t session_size(const struct leat_group *g)
{
    return sizeof(struct leat_session) + g->partial_size;
}

/* ---- sessions of a key */

static void free_session(const struct leat_group *g, struct leat_sessions *s, struct leat_work *w,
                         struct leat_session *x)
{
    if (x->last.place)
        leat_heap_remove(&s->heap, &x->last);
    leat_group_release(g, w, x->partial);
    leat_pool_free(s->pool, x, session_size(g));
}

void leat_sessions_remove(const struct leat_group *g, struct leat_sessions *s, struct leat_work *w,
                          struct leat_session *x)
{
    struct leat_entry *e = x->entry;
    struct leat_session_key *k = leat_session_key_of(e);
    struct leat_session **at = &k->first;

    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    k->recent = NULL;
    free_session(g, s, w, x);
    if (k->first)
        return;
    leat_changes_drop(&s->changes, &k->change);
    leat_table_remove(&s->keys, e);
}

static struct leat_session *make(const struct leat_group *g, struct leat_sessions *s,
                                 struct leat_entry *e, int64_t first_ms, int64_t last_ms)
{
    struct leat_session *x = leat_pool_alloc(s->pool, session_size(g));

    if (!x)
        return NULL;
    x->entry = e;
    x->first_ms = first_ms;
    x->last = (struct leat_heap_item){.at_ms = last_ms, .number = s->made++};
    if (!s->timed || leat_heap_add(&s->heap, s->pool, &x->last))
        return x;
    leat_pool_free(s->pool, x, session_size(g));
    return NULL;
}

/* The heap hears of each growth at once: it must be in order whenever an item leaves it. */
static void grow(struct leat_sessions *s, struct leat_session *x, int64_t last_ms)
{
    if (last_ms <= x->last.at_ms)
        return;
    x->last.at_ms = last_ms;
    if (x->last.place)
        leat_heap_later(&s->heap, &x->last);
}

/* x has grown; those that it touches now become part of it. */
static enum leat_status swallow(const struct leat_group *g, struct leat_sessions *s,
                                struct leat_work *w, struct leat_session *x, struct leat_error *err)
{
    for (struct leat_session *y; (y = x->next) && y->first_ms < x->last.at_ms + g->gap_ms;) {
        if (g->agg->merge(g, w, x->partial, y->partial, err) != LEAT_OK)
            return err->status;
        int64_t last_ms = y->last.at_ms;
        x->next = y->next;
        free_session(g, s, w, y);
        grow(s, x, last_ms);
    }
    return LEAT_OK;
}

enum leat_status leat_sessions_at(const struct leat_group *g, struct leat_sessions *s,
                                  struct leat_work *w, struct leat_slice key, int64_t first_ms,
                                  int64_t last_ms, void **partial, struct leat_error *err)
{
    bool made;
    struct leat_entry *e =
        leat_table_at(&s->keys, leat_table_hash(leat_key_hash(key), 0), 0, key, &made);
    struct leat_session **at, *x;

    if (!e)
        return leat_arena_failed(s->pool->arena, err);
    struct leat_session_key *k = leat_session_key_of(e);
    if (s->timed && !leat_changes_add(&s->changes, s->pool, &k->change))
        return leat_arena_failed(s->pool->arena, err);
    /* Rows come in order but for a few: begin at the one that was last. */
    at = k->recent && first_ms >= k->recent->first_ms ? &k->recent : &k->first;
    while (*at && (*at)->last.at_ms + g->gap_ms <= first_ms)
        at = &(*at)->next;
    x = *at;
    if (x && x->first_ms < last_ms + g->gap_ms) {
        if (first_ms < x->first_ms)
            x->first_ms = first_ms;
        grow(s, x, last_ms);
        k->recent = x;
        *partial = x->partial;
        return swallow(g, s, w, x, err);
    }
    struct leat_session *fresh = make(g, s, e, first_ms, last_ms);
    if (!fresh)
        return leat_arena_failed(s->pool->arena, err);
    fresh->next = x;
    *at = fresh;
    k->recent = fresh;
    *partial = fresh->partial;
    return LEAT_OK;
}

/* ---- stage 2 */

enum leat_status leat_sessions_process(const struct leat_group *g, struct leat_sessions *s,
                                       struct leat_work *w, void *spare, struct leat_chunk *chunk,
                                       struct leat_error *err)
{
    s->timed = true;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_slice bytes = chunk->values[row];
        uint64_t last_ms;
        void *partial;
        if (!leat_take_u64(&bytes, &last_ms) || (int64_t)last_ms < chunk->times_ms[row])
            return leat_fail(err, LEAT_E_CORRUPT, "a partial result without its session");
        if (leat_sessions_at(g, s, w, chunk->keys[row], chunk->times_ms[row], (int64_t)last_ms,
                             &partial, err) != LEAT_OK)
            return err->status;
        leat_session_with(partial)->touched_ms = w->task->batch->time_ms;
        if (leat_group_absorb(g, w, spare, partial, bytes, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status emit(const struct leat_group *g, struct leat_work *w,
                             struct leat_session *x, bool final, struct leat_error *err)
{
    int64_t end_ms = x->last.at_ms + g->gap_ms;
    struct leat_result r = {
        .key = x->entry->key, .window = {x->first_ms, end_ms, final}, .time_ms = end_ms - 1};

    return g->agg->emit(g, w, &r, x->partial, err);
}

/* Early results of sessions that grew since the last ones. */
static enum leat_status emit_early(const struct leat_group *g, struct leat_sessions *s,
                                   struct leat_work *w, struct leat_error *err)
{
    int64_t now_ms = w->task->batch->time_ms, said_ms = s->early_ms;

    if (s->early_ms != LEAT_NO_TIME && now_ms - s->early_ms < g->emit_every_ms)
        return LEAT_OK;
    s->early_ms = now_ms;
    for (struct leat_entry *e = s->keys.first; e; e = e->next)
        for (struct leat_session *x = leat_sessions_of(e); x; x = x->next)
            if (x->touched_ms > said_ms && emit(g, w, x, false, err) != LEAT_OK)
                return err->status;
    return LEAT_OK;
}

enum leat_status leat_sessions_finish(const struct leat_group *g, struct leat_sessions *s,
                                      struct leat_work *w, struct leat_error *err)
{
    int64_t until_ms = g->event_time ? w->task->watermark_ms : w->task->batch->time_ms;

    for (struct leat_session *x; until_ms != LEAT_NO_TIME && (x = leat_sessions_next(s));) {
        if (x->last.at_ms + g->gap_ms > until_ms)
            break;
        if (emit(g, w, x, true, err) != LEAT_OK)
            return err->status;
        leat_sessions_remove(g, s, w, x);
        leat_work_tidy(w);
    }
    s->fired_ms = until_ms;
    if (g->emit_every_ms && emit_early(g, s, w, err) != LEAT_OK)
        return err->status;
    return leat_group_flush(g, w, err);
}

int64_t leat_sessions_due(const struct leat_group *g, const struct leat_sessions *s)
{
    const struct leat_heap_item *first = leat_heap_first(&s->heap);

    return first ? first->at_ms + g->gap_ms : LEAT_NO_TIME;
}
