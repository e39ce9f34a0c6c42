/*
 * schema.h - an Avro schema as it was parsed: types, which may contain themselves.
 *
 * All of it lies in the arena it was parsed into and is read-only afterwards: threads share it.
 */
#ifndef LEAT_AVRO_SCHEMA_H
#define LEAT_AVRO_SCHEMA_H

#include "leat.h"

#define AVRO_SCHEMA_BYTES ((size_t)1024 * 1024) /* longest text of a schema */
#define AVRO_TYPES_MAX    10000                 /* in one schema */
#define AVRO_DEPTH        64                    /* of nested lists, maps and records in a value */

enum avro_kind {
    AVRO_NULL,
    AVRO_BOOLEAN,
    AVRO_INT,
    AVRO_LONG,
    AVRO_FLOAT,
    AVRO_DOUBLE,
    AVRO_BYTES,
    AVRO_STRING,
    AVRO_RECORD,
    AVRO_ENUM,
    AVRO_FIXED,
    AVRO_ARRAY,
    AVRO_MAP,
    AVRO_UNION,
};

/* What a value means beyond its kind; a logical type that is unknown or does not fit its kind is
 * passed over, as the specification wants. */
enum avro_logical {
    AVRO_PLAIN,
    AVRO_DATE,
    AVRO_TIME_MILLIS,
    AVRO_TIME_MICROS,
    AVRO_TIMESTAMP_MILLIS,
    AVRO_TIMESTAMP_MICROS,
    AVRO_TIMESTAMP_NANOS,
    AVRO_DECIMAL,
};

struct avro_names {
    struct leat_slice *list;
    uint32_t count;
};

struct avro_field {
    struct leat_slice name;
    struct avro_names aliases;
    struct avro_type *type;
    bool has_standard;
    struct leat_value standard; /* the default, as the JSON it was written in */
};

struct avro_type {
    enum avro_kind kind;
    enum avro_logical logical;
    uint32_t precision, scale;   /* DECIMAL */
    struct leat_slice name;      /* RECORD, ENUM, FIXED: with its namespace */
    struct avro_names aliases;   /* the same */
    uint32_t count;              /* fields, symbols, branches; bytes of a FIXED */
    struct avro_field *fields;   /* RECORD */
    struct leat_slice *symbols;  /* ENUM */
    struct leat_slice standard;  /* ENUM: for symbols that are not known; ptr NULL: none */
    struct avro_type **branches; /* UNION */
    struct avro_type *item;      /* ARRAY, MAP */
    uint32_t min_bytes;          /* no value is written in fewer */
    uint32_t number;             /* of this schema's types, from 0 */
    bool is_measured;
    struct avro_type *next; /* all types of the schema */
};

struct avro_schema {
    const struct avro_type *root;
    uint32_t types;
    uint64_t fingerprint; /* CRC-64-AVRO of the canonical form */
};

/* Parse the JSON of a schema. Names, kinds, defaults' presence and references are checked; what
 * default stands for which type is checked where it is used. LEAT_E_CONFIG says what is wrong and
 * in which field. `text` is not needed afterwards. */
LEAT_CHECKED enum leat_status avro_schema_parse(struct leat_slice text, struct leat_arena *arena,
                                                struct avro_schema *schema, struct leat_error *err);

/* Append the Parsing Canonical Form of the specification. */
LEAT_CHECKED bool avro_schema_canonical(const struct avro_schema *schema,
                                        struct leat_arena *scratch, struct leat_bytes *into);

/* CRC-64-AVRO (Rabin). */
uint64_t avro_fingerprint(struct leat_slice canonical);

/* "record 'x.Order'", "int", into `room` bytes; returns `into`. */
const char *avro_type_text(const struct avro_type *t, char *into, size_t room);

/* The name without its namespace. */
struct leat_slice avro_short_name(struct leat_slice name);

#endif
