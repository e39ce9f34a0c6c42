#include "hand_plan.h"

#include "data/key.h"
#include "op/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- source: lines, with a time where asked for */

static enum leat_status head_process(const void *plan, void *memory, struct leat_task *task,
                                     struct leat_chunk *c, struct leat_error *err)
{
    const struct hand_options *o = plan;

    (void)memory;
    task->counts->rows_in += c->selected;
    for (uint32_t i = 0; i < c->selected; i++) {
        uint16_t row = c->selection[i];
        if (leat_slice_eq(c->values[row], LEAT_LIT("bad")))
            return leat_fail(err, LEAT_E_DATA, "a bad line");
        if (o->event_time) {
            c->times_ms[row] = strtoll(c->values[row].ptr, NULL, 10);
            if (c->times_ms[row] > task->counts->time_max_ms)
                task->counts->time_max_ms = c->times_ms[row];
        } else {
            c->times_ms[row] = task->batch->time_ms - task->batch->interval_ms;
        }
    }
    return task->next->push(task->next, c, err);
}

static const struct leat_op head_op = {.scope = LEAT_SCOPE_ROW, .process = head_process};

/* ---- words: rows whose key is a word */

static enum leat_status words_process(const void *plan, void *memory, struct leat_task *task,
                                      struct leat_chunk *c, struct leat_error *err)
{
    const struct hand_options *o = plan;

    (void)memory;
    leat_out_clear(task);
    for (uint32_t i = 0; i < c->selected; i++) {
        uint16_t row = c->selection[i];
        struct leat_slice rest = c->values[row], word;
        if (o->event_time)
            leat_slice_cut(rest, ' ', &word, &rest);
        while (rest.len) {
            leat_slice_cut(rest, ' ', &word, &rest);
            struct leat_row out = {.key = leat_arena_copy(task->out->arena, word),
                                   .time_ms = c->times_ms[row]};
            if (!out.key.ptr)
                return leat_arena_failed(task->out->arena, err);
            leat_chunk_add(task->out, &out);
            if (task->out->rows == LEAT_CHUNK_ROWS && leat_out_flush(task, err) != LEAT_OK)
                return err->status;
        }
    }
    return leat_out_flush(task, err);
}

static const struct leat_op words_op = {
    .scope = LEAT_SCOPE_ROW, .makes_rows = true, .process = words_process};

/* ---- counts: state */

struct counts {
    struct leat_pool pool;
    struct leat_table table;
    int64_t due_ms;
};

static enum leat_status counts_open(const void *plan, void *memory, struct leat_arena *arena,
                                    struct leat_error *err)
{
    struct counts *s = memory;

    (void)plan, (void)err;
    *s = (struct counts){
        .pool = {.arena = arena}, .table = {.value_size = 8}, .due_ms = LEAT_NO_TIME};
    s->table.pool = &s->pool;
    return LEAT_OK;
}

static void counts_measure(const void *plan, const void *memory, uint64_t *keys, uint64_t *bytes)
{
    (void)plan;
    *keys = ((const struct counts *)memory)->table.count;
    *bytes = 0;
}

static int64_t counts_due(const void *plan, const void *memory)
{
    (void)plan;
    return ((const struct counts *)memory)->due_ms;
}

static int64_t counts_close_time(const void *plan, int64_t time_ms)
{
    int64_t window_ms = ((const struct hand_options *)plan)->window_ms;

    return window_ms ? (time_ms / window_ms + 1) * window_ms : LEAT_NO_TIME;
}

static enum leat_status counts_process(const void *plan, void *memory, struct leat_task *task,
                                       struct leat_chunk *c, struct leat_error *err)
{
    const struct hand_options *o = plan;
    struct counts *s = memory;

    for (uint32_t i = 0; i < c->selected; i++) {
        uint16_t row = c->selection[i];
        bool made;
        struct leat_entry *e =
            leat_table_at(&s->table, leat_key_hash(c->keys[row]), 0, c->keys[row], &made);
        if (!e)
            return leat_arena_failed(s->pool.arena, err);
        if (o->window_ms && task->watermark_before_ms != LEAT_NO_TIME &&
            c->times_ms[row] < task->watermark_before_ms) {
            task->counts->late++;
            continue;
        }
        e->memory[0]++;
        int64_t end_ms = o->window_ms ? (c->times_ms[row] / o->window_ms + 1) * o->window_ms
                                      : task->batch->time_ms;
        if (s->due_ms == LEAT_NO_TIME || end_ms < s->due_ms)
            s->due_ms = end_ms;
    }
    return LEAT_OK;
}

static enum leat_status counts_finish(const void *plan, void *memory, struct leat_task *task,
                                      struct leat_error *err)
{
    struct counts *s = memory;
    int64_t due_ms = s->due_ms;

    (void)plan;
    if (due_ms == LEAT_NO_TIME || task->watermark_ms < due_ms)
        return LEAT_OK;
    leat_out_clear(task);
    for (struct leat_entry *e = s->table.first; e; e = e->next) {
        char text[300];
        if (e->memory[0] == 0)
            continue;
        int n = snprintf(text, sizeof text, "%.*s=%" PRIu64, LEAT_FMT(e->key), e->memory[0]);
        struct leat_slice value =
            leat_arena_copy(task->out->arena, (struct leat_slice){text, (size_t)n});
        if (!value.ptr)
            return leat_arena_failed(task->out->arena, err);
        leat_chunk_add(task->out,
                       &(struct leat_row){.key = e->key, .value = value, .time_ms = due_ms - 1});
        e->memory[0] = 0;
        if (task->out->rows == LEAT_CHUNK_ROWS && leat_out_flush(task, err) != LEAT_OK)
            return err->status;
    }
    s->due_ms = LEAT_NO_TIME;
    return leat_out_flush(task, err);
}

static void counts_shape(const void *plan, struct leat_bytes *text)
{
    const struct hand_options *o = plan;

    leat_bytes_put(text, "counts", 6);
    leat_bytes_put_u64(text, (uint64_t)o->window_ms);
}

/* All of it each time: absolute values do no harm. */
static enum leat_status counts_write(const void *plan, void *memory, struct leat_bytes *all,
                                     struct leat_error *err)
{
    const struct counts *s = memory;

    (void)plan, (void)err;
    leat_bytes_put_u64(all, (uint64_t)s->due_ms);
    for (struct leat_entry *e = s->table.first; e; e = e->next) {
        leat_bytes_put_slice(all, e->key);
        leat_bytes_put_u64(all, e->memory[0]);
    }
    return LEAT_OK;
}

static enum leat_status counts_read(const void *plan, void *memory, struct leat_slice bytes,
                                    struct leat_error *err)
{
    struct counts *s = memory;
    uint64_t due_ms, count;
    struct leat_slice key;
    bool made;

    (void)plan;
    if (!leat_take_u64(&bytes, &due_ms))
        return leat_fail(err, LEAT_E_CORRUPT, "no counts");
    s->due_ms = (int64_t)due_ms;
    while (leat_take_slice(&bytes, &key) && leat_take_u64(&bytes, &count)) {
        struct leat_entry *e = leat_table_at(&s->table, leat_key_hash(key), 0, key, &made);
        if (!e)
            return leat_arena_failed(s->pool.arena, err);
        e->memory[0] = count;
    }
    return LEAT_OK;
}

static const struct leat_state counts_state = {.size = sizeof(struct counts),
                                               .open = counts_open,
                                               .append = counts_write,
                                               .snapshot = counts_write,
                                               .read = counts_read,
                                               .shape = counts_shape,
                                               .measure = counts_measure,
                                               .due = counts_due};
static const struct leat_op counts_op = {.scope = LEAT_SCOPE_KEY,
                                         .state = &counts_state,
                                         .makes_rows = true,
                                         .close_time = counts_close_time,
                                         .process = counts_process,
                                         .finish = counts_finish};
static const struct leat_op counts_op_on_empty = {.scope = LEAT_SCOPE_KEY,
                                                  .state = &counts_state,
                                                  .makes_rows = true,
                                                  .on_empty = true,
                                                  .process = counts_process,
                                                  .finish = counts_finish};

/* ---- output: the values are bytes already */

static enum leat_status output_process(const void *plan, void *memory, struct leat_task *task,
                                       struct leat_chunk *c, struct leat_error *err)
{
    (void)plan, (void)memory;
    task->counts->rows_out += c->selected;
    return task->next->push(task->next, c, err);
}

static const struct leat_op output_op = {.scope = LEAT_SCOPE_ROW, .process = output_process};

static void init_source(struct hand_plan *h, uint32_t s)
{
    struct leat_plan_node *n = h->nodes[s];
    static const char *const names[] = {"a", "b"};

    h->sources[s] = (struct leat_plan_source){.name = leat_slice_str(names[s]),
                                              .module = h->options.connector,
                                              .stage = s,
                                              .event_time = h->options.event_time,
                                              .lateness_ms = h->options.lateness_ms,
                                              .idle_ms = h->options.idle_ms,
                                              .max_record_bytes = 1 << 20};
    n[0] = (struct leat_plan_node){.op = &head_op, .next = h->head_next[s], .next_count = 2};
    n[1] = (struct leat_plan_node){.op = &words_op,
                                   .out = &h->segments[1],
                                   .next = h->words_next[s],
                                   .next_count = 1,
                                   .path = LEAT_LIT("streams.words.ops[0]")};
    n[2] = (struct leat_plan_node){.does = LEAT_DOES_EXCHANGE};
    n[3] = (struct leat_plan_node){.does = LEAT_DOES_OUTPUT, .op = &output_op, .sink = 1};
    h->head_next[s][0] = &n[1];
    h->head_next[s][1] = &n[3];
    h->words_next[s][0] = &n[2];
    for (uint32_t i = 0; i < 4; i++) {
        n[i].number = i;
        n[i].plan = &h->options;
        n[i].in = &h->segments[i == 2];
        n[i].sources = UINT64_C(1) << s;
    }
    h->stages[s] = (struct leat_plan_stage){
        .from_source = true, .input = s, .nodes = n, .nodes_count = 4, .sources = UINT64_C(1) << s};
}

static void init_counting(struct hand_plan *h)
{
    uint32_t stage = h->options.sources;
    uint64_t sources = (UINT64_C(1) << h->options.sources) - 1;

    h->counting[0] =
        (struct leat_plan_node){.op = h->options.on_empty ? &counts_op_on_empty : &counts_op,
                                .plan = &h->options,
                                .in = &h->segments[1],
                                .out = &h->segments[1],
                                .next = h->counts_next,
                                .next_count = 1,
                                .sources = sources,
                                .path = LEAT_LIT("streams.counts.ops[0]"),
                                .state_name = LEAT_LIT("counts.count.0")};
    h->counting[1] = (struct leat_plan_node){.does = LEAT_DOES_OUTPUT,
                                             .number = 1,
                                             .op = &output_op,
                                             .in = &h->segments[1],
                                             .sources = sources};
    h->counts_next[0] = &h->counting[1];
    h->stages[stage] = (struct leat_plan_stage){.nodes = h->counting,
                                                .nodes_count = 2,
                                                .on_empty = h->options.on_empty,
                                                .sources = sources};
    h->exchange = (struct leat_plan_exchange){
        .stage = stage, .partitions = h->options.partitions, .name = LEAT_LIT("counts.count")};
}

void hand_plan_init(struct hand_plan *h, const struct hand_options *options)
{
    static const struct leat_spec spec = {.name = {"by hand", sizeof "by hand" - 1}};

    *h = (struct hand_plan){.options = *options};
    h->segments[0].columns = h->segments[1].columns = LEAT_COL_PATHS;
    for (uint32_t s = 0; s < options->sources; s++)
        init_source(h, s);
    init_counting(h);
    h->sinks[0] =
        (struct leat_plan_sink){.name = LEAT_LIT("counts"), .module = options->sink_module};
    h->sinks[1] =
        (struct leat_plan_sink){.name = LEAT_LIT("lines"), .module = options->sink_module};
    h->plan.spec = &spec;
    h->plan.sources = h->sources;
    h->plan.sources_count = options->sources;
    h->plan.stages = h->stages;
    h->plan.stages_count = options->sources + 1;
    h->plan.exchanges = &h->exchange;
    h->plan.exchanges_count = 1;
    h->plan.sinks = h->sinks;
    h->plan.sinks_count = 2;
    h->plan.partitions = options->partitions;
    h->plan.on_empty = options->on_empty;
    h->plan.event_time = options->event_time;
}
