#include "op/state_table.h"

#include "data/key.h"
#include "op/state_table_in.h"

#include <assert.h>

/* So many keys for each segment: 0.44 of its slots, and up to twice as many in those that were not
 * split yet. */
#define SEGMENT_KEYS 900
#define SEGMENTS_MIN 16

/* ---- entries */

static size_t varint_size(size_t n)
{
    size_t size = 1;

    for (; n >= 0x80; n >>= 7)
        size++;
    return size;
}

static uint8_t *put_varint(uint8_t *at, size_t n)
{
    for (; n >= 0x80; n >>= 7)
        *at++ = (uint8_t)(n | 0x80);
    *at++ = (uint8_t)n;
    return at;
}

static bool take_varint(const uint8_t **at, const uint8_t *end, size_t *n)
{
    *n = 0;
    for (unsigned shift = 0; shift < 32; shift += 7) {
        if (*at == end)
            return false;
        uint8_t byte = *(*at)++;
        *n |= (size_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return true;
    }
    return false;
}

bool entry_parse(const struct leat_state_table *t, uint8_t *at, size_t rest, struct entry *e)
{
    const uint8_t *next = at + entry_head(t), *end = at + rest;
    size_t key, value;

    if (rest < entry_head(t) || !take_varint(&next, end, &key) || !take_varint(&next, end, &value))
        return false;
    if (key > (size_t)(end - next) || value > (size_t)(end - next) - key)
        return false;
    e->at = at;
    e->key = (struct leat_slice){(const char *)next, key};
    e->value = (struct leat_slice){(const char *)next + key, value};
    e->size = (size_t)(next - at) + key + value;
    return true;
}

struct entry entry_at(const struct leat_state_table *t, uint32_t number)
{
    struct entry e;
    bool ok = entry_parse(t, (uint8_t *)leat_heap_at(&t->heap, number),
                          leat_heap_rest(&t->heap, number), &e);

    assert(ok && e.at[0] & ENTRY_USED);
    return e;
}

static size_t size_of(const struct leat_state_table *t, size_t key, size_t value)
{
    return entry_head(t) + varint_size(key) + varint_size(value) + key + value;
}

static void write_parts(const struct leat_state_table *t, uint8_t *at, struct leat_slice key,
                        struct leat_slice value)
{
    at = put_varint(put_varint(at + entry_head(t), key.len), value.len);
    if (key.len)
        memcpy(at, key.ptr, key.len);
    if (value.len)
        memcpy(at + key.len, value.ptr, value.len);
}

struct leat_slice leat_state_key(const struct leat_state_table *t, uint32_t number)
{
    return entry_at(t, number).key;
}

struct leat_slice leat_state_value(const struct leat_state_table *t, uint32_t number)
{
    return entry_at(t, number).value;
}

static struct leat_timer *timer_at(void *arg, uint32_t number)
{
    const struct leat_state_table *t = arg;

    return (struct leat_timer *)(void *)leat_heap_at(&t->heap, number);
}

int64_t leat_state_due_ms(const struct leat_state_table *t, uint32_t number)
{
    return leat_timer_due_ms((const struct leat_timer *)(void *)leat_heap_at(&t->heap, number));
}

bool leat_state_is_marked(const struct leat_state_table *t, uint32_t number)
{
    return *leat_heap_at(&t->heap, number) & ENTRY_MARKED;
}

void leat_state_mark(struct leat_state_table *t, uint32_t number, bool on)
{
    uint8_t *flags = (uint8_t *)leat_heap_at(&t->heap, number);

    *flags = (uint8_t)(on ? *flags | ENTRY_MARKED : *flags & ~ENTRY_MARKED);
}

void leat_state_table_init(struct leat_state_table *t, struct leat_arena *arena, bool timed)
{
    t->heap.arena = arena;
    t->timed = timed;
    t->wheel.at = timer_at;
    t->wheel.arg = t;
}

/* ---- changes */

bool entry_changed(struct leat_state_table *t, uint32_t number)
{
    struct leat_state_changes *last = t->changes_last;

    if (!last || last->count == CHANGES_ROOM) {
        struct leat_state_changes *more = (void *)segment_slots(t, LEAT_SEGMENT_BITS);
        if (!more)
            return false;
        if (last)
            last->next = more;
        else
            t->changes = more;
        t->changes_last = last = more;
    }
    last->numbers[last->count++] = number;
    *(uint8_t *)leat_heap_at(&t->heap, number) |= ENTRY_CHANGED;
    return true;
}

static void give_back(struct leat_state_table *t, void *slots, uint32_t bits)
{
    memcpy(slots, &t->spare[bits], sizeof t->spare[bits]);
    t->spare[bits] = slots;
}

/* A number may stand there twice, or be that of another entry by now: the flag decides. */
void entry_take_changes(struct leat_state_table *t,
                        void (*fn)(struct leat_state_table *t, uint32_t number, void *arg),
                        void *arg)
{
    struct leat_state_changes *c = t->changes, *next;

    t->changes = t->changes_last = NULL;
    for (; c; c = next) {
        next = c->next;
        for (uint32_t i = 0; i < c->count; i++) {
            uint8_t *flags = (uint8_t *)leat_heap_at(&t->heap, c->numbers[i]);
            if ((*flags & (ENTRY_USED | ENTRY_CHANGED)) != (ENTRY_USED | ENTRY_CHANGED))
                continue;
            *flags = (uint8_t)(*flags & ~ENTRY_CHANGED);
            fn(t, c->numbers[i], arg);
        }
        give_back(t, c, LEAT_SEGMENT_BITS);
    }
}

void entry_forget_change(struct leat_state_table *t, uint32_t number, void *arg)
{
    (void)arg;
    if (*leat_heap_at(&t->heap, number) & ENTRY_DEAD)
        entry_purge(t, number);
}

void leat_state_batch_ends(struct leat_state_table *t)
{
    if (!t->logged)
        entry_take_changes(t, entry_forget_change, NULL);
}

/* ---- slots */

uint64_t *segment_slots(struct leat_state_table *t, uint32_t bits)
{
    size_t size = sizeof(uint64_t) << bits;
    void *slots = t->spare[bits];

    if (!slots)
        return leat_arena_alloc(t->heap.arena, size);
    memcpy(&t->spare[bits], slots, sizeof t->spare[bits]);
    return memset(slots, 0, size);
}

bool segments_make_room(struct leat_state_table *t, uint32_t count)
{
    uint32_t room = t->segments_room ? t->segments_room : SEGMENTS_MIN;

    while (room < count)
        room *= 2;
    if (room == t->segments_room)
        return true;
    struct leat_segment_slots *list = leat_arena_array(t->heap.arena, room, sizeof *list);
    if (!list)
        return false;
    if (t->segments_count)
        memcpy(list, t->segments, t->segments_count * sizeof *list);
    t->segments = list;
    t->segments_room = room;
    return true;
}

static uint32_t number_of(uint64_t slot)
{
    return (uint32_t)slot;
}

static uint32_t hash_of(uint64_t slot)
{
    return (uint32_t)(slot >> 32);
}

/* The segment by the lower bits, the place in it by the upper ones. */
static struct leat_segment_slots *segment_of(const struct leat_state_table *t, uint32_t hash)
{
    uint32_t level = 31 - (uint32_t)__builtin_clz(t->segments_count);
    uint32_t i = hash & ((UINT32_C(2) << level) - 1);

    return &t->segments[i < t->segments_count ? i : i & ((UINT32_C(1) << level) - 1)];
}

static uint32_t home_of(const struct leat_segment_slots *s, uint32_t hash)
{
    return hash >> (32 - s->bits);
}

static void put_slot(struct leat_segment_slots *s, uint64_t slot)
{
    uint32_t mask = (UINT32_C(1) << s->bits) - 1, i = home_of(s, hash_of(slot));

    while (s->slots[i])
        i = (i + 1) & mask;
    s->slots[i] = slot;
    s->count++;
}

/* Close the gap at i: move up what would not be found any more. */
static void free_slot(struct leat_segment_slots *s, uint32_t i)
{
    uint32_t mask = (UINT32_C(1) << s->bits) - 1;

    for (uint32_t next = (i + 1) & mask; s->slots[next]; next = (next + 1) & mask) {
        uint32_t home = home_of(s, hash_of(s->slots[next]));
        if (((next - home) & mask) < ((next - i) & mask))
            continue;
        s->slots[i] = s->slots[next];
        i = next;
    }
    s->slots[i] = 0;
    s->count--;
}

/* The slot of an entry whose number is known. NULL: no slot leads to it. */
static uint64_t *slot_to(const struct leat_state_table *t, uint32_t hash, uint32_t number)
{
    struct leat_segment_slots *s = segment_of(t, hash);
    uint32_t mask = (UINT32_C(1) << s->bits) - 1;

    for (uint32_t i = home_of(s, hash); s->slots[i]; i = (i + 1) & mask)
        if (number_of(s->slots[i]) == number)
            return &s->slots[i];
    return NULL;
}

static bool rebuild(struct leat_state_table *t, struct leat_segment_slots *s, uint32_t bits,
                    uint32_t moving, struct leat_segment_slots *other)
{
    struct leat_segment_slots old = *s;
    uint64_t *slots = segment_slots(t, bits);

    if (!slots)
        return false;
    keep_segment(t, s);
    *s = (struct leat_segment_slots){.slots = slots, .bits = bits};
    for (uint32_t i = 0; i < UINT32_C(1) << old.bits; i++)
        if (old.slots[i])
            put_slot(hash_of(old.slots[i]) & moving ? other : s, old.slots[i]);
    give_back(t, old.slots, old.bits);
    return true;
}

/* One more segment; its keys come from the next one in turn. That there is no room for it is no
 * harm: it will be tried again. */
static void split(struct leat_state_table *t)
{
    uint32_t n = t->segments_count, level = 31 - (uint32_t)__builtin_clz(n);
    struct leat_segment_slots added = {.bits = LEAT_SEGMENT_BITS};

    if (n >= UINT32_C(1) << 30 || !segments_make_room(t, n + 1))
        return;
    struct leat_segment_slots *from = &t->segments[n - (UINT32_C(1) << level)];
    while (added.bits < from->bits && from->count > segment_most(added.bits))
        added.bits++;
    added.slots = segment_slots(t, added.bits);
    if (!added.slots)
        return;
    if (!rebuild(t, from, added.bits, UINT32_C(1) << level, &added)) {
        give_back(t, added.slots, added.bits);
        return;
    }
    t->segments[t->segments_count++] = added;
}

static bool make_room(struct leat_state_table *t, uint32_t hash)
{
    if (t->segments_count == 0) {
        uint64_t *slots = segment_slots(t, LEAT_SEGMENT_BITS);
        if (!slots || !segments_make_room(t, 1))
            return false;
        t->segments[t->segments_count++] =
            (struct leat_segment_slots){.slots = slots, .bits = LEAT_SEGMENT_BITS};
    }
    if (t->entries >= (uint64_t)t->segments_count * SEGMENT_KEYS)
        split(t);
    struct leat_segment_slots *s = segment_of(t, hash);
    if (s->count < segment_most(s->bits))
        return true;
    return s->bits < LEAT_SEGMENT_BITS_MAX && rebuild(t, s, s->bits + 1, 0, NULL);
}

/* ---- finding */

static uint32_t find_any(const struct leat_state_table *t, struct leat_slice key, uint32_t hash)
{
    if (t->segments_count == 0)
        return 0;
    const struct leat_segment_slots *s = segment_of(t, hash);
    uint32_t mask = (UINT32_C(1) << s->bits) - 1;

    for (uint32_t i = home_of(s, hash); s->slots[i]; i = (i + 1) & mask)
        if (hash_of(s->slots[i]) == hash &&
            leat_slice_eq(leat_state_key(t, number_of(s->slots[i])), key))
            return number_of(s->slots[i]);
    return 0;
}

void leat_state_look_ahead(const struct leat_state_table *t, uint32_t hash, bool entry)
{
    if (t->segments_count == 0)
        return;
    const struct leat_segment_slots *s = segment_of(t, hash);
    uint32_t mask = (UINT32_C(1) << s->bits) - 1, i = home_of(s, hash);
    if (!entry) {
        __builtin_prefetch(&s->slots[i]);
        return;
    }
    while (s->slots[i] && hash_of(s->slots[i]) != hash)
        i = (i + 1) & mask;
    if (s->slots[i])
        __builtin_prefetch(leat_heap_at(&t->heap, number_of(s->slots[i])));
}

static bool is_dead(const struct leat_state_table *t, uint32_t number)
{
    return *leat_heap_at(&t->heap, number) & ENTRY_DEAD;
}

uint32_t leat_state_find(const struct leat_state_table *t, struct leat_slice key, uint32_t hash)
{
    uint32_t number = find_any(t, key, hash);

    return number && !is_dead(t, number) ? number : 0;
}

uint32_t leat_state_next(const struct leat_state_table *t, struct leat_state_walk *walk)
{
    for (; walk->segment < t->segments_count; walk->segment++, walk->slot = 0) {
        const struct leat_segment_slots *s = &t->segments[walk->segment];
        while (walk->slot < UINT32_C(1) << s->bits) {
            uint32_t number = number_of(s->slots[walk->slot++]);
            if (number && !is_dead(t, number))
                return number;
        }
    }
    return 0;
}

/* ---- changing */

static enum leat_status failed(const struct leat_state_table *t, struct leat_error *err)
{
    if (t->heap.pages_count >= LEAT_HEAP_PAGES_MAX - 1)
        return leat_fail(
            err, LEAT_E_FULL,
            "a state partition holds 8 GiB at most: give the pipeline more partitions");
    return leat_arena_failed(t->heap.arena, err);
}

static void set_due(struct leat_state_table *t, uint32_t number, int64_t due_ms)
{
    struct leat_timer *timer = timer_at(t, number);

    if (due_ms > LEAT_TIMER_MAX_MS)
        due_ms = LEAT_TIMER_MAX_MS;
    if (due_ms < -LEAT_TIMER_MAX_MS)
        due_ms = -LEAT_TIMER_MAX_MS;
    bool linked = timer->due_and_flags & ENTRY_LINKED, sooner = due_ms < leat_timer_due_ms(timer);
    if (linked && sooner)
        leat_wheel_remove(&t->wheel, number);
    timer->due_and_flags =
        (int64_t)((uint64_t)due_ms << 8 | (uint64_t)(timer->due_and_flags & 0xff) | ENTRY_LINKED);
    if (!linked || sooner)
        leat_wheel_add(&t->wheel, number);
}

static bool add(struct leat_state_table *t, struct leat_slice key, uint32_t hash,
                struct leat_slice value, uint32_t *number)
{
    if (!make_room(t, hash))
        return false;
    *number = leat_heap_alloc(&t->heap, size_of(t, key.len, value.len));
    if (!*number)
        return false;
    uint8_t *at = (uint8_t *)leat_heap_at(&t->heap, *number);
    struct leat_segment_slots *s = segment_of(t, hash);
    keep_block(t, *number, size_of(t, key.len, value.len));
    keep_segment(t, s);
    memset(at, 0, entry_head(t));
    at[0] = ENTRY_USED;
    write_parts(t, at, key, value);
    put_slot(s, (uint64_t)hash << 32 | *number);
    t->entries++;
    t->keys++;
    return true;
}

/* Another value needs another block: the entry moves, and what leads to it is told. */
static bool move(struct leat_state_table *t, uint32_t hash, const struct entry *old,
                 struct leat_slice key, struct leat_slice value, uint32_t *number)
{
    uint64_t *slot = slot_to(t, hash, *number);
    uint32_t to = leat_heap_alloc(&t->heap, size_of(t, key.len, value.len));

    if (!to)
        return false;
    keep_block(t, to, size_of(t, key.len, value.len));
    keep_segment(t, segment_of(t, hash));
    uint8_t *at = (uint8_t *)leat_heap_at(&t->heap, to);
    memcpy(at, old->at, entry_head(t));
    at[0] = (uint8_t)(at[0] & ~ENTRY_CHANGED); /* its new number is not in the list */
    write_parts(t, at, key, value);
    *slot = (uint64_t)hash << 32 | to;
    if (at[0] & ENTRY_LINKED)
        leat_wheel_moved(&t->wheel, to);
    leat_heap_free(&t->heap, *number, old->size);
    *number = to;
    return true;
}

static bool replace(struct leat_state_table *t, uint32_t hash, struct leat_slice key,
                    struct leat_slice value, uint32_t *number)
{
    struct entry old = entry_at(t, *number);
    size_t size = size_of(t, key.len, value.len);

    keep_block(t, *number, leat_heap_room(old.size));
    if (old.value.len == value.len) {
        if (value.len)
            memcpy((char *)(uintptr_t)old.value.ptr, value.ptr, value.len);
    } else if (leat_heap_room(size) == leat_heap_room(old.size)) {
        write_parts(t, old.at, key, value);
    } else if (!move(t, hash, &old, key, value, number)) {
        return false;
    }
    uint8_t *at = (uint8_t *)leat_heap_at(&t->heap, *number);
    t->keys += (at[0] & ENTRY_DEAD) != 0;
    at[0] = (uint8_t)(at[0] & ~ENTRY_DEAD);
    return true;
}

enum leat_status leat_state_put(struct leat_state_table *t, struct leat_slice key, uint32_t hash,
                                struct leat_slice value, int64_t due_ms, uint32_t *number,
                                struct leat_error *err)
{
    if (key.len + value.len > LEAT_HEAP_BLOCK_MAX - 64)
        return leat_fail(err, LEAT_E_DATA, "the state of one key takes %zu MiB; 16 are the most",
                         (key.len + value.len) >> 20);
    *number = find_any(t, key, hash);
    if (*number ? !replace(t, hash, key, value, number) : !add(t, key, hash, value, number))
        return failed(t, err);
    if (t->timed)
        set_due(t, *number, due_ms);
    if (!(*leat_heap_at(&t->heap, *number) & ENTRY_CHANGED) && !entry_changed(t, *number))
        return failed(t, err);
    return LEAT_OK;
}

static void unlink_timer(struct leat_state_table *t, uint32_t number)
{
    uint8_t *flags = (uint8_t *)leat_heap_at(&t->heap, number);

    if (*flags & ENTRY_LINKED)
        leat_wheel_remove(&t->wheel, number);
    *flags = (uint8_t)(*flags & ~ENTRY_LINKED);
}

enum leat_status leat_state_remove(struct leat_state_table *t, uint32_t number,
                                   struct leat_error *err)
{
    uint8_t *flags = (uint8_t *)leat_heap_at(&t->heap, number);

    unlink_timer(t, number);
    keep_block(t, number, 1);
    *flags |= ENTRY_DEAD;
    t->keys--;
    if (!(*flags & ENTRY_CHANGED) && !entry_changed(t, number))
        return failed(t, err);
    return LEAT_OK;
}

void entry_purge(struct leat_state_table *t, uint32_t number)
{
    struct entry e = entry_at(t, number);
    uint32_t hash = leat_state_hash(leat_key_hash(e.key));
    uint64_t *slot = slot_to(t, hash, number);

    if (!slot) /* a damaged image: nobody finds it, so it may stay */
        return;
    struct leat_segment_slots *s = segment_of(t, hash);
    keep_segment(t, s);
    keep_block(t, number, 1);
    free_slot(s, (uint32_t)(slot - s->slots));
    t->entries--;
    leat_heap_free(&t->heap, number, e.size);
}

uint32_t leat_state_take_due(struct leat_state_table *t, int64_t to_ms)
{
    uint32_t number = leat_wheel_take(&t->wheel, to_ms);

    if (number)
        *(uint8_t *)leat_heap_at(&t->heap, number) &= (uint8_t)~ENTRY_LINKED;
    return number;
}
