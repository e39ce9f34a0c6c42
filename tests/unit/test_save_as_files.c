/* Tests sinks/save_as_files.c: the contract of all sinks for lines and for containers, then Spark's
 * layout. */
#include "instance.h"
#include "leat_test.h"
#include "sink_contract.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

static struct leat_error err;
static char prefix_setting[128];
static const char *const settings[] = {prefix_setting, "suffix=txt", NULL};
static const char *const plain[] = {prefix_setting, NULL};
static char text[4096];

static const char *content(const char *below)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/%s", leat_test_dir(), below);
    int64_t n = leat_fs_posix.read(&leat_fs_posix, path, 0, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    return n < 0 ? "(none)" : text;
}

/* Lines of all directories that have _SUCCESS; -1 when a visible one has not. */
static int visible(void)
{
    DIR *d = opendir(leat_test_dir());
    char below[512];
    int lines = 0;

    for (struct dirent *entry; d && (entry = readdir(d));) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(below, sizeof below, "%.200s/_SUCCESS", entry->d_name);
        if (strcmp(content(below), "(none)") == 0)
            lines = -1000;
        snprintf(below, sizeof below, "%.200s/part-00000", entry->d_name);
        for (const char *at = content(below); (at = strstr(at, "ten bytes!\n")); at++)
            lines++;
    }
    closedir(d);
    return lines;
}

static const struct sink_case sink = {.name = "save_as_text_files",
                                      .settings = settings,
                                      .visible = visible,
                                      .clear = leat_test_clear_dir};

LEAT_SINK_CONTRACT(sink)

/* A container whose blocks are rows with an end of line behind each ten bytes, so that they can be
 * counted, and two more behind the block; rows with an x are too long for it. */
static void *packer(const void *self)
{
    (void)self;
    return leat_mem_alloc(1);
}

static enum leat_status pack(void *self, struct leat_slice rows, uint32_t count,
                             leat_compressed *out, void *arg, struct leat_error *e)
{
    (void)self;
    if (memchr(rows.ptr, 'x', rows.len))
        return leat_fail(e, LEAT_E_DATA, "%u rows are too long", count);
    for (size_t at = 0; at < rows.len; at += 10)
        if (out(arg, (struct leat_slice){rows.ptr + at, rows.len - at < 10 ? rows.len - at : 10},
                e) != LEAT_OK ||
            out(arg, LEAT_LIT("\n"), e) != LEAT_OK)
            return e->status;
    return out(arg, LEAT_LIT("\n\n"), e);
}

static const struct leat_container blocks = {
    .packer = packer, .packer_free = leat_mem_free, .pack = pack};
static const struct sink_case contained = {.name = "save_as_object_files",
                                           .settings = settings,
                                           .visible = visible,
                                           .clear = leat_test_clear_dir,
                                           .container = &blocks};

/* clang-format off */
#define B(what) static void contained_##what(void) { contract_##what(&contained); }
B(visible_only_after_commit)
B(every_step_may_be_repeated)
B(abort_leaves_nothing)
B(reports_lack_of_memory)
B(crash_at_every_call_loses_and_doubles_nothing)
B(failure_at_every_call_is_reported)
B(full_disk_is_waited_for)
B(abort_that_failed_is_made_up_for)
#define CONTAINED_TESTS                                                                            \
    T(contained_visible_only_after_commit), T(contained_every_step_may_be_repeated),               \
    T(contained_abort_leaves_nothing), T(contained_reports_lack_of_memory),                        \
    T(contained_crash_at_every_call_loses_and_doubles_nothing),                                    \
    T(contained_failure_at_every_call_is_reported), T(contained_full_disk_is_waited_for),          \
    T(contained_abort_that_failed_is_made_up_for)
/* clang-format on */

struct rig {
    struct instance i;
    struct leat_arena arena;
    struct leat_chunk chunk;
    struct leat_bytes section;
};

static void open_as(struct rig *r, const char *name, const char *const *given,
                    const struct leat_container *container)
{
    uint64_t n = 0;

    memset(r, 0, sizeof *r);
    leat_test_clear_dir();
    instance_init_sink(&r->i, name, given);
    r->i.env.container = container;
    if (container)
        r->i.env.file_preamble = LEAT_LIT("head\n");
    r->section.arena = &r->arena;
    OK(leat_chunk_init(&r->chunk, &r->arena, LEAT_COL_PATHS, &err));
    OK(r->i.module->sink->open(r->i.self, &r->i.env, &err));
    OK(r->i.module->sink->recover(r->i.self, n, (struct leat_slice){0}, &err));
}

static void rig_open(struct rig *r, const char *const *given)
{
    open_as(r, "save_as_text_files", given, NULL);
}

static void rig_close(struct rig *r)
{
    r->i.module->sink->close(r->i.self);
    leat_arena_reset(&r->arena);
    instance_fini(&r->i);
}

static void write_row(struct rig *r, uint64_t n, uint32_t part, const char *key, const char *value)
{
    leat_chunk_clear(&r->chunk, part);
    leat_chunk_add(&r->chunk,
                   &(struct leat_row){.key = leat_slice_str(key), .value = leat_slice_str(value)});
    OK(r->i.module->sink->write(r->i.self, n, &r->chunk, &err));
}

static void begin(struct rig *r, uint64_t n, int64_t time_ms)
{
    OK(r->i.module->sink->begin(r->i.self, n, time_ms, &err));
}

static void commit(struct rig *r, uint64_t n)
{
    const struct leat_positions none = {0};

    OK(r->i.module->sink->prepare(r->i.self, n, &none, &r->section, &err));
    OK(r->i.module->sink->commit(r->i.self, n, &err));
}

static void directories_look_as_those_of_spark(void)
{
    struct rig r;

    rig_open(&r, settings);
    begin(&r, 1, 1414141414000);
    write_row(&r, 1, 0, "the", "(the,4)");
    write_row(&r, 1, 12, NULL, "no key");
    write_row(&r, 1, 0, "a", NULL);
    leat_chunk_clear(&r.chunk, 3);
    OK(r.i.module->sink->write(r.i.self, 1, &r.chunk, &err));
    commit(&r, 1);
    CU_ASSERT_STRING_EQUAL(content("counts-1414141414000.txt/part-00000"), "(the,4)\nnull\n");
    CU_ASSERT_STRING_EQUAL(content("counts-1414141414000.txt/part-00012"), "no key\n");
    CU_ASSERT_STRING_EQUAL(content("counts-1414141414000.txt/part-00003"), "");
    CU_ASSERT_STRING_EQUAL(content("counts-1414141414000.txt/_SUCCESS"), "");
    rig_close(&r);
}

static void an_empty_batch_and_each_of_a_group_has_its_directory(void)
{
    struct rig r;

    rig_open(&r, plain);
    begin(&r, 1, 1000);
    begin(&r, 1, 2000);
    write_row(&r, 1, 0, NULL, "x");
    begin(&r, 1, 3000);
    commit(&r, 1);
    CU_ASSERT_STRING_EQUAL(content("counts-1000/_SUCCESS"), "");
    CU_ASSERT_STRING_EQUAL(content("counts-1000/part-00000"), "(none)");
    CU_ASSERT_STRING_EQUAL(content("counts-2000/part-00000"), "x\n");
    CU_ASSERT_STRING_EQUAL(content("counts-3000/_SUCCESS"), "");
    rig_close(&r);
}

static void a_replayed_batch_replaces_its_directory(void)
{
    struct rig r;

    rig_open(&r, plain);
    begin(&r, 1, 1000);
    write_row(&r, 1, 0, NULL, "old");
    write_row(&r, 1, 1, NULL, "old");
    commit(&r, 1);
    begin(&r, 2, 1000);
    write_row(&r, 2, 0, NULL, "new");
    commit(&r, 2);
    CU_ASSERT_STRING_EQUAL(content("counts-1000/part-00000"), "new\n");
    CU_ASSERT_STRING_EQUAL(content("counts-1000/part-00001"), "(none)");
    rig_close(&r);
}

static void each_part_is_a_container_also_an_empty_one_and_one_that_is_gone_on_with(void)
{
    struct rig r;

    open_as(&r, "save_as_object_files", plain, &blocks);
    begin(&r, 1, 1000);
    write_row(&r, 1, 0, NULL, "one");
    write_row(&r, 1, 0, NULL, "two");
    leat_chunk_clear(&r.chunk, 1);
    OK(r.i.module->sink->write(r.i.self, 1, &r.chunk, &err));
    write_row(&r, 1, 0, NULL, "three");
    commit(&r, 1);
    CU_ASSERT_STRING_EQUAL(content("counts-1000/part-00000"), "head\nonetwo\n\n\nthree\n\n\n");
    CU_ASSERT_STRING_EQUAL(content("counts-1000/part-00001"), "head\n");
    CU_ASSERT_STRING_EQUAL(content("counts-1000/_SUCCESS"), "");
    rig_close(&r);
}

static void what_is_longer_than_the_buffer_is_written_whole(void)
{
    static char row[200001];
    struct rig r;

    memset(row, 'a', sizeof row - 1);
    rig_open(&r, plain);
    begin(&r, 1, 1000);
    write_row(&r, 1, 0, NULL, "before");
    write_row(&r, 1, 0, NULL, row);
    write_row(&r, 1, 0, NULL, "behind");
    commit(&r, 1);
    char path[512];
    snprintf(path, sizeof path, "%s/counts-1000/part-00000", leat_test_dir());
    CU_ASSERT_EQUAL(leat_fs_posix.length(&leat_fs_posix, path), 7 + 200001 + 7);
    char end[9] = "";
    CU_ASSERT_EQUAL(leat_fs_posix.read(&leat_fs_posix, path, 7 + 200000, end, 8), 8);
    CU_ASSERT_STRING_EQUAL(end, "\nbehind\n");
    rig_close(&r);
}

static void a_row_that_fits_no_block_is_that_rows_mistake(void)
{
    static char row[100001];
    struct leat_refusals refusals = {0};
    struct rig r;

    memset(row, 'x', sizeof row - 1);
    open_as(&r, "save_as_object_files", plain, &blocks);
    refusals.arena.budget = &r.i.budget;
    r.i.env.refusals = &refusals;
    begin(&r, 1, 1000);
    write_row(&r, 1, 0, NULL, "good");
    write_row(&r, 1, 0, NULL, row);
    CU_ASSERT_PTR_NOT_NULL_FATAL(refusals.first);
    CU_ASSERT_STRING_EQUAL(refusals.first->why.ptr, "1 rows are too long");
    CU_ASSERT_PTR_NULL(refusals.first->next);
    commit(&r, 1);
    CU_ASSERT_STRING_EQUAL(content("counts-1000/part-00000"), "head\ngood\n\n\n");
    leat_arena_reset(&refusals.arena);
    rig_close(&r);
}

int main(void)
{
    snprintf(prefix_setting, sizeof prefix_setting, "prefix=%s/counts", leat_test_dir());
    return leat_test_main(
        "save_as_files",
        (CU_TestInfo[]){LEAT_SINK_CONTRACT_TESTS, CONTAINED_TESTS,
                        T(directories_look_as_those_of_spark),
                        T(an_empty_batch_and_each_of_a_group_has_its_directory),
                        T(a_replayed_batch_replaces_its_directory),
                        T(each_part_is_a_container_also_an_empty_one_and_one_that_is_gone_on_with),
                        T(what_is_longer_than_the_buffer_is_written_whole),
                        T(a_row_that_fits_no_block_is_that_rows_mistake), CU_TEST_INFO_NULL});
}
