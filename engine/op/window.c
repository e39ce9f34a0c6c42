/*
 * window.c - `window`: says over which windows the next keyed operator works.
 *
 * The operator itself only takes out rows whose windows are all final: they are counted and go to
 * the stream that `late:` names. In batch time nothing is late.
 */
#include "op/window.h"

#include "base/module.h"
#include "expr/zone.h"
#include "op/grid.h"
#include "op/late.h"

#define DAY_MS      INT64_C(86400000)
#define WINDOWS_MAX 1000000 /* that one record may be in */

struct window {
    struct leat_window_options window;

    struct leat_window_spec spec;
    struct leat_grid grid;
    bool event_time;
};

const struct leat_opt leat_window_emit_options[] = {
    {.name = "every",
     .kind = LEAT_OPT_DURATION,
     .def = "0ms",
     .max = LEAT_OPT_NO_MAX,
     .help = "How often windows that are still open speak; 0ms: never."},
    {0},
};

static const struct leat_opt options[] = {
    LEAT_WINDOW_OPTS(struct window),
    {.name = "session",
     .kind = LEAT_OPT_DURATION,
     .offset = offsetof(struct window, window.session),
     .optional = true,
     .min = 1,
     .max = LEAT_OPT_NO_MAX,
     .help = "Instead of size: a session ends when nothing comes for so long."},
    {.name = "late",
     .kind = LEAT_OPT_TEXT,
     .offset = offsetof(struct window, window.late),
     .optional = true,
     .help = "Name of the stream that gets records whose windows are all final."},
    {0},
};

static const struct leat_node *at(struct leat_build *b, const char *option)
{
    const struct leat_node *node = leat_node_find(b->arg, option);

    return node ? node : b->node;
}

static bool check_multiple(struct leat_build *b, const char *option, int64_t ms)
{
    if (b->in[0].event_time || b->batch_every_ms <= 0 || ms % b->batch_every_ms == 0)
        return true;
    struct leat_diag *d =
        leat_diag_error(b->diags, at(b, option), "%s must be a multiple of 'batch.every', %lld ms",
                        option, (long long)b->batch_every_ms);
    leat_diag_hint(b->diags, d, "without 'time:' on the source, windows are made of batches");
    return false;
}

/* Results of windows come that often, also those that are counted in windows again. */
static bool check_came_from(struct leat_build *b, const char *option, int64_t ms)
{
    const struct leat_window_spec *before = &b->in[0].came_from;

    if (b->in[0].event_time || !b->in[0].windowed || before->kind != LEAT_WINDOW_SLIDING ||
        ms % before->slide_ms == 0)
        return true;
    struct leat_diag *d =
        leat_diag_error(b->diags, at(b, option),
                        "%s must be a multiple of the slide of the windows before it, %lld ms",
                        option, (long long)before->slide_ms);
    leat_diag_hint(b->diags, d, "else it holds now more, now fewer of their results");
    return false;
}

static bool check_windows(struct leat_build *b, const struct leat_window_spec *spec)
{
    if (spec->size_ms / spec->slide_ms <= WINDOWS_MAX)
        return true;
    struct leat_diag *d =
        leat_diag_error(b->diags, at(b, "slide"), "a record would be in %lld windows",
                        (long long)(spec->size_ms / spec->slide_ms));
    leat_diag_hint(b->diags, d, "%d is the most: a larger slide, or a smaller size", WINDOWS_MAX);
    return false;
}

static bool read_zone(struct leat_build *b, const struct leat_window_options *o,
                      struct leat_window_spec *spec)
{
    const char *why;

    if (!o->zone)
        return true;
    spec->zone_name = leat_slice_str(o->zone);
    spec->zone = leat_zone_open(spec->zone_name, b->arena, &why);
    if (!spec->zone)
        leat_diag_error(b->diags, at(b, "zone"), "%s", why);
    else if (spec->size_ms % DAY_MS || spec->slide_ms % DAY_MS)
        leat_diag_hint(
            b->diags,
            leat_diag_error(b->diags, at(b, "zone"), "'zone' needs size and slide in whole days"),
            "1d, 7d");
    else
        return true;
    return false;
}

struct leat_window_spec leat_window_spec_of(struct leat_build *b,
                                            const struct leat_window_options *o)
{
    struct leat_window_spec spec = {.size_ms = o->size.ms,
                                    .slide_ms = o->slide.ms ? o->slide.ms : o->size.ms,
                                    .offset_ms = o->offset.ms,
                                    .gap_ms = o->session.ms,
                                    .emit_every_ms = o->emit.every.ms,
                                    .node = b->node};
    bool ok = true;

    if (b->in[0].window.kind != LEAT_WINDOW_NONE)
        leat_diag_hint(b->diags, leat_build_error(b, "a window straight behind a window"),
                       "what should happen in the first one? put count, aggregate, ... between");
    if (o->session.ms > 0) {
        spec.kind = LEAT_WINDOW_SESSION;
        if (o->size.ms || o->slide.ms || o->zone || o->offset.ms)
            leat_diag_error(b->diags, at(b, "session"),
                            "a session has neither size, slide, zone nor offset");
        return spec;
    }
    if (o->size.ms <= 0) {
        leat_build_error(b, "'%.*s' needs 'size'", LEAT_FMT(b->name));
        return (struct leat_window_spec){0};
    }
    ok = check_multiple(b, "size", spec.size_ms) && check_came_from(b, "size", spec.size_ms);
    ok = (o->slide.ms == 0 || (check_multiple(b, "slide", spec.slide_ms) &&
                               check_came_from(b, "slide", spec.slide_ms))) &&
         ok;
    ok = check_multiple(b, "offset", spec.offset_ms) && ok;
    ok = check_windows(b, &spec) && ok;
    ok = read_zone(b, o, &spec) && ok;
    spec.kind = ok ? LEAT_WINDOW_SLIDING : LEAT_WINDOW_NONE;
    return spec;
}

static void window_build(void *plan, struct leat_build *b)
{
    struct window *w = plan;

    if (leat_build_need_arg(b, "a size: - window: { size: 10m, slide: 1m }"))
        return;
    uint32_t errors = b->diags->errors;
    leat_build_options(b, options, w);
    if (b->diags->errors > errors)
        return;
    w->spec = leat_window_spec_of(b, &w->window);
    w->event_time = b->in[0].event_time;
    if (w->window.late && !w->event_time)
        leat_diag_hint(b->diags,
                       leat_diag_error(b->diags, at(b, "late"), "without 'time:' nothing is late"),
                       "say when a record happened, on its source: time: timestamp(created_at)");
    if (w->spec.kind == LEAT_WINDOW_SLIDING)
        w->grid = leat_grid_of(&w->spec, w->event_time);
    b->out->window = w->spec;
}

static bool is_late(const struct window *w, int64_t time_ms, int64_t before_ms)
{
    int64_t start_ms, end_ms;

    if (w->spec.kind == LEAT_WINDOW_SESSION)
        return time_ms + w->spec.gap_ms <= before_ms;
    return leat_grid_pane(&w->grid, time_ms, &start_ms, &end_ms) &&
           leat_grid_last_end(&w->grid, start_ms) <= before_ms;
}

static enum leat_status window_process(const void *plan, void *memory, struct leat_task *task,
                                       struct leat_chunk *chunk, struct leat_error *err)
{
    const struct window *w = plan;
    struct leat_late late = {0};
    int64_t before_ms = task->watermark_before_ms;

    (void)memory;
    if (!w->event_time || before_ms == LEAT_NO_TIME)
        return task->next->push(task->next, chunk, err);
    for (uint32_t i = 0; i < chunk->selected; i++) {
        uint16_t row = chunk->selection[i];
        int64_t time_ms = chunk->times_ms[row];
        /* Most are not: nothing that is younger than the watermark can be. */
        if (time_ms < before_ms && is_late(w, time_ms, before_ms))
            late.rows[late.count++] = row;
        else
            late.kept[late.kept_count++] = row;
    }
    if (late.count && leat_late_out(&late, task, chunk, err) != LEAT_OK)
        return err->status;
    return chunk->selected ? task->next->push(task->next, chunk, err) : LEAT_OK;
}

static const struct leat_module module = {
    .abi = LEAT_MODULE_ABI,
    .name = "window",
    .summary = "what follows works per window: sliding, tumbling, or sessions",
    .self_size = sizeof(struct window),
    .opts = options,
    .op =
        &(const struct leat_op){
            .scope = LEAT_SCOPE_ROW,
            .argument = "{ size, slide, late, zone, offset, emit: { every } } or { session: gap }",
            .build = window_build,
            .process = window_process,
        },
};

LEAT_MODULE(module);
