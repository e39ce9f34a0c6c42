#include "lines.h"

#include "data/json.h"
#include "leat_test.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* Twice the row: without its doubles, for sorting, and with each of them behind a '#'. */
struct forms {
    char bare[1 << 17], full[1 << 17];
    size_t bare_len, full_len;
};

LEAT_PRINTF(2, 3) static void say(struct forms *f, const char *fmt, ...)
{
    char text[1 << 16];
    va_list args;

    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    CU_ASSERT_FATAL(f->full_len + (size_t)len < sizeof f->full);
    memcpy(f->bare + f->bare_len, text, (size_t)len);
    memcpy(f->full + f->full_len, text, (size_t)len);
    f->bare_len += (size_t)len;
    f->full_len += (size_t)len;
}

static void say_double(struct forms *f, double d)
{
    f->full_len +=
        (size_t)snprintf(f->full + f->full_len, sizeof f->full - f->full_len, "#%.17g ", d);
}

static void canonical(struct leat_value v, struct forms *f)
{
    switch ((int)v.tag) {
    case LEAT_DOUBLE:
        say_double(f, v.as.d);
        return;
    case LEAT_LIST:
    case LEAT_MAP:
        say(f, v.tag == LEAT_LIST ? "[" : "{");
        for (uint32_t i = 0; i < (v.tag == LEAT_MAP ? 2 : 1) * v.len; i++)
            canonical(v.as.items[i], f);
        say(f, v.tag == LEAT_LIST ? "]" : "}");
        return;
    case LEAT_INT:
        say(f, "%lld ", (long long)v.as.i);
        return;
    case LEAT_STRING:
        say(f, "'%.*s' ", LEAT_FMT(leat_value_text(v)));
        return;
    case LEAT_BOOL:
        say(f, "%s ", v.as.b ? "true" : "false");
        return;
    default:
        say(f, "%s ", leat_tag_name((enum leat_tag)v.tag));
    }
}

static void add_line(struct lines *l, uint32_t sink, struct leat_slice key, struct leat_slice value)
{
    static struct forms f;

    f.bare_len = f.full_len = 0;
    if (l->count == l->room) {
        size_t room = l->room ? l->room * 2 : 256;
        const char **list = leat_arena_array(&l->arena, room, sizeof *list);
        if (l->count)
            memcpy(list, l->list, l->count * sizeof *list);
        l->list = list;
        l->room = room;
    }
    say(&f, "%u %.*s: ", sink, LEAT_FMT(key));
    canonical(value.ptr ? leat_json_parse(value, &l->arena) : (struct leat_value){0}, &f);
    char *line = leat_arena_alloc(&l->arena, f.bare_len + f.full_len + 2);
    memcpy(line, f.bare, f.bare_len);
    line[f.bare_len] = '\1';
    memcpy(line + f.bare_len + 1, f.full, f.full_len);
    line[f.bare_len + 1 + f.full_len] = '\0';
    l->list[l->count++] = line;
}

/* Equal but for doubles, and those within 1e-9 of each other. */
static bool same_line(const char *a, const char *b)
{
    while (*a && *a == *b) {
        if (*a != '#') {
            a++, b++;
            continue;
        }
        char *end_a, *end_b;
        double x = strtod(a + 1, &end_a), y = strtod(b + 1, &end_b);
        if (!(fabs(x - y) <= 1e-9 * fmax(1, fmax(fabs(x), fabs(y)))) && !(x != x && y != y))
            return false;
        a = end_a;
        b = end_b;
    }
    return *a == *b;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void lines_collect(struct lines *into, struct pipeline *p)
{
    for (uint32_t sink = 0; sink < p->plan->sinks_count; sink++) {
        const struct leat_sealed_list *list = leat_driver_output(p->driver, sink);
        if (strncmp(p->plan->sinks[sink].name.ptr, "tap", 3) == 0)
            continue;
        for (const struct leat_sealed *s = list->first; s; s = s->next)
            for (uint32_t i = 0; i < s->chunk.selected; i++)
                add_line(into, sink, s->chunk.keys[s->chunk.selection[i]],
                         s->chunk.values[s->chunk.selection[i]]);
    }
}

void lines_add(struct lines *into, struct leat_slice value)
{
    add_line(into, 0, LEAT_LIT(""), value);
}

void lines_sort(struct lines *l)
{
    if (l->count)
        qsort(l->list, l->count, sizeof *l->list, by_text);
}

void lines_free(struct lines *l)
{
    leat_arena_reset(&l->arena);
    *l = (struct lines){0};
}

bool lines_same(const struct lines *a, const struct lines *b)
{
    size_t i = 0;

    while (i < a->count && i < b->count && same_line(a->list[i], b->list[i]))
        i++;
    if (i == a->count && i == b->count)
        return true;
    printf("%zu rows and %zu rows; the first that differ:\n  %s\n  %s\n", a->count, b->count,
           i < a->count ? strchr(a->list[i], '\1') + 1 : "nothing",
           i < b->count ? strchr(b->list[i], '\1') + 1 : "nothing");
    return false;
}
