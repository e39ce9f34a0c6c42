/*
 * pane_state.c - windows as bytes for the state log: what a batch changed, all, and back.
 *
 *     u8 version  i64 last window fired  i64 time of the last early results
 *     u32 panes   of each: key, i64 start, i64 touched, partial result   (slices: u32 length,
 * bytes) u32 keys    of each: key, u8 does it stay without panes, partial result
 *
 * All values are absolute. What has left the windows is not told: reading drops what no window
 * behind the last fired one needs.
 */
#include "op/group_in.h"
#include "op/pane.h"

#include <endian.h>

#define VERSION 2

static void put_head(const struct leat_panes *p, uint32_t panes, struct leat_bytes *into)
{
    uint8_t version = VERSION;

    leat_bytes_put(into, &version, 1);
    leat_bytes_put_u64(into, (uint64_t)p->fired_ms);
    leat_bytes_put_u64(into, (uint64_t)p->early_ms);
    leat_bytes_put_u32(into, panes);
}

static void put_partial(const struct leat_group *g, const void *partial, struct leat_bytes *into)
{
    size_t at = into->len;

    leat_bytes_put_u32(into, 0);
    g->agg->encode(g, partial, into);
    if (into->failed)
        return;
    uint32_t len = htole32((uint32_t)(into->len - at - 4));
    memcpy(into->ptr + at, &len, 4);
}

static void put_pane(const struct leat_group *g, const struct leat_pane *pane,
                     struct leat_bytes *into)
{
    leat_bytes_put_slice(into, pane->entry->key);
    leat_bytes_put_u64(into, (uint64_t)pane->bucket->start_ms);
    leat_bytes_put_u64(into, (uint64_t)pane->touched_ms);
    put_partial(g, pane->partials, into);
}

static void put_stay(const struct leat_group *g, const struct leat_panes *p,
                     const struct leat_entry *e, struct leat_bytes *into)
{
    const uint8_t stays = leat_pane_key_of(e)->stays;

    leat_bytes_put_slice(into, e->key);
    leat_bytes_put(into, &stays, 1);
    if (stays && p->keep == LEAT_KEEP_RUNNING)
        put_partial(g, leat_pane_key_of(e)->running, into);
    else
        leat_bytes_put_u32(into, 0);
}

static struct leat_entry *entry_of(const struct leat_change *change)
{
    const char *key = (const char *)change;

    return (struct leat_entry *)(uintptr_t)(key - offsetof(struct leat_entry, memory));
}

/* Keys that were kept for their end to be told. */
static void tell_stays(struct leat_panes *p, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct leat_entry *e = entry_of(p->stays.list[i]);
        struct leat_pane_key *k = leat_pane_key_of(e);
        k->told = k->stays;
        if (!k->stays && !k->inside.first && !k->wait_first)
            leat_table_remove(&p->keys, e);
    }
}

void leat_panes_append(const struct leat_group *g, struct leat_panes *p, struct leat_bytes *delta)
{
    uint32_t stays = p->stays.count;

    if (!stays && !p->changes.count && p->fired_ms == p->told_fired_ms &&
        p->early_ms == p->told_early_ms)
        return;
    put_head(p, p->changes.count, delta);
    for (uint32_t i = 0; i < p->changes.count; i++)
        put_pane(g, (const struct leat_pane *)(const void *)p->changes.list[i], delta);
    leat_bytes_put_u32(delta, stays);
    for (uint32_t i = 0; i < stays; i++)
        put_stay(g, p, entry_of(p->stays.list[i]), delta);
    leat_changes_clear(&p->changes);
    leat_changes_clear(&p->stays);
    tell_stays(p, stays);
    p->told_fired_ms = p->fired_ms;
    p->told_early_ms = p->early_ms;
}

void leat_panes_snapshot(const struct leat_group *g, struct leat_panes *p, struct leat_bytes *all)
{
    uint32_t panes = 0, stays = 0;

    for (const struct leat_bucket *b = p->first; b; b = b->next)
        for (const struct leat_pane *pane = b->first; pane; pane = pane->beside)
            panes++;
    for (const struct leat_entry *e = p->keys.first; e; e = e->next)
        stays += leat_pane_key_of(e)->stays;
    put_head(p, panes, all);
    for (const struct leat_bucket *b = p->first; b; b = b->next)
        for (const struct leat_pane *pane = b->first; pane; pane = pane->beside)
            put_pane(g, pane, all);
    leat_bytes_put_u32(all, stays);
    for (const struct leat_entry *e = p->keys.first; e; e = e->next)
        if (leat_pane_key_of(e)->stays)
            put_stay(g, p, e, all);
}

/* ---- back */

static enum leat_status damaged(struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CORRUPT, "damaged state of windows");
}

static struct leat_entry *key_at(struct leat_panes *p, struct leat_slice key)
{
    bool made;

    return leat_table_at(&p->keys, leat_table_hash(leat_key_hash(key), 0), 0, key, &made);
}

static enum leat_status decode(const struct leat_group *g, struct leat_work *w,
                               struct leat_slice bytes, void *partial, struct leat_error *err)
{
    leat_group_release(g, w, partial);
    memset(partial, 0, g->partial_size);
    if (g->agg->decode(g, w, &bytes, partial, err) != LEAT_OK)
        return err->status;
    return bytes.len ? damaged(err) : LEAT_OK;
}

static enum leat_status read_pane(const struct leat_group *g, struct leat_panes *p,
                                  struct leat_work *w, struct leat_slice *from,
                                  struct leat_error *err)
{
    struct leat_slice key, bytes;
    int64_t start_ms, end_ms;
    uint64_t start, touched;
    bool made;

    if (!leat_take_slice(from, &key) || !leat_take_u64(from, &start) ||
        !leat_take_u64(from, &touched) || !leat_take_slice(from, &bytes))
        return damaged(err);
    int64_t wanted_ms = (int64_t)start;
    if (wanted_ms < -LEAT_GRID_TIME_MAX || wanted_ms > LEAT_GRID_TIME_MAX ||
        !leat_grid_pane(&g->grid, wanted_ms, &start_ms, &end_ms) || start_ms != wanted_ms)
        return damaged(err);
    struct leat_bucket *b = leat_panes_bucket(g, p, start_ms);
    struct leat_entry *e = b ? key_at(p, key) : NULL;
    struct leat_pane *pane = e ? leat_panes_at(g, p, b, e, &made) : NULL;
    if (!pane)
        return leat_arena_failed(p->pool->arena, err);
    pane->touched_ms = (int64_t)touched;
    if (b->entered) {
        leat_pane_key_of(e)->dirty = true;
        leat_pane_key_of(e)->stays = false;
    }
    return decode(g, w, bytes, pane->partials, err);
}

static enum leat_status read_stay(const struct leat_group *g, struct leat_panes *p,
                                  struct leat_work *w, struct leat_slice *from,
                                  struct leat_error *err)
{
    struct leat_slice key, bytes;
    uint8_t stays;

    if (!g->agg->stays || !leat_take_slice(from, &key) || !leat_take(from, &stays, 1) ||
        stays > 1 || !leat_take_slice(from, &bytes))
        return damaged(err);
    struct leat_entry *e = key_at(p, key);
    if (!e)
        return leat_arena_failed(p->pool->arena, err);
    struct leat_pane_key *k = leat_pane_key_of(e);
    k->stays = k->told = stays;
    if (!stays && !k->inside.first)
        leat_panes_forget(g, p, w, e);
    if (!stays)
        return LEAT_OK;
    leat_panes_activate(p, e);
    return p->keep == LEAT_KEEP_RUNNING ? decode(g, w, bytes, k->running, err) : LEAT_OK;
}

enum leat_status leat_panes_read(const struct leat_group *g, struct leat_panes *p,
                                 struct leat_work *w, struct leat_slice bytes,
                                 struct leat_error *err)
{
    uint32_t panes, stays;
    uint64_t fired, early;
    uint8_t version;

    if (!leat_take(&bytes, &version, 1) || version != VERSION)
        return leat_fail(err, LEAT_E_CORRUPT, "state of windows in an unknown version");
    if (!leat_take_u64(&bytes, &fired) || !leat_take_u64(&bytes, &early) ||
        !leat_take_u32(&bytes, &panes))
        return damaged(err);
    int64_t fired_ms = (int64_t)fired;
    if (fired_ms != LEAT_NO_TIME) {
        if (fired_ms < -LEAT_GRID_TIME_MAX || fired_ms > LEAT_GRID_TIME_MAX ||
            leat_grid_end_before(&g->grid, fired_ms) != fired_ms)
            return damaged(err);
        leat_panes_pass(p, fired_ms);
    }
    for (uint32_t i = 0; i < panes; i++)
        if (read_pane(g, p, w, &bytes, err) != LEAT_OK)
            return err->status;
    if (!leat_take_u32(&bytes, &stays))
        return damaged(err);
    for (uint32_t i = 0; i < stays; i++)
        if (read_stay(g, p, w, &bytes, err) != LEAT_OK)
            return err->status;
    leat_panes_cut(g, p, w);
    leat_changes_clear(&p->changes);
    p->early_ms = p->told_early_ms = (int64_t)early;
    p->told_fired_ms = p->fired_ms;
    return bytes.len ? damaged(err) : LEAT_OK;
}
