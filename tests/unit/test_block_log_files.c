/*
 * Tests engine/store/block_log.c and block_log_read.c: files of a store that something else has
 * touched since, as Spark's own tests of write ahead logs tell it. What leat does not find it
 * tells, where Spark goes on without a word.
 */
#include "block_rows.h"
#include "leat_test.h"
#include "store/block_log.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUOTA ((int64_t)1 << 20) /* segments of 64 KiB */

static struct leat_error err;
static char dir[256];
static struct leat_budget budget;

static void fresh_dir(void)
{
    static int number;

    budget = (struct leat_budget){.cap = (size_t)1 << 30};
    snprintf(dir, sizeof dir, "%s/files%d", leat_test_dir(), number++);
}

static struct leat_block_log *open_log(void)
{
    struct leat_block_log *log;

    OK(leat_block_log_open(&leat_fs_posix, dir, QUOTA, &log, &err));
    return log;
}

static void append(struct leat_block_log *log, int64_t from, int64_t to)
{
    struct leat_block *b = block_rows_new(&budget, 0, from, to);

    OK(leat_block_log_append(log, &b, 1, &err));
    leat_block_unref(b);
}

/* All rows from there on: the number behind the last one. */
static int64_t read_all(struct leat_block_log *log, int64_t from)
{
    struct leat_block *b;

    for (;; from = b->to, leat_block_unref(b)) {
        struct leat_fetch fetch = {.from = from, .max_bytes = 4096};
        OK(leat_block_log_read(log, &fetch, &budget, &b, &err));
        if (!b)
            return from;
        CU_ASSERT_EQUAL_FATAL(block_rows_check(b, from), b->to);
    }
}

/* Numbers are padded, so names are in the order of the segments. */
static int list(char names[32][64])
{
    struct dirent **found;
    int count = scandir(dir, &found, NULL, alphasort), kept = 0;

    for (int i = 0; i < count; i++) {
        if (found[i]->d_name[0] != '.' && kept < 32)
            snprintf(names[kept++], 64, "%.60s", found[i]->d_name);
        free(found[i]);
    }
    free(found);
    return kept;
}

static const char *path_of(const char *name)
{
    static char path[400];

    snprintf(path, sizeof path, "%s/%.60s", dir, name);
    return path;
}

static int64_t length_of(const char *name)
{
    struct stat s;

    CU_ASSERT_EQUAL_FATAL(stat(path_of(name), &s), 0);
    return s.st_size;
}

static void refused(const char *words)
{
    struct leat_block_log *log;

    CU_ASSERT_EQUAL_FATAL(leat_block_log_open(&leat_fs_posix, dir, QUOTA, &log, &err),
                          LEAT_E_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, words));
}

/* No crash leaves a text; what one leaves is cut off. */
static void text_behind_the_last_row_is_refused_with_its_place_and_a_byte_less_costs_one_row(void)
{
    char names[32][64], place[500];

    fresh_dir();
    struct leat_block_log *log = open_log();
    for (int64_t at = 0; at < 50; at++)
        append(log, at, at + 1);
    leat_block_log_close(log);
    CU_ASSERT_EQUAL_FATAL(list(names), 1);
    int64_t bytes = length_of(names[0]);
    FILE *f = fopen(path_of(names[0]), "a");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    for (int i = 0; i < 100; i++)
        fputs("this is no row\n", f);
    fclose(f);
    snprintf(place, sizeof place, "'%s' is damaged at byte %lld", path_of(names[0]),
             (long long)bytes);
    refused(place);
    refused(place); /* it was not touched */
    CU_ASSERT_EQUAL(length_of(names[0]), bytes + 1500);
    CU_ASSERT_EQUAL(truncate(path_of(names[0]), bytes), 0);
    log = open_log();
    CU_ASSERT_EQUAL(read_all(log, 0), 50);
    leat_block_log_close(log);
    CU_ASSERT_EQUAL(truncate(path_of(names[0]), bytes - 1), 0);
    log = open_log();
    CU_ASSERT(leat_block_log_torn(log) > 0);
    CU_ASSERT_EQUAL(read_all(log, 0), 49);
    append(log, 49, 60);
    CU_ASSERT_EQUAL(read_all(log, 0), 60);
    leat_block_log_close(log);
}

static void
files_of_one_byte_are_refused_and_without_them_all_others_are_read_and_the_gap_told(void)
{
    struct leat_block_log *log;
    char names[32][64];
    int64_t at = 0, middle = 0, second, from, to;
    int first = 0;

    fresh_dir();
    for (int generation = 0; generation < 2; generation++) {
        log = open_log();
        for (int files = list(names); list(names) < files + 4; at += 50)
            append(log, at, at + 50);
        leat_block_log_close(log);
        first = generation ? first : list(names);
        middle = generation ? middle : at;
    }
    for (int i = 0; i < first; i++)
        CU_ASSERT_EQUAL(truncate(path_of(names[i]), 1), 0);
    refused("is no log of leat's");
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, ".leatblk"));
    for (int i = 0; i < first; i++)
        CU_ASSERT_EQUAL(unlink(path_of(names[i])), 0);
    log = open_log();
    second = leat_block_log_part(log, 0).oldest;
    CU_ASSERT(second >= middle && second < at);
    CU_ASSERT_EQUAL(leat_block_log_part(log, 0).next, at);
    CU_ASSERT_EQUAL(read_all(log, second), at);
    struct leat_fetch fetch = {.from = 0, .max_bytes = 4096};
    struct leat_block *b;
    CU_ASSERT_EQUAL(leat_block_log_read(log, &fetch, &budget, &b, &err), LEAT_E_LOST);
    CU_ASSERT(leat_block_log_gap(log, 0, &from, &to));
    CU_ASSERT(from == 0 && to == second);
    leat_block_log_close(log);
}

static void copy_files(const char *from, const char *to)
{
    char command[1000];

    snprintf(command, sizeof command, "mkdir -p %s && cp %s %s", to, from, to);
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
}

/* Files that were removed are there again, as from a backup: the oldest, and the one behind it. */
static void a_file_that_comes_back_when_all_in_it_was_done_changes_nothing(void)
{
    char names[32][64], aside[300], all[300], one[400];
    struct leat_block_log *log;
    int64_t at = 0;

    fresh_dir();
    log = open_log();
    for (; list(names) < 6; at += 50)
        append(log, at, at + 50);
    snprintf(all, sizeof all, "%s/*", dir);
    snprintf(aside, sizeof aside, "%s-aside", dir);
    copy_files(all, aside);
    leat_block_log_done(log, 0, at / 2);
    OK(leat_block_log_trim(log, &err));
    append(log, at, at + 50); /* and with it what is done */
    const struct leat_block_part part = leat_block_log_part(log, 0);
    leat_block_log_close(log);
    for (int back = 0; back < 2; back++) {
        CU_ASSERT_NOT_EQUAL(access(path_of(names[back]), F_OK), 0);
        snprintf(one, sizeof one, "%s/%.60s", aside, names[back]);
        copy_files(one, dir);
        log = open_log();
        CU_ASSERT_EQUAL(leat_block_log_part(log, 0).next, part.next);
        CU_ASSERT_EQUAL(leat_block_log_part(log, 0).done, part.done);
        CU_ASSERT_EQUAL(read_all(log, part.done), part.next);
        OK(leat_block_log_trim(log, &err));
        leat_block_log_close(log);
        CU_ASSERT_NOT_EQUAL(access(path_of(names[back]), F_OK), 0);
    }
}

static void a_store_without_files_has_no_rows_and_its_first_gets_the_first_number(void)
{
    struct leat_block_log *log;
    char names[32][64];

    fresh_dir();
    log = open_log();
    append(log, 0, 10);
    leat_block_log_close(log);
    for (int i = list(names); i > 0; i--)
        CU_ASSERT_EQUAL(unlink(path_of(names[i - 1])), 0);
    log = open_log();
    CU_ASSERT_EQUAL(read_all(log, 0), 0);
    append(log, 0, 5);
    CU_ASSERT_EQUAL(read_all(log, 0), 5);
    leat_block_log_close(log);
}

LEAT_TESTS("block_log_files",
           T(text_behind_the_last_row_is_refused_with_its_place_and_a_byte_less_costs_one_row),
           T(files_of_one_byte_are_refused_and_without_them_all_others_are_read_and_the_gap_told),
           T(a_file_that_comes_back_when_all_in_it_was_done_changes_nothing),
           T(a_store_without_files_has_no_rows_and_its_first_gets_the_first_number))
