/*
 * program.h - what an expression is when it runs: a tree of operations, each a function and its
 * operands.
 *
 * An operation returns its value; what went wrong is an LEAT_ERROR value. Operations are immutable
 * and shared by all threads; everything that changes is in struct leat_eval. The tree is as high as
 * the source's (AST_HEIGHT_MAX), so running it by recursion is safe.
 *
 * An optional of CEL is its value with OPT_SOME set in flags, or null with OPT_NONE; both are taken
 * off where a value leaves the expression or goes into a list or map.
 *
 * Private to engine/expr.
 */
#ifndef LEAT_EXPR_PROGRAM_H
#define LEAT_EXPR_PROGRAM_H

#include "expr/ast.h"

#define OPT_SOME 0x80
#define OPT_NONE 0x40

struct called;
struct leat_watch;
struct op;
typedef struct leat_value op_run(struct leat_eval *ev, const struct op *op);

enum op_kind { OP_OTHER, OP_CONSTANT, OP_COLUMN };

struct op {
    op_run *run;
    enum op_kind kind;
    bool constant; /* nothing below depends on a row or a variable */
    bool optional; /* result or element may be an optional */
    bool whole;    /* division of ints */
    bool both;     /* loops: two variables */
    uint32_t column, slot, count;
    struct leat_value value;      /* CONSTANT; a select's error, ready made */
    const struct op *const *args; /* count of them */
    const struct leat_function *function;
    const void *prepared;
    struct leat_slice name;
    const struct leat_slice *parts; /* templates: count + 1 texts around the args */
    enum leat_template_rules rules;
};

struct leat_program {
    const struct op *root;
    const struct leat_type *type;
    struct leat_slice source;
    const uint32_t *columns;
    uint32_t columns_count;
    const struct called *called; /* a function in its place (callable.h); NULL: it is none */
};

struct op_kept {
    struct op_kept *next;
    const void *owner;
    void (*drop)(void *kept);
    void *kept;
};

struct leat_eval {
    struct leat_arena *arena;
    struct leat_value **columns;
    uint32_t row;
    uint64_t steps;                   /* left for this row */
    struct leat_regex_scratch *regex; /* made on first use */
    struct leat_zones *zones;
    struct op_kept *kept;
    struct leat_watch *watch; /* made on first use */
    struct leat_slice job;    /* whose functions are watched */
    unsigned calls_limit_s;   /* 0: none is */
    struct leat_value slots[AST_LOCALS_MAX];
};

static inline struct leat_value op_value(struct leat_eval *ev, const struct op *op)
{
    if (op->kind == OP_COLUMN)
        return ev->columns[op->column][ev->row];
    return op->kind == OP_CONSTANT ? op->value : op->run(ev, op);
}

static inline bool op_charge(struct leat_eval *ev, uint64_t steps)
{
    if (ev->steps < steps) {
        ev->steps = 0;
        return false;
    }
    ev->steps -= steps;
    return true;
}

static inline struct leat_value op_plain(struct leat_value v)
{
    v.flags &= (uint8_t) ~(OPT_SOME | OPT_NONE);
    return v;
}

/* "no such overload: string + int" */
struct leat_value op_no_overload(struct leat_eval *ev, const char *operator, struct leat_value a,
                                 struct leat_value b);
LEAT_PRINTF(3, 4)
struct leat_value op_fail(struct leat_eval *ev, enum leat_value_error code, const char *fmt, ...);
struct leat_value op_full(void); /* no memory left in the arena */
const char *op_type_name(struct leat_value v);

/* eval_logic.c */
op_run op_constant, op_column, op_column_maybe, op_local, op_and, op_or, op_condition, op_not,
    op_negate, op_list, op_map, op_template;
/* eval_number.c, eval_compare.c: by operator */
op_run op_add, op_subtract, op_multiply, op_divide, op_remainder;
op_run op_equal, op_unequal, op_less, op_less_equal, op_greater, op_greater_equal, op_in;
/* eval_access.c */
op_run op_select, op_select_maybe, op_index, op_index_maybe, op_call;
op_run op_has, op_default, op_try, op_has_value, op_take_value, op_or_optional, op_or_value,
    op_optional_of, op_optional_non_zero, op_optional_map, op_optional_flat_map, op_bind;
/* eval_loop.c */
op_run op_all, op_exists, op_exists_one, op_filter, op_map_list, op_transform_map,
    op_transform_entry, op_sort_by, op_fold;

/* The value under a key of a map or record; LEAT_V_ABSENT when there is none. */
struct leat_value op_map_find(struct leat_eval *ev, struct leat_value map, struct leat_value key);

#endif
