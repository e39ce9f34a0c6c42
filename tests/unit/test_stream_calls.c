/*
 * Tests engine/stream/functions.c: what functions of a program give, by the run of rows and pair by
 * pair: keys and values of their own, errors, texts and lists that are kept.
 */
#include "stream_rig.h"

static struct leat_error err;

static struct leat_pair swapped(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return (struct leat_pair){.key = in->value, .value = in->key};
}

/* The key fails at 2, the value at 3. */
static struct leat_pair fails(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_pair p = {in->value, leat_int(1)};

    (void)arg;
    if (in->value.as.i == 2)
        p.key = leat_call_fail(call, "no key for 2");
    if (in->value.as.i == 3)
        p.value = leat_call_fail(call, "no value for 3");
    return p;
}

static struct leat_pair one_key(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)call, (void)arg;
    return (struct leat_pair){leat_string(LEAT_LIT("k")), in->value};
}

static struct leat_value sum_but_not_with_4(struct leat_call *call, struct leat_value a,
                                            struct leat_value b, void *arg)
{
    (void)arg;
    return b.as.i == 4 ? leat_call_fail(call, "4 is too many") : leat_int(a.as.i + b.as.i);
}

static struct leat_value longer(struct leat_call *call, struct leat_value a, struct leat_value b,
                                void *arg)
{
    (void)call, (void)arg;
    return b.len > a.len ? b : a;
}

static struct leat_value as_list(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value list = leat_list();

    (void)arg;
    leat_list_add(call, &list, in->value);
    return list;
}

static struct leat_value both(struct leat_call *call, struct leat_value a, struct leat_value b,
                              void *arg)
{
    struct leat_value list = leat_list();

    (void)arg;
    for (uint32_t i = 0; i < a.len; i++)
        leat_list_add(call, &list, a.as.items[i]);
    for (uint32_t i = 0; i < b.len; i++)
        leat_list_add(call, &list, b.as.items[i]);
    return list;
}

/* First an int, then a text, then an int again: what is kept changes its kind. */
static struct leat_value text_of_odd(struct leat_call *call, struct leat_value a,
                                     struct leat_value b, void *arg)
{
    int64_t n = b.as.i + (a.tag == LEAT_INT ? a.as.i : a.len);

    (void)arg;
    return n % 2 ? leat_call_text(call, "sevenly", 7) : leat_int(n);
}

/* Three lists that grow in turns, of n, n + 1 and n + 2 elements. */
static struct leat_value in_turns(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value lists[3] = {leat_list(), leat_list(), leat_list()}, all = leat_list();
    int64_t n = in->value.as.i;

    (void)arg;
    for (int64_t i = 0; i < n + 2; i++)
        for (int64_t k = 0; k < 3; k++)
            if (i < n + k)
                leat_list_add(call, &lists[k], leat_int(100 * k + i));
    for (int k = 0; k < 3; k++)
        leat_list_add(call, &all, lists[k]);
    return all;
}

/* Is an element of in_turns() what was put in? */
static struct leat_value is_whole(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value good = leat_bool(in->value.len == 3);

    (void)call, (void)arg;
    for (uint32_t k = 0; k < in->value.len; k++)
        for (uint32_t i = 0; i < in->value.as.items[k].len; i++)
            good.as.b &= in->value.as.items[k].as.items[i].as.i == 100 * k + i;
    return good;
}

static struct leat_value lengths(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value list = leat_list();

    (void)arg;
    for (uint32_t k = 0; k < in->value.len; k++)
        leat_list_add(call, &list, leat_int(in->value.as.items[k].len));
    return list;
}

static struct leat_value give_list(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    struct leat_value one = leat_list();

    leat_list_add(call, &one, in_turns(call, in, arg));
    return one;
}

/* ---- */

static void a_pair_function_sees_key_and_value_as_they_were(void)
{
    const struct leat_pair two[] = {{leat_string(LEAT_LIT("a")), leat_int(1)},
                                    {leat_string(LEAT_LIT("b")), leat_int(2)}};
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_pair_stream(ctx, true);

    OK(leat_queue_push_pairs(queue, two, 2, &err));
    COMES_OUT(ctx, leat_map_to_pair(queue, swapped, NULL), "1=a 2=b");
    ctx = new_context();
    queue = leat_queue_pair_stream(ctx, true);
    OK(leat_queue_push_pairs(queue, two, 2, &err));
    COMES_OUT(ctx, leat_map_to_pair(leat_map_to_pair(queue, swapped, NULL), swapped, NULL),
              "a=1 b=2");
}

static void a_key_or_a_value_that_fails_ends_the_batch_by_the_operators_name(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    PUSH(queue, 1);
    PUSH(queue, 1, 2);
    ends_with(ctx, leat_map_to_pair(queue, fails, NULL), "1=1",
              "leat_map_to_pair: no key for 2; the value is 2");
    ctx = new_context();
    queue = leat_queue_stream(ctx, true);
    PUSH(queue, 1);
    PUSH(queue, 3, 1);
    ends_with(ctx, leat_map_to_pair(queue, fails, NULL), "1=1",
              "leat_map_to_pair: no value for 3; the value is 3");
}

static void elements_without_a_pair_can_be_left_out(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    leat_set(ctx, "on_error", "drop");
    PUSH(queue, 1, 2, 3, 4);
    COMES_OUT(ctx, leat_map_to_pair(queue, fails, NULL), "1=1 4=1");
}

static void a_reduction_that_fails_ends_the_batch_or_leaves_out_what_came(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    leat_set(ctx, "partitions", "1");
    PUSH(queue, 1, 2);
    PUSH(queue, 1, 4, 2);
    ends_with(ctx,
              leat_reduce_by_key(leat_map_to_pair(queue, one_key, NULL), sum_but_not_with_4, NULL),
              "k=3", "leat_reduce_by_key: 4 is too many");
    ctx = new_context();
    queue = leat_queue_stream(ctx, true);
    leat_set(ctx, "partitions", "1");
    leat_set(ctx, "on_error", "drop");
    PUSH(queue, 1, 4, 2);
    COMES_OUT(ctx,
              leat_reduce_by_key(leat_map_to_pair(queue, one_key, NULL), sum_but_not_with_4, NULL),
              "k=3");
}

static void reductions_of_texts_and_lists_keep_their_own(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    push_text(queue, "to be or not to be nothing");
    COMES_OUT(ctx, leat_reduce(leat_flat_map(queue, split, NULL), longer, NULL), "nothing");
    ctx = new_context();
    queue = leat_queue_stream(ctx, true);
    leat_set(ctx, "partitions", "1");
    PUSH(queue, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    COMES_OUT(ctx, leat_reduce(leat_map(queue, as_list, NULL), both, NULL), "[1,2,3,4,5,6,7,8,9]");
}

static void what_a_reduction_keeps_may_change_its_kind(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    leat_set(ctx, "partitions", "1");
    PUSH(queue, 2, 1, 3, 4, 3); /* 2, sevenly, 10, 14, sevenly */
    PUSH(queue, 2, 1, 3);
    COMES_OUT(ctx, leat_reduce(queue, text_of_odd, NULL), "sevenly|10");
}

static void lists_that_grow_in_turns_hold_what_was_put_in(void)
{
    struct leat_context *ctx = new_context();
    struct leat_stream *queue = leat_queue_stream(ctx, true);

    for (int64_t n = 0; n < 70; n += 7)
        PUSH(queue, n);
    COMES_OUT(
        ctx,
        leat_map(leat_filter(leat_flat_map(queue, give_list, NULL), is_whole, NULL), lengths, NULL),
        "[0,1,2]|[7,8,9]|[14,15,16]|[21,22,23]|[28,29,30]|[35,36,37]|[42,43,44]|[49,50,51]|"
        "[56,57,58]|[63,64,65]");
}

LEAT_TESTS("stream_calls", T(a_pair_function_sees_key_and_value_as_they_were),
           T(a_key_or_a_value_that_fails_ends_the_batch_by_the_operators_name),
           T(elements_without_a_pair_can_be_left_out),
           T(a_reduction_that_fails_ends_the_batch_or_leaves_out_what_came),
           T(reductions_of_texts_and_lists_keep_their_own),
           T(what_a_reduction_keeps_may_change_its_kind),
           T(lists_that_grow_in_turns_hold_what_was_put_in))
