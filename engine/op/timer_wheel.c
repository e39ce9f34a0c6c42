#include "op/timer_wheel.h"

#define BITS    6
#define SLOTS   64
#define OFFSET  (UINT64_C(1) << 55) /* times become positive */
#define IS_SLOT UINT32_C(0x80000000)

static uint64_t place(int64_t ms)
{
    return (uint64_t)ms + OFFSET;
}

static uint32_t slot_of(uint64_t time, unsigned level)
{
    return (uint32_t)(time >> BITS * level) & (SLOTS - 1);
}

/* Where the slot begins, given that it is not before now. */
static uint64_t start_of(const struct leat_wheel *w, unsigned level, uint32_t slot)
{
    uint64_t above = w->now >> BITS * level >> BITS;

    return (above << BITS | slot) << BITS * level;
}

void leat_wheel_stand(struct leat_wheel *w, int64_t at_ms)
{
    if (w->count == 0 && at_ms >= -LEAT_TIMER_MAX_MS && place(at_ms) > w->now)
        w->now = place(at_ms);
}

void leat_wheel_add(struct leat_wheel *w, uint32_t number)
{
    struct leat_timer *t = w->at(w->arg, number);
    uint64_t time = place(leat_timer_due_ms(t));

    time = time < w->now ? w->now : time;
    uint64_t differ = time ^ w->now;
    unsigned level = differ ? (63 - (unsigned)__builtin_clzll(differ)) / BITS : 0;
    uint32_t slot = slot_of(time, level), first = w->first[level][slot];
    t->next = first;
    t->prev = IS_SLOT | level * SLOTS | slot;
    if (first)
        w->at(w->arg, first)->prev = number;
    w->first[level][slot] = number;
    w->filled[level] |= UINT64_C(1) << slot;
    w->count++;
}

/* What points to the thing from in front: another one, or its slot. */
static void set_before(struct leat_wheel *w, const struct leat_timer *t, uint32_t to)
{
    uint32_t slot = t->prev & ~IS_SLOT;

    if (!(t->prev & IS_SLOT)) {
        w->at(w->arg, t->prev)->next = to;
        return;
    }
    w->first[slot / SLOTS][slot % SLOTS] = to;
    if (!to)
        w->filled[slot / SLOTS] &= ~(UINT64_C(1) << slot % SLOTS);
}

void leat_wheel_remove(struct leat_wheel *w, uint32_t number)
{
    struct leat_timer *t = w->at(w->arg, number);

    set_before(w, t, t->next);
    if (t->next)
        w->at(w->arg, t->next)->prev = t->prev;
    w->count--;
}

void leat_wheel_moved(struct leat_wheel *w, uint32_t number)
{
    struct leat_timer *t = w->at(w->arg, number);

    set_before(w, t, number);
    if (t->next)
        w->at(w->arg, t->next)->prev = number;
}

/* The slot that comes next; the first level that has any. False: all are empty. */
static bool next_slot(const struct leat_wheel *w, unsigned *level, uint32_t *slot)
{
    for (*level = 0; *level < LEAT_WHEEL_LEVELS; ++*level)
        if (w->filled[*level]) {
            *slot = (uint32_t)__builtin_ctzll(w->filled[*level]);
            return true;
        }
    return false;
}

/* The wheel has come to this slot: what is in it moves down, or on if it was put off. */
static void move_down(struct leat_wheel *w, unsigned level, uint32_t slot)
{
    uint32_t number;

    while ((number = w->first[level][slot])) {
        leat_wheel_remove(w, number);
        leat_wheel_add(w, number);
    }
}

uint32_t leat_wheel_take(struct leat_wheel *w, int64_t to_ms)
{
    uint64_t to = place(to_ms);
    unsigned level;
    uint32_t slot, number;

    if (to_ms < -LEAT_TIMER_MAX_MS)
        return 0;
    while (next_slot(w, &level, &slot)) {
        uint64_t start = start_of(w, level, slot);
        if (start > to)
            break;
        w->now = start;
        if (level > 0) {
            move_down(w, level, slot);
            continue;
        }
        number = w->first[0][slot];
        leat_wheel_remove(w, number);
        if (place(leat_timer_due_ms(w->at(w->arg, number))) <= start)
            return number;
        leat_wheel_add(w, number);
    }
    if (to > w->now)
        w->now = to;
    return 0;
}

int64_t leat_wheel_next_ms(const struct leat_wheel *w)
{
    unsigned level;
    uint32_t slot;

    return next_slot(w, &level, &slot) ? (int64_t)(start_of(w, level, slot) - OFFSET) : INT64_MIN;
}
