/*
 * spec_names.c - the graph of a pipeline by name: who is there, who reads whom.
 *
 * Sources, streams, late streams, tables and sinks share one namespace. The file may have tens of
 * thousands of names, in any order and in any tangle, so names are found in a sorted list and
 * circles without recursion. Thread: any.
 */
#include "plan/spec_parts.h"

#include <stdio.h>
#include <stdlib.h>

enum kind { SOURCE, STREAM, LATE, TABLE, SINK };

static const char *const kind_names[] = {"source", "stream", "late stream", "table", "sink"};

struct entry {
    struct leat_slice name;
    const struct leat_node *node;
    enum kind kind;
    struct leat_spec_stream *stream; /* STREAM itself; LATE: whose window it belongs to */
    uint32_t order;
    bool is_read;
    uint32_t reads; /* streams only: how many other streams it still waits for */
    bool done;
};

struct edge {
    uint32_t from, to; /* `to` reads `from`; both number entries */
    const struct leat_node *node;
};

struct names {
    struct spec_reader *r;
    struct entry *list; /* sorted by name */
    struct edge *edges; /* sorted by from */
    struct edge *into;  /* the same, sorted by to */
    uint32_t count, edge_count;
};

const struct leat_node *spec_op_reads(const struct leat_spec_op *op)
{
    static const char *const joins[] = {
        "join", "left_outer_join", "right_outer_join", "full_outer_join", "cogroup", "transform",
        NULL};

    if (leat_slice_eq(op->name, LEAT_LIT("union")))
        return op->arg;
    return spec_lists(joins, op->name) ? leat_node_find(op->arg, "with") : NULL;
}

const struct leat_node *spec_late_of(const struct leat_spec_op *op)
{
    const struct leat_node *late =
        leat_slice_eq(op->name, LEAT_LIT("window")) ? leat_node_find(op->arg, "late") : NULL;

    return late && late->kind == LEAT_NODE_SCALAR && !late->is_null ? late : NULL;
}

static int compare(struct leat_slice a, struct leat_slice b)
{
    int c = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);

    return c ? c : a.len < b.len ? -1 : a.len > b.len;
}

static int by_name(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = compare(x->name, y->name);

    return c ? c : x->order < y->order ? -1 : x->order > y->order;
}

static int by_from(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;

    return x->from < y->from ? -1 : x->from > y->from;
}

static int by_to(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;

    return x->to < y->to ? -1 : x->to > y->to;
}

/* Counts only while there is no list yet. */
static void put(struct names *n, struct leat_slice name, const struct leat_node *node,
                enum kind kind, struct leat_spec_stream *stream)
{
    if (n->list)
        n->list[n->count] = (struct entry){
            .name = name, .node = node, .kind = kind, .stream = stream, .order = n->count};
    n->count++;
}

static void put_all(struct names *n)
{
    struct leat_spec *spec = n->r->spec;

    n->count = 0;
    for (struct leat_spec_source *s = spec->sources; s; s = s->next)
        put(n, s->name, s->node, SOURCE, NULL);
    for (struct leat_spec_table *t = spec->tables; t; t = t->next)
        put(n, t->name, t->node, TABLE, NULL);
    for (struct leat_spec_stream *s = spec->streams; s; s = s->next) {
        put(n, s->name, s->node, STREAM, s);
        for (const struct leat_spec_op *op = s->ops; op; op = op->next) {
            const struct leat_node *late = spec_late_of(op);
            if (late)
                put(n, late->text, late, LATE, s);
        }
    }
    for (struct leat_spec_sink *s = spec->sinks; s; s = s->next)
        put(n, s->name, s->node, SINK, NULL);
}

static struct entry *find(const struct names *n, struct leat_slice name)
{
    uint32_t low = 0, high = n->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (compare(n->list[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n->count && leat_slice_eq(n->list[low].name, name) ? &n->list[low] : NULL;
}

static void refuse_twice(struct names *n)
{
    for (uint32_t i = 1; i < n->count; i++) {
        const struct entry *first = find(n, n->list[i].name), *again = &n->list[i];
        struct leat_diag *d;
        if (first == again)
            continue;
        d = again->kind == LATE
                ? leat_diag_error(n->r->diags, again->node, "'%.*s' is the name of a %s already",
                                  LEAT_FMT(again->name), kind_names[first->kind])
                : leat_diag_error_key(n->r->diags, again->node,
                                      "'%.*s' is the name of a %s already", LEAT_FMT(again->name),
                                      kind_names[first->kind]);
        uint32_t line =
            first->node->key_mark.line ? first->node->key_mark.line : first->node->mark.line;
        leat_diag_note(n->r->diags, d,
                       "sources, streams, late streams, tables and sinks share "
                       "their names; the other is in line %u",
                       line);
    }
}

/* ---- who reads whom */

static void refuse_missing(struct names *n, struct leat_slice name, const struct leat_node *node)
{
    struct leat_slice names[256];
    size_t count = 0;

    for (uint32_t i = 0; i < n->count && count < 256; i++)
        if (n->list[i].kind != TABLE && n->list[i].kind != SINK)
            names[count++] = n->list[i].name;
    struct leat_diag *d =
        leat_diag_error(n->r->diags, node, "there is no source or stream '%.*s'", LEAT_FMT(name));
    leat_diag_nearest(n->r->diags, d, name, names, count);
}

static void read_one(struct names *n, const struct entry *reader, struct leat_slice name,
                     const struct leat_node *node, struct edge *edges, uint32_t *count)
{
    struct entry *e = find(n, name);

    if (edges && !e)
        refuse_missing(n, name, node);
    else if (edges && (e->kind == TABLE || e->kind == SINK))
        leat_diag_error(n->r->diags, node, "'%.*s' is a %s; only sources and streams can be read",
                        LEAT_FMT(name), kind_names[e->kind]);
    if (!e || e->kind == TABLE || e->kind == SINK)
        return;
    e->is_read = true;
    /* A late stream is there when its window is. */
    struct entry *from = e->kind == LATE ? find(n, e->stream->name) : e;
    if (!reader || from->kind != STREAM)
        return;
    if (edges)
        edges[*count] =
            (struct edge){(uint32_t)(from - n->list), (uint32_t)(reader - n->list), node};
    (*count)++;
}

/* Without `edges` they are counted only, and nothing is said. */
static uint32_t read_all(struct names *n, struct edge *edges)
{
    uint32_t count = 0;

    for (struct leat_spec_stream *s = n->r->spec->streams; s; s = s->next) {
        const struct entry *reader = find(n, s->name);
        for (const struct leat_spec_from *f = s->from; f; f = f->next)
            read_one(n, reader, f->name, f->node, edges, &count);
        for (const struct leat_spec_op *op = s->ops; op; op = op->next) {
            const struct leat_node *from = spec_op_reads(op);
            if (from && from->kind == LEAT_NODE_SCALAR)
                read_one(n, reader, from->text, from, edges, &count);
            bool list = from && from->kind == LEAT_NODE_LIST;
            for (const struct leat_node *u = list ? from->first : NULL; u; u = u->next)
                read_one(n, reader, u->text, u, edges, &count);
        }
    }
    for (struct leat_spec_sink *s = n->r->spec->sinks; s; s = s->next)
        for (const struct leat_spec_from *f = s->from; f; f = f->next)
            read_one(n, NULL, f->name, f->node, edges, &count);
    return count;
}

static void warn_of_unread(const struct names *n)
{
    for (uint32_t i = 0; i < n->count; i++) {
        const struct entry *e = &n->list[i];
        if (e->is_read || e->kind == TABLE || e->kind == SINK || find(n, e->name) != e)
            continue;
        struct leat_node at = *e->node;
        if (e->kind != LATE)
            at.mark = at.key_mark;
        leat_diag_warn(n->r->diags, &at, "nobody reads %s '%.*s'", kind_names[e->kind],
                       LEAT_FMT(e->name));
    }
}

/* ---- circles */

static uint32_t first_edge(const struct names *n, uint32_t from)
{
    uint32_t low = 0, high = n->edge_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (n->edges[middle].from < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Take a stream out, and then all that waited for nothing else. `ready` has room for all. */
static void settle(struct names *n, uint32_t *ready, uint32_t count)
{
    while (count) {
        uint32_t from = ready[--count];
        for (uint32_t i = first_edge(n, from); i < n->edge_count && n->edges[i].from == from; i++)
            if (--n->list[n->edges[i].to].reads == 0 && !n->list[n->edges[i].to].done) {
                n->list[n->edges[i].to].done = true;
                ready[count++] = n->edges[i].to;
            }
    }
}

/* Any edge that leads to `to` from a stream that is not settled. */
static const struct edge *edge_into(const struct names *n, uint32_t to)
{
    uint32_t low = 0, high = n->edge_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (n->into[middle].to < to)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < n->edge_count && n->into[low].to == to; low++)
        if (!n->list[n->into[low].from].done)
            return &n->into[low];
    return NULL;
}

/* Backwards from a stream that waits until one comes for the second time: that is the circle. */
static const struct edge *refuse_circle(struct names *n, uint32_t start, uint32_t *seen)
{
    char text[160] = "";
    size_t used = 0;
    uint32_t at = start, steps = 0;
    const struct edge *e = NULL;

    memset(seen, 0, n->count * sizeof *seen);
    while (!seen[at] && (e = edge_into(n, at))) {
        seen[at] = ++steps;
        at = e->from;
    }
    if (!e)
        return NULL;
    uint32_t begin = at;
    do {
        e = edge_into(n, at);
        if (used < sizeof text)
            used += (size_t)snprintf(text + used, sizeof text - used, "'%.*s' reads ",
                                     LEAT_FMT(n->list[at].name));
        at = e->from;
    } while (at != begin);
    struct leat_diag *d = leat_diag_error(n->r->diags, edge_into(n, begin)->node,
                                          "streams read each other in a circle");
    if (used < sizeof text - 40)
        leat_diag_note(n->r->diags, d, "%s'%.*s'", text, LEAT_FMT(n->list[begin].name));
    return edge_into(n, begin);
}

enum { CIRCLES_MAX = 10 }; /* one who made more is told about the rest next time */

static void refuse_circles(struct names *n)
{
    uint32_t *ready = spec_take(n->r, 2 * (n->count + 1) * sizeof *ready);
    uint32_t *seen = ready ? ready + n->count + 1 : NULL, count = 0, circles = 0;

    if (!ready)
        return;
    for (uint32_t i = 0; i < n->edge_count; i++)
        n->list[n->edges[i].to].reads++;
    for (uint32_t i = 0; i < n->count; i++)
        if (n->list[i].reads == 0) {
            n->list[i].done = true;
            ready[count++] = i;
        }
    settle(n, ready, count);
    for (uint32_t i = 0; i < n->count && circles < CIRCLES_MAX; i++) {
        const struct edge *e = n->list[i].done ? NULL : refuse_circle(n, i, seen);
        if (!e)
            continue;
        circles++;
        n->list[e->to].done = true;
        ready[0] = e->to;
        settle(n, ready, 1);
    }
}

void spec_check_names(struct spec_reader *r)
{
    struct names n = {.r = r};

    put_all(&n);
    n.list = spec_take(r, (n.count + 1) * sizeof *n.list);
    if (!n.list)
        return;
    put_all(&n);
    qsort(n.list, n.count, sizeof *n.list, by_name);
    refuse_twice(&n);
    n.edge_count = read_all(&n, NULL);
    n.edges = spec_take(r, (n.edge_count + 1) * sizeof *n.edges);
    n.into = spec_take(r, (n.edge_count + 1) * sizeof *n.into);
    if (!n.edges || !n.into)
        return;
    uint32_t errors = r->diags->errors;
    read_all(&n, n.edges);
    if (r->diags->errors == errors) /* else a typo may be why nobody does */
        warn_of_unread(&n);
    memcpy(n.into, n.edges, n.edge_count * sizeof *n.into);
    qsort(n.edges, n.edge_count, sizeof *n.edges, by_from);
    qsort(n.into, n.edge_count, sizeof *n.into, by_to);
    refuse_circles(&n);
}
