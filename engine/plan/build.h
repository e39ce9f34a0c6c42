/*
 * build.h - the planner's own view of a plan that is being made. Private to engine/plan.
 *
 * Streams are lists of *branches*: places in the tree of some stage where rows of one shape come
 * out, with the view of them. A union is a stream with several. A row operator is put behind every
 * branch by itself, since each has its own columns; a keyed one takes all of them into its exchange
 * and goes on as one. Nodes are kept in lists here and become the arrays of plan.h at the end.
 */
#ifndef LEAT_PLAN_BUILD_H
#define LEAT_PLAN_BUILD_H

#include "op/head.h"
#include "op/output.h"
#include "plan/plan.h"

struct plan_node_list {
    struct plan_node *first, *last;
};

/* A node on its way to struct leat_plan_node. */
struct plan_node {
    struct leat_plan_node is;
    struct plan_stage *stage;
    struct plan_node *next_in_stage, *next_sibling;
    struct plan_node_list children, late_children;
};

struct plan_stage {
    struct plan_stage *next;
    uint32_t number, input;
    bool from_source, on_empty;
    struct plan_node_list nodes; /* by next_in_stage, parents first */
    uint32_t count;
    uint64_t sources, missing;
};

struct plan_branch {
    struct plan_branch *next;
    struct leat_view view;
    struct plan_node *tail;
    bool late;        /* what comes out of the tail's late side */
    uint64_t missing; /* it has no dataset in a batch for which one of these sources has none */
};

enum plan_stream_state { PLAN_NEW, PLAN_BUILDING, PLAN_DONE };

struct plan_stream {
    struct plan_stream *next;
    struct leat_slice name;
    enum plan_stream_state state;
    const struct leat_spec_stream *spec; /* NULL: a source, or a late stream */
    struct plan_stream *owner;           /* of a late stream: the one with the window */
    struct plan_branch *branches;
};

struct plan_head {
    struct plan_head *next;
    struct leat_head *head;
};

struct planner {
    struct leat_plan *plan;
    const struct leat_spec *spec;
    struct leat_diags *diags;
    struct leat_arena *arena;
    struct plan_stream *streams, *streams_last;
    struct plan_stage *stages, *stages_last;
    struct plan_head *heads;
    uint32_t nodes, segments;
};

#define PLAN_NODES_MAX 4096 /* unions of unions multiply: told before memory is gone */

/* plan_build.c */
struct plan_stage *plan_stage_new(struct planner *p, bool from_source, uint32_t input);
struct plan_node *plan_node_new(struct planner *p, struct plan_stage *stage,
                                struct plan_node *parent, bool late, struct leat_slice name,
                                const struct leat_node *node);
void plan_segment_number(struct planner *p, struct leat_segment *s);
void *plan_alloc(struct planner *p, size_t size); /* never NULL: ends the planning when out */

/* plan_remote.c: the module whose file system an option of `m` names a place in, such as
 * hdfs://host:9870/out; NULL: none does. */
const struct leat_module *plan_remote(struct planner *p, const struct leat_spec_module *named,
                                      const struct leat_module *m, const void *self);

/* plan_module.c: names of modules, their options, expressions among them. */
const struct leat_module *plan_module(struct planner *p, const struct leat_spec_module *m,
                                      const struct leat_module *(*find)(const char *name),
                                      const char *what, void **self);
/* `who` refuses its options, which are in `given`: told at the one that the error begins with,
 * "tls:
 * ...", else at `node`. */
void plan_refused(struct planner *p, const char *who, const struct leat_node *given,
                  const struct leat_node *node, const struct leat_error *err);
/* The module alone; NULL: there is none, which was said. */
const struct leat_module *plan_find_module(struct planner *p, const struct leat_spec_module *m,
                                           const struct leat_module *(*find)(const char *name),
                                           const char *what);
/* `connector`: whose records they are, and its options (NULL: of none); it says which format is
 * usual, and whether any bytes will do. */
const struct leat_module *plan_format(struct planner *p, const struct leat_spec_module *m,
                                      const struct leat_module *connector,
                                      const void *connector_self, enum leat_format_use use,
                                      void **self);
const struct leat_node *plan_option_node(const struct leat_module *m, const void *self,
                                         const char *name);
/* `header: true` of a CSV format. */
bool plan_has_header(const struct leat_spec_module *format);
/* Tell a format whose bytes do not name the fields (CSV) which ones there are, where it is known.
 */
void plan_format_fields(struct planner *p, const struct leat_module *format, void *self,
                        const struct leat_type *type);
int plan_option_choice(const struct leat_module *m, const void *self, const char *name, int none);
enum leat_template_rules plan_template(const struct leat_module *m, const void *self,
                                       const struct leat_node **node);

/* plan_store.c: `store:` of a source whose module is known. */
void plan_store(struct planner *p, const struct leat_spec_source *spec,
                struct leat_plan_source *source);

/* plan_source.c, plan_table.c, plan_stream.c, plan_sink.c */
void plan_sources(struct planner *p);
void plan_tables(struct planner *p);
void plan_tables_finish(struct planner *p);
void plan_streams(struct planner *p);
struct plan_branch *plan_from(struct planner *p, const struct leat_spec_from *from);
struct plan_branch *plan_apply_rows(struct planner *p, struct plan_branch *in,
                                    struct leat_slice stream, const struct leat_node *node);
void plan_sinks(struct planner *p);

/* plan_letters.c: the sink `number` is the dead-letter output; how rows of a view are written there
 * (NULL: they need not be). */
void plan_letters(struct planner *p, uint32_t number);
const struct leat_letter_plan *plan_letter(struct planner *p, const struct plan_stage *stage,
                                           struct leat_view *view);
bool plan_find_table(struct leat_build *b, const struct leat_node *name, uint32_t *number,
                     const struct leat_type **row, const struct leat_type **key);

/* plan_missing.c: what a row operator, a keyed one, a union make of a branch without a dataset. */
void plan_missing_row(const struct leat_op *op, struct plan_branch *b);
void plan_missing_keyed(struct planner *p, const struct leat_op *op, struct leat_slice stream,
                        const struct plan_branch *list, struct plan_branch *out);
void plan_missing_union(struct planner *p, struct leat_slice stream, struct plan_branch *list);

/* plan_deliver.c: who decides under exactly_once, and who cannot take part. */
void plan_deliver(struct planner *p);

/* plan_function.c: the argument of an operator with a function in the place of each `{ lua: TEXT
 * }`; as it is where there is none. What is wrong was said; then *failed. */
const struct leat_node *plan_functions(struct planner *p, const struct leat_spec_op *op,
                                       bool *failed);

/* plan_http.c: `http:`. */
void plan_http(struct planner *p);

/* plan_finish.c: from lists to arrays. */
void plan_finish(struct planner *p);

#endif
