/*
 * Tests engine/stream: leat_list_add() and leat_map_add() to what a function was given, which
 * others see, too. Also under thread sanitizer.
 */
#include "stream_rig.h"

/* [value] */
static struct leat_value in_list(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value list = leat_list();

    (void)arg;
    leat_list_add(call, &list, in->value);
    return list;
}

/* The element with `arg` behind it. */
static struct leat_value with_arg(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value list = in->value;

    leat_list_add(call, &list, leat_int(*(const int *)arg));
    return list;
}

/* [[value], 7] */
static struct leat_value nested(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value list = leat_list();

    leat_list_add(call, &list, in_list(call, in, arg));
    leat_list_add(call, &list, leat_int(7));
    return list;
}

/* The list within it, with `arg` behind it. */
static struct leat_value inner_with_arg(struct leat_call *call, const struct leat_pair *in,
                                        void *arg)
{
    const struct leat_pair inner = {.value = in->value.as.items[0]};

    return with_arg(call, &inner, arg);
}

static struct leat_pair under_one_key(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return (struct leat_pair){leat_string(leat_slice_str("k")), in->value};
}

static struct leat_value append(struct leat_call *call, struct leat_value key,
                                struct leat_value values, struct leat_value state, void *arg)
{
    (void)key, (void)arg;
    if (state.tag == LEAT_NULL)
        state = leat_list();
    for (uint32_t i = 0; i < values.len; i++)
        leat_list_add(call, &state, values.as.items[i]);
    return state;
}

static struct leat_value growing(struct leat_call *call, struct leat_value key,
                                 const struct leat_value *value, struct leat_key_state *state,
                                 void *arg)
{
    struct leat_value list = leat_key_state_exists(state) ? leat_key_state_get(state) : leat_list();

    (void)key, (void)arg;
    leat_list_add(call, &list, *value);
    leat_key_state_update(state, list);
    return list;
}

/* { n: value }, and with another field. */
static struct leat_value as_map(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value map = leat_map_new();

    (void)arg;
    leat_map_add(call, &map, "n", in->value);
    return map;
}

static struct leat_value with_field(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value map = leat_call_expand(call, in->value);

    leat_map_add(call, &map, "more", leat_int(*(const int *)arg));
    return map;
}

static struct leat_value fields(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value list = leat_list();

    (void)arg;
    leat_list_add(call, &list, leat_call_field(call, in->value, "n"));
    leat_list_add(call, &list, leat_call_field(call, in->value, "more"));
    return list;
}

static int one = 1, two = 2;

static void a_state_that_is_a_list_grows_over_batches(void)
{
    static const char expected[] =
        "k=[1]|k=[1,2,3,4]|k=[1,2,3,4,5,6,7,8,9]|k=[1,2,3,4,5,6,7,8,9,10]";
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);
    struct seen seen;

    PUSH(queue, 1);
    PUSH(queue, 2, 3, 4);
    PUSH(queue, 5, 6, 7, 8, 9);
    PUSH(queue, 10);
    leat_set(ctx, "partitions", "1");
    run(ctx, leat_update_state_by_key(leat_map_to_pair(queue, under_one_key, NULL), append, NULL),
        &seen);
    /* On a slow machine empty batches come before the stop: they have the last state, too. */
    CU_ASSERT_EQUAL(strncmp(seen.text, expected, sizeof expected - 1), 0);
}

static void each_element_gives_the_state_as_it_was_then(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    leat_set(ctx, "partitions", "1");
    PUSH(queue, 1, 2, 3, 4, 5);
    PUSH(queue, 6);
    COMES_OUT(ctx,
              leat_map_with_state(leat_map_to_pair(queue, under_one_key, NULL),
                                  &(struct leat_state_spec){.fn = growing}),
              "[1,2,3,4,5] [1,2,3,4] [1,2,3] [1,2] [1]|[1,2,3,4,5,6]");
}

static void two_streams_of_one_list_do_not_write_into_it(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true),
                       *lists = leat_map(queue, in_list, NULL);

    PUSH(queue, 5);
    COMES_OUT(ctx,
              leat_union(leat_union(leat_map(lists, with_arg, &one), lists),
                         leat_map(lists, with_arg, &two)),
              "[5,1] [5,2] [5]");
}

static void a_list_within_a_list_is_copied_too(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true),
                       *lists = leat_map(queue, nested, NULL);

    PUSH(queue, 5);
    COMES_OUT(ctx,
              leat_union(leat_union(leat_map(lists, inner_with_arg, &one), lists),
                         leat_map(lists, inner_with_arg, &two)),
              "[5,1] [5,2] [[5],7]");
}

static void two_streams_of_one_map_do_not_write_into_it(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true), *maps = leat_map(queue, as_map, NULL);

    PUSH(queue, 5);
    COMES_OUT(ctx,
              leat_union(leat_map(leat_map(maps, with_field, &one), fields, NULL),
                         leat_map(leat_map(maps, with_field, &two), fields, NULL)),
              "[5,1] [5,2]");
}

LEAT_TESTS("stream_lists", T(a_state_that_is_a_list_grows_over_batches),
           T(each_element_gives_the_state_as_it_was_then),
           T(two_streams_of_one_list_do_not_write_into_it), T(a_list_within_a_list_is_copied_too),
           T(two_streams_of_one_map_do_not_write_into_it))
