/* Tests engine/run/job_cut.c through job_step.c: partitions that are read in turn. */
#include "leat_test.h"
#include "run/job_step.h"

#define PARTS  100
#define BLOCKS 3 /* of each part, the last of which says that it is the end */

static struct leat_job job;
static struct leat_job_part parts[PARTS];
static uint32_t active[PARTS];
static struct leat_action list[4 * PARTS];
static struct leat_actions out = {list, 0, 4 * PARTS};

/* What is under way, and what was. */
static bool fetching[PARTS], begun[PARTS], ended[PARTS];
static uint32_t blocks[PARTS], open_now, open_most;
static uint64_t ran;
static bool run_now, finish_now;

static void take_actions(void)
{
    for (size_t i = 0; i < out.count; i++) {
        const struct leat_action *a = &list[i];
        if (a->kind == LEAT_ACT_FETCH) {
            fetching[a->part] = true;
            open_now += !begun[a->part];
            begun[a->part] = true;
            open_most = open_now > open_most ? open_now : open_most;
        } else if (a->kind == LEAT_ACT_RUN) {
            run_now = true;
            ran = a->batch;
        } else if (a->kind == LEAT_ACT_FINISH) {
            finish_now = true;
        }
        CU_ASSERT(a->kind != LEAT_ACT_FAIL);
    }
}

static void step(struct leat_event ev, int64_t now_ms)
{
    leat_job_step(&job, &ev, now_ms, &out);
    take_actions();
}

static void begin(void)
{
    job = (struct leat_job){.every_ms = 1000,
                            .mode = LEAT_JOB_INTERVAL,
                            .until_ms = LEAT_JOB_NEVER,
                            .max_bytes = 1 << 30,
                            .early = true,
                            .parts = parts,
                            .active = active};
    memset(fetching, 0, sizeof fetching);
    memset(begun, 0, sizeof begun);
    memset(ended, 0, sizeof ended);
    memset(blocks, 0, sizeof blocks);
    open_now = open_most = 0;
    run_now = finish_now = false;
    for (uint32_t i = 0; i < PARTS; i++) {
        parts[i] = (struct leat_job_part){.goal = -1, .in_turn = true};
        step((struct leat_event){.kind = LEAT_EV_PART, .part = i}, 1);
    }
    step((struct leat_event){.kind = LEAT_EV_START}, 1);
}

static void answer(uint32_t part, int64_t now_ms)
{
    bool last = ++blocks[part] == BLOCKS;

    fetching[part] = false;
    ended[part] = last;
    open_now -= last;
    step((struct leat_event){.kind = LEAT_EV_BLOCK,
                             .part = part,
                             .from = blocks[part] - 1,
                             .to = blocks[part],
                             .at_end = last,
                             .finished = last,
                             .records = 1,
                             .bytes = 10},
         now_ms);
}

/* Batches run and count at once. */
static void run_batches(int64_t now_ms)
{
    while (run_now || finish_now) {
        if (run_now) {
            run_now = false;
            step((struct leat_event){.kind = LEAT_EV_RAN, .batch = ran}, now_ms);
            step((struct leat_event){.kind = LEAT_EV_LOGGED, .batch = ran}, now_ms);
        }
        if (finish_now) {
            finish_now = false;
            step((struct leat_event){.kind = LEAT_EV_FINISHED, .batch = ran}, now_ms);
        }
    }
}

static uint32_t ended_count(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < PARTS; i++)
        count += ended[i];
    return count;
}

static void a_few_are_read_at_once_and_each_to_its_end(void)
{
    begin();
    for (int64_t now_ms = 1; ended_count() < PARTS && now_ms < 10000; now_ms++) {
        for (uint32_t i = 0; i < PARTS; i++)
            if (fetching[i])
                answer(i, now_ms);
        if (now_ms >= job.tick_ms)
            step((struct leat_event){.kind = LEAT_EV_TICK}, now_ms);
        run_batches(now_ms);
        CU_ASSERT(open_now <= LEAT_JOB_TURNS);
    }
    CU_ASSERT_EQUAL(ended_count(), PARTS);
    CU_ASSERT_EQUAL(open_most, LEAT_JOB_TURNS);
    CU_ASSERT_EQUAL(job.turns, 0);
}

/* The first 16 go on and on; those behind them must not hold up what is received. */
static void who_waits_holds_no_batch_up(void)
{
    begin();
    for (uint32_t k = 0; k < LEAT_JOB_BLOCKS; k++)
        for (uint32_t i = 0; i < PARTS; i++)
            if (fetching[i] && begun[i] && !run_now) {
                blocks[i] = 0; /* never at its end */
                fetching[i] = false;
                step((struct leat_event){.kind = LEAT_EV_BLOCK,
                                         .part = i,
                                         .from = parts[i].next,
                                         .to = parts[i].next + 1,
                                         .records = 1,
                                         .bytes = 10},
                     2);
            }
    CU_ASSERT(run_now); /* before any tick */
}

static void who_cannot_be_read_gives_its_turn_away_and_gets_another(void)
{
    begin();
    for (uint32_t i = 0; i < LEAT_JOB_TURNS; i++) {
        fetching[i] = begun[i] = false;
        open_now--;
        step(
            (struct leat_event){.kind = LEAT_EV_UNFETCHED, .part = i, .status = LEAT_E_UNREACHABLE},
            2);
    }
    CU_ASSERT_EQUAL(open_now, LEAT_JOB_TURNS);
    for (int64_t now_ms = 3; ended_count() < PARTS && now_ms < 10000; now_ms++) {
        for (uint32_t i = 0; i < PARTS; i++)
            if (fetching[i])
                answer(i, now_ms);
        step((struct leat_event){.kind = LEAT_EV_TICK}, now_ms);
        run_batches(now_ms);
    }
    CU_ASSERT_EQUAL(ended_count(), PARTS);
}

LEAT_TESTS("job_turns", T(a_few_are_read_at_once_and_each_to_its_end),
           T(who_waits_holds_no_batch_up),
           T(who_cannot_be_read_gives_its_turn_away_and_gets_another))
