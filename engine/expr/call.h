/*
 * call.h - what the functions of functions_*.c share: refusals, results, bounded output.
 *
 * Private to functions_*.c. Thread: that of the eval.
 */
#ifndef LEAT_EXPR_CALL_H
#define LEAT_EXPR_CALL_H

#include "base/bytes.h"
#include "expr/function.h"
#include "expr/regex.h"
#include "expr/zone.h"

#define CALL_OUT_MAX   ((size_t)16 << 20) /* bytes that one call may make */
#define CALL_BOTH      (LEAT_FN_GLOBAL | LEAT_FN_MEMBER)
#define CALL_DEPTH_MAX 64 /* lists in lists */

static inline struct leat_value call_refuse(const char *why)
{
    return leat_value_fail(LEAT_V_TYPE, why);
}

static inline struct leat_value call_wrong(const char *why)
{
    return leat_value_fail(LEAT_V_ARGUMENT, why);
}

static inline struct leat_value call_full(void)
{
    return leat_value_fail(LEAT_V_BUDGET, "the expression takes too much memory");
}

static inline struct leat_value call_too_large(void)
{
    return leat_value_fail(LEAT_V_BUDGET, "the result would be larger than 16 MiB");
}

static inline struct leat_value call_uint_value(uint64_t u)
{
    return (struct leat_value){.tag = LEAT_UINT, .as.u = u};
}

static inline struct leat_value call_list(const struct leat_value *items, uint32_t n)
{
    return (struct leat_value){.tag = LEAT_LIST, .len = n, .as.items = items};
}

/* Text that lives as long as the row's other values. */
static inline struct leat_value call_text(struct leat_slice s)
{
    return leat_string(s.ptr ? s : LEAT_LIT(""));
}

/* Zeroed items for a list of n. NULL: return *why. Charges a step each. */
struct leat_value *call_items(struct leat_call *call, uint64_t n, struct leat_value *why);

/* Text that is made piece by piece. What goes wrong is remembered to the end. */
struct call_out {
    struct leat_call *call;
    struct leat_bytes bytes;
    size_t uncharged;
    bool too_large, exhausted;
};

void call_out_start(struct call_out *out, struct leat_call *call);
void call_out_put(struct call_out *out, const char *text, size_t len);
struct leat_value call_out_text(const struct call_out *out); /* or the error */

static inline void call_out_slice(struct call_out *out, struct leat_slice s)
{
    call_out_put(out, s.ptr, s.len);
}

/* Stable merge sort of n pairs of `key` and `value`; `less_or_equal` sees keys. False: out of
 * memory or steps, *why says which. */
struct call_pair {
    struct leat_value key, value;
};
bool call_sort(struct leat_call *call, struct call_pair *pairs, uint32_t n,
               int (*order)(struct leat_value a, struct leat_value b, struct leat_arena *scratch),
               struct leat_value *why);

/* A record as the map that it is; other values as they are. */
struct leat_value call_expand(struct leat_call *call, struct leat_value v);

/* The zone in args[index]: UTC when there is none, the prepared one, or by name. NULL: return *why.
 */
const struct leat_zone *call_zone(struct leat_call *call, const struct leat_value *args, uint32_t n,
                                  uint32_t index, struct leat_value *why);
const void *call_prepare_zone(struct leat_value constant, struct leat_arena *arena,
                              const char **why);

/* Whole numbers: an int, a uint that fits, a double without fraction that fits. */
bool call_whole(struct leat_value v, int64_t *i);
double call_as_double(struct leat_value v); /* of a number */

static inline bool call_is_number(struct leat_value v)
{
    return v.tag == LEAT_INT || v.tag == LEAT_UINT || v.tag == LEAT_DOUBLE;
}

/* Functions that stand in another file than their table. */
typedef struct leat_value call_fn(struct leat_call *call, const struct leat_value *args,
                                  uint32_t n);
call_fn fn_format, fn_split, fn_join, fn_replace, fn_reverse;
call_fn fn_keys, fn_values, fn_merge, fn_get, fn_parse_url, fn_parse_query;
call_fn fn_truncate, fn_parse_time;
const char *fn_check_format(uint32_t arg, struct leat_value constant);
const char *fn_check_truncate(uint32_t arg, struct leat_value constant);
const char *fn_check_parse_time(uint32_t arg, struct leat_value constant);

#endif
