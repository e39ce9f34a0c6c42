/*
 * raw.c - format in which a record is its bytes, whatever they are.
 *
 * Nothing is looked at but the length, where it is given; nothing is copied. Only bytes and text
 * can be written. Files of records of one length are in raw_records.c.
 */
#include "raw.h"

static const struct leat_opt options[] = {
    LEAT_OPT(struct raw, length, .def = "0", .max = RAW_LENGTH_MAX,
             .help = "Files are records of so many bytes each, without anything between them. What "
                     "is left behind the last whole one is an error of that record. 0: a record "
                     "is as long as the source says, in a file a line."),
    {0},
};

static enum leat_status raw_plan(void *self, const struct leat_path *paths, size_t count,
                                 struct leat_arena *arena, struct leat_error *err)
{
    struct raw *r = self;
    uint32_t *columns = leat_arena_array(arena, count + 1, sizeof *columns);

    if (!columns)
        return leat_arena_failed(arena, err);
    r->columns_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (paths[i].depth)
            return leat_fail(err, LEAT_E_CONFIG, "format 'raw' has no fields: '%.*s'",
                             LEAT_FMT(paths[i].names[0]));
        columns[r->columns_count++] = paths[i].column;
    }
    r->columns = columns;
    return LEAT_OK;
}

static enum leat_status raw_decode(const void *self, struct leat_chunk *chunk,
                                   struct leat_error *err)
{
    const struct raw *r = self;

    (void)err; /* nothing is allocated */
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value v = leat_string(chunk->values[row]);
        if (v.tag == LEAT_STRING)
            v.tag = LEAT_BYTES;
        chunk->columns[LEAT_COL_THIS][row] = (struct leat_value){0};
        if (r->length && v.tag == LEAT_BYTES && v.len != r->length)
            chunk->columns[LEAT_COL_THIS][row] = leat_value_fail(
                LEAT_V_SYNTAX,
                "the file ends within a record: its size is no multiple of `length`");
        for (uint32_t k = 0; k < r->columns_count; k++)
            chunk->columns[r->columns[k]][row] = v;
    }
    return LEAT_OK;
}

static enum leat_status raw_encode(const void *self, struct leat_chunk *chunk, uint32_t column,
                                   struct leat_error *err)
{
    const struct raw *r = self;

    (void)err;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value *v = &chunk->columns[column][row];
        bool is_bytes = v->tag == LEAT_STRING || v->tag == LEAT_BYTES;
        chunk->values[row] = (struct leat_slice){0};
        if (r->length && is_bytes && v->len != r->length)
            *v = leat_value_fail(LEAT_V_TYPE,
                                 "format 'raw' writes only records of the `length` that is given");
        else if (is_bytes)
            chunk->values[row] = leat_value_text(*v);
        else if (v->tag != LEAT_NULL && v->tag != LEAT_ERROR)
            *v = leat_value_fail(LEAT_V_TYPE, "format 'raw' writes only bytes and text");
    }
    return LEAT_OK;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "raw",
    .summary = "a record is its bytes, untouched",
    .self_size = sizeof(struct raw),
    .opts = options,
    .format =
        &(const struct leat_format){
            .plan = raw_plan,
            .decode = raw_decode,
            .encode = raw_encode,
            .container = &raw_container,
        },
};

LEAT_MODULE(module);
