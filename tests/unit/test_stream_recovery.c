/*
 * Tests engine/stream: what a context finds again that goes on from a directory, and what it does
 * not, as Spark's own tests of checkpoints tell it. Killed processes are in tests/cli and
 * tests/e2e.
 */
#include "stream.h"
#include "stream_rig.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define EVERY_MS 20

static struct leat_error err;

/* A program that counts by key what its receiver stores. */
struct program {
    char dir[300];
    struct leat_context *ctx;
    _Atomic(struct leat_receiver *) receiver;
    struct seen seen;
    int64_t base; /* of states that begin in this life */
};

static enum leat_status begin(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    (void)e;
    atomic_store(&((struct program *)arg)->receiver, r);
    return LEAT_OK;
}

static void no_stop(struct leat_receiver *r, void *arg)
{
    (void)r, (void)arg;
}

static struct leat_stream *words_of(struct program *p)
{
    const struct leat_receiver_functions f = {.on_start = begin, .on_stop = no_stop};

    return leat_named(leat_receiver_pair_stream(p->ctx, &f, p), "words");
}

static void fresh(struct program *p, const char *name)
{
    memset(p, 0, sizeof *p);
    snprintf(p->dir, sizeof p->dir, "%.200s/%s", leat_test_dir(), name);
}

static void new_life(struct program *p)
{
    p->ctx = leat_context_new("test", EVERY_MS);
    atomic_store(&p->receiver, NULL);
    seen_init(&p->seen);
    leat_checkpoint(p->ctx, p->dir);
}

static void start(struct program *p, struct leat_stream *s)
{
    leat_foreach_rdd(s, see, &p->seen);
    OK(leat_start(p->ctx, &err));
    while (!atomic_load(&p->receiver))
        sched_yield();
}

static void store(struct program *p, const char *key)
{
    const struct leat_pair pair = {leat_string(leat_slice_str(key)), leat_int(1)};

    OK(leat_receiver_store_pair(atomic_load(&p->receiver), pair, NULL, &err));
}

/* These words come out, now or later. The text has room for some hundred batches. */
static void wait_for(struct program *p, const char *words)
{
    pthread_mutex_lock(&p->seen.lock);
    while (!strstr(p->seen.text, words)) {
        if (strlen(p->seen.text) > sizeof p->seen.text / 2)
            p->seen.text[0] = '\0';
        pthread_cond_wait(&p->seen.changed, &p->seen.lock);
    }
    pthread_mutex_unlock(&p->seen.lock);
}

static void end(struct program *p)
{
    OK(leat_stop(p->ctx, false, &err));
    leat_context_free(p->ctx);
}

static struct leat_stream *totals_of(struct program *p)
{
    return leat_named(leat_update_state_by_key(words_of(p), how_many, NULL), "totals");
}

/* ---- what is found again */

static int64_t jump_ms; /* how much a clock is ahead */

static int64_t now(const struct leat_clock *c)
{
    struct timespec t;

    (void)c;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + jump_ms;
}

static int64_t monotonic(const struct leat_clock *c)
{
    struct timespec t;

    (void)c;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int count_files(const char *dir, const char *pattern)
{
    char command[500];
    int count = -1;

    snprintf(command, sizeof command, "find %s -name '%s' | wc -l", dir, pattern);
    FILE *p = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(p);
    CU_ASSERT_EQUAL(fscanf(p, "%d", &count), 1);
    pclose(p);
    return count;
}

static void state_is_there_behind_restarts_before_anything_comes_also_when_the_clock_jumped(void)
{
    const struct leat_clock ahead = {.now_ms = now, .monotonic_ms = monotonic};
    struct program p;

    fresh(&p, "jump");
    for (int life = 0; life < 3; life++) {
        const char *before[] = {"a=1", "a=3", "a=5"}, *after[] = {"a=2", "a=4", "a=6"};
        new_life(&p);
        jump_ms = life == 2 ? 7 * EVERY_MS : 0;
        p.ctx->clock = &ahead;
        start(&p, totals_of(&p));
        if (life) /* of the last life, in a batch to which nothing came */
            wait_for(&p, after[life - 1]);
        store(&p, "a");
        wait_for(&p, before[life]);
        store(&p, "a");
        wait_for(&p, after[life]);
        end(&p);
        CU_ASSERT(count_files(p.dir, "*.leatlog") >= 1);
    }
}

/* The last of the values, on top of where the state began: with the life that it began in. */
static struct leat_value last_above_base(struct leat_call *call, struct leat_value key,
                                         struct leat_value values, struct leat_value state,
                                         void *arg)
{
    int64_t base = state.tag == LEAT_INT ? state.as.i / 1000 * 1000 : ((struct program *)arg)->base;

    (void)call, (void)key;
    return values.len ? leat_int(base + values.as.items[values.len - 1].as.i) : state;
}

static void of_two_states_one_behind_the_other_both_go_on(void)
{
    struct program p;

    fresh(&p, "chained");
    for (int life = 1; life <= 3; life++) {
        const char *out[] = {"", "a=1001", "a=1002", "a=1003"};
        new_life(&p);
        p.base = 1000 * life;
        start(&p, leat_named(leat_update_state_by_key(totals_of(&p), last_above_base, &p), "last"));
        store(&p, "a");
        wait_for(&p, out[life]);
        if (life == 2) {
            store(&p, "b");
            wait_for(&p, "b=2001");
        }
        end(&p);
    }
}

/* Outputs of a program whose third batch is not over for long, and then fails. */
struct output {
    atomic_int rows, last;
    int first;
    atomic_bool go;
    bool blocks;
    _Atomic int64_t safe;
    _Atomic(struct leat_receiver *) receiver;
};

static enum leat_status begin_numbers(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    (void)e;
    atomic_store(&((struct output *)arg)->receiver, r);
    return LEAT_OK;
}

static void is_safe(struct leat_receiver *r, int64_t upto, void *arg)
{
    (void)r;
    atomic_store(&((struct output *)arg)->safe, upto);
}

static enum leat_status put_out(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct output *o = arg;

    for (size_t i = 0; i < rdd->count; i++) {
        int number = (int)rdd->rows[i].value.as.i;
        o->first = o->first ? o->first : number;
        CU_ASSERT(atomic_load(&o->last) == 0 || number == atomic_load(&o->last) + 1);
        atomic_store(&o->last, number);
        atomic_fetch_add(&o->rows, 1);
    }
    if (!o->blocks || atomic_load(&o->last) < 3)
        return LEAT_OK;
    while (!atomic_load(&o->go))
        sched_yield();
    return leat_fail(e, LEAT_E_DATA, "the third is too much");
}

static struct leat_context *numbers_of(const char *dir, struct output *o)
{
    const struct leat_receiver_functions f = {
        .on_start = begin_numbers, .on_stop = no_stop, .on_safe = is_safe, .store = "disk"};
    struct leat_context *ctx = leat_context_new("test", EVERY_MS);

    leat_checkpoint(ctx, dir);
    leat_foreach_rdd(leat_named(leat_receiver_stream(ctx, &f, o), "numbers"), put_out, o);
    OK(leat_start(ctx, &err));
    while (!atomic_load(&o->receiver))
        sched_yield();
    return ctx;
}

static void what_was_stored_is_kept_until_its_batch_is_over_however_much_comes_behind_it(void)
{
    struct output o = {.blocks = true}, later = {.rows = 0};
    struct program p;

    fresh(&p, "kept");
    struct leat_context *ctx = numbers_of(p.dir, &o);
    for (int i = 1; i <= 13; i++) {
        OK(leat_receiver_store(atomic_load(&o.receiver), leat_int(i), NULL, &err));
        while (i <= 3 && atomic_load(&o.last) < i)
            sched_yield();
    }
    while (atomic_load(&o.safe) < 13) /* on the disk, and in no batch */
        sched_yield();
    atomic_store(&o.go, true);
    CU_ASSERT_EQUAL(leat_await_termination(ctx, &err), LEAT_E_DATA);
    leat_context_free(ctx);
    CU_ASSERT_EQUAL(atomic_load(&o.rows), 3);

    ctx = numbers_of(p.dir, &later);
    while (atomic_load(&later.last) < 13)
        sched_yield();
    OK(leat_stop(ctx, true, &err));
    leat_context_free(ctx);
    CU_ASSERT(later.first <= 3); /* the second may not have been committed when the third failed */
    CU_ASSERT_EQUAL(atomic_load(&later.rows), 13 - later.first + 1);
}

/* ---- what is not */

static struct leat_value fails_for_x(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    if (leat_value_text(in->key).ptr[0] == 'x')
        return leat_call_fail(call, "this is an x");
    return in->value;
}

static void settings_are_those_of_the_program_that_runs_and_not_of_the_one_before(void)
{
    struct program p;

    fresh(&p, "settings");
    for (int life = 0; life < 2; life++) {
        new_life(&p);
        if (life == 0)
            leat_set(p.ctx, "on_error", "drop");
        struct leat_stream *s = leat_map_values(words_of(&p), fails_for_x, NULL);
        start(&p, leat_named(leat_update_state_by_key(s, how_many, NULL), "totals"));
        store(&p, "x");
        if (life == 0) {
            store(&p, "a");
            wait_for(&p, "a=1");
            end(&p);
            continue;
        }
        CU_ASSERT_NOT_EQUAL(leat_await_termination(p.ctx, &err), LEAT_OK);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "this is an x"));
        leat_context_free(p.ctx);
    }
}

static struct leat_context *make(void *arg)
{
    struct program *p = arg;

    p->ctx = leat_context_new("test", EVERY_MS);
    atomic_store(&p->receiver, NULL);
    seen_init(&p->seen);
    leat_foreach_rdd(totals_of(p), see, &p->seen);
    return p->ctx;
}

static void get_or_create(struct program *p, bool goes_on_wanted)
{
    struct leat_context *ctx;
    bool goes_on = !goes_on_wanted;

    OK(leat_context_get_or_create(p->dir, make, p, &ctx, &goes_on, &err));
    CU_ASSERT_PTR_EQUAL(ctx, p->ctx);
    CU_ASSERT_EQUAL(goes_on, goes_on_wanted);
    OK(leat_start(ctx, &err));
}

static void wait_for_receiver(struct program *p)
{
    while (!atomic_load(&p->receiver))
        sched_yield();
}

/* Every file of it: the first bytes are others. */
static void damage(const char *dir)
{
    char command[500];

    snprintf(command, sizeof command,
             "find %s -name '*.leatlog' -exec sh -c 'printf garbage | dd of=\"$1\" conv=notrunc "
             "status=none' - {} ';'",
             dir);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
}

static void what_is_damaged_is_refused_until_the_program_takes_it_away(void)
{
    struct program p;

    fresh(&p, "damaged");
    get_or_create(&p, false);
    wait_for_receiver(&p);
    store(&p, "a");
    wait_for(&p, "a=1");
    end(&p);
    damage(p.dir);
    for (int again = 0; again < 2; again++) { /* nothing was begun anew meanwhile */
        get_or_create(&p, true);
        CU_ASSERT_EQUAL(leat_await_termination(p.ctx, &err), LEAT_E_CORRUPT);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, p.dir));
        CU_ASSERT_STRING_EQUAL(p.seen.text, "");
        leat_context_free(p.ctx);
    }
    leat_fs_remove_tree(&leat_fs_posix, p.dir);
    get_or_create(&p, false);
    wait_for_receiver(&p);
    store(&p, "a");
    wait_for(&p, "a=1");
    end(&p);
    get_or_create(&p, true);
    wait_for_receiver(&p);
    store(&p, "a");
    wait_for(&p, "a=2");
    end(&p);
}

static void a_context_that_is_not_started_leaves_no_trace_in_the_file_system(void)
{
    struct leat_context *ctx;
    struct program p;
    bool goes_on = true;

    fresh(&p, "not/started");
    OK(leat_context_get_or_create(p.dir, make, &p, &ctx, &goes_on, &err));
    CU_ASSERT_FALSE(goes_on);
    OK(leat_stop(ctx, true, &err));
    leat_context_free(ctx);
    CU_ASSERT_EQUAL(count_files(leat_test_dir(), "not"), 0);
}

LEAT_TESTS("stream_recovery",
           T(state_is_there_behind_restarts_before_anything_comes_also_when_the_clock_jumped),
           T(of_two_states_one_behind_the_other_both_go_on),
           T(what_was_stored_is_kept_until_its_batch_is_over_however_much_comes_behind_it),
           T(settings_are_those_of_the_program_that_runs_and_not_of_the_one_before),
           T(what_is_damaged_is_refused_until_the_program_takes_it_away),
           T(a_context_that_is_not_started_leaves_no_trace_in_the_file_system))
