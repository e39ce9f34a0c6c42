/*
 * view.h - what the rows of a stream look like at one place, while the plan is built.
 *
 * A *segment* is a stretch of operators that share a chunk: from a source, a flat_map or an
 * exchange to the next of these. Its columns are given out one by one; the segment of a source also
 * collects which paths and meta data its expressions touch, and only those are decoded.
 *
 * A *view* says, at one operator, which column stands for which name. The value is one of
 *   RAW     what the source's format reads: fields are paths of the raw value, some laid over
 *   FIELDS  a record with exactly these fields, each in a column
 *   VALUE   one column; fields are looked up in it at run time
 * Views are copied from operator to operator and changed on the way. Building a whole value from
 * its columns (`this`, an output, a row that is kept) is put off until somebody needs it:
 * leat_assemble.
 */
#ifndef LEAT_OP_VIEW_H
#define LEAT_OP_VIEW_H

#include "data/format.h"
#include "data/record.h"
#include "data/type.h"
#include "expr/expr.h"

#define LEAT_NO_COLUMN UINT32_MAX

enum leat_meta {
    LEAT_META_TIME,
    LEAT_META_SOURCE,
    LEAT_META_TOPIC,
    LEAT_META_PARTITION,
    LEAT_META_OFFSET,
    LEAT_META_TIMESTAMP,
    LEAT_META_HEADERS, /* all as a map */
    LEAT_META_HEADER,  /* one, by name */
    LEAT_META_BATCH,
    LEAT_META_BATCH_TIME,
    LEAT_META_WINDOW_START,
    LEAT_META_WINDOW_END,
    LEAT_META_WINDOW_FINAL,
};

/* A column that is filled from what a row carries beside its value. */
struct leat_meta_column {
    enum leat_meta meta;
    struct leat_slice name; /* LEAT_META_HEADER */
    uint32_t column;
};

/* A touched path of a source's raw value; `type` is the schema's (ANY: none). */
struct leat_touched {
    struct leat_path path;
    const struct leat_type *type;
};

struct leat_segment {
    uint32_t number;  /* in the plan */
    uint32_t columns; /* given out so far, KEY and THIS included */
    bool windows;     /* rows carry a window */

    /* Source segments only. */
    bool is_source, is_text; /* text: the format knows no fields */
    bool key_touched;
    struct leat_slice source;
    struct leat_touched *touched;
    uint32_t touched_count, touched_room;
    struct leat_meta_column *metas; /* every segment: filled at its head */
    uint32_t metas_count, metas_room;
};

struct leat_field {
    struct leat_slice name;
    uint32_t column; /* LEAT_NO_COLUMN: the field was removed (RAW only) */
    const struct leat_type *type;
};

enum leat_view_kind { LEAT_VIEW_RAW, LEAT_VIEW_FIELDS, LEAT_VIEW_VALUE };

/* What `window:` asked for, until a keyed operator takes it. */
enum leat_window_kind { LEAT_WINDOW_NONE, LEAT_WINDOW_SLIDING, LEAT_WINDOW_SESSION };
struct leat_zone;
struct leat_window_spec {
    enum leat_window_kind kind;
    int64_t size_ms, slide_ms;    /* sliding and tumbling */
    int64_t offset_ms;            /* of the grid */
    const struct leat_zone *zone; /* calendar days of a zone; NULL: UTC */
    struct leat_slice zone_name;
    int64_t gap_ms;        /* session */
    int64_t emit_every_ms; /* early results; 0: none */
    const struct leat_node *node;
};

struct leat_view {
    enum leat_view_kind kind;
    struct leat_segment *segment;
    struct leat_field *fields; /* FIELDS: all; RAW: laid over or removed, the last of a name wins */
    uint32_t fields_count;
    uint32_t column;              /* VALUE */
    const struct leat_type *type; /* of the value as far as it is known; RAW: the schema or ANY */
    bool format_has_fields;       /* RAW */
    const char *given_by; /* "fields are given by sources.orders.schema (line 27)"; or NULL */

    bool has_key;
    uint32_t key_column;
    const struct leat_type *key_type;
    const struct leat_shape *key_shape; /* of a record key; NULL: another */
    struct leat_slice key_name; /* the last name of the path that key_by gave; may be empty */
    struct leat_slice key_text; /* what the key is, as written; empty: the source's */

    bool event_time; /* the source has `time:` */
    bool has_origin; /* a single source row is behind each: meta.offset and headers make sense */
    bool windowed;   /* rows came out of a window: window.start, window.end */
    struct leat_window_spec window;    /* kind NONE: nothing is pending */
    struct leat_window_spec came_from; /* windowed: which windows these are */
    uint64_t sources; /* bit per source in the plan that flows in here: whose watermark counts */
};

/* A new column of the view's segment. */
uint32_t leat_view_column(struct leat_view *v);

/* What is known of its values when they were kept whole: they are as they were read then, so of a
 * source's record the names are known, and no more. */
const struct leat_type *leat_view_kept_type(const struct leat_view *v, struct leat_arena *arena);

/* Take a field away. v->fields has room for one more. False: there is none of that name. */
bool leat_view_remove(struct leat_view *v, struct leat_slice name);

/* The names of a view for the compiler, embedded first in what may extend it. `hidden` names (a, b,
 * acc) are asked first. */
struct leat_local_name {
    struct leat_slice name;
    uint32_t column;
    const struct leat_type *type;
};
struct leat_view_names {
    struct leat_names names; /* first: what leat_compile gets */
    struct leat_view *view;
    struct leat_arena *arena;
    struct leat_shapes *shapes;
    const struct leat_local_name *locals;
    size_t locals_count;
    bool only_locals;               /* the record's own fields cannot be seen here */
    bool keyed_only;                /* beside aggregates: key and window only */
    bool no_key;                    /* with only_locals: not even `key` */
    struct leat_assemble *assemble; /* set when `this` was named as a whole; see below */
    char why[160];
};
void leat_view_names_init(struct leat_view_names *n, struct leat_view *view,
                          struct leat_shapes *shapes, struct leat_arena *arena);

/* How to build the whole value of a view into a column, from its columns. Immutable. */
struct leat_assemble;
struct leat_assemble *leat_view_assemble(struct leat_view *v, struct leat_shapes *shapes,
                                         struct leat_arena *arena);
/* The column with the whole value of the selected rows; builds it where that is needed. The records
 * are in chunk->arena. LEAT_NO_COLUMN: that is full. */
uint32_t leat_assemble(const struct leat_assemble *a, struct leat_chunk *chunk);
/* Without running: the column where it will be. */
uint32_t leat_assemble_column(const struct leat_assemble *a);

#endif
