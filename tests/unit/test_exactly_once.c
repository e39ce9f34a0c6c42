/*
 * Tests engine/run/decider_thread.c and job_decide.c, with job_state.c: whole jobs whose outputs
 * and positions go through a transaction, from a source of rows in memory to a decider in memory
 * (tests/support/scripted_decider.h), and what a restart makes of whatever the last run left. Also
 * under thread sanitizer.
 */
#include "data/memory.h"
#include "hand_plan.h"
#include "leat_test.h"
#include "run/job.h"
#include "scripted_decider.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static struct leat_error err;
static struct hand_plan plan;
static struct leat_spec spec;
static struct leat_memory_source source;
static struct leat_arena rows;
static int state_number;
static char state_dir[256];
static struct leat_module connector;

/* ---- a sink outside of the decider: what it shows was prepared and is committed */

static char shown[1 << 14], prepared[1 << 14];
static uint64_t prepared_n;

struct outside {
    char text[1 << 14];
};

static enum leat_status outside_open(void *self, const struct leat_env *env, struct leat_error *e)
{
    (void)env, (void)e;
    ((struct outside *)self)->text[0] = 0;
    return LEAT_OK;
}

/* As files do: what was prepared for n is shown now, what comes behind it never was. */
static enum leat_status outside_recover(void *self, uint64_t n, struct leat_slice section,
                                        struct leat_error *e)
{
    (void)self, (void)section, (void)e;
    if (prepared_n == n)
        strcat(shown, prepared);
    prepared[0] = 0;
    prepared_n = 0;
    return LEAT_OK;
}

static enum leat_status outside_write(void *self, uint64_t n, const struct leat_chunk *chunk,
                                      struct leat_error *e)
{
    struct outside *o = self;

    (void)n, (void)e;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        size_t have = strlen(o->text);
        snprintf(o->text + have, sizeof o->text - have, "%.*s\n",
                 LEAT_FMT(chunk->values[chunk->selection[i]]));
    }
    return LEAT_OK;
}

static enum leat_status outside_prepare(void *self, uint64_t n,
                                        const struct leat_positions *positions,
                                        struct leat_bytes *section, struct leat_error *e)
{
    struct outside *o = self;

    (void)positions, (void)section, (void)e;
    strcpy(prepared, o->text);
    prepared_n = n;
    o->text[0] = 0;
    return LEAT_OK;
}

static enum leat_status outside_commit(void *self, uint64_t n, struct leat_error *e)
{
    (void)self, (void)e;
    CU_ASSERT_EQUAL(prepared_n, n);
    strcat(shown, prepared);
    prepared[0] = 0;
    prepared_n = 0;
    return LEAT_OK;
}

static enum leat_status outside_abort(void *self, uint64_t n, struct leat_error *e)
{
    (void)self, (void)n, (void)e;
    return LEAT_OK;
}

static void outside_close(void *self)
{
    (void)self;
}

static const struct leat_module outside = {
    .abi = LEAT_MODULE_ABI,
    .name = "outside",
    .self_size = sizeof(struct outside),
    .sink = &(const struct leat_sink){.open = outside_open,
                                      .recover = outside_recover,
                                      .write = outside_write,
                                      .prepare = outside_prepare,
                                      .commit = outside_commit,
                                      .abort = outside_abort,
                                      .close = outside_close},
};

/* ---- a pipeline */

static void make_plan(const struct hand_options *options)
{
    static struct hand_options o;

    o = *options;
    o.sources = 1;
    connector = leat_memory_source_module;
    connector.decider = &scripted_decider;
    o.connector = &connector;
    o.sink_module = &scripted_decider_sink;
    hand_plan_init(&plan, &o);
    spec = (struct leat_spec){.name = LEAT_LIT("test"),
                              .memory.bytes = 64 << 20,
                              .partitions = 4,
                              .batch = {.every.ms = 10, .max_records = 1000}};
    spec.batch.max_bytes.bytes = 1 << 20;
    spec.checkpoint.snapshot_every.ms = 60000;
    spec.delivery.index = LEAT_DELIVERY_EXACTLY_ONCE;
    plan.plan.spec = &spec;
    plan.plan.exactly_once = true;
    plan.sources[0].self = &source;
    plan.sources[0].decided = true;
    plan.sinks[1].in_decider = true; /* the lines */
    plan.sinks[0].module = &outside; /* the counts */
    plan.plan.decider = (struct leat_plan_decider){.kind = &scripted_decider, .self = &source};
    scripted_side_clear();
    shown[0] = prepared[0] = 0;
    prepared_n = 0;
    leat_memory_source_init(&source, &rows);
    snprintf(state_dir, sizeof state_dir, "%s/once%d", leat_test_dir(), state_number++);
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
    o.threads = 2;
    OK(leat_job_start(&plan.plan, &o, NULL, NULL, &job, &err));
    enum leat_status status = leat_job_join(job, &err);
    leat_job_free(job);
    return status;
}

static const struct leat_job_options caught_up = {.until_caught_up = true};

static void fail_at(enum scripted_call call, int at, enum leat_status status, bool done)
{
    scripted_side.fail[call].at = at;
    scripted_side.fail[call].status = status;
    scripted_side.fail[call].done = done;
}

/* ---- tests */

static void outputs_and_positions_are_committed_together(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("to be");
    add_line("or not");
    OK(run(caught_up));
    CU_ASSERT_STRING_EQUAL(scripted_side.text, "to be\nor not\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "to=1\n"));
    CU_ASSERT_EQUAL(scripted_side_position("memory"), 2);
    CU_ASSERT_EQUAL(scripted_side.parts[0].n, 1);
    CU_ASSERT_EQUAL(scripted_side.commits,
                    2); /* the marker before anything is logged, and batch 1 */
    add_line("again");
    OK(run(caught_up));
    CU_ASSERT_STRING_EQUAL(scripted_side.text, "to be\nor not\nagain\n");
    CU_ASSERT_EQUAL(scripted_side.parts[0].n, 2);
    leat_arena_reset(&rows);
}

/* The process "dies" in a commit: it may have been done or not. */
static void after_a_death_in_commit_nothing_is_lost_and_nothing_doubled(void)
{
    for (int done = 0; done < 2; done++) {
        make_plan(&(struct hand_options){.partitions = 4});
        add_line("one");
        OK(run(caught_up));
        add_line("two");
        fail_at(SCRIPTED_COMMIT, 1, LEAT_E_BROKEN, done);
        CU_ASSERT_EQUAL(run(caught_up), LEAT_E_BROKEN);
        CU_ASSERT_STRING_EQUAL(scripted_side.text, done ? "one\ntwo\n" : "one\n");
        add_line("three");
        OK(run(caught_up));
        CU_ASSERT_STRING_EQUAL(scripted_side.text, "one\ntwo\nthree\n");
        CU_ASSERT_PTR_NOT_NULL(strstr(shown, "one=1\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(shown, "two=1\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(shown, "three=1\n"));
        CU_ASSERT_EQUAL(strlen(shown), strlen("one=1\ntwo=1\nthree=1\n"));
        leat_arena_reset(&rows);
    }
}

/* Whatever call fails in whatever way that can heal. */
static void what_heals_is_done_again_and_nothing_doubles(void)
{
    static const struct {
        enum scripted_call call;
        enum leat_status status;
        bool done;
    } cases[] = {
        {SCRIPTED_OPEN, LEAT_E_UNREACHABLE, false},  {SCRIPTED_RECOVER, LEAT_E_UNREACHABLE, false},
        {SCRIPTED_BEGIN, LEAT_E_UNREACHABLE, false}, {SCRIPTED_BEGIN, LEAT_E_UNCLEAR, false},
        {SCRIPTED_WRITE, LEAT_E_UNREACHABLE, false}, {SCRIPTED_WRITE, LEAT_E_ABORTED, false},
        {SCRIPTED_WRITE, LEAT_E_UNCLEAR, false},     {SCRIPTED_PREPARE, LEAT_E_UNREACHABLE, false},
        {SCRIPTED_PREPARE, LEAT_E_ABORTED, false},   {SCRIPTED_PREPARE, LEAT_E_UNCLEAR, false},
        {SCRIPTED_COMMIT, LEAT_E_ABORTED, false},    {SCRIPTED_COMMIT, LEAT_E_UNCLEAR, false},
        {SCRIPTED_COMMIT, LEAT_E_UNCLEAR, true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int at = 1; at <= 2; at++) {
            make_plan(&(struct hand_options){.partitions = 4});
            add_line("one");
            fail_at(cases[i].call, at, cases[i].status, cases[i].done);
            OK(run(caught_up));
            add_line("two");
            fail_at(cases[i].call, 1, cases[i].status, cases[i].done);
            OK(run(caught_up));
            CU_ASSERT_STRING_EQUAL(scripted_side.text, "one\ntwo\n");
            CU_ASSERT_STRING_EQUAL(shown, "one=1\ntwo=1\n");
            leat_arena_reset(&rows);
        }
}

static void an_abort_that_fails_is_cleared_up_by_asking(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    fail_at(SCRIPTED_PREPARE, 2, LEAT_E_ABORTED, false);
    fail_at(SCRIPTED_ABORT, 1, LEAT_E_UNCLEAR, false);
    OK(run(caught_up));
    CU_ASSERT_STRING_EQUAL(scripted_side.text, "one\n");
    CU_ASSERT_EQUAL(scripted_side.generation, 2);
    leat_arena_reset(&rows);
}

static void who_is_fenced_ends_and_says_so(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    OK(run(caught_up));
    add_line("two");
    fail_at(SCRIPTED_COMMIT, 1, LEAT_E_FENCED, false);
    CU_ASSERT_EQUAL(run(caught_up), LEAT_E_FENCED);
    const char *fenced = strstr(err.text, "fenced by a newer instance");
    CU_ASSERT_PTR_NOT_NULL_FATAL(fenced);
    CU_ASSERT_PTR_NULL(strstr(fenced + 1, "fenced")); /* said once */
    CU_ASSERT_EQUAL(leat_status_exit_code(err.status), 75);
    CU_ASSERT_STRING_EQUAL(scripted_side.text, "one\n");
    OK(run(caught_up));
    CU_ASSERT_STRING_EQUAL(scripted_side.text, "one\ntwo\n");
    leat_arena_reset(&rows);
}

static void a_batch_of_that_number_with_other_positions_is_a_successors(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    scripted_side.elsewhere = 5;
    fail_at(SCRIPTED_COMMIT, 2, LEAT_E_UNCLEAR, true); /* the first is the marker's */
    CU_ASSERT_EQUAL(run(caught_up), LEAT_E_FENCED);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "another instance"));
    leat_arena_reset(&rows);
}

static void a_log_that_is_gone_is_refused_until_that_is_accepted(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    OK(run(caught_up));
    snprintf(state_dir, sizeof state_dir, "%s/once%d", leat_test_dir(), state_number++);
    for (int again = 0; again < 2; again++) {
        CU_ASSERT_EQUAL(run(caught_up), LEAT_E_LOST);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "are gone"));
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "up to 1 with batch 1"));
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--accept-offsets"));
    }
    OK(run((struct leat_job_options){.until_caught_up = true, .accept_offsets = true}));
    OK(run(caught_up)); /* and now both fit */
    leat_arena_reset(&rows);
}

static void a_position_that_was_moved_by_hand_is_refused(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    OK(run(caught_up));
    scripted_side_move("memory", 7, LEAT_DECIDED_FOREIGN);
    CU_ASSERT_EQUAL(run(caught_up), LEAT_E_LOST);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "'memory', 7, was set by somebody else"));
    leat_arena_reset(&rows);
}

static void a_marker_that_was_forgotten_after_a_clean_stop_is_set_again(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    OK(run(caught_up));
    scripted_side.parts_count = 0;
    add_line("two");
    OK(run(caught_up));
    CU_ASSERT_STRING_EQUAL(scripted_side.text, "one\ntwo\n");
    CU_ASSERT_EQUAL(scripted_side.parts[0].n, 2);
    leat_arena_reset(&rows);
}

/* Ten minutes pass each time somebody looks; at hold_ms it waits for as many commits. */
static atomic_llong passed_ms, hold_ms;
static unsigned long long hold_commits;

static int64_t fast_ms(const struct leat_clock *c)
{
    (void)c;
    if (passed_ms < hold_ms || scripted_side.commits >= hold_commits)
        passed_ms += 600000;
    return passed_ms;
}

static int64_t fast_day_ms(const struct leat_clock *c)
{
    (void)c;
    return passed_ms;
}

static void the_marker_of_an_idle_job_is_set_again_each_day(void)
{
    static const struct leat_clock fast = {.now_ms = fast_day_ms, .monotonic_ms = fast_ms};

    make_plan(&(struct hand_options){.partitions = 4});
    scripted_side.patience_ms = INT64_C(1) << 50;
    add_line("one");
    OK(run(caught_up));
    passed_ms = leat_clock_now_ms(NULL);
    hold_commits = 3;
    hold_ms = passed_ms + 50 * 3600000; /* 20 hours and 25 of the second run are behind it */
    CU_ASSERT_EQUAL(scripted_side.commits, 2);
    OK(run((struct leat_job_options){.until_ms = 20 * 3600000, .clock = &fast}));
    CU_ASSERT_EQUAL(scripted_side.commits, 2);
    OK(run((struct leat_job_options){.until_ms = 60 * 3600000, .clock = &fast}));
    CU_ASSERT(scripted_side.commits >= 3);
    CU_ASSERT_EQUAL(scripted_side.parts[0].n, 1);
    CU_ASSERT_EQUAL(scripted_side.parts[0].next, 1);
    OK(run(caught_up));
    CU_ASSERT_STRING_EQUAL(scripted_side.text, "one\n");
    leat_arena_reset(&rows);
}

static void a_call_that_never_comes_back_ends_the_process(void)
{
    int status;

    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    scripted_side.patience_ms = 1;
    scripted_side.hangs = true;
    pid_t child = fork();
    if (child == 0) {
        (void)!run(caught_up);
        _exit(1);
    }
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT(WIFEXITED(status));
    CU_ASSERT_EQUAL(WEXITSTATUS(status), 75);
    scripted_side.hangs = false;
    scripted_side.patience_ms = 0;
    OK(run(caught_up));
    CU_ASSERT_STRING_EQUAL(scripted_side.text, "one\n");
    leat_arena_reset(&rows);
}

static void a_marker_that_was_forgotten_after_a_death_is_refused(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    OK(run(caught_up));
    add_line("two");
    fail_at(SCRIPTED_COMMIT, 1, LEAT_E_BROKEN, true);
    CU_ASSERT_EQUAL(run(caught_up), LEAT_E_BROKEN);
    scripted_side.parts_count = 0;
    CU_ASSERT_EQUAL(run(caught_up), LEAT_E_LOST);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "nobody can tell whether batch 2 was committed"));
    leat_arena_reset(&rows);
}

static void a_transaction_that_may_be_open_keeps_others_from_going_on_without_it(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    fail_at(SCRIPTED_COMMIT, 2, LEAT_E_BROKEN, true);
    CU_ASSERT_EQUAL(run(caught_up), LEAT_E_BROKEN);
    struct leat_plan_decider decider = plan.plan.decider;
    plan.plan.decider = (struct leat_plan_decider){0};
    plan.plan.exactly_once = plan.sources[0].decided = plan.sinks[1].in_decider = false;
    plan.sinks[1].module = &outside;
    CU_ASSERT_EQUAL(run(caught_up), LEAT_E_LOST);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "batch 1"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "was begun with a transaction"));
    plan.plan.decider = decider;
    plan.plan.exactly_once = plan.sources[0].decided = plan.sinks[1].in_decider = true;
    plan.sinks[1].module = &scripted_decider_sink;
    OK(run(caught_up));
    CU_ASSERT_STRING_EQUAL(scripted_side.text, "one\n");
    leat_arena_reset(&rows);
}

static void batches_that_share_a_commit_are_one_transaction(void)
{
    make_plan(&(struct hand_options){.partitions = 4, .on_empty = true});
    spec.commit.every.ms = 3600000;
    add_line("one");
    OK(run((struct leat_job_options){.until_batches = 5}));
    CU_ASSERT_EQUAL(scripted_side.commits, 2);
    CU_ASSERT_EQUAL(scripted_side.parts[0].n, 1);
    CU_ASSERT_STRING_EQUAL(scripted_side.text, "one\n");
    leat_arena_reset(&rows);
}

static void what_windows_hold_survives_a_stop(void)
{
    make_plan(&(struct hand_options){.partitions = 4, .event_time = true, .window_ms = 1000});
    spec.batch.trigger.index = LEAT_TRIGGER_ONCE;
    add_line("100 a b");
    OK(run((struct leat_job_options){0}));
    CU_ASSERT_STRING_EQUAL(shown, "");
    add_line("200 a");
    OK(run((struct leat_job_options){0}));
    CU_ASSERT_STRING_EQUAL(shown, "");
    add_line("1500 c");
    OK(run(caught_up));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "a=2\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "b=1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(shown, "c=1\n"));
    leat_arena_reset(&rows);
}

static void what_is_late_stays_late_behind_a_restart(void)
{
    make_plan(&(struct hand_options){.partitions = 4, .event_time = true, .window_ms = 1000});
    spec.batch.trigger.index = LEAT_TRIGGER_ONCE;
    add_line("100 a");
    add_line("5000 b");
    OK(run((struct leat_job_options){0}));
    CU_ASSERT_STRING_EQUAL(shown, "a=1\n");
    add_line("200 a");
    OK(run((struct leat_job_options){0}));
    CU_ASSERT_STRING_EQUAL(shown, "a=1\n");
    leat_arena_reset(&rows);
}

/* A batch that did not count left nothing in the state either. */
static void state_goes_back_with_the_batch_that_did_not_count(void)
{
    for (int done = 0; done < 2; done++) {
        make_plan(&(struct hand_options){.partitions = 4, .event_time = true, .window_ms = 1000});
        spec.batch.trigger.index = LEAT_TRIGGER_ONCE;
        add_line("100 a");
        OK(run((struct leat_job_options){0}));
        add_line("200 a");
        fail_at(SCRIPTED_COMMIT, 1, LEAT_E_BROKEN, done);
        CU_ASSERT_EQUAL(run((struct leat_job_options){0}), LEAT_E_BROKEN);
        OK(run(caught_up));
        CU_ASSERT_STRING_EQUAL(shown, "a=2\n");
        leat_arena_reset(&rows);
    }
}

static void a_changed_operator_is_refused_and_a_renamed_one_begins_anew_when_told_so(void)
{
    struct hand_options o = {.partitions = 4, .event_time = true, .window_ms = 1000};
    static struct hand_plan changed;

    make_plan(&o);
    spec.batch.trigger.index = LEAT_TRIGGER_ONCE;
    add_line("100 a");
    OK(run((struct leat_job_options){0}));
    plan.options.window_ms = 2000;
    CU_ASSERT_EQUAL(run((struct leat_job_options){0}), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "the state of 'counts.count.0'"));
    plan.counting[0].state_name = LEAT_LIT("other.count.0");
    CU_ASSERT_EQUAL(run((struct leat_job_options){0}), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--drop-state"));
    add_line("200 a");
    OK(run((struct leat_job_options){.drop_state = true}));
    plan.counting[0].state_name = LEAT_LIT("counts.count.0"); /* what it had is gone for good */
    plan.options.window_ms = 1000;
    OK(run((struct leat_job_options){.until_caught_up = true, .drop_state = true}));
    CU_ASSERT_STRING_EQUAL(shown, "");
    (void)changed;
    leat_arena_reset(&rows);
}

static void another_number_of_partitions_is_refused(void)
{
    make_plan(&(struct hand_options){.partitions = 4});
    add_line("one");
    OK(run(caught_up));
    plan.plan.partitions = plan.exchange.partitions = 8;
    CU_ASSERT_EQUAL(run(caught_up), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "split into 4 partitions, the file says 8"));
    leat_arena_reset(&rows);
}

LEAT_TESTS("exactly_once", T(outputs_and_positions_are_committed_together),
           T(after_a_death_in_commit_nothing_is_lost_and_nothing_doubled),
           T(what_heals_is_done_again_and_nothing_doubles),
           T(an_abort_that_fails_is_cleared_up_by_asking), T(who_is_fenced_ends_and_says_so),
           T(a_batch_of_that_number_with_other_positions_is_a_successors),
           T(a_log_that_is_gone_is_refused_until_that_is_accepted),
           T(a_position_that_was_moved_by_hand_is_refused),
           T(a_marker_that_was_forgotten_after_a_clean_stop_is_set_again),
           T(a_marker_that_was_forgotten_after_a_death_is_refused),
           T(the_marker_of_an_idle_job_is_set_again_each_day),
           T(a_call_that_never_comes_back_ends_the_process),
           T(a_transaction_that_may_be_open_keeps_others_from_going_on_without_it),
           T(batches_that_share_a_commit_are_one_transaction), T(what_windows_hold_survives_a_stop),
           T(what_is_late_stays_late_behind_a_restart),
           T(state_goes_back_with_the_batch_that_did_not_count),
           T(a_changed_operator_is_refused_and_a_renamed_one_begins_anew_when_told_so),
           T(another_number_of_partitions_is_refused))
