/*
 * eval_access.c - operations: fields, indexes, function calls, what is absent, optionals.
 *
 * An absent field or key is an error value with LEAT_V_ABSENT; has, default and optionals look at
 * that code and let other errors through. Thread: that of the eval.
 */
#include "data/value_ops.h"
#include "expr/program.h"

static const struct leat_value none = {.flags = OPT_NONE};

static struct leat_value some(struct leat_value v)
{
    if (v.tag != LEAT_ERROR)
        v.flags = (uint8_t)((v.flags & ~OPT_NONE) | OPT_SOME);
    return v;
}

static bool is_absent(struct leat_value v)
{
    return v.tag == LEAT_ERROR && v.code == LEAT_V_ABSENT;
}

/* What looking into an optional gives is an optional again. */
static struct leat_value as_maybe(struct leat_value found)
{
    return is_absent(found) ? none : some(found);
}

static struct leat_value field_of(struct leat_eval *ev, const struct op *op, struct leat_value v)
{
    if (v.tag == LEAT_ERROR)
        return v;
    if (v.tag != LEAT_RECORD && v.tag != LEAT_MAP) /* absent, as a reader of paths finds it */
        return op_fail(ev, LEAT_V_ABSENT, "a value of type %s has no field '%.*s'", op_type_name(v),
                       LEAT_FMT(op->name));
    struct leat_value found = leat_value_field(v, op->name, ev->arena);
    return is_absent(found) ? op->value : found;
}

struct leat_value op_select(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    if (v.flags & OPT_NONE)
        return v;
    if (v.flags & OPT_SOME)
        return as_maybe(field_of(ev, op, v));
    return field_of(ev, op, v);
}

struct leat_value op_select_maybe(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    return v.flags & OPT_NONE ? v : as_maybe(field_of(ev, op, v));
}

static struct leat_value item_of(struct leat_eval *ev, struct leat_value list,
                                 struct leat_value index)
{
    int64_t i = index.as.i;

    if (index.tag == LEAT_DOUBLE) {
        if (!(index.as.d >= -1e9 && index.as.d <= 1e10) ||
            index.as.d != (double)(int64_t)index.as.d)
            return leat_value_fail(LEAT_V_ARGUMENT, "an index that is no whole number");
        i = (int64_t)index.as.d;
    } else if (index.tag == LEAT_UINT && index.as.u > INT64_MAX) {
        i = INT64_MAX;
    } else if (index.tag != LEAT_INT && index.tag != LEAT_UINT) {
        return op_fail(ev, LEAT_V_TYPE, "no such overload: list[%s]", op_type_name(index));
    }
    if (i < 0 || i >= list.len)
        return op_fail(ev, LEAT_V_ABSENT, "index %lld is outside a list of %u", (long long)i,
                       list.len);
    return list.as.items[i];
}

static struct leat_value indexed(struct leat_eval *ev, struct leat_value v, struct leat_value index)
{
    if (v.tag == LEAT_ERROR)
        return v;
    if (index.tag == LEAT_ERROR)
        return index;
    if (v.tag == LEAT_LIST)
        return item_of(ev, v, index);
    if (v.tag != LEAT_MAP && v.tag != LEAT_RECORD)
        return op_fail(ev, LEAT_V_TYPE, "no such overload: %s[%s]", op_type_name(v),
                       op_type_name(index));
    struct leat_value found = op_map_find(ev, v, op_plain(index));
    if (is_absent(found) && index.tag == LEAT_STRING)
        return op_fail(ev, LEAT_V_ABSENT, "no such key: '%.*s'",
                       index.len < 100 ? (int)index.len : 100, index.as.text);
    return found;
}

struct leat_value op_index(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    if (v.flags & OPT_NONE)
        return v;
    struct leat_value found = indexed(ev, v, op_value(ev, op->args[1]));
    return v.flags & OPT_SOME ? as_maybe(found) : found;
}

struct leat_value op_index_maybe(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    return v.flags & OPT_NONE ? v : as_maybe(indexed(ev, v, op_value(ev, op->args[1])));
}

struct leat_value op_call(struct leat_eval *ev, const struct op *op)
{
    struct leat_value args[LEAT_FN_ARGS_MAX];

    if (!op_charge(ev, 1))
        return leat_call_exhausted();
    for (uint32_t i = 0; i < op->count; i++) {
        args[i] = op_plain(op_value(ev, op->args[i]));
        if (args[i].tag == LEAT_ERROR)
            return args[i];
    }
    struct leat_call call = {.arena = ev->arena, .ev = ev, .prepared = op->prepared};
    return op->function->call(&call, args, op->count);
}

/* The operand is a path: wherever on it something is absent, the answer is no. */
struct leat_value op_has(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    if (v.tag != LEAT_ERROR)
        return leat_bool(!(v.flags & OPT_NONE));
    return is_absent(v) ? leat_bool(false) : v;
}

struct leat_value op_default(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    return v.tag == LEAT_NULL || is_absent(v) ? op_value(ev, op->args[1]) : op_plain(v);
}

struct leat_value op_try(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    return v.tag == LEAT_ERROR ? op_value(ev, op->args[1]) : v;
}

struct leat_value op_has_value(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    return v.tag == LEAT_ERROR ? v : leat_bool(!(v.flags & OPT_NONE));
}

struct leat_value op_take_value(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    if (v.flags & OPT_NONE)
        return leat_value_fail(LEAT_V_ABSENT, "the optional is empty");
    return op_plain(v);
}

struct leat_value op_or_optional(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    return v.flags & OPT_NONE ? op_value(ev, op->args[1]) : v;
}

struct leat_value op_or_value(struct leat_eval *ev, const struct op *op)
{
    return op_plain(op_or_optional(ev, op));
}

struct leat_value op_optional_of(struct leat_eval *ev, const struct op *op)
{
    return some(op_value(ev, op->args[0]));
}

static bool is_zero(struct leat_value v)
{
    switch ((enum leat_tag)v.tag) {
    case LEAT_NULL:
        return true;
    case LEAT_BOOL:
        return !v.as.b;
    case LEAT_INT:
    case LEAT_UINT:
        return v.as.u == 0;
    case LEAT_DOUBLE:
        return v.as.d == 0;
    case LEAT_DURATION:
        return v.as.i == 0 && v.len == 0;
    case LEAT_STRING:
    case LEAT_BYTES:
    case LEAT_LIST:
    case LEAT_MAP:
        return v.len == 0;
    case LEAT_TIMESTAMP:
    case LEAT_RECORD:
    case LEAT_ERROR:
    case LEAT_TYPE:
        break;
    }
    return false;
}

struct leat_value op_optional_non_zero(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    if (v.tag == LEAT_RECORD)
        v = leat_value_expand(v, ev->arena);
    return is_zero(v) ? none : some(v);
}

/* x.optMap(v, expr): args[1] over the variable. */
struct leat_value op_optional_flat_map(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    if (v.tag == LEAT_ERROR || (v.flags & OPT_NONE))
        return v;
    ev->slots[op->slot] = op_plain(v);
    return op_value(ev, op->args[1]);
}

struct leat_value op_optional_map(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_optional_flat_map(ev, op);

    return v.flags & OPT_NONE ? v : some(v);
}

/* cel.bind(name, args[0], args[1]). An error travels with the variable, as CEL has it. */
struct leat_value op_bind(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    ev->slots[op->slot] = v;
    return op_value(ev, op->args[1]);
}
