/*
 * Tests engine/stream/intervals.c: how often streams come, are written and are kept, and what of it
 * does not fit together. Batches are 20 ms long.
 */
#include "stream_rig.h"

#include "stream.h"

static struct leat_error err;

static struct leat_stream *pairs_of(struct leat_context *ctx)
{
    return leat_queue_pair_stream(ctx, true);
}

static struct leat_stream *slow(struct leat_stream *pairs)
{
    return leat_reduce_by_key_and_window(pairs, sum, NULL, NULL, NULL, 80, 40);
}

static struct leat_stream *lines(struct leat_context *ctx)
{
    static const struct leat_option options[] = {{"text", "a"}, {"format", "text"}};

    return leat_map_to_pair(leat_source_stream(ctx, "memory", options, 2), with_one, NULL);
}

/* With a directory for its checkpoints. */
static struct leat_context *checkpointed(const char *name)
{
    struct leat_context *ctx = new_context();
    char dir[300];

    snprintf(dir, sizeof dir, "%s/%s", leat_test_dir(), name);
    leat_checkpoint(ctx, dir);
    return ctx;
}

static void streams_that_come_at_different_times_do_not_go_together(void)
{
    static const char words[] = "streams that come at different times";
    struct leat_context *ctx = new_context();
    struct leat_stream *pairs = pairs_of(ctx);

    leat_print(leat_union(leat_named(slow(pairs), "slow"), pairs), 1);
    is_refused(ctx, "'slow' every 40 ms");
    ctx = new_context();
    pairs = pairs_of(ctx);
    leat_print(leat_join(leat_named(pairs, "fast"), slow(pairs)), 1);
    is_refused(ctx, "'fast' every 20 ms");
    ctx = new_context();
    pairs = pairs_of(ctx);
    leat_count(
        leat_union(leat_window(pairs, 80, 40), leat_window(pairs, 60, 60))); /* for nothing */
    leat_print(pairs, 1);
    is_refused(ctx, words);
}

static void windows_of_the_same_slide_go_together(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *pairs = pairs_of(ctx);

    leat_print(leat_union(slow(pairs), leat_map_values(slow(pairs), twice, NULL)), 1);
    OK(leat_start(ctx, &err));
    leat_context_free(ctx);
}

static void windows_behind_windows_are_multiples_of_their_slide(void)
{
    struct leat_context *ctx = new_context();

    leat_print(leat_count_by_window(slow(pairs_of(ctx)), 60, 40), 1);
    is_refused(ctx, "size must be a multiple of the slide of the windows before it, 40 ms");
    ctx = new_context();
    leat_print(leat_count_by_window(slow(pairs_of(ctx)), 80, 60), 1);
    is_refused(ctx, "slide must be a multiple of the slide of the windows before it, 40 ms");
    ctx = new_context();
    leat_print(leat_count_by_window(slow(pairs_of(ctx)), 160, 80), 1);
    OK(leat_start(ctx, &err));
    leat_context_free(ctx);
}

static void a_window_without_a_length_is_refused_with_the_words_size_or_slide(void)
{
    struct leat_context *ctx = new_context();

    leat_print(leat_window(leat_queue_stream(ctx, true), 0, 100), 10);
    is_refused(ctx, "size: 0ms is below 1ms");
    ctx = new_context();
    leat_print(leat_window(leat_queue_stream(ctx, true), -20, 20), 10);
    is_refused(ctx, "size: ");
    ctx = new_context();
    leat_print(leat_count_by_window(leat_queue_stream(ctx, true), 40, -20), 10);
    is_refused(ctx, "slide: ");
}

static void a_window_slides_as_the_one_before_it_if_nobody_says_how(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *usual = leat_map(slow(pairs_of(ctx)), twice, NULL),
                       *windows[] = {leat_count_by_window(usual, 80, 0), leat_window(usual, 80, 0),
                                     leat_reduce_by_window(usual, sum, NULL, NULL, 80, 0)},
                       *first = leat_window(pairs_of(ctx), 80, 0);

    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        leat_print(windows[i], 1);
    leat_print(first, 1);
    OK(leat_start(ctx, &err));
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        CU_ASSERT_EQUAL(windows[i]->every_ms, 40);
    CU_ASSERT_EQUAL(first->every_ms, 20);
    leat_context_free(ctx);
}

static struct leat_stream *state_every(struct leat_context *ctx, int64_t interval_ms)
{
    struct leat_stream *s =
        leat_checkpoint_every(leat_update_state_by_key(lines(ctx), how_many, NULL), interval_ms);

    leat_print(s, 1);
    return s;
}

static void an_interval_that_makes_no_sense_is_refused(void)
{
    struct leat_context *ctx = new_context();

    state_every(ctx, 40);
    is_refused(ctx, "leat_checkpoint() sets it");
    ctx = checkpointed("none");
    state_every(ctx, 0);
    is_refused(ctx, "0 ms is no interval");
    ctx = checkpointed("none");
    state_every(ctx, 10);
    is_refused(ctx, "10 ms are less than the 20 ms");
    ctx = checkpointed("none");
    state_every(ctx, 50);
    is_refused(ctx, "50 ms are no multiple of the 20 ms");
    ctx = checkpointed("none");
    leat_remember(ctx, 40);
    state_every(ctx, 40);
    is_refused(ctx, "leat_remember() says 40 ms");
    CU_ASSERT_PTR_NULL(leat_checkpoint_every(NULL, 20));
}

static int64_t snapshots_of(struct leat_context *ctx)
{
    OK(leat_start(ctx, &err));
    int64_t every_ms = ctx->spec.checkpoint.snapshot_every.ms;
    leat_context_free(ctx);
    return every_ms;
}

static void states_are_written_as_often_as_the_shortest_interval_says(void)
{
    struct leat_context *ctx = checkpointed("a");

    state_every(ctx, 40);
    CU_ASSERT_EQUAL(snapshots_of(ctx), 40);
    ctx = checkpointed("b");
    leat_checkpoint_every(state_every(ctx, 40), 120000); /* the last call counts */
    CU_ASSERT_EQUAL(snapshots_of(ctx), 120000);
    ctx = checkpointed("c");
    leat_set(ctx, "checkpoint.snapshot_every", "1s");
    state_every(ctx, 2000);
    CU_ASSERT_EQUAL(snapshots_of(ctx), 1000);
    ctx = checkpointed("d");
    leat_print(lines(ctx), 1);
    leat_checkpoint_every(leat_update_state_by_key(lines(ctx), how_many, NULL), 40); /* unused */
    CU_ASSERT_EQUAL(snapshots_of(ctx), 60000);
    ctx = checkpointed("e");
    state_every(ctx, 4000);
    state_every(ctx, 2000);
    CU_ASSERT_EQUAL(snapshots_of(ctx), 2000);
}

static void what_a_stream_is_made_of_is_kept_with_it(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *pairs = pairs_of(ctx), *other = pairs_of(ctx),
                       *state = leat_update_state_by_key(pairs, how_many, NULL),
                       *met = leat_join(leat_window(other, 60, 0), state);

    leat_remember(ctx, 100);
    leat_print(met, 1);
    OK(leat_start(ctx, &err));
    CU_ASSERT_EQUAL(met->remember_ms, 100);
    CU_ASSERT_EQUAL(other->remember_ms, 160);
    CU_ASSERT_EQUAL(state->remember_ms, 20000);
    CU_ASSERT_EQUAL(pairs->remember_ms, 20000);
    leat_context_free(ctx);
}

static void no_length_is_too_long(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *pairs = pairs_of(ctx);

    leat_remember(ctx, INT64_MAX);
    leat_print(leat_reduce_by_key_and_window(pairs, sum, sum, NULL, NULL, INT64_MAX, INT64_MAX), 1);
    if (leat_start(ctx, &err) == LEAT_OK)
        CU_ASSERT_EQUAL(pairs->remember_ms, INT64_MAX);
    leat_context_free(ctx);
}

LEAT_TESTS("stream_intervals", T(streams_that_come_at_different_times_do_not_go_together),
           T(windows_of_the_same_slide_go_together),
           T(windows_behind_windows_are_multiples_of_their_slide),
           T(a_window_without_a_length_is_refused_with_the_words_size_or_slide),
           T(a_window_slides_as_the_one_before_it_if_nobody_says_how),
           T(an_interval_that_makes_no_sense_is_refused),
           T(states_are_written_as_often_as_the_shortest_interval_says),
           T(what_a_stream_is_made_of_is_kept_with_it), T(no_length_is_too_long))
