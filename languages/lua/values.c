/*
 * values.c - values of leat as values of Lua, and back.
 *
 *   null       nil as an argument, the constant `null` inside of lists and maps
 *   int        integer, exactly; a uint above them is a box
 *   double     float          bool    boolean          string   string
 *   bytes, timestamp, duration    boxes: userdata with a leat_value in it
 *   list       table of the kind `list`, from 1 on
 *   map, record    table of the kind `map`
 *
 * A table that the script made without list{} or map{} is a list when its keys are 1 to n, also
 * with n = 0, and a map when all of them are texts. Fields come out in the order of their names:
 * the order in a Lua table is no order. Raises Lua errors; runs inside of lua_pcall() only.
 */
#include "lua.h"

#define COMPARED_A_STEP  16 /* so many keys that are compared are a step */
#define COMPARED_AT_ONCE 1024

/* ---- boxes */

struct box {
    struct leat_value v;
    char bytes[]; /* of bytes */
};

void lua_box_push(lua_State *lua, struct leat_value v)
{
    bool has_bytes = v.tag == LEAT_BYTES;
    struct box *b = lua_newuserdatauv(lua, sizeof *b + (has_bytes ? v.len : 0), 0);

    b->v = v;
    if (has_bytes) {
        if (v.len)
            memcpy(b->bytes, v.as.text, v.len);
        b->v.as.text = b->bytes;
    }
    luaL_setmetatable(lua, LUA_BOX);
}

const struct leat_value *lua_box_at(lua_State *lua, int at, enum leat_tag tag)
{
    const struct box *b = luaL_testudata(lua, at, LUA_BOX);

    return b && (tag == LEAT_NULL || b->v.tag == tag) ? &b->v : NULL;
}

/* ---- to Lua */

static void push_list(lua_State *lua, struct leat_value v, uint32_t depth)
{
    lua_createtable(lua, v.len < INT32_MAX ? (int)v.len : INT32_MAX, 0);
    luaL_setmetatable(lua, LUA_LIST_KIND);
    for (uint32_t i = 0; i < v.len; i++) {
        lua_value_push(lua, v.as.items[i], depth + 1);
        lua_rawseti(lua, -2, (lua_Integer)i + 1);
    }
}

/* A field whose value is not there is left out, as everywhere. */
static void push_map(lua_State *lua, struct leat_value v, uint32_t depth)
{
    v = leat_value_expand(v, lua_worker_of(lua)->arena);
    if (v.tag != LEAT_MAP) {
        lua_value_push(lua, v, depth); /* an error: it could not be taken apart */
        return;
    }
    lua_createtable(lua, 0, v.len < INT32_MAX ? (int)v.len : INT32_MAX);
    luaL_setmetatable(lua, LUA_MAP_KIND);
    for (uint32_t i = 0; i < v.len; i++) {
        struct leat_value key = v.as.items[2 * i], value = v.as.items[2 * i + 1];
        if (value.tag == LEAT_ERROR && value.code == LEAT_V_ABSENT)
            continue;
        if (key.tag != LEAT_STRING && key.tag != LEAT_INT && key.tag != LEAT_BOOL)
            luaL_error(lua, "a map whose keys are %s", leat_tag_name(key.tag));
        lua_value_push(lua, key, depth + 1);
        lua_value_push(lua, value, depth + 1);
        lua_rawset(lua, -3);
    }
}

static void push_nested(lua_State *lua, struct leat_value v, uint32_t depth)
{
    if (depth > LUA_DEPTH_MAX)
        luaL_error(lua, "a value is nested more than %d deep", LUA_DEPTH_MAX);
    luaL_checkstack(lua, 8, "a value is nested too deep");
    if (v.tag == LEAT_LIST)
        push_list(lua, v, depth);
    else
        push_map(lua, v, depth);
}

static void push_error(lua_State *lua, struct leat_value v)
{
    lua_pushlstring(lua, v.as.text, v.len);
    lua_error(lua);
}

void lua_value_push(lua_State *lua, struct leat_value v, uint32_t depth)
{
    switch ((enum leat_tag)v.tag) {
    case LEAT_NULL:
        if (depth)
            lua_pushlightuserdata(lua, NULL);
        else
            lua_pushnil(lua);
        break;
    case LEAT_BOOL:
        lua_pushboolean(lua, v.as.b);
        break;
    case LEAT_INT:
        lua_pushinteger(lua, v.as.i);
        break;
    case LEAT_UINT:
        if (v.as.u <= INT64_MAX)
            lua_pushinteger(lua, (lua_Integer)v.as.u);
        else
            lua_box_push(lua, v);
        break;
    case LEAT_DOUBLE:
        lua_pushnumber(lua, v.as.d);
        break;
    case LEAT_STRING:
    case LEAT_TYPE:
        lua_pushlstring(lua, v.len ? v.as.text : "", v.len);
        break;
    case LEAT_BYTES:
    case LEAT_TIMESTAMP:
    case LEAT_DURATION:
        lua_box_push(lua, v);
        break;
    case LEAT_LIST:
    case LEAT_MAP:
    case LEAT_RECORD:
        push_nested(lua, v, depth);
        break;
    case LEAT_ERROR:
        push_error(lua, v);
        break;
    }
}

/* ---- from Lua */

static struct leat_value take(lua_State *lua, int at, uint32_t depth);

static void *memory(lua_State *lua, size_t n, size_t size)
{
    struct lua_worker *w = lua_worker_of(lua);

    /* Tables within tables may be the same one many times over: then it is more than Lua holds. */
    w->given += n * size;
    if (w->given > LUA_MEMORY)
        luaL_error(lua, "the script gives more than %d MiB", LUA_MEMORY >> 20);
    void *p = leat_arena_array(w->arena, n ? n : 1, size);

    if (!p) {
        w->arena_full = true;
        luaL_error(lua, "the memory of this batch is used up");
    }
    return p;
}

static struct leat_value take_text(lua_State *lua, struct leat_value v, const char *from)
{
    char *into = memory(lua, v.len, 1);

    if (v.len)
        memcpy(into, from, v.len);
    v.as.text = into;
    return v;
}

static struct leat_value take_string(lua_State *lua, int at)
{
    size_t len;
    const char *text = lua_tolstring(lua, at, &len);

    if (!leat_utf8_valid(text, text + len))
        luaL_error(lua, "the script gives a text that is no UTF-8: bytes(x) makes bytes of it");
    return take_text(lua, (struct leat_value){.tag = LEAT_STRING, .len = (uint32_t)len}, text);
}

/* What the keys of a table are; `list`: integers from 1 to count, each of them. */
struct keys {
    uint32_t count;
    bool list, texts, plain; /* plain: texts, integers, booleans */
};

static struct keys look_at_keys(lua_State *lua, int at)
{
    struct keys k = {.list = true, .texts = true, .plain = true};
    lua_Integer most = 0;

    for (lua_pushnil(lua); lua_next(lua, at); lua_pop(lua, 1)) {
        bool integer = lua_isinteger(lua, -2);
        int type = lua_type(lua, -2);
        k.list = k.list && integer && lua_tointeger(lua, -2) >= 1;
        k.texts = k.texts && type == LUA_TSTRING;
        k.plain = k.plain && (integer || type == LUA_TSTRING || type == LUA_TBOOLEAN);
        if (k.list && lua_tointeger(lua, -2) > most)
            most = lua_tointeger(lua, -2);
        k.count++;
    }
    k.list = k.list && most == (lua_Integer)k.count;
    return k;
}

static struct leat_value take_list(lua_State *lua, int at, uint32_t count, uint32_t depth)
{
    struct leat_value *items = memory(lua, count, sizeof *items);

    for (uint32_t i = 0; i < count; i++) {
        lua_rawgeti(lua, at, (lua_Integer)i + 1);
        items[i] = take(lua, lua_gettop(lua), depth + 1);
        lua_pop(lua, 1);
    }
    return (struct leat_value){.tag = LEAT_LIST, .len = count, .as.items = items};
}

/* Shell's sort: needs no memory, and takes a step for some comparisons. */
static void sort_pairs(lua_State *lua, struct leat_value *pairs, uint32_t count)
{
    struct leat_arena *arena = lua_worker_of(lua)->arena;
    uint32_t gap = 1;
    size_t compared = 0;

    while (gap < count / 3)
        gap = 3 * gap + 1;
    for (; gap; gap /= 3)
        for (uint32_t i = gap; i < count; i++) {
            struct leat_value key = pairs[2 * i], value = pairs[2 * i + 1];
            uint32_t at = i;
            for (; at >= gap && leat_value_order(pairs[2 * (at - gap)], key, arena) > 0;
                 at -= gap) {
                pairs[2 * at] = pairs[2 * (at - gap)];
                pairs[2 * at + 1] = pairs[2 * (at - gap) + 1];
                compared++;
            }
            pairs[2 * at] = key;
            pairs[2 * at + 1] = value;
            if (++compared >= COMPARED_AT_ONCE) {
                lua_charge(lua, compared / COMPARED_A_STEP);
                compared = 0;
            }
        }
}

static struct leat_value take_map(lua_State *lua, int at, uint32_t count, uint32_t depth)
{
    struct leat_value *pairs = memory(lua, 2 * (size_t)count, sizeof *pairs);
    uint32_t i = 0;
    int base = lua_gettop(lua);

    for (lua_pushnil(lua); i < count && lua_next(lua, at); lua_pop(lua, 1), i++) {
        int top = lua_gettop(lua);
        pairs[2 * i] = take(lua, top - 1, depth + 1);
        pairs[2 * i + 1] = take(lua, top, depth + 1);
    }
    lua_settop(lua, base);
    sort_pairs(lua, pairs, i);
    return (struct leat_value){.tag = LEAT_MAP, .len = i, .as.items = pairs};
}

static const void *kind_of(lua_State *lua, int at)
{
    const void *kind = NULL;

    if (lua_getmetatable(lua, at)) {
        kind = lua_topointer(lua, -1);
        lua_pop(lua, 1);
    }
    return kind;
}

static struct leat_value take_table(lua_State *lua, int at, uint32_t depth)
{
    const struct lua_worker *w = lua_worker_of(lua);

    if (depth > LUA_DEPTH_MAX)
        luaL_error(lua, "the script gives a value that is nested more than %d deep", LUA_DEPTH_MAX);
    luaL_checkstack(lua, 8, "a value is nested too deep");
    const void *kind = kind_of(lua, at);
    if (kind && kind != w->list_kind && kind != w->map_kind)
        luaL_error(lua, "the script gives a library, which is no value");
    struct keys k = look_at_keys(lua, at);
    if (kind == w->map_kind) {
        if (!k.plain)
            luaL_error(lua, "the script gives a map whose keys are no texts");
        return take_map(lua, at, k.count, depth);
    }
    if (k.list)
        return take_list(lua, at, k.count, depth);
    if (kind == w->list_kind)
        luaL_error(lua, "the script gives a list with holes or other keys than 1 to its length");
    if (!k.texts)
        luaL_error(lua, "the script gives a table that is neither a list (keys 1 to n) nor a map "
                        "(keys that are texts): say list{} or map{}");
    return take_map(lua, at, k.count, depth);
}

static struct leat_value take_box(lua_State *lua, int at)
{
    const struct leat_value *v = lua_box_at(lua, at, LEAT_NULL);

    if (!v)
        luaL_error(lua, "the script gives a %s, which is no value", luaL_typename(lua, at));
    return v->tag == LEAT_BYTES ? take_text(lua, *v, v->as.text) : *v;
}

static struct leat_value take(lua_State *lua, int at, uint32_t depth)
{
    switch (lua_type(lua, at)) {
    case LUA_TNIL:
        luaL_error(lua, "the script returns nothing: where null is meant, `return null`");
        return (struct leat_value){0};
    case LUA_TLIGHTUSERDATA:
        return (struct leat_value){0};
    case LUA_TBOOLEAN:
        return leat_bool(lua_toboolean(lua, at));
    case LUA_TNUMBER:
        return lua_isinteger(lua, at) ? leat_int(lua_tointeger(lua, at))
                                      : leat_double(lua_tonumber(lua, at));
    case LUA_TSTRING:
        return take_string(lua, at);
    case LUA_TTABLE:
        return take_table(lua, at, depth);
    default:
        return take_box(lua, at);
    }
}

struct leat_value lua_value_take(lua_State *lua, int at)
{
    return take(lua, lua_absindex(lua, at), 0);
}

static const void *new_kind(lua_State *lua, const char *name)
{
    luaL_newmetatable(lua, name);
    lua_pushnil(lua);
    lua_setfield(lua, -2, "__name"); /* it is a table to scripts */
    const void *kind = lua_topointer(lua, -1);
    lua_pop(lua, 1);
    return kind;
}

void lua_values_open(lua_State *lua)
{
    struct lua_worker *w = lua_worker_of(lua);

    w->list_kind = new_kind(lua, LUA_LIST_KIND);
    w->map_kind = new_kind(lua, LUA_MAP_KIND);
    luaL_newmetatable(lua, LUA_BOX);
    lua_pop(lua, 1);
}
