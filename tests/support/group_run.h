/*
 * group_run.h - a keyed operator as the engine runs it, in a test: stage 1, exchange, stage 2.
 *
 * Rows have a text key (or none) and an int value. Aggregators for tests work on that int. Results
 * are collected as lines of text: "key [start,end) value".
 */
#ifndef LEAT_TEST_GROUP_RUN_H
#define LEAT_TEST_GROUP_RUN_H

#include "leat_test.h"
#include "op/group.h"

#define GROUP_PARTS 3

/* Partial results: count, sum, greatest (no inverse), a polynomial hash of the order (no inverse,
 * not commutative), a list. */
extern const struct leat_aggregator test_sum, test_sum_running, test_max, test_order, test_list,
    test_sum_stays;
#define TEST_PARTIAL_SIZE 40
extern bool test_stays_no_longer; /* what test_sum_stays says of keys without panes */
extern uint64_t test_merges;      /* calls of merge, inverse and emit so far */

struct group_row {
    const char *key; /* NULL: null */
    int64_t value, time_ms;
};

struct group_result {
    char key[24];
    struct leat_window window;
    int64_t time_ms, value, count;
    uint64_t batch;
};

struct group_run {
    struct leat_group group;
    struct leat_group_in in;
    struct leat_batch batch;
    int64_t watermark_ms; /* W(N-1), then W(N) */
    void *memory[GROUP_PARTS];
    struct leat_arena state[GROUP_PARTS], task, out_arena, chunk_arena;
    struct leat_chunk chunk, cross, out;
    void *combine;
    struct leat_task_counts counts;
    struct leat_next next; /* both stages push here */
    struct leat_next late;
    bool collecting; /* stage 2 */
    uint64_t late_rows;
    struct leat_frame *frames, **frames_last;

    struct group_result *results;
    size_t results_count, results_room;
};

/* Fill run->group first; agg and partial_size too. */
void group_run_open(struct group_run *run);
void group_run_open_plain(struct group_run *run, bool *ok); /* *ok: there was memory for it */
void group_run_close(struct group_run *run);

/* One batch: `tasks` tasks get the rows in turns of consecutive pieces. W becomes watermark_ms. */
enum leat_status group_run_batch(struct group_run *run, const struct group_row *rows, size_t count,
                                 unsigned tasks, int64_t batch_time_ms, int64_t watermark_ms,
                                 struct leat_error *err);
void group_run_clear(struct group_run *run); /* forget results */

/* State of all partitions to a new run, by snapshot or by delta. */
void group_run_copy(struct group_run *from, struct group_run *to, bool delta);

void group_results_sort(struct group_result *list, size_t count);
bool group_results_equal(const struct group_result *a, size_t na, const struct group_result *b,
                         size_t nb);
void group_results_print(const struct group_result *list, size_t count);

#endif
