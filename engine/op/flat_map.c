/*
 * flat_map.c - one row per element of a list: flat_map and flat_map_values.
 *
 * What comes out is a new segment with the element as its value; key, time, headers and position
 * are those of the row it came from. Elements are not copied: they borrow from the row, whose chunk
 * is not left before all of its elements have been pushed on.
 */
#include "base/module.h"
#include "op/build.h"

struct flat_map {
    struct leat_expr expr;
    uint32_t column;
    uint32_t key_column; /* of the rows that come in; LEAT_NO_COLUMN: no key */
    bool windows;
};

static void flat_map_build(void *plan, struct leat_build *b)
{
    struct flat_map *f = plan;
    struct leat_view *in = &b->in[0];
    char name[80];

    if (leat_build_need_arg(b, "an expression that gives a list: - flat_map: this.split(\" \")"))
        return;
    f->expr = leat_build_expr(b, in, b->arg, NULL, 0);
    f->column = leat_view_column(in);
    b->out->has_key = in->has_key && !leat_build_drops_key(b);
    f->key_column = b->out->has_key ? in->key_column : LEAT_NO_COLUMN;
    f->windows = in->segment->windows;
    const struct leat_type *type =
        f->expr.program ? leat_program_type(f->expr.program) : leat_type_of_kind(LEAT_T_ANY);
    if (type->kind != LEAT_T_ANY && type->kind != LEAT_T_LIST)
        leat_diag_error(b->diags, b->arg, "'%.*s' wants a list, this is %s", LEAT_FMT(b->name),
                        leat_type_name(type, name, sizeof name));
    leat_build_new_segment(b, b->out);
    b->out->segment->windows = in->segment->windows;
    b->out->segment->source = in->segment->source;
    if (type->kind == LEAT_T_LIST && type->item)
        b->out->type = type->item;
}

static void flat_map_values_build(void *plan, struct leat_build *b)
{
    if (!b->in[0].has_key)
        leat_diag_hint(b->diags,
                       leat_build_error(b, "'%.*s' needs a stream with a key", LEAT_FMT(b->name)),
                       "use flat_map, or key_by before it");
    flat_map_build(plan, b);
}

/* `count` rows from out->rows on, all alike but for their elements. Field by field: each is one run
 * of stores. Raw keys have been read, and without a key the column stays null. */
static void add_rows(const struct flat_map *f, struct leat_chunk *out,
                     const struct leat_chunk *chunk, uint16_t row, const struct leat_value *items,
                     uint32_t count)
{
    const uint32_t at = out->rows, end = at + count;
    const struct leat_slice value = chunk->values[row], headers = chunk->headers[row];
    const int64_t time_ms = chunk->times_ms[row], position = chunk->positions[row];

    for (uint32_t i = at; i < end; i++)
        out->selection[out->selected++] = (uint16_t)i;
    for (uint32_t i = at; i < end; i++)
        out->values[i] = value;
    for (uint32_t i = at; i < end; i++)
        out->headers[i] = headers;
    for (uint32_t i = at; i < end; i++)
        out->times_ms[i] = time_ms;
    for (uint32_t i = at; i < end; i++)
        out->positions[i] = position;
    for (uint32_t i = at; i < end && f->windows; i++)
        out->windows[i] = chunk->windows[row];
    for (uint32_t i = at; i < end && f->key_column != LEAT_NO_COLUMN; i++)
        out->columns[LEAT_COL_KEY][i] = chunk->columns[f->key_column][row];
    memcpy(out->columns[LEAT_COL_THIS] + at, items, count * sizeof *items);
    out->rows = end;
}

static enum leat_status push_elements(const struct flat_map *f, struct leat_task *task,
                                      const struct leat_chunk *chunk, uint16_t row,
                                      struct leat_value list, struct leat_error *err)
{
    struct leat_chunk *out = task->out;

    for (uint32_t i = 0, count; i < list.len; i += count) {
        if (out->rows == LEAT_CHUNK_ROWS && leat_out_flush(task, err) != LEAT_OK)
            return err->status;
        count = LEAT_CHUNK_ROWS - out->rows;
        count = list.len - i < count ? list.len - i : count;
        add_rows(f, out, chunk, row, list.as.items + i, count);
    }
    return LEAT_OK;
}

static enum leat_status flat_map_process(const void *plan, void *memory, struct leat_task *task,
                                         struct leat_chunk *chunk, struct leat_error *err)
{
    const struct flat_map *f = plan;
    uint32_t column = leat_expr_eval(&f->expr, task, chunk, f->column);
    struct leat_value *lists = chunk->columns[column];

    (void)memory;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_value *v = &lists[chunk->selection[i]];
        if (v->tag != LEAT_LIST && v->tag != LEAT_ERROR)
            *v = leat_value_fail(LEAT_V_TYPE, "the expression gives no list");
    }
    if (leat_sweep_errors(task, chunk, column, leat_program_source(f->expr.program), err) !=
        LEAT_OK)
        return err->status;
    leat_out_clear(task);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        if (push_elements(f, task, chunk, row, lists[row], err) != LEAT_OK)
            return err->status;
    }
    return leat_out_flush(task, err);
}

#define FLAT_MAP_MODULE(id, text, builder)                                                         \
    static const struct leat_module id##_module = {                                                \
        .abi = LEAT_MODULE_ABI,                                                                    \
        .name = #id,                                                                               \
        .summary = text,                                                                           \
        .self_size = sizeof(struct flat_map),                                                      \
        .op = &(const struct leat_op){.scope = LEAT_SCOPE_ROW,                                     \
                                      .makes_rows = true,                                          \
                                      .argument = "EXPR giving a list",                            \
                                      .build = builder,                                            \
                                      .process = flat_map_process},                                \
    };                                                                                             \
    LEAT_MODULE_AS(id, id##_module)

FLAT_MAP_MODULE(flat_map, "one record per element; key kept", flat_map_build);
FLAT_MAP_MODULE(flat_map_values, "as flat_map; error when the stream has no key",
                flat_map_values_build);
