/*
 * Tests engine/stream/event_time.c: inputs with times of their own, and joins of what is near.
 * Also under thread sanitizer.
 */
#include "stream_rig.h"

#include <unistd.h>

static struct leat_error err;

/* Values are their own times, in milliseconds. */
static struct leat_value its_time(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_int(in->value.as.i);
}

static struct leat_value no_time(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    return in->value.as.i == 3 ? leat_call_text(call, "3 o'clock", 9) : leat_int(in->value.as.i);
}

static struct leat_value thirteen(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    return in->value.as.i == 13 ? leat_call_fail(call, "13 has no time") : leat_int(in->value.as.i);
}

static struct leat_pair same_key(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return (struct leat_pair){leat_int(0), in->value};
}

/* One push of pairs: "a100 b-20", keys of a letter. */
static struct leat_stream *pairs_at(struct leat_context *ctx, const char *text)
{
    struct leat_stream *s = leat_queue_pair_stream(ctx, true);
    struct leat_pair pairs[16];
    size_t n = 0;

    for (const char *at = text; at; at = strchr(at, ' ') ? strchr(at, ' ') + 1 : NULL)
        pairs[n++] = (struct leat_pair){leat_string((struct leat_slice){at, 1}),
                                        leat_int(strtoll(at + 1, NULL, 10))};
    OK(leat_queue_push_pairs(s, pairs, n, &err));
    return leat_event_time(s, its_time, NULL, 100000, 0);
}

static void pairs_meet_whose_times_are_near(void)
{
    struct leat_context *ctx = new_context();

    COMES_OUT(ctx,
              leat_join_within(pairs_at(ctx, "a1000 a2000 b1000"),
                               pairs_at(ctx, "a1500 a2501 c1000 b500 b499"), 500),
              "a=[1000,1500] a=[2000,1500] b=[1000,500]");
}

static void times_before_1970_are_times(void)
{
    struct leat_context *ctx = new_context();

    COMES_OUT(ctx,
              leat_join_within(pairs_at(ctx, "a-1 b-1500"), pairs_at(ctx, "a1 b-1001 b2"), 500),
              "a=[-1,1] b=[-1500,-1001]");
}

static void pairs_meet_that_come_in_different_batches(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *a = leat_queue_stream(ctx, true), *b = leat_queue_stream(ctx, true);
    struct seen seen;

    seen_init(&seen);
    leat_event_time(a, its_time, NULL, 10000, 0);
    leat_event_time(b, its_time, NULL, 10000, 0);
    leat_foreach_rdd(leat_join_within(leat_map_to_pair(a, same_key, NULL),
                                      leat_map_to_pair(b, same_key, NULL), 10),
                     see, &seen);
    OK(leat_start(ctx, &err));
    PUSH(a, 100, 200);
    PUSH(b, 105);
    wait_for_batches(&seen, 1);
    PUSH(b, 190, 211);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(seen.text, "0=[100,105]|0=[200,190]");
    leat_context_free(ctx);
}

/* Times far ahead of a row end its waiting: lateness is 0 here. */
static const char *outer(struct leat_stream *join(struct leat_stream *a, struct leat_stream *b,
                                                  int64_t within_ms, const char *where))
{
    static struct seen seen;
    struct leat_context *ctx = new_context();
    struct leat_stream *a = leat_queue_stream(ctx, true), *b = leat_queue_stream(ctx, true);

    leat_event_time(a, its_time, NULL, 0, 0);
    leat_event_time(b, its_time, NULL, 0, 0);
    PUSH(a, 100, 5000);
    PUSH(b, 400, 9000);
    return run(ctx,
               join(leat_map_to_pair(a, same_key, NULL), leat_map_to_pair(b, same_key, NULL), 10,
                    LEAT_HERE),
               &seen);
}

static void outer_joins_give_what_nothing_can_meet_any_more(void)
{
    CU_ASSERT_STRING_EQUAL(outer(leat_join_within_at), "");
    CU_ASSERT_STRING_EQUAL(outer(leat_left_outer_join_within_at), "0=[100,null]");
    CU_ASSERT_STRING_EQUAL(outer(leat_right_outer_join_within_at), "0=[null,400]");
    CU_ASSERT_STRING_EQUAL(outer(leat_full_outer_join_within_at), "0=[100,null] 0=[null,400]");
}

static void without_event_time_those_of_near_batches_meet(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *a = leat_queue_stream(ctx, true), *b = leat_queue_stream(ctx, true);
    struct seen seen;

    seen_init(&seen);
    leat_foreach_rdd(leat_join_within(leat_map_to_pair(a, same_key, NULL),
                                      leat_map_to_pair(b, same_key, NULL), 3600000),
                     see, &seen);
    OK(leat_start(ctx, &err));
    PUSH(a, 1);
    PUSH(b, 2);
    wait_for_batches(&seen, 1);
    PUSH(b, 3);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(seen.text, "0=[1,2]|0=[1,3]");
    leat_context_free(ctx);
}

static void a_window_holds_what_happened_in_it(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *s = leat_queue_stream(ctx, true);

    leat_event_time(s, its_time, NULL, 0, 0);
    PUSH(s, 500, 1200, 999, 1999, 2000);
    COMES_OUT(ctx, leat_reduce(leat_window(s, 1000, 1000), sum, NULL), "1499 3199");
}

static void windows_of_two_inputs_meet_that_slide_as_often_as_batches_are(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *sides[2];

    for (int i = 0; i < 2; i++)
        sides[i] = leat_reduce_by_key(
            leat_window(pairs_at(ctx, i ? "a25 a30 a205000" : "a39 b39 a30 a205000"), 20, 20), sum,
            NULL);
    COMES_OUT(ctx, leat_join(sides[0], sides[1]), "a=[69,55]");
}

static void an_expression_may_say_the_time_of_a_connector(void)
{
    const struct leat_option options[] = {{"count", "4"},
                                          {"value", "i * 700"},
                                          {"time.at", "fromMillis(this)"},
                                          {"time.lateness", "1ms"}};
    struct leat_context *ctx = new_context();
    struct leat_stream *s = leat_source_stream(ctx, "generate", options, 4);
    struct seen seen;

    seen_init(&seen);
    leat_foreach_rdd(leat_reduce(leat_window(s, 1000, 1000), sum, NULL), see, &seen);
    OK(leat_start(ctx, &err));
    wait_for_batches(&seen, 1);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(seen.text, "1400 700");
    leat_context_free(ctx);
}

/* ---- mistakes */

static void fails(struct leat_context *ctx, struct leat_stream *s, enum leat_status status,
                  const char *words)
{
    struct seen seen;

    seen_init(&seen);
    leat_foreach_rdd(s, see, &seen);
    enum leat_status got = leat_start(ctx, &err);
    if (got == LEAT_OK)
        got = leat_await_termination(ctx, &err);
    CU_ASSERT_EQUAL(got, status);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, words));
    if (!strstr(err.text, words))
        printf("    said: %s\n", err.text);
    CU_ASSERT_STRING_EQUAL(seen.text, "");
    leat_context_free(ctx);
}

static void a_function_that_gives_no_time_ends_the_batch_with_its_name(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *s = leat_queue_stream(ctx, true);

    PUSH(s, 1, 3);
    fails(ctx, leat_event_time(s, no_time, NULL, 0, 0), LEAT_E_DATA,
          "a time is an int of milliseconds, this is string");
    ctx = new_context();
    s = leat_queue_stream(ctx, true);
    PUSH(s, 1, 13);
    fails(ctx, leat_event_time(s, thirteen, NULL, 0, 0), LEAT_E_DATA, "13 has no time");
}

static void what_makes_no_sense_is_refused(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *s = leat_queue_stream(ctx, true);

    CU_ASSERT_PTR_NULL(leat_event_time(NULL, its_time, NULL, 0, 0));
    CU_ASSERT_PTR_NULL(leat_join_within(NULL, NULL, 1));
    fails(ctx, leat_event_time(leat_map(s, twice, NULL), its_time, NULL, 0, 0), LEAT_E_MISUSE,
          "is no input");
    ctx = new_context();
    s = leat_event_time(leat_queue_stream(ctx, true), its_time, NULL, 0, 0);
    fails(ctx, leat_event_time(s, its_time, NULL, 0, 0), LEAT_E_MISUSE, "a time already");
    ctx = new_context();
    fails(ctx, leat_event_time(leat_queue_stream(ctx, true), NULL, NULL, 0, 0), LEAT_E_MISUSE,
          "leat_event_time: without a function");
    ctx = new_context();
    fails(ctx, leat_event_time(leat_queue_stream(ctx, true), its_time, NULL, -1, 0), LEAT_E_CONFIG,
          "cannot be negative");
    ctx = new_context();
    fails(ctx, leat_join_within(pairs_at(ctx, "a1"), pairs_at(ctx, "a1"), 0), LEAT_E_CONFIG,
          "leat_join_within: 0 ms");
    ctx = new_context();
    fails(ctx, leat_join_within(pairs_at(ctx, "a1"), NULL, 5), LEAT_E_MISUSE,
          "without a second stream");
    ctx = new_context();
    fails(ctx, leat_join(pairs_at(ctx, "a1"), pairs_at(ctx, "a1")), LEAT_E_CONFIG, "'within'");
    ctx = new_context();
    fails(ctx, leat_join_within(pairs_at(ctx, "a1"), leat_queue_pair_stream(ctx, true), 5),
          LEAT_E_CONFIG, "time");
}

static void a_window_may_stand_straight_behind_a_window(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_event_time(leat_queue_stream(ctx, true), its_time, NULL, 0, 0);
    struct seen seen;

    seen_init(&seen);
    push_ints(queue, 4, (const int64_t[]){100, 1100, 1900, 90000});
    leat_foreach_rdd(leat_count(leat_window(leat_window(queue, 1000, 1000), 2000, 2000)), see,
                     &seen);
    OK(leat_start(ctx, &err));
    wait_for_batches(&seen, 1);
    OK(leat_stop(ctx, false, &err));
    CU_ASSERT_EQUAL(seen.text[0], '3');
    leat_context_free(ctx);
}

LEAT_TESTS("stream_time", T(a_window_may_stand_straight_behind_a_window),
           T(pairs_meet_whose_times_are_near), T(times_before_1970_are_times),
           T(pairs_meet_that_come_in_different_batches),
           T(outer_joins_give_what_nothing_can_meet_any_more),
           T(without_event_time_those_of_near_batches_meet), T(a_window_holds_what_happened_in_it),
           T(windows_of_two_inputs_meet_that_slide_as_often_as_batches_are),
           T(an_expression_may_say_the_time_of_a_connector),
           T(a_function_that_gives_no_time_ends_the_batch_with_its_name),
           T(what_makes_no_sense_is_refused))
