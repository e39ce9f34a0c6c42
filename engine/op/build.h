/*
 * build.h - what an operator's build() works with: its argument, what comes in, what goes out.
 *
 * The planner calls build() once per place in the pipeline. The operator reads its argument from
 * the node tree with the helpers below (so that all of them speak of mistakes in the same words),
 * compiles its expressions against the view that comes in, and changes `out`, which starts as a
 * copy of the first input. Everything made lives in build->arena, as long as the plan.
 */
#ifndef LEAT_OP_BUILD_H
#define LEAT_OP_BUILD_H

#include "op/op.h"
#include "op/view.h"

struct leat_build {
    struct leat_arena *arena;
    struct leat_diags *diags;
    struct leat_shapes *shapes;
    struct leat_slice name;       /* the operator's */
    const struct leat_node *node; /* where it is named in the file: a key, or a bare name */
    const struct leat_node *arg;  /* its argument; NULL: nothing said */
    int64_t batch_every_ms;

    struct leat_view *in; /* a row operator has one; a keyed one one per branch that flows in */
    uint32_t in_count;
    const uint32_t *sides; /* ops that join: of which stream each input is a branch; 0: its own */
    void **combiner_plans; /* keyed: combiner_size zeroed bytes for each input */
    struct leat_view *out;

    /* Tables of the pipeline, for lookup. Fills number and the type of a row; false after an error
     * in diags. */
    bool (*find_table)(struct leat_build *build, const struct leat_node *name, uint32_t *number,
                       const struct leat_type **row, const struct leat_type **key);

    /* Keyed operators say over how many state partitions their rows go: 1 without a key, N for
     * repartition; 0: all that the pipeline has. One that takes in->window leaves kind NONE in
     * out->window and sets out->windowed. */
    uint32_t partitions;
    bool on_empty; /* with this argument it speaks on an empty batch: such a batch is one */
    void *planner;
};

struct leat_named_expr;

/* A compiled expression and the value it needs built first. */
struct leat_expr {
    const struct leat_program *program;   /* NULL: compiling failed, told in diags */
    const struct leat_assemble *assemble; /* NULL: `this` is not named as a whole */
};

/* Evaluate into `out`, or find out that a column already has it: returns the column to look at. On
 * LEAT_NO_COLUMN the arena is full. Rows with errors are still there: sweep. */
uint32_t leat_expr_eval(const struct leat_expr *e, struct leat_task *task, struct leat_chunk *chunk,
                        uint32_t out);

/* The same of a function that gives pairs. Sweep `value`: a row that failed has its error there. */
void leat_expr_eval_pair(const struct leat_expr *e, struct leat_task *task,
                         struct leat_chunk *chunk, uint32_t key, uint32_t value);

/* Compile the expression in `node` over `view`. `locals` may be NULL. */
struct leat_expr leat_build_expr(struct leat_build *b, struct leat_view *view,
                                 const struct leat_node *node, const struct leat_local_name *locals,
                                 size_t locals_count);

/* EXPR|record: one value, or named ones in the order of the file; nested maps give nested records.
 */
struct leat_exprs {
    struct leat_named_expr *list;
    uint32_t count;
    bool is_record;
    const struct leat_shape *shape; /* of a record */
};
struct leat_named_expr {
    struct leat_slice name; /* empty: the expression is the whole value */
    struct leat_expr expr;
    struct leat_exprs *nested; /* instead of expr: a record of its own */
    uint32_t column;           /* where it is evaluated to */
    const struct leat_type *type;
    const struct leat_node *node;
};
struct leat_exprs leat_build_exprs(struct leat_build *b, struct leat_view *view,
                                   const struct leat_node *node,
                                   const struct leat_local_name *locals, size_t locals_count);
/* `[a, b.c]` as the record { a: a, c: b.c }: what a list of fields means as a key. NULL: no memory.
 */
struct leat_node *leat_build_fields(struct leat_build *b, const struct leat_node *list);
/* The last name of a path: `campaign_id` of `ad.campaign_id`. */
struct leat_slice leat_build_last_name(const struct leat_node *node);

/* Evaluate all into their columns and sweep each: rows with errors have left the selection. */
LEAT_CHECKED enum leat_status leat_exprs_eval(const struct leat_exprs *e, struct leat_task *task,
                                              struct leat_chunk *chunk, struct leat_error *err);
/* Make these the value of `out` (FIELDS or VALUE). */
void leat_build_set_value(struct leat_build *b, struct leat_view *out, const struct leat_exprs *e);

/* Options of an operator's map argument by table (base/option.h); a missing argument is an empty
 * map. */
void leat_build_options(struct leat_build *b, const struct leat_opt *opts, void *self);

/* True after an error: the operator takes no argument but was given one; it needs one. */
bool leat_build_refuse_arg(struct leat_build *b);
bool leat_build_need_arg(struct leat_build *b, const char *what);

/* The output starts a new segment: no field of the input is there any more. */
void leat_build_new_segment(struct leat_build *b, struct leat_view *out);

/* The argument is a function that gives an element with all that belongs to it: behind it there is
 * no key. */
bool leat_build_drops_key(const struct leat_build *b);
/* The argument is a function that gives key and value. */
bool leat_build_gives_pair(const struct leat_build *b);

/* An error at the operator's name; at one of its nodes: leat_diag_error(b->diags, node, ...). */
LEAT_PRINTF(2, 3) struct leat_diag *leat_build_error(struct leat_build *b, const char *fmt, ...);

#endif
