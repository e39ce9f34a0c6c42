/*
 * transform.c - `transform`: a function gets the whole batch, of this stream and of others.
 *
 * All rows cross to one place, each with the number of the branch that it came from: those of one
 * branch stand before those of the next, and within a branch in the order of its partitions. The
 * function is called once per batch, also for an empty one. Of several streams it gets a list of
 * each, else the rows themselves.
 */
#include "base/module.h"
#include "data/value_ops.h"
#include "op/whole.h"

struct transform {
    struct leat_whole whole; /* first */
    uint32_t inputs, sides;
    const uint32_t *side_of; /* per input; NULL: there is one side */
    bool *has_key;           /* per side */

    struct leat_expression function;
    struct leat_texts with;
};

struct transform_in {
    const struct leat_assemble *value;
    uint32_t key_column, input;
};

/* ---- stage 1 */

static enum leat_status flush(struct leat_task *task, struct leat_bytes *bytes,
                              struct leat_error *err)
{
    struct leat_chunk *out = task->out;

    if (bytes->failed)
        return leat_arena_failed(bytes->arena, err);
    const char *at = bytes->ptr;
    for (uint32_t i = 0; i < out->rows; at += out->values[i++].len)
        out->values[i].ptr = at;
    bytes->len = 0;
    return leat_out_flush(task, err);
}

static enum leat_status send_process(const void *plan, void *memory, struct leat_task *task,
                                     struct leat_chunk *chunk, struct leat_error *err)
{
    const struct transform_in *in = plan;
    struct leat_bytes bytes = {.arena = chunk->arena};
    uint32_t column = leat_assemble(in->value, chunk);

    (void)memory;
    if (column == LEAT_NO_COLUMN)
        return leat_arena_failed(chunk->arena, err);
    if (leat_sweep_errors(task, chunk, column, LEAT_LIT("decoding"), err) != LEAT_OK)
        return err->status;
    if (in->key_column != LEAT_NO_COLUMN &&
        leat_sweep_errors(task, chunk, in->key_column, LEAT_LIT("key"), err) != LEAT_OK)
        return err->status;
    leat_out_clear(task);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value key = {0};
        if (in->key_column != LEAT_NO_COLUMN)
            key = chunk->columns[in->key_column][row];
        size_t from = bytes.len;
        leat_bytes_put_u32(&bytes, in->input);
        leat_value_encode(key, &bytes);
        leat_value_encode(chunk->columns[column][row], &bytes);
        leat_chunk_add(task->out, &(struct leat_row){.value = {NULL, bytes.len - from},
                                                     .time_ms = chunk->times_ms[row]});
        if (task->out->rows == LEAT_CHUNK_ROWS && flush(task, &bytes, err) != LEAT_OK)
            return err->status;
    }
    return flush(task, &bytes, err);
}

static const struct leat_op combiner = {
    .scope = LEAT_SCOPE_PARTITION,
    .makes_rows = true,
    .process = send_process,
};

/* ---- behind the exchange */

struct gathered {
    struct leat_whole_rows *inputs; /* NULL: no row came yet */
};

/* Bytes of rows are in the memory of the tasks that sent them, which stays for the batch. */
static enum leat_status transform_process(const void *plan, void *memory, struct leat_task *task,
                                          struct leat_chunk *chunk, struct leat_error *err)
{
    const struct transform *t = plan;
    struct gathered *g = memory;

    if (!g->inputs)
        g->inputs = leat_arena_array(task->arena, t->inputs, sizeof *g->inputs);
    if (!g->inputs)
        return leat_arena_failed(task->arena, err);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_slice bytes = chunk->values[chunk->selection[i]];
        struct leat_value key, value;
        uint32_t input;
        if (!leat_take_u32(&bytes, &input) || input >= t->inputs)
            return leat_fail(err, LEAT_E_CORRUPT, "a damaged row behind transform");
        if (leat_value_decode(&bytes, task->arena, &key, err) != LEAT_OK ||
            leat_value_decode(&bytes, task->arena, &value, err) != LEAT_OK ||
            leat_whole_add(&g->inputs[input], task->arena, key, value, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status append(struct leat_whole_rows *to, const struct leat_whole_rows *more,
                               struct leat_arena *arena, struct leat_error *err)
{
    if (to->count == 0) {
        *to = *more;
        return LEAT_OK;
    }
    for (uint32_t i = 0; i < more->count; i++)
        if (leat_whole_add(to, arena, more->keys[i], more->values[i], err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status transform_finish(const void *plan, void *memory, struct leat_task *task,
                                         struct leat_error *err)
{
    const struct transform *t = plan;
    const struct gathered *g = memory;
    struct leat_whole_rows *sides = leat_arena_array(task->arena, t->sides, sizeof *sides);
    struct leat_value *values = leat_arena_array(task->arena, t->sides, sizeof *values),
                      *keys = leat_arena_array(task->arena, t->sides, sizeof *keys);

    if (!sides || !values || !keys)
        return leat_arena_failed(task->arena, err);
    for (uint32_t i = 0; g->inputs && i < t->inputs; i++)
        if (append(&sides[t->side_of ? t->side_of[i] : 0], &g->inputs[i], task->arena, err) !=
            LEAT_OK)
            return err->status;
    for (uint32_t s = 0; s < t->sides; s++) {
        values[s] = leat_whole_values(&sides[s]);
        keys[s] = leat_whole_keys(&sides[s], t->has_key[s]);
    }
    if (t->sides == 1)
        return leat_whole_call(&t->whole, task, values[0], keys[0], err);
    return leat_whole_call(&t->whole, task, leat_whole_list(values, t->sides),
                           leat_whole_list(keys, t->sides), err);
}

/* ---- build */

static const struct leat_opt options[] = {
    LEAT_OPT(struct transform, function,
             .help = "Gets the batch and those of the other streams, gives a list of what comes "
                     "out."),
    LEAT_OPT(struct transform, with, .optional = true, .help = "The other streams."),
    {0},
};

static void transform_build(void *plan, struct leat_build *b)
{
    struct transform *t = plan;
    const struct leat_node *function = b->arg;

    if (leat_build_need_arg(b, "a function: - transform: { lua: ... }"))
        return;
    if (b->arg->kind == LEAT_NODE_MAP) {
        leat_build_options(b, options, t);
        function = t->function.node;
    }
    t->inputs = b->in_count;
    t->side_of = b->sides;
    t->sides = (uint32_t)t->with.count + 1;
    t->has_key = leat_arena_array(b->arena, t->sides, sizeof *t->has_key);
    if (!function || !t->has_key || !leat_whole_build(&t->whole, b, function))
        return;
    for (uint32_t i = 0; i < b->in_count; i++) {
        struct transform_in *in = b->combiner_plans[i];
        uint32_t side = b->sides ? b->sides[i] : 0;
        in->value = leat_view_assemble(&b->in[i], b->shapes, b->arena);
        in->key_column = b->in[i].has_key ? b->in[i].key_column : LEAT_NO_COLUMN;
        in->input = i;
        if (side < t->sides)
            t->has_key[side] = t->has_key[side] || b->in[i].has_key;
    }
    b->partitions = 1;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "transform",
    .summary = "a function makes new records of a whole batch, of one stream or several",
    .self_size = sizeof(struct transform),
    .opts = options,
    .op =
        &(const struct leat_op){
            .scope = LEAT_SCOPE_BATCH,
            .combiner = &combiner,
            .combiner_size = sizeof(struct transform_in),
            .task_size = sizeof(struct gathered),
            .joins = true,
            .missing = LEAT_MISSING_FAILS,
            .makes_rows = true,
            .on_empty = true,
            .argument = "a function; beside it may stand with: [stream, ...]",
            .build = transform_build,
            .process = transform_process,
            .finish = transform_finish,
        },
};

LEAT_MODULE(module);
