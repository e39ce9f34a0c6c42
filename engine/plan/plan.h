/*
 * plan.h - a pipeline ready to run: modules with their options, stages, operators, all checked.
 *
 * Read-only once built; workers share it. A *stage* is what one task runs: from a source partition
 * or an exchange, through a tree of nodes, to exchanges and outputs. Stages are in an order in
 * which each comes behind all that feed it.
 */
#ifndef LEAT_PLAN_PLAN_H
#define LEAT_PLAN_PLAN_H

#include "base/module.h"
#include "data/keeper.h"
#include "data/source.h"
#include "op/build.h"
#include "op/dead_letter.h"
#include "op/lookup.h"
#include "plan/spec.h"

enum leat_node_does {
    LEAT_DOES_OP,       /* op->process, then `next` */
    LEAT_DOES_EXCHANGE, /* rows whose key is key bytes go to the state partitions of `exchange` */
    LEAT_DOES_OUTPUT,   /* rows are encoded, sealed and kept for sink `sink` */
};

struct leat_plan_node {
    enum leat_node_does does;
    uint32_t number;          /* in the stage, dense from 0: nodes[] */
    const struct leat_op *op; /* DOES_OP; an output is an operator too: op/output.c */
    const void *plan;
    const struct leat_plan_node **next; /* several: each gets the chunk with the same selection */
    uint32_t next_count;
    const struct leat_plan_node **late;
    uint32_t late_count;
    const struct leat_segment *in, *out; /* out differs from in for operators that make rows */
    uint32_t exchange, sink;
    uint32_t branch; /* of an output: which of the streams that the sink unites */
    const struct leat_letter_plan *letter; /* `on_error: dlq`, behind an exchange */
    uint64_t sources;                      /* whose watermarks count here */
    struct leat_slice path;                /* "streams.per_city.ops[1]" */
    struct leat_slice name;                /* "aggregate" */
    /* Of an operator with state: "per_city.aggregate.0", the number is which one of this operator
     * in the stream it is. Under this name state is kept. Else empty. */
    struct leat_slice state_name;
};

struct leat_plan_stage {
    bool from_source;
    bool on_empty;                /* it speaks on an empty batch */
    uint32_t input;               /* source or exchange number */
    struct leat_plan_node *nodes; /* nodes[0] is the first to run: the head of a source, or the
                                     keyed operator behind the exchange; parents before children */
    uint32_t nodes_count;
    uint64_t missing;  /* sources: it does not speak of a batch for which one has no dataset */
    uint32_t segments; /* different ones in this stage, numbered by segment_of */
    const struct leat_segment **segment_list;
    uint64_t sources;
};

/* One per keyed operator. Its rows go to state partition hash(key) mod partitions, or all to 0
 * (scope batch), or (repartition) round robin. */
struct leat_plan_exchange {
    uint32_t stage;         /* that it feeds */
    uint32_t partitions;    /* how many of the state partitions it uses */
    struct leat_slice name; /* stream and operator: "per_city.aggregate" */
};

/* Of a source whose records are kept outside before their senders are told (`store: kafka`): the
 * push source that receives them, and where it puts them. The plan's source then is the one that
 * reads them there. */
struct leat_plan_receiver {
    const struct leat_module *module; /* NULL: there is none */
    void *self;
    const struct leat_keeper *keep;
    void *keep_self;
    struct leat_slice place; /* where that is: the name of a topic */
};

struct leat_plan_source {
    struct leat_slice name;
    const struct leat_module *module;
    void *self; /* its options, read; the engine makes a copy per run, see leat_plan_instance() */
    uint32_t stage;
    bool event_time;
    int64_t lateness_ms, idle_ms, max_future_ms; /* 0: off, for the last two */
    int64_t max_record_bytes;
    bool lost_to_earliest;
    struct leat_plan_receiver receiver;
    enum leat_store_level store; /* of a push source */
    int64_t store_quota;
    bool needs_headers; /* somebody looks at them, or they travel on */
    const struct leat_module *format;
    const void *format_self;
    bool decided;                         /* its positions go into the decider's transaction */
    const struct leat_module *remote;     /* whose file system it reads; NULL: ours */
    const struct leat_path_filter *paths; /* as in leat_env */
    struct leat_slice needed_by; /* a stream that fails a batch for which this source has no dataset
                                    (op.h: leat_missing); ptr NULL: none does */
};

struct leat_plan_sink {
    struct leat_slice name;
    const struct leat_module *module;
    void *self;
    const struct leat_module *format; /* NULL: values are printed */
    const void *format_self;
    struct leat_slice preamble;       /* what its format wants at the start of every file */
    bool in_decider;                  /* what it writes is in the decider's transaction */
    uint32_t branches;                /* streams that it unites, with all that they unite */
    uint64_t missing;                 /* as of a stage */
    const struct leat_module *remote; /* whose file system it writes to; NULL: ours */
};

/* Who decides whether a batch counts (data/decider.h), with the options of the source or sink that
 * names it. kind NULL: nobody; then the record of the job's log does. */
struct leat_plan_decider {
    const struct leat_decider *kind;
    const void *self;
    struct leat_slice cluster;
    struct leat_slice marker; /* ptr NULL: the first partition of the decided sources */
};

struct leat_plan {
    struct leat_arena arena;
    const struct leat_spec *spec;
    struct leat_shapes shapes;
    struct leat_plan_source *sources;
    uint32_t sources_count;
    struct leat_lookup_plan *tables;
    uint32_t tables_count;
    struct leat_plan_stage *stages;
    uint32_t stages_count;
    struct leat_plan_exchange *exchanges;
    uint32_t exchanges_count;
    struct leat_plan_sink *sinks;
    uint32_t sinks_count;
    uint32_t partitions; /* state partitions per exchange */
    struct leat_plan_decider decider;
    bool exactly_once;
    bool on_empty; /* every tick is a batch */
    bool event_time;
    enum leat_on_error on_error;
    uint32_t letters; /* ON_ERROR_DLQ: the sink that gets what fails; it is the last */
    struct leat_slice letters_route; /* its path; ptr NULL: it needs none */
};

/* Build it. On errors in diags the plan is not to be run, but may be explained in part. NULL: out
 * of memory. What it makes is in plan->arena; spec must outlive it. */
struct leat_plan *leat_plan_build(const struct leat_spec *spec, struct leat_diags *diags);
void leat_plan_free(struct leat_plan *plan);

/* Close of a stream that ends or is idle: the end of the last window that a record of this time
 * belongs to, through all windows behind source `source` (cascades included). LEAT_NO_TIME: there
 * are no windows. Pure. */
int64_t leat_plan_close_time(const struct leat_plan *plan, uint32_t source, int64_t time_max_ms);

/* `leat explain`. */
void leat_plan_print(const struct leat_plan *plan, FILE *out);

#endif
