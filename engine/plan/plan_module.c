/* plan_module.c - names of modules to modules with their options read and checked. */
#include "data/container.h"
#include "plan/build.h"

#include <stdio.h>

struct names {
    struct planner *p;
    const struct leat_module *(*find)(const char *name);
    struct leat_slice list[128];
    size_t count;
};

static void add_name(const struct leat_module *m, void *arg)
{
    struct names *n = arg;

    if (n->count < sizeof n->list / sizeof *n->list && n->find(m->name) == m)
        n->list[n->count++] = leat_slice_str(m->name);
}

static const struct leat_module *find(struct planner *p, struct leat_slice name,
                                      const struct leat_node *node,
                                      const struct leat_module *(*find_by)(const char *name),
                                      const char *what)
{
    char text[64];
    struct names names = {.p = p, .find = find_by};
    const struct leat_module *m = NULL;
    struct leat_error err;

    if (name.len < sizeof text) {
        snprintf(text, sizeof text, "%.*s", LEAT_FMT(name));
        m = find_by(text);
        if (!m && leat_module_load_named(text, &err) == LEAT_OK)
            m = find_by(text);
        else if (!m) {
            leat_diag_error_key(p->diags, node, "the %s '%s' cannot be used: %s", what, text,
                                err.text);
            return NULL;
        }
    }
    if (m)
        return m;
    if (name.len < sizeof text && leat_module_is_absent(what, text, &err)) {
        if (node && node->key.ptr)
            leat_diag_error_key(p->diags, node, "the %s '%s' %s", what, text, err.text);
        else
            leat_diag_error(p->diags, node, "the %s '%s' %s", what, text, err.text);
        return NULL;
    }
    struct leat_diag *d =
        node && node->key.ptr
            ? leat_diag_error_key(p->diags, node, "unknown %s '%.*s'", what, LEAT_FMT(name))
            : leat_diag_error(p->diags, node, "unknown %s '%.*s'", what, LEAT_FMT(name));
    leat_module_load_all(); /* the nearest name may be one of theirs */
    leat_module_each(add_name, &names);
    leat_diag_nearest(p->diags, d, name, names.list, names.count);
    return NULL;
}

const struct leat_module *plan_find_module(struct planner *p, const struct leat_spec_module *m,
                                           const struct leat_module *(*find_by)(const char *name),
                                           const char *what)
{
    return find(p, m->name, m->node, find_by, what);
}

/* What a module says of its options begins with the name of the one that is wrong, as "tls: ..." or
 * "curve.clients: ...": its place, where the file has it, else `node`. */
static const struct leat_node *place_of(const struct leat_node *given, const char *text,
                                        const struct leat_node *node)
{
    char name[64];

    for (size_t len; (len = strcspn(text, ".: ")) < sizeof name; text += len + 1) {
        snprintf(name, sizeof name, "%.*s", (int)len, text);
        const struct leat_node *child = leat_node_find(given, name);
        if (!child || (text[len] != '.' && text[len] != ':'))
            break;
        given = node = child;
        if (text[len] == ':')
            break;
    }
    return node;
}

void plan_refused(struct planner *p, const char *who, const struct leat_node *given,
                  const struct leat_node *node, const struct leat_error *err)
{
    leat_diag_error(p->diags, place_of(given, err->text, node), "%s: %s", who, err->text);
}

const struct leat_module *plan_module(struct planner *p, const struct leat_spec_module *m,
                                      const struct leat_module *(*find_by)(const char *name),
                                      const char *what, void **self)
{
    const struct leat_module *found;

    *self = NULL;
    if (!m->name.ptr || !(found = find(p, m->name, m->node, find_by, what)))
        return NULL;
    *self = plan_alloc(p, found->self_size);
    uint32_t before = p->diags->errors;
    struct leat_error err;
    if (found->opts)
        leat_opts_read(found->opts, *self, m->given, NULL, p->arena, p->diags);
    if (found->check && p->diags->errors == before && found->check(*self, &err) != LEAT_OK)
        plan_refused(p, found->name, m->given, m->node, &err);
    return found;
}

/* Do connector and format agree on what a record is in bytes? */
static void check_framing(struct planner *p, const struct leat_module *connector,
                          const void *connector_self, const struct leat_module *format,
                          const void *self, const struct leat_node *node)
{
    bool contained = leat_container_of(format, self) != NULL;
    bool by_text = connector->by_text && connector->by_text(connector_self);

    if (contained && !connector->containers)
        leat_diag_hint(p->diags,
                       leat_diag_error(p->diags, node,
                                       "a container is a file of its own, '%s' has none",
                                       connector->name),
                       "with these options '%s' is for `files`", format->name);
    else if (!contained && connector->containers && !connector->by_lines)
        leat_diag_hint(p->diags,
                       leat_diag_error(p->diags, node,
                                       "'%s' writes files that frame themselves, '%s' does not",
                                       connector->name, format->name),
                       "leave it out, then it is %s", connector->usual_format);
    else if (!contained && connector->by_lines && format->format->any_bytes)
        leat_diag_hint(
            p->diags,
            leat_diag_error(p->diags, node,
                            "'%s' works by lines, and a record of '%s' may hold any bytes",
                            connector->name, format->name),
            connector->containers && format->format->container ? "framing: container"
                                                               : "use format: json here");
    else if (by_text && format->format->any_bytes)
        leat_diag_hint(p->diags,
                       leat_diag_error(p->diags, node,
                                       "'%s' takes lines or JSON with these options, and a record "
                                       "of '%s' may hold any bytes",
                                       connector->name, format->name),
                       "%s", connector->any_bytes);
}

/* The options of a format that the file does not name. */
static const struct leat_node *usual_options(struct planner *p, const struct leat_module *connector)
{
    struct leat_node *map, **end;

    if (!connector || !connector->usual_options)
        return NULL;
    map = plan_alloc(p, sizeof *map);
    map->kind = LEAT_NODE_MAP;
    end = &map->first;
    for (const struct leat_usual *o = connector->usual_options; o->name; o++) {
        struct leat_node *option = plan_alloc(p, sizeof *option);
        option->key = leat_slice_str(o->name);
        option->text = leat_slice_str(o->value);
        leat_node_append(&end, option);
        map->count++;
    }
    return map;
}

const struct leat_module *plan_format(struct planner *p, const struct leat_spec_module *m,
                                      const struct leat_module *connector,
                                      const void *connector_self, enum leat_format_use use,
                                      void **self)
{
    struct leat_spec_module named = *m;
    const char *usual = connector ? connector->usual_format : NULL;

    if (!named.name.ptr) {
        named.name = leat_slice_str(usual ? usual : "json");
        named.given = usual_options(p, connector);
    }
    uint32_t before = p->diags->errors;
    const struct leat_module *found =
        plan_module(p, &named, leat_module_find_format, "format", self);
    struct leat_error err;
    if (found && connector)
        check_framing(p, connector, connector_self, found, *self, m->node);
    if (found && found->format->load && p->diags->errors == before &&
        found->format->load(*self, use, p->arena, &err) != LEAT_OK)
        plan_refused(p, found->name, m->given, m->node, &err);
    return found;
}

static const struct leat_opt *option(const struct leat_module *m, const char *name)
{
    for (const struct leat_opt *o = m->opts; o && o->name; o++)
        if (strcmp(o->name, name) == 0)
            return o;
    return NULL;
}

const struct leat_node *plan_option_node(const struct leat_module *m, const void *self,
                                         const char *name)
{
    const struct leat_opt *o = option(m, name);

    if (!o || (o->kind != LEAT_OPT_EXPR && o->kind != LEAT_OPT_RECORD))
        return NULL;
    return ((const struct leat_expression *)(const void *)((const char *)self + o->offset))->node;
}

int plan_option_choice(const struct leat_module *m, const void *self, const char *name, int none)
{
    const struct leat_opt *o = option(m, name);

    if (!o || o->kind != LEAT_OPT_CHOICE)
        return none;
    return ((const struct leat_choice *)(const void *)((const char *)self + o->offset))->index;
}

enum leat_template_rules plan_template(const struct leat_module *m, const void *self,
                                       const struct leat_node **node)
{
    *node = NULL;
    for (const struct leat_opt *o = m->opts; o && o->name; o++) {
        if (o->kind != LEAT_OPT_TEMPLATE)
            continue;
        *node =
            ((const struct leat_template *)(const void *)((const char *)self + o->offset))->node;
        return o->rules;
    }
    return LEAT_TEMPLATE_TEXT;
}

bool plan_has_header(const struct leat_spec_module *format)
{
    const struct leat_node *header = leat_node_find(format->given, "header");

    return header && leat_slice_eq(header->text, LEAT_LIT("true"));
}

void plan_format_fields(struct planner *p, const struct leat_module *format, void *self,
                        const struct leat_type *type)
{
    struct leat_error err;

    if (!format || !format->format->fields || type->kind != LEAT_T_RECORD || type->count == 0)
        return;
    struct leat_slice *names = plan_alloc(p, type->count * sizeof *names);
    for (uint32_t i = 0; i < type->count; i++)
        names[i] = type->fields[i].name;
    if (format->format->fields(self, names, type->count, p->arena, &err) != LEAT_OK)
        leat_diag_error(p->diags, NULL, "format '%s': %s", format->name, err.text);
}
