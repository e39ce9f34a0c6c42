/* Damage, torn writes and failures of the disk: engine/store/job_log.c and log_segment.c. */
#include "fault_fs.h"
#include "leat_test.h"
#include "store/job_log.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#define TAIL          65536
#define FLIPS         10000
#define CONFIRM_BYTES 33 /* of a frame that confirms a group */

static struct leat_error err;
static char dir[256], path[300];
static struct fault_fs whole; /* nothing fails, and no disk is waited for */

static void fresh_dir(void)
{
    static int number;

    fault_fs_init(&whole);
    snprintf(dir, sizeof dir, "%s/log%d", leat_test_dir(), number++);
    snprintf(path, sizeof path, "%s/log/00000000000000000001.leatlog", dir);
}

static enum leat_status open_log(const struct leat_fs *fs, struct leat_job_log **log)
{
    return leat_job_log_open(fs, dir, "clicks", 7, 0, log, &err);
}

/* As long as `len` says, and a little more with every n. No byte of it is zero. */
static enum leat_status append(struct leat_job_log *log, uint64_t n, size_t len)
{
    static char bytes[8192];
    struct leat_log_position at = {LEAT_LIT("orders"), LEAT_LIT("orders/0"), (int64_t)n - 1,
                                   (int64_t)n, 5};
    struct leat_log_section section = {LEAT_LIT("out"), {bytes, len}};
    struct leat_log_state states[] = {{LEAT_LIT("a.count.0"), 9, 1, {bytes, len}},
                                      {LEAT_LIT("a.count.0"), 9, 3, {bytes + 1, len + n % 64}}};
    struct leat_log_record r = {.n = n,
                                .clock_ms = (int64_t)n,
                                .partitions = 4,
                                .positions = &at,
                                .positions_count = 1,
                                .sections = &section,
                                .sections_count = 1,
                                .states = states,
                                .states_count = 2};

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(1 + i % 255);
    return leat_job_log_append(log, &r, &err);
}

struct ends {
    int64_t at[200]; /* where record i ends, with what confirms it; 0: where the base does */
    uint64_t count;
};

static void append_to_tail(struct ends *ends)
{
    struct leat_job_log *log;

    fresh_dir();
    OK(open_log(&whole.fs, &log));
    ends->at[0] = leat_fs_posix.length(&leat_fs_posix, path);
    ends->count = 0;
    for (uint64_t n = 1; ends->at[ends->count] < TAIL + 8192; n++) {
        OK(append(log, n, 20 + n * 37 % 900));
        if (n % 7 == 0)
            OK(leat_job_log_confirm(log, n, false, &err));
        ends->at[++ends->count] = leat_fs_posix.length(&leat_fs_posix, path);
    }
    leat_job_log_close(log);
}

/* The segment as it is on disk up to `len`, from memory: 65,536 truncations take their time. */
struct cut_fs {
    struct leat_fs fs; /* only what a view asks for */
    char bytes[TAIL + 2 * 8192];
    int64_t len;
};

static int64_t cut_length(const struct leat_fs *fs, const char *name)
{
    return strstr(name, ".leatlog") ? ((const struct cut_fs *)fs)->len : 4096;
}

static int cut_each(const struct leat_fs *fs, const char *name, void (*fn)(const char *, void *),
                    void *arg)
{
    (void)fs;
    (void)name;
    fn("00000000000000000001.leatlog", arg);
    return 0;
}

static int cut_is_dir(const struct leat_fs *fs, const char *name)
{
    (void)fs;
    return strstr(name, ".leatlog") == NULL;
}

static int64_t cut_read(const struct leat_fs *fs, const char *name, int64_t at, void *into,
                        size_t len)
{
    const struct cut_fs *f = (const struct cut_fs *)fs;
    int64_t left = at < f->len ? f->len - at : 0;
    size_t n = (int64_t)len < left ? len : (size_t)left;

    (void)name;
    memcpy(into, f->bytes + at, n);
    return (int64_t)n;
}

static void every_byte_of_the_last_64_KiB_is_a_place_to_cut(void)
{
    static struct cut_fs cut = {
        .fs = {.length = cut_length, .each = cut_each, .is_dir = cut_is_dir, .read = cut_read}};
    static struct ends ends;
    struct leat_job_log *log;
    uint64_t n;

    mallopt(M_MMAP_THRESHOLD, 1 << 24); /* the same pages again and again */
    mallopt(M_TRIM_THRESHOLD, 1 << 24);
    append_to_tail(&ends);
    n = ends.count;
    cut.len = leat_fs_posix.read(&leat_fs_posix, path, 0, cut.bytes, sizeof cut.bytes);
    CU_ASSERT_EQUAL_FATAL(cut.len, ends.at[n]);
    while (--cut.len > ends.at[ends.count] - TAIL) {
        n -= cut.len < ends.at[n] - (n % 7 == 0 ? CONFIRM_BYTES : 0);
        OK(leat_job_log_view(&cut.fs, dir, &log, &err));
        if (leat_job_log_last(log)->n != n)
            CU_FAIL_FATAL("another record is the last");
        leat_job_log_close(log);
    }
    CU_ASSERT_EQUAL_FATAL(truncate(path, cut.len), 0); /* and the log goes on from there */
    OK(open_log(&leat_fs_posix, &log));
    OK(append(log, n + 1, 100));
    leat_job_log_close(log);
    OK(open_log(&leat_fs_posix, &log));
    CU_ASSERT_EQUAL(leat_job_log_last(log)->n, n + 1);
    leat_job_log_close(log);
}

static void zero(int64_t from, int64_t to)
{
    static const char zeros[8192];
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    CU_ASSERT_EQUAL(pwrite(fd, zeros, (size_t)(to - from), from), to - from);
    close(fd);
}

/* The file has grown, a page of what was written has not reached the disk. */
static void a_sector_of_zeros_in_the_last_record_is_a_torn_tail(void)
{
    struct leat_job_log *log;

    for (int64_t page = 0, pages = 1; page < pages; page++) {
        fresh_dir();
        OK(open_log(&whole.fs, &log));
        OK(append(log, 1, 100));
        int64_t begin = leat_fs_posix.length(&leat_fs_posix, path);
        OK(append(log, 2, 2000));
        leat_job_log_close(log);
        int64_t end = leat_fs_posix.length(&leat_fs_posix, path);
        int64_t from = (begin / 512 + page) * 512, to = from + 512;
        zero(from > begin ? from : begin, to < end ? to : end);
        OK(open_log(&leat_fs_posix, &log));
        CU_ASSERT_EQUAL(leat_job_log_last(log)->n, 1);
        leat_job_log_close(log);
        CU_ASSERT_EQUAL(leat_fs_posix.length(&leat_fs_posix, path), begin);
        pages = (end - 1) / 512 - begin / 512 + 1;
    }
}

/* Not the end of the file: there is a record behind it that was synced later. */
static void a_sector_of_zeros_before_the_last_record_is_refused(void)
{
    struct leat_job_log *log;

    for (int64_t page = 2; page < 6; page++) {
        fresh_dir();
        OK(open_log(&whole.fs, &log));
        OK(append(log, 1, 2000));
        OK(append(log, 2, 100));
        leat_job_log_close(log);
        zero(page * 512, (page + 1) * 512);
        CU_ASSERT_EQUAL(open_log(&leat_fs_posix, &log), LEAT_E_CORRUPT);
    }
    zero(0, 512);
    CU_ASSERT_EQUAL(open_log(&leat_fs_posix, &log), LEAT_E_CORRUPT);
}

/* The head of a record that is not the last: its length cannot be trusted any more. */
static void a_lost_head_is_refused_and_hides_no_record(void)
{
    struct leat_job_log *log;

    fresh_dir();
    OK(open_log(&whole.fs, &log));
    int64_t at = leat_fs_posix.length(&leat_fs_posix, path);
    OK(append(log, 1, 2000));
    OK(append(log, 2, 100));
    leat_job_log_close(log);
    zero(at, (at / 512 + 1) * 512);
    CU_ASSERT_EQUAL(open_log(&leat_fs_posix, &log), LEAT_E_CORRUPT);
    char place[40];
    snprintf(place, sizeof place, "at byte %lld", (long long)at);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, place));
}

static enum leat_status count(void *arg, const struct leat_log_record *r, struct leat_error *e)
{
    (void)e;
    (void)r;
    ++*(uint64_t *)arg;
    return LEAT_OK;
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

static void every_flipped_bit_of_the_log_is_noticed(void)
{
    struct leat_job_log *log;
    char files[64][300];
    uint64_t random = 4711, files_count = 0, noticed = 0;

    fresh_dir();
    OK(open_log(&whole.fs, &log));
    leat_job_log_set_segment_bytes(log, 3000);
    for (uint64_t n = 1; n <= 40; n++)
        OK(append(log, n, 60));
    OK(leat_job_log_confirm(log, 40, true, &err));
    leat_job_log_close(log);
    for (uint64_t n = 1; n <= 40; n++) {
        snprintf(files[files_count], sizeof files[0], "%s/log/%020llu.leatlog", dir,
                 (unsigned long long)n);
        files_count += access(files[files_count], F_OK) == 0;
    }
    CU_ASSERT(files_count > 3);
    for (int i = 0; i < FLIPS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const char *file = files[(random >> 40) % files_count];
        int64_t bytes = leat_fs_posix.length(&leat_fs_posix, file);
        int64_t at = (int64_t)((random >> 20) % (uint64_t)bytes);
        uint64_t records = 0;
        flip(file, at, i & 7);
        enum leat_status status = leat_job_log_view(&leat_fs_posix, dir, &log, &err);
        if (status == LEAT_OK) {
            status = leat_job_log_each(log, 1, 40, count, &records, &err);
            leat_job_log_close(log);
        }
        noticed += status == LEAT_E_CORRUPT;
        if (status != LEAT_E_CORRUPT)
            printf("    %s byte %lld bit %d: %d\n", file, (long long)at, i & 7, status);
        flip(file, at, i & 7);
    }
    CU_ASSERT_EQUAL(noticed, FLIPS);
}

/* What a job does with its log: groups, now and then one that was not committed, a stop. */
static uint64_t use_log(const struct leat_fs *fs, bool *maybe_dropped)
{
    struct leat_job_log *log;
    uint64_t acknowledged = 0;

    *maybe_dropped = false;
    if (open_log(fs, &log) != LEAT_OK)
        return 0;
    leat_job_log_set_segment_bytes(log, 700);
    for (uint64_t n = 1; n <= 9; n++) {
        if (append(log, n, 60) != LEAT_OK)
            break;
        acknowledged = n;
        if (n % 4 == 0) {
            *maybe_dropped = true;
            if (leat_job_log_drop_last(log, &err) != LEAT_OK)
                break;
            acknowledged = n - 1;
            *maybe_dropped = false;
            if (append(log, n, 61) != LEAT_OK)
                break;
            acknowledged = n;
        }
        if (leat_job_log_trim(log, n - 1, INT64_MAX, &err) != LEAT_OK && err.status != LEAT_E_IO)
            CU_FAIL(err.text);
    }
    if (acknowledged == 9 && leat_job_log_confirm(log, 9, true, &err) == LEAT_OK)
        CU_ASSERT_EQUAL(leat_job_log_last(log)->confirmed, 9);
    leat_job_log_close(log);
    return acknowledged;
}

/* The k-th call of the file system fails, or the power with it, for every k. */
static void failures_of_the_file_system_leave_whole_records(void)
{
    for (int crash = 0; crash < 2; crash++)
        for (int k = 1, done = 0; !done; k++) {
            struct fault_fs fault;
            struct leat_job_log *log;
            bool maybe_dropped;
            fault_fs_init(&fault);
            fault.fail_at = k;
            fault.crash = crash;
            fresh_dir();
            uint64_t acknowledged = use_log(&fault.fs, &maybe_dropped);
            done = !fault.hit;
            fault_fs_power_off(&fault);
            OK(open_log(&leat_fs_posix, &log));
            uint64_t last = leat_job_log_last(log)->n, records = 0;
            CU_ASSERT(last + maybe_dropped >= acknowledged && last <= acknowledged + 1);
            OK(leat_job_log_each(log, 1, last, count, &records, &err));
            CU_ASSERT_EQUAL(records, last + 1 - leat_job_log_oldest(log));
            OK(append(log, last + 1, 60));
            leat_job_log_close(log);
        }
}

static void a_full_disk_takes_nothing_and_the_log_goes_on(void)
{
    struct fault_fs fault;
    struct leat_job_log *log;

    fault_fs_init(&fault);
    fresh_dir();
    fault.full = true;
    CU_ASSERT_EQUAL(open_log(&fault.fs, &log), LEAT_E_FULL);
    fault.full = false;
    OK(open_log(&fault.fs, &log));
    leat_job_log_set_segment_bytes(log, 700);
    for (uint64_t n = 1; n <= 9; n++) {
        fault.full = true;
        CU_ASSERT_EQUAL(append(log, n, 60), LEAT_E_FULL);
        CU_ASSERT_EQUAL(leat_job_log_last(log)->n, n - 1);
        fault.full = false;
        OK(append(log, n, 60));
    }
    leat_job_log_close(log);
    OK(open_log(&leat_fs_posix, &log));
    CU_ASSERT_EQUAL(leat_job_log_last(log)->n, 9);
    leat_job_log_close(log);
}

static void a_failed_sync_is_never_tried_again(void)
{
    struct fault_fs fault;
    struct leat_job_log *log;

    fault_fs_init(&fault);
    fresh_dir();
    OK(open_log(&fault.fs, &log));
    OK(append(log, 1, 60));
    fault.sync_bad = fault.syncs + 1;
    CU_ASSERT_EQUAL(append(log, 2, 60), LEAT_E_BROKEN);
    int syncs = fault.syncs;
    CU_ASSERT_EQUAL(append(log, 2, 60), LEAT_E_BROKEN);
    CU_ASSERT_EQUAL(leat_job_log_drop_last(log, &err), LEAT_E_BROKEN);
    CU_ASSERT_EQUAL(fault.syncs, syncs);
    leat_job_log_close(log);
}

LEAT_TESTS("job_log_damage", T(every_byte_of_the_last_64_KiB_is_a_place_to_cut),
           T(a_sector_of_zeros_in_the_last_record_is_a_torn_tail),
           T(a_sector_of_zeros_before_the_last_record_is_refused),
           T(a_lost_head_is_refused_and_hides_no_record),
           T(every_flipped_bit_of_the_log_is_noticed),
           T(failures_of_the_file_system_leave_whole_records),
           T(a_full_disk_takes_nothing_and_the_log_goes_on), T(a_failed_sync_is_never_tried_again))
