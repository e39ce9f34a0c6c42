/* Tests engine/store/job_log.c and log_record.c. */
#include "base/crc32c.h"
#include "base/failpoint.h"
#include "base/mem.h"
#include "leat_test.h"
#include "store/job_log.h"

#include <stdio.h>
#include <sys/stat.h>
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

    OK(leat_job_log_open(fs, dir, "clicks", 7, 0, &log, &err));
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
    char bytes[70];

    CU_ASSERT_EQUAL(leat_crc32c(LEAT_LIT("123456789")), 0xe3069283);
    CU_ASSERT_EQUAL(leat_crc32c_portable(LEAT_LIT("123456789")), 0xe3069283);
    for (size_t len = 0; len < sizeof bytes; len++) {
        bytes[len] = (char)(len * 37);
        struct leat_slice s = {bytes, len};
        CU_ASSERT_EQUAL(leat_crc32c(s), leat_crc32c_portable(s));
    }
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
            CU_ASSERT_EQUAL(leat_job_log_torn(log), (zeros ? all : at) - whole);
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
    CU_ASSERT_EQUAL(leat_job_log_open(&leat_fs_posix, dir, "clicks", 7, 0, &log, &err),
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
    CU_ASSERT_EQUAL(leat_job_log_open(&leat_fs_posix, dir, "clicks", 7, 0, &log, &err),
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

static void a_record_that_was_never_committed_is_taken_back(void)
{
    fresh_dir();
    struct leat_job_log *log = open_log(&leat_fs_posix);
    OK(append(log, 1, "orders/0", 10));
    OK(append(log, 2, "orders/0", 20));
    OK(append(log, 3, "orders/1", 30));
    OK(leat_job_log_drop_last(log, &err));
    for (int again = 0; again < 2; again++) {
        CU_ASSERT_EQUAL(leat_job_log_last(log)->n, 2);
        CU_ASSERT_EQUAL(position(log, "orders/0"), 20);
        CU_ASSERT_EQUAL(position(log, "orders/1"), -1);
        leat_job_log_close(log);
        log = open_log(&leat_fs_posix);
    }
    OK(append(log, 3, "orders/1", 31));
    CU_ASSERT_EQUAL(position(log, "orders/1"), 31);
    leat_job_log_close(log);
}

/* It is the first of its segment, and then there is none before it there. */
static void the_first_record_of_a_segment_is_taken_back_too(void)
{
    fresh_dir();
    struct leat_job_log *log = open_log(&leat_fs_posix);
    OK(append(log, 1, "orders/0", 10));
    leat_job_log_set_segment_bytes(log, 1);
    for (uint64_t n = 2; n <= 20; n++)
        OK(append(log, n, "orders/0", (int64_t)n * 10));
    uint64_t before = leat_job_log_last(log)->n;
    int64_t base = bytes_of_log();
    OK(append(log, 21, "orders/2", 5));
    OK(leat_job_log_drop_last(log, &err));
    CU_ASSERT_EQUAL(leat_job_log_last(log)->n, before);
    CU_ASSERT_EQUAL(position(log, "orders/0"), 200);
    CU_ASSERT_EQUAL(position(log, "orders/2"), -1);
    CU_ASSERT(leat_slice_eq(leat_job_log_last(log)->sections[0].bytes, LEAT_LIT("orders/0")));
    CU_ASSERT_EQUAL(bytes_of_log(), base);
    leat_job_log_close(log);
}

static void nothing_is_taken_back_twice(void)
{
    fresh_dir();
    struct leat_job_log *log = open_log(&leat_fs_posix);
    OK(append(log, 1, "orders/0", 10));
    OK(leat_job_log_drop_last(log, &err));
    CU_ASSERT_EQUAL(leat_job_log_last(log)->n, 0);
    CU_ASSERT_EQUAL(leat_job_log_drop_last(log, &err), LEAT_E_CORRUPT);
    leat_job_log_close(log);
}

static void what_is_confirmed_is_known_after_a_restart(void)
{
    fresh_dir();
    struct leat_job_log *log = open_log(&leat_fs_posix);
    OK(append(log, 1, "orders/0", 10));
    OK(append(log, 2, "orders/0", 20));
    CU_ASSERT_EQUAL(leat_job_log_last(log)->confirmed, 0);
    OK(leat_job_log_confirm(log, 2, true, &err));
    OK(leat_job_log_confirm(log, 2, true, &err));
    leat_job_log_close(log);
    log = open_log(&leat_fs_posix);
    CU_ASSERT_EQUAL(leat_job_log_last(log)->confirmed, 2);
    OK(append(log, 3, "orders/0", 30));
    leat_job_log_close(log);
    log = open_log(&leat_fs_posix);
    CU_ASSERT_EQUAL(position(log, "orders/0"), 30);
    leat_job_log_close(log);
}

static void a_log_keeps_its_epoch_and_is_of_one_job(void)
{
    struct leat_job_log *log;

    fresh_dir();
    leat_job_log_close(open_log(&leat_fs_posix));
    OK(leat_job_log_open(&leat_fs_posix, dir, "clicks", 8, 0, &log, &err));
    CU_ASSERT_EQUAL(leat_job_log_last(log)->epoch, 7);
    leat_job_log_close(log);
    CU_ASSERT_EQUAL(leat_job_log_open(&leat_fs_posix, dir, "orders", 8, 0, &log, &err),
                    LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "'clicks'"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "'orders'"));
}

static void the_log_of_an_older_version_is_refused(void)
{
    struct leat_job_log *log;

    fresh_dir();
    leat_job_log_close(open_log(&leat_fs_posix));
    snprintf(path, sizeof path, "%s/job.log", dir);
    put_file("leatlog1", 8);
    CU_ASSERT_EQUAL(leat_job_log_open(&leat_fs_posix, dir, "clicks", 7, 0, &log, &err),
                    LEAT_E_CONFIG);
}

struct reading {
    uint64_t first, last, stop_at;
    uint64_t count;
};

static enum leat_status note_record(void *arg, const struct leat_log_record *r,
                                    struct leat_error *e)
{
    struct reading *reading = arg;

    reading->first = reading->count++ ? reading->first : r->n;
    CU_ASSERT(reading->count == 1 || r->n == reading->last + 1);
    CU_ASSERT_EQUAL(r->batch_time_ms, (int64_t)r->n * 1000);
    CU_ASSERT_EQUAL(r->states_count, r->n == 0 ? 0 : 3);
    reading->last = r->n;
    return r->n == reading->stop_at ? leat_fail(e, LEAT_E_DATA, "enough") : LEAT_OK;
}

static enum leat_status note_state(void *arg, uint64_t n, const struct leat_log_state *entry,
                                   struct leat_error *e)
{
    struct reading *reading = arg;

    (void)e;
    CU_ASSERT_EQUAL(entry->q, 4);
    CU_ASSERT(leat_slice_eq(entry->bytes, reading->count % 2 ? LEAT_LIT("two") : LEAT_LIT("one")));
    reading->count++;
    reading->last = n;
    return LEAT_OK;
}

static enum leat_status append_states(struct leat_job_log *log, uint64_t n)
{
    struct leat_log_state states[] = {
        {LEAT_LIT("clicks.count.0"), 9, 4, LEAT_LIT("one")},
        {LEAT_LIT("clicks.join.0"), 9, 4, LEAT_LIT("two")},
        {LEAT_LIT("clicks.count.0"), 9, 5, LEAT_LIT("other")},
    };
    struct leat_log_range ranges[] = {{0, 4}};
    struct leat_log_position at = {LEAT_LIT("orders"), LEAT_LIT("orders/0"), 1, 4, 5};
    struct leat_log_cut cut = {1, 2, true, ranges, 1};
    struct leat_log_table table = {LEAT_LIT("users"), 3, 4};
    struct leat_log_record r = {.n = n,
                                .batch_time_ms = (int64_t)n * 1000,
                                .partitions = 8,
                                .marker = LEAT_LIT("orders/0"),
                                .positions = &at,
                                .positions_count = 1,
                                .cuts = &cut,
                                .cuts_count = 1,
                                .tables = &table,
                                .tables_count = 1,
                                .states = states,
                                .states_count = 3};
    return leat_job_log_append(log, &r, &err);
}

/* Forty records in segments of a few. */
static struct leat_job_log *forty_records(void)
{
    fresh_dir();
    struct leat_job_log *log = open_log(&leat_fs_posix);
    leat_job_log_set_segment_bytes(log, 1000);
    for (uint64_t n = 1; n <= 40; n++)
        OK(append_states(log, n));
    return log;
}

static void records_are_read_in_order_whatever_segment_they_are_in(void)
{
    struct leat_job_log *log = forty_records();

    for (uint64_t from = 1; from <= 41; from += 5)
        for (uint64_t upto = from; upto <= 50; upto += 3) {
            struct reading r = {0};
            OK(leat_job_log_each(log, from, upto, note_record, &r, &err));
            uint64_t last = upto < 40 ? upto : 40;
            CU_ASSERT_EQUAL(r.count, from > last ? 0 : last - from + 1);
            CU_ASSERT(r.count == 0 || (r.first == from && r.last == last));
        }
    struct reading r = {.stop_at = 13};
    CU_ASSERT_EQUAL(leat_job_log_each(log, 7, 40, note_record, &r, &err), LEAT_E_DATA);
    CU_ASSERT_EQUAL(r.last, 13);
    r = (struct reading){0};
    OK(leat_job_log_each_state(log, 4, 3, 38, note_state, &r, &err));
    CU_ASSERT_EQUAL(r.count, 2 * 36);
    CU_ASSERT_EQUAL(r.last, 38);
    r = (struct reading){0};
    OK(leat_job_log_each_state(log, 6, 1, 40, note_state, &r, &err));
    CU_ASSERT_EQUAL(r.count, 0);
    const struct leat_log_record *last = leat_job_log_last(log);
    CU_ASSERT_EQUAL(last->cuts[0].ranges[0].to, 4);
    CU_ASSERT(last->cuts[0].close);
    CU_ASSERT_EQUAL(last->tables[0].bytes, 4);
    CU_ASSERT(leat_slice_eq(last->marker, LEAT_LIT("orders/0")));
    leat_job_log_close(log);
}

static void first_segment_behind(uint64_t n, char *name, size_t room)
{
    do
        snprintf(name, room, "%s/log/%020llu.leatlog", dir, (unsigned long long)++n);
    while (access(name, F_OK) != 0);
}

static void a_segment_that_is_missing_is_noticed(void)
{
    struct leat_job_log *log = forty_records();
    char name[400];

    first_segment_behind(10, name, sizeof name);
    CU_ASSERT_EQUAL(unlink(name), 0);
    leat_job_log_close(log);
    log = open_log(&leat_fs_posix);
    struct reading r = {0};
    CU_ASSERT_EQUAL(leat_job_log_each(log, 1, 40, note_record, &r, &err), LEAT_E_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "is missing"));
    leat_job_log_close(log);
}

static void looking_at_a_log_changes_nothing(void)
{
    struct leat_job_log *log, *view;

    fresh_dir();
    CU_ASSERT_EQUAL(leat_job_log_view(&leat_fs_posix, dir, &view, &err), LEAT_E_LOST);
    CU_ASSERT_NOT_EQUAL(access(dir, F_OK), 0);
    log = open_log(&leat_fs_posix);
    OK(append(log, 1, "orders/0", 10));
    OK(append(log, 2, "orders/0", 20));
    int64_t all = bytes_of_log();
    CU_ASSERT_EQUAL(truncate(path, all - 1), 0); /* as if it were being written just now */
    OK(leat_job_log_view(&leat_fs_posix, dir, &view, &err));
    CU_ASSERT_EQUAL(leat_job_log_last(view)->n, 1);
    CU_ASSERT_EQUAL(bytes_of_log(), all - 1);
    leat_job_log_close(view);
    leat_job_log_close(log);
}

static void failpoints_fail_an_append_that_may_be_tried_again(void)
{
    fresh_dir();
    struct leat_job_log *log = open_log(&leat_fs_posix);
    OK(append(log, 1, "orders/0", 10));
    int64_t bytes = bytes_of_log();
    for (int i = 0; i < 2; i++) {
        OK(leat_failpoint_init(i ? "log.torn:error" : "log.before:error", &err));
        CU_ASSERT_EQUAL(append(log, 2, "orders/0", 20), LEAT_E_IO);
        CU_ASSERT_EQUAL(bytes_of_log(), bytes);
    }
    OK(append(log, 2, "orders/0", 20));
    OK(leat_failpoint_init("log.synced:error", &err));
    CU_ASSERT_EQUAL(append(log, 3, "orders/0", 30), LEAT_E_BROKEN);
    CU_ASSERT_EQUAL(append(log, 3, "orders/0", 30), LEAT_E_BROKEN);
    leat_job_log_close(log);
    log = open_log(&leat_fs_posix);
    CU_ASSERT_EQUAL(leat_job_log_last(log)->n, 3);
    leat_job_log_close(log);
}

static void lack_of_memory_is_reported(void)
{
    LEAT_OOM_SWEEP {
        struct leat_job_log *log;
        fresh_dir();
        enum leat_status status =
            leat_job_log_open(&leat_fs_posix, dir, "clicks", 7, 0, &log, &err);
        if (status == LEAT_OK) {
            status = append(log, 1, "orders/0", 1);
            leat_job_log_close(log);
        }
        CU_ASSERT_EQUAL(status != LEAT_OK, leat_oom_hit());
    }
}

static void only_files_with_the_name_of_a_segment_are_a_log(void)
{
    struct leat_job_log *log;
    bool there = true;
    char foreign[300];

    fresh_dir();
    OK(leat_job_log_is_there(&leat_fs_posix, dir, &there, &err));
    CU_ASSERT_FALSE(there);
    snprintf(foreign, sizeof foreign, "%s/log/00000000000000000009.leatlog", dir);
    CU_ASSERT(leat_fs_make_parents(&leat_fs_posix, foreign) >= 0);
    CU_ASSERT_EQUAL(mkdir(foreign, 0755), 0);
    snprintf(foreign, sizeof foreign, "%s/log/00000000000000000003.leatlog.bk", dir);
    fclose(fopen(foreign, "w"));
    OK(leat_job_log_is_there(&leat_fs_posix, dir, &there, &err));
    CU_ASSERT_FALSE(there);
    CU_ASSERT_EQUAL(leat_job_log_view(&leat_fs_posix, dir, &log, &err), LEAT_E_LOST);

    log = open_log(&leat_fs_posix);
    OK(append(log, 1, "0", 5));
    leat_job_log_close(log);
    OK(leat_job_log_is_there(&leat_fs_posix, dir, &there, &err));
    CU_ASSERT_TRUE(there);
    log = open_log(&leat_fs_posix);
    CU_ASSERT_EQUAL(leat_job_log_last(log)->n, 1);
    leat_job_log_close(log);
}

LEAT_TESTS("job_log", T(the_checksum_is_castagnolis), T(records_are_there_again_after_a_restart),
           T(a_torn_tail_is_cut_at_every_byte), T(damage_in_the_middle_is_refused_with_its_place),
           T(another_file_is_refused), T(a_large_segment_is_followed_by_another),
           T(a_record_that_was_never_committed_is_taken_back),
           T(the_first_record_of_a_segment_is_taken_back_too), T(nothing_is_taken_back_twice),
           T(what_is_confirmed_is_known_after_a_restart),
           T(a_log_keeps_its_epoch_and_is_of_one_job), T(the_log_of_an_older_version_is_refused),
           T(records_are_read_in_order_whatever_segment_they_are_in),
           T(a_segment_that_is_missing_is_noticed), T(looking_at_a_log_changes_nothing),
           T(only_files_with_the_name_of_a_segment_are_a_log),
           T(failpoints_fail_an_append_that_may_be_tried_again), T(lack_of_memory_is_reported))
