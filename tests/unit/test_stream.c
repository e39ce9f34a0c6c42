/*
 * Tests engine/stream: programs of C functions over the engine, from what they push to what they
 * are called with. Also under thread sanitizer.
 */
#include "stream_ready.h"
#include "stream_rig.h"

static struct leat_error err;

/* ---- functions of a program */

static struct leat_value take_away(struct leat_call *call, struct leat_value a, struct leat_value b,
                                   void *arg)
{
    (void)call, (void)arg;
    return leat_int(a.as.i - b.as.i);
}

static struct leat_value is_left(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_bool(in->value.as.i > 0);
}

static struct leat_value refuse_three(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    return in->value.as.i == 3 ? leat_call_fail(call, "%d is %s", 3, "unlucky\n\x1b[31m\xff")
                               : in->value;
}

static struct leat_value key_as_text(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    return leat_call_text(call, in->key.as.text, in->key.len);
}

static struct leat_value is_without_key(struct leat_call *call, const struct leat_pair *in,
                                        void *arg)
{
    (void)call, (void)arg;
    return leat_int(in->key.tag == LEAT_NULL);
}

/* ---- what operators do */

static void words_of_lines_are_counted(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *lines = leat_queue_stream(ctx, true);

    push_text(lines, "to be or not to be");
    push_text(lines, "to do");
    COMES_OUT(ctx,
              leat_reduce_by_key(
                  leat_map_to_pair(leat_flat_map(lines, split, NULL), with_one, NULL), sum, NULL),
              "be=2 not=1 or=1 to=2|do=1 to=1");
}

static void each_push_of_a_queue_is_a_batch(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 1, 2);
    PUSH(queue, 3);
    OK(leat_queue_push(queue, NULL, 0, &err));
    PUSH(queue, 4, 5, 6);
    COMES_OUT(ctx, leat_map(queue, twice, NULL), "2 4|6|10 12 8");
}

static void a_queue_gives_all_there_is_when_it_is_not_one_at_a_time(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, false);

    PUSH(queue, 1);
    PUSH(queue, 2);
    PUSH(queue, 3);
    COMES_OUT(ctx, queue, "1 2 3");
}

/* Each batch takes as long as three intervals. */
struct slow {
    struct leat_clock clock; /* first */
    _Atomic int64_t now_ms;
    struct leat_context *ctx;
    struct seen seen;
};

static int64_t slow_now(const struct leat_clock *c)
{
    return ((const struct slow *)(const void *)c)->now_ms;
}

static enum leat_status see_slowly(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct slow *s = arg;

    s->now_ms += 15;
    leat_job_look_at_clock(s->ctx->job);
    return see(rdd, &s->seen, e);
}

static void each_push_is_a_batch_however_long_batches_take(void)
{
    struct leat_context *ctx = leat_context_new("test", 5);
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct slow s = {.clock = {.now_ms = slow_now, .monotonic_ms = slow_now}, .ctx = ctx};

    seen_init(&s.seen);
    ctx->clock = &s.clock;
    leat_foreach_rdd(queue, see_slowly, &s);
    for (int i = 0; i < 8; i++)
        PUSH(queue, i);
    OK(leat_start(ctx, &err));
    wait_until_ready(ctx);
    s.now_ms = 5;
    leat_job_look_at_clock(ctx->job);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(s.seen.text, "0|1|2|3|4|5|6|7");
    leat_context_free(ctx);
}

static void filter_keeps_what_the_function_wants(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 1, 2, 3, 4);
    COMES_OUT(ctx, leat_filter(queue, is_even, NULL), "2 4");
}

static struct leat_stream *pairs_of(struct leat_context *ctx, const char *keys)
{
    struct leat_stream *s = leat_queue_pair_stream(ctx, true);
    struct leat_pair pairs[16];
    size_t n = strlen(keys);

    for (size_t i = 0; i < n; i++)
        pairs[i] =
            (struct leat_pair){leat_string((struct leat_slice){keys + i, 1}), leat_int((int64_t)i)};
    OK(leat_queue_push_pairs(s, pairs, n, &err));
    return s;
}

static void map_values_keeps_the_key_and_map_does_not(void)
{
    struct leat_context *ctx = new_context();

    COMES_OUT(ctx, leat_map_values(pairs_of(ctx, "abc"), twice, NULL), "a=0 b=2 c=4");
    ctx = new_context();
    COMES_OUT(ctx, leat_map(pairs_of(ctx, "abc"), key_as_text, NULL), "a b c");
}

static void functions_behind_a_map_see_no_key(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *counts = leat_count_by_value(pairs_of(ctx, "ab"));

    COMES_OUT(ctx,
              leat_union(leat_map(counts, is_without_key, NULL),
                         leat_map(leat_map(counts, twice, NULL), is_without_key, NULL)),
              "0 0 1 1");
}

static void group_by_key_gives_the_values_of_each_key(void)
{
    struct leat_context *ctx = new_context();

    COMES_OUT(ctx, leat_group_by_key(pairs_of(ctx, "aba")), "a=[0,2] b=[1]");
}

static struct leat_value as_list(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value list = leat_list();

    (void)arg;
    leat_list_add(call, &list, in->value);
    return list;
}

static struct leat_value put_to(struct leat_call *call, struct leat_value list, struct leat_value v,
                                void *arg)
{
    (void)arg;
    if (v.as.i == 9)
        return leat_call_fail(call, "no nine");
    leat_list_add(call, &list, v);
    return list;
}

static struct leat_value both_lists(struct leat_call *call, struct leat_value a,
                                    struct leat_value b, void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < b.len; i++)
        leat_list_add(call, &a, b.as.items[i]);
    return a;
}

static void combine_by_key_makes_another_kind_of_value_of_a_keys_values(void)
{
    struct leat_context *ctx = new_context();

    COMES_OUT(ctx, leat_combine_by_key(pairs_of(ctx, "abaa"), as_list, put_to, both_lists, NULL),
              "a=[0,2,3] b=[1]");
    ctx = new_context();
    ends_with(ctx,
              leat_combine_by_key(pairs_of(ctx, "aaaaaaaaaaaa"), as_list, put_to, both_lists, NULL),
              "", "leat_combine_by_key: no nine");
    ctx = new_context();
    leat_print(leat_combine_by_key(pairs_of(ctx, "a"), as_list, put_to, NULL, NULL), 1);
    is_refused(ctx, "leat_combine_by_key: without a function");
    ctx = new_context();
    leat_print(leat_combine_by_key(leat_queue_stream(ctx, true), as_list, put_to, both_lists, NULL),
               1);
    is_refused(ctx, "'combine_by_key' needs a stream with a key");
}

static void joins_give_both_values_and_null_for_what_is_not_there(void)
{
    struct leat_context *ctx = new_context();

    COMES_OUT(ctx, leat_join(pairs_of(ctx, "ab"), pairs_of(ctx, "bc")), "b=[1,0]");
    ctx = new_context();
    COMES_OUT(ctx, leat_left_outer_join(pairs_of(ctx, "ab"), pairs_of(ctx, "bc")),
              "a=[0,null] b=[1,0]");
    ctx = new_context();
    COMES_OUT(ctx, leat_full_outer_join(pairs_of(ctx, "ab"), pairs_of(ctx, "bc")),
              "a=[0,null] b=[1,0] c=[null,1]");
    ctx = new_context();
    COMES_OUT(ctx, leat_cogroup(pairs_of(ctx, "ab"), pairs_of(ctx, "bc")),
              "a=[[0],[]] b=[[1],[0]] c=[[],[1]]");
}

static void a_union_has_the_elements_of_both(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 1, 2);
    COMES_OUT(ctx, leat_repartition(leat_union(queue, leat_map(queue, twice, NULL)), 2), "1 2 2 4");
}

static void reduce_and_count_by_value_look_at_all_of_a_batch(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 1, 2, 3);
    COMES_OUT(ctx, leat_reduce(queue, sum, NULL), "6");
    ctx = new_context();
    queue = leat_queue_stream(ctx, true);
    PUSH(queue, 7, 8, 7);
    COMES_OUT(ctx, leat_count_by_value(queue), "7=2 8=1");
}

static void a_window_with_an_inverse_gives_what_is_in_it(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *s = leat_reduce_by_key_and_window(pairs_of(ctx, "aab"), sum, take_away,
                                                          is_left, NULL, 60000, 20);
    struct seen seen;

    seen_init(&seen);
    leat_foreach_rdd(s, see, &seen);
    OK(leat_start(ctx, &err));
    wait_for_batches(&seen, 2);
    OK(leat_stop(ctx, false, &err));
    int a = 0, b = 0, others = 0; /* a batch that came late speaks of several windows */
    for (char *rest = seen.text, *word; (word = strtok_r(rest, " |", &rest));) {
        a += strcmp(word, "a=1") == 0;
        b += strcmp(word, "b=2") == 0;
        others += strcmp(word, "a=1") != 0 && strcmp(word, "b=2") != 0;
    }
    CU_ASSERT(a >= 2 && a == b && others == 0);
    leat_context_free(ctx);
}

static void update_state_by_key_speaks_of_every_key_in_every_batch(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *q = pairs_of(ctx, "aab");
    const struct leat_pair one = {leat_string(LEAT_LIT("b")), leat_int(0)};
    struct leat_stream *s = leat_named(leat_update_state_by_key(q, how_many, NULL), "counts");
    struct seen seen;

    OK(leat_queue_push_pairs(q, &one, 1, &err));
    seen_init(&seen);
    leat_foreach_rdd(s, see, &seen);
    OK(leat_start(ctx, &err));
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT(strncmp(seen.text, "a=2 b=1|", 8) == 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(seen.text, "|a=2 b=2"));
    leat_context_free(ctx);
}

/* ---- failures */

static void a_function_that_fails_ends_the_batch_with_its_name_and_no_output(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct seen seen;

    seen_init(&seen);
    leat_foreach_rdd(leat_map(queue, refuse_three, NULL), see, &seen);
    PUSH(queue, 1, 3, 5);
    OK(leat_start(ctx, &err));
    CU_ASSERT_EQUAL(leat_await_termination(ctx, &err), LEAT_E_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "leat_map"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "3 is unlucky  [31m?")); /* no byte of a terminal's */
    CU_ASSERT_STRING_EQUAL(seen.text, "");
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_STOPPED);
    CU_ASSERT_EQUAL(leat_stop(ctx, true, &err), LEAT_E_DATA);
    leat_context_free(ctx);
}

static void on_error_drop_leaves_out_what_a_function_refuses(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    leat_set(ctx, "on_error", "drop");
    PUSH(queue, 1, 3, 5);
    COMES_OUT(ctx, leat_map(queue, refuse_three, NULL), "1 5");
}

static void an_output_that_fails_ends_the_job_with_its_words(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct seen seen;

    seen_init(&seen);
    seen.fail = LEAT_E_BROKEN;
    leat_foreach_rdd(queue, see, &seen);
    OK(leat_start(ctx, &err));
    CU_ASSERT_EQUAL(leat_await_termination(ctx, &err), LEAT_E_BROKEN);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no room for this"));
    leat_context_free(ctx);
}

/* ---- several threads */

static void *push_many(void *queue)
{
    struct leat_error why;
    const struct leat_value v = leat_int(1);

    for (int i = 0; i < 50; i++)
        if (leat_queue_push(queue, &v, 1, &why) != LEAT_OK)
            return queue;
    return NULL;
}

static void several_threads_may_push_into_a_queue(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, false);
    struct seen seen;
    pthread_t threads[3];
    void *failed;
    int total = 0, n = 0;

    seen_init(&seen);
    leat_foreach_rdd(leat_reduce(queue, sum, NULL), see, &seen);
    OK(leat_start(ctx, &err));
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, push_many, queue), 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], &failed);
        CU_ASSERT_PTR_NULL(failed);
    }
    OK(leat_stop(ctx, true, &err));
    for (const char *at = seen.text; sscanf(at, "%d", &n) == 1; at = strchr(at, '|') + 1) {
        total += n;
        if (!strchr(at, '|'))
            break;
    }
    CU_ASSERT_EQUAL(total, 150);
    leat_context_free(ctx);
}

LEAT_TESTS("stream", T(words_of_lines_are_counted), T(each_push_of_a_queue_is_a_batch),
           T(a_queue_gives_all_there_is_when_it_is_not_one_at_a_time),
           T(each_push_is_a_batch_however_long_batches_take),
           T(filter_keeps_what_the_function_wants), T(map_values_keeps_the_key_and_map_does_not),
           T(functions_behind_a_map_see_no_key), T(group_by_key_gives_the_values_of_each_key),
           T(combine_by_key_makes_another_kind_of_value_of_a_keys_values),
           T(joins_give_both_values_and_null_for_what_is_not_there),
           T(a_union_has_the_elements_of_both), T(reduce_and_count_by_value_look_at_all_of_a_batch),
           T(a_window_with_an_inverse_gives_what_is_in_it),
           T(update_state_by_key_speaks_of_every_key_in_every_batch),
           T(a_function_that_fails_ends_the_batch_with_its_name_and_no_output),
           T(on_error_drop_leaves_out_what_a_function_refuses),
           T(an_output_that_fails_ends_the_job_with_its_words),
           T(several_threads_may_push_into_a_queue))
