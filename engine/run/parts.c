/*
 * parts.c - puts what the tasks of a batch made into one list per sink, and numbers it.
 *
 * The `part` of a row is the rank of its task among those that made something for the sink. A sink
 * that wants empty parts gets them numbered as Spark does: one per partition of each stage that
 * writes to it, whether it made something or not. Of a source these are the partitions that are
 * open, and those that were read in this batch; behind an exchange all state partitions.
 *
 * Thread: the job's.
 */
#include "data/sink.h"
#include "run/batch.h"

#include <stdlib.h>

/* The tasks of one stage stand together, in the order of their partitions. */
struct cursor {
    struct leat_flow_batch *batch;
    uint32_t stage, at;
};

static struct cursor tasks_of(struct leat_flow_batch *b, uint32_t stage)
{
    struct cursor c = {b, stage, 0};

    while (c.at < b->tasks_count && b->tasks[c.at]->stage != stage)
        c.at++;
    return c;
}

static struct leat_stage_task *take(struct cursor *c, uint32_t part)
{
    struct leat_stage_task *t = c->at < c->batch->tasks_count ? c->batch->tasks[c->at] : NULL;

    if (!t || t->stage != c->stage || t->part != part)
        return NULL;
    c->at++;
    return t;
}

static void append(struct leat_sealed_list *to, const struct leat_sealed_list *from)
{
    for (struct leat_sealed *s = from->first; s; s = s->next)
        s->chunk.part = to->tasks;
    to->tasks++;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->rows += from->rows;
    to->bytes += from->bytes;
}

static enum leat_status append_empty(struct leat_flow_batch *b, struct leat_sealed_list *to,
                                     struct leat_error *err)
{
    struct leat_sealed *none = leat_arena_alloc(b->group->arenas, sizeof *none);

    if (!none)
        return leat_arena_failed(b->group->arenas, err);
    append(to, &(struct leat_sealed_list){none, none, 0, 0, 1});
    return LEAT_OK;
}

static enum leat_status append_part(struct cursor *c, uint32_t part, uint32_t sink,
                                    struct leat_error *err)
{
    struct leat_stage_task *t = take(c, part);
    struct leat_sealed_list *to = &c->batch->outputs[sink];

    if (!t || !t->outputs[sink].first)
        return append_empty(c->batch, to, err);
    append(to, &t->outputs[sink]);
    return LEAT_OK;
}

static bool writes_to(const struct leat_plan_stage *stage, uint32_t sink)
{
    for (uint32_t i = 0; i < stage->nodes_count; i++)
        if (stage->nodes[i].does == LEAT_DOES_OUTPUT && stage->nodes[i].sink == sink)
            return true;
    return false;
}

static int compare(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The open partitions and those of this batch: some are both. */
static enum leat_status append_source(struct leat_flow_batch *b, uint32_t stage,
                                      const struct leat_watermark *w, uint32_t sink,
                                      struct leat_error *err)
{
    struct cursor c = tasks_of(b, stage);
    uint32_t *list = leat_arena_array(b->group->arenas, (size_t)w->open_count + b->tasks_count + 1,
                                      sizeof *list);
    uint32_t count = w->open_count;

    if (!list)
        return leat_arena_failed(b->group->arenas, err);
    if (count)
        memcpy(list, w->open, count * sizeof *list);
    for (uint32_t i = c.at; i < b->tasks_count && b->tasks[i]->stage == stage; i++)
        list[count++] = b->tasks[i]->part;
    qsort(list, count, sizeof *list, compare);
    for (uint32_t i = 0; i < count; i++)
        if ((i == 0 || list[i] != list[i - 1]) && append_part(&c, list[i], sink, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status append_exchange(struct leat_flow_batch *b, uint32_t stage,
                                        uint32_t partitions, uint32_t sink, struct leat_error *err)
{
    struct cursor c = tasks_of(b, stage);

    for (uint32_t q = 0; q < partitions; q++)
        if (append_part(&c, q, sink, err) != LEAT_OK)
            return err->status;
    return LEAT_OK;
}

static enum leat_status collect_all_parts(const struct leat_plan *plan,
                                          const struct leat_watermark *marks,
                                          struct leat_flow_batch *b, uint32_t sink,
                                          struct leat_error *err)
{
    for (uint32_t i = 0; i < plan->sources_count; i++) {
        uint32_t stage = plan->sources[i].stage;
        if (writes_to(&plan->stages[stage], sink) &&
            append_source(b, stage, &marks[i], sink, err) != LEAT_OK)
            return err->status;
    }
    for (uint32_t i = 0; i < plan->stages_count; i++) {
        const struct leat_plan_stage *stage = &plan->stages[i];
        if (!stage->from_source && writes_to(stage, sink) &&
            append_exchange(b, i, plan->exchanges[stage->input].partitions, sink, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}

/* All rows of one branch before those of the next: a union as Spark makes it. */
static enum leat_status sort_branches(struct leat_flow_batch *b, struct leat_sealed_list *list,
                                      uint32_t branches, struct leat_error *err)
{
    struct leat_sealed_list *of = leat_arena_array(b->group->arenas, branches, sizeof *of);
    struct leat_sealed *next, **end = &list->first;

    if (!of)
        return leat_arena_failed(b->group->arenas, err);
    for (struct leat_sealed *s = list->first; s; s = next) {
        struct leat_sealed_list *mine = &of[s->branch];
        next = s->next;
        s->next = NULL;
        *(mine->last ? &mine->last->next : &mine->first) = s;
        mine->last = s;
    }
    for (uint32_t i = 0; i < branches; i++)
        if (of[i].first) {
            *end = of[i].first;
            list->last = of[i].last;
            end = &of[i].last->next;
        }
    return LEAT_OK;
}

enum leat_status leat_flow_collect_outputs(const struct leat_plan *plan,
                                           const struct leat_watermark *marks,
                                           struct leat_flow_batch *b, struct leat_error *err)
{
    b->outputs = leat_arena_array(b->group->arenas, plan->sinks_count, sizeof *b->outputs);
    if (!b->outputs)
        return leat_arena_failed(b->group->arenas, err);
    for (uint32_t s = 0; s < plan->sinks_count; s++) {
        const struct leat_module *m = plan->sinks[s].module;
        if (m && m->sink && m->sink->wants_empty_parts) {
            if (collect_all_parts(plan, marks, b, s, err) != LEAT_OK)
                return err->status;
            continue;
        }
        for (uint32_t i = 0; i < b->tasks_count; i++)
            if (b->tasks[i]->outputs[s].first)
                append(&b->outputs[s], &b->tasks[i]->outputs[s]);
        if (m && m->sink && m->sink->as_spark && plan->sinks[s].branches > 1 &&
            sort_branches(b, &b->outputs[s], plan->sinks[s].branches, err) != LEAT_OK)
            return err->status;
    }
    return LEAT_OK;
}
