/*
 * state_image.c - a state table as bytes: an image of everything, or what was changed.
 *
 * An image is the slots and the pages as they lie in memory; reading it is copying it, one walk
 * over the entries, which checks every length and puts times into the wheel, and one over the
 * slots, which checks that each entry is meant by one slot. No key is inserted.
 *
 *     image:  'I' version timed 0 | u32 segments | u32 pages | u64 entries
 *             | u64 where the wheel stands | u32 bits per segment | slots of each segment | pages
 *     delta:  'D' version timed 0 | per change: put 1 u32 key [i64 due] u32 value, remove 2 u32 key
 *
 * Little endian, as the machines that run this are.
 */
#include "data/key.h"
#include "op/state_table_in.h"

#include <assert.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "images are read as they are");

#define VERSION 1

enum { CHANGE_PUT = 1, CHANGE_REMOVE = 2 };

static void put_head(const struct leat_state_table *t, char kind, struct leat_bytes *into)
{
    uint8_t head[4] = {(uint8_t)kind, VERSION, t->timed};

    leat_bytes_put(into, head, sizeof head);
}

/* ---- deltas */

static void put_change(struct leat_state_table *t, uint32_t number, struct leat_bytes *into)
{
    struct entry e = entry_at(t, number);
    uint8_t kind = e.at[0] & ENTRY_DEAD ? CHANGE_REMOVE : CHANGE_PUT;

    leat_bytes_put(into, &kind, 1);
    leat_bytes_put_slice(into, e.key);
    if (kind == CHANGE_REMOVE)
        return;
    if (t->timed)
        leat_bytes_put_u64(into, (uint64_t)leat_state_due_ms(t, number));
    leat_bytes_put_slice(into, e.value);
}

static void write_change(struct leat_state_table *t, uint32_t number, void *arg)
{
    put_change(t, number, arg);
    if (*leat_heap_at(&t->heap, number) & ENTRY_DEAD)
        entry_purge(t, number);
}

/* Nobody asked before: whatever there is has changed since there was nothing. */
static void write_all(struct leat_state_table *t, struct leat_bytes *delta)
{
    struct leat_state_walk walk = {0};

    leat_state_batch_ends(t);
    t->logged = true;
    for (uint32_t number; (number = leat_state_next(t, &walk));)
        put_change(t, number, delta);
}

enum leat_status leat_state_append(struct leat_state_table *t, struct leat_bytes *delta,
                                   struct leat_error *err)
{
    if (t->logged && !t->changes)
        return LEAT_OK;
    put_head(t, 'D', delta);
    if (t->logged)
        entry_take_changes(t, write_change, delta);
    else
        write_all(t, delta);
    return delta->failed ? leat_arena_failed(delta->arena, err) : LEAT_OK;
}

static enum leat_status damaged(struct leat_error *err, const char *what)
{
    return leat_fail(err, LEAT_E_CORRUPT, "damaged state: %s", what);
}

static enum leat_status read_put(struct leat_state_table *t, struct leat_slice key,
                                 struct leat_slice *bytes, struct leat_error *err)
{
    struct leat_slice value;
    uint64_t due = 0;
    uint32_t number;

    if ((t->timed && !leat_take_u64(bytes, &due)) || !leat_take_slice(bytes, &value))
        return damaged(err, "a value is cut short");
    return leat_state_put(t, key, leat_state_hash(leat_key_hash(key)), value, (int64_t)due, &number,
                          err);
}

static enum leat_status read_delta(struct leat_state_table *t, struct leat_slice bytes,
                                   struct leat_error *err)
{
    struct leat_slice key;
    uint8_t kind;

    while (bytes.len) {
        leat_take(&bytes, &kind, 1);
        if (!leat_take_slice(&bytes, &key))
            return damaged(err, "a key is cut short");
        if (kind == CHANGE_PUT) {
            if (read_put(t, key, &bytes, err) != LEAT_OK)
                return err->status;
            continue;
        }
        if (kind != CHANGE_REMOVE)
            return damaged(err, "neither put nor removed");
        uint32_t number = leat_state_find(t, key, leat_state_hash(leat_key_hash(key)));
        if (number && leat_state_remove(t, number, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

/* ---- images */

enum leat_status leat_state_snapshot(struct leat_state_table *t, struct leat_bytes *all,
                                     struct leat_error *err)
{
    size_t size = 32, copied = t->heap.pages_count * LEAT_HEAP_PAGE;

    for (uint32_t i = 0; i < t->segments_count; i++) {
        size += 4;
        copied += sizeof(uint64_t) << t->segments[i].bits;
    }
    size += copied;
    if (all->len == 0 && all->room < size) { /* exactly, for it may be large */
        all->ptr = leat_arena_alloc(all->arena, size);
        all->room = all->ptr ? size : 0;
        all->failed = !all->ptr;
    }
    put_head(t, 'I', all);
    leat_bytes_put_u32(all, t->segments_count);
    leat_bytes_put_u32(all, t->heap.pages_count);
    leat_bytes_put_u64(all, t->entries);
    leat_bytes_put_u64(all, t->wheel.now);
    for (uint32_t i = 0; i < t->segments_count; i++)
        leat_bytes_put_u32(all, t->segments[i].bits);
    leat_heap_close_page(&t->heap);
    char *to = leat_bytes_reserve(all, copied);
    if (!to || !state_copy_begin(t, all->arena, to))
        return leat_arena_failed(all->arena, err);
    all->len += copied;
    return LEAT_OK;
}

/* Which units begin an entry that no slot has led to yet. */
struct starts {
    uint64_t *bits;
    uint64_t count;
};

static enum leat_status walk_pages(struct leat_state_table *t, struct starts *starts,
                                   struct leat_error *err)
{
    uint32_t end = t->heap.pages_count * (uint32_t)LEAT_HEAP_PAGE_UNITS;
    size_t size = 0;

    for (uint32_t number = 0; number < end; number += (uint32_t)(size / LEAT_HEAP_UNIT)) {
        uint8_t *at = (uint8_t *)leat_heap_at(&t->heap, number);
        struct entry e = {0};
        bool used = at[0];
        if (used && (number == 0 || !(at[0] & ENTRY_USED) ||
                     !entry_parse(t, at, leat_heap_rest(&t->heap, number), &e)))
            return damaged(err, "an entry goes beyond its page");
        if (!leat_heap_walk(&t->heap, number, e.size, &size))
            return damaged(err, "the pages of entries");
        if (!used)
            continue;
        at[0] &= ENTRY_USED | ENTRY_DEAD;
        starts->bits[number / 64] |= UINT64_C(1) << number % 64;
        starts->count++;
        if (at[0] & ENTRY_DEAD) {
            if (!entry_changed(t, number))
                return leat_arena_failed(t->heap.arena, err);
            continue;
        }
        t->keys++;
        if (t->timed) {
            at[0] |= ENTRY_LINKED;
            leat_wheel_add(&t->wheel, number);
        }
    }
    return LEAT_OK;
}

static enum leat_status read_segment(struct leat_state_table *t, struct starts *starts,
                                     struct leat_segment_slots *s, struct leat_slice *slots,
                                     struct leat_error *err)
{
    uint64_t end = (uint64_t)t->heap.pages_count * LEAT_HEAP_PAGE_UNITS;

    s->slots = segment_slots(t, s->bits);
    if (!s->slots)
        return leat_arena_failed(t->heap.arena, err);
    if (!leat_take(slots, s->slots, sizeof(uint64_t) << s->bits))
        return damaged(err, "slots are cut short");
    for (uint32_t i = 0; i < UINT32_C(1) << s->bits; i++) {
        uint32_t number = (uint32_t)s->slots[i];
        if (s->slots[i] == 0)
            continue;
        if (number >= end || !(starts->bits[number / 64] >> number % 64 & 1))
            return damaged(err, "a slot leads to no entry, or two lead to one");
        starts->bits[number / 64] &= ~(UINT64_C(1) << number % 64);
        starts->count--;
        s->count++;
        t->entries++;
    }
    if (s->count > segment_most(s->bits))
        return damaged(err, "a segment without a free slot");
    return LEAT_OK;
}

static enum leat_status read_parts(struct leat_state_table *t, struct starts *starts,
                                   struct leat_slice bits, struct leat_slice slots, uint32_t count,
                                   struct leat_error *err)
{
    if (walk_pages(t, starts, err) != LEAT_OK)
        return err->status;
    if (count && !segments_make_room(t, count))
        return leat_arena_failed(t->heap.arena, err);
    for (; t->segments_count < count; t->segments_count++) {
        struct leat_segment_slots *s = &t->segments[t->segments_count];
        *s = (struct leat_segment_slots){0};
        leat_take_u32(&bits, &s->bits);
        if (read_segment(t, starts, s, &slots, err) != LEAT_OK)
            return err->status;
    }
    return starts->count ? damaged(err, "an entry that no slot leads to") : LEAT_OK;
}

/* An image takes the place of what there was; its memory is used no more. */
static void begin_again(struct leat_state_table *t)
{
    struct leat_arena *arena = t->heap.arena;
    bool timed = t->timed;

    *t = (struct leat_state_table){0};
    leat_state_table_init(t, arena, timed);
}

static enum leat_status read_image(struct leat_state_table *t, struct leat_slice bytes,
                                   struct leat_error *err)
{
    struct leat_arena own = {.budget = t->heap.arena->budget};
    uint32_t segments, pages, size;
    uint64_t entries, now;
    size_t slots_bytes = 0;

    if (!leat_take_u32(&bytes, &segments) || !leat_take_u32(&bytes, &pages) ||
        !leat_take_u64(&bytes, &entries) || !leat_take_u64(&bytes, &now) ||
        segments > bytes.len / 4 || pages > LEAT_HEAP_PAGES_MAX ||
        pages > bytes.len / LEAT_HEAP_PAGE)
        return damaged(err, "an image without its head");
    struct leat_slice bits = {bytes.ptr, segments * (size_t)4}, at = bits;
    while (at.len) {
        leat_take_u32(&at, &size);
        if (size < LEAT_SEGMENT_BITS || size > LEAT_SEGMENT_BITS_MAX)
            return damaged(err, "a segment of no known size");
        slots_bytes += sizeof(uint64_t) << size;
    }
    if (bytes.len != bits.len + slots_bytes + pages * LEAT_HEAP_PAGE ||
        (segments == 0 && pages != 0))
        return damaged(err, "an image that is cut short");
    struct leat_slice slots = {bits.ptr + bits.len, slots_bytes},
                      entry_bytes = {slots.ptr + slots_bytes, pages * LEAT_HEAP_PAGE};
    begin_again(t);
    t->wheel.now = now;
    struct starts starts = {
        .bits = leat_arena_array(&own, pages * LEAT_HEAP_PAGE_UNITS / 64 + 1, sizeof(uint64_t))};
    enum leat_status status = LEAT_OK;
    if (!starts.bits || !leat_heap_load(&t->heap, entry_bytes, pages))
        status = leat_arena_failed(starts.bits ? t->heap.arena : &own, err);
    else
        status = read_parts(t, &starts, bits, slots, segments, err);
    leat_arena_reset(&own);
    if (status == LEAT_OK && t->entries != entries)
        return damaged(err, "another number of entries than it says");
    return status;
}

enum leat_status leat_state_read(struct leat_state_table *t, struct leat_slice bytes,
                                 struct leat_error *err)
{
    uint8_t head[4];
    enum leat_status status;

    if (bytes.len == 0)
        return LEAT_OK;
    if (!leat_take(&bytes, head, sizeof head) || (head[0] != 'I' && head[0] != 'D') || head[3])
        return damaged(err, "neither an image nor a change");
    if (head[1] != VERSION)
        return leat_fail(err, LEAT_E_CORRUPT, "state of format %u; this program knows format %u",
                         head[1], VERSION);
    if (head[2] != t->timed)
        return damaged(err, "with times where there are none, or without");
    status = head[0] == 'I' ? read_image(t, bytes, err) : read_delta(t, bytes, err);
    if (status != LEAT_OK)
        return status;
    entry_take_changes(t, entry_forget_change, NULL);
    t->logged = true;
    return LEAT_OK;
}
