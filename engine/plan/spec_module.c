/*
 * spec_module.c - the parts of a pipeline that name a module: connectors with their connections,
 * and formats.
 *
 * What modules take is not known here: that is the planner's, who has their tables. Their names
 * are, so that a typo beside a connector is told from one.
 */
#include "base/module.h"
#include "plan/spec_parts.h"

/* Words that stand for a connector and are no module's name. */
static const char *const words[] = {"file", NULL};

static bool is_connector(struct leat_slice name)
{
    return spec_lists(words, name) || leat_module_is_connector(name);
}

void *spec_take(struct spec_reader *r, size_t size)
{
    void *memory = leat_arena_alloc(r->arena, size);

    if (!memory && !r->no_memory)
        leat_diag_error(r->diags, NULL, "there is not enough memory for this file");
    r->no_memory |= !memory;
    return memory;
}

bool spec_lists(const char *const *keys, struct leat_slice key)
{
    for (; keys && *keys; keys++)
        if (leat_slice_eq(leat_slice_str(*keys), key))
            return true;
    return false;
}

static void append(struct leat_node *map, struct leat_node ***end, struct leat_node *child)
{
    leat_node_append(end, child);
    map->count++;
}

static bool append_copy(struct spec_reader *r, struct leat_node *map, struct leat_node ***end,
                        const struct leat_node *child)
{
    struct leat_node *copy = spec_take(r, sizeof *copy);

    if (!copy)
        return false;
    *copy = *child;
    append(map, end, copy);
    return true;
}

static struct leat_node *empty_copy(struct spec_reader *r, const struct leat_node *map)
{
    struct leat_node *copy = spec_take(r, sizeof *copy);

    if (!copy)
        return NULL;
    *copy = *map;
    copy->kind = LEAT_NODE_MAP;
    copy->first = copy->next = NULL;
    copy->count = 0;
    copy->is_null = false;
    return copy;
}

const struct leat_node *spec_pick(struct spec_reader *r, const struct leat_node *map,
                                  const char *const *keys, bool listed)
{
    struct leat_node *picked, **end;

    if (!map || map->kind != LEAT_NODE_MAP || !(picked = empty_copy(r, map)))
        return NULL;
    end = &picked->first;
    for (const struct leat_node *c = map->first; c; c = c->next)
        if (spec_lists(keys, c->key) == listed && !append_copy(r, picked, &end, c))
            break;
    return picked;
}

void spec_unknown_key(struct spec_reader *r, const struct leat_node *child, const char *const *keys)
{
    struct leat_slice names[64];
    size_t n = 0;

    for (; *keys && n < 64; keys++)
        names[n++] = leat_slice_str(*keys);
    struct leat_diag *d =
        leat_diag_error_key(r->diags, child, "unknown key '%.*s'", LEAT_FMT(child->key));
    leat_diag_nearest(r->diags, d, child->key, names, n);
}

const struct leat_node *spec_merge(struct spec_reader *r, const struct leat_node *given,
                                   const struct leat_node *more)
{
    struct leat_node *merged, **end;

    if (!given || !more)
        return given ? given : more;
    merged = empty_copy(r, given);
    if (!merged)
        return given;
    end = &merged->first;
    for (const struct leat_node *c = given->first; c && !r->no_memory; c = c->next)
        append_copy(r, merged, &end, c);
    for (const struct leat_node *c = more->first; c && !r->no_memory; c = c->next) {
        bool is_given = false;
        for (const struct leat_node *g = given->first; g && !is_given; g = g->next)
            is_given = leat_slice_eq(g->key, c->key);
        if (!is_given)
            append_copy(r, merged, &end, c);
    }
    return merged;
}

/* ---- use: */

static const struct leat_node *find_connection(struct spec_reader *r, const struct leat_node *use)
{
    struct leat_slice name = leat_node_value(use), names[64];
    size_t n = 0;

    if (use->kind != LEAT_NODE_SCALAR || use->is_null) {
        leat_diag_error(r->diags, use, "'use' takes the name of a connection");
        return NULL;
    }
    if (!leat_diag_filled(r->diags, use))
        return NULL;
    const struct leat_node *first =
        r->connections && r->connections->kind == LEAT_NODE_MAP ? r->connections->first : NULL;
    for (const struct leat_node *c = first; c; c = c->next) {
        if (leat_slice_eq(c->key, name))
            return c;
        if (n < 64)
            names[n++] = c->key;
    }
    struct leat_diag *d =
        leat_diag_error(r->diags, use, "there is no connection '%.*s'", LEAT_FMT(name));
    leat_diag_nearest(r->diags, d, name, names, n);
    return NULL;
}

const struct leat_node *spec_merge_use(struct spec_reader *r, struct leat_slice connector,
                                       const struct leat_node *given)
{
    static const char *const use_only[] = {"use", NULL};
    const struct leat_node *use = leat_node_find(given, "use"), *settings;
    const struct leat_node *connection = use ? find_connection(r, use) : NULL;

    if (!use)
        return given;
    settings = connection && connection->kind == LEAT_NODE_MAP ? connection->first : NULL;
    if (settings && !leat_slice_eq(settings->key, connector)) {
        leat_diag_error(r->diags, use, "connection '%.*s' is for %.*s, not for %.*s",
                        LEAT_FMT(connection->key), LEAT_FMT(settings->key), LEAT_FMT(connector));
        settings = NULL;
    }
    if (!settings || settings->kind != LEAT_NODE_MAP)
        return spec_pick(r, given, use_only, false);
    return spec_merge(r, spec_pick(r, given, use_only, false), settings);
}

/* ---- connectors */

static const struct leat_node *known_connector(const struct leat_node *map,
                                               const char *const *parts)
{
    for (const struct leat_node *c = map->first; c; c = c->next)
        if (is_connector(c->key) && !spec_lists(parts, c->key))
            return c;
    return NULL;
}

/* A name we do not know: a module of somebody else's, or a typo, which the planner will say. A map
 * is more likely to be it than a scalar. */
static const struct leat_node *likely_connector(const struct leat_node *map,
                                                const char *const *parts)
{
    const struct leat_node *found = NULL;

    for (const struct leat_node *c = map->first; c; c = c->next)
        if (!spec_lists(parts, c->key) &&
            (!found || (c->kind == LEAT_NODE_MAP && found->kind != LEAT_NODE_MAP)))
            found = c;
    return found;
}

static void refuse_others(struct spec_reader *r, const struct leat_node *map,
                          const struct leat_node *connector, const char *const *parts,
                          const char *what)
{
    for (const struct leat_node *c = map->first; c; c = c->next) {
        if (c == connector || spec_lists(parts, c->key))
            continue;
        if (is_connector(c->key))
            leat_diag_error_key(r->diags, c, "a %s has one connector: '%.*s' is there already",
                                what, LEAT_FMT(connector->key));
        else
            spec_unknown_key(r, c, parts);
    }
}

void spec_read_connector(struct spec_reader *r, const struct leat_node *map,
                         const char *const *parts, const char *what,
                         struct leat_spec_module *connector)
{
    const struct leat_node *c;

    if (map->kind != LEAT_NODE_MAP)
        return;
    c = known_connector(map, parts);
    if (!c)
        c = likely_connector(map, parts);
    if (!c) {
        struct leat_diag *d = leat_diag_error_key(r->diags, map, "this %s has no connector", what);
        leat_diag_hint(r->diags, d, "such as `%s`",
                       strcmp(what, "table") == 0 ? "file: { path: ... }"
                                                  : "kafka: { brokers: ..., topic: ... }");
        return;
    }
    refuse_others(r, map, c, parts, what);
    connector->node = c;
    if (c->kind == LEAT_NODE_LIST || (c->kind == LEAT_NODE_SCALAR && !c->is_null)) {
        leat_diag_error(r->diags, c, "'%.*s' takes a map of settings", LEAT_FMT(c->key));
        return;
    }
    connector->name = c->key;
    connector->given = c->kind == LEAT_NODE_MAP ? spec_merge_use(r, c->key, c) : c;
}

void spec_read_format(struct spec_reader *r, const struct leat_node *node,
                      struct leat_spec_module *format)
{
    if (!node)
        return;
    format->node = node;
    if (node->kind == LEAT_NODE_SCALAR && !node->is_null) {
        if (leat_diag_filled(r->diags, node))
            format->name = leat_node_value(node);
        return;
    }
    const struct leat_node *one = node->kind == LEAT_NODE_MAP ? node->first : NULL;
    if (!one || one->next || (one->kind != LEAT_NODE_MAP && !one->is_null)) {
        leat_diag_error(r->diags, node,
                        "a format is a name, or a name with options: { csv: { header: true } }");
        return;
    }
    format->node = one;
    format->name = one->key;
    format->given = one->kind == LEAT_NODE_MAP ? one : NULL;
}
