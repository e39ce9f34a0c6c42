/*
 * streaming_rdds.c - the functions that cases name for partitions and whole batches, and the
 * operators that take them.
 */
#include "streaming.h"

#include <stdlib.h>

#define PARTITION(name)                                                                            \
    static struct leat_value name(struct leat_call *call, const struct leat_rdd *in, void *arg)
#define BATCH(name)                                                                                \
    static struct leat_value name(struct leat_call *call, const struct leat_rdd *in, size_t count, \
                                  void *arg)

static struct leat_value two(struct leat_call *call, struct leat_value a, struct leat_value b)
{
    struct leat_value list = leat_list();

    leat_list_add(call, &list, a);
    leat_list_add(call, &list, b);
    return list;
}

/* Behind the others: an element as a case writes it, a pair as a list of two. */
static void put(struct leat_call *call, struct leat_value *list, const struct leat_pair *p)
{
    leat_list_add(call, list, p->key.tag == LEAT_NULL ? p->value : two(call, p->key, p->value));
}

static void put_all(struct leat_call *call, struct leat_value *list, const struct leat_rdd *in)
{
    for (size_t i = 0; i < in->count; i++)
        put(call, list, &in->rows[i]);
}

static struct leat_value each(struct leat_call *call, const struct leat_rdd *in, const char *name)
{
    struct leat_value list = leat_list();

    for (size_t i = 0; i < in->count; i++)
        leat_list_add(call, &list, element_function(name)->fn(call, &in->rows[i], NULL));
    return list;
}

/* ---- of a partition */

PARTITION(sum_of)
{
    struct leat_value list = leat_list();
    int64_t sum = 0;

    (void)arg;
    for (size_t i = 0; i < in->count; i++)
        sum += in->rows[i].value.as.i;
    leat_list_add(call, &list, leat_int(sum));
    return list;
}

PARTITION(upper_concat)
{
    struct leat_value list = leat_list(), all = leat_string(leat_slice_str(""));

    (void)arg;
    for (size_t i = 0; i < in->count; i++)
        all = reduce_function("add")(call, all, in->rows[i].value, NULL);
    const struct leat_pair whole = {.value = all};
    leat_list_add(call, &list, element_function("upper")->fn(call, &whole, NULL));
    return list;
}

PARTITION(swap_each)
{
    (void)arg;
    return each(call, in, "swap");
}

PARTITION(identity)
{
    struct leat_value list = leat_list();

    (void)arg;
    put_all(call, &list, in);
    return list;
}

/* ---- of whole batches */

BATCH(map_str)
{
    (void)count, (void)arg;
    return each(call, in, "str");
}

BATCH(plus_2)
{
    (void)count, (void)arg;
    return each(call, in, "plus2");
}

BATCH(first)
{
    struct leat_value list = leat_list();

    (void)count, (void)arg;
    for (size_t i = 0; i < in->count; i++)
        leat_list_add(call, &list, in->rows[i].key);
    return list;
}

static int by_key(const void *a, const void *b)
{
    struct leat_value x = ((const struct leat_pair *)a)->key,
                      y = ((const struct leat_pair *)b)->key;

    if (x.tag == LEAT_STRING) {
        int order = memcmp(x.as.text, y.as.text, x.len < y.len ? x.len : y.len);
        return order ? order : (x.len > y.len) - (x.len < y.len);
    }
    return (x.as.i > y.as.i) - (x.as.i < y.as.i);
}

BATCH(sort_by_key)
{
    struct leat_pair *rows = leat_call_alloc(call, (in->count + 1) * sizeof *rows);
    struct leat_value list = leat_list();

    (void)count, (void)arg;
    if (!rows)
        return leat_call_fail(call, "out of memory");
    if (in->count)
        memcpy(rows, in->rows, in->count * sizeof *rows);
    qsort(rows, in->count, sizeof *rows, by_key);
    put_all(call, &list, &(struct leat_rdd){.rows = rows, .count = in->count});
    return list;
}

static bool same(struct leat_value a, struct leat_value b)
{
    json_t *x = json_of_value(a), *y = json_of_value(b);
    bool yes = json_equal(x, y);

    json_decref(x);
    json_decref(y);
    return yes;
}

static struct leat_value joined(struct leat_call *call, const struct leat_rdd *a,
                                const struct leat_rdd *b)
{
    struct leat_value list = leat_list();

    for (size_t i = 0; i < a->count; i++)
        for (size_t j = 0; j < b->count; j++)
            if (same(a->rows[i].key, b->rows[j].key))
                leat_list_add(
                    call, &list,
                    two(call, a->rows[i].key, two(call, a->rows[i].value, b->rows[j].value)));
    return list;
}

BATCH(join)
{
    (void)count, (void)arg;
    return joined(call, &in[0], &in[1]);
}

BATCH(union_all)
{
    struct leat_value list = leat_list();

    (void)arg;
    for (size_t i = 0; i < count; i++)
        put_all(call, &list, &in[i]);
    return list;
}

BATCH(order_231)
{
    struct leat_value list = leat_list();

    (void)arg;
    for (size_t i = 0; i < count; i++)
        put_all(call, &list, &in[(i + 1) % count]);
    return list;
}

BATCH(union_self_pair_join)
{
    size_t n = in[0].count + in[1].count;
    struct leat_pair *rows = leat_call_alloc(call, (n + 1) * sizeof *rows);

    (void)count, (void)arg;
    if (!rows)
        return leat_call_fail(call, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const struct leat_pair *p = i < in[0].count ? &in[0].rows[i] : &in[1].rows[i - in[0].count];
        rows[i] = (struct leat_pair){p->value, p->value};
    }
    return joined(call, &(struct leat_rdd){.rows = rows, .count = n}, &in[2]);
}

BATCH(returns_null)
{
    (void)call, (void)in, (void)count, (void)arg;
    return (struct leat_value){0};
}

/* ---- by name */

struct partition_function {
    const char *name;
    leat_partition_function *fn;
    enum element_form form;
};
struct batch_function {
    const char *name;
    leat_transform_function *fn;
    enum element_form form;
    size_t needs; /* so many streams; 0: any */
};

static const struct partition_function *partition_function(const char *name)
{
    static const struct partition_function list[] = {{"sumOf", sum_of, FORM_VALUE},
                                                     {"upperConcat", upper_concat, FORM_VALUE},
                                                     {"swapEach", swap_each, FORM_PAIR},
                                                     {"identity", identity, FORM_SAME}};

    for (size_t i = 0; name && i < sizeof list / sizeof *list; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

static const struct batch_function *batch_function(const char *name)
{
    static const struct batch_function list[] = {
        {"rddMapStr", map_str, FORM_VALUE, 0},
        {"rddPlus2", plus_2, FORM_VALUE, 0},
        {"rddSortByKey", sort_by_key, FORM_PAIR, 0},
        {"rddFirst", first, FORM_VALUE, 0},
        {"rddJoin", join, FORM_PAIR, 2},
        {"rddUnion", union_all, FORM_SAME, 0},
        {"unionAll", union_all, FORM_SAME, 0},
        {"order231", order_231, FORM_SAME, 0},
        {"unionSelfPairJoin", union_self_pair_join, FORM_PAIR, 3},
        {"identity", union_all, FORM_SAME, 0},
        {"returnsNull", returns_null, FORM_SAME, 0},
    };

    for (size_t i = 0; name && i < sizeof list / sizeof *list; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

bool build_map_partitions(const char *name, struct flow *f, struct failure *why)
{
    const struct partition_function *fn = partition_function(name);

    if (!fn)
        return differs(why, "the runner has no function '%s' for 'mapPartitions'",
                       name ? name : "");
    f->pairs = fn->form == FORM_PAIR || (fn->form == FORM_SAME && f->pairs);
    f->stream = f->pairs ? leat_map_partitions_to_pair(f->stream, fn->fn, NULL)
                         : leat_map_partitions(f->stream, fn->fn, NULL);
    return true;
}

bool build_transform(const char *name, const struct flow *flows, size_t count, struct flow *f,
                     struct failure *why)
{
    const struct batch_function *fn = batch_function(name);
    struct leat_stream *streams[STREAMING_INPUTS_MAX];

    if (!fn)
        return differs(why, "the runner has no function '%s' for 'transform'", name ? name : "");
    if (fn->needs && fn->needs != count)
        return differs(why, "'%s' is of %zu streams, not of %zu", name, fn->needs, count);
    for (size_t i = 0; i < count; i++)
        streams[i] = flows[i].stream;
    f->pairs = fn->form == FORM_PAIR || (fn->form == FORM_SAME && flows[0].pairs);
    if (count == 1)
        f->stream = f->pairs ? leat_transform_to_pair(streams[0], fn->fn, NULL)
                             : leat_transform(streams[0], fn->fn, NULL);
    else if (count == 2)
        f->stream = f->pairs ? leat_transform_with_to_pair(streams[0], streams[1], fn->fn, NULL)
                             : leat_transform_with(streams[0], streams[1], fn->fn, NULL);
    else
        f->stream = f->pairs ? leat_transform_all_to_pair(streams, count, fn->fn, NULL)
                             : leat_transform_all(streams, count, fn->fn, NULL);
    return true;
}
