/*
 * Tests engine/stream: contexts that go on from a directory. That a killed process goes on is in
 * tests/cli/test_library.py.
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

LEAT_TESTS("stream_keep", T(the_second_context_goes_on_where_the_first_has_stopped),
           T(what_makes_no_sense_is_refused_and_the_callers_context_is_his),
           T(the_directory_may_be_set_to_the_same_and_must_be_one))
