/*
 * streaming_functions.c - the functions that cases name, as functions of a C program.
 *
 * An element is a value, or a list of key and value where the stream has pairs: `whole()`.
 */
#include "streaming.h"

#include "base/bytes.h"
#include "data/value_ops.h"
#include "expr/case_map.h"
#include "expr/function.h"
#include "expr/utf8.h"

#define ELEMENT(name)                                                                              \
    static struct leat_value name(struct leat_call *call, const struct leat_pair *in, void *arg)
#define REDUCE(name)                                                                               \
    static struct leat_value name(struct leat_call *call, struct leat_value a,                     \
                                  struct leat_value b, void *arg)
#define UPDATE(name)                                                                               \
    static struct leat_value name(struct leat_call *call, struct leat_value key,                   \
                                  struct leat_value values, struct leat_value state, void *arg)

static struct leat_value two(struct leat_call *call, struct leat_value a, struct leat_value b)
{
    struct leat_value list = leat_list();

    leat_list_add(call, &list, a);
    leat_list_add(call, &list, b);
    return list;
}

static struct leat_value whole(struct leat_call *call, const struct leat_pair *in)
{
    return in->key.tag == LEAT_NULL ? in->value : two(call, in->key, in->value);
}

static struct leat_value joined(struct leat_call *call, struct leat_value a, struct leat_value b)
{
    struct leat_value both;
    char *text;

    if (a.tag != LEAT_STRING || b.tag != LEAT_STRING)
        return leat_call_fail(call, "no strings");
    text = leat_call_alloc(call, a.len + b.len + 1);
    if (!text)
        return leat_call_fail(call, "out of memory");
    memcpy(text, a.as.text, a.len);
    memcpy(text + a.len, b.as.text, b.len);
    both = leat_string((struct leat_slice){text, a.len + b.len});
    return both;
}

static struct leat_value plus(struct leat_call *call, struct leat_value a, struct leat_value b)
{
    if (a.tag == LEAT_STRING)
        return joined(call, a, b);
    for (uint32_t i = 0; a.tag == LEAT_LIST && b.tag == LEAT_LIST && i < b.len; i++)
        leat_list_add(call, &a, b.as.items[i]);
    if (a.tag == LEAT_LIST && b.tag == LEAT_LIST)
        return a;
    if ((a.tag != LEAT_INT && a.tag != LEAT_DOUBLE) || (b.tag != LEAT_INT && b.tag != LEAT_DOUBLE))
        return leat_call_fail(call, "no numbers");
    if (a.tag == LEAT_DOUBLE || b.tag == LEAT_DOUBLE)
        return leat_double((a.tag == LEAT_DOUBLE ? a.as.d : (double)a.as.i) +
                           (b.tag == LEAT_DOUBLE ? b.as.d : (double)b.as.i));
    return leat_int((int64_t)((uint64_t)a.as.i + (uint64_t)b.as.i)); /* as Spark's */
}

static struct leat_value made(struct leat_call *call, const struct leat_bytes *text)
{
    return text->failed ? leat_call_fail(call, "out of memory")
                        : leat_call_text(call, text->ptr, text->len);
}

static struct leat_value as_text(struct leat_call *call, struct leat_value v)
{
    struct leat_bytes text = {.arena = call->arena};

    leat_value_print(v, &text);
    return made(call, &text);
}

/* The length of the character (UTF-8) at text. */
static size_t character(const char *text, size_t len)
{
    size_t n = 1;

    while (n < len && ((unsigned char)text[n] & 0xc0) == 0x80)
        n++;
    return n;
}

static int64_t length(struct leat_value v)
{
    int64_t count = 0;

    for (size_t at = 0; v.tag == LEAT_STRING && at < v.len; count++)
        at += character(v.as.text + at, v.len - at);
    return count;
}

/* Its characters: alone, or each with `with`. */
static struct leat_value characters(struct leat_call *call, struct leat_value v,
                                    const struct leat_value *with)
{
    struct leat_value list = leat_list();

    for (size_t at = 0, n; v.tag == LEAT_STRING && at < v.len; at += n) {
        n = character(v.as.text + at, v.len - at);
        struct leat_value c = leat_string((struct leat_slice){v.as.text + at, n});
        leat_list_add(call, &list, with ? two(call, *with, c) : c);
    }
    return list;
}

static struct leat_value contains_a(struct leat_value v)
{
    return leat_bool(v.tag == LEAT_STRING && memchr(v.as.text, 'a', v.len));
}

/* ---- of an element */

/* Of a pair as Spark's: (k,v). */
ELEMENT(str)
{
    struct leat_bytes text = {.arena = call->arena};

    (void)arg;
    if (in->key.tag == LEAT_NULL)
        return as_text(call, in->value);
    leat_bytes_put(&text, "(", 1);
    leat_value_print(in->key, &text);
    leat_bytes_put(&text, ",", 1);
    leat_value_print(in->value, &text);
    leat_bytes_put(&text, ")", 1);
    return made(call, &text);
}

ELEMENT(x_and_2x)
{
    (void)arg;
    return two(call, in->value, plus(call, in->value, in->value));
}

ELEMENT(is_even)
{
    (void)call, (void)arg;
    return leat_bool(in->value.tag == LEAT_INT && in->value.as.i % 2 == 0);
}

ELEMENT(pair_with_one)
{
    (void)arg;
    return two(call, whole(call, in), leat_int(1));
}

ELEMENT(pair_with_x)
{
    (void)arg;
    return two(call, whole(call, in), leat_string((struct leat_slice){"x", 1}));
}

ELEMENT(pair_with_len)
{
    (void)arg;
    return two(call, in->value, leat_int(length(in->value)));
}

ELEMENT(swap)
{
    (void)arg;
    return two(call, in->value, in->key);
}

ELEMENT(second)
{
    (void)call, (void)arg;
    return in->value;
}

ELEMENT(plus_2)
{
    (void)arg;
    return plus(call, in->value, leat_int(2));
}

ELEMENT(plus_4)
{
    (void)arg;
    return plus(call, in->value, leat_int(4));
}

ELEMENT(plus_8)
{
    (void)arg;
    return plus(call, in->value, leat_int(8));
}

ELEMENT(plus_10)
{
    (void)arg;
    return plus(call, in->value, leat_int(10));
}

ELEMENT(v_and_v_plus_10)
{
    (void)arg;
    return two(call, in->value, plus(call, in->value, leat_int(10)));
}

ELEMENT(suffix_1_and_2)
{
    const struct leat_value one = leat_string((struct leat_slice){"1", 1}),
                            two_ = leat_string((struct leat_slice){"2", 1});

    (void)arg;
    return two(call, joined(call, in->value, one), joined(call, in->value, two_));
}

ELEMENT(str_len)
{
    (void)call, (void)arg;
    return leat_int(length(in->value));
}

ELEMENT(value_contains_a)
{
    (void)call, (void)arg;
    return contains_a(in->value);
}

ELEMENT(key_contains_a)
{
    (void)call, (void)arg;
    return contains_a(in->key);
}

ELEMENT(value_positive)
{
    (void)call, (void)arg;
    return leat_bool(in->value.tag == LEAT_DOUBLE ? in->value.as.d > 0 : in->value.as.i > 0);
}

ELEMENT(value_non_zero)
{
    (void)call, (void)arg;
    return leat_bool(in->value.tag == LEAT_DOUBLE ? in->value.as.d != 0 : in->value.as.i != 0);
}

ELEMENT(upper)
{
    const char *at = in->value.as.text, *end;
    struct leat_bytes text = {.arena = call->arena};

    (void)arg;
    if (in->value.tag != LEAT_STRING)
        return leat_call_fail(call, "no string");
    end = at + in->value.len;
    for (uint32_t len; at < end; at += len) {
        char other[4];
        leat_bytes_put(&text, other, utf8_put(case_upper(utf8_get(at, end, &len)), other));
    }
    return made(call, &text);
}

ELEMENT(chars)
{
    (void)arg;
    return characters(call, in->value, NULL);
}

ELEMENT(len_and_chars)
{
    const struct leat_value len = leat_int(length(in->value));

    (void)arg;
    return characters(call, in->value, &len);
}

ELEMENT(value_and_key_chars)
{
    (void)arg;
    return characters(call, in->key, &in->value);
}

ELEMENT(identity)
{
    (void)arg;
    return whole(call, in);
}

ELEMENT(counter_of)
{
    (void)arg;
    return in->value.tag == LEAT_LIST ? in->value.as.items[0] : leat_call_fail(call, "no state");
}

ELEMENT(fail_on_1)
{
    (void)arg;
    if (in->value.tag == LEAT_INT && in->value.as.i == 1)
        return leat_call_fail(call, "This is a special error");
    return whole(call, in);
}

const struct element_function *element_function(const char *name)
{
    static const struct element_function list[] = {
        {"str", str, FORM_VALUE},
        {"xAnd2x", x_and_2x, FORM_VALUE},
        {"isEven", is_even, FORM_VALUE},
        {"pairWithOne", pair_with_one, FORM_PAIR},
        {"pairWithX", pair_with_x, FORM_PAIR},
        {"pairWithLen", pair_with_len, FORM_PAIR},
        {"swap", swap, FORM_PAIR},
        {"second", second, FORM_VALUE},
        {"plus2", plus_2, FORM_VALUE},
        {"plus4", plus_4, FORM_VALUE},
        {"plus8", plus_8, FORM_VALUE},
        {"plus10", plus_10, FORM_VALUE},
        {"vAndVplus10", v_and_v_plus_10, FORM_VALUE},
        {"suffix1and2", suffix_1_and_2, FORM_VALUE},
        {"strLen", str_len, FORM_VALUE},
        {"containsA", value_contains_a, FORM_VALUE},
        {"keyContainsA", key_contains_a, FORM_VALUE},
        {"valuePositive", value_positive, FORM_VALUE},
        {"valueNonZero", value_non_zero, FORM_VALUE},
        {"upper", upper, FORM_VALUE},
        {"chars", chars, FORM_VALUE},
        {"lenAndChars", len_and_chars, FORM_PAIR},
        {"valueAndKeyChars", value_and_key_chars, FORM_PAIR},
        {"identity", identity, FORM_SAME},
        {"counterOf", counter_of, FORM_VALUE},
        {"failOn1", fail_on_1, FORM_SAME},
    };

    for (size_t i = 0; name && i < sizeof list / sizeof *list; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    return NULL;
}

struct leat_pair pair_of_list(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    if (in->value.tag == LEAT_ERROR)
        return (struct leat_pair){.value = in->value};
    if (in->value.tag != LEAT_LIST || in->value.len != 2)
        return (struct leat_pair){.value = leat_call_fail(call, "no pair")};
    return (struct leat_pair){in->value.as.items[0], in->value.as.items[1]};
}

struct leat_pair pair_of_result(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    const struct element_function *f = arg;
    const struct leat_pair made = {.value = f->fn(call, in, NULL)};

    return pair_of_list(call, &made, NULL);
}

/* ---- of two values */

REDUCE(add)
{
    (void)arg;
    return plus(call, a, b);
}

REDUCE(sub)
{
    (void)arg;
    if (a.tag == LEAT_DOUBLE)
        return leat_double(a.as.d - (b.tag == LEAT_DOUBLE ? b.as.d : (double)b.as.i));
    if (a.tag != LEAT_INT || b.tag != LEAT_INT)
        return leat_call_fail(call, "no numbers");
    return leat_int(a.as.i - b.as.i);
}

REDUCE(append_str)
{
    (void)arg;
    return joined(call, a, as_text(call, b));
}

leat_reduce_function *reduce_function(const char *name)
{
    if (name && strcmp(name, "add") == 0)
        return add;
    if (name && strcmp(name, "sub") == 0)
        return sub;
    return name && strcmp(name, "appendStr") == 0 ? append_str : NULL;
}

/* ---- of a key's state. Where there is state to begin with, elements are [0, value] and [1, state]
 */

struct leat_value tag_value(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    return two(call, leat_int(0), in->value);
}

struct leat_value tag_state(struct leat_call *call, const struct leat_pair *in, void *arg)
{
    (void)arg;
    return two(call, leat_int(1), in->value);
}

/* arg not NULL: takes off the tags. */
static void untag(struct leat_call *call, struct leat_value *values, struct leat_value *state,
                  const void *arg)
{
    struct leat_value plain = leat_list();

    for (uint32_t i = 0; arg && i < values->len; i++) {
        const struct leat_value *tagged = values->as.items[i].as.items;
        if (tagged[0].as.i)
            *state = tagged[1];
        else
            leat_list_add(call, &plain, tagged[1]);
    }
    if (arg)
        *values = plain;
}

static struct leat_value sum_of(struct leat_call *call, struct leat_value values,
                                struct leat_value sum)
{
    for (uint32_t i = 0; i < values.len; i++)
        sum = plus(call, sum, values.as.items[i]);
    return sum;
}

UPDATE(running_sum)
{
    (void)key;
    untag(call, &values, &state, arg);
    return sum_of(call, values, state.tag == LEAT_NULL ? leat_int(0) : state);
}

UPDATE(append_list)
{
    struct leat_value list = leat_list();

    (void)key;
    untag(call, &values, &state, arg);
    for (uint32_t i = 0; state.tag == LEAT_LIST && i < state.len; i++)
        leat_list_add(call, &list, state.as.items[i]);
    for (uint32_t i = 0; i < values.len; i++)
        leat_list_add(call, &list, values.as.items[i]);
    return list;
}

UPDATE(add_batch_time)
{
    (void)key;
    untag(call, &values, &state, arg);
    state = state.tag == LEAT_NULL ? leat_int(0) : state;
    return values.len ? leat_int(state.as.i + leat_call_time_ms(call)) : state;
}

/* [counter, idle]; two batches without a value, and the key goes. */
UPDATE(counter_expire)
{
    struct leat_value counter = leat_int(0), idle = leat_int(0);

    (void)key;
    untag(call, &values, &state, arg);
    if (state.tag == LEAT_LIST) {
        counter = state.as.items[0];
        idle = state.as.items[1];
    }
    if (values.len)
        return two(call, sum_of(call, values, counter), leat_int(0));
    if (idle.as.i == 1)
        return (struct leat_value){0};
    return two(call, counter, leat_int(idle.as.i + 1));
}

leat_update_function *update_function(const char *name)
{
    static const struct {
        const char *name;
        leat_update_function *fn;
    } list[] = {{"runningSum", running_sum},
                {"runningSumIterator", running_sum},
                {"appendList", append_list},
                {"addBatchTimeIfValues", add_batch_time},
                {"counterExpireAfter2Idle", counter_expire}};

    for (size_t i = 0; name && i < sizeof list / sizeof *list; i++)
        if (strcmp(list[i].name, name) == 0)
            return list[i].fn;
    return NULL;
}
