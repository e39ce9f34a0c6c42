/* plan_stream.c - streams to stages: operators in a tree, cut at exchanges. */
#include "plan/build.h"

#include <inttypes.h>
#include <stdio.h>

static struct plan_stream *find_stream(struct planner *p, struct leat_slice name)
{
    for (struct plan_stream *s = p->streams; s; s = s->next)
        if (leat_slice_eq(s->name, name))
            return s;
    return NULL;
}

static struct plan_stream *add_stream(struct planner *p, struct leat_slice name)
{
    struct plan_stream *s = plan_alloc(p, sizeof *s);

    s->name = name;
    if (p->streams_last)
        p->streams_last->next = s;
    else
        p->streams = s;
    p->streams_last = s;
    return s;
}

static struct plan_branch *copy_branches(struct planner *p, const struct plan_branch *list,
                                         struct plan_branch **last)
{
    struct plan_branch *first = NULL;

    for (; list; list = list->next) {
        struct plan_branch *b = plan_alloc(p, sizeof *b);
        *b = *list;
        b->next = NULL;
        if (*last)
            (*last)->next = b;
        else
            first = b;
        *last = b;
    }
    return first;
}

/* ---- operators */

static struct leat_build build_for(struct planner *p, const struct leat_spec_op *op,
                                   struct leat_view *in, uint32_t count, struct leat_view *out)
{
    return (struct leat_build){.arena = p->arena,
                               .diags = p->diags,
                               .shapes = &p->plan->shapes,
                               .name = op->name,
                               .node = op->node,
                               .arg = op->arg,
                               .batch_every_ms = p->spec->batch.every.ms,
                               .in = in,
                               .in_count = count,
                               .out = out,
                               .find_table = plan_find_table,
                               .planner = p};
}

static struct plan_node *child_of(struct planner *p, const struct plan_branch *b,
                                  struct leat_slice name, const struct leat_node *node)
{
    struct plan_node *n = plan_node_new(p, b->tail->stage, b->tail, b->late, name, node);

    n->is.sources = b->view.sources;
    return n;
}

/* A segment that operators made: what its expressions touch of meta and window is filled first. */
static struct plan_node *begin_segment(struct planner *p, struct plan_node *maker,
                                       struct leat_segment *s, const struct leat_node *node)
{
    const struct leat_segment **plan = plan_alloc(p, sizeof *plan);

    plan_segment_number(p, s);
    maker->is.out = s;
    struct plan_node *meta = plan_node_new(p, maker->stage, maker, false, LEAT_LIT("meta"), node);
    *plan = s;
    meta->is.op = &leat_op_meta;
    meta->is.plan = plan;
    meta->is.in = meta->is.out = s;
    return meta;
}

static void apply_row_op(struct planner *p, const struct leat_module *m,
                         const struct leat_spec_op *op, struct plan_branch *b)
{
    struct leat_view in = b->view;
    struct leat_build build = build_for(p, op, &in, 1, &b->view);
    void *plan = plan_alloc(p, m->self_size + 1);
    struct plan_node *n = child_of(p, b, op->name, op->node);

    m->op->build(plan, &build);
    b->late = false;
    b->tail = n;
    n->is.op = m->op;
    n->is.plan = plan;
    n->is.letter = plan_letter(p, n->stage, &in);
    if (m->op->on_empty)
        n->stage->on_empty = p->plan->on_empty = true;
    plan_missing_row(m->op, b);
    if (b->view.segment != in.segment)
        b->tail = begin_segment(p, n, b->view.segment, op->node);
}

static void check_same_kind(struct planner *p, const struct leat_spec_op *op, bool joins,
                            const struct plan_branch *list)
{
    for (const struct plan_branch *b = list->next; b; b = b->next)
        if (b->view.event_time != list->view.event_time) {
            leat_diag_error(p->diags, op->node,
                            joins ? "'%.*s' of streams with and without 'time:' means nothing"
                                  : "a union of streams with and without 'time:' means nothing in "
                                    "'%.*s'",
                            LEAT_FMT(op->name));
            return;
        }
}

static uint32_t count_of(const struct plan_branch *list)
{
    uint32_t n = 0;

    for (; list; list = list->next)
        n++;
    return n;
}

static bool is_of(struct leat_slice name, struct leat_slice prefix)
{
    return name.len > prefix.len && memcmp(name.ptr, prefix.ptr, prefix.len) == 0 &&
           !memchr(name.ptr + prefix.len, '.', name.len - prefix.len);
}

/* The heads of stages behind exchanges are all operators with state. */
static struct leat_slice state_name(struct planner *p, struct leat_slice stream,
                                    struct leat_slice op)
{
    struct leat_bytes text = {.arena = p->arena};
    char number[16];
    uint32_t same = 0;

    leat_bytes_put(&text, stream.ptr, stream.len);
    leat_bytes_put(&text, ".", 1);
    leat_bytes_put(&text, op.ptr, op.len);
    leat_bytes_put(&text, ".", 1);
    for (const struct plan_stage *s = p->stages; s; s = s->next)
        same += s->nodes.first && is_of(s->nodes.first->is.state_name, leat_bytes_slice(&text));
    int len = snprintf(number, sizeof number, "%" PRIu32, same);
    leat_bytes_put(&text, number, (size_t)len);
    return leat_bytes_slice(&text);
}

/* Behind each branch a combiner and the exchange; behind the exchange one stage for all of them. */
static struct plan_branch *apply_keyed_op(struct planner *p, const struct leat_module *m,
                                          const struct leat_spec_op *op, struct plan_branch *list,
                                          const uint32_t *sides, struct leat_slice stream)
{
    uint32_t count = count_of(list), i = 0;
    struct leat_view *in = plan_alloc(p, (count + 1) * sizeof *in);
    struct plan_branch *out = plan_alloc(p, sizeof *out);
    void *plan = plan_alloc(p, m->self_size + 1);
    uint32_t exchange = p->plan->exchanges_count++;

    check_same_kind(p, op, m->op->joins, list);
    for (const struct plan_branch *b = list; b; b = b->next)
        in[i++] = b->view;
    out->view = in[0];
    struct leat_build build = build_for(p, op, in, count, &out->view);
    build.sides = sides;
    build.combiner_plans = plan_alloc(p, (count + 1) * sizeof *build.combiner_plans);
    for (i = 0; i < count; i++)
        build.combiner_plans[i] = plan_alloc(p, m->op->combiner_size + 1);
    for (i = 1; i < count; i++)
        out->view.sources |= in[i].sources;
    out->view.has_origin = false;
    m->op->build(plan, &build);
    plan_missing_keyed(p, m->op, stream, list, out);

    struct plan_stage *stage = plan_stage_new(p, false, exchange);
    stage->missing = out->missing;
    i = 0;
    for (struct plan_branch *b = list; b; b = b->next, i++) {
        struct plan_node *combine = child_of(p, b, op->name, op->node);
        struct plan_node *cross =
            plan_node_new(p, combine->stage, combine, false, LEAT_LIT("exchange"), op->node);
        if (sides) /* all of them wait for each other: late is what is late for all */
            combine->is.sources = out->view.sources;
        combine->is.op = m->op->combiner;
        combine->is.plan = build.combiner_plans[i];
        combine->is.letter = plan_letter(p, combine->stage, &in[i]);
        cross->is.does = LEAT_DOES_EXCHANGE;
        cross->is.exchange = exchange;
        stage->sources |= b->view.sources;
    }
    struct plan_node *head = plan_node_new(p, stage, NULL, false, op->name, op->node);
    head->is.op = m->op;
    head->is.plan = plan;
    head->is.sources = stage->sources;
    if (m->op->state)
        head->is.state_name = state_name(p, stream, op->name);
    head->is.in = plan_alloc(p, sizeof(struct leat_segment));
    *(struct leat_segment *)(uintptr_t)head->is.in =
        (struct leat_segment){.columns = LEAT_COL_PATHS};
    plan_segment_number(p, (struct leat_segment *)(uintptr_t)head->is.in);
    stage->on_empty = m->op->on_empty || build.on_empty;
    if (stage->on_empty)
        p->plan->on_empty = true;
    out->tail = begin_segment(p, head, out->view.segment, op->node);

    struct leat_plan_exchange *list_of = plan_alloc(p, (exchange + 1) * sizeof *list_of);
    if (exchange)
        memcpy(list_of, p->plan->exchanges, exchange * sizeof *list_of);
    p->plan->exchanges = list_of;
    char name[128];
    int len = snprintf(name, sizeof name, "%.*s.%.*s", LEAT_FMT(stream), LEAT_FMT(op->name));
    list_of[exchange] = (struct leat_plan_exchange){
        .stage = stage->number,
        .partitions = build.partitions ? build.partitions : p->plan->partitions,
        .name = leat_arena_copy(
            p->arena,
            (struct leat_slice){name, len < (int)sizeof name ? (size_t)len : sizeof name - 1})};
    return out;
}

static void unknown_op(struct planner *p, const struct leat_spec_op *op);

static struct plan_branch *from_nodes(struct planner *p, const struct leat_node *list);

/* The branches of the streams that `with` names, behind those of this one. False: of one of them
 * nobody knows what comes out. */
static bool add_with(struct planner *p, const struct leat_spec_op *op, struct plan_branch **list,
                     uint32_t **sides)
{
    const struct leat_node *with = leat_node_find(op->arg, "with");
    struct plan_branch *last = NULL;
    uint32_t count = 0, side = 0;

    *sides = plan_alloc(p, (PLAN_NODES_MAX + 1) * sizeof **sides);
    *list = copy_branches(p, *list, &last);
    count = count_of(*list);
    if (with && with->kind == LEAT_NODE_MAP)
        return true; /* the operator says that these are no names */
    for (const struct leat_node *n = with && with->kind == LEAT_NODE_LIST ? with->first : with; n;
         n = with->kind == LEAT_NODE_LIST ? n->next : NULL) {
        struct leat_node one = *n;
        one.next = NULL;
        struct plan_branch *more = from_nodes(p, &one);
        if (!more)
            return false;
        last->next = more;
        for (side++; last->next && count < PLAN_NODES_MAX; last = last->next)
            (*sides)[count++] = side;
    }
    return true;
}

static void apply_module(struct planner *p, const struct leat_module *m,
                         const struct leat_spec_op *op, struct plan_branch **list,
                         struct leat_slice stream)
{
    uint32_t *sides = NULL;

    if (!*list)
        return;
    if (m->op->joins && !add_with(p, op, list, &sides)) {
        *list = NULL;
        return;
    }
    if (m->op->combiner) {
        *list = apply_keyed_op(p, m, op, *list, sides, stream);
        return;
    }
    for (struct plan_branch *b = *list; b; b = b->next)
        apply_row_op(p, m, op, b);
}

/* The branches of all streams that are named in a row of nodes. */
static struct plan_branch *from_nodes(struct planner *p, const struct leat_node *list)
{
    struct leat_spec_from *first = NULL, *last = NULL;

    for (const struct leat_node *n = list; n; n = n->next) {
        struct leat_spec_from *from = plan_alloc(p, sizeof *from);
        *from = (struct leat_spec_from){NULL, n->text, n};
        if (last)
            last->next = from;
        else
            first = from;
        last = from;
    }
    return plan_from(p, first);
}

/* `union: [stream, ...]`: these streams' rows too, each branch with its own columns. */
static void apply_union(struct planner *p, const struct leat_spec_op *op, struct plan_branch **list,
                        struct leat_slice stream)
{
    struct plan_branch *end;
    struct leat_node one;

    if (!op->arg || op->arg->is_null || (op->arg->kind == LEAT_NODE_LIST && !op->arg->first)) {
        leat_diag_error(p->diags, op->node, "'union' needs a list of streams");
        return;
    }
    one = *op->arg;
    one.next = NULL;
    for (end = *list; end && end->next;)
        end = end->next;
    struct plan_branch *more = from_nodes(p, one.kind == LEAT_NODE_LIST ? one.first : &one);
    if (end)
        end->next = more;
    else
        *list = more;
    plan_missing_union(p, stream, *list);
}

/* The late side of a window that was just put behind `list`, as a stream of its own. */
static void add_late(struct planner *p, const struct leat_spec_op *op,
                     const struct plan_branch *before, const struct plan_branch *list)
{
    const struct leat_node *late = leat_node_find(op->arg, "late");
    struct plan_branch *last = NULL;

    if (!late || !list)
        return;
    struct plan_stream *s = find_stream(p, late->text);
    if (!s)
        s = add_stream(p, late->text);
    s->state = PLAN_DONE;
    s->branches = NULL;
    for (; list && before; list = list->next, before = before->next) {
        struct plan_branch *b = plan_alloc(p, sizeof *b);
        *b = (struct plan_branch){.view = before->view, .tail = list->tail, .late = true};
        if (last)
            last->next = b;
        else
            s->branches = b;
        last = b;
    }
}

static void apply_op(struct planner *p, const struct leat_spec_op *op, struct plan_branch **list,
                     struct leat_slice stream)
{
    char name[64];
    struct plan_branch *last = NULL;
    const struct leat_module *m = NULL;

    if (leat_slice_eq(op->name, LEAT_LIT("union"))) {
        apply_union(p, op, list, stream);
        return;
    }
    if (op->name.len < sizeof name) {
        snprintf(name, sizeof name, "%.*s", LEAT_FMT(op->name));
        m = leat_module_find_op(name);
    }
    if (!m || (m->op->internal && !op->node->handed)) {
        unknown_op(p, op);
        *list = NULL; /* nobody knows what comes out: no further mistakes of it are told */
        return;
    }
    struct leat_spec_op with_functions = *op;
    bool failed = false;
    with_functions.arg = plan_functions(p, op, &failed);
    if (m->op->known_as)
        with_functions.name = leat_slice_str(m->op->known_as);
    if (failed) {
        *list = NULL;
        return;
    }
    struct plan_branch *before = copy_branches(p, *list, &last);
    apply_module(p, m, &with_functions, list, stream);
    if (leat_slice_eq(op->name, LEAT_LIT("window")))
        add_late(p, op, before, *list);
}

struct op_names {
    struct leat_slice list[64];
    size_t count;
};

static void add_op_name(const struct leat_module *m, void *arg)
{
    struct op_names *n = arg;

    if (m->op && !m->op->internal && n->count < sizeof n->list / sizeof *n->list)
        n->list[n->count++] = leat_slice_str(m->name);
}

/* Spark Streaming's operators that say how a program runs, not what comes out. */
static bool refuse_library_op(struct planner *p, const struct leat_spec_op *op)
{
    static const char *const names[] = {"persist", "cache", "checkpoint",
                                        "glom",    "slice", "foreach_rdd"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!leat_slice_eq(op->name, leat_slice_str(names[i])))
            continue;
        if (op->node->key.ptr)
            leat_diag_error_key(p->diags, op->node, "'%s' is for programs, not for a pipeline file",
                                names[i]);
        else
            leat_diag_error(p->diags, op->node, "'%s' is for programs, not for a pipeline file",
                            names[i]);
        return true;
    }
    return false;
}

static void unknown_op(struct planner *p, const struct leat_spec_op *op)
{
    struct op_names names = {.list = {LEAT_LIT("union")}, .count = 1};
    struct leat_diag *d;

    if (refuse_library_op(p, op))
        return;
    d = op->node->key.ptr
            ? leat_diag_error_key(p->diags, op->node, "unknown operator '%.*s'", LEAT_FMT(op->name))
            : leat_diag_error(p->diags, op->node, "unknown operator '%.*s'", LEAT_FMT(op->name));
    leat_module_each(add_op_name, &names);
    leat_diag_nearest(p->diags, d, op->name, names.list, names.count);
}

/* ---- streams */

static void build_stream(struct planner *p, struct plan_stream *s)
{
    if (s->owner && s->state == PLAN_NEW) {
        build_stream(p, s->owner);
        s->state = PLAN_DONE;
        return;
    }
    if (s->state != PLAN_NEW)
        return; /* a cycle has been told by whoever read the file */
    s->state = PLAN_BUILDING;
    s->branches = plan_from(p, s->spec->from);
    plan_missing_union(p, s->name, s->branches);
    for (const struct leat_spec_op *op = s->spec->ops; op; op = op->next)
        apply_op(p, op, &s->branches, s->name);
    if (s->spec->is_cut)
        s->branches = NULL; /* nobody knows what comes out */
    s->state = PLAN_DONE;
}

struct plan_branch *plan_from(struct planner *p, const struct leat_spec_from *from)
{
    struct plan_branch *first = NULL, *last = NULL;

    for (; from && p->nodes < PLAN_NODES_MAX; from = from->next) {
        struct plan_stream *s = find_stream(p, from->name);
        if (!s)
            continue; /* told by whoever read the file */
        build_stream(p, s);
        struct plan_branch *copy = copy_branches(p, s->branches, &last);
        if (!first)
            first = copy;
    }
    return first;
}

/* The rows of a batch-time window that no keyed operator took, window by window. */
struct plan_branch *plan_apply_rows(struct planner *p, struct plan_branch *in,
                                    struct leat_slice stream, const struct leat_node *node)
{
    const struct leat_module *m = leat_module_find_op("rows");
    struct leat_spec_op op = {.name = LEAT_LIT("rows"), .node = node};

    if (m)
        apply_module(p, m, &op, &in, stream);
    return in;
}

/* Names first, so that streams may stand in any order; a late stream points to its window's. */
void plan_streams(struct planner *p)
{
    for (const struct leat_spec_stream *spec = p->spec->streams; spec; spec = spec->next) {
        struct plan_stream *s = add_stream(p, spec->name);
        s->spec = spec;
        for (const struct leat_spec_op *op = spec->ops; op; op = op->next) {
            const struct leat_node *late = leat_slice_eq(op->name, LEAT_LIT("window"))
                                               ? leat_node_find(op->arg, "late")
                                               : NULL;
            if (late)
                add_stream(p, late->text)->owner = s;
        }
    }
    for (struct plan_stream *s = p->streams; s; s = s->next)
        build_stream(p, s);
}
