/* Tests container files of engine/format/avro that are damaged, cut off, hostile, or not finished.
 */
#include "container_file.h"
#include "leat_test.h"

#include <stdio.h>
#include <zlib.h>

static struct leat_error err;

static void a_damaged_block_is_one_error_and_what_follows_is_read(void)
{
    struct container_bytes b = cf_begin("null", "\"string\"");
    char wanted[1000];

    cf_put_block(&b, 2,
                 "\x02"
                 "a\x02"
                 "b",
                 4);
    int at = (int)b.len;
    cf_put_long(&b, 1);
    cf_put_long(&b, 2);
    cf_put_str(&b,
               "\x02"
               "c-----------------" CF_SYNC,
               35); /* no marker where it should be */
    cf_put_block(&b, 1,
                 "\x02"
                 "d",
                 2);
    cf_put_block(&b, 3,
                 "\x02"
                 "e\x7f"
                 "f",
                 4); /* its second record cannot be */
    cf_put_block(&b, 1,
                 "\x02"
                 "g",
                 2);
    int count = (int)b.len;
    cf_put_block(&b, 9,
                 "\x02"
                 "h",
                 2); /* nine records in two bytes */
    cf_put_block(&b, 1,
                 "\x02"
                 "i\x02"
                 "j",
                 4); /* more than it says */
    cf_put_block(&b, 1,
                 "\x02"
                 "k",
                 2);
    snprintf(wanted, sizeof wanted,
             "0 \"a\"\n1 \"b\"\n"
             "2 error Avro: '/in/some.avro', byte %d: no sync marker stands behind the block\n"
             "3 \"d\"\n4 \"e\"\n"
             "5 error Avro: record 2 of a block of 3 is damaged, and so nothing behind it in the "
             "block can be read: a length below 0\n"
             "7 \"g\"\n"
             "8 error Avro: '/in/some.avro', byte %d: 2 bytes cannot be 9 records\n"
             "17 error Avro: record 1 of a block of 1 is damaged, and so nothing behind it in the "
             "block can be read: something stands behind it\n"
             "18 \"k\"\n",
             at, count);
    cf_reads(b, wanted);
}

static void refused(struct container_bytes b, const char *why)
{
    char *text = cf_read_with(cf_as_written, &b, true);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT(strncmp(text, "0 error Avro: '/in/some.avro', byte 0: ", 39) == 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, why));
    if (!strstr(text, why))
        printf("    got: %s    not: %s\n", text, why);
    free(text);
    free(b.ptr);
}

static void a_header_that_cannot_be_used_is_one_error_that_says_why(void)
{
    struct container_bytes text = {0}, empty = {0}, many = {0}, bare = {0};

    cf_put_str(&text, "id,city\n1,Rom\n", 14);
    cf_put_str(&many, "Obj\1", 4);
    cf_put_long(&many, INT64_MIN);
    cf_put_long(&many, 5);
    cf_put_str(&bare, "Obj\1\0" CF_SYNC, 21);
    refused(text, "it does not begin with \"Obj\"");
    refused(empty, "it ends inside the header");
    refused(many, "too many entries");
    refused(bare, "no avro.schema");
    refused(cf_begin("bzip2", CF_RECORD), "codec 'bzip2' is not one of those that are read");
    refused(cf_begin("xz", CF_RECORD), "codec 'xz' is not one of those that are read");
    refused(cf_begin("null", "{\"type\":\"strong\"}"), "strong");
}

static void a_header_may_be_long_but_not_endless(void)
{
    for (size_t bytes = (size_t)3 << 20; bytes <= (size_t)6 << 20; bytes += (size_t)3 << 20) {
        struct container_bytes b = {0};
        char *much = calloc(1, bytes);
        cf_put_str(&b, "Obj\1", 4);
        cf_put_long(&b, 1);
        cf_put_text(&b, "x");
        cf_put_long(&b, (int64_t)bytes);
        cf_put_str(&b, much, bytes);
        cf_put_long(&b, -1);
        cf_put_long(&b, 30);
        cf_put_text(&b, "avro.schema");
        cf_put_text(&b, "\"int\"");
        cf_put_long(&b, 0);
        cf_put_str(&b, CF_SYNC, 16);
        cf_put_block(&b, 1, "\x02", 1);
        if (bytes == (size_t)3 << 20)
            cf_reads(b, "0 1\n");
        else
            refused(b, "a length beyond");
        free(much);
    }
}

/* 64 MiB and a bit, in a few KiB. */
static struct container_bytes bomb(const char *codec)
{
    size_t len = ((size_t)64 << 20) + 1000, room = len;
    char *zeros = calloc(1, len), *packed = malloc(room);
    struct container_bytes b = cf_begin(codec, "\"int\"");

    if (strcmp(codec, "deflate") == 0) {
        z_stream z = {0};
        deflateInit2(&z, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
        z.next_in = (Bytef *)zeros;
        z.avail_in = (uInt)len;
        z.next_out = (Bytef *)packed;
        z.avail_out = (uInt)room;
        CU_ASSERT_EQUAL(deflate(&z, Z_FINISH), Z_STREAM_END);
        cf_put_block(&b, 1000, packed, z.total_out);
        deflateEnd(&z);
    } else if (strcmp(codec, "zstandard") == 0) {
        struct container_bytes out = {0};
        struct leat_compressor *c = leat_compressor_new(LEAT_COMPRESSION_ZSTD, &err);
        OK(leat_compressor_write(c, (struct leat_slice){zeros, len}, true, cf_put, &out, &err));
        leat_compressor_free(c);
        cf_put_block(&b, 1000, out.ptr, out.len);
        free(out.ptr);
    } else {
        cf_put_block(&b, 1000, "\xff\xff\xff\x7f----", 8); /* snappy: its length */
    }
    cf_put_block(&b, 1, "---", 3);
    free(zeros);
    free(packed);
    return b;
}

static void what_unpacks_to_too_much_is_an_error(void)
{
    static const char *const names[] = {"deflate", "zstandard", "snappy"};

    for (size_t i = 0; i < 3; i++) {
        struct container_bytes b = bomb(names[i]);
        struct container_world w;
        cf_init(&w, cf_as_written, LEAT_FORMAT_READS);
        w.i.budget.cap = (size_t)256 << 20;
        char *text = cf_read_from(&w, &b, 0, CF_ALL, true);
        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "it holds more than 64 MiB\n1000 "));
        CU_ASSERT(w.i.budget.peak <= (size_t)200 << 20);
        free(text);
        cf_fini(&w);
        free(b.ptr);
    }
}

static void a_block_that_memory_has_no_room_for_is_waited_for(void)
{
    struct container_bytes b = bomb("deflate");
    struct container_world w;

    cf_init(&w, cf_as_written, LEAT_FORMAT_READS);
    w.i.budget.cap = (size_t)1 << 20;
    CU_ASSERT_PTR_NULL(cf_fetch(&w, &b, 0, CF_ALL, true, &err));
    CU_ASSERT_EQUAL(err.status, LEAT_E_FULL);
    CU_ASSERT_EQUAL(w.i.budget.used, 0);
    cf_fini(&w);
    free(b.ptr);
}

static void records_without_bytes_are_bounded(void)
{
    struct container_bytes b = cf_begin("null", "\"null\"");
    char *text;

    cf_put_block(&b, 65536, "", 0);
    cf_put_block(&b, 65537, "", 0);
    cf_put_block(&b, INT32_MAX, "", 0);
    cf_put_block(&b, INT64_MAX, "", 0);
    cf_put_block(&b, -1, "", 0);
    cf_put_block(&b, 0, "", 0);
    cf_put_block(&b, 1, "", 0);
    text = cf_read_with(cf_as_written, &b, true);
    CU_ASSERT_PTR_NOT_NULL_FATAL(strstr(text, "\n65535 null\n65536 error "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "0 bytes cannot be 65537 records\n131073 error "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "a block cannot have this number of records\n2147614721 "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n2147614722 null\n"));
    free(text);
    free(b.ptr);
}

static void a_file_that_is_cut_anywhere_gives_what_is_whole(void)
{
    for (size_t k = 0; k < 4; k++) {
        struct container_bytes b = cf_write_file(cf_codecs[k], CF_RECORD, cf_some, 2);
        size_t len = b.len;
        for (b.len = 0; b.len <= len; b.len++) {
            char *text = cf_read_with(cf_as_written, &b, true);
            char *error = strstr(text, " error "), *last = error;
            CU_ASSERT_PTR_NOT_NULL_FATAL(text);
            while (last && last > text && last[-1] != '\n')
                last--;
            size_t good = last ? (size_t)(last - text) : strlen(text);
            CU_ASSERT(strncmp(text, CF_SOME, good) == 0);
            CU_ASSERT(!error || !strstr(error + 1, " error "));
            CU_ASSERT(error || b.len == len || strlen(text) < strlen(CF_SOME));
            char *waiting =
                cf_read_with(cf_as_written, &b, false); /* the same, and the rest may come */
            CU_ASSERT(strlen(waiting) == good && strncmp(waiting, text, good) == 0);
            free(text);
            free(waiting);
        }
        free(b.ptr);
    }
}

static void a_file_that_grows_is_read_as_it_grows(void)
{
    struct container_bytes b = cf_write_file("snappy", CF_RECORD, cf_some, 2);
    struct container_bytes all = {0};
    size_t len = b.len;
    int64_t at = 0;
    struct container_world w;

    cf_init(&w, cf_as_written, LEAT_FORMAT_READS);
    for (b.len = 0; b.len <= len; b.len++) {
        struct leat_block *block = cf_fetch(&w, &b, at, CF_ALL, false, &err);
        CU_ASSERT_PTR_NOT_NULL_FATAL(block);
        CU_ASSERT(block->at_end);
        cf_show_block(&w, block, &all);
        at = block->to;
        leat_block_unref(block);
    }
    cf_put_str(&all, "", 1);
    CU_ASSERT_STRING_EQUAL(all.ptr, CF_SOME);
    cf_fini(&w);
    free(all.ptr);
    free(b.ptr);
}

static void no_flipped_bit_harms_or_moves_a_position(void)
{
    for (size_t k = 0; k < 4; k++) {
        struct container_bytes b = cf_write_file(cf_codecs[k], CF_RECORD, cf_some, 2);
        for (size_t bit = 0; bit < 8 * b.len; bit++) {
            struct container_world w;
            b.ptr[bit / 8] = (char)(b.ptr[bit / 8] ^ 1 << bit % 8);
            cf_init(&w, cf_as_written, LEAT_FORMAT_READS);
            char *at_once = cf_read_from(&w, &b, 0, CF_ALL, true);
            char *by_blocks = cf_read_from(&w, &b, 0, 1, true);
            CU_ASSERT_PTR_NOT_NULL_FATAL(at_once);
            CU_ASSERT_STRING_EQUAL(at_once, by_blocks);
            free(at_once);
            free(by_blocks);
            cf_fini(&w);
            b.ptr[bit / 8] = (char)(b.ptr[bit / 8] ^ 1 << bit % 8);
        }
        free(b.ptr);
    }
}

static void reading_reports_lack_of_memory(void)
{
    struct container_bytes b[4];
    struct container_world w;

    for (size_t k = 0; k < 4; k++)
        b[k] = cf_write_file(cf_codecs[k], CF_RECORD, cf_some, 2);
    for (size_t k = 0; k < 4; k++)
        LEAT_OOM_SWEEP {
            const struct leat_container_file file = {"x", cf_read_bytes, &b[k]};
            static const struct leat_path all = {NULL, 0, LEAT_COL_PATHS};
            struct leat_block *block = NULL;
            w = (struct container_world){0};
            w.i.module = leat_module_find("avro");
            w.format = w.i.module->format;
            w.container = w.format->container;
            w.i.budget.cap = SIZE_MAX;
            w.i.env.budget = &w.i.budget;
            w.i.self = leat_arena_alloc(&w.i.arena, w.i.module->self_size);
            if (w.i.self &&
                leat_opts_apply(
                    w.i.module->opts, w.i.self,
                    &(struct leat_setting){LEAT_LIT("framing"), LEAT_LIT("container"), false}, 1,
                    &w.i.arena, &err) == LEAT_OK &&
                w.format->load(w.i.self, LEAT_FORMAT_READS, &w.i.arena, &err) == LEAT_OK &&
                w.format->plan(w.i.self, &all, 1, &w.i.arena, &err) == LEAT_OK &&
                (w.reader = w.container->open(w.i.self, &w.i.env)) != NULL) {
                enum leat_status status =
                    w.container->fetch(w.reader, &file, 0, CF_ALL, 0, true, &block, &err);
                CU_ASSERT(status == LEAT_OK || (leat_oom_hit() && status == LEAT_E_NOMEM));
                leat_block_unref(block);
            }
            w.container->close(w.reader);
            leat_arena_reset(&w.i.arena);
            CU_ASSERT_EQUAL(w.i.budget.used, 0);
        }
    for (size_t k = 0; k < 4; k++)
        free(b[k].ptr);
}

LEAT_TESTS("avro_container_damage", T(a_damaged_block_is_one_error_and_what_follows_is_read),
           T(a_header_that_cannot_be_used_is_one_error_that_says_why),
           T(a_header_may_be_long_but_not_endless), T(what_unpacks_to_too_much_is_an_error),
           T(a_block_that_memory_has_no_room_for_is_waited_for),
           T(records_without_bytes_are_bounded), T(a_file_that_is_cut_anywhere_gives_what_is_whole),
           T(a_file_that_grows_is_read_as_it_grows), T(no_flipped_bit_harms_or_moves_a_position),
           T(reading_reports_lack_of_memory))
