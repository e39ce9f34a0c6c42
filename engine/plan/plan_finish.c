/* plan_finish.c - what is known only when all streams are planned; when their windows close. */
#include "data/sink.h"
#include "plan/build.h"

static const struct leat_plan_node **list_of(struct planner *p, const struct plan_node_list *from,
                                             const struct leat_plan_node *nodes, uint32_t *count)
{
    uint32_t n = 0;

    for (const struct plan_node *c = from->first; c; c = c->next_sibling)
        n++;
    const struct leat_plan_node **list = plan_alloc(p, (n + 1) * sizeof *list);
    *count = n;
    n = 0;
    for (const struct plan_node *c = from->first; c; c = c->next_sibling)
        list[n++] = &nodes[c->is.number];
    return list;
}

static void add_segment(struct leat_plan_stage *out, const struct leat_segment *s)
{
    for (uint32_t i = 0; i < out->segments; i++)
        if (out->segment_list[i] == s)
            return;
    out->segment_list[out->segments++] = s;
}

static void finish_stage(struct planner *p, const struct plan_stage *s, struct leat_plan_stage *out)
{
    *out = (struct leat_plan_stage){.from_source = s->from_source,
                                    .on_empty = s->on_empty,
                                    .input = s->input,
                                    .nodes_count = s->count,
                                    .sources = s->sources,
                                    .missing = s->missing};
    out->nodes = plan_alloc(p, (s->count + 1) * sizeof *out->nodes);
    out->segment_list = plan_alloc(p, (2 * s->count + 2) * sizeof *out->segment_list);
    for (struct plan_node *n = s->nodes.first; n; n = n->next_in_stage) {
        struct leat_plan_node *to = &out->nodes[n->is.number];
        *to = n->is;
        to->next = list_of(p, &n->children, out->nodes, &to->next_count);
        to->late = list_of(p, &n->late_children, out->nodes, &to->late_count);
        add_segment(out, to->in);
        add_segment(out, to->out);
    }
}

static bool touches_headers(const struct leat_segment *s)
{
    for (uint32_t i = 0; i < s->metas_count; i++)
        if (s->metas[i].meta == LEAT_META_HEADER || s->metas[i].meta == LEAT_META_HEADERS)
            return true;
    return false;
}

/* Rows lose their headers at an exchange, so a source's own stage says it all. */
static bool needs_headers(const struct leat_plan *plan, const struct leat_plan_stage *stage)
{
    for (uint32_t i = 0; i < stage->segments; i++)
        if (touches_headers(stage->segment_list[i]))
            return true;
    for (uint32_t i = 0; i < stage->nodes_count; i++) {
        const struct leat_plan_node *n = &stage->nodes[i];
        if (n->does == LEAT_DOES_OUTPUT && ((const struct leat_output *)n->plan)->keeps_headers &&
            plan->sinks[n->sink].module->sink->writes_headers)
            return true;
    }
    return false;
}

void plan_finish(struct planner *p)
{
    p->plan->stages = plan_alloc(p, (p->plan->stages_count + 1) * sizeof *p->plan->stages);
    for (const struct plan_stage *s = p->stages; s; s = s->next)
        finish_stage(p, s, &p->plan->stages[s->number]);
    for (uint32_t i = 0; i < p->plan->sources_count; i++)
        p->plan->sources[i].needs_headers =
            needs_headers(p->plan, &p->plan->stages[p->plan->sources[i].stage]) ||
            (p->plan->on_error == LEAT_ON_ERROR_DLQ &&
             p->plan->sinks[p->plan->letters].module->sink->writes_headers);
}

/* ---- closing windows */

static int64_t close_nodes(const struct leat_plan *plan, const struct leat_plan_stage *stage,
                           const struct leat_plan_node *node, int64_t time_ms, int depth);

static int64_t close_stage(const struct leat_plan *plan, uint32_t number, int64_t time_ms,
                           int depth)
{
    const struct leat_plan_stage *stage = &plan->stages[number];

    return close_nodes(plan, stage, &stage->nodes[0], time_ms, depth);
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b; /* LEAT_NO_TIME is the least there is */
}

/* The rows of a window carry end - 1 ms, so what follows may open further windows. */
static int64_t close_nodes(const struct leat_plan *plan, const struct leat_plan_stage *stage,
                           const struct leat_plan_node *node, int64_t time_ms, int depth)
{
    int64_t last = LEAT_NO_TIME;

    if (node->does == LEAT_DOES_EXCHANGE && depth < 64)
        return close_stage(plan, plan->exchanges[node->exchange].stage, time_ms, depth + 1);
    if (node->does == LEAT_DOES_OP && node->op->close_time) {
        int64_t end = node->op->close_time(node->plan, time_ms);
        if (end != LEAT_NO_TIME) {
            last = end;
            time_ms = end - 1;
        }
    }
    for (uint32_t i = 0; i < node->next_count; i++)
        last = later(last, close_nodes(plan, stage, node->next[i], time_ms, depth));
    return last;
}

int64_t leat_plan_close_time(const struct leat_plan *plan, uint32_t source, int64_t time_max_ms)
{
    if (time_max_ms == LEAT_NO_TIME)
        return LEAT_NO_TIME;
    return close_stage(plan, plan->sources[source].stage, time_max_ms, 0);
}
