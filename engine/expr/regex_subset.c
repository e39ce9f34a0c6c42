/*
 * regex_subset.c - lets through what RE2 knows, and says by name what it does not.
 *
 * One walk over the pattern, aware of escapes, classes and \Q...\E. What has the same spelling and
 * another meaning in PCRE2 is respelled: \v is one character in RE2, a class in PCRE2. Syntax
 * errors that both share are left to PCRE2.
 *
 * Thread: any.
 */
#include "expr/regex_subset.h"

#define REPEAT_MAX 1000

struct walk {
    const char *p, *end;
    char *to;
    bool quantified; /* the last thing was a quantifier */
    const char *why;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void copy(struct walk *w, size_t n)
{
    memcpy(w->to, w->p, n);
    w->to += n;
    w->p += n;
}

static bool refuse(struct walk *w, const char *why)
{
    w->why = why;
    return false;
}

static bool starts(const struct walk *w, const char *text)
{
    size_t n = strlen(text);

    return (size_t)(w->end - w->p) >= n && memcmp(w->p, text, n) == 0;
}

static bool walk_quoted(struct walk *w)
{
    while (w->p < w->end && !starts(w, "\\E"))
        copy(w, 1);
    if (w->p < w->end)
        copy(w, 2);
    return true;
}

/* At the backslash. */
static bool walk_escape(struct walk *w, bool in_class)
{
    char c = w->end - w->p > 1 ? w->p[1] : 0;

    if (w->end - w->p < 2)
        return refuse(w, "a backslash at the end");
    if (c == 'v') {
        memcpy(w->to, "\\x0b", 4);
        w->to += 4;
        w->p += 2;
        return true;
    }
    if (c >= '1' && c <= '9')
        return refuse(w, "backreferences (\\1) are not supported");
    if (c == 'g' || c == 'k')
        return refuse(w, "backreferences and subroutine calls (\\g, \\k) are not supported");
    if (c == 'Q') {
        copy(w, 2);
        return walk_quoted(w);
    }
    if ((is_letter(c) || is_digit(c)) &&
        !strchr(in_class ? "dDsSwWpPEafnrtx0" : "AbBzdDsSwWpPEafnrtx0", c))
        return refuse(w, "an escape that RE2 does not know (\\R, \\K, \\X, \\Z, \\h ...)");
    copy(w, 2);
    return true;
}

/* At the '['. */
static bool walk_class(struct walk *w)
{
    copy(w, 1);
    if (w->p < w->end && *w->p == '^')
        copy(w, 1);
    if (w->p < w->end && *w->p == ']')
        copy(w, 1);
    while (w->p < w->end && *w->p != ']') {
        if (*w->p == '\\') {
            if (!walk_escape(w, true))
                return false;
        } else if (starts(w, "[:")) {
            const char *close = memmem(w->p + 2, (size_t)(w->end - w->p - 2), ":]", 2);
            copy(w, close ? (size_t)(close - w->p + 2) : 2);
        } else {
            copy(w, 1);
        }
    }
    if (w->p < w->end)
        copy(w, 1);
    return true;
}

/* Behind "(?" where flags or a group without a name must follow: "i)", "is-m:", ":". */
static bool walk_flags(struct walk *w)
{
    while (w->p < w->end && *w->p && strchr("imsU-", *w->p))
        copy(w, 1);
    if (w->p < w->end && (*w->p == ')' || *w->p == ':')) {
        w->quantified = *w->p == ')'; /* nothing there that could be repeated */
        copy(w, 1);
        return true;
    }
    return refuse(w, "a group (?...) that RE2 does not know");
}

/* At the '('. */
static bool walk_group(struct walk *w)
{
    static const struct {
        const char *start, *why;
    } no[] = {
        {"(*", "verbs (*...) are not supported"},
        {"(?=", "look-ahead (?=...) is not supported"},
        {"(?!", "look-ahead (?!...) is not supported"},
        {"(?<=", "look-behind (?<=...) is not supported"},
        {"(?<!", "look-behind (?<!...) is not supported"},
        {"(?>", "atomic groups (?>...) are not supported"},
        {"(?|", "branch reset (?|...) is not supported"},
        {"(?#", "comments (?#...) are not supported"},
        {"(?(", "conditions (?(...)...) are not supported"},
        {"(?R", "recursion (?R) is not supported"},
        {"(?&", "recursion (?&...) is not supported"},
        {"(?P>", "recursion (?P>...) is not supported"},
        {"(?P=", "backreferences (?P=...) are not supported"},
        {"(?C", "callouts (?C...) are not supported"},
        {"(?+", "recursion (?+1) is not supported"},
    };

    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        if (starts(w, no[i].start))
            return refuse(w, no[i].why);
    if (starts(w, "(?P<") || starts(w, "(?<")) {
        copy(w, starts(w, "(?P<") ? 4 : 3);
        return true;
    }
    if (!starts(w, "(?")) {
        copy(w, 1);
        return true;
    }
    copy(w, 2);
    if (w->p < w->end && is_digit(*w->p))
        return refuse(w, "recursion (?1) is not supported");
    if (w->end - w->p > 1 && *w->p == '-' && is_digit(w->p[1]))
        return refuse(w, "recursion (?-1) is not supported");
    return walk_flags(w);
}

/* "{2}", "{2,}" or "{2,5}" at p: its length; else 0, and the brace is a character. */
static size_t repeat_length(const struct walk *w, uint32_t *most)
{
    const char *p = w->p + 1;
    uint32_t n = 0;

    *most = 0;
    for (uint32_t part = 0; part < 2; part++) {
        const char *digits = p;
        for (n = 0; p < w->end && is_digit(*p); p++)
            n = n > REPEAT_MAX ? n : n * 10 + (uint32_t)(*p - '0');
        if (part == 0 && p == digits)
            return 0;
        if (n > *most)
            *most = n;
        if (p < w->end && *p == '}')
            return (size_t)(p + 1 - w->p);
        if (part == 1 || p == w->end || *p != ',')
            return 0;
        p++;
    }
    return 0;
}

/* At one of * + ? {. A '?' behind it makes it lazy; any second quantifier is refused: in PCRE2 it
 * would mean "possessive" or is an error, in RE2 it always is one. */
static bool walk_quantifier(struct walk *w)
{
    uint32_t most = 0;
    size_t n = *w->p == '{' ? repeat_length(w, &most) : 1;

    if (n == 0) {
        w->quantified = false;
        copy(w, 1);
        return true;
    }
    if (most > REPEAT_MAX)
        return refuse(w, "more than 1000 repetitions are not supported");
    if (w->quantified)
        return refuse(w, *w->p == '+' ? "possessive quantifiers (a*+) are not supported"
                                      : "a quantifier behind a quantifier");
    copy(w, n);
    if (w->p < w->end && *w->p == '?')
        copy(w, 1);
    w->quantified = true;
    return true;
}

const char *regex_subset(struct leat_slice pattern, char *into, size_t *len, size_t *at)
{
    struct walk w = {.p = pattern.ptr, .end = pattern.ptr + pattern.len, .to = into};
    bool ok = true;

    while (ok && w.p < w.end) {
        char c = *w.p;
        bool quantifier = c == '*' || c == '+' || c == '?' || c == '{';
        *at = (size_t)(w.p - pattern.ptr);
        if (!quantifier)
            w.quantified = false;
        if (c == '\\')
            ok = walk_escape(&w, false);
        else if (c == '[')
            ok = walk_class(&w);
        else if (c == '(')
            ok = walk_group(&w);
        else if (quantifier)
            ok = walk_quantifier(&w);
        else
            copy(&w, 1);
    }
    *len = (size_t)(w.to - into);
    return w.why;
}
