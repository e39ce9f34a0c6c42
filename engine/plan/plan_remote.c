/* plan_remote.c - options that name a place in a file system over a network: whose that is. */
#include "plan/build.h"

#include <stdio.h>

/* The text of an option; ptr NULL: it has none. */
static struct leat_slice text_of(const struct leat_opt *o, const void *self)
{
    const char *at = (const char *)self + o->offset;
    const char *text = NULL;

    if (o->kind == LEAT_OPT_TEXT)
        memcpy(&text, at, sizeof text);
    else if (o->kind == LEAT_OPT_TEMPLATE) {
        const struct leat_node *node = ((const struct leat_template *)(const void *)at)->node;
        return node ? node->text : (struct leat_slice){0};
    }
    return text ? leat_slice_str(text) : (struct leat_slice){0};
}

/* "hdfs" of "hdfs://host:9870/out"; false: it is a path of ours, or the address of something else.
 */
static bool scheme_of(struct leat_slice text, char scheme[32])
{
    size_t len = 0;

    while (len < text.len && len < 31 && text.ptr[len] && strchr(LEAT_FS_SCHEME, text.ptr[len]))
        len++;
    if (len == 0 || text.len < len + 3 || memcmp(text.ptr + len, "://", 3) != 0)
        return false;
    memcpy(scheme, text.ptr, len);
    scheme[len] = 0;
    return true;
}

/* NULL: err says why. */
static const struct leat_module *find(const char *scheme, struct leat_error *err)
{
    const struct leat_module *m = leat_module_find_remote(scheme);
    struct leat_error why;

    if (m || leat_module_load_named(scheme, err) != LEAT_OK)
        return m;
    m = leat_module_find_remote(scheme);
    if (!m && leat_module_is_absent("file system", scheme, &why))
        leat_fail(err, LEAT_E_CONFIG, "the file system '%s' %s", scheme, why.text);
    else if (!m)
        leat_fail(err, LEAT_E_CONFIG, "there is no file system '%s'", scheme);
    return m;
}

static const struct leat_module *resolve(struct planner *p, const char *scheme,
                                         struct leat_slice text, struct leat_error *err)
{
    const struct leat_module *m = find(scheme, err);
    struct leat_slice path = leat_arena_copy(p->arena, text);

    if (!m)
        return NULL;
    if (!path.ptr)
        leat_arena_failed(p->arena, err);
    return path.ptr && m->remote->check(path.ptr, err) == LEAT_OK ? m : NULL;
}

/* Is it the scheme of such a file system, whether it can be used or not? */
static bool is_remote(const char *scheme)
{
    struct leat_error ignored;

    return leat_module_find_remote(scheme) ||
           leat_module_is_absent("file system", scheme, &ignored);
}

const struct leat_module *plan_remote(struct planner *p, const struct leat_spec_module *named,
                                      const struct leat_module *m, const void *self)
{
    const struct leat_module *found = NULL;
    struct leat_error err;
    char scheme[32];

    for (const struct leat_opt *o = m->opts; o && o->name; o++) {
        struct leat_slice text = text_of(o, self);
        const struct leat_node *given = leat_node_find(named->given, o->name);
        if (!scheme_of(text, scheme))
            continue;
        if (o->place && !(found = resolve(p, scheme, text, &err)))
            leat_diag_error(p->diags, given, "%s", err.text);
        else if (!o->place && is_remote(scheme))
            leat_diag_error(p->diags, given, "the '%s' of '%s' cannot be in the file system '%s'",
                            o->name, m->name, scheme);
    }
    return found;
}
