/*
 * Tests engine/stream/queue.c, plan/plan_missing.c: batches for which a queue has no dataset. Hours
 * pass by a clock that the test moves.
 */
#include "stream_rig.h"

#include "stream.h"
#include "stream_ready.h"

#include <glob.h>

#define HOUR_MS INT64_C(3600000)

static struct leat_error err;

/* ---- what came out of an output: a word per call, "1:7,8" for the batch of the first hour */

struct heard {
    char text[400];
};

static enum leat_status hear(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct heard *h = arg;
    size_t at = strlen(h->text);

    (void)e;
    at += (size_t)snprintf(h->text + at, sizeof h->text - at, "%s%d:", at ? " " : "",
                           (int)(rdd->time_ms / HOUR_MS));
    for (size_t i = 0; i < rdd->count; i++)
        at += (size_t)snprintf(h->text + at, sizeof h->text - at, "%s%d", i ? "," : "",
                               (int)rdd->rows[i].value.as.i);
    return LEAT_OK;
}

/* ---- hours */

struct hours {
    struct leat_clock clock; /* first */
    _Atomic int64_t now_ms;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t started_ms; /* guarded by lock, as `failed` */
    bool failed;
};

static int64_t now(const struct leat_clock *c)
{
    return ((const struct hours *)(const void *)c)->now_ms;
}

static void note(const struct leat_batch_info *batch, void *arg)
{
    struct hours *h = arg;

    pthread_mutex_lock(&h->lock);
    h->started_ms = batch->batch_ms > h->started_ms ? batch->batch_ms : h->started_ms;
    h->failed = h->failed || batch->failure;
    pthread_cond_signal(&h->changed);
    pthread_mutex_unlock(&h->lock);
}

/* So many batches, or up to the one that fails. Does not free. */
static enum leat_status pass(struct leat_context *ctx, int hours)
{
    struct hours h = {.clock = {.now_ms = now, .monotonic_ms = now},
                      .lock = PTHREAD_MUTEX_INITIALIZER,
                      .changed = PTHREAD_COND_INITIALIZER};
    const struct leat_listener both = {.batch_started = note, .batch_completed = note};
    bool failed = false;

    leat_add_listener(ctx, &both, &h);
    ctx->clock = &h.clock;
    OK(leat_start(ctx, &err));
    wait_until_ready(ctx);
    for (int k = 1; k <= hours && !failed; k++) {
        h.now_ms = HOUR_MS * k;
        leat_job_look_at_clock(ctx->job);
        pthread_mutex_lock(&h.lock);
        while (h.started_ms < HOUR_MS * k && !h.failed)
            pthread_cond_wait(&h.changed, &h.lock);
        failed = h.failed;
        pthread_mutex_unlock(&h.lock);
    }
    return leat_stop(ctx, false, &err);
}

static struct leat_context *hourly(void)
{
    struct leat_context *ctx = leat_context_new("test", HOUR_MS);

    leat_set(ctx, "partitions", "2");
    leat_set(ctx, "threads", "2");
    return ctx;
}

/* 1, nothing at all, no element, 2. */
static struct leat_stream *gaps(struct leat_context *ctx, int partitions)
{
    struct leat_stream *queue = leat_queue_partitions(leat_queue_stream(ctx, true), partitions);

    PUSH(queue, 1);
    OK(leat_queue_push_none(queue, &err));
    OK(leat_queue_push(queue, NULL, 0, &err));
    PUSH(queue, 2);
    return queue;
}

static struct leat_value how_many_rows(struct leat_call *call, const struct leat_rdd *in, void *arg)
{
    struct leat_value list = leat_list();

    (void)arg;
    leat_list_add(call, &list, leat_int((int64_t)in->count));
    return list;
}

static struct leat_value all(struct leat_call *call, const struct leat_rdd *in, size_t count,
                             void *arg)
{
    struct leat_value list = leat_list();

    (void)arg;
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; i < in[n].count; i++)
            leat_list_add(call, &list, in[n].rows[i].value);
    return list;
}

static struct leat_value sum_of_all(struct leat_call *call, struct leat_value key,
                                    struct leat_value values, struct leat_value state, void *arg)
{
    int64_t total = state.tag == LEAT_INT ? state.as.i : 0;

    (void)call, (void)key, (void)arg;
    for (uint32_t i = 0; i < values.len; i++)
        total += values.as.items[i].as.i;
    return leat_int(total);
}

static struct leat_pair with_key_7(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return (struct leat_pair){leat_int(7), in->value};
}

#define HEARS(ctx, stream, expected)                                                               \
    do {                                                                                           \
        struct heard heard_ = {{0}};                                                               \
        leat_foreach_rdd(stream, hear, &heard_);                                                   \
        OK(pass(ctx, 5));                                                                          \
        CU_ASSERT_STRING_EQUAL(heard_.text, expected);                                             \
        if (strcmp(heard_.text, expected))                                                         \
            printf("    heard: %s\n", heard_.text);                                                \
        leat_context_free(ctx);                                                                    \
    } while (0)

/* ---- what has none either */

static void an_output_hears_nothing_of_a_batch_without_a_dataset(void)
{
    struct leat_context *ctx = hourly();

    HEARS(ctx, gaps(ctx, 1), "1:1 3: 4:2 5:");
    ctx = hourly();
    HEARS(ctx, leat_filter(leat_map(gaps(ctx, 3), twice, NULL), is_even, NULL), "1:2 3: 4:4 5:");
    ctx = hourly();
    HEARS(ctx, leat_reduce(gaps(ctx, 2), sum, NULL), "1:1 3: 4:2 5:");
}

static void partitions_that_are_not_there_are_not_called(void)
{
    struct leat_context *ctx = hourly();

    HEARS(ctx, leat_map_partitions(gaps(ctx, 2), how_many_rows, NULL), "1:0,1 3:0,0 4:0,1 5:0,0");
    ctx = hourly();
    struct leat_stream *sums =
        leat_reduce_by_key(leat_map_to_pair(gaps(ctx, 2), with_key_7, NULL), sum, NULL);
    HEARS(ctx, leat_window(leat_map_partitions(sums, how_many_rows, NULL), 2 * HOUR_MS, HOUR_MS),
          "1:1,0 2:1,0 3:0,0 4:0,0,1,0 5:1,0,0,0");
}

static void no_directory_is_written(void)
{
    struct leat_context *ctx = hourly();
    char prefix[200], pattern[220];
    glob_t found = {0};

    snprintf(prefix, sizeof prefix, "%s/of", leat_test_dir());
    snprintf(pattern, sizeof pattern, "%s-*", prefix);
    leat_save_as_text_files(gaps(ctx, 1), prefix, NULL);
    OK(pass(ctx, 4));
    leat_context_free(ctx);
    CU_ASSERT_EQUAL(glob(pattern, 0, NULL, &found), 0);
    CU_ASSERT_EQUAL(found.gl_pathc, 3);
    for (size_t i = 0; i < found.gl_pathc; i++)
        CU_ASSERT_PTR_NULL(strstr(found.gl_pathv[i], "/of-7200000"));
    globfree(&found);
}

/* Two batches are committed at once, and one of them is missing. */
static void the_other_batches_of_a_commit_are_there(void)
{
    struct leat_context *ctx = hourly();

    leat_set(ctx, "commit.every", "2h");
    HEARS(ctx, gaps(ctx, 1), "1:1 3: 4:2 5:");
}

static void other_streams_of_the_batch_are_not_touched(void)
{
    struct leat_context *ctx = hourly();
    struct leat_stream *other = leat_queue_stream(ctx, true);
    struct heard heard = {{0}};

    PUSH(other, 11);
    PUSH(other, 12);
    leat_foreach_rdd(other, hear, &heard);
    HEARS(ctx, gaps(ctx, 1), "1:1 3: 4:2 5:");
    CU_ASSERT_STRING_EQUAL(heard.text, "1:11 2:12 3: 4: 5:");
}

static void it_is_no_more_than_nothing_where_a_batch_has_all_there_is(void)
{
    struct leat_context *ctx = hourly();
    struct leat_stream *queue = leat_queue_stream(ctx, false);

    OK(leat_queue_push_none(queue, &err));
    PUSH(queue, 1);
    OK(leat_queue_push_none(queue, &err));
    HEARS(ctx, queue, "1:1 2: 3: 4: 5:");
    ctx = hourly();
    queue = leat_queue_stream(ctx, false);
    OK(leat_queue_push_none(queue, &err));
    OK(leat_queue_push_none(queue, &err));
    HEARS(ctx, queue, "2: 3: 4: 5:");
}

static void a_batch_that_is_not_there_is_not_kept(void)
{
    struct leat_context *ctx = hourly();
    struct leat_stream *queue = gaps(ctx, 1);
    struct heard heard = {{0}};

    leat_remember(ctx, 100 * HOUR_MS);
    leat_print(leat_persist(queue, NULL), 0);
    OK(pass(ctx, 4));
    OK(leat_slice_batches(queue, HOUR_MS, 4 * HOUR_MS, hear, &heard, &err));
    CU_ASSERT_STRING_EQUAL(heard.text, "1:1 3: 4:2");
    leat_context_free(ctx);
}

/* ---- what has one all the same */

static void windows_and_states_go_on(void)
{
    struct leat_context *ctx = hourly();

    HEARS(ctx, leat_window(gaps(ctx, 2), 2 * HOUR_MS, HOUR_MS), "1:1 2:1 3: 4:2 5:2");
    ctx = hourly();
    HEARS(ctx, leat_count_by_window(gaps(ctx, 1), 2 * HOUR_MS, HOUR_MS), "1:1 2:1 3:0 4:1 5:1");
    ctx = hourly();
    HEARS(ctx,
          leat_update_state_by_key(leat_map_to_pair(gaps(ctx, 2), with_key_7, NULL), sum_of_all,
                                   NULL),
          "1:1 2:1 3:1 4:3 5:3");
}

static void a_count_is_0(void)
{
    struct leat_context *ctx = hourly();

    HEARS(ctx, leat_count(gaps(ctx, 2)), "1:1 2:0 3:0 4:1 5:0");
    ctx = hourly();
    HEARS(ctx, leat_map_partitions(leat_repartition(gaps(ctx, 1), 2), how_many_rows, NULL),
          "1:0,1 2:0,0 3:0,0 4:1,0 5:0,0");
}

/* ---- what needs one */

static void fails(struct leat_context *ctx, struct leat_stream *s, const char *words)
{
    struct heard heard = {{0}}, beside = {{0}};
    struct leat_stream *other = leat_queue_stream(ctx, true);

    leat_foreach_rdd(s, hear, &heard);
    leat_foreach_rdd(other, hear, &beside);
    leat_set(ctx, "on_error", "drop");
    CU_ASSERT_EQUAL(pass(ctx, 5), LEAT_E_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, words));
    if (!strstr(err.text, words))
        printf("    %s\n", err.text);
    CU_ASSERT_EQUAL(strncmp(heard.text, "1:", 2), 0);
    CU_ASSERT_PTR_NULL(strstr(heard.text, "2:"));
    CU_ASSERT_STRING_EQUAL(beside.text, "1:");
    leat_context_free(ctx);
}

static void what_needs_a_dataset_fails_the_batch(void)
{
    struct leat_context *ctx = hourly();
    struct leat_stream *queue = leat_named(gaps(ctx, 2), "numbers"),
                       *other = leat_queue_stream(ctx, true);
    fails(ctx, leat_named(leat_union(other, leat_map(queue, twice, NULL)), "both"),
          "stream 'both' needs a dataset of 'leat_queue_stream-1', which has none for this batch");

    ctx = hourly();
    fails(ctx, leat_window(leat_transform(gaps(ctx, 1), all, NULL), 2 * HOUR_MS, HOUR_MS),
          "stream 'leat_transform-");

    ctx = hourly();
    queue = gaps(ctx, 1);
    other = leat_queue_stream(ctx, true);
    fails(ctx, leat_transform_with(other, queue, all, NULL), "stream 'leat_transform_with-");

    ctx = hourly();
    queue = leat_map_to_pair(gaps(ctx, 1), with_key_7, NULL);
    fails(ctx, leat_full_outer_join(queue, leat_map_values(queue, twice, NULL)),
          "stream 'leat_full_outer_join-");
}

/* ---- mistakes */

static void what_is_no_queue_is_refused(void)
{
    struct leat_context *ctx = hourly();
    struct leat_stream *pairs = leat_queue_pair_stream(ctx, true);

    CU_ASSERT_EQUAL(leat_queue_push_none(NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_queue_push_none(leat_map(pairs, twice, NULL), &err), LEAT_E_MISUSE);
    OK(leat_queue_push_none(pairs, &err));
    OK(leat_stop(ctx, false, &err));
    CU_ASSERT_EQUAL(leat_queue_push_none(pairs, &err), LEAT_E_MISUSE);
    leat_context_free(ctx);
}

static void lack_of_memory_is_an_error(void)
{
    begin_own_tmp();
    LEAT_OOM_SWEEP {
        struct leat_context *ctx = leat_context_new("test", 20);
        struct leat_stream *queue = leat_queue_stream(ctx, true);
        const struct leat_value v = leat_int(2);
        struct seen seen;

        seen_init(&seen);
        leat_foreach_rdd(queue, see, &seen);
        enum leat_status status = ctx && queue ? leat_queue_push_none(queue, &err) : LEAT_OK;
        if (status == LEAT_OK && ctx && queue)
            status = leat_queue_push(queue, &v, 1, &err);
        if (runs_with_all_memory(ctx, status))
            CU_ASSERT_STRING_EQUAL(seen.text, "2");
        leat_context_free(ctx);
    }
    end_own_tmp();
}

LEAT_TESTS("stream_missing", T(an_output_hears_nothing_of_a_batch_without_a_dataset),
           T(partitions_that_are_not_there_are_not_called), T(no_directory_is_written),
           T(the_other_batches_of_a_commit_are_there),
           T(other_streams_of_the_batch_are_not_touched),
           T(it_is_no_more_than_nothing_where_a_batch_has_all_there_is),
           T(a_batch_that_is_not_there_is_not_kept), T(windows_and_states_go_on), T(a_count_is_0),
           T(what_needs_a_dataset_fails_the_batch), T(what_is_no_queue_is_refused),
           T(lack_of_memory_is_an_error))
