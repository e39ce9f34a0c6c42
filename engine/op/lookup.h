/*
 * lookup.h - reference tables: a file read whole, looked up by key.
 *
 * A table is loaded into memory of its own and never changed; a reload makes a new one. Batches
 * hold the one they began with (struct leat_batch), so all rows of a batch see the same.
 */
#ifndef LEAT_OP_LOOKUP_H
#define LEAT_OP_LOOKUP_H

#include "base/module.h"
#include "op/build.h"

/* How to read one; made by the planner, read-only. */
struct leat_lookup_plan {
    struct leat_slice name;
    const char *path;
    int64_t reload_ms;
    const struct leat_module *format;
    void *format_self;
    const struct leat_module *json_format; /* for tests of a pipeline: rows are data */
    void *json_self;
    bool from_text, has_header; /* CSV: the schema converts; the first line has the names */
    const struct leat_segment *segment;
    struct leat_exprs key;
    const struct leat_assemble *row;
    const struct leat_type *type;
};

struct leat_lookup_table;

/* Read the file. JSON: one object per line, or one array of objects. A key that stands twice is an
 * error that names the line. `cap`: bytes it may take (0: no cap). Thread: any. */
LEAT_CHECKED enum leat_status leat_lookup_load(const struct leat_lookup_plan *plan, size_t cap,
                                               struct leat_lookup_table **table,
                                               struct leat_error *err);

/* The same from rows that are there already: for tests of a pipeline. */
LEAT_CHECKED enum leat_status leat_lookup_from_rows(const struct leat_lookup_plan *plan,
                                                    const struct leat_slice *json, size_t count,
                                                    struct leat_lookup_table **table,
                                                    struct leat_error *err);
void leat_lookup_free(struct leat_lookup_table *table);

size_t leat_lookup_rows(const struct leat_lookup_table *table);
size_t leat_lookup_bytes(const struct leat_lookup_table *table);

#endif
