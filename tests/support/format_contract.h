/*
 * format_contract.h - what every format must do: see data/format.h for the words.
 */
#ifndef LEAT_FORMAT_CONTRACT_H
#define LEAT_FORMAT_CONTRACT_H

struct format_case {
    const char *name;
    const char *const *settings;
    const char *const *fields; /* for leat_format.fields; NULL: not called */
    const char *const *good;   /* texts of records that come back as they were; NULL at the end */
    const char *const *bad;    /* texts that are no records; NULL at the end */
};

void contract_what_was_read_is_written_again(const struct format_case *c);
void contract_a_bad_row_harms_no_other(const struct format_case *c);
void contract_rows_outside_the_selection_are_left_alone(const struct format_case *c);
void contract_a_tombstone_is_null_and_null_a_tombstone(const struct format_case *c);
void contract_fields_that_are_not_there_are_absent(const struct format_case *c);
void contract_an_error_is_never_written(const struct format_case *c);
void contract_format_reports_lack_of_memory(const struct format_case *c);

/* clang-format off */
#define LEAT_FORMAT_TEST(case, what) static void what(void) { contract_##what(&(case)); }
#define LEAT_FORMAT_CONTRACT(case)                                                                 \
    LEAT_FORMAT_TEST(case, what_was_read_is_written_again)                                         \
    LEAT_FORMAT_TEST(case, a_bad_row_harms_no_other)                                               \
    LEAT_FORMAT_TEST(case, rows_outside_the_selection_are_left_alone)                              \
    LEAT_FORMAT_TEST(case, a_tombstone_is_null_and_null_a_tombstone)                               \
    LEAT_FORMAT_TEST(case, fields_that_are_not_there_are_absent)                                   \
    LEAT_FORMAT_TEST(case, an_error_is_never_written)                                              \
    LEAT_FORMAT_TEST(case, format_reports_lack_of_memory)
#define LEAT_FORMAT_CONTRACT_TESTS                                                                 \
    T(what_was_read_is_written_again), T(a_bad_row_harms_no_other),                                \
    T(rows_outside_the_selection_are_left_alone), T(a_tombstone_is_null_and_null_a_tombstone),     \
    T(fields_that_are_not_there_are_absent), T(an_error_is_never_written),                         \
    T(format_reports_lack_of_memory)
/* clang-format on */

#endif
