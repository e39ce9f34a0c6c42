/*
 * timer_wheel.h - which of many things comes due first, for a cost that depends on those due.
 *
 * A hierarchy of wheels: a slot of the first is a millisecond, of the next 64, and so on. 64 slots
 * are a turn, and a wheel has room for two: this one and the next. A thing is in the lowest wheel
 * whose two turns reach its time. What a higher wheel holds for the next turn of the one below it
 * moves down, a few things with each call, so that the turn finds them there. Adding, removing and
 * taking out cost a few steps each, whatever else there is; what is far away is not looked at.
 *
 * A thing may be put off without telling the wheel: its time is looked at again when its slot
 * comes, so touching a key costs nothing here. It must not be moved forward that way.
 *
 * The links are in the things, which are named by numbers; see state_heap.h.
 */
#ifndef LEAT_OP_TIMER_WHEEL_H
#define LEAT_OP_TIMER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define LEAT_WHEEL_LEVELS 10
#define LEAT_WHEEL_SLOTS  128
#define LEAT_WHEEL_MOVES  512 /* down, with each call that takes; more only where they are due */

/* Times are milliseconds since 1970, of 56 bits; the lowest byte is the owner's. */
#define LEAT_TIMER_MAX_MS ((INT64_C(1) << 55) - 1)
struct __attribute__((packed, aligned(4))) leat_timer {
    int64_t due_and_flags;
    uint32_t next, prev; /* numbers; prev of the first in a slot names the slot */
};

static inline int64_t leat_timer_due_ms(const struct leat_timer *t)
{
    return t->due_and_flags >> 8;
}

struct leat_wheel {
    struct leat_timer *(*at)(void *arg, uint32_t number); /* set by the owner, with arg */
    void *arg;
    uint64_t now; /* all slots before it are empty */
    uint64_t count;
    uint64_t filled[LEAT_WHEEL_LEVELS][2]; /* a bit per slot */
    uint32_t first[LEAT_WHEEL_LEVELS][LEAT_WHEEL_SLOTS];
};

/* While it is empty: nothing will be due at this time or before. What is added to a wheel that
 * stands far behind goes a long way down. */
void leat_wheel_stand(struct leat_wheel *w, int64_t at_ms);

/* Number is below 2^31 and not 0. */
void leat_wheel_add(struct leat_wheel *w, uint32_t number);
void leat_wheel_remove(struct leat_wheel *w, uint32_t number);
/* The thing has moved in memory: it has another number, its links are as they were. */
void leat_wheel_moved(struct leat_wheel *w, uint32_t number);

/* One that is due at `to_ms` or before, the earliest first, taken out. 0: none; then the wheel
 * stands at to_ms. */
uint32_t leat_wheel_take(struct leat_wheel *w, int64_t to_ms);

/* Before this nothing comes due; INT64_MIN: there is nothing. */
int64_t leat_wheel_next_ms(const struct leat_wheel *w);

#endif
