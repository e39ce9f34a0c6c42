/* Tests engine/op/timer_wheel.c beside a list that is searched from end to end. */
#include "leat_test.h"
#include "op/timer_wheel.h"

#include <stdio.h>

#define THINGS 500

struct things {
    struct leat_wheel wheel;
    struct leat_timer list[THINGS + 1];
    bool in[THINGS + 1];
    int64_t due_ms[THINGS + 1]; /* as the test knows it */
    uint64_t state;
};

static struct leat_timer *at(void *arg, uint32_t number)
{
    struct things *t = arg;

    return &t->list[number];
}

static uint64_t rnd(struct things *t, uint64_t below)
{
    t->state = t->state * 6364136223846793005u + 1442695040888963407u;
    return (t->state >> 33) % below;
}

static struct things *things_new(uint64_t seed)
{
    struct things *t = calloc(1, sizeof *t);

    t->wheel.at = at;
    t->wheel.arg = t;
    t->state = seed;
    return t;
}

static void set(struct things *t, uint32_t number, int64_t due_ms)
{
    t->due_ms[number] = due_ms;
    t->list[number].due_and_flags = (int64_t)((uint64_t)due_ms << 8 | 0x5a);
}

static void add(struct things *t, uint32_t number, int64_t due_ms)
{
    set(t, number, due_ms);
    t->in[number] = true;
    leat_wheel_add(&t->wheel, number);
}

static int64_t least(const struct things *t)
{
    int64_t ms = INT64_MAX;

    for (uint32_t i = 1; i <= THINGS; i++)
        if (t->in[i] && t->due_ms[i] < ms)
            ms = t->due_ms[i];
    return ms;
}

static uint64_t count(const struct things *t)
{
    uint64_t n = 0;

    for (uint32_t i = 1; i <= THINGS; i++)
        n += t->in[i];
    return n;
}

/* Everything that is due comes, in the order of its time, and nothing else. */
static void take_all(struct things *t, int64_t to_ms)
{
    int64_t last = INT64_MIN;
    uint32_t number;

    while ((number = leat_wheel_take(&t->wheel, to_ms))) {
        CU_ASSERT_FATAL(t->in[number]);
        CU_ASSERT_FATAL(t->due_ms[number] <= to_ms);
        CU_ASSERT(t->due_ms[number] >= last);
        CU_ASSERT_EQUAL(t->list[number].due_and_flags & 0xff, 0x5a);
        last = t->due_ms[number];
        t->in[number] = false;
    }
    CU_ASSERT_FATAL(least(t) > to_ms);
    CU_ASSERT_EQUAL(t->wheel.count, count(t));
    int64_t next = leat_wheel_next_ms(&t->wheel);
    CU_ASSERT(count(t) ? next > to_ms && next <= least(t) : next == INT64_MIN);
}

static int64_t some_time(struct things *t, int64_t now_ms)
{
    static const int64_t spans[] = {2, 64, 5000, 1000000, INT64_C(1) << 40, INT64_C(1) << 53};

    return now_ms + 1 + (int64_t)rnd(t, (uint64_t)spans[rnd(t, 6)]);
}

static void what_is_due_comes_in_order_at_its_time(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct things *t = things_new(seed);
        int64_t now_ms = seed % 2 ? 1700000000000 : -5000;
        take_all(t, now_ms);
        for (int step = 0; step < 2000; step++) {
            uint32_t number = 1 + (uint32_t)rnd(t, THINGS);
            if (!t->in[number])
                add(t, number, some_time(t, now_ms));
            else if (rnd(t, 3) == 0)
                set(t, number, t->due_ms[number] + (int64_t)rnd(t, 100000)); /* put off */
            else if (rnd(t, 2)) {
                leat_wheel_remove(&t->wheel, number);
                t->in[number] = false;
            }
            if (rnd(t, 10) == 0)
                take_all(t, now_ms = some_time(t, now_ms));
        }
        take_all(t, INT64_MAX - 1);
        CU_ASSERT_EQUAL(count(t), 0);
        free(t);
    }
}

static void what_is_due_already_comes_at_once(void)
{
    struct things *t = things_new(7);

    take_all(t, 1000);
    add(t, 1, 10);
    add(t, 2, 1000);
    add(t, 3, 1001);
    CU_ASSERT(leat_wheel_next_ms(&t->wheel) <= 1000);
    CU_ASSERT_NOT_EQUAL(leat_wheel_take(&t->wheel, 1000), 0);
    CU_ASSERT_NOT_EQUAL(leat_wheel_take(&t->wheel, 1000), 0);
    CU_ASSERT_EQUAL(leat_wheel_take(&t->wheel, 1000), 0);
    CU_ASSERT_EQUAL(leat_wheel_take(&t->wheel, 1001), 3);
    free(t);
}

static void a_thing_that_moves_in_memory_is_found_again(void)
{
    struct things *t = things_new(7);

    for (uint32_t i = 1; i <= 5; i++)
        add(t, i, 100);
    for (uint32_t i = 1; i <= 5; i++) { /* the first, one between, the last */
        t->list[i + 10] = t->list[i];
        memset(&t->list[i], 0xff, sizeof t->list[i]);
        leat_wheel_moved(&t->wheel, i + 10);
    }
    leat_wheel_remove(&t->wheel, 13);
    uint32_t seen = 0;
    for (uint32_t number; (number = leat_wheel_take(&t->wheel, 100));)
        seen |= UINT32_C(1) << number;
    CU_ASSERT_EQUAL(seen, 1 << 11 | 1 << 12 | 1 << 14 | 1 << 15);
    free(t);
}

#define MANY 200000

struct crowd {
    struct leat_wheel wheel;
    struct leat_timer list[MANY + 1];
    uint64_t looks;
};

static struct leat_timer *look(void *arg, uint32_t number)
{
    struct crowd *c = arg;

    c->looks++;
    return &c->list[number];
}

/* 200,000 things that are due within two hours, an hour from now, second by second. */
static void no_call_pays_for_many_that_are_far_away(void)
{
    struct crowd *c = calloc(1, sizeof *c);
    int64_t begin_ms = 1700000000000;
    uint64_t worst = 0, all = 0, taken = 0;

    c->wheel.at = look;
    c->wheel.arg = c;
    leat_wheel_stand(&c->wheel, begin_ms);
    for (uint32_t i = 1; i <= MANY; i++) {
        int64_t due_ms = begin_ms + 3600000 + (int64_t)i * 7919 % 7200000;
        c->list[i].due_and_flags = (int64_t)((uint64_t)due_ms << 8);
        leat_wheel_add(&c->wheel, i);
    }
    for (int64_t s = 1; s <= 3 * 3600 + 1; s++) {
        c->looks = 0;
        while (leat_wheel_take(&c->wheel, begin_ms + s * 1000))
            taken++;
        worst = c->looks > worst ? c->looks : worst;
        all += c->looks;
    }
    printf("    %.1f looks for each thing, %u at most in a call\n", (double)all / MANY,
           (unsigned)worst);
    CU_ASSERT_EQUAL(taken, MANY);
    CU_ASSERT(all < 40 * (uint64_t)MANY);
    CU_ASSERT(worst < 3 * 8 * LEAT_WHEEL_MOVES);
    free(c);
}

static void the_ends_of_time_are_times(void)
{
    struct things *t = things_new(7);

    add(t, 1, -LEAT_TIMER_MAX_MS);
    add(t, 2, LEAT_TIMER_MAX_MS);
    CU_ASSERT_EQUAL(leat_wheel_take(&t->wheel, INT64_MIN), 0);
    CU_ASSERT_EQUAL(leat_wheel_take(&t->wheel, -LEAT_TIMER_MAX_MS), 1);
    CU_ASSERT_EQUAL(leat_wheel_take(&t->wheel, LEAT_TIMER_MAX_MS - 1), 0);
    CU_ASSERT_EQUAL(leat_wheel_take(&t->wheel, LEAT_TIMER_MAX_MS), 2);
    free(t);
}

LEAT_TESTS("timer_wheel", T(what_is_due_comes_in_order_at_its_time),
           T(what_is_due_already_comes_at_once), T(a_thing_that_moves_in_memory_is_found_again),
           T(no_call_pays_for_many_that_are_far_away), T(the_ends_of_time_are_times))
