/*
 * sort.c - table.sort: stable, and counted.
 *
 * Lua's own takes the clock to choose where it divides, so elements that are equal come in another
 * order at each run. This one merges, whatever the comparison answers, and takes a step for each.
 */
#include "lua.h"

/* Arguments 1 and 2 of table.sort, and the other table. */
#define TABLE 1
#define LESS  2
#define OTHER 3

static bool is_less(lua_State *lua, int table, lua_Integer a, lua_Integer b)
{
    bool custom = !lua_isnil(lua, LESS);

    lua_charge(lua, 1);
    if (custom)
        lua_pushvalue(lua, LESS);
    lua_rawgeti(lua, table, a);
    lua_rawgeti(lua, table, b);
    if (custom)
        lua_call(lua, 2, 1);
    bool less = custom ? lua_toboolean(lua, -1) : lua_compare(lua, -2, -1, LUA_OPLT);
    lua_settop(lua, OTHER);
    return less;
}

/* [from, middle) and [middle, to), each of them sorted. */
static void merge(lua_State *lua, int table, lua_Integer from, lua_Integer middle, lua_Integer to)
{
    int other = TABLE + OTHER - table;
    lua_Integer a = from, b = middle;

    for (lua_Integer i = from; i < to; i++) {
        bool first = b == to || (a < middle && !is_less(lua, table, b, a));
        lua_rawgeti(lua, table, first ? a++ : b++);
        lua_rawseti(lua, other, i);
    }
}

int lua_sort(lua_State *lua)
{
    luaL_checktype(lua, TABLE, LUA_TTABLE);
    if (!lua_isnoneornil(lua, LESS))
        luaL_checktype(lua, LESS, LUA_TFUNCTION);
    lua_settop(lua, LESS);
    lua_Integer count = (lua_Integer)lua_rawlen(lua, TABLE);
    lua_createtable(lua, count < INT32_MAX ? (int)count : INT32_MAX, 0);
    int table = TABLE;
    for (lua_Integer run = 1; run < count; run *= 2) {
        lua_charge(lua, (size_t)count / 4);
        for (lua_Integer at = 1; at <= count; at += 2 * run) {
            lua_Integer middle = at + run <= count ? at + run : count + 1;
            lua_Integer to = at + 2 * run <= count ? at + 2 * run : count + 1;
            merge(lua, table, at, middle, to);
        }
        table = TABLE + OTHER - table;
    }
    for (lua_Integer i = 1; table == OTHER && i <= count; i++) {
        lua_rawgeti(lua, OTHER, i);
        lua_rawseti(lua, TABLE, i);
    }
    return 0;
}
