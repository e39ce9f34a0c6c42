/*
 * pipeline_test.h - the `tests:` of a pipeline file, read into data.
 *
 * A test gives each source its rows, batch by batch, moves the clock, and says what must come out.
 * Everything here is data and not expressions (but for `where`): plain scalars have the types of
 * YAML's core schema, quoted ones are text, timestamps are RFC 3339 text. Whatever can be shown in
 * a failure has its place in the file.
 *
 * Lists are in the order of the file. All of it borrows from the node tree and lives in the arena.
 */
#ifndef LEAT_CONFIG_PIPELINE_TEST_H
#define LEAT_CONFIG_PIPELINE_TEST_H

#include "data/value.h"
#include "plan/spec.h"

/* One record. Written as its value alone or, where they matter, as a map of `value` with one or
 * more of `key`, `time` and `headers`, and nothing else in it. */
struct config_test_row {
    struct config_test_row *next;
    const struct leat_node *node; /* node->mark: where it is written */
    struct leat_value value;      /* maps are LEAT_MAP */
    struct leat_value key;        /* null unless has_key */
    struct leat_value headers;    /* a map, or null */
    int64_t time_ms;
    bool has_key, has_time;
};

struct config_test_rows {
    struct config_test_row *first;
    uint32_t count;
};

/* Rows of one source in one batch, or of one table. */
struct config_test_feed {
    struct config_test_feed *next;
    struct leat_slice name;
    const struct leat_node *node;
    struct config_test_rows rows;
};

/* One entry of `batches`: a batch of rows (feeds; a source that is not named gets none), or the
 * clock that moves on (advance_ms > 0, no feeds). */
struct config_test_step {
    struct config_test_step *next;
    const struct leat_node *node;
    int64_t advance_ms;
    struct config_test_feed *feeds;
};

enum config_test_match {
    CONFIG_TEST_ANY,       /* rows are not looked at: only counts */
    CONFIG_TEST_ORDERED,   /* these, in this order, and no others */
    CONFIG_TEST_UNORDERED, /* these in any order, and no others */
    CONFIG_TEST_CONTAINS,  /* these, and maybe others */
};

struct config_test_expect {
    struct config_test_expect *next;
    struct leat_slice name; /* of a sink, stream or late stream */
    const struct leat_node *node;
    enum config_test_match match;
    struct config_test_rows rows;
    int64_t count, errors;         /* -1: not said */
    bool exact;                    /* a row has no fields beyond those given */
    const struct leat_node *where; /* an expression: only rows for which it is true; NULL: all */
};

struct config_test {
    struct config_test *next;
    struct leat_slice name;
    const struct leat_node *node;
    int64_t clock_ms; /* time of the first batch, since 1970; 2000-01-01 when not said */
    struct config_test_step *steps;
    struct config_test_feed *tables;
    struct config_test_expect *expects;
};

/* Read spec->tests. Names of sources, tables, sinks and streams are looked up in the spec. What is
 * wrong goes to diags; what could be read is in the list all the same. NULL: there are none. */
struct config_test *config_tests_read(const struct leat_spec *spec, struct leat_arena *arena,
                                      struct leat_diags *diags);

/* What a piece of YAML means as data: ints, doubles, true, false and null where they are written
 * plainly, everything else text; lists; maps with text keys. Text is borrowed. A null value when
 * the arena is full, which goes to diags. */
struct leat_value config_node_value(const struct leat_node *node, struct leat_arena *arena,
                                    struct leat_diags *diags);

#endif
