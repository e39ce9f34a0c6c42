/*
 * Tests engine/stream: contexts that go on from a directory, and batches that are kept. That a
 * killed process goes on is in tests/cli/test_library.py.
 */
#include "stream_rig.h"

static struct leat_error err;

struct maker {
    const char *dir; /* that it sets by itself; NULL: none */
    bool starts, gives_none;
    int called;
    struct seen seen;
};

/* Numbers of a generator; the state counts how many there were. */
static struct leat_context *make(void *arg)
{
    struct maker *m = arg;

    m->called++;
    if (m->gives_none)
        return NULL;
    struct leat_context *ctx = new_context();
    const struct leat_option options[] = {{"text", "a"}, {"format", "text"}};
    seen_init(&m->seen);
    if (m->dir)
        leat_checkpoint(ctx, m->dir);
    struct leat_stream *pairs = leat_map_to_pair(
        leat_named(leat_source_stream(ctx, "memory", options, 2), "lines"), with_one, NULL);
    leat_foreach_rdd(leat_named(leat_update_state_by_key(pairs, how_many, NULL), "totals"), see,
                     &m->seen);
    if (m->starts)
        OK(leat_start(ctx, &err));
    return ctx;
}

static const char *dir_of(const char *name)
{
    static char dir[200];

    snprintf(dir, sizeof dir, "%s/%s", leat_test_dir(), name);
    return dir;
}

static void the_second_context_goes_on_where_the_first_has_stopped(void)
{
    struct leat_context *ctx;
    struct maker m = {0};
    bool goes_on = true;

    for (int life = 1; life <= 2; life++) {
        OK(leat_context_get_or_create(dir_of("twice"), make, &m, &ctx, &goes_on, &err));
        CU_ASSERT_EQUAL(goes_on, life == 2);
        OK(leat_start(ctx, &err));
        pthread_mutex_lock(&m.seen.lock); /* every source of this kind says "a" once */
        while (!strstr(m.seen.text, life == 1 ? "a=1" : "a=2"))
            pthread_cond_wait(&m.seen.changed, &m.seen.lock);
        pthread_mutex_unlock(&m.seen.lock);
        OK(leat_stop(ctx, false, &err));
        leat_context_free(ctx);
    }
    CU_ASSERT_EQUAL(m.called, 2);
}

static void what_makes_no_sense_is_refused_and_the_callers_context_is_his(void)
{
    struct leat_context *ctx;
    struct maker m = {0};

    CU_ASSERT_EQUAL(leat_context_get_or_create(NULL, make, &m, &ctx, NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_context_get_or_create("", make, &m, &ctx, NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_context_get_or_create("x", NULL, &m, &ctx, NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_context_get_or_create("x", make, &m, NULL, NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(m.called, 0);
    m.gives_none = true;
    CU_ASSERT_EQUAL(leat_context_get_or_create("x", make, &m, &ctx, NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_PTR_NULL(ctx);

    m = (struct maker){.dir = "/somewhere/else"};
    CU_ASSERT_EQUAL(leat_context_get_or_create("x", make, &m, &ctx, NULL, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/somewhere/else"));
    leat_context_free(ctx);

    m = (struct maker){.starts = true};
    CU_ASSERT_EQUAL(leat_context_get_or_create("x", make, &m, &ctx, NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "was started"));
    leat_context_free(ctx);
}

static void the_directory_may_be_set_to_the_same_and_must_be_one(void)
{
    struct leat_context *ctx;
    struct maker m = {.dir = dir_of("same")};
    char path[300];
    bool goes_on;

    OK(leat_context_get_or_create(m.dir, make, &m, &ctx, &goes_on, &err));
    CU_ASSERT_FALSE(goes_on);
    leat_context_free(ctx);
    snprintf(path, sizeof path, "%s", dir_of("a-file"));
    fclose(fopen(path, "w"));
    m = (struct maker){0};
    CU_ASSERT_EQUAL(leat_context_get_or_create(path, make, &m, &ctx, &goes_on, &err), LEAT_E_IO);
    CU_ASSERT_EQUAL(m.called, 0);
    CU_ASSERT_PTR_NULL(ctx);
}

static void a_program_that_must_go_on_is_refused_where_nothing_is(void)
{
    struct leat_context *ctx;
    struct maker m = {0};
    char dir[300];

    snprintf(dir, sizeof dir, "%s", dir_of("nowhere"));
    CU_ASSERT_EQUAL(leat_context_go_on(dir, make, &m, &ctx, &err), LEAT_E_LOST);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, dir));
    CU_ASSERT_PTR_NULL(ctx);
    CU_ASSERT_EQUAL(m.called, 0);
    CU_ASSERT_EQUAL(leat_context_go_on(dir, NULL, &m, &ctx, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_context_go_on(dir, make, &m, NULL, &err), LEAT_E_MISUSE);

    OK(leat_context_get_or_create(dir, make, &m, &ctx, NULL, &err));
    OK(leat_start(ctx, &err));
    pthread_mutex_lock(&m.seen.lock);
    while (!strstr(m.seen.text, "a=1"))
        pthread_cond_wait(&m.seen.changed, &m.seen.lock);
    pthread_mutex_unlock(&m.seen.lock);
    OK(leat_stop(ctx, false, &err));
    leat_context_free(ctx);
    OK(leat_context_go_on(dir, make, &m, &ctx, &err));
    OK(leat_start(ctx, &err));
    pthread_mutex_lock(&m.seen.lock);
    while (!strstr(m.seen.text, "a=2"))
        pthread_cond_wait(&m.seen.changed, &m.seen.lock);
    pthread_mutex_unlock(&m.seen.lock);
    OK(leat_stop(ctx, false, &err));
    leat_context_free(ctx);
}

/* ---- kept batches */

/* Of a context that has run: when the batches with 1, 2 and 3 were. */
struct times {
    int64_t of[4];
    int64_t last;
};

static enum leat_status note_time(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct times *t = arg;

    (void)e;
    t->last = rdd->time_ms;
    if (rdd->count)
        t->of[rdd->rows[0].value.as.i] = rdd->time_ms;
    return LEAT_OK;
}

static struct leat_stream *kept_numbers(struct leat_context *ctx, struct times *t)
{
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    *t = (struct times){0};
    leat_foreach_rdd(queue, note_time, t);
    for (int64_t i = 1; i <= 3; i++)
        PUSH(queue, i);
    return queue;
}

static const char *slice_of(struct leat_stream *s, int64_t from_ms, int64_t to_ms)
{
    static struct seen seen;

    seen_init(&seen);
    OK(leat_slice_batches(s, from_ms, to_ms, see, &seen, &err));
    CU_ASSERT(seen.in_order);
    return seen.text;
}

static void batches_of_the_remembered_time_are_shown_in_order(void)
{
    struct leat_context *ctx = new_context();
    struct times t;
    struct leat_stream *queue = kept_numbers(ctx, &t);
    struct leat_stream *pairs = leat_map_to_pair(queue, with_one, NULL);

    leat_remember(ctx, 3600000);
    CU_ASSERT_PTR_EQUAL(leat_persist(queue, "MEMORY_ONLY"), queue);
    CU_ASSERT_PTR_EQUAL(leat_persist(pairs, NULL), pairs);
    OK(leat_start(ctx, &err));
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(slice_of(queue, 0, INT64_MAX), "1|2|3");
    CU_ASSERT_STRING_EQUAL(slice_of(queue, INT64_MIN, INT64_MAX), "1|2|3");
    CU_ASSERT_STRING_EQUAL(slice_of(pairs, 0, INT64_MAX), "1=1|2=1|3=1");
    CU_ASSERT_STRING_EQUAL(slice_of(queue, t.of[2], t.of[3]), "2|3");
    CU_ASSERT_STRING_EQUAL(slice_of(queue, t.of[1], t.of[3] - 1), "1|2");
    CU_ASSERT_STRING_EQUAL(slice_of(queue, t.of[1] + 1, t.of[2] - 1), "1");
    CU_ASSERT_STRING_EQUAL(slice_of(queue, t.of[3] + 20, INT64_MAX), "");
    CU_ASSERT_STRING_EQUAL(slice_of(queue, 0, t.of[1] - 1), "");
    leat_context_free(ctx);
}

static void what_is_not_remembered_is_lost_and_said_to_be(void)
{
    struct leat_context *ctx = new_context();
    struct times t;
    struct leat_stream *queue = kept_numbers(ctx, &t);
    struct seen seen;

    leat_persist(queue, "MEMORY_ONLY_SER");
    OK(leat_start(ctx, &err));
    OK(leat_stop(ctx, true, &err));
    seen_init(&seen);
    CU_ASSERT_EQUAL(leat_slice_batches(queue, t.of[1], t.last, see, &seen, &err), LEAT_E_LOST);
    CU_ASSERT_STRING_EQUAL(seen.text, "");
    OK(leat_slice_batches(queue, t.last, t.last, see, &seen, &err));
    CU_ASSERT_EQUAL(seen.last_ms, t.last);
    leat_context_free(ctx);
}

/* Batches of 20 ms, until some later one is through. */
struct passing {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int64_t last_ms;
    int batches, shown;
};

static enum leat_status pass(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct passing *p = arg;

    (void)e;
    pthread_mutex_lock(&p->lock);
    p->last_ms = rdd->time_ms;
    p->batches++;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return LEAT_OK;
}

/* At most two batches are under way: when the third behind this one is, the next one is kept. */
static enum leat_status look_for_long(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct passing *p = arg;

    (void)rdd, (void)e;
    pthread_mutex_lock(&p->lock);
    for (int before = p->batches; p->batches < before + 3;)
        pthread_cond_wait(&p->changed, &p->lock);
    p->shown++;
    pthread_mutex_unlock(&p->lock);
    return LEAT_OK;
}

static void what_goes_while_it_is_looked_at_was_there(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_persist(leat_queue_stream(ctx, true), NULL);
    struct passing p = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    enum leat_status status = LEAT_E_LOST;

    leat_foreach_rdd(queue, pass, &p);
    OK(leat_start(ctx, &err));
    while (p.shown == 0 && (status == LEAT_OK || status == LEAT_E_LOST)) {
        pthread_mutex_lock(&p.lock);
        while (p.batches == 0)
            pthread_cond_wait(&p.changed, &p.lock);
        int64_t last_ms = p.last_ms;
        pthread_mutex_unlock(&p.lock);
        status = leat_slice_batches(queue, last_ms, last_ms + 1, look_for_long, &p, &err);
    }
    CU_ASSERT_EQUAL(status, LEAT_OK);
    CU_ASSERT_EQUAL(p.shown, 1);
    OK(leat_stop(ctx, false, &err));
    leat_context_free(ctx);
}

struct looker {
    struct leat_stream *stream;
    enum leat_status status;
    int calls;
    struct seen seen;
};

static enum leat_status look(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct looker *l = arg;

    if (rdd->count && l->calls++ == 0)
        l->status = leat_slice_batches(l->stream, 0, INT64_MAX, see, &l->seen, e);
    return LEAT_OK;
}

static void a_function_of_the_context_may_look_too(void)
{
    struct leat_context *ctx = new_context();
    struct times t;
    struct looker l = {.stream = kept_numbers(ctx, &t), .status = LEAT_E_BROKEN};

    seen_init(&l.seen);
    leat_remember(ctx, 3600000);
    leat_persist(l.stream, NULL);
    leat_foreach_rdd(l.stream, look, &l);
    OK(leat_start(ctx, &err));
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(l.status, LEAT_OK);
    leat_context_free(ctx);
}

static void misuse_of_what_is_kept_has_a_status(void)
{
    struct leat_context *ctx = new_context();
    struct times t;
    struct leat_stream *queue = kept_numbers(ctx, &t), *other = leat_count(queue);
    struct seen seen;

    seen_init(&seen);
    leat_remember(NULL, 1);
    CU_ASSERT_PTR_NULL(leat_persist(NULL, NULL));
    leat_persist(queue, NULL);
    CU_ASSERT_EQUAL(leat_slice_batches(queue, 0, 1, see, &seen, &err), LEAT_E_MISUSE);
    OK(leat_start(ctx, &err));
    CU_ASSERT_EQUAL(leat_slice_batches(NULL, 0, 1, see, &seen, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_slice_batches(queue, 0, 1, NULL, &seen, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_slice_batches(queue, 2, 1, see, &seen, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_slice_batches(other, 0, 1, see, &seen, &err), LEAT_E_MISUSE);
    OK(leat_stop(ctx, false, &err));
    leat_context_free(ctx);
    ctx = new_context();
    leat_persist(leat_queue_stream(ctx, true), "DISK_ONLY");
    CU_ASSERT_EQUAL(leat_context_error(ctx, &err), LEAT_E_CONFIG);
    leat_context_free(ctx);
    ctx = new_context();
    leat_remember(ctx, 1000);
    OK(leat_context_error(ctx, &err));
    leat_remember(ctx, 1000);
    CU_ASSERT_EQUAL(leat_context_error(ctx, &err), LEAT_E_MISUSE);
    leat_context_free(ctx);
    ctx = new_context();
    leat_persist(leat_queue_stream(ctx, true), NULL);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG); /* no output */
    leat_context_free(ctx);
}

static void keeping_without_memory_ends_in_order(void)
{
    LEAT_OOM_SWEEP {
        struct leat_context *ctx = leat_context_new("test", 20);
        struct leat_stream *queue = leat_persist(leat_queue_stream(ctx, true), NULL);
        const struct leat_value v = leat_int(1);
        struct seen seen;

        seen_init(&seen);
        leat_print(queue, 0);
        enum leat_status status = queue ? leat_queue_push(queue, &v, 1, &err) : LEAT_OK;
        CU_ASSERT(status == LEAT_OK || leat_oom_hit());
        status = leat_start(ctx, &err);
        CU_ASSERT(status == LEAT_OK || leat_oom_hit());
        if (status == LEAT_OK) {
            status = leat_stop(ctx, true, &err);
            CU_ASSERT(status == LEAT_OK || leat_oom_hit());
            status = leat_slice_batches(queue, 0, INT64_MAX, see, &seen, &err);
            CU_ASSERT(status == LEAT_OK || status == LEAT_E_LOST || leat_oom_hit());
        }
        leat_context_free(ctx);
    }
}

LEAT_TESTS("stream_keep", T(the_second_context_goes_on_where_the_first_has_stopped),
           T(what_makes_no_sense_is_refused_and_the_callers_context_is_his),
           T(the_directory_may_be_set_to_the_same_and_must_be_one),
           T(a_program_that_must_go_on_is_refused_where_nothing_is),
           T(batches_of_the_remembered_time_are_shown_in_order),
           T(what_is_not_remembered_is_lost_and_said_to_be),
           T(what_goes_while_it_is_looked_at_was_there), T(a_function_of_the_context_may_look_too),
           T(misuse_of_what_is_kept_has_a_status), T(keeping_without_memory_ends_in_order))
