/*
 * Tests engine/stream: custom receivers. What they store comes out, what is told when, starting
 * again, ends, and misuse. Also under thread sanitizer.
 */
#include "stream_rig.h"

#include <stdatomic.h>

#define HOUR_MS 3600000

static struct leat_error err;

/* A receiver whose threads store numbers: 0 up to `count` each. */
struct numbers {
    struct leat_receiver *receiver;
    pthread_t threads[4];
    int threads_count;
    int64_t count;
    bool in_blocks;
    atomic_int starts, stops;
    int failures;          /* so often on_start fails */
    enum leat_status with; /* with this */
    _Atomic int64_t safe;
    atomic_int last; /* how the last store of a thread ended */
};

static void *store_numbers(void *arg)
{
    struct numbers *n = arg;
    struct leat_error e;
    enum leat_status status = LEAT_OK;

    for (int64_t i = 0; i < n->count && status == LEAT_OK; i++) {
        struct leat_value two[2] = {leat_int(i), leat_int(i + 1)};
        if (!n->in_blocks)
            status = leat_receiver_store(n->receiver, two[0], NULL, &e);
        else
            status = leat_receiver_store_block(n->receiver, two, 2, &e), i++;
    }
    atomic_store(&n->last, (int)status);
    return NULL;
}

static enum leat_status start(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    struct numbers *n = arg;

    n->receiver = r;
    if (atomic_fetch_add(&n->starts, 1) < n->failures)
        return leat_fail(e, n->with, "nobody is there");
    for (int i = 0; i < n->threads_count; i++)
        pthread_create(&n->threads[i], NULL, store_numbers, n);
    return LEAT_OK;
}

static void stop(struct leat_receiver *r, void *arg)
{
    struct numbers *n = arg;

    CU_ASSERT_PTR_EQUAL(r, n->receiver);
    CU_ASSERT(leat_receiver_is_stopped(r));
    for (int i = 0; i < n->threads_count; i++)
        pthread_join(n->threads[i], NULL);
    atomic_fetch_add(&n->stops, 1);
}

static void is_safe(struct leat_receiver *r, int64_t upto, void *arg)
{
    struct numbers *n = arg;

    (void)r;
    CU_ASSERT(upto >= atomic_load(&n->safe));
    atomic_store(&n->safe, upto);
}

static const struct leat_receiver_functions functions = {
    .on_start = start, .on_stop = stop, .on_safe = is_safe};

/* What came out: how many, their sum, and whether each was above the one before. */
struct total {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t count, sum, last;
    bool ascending;
};

static void total_init(struct total *t)
{
    *t = (struct total){.last = -1, .ascending = true};
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
}

static enum leat_status add_up(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct total *t = arg;

    (void)e;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < rdd->count; i++) {
        int64_t n = rdd->rows[i].value.as.i;
        t->ascending = t->ascending && n > t->last;
        t->last = n;
        t->sum += n;
        t->count++;
    }
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    return LEAT_OK;
}

static void wait_for_total(struct total *t, int64_t count)
{
    pthread_mutex_lock(&t->lock);
    while (t->count < count)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

/* ---- what comes out */

static void what_one_thread_stores_comes_out_in_its_order(void)
{
    struct leat_context *ctx = new_context();
    struct numbers n = {.threads_count = 1, .count = 20000};
    struct total t;

    total_init(&t);
    leat_foreach_rdd(leat_receiver_stream(ctx, &functions, &n), add_up, &t);
    OK(leat_start(ctx, &err));
    wait_for_total(&t, n.count);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(t.count, n.count);
    CU_ASSERT_EQUAL(t.sum, n.count * (n.count - 1) / 2);
    CU_ASSERT(t.ascending);
    CU_ASSERT_EQUAL(atomic_load(&n.safe), n.count);
    CU_ASSERT_EQUAL(atomic_load(&n.starts), 1);
    CU_ASSERT_EQUAL(atomic_load(&n.stops), 1);
    leat_context_free(ctx);
}

static void a_graceful_stop_works_off_all_that_several_threads_could_store(void)
{
    struct leat_context *ctx = new_context();
    struct numbers n = {.threads_count = 4, .count = INT64_MAX};
    struct total t;

    total_init(&t);
    leat_foreach_rdd(leat_receiver_stream(ctx, &functions, &n), add_up, &t);
    OK(leat_start(ctx, &err));
    wait_for_total(&t, 10000);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(atomic_load(&n.last), LEAT_E_ABORTED);
    CU_ASSERT_EQUAL(t.count, atomic_load(&n.safe));
    CU_ASSERT_EQUAL(atomic_load(&n.stops), 1);
    leat_context_free(ctx);
}

static struct leat_pair word(const char *key, int64_t n)
{
    return (struct leat_pair){leat_string(leat_slice_str(key)), leat_int(n)};
}

static enum leat_status store_pairs(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    int64_t *number = arg;

    if (leat_receiver_store_pair(r, word("a", 1), &number[0], e) != LEAT_OK ||
        leat_receiver_store_pair(r, word("b", 2), &number[1], e) != LEAT_OK)
        return e->status;
    return leat_receiver_store_pair(r, word("a", 3), &number[2], e);
}

static void no_stop(struct leat_receiver *r, void *arg)
{
    (void)r, (void)arg;
}

static void pairs_have_keys_and_numbers_that_count_them(void)
{
    struct leat_context *ctx = new_context();
    const struct leat_receiver_functions f = {.on_start = store_pairs, .on_stop = no_stop};
    int64_t number[3] = {-1, -1, -1};
    struct seen seen;

    seen_init(&seen);
    leat_foreach_rdd(leat_reduce_by_key(leat_receiver_pair_stream(ctx, &f, number), sum, NULL), see,
                     &seen);
    OK(leat_start(ctx, &err));
    wait_for_batches(&seen, 1);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(seen.text, "a=4 b=2");
    CU_ASSERT(number[0] == 0 && number[1] == 1 && number[2] == 2);
    leat_context_free(ctx);
}

/* ---- what is told when */

static void a_block_is_over_when_the_batch_that_has_it_is_committed(void)
{
    struct leat_context *ctx = new_context();
    struct numbers n = {.threads_count = 1, .count = 2, .in_blocks = true};
    struct total t;

    total_init(&t);
    atomic_store(&n.last, -1);
    leat_foreach_rdd(leat_receiver_stream(ctx, &functions, &n), add_up, &t);
    OK(leat_start(ctx, &err));
    wait_for_total(&t, 2);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(atomic_load(&n.last), LEAT_OK);
    CU_ASSERT_EQUAL(atomic_load(&n.safe), 2);
    leat_context_free(ctx);
}

static void who_waits_for_a_block_that_no_batch_takes_is_let_go_by_a_stop(void)
{
    struct leat_context *ctx = leat_context_new("test", HOUR_MS);
    struct numbers n = {.threads_count = 1, .count = 2, .in_blocks = true};
    struct total t;

    total_init(&t);
    leat_foreach_rdd(leat_receiver_stream(ctx, &functions, &n), add_up, &t);
    OK(leat_start(ctx, &err));
    while (atomic_load(&n.starts) == 0)
        sched_yield();
    OK(leat_stop(ctx, false, &err));
    CU_ASSERT_EQUAL(atomic_load(&n.last), LEAT_E_ABORTED);
    CU_ASSERT_EQUAL(atomic_load(&n.safe), 0);
    CU_ASSERT_EQUAL(t.count, 0);
    CU_ASSERT_EQUAL(atomic_load(&n.stops), 1);
    leat_context_free(ctx);
}

static struct leat_context *lasting_context(int64_t every_ms, const char *dir)
{
    struct leat_context *ctx = leat_context_new("test", every_ms);

    leat_checkpoint(ctx, dir);
    return ctx;
}

static void what_is_stored_on_disk_is_there_for_the_next_context(void)
{
    const struct leat_receiver_functions on_disk = {
        .on_start = start, .on_stop = stop, .on_safe = is_safe, .store = "disk"};
    struct numbers n = {.threads_count = 1, .count = 2, .in_blocks = true}, none = {0};
    char dir[200];
    struct total t;

    total_init(&t);
    snprintf(dir, sizeof dir, "%s/kept", leat_test_dir());
    struct leat_context *ctx = lasting_context(HOUR_MS, dir);
    leat_foreach_rdd(leat_named(leat_receiver_stream(ctx, &on_disk, &n), "numbers"), add_up, &t);
    OK(leat_start(ctx, &err));
    while (atomic_load(&n.safe) < 2)
        sched_yield();
    OK(leat_stop(ctx, false, &err));
    CU_ASSERT_EQUAL(atomic_load(&n.last), LEAT_OK);
    leat_context_free(ctx);

    CU_ASSERT_EQUAL(t.count, 0);
    ctx = lasting_context(20, dir);
    leat_foreach_rdd(leat_named(leat_receiver_stream(ctx, &on_disk, &none), "numbers"), add_up, &t);
    OK(leat_start(ctx, &err));
    wait_for_total(&t, 2);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(t.count, 2);
    CU_ASSERT_EQUAL(t.sum, 1);
    leat_context_free(ctx);
}

static void a_graceful_stop_works_off_what_is_on_disk_too(void)
{
    const struct leat_receiver_functions on_disk = {
        .on_start = start, .on_stop = stop, .on_safe = is_safe, .store = "disk"};
    struct numbers n = {.threads_count = 2, .count = INT64_MAX};
    char dir[200];
    struct total t;

    total_init(&t);
    snprintf(dir, sizeof dir, "%s/worked-off", leat_test_dir());
    struct leat_context *ctx = lasting_context(20, dir);
    leat_foreach_rdd(leat_named(leat_receiver_stream(ctx, &on_disk, &n), "numbers"), add_up, &t);
    OK(leat_start(ctx, &err));
    wait_for_total(&t, 5000);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT(atomic_load(&n.safe) >= 5000);
    CU_ASSERT_EQUAL(t.count, atomic_load(&n.safe));
    leat_context_free(ctx);
}

/* ---- room */

struct filler {
    size_t stored;
    enum leat_status last, block;
};

static enum leat_status store_until_full(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    static char text[10000];
    struct filler *f = arg;
    const struct leat_value v = leat_string((struct leat_slice){text, sizeof text});
    struct leat_error why;

    (void)e;
    memset(text, 'x', sizeof text);
    f->block = leat_receiver_store_block(r, &v, 1, &why);
    while ((f->last = leat_receiver_store(r, v, NULL, &why)) == LEAT_OK && f->stored < 1000)
        f->stored++;
    return LEAT_OK;
}

static enum leat_status count_rows(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct total *t = arg;

    (void)e;
    pthread_mutex_lock(&t->lock);
    t->count += (int64_t)rdd->count;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    return LEAT_OK;
}

static void a_function_that_leat_calls_does_not_wait_for_room(void)
{
    const struct leat_receiver_functions f = {.on_start = store_until_full, .on_stop = no_stop};
    struct leat_context *ctx = new_context();
    struct filler filler = {0};
    struct total t;

    total_init(&t);
    leat_foreach_rdd(leat_receiver_stream(ctx, &f, &filler), count_rows, &t);
    OK(leat_start(ctx, &err));
    wait_for_total(&t, 1);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(filler.block, LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(filler.last, LEAT_E_FULL);
    CU_ASSERT(filler.stored > 10 && filler.stored < 100);
    leat_context_free(ctx);
}

static void more_than_there_is_memory_for_goes_through_a_receiver(void)
{
    struct leat_context *ctx = new_context();
    struct numbers n = {.threads_count = 2, .count = 300000};
    struct total t;

    total_init(&t);
    leat_set(ctx, "memory", "16MiB");
    leat_foreach_rdd(leat_receiver_stream(ctx, &functions, &n), add_up, &t);
    OK(leat_start(ctx, &err));
    wait_for_total(&t, 2 * n.count);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(t.sum, n.count * (n.count - 1));
    leat_context_free(ctx);
}

/* ---- starting again, and ends */

static enum leat_status start_twice(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    struct numbers *n = arg;
    int64_t number = -1;

    n->receiver = r;
    int before = atomic_fetch_add(&n->starts, 1);
    if (leat_receiver_store(r, leat_int(before), &number, e) != LEAT_OK)
        return e->status;
    CU_ASSERT_EQUAL(number, before);
    leat_receiver_report_error(r, "one that changes nothing");
    if (before < 2)
        leat_receiver_restart(r, "the peer went", 1);
    else
        leat_receiver_stop(r, "all was received");
    CU_ASSERT(leat_receiver_is_stopped(r));
    return LEAT_OK;
}

static void a_receiver_starts_again_with_what_it_had_and_its_end_is_not_the_contexts(void)
{
    const struct leat_receiver_functions f = {.on_start = start_twice, .on_stop = stop};
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct numbers n = {0};
    struct total t;

    total_init(&t);
    leat_foreach_rdd(leat_union(leat_receiver_stream(ctx, &f, &n), queue), add_up, &t);
    OK(leat_start(ctx, &err));
    wait_for_total(&t, 3);
    while (atomic_load(&n.stops) < 3)
        sched_yield();
    CU_ASSERT_EQUAL(leat_receiver_store(n.receiver, leat_int(1), NULL, &err), LEAT_E_ABORTED);
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_ACTIVE);
    PUSH(queue, 10);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(atomic_load(&n.starts), 3);
    CU_ASSERT_EQUAL(atomic_load(&n.stops), 3);
    CU_ASSERT_EQUAL(t.sum, 0 + 1 + 2 + 10);
    leat_context_free(ctx);
}

static void a_start_that_fails_is_tried_again_where_that_may_help(void)
{
    struct leat_context *ctx = new_context();
    struct numbers n = {.threads_count = 1, .count = 10, .failures = 2, .with = LEAT_E_UNREACHABLE};
    struct total t;

    total_init(&t);
    leat_foreach_rdd(leat_receiver_stream(ctx, &functions, &n), add_up, &t);
    OK(leat_start(ctx, &err));
    wait_for_total(&t, 10);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(atomic_load(&n.starts), 3);
    CU_ASSERT_EQUAL(atomic_load(&n.stops), 1);
    leat_context_free(ctx);
}

static void a_start_that_cannot_help_ends_the_job_with_its_words(void)
{
    struct leat_context *ctx = new_context();
    struct numbers n = {.failures = 1, .with = LEAT_E_DATA};
    struct total t;

    total_init(&t);
    leat_foreach_rdd(leat_named(leat_receiver_stream(ctx, &functions, &n), "x"), add_up, &t);
    OK(leat_start(ctx, &err));
    CU_ASSERT_EQUAL(leat_await_termination(ctx, &err), LEAT_E_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "x-received"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "on_start failed: nobody is there"));
    CU_ASSERT_EQUAL(atomic_load(&n.stops), 0);
    leat_context_free(ctx);
}

static struct leat_value not_the_first(struct leat_call *call, const struct leat_pair *in,
                                       void *arg)
{
    (void)arg;
    return in->value.as.i == 0 ? leat_call_fail(call, "not this one") : in->value;
}

static void an_element_that_fails_is_shown_as_it_was_stored(void)
{
    struct leat_context *ctx = new_context();
    struct numbers n = {.threads_count = 1, .count = 1};

    ends_with(ctx, leat_map(leat_receiver_stream(ctx, &functions, &n), not_the_first, NULL), "",
              "leat_map: not this one; the value is 0");
}

/* ---- misuse */

static void refused(const struct leat_receiver_functions *f, const char *why)
{
    struct leat_context *ctx = new_context();
    struct numbers n = {0};
    struct total t;

    leat_foreach_rdd(leat_receiver_stream(ctx, f, &n), add_up, &t);
    CU_ASSERT_NOT_EQUAL(leat_start(ctx, &err), LEAT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, why));
    leat_context_free(ctx);
}

static void receivers_that_make_no_sense_are_refused(void)
{
    refused(NULL, "without an on_start");
    refused(&(struct leat_receiver_functions){.on_start = start}, "without an on_start");
    refused(&(struct leat_receiver_functions){start, stop, NULL, "tape"}, "not 'tape'");
    refused(&(struct leat_receiver_functions){start, stop, NULL, "disk"}, "leat_checkpoint");
    CU_ASSERT_PTR_NULL(leat_receiver_stream(NULL, &functions, NULL));
    CU_ASSERT_PTR_NULL(leat_receiver_pair_stream(NULL, &functions, NULL));
}

struct wrong {
    enum leat_status null, pair, large, error, none;
};

static enum leat_status store_wrongly(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    struct wrong *w = arg;
    char *text = calloc(1, 2000000);
    struct leat_error why;

    w->null = leat_receiver_store(NULL, leat_int(1), NULL, &why);
    w->pair = leat_receiver_store_pair(r, word("a", 1), NULL, &why);
    w->large = leat_receiver_store(r, leat_string((struct leat_slice){text, 2000000}), NULL, &why);
    w->error = leat_receiver_store(r, (struct leat_value){.tag = LEAT_ERROR}, NULL, &why);
    w->none = leat_receiver_store_block(r, NULL, 3, &why);
    free(text);
    return leat_receiver_store(r, leat_int(7), NULL, e);
}

static void what_cannot_be_stored_leaves_nothing_behind(void)
{
    const struct leat_receiver_functions f = {.on_start = store_wrongly, .on_stop = no_stop};
    struct leat_context *ctx = new_context();
    struct wrong w = {0};
    struct total t;

    total_init(&t);
    leat_foreach_rdd(leat_receiver_stream(ctx, &f, &w), add_up, &t);
    OK(leat_start(ctx, &err));
    wait_for_total(&t, 1);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(t.sum, 7);
    CU_ASSERT_EQUAL(w.null, LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(w.pair, LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(w.large, LEAT_E_DATA);
    CU_ASSERT_EQUAL(w.error, LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(w.none, LEAT_E_MISUSE);
    leat_receiver_report_error(NULL, "x");
    leat_receiver_restart(NULL, NULL, 0);
    leat_receiver_stop(NULL, NULL);
    CU_ASSERT(leat_receiver_is_stopped(NULL));
    leat_context_free(ctx);
}

static enum leat_status store_one(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    (void)arg;
    return leat_receiver_store(r, leat_int(1), NULL, e);
}

static void a_receiver_without_memory_ends_in_order(void)
{
    const struct leat_receiver_functions f = {.on_start = store_one, .on_stop = no_stop};

    LEAT_OOM_SWEEP {
        struct leat_context *ctx = leat_context_new("test", 20);
        struct total t;

        total_init(&t);
        leat_foreach_rdd(leat_receiver_stream(ctx, &f, NULL), add_up, &t);
        (void)runs_with_all_memory(ctx, LEAT_OK);
        leat_context_free(ctx);
    }
}

LEAT_TESTS("stream_receiver", T(what_one_thread_stores_comes_out_in_its_order),
           T(a_graceful_stop_works_off_all_that_several_threads_could_store),
           T(pairs_have_keys_and_numbers_that_count_them),
           T(a_block_is_over_when_the_batch_that_has_it_is_committed),
           T(who_waits_for_a_block_that_no_batch_takes_is_let_go_by_a_stop),
           T(what_is_stored_on_disk_is_there_for_the_next_context),
           T(a_graceful_stop_works_off_what_is_on_disk_too),
           T(a_function_that_leat_calls_does_not_wait_for_room),
           T(more_than_there_is_memory_for_goes_through_a_receiver),
           T(a_receiver_starts_again_with_what_it_had_and_its_end_is_not_the_contexts),
           T(a_start_that_fails_is_tried_again_where_that_may_help),
           T(a_start_that_cannot_help_ends_the_job_with_its_words),
           T(an_element_that_fails_is_shown_as_it_was_stored),
           T(receivers_that_make_no_sense_are_refused),
           T(what_cannot_be_stored_leaves_nothing_behind),
           T(a_receiver_without_memory_ends_in_order))
