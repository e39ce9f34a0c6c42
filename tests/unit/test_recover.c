/* Tests engine/run/recover.c: every row of what a log and the other side can say of each other. */
#include "leat_test.h"
#include "run/recover.h"

static struct leat_error err;

struct row {
    uint64_t n, confirmed;
    const char *marker;
    struct leat_decided known[3];
    uint32_t count;
    int64_t with, without; /* where the log has "t/0"; -1: it does not know it */
};

#define EPOCH 7

#define OURS(p, at, number)                                                                        \
    {                                                                                              \
        .partition = LEAT_LIT(p), .next = (at), .by = LEAT_DECIDED_OURS, .epoch = EPOCH,           \
        .n = (number)                                                                              \
    }

static bool position(const void *arg, struct leat_slice partition, int64_t *with, int64_t *without)
{
    const struct row *row = arg;

    *with = row->with;
    *without = row->without;
    return row->with >= 0 && leat_slice_eq(partition, LEAT_LIT("t/0"));
}

static enum leat_status decide(const struct row *row, enum leat_recover_verdict *verdict)
{
    const struct leat_recovery r = {.dir = "DIR",
                                    .n = row->n,
                                    .confirmed = row->confirmed,
                                    .epoch = EPOCH,
                                    .marker = leat_slice_str(row->marker),
                                    .position = position,
                                    .arg = row,
                                    .known = row->known,
                                    .known_count = row->count};

    return leat_recover_decide(&r, verdict, &err);
}

static void goes_on(const struct row *row, enum leat_recover_verdict expected)
{
    enum leat_recover_verdict verdict;

    OK(decide(row, &verdict));
    CU_ASSERT_EQUAL(verdict, expected);
}

/* Says what both sides have, and both ways out. */
static void refuses(const struct row *row, const char *const *words)
{
    enum leat_recover_verdict verdict;

    err.text[0] = 0;
    CU_ASSERT_EQUAL(decide(row, &verdict), LEAT_E_LOST);
    CU_ASSERT_EQUAL(leat_status_exit_code(LEAT_E_LOST), 1);
    for (; *words; words++) {
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, *words));
        if (!strstr(err.text, *words))
            printf("no '%s' in: %s\n", *words, err.text);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "DIR"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "--accept-offsets"));
}

#define REFUSES(row, ...) refuses(row, (const char *const[]){__VA_ARGS__, NULL})

static void a_new_job_begins(void)
{
    goes_on(&(struct row){.with = -1}, LEAT_RECOVER_FRESH);
}

static void positions_of_others_are_taken_over_by_a_new_job(void)
{
    goes_on(
        &(struct row){
            .known = {{.partition = LEAT_LIT("t/0"),
                       .next = 5,
                       .by = LEAT_DECIDED_AT_LEAST_ONCE,
                       .n = 9},
                      {.partition = LEAT_LIT("t/1"), .next = 5, .by = LEAT_DECIDED_FOREIGN}},
            .count = 2,
            .with = -1},
        LEAT_RECOVER_FRESH);
}

static void a_marker_from_before_the_first_batch_binds_nobody(void)
{
    goes_on(&(struct row){.known = {OURS("t/0", 5, 0)}, .count = 1, .with = -1},
            LEAT_RECOVER_FRESH);
}

static void a_record_whose_batch_was_committed_stands(void)
{
    goes_on(&(struct row){3, 2, "t/0", {OURS("t/0", 10, 3)}, 1, 10, 8}, LEAT_RECOVER_GO_ON);
    goes_on(&(struct row){3, 3, "t/0", {OURS("t/0", 10, 3)}, 1, 10, 8}, LEAT_RECOVER_GO_ON);
}

static void a_record_whose_batch_was_not_committed_goes(void)
{
    goes_on(&(struct row){3, 2, "t/0", {OURS("t/0", 8, 2)}, 1, 10, 8}, LEAT_RECOVER_DROP);
    goes_on(&(struct row){1, 0, "t/0", {OURS("t/0", 8, 0)}, 1, 10, 8}, LEAT_RECOVER_DROP);
}

static void the_first_record_without_any_marker_is_not_guessed_about(void)
{
    REFUSES((&(struct row){1, 0, "t/0", {{.n = 0}}, 0, 10, 8}), "batch 1", "t/0", "forgotten");
}

static void a_forgotten_marker_of_a_confirmed_batch_is_set_again(void)
{
    goes_on(&(struct row){3, 3, "t/0", {{.n = 0}}, 0, 10, 8}, LEAT_RECOVER_MARK);
}

static void a_forgotten_marker_of_a_batch_that_nobody_knows_of_is_refused(void)
{
    REFUSES((&(struct row){3, 2, "t/0", {{.n = 0}}, 0, 10, 8}), "batch 3", "forgotten the marker");
}

static void a_log_that_is_gone_is_refused(void)
{
    struct row row = {.known = {OURS("t/0", 10, 4), OURS("t/1", 10, 0)}, .count = 1, .with = -1};

    row.known[0].epoch = 0xabc;
    REFUSES(&row, "gone", "'t/0'", "up to 10", "batch 4");
    row.count = 2; /* that was accepted: the log's own marker is there */
    goes_on(&row, LEAT_RECOVER_FRESH);
}

static void a_log_of_another_life_is_refused(void)
{
    struct row row = {3, 3, "t/0", {OURS("t/0", 10, 3)}, 1, 10, 8};

    row.known[0].epoch = 0xabc;
    REFUSES(&row, "00000007", "00000abc", "different lives");
}

static void a_log_that_is_older_than_the_broker_is_refused(void)
{
    REFUSES((&(struct row){3, 3, "t/0", {OURS("t/0", 30, 9)}, 1, 10, 8}), "batch 3", "batch 9",
            "the log is older");
}

static void a_broker_that_is_older_than_the_log_is_refused(void)
{
    REFUSES((&(struct row){9, 8, "t/0", {OURS("t/0", 10, 3)}, 1, 30, 28}), "batch 9", "batch 3",
            "older");
    REFUSES((&(struct row){9, 9, "t/0", {OURS("t/0", 28, 8)}, 1, 30, 28}), "batch 9", "batch 8",
            "lost a batch");
}

static void positions_that_were_moved_by_hand_are_refused(void)
{
    struct row row = {3, 3, "m/0", {OURS("m/0", 1, 3), OURS("t/0", 44, 3)}, 2, 10, 8};

    row.known[1].by = LEAT_DECIDED_FOREIGN;
    REFUSES(&row, "'t/0'", "44", "10", "somebody else");
    row.known[1].next = 10; /* where it stands anyway */
    goes_on(&row, LEAT_RECOVER_GO_ON);
    row.known[0].by = LEAT_DECIDED_FOREIGN;
    REFUSES(&row, "'m/0'", "somebody else", "batch 3");
    row.known[0].by = LEAT_DECIDED_AT_LEAST_ONCE;
    REFUSES(&row, "'m/0'", "an at_least_once run");
}

static void a_dropped_batch_is_held_against_the_positions_before_it(void)
{
    goes_on(&(struct row){3, 2, "m/0", {OURS("m/0", 1, 2), OURS("t/0", 8, 2)}, 2, 10, 8},
            LEAT_RECOVER_DROP);
    REFUSES((&(struct row){3, 2, "m/0", {OURS("m/0", 1, 2), OURS("t/0", 10, 2)}, 2, 10, 8}),
            "'t/0'", "10", "8");
}

static void an_at_least_once_job_with_a_log_is_taken_over(void)
{
    struct row row = {5, 5, "", {{.partition = LEAT_LIT("t/0"), .next = 8, .n = 4}}, 1, 10, 8};

    row.known[0].by = LEAT_DECIDED_AT_LEAST_ONCE;
    goes_on(&row, LEAT_RECOVER_MARK);
    row.known[0].n = 6;
    row.known[0].next = 12;
    REFUSES(&row, "'t/0'", "12", "10", "older");
}

static void partitions_that_the_log_does_not_know_say_nothing(void)
{
    goes_on(&(struct row){3,
                          3,
                          "m/0",
                          {OURS("m/0", 1, 3),
                           {.partition = LEAT_LIT("x/0"), .next = 9, .by = LEAT_DECIDED_FOREIGN}},
                          2,
                          10,
                          8},
            LEAT_RECOVER_GO_ON);
}

static void without_a_decider_only_an_unended_transaction_is_refused(void)
{
    struct leat_recovery r = {.dir = "DIR", .n = 3, .confirmed = 2};

    OK(leat_recover_alone(&r, &err));
    r.marker = LEAT_LIT("t/0");
    CU_ASSERT_EQUAL(leat_recover_alone(&r, &err), LEAT_E_LOST);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "leat state reset"));
    r.confirmed = 3;
    OK(leat_recover_alone(&r, &err));
}

LEAT_TESTS("recover", T(a_new_job_begins), T(positions_of_others_are_taken_over_by_a_new_job),
           T(a_marker_from_before_the_first_batch_binds_nobody),
           T(a_record_whose_batch_was_committed_stands),
           T(a_record_whose_batch_was_not_committed_goes),
           T(the_first_record_without_any_marker_is_not_guessed_about),
           T(a_forgotten_marker_of_a_confirmed_batch_is_set_again),
           T(a_forgotten_marker_of_a_batch_that_nobody_knows_of_is_refused),
           T(a_log_that_is_gone_is_refused), T(a_log_of_another_life_is_refused),
           T(a_log_that_is_older_than_the_broker_is_refused),
           T(a_broker_that_is_older_than_the_log_is_refused),
           T(positions_that_were_moved_by_hand_are_refused),
           T(a_dropped_batch_is_held_against_the_positions_before_it),
           T(an_at_least_once_job_with_a_log_is_taken_over),
           T(partitions_that_the_log_does_not_know_say_nothing),
           T(without_a_decider_only_an_unended_transaction_is_refused))
