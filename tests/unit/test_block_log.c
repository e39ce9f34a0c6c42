/* Tests engine/store/block_log.c and block_log_read.c: what comes in, comes out, until it is done.
 */
#include "block_rows.h"
#include "fault_fs.h"
#include "leat_test.h"
#include "store/block_log.h"

#include <stdio.h>

#define QUOTA ((int64_t)1 << 30)

static struct leat_error err;
static char dir[256];
static struct fault_fs whole; /* nothing fails, and no disk is waited for */
static struct leat_budget budget;

static void fresh_dir(void)
{
    static int number;

    fault_fs_init(&whole);
    budget = (struct leat_budget){.cap = (size_t)1 << 30};
    snprintf(dir, sizeof dir, "%s/job%d/store/lines", leat_test_dir(), number++);
}

static struct leat_block_log *open_log(int64_t quota)
{
    struct leat_block_log *log;

    OK(leat_block_log_open(&whole.fs, dir, quota, &log, &err));
    return log;
}

static enum leat_status append(struct leat_block_log *log, uint32_t part, int64_t from, int64_t to)
{
    struct leat_block *b = block_rows_new(&budget, part, from, to);
    enum leat_status status = leat_block_log_append(log, &b, 1, &err);

    leat_block_unref(b);
    return status;
}

/* Everything of the part from `from` on; returns the number behind the last row. */
static int64_t read_all(struct leat_block_log *log, uint32_t part, int64_t from, size_t max_bytes)
{
    struct leat_block *b;

    for (;;) {
        struct leat_fetch fetch = {.part = part, .from = from, .max_bytes = max_bytes};
        OK(leat_block_log_read(log, &fetch, &budget, &b, &err));
        if (!b)
            return from;
        CU_ASSERT_EQUAL(b->from, from);
        CU_ASSERT_EQUAL(b->part, part);
        int64_t next = block_rows_check(b, from);
        CU_ASSERT_EQUAL_FATAL(next, b->to);
        CU_ASSERT_EQUAL(b->at_end, next == leat_block_log_part(log, part).next);
        leat_block_unref(b);
        from = next;
    }
}

static int count_files(void)
{
    int count = 0;
    char command[400];

    snprintf(command, sizeof command, "ls %s | wc -l", dir);
    FILE *p = popen(command, "r");
    CU_ASSERT_EQUAL(fscanf(p, "%d", &count), 1);
    pclose(p);
    return count;
}

static void rows_are_read_as_they_came_and_again_after_a_restart(void)
{
    fresh_dir();
    struct leat_block_log *log = open_log(QUOTA);
    CU_ASSERT_EQUAL(read_all(log, 0, 0, 4096), 0);
    OK(append(log, 0, 0, 10));
    CU_ASSERT_EQUAL(read_all(log, 0, 0, 4096), 10);
    for (int64_t at = 10; at < 1000; at += 15)
        OK(append(log, 0, at, at + 15));
    CU_ASSERT_EQUAL(read_all(log, 0, 10, 4096), 1000);
    CU_ASSERT_EQUAL(read_all(log, 0, 25, 64), 1000); /* again, block by block */
    leat_block_log_close(log);
    log = open_log(QUOTA);
    CU_ASSERT_EQUAL(leat_block_log_part(log, 0).next, 1000);
    CU_ASSERT_EQUAL(read_all(log, 0, 0, 100000), 1000);
    CU_ASSERT_EQUAL(read_all(log, 0, 17, 100000), 1000); /* within a block */
    OK(append(log, 0, 1000, 1001));
    CU_ASSERT_EQUAL(read_all(log, 0, 1000, 100000), 1001);
    CU_ASSERT_EQUAL(atomic_load(&budget.used), 0);
    leat_block_log_close(log);
}

static void small_blocks_become_one_of_the_size_that_is_asked_for(void)
{
    struct leat_block *b;

    fresh_dir();
    struct leat_block_log *log = open_log(QUOTA);
    for (int64_t at = 0; at < 40; at++)
        OK(append(log, 0, at, at + 1));
    struct leat_fetch fetch = {.part = 0, .from = 0, .max_bytes = 1000000};
    OK(leat_block_log_read(log, &fetch, &budget, &b, &err));
    CU_ASSERT_EQUAL(block_rows_check(b, 0), 40);
    CU_ASSERT(b->at_end);
    leat_block_unref(b);
    fetch.max_bytes = 1500;
    OK(leat_block_log_read(log, &fetch, &budget, &b, &err));
    CU_ASSERT(b->bytes.len > 1000 && b->bytes.len <= 1500 && !b->at_end);
    leat_block_unref(b);
    fetch.max_bytes = 1; /* one larger block is given all the same */
    OK(leat_block_log_read(log, &fetch, &budget, &b, &err));
    CU_ASSERT_EQUAL(block_rows_check(b, 0), 1);
    leat_block_unref(b);
    leat_block_log_close(log);
}

static void no_more_rows_are_put_together_than_a_fetch_wants(void)
{
    fresh_dir();
    struct leat_block_log *log = open_log(QUOTA);
    struct leat_fetch fetch = {.max_bytes = 1 << 20, .max_rows = 5};
    struct leat_block *b;
    int64_t ends[] = {4, 8, 10, 18}, at = 0;

    for (; at < 10; at += 2)
        OK(append(log, 0, at, at + 2));
    OK(append(log, 0, 10, 18)); /* it was written before so few were wanted */
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        OK(leat_block_log_read(log, &fetch, &budget, &b, &err));
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        CU_ASSERT_EQUAL(block_rows_check(b, fetch.from), ends[i]);
        leat_block_unref(b);
        fetch.from = ends[i];
    }
    leat_block_log_close(log);
}

static void partitions_share_the_files_and_are_read_by_themselves(void)
{
    fresh_dir();
    struct leat_block_log *log = open_log(QUOTA);
    for (int64_t at = 0; at < 300; at += 3) {
        struct leat_block *list[] = {block_rows_new(&budget, 0, at, at + 3),
                                     block_rows_new(&budget, 7, 2 * at, 2 * at + 6),
                                     block_rows_new(&budget, 63, at, at + 3)};
        OK(leat_block_log_append(log, list, 3, &err));
        for (int i = 0; i < 3; i++)
            leat_block_unref(list[i]);
    }
    for (int again = 0; again < 2; again++) {
        CU_ASSERT_EQUAL(read_all(log, 7, 0, 777), 600);
        CU_ASSERT_EQUAL(read_all(log, 63, 0, 9999), 300);
        CU_ASSERT_EQUAL(read_all(log, 0, 0, 1), 300);
        CU_ASSERT(leat_block_log_part(log, 63).known && !leat_block_log_part(log, 1).known);
        leat_block_log_close(log);
        log = open_log(QUOTA);
    }
    leat_block_log_close(log);
}

static void what_is_done_goes_and_numbers_go_on(void)
{
    struct leat_block *b;

    fresh_dir();
    struct leat_block_log *log = open_log(1 << 20); /* segments of 64 KiB */
    int64_t at = 0;
    for (; count_files() < 6; at += 100)
        OK(append(log, 0, at, at + 100));
    leat_block_log_done(log, 0, at / 2);
    OK(leat_block_log_trim(log, &err));
    CU_ASSERT(count_files() >= 3 && count_files() <= 4);
    CU_ASSERT_EQUAL(read_all(log, 0, at / 2, 100000), at);
    struct leat_fetch fetch = {.part = 0, .from = 0, .max_bytes = 1000};
    CU_ASSERT_EQUAL(leat_block_log_read(log, &fetch, &budget, &b, &err), LEAT_E_LOST);
    fetch.earliest = true;
    OK(leat_block_log_read(log, &fetch, &budget, &b, &err));
    CU_ASSERT(b->from == 0 && b->to > 100);
    leat_block_unref(b);
    OK(leat_block_log_settle(log, &err));
    CU_ASSERT(count_files() >= 3); /* not all is done */
    leat_block_log_done(log, 0, at);
    OK(leat_block_log_settle(log, &err));
    CU_ASSERT_EQUAL(count_files(), 1);
    CU_ASSERT(leat_block_log_bytes(log) < 200);
    leat_block_log_close(log);
    log = open_log(1 << 20);
    CU_ASSERT_EQUAL(leat_block_log_part(log, 0).next, at);
    CU_ASSERT_EQUAL(leat_block_log_part(log, 0).done, at);
    OK(append(log, 0, at, at + 5));
    CU_ASSERT_EQUAL(read_all(log, 0, at, 100000), at + 5);
    leat_block_log_close(log);
}

static void a_full_quota_takes_nothing_until_something_is_done(void)
{
    fresh_dir();
    struct leat_block_log *log = open_log(1 << 20);
    int64_t at = 0;
    while (append(log, 0, at, at + 100) == LEAT_OK)
        at += 100;
    CU_ASSERT_EQUAL(err.status, LEAT_E_FULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "quota"));
    CU_ASSERT(leat_block_log_bytes(log) <= 1 << 20 && leat_block_log_bytes(log) > 950000);
    CU_ASSERT_EQUAL(read_all(log, 0, 0, 100000), at);
    CU_ASSERT_EQUAL(append(log, 0, at, at + 100), LEAT_E_FULL);
    leat_block_log_done(log, 0, at / 4);
    OK(leat_block_log_trim(log, &err));
    OK(append(log, 0, at, at + 100));
    leat_block_log_done(log, 0, at + 100);
    OK(append(log, 0, at + 100, at + 12000)); /* larger than the quota, and there is nothing else */
    OK(leat_block_log_trim(log, &err));
    CU_ASSERT_EQUAL(count_files(), 1);
    CU_ASSERT_EQUAL(append(log, 0, at + 12000, at + 12001), LEAT_E_FULL);
    CU_ASSERT_EQUAL(read_all(log, 0, at + 100, 100000), at + 12000);
    leat_block_log_close(log);
}

static int64_t append_until_full(struct leat_block_log *log, int64_t at)
{
    while (append(log, 0, at, at + 100) == LEAT_OK)
        at += 100;
    CU_ASSERT_EQUAL_FATAL(err.status, LEAT_E_FULL);
    return at;
}

static void a_disk_without_a_byte_of_room_has_some_again_when_all_is_done(void)
{
    fresh_dir();
    whole.disk = 1 << 20;
    struct leat_block_log *log = open_log(QUOTA);
    int64_t at = append_until_full(log, 0);
    CU_ASSERT_EQUAL(read_all(log, 0, 0, 100000), at);
    CU_ASSERT_EQUAL(append(log, 0, at, at + 100), LEAT_E_FULL);
    whole.used = whole.disk; /* others have taken the rest */
    leat_block_log_done(log, 0, at - 100);
    CU_ASSERT_EQUAL(append(log, 0, at, at + 100), LEAT_E_FULL);
    leat_block_log_done(log, 0, at);
    OK(append(log, 0, at, at + 100));
    CU_ASSERT_EQUAL(read_all(log, 0, at, 100000), at + 100);
    int64_t end = append_until_full(log, at + 100);
    leat_block_log_done(log, 0, at + 100);
    leat_block_log_close(log);
    log = open_log(QUOTA);
    CU_ASSERT_EQUAL(leat_block_log_part(log, 0).done, at);
    CU_ASSERT_EQUAL(read_all(log, 0, at, 100000), end);
    leat_block_log_close(log);
}

/* The job's log knows what was done; the store itself goes on from where its file begins. */
static void a_crash_behind_what_was_emptied_repeats_no_number(void)
{
    fresh_dir();
    whole.disk = 1 << 20;
    struct leat_block_log *log = open_log(QUOTA);
    int64_t at = append_until_full(log, 0);
    leat_block_log_done(log, 0, at);
    whole.full = true; /* the file is emptied, and nothing can be written */
    CU_ASSERT_EQUAL(append(log, 0, at, at + 100), LEAT_E_FULL);
    CU_ASSERT(leat_block_log_bytes(log) < 200);
    fault_fs_power_off(&whole);
    leat_block_log_close(log);
    whole.full = false;
    log = open_log(QUOTA);
    CU_ASSERT_EQUAL(read_all(log, 0, 0, 100000), 0);
    leat_block_log_skip(log, 0, at);
    leat_block_log_done(log, 0, at);
    OK(append(log, 0, at, at + 100));
    leat_block_log_close(log);
    log = open_log(QUOTA);
    CU_ASSERT_EQUAL(read_all(log, 0, at, 100000), at + 100);
    leat_block_log_close(log);
}

static void room_is_left_for_others_on_a_disk_that_the_store_fills(void)
{
    fresh_dir();
    whole.disk = 1 << 20;
    struct leat_block_log *log = open_log(QUOTA);
    append_until_full(log, 0);
    int64_t room = whole.disk - whole.used;
    CU_ASSERT(room >= whole.disk / 32 && room < whole.disk / 8);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "KiB"));
    leat_block_log_close(log);
}

static void numbers_that_the_job_knows_are_not_given_again(void)
{
    fresh_dir();
    struct leat_block_log *log = open_log(QUOTA);
    OK(append(log, 0, 0, 10));
    leat_block_log_skip(log, 0, 50); /* the store is older than the log of the job */
    leat_block_log_done(log, 0, 50);
    OK(append(log, 0, 50, 60));
    CU_ASSERT_EQUAL(read_all(log, 0, 50, 1000), 60);
    leat_block_log_close(log);
    log = open_log(QUOTA);
    CU_ASSERT_EQUAL(read_all(log, 0, 50, 1000), 60);
    leat_block_log_close(log);
}

static void a_segment_that_is_taken_away_is_told(void)
{
    char command[400];
    int64_t from, to, middle = 0;

    fresh_dir();
    struct leat_block_log *log = open_log(1 << 20);
    int64_t at = 0;
    for (; count_files() < 4; at += 100) {
        middle = count_files() == 2 ? at : middle;
        OK(append(log, 0, at, at + 100));
    }
    CU_ASSERT(!leat_block_log_gap(log, 0, &from, &to));
    leat_block_log_close(log);
    snprintf(command, sizeof command, "cd %s && rm $(ls | sed -n 3p)", dir);
    CU_ASSERT_EQUAL(system(command), 0);
    log = open_log(1 << 20);
    CU_ASSERT(leat_block_log_gap(log, 0, &from, &to));
    CU_ASSERT(from > 0 && to > from + 100 && to < at);
    struct leat_fetch fetch = {.part = 0, .from = from, .max_bytes = 1};
    struct leat_block *b;
    OK(leat_block_log_read(log, &fetch, &budget, &b, &err)); /* and it goes on behind them */
    CU_ASSERT(b->from == from && b->to == to + 100);
    leat_block_unref(b);
    leat_block_log_close(log);
}

static void opening_and_reading_report_lack_of_memory(void)
{
    struct leat_block_log *log;
    struct leat_block *b = NULL;

    fresh_dir();
    log = open_log(QUOTA);
    OK(append(log, 0, 0, 10));
    leat_block_log_close(log);
    LEAT_OOM_SWEEP {
        const struct leat_fetch fetch = {.part = 0, .from = 0, .max_bytes = 1};
        b = NULL;
        enum leat_status status = leat_block_log_open(&whole.fs, dir, QUOTA, &log, &err);
        if (status == LEAT_OK) {
            status = leat_block_log_read(log, &fetch, &budget, &b, &err);
            leat_block_unref(b);
            leat_block_log_close(log);
        }
        CU_ASSERT_EQUAL(status, leat_oom_hit() ? LEAT_E_NOMEM : LEAT_OK);
    }
    log = open_log(QUOTA);
    const struct leat_fetch fetch = {.part = 0, .from = 0, .max_bytes = 1};
    budget.cap = 10;
    CU_ASSERT_EQUAL(leat_block_log_read(log, &fetch, &budget, &b, &err), LEAT_E_FULL);
    budget.cap = 1 << 20;
    CU_ASSERT_EQUAL(read_all(log, 0, 0, 1), 10); /* and it is read later */
    leat_block_log_close(log);
}

LEAT_TESTS("block_log", T(rows_are_read_as_they_came_and_again_after_a_restart),
           T(small_blocks_become_one_of_the_size_that_is_asked_for),
           T(no_more_rows_are_put_together_than_a_fetch_wants),
           T(partitions_share_the_files_and_are_read_by_themselves),
           T(what_is_done_goes_and_numbers_go_on),
           T(a_full_quota_takes_nothing_until_something_is_done),
           T(a_disk_without_a_byte_of_room_has_some_again_when_all_is_done),
           T(a_crash_behind_what_was_emptied_repeats_no_number),
           T(room_is_left_for_others_on_a_disk_that_the_store_fills),
           T(numbers_that_the_job_knows_are_not_given_again),
           T(a_segment_that_is_taken_away_is_told), T(opening_and_reading_report_lack_of_memory))
