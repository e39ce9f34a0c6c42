/*
 * Tests file streams of the C library behind a restart: what was missed, did not count or had no
 * room comes later, in the batches of its time, and nothing comes twice.
 */
#include "file_program.h"

#include <stdio.h>
#include <stdlib.h>

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

/* The batch of this time, with this file, fails; the next life is long behind the minute. */
static void fail_and_start_again(struct program *p, const char *name, int64_t time_ms,
                                 const char *wanted)
{
    file(name, time_ms - 1000);
    p->fails_at_ms = time_ms;
    run_to(p, time_ms);
    CU_ASSERT_EQUAL(leat_stop(p->ctx, false, &err), LEAT_E_DATA);
    leat_context_free(p->ctx);
    CU_ASSERT_STRING_EQUAL(p->text, wanted);
    file("later", time_ms + 1000);
    init(p, 300000);
    start(p, checkpointed(p));
    run_to(p, 302000);
}

static void a_batch_that_did_not_count_comes_again_with_the_same_files(void)
{
    struct program p;

    fresh();
    init(&p, 100000);
    start(&p, checkpointed(&p));
    file("a", 101000);
    run_to(&p, 102000);
    fail_and_start_again(&p, "b", 104000, "102000:a 104000:b");
    end(&p, "104000:b 106000:later");
}

/* Killed, or failed, before anything was committed. */
static void files_of_a_first_batch_that_did_not_count_come_again(void)
{
    struct program p;

    fresh();
    file("old", 99000);
    init(&p, 100000);
    start(&p, checkpointed(&p));
    fail_and_start_again(&p, "a", 102000, "102000:a");
    end(&p, "102000:a 104000:later");
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

LEAT_TESTS("file_stream_restart", T(batches_that_were_missed_have_the_files_of_their_times),
           T(a_batch_that_did_not_count_comes_again_with_the_same_files),
           T(files_of_a_first_batch_that_did_not_count_come_again),
           T(what_was_too_old_at_the_first_start_stays_so_behind_a_restart),
           T(files_that_a_batch_had_no_room_for_are_read_behind_a_restart),
           T(other_sources_wait_for_the_first_batch_that_is_not_missed))
