/*
 * stateful_send.c - stage 1 of stateful operators: each row as it is, with what behind the exchange
 * will be looked at.
 *
 * Thread: the worker of the task.
 */
#include "data/key.h"
#include "op/stateful.h"

struct sender {
    uint64_t sent; /* a position for rows that have none */
};

/* What cannot be a key becomes an error of its row. */
static enum leat_status check_keys(struct leat_task *task, struct leat_chunk *chunk,
                                   uint32_t column, struct leat_error *err)
{
    struct leat_value *keys = chunk->columns[column];
    struct leat_bytes bytes = {.arena = chunk->arena};
    bool bad = false;

    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_value *v = &keys[chunk->selection[i]];
        if (v->tag < LEAT_LIST)
            continue;
        bytes.len = 0;
        bad = bad || v->tag == LEAT_ERROR;
        if (v->tag == LEAT_ERROR || leat_key_encode(*v, &bytes, err) == LEAT_OK)
            continue;
        if (err->status != LEAT_E_DATA)
            return err->status;
        *v = leat_value_fail(LEAT_V_TYPE, v->tag == LEAT_RECORD || v->tag == LEAT_MAP
                                              ? "a whole object cannot be a key; name fields"
                                              : "a value of this type cannot be a key");
        bad = true;
    }
    return bad ? leat_sweep_errors(task, chunk, column, LEAT_LIT("key"), err) : LEAT_OK;
}

/* Keys and values are written one behind the other and become slices when nothing moves any more.
 */
static enum leat_status flush(struct leat_task *task, struct leat_bytes *bytes,
                              struct leat_error *err)
{
    struct leat_chunk *out = task->out;
    const char *at = bytes->ptr;

    if (bytes->failed)
        return leat_arena_failed(bytes->arena, err);
    for (uint32_t i = 0; i < out->rows; i++) {
        out->keys[i].ptr = at;
        out->values[i].ptr = at + out->keys[i].len;
        at += out->keys[i].len + out->values[i].len;
    }
    bytes->len = 0;
    return leat_out_flush(task, err);
}

static void put_order(struct sender *s, const struct leat_task *task,
                      const struct leat_chunk *chunk, uint16_t row, struct leat_bytes *bytes)
{
    int64_t position = task->source.ptr ? chunk->positions[row] : (int64_t)s->sent;

    leat_bytes_put_u64(bytes, (uint64_t)position);
    leat_bytes_put_slice(bytes, task->source);
}

static void put_values(const struct leat_stateful_in *in, const struct leat_chunk *chunk,
                       uint16_t row, struct leat_bytes *bytes)
{
    for (uint32_t i = 0; i < in->plan->cross_count; i++) {
        struct leat_value v = chunk->columns[in->from[i].column][row];
        if (in->from[i].field.ptr)
            v = leat_value_field(v, in->from[i].field, chunk->arena);
        leat_value_encode(v, bytes);
    }
}

static enum leat_status send_process(const void *plan, void *memory, struct leat_task *task,
                                     struct leat_chunk *chunk, struct leat_error *err)
{
    const struct leat_stateful_in *in = plan;
    struct sender *s = memory;
    struct leat_bytes bytes = {.arena = chunk->arena};

    if (check_keys(task, chunk, in->key_column, err) != LEAT_OK)
        return err->status;
    if (in->assemble && leat_assemble(in->assemble, chunk) == LEAT_NO_COLUMN)
        return leat_arena_failed(chunk->arena, err);
    if (in->whole != LEAT_NO_COLUMN &&
        leat_sweep_errors(task, chunk, in->whole, LEAT_LIT("decoding"), err) != LEAT_OK)
        return err->status;
    leat_out_clear(task);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        size_t from = bytes.len;
        if (leat_key_encode(chunk->columns[in->key_column][row], &bytes, err) != LEAT_OK)
            return err->status;
        size_t key = bytes.len - from;
        if (in->plan->event_time)
            put_order(s, task, chunk, row, &bytes);
        put_values(in, chunk, row, &bytes);
        s->sent++;
        leat_chunk_add(task->out, &(struct leat_row){.key = {NULL, key},
                                                     .value = {NULL, bytes.len - from - key},
                                                     .time_ms = chunk->times_ms[row]});
        if (task->out->rows == LEAT_CHUNK_ROWS && flush(task, &bytes, err) != LEAT_OK)
            return err->status;
    }
    return flush(task, &bytes, err);
}

const struct leat_op leat_stateful_combiner = {
    .scope = LEAT_SCOPE_PARTITION,
    .task_size = sizeof(struct sender),
    .makes_rows = true,
    .process = send_process,
};
