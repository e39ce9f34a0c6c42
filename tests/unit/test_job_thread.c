/*
 * Tests engine/run/job_thread.c with job_source.c, job_batch.c, sink_thread.c and log_thread.c:
 * whole jobs, from a source of rows in memory to a sink that the test looks at. Also under thread
 * sanitizer.
 */
#include "data/memory.h"
#include "fault_fs.h"
#include "hand_plan.h"
#include "leat_test.h"
#include "run/job.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct leat_error err;

/* ---- a sink that shows what was committed */

struct world {
    char lines[1 << 16], counts[1 << 16]; /* visible */
    int fail_writes;                      /* so many fail first, and heal */
    bool broken;                          /* does not heal */
    int fail_opens;
    int aborts, opens, begins;
    uint64_t last_n;
};

static struct world world;

struct catcher {
    bool is_lines;
    char *visible;
    char pending[1 << 15];
    size_t len;
};

static enum leat_status catcher_open(void *self, const struct leat_env *env, struct leat_error *e)
{
    struct catcher *c = self;

    c->is_lines = strcmp(env->log->part, "lines") == 0;
    c->visible = c->is_lines ? world.lines : world.counts;
    if (c->is_lines && world.fail_opens-- > 0)
        return leat_fail(e, LEAT_E_UNREACHABLE, "nobody there");
    if (c->is_lines)
        world.opens++;
    return LEAT_OK;
}

static enum leat_status catcher_recover(void *self, uint64_t n, struct leat_slice section,
                                        struct leat_error *e)
{
    struct catcher *c = self;

    if (n && section.len != 8)
        return leat_fail(e, LEAT_E_CORRUPT, "no section for batch %d", (int)n);
    if (c->is_lines)
        world.last_n = n;
    return LEAT_OK;
}

static enum leat_status catcher_begin(void *self, uint64_t n, int64_t batch_time_ms,
                                      struct leat_error *e)
{
    struct catcher *c = self;

    (void)n, (void)batch_time_ms, (void)e;
    if (c->is_lines)
        world.begins++;
    return LEAT_OK;
}

static enum leat_status catcher_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                      struct leat_error *e)
{
    struct catcher *c = self;

    (void)n;
    if (c->is_lines && world.broken)
        return leat_fail(e, LEAT_E_BROKEN, "it is broken");
    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_slice v = chunk->values[chunk->selection[i]];
        if (c->len + v.len + 1 > sizeof c->pending)
            return leat_fail(e, LEAT_E_DATA, "too much");
        memcpy(c->pending + c->len, v.ptr, v.len);
        c->len += v.len;
        c->pending[c->len++] = '\n';
    }
    if (c->is_lines && world.fail_writes-- > 0)
        return leat_fail(e, LEAT_E_FULL, "no room");
    return LEAT_OK;
}

static enum leat_status catcher_prepare(void *self, uint64_t n,
                                        const struct leat_positions *positions,
                                        struct leat_bytes *section, struct leat_error *e)
{
    (void)self, (void)positions, (void)e;
    leat_bytes_put_u64(section, n);
    return LEAT_OK;
}

static enum leat_status catcher_commit(void *self, uint64_t n, struct leat_error *e)
{
    struct catcher *c = self;
    size_t have = strlen(c->visible);

    (void)n;
    if (have + c->len + 1 > sizeof world.lines)
        return leat_fail(e, LEAT_E_DATA, "too much");
    memcpy(c->visible + have, c->pending, c->len);
    c->visible[have + c->len] = 0;
    c->len = 0;
    return LEAT_OK;
}

static enum leat_status catcher_abort(void *self, uint64_t n, struct leat_error *e)
{
    struct catcher *c = self;

    (void)n, (void)e;
    c->len = 0;
    if (c->is_lines)
        world.aborts++;
    return LEAT_OK;
}

static void catcher_close(void *self)
{
    (void)self;
}

static const struct leat_module catcher = {
    .abi = LEAT_MODULE_ABI,
    .name = "catcher",
    .self_size = sizeof(struct catcher),
    .sink = &(const struct leat_sink){.open = catcher_open,
                                      .recover = catcher_recover,
                                      .begin = catcher_begin,
                                      .write = catcher_write,
                                      .prepare = catcher_prepare,
                                      .commit = catcher_commit,
                                      .abort = catcher_abort,
                                      .close = catcher_close},
};

/* ---- a pipeline */

static struct hand_plan plan;
static struct leat_spec spec;
static struct leat_memory_source source;
static struct leat_arena rows;
static int state_number;
static char state_dir[256];

static void new_state(void)
{
    snprintf(state_dir, sizeof state_dir, "%s/state%d", leat_test_dir(), state_number++);
}

static void make_plan(const struct hand_options *options)
{
    static struct hand_options o;

    o = *options;
    o.sources = o.sources ? o.sources : 1;
    o.connector = o.connector ? o.connector : &leat_memory_source_module;
    o.sink_module = &catcher;
    hand_plan_init(&plan, &o);
    spec = (struct leat_spec){.name = LEAT_LIT("test"),
                              .memory.bytes = 64 << 20,
                              .partitions = 4,
                              .batch = {.every.ms = 10, .max_records = 1000}};
    spec.batch.max_bytes.bytes = 1 << 20;
    plan.plan.spec = &spec;
    plan.sources[0].self = &source;
    world = (struct world){0};
    leat_memory_source_init(&source, &rows);
    new_state();
}

static void add_line(const char *text)
{
    struct leat_row row = {.value = leat_slice_str(text), .time_ms = LEAT_NO_TIME};

    OK(leat_memory_source_add(&source, &row, 1, &err));
}

static enum leat_status run(struct leat_job_options o)
{
    struct leat_job_thread *job;

    o.state_dir = state_dir;
    o.threads = o.threads ? o.threads : 2;
    OK(leat_job_start(&plan.plan, &o, NULL, NULL, &job, &err));
    enum leat_status status = leat_job_join(job, &err);
    leat_job_free(job);
    return status;
}

static const struct leat_job_options caught_up = {.until_caught_up = true};

static void a_bounded_run_reads_all_and_ends(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("to be or");
    add_line("not to be");
    OK(run(caught_up));
    CU_ASSERT_STRING_EQUAL(world.lines, "to be or\nnot to be\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(world.counts, "to=2\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(world.counts, "not=1\n"));
    leat_arena_reset(&rows);
}

static void a_restart_goes_on_where_the_log_says(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    OK(run(caught_up));
    add_line("two");
    OK(run(caught_up));
    CU_ASSERT_EQUAL(world.last_n, 1);
    OK(run(caught_up)); /* nothing is left: no batch */
    CU_ASSERT_EQUAL(world.last_n, 2);
    CU_ASSERT_STRING_EQUAL(world.lines, "one\ntwo\n");
    leat_arena_reset(&rows);
}

static void a_bounded_run_closes_windows(void)
{
    make_plan(&(struct hand_options){.partitions = 4, .event_time = true, .window_ms = 1000000000});
    add_line("5 a a");
    OK(run(caught_up));
    CU_ASSERT_STRING_EQUAL(world.lines, "5 a a\n");
    CU_ASSERT_STRING_EQUAL(world.counts, "a=2\n");
    leat_arena_reset(&rows);
}

static void once_is_one_batch(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    spec.batch.trigger.index = LEAT_TRIGGER_ONCE;
    for (int i = 0; i < 500; i++)
        add_line("x");
    OK(run((struct leat_job_options){0}));
    CU_ASSERT_STRING_EQUAL(world.counts, "x=500\n");
    leat_arena_reset(&rows);
}

static void limits_cut_more_batches(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    spec.batch.max_records = 1;
    spec.batch.max_bytes.bytes = 100;
    for (int i = 0; i < 3000; i++)
        add_line("x");
    OK(run(caught_up));
    size_t lines = strlen(world.lines);
    CU_ASSERT_EQUAL(lines, 6000);
    leat_arena_reset(&rows);
}

static void batches_may_share_a_commit(void)
{
    make_plan(&(struct hand_options){.partitions = 4, .on_empty = true});
    spec.commit.every.ms = 3600000;
    add_line("one");
    OK(run((struct leat_job_options){.until_batches = 3}));
    CU_ASSERT_EQUAL(world.begins, 3);
    CU_ASSERT_STRING_EQUAL(world.lines, "one\n");
    OK(run((struct leat_job_options){.until_batches = 1}));
    CU_ASSERT_EQUAL(world.last_n, 1);
    leat_arena_reset(&rows);
}

static void what_heals_is_waited_for_and_nothing_doubles(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    world.fail_writes = 2;
    world.fail_opens = 1;
    OK(run(caught_up));
    CU_ASSERT_STRING_EQUAL(world.lines, "one\n");
    CU_ASSERT_EQUAL(world.aborts, 2);
    CU_ASSERT_EQUAL(world.opens, 1);
    leat_arena_reset(&rows);
}

static void what_does_not_heal_ends_the_job_and_says_why(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    world.broken = true;
    CU_ASSERT_EQUAL(run(caught_up), LEAT_E_BROKEN);
    CU_ASSERT_STRING_EQUAL(err.text, "job 'test': sink 'lines': it is broken");
    CU_ASSERT_STRING_EQUAL(world.lines, "");
    world.broken = false;
    OK(run(caught_up)); /* it comes again */
    CU_ASSERT_STRING_EQUAL(world.lines, "one\n");
    leat_arena_reset(&rows);
}

static void a_bad_record_ends_the_job_with_its_place(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("bad");
    CU_ASSERT_EQUAL(run(caught_up), LEAT_E_DATA);
    CU_ASSERT_STRING_EQUAL(err.text, "job 'test': memory: a bad line");
    leat_arena_reset(&rows);
}

static void set_true(void *arg)
{
    atomic_store((atomic_bool *)arg, true);
}

static int64_t part_sum(const struct leat_job_thread *job, enum leat_part_metric metric)
{
    const struct leat_part_metrics *m = leat_part_metrics_first(leat_job_part_metrics_of(job));
    int64_t sum = 0;

    for (; m; m = leat_part_metrics_next(m))
        sum += leat_part_metric_get(m, metric);
    return sum;
}

static void each_source_partition_has_counters_that_can_be_read_meanwhile(void)
{
    static const enum leat_part_metric grows[] = {LEAT_PART_METRIC_records, LEAT_PART_METRIC_bytes,
                                                  LEAT_PART_METRIC_position};
    struct leat_job_options o = {.until_caught_up = true, .threads = 2, .state_dir = state_dir};
    struct leat_job_thread *job;
    int64_t before[3] = {0};
    atomic_bool ended = false;

    make_plan(&(struct hand_options){.partitions = 4, .event_time = true, .lateness_ms = 3});
    spec.batch.max_records = 1;
    spec.batch.max_bytes.bytes = 50;
    for (int i = 0; i < 200; i++)
        add_line("15 a");
    OK(leat_job_start(&plan.plan, &o, set_true, &ended, &job, &err));
    while (!atomic_load(&ended))
        for (int i = 0; i < 3; i++) {
            int64_t now = part_sum(job, grows[i]);
            CU_ASSERT(now >= before[i]);
            before[i] = now;
        }
    OK(leat_job_join(job, &err));
    const struct leat_part_metrics *m = leat_part_metrics_first(leat_job_part_metrics_of(job));
    CU_ASSERT_PTR_NOT_NULL_FATAL(m);
    CU_ASSERT_PTR_NULL(leat_part_metrics_next(m));
    CU_ASSERT_STRING_EQUAL(m->source, "a");
    CU_ASSERT_STRING_EQUAL(m->partition, "memory");
    CU_ASSERT_EQUAL(leat_part_metric_get(m, LEAT_PART_METRIC_records), 200);
    CU_ASSERT_EQUAL(leat_part_metric_get(m, LEAT_PART_METRIC_position), 200);
    CU_ASSERT(leat_part_metric_get(m, LEAT_PART_METRIC_bytes) >= 200 * 4);
    CU_ASSERT_EQUAL(leat_part_metric_get(m, LEAT_PART_METRIC_errors), 0);
    CU_ASSERT_EQUAL(leat_part_metric_get(m, LEAT_PART_METRIC_lag), 0);
    CU_ASSERT_EQUAL(leat_part_metric_get(m, LEAT_PART_METRIC_watermark_ms), 12);
    leat_job_free(job);
    leat_arena_reset(&rows);
}

static void a_second_copy_is_refused(void)
{
    struct leat_job_options o = {.threads = 1, .state_dir = state_dir, .until_batches = 1};
    char lock[300];

    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    CU_ASSERT_EQUAL_FATAL(mkdir(state_dir, 0755), 0);
    snprintf(lock, sizeof lock, "%s/lock", state_dir);
    int fd = open(lock, O_RDWR | O_CREAT, 0644);
    CU_ASSERT_EQUAL_FATAL(flock(fd, LOCK_EX), 0);
    CU_ASSERT_EQUAL(run(o), LEAT_E_FENCED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "another process runs this pipeline"));
    close(fd);
    OK(run(o));
    CU_ASSERT_STRING_EQUAL(world.lines, "one\n");
    leat_arena_reset(&rows);
}

static void a_stop_ends_an_endless_job(void)
{
    struct leat_job_options o = {.threads = 2, .state_dir = state_dir};
    struct leat_job_thread *job;

    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    OK(leat_job_start(&plan.plan, &o, NULL, NULL, &job, &err));
    leat_job_ask_stop(job);
    leat_job_ask_stop(job);
    OK(leat_job_join(job, &err));
    leat_job_free(job);
    CU_ASSERT(strlen(world.lines) == 0 || strcmp(world.lines, "one\n") == 0);
    leat_arena_reset(&rows);
}

static void empty_batches_are_counted_where_the_plan_speaks_on_them(void)
{
    make_plan(&(struct hand_options){.partitions = 4, .on_empty = true});
    OK(run((struct leat_job_options){.until_batches = 3}));
    OK(run((struct leat_job_options){.until_batches = 1}));
    CU_ASSERT_EQUAL(world.last_n, 3);
    leat_arena_reset(&rows);
}

/* ---- a source that never gets the memory it asks for */

#define HUNGRY_MOST 12 /* fetches; then it asks for the end */

static struct leat_job_thread *hungry_job;
static int hungry_fetches;

static enum leat_status hungry_open(void *self, const struct leat_env *env, struct leat_error *e)
{
    (void)self, (void)env, (void)e;
    hungry_fetches = 0;
    return LEAT_OK;
}

static enum leat_status hungry_parts(void *self, void (*each)(void *arg, const struct leat_part *p),
                                     void *arg, struct leat_error *e)
{
    (void)self, (void)e;
    each(arg, &(struct leat_part){.name = LEAT_LIT("one"), .end = 10});
    return LEAT_OK;
}

static void hungry_fetch(void *self, const struct leat_fetch *fetch, leat_fetch_done *done,
                         void *arg)
{
    struct leat_error why;

    (void)self;
    leat_fail(&why, LEAT_E_FULL, "no room for its block");
    if (++hungry_fetches == HUNGRY_MOST)
        leat_job_ask_stop(hungry_job);
    done(arg, fetch, NULL, &why);
}

static void hungry_close(void *self)
{
    (void)self;
}

static const struct leat_module hungry = {
    .abi = LEAT_MODULE_ABI,
    .name = "hungry",
    .self_size = 1,
    .pull = &(const struct leat_pull){.open = hungry_open,
                                      .partitions = hungry_parts,
                                      .fetch = hungry_fetch,
                                      .close = hungry_close},
};

static int64_t fast_ms(const struct leat_clock *c)
{
    (void)c;
    return leat_clock_monotonic_ms(&leat_clock_system) * 50;
}

static enum leat_status run_hungry(void)
{
    static const struct leat_clock fast = {.now_ms = fast_ms, .monotonic_ms = fast_ms};
    struct leat_job_options o = {.threads = 2, .state_dir = state_dir, .clock = &fast};

    OK(leat_job_start(&plan.plan, &o, NULL, NULL, &hungry_job, &err));
    enum leat_status status = leat_job_join(hungry_job, &err);
    leat_job_free(hungry_job);
    return status;
}

static void a_fetch_that_never_has_the_memory_it_needs_ends_the_job(void)
{
    make_plan(&(struct hand_options){.partitions = 4, .connector = &hungry});
    plan.sources[0].self = NULL;
    CU_ASSERT_EQUAL(run_hungry(), LEAT_E_FULL);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(err.text, ": no room for its block; give the pipeline more `memory`"));
    CU_ASSERT(hungry_fetches < HUNGRY_MOST);
}

/* A push source has memory of the same budget, for as long as its peers or its store like. */
static void beside_a_push_source_a_fetch_without_memory_is_tried_on(void)
{
    const struct leat_module *m = leat_module_find_source("memory");
    struct leat_arena arena = {0};
    struct leat_setting given[] = {{.name = LEAT_LIT("text"), .value = LEAT_LIT("one\n")}};

    if (!m || !m->push)
        LEAT_SKIP("no push source of that name is built in");
    make_plan(&(struct hand_options){.sources = 2, .partitions = 4, .connector = &hungry});
    plan.sources[0].self = NULL;
    plan.sources[1].module = m;
    plan.sources[1].self = leat_arena_alloc(&arena, m->self_size);
    OK(leat_opts_apply(m->opts, plan.sources[1].self, given, 1, &arena, &err));
    OK(run_hungry());
    CU_ASSERT_EQUAL(hungry_fetches, HUNGRY_MOST);
    leat_arena_reset(&arena);
}

/* The connector of that name sends its text and then waits for acknowledgements. */
static void a_push_source_is_read_and_acknowledged(void)
{
    const struct leat_module *m = leat_module_find_source("memory");
    struct leat_arena arena = {0};
    struct leat_setting given[] = {{.name = LEAT_LIT("text"), .value = LEAT_LIT("to be\nor not\n")},
                                   {.name = LEAT_LIT("count"), .value = LEAT_LIT("3")}};

    if (!m || !m->push)
        LEAT_SKIP("no push source of that name is built in");
    make_plan(&(struct hand_options){.partitions = 4, .connector = m});
    plan.sources[0].self = leat_arena_alloc(&arena, m->self_size);
    OK(leat_opts_apply(m->opts, plan.sources[0].self, given, 2, &arena, &err));
    OK(run((struct leat_job_options){.until_batches = 1}));
    CU_ASSERT_STRING_EQUAL(world.lines, "to be\nor not\nto be\nor not\nto be\nor not\n");
    leat_arena_reset(&arena);
}

/* Power fails at the 1st, 2nd, ... call of the file system: after a restart every line is there. */
static void a_crash_at_every_call_loses_nothing(void)
{
    for (int k = 1; k < 60; k++) {
        struct fault_fs fault;
        fault_fs_init(&fault);
        fault.fail_at = k;
        fault.crash = true;
        make_plan(&(struct hand_options){.partitions = 4});
        spec.batch.max_records = 1;
        spec.batch.max_bytes.bytes = 1;
        for (int i = 0; i < 10; i++)
            add_line("x");
        enum leat_status status =
            run((struct leat_job_options){.until_caught_up = true, .fs = &fault.fs});
        fault_fs_power_off(&fault);
        CU_ASSERT(status == LEAT_OK || fault.hit);
        size_t before = strlen(world.lines);
        OK(run(caught_up));
        CU_ASSERT(strlen(world.lines) >= 20);          /* all ten */
        CU_ASSERT(strlen(world.lines) <= before + 20); /* what was not logged comes again */
        leat_arena_reset(&rows);
        if (!fault.hit)
            break;
    }
}

LEAT_TESTS("job_thread", T(a_bounded_run_reads_all_and_ends),
           T(a_restart_goes_on_where_the_log_says), T(a_bounded_run_closes_windows),
           T(once_is_one_batch), T(limits_cut_more_batches), T(batches_may_share_a_commit),
           T(what_heals_is_waited_for_and_nothing_doubles),
           T(what_does_not_heal_ends_the_job_and_says_why),
           T(a_bad_record_ends_the_job_with_its_place),
           T(each_source_partition_has_counters_that_can_be_read_meanwhile),
           T(a_second_copy_is_refused), T(a_stop_ends_an_endless_job),
           T(empty_batches_are_counted_where_the_plan_speaks_on_them),
           T(a_fetch_that_never_has_the_memory_it_needs_ends_the_job),
           T(beside_a_push_source_a_fetch_without_memory_is_tried_on),
           T(a_push_source_is_read_and_acknowledged), T(a_crash_at_every_call_loses_nothing))
