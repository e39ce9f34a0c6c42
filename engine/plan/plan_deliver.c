/*
 * plan_deliver.c - `delivery: exactly_once`: who decides, and whether every edge can keep it.
 *
 * A job whose sinks or sources can take part in a transaction has one decider: that of the cluster
 * which its sinks write to, or else of the first source that has one. Everything else is held to
 * what it says of itself: a source must be readable again, a sink must show a batch once.
 */
#include "data/decider.h"
#include "data/sink.h"
#include "plan/build.h"

static const struct leat_node *place_of(const struct leat_spec_module *connector,
                                        const struct leat_node *part)
{
    return connector->node ? connector->node : part;
}

/* Where the file says what sink `number` is: the last may be that of dead letters. */
static const struct leat_node *place_of_sink(const struct planner *p, uint32_t number)
{
    const struct leat_spec_sink *spec = p->spec->sinks;

    for (; spec && number; number--)
        spec = spec->next;
    return spec ? place_of(&spec->connector, spec->node) : p->spec->dlq.node;
}

static struct leat_slice cluster_of(struct planner *p, const struct leat_module *m,
                                    const void *self)
{
    struct leat_slice cluster = m->decider->cluster(self, p->arena);

    if (!cluster.ptr)
        plan_alloc(p, SIZE_MAX / 2); /* ends the planning: there is no memory */
    return cluster;
}

static bool is_of_decider(struct planner *p, const struct leat_module *m, const void *self)
{
    const struct leat_plan_decider *d = &p->plan->decider;

    return d->kind && m && m->decider == d->kind &&
           leat_slice_eq(cluster_of(p, m, self), d->cluster);
}

static void decide_by(struct planner *p, const struct leat_module *m, const void *self)
{
    p->plan->decider = (struct leat_plan_decider){
        .kind = m->decider, .self = self, .cluster = cluster_of(p, m, self)};
}

static void refuse_two(struct planner *p, uint32_t number, struct leat_slice other)
{
    struct leat_diag *d = leat_diag_error_key(
        p->diags, place_of_sink(p, number),
        "exactly_once cannot span two clusters: '%.*s' writes to another one than this sink",
        LEAT_FMT(other));

    leat_diag_hint(p->diags, d, "a pipeline for each, or delivery: at_least_once");
}

/* A transaction is of one cluster, so all sinks that need one must write to the same. */
static void choose_decider(struct planner *p)
{
    struct leat_plan *plan = p->plan;
    struct leat_slice first = {0};

    for (uint32_t i = 0; i < plan->sinks_count; i++) {
        struct leat_plan_sink *s = &plan->sinks[i];
        if (!s->module->decider)
            continue;
        if (!plan->decider.kind) {
            decide_by(p, s->module, s->self);
            first = s->name;
        }
        s->in_decider = is_of_decider(p, s->module, s->self);
        if (!s->in_decider)
            refuse_two(p, i, first);
    }
    for (uint32_t i = 0; i < plan->sources_count && !plan->decider.kind; i++)
        if (plan->sources[i].module->decider)
            decide_by(p, plan->sources[i].module, plan->sources[i].self);
    for (uint32_t i = 0; i < plan->sources_count; i++)
        plan->sources[i].decided = is_of_decider(p, plan->sources[i].module, plan->sources[i].self);
}

/* Which batch was the last is told by a partition that is in every transaction: one that is read,
 * found when the job runs, or one that a sink writes to. */
static void choose_marker(struct planner *p)
{
    struct leat_plan_decider *d = &p->plan->decider;
    uint32_t last = UINT32_MAX;

    for (uint32_t i = 0; i < p->plan->sources_count; i++)
        if (p->plan->sources[i].decided)
            return;
    for (uint32_t i = 0; i < p->plan->sinks_count && !d->marker.ptr; i++)
        if (p->plan->sinks[i].in_decider) {
            d->marker = d->kind->marker(p->plan->sinks[i].self, p->arena);
            last = i;
        }
    if (d->marker.ptr || last == UINT32_MAX)
        return;
    struct leat_diag *e = leat_diag_error_key(
        p->diags, place_of_sink(p, last),
        "exactly_once needs a topic that is always the same, to note which batch was the last");
    leat_diag_hint(p->diags, e,
                   "read from a topic of this cluster, or give one sink a topic without { }");
}

static void check_sources(struct planner *p)
{
    const struct leat_spec_source *spec = p->spec->sources;

    for (uint32_t i = 0; i < p->plan->sources_count; i++, spec = spec->next) {
        const struct leat_module *m = p->plan->sources[i].module;
        if (m->pull || p->plan->sources[i].store == LEAT_STORE_DISK)
            continue;
        struct leat_diag *d = leat_diag_error_key(
            p->diags, place_of(&spec->connector, spec->node),
            "exactly_once cannot be kept from '%s': what it sent cannot be read again", m->name);
        leat_diag_hint(p->diags, d, "`store: disk` keeps it, or delivery: at_least_once");
    }
}

static void check_sinks(struct planner *p)
{
    for (uint32_t i = 0; i < p->plan->sinks_count; i++) {
        const struct leat_module *m = p->plan->sinks[i].module;
        bool repeats = m->sink->promise == LEAT_SINK_REPEATS && !m->decider;
        if (!repeats && m->sink->promise != LEAT_SINK_FORGETS)
            continue;
        struct leat_diag *d = leat_diag_error_key(
            p->diags, place_of_sink(p, i), "exactly_once cannot be kept to '%s': it may %s",
            m->name, repeats ? "get a record twice" : "miss a record");
        leat_diag_hint(p->diags, d, "delivery: at_least_once");
    }
}

void plan_deliver(struct planner *p)
{
    if (p->spec->delivery.index != LEAT_DELIVERY_EXACTLY_ONCE || p->diags->errors)
        return;
    p->plan->exactly_once = true;
    check_sources(p);
    check_sinks(p);
    choose_decider(p);
    choose_marker(p);
}
