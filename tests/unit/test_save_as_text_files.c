/* Tests sinks/save_as_text_files.c: the contract of all sinks, then Spark's layout. */
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

static void clear(void)
{
    DIR *d = opendir(leat_test_dir());
    char path[1024];

    for (struct dirent *entry; d && (entry = readdir(d));) {
        snprintf(path, sizeof path, "%s/%.200s", leat_test_dir(), entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            leat_fs_remove_tree(&leat_fs_posix, path);
    }
    closedir(d);
}

static const struct sink_case sink = {
    .name = "save_as_text_files", .settings = settings, .visible = visible, .clear = clear};

LEAT_SINK_CONTRACT(sink)

struct rig {
    struct instance i;
    struct leat_arena arena;
    struct leat_chunk chunk;
    struct leat_bytes section;
};

static void rig_open(struct rig *r, const char *const *given)
{
    uint64_t n = 0;

    memset(r, 0, sizeof *r);
    clear();
    instance_init_sink(&r->i, "save_as_text_files", given);
    r->section.arena = &r->arena;
    OK(leat_chunk_init(&r->chunk, &r->arena, LEAT_COL_PATHS, &err));
    OK(r->i.module->sink->open(r->i.self, &r->i.env, &err));
    OK(r->i.module->sink->recover(r->i.self, n, (struct leat_slice){0}, &err));
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

int main(void)
{
    snprintf(prefix_setting, sizeof prefix_setting, "prefix=%s/counts", leat_test_dir());
    return leat_test_main(
        "save_as_text_files",
        (CU_TestInfo[]){LEAT_SINK_CONTRACT_TESTS, T(directories_look_as_those_of_spark),
                        T(an_empty_batch_and_each_of_a_group_has_its_directory),
                        T(a_replayed_batch_replaces_its_directory), CU_TEST_INFO_NULL});
}
