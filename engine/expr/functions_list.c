/*
 * functions_list.c - functions of lists and maps.
 *
 * Nulls are skipped by sum, avg, min and max, as aggregates do. The other half, functions of maps,
 * is in functions_map.c; macros (map, filter, fold, sortBy) are the compiler's.
 *
 * Thread: that of the eval.
 */
#include "data/value_ops.h"
#include "expr/call.h"

/* The list in args[0], a step charged per item. */
static bool take_list(struct leat_call *call, const struct leat_value *args, struct leat_value *why)
{
    *why = leat_call_exhausted();
    if (args[0].tag != LEAT_LIST)
        *why = call_refuse("no such overload: a function of lists wants a list");
    return args[0].tag == LEAT_LIST && leat_call_charge(call, args[0].len);
}

struct total {
    int64_t whole;
    uint64_t unsigned_whole;
    double fraction;
    uint64_t count;
    bool has_double, has_uint, has_int;
    bool overflow; /* of whole or unsigned_whole */
};

static bool add_up(struct leat_value list, struct total *t, struct leat_value *why)
{
    *t = (struct total){0};
    for (uint32_t i = 0; i < list.len; i++) {
        struct leat_value v = list.as.items[i];
        if (v.tag == LEAT_NULL)
            continue;
        *why = call_refuse("no such overload: sum() and avg() take lists of numbers");
        if (!call_is_number(v))
            return false;
        t->count++;
        t->fraction += call_as_double(v);
        t->has_double |= v.tag == LEAT_DOUBLE;
        t->has_uint |= v.tag == LEAT_UINT;
        t->has_int |= v.tag == LEAT_INT;
        if (v.tag == LEAT_INT)
            t->overflow |= __builtin_add_overflow(t->whole, v.as.i, &t->whole);
        else if (v.tag == LEAT_UINT)
            t->overflow |= __builtin_add_overflow(t->unsigned_whole, v.as.u, &t->unsigned_whole);
    }
    return true;
}

static struct leat_value call_sum(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct leat_value why;
    struct total t;
    int64_t sum;

    (void)n;
    if (!take_list(call, args, &why) || !add_up(args[0], &t, &why))
        return why;
    if (t.has_double)
        return leat_double(t.fraction);
    if (t.has_uint && !t.has_int && !t.overflow)
        return call_uint_value(t.unsigned_whole);
    if (t.overflow || __builtin_add_overflow(t.unsigned_whole, t.whole, &sum))
        return leat_value_fail(LEAT_V_OVERFLOW, "the sum is beyond 64 bits");
    return leat_int(sum);
}

static struct leat_value call_avg(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct leat_value why;
    struct total t;

    (void)n;
    if (!take_list(call, args, &why) || !add_up(args[0], &t, &why))
        return why;
    return t.count ? leat_double(t.fraction / (double)t.count) : (struct leat_value){0};
}

static struct leat_value extreme(struct leat_call *call, const struct leat_value *args, int sign)
{
    struct leat_value best = {0}, why;

    if (!take_list(call, args, &why))
        return why;
    for (uint32_t i = 0; i < args[0].len; i++) {
        struct leat_value v = args[0].as.items[i];
        if (v.tag == LEAT_NULL)
            continue;
        int order = best.tag == LEAT_NULL ? sign : leat_value_compare(v, best);
        if (order == 2)
            return call_refuse("no such overload: min() and max() of items that have no order");
        if (order == sign)
            best = v;
    }
    return best;
}

static struct leat_value call_min(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    (void)n;
    return extreme(call, args, -1);
}

static struct leat_value call_max(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    (void)n;
    return extreme(call, args, 1);
}

static struct leat_value call_first(struct leat_call *call, const struct leat_value *args,
                                    uint32_t n)
{
    (void)call, (void)n;
    if (args[0].tag != LEAT_LIST)
        return call_refuse("no such overload: first() takes a list");
    return args[0].len ? args[0].as.items[0] : (struct leat_value){0};
}

static struct leat_value call_last(struct leat_call *call, const struct leat_value *args,
                                   uint32_t n)
{
    (void)call, (void)n;
    if (args[0].tag != LEAT_LIST)
        return call_refuse("no such overload: last() takes a list");
    return args[0].len ? args[0].as.items[args[0].len - 1] : (struct leat_value){0};
}

static struct leat_value call_sort_list(struct leat_call *call, const struct leat_value *args,
                                        uint32_t n)
{
    struct leat_value why;

    (void)n;
    if (!take_list(call, args, &why))
        return why;
    uint32_t len = args[0].len;
    struct call_pair *pairs = leat_arena_array(call->arena, (size_t)len + 1, sizeof *pairs);
    if (!pairs)
        return call_full();
    for (uint32_t i = 0; i < len; i++)
        pairs[i].key = args[0].as.items[i];
    if (!call_sort(call, pairs, len, leat_value_order, &why))
        return why;
    struct leat_value *items = call_items(call, len, &why);
    if (!items)
        return why;
    for (uint32_t i = 0; i < len; i++)
        items[i] = pairs[i].key;
    return call_list(items, len);
}

/* Sorted by value, then by place, only the first of equal ones is kept; sorted back by place. */
static struct leat_value call_distinct(struct leat_call *call, const struct leat_value *args,
                                       uint32_t n)
{
    struct leat_value why;
    uint32_t kept = 0;

    (void)n;
    if (!take_list(call, args, &why))
        return why;
    uint32_t len = args[0].len;
    struct call_pair *pairs = leat_arena_array(call->arena, (size_t)len + 1, sizeof *pairs);
    bool *is_kept = leat_arena_alloc(call->arena, (size_t)len + 1);
    if (!pairs || !is_kept)
        return call_full();
    for (uint32_t i = 0; i < len; i++)
        pairs[i] = (struct call_pair){args[0].as.items[i], leat_int(i)};
    if (!call_sort(call, pairs, len, leat_value_order, &why))
        return why;
    for (uint32_t i = 0; i < len; i++)
        if (i == 0 || leat_value_order(pairs[i - 1].key, pairs[i].key, call->arena) != 0)
            is_kept[pairs[i].value.as.i] = true;
    struct leat_value *items = call_items(call, len, &why);
    if (!items)
        return why;
    for (uint32_t i = 0; i < len; i++)
        if (is_kept[i])
            items[kept++] = args[0].as.items[i];
    return call_list(items, kept);
}

static struct leat_value call_slice(struct leat_call *call, const struct leat_value *args,
                                    uint32_t n)
{
    (void)call;
    if (args[0].tag != LEAT_LIST || args[1].tag != LEAT_INT || (n > 2 && args[2].tag != LEAT_INT))
        return call_refuse("no such overload: slice() takes a list and ints");
    int64_t from = args[1].as.i, to = n > 2 ? args[2].as.i : args[0].len;
    if (from < 0 || to < from || to > args[0].len)
        return call_wrong("index out of range");
    return call_list(args[0].as.items + from, (uint32_t)(to - from));
}

struct flat {
    struct leat_call *call;
    struct leat_bytes items;
    uint32_t count;
};

static bool put_flat(struct flat *f, struct leat_value list, int64_t depth, int nested)
{
    if (nested > CALL_DEPTH_MAX || !leat_call_charge(f->call, list.len))
        return false;
    for (uint32_t i = 0; i < list.len; i++) {
        struct leat_value v = list.as.items[i];
        if (v.tag == LEAT_LIST && depth > 0) {
            if (!put_flat(f, v, depth - 1, nested + 1))
                return false;
            continue;
        }
        leat_bytes_put(&f->items, &v, sizeof v);
        f->count++;
        if (f->items.len > CALL_OUT_MAX)
            return false;
    }
    return true;
}

static struct leat_value call_flatten(struct leat_call *call, const struct leat_value *args,
                                      uint32_t n)
{
    struct flat f = {.call = call, .items.arena = call->arena};
    int64_t depth = n > 1 ? args[1].as.i : 1;

    if (args[0].tag != LEAT_LIST || (n > 1 && args[1].tag != LEAT_INT))
        return call_refuse("no such overload: flatten() takes a list and an int");
    if (depth < 0)
        return call_wrong("flatten() to a negative depth");
    if (!put_flat(&f, args[0], depth, 0))
        return f.items.len > CALL_OUT_MAX ? call_too_large() : leat_call_exhausted();
    return f.items.failed ? call_full() : call_list((const void *)f.items.ptr, f.count);
}

static struct leat_value call_range(struct leat_call *call, const struct leat_value *args,
                                    uint32_t n)
{
    struct leat_value why;

    if (args[0].tag != LEAT_INT || (n > 1 && args[1].tag != LEAT_INT))
        return call_refuse("no such overload: range() takes one or two ints");
    int64_t from = n > 1 ? args[0].as.i : 0, to = n > 1 ? args[1].as.i : args[0].as.i;
    uint64_t count = to > from ? (uint64_t)to - (uint64_t)from : 0;
    struct leat_value *items = call_items(call, count, &why);
    if (!items)
        return why;
    for (uint64_t i = 0; i < count; i++)
        items[i] = leat_int(from + (int64_t)i);
    return call_list(items, (uint32_t)count);
}

/* clang-format off */
const struct leat_function leat_functions_list[] = {
    {.name = "sum", .form = CALL_BOTH, .overloads = "L>A", .call = call_sum,
     .signature = "list.sum()", .help = "Sum of a list of numbers; 0 of none, nulls are skipped."},
    {.name = "avg", .form = CALL_BOTH, .overloads = "L>A", .call = call_avg,
     .signature = "list.avg()", .help = "Mean of a list of numbers; null of none."},
    {.name = "min", .form = CALL_BOTH, .overloads = "L>A", .call = call_min,
     .signature = "list.min()", .help = "The least item; null of none, nulls are skipped."},
    {.name = "max", .form = CALL_BOTH, .overloads = "L>A", .call = call_max,
     .signature = "list.max()", .help = "The greatest item; null of none, nulls are skipped."},
    {.name = "first", .form = CALL_BOTH, .overloads = "L>A", .call = call_first,
     .signature = "list.first()", .help = "The first item; null of an empty list."},
    {.name = "last", .form = CALL_BOTH, .overloads = "L>A", .call = call_last,
     .signature = "list.last()", .help = "The last item; null of an empty list."},
    {.name = "sort", .form = CALL_BOTH, .overloads = "L>L", .call = call_sort_list,
     .signature = "list.sort()",
     .help = "The items in ascending order, equal ones as they stood; different kinds by kind."},
    {.name = "distinct", .form = CALL_BOTH, .overloads = "L>L", .call = call_distinct,
     .signature = "list.distinct()", .help = "The first of equal items each, in their order."},
    {.name = "slice", .form = LEAT_FN_MEMBER, .overloads = "LI>L LII>L", .call = call_slice,
     .signature = "list.slice(from), list.slice(from, to)",
     .help = "The items from `from` on, up to but without `to`."},
    {.name = "flatten", .form = CALL_BOTH, .overloads = "L>L LI>L", .call = call_flatten,
     .signature = "list.flatten(), list.flatten(depth)",
     .help = "Lists within the list replaced by their items, one level or `depth` levels."},
    {.name = "range", .form = LEAT_FN_GLOBAL, .overloads = "I>L II>L", .call = call_range,
     .signature = "range(n), range(from, to)", .help = "The ints from 0 or `from`, without the last."},
    {.name = "lists.range", .form = LEAT_FN_GLOBAL, .overloads = "I>L", .call = call_range,
     .signature = "lists.range(n)", .help = "The ints from 0, without n."},
    {.name = "keys", .form = CALL_BOTH, .overloads = "M>L", .call = fn_keys,
     .signature = "map.keys()", .help = "The keys of the map, in its order."},
    {.name = "values", .form = CALL_BOTH, .overloads = "M>L", .call = fn_values,
     .signature = "map.values()", .help = "The values of the map, in its order."},
    {.name = "merge", .form = CALL_BOTH, .overloads = "MM*>M", .call = fn_merge,
     .signature = "map.merge(map, ...)",
     .help = "All entries; of equal keys the value of the last map, at the place of the first."},
    {.name = "get", .form = LEAT_FN_MEMBER, .overloads = "MA>A MAA>A LI>A LIA>A", .call = fn_get,
     .signature = "map.get(key), map.get(key, default), list.get(i), list.get(i, default)",
     .help = "The value of the key or the item, else the default, else null."},
    {0},
};
/* clang-format on */
