/*
 * Tests engine/stream: programs of C functions over the engine, from what they push to what they
 * are called with. Also under thread sanitizer.
 */
#include "leat_stream.h"
#include "leat_test.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct leat_error err;

/* ---- what comes out, as text: batches by '|', elements by blanks, sorted within a batch */

struct seen {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char text[4096];
    char words[256][64];
    int batches, want; /* want: until so many were not empty */
    int64_t last_ms;
    bool in_order;
    enum leat_status fail;
};

static void seen_init(struct seen *s)
{
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->in_order = true;
}

static int print(struct leat_value v, char *into, size_t room)
{
    int n;

    if (v.tag == LEAT_INT)
        return snprintf(into, room, "%lld", (long long)v.as.i);
    if (v.tag == LEAT_STRING)
        return snprintf(into, room, "%.*s", (int)v.len, v.as.text);
    if (v.tag != LEAT_LIST)
        return snprintf(into, room, "%s", leat_tag_name(v.tag));
    n = snprintf(into, room, "[");
    for (uint32_t i = 0; i < v.len; i++) {
        n += snprintf(into + n, room - (size_t)n, i ? "," : "");
        n += print(v.as.items[i], into + n, room - (size_t)n);
    }
    return n + snprintf(into + n, room - (size_t)n, "]");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static enum leat_status see(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct seen *s = arg;

    pthread_mutex_lock(&s->lock);
    s->in_order = s->in_order && rdd->time_ms > s->last_ms;
    s->last_ms = rdd->time_ms;
    for (size_t i = 0; i < rdd->count; i++) {
        char *at = s->words[i];
        int n = 0;
        if (rdd->rows[i].key.tag != LEAT_NULL) {
            n = print(rdd->rows[i].key, at, 32);
            n += snprintf(at + n, 64 - (size_t)n, "=");
        }
        print(rdd->rows[i].value, at + n, 64 - (size_t)n);
    }
    qsort(s->words, rdd->count, sizeof *s->words, by_text);
    for (size_t i = 0; i < rdd->count; i++) {
        strcat(s->text, i ? " " : s->text[0] ? "|" : "");
        strcat(s->text, s->words[i]);
    }
    s->batches += rdd->count > 0;
    enum leat_status status = s->fail ? leat_fail(e, s->fail, "no room for this") : LEAT_OK;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return status;
}

static void wait_for_batches(struct seen *s, int count)
{
    pthread_mutex_lock(&s->lock);
    while (s->batches < count)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
}

/* ---- functions of a program */

static struct leat_value split(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value words = leat_list();
    struct leat_slice rest = leat_value_text(in->value), word;

    (void)arg;
    while (rest.len) {
        leat_slice_cut(rest, ' ', &word, &rest);
        if (word.len)
            leat_list_add(call, &words, leat_string(word));
    }
    return words;
}

static struct leat_pair with_one(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return (struct leat_pair){in->value, leat_int(1)};
}

static struct leat_value sum(struct leat_call *call, struct leat_value a, struct leat_value b,
                             void *arg)
{
    (void)call, (void)arg;
    return leat_int(a.as.i + b.as.i);
}

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

static struct leat_value twice(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_int(2 * in->value.as.i);
}

static struct leat_value is_even(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return leat_bool(in->value.as.i % 2 == 0);
}

static struct leat_value refuse_three(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    return in->value.as.i == 3 ? leat_call_fail(call, "%d is %s", 3, "unlucky") : in->value;
}

static struct leat_value key_as_text(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    return leat_call_text(call, in->key.as.text, in->key.len);
}

static struct leat_value how_many(struct leat_call *call, struct leat_value key,
                                  struct leat_value values, struct leat_value state, void *arg)
{
    (void)call, (void)key, (void)arg;
    return leat_int(values.len + (state.tag == LEAT_INT ? state.as.i : 0));
}

/* ---- helpers */

static struct leat_context *new_context(void)
{
    struct leat_context *ctx = leat_context_new("test", 20);

    leat_set(ctx, "partitions", "4");
    leat_set(ctx, "threads", "2");
    return ctx;
}

static void push_ints(struct leat_stream *queue, size_t count, const int64_t *list)
{
    struct leat_value values[16];

    for (size_t i = 0; i < count; i++)
        values[i] = leat_int(list[i]);
    OK(leat_queue_push(queue, values, count, &err));
}

static void push_text(struct leat_stream *queue, const char *text)
{
    const struct leat_value v = leat_string(leat_slice_str(text));

    OK(leat_queue_push(queue, &v, 1, &err));
}

#define PUSH(queue, ...)                                                                           \
    push_ints(queue, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

/* Everything that was pushed is worked off; what came out of `s`. */
static const char *run(struct leat_context *ctx, struct leat_stream *s, struct seen *seen)
{
    seen_init(seen);
    leat_foreach_rdd(s, see, seen);
    OK(leat_start(ctx, &err));
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT(seen->in_order);
    leat_context_free(ctx);
    return seen->text;
}

#define COMES_OUT(ctx, stream, expected)                                                           \
    do {                                                                                           \
        struct seen seen_;                                                                         \
        CU_ASSERT_STRING_EQUAL(run(ctx, stream, &seen_), expected);                                \
        if (strcmp(seen_.text, expected))                                                          \
            printf("    came out: %s\n", seen_.text);                                              \
    } while (0)

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

static enum leat_status see_slowly(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    if (rdd->count)
        usleep(30000); /* longer than the interval */
    return see(rdd, arg, e);
}

static void each_push_is_a_batch_however_long_batches_take(void)
{
    struct leat_context *ctx = leat_context_new("test", 5);
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct seen seen;

    seen_init(&seen);
    leat_foreach_rdd(queue, see_slowly, &seen);
    for (int i = 0; i < 8; i++)
        PUSH(queue, i);
    OK(leat_start(ctx, &err));
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_STRING_EQUAL(seen.text, "0|1|2|3|4|5|6|7");
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

static void group_by_key_gives_the_values_of_each_key(void)
{
    struct leat_context *ctx = new_context();

    COMES_OUT(ctx, leat_group_by_key(pairs_of(ctx, "aba")), "a=[0,2] b=[1]");
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
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "3 is unlucky"));
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

/* ---- misuse */

static void the_first_mistake_is_kept_with_its_line_and_returned_by_start(void)
{
    struct leat_context *ctx = new_context(), *other = new_context();
    struct leat_stream *a = leat_queue_stream(ctx, true), *b = leat_queue_stream(other, true);
    char place[40];

    OK(leat_context_error(ctx, &err));
    struct leat_stream *s = leat_map(a, NULL, NULL);
    snprintf(place, sizeof place, "test_stream.c:%d: leat_map", __LINE__ - 1);
    CU_ASSERT_PTR_NOT_NULL(s);
    CU_ASSERT_PTR_NOT_NULL(leat_union(a, b));
    leat_print(leat_count(leat_filter(s, is_even, NULL)), 10);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_MISUSE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, place));
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_STOPPED);
    leat_context_free(ctx);
    CU_ASSERT_PTR_NOT_NULL(leat_join(b, NULL));
    CU_ASSERT_EQUAL(leat_context_error(other, &err), LEAT_E_MISUSE);
    leat_context_free(other);
}

static void a_graph_that_makes_no_sense_is_refused_with_its_line(void)
{
    struct leat_context *ctx = new_context();
    char place[40];

    leat_print(leat_reduce_by_key(leat_queue_stream(ctx, true), sum, NULL), 10);
    snprintf(place, sizeof place, "test_stream.c:%d", __LINE__ - 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, place));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "needs a stream with a key"));
    leat_context_free(ctx);
}

static void a_graph_without_an_output_is_refused(void)
{
    struct leat_context *ctx = new_context();

    leat_map(leat_queue_stream(ctx, true), twice, NULL);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no output"));
    leat_context_free(ctx);
}

static void nothing_at_all_is_taken_where_a_context_or_stream_is_due(void)
{
    bool ended;

    CU_ASSERT_PTR_NULL(leat_queue_stream(NULL, true));
    CU_ASSERT_PTR_NULL(leat_socket_text_stream(NULL, "localhost", 1));
    CU_ASSERT_PTR_NULL(leat_source_stream(NULL, "memory", NULL, 0));
    CU_ASSERT_PTR_NULL(leat_map(NULL, twice, NULL));
    CU_ASSERT_PTR_NULL(leat_map_to_pair(NULL, with_one, NULL));
    CU_ASSERT_PTR_NULL(leat_count(NULL));
    CU_ASSERT_PTR_NULL(leat_window(NULL, 1, 1));
    CU_ASSERT_PTR_NULL(leat_union(NULL, NULL));
    CU_ASSERT_PTR_NULL(leat_join(NULL, NULL));
    CU_ASSERT_PTR_NULL(leat_named(NULL, "x"));
    CU_ASSERT_PTR_NULL(leat_update_state_by_key(NULL, how_many, NULL));
    leat_print(NULL, 10);
    leat_foreach_rdd(NULL, see, NULL);
    leat_save_as_text_files(NULL, "x", "");
    leat_set(NULL, "threads", "1");
    leat_context_free(NULL);
    CU_ASSERT_EQUAL(leat_start(NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_stop(NULL, true, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_await_termination(NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_await_termination_or_timeout(NULL, 1, &ended, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_queue_push(NULL, NULL, 0, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_context_error(NULL, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_get_state(NULL), LEAT_STOPPED);
}

static void what_comes_in_the_wrong_order_has_a_status(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct leat_pair none = {{0}, {0}};
    struct seen seen;
    bool ended;

    seen_init(&seen);
    leat_foreach_rdd(queue, see, &seen);
    CU_ASSERT_EQUAL(leat_await_termination(ctx, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_queue_push_pairs(queue, &none, 1, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_INITIALIZED);
    OK(leat_start(ctx, &err));
    OK(leat_start(ctx, &err));
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_ACTIVE);
    OK(leat_await_termination_or_timeout(ctx, 1, &ended, &err));
    CU_ASSERT_FALSE(ended);
    leat_print(leat_count(queue), 10);
    CU_ASSERT_EQUAL(leat_context_error(ctx, &err), LEAT_E_MISUSE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "been started"));
    OK(leat_stop(ctx, false, &err));
    OK(leat_stop(ctx, true, &err));
    OK(leat_await_termination(ctx, &err));
    CU_ASSERT_EQUAL(leat_queue_push(queue, NULL, 0, &err), LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_MISUSE);
    leat_context_free(ctx);
}

static void a_context_that_is_stopped_before_it_began_stays_stopped(void)
{
    struct leat_context *ctx = new_context();

    leat_print(leat_queue_stream(ctx, true), 1);
    OK(leat_stop(ctx, true, &err));
    CU_ASSERT_EQUAL(leat_get_state(ctx), LEAT_STOPPED);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_MISUSE);
    leat_context_free(ctx);
}

static void settings_that_are_none_are_refused(void)
{
    struct leat_context *ctx = new_context();

    leat_set(ctx, "sinks.x", "1");
    CU_ASSERT_EQUAL(leat_context_error(ctx, &err), LEAT_E_CONFIG);
    leat_context_free(ctx);
    ctx = leat_context_new("test", 0);
    leat_print(leat_queue_stream(ctx, true), 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG);
    leat_context_free(ctx);
    ctx = leat_context_new("Not A Name", 1000);
    leat_print(leat_queue_stream(ctx, true), 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG);
    leat_context_free(ctx);
    ctx = leat_context_new("test", 1000);
    leat_checkpoint(ctx, "/tmp/x");
    leat_print(leat_queue_stream(ctx, true), 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "checkpoint"));
    leat_context_free(ctx);
    ctx = leat_context_new("test", 1000);
    leat_set(ctx, "delivery", "exactly_once");
    leat_print(leat_queue_stream(ctx, true), 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "exactly_once"));
    leat_context_free(ctx);
}

struct stopper {
    struct leat_context *ctx;
    enum leat_status stop, wait;
};

static enum leat_status stop_from_within(const struct leat_rdd *rdd, void *arg,
                                         struct leat_error *e)
{
    struct stopper *s = arg;

    (void)rdd, (void)e;
    struct leat_error why;
    s->wait = leat_await_termination(s->ctx, &why);
    s->stop = leat_stop(s->ctx, true, &why);
    leat_context_free(s->ctx);
    return LEAT_OK;
}

static void a_function_can_stop_the_context_it_is_called_by_but_not_wait(void)
{
    struct leat_context *ctx = new_context();
    struct stopper s = {.ctx = ctx};

    leat_foreach_rdd(leat_queue_stream(ctx, true), stop_from_within, &s);
    OK(leat_start(ctx, &err));
    OK(leat_await_termination(ctx, &err));
    CU_ASSERT_EQUAL(s.wait, LEAT_E_MISUSE);
    CU_ASSERT_EQUAL(s.stop, LEAT_OK);
    leat_context_free(ctx);
}

/* ---- two threads, and no memory */

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

static void building_reports_lack_of_memory(void)
{
    char dir[64];

    snprintf(dir, sizeof dir, "%s/oom", leat_test_dir());
    CU_ASSERT_EQUAL_FATAL(mkdir(dir, 0700), 0);
    CU_ASSERT_EQUAL_FATAL(setenv("TMPDIR", dir, 1), 0);
    LEAT_OOM_SWEEP {
        struct leat_context *ctx = leat_context_new("test", 20);
        struct leat_stream *queue = leat_queue_stream(ctx, true);
        const struct leat_value v = leat_string(LEAT_LIT("a b a"));
        struct seen seen;

        seen_init(&seen);
        leat_foreach_rdd(
            leat_reduce_by_key(leat_map_to_pair(leat_flat_map(queue, split, NULL), with_one, NULL),
                               sum, NULL),
            see, &seen);
        enum leat_status status = ctx && queue ? leat_queue_push(queue, &v, 1, &err) : LEAT_OK;
        CU_ASSERT(status == LEAT_OK || leat_oom_hit());
        status = leat_start(ctx, &err);
        CU_ASSERT(status == LEAT_OK || leat_oom_hit());
        if (status == LEAT_OK) {
            status = leat_stop(ctx, true, &err);
            CU_ASSERT(status == LEAT_OK || leat_oom_hit());
            if (!leat_oom_hit())
                CU_ASSERT_STRING_EQUAL(seen.text, "a=2 b=1");
        }
        leat_context_free(ctx);
    }
    unsetenv("TMPDIR");
    CU_ASSERT_EQUAL(rmdir(dir), 0); /* nothing was left in it */
}

LEAT_TESTS("stream", T(words_of_lines_are_counted), T(each_push_of_a_queue_is_a_batch),
           T(a_queue_gives_all_there_is_when_it_is_not_one_at_a_time),
           T(each_push_is_a_batch_however_long_batches_take),
           T(filter_keeps_what_the_function_wants), T(map_values_keeps_the_key_and_map_does_not),
           T(group_by_key_gives_the_values_of_each_key),
           T(joins_give_both_values_and_null_for_what_is_not_there),
           T(a_union_has_the_elements_of_both), T(reduce_and_count_by_value_look_at_all_of_a_batch),
           T(a_window_with_an_inverse_gives_what_is_in_it),
           T(update_state_by_key_speaks_of_every_key_in_every_batch),
           T(a_function_that_fails_ends_the_batch_with_its_name_and_no_output),
           T(on_error_drop_leaves_out_what_a_function_refuses),
           T(an_output_that_fails_ends_the_job_with_its_words),
           T(the_first_mistake_is_kept_with_its_line_and_returned_by_start),
           T(a_graph_that_makes_no_sense_is_refused_with_its_line),
           T(a_graph_without_an_output_is_refused),
           T(nothing_at_all_is_taken_where_a_context_or_stream_is_due),
           T(what_comes_in_the_wrong_order_has_a_status),
           T(a_context_that_is_stopped_before_it_began_stays_stopped),
           T(settings_that_are_none_are_refused),
           T(a_function_can_stop_the_context_it_is_called_by_but_not_wait),
           T(several_threads_may_push_into_a_queue), T(building_reports_lack_of_memory))
