/*
 * plan.h - how bytes of one written schema become the touched columns.
 *
 * Two schemas and the touched paths are compiled once, into nodes (what stands in the bytes and
 * which value it becomes) and picks (which column gets which of them). Both are read-only
 * afterwards: workers share them.
 */
#ifndef LEAT_AVRO_PLAN_H
#define LEAT_AVRO_PLAN_H

#include "schema.h"

enum avro_op {
    AVRO_OP_NULL,
    AVRO_OP_BOOL,
    AVRO_OP_INT,
    AVRO_OP_LONG,
    AVRO_OP_INT_DOUBLE, /* an integer that is wanted as a double */
    AVRO_OP_LONG_DOUBLE,
    AVRO_OP_FLOAT,
    AVRO_OP_DOUBLE,
    AVRO_OP_STRING,
    AVRO_OP_BYTES,
    AVRO_OP_FIXED,
    AVRO_OP_TIME_INT, /* date, time-millis: by node->logical */
    AVRO_OP_TIME_LONG,
    AVRO_OP_DECIMAL,
    AVRO_OP_DECIMAL_FIXED,
    AVRO_OP_ENUM,
    AVRO_OP_RECORD,
    AVRO_OP_ARRAY,
    AVRO_OP_MAP,
    AVRO_OP_UNION,
    AVRO_OP_WRONG, /* cannot be read as what is wanted */
};

struct avro_node {
    enum avro_op op;
    enum avro_logical logical;
    uint32_t precision, scale;
    const struct avro_type *type; /* as it is written */
    struct avro_node **parts;     /* UNION: by branch; RECORD: by written field, NULL: passed over;
                                     ARRAY, MAP: of an item */
    uint32_t *places;             /* RECORD: of each part in the shape */
    const struct leat_shape *shape;  /* RECORD */
    const struct leat_value *values; /* ENUM: by number. RECORD: by place, what is not written */
    uint32_t unwritten;              /* RECORD: so many places are not written */
    const char *why;                 /* WRONG */
};

/* One written field of a record. */
enum avro_step_kind {
    AVRO_SKIP_NUMBER,
    AVRO_SKIP_INT,
    AVRO_SKIP_UNION,
    AVRO_SKIP_TEXT,
    AVRO_SKIP_BYTES,
    AVRO_SKIP_BOOL,
    AVRO_SKIP,
    AVRO_TAKE_LONG,
    AVRO_TAKE_DOUBLE,
    AVRO_TAKE_STRING,
    AVRO_TAKE,
    AVRO_PICK,
    AVRO_END, /* behind the last field */
};

struct avro_step {
    enum avro_step_kind kind;
    uint32_t bytes;  /* SKIP_BYTES */
    uint32_t column; /* TAKE... */
    const struct avro_type *type;
    const struct avro_node *node;
    const struct avro_pick *pick;
};

struct avro_set {
    uint32_t column;
    struct leat_value value;
};

struct avro_key_pick {
    struct leat_slice key;
    const struct avro_pick *pick;
};

struct avro_pick {
    const struct avro_node *node;
    const uint32_t *columns; /* that get the whole value */
    uint32_t columns_count;
    const uint32_t *below; /* of paths that go on from here */
    uint32_t below_count;
    struct avro_step *steps;     /* RECORD: by written field, then AVRO_END */
    const struct avro_set *sets; /* RECORD: what is not written and has a default */
    uint32_t sets_count;
    const struct avro_pick **parts; /* UNION: by branch */
    struct avro_key_pick *keys;     /* MAP */
    uint32_t keys_count;
};

struct avro_plan {
    const struct avro_pick *root;
    const struct avro_set *absent; /* first of all, each row */
    uint32_t absent_count;
};

/* How values that were written with `written` are read as `wanted` (the same schema: as they are).
 * LEAT_E_CONFIG: they cannot be, whatever the data; what depends on the branch of a union is found
 * out when it comes. Everything is made in arena, shapes too: it outlives all values. */
LEAT_CHECKED enum leat_status avro_resolve(const struct avro_schema *written,
                                           const struct avro_schema *wanted,
                                           struct leat_arena *arena, const struct avro_node **node,
                                           struct leat_error *err);

/* paths as in leat_format.plan; names are borrowed. NULL: out of memory. */
const struct avro_plan *avro_plan_new(const struct avro_node *root, const struct leat_path *paths,
                                      size_t count, struct leat_arena *arena);

/* Read all of `text` and fill in row `row` of the columns. Strings are borrowed from the text; what
 * has to be made is in arena. False: *why is an error value: LEAT_V_SYNTAX, or LEAT_V_BUDGET when
 * the arena is full. Thread: any. */
bool avro_read(const struct avro_plan *plan, struct leat_slice text, struct leat_arena *arena,
               struct leat_value **columns, uint32_t row, struct leat_value *why);

/* A time or duration out of the number that stands for it; LEAT_V_OVERFLOW beyond what there is. */
struct leat_value avro_time(enum avro_logical logical, int64_t n);

/* An int where the scale is 0, a double up to 15 digits, else text. LEAT_V_BUDGET: no memory. */
struct leat_value avro_decimal(struct leat_slice bytes, uint32_t precision, uint32_t scale,
                               struct leat_arena *arena);

/* Append `text`, the default of a field of this type, as a value. An error value: it is none. */
struct leat_value avro_standard(const struct avro_type *t, struct leat_value json,
                                struct leat_shapes *shapes, struct leat_arena *arena,
                                uint32_t depth);

/* The shape of a record's fields; NULL: out of memory. */
const struct leat_shape *avro_shape(const struct avro_type *t, struct leat_shapes *shapes,
                                    struct leat_arena *arena);

#endif
