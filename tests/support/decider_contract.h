/*
 * decider_contract.h - what every decider must do: see data/decider.h for the words.
 *
 * `write` hands rows to the transaction that is open, `visible` tells how many of them a reader of
 * committed data sees, or -1 when it sees what it never should. `clear` empties that world.
 * Lost answers and refusals are made with the failpoints that every decider has.
 */
#ifndef LEAT_DECIDER_CONTRACT_H
#define LEAT_DECIDER_CONTRACT_H

#include "leat.h"

struct decider_case {
    const struct leat_decider *decider;
    /* Empty the world; the options for it. False: it is not to be had, the test is skipped. */
    bool (*clear)(const void **self, const struct leat_env **env);
    void (*write)(void *memory, uint64_t n, int rows);
    int (*visible)(void);
    const char *partitions[2]; /* two that it knows, such as "in/0" */
};

void contract_nothing_is_visible_before_commit(const struct decider_case *c);
void contract_an_abort_leaves_nothing_and_n_may_come_again(const struct decider_case *c);
void contract_positions_come_back_with_their_batch(const struct decider_case *c);
void contract_the_marker_is_in_every_transaction(const struct decider_case *c);
void contract_a_crash_leaves_nothing_of_an_open_transaction(const struct decider_case *c);
void contract_a_successor_fences(const struct decider_case *c);
void contract_recover_tells_how_a_commit_ended(const struct decider_case *c);
void contract_what_was_refused_is_prepared_again(const struct decider_case *c);

/* clang-format off */
#define LEAT_DECIDER_TEST(case, what) static void what(void) { contract_##what(&(case)); }
#define LEAT_DECIDER_CONTRACT(case)                                                                \
    LEAT_DECIDER_TEST(case, nothing_is_visible_before_commit)                                      \
    LEAT_DECIDER_TEST(case, an_abort_leaves_nothing_and_n_may_come_again)                          \
    LEAT_DECIDER_TEST(case, positions_come_back_with_their_batch)                                  \
    LEAT_DECIDER_TEST(case, the_marker_is_in_every_transaction)                                    \
    LEAT_DECIDER_TEST(case, a_crash_leaves_nothing_of_an_open_transaction)                         \
    LEAT_DECIDER_TEST(case, a_successor_fences)                                                    \
    LEAT_DECIDER_TEST(case, recover_tells_how_a_commit_ended)                                      \
    LEAT_DECIDER_TEST(case, what_was_refused_is_prepared_again)
#define LEAT_DECIDER_CONTRACT_TESTS                                                                \
    T(nothing_is_visible_before_commit), T(an_abort_leaves_nothing_and_n_may_come_again),          \
    T(positions_come_back_with_their_batch), T(the_marker_is_in_every_transaction),                \
    T(a_crash_leaves_nothing_of_an_open_transaction), T(a_successor_fences),                       \
    T(recover_tells_how_a_commit_ended), T(what_was_refused_is_prepared_again)
/* clang-format on */

#endif
