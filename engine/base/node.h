/*
 * node.h - a parsed tree of settings, in which everything knows where the user wrote it.
 *
 * config/ makes it from a YAML file and the C library by hand; the planner and the option tables
 * read it. It is plain data in one arena and holds no type that the text did not have: a scalar is
 * its text after YAML's quotes and escapes (`text`) and knows how it was written (`style`), so that
 * an expression slot gets the text and a number slot parses it. Interpolation has been done.
 */
#ifndef LEAT_BASE_NODE_H
#define LEAT_BASE_NODE_H

#include "base/slice.h"

#include <stdint.h>

enum leat_node_kind { LEAT_NODE_SCALAR, LEAT_NODE_MAP, LEAT_NODE_LIST };

enum leat_node_style {
    LEAT_STYLE_PLAIN,
    LEAT_STYLE_SINGLE, /* 'x' */
    LEAT_STYLE_DOUBLE, /* "x" */
    LEAT_STYLE_BLOCK,  /* | or > */
};

/* 1-based; line 0: nowhere in the file (a default, the command line). `len`: bytes to underline. */
struct leat_mark {
    uint32_t line, column, len;
};

struct leat_node {
    enum leat_node_kind kind;
    enum leat_node_style style; /* scalars */
    bool is_null;               /* ~, null, or nothing at all, unquoted */
    bool secret;                /* came from ${file:} : never print it */
    bool interpolated;          /* the text is not what stands in the file: marks inside it are vague */
    struct leat_slice text;     /* scalars */
    struct leat_slice tag;      /* "!deleted"; ptr NULL: none */
    struct leat_slice alias;    /* the scalar was written as *alias; ptr NULL: it was not */
    struct leat_mark mark;      /* of the first byte of the scalar's own text (behind a quote) */
    bool comment_behind;        /* plain scalar with a comment straight after it */
    struct leat_slice path;     /* "streams.per_city.ops[1].aggregate.revenue" */

    /* Maps and lists: children in the order of the file. In a map each child has a key. */
    struct leat_slice key;
    struct leat_mark key_mark;
    struct leat_node *first, *next;
    uint32_t count;
};

/* The child of a map under this key, or NULL; NULL for a scalar, a list and NULL. */
const struct leat_node *leat_node_find(const struct leat_node *map, const char *key);

/* Position of byte `at` of a scalar's text in the file, for carets inside expressions. Exact for
 * plain and single-line quoted scalars without escapes; for block scalars line by line. */
struct leat_mark leat_node_mark_at(const struct leat_node *scalar, size_t at, size_t len);

#endif
