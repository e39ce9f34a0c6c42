/* Tests engine/format/sequence: files that are written and read, whole, damaged, cut off, hostile.
 * Beside Hadoop's own code: tests/e2e/test_hadoop_files.py. */
#include "container_file.h"
#include "leat_test.h"

#include <endian.h>
#include <stdio.h>

static struct leat_error err;

/* The five ways; NULL at the end. */
static const char *const plain[] = {"compress=none", NULL};
static const char *const record[] = {"compress=record", NULL};
static const char *const record_gzip[] = {"compress=record", "codec=gzip", NULL};
static const char *const block[] = {"compress=block", NULL};
static const char *const block_gzip[] = {"compress=block", "codec=gzip", NULL};
static const char *const *const ways[] = {plain, record, record_gzip, block, block_gzip};
#define WAYS  (sizeof ways / sizeof *ways)
#define ROWS  6
#define BLOCK 2 /* rows to one */

static const char *const some[ROWS] = {
    "{\"key\":\"a\",\"value\":\"one\"}",         "{\"key\":\"\",\"value\":\"\"}",
    "{\"key\":\"b\",\"value\":\"two\\nlines\"}", "{\"key\":\"\xc3\xa4\",\"value\":\"three\"}",
    "{\"key\":\"c\",\"value\":\"four\"}",        "{\"key\":\"d\",\"value\":\"five\"}"};

/* Rows as a sink has them; the caller frees ptr. */
static struct container_bytes encode(struct container_world *w, const char *const *values,
                                     size_t count)
{
    struct container_bytes rows = {0};

    for (size_t i = 0; i < count; i++) {
        leat_chunk_clear(&w->chunk, 0);
        leat_chunk_add(&w->chunk, &(struct leat_row){.value = LEAT_LIT("")});
        w->chunk.columns[LEAT_COL_PATHS][0] =
            leat_json_parse(leat_slice_str(values[i]), w->chunk.arena);
        OK(w->format->encode(w->i.self, &w->chunk, LEAT_COL_PATHS, &err));
        OK(cf_put(&rows, w->chunk.values[0], &err));
    }
    return rows;
}

static struct container_bytes write_some(const char *const *settings)
{
    struct container_bytes file = {0};
    struct container_world w;

    cf_init_as(&w, "sequence_file", settings, LEAT_FORMAT_WRITES);
    void *packer = w.container->packer(w.i.self);
    CU_ASSERT_PTR_NOT_NULL_FATAL(packer);
    OK(cf_put(&file, w.format->preamble(w.i.self), &err));
    for (size_t i = 0; i < ROWS; i += BLOCK) {
        struct container_bytes rows = encode(&w, some + i, BLOCK);
        OK(w.container->pack(packer, (struct leat_slice){rows.ptr, rows.len}, BLOCK, cf_put, &file,
                             &err));
        free(rows.ptr);
    }
    w.container->packer_free(packer);
    cf_fini(&w);
    return file;
}

/* What comes out from a position on, or "(error) ..."; freed by the caller. */
static char *read_from(struct container_bytes *b, int64_t from, size_t max_bytes, bool whole,
                       int64_t max_record)
{
    static const char *const none[] = {NULL};
    struct container_world w;

    cf_init_as(&w, "sequence_file", none, LEAT_FORMAT_READS);
    w.i.env.max_record_bytes = max_record;
    w.container->close(w.reader);
    w.reader = w.container->open(w.i.self, &w.i.env);
    char *text = cf_read_from(&w, b, from, max_bytes, whole);
    cf_fini(&w);
    return text;
}

/* Rows from..to as they are shown. */
static const char *shown(size_t from, size_t to)
{
    static char text[1000];
    size_t len = 0;

    text[0] = 0;
    for (size_t i = from; i < to; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%zu %s\n", i, some[i]);
    return text;
}

static void expect(char *text, const char *wanted)
{
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_STRING_EQUAL(text, wanted);
    if (strcmp(text, wanted) != 0)
        printf("    got: %s    not: %s", text, wanted);
    free(text);
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void what_is_written_is_read_from_any_record_on_however_little_at_once(void)
{
    for (size_t w = 0; w < WAYS; w++) {
        struct container_bytes b = write_some(ways[w]);
        for (size_t from = 0; from <= ROWS; from++) {
            expect(read_from(&b, (int64_t)from, CF_ALL, true, 0), shown(from, ROWS));
            expect(read_from(&b, (int64_t)from, 1, true, 0), shown(from, ROWS));
        }
        CU_ASSERT_PTR_NULL(read_from(&b, ROWS + 1, CF_ALL, true, 0));
        CU_ASSERT_EQUAL(err.status, LEAT_OK);
        free(b.ptr);
    }
}

static void the_same_rows_are_the_same_bytes(void)
{
    for (size_t w = 0; w < WAYS; w++) {
        struct container_bytes a = write_some(ways[w]), b = write_some(ways[w]);
        CU_ASSERT(a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0);
        free(a.ptr);
        free(b.ptr);
    }
}

/* Whatever is cut off, what stands before it is read, and the cut is one error; or waited for. */
static void a_file_that_is_cut_off_is_read_up_to_there(void)
{
    for (size_t w = 0; w < WAYS; w++) {
        struct container_bytes b = write_some(ways[w]), part = b;
        for (part.len = 0; part.len < b.len; part.len++) {
            char *whole = read_from(&part, 0, CF_ALL, true, 0);
            char *waits = read_from(&part, 0, CF_ALL, false, 0);
            CU_ASSERT_PTR_NOT_NULL_FATAL(whole);
            CU_ASSERT_PTR_NOT_NULL_FATAL(waits);
            CU_ASSERT(begins(shown(0, ROWS), waits) && begins(whole, waits));
            const char *rest = whole + strlen(waits), *end = strchr(rest, '\n');
            CU_ASSERT(rest[0] == 0 || (strstr(rest, " error SequenceFile: '/in/some") && end &&
                                       end[1] == 0 && strstr(rest, "it ends inside")));
            free(whole);
            free(waits);
        }
        free(b.ptr);
    }
}

static void what_is_whole_is_known_of_a_file_that_is_cut_off(void)
{
    for (size_t w = 0; w < WAYS; w++) {
        struct container_bytes b = write_some(ways[w]), part = b;
        struct container_world world;
        int64_t before = 0, end;

        cf_init_as(&world, "sequence_file", plain, LEAT_FORMAT_READS);
        for (part.len = 0; part.len <= b.len; part.len++) {
            const struct leat_container_file file = {"some", cf_read_bytes, &part};
            OK(world.container->whole(world.i.self, &file, &end, &err));
            CU_ASSERT(end == before || end == (int64_t)part.len);
            before = end;
        }
        CU_ASSERT_EQUAL(before, (int64_t)b.len);
        cf_fini(&world);
        free(b.ptr);
    }
}

/* The n-th place of a marker behind the header. */
static size_t mark_at(const struct container_bytes *b, int n)
{
    const char *at = b->ptr - 1;

    for (int i = 0; i <= n; i++) {
        at = memmem(at + 1, b->len - (size_t)(at + 1 - b->ptr), "\xff\xff\xff\xff", 4);
        CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    }
    return (size_t)(at - b->ptr);
}

/* Of plain files a record's length is behind its marker; of blocks the number of records. */
static void what_is_damaged_is_one_error_and_the_next_marker_goes_on(void)
{
    for (size_t w = 0; w < WAYS; w += 3) { /* none and block */
        struct container_bytes b = write_some(ways[w]);
        size_t at = mark_at(&b, 1);
        char wanted[300];

        b.ptr[at + 20] = (char)0x80; /* a number below none, of either kind */
        snprintf(wanted, sizeof wanted, "error SequenceFile: '/in/some.avro', byte %zu: %s",
                 w ? at : at + 20,
                 w ? "a block cannot have this number of records"
                   : "a record of less than no bytes");
        char *text = read_from(&b, 0, CF_ALL, true, 0);
        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        CU_ASSERT(begins(text, shown(0, 2)) && strstr(text, wanted));
        CU_ASSERT_PTR_NOT_NULL(
            strstr(text, "\n3 {\"key\":\"c\"")); /* the damage has one position */
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n4 {\"key\":\"d\""));
        free(text);
        free(b.ptr);
    }
}

static void a_marker_of_another_file_is_damage(void)
{
    for (size_t w = 0; w < WAYS; w++) {
        struct container_bytes b = write_some(ways[w]);
        b.ptr[mark_at(&b, 1) + 4 + 7] ^= 1;
        char *text = read_from(&b, 0, CF_ALL, true, 0);
        CU_ASSERT_PTR_NOT_NULL_FATAL(text);
        CU_ASSERT(begins(text, shown(0, 2)));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, w < 3 ? "a sync marker that is not the one of this file"
                                                  : "no sync marker stands in front of a block"));
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "\n4 {\"key\":\"d\""));
        free(text);
        free(b.ptr);
    }
}

/* Any single byte of a block: nothing hangs, what stands before is read, and of files by blocks
 * what stands behind. (A wrong length of a record may end inside another one.) */
static void no_single_byte_takes_more_than_its_block(void)
{
    for (size_t w = 0; w < WAYS; w++) {
        struct container_bytes b = write_some(ways[w]);
        for (size_t at = mark_at(&b, 1); at < mark_at(&b, 2); at++)
            for (int bit = 0; bit < 8; bit++) {
                b.ptr[at] = (char)(b.ptr[at] ^ 1 << bit);
                char *text = read_from(&b, 0, CF_ALL, true, 0);
                CU_ASSERT_PTR_NOT_NULL_FATAL(text);
                CU_ASSERT(begins(text, shown(0, 2)));
                const char *behind = strstr(text, "{\"key\":\"c\",\"value\":\"four\"}\n");
                CU_ASSERT(w < 3 || (behind && strstr(behind, "\"five\"}\n")));
                free(text);
                b.ptr[at] = (char)(b.ptr[at] ^ 1 << bit);
            }
        free(b.ptr);
    }
}

static void a_record_that_is_longer_than_max_record_is_cut_to_one_byte_more(void)
{
    static const char *const none[] = {NULL};

    for (size_t w = 0; w < WAYS; w++) {
        struct container_bytes b = write_some(ways[w]);
        for (int64_t most = 1; most < 20; most++) {
            struct container_world world;
            struct leat_cursor c = {0};
            cf_init_as(&world, "sequence_file", none, LEAT_FORMAT_READS);
            world.i.env.max_record_bytes = most;
            world.container->close(world.reader);
            world.reader = world.container->open(world.i.self, &world.i.env);
            struct leat_block *rows = cf_fetch(&world, &b, 0, CF_ALL, true, &err);
            CU_ASSERT_PTR_NOT_NULL_FATAL(rows);
            OK(rows->coding->next(&c, rows, &world.chunk, &err));
            CU_ASSERT_EQUAL(world.chunk.rows, ROWS);
            for (uint32_t i = 0; i < world.chunk.rows; i++) {
                static const int64_t full[ROWS] = {10, 6, 16, 13, 11, 11};
                int64_t wanted = full[i] < most + 1 ? full[i] : most + 1;
                CU_ASSERT_EQUAL((int64_t)world.chunk.values[i].len, wanted);
            }
            leat_block_unref(rows);
            cf_fini(&world);
        }
        free(b.ptr);
    }
}

/* ---- headers and blocks by hand */

static void put_i32(struct container_bytes *b, uint32_t n)
{
    cf_put_str(b, (const char[]){(char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n}, 4);
}

static void put_name(struct container_bytes *b, const char *name)
{
    size_t len = strlen(name);

    if (len > 127)
        cf_put_str(b, (const char[]){(char)-114, (char)(len >> 8), (char)len}, 3);
    else
        cf_put_str(b, (const char[]){(char)len}, 1);
    cf_put_str(b, name, len);
}

static struct container_bytes head(char version, const char *key, const char *value,
                                   const char *codec, bool by_blocks, uint32_t pairs)
{
    struct container_bytes b = {0};

    cf_put_str(&b, "SEQ", 3);
    cf_put_str(&b, &version, 1);
    put_name(&b, key);
    put_name(&b, value);
    cf_put_str(&b, codec ? "\1" : "\0", 1);
    cf_put_str(&b, by_blocks ? "\1" : "\0", 1);
    if (codec)
        put_name(&b, codec);
    put_i32(&b, pairs);
    for (uint32_t i = 0; i < 2 * pairs && i < 10; i++)
        put_name(&b, "some");
    cf_put_str(&b, CF_SYNC, 16);
    return b;
}

static void is_refused(struct container_bytes b, const char *why)
{
    char *text = read_from(&b, 0, CF_ALL, true, 0);

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT(begins(text, "0 error SequenceFile: '/in/some.avro', byte 0: "));
    if (!strstr(text, why))
        printf("    got: %s    not: %s\n", text, why);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, why));
    CU_ASSERT_PTR_EQUAL(strchr(text, '\n') + 1, text + strlen(text)); /* and nothing else */
    free(text);
    free(b.ptr);
}

#define IO   "org.apache.hadoop.io."
#define TEXT IO "Text"

static void a_header_that_cannot_be_used_is_one_error(void)
{
    static char name[1100];
    struct container_bytes other = {0};

    memset(name, 'n', sizeof name - 1);
    cf_put_str(&other, "PAR1", 4);
    is_refused(other, "it does not begin with \"SEQ\"");
    is_refused(head(5, TEXT, TEXT, NULL, false, 0), "version 5 of SequenceFiles, only 6 is read");
    is_refused(head(6, "com.shop.Order\n", TEXT, NULL, false, 0),
               "key class 'com.shop.Order?' is not one of those that are read: Text, ");
    is_refused(head(6, TEXT, IO "MapWritable", NULL, false, 0), "value class '" IO "MapWritable'");
    is_refused(head(6, TEXT, TEXT, IO "compress.Lz4Codec", true, 0),
               "codec '" IO "compress.Lz4Codec' is not one of those that are read: DefaultCodec");
    is_refused(head(6, name, TEXT, NULL, false, 0), "damaged header: a text of 1099 bytes");
    is_refused(head(6, TEXT, TEXT, NULL, false, 1001), "damaged header: 1001 pairs of metadata");
    is_refused(head(6, TEXT, TEXT, NULL, false, 0xffffffff), "damaged header: -1 pairs");
    is_refused(head(6, TEXT, TEXT, NULL, true, 0), "blocks that are not compressed");
    struct container_bytes b = head(6, TEXT, TEXT, NULL, false, 3);
    expect(read_from(&b, 0, CF_ALL, true, 0), "");
    free(b.ptr);
}

static void a_header_of_a_mebibyte_is_read_and_a_longer_one_refused(void)
{
    struct container_bytes b = {0};
    static char zeros[600000];

    for (int longer = 0; longer < 2; longer++) {
        b = (struct container_bytes){0};
        cf_put_str(&b, "SEQ\6", 4);
        put_name(&b, TEXT);
        put_name(&b, TEXT);
        cf_put_str(&b, "\0\0", 2);
        put_i32(&b, 1);
        for (int i = 0; i < 1 + longer; i++) {
            cf_put_str(&b, (const char[]){(char)-115, 9, 0x27, (char)0xc0}, 4);
            cf_put_str(&b, zeros, sizeof zeros);
        }
        if (!longer)
            put_name(&b, "");
        cf_put_str(&b, CF_SYNC, 16);
        if (longer) {
            is_refused(b, "the header is longer than 1 MiB");
        } else {
            expect(read_from(&b, 0, CF_ALL, true, 0), "");
            free(b.ptr);
        }
    }
}

static void classes_of_a_fixed_size_are_read(void)
{
    static const struct {
        const char *class, *bytes, *shown;
        size_t len;
    } all[] = {{IO "IntWritable", "\xff\xff\xff\xfe", "-2", 4},
               {IO "LongWritable", "\0\0\1\0\0\0\0\0", "1099511627776", 8},
               {IO "FloatWritable", "\x3f\x40\0\0", "0.75", 4},
               {IO "DoubleWritable", "\xbf\xe0\0\0\0\0\0\0", "-0.5", 8},
               {IO "BooleanWritable", "\1", "true", 1},
               {IO "NullWritable", "", "null", 0},
               {IO "BytesWritable", "\0\0\0\2ab", "\"YWI=\"", 6}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct container_bytes b = head(6, all[i].class, TEXT, NULL, false, 0);
        char wanted[200];
        put_i32(&b, (uint32_t)all[i].len + 2);
        put_i32(&b, (uint32_t)all[i].len);
        cf_put_str(&b, all[i].bytes, all[i].len);
        cf_put_str(&b, "\1v", 2);
        put_i32(&b, (uint32_t)all[i].len + 3); /* one byte too many */
        put_i32(&b, (uint32_t)all[i].len + 1);
        cf_put_str(&b, all[i].bytes, all[i].len);
        cf_put_str(&b, "\1\1w", 3);
        snprintf(wanted, sizeof wanted,
                 "0 {\"key\":%s,\"value\":\"v\"}\n1 error SequenceFile: %s\n", all[i].shown,
                 strstr(all[i].class, "Null")    ? "the key is a NullWritable that has bytes"
                 : strstr(all[i].class, "Bytes") ? "the key is no whole BytesWritable"
                                                 : "the key is a number of the wrong length");
        expect(read_from(&b, 0, CF_ALL, true, 0), wanted);
        free(b.ptr);
    }
}

static void a_text_that_is_none_is_an_error_of_its_record(void)
{
    struct container_bytes b = head(6, TEXT, TEXT, NULL, false, 0);

    put_i32(&b, 4);
    put_i32(&b, 2);
    cf_put_str(&b, "\1a\1\xff", 4);
    put_i32(&b, 4);
    put_i32(&b, 2);
    cf_put_str(&b, "\1a\2b", 4);
    put_i32(&b, 2);
    put_i32(&b, 2);
    cf_put_str(&b, "\1a", 2);
    put_i32(&b, 2);
    put_i32(&b, 3); /* the key is longer than the record */
    cf_put_str(&b, "\1a\1b", 4);
    char *text = read_from(&b, 0, CF_ALL, true, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT(begins(text, "0 error SequenceFile: the value is a Text that is not UTF-8\n"
                           "1 error SequenceFile: the value is no whole Text\n"
                           "2 error SequenceFile: the value is no whole Text\n"
                           "3 error SequenceFile: '/in/some.avro', byte "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "a key that is longer than its record\n"));
    free(text);
    free(b.ptr);
}

/* ---- what cannot be written */

static void not_written(const char *const *settings, const char *value, const char *why)
{
    struct container_world w;

    cf_init_as(&w, "sequence_file", settings, LEAT_FORMAT_WRITES);
    leat_chunk_clear(&w.chunk, 0);
    leat_chunk_add(&w.chunk, &(struct leat_row){.value = LEAT_LIT("")});
    w.chunk.columns[LEAT_COL_PATHS][0] = leat_json_parse(leat_slice_str(value), w.chunk.arena);
    OK(w.format->encode(w.i.self, &w.chunk, LEAT_COL_PATHS, &err));
    CU_ASSERT_PTR_NULL(w.chunk.values[0].ptr);
    CU_ASSERT_EQUAL(w.chunk.columns[LEAT_COL_PATHS][0].tag, LEAT_ERROR);
    CU_ASSERT_EQUAL(
        strncmp(leat_value_text(w.chunk.columns[LEAT_COL_PATHS][0]).ptr, why, strlen(why)), 0);
    cf_fini(&w);
}

static void what_has_no_key_or_value_is_an_error(void)
{
    static const char *const bytes[] = {"value=bytes", NULL};

    not_written(plain, "7", "SequenceFile: a record with the fields key and value is wanted");
    not_written(plain, "null", "SequenceFile: a record with the fields key and value is wanted");
    not_written(plain, "{\"value\":1}", "SequenceFile: the key is null, and no Text is");
    not_written(plain, "{\"key\":1,\"value\":null}", "SequenceFile: the value is null");
    not_written(bytes, "{\"key\":1,\"value\":2}",
                "SequenceFile: the value is neither bytes nor text, which alone");
}

static void a_record_that_no_reader_would_take_is_refused(void)
{
    struct container_world w;
    size_t len = ((size_t)64 << 20) + 8;
    char *rows = calloc(1, len);
    struct container_bytes file = {0};

    CU_ASSERT_PTR_NOT_NULL_FATAL(rows);
    for (size_t i = 0; i < WAYS; i++) {
        cf_init_as(&w, "sequence_file", ways[i], LEAT_FORMAT_WRITES);
        void *packer = w.container->packer(w.i.self);
        CU_ASSERT_EQUAL(
            w.container->pack(packer, (struct leat_slice){rows, len}, 1, cf_put, &file, &err),
            LEAT_E_DATA);
        CU_ASSERT_STRING_EQUAL(
            err.text, "SequenceFile: a record of 64 MiB, and none is read of more than 64");
        CU_ASSERT_EQUAL(file.len, 0);
        w.container->packer_free(packer);
        cf_fini(&w);
    }
    free(rows);
}

static void what_packing_makes_too_long_is_refused(void)
{
    size_t len = (size_t)64 << 20; /* just not too long as it is */
    char *rows = malloc(len);
    struct container_bytes file = {0};
    uint64_t n = 88172645463325252;

    CU_ASSERT_PTR_NOT_NULL_FATAL(rows);
    for (size_t i = 0; i < len; i += sizeof n) { /* nothing that can be packed */
        n ^= n << 13;
        n ^= n >> 7;
        n ^= n << 17;
        memcpy(rows + i, &n, sizeof n);
    }
    memcpy(rows, &(uint64_t){htobe64((uint64_t)(len - 8) << 32)}, sizeof(uint64_t)); /* no key */
    for (size_t i = 0; i < 2; i++) {
        static const char *const packed[][2] = {{"compress=record", NULL},
                                                {"compress=block", NULL}};
        struct container_world w;
        cf_init_as(&w, "sequence_file", packed[i], LEAT_FORMAT_WRITES);
        void *packer = w.container->packer(w.i.self);
        CU_ASSERT_EQUAL(
            w.container->pack(packer, (struct leat_slice){rows, len}, 1, cf_put, &file, &err),
            LEAT_E_DATA);
        CU_ASSERT_EQUAL(file.len, 0);
        w.container->packer_free(packer);
        cf_fini(&w);
    }
    free(rows);
}

static void packing_reports_lack_of_memory(void)
{
    for (size_t i = 0; i < WAYS; i++) {
        struct container_world w;
        cf_init_as(&w, "sequence_file", ways[i], LEAT_FORMAT_WRITES);
        struct container_bytes rows = encode(&w, some, ROWS);
        LEAT_OOM_SWEEP {
            struct container_bytes file = {0};
            void *packer = w.container->packer(w.i.self);
            CU_ASSERT(packer || leat_oom_hit());
            for (int turn = 0; packer && turn < 2; turn++) {
                enum leat_status status = w.container->pack(
                    packer, (struct leat_slice){rows.ptr, rows.len}, ROWS, cf_put, &file, &err);
                CU_ASSERT(status == LEAT_OK || (leat_oom_hit() && status == LEAT_E_NOMEM));
            }
            w.container->packer_free(packer);
            free(file.ptr);
        }
        free(rows.ptr);
        cf_fini(&w);
    }
}

static void reading_reports_lack_of_memory(void)
{
    static const char *const none[] = {NULL};

    for (size_t i = 0; i < WAYS; i++) {
        struct container_bytes b = write_some(ways[i]);
        const struct leat_container_file file = {"x", cf_read_bytes, &b};
        struct container_world w;
        b.ptr[mark_at(&b, 1) + 10] ^= 1; /* there is damage, too */
        cf_init_as(&w, "sequence_file", none, LEAT_FORMAT_READS);
        w.container->close(w.reader);
        LEAT_OOM_SWEEP {
            struct leat_block *rows = NULL;
            w.reader = w.container->open(w.i.self, &w.i.env);
            if (w.reader) {
                enum leat_status status =
                    w.container->fetch(w.reader, &file, 0, CF_ALL, 0, true, &rows, &err);
                CU_ASSERT(status == LEAT_OK || (leat_oom_hit() && status == LEAT_E_NOMEM));
                CU_ASSERT((status == LEAT_OK) == (rows != NULL));
            }
            leat_block_unref(rows);
            w.container->close(w.reader);
            w.reader = NULL;
        }
        cf_fini(&w);
        free(b.ptr);
    }
}

LEAT_TESTS("sequence_file", T(what_is_written_is_read_from_any_record_on_however_little_at_once),
           T(the_same_rows_are_the_same_bytes), T(a_file_that_is_cut_off_is_read_up_to_there),
           T(what_is_whole_is_known_of_a_file_that_is_cut_off),
           T(what_is_damaged_is_one_error_and_the_next_marker_goes_on),
           T(a_marker_of_another_file_is_damage), T(no_single_byte_takes_more_than_its_block),
           T(a_record_that_is_longer_than_max_record_is_cut_to_one_byte_more),
           T(a_header_that_cannot_be_used_is_one_error),
           T(a_header_of_a_mebibyte_is_read_and_a_longer_one_refused),
           T(classes_of_a_fixed_size_are_read), T(a_text_that_is_none_is_an_error_of_its_record),
           T(what_has_no_key_or_value_is_an_error),
           T(a_record_that_no_reader_would_take_is_refused), T(packing_reports_lack_of_memory),
           T(what_packing_makes_too_long_is_refused), T(reading_reports_lack_of_memory))
