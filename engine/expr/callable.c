#include "expr/callable.h"

#include "expr/program.h"
#include "expr/watch.h"

struct called {
    const struct leat_callable *callable;
    struct leat_watched watched;
    bool in_order; /* what it gets are the first columns */
};

/* Without a limit nobody looks, and where there was no memory for it, it stays so. */
static void begin(struct leat_calls *c, const struct called *called, struct leat_eval *ev,
                  struct leat_arena *arena)
{
    if (ev->calls_limit_s && !ev->watch &&
        !(ev->watch = leat_watch_new(ev->job, ev->calls_limit_s)))
        ev->calls_limit_s = 0;
    c->callable = called->callable;
    c->watched = &called->watched;
    c->call = (struct leat_call){.arena = arena, .ev = ev};
    leat_watch_begin(&c->run, ev->watch);
}

bool leat_calls_begin(struct leat_calls *c, const struct leat_program *p, struct leat_eval *ev,
                      struct leat_arena *arena)
{
    if (!p->called || !p->called->in_order)
        return false;
    begin(c, p->called, ev, arena);
    return true;
}

static struct leat_value call_it(struct leat_eval *ev, const struct op *op)
{
    struct leat_value args[LEAT_CALLABLE_NAMES];
    struct leat_calls calls;

    for (uint32_t i = 0; i < op->count; i++) {
        args[i] = op_plain(op_value(ev, op->args[i]));
        if (args[i].tag == LEAT_ERROR)
            return args[i];
    }
    begin(&calls, op->prepared, ev, ev->arena);
    return leat_calls_one(&calls, args, op->count);
}

/* What has no `rows` of its own. */
static void one_by_one(struct leat_many *m, uint32_t names)
{
    struct leat_value args[LEAT_CALLABLE_NAMES] = {{0}};

    for (uint32_t i = 0; i < m->count; i++) {
        uint16_t row = m->rows[i];
        struct leat_value wrong = {0};
        for (uint32_t k = 0; k < names; k++) {
            args[k] = m->args[k] ? m->args[k][row] : (struct leat_value){0};
            if (args[k].tag == LEAT_ERROR && wrong.tag != LEAT_ERROR)
                wrong = args[k];
        }
        m->values[row] = wrong.tag == LEAT_ERROR ? wrong : leat_calls_one(&m->calls, args, names);
        m->calls.call.time_ms = 0;
    }
}

void leat_eval_many(const struct leat_program *p, struct leat_eval *ev, struct leat_chunk *chunk,
                    uint32_t values, uint32_t keys)
{
    const struct op *root = p->root;
    struct leat_many m = {.rows = chunk->selection,
                          .count = chunk->selected,
                          .values = chunk->columns[values],
                          .keys = chunk->columns[keys]};

    for (uint32_t i = 0; i < root->count; i++)
        if (root->args[i]->kind == OP_COLUMN)
            m.args[i] = chunk->columns[root->args[i]->column];
    begin(&m.calls, p->called, ev, chunk->arena);
    if (p->called->callable->rows)
        p->called->callable->rows(p->called->callable, &m);
    else
        one_by_one(&m, root->count);
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
    *called = (struct called){callable, {node->path, node->text}, true};
    for (uint32_t i = 0; i < count; i++)
        called->in_order &= ops[i].kind == OP_COLUMN && ops[i].column == i;
    *root = (struct op){.run = call_it, .args = args, .count = count, .prepared = called};
    p->root = root;
    p->called = called;
    p->type = leat_type_of_kind(LEAT_T_ANY);
    p->source = node->text;
    return p;
}
