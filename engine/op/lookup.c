/*
 * lookup.c - the operator: a table's row as a field of the record.
 *
 * The key's value is looked up as it would be as a key of the stream, so 1, 1u and 1.0 find the
 * same row. Rows are borrowed from the table, which the batch holds.
 */
#include "op/lookup.h"

#include "op/lookup_table.h"

struct lookup {
    uint32_t table, column, key_column;
    struct leat_expr key;
    struct leat_slice name;
    int missing; /* keep, drop, fail */
};

struct lookup_options {
    const char *table;
    struct leat_expression key;
    const char *as;
    struct leat_choice missing;
};

static const char *const missing_words[] = {"keep", "drop", "fail", NULL};
enum { MISSING_KEEP, MISSING_DROP, MISSING_FAIL };

static const struct leat_opt options[] = {
    LEAT_OPT(struct lookup_options, table, .help = "Name of the table."),
    LEAT_OPT(struct lookup_options, key, .help = "What to look up."),
    LEAT_OPT(struct lookup_options, as, .help = "Field that gets the row."),
    LEAT_OPT(struct lookup_options, missing, .def = "keep", .choices = missing_words,
             .help = "A key that the table has not: null, the record is dropped, or an error."),
    {0},
};

static void lookup_build(void *plan, struct leat_build *b)
{
    struct lookup *l = plan;
    struct lookup_options o = {0};
    struct leat_view *out = b->out;
    const struct leat_type *row = leat_type_of_kind(LEAT_T_ANY), *key;
    const struct leat_node *name;

    if (leat_build_need_arg(b, "{ table: t, key: EXPR, as: field }"))
        return;
    leat_build_options(b, options, &o);
    name = leat_node_find(b->arg, "table");
    if (!o.table || !o.as || !o.key.node || !b->find_table(b, name, &l->table, &row, &key))
        return;
    l->name = leat_slice_str(o.table);
    l->missing = o.missing.index;
    l->key = leat_build_expr(b, out, o.key.node, NULL, 0);
    l->key_column = leat_view_column(out);
    l->column = leat_view_column(out);
    struct leat_field *fields = leat_arena_array(b->arena, out->fields_count + 1, sizeof *fields);
    if (!fields)
        return;
    if (out->fields_count)
        memcpy(fields, out->fields, out->fields_count * sizeof *fields);
    fields[out->fields_count++] = (struct leat_field){leat_slice_str(o.as), l->column, row};
    out->fields = fields;
    if (out->kind == LEAT_VIEW_FIELDS)
        out->type = leat_type_of_kind(LEAT_T_RECORD);
}

static struct leat_value missing_value(const struct lookup *l)
{
    return l->missing == MISSING_FAIL
               ? leat_value_fail(LEAT_V_ABSENT, "the table has no row for this key")
               : (struct leat_value){0};
}

static enum leat_status lookup_process(const void *plan, void *memory, struct leat_task *task,
                                       struct leat_chunk *chunk, struct leat_error *err)
{
    const struct lookup *l = plan;
    const struct leat_lookup_table *table = task->batch->tables[l->table];
    struct leat_slice what = leat_program_source(l->key.program);
    uint32_t column = leat_expr_eval(&l->key, task, chunk, l->key_column), kept = 0;
    struct leat_bytes key = {.arena = chunk->arena};

    (void)memory;
    if (leat_sweep_errors(task, chunk, column, what, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        const struct leat_value *found;
        key.len = 0;
        if (leat_key_encode(chunk->columns[column][row], &key, err) != LEAT_OK)
            return leat_error_prefix(err, "lookup in '%.*s'", LEAT_FMT(l->name));
        found = leat_lookup_find(table, leat_bytes_slice(&key));
        chunk->columns[l->column][row] = found ? *found : missing_value(l);
        chunk->selection[kept] = row;
        kept += found || l->missing != MISSING_DROP;
    }
    chunk->selected = kept;
    if (l->missing == MISSING_FAIL &&
        leat_sweep_errors(task, chunk, l->column, what, err) != LEAT_OK)
        return err->status;
    return chunk->selected ? task->next->push(task->next, chunk, err) : LEAT_OK;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "lookup",
    .summary = "record with a table's row added as a field",
    .self_size = sizeof(struct lookup),
    .opts = options,
    .op =
        &(const struct leat_op){
            .scope = LEAT_SCOPE_ROW,
            .argument = "{ table, key: EXPR, as: field, missing: keep|drop|fail }",
            .build = lookup_build,
            .process = lookup_process,
        },
};

LEAT_MODULE(module);
