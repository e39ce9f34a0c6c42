/*
 * library.c - what a script sees: Lua's own functions without those that reach outside, that can
 * hold up its end, or that give something else at each run; and ours for leat's values.
 *
 * Out: io, os, load, require, debug, coroutine and pcall (they would swallow the end that the
 * limits make), metatables (a finalizer runs without limits), math.random, next. `pairs` goes by
 * the order of the keys, for the order of a Lua table differs from run to run. Nothing here can be
 * written to.
 */
#include "lua.h"

#include <lualib.h>
#include <stdlib.h>

/* ---- boxes */

static struct leat_value check_box(lua_State *lua, int at, enum leat_tag tag)
{
    const struct leat_value *v = lua_box_at(lua, at, tag);

    if (!v)
        luaL_typeerror(lua, at, tag == LEAT_NULL ? "value" : leat_tag_name(tag));
    return *v;
}

/* A time that was made, or the error that making it was. */
static int give(lua_State *lua, struct leat_value v)
{
    if (v.tag == LEAT_ERROR) {
        lua_pushlstring(lua, v.as.text, v.len);
        luaL_error(lua, "%s", lua_tostring(lua, -1));
    }
    lua_box_push(lua, v);
    return 1;
}

static void push_text(lua_State *lua, struct leat_value v)
{
    char text[LEAT_TIME_TEXT_BYTES];

    if (v.tag == LEAT_TIMESTAMP)
        lua_pushlstring(lua, text, leat_timestamp_text(v, text));
    else if (v.tag == LEAT_DURATION)
        lua_pushlstring(lua, text, leat_duration_text(v, text));
    else if (v.tag == LEAT_BYTES)
        lua_pushlstring(lua, v.as.text, v.len);
    else
        lua_pushfstring(lua, "%s",
                        (snprintf(text, sizeof text, "%llu", (unsigned long long)v.as.u), text));
}

static int box_text(lua_State *lua)
{
    push_text(lua, check_box(lua, 1, LEAT_NULL));
    return 1;
}

static int box_millis(lua_State *lua)
{
    struct leat_value v = check_box(lua, 1, LEAT_NULL);

    if (v.tag != LEAT_TIMESTAMP && v.tag != LEAT_DURATION)
        luaL_argerror(lua, 1, "millis() is of a timestamp or a duration");
    lua_pushinteger(lua, leat_timestamp_millis(v));
    return 1;
}

static int box_len(lua_State *lua)
{
    lua_pushinteger(lua, check_box(lua, 1, LEAT_BYTES).len);
    return 1;
}

static int box_equal(lua_State *lua)
{
    struct leat_value a = check_box(lua, 1, LEAT_NULL), b = check_box(lua, 2, LEAT_NULL);

    lua_pushboolean(lua, a.tag == b.tag && leat_value_equal(a, b, lua_worker_of(lua)->arena));
    return 1;
}

static int compare(lua_State *lua)
{
    struct leat_value a = check_box(lua, 1, LEAT_NULL), b = check_box(lua, 2, LEAT_NULL);
    int order = a.tag == b.tag ? leat_value_compare(a, b) : 2;

    if (order == 2)
        luaL_error(lua, "a %s and a %s cannot be compared", leat_tag_name(a.tag),
                   leat_tag_name(b.tag));
    return order;
}

static int box_less(lua_State *lua)
{
    lua_pushboolean(lua, compare(lua) < 0);
    return 1;
}

static int box_less_equal(lua_State *lua)
{
    lua_pushboolean(lua, compare(lua) <= 0);
    return 1;
}

static int box_add(lua_State *lua)
{
    struct leat_value a = check_box(lua, 1, LEAT_NULL), b = check_box(lua, 2, LEAT_NULL);

    if (a.tag == LEAT_DURATION && b.tag == LEAT_TIMESTAMP)
        return give(lua, leat_timestamp_add(b, a));
    if (b.tag == LEAT_DURATION && a.tag == LEAT_TIMESTAMP)
        return give(lua, leat_timestamp_add(a, b));
    if (a.tag == LEAT_DURATION && b.tag == LEAT_DURATION)
        return give(lua, leat_duration_add(a, b));
    return luaL_error(lua, "a %s and a %s cannot be added", leat_tag_name(a.tag),
                      leat_tag_name(b.tag));
}

static int box_subtract(lua_State *lua)
{
    struct leat_value a = check_box(lua, 1, LEAT_NULL), b = check_box(lua, 2, LEAT_NULL);

    if (a.tag == LEAT_TIMESTAMP && b.tag == LEAT_TIMESTAMP)
        return give(lua, leat_timestamp_diff(a, b));
    if (b.tag != LEAT_DURATION || (a.tag != LEAT_TIMESTAMP && a.tag != LEAT_DURATION))
        return luaL_error(lua, "a %s cannot be taken from a %s", leat_tag_name(b.tag),
                          leat_tag_name(a.tag));
    b = leat_duration_negate(b);
    if (b.tag == LEAT_ERROR)
        return give(lua, b);
    return give(lua, a.tag == LEAT_TIMESTAMP ? leat_timestamp_add(a, b) : leat_duration_add(a, b));
}

/* ---- our functions */

static struct leat_slice text_arg(lua_State *lua)
{
    size_t len;
    const char *text = luaL_checklstring(lua, 1, &len);

    return (struct leat_slice){text, len};
}

static int make_timestamp(lua_State *lua)
{
    return give(lua, leat_timestamp_parse(text_arg(lua)));
}

static int from_millis(lua_State *lua)
{
    return give(lua, leat_timestamp_from_millis(luaL_checkinteger(lua, 1)));
}

static int make_duration(lua_State *lua)
{
    return give(lua, leat_duration_parse(text_arg(lua)));
}

static int make_bytes(lua_State *lua)
{
    struct leat_slice s = text_arg(lua);

    lua_box_push(lua,
                 (struct leat_value){.tag = LEAT_BYTES, .len = (uint32_t)s.len, .as.text = s.ptr});
    return 1;
}

/* Not of a library: another metatable would take away its own, which protects it. */
static int as_kind(lua_State *lua, const char *kind)
{
    const struct lua_worker *w = lua_worker_of(lua);

    if (lua_isnoneornil(lua, 1))
        lua_newtable(lua);
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    if (lua_getmetatable(lua, 1)) {
        const void *has = lua_topointer(lua, -1);
        luaL_argcheck(lua, has == w->list_kind || has == w->map_kind, 1, "a library is no value");
        lua_settop(lua, 1);
    }
    luaL_setmetatable(lua, kind);
    return 1;
}

static int as_list(lua_State *lua)
{
    return as_kind(lua, LUA_LIST_KIND);
}

static int as_map(lua_State *lua)
{
    return as_kind(lua, LUA_MAP_KIND);
}

/* default(x, y): y where x is nil or null. */
static int default_to(lua_State *lua)
{
    lua_settop(lua, 2);
    if (!lua_isnil(lua, 1) && !lua_islightuserdata(lua, 1))
        lua_settop(lua, 1);
    return 1;
}

static const char *type_name(lua_State *lua, int at)
{
    const struct leat_value *v = lua_box_at(lua, at, LEAT_NULL);

    if (lua_islightuserdata(lua, at))
        return "null";
    return v ? leat_tag_name(v->tag) : luaL_typename(lua, at);
}

static int type_of(lua_State *lua)
{
    luaL_checkany(lua, 1);
    lua_pushstring(lua, type_name(lua, 1));
    return 1;
}

/* Not where in memory a table lies: that is another place at each run. */
static int to_text(lua_State *lua)
{
    int type = lua_type(lua, 1);

    luaL_checkany(lua, 1);
    if (type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TLIGHTUSERDATA)
        lua_pushstring(lua, type_name(lua, 1));
    else
        luaL_tolstring(lua, 1, NULL);
    return 1;
}

/* ---- pairs, by the order of the keys: booleans, numbers, texts */

static int rank(lua_State *lua, int at)
{
    int type = lua_type(lua, at);

    return type == LUA_TBOOLEAN ? 0 : type == LUA_TNUMBER ? 1 : type == LUA_TSTRING ? 2 : 3;
}

static int key_less(lua_State *lua)
{
    int a = rank(lua, 1), b = rank(lua, 2);

    if (a == 3 || b == 3)
        luaL_error(lua, "pairs of a table with keys that have no order");
    if (a != b || a == 0)
        lua_pushboolean(lua, a != b ? a < b : lua_toboolean(lua, 1) < lua_toboolean(lua, 2));
    else
        lua_pushboolean(lua, lua_compare(lua, 1, 2, LUA_OPLT));
    return 1;
}

/* Upvalues: the table, its keys, how many have been. What was taken away since then is left out. */
static int pairs_next(lua_State *lua)
{
    lua_Integer i = lua_tointeger(lua, lua_upvalueindex(3));

    for (;;) {
        lua_settop(lua, 0);
        if (lua_rawgeti(lua, lua_upvalueindex(2), ++i) == LUA_TNIL)
            return 1;
        lua_pushvalue(lua, 1);
        if (lua_rawget(lua, lua_upvalueindex(1)) != LUA_TNIL)
            break;
        lua_charge(lua, 1);
    }
    lua_pushinteger(lua, i);
    lua_replace(lua, lua_upvalueindex(3));
    return 2;
}

static int sorted_pairs(lua_State *lua)
{
    lua_Integer count = 0;

    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_settop(lua, 1);
    lua_newtable(lua);
    for (lua_pushnil(lua); lua_next(lua, 1); lua_pop(lua, 1)) {
        lua_pushvalue(lua, -2);
        lua_rawseti(lua, 2, ++count);
    }
    lua_charge(lua, (size_t)count);
    lua_pushcfunction(lua, lua_sort);
    lua_pushvalue(lua, 2);
    lua_pushcfunction(lua, key_less);
    lua_call(lua, 2, 0);
    lua_pushinteger(lua, 0);
    lua_pushcclosure(lua, pairs_next, 3);
    return 1;
}

/* ---- Lua's functions, with what they lack; upvalue: the one of Lua */

static int call_original(lua_State *lua)
{
    lua_pushvalue(lua, lua_upvalueindex(1));
    lua_insert(lua, 1);
    lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
    return lua_gettop(lua);
}

/* Repeating nothing would go on as often as asked. */
static int repeat(lua_State *lua)
{
    size_t len, between = 0;

    luaL_checklstring(lua, 1, &len);
    lua_Integer n = luaL_checkinteger(lua, 2);
    luaL_optlstring(lua, 3, "", &between);
    if (len + between == 0 || n <= 0) {
        lua_pushliteral(lua, "");
        return 1;
    }
    lua_charge(lua, n > LUA_MEMORY ? LUA_MEMORY : (size_t)n / 8);
    return call_original(lua);
}

static int move(lua_State *lua)
{
    lua_Integer from = luaL_checkinteger(lua, 2), to = luaL_checkinteger(lua, 3);

    if (to >= from)
        lua_charge(lua, (size_t)((lua_Unsigned)to - (lua_Unsigned)from));
    return call_original(lua);
}

/* insert and remove in the middle move what is behind. */
static int shift(lua_State *lua)
{
    luaL_checktype(lua, 1, LUA_TTABLE);
    if (lua_gettop(lua) > 1)
        lua_charge(lua, (size_t)lua_rawlen(lua, 1) / 16);
    return call_original(lua);
}

/* What goes through texts without an instruction and without memory, in one call. */
static int read_texts(lua_State *lua)
{
    size_t len, all = 0;

    for (int i = 1; i <= lua_gettop(lua); i++)
        if (lua_type(lua, i) == LUA_TSTRING && lua_tolstring(lua, i, &len))
            all += len;
    lua_charge(lua, all / 16);
    return call_original(lua);
}

/* Not where in memory something lies. */
static int format(lua_State *lua)
{
    size_t len;
    const char *how = luaL_checklstring(lua, 1, &len), *end = how + len;

    for (int i = 2; i <= lua_gettop(lua); i++) {
        int type = lua_type(lua, i);
        if (type == LUA_TTABLE || type == LUA_TFUNCTION)
            luaL_argerror(lua, i, "format takes no table and no function");
    }
    for (const char *p = how; p < end && (p = memchr(p, '%', (size_t)(end - p))); p++) {
        p += 1 + strspn(p + 1, "-+ #0123456789.");
        if (*p == 'p')
            luaL_error(lua, "format has no %%p");
    }
    return read_texts(lua);
}

/* ---- the environment */

static const luaL_Reg ours[] = {{"timestamp", make_timestamp},
                                {"fromMillis", from_millis},
                                {"duration", make_duration},
                                {"bytes", make_bytes},
                                {"list", as_list},
                                {"map", as_map},
                                {"default", default_to},
                                {"type", type_of},
                                {"tostring", to_text},
                                {NULL, NULL}};

static const luaL_Reg of_boxes[] = {
    {"__tostring", box_text}, {"__len", box_len}, {"__eq", box_equal},     {"__lt", box_less},
    {"__le", box_less_equal}, {"__add", box_add}, {"__sub", box_subtract}, {NULL, NULL}};

static const luaL_Reg methods[] = {{"millis", box_millis}, {"text", box_text}, {NULL, NULL}};

static int refuse_write(lua_State *lua)
{
    const char *name = lua_type(lua, 2) == LUA_TSTRING ? lua_tostring(lua, 2) : "x";

    return luaL_error(lua,
                      "'%s' is no local: a script keeps nothing between calls (write `local %s`)",
                      name, name);
}

/* The table on top of the stack becomes an empty one that reads from it and takes nothing. */
static void protect(lua_State *lua)
{
    lua_newtable(lua);
    lua_createtable(lua, 0, 2);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, refuse_write);
    lua_setfield(lua, -2, "__newindex");
    lua_setmetatable(lua, -2);
    lua_remove(lua, -2);
}

/* Copy the fields (NULL at the end) of the table at `from` into the one on top. */
static void pick(lua_State *lua, int from, const char *const *names)
{
    for (; *names; names++) {
        lua_getfield(lua, from, *names);
        lua_setfield(lua, -2, *names);
    }
}

/* The function on top, which is Lua's `name` in the table below it, gets one of ours around it. */
static void wrap(lua_State *lua, const char *name, lua_CFunction with)
{
    lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, with, 1);
    lua_setfield(lua, -2, name);
}

static int open_library(lua_State *lua, const char *name, lua_CFunction open)
{
    luaL_requiref(lua, name, open, 0);
    return lua_gettop(lua);
}

static void add_strings(lua_State *lua, int into)
{
    static const char *const names[] = {"byte",     "char",  "format",  "len", "lower",
                                        "rep",      "pack",  "reverse", "sub", "unpack",
                                        "packsize", "upper", NULL};
    int from = open_library(lua, LUA_STRLIBNAME, luaopen_string);

    lua_createtable(lua, 0, 16);
    pick(lua, from, names);
    wrap(lua, "rep", repeat);
    wrap(lua, "format", format);
    wrap(lua, "pack", read_texts);
    wrap(lua, "packsize", read_texts);
    wrap(lua, "unpack", read_texts);
    lua_pattern_library(lua);
    lua_pushliteral(lua, ""); /* its metatable, for s:upper() */
    lua_getmetatable(lua, -1);
    lua_pushvalue(lua, -3);
    lua_setfield(lua, -2, "__index");
    lua_pop(lua, 2);
    protect(lua);
    lua_setfield(lua, into, "string");
    lua_pop(lua, 1);
}

static void add_tables(lua_State *lua, int into)
{
    static const char *const names[] = {"concat", "insert", "move", "pack",
                                        "remove", "unpack", NULL};
    int from = open_library(lua, LUA_TABLIBNAME, luaopen_table);

    lua_createtable(lua, 0, 8);
    pick(lua, from, names);
    lua_pushcfunction(lua, lua_sort);
    lua_setfield(lua, -2, "sort");
    wrap(lua, "move", move);
    wrap(lua, "insert", shift);
    wrap(lua, "remove", shift);
    protect(lua);
    lua_setfield(lua, into, "table");
    lua_pop(lua, 1);
}

/* `reading`: those of its functions that go through texts. */
static void add_rest(lua_State *lua, int into, const char *name, lua_CFunction open,
                     const char *const *names, const char *const *reading)
{
    int from = open_library(lua, name, open);

    lua_newtable(lua);
    pick(lua, from, names);
    for (; *reading; reading++)
        wrap(lua, *reading, read_texts);
    protect(lua);
    lua_setfield(lua, into, name);
    lua_pop(lua, 1);
}

static int null_text(lua_State *lua)
{
    lua_pushliteral(lua, "null");
    return 1;
}

static void open_boxes(lua_State *lua)
{
    luaL_newmetatable(lua, LUA_BOX);
    luaL_setfuncs(lua, of_boxes, 0);
    luaL_newlib(lua, methods);
    protect(lua);
    lua_setfield(lua, -2, "__index");
    lua_pushliteral(lua, "value");
    lua_setfield(lua, -2, "__name");
    lua_pop(lua, 1);
    lua_pushlightuserdata(lua, NULL); /* null: all light userdata there is */
    lua_createtable(lua, 0, 2);
    lua_pushliteral(lua, "null");
    lua_setfield(lua, -2, "__name");
    lua_pushcfunction(lua, null_text);
    lua_setfield(lua, -2, "__tostring");
    lua_setmetatable(lua, -2);
    lua_pop(lua, 1);
}

void lua_library_open(lua_State *lua)
{
    static const char *const basic[] = {"assert", "error", "ipairs", "select", "tonumber", NULL};
    static const char *const math[] = {
        "abs",  "acos", "asin", "atan",       "ceil", "cos",       "exp", "floor", "fmod",
        "huge", "log",  "max",  "maxinteger", "min",  "modf",      "pi",  "rad",   "mininteger",
        "deg",  "sin",  "sqrt", "tan",        "type", "tointeger", "ult", NULL};
    static const char *const utf8[] = {"char", "charpattern", "codepoint", "codes",
                                       "len",  "offset",      NULL};
    static const char *const utf8_reading[] = {"codepoint", "len", "offset", NULL};
    static const char *const none[] = {NULL};

    open_boxes(lua);
    lua_createtable(lua, 0, 32);
    int into = lua_gettop(lua), from = open_library(lua, LUA_GNAME, luaopen_base);
    lua_pushvalue(lua, into);
    pick(lua, from, basic);
    wrap(lua, "tonumber", read_texts);
    luaL_setfuncs(lua, ours, 0);
    lua_pop(lua, 2);
    lua_pushlightuserdata(lua, NULL);
    lua_setfield(lua, into, "null");
    add_strings(lua, into);
    add_tables(lua, into);
    lua_pushcfunction(lua, sorted_pairs);
    lua_setfield(lua, into, "pairs");
    add_rest(lua, into, LUA_MATHLIBNAME, luaopen_math, math, none);
    add_rest(lua, into, LUA_UTF8LIBNAME, luaopen_utf8, utf8, utf8_reading);
    protect(lua);
}
