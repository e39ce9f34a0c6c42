/*
 * stateful.h - what update_state_by_key, map_with_state and map_with_function share: how rows come
 * to their state, and how expressions see both.
 *
 * Stage 1 does not combine: each row crosses the exchange by itself, with the values that the
 * expressions name and no others (stateful_send.c). Behind it a batch's rows are kept until all of
 * them are there, brought into order, and handed to the operator one after the other
 * (stateful_rows.c); state is in a table per state partition (state_table.h). Expressions are
 * evaluated over *cells*: one row of columns, for the key, what crossed, the state and what an
 * operator adds (stateful_names.c).
 */
#ifndef LEAT_OP_STATEFUL_H
#define LEAT_OP_STATEFUL_H

#include "op/build.h"
#include "op/held.h"
#include "op/state_table.h"

#define LEAT_CROSS_MAX 256

/* A name of a row that expressions behind the exchange see. */
struct leat_cross {
    struct leat_slice path[3]; /* "city"; "this"; "meta", "topic" */
    size_t count;
    uint32_t cell;
    const struct leat_type *type;
};

/* The plan of the operator behind the exchange; operators embed it first. */
struct leat_stateful {
    bool event_time;
    bool timed; /* state is due so long after its last row */
    int64_t timeout_ms;
    const struct leat_shape *key_shape;
    struct leat_cross *cross;
    uint32_t cross_count;
    uint32_t cells;                       /* columns behind the exchange */
    uint32_t batch_cell, batch_time_cell; /* LEAT_NO_COLUMN: not asked for */
    struct leat_slice key_text;           /* for shape() */
};

/* Where a value that crosses is found in stage 1. */
struct leat_cross_from {
    uint32_t column;
    struct leat_slice field; /* of the value there; ptr NULL: the value itself */
};

/* The plan of its combiner, one per input. */
struct leat_stateful_in {
    const struct leat_stateful *plan;
    uint32_t key_column;
    struct leat_cross_from *from;         /* plan->cross_count */
    const struct leat_assemble *assemble; /* where `this` is named */
    uint32_t whole; /* column of the whole value, when every row needs it; else LEAT_NO_COLUMN */
};
extern const struct leat_op leat_stateful_combiner;

/* ---- building */

/* Which names an expression sees beside meta.batch and meta.batch_time. */
struct leat_stateful_names {
    struct leat_names names; /* first: what leat_compile gets */
    struct leat_stateful *plan;
    struct leat_build *b;
    struct leat_view_names *in; /* one per input */
    const struct leat_local_name *locals;
    size_t locals_count;
    const char *only; /* "'update' sees key, values and state": the record's names are not seen */
    const char *instead;
    char why[120];

    /* Records whose fields are cells: `state` and `prev`; may be seen as a whole too. */
    struct leat_stateful_record {
        struct leat_slice name;
        const struct leat_shape *shape;
        uint32_t first; /* cell of the first field */
        uint32_t whole; /* cell of all of it; LEAT_NO_COLUMN: not asked for */
        const struct leat_type **types;
        const char *refuse; /* not NULL: it cannot be seen here, and why */
    } * records;
    size_t records_count;
};

/* Fill plan and combiner plans: key, time, output. False after an error in diags. Options that
 * decide about time come in `timeout_ms`; 0: state is kept for ever. */
bool leat_stateful_build(struct leat_stateful *plan, struct leat_build *b, int64_t timeout_ms);
/* Ready to compile; `n` is as long as the plan is built. */
void leat_stateful_names_init(struct leat_stateful_names *n, struct leat_stateful *plan,
                              struct leat_build *b);
/* All expressions are compiled: the combiners learn what crosses. */
void leat_stateful_built(struct leat_stateful_names *n);
/* The whole value of a row crosses, before anything else was named: its cell. */
uint32_t leat_stateful_whole_value(struct leat_stateful_names *n);

/* EXPR|record over cells. */
struct leat_cell_expr;
struct leat_cell_exprs {
    struct leat_cell_expr *list;
    uint32_t count;
    bool is_record;
    const struct leat_shape *shape; /* of a record */
};
struct leat_cell_expr {
    struct leat_slice name;
    const struct leat_program *program;
    struct leat_cell_exprs *nested; /* instead of program */
    const struct leat_type *type;
    const struct leat_node *node;
};
struct leat_cell_exprs leat_cell_exprs_build(struct leat_stateful_names *n,
                                             const struct leat_node *node,
                                             struct leat_diags *diags);
const struct leat_program *leat_cell_program(struct leat_stateful_names *n,
                                             const struct leat_node *node, bool wants_bool,
                                             struct leat_diags *diags);
/* What is known of a value that is sometimes one and sometimes the other. */
const struct leat_type *leat_type_of_both(const struct leat_type *a, const struct leat_type *b);

/* ---- running */

/* A row of the batch. Everything is borrowed until the batch is over. */
struct leat_stateful_row {
    struct leat_slice key, values; /* values: those that crossed, encoded */
    uint32_t hash;
    uint32_t next; /* the operator's */
    int64_t time_ms;
    struct leat_order order;
    uint64_t came;
};

struct leat_stateful_memory {
    struct leat_state_table table;
    struct leat_arena scratch; /* for `encoded` */
    struct leat_bytes encoded;
    struct leat_chunk cells; /* of one row; its arena is that of task->out while it runs */
    struct leat_value *cell;

    /* Of the batch under way, in the task's arena. */
    struct leat_stateful_row *rows;
    uint32_t rows_count, rows_room;
};

enum leat_status leat_stateful_open(const void *plan, void *memory, struct leat_arena *arena,
                                    struct leat_error *err);
/* .process of the operators: keeps the rows. */
enum leat_status leat_stateful_process(const void *plan, void *memory, struct leat_task *task,
                                       struct leat_chunk *chunk, struct leat_error *err);
/* For finish: the rows are in order, cells are ready for expressions of this batch. */
void leat_stateful_begin(const struct leat_stateful *plan, struct leat_stateful_memory *m,
                         struct leat_task *task);
/* The last call of finish. */
LEAT_CHECKED enum leat_status leat_stateful_end(struct leat_stateful_memory *m,
                                                struct leat_task *task, struct leat_error *err);

/* Into its cell. Text is borrowed from bytes. */
LEAT_CHECKED enum leat_status leat_stateful_set_key(const struct leat_stateful *plan,
                                                    struct leat_stateful_memory *m,
                                                    struct leat_slice key, struct leat_error *err);
LEAT_CHECKED enum leat_status leat_stateful_set_row(const struct leat_stateful *plan,
                                                    struct leat_stateful_memory *m,
                                                    const struct leat_stateful_row *row,
                                                    struct leat_error *err);

/* A value, or an error value; *what is the source of the expression that failed. */
struct leat_value leat_cell_eval(const struct leat_program *p, struct leat_stateful_memory *m,
                                 struct leat_task *task, struct leat_slice *what);
struct leat_value leat_cell_exprs_eval(const struct leat_cell_exprs *e,
                                       struct leat_stateful_memory *m, struct leat_task *task,
                                       struct leat_slice *what);
/* true, false, or an error value. */
struct leat_value leat_cell_bool(const struct leat_program *p, struct leat_stateful_memory *m,
                                 struct leat_task *task, struct leat_slice *what);

/* Something went wrong with a row, or (NULL) with a key: the task fails, or it is counted and
 * changes nothing; its dead letter has the key and those values of the row that had crossed. */
LEAT_CHECKED enum leat_status
leat_stateful_bad(const struct leat_stateful *plan, struct leat_stateful_memory *m,
                  struct leat_task *task, const struct leat_stateful_row *row,
                  struct leat_value why, struct leat_slice what, struct leat_error *err);

/* Before anything is evaluated for a row or key: there is room for what comes out of it, `rows` at
 * most; what lies in the arena of task->out may be gone. */
struct leat_stateful_mark {
    struct leat_arena_mark arena;
    uint32_t rows;
};
LEAT_CHECKED enum leat_status leat_stateful_mark(struct leat_task *task, uint32_t rows,
                                                 struct leat_stateful_mark *mark,
                                                 struct leat_error *err);
/* Behind it: what was evaluated is given back when no row came out. */
void leat_stateful_tidy(struct leat_task *task, const struct leat_stateful_mark *mark);

/* A new row in task->out with the key that is in its cell. *row is its number. */
void leat_stateful_row(struct leat_stateful_memory *m, struct leat_task *task, int64_t time_ms,
                       uint32_t *row);

/* m->encoded becomes the state of the key; nothing is done where it is that already. */
LEAT_CHECKED enum leat_status leat_stateful_store(const struct leat_stateful *plan,
                                                  struct leat_stateful_memory *m, uint32_t number,
                                                  struct leat_slice key, uint32_t hash,
                                                  int64_t due_ms, uint32_t *now,
                                                  struct leat_error *err);

/* The same after a row of the key, from which it is fresh again: it is due later then. */
LEAT_CHECKED enum leat_status
leat_stateful_store_fresh(const struct leat_stateful *plan, struct leat_stateful_memory *m,
                          const struct leat_task *task, uint32_t number,
                          const struct leat_stateful_row *row, struct leat_error *err);
/* State that is one value, into this cell: a copy, for it may move. Null for number 0. */
LEAT_CHECKED enum leat_status leat_stateful_take_state(struct leat_stateful_memory *m,
                                                       uint32_t number, uint32_t cell,
                                                       struct leat_error *err);

/* What an operator does that is called with row by row. There is room for one row of each. */
struct leat_stateful_calls {
    /* Key and row are in their cells; number 0: there is no state. */
    enum leat_status (*row)(const void *plan, struct leat_stateful_memory *m,
                            struct leat_task *task, uint32_t number,
                            const struct leat_stateful_row *row, struct leat_error *err);
    /* The key is over: it says so and is removed. */
    enum leat_status (*over)(const void *plan, struct leat_stateful_memory *m,
                             struct leat_task *task, uint32_t number, struct leat_error *err);
};
/* All rows of the batch in order, each behind the end of what was over before it; then all keys
 * that are over. `plan` begins with a struct leat_stateful. */
LEAT_CHECKED enum leat_status leat_stateful_each_row(const void *plan,
                                                     const struct leat_stateful_calls *calls,
                                                     struct leat_stateful_memory *m,
                                                     struct leat_task *task,
                                                     struct leat_error *err);
/* Each key that has state. There is room for one row of each. */
typedef enum leat_status leat_stateful_key_call(const void *plan, struct leat_stateful_memory *m,
                                                struct leat_task *task, uint32_t number,
                                                struct leat_error *err);
LEAT_CHECKED enum leat_status leat_stateful_each_key(const void *plan, leat_stateful_key_call *call,
                                                     struct leat_stateful_memory *m,
                                                     struct leat_task *task,
                                                     struct leat_error *err);

/* When a key that has this row is due, which was due at old_ms (LEAT_NO_TIME: it is new). */
int64_t leat_stateful_due_ms(const struct leat_stateful *plan, const struct leat_task *task,
                             int64_t row_ms, int64_t old_ms);
/* Is it over with what was remembered before this row? */
bool leat_stateful_is_over(const struct leat_stateful *plan, const struct leat_task *task,
                           int64_t due_ms, int64_t row_ms);

/* .append, .snapshot, .read, .measure and .due of the operators. */
enum leat_status leat_stateful_append(const void *plan, void *memory, struct leat_bytes *delta,
                                      struct leat_error *err);
enum leat_status leat_stateful_snapshot(const void *plan, void *memory, struct leat_bytes *all,
                                        struct leat_error *err);
bool leat_stateful_snapshot_more(const void *plan, void *memory, size_t *most);
enum leat_status leat_stateful_read(const void *plan, void *memory, struct leat_slice bytes,
                                    struct leat_error *err);
void leat_stateful_measure(const void *plan, const void *memory, uint64_t *keys, uint64_t *bytes);
int64_t leat_stateful_due(const void *plan, const void *memory);
/* The part of .shape that all have in common. */
void leat_stateful_shape(const struct leat_stateful *plan, const char *op, struct leat_bytes *text);

/* clang-format off */
#define LEAT_STATEFUL_STATE(shape_is) \
    {.size = sizeof(struct leat_stateful_memory), .open = leat_stateful_open, \
     .append = leat_stateful_append, .snapshot = leat_stateful_snapshot, \
     .snapshot_more = leat_stateful_snapshot_more, .read = leat_stateful_read, \
     .shape = (shape_is), .measure = leat_stateful_measure, .due = leat_stateful_due}
#define LEAT_STATEFUL_OP(state_is, ...) \
    {.scope = LEAT_SCOPE_KEY, .missing = LEAT_MISSING_IS_EMPTY, .state = (state_is), \
     .combiner = &leat_stateful_combiner, \
     .combiner_size = sizeof(struct leat_stateful_in), .makes_rows = true, \
     .process = leat_stateful_process, __VA_ARGS__}
/* clang-format on */

#endif
