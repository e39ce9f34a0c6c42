/* plan_sink.c - the plan of sinks: connector, format, templates. */
#include "data/sink.h"
#include "plan/build.h"

static struct plan_branch *close_window(struct planner *p, const struct leat_spec_sink *spec,
                                        struct plan_branch *list)
{
    if (!list || list->view.window.kind == LEAT_WINDOW_NONE)
        return list;
    if (!list->view.event_time)
        return plan_apply_rows(p, list, spec->name, spec->node);
    struct leat_diag *d = leat_diag_error(
        p->diags, spec->from ? spec->from->node : spec->node,
        "'%.*s' ends in an event-time window: nothing says what to write per window",
        LEAT_FMT(spec->from ? spec->from->name : spec->name));
    leat_diag_hint(p->diags, d, "put an aggregate, count or group_by_key behind the window");
    return NULL;
}

/* The names of a record as it goes out, for formats that do not write them beside every value. */
static const struct leat_type *written_type(struct planner *p, const struct leat_view *v)
{
    struct leat_type *t = plan_alloc(p, sizeof *t);
    uint32_t known =
        v->type->kind == LEAT_T_RECORD && v->kind != LEAT_VIEW_FIELDS ? v->type->count : 0;
    struct leat_type_field *fields = plan_alloc(p, (known + v->fields_count + 1) * sizeof *fields);

    *t = (struct leat_type){.kind = LEAT_T_RECORD, .fields = fields};
    for (uint32_t i = 0; i < known; i++)
        fields[t->count++] = v->type->fields[i];
    for (uint32_t i = 0; i < v->fields_count; i++) {
        uint32_t at = 0;
        while (at < t->count && !leat_slice_eq(fields[at].name, v->fields[i].name))
            at++;
        fields[at].name = v->fields[i].name;
        t->count += at == t->count;
    }
    return v->kind == LEAT_VIEW_FIELDS || known ? t : leat_type_of_kind(LEAT_T_ANY);
}

/* The sink writes key and value: together they are what its format gets. */
static void plan_pairs(struct planner *p, const struct leat_spec_sink *spec,
                       const struct leat_module *sink, struct leat_view *in, struct leat_output *o)
{
    static const struct leat_slice names[] = {{"key", 3}, {"value", 5}};

    o->pair_shape = leat_shape_intern(&p->plan->shapes, names, 2);
    if (!o->pair_shape)
        leat_diag_error(p->diags, spec->node, "out of memory");
    o->pair_column = leat_view_column(in);
    if (sink->keyed && !in->has_key)
        leat_diag_hint(
            p->diags,
            leat_diag_error(p->diags, spec->node, "'%s' needs a stream with a key", sink->name),
            "put key_by or map_to_pair before it");
}

static struct leat_output *plan_output(struct planner *p, const struct leat_spec_sink *spec,
                                       const struct leat_plan_sink *sink, uint32_t number,
                                       const struct leat_module *format, void *format_self,
                                       struct plan_branch *b)
{
    struct leat_output *o = plan_alloc(p, sizeof *o);
    struct leat_view in = b->view;
    struct leat_build build = {.arena = p->arena,
                               .diags = p->diags,
                               .shapes = &p->plan->shapes,
                               .name = spec->name,
                               .node = spec->node,
                               .in = &in,
                               .in_count = 1,
                               .out = &b->view,
                               .planner = p};
    const struct leat_node *key = plan_option_node(sink->module, sink->self, "key"),
                           *headers = plan_option_node(sink->module, sink->self, "headers"),
                           *template;
    enum leat_template_rules rules = plan_template(sink->module, sink->self, &template);

    o->format = format;
    o->format_self = format_self;
    o->has_key = in.has_key;
    o->key_column = in.has_key ? in.key_column : LEAT_COL_KEY;
    o->key_format = (enum leat_key_format)plan_option_choice(sink->module, sink->self, "key_format",
                                                             LEAT_KEY_TEXT);
    o->keeps_headers = in.has_origin;
    o->discard = sink->module->sink->discards;
    if (key)
        o->key = leat_build_exprs(&build, &in, key, NULL, 0);
    if (headers && headers->kind != LEAT_NODE_MAP)
        leat_diag_error(p->diags, headers, "'headers' wants { name: EXPR }");
    else if (headers)
        o->headers = leat_build_exprs(&build, &in, headers, NULL, 0);
    if (template) {
        struct leat_view_names names;
        leat_view_names_init(&names, &in, &p->plan->shapes, p->arena);
        o->route.program = leat_compile_template(
            &(struct leat_compile){.names = &names.names, .arena = p->arena, .diags = p->diags},
            template, rules);
        o->route.assemble = names.assemble;
        o->route_column = leat_view_column(&in);
    }
    if (sink->module->pairs && format)
        plan_pairs(p, spec, sink->module, &in, o);
    o->text_column = leat_view_column(&in);
    o->value = leat_view_assemble(&in, &p->plan->shapes, p->arena);

    struct plan_node *n =
        plan_node_new(p, b->tail->stage, b->tail, b->late, LEAT_LIT("output"), spec->node);
    n->is.does = LEAT_DOES_OUTPUT;
    n->is.op = &leat_op_output;
    n->is.plan = o;
    n->is.sink = number;
    n->is.branch = p->plan->sinks[number].branches++;
    n->is.letter = plan_letter(p, b->tail->stage, &in);
    n->is.sources = in.sources;
    return o;
}

static void plan_sink(struct planner *p, const struct leat_spec_sink *spec, uint32_t number)
{
    struct leat_plan_sink *sink = &p->plan->sinks[number];
    const struct leat_module *format = NULL;
    void *format_self = NULL;

    sink->name = spec->name;
    sink->module = plan_module(p, &spec->connector, leat_module_find_sink, "sink", &sink->self);
    if (!sink->module)
        return;
    sink->remote = plan_remote(p, &spec->connector, sink->module, sink->self);
    /* `_values`, which no file can name, keeps rows as they are: for tests of a pipeline. */
    bool typed = leat_slice_eq(spec->format.name, LEAT_LIT("_values"));
    if (!typed &&
        (!sink->module->sink->as_spark || spec->format.name.ptr || sink->module->usual_format))
        format = plan_format(p, &spec->format, sink->module, sink->self, LEAT_FORMAT_WRITES,
                             &format_self);
    p->plan->on_empty = p->plan->on_empty || sink->module->sink->as_spark;
    struct plan_branch *list = close_window(p, spec, plan_from(p, spec->from));
    if (format && list)
        plan_format_fields(p, format, format_self, written_type(p, &list->view));
    sink->format = format;
    sink->format_self = format_self;
    if (format && format->format->preamble)
        sink->preamble = format->format->preamble(format_self);
    sink->missing = list && !list->next ? list->missing : 0;
    for (struct plan_branch *b = list; b; b = b->next)
        plan_output(p, spec, sink, number, format, format_self, b)->typed = typed;
}

/* Two that write to one template would take each other's unfinished files for their own. */
static void check_same_target(struct planner *p, const struct leat_spec_sink *one)
{
    static const char *const keys[] = {"path", "prefix"};

    for (const struct leat_spec_sink *other = p->spec->sinks; other != one; other = other->next)
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            const struct leat_node *a = leat_node_find(one->connector.given, keys[k]),
                                   *b = leat_node_find(other->connector.given, keys[k]);
            bool same = k == 1 || leat_slice_eq(one->connector.name, other->connector.name);
            if (a && b && same && leat_slice_eq(a->text, b->text))
                leat_diag_hint(p->diags,
                               leat_diag_error(p->diags, a, "sink '%.*s' writes there too",
                                               LEAT_FMT(other->name)),
                               "give each a place of its own, or one sink a list in 'from:'");
        }
}

void plan_sinks(struct planner *p)
{
    uint32_t count = 0;

    for (const struct leat_spec_sink *s = p->spec->sinks; s; s = s->next)
        count++;
    bool letters = p->spec->on_error.index == LEAT_SPEC_DLQ && p->spec->dlq.name.ptr;
    p->plan->sinks = plan_alloc(p, (count + 1) * sizeof *p->plan->sinks);
    p->plan->sinks_count = count + letters;
    count = 0;
    for (const struct leat_spec_sink *s = p->spec->sinks; s; s = s->next) {
        check_same_target(p, s);
        plan_sink(p, s, count++);
    }
    if (letters)
        plan_letters(p, count);
}
