#include "op/whole.h"

#include "op/meta.h"

static const char *const names[] = {"values", "keys", "time"};

#define NAMES (sizeof names / sizeof *names)

/* Batches, and no windows: what a window has is known to operators behind an exchange only. */
static bool refuse_windows(struct leat_build *b)
{
    for (uint32_t i = 0; i < b->in_count; i++) {
        if (!b->in[i].windowed && b->in[i].window.kind == LEAT_WINDOW_NONE)
            continue;
        leat_diag_hint(b->diags,
                       leat_build_error(b, "'%.*s' takes batches, not windows", LEAT_FMT(b->name)),
                       "put it before the window");
        return true;
    }
    return false;
}

bool leat_whole_build(struct leat_whole *w, struct leat_build *b, const struct leat_node *node)
{
    if (!node->handed) {
        leat_diag_hint(b->diags,
                       leat_diag_error(b->diags, node,
                                       "'%.*s' wants a function, this is an expression",
                                       LEAT_FMT(b->name)),
                       "write { lua: \"return values\" } or { module: FILE.so#NAME }");
        return false;
    }
    if (refuse_windows(b))
        return false;
    w->function = leat_small_expr_build(b, node, names, NAMES);
    leat_build_new_segment(b, b->out);
    leat_group_out_value(b, NULL);
    b->out->has_key = b->out->has_origin = b->out->event_time = false;
    return w->function.program;
}

static bool grow(struct leat_whole_rows *rows, struct leat_arena *arena)
{
    uint32_t room = rows->room ? rows->room * 2 : 64;
    struct leat_value *keys = leat_arena_array(arena, room, sizeof *keys),
                      *values = leat_arena_array(arena, room, sizeof *values);

    if (!keys || !values || rows->room > UINT32_MAX / 2)
        return false;
    if (rows->count) {
        memcpy(keys, rows->keys, rows->count * sizeof *keys);
        memcpy(values, rows->values, rows->count * sizeof *values);
    }
    rows->keys = keys;
    rows->values = values;
    rows->room = room;
    return true;
}

enum leat_status leat_whole_add(struct leat_whole_rows *rows, struct leat_arena *arena,
                                struct leat_value key, struct leat_value value,
                                struct leat_error *err)
{
    if (rows->count == rows->room && !grow(rows, arena))
        return leat_arena_failed(arena, err);
    rows->keys[rows->count] = key;
    rows->values[rows->count++] = value;
    return LEAT_OK;
}

struct leat_value leat_whole_list(const struct leat_value *items, uint32_t count)
{
    return (struct leat_value){.tag = LEAT_LIST, .len = count, .as.items = items};
}

struct leat_value leat_whole_values(const struct leat_whole_rows *rows)
{
    return leat_whole_list(rows->values, rows->count);
}

struct leat_value leat_whole_keys(const struct leat_whole_rows *rows, bool has_key)
{
    return has_key ? leat_whole_list(rows->keys, rows->count) : (struct leat_value){0};
}

/* The last moment of the batch: its time is the end of it. */
static enum leat_status push(struct leat_task *task, struct leat_value list, struct leat_error *err)
{
    struct leat_chunk *out = task->out;

    leat_out_clear(task);
    for (uint32_t i = 0; i < list.len; i++) {
        if (out->rows == LEAT_CHUNK_ROWS && leat_out_flush(task, err) != LEAT_OK)
            return err->status;
        out->columns[LEAT_COL_THIS][out->rows] = list.as.items[i];
        leat_chunk_add(out, &(struct leat_row){.time_ms = task->batch->time_ms - 1});
    }
    return leat_out_flush(task, err);
}

enum leat_status leat_whole_call(const struct leat_whole *w, struct leat_task *task,
                                 struct leat_value values, struct leat_value keys,
                                 struct leat_error *err)
{
    struct leat_work work = {.task = task};
    const struct leat_value args[NAMES] = {values, keys, leat_time_value(task->batch->time_ms)};
    struct leat_slice what = leat_program_source(w->function.program);
    struct leat_value v = leat_small_expr_eval(&w->function, &work, task->arena, args, NAMES);

    if (v.tag == LEAT_ERROR) {
        struct leat_slice why = leat_value_text(v);
        return leat_fail(err, LEAT_E_DATA, "%.*s: %.*s", LEAT_FMT(what), LEAT_FMT(why));
    }
    if (v.tag != LEAT_LIST)
        return leat_fail(err, LEAT_E_DATA, "%.*s: the function gives %s, not a list of elements",
                         LEAT_FMT(what), v.tag == LEAT_NULL ? "nothing" : leat_tag_name(v.tag));
    return push(task, v, err);
}
