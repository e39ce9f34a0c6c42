/* pattern_library.c - string.find, match, gmatch and gsub over pattern.c. */
#include "lua.h"

#include <ctype.h>

/* ---- captures */

static int captures_of(const struct lua_match *m, bool whole)
{
    return m->level == 0 && whole ? 1 : m->level;
}

/* Capture i, or all of the match when there are none. */
static void push_capture(const struct lua_match *m, int i, const char *from, const char *to)
{
    if (i >= m->level) {
        if (i > 0)
            luaL_error(m->lua, "there is no capture %%%d", i + 1);
        lua_pushlstring(m->lua, from, (size_t)(to - from));
    } else if (m->captures[i].len == LUA_CAPTURE_POSITION) {
        lua_pushinteger(m->lua, m->captures[i].at - m->text + 1);
    } else if (m->captures[i].len == LUA_CAPTURE_OPEN) {
        luaL_error(m->lua, "the pattern has a '(' without its ')'");
    } else {
        lua_pushlstring(m->lua, m->captures[i].at, (size_t)m->captures[i].len);
    }
}

static int push_captures(const struct lua_match *m, const char *from, const char *to, bool whole)
{
    int n = captures_of(m, whole);

    luaL_checkstack(m->lua, n, "too many captures");
    for (int i = 0; i < n; i++)
        push_capture(m, i, from, to);
    return n;
}

/* ---- find and match */

static struct lua_match begin(lua_State *lua, const char **pattern)
{
    size_t text_len, pattern_len;
    const char *text = luaL_checklstring(lua, 1, &text_len);

    *pattern = luaL_checklstring(lua, 2, &pattern_len);
    return (struct lua_match){.lua = lua,
                              .text = text,
                              .text_end = text + text_len,
                              .pattern_end = *pattern + pattern_len};
}

/* NULL: it begins behind the text. */
static const char *start_at(lua_State *lua, const struct lua_match *m, int arg)
{
    lua_Integer at = luaL_optinteger(lua, arg, 1), len = m->text_end - m->text;

    if (at < 0)
        at = at < -len ? 1 : len + at + 1;
    else if (at == 0)
        at = 1;
    return at > len + 1 ? NULL : m->text + at - 1;
}

static int find_plain(lua_State *lua, const struct lua_match *m, const char *from,
                      const char *pattern)
{
    size_t len = (size_t)(m->pattern_end - pattern), in = (size_t)(m->text_end - from);

    lua_charge(lua, in / 16);
    const char *at = len ? memmem(from, in, pattern, len) : from;
    if (!at) {
        lua_pushnil(lua);
        return 1;
    }
    lua_pushinteger(lua, at - m->text + 1);
    lua_pushinteger(lua, at - m->text + (lua_Integer)len);
    return 2;
}

static int search(lua_State *lua, bool find)
{
    const char *pattern;
    struct lua_match m = begin(lua, &pattern);
    const char *from = start_at(lua, &m, 3);

    if (from && find && lua_toboolean(lua, 4))
        return find_plain(lua, &m, from, pattern);
    bool anchored = pattern < m.pattern_end && *pattern == '^';
    for (; from && from <= m.text_end; from++) {
        const char *to = lua_match_at(&m, from, pattern + anchored);
        if (to && find) {
            lua_pushinteger(lua, from - m.text + 1);
            lua_pushinteger(lua, to - m.text);
            return 2 + push_captures(&m, from, to, false);
        }
        if (to)
            return push_captures(&m, from, to, true);
        if (anchored)
            break;
    }
    lua_pushnil(lua);
    return 1;
}

static int find(lua_State *lua)
{
    return search(lua, true);
}

static int match(lua_State *lua)
{
    return search(lua, false);
}

/* ---- gmatch: upvalues are text, pattern, where to go on, and the end of the last match or -1 */

static int gmatch_next(lua_State *lua)
{
    size_t text_len, pattern_len;
    const char *text = lua_tolstring(lua, lua_upvalueindex(1), &text_len);
    const char *pattern = lua_tolstring(lua, lua_upvalueindex(2), &pattern_len);
    lua_Integer last = lua_tointeger(lua, lua_upvalueindex(4));
    struct lua_match m = {.lua = lua,
                          .text = text,
                          .text_end = text + text_len,
                          .pattern_end = pattern + pattern_len};

    for (const char *s = text + lua_tointeger(lua, lua_upvalueindex(3)); s <= m.text_end; s++) {
        const char *to = lua_match_at(&m, s, pattern);
        if (!to || to - text == last)
            continue;
        lua_pushinteger(lua, to - text);
        lua_pushvalue(lua, -1);
        lua_replace(lua, lua_upvalueindex(3));
        lua_replace(lua, lua_upvalueindex(4));
        return push_captures(&m, s, to, true);
    }
    return 0;
}

static int gmatch(lua_State *lua)
{
    const char *pattern;
    struct lua_match m = begin(lua, &pattern);
    const char *from = start_at(lua, &m, 3);

    lua_settop(lua, 2);
    lua_pushinteger(lua, from ? from - m.text : m.text_end - m.text + 1);
    lua_pushinteger(lua, -1);
    lua_pushcclosure(lua, gmatch_next, 4);
    return 1;
}

/* ---- gsub */

static void add_text(struct lua_match *m, luaL_Buffer *into, const char *from, const char *to)
{
    size_t len;
    const char *with = lua_tolstring(m->lua, 3, &len), *end = with + len;

    for (; with < end; with++) {
        if (*with != '%') {
            luaL_addchar(into, *with);
            continue;
        }
        if (++with == end || (*with != '%' && !isdigit((unsigned char)*with)))
            luaL_error(m->lua, "in what gsub puts there '%%' wants a digit or '%%' behind it");
        if (*with == '%') {
            luaL_addchar(into, '%');
        } else if (*with == '0') {
            luaL_addlstring(into, from, (size_t)(to - from));
        } else {
            push_capture(m, *with - '1', from, to);
            luaL_tolstring(m->lua, -1, NULL);
            lua_remove(m->lua, -2);
            luaL_addvalue(into);
        }
    }
}

static void add_match(struct lua_match *m, luaL_Buffer *into, const char *from, const char *to)
{
    lua_State *lua = m->lua;

    if (lua_type(lua, 3) == LUA_TTABLE) {
        push_capture(m, 0, from, to);
        lua_gettable(lua, 3);
    } else if (lua_type(lua, 3) == LUA_TFUNCTION) {
        lua_pushvalue(lua, 3);
        lua_call(lua, push_captures(m, from, to, true), 1);
    } else {
        add_text(m, into, from, to);
        return;
    }
    if (!lua_toboolean(lua, -1)) {
        lua_pop(lua, 1);
        lua_pushlstring(lua, from, (size_t)(to - from));
    } else if (!lua_isstring(lua, -1)) {
        luaL_error(lua, "what gsub puts there is a %s", luaL_typename(lua, -1));
    }
    luaL_addvalue(into);
}

static int gsub(lua_State *lua)
{
    const char *pattern, *last = NULL;
    struct lua_match m = begin(lua, &pattern);
    const char *s = m.text;
    lua_Integer most = luaL_optinteger(lua, 4, m.text_end - m.text + 1), n = 0;
    bool anchored = pattern < m.pattern_end && *pattern == '^';
    int type = lua_type(lua, 3);
    luaL_Buffer into;

    luaL_argexpected(lua,
                     type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TTABLE ||
                         type == LUA_TFUNCTION,
                     3, "string/function/table");
    lua_settop(lua, 4);
    luaL_buffinit(lua, &into);
    while (n < most) {
        const char *to = lua_match_at(&m, s, pattern + anchored);
        if (to && to != last) {
            n++;
            add_match(&m, &into, s, to);
            s = last = to;
        } else if (s < m.text_end) {
            luaL_addchar(&into, *s++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    luaL_addlstring(&into, s, (size_t)(m.text_end - s));
    luaL_pushresult(&into);
    lua_pushinteger(lua, n);
    return 2;
}

void lua_pattern_library(lua_State *lua)
{
    static const luaL_Reg functions[] = {
        {"find", find}, {"match", match}, {"gmatch", gmatch}, {"gsub", gsub}, {NULL, NULL}};

    luaL_setfuncs(lua, functions, 0);
}
