/*
 * lookup.h - reference tables, looked up by key: a file read whole, or what a topic says last.
 *
 * A table is in memory of its own. A file is loaded at once, and a reload makes a new table; what
 * comes from a topic is applied to the one there is, between batches. So all rows of a batch see
 * the same (struct leat_batch).
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
    const struct leat_module *topic; /* NULL: a file. Else a pull source; rows are found by the */
    void *topic_self;                /* record's key, as text, and a null value takes one away */
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

/* The same from rows that are there already, their values JSON: for tests of a pipeline. */
LEAT_CHECKED enum leat_status leat_lookup_from_rows(const struct leat_lookup_plan *plan,
                                                    const struct leat_row *rows, size_t count,
                                                    struct leat_lookup_table **table,
                                                    struct leat_error *err);
void leat_lookup_free(struct leat_lookup_table *table); /* NULL is fine */

/* An empty one, for a topic. `cap` as above. NULL: out of memory. */
struct leat_lookup_table *leat_lookup_new(size_t cap);

/* What the block's rows say is so from now on, in their order. A row that cannot be read is passed
 * over; *bad counts those, and `err` keeps what the last one was (status LEAT_OK all the same).
 * LEAT_E_FULL: over the cap; the table is then not to be used any more. Thread: any. */
LEAT_CHECKED enum leat_status leat_lookup_apply(const struct leat_lookup_plan *plan,
                                                struct leat_lookup_table *table,
                                                const struct leat_block *block, uint64_t *bad,
                                                struct leat_error *err);

size_t leat_lookup_rows(const struct leat_lookup_table *table);
size_t leat_lookup_bytes(const struct leat_lookup_table *table);

#endif
