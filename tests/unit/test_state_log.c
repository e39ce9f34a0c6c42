/* Tests engine/store/state_log_file.c and snapshot.c, on a real job log. */
#include "base/mem.h"
#include "fault_fs.h"
#include "leat_test.h"
#include "store/snapshot.h"
#include "store/store_reset.h"

#include <stdio.h>
#include <unistd.h>

#define PARTITIONS 3

static struct leat_error err;
static char dir[256];
static struct fault_fs whole; /* nothing fails, and no disk is waited for */
static const struct leat_log lines = {"clicks", "state"};

/* A counter per state partition, as an operator would have it; what was read last wins. */
struct seen {
    char text[64];
    uint64_t snapshot_n; /* 0: there was none */
    int deltas;
};

struct job {
    struct leat_job_log *log;
    struct leat_state_log *state;
};

static void fresh_dir(void)
{
    static int number;

    fault_fs_init(&whole);
    snprintf(dir, sizeof dir, "%s/state%d", leat_test_dir(), number++);
}

static enum leat_status open_job(const struct leat_fs *fs, struct job *job)
{
    job->state = NULL;
    if (leat_job_log_open(fs, dir, "clicks", 7, 0, &job->log, &err) != LEAT_OK)
        return err.status;
    leat_job_log_set_segment_bytes(job->log, 2048);
    return leat_state_log_file_open(fs, dir, job->log, PARTITIONS, &lines, &job->state, &err);
}

static void close_job(struct job *job)
{
    if (job->state)
        job->state->backend->close(job->state);
    leat_job_log_close(job->log);
}

static struct leat_log_state state_of(uint32_t q, const char *text)
{
    return (struct leat_log_state){
        .name = LEAT_LIT("clicks.count.0"), .shape = 5, .q = q, .bytes = leat_slice_str(text)};
}

/* Group n changes every partition to "<q>:<n>". */
static enum leat_status log_group(struct job *job, uint64_t n)
{
    struct leat_log_record r = {.n = n, .clock_ms = (int64_t)n * 1000};
    struct leat_log_state states[PARTITIONS];
    char texts[PARTITIONS][32];

    for (uint32_t q = 0; q < PARTITIONS; q++) {
        snprintf(texts[q], sizeof texts[q], "%u:%llu", q, (unsigned long long)n);
        states[q] = state_of(q, texts[q]);
    }
    if (job->state->backend->append(job->state, &r, states, PARTITIONS, &err) != LEAT_OK)
        return err.status;
    return leat_job_log_append(job->log, &r, &err);
}

static enum leat_status write_snapshot(struct job *job, uint32_t q, uint64_t n)
{
    char text[64];

    snprintf(text, sizeof text, "%u:%llu", q, (unsigned long long)n);
    struct leat_log_state entry = state_of(q, text);
    struct leat_snapshot s = {.q = q, .n = n, .entries = &entry, .entries_count = 1};
    return job->state->backend->write(job->state, &s, &err);
}

static enum leat_status snapshot(struct job *job, uint32_t q, uint64_t n)
{
    if (write_snapshot(job, q, n) != LEAT_OK)
        return err.status;
    return job->state->backend->publish(job->state, q, n, &err);
}

static enum leat_status note(void *arg, uint64_t n, bool is_snapshot,
                             const struct leat_log_state *entry, struct leat_error *e)
{
    struct seen *seen = arg;

    (void)e;
    CU_ASSERT(leat_slice_eq(entry->name, LEAT_LIT("clicks.count.0")));
    CU_ASSERT_EQUAL(entry->shape, 5);
    if (is_snapshot)
        CU_ASSERT_EQUAL((size_t)entry->bytes.ptr % LEAT_FS_BLOCK, 0);
    snprintf(seen->text, sizeof seen->text, "%.*s", LEAT_FMT(entry->bytes));
    seen->snapshot_n = is_snapshot ? n : seen->snapshot_n;
    seen->deltas += !is_snapshot;
    return LEAT_OK;
}

static enum leat_status read_q(struct job *job, uint32_t q, uint64_t upto_n, struct seen *seen)
{
    *seen = (struct seen){0};
    return job->state->backend->read(job->state, q, upto_n, note, seen, &err);
}

static void path_of(uint32_t q, uint64_t n, char *path, size_t room)
{
    snprintf(path, room, "%s/state/%u-%llu.snap", dir, q, (unsigned long long)n);
}

static bool is_there(uint32_t q, uint64_t n)
{
    char path[400];

    path_of(q, n, path, sizeof path);
    return access(path, F_OK) == 0;
}

static void flip(const char *path, long at, int bit)
{
    FILE *f = fopen(path, "r+b");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fseek(f, at, SEEK_SET);
    int c = fgetc(f);
    fseek(f, at, SEEK_SET);
    fputc(c ^ 1 << bit, f);
    fclose(f);
}

/* Ten groups; snapshots of q as of 4 and 7. */
static void ten_groups(struct job *job)
{
    fresh_dir();
    OK(open_job(&whole.fs, job));
    for (uint64_t n = 1; n <= 10; n++) {
        OK(log_group(job, n));
        if (n == 4 || n == 7)
            OK(snapshot(job, 1, n));
    }
}

static void reopen(struct job *job)
{
    close_job(job);
    OK(open_job(&whole.fs, job));
}

static void the_newest_snapshot_is_read_and_the_deltas_behind_it(void)
{
    struct seen seen;
    struct job job;

    ten_groups(&job);
    reopen(&job);
    OK(read_q(&job, 1, 10, &seen));
    CU_ASSERT_STRING_EQUAL(seen.text, "1:10");
    CU_ASSERT_EQUAL(seen.snapshot_n, 7);
    CU_ASSERT_EQUAL(seen.deltas, 3);
    OK(read_q(&job, 1, 6, &seen));
    CU_ASSERT_STRING_EQUAL(seen.text, "1:6");
    CU_ASSERT_EQUAL(seen.snapshot_n, 4);
    OK(read_q(&job, 2, 10, &seen));
    CU_ASSERT_STRING_EQUAL(seen.text, "2:10");
    CU_ASSERT_EQUAL(seen.deltas, 10);
    close_job(&job);
}

static void only_the_newest_two_snapshots_are_kept(void)
{
    struct job job;

    ten_groups(&job);
    OK(snapshot(&job, 1, 10));
    CU_ASSERT(!is_there(1, 4));
    CU_ASSERT(is_there(1, 7));
    CU_ASSERT(is_there(1, 10));
    close_job(&job);
}

static void what_was_not_published_is_not_read_and_goes_at_the_next_start(void)
{
    char path[400];
    struct seen seen;
    struct job job;

    ten_groups(&job);
    OK(write_snapshot(&job, 1, 10));
    path_of(1, 10, path, sizeof path);
    strcat(path, ".new");
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    reopen(&job);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    OK(read_q(&job, 1, 10, &seen));
    CU_ASSERT_EQUAL(seen.snapshot_n, 7);
    close_job(&job);
}

static void a_damaged_snapshot_is_passed_over_for_the_one_before_it(void)
{
    char path[400];
    struct seen seen;
    struct job job;

    ten_groups(&job);
    path_of(1, 7, path, sizeof path);
    flip(path, 4097, 3);
    reopen(&job);
    OK(read_q(&job, 1, 10, &seen));
    CU_ASSERT_STRING_EQUAL(seen.text, "1:10");
    CU_ASSERT_EQUAL(seen.snapshot_n, 4);
    CU_ASSERT_EQUAL(seen.deltas, 6);
    close_job(&job);
}

static void with_both_damaged_the_whole_log_is_read_while_it_is_there(void)
{
    char path[400];
    struct seen seen;
    struct job job;

    ten_groups(&job);
    path_of(1, 7, path, sizeof path);
    flip(path, 9, 3);
    path_of(1, 4, path, sizeof path);
    CU_ASSERT_EQUAL(truncate(path, 4096), 0);
    reopen(&job);
    OK(read_q(&job, 1, 10, &seen));
    CU_ASSERT_STRING_EQUAL(seen.text, "1:10");
    CU_ASSERT_EQUAL(seen.snapshot_n, 0);
    CU_ASSERT_EQUAL(seen.deltas, 10);
    close_job(&job);
}

static void old_deltas_go_when_snapshots_cover_them_and_they_were_kept_long_enough(void)
{
    struct leat_job_log *log;
    struct seen seen;
    struct job job;

    fresh_dir();
    OK(open_job(&whole.fs, &job));
    log = job.log;
    for (uint64_t n = 1; n <= 100; n++)
        OK(log_group(&job, n));
    for (uint32_t q = 0; q < PARTITIONS; q++)
        for (uint64_t n = 80; n <= 90 && !(q == 2 && n == 90); n += 10)
            OK(snapshot(&job, q, n));
    OK(job.state->backend->truncate(job.state, INT64_MAX, &err));
    CU_ASSERT_EQUAL(leat_job_log_oldest(log), 1); /* one partition has no older snapshot */
    OK(snapshot(&job, 2, 90));
    OK(job.state->backend->truncate(job.state, 1000, &err));
    CU_ASSERT_EQUAL(leat_job_log_oldest(log), 1); /* too young */
    OK(job.state->backend->truncate(job.state, 40000, &err));
    CU_ASSERT(leat_job_log_oldest(log) > 1 && leat_job_log_oldest(log) <= 40);
    OK(job.state->backend->truncate(job.state, INT64_MAX, &err));
    CU_ASSERT(leat_job_log_oldest(log) > 40 && leat_job_log_oldest(log) <= 81);
    reopen(&job);
    CU_ASSERT(leat_job_log_oldest(job.log) > 40);
    OK(job.state->backend->truncate(job.state, INT64_MAX, &err));
    for (uint32_t q = 0; q < PARTITIONS; q++) {
        char expected[32];
        snprintf(expected, sizeof expected, "%u:100", q);
        OK(read_q(&job, q, 100, &seen));
        CU_ASSERT_STRING_EQUAL(seen.text, expected);
        OK(read_q(&job, q, 85, &seen));
        CU_ASSERT_EQUAL(seen.snapshot_n, 80);
    }
    close_job(&job);
}

static void without_a_whole_snapshot_and_old_deltas_the_state_is_refused(void)
{
    char path[400];
    struct seen seen;
    struct job job;

    fresh_dir();
    OK(open_job(&whole.fs, &job));
    for (uint64_t n = 1; n <= 100; n++)
        OK(log_group(&job, n));
    for (uint32_t q = 0; q < PARTITIONS; q++) {
        OK(snapshot(&job, q, 80));
        OK(snapshot(&job, q, 90));
    }
    OK(job.state->backend->truncate(job.state, INT64_MAX, &err));
    for (int i = 0; i < 2; i++) {
        path_of(1, i ? 90 : 80, path, sizeof path);
        flip(path, 5000, 1);
    }
    reopen(&job);
    CU_ASSERT_EQUAL(read_q(&job, 1, 100, &seen), LEAT_E_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "leat state reset"));
    CU_ASSERT_EQUAL(seen.deltas, 0);
    OK(read_q(&job, 2, 100, &seen));
    close_job(&job);
}

/* As log_group, of a job whose operators remember nothing. */
static enum leat_status log_plain(struct job *job, uint64_t n)
{
    struct leat_log_record r = {.n = n, .clock_ms = (int64_t)n * 1000};

    return leat_job_log_append(job->log, &r, &err);
}

/* The log need not go back for ever, and operators that remember may come later. */
static void without_state_only_the_time_counts(void)
{
    struct seen seen;
    struct job job;

    fresh_dir();
    OK(open_job(&whole.fs, &job));
    for (uint64_t n = 1; n <= 100; n++)
        OK(log_plain(&job, n));
    OK(job.state->backend->truncate(job.state, 50000, &err));
    uint64_t oldest = leat_job_log_oldest(job.log);
    CU_ASSERT(oldest > 20 && oldest <= 51);
    reopen(&job);
    OK(read_q(&job, 1, 100, &seen));
    CU_ASSERT_EQUAL(seen.deltas, 0);
    OK(log_group(&job, 101));
    OK(job.state->backend->truncate(job.state, INT64_MAX, &err));
    CU_ASSERT_EQUAL(leat_job_log_oldest(job.log), oldest);
    reopen(&job);
    OK(read_q(&job, 1, 101, &seen));
    CU_ASSERT_STRING_EQUAL(seen.text, "1:101");
    close_job(&job);
}

/* It had state, which was dropped; then none; now it has some again. */
static void a_snapshot_of_before_the_job_kept_nothing_is_not_read(void)
{
    struct seen seen;
    struct job job;

    ten_groups(&job);
    for (uint64_t n = 11; n <= 100; n++)
        OK(log_plain(&job, n));
    OK(job.state->backend->truncate(job.state, INT64_MAX, &err));
    CU_ASSERT(leat_job_log_oldest(job.log) > 20);
    reopen(&job);
    OK(read_q(&job, 1, 100, &seen));
    CU_ASSERT_EQUAL(seen.snapshot_n, 0);
    OK(log_group(&job, 101));
    OK(read_q(&job, 1, 101, &seen));
    CU_ASSERT_STRING_EQUAL(seen.text, "1:101");
    close_job(&job);
}

/* However often the job starts: the one that waits longest is the next. */
static void the_partition_with_the_oldest_snapshot_is_the_next(void)
{
    struct job job;

    ten_groups(&job);
    CU_ASSERT_EQUAL(job.state->backend->next(job.state), 0);
    OK(snapshot(&job, 0, 8));
    reopen(&job);
    CU_ASSERT_EQUAL(job.state->backend->next(job.state), 2);
    OK(snapshot(&job, 2, 9));
    reopen(&job);
    CU_ASSERT_EQUAL(job.state->backend->next(job.state), 1);
    close_job(&job);
}

/* Entries of all lengths around a block, empty ones too. */
static void a_snapshot_holds_the_bytes_of_every_operator(void)
{
    static const size_t lengths[] = {0, 1, 4095, 4096, 4097, 3 << 20, 0, 70000};
    struct leat_log_state entries[8];
    struct leat_snapshot_image image = {0};
    char path[400], *bytes = malloc(4 << 20);

    fresh_dir();
    snprintf(path, sizeof path, "%s-file.snap", dir);
    for (size_t i = 0; i < 4 << 20; i++)
        bytes[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < 8; i++)
        entries[i] = (struct leat_log_state){
            .name = leat_slice_str(&"abcdefghi"[i]), .shape = i, .bytes = {bytes + i, lengths[i]}};
    struct leat_snapshot s = {.q = 2, .n = 9, .entries = entries, .entries_count = 8};
    OK(leat_snapshot_write(&leat_fs_posix, path, 7, 3, &s, &err));
    OK(leat_snapshot_read(&leat_fs_posix, path, &image, &err));
    CU_ASSERT_EQUAL(image.head.epoch, 7);
    CU_ASSERT_EQUAL(image.head.n, 9);
    CU_ASSERT_EQUAL_FATAL(image.head.count, 8);
    for (uint32_t i = 0; i < 8; i++) {
        struct leat_log_state entry = leat_snapshot_entry(&image, i);
        CU_ASSERT(leat_slice_eq(entry.name, entries[i].name));
        CU_ASSERT(leat_slice_eq(entry.bytes, entries[i].bytes));
        CU_ASSERT_EQUAL(entry.shape, i);
        CU_ASSERT_EQUAL((size_t)entry.bytes.ptr % LEAT_FS_BLOCK, 0);
    }
    leat_snapshot_image_fini(&image);
    free(bytes);
}

static void every_flipped_bit_of_a_snapshot_is_noticed(void)
{
    struct leat_snapshot_image image = {0};
    uint64_t random = 12345;
    char path[400];
    struct job job;

    ten_groups(&job);
    close_job(&job);
    path_of(1, 7, path, sizeof path);
    int64_t bytes = leat_fs_posix.length(&leat_fs_posix, path);
    CU_ASSERT_EQUAL(bytes, 8192);
    OK(leat_snapshot_read(&leat_fs_posix, path, &image, &err));
    leat_snapshot_image_fini(&image);
    for (int i = 0; i < 5000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        /* Half of them where all the bytes are that are not zero. */
        long at = (long)((random >> 33) % (i % 2 ? (uint64_t)bytes : 160));
        flip(path, at, i & 7);
        if (leat_snapshot_read(&whole.fs, path, &image, &err) == LEAT_OK)
            CU_FAIL("not noticed");
        leat_snapshot_image_fini(&image);
        flip(path, at, i & 7);
    }
    OK(leat_snapshot_read(&leat_fs_posix, path, &image, &err));
    leat_snapshot_image_fini(&image);
}

/* Whatever call fails, or the power with it: what is published is whole, and nothing is lost. */
static void failures_of_the_file_system_lose_no_state(void)
{
    for (int crash = 0; crash < 2; crash++)
        for (int k = 1, done = 0; !done; k++) {
            struct fault_fs fault;
            uint64_t logged = 0;
            struct seen seen;
            struct job job;
            fault_fs_init(&fault);
            fault.fail_at = k;
            fault.crash = crash;
            fresh_dir();
            if (open_job(&fault.fs, &job) == LEAT_OK)
                for (uint64_t n = 1; n <= 6 && log_group(&job, n) == LEAT_OK; n++) {
                    logged = n;
                    (void)snapshot(&job, n % 2, n);
                    (void)job.state->backend->truncate(job.state, INT64_MAX, &err);
                }
            close_job(&job);
            done = !fault.hit;
            fault_fs_power_off(&fault);
            OK(open_job(&whole.fs, &job));
            uint64_t last = leat_job_log_last(job.log)->n;
            CU_ASSERT(last >= logged && last <= logged + 1);
            for (uint32_t q = 0; q < PARTITIONS && last; q++) {
                char expected[32];
                snprintf(expected, sizeof expected, "%u:%llu", q, (unsigned long long)last);
                OK(read_q(&job, q, last, &seen));
                CU_ASSERT_STRING_EQUAL(seen.text, expected);
            }
            close_job(&job);
        }
}

static void a_full_disk_is_no_damage(void)
{
    struct fault_fs fault;
    struct seen seen;
    struct job job;

    fault_fs_init(&fault);
    fresh_dir();
    OK(open_job(&fault.fs, &job));
    OK(log_group(&job, 1));
    fault.full = true;
    CU_ASSERT_EQUAL(snapshot(&job, 1, 1), LEAT_E_FULL);
    CU_ASSERT_EQUAL(log_group(&job, 2), LEAT_E_FULL);
    fault.full = false;
    OK(log_group(&job, 2));
    OK(snapshot(&job, 1, 2));
    close_job(&job);
    OK(open_job(&whole.fs, &job));
    OK(read_q(&job, 1, 2, &seen));
    CU_ASSERT_EQUAL(seen.snapshot_n, 2);
    close_job(&job);
}

static void another_lifes_snapshot_is_not_taken(void)
{
    struct leat_log_state entry = state_of(1, "from elsewhere");
    struct leat_snapshot s = {.q = 1, .n = 7, .entries = &entry, .entries_count = 1};
    char path[400];
    struct seen seen;
    struct job job;

    ten_groups(&job);
    path_of(1, 7, path, sizeof path);
    OK(leat_snapshot_write(&leat_fs_posix, path, 8, PARTITIONS, &s, &err));
    OK(read_q(&job, 1, 10, &seen));
    CU_ASSERT_EQUAL(seen.snapshot_n, 4);
    reopen(&job); /* nor does it count among the two that are kept */
    OK(snapshot(&job, 1, 10));
    CU_ASSERT(is_there(1, 4));
    close_job(&job);
}

/* Whatever call fails, state never outlives its log; and the next reset ends it. */
static void a_reset_that_fails_is_finished_by_the_next(void)
{
    struct leat_store_removed removed;
    char path[300];

    for (int k = 1, done = 0; !done; k++) {
        struct fault_fs fault;
        struct job job;
        ten_groups(&job);
        close_job(&job);
        fault_fs_init(&fault);
        fault.fail_at = k;
        enum leat_status status = leat_store_reset(&fault.fs, dir, &removed, &err);
        done = !fault.hit;
        CU_ASSERT(status == LEAT_OK || status == LEAT_E_IO);
        OK(leat_store_count(&leat_fs_posix, dir, &removed, &err));
        CU_ASSERT(status != LEAT_OK || removed.log_files + removed.state_files == 0);
        snprintf(path, sizeof path, "%s/log/00000000000000000001.leatlog", dir);
        CU_ASSERT(access(path, F_OK) == 0 || (!is_there(1, 4) && !is_there(1, 7)));
        OK(leat_store_reset(&leat_fs_posix, dir, &removed, &err));
        OK(leat_store_count(&leat_fs_posix, dir, &removed, &err));
        CU_ASSERT_EQUAL(removed.log_files + removed.state_files, 0);
        OK(open_job(&whole.fs, &job));
        CU_ASSERT_EQUAL(leat_job_log_last(job.log)->n, 0);
        close_job(&job);
    }
}

static void lack_of_memory_is_reported(void)
{
    struct job job;

    ten_groups(&job);
    close_job(&job);
    LEAT_OOM_SWEEP {
        struct seen seen;
        enum leat_status status = open_job(&whole.fs, &job);
        if (status == LEAT_OK)
            status = write_snapshot(&job, 2, 10);
        if (status == LEAT_OK)
            status = read_q(&job, 1, 10, &seen);
        close_job(&job);
        CU_ASSERT_EQUAL(status, leat_oom_hit() ? LEAT_E_NOMEM : LEAT_OK);
    }
}

LEAT_TESTS("state_log", T(the_newest_snapshot_is_read_and_the_deltas_behind_it),
           T(only_the_newest_two_snapshots_are_kept),
           T(what_was_not_published_is_not_read_and_goes_at_the_next_start),
           T(a_damaged_snapshot_is_passed_over_for_the_one_before_it),
           T(with_both_damaged_the_whole_log_is_read_while_it_is_there),
           T(old_deltas_go_when_snapshots_cover_them_and_they_were_kept_long_enough),
           T(without_a_whole_snapshot_and_old_deltas_the_state_is_refused),
           T(without_state_only_the_time_counts),
           T(a_snapshot_of_before_the_job_kept_nothing_is_not_read),
           T(the_partition_with_the_oldest_snapshot_is_the_next),
           T(a_snapshot_holds_the_bytes_of_every_operator),
           T(every_flipped_bit_of_a_snapshot_is_noticed),
           T(failures_of_the_file_system_lose_no_state), T(a_full_disk_is_no_damage),
           T(another_lifes_snapshot_is_not_taken), T(a_reset_that_fails_is_finished_by_the_next),
           T(lack_of_memory_is_reported))
