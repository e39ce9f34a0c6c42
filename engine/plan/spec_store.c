/* spec_store.c - `store:` of a source: when its sender is told, and how much may wait on the disk.
 */
#include "plan/spec_parts.h"

static const struct leat_opt disk_options[] = {
    LEAT_OPT(struct leat_spec_store, quota, .def = "1GiB", .min = 1 << 20, .max = INT64_MAX,
             .help = "Bytes of received records that may lie on the disk."),
    {0},
};

static const char *const levels[] = {"commit", "disk", "kafka", NULL};

static void read_level(struct spec_reader *r, const struct leat_node *node, struct leat_slice word,
                       struct leat_spec_store *store)
{
    struct leat_slice names[] = {LEAT_LIT("commit"), LEAT_LIT("disk")};

    if (leat_slice_eq(word, LEAT_LIT("kafka"))) {
        leat_diag_hint(r->diags,
                       leat_diag_error(r->diags, node, "'store: kafka' is not in this version"),
                       "disk, or commit");
    } else if (!spec_lists(levels, word)) {
        struct leat_diag *d =
            leat_diag_error(r->diags, node, "'%.*s' is no store: commit or disk", LEAT_FMT(word));
        leat_diag_nearest(r->diags, d, word, names, 2);
    } else {
        store->node = node;
        store->disk = leat_slice_eq(word, LEAT_LIT("disk"));
    }
}

void spec_read_store(struct spec_reader *r, const struct leat_node *node,
                     struct leat_spec_store *store)
{
    const struct leat_node *one = node && node->kind == LEAT_NODE_MAP ? node->first : NULL;

    leat_opts_read(disk_options, store, NULL, NULL, r->arena, r->diags);
    if (!node)
        return;
    if (node->kind == LEAT_NODE_SCALAR && !node->is_null) {
        if (leat_diag_filled(r->diags, node))
            read_level(r, node, leat_node_value(node), store);
    } else if (one && !one->next && leat_slice_eq(one->key, LEAT_LIT("disk")) &&
               (one->kind == LEAT_NODE_MAP || one->is_null)) {
        store->node = node;
        store->disk = true;
        leat_opts_read(disk_options, store, one, NULL, r->arena, r->diags);
    } else {
        leat_diag_error_key(r->diags, node,
                            "'store' takes commit, disk, or { disk: { quota: 4GiB } }");
    }
}
