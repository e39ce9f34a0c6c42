/*
 * node.h - a parsed tree of settings, in which everything knows where the user wrote it.
 *
 * config/ makes it from a YAML file and the C library by hand; the planner and the option tables
 * read it. It is plain data in one arena and holds no type that the text did not have: a scalar is
 * its text after YAML's quotes and escapes (`text`) and knows how it was written (`style`), so that
 * an expression slot gets the text and a number slot parses it.
 *
 * A tree does not know which of its scalars are expressions, and `${env:X}` means nothing in those.
 * So `text` is always as written, and what interpolation made of it stands beside it in `filled`:
 * expression slots read `text`, everybody else reads leat_node_value() or goes through an option
 * table, which does.
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

/* 1-based; line 0: nowhere in the file (a default, the command line). `column` and `len` count
 * characters, not bytes; a tab is one. */
struct leat_mark {
    uint32_t line, column, len;
};

/* What interpolation made of a scalar. `value` has ptr NULL where it could not be done; `problem`
 * then says why. In `as_template` the braces that came from outside are doubled, so that a template
 * shows them instead of evaluating them. */
struct leat_filled {
    struct leat_slice value, as_template;
    struct leat_slice problem; /* ptr NULL: none */
    bool tolerated; /* the problem is a warning: a secret file that is not on this host */
};

struct leat_node {
    enum leat_node_kind kind;
    enum leat_node_style style; /* scalars */
    bool is_null;               /* ~, null, or nothing at all, unquoted */
    bool in_flow;               /* stands in { } or [ ] */
    bool secret;                /* came from ${file:} : never print it */
    bool interpolated;      /* the text is not what stands in the file: marks inside it are vague */
    bool comment_behind;    /* plain scalar, one blank, and a comment */
    struct leat_slice text; /* scalars */
    struct leat_slice tag;  /* "!deleted"; ptr NULL: none */
    struct leat_slice alias; /* the scalar was written as *alias; ptr NULL: it was not */
    struct leat_mark mark;   /* of the first byte of the scalar's own text (behind a quote) */
    struct leat_slice path;  /* "streams.per_city.ops[1].aggregate.revenue" */

    /* The file's own bytes, for marks inside a scalar and for corrected lines; ptr NULL: unknown.
     * `raw`: the scalar as it stands there, from `mark`, without its quotes. `rest`: from where the
     * value begins (tag and quote included) to the end of that line. */
    struct leat_slice raw, rest;
    const struct leat_filled *filled; /* NULL: there is no ${ in the text */

    /* What a program put here in place of text: the reader of the node knows what it is, which for
     * an expression is a struct leat_callable. NULL: nothing. */
    const void *handed;

    /* Maps and lists: children in the order of the file. In a map each child has a key. */
    struct leat_slice key;
    enum leat_node_style key_style;
    struct leat_mark key_mark;
    struct leat_node *first, *next;
    uint32_t count;
};

/* The child of a map under this key, or NULL; NULL for a scalar, a list and NULL. */
const struct leat_node *leat_node_find(const struct leat_node *map, const char *key);

/* Put `child` where a row of children ends, which is &map->first to begin with. */
static inline void leat_node_append(struct leat_node ***end, struct leat_node *child)
{
    child->next = NULL;
    **end = child;
    *end = &child->next;
}

/* A scalar's text with its interpolations done, for whatever is no expression. ptr NULL: they could
 * not be done, see filled->problem. */
struct leat_slice leat_node_value(const struct leat_node *scalar);

/* Position of byte `at` of a scalar's text in the file, for carets inside expressions; len is in
 * bytes of the text, and what follows the line is not underlined. Knows quotes, escapes, folded
 * lines and the indentation of block scalars; of an interpolated scalar and an alias all is
 * underlined. */
struct leat_mark leat_node_mark_at(const struct leat_node *scalar, size_t at, size_t len);

/* Characters in bytes that are valid UTF-8. */
size_t leat_utf8_count(struct leat_slice text);

#endif
