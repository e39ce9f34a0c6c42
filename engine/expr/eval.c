/*
 * eval.c - programs run over the rows of a chunk.
 *
 * One struct leat_eval per worker holds what changes: variables, the row's budget, where made text
 * goes. Nothing is allocated here but by operations whose result needs room, in the chunk's arena.
 * Thread: the worker that owns the eval.
 */
#include "base/mem.h"
#include "expr/callable.h"
#include "expr/program.h"
#include "expr/regex.h"
#include "expr/zone.h"

#include <stdarg.h>
#include <stdio.h>

struct leat_eval *leat_eval_new(void)
{
    return leat_mem_alloc(sizeof(struct leat_eval));
}

void leat_eval_free(struct leat_eval *ev)
{
    if (!ev)
        return;
    leat_regex_scratch_free(ev->regex);
    leat_zones_free(ev->zones);
    if (ev->watch)
        leat_watch_free(ev->watch);
    while (ev->kept) {
        struct op_kept *k = ev->kept;
        ev->kept = k->next;
        if (k->kept)
            k->drop(k->kept);
        leat_mem_free(k);
    }
    leat_mem_free(ev);
}

void leat_eval_limit_calls(struct leat_eval *ev, struct leat_slice job, unsigned limit_s)
{
    ev->job = job;
    ev->calls_limit_s = limit_s;
}

struct leat_regex_scratch *leat_eval_regex(struct leat_eval *ev)
{
    if (!ev->regex)
        ev->regex = leat_regex_scratch_new();
    return ev->regex;
}

struct leat_zones *leat_eval_zones(struct leat_eval *ev)
{
    if (!ev->zones)
        ev->zones = leat_zones_new();
    return ev->zones;
}

void **leat_eval_kept(struct leat_eval *ev, const void *owner, void (*drop)(void *kept))
{
    struct op_kept *k = ev->kept;

    while (k && k->owner != owner)
        k = k->next;
    if (k)
        return &k->kept;
    k = leat_mem_alloc(sizeof *k);
    if (!k)
        return NULL;
    *k = (struct op_kept){.next = ev->kept, .owner = owner, .drop = drop};
    ev->kept = k;
    return &k->kept;
}

bool leat_call_charge(struct leat_call *call, uint64_t steps)
{
    return op_charge(call->ev, steps);
}

struct leat_value leat_call_exhausted(void)
{
    return leat_value_fail(LEAT_V_BUDGET, "the expression takes too many steps");
}

struct leat_value op_full(void)
{
    return leat_value_fail(LEAT_V_BUDGET, "the expression takes too much memory");
}

struct leat_value op_fail(struct leat_eval *ev, enum leat_value_error code, const char *fmt, ...)
{
    char text[200];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct leat_slice copy = leat_arena_copy(ev->arena, leat_slice_str(text));
    return leat_value_fail(code, copy.ptr ? copy.ptr : "");
}

const char *op_type_name(struct leat_value v)
{
    if (v.tag == LEAT_TYPE)
        return "type";
    return v.tag == LEAT_RECORD ? "map" : leat_tag_name(v.tag);
}

struct leat_value op_no_overload(struct leat_eval *ev, const char *operator, struct leat_value a,
                                 struct leat_value b)
{
    return op_fail(ev, LEAT_V_TYPE, "no such overload: %s %s %s", op_type_name(a), operator,
                   op_type_name(b));
}

void leat_eval_chunk(const struct leat_program *p, struct leat_eval *ev, struct leat_chunk *chunk,
                     uint32_t out)
{
    const struct op *root = p->root;
    struct leat_value *result = chunk->columns[out];

    if (p->called) {
        leat_eval_many(p, ev, chunk, out, out);
        return;
    }
    ev->arena = chunk->arena;
    ev->columns = chunk->columns;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint32_t row = chunk->selection[i];
        ev->row = row;
        ev->steps = LEAT_EVAL_STEPS;
        result[row] = op_plain(op_value(ev, root));
    }
}

struct leat_value leat_eval_row(const struct leat_program *p, struct leat_eval *ev,
                                const struct leat_chunk *chunk, uint32_t row)
{
    ev->arena = chunk->arena;
    ev->columns = chunk->columns;
    ev->row = row;
    ev->steps = LEAT_EVAL_STEPS;
    return op_plain(op_value(ev, p->root));
}

const struct leat_type *leat_program_type(const struct leat_program *p)
{
    return p->type;
}

struct leat_slice leat_program_source(const struct leat_program *p)
{
    return p->source;
}

bool leat_program_is_column(const struct leat_program *p, uint32_t *column)
{
    if (p->root->kind == OP_COLUMN)
        *column = p->root->column;
    return p->root->kind == OP_COLUMN;
}

bool leat_program_is_constant(const struct leat_program *p, struct leat_value *v)
{
    if (p->root->kind == OP_CONSTANT)
        *v = op_plain(p->root->value);
    return p->root->kind == OP_CONSTANT;
}

void leat_program_columns(const struct leat_program *p, void (*fn)(uint32_t column, void *arg),
                          void *arg)
{
    for (uint32_t i = 0; i < p->columns_count; i++)
        fn(p->columns[i], arg);
}
