/*
 * Tests file streams of the C library, by a clock that the test moves: which file is in which
 * batch, also behind a restart. Files are moved into their directory with the times that they need.
 */
#include "leat_test.h"
#include "stream_ready.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVERY_MS 2000

static struct leat_error err;
static char in[300], outside[300], state[300], more[300];

struct hand_clock {
    struct leat_clock clock; /* first */
    _Atomic int64_t now_ms;
};

static int64_t now(const struct leat_clock *c)
{
    return ((const struct hand_clock *)(const void *)c)->now_ms;
}

/* A program: what came out, "14000:a,b 16000:" without batches that were empty, and its clock. */
struct program {
    struct leat_context *ctx;
    struct hand_clock clock;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char text[4096];
    int64_t last_ms, fails_at_ms;
    int rows;
};

static enum leat_status see(const struct leat_rdd *rdd, void *arg, struct leat_error *e)
{
    struct program *p = arg;

    pthread_mutex_lock(&p->lock);
    size_t at = strlen(p->text);
    p->rows += (int)rdd->count;
    if (rdd->count)
        at += (size_t)snprintf(p->text + at, sizeof p->text - at, "%s%d:", at ? " " : "",
                               (int)rdd->time_ms);
    for (size_t i = 0; i < rdd->count && at < sizeof p->text - 100; i++) {
        struct leat_slice v = leat_value_text(rdd->rows[i].value);
        at += (size_t)snprintf(p->text + at, sizeof p->text - at, "%s%.*s", i ? "," : "",
                               LEAT_FMT(v));
    }
    bool fails = rdd->time_ms == p->fails_at_ms;
    p->last_ms = rdd->time_ms;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return fails ? leat_fail(e, LEAT_E_DATA, "as the test wants it") : LEAT_OK;
}

static void write_file(const char *path, const char *text, int64_t changed_ms)
{
    const struct timespec t = {changed_ms / 1000, changed_ms % 1000 * 1000000};
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0 ||
        utimensat(AT_FDCWD, path, (struct timespec[]){t, t}, 0) != 0)
        abort();
}

static const char *in_dir(const char *dir, const char *name)
{
    static char path[2][700];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

/* Written elsewhere and moved to where it is seen. */
static void move_in(const char *dir, const char *name, const char *text, int64_t changed_ms)
{
    write_file(in_dir(outside, "moving"), text, changed_ms);
    if (rename(in_dir(outside, "moving"), in_dir(dir, name)) != 0)
        abort();
}

/* Its name is its only line. */
static void file(const char *name, int64_t changed_ms)
{
    char line[100];

    snprintf(line, sizeof line, "%s\n", name);
    move_in(in, name, line, changed_ms);
}

static void make_dir(char into[300], const char *name)
{
    snprintf(into, 300, "%.200s/%s", leat_test_dir(), name);
    leat_fs_remove_tree(&leat_fs_posix, into);
    if (mkdir(into, 0777) != 0)
        abort();
}

static void fresh(void)
{
    make_dir(in, "in");
    make_dir(outside, "outside");
    make_dir(more, "more");
    snprintf(state, sizeof state, "%.200s/state", leat_test_dir());
    leat_fs_remove_tree(&leat_fs_posix, state);
}

static void init(struct program *p, int64_t clock_ms)
{
    pthread_condattr_t attr;

    *p = (struct program){.clock = {.clock = {.now_ms = now, .monotonic_ms = now}}};
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_cond_init(&p->changed, &attr);
    pthread_condattr_destroy(&attr);
    p->clock.now_ms = clock_ms;
    p->ctx = leat_context_new("files", EVERY_MS);
    p->ctx->clock = &p->clock.clock;
    leat_set(p->ctx, "threads", "2");
}

static void start(struct program *p, struct leat_stream *s)
{
    leat_foreach_rdd(s, see, p);
    OK(leat_start(p->ctx, &err));
    wait_until_ready(p->ctx);
}

/* Until the batch of this time, or a later one, is out. */
static void wait_for(struct program *p, int64_t time_ms)
{
    pthread_mutex_lock(&p->lock);
    while (p->last_ms < time_ms)
        pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static void clock_to(struct program *p, int64_t time_ms)
{
    p->clock.now_ms = time_ms;
    leat_job_look_at_clock(p->ctx->job);
}

/* Tick by tick. */
static void run_to(struct program *p, int64_t time_ms)
{
    for (int64_t t = p->clock.now_ms / EVERY_MS * EVERY_MS + EVERY_MS; t <= time_ms;
         t += EVERY_MS) {
        clock_to(p, t);
        wait_for(p, t);
    }
}

static void end(struct program *p, const char *wanted)
{
    OK(leat_stop(p->ctx, false, &err));
    leat_context_free(p->ctx);
    CU_ASSERT_STRING_EQUAL(p->text, wanted);
    if (strcmp(p->text, wanted) != 0)
        printf("    got: %s\n    not: %s\n", p->text, wanted);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
}

/* ---- which files */

static void a_file_is_in_the_batch_of_its_time_and_old_ones_are_in_none(void)
{
    struct program p;

    fresh();
    file("old", 10000);
    file("at-start", 12000);
    file("one", 12001);
    file("two", 14000);
    file("three", 14001);
    init(&p, 12000);
    start(&p, leat_text_file_stream(p.ctx, in));
    run_to(&p, 14000);
    file("four", 15999);
    file(".hidden", 15000);
    file("_hidden", 15000);
    file("half.tmp", 15000);
    run_to(&p, 20000);
    end(&p, "14000:one,two 16000:three,four");
}

static void without_new_files_only_the_minute_before_counts_too(void)
{
    struct program p;

    fresh();
    file("too-old", 100000 - 60000);
    file("just", 100000 - 60000 + 1);
    file("recent", 97000);
    init(&p, 98500);
    start(&p, leat_file_stream(p.ctx, in, NULL, NULL, false));
    run_to(&p, 104000);
    end(&p, "100000:just,recent");
}

static void a_file_of_the_future_waits_for_its_batch(void)
{
    struct program p;

    fresh();
    file("later", 17000);
    init(&p, 12000);
    start(&p, leat_text_file_stream(p.ctx, in));
    run_to(&p, 16000);
    CU_ASSERT_STRING_EQUAL(p.text, "");
    run_to(&p, 20000);
    end(&p, "18000:later");
}

static void a_file_that_is_seen_late_is_in_the_next_batch_and_too_late_in_none(void)
{
    struct program p;

    fresh();
    init(&p, 100000);
    start(&p, leat_text_file_stream(p.ctx, in));
    run_to(&p, 170000);
    file("late", 172000 - 60000 + 1);
    file("too-late", 172000 - 60000);
    run_to(&p, 174000);
    end(&p, "172000:late");
}

static void another_file_of_a_name_is_read_when_the_first_is_forgotten(void)
{
    struct program p;

    fresh();
    init(&p, 100000);
    start(&p, leat_text_file_stream(p.ctx, in));
    move_in(in, "same", "first\n", 101000);
    run_to(&p, 104000);
    move_in(in, "same", "second\n", 104500);
    run_to(&p, 162000); /* 102000 is still within the minute */
    CU_ASSERT_STRING_EQUAL(p.text, "102000:first");
    run_to(&p, 170000);
    end(&p, "102000:first 164000:second");
}

/* ---- where */

static void a_pattern_of_directories_means_the_files_in_them(void)
{
    struct program p;
    char pattern[320];

    fresh();
    snprintf(pattern, sizeof pattern, "%s/day-?/", in);
    mkdir(in_dir(in, "day-1"), 0777);
    mkdir(in_dir(in, "day-2"), 0777);
    mkdir(in_dir(in, "other"), 0777);
    mkdir(in_dir(in, "day-1/below"), 0777);
    init(&p, 12000);
    start(&p, leat_text_file_stream(p.ctx, pattern));
    move_in(in, "day-1/a", "a\n", 13000);
    move_in(in, "day-1/below/b", "b\n", 13000);
    move_in(in, "other/c", "c\n", 13000);
    move_in(in, "d", "d\n", 13000);
    run_to(&p, 14000);
    mkdir(in_dir(in, "day-3"), 0777);
    move_in(in, "day-2/e", "e\n", 15000);
    move_in(in, "day-3/f", "f\n", 15000);
    run_to(&p, 16000);
    end(&p, "14000:a 16000:e,f");
}

static void one_file_a_batch_comes_out_in_order_also_from_all_directories_below_one(void)
{
    for (int star = 0; star < 2; star++) {
        char path[320], name[20], line[20];
        struct program p;
        fresh();
        snprintf(path, sizeof path, star ? "%s/*/" : "%s", in);
        mkdir(in_dir(in, "tmp1"), 0777);
        mkdir(in_dir(in, "tmp2"), 0777);
        init(&p, 12000);
        start(&p, leat_text_file_stream(p.ctx, path));
        if (star)
            move_in(in, "above", "above\n", 13000);
        for (int i = 1; i <= 10; i++) {
            snprintf(name, sizeof name, "%sf%d", !star ? "" : i % 2 ? "tmp1/" : "tmp2/", i);
            snprintf(line, sizeof line, "%d\n", i);
            move_in(in, name, line, 11000 + EVERY_MS * i);
            run_to(&p, 12000 + EVERY_MS * i);
        }
        end(&p, "14000:1 16000:2 18000:3 20000:4 22000:5 24000:6 26000:7 28000:8 30000:9 32000:10");
    }
}

static bool only_logs(const char *path, void *arg)
{
    ++*(int *)arg;
    return strstr(path, ".log");
}

static void a_program_chooses_files_by_their_paths(void)
{
    struct program p;
    int calls = 0;

    fresh();
    init(&p, 12000);
    start(&p, leat_file_stream(p.ctx, in, only_logs, &calls, true));
    file(".a.log", 13000);
    file("b.txt", 13000);
    file("c.log", 13000);
    run_to(&p, 16000);
    end(&p, "14000:.a.log,c.log");
    CU_ASSERT(calls >= 3);
}

static void a_directory_that_is_not_there_is_waited_for(void)
{
    struct program p;

    fresh();
    rmdir(in);
    init(&p, 12000);
    start(&p, leat_text_file_stream(p.ctx, in));
    run_to(&p, 30000); /* batches go on */
    make_dir(in, "in");
    file("old", 11000);
    file("a", 13000);
    file("b", 33000);
    for (int64_t t = 32000; strstr(p.text, "b") == NULL; t += EVERY_MS)
        run_to(&p, t);
    char *a = strstr(p.text, ":a"), *b = strstr(p.text, "b"), *old = strstr(p.text, "old");
    CU_ASSERT(a && b && a < b && !old);
    end(&p, p.text);
}

/* Not even when it was away for so long that its files would be too old. */
static void what_came_while_a_directory_was_away_is_read_later(void)
{
    struct program p;
    char away[320];

    fresh();
    init(&p, 100000);
    start(&p, leat_text_file_stream(p.ctx, in));
    file("a", 101000);
    run_to(&p, 102000);
    snprintf(away, sizeof away, "%s/away", outside);
    if (rename(in, away) != 0)
        abort();
    move_in(away, "b", "b\n", 103000);
    run_to(&p, 190000);
    CU_ASSERT_STRING_EQUAL(p.text, "102000:a");
    if (rename(away, in) != 0)
        abort();
    run_to(&p, 192000);
    end(&p, "102000:a 192000:b");
}

static void two_streams_have_their_files_in_the_same_batches(void)
{
    struct program p;

    fresh();
    init(&p, 12000);
    start(&p, leat_union(leat_text_file_stream(p.ctx, in), leat_text_file_stream(p.ctx, more)));
    file("a", 13000);
    move_in(more, "b", "b\n", 13500);
    move_in(more, "c", "c\n", 15500);
    run_to(&p, 16000);
    end(&p, "14000:a,b 16000:c");
}

static void an_empty_file_is_nothing_and_a_last_line_needs_no_end(void)
{
    struct program p;

    fresh();
    init(&p, 12000);
    start(&p, leat_text_file_stream(p.ctx, in));
    move_in(in, "empty", "", 13000);
    move_in(in, "no-end", "last", 13000);
    run_to(&p, 18000);
    end(&p, "14000:last");
}

/* ---- restarts */

static void lines(const char *name, int first, int count, int64_t changed_ms)
{
    char text[4096];
    size_t at = 0;

    for (int i = 0; i < count; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%d\n", first + i);
    move_in(in, name, text, changed_ms);
}

static struct leat_stream *checkpointed(struct program *p)
{
    leat_checkpoint(p->ctx, state);
    return leat_named(leat_text_file_stream(p->ctx, in), "lines");
}

/* The programming guide's table: a file per batch, away from 4 to 7. */
static void batches_that_were_missed_have_the_files_of_their_times(void)
{
    struct program p;

    fresh();
    init(&p, 100000);
    start(&p, checkpointed(&p));
    for (int i = 1; i <= 3; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i);
        lines(name, 0, 10 * i, 100000 + EVERY_MS * i - 500);
        run_to(&p, 100000 + EVERY_MS * i);
    }
    OK(leat_stop(p.ctx, false, &err));
    leat_context_free(p.ctx);
    CU_ASSERT_PTR_NOT_NULL(strstr(p.text, ":"));
    for (int i = 4; i <= 8; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i);
        lines(name, 0, 10 * i, 100000 + EVERY_MS * i - 500);
    }
    init(&p, 100000 + 7 * EVERY_MS + 100);
    start(&p, checkpointed(&p));
    wait_for(&p, 114000);
    run_to(&p, 118000);
    int rows[9] = {0};
    for (char *at = p.text; (at = strchr(at, ':')); at++) {
        long t = strtol(at - 6, NULL, 10);
        size_t len = strcspn(at, " ");
        for (size_t i = 0; i < len && t >= 100000 && t <= 116000; i++)
            rows[(t - 100000) / EVERY_MS] += at[i] == ',' || at[i] == ':';
    }
    for (int i = 1; i <= 8; i++)
        CU_ASSERT_EQUAL(rows[i], i <= 3 ? 0 : 10 * i);
    end(&p, p.text);
}

static void a_batch_that_did_not_count_comes_again_with_the_same_files(void)
{
    struct program p;

    fresh();
    init(&p, 100000);
    start(&p, checkpointed(&p));
    file("a", 101000);
    run_to(&p, 102000);
    file("b", 103000);
    p.fails_at_ms = 104000;
    run_to(&p, 104000);
    CU_ASSERT_EQUAL(leat_stop(p.ctx, false, &err), LEAT_E_DATA);
    leat_context_free(p.ctx);
    CU_ASSERT_STRING_EQUAL(p.text, "102000:a 104000:b");
    file("c", 105000);
    init(&p, 300000); /* long behind the minute */
    start(&p, checkpointed(&p));
    run_to(&p, 302000);
    end(&p, "104000:b 106000:c");
}

static void what_was_too_old_at_the_first_start_stays_so_behind_a_restart(void)
{
    struct program p;

    fresh();
    file("old", 99000);
    init(&p, 100000);
    start(&p, checkpointed(&p));
    file("a", 101000);
    run_to(&p, 102000);
    end(&p, "102000:a");
    file("late", 100500);
    init(&p, 105000);
    start(&p, checkpointed(&p));
    run_to(&p, 108000);
    end(&p, "104000:late");
}

/* Selected for a batch that had no room for them: the log has their names. */
static void files_that_a_batch_had_no_room_for_are_read_behind_a_restart(void)
{
    struct program p;
    int rows = 0;

    fresh();
    for (int i = 0; i < 40; i++) {
        char name[8];
        snprintf(name, sizeof name, "f%d", i);
        lines(name, i * 100, 100, 101000);
    }
    for (int life = 0; life < 60 && rows < 4000; life++) {
        init(&p, 100000 + life * 1000000);
        leat_set(p.ctx, "batch.max_records", "150");
        start(&p, checkpointed(&p));
        run_to(&p, 102000 + life * 1000000);
        OK(leat_stop(p.ctx, false, &err));
        leat_context_free(p.ctx);
        rows += p.rows;
        if (life == 0)
            CU_ASSERT(rows > 0 && rows < 4000);
    }
    CU_ASSERT_EQUAL(rows, 4000);
}

/* What another source has at the restart is of the first new batch. */
static void other_sources_wait_for_the_first_batch_that_is_not_missed(void)
{
    const struct leat_option options[] = {{"path", more}};
    struct program p;

    for (int life = 0; life < 2; life++) {
        if (life == 0)
            fresh();
        init(&p, life ? 109000 : 100000);
        struct leat_stream *files = checkpointed(&p);
        start(&p, leat_union(files, leat_source_stream(p.ctx, "files", options, 1)));
        if (life == 0)
            file("a", 101000);
        run_to(&p, life ? 110000 : 102000);
        end(&p, life ? "104000:b 110000:x" : "102000:a");
        file("b", 103000);
        move_in(more, "x", "x\n", 1);
    }
}

/* ---- records of one length */

static void files_are_cut_into_records_of_one_length(void)
{
    struct program p;

    fresh();
    init(&p, 12000);
    start(&p, leat_binary_records_stream(p.ctx, in, 3));
    move_in(in, "a", "abc\nefghi", 13000);
    move_in(in, "none", "", 13000);
    run_to(&p, 14000);
    move_in(in, "b", "xyz", 15000);
    run_to(&p, 16000);
    end(&p, "14000:abc,\nef,ghi 16000:xyz");
}

static void what_is_left_behind_the_last_record_ends_the_job_or_is_dropped(void)
{
    struct program p;

    fresh();
    init(&p, 12000);
    leat_set(p.ctx, "on_error", "drop");
    start(&p, leat_binary_records_stream(p.ctx, in, 3));
    move_in(in, "a", "abcdefgh", 13000);
    run_to(&p, 14000);
    end(&p, "14000:abc,def");
    fresh();
    init(&p, 12000);
    start(&p, leat_binary_records_stream(p.ctx, in, 3));
    move_in(in, "a", "abcdefgh", 13000);
    clock_to(&p, 14000);
    CU_ASSERT_NOT_EQUAL(leat_await_termination(p.ctx, &err), LEAT_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "no multiple of `length`"));
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "/in/a"));
    leat_context_free(p.ctx);
}

static void a_compressed_file_is_not_cut_into_records(void)
{
    struct program p;

    fresh();
    init(&p, 12000);
    start(&p, leat_binary_records_stream(p.ctx, in, 3));
    move_in(in, "a.gz", "abc", 13000);
    clock_to(&p, 14000);
    CU_ASSERT_EQUAL(leat_await_termination(p.ctx, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "unpack it"));
    leat_context_free(p.ctx);
}

/* ---- misuse */

static void mistakes_are_told(void)
{
    struct leat_context *ctx = leat_context_new("files", 1000);
    char path[5000];

    CU_ASSERT_PTR_NULL(leat_text_file_stream(NULL, "in"));
    CU_ASSERT_PTR_NULL(leat_file_stream(NULL, NULL, NULL, NULL, true));
    leat_print(leat_text_file_stream(ctx, NULL), 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_MISUSE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "leat_text_file_stream: without a directory"));
    leat_context_free(ctx);
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    ctx = leat_context_new("files", 1000);
    leat_print(leat_file_stream(ctx, path, only_logs, NULL, false), 1);
    CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_MISUSE);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "leat_file_stream: the path is too long"));
    leat_context_free(ctx);
    CU_ASSERT_PTR_NULL(leat_binary_records_stream(NULL, "in", 1));
    for (int64_t length = 0; length <= LEAT_RECORD_LENGTH_MAX + 1;
         length += LEAT_RECORD_LENGTH_MAX + 1) {
        ctx = leat_context_new("files", 1000);
        leat_print(leat_binary_records_stream(ctx, "in", length), 1);
        CU_ASSERT_EQUAL(leat_start(ctx, &err), LEAT_E_MISUSE);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, "a record has 1 to 268435456 bytes"));
        leat_context_free(ctx);
    }
}

LEAT_TESTS("file_stream", T(a_file_is_in_the_batch_of_its_time_and_old_ones_are_in_none),
           T(without_new_files_only_the_minute_before_counts_too),
           T(a_file_of_the_future_waits_for_its_batch),
           T(a_file_that_is_seen_late_is_in_the_next_batch_and_too_late_in_none),
           T(another_file_of_a_name_is_read_when_the_first_is_forgotten),
           T(a_pattern_of_directories_means_the_files_in_them),
           T(one_file_a_batch_comes_out_in_order_also_from_all_directories_below_one),
           T(a_program_chooses_files_by_their_paths),
           T(a_directory_that_is_not_there_is_waited_for),
           T(what_came_while_a_directory_was_away_is_read_later),
           T(two_streams_have_their_files_in_the_same_batches),
           T(an_empty_file_is_nothing_and_a_last_line_needs_no_end),
           T(batches_that_were_missed_have_the_files_of_their_times),
           T(a_batch_that_did_not_count_comes_again_with_the_same_files),
           T(what_was_too_old_at_the_first_start_stays_so_behind_a_restart),
           T(files_that_a_batch_had_no_room_for_are_read_behind_a_restart),
           T(other_sources_wait_for_the_first_batch_that_is_not_missed),
           T(files_are_cut_into_records_of_one_length),
           T(what_is_left_behind_the_last_record_ends_the_job_or_is_dropped),
           T(a_compressed_file_is_not_cut_into_records), T(mistakes_are_told))
