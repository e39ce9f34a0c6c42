/* Tests engine/run/job_cut.c through job_step.c: batches where there is a rate; and job_rate.c:
 * what is learnt behind a group. */
#include "leat_test.h"
#include "run/job_thread.h"

#define PARTS 3

/* Partitions that always have more, in blocks of so many records; batches run and count at once. */
static struct leat_job job;
static struct leat_job_part parts[PARTS];
static uint32_t active[PARTS];
static struct leat_action list[4 * PARTS + 16];
static struct leat_actions out = {list, 0, 4 * PARTS + 16};
static uint32_t block_records;
static int64_t left[PARTS];          /* until the partition's end */
static int64_t time_of_first[PARTS]; /* 0: no record has one; else each is 1 later than the last */
static int64_t taken[PARTS], stood[PARTS];
static unsigned batches;
static bool stopped;

/* What answers lead to waits until the actions before it are carried out. */
static struct leat_event events[64];
static size_t events_count;

static void add(struct leat_event ev)
{
    CU_ASSERT_FATAL(events_count < sizeof events / sizeof *events);
    events[events_count++] = ev;
}

static void answer(uint32_t part)
{
    int64_t n = block_records < left[part] ? block_records : left[part];

    left[part] -= n;
    add((struct leat_event){
        .kind = LEAT_EV_BLOCK,
        .part = part,
        .from = parts[part].next,
        .to = parts[part].next + n,
        .empty = n == 0,
        .at_end = left[part] == 0 || parts[part].single,
        .time_min_ms = time_of_first[part] ? time_of_first[part] + parts[part].next : INT64_MIN,
        .records = (uint32_t)n,
        .bytes = 10 * (uint64_t)n});
}

static void ran(uint64_t n)
{
    batches++;
    for (uint32_t i = 0; i < PARTS; i++) {
        taken[i] += parts[i].cut - stood[i];
        stood[i] = parts[i].cut;
    }
    add((struct leat_event){.kind = LEAT_EV_RAN, .batch = n});
}

static void carry_out(const struct leat_action *a)
{
    CU_ASSERT(a->kind != LEAT_ACT_FAIL);
    stopped = stopped || a->kind == LEAT_ACT_STOPPED;
    if (a->kind == LEAT_ACT_FETCH)
        answer(a->part);
    else if (a->kind == LEAT_ACT_RUN)
        ran(a->batch);
    else if (a->kind == LEAT_ACT_LOG)
        add((struct leat_event){.kind = LEAT_EV_LOGGED, .batch = a->batch});
    else if (a->kind == LEAT_ACT_FINISH)
        add((struct leat_event){.kind = LEAT_EV_FINISHED, .batch = a->batch});
}

static void step(struct leat_event ev, int64_t now_ms)
{
    add(ev);
    while (events_count) {
        ev = events[0];
        memmove(events, events + 1, --events_count * sizeof *events);
        leat_job_step(&job, &ev, now_ms, &out);
        for (size_t i = 0; i < out.count; i++)
            carry_out(&list[i]);
    }
}

/* The first part is `single`: a queue. */
static void begin_with(bool queue, double rate, enum leat_job_mode mode, uint32_t records,
                       const int64_t rows[PARTS])
{
    job = (struct leat_job){.every_ms = 1000,
                            .mode = mode,
                            .until_ms = LEAT_JOB_NEVER,
                            .max_bytes = 1 << 30,
                            .early = true,
                            .on_empty = queue,
                            .rate = rate,
                            .parts = parts,
                            .active = active};
    stopped = false;
    batches = 0;
    block_records = records;
    for (uint32_t i = 0; i < PARTS; i++) {
        left[i] = rows[i];
        taken[i] = stood[i] = 0;
        time_of_first[i] = 0;
        parts[i] = (struct leat_job_part){.goal = -1, .single = queue && i == 0};
        step((struct leat_event){.kind = LEAT_EV_PART, .part = i}, 1);
    }
    step((struct leat_event){.kind = LEAT_EV_START}, 1);
}

static void begin(double rate, enum leat_job_mode mode, uint32_t records, const int64_t rows[PARTS])
{
    begin_with(false, rate, mode, records, rows);
}

static int64_t all_taken(void)
{
    int64_t sum = 0;

    for (uint32_t i = 0; i < PARTS; i++)
        sum += taken[i];
    return sum;
}

/* What was taken from behind the tick before until the one at `tick`. */
static int64_t interval(int64_t tick)
{
    int64_t before = all_taken();

    step((struct leat_event){.kind = LEAT_EV_TICK}, 1000 * tick);
    step((struct leat_event){.kind = LEAT_EV_TICK}, 1000 * tick + 500);
    return all_taken() - before;
}

static const int64_t much[PARTS] = {1000000, 1000000, 1000000};

static void an_interval_takes_what_the_rate_says_and_no_more(void)
{
    begin(100, LEAT_JOB_INTERVAL, 25, much);
    CU_ASSERT_EQUAL(all_taken(), 100); /* at once: so much is there, and it may */
    for (int64_t tick = 1; tick < 50; tick++)
        CU_ASSERT_EQUAL(interval(tick), 100);
    CU_ASSERT_EQUAL(batches, 50);
}

static void all_partitions_have_their_turn(void)
{
    begin(100, LEAT_JOB_INTERVAL, 25, much);
    for (int64_t tick = 1; tick < 30; tick++)
        interval(tick);
    for (uint32_t i = 0; i < PARTS; i++)
        CU_ASSERT_EQUAL(taken[i], 1000);
}

static void the_oldest_go_first_and_what_has_no_time_has_its_turn_with_them(void)
{
    static const int64_t none[PARTS];

    begin(100, LEAT_JOB_INTERVAL, 25, none);
    time_of_first[1] = 1000;
    time_of_first[2] = 1700;
    for (uint32_t i = 0; i < PARTS; i++)
        left[i] = 1000000;
    for (int64_t tick = 1; tick <= 31; tick++)
        interval(tick);
    CU_ASSERT(taken[0] >= 950 && taken[0] <= 1050);
    CU_ASSERT(taken[1] - taken[2] >= 650 && taken[1] - taken[2] <= 750);
}

static void a_block_that_is_more_than_an_interval_counts_for_several(void)
{
    begin(100, LEAT_JOB_INTERVAL, 250, much);
    CU_ASSERT_EQUAL(all_taken(), 250);
    for (int64_t tick = 1; tick < 1000; tick++)
        CU_ASSERT(interval(tick) <= 250);
    CU_ASSERT(all_taken() > 99000 && all_taken() < 101000);
}

static void less_than_a_record_an_interval_is_one_now_and_then(void)
{
    begin(0.25, LEAT_JOB_INTERVAL, 1, much);
    for (int64_t tick = 1; tick < 100; tick++)
        CU_ASSERT(interval(tick) <= 1);
    CU_ASSERT(all_taken() >= 24 && all_taken() <= 26);
}

static void what_an_interval_did_not_take_is_not_made_up_for(void)
{
    static const int64_t none[PARTS];

    begin(100, LEAT_JOB_INTERVAL, 25, none);
    for (int64_t tick = 1; tick < 10; tick++)
        CU_ASSERT_EQUAL(interval(tick), 0);
    left[1] = 1000000;
    for (int64_t tick = 10; tick < 20; tick++)
        CU_ASSERT(interval(tick) <= 100);
    CU_ASSERT(all_taken() >= 900);
    int64_t before = all_taken();
    step((struct leat_event){.kind = LEAT_EV_TICK}, 100000); /* 80 ticks were missed */
    CU_ASSERT(all_taken() - before <= 100);
}

static void a_new_rate_counts_from_the_next_tick_on(void)
{
    begin(40, LEAT_JOB_INTERVAL, 10, much);
    job.rate = 60;
    step((struct leat_event){.kind = LEAT_EV_TICK}, 500);
    CU_ASSERT_EQUAL(all_taken(), 40);
    CU_ASSERT_EQUAL(interval(1), 60);
    job.rate = 20;
    CU_ASSERT_EQUAL(interval(2), 20);
    job.rate = 80;
    CU_ASSERT_EQUAL(interval(3), 80);
}

static void a_bounded_run_reads_everything_at_its_rate(void)
{
    static const int64_t rows[PARTS] = {500, 120, 0};

    begin(100, LEAT_JOB_CAUGHT_UP, 25, rows);
    for (int64_t tick = 1; !stopped && tick < 100; tick++)
        CU_ASSERT(interval(tick) <= 100);
    CU_ASSERT(stopped);
    CU_ASSERT_EQUAL(all_taken(), 620);
    CU_ASSERT_EQUAL(batches, 7);
}

static void a_bounded_run_does_not_wait_for_what_is_owed_when_nothing_is_left(void)
{
    static const int64_t rows[PARTS] = {1000, 0, 0};

    begin(10, LEAT_JOB_CAUGHT_UP, 1000, rows);
    interval(1);
    CU_ASSERT(stopped);
    CU_ASSERT_EQUAL(all_taken(), 1000);
}

static void what_a_queue_gives_is_taken_at_its_tick_and_leaves_the_rate_to_the_others(void)
{
    begin_with(true, 100, LEAT_JOB_INTERVAL, 25, much);
    for (int64_t tick = 1; tick < 50; tick++) {
        int64_t queued = taken[0];
        CU_ASSERT_EQUAL(interval(tick), 125);
        CU_ASSERT_EQUAL(taken[0] - queued, 25);
    }
}

static void a_queue_that_gives_much_does_not_hold_up_a_large_block_of_another(void)
{
    begin_with(true, 100, LEAT_JOB_INTERVAL, 250, much);
    for (int64_t tick = 1; tick < 100; tick++)
        interval(tick);
    CU_ASSERT_EQUAL(taken[0], 99 * 250);
    CU_ASSERT(taken[1] + taken[2] > 9500 && taken[1] + taken[2] < 10500);
}

/* ---- behind a group */

static int64_t group_ends_ms;

static int64_t now_ms(const struct leat_clock *c)
{
    (void)c;
    return group_ends_ms;
}

/* A group of `records` that ran for 100 ms, until `ran_ms`, and took 50 to commit. */
static void group(struct leat_job_thread *t, int64_t ran_ms, int64_t sealed_ms, uint64_t records)
{
    struct leat_flow_batch flow = {.info = {.time_ms = ran_ms - 100, .clock_ms = ran_ms - 100},
                                   .counts.rows_in = records};
    struct leat_job_cut cut = {.flow = &flow};
    const struct leat_job_slot slot = {
        .first = &cut, .last = &cut, .ran_ms = ran_ms, .sealed_ms = sealed_ms, .runs_ms = 100};

    group_ends_ms = sealed_ms + 50;
    leat_job_rate_note(t, &slot);
}

static void a_group_that_is_held_open_for_its_commit_does_not_count_as_slow(void)
{
    static const struct leat_clock clock = {.now_ms = now_ms, .monotonic_ms = now_ms};
    const struct leat_spec spec = {0};
    const struct leat_plan plan = {.spec = &spec};
    static struct leat_job_thread t;

    t = (struct leat_job_thread){
        .plan = &plan,
        .options.clock = &clock,
        .estimates = true,
        .estimator = {.proportional = 1, .integral = 0.2, .min_rate = 10, .every_ms = 1000}};
    group(&t, 1100, 2000, 100);
    group(&t, 2100, 3000, 100);
    CU_ASSERT_EQUAL(t.step.rate, 1000); /* a second, of 100 in 100 ms */
    group(&t, 3100, 4000, 300);
    CU_ASSERT_EQUAL(t.step.rate, 3000);
}

LEAT_TESTS("job_rate", T(an_interval_takes_what_the_rate_says_and_no_more),
           T(all_partitions_have_their_turn),
           T(the_oldest_go_first_and_what_has_no_time_has_its_turn_with_them),
           T(a_block_that_is_more_than_an_interval_counts_for_several),
           T(less_than_a_record_an_interval_is_one_now_and_then),
           T(what_an_interval_did_not_take_is_not_made_up_for),
           T(a_new_rate_counts_from_the_next_tick_on),
           T(a_bounded_run_reads_everything_at_its_rate),
           T(a_bounded_run_does_not_wait_for_what_is_owed_when_nothing_is_left),
           T(what_a_queue_gives_is_taken_at_its_tick_and_leaves_the_rate_to_the_others),
           T(a_queue_that_gives_much_does_not_hold_up_a_large_block_of_another),
           T(a_group_that_is_held_open_for_its_commit_does_not_count_as_slow))
