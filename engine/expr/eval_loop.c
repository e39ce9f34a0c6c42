/*
 * eval_loop.c - operations: macros that go through the items of a list or the entries of a map.
 *
 * args[0] is what is gone through; slots [slot] and, with two variables, [slot + 1] hold the item
 * (or key), or index and item (or key and value). Every turn costs a step. Thread: that of the
 * eval.
 */
#include "data/value_ops.h"
#include "expr/program.h"

struct loop {
    struct leat_eval *ev;
    const struct op *op;
    struct leat_value range; /* LIST or MAP */
    uint32_t at;
};

/* False: *error is why not. */
static bool loop_begin(struct loop *l, struct leat_eval *ev, const struct op *op,
                       struct leat_value *error)
{
    struct leat_value v = op_value(ev, op->args[0]);

    if (v.tag == LEAT_RECORD)
        v = leat_value_expand(v, ev->arena);
    *l = (struct loop){.ev = ev, .op = op, .range = v};
    if (v.tag == LEAT_LIST || v.tag == LEAT_MAP)
        return true;
    *error = v.tag == LEAT_ERROR ? v
                                 : op_fail(ev, LEAT_V_TYPE, "no such overload: %s.%.*s()",
                                           op_type_name(v), LEAT_FMT(op->name));
    return false;
}

/* Put item i into the variables. */
static void loop_put(struct loop *l, uint32_t i)
{
    struct leat_value *slot = &l->ev->slots[l->op->slot];
    const struct leat_value *items = l->range.as.items;

    if (l->range.tag == LEAT_MAP) {
        slot[0] = items[2 * (size_t)i];
        if (l->op->both)
            slot[1] = items[2 * (size_t)i + 1];
    } else if (l->op->both) {
        slot[0] = leat_int(i);
        slot[1] = items[i];
    } else {
        slot[0] = items[i];
    }
}

/* False at the end, and when the budget is used up: see loop_exhausted. */
static bool loop_next(struct loop *l)
{
    if (l->at == l->range.len || !op_charge(l->ev, 1))
        return false;
    loop_put(l, l->at++);
    return true;
}

static bool loop_exhausted(const struct loop *l)
{
    return l->at < l->range.len;
}

static struct leat_value as_bool(struct loop *l, struct leat_value v)
{
    if (v.tag == LEAT_BOOL || v.tag == LEAT_ERROR)
        return v;
    return op_fail(l->ev, LEAT_V_TYPE, "the condition of %.*s() gives %s, not bool",
                   LEAT_FMT(l->op->name), op_type_name(v));
}

/* all and exists: errors are absorbed when another item decides. */
static struct leat_value quantify(struct leat_eval *ev, const struct op *op, bool decides)
{
    struct leat_value result = leat_bool(!decides);
    struct loop l;

    if (!loop_begin(&l, ev, op, &result))
        return result;
    while (loop_next(&l)) {
        struct leat_value v = as_bool(&l, op_value(ev, op->args[1]));
        if (v.tag == LEAT_BOOL && v.as.b == decides)
            return leat_bool(decides);
        if (v.tag == LEAT_ERROR && result.tag == LEAT_BOOL)
            result = v;
    }
    return loop_exhausted(&l) ? leat_call_exhausted() : result;
}

struct leat_value op_all(struct leat_eval *ev, const struct op *op)
{
    return quantify(ev, op, false);
}

struct leat_value op_exists(struct leat_eval *ev, const struct op *op)
{
    return quantify(ev, op, true);
}

struct leat_value op_exists_one(struct leat_eval *ev, const struct op *op)
{
    struct leat_value result;
    struct loop l;
    uint64_t n = 0;

    if (!loop_begin(&l, ev, op, &result))
        return result;
    while (loop_next(&l)) {
        struct leat_value v = as_bool(&l, op_value(ev, op->args[1]));
        if (v.tag == LEAT_ERROR)
            return v;
        n += v.as.b;
    }
    return loop_exhausted(&l) ? leat_call_exhausted() : leat_bool(n == 1);
}

struct leat_value op_filter(struct leat_eval *ev, const struct op *op)
{
    struct leat_value result;
    struct loop l;
    uint32_t n = 0;

    if (!loop_begin(&l, ev, op, &result))
        return result;
    struct leat_value *items = leat_arena_array(ev->arena, l.range.len, sizeof *items);
    if (!items)
        return op_full();
    while (loop_next(&l)) {
        struct leat_value v = as_bool(&l, op_value(ev, op->args[1]));
        if (v.tag == LEAT_ERROR)
            return v;
        if (v.as.b)
            items[n++] = ev->slots[op->slot];
    }
    if (loop_exhausted(&l))
        return leat_call_exhausted();
    return (struct leat_value){.tag = LEAT_LIST, .len = n, .as.items = items};
}

/* With three args the second says which items. A false *keep: passed over; else *v, or an error. */
static struct leat_value transformed(struct loop *l, bool *keep)
{
    const struct op *op = l->op;

    *keep = true;
    if (op->count == 3) {
        struct leat_value v = as_bool(l, op_value(l->ev, op->args[1]));
        if (v.tag == LEAT_ERROR)
            return v;
        *keep = v.as.b;
    }
    return *keep ? op_plain(op_value(l->ev, op->args[op->count - 1])) : (struct leat_value){0};
}

/* map and transformList. */
struct leat_value op_map_list(struct leat_eval *ev, const struct op *op)
{
    struct leat_value result;
    struct loop l;
    uint32_t n = 0;
    bool keep;

    if (!loop_begin(&l, ev, op, &result))
        return result;
    struct leat_value *items = leat_arena_array(ev->arena, l.range.len, sizeof *items);
    if (!items)
        return op_full();
    while (loop_next(&l)) {
        struct leat_value v = transformed(&l, &keep);
        if (v.tag == LEAT_ERROR)
            return v;
        if (keep)
            items[n++] = v;
    }
    if (loop_exhausted(&l))
        return leat_call_exhausted();
    return (struct leat_value){.tag = LEAT_LIST, .len = n, .as.items = items};
}

struct leat_value op_transform_map(struct leat_eval *ev, const struct op *op)
{
    struct leat_value result;
    struct loop l;
    uint32_t n = 0;
    bool keep;

    if (!loop_begin(&l, ev, op, &result))
        return result;
    struct leat_value *pairs = leat_arena_array(ev->arena, l.range.len, 2 * sizeof *pairs);
    if (!pairs)
        return op_full();
    while (loop_next(&l)) {
        struct leat_value key = ev->slots[op->slot];
        struct leat_value v = transformed(&l, &keep);
        if (v.tag == LEAT_ERROR)
            return v;
        if (!keep)
            continue;
        pairs[2 * n] = key;
        pairs[2 * n + 1] = v;
        n++;
    }
    if (loop_exhausted(&l))
        return leat_call_exhausted();
    return (struct leat_value){.tag = LEAT_MAP, .len = n, .as.items = pairs};
}

struct pairs {
    struct leat_value *items;
    uint32_t used, room; /* pairs */
};

static struct leat_value put_entries(struct leat_eval *ev, struct pairs *all, struct leat_value map)
{
    struct leat_value so_far = {.tag = LEAT_MAP, .len = all->used, .as.items = all->items};

    if (map.tag == LEAT_RECORD)
        map = leat_value_expand(map, ev->arena);
    if (map.tag != LEAT_MAP)
        return map.tag == LEAT_ERROR
                   ? map
                   : op_fail(ev, LEAT_V_TYPE, "an entry is a map, not %s", op_type_name(map));
    if ((uint64_t)all->used + map.len > all->room) {
        uint64_t room = 2 * ((uint64_t)all->used + map.len) + 8;
        struct leat_value *more =
            room > UINT32_MAX ? NULL : leat_arena_array(ev->arena, room, 2 * sizeof *more);
        if (!more)
            return op_full();
        if (all->used)
            memcpy(more, all->items, 2 * all->used * sizeof *more);
        all->items = more;
        all->room = (uint32_t)room;
        so_far.as.items = more;
    }
    for (uint32_t i = 0; i < map.len; i++) {
        struct leat_value found = op_map_find(ev, so_far, map.as.items[2 * i]);
        if (found.tag != LEAT_ERROR)
            return leat_value_fail(LEAT_V_ARGUMENT, "a key stands twice in a map");
        if (found.code != LEAT_V_ABSENT)
            return found;
        all->items[2 * all->used] = map.as.items[2 * i];
        all->items[2 * all->used + 1] = map.as.items[2 * i + 1];
        all->used++;
    }
    return (struct leat_value){0};
}

struct leat_value op_transform_entry(struct leat_eval *ev, const struct op *op)
{
    struct pairs all = {0};
    struct leat_value result;
    struct loop l;
    bool keep;

    if (!loop_begin(&l, ev, op, &result))
        return result;
    while (loop_next(&l)) {
        struct leat_value v = transformed(&l, &keep);
        if (keep)
            v = put_entries(ev, &all, v);
        if (v.tag == LEAT_ERROR)
            return v;
    }
    if (loop_exhausted(&l))
        return leat_call_exhausted();
    return (struct leat_value){.tag = LEAT_MAP, .len = all.used, .as.items = all.items};
}

/* x.fold(acc, item, args[1], args[2]): slot is acc, slot + 1 the item (or key). */
struct leat_value op_fold(struct leat_eval *ev, const struct op *op)
{
    struct leat_value result, *slot = &ev->slots[op->slot];
    struct loop l;

    if (!loop_begin(&l, ev, op, &result))
        return result;
    struct leat_value acc = op_value(ev, op->args[1]);
    for (uint32_t i = 0; i < l.range.len; i++) {
        if (acc.tag == LEAT_ERROR)
            return acc;
        if (!op_charge(ev, 1))
            return leat_call_exhausted();
        slot[0] = acc;
        slot[1] = l.range.as.items[l.range.tag == LEAT_MAP ? 2 * (size_t)i : i];
        acc = op_value(ev, op->args[2]);
    }
    return acc;
}

struct keyed {
    struct leat_value key, item;
};

/* Stable, bottom up, n log n compares. Returns where the result is: from or spare. */
static struct keyed *merge_sort(struct leat_eval *ev, struct keyed *from, struct keyed *spare,
                                size_t n)
{
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t begin = 0; begin < n; begin += 2 * width) {
            size_t a = begin, middle = begin + width < n ? begin + width : n;
            size_t b = middle, end = middle + width < n ? middle + width : n;
            for (size_t i = begin; i < end; i++) {
                bool left = b == end || (a < middle && leat_value_order(from[a].key, from[b].key,
                                                                        ev->arena) <= 0);
                spare[i] = left ? from[a++] : from[b++];
            }
        }
        struct keyed *swap = from;
        from = spare;
        spare = swap;
    }
    return from;
}

struct leat_value op_sort_by(struct leat_eval *ev, const struct op *op)
{
    struct leat_value result;
    struct loop l;

    if (!loop_begin(&l, ev, op, &result))
        return result;
    uint32_t n = l.range.len;
    struct keyed *from = leat_arena_array(ev->arena, n, sizeof *from);
    struct keyed *spare = leat_arena_array(ev->arena, n, sizeof *spare);
    struct leat_value *items = leat_arena_array(ev->arena, n, sizeof *items);
    if (!from || !spare || !items)
        return op_full();
    while (loop_next(&l)) {
        struct leat_value key = op_plain(op_value(ev, op->args[1]));
        if (key.tag == LEAT_ERROR)
            return key;
        from[l.at - 1] = (struct keyed){key, ev->slots[op->slot]};
    }
    if (loop_exhausted(&l) || !op_charge(ev, 8 * (uint64_t)n))
        return leat_call_exhausted();
    from = merge_sort(ev, from, spare, n);
    for (uint32_t i = 0; i < n; i++)
        items[i] = from[i].item;
    return (struct leat_value){.tag = LEAT_LIST, .len = n, .as.items = items};
}
