/* Tests engine/format/csv.c and csv_write.c. */
#include "format_contract.h"
#include "instance.h"
#include "leat_test.h"

#include <stdio.h> /* OK() */

static const char *const none[] = {NULL}, *const headed[] = {"header=true", NULL},
                         *const semicolon[] = {"delimiter=;", NULL};
static const char *const fields[] = {"city", "target", "note", NULL};
static const char *const good[] = {"Paris,10.5,x", ",,", "\"a,b\",\"say \"\"hi\"\"\",", "a b, c ,d",
                                   NULL};
static const char *const bad[] = {"a,b",      "a,b,c,d",  "\"a,b,c", "\"a\"b,c,d",
                                  "a,b\"c,d", "a,b,\xff", "\"",      NULL};
static const struct format_case csv = {"csv", none, fields, good, bad};

static struct leat_error err;

enum { CITY = LEAT_COL_PATHS, TARGET, DEEP, COLUMNS };

static const struct leat_slice city[] = {{"city", 4}}, target[] = {{"target", 6}},
                               deep[] = {{"city", 4}, {"x", 1}};
static const struct leat_path paths[] = {{city, 1, CITY}, {target, 1, TARGET}, {deep, 2, DEEP}};

struct world {
    struct instance i;
    const struct leat_format *format;
    struct leat_arena arena;
    struct leat_chunk chunk;
};

static void init(struct world *w, const char *const *settings, bool with_fields)
{
    static const struct leat_slice names[] = {{"city", 4}, {"target", 6}};

    *w = (struct world){0};
    instance_init(&w->i, "csv", settings);
    w->format = w->i.module->format;
    if (with_fields)
        OK(w->format->fields(w->i.self, names, 2, &w->i.arena, &err));
    OK(w->format->plan(w->i.self, paths, 3, &w->i.arena, &err));
    OK(leat_chunk_init(&w->chunk, &w->arena, COLUMNS, &err));
}

static void add(struct world *w, const char *text, int64_t position)
{
    leat_chunk_add(&w->chunk,
                   &(struct leat_row){.value = leat_slice_str(text), .position = position});
}

static void fini(struct world *w)
{
    leat_arena_reset(&w->arena);
    instance_fini(&w->i);
}

static bool cell_is(const struct world *w, uint32_t column, uint32_t row, const char *text)
{
    struct leat_value v = w->chunk.columns[column][row];

    return v.tag == LEAT_STRING && leat_slice_eq(leat_value_text(v), leat_slice_str(text));
}

static void a_header_and_blank_lines_are_no_records(void)
{
    struct world w;

    init(&w, headed, true);
    add(&w,
        "\xef\xbb\xbf"
        "city,target",
        0);
    add(&w, "", 12);
    add(&w, "Paris,\"1,5\"", 13);
    OK(w.format->decode(w.i.self, &w.chunk, &err));
    CU_ASSERT_EQUAL_FATAL(w.chunk.selected, 1);
    CU_ASSERT_EQUAL(w.chunk.selection[0], 2);
    CU_ASSERT(cell_is(&w, CITY, 2, "Paris"));
    CU_ASSERT(cell_is(&w, TARGET, 2, "1,5"));
    CU_ASSERT_EQUAL(w.chunk.columns[DEEP][2].code, LEAT_V_TYPE);
    fini(&w);
}

static void a_header_with_other_names_is_an_error(void)
{
    static const char *const others[] = {"target,city", "city", "city,target,more", "\"city", NULL};

    for (int k = 0; others[k]; k++) {
        struct world w;
        init(&w, headed, true);
        add(&w, others[k], 0);
        add(&w, "Paris,1", 20);
        OK(w.format->decode(w.i.self, &w.chunk, &err));
        CU_ASSERT_EQUAL(w.chunk.selected, 2);
        CU_ASSERT_EQUAL(w.chunk.columns[LEAT_COL_THIS][0].tag, LEAT_ERROR);
        CU_ASSERT(cell_is(&w, CITY, 1, "Paris"));
        fini(&w);
    }
}

static void a_table_learns_the_names_from_its_file(void)
{
    struct world w;

    init(&w, headed, true);
    OK(w.format->header(w.i.self, LEAT_LIT("target,\"more\",city"), &w.arena, &err));
    add(&w, "1,2,Paris", 2);
    OK(w.format->decode(w.i.self, &w.chunk, &err));
    CU_ASSERT(cell_is(&w, CITY, 0, "Paris"));
    CU_ASSERT(cell_is(&w, TARGET, 0, "1"));
    CU_ASSERT_EQUAL(w.format->header(w.i.self, LEAT_LIT("a,\"b"), &w.arena, &err), LEAT_E_DATA);
    CU_ASSERT_EQUAL(w.format->header(w.i.self, LEAT_LIT("a,b,a"), &w.arena, &err), LEAT_E_DATA);
    CU_ASSERT_STRING_EQUAL(err.text, "csv header: 'a' stands there twice");
    fini(&w);
}

static void without_names_every_row_is_an_error_that_says_so(void)
{
    struct world w;

    init(&w, none, false);
    add(&w, "Paris,1", 5);
    OK(w.format->decode(w.i.self, &w.chunk, &err));
    CU_ASSERT_STRING_EQUAL(w.chunk.columns[LEAT_COL_THIS][0].as.text,
                           "csv: nothing names the columns: give `columns` or a schema");
    fini(&w);
}

static void files_begin_with_the_names(void)
{
    struct world w;
    struct leat_value v;

    init(&w, headed, true);
    CU_ASSERT(leat_slice_eq(w.format->preamble(w.i.self), LEAT_LIT("city,target\n")));
    v = leat_json_parse(LEAT_LIT("{\"target\":1.5,\"x\":0,\"city\":\"a\\\"b\"}"), &w.arena);
    add(&w, "", 1);
    w.chunk.columns[CITY][0] = v;
    OK(w.format->encode(w.i.self, &w.chunk, CITY, &err));
    CU_ASSERT(leat_slice_eq(w.chunk.values[0], LEAT_LIT("\"a\"\"b\",1.5")));
    fini(&w);
    init(&w, none, true);
    CU_ASSERT_EQUAL(w.format->preamble(w.i.self).len, 0);
    fini(&w);
}

static void every_kind_of_value_has_a_cell(void)
{
    struct world w;
    struct leat_value items[] = {leat_int(1),
                                 {.tag = LEAT_UINT, .as.u = UINT64_MAX},
                                 leat_bool(true),
                                 {.tag = LEAT_NULL},
                                 leat_double(2),
                                 {.tag = LEAT_BYTES, .len = 1, .as.text = "a"},
                                 {.tag = LEAT_TIMESTAMP},
                                 leat_string(LEAT_LIT("x;y\nz")),
                                 leat_value_fail(LEAT_V_ABSENT, ""),
                                 {.tag = LEAT_LIST, .len = 0}};

    init(&w, semicolon, false);
    add(&w, "", 1);
    w.chunk.columns[CITY][0] = (struct leat_value){.tag = LEAT_LIST, .len = 10, .as.items = items};
    OK(w.format->encode(w.i.self, &w.chunk, CITY, &err));
    CU_ASSERT(leat_slice_eq(w.chunk.values[0],
                            LEAT_LIT("1;18446744073709551615;true;;2.0;YQ==;1970-01-01T00:00:00Z;"
                                     "\"x;y\nz\";;[]")));
    w.chunk.columns[CITY][0] = leat_string(LEAT_LIT(""));
    OK(w.format->encode(w.i.self, &w.chunk, CITY, &err));
    CU_ASSERT(leat_slice_eq(w.chunk.values[0], LEAT_LIT("\"\"")));
    items[0] = leat_value_fail(LEAT_V_TYPE, "wrong");
    w.chunk.columns[CITY][0] = (struct leat_value){.tag = LEAT_LIST, .len = 1, .as.items = items};
    OK(w.format->encode(w.i.self, &w.chunk, CITY, &err));
    CU_ASSERT_EQUAL(w.chunk.columns[CITY][0].code, LEAT_V_TYPE);
    fini(&w);
}

static void the_delimiter_is_one_character(void)
{
    static const char *const wrong[] = {"delimiter=",  "delimiter=ab",       "delimiter=\"",
                                        "delimiter=1", "delimiter=\xc3\xa9", NULL};

    for (int k = 0; wrong[k]; k++) {
        const char *const settings[] = {wrong[k], NULL};
        struct instance i;
        instance_init(&i, "csv", settings);
        CU_ASSERT_EQUAL(i.module->format->plan(i.self, paths, 3, &i.arena, &err), LEAT_E_CONFIG);
        CU_ASSERT_EQUAL(i.module->format->fields(i.self, NULL, 0, &i.arena, &err), LEAT_E_CONFIG);
        instance_fini(&i);
    }
}

LEAT_FORMAT_CONTRACT(csv)
LEAT_TESTS("format_csv", LEAT_FORMAT_CONTRACT_TESTS, T(a_header_and_blank_lines_are_no_records),
           T(a_header_with_other_names_is_an_error), T(a_table_learns_the_names_from_its_file),
           T(without_names_every_row_is_an_error_that_says_so), T(files_begin_with_the_names),
           T(every_kind_of_value_has_a_cell), T(the_delimiter_is_one_character))
