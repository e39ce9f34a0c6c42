/* functions_map.c - keys, values, merge, get. A record is the map that it is. */
#include "data/value_ops.h"
#include "expr/call.h"

/* The map that v is, a step charged per entry. */
static bool take_map(struct leat_call *call, struct leat_value v, struct leat_value *map)
{
    *map = call_expand(call, v);
    if (map->tag == LEAT_ERROR)
        return false;
    if (map->tag != LEAT_MAP) {
        *map = call_refuse("no such overload: a function of maps wants a map");
        return false;
    }
    if (leat_call_charge(call, map->len))
        return true;
    *map = leat_call_exhausted();
    return false;
}

static struct leat_value half(struct leat_call *call, struct leat_value v, uint32_t which)
{
    struct leat_value map, why;

    if (!take_map(call, v, &map))
        return map;
    struct leat_value *items = call_items(call, map.len, &why);
    if (!items)
        return why;
    for (uint32_t i = 0; i < map.len; i++)
        items[i] = map.as.items[2 * i + which];
    return call_list(items, map.len);
}

struct leat_value fn_keys(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    (void)n;
    return half(call, args[0], 0);
}

struct leat_value fn_values(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    (void)n;
    return half(call, args[0], 1);
}

/* Where `key` is among `count` entries; count when it is not there. */
static uint32_t find(struct leat_call *call, const struct leat_value *entries, uint32_t count,
                     struct leat_value key)
{
    uint32_t i = 0;

    while (i < count && !leat_value_equal(entries[2 * i], key, call->arena))
        i++;
    return i;
}

struct leat_value fn_merge(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct leat_value map, why;
    uint64_t room = 0;
    uint32_t count = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (!take_map(call, args[i], &map))
            return map;
        room += map.len;
    }
    struct leat_value *entries = call_items(call, 2 * room, &why);
    if (!entries)
        return why;
    for (uint32_t i = 0; i < n; i++) {
        if (!take_map(call, args[i], &map))
            return map;
        uint32_t before = count; /* the keys of one map differ */
        for (uint32_t k = 0; k < map.len; k++) {
            if (!leat_call_charge(call, 1 + before / 16))
                return leat_call_exhausted();
            uint32_t at = find(call, entries, before, map.as.items[2 * k]);
            if (at == before)
                at = count++;
            if (at >= before)
                entries[2 * at] = map.as.items[2 * k];
            entries[2 * at + 1] = map.as.items[2 * k + 1];
        }
    }
    return (struct leat_value){.tag = LEAT_MAP, .len = count, .as.items = entries};
}

static struct leat_value get_item(const struct leat_value *args, struct leat_value otherwise)
{
    int64_t i;

    if (!call_whole(args[1], &i))
        return call_refuse("no such overload: get() of a list takes an int");
    return i >= 0 && i < args[0].len ? args[0].as.items[i] : otherwise;
}

struct leat_value fn_get(struct leat_call *call, const struct leat_value *args, uint32_t n)
{
    struct leat_value otherwise = n > 2 ? args[2] : (struct leat_value){0}, map;

    if (args[0].tag == LEAT_LIST)
        return get_item(args, otherwise);
    if (args[1].tag == LEAT_STRING && args[0].tag == LEAT_RECORD) { /* without taking it apart */
        struct leat_value v = leat_value_field(args[0], leat_value_text(args[1]), call->arena);
        return v.tag == LEAT_ERROR && v.code == LEAT_V_ABSENT ? otherwise : v;
    }
    if (!take_map(call, args[0], &map))
        return map;
    uint32_t at = find(call, map.as.items, map.len, args[1]);
    return at < map.len ? map.as.items[2 * at + 1] : otherwise;
}
