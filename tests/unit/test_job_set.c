/*
 * Tests engine/run/job_set.c: whatever allocation fails, a set ends clean and gives every plan back
 * once. What it does with files and signals: tests/cli/test_reload.py.
 */
#include "leat_test.h"
#include "pipeline.h"
#include "run/job_set.h"

#include <stdio.h>

#define MANY 40 /* more than a set has room for at first */

static struct leat_error err;
static const struct leat_job_options caught_up = {.until_caught_up = true, .threads = 1};

/* ---- plans that are only put and dropped */

static struct leat_spec specs[MANY];
static struct leat_plan plans[MANY + 1];
static int put_count[MANY + 1], back_count[MANY + 1];
static char names[MANY][8];

static void note_back(void *arg, const struct leat_plan *plan)
{
    (void)arg;
    back_count[plan - plans]++;
}

static void make_plans(void)
{
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "p%d", i);
        specs[i] = (struct leat_spec){.name = leat_slice_str(names[i])};
        plans[i] = (struct leat_plan){.spec = &specs[i]};
    }
    plans[MANY] = (struct leat_plan){.spec = &specs[3]}; /* another version of that one */
}

static void put(struct leat_job_set *set, int i)
{
    enum leat_status status = leat_job_set_put(set, &plans[i], &err);

    put_count[i] += status == LEAT_OK;
    CU_ASSERT(status == LEAT_OK || (status == LEAT_E_NOMEM && leat_oom_hit()));
}

static void count_one(void *arg, const struct leat_member *m)
{
    CU_ASSERT_EQUAL(m->state, LEAT_MEMBER_STARTING);
    (*(int *)arg)++;
}

static void without_memory_for_one_more_the_others_are_there_and_every_plan_is_given_back_once(void)
{
    make_plans();
    LEAT_OOM_SWEEP {
        struct leat_job_set *set;
        int count = 0, expected = 0;
        memset(put_count, 0, sizeof put_count);
        memset(back_count, 0, sizeof back_count);
        if (leat_job_set_new(&caught_up, &(struct leat_job_set_hooks){.unused = note_back}, &set,
                             &err) != LEAT_OK) {
            CU_ASSERT(err.status == LEAT_E_NOMEM && leat_oom_hit());
            leat_job_set_free(set);
            continue;
        }
        for (int i = 0; i <= MANY; i++)
            put(set, i);
        leat_job_set_drop(set, LEAT_LIT("p5"));
        for (int i = 0; i < MANY; i++)
            expected += i != 5 && (put_count[i] || (i == 3 && put_count[MANY]));
        leat_job_set_each(set, count_one, &count);
        CU_ASSERT_EQUAL(count, expected);
        leat_job_set_free(set);
        CU_ASSERT_EQUAL(memcmp(put_count, back_count, sizeof put_count), 0);
    }
}

/* ---- plans that run */

static const char *const texts[] = {"leat: 1\nname: one\nbatch: { every: 10ms }\npartitions: 2\n"
                                    "sources: { in: { generate: { count: 100 } } }\n"
                                    "sinks: { out: { from: in, \"null\": {} } }\n",
                                    "leat: 1\nname: two\nbatch: { every: 10ms }\npartitions: 2\n"
                                    "sources: { in: { generate: { count: 100 } } }\n"
                                    "sinks: { out: { from: in, \"null\": {} } }\n",
                                    "leat: 1\nname: two\nbatch: { every: 10ms }\npartitions: 2\n"
                                    "sources: { in: { generate: { count: 200 } } }\n"
                                    "sinks: { out: { from: in, \"null\": {} } }\n"};

#define RUNNING (sizeof texts / sizeof *texts)

static struct pipeline pipelines[RUNNING];
static int run_back[RUNNING];
static char dirs[RUNNING][200];
static struct leat_job_set *running;

static void note_run_back(void *arg, const struct leat_plan *plan)
{
    (void)arg;
    for (size_t i = 0; i < RUNNING; i++)
        run_back[i] += pipelines[i].plan == plan;
}

/* The third is another version of the second. */
static void put_third(void *arg)
{
    (void)arg;
    OK(leat_job_set_put(running, pipelines[2].plan, &err));
}

static void new_dirs(int round)
{
    for (size_t i = 0; i < RUNNING; i++) {
        snprintf(dirs[i], sizeof dirs[i], "%s/%d-%s", leat_test_dir(), round, i ? "two" : "one");
        pipelines[i].spec.checkpoint.dir = dirs[i];
    }
}

static void count_failed(void *arg, const struct leat_member *m)
{
    if (m->state == LEAT_MEMBER_FAILED)
        CU_ASSERT_PTR_NOT_NULL(strstr(m->why, "memory"));
    CU_ASSERT(m->state == LEAT_MEMBER_FAILED || m->state == LEAT_MEMBER_DONE);
    *(int *)arg += m->state == LEAT_MEMBER_FAILED;
}

static void run_all(bool reload)
{
    int failed = 0, put = 0;

    for (size_t i = 0; i < 2; i++)
        put += leat_job_set_put(running, pipelines[i].plan, &err) == LEAT_OK;
    if (reload && put == 2)
        leat_job_set_reload(running);
    enum leat_status status = leat_job_set_run(running, false, &err);
    leat_job_set_each(running, count_failed, &failed);
    CU_ASSERT_EQUAL(status != LEAT_OK, failed == 1);
    CU_ASSERT(failed + 2 - put <= leat_oom_hit());
}

static void sweep(bool reload)
{
    static int round;
    const struct leat_job_set_hooks hooks = {.unused = note_run_back, .reload = put_third};

    for (size_t i = 0; i < RUNNING; i++)
        pipeline_open(&pipelines[i], texts[i], 1);
    LEAT_OOM_SWEEP {
        new_dirs(round++);
        memset(run_back, 0, sizeof run_back);
        if (leat_job_set_new(&caught_up, &hooks, &running, &err) == LEAT_OK)
            run_all(reload);
        leat_job_set_free(running);
        for (size_t i = 0; i < RUNNING; i++)
            CU_ASSERT(run_back[i] <= 1);
    }
    for (size_t i = 0; i < RUNNING; i++) {
        CU_ASSERT_EQUAL(run_back[i], reload || i < 2); /* nothing had failed */
        pipeline_close(&pipelines[i]);
    }
}

static void without_memory_one_pipeline_fails_and_its_neighbour_ends_well(void)
{
    sweep(false);
}

static void without_memory_for_a_new_version_the_set_ends_clean(void)
{
    sweep(true);
}

LEAT_TESTS("job_set",
           T(without_memory_for_one_more_the_others_are_there_and_every_plan_is_given_back_once),
           T(without_memory_one_pipeline_fails_and_its_neighbour_ends_well),
           T(without_memory_for_a_new_version_the_set_ends_clean))
