/* json_parse.c - a JSON text to values: everything, where no paths are known. */
#include "data/json_scan.h"

#include <xxhash.h>

#define SMALL_MAP 16 /* pairs: up to here duplicates are looked for one by one */

/* Items of the containers that are being read: one stack for all levels, so that a container's
 * items lie together when it ends and are copied out at their number. */
struct builder {
    struct leat_scan *s;
    struct leat_arena *arena;
    bool maps;
    struct leat_value *items;
    size_t count, room;
};

static const char *no_memory(struct leat_scan *s, const char *p)
{
    s->no_memory = true;
    return leat_scan_fail(s, p, "out of memory");
}

static bool push(struct builder *b, struct leat_value v)
{
    if (b->count == b->room) {
        size_t room = b->room ? b->room * 2 : 16;
        struct leat_value *items = leat_arena_array(b->arena, room, sizeof *items);
        if (!items)
            return false;
        if (b->count)
            memcpy(items, b->items, b->count * sizeof *items);
        b->items = items;
        b->room = room;
    }
    b->items[b->count++] = v;
    return true;
}

/* The items from `base` on leave the stack. NULL: out of memory. */
static const struct leat_value *pop(struct builder *b, size_t base)
{
    size_t n = b->count - base;
    struct leat_value *items = leat_arena_array(b->arena, n ? n : 1, sizeof *items);

    if (items && n)
        memcpy(items, b->items + base, n * sizeof *items);
    b->count = base;
    return items;
}

/* Pairs [from, i) of `pairs` are unlike each other: is pair i's name among them? Its number or i.
 */
static size_t find_pair(const struct leat_value *pairs, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (leat_slice_eq(leat_value_text(pairs[2 * k]), leat_value_text(pairs[2 * i])))
            return k;
    return i;
}

/* The same with a table of 1 + pair numbers, which gets i when it is new. */
static size_t find_hashed(const struct leat_value *pairs, size_t i, uint32_t *table, size_t mask)
{
    struct leat_slice name = leat_value_text(pairs[2 * i]);

    for (size_t at = XXH3_64bits(name.ptr, name.len) & mask;; at = (at + 1) & mask) {
        if (table[at] == 0) {
            table[at] = (uint32_t)i + 1;
            return i;
        }
        size_t k = table[at] - 1;
        if (leat_slice_eq(leat_value_text(pairs[2 * k]), name))
            return k;
    }
}

/* Of equal names only the first stays, with the value of the last. False: out of memory. */
static bool drop_duplicates(struct builder *b, size_t base)
{
    size_t n = (b->count - base) / 2, kept = 0, size = 2 * SMALL_MAP;
    uint32_t *table = NULL;

    if (n < 2)
        return true;
    if (n > SMALL_MAP) {
        while (size < 2 * n)
            size *= 2;
        table = leat_arena_array(b->arena, size, sizeof *table);
        if (!table)
            return false;
    }
    struct leat_value *pairs = b->items + base;
    for (size_t i = 0; i < n; i++) {
        pairs[2 * kept] = pairs[2 * i];
        pairs[2 * kept + 1] = pairs[2 * i + 1];
        size_t k = table ? find_hashed(pairs, kept, table, size - 1) : find_pair(pairs, kept);
        pairs[2 * k + 1] = pairs[2 * i + 1];
        kept += k == kept;
    }
    b->count = base + 2 * kept;
    return true;
}

static const char *build(struct builder *b, const char *p, uint32_t depth, struct leat_value *v);

static const char *build_map(struct builder *b, const char *p, uint32_t depth, struct leat_value *v)
{
    size_t base = b->count;

    for (bool first = true;; first = false) {
        struct leat_slice key;
        struct leat_value item;
        bool escaped;
        p = leat_scan_key(b->s, p, first, &key, &escaped);
        if (!p || !key.ptr)
            break;
        struct leat_value name = escaped ? leat_scan_unescape(key, b->arena) : leat_string(key);
        p = build(b, p, depth, &item);
        if (!p)
            return NULL;
        if (name.tag == LEAT_ERROR || !push(b, name) || !push(b, item))
            return no_memory(b->s, p);
    }
    if (!p)
        return NULL;
    if (!drop_duplicates(b, base))
        return no_memory(b->s, p);
    *v = (struct leat_value){.tag = LEAT_MAP, .len = (uint32_t)((b->count - base) / 2)};
    v->as.items = pop(b, base);
    return v->as.items ? p : no_memory(b->s, p);
}

static const char *build_list(struct builder *b, const char *p, uint32_t depth,
                              struct leat_value *v)
{
    size_t base = b->count;

    p = leat_scan_blank(b->s, p);
    for (bool first = true; p == b->s->end || *p != ']'; first = false) {
        struct leat_value item;
        if (!first) {
            if (p == b->s->end || *p != ',')
                return leat_scan_fail(b->s, p, "expected ',' or ']'");
            p = leat_scan_blank(b->s, p + 1);
        }
        p = build(b, p, depth, &item);
        if (!p)
            return NULL;
        if (!push(b, item))
            return no_memory(b->s, p);
        p = leat_scan_blank(b->s, p);
    }
    *v = (struct leat_value){.tag = LEAT_LIST, .len = (uint32_t)(b->count - base)};
    v->as.items = pop(b, base);
    return v->as.items ? p + 1 : no_memory(b->s, p);
}

struct leat_value leat_scan_record(struct leat_slice object, struct leat_arena *arena)
{
    static const struct leat_shape no_fields = {.interned = true};
    struct leat_record *record = leat_record_new(arena, &no_fields);

    if (!record)
        return leat_value_fail(LEAT_V_BUDGET, "out of memory");
    record->raw = object;
    return (struct leat_value){.tag = LEAT_RECORD, .as.record = record};
}

static const char *build_record(struct builder *b, const char *p, uint32_t depth,
                                struct leat_value *v)
{
    const char *behind = leat_scan_skip(b->s, p, depth);

    if (!behind)
        return NULL;
    *v = leat_scan_record((struct leat_slice){p, (size_t)(behind - p)}, b->arena);
    return v->tag == LEAT_ERROR ? no_memory(b->s, p) : behind;
}

static const char *build_string(struct builder *b, const char *p, struct leat_value *v)
{
    bool escaped = false;
    const char *behind = leat_scan_string(b->s, p, &escaped);

    if (!behind)
        return NULL;
    *v = leat_scan_text(p, behind, escaped, b->arena);
    return v->tag == LEAT_ERROR ? no_memory(b->s, p) : behind;
}

static const char *build(struct builder *b, const char *p, uint32_t depth, struct leat_value *v)
{
    if (p == b->s->end)
        return leat_scan_fail(b->s, p, "the text ends too early");
    if (*p == '"')
        return build_string(b, p, v);
    if (*p == '-' || (unsigned char)(*p - '0') < 10)
        return leat_scan_number(b->s, p, v);
    if (*p == '{' && !b->maps)
        return build_record(b, p, depth, v);
    if (*p != '{' && *p != '[')
        return leat_scan_word(b->s, p, v);
    if (depth == LEAT_JSON_DEPTH)
        return leat_scan_fail(b->s, p, "nested too deeply");
    return *p == '{' ? build_map(b, p + 1, depth + 1, v) : build_list(b, p + 1, depth + 1, v);
}

const char *leat_scan_value(struct leat_scan *s, const char *p, uint32_t depth, bool maps,
                            struct leat_arena *arena, struct leat_value *v)
{
    struct builder b = {.s = s, .arena = arena, .maps = maps};

    return build(&b, p, depth, v);
}

struct leat_value leat_json_parse(struct leat_slice text, struct leat_arena *arena)
{
    struct leat_scan s = {.begin = text.ptr, .end = text.ptr + text.len};
    struct leat_value v;
    const char *p = text.ptr;

    if (text.len > UINT32_MAX)
        p = leat_scan_fail(&s, s.begin, "longer than 4 GiB");
    if (p)
        p = leat_scan_value(&s, leat_scan_blank(&s, p), 0, true, arena, &v);
    if (p) {
        p = leat_scan_blank(&s, p);
        if (p == s.end)
            return v;
        leat_scan_fail(&s, p, "something behind the value");
    }
    return leat_scan_error(&s, arena);
}

struct leat_value leat_json_field(struct leat_slice object, struct leat_slice name,
                                  struct leat_arena *arena)
{
    struct leat_scan s = {.begin = object.ptr, .end = object.ptr + object.len};
    const char *p = leat_scan_blank(&s, object.ptr), *found = NULL;

    if (p < s.end && *p == '{') {
        p++;
        for (bool first = true; p; first = false) {
            struct leat_slice key;
            bool escaped;
            p = leat_scan_key(&s, p, first, &key, &escaped);
            if (!p || !key.ptr)
                break;
            if (leat_scan_is(key, escaped, name))
                found = p;
            p = leat_scan_skip(&s, p, 1);
        }
    }
    struct leat_value v;
    if (!p || !found)
        return leat_value_fail(LEAT_V_ABSENT, "");
    if (!leat_scan_value(&s, found, 1, false, arena, &v))
        return leat_scan_error(&s, arena);
    return v;
}
