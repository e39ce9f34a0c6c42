/* Tests the container files of engine/format/avro: written, and read from any position. */
#include "container_file.h"
#include "leat_test.h"

static struct leat_error err;

static void what_is_written_is_read_whatever_the_codec(void)
{
    for (size_t i = 0; i < 4; i++) {
        cf_reads(cf_write_file(cf_codecs[i], CF_RECORD, cf_some, 2), CF_SOME);
        cf_reads(
            cf_write_file(cf_codecs[i], "\"null\"", (const char *const[]){"null", "null", NULL}, 5),
            "0 null\n1 null\n");
    }
}

static void the_same_rows_give_the_same_file(void)
{
    for (size_t i = 0; i < 4; i++) {
        struct container_bytes one = cf_write_file(cf_codecs[i], CF_RECORD, cf_some, 2),
                               two = cf_write_file(cf_codecs[i], CF_RECORD, cf_some, 2);
        CU_ASSERT(one.len == two.len && memcmp(one.ptr, two.ptr, one.len) == 0);
        free(one.ptr);
        free(two.ptr);
    }
}

static void any_position_can_be_read_again_in_any_order(void)
{
    static const int64_t order[] = {4, 0, 3, 1, 5, 2, 2};
    struct container_bytes b = cf_write_file("deflate", CF_RECORD, cf_some, 2);
    struct container_world w;

    cf_init(&w, cf_as_written, LEAT_FORMAT_READS);
    for (size_t max = 1; max <= CF_ALL; max = max == 1 ? CF_ALL : CF_ALL + 1)
        for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
            const char *wanted = CF_SOME;
            for (int64_t skip = order[i]; skip > 0; skip--)
                wanted = strchr(wanted, '\n') + 1;
            char *text = cf_read_from(&w, &b, order[i], max, true);
            CU_ASSERT_PTR_NOT_NULL_FATAL(text);
            CU_ASSERT_STRING_EQUAL(text, wanted);
            free(text);
        }
    CU_ASSERT_PTR_NULL(cf_fetch(&w, &b, 6, CF_ALL, true, &err));
    CU_ASSERT_EQUAL(err.status, LEAT_E_LOST);
    cf_fini(&w);
    free(b.ptr);
}

/* Blocks of the file have two rows, the last one has one. */
static void a_fetch_of_few_rows_takes_no_further_block_than_it_needs(void)
{
    static const int64_t ends[] = {2, 2, 4, 4, 5};
    struct container_bytes b = cf_write_file("deflate", CF_RECORD, cf_some, 2);
    struct container_world w;

    cf_init(&w, cf_as_written, LEAT_FORMAT_READS);
    for (w.max_rows = 1; w.max_rows <= 5; w.max_rows++) {
        struct leat_block *rows = cf_fetch(&w, &b, 0, CF_ALL, true, &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(rows);
        CU_ASSERT_EQUAL(rows->to, ends[w.max_rows - 1]);
        leat_block_unref(rows);
    }
    cf_fini(&w);
    free(b.ptr);
}

static void a_file_is_read_as_the_schema_wants_it(void)
{
    static const char *const settings[] = {
        "framing=container",
        "schema={\"type\":\"record\",\"name\":\"O\",\"fields\":[{\"name\":\"n\",\"aliases\":["
        "\"id\"],"
        "\"type\":\"double\"},{\"name\":\"new\",\"type\":\"int\",\"default\":7}]}",
        NULL};
    static const char *const far[] = {"framing=container", "schema=\"boolean\"", NULL};
    struct container_bytes b =
        cf_write_file("none", CF_RECORD, (const char *const[]){cf_some[0], NULL}, 1);
    char *text = cf_read_with(settings, &b, true);

    CU_ASSERT_STRING_EQUAL(text, "0 {\"n\":1.0,\"new\":7}\n");
    free(text);
    text = cf_read_with(far, &b, true);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text, "byte 0: Avro schema: record 'O' is written where boolean is wanted"));
    free(text);
    free(b.ptr);
}

static void what_is_whole_of_a_file_that_was_being_written(void)
{
    static const char *const settings[] = {"framing=container", "schema=" CF_RECORD, NULL};
    struct container_bytes b = cf_write_file("zstandard", CF_RECORD, cf_some, 2);
    const struct leat_container_file file = {"x", cf_read_bytes, &b};
    size_t len = b.len;
    int64_t end, before = 0;
    struct container_world w;
    int steps = 0;

    cf_init(&w, settings, LEAT_FORMAT_WRITES);
    for (b.len = 0; b.len <= len; b.len++) {
        OK(w.container->whole(w.i.self, &file, &end, &err));
        CU_ASSERT(end >= before && end <= (int64_t)b.len);
        steps += end > before;
        before = end;
    }
    CU_ASSERT(steps == 3 && before == (int64_t)len);
    cf_fini(&w);
    free(b.ptr);
}

static void options_that_do_not_fit_a_container_are_refused(void)
{
    static const struct {
        const char *settings[4], *text;
    } cases[] = {
        {{"schema=\"int\"", "codec=deflate"}, "codec is for framing: container"},
        {{"framing=container", "writer_schema=\"int\""}, "take out writer_schema"},
        {{"framing=container", "registry=http://x"}, "take out framing"},
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct instance i;
        instance_init(&i, "avro", cases[k].settings);
        CU_ASSERT_EQUAL(i.module->check(i.self, &err), LEAT_E_CONFIG);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.text, cases[k].text));
        instance_fini(&i);
    }
    struct instance i;
    instance_init(&i, "avro", cf_as_written);
    CU_ASSERT_EQUAL(i.module->format->load(i.self, LEAT_FORMAT_WRITES, &i.arena, &err),
                    LEAT_E_CONFIG);
    instance_fini(&i);
}

static void *setting_of(const struct container_world *w, const char *name)
{
    for (const struct leat_opt *o = w->i.module->opts; o->name; o++)
        if (strcmp(o->name, name) == 0)
            return (char *)w->i.self + o->offset;
    return NULL;
}

static void packing_reports_lack_of_memory(void)
{
    static const char *const settings[] = {"framing=container", "schema=" CF_RECORD, NULL};
    char rows[200000];
    struct container_world w;

    for (size_t i = 0; i < sizeof rows; i++)
        rows[i] = (char)(i * i >> 7); /* hard to pack, so that buffers have to grow */
    cf_init(&w, settings, LEAT_FORMAT_WRITES);
    for (int codec = 0; codec < 4; codec++)
        LEAT_OOM_SWEEP {
            struct container_bytes file = {0};
            ((struct leat_choice *)setting_of(&w, "codec"))->index = codec;
            void *packer = w.container->packer(w.i.self);
            CU_ASSERT(packer || leat_oom_hit());
            for (int turn = 0; packer && turn < 2; turn++) {
                enum leat_status status = w.container->pack(
                    packer, (struct leat_slice){rows, sizeof rows}, 9, cf_put, &file, &err);
                CU_ASSERT(status == LEAT_OK || (leat_oom_hit() && status == LEAT_E_NOMEM));
            }
            w.container->packer_free(packer);
            free(file.ptr);
        }
    cf_fini(&w);
}

static void a_record_that_no_reader_would_take_is_not_written(void)
{
    static const char *const settings[] = {"framing=container", "schema=\"bytes\"", NULL};
    size_t most = (size_t)64 << 20;
    char *zeros = calloc(1, most + 1);
    struct container_world w;

    cf_init(&w, settings, LEAT_FORMAT_WRITES);
    for (size_t more = 0; more < 2; more++) {
        struct container_bytes file = {0};
        void *packer = w.container->packer(w.i.self);
        enum leat_status status = w.container->pack(packer, (struct leat_slice){zeros, most + more},
                                                    1, cf_put, &file, &err);
        CU_ASSERT_EQUAL(status, more ? LEAT_E_DATA : LEAT_OK);
        CU_ASSERT((file.len == 0) == (more == 1));
        w.container->packer_free(packer);
        free(file.ptr);
    }
    cf_fini(&w);
    free(zeros);
}

LEAT_TESTS("avro_container", T(a_record_that_no_reader_would_take_is_not_written),
           T(what_is_written_is_read_whatever_the_codec), T(the_same_rows_give_the_same_file),
           T(any_position_can_be_read_again_in_any_order),
           T(a_fetch_of_few_rows_takes_no_further_block_than_it_needs),
           T(a_file_is_read_as_the_schema_wants_it),
           T(what_is_whole_of_a_file_that_was_being_written), T(packing_reports_lack_of_memory),
           T(options_that_do_not_fit_a_container_are_refused))
