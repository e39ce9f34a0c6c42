/*
 * Tests engine/stream/mapped.c: states that leat_map_with_state() begins with, among elements that
 * have times of their own, and under exactly once. Also under thread sanitizer.
 */
#include "stream_rig.h"

#include "stream.h"

#include <glob.h>
#include <unistd.h>

static struct leat_error err;

static struct leat_pair state_of(const char *key, int64_t state)
{
    return (struct leat_pair){leat_string(leat_slice_str(key)), leat_int(state)};
}

/* The sum with the state, which it becomes; of a key whose time is over, the key. */
static struct leat_value add(struct leat_call *call, struct leat_value key,
                             const struct leat_value *value, struct leat_key_state *state,
                             void *arg)
{
    (void)call, (void)arg;
    if (!value)
        return key;
    leat_key_state_update(
        state, leat_int(value->as.i +
                        (leat_key_state_exists(state) ? leat_key_state_get(state).as.i : 0)));
    return leat_key_state_get(state);
}

static struct leat_stream *sums(struct leat_stream *s, int64_t timeout_ms)
{
    const struct leat_pair initial[] = {state_of("a", 10), state_of("z", 20)};

    return leat_map_with_state(
        s, &(struct leat_state_spec){
               .fn = add, .timeout_ms = timeout_ms, .initial = initial, .initial_count = 2});
}

/* Values are their own times, in milliseconds. */
static struct leat_value its_time(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_int(in->value.as.i);
}

static void push_pair(struct leat_stream *queue, const char *key, int64_t value)
{
    const struct leat_pair pair = state_of(key, value);

    OK(leat_queue_push_pairs(queue, &pair, 1, &err));
}

/* ---- times of their own */

static void elements_find_the_states_whatever_their_times(void)
{
    for (int late = 0; late < 2; late++) { /* the input's times may be said later, too */
        struct leat_context *ctx = new_context();
        struct leat_stream *queue = leat_queue_pair_stream(ctx, false);
        if (!late)
            leat_event_time(queue, its_time, NULL, 0, 0);
        struct leat_stream *s = sums(queue, 0);
        if (late)
            leat_event_time(queue, its_time, NULL, 0, 0);
        push_pair(queue, "a", 1000);
        push_pair(queue, "a", -20);
        push_pair(queue, "b", 5);
        COMES_OUT(ctx, s, "-10 5 990");
    }
}

static void states_may_be_behind_states(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_pair_stream(ctx, false);
    const struct leat_pair first = state_of("a", 10), second = {leat_int(0), leat_int(100)};
    struct leat_state_spec spec = {.fn = add, .initial = &first, .initial_count = 1};

    push_pair(queue, "a", 1);
    leat_event_time(queue, its_time, NULL, 0, 0);
    struct leat_stream *pairs = leat_map_to_pair(leat_map_with_state(queue, &spec), with_one, NULL);
    spec.initial = &second;
    COMES_OUT(ctx, leat_map_with_state(pairs, &spec), "1");
}

/* The states are as old as the batch that they came with. */
static void a_state_that_nothing_comes_for_times_out(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);
    struct seen seen;

    seen_init(&seen);
    leat_event_time(queue, its_time, NULL, 0, 0);
    push_pair(queue, "b", 1000);
    push_pair(queue, "a", 1); /* neither the states nor 'b' are so old that this is late for them */
    leat_foreach_rdd(sums(queue, 3600000), see, &seen);
    OK(leat_start(ctx, &err));
    wait_for_batches(&seen, 2);
    CU_ASSERT_STRING_EQUAL(seen.text, "1000|11");
    push_pair(queue, "c", INT64_C(32503680000000)); /* the year 3000 */
    pthread_mutex_lock(&seen.lock);
    while (!strstr(seen.text, "z"))
        pthread_cond_wait(&seen.changed, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
    OK(leat_stop(ctx, true, &err));
    leat_context_free(ctx);
}

static void windows_behind_the_states_do_not_wait_for_them(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);
    struct seen seen;

    seen_init(&seen);
    leat_event_time(queue, its_time, NULL, 0, 0);
    push_pair(queue, "b", 1);
    push_pair(queue, "b", 2);
    push_pair(queue, "c", 1000000);
    leat_foreach_rdd(leat_count_by_window(sums(queue, 0), 1000, 1000), see, &seen);
    OK(leat_start(ctx, &err));
    wait_for_batches(&seen, 1);
    OK(leat_stop(ctx, false, &err));
    CU_ASSERT_PTR_NOT_NULL(strstr(seen.text, "2"));
    leat_context_free(ctx);
}

static void without_memory_it_ends_in_order(void)
{
    const struct leat_pair one = {leat_string(LEAT_LIT("a")), leat_int(1)};

    begin_own_tmp();
    LEAT_OOM_SWEEP {
        struct leat_context *ctx = leat_context_new("test", 20);
        struct leat_stream *queue = leat_queue_pair_stream(ctx, true);
        struct seen seen;

        seen_init(&seen);
        leat_event_time(queue, its_time, NULL, 0, 0);
        leat_foreach_rdd(sums(queue, 1000), see, &seen);
        enum leat_status status =
            ctx && queue ? leat_queue_push_pairs(queue, &one, 1, &err) : LEAT_OK;
        if (runs_with_all_memory(ctx, status))
            CU_ASSERT_STRING_EQUAL(seen.text, "11");
        leat_context_free(ctx);
    }
    end_own_tmp();
}

/* ---- exactly once */

static char dir[200];

static void write_lines(const char *name, const char *text)
{
    char path[300];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT(fputs(text, f) >= 0);
    CU_ASSERT_EQUAL(fclose(f), 0);
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* The lines of all parts that were saved, sorted. */
static const char *saved(void)
{
    static char text[400];
    char pattern[300], lines[32][16];
    size_t count = 0;
    glob_t g;

    snprintf(pattern, sizeof pattern, "%s/out-*/part-*", dir);
    CU_ASSERT_EQUAL_FATAL(glob(pattern, 0, NULL, &g), 0);
    for (size_t i = 0; i < g.gl_pathc; i++) {
        FILE *f = fopen(g.gl_pathv[i], "r");
        while (f && count < 32 && fscanf(f, "%15s", lines[count]) == 1)
            count++;
        if (f)
            fclose(f);
    }
    globfree(&g);
    qsort(lines, count, sizeof *lines, compare);
    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? " " : "", lines[i]);
    return text;
}

/* Reads all files that are there, and ends. */
static void a_life(void)
{
    char path[300], state[300], out[300];
    struct leat_context *ctx = new_context();
    const struct leat_option options[] = {{"path", path}, {"format", "text"}};

    snprintf(path, sizeof path, "%s/*.in", dir);
    snprintf(state, sizeof state, "%s/state", dir);
    snprintf(out, sizeof out, "%s/out", dir);
    leat_checkpoint(ctx, state);
    leat_set(ctx, "delivery", "exactly_once");
    leat_set(ctx, "batch.trigger", "caught_up");
    struct leat_stream *lines = leat_named(leat_source_stream(ctx, "files", options, 2), "lines");
    struct leat_stream *s = leat_named(sums(leat_map_to_pair(lines, with_one, NULL), 0), "sums");
    leat_save_as_text_files(s, out, NULL);
    OK(leat_start(ctx, &err));
    OK(leat_await_termination(ctx, &err));
    leat_context_free(ctx);
}

static void states_go_in_once_also_with_exactly_once(void)
{
    snprintf(dir, sizeof dir, "%s", leat_test_dir());
    write_lines("1.in", "a\nb\n");
    a_life();
    CU_ASSERT_STRING_EQUAL(saved(), "1 11");
    write_lines("2.in", "a\nz\n");
    a_life();
    CU_ASSERT_STRING_EQUAL(saved(), "1 11 12 21");
}

LEAT_TESTS("stream_first_states", T(elements_find_the_states_whatever_their_times),
           T(states_may_be_behind_states), T(a_state_that_nothing_comes_for_times_out),
           T(windows_behind_the_states_do_not_wait_for_them), T(without_memory_it_ends_in_order),
           T(states_go_in_once_also_with_exactly_once))
