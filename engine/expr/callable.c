#include "expr/callable.h"

#include "expr/program.h"
#include "expr/watch.h"

struct called {
    const struct leat_callable *callable;
    struct leat_watched watched;
};

static const char owner; /* its address names our place in struct leat_eval */

/* NULL: nobody watches. Where there was no memory for it, it stays so: who asks, asks per record.
 */
static struct leat_watch *watch_of(struct leat_eval *ev)
{
    void **kept = ev->calls_limit_s ? leat_eval_kept(ev, &owner, leat_watch_free) : NULL;

    if (kept && !*kept)
        *kept = leat_watch_new(ev->job, ev->calls_limit_s);
    if (!kept || !*kept)
        ev->calls_limit_s = 0;
    return kept ? *kept : NULL;
}

static struct leat_value call_it(struct leat_eval *ev, const struct op *op)
{
    const struct called *called = op->prepared;
    struct leat_watch *watch = watch_of(ev);
    struct leat_call call = {.arena = ev->arena, .ev = ev};
    struct leat_value args[LEAT_CALLABLE_NAMES];

    for (uint32_t i = 0; i < op->count; i++) {
        args[i] = op_plain(op_value(ev, op->args[i]));
        if (args[i].tag == LEAT_ERROR)
            return args[i];
    }
    leat_watch_enter(watch, &called->watched);
    struct leat_value v = called->callable->call(called->callable, &call, args, op->count);
    leat_watch_leave(watch);
    return leat_value_sealed(v);
}

static struct leat_value nothing(struct leat_eval *ev, const struct op *op)
{
    (void)ev, (void)op;
    return (struct leat_value){0};
}

/* What a name stands for. False: it is needed and not there, which was said. */
static bool resolve(const struct leat_compile *c, const struct leat_node *node, uint32_t number,
                    struct op *op)
{
    const struct leat_callable *callable = node->handed;
    struct leat_slice name = leat_slice_str(callable->names[number]), path[2];
    struct leat_ref ref = {.used = 1};
    uint32_t count = leat_slice_cut(name, '.', &path[0], &path[1]) ? 2 : 1;
    enum leat_found found = c->names->resolve(c->names, path, count, &ref);

    if (found != LEAT_FOUND && number < callable->needed) {
        leat_diag_error(c->diags, node, "'%.*s' cannot be seen here%s%s", LEAT_FMT(name),
                        found == LEAT_FOUND_ERROR ? ": " : "",
                        found == LEAT_FOUND_ERROR ? c->names->why : "");
        return false;
    }
    bool is_there = found == LEAT_FOUND && ref.used >= count;
    if (is_there && ref.type && ref.type->kind == LEAT_T_NULL)
        is_there = false; /* a key that was dropped: the column still has it */
    *op = is_there ? (struct op){.run = op_column, .kind = OP_COLUMN, .column = ref.column}
                   : (struct op){.run = nothing};
    return true;
}

static void *take(const struct leat_compile *c, size_t n, size_t size)
{
    void *p = leat_arena_array(c->arena, n, size);

    if (!p)
        c->diags->no_memory = true;
    return p;
}

const struct leat_program *leat_compile_callable(const struct leat_compile *c,
                                                 const struct leat_node *node)
{
    const struct leat_callable *callable = node->handed;
    struct leat_program *p = take(c, 1, sizeof *p);
    struct called *called = take(c, 1, sizeof *called);
    struct op *root = take(c, 1, sizeof *root), *ops = take(c, LEAT_CALLABLE_NAMES, sizeof *ops);
    const struct op **args = take(c, LEAT_CALLABLE_NAMES, sizeof *args);
    uint32_t *columns = take(c, LEAT_CALLABLE_NAMES, sizeof *columns), count = 0;

    if (!p || !called || !root || !ops || !args || !columns) {
        leat_diag_error(c->diags, node, "out of memory");
        return NULL;
    }
    p->columns = columns;
    for (; callable->names[count]; count++) {
        if (!resolve(c, node, count, &ops[count]))
            return NULL;
        if (ops[count].kind == OP_COLUMN)
            columns[p->columns_count++] = ops[count].column;
        args[count] = &ops[count];
    }
    *called = (struct called){callable, {node->path, node->text}};
    *root = (struct op){.run = call_it, .args = args, .count = count, .prepared = called};
    p->root = root;
    p->type = leat_type_of_kind(LEAT_T_ANY);
    p->source = node->text;
    return p;
}
