/*
 * lookup_table.c - the rows of a reference table: an index over keys, in an arena of its own.
 *
 * Open addressing with linear probing; a row that goes is followed up by those behind it (Knuth,
 * TAOCP 6.4, algorithm R), so there are no marks of what was. Rows that were replaced or taken away
 * stay in the arena until they are half of it: then those that count are copied into a new one.
 */
#include "op/lookup_table.h"

#include "data/value_ops.h"

#define GARBAGE_MIN ((size_t)256 * 1024)

struct slot {
    uint64_t hash;
    struct leat_slice key; /* ptr NULL: free */
    struct leat_value row;
};

struct leat_lookup_table {
    struct leat_arena arena;
    struct slot *slots;
    size_t count, size; /* size: a power of two */
    size_t fresh_bytes; /* of the arena when it held nothing but what counts */
};

static struct slot *slot_of(const struct leat_lookup_table *t, uint64_t hash, struct leat_slice key)
{
    for (size_t i = hash & (t->size - 1);; i = (i + 1) & (t->size - 1))
        if (!t->slots[i].key.ptr ||
            (t->slots[i].hash == hash && leat_slice_eq(t->slots[i].key, key)))
            return &t->slots[i];
}

const struct leat_value *leat_lookup_find(const struct leat_lookup_table *t, struct leat_slice key)
{
    const struct slot *s = t && t->size ? slot_of(t, leat_key_hash(key), key) : NULL;

    return s && s->key.ptr ? &s->row : NULL;
}

size_t leat_lookup_rows(const struct leat_lookup_table *t)
{
    return t->count;
}

size_t leat_lookup_bytes(const struct leat_lookup_table *t)
{
    return t->arena.bytes;
}

struct leat_lookup_table *leat_lookup_new(size_t cap)
{
    struct leat_lookup_table *t = leat_mem_alloc(sizeof *t);

    if (t)
        t->arena.cap = cap;
    return t;
}

void leat_lookup_free(struct leat_lookup_table *t)
{
    if (!t)
        return;
    leat_arena_reset(&t->arena);
    leat_mem_free(t);
}

static bool copy_slot(struct slot *to, const struct slot *from, struct leat_arena *arena)
{
    *to = (struct slot){from->hash, leat_arena_copy(arena, from->key),
                        leat_value_copy(from->row, arena)};
    return to->key.ptr && to->row.tag != LEAT_ERROR;
}

static bool grow(struct leat_lookup_table *t)
{
    struct slot *old = t->slots;
    size_t size = t->size;

    t->size = size ? size * 2 : 64;
    t->slots = leat_arena_array(&t->arena, t->size, sizeof *t->slots);
    if (!t->slots)
        return false;
    for (size_t i = 0; i < size; i++)
        if (old[i].key.ptr)
            *slot_of(t, old[i].hash, old[i].key) = old[i];
    return true;
}

/* Both arenas are there for a moment, each within the cap. */
static bool leave_garbage(struct leat_lookup_table *t)
{
    struct leat_lookup_table fresh = {
        .arena.cap = t->arena.cap, .size = t->size, .count = t->count};
    bool whole = (fresh.slots = leat_arena_array(&fresh.arena, t->size, sizeof *fresh.slots));

    for (size_t i = 0; i < t->size && whole; i++)
        if (t->slots[i].key.ptr)
            whole = copy_slot(&fresh.slots[i], &t->slots[i], &fresh.arena);
    leat_arena_reset(whole ? &t->arena : &fresh.arena);
    if (!whole)
        return false;
    *t = fresh;
    t->fresh_bytes = t->arena.bytes;
    return true;
}

enum leat_status leat_lookup_put(struct leat_lookup_table *t, struct leat_slice key,
                                 struct leat_value row, bool replace, struct leat_error *err)
{
    uint64_t hash = leat_key_hash(key);

    if (t->count * 4 >= t->size * 3 && !grow(t))
        return leat_arena_failed(&t->arena, err);
    struct slot *s = slot_of(t, hash, key);
    if (s->key.ptr && !replace)
        return leat_fail(err, LEAT_E_DATA, "its key stands there twice");
    if (s->key.ptr) {
        struct leat_value copy = leat_value_copy(row, &t->arena);
        if (copy.tag == LEAT_ERROR)
            return leat_arena_failed(&t->arena, err);
        s->row = copy;
    } else {
        if (!copy_slot(s, &(struct slot){hash, key, row}, &t->arena)) {
            s->key = (struct leat_slice){0};
            return leat_arena_failed(&t->arena, err);
        }
        t->count++;
    }
    if (replace && t->arena.bytes > t->fresh_bytes * 2 + GARBAGE_MIN && !leave_garbage(t))
        return leat_arena_failed(&t->arena, err);
    return LEAT_OK;
}

void leat_lookup_remove(struct leat_lookup_table *t, struct leat_slice key)
{
    struct slot *gap = t->size ? slot_of(t, leat_key_hash(key), key) : NULL;

    if (!gap || !gap->key.ptr)
        return;
    t->count--;
    for (size_t i = (size_t)(gap - t->slots);;) {
        gap->key = (struct leat_slice){0};
        do {
            i = (i + 1) & (t->size - 1);
            if (!t->slots[i].key.ptr)
                return;
            /* It may move up unless its own place lies behind the gap. */
        } while (((i - (t->slots[i].hash & (t->size - 1))) & (t->size - 1)) <
                 ((i - (size_t)(gap - t->slots)) & (t->size - 1)));
        *gap = t->slots[i];
        gap = &t->slots[i];
    }
}
