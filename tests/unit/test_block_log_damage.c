/* Damage, torn writes and failures of the disk: engine/store/block_log.c and block_log_read.c. */
#include "block_rows.h"
#include "fault_fs.h"
#include "leat_test.h"
#include "store/block_log.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define QUOTA ((int64_t)1 << 20) /* segments of 64 KiB */
#define FLIPS 4000

static struct leat_error err;
static char dir[256], path[300];
static struct fault_fs whole; /* nothing fails, and no disk is waited for */
static struct leat_budget budget;

static void fresh_dir(void)
{
    static int number;

    fault_fs_init(&whole);
    budget = (struct leat_budget){.cap = (size_t)1 << 30};
    snprintf(dir, sizeof dir, "%s/damage%d", leat_test_dir(), number++);
    snprintf(path, sizeof path, "%s/00000000000000000001.leatblk", dir);
}

static enum leat_status append(struct leat_block_log *log, int64_t from, int64_t to)
{
    struct leat_block *b = block_rows_new(&budget, 0, from, to);
    enum leat_status status = leat_block_log_append(log, &b, 1, &err);

    leat_block_unref(b);
    return status;
}

/* Rows from `from` on as far as they go without damage; *status says how it ended. A row that is
 * not what was written fails the test. */
static int64_t read_all(struct leat_block_log *log, int64_t from, enum leat_status *status)
{
    struct leat_block *b;

    for (;;) {
        struct leat_fetch fetch = {.from = from, .max_bytes = 4096};
        *status = leat_block_log_read(log, &fetch, &budget, &b, &err);
        if (*status != LEAT_OK || !b)
            return from;
        int64_t next = block_rows_check(b, from);
        if (next != b->to)
            CU_FAIL_FATAL("rows that nobody wrote");
        leat_block_unref(b);
        from = next;
    }
}

static int64_t length(void)
{
    return leat_fs_posix.length(&leat_fs_posix, path);
}

static void every_byte_is_a_place_to_cut(void)
{
    static char bytes[32768];
    int64_t ends[24], rows[24];
    enum leat_status status;
    struct leat_block_log *log;
    int count = 0;

    fresh_dir();
    OK(leat_block_log_open(&whole.fs, dir, QUOTA, &log, &err));
    for (int64_t at = 0; count < 24; at = rows[count++]) {
        OK(append(log, at, at + 1 + count % 4));
        rows[count] = at + 1 + count % 4;
        ends[count] = length();
    }
    leat_block_log_close(log);
    int64_t all = leat_fs_posix.read(&leat_fs_posix, path, 0, bytes, sizeof bytes);
    CU_ASSERT_EQUAL_FATAL(all, ends[count - 1]);
    for (int64_t cut = all - 1; cut >= ends[0]; cut--) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        CU_ASSERT_EQUAL(pwrite(fd, bytes, (size_t)cut, 0), cut);
        CU_ASSERT_EQUAL(ftruncate(fd, cut), 0);
        close(fd);
        count -= ends[count - 1] > cut;
        OK(leat_block_log_open(&whole.fs, dir, QUOTA, &log, &err));
        CU_ASSERT_EQUAL(leat_block_log_torn(log), cut - ends[count - 1]);
        CU_ASSERT_EQUAL_FATAL(read_all(log, 0, &status), rows[count - 1]);
        CU_ASSERT_EQUAL(length(), ends[count - 1]); /* the tail is gone */
        if (cut % 16 == 0) {
            OK(append(log, rows[count - 1], rows[count - 1] + 2));
            CU_ASSERT_EQUAL(read_all(log, 0, &status), rows[count - 1] + 2);
        }
        leat_block_log_close(log);
    }
}

static void flip(const char *file, int64_t at, int bit)
{
    int fd = open(file, O_RDWR | O_CLOEXEC);
    char c;

    CU_ASSERT_EQUAL(pread(fd, &c, 1, at), 1);
    c = (char)(c ^ 1 << bit);
    CU_ASSERT_EQUAL(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

/* A flip in the mark at the end of a frame that is not the last harms nothing. All others do. */
static void no_flipped_bit_loses_a_row_or_makes_one(void)
{
    struct leat_block_log *log;
    char files[64][300];
    uint64_t random = 4711, files_count = 0, noticed = 0;
    int64_t at = 0;

    fresh_dir();
    OK(leat_block_log_open(&whole.fs, dir, QUOTA, &log, &err));
    for (; leat_block_log_bytes(log) < 250000; at += 30)
        OK(append(log, at, at + 30));
    leat_block_log_close(log);
    for (uint64_t n = 1; n < 300 && files_count < 64; n++) {
        snprintf(files[files_count], sizeof files[0], "%s/%020llu.leatblk", dir,
                 (unsigned long long)n);
        files_count += access(files[files_count], F_OK) == 0;
    }
    CU_ASSERT(files_count >= 4);
    for (int i = 0; i < FLIPS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const char *file = files[(random >> 40) % files_count];
        int64_t bytes = leat_fs_posix.length(&leat_fs_posix, file);
        int64_t place = (int64_t)((random >> 20) % (uint64_t)bytes), upto = -1;
        flip(file, place, i & 7);
        enum leat_status status = leat_block_log_open(&leat_fs_posix, dir, QUOTA, &log, &err);
        if (status == LEAT_OK) {
            upto = read_all(log, 0, &status);
            leat_block_log_close(log);
        }
        noticed += status == LEAT_E_CORRUPT;
        if (status != LEAT_E_CORRUPT && upto != at) {
            printf("    %s byte %lld bit %d: rows up to %lld\n", file, (long long)place, i & 7,
                   (long long)upto);
            CU_FAIL("a flipped bit was not noticed");
        }
        flip(file, place, i & 7);
    }
    CU_ASSERT(noticed > FLIPS * 99 / 100);
}

static void damage_is_told_with_file_byte_and_what_to_do(void)
{
    struct leat_block_log *log;
    enum leat_status status;

    fresh_dir();
    OK(leat_block_log_open(&whole.fs, dir, QUOTA, &log, &err));
    int64_t at = 0;
    for (; leat_block_log_bytes(log) < 100000; at += 30)
        OK(append(log, at, at + 30));
    leat_block_log_close(log);
    flip(path, 30000, 3);
    OK(leat_block_log_open(&leat_fs_posix, dir, QUOTA, &log, &err));
    CU_ASSERT(read_all(log, 0, &status) > 100);
    CU_ASSERT_EQUAL(status, LEAT_E_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, path));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is damaged at byte "));
    leat_block_log_close(log);
}

struct used {
    int64_t acknowledged, done;
};

/* What a job does with its store: groups, some of which are soon done. */
static struct used use_log(const struct leat_fs *fs)
{
    struct used u = {0};
    struct leat_block_log *log;

    if (leat_block_log_open(fs, dir, QUOTA, &log, &err) != LEAT_OK)
        return u;
    for (int64_t at = 0; at < 1500; at += 150) {
        if (append(log, at, at + 150) != LEAT_OK)
            break;
        u.acknowledged = at + 150;
        if (at % 450 == 0) {
            leat_block_log_done(log, 0, at);
            u.done = at;
        }
        if (leat_block_log_trim(log, &err) != LEAT_OK && err.status != LEAT_E_IO)
            CU_FAIL(err.text);
    }
    if (leat_block_log_settle(log, &err) != LEAT_OK)
        CU_ASSERT(err.status != LEAT_E_CORRUPT);
    leat_block_log_close(log);
    return u;
}

/* The k-th call of the file system fails, or the power with it, for every k. */
static void what_was_acknowledged_is_there_whatever_fails(void)
{
    for (int crash = 0; crash < 2; crash++)
        for (int k = 1, done = 0; !done; k++) {
            struct fault_fs fault;
            struct leat_block_log *log;
            enum leat_status status;
            fresh_dir();
            fault_fs_init(&fault);
            fault.fail_at = k;
            fault.crash = crash;
            struct used u = use_log(&fault.fs);
            done = !fault.hit;
            fault_fs_power_off(&fault);
            OK(leat_block_log_open(&whole.fs, dir, QUOTA, &log, &err));
            struct leat_block_part part = leat_block_log_part(log, 0);
            CU_ASSERT(part.next >= u.acknowledged && part.next <= u.acknowledged + 150);
            CU_ASSERT(part.done <= u.done && part.oldest <= u.done);
            CU_ASSERT_EQUAL(read_all(log, u.done, &status), part.next);
            OK(append(log, part.next, part.next + 3));
            CU_ASSERT_EQUAL(read_all(log, u.done, &status), part.next + 3);
            leat_block_log_close(log);
        }
}

static void a_full_disk_takes_nothing_and_the_store_goes_on(void)
{
    struct fault_fs fault;
    struct leat_block_log *log;
    enum leat_status status;

    fresh_dir();
    fault_fs_init(&fault);
    OK(leat_block_log_open(&fault.fs, dir, QUOTA, &log, &err));
    for (int64_t at = 0; at < 2000; at += 100) {
        fault.full = true;
        CU_ASSERT_EQUAL(append(log, at, at + 100), LEAT_E_FULL);
        CU_ASSERT_EQUAL(leat_block_log_part(log, 0).next, at);
        fault.full = false;
        OK(append(log, at, at + 100));
    }
    CU_ASSERT_EQUAL(read_all(log, 0, &status), 2000);
    leat_block_log_close(log);
    OK(leat_block_log_open(&leat_fs_posix, dir, QUOTA, &log, &err));
    CU_ASSERT_EQUAL(read_all(log, 0, &status), 2000);
    leat_block_log_close(log);
}

/* As it is when a job keeps up: the segment is small for a new one, and large for the disk. */
static void what_is_done_makes_room_on_a_full_disk(void)
{
    struct fault_fs fault;
    struct leat_block_log *log;

    fresh_dir();
    fault_fs_init(&fault);
    OK(leat_block_log_open(&fault.fs, dir, (int64_t)1 << 30, &log, &err));
    OK(append(log, 0, 100));
    int64_t bytes = leat_block_log_bytes(log);
    fault.seen = 0;
    fault.fail_at = 2; /* the write of the blocks, once */
    CU_ASSERT_EQUAL(append(log, 100, 200), LEAT_E_FULL);
    leat_block_log_done(log, 0, 100);
    fault.seen = 0;
    OK(append(log, 100, 200));
    CU_ASSERT(fault.hit && leat_block_log_bytes(log) < bytes * 3 / 2);
    CU_ASSERT_EQUAL(leat_block_log_part(log, 0).oldest, 100);
    leat_block_log_close(log);
}

static void a_failed_sync_is_never_tried_again(void)
{
    struct fault_fs fault;
    struct leat_block_log *log;

    fresh_dir();
    fault_fs_init(&fault);
    OK(leat_block_log_open(&fault.fs, dir, QUOTA, &log, &err));
    OK(append(log, 0, 5));
    fault.sync_bad = fault.syncs + 1;
    CU_ASSERT_EQUAL(append(log, 5, 9), LEAT_E_BROKEN);
    int syncs = fault.syncs;
    CU_ASSERT_EQUAL(append(log, 5, 9), LEAT_E_BROKEN);
    CU_ASSERT_EQUAL(leat_block_log_part(log, 0).next, 5);
    CU_ASSERT_EQUAL(fault.syncs, syncs);
    leat_block_log_close(log);
}

LEAT_TESTS("block_log_damage", T(every_byte_is_a_place_to_cut),
           T(no_flipped_bit_loses_a_row_or_makes_one),
           T(damage_is_told_with_file_byte_and_what_to_do),
           T(what_was_acknowledged_is_there_whatever_fails),
           T(a_full_disk_takes_nothing_and_the_store_goes_on),
           T(what_is_done_makes_room_on_a_full_disk), T(a_failed_sync_is_never_tried_again))
