/* plan_http.c - `http:`: that the module which answers is there and can listen where the file says.
 */
#include "plan/build.h"

void plan_http(struct planner *p)
{
    const struct leat_node *node = leat_node_find(p->spec->root, "http");
    const struct leat_module *m = leat_module_find_serve("endpoint");
    struct leat_setting listen = {.name = LEAT_LIT("listen")};
    struct leat_error err;

    if (!p->spec->http.listen)
        return;
    if (!m && leat_module_load_named("endpoint", &err) != LEAT_OK) {
        leat_diag_error_key(p->diags, node, "'http' cannot be used: %s", err.text);
        return;
    }
    if (!m && !(m = leat_module_find_serve("endpoint"))) {
        leat_diag_error_key(p->diags, node, "the module 'endpoint' of 'http' %s",
                            leat_module_is_absent("serve", "endpoint", &err) ? err.text
                                                                             : "is not there");
        return;
    }
    void *self = plan_alloc(p, m->self_size);
    listen.value = leat_slice_str(p->spec->http.listen);
    if (leat_opts_apply(m->opts, self, &listen, 1, p->arena, &err) != LEAT_OK ||
        m->check(self, &err) != LEAT_OK)
        leat_diag_error(p->diags, leat_node_find(node, "listen"), "%s", err.text);
}
