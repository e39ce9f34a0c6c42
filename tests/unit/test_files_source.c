/* Tests connectors/files.c and what it is made of: the contract of all pull sources, then what is
 * special. Linked a second time without built-in modules, it tests the same code loaded from a .so.
 */
#include "instance.h"
#include "leat_test.h"
#include "source_contract.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct leat_error err;
static char path_setting[128], dir_setting[128], glob_setting[128], deep_setting[128];
static char gzip_setting[128];
static const char *const good[] = {path_setting, NULL};
static const char *const packed[] = {gzip_setting, NULL};
static const char *const in_dir[] = {dir_setting, NULL};
static const char *const by_pattern[] = {glob_setting, NULL};
static const char *const by_deep_pattern[] = {deep_setting, NULL};
static const char *const followed[] = {path_setting, "follow=true", NULL};
static const char *const bad[] = {"path=/no/such/file", NULL};
static const struct source_case source = {.name = "files", .good = good, .bad = bad};
static const struct source_case compressed = {.name = "files", .good = packed};

LEAT_PULL_CONTRACT(source)

/* clang-format off */
#define C(what) static void compressed_##what(void) { contract_##what(&compressed); }
C(ranges_join_without_gap)
C(any_position_can_be_read_again)
/* clang-format on */

static const char *at(const char *name)
{
    static char path[2][512];
    static int turn;

    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", leat_test_dir(), name);
    return path[turn];
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(at(name), "w");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        abort();
}

static enum leat_status put(void *arg, struct leat_slice bytes, struct leat_error *e)
{
    (void)e;
    return fwrite(bytes.ptr, 1, bytes.len, arg) == bytes.len ? LEAT_OK : LEAT_E_IO;
}

static void write_packed(const char *name, const char *text)
{
    struct leat_compressor *c =
        leat_compressor_new(leat_compression_of_path(leat_slice_str(name)), &err);
    FILE *f = fopen(at(name), "w");

    OK(leat_compressor_write(c, leat_slice_str(text), true, put, f, &err));
    leat_compressor_free(c);
    fclose(f);
}

static struct leat_block *answer;
static struct leat_error answer_error;

static void keep(void *arg, const struct leat_fetch *fetch, struct leat_block *block,
                 const struct leat_error *error)
{
    (void)arg, (void)fetch;
    answer = block;
    answer_error = *error;
}

struct found {
    int count;
    char names[8][512];
    struct leat_part parts[8];
};

static void remember(void *arg, const struct leat_part *p)
{
    struct found *f = arg;

    CU_ASSERT(leat_module_find_source("files") != NULL);
    if (f->count < 8) {
        snprintf(f->names[f->count], sizeof f->names[0], "%.*s", LEAT_FMT(p->name));
        f->parts[f->count] = *p;
    }
    f->count++;
}

static struct found look(struct instance *i)
{
    struct found f = {0};

    OK(i->module->pull->partitions(i->self, remember, &f, &err));
    return f;
}

static struct found start(struct instance *i, const char *const *settings)
{
    instance_init(i, "files", settings);
    i->env.max_record_bytes = 32;
    OK(i->module->pull->open(i->self, &i->env, &err));
    return look(i);
}

static void stop(struct instance *i)
{
    i->module->pull->close(i->self);
    instance_fini(i);
}

static struct leat_block *fetch(struct instance *i, uint32_t part, int64_t from, size_t max_bytes)
{
    i->module->pull->fetch(i->self,
                           &(struct leat_fetch){.part = part, .from = from, .max_bytes = max_bytes},
                           keep, NULL);
    if (answer)
        CU_ASSERT(answer->from == from && answer->part == part);
    return answer;
}

static void a_file_that_became_shorter_is_lost(void)
{
    struct instance i;

    write_file("lines", SOURCE_TEXT);
    start(&i, good);
    CU_ASSERT_PTR_NULL(fetch(&i, 0, 1000, 8));
    CU_ASSERT_EQUAL(answer_error.status, LEAT_E_LOST);
    leat_block_unref(fetch(&i, 0, 0, 8)); /* from its beginning it can be read all the same */
    CU_ASSERT_EQUAL(answer_error.status, LEAT_OK);
    stop(&i);
}

static void a_file_that_went_away_is_lost_once(void)
{
    struct instance i;

    write_file("lines", SOURCE_TEXT);
    start(&i, good);
    unlink(at("lines"));
    CU_ASSERT_PTR_NULL(fetch(&i, 0, 0, 8));
    CU_ASSERT_EQUAL(answer_error.status, LEAT_E_LOST);
    struct leat_block *b = fetch(&i, 0, 0, 8); /* who goes on all the same finds its end */
    CU_ASSERT(b && b->finished && b->to == 0);
    leat_block_unref(b);
    write_file("lines", SOURCE_TEXT);
    stop(&i);
}

/* Rows of part 0 from its beginning; lengths of the first eight. */
static int read_all(struct instance *i, size_t max_bytes, size_t lengths[8])
{
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    int64_t from = 0;
    int rows = 0;
    bool finished = false;

    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    while (!finished) {
        struct leat_block *b = fetch(i, 0, from, max_bytes);
        struct leat_cursor cursor = {0};
        CU_ASSERT_PTR_NOT_NULL_FATAL(b);
        do {
            OK(b->coding->next(&cursor, b, &chunk, &err));
            for (uint32_t r = 0; r < chunk.rows; r++, rows++)
                if (rows < 8)
                    lengths[rows] = chunk.values[r].len;
        } while (chunk.rows);
        from = b->to;
        finished = b->finished;
        leat_block_unref(b);
    }
    leat_arena_reset(&arena);
    return rows;
}

/* Also where a block has less than a line, at first. */
static void a_fetch_of_few_rows_gets_no_more(void)
{
    const size_t sizes[] = {1, 20, 100000};

    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int gz = 0; gz < 2; gz++) {
            struct instance i;
            struct leat_fetch fetch = {.max_bytes = sizes[s], .max_rows = 2};
            uint32_t rows = 0;
            bool finished;
            start(&i, gz ? packed : good);
            do {
                i.module->pull->fetch(i.self, &fetch, keep, NULL);
                CU_ASSERT_PTR_NOT_NULL_FATAL(answer);
                CU_ASSERT(answer->from == fetch.from && answer->rows_hint <= 2);
                rows += answer->rows_hint;
                fetch.from = answer->to;
                finished = answer->finished;
                leat_block_unref(answer);
            } while (!finished);
            CU_ASSERT_EQUAL(rows, SOURCE_LINES);
            stop(&i);
        }
}

/* 32 bytes are the limit of these tests; the good lines around it are unharmed. */
static void too_long_a_line_costs_only_itself(void)
{
    const size_t sizes[] = {1, 16, 33, 40, 1000};
    char text[200000] = "good\n0123456789012345678901234567890\n";
    size_t len = strlen(text);

    memset(text + len, 'x', 150000);
    snprintf(text + len + 150000, 100, "\ngood again\n%033d\nlast", 0);
    write_file("lines", text);
    write_packed("packed.gz", text);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int gz = 0; gz < 2; gz++) {
            struct instance i;
            size_t lengths[8] = {0};
            start(&i, gz ? packed : good);
            CU_ASSERT_EQUAL(read_all(&i, sizes[s], lengths), 6);
            CU_ASSERT(lengths[0] == 4 && lengths[1] == 31 && lengths[2] == 33);
            CU_ASSERT(lengths[3] == 10 && lengths[4] == 33 && lengths[5] == 4);
            stop(&i);
        }
    write_file("lines", SOURCE_TEXT);
    write_packed("packed.gz", SOURCE_TEXT);
}

static void an_unfinished_line_of_a_followed_file_waits(void)
{
    struct instance i;

    write_file("lines", "one\ntw");
    start(&i, followed);
    struct leat_block *b = fetch(&i, 0, 0, 100);
    CU_ASSERT(b->to == 4 && b->at_end && !b->finished);
    leat_block_unref(b);
    write_file("lines", "one\ntwo\n");
    b = fetch(&i, 0, 4, 100);
    CU_ASSERT(b->to == 8 && b->bytes.len == 4);
    leat_block_unref(b);
    stop(&i);
    write_file("lines", SOURCE_TEXT);
}

static void a_compressed_file_that_was_read_is_not_unpacked_again(void)
{
    struct instance i;
    size_t lengths[8];

    start(&i, packed);
    CU_ASSERT_EQUAL(read_all(&i, 1000, lengths), SOURCE_LINES);
    struct leat_block *b = fetch(&i, 0, 0, 1000);
    int64_t end = b->to;
    leat_block_unref(b);
    unlink(at("packed.gz"));
    b = fetch(&i, 0, end, 1000); /* it need not even be there */
    CU_ASSERT(b && b->finished && b->to == end);
    leat_block_unref(b);
    stop(&i);
    write_packed("packed.gz", SOURCE_TEXT);
}

static void a_compressed_file_that_was_cut_off_is_said(void)
{
    struct instance i;

    CU_ASSERT_EQUAL(truncate(at("packed.gz"), 25), 0);
    start(&i, packed);
    CU_ASSERT_PTR_NULL(fetch(&i, 0, 0, 1000));
    CU_ASSERT_EQUAL(answer_error.status, LEAT_E_DATA);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer_error.text, "cut off"));
    stop(&i);
    write_packed("packed.gz", SOURCE_TEXT);
}

static void new_files_of_a_directory_are_picked_up(void)
{
    struct instance i;

    mkdir(at("many"), 0755);
    mkdir(at("many/folder"), 0755);
    write_file("many/b.log", "b\n");
    write_file("many/a.log", "a\n");
    write_file("many/.hidden", "x\n");
    write_file("many/_SUCCESS", "x\n");
    write_file("many/c.tmp", "x\n");
    struct found first = start(&i, in_dir);
    CU_ASSERT_EQUAL_FATAL(first.count, 2);
    CU_ASSERT_STRING_EQUAL(first.names[0], at("many/a.log"));
    CU_ASSERT_STRING_EQUAL(first.names[1], at("many/b.log"));
    CU_ASSERT(first.parts[0].end == 2 && first.parts[0].finished && first.parts[1].id == 1);
    CU_ASSERT_EQUAL(look(&i).count, 0);
    rename(at("many/c.tmp"), at("many/c.log"));
    struct found second = look(&i);
    CU_ASSERT_EQUAL_FATAL(second.count, 1);
    CU_ASSERT_STRING_EQUAL(second.names[0], at("many/c.log"));
    CU_ASSERT_EQUAL(second.parts[0].id, 2);
    leat_block_unref(fetch(&i, 2, 0, 100));
    CU_ASSERT_EQUAL(answer_error.status, LEAT_OK);
    stop(&i);
    CU_ASSERT_EQUAL(start(&i, by_pattern).count, 1); /* many/a* */
    stop(&i);
    CU_ASSERT_EQUAL(start(&i, by_deep_pattern).count, 3); /* m*y/?.log */
    CU_ASSERT_EQUAL(look(&i).count, 0);
    stop(&i);
}

static int64_t clock_ms;

static int64_t test_now(const struct leat_clock *c)
{
    (void)c;
    return clock_ms;
}

static int open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int count = 0;

    for (struct dirent *entry; d && (entry = readdir(d));)
        count++;
    closedir(d);
    return count;
}

static int allocations;

static bool count_allocation(void)
{
    allocations++;
    return true;
}

/* Reopened it would be sought from its beginning again, and here not even be found. */
static void a_file_stays_open_while_memory_is_waited_for(void)
{
    struct instance i;

    write_file("lines", SOURCE_TEXT);
    start(&i, good);
    struct leat_block *b = fetch(&i, 0, 0, 8);
    CU_ASSERT_FATAL(b && !b->at_end);
    int64_t to = b->to;
    leat_block_unref(b);
    i.budget.cap = 0;
    CU_ASSERT_PTR_NULL(fetch(&i, 0, to, 8));
    CU_ASSERT_EQUAL(answer_error.status, LEAT_E_FULL);
    unlink(at("lines"));
    i.budget.cap = 1 << 24;
    b = fetch(&i, 0, to, 1000);
    CU_ASSERT_EQUAL(answer_error.status, LEAT_OK);
    CU_ASSERT(b && b->finished);
    leat_block_unref(b);
    stop(&i);
}

/* However many there are: no descriptor, no memory of the budget beside the names, no look. */
static void ten_thousand_finished_files_cost_nothing(void)
{
    static const struct leat_clock clock = {.now_ms = test_now, .monotonic_ms = test_now};
    static char setting[128];
    static const char *const settings[] = {setting, NULL};
    enum { FILES = 10000 };
    struct instance i;
    char name[64];

    snprintf(setting, sizeof setting, "path=%s", at("10000"));
    mkdir(at("10000"), 0755);
    for (int n = 0; n < FILES; n++) {
        snprintf(name, sizeof name, "10000/%d", n);
        write_file(name, "line\n");
    }
    instance_init(&i, "files", settings);
    i.env.clock = &clock;
    clock_ms = leat_clock_now_ms(NULL) + 3600000; /* long after the last change */
    OK(i.module->pull->open(i.self, &i.env, &err));
    CU_ASSERT_EQUAL(look(&i).count, FILES);
    size_t names = atomic_load(&i.budget.used);
    int descriptors = open_descriptors();
    for (uint32_t part = 0; part < FILES; part++) {
        struct leat_block *b = fetch(&i, part, 0, 1 << 20);
        CU_ASSERT_FATAL(b && b->finished && b->room <= 16);
        leat_block_unref(b);
    }
    CU_ASSERT_EQUAL(open_descriptors(), descriptors);
    CU_ASSERT_EQUAL(atomic_load(&i.budget.used), names);
    CU_ASSERT(names < FILES * 256);
    leat_mem_gate = count_allocation;
    for (int n = 0; n < 100; n++)
        CU_ASSERT_EQUAL(look(&i).count, 0);
    leat_mem_gate = NULL;
    CU_ASSERT_EQUAL(allocations, 0);
    stop(&i);
}

static void names_that_there_is_no_room_for_take_none_however_often_they_are_looked_for(void)
{
    static char setting[128];
    static const char *const settings[] = {setting, NULL};
    struct instance i;
    struct found none = {0};
    char name[200];

    snprintf(setting, sizeof setting, "path=%s", at("1000"));
    mkdir(at("1000"), 0755);
    start(&i, settings);
    for (int n = 0; n < 1000; n++) {
        snprintf(name, sizeof name, "1000/%0150d", n);
        write_file(name, "");
    }
    i.budget.cap = 1000;
    for (int n = 0; n < 10; n++) {
        allocations = 0;
        leat_mem_gate = count_allocation;
        CU_ASSERT_EQUAL(i.module->pull->partitions(i.self, remember, &none, &err), LEAT_E_FULL);
        leat_mem_gate = NULL;
        CU_ASSERT(n == 0 || allocations == 0);
    }
    allocations = 0;
    i.budget.cap = 1 << 24;
    CU_ASSERT_EQUAL(look(&i).count, 1000);
    stop(&i);
    leat_fs_remove_tree(&leat_fs_posix, at("1000"));
}

int main(void)
{
#ifdef PLUGIN
    if (leat_module_load(PLUGIN, &err) != LEAT_OK) {
        printf("%s\n", err.text);
        return EXIT_FAILURE;
    }
#endif
    snprintf(path_setting, sizeof path_setting, "path=%s", at("lines"));
    snprintf(gzip_setting, sizeof gzip_setting, "path=%s", at("packed.gz"));
    snprintf(dir_setting, sizeof dir_setting, "path=%s", at("many"));
    snprintf(glob_setting, sizeof glob_setting, "path=%s", at("many/a*"));
    snprintf(deep_setting, sizeof deep_setting, "path=%s", at("m*y/?.log"));
    write_file("lines", SOURCE_TEXT);
    write_packed("packed.gz", SOURCE_TEXT);
    return leat_test_main(
        "files",
        (CU_TestInfo[]){
            LEAT_PULL_CONTRACT_TESTS, T(compressed_ranges_join_without_gap),
            T(compressed_any_position_can_be_read_again), T(a_file_that_became_shorter_is_lost),
            T(a_file_that_went_away_is_lost_once), T(a_fetch_of_few_rows_gets_no_more),
            T(too_long_a_line_costs_only_itself), T(an_unfinished_line_of_a_followed_file_waits),
            T(a_compressed_file_that_was_read_is_not_unpacked_again),
            T(a_compressed_file_that_was_cut_off_is_said),
            T(new_files_of_a_directory_are_picked_up), T(ten_thousand_finished_files_cost_nothing),
            T(a_file_stays_open_while_memory_is_waited_for),
            T(names_that_there_is_no_room_for_take_none_however_often_they_are_looked_for),
            CU_TEST_INFO_NULL});
}
