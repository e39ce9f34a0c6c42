#include "op/meta.h"

struct leat_value leat_time_value(int64_t ms)
{
    int64_t s = ms / 1000, rest = ms % 1000;

    if (ms == LEAT_NO_TIME)
        return (struct leat_value){0};
    if (rest < 0) {
        s--;
        rest += 1000;
    }
    return (struct leat_value){.tag = LEAT_TIMESTAMP, .len = (uint32_t)rest * 1000000, .as.i = s};
}

/* Headers are text when they are valid as such; nothing checks them before they are asked for. */
static struct leat_value header_value(struct leat_slice v)
{
    return v.ptr ? leat_string(v) : (struct leat_value){0};
}

/* The last of a name wins, as in Kafka's own lastHeader(). */
static struct leat_value find_header(struct leat_slice headers, struct leat_slice wanted)
{
    struct leat_value found = leat_value_fail(LEAT_V_ABSENT, "no such header");
    struct leat_slice name, value;
    uint32_t count;

    if (!leat_take_u32(&headers, &count))
        return found;
    while (count-- > 0 && leat_take_header(&headers, &name, &value))
        if (leat_slice_eq(name, wanted))
            found = header_value(value);
    return found;
}

static struct leat_value all_headers(struct leat_slice headers, struct leat_arena *arena)
{
    struct leat_value map = {.tag = LEAT_MAP};
    struct leat_slice name, value;
    uint32_t count = 0;

    if (!leat_take_u32(&headers, &count) || count > headers.len / 8)
        return map;
    struct leat_value *items = leat_arena_array(arena, 2 * (size_t)count + 1, sizeof *items);
    if (!items)
        return leat_value_fail(LEAT_V_BUDGET, "the memory of this batch is used up");
    for (uint32_t i = 0; i < count && leat_take_header(&headers, &name, &value); i++) {
        uint32_t at = 0;
        while (at < map.len && !leat_slice_eq(leat_value_text(items[2 * at]), name))
            at++;
        items[2 * at] = leat_string(name);
        items[2 * at + 1] = header_value(value);
        map.len += at == map.len;
    }
    map.as.items = items;
    return map;
}

static struct leat_value constant(enum leat_meta meta, const struct leat_origin *origin,
                                  const struct leat_task *task)
{
    switch ((int)meta) {
    case LEAT_META_SOURCE:
        return leat_string(origin->source);
    case LEAT_META_TOPIC:
        return leat_string(origin->topic);
    case LEAT_META_PARTITION:
        return leat_int(origin->number);
    case LEAT_META_BATCH:
        return leat_int((int64_t)task->batch->n);
    case LEAT_META_BATCH_TIME:
        return leat_time_value(task->batch->time_ms);
    default:
        return (struct leat_value){0};
    }
}

static struct leat_value of_row(const struct leat_meta_column *m, const struct leat_chunk *chunk,
                                uint16_t row)
{
    switch ((int)m->meta) {
    case LEAT_META_TIME:
    case LEAT_META_TIMESTAMP:
        return leat_time_value(chunk->times_ms[row]);
    case LEAT_META_OFFSET:
        return leat_int(chunk->positions[row]);
    case LEAT_META_HEADER:
        return find_header(chunk->headers[row], m->name);
    case LEAT_META_HEADERS:
        return all_headers(chunk->headers[row], chunk->arena);
    case LEAT_META_WINDOW_START:
        return leat_time_value(chunk->windows[row].start_ms);
    case LEAT_META_WINDOW_END:
        return leat_time_value(chunk->windows[row].end_ms);
    case LEAT_META_WINDOW_FINAL:
        return leat_bool(chunk->windows[row].final);
    default:
        return (struct leat_value){0};
    }
}

static bool same_for_all(enum leat_meta meta)
{
    return meta == LEAT_META_SOURCE || meta == LEAT_META_TOPIC || meta == LEAT_META_PARTITION ||
           meta == LEAT_META_BATCH || meta == LEAT_META_BATCH_TIME;
}

enum leat_status leat_meta_fill(const struct leat_segment *s, const struct leat_origin *origin,
                                const struct leat_task *task, struct leat_chunk *chunk,
                                struct leat_error *err)
{
    (void)err;
    for (uint32_t m = 0; m < s->metas_count; m++) {
        const struct leat_meta_column *column = &s->metas[m];
        struct leat_value *out = chunk->columns[column->column];
        if (same_for_all(column->meta)) {
            struct leat_value v = constant(column->meta, origin, task);
            for (uint32_t i = 0; i < chunk->selected; i++)
                out[chunk->selection[i]] = v;
            continue;
        }
        for (uint32_t i = 0; i < chunk->selected; i++)
            out[chunk->selection[i]] = of_row(column, chunk, chunk->selection[i]);
    }
    return LEAT_OK;
}

void leat_meta_fill_times(const struct leat_segment *s, struct leat_chunk *chunk)
{
    for (uint32_t m = 0; m < s->metas_count; m++)
        for (uint32_t i = 0; s->metas[m].meta == LEAT_META_TIME && i < chunk->selected; i++)
            chunk->columns[s->metas[m].column][chunk->selection[i]] =
                leat_time_value(chunk->times_ms[chunk->selection[i]]);
}

static enum leat_status meta_process(const void *plan, void *memory, struct leat_task *task,
                                     struct leat_chunk *chunk, struct leat_error *err)
{
    static const struct leat_origin none;
    const struct leat_segment *s = *(const struct leat_segment *const *)plan;

    (void)memory;
    if (leat_meta_fill(s, &none, task, chunk, err) != LEAT_OK)
        return err->status;
    return task->next->push(task->next, chunk, err);
}

const struct leat_op leat_op_meta = {.scope = LEAT_SCOPE_ROW, .process = meta_process};
