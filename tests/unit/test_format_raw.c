/* Tests engine/format/raw.c. */
#include "format_contract.h"
#include "instance.h"
#include "leat_test.h"

#include <stdio.h>

static const char *const none[] = {NULL};
static const char *const good[] = {"bytes", "", "\xff\xfe\x01", NULL};
static const struct format_case raw = {"raw", none, NULL, good, none};

static struct leat_error err;

static void only_bytes_and_text_can_be_written(void)
{
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    struct instance i;

    instance_init(&i, "raw", none);
    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    leat_chunk_add(&chunk, &(struct leat_row){0});
    leat_chunk_add(&chunk, &(struct leat_row){0});
    chunk.columns[LEAT_COL_THIS][0] = leat_int(1);
    chunk.columns[LEAT_COL_THIS][1] = leat_string(LEAT_LIT("x"));
    OK(i.module->format->encode(i.self, &chunk, LEAT_COL_THIS, &err));
    CU_ASSERT_EQUAL(chunk.columns[LEAT_COL_THIS][0].code, LEAT_V_TYPE);
    CU_ASSERT_PTR_NULL(chunk.values[0].ptr);
    CU_ASSERT(leat_slice_eq(chunk.values[1], LEAT_LIT("x")));
    leat_arena_reset(&arena);
    instance_fini(&i);
}

/* ---- files of records of one length */

struct bytes {
    const char *ptr;
    size_t len;
};

static enum leat_status read_bytes(void *arg, int64_t at, char *into, size_t room, size_t *n,
                                   struct leat_error *e)
{
    const struct bytes *b = arg;
    size_t left = at < (int64_t)b->len ? b->len - (size_t)at : 0;

    (void)e;
    *n = left < room ? left : room;
    if (*n)
        memcpy(into, b->ptr + at, *n);
    return LEAT_OK;
}

static const char *const of_three[] = {"length=3", NULL};

/* Rows of a block, in `text`: "5=abc 6=de!", where ! is an error. */
static void show(const struct instance *i, const struct leat_block *b, char *text, size_t room)
{
    static const struct leat_path all = {NULL, 0, LEAT_COL_PATHS};
    struct leat_arena arena = {0};
    struct leat_cursor cursor = {0};
    struct leat_chunk chunk;

    OK(i->module->format->plan(i->self, &all, 1, &arena, &err));
    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS + 1, &err));
    for (;;) {
        OK(b->coding->next(&cursor, b, &chunk, &err));
        if (chunk.rows == 0)
            break;
        OK(i->module->format->decode(i->self, &chunk, &err));
        for (uint32_t k = 0; k < chunk.rows; k++) {
            size_t at = strlen(text);
            snprintf(text + at, room - at, "%s%d=%.*s%s", at ? " " : "", (int)chunk.positions[k],
                     LEAT_FMT(chunk.values[k]),
                     chunk.columns[LEAT_COL_THIS][k].tag == LEAT_ERROR ? "!" : "");
        }
    }
    leat_arena_reset(&arena);
}

/* All from a position on, fetched in pieces. */
static const char *fetched(const char *file, int64_t from, size_t max_bytes, bool whole)
{
    static char text[500];
    const struct leat_container_file f = {"a file", read_bytes,
                                          &(struct bytes){file, strlen(file)}};
    bool at_end = false;
    struct instance i;

    text[0] = '\0';
    instance_init(&i, "raw", of_three);
    const struct leat_container *c = leat_container_of(i.module, i.self);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c);
    void *reader = c->open(i.self, &i.env);
    while (!at_end) {
        struct leat_block *b = NULL;
        OK(c->fetch(reader, &f, from, max_bytes, 0, whole, &b, &err));
        CU_ASSERT(b->from == from && (b->at_end || b->to > from));
        show(&i, b, text, sizeof text);
        at_end = b->at_end;
        from = b->to;
        leat_block_unref(b);
    }
    c->close(reader);
    instance_fini(&i);
    return text;
}

static void a_file_is_read_from_any_record_in_pieces_of_any_size(void)
{
    for (size_t max_bytes = 1; max_bytes < 12; max_bytes++) {
        CU_ASSERT_STRING_EQUAL(fetched("abc\n\r\ndef", 0, max_bytes, true), "0=abc 1=\n\r\n 2=def");
        CU_ASSERT_STRING_EQUAL(fetched("abcdefghi", 1, max_bytes, true), "1=def 2=ghi");
        CU_ASSERT_STRING_EQUAL(fetched("abcdefghi", 3, max_bytes, true), "");
        CU_ASSERT_STRING_EQUAL(fetched("", 0, max_bytes, true), "");
    }
}

static void a_fetch_of_few_rows_gets_no_more(void)
{
    const struct leat_container_file f = {"a file", read_bytes, &(struct bytes){"abcdefghijk", 11}};
    struct leat_block *b = NULL;
    struct instance i;

    instance_init(&i, "raw", of_three);
    void *reader = i.module->format->container->open(i.self, &i.env);
    for (int64_t n = 0; n < 2; n++) {
        OK(i.module->format->container->fetch(reader, &f, 2 * n, 100, 2, true, &b, &err));
        CU_ASSERT(b->to == 2 * n + 2 && b->rows_hint == 2);
        leat_block_unref(b);
    }
    i.module->format->container->close(reader);
    instance_fini(&i);
}

static void a_rest_is_an_error_unless_more_may_come(void)
{
    CU_ASSERT_STRING_EQUAL(fetched("abcdefgh", 0, 100, true), "0=abc 1=def 2=gh!");
    CU_ASSERT_STRING_EQUAL(fetched("abcdefgh", 2, 100, true), "2=gh!");
    CU_ASSERT_STRING_EQUAL(fetched("ab", 0, 1, true), "0=ab!");
    CU_ASSERT_STRING_EQUAL(fetched("abcdefgh", 0, 100, false), "0=abc 1=def");
    CU_ASSERT_STRING_EQUAL(fetched("abcdefgh", 2, 100, false), "");
}

static void what_is_not_in_the_file_is_lost_and_a_compressed_one_is_refused(void)
{
    struct leat_container_file f = {"a file", read_bytes, &(struct bytes){"abcdefgh", 8}};
    struct leat_block *b = NULL;
    struct instance i;

    instance_init(&i, "raw", of_three);
    const struct leat_container *c = i.module->format->container;
    void *reader = c->open(i.self, &i.env);
    CU_ASSERT_EQUAL(c->fetch(reader, &f, 4, 100, 0, true, &b, &err), LEAT_E_LOST);
    CU_ASSERT_EQUAL(c->fetch(reader, &f, INT64_MAX, 100, 0, true, &b, &err), LEAT_E_LOST);
    CU_ASSERT_EQUAL(c->fetch(reader, &f, -1, 100, 0, true, &b, &err), LEAT_E_LOST);
    f.path = "records.gz";
    CU_ASSERT_EQUAL(c->fetch(reader, &f, 0, 100, 0, true, &b, &err), LEAT_E_CONFIG);
    CU_ASSERT_PTR_NULL(b);
    c->close(reader);
    instance_fini(&i);
}

static void whole_records_of_a_file_are_found_without_its_size(void)
{
    static char much[100000];
    struct instance i;

    instance_init(&i, "raw", of_three);
    for (size_t len = 0; len < sizeof much; len = len < 20 ? len + 1 : 2 * len + 1) {
        const struct leat_container_file f = {"a file", read_bytes, &(struct bytes){much, len}};
        int64_t end = -1;
        OK(i.module->format->container->whole(i.self, &f, &end, &err));
        CU_ASSERT_EQUAL(end, (int64_t)(len / 3 * 3));
    }
    instance_fini(&i);
}

/* Nothing but zeros; arg: how many. */
static enum leat_status read_zeros(void *arg, int64_t at, char *into, size_t room, size_t *n,
                                   struct leat_error *e)
{
    const int64_t *len = arg;
    int64_t left = at < *len ? *len - at : 0;

    (void)e;
    *n = left < (int64_t)room ? (size_t)left : room;
    memset(into, 0, *n);
    return LEAT_OK;
}

static void whole_records_of_a_huge_file_are_found_too(void)
{
    struct instance i;

    instance_init(&i, "raw", of_three);
    for (int64_t len = 1000; len < INT64_MAX / 16; len *= 7) {
        const struct leat_container_file f = {"a file", read_zeros, &len};
        int64_t end = -1;
        OK(i.module->format->container->whole(i.self, &f, &end, &err));
        CU_ASSERT_EQUAL(end, len / 3 * 3);
    }
    instance_fini(&i);
}

static void only_records_of_the_length_can_be_written(void)
{
    struct leat_arena arena = {0};
    struct leat_chunk chunk;
    struct instance i;

    instance_init(&i, "raw", of_three);
    OK(leat_chunk_init(&chunk, &arena, LEAT_COL_PATHS, &err));
    leat_chunk_add(&chunk, &(struct leat_row){0});
    leat_chunk_add(&chunk, &(struct leat_row){0});
    chunk.columns[LEAT_COL_THIS][0] = leat_string(LEAT_LIT("abcd"));
    chunk.columns[LEAT_COL_THIS][1] = leat_string(LEAT_LIT("abc"));
    OK(i.module->format->encode(i.self, &chunk, LEAT_COL_THIS, &err));
    CU_ASSERT_EQUAL(chunk.columns[LEAT_COL_THIS][0].code, LEAT_V_TYPE);
    CU_ASSERT(leat_slice_eq(chunk.values[1], LEAT_LIT("abc")));
    leat_arena_reset(&arena);
    instance_fini(&i);
}

static void files_of_records_without_memory_give_it_back(void)
{
    static char much[300000];
    const struct leat_container_file f = {"a file", read_bytes, &(struct bytes){much, sizeof much}};

    LEAT_OOM_SWEEP {
        struct leat_block *b = NULL;
        struct instance i;
        instance_init(&i, "raw", of_three);
        void *reader = i.module->format->container->open(i.self, &i.env);
        if (reader && i.module->format->container->fetch(reader, &f, 0, sizeof much, 0, true, &b,
                                                         &err) == LEAT_OK) {
            CU_ASSERT_EQUAL(b->to, 100000);
            leat_block_unref(b);
        }
        i.module->format->container->close(reader);
        CU_ASSERT_EQUAL(i.budget.used, 0);
        instance_fini(&i);
    }
}

LEAT_FORMAT_CONTRACT(raw)
LEAT_TESTS("format_raw", LEAT_FORMAT_CONTRACT_TESTS, T(only_bytes_and_text_can_be_written),
           T(a_file_is_read_from_any_record_in_pieces_of_any_size),
           T(a_fetch_of_few_rows_gets_no_more), T(a_rest_is_an_error_unless_more_may_come),
           T(what_is_not_in_the_file_is_lost_and_a_compressed_one_is_refused),
           T(whole_records_of_a_file_are_found_without_its_size),
           T(whole_records_of_a_huge_file_are_found_too),
           T(only_records_of_the_length_can_be_written),
           T(files_of_records_without_memory_give_it_back))
