/* Tests engine/store/job_log.c and log_record.c. */
#include "base/crc32c.h"
#include "base/mem.h"
#include "fault_fs.h"
#include "leat_test.h"
#include "store/job_log.h"

#include <stdio.h>
#include <unistd.h>

static struct leat_error err;
static char dir[256], path[300];

static void fresh_dir(void)
{
    static int number;

    snprintf(dir, sizeof dir, "%s/log%d", leat_test_dir(), number++);
    snprintf(path, sizeof path, "%s/log/00000000000000000001.leatlog", dir);
}

static struct leat_job_log *open_log(const struct leat_fs *fs)
{
    struct leat_job_log *log;

    OK(leat_job_log_open(fs, dir, "clicks", 7, &log, &err));
    return log;
}

static enum leat_status append(struct leat_job_log *log, uint64_t n, const char *part, int64_t next)
{
    struct leat_log_position at = {LEAT_LIT("orders"), leat_slice_str(part), next - 1, next, 5};
    struct leat_log_watermark mark = {LEAT_LIT("orders"), (int64_t)n * 10, (int64_t)n * 11};
    struct leat_log_section section = {LEAT_LIT("out"), leat_slice_str(part)};
    struct leat_log_record r = {.epoch = 1,
                                .n = n,
                                .batch_time_ms = (int64_t)n * 1000,
                                .positions = &at,
                                .positions_count = 1,
                                .watermarks = &mark,
                                .watermarks_count = 1,
                                .sections = &section,
                                .sections_count = 1};
    return leat_job_log_append(log, &r, &err);
}

static int64_t position(const struct leat_job_log *log, const char *part)
{
    int64_t next = -1;

    leat_job_log_position(log, LEAT_LIT("orders"), leat_slice_str(part), &next);
    return next;
}

static void the_checksum_is_castagnolis(void)
{
    CU_ASSERT_EQUAL(leat_crc32c(LEAT_LIT("123456789")), 0xe3069283);
}

static void records_are_there_again_after_a_restart(void)
{
    fresh_dir();
    struct leat_job_log *log = open_log(&leat_fs_posix);
    CU_ASSERT_EQUAL(leat_job_log_last(log)->n, 0);
    OK(append(log, 1, "orders/0", 10));
    OK(append(log, 2, "orders/1", 20));
    OK(append(log, 3, "orders/0", 30));
    leat_job_log_close(log);
    log = open_log(&leat_fs_posix);
    const struct leat_log_record *last = leat_job_log_last(log);
    CU_ASSERT_EQUAL(last->n, 3);
    CU_ASSERT_EQUAL(last->batch_time_ms, 3000);
    CU_ASSERT_EQUAL(last->watermarks[0].now_ms, 30);
    CU_ASSERT(leat_slice_eq(last->sections[0].bytes, LEAT_LIT("orders/0")));
    CU_ASSERT_EQUAL(position(log, "orders/0"), 30);
    CU_ASSERT_EQUAL(position(log, "orders/1"), 20);
    CU_ASSERT_EQUAL(position(log, "orders/2"), -1);
    leat_job_log_close(log);
}

static void put_file(const char *bytes, size_t len)
{
    FILE *f = fopen(path, "wb");

    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(bytes, 1, len, f), len);
    fclose(f);
}

/* The second record ends early, or is followed or replaced by zeros. */
static void a_torn_tail_is_cut_at_every_byte(void)
{
    char bytes[1024] = {0};

    fresh_dir();
    struct leat_job_log *log = open_log(&leat_fs_posix);
    OK(append(log, 1, "orders/0", 10));
    int64_t whole = leat_fs_posix.length(&leat_fs_posix, path);
    OK(append(log, 2, "orders/0", 20));
    leat_job_log_close(log);
    int64_t all = leat_fs_posix.length(&leat_fs_posix, path);
    CU_ASSERT_EQUAL(leat_fs_posix.read(&leat_fs_posix, path, 0, bytes, sizeof bytes), all);
    for (int64_t at = all - 1; at >= whole; at--)
        for (int zeros = 0; zeros < 2; zeros++) {
            bytes[at] = 0;
            put_file(bytes, (size_t)(zeros ? all : at));
            log = open_log(&leat_fs_posix);
            CU_ASSERT_EQUAL(leat_job_log_last(log)->n, 1);
            CU_ASSERT_EQUAL(position(log, "orders/0"), 10);
            leat_job_log_close(log);
            CU_ASSERT_EQUAL(leat_fs_posix.length(&leat_fs_posix, path), whole);
        }
    log = open_log(&leat_fs_posix);
    OK(append(log, 2, "orders/0", 21));
    leat_job_log_close(log);
    log = open_log(&leat_fs_posix);
    CU_ASSERT_EQUAL(position(log, "orders/0"), 21);
    leat_job_log_close(log);
}

static void damage_in_the_middle_is_refused_with_its_place(void)
{
    fresh_dir();
    struct leat_job_log *log = open_log(&leat_fs_posix);
    OK(append(log, 1, "orders/0", 10));
    OK(append(log, 2, "orders/0", 20));
    leat_job_log_close(log);
    FILE *f = fopen(path, "r+b");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fseek(f, 400, SEEK_SET);
    fputc('!', f);
    fclose(f);
    CU_ASSERT_EQUAL(leat_job_log_open(&leat_fs_posix, dir, "clicks", 7, &log, &err),
                    LEAT_E_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is damaged at byte"));
}

static void another_file_is_refused(void)
{
    fresh_dir();
    leat_job_log_close(open_log(&leat_fs_posix));
    FILE *f = fopen(path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fputs("something else altogether", f);
    fclose(f);
    struct leat_job_log *log;
    CU_ASSERT_EQUAL(leat_job_log_open(&leat_fs_posix, dir, "clicks", 7, &log, &err),
                    LEAT_E_CORRUPT);
}

static int64_t bytes_of_log(void)
{
    return leat_fs_posix.length(&leat_fs_posix, path);
}

/* 16 MiB make it begin another segment, which knows all that was before. */
static void a_large_segment_is_followed_by_another(void)
{
    char *large = malloc(1 << 20);
    struct leat_log_section section = {LEAT_LIT("out"), {large, 1 << 20}};
    struct leat_log_record r = {.n = 1, .sections = &section, .sections_count = 1};

    fresh_dir();
    memset(large, 'x', 1 << 20);
    struct leat_job_log *log = open_log(&leat_fs_posix);
    OK(append(log, 1, "orders/0", 10));
    for (r.n = 2; r.n < 20; r.n++)
        OK(leat_job_log_append(log, &r, &err));
    OK(append(log, 20, "orders/1", 20));
    CU_ASSERT(bytes_of_log() < 17 << 20);
    snprintf(path, sizeof path, "%s/log/00000000000000000018.leatlog", dir);
    CU_ASSERT(bytes_of_log() > 3 << 20);
    leat_job_log_close(log);
    log = open_log(&leat_fs_posix);
    CU_ASSERT_EQUAL(leat_job_log_last(log)->n, 20);
    CU_ASSERT_EQUAL(position(log, "orders/0"), 10);
    CU_ASSERT_EQUAL(position(log, "orders/1"), 20);
    CU_ASSERT_EQUAL(leat_job_log_oldest(log), 1);
    leat_job_log_close(log);
    free(large);
}

static void failures_of_the_file_system_leave_whole_records(void)
{
    for (int crash = 0; crash < 2; crash++)
        for (int k = 1; k < 40; k++) {
            struct fault_fs fault;
            struct leat_job_log *log;
            uint64_t acknowledged = 0;
            fault_fs_init(&fault);
            fault.fail_at = k;
            fault.crash = crash;
            fresh_dir();
            if (leat_job_log_open(&fault.fs, dir, "clicks", 7, &log, &err) == LEAT_OK) {
                for (uint64_t n = 1; n <= 5; n++)
                    if (append(log, n, "orders/0", (int64_t)n) == LEAT_OK)
                        acknowledged = n;
                    else
                        break;
                leat_job_log_close(log);
            }
            fault_fs_power_off(&fault);
            log = open_log(&leat_fs_posix);
            CU_ASSERT(leat_job_log_last(log)->n >= acknowledged);
            CU_ASSERT(leat_job_log_last(log)->n <= acknowledged + 1);
            leat_job_log_close(log);
            if (!fault.hit)
                break;
        }
}

static void lack_of_memory_is_reported(void)
{
    LEAT_OOM_SWEEP {
        struct leat_job_log *log;
        fresh_dir();
        enum leat_status status = leat_job_log_open(&leat_fs_posix, dir, "clicks", 7, &log, &err);
        if (status == LEAT_OK) {
            status = append(log, 1, "orders/0", 1);
            leat_job_log_close(log);
        }
        CU_ASSERT_EQUAL(status != LEAT_OK, leat_oom_hit());
    }
}

LEAT_TESTS("job_log", T(the_checksum_is_castagnolis), T(records_are_there_again_after_a_restart),
           T(a_torn_tail_is_cut_at_every_byte), T(damage_in_the_middle_is_refused_with_its_place),
           T(another_file_is_refused), T(a_large_segment_is_followed_by_another),
           T(failures_of_the_file_system_leave_whole_records), T(lack_of_memory_is_reported))
