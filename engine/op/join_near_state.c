/*
 * join_near_state.c - rows that may still meet one, as bytes for the state log.
 *
 *     u8 version  i64 rows that ended before are gone  u64 number of the next row
 *     u32 rows    of each: key, u8 flags, i64 time, u64 number, and if it is new its value
 *
 * All values are absolute. That rows are gone is not told but by the time; a row that is not new
 * and not there any more was gone by then.
 */
#include "op/group_in.h"
#include "op/join_near.h"

#define VERSION 1

enum { RIGHT_SIDE = 1, MET = 2, VALUE = 4 };

static void put_head(const struct leat_near *n, uint32_t rows, struct leat_bytes *into)
{
    const uint8_t version = VERSION;

    leat_bytes_put(into, &version, 1);
    leat_bytes_put_u64(into, (uint64_t)n->ended_ms);
    leat_bytes_put_u64(into, n->made);
    leat_bytes_put_u32(into, rows);
}

static void put_row(const struct leat_near_row *row, bool value, struct leat_bytes *into)
{
    const uint8_t flags =
        (uint8_t)((row->side ? RIGHT_SIDE : 0) | (row->met ? MET : 0) | (value ? VALUE : 0));

    leat_bytes_put_slice(into, row->entry->key);
    leat_bytes_put(into, &flags, 1);
    leat_bytes_put_u64(into, (uint64_t)row->time_ms);
    leat_bytes_put_u64(into, row->end.number);
    if (value)
        leat_held_encode(&row->value, into);
}

void leat_near_append(const struct leat_group *g, void *memory, struct leat_bytes *delta)
{
    struct leat_near *n = memory;

    (void)g;
    if (!n->changes.count && n->ended_ms == n->told_ended_ms && n->made == n->told_made)
        return;
    put_head(n, n->changes.count, delta);
    for (uint32_t i = 0; i < n->changes.count; i++) {
        struct leat_near_row *row = (struct leat_near_row *)(void *)n->changes.list[i];
        put_row(row, !row->told, delta);
        row->told = true;
    }
    leat_changes_clear(&n->changes);
    n->told_ended_ms = n->ended_ms;
    n->told_made = n->made;
}

void leat_near_snapshot(const struct leat_group *g, void *memory, struct leat_bytes *all)
{
    const struct leat_near *n = memory;

    (void)g;
    put_head(n, n->silent.count + n->alone.count, all);
    for (const struct leat_entry *e = n->keys.first; e; e = e->next)
        for (uint32_t side = 0; side < 2; side++)
            for (const struct leat_near_row *row = leat_near_key_of(e)->sides[side].first; row;
                 row = row->next)
                put_row(row, true, all);
}

/* ---- back */

static enum leat_status damaged(struct leat_error *err)
{
    return leat_fail(err, LEAT_E_CORRUPT, "damaged state of a join");
}

static bool is_time(uint64_t time)
{
    return (int64_t)time >= -LEAT_GRID_TIME_MAX && (int64_t)time <= LEAT_GRID_TIME_MAX;
}

static struct leat_near_row *find(const struct leat_entry *e, uint32_t side, int64_t time_ms,
                                  uint64_t number)
{
    struct leat_near_row *row =
        e ? leat_near_seek(leat_near_key_of(e), side, time_ms, number) : NULL;

    return row && row->time_ms == time_ms && row->end.number == number ? row : NULL;
}

static enum leat_status read_row(const struct leat_join *j, struct leat_near *n,
                                 struct leat_work *w, struct leat_slice *from,
                                 struct leat_error *err)
{
    struct leat_slice key;
    uint64_t time, number;
    uint8_t flags;

    if (!leat_take_slice(from, &key) || !leat_take(from, &flags, 1) ||
        flags > (RIGHT_SIDE | MET | VALUE) || !leat_take_u64(from, &time) || !is_time(time) ||
        !leat_take_u64(from, &number))
        return damaged(err);
    uint32_t side = flags & RIGHT_SIDE;
    struct leat_entry *e =
        leat_table_find(&n->keys, leat_table_hash(leat_key_hash(key), 0), 0, key);
    struct leat_near_row *row = find(e, side, (int64_t)time, number);
    if (row && (flags & MET) && !leat_near_met(j, n, row))
        return leat_arena_failed(n->pool->arena, err);
    if (!(flags & VALUE))
        return LEAT_OK;
    if (!row) {
        if (!e)
            e = leat_near_key_at(n, key);
        row = e ? leat_near_add(j, n, e, side, (int64_t)time, number, flags & MET) : NULL;
    }
    if (!row)
        return leat_arena_failed(n->pool->arena, err);
    row->told = true;
    return leat_held_decode(&row->value, w, from, err);
}

static void drop_ended(struct leat_near *n, struct leat_heap *heap)
{
    struct leat_near_row *row;

    while ((row = leat_near_ending(leat_heap_first(heap))) && row->end.at_ms < n->ended_ms) {
        leat_heap_remove(heap, &row->end);
        leat_near_remove(n, row);
    }
}

enum leat_status leat_near_read(const struct leat_group *g, struct leat_work *w,
                                struct leat_slice bytes, struct leat_error *err)
{
    struct leat_near *n = w->beyond;
    uint64_t ended, made;
    uint32_t rows;
    uint8_t version;

    if (!leat_take(&bytes, &version, 1) || version != VERSION)
        return leat_fail(err, LEAT_E_CORRUPT, "state of a join in an unknown version");
    if (!leat_take_u64(&bytes, &ended) || !leat_take_u64(&bytes, &made) ||
        !leat_take_u32(&bytes, &rows) || ((int64_t)ended != LEAT_NO_TIME && !is_time(ended)))
        return damaged(err);
    for (uint32_t i = 0; i < rows; i++)
        if (read_row(leat_join_of(g), n, w, &bytes, err) != LEAT_OK)
            return err->status;
    n->ended_ms = n->told_ended_ms = (int64_t)ended;
    n->made = n->told_made = made;
    drop_ended(n, &n->alone);
    drop_ended(n, &n->silent);
    leat_changes_clear(&n->changes);
    return bytes.len ? damaged(err) : LEAT_OK;
}
