#include "run/driver.h"

#include <assert.h>

#define BLOCK_BYTES_MIN ((size_t)1024)
#define BLOCK_BYTES_MAX ((size_t)64 * 1024)
#define PARTS_MIN       8

struct fed {
    struct leat_part part;
    struct leat_block *first, *last; /* for the next batch, linked by msg.next */
    struct leat_block *open;         /* the last one, while rows are added */
    int64_t next;
};

struct fed_source {
    struct fed **parts; /* each stays where it is: tasks point to it */
    uint32_t count, room;
};

struct leat_driver {
    const struct leat_plan *plan;
    struct leat_arena arena;
    struct leat_budget budget,
        blocks; /* half each: rows that wait never keep a batch from running */
    struct leat_flow *flow;
    struct fed_source *sources;
    struct leat_flow_group *group;
    struct leat_flow_batch *last; /* whose outputs can be looked at */
    struct leat_driver_counts counts;
};

enum leat_status leat_driver_new(const struct leat_plan *plan, uint32_t threads,
                                 size_t memory_bytes, struct leat_driver **into,
                                 struct leat_error *err)
{
    struct leat_driver *d = leat_mem_alloc(sizeof *d);

    *into = NULL;
    if (!d)
        return leat_fail(err, LEAT_E_NOMEM, "no memory to run the pipeline");
    d->plan = plan;
    d->budget.cap = d->blocks.cap = memory_bytes / 2;
    d->sources = leat_arena_array(&d->arena, plan->sources_count, sizeof *d->sources);
    if (!d->sources) {
        leat_arena_failed(&d->arena, err);
        goto fail;
    }
    if (leat_flow_new(plan, threads, &d->budget, &d->flow, err) != LEAT_OK)
        goto fail;
    *into = d;
    return LEAT_OK;
fail:
    leat_driver_free(d);
    return err->status;
}

static void drop_fed(struct fed *f)
{
    for (struct leat_block *b = f->first, *next; b; b = next) {
        next = (struct leat_block *)b->msg.next;
        leat_block_unref(b);
    }
}

void leat_driver_free(struct leat_driver *d)
{
    if (!d)
        return;
    leat_flow_free(d->flow);
    for (uint32_t s = 0; d->sources && s < d->plan->sources_count; s++)
        for (uint32_t i = 0; i < d->sources[s].count; i++)
            drop_fed(d->sources[s].parts[i]);
    assert(atomic_load(&d->budget.used) == 0 && atomic_load(&d->blocks.used) == 0);
    leat_arena_reset(&d->arena);
    leat_mem_free(d);
}

static bool make_room(struct leat_driver *d, struct fed_source *s)
{
    uint32_t room = s->room ? s->room * 2 : PARTS_MIN;

    if (s->count < s->room)
        return true;
    struct fed **grown = leat_arena_array(&d->arena, room, sizeof(struct fed *));
    if (!grown)
        return false;
    if (s->count)
        memcpy(grown, s->parts, s->count * sizeof(struct fed *));
    s->parts = grown;
    s->room = room;
    return true;
}

enum leat_status leat_driver_part(struct leat_driver *d, uint32_t source, struct leat_slice name,
                                  int64_t clock_ms, uint32_t *id, struct leat_error *err)
{
    struct fed_source *s = &d->sources[source];
    struct fed *f = leat_arena_alloc(&d->arena, sizeof *f);

    if (!f || !make_room(d, s))
        return leat_arena_failed(&d->arena, err);
    f->part = (struct leat_part){.id = s->count,
                                 .name = leat_arena_copy(&d->arena, name),
                                 .end = -1,
                                 .topic = d->plan->sources[source].name,
                                 .number = (int32_t)s->count};
    if (!f->part.name.ptr)
        return leat_arena_failed(&d->arena, err);
    if (leat_flow_part(d->flow, source, s->count, clock_ms, LEAT_NO_TIME, err) != LEAT_OK)
        return err->status;
    leat_flow_at_end(d->flow, source, s->count, true, false);
    *id = s->count;
    s->parts[s->count++] = f;
    return LEAT_OK;
}

static struct fed *fed_of(const struct leat_driver *d, uint32_t source, uint32_t part)
{
    assert(source < d->plan->sources_count && part < d->sources[source].count);
    return d->sources[source].parts[part];
}

static void seal_open(struct fed *f)
{
    if (f->open)
        leat_block_seal(f->open, f->next);
    f->open = NULL;
}

static void append(struct fed *f, struct leat_block *b)
{
    b->msg.next = NULL;
    b->part = f->part.id;
    if (f->last)
        f->last->msg.next = &b->msg;
    else
        f->first = b;
    f->last = b;
}

static enum leat_status open_block(struct leat_driver *d, struct fed *f, size_t need,
                                   struct leat_error *err)
{
    size_t room = f->last ? f->last->room * 4 : BLOCK_BYTES_MIN;
    struct leat_block *b;

    room = room > BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX : room;
    room = room < need ? need : room;
    seal_open(f);
    if (leat_block_new(&d->blocks, &leat_coding_framed, room, &b, err) != LEAT_OK)
        return err->status;
    b->from = f->next;
    append(f, b);
    f->open = b;
    return LEAT_OK;
}

enum leat_status leat_driver_row(struct leat_driver *d, uint32_t source, uint32_t part,
                                 const struct leat_row *row, struct leat_error *err)
{
    struct fed *f = fed_of(d, source, part);
    struct leat_row numbered = *row;

    numbered.position = f->next;
    if (!f->open || !leat_block_append(f->open, &numbered)) {
        size_t need = row->key.len + row->value.len + row->headers.len + 64;
        if (open_block(d, f, need, err) != LEAT_OK)
            return err->status;
        if (!leat_block_append(f->open, &numbered))
            return leat_fail(err, LEAT_E_DATA, "a record of %zu MiB", need >> 20);
    }
    f->next++;
    return LEAT_OK;
}

void leat_driver_seek(struct leat_driver *d, uint32_t source, uint32_t part, int64_t position)
{
    struct fed *f = fed_of(d, source, part);

    assert(!f->open);
    f->next = position;
}

struct leat_flow *leat_driver_flow(struct leat_driver *d)
{
    return d->flow;
}

void leat_driver_cut_block(struct leat_driver *d, uint32_t source, uint32_t part)
{
    seal_open(fed_of(d, source, part));
}

void leat_driver_feed(struct leat_driver *d, uint32_t source, uint32_t part,
                      struct leat_block *block)
{
    struct fed *f = fed_of(d, source, part);

    assert(block->sealed);
    seal_open(f);
    append(f, block);
    f->next = block->to;
}

void leat_driver_at_end(struct leat_driver *d, uint32_t source, uint32_t part, bool at_end)
{
    leat_flow_at_end(d->flow, source, part, at_end, false);
}

static bool has_input(const struct leat_driver *d)
{
    for (uint32_t s = 0; s < d->plan->sources_count; s++)
        for (uint32_t i = 0; i < d->sources[s].count; i++)
            if (d->sources[s].parts[i]->first)
                return true;
    return false;
}

static enum leat_status add_input(struct leat_driver *d, struct leat_flow_batch *b,
                                  struct leat_error *err)
{
    for (uint32_t s = 0; s < d->plan->sources_count; s++)
        for (uint32_t i = 0; i < d->sources[s].count; i++) {
            struct fed *f = d->sources[s].parts[i];
            if (!f->first && !d->plan->stages[d->plan->sources[s].stage].on_empty)
                continue;
            if (f->first)
                seal_open(f);
            if (leat_flow_add(d->flow, b, s, &f->part, f->first, err) != LEAT_OK)
                return err->status;
            f->first = f->last = NULL;
        }
    return LEAT_OK;
}

static void count(struct leat_driver *d, const struct leat_task_counts *c)
{
    d->counts.batches++;
    d->counts.rows_in += c->rows_in;
    d->counts.rows_out += c->rows_out;
    d->counts.errors += c->errors;
    d->counts.late += c->late;
}

enum leat_status leat_driver_batch(struct leat_driver *d, int64_t time_ms, int64_t clock_ms,
                                   bool close, bool *ran, struct leat_error *err)
{
    const struct leat_spec *spec = d->plan->spec;
    struct leat_batch info = {.n = d->counts.batches + 1,
                              .time_ms = time_ms,
                              .interval_ms = spec ? spec->batch.every.ms : 1000,
                              .clock_ms = clock_ms};

    *ran = has_input(d) || d->plan->on_empty || leat_flow_is_due(d->flow, time_ms, clock_ms, close);
    if (d->group)
        leat_flow_release(d->flow, d->group);
    d->group = NULL;
    d->last = NULL;
    if (!*ran)
        return LEAT_OK;
    d->group = leat_flow_group(d->flow);
    d->last = d->group ? leat_flow_begin(d->flow, d->group, &info) : NULL;
    if (!d->last)
        return leat_fail(err, LEAT_E_NOMEM, "no memory for a batch");
    d->last->close = close;
    if (add_input(d, d->last, err) != LEAT_OK || leat_flow_run(d->flow, d->last, err) != LEAT_OK)
        return err->status;
    count(d, &d->last->counts);
    return LEAT_OK;
}

const struct leat_sealed_list *leat_driver_output(const struct leat_driver *d, uint32_t sink)
{
    static const struct leat_sealed_list nothing;

    return d->last && d->last->outputs ? &d->last->outputs[sink] : &nothing;
}

struct leat_driver_counts leat_driver_counts(const struct leat_driver *d)
{
    struct leat_driver_counts c = d->counts;
    struct leat_flow_state state = leat_flow_state(d->flow);

    c.state_keys = state.keys;
    c.state_bytes = state.bytes;
    return c;
}

int64_t leat_driver_watermark(const struct leat_driver *d, uint32_t source)
{
    return leat_flow_watermarks(d->flow)[source].now_ms;
}

void leat_driver_set_tables(struct leat_driver *d, const struct leat_lookup_table *const *tables)
{
    leat_flow_set_tables(d->flow, tables);
}
