/*
 * spec_parts.h - what the files that read a spec share.
 */
#ifndef LEAT_PLAN_SPEC_PARTS_H
#define LEAT_PLAN_SPEC_PARTS_H

#include "plan/spec.h"

struct spec_reader {
    struct leat_spec *spec;
    struct leat_arena *arena;
    struct leat_diags *diags;
    const struct leat_node *connections;
    bool no_memory;
};

/* An option whose place is a path in struct leat_spec. */
/* clang-format off */
#define SPEC_OPT(kind_, name_, member, ...) \
    {.name = name_, .kind = kind_, .offset = offsetof(struct leat_spec, member), __VA_ARGS__}
/* clang-format on */

/* Zeroed; NULL when memory is out, which was said then. */
void *spec_take(struct spec_reader *r, size_t size);

/* A map with those entries of `map` that `keys` (NULL at the end) lists, or that it does not list.
 * NULL for what is no map. The copies share what is below them. */
const struct leat_node *spec_pick(struct spec_reader *r, const struct leat_node *map,
                                  const char *const *keys, bool listed);

/* The entries of `given`, and those of `more` whose keys it has not. Either may be NULL. */
const struct leat_node *spec_merge(struct spec_reader *r, const struct leat_node *given,
                                   const struct leat_node *more);

/* `given` without `use`, and the settings of the connection that it names, those given here
 * winning.
 */
const struct leat_node *spec_merge_use(struct spec_reader *r, struct leat_slice connector,
                                       const struct leat_node *given);

bool spec_lists(const char *const *keys, struct leat_slice key);

/* "unknown key 'x'", with the nearest of `keys`. */
void spec_unknown_key(struct spec_reader *r, const struct leat_node *child,
                      const char *const *keys);

/* The one entry of a source, table or sink that is none of its `parts` is its connector. */
void spec_read_connector(struct spec_reader *r, const struct leat_node *map,
                         const char *const *parts, const char *what,
                         struct leat_spec_module *connector);

/* `format: json` or `format: { csv: { ... } }`. */
void spec_read_format(struct spec_reader *r, const struct leat_node *node,
                      struct leat_spec_module *format);

/* `store: disk`, `store: { disk: { quota: 4GiB } }` or `store: { kafka: { use: main } }`; NULL: not
 * given. */
void spec_read_store(struct spec_reader *r, const struct leat_node *node,
                     struct leat_spec_store *store);

/* `batch:`; NULL: all defaults. */
void spec_read_batch(struct spec_reader *r, const struct leat_node *node);

/* One name, or a list of names. */
struct leat_spec_from *spec_read_from(struct spec_reader *r, const struct leat_node *part,
                                      const char *what);

/* Names are there once, and what is read is there; no circles; warns of what nobody reads. Streams
 * with an operator that was refused lose their name, so that the planner does not judge readers. */
void spec_check_names(struct spec_reader *r);

/* Walk over what a stream reads beside `from`: the names in its `union`s. */
const struct leat_node *spec_op_reads(const struct leat_spec_op *op);
const struct leat_node *spec_late_of(const struct leat_spec_op *op);

#endif
