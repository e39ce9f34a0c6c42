#include "op/output.h"

#include "data/json.h"
#include "data/value_ops.h"
#include "op/dead_letter.h"

#include <endian.h>

static enum leat_status no_memory(const struct leat_chunk *chunk, struct leat_error *err)
{
    return leat_arena_failed(chunk->arena, err);
}

/* ---- keys */

/* Text for a scalar, JSON for what has parts. */
static bool key_text(const struct leat_output *o, struct leat_value key, struct leat_arena *arena,
                     struct leat_slice *into, struct leat_value *why)
{
    struct leat_bytes text = {.arena = arena};

    *into = (struct leat_slice){0};
    if (key.tag == LEAT_NULL)
        return true;
    if ((key.tag == LEAT_STRING || key.tag == LEAT_BYTES) && o->key_format != LEAT_KEY_JSON) {
        *into = leat_value_text(key);
        return true;
    }
    if (!leat_json_write(key, &text, why))
        return false;
    *into = leat_bytes_slice(&text);
    if (into->len >= 2 && into->ptr[0] == '"' && o->key_format != LEAT_KEY_JSON) /* a timestamp */
        *into = (struct leat_slice){into->ptr + 1, into->len - 2};
    return !text.failed;
}

static enum leat_status encode_keys(const struct leat_output *o, struct leat_task *task,
                                    struct leat_chunk *chunk, struct leat_error *err)
{
    uint32_t column = o->key.count ? o->key.list[0].column : o->key_column;
    bool bad = false;

    if (o->key.count && leat_exprs_eval(&o->key, task, chunk, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value why, key = {0};
        if (o->key.count || o->has_key)
            key = chunk->columns[column][row];
        if (o->key.is_record) {
            struct leat_record *r = leat_record_new(chunk->arena, o->key.shape);
            if (!r)
                return no_memory(chunk, err);
            for (uint32_t f = 0; f < o->key.count; f++)
                r->fields[f] = chunk->columns[o->key.list[f].column][row];
            key = (struct leat_value){.tag = LEAT_RECORD, .as.record = r};
        }
        chunk->columns[o->text_column][row] = (struct leat_value){0};
        if (!key_text(o, key, chunk->arena, &chunk->keys[row], &why)) {
            chunk->columns[o->text_column][row] = why;
            bad = true;
        }
    }
    return bad ? leat_sweep_errors(task, chunk, o->text_column, LEAT_LIT("writing the key"), err)
               : LEAT_OK;
}

/* ---- headers: u32 count, then name and value as u32 and bytes each */

static void put_header(struct leat_bytes *b, struct leat_slice name, struct leat_value v,
                       struct leat_arena *arena)
{
    struct leat_bytes text = {.arena = arena};
    struct leat_value why;

    leat_bytes_put_slice(b, name);
    if (v.tag == LEAT_NULL) {
        leat_bytes_put_u32(b, LEAT_NO_HEADER);
        return;
    }
    if (v.tag != LEAT_STRING && v.tag != LEAT_BYTES && leat_json_write(v, &text, &why))
        leat_bytes_put_slice(b, leat_bytes_slice(&text));
    else
        leat_bytes_put_slice(b, leat_value_text(v));
}

static bool is_replaced(const struct leat_exprs *e, struct leat_slice name)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (leat_slice_eq(e->list[i].name, name))
            return true;
    return false;
}

/* The old ones that are not replaced, then the new ones. */
static void put_headers(const struct leat_output *o, const struct leat_chunk *chunk, uint16_t row,
                        struct leat_bytes *into)
{
    struct leat_slice old = o->keeps_headers ? chunk->headers[row] : (struct leat_slice){0};
    struct leat_slice name, value;
    uint32_t count = 0, kept = 0;

    if (!leat_take_u32(&old, &count))
        count = 0;
    size_t at = into->len;
    leat_bytes_put_u32(into, 0);
    while (count-- > 0) {
        struct leat_slice before = old;
        if (!leat_take_header(&old, &name, &value))
            break;
        if (is_replaced(&o->headers, name))
            continue;
        leat_bytes_put(into, before.ptr, (size_t)(old.ptr - before.ptr));
        kept++;
    }
    for (uint32_t i = 0; i < o->headers.count; i++, kept++)
        put_header(into, o->headers.list[i].name, chunk->columns[o->headers.list[i].column][row],
                   chunk->arena);
    if (!into->failed)
        memcpy(into->ptr + at, &(uint32_t){htole32(kept)}, 4);
}

static enum leat_status encode_headers(const struct leat_output *o, struct leat_task *task,
                                       struct leat_chunk *chunk, struct leat_error *err)
{
    if (o->headers.count == 0) {
        for (uint32_t i = 0; !o->keeps_headers && i < chunk->selected; i++)
            chunk->headers[chunk->selection[i]] = (struct leat_slice){0};
        return LEAT_OK;
    }
    if (leat_exprs_eval(&o->headers, task, chunk, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_bytes b = {.arena = chunk->arena};
        put_headers(o, chunk, chunk->selection[i], &b);
        if (b.failed)
            return no_memory(chunk, err);
        chunk->headers[chunk->selection[i]] = leat_bytes_slice(&b);
    }
    return LEAT_OK;
}

/* ---- values */

static enum leat_status print_values(const struct leat_output *o, struct leat_chunk *chunk,
                                     uint32_t column, struct leat_error *err)
{
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_bytes text = {.arena = chunk->arena};
        if (o->has_key) {
            leat_bytes_put(&text, "(", 1);
            leat_value_print(chunk->columns[o->key_column][row], &text);
            leat_bytes_put(&text, ",", 1);
        }
        leat_value_print(chunk->columns[column][row], &text);
        if (o->has_key)
            leat_bytes_put(&text, ")", 1);
        if (text.failed)
            return no_memory(chunk, err);
        chunk->values[row] = text.ptr ? leat_bytes_slice(&text) : LEAT_LIT("");
    }
    return LEAT_OK;
}

static enum leat_status keep_values(const struct leat_output *o, struct leat_chunk *chunk,
                                    uint32_t column, struct leat_error *err)
{
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_bytes pair = {.arena = chunk->arena};
        leat_value_encode(chunk->columns[column][row], &pair);
        leat_value_encode(o->has_key ? chunk->columns[o->key_column][row] : (struct leat_value){0},
                          &pair);
        if (pair.failed)
            return no_memory(chunk, err);
        chunk->values[row] = leat_bytes_slice(&pair);
    }
    return LEAT_OK;
}

/* Rows of a sink that writes pairs: the column becomes one of records. */
static enum leat_status make_pairs(const struct leat_output *o, struct leat_chunk *chunk,
                                   uint32_t *column, struct leat_error *err)
{
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_record *r = leat_record_new(chunk->arena, o->pair_shape);
        if (!r)
            return no_memory(chunk, err);
        r->fields[0] = o->has_key ? chunk->columns[o->key_column][row] : (struct leat_value){0};
        r->fields[1] = chunk->columns[*column][row];
        chunk->columns[o->pair_column][row] =
            (struct leat_value){.tag = LEAT_RECORD, .as.record = r};
        chunk->keys[row] = (struct leat_slice){0};
    }
    *column = o->pair_column;
    return LEAT_OK;
}

static enum leat_status encode_values(const struct leat_output *o, struct leat_task *task,
                                      struct leat_chunk *chunk, struct leat_error *err)
{
    uint32_t column = leat_assemble(o->value, chunk);

    if (column == LEAT_NO_COLUMN)
        return no_memory(chunk, err);
    if (leat_sweep_errors(task, chunk, column, LEAT_LIT("the value"), err) != LEAT_OK)
        return err->status;
    if (o->typed)
        return keep_values(o, chunk, column, err);
    if (!o->format)
        return print_values(o, chunk, column, err);
    if (o->pair_shape && make_pairs(o, chunk, &column, err) != LEAT_OK)
        return err->status;
    if (o->format->format->encode(o->format_self, chunk, column, err) != LEAT_OK)
        return err->status;
    return leat_sweep_errors(task, chunk, column, LEAT_LIT("writing the value"), err);
}

static enum leat_status fill_routes(const struct leat_output *o, struct leat_task *task,
                                    struct leat_chunk *chunk, struct leat_error *err)
{
    if (!o->route.program) {
        for (uint32_t i = 0; i < chunk->selected; i++)
            chunk->routes[chunk->selection[i]] = (struct leat_slice){0};
        return LEAT_OK;
    }
    uint32_t column = leat_expr_eval(&o->route, task, chunk, o->route_column);
    if (leat_sweep_errors(task, chunk, column, leat_program_source(o->route.program), err) !=
        LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        chunk->routes[row] = leat_value_text(chunk->columns[column][row]);
    }
    return LEAT_OK;
}

/* What is written goes where the rows' own bytes stand: a dead letter still needs those. */
static enum leat_status keep_bytes(struct leat_letters *l, const struct leat_chunk *chunk,
                                   struct leat_error *err)
{
    size_t bytes = chunk->rows * sizeof(struct leat_slice);
    struct leat_slice *copy = leat_arena_array(chunk->arena, 3 * (size_t)chunk->rows, sizeof *copy);

    if (!copy)
        return no_memory(chunk, err);
    l->keys = memcpy(copy, chunk->keys, bytes);
    l->values = memcpy(copy + chunk->rows, chunk->values, bytes);
    l->headers = memcpy(copy + 2 * (size_t)chunk->rows, chunk->headers, bytes);
    return LEAT_OK;
}

static enum leat_status encode(const struct leat_output *o, struct leat_task *task,
                               struct leat_chunk *chunk, struct leat_error *err)
{
    if (fill_routes(o, task, chunk, err) != LEAT_OK ||
        encode_headers(o, task, chunk, err) != LEAT_OK ||
        encode_values(o, task, chunk, err) != LEAT_OK)
        return err->status;
    if (o->pair_shape) /* the key has been written with the value */
        return LEAT_OK;
    return encode_keys(o, task, chunk, err);
}

static enum leat_status output_process(const void *plan, void *memory, struct leat_task *task,
                                       struct leat_chunk *chunk, struct leat_error *err)
{
    const struct leat_output *o = plan;
    enum leat_status status = LEAT_OK;

    (void)memory;
    if (o->discard) {
        task->counts->rows_out += chunk->selected;
        return LEAT_OK;
    }
    if (task->letters)
        status = keep_bytes(task->letters, chunk, err);
    if (status == LEAT_OK)
        status = encode(o, task, chunk, err);
    if (task->letters)
        task->letters->keys = task->letters->values = task->letters->headers = NULL;
    if (status != LEAT_OK)
        return status;
    task->counts->rows_out += chunk->selected;
    return chunk->selected ? task->next->push(task->next, chunk, err) : LEAT_OK;
}

const struct leat_op leat_op_output = {.scope = LEAT_SCOPE_ROW, .process = output_process};
