/*
 * combine.c - combine_by_key: a partial result that the user describes.
 *
 *     create (this)  merge_value (acc, this)  merge (a, b)  result (acc)
 *
 * `create` and `merge_value` see the record's fields, and `acc` what there is.
 */
#include "base/module.h"
#include "op/group_build.h"
#include "op/held.h"
#include "op/shape.h"

struct combine {
    struct leat_group group; /* first */
    struct leat_small_expr both, final;

    struct leat_expression create, merge_value, merge, result;
};

struct combine_in {
    struct leat_expr create, add;
    uint32_t column, acc;
};

static const struct combine *of(const struct leat_group *g)
{
    return (const struct combine *)g;
}

static enum leat_status keep(struct leat_work *w, struct leat_held *into, struct leat_value v,
                             const struct leat_program *why, struct leat_error *err)
{
    if (v.tag == LEAT_ERROR)
        return leat_group_bad(w, v, leat_program_source(why), err);
    return leat_held_set(into, w->pool, w->scratch, v) ? LEAT_OK
                                                       : leat_arena_failed(w->pool->arena, err);
}

static enum leat_status prepare(const struct leat_group_in *in, struct leat_work *w,
                                struct leat_chunk *chunk, struct leat_error *err)
{
    const struct combine_in *args = in->args;

    (void)w;
    if ((args->create.assemble && leat_assemble(args->create.assemble, chunk) == LEAT_NO_COLUMN) ||
        (args->add.assemble && leat_assemble(args->add.assemble, chunk) == LEAT_NO_COLUMN))
        return leat_arena_failed(chunk->arena, err);
    return LEAT_OK;
}

static enum leat_status add(const struct leat_group_in *in, struct leat_work *w,
                            const struct leat_chunk *chunk, const uint16_t *rows,
                            void *const *partials, uint32_t count, struct leat_error *err)
{
    const struct combine_in *args = in->args;

    for (uint32_t i = 0; i < count; i++) {
        struct leat_held *into = partials[i];
        const struct leat_program *p = into->set ? args->add.program : args->create.program;
        if (into->set)
            chunk->columns[args->acc][rows[i]] = leat_held_get(into, w->scratch);
        struct leat_value v = leat_eval_row(p, w->task->eval, chunk, rows[i]);
        if (keep(w, into, v, p, err) != LEAT_OK)
            return err->status;
    }
    leat_work_tidy(w);
    return LEAT_OK;
}

static enum leat_status merge(const struct leat_group *g, struct leat_work *w, void *into,
                              const void *from, struct leat_error *err)
{
    struct leat_held *a = into;
    const struct leat_held *b = from;

    if (!b->set)
        return LEAT_OK;
    if (!a->set)
        return leat_held_copy(a, w->pool, b) ? LEAT_OK : leat_arena_failed(w->pool->arena, err);
    const struct leat_value values[2] = {leat_held_get(a, w->scratch),
                                         leat_held_get(b, w->scratch)};
    struct leat_value v = leat_small_expr_eval(&of(g)->both, w, w->scratch, values, 2);
    return keep(w, a, v, of(g)->both.program, err);
}

static void release(const struct leat_group *g, struct leat_work *w, void *partial)
{
    (void)g;
    leat_held_free(partial, w->pool);
}

static void encode(const struct leat_group *g, const void *partial, struct leat_bytes *into)
{
    (void)g;
    leat_held_encode(partial, into);
}

static enum leat_status decode(const struct leat_group *g, struct leat_work *w,
                               struct leat_slice *from, void *partial, struct leat_error *err)
{
    (void)g;
    return leat_held_decode(partial, w, from, err);
}

static void shape(const struct leat_group *g, struct leat_bytes *text)
{
    const struct combine *c = of(g);

    leat_shape_say(text, "create ");
    leat_shape_node(text, c->create.node);
    leat_shape_say(text, "; merge_value ");
    leat_shape_node(text, c->merge_value.node);
    leat_shape_say(text, "; ");
    leat_shape_program(text, "merge", c->both.program);
}

static enum leat_status emit(const struct leat_group *g, struct leat_work *w,
                             const struct leat_result *r, const void *partial,
                             struct leat_error *err)
{
    const struct leat_small_expr *final = &of(g)->final;
    const struct leat_held *h = partial;
    struct leat_chunk *out = w->task->out;
    uint32_t row;

    if (!h->set)
        return LEAT_OK;
    if (leat_group_row(g, w, r, &row, err) != LEAT_OK)
        return err->status;
    struct leat_value v = leat_held_take(h, out->arena);
    if (final->program)
        v = leat_small_expr_eval(final, w, out->arena, &v, 1);
    out->columns[LEAT_COL_THIS][row] = v;
    return LEAT_OK;
}

static enum leat_status seal(const struct leat_group *g, struct leat_work *w,
                             struct leat_chunk *out, struct leat_error *err)
{
    const struct leat_program *final = of(g)->final.program;

    return final ? leat_sweep_errors(w->task, out, LEAT_COL_THIS, leat_program_source(final), err)
                 : LEAT_OK;
}

static const struct leat_aggregator aggregator = {
    .keep = LEAT_KEEP_MERGED,
    .prepare = prepare,
    .add = add,
    .merge = merge,
    .release = release,
    .encode = encode,
    .decode = decode,
    .shape = shape,
    .emit = emit,
    .seal = seal,
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct combine, create, .help = "The partial result of a key's first record."),
    LEAT_OPT(struct combine, merge_value, .help = "Expression over acc and the record's fields."),
    LEAT_OPT(struct combine, merge, .help = "Expression over a and b, two partial results."),
    LEAT_OPT(struct combine, result, .optional = true,
             .help = "Expression over acc: what comes out; default: acc."),
    {0},
};

static void combine_by_key_build(void *plan, struct leat_build *b)
{
    static const char *const pair[] = {"a", "b"}, *const acc[] = {"acc"};
    struct combine *c = plan;
    uint32_t errors = b->diags->errors;

    c->group.agg = &aggregator;
    c->group.partial_size = sizeof(struct leat_held);
    if (leat_build_need_arg(b, "{ create, merge_value, merge, result }"))
        return;
    leat_build_options(b, options, c);
    bool read = b->diags->errors == errors;
    leat_warn_hidden(b, c->merge_value.node, acc, 1);
    for (uint32_t i = 0; read && i < b->in_count; i++) {
        struct combine_in *args = leat_arena_alloc(b->arena, sizeof *args);
        if (!args)
            return;
        args->acc = leat_view_column(&b->in[i]);
        const struct leat_local_name local = {LEAT_LIT("acc"), args->acc,
                                              leat_type_of_kind(LEAT_T_ANY)};
        args->create = leat_build_expr(b, &b->in[i], c->create.node, NULL, 0);
        args->add = leat_build_expr(b, &b->in[i], c->merge_value.node, &local, 1);
        leat_group_input(b, i)->args = args;
    }
    if (read)
        c->both = leat_small_expr_build(b, c->merge.node, pair, 2);
    if (read && c->result.node)
        c->final = leat_small_expr_build(b, c->result.node, acc, 1);
    leat_group_build(&c->group, b, LEAT_KEY_STREAM, NULL);
    leat_group_out_value(b, c->final.program ? leat_program_type(c->final.program) : NULL);
}

static const struct leat_op op =
    LEAT_GROUP_OP(LEAT_SCOPE_KEY, .argument = "{ create, merge_value, merge, result }",
                  .build = combine_by_key_build);

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "combine_by_key",
    .summary = "per key one record, from a partial result that expressions describe",
    .self_size = sizeof(struct combine),
    .opts = options,
    .op = &op,
};

LEAT_MODULE(module);
