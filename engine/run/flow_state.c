/*
 * flow_state.c - what a flow remembers: its changes and snapshots as bytes, and back.
 *
 * State partition q belongs to worker q mod W, here too: what one has is taken and read by it.
 *
 * Thread: the job's, while no stage runs, except where said.
 */
#include "run/flow.h"

#include "op/shape.h"

#define SMALL_ROWS 2000 /* changes of fewer are taken by the job alone */

struct leat_flow_capture {
    struct leat_flow_group *group;
    struct leat_log_state *list; /* room for every operator of every touched partition, by q */
    uint32_t *counts;            /* per q: how many it has */
    uint32_t width;              /* operators with state */
    struct leat_error *errors;   /* per worker */
};

/* What a worker found that no operator can read; some of it, when there is much. */
struct strangers {
    struct {
        struct leat_slice name; /* in its scratch memory */
        bool other;
    } list[16];
    uint32_t count;
};

struct leat_flow_restore {
    struct leat_state_log *from;
    uint64_t n;
    struct strangers *strangers; /* per worker */
    struct leat_error *errors;
};

uint32_t leat_flow_partitions(const struct leat_flow *flow, uint32_t stage)
{
    const struct leat_plan_stage *s = &flow->plan->stages[stage];

    return s->from_source ? 0 : flow->plan->exchanges[s->input].partitions;
}

void leat_flow_restore_time(struct leat_flow *flow, uint32_t source, int64_t now_ms, int64_t max_ms)
{
    struct leat_watermark *w = &flow->watermarks[source];

    w->before_ms = w->now_ms = now_ms;
    w->max_ms = max_ms;
}

struct leat_flow_state leat_flow_state(const struct leat_flow *flow)
{
    struct leat_flow_state sum = {0};

    for (uint32_t stage = 0; stage < flow->plan->stages_count; stage++)
        for (uint32_t q = 0; q < leat_flow_partitions(flow, stage); q++) {
            sum.keys += flow->states[stage][q].keys;
            sum.bytes += flow->states[stage][q].arena.bytes;
        }
    return sum;
}

void leat_flow_note_due(struct leat_flow *flow, uint32_t stage)
{
    int64_t least = LEAT_NO_TIME;

    for (uint32_t q = 0; q < leat_flow_partitions(flow, stage); q++) {
        const struct leat_state_part *s = &flow->states[stage][q];
        if (s->memory && s->due_ms != LEAT_NO_TIME && (least == LEAT_NO_TIME || s->due_ms < least))
            least = s->due_ms;
    }
    flow->due_ms[stage] = least;
}

struct leat_state_part *leat_flow_state_part(struct leat_flow *flow, uint32_t stage, uint32_t q)
{
    return &flow->states[stage][q];
}

void leat_flow_state_read(struct leat_flow *flow)
{
    for (uint32_t stage = 0; stage < flow->plan->stages_count; stage++) {
        for (uint32_t q = 0; q < leat_flow_partitions(flow, stage); q++)
            if (flow->states[stage][q].memory)
                leat_state_part_measure(&flow->states[stage][q], &flow->plan->stages[stage]);
        if (leat_flow_partitions(flow, stage))
            leat_flow_note_due(flow, stage);
    }
}

/* ---- operators that keep state */

struct keeper {
    const struct leat_plan_node *node;
    struct leat_state_part *part;
    uint32_t stage;
    uint64_t shape;
};

/* Walk over all in state partition q: *at begins as 0. */
static bool next_keeper(const struct leat_flow *flow, uint32_t q, uint64_t *at, struct keeper *k)
{
    for (; (*at >> 32) < flow->plan->stages_count; *at = ((*at >> 32) + 1) << 32) {
        uint32_t stage = (uint32_t)(*at >> 32);
        const struct leat_plan_stage *s = &flow->plan->stages[stage];
        if (q >= leat_flow_partitions(flow, stage))
            continue;
        for (uint32_t i = (uint32_t)*at; i < s->nodes_count; i++)
            if (flow->shapes[stage][i]) {
                *k = (struct keeper){&s->nodes[i], &flow->states[stage][q], stage,
                                     flow->shapes[stage][i]};
                *at = (uint64_t)stage << 32 | (i + 1);
                return true;
            }
    }
    return false;
}

enum leat_status leat_flow_init_shapes(struct leat_flow *flow, struct leat_error *err)
{
    const struct leat_plan *plan = flow->plan;
    bool failed = false;

    flow->shapes = leat_arena_array(&flow->arena, plan->stages_count, sizeof *flow->shapes);
    for (uint32_t i = 0; flow->shapes && i < plan->stages_count; i++) {
        const struct leat_plan_stage *s = &plan->stages[i];
        flow->shapes[i] = leat_arena_array(&flow->arena, s->nodes_count, sizeof **flow->shapes);
        failed = failed || !flow->shapes[i];
        for (uint32_t k = 0; !failed && k < s->nodes_count; k++) {
            const struct leat_plan_node *n = &s->nodes[k];
            if (n->op && n->op->state && n->op->state->shape && n->op->state->append)
                flow->shapes[i][k] = leat_shape_hash(n->op, n->plan, &flow->arena, &failed);
        }
    }
    return failed || !flow->shapes ? leat_arena_failed(&flow->arena, err) : LEAT_OK;
}

static uint32_t count_keepers(const struct leat_flow *flow)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < flow->plan->stages_count; i++)
        for (uint32_t k = 0; k < flow->plan->stages[i].nodes_count; k++)
            count += flow->shapes[i][k] != 0;
    return count;
}

/* ---- changes */

/* Thread: the worker of q */
static enum leat_status take_changes(struct leat_flow *flow, uint32_t q, struct leat_bytes *delta,
                                     struct leat_error *err)
{
    struct leat_flow_capture *c = flow->capture;
    struct keeper k;

    for (uint64_t at = 0; next_keeper(flow, q, &at, &k);) {
        if (!k.part->touched || !k.part->memory)
            continue;
        leat_bytes_begin(delta);
        if (k.node->op->state->append(k.node->plan, k.part->memory[k.node->number], delta, err) !=
            LEAT_OK)
            return leat_error_prefix(err, "%.*s", LEAT_FMT(k.node->path));
        if (delta->failed)
            return leat_arena_failed(delta->arena, err);
        struct leat_slice bytes = leat_bytes_end(delta);
        if (bytes.len)
            c->list[(size_t)q * c->width + c->counts[q]++] =
                (struct leat_log_state){k.node->state_name, k.shape, q, bytes};
    }
    return LEAT_OK;
}

/* Thread: a worker */
static enum leat_status capture_own(struct leat_work *w, struct leat_error *ignored)
{
    struct leat_crew *crew = (struct leat_crew *)w;
    struct leat_flow *flow = crew->flow;
    struct leat_error *err = &flow->capture->errors[crew->number];
    struct leat_bytes delta = {.arena = &flow->capture->group->arenas[crew->number]};

    (void)ignored;
    err->status = LEAT_OK;
    for (uint32_t q = crew->number; q < flow->plan->partitions; q += flow->workers)
        if (take_changes(flow, q, &delta, err) != LEAT_OK)
            break;
    return LEAT_OK;
}

static enum leat_status capture_alone(struct leat_flow *flow, struct leat_error *err)
{
    struct leat_bytes delta = {.arena = flow->capture->group->arenas};

    for (uint32_t q = 0; q < flow->plan->partitions; q++)
        if (take_changes(flow, q, &delta, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status first_error(const struct leat_flow *flow, const struct leat_error *errors,
                                    struct leat_error *err)
{
    for (uint32_t i = 0; i < flow->workers; i++)
        if (errors[i].status != LEAT_OK) {
            *err = errors[i];
            return err->status;
        }
    return LEAT_OK;
}

static void untouch(struct leat_flow *flow)
{
    for (uint32_t stage = 0; stage < flow->plan->stages_count; stage++)
        for (uint32_t q = 0; q < leat_flow_partitions(flow, stage); q++)
            flow->states[stage][q].touched = false;
}

static uint64_t rows_of(const struct leat_flow_group *group)
{
    uint64_t rows = 0;

    for (const struct leat_flow_batch *b = group->first; b; b = b->next)
        rows += b->rows_hint;
    return rows;
}

enum leat_status leat_flow_capture(struct leat_flow *flow, struct leat_flow_group *group,
                                   struct leat_log_state **list, uint32_t *count,
                                   struct leat_error *err)
{
    uint32_t partitions = flow->plan->partitions;
    struct leat_arena *arena = group->arenas;
    struct leat_flow_capture c = {.group = group, .width = count_keepers(flow)};

    *count = 0;
    if (c.width == 0)
        return LEAT_OK;
    *list = c.list = leat_arena_array(arena, (size_t)partitions * c.width, sizeof *c.list);
    c.counts = leat_arena_array(arena, partitions, sizeof *c.counts);
    c.errors = leat_arena_array(arena, flow->workers, sizeof *c.errors);
    if (!c.list || !c.counts || !c.errors)
        return leat_arena_failed(arena, err);
    flow->capture = &c;
    enum leat_status status = LEAT_OK;
    if (flow->workers == 1 || rows_of(group) < SMALL_ROWS) {
        status = capture_alone(flow, err);
    } else {
        leat_flow_together(flow, capture_own);
        status = first_error(flow, c.errors, err);
    }
    flow->capture = NULL;
    untouch(flow);
    for (uint32_t q = 0; q < partitions; q++)
        for (uint32_t i = 0; i < c.counts[q]; i++)
            c.list[(*count)++] = c.list[(size_t)q * c.width + i];
    return status;
}

/* ---- all of it */

static enum leat_status begin_snapshot(struct leat_flow *flow, uint32_t q, struct leat_arena *arena,
                                       struct leat_log_state **list, uint32_t *count,
                                       struct leat_error *err)
{
    struct keeper k;

    *count = 0;
    *list = leat_arena_array(arena, count_keepers(flow), sizeof **list);
    if (!*list)
        return leat_arena_failed(arena, err);
    for (uint64_t at = 0; next_keeper(flow, q, &at, &k);) {
        struct leat_bytes all = {.arena = arena};
        if (!k.part->memory)
            continue;
        if (k.node->op->state->snapshot(k.node->plan, k.part->memory[k.node->number], &all, err) !=
            LEAT_OK)
            return leat_error_prefix(err, "%.*s", LEAT_FMT(k.node->path));
        if (all.failed)
            return leat_arena_failed(arena, err);
        (*list)[(*count)++] =
            (struct leat_log_state){k.node->state_name, k.shape, q, leat_bytes_slice(&all)};
    }
    return LEAT_OK;
}

static bool copy_more(struct leat_flow *flow, uint32_t q, size_t *most)
{
    struct keeper k;

    for (uint64_t at = 0; next_keeper(flow, q, &at, &k);) {
        const struct leat_state *state = k.node->op->state;
        if (k.part->memory && state->snapshot_more &&
            !state->snapshot_more(k.node->plan, k.part->memory[k.node->number], most))
            return false;
    }
    return true;
}

enum leat_status leat_flow_snapshot(struct leat_flow *flow, uint32_t q, struct leat_arena *arena,
                                    struct leat_log_state **list, uint32_t *count,
                                    struct leat_error *err)
{
    enum leat_status status = begin_snapshot(flow, q, arena, list, count, err);

    if (status != LEAT_OK)
        copy_more(flow, q, NULL);
    return status;
}

bool leat_flow_snapshot_more(struct leat_flow *flow, uint32_t q, size_t most)
{
    return copy_more(flow, q, &most);
}

/* ---- and back */

struct reading {
    struct leat_flow *flow;
    uint32_t q, worker;
};

/* `other`: there is an operator of that name, but it is another one. */
static enum leat_status drop(const struct reading *r, struct leat_slice name, bool other,
                             struct leat_error *err)
{
    struct strangers *s = &r->flow->restore->strangers[r->worker];

    for (uint32_t i = 0; i < s->count; i++)
        if (leat_slice_eq(s->list[i].name, name))
            return LEAT_OK;
    if (s->count == sizeof s->list / sizeof *s->list)
        return LEAT_OK;
    s->list[s->count].name = leat_arena_copy(&r->flow->scratch[r->worker], name);
    if (!s->list[s->count].name.ptr)
        return leat_arena_failed(&r->flow->scratch[r->worker], err);
    s->list[s->count++].other = other;
    return LEAT_OK;
}

/* Thread: the worker of q */
static enum leat_status read_state(void *arg, uint64_t n, bool is_snapshot,
                                   const struct leat_log_state *entry, struct leat_error *err)
{
    const struct reading *r = arg;
    struct keeper k;

    (void)n, (void)is_snapshot;
    for (uint64_t at = 0; next_keeper(r->flow, r->q, &at, &k);) {
        if (!leat_slice_eq(k.node->state_name, entry->name))
            continue;
        if (k.shape != entry->shape)
            return drop(r, entry->name, true, err);
        if (leat_state_part_open(k.part, &r->flow->plan->stages[k.stage], err) != LEAT_OK)
            return err->status;
        if (k.node->op->state->read(k.node->plan, k.part->memory[k.node->number], entry->bytes,
                                    err) != LEAT_OK)
            return leat_error_prefix(err, "%.*s", LEAT_FMT(k.node->path));
        return LEAT_OK;
    }
    return drop(r, entry->name, false, err);
}

/* Thread: a worker */
static enum leat_status restore_own(struct leat_work *w, struct leat_error *ignored)
{
    struct leat_crew *crew = (struct leat_crew *)w;
    struct leat_flow *flow = crew->flow;
    struct leat_flow_restore *r = flow->restore;
    struct leat_error *err = &r->errors[crew->number];

    (void)ignored;
    err->status = LEAT_OK;
    for (uint32_t q = crew->number; q < flow->plan->partitions; q += flow->workers) {
        struct reading reading = {flow, q, crew->number};
        if (r->from->backend->read(r->from, q, r->n, read_state, &reading, err) != LEAT_OK)
            break;
        err->status = LEAT_OK;
    }
    return LEAT_OK;
}

enum leat_status leat_flow_restore(struct leat_flow *flow, struct leat_state_log *from, uint64_t n,
                                   leat_dropped_fn *dropped, void *arg, struct leat_error *err)
{
    struct leat_flow_restore r = {.from = from, .n = n};

    r.errors = leat_arena_array(&flow->arena, flow->workers, sizeof *r.errors);
    r.strangers = leat_arena_array(&flow->arena, flow->workers, sizeof *r.strangers);
    if (!r.errors || !r.strangers)
        return leat_arena_failed(&flow->arena, err);
    flow->restore = &r;
    leat_flow_together(flow, restore_own);
    flow->restore = NULL;
    if (first_error(flow, r.errors, err) != LEAT_OK)
        return err->status;
    for (uint32_t i = 0; i < flow->workers; i++)
        for (uint32_t k = 0; k < r.strangers[i].count; k++)
            dropped(arg, r.strangers[i].list[k].name, r.strangers[i].list[k].other);
    leat_flow_state_read(flow);
    return LEAT_OK;
}
