#include "run/stage.h"

#include "run/seal.h"

#include <inttypes.h>
#include <stdio.h>

/* What siblings share and an output or a combiner may write to: kept beside, put back for the next.
 */
struct fork {
    uint32_t selected;
    uint16_t selection[LEAT_CHUNK_ROWS];
    struct leat_slice keys[LEAT_CHUNK_ROWS], values[LEAT_CHUNK_ROWS], headers[LEAT_CHUNK_ROWS],
        routes[LEAT_CHUNK_ROWS];
};

/* What an operator pushes to: its children, one after the other. */
struct port {
    struct leat_next next; /* first */
    struct leat_lane *lane;
    struct node **children;
    uint32_t count;
    struct fork *fork;       /* with several children */
    struct leat_chunk *made; /* of an operator that makes rows: rewound behind each push */
};

struct node {
    const struct leat_plan_node *plan;
    struct leat_lane *lane;
    struct leat_task task;
    void *memory; /* of the task, zeroed for each */
    struct port next, late;
    struct leat_next seal; /* DOES_OUTPUT: where its operator pushes */
    struct leat_chunk out;
    struct leat_arena scratch; /* of `out` */
    struct leat_letters letters;
};

/* Where operators send what fails, `on_error: dlq`. */
struct letter_box {
    struct leat_next next; /* first */
    struct leat_lane *lane;
    struct leat_chunk chunk;
    struct leat_arena scratch; /* of `chunk` */
};

struct leat_lane {
    const struct leat_plan *plan;
    const struct leat_plan_stage *stage;
    struct leat_arena arena;   /* everything here */
    struct leat_arena scratch; /* of `in` */
    struct leat_chunk in;
    struct node *nodes;     /* as stage->nodes */
    struct letter_box *box; /* NULL: not ON_ERROR_DLQ */

    /* While a task runs. */
    struct leat_stage_task *now;
    const struct leat_plan_node *blamed; /* where the failure came from */
};

static void *memory_of(const struct node *n)
{
    return n->plan->op->state ? n->lane->now->state->memory[n->plan->number] : n->memory;
}

static enum leat_status blame(struct leat_lane *lane, const struct node *n, enum leat_status status)
{
    if (status != LEAT_OK && !lane->blamed)
        lane->blamed = n->plan;
    return status;
}

static enum leat_status run_node(struct node *n, struct leat_chunk *chunk, struct leat_error *err)
{
    struct leat_lane *lane = n->lane;

    if (n->plan->does == LEAT_DOES_EXCHANGE)
        return blame(lane, n,
                     leat_seal_frames(lane->now, lane->plan, n->plan->exchange, chunk, err));
    return blame(lane, n, n->plan->op->process(n->plan->plan, memory_of(n), &n->task, chunk, err));
}

static void save(struct fork *f, const struct leat_chunk *c)
{
    size_t bytes = c->rows * sizeof *c->keys;

    f->selected = c->selected;
    memcpy(f->selection, c->selection, c->selected * sizeof *c->selection);
    memcpy(f->keys, c->keys, bytes);
    memcpy(f->values, c->values, bytes);
    memcpy(f->headers, c->headers, bytes);
    memcpy(f->routes, c->routes, bytes);
}

static void restore(const struct fork *f, struct leat_chunk *c)
{
    size_t bytes = c->rows * sizeof *c->keys;

    c->selected = f->selected;
    memcpy(c->selection, f->selection, f->selected * sizeof *c->selection);
    memcpy(c->keys, f->keys, bytes);
    memcpy(c->values, f->values, bytes);
    memcpy(c->headers, f->headers, bytes);
    memcpy(c->routes, f->routes, bytes);
}

static enum leat_status port_push(struct leat_next *next, struct leat_chunk *chunk,
                                  struct leat_error *err)
{
    struct port *p = (struct port *)next;

    if (chunk->selected == 0)
        return LEAT_OK;
    if (p->fork)
        save(p->fork, chunk);
    for (uint32_t i = 0; i < p->count; i++) {
        if (i > 0)
            restore(p->fork, chunk);
        if (run_node(p->children[i], chunk, err) != LEAT_OK)
            return err->status;
    }
    if (chunk == p->made)
        leat_arena_rewind(chunk->arena, (struct leat_arena_mark){0});
    return LEAT_OK;
}

static enum leat_status output_push(struct leat_next *next, struct leat_chunk *chunk,
                                    struct leat_error *err)
{
    struct node *n = (struct node *)(void *)((char *)next - offsetof(struct node, seal));

    return leat_seal_output(n->lane->now, n->plan->sink, n->plan->branch, chunk, err);
}

static bool wire(struct leat_lane *lane, struct port *port,
                 const struct leat_plan_node *const *children, uint32_t count)
{
    port->next.push = port_push;
    port->lane = lane;
    port->count = count;
    port->children = leat_arena_array(&lane->arena, count, sizeof(struct node *));
    if (count > 1)
        port->fork = leat_arena_alloc(&lane->arena, sizeof *port->fork);
    if (!port->children || (count > 1 && !port->fork))
        return false;
    for (uint32_t i = 0; i < count; i++)
        port->children[i] = &lane->nodes[children[i]->number];
    return true;
}

static bool init_chunk(struct leat_lane *lane, struct leat_chunk *chunk,
                       const struct leat_segment *segment, struct leat_arena *scratch)
{
    struct leat_error err;

    if (leat_chunk_init(chunk, &lane->arena, segment ? segment->columns : LEAT_COL_PATHS, &err) ||
        (segment && segment->windows && leat_chunk_add_windows(chunk, &err)))
        return false;
    chunk->arena = scratch;
    return true;
}

static enum leat_status box_push(struct leat_next *next, struct leat_chunk *chunk,
                                 struct leat_error *err)
{
    struct letter_box *box = (struct letter_box *)next;

    return leat_seal_output(box->lane->now, box->lane->plan->letters, 0, chunk, err);
}

static bool init_box(struct leat_lane *lane)
{
    if (lane->plan->on_error != LEAT_ON_ERROR_DLQ)
        return true;
    lane->box = leat_arena_alloc(&lane->arena, sizeof *lane->box);
    if (!lane->box)
        return false;
    lane->box->next.push = box_push;
    lane->box->lane = lane;
    lane->box->scratch.budget = lane->arena.budget;
    return init_chunk(lane, &lane->box->chunk, NULL, &lane->box->scratch);
}

static void init_letters(struct leat_lane *lane, struct node *n)
{
    if (!lane->box)
        return;
    n->letters = (struct leat_letters){.next = &lane->box->next,
                                       .chunk = &lane->box->chunk,
                                       .stage = n->plan->path,
                                       .route = lane->plan->letters_route,
                                       .plan = n->plan->letter};
    n->task.letters = &n->letters;
}

static bool init_node(struct leat_lane *lane, struct node *n, const struct leat_plan_node *plan,
                      struct leat_eval *eval)
{
    n->plan = plan;
    n->lane = lane;
    n->scratch.budget = lane->arena.budget;
    n->seal.push = output_push;
    n->task.eval = eval;
    n->task.on_error = lane->plan->on_error;
    init_letters(lane, n);
    if (!wire(lane, &n->next, plan->next, plan->next_count) ||
        !wire(lane, &n->late, plan->late, plan->late_count))
        return false;
    n->task.next = plan->does == LEAT_DOES_OUTPUT ? &n->seal : &n->next.next;
    n->task.late = plan->late_count ? &n->late.next : NULL;
    if (plan->does == LEAT_DOES_EXCHANGE)
        return true;
    if (plan->op->task_size) {
        n->memory = leat_arena_alloc(&lane->arena, plan->op->task_size);
        if (!n->memory)
            return false;
    }
    if (!plan->op->makes_rows || !plan->out)
        return true;
    n->next.made = n->task.out = &n->out;
    return init_chunk(lane, &n->out, plan->out, &n->scratch);
}

struct leat_lane *leat_lane_new(const struct leat_plan *plan, uint32_t stage,
                                struct leat_eval *eval, struct leat_budget *budget)
{
    struct leat_lane *lane = leat_mem_alloc(sizeof *lane);

    if (!lane)
        return NULL;
    lane->plan = plan;
    lane->stage = &plan->stages[stage];
    lane->arena.budget = lane->scratch.budget = budget;
    lane->nodes = leat_arena_array(&lane->arena, lane->stage->nodes_count, sizeof *lane->nodes);
    bool ok = lane->nodes && init_box(lane) &&
              init_chunk(lane, &lane->in, lane->stage->nodes[0].in, &lane->scratch);
    for (uint32_t i = 0; ok && i < lane->stage->nodes_count; i++)
        ok = init_node(lane, &lane->nodes[i], &lane->stage->nodes[i], eval);
    if (ok)
        return lane;
    leat_lane_free(lane);
    return NULL;
}

void leat_lane_free(struct leat_lane *lane)
{
    if (!lane)
        return;
    for (uint32_t i = 0; lane->nodes && i < lane->stage->nodes_count; i++)
        leat_arena_reset(&lane->nodes[i].scratch);
    if (lane->box)
        leat_arena_reset(&lane->box->scratch);
    leat_arena_reset(&lane->scratch);
    leat_arena_reset(&lane->arena);
    leat_mem_free(lane);
}

enum leat_status leat_state_part_open(struct leat_state_part *s,
                                      const struct leat_plan_stage *stage, struct leat_error *err)
{
    void **memory;

    if (s->memory)
        return LEAT_OK;
    s->due_ms = LEAT_NO_TIME;
    memory = leat_arena_array(&s->arena, stage->nodes_count, sizeof *memory);
    if (!memory)
        return leat_arena_failed(&s->arena, err);
    for (uint32_t i = 0; i < stage->nodes_count; i++) {
        const struct leat_plan_node *n = &stage->nodes[i];
        if (n->does == LEAT_DOES_EXCHANGE || !n->op->state)
            continue;
        memory[i] = leat_arena_alloc(&s->arena, n->op->state->size ? n->op->state->size : 1);
        if (!memory[i])
            return leat_arena_failed(&s->arena, err);
        if (n->op->state->open && n->op->state->open(n->plan, memory[i], &s->arena, err) != LEAT_OK)
            return leat_error_prefix(err, "%.*s", LEAT_FMT(n->path));
    }
    s->memory = memory;
    return LEAT_OK;
}

/* Where the rows of this task come from, for the headers of a letter. */
static void address(struct leat_lane *lane, const struct leat_stage_task *t, struct leat_letters *l)
{
    const struct leat_part *p = t->origin;

    if (!p)
        return;
    l->source = lane->plan->sources[lane->stage->input].name;
    l->topic = p->topic.len ? p->topic : (struct leat_slice){0};
    l->partition = p->name;
    if (p->topic.len)
        l->partition = (struct leat_slice){
            l->number, (size_t)snprintf(l->number, sizeof l->number, "%d", (int)p->number)};
}

/* A plan that is driven by hand has no modules. */
static bool is_encoded(const struct leat_plan *plan, const struct leat_plan_stage *stage,
                       const struct leat_stage_task *t)
{
    const struct leat_module *m = t->origin ? plan->sources[stage->input].module : NULL;

    return m && m->encoded;
}

static void begin(struct leat_lane *lane, struct leat_stage_task *t, struct node *n)
{
    const struct leat_plan *plan = lane->plan;
    uint64_t sources = n->plan->sources ? n->plan->sources : lane->stage->sources;

    n->task.batch = t->batch;
    n->task.part = t->part;
    n->task.source = t->origin ? t->origin->name : (struct leat_slice){0};
    n->task.encoded = is_encoded(plan, lane->stage, t);
    if (lane->box)
        address(lane, t, &n->letters);
    n->task.arena = t->arena;
    n->task.counts = &t->counts;
    n->task.watermark_before_ms =
        leat_watermarks_before(t->watermarks, plan->sources_count, sources);
    n->task.watermark_ms = leat_watermarks_now(t->watermarks, plan->sources_count, sources);
    if (n->memory)
        memset(n->memory, 0, n->plan->op->task_size);
    if (n->task.out)
        leat_chunk_clear(n->task.out, t->part);
}

static enum leat_status walk(struct leat_lane *lane, struct leat_block *b, struct leat_error *err)
{
    struct leat_cursor cursor = {0};

    for (;;) {
        if (b->coding->next(&cursor, b, &lane->in, err) != LEAT_OK)
            return err->status;
        if (lane->in.rows == 0)
            return LEAT_OK;
        lane->now->rows += lane->in.rows;
        if (run_node(&lane->nodes[0], &lane->in, err) != LEAT_OK)
            return err->status;
        leat_arena_rewind(&lane->scratch, (struct leat_arena_mark){0});
    }
}

static enum leat_status walk_list(struct leat_lane *lane, struct leat_block *b,
                                  struct leat_error *err)
{
    for (; b; b = (struct leat_block *)b->msg.next)
        if (walk(lane, b, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static struct leat_block *frames_for(const struct leat_stage_task *feeder, uint32_t exchange,
                                     uint32_t q)
{
    return feeder->frames && feeder->frames[exchange] ? feeder->frames[exchange][q].first : NULL;
}

static enum leat_status read_input(struct leat_lane *lane, struct leat_error *err)
{
    struct leat_stage_task *t = lane->now;

    if (lane->stage->from_source)
        return walk_list(lane, t->blocks, err);
    for (uint32_t i = 0; i < t->feeders_count; i++)
        if (walk_list(lane, frames_for(t->feeders[i], lane->stage->input, t->part), err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status finish(struct leat_lane *lane, struct leat_error *err)
{
    for (uint32_t i = 0; i < lane->stage->nodes_count; i++) {
        struct node *n = &lane->nodes[i];
        if (n->plan->does == LEAT_DOES_EXCHANGE || !n->plan->op->finish)
            continue;
        if (n->plan->op->finish(n->plan->plan, memory_of(n), &n->task, err) != LEAT_OK)
            return blame(lane, n, err->status);
        leat_arena_rewind(&lane->scratch, (struct leat_arena_mark){0});
    }
    return LEAT_OK;
}

void leat_state_part_measure(struct leat_state_part *s, const struct leat_plan_stage *stage)
{
    s->keys = 0;
    s->bytes = s->arena.bytes;
    s->due_ms = LEAT_NO_TIME;
    for (uint32_t i = 0; i < stage->nodes_count; i++) {
        const struct leat_plan_node *n = &stage->nodes[i];
        uint64_t keys = 0, bytes = 0;
        if (!s->memory[i])
            continue;
        if (n->op->state->measure)
            n->op->state->measure(n->plan, s->memory[i], &keys, &bytes);
        s->keys += keys;
        int64_t due_ms =
            n->op->state->due ? n->op->state->due(n->plan, s->memory[i]) : LEAT_NO_TIME;
        if (due_ms != LEAT_NO_TIME && (s->due_ms == LEAT_NO_TIME || due_ms < s->due_ms))
            s->due_ms = due_ms;
    }
}

/* Where it happened, and for a full state how much there is. */
static void explain(const struct leat_lane *lane, struct leat_error *err)
{
    const struct leat_stage_task *t = lane->now;

    if (err->status == LEAT_E_FULL && t->state && t->state->memory) {
        leat_state_part_measure(t->state, lane->stage);
        leat_error_prefix(err, "%" PRIu64 " keys in state partition %u", t->state->keys, t->part);
    }
    if (lane->blamed && lane->blamed->path.len)
        leat_error_prefix(err, "%.*s", LEAT_FMT(lane->blamed->path));
    else if (t->origin)
        leat_error_prefix(err, "%.*s", LEAT_FMT(t->origin->name));
}

static enum leat_status run(struct leat_lane *lane, struct leat_stage_task *t,
                            struct leat_error *err)
{
    t->outputs = leat_arena_array(t->arena, lane->plan->sinks_count, sizeof *t->outputs);
    if (!t->outputs)
        return leat_arena_failed(t->arena, err);
    if (t->state && leat_state_part_open(t->state, lane->stage, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < lane->stage->nodes_count; i++)
        begin(lane, t, &lane->nodes[i]);
    if (read_input(lane, err) != LEAT_OK || finish(lane, err) != LEAT_OK)
        return err->status;
    leat_seal_end(t, lane->plan);
    if (t->state)
        leat_state_part_measure(t->state, lane->stage);
    return LEAT_OK;
}

void leat_lane_run(struct leat_lane *lane, struct leat_stage_task *t, struct leat_arena *arena,
                   struct leat_arena *kept)
{
    t->arena = arena;
    t->kept = kept;
    t->counts.time_max_ms = LEAT_NO_TIME;
    lane->now = t;
    lane->blamed = NULL;
    if (run(lane, t, &t->error) == LEAT_OK)
        t->error.status = LEAT_OK;
    else
        explain(lane, &t->error);
    leat_arena_rewind(&lane->scratch, (struct leat_arena_mark){0});
    lane->now = NULL;
}

int64_t leat_frames_waiting(struct leat_stage_task *const *tasks, uint32_t count, uint32_t exchange,
                            uint32_t q)
{
    int64_t rows = 0;

    for (uint32_t i = 0; i < count; i++)
        if (tasks[i]->frames && tasks[i]->frames[exchange])
            rows += tasks[i]->frames[exchange][q].rows;
    return rows;
}
