/* plan_source.c - the plan of sources: connector, format, schema, time. */
#include "plan/build.h"

#include <stdio.h>

static const char *given_by(struct planner *p, const struct leat_node *schema)
{
    char text[200];

    int len =
        snprintf(text, sizeof text, "fields are given by %.*s (line %u)", LEAT_FMT(schema->path),
                 schema->key.ptr ? schema->key_mark.line : schema->mark.line);
    size_t room = sizeof text - 1;
    return leat_arena_copy(p->arena, (struct leat_slice){text, len < 0              ? 0
                                                               : (size_t)len > room ? room
                                                                                    : (size_t)len})
        .ptr;
}

static struct leat_view first_view(struct planner *p, const struct leat_spec_source *spec,
                                   const struct leat_head *head)
{
    struct leat_segment *s = plan_alloc(p, sizeof *s);
    const struct leat_type *any = leat_type_of_kind(LEAT_T_ANY);
    struct leat_view v = {.kind = LEAT_VIEW_RAW, .segment = s, .type = any, .key_type = any};

    *s = (struct leat_segment){.columns = LEAT_COL_PATHS, .is_source = true, .source = spec->name};
    plan_segment_number(p, s);
    v.format_has_fields = head->format && head->format->format->has_fields;
    s->is_text = !v.format_has_fields;
    v.key_column = LEAT_COL_KEY;
    v.event_time = spec->time.at != NULL;
    v.has_origin = true;
    if (spec->schema) {
        const struct leat_type *t = leat_type_read(spec->schema, p->arena, p->diags);
        v.type = t ? t : any;
        v.given_by = given_by(p, spec->schema);
        if (!v.format_has_fields && head->format)
            leat_diag_error(p->diags, spec->schema, "format '%s' has no fields for a schema",
                            head->format->name);
    }
    plan_format_fields(p, head->format, head->format_self, v.type);
    if (!v.format_has_fields)
        v.type = leat_type_of_kind(
            head->format && strcmp(head->format->name, "raw") == 0 ? LEAT_T_BYTES : LEAT_T_STRING);
    return v;
}

/* What `generate` is told about its records: expressions over i, the number of the record. */
static void generated(struct planner *p, const struct leat_spec_source *spec, struct leat_build *b,
                      const struct leat_module *m, const void *self, struct leat_head *head)
{
    const struct leat_node *value = plan_option_node(m, self, "value"),
                           *key = plan_option_node(m, self, "key"),
                           *time = plan_option_node(m, self, "time");
    struct leat_segment *s = b->out->segment;
    uint32_t column = s->columns++;
    struct leat_local_name i = {LEAT_LIT("i"), column, leat_type_of_kind(LEAT_T_INT)};

    (void)spec;
    s->metas = plan_alloc(p, 8 * sizeof *s->metas);
    s->metas_room = 8;
    s->metas[s->metas_count++] = (struct leat_meta_column){LEAT_META_OFFSET, {0}, column};
    struct leat_view before = *b->out;
    if (value) {
        head->value = leat_build_exprs(b, &before, value, &i, 1);
        leat_build_set_value(b, b->out, &head->value);
    } else {
        b->out->kind = LEAT_VIEW_VALUE;
        b->out->column = column;
        b->out->type = i.type;
    }
    if (key) {
        head->key = leat_build_exprs(b, &before, key, &i, 1);
        b->out->has_key = true;
        b->out->key_column = head->key.count ? head->key.list[0].column : LEAT_COL_KEY;
        b->out->key_type = head->key.count ? head->key.list[0].type : b->out->key_type;
    }
    if (time) {
        head->generated_time = leat_build_expr(b, &before, time, &i, 1);
        head->generated_time_column = leat_view_column(b->out);
        head->has_generated_time = head->generated_time.program != NULL;
    }
}

static void event_time(struct planner *p, const struct leat_spec_source *spec, struct leat_build *b,
                       struct leat_head *head)
{
    head->time = leat_build_expr(b, b->out, spec->time.at, NULL, 0);
    head->time_column = leat_view_column(b->out);
    head->has_time = head->time.program != NULL;
    head->max_future_ms = spec->time.max_future.ms;
    p->plan->event_time = true;
    if (!head->has_time)
        return;
    const struct leat_type *t = leat_program_type(head->time.program);
    char name[80];
    if (t->kind == LEAT_T_ANY || t->kind == LEAT_T_TIMESTAMP)
        return;
    struct leat_diag *d = leat_diag_error(p->diags, spec->time.at,
                                          "'time' wants a timestamp, this "
                                          "is %s",
                                          leat_type_name(t, name, sizeof name));
    if (t->kind == LEAT_T_STRING)
        leat_diag_hint(p->diags, d, "timestamp(%.*s)", LEAT_FMT(spec->time.at->text));
    else if (t->kind == LEAT_T_INT)
        leat_diag_hint(p->diags, d, "fromMillis(%.*s)", LEAT_FMT(spec->time.at->text));
}

static enum leat_key_format key_format_of(struct planner *p, const struct leat_node *node)
{
    if (!node || leat_slice_eq(node->text, LEAT_LIT("text")))
        return LEAT_KEY_TEXT;
    if (leat_slice_eq(node->text, LEAT_LIT("json")))
        return LEAT_KEY_JSON;
    if (!leat_slice_eq(node->text, LEAT_LIT("raw")))
        leat_diag_error(p->diags, node, "unknown key_format '%.*s': json, text or raw",
                        LEAT_FMT(node->text));
    return LEAT_KEY_RAW;
}

static void plan_source(struct planner *p, const struct leat_spec_source *spec, uint32_t number)
{
    struct leat_plan_source *source = &p->plan->sources[number];
    struct leat_head *head = plan_alloc(p, sizeof *head);
    struct plan_stream *stream = plan_alloc(p, sizeof *stream);
    struct plan_branch *branch = plan_alloc(p, sizeof *branch);
    struct plan_head *listed = plan_alloc(p, sizeof *listed);

    *source = (struct leat_plan_source){.name = spec->name,
                                        .paths = spec->node->handed,
                                        .event_time = spec->time.at != NULL,
                                        .lateness_ms = spec->time.lateness.ms,
                                        .idle_ms = spec->time.idle.ms,
                                        .max_future_ms = spec->time.max_future.ms,
                                        .max_record_bytes = spec->max_record.bytes,
                                        .lost_to_earliest = spec->on_lost.index == 1};
    source->module =
        plan_module(p, &spec->connector, leat_module_find_source, "source", &source->self);
    if (source->module)
        source->remote = plan_remote(p, &spec->connector, source->module, source->self);
    const struct leat_module *from = source->module; /* whose records they are */
    const void *from_self = source->self;
    plan_store(p, spec, source);
    head->format = plan_format(p, &spec->format, from, from_self,
                               source->module && source->module->push ? LEAT_FORMAT_READS_ONCE
                                                                      : LEAT_FORMAT_READS,
                               &head->format_self);
    source->format = head->format;
    source->format_self = head->format_self;
    head->source = spec->name;
    head->key_format = key_format_of(p, spec->key_format);
    head->from_text = head->format && strcmp(head->format->name, "csv") == 0;
    if (head->from_text && plan_has_header(&spec->format) && from && !from->of_files)
        leat_diag_hint(p->diags,
                       leat_diag_error(p->diags, spec->format.node,
                                       "only files begin with a header line, '%s' has none",
                                       from->name),
                       "name the fields: { csv: { columns: [a, b] } }, or in a schema");
    head->max_record_bytes = spec->max_record.bytes;

    struct leat_view view = first_view(p, spec, head);
    struct leat_build b = {.arena = p->arena,
                           .diags = p->diags,
                           .shapes = &p->plan->shapes,
                           .name = spec->name,
                           .node = spec->node,
                           .out = &view,
                           .planner = p};
    view.sources = 1ull << (number % 64);
    view.segment->key_touched = true;
    if (from && from->computed)
        generated(p, spec, &b, from, source->self, head);
    else
        view.has_key = !from || from->keyed;
    if (spec->time.at)
        event_time(p, spec, &b, head);
    head->segment = view.segment;
    *listed = (struct plan_head){p->heads, head};
    p->heads = listed;

    struct plan_stage *stage = plan_stage_new(p, true, number);
    struct plan_node *node = plan_node_new(p, stage, NULL, false, LEAT_LIT("decode"), spec->node);
    source->stage = stage->number;
    stage->sources = node->is.sources = view.sources;
    node->is.op = &leat_op_head;
    node->is.plan = head;
    node->is.in = node->is.out = view.segment;
    stage->missing = view.sources;
    *branch = (struct plan_branch){.view = view, .tail = node, .missing = view.sources};
    *stream = (struct plan_stream){.name = spec->name, .state = PLAN_DONE, .branches = branch};
    if (p->streams_last)
        p->streams_last->next = stream;
    else
        p->streams = stream;
    p->streams_last = stream;
}

void plan_sources(struct planner *p)
{
    uint32_t count = 0;

    for (const struct leat_spec_source *s = p->spec->sources; s; s = s->next)
        count++;
    p->plan->sources = plan_alloc(p, (count + 1) * sizeof *p->plan->sources);
    p->plan->sources_count = count;
    if (count > 64)
        leat_diag_error(p->diags, p->spec->sources->node,
                        "a pipeline has at most 64 sources, "
                        "this one %u",
                        count);
    count = 0;
    for (const struct leat_spec_source *s = p->spec->sources; s && count < 64; s = s->next)
        plan_source(p, s, count++);
}
