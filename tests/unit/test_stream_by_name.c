/* Tests engine/stream/by_name.c: operators and sinks of pipeline files, by their names. */
#include "stream_rig.h"

#include <glob.h>
#include <unistd.h>

static struct leat_error err;

#define LIST(...)              ((const struct leat_option[]){__VA_ARGS__})
#define COUNT(...)             (sizeof LIST(__VA_ARGS__) / sizeof(struct leat_option))
#define APPLY(s, op, ...)      leat_apply(s, op, LIST(__VA_ARGS__), COUNT(__VA_ARGS__))
#define WRITE_TO(s, sink, ...) leat_write_to(s, sink, LIST(__VA_ARGS__), COUNT(__VA_ARGS__))
#define SOURCE(ctx, name, ...) leat_source_stream(ctx, name, LIST(__VA_ARGS__), COUNT(__VA_ARGS__))

static struct leat_stream *ints(struct leat_context *ctx)
{
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 1, 2, 3, 4);
    return queue;
}

static void an_operator_takes_an_expression_as_its_whole_argument(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *big = APPLY(ints(ctx), "filter", {"", "this > 1"});

    COMES_OUT(ctx, APPLY(big, "map", {"", "this * 10"}), "20 30 40");
}

static struct leat_value field_n(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    return leat_call_field(call, in->value, "n");
}

static void an_operator_takes_options_and_fields_by_their_paths(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *of =
        APPLY(ints(ctx), "map_to_pair", {"key", "this % 2"}, {"value.n", "this"}, {"value.m", "1"});
    struct leat_stream *sums = APPLY(of, "reduce_by_key", {"", "{'n': a.n + b.n}"});

    COMES_OUT(ctx, leat_map_values(sums, field_n, NULL), "0=6 1=4");
}

static struct leat_value fields(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value map = leat_call_expand(call, in->value);

    (void)arg;
    return map.tag == LEAT_MAP ? leat_int(map.len) : map;
}

static void an_option_that_is_given_again_is_a_list(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *of =
        APPLY(ints(ctx), "map", {"n", "this"}, {"half", "this / 2"}, {"odd", "this % 2"});
    struct leat_stream *rows = APPLY(of, "unset", {"", "n"}, {"", "odd"});

    COMES_OUT(ctx, leat_map(rows, fields, NULL), "1 1 1 1");
}

static void a_group_behind_values_of_the_same_name_takes_their_place(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *of = APPLY(ints(ctx), "map", {"n", "this"}, {"n", "this"}, {"n.one", "1"});

    COMES_OUT(ctx, APPLY(of, "map", {"", "size(this) + size(this.n) + this.n.one"}), "3 3 3 3");
}

static void an_operator_without_an_argument_gets_none(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 1, 2, 1, 2, 2);
    COMES_OUT(ctx, leat_apply(queue, "distinct", NULL, 0), "1 2");
}

static void what_comes_of_a_window_is_its_elements(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct seen seen;

    PUSH(queue, 1);
    PUSH(queue, 2);
    struct leat_stream *more = APPLY(leat_window(queue, 40, 20), "map", {"", "this + 1"});
    const char *begin = "2|2 3"; /* the last window may end before the context does */
    CU_ASSERT_EQUAL(strncmp(run(ctx, more, &seen), begin, strlen(begin)), 0);
}

static void a_sink_takes_options_and_a_format(void)
{
    struct leat_context *ctx = new_context();
    char path[300], text[100] = "";
    glob_t found = {0};

    snprintf(path, sizeof path, "%s/by_name/{file}.csv", leat_test_dir());
    struct leat_stream *records = APPLY(ints(ctx), "map", {"n", "this"}, {"twice", "this * 2"});
    WRITE_TO(leat_repartition(records, 1), "files", {"path", path}, {"format.csv.header", "true"});
    OK(leat_start(ctx, &err));
    OK(leat_stop(ctx, true, &err));
    leat_context_free(ctx);
    snprintf(path, sizeof path, "%s/by_name/*", leat_test_dir());
    CU_ASSERT_EQUAL_FATAL(glob(path, 0, NULL, &found), 0);
    FILE *f = fopen(found.gl_pathv[0], "r");
    globfree(&found);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT(fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    CU_ASSERT_STRING_EQUAL(text, "n,twice\n1,2\n2,4\n3,6\n4,8\n");
}

static void mistakes_are_told_at_the_line_of_the_program(void)
{
    struct leat_context *ctx = new_context();
    leat_print(APPLY(ints(ctx), "mapp", {"", "this"}), 1);
    is_refused(ctx, "test_stream_by_name.c");

    ctx = new_context();
    leat_print(APPLY(ints(ctx), "mapp", {"", "this"}), 1);
    is_refused(ctx, "unknown operator 'mapp'");

    ctx = new_context();
    leat_print(APPLY(ints(ctx), "filter", {"", "this >"}), 1);
    is_refused(ctx, "test_stream_by_name.c");

    ctx = new_context();
    leat_print(leat_apply(ints(ctx), "rows", NULL, 0), 1);
    is_refused(ctx, "unknown operator 'rows'");

    ctx = new_context();
    WRITE_TO(ints(ctx), "fils", {"path", "x"});
    is_refused(ctx, "unknown sink 'fils'");

    ctx = new_context();
    leat_print(APPLY(ints(ctx), "map", {"n.one", "1"}, {"n", "this"}), 1);
    is_refused(ctx, "leat_apply: 'n' comes behind its own options; give it before them");

    ctx = new_context();
    WRITE_TO(ints(ctx), "files", {"path", "x/{file}.csv"}, {"pth", "x"});
    is_refused(ctx, "pth");
}

static void nothing_where_something_is_due_is_a_mistake(void)
{
    struct leat_context *ctx = new_context();
    leat_print(leat_apply(ints(ctx), NULL, NULL, 0), 1);
    is_refused(ctx, "leat_apply: without an operator");

    ctx = new_context();
    leat_print(leat_apply(ints(ctx), "map", NULL, 1), 1);
    is_refused(ctx, "leat_apply: without its options");

    ctx = new_context();
    leat_print(APPLY(ints(ctx), "map", {"a", NULL}), 1);
    is_refused(ctx, "leat_apply: an option without a name or a value");

    ctx = new_context();
    leat_write_to(ints(ctx), NULL, NULL, 0);
    is_refused(ctx, "leat_write_to: without a sink");

    ctx = new_context();
    leat_write_to(ints(ctx), "files", NULL, 1);
    is_refused(ctx, "leat_write_to: without its options");
}

static void what_the_library_makes_itself_cannot_be_made_by_its_name(void)
{
    struct leat_context *ctx = new_context();
    leat_print(SOURCE(ctx, "queue", {"of", "x"}), 1);
    is_refused(ctx, "leat_queue_stream() makes it");

    ctx = new_context();
    leat_print(SOURCE(ctx, "receiver", {"of", "x"}), 1);
    is_refused(ctx, "leat_receiver_stream() makes it");

    ctx = new_context();
    WRITE_TO(ints(ctx), "foreach_rdd", {"of", "x"});
    is_refused(ctx, "leat_foreach_rdd() makes it");

    ctx = new_context();
    leat_print(leat_source_stream(ctx, "queue", NULL, 0), 1);
    is_refused(ctx, "queue: cannot be asked for by its name; leat_queue_stream() makes it");

    ctx = new_context();
    leat_write_to(ints(ctx), "foreach_rdd", NULL, 0);
    is_refused(ctx, "foreach_rdd: cannot be asked for by its name; leat_foreach_rdd() makes it");
}

static void building_and_running_without_memory_ends_clean(void)
{
    LEAT_OOM_SWEEP {
        struct leat_context *ctx = leat_context_new("test", 20);
        struct leat_stream *queue = leat_queue_stream(ctx, true);
        const struct leat_value v = leat_int(2);
        struct seen seen;

        seen_init(&seen);
        struct leat_stream *s = APPLY(queue, "map", {"a", "this"}, {"b.c", "1"});
        leat_write_to(s, "null", NULL, 0);
        leat_foreach_rdd(s, see, &seen);
        enum leat_status status = ctx && queue ? leat_queue_push(queue, &v, 1, &err) : LEAT_OK;
        if (runs_with_all_memory(ctx, status))
            CU_ASSERT_EQUAL(seen.batches, 1);
        leat_context_free(ctx);
    }
}

LEAT_TESTS("stream_by_name", T(an_operator_takes_an_expression_as_its_whole_argument),
           T(an_operator_takes_options_and_fields_by_their_paths),
           T(an_option_that_is_given_again_is_a_list),
           T(a_group_behind_values_of_the_same_name_takes_their_place),
           T(an_operator_without_an_argument_gets_none), T(what_comes_of_a_window_is_its_elements),
           T(a_sink_takes_options_and_a_format), T(mistakes_are_told_at_the_line_of_the_program),
           T(nothing_where_something_is_due_is_a_mistake),
           T(what_the_library_makes_itself_cannot_be_made_by_its_name),
           T(building_and_running_without_memory_ends_clean))
