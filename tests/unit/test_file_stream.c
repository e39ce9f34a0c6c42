/*
 * Tests file streams of the C library, by a clock that the test moves: which file is in which
 * batch. What holds behind a restart: test_file_stream_restart.c.
 */
#include "file_program.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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
           T(files_are_cut_into_records_of_one_length),
           T(what_is_left_behind_the_last_record_ends_the_job_or_is_dropped),
           T(a_compressed_file_is_not_cut_into_records), T(mistakes_are_told))
