/*
 * repartition.c - spreads rows over N partitions, in turn.
 *
 * Rows cross the exchange under numbers that stand for the partitions; key, value and time come out
 * as they were. Each task goes round by itself and begins elsewhere in each batch, so that small
 * batches do not all begin with the same partition; where a row goes depends on the batch, its task
 * and its place there, and on nothing else. Headers end here, as at every exchange.
 */
#include "base/module.h"
#include "data/key.h"
#include "op/group_build.h"
#include "op/held.h"

#include <endian.h>
#include <stdlib.h>

struct repartition {
    int64_t partitions;
    const struct leat_shape *key_shape; /* of record keys; NULL: others */
    bool windows;
};

struct repartition_in {
    const struct leat_assemble *value;
    uint32_t key_column;
    bool record_keys, windows;
    uint32_t partitions, input; /* input: numbers the streams that are read */
    uint64_t *numbers;          /* per partition: one whose hash leads there */
};

struct spread {
    uint64_t next;
};

static enum leat_status flush(struct leat_task *task, struct leat_bytes *bytes,
                              struct leat_error *err)
{
    struct leat_chunk *out = task->out;

    if (bytes->failed)
        return leat_arena_failed(bytes->arena, err);
    for (uint32_t i = 0, at = 0; i < out->rows; i++) {
        out->keys[i].ptr = bytes->ptr + at;
        out->values[i].ptr = bytes->ptr + at + out->keys[i].len;
        at += (uint32_t)(out->keys[i].len + out->values[i].len);
    }
    bytes->len = 0;
    return leat_out_flush(task, err);
}

static uint64_t where_to_begin(const struct repartition_in *in, const struct leat_task *task)
{
    const uint32_t place[] = {htole32(in->input), htole32(task->part)};

    return leat_key_hash((struct leat_slice){(const char *)place, sizeof place}) % in->partitions +
           task->batch->n;
}

enum { FINAL = 1, RECORD_KEY = 2 };

/* A record key goes as key bytes: behind it, its fields are those of a shape again. */
static enum leat_status put_key(const struct repartition_in *in, struct leat_value key, bool final,
                                struct leat_bytes *into, struct leat_error *err)
{
    bool is_record = in->record_keys && key.tag == LEAT_RECORD;
    const uint8_t flags = (uint8_t)((final ? FINAL : 0) | (is_record ? RECORD_KEY : 0));

    leat_bytes_put(into, &flags, 1);
    if (!is_record) {
        leat_value_encode(key, into);
        return LEAT_OK;
    }
    struct leat_bytes bytes = {.arena = into->arena};
    if (leat_key_encode(key, &bytes, err) != LEAT_OK)
        return err->status;
    leat_bytes_put_slice(into, leat_bytes_slice(&bytes));
    return LEAT_OK;
}

static enum leat_status take_key(const struct repartition *p, uint8_t flags,
                                 struct leat_slice *from, struct leat_arena *arena,
                                 struct leat_value *key, struct leat_error *err)
{
    struct leat_slice bytes;

    if (!(flags & RECORD_KEY))
        return leat_value_decode(from, arena, key, err);
    if (!leat_take_slice(from, &bytes))
        return leat_fail(err, LEAT_E_CORRUPT, "a damaged key behind repartition");
    bytes = leat_arena_copy(arena, bytes);
    if (!bytes.ptr)
        return leat_arena_failed(arena, err);
    return leat_key_decode(bytes, p->key_shape, arena, key, err);
}

static enum leat_status spread_process(const void *plan, void *memory, struct leat_task *task,
                                       struct leat_chunk *chunk, struct leat_error *err)
{
    const struct repartition_in *in = plan;
    struct spread *s = memory;
    struct leat_bytes bytes = {.arena = chunk->arena};
    uint32_t column = leat_assemble(in->value, chunk);
    uint64_t begin = where_to_begin(in, task);

    if (column == LEAT_NO_COLUMN)
        return leat_arena_failed(chunk->arena, err);
    if (leat_sweep_errors(task, chunk, column, LEAT_LIT("decoding"), err) != LEAT_OK)
        return err->status;
    leat_out_clear(task);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value key = {0};
        if (in->key_column != LEAT_NO_COLUMN)
            key = chunk->columns[in->key_column][row];
        leat_bytes_put_u64(&bytes, in->numbers[(begin + s->next++) % in->partitions]);
        size_t from = bytes.len;
        leat_bytes_put_u64(&bytes, in->windows ? (uint64_t)chunk->windows[row].start_ms : 0);
        leat_bytes_put_u64(&bytes, in->windows ? (uint64_t)chunk->windows[row].end_ms : 0);
        if (put_key(in, key, in->windows && chunk->windows[row].final, &bytes, err) != LEAT_OK)
            return err->status;
        leat_value_encode(chunk->columns[column][row], &bytes);
        leat_chunk_add(task->out, &(struct leat_row){.key = {NULL, 8},
                                                     .value = {NULL, bytes.len - from},
                                                     .time_ms = chunk->times_ms[row]});
        if (task->out->rows == LEAT_CHUNK_ROWS && flush(task, &bytes, err) != LEAT_OK)
            return err->status;
    }
    return flush(task, &bytes, err);
}

static const struct leat_op combiner = {
    .scope = LEAT_SCOPE_PARTITION,
    .task_size = sizeof(struct spread),
    .makes_rows = true,
    .process = spread_process,
};

static enum leat_status repartition_process(const void *plan, void *memory, struct leat_task *task,
                                            struct leat_chunk *chunk, struct leat_error *err)
{
    const struct repartition *p = plan;
    struct leat_chunk *out = task->out;

    (void)memory;
    leat_out_clear(task);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_slice bytes = chunk->values[chunk->selection[i]];
        uint64_t start, end;
        uint8_t flags;
        uint32_t row = out->rows;
        leat_chunk_add(out, &(struct leat_row){.time_ms = chunk->times_ms[chunk->selection[i]]});
        if (!leat_take_u64(&bytes, &start) || !leat_take_u64(&bytes, &end) ||
            !leat_take(&bytes, &flags, 1))
            return leat_fail(err, LEAT_E_CORRUPT, "a damaged row behind repartition");
        if (take_key(p, flags, &bytes, out->arena, &out->columns[LEAT_COL_KEY][row], err) ||
            leat_value_decode(&bytes, out->arena, &out->columns[LEAT_COL_THIS][row], err))
            return err->status;
        if (p->windows)
            out->windows[row] =
                (struct leat_window){(int64_t)start, (int64_t)end, (flags & FINAL) != 0};
    }
    return leat_out_flush(task, err);
}

/* NULL: out of memory. */
static uint64_t *find_numbers(uint32_t partitions, struct leat_arena *arena)
{
    uint64_t *numbers = leat_arena_array(arena, partitions, sizeof *numbers);
    bool *found = leat_arena_array(arena, partitions, sizeof *found);
    uint32_t missing = partitions;

    for (uint64_t n = 0; numbers && found && missing; n++) {
        uint64_t bytes = htole64(n); /* as leat_bytes_put_u64() writes it */
        struct leat_slice key = {(const char *)&bytes, sizeof bytes};
        uint32_t q = leat_key_partition(leat_key_hash(key), partitions);
        if (found[q])
            continue;
        found[q] = true;
        numbers[q] = n;
        missing--;
    }
    return found ? numbers : NULL;
}

static void repartition_build(void *plan, struct leat_build *b)
{
    struct repartition *p = plan;
    const struct leat_view in = b->in[0];
    char *end;

    if (leat_build_need_arg(b, "a number of partitions: - repartition: 4"))
        return;
    p->partitions = b->arg->text.ptr ? strtoll(b->arg->text.ptr, &end, 10) : 0;
    if (!b->arg->text.ptr || *end || p->partitions < 1 || p->partitions > 1024) {
        leat_diag_error(b->diags, b->arg, "'repartition' wants a number from 1 to 1024");
        p->partitions = 1;
    }
    b->partitions = (uint32_t)p->partitions;
    p->windows = in.windowed;
    p->key_shape = in.key_shape;
    uint64_t *numbers = find_numbers(b->partitions, b->arena);
    for (uint32_t i = 0; i < b->in_count; i++) {
        struct repartition_in *args = b->combiner_plans[i];
        args->value = leat_view_assemble(&b->in[i], b->shapes, b->arena);
        args->key_column = b->in[i].has_key ? b->in[i].key_column : LEAT_NO_COLUMN;
        args->record_keys = b->in[i].has_key && b->in[i].key_shape && p->key_shape;
        args->windows = in.windowed;
        args->partitions = b->partitions;
        args->input = i;
        args->numbers = numbers;
    }
    leat_build_new_segment(b, b->out);
    b->out->segment->windows = in.windowed;
    b->out->has_origin = false;
    leat_group_out_value(b, b->in_count == 1 ? leat_view_kept_type(&in, b->arena) : NULL);
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "repartition",
    .summary = "deals records out over N partitions in turn",
    .self_size = sizeof(struct repartition),
    .op =
        &(const struct leat_op){
            .scope = LEAT_SCOPE_KEY,
            .missing = LEAT_MISSING_IS_EMPTY,
            .combiner = &combiner,
            .combiner_size = sizeof(struct repartition_in),
            .makes_rows = true,
            .argument = "N",
            .build = repartition_build,
            .process = repartition_process,
        },
};

LEAT_MODULE(module);
