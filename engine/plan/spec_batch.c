/*
 * spec_batch.c - `batch:`: when batches are cut, and how much they take.
 */
#include "plan/spec_parts.h"

static const char *const triggers[] = {"interval", "caught_up", "once", NULL};

/* clang-format off */
static const struct leat_opt batch_options[] = {
    SPEC_OPT(LEAT_OPT_DURATION, "every", batch.every, .def = "1s", .min = 1, .max = 86400000,
             .help = "How often what has come is cut into a batch."),
    SPEC_OPT(LEAT_OPT_INT, "max_records", batch.max_records, .def = "0", .max = INT64_MAX,
             .help = "Records in one batch at most, but for one block that has more; 0: no limit."),
    SPEC_OPT(LEAT_OPT_SIZE, "max_bytes", batch.max_bytes, .def = "0B", .max = INT64_MAX,
             .help = "Bytes in one batch at most, but for one block that has more; 0B: no limit but "
                     "memory."),
    SPEC_OPT(LEAT_OPT_RATE, "max_rate", batch.max_rate, .def = "0/s",
             .help = "Records a second at most, of all sources together; 0/s: no limit."),
    SPEC_OPT(LEAT_OPT_CHOICE, "trigger", batch.trigger, .def = "interval", .choices = triggers,
             .help = "interval: for ever; caught_up: to the ends that the sources had at the start; "
                     "once: one batch."),
    SPEC_OPT(LEAT_OPT_DURATION, "call_timeout", batch.call_timeout, .def = "10m", .min = 1000,
             .max = 86400000,
             .help = "A call of a function in C or Lua that takes longer ends the process."),
    {0},
};
/* clang-format on */

static const struct leat_opt backpressure_options[] = {
    LEAT_OPT(struct leat_spec_backpressure, proportional, .def = "1",
             .help = "How much of the difference to the rate of the last batch is made up for."),
    LEAT_OPT(struct leat_spec_backpressure, integral, .def = "0.2",
             .help = "How much of what has piled up is made up for."),
    LEAT_OPT(struct leat_spec_backpressure, derived, .def = "0",
             .help = "How much weight the change of that difference has."),
    LEAT_OPT(struct leat_spec_backpressure, min_rate, .def = "100/s",
             .help = "Records a second that are taken in any case."),
    {0},
};

static void read_backpressure(struct spec_reader *r, const struct leat_node *node,
                              struct leat_spec_backpressure *into)
{
    bool is_word = node && node->kind == LEAT_NODE_SCALAR && !node->is_null;
    struct leat_slice word = is_word ? leat_node_value(node) : (struct leat_slice){0};
    bool on = is_word && leat_slice_eq(word, LEAT_LIT("true"));

    leat_opts_read(backpressure_options, into, node && node->kind == LEAT_NODE_MAP ? node : NULL,
                   NULL, r->arena, r->diags);
    if (!node || (is_word && !leat_diag_filled(r->diags, node)))
        return;
    into->used = on || node->kind == LEAT_NODE_MAP;
    if (!into->used && !leat_slice_eq(word, LEAT_LIT("false")))
        leat_diag_error_key(r->diags, node,
                            "'backpressure' takes true, false, or { proportional, integral, "
                            "derived, min_rate }");
    if (into->min_rate.per_second <= 0)
        leat_diag_error(r->diags, leat_node_find(node, "min_rate"),
                        "'min_rate' is above 0: without records there would be nothing to learn "
                        "from, say 1/s");
}

void spec_read_batch(struct spec_reader *r, const struct leat_node *node)
{
    static const char *const elsewhere[] = {"backpressure", NULL};
    struct leat_spec *spec = r->spec;
    bool is_map = node && node->kind == LEAT_NODE_MAP;

    leat_opts_read(batch_options, spec, node, elsewhere, r->arena, r->diags);
    const struct leat_node *rate = is_map ? leat_node_find(node, "max_rate") : NULL,
                           *backpressure = is_map ? leat_node_find(node, "backpressure") : NULL;
    read_backpressure(r, backpressure, &spec->batch.backpressure);
    if (spec->batch.trigger.index != LEAT_TRIGGER_ONCE)
        return;
    if (rate && spec->batch.max_rate.per_second > 0)
        leat_diag_error_key(r->diags, rate,
                            "'trigger: once' is one batch and has no rate: 'max_records' says how "
                            "much it takes at most");
    if (backpressure && spec->batch.backpressure.used)
        leat_diag_error_key(r->diags, backpressure,
                            "'trigger: once' is one batch: there is none behind it that could take "
                            "less");
}
