/*
 * map_partitions.c - `map_partitions`: a function gets the rows of each partition of a batch.
 *
 * A partition is what a task has: of a source what it gives as one, behind an exchange those of a
 * state partition, which are all there in every batch, with rows or without.
 */
#include "base/module.h"
#include "data/value_ops.h"
#include "op/whole.h"

static void map_partitions_build(void *plan, struct leat_build *b)
{
    struct leat_whole *w = plan;
    struct leat_view *in = &b->in[0];

    if (leat_build_need_arg(b, "a function: - map_partitions: { lua: ... }") ||
        !leat_whole_build(w, b, b->arg))
        return;
    w->value = leat_view_assemble(in, b->shapes, b->arena);
    w->key_column = in->has_key ? in->key_column : LEAT_NO_COLUMN;
}

/* Rows borrow from a chunk that is gone when the last one comes: they are copied. */
static enum leat_status map_partitions_process(const void *plan, void *memory,
                                               struct leat_task *task, struct leat_chunk *chunk,
                                               struct leat_error *err)
{
    const struct leat_whole *w = plan;
    uint32_t column = leat_assemble(w->value, chunk);

    if (column == LEAT_NO_COLUMN)
        return leat_arena_failed(chunk->arena, err);
    if (leat_sweep_errors(task, chunk, column, LEAT_LIT("decoding"), err) != LEAT_OK)
        return err->status;
    if (w->key_column != LEAT_NO_COLUMN &&
        leat_sweep_errors(task, chunk, w->key_column, LEAT_LIT("key"), err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value key = {0}, v = leat_value_copy(chunk->columns[column][row], task->arena);
        if (w->key_column != LEAT_NO_COLUMN)
            key = leat_value_copy(chunk->columns[w->key_column][row], task->arena);
        if (v.tag == LEAT_ERROR || key.tag == LEAT_ERROR)
            return leat_fail(err, LEAT_E_FULL, "the memory of this batch is used up");
        if (leat_whole_add(memory, task->arena, key, v, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status map_partitions_finish(const void *plan, void *memory,
                                              struct leat_task *task, struct leat_error *err)
{
    const struct leat_whole *w = plan;

    return leat_whole_call(w, task, leat_whole_values(memory),
                           leat_whole_keys(memory, w->key_column != LEAT_NO_COLUMN), err);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "map_partitions",
    .summary = "a function makes new records of those of a partition of a batch",
    .self_size = sizeof(struct leat_whole),
    .op =
        &(const struct leat_op){
            .scope = LEAT_SCOPE_PARTITION,
            .task_size = sizeof(struct leat_whole_rows),
            .makes_rows = true,
            .on_empty = true,
            .argument = "a function",
            .build = map_partitions_build,
            .process = map_partitions_process,
            .finish = map_partitions_finish,
        },
};

LEAT_MODULE(module);
