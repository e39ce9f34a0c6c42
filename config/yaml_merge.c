/*
 * yaml_merge.c - the part of the tree builder that shares and merges: aliases, `<<`, duplicate
 * keys.
 */
#include "yaml_inner.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_MAX_LEN = 200 };

void config_tree_fail(struct config_tree *t, const struct leat_mark *mark, const char *text)
{
    struct leat_node at = {.mark = *mark};

    t->failed = true;
    leat_diag_error(t->diags, &at, "%s", text);
}

void *config_tree_take(struct config_tree *t, size_t size)
{
    void *memory = t->failed ? NULL : leat_arena_alloc(t->arena, size);

    if (!memory && !t->failed) {
        t->failed = true;
        leat_diag_error(t->diags, NULL, "there is not enough memory to read this file");
    }
    return memory;
}

struct leat_slice config_tree_path(struct config_tree *t, const struct leat_node *parent,
                                   struct leat_slice key, bool is_item)
{
    char index[16];
    struct leat_slice above = parent ? parent->path : LEAT_LIT("");
    int n = snprintf(index, sizeof index, "[%u]", parent ? parent->count : 0);
    struct leat_slice name = is_item ? (struct leat_slice){index, (size_t)n} : key;
    size_t dot = !is_item && above.len;

    if (above.len + dot + name.len > PATH_MAX_LEN)
        return above;
    char *path = config_tree_take(t, above.len + dot + name.len + 1);
    if (!path)
        return above;
    memcpy(path, above.ptr, above.len);
    memcpy(path + above.len, ".", dot);
    memcpy(path + above.len + dot, name.ptr, name.len);
    return (struct leat_slice){path, above.len + dot + name.len};
}

void config_tree_append(struct leat_node *parent, struct leat_node **last, struct leat_node *child)
{
    if (*last)
        (*last)->next = child;
    else
        parent->first = child;
    *last = child;
    parent->count++;
}

/* Nodes below and including this one, and how deep they go, counted as one who walks them would.
 * Stops early when there are more than `room`. */
static uint32_t measure(const struct leat_node *node, uint32_t room, unsigned *height)
{
    uint32_t sum = 1;
    unsigned below = 0, one;

    for (const struct leat_node *c = node->first; c && sum <= room; c = c->next) {
        sum += measure(c, room - sum, &one);
        below = one > below ? one : below;
    }
    *height = below + 1;
    return sum;
}

bool config_tree_charge(struct config_tree *t, const struct leat_node *node, unsigned depth,
                        const struct leat_mark *mark)
{
    unsigned height;
    uint32_t room = CONFIG_NODES_MAX - (t->nodes < CONFIG_NODES_MAX ? t->nodes : CONFIG_NODES_MAX);
    uint32_t size = measure(node, room, &height);

    if (size > room)
        config_tree_fail(t, mark,
                         "this file has more than 100,000 values, those behind aliases included");
    else if (depth + height > CONFIG_DEPTH_MAX)
        config_tree_fail(t, mark, "aliases make this deeper than 64 levels");
    t->nodes += size;
    return !t->failed;
}

static bool is_merge(const struct leat_node *child)
{
    return child->key_style == LEAT_STYLE_PLAIN && leat_slice_eq(child->key, LEAT_LIT("<<"));
}

/* One entry of a map while its duplicates are looked for. */
struct entry {
    struct leat_node *node;
    uint32_t order;
    bool merged;
};

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    size_t xn = x->node->key.len, yn = y->node->key.len;
    int c = memcmp(x->node->key.ptr, y->node->key.ptr, xn < yn ? xn : yn);

    if (c == 0 && xn != yn)
        c = xn < yn ? -1 : 1;
    if (c == 0)
        c = x->order < y->order ? -1 : 1;
    return c;
}

static int by_order(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return x->order < y->order ? -1 : x->order > y->order;
}

static uint32_t merge_count(const struct leat_node *from)
{
    uint32_t n = 0;

    if (from->kind == LEAT_NODE_MAP)
        return from->count;
    for (const struct leat_node *c = from->first; c; c = c->next)
        n += c->kind == LEAT_NODE_MAP ? c->count : 0;
    return n;
}

static void merge_map(struct config_tree *t, const struct leat_node *map,
                      const struct leat_node *from, struct entry *entries, uint32_t *n,
                      unsigned depth)
{
    if (from->alias.ptr && from->is_null && from->text.len == 0)
        return; /* an alias of nothing, which was said */
    if (from->kind != LEAT_NODE_MAP) {
        leat_diag_error(t->diags, from, "'<<' takes a map, or a list of maps");
        return;
    }
    for (const struct leat_node *c = from->first; c; c = c->next) {
        struct leat_node *copy =
            config_tree_charge(t, c, depth, &from->mark) ? config_tree_take(t, sizeof *copy) : NULL;
        if (!copy)
            return;
        *copy = *c;
        copy->next = NULL;
        copy->path = config_tree_path(t, map, c->key, false);
        if (copy->kind != LEAT_NODE_SCALAR && !copy->alias.ptr)
            copy->alias = LEAT_LIT("<<"); /* its children belong to somebody else */
        entries[*n] = (struct entry){copy, *n, true};
        (*n)++;
    }
}

static uint32_t collect(struct config_tree *t, const struct leat_node *map, struct entry *entries,
                        unsigned depth)
{
    uint32_t n = 0;

    for (struct leat_node *c = map->first; c; c = c->next)
        if (!is_merge(c)) {
            entries[n] = (struct entry){c, n, false};
            n++;
        }
    for (struct leat_node *c = map->first; c; c = c->next) {
        if (!is_merge(c))
            continue;
        if (c->kind == LEAT_NODE_LIST)
            for (const struct leat_node *one = c->first; one; one = one->next)
                merge_map(t, map, one, entries, &n, depth + 1);
        else
            merge_map(t, map, c, entries, &n, depth + 1);
    }
    return n;
}

static void refuse_duplicate(struct config_tree *t, const struct leat_node *first,
                             const struct leat_node *again)
{
    struct leat_diag *d =
        leat_diag_error_key(t->diags, again, "key '%.*s' is there twice", LEAT_FMT(again->key));

    leat_diag_note(t->diags, d, "the first is in line %u", first->key_mark.line);
}

void config_tree_finish_map(struct config_tree *t, struct leat_node *map, unsigned depth)
{
    uint32_t room = 0, n, kept = 0;

    for (const struct leat_node *c = map->first; c; c = c->next)
        room += is_merge(c) ? merge_count(c) : 1;
    struct entry *entries = config_tree_take(t, (room + 1) * sizeof *entries);
    if (!entries)
        return;
    n = collect(t, map, entries, depth);
    if (t->failed)
        return;
    qsort(entries, n, sizeof *entries, by_key);
    for (uint32_t i = 0; i < n; i++) {
        bool same = kept && leat_slice_eq(entries[kept - 1].node->key, entries[i].node->key);
        if (same && !entries[i].merged)
            refuse_duplicate(t, entries[kept - 1].node, entries[i].node);
        if (!same)
            entries[kept++] = entries[i];
    }
    qsort(entries, kept, sizeof *entries, by_order);
    map->first = NULL;
    map->count = 0;
    struct leat_node *last = NULL;
    for (uint32_t i = 0; i < kept; i++) {
        entries[i].node->next = NULL;
        config_tree_append(map, &last, entries[i].node);
    }
}
