/* Tests connectors/files.c with `select`: what becomes of files between the moment when they are
 * selected and when they are read, and what a later life knows of them. */
#include "instance.h"
#include "leat_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALL_READ (INT64_C(1) << 62)

static struct leat_error err;
static char dir_setting[300];

struct source {
    struct instance i;
    const struct leat_by_tick *by_tick;
    int count;
    char names[8][400];
    uint32_t ids[8];
    struct leat_block *block;
    struct leat_error said;
};

static const char *at(const char *name)
{
    static char path[2][400];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%.250s/%s", leat_test_dir(), name);
    return path[turn];
}

static void file(const char *name, const char *text, int64_t changed_ms)
{
    const struct timespec t = {changed_ms / 1000, changed_ms % 1000 * 1000000};
    FILE *f = fopen(at("new.tmp"), "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0 ||
        utimensat(AT_FDCWD, at("new.tmp"), (struct timespec[]){t, t}, 0) != 0 ||
        rename(at("new.tmp"), at(name)) != 0)
        abort();
}

static void open_source(struct source *s)
{
    const char *const settings[] = {dir_setting, "select=new", NULL};

    *s = (struct source){0};
    snprintf(dir_setting, sizeof dir_setting, "path=%.250s", leat_test_dir());
    instance_init(&s->i, "files", settings);
    s->by_tick = s->i.module->pull->by_tick;
    CU_ASSERT_FATAL(s->by_tick->used(s->i.self));
    OK(s->i.module->pull->open(s->i.self, &s->i.env, &err));
}

static void close_source(struct source *s)
{
    leat_block_unref(s->block);
    s->i.module->pull->close(s->i.self);
    CU_ASSERT_EQUAL(atomic_load(&s->i.budget.used), 0);
    instance_fini(&s->i);
}

static void remember(void *arg, const struct leat_part *p)
{
    struct source *s = arg;

    CU_ASSERT_FATAL(s->count < 8);
    snprintf(s->names[s->count], sizeof s->names[0], "%.*s", LEAT_FMT(p->name));
    s->ids[s->count++] = p->id;
}

/* How many files the tick has; they are in s->names. */
static int select_at(struct source *s, int64_t tick_ms)
{
    const struct leat_ticks ticks = {.first_ms = tick_ms,
                                     .last_ms = tick_ms,
                                     .every_ms = 1000,
                                     .since_ms = tick_ms,
                                     .begin_ms = 1};
    int64_t time_ms;

    s->count = 0;
    OK(s->by_tick->due(s->i.self, &ticks, &time_ms, &err));
    if (time_ms != INT64_MAX)
        OK(s->by_tick->take(s->i.self, time_ms, remember, s, &err));
    CU_ASSERT(time_ms == (s->count ? tick_ms : INT64_MAX));
    return s->count;
}

static void keep(void *arg, const struct leat_fetch *fetch, struct leat_block *block,
                 const struct leat_error *error)
{
    struct source *s = arg;

    (void)fetch;
    s->block = block;
    s->said = *error;
}

static const struct leat_block *fetch(struct source *s, uint32_t part, int64_t from, size_t bytes)
{
    leat_block_unref(s->block);
    s->block = NULL;
    s->i.module->pull->fetch(
        s->i.self, &(struct leat_fetch){.part = part, .from = from, .max_bytes = bytes}, keep, s);
    return s->block;
}

static bool is_text(const struct leat_block *b, const char *text)
{
    return b && b->finished && b->to == ALL_READ && b->bytes.len == strlen(text) &&
           memcmp(b->bytes.ptr, text, b->bytes.len) == 0;
}

static bool is_nothing(const struct leat_block *b)
{
    return b && b->finished && b->to == ALL_READ && b->bytes.len == 0;
}

static void a_partition_is_named_after_path_and_time(void)
{
    struct source s;
    char name[450];

    file("a", "one\n", 61234);
    open_source(&s);
    CU_ASSERT_EQUAL(select_at(&s, 62000), 1);
    snprintf(name, sizeof name, "%s@61234", at("a"));
    CU_ASSERT_STRING_EQUAL(s.names[0], name);
    CU_ASSERT(is_text(fetch(&s, s.ids[0], 0, 100), "one\n"));
    CU_ASSERT_EQUAL(select_at(&s, 63000), 0);
    unlink(at("a"));
    close_source(&s);
}

static void a_file_that_went_away_before_it_was_opened_is_passed_over(void)
{
    struct source s;

    file("a", "one\n", 61000);
    file("b", "two\n", 61000);
    open_source(&s);
    CU_ASSERT_EQUAL(select_at(&s, 62000), 2);
    unlink(at("a"));
    CU_ASSERT(is_nothing(fetch(&s, s.ids[0], 0, 100)));
    CU_ASSERT(is_text(fetch(&s, s.ids[1], 0, 100), "two\n"));
    unlink(at("b"));
    close_source(&s);
}

static void a_file_that_was_changed_before_it_was_opened_is_read_as_what_it_became(void)
{
    struct source s;

    file("a", "one\n", 61000);
    open_source(&s);
    CU_ASSERT_EQUAL(select_at(&s, 62000), 1);
    file("a", "one and more\n", 62500);
    CU_ASSERT(is_nothing(fetch(&s, s.ids[0], 0, 100)));
    CU_ASSERT_EQUAL(select_at(&s, 63000), 1); /* the first was none, and nothing to wait for */
    CU_ASSERT(is_text(fetch(&s, s.ids[0], 0, 100), "one and more\n"));
    unlink(at("a"));
    close_source(&s);
}

static void a_file_that_cannot_be_read_is_waited_for(void)
{
    struct source s;

    file("a", "one\n", 61000);
    open_source(&s);
    CU_ASSERT_EQUAL(select_at(&s, 62000), 1);
    chmod(at("a"), 0);
    uid_t user = geteuid();
    if (user == 0 && seteuid(65534) != 0)
        abort();
    CU_ASSERT_PTR_NULL(fetch(&s, s.ids[0], 0, 100));
    CU_ASSERT(leat_status_is_transient(s.said.status));
    CU_ASSERT_PTR_NOT_NULL(strstr(s.said.text, at("a")));
    if (user == 0 && seteuid(0) != 0)
        abort();
    chmod(at("a"), 0644);
    CU_ASSERT(is_text(fetch(&s, s.ids[0], 0, 100), "one\n"));
    unlink(at("a"));
    close_source(&s);
}

static void a_later_life_reads_on_and_nothing_twice(void)
{
    struct source s;
    char names[2][400];

    file("a", "one\ntwo\n", 61000);
    file("b", "three\n", 61000);
    open_source(&s);
    CU_ASSERT_EQUAL(select_at(&s, 62000), 2);
    memcpy(names, s.names, sizeof names);
    close_source(&s);

    open_source(&s);
    OK(s.by_tick->known(s.i.self, leat_slice_str(names[0]), 4, &err));
    OK(s.by_tick->known(s.i.self, leat_slice_str(names[1]), ALL_READ, &err));
    OK(s.by_tick->known(s.i.self, LEAT_LIT("no-time"), 4, &err));
    OK(s.by_tick->known(s.i.self, LEAT_LIT("no@time"), 4, &err));
    OK(s.by_tick->known(s.i.self, LEAT_LIT("@1"), 4, &err));
    s.count = 0;
    OK(s.i.module->pull->partitions(s.i.self, remember, &s, &err));
    CU_ASSERT_EQUAL_FATAL(s.count, 1);
    CU_ASSERT_STRING_EQUAL(s.names[0], names[0]);
    CU_ASSERT(is_text(fetch(&s, s.ids[0], 4, 100), "two\n"));
    CU_ASSERT_EQUAL(select_at(&s, 62000), 0);
    close_source(&s);
    unlink(at("a"));
    unlink(at("b"));
}

static void a_file_that_was_changed_when_it_was_half_read_is_lost(void)
{
    struct source s;
    char name[400];

    file("a", "one\ntwo\n", 61000);
    open_source(&s);
    CU_ASSERT_EQUAL(select_at(&s, 62000), 1);
    memcpy(name, s.names[0], sizeof name);
    close_source(&s);
    file("a", "other\nlines\n", 62000);
    open_source(&s);
    OK(s.by_tick->known(s.i.self, leat_slice_str(name), 4, &err));
    s.count = 0;
    OK(s.i.module->pull->partitions(s.i.self, remember, &s, &err));
    CU_ASSERT_PTR_NULL(fetch(&s, s.ids[0], 4, 100));
    CU_ASSERT_EQUAL(s.said.status, LEAT_E_LOST);
    CU_ASSERT_PTR_NOT_NULL(strstr(s.said.text, "was changed when it was read up to position 4"));
    unlink(at("a"));
    CU_ASSERT_PTR_NULL(fetch(&s, s.ids[0], 4, 100));
    CU_ASSERT_EQUAL(s.said.status, LEAT_E_LOST);
    close_source(&s);
}

static void a_file_that_is_written_over_while_it_is_read_is_lost(void)
{
    struct source s;
    FILE *f;

    file("a", "one\ntwo\n", 61000);
    open_source(&s);
    CU_ASSERT_EQUAL(select_at(&s, 62000), 1);
    const struct leat_block *b = fetch(&s, s.ids[0], 0, 4);
    CU_ASSERT_FATAL(b && b->to == 4);
    f = fopen(at("a"), "w"); /* as long, and the same file for who has it open */
    if (!f || fputs("all\nnew\n", f) < 0 || fclose(f) != 0)
        abort();
    CU_ASSERT_PTR_NULL(fetch(&s, s.ids[0], 4, 100));
    CU_ASSERT_EQUAL(s.said.status, LEAT_E_LOST);
    CU_ASSERT_PTR_NOT_NULL(strstr(s.said.text, "was changed when it was read up to position 4"));
    unlink(at("a"));
    close_source(&s);
}

static void selecting_reports_lack_of_memory(void)
{
    struct source s;

    file("a", "one\n", 61000);
    LEAT_OOM_SWEEP {
        const struct leat_ticks ticks = {62000, 62000, 1000, 62000, 1};
        int64_t time_ms = 0;
        open_source(&s);
        bool (*gate)(void) = leat_mem_gate;
        enum leat_status status =
            s.by_tick->known(s.i.self, LEAT_LIT("/somewhere/x@61000"), 4, &err);
        if (status == LEAT_OK)
            status = s.by_tick->due(s.i.self, &ticks, &time_ms, &err);
        if (status == LEAT_OK)
            status = s.by_tick->take(s.i.self, time_ms, remember, &s, &err);
        CU_ASSERT_EQUAL(status, leat_oom_hit() ? LEAT_E_NOMEM : LEAT_OK);
        leat_mem_gate = NULL;
        if (status != LEAT_OK) { /* told again it knows, looking again it finds */
            OK(s.by_tick->known(s.i.self, LEAT_LIT("/somewhere/x@61000"), 4, &err));
            CU_ASSERT_EQUAL(select_at(&s, 62000), 1);
            s.count = 0;
            OK(s.i.module->pull->partitions(s.i.self, remember, &s, &err));
            CU_ASSERT_EQUAL(s.count, 1);
        }
        leat_mem_gate = gate;
        close_source(&s);
    }
    unlink(at("a"));
}

static void files_that_are_still_written_cannot_be_selected(void)
{
    const char *const settings[] = {"path=x", "select=recent", "follow=true", NULL};
    struct instance i;

    instance_init(&i, "files", settings);
    CU_ASSERT_EQUAL(i.module->check(i.self, &err), LEAT_E_CONFIG);
    instance_fini(&i);
}

LEAT_TESTS("file_select", T(a_partition_is_named_after_path_and_time),
           T(a_file_that_went_away_before_it_was_opened_is_passed_over),
           T(a_file_that_was_changed_before_it_was_opened_is_read_as_what_it_became),
           T(a_file_that_cannot_be_read_is_waited_for), T(a_later_life_reads_on_and_nothing_twice),
           T(a_file_that_was_changed_when_it_was_half_read_is_lost),
           T(a_file_that_is_written_over_while_it_is_read_is_lost),
           T(selecting_reports_lack_of_memory), T(files_that_are_still_written_cannot_be_selected))
