/*
 * plan_build.c - from a pipeline as written to one that can run.
 *
 * In the order of the file: sources, tables, streams, sinks; then the heads of the sources are told
 * what is touched, and lists become arrays. Every mistake goes to diags and planning goes on, so
 * that one look at a file shows all that is wrong with it.
 */
#include "plan/build.h"

#include <setjmp.h>

/* Out of memory ends the planning from wherever it is; all that was made is in the plan's arena. */
struct planning {
    struct planner planner; /* first */
    jmp_buf out_of_memory;
};

void *plan_alloc(struct planner *p, size_t size)
{
    void *ptr = leat_arena_alloc(p->arena, size);

    if (!ptr)
        longjmp(((struct planning *)p)->out_of_memory, 1);
    return ptr;
}

struct plan_stage *plan_stage_new(struct planner *p, bool from_source, uint32_t input)
{
    struct plan_stage *s = plan_alloc(p, sizeof *s);

    s->number = p->plan->stages_count++;
    s->from_source = from_source;
    s->input = input;
    if (p->stages_last)
        p->stages_last->next = s;
    else
        p->stages = s;
    p->stages_last = s;
    return s;
}

void plan_segment_number(struct planner *p, struct leat_segment *s)
{
    s->number = p->segments++;
}

static void append(struct plan_node_list *list, struct plan_node *node)
{
    if (list->last)
        list->last->next_sibling = node;
    else
        list->first = node;
    list->last = node;
}

struct plan_node *plan_node_new(struct planner *p, struct plan_stage *stage,
                                struct plan_node *parent, bool late, struct leat_slice name,
                                const struct leat_node *node)
{
    struct plan_node *n = plan_alloc(p, sizeof *n);

    if (++p->nodes == PLAN_NODES_MAX)
        leat_diag_error(p->diags, node,
                        "the plan has more than %d operators: unions of unions "
                        "multiply",
                        PLAN_NODES_MAX);
    n->stage = stage;
    n->is.number = stage->count++;
    n->is.name = name;
    n->is.path = node ? node->path : (struct leat_slice){0};
    if (stage->nodes.last)
        stage->nodes.last->next_in_stage = n;
    else
        stage->nodes.first = n;
    stage->nodes.last = n;
    if (parent) {
        append(late ? &parent->late_children : &parent->children, n);
        n->is.sources = parent->is.sources;
        n->is.in = n->is.out = late ? parent->is.in : parent->is.out;
    }
    return n;
}

static void build(struct planner *p)
{
    struct leat_error err;

    plan_sources(p);
    plan_tables(p);
    plan_streams(p);
    plan_sinks(p);
    plan_deliver(p);
    plan_http(p);
    if (p->diags->errors)
        return;
    for (struct plan_head *h = p->heads; h; h = h->next)
        if (leat_head_finish(h->head, p->arena, &err) != LEAT_OK)
            leat_diag_error(p->diags, NULL, "source '%.*s': %s", LEAT_FMT(h->head->source),
                            err.text);
    plan_tables_finish(p);
    plan_finish(p);
}

struct leat_plan *leat_plan_build(const struct leat_spec *spec, struct leat_diags *diags)
{
    struct leat_plan *plan = leat_mem_alloc(sizeof *plan);
    struct planning planning;

    if (!plan)
        return NULL;
    plan->spec = spec;
    plan->shapes.arena = &plan->arena;
    plan->partitions = (uint32_t)spec->partitions;
    plan->on_error = spec->on_error.index == LEAT_SPEC_DROP  ? LEAT_ON_ERROR_DROP
                     : spec->on_error.index == LEAT_SPEC_DLQ ? LEAT_ON_ERROR_DLQ
                                                             : LEAT_ON_ERROR_FAIL;
    planning.planner =
        (struct planner){.plan = plan, .spec = spec, .diags = diags, .arena = &plan->arena};
    if (setjmp(planning.out_of_memory) != 0) {
        leat_plan_free(plan);
        return NULL;
    }
    build(&planning.planner);
    return plan;
}

void leat_plan_free(struct leat_plan *plan)
{
    if (!plan)
        return;
    leat_arena_reset(&plan->arena);
    leat_mem_free(plan);
}
