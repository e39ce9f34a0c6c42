/*
 * plan_store.c - where the records of a push source are until they are in committed batches.
 *
 * One that keeps them outside (`store: kafka`) becomes two halves: a receiver that writes them
 * there, and as the plan's source what reads them back. The records are the receiver's all the
 * same: its format, its keys.
 */
#include "data/decider.h"
#include "plan/build.h"

#include <stdio.h>

/* `map` with one more setting in front. */
static const struct leat_node *with(struct planner *p, const struct leat_node *map,
                                    const char *name, struct leat_slice value)
{
    struct leat_node *copy = plan_alloc(p, sizeof *copy), *one = plan_alloc(p, sizeof *one);

    *copy = *map;
    *one = (struct leat_node){.kind = LEAT_NODE_SCALAR,
                              .text = value,
                              .mark = map->mark,
                              .path = map->path,
                              .key = leat_slice_str(name),
                              .next = map->first};
    copy->first = one;
    copy->count++;
    return copy;
}

static const struct leat_node *with_place(struct planner *p, const struct leat_spec_source *spec,
                                          const struct leat_keeper *keep)
{
    const struct leat_node *given = spec->store.keep.given;
    size_t room = spec->name.len + p->spec->name.len + 32;
    char *name = plan_alloc(p, room);

    if (leat_node_find(given, keep->place))
        return given;
    snprintf(name, room, "leat-store-%.*s-%.*s", LEAT_FMT(p->spec->name), LEAT_FMT(spec->name));
    return with(p, given, keep->place, leat_slice_str(name));
}

/* True: the options are good. */
static bool read_keep(struct planner *p, const struct leat_keeper *keep,
                      const struct leat_node *given, const struct leat_node *place, void **self)
{
    uint32_t before = p->diags->errors;
    struct leat_error err;

    *self = plan_alloc(p, keep->self_size);
    leat_opts_read(keep->opts, *self, given, NULL, p->arena, p->diags);
    if (p->diags->errors == before && keep->check(*self, &err) != LEAT_OK)
        plan_refused(p, "store", given, place, &err);
    return p->diags->errors == before;
}

/* Two that share a place would both get what either has received. */
static void refuse_shared(struct planner *p, const struct leat_plan_source *source,
                          const struct leat_node *node)
{
    const struct leat_decider *d = source->module->decider;
    struct leat_slice there = d ? d->cluster(source->self, p->arena) : (struct leat_slice){0};

    for (const struct leat_plan_source *s = p->plan->sources; there.ptr && s < source; s++)
        if (s->receiver.module && s->module == source->module &&
            leat_slice_eq(s->receiver.place, source->receiver.place) &&
            leat_slice_eq(d->cluster(s->self, p->arena), there))
            leat_diag_error(p->diags, node,
                            "source '%.*s' keeps its records in '%.*s' too: each needs a place of "
                            "its own",
                            LEAT_FMT(s->name), LEAT_FMT(s->receiver.place));
}

static void keep_outside(struct planner *p, const struct leat_spec_source *spec,
                         struct leat_plan_source *source)
{
    const struct leat_spec_module *wants = &spec->store.keep;
    const struct leat_module *sink = plan_find_module(p, wants, leat_module_find_sink, "store");
    const struct leat_module *reader =
        sink ? plan_find_module(p, wants, leat_module_find_source, "source") : NULL;

    if (!reader || !sink->keep)
        return;
    const struct leat_keeper *keep = sink->keep;
    if (spec->max_record.bytes > keep->max_record) {
        leat_diag_error_key(p->diags, spec->store.node,
                            "'store: %s' keeps records of %lld MiB at most, and `max_record` is "
                            "more",
                            sink->name, (long long)(keep->max_record >> 20));
        return;
    }
    const struct leat_node *given = with_place(p, spec, keep);
    source->receiver =
        (struct leat_plan_receiver){.module = source->module, .self = source->self, .keep = keep};
    source->receiver.place = leat_node_value(leat_node_find(given, keep->place));
    bool is_good = read_keep(p, keep, given, wants->node, &source->receiver.keep_self);
    for (const struct leat_keeper_setting *s = keep->reads; s->name; s++)
        given = with(p, given, s->name, leat_slice_str(s->value));
    source->module = reader;
    source->self = plan_alloc(p, reader->self_size);
    uint32_t before = p->diags->errors;
    if (is_good)
        leat_opts_read(reader->opts, source->self, given, keep->own, p->arena, p->diags);
    if (is_good && p->diags->errors == before)
        refuse_shared(p, source, wants->node);
}

/* What can be read again needs no store. */
void plan_store(struct planner *p, const struct leat_spec_source *spec,
                struct leat_plan_source *source)
{
    const struct leat_push *push = source->module ? source->module->push : NULL;
    bool disk = spec->store.node ? spec->store.disk : push && push->store == LEAT_STORE_DISK;

    if (source->module && !push && spec->store.node)
        leat_diag_error_key(p->diags, spec->store.node,
                            "'%s' can be read again, so there is nothing to store",
                            source->module->name);
    source->store = disk ? LEAT_STORE_DISK : LEAT_STORE_COMMIT;
    source->store_quota = spec->store.quota.bytes;
    if (push && spec->store.keep.name.ptr)
        keep_outside(p, spec, source);
}
