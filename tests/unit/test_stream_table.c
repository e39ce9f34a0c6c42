/*
 * Tests engine/stream: every public function with nothing, before the start, in a function that
 * leat calls, after the stop, and from two threads at once. A function that public.map has and no
 * table here fails the first test. Also under thread sanitizer.
 */
#include "stream_rig.h"

#include "stream.h"

static struct leat_error err;

/* ---- the tables */

/* Builders that give a stream. `c` is a context, `s` a stream of it, or both are NULL. */
#define BUILDERS(X)                                                                                \
    X(leat_apply_at, s, "map", &whole_argument, 1, "t")                                            \
    X(leat_binary_records_stream_at, c, "/tmp", 4, "t")                                            \
    X(leat_checkpoint_every_at, s, 20, "t")                                                        \
    X(leat_cogroup_at, s, s, "t")                                                                  \
    X(leat_combine_by_key_at, s, twice, sum, sum, NULL, "t")                                       \
    X(leat_count_at, s, "t")                                                                       \
    X(leat_count_by_value_and_window_at, s, 20, 20, "t")                                           \
    X(leat_count_by_value_at, s, "t")                                                              \
    X(leat_count_by_window_at, s, 20, 20, "t")                                                     \
    X(leat_event_time_at, s, twice, NULL, 0, 0, "t")                                               \
    X(leat_file_stream_at, c, "/tmp", NULL, NULL, true, "t")                                       \
    X(leat_filter_at, s, is_even, NULL, "t")                                                       \
    X(leat_flat_map_at, s, split, NULL, "t")                                                       \
    X(leat_flat_map_values_at, s, split, NULL, "t")                                                \
    X(leat_full_outer_join_at, s, s, "t")                                                          \
    X(leat_full_outer_join_within_at, s, s, 20, "t")                                               \
    X(leat_glom_at, s, "t")                                                                        \
    X(leat_group_by_key_and_window_at, s, 20, 20, "t")                                             \
    X(leat_group_by_key_at, s, "t")                                                                \
    X(leat_join_at, s, s, "t")                                                                     \
    X(leat_join_within_at, s, s, 20, "t")                                                          \
    X(leat_left_outer_join_at, s, s, "t")                                                          \
    X(leat_left_outer_join_within_at, s, s, 20, "t")                                               \
    X(leat_map_at, s, twice, NULL, "t")                                                            \
    X(leat_map_partitions_at, s, all_of, NULL, "t")                                                \
    X(leat_map_partitions_to_pair_at, s, all_of, NULL, "t")                                        \
    X(leat_map_to_pair_at, s, with_one, NULL, "t")                                                 \
    X(leat_map_values_at, s, twice, NULL, "t")                                                     \
    X(leat_map_with_state_at, s, &spec, "t")                                                       \
    X(leat_named_at, s, "a-name", "t")                                                             \
    X(leat_persist_at, s, NULL, "t")                                                               \
    X(leat_queue_pair_stream_at, c, true, "t")                                                     \
    X(leat_queue_partitions_at, s, 2, "t")                                                         \
    X(leat_queue_stream_at, c, true, "t")                                                          \
    X(leat_receiver_pair_stream_at, c, &receiver, NULL, "t")                                       \
    X(leat_receiver_stream_at, c, &receiver, NULL, "t")                                            \
    X(leat_reduce_at, s, sum, NULL, "t")                                                           \
    X(leat_reduce_by_key_and_window_at, s, sum, NULL, NULL, NULL, 20, 20, "t")                     \
    X(leat_reduce_by_key_at, s, sum, NULL, "t")                                                    \
    X(leat_reduce_by_window_at, s, sum, NULL, NULL, 20, 20, "t")                                   \
    X(leat_repartition_at, s, 2, "t")                                                              \
    X(leat_right_outer_join_at, s, s, "t")                                                         \
    X(leat_right_outer_join_within_at, s, s, 20, "t")                                              \
    X(leat_socket_text_stream_at, c, "localhost", 1, "t")                                          \
    X(leat_source_stream_at, c, "memory", NULL, 0, "t")                                            \
    X(leat_state_snapshots_at, s, "t")                                                             \
    X(leat_text_file_stream_at, c, "/tmp", "t")                                                    \
    X(leat_transform_all_at, &s, 1, whole, NULL, "t")                                              \
    X(leat_transform_all_to_pair_at, &s, 1, whole, NULL, "t")                                      \
    X(leat_transform_at, s, whole, NULL, "t")                                                      \
    X(leat_transform_to_pair_at, s, whole, NULL, "t")                                              \
    X(leat_transform_with_at, s, s, whole, NULL, "t")                                              \
    X(leat_transform_with_to_pair_at, s, s, whole, NULL, "t")                                      \
    X(leat_union_at, s, s, "t")                                                                    \
    X(leat_update_state_by_key_at, s, how_many, NULL, "t")                                         \
    X(leat_window_at, s, 20, 20, "t")

/* Builders that give nothing. */
#define SETTINGS(X)                                                                                \
    X(leat_add_listener_at, c, &(struct leat_listener){0}, NULL, "t")                              \
    X(leat_add_progress_at, c, 1, "t")                                                             \
    X(leat_foreach_rdd_at, s, see, NULL, "t")                                                      \
    X(leat_print_at, s, 1, "t")                                                                    \
    X(leat_remember_at, c, 20, "t")                                                                \
    X(leat_save_as_hadoop_files_at, s, "/tmp/x", "", NULL, 0, "t")                                 \
    X(leat_save_as_object_files_at, s, "/tmp/x", "", "t")                                          \
    X(leat_save_as_text_files_at, s, "/tmp/x", "", "t")                                            \
    X(leat_set_at, c, "threads", "1", "t")                                                         \
    X(leat_write_to_at, s, "null", NULL, 0, "t")

/* With a status: for nothing, before the start, within a function, after the stop. ANY: it depends,
 * other tests have it. `q` is a queue, `p` one of pairs, `r` a receiver. */
#define ANY (-1)
#define STATUSES(X)                                                                                \
    X(leat_await_termination, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_OK, c, e)          \
    X(leat_await_termination_or_timeout, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_OK, c,  \
      1, NULL, e)                                                                                  \
    X(leat_context_error, LEAT_E_MISUSE, LEAT_OK, LEAT_OK, LEAT_OK, c, e)                          \
    X(leat_context_get_or_create, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_E_MISUSE,      \
      NULL, NULL, NULL, NULL, NULL, e)                                                             \
    X(leat_context_go_on, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_E_MISUSE, NULL, NULL,  \
      NULL, NULL, e)                                                                               \
    X(leat_queue_push, LEAT_E_MISUSE, LEAT_OK, LEAT_OK, LEAT_E_MISUSE, q, NULL, 0, e)              \
    X(leat_queue_push_none, LEAT_E_MISUSE, ANY, ANY, LEAT_E_MISUSE, q, e)                          \
    X(leat_queue_push_pairs, LEAT_E_MISUSE, LEAT_OK, LEAT_OK, LEAT_E_MISUSE, p, NULL, 0, e)        \
    X(leat_receiver_store, LEAT_E_MISUSE, LEAT_E_ABORTED, ANY, LEAT_E_ABORTED, r, leat_int(1),     \
      NULL, e)                                                                                     \
    X(leat_receiver_store_block, LEAT_E_MISUSE, LEAT_E_ABORTED, LEAT_E_MISUSE, LEAT_E_ABORTED, r,  \
      NULL, 0, e)                                                                                  \
    X(leat_receiver_store_pair, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_E_MISUSE, r,     \
      (struct leat_pair){{0}, {0}}, NULL, e)                                                       \
    X(leat_receiver_store_pair_block, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_E_MISUSE,  \
      r, NULL, 0, e)                                                                               \
    X(leat_slice_batches, LEAT_E_MISUSE, LEAT_E_MISUSE, LEAT_OK, LEAT_OK, q, INT64_MAX - 1,        \
      INT64_MAX, see, NULL, e)                                                                     \
    X(leat_start, LEAT_E_MISUSE, ANY, LEAT_OK, LEAT_E_MISUSE, c, e)                                \
    X(leat_stop, LEAT_E_MISUSE, ANY, LEAT_OK, LEAT_OK, c, true, e)

/* They only ask, and take NULL. */
#define QUESTIONS(X)                                                                               \
    X(leat_get_state, c)                                                                           \
    X(leat_progress_batches, NULL, NULL, 0)                                                        \
    X(leat_progress_count, NULL, NULL)                                                             \
    X(leat_receiver_is_stopped, r)                                                                 \
    X(leat_receiver_report_error, r, "x")                                                          \
    X(leat_receiver_restart, r, NULL, 0)                                                           \
    X(leat_receiver_stop, r, NULL)

/* For functions that leat calls, with what they are given; of errors and values; and tested here by
 * name. */
static const char *const others[] = {
    "leat_call_alloc",
    "leat_call_expand",
    "leat_call_fail",
    "leat_call_field",
    "leat_call_text",
    "leat_call_time_ms",
    "leat_list_add",
    "leat_map_add",
    "leat_key_state_exists",
    "leat_key_state_get",
    "leat_key_state_remove",
    "leat_key_state_update",
    "leat_error_prefix",
    "leat_key_state_is_timing_out",
    "leat_fail",
    "leat_status_exit_code",
    "leat_status_is_transient",
    "leat_tag_name",
    "leat_context_new_at",
    "leat_context_free",
};

static struct leat_value all_of(struct leat_call *call, const struct leat_rdd *in, void *arg)
{
    (void)call, (void)in, (void)arg;
    return leat_list();
}

static struct leat_value whole(struct leat_call *call, const struct leat_rdd *in, size_t count,
                               void *arg)
{
    (void)call, (void)in, (void)count, (void)arg;
    return leat_list();
}

static struct leat_value mapping(struct leat_call *call, struct leat_value key,
                                 const struct leat_value *value, struct leat_key_state *state,
                                 void *arg)
{
    (void)call, (void)key, (void)value, (void)state, (void)arg;
    return leat_int(1);
}

static const struct leat_option whole_argument = {"", "this"};
static const struct leat_state_spec spec = {.fn = mapping};

static enum leat_status begin(struct leat_receiver *r, void *arg, struct leat_error *e)
{
    (void)r, (void)arg, (void)e;
    return LEAT_OK;
}

static void end(struct leat_receiver *r, void *arg)
{
    (void)r, (void)arg;
}

static const struct leat_receiver_functions receiver = {.on_start = begin, .on_stop = end};

struct all {
    struct leat_context *c;
    struct leat_stream *s, *q, *p;
    struct leat_receiver *r;
};

#define BUILD(name, ...)                                                                           \
    static struct leat_stream *call_##name(struct leat_context *c, struct leat_stream *s)          \
    {                                                                                              \
        (void)c, (void)s;                                                                          \
        return name(__VA_ARGS__);                                                                  \
    }
#define SET(name, ...)                                                                             \
    static void call_##name(struct leat_context *c, struct leat_stream *s)                         \
    {                                                                                              \
        (void)c, (void)s;                                                                          \
        name(__VA_ARGS__);                                                                         \
    }
#define UNPACK                                                                                     \
    struct leat_context *c = a->c;                                                                 \
    struct leat_stream *q = a->q, *p = a->p;                                                       \
    struct leat_receiver *r = a->r;                                                                \
    (void)c, (void)q, (void)p, (void)r
#define ASK_STATUS(name, nothing, before, within, after, ...)                                      \
    static enum leat_status call_##name(const struct all *a, struct leat_error *e)                 \
    {                                                                                              \
        UNPACK;                                                                                    \
        return name(__VA_ARGS__);                                                                  \
    }
#define ASK(name, ...)                                                                             \
    static void call_##name(const struct all *a)                                                   \
    {                                                                                              \
        UNPACK;                                                                                    \
        (void)name(__VA_ARGS__);                                                                   \
    }
BUILDERS(BUILD)
SETTINGS(SET)
STATUSES(ASK_STATUS)
QUESTIONS(ASK)

#define ROW(name, ...) {#name, call_##name},
static const struct {
    const char *name;
    struct leat_stream *(*call)(struct leat_context *c, struct leat_stream *s);
} builders[] = {BUILDERS(ROW)};
static const struct {
    const char *name;
    void (*call)(struct leat_context *c, struct leat_stream *s);
} settings[] = {SETTINGS(ROW)};
static const struct {
    const char *name;
    void (*call)(const struct all *a);
} questions[] = {QUESTIONS(ROW)};
#define STATUS_ROW(name, nothing, before, within, after, ...)                                      \
    {#name, call_##name, {(int)(nothing), (int)(before), (int)(within), (int)(after)}},
enum when { NOTHING, BEFORE, WITHIN, AFTER };
static const struct {
    const char *name;
    enum leat_status (*call)(const struct all *a, struct leat_error *e);
    int expected[4];
} statuses[] = {STATUSES(STATUS_ROW)};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool is_listed(const char *name)
{
    bool found = false;

    for (size_t i = 0; i < COUNT(builders); i++)
        found = found || strcmp(builders[i].name, name) == 0;
    for (size_t i = 0; i < COUNT(settings); i++)
        found = found || strcmp(settings[i].name, name) == 0;
    for (size_t i = 0; i < COUNT(statuses); i++)
        found = found || strcmp(statuses[i].name, name) == 0;
    for (size_t i = 0; i < COUNT(questions); i++)
        found = found || strcmp(questions[i].name, name) == 0;
    for (size_t i = 0; i < COUNT(others); i++)
        found = found || strcmp(others[i], name) == 0;
    return found;
}

static void every_public_function_is_in_a_table(void)
{
    FILE *map = fopen(PUBLIC_MAP, "r");
    char line[200], name[200];
    size_t count = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(map);
    while (fgets(line, sizeof line, map) &&
           !strstr(line, "local:")) /* then come those of modules */
        if (sscanf(line, " %199[a-z_];", name) == 1 && strncmp(name, "leat_", 5) == 0) {
            count++;
            if (!is_listed(name)) {
                printf("    %s is in no table\n", name);
                CU_FAIL("a public function is in no table");
            }
        }
    fclose(map);
    CU_ASSERT_EQUAL(count, COUNT(builders) + COUNT(settings) + COUNT(statuses) + COUNT(questions) +
                               COUNT(others));
}

/* ---- the calls */

static void refused(const char *name, struct leat_context *ctx)
{
    struct leat_error e;

    if (leat_context_error(ctx, &e) != LEAT_E_MISUSE) {
        printf("    %s: %d %s\n", name, (int)e.status, e.status == LEAT_OK ? "" : e.text);
        CU_FAIL("a builder was not refused");
    }
    pthread_mutex_lock(&ctx->lock); /* the next mistake is the first one again */
    ctx->error.status = LEAT_OK;
    pthread_mutex_unlock(&ctx->lock);
}

static void statuses_are(const struct all *a, enum when when)
{
    struct leat_error e;

    for (size_t i = 0; i < COUNT(statuses); i++) {
        int expected = statuses[i].expected[when];
        if (expected == ANY)
            continue;
        int status = (int)statuses[i].call(a, &e);
        if (status != expected) {
            printf("    %s gave %d and not %d\n", statuses[i].name, status, expected);
            CU_FAIL("a function gave another status");
        }
    }
    for (size_t i = 0; i < COUNT(questions); i++)
        questions[i].call(a);
}

static void all_are_refused(const struct all *a)
{
    for (size_t i = 0; i < COUNT(builders); i++) {
        struct leat_stream *s = builders[i].call(a->c, a->s);
        if (!s)
            printf("    %s gave no stream\n", builders[i].name);
        CU_ASSERT_PTR_NOT_NULL(s);
        refused(builders[i].name, a->c);
    }
    for (size_t i = 0; i < COUNT(settings); i++) {
        settings[i].call(a->c, a->s);
        refused(settings[i].name, a->c);
    }
}

static void nothing_is_taken_by_every_function(void)
{
    const struct all none = {0};

    for (size_t i = 0; i < COUNT(builders); i++) {
        struct leat_stream *s = builders[i].call(NULL, NULL);
        if (s)
            printf("    %s gave a stream\n", builders[i].name);
        CU_ASSERT_PTR_NULL(s);
    }
    for (size_t i = 0; i < COUNT(settings); i++)
        settings[i].call(NULL, NULL);
    statuses_are(&none, NOTHING);
    leat_context_free(NULL);
    leat_context_free(leat_context_new_at(NULL, -1, "t"));
}

static enum leat_status misuse_within(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct all *a = arg;

    (void)rdd, (void)e;
    if (!a->c)
        return LEAT_OK;
    all_are_refused(a);
    leat_context_free(a->c);
    statuses_are(a, WITHIN); /* the last one asks for the stop */
    a->c = NULL;
    return LEAT_OK;
}

/* `within`: what a function of the context calls everything with; c NULL: nothing. */
static void make(struct all *a, struct all *within)
{
    *a = (struct all){.c = new_context()};
    a->q = leat_persist(leat_queue_stream(a->c, true), NULL);
    a->p = leat_queue_pair_stream(a->c, true);
    a->s = leat_map_to_pair(a->q, with_one, NULL);
    struct leat_stream *received = leat_receiver_stream(a->c, &receiver, NULL);
    a->r = received->receiver;
    leat_foreach_rdd(leat_union(a->q, received), misuse_within, within);
    leat_print(leat_count(a->p), 0);
}

static void every_function_is_defined_before_within_and_after(void)
{
    struct all a;

    make(&a, &a);
    struct leat_context *ctx = a.c;
    statuses_are(&a, BEFORE);
    OK(leat_context_error(ctx, &err));
    OK(leat_start(ctx, &err));
    OK(leat_await_termination(ctx, &err));
    CU_ASSERT_PTR_NULL(a.c);
    a.c = ctx;
    all_are_refused(&a);
    statuses_are(&a, AFTER);
    leat_context_free(ctx);
}

/* ---- two threads */

static void *build_all(void *arg)
{
    struct all *a = arg;

    for (size_t i = 0; i < COUNT(builders); i++)
        CU_ASSERT_PTR_NOT_NULL(builders[i].call(a->c, a->s));
    for (size_t i = 0; i < COUNT(settings); i++)
        settings[i].call(a->c, a->s);
    for (size_t i = 0; i < COUNT(questions); i++)
        questions[i].call(a);
    return NULL;
}

static void *end_it(void *arg)
{
    struct all *a = arg;
    struct leat_error e;

    (void)!leat_start(a->c, &e);
    (void)!leat_queue_push(a->q, NULL, 0, &e);
    CU_ASSERT(leat_get_state(a->c) != LEAT_INITIALIZED);
    (void)!leat_stop(a->c, false, &e);
    (void)!leat_await_termination(a->c, &e);
    return NULL;
}

static void two_threads_may_call_every_function_at_once(void)
{
    void *(*const both[])(void *) = {build_all, end_it};

    for (size_t i = 0; i < COUNT(both); i++) {
        pthread_t threads[3];
        struct all a, none = {0};

        make(&a, &none);
        for (int t = 0; t < 3; t++)
            pthread_create(&threads[t], NULL, t < 2 ? both[i] : both[0], &a);
        for (int t = 0; t < 3; t++)
            pthread_join(threads[t], NULL);
        leat_context_free(a.c);
    }
}

LEAT_TESTS("stream_table", T(every_public_function_is_in_a_table),
           T(nothing_is_taken_by_every_function),
           T(every_function_is_defined_before_within_and_after),
           T(two_threads_may_call_every_function_at_once))
