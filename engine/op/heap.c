#include "op/heap.h"

static bool is_before(const struct leat_heap_item *a, const struct leat_heap_item *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

static void put(struct leat_heap *h, uint32_t place, struct leat_heap_item *x)
{
    h->list[place] = x;
    x->place = place;
}

static void sift_up(struct leat_heap *h, uint32_t place, struct leat_heap_item *x)
{
    for (; place > 1 && is_before(x, h->list[place / 2]); place /= 2)
        put(h, place, h->list[place / 2]);
    put(h, place, x);
}

static void sift_down(struct leat_heap *h, uint32_t place, struct leat_heap_item *x)
{
    for (uint32_t child; (child = place * 2) <= h->count; place = child) {
        if (child < h->count && is_before(h->list[child + 1], h->list[child]))
            child++;
        if (!is_before(h->list[child], x))
            break;
        put(h, place, h->list[child]);
    }
    put(h, place, x);
}

bool leat_heap_add(struct leat_heap *h, struct leat_pool *pool, struct leat_heap_item *item)
{
    if (h->count + 1 >= h->room) {
        uint32_t room = h->room ? h->room * 2 : 64;
        struct leat_heap_item **list =
            leat_pool_alloc(pool, room * sizeof(struct leat_heap_item *));
        if (!list)
            return false;
        if (h->count)
            memcpy(list, h->list, (h->count + 1) * sizeof(struct leat_heap_item *));
        leat_pool_free(pool, h->list, h->room * sizeof(struct leat_heap_item *));
        h->list = list;
        h->room = room;
    }
    sift_up(h, ++h->count, item);
    return true;
}

void leat_heap_remove(struct leat_heap *h, struct leat_heap_item *item)
{
    uint32_t place = item->place;
    struct leat_heap_item *last = h->list[h->count--];

    item->place = 0;
    if (last == item)
        return;
    if (place > 1 && is_before(last, h->list[place / 2]))
        sift_up(h, place, last);
    else
        sift_down(h, place, last);
}

void leat_heap_later(struct leat_heap *h, struct leat_heap_item *item)
{
    sift_down(h, item->place, item);
}
