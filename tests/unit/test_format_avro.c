/* Tests engine/format/avro: the format as a whole, and what it makes of single values. */
#include "format_contract.h"
#include "instance.h"
#include "leat_test.h"

#include <stdio.h>

#define ORDER                                                                                      \
    "schema={\"type\":\"record\",\"name\":\"x.Order\",\"fields\":["                                \
    "{\"name\":\"city\",\"type\":\"string\"},{\"name\":\"n\",\"type\":\"long\"},"                  \
    "{\"name\":\"note\",\"type\":[\"null\",\"string\"]}]}"

static const char *const order[] = {ORDER, NULL};
static const char *const good[] = {"\x06Rom\x02\x02\x04hi", "\x02x\x81\x01\x02\x02y", NULL};
static const char *const bad[] = {"",
                                  "\x06Ro",                     /* cut short */
                                  "\x06Rom\x02\x04",            /* no such branch */
                                  "\x06Rom\x02\x02\x04hi!",     /* something behind */
                                  "\x05Rom",                    /* a length below 0 */
                                  "\x04\xff\xfe\x02\x02\x04hi", /* not UTF-8 */
                                  "\x06Rom\x81\x81\x81\x81\x81\x81\x81\x81\x81\x02\x02\x02y",
                                  NULL};
static const struct format_case avro = {"avro", order, NULL, good, bad};

static struct leat_error err;
static struct leat_arena arena;

enum { COLUMNS = LEAT_COL_PATHS + 6 };

struct world {
    struct instance i;
    const struct leat_format *format;
    struct leat_chunk chunk;
};

/* Paths are written "a.b", separated by blanks; "." is the whole value. */
static void init(struct world *w, const char *const *settings, const char *wanted)
{
    static struct leat_path paths[8];
    static struct leat_slice names[8][4];
    struct leat_slice word, rest = leat_slice_str(wanted), name;
    uint32_t count = 0;

    *w = (struct world){0};
    instance_init(&w->i, "avro", settings);
    w->format = w->i.module->format;
    OK(w->format->load(w->i.self, LEAT_FORMAT_READS, &w->i.arena, &err));
    while (rest.len) {
        leat_slice_cut(rest, ' ', &word, &rest);
        uint32_t depth = 0;
        if (word.len == 1 && word.ptr[0] == '.')
            word.len = 0;
        while (word.len) {
            leat_slice_cut(word, '.', &name, &word);
            names[count][depth++] = name;
        }
        paths[count] = (struct leat_path){names[count], depth, LEAT_COL_PATHS + count};
        count++;
    }
    OK(w->format->plan(w->i.self, paths, count, &w->i.arena, &err));
    OK(leat_chunk_init(&w->chunk, &arena, COLUMNS, &err));
}

static void fini(struct world *w)
{
    instance_fini(&w->i);
    leat_arena_reset(&arena);
}

static void decode(struct world *w, const char *bytes, size_t len)
{
    char *copy = leat_mem_alloc(len ? len : 1); /* so that a sanitizer sees what is read behind */

    memcpy(copy, bytes, len);
    CU_ASSERT_FATAL(leat_arena_on_reset(&arena, leat_mem_free, copy));
    leat_chunk_clear(&w->chunk, 0);
    leat_chunk_add(&w->chunk, &(struct leat_row){.value = {copy, len}, .position = 1});
    OK(w->format->decode(w->i.self, &w->chunk, &err));
}

/* The value of path `number` as JSON, or its error. */
static const char *got(const struct world *w, uint32_t number)
{
    static char text[1000];
    struct leat_bytes b = {.arena = &arena};
    struct leat_value v = w->chunk.columns[LEAT_COL_PATHS + number][0], why;
    struct leat_value bad_row = w->chunk.columns[LEAT_COL_THIS][0];

    if (bad_row.tag == LEAT_ERROR)
        v = bad_row;
    if (v.tag == LEAT_ERROR)
        snprintf(text, sizeof text, "%s: %.*s", v.code == LEAT_V_ABSENT ? "absent" : "error",
                 LEAT_FMT(leat_value_text(v)));
    else if (leat_json_write(v, &b, &why))
        snprintf(text, sizeof text, "%.*s", LEAT_FMT(leat_bytes_slice(&b)));
    else
        snprintf(text, sizeof text, "unwritable: %.*s", LEAT_FMT(leat_value_text(why)));
    return text;
}

#define GOT(w, number, text) CU_ASSERT_STRING_EQUAL(got(w, number), text)

/* One record, one wanted path, what comes of it. */
static void reads(const char *const *settings, const char *path, const char *bytes, size_t len,
                  const char *text)
{
    struct world w;

    init(&w, settings, path);
    decode(&w, bytes, len);
    CU_ASSERT_STRING_EQUAL(got(&w, 0), text);
    if (strcmp(got(&w, 0), text) != 0)
        fprintf(stderr, "%s: %s, not %s\n", settings[0], got(&w, 0), text);
    fini(&w);
}

#define READS(schema, path, bytes, text)                                                           \
    reads((const char *const[]){"schema=" schema, NULL}, path, bytes, sizeof(bytes) - 1, text)
#define RESOLVES(written, wanted, path, bytes, text)                                               \
    reads((const char *const[]){"schema=" wanted, "writer_schema=" written, NULL}, path, bytes,    \
          sizeof(bytes) - 1, text)
#define FIELD(type)                                                                                \
    "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"f\",\"type\":" type "}]}"
#define FIELDS(fields) "{\"type\":\"record\",\"name\":\"R\",\"fields\":[" fields "]}"

static void every_kind_of_value_is_read(void)
{
    READS(FIELD("\"null\""), "f", "", "null");
    READS(FIELD("\"boolean\""), "f", "\x01", "true");
    READS(FIELD("\"int\""), "f", "\xff\xff\xff\xff\x0f", "-2147483648");
    READS(FIELD("\"long\""), "f", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
          "9223372036854775807");
    READS(FIELD("\"float\""), "f", "\0\0\xc0\x3f", "1.5");
    READS(FIELD("\"double\""), "f", "\0\0\0\0\0\0\x04\xc0", "-2.5");
    READS(FIELD("\"bytes\""), "f", "\x04\0\xff", "\"AP8=\"");
    READS(FIELD("\"string\""), "f", "\x06\xe2\x82\xac", "\"\xe2\x82\xac\"");
    READS(FIELD("{\"type\":\"fixed\",\"name\":\"F\",\"size\":3}"), "f", "abc", "\"YWJj\"");
    READS(FIELD("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}"), "f", "\x02",
          "\"B\"");
    READS(FIELD("{\"type\":\"array\",\"items\":\"int\"}"), "f", "\x04\x02\x04\x01\x02\x06\0",
          "[1,2,3]");
    READS(FIELD("{\"type\":\"map\",\"values\":\"int\"}"), "f",
          "\x04\x02"
          "a\x02\x02"
          "b\x04\0",
          "{\"a\":1,\"b\":2}");
    READS(FIELD("{\"type\":\"map\",\"values\":\"int\"}"), "f",
          "\x04\x02"
          "a\x02\x02"
          "a\x04\0",
          "{\"a\":2}");
    READS(FIELD("[\"null\",\"int\"]"), "f", "\0", "null");
    READS(FIELD("[\"null\",\"int\"]"), "f", "\x02\x02", "1");
    READS("\"string\"", ".", "\x02x", "\"x\"");
}

static void logical_types_are_times_and_numbers(void)
{
    READS(FIELD("{\"type\":\"int\",\"logicalType\":\"date\"}"), "f", "\x01",
          "\"1969-12-31T00:00:00Z\"");
    READS(FIELD("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}"), "f", "\x03",
          "\"1969-12-31T23:59:59.998Z\"");
    READS(FIELD("{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}"), "f", "\x02",
          "\"1970-01-01T00:00:00.000001Z\"");
    READS(FIELD("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}"), "f",
          "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", "error: a time outside the years 1 to 9999");
    READS(FIELD("{\"type\":\"int\",\"logicalType\":\"time-millis\"}"), "f", "\xdc\x0b",
          "\"0.75s\"");
    READS(FIELD("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":6,\"scale\":2}"),
          "f", "\x04\xfb\x2e", "-12.34");
    READS(FIELD("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":6}"), "f",
          "\x04\x04\xd2", "1234");
    READS(FIELD("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":30,\"scale\":4}"),
          "f", "\x02\xff", "\"-0.0001\"");
    READS(FIELD("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":2}"), "f",
          "\x04\x04\xd2", "error: a decimal of more digits than its precision");
    READS(FIELD("{\"type\":\"string\",\"logicalType\":\"date\"}"), "f", "\x02x", "\"x\"");
}

static void only_touched_fields_are_read_and_all_are_checked(void)
{
    struct world w;
    static const char *const settings[] = {
        "schema=" FIELDS(
            "{\"name\":\"a\",\"type\":\"string\"},{\"name\":\"in\",\"type\":[\"null\",{\"type\":"
            "\"record\",\"name\":\"I\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"},{\"name\":"
            "\"y\",\"type\":\"string\"}]}]},{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":"
            "\"I\"}},{\"name\":\"z\",\"type\":\"double\"}"),
        NULL};
    static const char one[] = "\x02q\x02\x0e\x04yy\x02\x02k\x10\x02Y\0\0\0\0\0\0\0\xf0\x3f";
    static const char none[] = "\x02q\0\0\0\0\0\0\0\0\xf0\x3f";

    init(&w, settings, "in.y m.k.x in nothing in.x.deep m.other.x");
    decode(&w, one, sizeof one - 1);
    GOT(&w, 0, "\"yy\"");
    GOT(&w, 1, "8");
    GOT(&w, 2, "{\"x\":7,\"y\":\"yy\"}");
    GOT(&w, 3, "absent: there is no field 'nothing'");
    GOT(&w, 4, "error: only an object has fields");
    GOT(&w, 5, "absent: there is no field 'x'");
    decode(&w, none, sizeof none - 1);
    GOT(&w, 0, "absent: there is no field 'y'");
    GOT(&w, 1, "absent: there is no field 'x'");
    GOT(&w, 2, "null");
    GOT(&w, 4, "absent: there is no field 'deep'");
    decode(&w, none, sizeof none - 2); /* cut in a field that nobody wants */
    GOT(&w, 0,
        "error: not Avro of this schema, at byte 4: the record ends here, in the middle of "
        "a value");
    fini(&w);
}

static void what_was_written_is_read_as_the_schema_wants_it(void)
{
    RESOLVES(FIELD("\"int\""), FIELD("\"double\""), "f", "\x02", "1.0");
    RESOLVES(FIELD("\"long\""), FIELD("\"float\""), "f", "\x02", "1.0");
    RESOLVES(FIELD("\"string\""), FIELD("\"bytes\""), "f", "\x02x", "\"eA==\"");
    RESOLVES(FIELD("\"bytes\""), FIELD("\"string\""), "f", "\x02x", "\"x\"");
    RESOLVES(FIELD("\"int\""), FIELD("[\"null\",\"long\"]"), "f", "\x02", "1");
    RESOLVES(FIELD("[\"null\",\"int\"]"), FIELD("\"long\""), "f", "\x02\x02", "1");
    RESOLVES(FIELD("[\"null\",\"int\"]"), FIELD("\"long\""), "f", "\0",
             "error: not Avro of this schema, at byte 1: null is written where long is wanted");
    RESOLVES(FIELD("{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}"),
             FIELD("{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}"), "f", "\x02",
             "\"1970-01-01T00:00:00.000001Z\"");
    RESOLVES(FIELD("\"string\""),
             FIELDS("{\"name\":\"g\",\"aliases\":[\"f\"],\"type\":\"string\"}"), "g", "\x02x",
             "\"x\"");
    RESOLVES(FIELD("\"string\""),
             FIELDS("{\"name\":\"f\",\"type\":\"string\"},{\"name\":\"d\",\"type\":{\"type\":"
                    "\"map\",\"values\":\"int\"},\"default\":{\"k\":5}}"),
             "d.k", "\x02x", "5");
    RESOLVES(FIELD("\"string\""),
             FIELDS("{\"name\":\"d\",\"type\":[\"null\",\"int\"],\"default\":null}"), ".", "\x02x",
             "{\"d\":null}");
    RESOLVES(
        FIELD("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}"),
        FIELD("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"C\",\"A\"],\"default\":\"C\"}"),
        "f", "\x02", "\"C\"");
    RESOLVES(FIELDS("{\"name\":\"gone\",\"type\":{\"type\":\"array\",\"items\":\"string\"}},"
                    "{\"name\":\"f\",\"type\":\"int\"}"),
             FIELD("\"int\""), ".", "\x01\x04\x02x\0\x08", "{\"f\":4}");
}

static void hostile_bytes_cost_neither_time_nor_memory(void)
{
    static const char *const list[] = {
        "schema=" FIELD("[\"null\",{\"type\":\"array\",\"items\":[\"null\",\"R\"]}]"), NULL};
    struct world w;
    char deep[400];

    /* 2^40 nulls, as many empty records, strings longer than all memory */
    READS(FIELD("{\"type\":\"array\",\"items\":\"null\"}"), "f", "\x80\x80\x80\x80\x80\x80\x01",
          "error: not Avro of this schema, at byte 0: more items than its bytes can hold");
    READS(FIELD("{\"type\":\"array\",\"items\":\"null\"}"), "nothing",
          "\x80\x80\x80\x80\x80\x80\x01",
          "error: not Avro of this schema, at byte 0: more items than its bytes can hold");
    READS(FIELD("{\"type\":\"array\",\"items\":\"long\"}"), "f", "\x80\x80\x80\x01\x02\x02",
          "error: not Avro of this schema, at byte 0: more items than its bytes can hold");
    READS(FIELD("{\"type\":\"array\",\"items\":\"long\"}"), "nothing",
          "\x01\x80\x80\x80\x01\x02\x02",
          "error: not Avro of this schema, at byte 0: a block beyond the end of the record");
    READS(FIELD("\"bytes\""), "f", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
          "error: not Avro of this schema, at byte 0: a length beyond the end of the record");
    READS(FIELD("\"boolean\""), "nothing", "\x05",
          "error: not Avro of this schema, at byte 0: a boolean that is neither 0 nor 1");
    READS(FIELD("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}"), "f", "\x7e",
          "error: not Avro of this schema, at byte 0: there is no branch or symbol of this number");
    READS(FIELD("\"int\""), "nothing", "\x80\x80\x80\x80\x10",
          "error: not Avro of this schema, at byte 0: an int of more than 32 bits");
    memset(deep, 2, sizeof deep);
    for (int wanted = 0; wanted < 2; wanted++) {
        init(&w, list, wanted ? "f" : "nothing");
        decode(&w, deep, sizeof deep);
        CU_ASSERT_PTR_NOT_NULL(strstr(got(&w, 0), "nested too deeply"));
        fini(&w);
    }
}

#define TWICE                                                                                      \
    "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[{\"name\":\"a\",\"type\":\"%s\"},"          \
    "{\"name\":\"b\",\"type\":\"%s\"}]}"

/* Each record has the one before twice, the first nothing: 2^40 fields in one byte. */
static void records_without_bytes_cost_no_time(void)
{
    static char schema[8000];
    const char *const settings[] = {schema, NULL};
    char *end = schema + sprintf(schema,
                                 "schema={\"type\":\"record\",\"name\":\"R\",\"fields\":["
                                 "{\"name\":\"f\",\"type\":[" TWICE,
                                 0, "null", "null");
    struct world w;

    for (int i = 1; i <= 40; i++) {
        char before[8];
        sprintf(before, "R%d", i - 1);
        end += sprintf(end, "," TWICE, i, before, before);
    }
    sprintf(end, "]}]}");
    for (int wanted = 0; wanted < 3; wanted++) {
        static const char *const paths[] = {"f", "nothing", "f.a.nothing"};
        init(&w, settings, paths[wanted]);
        decode(&w, "\x50", 1);
        CU_ASSERT_PTR_NOT_NULL(strstr(got(&w, 0), wanted ? "too many fields for its length"
                                                         : "too many values for its length"));
        fini(&w);
    }
}

/* What is 256 records away along `next` is not looked at; that does not spoil it for who comes to
 * it by a shorter way. */
static void a_type_that_is_too_far_away_on_one_way_is_read_on_another(void)
{
    static char schema[60000];
    const char *const settings[] = {
        schema,
        "writer_schema={\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"far\",\"type\":"
        "{\"type\":\"record\",\"name\":\"W\",\"fields\":[{\"name\":\"next\",\"type\":[\"null\","
        "\"W\"]},{\"name\":\"x\",\"type\":\"int\"}]}},{\"name\":\"near\",\"type\":\"W\"}]}",
        NULL};
    struct world w;
    char *end = schema + sprintf(schema, "schema={\"type\":\"record\",\"name\":\"T\",\"fields\":["
                                         "{\"name\":\"all\",\"default\":null,\"type\":[\"null\"");

    for (int i = 300; i >= 0; i--) {
        char next[8];
        sprintf(next, i == 300 ? "int" : "V%d", i + 1);
        end += sprintf(end,
                       ",{\"type\":\"record\",\"name\":\"V%d\",\"aliases\":[\"W\"],\"fields\":["
                       "{\"name\":\"next\",\"type\":[\"null\",\"%s\"]},"
                       "{\"name\":\"x\",\"type\":\"int\"}]}",
                       i, next);
    }
    sprintf(end, "]},{\"name\":\"far\",\"type\":\"V0\"},{\"name\":\"near\",\"type\":\"V255\"}]}");
    init(&w, settings, "near");
    decode(&w, "\0\x02\x02\0\x04\x06", 6);
    GOT(&w, 0, "{\"next\":{\"next\":null,\"x\":2},\"x\":3}");
    fini(&w);
}

static void a_list_of_nothing_is_bounded_over_the_whole_record(void)
{
    static const char *const settings[] = {
        "schema=" FIELD("{\"type\":\"array\",\"items\":\"null\"}"), NULL};
    struct world w;
    char blocks[300 + 1];

    for (int i = 0; i < 100; i++)
        memcpy(blocks + (ptrdiff_t)3 * i, "\x80\x80\x04", 3); /* 32768 nulls each */
    blocks[300] = 0;
    init(&w, settings, "f");
    decode(&w, blocks, sizeof blocks);
    CU_ASSERT_PTR_NOT_NULL(strstr(got(&w, 0), "more items than its bytes can hold"));
    CU_ASSERT(arena.bytes < 16 << 20);
    fini(&w);
}

static void refused(const char *schema, const char *text)
{
    struct instance i;
    char setting[2000];
    const char *const settings[] = {setting, NULL};

    snprintf(setting, sizeof setting, "schema=%s", schema);
    instance_init(&i, "avro", settings);
    CU_ASSERT_EQUAL(i.module->format->load(i.self, LEAT_FORMAT_READS, &i.arena, &err),
                    LEAT_E_CONFIG);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.text, text));
    if (!strstr(err.text, text))
        fprintf(stderr, "%s: %s, not %s\n", schema, err.text, text);
    instance_fini(&i);
}

static void a_wrong_schema_is_refused_with_the_place(void)
{
    refused("{", "not JSON");
    refused("\"strng\"", "unknown type 'strng'");
    refused("/no/such/file.avsc", "schema: cannot open '/no/such/file.avsc'");
    refused(FIELD("\"strng\""), "record 'R': field 'f': unknown type 'strng'");
    refused(FIELD("\"R\""), "this record contains itself without end: 'R'");
    refused(FIELD("[\"int\",[\"null\"]]"), "a union stands right inside a union");
    refused(FIELD("[\"int\",\"int\"]"), "a union has two of int");
    refused(FIELD("[]"), "a union of nothing");
    refused(FIELD("{\"type\":\"array\"}"), "an array needs 'items'");
    refused(FIELD("{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}"), "no 'size' in bytes");
    refused(FIELD("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"A\"]}"), "twice: 'A'");
    refused(FIELDS("{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"a\",\"type\":\"int\"}"),
            "a record has this field twice: 'a'");
    refused("{\"type\":\"record\",\"name\":\"1\",\"fields\":[]}", "cannot be the name of a type");
    refused("{\"type\":\"record\",\"name\":\"R\"}", "needs a list of 'fields'");
    refused("{\"type\":\"record\",\"fields\":[]}", "needs a 'name'");
}

static void schemas_that_do_not_fit_together_are_refused(void)
{
    static const struct {
        const char *written, *wanted, *text;
    } cases[] = {
        {"writer_schema=" FIELD("\"string\""), "schema=" FIELD("\"int\""),
         "field 'f': string is written where int is wanted"},
        {"writer_schema=" FIELD("\"int\""), "schema=" FIELDS("{\"name\":\"g\",\"type\":\"int\"}"),
         "field 'g' is not written and has no default"},
        {"writer_schema=" FIELD("\"int\""),
         "schema=" FIELDS("{\"name\":\"g\",\"type\":\"int\",\"default\":\"x\"}"),
         "the default of field 'g': it does not fit the type"},
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        const char *const settings[] = {cases[k].written, cases[k].wanted, NULL};
        struct instance i;
        instance_init(&i, "avro", settings);
        CU_ASSERT_EQUAL(i.module->format->load(i.self, LEAT_FORMAT_READS, &i.arena, &err),
                        LEAT_E_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[k].text));
        instance_fini(&i);
    }
}

/* What a JSON text becomes when it is written and read again. */
static void written(const char *schema, const char *json, const char *text)
{
    char setting[1000];
    const char *const settings[] = {setting, NULL};
    struct world w;

    snprintf(setting, sizeof setting, "schema=%s", schema);
    init(&w, settings, ".");
    leat_chunk_add(&w.chunk, &(struct leat_row){.value = LEAT_LIT(""), .position = 1});
    w.chunk.columns[LEAT_COL_PATHS][0] = leat_json_parse(leat_slice_str(json), &arena);
    w.chunk.columns[LEAT_COL_THIS][0] = (struct leat_value){0};
    OK(w.format->encode(w.i.self, &w.chunk, LEAT_COL_PATHS, &err));
    if (w.chunk.values[0].ptr)
        OK(w.format->decode(w.i.self, &w.chunk, &err));
    GOT(&w, 0, text);
    if (strcmp(got(&w, 0), text) != 0)
        fprintf(stderr, "%s %s: %s, not %s\n", schema, json, got(&w, 0), text);
    fini(&w);
}

static void every_kind_of_value_is_written(void)
{
    written("\"int\"", "-3", "-3");
    written("\"int\"", "3.0", "3");
    written("\"int\"", "3.5", "error: int is wanted, this is double");
    written("\"int\"", "4294967296", "error: int is wanted, this is int");
    written("\"double\"", "3", "3.0");
    written("\"float\"", "0.5", "0.5");
    written("\"boolean\"", "true", "true");
    written("\"string\"", "5", "error: string is wanted, this is int");
    written("{\"type\":\"array\",\"items\":\"long\"}", "[]", "[]");
    written("{\"type\":\"array\",\"items\":\"long\"}", "[1,-1]", "[1,-1]");
    written("{\"type\":\"array\",\"items\":\"long\"}", "[1,true]",
            "error: []: long is wanted, this is bool");
    written("{\"type\":\"map\",\"values\":\"long\"}", "{\"a\":1}", "{\"a\":1}");
    written("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "\"B\"", "\"B\"");
    written("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "\"C\"",
            "error: the enum has no such symbol");
    written("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":6,\"scale\":2}", "-12.3",
            "-12.3");
    written("{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":30,\"scale\":2}",
            "\"12345678901234567890.1\"", "\"12345678901234567890.10\"");
    written(
        "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":6,\"scale\":2}", "0.125",
        "error: a number, or its text, of this many digits (decimal) is wanted, this is double");
    written("[\"null\",\"int\",\"double\",\"string\"]", "2.5", "2.5");
    written("[\"null\",\"int\",\"double\",\"string\"]", "\"x\"", "\"x\"");
    written("[\"null\",\"int\"]", "\"x\"", "error: int is wanted, this is string");
}

static void fields_are_written_by_name(void)
{
    const char *schema = FIELDS("{\"name\":\"a\",\"type\":\"int\"},{\"name\":\"b\",\"type\":"
                                "\"string\",\"default\":\"std\"},{\"name\":\"c\",\"type\":["
                                "\"null\",\"long\"]}");

    written(schema, "{\"c\":1,\"b\":\"x\",\"a\":2,\"more\":3}", "{\"a\":2,\"b\":\"x\",\"c\":1}");
    written(schema, "{\"a\":2}", "{\"a\":2,\"b\":\"std\",\"c\":null}");
    written(schema, "{\"b\":\"x\"}", "error: a: int is wanted, this is not there");
    written(FIELD("{\"type\":\"record\",\"name\":\"I\",\"fields\":[{\"name\":\"x\",\"type\":"
                  "\"int\"}]}"),
            "{\"f\":{\"x\":\"y\"}}", "error: f: x: int is wanted, this is string");
}

static void single_objects_are_found_by_their_fingerprint(void)
{
    static const char *const settings[] = {"schema=" FIELD("\"long\""),
                                           "writer_schema=" FIELD("\"int\""),
                                           "framing=single_object", NULL};
    struct world w;

    init(&w, settings, "f");
    leat_chunk_add(&w.chunk, &(struct leat_row){.value = LEAT_LIT(""), .position = 1});
    struct leat_value v = leat_json_parse(LEAT_LIT("{\"f\":7}"), &arena);
    w.chunk.columns[LEAT_COL_PATHS][0] = v;
    OK(w.format->encode(w.i.self, &w.chunk, LEAT_COL_PATHS, &err));
    struct leat_slice bytes = w.chunk.values[0];
    CU_ASSERT_EQUAL_FATAL(bytes.len, 11);
    CU_ASSERT(memcmp(bytes.ptr, "\xc3\x01", 2) == 0);
    OK(w.format->decode(w.i.self, &w.chunk, &err));
    GOT(&w, 0, "7");
    char other[11];
    memcpy(other, bytes.ptr, 11);
    other[5] ^= 1;
    decode(&w, other, 11);
    CU_ASSERT_PTR_NOT_NULL(strstr(got(&w, 0), "neither `schema` nor one of `writer_schema`"));
    decode(&w, "\x0e", 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(got(&w, 0), "no single-object encoding"));
    fini(&w);
}

LEAT_FORMAT_CONTRACT(avro)
LEAT_TESTS("format_avro", LEAT_FORMAT_CONTRACT_TESTS, T(every_kind_of_value_is_read),
           T(logical_types_are_times_and_numbers),
           T(only_touched_fields_are_read_and_all_are_checked),
           T(what_was_written_is_read_as_the_schema_wants_it),
           T(hostile_bytes_cost_neither_time_nor_memory), T(records_without_bytes_cost_no_time),
           T(a_type_that_is_too_far_away_on_one_way_is_read_on_another),
           T(a_list_of_nothing_is_bounded_over_the_whole_record),
           T(a_wrong_schema_is_refused_with_the_place),
           T(schemas_that_do_not_fit_together_are_refused), T(every_kind_of_value_is_written),
           T(fields_are_written_by_name), T(single_objects_are_found_by_their_fingerprint))
