#include "base/diag.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

/* ptr NULL when memory is out. */
__attribute__((format(printf, 2, 0))) static struct leat_slice print(struct leat_diags *all,
                                                                     const char *fmt, va_list args)
{
    va_list again;

    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    char *text = n < 0 ? NULL : leat_arena_alloc(all->arena, (size_t)n + 1);
    if (!text) {
        all->no_memory = true;
        return (struct leat_slice){0};
    }
    vsnprintf(text, (size_t)n + 1, fmt, args);
    return (struct leat_slice){text, (size_t)n};
}

static struct leat_diag *take(struct leat_diags *all)
{
    struct leat_diag *d = NULL;

    if (all->kept < LEAT_DIAGS_MAX) {
        d = leat_arena_alloc(all->arena, sizeof *d);
        all->no_memory |= !d;
    }
    if (!d) {
        all->spare = (struct leat_diag){0};
        return &all->spare;
    }
    all->kept++;
    if (all->last)
        all->last->next = d;
    else
        all->first = d;
    all->last = d;
    return d;
}

__attribute__((format(printf, 5, 0))) static struct leat_diag *
add(struct leat_diags *all, enum leat_severity severity, struct leat_mark mark,
    const struct leat_node *node, const char *fmt, va_list args)
{
    struct leat_diag *d = take(all);

    if (severity == LEAT_SEVERITY_ERROR)
        all->errors++;
    else
        all->warnings++;
    d->severity = severity;
    d->mark = mark;
    if (d != &all->spare)
        d->text = print(all, fmt, args);
    if (node)
        d->path = node->path;
    return d;
}

static struct leat_mark mark_of(const struct leat_node *node)
{
    if (!node)
        return (struct leat_mark){0};
    return node->mark.line ? node->mark : node->key_mark;
}

struct leat_diag *leat_diag_error(struct leat_diags *all, const struct leat_node *node,
                                  const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    struct leat_diag *d = add(all, LEAT_SEVERITY_ERROR, mark_of(node), node, fmt, args);
    va_end(args);
    return d;
}

struct leat_diag *leat_diag_warn(struct leat_diags *all, const struct leat_node *node,
                                 const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    struct leat_diag *d = add(all, LEAT_SEVERITY_WARNING, mark_of(node), node, fmt, args);
    va_end(args);
    return d;
}

struct leat_diag *leat_diag_error_at(struct leat_diags *all, const struct leat_node *node,
                                     size_t at, size_t len, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    struct leat_diag *d =
        add(all, LEAT_SEVERITY_ERROR, leat_node_mark_at(node, at, len), node, fmt, args);
    va_end(args);
    return d;
}

struct leat_diag *leat_diag_error_key(struct leat_diags *all, const struct leat_node *node,
                                      const char *fmt, ...)
{
    struct leat_mark mark = node->key_mark.line ? node->key_mark : node->mark;
    va_list args;

    va_start(args, fmt);
    struct leat_diag *d = add(all, LEAT_SEVERITY_ERROR, mark, node, fmt, args);
    va_end(args);
    return d;
}

void leat_diag_hint(struct leat_diags *all, struct leat_diag *d, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (d != &all->spare)
        d->hint = print(all, fmt, args);
    va_end(args);
}

void leat_diag_note(struct leat_diags *all, struct leat_diag *d, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    if (d != &all->spare)
        d->note = print(all, fmt, args);
    va_end(args);
}

bool leat_diag_filled(struct leat_diags *all, const struct leat_node *scalar)
{
    const struct leat_filled *filled = scalar->filled;

    if (filled && filled->problem.ptr && filled->tolerated)
        leat_diag_warn(all, scalar, "%.*s", LEAT_FMT(filled->problem));
    else if (filled && filled->problem.ptr)
        leat_diag_error(all, scalar, "%.*s", LEAT_FMT(filled->problem));
    return !filled || filled->value.ptr;
}

void leat_diag_hide(struct leat_diags *all, const struct leat_node *node)
{
    if (!node->mark.line)
        return;
    struct leat_secret *s = leat_arena_alloc(all->arena, sizeof *s);
    if (!s) {
        all->no_memory = true;
        return;
    }
    *s = (struct leat_secret){all->secrets, node->mark};
    all->secrets = s;
}

enum { NAME_MAX_LEN = 64, LIST_MAX_LEN = 160 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;

    return ab < c ? ab : c;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Optimal string alignment: insert, delete, replace, swap neighbours, each 1; case costs nothing.
 */
static unsigned distance(struct leat_slice a, struct leat_slice b)
{
    unsigned rows[3][NAME_MAX_LEN + 1];
    unsigned *two_up = rows[0], *up = rows[1], *row = rows[2];

    for (size_t j = 0; j <= b.len; j++)
        up[j] = (unsigned)j;
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b.len; j++) {
            unsigned replace = up[j - 1] + !same_letter(a.ptr[i - 1], b.ptr[j - 1]);
            row[j] = least(up[j] + 1, row[j - 1] + 1, replace);
            bool swapped = i > 1 && j > 1 && same_letter(a.ptr[i - 1], b.ptr[j - 2]) &&
                           same_letter(a.ptr[i - 2], b.ptr[j - 1]);
            if (swapped && two_up[j - 2] + 1 < row[j])
                row[j] = two_up[j - 2] + 1;
        }
        unsigned *free_row = two_up;
        two_up = up;
        up = row;
        row = free_row;
    }
    return up[b.len];
}

/* All of them, where that is a line and no page. */
static void hint_at_all(struct leat_diags *all, struct leat_diag *d,
                        const struct leat_slice *candidates, size_t count)
{
    char list[LIST_MAX_LEN];
    size_t len = 0;

    for (size_t i = 0; i < count; i++) {
        if (candidates[i].len == 0 || candidates[i].ptr[0] == '(') /* nobody can write that */
            continue;
        int n = snprintf(list + len, sizeof list - len, "%s%.*s", len ? ", " : "",
                         LEAT_FMT(candidates[i]));
        if (n < 0 || (size_t)n >= sizeof list - len)
            return;
        len += (size_t)n;
    }
    if (len)
        leat_diag_hint(all, d, "known here: %s", list);
}

bool leat_diag_did_you_mean(struct leat_diags *all, struct leat_diag *d, struct leat_slice name,
                            const struct leat_slice *candidates, size_t count)
{
    struct leat_slice best = {0};
    unsigned best_distance = 0;

    if (d == &all->spare || name.len > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct leat_slice c = candidates[i];
        if (c.len == 0 || c.len > NAME_MAX_LEN || leat_slice_eq(c, name))
            continue;
        unsigned apart = distance(name, c);
        size_t longer = c.len > name.len ? c.len : name.len;
        if (apart <= longer / 3 && (!best.ptr || apart < best_distance)) {
            best = c;
            best_distance = apart;
        }
    }
    if (best.ptr)
        leat_diag_hint(all, d, "did you mean '%.*s'?", LEAT_FMT(best));
    return best.ptr != NULL;
}

void leat_diag_nearest(struct leat_diags *all, struct leat_diag *d, struct leat_slice name,
                       const struct leat_slice *candidates, size_t count)
{
    if (!leat_diag_did_you_mean(all, d, name, candidates, count) && d != &all->spare &&
        name.len <= NAME_MAX_LEN)
        hint_at_all(all, d, candidates, count);
}
