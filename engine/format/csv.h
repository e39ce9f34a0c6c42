/* csv.h - what the two halves of the csv format share: its options and the names of its columns. */
#ifndef LEAT_FORMAT_CSV_H
#define LEAT_FORMAT_CSV_H

#include "leat.h"

/* Which columns of a chunk get a field of the row. */
struct csv_targets {
    uint32_t *columns;
    uint32_t count;
};

struct csv {
    bool header;
    const char *delimiter;
    struct leat_texts columns;

    const struct leat_slice *names; /* NULL: only `columns` says something, or nobody does */
    uint32_t names_count;
    struct leat_slice preamble;
    const struct leat_path *paths;
    size_t paths_count;
    struct csv_targets *targets;    /* by field */
    struct csv_targets whole;       /* paths without names */
    const struct leat_shape *shape; /* of a whole row */
};

static inline uint32_t csv_names_count(const struct csv *c)
{
    return c->names ? c->names_count : (uint32_t)c->columns.count;
}

static inline struct leat_slice csv_name(const struct csv *c, uint32_t i)
{
    return c->names ? c->names[i] : leat_slice_str(c->columns.list[i]);
}

/* One cell, quoted when it has to be. `alone`: it is the only one of its row, which must not be
 * empty then. */
void csv_put_cell(struct leat_bytes *into, char delimiter, struct leat_slice text, bool alone);

enum leat_status csv_encode(const void *self, struct leat_chunk *chunk, uint32_t column,
                            struct leat_error *err);

/* Is the option one character that cannot be part of a number or a quote? */
enum leat_status csv_check_delimiter(const struct csv *c, struct leat_error *err);

#endif
