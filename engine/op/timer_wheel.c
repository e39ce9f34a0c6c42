#include "op/timer_wheel.h"

#define BITS    6
#define OFFSET  (UINT64_C(1) << 55) /* times become positive */
#define IS_SLOT UINT32_C(0x80000000)

static uint64_t place(int64_t ms)
{
    return (uint64_t)ms + OFFSET;
}

/* Slots of a level are numbered on and on; a wheel has room for 128 of them. */
static uint64_t slot_of(uint64_t time, unsigned level)
{
    return time >> BITS * level;
}

static uint32_t index_of(uint64_t slot)
{
    return (uint32_t)slot & (LEAT_WHEEL_SLOTS - 1);
}

/* In the turn of this level that has come, or in the next. */
static bool is_near(const struct leat_wheel *w, uint64_t time, unsigned level)
{
    return (slot_of(time, level) >> BITS) - (slot_of(w->now, level) >> BITS) <= 1;
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
    unsigned level = 0;

    time = time < w->now ? w->now : time;
    while (!is_near(w, time, level))
        level++;
    uint32_t i = index_of(slot_of(time, level)), first = w->first[level][i];
    t->next = first;
    t->prev = IS_SLOT | level * LEAT_WHEEL_SLOTS | i;
    if (first)
        w->at(w->arg, first)->prev = number;
    w->first[level][i] = number;
    w->filled[level][i / 64] |= UINT64_C(1) << i % 64;
    w->count++;
}

/* What points to the thing from in front: another one, or its slot. */
static void set_before(struct leat_wheel *w, const struct leat_timer *t, uint32_t to)
{
    uint32_t level = (t->prev & ~IS_SLOT) / LEAT_WHEEL_SLOTS, i = t->prev % LEAT_WHEEL_SLOTS;

    if (!(t->prev & IS_SLOT)) {
        w->at(w->arg, t->prev)->next = to;
        return;
    }
    w->first[level][i] = to;
    if (!to)
        w->filled[level][i / 64] &= ~(UINT64_C(1) << i % 64);
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

/* The first slot of a level that has anything, its number; they begin with the turn that has come.
 */
static bool first_slot(const struct leat_wheel *w, unsigned level, uint64_t *slot)
{
    uint64_t turn = slot_of(w->now, level) >> BITS;

    for (uint64_t i = turn; i <= turn + 1; i++) {
        uint64_t filled = w->filled[level][i & 1];
        if (filled) {
            *slot = i << BITS | (uint32_t)__builtin_ctzll(filled);
            return true;
        }
    }
    return false;
}

/* The slot that begins first; of two that begin together the higher one, whose things are yet to
 * move down. False: all are empty. */
static bool next_slot(const struct leat_wheel *w, unsigned *level, uint64_t *start)
{
    uint64_t slot;
    bool found = false;

    for (unsigned l = 0; l < LEAT_WHEEL_LEVELS; l++)
        if (first_slot(w, l, &slot) && (!found || slot << BITS * l <= *start)) {
            *level = l;
            *start = slot << BITS * l;
            found = true;
        }
    return found;
}

/* The things of a slot go where they belong by now: down, or on if they were put off. */
static void move_down(struct leat_wheel *w, unsigned level, uint64_t slot, uint32_t most)
{
    uint32_t i = index_of(slot), number;

    for (; most && (number = w->first[level][i]); most--) {
        leat_wheel_remove(w, number);
        leat_wheel_add(w, number);
    }
}

/* What is in the next turn of the level below. */
static void prepare_turns(struct leat_wheel *w)
{
    uint64_t slot;

    for (unsigned level = 1; level < LEAT_WHEEL_LEVELS; level++)
        if (first_slot(w, level, &slot) && slot - slot_of(w->now, level) <= 1)
            move_down(w, level, slot, LEAT_WHEEL_MOVES);
}

uint32_t leat_wheel_take(struct leat_wheel *w, int64_t to_ms)
{
    uint64_t to = place(to_ms), start;
    unsigned level;

    if (to_ms < -LEAT_TIMER_MAX_MS)
        return 0;
    while (next_slot(w, &level, &start) && start <= to) {
        w->now = start > w->now ? start : w->now;
        if (level > 0) {
            move_down(w, level, slot_of(start, level), UINT32_MAX);
            continue;
        }
        uint32_t number = w->first[0][index_of(start)];
        leat_wheel_remove(w, number);
        if (place(leat_timer_due_ms(w->at(w->arg, number))) <= start)
            return number;
        leat_wheel_add(w, number);
    }
    if (to > w->now)
        w->now = to;
    prepare_turns(w);
    return 0;
}

int64_t leat_wheel_next_ms(const struct leat_wheel *w)
{
    unsigned level;
    uint64_t start;

    return next_slot(w, &level, &start) ? (int64_t)(start - OFFSET) : INT64_MIN;
}
