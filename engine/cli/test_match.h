/*
 * test_match.h - does a record look as a test of a pipeline file says?
 */
#ifndef LEAT_CLI_TEST_MATCH_H
#define LEAT_CLI_TEST_MATCH_H

#include "config/pipeline_test.h"
#include "op/view.h"

/* A record that came out, decoded. */
struct cli_got_row {
    struct leat_value key, value;
    int64_t time_ms;
    bool is_matched;
};

/* Given fields must match; `exact`: no others. Numbers across types (doubles within 1e-9), text
 * matches a timestamp or duration that it stands for. */
bool cli_row_matches(const struct config_test_row *expected, const struct cli_got_row *got,
                     bool exact, struct leat_arena *arena);

/* As JSON, for a failure, after what of key and time is asked for. */
struct cli_row_shown {
    bool key, time;
};
struct leat_slice cli_row_text(const struct cli_got_row *row, struct cli_row_shown shown,
                               struct leat_arena *arena);

/* `where:` over the columns LEAT_COL_KEY and LEAT_COL_THIS; NULL after mistakes, which are in
 * diags. */
const struct leat_program *cli_where_compile(const struct leat_node *where,
                                             struct leat_shapes *shapes, struct leat_arena *arena,
                                             struct leat_diags *diags);
/* Compiles every `where:` of the tests for its mistakes. */
void cli_where_check(const struct config_test *tests, struct leat_shapes *shapes,
                     struct leat_diags *diags);

#endif
