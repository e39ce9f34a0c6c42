#include "run/flow.h"
#include "run/message.h"
#include "run/source_mark.h"

#include <assert.h>

#define SMALL_ROWS 2000 /* a batch below this is run by the caller alone */
#define ROW_BYTES  64   /* guess, where a block does not say how many rows it has */
#define ARENA_KEEP ((size_t)16 * 1024 * 1024) /* that a released batch keeps, per worker */
#define TASKS_MIN  64

static struct leat_lane *lane_of(struct leat_crew *crew, uint32_t stage)
{
    struct leat_flow *flow = crew->flow;

    if (!crew->lanes[stage])
        crew->lanes[stage] = leat_lane_new(flow->plan, stage, crew->eval, flow->budget);
    return crew->lanes[stage];
}

static void run_task(struct leat_crew *crew, struct leat_stage_task *t)
{
    struct leat_lane *lane = lane_of(crew, t->stage);

    if (lane)
        leat_lane_run(lane, t, &crew->flow->scratch[crew->number],
                      &crew->flow->batch->group->arenas[crew->number]);
    else
        leat_fail(&t->error, LEAT_E_FULL, "no memory to run '%.*s'",
                  LEAT_FMT(crew->flow->plan->stages[t->stage].nodes[0].path));
}

/* Stage 1: whoever is free takes the next one. Thread: the crew's worker */
static void run_any(struct leat_crew *crew)
{
    struct leat_flow *flow = crew->flow;
    uint32_t count = flow->batch->tasks_count;

    for (;;) {
        uint32_t i = flow->first + atomic_fetch_add(&flow->claimed, 1);
        if (i >= count)
            return;
        run_task(crew, flow->batch->tasks[i]);
    }
}

/* Behind an exchange: state partition q belongs to worker q mod W. Thread: the crew's worker */
static void run_own(struct leat_crew *crew)
{
    struct leat_flow *flow = crew->flow;

    for (uint32_t i = flow->first; i < flow->batch->tasks_count; i++)
        if (flow->batch->tasks[i]->part % flow->workers == crew->number)
            run_task(crew, flow->batch->tasks[i]);
}

static enum leat_status run_crew(struct leat_work *w, struct leat_error *err)
{
    struct leat_crew *crew = (struct leat_crew *)w;
    struct leat_flow_batch *batch = crew->flow->batch;

    (void)err;
    if (crew->flow->plan->stages[batch->tasks[crew->flow->first]->stage].from_source)
        run_any(crew);
    else
        run_own(crew);
    return LEAT_OK;
}

void leat_flow_together(struct leat_flow *flow,
                        enum leat_status (*run)(struct leat_work *w, struct leat_error *err))
{
    struct leat_error ignored;

    for (uint32_t i = 1; i < flow->workers; i++) {
        flow->crews[i].work.run = run;
        leat_pool_run(&flow->pool, &flow->crews[i].work);
    }
    run(&flow->crews[0].work, &ignored);
    for (uint32_t i = 1; i < flow->workers; i++)
        leat_pool_ran(&flow->pool, (struct leat_work *)leat_queue_take(&flow->done));
}

static void run_alone(struct leat_flow *flow)
{
    for (uint32_t i = flow->first; i < flow->batch->tasks_count; i++)
        run_task(&flow->crews[0], flow->batch->tasks[i]);
}

/* Tasks [first, count). The first one that failed, in their order, speaks for all. */
static enum leat_status run_tasks(struct leat_flow *flow, uint32_t first, uint64_t rows,
                                  struct leat_error *err)
{
    struct leat_flow_batch *b = flow->batch;

    if (first == b->tasks_count)
        return LEAT_OK;
    flow->first = first;
    atomic_store(&flow->claimed, 0);
    if (flow->workers == 1 || b->tasks_count - first == 1 || rows < SMALL_ROWS)
        run_alone(flow);
    else
        leat_flow_together(flow, run_crew);
    for (uint32_t i = first; i < b->tasks_count; i++)
        if (b->tasks[i]->error.status != LEAT_OK) {
            *err = b->tasks[i]->error;
            return err->status;
        }
    return LEAT_OK;
}

static struct leat_stage_task *add_task(struct leat_flow_batch *b, uint32_t stage, uint32_t part,
                                        struct leat_flow *flow)
{
    if (b->tasks_count == b->tasks_room) {
        uint32_t room = b->tasks_room ? b->tasks_room * 2 : TASKS_MIN;
        struct leat_stage_task **grown = leat_arena_array(flow->scratch, room, sizeof *grown);
        if (!grown)
            return NULL;
        if (b->tasks_count)
            memcpy(grown, b->tasks, b->tasks_count * sizeof *grown);
        b->tasks = grown;
        b->tasks_room = room;
    }
    struct leat_stage_task *t = leat_arena_alloc(flow->scratch, sizeof *t);
    if (!t)
        return NULL;
    t->stage = stage;
    t->part = part;
    t->batch = &b->info;
    t->watermarks = flow->watermarks;
    b->tasks[b->tasks_count++] = t;
    return t;
}

/* The barrier: what stage 1 has seen moves time. */
static void move_watermarks(struct leat_flow *flow)
{
    struct leat_flow_batch *b = flow->batch;
    const struct leat_batch *info = &b->info;

    for (uint32_t i = 0; i < b->tasks_count; i++) {
        const struct leat_stage_task *t = b->tasks[i];
        if (t->rows)
            leat_watermark_seen(&flow->watermarks[flow->plan->stages[t->stage].input], t->part,
                                t->counts.time_max_ms, info->clock_ms);
    }
    for (uint32_t s = 0; s < flow->plan->sources_count; s++)
        leat_watermark_move(&flow->watermarks[s],
                            leat_source_mark(flow->plan, flow->watermarks, s, info->time_ms,
                                             info->clock_ms, b->close));
}

/* Until the barrier both watermarks of a batch are those of the one before. */
static void hold_watermarks(struct leat_flow *flow)
{
    for (uint32_t s = 0; s < flow->plan->sources_count; s++)
        leat_watermark_move(&flow->watermarks[s], LEAT_NO_TIME);
}

static int64_t stage_watermark(const struct leat_flow *flow, uint32_t stage)
{
    return leat_watermarks_now(flow->watermarks, flow->plan->sources_count,
                               flow->plan->stages[stage].sources);
}

static bool state_is_due(const struct leat_state_part *s, int64_t watermark_ms)
{
    return s->memory && s->due_ms != LEAT_NO_TIME && s->due_ms <= watermark_ms;
}

/* One task per state partition that has something to do. */
static enum leat_status add_exchange_tasks(struct leat_flow *flow, uint32_t stage, uint64_t *rows,
                                           struct leat_error *err)
{
    const struct leat_plan_stage *s = &flow->plan->stages[stage];
    struct leat_flow_batch *b = flow->batch;
    uint32_t feeders = b->tasks_count;
    int64_t watermark_ms = stage_watermark(flow, stage);

    if (s->missing & b->missing)
        return LEAT_OK;
    for (uint32_t q = 0; q < leat_flow_partitions(flow, stage); q++) {
        struct leat_state_part *state = &flow->states[stage][q];
        int64_t waiting = leat_frames_waiting(b->tasks, feeders, s->input, q);
        if (!waiting && !s->on_empty && !state_is_due(state, watermark_ms))
            continue;
        struct leat_stage_task *t = add_task(b, stage, q, flow);
        if (!t)
            return leat_arena_failed(flow->scratch, err);
        state->touched = true;
        t->feeders_count = feeders;
        t->state = state;
        *rows += (uint64_t)waiting + (state_is_due(state, watermark_ms) ? state->keys : 0);
    }
    for (uint32_t i = feeders; i < b->tasks_count; i++)
        b->tasks[i]->feeders = b->tasks; /* the list may have grown, and grows no more meanwhile */
    return LEAT_OK;
}

static enum leat_status collect(struct leat_flow *flow, struct leat_error *err)
{
    struct leat_flow_batch *b = flow->batch;

    for (uint32_t i = 0; i < b->tasks_count; i++) {
        const struct leat_task_counts *c = &b->tasks[i]->counts;
        if (c->errors && !b->counts.errors)
            b->counts.first_error = c->first_error;
        b->counts.rows_in += c->rows_in;
        b->counts.rows_out += c->rows_out;
        b->counts.errors += c->errors;
        b->counts.late += c->late;
    }
    return leat_flow_collect_outputs(flow->plan, flow->watermarks, b, err);
}

static enum leat_status run(struct leat_flow *flow, struct leat_error *err)
{
    struct leat_flow_batch *b = flow->batch;

    hold_watermarks(flow);
    if (run_tasks(flow, 0, b->rows_hint, err) != LEAT_OK)
        return err->status;
    move_watermarks(flow);
    for (uint32_t stage = 0; stage < flow->plan->stages_count; stage++) {
        uint32_t first = b->tasks_count;
        uint64_t rows = 0;
        if (flow->plan->stages[stage].from_source)
            continue;
        if (add_exchange_tasks(flow, stage, &rows, err) != LEAT_OK ||
            run_tasks(flow, first, rows, err) != LEAT_OK)
            return err->status;
        leat_flow_note_due(flow, stage);
    }
    return collect(flow, err);
}

static bool is_pushed(const struct leat_flow *flow, const struct leat_stage_task *t)
{
    const struct leat_plan_source *s = &flow->plan->sources[flow->plan->stages[t->stage].input];

    return s->module && s->module->push && s->store == LEAT_STORE_COMMIT;
}

/* Nothing that is left points into blocks. Those of push sources stay, to go back as their
 * acknowledgement. */
static void settle_blocks(struct leat_flow *flow, struct leat_flow_batch *batch)
{
    for (uint32_t i = 0; i < batch->tasks_count; i++) {
        bool pushed = batch->tasks[i]->blocks && is_pushed(flow, batch->tasks[i]);
        for (struct leat_block *b = batch->tasks[i]->blocks, *next; b; b = next) {
            next = (struct leat_block *)b->msg.next;
            if (!pushed) {
                leat_block_unref(b);
                continue;
            }
            b->msg.next = NULL;
            *batch->group->pushed_end = &b->msg;
            batch->group->pushed_end = &b->msg.next;
        }
        batch->tasks[i]->blocks = NULL;
    }
}

enum leat_status leat_flow_run(struct leat_flow *flow, struct leat_flow_batch *batch,
                               struct leat_error *err)
{
    flow->batch = batch;
    batch->info.tables = flow->tables;
    enum leat_status status = run(flow, err);
    flow->batch = NULL;
    if (status == LEAT_OK)
        settle_blocks(flow, batch);
    return status;
}

static struct leat_flow_group *group_new(struct leat_flow *flow)
{
    struct leat_flow_group *g = leat_arena_alloc(&flow->arena, sizeof *g);

    if (!g)
        return NULL;
    g->arenas = leat_arena_array(&flow->arena, flow->workers, sizeof *g->arenas);
    if (!g->arenas)
        return NULL;
    for (uint32_t i = 0; i < flow->workers; i++)
        g->arenas[i].budget = flow->budget;
    return g;
}

struct leat_flow_group *leat_flow_group(struct leat_flow *flow)
{
    struct leat_flow_group *g = flow->unused;

    if (g)
        flow->unused = g->next;
    else
        g = group_new(flow);
    if (!g)
        return NULL;
    *g = (struct leat_flow_group){.arenas = g->arenas, .next = flow->all};
    g->pushed_end = &g->pushed;
    flow->all = g;
    return g;
}

/* The batch before has run; nobody looks at what it left in the scratch memory. */
struct leat_flow_batch *leat_flow_begin(struct leat_flow *flow, struct leat_flow_group *group,
                                        const struct leat_batch *info)
{
    struct leat_flow_batch *b = leat_arena_alloc(group->arenas, sizeof *b);

    if (!b)
        return NULL;
    if (flow->last)
        flow->last->tasks_count = 0;
    flow->last = b;
    *b = (struct leat_flow_batch){.info = *info, .group = group};
    if (group->last)
        group->last->next = b;
    else
        group->first = b;
    group->last = b;
    group->count++;
    for (uint32_t i = 0; i < flow->workers; i++)
        leat_arena_recycle(&flow->scratch[i], ARENA_KEEP);
    return b;
}

enum leat_status leat_flow_add(struct leat_flow *flow, struct leat_flow_batch *batch,
                               uint32_t source, const struct leat_part *part,
                               struct leat_block *blocks, struct leat_error *err)
{
    struct leat_stage_task *t = add_task(batch, flow->plan->sources[source].stage, part->id, flow);

    if (!t)
        return leat_arena_failed(flow->scratch, err);
    t->origin = part;
    t->blocks = blocks;
    for (struct leat_block *b = blocks; b; b = (struct leat_block *)b->msg.next) {
        batch->bytes += b->bytes.len;
        batch->rows_hint += b->rows_hint ? b->rows_hint : b->bytes.len / ROW_BYTES + 1;
        batch->rows_guessed = batch->rows_guessed || b->coding != &leat_coding_framed;
    }
    return LEAT_OK;
}

struct leat_stage_task *leat_flow_source_task(struct leat_flow_batch *batch, uint32_t i)
{
    return i < batch->tasks_count && batch->tasks[i]->origin ? batch->tasks[i] : NULL;
}

size_t leat_flow_group_bytes(const struct leat_flow *flow, const struct leat_flow_group *group)
{
    size_t bytes = 0;

    for (uint32_t i = 0; i < flow->workers; i++)
        bytes += group->arenas[i].bytes;
    return bytes;
}

/* Those of tasks that did not run to their end, and those that were not acknowledged. */
static void drop_blocks(struct leat_flow_group *g)
{
    for (uint32_t i = 0; g->last && i < g->last->tasks_count; i++)
        for (struct leat_block *block = g->last->tasks[i]->blocks, *next; block; block = next) {
            next = (struct leat_block *)block->msg.next;
            leat_block_unref(block);
        }
    for (struct leat_msg *m = g->pushed, *next; m; m = next) {
        next = m->next;
        leat_block_unref((struct leat_block *)m);
    }
}

void leat_flow_release(struct leat_flow *flow, struct leat_flow_group *group)
{
    struct leat_flow_group **at = &flow->all;

    while (*at != group)
        at = &(*at)->next;
    *at = group->next;
    drop_blocks(group);
    if (flow->last == group->last)
        flow->last = NULL;
    for (uint32_t i = 0; i < flow->workers; i++)
        leat_arena_recycle(&group->arenas[i], ARENA_KEEP);
    group->next = flow->unused;
    flow->unused = group;
}

bool leat_flow_is_due(const struct leat_flow *flow, int64_t batch_time_ms, int64_t clock_ms,
                      bool close)
{
    const struct leat_plan *plan = flow->plan;

    for (uint32_t stage = 0; stage < plan->stages_count; stage++) {
        int64_t least = INT64_MAX;
        if (flow->due_ms[stage] == LEAT_NO_TIME)
            continue;
        for (uint32_t s = 0; s < plan->sources_count; s++) {
            if (!(plan->stages[stage].sources >> s & 1))
                continue;
            int64_t at_ms =
                leat_source_mark(flow->plan, flow->watermarks, s, batch_time_ms, clock_ms, close);
            least = at_ms < least ? at_ms : least;
        }
        if (least != INT64_MAX && flow->due_ms[stage] <= least)
            return true;
    }
    return false;
}

void leat_flow_at_end(struct leat_flow *flow, uint32_t source, uint32_t part, bool at_end,
                      bool finished)
{
    leat_watermark_at_end(&flow->watermarks[source], part, at_end, finished);
}

void leat_flow_set_tables(struct leat_flow *flow, const struct leat_lookup_table *const *tables)
{
    flow->tables = tables;
}

const struct leat_watermark *leat_flow_watermarks(const struct leat_flow *flow)
{
    return flow->watermarks;
}

enum leat_status leat_flow_part(struct leat_flow *flow, uint32_t source, uint32_t part,
                                int64_t clock_ms, int64_t time_max_ms, struct leat_error *err)
{
    if (!leat_watermark_part(&flow->watermarks[source], &flow->arena, part, clock_ms))
        return leat_arena_failed(&flow->arena, err);
    flow->watermarks[source].parts[part].max_ms = time_max_ms;
    return LEAT_OK;
}

static bool init_states(struct leat_flow *flow)
{
    const struct leat_plan *plan = flow->plan;

    flow->states = leat_arena_array(&flow->arena, plan->stages_count, sizeof *flow->states);
    flow->due_ms = leat_arena_array(&flow->arena, plan->stages_count, sizeof *flow->due_ms);
    for (uint32_t i = 0; flow->states && flow->due_ms && i < plan->stages_count; i++) {
        flow->due_ms[i] = LEAT_NO_TIME;
        uint32_t partitions = leat_flow_partitions(flow, i);
        if (partitions == 0)
            continue;
        flow->states[i] = leat_arena_array(&flow->arena, partitions, sizeof **flow->states);
        if (!flow->states[i])
            return false;
        for (uint32_t q = 0; q < partitions; q++)
            flow->states[i][q].arena.budget = flow->budget;
    }
    return flow->states && flow->due_ms;
}

static bool init_watermarks(struct leat_flow *flow)
{
    const struct leat_plan *plan = flow->plan;

    flow->watermarks =
        leat_arena_array(&flow->arena, plan->sources_count, sizeof *flow->watermarks);
    for (uint32_t i = 0; flow->watermarks && i < plan->sources_count; i++)
        flow->watermarks[i] = (struct leat_watermark){
            .event_time = plan->sources[i].event_time,
            .lateness_ms = plan->sources[i].lateness_ms,
            .idle_ms = plan->sources[i].idle_ms,
            .max_ms = LEAT_NO_TIME,
            .before_ms = LEAT_NO_TIME,
            .now_ms = LEAT_NO_TIME,
        };
    return flow->watermarks;
}

static bool init_crews(struct leat_flow *flow)
{
    flow->crews = leat_arena_array(&flow->arena, flow->workers, sizeof *flow->crews);
    for (uint32_t i = 0; flow->crews && i < flow->workers; i++) {
        struct leat_crew *c = &flow->crews[i];
        *c =
            (struct leat_crew){.work = {.run = run_crew, .home = i - 1}, .flow = flow, .number = i};
        c->lanes = leat_arena_array(&flow->arena, flow->plan->stages_count, sizeof *c->lanes);
        c->eval = leat_eval_new();
        if (!c->lanes || !c->eval)
            return false;
        leat_eval_limit_calls(c->eval, flow->plan->spec->name,
                              (unsigned)(flow->plan->spec->batch.call_timeout.ms / 1000));
    }
    return flow->crews;
}

enum leat_status leat_flow_new(const struct leat_plan *plan, uint32_t workers,
                               struct leat_budget *budget, struct leat_flow **into,
                               struct leat_error *err)
{
    struct leat_flow *flow = leat_mem_alloc(sizeof *flow);

    *into = NULL;
    if (!flow)
        return leat_fail(err, LEAT_E_NOMEM, "no memory to run the pipeline");
    flow->plan = plan;
    flow->budget = flow->arena.budget = budget;
    flow->workers = workers;
    flow->scratch = leat_arena_array(&flow->arena, workers, sizeof *flow->scratch);
    leat_queue_init(&flow->done);
    for (uint32_t i = 0; flow->scratch && i < workers; i++)
        flow->scratch[i].budget = budget;
    if (!flow->scratch || !init_states(flow) || !init_watermarks(flow) || !init_crews(flow)) {
        leat_arena_failed(&flow->arena, err);
        goto fail;
    }
    if (leat_flow_init_shapes(flow, err) != LEAT_OK)
        goto fail;
    if (workers > 1 && leat_pool_start(&flow->pool, workers - 1, &flow->done, err) != LEAT_OK)
        goto fail;
    *into = flow;
    return LEAT_OK;
fail:
    leat_flow_free(flow);
    return err->status;
}

static void free_crew(struct leat_flow *flow, struct leat_crew *c)
{
    for (uint32_t i = 0; c->lanes && i < flow->plan->stages_count; i++)
        leat_lane_free(c->lanes[i]);
    leat_eval_free(c->eval);
}

static void free_states(struct leat_flow *flow, uint32_t stage)
{
    if (!flow->states[stage])
        return;
    for (uint32_t q = 0; q < leat_flow_partitions(flow, stage); q++)
        leat_arena_reset(&flow->states[stage][q].arena);
}

static void free_groups(struct leat_flow *flow)
{
    while (flow->all)
        leat_flow_release(flow, flow->all);
    for (struct leat_flow_group *g = flow->unused; g; g = g->next)
        for (uint32_t i = 0; i < flow->workers; i++)
            leat_arena_reset(&g->arenas[i]);
    for (uint32_t i = 0; flow->scratch && i < flow->workers; i++)
        leat_arena_reset(&flow->scratch[i]);
}

void leat_flow_free(struct leat_flow *flow)
{
    if (!flow)
        return;
    leat_pool_stop(&flow->pool);
    free_groups(flow);
    for (uint32_t i = 0; flow->crews && i < flow->workers; i++)
        free_crew(flow, &flow->crews[i]);
    for (uint32_t i = 0; flow->states && i < flow->plan->stages_count; i++)
        free_states(flow, i);
    leat_queue_fini(&flow->done);
    leat_arena_reset(&flow->arena);
    leat_mem_free(flow);
}
