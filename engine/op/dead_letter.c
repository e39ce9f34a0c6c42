#include "op/dead_letter.h"

#include "data/json.h"

#include <inttypes.h>
#include <stdio.h>

#define ERROR_BYTES 1000 /* of leat-error: a reason quotes values, which may be long */

static void put_header(struct leat_bytes *b, uint32_t *count, struct leat_slice name,
                       struct leat_slice value)
{
    if (!value.ptr)
        return;
    leat_bytes_put_slice(b, name);
    leat_bytes_put_slice(b, value);
    ++*count;
}

static struct leat_slice error_text(struct leat_value why, struct leat_slice what,
                                    struct leat_arena *arena)
{
    struct leat_slice text = leat_value_text(why);
    struct leat_bytes b = {.arena = arena};

    leat_bytes_put(&b, what.ptr, what.len);
    leat_bytes_put(&b, ": ", 2);
    leat_bytes_put(&b, text.ptr, text.len);
    if (b.failed)
        return LEAT_LIT("no memory for the reason");
    while (b.len > ERROR_BYTES || (b.len == ERROR_BYTES && (b.ptr[b.len - 1] & 0xc0) == 0x80))
        b.len = b.len > ERROR_BYTES ? ERROR_BYTES : b.len - 1; /* no character is cut */
    return leat_bytes_slice(&b);
}

/* Those the record had; ours follow. */
static uint32_t begin_headers(struct leat_bytes *b, struct leat_slice had)
{
    uint32_t count = 0;

    if (!leat_take_u32(&had, &count))
        count = 0;
    leat_bytes_put_u32(b, 0);
    if (count)
        leat_bytes_put(b, had.ptr, had.len);
    return count;
}

static struct leat_slice end_headers(struct leat_bytes *b, uint32_t count)
{
    struct leat_bytes head = {.ptr = b->ptr, .room = 4};

    if (!b->failed)
        leat_bytes_put_u32(&head, count);
    return b->failed ? (struct leat_slice){0} : leat_bytes_slice(b);
}

static struct leat_slice headers_of(const struct leat_letters *l, struct leat_slice had,
                                    int64_t position, struct leat_slice error,
                                    struct leat_arena *arena)
{
    struct leat_bytes b = {.arena = arena};
    uint32_t count = begin_headers(&b, had);
    char offset[24];
    int len = snprintf(offset, sizeof offset, "%" PRId64, position);

    put_header(&b, &count, LEAT_LIT("leat-error"), error);
    put_header(&b, &count, LEAT_LIT("leat-stage"), l->stage);
    put_header(&b, &count, LEAT_LIT("leat-source"), l->source);
    put_header(&b, &count, LEAT_LIT("leat-topic"), l->topic);
    put_header(&b, &count, LEAT_LIT("leat-partition"), l->partition);
    if (l->source.ptr)
        put_header(&b, &count, LEAT_LIT("leat-offset"), (struct leat_slice){offset, (size_t)len});
    return end_headers(&b, count);
}

struct leat_slice leat_letter_headers(struct leat_slice had, struct leat_slice why,
                                      struct leat_slice stage, struct leat_slice destination,
                                      struct leat_arena *arena)
{
    struct leat_bytes b = {.arena = arena};
    uint32_t count = begin_headers(&b, had);

    put_header(&b, &count, LEAT_LIT("leat-error"), why);
    put_header(&b, &count, LEAT_LIT("leat-stage"), stage);
    put_header(&b, &count, LEAT_LIT("leat-destination"), destination);
    return end_headers(&b, count);
}

static enum leat_status add(struct leat_letters *l, const struct leat_row *row,
                            struct leat_error *err)
{
    if (!row->headers.ptr)
        return leat_arena_failed(l->chunk->arena, err);
    leat_chunk_add(l->chunk, row);
    l->chunk->routes[l->chunk->rows - 1] = l->route;
    return LEAT_OK;
}

static enum leat_status send(struct leat_letters *l, struct leat_error *err)
{
    enum leat_status status = l->chunk->rows ? l->next->push(l->next, l->chunk, err) : LEAT_OK;

    leat_chunk_clear(l->chunk, l->chunk->part);
    leat_arena_rewind(l->chunk->arena, (struct leat_arena_mark){0});
    return status;
}

static struct leat_slice as_json(struct leat_value v, struct leat_arena *arena)
{
    struct leat_bytes text = {.arena = arena};
    struct leat_value why;

    if (v.tag == LEAT_NULL || v.tag == LEAT_ERROR || !leat_json_write(v, &text, &why))
        return (struct leat_slice){0};
    return leat_bytes_slice(&text);
}

/* Rows that an operator made: their bytes are the operator's own. */
static enum leat_status write_rows(struct leat_letters *l, struct leat_chunk *chunk,
                                   struct leat_slice *keys, struct leat_slice *values,
                                   struct leat_error *err)
{
    uint32_t column = leat_assemble(l->plan->value, chunk);

    if (column == LEAT_NO_COLUMN)
        return leat_arena_failed(chunk->arena, err);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        values[row] = as_json(chunk->columns[column][row], l->chunk->arena);
        if (l->plan->key_column == LEAT_NO_COLUMN)
            continue;
        struct leat_value key = chunk->columns[l->plan->key_column][row];
        keys[row] = key.tag == LEAT_STRING ? leat_value_text(key) : as_json(key, l->chunk->arena);
    }
    return LEAT_OK;
}

static enum leat_status send_selected(struct leat_task *task, struct leat_chunk *chunk,
                                      const struct leat_value *errors, struct leat_slice what,
                                      struct leat_error *err)
{
    struct leat_letters *l = task->letters;
    struct leat_slice made_keys[LEAT_CHUNK_ROWS], made_values[LEAT_CHUNK_ROWS];
    const struct leat_slice *keys = l->keys ? l->keys : chunk->keys,
                            *values = l->values ? l->values : chunk->values,
                            *headers = l->headers ? l->headers : chunk->headers;

    leat_chunk_clear(l->chunk, chunk->part);
    if (!l->source.ptr) {
        for (uint32_t i = 0; i < chunk->selected; i++)
            made_keys[chunk->selection[i]] = made_values[chunk->selection[i]] =
                (struct leat_slice){0};
        keys = made_keys;
        values = made_values;
        if (l->plan && write_rows(l, chunk, made_keys, made_values, err) != LEAT_OK)
            return err->status;
    }
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_slice error = error_text(errors[row], what, l->chunk->arena);
        struct leat_slice had = l->source.ptr ? headers[row] : (struct leat_slice){0};
        const struct leat_row letter = {
            .key = keys[row],
            .value = values[row],
            .headers = headers_of(l, had, chunk->positions[row], error, l->chunk->arena),
            .time_ms = chunk->times_ms[row],
            .position = chunk->positions[row]};
        if (add(l, &letter, err) != LEAT_OK)
            return err->status;
    }
    return send(l, err);
}

/* The rows with errors become the selection, for as long as it takes. */
enum leat_status leat_letters_send(struct leat_task *task, struct leat_chunk *chunk,
                                   uint32_t column, struct leat_slice what, struct leat_error *err)
{
    const struct leat_value *errors = chunk->columns[column];
    uint16_t bad[LEAT_CHUNK_ROWS], *all = chunk->selection;
    uint32_t selected = chunk->selected, count = 0;

    for (uint32_t i = 0; i < selected; i++)
        if (errors[all[i]].tag == LEAT_ERROR)
            bad[count++] = all[i];
    chunk->selection = bad;
    chunk->selected = count;
    enum leat_status status = send_selected(task, chunk, errors, what, err);
    chunk->selection = all;
    chunk->selected = selected;
    return status;
}

enum leat_status leat_letters_send_left(struct leat_task *task, struct leat_value why,
                                        struct leat_slice what, struct leat_slice key,
                                        struct leat_slice value, struct leat_error *err)
{
    struct leat_letters *l = task->letters;
    struct leat_arena *arena = l->chunk->arena;

    leat_chunk_clear(l->chunk, l->chunk->part);
    const struct leat_row letter = {
        .key = key,
        .value = value,
        .headers = headers_of(l, (struct leat_slice){0}, 0, error_text(why, what, arena), arena),
        .time_ms = task->batch->time_ms};
    return add(l, &letter, err) == LEAT_OK ? send(l, err) : err->status;
}
