/*
 * join_near.c - `within`: rows of two streams meet when their times are at most so far apart.
 *
 * Rows of both sides are kept, per key and side by time, until the watermark is more than `within`
 * behind them: then nothing that is on time can meet them. A pair comes out in the batch in which
 * its second row comes, with the later time of the two; a row that may come out alone does when it
 * ends, with the time at which it did: its own plus `within`. So what comes out is never late for
 * those that follow.
 *
 * Costs: a row is looked at when it comes, for each one that it meets, and when it ends.
 *
 * Thread: the worker of the state partition.
 */
#include "op/join_near.h"

#include "op/group_in.h"

static void near_open(void *memory, struct leat_pool *pool)
{
    struct leat_near *n = memory;

    n->pool = pool;
    n->keys = (struct leat_table){.pool = pool, .value_size = sizeof(struct leat_near_key)};
    n->ended_ms = n->told_ended_ms = LEAT_NO_TIME;
}

struct leat_entry *leat_near_key_at(struct leat_near *n, struct leat_slice key)
{
    bool made;

    return leat_table_at(&n->keys, leat_table_hash(leat_key_hash(key), 0), 0, key, &made);
}

static struct leat_heap *heap_of(const struct leat_join *j, struct leat_near *n,
                                 const struct leat_near_row *row)
{
    return j->outer[row->side] && !row->met ? &n->alone : &n->silent;
}

static bool is_before(const struct leat_near_row *row, int64_t time_ms, uint64_t number)
{
    return row->time_ms != time_ms ? row->time_ms < time_ms : row->end.number <= number;
}

struct leat_near_row *leat_near_seek(struct leat_near_key *k, uint32_t side, int64_t time_ms,
                                     uint64_t number)
{
    struct leat_near_row *at = k->sides[side].last;

    if (!at || is_before(at, time_ms, number))
        return at;
    if (k->sides[side].near)
        at = k->sides[side].near;
    while (at && !is_before(at, time_ms, number))
        at = at->prev;
    while (at && at->next && is_before(at->next, time_ms, number))
        at = at->next;
    k->sides[side].near = at ? at : k->sides[side].first;
    return at;
}

struct leat_near_row *leat_near_add(const struct leat_join *j, struct leat_near *n,
                                    struct leat_entry *e, uint32_t side, int64_t time_ms,
                                    uint64_t number, bool met)
{
    struct leat_near_key *k = leat_near_key_of(e);
    struct leat_near_row *row = leat_pool_alloc(n->pool, sizeof *row), *at;

    if (!row)
        return NULL;
    row->entry = e;
    row->side = (uint8_t)side;
    row->time_ms = time_ms;
    row->met = met;
    row->end = (struct leat_heap_item){.at_ms = time_ms + j->group.within_ms, .number = number};
    if (!leat_heap_add(heap_of(j, n, row), n->pool, &row->end)) {
        leat_pool_free(n->pool, row, sizeof *row);
        return NULL;
    }
    at = leat_near_seek(k, side, time_ms, number);
    row->prev = at;
    row->next = at ? at->next : k->sides[side].first;
    *(row->prev ? &row->prev->next : &k->sides[side].first) = row;
    *(row->next ? &row->next->prev : &k->sides[side].last) = row;
    k->sides[side].near = row;
    return row;
}

bool leat_near_met(const struct leat_join *j, struct leat_near *n, struct leat_near_row *row)
{
    if (row->met || !j->outer[row->side])
        return true;
    leat_heap_remove(&n->alone, &row->end);
    row->met = true;
    return leat_heap_add(&n->silent, n->pool, &row->end) &&
           leat_changes_add(&n->changes, n->pool, &row->change);
}

void leat_near_remove(struct leat_near *n, struct leat_near_row *row)
{
    struct leat_near_key *k = leat_near_key_of(row->entry);

    *(row->prev ? &row->prev->next : &k->sides[row->side].first) = row->next;
    *(row->next ? &row->next->prev : &k->sides[row->side].last) = row->prev;
    if (k->sides[row->side].near == row)
        k->sides[row->side].near = row->prev ? row->prev : row->next;
    if (!k->sides[LEAT_LEFT].first && !k->sides[LEAT_RIGHT].first)
        leat_table_remove(&n->keys, row->entry);
    leat_changes_drop(&n->changes, &row->change);
    leat_held_free(&row->value, n->pool);
    leat_pool_free(n->pool, row, sizeof *row);
}

/* ---- rows that meet */

static enum leat_status put_pair(const struct leat_join *j, struct leat_work *w,
                                 struct leat_near_row *one, struct leat_near_row *other,
                                 struct leat_error *err)
{
    const struct leat_near_row *left = one->side == LEAT_LEFT ? one : other,
                               *right = one->side == LEAT_LEFT ? other : one;
    struct leat_result r = {.key = one->entry->key,
                            .time_ms =
                                one->time_ms > other->time_ms ? one->time_ms : other->time_ms};

    if (!leat_near_met(j, w->beyond, one) || !leat_near_met(j, w->beyond, other))
        return leat_arena_failed(w->pool->arena, err);
    return leat_join_row(j, w, &r, &left->value, &right->value, err);
}

static enum leat_status meet_others(const struct leat_join *j, struct leat_work *w,
                                    struct leat_near_row *row, struct leat_error *err)
{
    struct leat_near_key *k = leat_near_key_of(row->entry);
    uint32_t other = 1 - row->side;
    int64_t from_ms = row->time_ms - j->group.within_ms, to_ms = row->end.at_ms;
    struct leat_near_row *at = leat_near_seek(k, other, from_ms - 1, UINT64_MAX);

    for (at = at ? at->next : k->sides[other].first; at && at->time_ms <= to_ms; at = at->next)
        if (put_pair(j, w, row, at, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status take_in(const struct leat_join *j, struct leat_work *w,
                                struct leat_entry *e, uint32_t side, const struct leat_kept *kept,
                                struct leat_error *err)
{
    const struct leat_batch *batch = w->task->batch;
    struct leat_near *n = w->beyond;
    int64_t time_ms = j->group.event_time ? kept->time_ms : batch->time_ms - batch->interval_ms;
    struct leat_near_row *row = leat_near_add(j, n, e, side, time_ms, n->made++, false);

    if (!row || !leat_held_copy(&row->value, n->pool, &kept->value) ||
        !leat_changes_add(&n->changes, n->pool, &row->change))
        return leat_arena_failed(n->pool->arena, err);
    return meet_others(j, w, row, err);
}

/* All new rows of the left, then those of the right: in this order whatever came first, which the
 * number of tasks and the cutting of blocks may decide. */
enum leat_status leat_near_meet(const struct leat_join *j, struct leat_work *w,
                                struct leat_slice key, const struct leat_kept_list *sides,
                                struct leat_error *err)
{
    struct leat_entry *e = leat_near_key_at(w->beyond, key);

    if (!e)
        return leat_arena_failed(w->pool->arena, err);
    for (uint32_t side = LEAT_LEFT; side <= LEAT_RIGHT; side++) {
        const struct leat_kept **sorted = leat_join_sorted(w, &sides[side]);
        if (!sorted)
            return leat_arena_failed(w->scratch, err);
        for (uint32_t i = 0; i < sides[side].count; i++)
            if (take_in(j, w, e, side, sorted[i], err) != LEAT_OK)
                return err->status;
    }
    return LEAT_OK;
}

/* ---- rows that end */

static enum leat_status put_alone(const struct leat_join *j, struct leat_work *w,
                                  const struct leat_near_row *row, struct leat_error *err)
{
    const struct leat_result r = {.key = row->entry->key, .time_ms = row->end.at_ms};

    return leat_join_row(j, w, &r, row->side == LEAT_LEFT ? &row->value : NULL,
                         row->side == LEAT_RIGHT ? &row->value : NULL, err);
}

static enum leat_status near_end(const struct leat_group *g, struct leat_work *w,
                                 struct leat_error *err)
{
    const struct leat_join *j = leat_join_of(g);
    struct leat_near *n = w->beyond;
    int64_t until_ms = g->event_time ? w->task->watermark_ms : w->task->batch->time_ms;
    struct leat_near_row *row;

    if (until_ms == LEAT_NO_TIME)
        return LEAT_OK;
    while ((row = leat_near_ending(leat_heap_first(&n->alone))) && row->end.at_ms < until_ms) {
        if (put_alone(j, w, row, err) != LEAT_OK)
            return err->status;
        leat_heap_remove(&n->alone, &row->end);
        leat_near_remove(n, row);
    }
    while ((row = leat_near_ending(leat_heap_first(&n->silent))) && row->end.at_ms < until_ms) {
        leat_heap_remove(&n->silent, &row->end);
        leat_near_remove(n, row);
    }
    if (until_ms > n->ended_ms)
        n->ended_ms = until_ms;
    return LEAT_OK;
}

static int64_t near_due(const struct leat_group *g, const void *memory)
{
    const struct leat_heap_item *first =
        leat_heap_first(&((const struct leat_near *)memory)->alone);

    (void)g;
    return first ? first->at_ms + 1 : LEAT_NO_TIME;
}

static uint64_t near_keys(const void *memory)
{
    return ((const struct leat_near *)memory)->keys.count;
}

static void near_shape(const struct leat_group *g, struct leat_bytes *text)
{
    g->agg->shape(g, text);
}

const struct leat_beyond leat_near = {
    .late = true,
    .size = sizeof(struct leat_near),
    .open = near_open,
    .end = near_end,
    .append = leat_near_append,
    .snapshot = leat_near_snapshot,
    .read = leat_near_read,
    .shape = near_shape,
    .keys = near_keys,
    .due = near_due,
};
