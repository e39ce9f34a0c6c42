/*
 * functions.c - functions in C for a pipeline file, to begin with:
 *
 *     cc -std=c11 -shared -fPIC $(pkg-config --cflags leat) functions.c -o functions.so
 *
 *     - map: { module: "./functions.so#in_euro" }
 *     - flat_map: { module: "./functions.so#words" }
 *     - filter: { module: "./functions.so#is_large" }
 *     - update_state_by_key: { update: { module: "./functions.so#sum" } }
 *     - transform: { module: "./functions.so#largest" }
 */
#include "expr/user_function.h"

#include <string.h>

/* A record of numbers: { "amount": 10.5, "rate": 2 } becomes { "euro": 21.0 }. */
static struct leat_value in_euro(struct leat_call *call, const struct leat_value *args,
                                 uint32_t count)
{
    struct leat_value amount = leat_call_field(call, args[0], "amount");
    struct leat_value rate = leat_call_field(call, args[0], "rate");
    struct leat_value out = leat_map_new();

    (void)count;
    if (amount.tag != LEAT_DOUBLE || rate.tag != LEAT_INT)
        return leat_call_fail(call, "amount is a double and rate an int, not %s and %s",
                              leat_tag_name(amount.tag), leat_tag_name(rate.tag));
    leat_map_add(call, &out, "euro", leat_double(amount.as.d * (double)rate.as.i));
    return out;
}

/* The words of the field `text`: a list, borrowed from it. */
static struct leat_value words(struct leat_call *call, const struct leat_value *args,
                               uint32_t count)
{
    struct leat_value text = leat_call_field(call, args[0], "text"), list = leat_list();
    const char *p = text.as.text, *end = p + text.len, *space;

    (void)count;
    if (text.tag != LEAT_STRING)
        return leat_call_fail(call, "there is no text");
    for (; p < end; p = space + 1) {
        space = memchr(p, ' ', (size_t)(end - p));
        space = space ? space : end;
        if (space > p)
            leat_list_add(call, &list, leat_string((struct leat_slice){p, (size_t)(space - p)}));
    }
    return list;
}

static struct leat_value is_large(struct leat_call *call, const struct leat_value *args,
                                  uint32_t count)
{
    struct leat_value euro = leat_call_field(call, args[0], "euro");

    (void)count;
    return leat_bool(euro.tag == LEAT_DOUBLE && euro.as.d > 20);
}

/* values, state, key: the sum of the numbers so far; a negative one forgets the key. */
static struct leat_value sum(struct leat_call *call, const struct leat_value *args, uint32_t count)
{
    int64_t n = args[1].tag == LEAT_INT ? args[1].as.i : 0;

    (void)call, (void)count;
    for (uint32_t i = 0; i < args[0].len; i++) {
        struct leat_value v = args[0].as.items[i];
        if (v.tag == LEAT_INT && v.as.i < 0)
            return (struct leat_value){0};
        n += v.tag == LEAT_INT ? v.as.i : 0;
    }
    return leat_int(n);
}

/* values, keys, time: of all that a batch has (map_partitions: a partition) the largest number, if
 * there is one. */
static struct leat_value largest(struct leat_call *call, const struct leat_value *args,
                                 uint32_t count)
{
    struct leat_value most = {0}, list = leat_list();

    (void)count;
    for (uint32_t i = 0; i < args[0].len; i++) {
        struct leat_value v = args[0].as.items[i];
        if (v.tag == LEAT_INT && (most.tag == LEAT_NULL || v.as.i > most.as.i))
            most = v;
    }
    if (most.tag == LEAT_INT)
        leat_list_add(call, &list, most);
    return list;
}

LEAT_FUNCTIONS({"in_euro", in_euro}, {"words", words}, {"is_large", is_large}, {"sum", sum},
               {"largest", largest});
