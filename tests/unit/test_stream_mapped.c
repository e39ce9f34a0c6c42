/*
 * Tests engine/stream: a function with each element and the state of its key.
 */
#include "stream_rig.h"

#include "stream.h"

static struct leat_error err;

/* ---- functions of a program */

static struct leat_value running_sum(struct leat_call *call, struct leat_value key,
                                     const struct leat_value *value, struct leat_key_state *state,
                                     void *arg)
{
    struct leat_value sum;

    (void)call, (void)key, (void)arg;
    if (!value)
        return (struct leat_value){0};
    sum =
        leat_int(value->as.i + (leat_key_state_exists(state) ? leat_key_state_get(state).as.i : 0));
    leat_key_state_update(state, sum);
    CU_ASSERT_EQUAL(leat_key_state_get(state).as.i, sum.as.i);
    return sum;
}

/* Says the key of every second element, whose state it removes. */
static struct leat_value every_second(struct leat_call *call, struct leat_value key,
                                      const struct leat_value *value, struct leat_key_state *state,
                                      void *arg)
{
    (void)call, (void)arg;
    if (!leat_key_state_exists(state)) {
        leat_key_state_update(state, *value);
        return (struct leat_value){0};
    }
    leat_key_state_remove(state);
    CU_ASSERT_FALSE(leat_key_state_exists(state));
    CU_ASSERT_EQUAL(leat_key_state_get(state).tag, LEAT_NULL);
    return key;
}

static struct leat_value says_what_is_over(struct leat_call *call, struct leat_value key,
                                           const struct leat_value *value,
                                           struct leat_key_state *state, void *arg)
{
    (void)call, (void)arg;
    CU_ASSERT_EQUAL(leat_key_state_is_timing_out(state), !value);
    CU_ASSERT(leat_call_time_ms(call) > 0);
    if (value)
        leat_key_state_update(state, *value);
    return value ? (struct leat_value){0} : key;
}

/* `arg` says what is done wrong. */
static struct leat_value misuses(struct leat_call *call, struct leat_value key,
                                 const struct leat_value *value, struct leat_key_state *state,
                                 void *arg)
{
    const char *what = arg;

    (void)key;
    if (strcmp(what, "fails") == 0)
        return leat_call_fail(call, "cannot");
    if (strcmp(what, "null") == 0) {
        leat_key_state_update(state, (struct leat_value){0});
        return leat_int(1);
    }
    if (strcmp(what, "over") == 0 && !value)
        leat_key_state_update(state, leat_int(1));
    if (strcmp(what, "over") == 0 && value)
        leat_key_state_update(state, leat_int(1));
    if (strcmp(what, "twice") == 0) {
        leat_key_state_remove(state);
        leat_key_state_remove(state);
    }
    return leat_int(1);
}

static struct leat_stream *mapped(struct leat_stream *s, leat_mapping_function *fn)
{
    return leat_map_with_state(s, &(struct leat_state_spec){.fn = fn});
}

static void push_keys(struct leat_stream *s, const char *keys)
{
    struct leat_pair pairs[16];
    size_t n = strlen(keys);

    for (size_t i = 0; i < n; i++)
        pairs[i] = (struct leat_pair){leat_string((struct leat_slice){keys + i, 1}), leat_int(1)};
    OK(leat_queue_push_pairs(s, pairs, n, &err));
}

/* ---- what it does */

static void each_element_sees_what_the_one_before_left(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);

    push_keys(queue, "aab");
    push_keys(queue, "ab");
    push_keys(queue, "c");
    COMES_OUT(ctx, mapped(queue, running_sum), "1 1 2|2 3|1");
}

static void null_says_nothing_and_what_is_removed_begins_anew(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);

    push_keys(queue, "ab");
    push_keys(queue, "ac");
    push_keys(queue, "abc");
    COMES_OUT(ctx, mapped(queue, every_second), "a|b c");
}

static void states_begin_with_what_is_given(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);
    const struct leat_pair initial[] = {{leat_string(LEAT_LIT("a")), leat_int(10)},
                                        {leat_string(LEAT_LIT("z")), leat_int(20)}};

    push_keys(queue, "ab");
    push_keys(queue, "az");
    COMES_OUT(ctx,
              leat_map_with_state(queue, &(struct leat_state_spec){.fn = running_sum,
                                                                   .initial = initial,
                                                                   .initial_count = 2}),
              "1 11|12 21");
}

/* All states, as each batch leaves them; batches at the end have the same again. */
static void snapshots_have_all_keys_behind_every_batch(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true),
                       *sums = mapped(queue, running_sum), *states = leat_state_snapshots(sums);
    struct seen results, all;

    seen_init(&results);
    seen_init(&all);
    push_keys(queue, "aab");
    push_keys(queue, "c");
    leat_foreach_rdd(sums, see, &results);
    leat_foreach_rdd(leat_state_snapshots(sums), see, &all);
    leat_print(leat_filter(states, is_even, NULL), 0);
    OK(leat_start(ctx, &err));
    wait_for_batches(&all, 2);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(results.text, "1 1 2|1");
    CU_ASSERT_EQUAL(memcmp(all.text, "a=2 b=1|a=2 b=1 c=1", 19), 0);
    leat_context_free(ctx);
}

static void a_key_without_elements_is_told_and_gone(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);
    struct seen seen;

    seen_init(&seen);
    push_keys(queue, "ab");
    leat_foreach_rdd(leat_map_with_state(queue, &(struct leat_state_spec){.fn = says_what_is_over,
                                                                          .timeout_ms = 60}),
                     see, &seen);
    OK(leat_start(ctx, &err));
    wait_for_batches(&seen, 1);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(seen.text, "a b");
    leat_context_free(ctx);
}

/* What came before the stop is in the checkpoint, also what the states began with. */
static const char *a_life(const char *dir, const char *first, const char *second, struct seen *seen)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);
    const struct leat_pair initial[] = {{leat_string(LEAT_LIT("a")), leat_int(10)},
                                        {leat_string(LEAT_LIT("z")), leat_int(20)}};

    ctx->queues_last = true;
    leat_checkpoint(ctx, dir);
    push_keys(queue, first);
    if (second)
        push_keys(queue, second);
    return run(ctx,
               leat_named(leat_map_with_state(queue, &(struct leat_state_spec){.fn = running_sum,
                                                                               .initial = initial,
                                                                               .initial_count = 2}),
                          "sums"),
               seen);
}

static void a_second_life_goes_on_with_the_states(void)
{
    char dir[96];
    struct seen seen;

    snprintf(dir, sizeof dir, "%s/life", leat_test_dir());
    CU_ASSERT_STRING_EQUAL(a_life(dir, "ab", NULL, &seen), "1 11");
    CU_ASSERT_STRING_EQUAL(a_life(dir, "ab", "abz", &seen), "12 2 21");
}

/* ---- mistakes */

static void is_misuse(const char *what, const char *before, const char *text)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);

    push_keys(queue, "a");
    ends_with(ctx,
              leat_map_with_state(queue, &(struct leat_state_spec){.fn = misuses,
                                                                   .arg = (void *)(uintptr_t)what,
                                                                   .timeout_ms = 20}),
              before, text);
}

static void a_state_that_is_misused_fails_the_batch(void)
{
    is_misuse("fails", "", "leat_map_with_state: cannot");
    is_misuse("null", "", "leat_key_state_update: null is no state");
    is_misuse("twice", "", "leat_key_state_remove: the state was removed");
    is_misuse("over", "1", "leat_key_state_update: the state is timing out");
}

static void what_makes_no_sense_is_refused(void)
{
    struct leat_context *ctx = new_context();

    CU_ASSERT_PTR_NULL(mapped(NULL, running_sum));
    CU_ASSERT_PTR_NULL(leat_state_snapshots(NULL));
    CU_ASSERT_FALSE(leat_key_state_exists(NULL));
    CU_ASSERT_FALSE(leat_key_state_is_timing_out(NULL));
    CU_ASSERT_EQUAL(leat_key_state_get(NULL).tag, LEAT_NULL);
    leat_key_state_update(NULL, leat_int(1));
    leat_key_state_remove(NULL);
    leat_print(leat_map_with_state(leat_queue_pair_stream(ctx, true), NULL), 1);
    is_refused(ctx, "without a specification");
    ctx = new_context();
    leat_print(mapped(leat_queue_pair_stream(ctx, true), NULL), 1);
    is_refused(ctx, "without a function");
    ctx = new_context();
    leat_print(mapped(leat_queue_stream(ctx, true), running_sum), 1);
    is_refused(ctx, "'map_with_state' needs a stream with a key");
    ctx = new_context();
    leat_print(leat_state_snapshots(leat_queue_pair_stream(ctx, true)), 1);
    is_refused(ctx, "the stream is none of leat_map_with_state()");
    ctx = new_context();
    leat_print(leat_map_with_state(leat_queue_pair_stream(ctx, true),
                                   &(struct leat_state_spec){.fn = running_sum, .timeout_ms = -1}),
               1);
    is_refused(ctx, "a timeout is no less than 0");
    const struct leat_pair null_state = {.key = leat_int(1)};
    ctx = new_context();
    leat_print(leat_map_with_state(leat_queue_pair_stream(ctx, true),
                                   &(struct leat_state_spec){.fn = running_sum,
                                                             .initial = &null_state,
                                                             .initial_count = 1}),
               1);
    is_refused(ctx, "null is no state to begin with");
}

static void lack_of_memory_is_an_error(void)
{
    const struct leat_pair initial = {leat_string(LEAT_LIT("a")), leat_int(10)};

    begin_own_tmp();
    LEAT_OOM_SWEEP {
        struct leat_context *ctx = leat_context_new("test", 20);
        struct leat_stream *queue = leat_queue_pair_stream(ctx, true);
        const struct leat_pair one = {leat_string(LEAT_LIT("a")), leat_int(1)};
        struct seen seen;

        seen_init(&seen);
        struct leat_stream *sums = leat_map_with_state(
            queue,
            &(struct leat_state_spec){.fn = running_sum, .initial = &initial, .initial_count = 1});
        leat_foreach_rdd(sums, see, &seen);
        leat_print(leat_filter(leat_state_snapshots(sums), is_even, NULL), 0);
        enum leat_status status =
            ctx && queue ? leat_queue_push_pairs(queue, &one, 1, &err) : LEAT_OK;
        if (runs_with_all_memory(ctx, status))
            CU_ASSERT_STRING_EQUAL(seen.text, "11");
        leat_context_free(ctx);
    }
    end_own_tmp();
}

LEAT_TESTS("stream_mapped", T(each_element_sees_what_the_one_before_left),
           T(null_says_nothing_and_what_is_removed_begins_anew), T(states_begin_with_what_is_given),
           T(snapshots_have_all_keys_behind_every_batch),
           T(a_key_without_elements_is_told_and_gone), T(a_second_life_goes_on_with_the_states),
           T(a_state_that_is_misused_fails_the_batch), T(what_makes_no_sense_is_refused),
           T(lack_of_memory_is_an_error))
