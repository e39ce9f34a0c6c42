#include "op/head.h"

#include "data/json.h"

#include <stdio.h>

enum leat_status leat_head_finish(struct leat_head *head, struct leat_arena *arena,
                                  struct leat_error *err)
{
    const struct leat_segment *s = head->segment;
    const struct leat_format *format = head->format->format;
    struct leat_path *paths = leat_arena_array(arena, s->touched_count + 1, sizeof *paths);

    if (!paths)
        return leat_arena_failed(arena, err);
    for (uint32_t i = 0; i < s->touched_count; i++)
        paths[i] = s->touched[i].path;
    if (!format->plan)
        return LEAT_OK;
    return format->plan(head->format_self, paths, s->touched_count, arena, err);
}

/* ---- keys */

static struct leat_value key_value(const struct leat_head *head, struct leat_slice raw,
                                   struct leat_arena *arena)
{
    struct leat_value bytes = {.tag = LEAT_BYTES, .len = (uint32_t)raw.len, .as.text = raw.ptr};

    if (!raw.ptr)
        return (struct leat_value){0};
    if (head->key_format == LEAT_KEY_JSON)
        return leat_json_parse(raw, arena);
    if (head->key_format == LEAT_KEY_RAW || !leat_utf8_valid(raw.ptr, raw.ptr + raw.len))
        return bytes;
    return leat_string(raw);
}

static void decode_keys(const struct leat_head *head, struct leat_chunk *chunk)
{
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        chunk->columns[LEAT_COL_KEY][row] = key_value(head, chunk->keys[row], chunk->arena);
    }
}

/* ---- values */

static enum leat_status refuse_long(const struct leat_head *head, struct leat_task *task,
                                    struct leat_chunk *chunk, struct leat_error *err)
{
    size_t longest = 0;

    for (uint32_t i = 0; i < chunk->selected; i++) {
        size_t len = chunk->values[chunk->selection[i]].len;
        longest = len > longest ? len : longest;
    }
    if (longest <= (size_t)head->max_record_bytes)
        return LEAT_OK;
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        chunk->columns[LEAT_COL_THIS][row] =
            chunk->values[row].len > (size_t)head->max_record_bytes
                ? leat_value_fail(LEAT_V_BUDGET, "the record is longer than max_record")
                : (struct leat_value){0};
    }
    return leat_sweep_errors(task, chunk, LEAT_COL_THIS, LEAT_LIT("reading"), err);
}

/* As the schema wants them. Where the tag is already right there is nothing to do. */
static void convert(const struct leat_head *head, struct leat_chunk *chunk)
{
    static const uint8_t right[] = {
        [LEAT_T_BOOL] = LEAT_BOOL,     [LEAT_T_INT] = LEAT_INT,       [LEAT_T_UINT] = LEAT_UINT,
        [LEAT_T_DOUBLE] = LEAT_DOUBLE, [LEAT_T_STRING] = LEAT_STRING,
    };

    for (uint32_t t = 0; t < head->segment->touched_count; t++) {
        const struct leat_touched *touched = &head->segment->touched[t];
        enum leat_type_kind kind = touched->type->kind;
        struct leat_value *column = chunk->columns[touched->path.column];
        if ((kind == LEAT_T_ANY && !touched->type->optional) || touched->path.depth == 0)
            continue;
        uint8_t tag = kind < sizeof right ? right[kind] : 0;
        for (uint32_t i = 0; i < chunk->selected; i++) {
            struct leat_value *v = &column[chunk->selection[i]];
            if (tag == 0 || v->tag != tag)
                *v = leat_type_convert(touched->type, *v, head->from_text, chunk->arena);
        }
    }
}

/* ---- times */

static int64_t ms_of(struct leat_value t)
{
    return t.as.i * 1000 + t.len / 1000000;
}

/* Times of the rows from a column of timestamps; rows that have none get an error there. */
static enum leat_status set_times(struct leat_task *task, struct leat_chunk *chunk,
                                  const struct leat_expr *e, uint32_t column, int64_t limit_ms,
                                  struct leat_error *err)
{
    column = leat_expr_eval(e, task, chunk, column);
    struct leat_value *times = chunk->columns[column];
    for (uint32_t i = 0; i < chunk->selected; i++) {
        struct leat_value *v = &times[chunk->selection[i]];
        if (v->tag != LEAT_TIMESTAMP && v->tag != LEAT_ERROR)
            *v = leat_value_fail(LEAT_V_TYPE, "'time' gives no timestamp: use timestamp(x) or "
                                              "fromMillis(x)");
        else if (v->tag == LEAT_TIMESTAMP && limit_ms && ms_of(*v) > limit_ms)
            *v = leat_value_fail(LEAT_V_ARGUMENT,
                                 "the time is more than max_future ahead of the clock");
    }
    if (leat_sweep_errors(task, chunk, column, leat_program_source(e->program), err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < chunk->selected; i++)
        chunk->times_ms[chunk->selection[i]] = ms_of(times[chunk->selection[i]]);
    return LEAT_OK;
}

/* Without `time:` a row keeps the time it came with; the batch's interval is what counts. */
static void note_times(const struct leat_head *head, struct leat_task *task,
                       const struct leat_chunk *chunk)
{
    int64_t max = task->counts->time_max_ms;

    if (!head->has_time) {
        task->counts->time_max_ms = task->batch->time_ms - task->batch->interval_ms;
        return;
    }
    for (uint32_t i = 0; i < chunk->selected; i++) {
        int64_t time = chunk->times_ms[chunk->selection[i]];
        max = time > max ? time : max; /* LEAT_NO_TIME is the least there is */
    }
    task->counts->time_max_ms = max;
}

/* ---- the operator */

static struct leat_origin origin_of(const struct leat_head *head, struct leat_slice partition)
{
    struct leat_origin o = {.source = head->source, .topic = partition};
    const char *slash = partition.len ? memrchr(partition.ptr, '/', partition.len) : NULL;

    if (slash) {
        o.topic.len = (size_t)(slash - partition.ptr);
        for (const char *p = slash + 1; p < partition.ptr + partition.len; p++) {
            if (*p < '0' || *p > '9' || o.number > 100000000) {
                o.topic = partition; /* a file name */
                o.number = 0;
                break;
            }
            o.number = o.number * 10 + (*p - '0');
        }
    }
    return o;
}

static enum leat_status generate(const struct leat_head *head, struct leat_task *task,
                                 struct leat_chunk *chunk, struct leat_error *err)
{
    if (leat_exprs_eval(&head->value, task, chunk, err) != LEAT_OK ||
        leat_exprs_eval(&head->key, task, chunk, err) != LEAT_OK)
        return err->status;
    if (!head->has_generated_time)
        return LEAT_OK;
    if (set_times(task, chunk, &head->generated_time, head->generated_time_column, 0, err) !=
        LEAT_OK)
        return err->status;
    leat_meta_fill_times(head->segment, chunk); /* the source's `time:` may ask for it */
    return LEAT_OK;
}

static enum leat_status head_process(const void *plan, void *memory, struct leat_task *task,
                                     struct leat_chunk *chunk, struct leat_error *err)
{
    const struct leat_head *head = plan;
    struct leat_origin origin = origin_of(head, task->source);
    int64_t limit_ms = head->max_future_ms ? task->batch->clock_ms + head->max_future_ms : 0;

    (void)memory;
    task->counts->rows_in += chunk->selected;
    if (refuse_long(head, task, chunk, err) != LEAT_OK ||
        head->format->format->decode(head->format_self, chunk, err) != LEAT_OK ||
        leat_sweep_errors(task, chunk, LEAT_COL_THIS, LEAT_LIT("decoding"), err) != LEAT_OK)
        return err->status;
    if (head->segment->key_touched)
        decode_keys(head, chunk);
    convert(head, chunk);
    if (leat_meta_fill(head->segment, &origin, task, chunk, err) != LEAT_OK)
        return err->status;
    if ((head->value.count || head->has_generated_time) &&
        generate(head, task, chunk, err) != LEAT_OK)
        return err->status;
    if (head->has_time &&
        set_times(task, chunk, &head->time, head->time_column, limit_ms, err) != LEAT_OK)
        return err->status;
    note_times(head, task, chunk);
    leat_meta_fill_times(head->segment, chunk);
    return chunk->selected ? task->next->push(task->next, chunk, err) : LEAT_OK;
}

const struct leat_op leat_op_head = {.scope = LEAT_SCOPE_ROW, .process = head_process};
