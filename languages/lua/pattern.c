/*
 * pattern.c - Lua's patterns, matched with a count of steps.
 *
 * Lua's own matcher runs as one instruction, however long it takes, and a pattern like `.-.-.-x`
 * takes for ever on a few thousand bytes. This one takes a step for each try, and more for long
 * sets. Patterns mean what Lua's manual says (section 6.4.1).
 */
#include "lua.h"

#include <ctype.h>

#define NESTED_MAX 200 /* matches inside of each other: C's stack */

static const char *match(struct lua_match *m, const char *s, const char *p);

/* ---- one character */

#define SET_STEP 8 /* bytes of a set that are looked through in a step */

/* Behind the class that begins at p. */
static const char *class_end(const struct lua_match *m, const char *p)
{
    const char *begin = p;
    char first = *p++;

    if (first == '%') {
        if (p == m->pattern_end)
            luaL_error(m->lua, "the pattern ends with '%%'");
        return p + 1;
    }
    if (first != '[')
        return p;
    if (p < m->pattern_end && *p == '^')
        p++;
    for (bool begins = true; begins || p == m->pattern_end || *p != ']'; begins = false) {
        if (p == m->pattern_end)
            luaL_error(m->lua, "the pattern has a '[' without its ']'");
        if (*p++ == '%' && p < m->pattern_end)
            p++;
    }
    lua_charge(m->lua, (size_t)(p - begin) / SET_STEP);
    return p + 1;
}

static bool is_of_class(unsigned char c, char letter)
{
    bool is;

    switch (letter | 0x20) {
    case 'a':
        is = isalpha(c);
        break;
    case 'c':
        is = iscntrl(c);
        break;
    case 'd':
        is = isdigit(c);
        break;
    case 'g':
        is = isgraph(c);
        break;
    case 'l':
        is = islower(c);
        break;
    case 'p':
        is = ispunct(c);
        break;
    case 's':
        is = isspace(c);
        break;
    case 'u':
        is = isupper(c);
        break;
    case 'w':
        is = isalnum(c);
        break;
    case 'x':
        is = isxdigit(c);
        break;
    default:
        return (unsigned char)letter == c;
    }
    if (!isalpha((unsigned char)letter))
        return (unsigned char)letter == c;
    return isupper((unsigned char)letter) ? !is : is;
}

/* p at '[', end behind ']'. */
static bool is_in_set(unsigned char c, const char *p, const char *end)
{
    bool wanted = true;

    end--;
    if (*++p == '^') {
        wanted = false;
        p++;
    }
    while (p < end) {
        if (*p == '%' && p + 1 < end) {
            if (is_of_class(c, p[1]))
                return wanted;
            p += 2;
        } else if (p + 2 < end && p[1] == '-') {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2])
                return wanted;
            p += 3;
        } else {
            if ((unsigned char)*p == c)
                return wanted;
            p++;
        }
    }
    return !wanted;
}

static bool is_one(const struct lua_match *m, const char *s, const char *p, const char *end)
{
    lua_charge(m->lua, 1 + (size_t)(end - p) / SET_STEP);
    if (s == m->text_end)
        return false;
    if (*p == '.')
        return true;
    if (*p == '%')
        return is_of_class((unsigned char)*s, p[1]);
    return *p == '[' ? is_in_set((unsigned char)*s, p, end) : *p == *s;
}

/* ---- repetitions; `p` to `end` is the class, behind it stands * + or - */

static const char *longest(struct lua_match *m, const char *s, const char *p, const char *end,
                           ptrdiff_t least)
{
    ptrdiff_t n = 0;

    while (is_one(m, s + n, p, end))
        n++;
    for (; n >= least; n--) {
        const char *found = match(m, s + n, end + 1);
        if (found)
            return found;
    }
    return NULL;
}

static const char *shortest(struct lua_match *m, const char *s, const char *p, const char *end)
{
    for (;; s++) {
        const char *found = match(m, s, end + 1);
        if (found || !is_one(m, s, p, end))
            return found;
    }
}

/* ---- captures */

static const char *open_capture(struct lua_match *m, const char *s, const char *p)
{
    bool position = p + 1 < m->pattern_end && p[1] == ')';

    if (m->level == LUA_CAPTURES)
        luaL_error(m->lua, "the pattern has more than %d captures", LUA_CAPTURES);
    m->captures[m->level].at = s;
    m->captures[m->level++].len = position ? LUA_CAPTURE_POSITION : LUA_CAPTURE_OPEN;
    const char *found = match(m, s, p + (position ? 2 : 1));
    if (!found)
        m->level--;
    return found;
}

static const char *close_capture(struct lua_match *m, const char *s, const char *p)
{
    int i = m->level - 1;

    while (i >= 0 && m->captures[i].len != LUA_CAPTURE_OPEN)
        i--;
    if (i < 0)
        luaL_error(m->lua, "the pattern has a ')' without its '('");
    m->captures[i].len = s - m->captures[i].at;
    const char *found = match(m, s, p + 1);
    if (!found)
        m->captures[i].len = LUA_CAPTURE_OPEN;
    return found;
}

static const char *same_again(struct lua_match *m, const char *s, char digit)
{
    int i = digit - '1';

    if (i < 0 || i >= m->level || m->captures[i].len == LUA_CAPTURE_OPEN)
        luaL_error(m->lua, "the pattern names capture %%%c, which is not there", digit);
    ptrdiff_t len = m->captures[i].len < 0 ? 0 : m->captures[i].len;
    lua_charge(m->lua, 1 + (size_t)len / 16);
    return len <= m->text_end - s && memcmp(s, m->captures[i].at, (size_t)len) == 0 ? s + len
                                                                                    : NULL;
}

/* ---- %b and %f */

static const char *balanced(struct lua_match *m, const char *s, const char *p)
{
    int open = 1;

    if (m->pattern_end - p < 2)
        luaL_error(m->lua, "the pattern has a '%%b' without its two characters");
    if (s == m->text_end || *s != p[0])
        return NULL;
    while (++s < m->text_end) {
        lua_charge(m->lua, 1);
        if (*s == p[1] && --open == 0)
            return s + 1;
        open += *s == p[0] && *s != p[1];
    }
    return NULL;
}

/* At a border: what is before is not in the set, what is behind is. `begin` is where the text does.
 * NULL: no border. Else behind the set. */
static const char *frontier(struct lua_match *m, const char *s, const char *p)
{
    if (p == m->pattern_end || *p != '[')
        luaL_error(m->lua, "the pattern has a '%%f' without its set");
    const char *end = class_end(m, p);
    lua_charge(m->lua, 1 + 2 * (size_t)(end - p) / SET_STEP);
    unsigned char before = s == m->text ? '\0' : (unsigned char)s[-1];
    unsigned char behind = s == m->text_end ? '\0' : (unsigned char)*s;
    return !is_in_set(before, p, end) && is_in_set(behind, p, end) ? end : NULL;
}

/* ---- all of it */

/* %b, %f and %1: *s and *p move on, or *s becomes NULL. False: it is none of them. */
static bool special(struct lua_match *m, const char **s, const char **p)
{
    if ((*p)[0] != '%' || *p + 1 == m->pattern_end)
        return false;
    char c = (*p)[1];
    if (c == 'b') {
        *s = balanced(m, *s, *p + 2);
        *p += 4;
    } else if (c == 'f') {
        const char *end = frontier(m, *s, *p + 2);
        *s = end ? *s : NULL;
        *p = end;
    } else if (isdigit((unsigned char)c)) {
        *s = same_again(m, *s, c);
        *p += 2;
    } else {
        return false;
    }
    return true;
}

static const char *match_rest(struct lua_match *m, const char *s, const char *p)
{
    while (s && p < m->pattern_end) {
        if (*p == '(')
            return open_capture(m, s, p);
        if (*p == ')')
            return close_capture(m, s, p);
        if (*p == '$' && p + 1 == m->pattern_end)
            return s == m->text_end ? s : NULL;
        if (special(m, &s, &p))
            continue;
        const char *end = class_end(m, p), *found;
        char repeat = '\0';
        if (end < m->pattern_end)
            repeat = *end;
        if (repeat == '*' || repeat == '+')
            return longest(m, s, p, end, repeat == '+');
        if (repeat == '-')
            return shortest(m, s, p, end);
        bool is = is_one(m, s, p, end);
        if (repeat == '?' && is && (found = match(m, s + 1, end + 1)))
            return found;
        if (repeat == '?') {
            p = end + 1;
        } else if (is) {
            s++;
            p = end;
        } else {
            return NULL;
        }
    }
    return s;
}

static const char *match(struct lua_match *m, const char *s, const char *p)
{
    if (++m->depth > NESTED_MAX)
        luaL_error(m->lua, "the pattern is too complex");
    const char *found = match_rest(m, s, p);
    m->depth--;
    return found;
}

const char *lua_match_at(struct lua_match *m, const char *text, const char *pattern)
{
    lua_charge(m->lua, 1);
    m->level = m->depth = 0;
    return match(m, text, pattern);
}
