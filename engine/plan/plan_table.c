/* plan_table.c - the plan of reference tables, and how `lookup` finds them. */
#include "plan/build.h"

bool plan_find_table(struct leat_build *b, const struct leat_node *name, uint32_t *number,
                     const struct leat_type **row, const struct leat_type **key)
{
    struct planner *p = b->planner;
    struct leat_slice names[64];
    size_t count = 0;

    for (uint32_t i = 0; i < p->plan->tables_count; i++) {
        const struct leat_lookup_plan *t = &p->plan->tables[i];
        if (leat_slice_eq(t->name, name->text)) {
            *number = i;
            *row = t->type;
            *key = t->topic                                 ? leat_type_of_kind(LEAT_T_STRING)
                   : t->key.count == 1 && !t->key.is_record ? t->key.list[0].type
                                                            : leat_type_of_kind(LEAT_T_ANY);
            return true;
        }
        if (count < sizeof names / sizeof *names)
            names[count++] = t->name;
    }
    struct leat_diag *d =
        leat_diag_error(b->diags, name, "unknown table '%.*s'", LEAT_FMT(name->text));
    leat_diag_nearest(b->diags, d, name->text, names, count);
    return false;
}

struct file_options {
    const char *path;
    struct leat_duration reload;
};

static const struct leat_opt options[] = {
    LEAT_OPT(struct file_options, path,
             .help = "File with the rows: CSV, or JSON by lines or as one array."),
    LEAT_OPT(struct file_options, reload, .def = "0s",
             .help = "How often to look whether it has changed; 0s: never."),
    {0},
};

/* A list of fields is a key of several; an expression may be any. */
static struct leat_exprs key_of(struct leat_build *b, struct leat_view *view,
                                const struct leat_node *node)
{
    struct leat_node *map;

    if (node->kind != LEAT_NODE_LIST)
        return leat_build_exprs(b, view, node, NULL, 0);
    map = leat_build_fields(b, node);
    return map ? leat_build_exprs(b, view, map, NULL, 0) : (struct leat_exprs){0};
}

static void csv_columns(struct planner *p, const struct leat_spec_table *spec,
                        struct leat_lookup_plan *t)
{
    t->from_text = strcmp(t->format->name, "csv") == 0;
    t->has_header = t->from_text && plan_has_header(&spec->format);
    plan_format_fields(p, t->format, t->format_self, t->type);
}

/* What takes a row away has no value, so only the record's key can say which one. */
static void check_topic(struct planner *p, const struct leat_spec_table *spec,
                        const struct leat_lookup_plan *t)
{
    if (!leat_slice_eq(leat_node_value(spec->key), LEAT_LIT("key")))
        leat_diag_hint(
            p->diags,
            leat_diag_error(p->diags, spec->key, "a topic's rows are found by the record's key"),
            "key: key");
    if (t->has_header)
        leat_diag_error(p->diags, spec->format.node,
                        "only files begin with a header line: name the columns");
    const struct leat_node *start = leat_node_find(spec->connector.given, "start");
    if (start)
        leat_diag_error_key(p->diags, start,
                            "a table is read from the beginning of its topic: there is no "
                            "'start'");
}

static void plan_table(struct planner *p, const struct leat_spec_table *spec,
                       struct leat_lookup_plan *t)
{
    struct leat_segment *segment = plan_alloc(p, sizeof *segment);
    struct leat_view view = {.kind = LEAT_VIEW_RAW,
                             .segment = segment,
                             .type = leat_type_of_kind(LEAT_T_ANY),
                             .format_has_fields = true,
                             .key_column = LEAT_COL_KEY,
                             .key_type = leat_type_of_kind(LEAT_T_NULL)};
    struct leat_build b = {.arena = p->arena,
                           .diags = p->diags,
                           .shapes = &p->plan->shapes,
                           .name = spec->name,
                           .node = spec->node,
                           .out = &view,
                           .planner = p};
    struct file_options o = {0};

    t->name = spec->name;
    t->type = view.type;
    if (spec->is_topic)
        t->topic =
            plan_module(p, &spec->connector, leat_module_find_source, "source", &t->topic_self);
    else if (spec->connector.name.ptr)
        leat_opts_read(options, &o, spec->connector.given, NULL, p->arena, p->diags);
    t->path = o.path;
    t->reload_ms = o.reload.ms;
    t->format = plan_format(p, &spec->format, NULL, NULL, LEAT_FORMAT_READS_ONCE, &t->format_self);
    *segment =
        (struct leat_segment){.columns = LEAT_COL_PATHS, .is_source = true, .source = spec->name};
    if (spec->schema) {
        const struct leat_type *type = leat_type_read(spec->schema, p->arena, p->diags);
        if (type)
            view.type = t->type = type;
    }
    if (!t->format || !spec->key)
        return;
    if (!t->format->format->has_fields)
        leat_diag_error(p->diags, spec->format.node ? spec->format.node : spec->node,
                        "a table wants format json or csv: '%s' has no fields", t->format->name);
    else if (t->format->format->load)
        leat_diag_error(p->diags, spec->format.node, "a table wants format json or csv, not '%s'",
                        t->format->name);
    csv_columns(p, spec, t);
    if (spec->is_topic)
        check_topic(p, spec, t);
    else
        t->key = key_of(&b, &view, spec->key);
    t->row = leat_view_assemble(&view, &p->plan->shapes, p->arena);
    t->segment = segment;
    struct leat_spec_module json = {.name = LEAT_LIT("json")};
    t->json_format = plan_format(p, &json, NULL, NULL, LEAT_FORMAT_READS_ONCE, &t->json_self);
}

void plan_tables(struct planner *p)
{
    uint32_t count = 0;

    for (const struct leat_spec_table *t = p->spec->tables; t; t = t->next)
        count++;
    p->plan->tables = plan_alloc(p, (count + 1) * sizeof *p->plan->tables);
    for (const struct leat_spec_table *t = p->spec->tables; t; t = t->next)
        plan_table(p, t, &p->plan->tables[p->plan->tables_count++]);
}

/* All touched paths are known: tell the formats. */
void plan_tables_finish(struct planner *p)
{
    for (uint32_t i = 0; i < p->plan->tables_count; i++) {
        struct leat_lookup_plan *t = &p->plan->tables[i];
        struct leat_head head = {.segment = t->segment, .source = t->name};
        struct leat_error err;
        for (int json = 0; json < 2; json++) {
            head.format = json ? t->json_format : t->format;
            head.format_self = json ? t->json_self : t->format_self;
            if (leat_head_finish(&head, p->arena, &err) != LEAT_OK)
                leat_diag_error(p->diags, NULL, "table '%.*s': %s", LEAT_FMT(t->name), err.text);
        }
    }
}
