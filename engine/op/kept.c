#include "op/kept.h"

#include <stdlib.h>

static bool make_room(struct leat_kept_list *l, struct leat_pool *pool, uint32_t more)
{
    uint32_t room = l->room ? l->room * 2 : 4;
    struct leat_kept *items;

    if (l->room - l->count >= more)
        return true;
    while (room - l->count < more)
        room *= 2;
    items = leat_pool_alloc(pool, room * sizeof *items);
    if (!items)
        return false;
    if (l->count)
        memcpy(items, l->items, l->count * sizeof *items);
    leat_pool_free(pool, l->items, l->room * sizeof *items);
    l->items = items;
    l->room = room;
    return true;
}

static void free_item(struct leat_kept *k, struct leat_pool *pool)
{
    leat_held_free(&k->value, pool);
    leat_held_free(&k->key, pool);
    leat_held_free(&k->by, pool);
    leat_order_free(&k->order, pool);
}

bool leat_kept_add(struct leat_kept_list *l, struct leat_work *w, const struct leat_kept_row *row)
{
    if (!make_room(l, w->pool, 1))
        return false;
    struct leat_kept *k = &l->items[l->count];
    *k = (struct leat_kept){.time_ms = row->time_ms};
    if (!leat_held_set(&k->value, w->pool, w->scratch, row->value) ||
        (row->key && !leat_held_set(&k->key, w->pool, w->scratch, *row->key)) ||
        (row->by && !leat_held_set(&k->by, w->pool, w->scratch, *row->by)) ||
        !leat_order_set(&k->order, w->pool, &row->order)) {
        free_item(k, w->pool);
        return false;
    }
    l->count++;
    return true;
}

bool leat_kept_append(struct leat_kept_list *l, struct leat_work *w,
                      const struct leat_kept_list *from)
{
    if (!make_room(l, w->pool, from->count))
        return false;
    for (uint32_t i = 0; i < from->count; i++) {
        const struct leat_kept *f = &from->items[i];
        struct leat_kept *k = &l->items[l->count];
        *k = (struct leat_kept){.time_ms = f->time_ms};
        if (!leat_held_copy(&k->value, w->pool, &f->value) ||
            !leat_held_copy(&k->key, w->pool, &f->key) ||
            !leat_held_copy(&k->by, w->pool, &f->by) ||
            !leat_order_set(&k->order, w->pool, &f->order)) {
            free_item(k, w->pool);
            return false;
        }
        l->count++;
    }
    return true;
}

void leat_kept_release(struct leat_kept_list *l, struct leat_work *w)
{
    for (uint32_t i = 0; i < l->count; i++)
        free_item(&l->items[i], w->pool);
    leat_pool_free(w->pool, l->items, l->room * sizeof *l->items);
    *l = (struct leat_kept_list){0};
}

void leat_kept_encode(const struct leat_kept_list *l, struct leat_bytes *into)
{
    leat_bytes_put_u32(into, l->count);
    for (uint32_t i = 0; i < l->count; i++) {
        leat_held_encode(&l->items[i].value, into);
        leat_held_encode(&l->items[i].key, into);
        leat_held_encode(&l->items[i].by, into);
        leat_order_encode(&l->items[i].order, into);
        leat_bytes_put_u64(into, (uint64_t)l->items[i].time_ms);
    }
}

enum leat_status leat_kept_decode(struct leat_kept_list *l, struct leat_work *w,
                                  struct leat_slice *from, struct leat_error *err)
{
    struct leat_order order;
    uint32_t count;
    uint64_t time;

    if (!leat_take_u32(from, &count) || count > from->len)
        return leat_fail(err, LEAT_E_CORRUPT, "a damaged list of rows");
    for (uint32_t i = 0; i < count; i++) {
        if (!make_room(l, w->pool, 1))
            return leat_arena_failed(w->pool->arena, err);
        struct leat_kept *k = &l->items[l->count++];
        *k = (struct leat_kept){0};
        if (leat_held_decode(&k->value, w, from, err) != LEAT_OK ||
            leat_held_decode(&k->key, w, from, err) != LEAT_OK ||
            leat_held_decode(&k->by, w, from, err) != LEAT_OK)
            return err->status;
        if (!leat_order_decode(&order, from) || !leat_take_u64(from, &time))
            return leat_fail(err, LEAT_E_CORRUPT, "a damaged list of rows");
        k->time_ms = (int64_t)time;
        if (!leat_order_set(&k->order, w->pool, &order))
            return leat_arena_failed(w->pool->arena, err);
    }
    return LEAT_OK;
}

/* ---- order */

struct by {
    leat_kept_compare *compare;
    void *arg;
};

static int compare_pointers(const void *x, const void *y, void *arg)
{
    const struct leat_kept *a = *(const struct leat_kept *const *)x;
    const struct leat_kept *b = *(const struct leat_kept *const *)y;
    const struct by *by = arg;
    int order = by->compare(a, b, by->arg);

    return order ? order : (a > b) - (a < b); /* of one array: as they came */
}

const struct leat_kept **leat_kept_sorted(const struct leat_kept_list *l, struct leat_arena *arena,
                                          leat_kept_compare *compare, void *arg)
{
    const struct leat_kept **list = leat_arena_array(arena, l->count + 1, sizeof *list);
    struct by by = {compare, arg};

    for (uint32_t i = 0; list && i < l->count; i++)
        list[i] = &l->items[i];
    if (list && l->count > 1)
        qsort_r(list, l->count, sizeof *list, compare_pointers, &by);
    return list;
}

int leat_kept_by_order(const struct leat_kept *a, const struct leat_kept *b, void *arg)
{
    (void)arg;
    return leat_order_compare(&a->order, &b->order);
}

bool leat_kept_trim(struct leat_kept_list *l, struct leat_work *w, uint32_t most,
                    leat_kept_compare *compare, void *arg)
{
    if (most == 0 || l->count < 16 || l->count / 2 < most)
        return true;
    const struct leat_kept **sorted = leat_kept_sorted(l, w->scratch, compare, arg);
    struct leat_kept *items = leat_pool_alloc(w->pool, l->room * sizeof *items);
    if (!sorted || !items) {
        leat_pool_free(w->pool, items, l->room * sizeof *items);
        return false;
    }
    for (uint32_t i = 0; i < l->count; i++)
        if (i < most)
            items[i] = *sorted[i];
        else
            free_item((struct leat_kept *)(uintptr_t)sorted[i], w->pool);
    leat_pool_free(w->pool, l->items, l->room * sizeof *items);
    l->items = items;
    l->count = most;
    return true;
}
