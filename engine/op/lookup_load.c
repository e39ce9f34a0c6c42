/*
 * lookup_load.c - fills a reference table: bytes, rows, keys.
 *
 * Of a file, a row that cannot be read or a key that stands twice is a failure with the line; at a
 * reload the old table then stays (the job thread says so). What a topic brings is applied row by
 * row, the last one of a key wins, and what cannot be read is passed over and counted.
 */
#include "base/file.h"
#include "data/block.h"
#include "data/json.h"
#include "data/value_ops.h"
#include "op/lookup_table.h"

#include <stdio.h>

#define SCRATCH_KEPT ((size_t)64 * 1024)

/* ---- rows */

/* One chunk of raw values on its way into a table. */
struct loading {
    const struct leat_lookup_plan *plan;
    struct leat_lookup_table *table;
    struct leat_chunk chunk;
    struct leat_arena scratch;
    struct leat_eval *eval;
    struct leat_task_counts counts;
};

/* As a key of a stream would be: text when it is UTF-8. */
static struct leat_value topic_key(struct leat_slice raw)
{
    bool text = leat_utf8_valid(raw.ptr, raw.ptr + raw.len);

    return (struct leat_value){
        .tag = text ? LEAT_STRING : LEAT_BYTES, .len = (uint32_t)raw.len, .as.text = raw.ptr};
}

static enum leat_status encode_key(const struct loading *l, uint16_t row, struct leat_bytes *key,
                                   struct leat_error *err)
{
    const struct leat_exprs *e = &l->plan->key;

    key->len = 0;
    if (l->plan->topic)
        return leat_key_encode(topic_key(l->chunk.keys[row]), key, err);
    struct leat_value k = l->chunk.columns[e->list[0].column][row];
    if (e->is_record) {
        struct leat_record *r = leat_record_new(l->chunk.arena, e->shape);
        if (!r)
            return leat_arena_failed(l->chunk.arena, err);
        for (uint32_t f = 0; f < e->count; f++)
            r->fields[f] = l->chunk.columns[e->list[f].column][row];
        k = (struct leat_value){.tag = LEAT_RECORD, .as.record = r};
    }
    return leat_key_encode(k, key, err);
}

static enum leat_status add_row(const struct loading *l, uint16_t row, struct leat_bytes *key,
                                struct leat_value value, struct leat_error *err)
{
    enum leat_status status = encode_key(l, row, key, err);

    if (status != LEAT_OK)
        return status;
    status = leat_lookup_put(l->table, leat_bytes_slice(key), value, l->plan->topic, err);
    return status == LEAT_E_DATA
               ? leat_error_prefix(err, "line %lld", (long long)l->chunk.positions[row])
               : status;
}

static void convert(const struct loading *l)
{
    const struct leat_segment *s = l->plan->segment;

    for (uint32_t t = 0; t < s->touched_count; t++)
        for (uint32_t i = 0; i < l->chunk.selected; i++) {
            struct leat_value *v = &l->chunk.columns[s->touched[t].path.column][i];
            *v = s->touched[t].path.depth
                     ? leat_type_convert(s->touched[t].type, *v, l->plan->from_text, l->chunk.arena)
                     : *v;
        }
}

/* The whole row as the schema wants it: `region.target` of a CSV is a number there as well. */
static struct leat_value typed_row(const struct loading *l, struct leat_value row)
{
    if (l->plan->type->kind != LEAT_T_RECORD)
        return row;
    return leat_type_convert(l->plan->type, leat_value_expand(row, l->chunk.arena),
                             l->plan->from_text, l->chunk.arena);
}

static enum leat_status load_chunk(struct loading *l, struct leat_error *err)
{
    const struct leat_batch batch = {0};
    struct leat_task task = {.batch = &batch,
                             .source = l->plan->name,
                             .arena = &l->scratch,
                             .eval = l->eval,
                             .counts = &l->counts};
    struct leat_bytes key = {.arena = &l->scratch};

    if (l->plan->format->format->decode(l->plan->format_self, &l->chunk, err) != LEAT_OK ||
        leat_sweep_errors(&task, &l->chunk, LEAT_COL_THIS, LEAT_LIT("decoding"), err) != LEAT_OK)
        return err->status;
    convert(l);
    if (leat_exprs_eval(&l->plan->key, &task, &l->chunk, err) != LEAT_OK)
        return err->status;
    uint32_t column = leat_assemble(l->plan->row, &l->chunk);
    if (column == LEAT_NO_COLUMN)
        return leat_arena_failed(&l->scratch, err);
    for (uint32_t i = 0; i < l->chunk.selected; i++) {
        uint16_t row = l->chunk.selection[i];
        struct leat_value v = typed_row(l, l->chunk.columns[column][row]);
        if (v.tag == LEAT_ERROR)
            return leat_fail(err, LEAT_E_DATA, "line %lld: %.*s",
                             (long long)l->chunk.positions[row], LEAT_FMT(leat_value_text(v)));
        if (add_row(l, row, &key, v, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status flush(struct loading *l, struct leat_error *err)
{
    enum leat_status status = l->chunk.rows ? load_chunk(l, err) : LEAT_OK;

    leat_arena_recycle(&l->scratch, SCRATCH_KEPT);
    l->chunk = (struct leat_chunk){0};
    return status;
}

static enum leat_status add(struct loading *l, const struct leat_row *row, struct leat_error *err)
{
    if (l->chunk.rows == LEAT_CHUNK_ROWS && flush(l, err) != LEAT_OK)
        return err->status;
    if (!l->chunk.columns &&
        leat_chunk_init(&l->chunk, &l->scratch, l->plan->segment->columns, err) != LEAT_OK)
        return err->status;
    leat_chunk_add(&l->chunk, row);
    return LEAT_OK;
}

static enum leat_status add_value(struct loading *l, struct leat_slice value, int64_t line,
                                  struct leat_error *err)
{
    return add(l, &(struct leat_row){.value = value, .position = line, .time_ms = LEAT_NO_TIME},
               err);
}

/* Of a topic: what is without a key says nothing about any row. */
static enum leat_status add_change(struct loading *l, const struct leat_row *row,
                                   struct leat_error *err)
{
    struct leat_bytes key = {.arena = &l->scratch};

    if (!row->key.ptr)
        return leat_fail(err, LEAT_E_DATA, "a record without a key");
    if (row->value.ptr)
        return add(l, row, err);
    if (flush(l, err) != LEAT_OK || leat_key_encode(topic_key(row->key), &key, err) != LEAT_OK)
        return err->status;
    leat_lookup_remove(l->table, leat_bytes_slice(&key));
    return LEAT_OK;
}

/* ---- files */

static bool is_array(struct leat_slice text)
{
    size_t i = 0;

    while (i < text.len && strchr(" \t\r\n", text.ptr[i]))
        i++;
    return i < text.len && text.ptr[i] == '[';
}

/* `[ {...}, {...} ]`: each element goes the way of a line, its number in place of the line's. */
static enum leat_status add_array(struct loading *l, struct leat_slice text,
                                  struct leat_arena *arena, struct leat_error *err)
{
    struct leat_value list = leat_json_parse(text, arena), why;

    if (list.tag != LEAT_LIST)
        return leat_fail(err, LEAT_E_DATA, "%.*s", LEAT_FMT(leat_value_text(list)));
    for (uint32_t i = 0; i < list.len; i++) {
        struct leat_bytes one = {.arena = arena};
        if (!leat_json_write(list.as.items[i], &one, &why) || one.failed)
            return leat_arena_failed(arena, err);
        if (add_value(l, leat_bytes_slice(&one), i + 1, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

static enum leat_status add_lines(struct loading *l, struct leat_slice text,
                                  struct leat_arena *arena, struct leat_error *err)
{
    struct leat_slice line, rest = text;
    int64_t number = 0;

    while (rest.len) {
        leat_slice_cut(rest, '\n', &line, &rest);
        number++;
        if (line.len && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (number == 1 && l->plan->has_header &&
            l->plan->format->format->header(l->plan->format_self, line, arena, err) != LEAT_OK)
            return leat_error_prefix(err, "line 1");
        if (line.len == 0 || (number == 1 && l->plan->has_header))
            continue;
        if (add_value(l, line, number, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

typedef enum leat_status fill(struct loading *l, const void *arg, struct leat_arena *arena,
                              struct leat_error *err);

static enum leat_status load(const struct leat_lookup_plan *plan, size_t cap, fill *from,
                             const void *arg, struct leat_lookup_table **table,
                             struct leat_error *err)
{
    struct loading l = {.plan = plan, .eval = leat_eval_new()};
    struct leat_arena text = {.cap = cap};
    enum leat_status status = LEAT_E_NOMEM;

    l.table = *table = leat_lookup_new(cap);
    if (!*table || !l.eval) {
        leat_fail(err, LEAT_E_NOMEM, "out of memory");
    } else {
        status = from(&l, arg, &text, err);
        if (status == LEAT_OK)
            status = flush(&l, err);
    }
    leat_arena_reset(&text);
    leat_arena_reset(&l.scratch);
    leat_eval_free(l.eval);
    if (status == LEAT_OK)
        return LEAT_OK;
    leat_lookup_free(*table);
    *table = NULL;
    return leat_error_prefix(err, "table '%.*s'", LEAT_FMT(plan->name));
}

static enum leat_status from_file(struct loading *l, const void *arg, struct leat_arena *arena,
                                  struct leat_error *err)
{
    struct leat_slice text;

    (void)arg;
    if (leat_file_read(l->plan->path, SIZE_MAX, arena, &text, err) != LEAT_OK)
        return err->status;
    if (strcmp(l->plan->format->name, "json") == 0 && is_array(text))
        return add_array(l, text, arena, err);
    return add_lines(l, text, arena, err);
}

enum leat_status leat_lookup_load(const struct leat_lookup_plan *plan, size_t cap,
                                  struct leat_lookup_table **table, struct leat_error *err)
{
    return load(plan, cap, from_file, NULL, table, err);
}

struct rows {
    const struct leat_row *list;
    size_t count;
};

static enum leat_status from_rows(struct loading *l, const void *arg, struct leat_arena *arena,
                                  struct leat_error *err)
{
    const struct rows *rows = arg;

    (void)arena;
    for (size_t i = 0; i < rows->count; i++) {
        struct leat_row row = rows->list[i];
        row.position = (int64_t)i + 1;
        if ((l->plan->topic ? add_change : add)(l, &row, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

enum leat_status leat_lookup_from_rows(const struct leat_lookup_plan *plan,
                                       const struct leat_row *rows, size_t count,
                                       struct leat_lookup_table **table, struct leat_error *err)
{
    struct leat_lookup_plan as_json = *plan;

    as_json.format = plan->json_format;
    as_json.format_self = plan->json_self;
    as_json.from_text = as_json.has_header = false;
    return load(&as_json, 0, from_rows, &(struct rows){rows, count}, table, err);
}

/* ---- topics */

static struct leat_row row_of(const struct leat_chunk *c, uint32_t i)
{
    return (struct leat_row){.key = c->keys[i],
                             .value = c->values[i],
                             .position = c->positions[i],
                             .time_ms = c->times_ms[i]};
}

static enum leat_status apply_rows(struct loading *l, const struct leat_chunk *rows, uint32_t from,
                                   uint32_t to, struct leat_error *err)
{
    enum leat_status status = LEAT_OK;

    for (uint32_t i = from; i < to && status == LEAT_OK; i++) {
        const struct leat_row row = row_of(rows, i);
        status = add_change(l, &row, err);
    }
    if (status == LEAT_OK)
        return flush(l, err);
    l->chunk = (struct leat_chunk){0};
    return status;
}

/* All at once; when something is wrong with them, one after the other. */
static enum leat_status apply_chunk(struct loading *l, const struct leat_chunk *rows, uint64_t *bad,
                                    struct leat_error *err)
{
    enum leat_status status = apply_rows(l, rows, 0, rows->rows, err);

    if (status != LEAT_E_DATA)
        return status;
    for (uint32_t i = 0; i < rows->rows; i++) {
        status = apply_rows(l, rows, i, i + 1, err);
        if (status != LEAT_OK && status != LEAT_E_DATA)
            return status;
        *bad += status == LEAT_E_DATA;
    }
    return LEAT_OK;
}

enum leat_status leat_lookup_apply(const struct leat_lookup_plan *plan,
                                   struct leat_lookup_table *table, const struct leat_block *block,
                                   uint64_t *bad, struct leat_error *err)
{
    struct loading l = {.plan = plan, .table = table, .eval = leat_eval_new()};
    struct leat_arena arena = {0};
    struct leat_chunk rows = {0};
    struct leat_cursor cursor = {0};
    enum leat_status status =
        l.eval ? leat_chunk_init(&rows, &arena, LEAT_COL_PATHS, err) : LEAT_E_NOMEM;

    while (status == LEAT_OK) {
        status = block->coding->next(&cursor, block, &rows, err);
        if (status != LEAT_OK || rows.rows == 0)
            break;
        status = apply_chunk(&l, &rows, bad, err);
    }
    leat_arena_reset(&arena);
    leat_arena_reset(&l.scratch);
    leat_eval_free(l.eval);
    if (!l.eval)
        leat_fail(err, LEAT_E_NOMEM, "out of memory");
    return status == LEAT_OK ? LEAT_OK
                             : leat_error_prefix(err, "table '%.*s'", LEAT_FMT(plan->name));
}
