/*
 * pane_rows.c - partial results that come to a state partition go to their keys and panes.
 */
#include "op/group_in.h"
#include "op/pane.h"

#define RUN 32 /* rows that are looked up together */

static void *own(const struct leat_pane *pane)
{
    return (void *)(uintptr_t)pane->partials;
}

/* Rows for a pane that is inside already: late, but not too late. */
static enum leat_status add_inside(const struct leat_group *g, struct leat_panes *p,
                                   struct leat_work *w, void *spare, struct leat_pane *pane,
                                   struct leat_slice bytes, struct leat_error *err)
{
    struct leat_pane_key *k = leat_pane_key_of(pane->entry);
    struct leat_slice again = bytes;

    if (p->keep == LEAT_KEEP_MERGED)
        k->dirty = true;
    if (p->keep == LEAT_KEEP_RUNNING && !k->dirty &&
        leat_group_absorb(g, w, spare, k->running, again, err) != LEAT_OK)
        return err->status;
    if (k->fresh_from && pane->bucket->start_ms >= k->fresh_from->bucket->start_ms &&
        leat_group_absorb(g, w, spare, leat_pane_fresh(g, k), again, err) != LEAT_OK)
        return err->status;
    return leat_group_absorb(g, w, spare, own(pane), bytes, err);
}

/* Keys come at random, and there are more than a cache holds: all hashes of a run first, with their
 * slots asked for, then their entries. */
static void look_ahead(const struct leat_table *t, const struct leat_chunk *chunk,
                       const uint16_t *rows, uint32_t count, uint64_t *hashes)
{
    for (uint32_t i = 0; i < count; i++) {
        hashes[i] = leat_table_hash(leat_key_hash(chunk->keys[rows[i]]), 0);
        if (t->slots)
            __builtin_prefetch(&t->slots[leat_table_home(t, hashes[i])]);
    }
    for (uint32_t i = 0; t->slots && i < count; i++)
        leat_pane_key_prefetch(t->slots[leat_table_home(t, hashes[i])].entry);
}

static enum leat_status process_row(const struct leat_group *g, struct leat_panes *p,
                                    struct leat_work *w, void *spare,
                                    const struct leat_chunk *chunk, uint16_t row, uint64_t hash,
                                    struct leat_error *err)
{
    struct leat_slice bytes = chunk->values[row];
    bool made;
    struct leat_bucket *b = leat_panes_bucket(g, p, chunk->times_ms[row]);
    struct leat_entry *e = b ? leat_table_at(&p->keys, hash, 0, chunk->keys[row], &made) : NULL;
    struct leat_pane *pane = e ? leat_panes_at(g, p, b, e, &made) : NULL;

    if (!pane || !leat_changes_add(&p->changes, p->pool, &pane->change))
        return leat_arena_failed(p->pool->arena, err);
    pane->touched_ms = w->task->batch->time_ms;
    if (b->entered)
        return add_inside(g, p, w, spare, pane, bytes, err);
    return made ? leat_group_decode(g, w, own(pane), bytes, err)
                : leat_group_absorb(g, w, spare, own(pane), bytes, err);
}

enum leat_status leat_panes_process(const struct leat_group *g, struct leat_panes *p,
                                    struct leat_work *w, void *spare, struct leat_chunk *chunk,
                                    struct leat_error *err)
{
    uint64_t hashes[RUN];

    leat_panes_pass_before(g, p, w->task);
    for (uint32_t at = 0, count; at < chunk->selected; at += count) {
        const uint16_t *rows = chunk->selection + at;
        count = chunk->selected - at < RUN ? chunk->selected - at : RUN;
        look_ahead(&p->keys, chunk, rows, count, hashes);
        for (uint32_t i = 0; i < count; i++)
            if (process_row(g, p, w, spare, chunk, rows[i], hashes[i], err) != LEAT_OK)
                return err->status;
    }
    return LEAT_OK;
}
