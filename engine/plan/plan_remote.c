/* plan_remote.c - options that name a place in a file system over a network: whose that is. */
#include "plan/build.h"

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

/* NULL: told at the text. */
static const struct leat_module *resolve(struct planner *p, const char *scheme,
                                         struct leat_slice text, const struct leat_node *given)
{
    struct leat_slice path = leat_arena_copy(p->arena, text);
    struct leat_node place = given ? *given : (struct leat_node){0};
    struct leat_error err;

    place.key = (struct leat_slice){0};
    place.key_mark = (struct leat_mark){0};
    const struct leat_module *m = plan_find_module(
        p, &(struct leat_spec_module){.name = leat_slice_str(scheme), .node = &place},
        leat_module_find_remote, "file system");
    if (!m)
        return NULL;
    if (!path.ptr)
        leat_arena_failed(p->arena, &err);
    if (path.ptr && m->remote->check(path.ptr, &err) == LEAT_OK)
        return m;
    leat_diag_error(p->diags, given, "%s", err.text);
    return NULL;
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
    char scheme[32];

    for (const struct leat_opt *o = m->opts; o && o->name; o++) {
        struct leat_slice text = text_of(o, self);
        const struct leat_node *given = leat_node_find(named->given, o->name);
        if (!scheme_of(text, scheme))
            continue;
        if (o->place)
            found = resolve(p, scheme, text, given);
        else if (is_remote(scheme))
            leat_diag_hint(p->diags,
                           leat_diag_error(p->diags, given,
                                           "the '%s' of '%s' cannot be in the file system '%s'",
                                           o->name, m->name, scheme),
                           "name a path of this host");
    }
    return found;
}
