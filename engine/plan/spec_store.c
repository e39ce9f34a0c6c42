/* spec_store.c - `store:` of a source: when its sender is told, and where its records are until
 * then.
 */
#include "plan/spec_parts.h"

#define OUTSIDE "kafka"

static const struct leat_opt disk_options[] = {
    LEAT_OPT(struct leat_spec_store, quota, .def = "1GiB", .min = 1 << 20, .max = INT64_MAX,
             .help = "Bytes of received records that may lie on the disk."),
    {0},
};

/* `store: kafka` alone: the file has to leave no doubt which cluster is meant. */
static const struct leat_node *only_connection(struct spec_reader *r, const struct leat_node *node)
{
    const struct leat_node *found = NULL;
    uint32_t count = 0;

    if (r->connections && r->connections->kind == LEAT_NODE_MAP)
        for (const struct leat_node *c = r->connections->first; c; c = c->next)
            if (c->kind == LEAT_NODE_MAP && c->first &&
                leat_slice_eq(c->first->key, LEAT_LIT(OUTSIDE))) {
                found = c->first;
                count++;
            }
    if (count == 1)
        return found;
    leat_diag_hint(r->diags,
                   leat_diag_error(r->diags, node, "'store: kafka': %s",
                                   count ? "there are several connections, which one is meant?"
                                         : "at which brokers?"),
                   count ? "{ kafka: { use: NAME } }" : "{ kafka: { brokers: \"host:9092\" } }");
    return NULL;
}

static void keep_outside(struct leat_spec_store *store, const struct leat_node *node,
                         const struct leat_node *given)
{
    if (given)
        store->keep =
            (struct leat_spec_module){.name = LEAT_LIT(OUTSIDE), .node = node, .given = given};
}

static void read_level(struct spec_reader *r, const struct leat_node *node, struct leat_slice word,
                       struct leat_spec_store *store)
{
    struct leat_slice names[] = {LEAT_LIT("commit"), LEAT_LIT("disk"), LEAT_LIT(OUTSIDE)};

    store->node = node;
    if (leat_slice_eq(word, LEAT_LIT("disk"))) {
        store->disk = true;
    } else if (leat_slice_eq(word, LEAT_LIT(OUTSIDE))) {
        keep_outside(store, node, only_connection(r, node));
    } else if (!leat_slice_eq(word, LEAT_LIT("commit"))) {
        struct leat_diag *d = leat_diag_error(
            r->diags, node, "'%.*s' is no store: commit, disk or kafka", LEAT_FMT(word));
        leat_diag_nearest(r->diags, d, word, names, 3);
        store->node = NULL;
    }
}

void spec_read_store(struct spec_reader *r, const struct leat_node *node,
                     struct leat_spec_store *store)
{
    const struct leat_node *one = node && node->kind == LEAT_NODE_MAP ? node->first : NULL;
    bool is_one = one && !one->next && (one->kind == LEAT_NODE_MAP || one->is_null);

    leat_opts_read(disk_options, store, NULL, NULL, r->arena, r->diags);
    if (!node)
        return;
    if (node->kind == LEAT_NODE_SCALAR && !node->is_null) {
        if (leat_diag_filled(r->diags, node))
            read_level(r, node, leat_node_value(node), store);
    } else if (is_one && leat_slice_eq(one->key, LEAT_LIT("disk"))) {
        store->node = node;
        store->disk = true;
        leat_opts_read(disk_options, store, one, NULL, r->arena, r->diags);
    } else if (is_one && leat_slice_eq(one->key, LEAT_LIT(OUTSIDE))) {
        store->node = node;
        keep_outside(store, one,
                     one->is_null ? only_connection(r, one)
                                  : spec_merge_use(r, LEAT_LIT(OUTSIDE), one));
    } else {
        leat_diag_error_key(r->diags, node,
                            "'store' takes commit, disk, { disk: { quota: 4GiB } }, kafka, or { "
                            "kafka: { use: main } }");
    }
}
