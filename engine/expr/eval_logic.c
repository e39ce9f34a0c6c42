/*
 * eval_logic.c - operations: constants, columns, logic, lists and maps as they are written.
 *
 * && and || absorb errors as CEL demands: one false (or true) anywhere decides, whatever the others
 * are. Thread: that of the eval.
 */
#include "data/value_ops.h"
#include "expr/program.h"

struct leat_value op_constant(struct leat_eval *ev, const struct op *op)
{
    (void)ev;
    return op->value;
}

struct leat_value op_column(struct leat_eval *ev, const struct op *op)
{
    return ev->columns[op->column][ev->row];
}

/* this.?a.b: what is absent is an empty optional. */
struct leat_value op_column_maybe(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = ev->columns[op->column][ev->row];

    if (v.tag == LEAT_ERROR && v.code == LEAT_V_ABSENT)
        return (struct leat_value){.flags = OPT_NONE};
    v.flags |= OPT_SOME;
    return v;
}

struct leat_value op_local(struct leat_eval *ev, const struct op *op)
{
    return ev->slots[op->slot];
}

static struct leat_value no_bool(struct leat_eval *ev, const char *operator, struct leat_value v)
{
    return op_fail(ev, LEAT_V_TYPE, "no such overload: %s with %s", operator, op_type_name(v));
}

/* `decides` is the value that settles it: false for &&, true for ||. */
static inline struct leat_value logic(struct leat_eval *ev, const struct op *op, bool decides)
{
    struct leat_value kept = leat_bool(!decides);

    for (uint32_t i = 0; i < op->count; i++) {
        struct leat_value v = op_value(ev, op->args[i]);
        if (v.tag == LEAT_BOOL) {
            if (v.as.b == decides)
                return leat_bool(decides);
        } else if (kept.tag == LEAT_BOOL) {
            kept = v.tag == LEAT_ERROR ? v : no_bool(ev, decides ? "||" : "&&", v);
        }
    }
    return kept;
}

struct leat_value op_and(struct leat_eval *ev, const struct op *op)
{
    return logic(ev, op, false);
}

struct leat_value op_or(struct leat_eval *ev, const struct op *op)
{
    return logic(ev, op, true);
}

struct leat_value op_condition(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    if (v.tag == LEAT_BOOL)
        return op_value(ev, op->args[v.as.b ? 1 : 2]);
    return v.tag == LEAT_ERROR ? v : no_bool(ev, "?:", v);
}

struct leat_value op_not(struct leat_eval *ev, const struct op *op)
{
    struct leat_value v = op_value(ev, op->args[0]);

    if (v.tag == LEAT_BOOL)
        return leat_bool(!v.as.b);
    return v.tag == LEAT_ERROR ? v : no_bool(ev, "!", v);
}

struct leat_value op_list(struct leat_eval *ev, const struct op *op)
{
    struct leat_value *items = leat_arena_array(ev->arena, op->count, sizeof *items);
    uint32_t n = 0;

    if (!items)
        return op_full();
    for (uint32_t i = 0; i < op->count; i++) {
        struct leat_value v = op_value(ev, op->args[i]);
        if (v.tag == LEAT_ERROR)
            return v;
        if (op->args[i]->optional && (v.flags & OPT_NONE))
            continue;
        items[n++] = op_plain(v);
    }
    return (struct leat_value){.tag = LEAT_LIST, .len = n, .as.items = items};
}

static struct leat_value check_key(struct leat_eval *ev, const struct leat_value *pairs, uint32_t n,
                                   struct leat_value key)
{
    if (key.tag != LEAT_STRING && key.tag != LEAT_INT && key.tag != LEAT_UINT &&
        key.tag != LEAT_BOOL)
        return op_fail(ev, LEAT_V_TYPE, "a map's key cannot be of type %s", op_type_name(key));
    if (!op_charge(ev, 1 + n / 64))
        return leat_call_exhausted();
    for (uint32_t i = 0; i < n; i++)
        if (leat_value_equal(pairs[2 * i], key, ev->arena))
            return leat_value_fail(LEAT_V_ARGUMENT, "a key stands twice in a map");
    return (struct leat_value){0};
}

struct leat_value op_map(struct leat_eval *ev, const struct op *op)
{
    struct leat_value *pairs = leat_arena_array(ev->arena, op->count, sizeof *pairs);
    uint32_t n = 0;

    if (!pairs)
        return op_full();
    for (uint32_t i = 0; i < op->count; i += 2) {
        struct leat_value key = op_plain(op_value(ev, op->args[i]));
        if (key.tag == LEAT_ERROR)
            return key;
        struct leat_value wrong = check_key(ev, pairs, n, key);
        if (wrong.tag == LEAT_ERROR)
            return wrong;
        struct leat_value v = op_value(ev, op->args[i + 1]);
        if (v.tag == LEAT_ERROR)
            return v;
        if (op->args[i]->optional && (v.flags & OPT_NONE))
            continue;
        pairs[2 * n] = key;
        pairs[2 * n + 1] = op_plain(v);
        n++;
    }
    return (struct leat_value){.tag = LEAT_MAP, .len = n, .as.items = pairs};
}
