/* Tests engine/run/job_source.c: a partition that gets no memory, while another one is read. */
#include "data/block.h"
#include "hand_plan.h"
#include "leat_test.h"
#include "run/job.h"

#include <stdio.h>
#include <unistd.h>

#define HUNGRY_S 200 /* of the job's clock, a thousand times as fast as ours */

static struct leat_error err;
static struct hand_plan plan;
static struct leat_spec spec;
static struct leat_job_thread *job;
static int64_t since_ms, until_ms;

static _Atomic int64_t stands_at_ms; /* once the job is to stop: it has all the time it needs */

static int64_t fast_ms(const struct leat_clock *c)
{
    (void)c;
    return stands_at_ms ? stands_at_ms : leat_clock_monotonic_ms(&leat_clock_system) * 1000;
}

/* ---- a source of two partitions: one is fed */

struct pair {
    const struct leat_env *env;
};

static enum leat_status pair_open(void *self, const struct leat_env *env, struct leat_error *e)
{
    (void)e;
    ((struct pair *)self)->env = env;
    return LEAT_OK;
}

static enum leat_status pair_parts(void *self, void (*each)(void *arg, const struct leat_part *p),
                                   void *arg, struct leat_error *e)
{
    (void)self, (void)e;
    each(arg, &(struct leat_part){.id = 0, .name = LEAT_LIT("fed"), .end = -1});
    each(arg, &(struct leat_part){.id = 1, .name = LEAT_LIT("starved"), .end = -1});
    return LEAT_OK;
}

static void pair_fetch(void *self, const struct leat_fetch *fetch, leat_fetch_done *done, void *arg)
{
    struct leat_error why = {0};
    struct leat_block *b = NULL;

    if (fetch->part == 0) {
        if (leat_block_new(((struct pair *)self)->env->budget, &leat_coding_lines, 2, &b, &why) ==
            LEAT_OK) {
            memcpy(leat_block_buffer(b), "a\n", 2);
            b->bytes.len = 2;
            b->from = fetch->from;
            leat_block_seal(b, fetch->from + 2);
        }
        done(arg, fetch, b, &why);
        return;
    }
    until_ms = fast_ms(NULL);
    since_ms = since_ms ? since_ms : until_ms;
    if (until_ms - since_ms > HUNGRY_S * 1000) {
        stands_at_ms = until_ms;
        leat_job_ask_stop(job);
    }
    leat_fail(&why, LEAT_E_FULL, "no room for its block");
    done(arg, fetch, NULL, &why);
}

static void nothing_to_close(void *self)
{
    (void)self;
}

static const struct leat_module pair = {
    .abi = LEAT_MODULE_ABI,
    .name = "pair",
    .self_size = sizeof(struct pair),
    .pull = &(const struct leat_pull){.open = pair_open,
                                      .partitions = pair_parts,
                                      .fetch = pair_fetch,
                                      .close = nothing_to_close},
};

/* What standard error got; the caller closes it. */
static FILE *run(void)
{
    static const struct leat_clock fast = {.now_ms = fast_ms, .monotonic_ms = fast_ms};
    char dir[200];
    struct leat_job_options o = {.threads = 2, .state_dir = dir, .clock = &fast};
    int before = dup(STDERR_FILENO);
    FILE *said = tmpfile();

    snprintf(dir, sizeof dir, "%.100s/state", leat_test_dir());
    if (before < 0 || !said || dup2(fileno(said), STDERR_FILENO) < 0)
        abort();
    enum leat_status status = leat_job_start(&plan.plan, &o, NULL, NULL, &job, &err);
    if (status == LEAT_OK) {
        status = leat_job_join(job, &err);
        leat_job_free(job);
    }
    dup2(before, STDERR_FILENO);
    close(before);
    OK(status);
    rewind(said);
    return said;
}

static void a_partition_that_gets_no_memory_while_another_is_read_is_spoken_of_once_a_minute(void)
{
    char line[1000];
    int times = 0;

    hand_plan_init(&plan, &(struct hand_options){
                              .sources = 1,
                              .partitions = 4,
                              .connector = &pair,
                              .sink_module = leat_module_find_sink("null"),
                          });
    spec = (struct leat_spec){.name = LEAT_LIT("test"),
                              .memory.bytes = 64 << 20,
                              .partitions = 4,
                              .batch = {.every.ms = 10, .max_records = 1000}};
    spec.batch.max_bytes.bytes = 1 << 20;
    plan.plan.spec = &spec;
    FILE *said = run();
    while (fgets(line, sizeof line, said)) {
        const char *at = strstr(line, "partition '");
        CU_ASSERT(!at || strstr(at, "'starved' was not read for ") != NULL);
        CU_ASSERT(!at || strstr(at, "no room for its block; give the pipeline more `memory`"));
        times += at != NULL;
    }
    fclose(said);
    CU_ASSERT(times >= 1);
    CU_ASSERT(times <= (until_ms - since_ms) / 60000);
}

LEAT_TESTS("job_hunger",
           T(a_partition_that_gets_no_memory_while_another_is_read_is_spoken_of_once_a_minute))
