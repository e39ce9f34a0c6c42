/*
 * json.c - format in which a record is a JSON text (RFC 8259).
 *
 * Every text is checked to its end; only the touched paths become values. A whole record that is
 * touched stays text. The order of names is learnt anew in each chunk, so that nothing is shared
 * between workers and no result depends on what came before.
 */
#include "leat.h"

struct json {
    char unused; /* no options */

    const struct leat_json_plan *plan;
    const struct leat_path *paths;
    size_t paths_count;
};

static const struct leat_opt options[] = {{0}};

static enum leat_status json_plan(void *self, const struct leat_path *paths, size_t count,
                                  struct leat_arena *arena, struct leat_error *err)
{
    struct json *j = self;

    j->paths = paths;
    j->paths_count = count;
    j->plan = leat_json_plan_new(paths, count, arena);
    return j->plan ? LEAT_OK : leat_arena_failed(arena, err);
}

static void decode_none(const struct json *j, struct leat_chunk *chunk, uint16_t row)
{
    for (size_t i = 0; i < j->paths_count; i++)
        chunk->columns[j->paths[i].column][row] =
            j->paths[i].depth ? leat_value_fail(LEAT_V_ABSENT, "") : (struct leat_value){0};
}

static enum leat_status json_decode(const void *self, struct leat_chunk *chunk,
                                    struct leat_error *err)
{
    const struct json *j = self;
    struct leat_json_order *order = leat_json_order_new(j->plan, chunk->arena);
    struct leat_value *errors = chunk->columns[LEAT_COL_THIS];

    if (!order)
        return leat_arena_failed(chunk->arena, err);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value why = {0};
        if (!chunk->values[row].ptr)
            decode_none(j, chunk, row);
        else if (!leat_json_read(j->plan, order, chunk->values[row], chunk->arena, chunk->columns,
                                 row, &why) &&
                 why.code == LEAT_V_BUDGET)
            return leat_arena_failed(chunk->arena, err);
        errors[row] = why;
    }
    return LEAT_OK;
}

static enum leat_status json_encode(const void *self, struct leat_chunk *chunk, uint32_t column,
                                    struct leat_error *err)
{
    struct leat_bytes bytes = {.arena = chunk->arena};

    (void)self;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        struct leat_value *v = &chunk->columns[column][row], why;
        chunk->values[row] = (struct leat_slice){0};
        if (v->tag == LEAT_NULL || v->tag == LEAT_ERROR)
            continue;
        leat_bytes_begin(&bytes);
        bool ok = leat_json_write(*v, &bytes, &why);
        struct leat_slice piece = leat_bytes_end(&bytes);
        if (!piece.ptr)
            return leat_arena_failed(chunk->arena, err);
        if (ok)
            chunk->values[row] = piece;
        else
            *v = why;
    }
    return LEAT_OK;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "json",
    .summary = "a record is a JSON text",
    .self_size = sizeof(struct json),
    .opts = options,
    .format =
        &(const struct leat_format){
            .has_fields = true, .plan = json_plan, .decode = json_decode, .encode = json_encode},
};

LEAT_MODULE(module);
