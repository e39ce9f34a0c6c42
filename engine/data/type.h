/*
 * type.h - what is known about a value before there is one: the types of schemas and expressions.
 *
 * A schema in the pipeline file and the checker of expressions speak of the same types. `any` (DYN)
 * is always right and says nothing. Types are immutable and live in the plan's arena or are one of
 * the constants below.
 */
#ifndef LEAT_DATA_TYPE_H
#define LEAT_DATA_TYPE_H

#include "base/diag.h"
#include "data/value.h"

enum leat_type_kind {
    LEAT_T_ANY,
    LEAT_T_NULL,
    LEAT_T_BOOL,
    LEAT_T_INT,
    LEAT_T_UINT,
    LEAT_T_DOUBLE,
    LEAT_T_STRING,
    LEAT_T_BYTES,
    LEAT_T_TIMESTAMP,
    LEAT_T_DURATION,
    LEAT_T_LIST,   /* of item */
    LEAT_T_MAP,    /* of item, under keys of `key` */
    LEAT_T_RECORD, /* these fields, and others that cannot be named */
    LEAT_T_TYPE,   /* a type as a value */
};

struct leat_type_field {
    struct leat_slice name;
    const struct leat_type *type;
    struct leat_mark mark; /* where the schema gives it */
};

struct leat_type {
    enum leat_type_kind kind;
    bool optional;                        /* "double?": absent reads null */
    const struct leat_type *item;         /* LIST, MAP; NULL: any */
    const struct leat_type_field *fields; /* RECORD */
    uint32_t count;
    const struct leat_type *key; /* MAP; NULL: any */
};

/* By kind; for LIST, MAP and RECORD of anything. */
LEAT_API const struct leat_type *leat_type_of_kind(enum leat_type_kind kind);
LEAT_API const struct leat_type_field *leat_type_find(const struct leat_type *record,
                                                      struct leat_slice name);
/* "list of int", into `room` bytes; returns `into`. */
LEAT_API const char *leat_type_name(const struct leat_type *t, char *into, size_t room);

/* Read a schema (pipeline-file: "double?", [int], { a: string }). NULL after an error in diags. */
LEAT_API const struct leat_type *leat_type_read(const struct leat_node *node,
                                                struct leat_arena *arena, struct leat_diags *diags);

/* v as the schema wants it: an int for `double`, a double without fraction for `int`, RFC 3339 text
 * for `timestamp`; with `from_text` (CSV) text for any scalar, empty text as null for an optional
 * one. An absent value of an optional type is null. Else an error value that says what was expected
 * and what came. `arena` holds what has to be made anew (items of lists). */
LEAT_API struct leat_value leat_type_convert(const struct leat_type *t, struct leat_value v,
                                             bool from_text, struct leat_arena *arena);

#endif
