/*
 * test_match.h - does a record look as a test of a pipeline file says?
 */
#ifndef LEAT_CLI_TEST_MATCH_H
#define LEAT_CLI_TEST_MATCH_H

#include "config/pipeline_test.h"

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

/* As JSON, for a failure. */
struct leat_slice cli_row_text(struct leat_value key, struct leat_value value, bool with_key,
                               struct leat_arena *arena);

#endif
